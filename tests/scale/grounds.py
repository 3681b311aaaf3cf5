"""The folder of a build whose stages up to the neighbors are done, made of a site on one machine."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

from simrec.pipeline.chooser import article_rules
from simrec.pipeline.live import saved
from simrec.pipeline.live.fitted import Fitted
from simrec.pipeline.live.shelf import MEASURED, SPARSE
from simrec.pipeline.live.start import shelve
from simrec.pipeline.placed import Placed
from simrec.pipeline.signals import is_cut_off
from simrec.pipeline.site import Site
from simrec.scale.ground import FIT, LEXICON, NAMES, WIDTHS, Ground, save
from simrec.scale.naming import put_names
from simrec.scale.site import put_placed, standing_of
from simrec.scale.spaces import FOUND, spaces_with_lists
from simrec.types import Article

HELD: dict[str, Mapping[int, Article]] = {}
"""The articles without bodies, by the folder of the build."""
LATER = ("reach", "best", "places", "moments", *MEASURED)
"""Columns that later stages make."""


@pytest.fixture
def no_bodies(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Tasks find the articles that `ground_of` holds, without their bodies."""
    monkeypatch.setattr("simrec.scale.articles.Meta", lambda ground: HELD[str(ground.folder)])
    yield
    HELD.clear()


def ground_of(
    site: Site, fitted: Fitted, folder: Path, *, k: int, now: datetime, placed: Placed, borders: Sequence[int]
) -> Ground:
    """The folder of a build.

    Args:
        site: its articles, their vectors and lists.
        fitted: what was fitted of it.
        folder: where to; it is made.
        k: items a block.
        now: the moment that decides who may be shown.
        placed: what stands under pages by hand.
        borders: the first row of each part, and n.
    """
    ground, corpus = Ground(folder), site.corpus
    HELD[str(folder)] = {row: replace(article, body="") for row, article in enumerate(corpus.articles)}
    shelf = shelve(site, fitted)
    columns = {name: shelf[name] for name in shelf.names if name not in LATER and not name.startswith(("mean_", "sd_"))}
    widths = {name: columns[name].shape[1] for name in columns if name in SPARSE}
    ground.say(
        n=len(corpus), borders=list(borders), model=fitted.model, k=k, now=now.isoformat(), columns=widths,
        settings=site.settings.model_dump(mode="json"), main_lang=corpus.main_lang, languages=corpus.languages,
        ages=fitted.ages, cut_off=sum(map(is_cut_off, corpus.texts)),
    )  # fmt: skip
    ground.engine.mkdir(parents=True)
    ground.write_json(ground.engine / WIDTHS, widths)
    for name, column in columns.items():
        saved.save_column(ground.engine, name, column)
    saved.save_fitted(fitted, ground.engine)
    (ground.engine / "fitted-sample.npy").unlink()
    for name in spaces_with_lists(fitted.model):
        for array, values in zip(FOUND, site.nearby.lists(name), strict=True):
            save(ground.engine / f"{array.format(name)}.npy", values)
    _put_standing(ground, site, fitted, now)
    put_placed(ground, placed)
    said = saved.describe(fitted, k, {name: widths.get(name) for name in columns}, shelf.weights, shelf.back)
    unknown = {"dates_are_of_publication": False, "titles_are_headlines": False}
    late = {name: said.pop(name) for name in ("lexicon", *saved.CODES)}
    ground.write_json(ground.folder / FIT / LEXICON, late.pop("lexicon"))
    ground.write_json(ground.folder / FIT / NAMES, late)
    put_names(ground, fitted.tfidf._known().words, fitted.tfidf.surface_)
    ground.write_json(ground.engine / saved.FILE, said | unknown | {"about": {}})
    return ground


def _put_standing(ground: Ground, site: Site, fitted: Fitted, now: datetime) -> None:
    rules = article_rules(site.settings.policy, fitted.dates, fitted.newest)
    arrays: set[str] = set()
    for span in ground.spans:
        for name, value in standing_of(site.corpus.articles[span.begin : span.end], rules, now).items():
            for number, array in enumerate(value) if isinstance(value, tuple) else [(None, value)]:
                ground.put(name if number is None else f"{name}.{number}", span.part, np.asarray(array))
            arrays.add(name)
    for name in arrays:
        if name == "page-off":
            ground.join_ragged(name, 1)
        else:
            ground.join(name)


__all__ = ["ground_of", "no_bodies"]
