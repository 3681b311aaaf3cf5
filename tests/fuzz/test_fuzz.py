"""Every reader, with damaged files: nothing crashes, hangs or floods, and what comes in is stored or rejected.

SIMREC_FUZZ says how many inputs (1,000 unless set), SIMREC_FUZZ_START from which number on, and SIMREC_FUZZ_ONLY
repeats one: NAME:NUMBER, as a failure prints it.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import sys
import tracemalloc
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from fuzz_mutate import mutated
from fuzz_seeds import ARCHIVE_SEEDS, DATABASE, DATABASE_SEEDS, PICK_SEEDS, SEEDS, TABLE, Seed, as_database
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from simrec.errors import SimrecError
from simrec.ingest import FORMATS, read, read_picks
from simrec.ingest.database import DatabaseSource
from simrec.pipeline.ingest import ingest
from simrec.pipeline.workspace import Workspace
from simrec.settings import DatabaseSettings, IngestSettings, Settings
from simrec.types import Entry, PickEntry, Reject

INPUTS = int(os.environ.get("SIMREC_FUZZ") or 1000)
START = int(os.environ.get("SIMREC_FUZZ_START") or 0)
ONLY = os.environ.get("SIMREC_FUZZ_ONLY", "")

SETTINGS = IngestSettings(max_record_mb=1)
QUERIED = DatabaseSettings(query="SELECT * FROM articles")
SECONDS = 5.0
"""Of processor time, an input."""
MEMORY = 100_000_000
"""Bytes more than before, an input; they are of some kilobytes."""
TRACED = 13
STORED = 13
"""Each of that many inputs is looked at for the memory of Python's objects, and goes into a store."""
NOT_FILES: dict[str, str] = {}
"""Formats that are read from no file, with the reason."""

CASES = {**SEEDS, "picks": PICK_SEEDS, "archive": ARCHIVE_SEEDS, DATABASE: DATABASE_SEEDS}
BINARY = frozenset(("parquet", "archive", DATABASE))
MUTATED = INPUTS * 4 // 5
"""The rest is for Hypothesis."""
RSS_UNIT = 1 if sys.platform == "darwin" else 1024
PICK_REASON = "pick "
"""How the reason begins of a link that leads nowhere: it is counted beside the records."""


class Hang(BaseException):
    """An input took too long; no reader's `except Exception` hides it."""


@contextmanager
def limits(*, traced: bool) -> Iterator[None]:
    """Fails where what is done within takes too much time or memory."""

    def stop(*unused: object) -> None:
        raise Hang(f"more than {SECONDS} s of processor time")

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * RSS_UNIT
    previous = signal.signal(signal.SIGPROF, stop)
    if traced:
        tracemalloc.start()
    signal.setitimer(signal.ITIMER_PROF, SECONDS * (4 if traced else 1))
    try:
        yield
        peak = tracemalloc.get_traced_memory()[1] if traced else 0
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, previous)
        if traced:
            tracemalloc.stop()
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * RSS_UNIT
    grown = max(peak, after - before)
    assert grown < MEMORY, f"{grown / 1e6:.0f} MB for one input"


def found_in(path: Path, seed: Seed) -> list[Entry | PickEntry | Reject]:
    """What a reader finds in a file; none of it may be anything but an entry or a reject with a reason on one line."""
    found: list[Entry | PickEntry | Reject] = []
    refused = ""
    try:
        if seed.format == DATABASE:
            found += DatabaseSource(f"sqlite:///{path}", QUERIED, SETTINGS).articles()
        else:
            found += read_picks(path) if seed in PICK_SEEDS else read([path], SETTINGS, format=seed.format)
    except SimrecError as error:
        refused = str(error) or "an error without words"
    whole = seed in PICK_SEEDS or seed.format == DATABASE
    assert whole or not refused, f"only a table of picks and a database may be refused as a whole: {refused}"
    for reason in [refused, *(item.reason for item in found if isinstance(item, Reject))]:
        assert len(reason) < 1000, "a reason that is no line"
        assert "\n" not in reason, "a reason of several lines"
        reason.encode()
    return found


def check(data: bytes, seed: Seed, folder: Path, number: int) -> None:
    """The properties, for one input."""
    path = folder / seed.name
    path.write_bytes(data)
    with limits(traced=number % TRACED == 0):
        found = found_in(path, seed)
    if number % STORED == 1 and seed not in PICK_SEEDS and seed.format != DATABASE:
        check_store(path, seed, folder / f"site-{number}", found)


def check_store(path: Path, seed: Seed, site: Path, found: list[Entry | PickEntry | Reject]) -> None:
    """What came in is stored or rejected, and a second time nothing is new."""
    workspace = Workspace.open(site, Settings(ingest=SETTINGS), create=True)
    report = ingest(workspace, [path], format=seed.format)
    again = ingest(workspace, [path], format=seed.format)
    with workspace.store() as store:
        stored = len(store.articles())
        of_picks = sum(reject.reason.startswith(PICK_REASON) for reject in store.rejects())
    came = len(found) + of_picks
    assert report.new + report.changed + report.unchanged + report.rejected == came, "something got lost"
    assert stored == report.new
    assert (again.new, again.changed) == (0, 0)
    assert again.unchanged + again.rejected == came


