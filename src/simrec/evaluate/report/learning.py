"""What was learned, in words: from how many pages, what each fold decided, what the ranker looks at and can find."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from simrec.evaluate.compare import Interval
from simrec.evaluate.report.evaluated import CurvePoint, Evaluated, FoundPicks

TOP = 20
"""Features that are shown."""
GROUPS = {
    "picks": "what editors picked under other pages",
    "prior": "what editors of other sites pick",
    "titles": "the titles",
    "tfidf": "the words of the text",
    "sentence": "the meaning of the text",
    "passages": "single passages of the text",
    "fused": "words, meaning, tags, section and date taken together",
    "places": "how near each is among all articles",
    "tags": "tags",
    "section": "the section",
    "authors": "the author",
    "language": "the language",
    "path": "the address on the site",
    "age": "the dates",
    "form": "length, and how many articles it is close to",
}
SOURCES = {
    "all": "all together, after the cut",
    "tfidf": "articles that share words",
    "sentence": "articles that mean something similar",
    "title_words": "articles with similar words in the title",
    "titles": "articles with a title that means something similar",
    "tags": "articles with similar tags",
    "time": "articles of about the same date",
    "section": "articles of the same section",
    "picks": "what editors picked under similar pages",
}
ALL = "all"
LITERATURE = (
    ("latent semantic analysis (literature)", 0.60),
    ("explicit semantic analysis (literature)", 0.72),
)
"""Pearson's correlation on the 50 rated items of lee-news: Lee et al. 2005, Gabrilovich and Markovitch 2007."""


class Weight(NamedTuple):
    """A feature, or a group of them, and its share of what the rankers gained."""

    name: str
    words: str
    meaning: str
    share: float


class Decided(NamedTuple):
    """What a fold decided: training pages, the weight of the site's ranker, the reason, nDCG of each choice."""

    pages: int | None
    weight: float
    mix: str
    why: str
    evidence: Sequence[tuple[str, float]]


class Rated(NamedTuple):
    """A model's correlation with people's ratings, or one of the literature, which has no interval."""

    name: str
    value: Interval
    ours: bool


def features(evaluation: Evaluated) -> list[Weight]:
    """The features that the rankers gained most from; one that is not described stands with its name."""
    known = evaluation.features
    ordered = sorted(evaluation.importances.items(), key=lambda item: (-item[1], item[0]))
    return [
        Weight(name, known[name].words if name in known else "", known[name].meaning if name in known else "", share)
        for name, share in ordered[:TOP]
        if share > 0
    ]


def feature_groups(evaluation: Evaluated) -> list[Weight]:
    """The shares of groups of features, the largest first."""
    shares: dict[str, float] = {}
    for name, share in evaluation.importances.items():
        if name in evaluation.features and share > 0:
            group = evaluation.features[name].group
            shares[group] = shares.get(group, 0.0) + share
    ordered = sorted(shares.items(), key=lambda item: (-round(item[1], 9), item[0]))
    return [Weight(group, GROUPS.get(group, group), "", share) for group, share in ordered]


def decisions(evaluation: Evaluated) -> list[Decided]:
    """What each fold decided."""
    folds = evaluation.protocol["folds"]
    trained = [fold["train"] for fold in folds] if len(folds) == len(evaluation.learned) else []
    return [
        Decided(
            pages=trained[number] if trained else None,
            weight=found["weight"],
            mix=_mix(found["below"], found["weight"]),
            why=found["why"],
            evidence=sorted(found["evidence"].items(), key=lambda item: -item[1]),
        )
        for number, found in enumerate(evaluation.learned)
    ]


def _mix(below: str, weight: float) -> str:
    if not weight:
        return f"{below} alone"
    return "the site's ranker alone" if weight == 1 else f"{weight:.0%} the site's ranker, {1 - weight:.0%} {below}"


def told_of(found: Sequence[Decided]) -> str:
    """All folds' decisions in one sentence."""
    ranked = sum(decided.weight > 0 for decided in found)
    if ranked == len(found):
        return "In every fold the ranker that was learned from this site's picks proved better, and was used."
    if not ranked:
        return "In no fold did learning gain enough to be trusted: learned ranks as the model without picks does."
    return f"In {ranked} of {len(found)} folds the ranker that was learned from this site's picks was used."


def curve_told(points: Sequence[CurvePoint], main: str) -> str:
    """What the learning curve says, in one or two sentences."""
    learned = sorted((point for point in points if point.pages), key=lambda point: point.pages)
    without = next((point for point in points if not point.pages), None)
    if not learned:
        return "There were too few pages with picks to draw more than one point."
    last = learned[-1]
    told = f"Learned from {last.pages} pages with picks, the model reaches {main} {last.mean:.3f}"
    if without:
        told += f", {abs(last.mean - without.mean):.3f} {'more' if last.mean >= without.mean else 'less'} than "
        told += f"hybrid, which needs none ({without.mean:.3f})"
    told += "."
    if len(learned) > 1:
        before = learned[-2]
        told += f" From {before.pages} to {last.pages} pages it changed by {last.mean - before.mean:+.3f}.".replace(
            "-", "−"
        )
    return told


def found_picks(candidates: Sequence[FoundPicks]) -> list[tuple[str, FoundPicks]]:
    """The sources of candidates in words: all together first, then those that find most."""
    ordered = sorted(candidates, key=lambda found: (found.source != ALL, -found.recall, found.source))
    return [(SOURCES.get(found.source, found.source), found) for found in ordered]


def rated(ratings: Mapping[str, Interval]) -> list[Rated]:
    """The models' correlations and the literature's, the highest first."""
    found = [Rated(model, value, True) for model, value in ratings.items()]
    nan = float("nan")
    found += [Rated(name, Interval(value, nan, nan), False) for name, value in LITERATURE]
    return sorted(found, key=lambda row: -row.value.mean)


def all_found(candidates: Sequence[FoundPicks]) -> Any:
    """All sources of candidates together, None where that was not measured."""
    return next((found for found in candidates if found.source == ALL), None)
