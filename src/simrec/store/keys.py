"""The part of the store that holds keys of those who may ask and change, and the audit of what they did."""

from __future__ import annotations

from simrec.store.base import Connected


class KeyStore(Connected):
    """The part of the store that holds keys of those who may ask and change, and the audit of what they did."""
