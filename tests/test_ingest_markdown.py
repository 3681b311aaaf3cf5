"""Folders of Hugo, Jekyll and Eleventy, with files as the tools themselves write them."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simrec.ingest import read
from simrec.ingest.front_matter import FrontMatterError, split
from simrec.ingest.markdown_text import to_text
from simrec.ingest.place import page_url, place_of
from simrec.pipeline.ingest import ingest
from simrec.pipeline.workspace import Workspace
from simrec.settings import IngestSettings
from simrec.types import Article, Entry, Reject

HUGO_NEW = """+++
date = '2024-01-31T10:00:00+01:00'
draft = true
title = 'The Bridge Opens'
+++

The bridge over the river is open again, says the mayor.
"""
JEKYLL_NEW = """---
layout: post
title:  "Welcome to the harbor!"
date:   2024-01-31 10:00:00 +0100
categories: harbor news
---
You will find the ferry in the `harbor`, as {% link _posts/x.md %} said.

{% highlight ruby %}
puts "ferry"
{% endhighlight %}

Check out the [timetable][times] for more.

[times]: https://ferries.example/times
"""
JEKYLL_COMPOSE = """---
layout: post
title: Ferries strike
date: 2024-02-01 10:12 +0100
---

The crews of the ferries are on strike.
"""
ELEVENTY_BLOG = """---
title: Potatoes rot in wet fields
description: What the rain did to the harvest.
date: 2018-09-30
tags: second tag
---
Farmers say that potatoes rot in wet fields.

## Section Header

More rain is coming.
"""
ELEVENTY_JSON = """---json
{
  "title": "Ice on the canal",
  "tags": ["weather", "winter"]
}
---
Children skate on the canal.
"""

NEWS = ("potatoes", "harbor", "mayor", "bridge")

Write = Callable[[dict[str, str]], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes a folder of files."""

    def write(files: dict[str, str]) -> Path:
        for name, text in files.items():
            path = tmp_path / "site" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        return tmp_path / "site"

    return write


def entries(source: Path, **options: Any) -> dict[str, Entry]:
    """What is read of a source, by id; nothing is rejected."""
    found = list(read([source], IngestSettings(), **options))
    assert not [item for item in found if isinstance(item, Reject)], found
    return {item.article.id: item for item in found if isinstance(item, Entry)}


def article(write: Write, text: str, name: str = "posts/a.md", **files: str) -> Article:
    """The one article of a file in a folder."""
    (entry,) = entries(write({name: text, **files})).values()
    return entry.article


def test_a_file_of_hugo_new_is_a_draft_until_it_says_otherwise(write: Write) -> None:
    """TOML front matter; the section is the first folder, the URL below the site's base."""
    site = write({"hugo.toml": "baseURL = 'https://river.example/'\n", "content/posts/the-bridge-opens.md": HUGO_NEW})
    found = entries(site)["posts/the-bridge-opens"].article
    assert (found.title, found.status, found.section) == ("The Bridge Opens", "draft", "posts")
    assert found.url == "https://river.example/posts/the-bridge-opens/"
    assert found.published_at == datetime(2024, 1, 31, 9, tzinfo=UTC)
    assert found.body == "The bridge over the river is open again, says the mayor."


def test_a_site_of_jekyll_new(write: Write) -> None:
    """The post's URL has its categories and day; words of `categories` are categories; Liquid is no text."""
    site = write({
        "_config.yml": "title: Harbor\nbaseurl: /blog\nurl: https://harbor.example\n",
        "_posts/2024-01-31-welcome-to-the-harbor.markdown": JEKYLL_NEW,
        "_posts/2024-02-01-ferries-strike.md": JEKYLL_COMPOSE,
        "about.markdown": "---\nlayout: page\ntitle: About\npermalink: /about/\n---\n\nThis is a harbor.\n",
        "404.html": "---\npermalink: /404.html\n---\nnot found",
        "README.md": "# How to write here\n\nWith a pen.\n",
        "_includes/part.md": "no article",
        "_site/about.md": "no article",
    })  # fmt: skip
    found = {id_: entry.article for id_, entry in entries(site).items()}
    assert list(found) == ["_posts/2024-01-31-welcome-to-the-harbor", "_posts/2024-02-01-ferries-strike", "about"]
    first, second, about = found.values()
    assert first.url == "https://harbor.example/blog/harbor/news/2024/01/31/welcome-to-the-harbor.html"
    assert (first.section, first.extra["categories"]) == ("harbor", ["harbor", "news"])
    assert first.published_at == datetime(2024, 1, 31, 9, tzinfo=UTC)
    assert "{%" not in first.body
    assert 'puts "ferry"' in first.body
    assert "Check out the timetable for more." in first.body
    assert second.published_at == datetime(2024, 2, 1, 9, 12, tzinfo=UTC)
    assert about.url == "https://harbor.example/blog/about/"


