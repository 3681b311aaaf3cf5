"""The tables of simrec.toml, but for the house rules: each setting with its default and what it does."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from simrec.house import Section

KEYS = {"items": ("source_id", "rank"), "blocks": ("source_id",)}
"""Values that name a row of the table that is written back to, by kind of row."""
WRITTEN = {
    "items": (
        *KEYS["items"], "target_id", "score", "title", "url", "published_at", "lang", "reason", "terms", "reasons",
        "snapshot",
    ),
    "blocks": (*KEYS["blocks"], "json", "html", "lang", "heading", "snapshot"),
}  # fmt: skip
"""Values that can be written, by kind of row."""


class IngestSettings(Section):
    """How sources are read."""

    picks_selector: str = Field("", description="CSS selector of the links of a page's related block")
    headings: tuple[str, ...] = Field(
        (), description="headings of the related block, beside those that simrec knows in many languages"
    )
    languages: tuple[str, ...] = Field(
        (), description="languages that the site writes; a detected one that is not listed is dropped"
    )
    post_types: tuple[str, ...] = Field(
        ("post", "page"), description="types of items in a WordPress export that are articles"
    )
    max_record_mb: int = Field(16, ge=1, description="a longer record is rejected, in megabytes")


class DatabaseSettings(Section):
    """A SQL database that articles are read from: `simrec ingest URL`, or `simrec ingest database:` for this `url`."""

    url: str = Field(
        "",
        repr=False,
        description="SQLAlchemy URL; `${NAME}` stands for a variable, so that no password is in the file",
    )
    query: str = Field("", description="SELECT that gives a row an article")
    columns: dict[str, str] = Field(
        default_factory=dict, description="the query's column of an article's column, where the names differ"
    )
    picks_query: str = Field(
        "", description="SELECT that gives source_id, target_id, rank and perhaps grade, a row a pick"
    )
    batch: int = Field(500, ge=1, description="rows that are fetched at once")


class WriteBackSettings(Section):
    """A SQL table that blocks are written to by `simrec render --format sql`."""

    url: str = Field("", repr=False, description="SQLAlchemy URL; `${NAME}` stands for a variable")
    table: str = Field("similar_articles", description="the table, as `table` or `schema.table`")
    rows: Literal["items", "blocks"] = Field("items", description="a row an item of a block, or a row a block")
    columns: dict[str, str] = Field(
        default_factory=dict,
        description="the table's column of each value that is written; unset: all, by their own names",
    )
    create: bool = Field(False, description="make the table where it is missing")
    shared: bool = Field(
        False, description="others write to the table, too: only rows that this workspace wrote are deleted"
    )
    batch: int = Field(200, ge=1, description="blocks a transaction")
    retries: int = Field(5, ge=0, description="tries after the first, where the database is away or busy")

    @field_validator("columns")
    @classmethod
    def _has_keys(cls, columns: dict[str, str], info: ValidationInfo) -> dict[str, str]:
        rows = str(info.data.get("rows", "items"))
        known, needed = WRITTEN[rows], KEYS[rows]
        unknown = sorted(set(columns) - set(known))
        if unknown:
            raise ValueError(f"there is no value {unknown[0]!r}: with rows = {rows!r}, choose from {', '.join(known)}")
        missing = [name for name in needed if columns and name not in columns]
        if missing:
            raise ValueError(f"{missing[0]} has no column: with rows = {rows!r}, name one for {', '.join(needed)}")
        if len(set(columns.values())) < len(columns):
            raise ValueError("a column is named twice: give each value one of its own")
        return columns


class TfidfSettings(Section):
    """Word and character n-grams, weighted by TF-IDF."""

    title_weight: int = Field(3, ge=0, description="how often the title counts beside the body")
    ngrams: int = Field(2, ge=1, le=3, description="the longest n-gram, in words")
    min_df: int = Field(2, ge=1, description="terms in fewer articles are left out")
    max_df: float = Field(1.0, gt=0, le=1, description="terms in a larger share of the articles are left out")
    stem: bool = Field(True, description="cut words to their stems, in languages that have a Snowball stemmer")


class SentenceSettings(Section):
    """Sentence embeddings."""

    model: str = Field("default", description="'default', a sentence-transformers model's name, or a folder")
    passage_tokens: int = Field(0, ge=0, description="tokens of a passage; 0: as many as the model reads")
    overlap: int = Field(32, ge=0, description="tokens that neighboring passages share, at most half of a passage")
    title_weight: float = Field(0.3, ge=0, le=1, description="the title's share of the article's vector")
    batch_size: int = Field(32, ge=1, description="passages a batch")
    device: str = Field("", description="cpu, cuda, mps; empty: the best there is")
    backend: Literal["auto", "torch", "openvino"] = Field(
        "auto", description="what runs the model; auto: openvino where it is installed and worth it, else torch"
    )


class RankSettings(Section):
    """Candidates and their fusion."""

    candidates: int = Field(100, ge=1, description="candidates that each embedder brings for an article")
    tfidf: float = Field(1.0, ge=0, description="weight of the words in `hybrid`")
    sentence: float = Field(1.0, ge=0, description="weight of the sentence embeddings in `hybrid`")
    tags: float = Field(0.4, ge=0, description="weight of the words of the tags in `hybrid`")
    section: float = Field(0.2, ge=0, description="weight of being in the same section in `hybrid`")
    age: float = Field(0.5, ge=0, description="weight of being published at about the same time in `hybrid`")
    prior: float | None = Field(
        None, ge=0, le=1, description="share of the ranker trained on other sites in `hybrid`; unset: as it was trained"
    )
    back: float = Field(0.5, ge=0, le=1, description="weight of the candidate's view of the page in `hybrid`")


class BlockSettings(Section):
    """How a block looks."""

    k: int = Field(5, ge=1, le=100, description="items a block")
    min_items: int = Field(1, ge=1, le=100, description="with fewer items there is no block at all")
    heading: dict[str, str] = Field(default_factory=dict, description="heading by language, in place of simrec's own")
    heading_level: int = Field(2, ge=1, le=6, description="level of the heading")
    excerpt_words: int = Field(25, ge=0, description="words of each item's excerpt; 0: none")
    images: bool = Field(True, description="show the items' images")
    template: str = Field("", description="a Jinja template in place of simrec's, relative to the workspace")
    templates: dict[str, str] = Field(
        default_factory=dict, description="template by language, in place of `template`, relative to the workspace"
    )

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if self.min_items > self.k:
            raise ValueError(f"min_items is {self.min_items}, more than k, {self.k}: lower it")
        return self


class SiteSettings(Section):
    """What the site is, for those who read its blocks elsewhere."""

    url: str = Field(
        "",
        pattern=r"^(https?://[\w.-]+(:\d+)?(/[^\s?#]*)?)?$",
        description="its address, for absolute links",
    )
    title: str = Field("", description="its name, as the title of the feed")
    feed_url: str = Field("", pattern=r"^(https?://\S+)?$", description="where the JSON Feed will stand")


class BuildSettings(Section):
    """What a build makes."""

    model: str = Field("hybrid", description="tfidf, sentence, fusion, hybrid or learned")
    speed: Literal["best", "fast"] = Field(
        "best", description="fast: static vectors, distilled from the sentence model, in place of its own"
    )
    spares: int = Field(5, ge=0, description="items that a snapshot keeps beyond k")
    keep_snapshots: int = Field(10, ge=1, description="snapshots that are kept, the active one beside")


class GateSettings(Section):
    """What a snapshot must hold to be activated; a limit that is not set is not looked at."""

    max_empty: float | None = Field(
        None, ge=0, le=1, description="most share of blocks that are empty; not held with policy.fallback"
    )
    max_changed: float | None = Field(
        None, ge=0, le=1, description="most share of blocks that show others, or in another order, than the active ones"
    )
    min_coverage: float | None = Field(
        None, ge=0, le=1, description="least share of the articles that may be shown that stand in some block"
    )
    max_hub: float | None = Field(
        None, ge=0, le=1, description="most share of the blocks that the most shown article stands in"
    )
    min_ndcg: float | None = Field(
        None, ge=0, le=1, description="least nDCG@10 of the blocks, as they are, against editors' picks"
    )
    min_ndcg_pages: int = Field(30, ge=1, description="pages with picks from which min_ndcg counts")
    max_age_hours: float = Field(
        48.0, gt=0, description="hours after which `status` says that the active snapshot is too old"
    )


class RunSettings(Section):
    """What `simrec run` does, every night."""

    sources: tuple[str, ...] = Field((), description="what is ingested, where the command names nothing")
    picks: tuple[str, ...] = Field((), description="tables of editors' picks")
    render: dict[str, str] = Field(
        default_factory=dict, description="folder by format that blocks are written to, relative to the workspace"
    )
    write_back: bool = Field(False, description="write the blocks into the site's database, as its settings say")
    resume_hours: float = Field(6.0, ge=0, description="hours in which a run that was killed is gone on with")
    log: str = Field("", description="file that takes a JSON line for each stage, relative to the workspace")
    lock_wait: float = Field(
        600.0, ge=0, description="seconds that a command waits for another one that is at work in the workspace"
    )
    keep_reports: int = Field(30, ge=1, description="reports of runs that are kept in out/runs")


class StoreSettings(Section):
    """Where the site's store is."""

    url: str = Field(
        "",
        repr=False,
        description="URL of a PostgreSQL database; `${NAME}` stands for a variable; empty: the file simrec.db",
    )


