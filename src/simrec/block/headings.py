"""The heading of a block in the page's language."""

from __future__ import annotations

from collections.abc import Mapping

from simrec.block.languages import by_language

HEADINGS: Mapping[str, str] = {
    "af": "Soortgelyke artikels",
    "am": "ተመሳሳይ ጽሑፎች",
    "ar": "مقالات ذات صلة",
    "az": "Oxşar məqalələr",
    "be": "Падобныя артыкулы",
    "bg": "Подобни статии",
    "bn": "একই ধরনের নিবন্ধ",
    "bs": "Slični članci",
    "ca": "Articles similars",
    "ckb": "بابەتە هاوشێوەکان",
    "cs": "Podobné články",
    "cy": "Erthyglau tebyg",
    "da": "Lignende artikler",
    "de": "Ähnliche Artikel",
    "el": "Παρόμοια άρθρα",
    "en": "Similar articles",
    "eo": "Similaj artikoloj",
    "es": "Artículos similares",
    "et": "Sarnased artiklid",
    "eu": "Antzeko artikuluak",
    "fa": "مقاله‌های مشابه",
    "fi": "Samankaltaisia artikkeleita",
    "fil": "Mga katulad na artikulo",
    "fr": "Articles similaires",
    "ga": "Ailt chosúla",
    "gl": "Artigos semellantes",
    "gu": "સમાન લેખો",
    "he": "מאמרים דומים",
    "hi": "मिलते-जुलते लेख",
    "hr": "Slični članci",
    "hu": "Hasonló cikkek",
    "hy": "Նմանատիպ հոդվածներ",
    "id": "Artikel serupa",
    "is": "Svipaðar greinar",
    "it": "Articoli simili",
    "ja": "関連記事",
    "ka": "მსგავსი სტატიები",
    "kk": "Ұқсас мақалалар",
    "km": "អត្ថបទស្រដៀងគ្នា",
    "kn": "ಇದೇ ರೀತಿಯ ಲೇಖನಗಳು",
    "ko": "관련 기사",
    "ky": "Окшош макалалар",
    "lb": "Ähnlech Artikelen",
    "lo": "ບົດຄວາມທີ່ຄ້າຍຄືກັນ",
    "lt": "Panašūs straipsniai",
    "lv": "Līdzīgi raksti",
    "mk": "Слични статии",
    "ml": "സമാന ലേഖനങ്ങൾ",
    "mn": "Төстэй нийтлэлүүд",
    "mr": "मिळतेजुळते लेख",
    "ms": "Artikel serupa",
    "mt": "Artikli simili",
    "my": "ဆင်တူသော ဆောင်းပါးများ",
    "nb": "Lignende artikler",
    "ne": "मिल्दाजुल्दा लेखहरू",
    "nl": "Vergelijkbare artikelen",
    "nn": "Liknande artiklar",
    "no": "Lignende artikler",
    "oc": "Articles similars",
    "pa": "ਮਿਲਦੇ-ਜੁਲਦੇ ਲੇਖ",
    "pl": "Podobne artykuły",
    "ps": "ورته مقالې",
    "pt": "Artigos semelhantes",
    "ro": "Articole similare",
    "ru": "Похожие статьи",
    "si": "සමාන ලිපි",
    "sk": "Podobné články",
    "sl": "Podobni članki",
    "sq": "Artikuj të ngjashëm",
    "sr": "Слични чланци",
    "sr-latn": "Slični članci",
    "sv": "Liknande artiklar",
    "sw": "Makala zinazofanana",
    "ta": "ஒத்த கட்டுரைகள்",
    "te": "సారూప్య వ్యాసాలు",
    "th": "บทความที่คล้ายกัน",
    "tr": "Benzer makaleler",
    "uk": "Схожі статті",
    "ur": "ملتے جلتے مضامین",
    "uz": "Oʻxshash maqolalar",
    "vi": "Bài viết tương tự",
    "yi": "ענלעכע אַרטיקלען",
    "zh": "相关文章",
    "zh-hant": "相關文章",
}
"""What editors of each language write above such a list; in some that is "related" rather than "similar"."""


def heading(lang: str, own: Mapping[str, str]) -> str:
    """The publisher's own heading for a language, else simrec's, else the English one.

    >>> heading("de-AT", {})
    'Ähnliche Artikel'
    >>> heading("de-AT", {"de": "Mehr dazu"})
    'Mehr dazu'
    """
    return by_language(own, lang) or by_language(HEADINGS, lang) or by_language(own, "en") or HEADINGS["en"]
