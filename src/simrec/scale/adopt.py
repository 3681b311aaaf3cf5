"""Blocks that were made elsewhere become a snapshot of a workspace: through the gate, as those of a build here."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple

import numpy as np

from simrec.errors import InputError, ModelError, StoreError
from simrec.pipeline import gate
from simrec.pipeline.chooser import article_rules
from simrec.pipeline.ingest import IngestReport, ingest
from simrec.pipeline.live.site import made_with
from simrec.pipeline.locks import working
from simrec.pipeline.placed import Placed, placed_of
from simrec.pipeline.quality import record
from simrec.pipeline.site import describe
from simrec.pipeline.synced import active_snapshot, note_synced
from simrec.pipeline.workspace import Workspace
from simrec.scale.dataset import read_articles, read_hashes
from simrec.scale.ground import Ground
from simrec.scale.output import BLOCKS, read_blocks
from simrec.scale.published import Published
from simrec.store import Inputs, Judge, Snapshot, Store, StoredBlock
from simrec.types import Progress, no_progress

logger = logging.getLogger(__name__)


class Adopted(NamedTuple):
    """What was taken over: the articles' ingest, and the snapshot, whether or not the gate lets it be shown."""

    ingested: IngestReport
    snapshot: Snapshot


@dataclass(frozen=True)
class Made:
    """What blocks were made of.

    Attributes:
        model, k, settings: what made them.
        hashes: of the articles, by id; looked at when all blocks were.
        placed: what stood under pages by hand.
        counts: of the articles, for the gate.
        now: the moment that they were made at.
        noted: names the models, see `Inputs.made_with`.
        fitted: names what the site was fitted with, where the blocks can be kept up to date.
        until: when time will change them next, with `fitted`.
    """

    model: str
    k: int
    settings: Mapping[str, Any]
    hashes: Mapping[str, str]
    placed: Placed
    counts: gate.Counts
    now: datetime
    noted: Mapping[str, Any] = field(default_factory=dict)
    fitted: str | None = None
    until: str | None = None


def adopt(
    workspace: Workspace, blocks: str, articles: str, *, progress: Progress = no_progress, now: datetime | None = None
) -> Adopted:
    """Takes a dataset of blocks, and the articles that they were made of, into a workspace as a snapshot.

    Doing it again adds another snapshot with the same blocks.

    Args:
        workspace: where to.
        blocks: the folder or URL of what a build on a cluster gave out as `blocks`.
        articles: the dataset that it read; or any other source of the same articles.
        progress: shows how far it is.
        now: the moment that decides who may be shown; None for this one.

    Raises:
        InputError: a dataset cannot be read, or the blocks are of other articles.
        StoreError: the store cannot be written; the snapshot before stays.
    """
    dataset, now = Published(blocks, BLOCKS), now or datetime.now(UTC)
    with working(workspace, "adopt"):
        report = ingest(workspace, [articles], progress=progress)
        with workspace.store() as store:
            known, hashes = store.article_hashes(), dict[str, str]()

            def found() -> Iterator[StoredBlock]:
                with progress("adopt", int(dataset.about["n"])) as bar:
                    for block in read_blocks(dataset):
                        if block.source_id not in known:
                            raise InputError(
                                f"{blocks} has a block of {block.source_id!r}, which is no article of {articles}: "
                                "name the dataset that the blocks were made of"
                            )
                        hashes[block.source_id] = known[block.source_id]
                        bar.update(1)
                        yield block

            placed = placed_of(workspace, store)
            made = Made(
                model=dataset.about["model"], k=dataset.about["k"],
                settings=dataset.about["settings"] or describe(workspace.settings), hashes=hashes,
                placed=placed, counts=_counts(workspace, store, placed, now), now=now,
            )  # fmt: skip
            return Adopted(report, write(workspace, store, found(), made))


