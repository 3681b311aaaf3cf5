"""`simrec copies`."""

from __future__ import annotations

from argparse import Namespace
from typing import Any

from simrec.cli.options import add_command, add_workspace, say


def add(commands: Any) -> None:
    """Declares the command."""
    help = "List the articles that count as copies of one story; settings of [policy] correct them."
    add_workspace(add_command(commands, "copies", help, run))


def run(options: Namespace) -> dict[str, Any]:
    """Lists stories, the largest first."""
    from simrec.pipeline.stories import list_stories
    from simrec.pipeline.workspace import Workspace

    stories = list_stories(Workspace.open(options.workspace))
    for story in stories:
        say(options, f"{len(story.articles)} copies")
        for article in story.articles:
            date = f"{article.published_at:%Y-%m-%d}" if article.published_at else "no date   "
            say(options, f"  {'*' if article.id == story.shown else ' '} {date}  {article.id}  {article.title}")
    if stories:
        say(
            options,
            "* stands for all. [policy] corrects it: `apart` takes an article out, `same_story` adds one.",
        )
    else:
        say(options, "no article is a copy of another; `same_story` under [policy] says where one is")
    return {
        "stories": [
            {
                "shown": story.shown,
                "articles": [
                    {"id": a.id, "title": a.title, "published_at": a.published_at and a.published_at.isoformat()}
                    for a in story.articles
                ],
            }
            for story in stories
        ]
    }