def test_pages_of_eleventy(write: Write) -> None:
    """The input folder is in its settings; a tag may be two words; JSON front matter is read."""
    site = write({
        "eleventy.config.js": 'export const config = { dir: {\n  input: "content", // default: "."\n} };\n',
        "content/blog/2018-09-30-potatoes.md": ELEVENTY_BLOG,
        "content/blog/ice.md": ELEVENTY_JSON,
        "content/blog/blog.11tydata.js": "export default {};",
        "node_modules/x/README.md": "no article",
    })  # fmt: skip
    found = {id_: entry.article for id_, entry in entries(site).items()}
    assert list(found) == ["blog/2018-09-30-potatoes", "blog/ice"]
    potatoes, ice = found.values()
    assert (potatoes.url, potatoes.section, potatoes.tags) == ("/blog/potatoes/", "blog", ("second tag",))
    assert potatoes.extra["description"] == "What the rain did to the harvest."
    assert potatoes.body.split("\n\n")[1] == "Section Header"
    assert (ice.tags, ice.body) == (("weather", "winter"), "Children skate on the canal.")


def test_an_article_has_one_id_whichever_part_of_the_site_is_named(write: Write) -> None:
    """The site, its content folder, a section, and one file give the same."""
    site = write({"hugo.toml": "", "content/posts/a.md": HUGO_NEW, "layouts/b.md": "x", "archetypes/default.md": "x"})
    for source in (site, site / "content", site / "content/posts", site / "content/posts/a.md"):
        assert list(entries(source)) == ["posts/a"]
    assert list(entries(write({"x.md": "# Title\n\nText."}) / "x.md")) == ["x"]


def test_what_a_tool_built_and_tables_beside_its_content_can_be_read_too(write: Write) -> None:
    """The built pages of a site, and JSON lines in it, are sources as anywhere else."""
    site = write({
        "_config.yml": "",
        "_site/a.html": "<html><title>A</title><body><p>Built text of the page.</p></body></html>",
        "export/b.jsonl": '{"id": "b", "title": "B", "body": "Text."}',
        "export/c.csv": "id,title,body\nc,C,Text.\n",
        "c.html": "---\nlayout: x\n---\n{{ x }}",
    })  # fmt: skip
    assert list(entries(site / "_site")) == ["a"]
    assert list(entries(site / "export")) == ["b", "c"]
    assert list(entries(site)) == ["b"]


def test_bundles_languages_and_list_pages_of_hugo(write: Write) -> None:
    """`index.md` is its folder's page, `.de.` a language, `_index.md` no article."""
    site = write({
        "hugo.yaml": "baseURL: https://x.example\ndefaultContentLanguage: en\nlanguages: {en: {}, de: {}}\n"
        "permalinks:\n  news: /:year/:slug/\n",
        "content/_index.md": "---\ntitle: Home\n---\nx",
        "content/posts/_index.de.md": "---\ntitle: Home\n---\nx",
        "content/posts/bridge/index.md": "---\ntitle: Bridge\nimage: bridge.jpg\n---\nOpen.",
        "content/posts/bridge/index.de.md": "---\ntitle: Brücke\nslug: Die Brücke\n---\nOffen.",
        "content/news/node.js.md": "---\ntitle: Node\ndate: 2024-05-06\nimages: [img/node.png]\n---\nNode.",
    })  # fmt: skip
    found = {id_: entry.article for id_, entry in entries(site).items()}
    assert {id_: (a.url, a.lang, a.image) for id_, a in found.items()} == {
        "news/node.js": ("https://x.example/2024/node.js/", "en", "/img/node.png"),
        "posts/bridge": ("https://x.example/posts/bridge/", "en", "https://x.example/posts/bridge/bridge.jpg"),
        "posts/bridge.de": ("https://x.example/de/posts/die-brücke/", "de", None),
    }


