"""The writer in a process of its own: what brings blocks up to date holds up no reader."""

from __future__ import annotations

import sys

from simrec.serve.beside import begun
from simrec.serve.private import DRAFTS, listening
from simrec.serve.writer import Writer


def main() -> None:
    """Is the writer, where no other process is, until the input ends."""
    writer = Writer(begun())
    with listening(DRAFTS, writer.rank):
        writer.start()
        sys.stdin.buffer.read()
        writer.stop()


if __name__ == "__main__":
    main()
