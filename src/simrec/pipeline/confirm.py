"""Settings that were chosen on some sources, looked at on others: what they change, and whether it may stay."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from copy import copy
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from simrec.evaluate.compare import Comparison, Interval, compare, interval
from simrec.evaluate.measures import diversity, per_source
from simrec.pipeline.bench import CUTOFF
from simrec.pipeline.build import Chooser
from simrec.pipeline.site import Site
from simrec.pipeline.space import DIVERSITIES, with_values
from simrec.types import NO_ROW, Progress, Rows

LEAST_GAIN = 1.0
"""Standard errors that the gain on held-out sources must have to be believed."""
BLOCKS = 500
"""Sources whose blocks are made to choose `policy.diversity`."""
MEASURE = f"nDCG@{CUTOFF}"


class Sources(NamedTuple):
    """(s,) rows of articles with picks, and for each of them its picks' rows."""

    rows: Rows
    picks: Sequence[AbstractSet[int]]


class Confirmed(NamedTuple):
    """A model before and after, on the same sources; the paired test between them, and the gain's standard error."""

    model: str
    before: Interval
    after: Interval
    comparison: Comparison
    error: float

    def as_json(self) -> dict[str, Any]:
        """As plain values."""
        named = {"before": self.before, "after": self.after}
        gain = {name: getattr(self.comparison, name) for name in ("delta", "low", "high", "p")}
        return {
            "model": self.model,
            "measure": MEASURE,
            **{name: found._asdict() for name, found in named.items()},
            "gain": {**gain, "standard_error": self.error},
        }


class Varied(NamedTuple):
    """Blocks under a value of `policy.diversity`: nDCG@k after the house rules, and how unlike their items are."""

    diversity: float
    ndcg: float
    ild: float


def confirm(sites: tuple[Site, Site], sources: Sources) -> list[Confirmed]:
    """A site before and after: the fusion, and `hybrid` last, where a prior makes it another model."""
    models = ["fusion", "hybrid"] if sites[0].scorer("hybrid").wide else ["hybrid"]
    return [both(model, *(rank(site, model, sources) for site in sites)) for model in models]


def both(model: str, before: NDArray[np.float64], after: NDArray[np.float64]) -> Confirmed:
    """A model's values (s,) before and after."""
    found = compare("after", "before", MEASURE, after, before)
    return Confirmed(model, interval(before), interval(after), found, standard_error(after - before))


def rank(site: Site, model: str, sources: Sources) -> NDArray[np.float64]:
    """(s,) nDCG@10 of a model's rankings, before the house rules."""
    place_of = {row: place for place, row in enumerate(sources.rows.tolist())}
    run = np.full((len(sources.rows), CUTOFF), NO_ROW, dtype=np.int32)
    for batch, ranking in site.rank(model, sources.rows, max(site.settings.rank.candidates, CUTOFF)):
        for row, ranked in zip(batch.tolist(), ranking.rows[:, :CUTOFF], strict=True):
            run[place_of[row], : len(ranked)] = ranked
    return per_source(run, sources.picks, CUTOFF)[MEASURE]


def decide(changed: Mapping[str, Any], found: Confirmed) -> tuple[bool, str]:
    """Whether changes may stay: where they gain more than `LEAST_GAIN` standard errors on held-out sources."""
    if not changed:
        return False, "no other settings are better on the tuning sources; nothing is changed"
    gain = found.comparison
    told = (
        f"on the held-out sources {found.model}'s {MEASURE} goes from {found.before.mean:.3f} to "
        f"{found.after.mean:.3f}, {gain.delta:+.3f} [{gain.low:+.3f}, {gain.high:+.3f}]"
    )
    if gain.delta <= LEAST_GAIN * found.error:
        return False, f"what was chosen is not clearly better where it was not chosen: {told}; nothing is changed"
    unsure = "" if gain.low > 0 else "; the interval holds 0, chance is not ruled out"
    return True, f"what was chosen is better where it was not chosen, too: {told}{unsure}"


def vary(site: Site, chosen_on: Sources, held_out: Sources, progress: Progress) -> tuple[list[Varied], float, str]:
    """Looks for the most varied blocks that lose nothing, on either sources.

    A block is what a reader sees: `block.k` items, after the house rules. Diversity is taken from where accuracy leaves
    it; a value that is set already is a matter of taste, and stays.

    Returns:
        What each value does on the first sources, the value to set or 0, and why.
    """
    now = site.settings.policy.diversity
    if now:
        return [], 0.0, f"policy.diversity is {now:g} already and stays"
    sample = np.sort(np.random.default_rng(0).permutation(len(chosen_on.rows))[:BLOCKS])
    tried = Sources(chosen_on.rows[sample], [chosen_on.picks[place] for place in sample.tolist()])
    with progress("tune diversity", len(DIVERSITIES) + 1) as bar:
        found = []
        for value in (now, *DIVERSITIES):
            found.append(_blocks(site, value, tried))
            bar.update(1)
    safe = [varied for varied in found[1:] if varied.ndcg >= found[0].ndcg and varied.ild > found[0].ild]
    if not safe:
        return found, 0.0, "more varied blocks are less accurate: policy.diversity stays 0"
    best = safe[-1].diversity
    if _blocks(site, best, held_out).ndcg < _blocks(site, now, held_out).ndcg:
        return found, 0.0, f"policy.diversity {best:g} loses on the held-out sources: it stays 0"
    return found, best, f"policy.diversity {best:g} makes blocks more varied, and loses nothing"


def standard_error(values: NDArray[np.float64]) -> float:
    """Of a mean; infinite for a single value."""
    return float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else float("inf")


def _blocks(site: Site, value: float, sources: Sources) -> Varied:
    other = copy(site)  # shares what was computed
    other.settings = with_values(site.settings, {"policy.diversity": value})
    k, row_of = site.settings.block.k, site.corpus.row_of
    place_of = {row: place for place, row in enumerate(sources.rows.tolist())}
    run = np.full((len(sources.rows), k), NO_ROW, dtype=np.int32)
    for block in Chooser(other, "hybrid").blocks(sources.rows, k):
        rows = [row_of[item.id] for item in block.items]
        run[place_of[row_of[block.source_id]], : len(rows)] = rows
    accuracy = per_source(run, sources.picks, k)[f"nDCG@{k}"]
    likeness = diversity(run, site.fusion("tfidf").parts[0].part.pairs)
    return Varied(value, round(float(accuracy.mean()), 6), round(float(likeness.mean()), 6))
