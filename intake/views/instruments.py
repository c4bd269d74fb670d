"""The practice's instruments: what ships, what can be brought, and where each that is brought stands."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from django.conf import settings
from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from practice import coverage
from practice.access import Permission
from practice.clinical import brought
from practice.clinical.instrument import Instrument, all_instruments
from practice.models import InstrumentDraft, InstrumentPermission, InstrumentVersion
from practice.pages import StaffRequest, staff_page
from practice.templatetags.ui import full_day

TRANSLATIONS = tuple(code for code, _name in settings.LANGUAGES if code != brought.ENGLISH)
LANGUAGE_WORDS = {"en": _("English"), "es": _("Spanish")}


def today(request: StaffRequest) -> date:
    return coverage.local(timezone.now(), request.practice).date()


def known(key: str) -> Mapping[str, Any]:
    try:
        return brought.facts(key)
    except ValueError:
        raise Http404 from None


# --- What there is ---------------------------------------------------------------------------------------------------


@staff_page(Permission.MANAGE_PRACTICE)
def instruments_page(request: StaffRequest) -> HttpResponse:
    standing = {row.instrument: row for row in InstrumentPermission.objects.standing().defer("file")}
    newest: dict[str, int] = {}
    for key, number in InstrumentVersion.objects.order_by("number").values_list("instrument", "number"):
        newest[key] = number
    drafts = set(InstrumentDraft.objects.values_list("instrument", flat=True))
    ended = set(InstrumentPermission.objects.exclude(ended_at=None).values_list("instrument", flat=True))
    day = today(request)
    rows = [
        {
            "key": key,
            "name": brought.short(key),
            "why_not": brought.facts(key)["why_not"],
            **state(standing.get(key), newest.get(key, 0), key in drafts, key in ended, day),
        }
        for key in brought.known()
    ]
    context = {"ours": [ours(each) for each in all_instruments()], "rows": rows}
    return render(request, "intake/instruments.html", context)


def ours(each: Instrument) -> dict[str, str]:
    return {
        "name": each.short_name,
        "title": each.title,
        "version": each.version,
        "licence": each.licence.notice,
        "sources": ", ".join(each.sources),
    }


def state(
    permission: InstrumentPermission | None, number: int, has_draft: bool, had_one: bool, day: date
) -> dict[str, Any]:
    """Where a brought instrument stands, in words: {"words", "in_use", "is_due"}."""
    if permission is None:
        begun = gettext("Wording begun; no permission is written down.") if has_draft else gettext("Not brought.")
        words = gettext("The permission has ended. Nobody is asked.") if had_one else begun
        return {"words": words, "in_use": False, "is_due": had_one and bool(number)}
    if permission.has_run_out(day):
        words = gettext("The permission ran out on {day}. Nobody is asked.").format(day=full_day(permission.expires_on))
        return {"words": words, "in_use": False, "is_due": True}
    if not number:
        return {"words": gettext("Permission written down; not published yet."), "in_use": False, "is_due": False}
    words = gettext("In use, version {n}.").format(n=number)
    if permission.expires_on:
        words = gettext("In use, version {n}, until {day}.").format(n=number, day=full_day(permission.expires_on))
    return {"words": words, "in_use": True, "is_due": False}


@staff_page(Permission.MANAGE_PRACTICE)
def instrument(request: StaffRequest, key: str) -> HttpResponse:
    facts = known(key)
    draft = InstrumentDraft.objects.filter(instrument=key).select_related("saved_by").first()
    permissions = list(InstrumentPermission.objects.filter(instrument=key).select_related("stated_by", "ended_by"))
    versions = list(
        InstrumentVersion.objects.filter(instrument=key)
        .select_related("published_by")
        .defer("definition", "wordings")
        .order_by("-number")
    )
    permission = next((row for row in permissions if row.ended_at is None), None)
    number = versions[0].number if versions else 0
    lacking = missing_words(key, draft)
    context = {
        "key": key,
        "name": brought.short(key),
        "facts": fact_rows(facts),
        "state": state(permission, number, draft is not None, bool(permissions), today(request)),
        "permission": permission,
        "past": [row for row in permissions if row.ended_at is not None],
        "draft": draft,
        "languages": [
            {"code": code, "name": LANGUAGE_WORDS[code], "begun": bool(draft and any(words_of(draft, code).values()))}
            for code in (brought.ENGLISH, *TRANSLATIONS)
        ],
        "lacking": lacking,
        "is_whole": draft is not None and not lacking,
        "versions": versions,
    }
    return render(request, "intake/instrument.html", context)


def words_of(draft: InstrumentDraft | None, language: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = draft.wordings.get(language, {}) if draft else {}
    return found


def fact_rows(facts: Mapping[str, Any]) -> list[dict[str, str]]:
    """What the data file knows, in words. Nothing here is the practice's to change."""
    bands = [f"{row['from']}+ {row['code'].replace('_', ' ')}" for row in facts.get("bands", ())]
    least, most = facts.get("range", ("", ""))
    found = [
        (gettext("Questions"), str(facts["items"])),
        (gettext("Asks about"), facts.get("window", "")),
        (gettext("How it is scored"), facts.get("rule", "") or SCORED.get(facts["method"], "")),
        (gettext("Range"), gettext("{least} to {most}").format(least=least, most=most) if facts.get("range") else ""),
        (gettext("Bands"), ", ".join(bands)),
        (gettext("Positive from"), str(facts.get("positive_from", ""))),
        (gettext("Counted the other way round"), ", ".join(map(str, facts.get("reverse", ())))),
        (gettext("Questions about suicide"), ", ".join(map(str, facts.get("safety", ())))),
        (gettext("Beware"), facts.get("trap", "")),
        (gettext("Why we may not ship it"), facts["why_not"]),
        (gettext("Source of these facts"), ", ".join(facts["sources"])),
    ]
    return [{"label": label, "value": str(value)} for label, value in found if value]


SCORED = {"sum": _("The sum of the answers"), "none": _("Not scored: how is not known here")}


def missing_words(key: str, draft: InstrumentDraft | None) -> list[str]:
    """What the wording still lacks, language by language, in words."""
    found = []
    for code in (brought.ENGLISH, *TRANSLATIONS):
        wording = words_of(draft, code)
        if code == brought.ENGLISH or any(wording.values()):
            found += [f"{LANGUAGE_WORDS[code]}: {_lacking(name)}" for name in brought.wanting(key, wording)]
    return found


def _lacking(name: str) -> str:
    what, _space, number = name.partition(" ")
    return str(LACKING[what]).format(n=number)


LACKING = {
    "instructions": _("what stands above the questions"),
    "notice": _("the notice of whoever holds the rights"),
    "item": _("question {n}"),
    "answers": _("the answers of question {n}"),
    "follow": _("the question asked after each yes, and its answers"),
}
