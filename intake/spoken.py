"""A packet's own words in the language of the page (the active one). What is kept, scored and read by staff stays.

The items of an instrument and the text of an agreement are never translated here: only their own validated translation
may stand for them, which an instrument carries itself. `of_text` says which language such a page is in. What a practice
wrote itself is said in the words it gave for that language; a page that lacks some of them stays whole in its own.
"""

from collections.abc import Iterable
from dataclasses import replace

from django.utils.translation import get_language, gettext

from intake.build import in_language
from intake.packet import Choice, Field, Packet, Page, Section, shipped_words
from intake.page import Said
from practice.language import HOUSE

NOTHING: Said = {}


def said(words: str, own: Said = NOTHING) -> str:
    """These words in the language of the page; `own`: what the practice says for its own words."""
    if not words:
        return ""
    return own.get(get_language() or HOUSE, {}).get(words) or gettext(words)


def packet_title(wanted: Packet) -> str:
    return said(wanted.title, wanted.said)


def title(wanted: Packet, key: str) -> str:
    """How a section is called; one of the practice's own without a name in this language is just more questions."""
    section = wanted.section(key)
    return gettext("More questions") if _lacks((section.title,), section.own, section.said) else _said(section, "title")


def why(wanted: Packet, key: str) -> str:
    section = wanted.section(key)
    return "" if _lacks((section.why,), section.own, section.said) else _said(section, "why")


def _said(section: Section, name: str) -> str:
    return said(getattr(section, name), section.said)


def is_untold(page: Page) -> bool:
    """Whether the practice wrote this page and gave no words for it in the language of the page."""
    return _lacks(page.words, page.own, page.said)


def _lacks(words: Iterable[str], own: bool, told: Said) -> bool:
    language = get_language() or HOUSE
    if not own or language == HOUSE:
        return False
    known = told.get(language, {})
    return any(each and each not in known and each not in shipped_words() for each in words)


def of_text(page: Page) -> str:
    """The language of the text that this page shows as it is, when that is not the language of the page; else ""."""
    if page.instrument:
        language = page.definition.said_in(get_language() or "").language
    elif page.agreement:
        language = page.language
    else:
        return HOUSE if is_untold(page) else ""
    return "" if language.partition("-")[0] == get_language() else language


def spoken(page: Page) -> Page:
    if page.instrument:
        return in_language(page, get_language() or "")
    if page.agreement or is_untold(page):
        return page
    own = page.said
    return replace(
        page,
        text=said(page.text, own),
        hint=said(page.hint, own),
        missing=said(page.missing, own),
        none=said(page.none, own),
        row=said(page.row, own),
        fields=tuple(_field(each, own) for each in page.fields),
    )


def _field(each: Field, own: Said) -> Field:
    return replace(
        each,
        label=said(each.label, own),
        hint=said(each.hint, own),
        none=said(each.none, own),
        choices=tuple(_choice(choice, own) for choice in each.choices),
    )


def _choice(choice: Choice, own: Said) -> Choice:
    return replace(choice, label=said(choice.label, own))
