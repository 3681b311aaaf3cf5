"""A workspace's engine: found on disk, brought up to what the store holds, kept when it is worth it."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from simrec.embed.sentence import checksum, find
from simrec.errors import ModelError
from simrec.pipeline.live import saved
from simrec.pipeline.live.compose import Told
from simrec.pipeline.live.drift import Drift, measure_drift
from simrec.pipeline.live.engine import Engine
from simrec.pipeline.live.stale import Stale
from simrec.pipeline.placed import Placed
from simrec.pipeline.prior import prior_fingerprint
from simrec.pipeline.site import describe
from simrec.pipeline.workspace import Workspace
from simrec.store import StoredBlock
from simrec.types import NO_ROW, Article

logger = logging.getLogger(__name__)

BATCH = 96
"""Articles that come together: compared with all others at once."""
SAVE_FROM = 0.02
"""Share of rows that were added since an engine was saved, from which it is saved again."""
LOOSE_FROM, LOOSE_SHARE, REMADE = 200, 0.5, 500
"""Rows of versions that are gone, and their share of the articles, from which a site is to be read anew; and articles
that are made again by that, at most: with more of them a build is due."""
RELEVANT = {"tfidf", "sentence", "rank", "policy", "build"}
"""Settings that rankings depend on."""


class Change(NamedTuple):
    """Blocks that may be others now, and whether anything was taken away, added or changed."""

    blocks: list[StoredBlock]
    changed: int


class LiveSite:
    """An engine and the versions of the articles that are in it.

    Args:
        engine: the engine.
        hashes: of the article of each row, by row, as the store has it.
        ids: of the same.
        name: names what was fitted: snapshots made with it can be brought up to date.
        rows: of the engine, when it was saved last.
        recalls: recall@10 of neighbors, by space, where they were approximate when it was fitted.
    """

    def __init__(
        self, engine: Engine, ids: list[str], hashes: list[str], name: str, rows: int, recalls: Mapping[str, float]
    ) -> None:
        self.engine = engine
        self.ids = ids
        self.hashes = hashes
        self.name = name
        self.recalls = recalls
        self._saved, self._began = rows, len(ids)

    @classmethod
    def fresh(cls, engine: Engine, hashes: Mapping[str, str], recalls: Mapping[str, float]) -> LiveSite:
        """A site that was just fitted; `hashes` of its articles by id."""
        ids = [engine.articles[row].id for row in range(engine.fitted.n)]
        return cls(engine, ids, [hashes[id_] for id_ in ids], uuid.uuid4().hex, 0, recalls)

    @classmethod
    def load(
        cls, workspace: Workspace, articles: Mapping[str, Article], loaded: saved.Loaded | None = None
    ) -> LiveSite:
        """Reads a saved engine as it was; `follow` brings it up to what the store holds.

        Args:
            workspace: of the site.
            articles: as the store has them, by id.
            loaded: of `saved.load`; None to read it here.

        Raises:
            ModelError: it is damaged, or an article is gone from the store.
        """
        folder = state_folder(workspace.path)
        engine, about = loaded or saved.load(folder, workspace.settings)
        rows = len(engine.shelf)
        site = cls(engine, about["ids"], about["hashes"], about["name"], rows, about.get("recalls", {}))
        there = np.flatnonzero(np.load(folder / "page-alive.npy", allow_pickle=False)).tolist()
        missing = [site.ids[row] for row in there if site.ids[row] not in articles]
        if missing:
            raise ModelError(f"article {missing[0]!r} is gone from the store: run `simrec build --full`")
        if "bans" in about:
            engine.set_placed(Placed(about["pins"], about["bans"]))
        else:  # it was saved when there were no bans but those of the settings
            engine.set_placed(Placed(about["pins"], workspace.settings.policy.banned))
        pairs = np.load(folder / "copies.npy", allow_pickle=False).tolist()
        engine.admit(there, [articles[site.ids[row]] for row in there], None, near=pairs)
        for name in saved.OF_NOW:
            engine.restore(name, np.load(folder / f"page-{name}.npy", allow_pickle=False))
        return site

    def follow(
        self, articles: Mapping[str, Article], hashes: Mapping[str, str], placed: Placed, now: datetime,
        also: Collection[str] = (), stored: Callable[[list[str]], Mapping[str, StoredBlock]] | None = None,
    ) -> Change:  # fmt: skip
        """Brings the engine up to what the store holds.

        Args:
            articles: all articles by id; only those are looked at whose hash is new.
            hashes: of all articles, by id.
            placed: what stands under pages by hand.
            now: the moment that decides who may be shown.
            also: ids of pages whose blocks are made in any case.
            stored: finds blocks by the id of their page; all but those of `also` were made of what the engine holds.
        """
        engine, stale = self.engine, Stale.nothing()
        told = Told(engine.alive.array.copy(), also, stored) if stored else None
        changed = [id_ for id_ in hashes if self._hash_of(id_) != hashes[id_]]
        lost = [row for id_, row in engine.row_of.items() if id_ not in hashes]
        for row in lost:
            engine.remove(row, stale)
        self._replace([articles[id_] for id_ in changed], [hashes[id_] for id_ in changed], now, stale)
        others = self._replaced(placed)
        stale.lists.update(engine.row_of[id_] for id_ in also if id_ in engine.row_of)
        blocks = engine.finish(stale, now, others, told)
        return Change(blocks, len(changed) + len(lost) + len(others))

    def put(self, article: Article, hash_: str, now: datetime) -> Change:
        """Adds an article, or another version of it."""
        stale = Stale.nothing()
        changed = self._hash_of(article.id) != hash_
        if changed:
            self._replace([article], [hash_], now, stale)
        return Change(self.engine.finish(stale, now), int(changed))

    def _hash_of(self, id_: str) -> str | None:
        row = self.engine.row_of.get(id_, NO_ROW)
        return None if row == NO_ROW else self.hashes[row]

    def _replace(self, articles: Sequence[Article], hashes: Sequence[str], now: datetime, stale: Stale) -> None:
        engine, known = self.engine, len(self.ids)
        rows = self._shelve(articles, hashes)
        for begin in range(0, len(rows), BATCH):
            batch, ours = rows[begin : begin + BATCH], articles[begin : begin + BATCH]
            engine.comparer.held.ahead(batch)
            new = [
                (row, self.fitted_rows.get(a.id, NO_ROW)) for row, a in zip(batch, ours, strict=True) if row >= known
            ]
            engine.comparer.measure([row for row, _ in new], [own for _, own in new])
            gone = [engine.row_of.get(article.id, NO_ROW) for article in ours]
            engine.replace(gone, batch, ours, now, stale)

    def place(self, placed: Placed, now: datetime) -> list[StoredBlock]:
        """Takes over what stands under pages by hand."""
        return self.engine.finish(Stale.nothing(), now, self._replaced(placed))

    def _replaced(self, placed: Placed) -> set[str]:
        """Takes over what stands under pages by hand; returns the ids of the pages under which others do now."""
        also = placed.differing(self.engine.placed)
        if also:
            self.engine.set_placed(placed)
        return also

    def _shelve(self, articles: Sequence[Article], hashes: Sequence[str]) -> list[int]:
        """The rows of versions of articles: those that they were fitted with, or new ones, that are not measured."""
        own = [self.fitted_rows.get(article.id, NO_ROW) for article in articles]
        same = [row != NO_ROW and self.hashes[row] == hash_ for row, hash_ in zip(own, hashes, strict=True)]
        rows = self.engine.shelve(list(zip(articles, own, same, strict=True)))
        for article, hash_, row in zip(articles, hashes, rows, strict=True):
            if row == len(self.ids):
                self.ids.append(article.id)
                self.hashes.append(hash_)
        return rows

    @cached_property
    def fitted_rows(self) -> Mapping[str, int]:
        """The rows of the articles that the site was fitted on, by id."""
        return {id_: row for row, id_ in enumerate(self.ids[: self.engine.fitted.n])}

    @property
    def is_loose(self) -> bool:
        """Whether versions that came and went since it was read take so much room that it should be read anew."""
        alive = self.engine.alive.array
        remade = int(alive[self._began :].sum())
        gone = len(alive) - self._began - remade
        return gone >= max(LOOSE_FROM, LOOSE_SHARE * len(self.engine.row_of)) and remade <= REMADE

    def drift(self) -> Drift:
        """How far the site has moved from what it was fitted on."""
        return measure_drift(self.engine)

    def save(self, workspace: Workspace, now: datetime, *, always: bool = False, folder: Path | None = None) -> bool:
        """Saves the engine where that is worth it: what is not saved is made again when it is needed.

        Args:
            workspace: of the site.
            now: the moment that its blocks were made at.
            always: save it whether or not it is worth it.
            folder: where to; None for the place of the active snapshot's.
        """
        if not always and len(self.engine.shelf) - self._saved < SAVE_FROM * len(self.engine.shelf):
            return False
        about = {
            "name": self.name,
            "ids": self.ids,
            "hashes": self.hashes,
            "pins": {source: list(targets) for source, targets in self.engine.placed.pins.items()},
            "bans": {source: list(targets) for source, targets in self.engine.placed.bans.items()},
            "recalls": dict(self.recalls),
            "made_with": made_with(workspace, self.engine.fitted.model),
        }
        saved.save(self.engine, folder or state_folder(workspace.path), about)
        self._saved = len(self.engine.shelf)
        return True


def state_folder(workspace: Path) -> Path:
    """Where a workspace keeps its engine."""
    return workspace / "vectors" / "site"


def made_with(workspace: Workspace, model: str) -> dict[str, Any]:
    """What rankings depend on beside the articles: settings, the sentence model's files, the rankers that ship.

    Raises:
        ModelError: the sentence model is nowhere, or damaged.
    """
    settings, name = workspace.settings, workspace.settings.sentence.model
    ranking = {section: values for section, values in describe(settings).items() if section in RELEVANT}
    return {
        "settings": ranking,
        "sentence": checksum(name, find(name)) if model != "tfidf" else "",
        "prior": prior_fingerprint(),
    }


def is_current(workspace: Workspace, model: str, k: int) -> dict[str, Any] | None:
    """What is said of a saved engine that fits these settings; None where a site has to be fitted anew."""
    said = saved.read_about(state_folder(workspace.path))
    if said is None or said["model"] != model or said["k"] != k:
        return None
    return said["about"] if said["about"]["made_with"] == made_with(workspace, model) else None


__all__ = ["Change", "LiveSite", "is_current", "made_with", "state_folder"]
