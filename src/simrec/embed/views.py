"""The vectors of a text, of its title, its body and its passages, together."""

from __future__ import annotations

from typing import NamedTuple

from simrec.embed.cache import Passages
from simrec.types import Dense


class Views(NamedTuple):
    """The vectors of n texts.

    Attributes:
        articles: (n, d) float32 unit rows, or zeros: what `transform` gives.
        titles: the same, with a title_weight of 1.
        bodies: the same, with a title_weight of 0.
        passages: what `passages` gives.
    """

    articles: Dense
    titles: Dense
    bodies: Dense
    passages: Passages
