"""Forms that are planned for a client: what goes out when, and stopping it by a clinician's words."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from intake import measures, packet, schedules
from intake.models import Measure
from intake.views.schedules import pause_words
from practice import audit
from practice.access import Permission
from practice.forms import HouseForm, attempt, words_field
from practice.models import Client
from practice.pages import client_of, record_of, staff_page
from practice.templatetags.ui import moment
from practice.views.chart import SIDE, Panel, allowed, frame, reader

LISTED = 6


def panel(request: HttpRequest, client: Client, at: datetime) -> Panel | None:
    """What goes out by itself, the next first; what repeats stands once."""
    rows = list(measures.planned(client)[: LISTED + 1])
    set_rows = schedules.running(client)
    may_stop = Permission.DECIDE in allowed(reader(request), client) and client.status not in Client.LEFT
    pause = pause_words(client, at)
    if not (rows or set_rows or may_stop or pause):
        return None
    known = {
        name: packet.load(name) for name in sorted({row.packet for row in rows} | {row.packet for row in set_rows})
    }
    return Panel(
        "intake/measures_panel.html",
        {
            "client": client,
            "rows": [row_of(row, known[row.packet]) for row in rows[:LISTED]],
            "more": len(rows) > LISTED,
            "set_rows": [
                {
                    "pk": row.pk,
                    "title": schedules.title_in(known[row.packet], row.only),
                    "words": schedules.words_of(row),
                }
                for row in set_rows
            ],
            "pause": pause,
            "may_stop": may_stop,
        },
        SIDE,
    )


def row_of(row: Measure, whole: packet.Packet | None = None) -> dict[str, Any]:
    how_often = gettext("every {n} days").format(n=row.every_days) if row.every_days else ""
    return {
        "measure": row,
        "title": schedules.title_in(whole or packet.load(row.packet), row.only),
        "words": ", ".join(part for part in (moment(row.due_at), how_often) if part),
        "why": row.get_why_display(),
    }


class StopForm(HouseForm):
    words = words_field(_("Why it stops"), _("Write why it stops."))


@staff_page(Permission.DECIDE)
def measure_stop(request: HttpRequest, pk: UUID, measure: UUID) -> HttpResponse:
    """Stop one planned form, or all short check-ins at once; the words become a note."""
    at = timezone.now()
    row: Measure = record_of(request, Measure, measure, of=pk)
    client = client_of(request, pk)
    form = StopForm(request.POST or None)
    if form.is_valid() and attempt(
        form, lambda: measures.stop_by_words(by=reader(request), measure=row, at=at, **form.cleaned_data)
    ):
        messages.success(request, gettext("Stopped, and kept as a note."))
        return redirect("chart", pk)
    if request.method != "POST":
        audit.seen(request, client, "measure", row)
    context = {**frame(request, client, at), **row_of(row), "form": form}
    return render(request, "intake/measure_stop.html", context, status=400 if form.errors else 200)
