"""Editors' acts: in the blocks at once, there for good, logged, undone, and nobody's act lost."""

from __future__ import annotations

import csv
import io
import json
import shutil
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from simrec.cli.main import main
from simrec.errors import ConflictError, NotFoundError, StaleError, UsageError
from simrec.pipeline.acts import Desk, PageState, act_once, export
from simrec.pipeline.blind import judge
from simrec.pipeline.build import build
from simrec.pipeline.ingest import entry_keys, ingest
from simrec.pipeline.planned import Acting, plan_act, plan_undo
from simrec.pipeline.publish import Pipeline
from simrec.pipeline.show import similar
from simrec.pipeline.snapshots import rollback
from simrec.pipeline.status import status
from simrec.pipeline.viewer import Viewer
from simrec.pipeline.workspace import Workspace
from simrec.store import Act, NewAct, PageRow, Store, StoredBlock, StoredItem
from simrec.store.comparisons import Comparison
from simrec.types import Entry

NOW = datetime(2025, 6, 1, 12, tzinfo=UTC)
PAGE = "t000"


def stored(workspace: Workspace, page: str = PAGE) -> list[str]:
    """What the active snapshot has of a page's block, without spares."""
    with workspace.store() as store:
        snapshot = store.snapshot()
        return [item.id for item in next(store.blocks(snapshot.id, [page])).items][: snapshot.k]


def seen(workspace: Workspace, page: str = PAGE) -> list[str]:
    """What readers see."""
    with workspace.store() as store:
        snapshot = store.snapshot()
        viewer = Viewer.open(store, workspace.settings, snapshot.k)
        return [item.id for item in viewer.view(next(store.blocks(snapshot.id, [page]))).items]


def far(workspace: Workspace, page: str = PAGE) -> str:
    """An article that is not in a page's block, nor among its spares."""
    with workspace.store() as store:
        near = {item.id for item in next(store.blocks(store.snapshot().id, [page])).items}
        return next(a.id for a in reversed(store.articles()) if a.id not in {page, *near})


@pytest.fixture
def site(town: Callable[..., Workspace]) -> Workspace:
    """Forty articles, built."""
    return town()


@pytest.fixture
def desk(site: Workspace) -> Iterator[Desk]:
    """The desk of the site, its blocks kept up to date."""
    with Pipeline(site, lambda: NOW) as pipeline:
        yield Desk(site, pipeline, lambda: NOW)


def test_a_ban_is_what_a_build_with_that_ban_makes(site: Workspace, desk: Desk, town: Callable[..., Workspace]) -> None:
    """The item is out, the block is full, and both are those of a site whose settings ban the same."""
    banned = stored(site)[1]
    done = desk.act("Ada", "ban", PAGE, banned)
    other = town(f'[policy]\nbanned = {{{PAGE} = ["{banned}"]}}\n', name="other")
    with site.store() as ours, other.store() as theirs:
        assert list(ours.blocks(ours.snapshot().id)) == list(theirs.blocks(theirs.snapshot().id))
    assert done.blocks == (PAGE,)
    assert not done.waiting
    assert done.state == PageState(PAGE, 1, (), (banned,), ())


def test_pins_stand_in_their_order(site: Workspace, desk: Desk) -> None:
    """A new one behind the others, or at its rank; `order` names all of them."""
    one, two, three = stored(site)[2:5]
    desk.act("Ada", "pin", PAGE, one)
    desk.act("Ada", "pin", PAGE, two)
    desk.act("Ben", "pin", PAGE, three, rank=2)
    assert stored(site)[:3] == [one, three, two]
    desk.act("Ben", "pin", PAGE, two, rank=1)
    assert stored(site)[:3] == [two, one, three]
    state = desk.act("Cy", "order", PAGE, targets=[three, far(site)]).state
    assert stored(site)[:2] == list(state.pins) == [three, state.pins[1]]
    desk.act("Cy", "order", PAGE, targets=[])
    assert desk.state(PAGE).pins == ()


