"""The related block of an HTML page: finds it, reads its links, and cuts it out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from cssselect import SelectorError, parse
from cssselect.parser import CombinedSelector
from lxml.cssselect import CSSSelector
from lxml.html import HtmlElement

from simrec.errors import UsageError
from simrec.ingest.headings import MAX_HEADING, is_related_heading, normalize_heading
from simrec.ingest.linklist import CARD_LETTERS, has_words, is_blank, links_in, list_after, text_of
from simrec.settings import IngestSettings

SECTION_HEADINGS = ("h2", "h3", "h4", "h5", "h6")
HEADING_TAGS = (
    "h1", *SECTION_HEADINGS, "strong", "b", "em", "p", "div", "dt", "span", "th", "td", "summary", "legend", "label",
    "header", "caption", "figcaption", "li", "center", "font",
)  # fmt: skip
INLINE = frozenset(("strong", "b", "em", "span", "label", "font"))
PAGE_PARTS = frozenset(("html", "body", "main", "article"))


class Related(NamedTuple):
    """What was cut: the values of ``href`` in page order, and whether there was a block at all."""

    hrefs: list[str]
    found: bool


def check_selector(selector: str) -> None:
    """Raises UsageError where a selector is no CSS selector."""
    if selector:
        _compiled(selector)


def cut_related(tree: HtmlElement, settings: IngestSettings) -> Related:
    """Cuts the related block, its heading and its links, out of a page.

    `picks_selector` finds it, by its links or by what contains them; a page on which the selector finds no link is
    searched for a heading (of the settings, or known) with a list of links after it.
    """
    blocks: list[HtmlElement] = []
    if settings.picks_selector:
        blocks = _selected(tree, settings)
    if not blocks:
        blocks = _under_headings(tree, settings)
    hrefs = [link.get("href", "") for block in blocks for link in links_in(block)]
    for block in blocks:
        if block.getparent() is not None:
            block.drop_tree()
    return Related(hrefs, bool(blocks))


def _compiled(selector: str) -> CSSSelector:
    try:
        return CSSSelector(selector, translator="html")
    except SelectorError as error:
        raise UsageError(
            f"{selector!r} is no CSS selector of picks ({error}): write one like 'div.related a'"
        ) from error


def _selected(tree: HtmlElement, settings: IngestSettings) -> list[HtmlElement]:
    """The blocks that the selector finds, each grown to its list and heading, in page order."""
    chosen = [element for element in _compiled(settings.picks_selector)(tree) if links_in(element)]
    marked = set(chosen)
    blocks: dict[HtmlElement, None] = {}
    for container in _containers(tree, marked, settings):
        heading = _heading_before(container, settings, known_only=False)
        blocks.update(dict.fromkeys([container] if heading is None else [heading, container]))
    for element in chosen:
        if any(above in blocks for above in element.iterancestors()):
            continue
        block = _grown(element, marked, settings)
        heading = _heading_before(block, settings, known_only=block.tag == "a")
        blocks.update(dict.fromkeys([block] if heading is None else [heading, block]))
    return [block for block in blocks if not any(above in blocks for above in block.iterancestors())]


def _containers(tree: HtmlElement, marked: set[HtmlElement], settings: IngestSettings) -> Iterator[HtmlElement]:
    """What a selector like ``div.related a`` names before the links: the whole block, unless it holds an article.

    A container without links is a block too, where it begins with a related heading.
    """
    for container in _compiled_container(settings.picks_selector)(tree):
        links = [element for element in container.iter() if element in marked]
        letters = sum(len(part.strip()) for part in _text_outside(container, marked))
        lines = [line.strip() for line in text_of(container).strip().splitlines()]
        headed = is_related_heading(lines[0], settings.headings) if lines else False
        if container.tag in PAGE_PARTS or not (links or headed):
            continue
        if letters <= CARD_LETTERS * max(len(links), 1):
            yield container


def _compiled_container(selector: str) -> Callable[[HtmlElement], list[HtmlElement]]:
    """Finds what stands before the last combinator of a selector; nothing for a selector without one."""
    trees = [parsed.parsed_tree for parsed in parse(selector)]
    before = [
        tree.selector.canonical() for tree in trees if isinstance(tree, CombinedSelector) and tree.combinator in " >"
    ]
    return CSSSelector(", ".join(before), translator="html") if before else lambda tree: []


def _grown(element: HtmlElement, marked: set[HtmlElement], settings: IngestSettings) -> HtmlElement:
    """The largest element around `element` that holds nothing but selected ones and their heading."""
    while True:
        parent = element.getparent()
        if parent is None or parent.tag in PAGE_PARTS or not _is_pure(parent, marked, settings):
            return element
        element = parent


def _is_pure(parent: HtmlElement, marked: set[HtmlElement], settings: IngestSettings) -> bool:
    outside = " ".join(_text_outside(parent, marked))
    if not has_words(outside) or is_related_heading(outside, settings.headings):
        return True
    children = [child for child in parent if isinstance(child.tag, str) and has_words(text_of(child))]
    if children and children[0].tag in SECTION_HEADINGS and not has_words(parent.text or ""):
        if normalize_heading(outside) == normalize_heading(text_of(children[0])):
            return True
        children = children[1:]
    cards = [child for child in children if child.tag not in ("p", "h1") and any(one in marked for one in child.iter())]
    return len(cards) == len(children) and (len(cards) > 1 or parent.tag in ("ul", "ol"))


def _text_outside(element: HtmlElement, marked: set[HtmlElement]) -> Iterator[str]:
    """The texts in an element that are not in marked ones."""
    stack: list[HtmlElement | str] = [element]
    while stack:
        item = stack.pop()
        if isinstance(item, str):
            yield item
        elif item not in marked and isinstance(item.tag, str) and item.tag not in ("script", "style"):
            parts: list[HtmlElement | str] = [item.text or ""]
            for child in item:
                parts += [child, child.tail or ""]
            stack.extend(reversed(parts))


def _heading_before(block: HtmlElement, settings: IngestSettings, *, known_only: bool) -> HtmlElement | None:
    """The heading right before a block, where it is one of a related block or (unless `known_only`) of any section."""
    before = block.getprevious()
    while before is not None and is_blank(before) and not has_words(before.tail or ""):
        before = before.getprevious()
    if before is None or not isinstance(before.tag, str) or has_words(before.tail or ""):
        return None
    if before.tag in SECTION_HEADINGS and not known_only:
        return before
    return before if is_related_heading(text_of(before, MAX_HEADING), settings.headings) else None


def _under_headings(tree: HtmlElement, settings: IngestSettings) -> list[HtmlElement]:
    """Every related heading that has a list of links after it, with that list."""
    blocks: dict[HtmlElement, None] = {}
    for element in tree.iter(*HEADING_TAGS):
        if element in blocks or not is_related_heading(text_of(element, MAX_HEADING), settings.headings):
            continue
        heading = _outermost(element)
        if heading in blocks or not _stands_alone(heading):
            continue
        if found := list_after(heading, PAGE_PARTS):
            blocks.update(dict.fromkeys([heading, *found]))
    return [block for block in blocks if not any(above in blocks for above in block.iterancestors())]


def _outermost(element: HtmlElement) -> HtmlElement:
    """The largest element around a heading that holds the same text."""
    text = text_of(element, MAX_HEADING).split()
    parent = element.getparent()
    while parent is not None and parent.tag not in PAGE_PARTS and text_of(parent, MAX_HEADING).split() == text:
        element, parent = parent, parent.getparent()
    return element


def _stands_alone(heading: HtmlElement) -> bool:
    """Whether a heading is an element of its own, not a phrase within prose and not a link."""
    if any(above.tag == "a" for above in heading.iterancestors()):
        return False
    if links_in(heading) and heading.tag not in ("h1", *SECTION_HEADINGS, "dt", "header"):
        return False
    if has_words(heading.tail or ""):
        return False
    before = heading.getprevious()
    text = (heading.getparent().text or "") if before is None else (before.tail or "")  # type: ignore[union-attr]
    return heading.tag not in INLINE or (not has_words(text) and (before is None or before.tag not in INLINE))
