"""The practice's own numbers in the decision table: what they are, trying others on the past, and saving those."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from practice.access import Permission
from practice.actions import NotNow
from practice.clinical import table, tuning
from practice.forms import HouseForm, words_field
from practice.models import Client
from practice.pages import StaffRequest, staff_page
from practice.views.rules import CONFIDENCE_WORDS, OPERATOR_WORDS, signed_by
from referrals import tuning as past
from referrals.actions import tuning as actions
from referrals.actions.suggestions import own_numbers
from referrals.models import RuleChange
from referrals.reports.steps import FEWEST
from referrals.views.suggestions import TITLES

CATEGORIES = {
    "indication": _("What speaks for a path"),
    "contraindication": _("What speaks against a path"),
    "blood_pressure": _("Blood pressure"),
    "interaction": _("Medicines"),
    "operations": _("How care is given"),
    "safety": _("Safety"),
}
KINDS = {
    past.GONE: _("No card any more"),
    past.NEW: _("A card that was not there"),
    past.OTHER: _("A card with another suggestion"),
}
MOST_ROWS = 100


# --- The list --------------------------------------------------------------------------------------------------------


@staff_page(Permission.SEE_CASELOAD)
def rules(request: StaffRequest) -> HttpResponse:
    own, may = own_numbers(request.practice), request.user.may(Permission.TUNE_RULES)
    groups = [
        {"label": label, "rows": rows}
        for category, label in CATEGORIES.items()
        if (rows := [row(rule, own, may) for rule in table.rules() if rule.category == category and has_numbers(rule)])
    ]
    context = {
        "groups": groups,
        "others": [rule for rule in table.rules() if not has_numbers(rule)],
        "versions": [version_row(change, may) for change in RuleChange.objects.saved()],
        "signature": signed_by(request.practice),
        "may_sign": request.user.may(Permission.SIGN_CLINICAL),
        "is_tuned": bool(own),
    }
    return render(request, "referrals/rules.html", context)


def has_numbers(rule: table.Rule) -> bool:
    return any(table.is_number(c.value) for c in table.comparisons(rule.when))


def row(rule: table.Rule, own: table.Overrides, may: bool) -> dict[str, Any]:
    """A rule with each of its numbers: the table's, the practice's, and why one is fixed."""
    open_, mine = tuning.numbers(rule.id), own.get(rule.id, {})
    numbers = [
        {
            "words": number_words(c.input, c.op, c.value),
            "here": number_words(c.input, c.op, mine[c.name]) if c.name in mine else "",
            "fixed": "" if c.name in open_ else fixed_words(rule, c.input),
        }
        for c in table.comparisons(rule.when)
        if table.is_number(c.value)
    ]
    return {
        "rule": rule,
        "numbers": numbers,
        "confidence": CONFIDENCE_WORDS.get(rule.confidence, rule.confidence),
        "change_url": reverse("rule_change", args=[rule.id]) if may and open_ else "",
        "back": may and bool(mine),
    }


def number_words(name: str, op: str, value: float) -> str:
    return str(OPERATOR_WORDS[op]).format(input=table.inputs()[name].label, value=f"{value:g}")


def fixed_words(rule: table.Rule, name: str = "") -> str:
    """Why a number cannot be set here."""
    if rule.category == "safety" or name in tuning.safety_inputs():
        return gettext("Fixed: a safety answer counts the same everywhere.")
    return gettext(
        "Fixed: it protects, and rests on a source. For one client a prescriber may decide otherwise, with a reason."
    )


def version_row(change: RuleChange, may: bool) -> dict[str, Any]:
    return {
        "change": change,
        "lines": change_lines(change),
        "url": reverse("rule_preview", args=[change.pk]) if may else "",
    }


def change_lines(change: RuleChange) -> list[str]:
    """Each number that differs: "PHQ-9 total is 15 or more, then PHQ-9 total is 17 or more"."""
    if rule_of(change.rule) is None:
        return [gettext("The table of today has this rule no more.")]
    before, after = change.before.get(change.rule, {}), change.after.get(change.rule, {})
    return [
        gettext("{old} becomes {new}").format(
            old=number_words(number.input, number.op, before.get(name, number.value)),
            new=number_words(number.input, number.op, after.get(name, number.value)),
        )
        for name, number in tuning.numbers(change.rule).items()
        if before.get(name) != after.get(name)
    ]


# --- Trying ----------------------------------------------------------------------------------------------------------


class NumbersForm(HouseForm):
    """The numbers of one rule."""

    def __init__(self, *args: Any, rule: table.Rule, own: Mapping[str, float], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.numbers = tuning.numbers(rule.id)
        for place, (name, number) in enumerate(self.numbers.items(), 1):
            limits = gettext("Write a number from {least} to {most}.").format(
                least=f"{number.least:g}", most=f"{number.most:g}"
            )
            kind: Any = forms.IntegerField if number.is_whole else forms.FloatField
            self.fields[f"number_{place}"] = kind(
                label=gettext("{words} ({n} in the table)").format(
                    words=str(OPERATOR_WORDS[number.op]).format(input=table.inputs()[number.input].label, value="…"),
                    n=f"{number.value:g}",
                ),
                initial=own.get(name, number.value),
                min_value=number.least,
                max_value=number.most,
                error_messages=dict.fromkeys(("required", "invalid", "min_value", "max_value"), limits),
            )

    def values(self) -> dict[str, float]:
        return {name: self.cleaned_data[f"number_{place}"] for place, name in enumerate(self.numbers, 1)}


@staff_page(Permission.TUNE_RULES)
def rule_change(request: StaffRequest, rule: str) -> HttpResponse:
    found = rule_of(rule)
    if found is None:
        raise Http404
    own = own_numbers(request.practice).get(rule, {})
    to_default = "default" in request.POST
    form = NumbersForm(request.POST if request.method == "POST" and not to_default else None, rule=found, own=own)
    refused = ""
    if request.method == "POST" and (to_default or form.is_valid()):
        numbers = {} if to_default else form.values()
        try:
            change = actions.try_numbers(by=request.user, rule=found, numbers=numbers, at=timezone.now())
        except NotNow as no:
            refused = str(no)
        else:
            return redirect("rule_preview", change.pk)
    context = {
        "rule": found,
        "form": form,
        "refused": refused,
        "fixed": "" if form.numbers else fixed_words(found),
        "may_default": bool(own),
        "days": past.DAYS,
        "protects": bool(found.holds or found.excludes),
    }
    return render(request, "referrals/rule_change.html", context, status=400 if form.errors or refused else 200)


# --- What it would have done, and saving -----------------------------------------------------------------------------


class ReasonForm(HouseForm):
    reason = words_field(
        _("Why the number changes"),
        _("Write why the number changes."),
        help_text=_("Your clinical lead reads this before signing. No names of clients."),
        max_length=1000,
    )


@staff_page(Permission.TUNE_RULES)
def rule_preview(request: StaffRequest, change: UUID) -> HttpResponse:
    found = get_object_or_404(RuleChange.objects.select_related("by", "saved_by"), pk=change)
    form = ReasonForm(request.POST if request.method == "POST" else None)
    refused = ""
    if request.method == "POST" and form.is_valid():
        try:
            saved = actions.save_numbers(
                by=request.user, change=found, reason=form.cleaned_data["reason"], at=timezone.now()
            )
        except NotNow as no:
            refused = str(no)
        else:
            messages.success(
                request,
                gettext("Saved as version {n}. It counts for what comes in from now on.").format(n=saved.number),
            )
            return redirect("rules")
    effect = own_effect(request, found)
    context = {
        "change": found,
        "rule": rule_of(found.rule),
        "lines": change_lines(found),
        "tiles": tiles(found.counts, past.counts(effect)),
        "is_withheld": any(withheld(found.counts, past.counts(effect), key) for key in found.counts),
        "fewest": FEWEST,
        "reads": request.user.may(Permission.READ_CHART),
        "rows": turn_rows(request, effect.turns[:MOST_ROWS]),
        "more": max(len(effect.turns) - MOST_ROWS, 0),
        "is_stale": own_numbers(request.practice) != found.before,
        "form": form,
        "refused": refused,
    }
    return render(request, "referrals/rule_preview.html", context, status=400 if form.errors or refused else 200)


def own_effect(request: StaffRequest, change: RuleChange) -> past.Effect:
    """The part of the effect that concerns clients whose charts this person reads."""
    clients = Client.objects.visible_to(request.user, Permission.READ_CHART).values("pk")
    found = past.cases(clients, change.at, request.practice)
    return past.weigh(found, before=change.before, after=change.after)


def withheld(every: Mapping[str, int], mine: Mapping[str, int], key: str) -> bool:
    """Whether a number across caseloads would tell of few: of those whose charts the reader does not read, 1 to 4."""
    return 0 < every[key] - mine[key] < FEWEST


def tiles(every: Mapping[str, int], mine: Mapping[str, int]) -> list[dict[str, str]]:
    """The numbers of a preview, without those that tell of few; a difference that does is not left to be worked out."""

    def said(key: str) -> str:
        return gettext("under {n}").format(n=FEWEST) if withheld(every, mine, key) else str(every[key])

    hidden = any(withheld(every, mine, key) for key in ("after", "gone", "new"))
    after = gettext("not shown") if hidden else str(every["after"])
    return [
        {"label": gettext("Cards"), "value": f"{said('before')} → {after}", "words": gettext("now, and with this")},
        {"label": gettext("No card any more"), "value": said("gone"), "words": gettext("cards")},
        {"label": gettext("Decisions they led to"), "value": said("decided"), "words": gettext("would be lost")},
        {"label": gettext("New cards"), "value": said("new"), "words": gettext("that were not there")},
        {"label": gettext("Another suggestion"), "value": said("other"), "words": gettext("cards")},
    ]


def turn_rows(request: StaffRequest, turns: Sequence[past.Turn]) -> list[dict[str, Any]]:
    """Each card that would be gone, new or other, by name."""
    clients = Client.objects.visible_to(request.user, Permission.READ_CHART)
    people = clients.in_bulk({turn.case.client for turn in turns})
    decided = past.decided({turn.case.card for turn in turns if turn.case.card})
    return [
        {
            "client": people[turn.case.client],
            "url": reverse("suggestion", args=[turn.case.client, turn.case.card])
            if turn.case.card
            else people[turn.case.client].get_absolute_url(),
            "at": turn.case.at,
            "what": KINDS[turn.kind],
            "before": TITLES.get(turn.before, ""),
            "after": TITLES.get(turn.after, ""),
            "decided": turn.case.card in decided,
        }
        for turn in turns
    ]


def rule_of(rule_id: str) -> table.Rule | None:
    """The rule; None when the table of today has it no more."""
    return next((rule for rule in table.rules() if rule.id == rule_id), None)