def test_a_pin_lifts_a_ban_and_a_ban_a_pin(site: Workspace, desk: Desk) -> None:
    """Of the same article; the act says so."""
    item = stored(site)[0]
    desk.act("Ada", "ban", PAGE, item)
    pinned = desk.act("Ben", "pin", PAGE, item).act
    assert (pinned.before["bans"], pinned.after["bans"], pinned.after["pins"]) == ([item], [], [item])
    banned = desk.act("Ben", "ban", PAGE, item).act
    assert (banned.after["pins"], banned.after["bans"]) == ([], [item])
    desk.act("Ben", "accept", PAGE, item)
    assert desk.state(PAGE) == PageState(PAGE, 4, (), (), (item,))


def test_acts_survive_builds_ingests_and_going_back(site: Workspace, desk: Desk) -> None:
    """`build`, `build --full`, the same articles, a snapshot of before: bans are out, pins first."""
    banned, pinned = stored(site)[0], far(site)
    desk.act("Ada", "ban", PAGE, banned)
    desk.act("Ada", "pin", PAGE, pinned)
    wanted = stored(site)
    assert wanted[0] == pinned
    assert banned not in wanted
    for again in (
        lambda: build(site),
        lambda: build(site, full=True),
        lambda: ingest(site, [site.path / "articles.jsonl"]),
        lambda: rollback(site),
        lambda: rollback(site),
        lambda: build(site),
    ):
        again()
        assert seen(site) == wanted
    with Pipeline(site):
        assert stored(site) == wanted


def test_a_snapshot_of_before_shows_acts_at_once(site: Workspace) -> None:
    """Gone back to, before anything brings its blocks up to date."""
    build(site, full=True)
    banned, pinned = stored(site)[0], far(site)
    act_once(site, lambda desk: desk.act("Ada", "ban", PAGE, banned))
    act_once(site, lambda desk: desk.act("Ada", "pin", PAGE, pinned))
    rollback(site)
    assert stored(site)[0] == banned
    assert seen(site)[0] == pinned
    assert banned not in seen(site)


def test_a_pin_waits_for_its_article(site: Workspace, desk: Desk) -> None:
    """Withdrawn, it is in no block; it stands first again when it is back."""
    assert desk.pipeline is not None
    pinned = far(site)
    desk.act("Ada", "pin", PAGE, pinned)
    with site.store() as store:
        article = store.article(pinned)
    assert article is not None
    desk.pipeline.withdraw(pinned)
    assert pinned not in stored(site)
    assert desk.state(PAGE).pins == (pinned,)
    desk.pipeline.publish(article)
    assert stored(site)[0] == pinned


@pytest.mark.parametrize("how", ["stored alone", "built"])
def test_without_a_pipeline_an_act_shows_at_once_and_waits_for_a_build(site: Workspace, how: str) -> None:
    """Readers see the same before the build takes it over, and after."""
    banned, pinned, other = *stored(site)[:2], far(site)
    desk = Desk(site, None, lambda: NOW)
    assert desk.act("Ada", "ban", PAGE, banned).waiting
    desk.act("Ada", "pin", PAGE, other)
    done = desk.act("Ada", "pin", PAGE, pinned)
    assert done.blocks == ()
    if how == "built":
        assert any("wait" in line for line in status(site).problems)
        build(site)
        assert stored(site)[:2] == [other, pinned]
    else:
        assert stored(site)[0] == banned
    assert seen(site)[:2] == [other, pinned]
    assert banned not in seen(site)
    assert len(seen(site)) == 5
    assert [item.id for item in similar(site, PAGE).block.items] == seen(site)


def test_what_readers_see_before_a_build_is_what_it_makes(town: Callable[..., Workspace]) -> None:
    """Any pins and bans on a page, as long as its spares fill the block."""
    workspace = town()
    with workspace.store() as store:
        ids = [a.id for a in store.articles() if a.id != PAGE]

    @settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
    @given(
        st.lists(st.sampled_from(ids), unique=True, max_size=3), st.lists(st.sampled_from(ids), unique=True, max_size=4)
    )
    def check(pins: list[str], bans: list[str]) -> None:
        desk = Desk(workspace, None, lambda: NOW)
        desk.act("Ada", "order", PAGE, targets=pins)
        for id_ in bans:
            desk.act("Ada", "ban", PAGE, id_)
        before = seen(workspace)
        build(workspace)
        assert stored(workspace) == before == seen(workspace)
        desk.act("Ada", "order", PAGE)
        for id_ in bans:
            desk.act("Ada", "unban", PAGE, id_)
        build(workspace)

    check()


