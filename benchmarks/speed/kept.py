"""What is left of nDCG@10 when quicker embedders make the vectors, by corpus and model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from speed.child import NotThere, Work
from speed.context import Context, Job
from speed.report import Measured, Outcome, Row

WAYS = ("torch", "openvino", "static")
MODELS = ("sentence", "hybrid")
KEPT = {"openvino": 0.99, "static": 0.95}
"""Share of nDCG@10 that is left, at least."""


def bench(context: Context) -> Outcome:
    """Runs it."""
    measured: dict[str, Measured] = {}
    rows: list[Row] = []
    for name in context.profile.kept:
        folder = context.corpora / name if context.corpora else None
        if folder is None or not folder.is_dir():
            rows.append(Row(f"{name}: nDCG@10", None, reason="SIMREC_CORPORA has no such corpus"))
            continue
        jobs = {way: Job("speed.kept:quality", {"folder": folder, "way": way}, 1) for way in WAYS}
        found = {way: context.run(job) for way, job in jobs.items()}
        measured |= {f"{name}: {way}": value for way, value in found.items()}
        rows += [kept(f"{name}: nDCG@10 of {model}, openvino / torch", model, "openvino", found) for model in MODELS]
        rows.append(kept(f"{name}: nDCG@10 of hybrid, static / torch", "hybrid", "static", found))
    return Outcome({"corpora": list(context.profile.kept)}, measured, rows)


def kept(what: str, model: str, way: str, found: dict[str, Measured]) -> Row:
    """The share of a model's quality that is left with another embedder's vectors."""
    reason = found[way].missing or found["torch"].missing
    if reason:
        return Row(what, None, at_least=KEPT[way], reason=reason)
    one, two = found[way].figures[model], found["torch"].figures[model]
    return Row(what, one / two, at_least=KEPT[way], note=f"{one:.4f} / {two:.4f}")


# Contenders


def quality(folder: str, way: str) -> Work:
    """nDCG@10 of the models that use sentence vectors, with those of one embedder; vectors are cached as usual."""
    from simrec.pipeline.evaluate import Task, evaluate_corpus
    from simrec.pipeline.files import read_files

    files = read_files(Path(folder) / "articles.jsonl", Path(folder) / "picks.csv")
    settings = _settings(files.settings, way)

    def work() -> dict[str, Any]:
        found = evaluate_corpus(files.corpus, files.picks, settings, Task(models=MODELS), cache=files.cache)
        return {model: round(found.models[model]["nDCG@10"].mean, 5) for model in MODELS}

    return work


def _settings(settings: Any, way: str) -> Any:
    """Settings by which a site takes one embedder's vectors."""
    if way == "static":
        import simrec.embed.static  # noqa: F401  without it, "fast" would be "best"

        return settings.model_copy(update={"build": settings.build.model_copy(update={"speed": "fast"})})
    if "backend" in type(settings.sentence).model_fields:
        return settings.model_copy(update={"sentence": settings.sentence.model_copy(update={"backend": way})})
    if way != "torch":
        raise NotThere("this simrec's sentence embedder has no backends")
    return settings
