"""Training a sentence model on pairs of texts, by sentence-transformers' own trainer; importing it loads torch.

A checkpoint is the model, the optimizer's moments and the state of the random numbers as safetensors, and JSON: the
trainer's own checkpoints are pickles, which are never loaded here. Who resumes gets the same weights as who was never
interrupted.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from sentence_transformers import SentenceTransformerTrainer, SentenceTransformerTrainingArguments
from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss
from transformers import PrinterCallback, TrainerCallback

from simrec.embed.batches import Batches, Triple
from simrec.embed.cache import is_intact, write_folder
from simrec.embed.sentence import no_bars
from simrec.types import Bar, Dense, Progress

SEED = 0
CHECKPOINT = "checkpoint"
TRAINER_STATE = "trainer_state.json"
"""The name that the trainer looks for."""
_LAYER = re.compile(r"\.layers?\.(\d+)\.")


@dataclass(frozen=True)
class Plan:
    """How to train.

    Attributes:
        epochs: passes over the triples, at most.
        minutes: of training, at most, over all runs of it.
        batch_size: triples a batch; all other texts of the batch are negatives, too.
        learning_rate: at its highest, after a tenth of the steps; then it falls to 0.
        max_tokens: longer texts are cut.
        frozen_layers: lowest layers that stay as they are, beside the token embeddings, which always do.
        check_every: steps between two checks.
        save_every: steps between two checkpoints.
        patience: checks without a new best before training stops.
    """

    epochs: int = 3
    minutes: float = 15.0
    batch_size: int = 16
    learning_rate: float = 3e-5
    max_tokens: int = 96
    frozen_layers: int = 0
    check_every: int = 20
    save_every: int = 20
    patience: int = 4


@dataclass
class Course:
    """How training went.

    Attributes:
        checks: pairs of a step and the value of its check; the first is of the model as it was.
        best_step: step of the best check, the earliest of equal ones.
        step, steps: steps done and planned.
        seconds: of training, with checks, over all runs.
        ended: why it ended, in words.
    """

    checks: list[tuple[int, float]] = field(default_factory=list)
    best_step: int = 0
    step: int = 0
    steps: int = 0
    seconds: float = 0.0
    ended: str = ""

    @property
    def start(self) -> float:
        """Value of the model as it was."""
        return self.checks[0][1]

    @property
    def best(self) -> float:
        """The highest value."""
        return max(value for _, value in self.checks)

    def write(self, path: Path) -> None:
        """Writes it as JSON."""
        path.write_text(json.dumps(asdict(self)), encoding="utf-8")

    @classmethod
    def read(cls, path: Path) -> Course:
        """Reads what `write` wrote."""
        stored = json.loads(path.read_text(encoding="utf-8"))
        return cls(**{**stored, "checks": [(step, value) for step, value in stored["checks"]]})


Encode = Callable[[Sequence[str]], Dense]
Check = Callable[[Encode], float]
"""Measures the model: the higher, the better."""


def train(
    model: Any, texts: Sequence[str], triples: Sequence[Triple], related: Mapping[int, AbstractSet[int]],
    check: Check, plan: Plan, work: Path, progress: Progress,
) -> Course:  # fmt: skip
    """Trains a sentence-transformers model in place, and leaves it with the weights of its best check.

    Source of the loss: Henderson et al. 2017, with a mined negative for each pair.

    Args:
        model: the model.
        texts: what triples point to.
        triples: at least one.
        related: for an anchor, the texts that are never its negatives.
        check: measures the model; called before the first step, too.
        plan: how to train.
        work: a folder for the checkpoint; what an interrupted run with the same arguments left there is continued.
        progress: shows the steps.
    """
    from datasets import Dataset

    rows: dict[str, list[str]] = {name: [texts[getattr(t, name)] for t in triples] for name in Triple._fields}
    whole_length, model.max_seq_length = model.max_seq_length, min(plan.max_tokens, model.max_seq_length)
    _freeze(model, plan.frozen_layers)
    batches = Batches.maker(triples, related)
    number = -(-len(triples) // plan.batch_size)
    watch = Watch(model, check, plan, work, number * plan.epochs)
    arguments = SentenceTransformerTrainingArguments(
        output_dir=str(work),
        num_train_epochs=plan.epochs,
        per_device_train_batch_size=plan.batch_size,
        learning_rate=plan.learning_rate,
        warmup_steps=max(number * plan.epochs // 10, 1),
        batch_sampler=batches,
        seed=SEED,
        use_cpu=model.device.type == "cpu",
        dataloader_pin_memory=False,
        save_strategy="no",
        logging_strategy="no",
        report_to=[],
        disable_tqdm=True,
    )
    trainer = Trainer(
        model=model,
        args=arguments,
        train_dataset=Dataset.from_dict(rows),
        loss=MultipleNegativesRankingLoss(model),
        callbacks=[watch],
    )
    trainer.remove_callback(PrinterCallback)
    with progress("fine-tune", watch.course.steps) as watch.bar:
        watch.bar.update(watch.course.step)
        trainer.train(resume_from_checkpoint=str(watch.folder) if watch.resumed else None)
    model.load_state_dict(watch.best)
    model.requires_grad_(True)
    model.max_seq_length = whole_length
    return watch.course


class Trainer(SentenceTransformerTrainer):
    """The trainer, without the model card that it would gather data for."""

    def add_model_card_callback(self, default_args_dict: dict[str, Any]) -> None:
        """Adds none."""


class Watch(TrainerCallback):
    """Checks, checkpoints, the time limit and the bar.

    Attributes:
        course: how training goes.
        best: weights of the best check.
        resumed: whether there is a checkpoint to go on from, in `folder`.
        bar: shows the steps.
    """

    def __init__(self, model: Any, check: Check, plan: Plan, work: Path, steps: int) -> None:
        self.model = model
        self.check = check
        self.plan = plan
        self.folder = work / CHECKPOINT
        self.resumed = is_intact(self.folder)
        self.course = Course(steps=steps)
        self.best: dict[str, Any] = {}
        self.bar: Bar
        self._random: Any = None
        self._began = time.monotonic()
        if self.resumed:
            self.course = Course.read(self.folder / "course.json")
            self.best = load_file(self.folder / "best.safetensors")
            self._began -= self.course.seconds

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Measures the model as it is, or takes up where the checkpoint left."""
        if self.resumed:
            self._restore(kwargs["optimizer"], kwargs["lr_scheduler"])
        else:
            self._check()

    def on_step_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Puts the random numbers back, once the trainer has found the batch to go on with."""
        if self._random is not None:
            torch.set_rng_state(self._random)
            self._random = None

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Checks, saves, and stops when it is time."""
        course, plan = self.course, self.plan
        course.step = state.global_step
        self.bar.update(1)
        checks = course.step % plan.check_every == 0 or course.step == course.steps
        if checks:
            self._check()
        course.seconds = time.monotonic() - self._began
        since = sum(step > course.best_step for step, _ in course.checks)
        if since >= plan.patience:
            course.ended = f"no better in {since} checks"
        elif course.seconds > 60 * plan.minutes:
            course.ended = f"the {plan.minutes:g} minutes were over"
            if not checks:
                self._check()
        elif course.step == course.steps:
            course.ended = "all steps are done"
        if course.ended:
            control.should_training_stop = True
        elif checks or course.step % plan.save_every == 0:
            self._save(state, kwargs["optimizer"], kwargs["lr_scheduler"])

    def _check(self) -> None:
        def encode(texts: Sequence[str]) -> Dense:
            found = self.model.encode(
                list(texts), batch_size=self.plan.batch_size, normalize_embeddings=True, show_progress_bar=False
            )
            return np.asarray(found, dtype=np.float32)

        value = float(self.check(encode))
        if not self.course.checks or value > self.course.best:
            self.course.best_step = self.course.step
            self.best = {name: tensor.detach().clone() for name, tensor in self.model.state_dict().items()}
        self.course.checks.append((self.course.step, value))

    def _save(self, state: Any, optimizer: Any, schedule: Any) -> None:
        found = optimizer.state_dict()
        moments = {f"{number}.{name}": tensor for number, of in found["state"].items() for name, tensor in of.items()}
        rates = [group["lr"] for group in found["param_groups"]]

        def write(part: Path) -> None:
            save_model(self.model, part)
            state.save_to_json(str(part / TRAINER_STATE))
            save_file(self.best, part / "best.safetensors")
            save_file({**moments, "random": torch.get_rng_state()}, part / "optimizer.safetensors")
            (part / "schedule.json").write_text(json.dumps({"rates": rates, "schedule": schedule.state_dict()}))
            self.course.write(part / "course.json")

        write_folder(self.folder, write)

    def _restore(self, optimizer: Any, schedule: Any) -> None:
        tensors = load_file(self.folder / "optimizer.safetensors")
        self._random = tensors.pop("random")
        moments: dict[int, dict[str, Any]] = {}
        for name, tensor in tensors.items():
            number, _, kind = name.partition(".")
            moments.setdefault(int(number), {})[kind] = tensor
        stored = json.loads((self.folder / "schedule.json").read_text(encoding="utf-8"))
        found = optimizer.state_dict()
        for group, rate in zip(found["param_groups"], stored["rates"], strict=True):
            group["lr"] = rate
        optimizer.load_state_dict({"state": moments, "param_groups": found["param_groups"]})
        schedule.load_state_dict(stored["schedule"])


def save_model(model: Any, folder: Path) -> None:
    """Writes a model as safetensors, without a model card."""
    with no_bars():
        model.save_pretrained(str(folder), create_model_card=False)


def _freeze(model: Any, layers: int) -> None:
    """Keeps the token embeddings and the lowest layers as they are."""
    for name, parameter in model.named_parameters():
        layer = _LAYER.search(name)
        if ".embeddings." in name or (layer and int(layer[1]) < layers):
            parameter.requires_grad_(False)
