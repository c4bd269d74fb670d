"""Who has a page about a client, for staff with the chart: a guardian by their document, holding back, ending (K7)."""

from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from intake import trusted
from intake.models import TrustedPerson
from intake.models.trusted import BY_THE_CLIENT
from intake.views.my_people import PersonForm, row_of
from practice import audit
from practice.access import Permission
from practice.actions import NotNow
from practice.forms import Day, attempt, text
from practice.models import Client, Practice
from practice.pages import StaffRequest, client_of, record_of, staff_page
from practice.views.chart import SIDE, Panel, allowed, frame, reader


class GuardianForm(PersonForm):
    document = forms.ChoiceField(
        label=_("Document"),
        choices=TrustedPerson.Document.choices,
        error_messages={
            "required": _("Choose the kind of document."),
            "invalid_choice": _("Choose the kind of document."),
        },
    )
    document_reference = text(
        _("Which one, and where it is kept"),
        120,
        required=True,
        error_messages={"required": _("Write which document says so, and where it is kept.")},
    )
    document_on = Day(label=_("Day of the document"), error_messages={"required": _("Give the day of the document.")})

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["relation"].label = _("Who they are to the client")
        self.fields["relation"].help_text = ""
        self.fields["until"].help_text = _("A minor's guardian loses access when the client comes of age, too.")

    def parts(self, practice: Practice) -> list[tuple[str, Any]]:
        offered = trusted.offered(practice, TrustedPerson.Kind.GUARDIAN)
        return [(part.value, part.label) for part in offered if part not in BY_THE_CLIENT]


def panel(request: StaffRequest, client: Client, at: datetime) -> Panel:
    """How many have a page about the client now, and whether one is held back."""
    rows = client.trusted.filter(ended_at=None).select_related("client")
    states = [trusted.state_of(row, at, request.practice) for row in rows]
    n, held = states.count(trusted.OPEN), states.count(trusted.HELD)
    words = ngettext("{n} person has a page.", "{n} people have a page.", n).format(n=n) if n else gettext("Nobody.")
    if held:
        words += " " + ngettext("{n} is held back.", "{n} are held back.", held).format(n=held)
    return Panel("intake/trusted_panel.html", {"words": words}, SIDE)


@staff_page(Permission.READ_CHART)
def client_people(request: StaffRequest, pk: UUID) -> HttpResponse:
    at, client = timezone.now(), client_of(request, pk)
    may_give = Permission.DECIDE in allowed(request.user, client)
    act = request.POST.get("act", "")
    if request.method == "POST" and act != "give":
        return _acted(request, client, act, at)
    if request.method == "POST":
        Client.objects.get_for(request.user, Permission.DECIDE, pk)
    data = request.POST if request.method == "POST" else None
    form = GuardianForm(data, practice=request.practice, at=at, lasts=trusted.LASTS)
    if form.is_valid() and attempt(
        form, lambda: trusted.give_guardian(by=request.user, client=client, at=at, **form.cleaned_data)
    ):
        messages.success(request, gettext("Saved, and the link is on its way to them."))
        return redirect("client_people", pk)
    if request.method != "POST":
        audit.seen(request, client, "people")
    rows = [row_of(row, at, request.practice) for row in trusted.people_of(client)]
    context = {
        **frame(request, client, at),
        "current": [row for row in rows if row["stands"]],
        "over": [row for row in rows if not row["stands"]],
        "form": form,
        "may_give": may_give,
    }
    return render(request, "intake/client_people.html", context, status=400 if form.errors else 200)


def _hold(request: HttpRequest, person: TrustedPerson, at: datetime) -> str:
    trusted.hold(by=reader(request), person=person, words=request.POST.get("words", "")[:1000], at=at)
    return gettext("Held back. Nobody can open it until it is given free.")


def _let_go(request: HttpRequest, person: TrustedPerson, at: datetime) -> str:
    trusted.let_go(by=reader(request), person=person, at=at)
    return gettext("Given free. They can open it again.")


def _send(request: HttpRequest, person: TrustedPerson, at: datetime) -> str:
    trusted.send_link(by=reader(request), person=person, at=at)
    return gettext("Sent a new link.")


def _entrust(request: HttpRequest, person: TrustedPerson, at: datetime) -> str:
    trusted.entrust(by=reader(request), person=person, may=True, at=at)
    return gettext("Saved. They can answer forms and sign agreements for the client.")


def _distrust(request: HttpRequest, person: TrustedPerson, at: datetime) -> str:
    trusted.entrust(by=reader(request), person=person, may=False, at=at)
    return gettext("Saved. They can no longer answer or sign. What they answered before stays.")


def _end(request: HttpRequest, person: TrustedPerson, at: datetime) -> str:
    trusted.end(by=reader(request), person=person, at=at)
    return gettext("Ended. They cannot open it any more.")


ACTS: dict[str, Callable[[HttpRequest, TrustedPerson, datetime], str]] = {
    "hold": _hold,
    "let_go": _let_go,
    "send": _send,
    "entrust": _entrust,
    "distrust": _distrust,
    "end": _end,
}
LETS_IN = ("let_go", "send", "entrust")  # not for who has the chart for a while, on call or in an emergency


def _acted(request: StaffRequest, client: Client, act: str, at: datetime) -> HttpResponse:
    try:
        found: TrustedPerson = record_of(request, TrustedPerson, UUID(request.POST.get("person", "")), of=client.pk)
    except ValueError as fault:
        raise Http404 from fault
    if act not in ACTS:
        raise Http404
    if act in LETS_IN:
        Client.objects.get_for(request.user, Permission.DECIDE, client.pk)
    try:
        with transaction.atomic():
            messages.success(request, ACTS[act](request, found, at))
    except NotNow as sentence:
        messages.warning(request, str(sentence))
    return redirect("client_people", client.pk)
