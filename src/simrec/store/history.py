"""The part of the store that holds what was measured of the site, over time."""

from __future__ import annotations

from simrec.store.base import Connected


class HistoryStore(Connected):
    """The part of the store that holds what was measured of the site, over time."""