def test_dates_states_and_names_of_all_kinds(write: Write) -> None:
    """Embargo, expiry, update, authors, image with its text, series: each by its names in the tools and themes."""
    found = article(
        write,
        """---
Title: Ice & snow
date: 2024-01-02
publishDate: 2024-03-01T08:00:00Z
expiryDate: 2025-01-01
lastmod: January 5, 2024
authors: [{name: Ann Lee}, Jo Roe]
categories: [Weather, Winter]
taxonomies: {tags: [no, 1.10]}
language: no
cover: {src: /img/ice.jpg, alt: Ice}
series: [Winter 2024]
weight: 10
---
Text of the ice.""",
    )
    assert (found.title, found.section, found.tags, found.lang) == ("Ice & snow", "Weather", ("no", "1.10"), "no")
    assert found.embargo_until == datetime(2024, 3, 1, 8, tzinfo=UTC)
    assert (found.expires_at, found.updated_at) == (datetime(2025, 1, 1, tzinfo=UTC), datetime(2024, 1, 5, tzinfo=UTC))
    assert (found.authors, found.image, found.image_alt) == (("Ann Lee", "Jo Roe"), "/img/ice.jpg", "Ice")
    assert found.extra == {"categories": ["Weather", "Winter"], "series": "Winter 2024", "weight": 10}


@pytest.mark.parametrize(
    "line",
    [
        "draft: true", "published: false", "permalink: false", "draft: 'true'", "draft: yes", "draft: on", "draft: 1",
        "published: no", "published: off", "published: 0", "headless: true", "build: {render: never}",
        "_build:\n  render: link",
    ],
)  # fmt: skip
def test_what_is_not_to_be_published_is_a_draft(write: Write, line: str) -> None:
    """In any of the tools' ways."""
    assert article(write, f"---\ntitle: A\n{line}\n---\nText.").status == "draft"


@pytest.mark.parametrize(
    "line", ["draft: no", "draft: 0", "published: yes", "published: on", "build: {render: always}"]
)
def test_what_says_that_it_is_published_is(write: Write, line: str) -> None:
    """Yes and no are words for true and false with these names, and no dates."""
    found = article(write, f"---\ntitle: A\n{line}\n---\nText.")
    assert (found.status, found.published_at) == ("published", None)


@pytest.mark.parametrize("value", ["Last Modified", "Created", "git Created", "git Last Modified"])
def test_the_date_of_a_file_is_no_date(write: Write, value: str) -> None:
    """Eleventy's words for it leave the article without a date, or with the one in its name."""
    assert article(write, f"---\ntitle: A\ndate: {value}\n---\nText.").published_at is None


def test_a_draft_of_jekyll_is_a_draft(write: Write) -> None:
    """All in `_drafts` is."""
    assert article(write, "---\ntitle: A\n---\nText.", "_drafts/a.md").status == "draft"


@pytest.mark.parametrize("line", ["related: false", "similar: off", "similar: no"])
def test_the_off_switch(write: Write, line: str) -> None:
    """`related: false` says that the article shall have no block; it says nothing of picks."""
    (entry,) = entries(write({"a.md": f"---\ntitle: A\n{line}\n---\nText."})).values()
    assert (entry.article.extra["similar"], entry.links) == ("off", None)


