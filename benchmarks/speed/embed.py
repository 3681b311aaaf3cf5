"""Articles to vectors: each of simrec's embedders against sentence-transformers' own encode."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from speed.child import NotThere, Work
from speed.context import EVERYTHING, Context, Job
from speed.report import Measured, Outcome, Row
from speed.texts import articles_file, read, source_of

TOKENS = 180
"""Of each text: what the model reads in one piece."""
FASTER = {"openvino": 4.0, "static": 50.0}
MANY = 16
"""How many times as many texts a static embedder is timed on."""


def bench(context: Context) -> Outcome:
    """Runs it."""
    n = context.profile.embedded
    texts = context.work / "texts.json"
    texts.write_text(json.dumps(_texts(context, (1 + MANY) * n)), encoding="utf-8")
    jobs = {name: Job(f"speed.embed:{name}", {"texts": texts, "n": n}) for name in ("encode", "torch")}
    converted = context.work / "converted"
    jobs["openvino"] = Job("speed.embed:openvino", {"texts": texts, "n": n, "folder": converted})
    jobs["static"] = Job("speed.embed:static", {"texts": texts, "n": n}, 1)
    found = {name: context.run(job) for name, job in jobs.items()}
    encode = found["encode"]
    rows = [
        Row("sentence-transformers encode, float32", _rate(encode), "articles/s", reason=encode.missing),
        faster("SentenceEmbedder on torch / encode", found["torch"], encode),
        faster("SentenceEmbedder on openvino / encode", found["openvino"], encode, FASTER["openvino"]),
        faster("StaticEmbedder / encode", found["static"], encode, FASTER["static"]),
    ]
    return Outcome({"source": source_of(context), "texts": n, "tokens": TOKENS}, found, rows)


def faster(what: str, found: Measured, encode: Measured, at_least: float | None = None) -> Row:
    """Articles a second over the peer's."""
    if found.missing or encode.missing:
        return Row(what, None, at_least=at_least, reason=found.missing or encode.missing)
    mine, peer = _rate(found), _rate(encode)
    assert mine
    assert peer
    note = f"{mine:,.0f}/s / {peer:,.0f}/s"
    return Row(what, mine / peer, at_least=at_least, peer="sentence-transformers encode", note=note)


def _rate(found: Measured) -> float | None:
    return found.figures["texts"] / found.seconds if found.seconds else None


def _texts(context: Context, n: int) -> list[str]:
    """n texts of so many tokens, from articles that have them."""
    from tokenizers import Tokenizer

    from simrec.embed.sentence import DEFAULT, find

    tokenizer = Tokenizer.from_file(str(find(DEFAULT) / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    found = []
    for record in read(articles_file(context, min(EVERYTHING, 6 * n))):
        spans = tokenizer.encode(record["body"], add_special_tokens=False).offsets
        if len(spans) >= TOKENS and len(found) < n:
            found.append(record["body"][: spans[TOKENS - 1][1]])
    return found


# Contenders


def encode(texts: str, n: int) -> Work:
    """The peer: the model as it comes, in its default batches."""
    from sentence_transformers import SentenceTransformer

    from simrec.embed.sentence import DEFAULT, find

    model = SentenceTransformer(str(find(DEFAULT)), device="cpu")
    parts = _parts(texts, n, n)
    model.encode(parts(), show_progress_bar=False)

    def work() -> dict[str, Any]:
        model.encode(parts(), show_progress_bar=False)
        return {"texts": n}

    return work


def torch(texts: str, n: int) -> Work:
    """Our embedder on torch."""
    from simrec.embed.sentence import SentenceEmbedder

    known = "backend" in inspect.signature(SentenceEmbedder).parameters
    options: dict[str, Any] = {"backend": "torch"} if known else {}
    return _transform(SentenceEmbedder(**options), texts, n, n)


def openvino(texts: str, n: int, folder: str) -> Work:
    """Our embedder on OpenVINO; the model is converted and calibrated into a folder before."""
    import openvino as _  # noqa: F401  a reason to skip, where it is missing

    from simrec.embed.sentence import SentenceEmbedder

    if "backend" not in inspect.signature(SentenceEmbedder).parameters:
        raise NotThere("this simrec's SentenceEmbedder has no backends")
    options: dict[str, Any] = {"backend": "openvino", "cache": Path(folder)}
    return _transform(SentenceEmbedder(**options), texts, n, n)


def static(texts: str, n: int) -> Work:
    """Our static embedder, distilled on the first part of the texts before."""
    from simrec.embed.static import StaticEmbedder

    return _transform(StaticEmbedder(), texts, n, MANY * n)


def _transform(embedder: Any, texts: str, first: int, n: int) -> Work:
    """Fits on the first texts, and times `transform` of n others at each call."""
    from simrec.types import Text

    parts = _parts(texts, first, n)
    fitted = [Text("", body, "en") for body in parts()]
    embedder.fit(fitted).transform(fitted)

    def work() -> dict[str, Any]:
        unseen = [Text("", body, "en") for body in parts()]
        embedder.transform(unseen)
        return {"texts": len(unseen)}

    return work


def _parts(texts: str, first: int, n: int) -> Callable[[], list[str]]:
    """A function that gives some texts at its first call, and n others at each further one."""
    everything = json.loads(Path(texts).read_text(encoding="utf-8"))
    starts = iter([0, *range(first, len(everything), n)])
    sizes = iter([first])
    return lambda: everything[(start := next(starts)) : start + next(sizes, n)]
