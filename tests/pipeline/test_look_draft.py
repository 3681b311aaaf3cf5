"""A text is ranked as publishing it would place its block, and nothing of it stays."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from simrec.errors import InputError
from simrec.pipeline.draft import rank_draft
from simrec.pipeline.live.engine import Engine
from simrec.pipeline.live.shelf import SPARSE
from simrec.pipeline.publish import Pipeline
from simrec.pipeline.viewer import Viewer
from simrec.pipeline.workspace import Workspace
from simrec.types import Article

NEW = Article(
    "draft-1",
    "Anchor of the harbor bridge cracks qwertzu",
    "The bridge anchor cracked. Engineers closed the harbor to lorries and ferries. Zyxwvut crew repair it.",
    lang="en",
)


def shown(workspace: Workspace, id_: str) -> list[tuple[str, float]]:
    """What readers see under a page, with scores."""
    with workspace.store() as store:
        snapshot = store.snapshot()
        block = next(iter(store.blocks(snapshot.id, [id_])))
        view = Viewer.open(store, workspace.settings, snapshot.k).view(block)
    return [(item.id, item.score) for item in view.items]


def state(engine: Engine) -> dict[str, Any]:
    """All that an engine holds, as values that can be compared."""
    fitted, found = engine.fitted, dict[str, Any]()
    for name in engine.shelf.names:
        column = engine.shelf[name]
        arrays = column[:3] if name in SPARSE else column if isinstance(column, tuple) else (column,)
        found[name] = [np.asarray(array).tobytes() for array in arrays]
        found[f"{name} width"] = column.shape[1] if name in SPARSE else 0
    found["columns"] = [column.array.tobytes() for column in engine.columns.values()]
    found["copies"] = (engine.copies.numbers.tobytes(), sorted(engine.copies.pairs()), len(engine.copies._texts))
    found["who"] = (dict(engine.row_of), dict(engine.articles), dict(engine.far), list(engine.sorted_ids))
    lexicon = fitted.lexicon
    found["lexicon"] = (
        list(lexicon.forms), list(lexicon.codes), list(lexicon._several),
        {code: dict(numbers) for code, numbers in lexicon._numbers.items() if numbers},
    )  # fmt: skip
    found["stems"] = list(lexicon.stemming().stems)
    found["pieces"] = {code: dict(pieces) for code, pieces in lexicon._pieces.items() if pieces}
    found["codes"] = [one.as_json() for one in (fitted.languages, fitted.vectorizers.authors)]
    return found


def test_a_draft_has_the_block_that_publishing_gives(site: Workspace) -> None:
    """Items and scores are those that readers see once the same text is published, with a model of all parts."""
    with Pipeline(site) as pipeline:
        first = pipeline._article(next(iter(pipeline._live().engine.row_of)))
        article = replace(NEW, section=first.section, tags=("Qqq", *first.tags), authors=("Nobody Yet",),
                          published_at=first.published_at)  # fmt: skip
        rank_draft(pipeline, NEW)
        before = state(pipeline._live().engine)
        found = [(item.id, item.score) for item in rank_draft(pipeline, article)]
        after = state(pipeline._live().engine)
        assert [name for name, value in before.items() if after[name] != value] == []
        pipeline.publish(article)
    assert found == shown(site, NEW.id)
    assert len(found) == site.settings.block.k


def test_a_draft_of_a_stored_article_is_ranked_as_its_new_version(town: Callable[..., Workspace]) -> None:
    """The version that is stored is no candidate, and the block is that of the changed text."""
    workspace = town()
    article = replace(NEW, id="t003")
    with Pipeline(workspace) as pipeline:
        found = [(item.id, item.score) for item in rank_draft(pipeline, article)]
        pipeline.publish(article)
    assert found == shown(workspace, "t003")
    assert "t003" not in [id_ for id_, _ in found]


def test_a_draft_that_is_no_change_has_the_block_that_is_there(town: Callable[..., Workspace]) -> None:
    """The article as it is stored is given the block that it has."""
    workspace = town()
    with Pipeline(workspace) as pipeline:
        found = [(item.id, item.score) for item in rank_draft(pipeline, pipeline._article("t003"))]
    assert found == shown(workspace, "t003")


@pytest.mark.parametrize("id_", ["draft-1", "t003", "t005"])
def test_nothing_stays_of_a_draft(town: Callable[..., Workspace], id_: str) -> None:
    """The engine holds afterwards what it held before, to the byte, and the store is not written to."""
    workspace = town('[policy]\nsame_language = true\ncopies = "newest"')
    with Pipeline(workspace) as pipeline, workspace.store() as store:
        copy_of = pipeline._article("t004")
        article = replace(NEW, id=id_, title=copy_of.title, body=copy_of.body, canonical_id="t006", lang="sv")
        rank_draft(pipeline, NEW)
        before, snapshot = state(pipeline._live().engine), store.snapshot()
        assert rank_draft(pipeline, article) is not None
        after = state(pipeline._live().engine)
        assert [name for name, value in before.items() if after[name] != value] == []
        assert store.snapshot() == snapshot
        assert store.article("draft-1") is None


def test_what_is_published_after_drafts_is_what_it_would_be_without(town: Callable[..., Workspace]) -> None:
    """Drafts between articles change no block that is published later."""
    blocks = []
    for drafts in (0, 3):
        workspace = town(name=f"town{drafts}")
        with Pipeline(workspace) as pipeline:
            for number in range(3):
                for draft in range(drafts):
                    rank_draft(pipeline, replace(NEW, id=f"draft-{draft}", body=NEW.body + f" word{number}{draft}"))
                pipeline.publish(replace(NEW, id=f"n{number}", body=f"{NEW.body} other{number} bridge"))
        with workspace.store() as store:
            blocks.append(list(store.blocks(store.snapshot().id)))
    assert blocks[0] == blocks[1]


def test_nothing_stays_of_a_draft_that_fails(town: Callable[..., Workspace], monkeypatch: pytest.MonkeyPatch) -> None:
    """A failure on the way leaves the engine as it was."""
    with Pipeline(town()) as pipeline:
        rank_draft(pipeline, NEW)
        engine = pipeline._live().engine
        before = state(engine)
        monkeypatch.setattr(Engine, "rank", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            rank_draft(pipeline, replace(NEW, id="t001"))
        assert state(engine) == before


def test_a_draft_sees_who_may_be_shown_at_its_moment(town: Callable[..., Workspace]) -> None:
    """An article whose time has come since the site was ranked stands in a draft's block, and the engine waits."""
    workspace, now = town(), datetime.now(UTC)
    soon = now + timedelta(hours=1)
    with Pipeline(workspace, clock=lambda: now) as pipeline:
        body = f"{NEW.body} {' '.join(f'harbor bridge other{n}' for n in range(9))}"
        pipeline.publish(replace(NEW, id="soon", title="A new bridge", body=body, embargo_until=soon))
        assert "soon" not in [item.id for item in rank_draft(pipeline, NEW, clock=lambda: now)]
        before = state(pipeline._live().engine)
        assert "soon" in [item.id for item in rank_draft(pipeline, NEW, clock=lambda: soon + timedelta(minutes=1))]
        assert state(pipeline._live().engine) == before


