"""A process of its own that writes, and dies where it is told to: `worker.py WORKSPACE [before|stored|answered]`.

It says `writer` when it is the writer. `before`: it kills itself before the change of its first request is stored;
`stored`: after that, and before it is answered; `answered`: after the answer.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

from simrec.pipeline.workspace import Workspace
from simrec.serve.writer import Writer
from simrec.store import Store


def die(*_: Any, **__: Any) -> None:
    """Ends the process as a power cut would."""
    os.kill(os.getpid(), signal.SIGKILL)


def main(path: str, where: str = "") -> None:
    """Writes until it is killed."""
    answer = Store.answer

    def answered(*args: Any, **kwargs: Any) -> bool:
        answer(*args, **kwargs)
        die()
        return True

    if where == "before":
        Store.change = die  # type: ignore[method-assign]
    elif where == "stored":
        Store.answer = die  # type: ignore[method-assign, assignment]
    elif where == "answered":
        Store.answer = answered  # type: ignore[method-assign]
    writer = Writer(Workspace.open(Path(path)))
    writer.start()
    while not writer.is_writer:
        time.sleep(0.01)
    sys.stdout.write("writer\n")
    sys.stdout.flush()
    time.sleep(600)


if __name__ == "__main__":
    main(*sys.argv[1:])