def test_related_lists_become_picks(write: Write, tmp_path: Path) -> None:
    """By id, slug, path, relative path, file name, URL and shortcode; what leads nowhere, or to two, is a reject."""
    named = [
        "ice-42", "slow-ferry", "news/potatoes", "../news/harbor.md", "/old/strike", "https://x.example/news/mayor/",
        "{{< ref \"news/bridge.md\" >}}", "nowhere", "same",
    ]  # fmt: skip
    site = write({
        "hugo.toml": "baseURL = 'https://x.example'",
        "content/posts/a.md": "---\ntitle: A\nrelated:\n" + "".join(f"- '{one}'\n" for one in named) + "---\nText.",
        "content/posts/b.md": "---\ntitle: B\nid: ice-42\n---\nText.",
        "content/posts/c.md": "---\ntitle: C\nslug: slow-ferry\nsimilar: {url: /posts/a/}\n---\nText.",
        "content/posts/same.md": "---\ntitle: S\n---\nText.",
        "content/news/same.md": "---\ntitle: T\n---\nText.",
        "content/news/strike.md": "---\ntitle: D\naliases: [/old/strike/]\n---\nText.",
        **{f"content/news/{name}.md": f"---\ntitle: {name}\n---\nText." for name in NEWS},
    })  # fmt: skip
    workspace = Workspace.open(tmp_path / "workspace", create=True)
    report = ingest(workspace, [site])
    with workspace.store() as store:
        picks = [(pick.source_id, pick.target_id) for pick in store.picks()]
    targets = [target for source, target in picks if source == "posts/a"]
    assert targets == ["ice-42", "posts/c", "news/potatoes", "news/harbor", "news/strike", "news/mayor", "news/bridge"]
    assert ("posts/c", "posts/a") in picks
    assert [reject.reason for reject in report.rejects] == [
        "pick to unknown article 'nowhere'", "pick to unknown article 'same'"
    ]  # fmt: skip


def test_links_in_posts_of_jekyll(write: Write) -> None:
    """`post_url` names a post by its file."""
    text = "---\ntitle: A\nrelated: ['{% post_url 2024-01-31-b %}']\n---\nText."
    found = entries(write({"_posts/2024-02-01-a.md": text, "_posts/2024-01-31-b.md": "---\n---\nText."}))
    a, b = found["_posts/2024-02-01-a"], found["_posts/2024-01-31-b"]
    assert a.links == ("2024-01-31-b",)
    assert "slug:2024-01-31-b#_posts/2024-01-31-b" in b.addresses
    assert (b.article.title, b.article.published_at) == ("B", datetime(2024, 1, 31, tzinfo=UTC))


@pytest.mark.parametrize(
    ("path", "given", "wanted"),
    [
        ("posts/a.md", "/x/index.html", "/x/"),
        ("posts/a.md", "https://other.example/a", "https://other.example/a"),
        ("_posts/2024-01-02-a.md", "/:year/:title/", "/2024/a/"),
        ("_posts/2024-01-02-a.md", "pretty", "/cat/2024/01/02/a/"),
        ("_posts/2024-01-02-a.md", None, "/cat/2024/01/02/a.html"),
        ("index.md", None, "/"),
        ("posts/b/index.md", None, "/posts/b/"),
    ],
)
def test_urls(path: str, given: str | None, wanted: str) -> None:
    """`permalink` and `url` win; patterns are filled in; else the tool's own rule."""
    assert page_url(place_of(path, None), given, None, None, ["Cat"], None) == wanted


def test_text_is_what_a_reader_reads() -> None:
    """Without shortcodes, Liquid, comments, attributes, scripts, footnote marks; with code, tables and HTML's text."""
    heading, text = to_text(
        "# The Title\n\n{{< figure src=x >}}Hi **bold** <b>B</b> &amp; [link](u).[^1]\n{: .lead}\n\n"
        "{{% note %}}\nIn a note.\n{{% /note %}}\n\n{% comment %}gone{% endcomment %}<!--more-->\n\n"
        "| a | b |\n|---|---|\n| 1 | 2 |\n\n"
        "```sh\nls -l\n```\n<script>gone()</script>\n\n## Part {#part}\n\n[^1]: A note.\n"
    )
    assert heading == "The Title"
    assert text.split("\n\n") == ["Hi bold B & link.", "In a note.", "a", "b", "1", "2", "ls -l", "Part", "A note."]


