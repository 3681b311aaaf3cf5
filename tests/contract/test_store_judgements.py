"""Judgements in the store: what editors said, apart from what was imported, and who said it when."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import URL, Column, Index, MetaData, Table, insert, select, update

from simrec.errors import ConflictError, StaleError
from simrec.ingest.links import LinkFinder
from simrec.store import NewAct, PageRow, Store
from simrec.store.comparisons import Comparison
from simrec.store.tables import picks, schema_version
from simrec.types import Article, Entry, Pick, PickEntry

AT = datetime(2025, 6, 1, 12, tzinfo=UTC)


def fill(store: Store) -> None:
    """Four articles; of a, an imported table picks b and c, and rejects d; its page picks b."""
    for id_ in "abcd":
        links = ("b",) if id_ == "a" else None
        store.put([Entry(Article(id_, f"Title {id_}", "Body"), "file", 1, links)], lambda _: [])
    picks = [Pick("a", "b", 1), Pick("a", "c", 2, 1.0), Pick("a", "d", 3, 0.0), Pick("b", "a", 1)]
    store.replace_picks("picks.csv", [PickEntry(pick, "picks.csv") for pick in picks])
    store.resolve_picks(LinkFinder)


def act(store: Store, page: str, after: PageRow, who: str = "Ada", undoes: int | None = None) -> int:
    """Brings a page to a state."""
    before = store.page_states([page]).get(page, PageRow())
    new = NewAct(AT, who, "order", page, None, before, after, undoes)
    store.put_act(new)
    return new.id


def pairs(picks: list[Pick]) -> list[str]:
    """Pairs, as short words."""
    return [f"{pick.source_id}{pick.target_id}" for pick in picks]


def test_grade_0_is_never_a_pick(store: Store) -> None:
    """It is a rejection, of whomever it comes."""
    assert pairs(store.picks()) == ["ab", "ac", "ba"]
    assert pairs(store.rejected()) == ["ad"]
    act(store, "b", PageRow(bans=("c",)))
    assert pairs(store.rejected()) == ["ad", "bc"]
    assert all(pick.grade == 0 for pick in store.rejected())


def test_editors_judgements_stand_apart_from_imported_ones(store: Store) -> None:
    """Each can be had alone."""
    act(store, "a", PageRow(pins=("d", "b"), bans=("c",), accepted=()))
    act(store, "c", PageRow(accepted=("a",)))
    assert pairs(store.picks("imported")) == ["ab", "ac", "ba"]
    assert pairs(store.rejected("imported")) == ["ad"]
    assert pairs(store.picks("editors")) == ["ad", "ab", "ca"]
    assert pairs(store.rejected("editors")) == ["ac"]
    assert {said.origin for said in store.judgements("imported")} == {"page", "picks.csv"}


def test_a_ban_takes_an_imported_pick_out(store: Store) -> None:
    """What was imported says b and c belong under a; the editor, who saw them there, says no of c."""
    act(store, "a", PageRow(bans=("c",)))
    assert pairs(store.picks()) == ["ab", "ba"]
    act(store, "a", PageRow())
    assert pairs(store.picks()) == ["ab", "ac", "ba"]


def test_a_judgement_says_who_and_when(store: Store) -> None:
    """Who said it first, as long as it stands; a place in the order is not said again by whom moves it."""
    act(store, "a", PageRow(pins=("b",)), "Ada")
    act(store, "a", PageRow(pins=("c", "b")), "Ben")
    said = {one.target_id: one for one in store.judgements("editors")}
    assert {id_: (one.who, one.rank, one.at, one.grade) for id_, one in said.items()} == {
        "b": ("Ada", 2, AT, 1.0),
        "c": ("Ben", 1, AT, 1.0),
    }
    assert all(one.by_editor for one in said.values())
    act(store, "a", PageRow())
    assert store.judgements("editors") == []


def test_ingests_leave_editors_judgements_alone(store: Store) -> None:
    """A table again, the page's block again, all references looked up again."""
    act(store, "a", PageRow(pins=("d",), bans=("c",)))
    before = store.judgements("editors")
    store.replace_picks("picks.csv", [])
    store.put([Entry(Article("a", "Title a", "Other"), "file", 1, ())], lambda _: [])
    assert store.resolve_picks(LinkFinder) == []
    assert store.judgements("editors") == before
    assert store.judgements("imported") == []