def test_what_is_pinned_no_more_goes_to_its_place(site: Workspace, desk: Desk) -> None:
    """Also where no build has made the block again."""
    before = stored(site)
    desk.act("Ada", "pin", PAGE, before[3])
    assert seen(site)[0] == before[3]
    Desk(site, None).act("Ada", "unpin", PAGE, before[3])
    assert seen(site) == before
    assert stored(site) != before


def test_an_overlay_shows_nothing_that_may_not_be_shown(site: Workspace) -> None:
    """Withdrawn, a copy of the page, the page's draft: pinned all the same, and not there."""
    hidden = far(site)
    desk = Desk(site, None, lambda: NOW)
    desk.act("Ada", "pin", PAGE, hidden)
    assert seen(site)[0] == hidden
    with site.store() as store:
        page, article = store.article(PAGE), store.article(hidden)
    assert page is not None
    assert article is not None
    for other in (replace(article, status="draft"), replace(article, body=page.body, title=page.title)):
        with site.store() as store:
            store.put([Entry(other, "file")], entry_keys)
        assert hidden not in seen(site)


def test_two_editors_do_not_overwrite_each_other(site: Workspace, desk: Desk) -> None:
    """Who acts on a page as it was before is told who changed it, and when; nothing is stored."""
    one, two = stored(site)[:2]
    version = desk.state(PAGE).version
    desk.act("Ada", "pin", PAGE, one, version=version)
    for again in (
        lambda: desk.act("Ben", "ban", PAGE, one, version=version),
        lambda: Desk(site, None).act("Ben", "ban", PAGE, one, version=version),
        lambda: desk.undo("Ben", 1, version=version),
    ):
        with pytest.raises(StaleError, match=r"Ada changed it .pin. on 2025-06-01 at 12:00 UTC"):
            again()
    assert desk.state(PAGE) == PageState(PAGE, 1, (one,))
    desk.act("Ben", "ban", PAGE, two, version=1)
    assert isinstance(StaleError(""), ConflictError)


