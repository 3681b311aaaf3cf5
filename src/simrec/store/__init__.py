"""The store: articles, picks, rejects, snapshots and blocks in one SQLite file."""

from simrec.store.store import Ingested, Snapshot, Store, StoredBlock, StoredItem

__all__ = ["Ingested", "Snapshot", "Store", "StoredBlock", "StoredItem"]
