"""What a run did: a JSON file and a page, kept for the last runs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from simrec.files import write_whole
from simrec.pipeline.workspace import Workspace

RUNNING, DONE, FAILED, REFUSED = "running", "done", "failed", "refused"
"""States of runs and stages. A run that is found as "running" by one that holds the lock was killed."""


@dataclass
class StageReport:
    """A stage: its name, state, seconds, what it counted, and the error that ended it."""

    name: str
    state: str
    seconds: float = 0.0
    counts: dict[str, Any] = field(default_factory=dict)
    error: str = ""

    def line(self) -> str:
        """It in words.

        >>> StageReport("ingest", "done", 1.25, {"new": 2, "figures": {}}).line()
        'ingest: done in 1.2 s (new 2)'
        """
        counts = ", ".join(f"{name} {value}" for name, value in self.counts.items() if not isinstance(value, Mapping))
        return f"{self.name}: {self.state} in {self.seconds:.1f} s ({self.error or counts})"


@dataclass
class RunReport:
    """A run: `run --json`.

    Attributes:
        id: made of the moment at which it began.
        plan: what it was to do; a run with another plan does not go on with it.
        state: "running", "done", "refused" by the gate, or "failed".
        started_at, finished_at, seconds: of the run; the seconds of the process that ended it.
        resumed: how often it was killed and gone on with.
        error: what somebody has to look at; empty where all is well.
        stages: in order.
    """

    id: str
    plan: dict[str, Any]
    state: str = RUNNING
    started_at: str = ""
    finished_at: str = ""
    seconds: float = 0.0
    resumed: int = 0
    error: str = ""
    stages: list[StageReport] = field(default_factory=list)

    @property
    def done(self) -> list[str]:
        """The stages that need not be done again."""
        return [stage.name for stage in self.stages if stage.state in (DONE, REFUSED)]

    def line(self) -> str:
        """All that somebody has to know, in one line."""
        resumed = f", gone on with {self.resumed} times" if self.resumed else ""
        if self.state == DONE:
            told: dict[str, Any] = {}
            for stage in self.stages:
                told |= {name: value for name, value in stage.counts.items() if name in TOLD and name not in ADDED}
                told |= {name: told.get(name, 0) + stage.counts[name] for name in ADDED if name in stage.counts}
            what = ", ".join(f"{name} {value}" for name, value in told.items())
            return f"run {self.id} is done in {self.seconds:.1f} s{resumed}: {what}"
        return f"run {self.id} {self.state} after {self.seconds:.1f} s{resumed}: {self.error}"


TOLD = ("new", "changed", "rejected", "snapshot", "articles", "blocks", "written", "deleted")
"""Counts that the last line names."""
ADDED = ("written", "deleted")
"""Those of them that several stages have: the line names their sums."""


def save_report(workspace: Workspace, report: RunReport) -> None:
    """Writes a report under out/runs/, and as out/run.json and out/run.html; older ones than the setting keeps go.

    Raises:
        StoreError: it cannot be written.
    """
    out = workspace.path / "out"
    text = json.dumps(asdict(report), ensure_ascii=False, indent=1) + "\n"
    write_whole(out / "runs" / f"{report.id}.json", text.encode())
    write_whole(out / "run.json", text.encode())
    found = sorted((out / "runs").glob("*.json"), reverse=True)
    for old in found[workspace.settings.run.keep_reports :]:
        old.unlink(missing_ok=True)
    if report.state != RUNNING:
        write_whole(out / "run.html", _page(report, read_reports(workspace)).encode())


def last_report(workspace: Workspace) -> RunReport | None:
    """The report of the last run; None where there is none that can be read."""
    return _read(workspace.path / "out" / "run.json")


def read_reports(workspace: Workspace) -> list[RunReport]:
    """The reports that are kept, the newest first."""
    paths = sorted((workspace.path / "out" / "runs").glob("*.json"), reverse=True)
    return [report for report in map(_read, paths) if report]


def _read(path: Path) -> RunReport | None:
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        return RunReport(**{**values, "stages": [StageReport(**stage) for stage in values["stages"]]})
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _page(report: RunReport, kept: list[RunReport]) -> str:
    from jinja2 import Environment, PackageLoader

    environment = Environment(loader=PackageLoader("simrec.pipeline"), autoescape=True, trim_blocks=True)
    return environment.get_template("run.html").render(report=report, kept=kept)


__all__ = ["RunReport", "StageReport", "last_report", "read_reports", "save_report"]
