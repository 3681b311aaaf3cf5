"""The report's first lines: which model, how sure, and what to bear in mind."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from simrec.evaluate.compare import Comparison
from simrec.evaluate.report.evaluated import Evaluated, Standing

FEW_SOURCES = 50
"""With fewer tested pages intervals are wide, and their ends themselves uncertain."""
ALPHA = 0.05
MOST_JUDGED = 0.9
"""A share of judged items beyond which nothing has to be said of the others."""


class Verdict(NamedTuple):
    """The answer.

    Attributes:
        kind: "clear", "unclear", or "single" where there was nothing to compare with.
        words: that, in two or three words.
        sentence: the answer with its figures.
        caveats: what to bear in mind, one sentence each.
    """

    kind: str
    words: str
    sentence: str
    caveats: Sequence[str]


def verdict(evaluation: Evaluated, stand: Standing, worse: Sequence[str]) -> Verdict:
    """The answer to "which model?".

    Args:
        evaluation: what was measured.
        stand: the models in order.
        worse: kinds of pages where the best model is clearly worse than the next.
    """
    caveats = _caveats(evaluation, stand, worse)
    mean, low, high = evaluation.models[stand.best][stand.main]
    reached = f"{stand.main} {mean:.3f} (95% interval {low:.3f} to {high:.3f})"
    if stand.rival is None:
        sentence = f"{stand.best} reaches {reached}. It was the only model measured."
        return Verdict("single", "Nothing to compare with", sentence, caveats)
    lead = lead_of(evaluation.comparisons, stand.main, stand.best, stand.rival)
    of = f"of {len(stand.order)} models"
    if lead is None:
        other = evaluation.models[stand.rival][stand.main].mean
        sentence = f"{stand.best} is the best {of}: it reaches {reached}; {stand.rival}, the next, {other:.3f}."
        return Verdict("unclear", "Not tested against each other", sentence, caveats)
    sure = _sure(lead, sum(found.measure == stand.main for found in evaluation.comparisons))
    more = f"{lead.delta:.3f} more than" if round(lead.delta, 3) else "no more than"
    told = f"it reaches {reached}, {more} {stand.rival}, the next."
    if clear(lead):
        sentence = f"{stand.best} is the best {of}: {told} This is more than chance ({sure})."
        return Verdict("clear", "A clear winner", sentence, caveats)
    sentence = f"{stand.best} is the first {of}, but not clearly: {told} The difference may be chance ({sure})."
    return Verdict("unclear", "No clear winner", sentence, caveats)


def lead_of(comparisons: Sequence[Comparison], measure: str, a: str, b: str) -> Comparison | None:
    """The comparison of a with b, turned so that `delta` is a's mean minus b's; None where they were not compared."""
    for found in comparisons:
        if found.measure == measure and (found.a, found.b) == (a, b):
            return found
        if found.measure == measure and (found.a, found.b) == (b, a):
            return found._replace(a=a, b=b, delta=0 - found.delta, low=0 - found.high, high=0 - found.low)
    return None


def ordered(comparisons: Sequence[Comparison], stand: Standing) -> list[Comparison]:
    """The pairs on the main measure, each as the better model less the other, those of the best models first."""
    pairs = [(a, b) for place, a in enumerate(stand.order) for b in stand.order[place + 1 :]]
    found = [lead_of(comparisons, stand.main, a, b) for a, b in pairs]
    return [comparison for comparison in found if comparison is not None]


def corrected(found: Comparison) -> float:
    """p after the correction for several pairs, or the pair's own where none was made."""
    return found.p if math.isnan(found.p_holm) else found.p_holm


def clear(found: Comparison) -> bool:
    """Whether a difference is more than chance: its interval leaves out 0, and the corrected p is below 5%."""
    return (found.low > 0 or found.high < 0) and corrected(found) < ALPHA


def p_value(value: float) -> str:
    """Three decimals, or that it is below them.

    >>> p_value(0.04), p_value(0.0001)
    ('0.040', '<\\xa00.001')
    """
    return f"{value:.3f}" if value >= 0.001 else "<\u00a00.001"


def _sure(lead: Comparison, pairs: int) -> str:
    value = p_value(corrected(lead))
    told = f"p\u00a0{value}" if value.startswith("<") else f"p\u00a0=\u00a0{value}"
    if pairs > 1:
        told += f", corrected for {pairs} comparisons"
    return f"95% interval of the difference {lead.low:.3f} to {lead.high:.3f}, {told}".replace("-", "−")


def _caveats(evaluation: Evaluated, stand: Standing, worse: Sequence[str]) -> list[str]:
    found = []
    sources, k = len(evaluation.sources), evaluation.protocol["k"]
    if sources < FEW_SOURCES:
        pages = "one page was" if sources == 1 else f"{sources} pages were"
        found.append(f"Only {pages} tested: intervals from fewer than {FEW_SOURCES} are rough. More picks would help.")
    judged = evaluation.models[stand.best].get(f"Judged@{k}")
    if judged is not None and judged.mean < MOST_JUDGED:
        found.append(
            f"Of the first {k} articles that {stand.best} names, {judged.mean:.0%} are editors' picks. Nobody has "
            "judged the others, and some may be just as good: the blocks may be better than the figures say."
        )
    if worse:
        found.append(f"{stand.best} is clearly worse than {stand.rival} on some pages: {'; '.join(worse)}.")
    kept = sum(not decision["weight"] for decision in evaluation.learned)
    if kept:
        found.append(
            f"In {kept} of {len(evaluation.learned)} folds too little was gained by learning, and learned ranked as "
            "the model without picks does."
        )
    if not evaluation.protocol["rules"]:
        found.append("The ranking was measured before the house rules: what readers see may differ a little.")
    return found
