"""Pages looked at for the desk, in a process of its own."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from simrec.errors import NotFoundError
from simrec.pipeline.acts import Desk
from simrec.pipeline.look import Looks
from simrec.pipeline.workspace import Workspace
from simrec.serve import beside, looking, private


@pytest.fixture
def site(town_built: Path, tmp_path: Path) -> Workspace:
    """A copy of the town, a day of news in it, and under one page a pin and a ban."""
    shutil.copytree(town_built, tmp_path / "site")
    with (tmp_path / "site" / "simrec.toml").open("a", encoding="utf-8") as file:
        file.write('\n[serve]\ndesk_models = ["tfidf"]\n')
    workspace = Workspace.open(tmp_path / "site")
    desk = Desk(workspace, None)
    desk.act("Ada", "pin", "t000", "t005")
    desk.act("Ada", "ban", "t000", "t004")
    return workspace


@pytest.fixture
def listening(site: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[looking.Looking]:
    """One that looks, over a socket."""
    monkeypatch.setenv(private.LOOKS, str(tmp_path / "looks"))
    one = looking.Looking(site)
    with private.listening(private.LOOKS, one.answer):
        yield one


@pytest.mark.usefixtures("listening")
def test_a_look_comes_over_as_it_is(site: Workspace) -> None:
    """A page, its candidates and each model's block are the same; so is what is wrong with a page."""
    asked = looking.LooksApart()
    with Looks(site) as looks:
        for page in ("t000", "t001"):
            assert asked.page(page, ["t008", "t005"]) == looks.page(page, ["t008", "t005"])
            assert asked.blocks("tfidf", page) == looks.blocks("tfidf", page)
        found = asked.page("t000", ["t008", "t005"])
    assert {one.state for one in found.candidates} == {"shown", "pinned", "banned", "candidate", "barred"}
    assert any(one.published_at for one in found.candidates)
    with pytest.raises(NotFoundError, match="no article 'nope'"):
        asked.page("nope", [])


def test_who_has_looked_for_nobody_for_long_rests(
    site: Workspace, listening: looking.Looking, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not while somebody waits for a look, nor where nothing was loaded."""
    monkeypatch.setattr(looking, "IDLE", 0.0)
    assert not listening.has_rested()
    asked = looking.LooksApart()
    monkeypatch.setattr(Looks, "blocks", lambda *_: [str(listening.has_rested())])
    assert asked.blocks("tfidf", "t000") == ["False"]
    assert listening.has_rested()
    monkeypatch.setattr(looking, "IDLE", 600.0)
    assert not listening.has_rested()


def test_it_ends_with_its_input_and_what_is_large_is_not_read_before(site: Workspace, tmp_path: Path) -> None:
    """A process that waits is small; whoever asks after its end is told to ask again."""
    code = "import sys; import simrec.serve.looking as one; print(sorted({'torch', 'numba', 'scipy'} & {*sys.modules}))"
    given = {**os.environ, beside.FOLDER: str(site.path), private.LOOKS: str(tmp_path / "looks")}
    found = subprocess.run(
        [sys.executable, "-c", f"{code}; one.main()"], env=given, input="", capture_output=True, text=True
    )
    assert (found.returncode, json.loads(found.stdout.replace("'", '"'))) == (0, [])


def test_without_such_a_process_it_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where it does not answer in its time, or the service is over."""
    monkeypatch.setattr(looking, "SECONDS", 0.05)
    with pytest.raises(looking.UnavailableError, match="the service ends: try again"):
        looking.LooksApart().blocks("tfidf", "t000")
    monkeypatch.setenv(private.LOOKS, str(tmp_path / "looks"))
    with pytest.raises(looking.UnavailableError, match="cannot be looked at now, there is no answer after"):
        looking.LooksApart().blocks("tfidf", "t000")


def test_sockets_have_short_names_wherever_files_for_the_moment_are(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A name of over a hundred bytes is none that a socket could have."""
    (tmp_path / ("long" * 30)).mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / ("long" * 30)))
    with beside._folder() as folder:
        assert len(folder) < 80
        with socket.socket(socket.AF_UNIX) as one:
            one.bind(f"{folder}/{private.DRAFTS.lower()}")


def test_who_ends_over_a_look_is_asked_twice_and_no_more(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As where its models are larger than the memory; and nobody waits for a socket that is there no more."""
    monkeypatch.setattr(private, "AGAIN", 0.01)
    monkeypatch.setenv(private.LOOKS, str(tmp_path / "looks"))
    taken = []

    def end() -> None:
        with socket.socket(socket.AF_UNIX) as one:
            one.bind(str(tmp_path / "looks"))
            one.listen()
            for _ in range(2):
                taken.append(one.accept()[0].close())
        Path(tmp_path / "looks").unlink()

    ending = threading.Thread(target=end)
    ending.start()
    while not (tmp_path / "looks").exists():
        time.sleep(0.01)
    with pytest.raises(looking.UnavailableError, match="has ended before it answered"):
        looking.LooksApart().blocks("tfidf", "t000")
    ending.join()
    assert len(taken) == 2
    threading.Timer(0.1, monkeypatch.delenv, [private.LOOKS]).start()
    before = time.monotonic()
    with pytest.raises(looking.UnavailableError, match="the service ends"):
        looking.LooksApart().blocks("tfidf", "t000")
    assert time.monotonic() - before < 10


def test_where_nobody_looks_for_the_desk_no_socket_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that is begun with a desk later then looks by itself."""
    begun: list[str] = []

    class Kept:
        def __init__(self, module: str, *_: object) -> None:
            begun.append(module)

        def close(self) -> None:
            pass

    monkeypatch.setattr(beside, "_Kept", Kept)
    for desk, modules in ((False, ["simrec.serve.apart"]), (True, ["simrec.serve.apart", "simrec.serve.looking"])):
        begun.clear()
        with beside.Beside(desk=desk):
            assert sorted(begun) == modules
            assert private.DRAFTS in os.environ
            assert (private.LOOKS in os.environ) == desk
        assert not {private.DRAFTS, private.LOOKS} & {*os.environ}


def test_a_process_that_cannot_be_started_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is no memory for a moment."""
    monkeypatch.setattr(beside, "REST", 0.01)
    real, tries = beside._Kept._started, list[str]()

    def started(kept: beside._Kept) -> subprocess.Popen[bytes]:
        tries.append("")
        if len(tries) == 2:
            raise OSError(12, "Cannot allocate memory")
        return real(kept)

    monkeypatch.setattr(beside._Kept, "_started", started)
    kept = beside._Kept("this", "who prints")  # ends with its input
    kept._end()
    until = time.monotonic() + 20
    while len(tries) < 3 and time.monotonic() < until:
        time.sleep(0.01)
    assert len(tries) >= 3
    kept.close()
