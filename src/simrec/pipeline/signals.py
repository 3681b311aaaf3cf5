"""A site's signals: everything that features of its pairs are computed from."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import numpy as np
from numpy.typing import NDArray

from simrec.embed.sentence import SentenceEmbedder
from simrec.embed.terms import Analyzer
from simrec.index.dense import DenseIndex
from simrec.index.sparse import SparseIndex
from simrec.pipeline.dates import are_of_publication
from simrec.rank.features import Sequences, Signals
from simrec.types import NO_ROW, Article, Neighbors, Rows, Text

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

    from simrec.pipeline.site import Site

LISTED = 100
"""Nearest articles whose places features look at."""
RARE = 0.01
"""Share of the articles up to which a term is rare."""
HEADLINES = 0.5
"""Share of titles that are the start of a longer first line, from which titles are no headlines."""
NAMED = 30
"""Nearest articles whose titles are looked for in the text, to learn what dates are worth."""
FOLDERS = 6
"""Folders of a path that are looked at."""
_PARTS = re.compile(r"[^\W_]+")


def make_signals(site: Site) -> Signals:
    """Computes what `simrec.rank.features.Signals` holds, from the site's vectors and metadata."""
    from sklearn.preprocessing import normalize

    corpus, texts = site.corpus, site.corpus.texts
    tfidf_embedder, tfidf = site.tfidf
    titles = [Text(text.title, "", text.lang) for text in texts]
    sentence: Any = SentenceEmbedder(**site.settings.sentence.model_dump(), cache=site.cache)
    passages = sentence.passages(texts, site.progress)
    everyone = np.arange(len(corpus), dtype=np.int32)
    fused = site.nearest(everyone, LISTED)
    terms = tfidf.copy()
    terms.data = np.ones_like(terms.data)
    title_sentence = site.titles
    title_words, body_words, weights = sequences(texts)
    return Signals(
        fusion=site.fusion("fusion"),
        near={
            "tfidf": _nearest(SparseIndex(tfidf), tfidf),
            "sentence": _nearest(DenseIndex(site.sentence), site.sentence),
            "title": _nearest(DenseIndex(title_sentence), title_sentence),
            "fused": fused.rows,
        },
        near_fused=fused.scores,
        tfidf=tfidf,
        rare=normalize(_rare(tfidf)),
        title_words=site.title_words,
        title_characters=_characters([text.title for text in texts]),
        title_shares=normalize(tfidf_embedder.transform(titles), norm="l1"),
        terms=terms,
        tags=site.tags,
        authors=_names([article.authors for article in corpus.articles]),
        path=normalize(_paths(corpus.articles)),
        sentence=site.sentence,
        title_sentence=title_sentence,
        body_sentence=SentenceEmbedder(
            **{**site.settings.sentence.model_dump(), "title_weight": 0.0}, cache=site.cache
        ).transform(texts),
        passages=passages.vectors,
        passage_starts=np.concatenate([[0], np.cumsum(passages.lengths)]),
        sections=codes([article.section for article in corpus.articles]),
        languages=corpus.lang_codes,
        folders=_folders(corpus.articles),
        published=corpus.published,
        dates_are_of_publication=are_of_publication(corpus, fused.rows[:, :NAMED], title_words, body_words, weights),
        titles_are_headlines=sum(map(_is_cut_off, texts)) <= HEADLINES * len(texts),
        title_sequences=title_words,
        body_sequences=body_words,
        word_weights=weights,
        words=np.array([len(text.body.split()) for text in texts], dtype=np.float32),
        title_length=np.array([len(text.title.split()) for text in texts], dtype=np.float32),
    )


