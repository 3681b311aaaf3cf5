"""Which articles may be shown at all, now."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np

from simrec.types import Article, Corpus, Mask


def reason_hidden(article: Article, now: datetime) -> str | None:
    """Why an article must not be shown now; None where it may.

    >>> reason_hidden(Article("a", "A", "...", status="draft"), datetime.now(UTC))
    'draft'
    """
    if article.status == "embargoed" and article.embargo_until and article.embargo_until <= now:
        pass  # its embargo is over
    elif article.status != "published":
        return article.status
    if article.embargo_until and article.embargo_until > now:
        return "embargoed"
    if article.published_at and article.published_at > now:
        return "not published yet"
    if article.expires_at and article.expires_at <= now:
        return "expired"
    return None


def opens_at(article: Article, now: datetime) -> datetime | None:
    """The moment after now from which an article may be shown; None where it may be already, or never will by itself.

    >>> later = datetime(2030, 1, 1, tzinfo=UTC)
    >>> opens_at(Article("a", "A", "...", published_at=later), datetime(2025, 1, 1, tzinfo=UTC)) == later
    True
    """
    moments = [moment for moment in (article.embargo_until, article.published_at) if moment and moment > now]
    if not moments:
        return None
    opening = max(moments)
    return opening if reason_hidden(article, opening) is None else None


def eligible(corpus: Corpus, now: datetime | None = None) -> Mask:
    """(n,) bool: published and in date."""
    now = now or datetime.now(UTC)
    return np.array([reason_hidden(article, now) is None for article in corpus.articles], dtype=bool)
