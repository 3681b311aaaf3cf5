"""What a learned ranker knows of a pair (page, candidate): one float32 array a batch, a column a feature.

A value that cannot be known is NaN: a missing date, tag or author says nothing, and is not a 0. Features of picks are
in `simrec.rank.history`, since what may be looked at there depends on the page.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from simrec.rank import kernels, kernels_scores, kernels_titles
from simrec.rank.catalogue import FUSED, NEAR, OF_PAIRS
from simrec.rank.fusion import Fusion
from simrec.types import NO_ROW, Dense, Mask, Neighbors, Rows, Scores

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

Table = NDArray[np.float32]
"""(b, c, f): sources, candidates, features."""

DAY = 86_400.0


NAMES = tuple(feature.name for feature in OF_PAIRS)
GROUP_OF = {feature.name: feature.group for feature in OF_PAIRS}
RELATIVE = ("fused_gap", "fused_place", "tfidf_share", "sentence_share")
"""Columns that say how a candidate stands beside the page's other candidates."""
HUB = 10
"""Places of a list that make a hub of who stands there often."""


class Sequences(NamedTuple):
    """Words of n texts, in order: those of text i are words[starts[i]:starts[i + 1]], numbers into a vocabulary."""

    starts: NDArray[np.int64]
    words: NDArray[np.int32]


@dataclass(frozen=True)
class Signals:
    """A site as features need it; n articles.

    Attributes:
        fusion: fitted, with the parts of `FUSED`.
        near: for each of `NEAR` (n, k) float32: the scores of the nearest of each row, descending; -inf for none.
        nearest: (n, k) the rows nearest by the fusion, and their scores.
        hubs: (n,) float32 by "tfidf" and "fused": how many lists of the ten nearest each row is in, over ten.
        older: (n,) share of the articles that are older, NaN without a date.
        tfidf, title_words, title_characters, tags, authors, path: (n, terms) sparse unit rows, columns ascending.
        rare: (terms of `tfidf`,) bool: in few articles; rare_lengths: (n,) the norm of a row's rare terms.
        title_shares: (n, terms) sparse: each title's share of IDF by term; rows sum to 1.
        sentence, title_sentence, body_sentence: (n, d) unit rows.
        passages: (m, d) unit rows; passage_starts: (n + 1,) where each article's begin.
        sections, languages, folders: (n,), (n,) and (n, depth) codes; NO_ROW for none.
        title_sequences, body_sequences: words in the order of the text.
        word_weights: (words,) the IDF of each word.
        published: (n,) seconds, NaN for none.
        dates_are_of_publication: whether the order of dates is the order in which articles appeared.
        titles_are_headlines: whether titles are more than the first words of the text.
        words: (n,) ln(1 + words); title_length: (n,) words.
    """

    fusion: Fusion
    near: Mapping[str, Scores]
    nearest: Neighbors
    hubs: Mapping[str, Scores]
    older: Scores
    tfidf: csr_matrix
    rare: Mask
    rare_lengths: Scores
    title_words: csr_matrix
    title_characters: csr_matrix
    title_shares: csr_matrix
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
    dates_are_of_publication: bool
    titles_are_headlines: bool
    title_sequences: Sequences
    body_sequences: Sequences
    word_weights: NDArray[np.float32]
    words: NDArray[np.float32]
    title_length: NDArray[np.float32]


