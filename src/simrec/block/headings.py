"""The heading of a block in the page's language."""

from __future__ import annotations

from collections.abc import Mapping

HEADINGS: Mapping[str, str] = {
    "ar": "مقالات ذات صلة",
    "bg": "Подобни статии",
    "ca": "Articles similars",
    "cs": "Podobné články",
    "da": "Lignende artikler",
    "de": "Ähnliche Artikel",
    "el": "Παρόμοια άρθρα",
    "en": "Similar articles",
    "es": "Artículos similares",
    "et": "Sarnased artiklid",
    "fa": "مقاله‌های مشابه",
    "fi": "Samankaltaisia artikkeleita",
    "fr": "Articles similaires",
    "he": "מאמרים דומים",
    "hi": "मिलते-जुलते लेख",
    "hr": "Slični članci",
    "hu": "Hasonló cikkek",
    "id": "Artikel serupa",
    "it": "Articoli simili",
    "ja": "関連記事",
    "ko": "관련 기사",
    "lt": "Panašūs straipsniai",
    "lv": "Līdzīgi raksti",
    "nb": "Lignende artikler",
    "nl": "Vergelijkbare artikelen",
    "no": "Lignende artikler",
    "pl": "Podobne artykuły",
    "pt": "Artigos semelhantes",
    "ro": "Articole similare",
    "ru": "Похожие статьи",
    "sk": "Podobné články",
    "sl": "Podobni članki",
    "sr": "Слични чланци",
    "sv": "Liknande artiklar",
    "th": "บทความที่คล้ายกัน",
    "tr": "Benzer makaleler",
    "uk": "Схожі статті",
    "vi": "Bài viết tương tự",
    "zh": "相关文章",
    "zh-hant": "相關文章",
}


def heading(lang: str, own: Mapping[str, str]) -> str:
    """The publisher's own heading for a language, else simrec's, else the English one.

    >>> heading("de-AT", {})
    'Ähnliche Artikel'
    >>> heading("de-AT", {"de": "Mehr dazu"})
    'Mehr dazu'
    """
    tag = lang.lower().replace("_", "-")
    if tag in {"zh-tw", "zh-hk", "zh-mo"}:
        tag = "zh-hant"
    tags = (tag, "-".join(tag.split("-")[:2]), tag.split("-")[0])
    chosen = {name.lower(): text for name, text in own.items()}
    for known in (chosen, HEADINGS):
        for name in tags:
            if name in known:
                return known[name]
    return chosen.get("en", HEADINGS["en"])
