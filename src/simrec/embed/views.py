"""The vectors of a text's title, body and passages, together."""

from __future__ import annotations

from typing import NamedTuple

from simrec.embed.cache import Passages
from simrec.types import Dense


class Views(NamedTuple):
    """The vectors of n texts.

    Attributes:
        titles: (n, d) float32 unit rows, or zeros.
        bodies: (n, d) float32 unit rows, or zeros.
        passages: of each body; of the title, where there is no body.
    """

    titles: Dense
    bodies: Dense
    passages: Passages

    def mixed(self, title_weight: float) -> Dense:
        """(n, d) float32 unit rows: title and body, weighted; where one has no word, the other alone."""
        from simrec.embed.sentence import mix

        return mix(self.titles, self.bodies, title_weight)
