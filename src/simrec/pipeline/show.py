"""The block of one article, out of the store or ranked for the moment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np

from simrec.errors import NotFoundError
from simrec.pipeline import why
from simrec.pipeline.build import Chooser, check_k
from simrec.pipeline.models import use_learned
from simrec.pipeline.placed import hand_placed
from simrec.pipeline.site import Site
from simrec.pipeline.viewer import Viewer
from simrec.pipeline.workspace import Workspace
from simrec.types import Block, Corpus, Pick, Progress, no_progress


@dataclass(frozen=True)
class Shown:
    """A block with where it came from: `similar --json`."""

    block: Block
    model: str
    snapshot: int


def similar(
    workspace: Workspace,
    article_id: str,
    *,
    k: int | None = None,
    explain: bool = False,
    exclude: Sequence[str] = (),
    now: datetime | None = None,
    progress: Progress = no_progress,
) -> Shown:
    """The block of one article: from the active snapshot, or ranked now where the snapshot holds too few.

    Args:
        workspace: the site.
        article_id: of the page; one that may not be shown itself has a block here all the same, for its editor.
        k: items; None: as many as were built.
        explain: say in each item's reasons, as "because", what moved it up, for models that learned.
        exclude: ids that must not stand in it, since they stand elsewhere on the page.
        now: the moment that decides who may be shown; None for this one.
        progress: shows long work.

    Raises:
        NotFoundError: there is no such article.
        StoreError: there is no snapshot yet, or the store cannot be read.
    """
    settings = workspace.settings
    with workspace.store() as store:
        snapshot = store.snapshot()
        corpus = Corpus(store.articles())
        if article_id not in corpus.row_of:
            raise NotFoundError(f"there is no article {article_id!r}{_like(article_id, corpus.ids)}")
        k = snapshot.k if k is None else k
        check_k(k)
        stored = next(iter(store.blocks(snapshot.id, [article_id])), None)
        picks, own_picks, pages = store.picks(), store.own_picks(), store.page_states()
    viewer = Viewer(corpus, settings, k, now=now, picks=picks, pages=pages, own_picks=own_picks)
    block = viewer.view(stored, exclude) if stored else None
    site: Site | None = None
    if block is None or stored is None or (_similar(block) < k and not (k == snapshot.k and stored.shortfall)):
        site = open_site(workspace, corpus, snapshot.model, picks, progress)
        rows = np.array([corpus.row_of[article_id]], dtype=np.int32)
        placed = hand_placed(settings.policy, pages, own_picks if settings.policy.pin_picks else ())
        chooser = Chooser(site, snapshot.model, placed=placed, now=viewer.now, hub_limit=False)
        block = viewer.view(next(chooser.blocks(rows, k, spares=len(set(exclude)))), exclude)
    if explain and block.items and snapshot.model in why.MODELS:
        site = site or open_site(workspace, corpus, snapshot.model, picks, progress)
        block = _explained(site, snapshot.model, block, viewer.now)
    return Shown(block, snapshot.model, snapshot.id)


def _similar(block: Block) -> int:
    """How many items no fallback brought."""
    return sum("fallback" not in item.reasons for item in block.items)


def _explained(site: Site, model: str, block: Block, now: datetime) -> Block:
    row_of = site.corpus.row_of
    reasons = why.because(site, model, row_of[block.source_id], [row_of[item.id] for item in block.items], now)
    if reasons is None:
        return block
    items = (
        replace(item, reasons={**item.reasons, "because": because})
        for item, because in zip(block.items, reasons, strict=True)
    )
    return replace(block, items=tuple(items))


def open_site(
    workspace: Workspace, corpus: Corpus, model: str, picks: Sequence[Pick], progress: Progress = no_progress
) -> Site:
    """The workspace's site, ready to rank with the model of a snapshot."""
    site = Site(corpus, workspace.settings, workspace.vectors, progress)
    if model == "learned":
        use_learned(site, picks, workspace.learned, progress=progress)
    return site


def _like(wanted: str, ids: Sequence[str]) -> str:
    from difflib import get_close_matches

    close = get_close_matches(wanted, ids, n=3, cutoff=0.5)
    return (
        f"; did you mean {', '.join(map(repr, close))}?" if close else ": see the ids in articles, or ingest it first"
    )