def test_drafts_and_articles_at_once(town: Callable[..., Workspace]) -> None:
    """Drafts ranked by several threads while articles are published change nothing of them, and all are answered."""
    workspace, answers, errors = town(), list[int](), list[BaseException]()
    alone = town(name="alone")
    with Pipeline(workspace) as pipeline:

        def ask() -> None:
            try:
                answers.extend(len(rank_draft(pipeline, NEW)) for _ in range(5))
            except BaseException as error:  # told to the test, which is another thread
                errors.append(error)

        threads = [threading.Thread(target=ask) for _ in range(3)]
        for thread in threads:
            thread.start()
        for number in range(5):
            pipeline.publish(replace(NEW, id=f"n{number}", body=f"{NEW.body} other{number}"))
        for thread in threads:
            thread.join()
    assert not errors
    assert answers == [5] * 15
    with Pipeline(alone) as pipeline:
        for number in range(5):
            pipeline.publish(replace(NEW, id=f"n{number}", body=f"{NEW.body} other{number}"))
    with workspace.store() as store, alone.store() as other:
        assert list(store.blocks(1)) == list(other.blocks(1))


def test_a_draft_says_why(town: Callable[..., Workspace]) -> None:
    """Asked to explain, each item has reasons in words; without an id a draft is refused."""
    with Pipeline(town()) as pipeline:
        items = rank_draft(pipeline, NEW, 3, explain=True)
        assert len(items) == 3
        assert all(item.reasons["because"] for item in items)
        assert json.dumps([dict(item.reasons) for item in items])
        with pytest.raises(InputError, match="needs an id"):
            rank_draft(pipeline, replace(NEW, id=" "))