def test_acts_at_once_from_many_threads_are_all_there(site: Workspace) -> None:
    """Through one pipeline, through another process's, and without any: each act stands, each in the log once."""
    with site.store() as store:
        ids = [a.id for a in store.articles() if a.id != PAGE][:12]
    with Pipeline(site) as one, Pipeline(site) as other:
        desks = [Desk(site, one), Desk(site, other), Desk(site, None)]
        errors: list[Exception] = []

        def acting(number: int) -> None:
            for id_ in ids[number::3]:
                for _ in range(20):
                    try:
                        desks[number].act(f"editor {number}", "ban", PAGE, id_)
                        break
                    except ConflictError as error:
                        last: Exception = error
                else:
                    errors.append(last)

        threads = [threading.Thread(target=acting, args=(number,)) for number in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not errors
        assert set(desks[0].state(PAGE).bans) == set(ids)
        log = desks[0].log(limit=100)
    assert sorted(act.target_id or "" for act in log) == sorted(ids)
    assert [act.after["bans"] for act in log[1:]] == [act.before["bans"] for act in log[:-1]]
    build(site)
    assert not set(ids) & set(stored(site))


def test_an_act_is_undone_on_the_page_as_it_is_now(site: Workspace, desk: Desk) -> None:
    """Other items' acts stay; undoing the undoing does it again."""
    one, two, three = stored(site)[:3]
    before = stored(site)
    desk.act("Ada", "ban", PAGE, one)
    desk.act("Ada", "pin", PAGE, three)
    assert desk.undo("Ben", 1).state == PageState(PAGE, 3, (three,))
    again = desk.undo("Ben", 3)
    assert again.state == PageState(PAGE, 4, (three,), (one,))
    assert again.act.undoes == 3
    assert [(act.id, act.undoes, act.undone_by) for act in desk.log()] == [
        (4, 3, None),
        (3, 1, 4),
        (2, None, None),
        (1, None, 3),
    ]
    desk.undo("Ben", 4)
    desk.undo("Ben", 2)
    assert stored(site) == before
    assert two in stored(site)


def test_undoing_an_order_leaves_what_was_pinned_since(site: Workspace, desk: Desk) -> None:
    """In front of it stand the pins of before, in their order; what the order let go of is back."""
    one, two, three, four = stored(site)[:4]
    desk.act("Ada", "order", PAGE, targets=[one, two])
    desk.act("Ada", "order", PAGE, targets=[three, one])
    desk.act("Ada", "pin", PAGE, four)
    assert desk.undo("Ada", 2).state.pins == (one, two, four)
    desk.act("Ada", "ban", PAGE, two)
    assert desk.undo("Ada", 5).state.pins == (one, two, four)


def test_later_acts_on_the_same_item_stand_in_the_way(site: Workspace, desk: Desk) -> None:
    """They are named; what was undone does not stand in the way, and an act is undone once."""
    item = stored(site)[0]
    desk.act("Ada", "ban", PAGE, item)
    desk.act("Ben", "pin", PAGE, item)
    with pytest.raises(ConflictError, match=r"Ben did act 2 .pin. on the same item later, on 2025-06-01"):
        desk.undo("Ada", 1)
    desk.undo("Ben", 2)
    desk.undo("Ada", 1)
    assert desk.state(PAGE).bans == ()
    with pytest.raises(ConflictError, match="undone already, by act 4: undo that one"):
        desk.undo("Ada", 1)
    with pytest.raises(ConflictError, match="undone already, by act 3"):
        desk.undo("Ada", 2)
    with pytest.raises(NotFoundError, match="no act 99"):
        desk.undo("Ada", 99)


def test_an_act_that_was_done_again_says_what_to_undo(site: Workspace, desk: Desk) -> None:
    """The act that did it again, or that undid it last; whoever does as the messages say gets there."""
    item = stored(site)[0]
    desk.act("Ada", "accept", PAGE, item)
    desk.act("Ada", "ban", PAGE, item)
    desk.undo("Ada", 2)
    desk.undo("Ada", 3)
    with pytest.raises(ConflictError, match="act 2 was undone, and done again by act 4: undo that one"):
        desk.undo("Ada", 2)
    with pytest.raises(ConflictError, match="act 3 was undone already, by act 4: undo that one to have it back"):
        desk.undo("Ada", 3)
    desk.undo("Ada", 4)
    with pytest.raises(ConflictError, match="act 2 was undone already, by act 5: undo that one to have it back"):
        desk.undo("Ada", 2)
    desk.undo("Ada", 1)
    assert desk.state(PAGE) == PageState(PAGE, 6)


def test_the_last_act_can_always_be_undone_and_leaves_the_page_as_it_was(site: Workspace) -> None:
    """Any acts on four items, undone and done again at random: lists and their order, to the item."""
    ids = ["t001", "t002", "t003", "t004"]
    single = st.tuples(st.sampled_from(["pin", "unpin", "ban", "unban", "accept", "unaccept"]), st.sampled_from(ids))
    ordered = st.tuples(st.just("order"), st.permutations(ids).map(lambda found: tuple(found[:3])))
    undone = st.tuples(st.just("undo"), st.integers(1, 9))
    store = site.store()

    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.lists(single | ordered | undone, max_size=10), st.integers(0, 10**9))
    def check(steps: list[tuple[str, object]], page: int) -> None:
        source = "t000"
        for action, what in steps:
            before = store.page_states([source]).get(source, PageRow())
            try:
                if action == "undo":
                    acts = store.acts(source_id=source, limit=9)
                    planned = plan_undo(store, "Ada", acts[int(str(what)) % len(acts)].id if acts else 1, None, NOW)
                else:
                    asked = Acting("Ada", action, source, what if isinstance(what, str) else None)
                    asked = replace(asked, targets=what) if isinstance(what, tuple) else asked
                    planned = plan_act(store, asked, NOW)
            except (UsageError, ConflictError, NotFoundError):
                continue
            store.put_act(planned)
            _holds(store, source)
            back = plan_undo(store, "Ben", planned.id, None, NOW)
            store.put_act(back)
            after = store.page_states([source])[source]
            assert (after.pins, set(after.bans), set(after.accepted)) == (
                before.pins, set(before.bans), set(before.accepted),
            )  # fmt: skip
            redo = plan_undo(store, "Ben", back.id, None, NOW)
            store.put_act(redo)
            now = store.page_states([source])[source]
            assert (now.pins, set(now.bans)) == (planned.after.pins, set(planned.after.bans))

    with store:
        check()


