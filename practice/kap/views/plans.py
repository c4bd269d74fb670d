"""Plans of ketamine-assisted psychotherapy, on the chart."""

from datetime import date, datetime
from typing import Any

from django.http import HttpRequest
from django.utils import timezone

from practice.kap.models import Plan, Session
from practice.models import Client
from practice.views.chart import Panel


def plans(client: Client) -> list[Plan]:
    """The plans of this client with their sessions, in time. Asks the database twice per client."""
    if not hasattr(client, "plans_read"):
        client.plans_read = list(client.plans.prefetch_related("sessions"))  # type: ignore[attr-defined]
    return client.plans_read  # type: ignore[attr-defined]


def panel(request: HttpRequest, client: Client, at: datetime) -> Panel | None:
    found = plans(client)
    return Panel("kap/plans_panel.html", {"phases": [phase(plan) for plan in found]}) if found else None


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
