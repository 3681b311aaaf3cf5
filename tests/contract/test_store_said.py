"""What editors say of a page without changing it: in the log for good, undone as it was, and no page's version."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import URL, insert, text

from simrec.errors import ConflictError
from simrec.pipeline.planned import plan_undo
from simrec.store import NewAct, PageRow, Store
from simrec.store.comparisons import Comparison
from simrec.store.history import Look
from simrec.store.tables import history
from simrec.types import Article, Entry

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def fill(store: Store) -> None:
    """Four articles; Ada has pinned b under a."""
    store.put([Entry(Article(id_, f"Title {id_}", "Body"), "file") for id_ in "abcd"], lambda _: [])
    store.put_act(NewAct(AT, "Ada", "pin", "a", "b", PageRow(), PageRow(pins=("b",))))


def judge(
    store: Store, who: str, trial: str, good: str = "", bad: str = "", preferred: str = "a", at: datetime = AT
) -> int:
    """Somebody judges a blind comparison of two models' blocks of a."""
    shown = Comparison(trial, at, who, "a", "one", "two", ("b", "c"), ("c", "d"), "b", "random")
    store.open_trial(shown)
    return store.judge_trial(replace(shown, preferred=preferred, accepted=tuple(good), rejected=tuple(bad)), "5eed")


def undo(store: Store, number: int, who: str = "Cleo") -> int:
    """Somebody undoes it, a while later."""
    planned = plan_undo(store, who, number, None, AT + 9 * MINUTE)
    store.take_back(planned)
    return planned.id


def marks(store: Store) -> list[str]:
    """What stands of blind judgements: who, item, grade."""
    return sorted(f"{one.who} {one.target_id} {one.grade:g}" for one in store.judgements() if one.origin == "judged")


def test_what_is_said_is_in_the_log_and_changes_no_page(store: Store) -> None:
    """Verdicts by the models' names, no trial before its verdict; no page is another, for editors or for readers."""
    mark, row = store.mark(), store.page_states()["a"]
    store.open_trial(Comparison("open", AT, "Ada", "a", "one", "two", ("b",), ("d",), "a", "random"))
    assert len(store.acts()) == 1
    first = judge(store, "Ben", "1", "bc", "d")
    tie = judge(store, "Ben", "2", preferred="tie")
    fine = store.note_fine("Cleo", "c", AT, "d1ge57")
    found = {act.id: act for act in store.acts()}
    assert list(found) == sorted(found, reverse=True)
    assert [(found[n].who, found[n].action, found[n].source_id, found[n].target_id) for n in (first, tie, fine)] == [
        ("Ben", "judge", "a", None), ("Ben", "judge", "a", None), ("Cleo", "seen", "c", None),
    ]  # fmt: skip
    assert found[first].said == {
        "trial": "1", "models": ["one", "two"], "preferred": "one", "accepted": ["b", "c"], "rejected": ["d"],
        "shown": "5eed",
    }  # fmt: skip
    assert found[first].before == found[first].after == row.as_json()
    assert (found[tie].said or {})["preferred"] is None
    assert found[fine].said == {"shown": "d1ge57"}
    assert store.page_states() == {"a": row}
    assert store.changes(mark).pages == []
    store.put_act(NewAct(AT, "Ada", "unpin", "a", "b", row, PageRow()))  # who had the page open before is in time


def test_the_log_goes_on_page_by_page(store: Store) -> None:
    """Whatever kind its acts are of, each is told once."""
    numbers = [store.note_fine("Ada", "c", AT), judge(store, "Ben", "1"), store.note_fine("Ben", "a", AT)]
    numbers.append(undo(store, numbers[1]))
    told, before = list[int](), None
    while part := store.acts(before=before, limit=2):
        told += [act.id for act in part]
        before = part[-1].id
    assert told == [*numbers[::-1], 1]
    assert [act.id for act in store.acts(who="Ben")] == [numbers[2], numbers[1]]


def test_a_judgement_that_is_undone_counts_no_longer(store: Store) -> None:
    """Nor do its items; a judge's earlier word on them counts again. The log has who undid it, and it comes back."""
    first, other = judge(store, "Ben", "1", "bc"), judge(store, "Ada", "2", "b")
    last = judge(store, "Ben", "3", "d", "b")
    assert marks(store) == ["Ada b 1", "Ben b 0", "Ben c 1", "Ben d 1"]
    undone = undo(store, last)
    assert marks(store) == ["Ada b 1", "Ben b 1", "Ben c 1"]
    assert [one.act for one in store.comparisons()] == [first, other]
    assert store.compared_pages("one", "two", "Ben") == {"a"}  # who has read the log knows what they had preferred
    kept = {act.id: act for act in store.acts()}
    assert (kept[last].undone_by, kept[undone].undoes, kept[undone].who) == (undone, last, "Cleo")
    assert kept[undone].said == kept[last].said
    again = undo(store, undone, "Ben")
    assert marks(store) == ["Ada b 1", "Ben b 0", "Ben c 1", "Ben d 1"]
    assert len(store.comparisons()) == 3
    undo(store, again)
    undo(store, first)
    assert marks(store) == ["Ada b 1"]
    assert store.page_states()["a"].version == 1


