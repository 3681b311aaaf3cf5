"""What all tests share: no network, and no settings from the machine."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def _offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reaches a network, or sees variables of the shell that runs it."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    for name in ("SIMREC_WORKSPACE", "SIMREC_DEBUG"):
        monkeypatch.delenv(name, raising=False)
