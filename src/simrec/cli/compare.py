"""`simrec compare`."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from simrec.cli.options import add_command, say

if TYPE_CHECKING:
    from simrec.evaluate.saved import Difference


def add(commands: Any) -> None:
    """Declares the command."""
    help = "Compare two evaluations that `evaluate --save` kept, the second against the first."
    command = add_command(commands, "compare", help, run)
    command.add_argument("a", metavar="RUN", type=Path, help="the run before")
    command.add_argument("b", metavar="RUN", type=Path, help="the run after")


def run(options: Namespace) -> dict[str, Any]:
    """Compares, and says what changed, by how much, how sure that is, and on which pages."""
    from simrec.evaluate.saved import difference, load

    a, b = load(options.a), load(options.b)
    found = difference(a, b)
    say(options, _table(found))
    return {
        "a": str(options.a),
        "b": str(options.b),
        "sources": found.sources,
        "only_a": found.only_a,
        "only_b": found.only_b,
        "changed": list(found.changed),
        "models": {name: {m: i._asdict() for m, i in of.items()} for name, of in found.figures.items()},
        "comparisons": [comparison._asdict() for comparison in found.comparisons],
        "moved": [{"id": id_, "delta": delta} for id_, delta in found.moved],
    }


def _table(found: Difference) -> str:
    lines = [f"{found.sources} pages that both tested"]
    if found.only_a or found.only_b:
        lines[0] += f"; {found.only_a} only the first, {found.only_b} only the second"
    lines += [f"differs: {line}" for line in found.changed] or ["measured alike: no setting or condition differs"]
    for comparison in found.comparisons:
        before, after = found.figures[comparison.b], found.figures[comparison.a]
        if comparison is found.comparisons[0] or comparison.measure == found.comparisons[0].measure:
            lines.append(f"{comparison.a} against {comparison.b}")
        name = comparison.measure
        lines.append(
            f"  {name:<12}{before[name].mean:.3f} → {after[name].mean:.3f}   {comparison.delta:+.3f} "
            f"[{comparison.low:+.3f}, {comparison.high:+.3f}]   p {comparison.p:.4f}   Holm {comparison.p_holm:.4f}"
        )
    if found.moved:
        lines.append(f"pages that moved most, by {found.main}:")
        lines += [f"  {delta:+.3f}  {id_}" for id_, delta in found.moved]
    else:
        lines.append("no page moved")
    return "\n".join(lines)
