"""The stages of a build on a cluster, in their order; and the folder that a build that broke off is gone on with in."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from simrec.errors import UsageError
from simrec.pipeline.build import Report, check_k, peak_rss_mb
from simrec.pipeline.locks import working
from simrec.pipeline.site import MODELS, describe
from simrec.pipeline.workspace import Workspace
from simrec.scale.cluster import connect
from simrec.scale.columns import make_columns
from simrec.scale.composing import blocks_of, compose
from simrec.scale.dataset import prepare, source_of
from simrec.scale.embed import embed
from simrec.scale.ground import PARTS, Ground
from simrec.scale.neighbors import find_neighbors
from simrec.scale.output import write_dataset
from simrec.scale.ranking import rank
from simrec.scale.runner import RayRunner
from simrec.scale.standards import measure
from simrec.scale.tasks import DONE, Runner
from simrec.text import content_hash
from simrec.types import Progress, no_progress

logger = logging.getLogger(__name__)

FOLDER = "scale"
"""Of the builds, in a workspace."""
COMPLETE = "complete.json"
"""The file of a build that is done."""


def make(ground: Ground, runner: Runner) -> dict[str, float]:
    """All stages between articles and blocks; returns the recall of approximate neighbors, by space."""
    make_columns(ground, runner)
    embed(ground, runner)
    recalls = find_neighbors(ground, runner)
    measure(ground, runner)
    rank(ground, runner)
    compose(ground, runner)
    return recalls
