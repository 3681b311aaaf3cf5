"""A page as an editor sees it: its block, its candidates, why, and what each model would give."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from simrec.errors import NotFoundError
from simrec.pipeline.acts import Desk
from simrec.pipeline.build import build
from simrec.pipeline.chooser import Chooser
from simrec.pipeline.look import Looks, PageLook
from simrec.pipeline.look_site import SiteRanker
from simrec.pipeline.publish import Pipeline
from simrec.pipeline.site import Site
from simrec.pipeline.workspace import Workspace
from simrec.types import Article, Corpus, Entry

NEW = Article("new", "Harbor bridge anchor", "The bridge anchor cracked. Engineers closed the harbor.", lang="en")


def by_id(look: PageLook) -> dict[str, object]:
    """Candidates by id."""
    return {one.id: one for one in look.candidates}


def test_a_look_has_the_block_first_and_then_the_best(site: Workspace) -> None:
    """Items stand first, as served; the others follow by score; each says why and has a rank by every model."""
    looks = Looks(site)
    with site.store() as store:
        snapshot = store.snapshot()
        stored = next(iter(store.blocks(snapshot.id)))
    look = looks.page(stored.source_id)
    served = [item.id for item in stored.items][: snapshot.k]
    assert [one.id for one in look.candidates[: snapshot.k]] == served == list(look.served)
    assert [one.score for one in look.candidates[: snapshot.k]] == [item.score for item in stored.items][: snapshot.k]
    free = [one for one in look.candidates if one.state == "candidate"]
    assert len(free) >= 25
    assert [one.score for one in free] == sorted((one.score for one in free), reverse=True)
    assert all(one.reasons for one in look.candidates)
    assert set(look.models) == {"tfidf", "sentence", "hybrid"}
    assert not look.missing
    assert look.candidates[0].by_model.keys() == look.models.keys()
    assert [one.place for one in look.candidates][: snapshot.k + 1] == [*range(1, snapshot.k + 1), None]


def test_models_give_what_they_would_build(site: Workspace) -> None:
    """The blocks of each model are those that it makes by itself of the same site."""
    looks = Looks(site, models=("tfidf", "sentence", "fusion", "hybrid"))
    with site.store() as store:
        corpus = Corpus(store.articles())
    alone = Site(corpus, site.settings, site.vectors)
    rows = np.arange(0, len(corpus), 7, dtype=np.int32)
    for model in looks.models:
        blocks = {
            b.source_id: [i.id for i in b.items] for b in Chooser(alone, model).blocks(rows, site.settings.block.k)
        }
        assert {id_: looks.blocks(model, id_) for id_ in blocks} == blocks
        assert {id_: list(looks.page(id_).models[model]) for id_ in list(blocks)[:3]} == dict(list(blocks.items())[:3])


def test_what_must_not_be_shown_says_why(town: Callable[..., Workspace]) -> None:
    """Drafts, copies, other languages and what is banned are named with their reason, and are in no model's block."""
    workspace = town('[policy]\nbanned = {t000 = ["t004"]}\ntarget = {exclude_sections = ["Ads"]}')
    with Pipeline(workspace) as pipeline, pipeline._store as store:
        page = store.article("t000")
        assert page is not None
        pipeline.publish(replace(page, id="copy"), replace(page, id="swede", body=page.body + " bro", lang="sv"))
        pipeline.publish(replace(page, id="ad", body=page.body[:-30] + " ferry", section="Ads"))
        pipeline.unpublish("t008")
        look = Looks(workspace, pipeline).page("t000", most=40)
    found = by_id(look)
    assert {id_: found[id_].barred for id_ in ("copy", "swede", "t004", "t008", "ad")} == {
        "copy": "a copy of the page",
        "swede": "other language: sv",
        "t004": "banned by the settings",
        "t008": "draft",
        "ad": "section 'ads' is excluded",
    }
    assert found["t004"].state == "banned"
    assert found["t008"].state == "barred"
    assert not {"copy", "swede", "t004", "t008", "ad"} & {id_ for ids in look.models.values() for id_ in ids}


def test_a_look_follows_what_is_published(town: Callable[..., Workspace]) -> None:
    """Articles that another process publishes, changes or takes back are in the next look."""
    workspace = town()
    looks = Looks(workspace, models=("tfidf",))
    looks.page("t000")
    with Pipeline(workspace) as pipeline:
        pipeline.publish(NEW)
        assert looks.page("new").title == NEW.title
        first = looks.page("new").candidates[0].id
        assert by_id(looks.page(first))["new"].state in ("shown", "candidate")
        pipeline.withdraw("new")
        assert by_id(looks.page(first)).get("new") is None or by_id(looks.page(first))["new"].barred == "withdrawn"
    own, other = Looks(workspace, models=("tfidf",)), looks
    assert own.page("t001") == other.page("t001")


def test_looks_of_a_writer_are_those_of_a_reader(town: Callable[..., Workspace]) -> None:
    """Whether the site is a pipeline's or its own, a page looks the same; and looking changes no later block."""
    workspace = town()
    with Pipeline(workspace) as pipeline:
        pipeline.publish(NEW)
        assert Looks(workspace, pipeline).page("new") == Looks(workspace).page("new")
        pipeline.publish(replace(NEW, id="new2", body=NEW.body + " Lorries wait."))
    with workspace.store() as store:
        kept = list(store.blocks(1))
    plain = town(name="plain")
    with Pipeline(plain) as pipeline:
        pipeline.publish(NEW)
        pipeline.publish(replace(NEW, id="new2", body=NEW.body + " Lorries wait."))
    with plain.store() as store:
        assert list(store.blocks(1)) == kept