def test_an_act_on_a_page_that_was_changed_is_not_stored(store: Store) -> None:
    """Neither in the log, nor as judgement; nor is a second undoing of one act."""
    first = act(store, "a", PageRow(pins=("b",)))
    late = NewAct(AT, "Ben", "ban", "a", "b", PageRow(), PageRow(bans=("b",)))
    with pytest.raises(StaleError):
        store.put_act(late)
    with pytest.raises(StaleError):
        store.put_act(NewAct(AT, "Ben", "ban", "b", "a", PageRow(version=9), PageRow(bans=("a",))))
    act(store, "a", PageRow(), undoes=first)
    with pytest.raises(ConflictError, match=f"act {first} was undone by somebody else"):
        act(store, "a", PageRow(), undoes=first)
    assert [(one.undoes, one.undone_by is None) for one in store.acts()] == [(first, True), (None, False)]
    assert late.id == 0
    assert store.judgements("editors") == []


def test_what_was_pinned_before_there_were_acts_stays_pinned(tmp_path: Path) -> None:
    """By page and rank; nobody knows who did it. A store of that time is a file."""
    path = tmp_path / "old.db"
    with Store(path) as store:
        fill(store)
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript("DROP TABLE pages; DROP TABLE acts; UPDATE schema_version SET version = 3;")
        connection.execute("ALTER TABLE snapshot_pins DROP COLUMN bans")
        row = "INSERT INTO picks (source_ref, target_ref, origin, source_id, target_id, rank, file) VALUES "
        connection.execute(
            f"{row} ('a', 'd', 'pin', 'a', 'd', 2, 'publish'), ('a', 'c', 'pin', 'a', 'c', 1, 'publish')"
        )
        connection.commit()
    with Store(path) as again:
        assert again.page_states() == {"a": PageRow(0, ("c", "d"))}
        assert act(again, "a", PageRow(pins=("d",)))
        assert pairs(again.picks("editors")) == ["ad"]


def judged(store: Store, who: str, trial: str, accepted: tuple[str, ...] = (), rejected: tuple[str, ...] = ()) -> None:
    """Somebody judges a blind comparison of two blocks of a."""
    shown = Comparison(trial, AT, who, "a", "one", "two", ("b", "c"), ("c", "d"), "a", "random")
    store.open_trial(shown)
    store.judge_trial(replace(shown, preferred="a", accepted=accepted, rejected=rejected))


def test_each_judge_has_a_say(store: Store) -> None:
    """What one marks stands beside what another marked; one who rejects is enough; the last word of each counts."""
    judged(store, "Ada", "1", ("b", "c"))
    judged(store, "Ben", "2", ("c",), ("b",))
    said = {(one.who, one.target_id): one.grade for one in store.judgements("editors")}
    assert said == {("Ada", "b"): 1.0, ("Ada", "c"): 1.0, ("Ben", "b"): 0.0, ("Ben", "c"): 1.0}
    assert pairs(store.picks("editors")) == ["ac"]
    assert pairs(store.rejected("editors")) == ["ab"]
    judged(store, "Ben", "3", ("b",))
    assert pairs(store.picks("editors")) == ["ab", "ac"]
    assert store.rejected("editors") == []


def test_judgements_of_an_older_store_are_kept(place: Path | URL) -> None:
    """Of a time when one judge's word was in place of another's: all are there, and the next judge adds to them."""
    with Store(place) as store:
        fill(store)
        act(store, "a", PageRow(pins=("d",)))
        judged(store, "Ada", "1", ("b",))
        before = store.judgements()
        with store._write() as connection:
            rows = [dict(row) for row in connection.execute(select(picks)).mappings()]
            picks.drop(connection)
            key = ("source_ref", "target_ref", "origin")
            columns = [Column(one.name, one.type, primary_key=one.name in key) for one in picks.columns]
            older = Table("picks", MetaData(), *columns, Index("picks_origin", "origin"))
            older.create(connection)
            connection.execute(insert(older), [row | {"who": row["who"] or None} for row in rows])
            connection.execute(update(schema_version).values(version=4))
    with Store(place) as again:
        assert again.judgements() == before
        judged(again, "Ben", "2", (), ("b",))
        assert len(again.judgements()) == len(before) + 1
        again.replace_picks("picks.csv", [])
        assert again.resolve_picks(LinkFinder) == []


def test_many_pages_are_read_at_once(store: Store) -> None:
    """More than one statement can name."""
    for number in range(3):
        act(store, f"p{number}", PageRow(pins=("a",)))
    assert set(store.page_states(f"p{number}" for number in range(2000))) == {"p0", "p1", "p2"}
    assert store.page_states([]) == {}
