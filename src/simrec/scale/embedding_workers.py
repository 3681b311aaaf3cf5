"""Workers that embed parts of a site: each loads the model once, and keeps it for all parts that come to it."""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from simrec.embed.cache import Passages, VectorCache, write_shard
from simrec.embed.sentence import SentenceEmbedder
from simrec.embed.static import StaticEmbedder
from simrec.embed.views import Views
from simrec.errors import ClusterError
from simrec.scale.attempt import OTHER, REFUSED, SAID, THROWN, TRANSIENT, attempt
from simrec.scale.backends import cache_of, sentence_embedder
from simrec.scale.dataset import read_texts
from simrec.scale.ground import Ground
from simrec.scale.hanging import Sweeper, awaited, end
from simrec.scale.kept import Kept
from simrec.scale.runner import KEPT, LOOK
from simrec.scale.tasks import Runner, Task, Work, said_before
from simrec.scale.watching import Watch
from simrec.types import Text

T = TypeVar("T")

logger = logging.getLogger(__name__)

STAGE = "embed"
CHARACTERS = 4_000_000
"""Of the texts that are embedded at a time: their passages' vectors and tokens take 100 MB."""
MEMORY = 1_200_000_000
"""Bytes that a worker may take: the libraries and the model, and a part."""
ROUNDS = 3
"""Times that workers are started where they do not come to an end."""
ATTEMPTS = 3
"""Times that workers begin a part: one that takes its worker with it would else be given to the next for ever."""
BEGUN = "begun"
"""The folder, in that of a build, with a file for each part of a byte an attempt."""


class Worker:
    """Embeds parts, one after the other; the model is loaded with the first.

    Args:
        folder: of the build.
        token: of its driver.
        stage: of the parts.
        work: embeds one.
    """

    def __init__(self, folder: str, token: str, stage: str, work: Work) -> None:
        self._given = folder, token, stage, work

    def __call__(self, batch: Mapping[str, Any]) -> dict[str, Any]:
        """What some parts came to, by their places; nothing for those that are done."""
        named = zip(batch["name"].tolist(), batch["part"].tolist(), strict=True)
        return {"place": batch["place"], "wrong": [self._try(Task(name, (part,))) for name, part in named]}

    def _try(self, task: Task) -> str:
        """What is wrong with a part, after another attempt where it may have one; nothing where it is done."""
        folder, _, stage, _ = self._given
        if said_before(Path(folder), stage, task) is not None:
            return ""
        path = Path(folder) / BEGUN / stage / task.name
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists() and path.stat().st_size >= ATTEMPTS:
            return f"{ATTEMPTS} attempts came to nothing"
        with path.open("ab") as file:
            file.write(b".")
        found = attempt(*self._given, task)
        wrong = (str(found[kind]) for kind in (THROWN, TRANSIENT, REFUSED, OTHER) if kind in found)
        return "" if SAID in found else next(wrong, "it sees another folder")


def run_by_workers(
    runner: Runner, stage: str, work: Work, tasks: Sequence[Task], *, gpus: int = 0
) -> list[dict[str, Any]]:
    """Does tasks of one part each, as `Runner.run`; on a cluster by workers of Ray Data, which keep what they load.

    What workers do not finish, the runner then does, and says what is wrong with it.

    Args:
        runner: of the build.
        stage: its name.
        work: does one task.
        tasks: all of them; the one argument of each is its part.
        gpus: of the cluster; with any, each worker has one, else a cpu.
    """
    if getattr(runner, "cluster", None) is None:
        return runner.run(stage, work, tasks, memory=MEMORY)
    ray_runner: Any = runner
    before, retries = len(tasks) - len(_left(ray_runner, stage, tasks)), 0
    if before < len(tasks):
        retries = _run_on_ray(ray_runner, stage, work, tasks, gpus)
    said = runner.run(stage, work, tasks, memory=MEMORY)
    summary = ray_runner.summary.stages[stage]
    summary.skipped, summary.retries = before, summary.retries + retries
    ray_runner.summary.save()
    return said


