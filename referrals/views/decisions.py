"""One decision as it was written, with its evidence, its questions and what was added; and the newest on the chart."""

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from practice import audit
from practice.access import Permission
from practice.clinical import table
from practice.forms import HouseForm, words_field
from practice.models import Client, User
from practice.pages import client_of, record_of, staff_page
from practice.templatetags.ui import full_day, moment
from practice.views.chart import SIDE, Panel, allowed, frame, named, reader
from practice.views.rules import value_words
from referrals import holds
from referrals.actions import decisions as actions
from referrals.models import Decision
from referrals.views import holds as hold_views
from referrals.views.fit import PATHS

ON_CHART = 4


class AddForm(HouseForm):
    words = words_field(_("What you want to add"), _("Write what you want to add."))
    recheck = forms.BooleanField(label=_("This was the recheck: take it off the list"), required=False)

    def __init__(self, *args: Any, rechecking: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not rechecking:
            del self.fields["recheck"]


@staff_page(Permission.READ_CHART)
def decision(request: HttpRequest, pk: UUID, decision: UUID) -> HttpResponse:
    at = timezone.now()
    found = _decision(request, pk, decision)
    client = client_of(request, pk)
    audit.seen(request, client, "decision", found)
    return _decision_page(request, client, found, at, None)


def _decision(request: HttpRequest, pk: UUID, decision: UUID) -> Decision:
    found: Decision = record_of(request, Decision, decision, of=pk)
    return found


def _decision_page(
    request: HttpRequest, client: Client, found: Decision, at: datetime, form: AddForm | None
) -> HttpResponse:
    person = reader(request)
    may = Permission.DECIDE in allowed(person, client)
    rechecking = _rechecking(client, found)
    kept = found.snapshot or {}
    context = {
        **frame(request, client, at),
        "decision": found,
        "row": row(found, person),
        "facts": decision_facts(found),
        "evidence": evidence_rows(kept),
        "rules": [rule for entry in kept.get("rules", []) if (rule := _rule_line(entry))],
        "unknowns": [table.inputs()[name].label for name in kept.get("unknowns", []) if name in table.inputs()],
        "questions": [question_row(each, person) for each in found.questions.select_related("to", "asked_by")],
        "addenda": list(found.addenda.select_related("by")),
        "newer": client.decisions.filter(at__gt=found.at).first(),
        "refer_url": f"{reverse('referral_new', args=[client.pk])}?decision={found.pk}"
        if found.choice in Decision.REFERS and Permission.SEND_REFERRAL in allowed(person, client)
        else "",
        "plan_url": reverse("plan_new", args=[client.pk])
        if found.choice == Decision.Choice.KAP and Permission.PLAN_KAP in allowed(person, client)
        else "",
        "holds": _holds_of(found, client, person, at),
        "may_decide": may,
        "form": (form or AddForm(rechecking=rechecking)) if may else None,
        "rechecking": rechecking,
    }
    return render(request, "referrals/decision.html", context, status=400 if form and form.errors else 200)


def _rechecking(client: Client, found: Decision) -> bool:
    return client.tasks.filter(kind="recheck", subject_id=found.pk, done_at=None).exists()


def _holds_of(found: Decision, client: Client, person: User, at: datetime) -> list[dict[str, Any]]:
    """For a decision to refer: what stands in the way of sending now."""
    if found.choice not in Decision.REFERS:
        return []
    return [hold_views.line(hold, person, paths=(found.choice,)) for hold in holds.blocks(client, found.choice, at)]


def row(found: Decision, person: User) -> dict[str, Any]:
    return {
        "title": found.get_choice_display(),
        "urgent": found.urgency == Decision.Urgency.URGENT,
        "when": gettext("{when}, by {who}").format(when=moment(found.at), who=named(found.by, person)),
        "reasoning": found.reasoning,
        "url": reverse("decision", args=[found.client_id, found.pk]),
    }


def decision_facts(found: Decision) -> list[dict[str, str]]:
    """What was weighed, offered and said, and when it is looked at again."""

    def paths(codes: Iterable[str]) -> str:
        return ", ".join(str(PATHS[code][0]) for code in codes if code in PATHS) or gettext("None written down")

    rows = [
        {"label": gettext("Urgency"), "value": found.get_urgency_display()},
        {"label": gettext("Weighed"), "value": paths(found.weighed)},
        {"label": gettext("Offered to the client"), "value": paths(found.offered)},
        {"label": gettext("The client"), "value": found.get_said_display()},
    ]
    if found.review_on:
        rows.append({"label": gettext("Look at this again on"), "value": full_day(found.review_on)})
    return rows


def evidence_rows(kept: Mapping[str, Any]) -> list[dict[str, str]]:
    """What was known when it was decided, as it was then."""
    known, dates = table.inputs(), kept.get("dates", {})
    return [
        {
            "label": known[name].label,
            "value": value_words(value),
            "when": full_day(date.fromisoformat(dates[name])) if name in dates else gettext("from the record"),
        }
        for name, value in kept.get("inputs", {}).items()
        if name in known
    ]


def _rule_line(entry: Mapping[str, str]) -> dict[str, str] | None:
    rule = next((each for each in table.rules() if each.id == entry.get("id")), None)
    if rule is None:
        return None
    return {
        "id": rule.id,
        "version": entry.get("version", ""),
        "reason": rule.reason,
        "url": reverse("rule", args=[rule.id]),
    }


def question_row(asked: Any, person: User) -> dict[str, Any]:
    return {
        "question": asked.question,
        "asked": gettext("{who} asked {to}, {when}").format(
            who=named(asked.asked_by, person), to=named(asked.to, person), when=moment(asked.asked_at)
        ),
        "answer": asked.answer,
        "answered": gettext("Answered {when}").format(when=moment(asked.answered_at)) if asked.answered_at else "",
        "url": reverse("case_question", args=[asked.client_id, asked.pk]),
    }


@staff_page(Permission.DECIDE)
def decision_add(request: HttpRequest, pk: UUID, decision: UUID) -> HttpResponse:
    """An addendum; what was decided stays as it was."""
    at = timezone.now()
    found = _decision(request, pk, decision)
    client = client_of(request, pk)
    if request.method != "POST":
        return redirect("decision", pk, decision)
    form = AddForm(request.POST, rechecking=_rechecking(client, found))
    if not form.is_valid():
        return _decision_page(request, client, found, at, form)
    act = actions.finish_recheck if form.cleaned_data.get("recheck") else actions.add_words
    act(by=reader(request), decision=found, words=form.cleaned_data["words"], at=at)
    messages.success(request, gettext("Added. What was written before stays as it was."))
    return redirect("decision", pk, decision)


def panel(request: HttpRequest, client: Client, at: datetime) -> Panel | None:
    """The newest decisions on the chart, beside."""
    found = list(client.decisions.select_related("by")[:ON_CHART])
    may = Permission.DECIDE in allowed(reader(request), client)
    if not found and not may:
        return None
    rows = [row(each, reader(request)) for each in found]
    return Panel(
        "referrals/decisions_panel.html",
        {"rows": rows, "decide_url": reverse("decision_new", args=[client.pk]) if may else ""},
        SIDE,
    )
