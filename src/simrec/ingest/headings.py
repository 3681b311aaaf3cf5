"""Headings under which sites put related articles, in many languages."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

_BY_LANGUAGE = {
    "ar": "مقالات ذات صلة|مقالات مشابهة|مواضيع ذات صلة|مواضيع مرتبطة|اقرأ أيضا|اقرأ أيضًا|انظر أيضا|انظر أيضًا|"
    "مقالات متعلقة|أخبار ذات صلة",
    "be": "Падобныя артыкулы|Чытайце таксама|Гл. таксама|Глядзіце таксама|Па тэме|Звязаныя тэмы",
    "bg": "Свързани статии|Подобни статии|Вижте също|Прочетете още|Още по темата|Свързани теми",
    "ca": "Articles relacionats|Vegeu també|Temes relacionats|Llegiu també",
    "cs": "Související články|Podobné články|Související témata|Viz také|Čtěte také|Přečtěte si také",
    "da": "Relaterede artikler|Lignende artikler|Relaterede emner|Se også|Læs også",
    "de": "Ähnliche Artikel|Ähnliche Beiträge|Verwandte Artikel|Verwandte Beiträge|Verwandte Themen|Lesen Sie auch|"
    "Lesen Sie mehr|Siehe auch|Mehr zum Thema|Das könnte Sie auch interessieren|Zum Thema|Weiterlesen|"
    "Weitere Artikel|Weiterführende Artikel|Passend dazu",
    "el": "Σχετικά άρθρα|Παρόμοια άρθρα|Σχετικά θέματα|Δείτε επίσης|Διαβάστε επίσης|Διαβάστε ακόμα",
    "en": "Related articles|Similar articles|Related topics|Related stories|Related posts|Related content|"
    "Related news|Related pages|Related links|Related reading|Related|See also|Read also|Read more|Read next|"
    "More on this|More on this topic|More on this story|More like this|Further reading|Recommended reading|"
    "You may also like|You might also like|You may also be interested in|Also read|Related coverage|What to read next",
    "es": "Artículos relacionados|Artículos similares|Noticias relacionadas|Temas relacionados|Ver también|"
    "Véase también|Lea también|Lee también|Te puede interesar|También te puede interesar|Más sobre este tema|"
    "Contenido relacionado|Entradas relacionadas",
    "et": "Seotud artiklid|Sarnased artiklid|Seotud teemad|Vaata ka|Loe ka",
    "eu": "Erlazionatutako artikuluak|Erlazionatutako gaiak|Ikus ere|Ikusi ere",
    "fa": "مطالب مرتبط|مقالات مرتبط|مقالات مشابه|مطالب مشابه|همچنین ببینید|بیشتر بخوانید|اخبار مرتبط",
    "fi": "Aiheeseen liittyvät artikkelit|Samankaltaisia artikkeleita|Aiheeseen liittyvää|Katso myös|Lue myös|"
    "Liittyvät aiheet",
    "fr": "Articles similaires|Articles connexes|Articles liés|Articles associés|Sujets connexes|Rubriques connexes|"
    "Voir aussi|Lire aussi|À lire aussi|À lire également|Sur le même sujet|Sur le même thème|Pour aller plus loin|"
    "Articles recommandés|Contenus associés|Associés",
    "he": "מאמרים קשורים|כתבות קשורות|כתבות נוספות|מאמרים דומים|נושאים קשורים|ראו גם|קראו גם|עוד בנושא",
    "hi": "संबंधित लेख|संबंधित खबरें|मिलते-जुलते लेख|यह भी देखें|यह भी पढ़ें|ये भी पढ़ें|संबंधित विषय",
    "hr": "Povezani članci|Slični članci|Povezane teme|Vidi također|Pogledajte također|Pročitajte i|Pročitajte još",
    "hu": "Kapcsolódó cikkek|Hasonló cikkek|Kapcsolódó témakörök|Kapcsolódó témák|Lásd még|Olvassa el ezt is|"
    "Ez is érdekelheti",
    "id": "Artikel terkait|Artikel serupa|Berita terkait|Topik terkait|Topik berkaitan|Lihat juga|Baca juga",
    "it": "Articoli correlati|Articoli simili|Notizie correlate|Argomenti correlati|Vedi anche|Vedere anche|"
    "Leggi anche|Potrebbe interessarti|Potrebbe interessarti anche|Per approfondire|Sullo stesso argomento",
    "ja": "関連記事|関連項目|関連トピック|関連ニュース|関連リンク|関連コンテンツ|関連情報|類似記事|あわせて読みたい|"
    "こちらもおすすめ|おすすめ記事|参照項目",
    "ka": "დაკავშირებული სტატიები|მსგავსი სტატიები|აგრეთვე იხილეთ|იხილეთ აგრეთვე",
    "kk": "Ұқсас мақалалар|Байланысты мақалалар|Тағы қараңыз|Тағы оқыңыз",
    "ko": "관련 기사|관련기사|관련 글|관련글|비슷한 글|관련 항목|관련 주제|관련 뉴스|함께 보기|더 보기|추천 기사|유사한 기사",  # noqa: E501
    "lt": "Susiję straipsniai|Panašūs straipsniai|Susijusios temos|Taip pat skaitykite|Taip pat žiūrėkite|"
    "Skaitykite taip pat",
    "lv": "Saistītie raksti|Līdzīgi raksti|Saistītās tēmas|Skatīt arī|Lasi arī|Lasiet arī",
    "nb": "Relaterte artikler|Lignende artikler|Relaterte emner|Se også|Les også",
    "nl": "Gerelateerde artikelen|Vergelijkbare artikelen|Verwante artikelen|Verwante onderwerpen|"
    "Gerelateerde onderwerpen|Zie ook|Lees ook|Lees meer|Meer over dit onderwerp",
    "pl": "Powiązane artykuły|Podobne artykuły|Powiązane tematy|Tematy pokrewne|Zobacz też|Zobacz także|"
    "Czytaj też|Czytaj także|Przeczytaj także|Przeczytaj też",
    "pt": "Artigos relacionados|Artigos semelhantes|Notícias relacionadas|Matérias relacionadas|"
    "Tópicos relacionados|Posts relacionados|Veja também|Ver também|Leia também|Leia mais|Consulte também",
    "ro": "Articole similare|Articole asemănătoare|Articole conexe|Subiecte asociate|Vezi și|Vezi şi|Citește și|"
    "Citeşte şi|Pe aceeași temă",
    "ru": "Похожие статьи|Похожие материалы|Связанные статьи|Связанные темы|Статьи по теме|Материалы по теме|"
    "Новости по теме|По теме|Ещё по теме|Еще по теме|См. также|Смотрите также|Смотри также|Читайте также|"
    "Рекомендуем|Рекомендуем прочитать|Другие статьи|На эту тему|Связанные разделы",
    "sk": "Súvisiace články|Podobné články|Súvisiace témy|Pozri tiež|Pozri aj|Prečítajte si aj|Čítajte aj",
    "sl": "Povezani članki|Sorodni članki|Podobni članki|Sorodne teme|Glejte tudi|Preberite tudi",
    "sr": "Повезани чланци|Слични чланци|Погледајте још|Видети још|Прочитајте још|Slični članci|Povezane vesti|"
    "Pročitajte još|Повезане теме",
    "sv": "Relaterade artiklar|Liknande artiklar|Relaterade ämnen|Se även|Läs även|Läs också|Läs mer|"
    "Närliggande information",
    "th": "บทความที่เกี่ยวข้อง|บทความที่คล้ายกัน|ข่าวที่เกี่ยวข้อง|หัวข้อที่เกี่ยวข้อง|ดูเพิ่มเติม|อ่านเพิ่มเติม|ดูเพิ่ม",
    "tr": "İlgili makaleler|Benzer makaleler|İlgili yazılar|Benzer yazılar|İlgili haberler|Benzer haberler|"
    "İlgili konular|Ayrıca bakınız|Ayrıca bkz.|Bunları da okuyun|Bunlar da ilginizi çekebilir",
    "uk": "Схожі статті|Подібні статті|Пов'язані статті|Пов’язані статті|Пов'язані теми|Пов’язані теми|"
    "Статті за темою|За темою|Див. також|Дивіться також|Читайте також|Матеріали за темою",
    "vi": "Bài viết liên quan|Bài viết tương tự|Tin liên quan|Chủ đề liên quan|Xem thêm|Đọc thêm",
    "zh": "相关文章|相关阅读|相关新闻|相关主题|相关内容|相关链接|相似文章|类似文章|另请参阅|另见|参见|延伸阅读|推荐阅读|"  # noqa: E501
    "相關文章|相關閱讀|相關新聞|相關主題|相關內容|類似文章|另請參閱|另見|參見|延伸閱讀|推薦閱讀",
}

MAX_HEADING = 80
"""A longer text is no heading of a related block."""

_TRIMMED = re.compile(r"^[\W_]+|[\W_]+$")


def normalize_heading(text: str) -> str:
    """A heading for comparison: without case, spaces at its ends, colons, arrows and the like.

    >>> normalize_heading("» See  ALSO:")
    'see also'
    """
    folded = unicodedata.normalize("NFKC", text).casefold()
    return _TRIMMED.sub("", " ".join(folded.split()))


KNOWN = frozenset(normalize_heading(text) for texts in _BY_LANGUAGE.values() for text in texts.split("|"))


def is_related_heading(text: str, headings: Iterable[str] = ()) -> bool:
    """Whether a text, as a whole, is the heading of a related block.

    Args:
        text: the whole text of an element or line.
        headings: further headings, beside those known.
    """
    if len(text) > MAX_HEADING * 2:
        return False
    folded = normalize_heading(text)
    return bool(folded) and (folded in KNOWN or folded in {normalize_heading(one) for one in headings})
