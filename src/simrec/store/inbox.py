"""The part of the store that holds what is asked of the writer by processes that are not."""

from __future__ import annotations

from simrec.store.base import Connected


class InboxStore(Connected):
    """The part of the store that holds what is asked of the writer by processes that are not."""