class ServeSettings(Section):
    """What `simrec serve` does."""

    host: str = Field("127.0.0.1", description="address that it listens at")
    port: int = Field(8080, ge=0, le=65535, description="port that it listens at")
    workers: int = Field(1, ge=1, le=64, description="processes; one of them is the writer")
    hosts: tuple[str, ...] = Field(
        ("localhost", "127.0.0.1", "[::1]"),
        description="host names that it answers to; `*` is any",
    )
    proxies: tuple[str, ...] = Field(
        (), description="addresses of proxies whose X-Forwarded-For and -Proto are believed"
    )
    reads: Literal["open", "keyed"] = Field("open", description="whether blocks can be read without a key")
    origins: tuple[str, ...] = Field((), description="origins whose pages may read blocks by script (CORS); `*` all")
    max_age: int = Field(60, ge=0, description="seconds that a cache may hold a block")
    stale: int = Field(600, ge=0, description="seconds that a cache may go on showing it while it asks anew")
    rate: int = Field(600, ge=1, description="requests a minute by one key, or one address, that change something")
    read_rate: int = Field(0, ge=0, description="requests a minute that one address may make that read; 0: no limit")
    max_body_kb: int = Field(2048, ge=1, description="a longer request is refused, in kilobytes")
    max_batch: int = Field(100, ge=1, le=1000, description="ids or articles in one request")
    timeout: float = Field(30.0, gt=0, description="seconds that a request may take")
    drain: float = Field(
        1.0, ge=0, le=300, description="seconds between a SIGTERM, from when on /readyz says 503, and the port's end"
    )
    secure_cookies: bool = Field(
        True, description="the desk's cookies go over HTTPS only; addresses of this machine are let off"
    )
    wordpress_secret: str = Field("", repr=False, description="secret that WordPress signs its webhooks with")
    ghost_secret: str = Field("", repr=False, description="secret that Ghost signs its webhooks with")
    desk: bool = Field(True, description="the editors' desk at /desk")
    desk_models: tuple[str, ...] = Field(
        ("tfidf", "sentence", "hybrid"), description="models whose answers the desk shows side by side"
    )
    views: str = Field(
        "",
        description="table id,views or JSON object of how often pages are viewed, relative to the workspace: the desk "
        "puts pages that are viewed much before others",
    )
    metrics: Literal["open", "keyed", "off"] = Field("keyed", description="who may read /metrics")
    access_log: bool = Field(True, description="a JSON line a request on standard error")
