"""The tables, as SQLAlchemy Core sees them; docs/storage.md explains them."""

from __future__ import annotations

from sqlalchemy import JSON, Boolean, Column, Float, ForeignKey, Index, Integer, MetaData, String, Table

metadata = MetaData()

schema_version = Table("schema_version", metadata, Column("version", Integer, nullable=False))

articles = Table(
    "articles",
    metadata,
    Column("id", String, primary_key=True),
    Column("title", String, nullable=False),
    Column("body", String, nullable=False),
    Column("url", String),
    Column("published_at", String),
    Column("updated_at", String),
    Column("section", String),
    Column("tags", JSON, nullable=False),
    Column("authors", JSON, nullable=False),
    Column("lang", String),
    Column("image", String),
    Column("image_alt", String),
    Column("status", String, nullable=False),
    Column("embargo_until", String),
    Column("expires_at", String),
    Column("canonical_id", String),
    Column("extra", JSON, nullable=False),
    Column("hash", String, nullable=False),
    Column("copy", Boolean, nullable=False),
    Column("file", String, nullable=False),
    Column("line", Integer),
    Column("seq", Integer, nullable=False, server_default="0"),
    Index("articles_seq", "seq"),
)

addresses = Table(
    "addresses",
    metadata,
    Column("key", String, primary_key=True),
    Column("article_id", String, nullable=False),
    Index("addresses_article", "article_id"),
)

picks = Table(
    "picks",
    metadata,
    Column("source_ref", String, primary_key=True),
    Column("target_ref", String, primary_key=True),
    Column("origin", String, primary_key=True),
    Column("source_id", String),
    Column("target_id", String),
    Column("rank", Integer, nullable=False),
    Column("grade", Float),
    Column("file", String, nullable=False),
    Column("line", Integer),
    Column("who", String),
    Column("at", String),
    Index("picks_origin", "origin"),
)

rejects = Table(
    "rejects",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("source", String, nullable=False),
    Column("file", String, nullable=False),
    Column("line", Integer),
    Column("reason", String, nullable=False),
    Index("rejects_source", "source"),
)

snapshots = Table(
    "snapshots",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("created_at", String, nullable=False),
    Column("model", String, nullable=False),
    Column("k", Integer, nullable=False),
    Column("articles", Integer, nullable=False),
    Column("blocks", Integer, nullable=False),
    Column("settings", JSON, nullable=False),
    Column("active", Boolean, nullable=False),
    Column("fitted", String),
    Column("revision", Integer, nullable=False, server_default="0"),
    Column("changed_at", String),
    Column("parent", Integer),
    Column("refused", String),
    Column("figures", JSON),
    Column("made_with", JSON),
    sqlite_autoincrement=True,
)

snapshot_articles = Table(
    "snapshot_articles",
    metadata,
    Column("snapshot_id", Integer, ForeignKey("snapshots.id", ondelete="CASCADE"), primary_key=True),
    Column("article_id", String, primary_key=True),
    Column("hash", String, nullable=False),
    sqlite_with_rowid=False,
)

snapshot_pins = Table(
    "snapshot_pins",
    metadata,
    Column("snapshot_id", Integer, ForeignKey("snapshots.id", ondelete="CASCADE"), primary_key=True),
    Column("source_id", String, primary_key=True),
    Column("targets", JSON, nullable=False),
    Column("bans", JSON),
    sqlite_with_rowid=False,
)

blocks = Table(
    "blocks",
    metadata,
    Column("snapshot_id", Integer, ForeignKey("snapshots.id", ondelete="CASCADE"), primary_key=True),
    Column("source_id", String, primary_key=True),
    Column("items", JSON, nullable=False),
    Column("shortfall", String),
    Column("changed", Boolean, nullable=False, server_default="0"),
    Column("revision", Integer, nullable=False, server_default="0"),
)

pages = Table(
    "pages",
    metadata,
    Column("source_id", String, primary_key=True),
    Column("version", Integer, nullable=False),
    Column("pins", JSON, nullable=False),
    Column("bans", JSON, nullable=False),
    Column("accepted", JSON, nullable=False),
    sqlite_with_rowid=False,
)

acts = Table(
    "acts",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("at", String, nullable=False),
    Column("who", String, nullable=False),
    Column("action", String, nullable=False),
    Column("source_id", String, nullable=False),
    Column("target_id", String),
    Column("before", JSON, nullable=False),
    Column("after", JSON, nullable=False),
    Column("undoes", Integer),
    Column("undone_by", Integer),
    Column("note", String),
    Index("acts_source", "source_id"),
    sqlite_autoincrement=True,
)

comparisons = Table(
    "comparisons",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("trial", String, nullable=False, unique=True),
    Column("at", String, nullable=False),
    Column("who", String, nullable=False),
    Column("source_id", String, nullable=False),
    Column("model_a", String, nullable=False),
    Column("model_b", String, nullable=False),
    Column("items_a", JSON, nullable=False),
    Column("items_b", JSON, nullable=False),
    Column("left_is", String, nullable=False),
    Column("drawn", String, nullable=False),
    Column("skipped", Integer, nullable=False),
    Column("preferred", String),
    Column("accepted", JSON, nullable=False),
    Column("rejected", JSON, nullable=False),
    sqlite_autoincrement=True,
)

history = Table(
    "history",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("at", String, nullable=False),
    Column("kind", String, nullable=False),
    Column("snapshot_id", Integer),
    Column("model", String),
    Column("figures", JSON, nullable=False),
    Index("history_kind", "kind", "at"),
    sqlite_autoincrement=True,
)

keys = Table(
    "keys",
    metadata,
    Column("id", String, primary_key=True),
    Column("name", String, nullable=False),
    Column("scopes", JSON, nullable=False),
    Column("hash", String, nullable=False),
    Column("created_at", String, nullable=False),
    Column("expires_at", String),
    Column("revoked_at", String),
)

audit = Table(
    "audit",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("at", String, nullable=False),
    Column("key_id", String),
    Column("name", String),
    Column("action", String, nullable=False),
    Column("target", String),
    Column("outcome", String, nullable=False),
    Column("request_id", String),
    Index("audit_at", "at"),
    sqlite_autoincrement=True,
)

idempotency = Table(
    "idempotency",
    metadata,
    Column("key", String, primary_key=True),
    Column("at", String, nullable=False),
    Column("fingerprint", String, nullable=False),
    Column("status", Integer),
    Column("body", JSON),
    Index("idempotency_at", "at"),
)

inbox = Table(
    "inbox",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("at", String, nullable=False),
    Column("kind", String, nullable=False),
    Column("payload", JSON, nullable=False),
    Column("done_at", String),
    Column("outcome", JSON),
    Index("inbox_waiting", "done_at", "id"),
    sqlite_autoincrement=True,
)