def _holds(store: Store, page: str) -> None:
    """Nothing is wanted and banned at once, nothing twice, and the judgements are what stands."""
    row = store.page_states([page])[page]
    assert not {*row.pins, *row.accepted} & {*row.bans}
    assert all(len(set(ids)) == len(ids) for ids in (row.pins, row.bans, row.accepted))
    said = {
        (said.origin, said.target_id, said.rank if said.origin == "pin" else 0) for said in store.judgements("editors")
    }
    assert said == {
        *(("pin", id_, rank) for rank, id_ in enumerate(row.pins, start=1)),
        *(("ban", id_, 0) for id_ in row.bans),
        *(("accept", id_, 0) for id_ in row.accepted),
    }


@pytest.mark.parametrize(
    ("asked", "error", "words"),
    [
        (Acting("", "pin", PAGE, "t001"), UsageError, "needs the name"),
        (Acting("x" * 201, "pin", PAGE, "t001"), UsageError, "longer than 200"),
        (Acting("Ada", "burn", PAGE, "t001"), UsageError, "no action 'burn'"),
        (Acting("Ada", "pin", PAGE, PAGE), UsageError, "under itself"),
        (Acting("Ada", "pin", PAGE), UsageError, "pin needs one target"),
        (Acting("Ada", "pin", PAGE, "t001", ("t002",)), UsageError, "pin needs one target"),
        (Acting("Ada", "order", PAGE, "t001"), UsageError, "all targets"),
        (Acting("Ada", "order", PAGE, targets=("t001", "t001")), UsageError, "twice"),
        (Acting("Ada", "order", PAGE, targets=("t001", PAGE)), UsageError, "under itself"),
        (Acting("Ada", "pin", PAGE, "t001", rank=0), UsageError, "at least 1"),
        (Acting("Ada", "ban", PAGE, "t001", rank=1), UsageError, "for pin"),
        (Acting("Ada", "ban", PAGE, "t001", note="n" * 2001), UsageError, "note is longer"),
        (Acting("Ada", "pin", PAGE, "nobody"), NotFoundError, "no article 'nobody'"),
        (Acting("Ada", "pin", "nobody", "t001"), NotFoundError, "no article 'nobody'"),
        (Acting("Ada", "unpin", PAGE, "t001"), UsageError, "is not pinned under 't000'"),
        (Acting("Ada", "unban", PAGE, "t001"), UsageError, "is not banned"),
        (Acting("Ada", "pin", PAGE, "t001", version=7), StaleError, "nobody has changed it yet"),
    ],
)
def test_what_cannot_be_done_is_said_and_leaves_nothing(
    site: Workspace, asked: Acting, error: type[Exception], words: str
) -> None:
    """One line, that says what to do."""
    with site.store() as store:
        with pytest.raises(error, match=words):
            plan_act(store, asked, NOW)
        assert store.acts() == []
        assert store.page_states() == {}


def test_more_pins_than_a_block_can_have_are_refused(town: Callable[..., Workspace]) -> None:
    """A hundred is the most."""
    with town(articles=110).store() as store:
        ids = tuple(a.id for a in store.articles() if a.id != PAGE)
        with pytest.raises(UsageError, match="100 are the most"):
            plan_act(store, Acting("Ada", "order", PAGE, targets=ids), NOW)