def _run_on_ray(runner: Any, stage: str, work: Work, tasks: Sequence[Task], gpus: int) -> int:
    """Gives parts to workers, and those that are left again; how many attempts came to nothing."""
    begun = runner.folder / BEGUN / stage
    shutil.rmtree(begun, ignore_errors=True)
    runner.cluster.prove(runner.folder, runner.token)
    todo = len(left := _left(runner, stage, tasks))
    for _ in range(ROUNDS):
        if not left:
            break
        with runner.summary.watch(stage, len(tasks), len(tasks) - len(left), runner.progress) as watch:
            for task in set(tasks) - set(left):
                watch.found(said_before(runner.folder, stage, task) or {})
            try:
                for place, wrong in _watched(runner, stage, watch, _stream(runner, stage, work, left, gpus), gpus):
                    if wrong:
                        logger.warning("%s, part %s is tried again: %s", stage, left[place].name, wrong)
                    else:
                        watch.done(said_before(runner.folder, stage, left[place]) or {})
            except runner.cluster.ray.exceptions.RayError as error:
                logger.warning("%s: workers are started again: %s", stage, str(error).strip().splitlines()[0])
        before, left = len(left), _left(runner, stage, tasks)
        if len(left) == before:  # it is nothing that another time would heal
            break
    attempts = sum(int(path.stat().st_size) for path in begun.glob("*"))
    return max(int(attempts) - (todo - len(left)), 0)


def _watched(runner: Any, stage: str, watch: Watch, rows: Iterator[T], gpus: int) -> Iterator[T]:
    """What workers come to; a worker that hangs is ended, and the wait ends where no node has what they need."""
    cluster, sweeper, alive = runner.cluster, Sweeper(runner.folder, stage), time.monotonic()
    needed = "GPU" if gpus else "CPU"

    def look() -> None:
        nonlocal alive
        watch.tell()
        if cluster.ray.cluster_resources().get(needed, 0):
            alive = time.monotonic()
        elif time.monotonic() - alive > runner.patience:
            raise ClusterError(
                f"no node of the cluster has a {needed} by now: start some with `ray start`, and run it again: {KEPT}"
            )
        for hung in sweeper.sweep(watch.finished, watch.stage.total - watch.stage.tasks):
            elsewhere = {one.id for one in cluster.nodes() if one.address != hung.where}
            list(cluster.on_each(end, hung.process, but=elsewhere))
            sweeper.moved(hung.name)

    for row in awaited(rows, look, LOOK):
        sweeper.moved()
        yield row


def _left(runner: Any, stage: str, tasks: Sequence[Task]) -> list[Task]:
    return [task for task in tasks if said_before(runner.folder, stage, task) is None]


def _stream(runner: Any, stage: str, work: Work, tasks: Sequence[Task], gpus: int) -> Iterator[tuple[int, str]]:
    """The place of each part that a worker is through with, and what is wrong with it."""
    import ray.data

    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    rows = [{"place": place, "name": task.name, "part": task.arguments[0]} for place, task in enumerate(tasks)]
    size = max(min(gpus or runner.cluster.cpus, len(tasks)), 1)
    parts = ray.data.from_items(rows, override_num_blocks=len(rows))
    asked: dict[str, Any] = {"num_gpus": 1} if gpus else {"num_cpus": 1}
    made = parts.map_batches(
        Worker,
        fn_constructor_args=(str(runner.folder), runner.token, stage, work),
        batch_size=1,
        compute=ray.data.ActorPoolStrategy(
            min_size=1, max_size=size, initial_size=size, max_tasks_in_flight_per_actor=2
        ),
        memory=min(MEMORY, runner.cluster.memory) or None,
        **asked,
    )
    for row in made.iter_rows():
        yield int(row["place"]), str(row["wrong"])


