"""The part of a booster's plan that says what is asked anew before it, and the button that sends the questions."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext

from practice.access import Permission
from practice.actions import NotNow
from practice.kap.actions import rescreen
from practice.kap.models import Plan
from practice.models import Client
from practice.pages import StaffRequest, record_of, staff_page
from practice.templatetags.ui import full_day, moment

P = Permission


def panel(plan: Plan, at: datetime, may: set[Permission]) -> dict[str, Any] | None:
    """What stands before the booster that is ahead: for those who read the chart. No answer, only whether and when."""
    dose = rescreen.booster_dose(plan)
    if dose is None or P.READ_CHART not in may:
        return None
    zone = plan.tz()
    dose_on, today = dose.starts_at.astimezone(zone).date(), at.astimezone(zone).date()
    rows = rescreen.standing(plan.client, dose_on, today)
    first, due = rescreen.from_day(dose_on), any(row.is_due for row in rows)
    sent = rescreen.on_its_way(plan.client, at)
    may_send = P.PLAN_KAP in may and plan.client.status not in Client.LEFT
    return {
        "rows": [
            {
                "label": rescreen.NAMES[row.code],
                "value": gettext("Due")
                if row.is_due
                else gettext("Answered {day}").format(day=full_day(row.answered_on)),
                "alert": row.is_due and today >= first,
            }
            for row in rows
        ],
        "title": gettext("Re-screening due") if due and today >= first else gettext("Re-screening before the booster"),
        "from": "" if today >= first else full_day(first),
        "lead_days": rescreen.LEAD.days,
        "is_due": due and today >= first,
        "sent": moment(sent.created_at) if sent else "",
        "url": reverse("plan_rescreen", args=[plan.pk]) if due and today >= first and may_send and not sent else "",
        "known_url": reverse("known", args=[plan.client_id]) if P.DECIDE in may else "",
    }


@staff_page(P.PLAN_KAP)
def plan_rescreen(request: StaffRequest, plan: UUID) -> HttpResponse:
    """Send the questions before a booster now."""
    row: Plan = record_of(request, Plan, plan)
    if request.method == "POST":
        try:
            with transaction.atomic():
                rescreen.send(by=request.user, plan=row, at=timezone.now())
        except NotNow as sentence:
            messages.warning(request, str(sentence))
        else:
            messages.success(request, gettext("Sent. The answers stand here as they come in."))
    return redirect(row)
