"""The nightly job: ingest, build with its gate, render, write back; under one lock, with one log and a report.

A run that was killed is gone on with by the next one: what its report calls done is not done again. The stage that was
under way is, and does again only what is not there yet, since each stage can be repeated: articles that are stored are
unchanged, a build makes what differs from the active snapshot, a file is written where its bytes are others.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from simrec.database import parse_url, shown
from simrec.errors import GateError, InputError, SimrecError
from simrec.files import clean_parts
from simrec.ingest.kinds import kind_of
from simrec.pipeline.build import build
from simrec.pipeline.ingest import ingest
from simrec.pipeline.locks import working
from simrec.pipeline.render import render
from simrec.pipeline.report import DONE, FAILED, REFUSED, RUNNING, RunReport, StageReport, last_report, save_report
from simrec.pipeline.site import describe as describe_settings
from simrec.pipeline.workspace import Workspace
from simrec.pipeline.write_back import write_back
from simrec.text import content_hash
from simrec.types import Progress, no_progress

logger = logging.getLogger(__name__)

Stage = tuple[str, Callable[[], Mapping[str, Any]]]
"""A stage's name, and what does it and counts what it did."""


def run(
    workspace: Workspace, sources: Sequence[str | Path] = (), *, fresh: bool = False, now: datetime | None = None,
    progress: Progress = no_progress,
) -> RunReport:  # fmt: skip
    """Does all that the site needs, as `[run]` says.

    A snapshot that the gate refuses ends no run: what is shown then is written once more, so that what was withdrawn
    goes all the same; the report's state is "refused".

    Args:
        workspace: the site.
        sources: what is ingested, in place of the setting.
        fresh: start over, also where a run was killed.
        now: the moment that decides who may be shown; None for this one.
        progress: shows long work.

    Raises:
        UsageError: there is nothing to ingest, or a setting cannot be used.
        SimrecError: a stage failed; its name is in the message, and the report says the same.
    """
    with working(workspace, "run"):
        work = _Run(workspace, sources, now, progress)
        report = work.begin(fresh=fresh)
        for name, do in work.stages():
            if name not in report.done:
                work.do(name, do)
        work.end()
    return report


