"""What is known of a client, and how the paths fit it, side by side: the rules laid out, nothing ranked."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from intake import flow, measures
from intake.actions import packet_of
from intake.models import Answer
from intake.views.reading import assessments, band_words, score_words
from practice.access import Permission
from practice.clinical import criteria, infusion, table
from practice.clinical.criteria import NONE_NOW, UNKNOWN, UNMET, Criterion
from practice.clinical.instrument import load as load_instrument
from practice.models import Client, User
from practice.templatetags.ui import full_day, moment
from practice.views.rules import CONFIDENCE_WORDS, value_words
from referrals import holds
from referrals.actions import facts
from referrals.holds import Kind, Standing
from referrals.models import Path
from referrals.views import holds as hold_views

SITTINGS_READ = 12

# Every path, in the order of the table and none before another; what each is, for the talk with the client.
PATHS: dict[str, tuple[Any, Any]] = {
    Path.INFUSION: (
        _("Infusion clinic"),
        _(
            "{count} infusions within {days} days, by drip or injection, as a clinic elsewhere gives them."
            " No therapist in the room: therapy goes on here, after each."
        ),
    ),
    Path.PAIN: (
        _("Hospital or pain infusion"),
        _("For pain. A pain clinic or hospital looks at the pain score, the opioids and how long it has lasted."),
    ),
    Path.AT_HOME: (
        _("Supervised at home"),
        _(
            "A programme that supervises from afar. For milder concerns, with good support, an adult in the house and"
            " a safe, private room. Intentions before, talking it through after."
        ),
    ),
    Path.KAP: (
        _("KAP here"),
        _(
            "The therapist is in the room: prepare, focus on an intention, integrate."
            " Weekly sessions, intensive weekends, boosters."
        ),
    ),
    NONE_NOW: (
        _("None now"),
        _("Care goes on as it is: therapy, other treatment, and a day on which this is looked at again."),
    ),
}
EFFECT_WORDS = {
    ("support", "met"): _("Met: speaks for it"),
    ("support", "unmet"): _("Unmet"),
    ("hold", "unmet"): _("Unmet: on hold"),
    ("exclude", "unmet"): _("Unmet: not suggested"),
    ("hold", "met"): _("Met"),
    ("exclude", "met"): _("Met"),
}
# Pages of the form, newest answer of each: what the therapist reads beside the scores.
TOLD: dict[str, tuple[Any, tuple[str, ...]]] = {
    "medicines": (_("Medicines and allergies"), ("medicines-now", "medicine-kinds", "allergies")),
    "supports": (_("Supports"), ("support-person", "count-on", "lives-with", "adult-stays", "safe-home", "ride")),
    "trials": (_("Tried before"), ("trials", "other-treatments", "ketamine-outside")),
    "preferences": (_("What the client wishes"), ("concern", "hopes", "talk-therapy", "ketamine-interest")),
}


# --- What is known ---------------------------------------------------------------------------------------------------


def score_rows(client: Client) -> list[dict[str, Any]]:
    """The newest score of each instrument."""
    newest: dict[str, Any] = {}
    for each in assessments(client):
        newest.setdefault(each.instrument, each)
    return [
        {
            "label": each.definition.short_name,
            "value": ", ".join(part for part in (score_words(each), band_words(each)) if part),
            "when": full_day(each.taken_on),
            "url": reverse("assessment", args=[client.pk, each.pk]),
            "safety": each.safety,
        }
        for each in newest.values()
    ]


def flag_line(flag: Any) -> dict[str, str]:
    return {
        "text": gettext("{severity}, opened {when}").format(
            severity=flag.get_severity_display(), when=moment(flag.opened_at)
        ),
        "url": reverse("alert", args=[flag.client_id, flag.pk]),
    }


def told(client: Client) -> list[dict[str, Any]]:
    """What the client said of medicines, supports, trials and wishes: the newest answer of each, with its day."""
    slugs = [slug for _title, group in TOLD.values() for slug in group]
    answers = (
        Answer.objects.filter(intake__client=client, intake__submitted_at__isnull=False, question__in=slugs)
        .select_related("intake__invitation")
        .order_by("-intake__submitted_at")
    )
    newest: dict[str, Answer] = {}
    for answer in answers[: SITTINGS_READ * len(slugs)]:
        newest.setdefault(answer.question, answer)
    return [
        {"title": title, "rows": [_told_row(newest[slug]) for slug in group if slug in newest]}
        for title, group in TOLD.values()
    ]


def _told_row(answer: Answer) -> dict[str, Any]:
    page = packet_of(answer.intake).by_slug.get(answer.question)
    if page is None:
        return {"label": answer.question, "lines": [gettext("not known")], "when": ""}
    said = flow.words(page, None if answer.skipped else answer.value)
    skipped = [gettext("Skipped: would like to talk about this in person")]
    return {
        "label": page.text,
        "lines": skipped if answer.skipped else said or [gettext("not known")],
        "when": full_day(timezone.localdate(answer.intake.submitted_at)),
    }


# --- The fit of the paths --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class FitGroup:
    title: str
    rows: list[dict[str, Any]]
    folded: bool = False
    unknown: bool = False


def path_card(code: str, standing: Standing, person: User) -> dict[str, Any]:
    """One path: what it is, how it stands by the rules, and what is in the way, each with its button."""
    title, what = PATHS[code]
    if code == NONE_NOW:
        reasons = [c.rule.reason for c in _criteria(standing) if c.state(NONE_NOW) == criteria.MET]
        held: list[holds.Hold] = []
    else:
        reasons = [table.rule(rule).reason for rule in standing.decision.supports[code]]
        held = standing.for_path(code)
    blocking = [hold for hold in held if hold.cleared_by is None]
    return {
        "code": code,
        "title": title,
        "what": str(what).format(count=infusion.COUNT, days=infusion.WITHIN_DAYS),
        "status": _status_words(code, reasons, blocking),
        "reasons": reasons,
        "holds": [hold_views.line(hold, person, paths=(code,), brief=True) for hold in held],
    }


def _status_words(code: str, reasons: list[str], blocking: list[holds.Hold]) -> str:
    if any(hold.kind == Kind.EXCLUDE for hold in blocking):
        return gettext("Not suggested now")
    if blocking:
        return gettext("May be talked about; sending is on hold")
    if reasons:
        return gettext("May be talked about")
    return gettext("Always possible") if code == NONE_NOW else gettext("Nothing known speaks for it")


def _criteria(standing: Standing) -> tuple[Criterion, ...]:
    return criteria.criteria(standing.inputs, standing.overrides)


def fit_rows(standing: Standing, may: Collection[Permission] = ()) -> list[FitGroup]:
    """The criteria of all paths in groups, the unknown first; `may`: what the reader may do for this client."""
    every = _criteria(standing)
    unknown = [each for each in every if each.fired is None]
    speaks = [each for each in every if each.fired is True and each.speaks_for]
    silent = [each for each in every if each.fired is False and each.speaks_for]
    against = [each for each in every if each.fired is True and not each.speaks_for]
    clear = [each for each in every if each.fired is False and not each.speaks_for]
    groups = [
        FitGroup(gettext("Not known yet"), _unknown_rows(unknown, standing.client, may), unknown=True),
        FitGroup(gettext("What speaks for a path"), [_fit_row([each], standing) for each in speaks]),
        FitGroup(gettext("What stands against a path"), [_fit_row([each], standing) for each in against]),
        FitGroup(
            gettext("What could speak for a path, and is unmet"), [_fit_row([each], standing) for each in silent], True
        ),
        FitGroup(gettext("Asked, and not in the way"), [_fit_row([each], standing) for each in clear], folded=True),
    ]
    return [group for group in groups if group.rows]


def _unknown_rows(unknown: list[Criterion], client: Client, may: Collection[Permission]) -> list[dict[str, Any]]:
    """One row for each set of answers that is missing, with all the criteria that hang on it."""
    by_missing: dict[tuple[str, ...], list[Criterion]] = {}
    for each in unknown:
        by_missing.setdefault(each.missing, []).append(each)
    known, shown = table.inputs(), set[str]()
    sayable = {each.name for each in facts.sayable(may)}
    rows = []
    for missing, found in by_missing.items():
        row = _fit_row(found, None)
        row["asks"] = [
            {
                "name": name,
                "label": known[name].label,
                "can": name not in shown and measures.can_ask(name),
                "say": known_url(client, name) if name in sayable - shown else "",
                "own": name not in sayable and not measures.can_ask(name),
            }
            for name in missing
        ]
        shown.update(missing)
        rows.append(row)
    return rows


def _fit_row(found: list[Criterion], standing: Standing | None) -> dict[str, Any]:
    return {
        "criteria": [
            {
                "id": each.rule.id,
                "reason": each.rule.reason,
                "source": each.rule.citation,
                "confidence": CONFIDENCE_WORDS.get(each.rule.confidence, each.rule.confidence),
                "url": reverse("rule", args=[each.rule.id]),
            }
            for each in found
        ],
        "answers": [answer_words(name, standing) for name in found[0].rule.inputs] if standing else [],
        "cells": [_cell(found, code) for code in PATHS],
    }


def _cell(found: list[Criterion], code: str) -> dict[str, str]:
    """The state of these criteria for one path, in words and with its icon."""
    states = {(each.effects[code], each.state(code)) for each in found if code in each.effects}
    if not states:
        return {"text": "", "icon": ""}
    effect, state = sorted(states)[0]
    if state == UNKNOWN:
        return {"text": gettext("Unknown"), "icon": "circle-help"}
    icon = {UNMET: "x" if effect == criteria.SUPPORT else "lock", criteria.MET: "check"}[state]
    return {"text": str(EFFECT_WORDS[effect, state]), "icon": icon}


def answer_words(name: str, standing: Standing) -> dict[str, Any]:
    """What was answered, when, and in which form: "PHQ-9 total: 19", "PHQ-9, Nov 19, 2026"."""
    known = table.inputs()[name]
    value = standing.inputs.get(name)
    origin, day = standing.origins.get(name), standing.dates.get(name)
    if value is None:
        return {"text": f"{known.label}: {known.blank_means or gettext('not known')}", "where": "", "url": ""}
    where, url = gettext("from the record"), ""
    if origin is not None and origin.by:
        where = gettext("said by {who}, {when}").format(who=origin.by, when=full_day(date.fromisoformat(day or "")))
        url = known_url(standing.client, name)
    elif origin is not None:
        form = load_instrument(origin.instrument).short_name if origin.instrument else gettext("form of the client")
        where = f"{form}, {full_day(date.fromisoformat(day))}" if day else form
        url = reverse("intake_read", args=[standing.client.pk, origin.intake]) if origin.intake else ""
    return {
        "text": f"{known.label}: {value_words(value)}",
        "where": where,
        "url": url,
    }


def known_url(client: Client, name: str) -> str:
    """Where a clinician says what they know of this input."""
    return f"{reverse('known', args=[client.pk])}?about={name}"
