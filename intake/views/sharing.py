"""The therapist chooses what the client sees of their own scores, and writes the line that stands with it (K4)."""

from datetime import date
from typing import Any
from uuid import UUID

from dateutil.relativedelta import relativedelta
from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone, translation
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from intake import shares
from intake.models import SharedScores
from intake.views.my_answers import card
from practice import audit
from practice.access import Permission
from practice.forms import Day, HouseForm, attempt, words_field
from practice.language import checked
from practice.models import Client
from practice.pages import client_of, record_of, staff_page
from practice.views.chart import frame, reader

BACK = relativedelta(months=6)  # what the form proposes
LONGEST = 600


class ShareForm(HouseForm):
    instrument = forms.ChoiceField(
        label=_("Measure"),
        error_messages={
            "required": _("Choose one of the measures."),
            "invalid_choice": _("Choose one of the measures."),
        },
    )
    first_on = Day(label=_("From"), error_messages={"required": _("Give the first day.")})
    last_on = Day(label=_("Until"), error_messages={"required": _("Give the last day.")})
    words = words_field(
        _("What it means, in your own words"),
        _("Write a line of your own. It stands above the numbers."),
        max_length=LONGEST,
        help_text=_("The client reads it above the line. They see no band and no word of how bad it is."),
    )

    def __init__(self, *args: Any, client: Client, today: date, **kwargs: Any) -> None:
        super().__init__(*args, initial={"first_on": today - BACK, "last_on": today}, **kwargs)
        choices = [(each.key, each.short_name) for each in shares.shareable(client)]
        self.fields["instrument"].choices = choices  # type: ignore[attr-defined]
        self.has_any = bool(choices)


@staff_page(Permission.DECIDE)
def scores_shared(request: HttpRequest, pk: UUID) -> HttpResponse:
    at, client = timezone.now(), client_of(request, pk)
    if request.method == "POST" and "stop" in request.POST:
        return _stopped(request, client)
    data = request.POST if request.method == "POST" else None
    form = ShareForm(data, client=client, today=timezone.localdate(at))
    if form.is_valid() and attempt(
        form, lambda: shares.share(by=reader(request), client=client, at=at, **form.cleaned_data)
    ):
        messages.success(request, gettext("Shared. It stands on the client's own page now."))
        return redirect("scores_shared", pk)
    if request.method != "POST":
        audit.seen(request, client, "shared_scores")
    with translation.override(checked(client.language)):
        cards = [card(row) for row in shares.standing(client)]
    context = {**frame(request, client, at), "form": form, "cards": cards}
    return render(request, "intake/scores_shared.html", context, status=400 if form.errors else 200)


def _stopped(request: HttpRequest, client: Client) -> HttpResponse:
    try:
        shared: SharedScores = record_of(request, SharedScores, UUID(request.POST["stop"]), of=client.pk)
    except ValueError as fault:
        raise Http404 from fault
    if shares.stop(by=reader(request), shared=shared, at=timezone.now()):
        messages.success(request, gettext("Taken back. The client does not see it any more."))
    else:
        messages.info(request, gettext("It was taken back already."))
    return redirect("scores_shared", client.pk)
