"""What a benchmark found: measurements, and rows of the table with their targets and verdicts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Self

EMPTY = ("", None, [], (), {})


@dataclass(frozen=True)
class Measured:
    """One contender, timed.

    Attributes:
        seconds: the best run; None where there is none.
        runs: seconds of each run.
        peak_rss_mb: the most memory that its process held.
        figures: whatever else it said of its work.
        skipped: why it was not run.
        failed: what broke it.
        arrays: the file of the arrays that it made; empty for none.
    """

    seconds: float | None = None
    runs: Sequence[float] = ()
    peak_rss_mb: float = 0.0
    figures: Mapping[str, Any] = field(default_factory=dict)
    skipped: str = ""
    failed: str = ""
    arrays: str = ""

    @property
    def missing(self) -> str:
        """Why there is no time; empty where there is one."""
        return self.skipped or (f"failed: {self.failed}" if self.failed else "")

    def as_json(self) -> dict[str, Any]:
        """What is kept of it: all but the arrays, and nothing that is empty."""
        return {name: value for name, value in _filled(asdict(self)).items() if name != "arrays"}


@dataclass(frozen=True)
class Row:
    """A line of the table: a figure, what it should be, and whether it is.

    Attributes:
        what: the figure, in words.
        value: None where there is none.
        unit: "x" for a ratio, or "s", "ms", "MB", "%", "/s".
        at_most, at_least: the target, where there is one.
        peer: with whom simrec is compared; a value under 1 then says that the peer is better.
        note: sizes and seconds behind the figure.
        reason: why there is no value.
    """

    what: str
    value: float | None
    unit: str = "x"
    at_most: float | None = None
    at_least: float | None = None
    peer: str = ""
    note: str = ""
    reason: str = ""

    @property
    def verdict(self) -> str:
        """pass, miss, "beaten by" a peer, skipped, failed, or nothing where nothing was asked."""
        if self.value is None:
            return "failed" if self.reason.startswith("failed") else "skipped"
        said = []
        if self.at_most is not None or self.at_least is not None:
            said.append("pass" if self._holds(self.value) else "miss")
        if self.peer and self.value < 1:
            said.append(f"beaten by {self.peer}")
        return ", ".join(said)

    @property
    def target(self) -> str:
        """The target, as it is shown."""
        if self.at_most is not None:
            return f"<= {number(self.at_most)} {self.unit}".rstrip()
        return "" if self.at_least is None else f">= {number(self.at_least)} {self.unit}".rstrip()

    @property
    def shown(self) -> str:
        """The value with its unit."""
        return "-" if self.value is None else f"{number(self.value)} {self.unit}".rstrip()

    def _holds(self, value: float) -> bool:
        under = self.at_most is None or value <= self.at_most
        return under and (self.at_least is None or value >= self.at_least)


@dataclass(frozen=True)
class Outcome:
    """What one benchmark found.

    Attributes:
        sizes: of what it worked on.
        measured: the contenders, by name.
        rows: of the table.
        series: points for plots, by name.
        about: commit, machine and versions; the runner adds them.
    """

    sizes: Mapping[str, Any]
    measured: Mapping[str, Measured]
    rows: Sequence[Row]
    series: Mapping[str, Any] = field(default_factory=dict)
    about: Mapping[str, Any] = field(default_factory=dict)

    @property
    def failed(self) -> bool:
        """Whether something broke; a missed target or a missing peer is no failure."""
        return any(found.failed for found in self.measured.values()) or any(r.verdict == "failed" for r in self.rows)

    def as_json(self) -> dict[str, Any]:
        """Plain values; `from_json` reads them back."""
        return {
            "about": dict(self.about),
            "sizes": dict(self.sizes),
            "rows": [{**_filled(asdict(row)), "verdict": row.verdict} for row in self.rows],
            "measured": {name: found.as_json() for name, found in self.measured.items()},
            "series": dict(self.series),
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """What `as_json` gave."""
        rows = [_row(row) for row in values["rows"]]
        measured = {name: Measured(**found) for name, found in values["measured"].items()}
        return cls(values["sizes"], measured, rows, values.get("series", {}), values.get("about", {}))


def ratio(what: str, over: Measured, under: Measured, **more: Any) -> Row:
    """A row of how many times longer `over` took than `under`, or of why that is not known."""
    reason = over.missing or under.missing
    if reason or not over.seconds or not under.seconds:
        return Row(what, None, reason=reason or "no time was taken", **more)
    note = f"{number(over.seconds)} s / {number(under.seconds)} s"
    return Row(what, over.seconds / under.seconds, note="; ".join(filter(None, (more.pop("note", ""), note))), **more)


def number(value: float) -> str:
    """Three significant digits, and no exponent.

    >>> number(1234.5), number(12.345), number(0.98765), number(0.012345), number(100.0)
    ('1,234', '12.3', '0.988', '0.0123', '100')
    """
    size = abs(value)
    if size >= 100 or value == int(value):
        return f"{value:,.0f}"
    decimals = 1 if size >= 10 else 2 if size >= 1 else 3 if size >= 0.1 else 4
    return f"{value:.{decimals}f}"


def _row(values: Mapping[str, Any]) -> Row:
    return Row(**{"value": None, **{name: value for name, value in values.items() if name != "verdict"}})


def _filled(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name == "unit" or value not in EMPTY}
