"""The end of a client's care, and the way back into it."""

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from practice import actions, audit, words
from practice.access import Permission
from practice.forms import HouseForm, attempt, words_field
from practice.models import Client
from practice.pages import client_of, staff_page
from practice.views.chart import frame, open_flags, reader


class EndForm(HouseForm):
    status = forms.ChoiceField(
        label=_("What happened"),
        choices=[
            (Client.Status.DISCHARGED, _("Their care here ended: discharged")),
            (Client.Status.DIED, _("They died")),
        ],
        widget=forms.RadioSelect,
        error_messages={"required": _("Choose what happened.")},
    )
    words = words_field(_("How it ended, for the record"), _("Write a line on how their care ended."))


class BackForm(HouseForm):
    words = words_field(_("Why they are back, for the record"), _("Write a line on why they are back."))


@staff_page(Permission.DECIDE)
def client_discharge(request: HttpRequest, pk: UUID) -> HttpResponse:
    client = client_of(request, pk)
    if client.status in Client.LEFT:
        return _back(request, client)
    form = EndForm(request.POST or None)
    if form.is_valid() and attempt(
        form,
        lambda: actions.discharge(by=reader(request), client=client, at=timezone.now(), **form.cleaned_data),
    ):
        messages.success(request, gettext("Recorded. Nothing is sent to them any more."))
        return redirect("chart", pk)
    return _page(request, client, form)


def _back(request: HttpRequest, client: Client) -> HttpResponse:
    """Somebody who left: the way back. A form of the way out that comes late finds this page, and changes nothing."""
    form = BackForm(request.POST if "back" in request.POST else None)
    if form.is_valid() and attempt(
        form,
        lambda: actions.take_back(by=reader(request), client=client, at=timezone.now(), **form.cleaned_data),
    ):
        messages.success(request, gettext("They are in care again. Send forms and their page link anew."))
        return redirect("chart", client.pk)
    return _page(request, client, form)


def _page(request: HttpRequest, client: Client, form: forms.Form) -> HttpResponse:
    at = timezone.now()
    if request.method != "POST":
        audit.seen(request, client, "discharge")
    waiting = client.tasks.filter(done_at=None).order_by("rank", "opened_at")
    context: dict[str, Any] = {
        **frame(request, client, at),
        "form": form,
        "left": client.status in Client.LEFT,
        "tasks": [{"text": task.look.label, "why": words.why(task)} for task in waiting],
        "first": open_flags(client) or waiting.filter(kind__in=actions.BEFORE_LEAVING).exists(),
    }
    return render(request, "practice/client_discharge.html", context, status=400 if form.errors else 200)
