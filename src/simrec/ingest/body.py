"""The text of an HTML page: trafilatura's extraction, or all of the main part where that would lose text.

Source: trafilatura (Barbaresi 2021), set to favor recall; its removal of duplicate passages is off.
"""

from __future__ import annotations

import logging
import re
from copy import deepcopy
from typing import Any

from lxml import etree
from lxml.html import HtmlElement

from simrec.text import clean

logger = logging.getLogger(__name__)

MAIN_SHARE = 0.8
"""An extraction with fewer of the main part's words than this has lost text."""
BODY_SHARE = 0.5
"""The same for a page without a main part, where menus and notices are in the text."""

CHROME = ("script", "style", "noscript", "template", "nav", "aside", "footer", "form", "button", "select", "iframe",
          "svg", "object", "canvas", "dialog", "textarea", "input", "head")  # fmt: skip
_CHROME_NAME = re.compile(
    r"(?:^|[\s_-])(?:comments?|disqus|share|sharing|social|newsletter|cookies?|breadcrumbs?|pagination|sidebar|promo|"
    r"advert\w*|menu|navbar|skip-link)(?:$|[\s_-])",
    re.IGNORECASE,
)
_BLOCKS = frozenset(
    [
        "address",
        "article",
        "blockquote",
        "body",
        "caption",
        "center",
        "dd",
        "details",
        "div",
        "dl",
        "dt",
        "fieldset",
        "figcaption",
        "figure",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "header",
        "hr",
        "html",
        "legend",
        "li",
        "main",
        "ol",
        "p",
        "pre",
        "section",
        "summary",
        "table",
        "tbody",
        "td",
        "tfoot",
        "th",
        "thead",
        "tr",
        "ul",
    ]
)


def page_text(tree: HtmlElement) -> str:
    """The main text of a page, whole, in paragraphs; "" where it has none."""
    page = without_chrome(tree)
    extracted = _extracted(page)
    main, share = _main_part(page, len(extracted.split()))
    if main is None:
        return extracted
    text = block_text(main)
    wanted = len(text.split()) - _linked_words(main)
    kept = len(extracted.split())
    if not _spaced(text):
        wanted, kept = len(text) - sum(len(link.text_content()) for link in main.iter("a")), len(extracted)
    return extracted if extracted and kept >= share * wanted else text


def _extracted(tree: HtmlElement) -> str:
    import trafilatura  # slow to import

    try:
        document: Any = trafilatura.bare_extraction(
            deepcopy(tree), favor_recall=True, include_comments=False, include_tables=True, deduplicate=False
        )
    except Exception:  # a page that trafilatura cannot read still has a text
        logger.debug("trafilatura could not read the page", exc_info=True)
        return ""
    return clean(document.text or "") if document else ""


def without_chrome(tree: HtmlElement) -> HtmlElement:
    """A copy of a page, or of a part of one, without scripts, menus, forms and what else is no text of the article."""
    page = deepcopy(tree)
    removed = list(page.iter(*CHROME))
    removed += [one for one in page.iter("header") if not one.xpath("ancestor::article or ancestor::main")]
    removed += [one for one in page.iter("div", "section", "ul", "p") if _CHROME_NAME.search(_names(one))]
    for element in removed:
        if element.getparent() is not None:
            element.drop_tree()
    return page


def _names(element: HtmlElement) -> str:
    return f"{element.get('class', '')} {element.get('id', '')}"


def _main_part(page: HtmlElement, words: int) -> tuple[HtmlElement | None, float]:
    """The element with the article, and the share of its words that an extraction must have."""
    for path in ("//*[@itemprop='articleBody']", "//article", "//main|//*[@role='main']"):
        found = page.xpath(path)
        if len(found) == 1 and found[0].text_content().strip():
            return found[0], MAIN_SHARE
    body = page.find("body") if page.tag == "html" else page
    headings = page.xpath("//h1")
    if len(headings) == 1:
        for above in headings[0].iterancestors():
            if above.tag in ("body", "html"):
                break
            if len(above.text_content().split()) >= words > 0:
                return above, MAIN_SHARE
    return body, BODY_SHARE


def _linked_words(element: HtmlElement) -> int:
    return sum(len(link.text_content().split()) for link in element.iter("a"))


def _spaced(text: str) -> bool:
    """Whether words are divided by spaces, as they are not in Japanese."""
    return len(text) < 20 * (len(text.split()) + 1)


def block_text(element: HtmlElement) -> str:
    """The text of an element as a reader sees it: a paragraph for each block, a line for each br."""
    parts: list[str] = []
    for event, node in etree.iterwalk(element, events=("start", "end", "comment", "pi")):
        if event in ("comment", "pi"):
            parts.append(node.tail or "")
            continue
        block = node.tag in _BLOCKS
        if event == "start":
            parts += ["\x1f" if block else "\n" if node.tag == "br" else "", _flat(node)]
        else:
            parts += [
                "\x1f" if block else "",
                "" if node is element else _collapsed(node.tail, node.getparent()),
            ]
    blocks = (clean(block) for block in "".join(parts).split("\x1f"))
    return "\n\n".join(block for block in blocks if block)


def _flat(node: HtmlElement) -> str:
    return _collapsed(node.text, node)


def _collapsed(text: str | None, parent: HtmlElement | None) -> str:
    """A text with its line breaks as spaces, except where they are meant."""
    if not text or (parent is not None and any(one.tag == "pre" for one in (parent, *parent.iterancestors("pre")))):
        return text or ""
    return re.sub(r"\s+", " ", text)
