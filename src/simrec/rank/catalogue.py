"""The features of learned rankers, one by one: what each is, and what it says in words.

docs/reference/features.md is made from these tables.
"""

from __future__ import annotations

from typing import NamedTuple


class Feature(NamedTuple):
    """A column.

    Attributes:
        name: how it is called in models and in the documentation.
        group: what it needs; a group that is missing on a site is missing as a whole.
        words: why it moved an article up, in words, for `--explain`.
        meaning: what it is, with its unit.
        carries_over: its scale is the same on every site, so that a ranker trained elsewhere can use it.
        sign: 1 where more of it can only speak for a candidate, -1 against, 0 where it depends.
    """

    name: str
    group: str
    words: str
    meaning: str
    carries_over: bool = True
    sign: int = 0


FUSED = ("tfidf", "sentence", "tags", "section", "age")
"""The parts of the fusion, in its order."""
SAYS = {
    "tfidf": "shares many words",
    "sentence": "means something similar",
    "tags": "has similar tags",
    "section": "is in the same section",
    "age": "was published at about the same time",
}
NEAR = ("tfidf", "sentence", "title", "fused")
"""The lists of nearest articles that places are taken from."""

OF_PAIRS: tuple[Feature, ...] = (
    *(
        Feature(f"{part}_z", part, SAYS[part], f"{part}: dampened standard deviations above the page's usual", True, 1)
        for part in FUSED
    ),
    *(
        Feature(
            f"{part}_back", part, SAYS[part], f"{part}: dampened standard deviations above the candidate's usual", True, 1
        )
        for part in FUSED
    ),
    Feature("fused", "fused", "is close in most respects", "the fusion's mean over its parts, dampened", True, 1),
    Feature("fused_text", "fused", "is close in words and meaning", "the mean over words and meaning alone", True, 1),
    Feature("fused_gap", "fused", "is among the closest", "`fused` less that of the best candidate", True, 1),
    Feature("fused_place", "fused", "is among the closest", "place among the candidates by `fused`, from 0", True, -1),
    Feature("tfidf_share", "tfidf", "shares most words", "TF-IDF cosine over the best candidate's", True, 1),
    Feature("sentence_share", "sentence", "is closest in meaning", "sentence cosine over the best candidate's", True, 1),
    *(
        feature
        for name in NEAR
        for feature in (
            Feature(f"{name}_rank", "places", f"is near by {name}", f"place in the page's list by {name}, from 0"),
            Feature(f"{name}_rank_back", "places", f"sees this page near by {name}", f"the page's place in its list by {name}"),
        )
    ),
    Feature("tfidf_cos", "tfidf", "shares many words", "TF-IDF cosine of title and body", False, 1),
    Feature("rare_cos", "tfidf", "shares rare words and names", "cosine over terms in few articles", True, 1),
    Feature("sentence_cos", "sentence", "means something similar", "cosine of the sentence vectors", False, 1),
    Feature("passage_best", "passages", "has a passage about the same", "best cosine of two passages", False, 1),
    Feature("passage_mean", "passages", "covers what the page covers", "mean over the page's passages of the best cosine", False, 1),
    Feature("title_words", "titles", "has a similar title", "cosine of the titles' stems, by TF-IDF", True, 1),
    Feature("title_characters", "titles", "has a similar title", "cosine of the titles' 3- to 5-character n-grams", True, 1),
    Feature("title_sentence", "titles", "has a title that means the same", "cosine of the titles' sentence vectors", True, 1),
    Feature("title_to_body", "titles", "is about what the title says", "sentence cosine of the page's title and the body", True, 1),
    Feature("body_to_title", "titles", "has a title about this page", "sentence cosine of the candidate's title and the page's body", True, 1),
    Feature("title_named_there", "titles", "names this page's subject", "share of the page's title, by IDF, in the candidate", True, 1),
    Feature("title_named_here", "titles", "is named in the text", "share of the candidate's title, by IDF, in the page", True, 1),
    Feature("title_run_here", "titles", "is named in the text", "longest run of the candidate's title in the page's body, share by IDF", True, 1),
    Feature("title_run_there", "titles", "names this page's subject", "longest run of the page's title in the candidate's body, share by IDF", True, 1),
    Feature("tags_cos", "tags", "has similar tags", "cosine of the words of the tags, by TF-IDF", True, 1),
    Feature("same_section", "section", "is in the same section", "1 where it is", True, 1),
    Feature("same_author", "authors", "has the same author", "cosine of the authors", True, 1),
    Feature("same_language", "language", "is in the same language", "1 where it is", True, 1),
    Feature("path_cos", "path", "lies nearby on the site", "cosine of the parts of id and URL, by TF-IDF", True, 1),
    Feature("path_depth", "path", "lies nearby on the site", "share of the page's folders that it is in", True, 1),
    Feature("days_newer", "age", "is newer", "days from the page to the candidate, signed logarithm", False),
    Feature("days_apart", "age", "was published at about the same time", "ln(1 + days between them)", False),
    Feature("age_share", "age", "is newer", "share of the articles that are older than the candidate", False),
    Feature("days_after", "order", "was published before or after it", "`days_newer`, where dates are days of publication"),
    Feature("words", "form", "has the usual length", "ln(1 + words)", False),
    Feature("words_ratio", "form", "is longer", "ln of its words over the page's"),
    Feature("title_length", "form", "has the usual title", "words of the title", False),
    Feature("hub_tfidf", "form", "is close to many", "lists of the ten nearest by TF-IDF that it is in, over 10"),
    Feature("hub_fused", "form", "is close to many", "lists of the ten nearest by the fusion that it is in, over 10"),
)  # fmt: skip
"""What `simrec.rank.features` computes."""

OF_PICKS: tuple[Feature, ...] = (
    Feature("picked", "picks", "is often picked", "pages that pick it", False),
    Feature("picked_share", "picks", "is often picked", "share of the pages with picks that pick it"),
    Feature("votes", "picks", "is picked under similar articles", "share of the weight of the 30 nearest pages with picks that pick it"),
    Feature("votes_best", "picks", "is picked under a very similar article", "weight of the nearest of those"),
    Feature("votes_count", "picks", "is picked under several similar articles", "how many of those there are"),
    Feature("votes_place", "picks", "is picked under a very similar article", "place of the nearest of those, from 0"),
    Feature("peer_best", "picks", "the page has a close relative with picks", "weight of the nearest page with picks, whatever it picks"),
    Feature("own_picks", "picks", "is a page with picks", "picks that stand under the candidate"),
    Feature("own_picks_best", "picks", "picks articles close to this one", "the fusion's best score of the page to one of them"),
    Feature("own_picks_sum", "picks", "picks articles close to this one", "the sum of those scores"),
    Feature("together", "picks", "is picked beside similar articles", "share of the picks beside the page's 10 nearest articles that are it"),
)  # fmt: skip
"""What `simrec.rank.history` computes."""

PRIOR = Feature(
    "prior", "prior", "looks like what editors elsewhere pick", "score of the ranker of other sites", False, 1
)
LEARNED: tuple[Feature, ...] = (*OF_PAIRS, *OF_PICKS, PRIOR)
"""All that a site's own ranker may learn from."""
