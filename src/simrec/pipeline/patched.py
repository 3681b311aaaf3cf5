"""A corpus in which some articles are new or others, made of the one before in little time."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Mapping, Sequence

import numpy as np

from simrec.types import Article, Corpus, primary


def patched(corpus: Corpus, changed: Sequence[Article]) -> Corpus:
    """The corpus with articles in place of those of their ids, or added; the one given stays as it is.

    What was worked out of it already is brought up to date, not worked out again; what is missing is made when it is
    asked for.

    >>> corpus = Corpus([Article("a", "A", "…"), Article("c", "C", "…")])
    >>> patched(corpus, [Article("b", "B", "…")]).ids
    ['a', 'b', 'c']
    """
    found = {article.id: article for article in changed}
    if not found:
        return corpus
    places = {id_: bisect_left(corpus.ids, id_) for id_ in sorted(found)}
    known = {id_: at for id_, at in places.items() if at < len(corpus) and corpus.ids[at] == id_}
    articles, ids = list(corpus.articles), corpus.ids
    for id_, at in known.items():
        articles[at] = found[id_]
    added = [id_ for id_ in places if id_ not in known]
    if added:
        ids = list(ids)
        for id_ in reversed(added):
            articles.insert(places[id_], found[id_])
            ids.insert(places[id_], id_)
    new, made = Corpus(articles), vars(corpus)
    values = vars(new)
    values["ids"] = ids
    if "by_id" in made:
        values["by_id"] = made["by_id"] | found
    if "row_of" in made and not added:
        values["row_of"] = made["row_of"]
    if "published" in made:
        values["published"] = _dates(corpus, known, [places[id_] for id_ in added], added, found)
    values["lang_counts"] = counts = corpus.lang_counts.copy()
    counts.subtract(primary(lang) for id_ in known if (lang := corpus.articles[known[id_]].lang))
    counts.update(primary(article.lang) for article in found.values() if article.lang)
    for lang in [lang for lang, count in counts.items() if not count]:
        del counts[lang]
    return new


def _dates(
    corpus: Corpus, known: Mapping[str, int], at: Sequence[int], added: Sequence[str], found: Mapping[str, Article]
) -> np.ndarray:
    dates = corpus.published.copy()
    for id_, row in known.items():
        dates[row] = _seconds(found[id_])
    return np.insert(dates, at, [_seconds(found[id_]) for id_ in added]) if added else dates


def _seconds(article: Article) -> float:
    return article.published_at.timestamp() if article.published_at else math.nan
