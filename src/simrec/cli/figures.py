"""An evaluation's figures, for a person at a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

BESIDE = ("RR", "AP", "Success@5")
WIDTH = 24
"""Of a cell with an interval."""


def table(values: Mapping[str, Any]) -> str:
    """The main figures, and after them what else there is: a block of lines each."""
    blocks = (_warnings, _models, _comparisons, _candidates, _learned, _curve, _ratings, _editors)
    return "\n".join([_head(values["protocol"]), *(line for block in blocks for line in block(values))])


def _head(protocol: Mapping[str, Any]) -> str:
    published, rules = ", as published" * protocol["as_published"], ", after the rules" * protocol["rules"]
    return (
        f"{protocol['sources']} sources, {protocol['picks']} picks, {protocol['articles']} articles; split "
        f"{protocol['split']}{published}{rules}; 95% intervals"
    )


def _warnings(values: Mapping[str, Any]) -> Iterator[str]:
    for warning in values["protocol"].get("warnings", ()):
        yield f"take care: {warning}"


def _models(values: Mapping[str, Any]) -> Iterator[str]:
    k = values["protocol"]["k"]
    main, others = f"nDCG@{k}", [f"R@{k}", *BESIDE, f"Judged@{k}", "coverage@5"]
    others += ["rejected@5"] * all("rejected@5" in found for found in values["models"].values())
    first = max(map(len, values["models"])) + 2
    yield "".join([" " * first, f"{main:<{WIDTH}}", *(f"{name:>12}" for name in others)])
    for model, found in values["models"].items():
        cells = [f"{found[name]['mean']:>12.3f}" for name in others]
        yield "".join([f"{model:<{first}}", f"{_interval(found[main]):<{WIDTH}}", *cells])


def _comparisons(values: Mapping[str, Any]) -> Iterator[str]:
    main = f"nDCG@{values['protocol']['k']}"
    pairs = [c for c in values["comparisons"] if c["measure"] == main]
    first = max([len(f"{c['a']} - {c['b']}") for c in pairs], default=0) + 2
    for c in pairs:
        delta = f"{c['delta']:+.3f} [{c['low']:+.3f}, {c['high']:+.3f}]"
        holm = f", Holm {c['p_holm']:.4f}" if len(pairs) > 1 else ""
        yield f"{c['a'] + ' - ' + c['b']:<{first}}{main} {delta}, p {c['p']:.4f}{holm}"


def _candidates(values: Mapping[str, Any]) -> Iterator[str]:
    if values["candidates"]:
        yield "picks among the candidates, by their source (so many a page at most):"
        for found in values["candidates"]:
            yield f"  {found['source']:<12} {found['recall']:.3f} ({found['candidates']})"


def _learned(values: Mapping[str, Any]) -> Iterator[str]:
    for number, decision in enumerate(values["learned"], start=1):
        yield f"learned, fold {number}: {decision['why']}"


def _curve(values: Mapping[str, Any]) -> Iterator[str]:
    if values["curve"]:
        yield f"learned by the pages with picks that it learned from, nDCG@{values['protocol']['k']} on the first fold:"
        for point in values["curve"]:
            yield f"  {point['pages']:>6} {_interval(point)}"


def _ratings(values: Mapping[str, Any]) -> Iterator[str]:
    if values["ratings"]:
        yield "Pearson correlation with people's ratings:"
        first = max(map(len, values["ratings"])) + 2
        for model, found in values["ratings"].items():
            yield f"  {model:<{first}}{_interval(found)}"


def _interval(found: Mapping[str, Any]) -> str:
    if found["low"] is None:
        return f"{found['mean']:.3f}"
    return f"{found['mean']:.3f} [{found['low']:.3f}, {found['high']:.3f}]"


def _editors(values: Mapping[str, Any]) -> Iterator[str]:
    for one in values.get("comparisons_by_editors", ()):
        odd = sum(count for how, count in one["drawn"].items() if how != "random")
        note = f"; {odd} on pages that were not drawn at random" if odd else ""
        yield (
            f"editors, blind, {one['pages']} pages: {one['a']} {one['wins']}, {one['b']} {one['losses']}, ties "
            f"{one['ties']}: {one['a']} won {one['share']:.0%} [{one['low']:.0%}, {one['high']:.0%}], "
            f"sign test p {one['p']:.4f}{note}"
        )
