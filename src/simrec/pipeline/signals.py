"""A site's signals: everything that features of its pairs are computed from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from simrec.index.dense import no_neighbors
from simrec.pipeline.dates import are_of_publication
from simrec.pipeline.nearby import LISTED
from simrec.pipeline.vectorizers import folders_of, names_of, path_strings
from simrec.rank.candidates import union
from simrec.rank.features import Signals, in_degree, share_below
from simrec.rank.fusion import undampen
from simrec.types import NO_ROW, Mask, Neighbors, Scores, Text

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

    from simrec.pipeline.site import Site

SPACES = {"tfidf": "tfidf", "sentence": "sentence", "title": "titles"}
"""The space whose lists give the places of a feature."""
BATCH = 1024
RARE = 0.01
"""Share of the articles up to which a term is rare."""
HEADLINES = 0.5
"""Share of titles that are the start of a longer first line, from which titles are no headlines."""
NAMED = 30
"""Nearest articles whose titles are looked for in the text, to learn what dates are worth."""


def make_signals(site: Site) -> Signals:
    """Computes what `simrec.rank.features.Signals` holds, from the site's vectors and metadata."""
    from sklearn.preprocessing import normalize

    corpus, texts = site.corpus, site.corpus.texts
    tfidf = site.tfidf[1]
    fused = fused_lists(site)
    fitted = site.vectorizers
    titles, bodies, weights = site.sequences
    rare = rare_terms(tfidf)
    near = {name: site.nearby.lists(space) for name, space in SPACES.items()}
    lengths = np.log1p(np.array([len(text.body.split()) for text in texts], dtype=np.float32))
    return Signals(
        fusion=site.fusion("fusion"),
        near={**{name: clipped(lists.scores) for name, lists in near.items()}, "fused": fused.scores},
        nearest=Neighbors(fused.rows, undampen(fused.scores)),
        hubs={"tfidf": in_degree(near["tfidf"].rows, len(texts)), "fused": in_degree(fused.rows, len(texts))},
        older=share_below(np.sort(corpus.published[~np.isnan(corpus.published)]), corpus.published),
        tfidf=tfidf,
        rare=rare,
        rare_lengths=rare_lengths(tfidf, rare),
        title_words=site.title_words,
        title_characters=fitted.characters.fit_transform([text.title for text in texts]),
        title_shares=normalize(site.tfidf[0].transform_words(site.words.only_titles()), norm="l1"),
        tags=site.tags,
        authors=names_of(corpus.articles, fitted.authors),
        path=fitted.paths.fit_transform(path_strings(corpus.articles)),
        sentence=site.sentence,
        title_sentence=site.titles,
        body_sentence=site.bodies,
        passages=site.passages.vectors,
        passage_starts=np.concatenate([[0], np.cumsum(site.passages.lengths)]),
        sections=site.sections,
        languages=corpus.lang_codes,
        folders=folders_of(corpus.articles, fitted.folders),
        published=corpus.published,
        dates_are_of_publication=are_of_publication(corpus, fused.rows[:, :NAMED], titles, bodies, weights),
        titles_are_headlines=sum(map(is_cut_off, texts)) <= HEADLINES * len(texts),
        title_sequences=titles,
        body_sequences=bodies,
        word_weights=weights,
        words=lengths,
        title_length=np.array([len(text.title.split()) for text in texts], dtype=np.float32),
    )


def clipped(scores: Scores) -> Scores:
    """(n, LISTED) the best of each list."""
    return np.ascontiguousarray(scores[:, :LISTED])


def fused_lists(site: Site) -> Neighbors:
    """(n, LISTED) the nearest of each article by the fusion, among those nearest by words and by meaning; dampened."""
    n = len(site.corpus)
    found, fusion = no_neighbors(n, LISTED), site.fusion("fusion")
    lists = [site.nearby.lists(name) for name in ("tfidf", "sentence")]
    for start in range(0, n, BATCH):
        rows = np.arange(start, min(start + BATCH, n), dtype=np.int32)
        candidates = union([Neighbors(near.rows[rows, :LISTED], near.scores[rows, :LISTED]) for near in lists])
        scores = fusion.score(rows, candidates).scores
        order = np.argsort(-scores, axis=1, kind="stable")[:, :LISTED]
        width = order.shape[1]
        best = np.take_along_axis(scores, order, 1)
        found.scores[rows, :width] = best
        found.rows[rows, :width] = np.where(np.isfinite(best), np.take_along_axis(candidates, order, 1), NO_ROW)
    return found


def is_cut_off(text: Text) -> bool:
    """Whether the title is the start of the body's first line, cut off in it."""
    title, first = text.title.rstrip(" .…"), text.body.lstrip().partition("\n")[0]
    return bool(title) and first.startswith(title) and len(first) > len(text.title)


def rare_terms(vectors: csr_matrix) -> Mask:
    """(terms,) bool: in few of the articles."""
    return rare_df(np.bincount(vectors.indices, minlength=vectors.shape[1]), vectors.shape[0])


def rare_df(df: NDArray[np.int64], n: int) -> Mask:
    """(terms,) bool: the same, of terms in `df` (terms,) of n articles."""
    return np.asarray(df <= max(RARE * n, 2))


def rare_lengths(vectors: csr_matrix, rare: Mask) -> Scores:
    """(n,) float32: the norm of each row's rare terms."""
    squares = np.where(rare[vectors.indices], vectors.data, 0).astype(np.float64) ** 2
    sums = np.add.reduceat(np.append(squares, 0), vectors.indptr[:-1])
    return np.sqrt(np.where(np.diff(vectors.indptr) > 0, sums, 0)).astype(np.float32)
