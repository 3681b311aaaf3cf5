"""The folder that a render fills."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

from simrec.block.formats import SITE_FILES
from simrec.block.jsons import encoded
from simrec.errors import StoreError
from simrec.files import write_whole
from simrec.text import content_hash

MANIFEST = "index.json"
ADVICE = "free some space or choose another folder with --out"
LONGEST_NAME = 200
"""Bytes of a file's name before its ending; a longer id is hashed."""


class Folder:
    """A folder with a file an article, kept free of what earlier renders left.

    Args:
        path: of the folder.
        format: of its pages; the folder is of no other, for each would delete the other's files.
        extension: of its pages' files.

    Raises:
        StoreError: it cannot be made, is not one that a render wrote, or holds pages in another format.
    """

    def __init__(self, path: Path, format: str, extension: str) -> None:
        self.path = path
        self.format = format
        self.written = self.unchanged = self.deleted = 0
        self._names: dict[str, str] = {}
        self._others: set[str] = set()
        try:
            path.mkdir(parents=True, exist_ok=True)
            manifest = json.loads((path / MANIFEST).read_text(encoding="utf-8"))
            pages = set(manifest["files"].values())
            self._before = {*pages, *manifest.get("others", ())}
        except FileNotFoundError:
            self._before = set()
            return
        except (OSError, ValueError, KeyError, AttributeError) as error:
            raise StoreError(f"{path} cannot be used as the output folder: {error}") from error
        other = manifest.get("format", format)
        if other != format or not all(name.endswith(f".{extension}") for name in pages):
            held = f"holds pages in {other}" if other != format else "holds pages in another format"
            raise StoreError(f"{path} {held}, which {format} would delete: choose another folder for {format}")

    def write(self, article_id: str, extension: str, text: str) -> None:
        """Writes an article's file, unless it is there already."""
        name = _free(f"{file_name(article_id)}.{extension}")
        self._names[article_id] = name
        self._write(name, encoded(text))

    def add(self, name: str, data: bytes) -> None:
        """Writes a file that belongs to no article, unless it is there already."""
        self._others.add(name)
        self._write(name, data)

    def finish(self, snapshot: int) -> None:
        """Deletes the files of articles that are gone, and writes the manifest."""
        for name in sorted(self._before - self._others - set(self._names.values())):
            if "/" not in name and name != MANIFEST:
                (self.path / name).unlink(missing_ok=True)
                self.deleted += 1
        manifest: dict[str, Any] = {
            "snapshot": snapshot,
            "format": self.format,
            "files": dict(sorted(self._names.items())),
        }
        if self._others:
            manifest["others"] = sorted(self._others)
        written, unchanged = self.written, self.unchanged
        self._write(MANIFEST, encoded(json.dumps(manifest, ensure_ascii=False, indent=1) + "\n"))
        self.written, self.unchanged = written, unchanged

    def _write(self, name: str, data: bytes) -> None:
        path = self.path / name
        if path.is_file() and path.read_bytes() == data:
            self.unchanged += 1
        else:
            write_whole(path, data, ADVICE)
            self.written += 1


def file_name(article_id: str) -> str:
    """A file's name for an article's id: readable, and safe whatever the id holds.

    >>> file_name("news/2024/bridge"), file_name("..")
    ('news%2F2024%2Fbridge', '%2E%2E')
    """
    name = quote(article_id, safe="", errors="surrogatepass")
    if name.startswith("."):
        name = name.replace(".", "%2E")
    return name if len(name) <= LONGEST_NAME else f"{name[:100]}-{content_hash(article_id)[:16]}"


def _free(name: str) -> str:
    """A name that no file for the whole site has: an article may be called "index"."""
    return f"%{ord(name[0]):02X}{name[1:]}" if name == MANIFEST or name in SITE_FILES else name
