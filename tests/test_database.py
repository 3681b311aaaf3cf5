"""Articles and picks out of SQL databases: SQLite always, PostgreSQL where it is installed."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from simrec.cli.main import main
from simrec.database import open_database, parse_url, said, shown
from simrec.errors import InputError, SettingsError, SimrecError, UsageError
from simrec.ingest import read
from simrec.ingest.database import DatabaseSource
from simrec.pipeline.ingest import ingest
from simrec.pipeline.workspace import Workspace
from simrec.settings import DatabaseSettings, IngestSettings, Settings
from simrec.types import Entry, Reject

ENDLESS = """WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)
SELECT i AS id, 'Title' AS title, 'Body' AS body FROM n"""
SETUP = {
    "sqlite": [
        "CREATE TABLE news (number INTEGER, headline TEXT, content TEXT, day TEXT, topics TEXT, views NUMERIC, data)",
        "INSERT INTO news VALUES (1, 'Bridge', 'It is open.', '2024-01-31 10:00:00', '[\"river\", \"mayor\"]', 2.5, 1)",
        "INSERT INTO news VALUES (2, NULL, 'No title.', NULL, NULL, NULL, NULL)",
        "INSERT INTO news VALUES (3, 'Ferry', CAST(x'46C3A4687265' AS BLOB), NULL, 'a|b', 3, x'FF')",
        "INSERT INTO news VALUES (4, 'Late', 'Bad date.', 'yesterday', NULL, NULL, NULL)",
    ],
    "postgresql": [
        "CREATE TABLE news (number BIGINT, headline VARCHAR, content BYTEA, day TIMESTAMP, topics JSONB, "
        "views NUMERIC, data UUID)",
        "INSERT INTO news VALUES (1, 'Bridge', 'It is open.', '2024-01-31 10:00:00', '[\"river\", \"mayor\"]', 2.5, "
        "'b5bd2a72-5a2f-4d5a-8c3f-31d8f9a7a001')",
        "INSERT INTO news VALUES (2, NULL, 'No title.', NULL, NULL, NULL, NULL)",
        "INSERT INTO news VALUES (3, 'Ferry', '\\x46C3A4687265', NULL, '[\"a\", \"b\"]', 3, NULL)",
        "INSERT INTO news VALUES (4, 'Late', 'Bad topics.', NULL, '{\"a\": 1}', NULL, NULL)",
    ],
}  # fmt: skip
PICKS = [
    "CREATE TABLE picked (a INTEGER, b INTEGER, place INTEGER)",
    "INSERT INTO picked VALUES (1, 3, 1), (3, 3, 1), (1, 9, 2)",
]
QUERY = (
    "SELECT number, headline, content, day, topics AS tags, views, data, '10:30' AS clock FROM news ORDER BY number;"
)
COLUMNS = {"id": "number", "title": "headline", "body": "content", "published_at": "day"}
PICKS_QUERY = "SELECT a AS source_id, b AS target_id, place AS rank FROM picked"


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database with a table of articles and one of picks."""
    made = f"sqlite:///{tmp_path / 'news.db'}" if request.param == "sqlite" else request.getfixturevalue("postgres")
    engine = open_database(parse_url(made), read_only=False)
    with engine.begin() as connection:
        for statement in [*SETUP[request.param], *PICKS]:
            connection.exec_driver_sql(statement)
    yield made
    with engine.begin() as connection:
        for table in ("news", "picked"):
            connection.exec_driver_sql(f"DROP TABLE {table}")
    engine.dispose()


def made_of(url: str, **settings: object) -> DatabaseSource:
    """A source with these settings."""
    return DatabaseSource(url, DatabaseSettings.model_validate(settings), IngestSettings())


