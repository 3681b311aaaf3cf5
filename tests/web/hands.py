"""What a test does at a page of the desk, in a browser."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

READY = "main:not([aria-busy], [data-again])"
"""A page that is whole, and at which nothing is under way."""


def block(page: Any) -> list[str]:
    """The ids in the page's block, as the desk lists them."""
    return [row.get_attribute("data-id") for row in page.locator("[data-block] > .row").all()]


def shown(page: Any) -> list[str]:
    """The titles that readers see, in the preview."""
    return page.locator(".paper li").locator("a, span").all_inner_texts()


def listed(page: Any, heading: str) -> list[str]:
    """The ids of one of the page's lists."""
    section = page.locator(f"section[aria-labelledby={heading}]")
    return [row.get_attribute("data-id") for row in section.locator(".row").all()]


def said(page: Any) -> Any:
    """Waits until something is announced, and gives it."""
    page.wait_for_selector("#said:not(:empty)", state="attached")
    return page.locator("#said").inner_text()


def row(page: Any, id_: str) -> Any:
    """The row of an article."""
    return page.locator(f'.row[data-id="{id_}"]').first


@contextmanager
def acting(page: Any) -> Iterator[None]:
    """Waits, when something was done, for the page as it is then."""
    version = page.locator("#acts [name=version]").get_attribute("value")
    yield
    page.wait_for_selector(f'#acts [name=version]:not([value="{version}"])', state="attached")
    page.wait_for_selector(READY)


def press(page: Any, do: str, id_: str) -> None:
    """Presses a button of an article, and waits for the page as it is then."""
    with acting(page):
        page.locator(f'.row[data-id="{id_}"] [data-do={do}]').first.click()


def type_key(page: Any, key: str, id_: str) -> None:
    """Presses a key on an article, and waits for the page as it is then."""
    with acting(page):
        row(page, id_).focus()
        page.keyboard.press(key)


def drag(page: Any, id_: str, to_y: float) -> None:
    """Drags an article by its handle to a height of the screen, and lets go there."""
    grip = row(page, id_).locator("[data-grip]").bounding_box()
    page.mouse.move(grip["x"] + 5, grip["y"] + 8)
    page.mouse.down()
    page.mouse.move(grip["x"] + 5, (grip["y"] + to_y) / 2, steps=6)
    page.mouse.move(grip["x"] + 5, to_y, steps=6)
    page.mouse.up()
