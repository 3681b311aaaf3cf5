"""A workspace: the folder of one site."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from simrec.errors import NotFoundError, StoreError
from simrec.settings import Settings, load_settings
from simrec.store import Store


@dataclass(frozen=True)
class Workspace:
    """A folder with `simrec.toml`, `simrec.db`, `vectors/`, `models/`, `out/`, and its settings."""

    path: Path
    settings: Settings

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
        elif not (path / "simrec.db").exists():
            raise NotFoundError(f"{path} is no workspace: run `simrec ingest SOURCE -w {path}` first")
        return cls(path, _from(path, settings or load_settings(path)))

    @property
    def vectors(self) -> Path:
        """The folder of the cached vectors."""
        return self.path / "vectors"

    @property
    def learned(self) -> Path:
        """The folder of the ranker trained on the site's picks."""
        return self.path / "models" / "learned"

    def store(self) -> Store:
        """Opens the store; close it, or use it as a context manager."""
        return Store(self.path / "simrec.db")


def _from(path: Path, settings: Settings) -> Settings:
    """Settings whose sentence model is found from any folder, where it is one of the workspace's own."""
    model = settings.sentence.model
    if Path(model).is_absolute() or not (path / model).is_dir():
        return settings
    sentence = settings.sentence.model_copy(update={"model": str((path / model).resolve())})
    return settings.model_copy(update={"sentence": sentence})
