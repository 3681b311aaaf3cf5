"""`simrec train`."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from simrec.cli.options import add_command, add_files, add_split, add_workspace, say, uses_files
from simrec.cli.progress import progress
from simrec.errors import UsageError

if TYPE_CHECKING:
    from simrec.pipeline.site import Site
    from simrec.types import Pick

SHOWN_GAINS = 8


def add(commands: Any) -> None:
    """Declares the command."""
    command = add_command(commands, "train", "Train the ranker `learned` on editors' picks.", run)
    add_workspace(command)
    add_files(command)
    command.add_argument(
        "--out", metavar="DIR", type=Path, help="where to write it (default: the workspace's models/learned)"
    )
    command.add_argument("--finetune", action="store_true", help="adapt the sentence model to the site's picks instead")
    command.add_argument("--epochs", type=int, help="with --finetune: passes over the picks, at most (default: 3)")
    command.add_argument("--minutes", type=float, help="with --finetune: minutes of training, at most (default: 15)")
    add_split(command, "how inner validation holds pages out: as the pages to come will be")


def run(options: Namespace) -> dict[str, Any]:
    """Trains, and says what was decided on which evidence, and how to use it."""
    if not options.finetune:
        if options.epochs is not None or options.minutes is not None:
            raise UsageError("--epochs and --minutes go with --finetune")
        return ranker(options)
    if uses_files(options):
        raise UsageError("--finetune works on a workspace: `simrec ingest` the files first")
    from simrec.cli.finetune import run as finetune

    return finetune(options)


def ranker(options: Namespace) -> dict[str, Any]:
    """Trains the ranker of the site's picks."""
    from simrec.pipeline.models import save_learned, train_site

    site, picks, rejected, out = opened(options)
    trained = train_site(site, picks, rejected=rejected, split=options.split, progress=progress())
    save_learned(trained, out)
    for line in _told(trained.described, out, options):
        say(options, line)
    return {"out": str(out), **trained.described}


def opened(options: Namespace) -> tuple[Site, list[Pick], list[Pick], Path]:
    """The site, its picks and rejections, from the workspace or from files, and the folder to write to.

    Raises:
        UsageError: there is no folder to write to.
    """
    from simrec.pipeline.files import read_files
    from simrec.pipeline.site import Site
    from simrec.pipeline.workspace import Workspace
    from simrec.types import Corpus

    if uses_files(options):
        if not options.out:
            raise UsageError("--articles needs --out DIR, the folder to write the ranker to")
        files = read_files(options.articles, options.picks, progress())
        return Site(files.corpus, files.settings, files.cache, progress()), files.picks, [], options.out
    workspace = Workspace.open(options.workspace)
    with workspace.store() as store:
        corpus, picks, rejected = Corpus(store.articles()), store.picks(), store.rejected()
    if not len(corpus):
        raise UsageError("there are no articles yet: run `simrec ingest SOURCE` first")
    site = Site(corpus, workspace.settings, workspace.vectors, progress())
    return site, picks, rejected, options.out or workspace.learned


def _told(described: dict[str, Any], out: Path, options: Namespace) -> list[str]:
    from simrec.rank.catalogue import LEARNED

    decision = described["decision"]
    lines = [f"{described['picks']} picks on {described['sources']} of {described['articles']} pages"]
    if described["rejected"]:
        lines.append(f"{described['rejected']} rejected by editors on them")
    lines.append(f"decided: {decision['why']}")
    if decision["evidence"]:
        lines.append("evidence, nDCG@10 on training pages held out in turn:")
        best = max(decision["evidence"].values())
        lines += [f"  {value:.3f}{'*' * (value == best):1} {name}" for name, value in decision["evidence"].items()]
    words = {feature.name: feature.meaning for feature in LEARNED}
    if described["gains"]:
        lines.append("what it looks at most:")
        gains = list(described["gains"].items())[:SHOWN_GAINS]
        lines += [f"  {gain:4.0%} {name}: {words.get(name, name)}" for name, gain in gains]
    lines.append(f"written to {out}")
    if options.articles:
        lines.append("to use it, copy the folder to models/learned of a workspace with these articles and picks")
    elif options.out:
        lines.append(f"to use it, copy the folder to {options.workspace / 'models' / 'learned'}")
    where = "DIR" if options.articles else options.workspace
    lines.append(f'next: `simrec build -w {where} --model learned`; or set build.model = "learned" in simrec.toml')
    return lines
