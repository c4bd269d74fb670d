"""Plans of ketamine-assisted psychotherapy: the list of all, and the part of the chart."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from intake.views import reading
from practice import caseload as widths
from practice.access import Permission
from practice.clinical import kap
from practice.kap import lists
from practice.kap.actions import boosters, clearance
from practice.kap.models import Plan, Session
from practice.kap.views.plan import left_words, most_words, window_words
from practice.models import Client, User
from practice.pages import StaffRequest, staff_page
from practice.templatetags.ui import day, full_day, moment
from practice.views import choosing
from practice.views.chart import Panel, allowed, reader
from practice.words import EARLY

P = Permission
State = Session.State
WEEKLY_WORDS = {
    "not_due": _("Not due yet"),
    "on_time": _("On time"),
    "late": _("Late"),
    "overdue": _("Overdue"),
}


# --- The list --------------------------------------------------------------------------------------------------------


@staff_page(P.SEE_PLANS)
def plans(request: StaffRequest) -> HttpResponse:
    at, user = timezone.now(), request.user
    mine = widths.widths(user)
    who, tab = choosing.asked(request, "who", mine, mine[0]), choosing.asked(request, "tab", list(lists.TABS), "")
    found = lists.scope(user, who)
    counted = lists.counts(found, at)
    chosen = {"who": who if who != mine[0] else "", "tab": tab}
    shown = lists.page(found, tab, who, request.GET.get("after", ""), at)
    today = timezone.localdate(at)
    context = {
        "rows": [row(plan, at, today, user) for plan in shown.rows],
        "people": [choosing.link(chosen, "who", w, widths.WHO[w], w == who) for w in mine] if len(mine) > 1 else [],
        "tabs": [
            choosing.link(chosen, "tab", name, each.label, name == tab, choosing.shown(counted[name]))
            for name, each in lists.TABS.items()
        ],
        "more": choosing.url(chosen | {"after": shown.next}) if shown.next else "",
        "top": choosing.url(chosen),
        "is_first": shown.is_first,
        "filtered": bool(tab),
        "is_notes": tab == "notes",
    }
    return render(request, "kap/plans.html", context)


def row(plan: Plan, at: datetime, today: date, user: User) -> dict[str, Any]:
    """One line of the list: who, which plan, n of m, how it stands, what is next. No dose, no score."""
    found = phase(plan)
    ahead = [s for s in plan.sessions.all() if s.state in Session.AHEAD and s.starts_at > at]
    nearest = next(iter(ahead), None)
    late, words = _standing(plan, found, today)
    waits = sum(s.state == State.WAITING for s in plan.sessions.all())
    return {
        "plan": plan,
        "url": plan.get_absolute_url(),
        "name": plan.client.name,
        "code": plan.client.code,
        "therapist": plan.client.therapist if plan.client.therapist_id != user.pk else None,
        "shape": plan.get_shape_display(),
        "done": found["done"],
        "words": words,
        "late": late,
        "next": gettext("{session}, {when}").format(session=nearest, when=moment(nearest.starts_at)) if nearest else "",
        "waits": waits,
        "unnoted": [
            gettext("{session}, {when}").format(session=each, when=day(each.starts_at))
            for each in lists.unnoted(plan.sessions.all())
        ],
    }


def _standing(plan: Plan, found: dict[str, Any], today: date) -> tuple[bool, str]:
    """Whether it is late, and how it stands in words."""
    last = found["last"]
    if plan.shape == Plan.Shape.BOOSTER and plan.due_on and not found["done"]:
        coming = boosters.coming(plan, today)
        return plan.due_on < today, booster_words(plan.due_on, coming.window if coming else None)
    if plan.state != Plan.State.UNDER_WAY and last:
        due = kap.booster(last, max(today, last))
        words = gettext("{booster} Not planned yet.").format(booster=booster_words(due.due_on, due.window) + ".")
        return due.due_on < today, words
    if plan.shape == Plan.Shape.WEEKLY and last and found["done"] < plan.planned:
        stands = kap.weekly(last, max(today, last))
        words = gettext("{stands}: last dose {day}").format(stands=WEEKLY_WORDS[stands.status], day=day(last))
        return stands.status in ("late", "overdue"), words
    if last:
        return False, gettext("Last dose {day}").format(day=day(last))
    return False, gettext("From {day}").format(day=day(plan.started_on))


def booster_words(due_on: date, window: Sequence[date] | None) -> str:
    if window is None:
        return gettext("Booster due {day}").format(day=full_day(due_on))
    return gettext("Booster due {day}, window {window}").format(day=full_day(due_on), window=window_words(window))


# --- On the chart ----------------------------------------------------------------------------------------------------


def plans_of(client: Client) -> list[Plan]:
    """The plans of this client with their sessions, in time. Asks the database twice per client."""
    if not hasattr(client, "plans_read"):
        client.plans_read = list(client.plans.prefetch_related("sessions"))  # type: ignore[attr-defined]
    return client.plans_read  # type: ignore[attr-defined]


def panel(request: HttpRequest, client: Client, at: datetime) -> Panel | None:
    """The plans as phases in turn, the booster that the last dose asks for, what is cleared, and the way to more."""
    found, may = plans_of(client), allowed(reader(request), client)
    plans_it = P.PLAN_KAP in may and client.status not in Client.LEFT
    if not found and not plans_it:
        return None
    zone = ZoneInfo(client.zone or request.practice.zone)  # type: ignore[attr-defined]
    today = at.astimezone(zone).date()
    seen = boosters.outlook(found, reading.assessments(client), zone, today)
    under_way = [plan for plan in found if plan.state == Plan.State.UNDER_WAY]
    left = clearance.ledger(client, today) if found else None
    planned = any(plan.shape == Plan.Shape.BOOSTER for plan in under_way)
    return Panel(
        "kap/plans_panel.html",
        {
            "phases": [phase(plan) | {"window": _window(plan, today)} for plan in found],
            "offer": _offer(client, seen, plans_it) if seen and not planned else None,
            "early": [str(EARLY[code]) for code in seen.booster.early_triggers if code in EARLY] if seen else [],
            "left": left_words(left) if left else "",
            "most": most_words(left) if left and left.good else "",
            "prescriber": client.prescriber,
            "change_url": under_way[-1].get_absolute_url() if under_way and plans_it else "",
            "new_url": reverse("plan_new", args=[client.pk]) if plans_it else "",
            "away_url": reverse("client_absences", args=[client.pk]),
            "clearance_url": reverse("clearance", args=[client.pk]),
        },
    )


def _window(plan: Plan, today: date) -> str:
    coming = boosters.coming(plan, today)
    return window_words(coming.window) if coming else ""


def _offer(client: Client, seen: boosters.Outlook, may_plan: bool) -> dict[str, str]:
    """The booster that nobody planned yet."""
    return {
        "due": full_day(seen.booster.due_on),
        "window": window_words(seen.booster.window),
        "url": reverse("plan_new", args=[client.pk]) + "?template=booster" if may_plan else "",
    }


def doses(plan: Plan) -> list[Session]:
    return [session for session in plan.sessions.all() if session.kind == Session.Kind.DOSING]


def days(sessions: list[Session]) -> list[date]:
    return [timezone.localdate(session.starts_at) for session in sessions]


def phase(plan: Plan) -> dict[str, Any]:
    """One plan as n of m dots with its days."""
    told = {session.number: session for session in doses(plan)}
    done = {number: session for number, session in told.items() if session.state == Session.State.DONE}
    last = max([plan.planned, *told])
    on = days([*done.values()])
    return {
        "plan": plan,
        "done": len(done),
        "places": [{"number": n, "session": told.get(n), "done": n in done} for n in range(1, last + 1)],
        "first": min(on, default=None),
        "last": max(on, default=None),
        "is_booster": plan.shape == Plan.Shape.BOOSTER,
    }
