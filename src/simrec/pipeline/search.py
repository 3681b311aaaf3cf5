"""A search through a stage's settings by Optuna, kept on disk after every trial and taken up again there."""

from __future__ import annotations

import json
import time
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from simrec.errors import ModelError, StoreError
from simrec.pipeline.space import Stage, get_value, with_values
from simrec.settings import Settings
from simrec.text import content_hash
from simrec.types import Progress

FEW = 4
"""Trials below which nothing is said of a setting's importance."""


class Searched(NamedTuple):
    """What a stage found.

    Attributes:
        stage: its name.
        trials: for each trial its number, nDCG@10 and the settings' values.
        resumed: how many of them an earlier call made.
        importances: each setting's share of what the trials' values differ by (fANOVA, Hutter et al. 2014).
        best: the settings of the best trial.
    """

    stage: str
    trials: list[dict[str, Any]]
    resumed: int
    importances: Mapping[str, float]
    best: Settings


class Searcher:
    """Searches stages, one after another.

    Args:
        file: a database that keeps the trials; None keeps none.
        key: names what is measured: trials under another key are not looked at.
        progress: shows each trial.

    Raises:
        ModelError: Optuna is not installed.
    """

    def __init__(self, file: Path | None, key: str, progress: Progress) -> None:
        self.optuna = load_optuna()
        self.file = file
        self.key = key
        self.progress = progress

    def search(self, stage: Stage, start: Settings, measure: Callable[[Settings], float], until: float) -> Searched:
        """Tries combinations of a stage's values, the first of them the settings of now.

        The sampler is seeded by the number of the trials that are done: a search that was stopped and taken up again
        finds what one without a break would have found.

        Args:
            stage: what to search.
            start: the settings of now.
            measure: nDCG@10 under some settings.
            until: the moment, by `time.monotonic`, after which no trial starts but the first.

        Raises:
            StoreError: the database cannot be read or written.
        """
        from optuna.exceptions import StorageInternalError
        from sqlalchemy.exc import SQLAlchemyError

        try:
            return self._search(stage, start, measure, until)
        except (SQLAlchemyError, StorageInternalError, ValueError) as error:
            if isinstance(error, ValueError) and self.file is None:
                raise
            why = " ".join(str(getattr(error, "orig", None) or error).split())
            raise StoreError(f"{self.file} cannot be used ({why}): run `simrec tune --fresh`") from error

    def _search(self, stage: Stage, start: Settings, measure: Callable[[Settings], float], until: float) -> Searched:
        optuna = self.optuna
        study = self._study(stage, start)
        states = optuna.trial.TrialState
        for trial in study.get_trials(deepcopy=False, states=(states.RUNNING,)):
            study.tell(trial.number, state=states.FAIL)  # a call that was stopped in the midst of it
        resumed = done = len(study.get_trials(deepcopy=False, states=(states.COMPLETE,)))
        with self.progress(f"tune {stage.name}", stage.trials) as bar:
            bar.update(min(done, stage.trials))
            while done < stage.trials and (not done or time.monotonic() < until):
                study.sampler = self._sampler(done)
                if not done:
                    now = {key: values.index(get_value(start, key)) for key, values in stage.grid.items()}
                    study.enqueue_trial(now, skip_if_exists=True)
                trial = study.ask()
                places = {key: trial.suggest_int(key, 0, len(values) - 1) for key, values in stage.grid.items()}
                study.tell(trial, measure(_at(stage, start, places)))
                done += 1
                bar.update(1)
        complete = study.get_trials(deepcopy=False, states=(states.COMPLETE,))
        best = max(complete, key=lambda trial: (trial.value, -trial.number))
        trials = [
            {"number": number, "nDCG@10": round(trial.value, 6), "settings": _values(stage, trial.params)}
            for number, trial in enumerate(complete)
        ]
        return Searched(stage.name, trials, resumed, self._importances(study), _at(stage, start, best.params))

    def _study(self, stage: Stage, start: Settings) -> Any:
        from sqlalchemy.engine import URL

        storage = None
        if self.file:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            storage = self.optuna.storages.RDBStorage(URL.create("sqlite", database=str(self.file)).render_as_string())
        told = json.dumps([self.key, stage.name, dict(stage.grid), describe(start)], sort_keys=True)
        name = f"{stage.name}-{content_hash(told)[:16]}"
        return self.optuna.create_study(storage=storage, study_name=name, direction="maximize", load_if_exists=True)

    def _sampler(self, seed: int) -> Any:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", self.optuna.exceptions.ExperimentalWarning)
            return self.optuna.samplers.TPESampler(seed=seed, multivariate=True)

    def _importances(self, study: Any) -> dict[str, float]:
        evaluator = self.optuna.importance.FanovaImportanceEvaluator(seed=0)
        values = [trial.value for trial in study.get_trials(deepcopy=False) if trial.value is not None]
        if len(values) < FEW or max(values) == min(values):
            return {}
        found = self.optuna.importance.get_param_importances(study, evaluator=evaluator)
        return {key: round(float(share), 4) for key, share in found.items()}


def load_optuna() -> ModuleType:
    """Optuna, silent.

    Raises:
        ModelError: it is not installed.
    """
    try:
        import optuna
    except ImportError as error:
        raise ModelError("tuning needs Optuna: install simrec with its extra, pip install 'simrec[tune]'") from error
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    module: ModuleType = optuna
    return module


def describe(settings: Settings) -> dict[str, Any]:
    """The settings that rankings depend on, as plain values."""
    return settings.model_dump(mode="json", include={"tfidf", "sentence", "rank", "policy"})


def _at(stage: Stage, start: Settings, places: Mapping[str, int]) -> Settings:
    return with_values(start, _values(stage, places))


def _values(stage: Stage, places: Mapping[str, int]) -> dict[str, Any]:
    return {key: values[places[key]] for key, values in stage.grid.items()}
