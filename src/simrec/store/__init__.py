"""The store: articles, picks, rejects, snapshots, blocks and acts, in an SQLite file or a PostgreSQL database."""

from simrec.store.articles import Held, Ingested
from simrec.store.blocks import Listed
from simrec.store.changes import NOTHING, Changes, Mark
from simrec.store.election import Election
from simrec.store.inputs import Inputs
from simrec.store.records import StoredBlock, StoredItem
from simrec.store.sessions import SessionLock
from simrec.store.snapshots import Before, Judge, Snapshot, Verdict
from simrec.store.store import Store

__all__ = [
    "NOTHING",
    "Before",
    "Changes",
    "Election",
    "Held",
    "Ingested",
    "Inputs",
    "Judge",
    "Listed",
    "Mark",
    "SessionLock",
    "Snapshot",
    "Store",
    "StoredBlock",
    "StoredItem",
    "Verdict",
]
