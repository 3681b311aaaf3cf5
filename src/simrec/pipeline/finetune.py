"""Fine-tuning the sentence model on a site's picks: `simrec train --finetune`.

Pages with picks are dealt, list by list, to three sides: those that are trained on, those that say when to stop, and
those that judge the result. The model is kept only where `hybrid` ranks better with it on the pages that judge.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from simrec import __version__
from simrec.embed.cache import MANIFEST, is_intact, write_folder
from simrec.embed.sentence import FINETUNED, SentenceEmbedder, find, load
from simrec.errors import ModelError
from simrec.evaluate.compare import compare, interval
from simrec.evaluate.measures import per_source
from simrec.evaluate.protocol import Truth, truth
from simrec.files import write_whole
from simrec.pipeline.finetune_pairs import CUTOFF, Mined, Parts, StopCheck, hold_out, lead, mine
from simrec.pipeline.finetuned import from_base, with_model
from simrec.pipeline.site import Site
from simrec.pipeline.workspace import Workspace
from simrec.settings import write_settings
from simrec.text import content_hash
from simrec.types import NO_ROW, Corpus, Progress, no_progress

if TYPE_CHECKING:
    from simrec.embed.training import Course

FORMAT = 1
LEAST_SOURCES = 50
"""With picks on fewer pages nothing is tuned: too little to tell a gain from chance."""
LEAST_GAIN = 1.0
"""Standard errors that the gain of `hybrid` must have to be believed."""
JUDGED = ("sentence", "fusion", "hybrid")
NAME = "sentence"
"""The model's folder, and with .part behind it that of a run under way."""
RUN = "run.json"


@dataclass(frozen=True)
class Tuning:
    """Options of fine-tuning.

    Attributes:
        epochs: passes over the pairs, at most.
        minutes: of training, at most; embedding the site again comes on top.
        max_pairs: pairs of a page and its pick that are trained on, at most.
        plan: further values of `simrec.embed.training.Plan`.
    """

    epochs: int = 3
    minutes: float = 15.0
    max_pairs: int = 4000
    plan: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Finetuned:
    """What came of it.

    Attributes:
        kept: whether the model is better, and was written.
        why: in words.
        described: data, settings, figures, time: what finetune.json holds.
        folder: of the model, where it was kept.
    """

    kept: bool
    why: str
    described: dict[str, Any] = field(default_factory=dict)
    folder: Path | None = None

    def as_json(self) -> dict[str, Any]:
        """`train --finetune --json`: all but the ids."""
        known = {name: value for name, value in self.described.items() if name not in {"trained", "held_out"}}
        return {"kept": self.kept, "why": self.why, "model": str(self.folder) if self.folder else None, **known}


def finetune(
    workspace: Workspace, tuning: Tuning | None = None, out: Path | None = None, progress: Progress = no_progress
) -> Finetuned:
    """Fine-tunes a workspace's sentence model on all its picks; what is kept is what `build` uses from then on.

    Args:
        workspace: with articles and picks.
        tuning: options.
        out: another folder than the workspace's models/; then the workspace's settings stay as they are.
        progress: shows long work.

    Raises:
        UsageError: there are no picks.
        ModelError: the model cannot be loaded, or what trains it is not installed.
    """
    with workspace.store() as store:
        corpus, picks = Corpus(store.articles()), store.picks()
    known = truth(corpus, picks)
    site = Site(corpus, from_base(workspace.settings), workspace.vectors, progress)
    models = workspace.path / "models"
    found = finetune_site(site, known, out or models, tuning, progress=progress)
    if found.kept and out is None:
        write_settings(workspace.path, {"sentence": {"model": f"models/{NAME}"}}, "fine-tuned on this site's picks")
    return found


