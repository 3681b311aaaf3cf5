"""The house rules as simrec.toml has them: its table [policy], and what of it cannot hold together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator


def _common(one: Iterable[str], other: Iterable[str]) -> str | None:
    """The id that stands in both, case and all; None where none does."""
    there = set(other)
    return next((text for text in one if text in there), None)


def _common_words(one: Iterable[str], other: Iterable[str]) -> str | None:
    """What stands in both, whatever its case; None where nothing does."""
    folded = {text.casefold() for text in other}
    return next((text for text in one if text.casefold() in folded), None)


def _joined(lists: Iterable[Sequence[str]]) -> tuple[tuple[str, ...], ...]:
    """Lists of which no two share an id: those that do are one.

    >>> _joined([["a", "b"], ["x", "y"], ["b", "c"]])
    (('a', 'b', 'c'), ('x', 'y'))
    """
    list_of: dict[str, dict[str, None]] = {}
    for ids in lists:
        joined: dict[str, None] = {}
        for id_ in ids:
            joined |= list_of.get(id_, {id_: None})
        list_of |= dict.fromkeys(joined, joined)
    return tuple(tuple(ids) for ids in {id(ids): ids for ids in list_of.values()}.values())


class Section(BaseModel):
    """A table of simrec.toml: unknown names are errors, values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class SideSettings(Section):
    """Articles, named by what they are; where anything is included, only that is meant."""

    include_sections: tuple[str, ...] = Field((), description="sections; if any are named, no others")
    exclude_sections: tuple[str, ...] = Field((), description="sections that are left out")
    include_tags: tuple[str, ...] = Field((), description="tags of which one is needed")
    exclude_tags: tuple[str, ...] = Field((), description="tags of which none may be there")
    include_authors: tuple[str, ...] = Field((), description="authors of whom one is needed")
    exclude_authors: tuple[str, ...] = Field((), description="authors of whom none may be there")
    include_ids: tuple[str, ...] = Field((), description="ids of articles; if any are named, no others")
    exclude_ids: tuple[str, ...] = Field((), description="ids of articles that are left out")
    include_terms: tuple[str, ...] = Field((), description="words or phrases of which one is needed, in title or body")
    exclude_terms: tuple[str, ...] = Field((), description="words or phrases of which none may be there")

    @model_validator(mode="after")
    def _agree(self) -> Self:
        for kind in ("sections", "tags", "authors", "ids", "terms"):
            common = _common if kind == "ids" else _common_words
            both = common(getattr(self, f"include_{kind}"), getattr(self, f"exclude_{kind}"))
            if both:
                raise ValueError(f"{both!r} is both in include_{kind} and in exclude_{kind}: take one out")
        return self


