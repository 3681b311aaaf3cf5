"""`simrec`: its commands and options. Nothing heavy is imported before a command runs."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Sequence
from errno import EDQUOT, EFBIG, ENOSPC
from typing import Any

from simrec import __version__
from simrec.cli import (
    acts,
    adopt,
    build,
    compare,
    copies,
    demo,
    evaluate,
    ingest,
    keys,
    publish,
    render,
    run,
    serve,
    similar,
    snapshots,
    status,
    train,
    tune,
)
from simrec.cli.options import as_text
from simrec.errors import SimrecError, UsageError

COMMANDS = (
    run,
    ingest,
    build,
    adopt,
    publish,
    acts,
    status,
    snapshots,
    similar,
    copies,
    render,
    train,
    tune,
    evaluate,
    compare,
    serve,
    keys,
    demo,
)
"""A module a command: `add` declares it, `run` does it. In the order of the help."""
DEBUG = "SIMREC_DEBUG"
FULL = (ENOSPC, EDQUOT, EFBIG)
"""What the system says where there is no room: on the disk, for this user, for this file."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command and returns its exit code: 0 done, 1 the work failed, 2 bad usage."""
    parser = make_parser()
    options = parser.parse_args(arguments)
    stderr = logging.StreamHandler(sys.stderr)
    stderr.setLevel(logging.WARNING)  # also where a log is kept that has more
    logging.basicConfig(level=logging.WARNING, format="simrec: %(message)s", handlers=[stderr])
    logging.captureWarnings(True)
    logging.getLogger("trafilatura").setLevel(logging.CRITICAL)  # what it cannot read becomes a reject
    try:
        found: dict[str, Any] = options.run(options)
        if options.json and not isinstance(options.json, str):
            print(as_text(found), flush=True)
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
        advice = "; free some space and run it again, what was stored before is kept" if error.errno in FULL else ""
        print(f"simrec: {where}{error.strerror or error}{advice}", file=sys.stderr)
        return 1
    except Exception as error:  # a fault of our own is one line, too
        if os.environ.get(DEBUG):
            raise
        kind = type(error).__name__
        print(f"simrec: a fault of simrec itself, {kind}: {' '.join(str(error).split())}", file=sys.stderr)
        print(f"simrec: run it again with {DEBUG}=1, and report what it prints", file=sys.stderr)
        return 1
    return 1 if getattr(options, "failed", False) else 0


def make_parser() -> argparse.ArgumentParser:
    """The parser of the whole command line; docs/reference/cli.md is made from it."""
    parser = argparse.ArgumentParser(
        prog="simrec", description="Similar articles under a publisher's pages: generated, ranked, evaluated."
    )
    parser.add_argument("--version", action="version", version=f"simrec {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for module in COMMANDS:
        module.add(commands)
    return parser