def test_another_snapshot_is_looked_at_once_it_is_active(town: Callable[..., Workspace]) -> None:
    """A look is of the snapshot that is shown, whichever was shown at the last look."""
    workspace = town()
    looks = Looks(workspace, models=())
    assert looks.page("t000").snapshot == 1
    build(workspace, full=True)
    assert looks.page("t000").snapshot == 2


def test_where_nothing_is_fitted_pages_are_ranked_for_the_moment(town: Callable[..., Workspace]) -> None:
    """Without what was fitted a look has the stored block, its model's ranking, and says which models are missing."""
    workspace = town()
    whole = Looks(workspace, models=("tfidf",)).page("t000")
    (workspace.path / "vectors" / "site" / "site.json").unlink()
    look = Looks(workspace, models=("tfidf", "nonsense")).page("t000")
    assert look.served == whole.served
    assert look.models == whole.models
    assert [one.id for one in look.candidates[:10]] == [one.id for one in whole.candidates[:10]]
    assert look.missing.keys() == {"nonsense"}
    learned = Looks(workspace, models=("learned",)).page("t000").missing["learned"]
    assert "run `simrec train`" in learned or "needs editors' picks" in learned
    assert str(workspace.path) not in learned


def test_a_model_that_was_not_fitted_keeps_to_bans_and_has_no_pins(town: Callable[..., Workspace]) -> None:
    """As one that was fitted, so that neither is at a disadvantage where two are compared; also after another ban."""
    workspace = town('[policy]\npinned = {t000 = ["t001", "t002"]}\nbanned = {t000 = ["t012"]}\n')
    desk, ranker = Desk(workspace, None), SiteRanker(workspace)
    for _ in range(2):
        with Looks(workspace, models=("tfidf",)) as looks:
            fitted = looks.blocks("tfidf", "t000")
            assert ranker.block("tfidf", "t000", 5, datetime.now(UTC)) == fitted
        assert not {"t001", "t002", "t012"} & {*fitted}
        desk.act("Ada", "ban", "t000", fitted[1])
        build(workspace)
    ranker.close()


def test_a_site_that_has_changed_takes_the_place_of_the_last_one(town: Callable[..., Workspace]) -> None:
    """Its sentence model is taken over, not loaded again, and nothing else of it is held."""
    workspace = town()
    ranker, now = SiteRanker(workspace), datetime.now(UTC)
    ranker.block("sentence", "t000", 5, now)
    last = ranker._site
    assert last is not None
    model, gone = last.embedder, weakref.ref(last)
    del last
    with Pipeline(workspace) as pipeline:
        pipeline.publish(NEW)
    assert len(ranker.block("sentence", "new", 5, now)) == 5
    assert ranker._site is not None
    assert ranker._site.embedder is model
    assert gone() is None
    ranker.close()


@pytest.mark.parametrize("fitted", [True, False])
def test_a_large_site_is_not_read_whole_for_models_that_it_was_not_fitted_for(
    town: Callable[..., Workspace], toy_model: Path, monkeypatch: pytest.MonkeyPatch, fitted: bool
) -> None:
    """Such models are said to be missing, and why; who is shown is read one by one."""
    workspace = town(f'[sentence]\nmodel = "{toy_model}"\n')
    if not fitted:
        (workspace.path / "vectors" / "site" / "site.json").unlink()
    with Looks(workspace, models=("tfidf", "static")) as looks:
        if fitted:
            looks.page("t000")  # the site that was fitted is read
        monkeypatch.setattr("simrec.pipeline.look_site.LARGEST", 10)
        monkeypatch.setattr("simrec.store.Store.articles", lambda *_: pytest.fail("all articles are read"))
        look = looks.page("t001")
        assert look.title
        assert len(look.served) == 5
        assert look.missing.keys() == ({"static"} if fitted else {"tfidf", "static"})
        assert "more than 10 articles" in look.missing["static"]
        assert [one.id for one in look.candidates][:5] == list(look.served)
        with pytest.raises(NotFoundError, match="no article 'nope'"):
            looks.page("nope")


def test_an_article_that_waits_for_a_build_can_be_looked_at(town: Callable[..., Workspace]) -> None:
    """What an ingest has stored since the last build has candidates, though no block yet."""
    workspace = town()
    looks = Looks(workspace, models=())
    looks.page("t000")
    with workspace.store() as store:
        store.put([Entry(NEW, "x")], lambda entry: ())
    look = looks.page("new")
    assert look.served == ()
    assert len(look.models["tfidf"]) == 5


def test_an_article_that_is_not_there_is_not_found(town: Callable[..., Workspace]) -> None:
    """An unknown id is said to be unknown, by both ways."""
    workspace = town()
    with pytest.raises(NotFoundError, match="no article 'nope'"):
        Looks(workspace).page("nope")
    (workspace.path / "vectors" / "site" / "site.json").unlink()
    with pytest.raises(NotFoundError, match="no article 'nope'"):
        Looks(workspace).page("nope")


def test_several_threads_look_at_once(town: Callable[..., Workspace]) -> None:
    """Looks by several threads are those of one."""
    looks, found, errors = Looks(town(), models=("tfidf",)), dict[str, PageLook](), list[BaseException]()
    ids = [f"t{number:03}" for number in range(40)]

    def ask(some: list[str]) -> None:
        try:
            for id_ in some:
                found[id_] = looks.page(id_)
        except BaseException as error:  # told to the test, which is another thread
            errors.append(error)

    threads = [threading.Thread(target=ask, args=(ids[at::4],)) for at in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert found == {id_: looks.page(id_) for id_ in ids}
