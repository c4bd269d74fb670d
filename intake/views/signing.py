"""Who is asked to sign again, what came of it, and the button that starts and stops the asking."""

from collections import Counter
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext, ngettext

from intake import editions, resigning
from intake.models import SigningPace, SigningRequest
from practice import audit
from practice.access import Permission
from practice.models import Client
from practice.pages import StaffRequest, record_of, staff_page

PER_PAGE = 50


@staff_page(Permission.MANAGE_PRACTICE)
def signing_again(request: StaffRequest) -> HttpResponse:
    at = timezone.now()
    if request.method == "POST":
        return _turn(request, on="start" in request.POST)
    outcome = request.GET.get("outcome", "")
    outcome = outcome if outcome in SigningRequest.Outcome.values else ""
    page = Paginator(resigning.progress(request.user, outcome), PER_PAGE).get_page(request.GET.get("page"))
    waiting = resigning.waiting_at(at)
    named = {key: editions.shipped(key).title for key in editions.documents()}
    named |= {key: rows[-1].title for key, rows in editions.own().items()}
    shown: list[SigningRequest] = list(page.object_list)
    charts = Client.objects.visible_to(request.user, Permission.READ_CHART)
    read = set(charts.filter(pk__in={row.client_id for row in shown}).values_list("pk", flat=True))
    audit.record("read.signing", by=request.user, count=len(shown))
    context: dict[str, Any] = {
        "pace": SigningPace.get(),
        "waiting": len(waiting),
        "now": len(resigning.in_turn(waiting, at, request.practice)),
        "page": page,
        "rows": [
            {"row": row, "title": named.get(row.document, row.document), "reads": row.client_id in read}
            for row in shown
        ],
        "tabs": _tabs(request, outcome),
        "query": f"outcome={outcome}&" if outcome else "",
    }
    return render(request, "intake/signing_again.html", context)


def _tabs(request: StaffRequest, outcome: str) -> list[dict[str, Any]]:
    counts = Counter(resigning.progress(request.user).order_by().values_list("outcome", flat=True))
    here = reverse("signing_again")
    return [
        {"label": gettext("All"), "url": here, "count": counts.total(), "current": not outcome},
        *(
            {"label": each.label, "url": f"{here}?outcome={each}", "count": counts[each], "current": outcome == each}
            for each in SigningRequest.Outcome
        ),
    ]


def _turn(request: StaffRequest, *, on: bool) -> HttpResponse:
    changed = resigning.turn(by=request.user, on=on, at=timezone.now())
    n = SigningPace.get().per_day
    if not on:
        said = gettext("Stopped. Nobody is asked any more; what was sent can still be signed.")
    else:
        said = ngettext(
            "Started: {n} client a day, in their daytime.", "Started: up to {n} clients a day, in their daytime.", n
        ).format(n=n)
    messages.success(request, said) if changed else messages.info(request, gettext("That was so already."))
    return redirect("signing_again")


@staff_page(Permission.MANAGE_PRACTICE)
def signing_request(request: StaffRequest, pk: UUID) -> HttpResponse:
    """Ask a client who declined, or was not reached, once more."""
    row: SigningRequest = record_of(request, SigningRequest, pk)
    if request.method == "POST":
        if resigning.ask_again(by=request.user, request=row, at=timezone.now()):
            messages.success(request, gettext("They are asked again when it is their turn."))
        else:
            messages.info(request, gettext("They are among those who are asked already."))
    return redirect(f"{reverse('signing_again')}?outcome={row.outcome}")