# A part


def embed_part(folder: str, part: int) -> Mapping[str, Any]:
    """Embeds a part, and leaves its arrays; the vectors that were not in the cache come to it as one shard."""
    meaning = opened(folder)
    texts = read_texts(meaning.ground, meaning.ground.spans[part])
    views = [meaning.embedder.views(some) for some in slices(texts)]
    said = {"rows": len(texts), "bytes": _put(meaning.ground, part, views)}
    return said | meaning.write_fresh()


class Meaning:
    """What embeds the articles of a build, in a worker.

    Args:
        folder: of the build; what embeds them was chosen, and is in `about`.

    Attributes:
        ground: the folder.
        embedder: gives the views of texts.
    """

    def __init__(self, folder: str) -> None:
        self.ground = Ground(folder)
        self.embedder: SentenceEmbedder | StaticEmbedder
        self._fresh: list[tuple[Sequence[str], Passages]] = []
        self._fingerprint = self.ground.about["embedded_by"]
        if self._fingerprint:
            self._kept = Kept(self.ground, self._fingerprint)
            self.embedder = sentence_embedder(self.ground).settled(self.ground.about["quantized"], self._known)
        else:
            static = StaticEmbedder(**self.ground.settings.sentence.model_dump())
            self.embedder = static.load(self.ground.engine / "meaning")

    def _known(self, keys: Sequence[str]) -> VectorCache:
        cache = _Noting(self._fresh)
        for known, passages in self._kept.found(keys):
            VectorCache.put(cache, known, passages)
        return cache

    def write_fresh(self) -> dict[str, str]:
        """Writes what was embedded since the last time into the cache; the name and checksum of the shard."""
        fresh, self._fresh[:] = list(self._fresh), []
        if not fresh:
            return {}
        keys = [key for some, _ in fresh for key in some]
        vectors, lengths = zip(*(passages for _, passages in fresh), strict=True)
        whole = Passages(np.concatenate(vectors), np.concatenate(lengths))
        name, checksum = write_shard(cache_of(self.ground) / self._fingerprint, keys, whole)
        return {"shard": name, "checksum": checksum}


class _Noting(VectorCache):
    """A cache in memory that notes what is put into it."""

    def __init__(self, noted: list[tuple[Sequence[str], Passages]]) -> None:
        super().__init__(None, "")
        self._noted = noted

    def put(self, keys: Sequence[str], passages: Passages) -> None:
        super().put(keys, passages)
        self._noted.append((keys, passages))


@lru_cache(maxsize=1)
def opened(folder: str) -> Meaning:
    """What embeds the articles of a build, kept from part to part."""
    return Meaning(folder)


def slices(texts: Sequence[Text], most: int = CHARACTERS) -> Iterator[list[Text]]:
    """Texts in runs of so many characters at most, or of one text."""
    run: list[Text] = []
    room = most
    for text in texts:
        length = len(text.title) + len(text.body)
        if run and length > room:
            yield run
            run, room = [], most
        run.append(text)
        room -= length
    if run:
        yield run


def is_wide(ground: Ground) -> bool:
    """Whether features of pairs look at titles, bodies and passages."""
    return bool(ground.about.get("prior", ground.about["model"] == "hybrid"))


def _put(ground: Ground, part: int, views: Sequence[Views]) -> int:
    """Writes a part's arrays; returns their bytes."""
    arrays = {"sentence.0": np.concatenate([one.articles for one in views])}
    if is_wide(ground):
        lengths = np.concatenate([one.passages.lengths for one in views])
        arrays["title_sentence.0"] = np.concatenate([one.titles for one in views])
        arrays["body_sentence.0"] = np.concatenate([one.bodies for one in views])
        arrays["passages.0"] = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        arrays["passages.1"] = np.concatenate([one.passages.vectors for one in views])
    return sum(ground.put(f"column-{name}", part, array) for name, array in arrays.items())
