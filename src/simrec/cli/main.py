"""`simrec`: its commands and options. Nothing heavy is imported before a command runs."""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
from collections.abc import Sequence
from errno import ENOSPC
from pathlib import Path
from typing import Any

from simrec import __version__
from simrec.errors import SimrecError, UsageError

MODELS = ("tfidf", "sentence", "fusion", "hybrid", "learned")
ENVIRONMENT = "SIMREC_WORKSPACE"
DEBUG = "SIMREC_DEBUG"


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command and returns its exit code: 0 done, 1 the work failed, 2 bad usage."""
    parser = make_parser()
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, format="simrec: %(message)s", stream=sys.stderr)
    logging.captureWarnings(True)
    logging.getLogger("trafilatura").setLevel(logging.CRITICAL)  # what it cannot read becomes a reject
    try:
        from simrec.cli import commands

        found: dict[str, Any] = getattr(commands, options.command)(options)
    except KeyboardInterrupt:
        print("simrec: stopped; nothing that was stored is lost", file=sys.stderr)
        return 130
    except SimrecError as error:
        print(f"simrec: {' '.join(str(error).split())}", file=sys.stderr)
        return 2 if isinstance(error, UsageError) else 1
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        advice = "; free some space and run it again, what was stored before is kept" if error.errno == ENOSPC else ""
        print(f"simrec: {where}{error.strerror or error}{advice}", file=sys.stderr)
        return 1
    except Exception as error:
        if os.environ.get(DEBUG):
            raise
        kind = type(error).__name__
        print(f"simrec: a fault of simrec itself, {kind}: {' '.join(str(error).split())}", file=sys.stderr)
        print(f"simrec: run it again with {DEBUG}=1, and report what it prints", file=sys.stderr)
        return 1
    if options.json and not isinstance(options.json, str):
        print(json.dumps(found, ensure_ascii=False, indent=1))
    return 1 if getattr(options, "failed", False) else 0


def make_parser() -> argparse.ArgumentParser:
    """The parser of the whole command line; docs/reference/cli.md is made from it."""
    parser = argparse.ArgumentParser(
        prog="simrec", description="Similar articles under a publisher's pages: generated, ranked, evaluated."
    )
    parser.add_argument("--version", action="version", version=f"simrec {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _ingest(commands)
    _build(commands)
    _similar(commands)
    _render(commands)
    _evaluate(commands)
    _train(commands)
    _demo(commands)
    return parser


def _command(commands: Any, name: str, help: str, *, json_file: bool = False) -> argparse.ArgumentParser:
    command: argparse.ArgumentParser = commands.add_parser(name, help=help, description=help)
    if not json_file:
        command.add_argument("--json", action="store_true", help="print one JSON object, and nothing else")
    return command


def _workspace(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "-w",
        "--workspace",
        metavar="DIR",
        type=Path,
        default=Path(os.environ.get(ENVIRONMENT) or "."),
        help=f"the site's folder (default: {ENVIRONMENT}, or the current folder)",
    )


def _ingest(commands: Any) -> None:
    command = _command(commands, "ingest", "Read articles and editors' picks into a workspace.")
    command.add_argument("sources", metavar="SOURCE", nargs="*", type=Path, help="file, folder or archive")
    _workspace(command)
    command.add_argument("--format", metavar="F", help="jsonl, csv, parquet, html or page (default: by name, content)")
    command.add_argument(
        "--picks",
        metavar="CSV",
        type=Path,
        action="append",
        default=[],
        help="table of picks: source_id,target_id,rank",
    )
    command.add_argument("--picks-selector", metavar="CSS", help="the links of the pages' related block")


def _build(commands: Any) -> None:
    command = _command(commands, "build", "Make the blocks of all articles, as a new snapshot.")
    _workspace(command)
    command.add_argument("--model", choices=MODELS, help="what ranks (default: the setting, hybrid)")
    command.add_argument("-k", type=int, help="items a block (default: the setting, 5)")
    command.add_argument("--full", action="store_true", help="make all vectors again, whatever is cached")
    command.add_argument("--engine", choices=("local",), default="local", help="where it runs")


def _similar(commands: Any) -> None:
    command = _command(commands, "similar", "Show the block of one article.")
    command.add_argument("id", metavar="ID", help="the article's id")
    _workspace(command)
    command.add_argument("-k", type=int, help="items (default: as built)")
    command.add_argument("--explain", action="store_true", help="name the shared terms and the parts of each score")


def _render(commands: Any) -> None:
    command = _command(commands, "render", "Write the blocks of the active snapshot, a file for each article.")
    _workspace(command)
    command.add_argument("--format", choices=("html", "json"), default="html", help="what to write (default: html)")
    command.add_argument("--out", metavar="DIR", type=Path, required=True, help="the folder to fill")


def _evaluate(commands: Any) -> None:
    command = _command(commands, "evaluate", "Measure rankings against editors' picks.", json_file=True)
    _workspace(command)
    command.add_argument("--articles", metavar="FILE", type=Path, help="articles, in place of a workspace")
    command.add_argument("--picks", metavar="FILE", type=Path, help="picks, with --articles")
    command.add_argument(
        "--model", choices=MODELS, action="append", help="what to measure; again for more (default: all)"
    )
    command.add_argument("--split", choices=("kfold", "group", "time"), default="kfold", help="(default: kfold)")
    command.add_argument("-k", type=int, default=10, help="cutoff of nDCG and recall (default: 10)")
    command.add_argument("--as-published", action="store_true", help="only candidates not younger than the source")
    command.add_argument("--rules", action="store_true", help="measure the block after the house rules")
    command.add_argument("--report", metavar="FILE.html", type=Path, help="write a report with tables and plots")
    command.add_argument(
        "--json", metavar="FILE", nargs="?", const="-", help="write the figures as JSON (default: to stdout)"
    )


def _train(commands: Any) -> None:
    command = _command(commands, "train", "Learn from editors' picks.")
    _workspace(command)
    command.add_argument("--out", metavar="DIR", type=Path, help="where to write (default: the workspace's models/)")
    command.add_argument("--finetune", action="store_true", help="adapt the sentence model to the site's picks")
    command.add_argument("--epochs", type=int, help="with --finetune: passes over the picks, at most (default: 3)")
    command.add_argument("--minutes", type=float, help="with --finetune: minutes of training, at most (default: 15)")


def _demo(commands: Any) -> None:
    command = _command(commands, "demo", "Run the whole job on the sample newsroom.")
    command.add_argument(
        "--out", metavar="DIR", type=Path, default=Path("out/demo"), help="where to work (default: out/demo)"
    )
