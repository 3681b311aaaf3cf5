"""The store: articles, picks, rejects, snapshots, blocks and editors' acts in one database."""

from simrec.store.acts import Act, NewAct, PageRow
from simrec.store.articles import Held, Ingested
from simrec.store.blocks import Listed
from simrec.store.inputs import Inputs
from simrec.store.judgements import Judgement, Whose
from simrec.store.records import StoredBlock, StoredItem
from simrec.store.snapshots import Before, Judge, Snapshot, Verdict
from simrec.store.store import Store

__all__ = [
    "Act",
    "Before",
    "Held",
    "Ingested",
    "Inputs",
    "Judge",
    "Judgement",
    "Listed",
    "NewAct",
    "PageRow",
    "Snapshot",
    "Store",
    "StoredBlock",
    "StoredItem",
    "Verdict",
    "Whose",
]
