"""The list of referrals, and the newest ones on the chart."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from practice import caseload as widths
from practice.access import Permission
from practice.models import Client, User
from practice.pages import StaffRequest, staff_page
from practice.templatetags.ui import day
from practice.views import choosing
from practice.views.chart import SIDE, Panel, allowed, reader
from referrals import lists
from referrals.actions import drafts
from referrals.models import Destination, Referral
from referrals.states import State
from referrals.views import directory
from referrals.views.standing import chip, next_words, steps, trouble_words

P = Permission


@staff_page(P.SEE_REFERRALS)
def referrals(request: StaffRequest) -> HttpResponse:
    at, user = timezone.now(), request.user
    mine = widths.widths(user)
    who = choosing.asked(request, "who", mine, mine[0])
    tab = choosing.asked(request, "tab", list(lists.TABS), "")
    urgency = choosing.asked(request, "urgency", ["", "urgent", "routine"], "")
    clinic = _clinic(request)
    found = lists.scope(user, who)
    if urgency:
        found = found.filter(urgency=urgency)
    if clinic is not None:
        found = found.filter(destination=clinic)
    counted = lists.counts(found, at)
    chosen = {
        "who": who if who != mine[0] else "",
        "tab": tab,
        "urgency": urgency,
        "clinic": str(clinic.pk) if clinic else "",
    }
    shown = lists.page(found, tab, f"{who}|{urgency}|{clinic.pk if clinic else ''}", request.GET.get("after", ""), at)
    context = {
        "rows": [row(referral, at, user) for referral in shown.rows],
        "people": [choosing.link(chosen, "who", w, widths.WHO[w], w == who) for w in mine] if len(mine) > 1 else [],
        "tabs": [
            choosing.link(chosen, "tab", name, each.label, name == tab, choosing.shown(counted[f"in_{name}"]))
            for name, each in lists.TABS.items()
        ],
        "urgencies": [
            choosing.link(chosen, "urgency", value, label, value == urgency)
            for value, label in (("", _("All")), ("urgent", _("Urgent")), ("routine", _("Routine")))
        ],
        "clinic": clinic,
        "any_clinic": choosing.url(chosen | {"clinic": ""}),
        "more": choosing.url(chosen | {"after": shown.next}) if shown.next else "",
        "top": choosing.url(chosen),
        "is_first": shown.is_first,
        "filtered": bool(tab or urgency or clinic),
    }
    return render(request, "referrals/referrals.html", context)


def _clinic(request: StaffRequest) -> Destination | None:
    asked = request.GET.get("clinic", "")
    if not asked:
        return None
    try:
        return directory.clinic_of(UUID(asked))
    except ValueError as wrong:
        raise BadRequest from wrong


def row(referral: Referral, at: datetime, user: User) -> dict[str, Any]:
    """One line of the list: whom, where, how it stands since when, and what is next. Nothing clinical."""
    late = referral.is_open and referral.due_at is not None and referral.due_at <= at
    return {
        "referral": referral,
        "url": referral.get_absolute_url(),
        "name": referral.client.name,
        "code": referral.reference,
        "therapist": referral.client.therapist if referral.client.therapist_id != user.pk else None,
        "clinic": referral.destination or gettext("No clinic chosen"),
        "chip": chip(referral),
        "urgent": referral.urgency == "urgent",
        "since": day(referral.state_at),
        "next": next_words(referral),
        "late": late,
        "trouble": trouble_words(referral),
    }


# --- On the chart ----------------------------------------------------------------------------------------------------


def panel(request: HttpRequest, client: Client, at: datetime) -> Panel | None:
    """The newest referrals with their steps, and drafts that wait; one button begins another."""
    found = list(
        client.referrals.exclude(closed_why=drafts.DISCARDED)
        .select_related("destination", "client", "course")
        .prefetch_related("changes__corrected_by", "course__sessions")[:3]
    )
    may_send = P.SEND_REFERRAL in allowed(reader(request), client)
    if not found and not may_send:
        return None
    return Panel(
        "referrals/referral_panel.html",
        {
            "rows": [
                {
                    "referral": row,
                    "chip": chip(row),
                    "steps": steps(row, list(row.changes.all())) if row.state != State.DRAFT else [],
                    "next": next_words(row),
                }
                for row in found
            ],
            "may_send": may_send and client.status not in Client.LEFT,
        },
        SIDE,
    )
