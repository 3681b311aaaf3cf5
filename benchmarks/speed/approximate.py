"""Many rows: the index that is chosen from some size on, against the exact one."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np

from speed.child import Work
from speed.context import Context, Job
from speed.dense import clustered
from speed.report import Outcome, Row, ratio

K = 10
WIDTH = 256
FLOOR = 0.98


def bench(context: Context) -> Outcome:
    """Runs it."""
    n = context.profile.approximate
    if not n:
        return Outcome({}, {}, [Row("approximate / exact", None, reason=f"not in the profile {context.profile.name}")])
    path = context.work / "many.npy"
    np.save(path, clustered(n, WIDTH))
    found = {name: context.run(Job(f"speed.approximate:{name}", {"path": path}, 1)) for name in ("chosen", "exact")}
    chosen = found["chosen"]
    recall = None if chosen.missing or found["exact"].missing else _recall(chosen.arrays, found["exact"].arrays)
    rows = [
        ratio(f"exact / chosen index, all pairs of {n:,}", found["exact"], chosen, peer="the exact index"),
        Row(
            f"recall@{K} of the chosen index",
            recall,
            "",
            at_least=FLOOR,
            reason=chosen.missing or found["exact"].missing,
        ),
    ]
    return Outcome({"rows": n, "dimensions": WIDTH, "k": K}, found, rows)


def _recall(mine: str, exact: str) -> float:
    one, two = np.load(mine)["rows"], np.load(exact)["rows"]
    return float(np.mean([len(np.intersect1d(a, b)) / K for a, b in zip(one, two, strict=True)]))


# Contenders


def chosen(path: str) -> Work:
    """Whatever index is chosen for so many rows, its building and its measuring of itself included."""
    from simrec.index.approximate import choose_index

    vectors = np.load(path)
    rows = np.arange(len(vectors), dtype=np.int32)

    def work() -> dict[str, Any]:
        index: Any = choose_index(vectors, None, floor=FLOOR)
        found = index.query(vectors, K, exclude=rows)
        return {"rows": found.rows, "report": asdict(index.report)}

    return work


def exact(path: str) -> Work:
    """DenseIndex."""
    from simrec.index.dense import DenseIndex

    vectors = np.load(path)
    rows = np.arange(len(vectors), dtype=np.int32)
    return lambda: {"rows": DenseIndex(vectors).query(vectors, K, exclude=rows).rows}
