"""Makes a workspace of LibreOffice's help, with its "Related Topics" boxes as editors' picks.

    python data/prepare_libreoffice_help.py SOURCE --workspace DIR [--lang LANG]

SOURCE is the Debian package (libreoffice-help-en-us_….deb, or that of any other language) or a folder of the installed
help, such as /usr/share/libreoffice/help. The pages are under the MPL 2.0: see LICENCES.md beside this file.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tarfile
from collections.abc import Iterator
from dataclasses import asdict
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from simrec.cli.progress import progress
from simrec.errors import InputError, SimrecError, UsageError
from simrec.pipeline.ingest import ingest
from simrec.pipeline.workspace import Workspace

SELECTOR = "div.relatedtopics a"
SETTINGS = f'# LibreOffice help\n[ingest]\npicks_selector = "{SELECTOR}"\n'
AR_MAGIC = b"!<arch>\n"
AR_HEADER = 60
NOT_ARTICLES = frozenset({"index.html", "search.html", "noscript.html", "langnames.html"})


def main() -> int:
    """Unpacks the pages of one language and ingests them."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument(
        "source", type=Path, metavar="SOURCE", help="the Debian package, or a folder of the installed help"
    )
    parser.add_argument("--workspace", "-w", type=Path, required=True, metavar="DIR", help="the workspace to make")
    parser.add_argument("--lang", metavar="LANG", help="such as en-US; needed where SOURCE has more than one language")
    parser.add_argument("--json", action="store_true", help="print one JSON object, and nothing else")
    options = parser.parse_args()
    try:
        found = prepare(options.source, options.workspace, options.lang)
    except (SimrecError, OSError) as error:
        print(f"prepare_libreoffice_help: {error}", file=sys.stderr)
        return 2 if isinstance(error, UsageError) else 1
    if options.json:
        print(json.dumps(found, ensure_ascii=False, indent=1))
    else:
        print(
            f"{found['new']} new articles, {found['picks']} picks, {found['rejected']} rejected, in {options.workspace}"
        )
    return 0


def prepare(source: Path, workspace: Path, lang: str | None = None) -> dict[str, object]:
    """Copies one language's pages to `pages/` in the workspace, and ingests them; returns the ingest's counts.

    Raises:
        InputError: the source is neither a Debian package nor a folder, or holds no help.
        UsageError: it holds several languages, and `lang` names none of them.
    """
    pages = dict(_pages_of_package(source) if source.is_file() else _pages_of_folder(source))
    languages = sorted({PurePosixPath(name).parts[0] for name in pages})
    if not languages:
        raise InputError(f"no page of LibreOffice's help in {source}: name the package, or the folder of the help")
    if lang is None and len(languages) > 1:
        raise UsageError(f"{source} has the languages {', '.join(languages)}: choose one with --lang")
    chosen = lang or languages[0]
    if chosen not in languages:
        raise UsageError(f"{source} has no language {chosen!r}, only {', '.join(languages)}")
    folder = workspace / "pages"
    shutil.rmtree(folder, ignore_errors=True)
    for name, data in pages.items():
        if name.startswith(f"{chosen}/"):
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
    if not (workspace / "simrec.toml").exists():
        (workspace / "simrec.toml").write_text(SETTINGS, encoding="utf-8")
    return asdict(ingest(Workspace.open(workspace, create=True), [folder], progress=progress()))


def _pages_of_folder(source: Path) -> Iterator[tuple[str, bytes]]:
    if not source.is_dir():
        raise InputError(f"no file or folder {source}: name the Debian package, or the folder of the help")
    for path in sorted(source.rglob("*.html")):
        name = _page_name(path.absolute().as_posix())
        if name:
            yield name, path.read_bytes()


def _pages_of_package(source: Path) -> Iterator[tuple[str, bytes]]:
    try:
        with tarfile.open(fileobj=BytesIO(_data_member(source))) as archive:
            for member in archive:
                name = _page_name(member.name) if member.isfile() else None
                file = archive.extractfile(member) if name else None
                if name and file:
                    yield name, file.read()
    except (tarfile.TarError, EOFError) as error:
        raise InputError(f"{source} is damaged: {error}; download it again") from error


def _data_member(source: Path) -> bytes:
    """The package's data archive: a Debian package is an `ar` file of three members."""
    with source.open("rb") as file:
        if file.read(len(AR_MAGIC)) != AR_MAGIC:
            raise InputError(f"{source} is no Debian package: name one, or the folder of the help")
        while name_and_size := _member(file):
            name, size = name_and_size
            if name.startswith("data.tar"):
                return file.read(size)
            file.seek(size + size % 2, 1)
    raise InputError(f"{source} holds no files; download it again")


def _member(file: BinaryIO) -> tuple[str, int] | None:
    header = file.read(AR_HEADER)
    if len(header) < AR_HEADER:
        return None
    return header[:16].decode("ascii", "replace").strip().rstrip("/"), int(header[48:58])


def _page_name(path: str) -> str | None:
    """`en-US/text/swriter/main.html` of a path in the help; None for what is no page of it."""
    parts = PurePosixPath(path).parts
    if not path.endswith(".html") or parts[-1] in NOT_ARTICLES or "text" not in parts[1:-1]:
        return None
    start = parts.index("text", 1) - 1
    name = PurePosixPath(*parts[start:])
    return None if ".." in name.parts else name.as_posix()


if __name__ == "__main__":
    raise SystemExit(main())
