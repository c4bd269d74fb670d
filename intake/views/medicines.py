"""Medication lists on the chart: each page as a file to keep, and the word that its medicines were typed."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext, ngettext

from intake import medicines
from intake.models import MedicinePage
from practice import audit, pictures
from practice.access import Permission
from practice.actions import NotNow
from practice.models import Client
from practice.pages import client_of, record_of, staff_page
from practice.views.chart import SIDE, Panel, allowed, reader

MOST_NAMED = 50  # in one form


def panel(request: HttpRequest, client: Client, at: datetime) -> Panel | None:
    """The pages that wait, the oldest first, then those that were typed; each with the number of its file."""
    rows = [_row(page, n) for n, page in enumerate(medicines.pages_of(client), 1)]
    if not rows:
        return None
    context = {
        "waiting": [row for row in rows if row["typed_at"] is None],
        "typed": [row for row in reversed(rows) if row["typed_at"] is not None],
        "may": Permission.WRITE_NOTE in allowed(reader(request), client),
    }
    return Panel("intake/medicines_panel.html", context, SIDE)


def _row(page: MedicinePage, n: int) -> dict[str, Any]:
    said = gettext("Page {n}, PDF") if page.kind == pictures.PDF else gettext("Page {n}, photo")
    return {
        "pk": page.pk,
        "what": said.format(n=n),
        "at": page.at,
        "typed_at": page.typed_at,
        "typed_by": page.typed_by,
    }


@staff_page(Permission.READ_CHART)
def medicine_page(request: HttpRequest, pk: UUID, page: UUID) -> HttpResponse:
    found = record_of(request, MedicinePage, page, of=pk)
    audit.seen(request, found.client, "medicine_page", target=found)
    return medicines.attach(found)


@staff_page(Permission.WRITE_NOTE)
def medicines_typed(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Somebody typed the medicines of the pages that this form names."""
    client = client_of(request, pk)
    if request.method == "POST":
        try:
            n = medicines.typed(by=reader(request), client=client, pages=_named(request), at=timezone.now())
            said = ngettext("{n} page is noted as typed.", "{n} pages are noted as typed.", n)
            messages.success(request, said.format(n=n))
        except NotNow as sentence:
            messages.warning(request, str(sentence))
    return redirect("chart", pk)


def _named(request: HttpRequest) -> list[UUID]:
    found = []
    for each in request.POST.getlist("page")[:MOST_NAMED]:
        try:
            found.append(UUID(each))
        except ValueError:
            continue
    return found
