"""Blocks of some of a site's articles, made for the moment: to evaluate, to show, to explain."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simrec.house import PolicySettings
from simrec.pipeline.copies import find_copies
from simrec.pipeline.placed import Placed, hand_placed
from simrec.pipeline.site import Site
from simrec.pipeline.sources import DEEPER
from simrec.policy import eligibility, hubs, rules
from simrec.policy.articles import ArticleRules
from simrec.policy.caps import Names, cap_names
from simrec.policy.duplicates import representative
from simrec.policy.eligibility import opens_at
from simrec.policy.pairs import DAY, Facts, PairRules
from simrec.rank.fusion import Fusion
from simrec.store import StoredBlock, StoredItem
from simrec.types import DECIMALS, NO_ROW, Corpus, Mask, Progress, Rows, Scores, Similar, no_progress

COSINES = ("tfidf", "sentence", "static")
"""Parts of a fusion that are cosines of what articles say."""
ROUNDS = 4
"""Times that all pages are ranked to find what articles pay for a hub limit."""
TOO_LOW, TOO_FAR = "below the minimum score", "less alike than min_cosine"
"""Rules that take out what is too unlike, and that no deeper look makes up for."""


class Chooser:
    """Chooses the items of blocks: candidates that may be shown, ranked, and the house rules.

    Args:
        site: the articles and their vectors.
        model: the model's name.
        placed: what stands under pages by hand; None for what the settings say.
        now: the moment that eligibility is judged at.
        eligible: (n,) bool, in place of what eligibility says.
        ahead: choose articles, too, whose time is yet to come: readers pass them over until then.
        hub_limit: hold the hub limit, where there is one; all pages are ranked for it.
    """

    def __init__(
        self,
        site: Site,
        model: str,
        *,
        placed: Placed | None = None,
        now: datetime | None = None,
        eligible: Mask | None = None,
        ahead: bool = False,
        hub_limit: bool = True,
    ) -> None:
        self.site = site
        self.model = model
        corpus, policy = site.corpus, site.settings.policy
        now = now or datetime.now(UTC)
        self.articles = article_rules(policy, corpus.published, newest_of(corpus.published, now))
        shown, self.languages = may_show(site, now)
        later = [ahead and opens_at(article, now) is not None for article in corpus.articles]
        self.later = np.array(later, dtype=bool)
        self.shown = shown if eligible is None else eligible
        self.visible = self.shown | self.later
        barred = [self.articles.reason_barred(article, now) is not None for article in corpus.articles]
        self.eligible = self.visible & ~np.array(barred, dtype=bool)
        self.copies = find_copies(site)
        placed = hand_placed(policy, {}) if placed is None else placed
        self.pins = _rows(corpus, placed.pins)
        self.facts = Facts(corpus.lang_codes, corpus.published)
        self.pairs = PairRules(policy, corpus.languages)
        self.banned = _rows(corpus, placed.bans)
        names = cap_names(policy)
        self.caps = (lambda row: names(corpus.articles[row])) if names else None
        self.weights = np.zeros(len(corpus), dtype=np.float32)
        if self.articles.weighs:
            weights = [self.articles.weight(article) for article in corpus.articles]
            self.weights = np.round(weights, DECIMALS).astype(np.float32)
        self._tolled = policy.hub_limit is None or not hub_limit
        self._weighs = self.articles.weighs or not self._tolled
        self.rules = self._rules()

    def _rules(self) -> list[tuple[str, rules.Rule]]:
        policy = self.site.settings.policy
        found: list[tuple[str, rules.Rule]] = []
        if self.banned:
            found.append(("banned", rules.among(lambda row, rows: ~np.isin(rows, self.banned.get(row, ())))))
        if self.pairs.by_date or policy.languages:
            found.append(("by language or date", self._by_pairs))
        found.append(("copy", rules.no_copies(self.copies.numbers, self.later if self.later.any() else None)))
        if policy.min_score is not None:
            weights = (lambda rows: self.weights[rows]) if self._weighs else None
            found.append((TOO_LOW, rules.min_score(policy.min_score, weights)))
        if policy.min_cosine is not None:
            found.append((TOO_FAR, rules.min_cosine(policy.min_cosine, cosines(self.site.fusion(self.model)))))
        return found

    def _by_pairs(self, row: int, rows: Rows, scores: Scores) -> Mask:
        """What stands first by hand, with the score inf, is held to languages alone."""
        speaks = self.pairs.speaks(self.facts.languages[row], self.facts.languages[rows])
        return self._allow(row, rows) | (np.isposinf(scores) & speaks)

    def _allow(self, row: int, rows: Rows) -> Mask:
        return self.pairs.allow(self.facts.of(row), self.facts.of(rows))

    def blocks(
        self, rows: Rows, k: int, *, spares: int = 0, progress: Progress = no_progress, allowed: Any = None
    ) -> Iterator[StoredBlock]:
        """The blocks of some rows, k items and spares, in an order of their own; none is short where it can be full."""
        if not self._tolled:
            self._tolled = True
            self.weights = self._with_tolls(k, progress)
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
        found = self.site.rank(
            self.model,
            rows,
            depth,
            eligible=self.eligible,
            groups=None if self.site.settings.policy.languages else self.languages,
            allowed=allowed,
            extra=self._extra if self.pins else None,
        )
        return found if not self.weights.any() else ((batch, self._weighed(ranking)) for batch, ranking in found)

    def _weighed(self, ranking: Similar) -> Similar:
        """A ranking with what articles' scores gain or lose, in its new order."""
        there = ranking.rows != NO_ROW
        scores = np.where(there, np.round(ranking.scores + self.weights[ranking.rows], DECIMALS), -np.inf)
        ties = np.where(there, self.site.corpus.tie_order[ranking.rows], len(self.site.corpus))
        order = np.lexsort((ties, -scores), axis=1)
        parts = np.take_along_axis(ranking.parts, order[:, :, None], 1)
        rows, scores = np.take_along_axis(ranking.rows, order, 1), np.take_along_axis(scores, order, 1)
        return Similar(rows, scores.astype(np.float32), parts)

    def _with_tolls(self, k: int, progress: Progress) -> Scores:
        """(n,) the weights, less what articles pay that would stand in too many blocks."""
        corpus, plain = self.site.corpus, self.weights
        seen = np.flatnonzero(self.shown).tolist()
        pages = np.array([row for row in seen if not self.articles.reason_off(corpus.articles[row])], np.int32)
        share = self.site.settings.policy.hub_limit or 1.0
        most = hubs.most_blocks(share, len(pages), k, int((self.eligible & ~self.later).sum()))
        paid = np.zeros(len(corpus), dtype=np.float32)
        for _ in range(ROUNDS):
            rows, scores = self._offers(pages, k + hubs.BESIDE, progress)
            more = hubs.tolls(rows, scores, k, most, paid)
            if (more == paid).all():
                break
            paid = more
            self.weights = np.round(plain - paid, DECIMALS).astype(np.float32)
        return self.weights

    def _offers(self, pages: Rows, wanted: int, progress: Progress) -> tuple[Rows, Scores]:
        """(p, wanted) what pages can show, best first; what is pinned stands there at any price."""
        row_of = self.site.corpus.row_of
        rows = np.full((len(pages), wanted), NO_ROW, dtype=np.int32)
        scores = np.full(rows.shape, -np.inf, dtype=np.float32)
        place_of = {row: place for place, row in enumerate(pages.tolist())}
        for block in self.blocks(pages, wanted, progress=progress):
            place = place_of[row_of[block.source_id]]
            items = [item for item in block.items if not self.later[row_of[item.id]]][:wanted]
            for at, item in enumerate(items):
                rows[place, at] = row_of[item.id]
                scores[place, at] = np.inf if item.reasons.get("pinned") else item.score
        return rows, scores

    def _extra(self, batch: Rows) -> Rows:
        width = max((len(self.pins.get(row, ())) for row in batch.tolist()), default=0)
        extra = np.full((len(batch), width), NO_ROW, dtype=np.int32)
        for place, row in enumerate(batch.tolist()):
            speaks = self.pairs.speaks
            codes = self.facts.languages
            may = [p for p in self.pins.get(row, ()) if self.visible[p] and speaks(codes[row], codes[p])]
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
            caps=self.caps and self._caps_of(row, self.caps),
            later=self.later if self.later.any() else None,
        )
        off = self.articles.reason_off(self.site.corpus.articles[row])
        if off:
            return StoredBlock(self.site.corpus.ids[row], (), off), True
        chosen = self._stand_ins(row, rows[selection.places])
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
            until = self._scheduled_copy(int(rows[at]), rows[selection.places])
            if until is not None:
                reasons["until"] = self.site.corpus.ids[until]
            items.append(StoredItem(self.site.corpus.ids[chosen[number]], round(float(scores[at]), 5), reasons))
        counted = selection.counted
        shortfall = self._shortfall(row, counted, k, selection.removed) if counted < k else None
        return StoredBlock(self.site.corpus.ids[row], tuple(items), shortfall), counted == k + spares

    def _caps_of(self, page: int, caps: Callable[[int], Names]) -> Callable[[int], Names]:
        if self.site.settings.policy.copies == "best":
            return caps
        return lambda row: caps(int(self._stand_ins(page, np.array([row], dtype=np.int32))[0]))

    def _stand_ins(self, row: int, chosen: Rows) -> Rows:
        """The items, each by the one of its copies that the rules want."""
        how = self.site.settings.policy.copies
        if how == "best":
            return chosen
        groups, numbers, found = self.copies.groups(), self.copies.numbers, chosen.copy()
        for place, one in enumerate(chosen.tolist()):
            rows = np.array(groups.get(int(numbers[one]), [one]), dtype=np.int32)
            may = rows[
                self.eligible[rows]
                & ~self.later[rows]
                & self._allow(row, rows)
                & ~np.isin(rows, self.banned.get(row, ()))
            ]
            if len(may) > 1 and one not in self.pins.get(row, ()):
                found[place] = representative(may.tolist(), self.site.corpus.articles.__getitem__, how)
        return found

    def _scheduled_copy(self, row: int, rows: Rows) -> int | None:
        """See `simrec.pipeline.live.compose.Composer`: the two name the same."""
        numbers = self.copies.numbers
        if self.later[row] or not self.later[rows].any():
            return None
        return next((other for other in rows.tolist() if self.later[other] and numbers[other] == numbers[row]), None)

    def _shortfall(self, row: int, found: int, k: int, removed: dict[str, int]) -> str:
        others = int((self.eligible & (self.languages == self.languages[row])).sum() - self.eligible[row])
        lang = self.site.corpus.texts[row].lang
        why = [f"{others} other article{'s' if others != 1 else ''} in {lang!r} may be shown"]
        why += [f"{count} taken out: {name}" for name, count in removed.items()]
        unlike = others - found - sum(removed.values())
        if unlike > 0:
            why.append(f"{unlike} share no word with it")
        return f"{found} of {k}: " + "; ".join(why)


