"""An engine on disk: a folder of arrays and JSON under a manifest, whole or not at all."""

from __future__ import annotations

import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from simrec.embed.cache import is_intact, write_folder
from simrec.embed.sentence import SentenceEmbedder
from simrec.embed.static import StaticEmbedder
from simrec.embed.terms import Lexicon
from simrec.embed.tfidf import TfidfEmbedder
from simrec.errors import ModelError
from simrec.pipeline.live.columns import Sparse, read_array
from simrec.pipeline.live.engine import Engine
from simrec.pipeline.live.fitted import Fitted
from simrec.pipeline.live.pages import Far
from simrec.pipeline.live.shelf import SPARSE, Shelf
from simrec.pipeline.prior import load_prior
from simrec.pipeline.vectorizers import Codes, Vectorizers
from simrec.settings import Settings

FORMAT = 5
"""Raise it when what is saved, or what it means, changes: the next build then fits anew."""
FILE = "site.json"
COUNTERS = ("tfidf", "tags", "titles")
CODES = ("authors", "sections", "folders")
ARRAYS = ("weights", "rare", "telling", "dates", "sample", "eligible")
PLAIN = (
    "model",
    "main_lang",
    "ages",
    "usual",
    "dates_are_of_publication",
    "titles_are_headlines",
    "prior_weight",
    "newest",
)
OF_NOW = ("may", "shown", "later", "until")
OF_PAGES = ("lists", "scores", "more", "level", "used", "short", "marks", "below", "lacking", "toll")


def save(engine: Engine, folder: Path, about: Mapping[str, Any]) -> None:
    """Writes an engine; `about` are plain values to be read back with it."""

    def write(part: Path) -> None:
        save_fitted(engine.fitted, part)
        for name in engine.shelf.names:
            save_column(part, name, engine.shelf[name])
        for name in ("alive", *OF_NOW, *OF_PAGES):
            np.save(part / f"page-{name}.npy", engine.columns[name].array, allow_pickle=False)
        links = np.array(engine.copies.pairs(), dtype=np.int32).reshape(-1, 2)
        np.save(part / "copies.npy", links, allow_pickle=False)
        _write(part / FILE, _described(engine) | {"about": dict(about)})

    write_folder(folder, write)


def save_fitted(fitted: Fitted, part: Path) -> None:
    """Writes what was fitted, but for what is in `FILE`."""
    for name in ARRAYS:
        np.save(part / f"fitted-{name}.npy", getattr(fitted, name), allow_pickle=False)
    for name in COUNTERS:
        counter = getattr(fitted, name)
        if counter is not None:
            (part / name).mkdir()
            counter.save(part / name)
    if isinstance(fitted.meaning, StaticEmbedder):
        (part / "meaning").mkdir()
        fitted.meaning.save(part / "meaning")
    fitted.vectorizers.characters.save(part / "characters.json")
    fitted.vectorizers.paths.save(part / "paths.json")


