"""Lines of a file, each bounded: a line that is too long is measured and passed over, never held."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from simrec.ingest.source import MEGABYTE

BOM = b"\xef\xbb\xbf"
UTF16_BOMS = (b"\xff\xfe", b"\xfe\xff")


class Line(NamedTuple):
    """A line: its number from 1, its bytes with the line end (None where it is too long), and its size in bytes."""

    number: int
    data: bytes | None
    size: int


def read_lines(stream: BinaryIO, max_bytes: int) -> Iterator[Line]:
    """The lines of a file. A byte order mark is dropped.

    >>> import io
    >>> [line.size for line in read_lines(io.BytesIO(b"one\\n" + b"x" * 50 + b"\\ntwo"), 10)]
    [4, 51, 3]
    """
    number = 0
    while data := stream.readline(max_bytes + 1):
        number += 1
        if number == 1:
            data = data.removeprefix(BOM)
        if len(data) <= max_bytes or data.endswith(b"\n"):
            yield Line(number, data, len(data))
        else:
            yield Line(number, None, len(data) + _pass_over(stream))


def _pass_over(stream: BinaryIO) -> int:
    """Reads to the end of the line, and returns the bytes read."""
    size = 0
    while part := stream.readline(1 << 20):
        size += len(part)
        if part.endswith(b"\n"):
            break
    return size


def too_long(size: int, max_bytes: int) -> str:
    """The reason for a reject of a record of `size` bytes."""
    return (
        f"the record is {size / MEGABYTE:.1f} MB, longer than {max_bytes / MEGABYTE:g} MB: shorten it, or raise "
        "max_record_mb under [ingest]"
    )