def test_an_act_that_cannot_be_stored_leaves_nothing(
    site: Workspace, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither in the log, nor on the page, nor in its block; the next one works."""
    item, before = stored(site)[0], stored(site)
    with monkeypatch.context() as patched:
        patched.setattr("simrec.store.acts._judge", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            desk.act("Ada", "ban", PAGE, item)
    assert stored(site) == before
    assert desk.log() == []
    assert desk.act("Ada", "ban", PAGE, item).state.bans == (item,)
    assert item not in stored(site)


def test_the_log_is_paged_and_exported(site: Workspace) -> None:
    """The newest first, by page, by editor, before a number; lines of JSON and a table that no spreadsheet runs."""
    desk = Desk(site, None, lambda: NOW)
    for who, page, item in (("Ada", PAGE, "t001"), ("=cmd()", "t001", PAGE), ("Ada", PAGE, "t002")):
        desk.act(who, "pin", page, item, note="a\n“note”")
    assert [act.id for act in desk.log()] == [3, 2, 1]
    assert [act.id for act in desk.log(source_id=PAGE, before=3)] == [1]
    assert [act.id for act in desk.log(who="Ada", limit=1)] == [3]
    lines = [json.loads(line) for line in export(desk.log(), "jsonl").splitlines()]
    assert [line["id"] for line in lines] == [3, 2, 1]
    assert lines[0]["at"] == NOW.isoformat()
    rows = list(csv.DictReader(io.StringIO(export(desk.log(), "csv"))))
    assert rows[1]["who"] == "'=cmd()"
    assert json.loads(rows[0]["after"])["pins"] == ["t001", "t002"]
    assert rows[0]["note"] == "a\n“note”"


def test_the_settings_pins_and_bans_hold_beside_the_editors(town: Callable[..., Workspace]) -> None:
    """A ban of the settings wins over an editor's pin; where editors order what the settings pin, they are followed."""
    plain = stored(town())
    one, two, three = plain[2:5]
    site = town(
        f'[policy]\npinned = {{{PAGE} = ["{one}", "{two}"]}}\nbanned = {{{PAGE} = ["{plain[0]}"]}}\n', name="policy"
    )
    with Pipeline(site, lambda: NOW) as pipeline:
        desk = Desk(site, pipeline, lambda: NOW)
        desk.act("Ada", "pin", PAGE, three)
        assert stored(site)[:3] == [one, two, three]
        desk.act("Ada", "order", PAGE, targets=[three, two])
        assert stored(site)[:3] == [one, three, two]
        desk.act("Ada", "pin", PAGE, plain[0])
        assert plain[0] not in stored(site)
        desk.act("Ada", "ban", PAGE, one)
        assert one not in stored(site)
        with pytest.raises(UsageError, match=r"see also simrec.toml"):
            desk.act("Ada", "unban", PAGE, "t020")
    wanted = stored(site)
    build(site, full=True)
    assert stored(site) == wanted == seen(site)


def test_fallbacks_keep_to_bans(town: Callable[..., Workspace]) -> None:
    """What is banned does not come back as the newest."""
    site = town('[policy]\nmin_score = 50\nfallback = ["recent"]\n')
    first = seen(site)[0]
    act_once(site, lambda desk: desk.act("Ada", "ban", PAGE, first))
    assert first not in seen(site)
    assert len(seen(site)) == 5


def test_picks_of_what_is_banned_are_refused(site: Workspace, desk: Desk) -> None:
    """The ban is to be lifted first."""
    assert desk.pipeline is not None
    desk.act("Ada", "ban", PAGE, "t001")
    with pytest.raises(UsageError, match="lift the ban"):
        desk.pipeline.pick(PAGE, "t001")
    desk.undo("Ada", 1)
    desk.pipeline.pick(PAGE, "t001")


def test_acts_by_command(site: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    """Pinned, banned, listed, undone, exported; a mistake is one line."""
    where, item = ["-w", str(site.path)], stored(site)[0]
    assert main(["ban", PAGE, item, *where, "--who", "Ada", "--note", "old news"]) == 0
    assert "banned, act 1; 1 blocks made again" in capsys.readouterr().out
    assert item not in stored(site)
    assert main(["pin", PAGE, item, *where, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["state"]["pins"] == [item]
    assert main(["acts", *where]) == 0
    assert f'Ada: ban {item} under {PAGE} ("old news")' in capsys.readouterr().out
    assert main(["acts", *where, "--undo", "1"]) == 1
    assert capsys.readouterr().err.count("\n") == 1
    assert main(["acts", *where, "--undo", "2"]) == 0
    assert main(["acts", *where, "--export", str(site.path / "acts.jsonl")]) == 0
    assert len((site.path / "acts.jsonl").read_text().splitlines()) == 3
    assert main(["acts", *where, "--export", "acts.txt"]) == 2
    with site.store() as store:
        store.open_trial(Comparison("t", NOW, "Ada", PAGE, "one", "two", (item,), ("t001",), "a", "random"))
        judge(store, "Ada", "t", "right", ["t001"], [item], now=NOW)
    assert main(["acts", *where]) == 0
    assert f"Ada: judge two over one; good t001; bad {item} under {PAGE}\n" in capsys.readouterr().out
    assert main(["acts", *where, "--undo", "4"]) == 0
    assert main(["acts", *where, "--export", str(site.path / "acts.csv")]) == 0
    *_, said, undone = csv.DictReader((site.path / "acts.csv").read_text().splitlines())
    assert (said["undone_by"], undone["action"], undone["undoes"]) == ("5", "undo", "4")
    assert json.loads(said["said"])["preferred"] == "two"
    assert main(["unban", PAGE, item, *where]) == 0
    assert main(["unpin", PAGE, item, *where]) == 2
    assert main(["acts", *where, "--limit", "0"]) == 2


def test_a_command_acts_where_nothing_can_be_published(town: Callable[..., Workspace]) -> None:
    """What was fitted is gone: the act is stored, shown at once, and waits."""
    site = town()
    shutil.rmtree(site.path / "vectors")
    item = stored(site)[0]
    assert act_once(site, lambda desk: desk.act("Ada", "ban", PAGE, item)).waiting
    assert item not in seen(site)


def test_acts_during_a_build_are_in_its_blocks(site: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """What an editor does while a build is at work is taken over at its end."""
    item, write = stored(site)[0], Store.write_snapshot

    def slow(store: Store, *args: object, **values: object) -> object:
        Desk(site, None).act("Ada", "ban", PAGE, item)
        return write(store, *args, **values)  # type: ignore[arg-type]

    monkeypatch.setattr(Store, "write_snapshot", slow)
    build(site, full=True)
    assert item not in stored(site)


def test_a_newer_act_has_a_higher_number(site: Workspace) -> None:
    """Also where the clock went back; that is what versions stand on."""
    acts: list[Act] = []
    for hours in (2, 1):
        acts.append(
            Desk(site, None, lambda hours=hours: NOW + timedelta(hours=hours)).act("Ada", "pin", PAGE, "t001").act
        )  # type: ignore[misc]
    assert [act.id for act in acts] == [1, 2]
    assert isinstance(acts[0], Act)
    assert NewAct(NOW, "Ada", "pin", PAGE, None, PageRow(3), PageRow()).version == 3


@pytest.mark.parametrize("what", ["accept", "ban", "ban and lift the ban"])
def test_where_picks_are_pinned_acts_leave_what_a_build_makes(town: Callable[..., Workspace], what: str) -> None:
    """Accepting changes no block; a picked item that is banned goes, and stands first again when the ban is lifted."""
    workspace = town("[policy]\npin_picks = true\n")
    with Pipeline(workspace, lambda: NOW) as pipeline:
        picked = far(workspace)
        pipeline.pick(PAGE, picked)
        before, desk = stored(workspace), Desk(workspace, pipeline, lambda: NOW)
        assert before[0] == picked
        if what == "accept":
            desk.act("Ada", "accept", PAGE, far(workspace))
        else:
            desk.act("Ada", "ban", PAGE, picked)
        if what == "ban and lift the ban":
            desk.act("Ada", "unban", PAGE, picked)
    live, readers = stored(workspace), seen(workspace)
    assert live == readers
    assert (live == before) == (what != "ban")
    assert not status(workspace, NOW).waiting
    build(workspace, full=True)
    assert stored(workspace) == live


def test_a_block_that_was_made_with_a_pin_stays_as_it_is(site: Workspace) -> None:
    """Also where it has what is like the pinned article, which whoever made it did not take for a copy."""
    Desk(site, None, lambda: NOW).act("Ada", "pin", PAGE, "t001")
    with site.store() as store:
        like = replace(store.articles()[1], id="like", body=f"{store.articles()[1].body} Once more.")
        store.put([Entry(like, "x")], entry_keys)
        viewer = Viewer.open(store, site.settings, 5)
        items = (StoredItem("t001", 1.0, {"pinned": True}), StoredItem("like", 0.9), StoredItem("t002", 0.5))
        made, plain = StoredBlock(PAGE, items, None), StoredBlock(PAGE, items[1:], None)
        assert [item.id for item in viewer.view(made).items] == ["t001", "like", "t002"]
        assert [item.id for item in viewer.view(plain).items] == ["t001", "t002"]
