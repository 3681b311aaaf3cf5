"""What the commands share: options, words for people, the place of a workspace."""

from __future__ import annotations

import argparse
import json
import os
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from simrec.errors import UsageError

MODELS = ("tfidf", "sentence", "static", "fusion", "hybrid", "learned")
SPLITS = ("kfold", "group", "time")
JUDGEMENTS = ("all", "imported", "editors")
FORMATS = ("html", "json", "jsonld", "ninjs", "html-bundle", "json-bundle", "jsonfeed", "csv", "parquet", "trec")
"""As `simrec.block.formats` has them, which would take longer to load."""
ENVIRONMENT = "SIMREC_WORKSPACE"

Run = Callable[[Namespace], dict[str, Any]]
"""A command's body: does the work, says what came out, and returns what `--json` prints."""


def add_command(commands: Any, name: str, help: str, run: Run, *, json_file: bool = False) -> ArgumentParser:
    """A new command; with `json_file` its `--json` takes a file, and the command declares and prints it itself."""
    command: ArgumentParser = commands.add_parser(name, help=help, description=help)
    command.set_defaults(run=run)
    if not json_file:
        command.add_argument("--json", action="store_true", help="print one JSON object, and nothing else")
    return command


def add_workspace(command: ArgumentParser) -> None:
    """The option `--workspace`."""
    command.add_argument(
        "-w",
        "--workspace",
        metavar="DIR",
        type=Path,
        default=Path(os.environ.get(ENVIRONMENT) or "."),
        help=f"the site's folder (default: {ENVIRONMENT}, or the current folder)",
    )


def add_files(command: ArgumentParser) -> None:
    """The options `--articles` and `--picks`, in place of a workspace."""
    command.add_argument("--articles", metavar="FILE", type=Path, help="articles, in place of a workspace")
    command.add_argument("--picks", metavar="FILE", type=Path, help="picks, with --articles")


def uses_files(options: Namespace) -> bool:
    """Whether articles and picks come from files.

    Raises:
        UsageError: one of them is missing.
    """
    if bool(options.articles) != bool(options.picks):
        raise UsageError("--articles and --picks go together")
    return bool(options.articles)


def add_split(command: argparse.ArgumentParser, help: str) -> None:
    """The option `--split`."""
    command.add_argument("--split", choices=SPLITS, default="kfold", help=f"{help} (default: kfold)")


def say(options: Namespace, line: str) -> None:
    """Prints for people, where no JSON is asked for."""
    if not options.json:
        print(line)


def as_text(values: Mapping[str, Any]) -> str:
    """Values as JSON, as every reader of JSON takes it."""
    return json.dumps(values, ensure_ascii=False, indent=1, allow_nan=False)