def article_rules(policy: PolicySettings, published: NDArray[np.float64], newest: float | None = None) -> ArticleRules:
    """The rules of single articles, with ages counted back from a date; without it, from the newest there is."""
    known = published[~np.isnan(published)]
    if not len(known):
        return ArticleRules(policy)
    newest = float(known.max()) if newest is None else newest
    return ArticleRules(policy, newest, (newest - float(np.median(known))) / DAY)


def newest_of(published: NDArray[np.float64], now: datetime) -> float:
    """The last date that is not in the future, in seconds since 1970; else that of now."""
    known = published[~np.isnan(published) & (published <= now.timestamp())]
    return float(known.max()) if len(known) else now.timestamp()


def cosines(fusion: Fusion) -> list[rules.Similarity]:
    """The parts of a fusion that are likeness of words or meanings."""
    return [part.part.pairs for part in fusion.parts if part.part.name in COSINES]


def may_show(site: Site, now: datetime) -> tuple[Mask, NDArray[np.int32]]:
    """(n,) bool, who may be shown at a moment, and (n,) numbers: only those of the page's number may be."""
    corpus = site.corpus
    same = site.settings.policy.same_language
    return eligibility.eligible(corpus, now), corpus.lang_codes if same else np.zeros(len(corpus), dtype=np.int32)


def _rows(corpus: Corpus, ids: Mapping[str, Sequence[str]]) -> dict[int, tuple[int, ...]]:
    """By the row of each page, the rows of ids; without what the corpus does not have."""
    known = {page: [corpus.row_of[id_] for id_ in found if id_ in corpus.row_of] for page, found in ids.items()}
    return {corpus.row_of[page]: tuple(dict.fromkeys(rows)) for page, rows in known.items() if page in corpus.row_of}
