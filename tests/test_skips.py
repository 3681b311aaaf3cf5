"""What is skipped is said at the end of a run."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

TESTS = """
import pytest

@pytest.mark.parametrize("n", range(3))
def test_page(n):
    pytest.skip("there is no Chromium on this machine")

def test_store():
    pytest.importorskip("no_such_library", reason="PostgreSQL is not installed")

def test_sound():
    pass
"""


def test_a_green_run_says_what_it_has_not_tested(tmp_path: Path) -> None:
    """Each reason, with how many tests and which files, under a heading that nobody overlooks."""
    shutil.copy(Path(__file__).with_name("conftest.py"), tmp_path)
    (tmp_path / "test_desk.py").write_text(TESTS, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(tmp_path)]
    found = subprocess.run([*command, str(tmp_path)], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "! NOT TESTED HERE: 4 skipped !" in found.stdout
    assert "3 skipped, there is no Chromium on this machine: test_desk.py" in found.stdout
    assert "1 skipped, PostgreSQL is not installed: test_desk.py" in found.stdout