class _Run:
    """A run under way."""

    def __init__(
        self, workspace: Workspace, sources: Sequence[str | Path], now: datetime | None, progress: Progress
    ) -> None:
        self.workspace = workspace
        self.settings = workspace.settings.run
        self.sources = [str(source) for source in sources] or [self._inside(source) for source in self.settings.sources]
        self.now = now
        self.progress = progress
        self.report = RunReport("", {})
        self._start = time.perf_counter()

    def begin(self, *, fresh: bool) -> RunReport:
        """The report of a new run, or of the one that is gone on with."""
        moment = datetime.now(UTC)
        build = self.workspace.settings.build
        plan = {
            "sources": [shown(source) for source in self.sources],  # the report is kept: no password is in it
            "picks": list(self.settings.picks),
            "render": dict(self.settings.render),
            "write_back": self.settings.write_back,
            "model": build.model,
            "settings": content_hash(json.dumps(describe_settings(self.workspace.settings), sort_keys=True)),
        }
        found = last_report(self.workspace)
        recent = timedelta(hours=self.settings.resume_hours)
        if (
            found and not fresh and found.state == RUNNING and found.plan == plan
            and moment - datetime.fromisoformat(found.started_at) < recent
        ):  # fmt: skip
            found.resumed += 1
            self.report = found
            self._log(f"run {found.id} was killed: it goes on after {', '.join(found.done) or 'nothing'}", "resumed")
        else:
            self.report = RunReport(moment.strftime("%Y%m%dT%H%M%S%fZ"), plan, started_at=_text(moment))
            self._log(f"run {self.report.id} begins", "begun")
        save_report(self.workspace, self.report)
        return self.report

    def stages(self) -> Iterator[Stage]:
        """The stages, in order."""
        if self.sources or self.settings.picks:
            yield "ingest", self._ingest
        yield "build", self._build
        for format, out in self.settings.render.items():
            yield f"render {format}", partial(self._render, format, out)
        if self.settings.write_back:
            yield "write back", self._write_back

    def do(self, name: str, do: Callable[[], Mapping[str, Any]]) -> None:
        """Does a stage, and notes how it went before anything else is done."""
        start = time.perf_counter()
        stage = StageReport(name, RUNNING)
        self.report.stages = [one for one in self.report.stages if one.name != name] + [stage]
        try:
            stage.counts = dict(do())
            stage.state = REFUSED if stage.counts.get("refused") else DONE
        except BaseException as error:  # also Ctrl-C: the report says how the run ended
            stage.error = " ".join(str(error).split()) or type(error).__name__
            if isinstance(error, Exception):  # a run that somebody stopped is gone on with, as one that was killed
                stage.state = FAILED
                self._end(FAILED, f"{name}: {stage.error}", stage, start)
            if isinstance(error, SimrecError):
                raise type(error)(f"{name}: {error}") from error
            raise
        stage.seconds = round(time.perf_counter() - start, 3)
        save_report(self.workspace, self.report)
        self._log(stage.line(), stage.state, stage)

    def end(self) -> None:
        """Notes that the run is over."""
        refused = [stage for stage in self.report.stages if stage.state == REFUSED]
        why = (
            f"build: the gate refused snapshot {refused[0].counts['snapshot']}: {refused[0].counts['refused']}"
            if refused
            else ""
        )
        self._end(REFUSED if refused else DONE, why)

    def _end(self, state: str, why: str, stage: StageReport | None = None, start: float | None = None) -> None:
        if stage and start is not None:
            stage.seconds = round(time.perf_counter() - start, 3)
            self._log(stage.line(), state, stage)
        self.report.state, self.report.error = state, why
        self.report.finished_at = _text(datetime.now(UTC))
        self.report.seconds = round(time.perf_counter() - self._start, 3)
        save_report(self.workspace, self.report)
        self._log(self.report.line(), state)

    def _ingest(self) -> dict[str, Any]:
        picks = [self._inside(table) for table in self.settings.picks]
        found = ingest(self.workspace, self.sources, picks=picks, progress=self.progress)
        if self.sources and found.nothing_read and found.rejected > found.left:
            first = found.rejects[0]
            raise InputError(
                f"nothing could be read, {found.rejected} rejected: the first is {first.reason} ({first.file})"
            )
        names = ("new", "changed", "unchanged", "rejected", "picks")
        return {name: getattr(found, name) for name in names}

    def _build(self) -> dict[str, Any]:
        found = build(self.workspace, now=self.now, progress=self.progress)
        with self.workspace.store() as store:
            figures = store.snapshot(found.snapshot).figures or {}
            shown = [one.id for one in store.snapshots() if one.active]
        counts = {
            "snapshot": found.snapshot,
            "articles": found.articles,
            "blocks": found.blocks,
            "figures": dict(figures),
        }
        if found.refused and not shown:
            raise GateError(f"the gate refused snapshot {found.snapshot}, and no other is active: {found.refused}")
        return counts | ({"refused": found.refused, "shown": shown[0]} if found.refused else {})

    def _render(self, format: str, out: str) -> Mapping[str, Any]:
        folder = Path(self._inside(out))
        clean_parts(folder, deep=False)
        return render(self.workspace, folder, format=format, now=self.now, progress=self.progress)

    def _write_back(self) -> Mapping[str, Any]:
        return write_back(self.workspace, now=self.now, progress=self.progress).values()

    def _inside(self, name: str) -> str:
        """A path of the settings, an SQLite database's too, is meant from the workspace; addresses stay as they are."""
        kind = kind_of(name)
        if kind == "database" and name.startswith("sqlite"):
            return parse_url(name, self.workspace.path).render_as_string(hide_password=False)
        return str(self.workspace.path / name) if kind == "path" else name

    def _log(self, message: str, state: str, stage: StageReport | None = None) -> None:
        fields: dict[str, Any] = {"run": self.report.id, "state": state}
        if stage:
            fields |= {"stage": stage.name, "seconds": stage.seconds, "error": stage.error} | stage.counts
        level = logging.ERROR if state == FAILED else logging.INFO
        logger.log(
            level, "%s", message, extra={"fields": {name: value for name, value in fields.items() if value != ""}}
        )


def _text(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds")


__all__ = ["run"]
