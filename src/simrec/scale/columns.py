"""What a site's articles are compared by, part by part, but for their meaning; and what was fitted for it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from simrec.embed.words import nothing
from simrec.errors import UsageError
from simrec.pipeline.chooser import article_rules, newest_of
from simrec.pipeline.dates import are_spread_over
from simrec.pipeline.prior import prior_name_of, prior_weight
from simrec.pipeline.signals import is_cut_off, rare_df, rare_lengths
from simrec.pipeline.vectorizers import Codes, Vectorizers, folders_of, names_of, path_strings
from simrec.policy.articles import standing
from simrec.rank.features import share_below
from simrec.rank.parts import AgePart
from simrec.scale.dataset import read_articles
from simrec.scale.ground import FIT, NAMES, WIDTHS, Ground, Span, opened, save
from simrec.scale.site import standing_of
from simrec.scale.tasks import Runner, Task
from simrec.scale.terms import KINDS, MEMORY, Kind, fit_terms, rows_of
from simrec.scale.watching import by_driver
from simrec.scale.words import CODES, GRAMS, OF_TEXTS, Read, read_words, texts_of, words_of
from simrec.types import Article, Text, primary

FUSED = ("hybrid", "fusion")
"""Models that look at more than one space."""


def make_columns(ground: Ground, runner: Runner) -> None:
    """Reads, fits, and leaves the columns of all articles in the engine's folder.

    Raises:
        UsageError: the model is hybrid, and there is no prior for it.
    """
    if (ground.engine / WIDTHS).exists():
        return
    tasks = [Task(f"{span.part:06d}", (span.part,)) for span in ground.spans]
    read = read_words(ground, runner)
    prior = _prior(ground, read)
    if ground.about["model"] == "hybrid" and not prior:
        raise UsageError("hybrid without its prior is built on one machine: leave rank.prior unset, or build fusion")
    ground.say(prior=prior, kinds=[kind.name for kind in KINDS if _looks_at(ground.about["model"], kind, prior)])
    fit_terms(ground, runner, read, kinds_of(ground))
    _save_names(ground, read)
    runner.run("dates", date, tasks, memory=MEMORY)
    ground.join("column-published.0")
    _fit_dates(ground)
    said = runner.run("columns", make, tasks, memory=MEMORY)
    with by_driver(runner, "join columns") as done:
        done({"rows": ground.n, "bytes": _join(ground, said)})


def kinds_of(ground: Ground) -> list[Kind]:
    """The counters of terms that the model looks at."""
    return [kind for kind in KINDS if kind.name in ground.about["kinds"]]


# Tasks


def date(folder: str, part: int) -> Mapping[str, Any]:
    """The dates of a part."""
    ground = Ground(folder)
    span = ground.spans[part]
    published = [a.published_at.timestamp() if a.published_at else np.nan for a in read_articles(ground, span)]
    written = ground.put("column-published.0", part, np.array(published, dtype=np.float64))
    return {"rows": len(span.rows), "bytes": written}


def make(folder: str, part: int) -> Mapping[str, Any]:
    """The columns of a part."""
    ground = Ground(folder)
    span = ground.spans[part]
    articles = read_articles(ground, span)
    texts = texts_of(articles, ground.about["main_lang"])
    published = ground.array("column-published.0")[span.begin : span.end]
    columns = _of_words(ground, span) | _of_articles(ground, articles, texts, published)
    written = sum(_put(ground, name, part, value) for name, value in columns.items())
    return {
        "rows": len(articles),
        "bytes": written,
        "columns": {name: _kind_of(value) for name, value in columns.items()},
        "cut_off": sum(map(is_cut_off, texts)),
    }


def _of_words(ground: Ground, span: Span) -> dict[str, Any]:
    from sklearn.preprocessing import normalize

    found: dict[str, Any] = {}
    stems = ground.folder_array(f"{FIT}/stems")
    texts = words_of(ground, OF_TEXTS, span)
    for name, flat in zip(("title_sequences", "body_sequences"), texts, strict=True):
        found[f"column-{name}"] = (flat.starts, np.asarray(stems[flat.numbers], dtype=np.int32))
    for kind in kinds_of(ground):
        found[f"column-{kind.column}"] = rows_of(ground, kind, *words_of(ground, kind.source, span))
    if ground.about["prior"]:
        alone = rows_of(ground, KINDS[0], texts[0], nothing(len(span.rows)))
        found["column-title_shares"] = normalize(alone, norm="l1")
        rare = opened(ground.engine / "fitted-rare.npy")
        found["column-rare_lengths"] = rare_lengths(found["column-tfidf"], rare)
    return found


def _of_articles(ground: Ground, articles: Sequence[Article], texts: Sequence[Text], published: Any) -> dict[str, Any]:
    about, fitted, codes = ground.about, vectorizers_of(ground.folder), codes_of(ground.folder)
    dates = opened(ground.engine / "fitted-dates.npy")
    policy, now = ground.settings.policy, ground.now
    widest = article_rules(policy, dates)
    found: dict[str, Any] = {
        "column-languages": Codes(codes["languages"]).of([primary(text.lang) for text in texts]),
        "column-own": np.full(len(articles), -1, dtype=np.int32),
        "fitted-eligible": np.array([standing(article, widest, now).may for article in articles], dtype=bool),
        **standing_of(articles, article_rules(policy, dates, about["newest"]), now),
    }
    if about["model"] in FUSED:
        found["column-sections"] = fitted.sections.of([article.section for article in articles])
        found["column-ages"] = published if about["ages"] else np.full(len(articles), np.nan)
    if about["prior"]:
        found |= {
            "column-title_characters": fitted.characters.transform([text.title for text in texts]),
            "column-authors": names_of(articles, fitted.authors),
            "column-path": fitted.paths.transform(path_strings(articles)),
            "column-folders": folders_of(articles, fitted.folders),
            "column-older": share_below(dates, published),
            "column-words": np.log1p(np.array([len(text.body.split()) for text in texts], dtype=np.float32)),
            "column-title_length": np.array([len(text.title.split()) for text in texts], dtype=np.float32),
        }
    return found


# Arrays of every kind


def _kind_of(value: Any) -> int | str:
    """The width of a sparse matrix; "rows" of rows of any length, "array" of an array."""
    if hasattr(value, "indptr"):
        return int(value.shape[1])
    return "rows" if isinstance(value, tuple) else "array"


def _put(ground: Ground, name: str, part: int, value: Any) -> int:
    if hasattr(value, "indptr"):
        value = (value.indptr, value.indices.astype(np.int32), value.data)
    if not isinstance(value, tuple):
        return ground.put(name if name.startswith(("page", "fitted")) else f"{name}.0", part, value)
    return sum(ground.put(f"{name}.{number}", part, array) for number, array in enumerate(value))


def _join(ground: Ground, said: Sequence[Mapping[str, Any]]) -> int:
    """Joins the columns, and leaves what each of them is; returns their bytes."""
    columns = {"column-published": "array"} | {
        name: kind for values in said for name, kind in values["columns"].items()
    }
    written = 0
    for name, kind in columns.items():
        if kind == "array":
            written += ground.join(name if name.startswith(("page", "fitted")) else f"{name}.0")
        else:
            written += ground.join_ragged(name, 1 if kind == "rows" else 2)
    ground.say(cut_off=sum(values["cut_off"] for values in said))
    widths = {name.removeprefix("column-"): kind for name, kind in columns.items() if name.startswith("column-")}
    ground.write_json(ground.engine / WIDTHS, widths)
    return written


# What is fitted


def _looks_at(model: str, kind: Kind, prior: str) -> bool:
    return kind.name == "tfidf" or (model in FUSED if kind.name == "tags" else bool(prior))


def _prior(ground: Ground, read: Read) -> str:
    """The ranker trained on other sites that the model uses; empty for none."""
    if ground.about["model"] != "hybrid" or ground.settings.rank.prior == 0:
        return ""
    return prior_name_of(read.seen) or ""


def _save_names(ground: Ground, read: Read) -> None:
    codes = {name: read.codes[name].as_json() for name in CODES} | {"languages": read.languages}
    ground.write_json(ground.folder / FIT / NAMES, codes)
    lexicon = read.lexicons[OF_TEXTS]
    ground.write_json(ground.folder / FIT / "lexicon.json", {"forms": lexicon.forms, "codes": lexicon.codes})
    fitted = Vectorizers()
    for name in GRAMS:
        getattr(fitted, name).learn(*read.grams[name], ground.n).save(ground.engine / f"{name}.json")
    df = ground.folder_array(f"{FIT}/tfidf-term-df")
    save(ground.engine / "fitted-rare.npy", rare_df(df, ground.n))


def _fit_dates(ground: Ground) -> None:
    published = ground.array("column-published.0")
    known = np.sort(published[~np.isnan(published)])
    save(ground.engine / "fitted-dates.npy", known)
    ages = are_spread_over(known)
    usual = AgePart(published).usual if ages else 0.0
    share = ground.settings.rank.prior
    weight = (prior_weight(ground.n) if share is None else share) if ground.about["prior"] else 0.0
    ground.say(ages=ages, usual=usual, newest=newest_of(known, ground.now), prior_weight=weight)


@lru_cache(maxsize=4)
def codes_of(folder: Path) -> dict[str, list[str]]:
    """The names that have numbers: of authors, sections, folders and languages."""
    found: dict[str, list[str]] = json.loads((folder / FIT / NAMES).read_text(encoding="utf-8"))
    return found


@lru_cache(maxsize=4)
def vectorizers_of(folder: Path) -> Vectorizers:
    """What turns the rest of an article into features, fitted."""
    made, codes = Vectorizers(), codes_of(folder)
    for name in CODES:
        setattr(made, name, Codes(codes[name]))
    for name in GRAMS:
        getattr(made, name).load(Ground(folder).engine / f"{name}.json")
    return made


__all__ = ["kinds_of", "make_columns", "vectorizers_of"]
