"""The store: articles, picks, rejects, snapshots and blocks in one SQLite file."""

from simrec.store.articles import Held, Ingested
from simrec.store.blocks import Listed
from simrec.store.inputs import Inputs
from simrec.store.records import StoredBlock, StoredItem
from simrec.store.snapshots import Before, Judge, Snapshot, Verdict
from simrec.store.store import Store

__all__ = [
    "Before",
    "Held",
    "Ingested",
    "Inputs",
    "Judge",
    "Listed",
    "Snapshot",
    "Store",
    "StoredBlock",
    "StoredItem",
    "Verdict",
]