def finetune_site(
    site: Site,
    known: Truth,
    out: Path,
    tuning: Tuning | None = None,
    *,
    places: NDArray[np.int64] | None = None,
    progress: Progress = no_progress,
) -> Finetuned:
    """Fine-tunes a site's sentence model on some sources' picks, and keeps it in `out`/sentence where it helps.

    A run that was interrupted is continued, where articles, picks and options are the same.

    Args:
        site: the articles, with the model to start from.
        known: the picks.
        out: the folder to write to.
        tuning: options.
        places: of the sources whose picks may be seen; None for all. The others are in no pair.
        progress: shows long work.

    Raises:
        ModelError: the model cannot be loaded, or what trains it is not installed.
    """
    tuning = tuning or Tuning()
    places = np.arange(len(known.sources)) if places is None else places
    if len(places) < LEAST_SOURCES:
        why = f"{len(places)} pages with picks are too few to fine-tune on, {LEAST_SOURCES} are needed"
        return Finetuned(False, f"{why}: the sentence model stays as it is")
    check_installed()
    parts = hold_out(known, places)
    mined = mine(site.sentence, known, parts.train, tuning.max_pairs) if parts.enough else Mined([], {})
    if not mined.triples:
        why = "the picks are all copies of few lists, nothing can be held out to measure on"
        return Finetuned(False, f"{why}: the sentence model stays as it is")
    work = _work_folder(out, site, known, parts, tuning)
    course = _train(site, known, parts, mined, tuning, work, progress)
    described = _describe(site, known, parts, mined, tuning, course)
    if course.best_step == 0:
        why = f"no check was better than the model as it was (nDCG@10 {course.start:.3f} on pages held out)"
        shutil.rmtree(work)
        return Finetuned(False, f"{why}: the sentence model stays as it is", described)
    return _judge(site, known, parts, work, out, described, progress)


def check_installed() -> None:
    """Raises ModelError where what the trainer needs is not installed."""
    missing = [name for name in ("accelerate", "datasets") if find_spec(name) is None]
    if missing:
        raise ModelError(f"fine-tuning needs {' and '.join(missing)}: pip install 'simrec[finetune]'")


def _work_folder(out: Path, site: Site, known: Truth, parts: Parts, tuning: Tuning) -> Path:
    """The folder of the run under way, emptied where it was another run's."""
    picks = [f"{known.sources[place]} {sorted(known.picks[place])}" for side in parts for place in side.tolist()]
    sides = [f"{side.tolist()}" for side in parts]
    options = {name: value for name, value in asdict(tuning).items() if name != "minutes"}
    texts = [part for text in site.corpus.texts for part in text]
    model = SentenceEmbedder(**site.settings.sentence.model_dump()).fingerprint
    key = content_hash(str(FORMAT), model, json.dumps(options, sort_keys=True), *sides, *picks, *texts)
    work = out / f"{NAME}.part"
    run = work / RUN
    if not run.is_file() or run.read_text(encoding="utf-8") != key:
        shutil.rmtree(work, ignore_errors=True)
        write_whole(run, key.encode())
    return work


def _train(
    site: Site, known: Truth, parts: Parts, mined: Mined, tuning: Tuning, work: Path, progress: Progress
) -> Course:
    """Trains, or takes what an interrupted run has trained: the model is then in `work`/tuned."""
    from simrec.embed import training
    from simrec.embed.batches import Triple

    folder = work / "tuned"
    if is_intact(folder):
        return training.Course.read(folder / FINETUNED)
    settings = site.settings.sentence
    model = load(find(settings.model), settings.device)
    plan = training.Plan(epochs=tuning.epochs, minutes=tuning.minutes, **tuning.plan)
    texts = [lead(text) for text in site.corpus.texts]
    triples = [Triple(*rows) for rows in mined.triples]
    check = StopCheck(site.corpus, known, parts.stop)
    course = training.train(model, texts, triples, mined.related, check, plan, work, progress)

    def write(part: Path) -> None:
        training.save_model(model, part)
        course.write(part / FINETUNED)

    write_folder(folder, write)
    shutil.rmtree(work / training.CHECKPOINT, ignore_errors=True)
    return course


