"""simrec.toml, then SIMREC_* variables, into frozen models.

A variable names its section and setting with two underscores between: ``SIMREC_POLICY__MIN_SCORE=1.5``.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from simrec.errors import SettingsError
from simrec.files import write_whole
from simrec.house import PolicySettings
from simrec.sections import (
    KEYS,
    WRITTEN,
    BlockSettings,
    BuildSettings,
    DatabaseSettings,
    GateSettings,
    IngestSettings,
    RankSettings,
    RunSettings,
    SentenceSettings,
    ServeSettings,
    SiteSettings,
    StoreSettings,
    TfidfSettings,
    WriteBackSettings,
)

FILE_NAME = "simrec.toml"


class Settings(BaseSettings):
    """All settings of a workspace."""

    model_config = SettingsConfigDict(
        extra="forbid", frozen=True, env_prefix="SIMREC_", env_nested_delimiter="__", env_ignore_empty=True
    )

    ingest: IngestSettings = IngestSettings()
    database: DatabaseSettings = DatabaseSettings()
    write_back: WriteBackSettings = WriteBackSettings()
    tfidf: TfidfSettings = TfidfSettings()
    sentence: SentenceSettings = SentenceSettings()
    rank: RankSettings = RankSettings()
    policy: PolicySettings = PolicySettings()
    block: BlockSettings = BlockSettings()
    site: SiteSettings = SiteSettings()
    build: BuildSettings = BuildSettings()
    gate: GateSettings = GateSettings()
    run: RunSettings = RunSettings()
    store: StoreSettings = StoreSettings()
    serve: ServeSettings = ServeSettings()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Variables win over the file, whose values come as arguments."""
        del settings_cls, dotenv_settings, file_secret_settings
        return env_settings, init_settings


def load_settings(workspace: Path | None = None) -> Settings:
    """Reads the workspace's simrec.toml, where there is one, and SIMREC_* variables over it.

    Raises:
        SettingsError: the file cannot be read, or a value in it or in a variable cannot be used.
    """
    values: dict[str, Any] = {}
    path = workspace / FILE_NAME if workspace else None
    if path and path.exists():
        try:
            values = tomllib.loads(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise SettingsError(f"{path} cannot be read: {error}") from error
    return check_settings(values, str(path or "SIMREC_* variables"))


def check_settings(values: Mapping[str, Any], where: str) -> Settings:
    """The settings with these values, and SIMREC_* variables over them.

    Raises:
        SettingsError: a value cannot be used.
    """
    try:
        return Settings(**values)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        message = first["msg"].removeprefix("Value error, ")
        raise SettingsError(f"setting {name} in {where}: {message}") from error


def write_settings(workspace: Path, changes: Mapping[str, Mapping[str, Any]], comment: str = "") -> None:
    """Sets values in the workspace's simrec.toml, and leaves all else in it as it was, comments too.

    Args:
        workspace: the folder; its simrec.toml is made where there is none.
        changes: by section, values by name; None takes a setting out.
        comment: written behind each value that is set.

    Raises:
        SettingsError: the file cannot be read, or would hold a value that cannot be used; nothing is written then.
    """
    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    path = workspace / FILE_NAME
    try:
        document: Any = tomlkit.parse(path.read_text(encoding="utf-8")) if path.exists() else tomlkit.document()
    except (OSError, UnicodeDecodeError, TOMLKitError) as error:
        raise SettingsError(f"{path} cannot be read: {error}") from error
    for section, values in changes.items():
        table = document.setdefault(section, tomlkit.table())
        for name, value in values.items():
            if value is None:
                table.pop(name, None)
            else:
                table[name] = value
                if comment:
                    table[name].comment(comment)
    text = tomlkit.dumps(document)
    check_settings(tomllib.loads(text), str(path))
    write_whole(path, text.encode(), "free some space and run it again")


__all__ = [
    "FILE_NAME",
    "KEYS",
    "WRITTEN",
    "BlockSettings",
    "BuildSettings",
    "DatabaseSettings",
    "GateSettings",
    "IngestSettings",
    "PolicySettings",
    "RankSettings",
    "RunSettings",
    "SentenceSettings",
    "ServeSettings",
    "Settings",
    "SiteSettings",
    "StoreSettings",
    "TfidfSettings",
    "WriteBackSettings",
    "check_settings",
    "load_settings",
    "write_settings",
]