def test_a_heading_that_repeats_the_title_is_no_text_and_another_is() -> None:
    """So that no title counts twice."""
    assert to_text("# Same\n\nText.", "same") == ("Same", "Text.")
    assert to_text("# Other\n\nText.", "Title") == ("Other", "Other\n\nText.")


def test_mdx_without_its_module(write: Write) -> None:
    """Imports and exports are no text."""
    text = "---\ntitle: A\n---\nimport Box from '../box.js'\n\nexport const x = 1\n\n<Box>Inside</Box> of it."
    assert article(write, text, "a.mdx").body == "Inside of it."


def test_a_file_without_front_matter_needs_a_heading(write: Write) -> None:
    """A first heading is a title; without one, the file is a reject that says what to do."""
    site = write({"a.md": "# A title\n\nText.", "b.md": "Just text."})
    a, b = read([site], IngestSettings())
    assert isinstance(a, Entry)
    assert (a.article.title, a.article.body) == ("A title", "Text.")
    assert isinstance(b, Reject)
    assert "give it a title" in b.reason


BOMB = "a: &a [1,1,1,1,1,1,1,1,1,1]\n" + "".join(
    f"{new}: &{new} [{','.join([f'*{old}'] * 10)}]\n" for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)
MERGE_BOMB = "a: &a {x: 1}\n" + "".join(
    f"{new}: &{new} {{<<: [{','.join([f'*{old}'] * 10)}]}}\n" for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("front", "reason"),
    [
        (f"---\n{BOMB}---\n", "more than 20000 values, aliases counted"),
        (f"---\n{MERGE_BOMB}---\n", "more than 20000 values, aliases counted"),
        ("---\na: &a [*a]\n---\n", "nested deeper"),
        (f"---\n{'[' * 100_000}\n---\n", "nested deeper"),
        (f"---\n{'- ' * 50_000}x\n---\n", "nested deeper"),
        (f'{{"a": {"[" * 90_000}', "nested too deep"),
        (f"+++\na = {'[' * 50_000}\n+++\n", "TOML"),
        ("---\n!!python/object/apply:os.system [ls]\n---\n", "could not determine a constructor"),
        ("---\n- a\n---\n", "no list of names and values"),
        ("---\na: b: c\n---\n", "broken YAML in the front matter: mapping values are not allowed"),
        ("---\na: [\n---\n", "in line 3"),
        ("---\ntitle: x\n", "close it with a line ---"),
        ("---js\n{a: 1}\n---\n", "does not run"),
        ("+++\na = \n+++\n", "broken TOML"),
        ('{"a": 1,}', "broken JSON"),
        (f"---\na: {'x' * 300_000}\n---\n", "shorten it"),
    ],
)  # fmt: skip
def test_front_matter_that_cannot_be_read_says_why_and_ends_soon(front: str, reason: str) -> None:
    """Bombs, depth, objects, damage: one line, and no hang."""
    begin = time.monotonic()
    with pytest.raises(FrontMatterError, match=reason) as caught:
        split(front)
    assert time.monotonic() - begin < 5
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "data", [b"", b"\xff\xfe\x00", b"---\ntitle: \xe4\n---\nx", b"# a\x00\n\nb", b"---\ntitle: a\n---\n"]
)
def test_damaged_files_are_rejects(tmp_path: Path, data: bytes) -> None:
    """Each file is one entry or one reject."""
    (tmp_path / "a.md").write_bytes(data)
    (found,) = read([tmp_path / "a.md"], IngestSettings())
    assert isinstance(found, Reject)
    assert found.reason


PARTS = [
    "---\n", "+++\n", "title: a\n", "date: 2024-99-99\n", "&a ", "*a", "<<: ", "{{<", ">}}", "{%", "%}", "[", "](", "`",
    "# h\n", "|", "|-|\n", "<div>", "<!--", "related: ", "- b\n", "{", "}", '"', ": ", "\n", "\t", "\x0b", "é",
    "\U0001f600", "!!binary ",
]  # fmt: skip


