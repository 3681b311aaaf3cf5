"""What embedders take: texts, as a notebook has them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

from simrec.errors import InputError
from simrec.types import Article, Text

Texts: TypeAlias = "Sequence[Text] | Iterable[Any]"
"""`Text`s; or strings, `Article`s, a pandas Series of strings, a DataFrame with title and body."""


def as_texts(X: Any) -> Sequence[Text]:
    """The texts of any such input, in order. A missing value is an empty text; a string is a body without a title.

    Args:
        X: `Text`s, `Article`s or strings, mixed if need be; a pandas Series; or a DataFrame with the columns `title`
            and `body`, one of them at least, and `lang` where it is known.

    Raises:
        InputError: it is none of these.

    >>> as_texts(["The bridge is closed."])
    [Text(title='', body='The bridge is closed.', lang='')]
    """
    if isinstance(X, str):
        raise InputError("a list of texts is needed, not one string: put it into a list")
    if hasattr(X, "columns"):
        return _of_frame(X)
    if isinstance(X, list) and all(type(item) is Text for item in X):
        return X
    return [_as_text(item) for item in X]


def _as_text(item: Any) -> Text:
    if isinstance(item, Text):
        return item
    if isinstance(item, Article):
        return item.text
    if isinstance(item, str):
        return Text("", item)
    import pandas as pd

    if pd.api.types.is_scalar(item) and pd.isna(item):
        return Text("", "")
    raise InputError(f"an embedder takes strings, Texts, Articles or a DataFrame, not {type(item).__name__}")


def _of_frame(frame: Any) -> list[Text]:
    names = [name for name in ("title", "body") if name in frame.columns]
    if not names:
        raise InputError(f"texts need a column title or body, not only {', '.join(map(str, frame.columns))}")
    columns = []
    for name in Text._fields:
        known = frame[name] if name in frame.columns else [None] * len(frame)
        columns.append([value if isinstance(value, str) else "" for value in known])
    return [Text(*row) for row in zip(*columns, strict=True)]
