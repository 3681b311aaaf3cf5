"""What each house rule costs: nDCG@10 of blocks under it, against blocks under none, on the corpora of SIMREC_CORPORA.

Blocks of `hybrid`, ten items, for all pages with picks; ages are counted back from the newest article. A rule that
costs nothing may be held without a thought; the price of the others is for the house to pay, or not.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from copy import copy
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from simrec.evaluate.compare import interval
from simrec.evaluate.measures import per_source
from simrec.evaluate.protocol import truth
from simrec.files import write_whole
from simrec.pipeline.chooser import Chooser
from simrec.pipeline.files import cache_folder, read_files
from simrec.pipeline.sample import newsroom
from simrec.pipeline.site import Site
from simrec.pipeline.viewer import Viewer
from simrec.settings import check_settings
from simrec.types import NO_ROW, Rows
from speed.table import put_between

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "house-rules.md"
RESULTS = ROOT / "benchmarks" / "results" / "house-rules.json"
CORPORA = ("auth0-blog", "digitalgov")
K = 10
RULES: dict[str, dict[str, Any]] = {
    "none": {},
    "same_language = false": {"same_language": False},
    "older_only = true": {"older_only": True},
    "around_days = 365": {"around_days": 365},
    "around_days = 1095": {"around_days": 1095},
    "max_age_days = 1825": {"max_age_days": 1825},
    "half_life_days = 3650": {"half_life_days": 3650},
    "half_life_days = 1825": {"half_life_days": 1825},
    "half_life_days = 730": {"half_life_days": 730},
    "max_per_section = 3": {"max_per_section": 3},
    "max_per_author = 2": {"max_per_author": 2},
    "min_score = 1": {"min_score": 1.0},
    "min_score = 3": {"min_score": 3.0},
    "min_cosine = 0.1": {"min_cosine": 0.1},
    "min_cosine = 0.3": {"min_cosine": 0.3},
    "diversity = 0.2": {"diversity": 0.2},
    "hub_limit = 0.05": {"hub_limit": 0.05},
    "hub_limit = 0.02": {"hub_limit": 0.02},
    "near_duplicate = 0.5": {"near_duplicate": 0.5},
    'copies = "newest"': {"copies": "newest"},
    'copies = "canonical"': {"copies": "canonical"},
    'languages = {ja = ["ja", "en"]}': {"languages": {"ja": ["ja", "en"]}},
    'target.exclude_sections = ["PR", "events"]': {"target": {"exclude_sections": ["PR", "events"]}},
    'min_score = 3, fallback = ["section", "recent"]': {"min_score": 3.0, "fallback": ["section", "recent"]},
    "min_score = 3, block.min_items = 3": {"min_score": 3.0},
}
"""By what they are in simrec.toml. The corpora have no series, so that max_per_series is none of them."""
BLOCKS: dict[str, dict[str, Any]] = {"min_score = 3, block.min_items = 3": {"min_items": 3}}
"""What else rules set, under [block]."""


def main() -> None:
    """Runs the benchmark and prints a table for each corpus."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--corpus", action="append", help="only this one; again for more")
    parser.add_argument("--page", action="store_true", help="run nothing; write the page from the results")
    options = parser.parse_args()
    if options.page:
        publish(json.loads(RESULTS.read_text(encoding="utf-8")))
        return
    corpora = os.environ.get("SIMREC_CORPORA")
    folders = [Path(corpora) / name for name in options.corpus or CORPORA] if corpora else [newsroom()]
    results: dict[str, Any] = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
    for folder in folders:
        if not (folder / "articles.jsonl").exists():
            print(f"{folder.name}: not in {folder.parent}, skipped", file=sys.stderr)
            continue
        results[folder.name] = measure(folder)
        print(table(folder.name, results[folder.name]))
    if corpora:
        write_whole(RESULTS, (json.dumps(results, indent=1) + "\n").encode(), "free some space and run it again")
        publish(results)


def publish(results: dict[str, Any]) -> None:
    """Writes the tables into docs/house-rules.md."""
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8"), results), encoding="utf-8")


def page(text: str, results: dict[str, Any]) -> str:
    """docs/house-rules.md with the tables of all corpora."""
    return put_between(text, "house-rules", "\n".join(table(name, found) for name, found in results.items()) + "\n")


def measure(folder: Path) -> dict[str, Any]:
    """Every rule on one corpus."""
    files = read_files(folder / "articles.jsonl", folder / "picks.csv")
    known = truth(files.corpus, files.picks)
    site = Site(files.corpus, check_settings({}, "the defaults"), cache_folder())
    dates = files.corpus.published[~np.isnan(files.corpus.published)]
    now = datetime.fromtimestamp(float(dates.max()), UTC) if len(dates) else datetime.now(UTC)
    found: dict[str, Any] = {}
    plain: Any = None
    for name, policy in RULES.items():
        run = blocks(site, {"policy": policy, "block": BLOCKS.get(name, {})}, now)
        values = per_source(run[known.sources], known.picks, K)[f"nDCG@{K}"]
        plain = values if plain is None else plain
        shown = (run != NO_ROW).sum(axis=1)
        counts = np.bincount(run[run != NO_ROW], minlength=len(files.corpus))
        said: dict[str, Any] = {
            "nDCG@10": round(float(values.mean()), 4),
            "items": round(float(shown.mean()), 2),
            "empty": round(float((shown == 0).mean()), 4),
            "most": round(float(counts.max() / len(run)), 4),
        }
        if name != "none":
            delta = interval(values - plain)
            said |= {"delta": round(delta.mean, 4), "low": round(delta.low, 4), "high": round(delta.high, 4)}
        found[name] = said
        print(f"{folder.name}: {name}: {said}", file=sys.stderr)
    return {"articles": len(files.corpus), "pages": len(known.sources), "rules": found}


def blocks(site: Site, settings: dict[str, Any], now: datetime) -> Rows:
    """(n, 10) the items that readers see under all pages by a rule, -1 where there is none."""
    other = copy(site)  # shares what was computed
    other.settings = check_settings(settings, "the rule")
    viewer = Viewer(site.corpus, other.settings, K, now=now)
    everyone, row_of = np.arange(len(site.corpus), dtype=np.int32), site.corpus.row_of
    run = np.full((len(everyone), K), NO_ROW, dtype=np.int32)
    for block in Chooser(other, "hybrid", now=now).blocks(everyone, K):
        rows = [row_of[item.id] for item in viewer.view(block).items]
        run[row_of[block.source_id], : len(rows)] = rows
    return run


def table(name: str, found: dict[str, Any]) -> str:
    """A corpus's rules as a Markdown table."""
    lines = [
        f"\n{name}: {found['articles']:,} articles, {found['pages']:,} pages with picks\n",
        "| rule | nDCG@10 | against none | items | empty blocks | most shown |",
        "|---|---|---|---|---|---|",
    ]
    for rule, said in found["rules"].items():
        against = f"{said['delta']:+.3f} ({said['low']:+.3f} to {said['high']:+.3f})" if "delta" in said else ""
        lines.append(
            f"| `{rule}` | {said['nDCG@10']:.3f} | {against} | {said['items']:.1f} | {said['empty']:.1%} | "
            f"{said['most']:.1%} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
