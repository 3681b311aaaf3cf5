"""How good the shown blocks are, over time: what is measured at each build, and kept when its snapshot is gone.

What editors pinned stands first whatever the ranking says, and would be measured as its merit. So it is put back to
where its own score would have it; where that is below all that the block keeps, it stands at the end.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from simrec.evaluate.compare import Interval, interval
from simrec.pipeline.gate import NDCG_AT, ndcg
from simrec.store import Snapshot, Store
from simrec.store.history import Measured, Scored
from simrec.store.judgements import Whose
from simrec.types import Pick

if TYPE_CHECKING:
    from simrec.pipeline.evaluate import Evaluation

MEASURE = f"nDCG@{NDCG_AT}"
PICKS, JUDGEMENTS, EVALUATION = "picks", "judgements", "evaluation"
"""Kinds of figures: see `simrec.pipeline.overview.Point`."""
JUDGED_BY: dict[str, Whose] = {PICKS: "imported", JUDGEMENTS: "editors"}


def record(store: Store, snapshot: Snapshot, now: datetime) -> list[Measured]:
    """Measures the blocks of a snapshot, and keeps the figures, where they are not known yet.

    Args:
        store: the site's.
        snapshot: that is shown.
        now: the moment.
    """
    known = {(one.kind, one.snapshot_id, one.figures.get("revision")) for one in store.measured(kind=PICKS)}
    known |= {(one.kind, one.snapshot_id, one.figures.get("revision")) for one in store.measured(kind=JUDGEMENTS)}
    found = []
    for kind, whose in JUDGED_BY.items():
        if (kind, snapshot.id, snapshot.revision) in known:
            continue
        truth = _truth(store.picks(whose))
        values = [ndcg(unpinned(block), truth[block.source_id]) for block in store.scored(snapshot.id, truth)]
        if values:
            figures = _figures(interval(np.array(values)), len(values)) | {"revision": snapshot.revision}
            found.append(Measured(now, kind, snapshot.id, snapshot.model, figures))
    store.add_measured(*found)
    return found


def record_evaluation(store: Store, found: Evaluation, now: datetime) -> None:
    """Keeps the main figure of each model that was evaluated, with how it was measured."""
    said = {name: found.protocol[name] for name in ("split", "as_published", "rules")}
    pages, measure = len(found.sources), f"nDCG@{found.protocol['k']}"
    store.add_measured(
        *(
            Measured(now, EVALUATION, None, model, _figures(values[measure], pages, measure) | said)
            for model, values in found.models.items()
        )
    )


def unpinned(block: Scored) -> list[str]:
    """The ids of a block as ranked: what was pinned goes back to where its score would have it.

    >>> unpinned(Scored("p", ["a", "b", "c"], [1.0, 9.0, 5.0], [True, False, False], None))
    ['b', 'c', 'a']
    """
    if not any(block.pinned):
        return block.ids
    order = sorted(range(len(block.ids)), key=lambda at: (-block.scores[at], block.pinned[at]))
    return [block.ids[at] for at in order]


def _truth(picks: Iterable[Pick]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for pick in picks:
        found.setdefault(pick.source_id, set()).add(pick.target_id)
    return found


def _figures(found: Interval, pages: int, measure: str = MEASURE) -> dict[str, Any]:
    rounded = {name: round(value, 5) for name, value in found._asdict().items()}
    return {"measure": measure, **rounded, "pages": pages}
