"""Whole corpora from articles to lists of ten, as users of each library do it: seconds, and nDCG@10 against editors."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from speed.child import Work
from speed.context import Context, Job
from speed.report import Measured, Outcome, Row, ratio

K = 10
BEST = "simrec_best"
OURS = {"simrec_tfidf": "tfidf", "simrec_fast": "hybrid, fast", "simrec_best": "hybrid, best"}
THEIRS = {
    "bm25": "bm25s",
    "gensim_tfidf": "gensim TF-IDF",
    "more_like_this_25": "tantivy more-like-this, 25 terms",
    "more_like_this_100": "tantivy more-like-this, 100 terms",
    "sklearn_tfidf": "sklearn TF-IDF and NearestNeighbors",
}


def bench(context: Context) -> Outcome:
    """Runs it."""
    from simrec.pipeline.sample import newsroom

    folders = [context.corpora / name for name in context.profile.corpora] if context.corpora else []
    folders = [folder for folder in folders if (folder / "articles.jsonl").exists()] or [newsroom()]
    sizes: dict[str, int] = {}
    measured: dict[str, Measured] = {}
    rows: list[Row] = []
    points: list[dict[str, Any]] = []
    for folder in folders:
        n, found = corpus(context, folder, best=context.profile.whole)
        sizes[folder.name] = n
        measured |= {f"{folder.name}: {name}": value for name, value in found.items()}
        rows += compare(folder.name, found)
        points += [_point(folder.name, name, value) for name, value in found.items() if not value.missing]
    return Outcome(sizes, measured, rows, {"points": points})


def corpus(context: Context, folder: Path, *, best: bool) -> tuple[int, dict[str, Measured]]:
    """Every contender on one corpus, with its quality; `best`, which embeds for minutes, where it is asked for."""
    from simrec.evaluate.protocol import truth
    from simrec.pipeline.files import read_files

    files = read_files(folder / "articles.jsonl", folder / "picks.csv")
    known = truth(files.corpus, files.picks)
    texts = context.work / f"{folder.name}.json"
    texts.write_text(json.dumps([[text.title, text.body] for text in files.corpus.texts]), encoding="utf-8")
    jobs = {name: Job(f"speed.peers:{name}", {"texts": texts}) for name in THEIRS}
    jobs |= {name: Job(f"speed.peers:{name}", {"folder": folder}) for name in OURS if name != BEST}
    if best:
        jobs[BEST] = Job(f"speed.peers:{BEST}", {"folder": folder}, 1)
    found = {name: context.run(job) for name, job in jobs.items()}
    return len(files.corpus), {name: _judge(value, known.sources, known.picks) for name, value in found.items()}


def compare(name: str, found: dict[str, Measured]) -> list[Row]:
    """Each peer's seconds and quality over ours: over `tfidf`, which does what they do, and over `hybrid`."""
    rows = []
    for peer, called in THEIRS.items():
        for ours in ("simrec_tfidf", "simrec_fast"):
            quality = Row(f"{name}: nDCG@10 of {OURS[ours]} / {called}", None, peer=called, reason=found[peer].missing)
            if not found[peer].missing and not found[ours].missing:
                one, two = found[ours].figures["nDCG@10"], found[peer].figures["nDCG@10"]
                quality = Row(quality.what, one / two, peer=called, note=f"{one:.3f} / {two:.3f}")
            rows.append(quality)
        rows.append(ratio(f"{name}: seconds of {called} / tfidf", found[peer], found["simrec_tfidf"], peer=called))
    if BEST in found:
        rows.append(ratio(f"{name}: seconds of hybrid, best / fast", found[BEST], found["simrec_fast"]))
    return rows


def _judge(found: Measured, sources: Any, picks: Sequence[frozenset[int]]) -> Measured:
    """The same, with nDCG@10 over the sources that have picks; these models learn from none, so there are no folds."""
    from simrec.evaluate.measures import per_source

    if found.missing:
        return found
    run = np.load(found.arrays)["rows"][sources]
    value = float(per_source(run, picks, K)[f"nDCG@{K}"].mean())
    return replace(found, figures={**found.figures, f"nDCG@{K}": round(value, 4)})


def _point(corpus_name: str, name: str, found: Measured) -> dict[str, Any]:
    label = f"simrec {OURS[name]}" if name in OURS else THEIRS[name]
    value = found.figures[f"nDCG@{K}"]
    return {"corpus": corpus_name, "name": label, "ours": name in OURS, "seconds": found.seconds, "nDCG@10": value}


# Contenders: from texts in memory to (n, 10) rows


def bm25(texts: str) -> Work:
    """The whole article as a query, without English stop words: the library's quick start."""
    import os

    import bm25s

    whole = _read(texts)

    def work() -> dict[str, Any]:
        tokens = bm25s.tokenize(whole, stopwords="en", show_progress=False)
        retriever = bm25s.BM25()
        retriever.index(tokens, show_progress=False)
        threads = int(os.environ["OMP_NUM_THREADS"])
        found, _ = retriever.retrieve(tokens, k=K + 1, show_progress=False, n_threads=threads)
        return {"rows": lambda: _without_self(found)}

    return work


