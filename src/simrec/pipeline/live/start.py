"""A site's rows, lists and blocks, all at once: what a full build does, batch by batch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from copy import copy
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simrec.embed.sentence import SentenceEmbedder
from simrec.embed.static import StaticEmbedder
from simrec.pipeline.chooser import article_rules, newest_of
from simrec.pipeline.copies import near_copies
from simrec.pipeline.dates import are_spread
from simrec.pipeline.live.compare import Comparer, cut, spaces_of
from simrec.pipeline.live.compose import Choice
from simrec.pipeline.live.engine import Engine
from simrec.pipeline.live.fitted import Fitted
from simrec.pipeline.live.hubs import limit_hubs
from simrec.pipeline.live.shelf import SPARSE, Shelf
from simrec.pipeline.live.standards import final, measure, shown
from simrec.pipeline.nearby import LISTED, Nearby
from simrec.pipeline.placed import Placed
from simrec.pipeline.prior import find_prior_name, prior_weight
from simrec.pipeline.signals import clipped
from simrec.pipeline.site import Site
from simrec.pipeline.sources import POOL, quota
from simrec.pipeline.vectorizers import Codes
from simrec.policy.articles import standing
from simrec.rank.candidates import nearest_in_time
from simrec.rank.parts import AgePart
from simrec.store import StoredBlock
from simrec.types import NO_ROW, Mask, Neighbors, Progress, Rows, Scores, no_progress, primary

BATCH = 256
CHUNK = 2048
"""Pages whose blocks are made together."""
NOBODY = np.zeros(0, dtype=np.int32)


def fit(site: Site, model: str, now: datetime) -> Fitted:
    """What a full build learns of a site."""
    corpus, settings = site.corpus, site.settings
    wide = model == "hybrid"
    meaning = model != "tfidf"
    known = corpus.published[~np.isnan(corpus.published)]
    prior = site.prior if wide and settings.rank.prior != 0 else None
    share = settings.rank.prior
    tfidf = site.tfidf
    names = sorted({primary(a.lang or corpus.main_lang) for a in corpus.articles})
    fused = model in ("hybrid", "fusion")
    signals = site.features.signals if prior else None
    if meaning and model != "static":
        _ = site.sentence  # by the backend that stays in use
    return Fitted(
        settings=settings,
        model=model,
        main_lang=corpus.main_lang,
        tfidf=tfidf[0],
        meaning=_alone(site.static_embedder if model == "static" else site.embedder) if meaning else None,
        tags=site.tags_embedder if fused else None,
        titles=site.title_embedder if prior else None,
        vectorizers=site.vectorizers,
        languages=Codes(names),
        lexicon=site.words.lexicon,
        weights=site.sequences[2],
        rare=signals.rare if signals else np.zeros(0, dtype=bool),
        telling=tfidf[0].telling(),
        dates=np.sort(known),
        ages=are_spread(corpus),
        usual=AgePart(corpus.published).usual if are_spread(corpus) else 0.0,
        dates_are_of_publication=bool(signals and signals.dates_are_of_publication),
        titles_are_headlines=bool(signals and signals.titles_are_headlines),
        sample=site.fusion(model).sample_,
        eligible=_eligible(site, now),
        prior=prior,
        newest=newest_of(corpus.published, now),
        prior_name=find_prior_name(corpus) or "" if prior else "",
        prior_weight=(prior_weight(len(corpus)) if share is None else share) if prior else 0.0,
    )


def _eligible(site: Site, now: datetime) -> Mask:
    """(n,) bool: who may be shown now or later, by the articles themselves and by the rules."""
    rules = article_rules(site.settings.policy, site.corpus.published)
    return np.array([standing(article, rules, now).may for article in site.corpus.articles], dtype=bool)


def _alone(embedder: SentenceEmbedder | StaticEmbedder) -> Any:
    """An embedder that keeps no vectors: a folder of them is slow to look up for one text."""
    if isinstance(embedder, SentenceEmbedder):
        return embedder.settled()
    alone = copy(embedder)
    alone.cache = None
    return alone


def shelve(site: Site, fitted: Fitted) -> Shelf:
    """The rows of all articles, but for what depends on their candidates."""
    corpus, fusion, n = site.corpus, site.fusion(fitted.model), len(site.corpus)
    near = site.nearby.lists("tfidf")
    columns: dict[str, Any] = {
        "published": corpus.published,
        "languages": fitted.languages.of([primary(text.lang) for text in corpus.texts]),
        "tfidf": site.tfidf[1],
        "title_sequences": tuple(site.sequences[0]),
        "body_sequences": tuple(site.sequences[1]),
        "near_tfidf": widened(near.scores),
        "own": np.full(n, NO_ROW, dtype=np.int32),
        "reach": np.zeros((n, len(spaces_of(fitted.model))), dtype=np.float32),
    }
    if fitted.meaning is not None:
        columns["sentence"] = site.static if fitted.model == "static" else site.sentence
    if fitted.tags is not None:
        columns |= {
            "tags": site.tags,
            "sections": site.sections,
            "ages": corpus.published if fitted.ages else np.full(n, np.nan),
        }
    for (part, _), mean, sd in zip(fusion.parts, fusion.mean_, fusion.sd_, strict=True):
        columns |= {f"mean_{part.name}": mean, f"sd_{part.name}": sd}
    if fitted.prior:
        columns |= _details(site)
        most = POOL * site.settings.rank.candidates
        columns |= {
            "best": np.zeros((n, 3), dtype=np.float32),
            "places": np.full((n, most), -np.inf, dtype=np.float32),
            "moments": np.zeros((n, 4)),
        }
    return Shelf(fitted, columns, {part.name: weight for part, weight in fusion.parts}, fusion.back)


def _details(site: Site) -> dict[str, Any]:
    signals = site.features.signals
    plain = ("folders", "older", "rare_lengths", "title_sentence", "body_sentence", "words", "title_length")
    found = {
        name: getattr(signals, name) for name in (*plain, *(name for name in SPARSE if name not in ("tfidf", "tags")))
    }
    found |= {f"near_{name}": widened(scores) for name, scores in signals.near.items()}
    found |= {f"hub_{name}": values for name, values in signals.hubs.items()}
    return found | {"passages": (signals.passage_starts, signals.passages)}


def widened(scores: Scores) -> Scores:
    """(n, LISTED) scores of lists that may be shorter, or longer, than that."""
    found = np.full((len(scores), LISTED), -np.inf, dtype=np.float32)
    found[:, : scores.shape[1]] = clipped(scores)
    return found


def start(
    site: Site, fitted: Fitted, k: int, now: datetime, placed: Placed, progress: Progress = no_progress
) -> tuple[Engine, list[Choice]]:
    """An engine with all articles in it, and the choice of each page, by row: see `all_blocks`."""
    shelf = shelve(site, fitted)
    engine = Engine(shelf, k)
    engine.set_placed(placed)
    everyone = np.arange(len(site.corpus), dtype=np.int32)
    engine.admit(everyone.tolist(), site.corpus.articles, now, near=near_copies(site))
    choices: dict[int, Choice] = {}
    with progress("rank", len(everyone)) as bar:
        for batch, found in rank_pages(engine, site.nearby, everyone):
            choices.update(zip(batch.tolist(), found, strict=True))
            bar.update(len(batch))
    limit_hubs(engine, choices)
    return engine, [choices[row] for row in everyone.tolist()]


def rank_pages(engine: Engine, nearby: Nearby, rows: Rows) -> Iterator[tuple[Rows, list[Choice]]]:
    """Ranks some pages for the first time, in batches of an order of their own; their choices."""
    for batch, marks, candidates in _candidates(engine, nearby, rows):
        scores = _score(engine.comparer, batch, candidates)
        yield batch, engine.offer(batch, candidates, scores, marks)


def all_blocks(engine: Engine, choices: Sequence[Choice], progress: Progress = no_progress) -> Iterator[StoredBlock]:
    """The blocks of all articles, in order of id."""
    with progress("write blocks", len(choices)) as bar:
        for begin in range(0, len(choices), CHUNK):
            chunk = choices[begin : begin + CHUNK]
            yield from engine.composer.blocks(range(begin, begin + len(chunk)), chunk)
            bar.update(len(chunk))


def _candidates(engine: Engine, nearby: Nearby, rows: Rows) -> Iterator[tuple[Rows, Scores, Rows]]:
    """Pages in batches, their marks (b, s) and their candidates (b, c)."""
    groups, eligible, depth = engine.groups.array, engine.fitted.eligible, engine.comparer.depth
    published, spaces = engine.shelf["published"], engine.comparer.spaces
    for group in np.unique(groups[rows]):
        members: Mask = engine.pairs.speaks(group, groups) & eligible
        dated = engine.by_date(int(group), members) if "time" in spaces else NOBODY
        pages = rows[groups[rows] == group]
        for begin in range(0, len(pages), BATCH):
            batch = pages[begin : begin + BATCH]
            lists: dict[str, Neighbors] = {}
            for name in spaces:
                most = quota(name, depth) + 1
                lists[name] = (
                    _timed(published, batch, most, dated)
                    if name == "time"
                    else nearby.query(name, batch, most, members)
                )
            marks, candidates = cut(lists, depth)
            engine.shelf["reach"][batch] = marks
            yield batch, marks, candidates


def _timed(published: NDArray[np.float64], batch: Rows, most: int, dated: Rows) -> Neighbors:
    """The nearest in time, with scores as `Comparer.scan` has them: none is 0."""
    found = nearest_in_time(published, batch, most, dated)
    return Neighbors(found.rows, (found.scores - 1).astype(np.float32))


def _score(comparer: Comparer, batch: Rows, candidates: Rows) -> Scores:
    """(b, c) the final scores of pages' first candidates, and the standards that they set."""
    if comparer.features is None or comparer.prior is None:
        return comparer.score(batch, candidates)
    table, there = comparer.features.absolute(batch, candidates), candidates != NO_ROW
    most = comparer.shelf["places"].shape[1]
    held, learned = measure(table, there, most, comparer.prior, comparer.columns)
    for name, values in held._asdict().items():
        comparer.shelf[name][batch] = values
    return comparer.weighed(shown(final(table, there, learned, held, comparer.fitted.prior_weight)), candidates)


__all__ = ["all_blocks", "fit", "rank_pages", "start", "widened"]
