"""The sample newsroom that comes with simrec."""

from __future__ import annotations

from pathlib import Path

import simrec
from simrec.errors import NotFoundError


def newsroom() -> Path:
    """The folder of the sample newsroom: installed with the package, or in the project's `data/`.

    Raises:
        NotFoundError: it is in neither place.
    """
    package = Path(simrec.__file__).parent
    for folder in (package / "_data" / "newsroom", package.parents[1] / "data" / "newsroom"):
        if (folder / "articles.jsonl").exists():
            return folder
    raise NotFoundError("the sample newsroom is not installed: install simrec again")
