"""Plots for the documentation, the same bytes from the same figures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from speed.report import Outcome, number
from speed.scaling import MILLION, WHOLE, fit, predict

OURS, THEIRS, LIMIT = "#1f5fa8", "#9aa0a6", "#d98c00"
STYLE: Any = {
    "svg.hashsalt": "simrec",
    "svg.fonttype": "none",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
}
RACES = {
    "dense": {
        "simrec": "simrec DenseIndex", "product": "bare matrix product", "sklearn": "sklearn", "numpy": "numpy",
        "semantic_search": "sentence-transformers",
    },
    "sparse": {"simrec": "simrec SparseIndex", "sparse_dot_topn": "sparse_dot_topn", "sklearn": "sklearn"},
    "embed": {
        "encode": "sentence-transformers", "torch": "simrec, torch", "openvino": "simrec, openvino",
        "static": "simrec, static",
    },
}  # fmt: skip
"""By benchmark, the contenders that a plot shows."""


def draw(outcomes: Mapping[str, Outcome], folder: Path, profile: str) -> list[Path]:
    """Writes the plots that there are figures for; returns their files."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    folder.mkdir(parents=True, exist_ok=True)
    kinds: dict[str, Callable[[Outcome, Figure], bool]] = {"peers": _peers, "scaling": _growth}
    written = []
    with mpl.rc_context(STYLE):
        for name, outcome in outcomes.items():
            figure = Figure(figsize=(7, 3.2), layout="constrained")
            drawn = kinds[name](outcome, figure) if name in kinds else _race(name, outcome, figure)
            if drawn:
                path = folder / f"speed-{profile}-{name}.svg"
                figure.savefig(path, metadata={"Date": None})
                written.append(path)
    return written


def _race(name: str, outcome: Outcome, figure: Any) -> bool:
    """A bar a contender: articles or rows a second."""
    bars = []
    for key, label in RACES.get(name, {}).items():
        found = outcome.measured.get(key)
        if found and found.seconds:
            done = found.figures.get("texts") or outcome.sizes.get("rows") or 0
            bars.append(
                (done / found.seconds, label, LIMIT if key == "product" else OURS if "simrec" in label else THEIRS)
            )
    if not bars:
        return False
    bars.sort()
    axes = figure.subplots()
    values, labels, colors = zip(*bars, strict=True)
    drawn = axes.barh(labels, values, color=colors)
    axes.bar_label(drawn, [f"{number(value)}" for value in values], padding=3)
    axes.set_xlabel("articles a second")
    axes.margins(x=0.12)
    return True


def _peers(outcome: Outcome, figure: Any) -> bool:
    """Quality over seconds, a panel a corpus."""
    points = outcome.series.get("points", [])
    corpora = list(dict.fromkeys(point["corpus"] for point in points))
    if not corpora:
        return False
    figure.set_size_inches(3.4 * len(corpora) + 0.6, 3.6)
    for axes, corpus in zip(figure.subplots(1, len(corpora), squeeze=False)[0], corpora, strict=True):
        for point in points:
            if point["corpus"] == corpus:
                at = point["seconds"], point["nDCG@10"]
                axes.plot(*at, "o", color=OURS if point["ours"] else THEIRS)
                axes.annotate(point["name"], at, xytext=(3, 4), textcoords="offset points", fontsize=6)
        axes.set(xscale="log", title=corpus, xlabel="seconds for all blocks")
        axes.margins(x=0.35, y=0.15)
    figure.axes[0].set_ylabel("nDCG@10")
    return True


def _growth(outcome: Outcome, figure: Any) -> bool:
    """Seconds of each stage over articles, both logarithmic, with the fits; the whole is the sum of its stages."""
    stages = {name: points for name, points in outcome.series.get("stages", {}).items() if fit(points)}
    if not stages:
        return False
    figure.set_size_inches(7, 4)
    axes = figure.subplots()
    for name, points in stages.items():
        articles, taken = zip(*points, strict=True)
        exponent, _ = fit(points) or (0.0, 0.0)
        (line,) = axes.plot(articles, taken, "o", markersize=4, label=f"{name}: {exponent:.2f}")
        reach = [articles[0] * (MILLION / articles[0]) ** (step / 20) for step in range(21)]
        fitted = [predict(stages if name == WHOLE else {name: points}, n) for n in reach]
        axes.plot(reach, fitted, color=line.get_color(), linewidth=0.8)
    axes.set(xscale="log", yscale="log", xlabel="articles", ylabel="seconds")
    axes.legend(title="stage: exponent", fontsize=7, frameon=False)
    return True
