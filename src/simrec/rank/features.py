"""What a learned ranker knows of a pair (page, candidate): one float32 array a batch, a column a feature.

A value that cannot be known is NaN: a missing date, tag or author says nothing, and is not a 0. Features of picks are
in `simrec.rank.history`, since what may be looked at there depends on the page.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from simrec.rank import kernels
from simrec.rank.catalogue import FUSED, NEAR, OF_PAIRS
from simrec.rank.fusion import Fusion
from simrec.types import NO_ROW, Dense, Rows, Scores

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

Table = NDArray[np.float32]
"""(b, c, f): sources, candidates, features."""

DAY = 86_400.0


NAMES = tuple(feature.name for feature in OF_PAIRS)
HUB = 10


@dataclass(frozen=True)
class Signals:
    """A site as features need it; n articles.

    Attributes:
        fusion: fitted, with the parts of `FUSED`.
        near: for each of `NEAR` (n, k) rows, nearest first, -1 for none.
        near_fused: (n, k) the fusion's scores of near["fused"].
        tfidf, rare, title_words, title_characters, tags, authors, path: (n, terms) sparse unit rows.
        title_shares: (n, terms) sparse: each title's share of IDF by term; rows sum to 1.
        terms: (n, terms) sparse: 1 where the article has the term.
        sentence, title_sentence, body_sentence: (n, d) unit rows.
        passages: (m, d) unit rows; passage_starts: (n + 1,) where each article's begin.
        sections, languages, folders: (n,), (n,) and (n, depth) codes; NO_ROW for none.
        published: (n,) seconds, NaN for none.
        words, title_length: (n,) counts.
    """

    fusion: Fusion
    near: Mapping[str, Rows]
    near_fused: Scores
    tfidf: csr_matrix
    rare: csr_matrix
    title_words: csr_matrix
    title_characters: csr_matrix
    title_shares: csr_matrix
    terms: csr_matrix
    tags: csr_matrix
    authors: csr_matrix
    path: csr_matrix
    sentence: Dense
    title_sentence: Dense
    body_sentence: Dense
    passages: Dense
    passage_starts: NDArray[np.int64]
    sections: NDArray[np.int32]
    languages: NDArray[np.int32]
    folders: NDArray[np.int32]
    published: NDArray[np.float64]
    words: NDArray[np.float32]
    title_length: NDArray[np.float32]


class PairFeatures:
    """Computes `OF_PAIRS` for batches of pairs."""

    def __init__(self, signals: Signals) -> None:
        self.signals = signals
        n = len(signals.published)
        self._older = _share_below(signals.published)
        self._hubs = {name: _in_degree(signals.near[name], n) for name in ("tfidf", "fused")}

    def of(self, rows: Rows, candidates: Rows) -> Table:
        """(b, c, f) float32, NaN where a value is not known or there is no candidate.

        Args:
            rows: (b,) the pages.
            candidates: (b, c), -1 for none.
        """
        found: dict[str, Any] = {}
        for block in (self._fused, self._places, self._text, self._titles, self._metadata, self._time, self._form):
            found |= block(rows, candidates)
        table = np.stack([np.asarray(found[name], dtype=np.float32) for name in NAMES], axis=2)
        table[candidates == NO_ROW] = np.nan
        return table

    def _fused(self, rows: Rows, candidates: Rows) -> dict[str, Any]:
        fusion = self.signals.fusion
        own, back = fusion.views(rows, candidates)
        scores = fusion.mean(own, back)
        scores[candidates == NO_ROW] = -np.inf
        columns = {f"{part}_z": own[:, :, i] for i, part in enumerate(FUSED)}
        columns |= {f"{part}_back": back[:, :, i] for i, part in enumerate(FUSED)}
        text = (own[:, :, :2] + fusion.back * back[:, :, :2]) / (1 + fusion.back)
        order = np.argsort(np.argsort(-scores, axis=1, kind="stable"), axis=1)
        best = scores.max(axis=1, keepdims=True, initial=-np.inf)
        return columns | {
            "fused": scores,
            "fused_text": text.mean(axis=2),
            "fused_gap": scores - np.where(np.isfinite(best), best, 0),
            "fused_place": order,
        }

    def _places(self, rows: Rows, candidates: Rows) -> dict[str, Any]:
        columns: dict[str, Any] = {}
        for name in NEAR:
            places = kernels.places_in_lists(self.signals.near[name], rows, candidates)
            columns |= {f"{name}_rank": places[:, :, 0], f"{name}_rank_back": places[:, :, 1]}
        return columns

    def _text(self, rows: Rows, candidates: Rows) -> dict[str, Any]:
        signals = self.signals
        words = _sparse(signals.tfidf, signals.tfidf, rows, candidates)
        meaning = kernels.dense_pairs(signals.sentence, signals.sentence, rows, candidates)
        passages = kernels.best_passages(signals.passages, signals.passage_starts, rows, candidates)
        return {
            "tfidf_cos": words,
            "tfidf_share": _over_best(words),
            "rare_cos": _sparse(signals.rare, signals.rare, rows, candidates),
            "sentence_cos": meaning,
            "sentence_share": _over_best(meaning),
            "passage_best": passages[:, :, 0],
            "passage_mean": passages[:, :, 1],
        }

    def _titles(self, rows: Rows, candidates: Rows) -> dict[str, Any]:
        signals, dense = self.signals, kernels.dense_pairs
        return {
            "title_words": _sparse(signals.title_words, signals.title_words, rows, candidates),
            "title_characters": _sparse(signals.title_characters, signals.title_characters, rows, candidates),
            "title_sentence": dense(signals.title_sentence, signals.title_sentence, rows, candidates),
            "title_to_body": dense(signals.title_sentence, signals.body_sentence, rows, candidates),
            "body_to_title": dense(signals.body_sentence, signals.title_sentence, rows, candidates),
            "title_named_there": _sparse(signals.title_shares, signals.terms, rows, candidates),
            "title_named_here": _sparse(signals.terms, signals.title_shares, rows, candidates),
        }

    def _metadata(self, rows: Rows, candidates: Rows) -> dict[str, Any]:
        signals = self.signals
        folders = signals.folders[rows][:, None, :]
        shared = (folders == signals.folders[candidates]) & (folders != NO_ROW)
        depth = (folders != NO_ROW).sum(axis=2)
        with np.errstate(invalid="ignore"):
            inside = np.cumprod(shared, axis=2).sum(axis=2) / np.where(depth > 0, depth, np.nan)
        return {
            "tags_cos": _known(signals.tags, rows, candidates),
            "same_section": _same(signals.sections, rows, candidates),
            "same_author": _known(signals.authors, rows, candidates),
            "same_language": _same(signals.languages, rows, candidates),
            "path_cos": _known(signals.path, rows, candidates),
            "path_depth": inside,
        }

    def _time(self, rows: Rows, candidates: Rows) -> dict[str, Any]:
        published = self.signals.published
        days = (published[candidates] - published[rows][:, None]) / DAY
        apart = np.log1p(np.abs(days))
        return {"days_newer": np.sign(days) * apart, "days_apart": apart, "age_share": self._older[candidates]}

    def _form(self, rows: Rows, candidates: Rows) -> dict[str, Any]:
        words = np.log1p(self.signals.words)
        return {
            "words": words[candidates],
            "words_ratio": words[candidates] - words[rows][:, None],
            "title_length": self.signals.title_length[candidates],
            "hub_tfidf": self._hubs["tfidf"][candidates],
            "hub_fused": self._hubs["fused"][candidates],
        }


def _sparse(one: csr_matrix, two: csr_matrix, rows: Rows, candidates: Rows) -> Any:
    width = max(one.shape[1], two.shape[1], 1)
    arrays = [(m.indptr, m.indices, m.data) for m in (one, two)]
    return kernels.sparse_pairs(arrays[0], arrays[1], width, rows, candidates)


def _known(vectors: csr_matrix, rows: Rows, candidates: Rows) -> Any:
    """The cosine, NaN where one of the two has nothing."""
    has = np.diff(vectors.indptr) > 0
    return np.where(has[rows][:, None] & has[candidates], _sparse(vectors, vectors, rows, candidates), np.nan)


def _same(codes: NDArray[np.int32], rows: Rows, candidates: Rows) -> Any:
    own, other = codes[rows][:, None], codes[candidates]
    return np.where((own == NO_ROW) | (other == NO_ROW), np.nan, own == other)


def _over_best(scores: Scores) -> Any:
    best = np.nanmax(np.where(np.isnan(scores), 0, scores), axis=1, keepdims=True, initial=1e-9)
    return scores / best


def _share_below(values: NDArray[np.float64]) -> NDArray[np.float32]:
    known = np.sort(values[~np.isnan(values)])
    below = np.searchsorted(known, values) / max(len(known), 1)
    return np.where(np.isnan(values), np.nan, below).astype(np.float32)


def _in_degree(lists: Rows, n: int) -> NDArray[np.float32]:
    near = lists[:, :HUB]
    return (np.bincount(near[near != NO_ROW], minlength=n) / HUB).astype(np.float32)
