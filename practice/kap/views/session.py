"""The page of one session, for a phone or tablet in the room: prepare, that day, leave, integrate."""

from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from django.http import Http404, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from practice import audit
from practice.access import Permission
from practice.clinical import kap
from practice.clinical import room as rules
from practice.clinical.room import MISSING, OK, Asked, Room
from practice.kap import logbook
from practice.kap.actions import clearance, room
from practice.kap.models import Entry, Intention, Route, Session
from practice.kap.views import remote
from practice.pages import StaffRequest, record_of, staff_page
from practice.templatetags.ui import clock, moment
from practice.views.chart import frame

P = Permission
Kind, State = Entry.Kind, Session.State
GATES = {
    "ok": ("good", "circle-check", _("No hold by the blood pressure")),
    "prescriber_ok_needed": ("refer", "triangle-alert", _("The prescriber decides")),
    "no_dose": ("safety", "octagon-alert", _("No dose: treat it first, measure again")),
    "urgent": ("safety", "octagon-alert", _("Crisis range: repeat in 5 minutes, same-day medical care")),
    "emergency": ("safety", "octagon-alert", _("Crisis range with symptoms: call 911")),
}
GROUPS = {"acute": _("Now"), "serious": _("Serious"), "delayed": _("Later")}


def session_of(request: StaffRequest, plan: UUID, pk: UUID) -> Session:
    found: Session = record_of(request, Session, pk)
    if found.plan_id != plan:
        raise Http404
    return found


def there(row: Session, place: str = "") -> HttpResponseRedirect:
    """303 back to the page, at the part that was used."""
    response = HttpResponseRedirect(reverse("session", args=[row.plan_id, row.pk]) + (f"#{place}" if place else ""))
    response.status_code = 303
    return response


@staff_page(P.RUN_SESSION)
def session(request: StaffRequest, plan: UUID, session: UUID) -> HttpResponse:
    row = session_of(request, plan, session)
    audit.seen(request, row.plan.client, "session")
    return page(request, row)


def page(
    request: StaffRequest, row: Session, *, wrong: str = "", typed: dict[str, Any] | None = None, kind: str = ""
) -> HttpResponse:
    at = timezone.now()
    client, found = row.plan.client, room.state(row, at)
    entries = list(row.entries.select_related("by", "by_chaperone"))
    gone = {entry.corrects_id for entry in entries if entry.corrects_id}
    is_dosing = row.kind == Session.Kind.DOSING
    against = room.against_start(row, at) if is_dosing and row.state == State.PLANNED else []
    log = [log_row(entry, gone) for entry in reversed(entries)]
    address = [row.plan_id, row.pk]
    context = {
        **frame(request, client, at),
        "session": row,
        "when": moment(row.starts_at),
        "place": ", ".join(str(part) for part in (row.room or row.get_setting_display(), row.therapist) if part),
        "is_dosing": is_dosing,
        "remote": remote.panel(row, entries, at) if is_dosing else None,
        "is_open": row.state in (State.PLANNED, State.STARTED),
        "state": {"tone": "good" if row.state == State.DONE else "watch", "text": row.get_state_display()},
        "ready": [asked_row(asked) for asked in found.ready],
        "leave": [asked_row(asked) for asked in found.leave],
        "ready_left": count_words(found.ready),
        "leave_left": count_words(found.leave),
        "against": [{"text": sentence} for sentence in against],
        "against_leave": against_leave(found) if is_dosing else [],
        "ledger": ledger_words(row, at) if is_dosing else "",
        "intention": shared(row, Intention.When.BEFORE),
        "afterwards": shared(row, Intention.When.AFTER),
        "present": next((line["said"] for line in log if line["kind"] == Kind.PRESENT and not line["gone"]), ""),
        "readings": [reading_row(reading) for reading in reversed(found.readings)],
        "asks_gate": found.gate == "prescriber_ok_needed" and not found.gate_cleared and found.dose_at is None,
        "when_now": when_now(found),
        "whens": logbook.WHEN.items(),
        "dose": next((line["said"] for line in log if line["kind"] == Kind.DOSE and not line["gone"]), ""),
        "absorbed": absorbed_words(entries, gone),
        "routes": Route.choices,
        "found": found,
        "checks": logbook.CHECKS.items(),
        "event_groups": [{"label": label, "events": rules.events()[group].items()} for group, label in GROUPS.items()],
        "grades": rules.grades().items(),
        "log": log,
        "to_correct": [line for line in log if not line["gone"] and line["kind"] != Kind.CORRECT],
        "draft": logbook.draft_note(row) if row.note_id is None and entries else "",
        "new_key": lambda: str(uuid4()),
        "entries_url": reverse("session_entries", args=address),
        "worker_url": reverse("session_worker", args=address),
        "page_url": reverse("session", args=address),
        "kinds": Kind.choices,
        "now": at,
        "wrong": [{"text": wrong, "href": f"#{kind}"}] if wrong else [],
        "typed": {kind: typed or {}},
    }
    return render(request, "kap/session.html", context, status=400 if wrong else 200)