class PolicySettings(Section):
    """The house rules: what may stand in a block. Each holds before the list is cut to k."""

    same_language: bool = Field(True, description="only articles in the page's language")
    languages: dict[str, tuple[str, ...]] = Field(
        default_factory=dict,
        description="by a page's language, the languages of articles under it; others keep to same_language",
    )
    source: SideSettings = Field(SideSettings(), description="pages that have a block")
    target: SideSettings = Field(SideSettings(), description="articles that may be shown under others")
    off: tuple[str, ...] = Field(
        (), description='ids of pages without a block; an article says it itself by `similar` = "off"'
    )
    pinned: dict[str, tuple[str, ...]] = Field(
        default_factory=dict,
        description="by a page's id, ids that stand first; bans, language, copies and visibility alone go before",
    )
    banned: dict[str, tuple[str, ...]] = Field(default_factory=dict, description="by a page's id, ids never under it")
    pin_picks: bool = Field(False, description="an article's own picks stand first")
    boost: dict[str, float] = Field(
        default_factory=dict, description="by an article's id, what is added to its score; less than 0 lowers it"
    )
    max_age_days: float | None = Field(None, gt=0, description="older articles are not shown, nor those without a date")
    half_life_days: float | None = Field(
        None, gt=0, description="days of age that cost an article 0.69 of its score: its odds are halved"
    )
    older_only: bool = Field(False, description="only articles that are not newer than the page")
    around_days: float | None = Field(
        None, gt=0, description="only articles published at most so many days before or after the page"
    )
    max_per_section: int | None = Field(None, ge=1, description="items of one section in a block")
    max_per_author: int | None = Field(None, ge=1, description="items of one author in a block")
    max_per_series: int | None = Field(None, ge=1, description="items of one series (the column `series`) in a block")
    min_score: float | None = Field(
        None, description="least score, in standard deviations above the site's random pairs; none unless set"
    )
    min_cosine: float | None = Field(
        None, gt=0, le=1, description="least cosine of page and item, by words or by meaning; none unless set"
    )
    diversity: float = Field(0.0, ge=0, lt=1, description="weight of being unlike the items above (MMR); 0: off")
    hub_limit: float | None = Field(
        None, gt=0, le=1, description="most share of all blocks that one article may stand in"
    )
    near_duplicate: float = Field(
        0.7, gt=0, le=1, description="share of common word sequences from which two articles are copies"
    )
    copies: Literal["best", "canonical", "newest"] = Field(
        "best", description="which of several copies is shown: the most similar, the original, or the newest"
    )
    same_story: tuple[tuple[str, ...], ...] = Field(
        (), description="lists of ids that are copies of one story; lists that share an id are one"
    )
    apart: tuple[str, ...] = Field((), description="ids of articles that are nobody's copy")
    fallback: tuple[Literal["section", "popular", "recent"], ...] = Field(
        (), description="what fills a block that similar articles do not fill, in this order"
    )

    @field_validator("same_story")
    @classmethod
    def _join(cls, lists: tuple[tuple[str, ...], ...]) -> tuple[tuple[str, ...], ...]:
        return _joined(lists)

    @model_validator(mode="after")
    def _pins_agree(self) -> Self:
        shown, pages = self.target.include_ids, self.source.include_ids
        story_of = {id_: number for number, ids in enumerate(self.same_story) for id_ in ids}
        for page, ids in self.pinned.items():
            both = _common(ids, self.banned.get(page, ())) or _common(ids, self.target.exclude_ids)
            if both:
                raise ValueError(f"{both!r} is pinned under {page!r}, and banned or excluded: take one out")
            if page in ids:
                raise ValueError(f"{page!r} is pinned under itself: take it out")
            if page in self.off or page in self.source.exclude_ids:
                raise ValueError(f"{page!r} has no block, and articles pinned in it: take one out")
            if ids and pages and page not in pages:
                raise ValueError(f"{page!r} has pins, and is not in source.include_ids: add it there, or unpin them")
            left_out = next((id_ for id_ in ids if shown and id_ not in shown), None)
            if left_out:
                raise ValueError(
                    f"{left_out!r} is pinned under {page!r}, and not in target.include_ids: add it there, or unpin it"
                )
            stories = {story_of[page]: page} if page in story_of else {}
            for id_ in ids:
                other = stories.setdefault(story_of[id_], id_) if id_ in story_of else id_
                if other != id_:
                    raise ValueError(f"{id_!r} is pinned under {page!r}, and one story with {other!r}: take one out")
        return self

    @model_validator(mode="after")
    def _agree(self) -> Self:
        boosted = next((id_ for id_ in self.target.exclude_ids if self.boost.get(id_, 0) > 0), None)
        if boosted:
            raise ValueError(f"{boosted!r} is boosted, and excluded as target: take one out")
        own = next((page for page, langs in self.languages.items() if not langs), None)
        if own:
            raise ValueError(f"languages names none for pages in {own!r}: name some, or take it out")
        if self.languages and not self.same_language:
            raise ValueError("languages are restricted, and same_language is off: take one out")
        together = [id_ for ids in self.same_story for id_ in ids]
        torn = _common(together, self.apart)
        if torn:
            raise ValueError(f"{torn!r} is in same_story and in apart: take one out")
        if len(set(self.fallback)) < len(self.fallback):
            raise ValueError("fallback names something twice: take it out")
        return self
