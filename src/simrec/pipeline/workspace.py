"""A workspace: the folder of one site."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import URL

from simrec.database import parse_url
from simrec.errors import NotFoundError, SettingsError, StoreError, UsageError
from simrec.settings import Settings, load_settings
from simrec.store import Election, Store

FILE_NAME = "simrec.db"


@dataclass(frozen=True)
class Workspace:
    """A folder with `simrec.toml`, `simrec.db`, `vectors/`, `models/`, `out/`, and its settings.

    Attributes:
        path: the folder.
        settings: as its `simrec.toml` and variables have them; `store.url` takes the place of `simrec.db`.
        election: of the writer; what opens the store by this workspace writes only while its seat is held. None: it may
            write whenever it likes, as the only command at work.
    """

    path: Path
    settings: Settings
    election: Election | None = None

    @classmethod
    def open(cls, path: Path, settings: Settings | None = None, *, create: bool = False) -> Workspace:
        """Reads the settings of a workspace.

        Raises:
            NotFoundError: there is no workspace at `path`, and `create` is False.
            StoreError: the folder cannot be made.
            SettingsError: a setting cannot be used.
        """
        if create:
            try:
                path.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise StoreError(f"{path} cannot be made: {error.strerror}") from error
        elif not path.is_dir():
            raise NotFoundError(_nowhere(path))
        settings = settings or load_settings(path)
        if not (create or settings.store.url or (path / FILE_NAME).exists()):
            raise NotFoundError(_nowhere(path))
        return cls(path, _from(path, settings))

    @property
    def vectors(self) -> Path:
        """The folder of the cached vectors."""
        return self.path / "vectors"

    @property
    def learned(self) -> Path:
        """The folder of the ranker trained on the site's picks."""
        return self.path / "models" / "learned"

    @property
    def place(self) -> Path | URL:
        """Where the store is: a file in the folder, or a database.

        Raises:
            SettingsError: `store.url` is none of a database, or a variable in it is not set.
        """
        if not self.settings.store.url:
            return self.path / FILE_NAME
        try:
            return parse_url(self.settings.store.url, self.path)
        except UsageError as error:
            raise SettingsError(f"store.url: {error}") from None

    def store(self) -> Store:
        """Opens the store; close it, or use it as a context manager."""
        return Store(self.place, fence=self.election)


def _nowhere(path: Path) -> str:
    return f"{path} is no workspace: run `simrec ingest SOURCE -w {path}` first"


def _from(path: Path, settings: Settings) -> Settings:
    """Settings whose sentence model is found from any folder, where it is one of the workspace's own."""
    model = settings.sentence.model
    if Path(model).is_absolute() or not (path / model).is_dir():
        return settings
    sentence = settings.sentence.model_copy(update={"model": str((path / model).resolve())})
    return settings.model_copy(update={"sentence": sentence})