class PairFeatures:
    """Computes `OF_PAIRS` for batches of pairs."""

    def __init__(self, signals: Signals) -> None:
        self.signals = signals

    def of(self, rows: Rows, candidates: Rows) -> Table:
        """(b, c, f) float32, NaN where a value is not known or there is no candidate.

        Args:
            rows: (b,) the pages.
            candidates: (b, c), -1 for none.
        """
        return relative(self.absolute(rows, candidates))

    def absolute(self, rows: Rows, candidates: Rows) -> Table:
        """The same, but for the columns of `RELATIVE`, which are NaN: nothing here depends on the other candidates."""
        found: dict[str, Any] = {}
        for block in (self._fused, self._text, self._titles, self._places, self._metadata, self._time, self._form):
            found |= block(rows, candidates, found)
        table = np.empty((*candidates.shape, len(NAMES)), dtype=np.float32)
        for column, name in enumerate(NAMES):
            table[:, :, column] = found.get(name, np.nan)
        table[candidates == NO_ROW] = np.nan
        return table

    def _fused(self, rows: Rows, candidates: Rows, found: Mapping[str, Any]) -> dict[str, Any]:
        signals, fusion = self.signals, self.signals.fusion
        of_terms = kernels.term_pairs(
            arrays(signals.tfidf), signals.rare, signals.rare_lengths, arrays(signals.title_shares), rows, candidates
        )
        parts: dict[str, Any] = {part.name: part.pairs for part, _ in fusion.parts if part.name != "tfidf"}
        scores = {"tfidf": of_terms[:, :, 0], **{name: pairs(rows, candidates) for name, pairs in parts.items()}}
        own, back = fusion.views(rows, candidates, [scores[name] for name in FUSED])
        columns = {f"{part}_z": own[:, :, i] for i, part in enumerate(FUSED)}
        columns |= {f"{part}_back": back[:, :, i] for i, part in enumerate(FUSED)}
        both = fusion.both(own, back)
        return columns | {
            "fused": fusion.mean(own, back),
            "fused_text": (both[:, :, 0] + both[:, :, 1]) / 2,
            "tfidf_cos": scores["tfidf"],
            "rare_cos": of_terms[:, :, 1],
            "title_named_there": of_terms[:, :, 2],
            "sentence_cos": scores["sentence"],
            "tags_cos": scores["tags"],
        }

    def _text(self, rows: Rows, candidates: Rows, found: Mapping[str, Any]) -> dict[str, Any]:
        signals = self.signals
        passages = kernels.best_passages(signals.passages, signals.passage_starts, rows, candidates)
        return {"passage_best": passages[:, :, 0], "passage_mean": passages[:, :, 1]}

    def _titles(self, rows: Rows, candidates: Rows, found: Mapping[str, Any]) -> dict[str, Any]:
        signals, dense = self.signals, kernels.dense_pairs
        similar = {"title_sentence": dense(signals.title_sentence, signals.title_sentence, rows, candidates)}
        if not signals.titles_are_headlines:
            unknown = {name: np.nan for name in NAMES if GROUP_OF[name] == "titles"}
            return unknown | {"title_near": similar["title_sentence"]}
        runs = kernels_titles.title_runs(
            signals.title_sequences, signals.body_sequences, signals.word_weights, rows, candidates
        )
        return similar | {
            "title_near": similar["title_sentence"],
            "title_words": _sparse(signals.title_words, rows, candidates),
            "title_characters": _sparse(signals.title_characters, rows, candidates),
            "title_to_body": dense(signals.title_sentence, signals.body_sentence, rows, candidates),
            "body_to_title": dense(signals.body_sentence, signals.title_sentence, rows, candidates),
            "title_named_here": kernels.share_pairs(
                arrays(signals.tfidf), arrays(signals.title_shares), len(signals.rare), rows, candidates
            ),
            "title_run_here": runs[:, :, 0],
            "title_run_there": runs[:, :, 1],
        }

    def _places(self, rows: Rows, candidates: Rows, found: Mapping[str, Any]) -> dict[str, Any]:
        scores = {"tfidf": "tfidf_cos", "sentence": "sentence_cos", "title": "title_near", "fused": "fused"}
        columns: dict[str, Any] = {}
        for name in NEAR:
            places = kernels_scores.places_in_lists(self.signals.near[name], found[scores[name]], rows, candidates)
            columns |= {f"{name}_rank": places[:, :, 0], f"{name}_rank_back": places[:, :, 1]}
        return columns

    def _metadata(self, rows: Rows, candidates: Rows, found: Mapping[str, Any]) -> dict[str, Any]:
        signals = self.signals
        folders = signals.folders[rows][:, None, :]
        shared = (folders == signals.folders[candidates]) & (folders != NO_ROW)
        depth = (folders != NO_ROW).sum(axis=2)
        with np.errstate(invalid="ignore"):
            inside = np.cumprod(shared, axis=2).sum(axis=2) / np.where(depth > 0, depth, np.nan)
        return {
            "tags_cos": _known(signals.tags, rows, candidates, found["tags_cos"]),
            "same_section": _same(signals.sections, rows, candidates),
            "same_author": _known(signals.authors, rows, candidates),
            "same_language": _same(signals.languages, rows, candidates),
            "path_cos": _known(signals.path, rows, candidates),
            "path_depth": inside,
        }

    def _time(self, rows: Rows, candidates: Rows, found: Mapping[str, Any]) -> dict[str, Any]:
        newer = kernels.time_pairs(self.signals.published, rows, candidates)
        return {
            "days_newer": newer,
            "days_apart": np.abs(newer),
            "age_share": self.signals.older[candidates],
            "days_after": newer if self.signals.dates_are_of_publication else np.nan,
        }

    def _form(self, rows: Rows, candidates: Rows, found: Mapping[str, Any]) -> dict[str, Any]:
        words = self.signals.words
        return {
            "words": words[candidates],
            "words_ratio": words[candidates] - words[rows][:, None],
            "title_length": self.signals.title_length[candidates],
            "hub_tfidf": self.signals.hubs["tfidf"][candidates],
            "hub_fused": self.signals.hubs["fused"][candidates],
        }


