"""A desk's backend without a service: real articles and blocks of the newsroom, acts kept in memory."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from simrec.block import html
from simrec.block.style import Style
from simrec.errors import NotFoundError, StaleError, UsageError
from simrec.pipeline.acts import Act, PageState
from simrec.pipeline.attention import Attention, Queue
from simrec.pipeline.blind import Shown, Tally, Trial
from simrec.pipeline.look_types import Candidate, PageLook
from simrec.pipeline.overview import Empty, Hub, Overview, Point, Run
from simrec.pipeline.status import status
from simrec.pipeline.viewer import Viewer
from simrec.pipeline.workspace import Workspace
from simrec.serve.desk.backend import Judgement, User, Wish
from simrec.types import Article, Block, BlockItem

KEY = "sr_test_secret"
READER = "sr_reader_secret"


@dataclass
class FakeBackend:
    """See `simrec.serve.desk.backend.Backend`."""

    workspace: Workspace
    title: str = "The Vess Courier"
    site_url: str = ""
    models: tuple[str, ...] = ("tfidf", "sentence", "hybrid")
    states: dict[str, PageState] = field(default_factory=dict)
    acts: list[Act] = field(default_factory=list)
    looked: set[str] = field(default_factory=set)
    judged: list[tuple[str, Judgement]] = field(default_factory=list)
    revoked: set[str] = field(default_factory=set)
    moment: datetime | None = None

    def __post_init__(self) -> None:
        with self.workspace.store() as store:
            self.snapshot = store.snapshot()
            self.viewer = Viewer.open(store, self.workspace.settings, self.snapshot.k)
            self.stored = {block.source_id: block for block in store.blocks(self.snapshot.id)}
        self.articles = {article.id: article for article in self.viewer.corpus.articles}

    def now(self) -> datetime:
        return self.moment or datetime.now(UTC)

    def sign_in(self, secret: str) -> User | None:
        if secret == KEY:
            return User("test", "Ines Calder", ("edit",))
        if secret.startswith("sr_second"):
            return User("second", "Petra Lohse", ("edit",))
        return User("reader", "Reader", ("read",)) if secret == READER else None

    def still(self, key_id: str) -> bool:
        return key_id not in self.revoked

    def article(self, id_: str) -> Article:
        if id_ not in self.articles:
            raise NotFoundError(f"there is no article {id_!r}: find it by its title")
        return self.articles[id_]

    def why_hidden(self, article: Article) -> str | None:
        return self.viewer.reason_hidden(article.id)

    def search(self, text: str, limit: int) -> Sequence[Article]:
        words = text.lower().split()
        found = [a for a in self.articles.values() if all(w in f"{a.title} {a.id} {a.url}".lower() for w in words)]
        return found[:limit]

    def _item(self, id_: str) -> BlockItem:
        a = self.articles[id_]
        return BlockItem(id_, a.title, a.url, 1.0, {"pinned": True}, a.published_at, a.lang, a.image, a.image_alt, "")

    def block(self, id_: str) -> Block:
        article, state = self.article(id_), self.state(id_)
        if id_ not in self.stored:
            return Block(article, article.lang or "en", (), "it has no block yet")
        full = Viewer(self.viewer.corpus, self.workspace.settings, 30).view(self.stored[id_])
        rest = [item for item in full.items if item.id not in state.bans and item.id not in state.pins]
        pins = [self._item(pin) for pin in state.pins if self.viewer.reason_hidden(pin) is None]
        return replace(full, items=tuple([*pins, *rest][: self.snapshot.k]), shortfall=None)

    def preview(self, block: Block) -> str:
        return html.HtmlRenderer(Style()).render(block)

    def look(self, id_: str) -> PageLook:
        state, block = self.state(id_), self.block(id_)
        if id_ not in self.stored:
            raise NotFoundError("there is no look")
        rng = random.Random(id_)
        found = []
        places = {item.id: at for at, item in enumerate(block.items, 1)}
        ids = [item.id for item in self.stored[id_].items][:12]
        scores = {item.id: item.score for item in self.stored[id_].items}
        for rank, target in enumerate(ids, 1):
            a = self.articles[target]
            ranks = {"tfidf": rank, "sentence": rng.choice([None, *range(1, 30)]), "hybrid": rng.randint(1, 20)}
            why = ("same words: bridge, anchor, cable", "same section", "published within a week")[: rng.randint(1, 3)]
            kind = "pinned" if target in state.pins else "banned" if target in state.bans else "candidate"
            found.append(
                Candidate(
                    target,
                    a.title,
                    a.url,
                    a.published_at,
                    a.section,
                    scores[target],
                    why,
                    ranks,
                    kind,
                    places.get(target),
                )
            )
        barred = [a for a in self.articles.values() if self.viewer.reason_hidden(a.id)][:2]
        found += [
            Candidate(
                a.id,
                a.title,
                a.url,
                a.published_at,
                a.section,
                None,
                (),
                {},
                "barred",
                None,
                self.viewer.reason_hidden(a.id),
            )
            for a in barred
        ]
        lists = {name: tuple(rng.sample(ids, min(5, len(ids)))) for name in self.models}
        return PageLook(id_, block.page.title, "tfidf", 1, tuple(places), tuple(found), lists, {})

    def state(self, id_: str) -> PageState:
        return self.states.get(id_, PageState(id_))

    def act(self, who: str, wish: Wish) -> dict[str, Any]:
        state = self.state(wish.source_id)
        if wish.version is not None and wish.version != state.version:
            last = self.acts[state.version - 1]
            raise StaleError(f"{last.who} changed this page at {last.at:%H:%M}: look at it again")
        pins, bans, accepted = list(state.pins), list(state.bans), list(state.accepted)
        target = wish.target_id or ""
        if target and target not in self.articles:
            raise UsageError(f"there is no article {target!r} to {wish.action}")
        for name, ids in (("pin", pins), ("ban", bans), ("accept", accepted)):
            if wish.action == name:
                ids.append(target)
            elif wish.action == f"un{name}":
                ids.remove(target)
        if wish.action == "pin" and target in bans:
            bans.remove(target)
        if wish.action == "ban" and target in pins:
            pins.remove(target)
        pins = list(wish.targets) if wish.action == "order" else pins
        return self._store(who, wish.action, wish.source_id, wish.target_id, pins, bans, accepted, wish.note)

    def _store(
        self,
        who: str,
        action: str,
        source: str,
        target: str | None,
        pins: Any,
        bans: Any,
        accepted: Any,
        note: Any,
        undoes: int | None = None,
    ) -> dict[str, Any]:
        before = self.state(source)
        number = len(self.acts) + 1
        after = PageState(source, number, tuple(pins), tuple(bans), tuple(accepted))
        self.states[source] = after
        self.acts.append(
            Act(number, self.now(), who, action, source, target, asdict(before), asdict(after), undoes, None, note)
        )
        return {"act": {"id": number}, "waiting": False}

    def undo(self, who: str, act_id: int, version: int | None) -> dict[str, Any]:
        act = self.acts[act_id - 1]
        if act.undone_by:
            raise UsageError("this act is undone already")
        if act.said is not None:
            done = self._say(who, "undo", act.source_id, act.said, act_id)
            (self.looked.discard if act.undoes is None else self.looked.add)(act.source_id)
            self.acts[act_id - 1] = replace(act, undone_by=done)
            return {"act": {"id": done}, "waiting": False}
        b = act.before
        done = self._store(
            who, act.action, act.source_id, act.target_id, b["pins"], b["bans"], b["accepted"], None, act_id
        )
        self.acts[act_id - 1] = replace(act, undone_by=len(self.acts))
        return done

    def log(
        self, *, source_id: str | None = None, who: str | None = None, before: int | None = None, limit: int = 50
    ) -> list[Act]:
        found = [
            act
            for act in reversed(self.acts)
            if (source_id in (None, act.source_id)) and (who in (None, act.who)) and (before is None or act.id < before)
        ]
        return found[:limit]

    def queue(self, kind: str | None, after: int, limit: int) -> Queue:
        kinds = ("low_confidence", "few_items", "hub", "changed")
        why = {
            "low_confidence": "its last item scores 0.11, among the lowest of the site",
            "few_items": "3 of 5 items, the others fall back on the section",
            "hub": "two items stand in more than 4% of all blocks",
            "changed": "4 of 5 items are others than in the last snapshot",
        }
        items = []
        for at, id_ in enumerate(sorted(self.stored)):
            mine = frozenset({kinds[at % 4], kinds[(at * 7) % 4]})
            if id_ not in self.looked and (kind is None or kind in mine):
                items.append(
                    Attention(
                        id_, self.articles[id_].title, 1 / (1 + at / 9), tuple(why[k] for k in sorted(mine)), mine
                    )
                )
        rest = after + limit if len(items) > after + limit else None
        counts = {k: sum(k in item.kinds for item in items) for k in kinds}
        return Queue(tuple(items[after : after + limit]), len(items), counts, rest, len(self.looked))

    def seen(self, who: str, source_id: str) -> int:
        self.looked.add(source_id)
        return self._say(who, "seen", source_id, {"shown": "5eed"})

    def _say(self, who: str, action: str, source: str, said: dict[str, Any], undoes: int | None = None) -> int:
        lists, number = {"pins": [], "bans": [], "accepted": []}, len(self.acts) + 1
        self.acts.append(Act(number, self.now(), who, action, source, None, lists, lists, undoes, None, None, said))
        return number

    def overview(self) -> Overview:
        hubs = tuple(
            Hub(a.id, a.title, 14 - at, (14 - at) / 155) for at, a in enumerate(list(self.articles.values())[:10])
        )
        start = datetime(2025, 8, 1, 3, tzinfo=UTC)
        points = tuple(
            Point(
                start + timedelta(days=7 * at),
                kind,
                model,
                at + 1,
                "nDCG@10",
                base + at * 0.004,
                base + at * 0.004 - 0.03,
                base + at * 0.004 + 0.03,
                155,
            )
            for at in range(9)
            for kind, model, base in (("picks", "hybrid", 0.61), ("picks", "tfidf", 0.55))
        )
        runs = (
            Run("2025-09-26T03:00:01+00:00", "done", 41.2, "ingest: 3 new; build: 155 blocks"),
            Run("2025-09-25T03:00:01+00:00", "refused", 39.0, "the gate refused it: 31% of the blocks changed"),
        )
        empties = (Empty("sagas", "Sagas", "no other article in its language"),)
        return Overview(status(self.workspace), 155, 150, 4, 1, 0, 0.87, hubs, empties, runs, points)

    def trial(self, who: str, models: tuple[str, str], source_id: str | None, drawn: str) -> Trial:
        rng = random.Random(len(self.judged))
        source = source_id or rng.choice(sorted(self.stored))
        ids = [item.id for item in self.stored[source].items][:8]
        left, right = (
            tuple(Shown(i, self.articles[i].title, self.articles[i].url) for i in rng.sample(ids, 5)) for _ in range(2)
        )
        return Trial(f"trial{len(self.judged)}", source, self.articles[source].title, left, right, drawn, 1)

    def judge(self, who: str, judgement: Judgement) -> int:
        source = self.trial(who, ("hybrid", "tfidf"), None, "random").source_id
        self.judged.append((who, judgement))
        preferred = {"left": "hybrid", "right": "tfidf"}.get(judgement.preferred)
        lists = {"accepted": [*judgement.accepted], "rejected": [*judgement.rejected]}
        return self._say(who, "judge", source, {"models": ["hybrid", "tfidf"], "preferred": preferred, **lists})

    def tallies(self) -> Sequence[Tally]:
        if not self.judged:
            return []
        sums = tuple(sum(j.preferred == side for _, j in self.judged) for side in ("left", "right", "tie"))
        return [
            Tally(
                "hybrid",
                "tfidf",
                *sums,
                len(self.judged),
                0.21,
                0.6,
                0.42,
                0.76,
                {"Ines Calder": (sums[0], sums[1], sums[2])},
                {"random": len(self.judged)},
            )
        ]
