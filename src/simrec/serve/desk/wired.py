"""The desk on a running service: what readers are shown, the writer, and what the pipeline knows of the site."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, nullcontext
from dataclasses import replace
from datetime import datetime
from typing import Any

from fastapi import FastAPI, Request

from simrec.block.compose import from_site
from simrec.block.html import HtmlRenderer
from simrec.block.style import Style
from simrec.errors import ConflictError, NotFoundError
from simrec.pipeline import blind
from simrec.pipeline.acts import Act, PageState
from simrec.pipeline.attention import Attentive, Queue
from simrec.pipeline.blind import Tally, Trial
from simrec.pipeline.look import Looks
from simrec.pipeline.look_types import PageLook
from simrec.pipeline.overview import Overview, overview
from simrec.policy.eligibility import reason_hidden
from simrec.serve.asking import SHARE
from simrec.serve.desk.app import mount
from simrec.serve.desk.backend import Judgement, User, Wish
from simrec.serve.desk.guard import EDIT, Desk
from simrec.serve.desk.patience import Patience
from simrec.serve.looking import LooksApart
from simrec.serve.private import LOOKS
from simrec.serve.security import Caller
from simrec.serve.state import Service
from simrec.store.desk_sessions import StoredSession
from simrec.types import Article, Block


class ServiceBackend:
    """See `simrec.serve.desk.backend.Backend`.

    Args:
        service: that runs the desk.
    """

    def __init__(self, service: Service) -> None:
        workspace = service.workspace
        self.title = workspace.settings.site.title or "simrec"
        self.site_url = Style.of(workspace.settings, workspace.path, lang="en", model="").site_url
        self._service, self._workspace = service, workspace
        self._looks = LooksApart() if LOOKS in os.environ else Looks(workspace, clock=service.clock)
        self._attentive = Attentive(workspace, clock=service.clock)
        self._patience = Patience()

    @property
    def models(self) -> Sequence[str]:
        """Models that can be compared: those of the settings, and the one that is served."""
        served = [self._service.shown.snapshot.model] if self._service.shown.is_ready else []
        return list(dict.fromkeys([*self._workspace.settings.serve.desk_models, *served]))

    def close(self) -> None:
        """Lets go of the site."""
        self._patience.close()
        self._looks.close()

    def now(self) -> datetime:
        """What time it is."""
        return self._service.clock()

    def sign_in(self, secret: str) -> User | None:
        """Who shows that key; None where it is not, or no longer, good."""
        self._service.keyring.refresh()  # a key that was made this moment opens the desk at once
        caller = self._service.keyring.check(secret)
        if caller is None or caller.key_id is None:
            return None
        return User(caller.key_id, caller.name, tuple(sorted(caller.scopes)))

    def still(self, key_id: str) -> bool:
        """Whether a key is still good, and still may edit."""
        everybody = self._service.store.keys()
        key = next((key for key in everybody if key.id == key_id), None)
        return key is not None and key.is_good(self.now()) and not EDIT.isdisjoint(key.scopes)

    def article(self, id_: str) -> Article:
        """An article, drafts among them."""
        found = self._service.shown.article(id_)
        if found is None:
            raise NotFoundError(f"there is no article {id_!r}: find it by its title")
        return found

    def why_hidden(self, article: Article) -> str | None:
        """Why readers do not see an article now; None where they do."""
        return reason_hidden(article, self.now())

    def search(self, text: str, limit: int) -> Sequence[Article]:
        """Articles by words of the title, by id or by address."""
        return self._service.shown.search(text, limit)

    def block(self, id_: str) -> Block:
        """A page's block, as readers see it now, or would if they saw the page."""
        article = self.article(id_)
        if not self._service.shown.is_ready:
            return Block(article, article.lang or "en", (), "nothing is built yet")
        return self._service.shown.editor_block(id_)

    def preview(self, block: Block) -> str:
        """The block's HTML, as the site's template makes it, with whole addresses."""
        style = Style.of(self._workspace.settings, self._workspace.path, lang=block.lang, model="")
        items = tuple(
            replace(
                item, url=from_site(block, item.url, style.site_url), image=from_site(block, item.image, style.site_url)
            )
            for item in block.items
        )
        return HtmlRenderer(style).render(replace(block, items=items))

    def look(self, id_: str) -> PageLook:
        """A page's candidates, and what each model would give."""
        return self._patience.get(("look", id_), lambda: self._looked(id_))

    def state(self, id_: str) -> PageState:
        """What editors did to a page; its block is as new, also where another process has changed it."""
        found = PageState.of(id_, self._service.store.page_states([id_]).get(id_))
        if found.version != self._service.shown.version(id_):
            self._service.refresh()
        return found

    def act(self, who: str, wish: Wish) -> dict[str, Any]:
        """Does it."""
        return self._ask(
            "act",
            who=who, action=wish.action, source_id=wish.source_id, target_id=wish.target_id,
            targets=list(wish.targets), version=wish.version, note=wish.note,
        )  # fmt: skip

    def undo(self, who: str, act_id: int, version: int | None) -> dict[str, Any]:
        """Takes an act back."""
        return self._ask("undo", who=who, act_id=act_id, version=version)

    def log(
        self, *, source_id: str | None = None, who: str | None = None, before: int | None = None, limit: int = 50
    ) -> list[Act]:
        """Acts, the newest first."""
        return self._service.store.acts(source_id=source_id, who=who, before=before, limit=limit)

    def queue(self, kind: str | None, after: int, limit: int) -> Queue:
        """Pages whose blocks most need a look; none where nothing is built yet."""
        if not self._service.shown.is_ready:
            return Queue((), 0, {}, None, 0)
        found = self._attentive.queue(kind, after, limit)
        if found.items:  # models are loaded while somebody reads the queue, not when they open a page of it
            first = found.items[0].source_id
            self._patience.begin("warm", lambda: self._looked(first))
        return found

    def seen(self, who: str, source_id: str) -> int:
        """Says that an editor has looked at a page, and nothing is to be done; the number of the act."""
        return self._attentive.seen(who, self.article(source_id).id)

    def overview(self) -> Overview:
        """The state of the site."""
        return overview(self._workspace, now=self.now(), watching=self._attentive.watching)

    def trial(self, who: str, models: tuple[str, str], source_id: str | None, drawn: str) -> Trial:
        """A blind comparison to judge."""

        def start() -> Trial:
            return blind.start(self._service.store, self._looks, who, models, source_id, drawn=drawn, now=self.now())

        return self._patience.get(("trial", who, models, source_id, drawn), start)

    def judge(self, who: str, judgement: Judgement) -> int | None:
        """Stores what a judge says; the number of the act."""
        preferred: Any = judgement.preferred  # it was checked, and is again
        return blind.judge(
            self._service.store, who, judgement.trial_id, preferred, judgement.accepted, judgement.rejected,
            now=self.now(),
        ).act  # fmt: skip

    def tallies(self) -> Sequence[Tally]:
        """What judges preferred, a pair of models each."""
        return blind.tallies(self._service.store)

    def _looked(self, id_: str) -> PageLook:
        return self._looks.page(id_, [item.id for item in self.block(id_).items])

    def _ask(self, kind: str, **payload: Any) -> dict[str, Any]:
        """Has the writer do something, and shows it at once."""
        if self._service.writer is None:
            raise ConflictError("nothing can be changed here: this service only reads")
        seconds = self._service.settings.timeout * SHARE  # less than the request has: a page says that it is late
        found: dict[str, Any] = self._service.writer.call(kind, payload, timeout=seconds)
        self._service.metrics.publishes.labels(kind).inc()
        self._service.refresh()
        return found


def add_desk(app: FastAPI, service: Service) -> Desk:
    """Puts the desk of a service into its application."""
    backend, around = ServiceBackend(service), app.router.lifespan_context

    @asynccontextmanager
    async def living(app: FastAPI) -> AsyncIterator[Any]:
        async with around(app) as state:
            try:
                yield state
            finally:
                backend.close()

    app.router.lifespan_context = living
    return mount(
        app, backend, lambda: nullcontext(service.store), known=_known,
        secure=service.settings.secure_cookies,
    )  # fmt: skip


def _known(request: Request, who: StoredSession | User) -> None:
    """Says who asks to what counts and audits requests."""
    request.state.caller = Caller(who.key_id, who.name, frozenset(who.scopes))
