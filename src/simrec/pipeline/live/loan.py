"""An article that is ranked and not kept: the site is lent a row, and is as before when it is given back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime

import numpy as np

from simrec.pipeline.live.engine import Engine
from simrec.pipeline.live.site import LiveSite
from simrec.store import StoredBlock
from simrec.types import NO_ROW, Article


def rank_unkept(site: LiveSite, article: Article, hash_: str, now: datetime) -> StoredBlock:
    """The block that an article would have, were it published now; one of its id goes for that long.

    Nobody else may use the site meanwhile.

    Args:
        site: up to date with the store.
        article: the article, of a stored one's id or of a new one.
        hash_: of the article.
        now: the moment that decides who may be shown.
    """
    engine = site.engine
    for space in engine.comparer.spaces:  # so that what is found by it is made of rows that stay
        engine.comparer.scan(0, space)
    own = site.fitted_rows.get(article.id, NO_ROW)
    same = own != NO_ROW and site.hashes[own] == hash_
    with lent(engine, [row for row in (engine.row_of.get(article.id, NO_ROW), own) if row != NO_ROW], now):
        gone, known = engine.row_of.get(article.id, NO_ROW), len(engine.shelf)
        (row,) = engine.shelve([(article, own, same)])
        engine.comparer.held.ahead([row])
        if row >= known:
            engine.comparer.measure([row], [own])
        if gone != NO_ROW:
            engine.dismiss(gone)
        engine.admit([row], [article], now)
        return engine.composer.blocks([row], [engine.rank(row)])[0]


@contextmanager
def lent(engine: Engine, rows: list[int], now: datetime) -> Iterator[None]:
    """Whatever is added to an engine meanwhile, or done to some of its rows, is taken back.

    Within, articles may be shown or not as they may be `now`: since the engine was asked last, some may have come to
    be, and no block that is kept knows of that yet.
    """
    n, fitted, comparer = len(engine.shelf), engine.fitted, engine.comparer
    due = np.flatnonzero(engine.alive.array & (engine.until.array <= now.timestamp())).tolist()
    held = sorted({*rows, *due})
    columns = [(column, column.array[held].copy()) for column in engine.columns.values()]
    order, ids = engine.order.array.copy(), engine.sorted_ids.copy()
    copies, pairs = engine.copies, engine.pairs
    row_of, articles, far = dict(engine.row_of), dict(engine.articles), dict(engine.far)
    codes = [fitted.languages, *(getattr(fitted.vectorizers, name) for name in ("authors", "sections", "folders"))]
    counts = [len(one) for one in codes]
    engine.copies = copies.copy()
    with ExitStack() as lending:
        lending.callback(comparer.refresh)
        lending.enter_context(fitted.lexicon.lent())
        lending.enter_context(engine.shelf.lent())
        try:
            for row in due:
                engine.stand(row, now)
            yield
        finally:
            engine.copies, engine.pairs, comparer.pairs = copies, pairs, pairs
            engine.row_of, engine.articles, engine.far, engine.sorted_ids = row_of, articles, far, ids
            for column, values in columns:
                column.cut(n)
                column.array[held] = values
            engine.order.array[:] = order
            for one, count in zip(codes, counts, strict=True):
                one.cut(count)
