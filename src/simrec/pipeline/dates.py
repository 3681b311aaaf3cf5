"""What a site's dates are worth: days of publication, or of a review, a migration, a build."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from simrec.rank import kernels_titles
from simrec.rank.features import Sequences
from simrec.types import NO_ROW, Article, Corpus, Mask, Rows, Scores

LEAST_DATED = 0.5
"""Share of the articles that must have a date."""
BUSIEST_DAY = 0.1
"""With more of the articles on one day, that day is one of a migration, and the others are not to be trusted either."""
LEAST_NAMED = 20
"""Mentions of an article's whole title in another one's text, from which they can tell."""
OLDER = 0.55
"""Share of the mentioned articles that must be older than the text that mentions them."""
ERRORS = 2
"""Standard errors that the share must lie off, to speak for the dates or against them."""
IN_ADDRESS = 0.5
"""Share of the dated articles whose address has the month of the date in it."""
UPDATED = 0.2
"""Share of the dated articles with a later date of update, from which the two are kept apart."""
SAMPLE = 2000
MANY = 5
"""Articles that any day may have, on however small a site."""
DAY = 86_400
"""Seconds."""


def are_spread(corpus: Corpus) -> bool:
    """Whether no single day has so many of the articles that it must be one of a migration."""
    return are_spread_over(corpus.published[~np.isnan(corpus.published)])


def are_spread_over(dates: NDArray[np.float64]) -> bool:
    """The same, of the dates there are, in seconds since 1970."""
    counts = np.unique((dates // DAY).astype(np.int64), return_counts=True)[1]
    return int(counts.max(initial=0)) <= max(BUSIEST_DAY * len(dates), MANY)


def are_of_publication(corpus: Corpus, near: Rows, titles: Sequences, bodies: Sequences, weights: Scores) -> bool:
    """Whether the order of the dates is the order in which the articles appeared, as far as the site can tell.

    Three witnesses are heard: addresses that hold the month of the date; dates of update that are kept apart; and texts
    that name other articles by their whole title, which must be older. One has to speak for the dates, and none of the
    texts against them. Without a witness the answer is no: nothing is learned from an order that may be one of reviews.

    Args:
        corpus: the articles.
        near: (n, k) the articles nearest to each, -1 for none, among which mentions are looked for.
        titles, bodies: words of the articles.
        weights: of the words.
    """
    published = corpus.published
    dated = np.flatnonzero(~np.isnan(published))
    if len(dated) < max(LEAST_DATED * len(corpus), 2):
        return False
    if not are_spread(corpus):
        return False
    older = _older_where_named(corpus, near, titles, bodies, weights)
    named = 0.0
    if len(older) >= LEAST_NAMED:
        named = float((older.mean() - OLDER) / max(older.std() / np.sqrt(len(older)), 1e-9))
    if named < -ERRORS:
        return False
    articles = [corpus.articles[row] for row in dated.tolist()]
    return named > ERRORS or _share(articles, _in_address) >= IN_ADDRESS or _share(articles, _is_updated) >= UPDATED


def _older_where_named(corpus: Corpus, near: Rows, titles: Sequences, bodies: Sequences, weights: Scores) -> Mask:
    """For each mention of a whole title of three words or more, whether the mentioned article is older."""
    sample = np.sort(np.random.default_rng(0).choice(len(corpus), min(len(corpus), SAMPLE), replace=False))
    rows, others = sample.astype(np.int32), near[sample]
    named = kernels_titles.title_runs(titles, bodies, weights, rows, others)[:, :, 0] >= 1 - 1e-6
    named &= (np.diff(titles.starts)[others] >= 3) & (others != NO_ROW)
    own, other = corpus.published[rows][:, None], corpus.published[others]
    known = named & ~np.isnan(own) & ~np.isnan(other) & (own != other)
    return np.asarray((other < own)[known])


def _share(articles: Sequence[Article], holds: Callable[[Article], bool]) -> float:
    return float(np.mean([holds(article) for article in articles]))


def _in_address(article: Article) -> bool:
    day = article.published_at
    where = f"{article.id} {article.url or ''}"
    return day is not None and re.search(rf"{day.year}\D?0?{day.month}(?!\d)|{day:%Y%m}", where) is not None


def _is_updated(article: Article) -> bool:
    day, updated = article.published_at, article.updated_at
    return day is not None and updated is not None and updated.date() > day.date()