@pytest.fixture(scope="module", autouse=True)
def _warm(tmp_path_factory: pytest.TempPathFactory) -> None:
    """What readers load at first use counts for no input; and every seed is valid."""
    folder = tmp_path_factory.mktemp("warm")
    for name, seeds in CASES.items():
        for seed in seeds:
            (folder / seed.name).write_bytes(seed.data)
            found = found_in(folder / seed.name, seed)
            assert found, f"the seed {seed.name} of {name} holds nothing"
            bad = [item for item in found if isinstance(item, Reject)]
            assert not bad, f"the seed {seed.name} of {name} is not valid: {bad[0].reason}"


def test_every_format_has_a_seed() -> None:
    """A new row of the table of formats is fuzzed, or is no file."""
    assert set(FORMATS) - set(NOT_FILES) == set(SEEDS), "add a valid file of the new format to fuzz_seeds.SEEDS"


@pytest.mark.parametrize("name", CASES)
def test_damaged_files_become_entries_and_rejects(name: str, tmp_path: Path) -> None:
    """Whatever is damaged in them, within five seconds and in bounded memory."""
    count = -(-MUTATED // len(CASES))
    numbers = range(START, START + count)
    if ONLY:
        only, _, number = ONLY.partition(":")
        numbers = range(int(number), int(number) + 1) if only == name else range(0)
    seeds = CASES[name]
    every = [seed.data for one in CASES.values() for seed in one]
    for number in numbers:
        seed = seeds[number % len(seeds)]
        data = mutated(seed.data, every[number % len(every)], number, binary=name in BINARY)
        try:
            check(data, seed, tmp_path, number)
        except BaseException as error:  # a time limit is one, and is a failure as any other
            error.add_note(f"repeat it with SIMREC_FUZZ_ONLY={name}:{number} make fuzz")
            raise


KEYS = ("id", "uri", "title", "headline", "headlines", "body", "bodies", "value", "html", "lexical", "posts", "data",
        "db", "meta", "items", "tags", "authors", "name", "url", "image", "status", "type", "published_at",
        "associations", "renditions", "href", "width", "content_html", "language", "role", "sort_order", "post_id",
        "tag_id", "users", "posts_tags", "version", "root", "children", "text", "sections", "cards", "articles",
        "rank")  # fmt: skip
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=20),
    st.sampled_from(("published", "2026-03-01")),
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=6)
)
TAGS = ("rss", "channel", "item", "title", "link", "guid", "description", "urlset", "url", "loc", "feed", "entry", "id",
        "content", "category", "html", "body", "p", "a", "h1", "table", "li")  # fmt: skip
ELEMENTS = st.recursive(
    st.text(max_size=20).map(lambda text: text.replace("<", "&lt;")),
    lambda inner: st.builds(
        lambda tag, children: f"<{tag}>{''.join(children)}</{tag}>", st.sampled_from(TAGS), st.lists(inner, max_size=5)
    ),
)
CELLS = st.one_of(
    st.none(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(),
    st.text(max_size=20),
    st.binary(max_size=20),
    st.sampled_from(("published", "2026-03-01", '["a"]')),
)
ROWS = st.lists(st.lists(CELLS, min_size=len(TABLE), max_size=len(TABLE)), max_size=3)
BY_HYPOTHESIS = st.one_of(
    st.tuples(
        st.sampled_from(("jsonl", "ghost", "ninjs", "feed")), VALUES.map(lambda value: json.dumps(value).encode())
    ),
    st.tuples(
        st.sampled_from(("wordpress", "sitemap", "feed", "html")),
        st.builds(
            lambda root, inner: f"<{root}>{''.join(inner)}</{root}>".encode("utf-8", "surrogatepass"),
            st.sampled_from(("rss", "urlset", "feed", "html")),
            st.lists(ELEMENTS, max_size=4),
        ),
    ),
    st.tuples(st.sampled_from(tuple(SEEDS)), st.binary(max_size=200)),
    st.tuples(st.just(DATABASE), ROWS.map(as_database)),
    st.tuples(
        st.sampled_from(("csv", "page", "html")),
        st.text(max_size=300).map(lambda text: text.encode("utf-8", "replace")),
    ),
)


@pytest.mark.skipif(bool(ONLY), reason="one input is repeated")
@settings(
    max_examples=INPUTS - MUTATED, deadline=None, derandomize=True, database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)  # fmt: skip
@given(case=BY_HYPOTHESIS)
def test_any_structure_becomes_entries_and_rejects(
    tmp_path_factory: pytest.TempPathFactory, case: tuple[str, bytes]
) -> None:
    """JSON and XML of any structure with the formats' own names, rows of any values, and bytes of any kind."""
    name, data = case
    seed, number = CASES[name][0]._replace(format=name), zlib.crc32(data)  # the same input is looked at in the same way
    folder = tmp_path_factory.getbasetemp() / "structures"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    check(data, seed, folder, number)
