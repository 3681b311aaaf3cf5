"""What a second worker brings to embedding: one against two on a cluster of this machine, each with one thread.

The same texts are embedded by one worker, by two, and so on in turn. The efficiency is the time that one takes, over
twice the time that two take: of the whole stage, where each starts and loads its model; of its parts alone; and by the
time of processors that parts take, which says what workers cost each other also where other work is under way.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from simrec.files import write_whole
from simrec.scale.backends import choose
from simrec.scale.cluster import connect
from simrec.scale.embedding_workers import STAGE, embed_part, opened, run_by_workers
from simrec.scale.ground import Ground
from simrec.scale.runner import RayRunner
from simrec.scale.tasks import DONE, Task
from simrec.settings import Settings
from simrec.types import Text

RESULTS = Path(__file__).parent / "results" / "scale-embed.json"
WORKERS = (1, 2, 2, 1)
KINDS = {"seconds": 2, "embedding": 2, "processor": 1}
"""Of times, and how many workers' time they are."""


def main() -> None:
    """Runs the benchmark, and prints a line a run."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--corpus", default="lo-help-en", help="of SIMREC_CORPORA")
    parser.add_argument("--articles", type=int, default=300)
    parser.add_argument("--part", type=int, default=10, help="articles a part")
    parser.add_argument("--backend", choices=["torch", "openvino"], default="torch")
    options = parser.parse_args()
    path = Path(os.environ["SIMREC_CORPORA"]) / options.corpus / "articles.jsonl"
    with path.open(encoding="utf-8") as lines:
        articles = [json.loads(line) for line in islice(lines, options.articles)]
    with tempfile.TemporaryDirectory() as folder:
        runs = [
            measure(Path(folder), number, workers, articles, options.part, options.backend)
            for number, workers in enumerate(WORKERS)
        ]
    found = {**vars(options), "runs": runs, "efficiency": efficiency(runs)}
    print(json.dumps(found["efficiency"]))
    known = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
    known[f"{options.corpus} {options.backend}"] = found
    write_whole(RESULTS, (json.dumps(known, indent=1) + "\n").encode(), "free some space and run it again")


def measure(
    folder: Path, number: int, workers: int, articles: list[dict[str, Any]], rows: int, backend: str
) -> dict[str, Any]:
    """Embeds all articles anew; a converted model is made once."""
    ground = prepare(folder / str(number), articles, rows, backend, folder / "models")
    with connect(cores=workers) as cluster:
        before = os.getloadavg()[0]
        runner = RayRunner(ground.folder, cluster)
        choice = choose(ground, runner)
        ground.say(quantized=choice.quantized, embedded_by=choice.fingerprint)
        tasks = [Task(f"{span.part:06d}", (span.part,)) for span in ground.spans]
        start = time.perf_counter()
        parts = run_by_workers(runner, STAGE, timed, tasks)
        whole = time.perf_counter() - start
    for model in (ground.folder / "vectors").glob("openvino-*"):
        if not model.is_symlink():
            model.rename(folder / "models" / model.name)
    stage = runner.summary.stages[STAGE]
    vectors = sum(len(ground.part("column-passages.1", span.part)) for span in ground.spans)
    said = {
        "workers": workers,
        "seconds": round(whole, 2),
        "embedding": round(embedding(ground, workers), 2),
        "of_parts": stage.work,
        "processor": round(sum(one["processor"] for one in parts), 2),
        "articles": ground.n,
        "passages": vectors,
        "megabytes_a_part": round(stage.memory / 1e6),
        "load_before": round(before, 2),
    }
    print(json.dumps(said), flush=True)
    return said


def timed(folder: str, part: int) -> Mapping[str, Any]:
    """Embeds a part, and says how long processors were at it, but for the model."""
    opened(folder).embedder.views([Text("a", "a", "en")])
    start = time.process_time()
    said = embed_part(folder, part)
    return {**said, "processor": time.process_time() - start}


def embedding(ground: Ground, workers: int) -> float:
    """Seconds that all parts would take at the pace that was kept between the first parts and the last: what came
    before, workers and their models, is paid once, not by the part."""
    ended = sorted(path.stat().st_mtime for path in (ground.folder / DONE / STAGE).glob("*.json"))
    return (ended[-1] - ended[workers - 1]) / (len(ended) - workers) * len(ended)


def prepare(folder: Path, articles: list[dict[str, Any]], rows: int, backend: str, models: Path) -> Ground:
    """A ground of articles, whose cache has no vectors, but a converted model where one was made."""
    ground = Ground(folder)
    (ground.folder / "articles").mkdir(parents=True)
    models.mkdir(exist_ok=True)
    cache = folder / "vectors"
    cache.mkdir()
    for model in models.glob("openvino-*"):
        (cache / model.name).symlink_to(model)
    settings = Settings(sentence={"backend": backend, "device": "cpu"})  # type: ignore[arg-type]
    borders = [*range(0, len(articles), rows), len(articles)]
    known = {"n": len(articles), "borders": borders, "main_lang": "en", "model": "hybrid", "vectors": str(cache)}
    ground.say(settings=settings.model_dump(mode="json"), **known)
    for span in ground.spans:
        texts = [{name: one.get(name) for name in ("title", "body", "lang")} for one in articles[span.begin : span.end]]
        pq.write_table(pa.Table.from_pylist(texts), ground.folder / "articles" / f"{span.part:06d}.parquet")
    return ground


def efficiency(runs: list[dict[str, Any]]) -> dict[str, float]:
    """One worker's time over twice that of two, and over that of two by processors; the best run of each."""
    best = {
        (workers, kind): min(run[kind] for run in runs if run["workers"] == workers)
        for workers in (1, 2)
        for kind in KINDS
    }
    return {kind: round(best[1, kind] / (KINDS[kind] * best[2, kind]), 3) for kind in KINDS}


if __name__ == "__main__":
    main()
