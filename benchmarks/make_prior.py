"""Trains models/prior on the public corpora, measures it on each of them left out, and writes its figures.

Usage: make prior [SIMREC_CORPORA=FOLDER]. With vectors cached it takes some minutes, without them far longer.
"""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path

from simrec.cli.progress import progress
from simrec.evaluate.protocol import truth
from simrec.pipeline.files import read_files
from simrec.pipeline.prior_train import WEIGHTS, PublicSite, public_site, save_prior
from simrec.pipeline.site import Site
from simrec.types import Corpus

PRIOR = Path(__file__).parents[1] / "models" / "prior"
SITES: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "auth0-blog": ("auth0", "auth0-blog", ()),
    "digitalgov": ("digitalgov", "digitalgov", ()),
    "lo-help-en": ("libreoffice", "lo-help-en", ()),
    "lo-help-ru": ("libreoffice", "lo-help-ru", ()),
    "mslearn-cpp": ("mslearn", "mslearn", ("cpp/build", "cpp/cpp", "cpp/windows", "cpp/ide", "cpp/atl")),
    "mslearn-win32": ("mslearn", "mslearn", ("win32/shell", "win32/com", "win32/winsock", "win32/direct2d")),
}
"""By name: the origin, the corpus, and the sections of it; none for all."""


def read(name: str, corpora: Path) -> PublicSite:
    """A site with its features."""
    origin, corpus_name, sections = SITES[name]
    folder = corpora / corpus_name
    ending = ".gz" if (folder / "articles.jsonl.gz").exists() else ""
    files = read_files(folder / f"articles.jsonl{ending}", folder / f"picks.csv{ending}", progress())
    corpus = files.corpus
    if sections:
        corpus = Corpus([article for article in corpus.articles if article.section in sections])
    settings = files.settings.model_copy(update={"rank": files.settings.rank.model_copy(update={"prior": 0.0})})
    site = Site(corpus, settings, files.cache, progress())
    found = public_site(name, origin, site, truth(corpus, files.picks), progress())
    print(f"{name}: {len(corpus)} articles, {len(found.counts)} pages with picks", flush=True)
    return found


def main() -> int:
    """Reads, trains, measures, writes."""
    corpora = Path(os.environ.get("SIMREC_CORPORA") or "nowhere")
    if not corpora.is_dir():
        print("set SIMREC_CORPORA to the folder of the public corpora", file=sys.stderr)
        return 2
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    described = save_prior([read(name, corpora) for name in SITES], PRIOR)
    print("".join([f"{'left out':16}{'fusion':>9}", *(f"{f'prior {w:.0%}':>12}" for w in WEIGHTS)]))
    for name, found in described["figures"].items():
        print("".join([f"{name:16}{found['fusion']:9.4f}", *(f"{found[str(w)]:12.4f}" for w in WEIGHTS)]))
    print(f"weight {described['weight']}; written to {PRIOR}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
