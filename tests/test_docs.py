"""Documentation that cannot drift."""

from __future__ import annotations

import importlib.util
import re
import shlex
from pathlib import Path

import pytest

from simrec.cli.main import make_parser

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("data/**/*.md")])


def test_generated_pages_are_current() -> None:
    """`make docs` would change nothing."""
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
    assert spec
    assert spec.loader
    generate = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(generate)
    for path, text in generate.pages().items():
        assert path.read_text(encoding="utf-8") == text, f"{path.name} is out of date: run `make docs`"


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_commands_in_the_documentation_parse(path: Path) -> None:
    """Every `simrec …` line in a code block is a command that the parser takes."""
    parser = make_parser()
    for line in re.findall(r"^    (simrec .+)$", path.read_text(encoding="utf-8"), re.MULTILINE):
        for command in line.split("  #")[0].split("&&"):
            if "[" not in command and "..." not in command:
                parser.parse_args(shlex.split(command)[1:])


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_in_the_documentation_lead_somewhere(path: Path) -> None:
    """Every relative link of a page is a file of the project."""
    for link in re.findall(r"\]\(([^)#]+)", path.read_text(encoding="utf-8")):
        if "://" not in link:
            assert (path.parent / link).exists(), f"{path.name} links to {link}"