def test_what_was_said_is_undone_once(store: Store) -> None:
    """A second undoing is told of the first, and nothing is stored; an undone trial is not judged again."""
    number = judge(store, "Ben", "1", "c")
    late = plan_undo(store, "Ada", number, None, AT)
    by = undo(store, number)
    with pytest.raises(ConflictError, match=f"act {number} was undone already, by act {by}"):
        undo(store, number, "Ada")
    with pytest.raises(ConflictError, match=f"act {number} was undone by somebody else meanwhile"):
        store.take_back(late)
    with pytest.raises(ConflictError, match="judged already"):
        store.judge_trial(replace(store.trial("1"), preferred="b"))
    assert (marks(store), store.acts()[0].id) == ([], by)


def test_undoing_what_was_said_waits_for_no_other_act_and_none_for_it(store: Store) -> None:
    """A pin below it can be undone though the page was judged since, and the judgement with any version of the page."""
    number = judge(store, "Ben", "1", "b")
    fine = store.note_fine("Ben", "a", AT)
    assert plan_undo(store, "Ada", 1, None, AT).after == PageRow(1)
    store.take_back(plan_undo(store, "Ada", number, 77, AT))
    assert plan_undo(store, "Ada", 1, 1, AT).after == PageRow(1)
    undo(store, fine)
    assert plan_undo(store, "Ada", 1, 1, AT).after == PageRow(1)


def test_a_page_whose_being_fine_is_undone_is_as_nobody_had_looked(store: Store) -> None:
    """The look of before counts again; so it is when a judgement is undone, and neither its undoing is a look."""
    store.note_fine("Ada", "c", AT, "before")
    fine = store.note_fine("Ben", "c", AT + MINUTE, "after")
    assert store.looked_at()["c"] == Look(AT + MINUTE, "after")
    undone = undo(store, fine)
    assert store.looked_at()["c"] == Look(AT, "before")
    undo(store, undone)
    assert store.looked_at()["c"] == Look(AT + MINUTE, "after")
    judged = judge(store, "Ben", "1", at=AT + MINUTE)
    assert store.looked_at()["a"] == Look(AT + MINUTE, "5eed")
    undo(store, judged)
    assert store.looked_at()["a"] == Look(AT, None)  # of Ada's pin


def test_what_was_said_before_comes_into_the_log(place: Path | URL) -> None:
    """Of a store whose log had acts alone: in order of time, by whom and when; looks at acts are no acts themselves."""
    with Store(place) as store:
        fill(store)
        judged = Comparison("1", AT + MINUTE, "Ben", "a", "one", "two", ("b",), ("d",), "a", "random", 0, "b", ("d",))
        store.open_trial(replace(judged, preferred=None))
        store.judge_trial(judged)
        store.open_trial(Comparison("2", AT, "Ben", "a", "one", "two", ("b",), ("d",), "a", "random"))
        store.note_seen("Ada", "a", AT, "pinned")
        store.note_seen("Cleo", "c", AT - MINUTE, "d1ge57")
        with store._write() as connection:
            connection.execute(text("DELETE FROM acts WHERE action = 'judge'"))
            connection.execute(text("DELETE FROM history WHERE kind = 'seen' AND at > '2026-03-01T12:00:30'"))
            look = {"who": "Ben", "source_id": "a", "shown": "5eed"}
            connection.execute(insert(history).values(at="2026-03-01T12:01:00+00:00", kind="seen", figures=look))
            for table, column in (("acts", "said"), ("comparisons", "act"), ("comparisons", "undone_by")):
                connection.execute(text(f"ALTER TABLE {table} DROP COLUMN {column}"))
            connection.execute(text("UPDATE schema_version SET version = 6"))
    with Store(place) as again:
        told = [(act.at, act.who, act.action, act.source_id) for act in again.acts()]
        assert told == [
            (AT + MINUTE, "Ben", "judge", "a"), (AT - MINUTE, "Cleo", "seen", "c"), (AT, "Ada", "pin", "a"),
        ]  # fmt: skip
        last, fine, _ = again.acts()
        assert (last.said or {})["preferred"] == "two"
        assert (last.before, fine.said) == (again.page_states()["a"].as_json(), {"shown": "d1ge57"})
        undo(again, last.id)
        undo(again, fine.id)
        assert (marks(again), again.comparisons()) == ([], [])
        assert again.looked_at() == {"a": Look(AT, "pinned")}
    with Store(place) as once:
        assert (len(once.acts()), once.comparisons()) == (5, [])