@settings(max_examples=150, deadline=2000)
@given(st.lists(st.one_of(st.sampled_from(PARTS), st.text(max_size=5)), max_size=40).map("".join))
def test_any_text_is_one_entry_or_one_reject(text: str) -> None:
    """No file crashes the reader, whatever it holds."""
    from io import BytesIO

    from simrec.ingest.markdown import read as read_markdown
    from simrec.ingest.source import SourceFile

    data = text.encode("utf-8", "surrogatepass")
    source = SourceFile("a.md", "posts/a.md", lambda: BytesIO(data))
    assert len(list(read_markdown(source, IngestSettings()))) == 1


POST = "---\ntitle: A\n---\nText of the harbor."


def test_hugo_makes_no_page_of_the_parts_of_a_bundle(write: Write) -> None:
    """Beside the index of a leaf bundle, and below it; files at the top and beside list pages are pages."""
    site = write({
        "hugo.toml": "defaultContentLanguage = 'en'\n[languages.de]\n",
        "content/index.md": POST, "content/about.md": POST, "content/posts/_index.md": POST, "content/posts/a.md": POST,
        "content/posts/ferry/index.md": POST, "content/posts/ferry/notes.md": POST,
        "content/posts/ferry/more/index.md": POST, "content/posts/ice/index.de.md": POST,
        "content/posts/ice/x.md": POST,
    })  # fmt: skip
    wanted = {"posts/a", "posts/ferry", "posts/ice.de"}
    assert set(entries(site)) == {"index", "about", *wanted}
    assert set(entries(site / "content" / "posts")) == wanted


def test_jekyll_makes_no_page_of_what_it_does_not_put_out(write: Write) -> None:
    """Folders with an underscore that are no collection, collections that are not put out, and `exclude`."""
    site = write({
        "_config.yml": "exclude: [vault/, CONTRIB.md, 'old-*']\ncollections: {recipes: {output: true}, staff: {}}\n",
        "_private/a.md": POST, "_staff/a.md": POST, "vault/deep/a.md": POST, "CONTRIB.md": POST, "old-news.md": POST,
        "_recipes/soup.md": POST, "news.md": POST, "_posts/2024-01-31-a.md": POST, "_drafts/d.md": POST,
    })  # fmt: skip
    found = {id_: entry.article.status for id_, entry in entries(site).items()}
    assert found == {
        "_recipes/soup": "published", "news": "published", "_posts/2024-01-31-a": "published", "_drafts/d": "draft",
    }  # fmt: skip
    (reject,) = read([site / "_private" / "a.md"], IngestSettings())
    assert isinstance(reject, Reject)


def test_drafts_are_drafts_whichever_folder_is_named(write: Write) -> None:
    """Without the site's settings, the folder itself or a file of it."""
    site = write({"_drafts/d.md": POST})
    for source in (site, site / "_drafts", site / "_drafts" / "d.md"):
        assert [entry.article.status for entry in entries(source).values()] == ["draft"]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (".eleventy.js", 'module.exports = () => ({dir: {input: "../outside"}})'),
        ("hugo.toml", "contentDir = '../outside'"),
        ("_config.yml", "source: ../outside"),
    ],
)
def test_content_outside_of_the_site_is_not_read(write: Write, tmp_path: Path, name: str, text: str) -> None:
    """Whatever the site's own settings say: the folder has to be named."""
    site = write({name: text, "content/a.md": POST, "../outside/secret.md": POST})
    (reject,) = read([site], IngestSettings())
    assert isinstance(reject, Reject)
    assert "outside" in reject.reason


def test_a_link_to_content_or_picks_outside_of_the_site_is_not_followed(write: Write, tmp_path: Path) -> None:
    """Neither Hugo's content folder nor a table of picks is read by a link that leads out."""
    site = write(
        {"hugo.toml": "", "../outside/a.md": POST, "../outside/picks.csv": "source_id,target_id,rank\na,b,1\n"}
    )
    (site / "content").symlink_to(tmp_path / "outside")
    (reject,) = read([site], IngestSettings())
    assert isinstance(reject, Reject)
    plain = write({"../plain/a.md": POST}).parent / "plain"
    (plain / "picks.csv").symlink_to(tmp_path / "outside" / "picks.csv")
    report = ingest(Workspace.open(tmp_path / "w", create=True), [plain])
    assert (report.new, report.rejected) == (1, 1)
    assert "leads out" in report.rejects[0].reason