def arrays(matrix: csr_matrix) -> tuple[Any, Any, Any]:
    """A sparse matrix as kernels take it."""
    return matrix.indptr, matrix.indices, matrix.data


def _sparse(vectors: csr_matrix, rows: Rows, candidates: Rows) -> Any:
    return kernels.sparse_pairs(arrays(vectors), arrays(vectors), vectors.shape[1], rows, candidates)


def _known(vectors: csr_matrix, rows: Rows, candidates: Rows, cosines: Any = None) -> Any:
    """The cosine, NaN where one of the two has nothing."""
    if cosines is None:
        cosines = _sparse(vectors, rows, candidates)
    own, other = (vectors.indptr[some + 1] > vectors.indptr[some] for some in (rows, candidates))
    return np.where(own[:, None] & other, cosines, np.nan)


def _same(codes: NDArray[np.int32], rows: Rows, candidates: Rows) -> Any:
    own, other = codes[rows][:, None], codes[candidates]
    return np.where((own == NO_ROW) | (other == NO_ROW), np.nan, own == other)


def relative(table: Table) -> Table:
    """Fills the columns of `RELATIVE`: each candidate beside the page's best one. The table itself is changed."""
    column = {name: table[:, :, NAMES.index(name)] for name in ("fused", "tfidf_cos", "sentence_cos", *RELATIVE)}
    fused = column["fused"]
    order = np.argsort(-np.nan_to_num(fused, nan=-np.inf), axis=1, kind="stable")
    places = np.empty(fused.shape, dtype=np.float32)
    np.put_along_axis(places, order, np.arange(fused.shape[1], dtype=np.float32)[None, :], 1)
    column["fused_place"][:] = np.where(np.isnan(fused), np.nan, places)
    column["fused_gap"][:] = fused - np.nan_to_num(fused, nan=-np.inf).max(axis=1, keepdims=True, initial=-1e9)
    for part in ("tfidf", "sentence"):
        cosines = column[f"{part}_cos"]
        column[f"{part}_share"][:] = cosines / np.nan_to_num(cosines).max(axis=1, keepdims=True, initial=1e-9)
    return table


def share_below(known: NDArray[np.float64], values: NDArray[np.float64]) -> Scores:
    """(n,) float32: the share of the known values, ascending, that are below each value; NaN for NaN."""
    below = np.searchsorted(known, values) / max(len(known), 1)
    return np.where(np.isnan(values), np.nan, below).astype(np.float32)


def in_degree(lists: Rows, n: int) -> Scores:
    """(n,) float32: how many of the (n, k) lists have a row among their first `HUB`, over `HUB`."""
    near = lists[:, :HUB]
    return (np.bincount(near[near != NO_ROW], minlength=n) / HUB).astype(np.float32)


class Remembered:
    """Features of pairs that are asked for again: over folds and views, most candidates of a page are the same ones.

    Args:
        features: computes them.
        rows: (s,) the pages that will be asked for.
        n: articles.
    """

    def __init__(self, features: PairFeatures, rows: Rows, n: int) -> None:
        self.signals = features.signals
        self._features = features
        self._at = np.full(n, NO_ROW, dtype=np.int64)
        self._at[rows] = np.arange(len(rows))
        self._known: list[Rows] = [np.zeros(0, dtype=np.int32)] * len(rows)
        self._tables: list[NDArray[np.float32]] = [np.zeros((0, len(NAMES)), dtype=np.float32)] * len(rows)

    def of(self, rows: Rows, candidates: Rows) -> Table:
        """See `PairFeatures.of`."""
        places = self._at[rows].tolist()
        new = [
            np.setdiff1d(wanted[wanted != NO_ROW], self._known[place])
            for place, wanted in zip(places, candidates, strict=True)
        ]
        width = max(map(len, new), default=0)
        if width:
            asked = np.full((len(rows), width), NO_ROW, dtype=np.int32)
            for place, found in enumerate(new):
                asked[place, : len(found)] = found
            for place, found, table in zip(places, new, self._features.absolute(rows, asked), strict=True):
                self._keep(place, found, table[: len(found)])
        out = np.full((*candidates.shape, len(NAMES)), np.nan, dtype=np.float32)
        for place, wanted, table in zip(places, candidates, out, strict=True):
            there = wanted != NO_ROW
            table[there] = self._tables[place][np.searchsorted(self._known[place], wanted[there])]
        return relative(out)

    def _keep(self, place: int, rows: Rows, table: NDArray[np.float32]) -> None:
        known = np.concatenate([self._known[place], rows])
        order = np.argsort(known, kind="stable")
        self._known[place] = known[order]
        self._tables[place] = np.concatenate([self._tables[place], table])[order]
