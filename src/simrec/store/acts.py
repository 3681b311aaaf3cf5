"""The part of the store that holds editors' acts, and what stands of them."""

from __future__ import annotations

from simrec.store.base import Connected


class ActStore(Connected):
    """The part of the store that holds editors' acts, and what stands of them."""
