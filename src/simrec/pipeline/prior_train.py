"""Trains the ranker that ships with simrec, on public sites with editors' picks, and measures it on sites left out."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simrec import __version__
from simrec.embed.cache import write_folder
from simrec.evaluate.measures import ndcg
from simrec.evaluate.protocol import Truth
from simrec.pipeline.prior import FILE, FORMAT, sketch
from simrec.pipeline.scorers import fused
from simrec.pipeline.site import Site
from simrec.pipeline.sources import POOL, WIDE
from simrec.rank.blend import blend
from simrec.rank.catalogue import OF_PAIRS
from simrec.rank.features import Table
from simrec.rank.learned import LambdaRanker
from simrec.types import NO_ROW, Mask, Progress, Rows, Scores, no_progress

logger = logging.getLogger(__name__)

FEATURES = tuple(feature for feature in OF_PAIRS if feature.carries_over)
COLUMNS = [place for place, feature in enumerate(OF_PAIRS) if feature.carries_over]
DROPPED = ("tags", "section", "authors", "path", "age", "order", "titles", "passages", "places", "form")
"""Groups of features that are hidden from some training pages, so that no score rests on one of them alone."""
DROP_SHARES = (0.1, 0.3)
"""Each training page is seen once for each share of groups that are hidden from it."""
MOST_SOURCES = 800
"""Training pages of a site; drawn at random where there are more."""
WEIGHTS = (0.3, 0.5, 0.7, 1.0)
CUTOFF = 10
SEED = 0


@dataclass(frozen=True)
class PublicSite:
    """A site with picks, as training needs it.

    Attributes:
        name: of the corpus.
        origin: sites of one origin (two languages, two sections) are left out together.
        candidates: (s, c) rows, -1 for none.
        table: (s, c, f) features of pairs, none of them of picks.
        labels: (s, c) bool.
        counts: (s,) picks of each page.
        sketch: hashes by which the site is known again.
    """

    name: str
    origin: str
    candidates: Rows
    table: Table
    labels: Mask
    counts: NDArray[np.float64]
    sketch: Sequence[str]


def public_site(name: str, origin: str, site: Site, known: Truth, progress: Progress = no_progress) -> PublicSite:
    """Candidates and features of a site's pages with picks; the site's settings must say `rank.prior = 0`."""
    drawn = np.random.default_rng(SEED).choice(len(known.sources), min(MOST_SOURCES, len(known.sources)), replace=False)
    places = np.sort(drawn)
    rows = known.sources[places]
    depth = site.settings.rank.candidates
    candidates = np.full((len(rows), POOL * depth), NO_ROW, dtype=np.int32)
    table = np.full((*candidates.shape, len(OF_PAIRS)), np.nan, dtype=np.float32)
    at = {row: place for place, row in enumerate(rows.tolist())}
    with progress(f"features of {name}", len(rows)) as bar:
        for batch, lists in site.lists(WIDE, rows, depth):
            found, where = site.merge(lists, depth), [at[row] for row in batch.tolist()]
            candidates[where, : found.shape[1]] = found
            table[where, : found.shape[1]] = site.features.of(batch, found)
            bar.update(len(batch))
    picks = [known.picks[place] for place in places.tolist()]
    labels: Mask = np.array([np.isin(row, list(targets)) for targets, row in zip(picks, candidates, strict=True)])
    counts = np.array([len(targets) for targets in picks], dtype=np.float64)
    return PublicSite(name, origin, candidates, table, labels, counts, sketch(site.corpus.texts))


def fit_prior(sites: Sequence[PublicSite], **parameters: Any) -> LambdaRanker:
    """A ranker of the features that carry over between sites.

    Sites weigh the same whatever their size; two of one origin share its weight by the square root. A score may only
    rise with what can only speak for a candidate.
    """
    rng = np.random.default_rng(SEED)
    tables, labels, groups, weights = [], [], [], []
    for site in sites:
        kin = sum(other.origin == site.origin for other in sites)
        told: Mask = np.asarray(site.labels.any(axis=1))
        there = (site.candidates != NO_ROW) & told[:, None]
        for share in DROP_SHARES:
            table = _hide(site.table, share, rng)[there][:, COLUMNS]
            tables.append(table)
            labels.append(site.labels[there])
            groups.append(there[told].sum(axis=1))
            weights.append(np.full(len(table), 600 / told.sum() / np.sqrt(kin), dtype=np.float32))
    ranker = LambdaRanker(
        features=[feature.name for feature in FEATURES], signs=[feature.sign for feature in FEATURES], **parameters
    )
    flat = np.concatenate(labels).astype(np.int64)
    return ranker.fit(np.concatenate(tables), flat, np.concatenate(groups), np.concatenate(weights))


def _hide(table: Table, share: float, rng: np.random.Generator) -> Table:
    hidden = table
    for group in DROPPED:
        columns = np.array([feature.group == group for feature in OF_PAIRS])
        pages = rng.random(len(table)) < share
        hidden = np.where(pages[:, None, None] & columns, np.float32(np.nan), hidden)
    return hidden


def measure(site: PublicSite, ranker: LambdaRanker) -> dict[str, NDArray[np.float64]]:
    """nDCG@10 of each page by the fusion, and by its mix with the ranker at each of `WEIGHTS`."""
    there = site.candidates != NO_ROW
    base, learned = fused(site.table), ranker.score_table(site.table[:, :, COLUMNS], there)

    def value(scores: Scores) -> NDArray[np.float64]:
        order = np.argsort(-scores, axis=1, kind="stable")[:, :CUTOFF]
        return ndcg(np.take_along_axis(site.labels, order, 1), site.counts, CUTOFF)

    return {"fusion": value(base), **{str(w): value(blend(base, learned, w, there)) for w in WEIGHTS}}


def left_out(sites: Sequence[PublicSite]) -> tuple[dict[str, LambdaRanker], dict[str, dict[str, float]]]:
    """A ranker for each origin, trained on the others, and its figures on that origin's sites."""
    rankers, figures = {}, {}
    for origin in sorted({site.origin for site in sites}):
        rankers[origin] = fit_prior([site for site in sites if site.origin != origin])
        for site in sites:
            if site.origin == origin:
                found = measure(site, rankers[origin])
                figures[site.name] = {name: round(float(values.mean()), 4) for name, values in found.items()}
                logger.info("%s left out: %s", site.name, figures[site.name])
    return rankers, figures


