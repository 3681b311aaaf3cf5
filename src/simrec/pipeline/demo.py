"""The whole job on the sample newsroom: pages, blocks and an evaluation that a person can open."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader
from markupsafe import Markup

from simrec.block.html import day
from simrec.errors import StoreError
from simrec.evaluate.report import write_report
from simrec.pipeline.build import build
from simrec.pipeline.evaluate import Evaluation, Task, evaluate
from simrec.pipeline.folder import file_name
from simrec.pipeline.ingest import ingest
from simrec.pipeline.render import render
from simrec.pipeline.sample import newsroom
from simrec.pipeline.workspace import Workspace
from simrec.policy.eligibility import reason_hidden
from simrec.settings import load_settings
from simrec.types import Article, Progress, no_progress

TEMPLATES = Path(__file__).parent / "templates"
FEATURED = 12
MODELS = ("tfidf", "sentence", "hybrid")
"""What is measured; `learned` would take as long as all the rest several times over."""


def demo(out: Path, *, say: Callable[[str], None], progress: Progress = no_progress) -> dict[str, Any]:
    """Ingests the sample newsroom into `out`, builds, renders and evaluates it, and writes `out/index.html`.

    Returns:
        "index", the page to open, "report", and the counts of each step.

    Raises:
        StoreError: `out` is not a folder of an earlier demo, or cannot be written.
    """
    source, site = newsroom(), out / "site"
    _prepare(out, source)
    workspace = Workspace.open(out, load_settings(), create=True)
    ingested = ingest(workspace, [out / "articles.jsonl"], picks=[source / "picks.csv"], progress=progress)
    say(f"ingest: {ingested.new + ingested.changed + ingested.unchanged} articles, {ingested.picks} editors' picks")
    built = build(workspace, progress=progress)
    say(f"build: {built.blocks} blocks, snapshot {built.snapshot}")
    rendered = render(workspace, out / "blocks", progress=progress)
    say(f"render: {len(list((out / 'blocks').glob('*.html')))} files in {out / 'blocks'}")
    found = evaluate(workspace, Task(MODELS), progress=progress)
    write_report(found, out / "report.html")
    best = found.models["hybrid"]["nDCG@10"]
    say(
        f"evaluate: hybrid's nDCG@10 against the editors' picks is {best.mean:.3f}, 95% interval [{best.low:.3f}, "
        f"{best.high:.3f}], on {len(found.sources)} pages; by words alone {found.models['tfidf']['nDCG@10'].mean:.3f}"
    )
    _write_site(found, site)
    say(f"next, as an editor: simrec demo --serve --out {out}")
    say("next, on this site: let it learn from the picks, and see what that is worth (some minutes)")
    say(f"  simrec train -w {out}")
    say(f"  simrec evaluate -w {out} --model hybrid --model learned --report {out / 'learned.html'}")
    say("next, on your own: simrec ingest pages/ -w mysite && simrec build -w mysite")
    say(f"open {out / 'index.html'}")
    return {
        "index": str(out / "index.html"),
        "report": str(out / "report.html"),
        "articles": built.articles,
        "blocks": built.blocks,
        "snapshot": built.snapshot,
        "rendered": rendered["written"],
        "nDCG@10": best._asdict(),
    }


def _prepare(out: Path, source: Path) -> None:
    """Copies the articles, with the addresses that they have in the demo, and their images."""
    try:
        (out / "site").mkdir(parents=True, exist_ok=True)
        shutil.copytree(source / "images", out / "site" / "images", dirs_exist_ok=True)
        lines = []
        for line in (source / "articles.jsonl").read_text(encoding="utf-8").splitlines():
            article = json.loads(line)
            lines.append(json.dumps(article | {"url": f"{file_name(article['id'])}.html"}, ensure_ascii=False))
        (out / "articles.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    except OSError as error:
        raise StoreError(f"{out} cannot be used: {error.strerror}; name another folder with --out") from error


def _write_site(found: Evaluation, site: Path) -> None:
    now = datetime.now(UTC)
    articles = found.corpus.articles
    shown = [article for article in articles if reason_hidden(article, now) is None]
    hidden = Counter(reason for article in articles if (reason := reason_hidden(article, now)))
    shown.sort(key=lambda article: (article.published_at or now, article.id), reverse=True)
    blocks = {a.id: Markup((site.parent / "blocks" / f"{file_name(a.id)}.html").read_text("utf-8")) for a in shown}  # noqa: S704 - rendered, and escaped, by simrec
    environment = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {"day": day, "file_name": file_name}
    page = environment.get_template("page.html")
    for article in shown:
        text = page.render(article=article, block=blocks[article.id], paragraphs=article.body.split("\n\n"))
        (site / f"{file_name(article.id)}.html").write_text(text, encoding="utf-8")
    index = environment.get_template("index.html").render(
        shown=shown, hidden=hidden, featured=_featured(shown, found), blocks=blocks, found=found
    )
    (site.parent / "index.html").write_text(index, encoding="utf-8")


def _featured(shown: Sequence[Article], found: Evaluation) -> list[Article]:
    """Articles of as many sections and languages as there are, those with picks first."""
    picked = {found.corpus.ids[row] for row in found.sources.tolist()}
    by_kind: dict[tuple[str | None, str | None], list[Article]] = {}
    for article in sorted(shown, key=lambda article: article.id not in picked):
        by_kind.setdefault((article.section, article.lang), []).append(article)
    chosen: list[Article] = []
    while len(chosen) < min(FEATURED, len(shown)):
        for waiting in by_kind.values():
            if waiting and len(chosen) < FEATURED:
                chosen.append(waiting.pop(0))
    return chosen
