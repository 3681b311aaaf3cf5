"""What a webhook of WordPress or Ghost tells: an article is published or changed, or is out of sight."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, NamedTuple

from simrec.errors import InputError
from simrec.ingest import ghost, wordpress_post
from simrec.ingest.entries import moment
from simrec.ingest.record import FieldError, to_id
from simrec.serve.forms import to_record
from simrec.settings import IngestSettings
from simrec.text import safe_url
from simrec.types import Article, Entry, Reject

Row = Mapping[str, Any]

GONE = frozenset(("deleted", "delete", "post_delete", "post.deleted", "page.deleted", "delete_post"))
"""Events that take an article out for good, whatever state its post was in; plugins name them differently."""
KNOWN = frozenset(
    (
        "published", "updated", "unpublished", "trashed", "untrashed", "scheduled",
        "post_create", "post_update", "post_trash",
        "post.published", "post.updated", "post.trashed", "create_post", "update_post", "trash_post", "publish_post",
    )
)  # fmt: skip
"""Events after which the post's own state says what to do."""


BESIDE = ("post_id", "post_permalink", "post_thumbnail", "taxonomies")
"""What the plugin WP Webhooks sends beside a post's row."""


class Told(NamedTuple):
    """What is to be asked of the writer: a kind of request, and its payload."""

    kind: str
    payload: dict[str, Any]

    @property
    def id(self) -> str:
        """The article."""
        return str(self.payload["ids"][0] if self.kind == "withdraw" else self.payload["articles"][0]["id"])


def by_wordpress(body: object, settings: IngestSettings, now: datetime) -> Told | None:
    """What a webhook of WordPress asks for; None where it is nothing that concerns an article.

    Raises:
        InputError: it tells of a published article that cannot be used.
    """
    if not isinstance(body, dict):
        return None
    within = body.get("post")
    post = {**{name: body[name] for name in BESIDE if name in body}, **(within if isinstance(within, dict) else body)}
    event = body.get("event") or body.get("webhook_event") or body.get("action")
    if event in GONE:
        return _out(wordpress_post.id_of(post), wordpress_post.changed_at(post) or now, draft=False)
    if event is not None and event not in KNOWN:
        return None
    if not (post.get("status") or post.get("post_status")):
        return None
    return _of(wordpress_post.posted(post, settings), wordpress_post.changed_at(post) or now)


def by_ghost(body: object, settings: IngestSettings, now: datetime) -> Told | None:
    """What a webhook of Ghost asks for; see `by_wordpress`."""
    about = body.get("post") or body.get("page") if isinstance(body, dict) else None
    if not isinstance(about, dict):
        return None
    current, before = about.get("current"), about.get("previous")
    if isinstance(current, dict) and current.get("id"):
        return _of(ghost.posted(current, settings), moment(current.get("updated_at")) or now)
    return _out(before.get("id"), now, draft=False) if isinstance(before, dict) else None


def told_at(id_: str, payload: Row, now: datetime) -> datetime:
    """When an article was changed, by who told of it; now where nothing is said, and at the latest."""
    said = payload.get("as_of", {}).get(id_)
    return min(datetime.fromisoformat(said), now) if said else now


def dated(article: Article, payload: Row, now: datetime) -> Article:
    """An article that a system told of, changed now at the latest: else it could not take it back until then."""
    if article.updated_at is None or article.id not in payload.get("as_of", {}):
        return article
    return replace(article, updated_at=min(article.updated_at, told_at(article.id, payload, now)))


def _of(found: Entry | Reject | None, changed_at: datetime) -> Told | None:
    """What an article asks for. A draft is never stored: one that is known is taken out of sight."""
    if found is None:
        return None
    if isinstance(found, Reject):
        raise InputError(f"the article cannot be used: {found.reason}")
    article = found.article
    if article.status in ("draft", "withdrawn") or article.is_notice:
        gone = article.status in ("draft", "withdrawn")  # what is scheduled is told of again, and not as changed
        return _out(article.id, changed_at, draft=article.status != "withdrawn", gone=gone)
    return Told("publish", {"articles": [to_record(_safe(article))], "as_of": {article.id: changed_at.isoformat()}})


def _out(given: object, changed_at: datetime, *, draft: bool, gone: bool = True) -> Told | None:
    """Takes an article out; `gone`: where it is unknown, that it is out is kept, for what may arrive late."""
    try:
        id_ = to_id(given)
    except FieldError:
        return None
    as_of = {id_: changed_at.isoformat()}
    return Told("withdraw", {"ids": [id_], "draft": draft, "known": True, "gone": gone, "as_of": as_of})


def _safe(article: Article) -> Article:
    """An article without addresses that no page may hold."""
    return replace(article, url=safe_url(article.url), image=safe_url(article.image))
