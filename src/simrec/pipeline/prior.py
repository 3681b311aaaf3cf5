"""The ranker that ships with simrec, trained on other sites: found, and never used on a site that it was trained on."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import simrec
from simrec.embed.cache import MANIFEST, is_intact
from simrec.errors import ModelError
from simrec.rank.learned import LambdaRanker
from simrec.text import content_hash
from simrec.types import Corpus, Text

FILE = "prior.json"
FORMAT = 1
FULL_SHARE = 1000
"""Articles of a site from which the prior has its full share."""
SKETCH = 256
"""Texts of a training site by which it is known again: those with the smallest hashes."""
SAME_SITE = 0.05
"""Share of a sketch from which a site is the one that was trained on, or a part of it."""


def prior_folder() -> Path | None:
    """The folder of the prior: installed with the package, or in the project's `models/`; None in neither."""
    package = Path(simrec.__file__).parent
    for folder in (package / "_models" / "prior", package.parents[1] / "models" / "prior"):
        if (folder / FILE).exists():
            return folder
    return None


def find_prior(corpus: Corpus, folder: Path | None = None) -> LambdaRanker | None:
    """The ranker for a site: trained on all public sites, or, where the site is one of them, on the others.

    None where there is no prior, or none that has not seen the site.

    Raises:
        ModelError: the prior is damaged, or from another version.
    """
    name = find_prior_name(corpus, folder)
    return load_prior(name, folder) if name else None


def load_prior(name: str, folder: Path | None = None) -> LambdaRanker:
    """The ranker of that name.

    Raises:
        ModelError: it is not there, or damaged, or from another version.
    """
    folder = folder or prior_folder()
    if folder is None:
        raise ModelError("the rankers that ship with simrec are not there: install simrec again")
    return _load(folder / name)


def find_prior_name(corpus: Corpus, folder: Path | None = None) -> str | None:
    """The name of the ranker that `find_prior` finds; None where there is none."""
    return prior_name_of(frozenset(text_hashes(corpus.texts)), folder)


def prior_name_of(hashes: frozenset[str], folder: Path | None = None) -> str | None:
    """The same, for a site that has texts of these hashes: all that it has, or those of `training_hashes`."""
    folder = folder or prior_folder()
    if folder is None:
        return None
    described = _described(folder)
    seen = {
        origin for origin, sketch in described["sites"] if len(hashes.intersection(sketch)) >= SAME_SITE * len(sketch)
    }
    names = [name for name, without in described["rankers"].items() if set(without) == seen]
    return str(names[0]) if names else None


def training_hashes(folder: Path | None = None) -> frozenset[str]:
    """The hashes by which the sites that rankers were trained on are known again; none without a ranker."""
    folder = folder or prior_folder()
    sites = _described(folder)["sites"] if folder else ()
    return frozenset(hash_ for _, sketch in sites for hash_ in sketch)


def _described(folder: Path) -> dict[str, Any]:
    """What a folder of rankers says of them: `sites`, each its origin and its sketch, and `rankers`.

    Raises:
        ModelError: it is damaged, or from another version.
    """
    try:
        described: dict[str, Any] = json.loads((folder / FILE).read_text(encoding="utf-8"))
        if described["format"] != FORMAT:
            raise ModelError(f"the prior in {folder} is from another version of simrec: install simrec again")
        sites = [(site["origin"], site["sketch"]) for site in described["sites"].values()]
        described = {"sites": sites, "rankers": dict(described["rankers"])}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(f"the prior in {folder} is damaged ({error}): install simrec again") from error
    return described


def prior_weight(n: int, folder: Path | None = None) -> float:
    """The prior's share of hybrid's score on a site of n articles; 0 without a prior.

    What was chosen when the prior was trained holds from `FULL_SHARE` articles on. On a smaller site almost every
    article is a candidate, which the prior has not learned from, and its share falls with the square root of n.
    """
    folder = folder or prior_folder()
    if folder is None:
        return 0.0
    weight = float(json.loads((folder / FILE).read_text(encoding="utf-8"))["weight"])
    return weight * min(1.0, math.sqrt(n / FULL_SHARE))


def prior_fingerprint() -> str:
    """Names all that ships of the prior; empty where it is not there."""
    folder = prior_folder()
    if folder is None:
        return ""
    files = [folder / FILE, *sorted(folder.glob(f"*/{MANIFEST}"))]
    return content_hash(*(path.read_text(encoding="utf-8") for path in files))


def sketch(texts: Sequence[Text]) -> list[str]:
    """The smallest hashes of a site's texts."""
    return sorted(text_hashes(texts))[:SKETCH]


def text_hashes(texts: Sequence[Text]) -> list[str]:
    """A short hash of each text."""
    return [content_hash(text.title, text.body)[:16] for text in texts]


@lru_cache(maxsize=4)
def _load(folder: Path) -> LambdaRanker:
    if not is_intact(folder):
        raise ModelError(f"the prior in {folder} does not match its checksums: install simrec again")
    return LambdaRanker.load(folder)
