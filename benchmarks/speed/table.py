"""The table: in a terminal, and in docs/performance.md between two marks."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from speed.report import Outcome, Row

HEAD = ("what", "measured", "target", "verdict", "from")


def terminal(outcomes: Mapping[str, Outcome]) -> str:
    """All rows, a block a benchmark."""
    lines = []
    for name, outcome in outcomes.items():
        lines += ["", f"{name}  ({sizes(outcome)})"]
        cells = [_cells(row) for row in outcome.rows]
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)] if cells else []
        for row in cells:
            texts = [text.ljust(width) for text, width in zip(row, widths, strict=True)]
            texts[1] = row[1].rjust(widths[1])
            lines.append(("  " + "  ".join(texts)).rstrip())
    return "\n".join([*lines, "", summary(outcomes)])


def summary(outcomes: Mapping[str, Outcome]) -> str:
    """How many targets hold, what was missed, and which peers are better."""
    rows = [row for outcome in outcomes.values() for row in outcome.rows]
    asked = [row for row in rows if row.target and row.value is not None]
    passed = sum(row.verdict.startswith("pass") for row in asked)
    beaten = sum("beaten by" in row.verdict for row in rows)
    absent = sum(row.verdict in ("skipped", "failed") for row in rows)
    taken = sum(outcome.about.get("seconds", 0.0) for outcome in outcomes.values()) / 60
    found = f"{passed} of {len(asked)} targets hold; beaten by a peer in {beaten} rows; {absent} rows without a figure"
    return f"{found}; {taken:.0f} minutes in all"


def markdown(outcomes: Mapping[str, Outcome]) -> str:
    """A table a benchmark, and what it was measured on."""
    parts = [f"{summary(outcomes)}.\n"]
    for name, outcome in outcomes.items():
        about = outcome.about
        parts.append(f"\n**{name}** ({sizes(outcome)}; {about.get('date', '')}, {about.get('commit', '')})\n\n")
        parts.append(f"| {' | '.join(HEAD)} |\n|{'---|' * len(HEAD)}\n")
        parts += [f"| {' | '.join(cell.replace('|', '/') for cell in _cells(row))} |\n" for row in outcome.rows]
    return "".join([*parts, "\n", machine(outcomes)])


def machine(outcomes: Mapping[str, Outcome]) -> str:
    """One sentence for each machine and set of versions that figures come from."""
    said: dict[str, list[str]] = {}
    for name, outcome in outcomes.items():
        found = outcome.about.get("machine", {})
        text = f"{found.get('processor')}, {found.get('threads')} threads of {found.get('cores')} cores, "
        text += f"{found.get('memory_gb')} GB; " + ", ".join(
            f"{library} {number}" for library, number in outcome.about.get("versions", {}).items()
        )
        said.setdefault(text, []).append(name)
    everywhere = len(said) == 1
    return (
        "\n".join(f"{'Measured' if everywhere else ', '.join(names)} on {text}." for text, names in said.items()) + "\n"
    )


def sizes(outcome: Outcome) -> str:
    """What was worked on."""
    return ", ".join(f"{name} {_plain(value)}" for name, value in outcome.sizes.items() if value is not None)


def put_between(text: str, name: str, table: str) -> str:
    """The page with a table between its marks.

    Raises:
        ValueError: the page has no such marks.
    """
    begin, end = f"<!-- begin {name} -->\n", f"<!-- end {name} -->\n"
    if begin not in text or end not in text:
        raise ValueError(
            f"the page has no marks of {name}: put {begin.strip()} and {end.strip()} on lines of their own"
        )
    pattern = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
    return pattern.sub(lambda _: f"{begin}\n{table}\n{end}", text)


def _cells(row: Row) -> Sequence[str]:
    return row.what, row.shown, row.target, row.verdict, row.note if row.value is not None else row.reason


def _plain(value: object) -> str:
    if isinstance(value, list | tuple):
        return " ".join(map(_plain, value))
    return f"{value:,}" if isinstance(value, int) else str(value)
