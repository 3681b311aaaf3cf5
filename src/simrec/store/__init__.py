"""The store: articles, picks, rejects, snapshots and blocks in one SQLite file."""

from simrec.store.records import StoredBlock, StoredItem
from simrec.store.store import Ingested, Snapshot, Store

__all__ = ["Ingested", "Snapshot", "Store", "StoredBlock", "StoredItem"]
