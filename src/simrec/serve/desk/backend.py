"""What the desk stands on: what it shows, and what it has done, without HTTP."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

from simrec.pipeline.attention import Queue
from simrec.pipeline.blind import Tally, Trial
from simrec.pipeline.look_types import PageLook
from simrec.pipeline.overview import Overview
from simrec.types import Article, Block

if TYPE_CHECKING:
    from simrec.pipeline.acts import Act, PageState


@dataclass(frozen=True, slots=True)
class User:
    """Who is at the desk: the key's id and name, and what it may do."""

    key_id: str
    name: str
    scopes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Wish:
    """What an editor wants done to a page.

    Attributes:
        action: "pin", "unpin", "ban", "unban", "accept", "unaccept" or "order".
        source_id, target_id: the page, and the article.
        targets: for "order", the articles that are to stand first, in order.
        version: of the page, as the editor saw it; None does it whatever has happened since.
        note: a word on it.
    """

    action: str
    source_id: str
    target_id: str | None = None
    targets: tuple[str, ...] = ()
    version: int | None = None
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a judge says of a trial: "left", "right" or "tie", and items that are good or bad in any case."""

    trial_id: str
    preferred: str
    accepted: tuple[str, ...] = ()
    rejected: tuple[str, ...] = ()


class Backend(Protocol):
    """What the desk shows and does; every method raises errors of `simrec.errors`, and may be called by any thread."""

    title: str
    site_url: str

    @property
    def models(self) -> Sequence[str]:
        """Models that can be compared."""

    def now(self) -> datetime:
        """What time it is."""

    def sign_in(self, secret: str) -> User | None:
        """Who shows that key; None where it is not, or no longer, good."""

    def still(self, key_id: str) -> bool:
        """Whether a key is still good."""

    def article(self, id_: str) -> Article:
        """An article, drafts among them."""

    def why_hidden(self, article: Article) -> str | None:
        """Why readers do not see an article now; None where they do."""

    def search(self, text: str, limit: int) -> Sequence[Article]:
        """Articles by words of the title, by id or by address."""

    def block(self, id_: str) -> Block:
        """A page's block, as readers see it now, or would if they saw the page."""

    def preview(self, block: Block) -> str:
        """The block's HTML, as the site's template makes it, with whole addresses."""

    def look(self, id_: str) -> PageLook:
        """A page's candidates, and what each model would give."""

    def state(self, id_: str) -> PageState:
        """What editors did to a page."""

    def act(self, who: str, wish: Wish) -> dict[str, Any]:
        """Does it; the result has the "act" and whether the blocks are "waiting"."""

    def undo(self, who: str, act_id: int, version: int | None) -> dict[str, Any]:
        """Takes an act back."""

    def log(
        self, *, source_id: str | None = None, who: str | None = None, before: int | None = None, limit: int = 50
    ) -> list[Act]:
        """Acts, the newest first."""

    def queue(self, kind: str | None, after: int, limit: int) -> Queue:
        """Pages whose blocks most need a look."""

    def seen(self, who: str, source_id: str) -> int:
        """Says that an editor has looked at a page, and nothing is to be done; the number of the act."""

    def overview(self) -> Overview:
        """The state of the site."""

    def trial(self, who: str, models: tuple[str, str], source_id: str | None, drawn: str) -> Trial:
        """A blind comparison to judge."""

    def judge(self, who: str, judgement: Judgement) -> int | None:
        """Stores what a judge says; the number of the act."""

    def tallies(self) -> Sequence[Tally]:
        """What judges preferred, a pair of models each."""