def test_rows_become_articles_and_bad_rows_rejects_with_their_number(url: str) -> None:
    """Columns are mapped; decimals, JSON, bytes, UUIDs and dates without a zone are read; other columns are extra."""
    database = DatabaseSettings(query=QUERY, columns=COLUMNS)
    bridge, nameless, ferry, late = read([url], IngestSettings(), database=database)
    assert isinstance(bridge, Entry)
    assert isinstance(ferry, Entry)
    assert (bridge.article.id, bridge.article.title, bridge.line) == ("1", "Bridge", 1)
    assert bridge.article.published_at == datetime(2024, 1, 31, 10, tzinfo=UTC)
    assert (bridge.article.tags, ferry.article.tags) == (("river", "mayor"), ("a", "b"))
    assert (ferry.article.body, bridge.article.extra["views"], ferry.article.extra["views"]) == ("Fähre", 2.5, 3)
    assert bridge.article.extra["clock"] == "10:30"
    assert isinstance(nameless, Reject)
    assert isinstance(late, Reject)
    assert [(one.line, one.reason.split(":")[0]) for one in (nameless, late)] == [
        (2, "no title"),
        (4, "published_at 'yesterday' is no date" if "sqlite" in url else "tags must be a list, not an object"),
    ]


def test_articles_and_picks_into_a_workspace(url: str, tmp_path: Path) -> None:
    """`simrec ingest URL`: picks of the picks' query, too; a second time changes nothing; no password is kept."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site/simrec.toml").write_text(
        f'[database]\nquery = "{QUERY}"\npicks_query = "{PICKS_QUERY}"\n'
        'columns = {id = "number", title = "headline", body = "content", published_at = "day"}\n'
    )
    workspace = Workspace.open(tmp_path / "site", create=True)
    first, second = ingest(workspace, [url]), ingest(workspace, [url])
    assert (first.new, first.rejected, first.picks) == (2, 4, 1)
    assert (second.new, second.unchanged, second.rejected, second.picks) == (0, 2, 4, 1)
    assert "3 is picked for itself: take the row out" in [reject.reason for reject in first.rejects]
    for file in (tmp_path / "site").glob("simrec.db*"):
        assert b"s3cr" not in file.read_bytes()


def test_rows_are_streamed(url: str) -> None:
    """Of a query that never ends, the first rows are there at once, and the rest is never asked for."""
    found = list(itertools.islice(made_of(url, query=ENDLESS, batch=100).articles(), 1000))
    assert [entry.article.id for entry in found if isinstance(entry, Entry)][-1] == "1000"


@pytest.mark.parametrize("statement", ["DELETE FROM news RETURNING number AS id, headline AS title, content AS body",
                                       "INSERT INTO picked VALUES (7, 7, 7)", "DROP TABLE news"])  # fmt: skip
def test_nothing_is_written(url: str, statement: str) -> None:
    """A query that would change the database is refused by the database itself."""
    with pytest.raises(InputError, match=r"readonly|syntax error"):
        list(made_of(url, query=statement).articles())
    assert len(list(made_of(url, query=QUERY, columns=COLUMNS).articles())) == 4


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"query": "SELECT * FROM nothing"}, "nothing.*check the URL and query"),
        ({"query": "SELEC 1"}, "syntax error"),
        ({"query": QUERY}, "gives no column id, title, body"),
        ({"query": QUERY, "columns": {**COLUMNS, "lang": "language"}}, "gives no column 'language'"),
        ({"picks_query": PICKS_QUERY.replace(" AS rank", "")}, "picks_query under .database. gives no column rank"),
    ],
)
def test_a_query_that_cannot_be_used_is_one_line_without_the_password(
    url: str, settings: dict[str, object], reason: str
) -> None:
    """It says which setting to change."""
    source = made_of(url, **settings)
    with pytest.raises(SimrecError, match=reason) as caught:
        list(itertools.chain(source.articles(), source.picks()))
    assert "\n" not in str(caught.value)
    assert "s3cr" not in f"{caught.value!r}{caught.value.__cause__!r}"


def test_a_database_that_breaks_off_says_after_which_row(url: str) -> None:
    """What was read before is kept; the error is not a silent end."""
    if "sqlite" in url:
        query = "SELECT number AS id, 'A' AS title, abs(-9223372036854775805 - number) AS body FROM news"
    else:
        query = "SELECT i AS id, 'A' AS title, (1 / (2 - i))::text AS body FROM generate_series(1, 9) AS s(i)"
    rows = made_of(url, query=query, batch=1).articles()
    assert isinstance(next(rows), Entry)
    with pytest.raises(InputError, match=r"broke off after row 1: .*run it again"):
        list(rows)


def test_no_rows_are_a_reject(url: str) -> None:
    """A table that is empty is told, for it may be the wrong one."""
    (found,) = made_of(url, query=f"{QUERY.removesuffix(' ORDER BY number;')} WHERE 1 = 0", columns=COLUMNS).articles()
    assert isinstance(found, Reject)
    assert found.reason == "the query gives no rows"


def test_a_row_that_is_too_long_is_a_reject(url: str) -> None:
    """Its memory is bounded as every record's."""
    source = DatabaseSource(url, DatabaseSettings(query=QUERY, columns=COLUMNS), IngestSettings(max_record_mb=1))
    source.database = source.database.model_copy(
        update={"query": f"SELECT 1 AS number, 'A' AS headline, '{'x' * 1_000_001}' AS content, NULL AS day"}
    )
    (found,) = source.articles()
    assert isinstance(found, Reject)
    assert "max_record_mb" in found.reason