def sequences(texts: Sequence[Text]) -> tuple[Sequences, Sequences, NDArray[np.float32]]:
    """The words of the titles and of the bodies in order, cut to their stems, and each word's IDF."""
    analyzer = Analyzer(ngrams=1)
    numbers: dict[str, int] = {}
    found = []
    for parts in ([text.title for text in texts], [text.body for text in texts]):
        cut = [analyzer.terms(part, text.lang) for part, text in zip(parts, texts, strict=True)]
        starts = np.concatenate([[0], np.cumsum([len(words) for words in cut])]).astype(np.int64)
        flat = [numbers.setdefault(word, len(numbers)) for words in cut for word in words]
        found.append(Sequences(starts, np.array(flat, dtype=np.int32)))
    titles, bodies = found
    df = np.ones(len(numbers), dtype=np.float32)
    for start, end in pairwise(bodies.starts.tolist()):
        df[np.unique(bodies.words[start:end])] += 1
    return titles, bodies, np.log((len(texts) + 2) / df).astype(np.float32)


def _is_cut_off(text: Text) -> bool:
    """Whether the title is the start of the body's first line, cut off in it."""
    title, first = text.title.rstrip(" .…"), text.body.lstrip().partition("\n")[0]
    return bool(title) and first.startswith(title) and len(first) > len(text.title)


def codes(names: Sequence[str | None]) -> NDArray[np.int32]:
    """(n,) equal numbers for equal names; -1 for none."""
    number = {name: i for i, name in enumerate(sorted({name for name in names if name}))}
    return np.array([number.get(name or "", NO_ROW) for name in names], dtype=np.int32)


def _nearest(index: Any, vectors: Any) -> Rows:
    found: Neighbors = index.query(vectors, LISTED, exclude=np.arange(vectors.shape[0], dtype=np.int32))
    return np.ascontiguousarray(found.rows)


def _rare(vectors: csr_matrix) -> csr_matrix:
    df = np.bincount(vectors.indices, minlength=vectors.shape[1])
    rare = vectors.copy()
    rare.data = np.where(df[rare.indices] <= max(RARE * vectors.shape[0], 2), rare.data, 0).astype(np.float32)
    rare.eliminate_zeros()
    return rare


def _characters(titles: Sequence[str]) -> csr_matrix:
    from sklearn.feature_extraction.text import TfidfVectorizer

    vectorizer = TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 5), sublinear_tf=True, dtype=np.float32)
    try:
        return vectorizer.fit_transform(titles).tocsr()
    except ValueError:  # no title has three characters
        return _empty(len(titles))


def _names(of_articles: Sequence[Sequence[str]]) -> csr_matrix:
    """(n, names) unit rows, a column a name."""
    from sklearn.preprocessing import MultiLabelBinarizer, normalize

    if not any(of_articles):
        return _empty(len(of_articles))
    return normalize(MultiLabelBinarizer(sparse_output=True).fit_transform(of_articles).astype(np.float32)).tocsr()


def _paths(articles: Sequence[Article]) -> csr_matrix:
    from sklearn.feature_extraction.text import TfidfVectorizer

    paths = [" ".join(_PARTS.findall(f"{article.id} {_path(article)}".lower())) for article in articles]
    try:
        return TfidfVectorizer(analyzer=str.split, dtype=np.float32).fit_transform(paths).tocsr()
    except ValueError:  # ids of signs alone
        return _empty(len(articles))


def _folders(articles: Sequence[Article]) -> NDArray[np.int32]:
    """(n, FOLDERS) numbers of each article's folders, from the top; -1 below the last."""
    paths = [[part for part in (_path(a) if "/" not in a.id else a.id).split("/") if part][:-1] for a in articles]
    prefixes = [["/".join(path[: i + 1]) if i < len(path) else None for i in range(FOLDERS)] for path in paths]
    flat = codes([prefix for row in prefixes for prefix in row])
    return flat.reshape(len(articles), FOLDERS)


def _path(article: Article) -> str:
    try:
        return urlsplit(article.url or "").path
    except ValueError:
        return ""


def _empty(n: int) -> csr_matrix:
    from scipy.sparse import csr_matrix

    return csr_matrix((n, 1), dtype=np.float32)
