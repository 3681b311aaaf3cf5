"""What a store does, be it a file or a database: idempotent, atomic, in one order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from simrec.errors import ConflictError, InputError, NotFoundError, StoreError, UsageError
from simrec.ingest.links import LinkFinder
from simrec.store import Inputs, Store, StoredBlock, StoredItem, Verdict
from simrec.types import Article, Entry, Pick, PickEntry, Reject


def entry(id_: str = "a", *, links: tuple[str, ...] | None = None, copy: bool = False, **values: Any) -> Entry:
    """An article as a reader found it."""
    article = Article(**{"id": id_, "title": f"Title {id_}", "body": "Body", "url": f"/{id_}.html", **values})
    return Entry(article, "file.jsonl", 1, links, (), copy)


def put(store: Store, *entries: Entry) -> tuple[int, int, int]:
    """New, changed, unchanged."""
    counts = store.put(entries, lambda e: [e.article.url or "", *e.addresses])
    return counts.new, counts.changed, counts.unchanged


def block(source: str, *items: str) -> StoredBlock:
    """A ranking."""
    return StoredBlock(source, tuple(StoredItem(item, 1.0, {"terms": ["x"]}) for item in items))


def snapshot(store: Store, *blocks: StoredBlock, keep: int = 10) -> int:
    """Writes a snapshot, and returns its number."""
    return store.write_snapshot(iter(blocks), model="tfidf", k=5, settings={}, keep=keep).id


def test_articles_come_back_as_they_went_in(store: Store) -> None:
    """Every field; by id."""
    full = Article(
        id="ü 'quoted' 🦉 " + "x" * 400,
        title="T",
        body="B\n\nC",
        url="https://x.example",
        published_at=datetime(2024, 5, 1, 8, 30, tzinfo=UTC),
        updated_at=datetime(2024, 5, 2, tzinfo=UTC),
        section="S",
        tags=("a", "b"),
        authors=("c",),
        lang="en-GB",
        image="/i.jpg",
        image_alt="alt",
        status="embargoed",
        embargo_until=datetime(2025, 1, 1, tzinfo=UTC),
        expires_at=datetime(2026, 1, 1, tzinfo=UTC),
        canonical_id="z",
        extra={"views": 3, "nested": {"x": [1]}},
    )
    put(store, Entry(full, "f", None), entry("a"))
    assert store.articles() == [entry("a").article, full]


def test_new_changed_and_unchanged_are_told_apart(store: Store) -> None:
    """By all that was delivered, whatever the order of unknown columns."""
    assert put(store, entry("a", extra={"x": 1, "y": 2}), entry("b")) == (2, 0, 0)
    assert put(store, entry("a", extra={"y": 2, "x": 1}), entry("b", section="S")) == (0, 1, 1)
    assert put(store, *[entry(f"n{i}") for i in range(2000)]) == (2000, 0, 0)
    assert put(store, *[entry(f"n{i}") for i in range(2000)]) == (0, 0, 2000)


def test_a_copy_replaces_nothing_but_a_shorter_copy(store: Store) -> None:
    """An article's own page wins, whichever comes first; of copies the longest."""
    assert put(store, entry("a", body="short", copy=True)) == (1, 0, 0)
    assert put(store, entry("a", body="a longer one", copy=True)) == (0, 1, 0)
    assert put(store, entry("a", body="short", copy=True)) == (0, 0, 1)
    assert put(store, entry("a", body="own")) == (0, 1, 0)
    assert put(store, entry("a", body="a much longer copy", copy=True)) == (0, 0, 1)
    assert store.articles()[0].body == "own"


def test_picks_are_found_by_id_and_address_and_wait_for_what_is_missing(store: Store) -> None:
    """A pick of an unknown article is a reject until the article comes."""
    put(store, entry("a", links=("/b.html", "c", "/late.html")), entry("b"), entry("c"))
    missing = store.resolve_picks(LinkFinder)
    assert [(p.target_id, p.rank) for p in store.picks()] == [("b", 1), ("c", 2)]
    assert [(r.file, r.line, "late" in r.reason) for r in missing] == [("file.jsonl", 1, True)]
    put(store, entry("late"))
    assert store.resolve_picks(LinkFinder) == []
    assert [p.target_id for p in store.picks()] == ["b", "c", "late"]


