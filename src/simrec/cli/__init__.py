"""The command line: parse, call the pipeline, print."""

from simrec.cli.main import main

__all__ = ["main"]
