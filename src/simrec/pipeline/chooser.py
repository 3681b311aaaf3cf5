"""Blocks of some of a site's articles, made for the moment: to evaluate, to show, to explain."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simrec.pipeline.copies import find_copies
from simrec.pipeline.site import Site
from simrec.pipeline.sources import DEEPER
from simrec.policy import eligibility, rules
from simrec.store import StoredBlock, StoredItem
from simrec.types import NO_ROW, Corpus, Mask, Pick, Progress, Rows, Similar, no_progress


class Chooser:
    """Chooses the items of blocks: candidates that may be shown, ranked, and the house rules.

    Args:
        site: the articles and their vectors.
        model: the model's name.
        picks: editors' picks, to stand first.
        now: the moment that eligibility is judged at.
        eligible: (n,) bool, in place of what eligibility says.
    """

    def __init__(
        self,
        site: Site,
        model: str,
        picks: Sequence[Pick] = (),
        *,
        now: datetime | None = None,
        eligible: Mask | None = None,
    ) -> None:
        self.site = site
        self.model = model
        corpus, policy = site.corpus, site.settings.policy
        shown, self.languages = may_show(site, now or datetime.now(UTC))
        self.eligible = shown if eligible is None else eligible
        self.copies = find_copies(site).numbers
        self.pins = _pins(corpus, picks)
        self.rules = [("copy", rules.no_copies(self.copies))]
        if policy.min_score is not None:
            self.rules.append(("below the minimum score", rules.min_score(policy.min_score)))

    def blocks(
        self, rows: Rows, k: int, *, spares: int = 0, progress: Progress = no_progress, allowed: Any = None
    ) -> Iterator[StoredBlock]:
        """The blocks of some rows, k items and spares, in an order of their own; none is short where it can be full."""
        depth = max(self.site.settings.rank.candidates, k + spares)
        waiting = rows
        with progress("rank", len(rows)) as bar:
            while len(waiting):
                short = []
                for batch, ranking in self._rank(waiting, depth, allowed):
                    for place, row in enumerate(batch.tolist()):
                        block, full = self._block(row, ranking, place, k, spares)
                        if full or depth >= len(self.site.corpus):
                            bar.update(1)
                            yield block
                        else:
                            short.append(row)
                waiting = np.array(short, dtype=np.int32)
                depth = min(depth * DEEPER, len(self.site.corpus))

    def _rank(self, rows: Rows, depth: int, allowed: Any) -> Iterator[tuple[Rows, Similar]]:
        return self.site.rank(
            self.model,
            rows,
            depth,
            eligible=self.eligible,
            groups=self.languages,
            allowed=allowed,
            extra=self._extra if self.pins else None,
        )

    def _extra(self, batch: Rows) -> Rows:
        width = max((len(self.pins.get(row, ())) for row in batch.tolist()), default=0)
        extra = np.full((len(batch), width), NO_ROW, dtype=np.int32)
        for place, row in enumerate(batch.tolist()):
            may = [p for p in self.pins.get(row, ()) if self.eligible[p] and self.languages[p] == self.languages[row]]
            extra[place, : len(may)] = may
        return extra

    def _block(self, row: int, ranking: Similar, place: int, k: int, spares: int) -> tuple[StoredBlock, bool]:
        policy = self.site.settings.policy
        rows, scores = ranking.rows[place], ranking.scores[place]
        selection = rules.select(
            row,
            rows,
            scores,
            rules=self.rules,
            k=k + spares,
            pins=self.pins.get(row, ()),
            diversity=policy.diversity,
            similarity=self.site.fusion(self.model).parts[0].part.pairs,
        )
        chosen = rows[selection.places]
        terms = self.site.shared_terms.of(row, chosen)
        names = [part.name for part, _ in self.site.fusion(self.model).parts]
        items = []
        for number, at in enumerate(selection.places.tolist()):
            parts = {
                name: round(value, 3) for name, value in zip(names, ranking.parts[place, at].tolist(), strict=True)
            }
            reasons: dict[str, Any] = {"terms": terms[number], "parts": parts}
            if int(rows[at]) in self.pins.get(row, ()):
                reasons["pinned"] = True
            items.append(StoredItem(self.site.corpus.ids[rows[at]], round(float(scores[at]), 5), reasons))
        shortfall = self._shortfall(row, len(items), k, selection.removed) if len(items) < k else None
        return StoredBlock(self.site.corpus.ids[row], tuple(items), shortfall), len(items) == k + spares

    def _shortfall(self, row: int, found: int, k: int, removed: dict[str, int]) -> str:
        others = int((self.eligible & (self.languages == self.languages[row])).sum() - self.eligible[row])
        lang = self.site.corpus.texts[row].lang
        why = [f"{others} other articles in {lang!r} may be shown"]
        why += [f"{count} taken out: {name}" for name, count in removed.items()]
        unlike = others - found - sum(removed.values())
        if unlike > 0:
            why.append(f"{unlike} share no word with it")
        return f"{found} of {k}: " + "; ".join(why)


def may_show(site: Site, now: datetime) -> tuple[Mask, NDArray[np.int32]]:
    """(n,) bool, who may be shown at a moment, and (n,) numbers: only those of the page's number may be."""
    corpus = site.corpus
    same = site.settings.policy.same_language
    return eligibility.eligible(corpus, now), corpus.lang_codes if same else np.zeros(len(corpus), dtype=np.int32)


def _pins(corpus: Corpus, picks: Sequence[Pick]) -> dict[int, tuple[int, ...]]:
    pins: dict[int, list[int]] = {}
    for pick in picks:
        if pick.source_id in corpus.row_of and pick.target_id in corpus.row_of:
            pins.setdefault(corpus.row_of[pick.source_id], []).append(corpus.row_of[pick.target_id])
    return {row: tuple(targets) for row, targets in pins.items()}