def asked_row(asked: Asked) -> dict[str, Any]:
    item = asked.item
    answers = item.answers.items() if item.most is None else [(str(n), str(n)) for n in range(11)]
    return {
        "code": item.code,
        "ask": item.ask,
        "words_label": item.words,
        "words": asked.words,
        "answers": [(value, label, str(asked.answer) == value) for value, label in answers],
        "is_number": item.most is not None,
        "state": asked.state,
        "says": said_words(asked),
    }


def said_words(asked: Asked) -> str:
    if asked.state == OK:
        return gettext("Fine")
    if asked.state == MISSING:
        return gettext("Not asked yet")
    if asked.item.is_good(asked.answer):
        return gettext("Say who")
    return gettext("Stands against it")


def count_words(asked: tuple[Asked, ...]) -> str:
    n = sum(each.state != OK for each in asked)
    return ngettext("{n} open", "{n} open", n).format(n=n) if n else gettext("All done")


def against_leave(found: Room) -> list[dict[str, str]]:
    asks = {asked.item.code: asked.item.ask for asked in found.leave}
    rows = []
    for code in found.open_after:
        pressure = gettext("Blood pressure afterwards is missing, or not back near the one before.")
        rows.append({"text": pressure if code == "bp" else asks[code]})
    return rows


def ledger_words(row: Session, at: datetime) -> str:
    left = clearance.ledger(row.plan.client, row.plan.today(at)).left
    return ngettext("{n} cleared dose left", "{n} cleared doses left", left).format(n=left)


def shared(row: Session, when: str) -> str:
    """What the client wrote and chose to share; what they kept for themselves is not read."""
    found = Intention.objects.filter(session=row, when=when, shared_at__isnull=False).first()
    return str(found.words) if found else ""


def reading_row(reading: rules.Reading) -> dict[str, Any]:
    tone, icon, words = GATES[reading.gate]
    return {
        "when": logbook.WHEN[reading.when],
        "at": clock(reading.at),
        "numbers": f"{reading.sbp}/{reading.dbp}",
        "pulse": reading.pulse,
        "tone": tone,
        "icon": icon,
        "words": words,
    }


def when_now(found: Room) -> str:
    if found.dose_at is None:
        return "before"
    return "during" if found.second_reading_at is not None else "after"


def absorbed_words(entries: list[Entry], gone: set[UUID]) -> str:
    """For staff only: both ranges with their source. Only of a troche."""
    given = [e.facts or {} for e in entries if e.kind in (Kind.DOSE, Kind.SUPPLEMENT) and e.pk not in gone]
    mg = sum(float(facts["mg"]) for facts in given if facts["route"] == Route.SUBLINGUAL)
    if not 0 < mg <= 10_000:
        return ""
    estimate = kap.absorbed(mg)
    return gettext(
        "Absorbed, an estimate for staff: {low:g}-{high:g} mg by the practice's own 35-45 %; "
        "{least:g}-{most:g} mg as measured, 27-31 % (Rolan 2014)."
    ).format(
        low=estimate.seed_mg[0],
        high=estimate.seed_mg[1],
        least=estimate.literature_mg[0],
        most=estimate.literature_mg[1],
    )


def log_row(entry: Entry, gone: set[UUID]) -> dict[str, Any]:
    return {
        "key": str(entry.key),
        "kind": entry.kind,
        "label": entry.get_kind_display(),
        "at": clock(entry.happened_at),
        "said": logbook.said(entry),
        "who": str(entry.by) if entry.by else remote.named(entry.by_chaperone),
        "gone": entry.pk in gone,
        "late": entry.at - entry.happened_at > room.FRESH,
    }
