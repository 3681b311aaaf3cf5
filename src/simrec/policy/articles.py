"""House rules that look at one article: whether it has a block, whether it may be shown, what its score gains."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import NamedTuple

from simrec.house import PolicySettings, SideSettings
from simrec.policy.eligibility import opens_at, reason_hidden
from simrec.text import is_unspaced
from simrec.types import Article

OFF = "similar"
"""The column in which an article says by "off" that it has no block."""
SERIES = "series"
"""The column that names an article's series."""
FORWARD = 366.0
"""Days after the newest date that still count: a date far in the future is a mistake."""
HALF = math.log(2)
"""What the score loses in a half-life: the odds are halved."""


class ArticleRules:
    """What a site's rules say of articles by themselves.

    Args:
        policy: the house rules.
        newest: the moment that ages are counted back from, in seconds since 1970; None where no article has a date:
            a half-life means nothing then.
        undated: the age in days that an article without a date is taken to have.

    >>> rules = ArticleRules(PolicySettings(off=("a",)))
    >>> rules.reason_off(Article("a", "A", "…")), rules.reason_off(Article("b", "B", "…"))
    ('switched off by the settings', None)
    """

    def __init__(self, policy: PolicySettings, newest: float | None = None, undated: float = 0.0) -> None:
        self._policy = policy
        self._newest = newest
        self._undated = undated
        self._source, self._target = matcher(policy.source), matcher(policy.target)
        self._off = frozenset(policy.off)

    @property
    def weighs(self) -> bool:
        """Whether some article's score is changed at all."""
        return bool(self._policy.boost) or (self._policy.half_life_days is not None and self._newest is not None)

    def reason_off(self, article: Article) -> str | None:
        """Why an article has no block; None where it has one."""
        if article.id in self._off:
            return "switched off by the settings"
        if str(article.extra.get(OFF, "")).strip().casefold() in ("off", "false", "no"):
            return "switched off by the article"
        why = self._source(article)
        return why and f"switched off: {why}"

    def reason_out(self, article: Article) -> str | None:
        """Why an article is never shown under others, whatever the moment; None where it may be."""
        if self._policy.max_age_days is not None and article.published_at is None:
            return "no date, and there is a greatest age"
        return self._target(article)

    def too_old_from(self, article: Article) -> datetime | None:
        """The moment from which an article is too old to be shown; None where it never is."""
        days = self._policy.max_age_days
        if days is None or article.published_at is None:
            return None
        try:
            return article.published_at + timedelta(days=days)
        except OverflowError:
            return None

    def reason_barred(self, article: Article, now: datetime) -> str | None:
        """Why the rules let an article not be shown at a moment; its status and own dates are not looked at."""
        end = self.too_old_from(article)
        if end is not None and end <= now:
            return "too old"
        return self.reason_out(article)

    def weight(self, article: Article) -> float:
        """What is added to an article's score under any page.

        A half-life takes the same off every score for the same age: in which order articles stand does not hang on
        the day that they are looked at.
        """
        gained = self._policy.boost.get(article.id, 0.0)
        if self._policy.half_life_days is not None and self._newest is not None:
            days = self._undated
            if article.published_at is not None:
                days = max((self._newest - article.published_at.timestamp()) / 86_400, -FORWARD)
            gained -= HALF * days / self._policy.half_life_days
        return gained


class Standing(NamedTuple):
    """Whether an article may be shown at a moment.

    Attributes:
        shown: now or later, as far as its own status and dates go.
        may: the rules let it, too.
        later: not yet.
        until: the next moment at which any of this may change, in seconds since 1970; infinite where none will.
    """

    shown: bool
    may: bool
    later: bool
    until: float


def standing(article: Article, rules: ArticleRules, now: datetime) -> Standing:
    """How an article stands at a moment."""
    later = reason_hidden(article, now) is not None
    shown = not later or opens_at(article, now) is not None
    moments = (article.embargo_until, article.expires_at, article.published_at, rules.too_old_from(article))
    until = min((moment.timestamp() for moment in moments if moment and moment > now), default=math.inf)
    return Standing(shown, shown and rules.reason_barred(article, now) is None, later and shown, until)


def matcher(side: SideSettings) -> Callable[[Article], str | None]:
    """What says why an article is not meant by include and exclude lists; None where it is."""
    kinds: list[tuple[str, Callable[[Article], frozenset[str]], frozenset[str], frozenset[str]]] = []
    for kind, values in _VALUES.items():
        wanted, unwanted = (_folded(getattr(side, f"{way}_{kind}s"), kind) for way in ("include", "exclude"))
        if wanted or unwanted:
            kinds.append((kind, values, wanted, unwanted))
    needed, forbidden = _phrases(side.include_terms), _phrases(side.exclude_terms)

    def why(article: Article) -> str | None:
        for kind, values, wanted, unwanted in kinds:
            own = values(article)
            if own & unwanted:
                return f"{kind} {min(own & unwanted)!r} is excluded"
            if wanted and not own & wanted:
                return f"its {kind} is not among those included"
        for text in (f"{article.title}\n{article.body}",) if needed or forbidden else ():
            found = forbidden.search(text) if forbidden else None
            if found:
                return f"term {found[0].casefold()!r} is excluded"
            if needed and not needed.search(text):
                return "none of the included terms is in it"
        return None

    return why


def _folded(texts: Iterable[str | None], kind: str = "") -> frozenset[str]:
    if kind == "id":
        return frozenset(text for text in texts if text)
    return frozenset(text.strip().casefold() for text in texts if text)


_VALUES: dict[str, Callable[[Article], frozenset[str]]] = {
    "section": lambda article: _folded([article.section]),
    "tag": lambda article: _folded(article.tags),
    "author": lambda article: _folded(article.authors),
    "id": lambda article: frozenset([article.id]),
}


def _phrases(terms: Iterable[str]) -> re.Pattern[str] | None:
    """Finds any of some words or phrases, as whole words where the script has words; None for no terms."""
    parts = []
    for term in terms:
        words = r"\s+".join(map(re.escape, term.split()))
        if words:
            whole = not is_unspaced(term.strip())
            parts.append(rf"(?<!\w){words}(?!\w)" if whole else words)
    return re.compile("|".join(parts), re.IGNORECASE) if parts else None
