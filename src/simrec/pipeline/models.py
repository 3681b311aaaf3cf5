"""Learned rankers on disk: in a workspace's `models/learned/`, or in any folder that `train --out` names."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from simrec import __version__
from simrec.embed.cache import is_intact, write_folder
from simrec.errors import ModelError, UsageError
from simrec.evaluate.protocol import Truth, truth
from simrec.pipeline.decision import Decision
from simrec.pipeline.site import Site
from simrec.pipeline.train import LEAST_SOURCES, Learned, Picked, train
from simrec.rank.learned import LambdaRanker
from simrec.text import content_hash
from simrec.types import Pick, Progress, no_progress

FILE = "decision.json"
FORMAT = 2
"""Raise it when rankers are written or read otherwise: `build` then trains again, and does not fail on an old one."""


class Trained(NamedTuple):
    """What `train` made: `train --json`."""

    learned: Learned
    described: dict[str, Any]


def train_site(
    site: Site, picks: Sequence[Pick], *, rejected: Sequence[Pick] = (), split: str = "kfold",
    progress: Progress = no_progress,
) -> Trained:  # fmt: skip
    """Learns from all picks of a site, and from what editors rejected under pages that have picks.

    Raises:
        UsageError: no pick joins two articles of the site.
    """
    known = truth(site.corpus, picks, rejected=rejected)
    learned = train(Picked(site, known), np.arange(len(known.sources)), split=split, progress=progress)
    gains = learned.ranker.gains_ if learned.ranker else np.zeros(0)
    names = learned.ranker.features if learned.ranker else ()
    described = {
        "format": FORMAT,
        "simrec": __version__,
        "articles": len(site.corpus),
        "sources": len(known.sources),
        "picks": sum(map(len, known.picks)),
        "rejected": sum(map(len, known.rejected)),
        "picks_hash": picks_hash(site, known),
        "split": split,
        "decision": learned.decision.as_json(),
        "gains": {name: round(float(gain), 4) for gain, name in sorted(zip(gains, names, strict=True), reverse=True)},
    }
    return Trained(learned, described)


def save_learned(trained: Trained, folder: Path) -> None:
    """Writes a learned ranker into a folder of its own, whole or not at all."""

    def write(part: Path) -> None:
        if trained.learned.ranker:
            trained.learned.ranker.save(part)
        text = json.dumps(trained.described, indent=1, ensure_ascii=False) + "\n"
        (part / FILE).write_text(text, encoding="utf-8")

    write_folder(folder, write)


def load_learned(site: Site, picks: Sequence[Pick], folder: Path) -> Trained:
    """Reads a learned ranker; its history is the picks as they are now.

    Raises:
        ModelError: there is none, or it is damaged, or from another version.
    """
    if not (folder / FILE).exists():
        raise ModelError(f"there is no learned ranker in {folder}: run `simrec train`")
    if not is_intact(folder):
        raise ModelError(f"the ranker in {folder} does not match its checksums: run `simrec train` again")
    try:
        described = json.loads((folder / FILE).read_text(encoding="utf-8"))
        if described["format"] != FORMAT:
            raise ModelError(f"the ranker in {folder} is from another version of simrec: run `simrec train` again")
        decision = Decision(**described["decision"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(f"the ranker in {folder} cannot be read ({error}): run `simrec train` again") from error
    known = truth(site.corpus, picks)
    ranker = LambdaRanker.load(folder) if decision.weight else None
    history = Picked(site, known).history(np.arange(len(known.sources)))
    return Trained(Learned(ranker, decision, history), described)


def use_learned(
    site: Site, picks: Sequence[Pick], folder: Path, *, rejected: Sequence[Pick] = (), fresh: bool = False,
    progress: Progress = no_progress,
) -> dict[str, Any]:  # fmt: skip
    """Makes `learned` a model of the site: the one in the folder, or one trained now and kept there.

    Args:
        site: the articles.
        picks: editors' picks.
        folder: of the learned ranker.
        rejected: what editors rejected.
        fresh: train where the picks are not those that the ranker learned from; False: use it as it is.
        progress: shows long work.

    Returns:
        How it was made.

    Raises:
        UsageError: there are no picks to learn from.
        ModelError: the ranker in the folder is damaged and may not be replaced.
    """
    if not picks:
        raise UsageError(f"`learned` needs editors' picks, on {LEAST_SOURCES} pages at least: ingest them with --picks")
    found = None if fresh and not _is_fresh(site, picks, rejected, folder) else load_learned(site, picks, folder)
    if found is None:
        found = train_site(site, picks, rejected=rejected, progress=progress)
        save_learned(found, folder)
    site.learned = found.learned.scorer(site)
    return found.described


def _is_fresh(site: Site, picks: Sequence[Pick], rejected: Sequence[Pick], folder: Path) -> bool:
    """Whether the ranker in the folder is whole, of this version, and learned from these judgements."""
    if not (folder / FILE).exists() or not is_intact(folder):
        return False
    described = json.loads((folder / FILE).read_text(encoding="utf-8"))
    fresh = picks_hash(site, truth(site.corpus, picks, rejected=rejected))
    return bool(described.get("format") == FORMAT and described.get("picks_hash") == fresh)


def picks_hash(site: Site, known: Truth) -> str:
    """Names the picks that were learned from, and what was rejected, where anything was."""
    ids = site.corpus.ids
    parts = [
        f"{ids[source]} {sorted(ids[row] for row in targets)}"
        for said in (known.picks, known.rejected)
        for source, targets in zip(known.sources.tolist() if said else (), said, strict=True)
    ]
    return content_hash(*parts)[:16]
