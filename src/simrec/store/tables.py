"""The tables, as SQLAlchemy Core sees them; docs/storage.md explains them."""

from __future__ import annotations

from dataclasses import fields

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    text,
)  # fmt: skip
from sqlalchemy.dialects import postgresql

from simrec.types import Article

metadata = MetaData()
Text = String().with_variant(postgresql.TEXT(collation="C"), "postgresql")
"""Compared by its bytes, as SQLite does it: ids have one order in every store, whatever language its server speaks."""
Number = Integer().with_variant(BigInteger(), "postgresql")
"""As large as SQLite has them: who asks for a number that is too large is told that it is not there."""

schema_version = Table("schema_version", metadata, Column("version", Number, nullable=False))

articles = Table(
    "articles",
    metadata,
    Column("id", Text, primary_key=True),
    Column("title", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("url", Text),
    Column("published_at", Text),
    Column("updated_at", Text),
    Column("section", Text),
    Column("tags", JSON, nullable=False),
    Column("authors", JSON, nullable=False),
    Column("lang", Text),
    Column("image", Text),
    Column("image_alt", Text),
    Column("status", Text, nullable=False),
    Column("embargo_until", Text),
    Column("expires_at", Text),
    Column("canonical_id", Text),
    Column("extra", JSON, nullable=False),
    Column("hash", Text, nullable=False),
    Column("copy", Boolean, nullable=False),
    Column("file", Text, nullable=False),
    Column("line", Number),
    Column("seq", Number, nullable=False, server_default="0"),
    Index("articles_seq", "seq"),
)
ARTICLE = tuple(articles.c[one.name] for one in fields(Article))
"""What `simrec.store.records.article_of` takes."""

addresses = Table(
    "addresses",
    metadata,
    Column("key", Text, primary_key=True),
    Column("article_id", Text, nullable=False),
    Index("addresses_article", "article_id"),
)

gone = Table(
    "gone",
    metadata,
    Column("id", Text, primary_key=True),
    Column("at", Text, nullable=False),
    sqlite_with_rowid=False,
)

picks = Table(
    "picks",
    metadata,
    Column("source_ref", Text, primary_key=True),
    Column("target_ref", Text, primary_key=True),
    Column("origin", Text, primary_key=True),
    Column("source_id", Text),
    Column("target_id", Text),
    Column("rank", Number, nullable=False),
    Column("grade", Float),
    Column("file", Text, nullable=False),
    Column("line", Number),
    Column("who", Text, primary_key=True, server_default=""),
    Column("at", Text),
    Index("picks_origin", "origin"),
)

rejects = Table(
    "rejects",
    metadata,
    Column("number", Number, primary_key=True),
    Column("source", Text, nullable=False),
    Column("file", Text, nullable=False),
    Column("line", Number),
    Column("reason", Text, nullable=False),
    Index("rejects_source", "source"),
)

snapshots = Table(
    "snapshots",
    metadata,
    Column("id", Number, primary_key=True, autoincrement=True),
    Column("created_at", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("k", Number, nullable=False),
    Column("articles", Number, nullable=False),
    Column("blocks", Number, nullable=False),
    Column("settings", JSON, nullable=False),
    Column("active", Boolean, nullable=False),
    Column("fitted", Text),
    Column("revision", Number, nullable=False, server_default="0"),
    Column("changed_at", Text),
    Column("parent", Number),
    Column("refused", Text),
    Column("figures", JSON),
    Column("made_with", JSON),
    sqlite_autoincrement=True,
)

snapshot_articles = Table(
    "snapshot_articles",
    metadata,
    Column("snapshot_id", Number, ForeignKey("snapshots.id", ondelete="CASCADE"), primary_key=True),
    Column("article_id", Text, primary_key=True),
    Column("hash", Text, nullable=False),
    sqlite_with_rowid=False,
)

snapshot_pins = Table(
    "snapshot_pins",
    metadata,
    Column("snapshot_id", Number, ForeignKey("snapshots.id", ondelete="CASCADE"), primary_key=True),
    Column("source_id", Text, primary_key=True),
    Column("targets", JSON, nullable=False),
    Column("bans", JSON),
    sqlite_with_rowid=False,
)

blocks = Table(
    "blocks",
    metadata,
    Column("snapshot_id", Number, ForeignKey("snapshots.id", ondelete="CASCADE"), primary_key=True),
    Column("source_id", Text, primary_key=True),
    Column("items", JSON, nullable=False),
    Column("shortfall", Text),
    Column("changed", Boolean, nullable=False, server_default="0"),
    Column("revision", Number, nullable=False, server_default="0"),
)
Index(
    "blocks_revision", blocks.c.snapshot_id, blocks.c.revision,
    sqlite_where=text("revision > 0"), postgresql_where=text("revision > 0"),
)  # fmt: skip

pages = Table(
    "pages",
    metadata,
    Column("source_id", Text, primary_key=True),
    Column("version", Number, nullable=False),
    Column("pins", JSON, nullable=False),
    Column("bans", JSON, nullable=False),
    Column("accepted", JSON, nullable=False),
    sqlite_with_rowid=False,
)

acts = Table(
    "acts",
    metadata,
    Column("id", Number, primary_key=True, autoincrement=True),
    Column("at", Text, nullable=False),
    Column("who", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("source_id", Text, nullable=False),
    Column("target_id", Text),
    Column("before", JSON, nullable=False),
    Column("after", JSON, nullable=False),
    Column("undoes", Number),
    Column("undone_by", Number),
    Column("note", Text),
    Column("said", JSON(none_as_null=True)),
    Index("acts_source", "source_id"),
    sqlite_autoincrement=True,
)

comparisons = Table(
    "comparisons",
    metadata,
    Column("id", Number, primary_key=True, autoincrement=True),
    Column("trial", Text, nullable=False, unique=True),
    Column("at", Text, nullable=False),
    Column("who", Text, nullable=False),
    Column("source_id", Text, nullable=False),
    Column("model_a", Text, nullable=False),
    Column("model_b", Text, nullable=False),
    Column("items_a", JSON, nullable=False),
    Column("items_b", JSON, nullable=False),
    Column("left_is", Text, nullable=False),
    Column("drawn", Text, nullable=False),
    Column("skipped", Number, nullable=False),
    Column("preferred", Text),
    Column("accepted", JSON, nullable=False),
    Column("rejected", JSON, nullable=False),
    Column("act", Number),
    Column("undone_by", Number),
    sqlite_autoincrement=True,
)

history = Table(
    "history",
    metadata,
    Column("number", Number, primary_key=True, autoincrement=True),
    Column("at", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("snapshot_id", Number),
    Column("model", Text),
    Column("figures", JSON, nullable=False),
    Index("history_kind", "kind", "at"),
    sqlite_autoincrement=True,
)

keys = Table(
    "keys",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("scopes", JSON, nullable=False),
    Column("hash", Text, nullable=False),
    Column("created_at", Text, nullable=False),
    Column("expires_at", Text),
    Column("revoked_at", Text),
)

audit = Table(
    "audit",
    metadata,
    Column("number", Number, primary_key=True, autoincrement=True),
    Column("at", Text, nullable=False),
    Column("key_id", Text),
    Column("name", Text),
    Column("action", Text, nullable=False),
    Column("target", Text),
    Column("outcome", Text, nullable=False),
    Column("request_id", Text),
    Index("audit_at", "at"),
    sqlite_autoincrement=True,
)

idempotency = Table(
    "idempotency",
    metadata,
    Column("key", Text, primary_key=True),
    Column("at", Text, nullable=False),
    Column("fingerprint", Text, nullable=False),
    Column("inbox_id", Number, nullable=False),
    Index("idempotency_at", "at"),
)

inbox = Table(
    "inbox",
    metadata,
    Column("id", Number, primary_key=True, autoincrement=True),
    Column("at", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("payload", JSON, nullable=False),
    Column("tries", Number, nullable=False, server_default="0"),
    Column("applied_at", Text),
    Column("done_at", Text),
    Column("outcome", JSON),
    Index("inbox_waiting", "done_at", "id"),
    sqlite_autoincrement=True,
)

desk_sessions = Table(
    "desk_sessions",
    metadata,
    Column("id", Text, primary_key=True),
    Column("key_id", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("scopes", JSON, nullable=False),
    Column("csrf", Text, nullable=False),
    Column("created_at", Text, nullable=False),
    Column("seen_at", Text, nullable=False),
    Index("desk_sessions_seen", "seen_at"),
)