def test_a_page_without_a_block_clears_its_picks_and_silence_keeps_them(store: Store) -> None:
    """`()` says that there are none, None says nothing."""
    put(store, entry("a", links=("b",)), entry("b"))
    store.resolve_picks(LinkFinder)
    put(store, entry("a"))
    assert len(store.picks()) == 1
    put(store, entry("a", links=()))
    assert store.picks() == []


def test_a_table_of_picks_replaces_itself_and_adds_to_the_pages(store: Store) -> None:
    """The same pair from two places is one pick; a pick of itself is none."""
    put(store, entry("a", links=("b",)), entry("b"), entry("c"))
    table = [PickEntry(Pick("a", t, r), "picks.csv", r) for r, t in enumerate(["b", "c", "a"], start=1)]
    assert store.replace_picks("picks.csv", table) == 3
    store.resolve_picks(LinkFinder)
    assert [(p.source_id, p.target_id) for p in store.picks()] == [("a", "b"), ("a", "c")]
    store.replace_picks("picks.csv", table[:1])
    store.resolve_picks(LinkFinder)
    assert [p.target_id for p in store.picks()] == ["b"]
    store.replace_picks("./picks.csv", table[1:2], ["picks.csv"])
    store.resolve_picks(LinkFinder)
    assert store.tables_of_picks() == ["./picks.csv"]
    assert [p.target_id for p in store.picks()] == ["b", "c"]


def test_rejects_are_kept_by_source(store: Store) -> None:
    """And forgotten when that source is read again."""
    store.add_rejects("one", [Reject("f", 3, "bad")])
    store.add_rejects("two", [Reject("g", None, "worse")])
    store.clear_rejects("one")
    assert store.rejects() == [Reject("g", None, "worse")]


def test_a_snapshot_is_active_whole_or_not_at_all(store: Store) -> None:
    """Only the newest is; one that breaks off leaves the one before, and nothing of itself."""
    first = snapshot(store, block("a", "b"), block("b"))
    assert (store.snapshot().id, store.snapshot().blocks) == (first, 1)

    def breaks() -> Iterator[StoredBlock]:
        yield block("a", "c")
        raise RuntimeError("power cut")

    with pytest.raises(RuntimeError):
        store.write_snapshot(breaks(), model="tfidf", k=5, settings={}, keep=10)
    assert store.snapshot().id == first
    second = snapshot(store, block("a", "c"))
    assert store.snapshot().id == second > first
    assert [i.id for i in next(store.blocks(second, ["a"])).items] == ["c"]
    assert not store.snapshot(first).active


def test_no_snapshot_says_what_to_do(store: Store) -> None:
    """Build first."""
    with pytest.raises(StoreError, match="simrec build"):
        store.snapshot()


def test_articles_and_hashes_are_of_one_moment(store: Store) -> None:
    """As a build reads them."""
    put(store, entry("a"), entry("b"))
    held = store.held()
    assert held.articles == store.articles()
    assert held.hashes == store.article_hashes()


def test_a_judge_decides_in_the_same_transaction(store: Store) -> None:
    """It sees the new blocks and the active ones; what it refuses is kept, with its figures, and is not shown."""
    first = snapshot(store, block("a", "b"))
    seen: list[Any] = []

    def judge(new: Any, before: Any) -> Verdict:
        seen.append((list(new), list(before.blocks), before.whole))
        return Verdict({"empty": 0.5}, "too many")

    refused = store.write_snapshot([block("a", "c"), block("b")], model="m", k=5, settings={}, keep=1, judge=judge)
    assert seen == [([("a", ["c"]), ("b", [])], [("a", ["b"])], True)]
    assert (refused.active, refused.refused, refused.figures, refused.parent) == (
        False,
        "too many",
        {"empty": 0.5},
        first,
    )
    assert store.snapshot().id == first
    assert store.activate(refused.id).active
    assert [one.id for one in store.snapshots() if one.active] == [refused.id]


