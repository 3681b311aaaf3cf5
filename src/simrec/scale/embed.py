"""The meaning of a site's articles: the columns of its vectors, embedded part by part by workers that keep a model."""

from __future__ import annotations

from simrec.embed.cache import list_shards
from simrec.scale.backends import cache_of, choose
from simrec.scale.distilling import distill
from simrec.scale.embedding_workers import STAGE, embed_part, is_wide, run_by_workers
from simrec.scale.ground import Ground
from simrec.scale.tasks import Runner, Task
from simrec.scale.watching import by_driver

WIDE = ("title_sentence", "body_sentence")
"""Columns that only features of pairs look at."""


def embed(ground: Ground, runner: Runner) -> None:
    """Leaves the columns of vectors in the engine's folder, and says of the build whether they are `quantized`.

    All models but `tfidf` have `sentence`; titles, bodies and passages are there where a ranker looks at pairs. A
    static model is in `meaning` of that folder; vectors of a sentence model come to the cache, and those in it are not
    made again.

    Args:
        ground: the folder of the build: `about` may name the cache's folder, `vectors`.
        runner: does the tasks; on Ray, workers keep the model.

    Raises:
        ModelError: the model cannot be loaded.
        ClusterError: a part cannot be embedded.
    """
    if ground.about["model"] == "tfidf" or ground.has(_last(ground)):
        return
    static = ground.about["model"] == "static" or ground.settings.build.speed == "fast"
    if static:
        distill(ground, runner)
        ground.say(quantized=False, embedded_by="")
    else:
        quantized, fingerprint = choose(ground, runner, gpus=bool(gpus_of(runner)))
        ground.say(quantized=quantized, embedded_by=fingerprint)
    tasks = [Task(f"{span.part:06d}", (span.part,)) for span in ground.spans]
    said = run_by_workers(runner, STAGE, embed_part, tasks, gpus=0 if static else gpus_of(runner))
    cache = cache_of(ground) / ground.about["embedded_by"]
    shards = {one["shard"]: one["checksum"] for one in said if "shard" in one and (cache / one["shard"]).exists()}
    if shards:
        list_shards(cache, shards)
    with by_driver(runner, f"join {STAGE}") as done:
        done({"rows": ground.n, "bytes": _join(ground)})


def gpus_of(runner: Runner) -> int:
    """GPUs of the runner's cluster."""
    cluster = getattr(runner, "cluster", None)
    return int(cluster.ray.cluster_resources().get("GPU", 0)) if cluster else 0


def _last(ground: Ground) -> str:
    """The array that is joined last."""
    return "column-passages.1" if is_wide(ground) else "column-sentence.0"


def _join(ground: Ground) -> int:
    wide = is_wide(ground)
    written = sum(ground.join(f"column-{name}.0") for name in (*(WIDE if wide else ()), "sentence"))
    return written + (ground.join_ragged("column-passages", 1) if wide else 0)
