"""The part of the store that holds blind comparisons of two models."""

from __future__ import annotations

from simrec.store.base import Connected


class ComparisonStore(Connected):
    """The part of the store that holds blind comparisons of two models."""
