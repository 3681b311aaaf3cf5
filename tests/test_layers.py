"""Imports point one way."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "simrec"
RANKS = (
    {"types", "errors"},
    {"text", "files", "house", "database", "postgres", "compiling", "blas", "garbage"},
    {"sections", "filesystems"},
    {"settings"},
    {"ingest", "embed", "index", "rank", "policy", "block", "evaluate", "store"},
    {"pipeline"},
    {"scale", "serve"},
    {"cli"},
)
RANK_OF = {part: rank for rank, parts in enumerate(RANKS) for part in parts}
MODULES = sorted(path for path in SOURCE.rglob("*.py") if path != SOURCE / "__init__.py")


def part_of(path: Path) -> str:
    """The part that a module belongs to."""
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


def imported(path: Path) -> set[str]:
    """The parts that a module imports."""
    parts = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and node.module:
            names = (
                [f"{node.module}.{alias.name}" for alias in node.names] if node.module == "simrec" else [node.module]
            )
        parts |= {name.split(".")[1] for name in names if name.startswith("simrec.")}
    return parts & set(RANK_OF)


def test_every_module_has_a_rank() -> None:
    """A new part is given its place in the order first."""
    assert {part_of(path) for path in MODULES} <= set(RANK_OF)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_imports_point_to_lower_ranks_only(path: Path) -> None:
    """A part imports itself and what is below it; parts of one rank do not import one another."""
    part = part_of(path)
    for other in imported(path) - {part}:
        assert RANK_OF[other] < RANK_OF[part], f"{part} imports {other}"
