"""Examples of what routes that change the site answer, for OpenAPI."""

from __future__ import annotations

from typing import Any

from pydantic import ConfigDict

_ACT: dict[str, Any] = {
    "id": 42,
    "at": "2026-03-02T09:15:00+00:00",
    "who": "Ines Calder",
    "action": "pin",
    "source_id": "mill-bridge-closed",
    "target_id": "mill-bridge-fund",
    "before": {"pins": [], "bans": [], "accepted": []},
    "after": {"pins": ["mill-bridge-fund"], "bans": [], "accepted": []},
    "undoes": None,
    "undone_by": None,
    "note": None,
    "said": None,
}
_PAGE: dict[str, Any] = {
    "source_id": "mill-bridge-closed", "version": 42, "pins": ["mill-bridge-fund"], "bans": [], "accepted": [],
}  # fmt: skip
_SNAPSHOT: dict[str, Any] = {
    "snapshot": 12, "state": "active", "created_at": "2026-03-02T03:00:12+00:00",
    "changed_at": "2026-03-02T09:15:00+00:00", "model": "hybrid", "k": 5, "articles": 163, "blocks": 155, "revision": 7,
    "parent": 11, "refused": None, "figures": {"empty": 0.01, "coverage": 0.87},
}  # fmt: skip
EXAMPLES: dict[str, Any] = {
    "Page": _PAGE,
    "DoneOut": {"act": _ACT, "state": _PAGE, "blocks": ["mill-bridge-closed"], "waiting": False},
    "Log": {"acts": [_ACT], "next": 17},
    "Picks": {
        "picks": [
            {
                "target_id": "mill-bridge-fund", "rank": 1, "grade": 1.0, "origin": "pin", "who": "Ines Calder",
                "at": "2026-03-02T09:15:00+00:00",
            }
        ]
    },
    "SnapshotOut": _SNAPSHOT,
    "Snapshots": {"snapshots": [_SNAPSHOT]},
    "DiffOut": {
        "a": 11, "b": 12, "pages": 155, "changed": 9, "entered": 12, "left": 10, "moved": 4, "overlap": 0.97,
        "everywhere": [], "why": {"new article": 9},
        "blocks": [
            {
                "source_id": "mill-bridge-closed", "entered": ["mill-bridge-fund"], "left": ["ferry-strike"],
                "moved": 1, "overlap": 0.6667, "why": ["new article"],
            }
        ],
    },
    "StatusOut": {
        "articles": 163, "snapshot": 12, "model": "hybrid", "blocks": 155, "revision": 7,
        "current_at": "2026-03-02T09:15:00+00:00", "age_hours": 0.4, "has_writer": True, "asked": 0,
        "asked_since": None, "at_work": None, "problems": [],
    },
    "Published": {
        "articles": ["mill-bridge-closed"], "new": ["mill-bridge-closed"], "waiting": False, "snapshot": 12,
        "blocks": ["mill-bridge-closed", "ferry-strike"], "revision": 345,
    },
    "Drafted": {
        "items": [
            {
                "id": "mill-bridge-fund", "title": "Council sets up hardship fund for cut-off traders",
                "url": "https://courier.example/mill-bridge-fund", "score": 2.6,
                "reasons": {"terms": ["bridge", "anchor"]},
            }
        ]
    },
    "Heard": {"articles": ["mill-bridge-closed"], "blocks": 2, "waiting": False},
}  # fmt: skip


def example(name: str) -> ConfigDict:
    """The settings of a model of this name, with an example of it."""
    return ConfigDict(json_schema_extra={"examples": [EXAMPLES[name]]})
