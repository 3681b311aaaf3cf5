"""The store: articles, picks, rejects, snapshots, blocks and acts, in an SQLite file or a PostgreSQL database."""

from simrec.store.acts import Act, NewAct, PageRow
from simrec.store.articles import Held, Ingested
from simrec.store.blocks import Before, Judge, Listed, Verdict
from simrec.store.changes import NOTHING, Changes, Mark
from simrec.store.election import Election
from simrec.store.inputs import Inputs
from simrec.store.judgements import Judgement, Whose
from simrec.store.records import StoredBlock, StoredItem
from simrec.store.sessions import SessionLock
from simrec.store.snapshots import Snapshot
from simrec.store.store import Store

__all__ = [
    "NOTHING",
    "Act",
    "Before",
    "Changes",
    "Election",
    "Held",
    "Ingested",
    "Inputs",
    "Judge",
    "Judgement",
    "Listed",
    "Mark",
    "NewAct",
    "PageRow",
    "SessionLock",
    "Snapshot",
    "Store",
    "StoredBlock",
    "StoredItem",
    "Verdict",
    "Whose",
]