def read_about(folder: Path) -> dict[str, Any] | None:
    """What was said of a saved engine, and its rows' articles; None where there is none that this simrec reads."""
    try:
        found: dict[str, Any] = json.loads((folder / FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if found.get("format") == FORMAT else None


class Loaded(NamedTuple):
    """An engine, and what was said of it when it was saved."""

    engine: Engine
    about: dict[str, Any]


def load(folder: Path, settings: Settings) -> Loaded:
    """Reads an engine; no article is admitted yet.

    Raises:
        ModelError: it is damaged, or a model that it needs is not there.
    """
    damaged = ModelError(f"what was fitted of the site, in {folder}, is damaged: run `simrec build --full`")
    said = read_about(folder)
    if said is None:
        raise damaged
    with ThreadPoolExecutor(1) as pool:
        intact = pool.submit(is_intact, folder)  # beside the reading
        try:
            engine = _engine(folder, said, settings)
        except Exception as error:  # of a damaged file anything may come, and says less than that it is damaged
            if not intact.result():
                raise damaged from error
            raise
        if not intact.result():
            raise damaged
    return Loaded(engine, said["about"])


def _engine(folder: Path, said: Mapping[str, Any], settings: Settings) -> Engine:
    try:
        shelf = _shelf(folder, said, _fitted(folder, said, settings))
        engine = Engine(shelf, said["k"])
        engine.far = {
            int(row): Far(last, tuple(rows), tuple(scores)) for row, (last, rows, scores) in said["far"].items()
        }
        for name in OF_PAGES:  # who is there is said by admitting them
            engine.restore(name, np.load(folder / f"page-{name}.npy", allow_pickle=False))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(f"what was fitted of the site, in {folder}, cannot be read ({error}): "
                         "run `simrec build --full`") from error  # fmt: skip
    return engine


def _described(engine: Engine) -> dict[str, Any]:
    shelf = engine.shelf
    columns = {name: shelf[name].shape[1] if name in SPARSE else None for name in shelf.names}
    far = {str(row): far_values(far) for row, far in engine.far.items()}
    return describe(engine.fitted, engine.k, columns, shelf.weights, shelf.back) | {"far": far}


def describe(
    fitted: Fitted, k: int, columns: Mapping[str, int | None], weights: Mapping[str, float], back: float
) -> dict[str, Any]:
    """What is said of an engine, but for its pages.

    Args:
        fitted: what was fitted.
        k: items a block, without spares.
        columns: of the shelf, each with its width where it is sparse.
        weights, back: of the fusion.
    """
    return {
        "format": FORMAT,
        "k": k,
        "languages": fitted.languages.as_json(),
        "lexicon": {"forms": fitted.lexicon.forms, "codes": fitted.lexicon.codes},
        "prior": fitted.prior_name,
        "quantized": bool(getattr(fitted.meaning, "engine_", None)),
        "columns": dict(columns),
        "parts": dict(weights),
        "back": back,
        **{name: getattr(fitted.vectorizers, name).as_json() for name in CODES},
        **{name: getattr(fitted, name) for name in PLAIN},
    }


def far_values(far: Far) -> list[Any]:
    """A block that reaches beyond its list, as JSON has it."""
    return [max(far.last, -1e30), far.rows, far.scores]


def _fitted(folder: Path, said: Mapping[str, Any], settings: Settings) -> Fitted:
    made: dict[str, Any] = {
        "tfidf": TfidfEmbedder(**settings.tfidf.model_dump()),
        "tags": TfidfEmbedder(ngrams=1),
        "titles": TfidfEmbedder(),
    }
    values: dict[str, Any] = {name: said[name] for name in PLAIN}
    for name in COUNTERS:
        values[name] = made[name].load(folder / name) if (folder / name).is_dir() else None
    for name in ARRAYS:
        values[name] = np.load(folder / f"fitted-{name}.npy", allow_pickle=False)
    vectorizers = Vectorizers()
    vectorizers.characters.load(folder / "characters.json")
    vectorizers.paths.load(folder / "paths.json")
    for name in CODES:
        setattr(vectorizers, name, Codes(said[name]))
    lexicon = Lexicon()
    for form in zip(said["lexicon"]["forms"], said["lexicon"]["codes"], strict=True):
        lexicon.number(*form)
    meaning: Any = None
    if (folder / "meaning").is_dir():
        meaning = StaticEmbedder(**settings.sentence.model_dump()).load(folder / "meaning")
    elif said["model"] != "tfidf":
        embedder = SentenceEmbedder(**settings.sentence.model_dump(), cache=folder.parent)
        meaning = embedder.settled(said["quantized"])
    return Fitted(
        settings=settings,
        meaning=meaning,
        vectorizers=vectorizers,
        languages=Codes(said["languages"]),
        lexicon=lexicon,
        prior=load_prior(said["prior"]) if said["prior"] else None,
        prior_name=said["prior"],
        **values,
    )


def _shelf(folder: Path, said: Mapping[str, Any], fitted: Fitted) -> Shelf:
    columns: dict[str, Any] = {}
    for name, width in said["columns"].items():
        arrays = [read_array(path) for path in sorted(folder.glob(f"column-{name}.*.npy"))]
        if width is not None:
            columns[name] = Sparse(arrays[0], arrays[1], arrays[2], (len(arrays[0]) - 1, width))
        else:
            columns[name] = tuple(arrays) if len(arrays) > 1 else arrays[0]
    return Shelf(fitted, columns, said["parts"], said["back"])


def save_column(part: Path, name: str, column: Any) -> None:
    """Writes a column of a shelf."""
    arrays = column[:3] if name in SPARSE else column if isinstance(column, tuple) else (column,)
    for number, array in enumerate(arrays):
        np.save(part / f"column-{name}.{number}.npy", array, allow_pickle=False)


def _write(path: Path, values: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(values, ensure_ascii=False), encoding="utf-8")