def test_the_url_may_be_in_the_settings_with_its_password_in_a_variable(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`simrec ingest` without a source reads the database of simrec.toml; a variable that is not set is an error."""
    (tmp_path / "site").mkdir()
    settings = f"[database]\nurl = '{url.replace('s3cr%40t', '${NEWS_PASSWORD}')}'\nquery = \"{ENDLESS} LIMIT 3\"\n"
    (tmp_path / "site/simrec.toml").write_text(settings.replace("\nSELECT i", " SELECT i"))
    monkeypatch.setenv("NEWS_PASSWORD", "s3cr@t")
    assert main(["ingest", "-w", str(tmp_path / "site")]) == 0
    assert "3 new" in capsys.readouterr().out
    if "sqlite" not in url:
        monkeypatch.delenv("NEWS_PASSWORD")
        assert main(["ingest", "-w", str(tmp_path / "site")]) == 2
        assert "variable NEWS_PASSWORD in the database's URL is not set" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("url", "error", "reason"),
    [
        ("postgresql://u:s3cr@t:x@h:port/n", UsageError, "URL cannot be read"),
        ("nosuch://u:s3cr@t@h/n", UsageError, "no kind of database 'nosuch'"),
        ("oracle://u:s3cr@t@h/n", UsageError, "driver .* not installed: pip install"),
        ("sqlite:///no/such/file.db", InputError, "no database no/such/file.db"),
        ("database:", SettingsError, "no url under .database."),
        (
            "postgresql://u:s3cr%40t@127.0.0.1:1/n",
            InputError,
            "postgresql.pg8000://u:...@127.0.0.1:1/n: .*check the URL",
        ),
    ],
)
def test_urls_that_cannot_be_used(url: str, error: type[SimrecError], reason: str) -> None:
    """One line, that shows no password."""
    with pytest.raises(error, match=reason) as caught:
        list(made_of(url, query="SELECT 1").articles())
    assert "s3cr" not in str(caught.value)


def test_a_query_is_needed() -> None:
    """Without one, the error says where to set it."""
    with pytest.raises(SettingsError, match="no query under"):
        made_of("sqlite://")


@pytest.mark.parametrize(
    ("url", "so"),
    [
        ("postgresql://me@h/n?password=s3cret&a=b", "postgresql://me@h/n?password=***&a=b"),
        ("postgresql://me:s3@cret@h/n", "postgresql://me:***@h/n"),
        ("postgresql://me:s3/cret@h/n", "postgresql://me:***@h/n"),
        ("http://me:s3cret@h/feed.xml", "http://me:***@h/feed.xml"),
        ("https://h/feed?x=1&api_key=s3cret#top", "https://h/feed?x=1&api_key=***#top"),
        ("https://h/feed?ACCESS_TOKEN=s3cret", "https://h/feed?ACCESS_TOKEN=***"),
        ("http://h:80/@author/feed", "http://h:80/@author/feed"),
        ("at https://h/a?pwd=s3cret and http://me:s3cret@i/", "at https://h/a?pwd=*** and http://me:***@i/"),
    ],
)
def test_no_url_is_shown_with_what_it_keeps_secret(url: str, so: str) -> None:
    """Neither before the host nor in the query, whatever signs a password holds; all else stays."""
    assert shown(url) == so


def test_a_password_in_the_query_is_shown_nowhere() -> None:
    """Not of a URL that was read, and not in an error of the driver's."""
    url = parse_url("postgresql://me@h/n?password=s3%20cret")
    assert "s3" not in shown(url)
    assert "s3" not in said(ValueError("no entry for me with 's3 cret' (s3%20cret, s3+cret)"), url)


def test_passwords_are_taken_out_of_what_a_driver_says() -> None:
    """As it is, and as it stands in a URL."""
    url = parse_url("postgresql://me:s3cr%40t@h/n")
    assert shown(url) == "postgresql+pg8000://me:***@h/n"
    text = said(ValueError("s3cr@t, s3cr%40t\nand postgresql://a:b@c/d"), url)
    assert text == "***, *** and postgresql://a:***@c/d"


def test_snapshots_keep_no_settings_of_databases() -> None:
    """A password in simrec.toml is not copied into the store, nor shown with the settings."""
    from simrec.pipeline.site import describe

    settings = Settings.model_validate({"database": {"url": "s3cr"}, "write_back": {"url": "s3cr"}})
    runs = Settings.model_validate({"run": {"sources": ["postgresql://u:s3cr@h/n"]}})
    assert "s3cr" not in f"{describe(settings)}{describe(runs)}{settings!r}"


def test_a_run_knows_databases_and_keeps_no_password(tmp_path: Path) -> None:
    """`database:` and URLs are no paths, and the report of a run, which is kept, shows no password."""
    from simrec.pipeline.run import _Run
    from simrec.types import no_progress

    settings = Settings.model_validate({"run": {"sources": ["database:", "postgresql://u:s3cr@h/n", "news"]}})
    workspace = Workspace.open(tmp_path, settings, create=True)
    run = _Run(workspace, [], None, no_progress)
    assert run.sources == ["database:", "postgresql://u:s3cr@h/n", str(tmp_path / "news")]
    run.begin(fresh=True)
    kept = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert kept
    assert not any(b"s3cr" in data for data in kept)


def test_a_path_of_the_settings_is_meant_from_the_workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An SQLite database's too; one that a command names, from the current folder."""
    from simrec.pipeline.ingest import ingest
    from simrec.pipeline.run import _Run
    from simrec.types import no_progress

    (tmp_path / "site").mkdir()
    with create_engine(f"sqlite:///{tmp_path}/site/cms.db").begin() as connection:
        connection.execute(text("CREATE TABLE a (id, title, body)"))
        connection.execute(text("INSERT INTO a VALUES (1, 'A', 'a')"))
    monkeypatch.chdir(tmp_path)
    values = {"url": "sqlite:///cms.db", "query": "SELECT * FROM a"}
    settings = Settings.model_validate({"database": values, "run": {"sources": ["sqlite:///cms.db", "sqlite"]}})
    workspace = Workspace.open(Path("site"), settings, create=True)
    assert ingest(workspace, ["database:"]).new == 1
    run = _Run(workspace, [], None, no_progress)
    assert ingest(workspace, run.sources[:1]).unchanged == 1
    assert run.sources[1] == "site/sqlite"
    with pytest.raises(InputError, match=r"no database cms\.db"):
        ingest(workspace, ["sqlite:///cms.db"])
    assert [one.name for one in tmp_path.iterdir()] == ["site"]


@pytest.mark.parametrize("url", ["sqlite:///file:cms.db?mode=ro&uri=true", "sqlite:///cms.db?uri=true"])
def test_uris_of_sqlite_are_refused(url: str) -> None:
    """They would go round what is checked of a path."""
    with pytest.raises(UsageError, match=r"without file: and uri: write"):
        parse_url(url)


def test_a_sqlite_database_that_is_read_is_left_as_it_is(tmp_path: Path) -> None:
    """Not a byte of it changes, and bytes that are no text are no end of the reading."""
    path = tmp_path / "a.db"
    with create_engine(f"sqlite:///{path}").begin() as connection:
        connection.execute(text("CREATE TABLE a (id, title, body)"))
        connection.execute(text("INSERT INTO a VALUES (1, 'A', CAST(x'41FF42' AS TEXT)), (2, 'B', 'b')"))
    before = path.read_bytes()
    first, second = made_of(f"sqlite:///{path}", query="SELECT * FROM a").articles()
    assert path.read_bytes() == before
    assert isinstance(first, Entry)
    assert isinstance(second, Entry)
    assert first.article.body == "A\ufffdB"
    open_database(parse_url(f"sqlite:///{path}"), read_only=True).dispose()
