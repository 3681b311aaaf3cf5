"""Lists of links in HTML: rows, cards, or links in a line."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from lxml.html import HtmlElement

from simrec.ingest.address import NOT_PAGES

LINK_SHARE = 0.6
"""From this share of its letters in links, an element is a list of links."""
CARD_LETTERS = 400
"""Letters beside its link that a card or list item may have: a date, an excerpt."""
MAX_CLIMB = 4

LINE_LETTERS = 150
"""Letters of a line that names a link and the way to it: "Tools - Options - Languages"."""
SENTENCE_ENDS = (".", "!", "?", "。", "！", "？", "।")

CARD_TAGS = frozenset(("article", "li", "section", "figure", "div", "dd", "tr", "td"))
TITLES = ("h1", "h2", "h3", "h4", "h5", "h6")
NO_TEXT = frozenset(("script", "style", "noscript", "template"))


def text_of(element: HtmlElement, limit: int = 0) -> str:
    """The text of an element; with a limit, reading stops soon after so many characters."""
    parts: list[str] = []
    size = 0
    for part in element.itertext():
        parts.append(part)
        size += len(part.strip())
        if limit and size > limit:
            break
    return "".join(parts)


def has_words(text: str) -> bool:
    """Whether a text holds a letter or digit, not only spaces, dots and bars."""
    return any(map(str.isalnum, text))


def is_blank(element: HtmlElement) -> bool:
    """Whether a reader sees nothing of an element: no words, no links."""
    if not isinstance(element.tag, str) or element.tag in NO_TEXT:
        return True
    return not has_words(text_of(element)) and not links_in(element)


def links_in(element: HtmlElement) -> list[HtmlElement]:
    """The element itself or those in it that link to pages."""
    return [link for link in element.iter("a") if _leads_somewhere(link.get("href", "").strip())]


def _leads_somewhere(href: str) -> bool:
    return bool(href) and not href.startswith("#") and not href.lower().startswith(NOT_PAGES)


def list_after(heading: HtmlElement, borders: Collection[str]) -> list[HtmlElement]:
    """The elements with links that follow a heading directly; none where something else follows.

    Args:
        heading: the heading. Where it is the last in its parent, what follows the parent counts, and so on.
        borders: tags of elements that no list is looked for behind.
    """
    for _ in range(MAX_CLIMB):
        following = [one for one in heading.itersiblings() if not is_blank(one) or has_words(one.tail or "")]
        if following:
            return list(_run(following))
        parent = heading.getparent()
        if parent is None or parent.tag in borders or has_words(parent.tail or ""):
            return []
        heading = parent
    return []


def _run(following: list[HtmlElement]) -> Iterator[HtmlElement]:
    """The first elements, as long as they are lists of links, or rows or cards of one list."""
    last: HtmlElement | None = None
    for element in following:
        if not is_link_list(element) or (last is not None and not _goes_on(last, element)):
            return
        yield element
        if has_words(element.tail or ""):
            return
        last = element


def _goes_on(last: HtmlElement, element: HtmlElement) -> bool:
    """Whether two lists that follow one another are rows of one: both have one link, or look the same."""
    if (element.tag, element.get("class")) == (last.tag, last.get("class")):
        return element.tag not in ("ul", "ol", "nav")
    return len(links_in(element)) == 1 == len(links_in(last))


def is_link_list(element: HtmlElement) -> bool:
    """Whether an element is mostly links, or holds cards with a link each."""
    links = links_in(element) if isinstance(element.tag, str) else []
    if not links:
        return False
    letters = _letters(element)
    linked = sum(_letters(link) for link in links)
    if linked >= LINK_SHARE * letters:
        return True
    if element.tag == "p":
        return len(links) == 1 and letters <= LINE_LETTERS and not text_of(element).rstrip().endswith(SENTENCE_ENDS)
    return _is_card(element, letters - linked) or _holds_cards(element)


def _letters(element: HtmlElement) -> int:
    return sum(len(part.strip()) for part in element.itertext())


def _is_card(element: HtmlElement, letters: int) -> bool:
    """Whether an element is a link with little text beside it: the link comes first, or is a title."""
    if element.tag not in CARD_TAGS or letters > CARD_LETTERS:
        return False
    links = links_in(element)
    titled = any(above.tag in TITLES for link in links for above in (*link.iterancestors(), *link.iterdescendants()))
    first = next((part.strip() for part in element.itertext() if has_words(part)), "")
    return len({link.get("href") for link in links}) == 1 and (titled or text_of(links[0]).strip().startswith(first))


def _holds_cards(element: HtmlElement) -> bool:
    children = [child for child in element if not is_blank(child)]
    while len(children) == 1 and not has_words(element.text or "") and len(children[0]):
        element = children[0]
        children = [child for child in element if not is_blank(child)]
    listed = element.tag in ("ul", "ol", "table", "tbody", "dl")
    return (
        (listed or len(children) > 1)
        and not has_words(element.text or "")
        and all(
            bool(links_in(child))
            and child.tag != "p"
            and _letters(child) - sum(map(_letters, links_in(child))) <= CARD_LETTERS
            for child in children
        )
    )
