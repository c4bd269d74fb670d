"""What is sent from the page of a session: lines of its log, its start, its signature, its note."""

import json
from collections.abc import Callable
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext

from practice.access import Permission
from practice.actions import NotNow
from practice.kap import logbook
from practice.kap.actions import room
from practice.kap.models import Entry, Session
from practice.kap.views.session import page, session_of, there
from practice.pages import StaffRequest, public, staff_page

P = Permission
Kind = Entry.Kind
MOST_LINES = 200  # of one sending: more than two hours of taps; the rest follows in the next
WORKER = Path(__file__).parent.parent / "worker.js"
NOT_FACTS = {"csrfmiddlewaretoken", "form_key", "key", "kind", "back"}


@staff_page(P.RUN_SESSION, often=True)
def session_entries(request: StaffRequest, plan: UUID, session: UUID) -> HttpResponse:
    """Take lines: a list that a device kept while the network was gone, or one form without script."""
    row, at = session_of(request, plan, session), timezone.now()
    if request.method != "POST":
        return there(row)
    if "lines" in request.POST:
        return take_list(request, row, at, by=request.user)
    facts = {name: value for name, value in request.POST.items() if name not in NOT_FACTS}
    line = {"key": request.POST.get("key", ""), "kind": request.POST.get("kind", ""), "facts": facts}
    (taken,) = room.record(session=row, sent=[line], by=request.user, at=at)
    if taken.sentence:
        kind = str(line["kind"]) if line["kind"] in Kind.values else "main"
        return page(request, row, wrong=taken.sentence, typed=facts, kind=kind)
    return there(row, _plain(request.POST.get("back", "")))


def take_list(request: HttpRequest, row: Session, at: datetime, **who: Any) -> JsonResponse:
    """Take the lines that a device kept while the network was gone. `who` wrote them: `by` or `chaperone`."""
    try:
        sent = json.loads(request.POST["lines"])
        sent_at = parse_datetime(request.POST.get("sent_at", ""))
    except (ValueError, RecursionError):
        sent, sent_at = None, None
    if not isinstance(sent, list) or len(sent) > MOST_LINES or not all(isinstance(line, dict) for line in sent):
        return JsonResponse({"taken": []}, status=400)
    if sent_at is not None and timezone.is_naive(sent_at):
        sent_at = None
    taken = room.record(session=row, sent=sent, at=at, sent_at=sent_at, **who)
    return JsonResponse({"taken": [{"key": each.key, "sentence": each.sentence} for each in taken]})


def _plain(place: str) -> str:
    return place if place.replace("-", "").replace("_", "").isalnum() and len(place) < 40 else ""


def act(
    request: StaffRequest,
    row: Session,
    do: Callable[..., object],
    *,
    kind: str,
    place: str,
    said: str = "",
    **facts: Any,
) -> HttpResponse:
    """Do one thing to the session: back to the part that was used, or the page with the sentence against it."""
    if request.method != "POST":
        return there(row)
    try:
        do(by=request.user, session=row, at=timezone.now(), **facts)
    except NotNow as sentence:
        return page(request, row, wrong=str(sentence), typed=facts, kind=kind)
    if said:
        messages.success(request, said)
    return there(row, place)


@staff_page(P.RUN_SESSION)
def session_start(request: StaffRequest, plan: UUID, session: UUID) -> HttpResponse:
    return act(request, session_of(request, plan, session), room.start, kind="start", place="day")


@staff_page(P.RUN_SESSION)
def session_sign(request: StaffRequest, plan: UUID, session: UUID) -> HttpResponse:
    """Sign that the client may leave; with something open, only with words."""
    row, words = session_of(request, plan, session), request.POST.get("words", "")[: logbook.TEXT]
    return act(request, row, room.sign, kind="sign", place="integrate", said=gettext("Signed."), words=words)


@staff_page(P.RUN_SESSION)
def session_note(request: StaffRequest, plan: UUID, session: UUID) -> HttpResponse:
    """Keep the note, drafted from the log and changed by the clinician, in the record."""
    row, words = session_of(request, plan, session), request.POST.get("words", "").replace("\r\n", "\n")
    return act(request, row, room.keep_note, kind="note", place="integrate", said=gettext("Note saved."), words=words)


@public
def session_worker(request: HttpRequest, plan: UUID, session: UUID) -> HttpResponse:
    """The script that opens the page while the network is gone. Its address is its reach: this one page."""
    return HttpResponse(worker_text(), content_type="text/javascript; charset=utf-8")


@cache
def worker_text() -> str:
    return WORKER.read_text(encoding="utf-8")
