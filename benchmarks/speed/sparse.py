"""All-pairs neighbors of sparse vectors, against the best library and what users pick."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from speed.child import Work
from speed.context import EVERYTHING, Context, Job
from speed.dense import same
from speed.report import Outcome, Row, ratio
from speed.texts import articles_file, made_up, read, real_file, source_of

K = 10
DEEP = 100
"""Neighbors that a build asks for."""
TERMS = 200
"""Distinct terms that each article has at least."""
FASTER = {"sparse_dot_topn": 3.0, "sklearn": 10.0}
RECALL = 0.998
PEERS = {"sparse_dot_topn": "sparse_dot_topn", "sklearn": "sklearn NearestNeighbors"}


def bench(context: Context) -> Outcome:
    """Runs it."""
    vectors = context.work / "sparse.npz"
    source = articles_file(context, EVERYTHING) if real_file(context) else ""
    prepared = context.run(
        Job("speed.sparse:prepare", {"n": context.profile.rows, "source": source, "out": vectors}, 1)
    )
    if prepared.missing:
        return Outcome({}, {"prepare": prepared}, [Row("sparse neighbors", None, reason=prepared.missing)])
    jobs = {name: Job(f"speed.sparse:{name}", {"path": vectors, "k": K}) for name in ("simrec", *PEERS)}
    deep = {
        f"{name}, {DEEP}": Job(f"speed.sparse:{name}", {"path": vectors, "k": DEEP})
        for name in ("simrec", "sparse_dot_topn")
    }
    found = context.race(jobs | deep)
    mine = found["simrec"]
    rows = [
        *(
            ratio(f"{peer} / SparseIndex, top {K}", found[name], mine, at_least=FASTER[name], peer=peer)
            for name, peer in PEERS.items()
        ),
        same(mine, found["sparse_dot_topn"], f"SparseIndex: recall@{K} against exact", RECALL),
        ratio(
            f"sparse_dot_topn / SparseIndex, top {DEEP}", found[f"sparse_dot_topn, {DEEP}"], found[f"simrec, {DEEP}"],
            peer="sparse_dot_topn",
        ),
    ]  # fmt: skip
    sizes = {"source": source_of(context), **prepared.figures, "k": K}
    return Outcome(sizes, {"prepare": prepared, **found}, rows)


# Contenders


def prepare(n: int, source: str, out: str) -> Work:
    """n TF-IDF rows of the articles with most words, as our embedder makes them."""
    from scipy.sparse import save_npz

    from simrec.embed.tfidf import TfidfEmbedder
    from simrec.types import Text

    records = read(Path(source)) if source else list(made_up(n, length=300))
    records.sort(key=lambda record: -len(set(record["body"].split())))
    texts = [Text(record["title"], record["body"], record.get("lang") or "en") for record in records[:n]]

    def work() -> dict[str, Any]:
        vectors = TfidfEmbedder().fit_transform(texts)
        counts = np.diff(vectors.indptr)
        save_npz(out, vectors)
        return {
            "rows": len(texts),
            "terms": vectors.shape[1],
            "terms_a_row": round(float(counts.mean()), 1),
            "rows_of_200_terms": round(float((counts >= TERMS).mean()), 3),
        }

    return work


def simrec(path: str, k: int) -> Work:
    """SparseIndex as it is by default; building it is part of the work."""
    from scipy.sparse import load_npz

    from simrec.index.sparse import SparseIndex

    vectors = load_npz(path)
    rows = np.arange(vectors.shape[0], dtype=np.int32)
    SparseIndex(vectors[:200]).query(vectors[:200], k, exclude=rows[:200])  # compiles, where it must
    return lambda: {"scores": SparseIndex(vectors).query(vectors, k, exclude=rows).scores}


def sparse_dot_topn(path: str, k: int) -> Work:
    """The product that keeps each row's best; the row itself is one of them and is taken out."""
    import os

    from scipy.sparse import load_npz
    from sparse_dot_topn import sp_matmul_topn

    vectors = load_npz(path)
    threads = int(os.environ["OMP_NUM_THREADS"])

    def work() -> dict[str, Any]:
        found = sp_matmul_topn(vectors, vectors.T.tocsr(), top_n=k + 1, sort=True, n_threads=threads)
        return {"scores": lambda: _others(found, k)}

    return work


def sklearn(path: str, k: int) -> Work:
    """Brute force by cosine, as documented; the row itself is one more neighbor."""
    from scipy.sparse import load_npz
    from sklearn.neighbors import NearestNeighbors

    vectors = load_npz(path)

    def work() -> dict[str, Any]:
        model = NearestNeighbors(n_neighbors=k + 1, algorithm="brute", metric="cosine").fit(vectors)
        return {"scores": 1 - model.kneighbors(vectors)[0]}

    return work


def _others(found: Any, k: int) -> Any:
    """(n, k) scores of a sorted sparse result, without each row itself; -inf where there are fewer."""
    scores = np.full((found.shape[0], k), -np.inf, dtype=np.float32)
    for row, (start, end) in enumerate(zip(found.indptr[:-1].tolist(), found.indptr[1:].tolist(), strict=True)):
        others = found.data[start:end][found.indices[start:end] != row][:k]
        scores[row, : len(others)] = others
    return scores
