"""Sources on the web: what a URL that the user gives leads to, fetched within limits, to a file that goes again."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import unquote, urlsplit
from urllib.request import (
    HTTPDefaultErrorHandler,
    HTTPErrorProcessor,
    HTTPHandler,
    HTTPRedirectHandler,
    HTTPSHandler,
    OpenerDirector,
    ProxyHandler,
    Request,
)

from simrec import __version__
from simrec.database import shown
from simrec.errors import InputError
from simrec.ingest.source import MEGABYTE, WHOLE_FILE_RECORDS, SourceFile
from simrec.ingest.walk import walk
from simrec.settings import IngestSettings
from simrec.types import Reject

SECONDS = 60.0
"""For all of a fetch, redirects included."""
REDIRECTS = 5
SILENCE = 20.0
"""Seconds without a byte after which a server is given up."""
CHUNK_BYTES = 1 << 16
EXTENSIONS = {
    "application/json": ".json",
    "application/feed+json": ".json",
    "application/xml": ".xml",
    "text/xml": ".xml",
    "application/rss+xml": ".xml",
    "application/atom+xml": ".xml",
    "text/html": ".html",
    "text/csv": ".csv",
    "application/gzip": ".gz",
    "application/zip": ".zip",
}
"""What a file is called whose address has no extension, by its media type."""

_URL = re.compile(r"https?://", re.IGNORECASE)
_EXTENSION = re.compile(r"\.[a-z]\w{1,7}$", re.IGNORECASE)


def is_url(source: str | Path) -> bool:
    """Whether a source is to be fetched.

    >>> is_url("https://example.org/feed"), is_url("news/feed.xml"), is_url("file:///etc/hosts")
    (True, False, False)
    """
    return isinstance(source, str) and _URL.match(source) is not None


def fetched(url: str, settings: IngestSettings, *, seconds: float = SECONDS) -> Iterator[SourceFile | Reject]:
    """What a URL leads to: one file, or the files of an archive. It is gone when the iterator is closed.

    Args:
        url: http or https; so is every redirect, of which there are at most five.
        settings: a file may be sixteen times as long as `max_record_mb`.
        seconds: for all of it.

    Raises:
        InputError: it cannot be fetched, takes too long, or is too large.
    """
    with _downloaded(url, settings.max_record_mb * MEGABYTE * WHOLE_FILE_RECORDS, seconds) as path:
        for found in walk(path, settings):
            named = replace(found, file=shown(url) + found.file.removeprefix(path.name))
            if isinstance(named, SourceFile) and named.path == path.name:
                named = replace(named, path=_path(url, path.name))
            yield named


def _path(url: str, name: str) -> str:
    """The path in the site, with the extension of the file."""
    folder = PurePosixPath(unquote(urlsplit(url).path).strip("/")).parent.as_posix()
    return name if folder == "." else f"{folder}/{name}"


@contextmanager
def _downloaded(url: str, max_bytes: int, seconds: float) -> Iterator[Path]:
    """A file with what the URL leads to, for as long as it is needed."""
    outcome: list[Path | Exception] = []
    with TemporaryDirectory(prefix="simrec-", ignore_cleanup_errors=True) as folder:

        def work() -> None:
            try:
                outcome.append(_download(url, Path(folder), max_bytes, time.monotonic() + seconds))
            except Exception as error:  # it is raised where somebody waits for it
                outcome.append(error)

        # In a thread: a server that sends a byte now and then can hold up a connection for ever.
        thread = threading.Thread(target=work, name="fetch", daemon=True)
        thread.start()
        thread.join(seconds)
        found = outcome[0] if outcome else TimeoutError()
        if isinstance(found, Exception):
            raise InputError(f"{shown(url)} cannot be fetched: {_reason(found, seconds)}") from found
        yield found


def _reason(error: Exception, seconds: float) -> str:
    """Why a fetch failed, and what to do."""
    cause = error.reason if isinstance(error, URLError) and not isinstance(error, HTTPError) else error
    if isinstance(cause, TimeoutError):
        return f"it takes longer than {seconds:g} seconds: try again, or download it and name the file"
    if isinstance(cause, HTTPError):
        return f"{cause.code} {' '.join(str(cause.reason).split())}: check the address"
    if isinstance(cause, InputError):
        return str(cause)
    words = " ".join(str(cause).split())[:200] or type(cause).__name__
    return f"{shown(words)}: check the address and the network"


def _download(url: str, folder: Path, max_bytes: int, until: float) -> Path:
    # S310: `_checked` lets http and https through, and nothing else
    request = Request(_checked(url), headers={"User-Agent": f"simrec/{__version__}", "Accept-Encoding": "identity"})  # noqa: S310
    try:
        response = _opener().open(request, timeout=min(SILENCE, max(until - time.monotonic(), 0.01)))
    except HTTPError as error:
        error.close()
        raise
    if response is None:
        raise InputError("it cannot be opened: use http or https")
    size = 0
    with response:
        path = folder / _name(url, response)
        with path.open("wb") as file:
            while chunk := response.read1(CHUNK_BYTES):
                size += len(chunk)
                if size > max_bytes:
                    raise InputError(f"longer than {max_bytes / MEGABYTE:g} MB: download it, and name the file")
                if time.monotonic() > until:
                    raise TimeoutError
                file.write(chunk)
        if response.length:
            raise InputError("the server stopped in the middle: try again")
    return path


def _checked(url: str) -> str:
    """The URL, in ASCII, where it is one of http or https with a host."""
    try:
        parts = urlsplit(url)
        ok = parts.scheme.lower() in ("http", "https") and parts.hostname and (parts.port or 1) and url.isprintable()
    except ValueError:
        ok = False
    if not ok:
        raise InputError("not an http or https URL with a host: correct it")
    return re.sub(r"[^\x21-\x7e]", lambda found: "".join(f"%{byte:02X}" for byte in found[0].encode()), url)


def _name(url: str, response: Any) -> str:
    """What the file is called: as in its address, with an extension of its media type where it has none."""
    last = re.sub(r"[^\w.-]", "_", PurePosixPath(unquote(urlsplit(url).path)).name)[-80:].lstrip(".") or "index"
    extension = EXTENSIONS.get(response.headers.get_content_type(), "")
    name = last if _EXTENSION.search(last) else last + extension
    packed = response.headers.get("Content-Encoding", "").lower() == "gzip"
    return f"{name}.gz" if packed and not name.endswith(".gz") else name


class _Redirects(HTTPRedirectHandler):
    """Follows a few redirects, to http and https only."""

    max_redirections = REDIRECTS

    def redirect_request(self, req: Any, fp: Any, code: Any, msg: Any, headers: Any, newurl: Any) -> Any:
        """The request that follows a redirect."""
        try:
            _checked(newurl)
        except InputError:
            fp.close()
            raise
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _opener() -> OpenerDirector:
    """An opener that knows no files, data or other schemes."""
    opener = OpenerDirector()
    for handler in (ProxyHandler, HTTPHandler, HTTPSHandler, HTTPDefaultErrorHandler, HTTPErrorProcessor, _Redirects):
        opener.add_handler(handler())
    return opener
