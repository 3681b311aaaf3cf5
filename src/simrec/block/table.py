"""Blocks as rows of a table, an item a row: what the formats CSV and Parquet hold."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any, NamedTuple

from simrec.block.compose import from_site
from simrec.block.reasons import reason_of
from simrec.types import Block


class Row(NamedTuple):
    """An item of a block. `reasons` is JSON, all that is known; `reason` a word, `terms` the words that both share."""

    source_id: str
    rank: int
    target_id: str
    score: float
    title: str
    url: str | None
    published_at: datetime | None
    lang: str | None
    reason: str
    terms: list[str]
    reasons: str


def rows(blocks: Iterable[Block], site_url: str) -> Iterator[Row]:
    """The rows of blocks, by rank; a block without items has none."""
    for block in blocks:
        for rank, item in enumerate(block.items, start=1):
            terms: Any = item.reasons.get("terms") or ()
            yield Row(
                source_id=block.source_id,
                rank=rank,
                target_id=item.id,
                score=float(item.score),
                title=item.title,
                url=from_site(block, item.url, site_url),
                published_at=item.published_at,
                lang=item.lang,
                reason=reason_of(item),
                terms=[str(term) for term in terms],
                reasons=json.dumps(dict(item.reasons), ensure_ascii=False),
            )