@pytest.mark.parametrize(
    ("settings", "name", "zone"),
    [
        ("timeZone = 'America/New_York'", "a.md", "-04:00"),
        (
            "timeZone = 'America/New_York'\n[languages.de]\ntimeZone = 'Europe/Berlin'\n[languages.en]",
            "a.de.md",
            "+02:00",
        ),
        ("timeZone = 'America/New_York'\n[languages.de]\ntimeZone = 'Europe/Berlin'\n[languages.en]", "a.md", "-04:00"),
        ("timeZone = 'Nowhere/At_All'", "a.md", "+00:00"),
        ("timeZone = '/etc/passwd'", "a.md", "+00:00"),
        ("", "a.md", "+00:00"),
    ],
    ids=["site", "language", "default language", "unknown", "no name", "none"],
)
@pytest.mark.parametrize(
    "matter",
    [
        "---\npublishDate: 2024-05-01 10:00:00\nlastmod: '2024-05-01T10:00:00'\nexpiryDate: 1 May 2024 10:00\n---\n",
        "+++\npublishDate = 2024-05-01T10:00:00\nlastmod = '2024-05-01 10:00'\nexpiryDate = 2024-05-01T10:00:00\n+++\n",
    ],
    ids=["YAML", "TOML"],
)
def test_a_date_of_hugo_without_an_offset_is_in_its_time_zone(
    write: Write, settings: str, name: str, zone: str, matter: str
) -> None:
    """However it is written: an embargo opens when the site's own page does."""
    found = article(write, f"{matter}# A bridge\n\nIt is open.", f"content/posts/{name}", **{"hugo.toml": settings})
    dates = (found.published_at, found.embargo_until, found.updated_at, found.expires_at)
    assert [date and date.isoformat() for date in dates] == [f"2024-05-01T10:00:00{zone}"] * 4


def test_a_date_with_an_offset_keeps_it(write: Write) -> None:
    """Whatever the site's zone."""
    matter = "---\ndate: 2024-05-01T10:00:00+02:00\nlastmod: Wed, 01 May 2024 10:00:00 GMT\nexpiryDate: 2024-05-01 10:00:00Z\n---\n"  # fmt: skip # noqa: E501
    found = article(write, f"{matter}# A\n\nB.", "content/a.md", **{"hugo.toml": "timeZone = 'America/New_York'"})
    dates = (found.published_at, found.updated_at, found.expires_at)
    assert [date and date.astimezone(UTC).hour for date in dates] == [8, 10, 10]


@pytest.mark.parametrize(
    ("date", "wanted", "day"),
    [
        ("date: 2024-05-01 02:00:00", "2024-05-01T02:00:00+00:00", "2024/04/30"),
        ("date: '2024-05-01 02:00:00'", "2024-05-01T02:00:00-04:00", "2024/05/01"),
        ("date: 2024-05-01 02:00", "2024-05-01T02:00:00-04:00", "2024/05/01"),
        ("date: 2024-05-01", "2024-05-01T00:00:00-04:00", "2024/05/01"),
        ("date: 2024-05-01 02:00:00 +0200", "2024-05-01T02:00:00+02:00", "2024/04/30"),
        ("layout: post", "2024-05-01T00:00:00-04:00", "2024/05/01"),
    ],
)
def test_a_date_of_jekyll_is_what_jekyll_makes_of_it(write: Write, date: str, wanted: str, day: str) -> None:
    """A timestamp to YAML is UTC, all else without an offset in the site's zone; URLs have the day there."""
    text, name = f"---\ntitle: A bridge\n{date}\n---\nIt is open.", "_posts/2024-05-01-bridge.md"
    found = article(write, text, name, **{"_config.yml": "timezone: America/New_York"})
    assert (found.published_at and found.published_at.isoformat(), found.url) == (wanted, f"/{day}/bridge.html")