def _describe(site: Site, known: Truth, parts: Parts, mined: Mined, tuning: Tuning, course: Course) -> dict[str, Any]:
    ids = site.corpus.ids

    def names(places: NDArray[np.int64]) -> list[str]:
        return [ids[row] for row in known.sources[places].tolist()]

    chosen = np.sort(np.concatenate(parts)).tolist()
    picks = [f"{ids[known.sources[place]]} {sorted(ids[row] for row in known.picks[place])}" for place in chosen]
    return {
        "format": FORMAT,
        "simrec": __version__,
        "base": site.settings.sentence.model,
        "articles": len(site.corpus),
        "sources": {"train": len(parts.train), "stop": len(parts.stop), "judge": len(parts.judge)},
        "pairs": len(mined.triples),
        "picks_hash": content_hash(*picks)[:16],
        "tuning": asdict(tuning),
        "training": asdict(course),
        "trained": names(parts.train),
        "held_out": {"stop": names(parts.stop), "judge": names(parts.judge)},
    }


def _judge(
    site: Site, known: Truth, parts: Parts, work: Path, out: Path, described: dict[str, Any], progress: Progress
) -> Finetuned:
    """Embeds the site with the tuned model, and keeps the model where `hybrid` gains from it."""
    began = time.monotonic()
    settings = with_model(site.settings, str(work / "tuned"))
    tuned = Site(site.corpus, settings, site.cache, progress)
    with progress("judge", 2 * len(JUDGED)) as bar:
        before = {model: ndcg_of(site, model, known, parts.judge, bar.update) for model in JUDGED}
        after = {model: ndcg_of(tuned, model, known, parts.judge, bar.update) for model in JUDGED}
    figures = {model: _figures(after[model], before[model]) for model in JUDGED}
    gain = after["hybrid"] - before["hybrid"]
    error = float(gain.std(ddof=1) / np.sqrt(len(gain)))
    kept = bool(gain.mean() > LEAST_GAIN * error)
    of = figures["hybrid"]
    told = f"hybrid's nDCG@10 {of['before']:.3f} without it, {of['after']:.3f} with it, on {len(gain)} pages held out"
    why = f"kept: {told}" if kept else f"no clear gain ({told}): the sentence model stays as it is"
    seconds = {"train": round(described["training"]["seconds"], 1), "judge": round(time.monotonic() - began, 1)}
    described = described | {"figures": figures, "seconds": seconds, "why": why}
    folder = out / NAME if kept else None
    if folder:
        write_folder(folder, lambda part: _copy(work / "tuned", part, described))
    elif site.cache:
        embedder = SentenceEmbedder(**settings.sentence.model_dump())
        shutil.rmtree(site.cache / embedder.fingerprint, ignore_errors=True)
    shutil.rmtree(work)
    return Finetuned(kept, why, described, folder)


def _copy(tuned: Path, part: Path, described: dict[str, Any]) -> None:
    shutil.copytree(tuned, part, dirs_exist_ok=True, ignore=shutil.ignore_patterns(MANIFEST))
    (part / FINETUNED).write_text(json.dumps(described, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _figures(after: NDArray[np.float64], before: NDArray[np.float64]) -> dict[str, float]:
    found = compare("tuned", "base", f"nDCG@{CUTOFF}", after, before)
    figures = {
        "before": interval(before).mean, "after": interval(after).mean, "delta": found.delta, "low": found.low,
        "high": found.high, "p": found.p,
    }  # fmt: skip
    return {name: round(float(value), 4) for name, value in figures.items()}


def ndcg_of(
    site: Site, model: str, known: Truth, places: NDArray[np.int64], done: Any = lambda n: None
) -> NDArray[np.float64]:
    """(p,) nDCG@10 of some sources, ranked by a model that sees no picks."""
    rows = known.sources[places]
    run = np.full((len(rows), CUTOFF), NO_ROW, dtype=np.int32)
    for batch, ranking in site.rank(model, rows, site.settings.rank.candidates):
        found = ranking.rows[:, :CUTOFF]
        run[np.searchsorted(rows, batch), : found.shape[1]] = found
    done(1)
    return per_source(run, [known.picks[place] for place in places.tolist()], CUTOFF)[f"nDCG@{CUTOFF}"]
