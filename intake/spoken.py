"""A packet's own words in the language of the page (the active one). What is kept, scored and read by staff stays.

The items of an instrument and the text of an agreement are never translated here: only their own validated translation
may stand for them, which an instrument carries itself. `of_text` says which language such a page is in.
"""

from dataclasses import replace

from django.utils.translation import get_language, gettext

from intake.packet import Choice, Field, Page, in_language


def said(words: str) -> str:
    return gettext(words) if words else ""


def of_text(page: Page) -> str:
    """The language of the frozen text that this page shows, when that is not the language of the page; else ""."""
    if page.instrument:
        language = page.definition.said_in(get_language() or "").language
    elif page.agreement:
        language = page.language
    else:
        return ""
    return "" if language.partition("-")[0] == get_language() else language


def spoken(page: Page) -> Page:
    if page.instrument:
        return in_language(page, get_language() or "")
    if page.agreement:
        return page
    return replace(
        page,
        text=said(page.text),
        hint=said(page.hint),
        missing=said(page.missing),
        none=said(page.none),
        row=said(page.row),
        fields=tuple(_field(each) for each in page.fields),
    )


def _field(each: Field) -> Field:
    choices = tuple(_choice(choice) for choice in each.choices)
    return replace(each, label=said(each.label), hint=said(each.hint), none=said(each.none), choices=choices)


def _choice(choice: Choice) -> Choice:
    return replace(choice, label=said(choice.label))
