"""Articles and picks as a notebook has them, pandas DataFrames or lists, checked like those of any file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from simrec.errors import InputError
from simrec.ingest.picks import COLUMNS as PICK_COLUMNS
from simrec.ingest.picks import NEEDED, to_pick
from simrec.ingest.record import REQUIRED, to_article
from simrec.settings import IngestSettings
from simrec.types import Article, Corpus, Pick

if TYPE_CHECKING:
    import pandas as pd


class Rejected(NamedTuple):
    """A row that cannot be used: of which table, at which place from 0, the id that it gives, and why."""

    table: str
    row: int
    id: str
    reason: str


def to_corpus(articles: Any, settings: IngestSettings) -> tuple[Corpus, list[Rejected]]:
    """The articles of a table, and the rows that are none.

    Args:
        articles: a DataFrame with the columns of `articles.jsonl`: `id` (a column, or the index's name), `title` and
            `body`, and any of the others; or `Article`s.
        settings: which languages are believed.

    Raises:
        InputError: it is no such table, or no article in it can be used.
    """
    found: dict[str, Article] = {}
    rejects = []
    for row, given in enumerate(_articles(articles, settings)):
        id_, made = given
        if isinstance(made, Article) and made.is_notice:
            made = f"article {made.id!r} has no title or no body: every article needs both"
        if isinstance(made, Article) and made.id in found:
            made = f"duplicate id {made.id!r}: give each article an id of its own"
        if isinstance(made, str):
            rejects.append(Rejected("articles", row, id_, made))
        else:
            found[made.id] = made
    if not found:
        why = f": the first is rejected, {rejects[0].reason}" if rejects else ": the table is empty"
        raise InputError(f"there is no article that can be used{why}")
    return Corpus([found[id_] for id_ in sorted(found)]), rejects


def to_picks(picks: Any, corpus: Corpus) -> tuple[list[Pick], list[Rejected]]:
    """The picks of a table between articles of the corpus, and the rows that are none.

    Args:
        picks: a DataFrame with the columns source_id, target_id, rank; or `Pick`s; None for no picks.
        corpus: the articles.

    Raises:
        InputError: it is no such table.
    """
    found, rejects = [], []
    for row, made in enumerate(_picks(picks)):
        known = made
        if isinstance(made, Pick):
            unknown = [id_ for id_ in (made.source_id, made.target_id) if id_ not in corpus.row_of]
            known = f"there is no article {unknown[0]!r}" if unknown else made
        if isinstance(known, Pick):
            found.append(known)
        else:
            rejects.append(Rejected("picks", row, made.source_id if isinstance(made, Pick) else "", known))
    return found, rejects


def as_frame(rejects: Sequence[Rejected]) -> pd.DataFrame:
    """Rejected rows as a table."""
    import pandas as pd

    return pd.DataFrame(rejects, columns=list(Rejected._fields))


def _articles(articles: Any, settings: IngestSettings) -> Iterable[tuple[str, Article | str]]:
    if hasattr(articles, "columns"):
        for record in _records(articles, REQUIRED, "articles need the columns id, title and body"):
            yield str(record.get("id")), to_article(record, settings)
        return
    if isinstance(articles, str | Mapping) or not isinstance(articles, Iterable):
        raise InputError(f"articles are a DataFrame or a list of Articles, not {type(articles).__name__}")
    for article in articles:
        if not isinstance(article, Article):
            raise InputError(f"articles are a DataFrame or a list of Articles, not a list of {type(article).__name__}")
        yield article.id, article


def _picks(picks: Any) -> Iterable[Pick | str]:
    if picks is None:
        return
    if hasattr(picks, "columns"):
        yield from map(to_pick, _records(picks, PICK_COLUMNS, NEEDED))
        return
    if isinstance(picks, str | Mapping) or not isinstance(picks, Iterable):
        raise InputError(f"picks are a DataFrame or a list of Picks, not {type(picks).__name__}")
    for pick in picks:
        if not isinstance(pick, Pick):
            raise InputError(f"picks are a DataFrame or a list of Picks, not a list of {type(pick).__name__}")
        yield pick


def _records(frame: pd.DataFrame, needed: Sequence[str], advice: str) -> Iterable[dict[str, Any]]:
    if frame.index.name in needed and frame.index.name not in frame.columns:
        frame = frame.reset_index()
    missing = [name for name in needed if name not in frame.columns]
    if missing:
        raise InputError(f"no column {', '.join(missing)}: {advice}")
    for record in frame.to_dict("records"):
        yield {str(name): _plain(value) for name, value in record.items()}


def _plain(value: Any) -> Any:
    """A cell as a file would have it."""
    import pandas as pd

    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    if isinstance(value, set | frozenset):
        return sorted(value, key=str)
    return None if value is pd.NA else value
