"""Articles and picks from files, without a workspace."""

from __future__ import annotations

import logging
import os
import tempfile
from pathlib import Path
from typing import NamedTuple

from simrec.errors import InputError
from simrec.pipeline.ingest import ingest
from simrec.pipeline.workspace import Workspace
from simrec.settings import Settings, load_settings
from simrec.types import Corpus, Pick, Progress, no_progress

logger = logging.getLogger(__name__)

SHOWN_REJECTS = 5


class Files(NamedTuple):
    """What was read, and where its vectors are kept."""

    corpus: Corpus
    picks: list[Pick]
    settings: Settings
    cache: Path


def read_files(articles: Path, picks: Path, progress: Progress = no_progress) -> Files:
    """Reads a file of articles and a table of picks; the settings are those of SIMREC_* variables.

    Vectors are kept in the user's cache folder (XDG_CACHE_HOME, or ~/.cache), so that a second run is fast.

    Raises:
        InputError: a file cannot be read, or no article in it can.
    """
    settings = load_settings()
    with tempfile.TemporaryDirectory(prefix="simrec-") as folder:
        workspace = Workspace.open(Path(folder), settings, create=True)
        report = ingest(workspace, [articles], picks=[picks], progress=progress)
        for reject in report.rejects[:SHOWN_REJECTS]:
            logger.warning("%s:%s: %s", reject.file, reject.line or "", reject.reason)
        with workspace.store() as store:
            corpus, known = Corpus(store.articles()), store.picks()
    if not len(corpus):
        raise InputError(f"no article in {articles} can be used")
    return Files(corpus, known, settings, cache_folder())


def cache_folder() -> Path:
    """The user's folder of cached vectors."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "simrec" / "vectors"