def gensim_tfidf(texts: str) -> Work:
    """Dictionary, bags of words, TF-IDF, cosine: the way of Pelican's similar_posts, with words in place of tags."""
    from gensim import corpora, models, similarities
    from gensim.utils import simple_preprocess

    whole = _read(texts)

    def work() -> dict[str, Any]:
        words = [simple_preprocess(text) for text in whole]
        dictionary = corpora.Dictionary(words)
        bags = [dictionary.doc2bow(text) for text in words]
        weighted = models.TfidfModel(bags)[bags]
        index = similarities.SparseMatrixSimilarity(weighted, num_features=len(dictionary), num_best=K + 1)
        return {"rows": _without_self([[row for row, _ in found] for found in index])}

    return work


def more_like_this_25(texts: str) -> Work:
    """A search engine's more-like-this, as it is by default."""
    return _more_like_this(texts, {})


def more_like_this_100(texts: str) -> Work:
    """The same with four times the terms, terms that the article has once, and all but unique ones."""
    return _more_like_this(texts, {"max_query_terms": 100, "min_term_frequency": 1, "min_doc_frequency": 2})


def _more_like_this(texts: str, options: dict[str, int]) -> Work:
    import tantivy

    pairs = json.loads(Path(texts).read_text(encoding="utf-8"))

    def work() -> dict[str, Any]:
        builder = tantivy.SchemaBuilder()
        builder.add_integer_field("row", stored=True)
        builder.add_text_field("text", stored=True, tokenizer_name="en_stem")
        index = tantivy.Index(builder.build())
        writer = index.writer(num_threads=1)  # one segment, in order
        for row, (title, body) in enumerate(pairs):
            writer.add_document(tantivy.Document(row=row, text=f"{title}\n{body}"))
        writer.commit()
        writer.wait_merging_threads()
        index.reload()
        searcher = index.searcher()
        everyone = searcher.search(tantivy.Query.all_query(), limit=len(pairs)).hits
        address = {searcher.doc(place)["row"][0]: place for _, place in everyone}
        found = []
        for row in range(len(pairs)):
            query = tantivy.Query.more_like_this_query(address[row], **options)
            hits = searcher.search(query, limit=K + 1).hits
            found.append([searcher.doc(place)["row"][0] for _, place in hits])
        return {"rows": _without_self(found)}

    return work


def sklearn_tfidf(texts: str) -> Work:
    """TfidfVectorizer of words and pairs of words with sublinear frequencies, then brute force by cosine."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.neighbors import NearestNeighbors

    whole = _read(texts)

    def work() -> dict[str, Any]:
        vectorizer = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, min_df=2, stop_words="english")
        vectors = vectorizer.fit_transform(whole)
        model = NearestNeighbors(n_neighbors=K + 1, metric="cosine").fit(vectors)
        return {"rows": _without_self(model.kneighbors(vectors)[1])}

    return work


def simrec_tfidf(folder: str) -> Work:
    """Model tfidf."""
    return _simrec(folder, "tfidf", "best")


def simrec_fast(folder: str) -> Work:
    """Model hybrid with static vectors, which it distills first."""
    import simrec.embed.static  # noqa: F401  without it, "fast" would be "best"

    return _simrec(folder, "hybrid", "fast")


def simrec_best(folder: str) -> Work:
    """Model hybrid with sentence vectors."""
    return _simrec(folder, "hybrid", "best")


def _simrec(folder: str, model: str, speed: str) -> Work:
    from simrec.pipeline.files import read_files
    from simrec.pipeline.site import Site
    from simrec.settings import load_settings
    from simrec.types import Corpus

    files = read_files(Path(folder) / "articles.jsonl", Path(folder) / "picks.csv")
    settings = load_settings()
    settings = settings.model_copy(update={"build": settings.build.model_copy(update={"speed": speed})})

    def rank(corpus: Corpus) -> dict[str, Any]:
        site = Site(corpus, settings)
        rows = np.full((len(corpus), K), -1, dtype=np.int32)
        everyone = np.arange(len(corpus), dtype=np.int32)
        for batch, ranking in site.rank(model, everyone, settings.rank.candidates):
            rows[batch] = ranking.rows[:, :K]
        return {"rows": rows}

    rank(Corpus(files.corpus.articles[:100]))  # compiles what is not compiled yet
    return lambda: rank(Corpus(files.corpus.articles))


def _read(path: str) -> list[str]:
    return [f"{title}\n{body}" for title, body in json.loads(Path(path).read_text(encoding="utf-8"))]


def _without_self(found: Any) -> Any:
    """(n, 10) int32 rows: what was found, without the article itself; -1 where there is less."""
    rows = np.full((len(found), K), -1, dtype=np.int32)
    for row, ranked in enumerate(found):
        others = [int(other) for other in ranked if int(other) != row][:K]
        rows[row, : len(others)] = others
    return rows
