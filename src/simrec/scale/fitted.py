"""What was fitted of a site, as a saved engine has it: so that tasks, and later days, open it as one."""

from __future__ import annotations

import json
from typing import Any

from simrec.pipeline.live import saved
from simrec.pipeline.site import fusion_weights
from simrec.scale.columns import codes_of
from simrec.scale.ground import FIT, LEXICON, NAMES, WIDTHS, Ground

FAR = "far.json"
"""The file, in the folder of what is fitted, with the blocks that reach beyond their lists."""


def note_fitted(ground: Ground, *, columns: dict[str, int | None] | None = None, **values: Any) -> None:
    """Writes, or adds to, what a saved engine says of itself.

    Args:
        ground: the folder of the build; its columns are made.
        columns: that came to those, each with its width where it is sparse.
        values: by the names of `simrec.pipeline.live.saved`.
    """
    said = saved.read_about(ground.engine) or _first(ground)
    said["columns"] |= columns or {}
    ground.write_json(ground.engine / saved.FILE, said | values)


def note_whole(ground: Ground, **values: Any) -> None:
    """Adds what a saved engine needs and no task looks at, since each reads it: words, names, and far blocks.

    Args:
        ground: of a build whose pages are ranked.
        values: see `note_fitted`.
    """
    names, lexicon, far = (ground.read_json(ground.folder / FIT / name) for name in (NAMES, LEXICON, FAR))
    note_fitted(ground, lexicon=lexicon, far=far, **{name: names[name] for name in saved.CODES}, **values)


def _first(ground: Ground) -> dict[str, Any]:
    """What is known when the columns are made, but the meaning."""
    about = ground.about
    kinds = json.loads((ground.engine / WIDTHS).read_text(encoding="utf-8"))
    parts, back = fusion_weights(about["model"], ground.settings)
    known = {
        name: about[name] for name in ("k", "model", "main_lang", "ages", "usual", "newest", "prior", "prior_weight")
    }
    return {
        "format": saved.FORMAT,
        "columns": {name: kind if isinstance(kind, int) else None for name, kind in kinds.items()},
        "parts": parts,
        "back": back,
        "quantized": bool(about.get("quantized")),
        "dates_are_of_publication": False,
        "titles_are_headlines": False,
        "about": {},
        "languages": codes_of(ground.folder)["languages"],
        **known,
    }
