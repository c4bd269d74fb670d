"""The clearance ledger of a client: what a prescriber allows, what was used, what is left."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from practice import audit
from practice.access import Permission
from practice.actions import NotNow
from practice.forms import HouseForm, words_field
from practice.kap import lists
from practice.kap.actions import clearance as actions
from practice.kap.actions.weighing import zone_of
from practice.kap.models import DoseClearance, Route, Session
from practice.kap.views.making import FURTHEST
from practice.kap.views.plan import notes_words
from practice.models import Client, User
from practice.pages import client_of, record_of, staff_page
from practice.templatetags.ui import full_day, moment
from practice.views.chart import allowed, frame, named, reader

P = Permission
STATES = {
    "good": (_("Good"), "good", "circle-check"),
    "used_up": (_("Used up"), "", "check"),
    "ended": (_("Ended"), "", "clock"),
    "withdrawn": (_("Taken back"), "refer", "ban"),
}
MOST_DOSES = 26  # the longest series that a template makes
LONGEST_DAYS = 365


class ClearForm(HouseForm):
    doses = forms.IntegerField(
        label=_("How many doses"),
        min_value=1,
        max_value=MOST_DOSES,
        error_messages={
            "required": _("Write how many doses you clear."),
            "invalid": _("Write the number of doses in digits."),
        },
    )
    until = forms.DateField(
        label=_("Until"),
        widget=forms.DateInput({"type": "date"}, format="%Y-%m-%d"),
        error_messages={"required": _("Choose the last day."), "invalid": _("Give a day, such as 2026-12-31.")},
        help_text=_("The last day on which one may be given."),
    )
    every_days = forms.IntegerField(
        label=_("At most one dose in so many days"),
        min_value=1,
        max_value=LONGEST_DAYS,
        required=False,
        error_messages={"invalid": _("Write the number of days in digits.")},
        help_text=_("Leave empty when the practice's own limits are enough."),
    )
    most_mg = forms.DecimalField(
        label=_("Largest single dose, in mg as labelled"),
        min_value=Decimal(1),
        max_value=Decimal(10000),
        decimal_places=2,
        error_messages={
            "required": _("Write the largest dose, in milligrams."),
            "invalid": _("Write the dose as a number, in milligrams."),
            "min_value": _("This is less than one milligram. Write the dose in milligrams, not in grams."),
            "max_value": _("This is more than 10 grams. Write the dose in milligrams."),
        },
    )
    route = forms.ChoiceField(
        label=_("Route"),
        choices=[("", _("Choose")), *Route.choices],
        error_messages={"required": _("Choose the route.")},
    )
    words = words_field(
        _("Words for the record"), "", required=False, rows=2, help_text=_("What was checked, and what to watch for.")
    )

    def __init__(self, *args: Any, today: date, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.today = today

    def clean_until(self) -> date:
        until: date = self.cleaned_data["until"]
        if until < self.today:
            raise forms.ValidationError(gettext("The last day lies in the past. Choose a later one."))
        if until > self.today + FURTHEST:
            raise forms.ValidationError(gettext("Choose a day within two years."))
        return until


class WithdrawForm(HouseForm):
    words = words_field(_("Why it is taken back"), _("Write why the clearance is taken back."), rows=2)

    def __init__(self, *args: Any, row: DoseClearance, **kwargs: Any) -> None:
        super().__init__(*args, auto_id=f"withdraw_{row.pk}_%s", **kwargs)


@staff_page(P.READ_CHART)
def clearance(request: HttpRequest, pk: UUID) -> HttpResponse:
    client = client_of(request, pk)
    audit.seen(request, client, "clearance")
    return _page(request, client, timezone.now())


def _page(
    request: HttpRequest,
    client: Client,
    at: datetime,
    *,
    form: HouseForm | None = None,
    taking: tuple[UUID, HouseForm] | None = None,
) -> HttpResponse:
    user = reader(request)
    zone = zone_of(client)
    today = at.astimezone(zone).date()
    found = actions.ledger(client, today)
    may = P.CLEAR_DOSES in allowed(user, client) and client.status not in Client.LEFT
    wrong = form or (taking[1] if taking else None)
    context = {
        **frame(request, client, at),
        "lines": [line_row(line, user, may, taking) for line in reversed(found.lines)],
        "facts": [
            {"label": gettext("Used"), "value": str(found.used)},
            {"label": gettext("Left"), "value": str(found.left), "alert": not found.left},
            {"label": gettext("Prescriber"), "value": client.prescriber or gettext("Nobody named")},
            {"label": gettext("Sessions that wait"), "value": str(_waiting(client))},
        ],
        "notes_missing": notes_words(len(lists.unnoted(Session.objects.filter(plan__client=client)))),
        "form": (form or ClearForm(today=today)) if may else None,
        "ask_url": reverse("clearance_ask", args=[client.pk]) if P.PLAN_KAP in allowed(user, client) else "",
        "wrong": wrong,
    }
    return render(request, "kap/clearance.html", context, status=400 if wrong else 200)


def _waiting(client: Client) -> int:
    return Session.objects.filter(plan__client=client, state=Session.State.WAITING).count()


def line_row(line: actions.Line, user: User, may: bool, taking: tuple[UUID, HouseForm] | None = None) -> dict[str, Any]:
    row = line.clearance
    label, tone, icon = STATES[line.state]
    back = getattr(row, "withdrawal", None)
    form = None
    if may and line.state == "good":
        form = taking[1] if taking and taking[0] == row.pk else WithdrawForm(row=row)
    return {
        "clearance": row,
        "id": f"c-{row.pk}",
        "title": gettext("{n} until {day}").format(n=row.doses, day=full_day(row.until)),
        "chip": {"text": label, "tone": tone, "icon": icon},
        "facts": [
            {"label": gettext("Used"), "value": str(line.used)},
            {"label": gettext("Left"), "value": str(line.left)},
            *line_facts(row),
            {"label": gettext("By"), "value": f"{_who(row, user)}, {moment(row.at)}"},
        ],
        "words": row.words,
        "taken_back": gettext("Taken back {when}, by {who}").format(when=moment(back.at), who=_who(back, user))
        if back
        else "",
        "why": back.words if back else "",
        "form": form,
    }


def line_facts(row: DoseClearance) -> list[dict[str, str]]:
    """What a clearance allows."""
    return [
        {"label": gettext("Doses"), "value": str(row.doses)},
        {"label": gettext("Until"), "value": full_day(row.until)},
        {"label": gettext("How often"), "value": _often(row)},
        {"label": gettext("At most"), "value": gettext("{mg} mg").format(mg=f"{row.most_mg.normalize():f}")},
        {"label": gettext("Route"), "value": row.get_route_display()},
    ]


def _often(row: DoseClearance) -> str:
    if not row.every_days:
        return gettext("As the practice's limits allow")
    return gettext("One in {n} days").format(n=row.every_days)


def _who(row: Any, user: User) -> str:
    return named(row.by, user) if row.by else str(row.by_request.to)


@staff_page(P.CLEAR_DOSES)
def clearance_add(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Clear doses; what is written is never changed, only taken back."""
    at, client = timezone.now(), client_of(request, pk)
    if request.method != "POST":
        return redirect("clearance", pk)
    form = ClearForm(request.POST, today=at.astimezone(zone_of(client)).date())
    if form.is_valid() and client.status in Client.LEFT:
        form.add_error(None, gettext("This client was discharged. Take them back into care first."))
    if form.is_valid():
        try:
            with transaction.atomic():
                actions.grant(by=reader(request), client=client, at=at, **form.cleaned_data)
        except NotNow as sentence:
            form.add_error(None, str(sentence))
        else:
            messages.success(request, _cleared(client))
            return redirect("clearance", pk)
    return _page(request, client, at, form=form)


def _cleared(client: Client) -> str:
    if _waiting(client):
        return gettext("Cleared. What waits in the plan is booked from the plan's page, with one press.")
    return gettext("Cleared.")


@staff_page(P.CLEAR_DOSES)
def clearance_withdraw(request: HttpRequest, pk: UUID, clearance: UUID) -> HttpResponse:
    """Take a clearance back, with words; doses that were given under it stay counted."""
    at, client = timezone.now(), client_of(request, pk)
    row: DoseClearance = record_of(request, DoseClearance, clearance)
    if row.client_id != pk:
        raise Http404
    if request.method != "POST":
        return redirect("clearance", pk)
    form = WithdrawForm(request.POST, row=row)
    if form.is_valid():
        try:
            with transaction.atomic():
                actions.withdraw(by=reader(request), clearance=row, words=form.cleaned_data["words"], at=at)
        except NotNow as sentence:
            form.add_error(None, str(sentence))
        else:
            messages.success(request, gettext("Taken back. The words stand in the ledger."))
            return redirect("clearance", pk)
    return _page(request, client, at, taking=(row.pk, form))