def adopt_blocks(
    workspace: Workspace, ground: Ground, placed: Placed, blocks: Iterable[StoredBlock], *,
    fitted: str | None = None, until: str | None = None,
) -> Snapshot:  # fmt: skip
    """Stores the blocks that a build on a cluster made of a workspace's own articles, as a snapshot.

    Args:
        workspace: whose lock is held.
        ground: of the build.
        placed: what stood under pages by hand.
        blocks: of all pages, by source id.
        fitted: names what the site was fitted with, where it is saved; until: when time will change blocks next.
    """
    about = ground.about
    rules = article_rules(workspace.settings.policy, _published(ground))
    everyone = (article for span in ground.spans for article in read_articles(ground, span))
    made = Made(
        model=about["model"], k=about["k"], settings=about["settings"], hashes=Hashes(ground), placed=placed,
        counts=gate.count(everyone, rules, ground.now, placed.pins), now=ground.now,
        noted=_noted(workspace, about["model"]), fitted=fitted, until=until,
    )  # fmt: skip
    with workspace.store() as store:
        return write(workspace, store, blocks, made)


def write(workspace: Workspace, store: Store, blocks: Iterable[StoredBlock], made: Made) -> Snapshot:
    """Stores blocks as a snapshot, and activates it where the gate lets it be.

    Args:
        workspace: whose lock is held.
        store: its store.
        blocks: of all pages, by source id, read as they are stored.
        made: of what.

    Raises:
        StoreError: the store cannot be written; the snapshot before stays.
    """
    written = store.write_snapshot(
        blocks, model=made.model, k=made.k, settings=made.settings, keep=workspace.settings.build.keep_snapshots,
        fitted=made.fitted, inputs=Inputs(made.hashes, made.placed.pins, made.noted, made.placed.bans),
        judge=_judge(workspace, store, made), now=made.now,
    )  # fmt: skip
    if written.refused:
        return written
    if made.fitted:
        note_synced(workspace, written, dict(made.hashes.items()), made.placed, made.until)
    try:
        record(store, written, made.now)
    except StoreError as error:
        logger.warning("the quality of the blocks is not noted: %s", error)
    return written


class Hashes(Mapping[str, str]):
    """The hash of what was delivered of each article of a build, by id; read from its parts when they are asked for.

    Args:
        ground: of the build.
    """

    def __init__(self, ground: Ground) -> None:
        self._ground = ground

    def __getitem__(self, id_: str) -> str:
        span = next((span for span in self._ground.spans if id_ in read_hashes(self._ground, span)), None)
        if span is None:
            raise KeyError(id_)
        return read_hashes(self._ground, span)[id_]

    def __iter__(self) -> Iterator[str]:
        for span in self._ground.spans:
            yield from read_hashes(self._ground, span)

    def __len__(self) -> int:
        return self._ground.n

    def items(self) -> Any:
        """Ids and hashes, by id."""
        return (pair for span in self._ground.spans for pair in read_hashes(self._ground, span).items())


def _judge(workspace: Workspace, store: Store, made: Made) -> Judge:
    settings, before = workspace.settings, active_snapshot(store)
    k, least, filled = before.k if before else made.k, settings.block.min_items, bool(settings.policy.fallback)
    site = gate.Site(made.k, k, 0, store.picks(), made.counts, least, filled)  # it takes no blocks over
    return gate.make_judge(settings.gate, site)


def _counts(workspace: Workspace, store: Store, placed: Placed, now: datetime) -> gate.Counts:
    dates = (article.published_at for article, _ in store.each_article())
    published = np.fromiter((date.timestamp() if date else np.nan for date in dates), np.float64)
    rules = article_rules(workspace.settings.policy, published)
    return gate.count((article for article, _ in store.each_article()), rules, now, placed.pins)


def _published(ground: Ground) -> Any:
    """(n,) float64: seconds since 1970, NaN where there is no date."""
    parts = ([one.published_at for one in read_articles(ground, span)] for span in ground.spans)
    return np.fromiter((date.timestamp() if date else np.nan for part in parts for date in part), np.float64, ground.n)


def _noted(workspace: Workspace, model: str) -> dict[str, Any]:
    try:
        made = made_with(workspace, model)
    except ModelError as error:  # the nodes have it, this machine need not
        logger.info("%s", error)
        return {}
    return {name: value for name, value in made.items() if name != "settings"}


__all__ = ["Adopted", "Hashes", "Made", "adopt", "adopt_blocks", "write"]