def test_everything_goes_in_order_of_its_bytes(store: Store) -> None:
    """Big letters before small ones, accents after all, whatever language the database speaks."""
    ids = ["B", "Z", "_", "a", "a b", "ab", "b", "z", "ß", "ä", "é", "文", "🦉"]
    ids = sorted(ids, key=lambda id_: id_.encode())
    put(store, *[entry(id_) for id_ in reversed(ids)])
    number = snapshot(store, *[block(id_, "a") for id_ in reversed(ids)])
    store.replace_picks("p.csv", [PickEntry(Pick(id_, "B", 1), "p.csv", 1) for id_ in reversed(ids)])
    store.resolve_picks(LinkFinder)
    assert [article.id for article in store.articles()] == ids
    assert [one.source_id for one in store.blocks(number)] == ids
    assert [one.source_id for one in store.blocks(number, list(reversed(ids)))] == ids
    assert list(store.listed(number)) == [(id_, ["a"]) for id_ in ids]
    assert [pick.source_id for pick in store.picks()] == ids[1:]


def test_many_rows_are_stored_as_few_are(store: Store) -> None:
    """More than go into one statement."""
    many = [entry(f"n{i:04}", links=(f"n{(i + 1) % 1201:04}", "x" * 5000)) for i in range(1201)]
    assert put(store, *many) == (1201, 0, 0)
    assert len(store.resolve_picks(LinkFinder)) == 1201
    assert len(store.picks()) == 1201
    number = snapshot(store, *[block(one.article.id, "n0000", "n0001") for one in many])
    assert store.snapshot().blocks == 1201
    assert len(list(store.blocks(number, [one.article.id for one in many]))) == 1201


def test_a_picks_address_may_be_of_any_length(store: Store) -> None:
    """One that is too long for an index leads nowhere; its pick is turned away in words, and nothing else is."""
    links = tuple(f"https://x.example/?{letter * 9000}" for letter in "uv")
    assert put(store, entry("a", links=(*links, "b")), entry("b", url=links[0])) == (2, 0, 0)
    assert len(store.resolve_picks(LinkFinder)) == 2
    assert [pick.target_id for pick in store.picks()] == ["b"]
    assert store.article("b").url == links[0]  # type: ignore[union-attr]


@pytest.mark.parametrize("values", [{"title": "a\0b"}, {"body": "half \ud83e"}, {"extra": {"deep": ["\0"]}}])
def test_what_no_store_can_hold_is_refused_by_name(store: Store, values: dict[str, Any]) -> None:
    """A NUL character or half of a surrogate pair; nothing of the batch is stored."""
    with pytest.raises(InputError, match=rf"article 'bad': {next(iter(values))} .* take it out"):
        put(store, entry("a"), entry("bad", **values))
    assert store.articles() == []
    assert put(store, entry("fine", title="a \\u0000 in words", extra={"x": "\\ud83e"})) == (1, 0, 0)


def test_what_was_refused_or_is_old_goes_with_its_blocks(store: Store) -> None:
    """All but the newest that are to be kept, the active one, and two that were refused."""
    first = snapshot(store, block("a", "b"))
    refuse = {"model": "m", "k": 5, "settings": {}, "keep": 1, "judge": lambda new, before: Verdict({}, "no")}
    refused = [store.write_snapshot([block("a", "b")], **refuse).id for _ in range(3)]  # type: ignore[arg-type]
    assert [one.id for one in store.snapshots()] == [*reversed(refused[1:]), first]
    assert list(store.blocks(refused[1], ["zzz"])) == []
    for read in (store.blocks(refused[0]), store.blocks(refused[0], ["a"]), store.listed(refused[0])):
        with pytest.raises(ConflictError, match=f"snapshot {refused[0]} is not there any more"):  # and not: no blocks
            list(read)
    newest = snapshot(store, block("a", "b"))
    assert store.prune(1) == [first]
    assert {one.id for one in store.snapshots()} == {*refused[1:], newest}
    store.shrink()


