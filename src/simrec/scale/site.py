"""What a build's later tasks look at: who may be shown, what was fitted, and all rows, as maps of files."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import Any, cast

import numpy as np

from simrec.embed.terms import Lexicon
from simrec.embed.tfidf import TfidfEmbedder
from simrec.errors import ModelError
from simrec.pipeline.dates import in_address, is_updated
from simrec.pipeline.live import saved
from simrec.pipeline.live.columns import Sparse
from simrec.pipeline.live.compare import spaces_of
from simrec.pipeline.live.fitted import Fitted
from simrec.pipeline.live.shelf import SPARSE, Shelf
from simrec.pipeline.placed import Placed
from simrec.pipeline.prior import load_prior
from simrec.pipeline.sources import POOL
from simrec.pipeline.vectorizers import Codes, Vectorizers
from simrec.policy.articles import ArticleRules, standing
from simrec.scale.ground import Ground, blank
from simrec.scale.naming import TermNames
from simrec.types import Article

PLACED = "placed.json"
"""The file, in the folder of a build, with what stands under pages by hand."""
DATED, ADDRESSED, UPDATED = 1, 2, 4
"""Bits of `page-dates`: see `simrec.pipeline.dates`."""
MOMENTS = 4


# What is known of articles when their bodies are at hand


def standing_of(articles: Sequence[Article], rules: ArticleRules, now: datetime) -> dict[str, Any]:
    """What pages need to know of articles and cannot see in their columns, by the names of arrays.

    Args:
        articles: (r,) whole ones.
        rules: of single articles; ages are counted back from the site's newest date.
        now: the moment that decides who may be shown.

    Returns:
        `page-shown`, `page-may`, `page-later` (r,) bool and `page-until` (r,) float64: see
        `simrec.policy.articles.Standing`; `page-gains` (r,) float32: what the rules add to a score; `page-off`: why an
        article has no block, as starts (r + 1,) and bytes, none where it has one; `page-dates` (r,) uint8: what its
        date is worth; `page-names` and `page-originals` (r, 2) uint64: hashes of its id and of its original's.
    """
    found = [standing(article, rules, now) for article in articles]
    off = [(rules.reason_off(article) or "").encode() for article in articles]
    return {
        "page-shown": np.array([one.shown for one in found], dtype=bool),
        "page-may": np.array([one.may for one in found], dtype=bool),
        "page-later": np.array([one.later for one in found], dtype=bool),
        "page-until": np.array([one.until for one in found], dtype=np.float64),
        "page-gains": np.array([rules.weight(article) for article in articles], dtype=np.float32),
        "page-off": (np.cumsum([0, *map(len, off)]), np.frombuffer(b"".join(off), dtype=np.uint8)),
        "page-dates": np.array([_worth(article) for article in articles], dtype=np.uint8),
        "page-names": hashes([article.id for article in articles]),
        "page-originals": hashes([article.canonical_id for article in articles]),
    }


def _worth(article: Article) -> int:
    if article.published_at is None:
        return 0
    return DATED | ADDRESSED * in_address(article) | UPDATED * is_updated(article)


def hashes(names: Sequence[str | None]) -> Any:
    """(r, 2) uint64: a hash of each name; 0 for none."""
    found = [hashlib.blake2b(name.encode(), digest_size=16).digest() if name else bytes(16) for name in names]
    return np.frombuffer(b"".join(found), dtype=np.uint64).reshape(-1, 2)


# What stands by hand


def put_placed(ground: Ground, placed: Placed) -> None:
    """Notes what stands under pages by hand; the driver's to do, before pages are ranked."""
    values = {name: {page: list(ids) for page, ids in getattr(placed, name).items()} for name in Placed._fields}
    ground.write_json(ground.folder / PLACED, values)


def placed_in(ground: Ground) -> Placed:
    """What stands under pages by hand."""
    return Placed(**ground.read_json(ground.folder / PLACED))


# What was fitted


def open_fitted(ground: Ground) -> Fitted:
    """What was fitted, as far as ranking looks at it: what makes rows of new articles is not among it.

    Raises:
        ModelError: it is not there.
    """
    said, settings = said_of(ground), ground.settings
    arrays = {name: ground.array(f"fitted-{name}") for name in saved.ARRAYS}
    return Fitted(
        settings=settings,
        tfidf=cast(TfidfEmbedder, TermNames(ground)),  # they are only named
        meaning=None,
        tags=None,
        titles=None,
        vectorizers=Vectorizers(),
        languages=Codes(said["languages"]),
        lexicon=Lexicon(),
        prior=load_prior(said["prior"]) if said["prior"] else None,
        prior_name=said["prior"],
        **{name: said[name] for name in saved.PLAIN},
        **arrays,
    )


def said_of(ground: Ground) -> dict[str, Any]:
    """What is said of the engine so far.

    Raises:
        ModelError: nothing is.
    """
    said = saved.read_about(ground.engine)
    if said is None:
        raise ModelError(
            f"{ground.engine} has nothing of a site that was fitted: delete {ground.folder} and build again"
        )
    return said


# Rows


def open_shelf(ground: Ground, fitted: Fitted) -> Shelf:
    """The rows of all articles, each column a map of its files; what is not made yet is blank."""
    said, columns = said_of(ground), dict[str, Any]()
    for path in sorted(ground.engine.glob("column-*.0.npy")):
        name = path.name.removeprefix("column-").removesuffix(".0.npy")
        if name in said["columns"]:
            columns[name] = column_of(ground, name, said["columns"][name])
    shelf = Shelf(fitted, columns, said["parts"], said["back"])
    clear(ground, shelf)
    return shelf


def clear(ground: Ground, shelf: Shelf) -> None:
    """Makes blank what ranking fills in: what was filled in for other pages takes no memory any more."""
    for name, width in widths_of(shelf.fitted).items():
        shelf.put(name, blank((ground.n, width), np.float64 if name == "moments" else np.float32))


def widths_of(fitted: Fitted) -> dict[str, int]:
    """The columns that ranking fills in, with their widths: see `simrec.pipeline.live.standards.Standards`."""
    reach = {"reach": len(spaces_of(fitted.model))}
    most = POOL * fitted.settings.rank.candidates
    return reach | {"best": 3, "places": most, "moments": MOMENTS} if fitted.prior else reach


def column_of(ground: Ground, name: str, width: int | None) -> Any:
    """A column, as maps of its files; sparse where it has a width."""
    files = len(list(ground.engine.glob(f"column-{name}.*.npy")))
    arrays = [ground.array(f"column-{name}.{number}") for number in range(files)]
    if name in SPARSE and width is not None:
        return Sparse(arrays[0], arrays[1], arrays[2], (len(arrays[0]) - 1, width))
    return tuple(arrays) if len(arrays) > 1 else arrays[0]


__all__ = [
    "clear",
    "column_of",
    "hashes",
    "open_fitted",
    "open_shelf",
    "placed_in",
    "put_placed",
    "said_of",
    "standing_of",
    "widths_of",
]