def choose_weight(figures: Mapping[str, Mapping[str, float]]) -> float:
    """The weight with the largest mean gain over the fusion on the sites left out, of those that lose on none.

    Where each loses on some site, the one that loses least.
    """
    gains = {w: [found[str(w)] / found["fusion"] - 1 for found in figures.values()] for w in WEIGHTS}
    return max(WEIGHTS, key=lambda weight: (min(0.0, min(gains[weight])), float(np.mean(gains[weight]))))


def save_prior(sites: Sequence[PublicSite], folder: Path, weight: float | None = None) -> dict[str, Any]:
    """Trains on all sites, and on all but each origin, and writes rankers, figures and gains into `folder`.

    Args:
        sites: the public sites.
        folder: `models/prior`.
        weight: the prior's share of hybrid's score; None: what `choose_weight` says.

    Returns:
        What prior.json holds.
    """
    rankers, figures = left_out(sites)
    everything = fit_prior(sites)
    named = {"all": everything, **{f"without-{origin}": ranker for origin, ranker in rankers.items()}}
    for name, ranker in named.items():
        write_folder(folder / name, ranker.save)
    gains = zip(everything.features, everything.gains_.tolist(), strict=True)
    described = {
        "format": FORMAT,
        "simrec": __version__,
        "weight": choose_weight(figures) if weight is None else weight,
        "figures": figures,
        "gains": {name: round(gain, 4) for name, gain in sorted(gains, key=lambda pair: -pair[1])},
        "sites": {
            site.name: {"origin": site.origin, "pages": len(site.counts), "sketch": site.sketch} for site in sites
        },
        "rankers": {"all": [], **{f"without-{origin}": [origin] for origin in rankers}},
    }
    (folder / FILE).write_text(json.dumps(described, indent=1) + "\n", encoding="utf-8")
    return described
