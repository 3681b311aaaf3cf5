"""What a full build learned of a site and what stays as it is until the next one: models, weights, statistics."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simrec.embed.cache import Passages
from simrec.embed.terms import Lexicon
from simrec.embed.tfidf import TfidfEmbedder
from simrec.embed.words import Words, analyze
from simrec.pipeline.signals import rare_lengths
from simrec.pipeline.vectorizers import Codes, Vectorizers, folders_of, names_of, path_strings, tag_texts
from simrec.rank.features import Sequences, share_below
from simrec.rank.learned import LambdaRanker
from simrec.settings import Settings
from simrec.types import Article, Mask, Scores, Text, primary


@dataclass
class Fitted:
    """A site as it was fitted.

    Attributes:
        settings: of the workspace.
        model: the model's name.
        main_lang: the language of articles that name none.
        tfidf: counts words; fitted.
        meaning: the embedder of meanings, fitted; None where the model looks at words alone.
        tags, titles: count the words of tags and of titles; None where the model does not look at them.
        vectorizers: all other ones.
        languages: numbers of the languages.
        lexicon: numbers of all words; it grows.
        weights: (stems,) the IDF of each stem, when fitted.
        rare: (terms,) bool, whether a term was in few articles.
        telling: (terms,) bool, whether one says something to people: see `TfidfEmbedder.telling`.
        dates: (d,) the dates of the articles, ascending.
        ages: whether closeness in time counts; usual: months that a missing date is taken to be away.
        dates_are_of_publication, titles_are_headlines: see `simrec.rank.features.Signals`.
        sample: (s,) the rows that a row's usual similarities are measured against.
        eligible: (n,) bool: who could be shown then.
        prior, prior_weight: the ranker trained on other sites, and its share; None and 0 without it.
        prior_name: which of them it is.
        newest: the date that ages are counted back from, in seconds since 1970.
    """

    settings: Settings
    model: str
    main_lang: str
    tfidf: TfidfEmbedder
    meaning: Any
    tags: TfidfEmbedder | None
    titles: TfidfEmbedder | None
    vectorizers: Vectorizers
    languages: Codes
    lexicon: Lexicon
    weights: Scores
    rare: Mask
    telling: Mask
    dates: NDArray[np.float64]
    ages: bool
    usual: float
    dates_are_of_publication: bool
    titles_are_headlines: bool
    sample: NDArray[np.int32]
    eligible: Mask
    prior: LambdaRanker | None
    prior_weight: float
    prior_name: str = ""
    newest: float = 0.0

    @property
    def n(self) -> int:
        """Articles that it was fitted on: the first rows of the shelf."""
        return len(self.eligible)

    @cached_property
    def df(self) -> NDArray[np.int64]:
        """(terms,) how many articles had each term."""
        return np.rint((self.n + 1) / np.exp(self.tfidf.idf_.astype(np.float64))).astype(np.int64)

    def text_of(self, article: Article) -> Text:
        """What embedders read of an article."""
        return Text(article.title, article.body, article.lang or self.main_lang)

    def rows_of(self, articles: Sequence[Article]) -> dict[str, Any]:
        """The columns of b articles, each with b rows; what depends on other articles is not among them."""
        texts = [self.text_of(article) for article in articles]
        words = analyze(texts, self.lexicon, processes=1)
        published = [article.published_at.timestamp() if article.published_at else np.nan for article in articles]
        found: dict[str, Any] = {
            "languages": self.languages.of([primary(text.lang) for text in texts]),
            "published": np.array(published, dtype=np.float64),
            "tfidf": self.tfidf.transform_words(words),
            "title_sequences": Sequences(*words.stems(words.titles)),
            "body_sequences": Sequences(*words.stems(words.bodies)),
        }
        if self.meaning is not None:
            found |= self._meanings(texts)
        if self.tags is not None:
            found |= {
                "tags": self.tags.transform(tag_texts(articles, texts)),
                "sections": self.vectorizers.sections.of([article.section for article in articles]),
                "ages": found["published"] if self.ages else np.full(len(articles), np.nan),
            }
        return found | self._details(articles, words, found) if self.titles is not None else found

    def _meanings(self, texts: Sequence[Text]) -> dict[str, Any]:
        """Vectors; one text at a time, since a model's sums may depend on what it reads together."""
        views = [self.meaning.views([text]) for text in texts]
        articles, titles, bodies = (np.concatenate([view[number] for view in views]) for number in range(3))
        vectors, lengths = (np.concatenate([view.passages[number] for view in views]) for number in range(2))
        passages = Passages(vectors, lengths)
        return {"sentence": articles, "title_sentence": titles, "body_sentence": bodies, "passages": passages}

    def _details(self, articles: Sequence[Article], words: Words, found: dict[str, Any]) -> dict[str, Any]:
        """What the features of pairs look at beside words and meanings."""
        from sklearn.preprocessing import normalize

        assert self.titles is not None  # noqa: S101 - its only caller has asked
        return {
            "title_words": self.titles.transform_words(words.titles_as_bodies()),
            "title_characters": self.vectorizers.characters.transform([article.title for article in articles]),
            "title_shares": normalize(self.tfidf.transform_words(words.only_titles()), norm="l1"),
            "authors": names_of(articles, self.vectorizers.authors),
            "path": self.vectorizers.paths.transform(path_strings(articles)),
            "folders": folders_of(articles, self.vectorizers.folders),
            "rare_lengths": rare_lengths(found["tfidf"], self.rare),
            "older": share_below(self.dates, found["published"]),
            "words": np.log1p(np.array([len(article.body.split()) for article in articles], dtype=np.float32)),
            "title_length": np.array([len(article.title.split()) for article in articles], dtype=np.float32),
        }
