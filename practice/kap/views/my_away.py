"""Days on which the client cannot come, in their own words: the therapist is told, nothing is moved by itself."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from intake.doors import Link, called, home_page, see_other, show
from intake.views.language import retelling
from practice.actions import NotNow
from practice.kap.actions import absences
from practice.kap.actions.weighing import zone_of
from practice.kap.models import Session
from practice.kap.views.absences import DaysForm, days_words
from practice.kap.views.my_plan import KINDS
from practice.language import as_typed
from practice.models import Client
from practice.templatetags.ui import moment


class AwayForm(DaysForm):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["first_on"].label = _("First day you cannot come")
        self.fields["last_on"].label = _("Last day you cannot come")


def rows(client: Client, at: datetime) -> list[dict[str, Any]]:
    """The client's days away that are ahead, each with what is booked then. Two queries."""
    found = absences.ahead(client, at.astimezone(zone_of(client)).date())
    booked = absences.booked(client, found, at)
    return [
        {
            "pk": row.pk,
            "days": days_words(row),
            "booked": [
                gettext("{session}, {when}").format(session=KINDS[each.kind], when=moment(each.starts_at))
                for each in booked[row.pk]
                if each.state == Session.State.PLANNED
            ],
        }
        for row in found
    ]


@home_page
@retelling
def my_away(request: HttpRequest) -> HttpResponse:
    link: Link = request.link  # type: ignore[attr-defined]
    at, client = timezone.now(), link.client
    zone = zone_of(client)
    today = at.astimezone(zone).date()
    form = as_typed(request, AwayForm(request.POST or None, today=today))
    if request.method == "POST" and form.is_valid():
        try:
            with transaction.atomic():
                absences.add_for(by=client, client=client, at=at, **form.cleaned_data)
        except NotNow as sentence:
            form.add_error(None, str(sentence))
        else:
            messages.success(request, gettext("Saved. {name} sees it.").format(name=called(client, link.practice)))
            return see_other("my_away")
    with timezone.override(zone):
        context = {"rows": rows(client, at), "form": form}
        return show(request, "kap/my_away.html", context, status=400 if form.errors else 200)


@home_page
def my_away_remove(request: HttpRequest, absence: UUID) -> HttpResponse:
    """Take days back: they can come after all."""
    link: Link = request.link  # type: ignore[attr-defined]
    row = link.client.absences.filter(pk=absence).select_related("client").first()
    if row is None and request.method != "POST":
        raise Http404
    if row is not None and request.method == "POST":
        absences.remove_for(by=link.client, absence=row, at=timezone.now())
        messages.success(request, gettext("Taken back: {days}.").format(days=days_words(row)))
    return see_other("my_away")
