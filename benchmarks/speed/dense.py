"""All-pairs neighbors of dense vectors, against the bare matrix product and what users pick."""

from __future__ import annotations

from typing import Any

import numpy as np

from speed.child import Work
from speed.context import Context, Job
from speed.report import Measured, Outcome, Row, ratio

K = 100
WIDTH = 384
BLOCK = 1024
TARGET = 1.25
PEERS = {
    "sklearn": "sklearn NearestNeighbors",
    "semantic_search": "sentence-transformers semantic_search",
    "numpy": "numpy",
}


def bench(context: Context) -> Outcome:
    """Runs it."""
    path = context.work / "dense.npy"
    np.save(path, clustered(context.profile.rows, WIDTH))
    names = ("product", "simrec", "simrec_batches", *PEERS)
    found = context.race({name: Job(f"speed.dense:{name}", {"path": path}) for name in names})
    rows = [
        ratio("DenseIndex / bare product", found["simrec"], found["product"], at_most=TARGET),
        ratio("DenseIndex in a build's batches / bare product", found["simrec_batches"], found["product"]),
        *(ratio(f"{peer} / DenseIndex", found[name], found["simrec"], peer=peer) for name, peer in PEERS.items()),
        same(found["simrec"], found["numpy"], "DenseIndex: recall@100 against numpy"),
    ]
    return Outcome({"rows": context.profile.rows, "dimensions": WIDTH, "k": K}, found, rows)


def clustered(n: int, d: int, seed: int = 0) -> np.ndarray[Any, np.dtype[np.float32]]:
    """(n, d) float32 unit rows around some hundred centers."""
    rng = np.random.default_rng(seed)
    centers = rng.standard_normal((max(n // 100, 1), d), dtype=np.float32)
    vectors = centers[rng.integers(len(centers), size=n)] + rng.standard_normal((n, d), dtype=np.float32)
    unit: np.ndarray[Any, np.dtype[np.float32]] = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return unit


def same(found: Measured, exact: Measured, what: str, at_least: float = 0.999) -> Row:
    """The share of neighbors that are as near as the exact ones; equal scores count as equal."""
    if found.missing or exact.missing:
        return Row(what, None, unit="", reason=found.missing or exact.missing)
    mine, true = (np.load(measured.arrays)["scores"] for measured in (found, exact))
    return Row(what, float((mine >= true[:, -1:] - 1e-5).mean()), unit="", at_least=at_least)


# Contenders


def product(path: str) -> Work:
    """The product alone, block by block into the same memory."""
    vectors = np.load(path)
    out = np.empty((BLOCK, len(vectors)), dtype=np.float32)

    def work() -> dict[str, Any]:
        for start in range(0, len(vectors), BLOCK):
            block = vectors[start : start + BLOCK]
            np.matmul(block, vectors.T, out=out[: len(block)])
        return {}

    work()
    return work


def simrec(path: str) -> Work:
    """DenseIndex, all rows at once; building it is part of the work."""
    from simrec.index.dense import DenseIndex

    vectors = np.load(path)
    rows = np.arange(len(vectors), dtype=np.int32)
    DenseIndex(vectors[:100]).query(vectors[:100], 10)
    return lambda: {"scores": DenseIndex(vectors).query(vectors, K, exclude=rows).scores}


def simrec_batches(path: str) -> Work:
    """DenseIndex, in the batches of a build."""
    from simrec.index.dense import DenseIndex
    from simrec.pipeline.nearby import BATCH

    vectors = np.load(path)
    rows = np.arange(len(vectors), dtype=np.int32)

    def work() -> dict[str, Any]:
        index = DenseIndex(vectors)
        for start in range(0, len(vectors), BATCH):
            batch = rows[start : start + BATCH]
            index.query(vectors[batch], K, exclude=batch)
        return {"batch": BATCH}

    return work


def sklearn(path: str) -> Work:
    """Brute force by cosine, as documented; the row itself is one more neighbor."""
    from sklearn.neighbors import NearestNeighbors

    vectors = np.load(path)

    def work() -> dict[str, Any]:
        model = NearestNeighbors(n_neighbors=K + 1, algorithm="brute", metric="cosine").fit(vectors)
        return {"scores": 1 - model.kneighbors(vectors)[0]}

    return work


def semantic_search(path: str) -> Work:
    """sentence-transformers' own search."""
    import torch
    from sentence_transformers.util import semantic_search as search

    vectors = torch.from_numpy(np.load(path))

    def work() -> dict[str, Any]:
        found = search(vectors, vectors, top_k=K + 1)
        return {"lists": len(found)}

    return work


def numpy(path: str) -> Work:
    """What one writes by hand: blocks of the product, argpartition, and a sort of what is left."""
    vectors = np.load(path)

    def work() -> dict[str, Any]:
        best = np.empty((len(vectors), K), dtype=np.float32)
        for start in range(0, len(vectors), BLOCK):
            scores = vectors[start : start + BLOCK] @ vectors.T
            places = np.arange(len(scores))
            scores[places, start + places] = -np.inf
            chosen = np.argpartition(scores, -K, axis=1)[:, -K:]
            best[start : start + BLOCK] = -np.sort(-np.take_along_axis(scores, chosen, 1), axis=1)
        return {"scores": best}

    return work