def test_a_snapshot_is_of_the_moment_that_is_given(store: Store) -> None:
    """When it was made, and when its blocks were changed: by no clock of the store's own."""
    made, later = datetime(2025, 6, 1, tzinfo=UTC), datetime(2025, 6, 2, tzinfo=UTC)
    first = store.write_snapshot([block("a", "b")], model="m", k=5, settings={}, keep=9, now=made)
    assert (first.created_at, first.changed_at, first.current_at) == (made, None, made)
    changed = store.change((), (), "desk", [block("a", "c")], first, lambda e: [], 1, now=later)
    assert (store.snapshot().changed_at, changed.current_at) == (later, later)


def test_a_snapshot_takes_over_the_blocks_of_another(store: Store) -> None:
    """All but those that it brings itself; only these are noted as changed."""
    inputs = Inputs({"a": "1" * 64, "b": "2" * 64}, {"a": ["b"]}, {"sentence": "x"})
    common: dict[str, Any] = {"model": "m", "k": 5, "settings": {"x": 1}, "keep": 9, "inputs": inputs}
    first = store.write_snapshot([block("a", "b"), block("b", "a")], **common)
    second = store.write_snapshot([block("b", "c")], like=first.id, **common)
    assert list(store.listed(second.id)) == [("a", ["b"]), ("b", ["c"])]
    assert store.changed_blocks(second.id) == ["b"]
    store.settle_blocks(replace(second, revision=-1))
    assert store.changed_blocks(second.id) == ["b"]  # it was changed since
    store.settle_blocks(second)
    assert store.changed_blocks(second.id) == []
    found = store.inputs(second.id)
    assert (found.hashes, found.pins) == ({"a": "1" * 16, "b": "2" * 16}, {"a": ["b"]})
    assert found.made_with == {"sentence": "x"}
    assert store.block_ids(second.id) == {"a", "b"}
    assert store.snapshot(second.id).settings == {"x": 1}
    with pytest.raises(NotFoundError, match="snapshot 99"):
        store.activate(99)


def test_good_keys_have_names_of_their_own(store: Store) -> None:
    """Acts are known by them. What was revoked or has expired lets its name go; a refused key is not kept."""
    now = datetime(2026, 1, 1, tzinfo=UTC)
    first = store.create_key("Ines Calder", ["edit"], now=now)
    store.create_key("Petra Lohse", ["edit"], 1, now=now)
    for name in ("Ines Calder", " Petra Lohse "):
        with pytest.raises(UsageError, match="still good: revoke it first, or choose another name"):
            store.create_key(name, ["read"], now=now)
    store.revoke_key(first.id)
    for name in ("Ines Calder", "Petra Lohse"):
        store.create_key(name, ["edit"], now=now + timedelta(days=1))
    assert len(store.keys()) == 4


def test_what_was_gone_before_it_came_is_remembered(store: Store) -> None:
    """The latest moment counts, in whatever order they are told; of others nothing is known."""
    days = [datetime(2025, 1, day, tzinfo=UTC) for day in (1, 2, 3)]
    store.note_gone({"a": days[1], "b": days[0]})
    store.note_gone({"a": days[0], "b": days[2]})
    assert [store.gone_at(id_) for id_ in ("a", "b", "c")] == [days[1], days[2], None]
    assert store.articles() == []


def test_what_was_gone_long_ago_is_forgotten(store: Store) -> None:
    """Before a moment, whatever zone it was told in; what is as old as that stays."""
    zone = timezone(timedelta(hours=9))
    days = [datetime(2025, 1, day, tzinfo=UTC) for day in (1, 2, 3)]
    store.note_gone({"a": days[0], "b": datetime(2025, 1, 2, 8, 59, tzinfo=zone), "c": days[1].astimezone(zone)})
    assert store.clean_gone(days[1].astimezone(zone)) == 2
    assert [store.gone_at(id_) for id_ in "abc"] == [None, None, days[1]]
    assert store.clean_gone(days[1]) == 0
