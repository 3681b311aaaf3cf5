"""The public face: names that load when they are used, and a quick start."""

from __future__ import annotations

import subprocess
import sys
import time

import simrec

HEAVY = ("torch", "sklearn", "sentence_transformers", "pandas", "numpy", "sqlalchemy", "faiss")


def best_of_three(*command: str) -> float:
    """Seconds of the quickest of three runs."""
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def test_public_names_are_sorted_and_there() -> None:
    """Each one can be imported, and dir() shows them."""
    assert simrec.__all__ == sorted(simrec.__all__)
    assert set(simrec.__all__) <= set(dir(simrec))
    for name in simrec.__all__:
        assert getattr(simrec, name) is not None


def test_importing_simrec_loads_nothing_heavy() -> None:
    """Neither torch nor sklearn, and it takes less than 0.3 s."""
    code = f"import simrec, sys; sys.exit(any(name in sys.modules for name in {HEAVY!r}))"
    assert best_of_three(sys.executable, "-c", code) < 0.3


def test_help_is_quick_and_loads_nothing_heavy() -> None:
    """`simrec --help` answers within 0.4 s."""
    code = f"""
import sys
from simrec.cli import main
try:
    main(["--help"])
except SystemExit:
    sys.exit(any(name in sys.modules for name in {HEAVY!r}))
"""
    assert best_of_three(sys.executable, "-c", code) < 0.4
