"""The folder that a render fills."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import quote

from simrec.errors import StoreError
from simrec.files import write_whole
from simrec.text import content_hash

MANIFEST = "index.json"
LONGEST_NAME = 200
"""Bytes of a file's name before its ending; a longer id is hashed."""


class Folder:
    """A folder with a file an article, kept free of what earlier renders left.

    Raises:
        StoreError: it cannot be made, or is not one that a render wrote.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.written = self.unchanged = self.deleted = 0
        self._names: dict[str, str] = {}
        try:
            path.mkdir(parents=True, exist_ok=True)
            self._before = set(json.loads((path / MANIFEST).read_text(encoding="utf-8"))["files"].values())
        except FileNotFoundError:
            self._before = set()
        except (OSError, ValueError, KeyError, AttributeError) as error:
            raise StoreError(f"{path} cannot be used as the output folder: {error}") from error

    def write(self, article_id: str, extension: str, text: str) -> None:
        """Writes an article's file, unless it is there already."""
        name = f"{file_name(article_id)}.{extension}"
        self._names[article_id] = name
        self._write(name, text)

    def finish(self, snapshot: int) -> None:
        """Deletes the files of articles that are gone, and writes the manifest."""
        for name in sorted(self._before - set(self._names.values())):
            if "/" not in name and name != MANIFEST:
                (self.path / name).unlink(missing_ok=True)
                self.deleted += 1
        manifest = {"snapshot": snapshot, "files": dict(sorted(self._names.items()))}
        written, unchanged = self.written, self.unchanged
        self._write(MANIFEST, json.dumps(manifest, ensure_ascii=False, indent=1) + "\n")
        self.written, self.unchanged = written, unchanged

    def _write(self, name: str, text: str) -> None:
        path, data = self.path / name, text.encode("utf-8", "replace")
        if path.is_file() and path.read_bytes() == data:
            self.unchanged += 1
        else:
            write_whole(path, data, "free some space or choose another folder with --out")
            self.written += 1


def file_name(article_id: str) -> str:
    """A file's name for an article's id: readable, and safe whatever the id holds.

    >>> file_name("news/2024/bridge"), file_name("..")
    ('news%2F2024%2Fbridge', '%2E%2E')
    """
    name = quote(article_id, safe="")
    if name.startswith("."):
        name = name.replace(".", "%2E")
    return name if len(name) <= LONGEST_NAME else f"{name[:100]}-{content_hash(article_id)[:16]}"
