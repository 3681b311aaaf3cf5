"""Writes the generated pages of docs/reference: commands, settings and features, from the code itself."""

from __future__ import annotations

import argparse
import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from simrec.cli.main import make_parser
from simrec.house import Section
from simrec.rank.catalogue import OF_PAIRS, OF_PICKS, PRIOR
from simrec.settings import Settings

REFERENCE = Path(__file__).parent / "reference"
SECURITY, ATTACKS = Path(__file__).parent / "security.md", Path(__file__).parents[1] / "tests" / "attacks"
NOTE = "<!-- Written by `make docs`; change the code, not this page. -->\n\n"


def pages() -> dict[Path, str]:
    """The text of each generated page."""
    return {
        REFERENCE / "cli.md": cli_page(),
        REFERENCE / "settings.md": settings_page(),
        REFERENCE / "features.md": features_page(),
        SECURITY: security_page(),
    }


def cli_page() -> str:
    """Every command with its options, as tables."""
    parser = make_parser()
    commands = next(action for action in parser._actions if isinstance(action, argparse._SubParsersAction))
    parts = [NOTE, "# Commands\n\n", f"{parser.description}\n\n"]
    parts.append(
        "Every command exits with 0 when it is done, with 1 when the work failed, and with 2 on bad usage. `--json` "
        "prints one object on stdout; progress and errors go to stderr.\n"
    )
    for name, command in _all(commands):
        positional = [action for action in command._actions if not action.option_strings]
        usage = " ".join(["simrec", name, *(f"{a.metavar}{'...' if a.nargs == '*' else ''}" for a in positional)])
        parts.append(f"\n## {name}\n\n{command.description}\n\n    {usage} [options]\n\n")
        parts.append("| option | what it does |\n|---|---|\n")
        for action in command._actions:
            if action.help and action.dest != "help":
                parts.append(f"| {_option(action)} | {action.help.replace('|', chr(92) + '|')} |\n")
    return "".join(parts)


def _all(commands: Any, before: str = "") -> Iterator[tuple[str, Any]]:
    """Commands by name, those of commands that have some of their own in place of them."""
    for name, command in commands.choices.items():
        own = [action for action in command._actions if isinstance(action, argparse._SubParsersAction)]
        if own:
            yield from _all(own[0], f"{before}{name} ")
        else:
            yield f"{before}{name}", command


def _option(action: argparse.Action) -> str:
    value = action.metavar or ("" if action.nargs == 0 else action.dest.upper())
    if action.choices:
        value = "\\|".join(str(choice) for choice in action.choices)
    names = ", ".join(f"`{name}`" for name in action.option_strings)
    return f"{names} {value}".strip()


def settings_page() -> str:
    """Every setting with its default."""
    parts = [NOTE, "# Settings\n\n"]
    parts.append(
        "A workspace's `simrec.toml` has a table for each section. A variable `SIMREC_SECTION__SETTING`, as in "
        "`SIMREC_POLICY__MIN_SCORE=1.5`, wins over the file.\n"
    )
    for name, field in Settings.model_fields.items():
        parts += _section(name, field.annotation)
    return "".join(parts)


def _section(name: str, section: Any) -> list[str]:
    """A table of simrec.toml, and the tables within it."""
    inner = {setting: field for setting, field in section.model_fields.items() if _is_section(field.annotation)}
    parts = [f"\n## [{name}]\n\n{(section.__doc__ or '').strip()}\n\n"]
    parts.append("| setting | default | what it does |\n|---|---|---|\n")
    for setting, field in section.model_fields.items():
        if setting not in inner:
            default = field.get_default(call_default_factory=True)
            parts.append(f"| `{setting}` | `{_toml(default)}` | {field.description} |\n")
    for setting, field in inner.items():
        first, *others = _section(f"{name}.{setting}", field.annotation)
        parts += [first.replace(f"{field.annotation.__doc__}".strip(), f"{field.description}"), *others]
    return parts


def _is_section(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Section)


def features_page() -> str:
    """Every feature of the learned rankers."""
    parts = [NOTE, "# Features\n\n"]
    parts.append(
        "What a ranker knows of a page and a candidate: one float32 column each, NaN where it cannot be known.\n"
        "`prior` says whether the ranker that ships with simrec looks at it, `sign` whether more of it may only raise\n"
        "(+) or lower (-) the prior's score. `words` is what `similar --explain` says.\n"
    )
    titles = {
        "Of the pair": (OF_PAIRS, "Computed from the articles alone."),
        "Of picks": (OF_PICKS, "Computed from the picks that the page may know of: never its own, nor picks of it."),
        "Of other sites": ((PRIOR,), "What the shipped ranker makes of the pair, as a feature of the site's own."),
    }
    for title, (features, about) in titles.items():
        parts.append(f"\n## {title}\n\n{about}\n\n")
        parts.append("| feature | group | meaning | prior | sign | words |\n|---|---|---|---|---|---|\n")
        for feature in features:
            prior = "yes" if feature.carries_over and feature in OF_PAIRS else ""
            sign = {1: "+", -1: "-", 0: ""}[feature.sign]
            parts.append(
                f"| `{feature.name}` | {feature.group} | {feature.meaning} | {prior} | {sign} | {feature.words} |\n"
            )
    return "".join(parts)


def security_page() -> str:
    """docs/security.md with the table of attacks, from the marks of the tests that make them."""
    rows = ["| attack | what it got | test |\n|---|---|---|\n"]
    for path in sorted(ATTACKS.glob("test_*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            for mark in _marks(node):
                name, got = (ast.literal_eval(argument).replace("|", "\\|") for argument in mark.args)
                rows.append(f"| {name} | {got} | `{path.stem}.{getattr(node, 'name', '')}` |\n")
    begin, end = "<!-- begin attacks -->\n", "<!-- end attacks -->"
    page = SECURITY.read_text(encoding="utf-8")
    return re.sub(f"{begin}.*?{end}", lambda _: f"{begin}\n{''.join(rows)}\n{end}", page, count=1, flags=re.DOTALL)


def _marks(node: ast.stmt) -> list[ast.Call]:
    """The marks `attack` of a test."""
    if not isinstance(node, ast.FunctionDef):
        return []
    calls = [mark for mark in node.decorator_list if isinstance(mark, ast.Call)]
    return [call for call in calls if ast.unparse(call.func) == "pytest.mark.attack"]


def _toml(value: object) -> str:
    if value is None:
        return "not set"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, tuple):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return "{}" if value == {} else str(value)


if __name__ == "__main__":
    for path, text in pages().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        print(f"wrote {path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path}")
