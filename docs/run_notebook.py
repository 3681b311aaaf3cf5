"""Runs docs/notebook.ipynb and writes it back with its outputs, without what changes from run to run."""

from __future__ import annotations

import os
import re
import tempfile
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

PATH = Path(__file__).parent / "notebook.ipynb"
SECONDS = 600
"""That a cell may take."""
SHOWN = ("text/plain", "image/png")
"""Forms of an output that are kept: tables as text, so that a diff can be read."""


def run(notebook: Any) -> Any:
    """Executes the cells in a fresh kernel; raises nbclient's CellExecutionError where one fails."""
    NotebookClient(notebook, timeout=SECONDS, kernel_name="python3").execute()
    return strip(notebook)


def strip(notebook: Any) -> Any:
    """Drops times, counters, messages on stderr, and the machine's own metadata."""
    notebook.metadata = {"kernelspec": notebook.metadata.get("kernelspec", {}), "language_info": {"name": "python"}}
    for number, cell in enumerate(notebook.cells):
        cell.id = f"cell-{number}"
        cell.metadata = {}
        if cell.cell_type != "code":
            continue
        cell.execution_count = None
        cell.outputs = [output for output in cell.outputs if output.get("name") != "stderr"]
        for output in cell.outputs:
            output.pop("execution_count", None)
            if output.output_type == "execute_result":
                output.execution_count = None
            if "data" in output:
                output.data = {form: value for form, value in output.data.items() if form in SHOWN}
                output.metadata = {}
    return notebook


def leaks(notebook: Any) -> list[str]:
    """Paths of the machine in the notebook's text and outputs."""
    text = nbformat.writes(notebook)
    return re.findall(r"(?:/home/|/root|/tmp/|/usr/|[A-Z]:\\\\)\S*", re.sub(r'"image/png": "[^"]*"', "", text))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as cache:
        os.environ["XDG_CACHE_HOME"] = cache
        made = run(nbformat.read(PATH, as_version=4))
    if leaks(made):
        raise SystemExit(f"the notebook shows paths of this machine: {leaks(made)}")
    nbformat.write(made, PATH)
    print(f"ran {PATH.name}")
