"""Quality of simrec on the corpora in the folder that SIMREC_CORPORA names, or on the sample newsroom.

Writes one JSON file for each corpus into benchmarks/results: machine, versions, sizes, seconds of each step, and the
figures of the evaluation, beside those that other systems reached on the same corpus. Speed is `run.py`'s.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

from simrec.pipeline.build import build, peak_rss_mb
from simrec.pipeline.evaluate import Task, evaluate_corpus
from simrec.pipeline.files import cache_folder
from simrec.pipeline.ingest import ingest
from simrec.pipeline.sample import newsroom
from simrec.pipeline.workspace import Workspace
from simrec.types import Corpus

RESULTS = Path(__file__).parent / "results"
LIBRARIES = (
    "numpy",
    "scipy",
    "scikit-learn",
    "faiss-cpu",
    "sparse-dot-topn",
    "torch",
    "sentence-transformers",
    "lightgbm",
)
CORPORA = ("auth0-blog", "digitalgov", "lo-help-en", "lo-help-ru", "lee-news")
MODELS = ("tfidf", "sentence", "fusion", "hybrid", "learned")
PEERS = {
    "auth0-blog": {"more-like-this": 0.223, "BM25": 0.292, "gensim TF-IDF": 0.324, "MiniLM, 256 tokens": 0.287},
    "digitalgov": {"more-like-this": 0.206, "BM25": 0.297, "gensim TF-IDF": 0.302, "MiniLM, 256 tokens": 0.247},
    "lo-help-en": {"more-like-this": 0.290, "BM25": 0.468, "gensim TF-IDF": 0.420, "MiniLM, 256 tokens": 0.422},
}
"""nDCG@10 of other systems, five folds."""


def main() -> None:
    """Runs the benchmark for each corpus that is there."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--corpus", action="append", help="only this one; again for more")
    parser.add_argument("--split", default="kfold", choices=("kfold", "group", "time"))
    options = parser.parse_args()
    corpora = os.environ.get("SIMREC_CORPORA")
    folders = [Path(corpora) / name for name in options.corpus or CORPORA] if corpora else [newsroom()]
    for folder in folders:
        if not (folder / "articles.jsonl").exists():
            print(f"{folder.name}: not in {folder.parent}, skipped")
            continue
        found = measure(folder, options.split)
        RESULTS.mkdir(exist_ok=True)
        path = RESULTS / f"{folder.name}-{options.split}.json"
        path.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        show(folder.name, found)


def measure(folder: Path, split: str) -> dict[str, Any]:
    """Ingests, builds (with whatever vectors the user's cache has) and evaluates a corpus."""
    with tempfile.TemporaryDirectory() as temporary:
        workspace = Workspace.open(Path(temporary), create=True)
        start = time.perf_counter()
        ingest(workspace, [folder / "articles.jsonl"], picks=[folder / "picks.csv"])
        ingested = time.perf_counter() - start
        cache_folder().mkdir(parents=True, exist_ok=True)
        (Path(temporary) / "vectors").symlink_to(cache_folder())
        built = build(workspace)
        with workspace.store() as store:
            corpus, picks = Corpus(store.articles()), store.picks()
        start = time.perf_counter()
        task = Task(models=MODELS, split=split)  # type: ignore[arg-type]
        found = evaluate_corpus(corpus, picks, workspace.settings, task, cache=cache_folder())
        evaluated = time.perf_counter() - start
    return {
        "machine": {"system": platform.system(), "processor": platform.machine(), "cores": os.cpu_count()},
        "versions": {"python": platform.python_version(), **{name: version(name) for name in LIBRARIES}},
        "articles": len(corpus),
        "picks": len(picks),
        "seconds": {
            "ingest": round(ingested, 2),
            **{f"build: {name}": stage["seconds"] for name, stage in built.stages.items()},
            "evaluate": round(evaluated, 2),
        },
        "peak_rss_mb": peak_rss_mb(),
        "peers_nDCG@10": PEERS.get(folder.name, {}),
        "evaluation": {name: value for name, value in found.as_json().items() if name != "slices"},
    }


def show(name: str, found: dict[str, Any]) -> None:
    """Prints the main figures."""
    print(f"{name}: {found['articles']} articles, {found['picks']} picks, {found['peak_rss_mb']:.0f} MB")
    print("  " + ", ".join(f"{step} {seconds:.1f} s" for step, seconds in found["seconds"].items()))
    for peer, value in found["peers_nDCG@10"].items():
        print(f"  nDCG@10 {value:.3f}                 {peer}")
    for model, measures in found["evaluation"]["models"].items():
        value = measures["nDCG@10"]
        print(f"  nDCG@10 {value['mean']:.3f} [{value['low']:.3f}, {value['high']:.3f}]  {model}")


if __name__ == "__main__":
    main()
