"""Where articles are read from, and what becomes of a disk or a network that does not give them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from test_dataset import records, write

from simrec.errors import InputError, UsageError
from simrec.filesystems import Place, absolute, is_place
from simrec.pipeline.site import describe
from simrec.scale.faults import is_transient
from simrec.scale.ground import Ground
from simrec.scale.reading import check, survey
from simrec.settings import Settings


class Broken:
    """A stream of a disk that fails, so often.

    Args:
        stream: whose bytes it gives.
        reads: the first one that fails, from 0.
        times: how often one fails; one number for all streams.
    """

    def __init__(self, stream: Any, reads: int, times: list[int]) -> None:
        self._stream, self._reads, self._times = stream, reads, times

    def __enter__(self) -> Broken:
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def read(self, *size: int) -> bytes:
        """Fails when it is its turn."""
        self._reads -= 1
        if self._reads < 0 and self._times[0]:
            self._times[0] -= 1
            raise OSError("slow down")
        return bytes(self._stream.read(*size))


@pytest.mark.parametrize("stage", ["survey", "check"])
def test_what_the_disk_or_the_network_does_not_give_is_no_reject(
    stage: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It ends the task, by an error that another attempt may heal; what heals at once is read again."""
    source = write(tmp_path / "articles", records(60), 1, rows=20)
    ground = Ground(tmp_path / "build")
    ground.say(settings=describe(Settings()))
    monkeypatch.setattr("simrec.scale.reading.PAUSE", 0.0)
    real, times = Place.open, [99]
    monkeypatch.setattr(Place, "open", lambda place: Broken(real(place), 3 if stage == "check" else 0, times))
    pieces = [["part-0.parquet", 0, 3, 1]]

    def read() -> Any:
        folder = str(ground.folder)
        return survey(folder, str(source), ["part-0.parquet"]) if stage == "survey" else check(
            folder, 0, str(source), pieces
        )  # fmt: skip

    with pytest.raises(InputError, match=r"part-0\.parquet cannot be read: slow down; check") as raised:
        read()
    assert is_transient(raised.value)
    times[0] = 2 if stage == "check" else 0
    said = read()
    assert said.get("rejected", 0) == 0
    assert not said.get("rejects")
    assert said["rows"] == (60 if stage == "check" else 1)


def test_a_scheme_that_nobody_knows_is_no_path(tmp_path: Path) -> None:
    """All that fsspec knows are taken; a path is whole, wherever it is read."""
    pytest.importorskip("fsspec", reason="fsspec is not installed")
    with pytest.raises(UsageError, match=r"^s4://news/a: neither pyarrow nor fsspec knows s4://: name a path"):
        Place.of("s4://news/a")
    (tmp_path / "a").write_text("x", encoding="utf-8")
    assert Place.of(f"local://{tmp_path}/a").read() == b"x"
    assert all(is_place(f"{scheme}://x/y") for scheme in ("webhdfs", "abfss"))
    assert not any(is_place(f"{scheme}://x/y") for scheme in ("mysql", "sqlite"))
    assert absolute("a/b") == str(Path.cwd() / "a" / "b")
    assert absolute("S3://a/b") == "S3://a/b"
