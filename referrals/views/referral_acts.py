"""What staff do with a referral after it was sent, each from its page."""

from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.db import transaction
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext

from practice import audit, uploads
from practice.access import Permission
from practice.actions import NotNow
from practice.forms import HouseForm
from practice.pages import StaffRequest, record_of, staff_page
from practice.views.chart import allowed, frame
from referrals import attachments
from referrals.actions import acts, clocks, delivery, events, letters, sending, talking
from referrals.models import Destination, Referral, Sending, StatusChange
from referrals.states import Actor, Event
from referrals.views.referral import change_row, page, referral_of
from referrals.views.referral_forms import (
    CalledForm,
    CancelForm,
    Channel,
    CorrectForm,
    MessageForm,
    RecordForm,
    RedirectForm,
    ResendForm,
    SessionForm,
)

P = Permission
Make = Callable[[Referral], HouseForm]
Do = Callable[[Referral, dict[str, Any], datetime], str | HttpResponse]


def _act(request: StaffRequest, pk: UUID, make: Make, do: Do) -> HttpResponse:
    """Take one form of the page: done and back to the page, or the page with what was written and why not."""
    at, row = timezone.now(), referral_of(request, pk)
    if request.method != "POST":
        return redirect(row)
    form = make(row)
    if form.is_valid():
        try:
            with transaction.atomic():
                said = do(row, form.cleaned_data, at)
        except NotNow as sentence:
            form.add_error(None, str(sentence))
            row.refresh_from_db()
        else:
            if isinstance(said, HttpResponse):
                return said
            messages.success(request, said)
            return redirect(row)
    return page(request, row, at, wrong=form)


@uploads.takes_file
@staff_page(P.TRACK_REFERRAL)
def referral_record(request: StaffRequest, referral: UUID) -> HttpResponse:
    """Record what the clinic said, on its behalf: who, when, how we know, and the evidence."""

    def do(row: Referral, said: dict[str, Any], at: datetime) -> str:
        letter = None
        if "letter_file" in request.FILES or said["letter_words"].strip() or uploads.was_too_large(request):
            letter = letters.keep_letter(
                by=request.user,
                referral=row,
                words=said["letter_words"],
                file=attachments.chosen(request, "letter_file"),
                is_outcome=said["event"] == Event.OUTCOME,
                at=at,
            )
        events.record(
            row,
            said["event"],
            Actor.RECIPIENT,
            channel=said["channel"],
            at=at,
            by=request.user,
            by_name=said["by_name"],
            happened_at=said["happened_at"],
            reason=said["reason"] if said["event"] == Event.DECLINE else "",
            words=said["words"],
            visit_at=said["visit_at"] if said["event"] in acts.BOOKS else None,
            letter=letter,
        )
        return gettext("Recorded: {event}.").format(event=Event(said["event"]).label)

    return _act(request, referral, lambda row: RecordForm(request.POST, request.FILES, referral=row), do)


@staff_page(P.TRACK_REFERRAL)
def referral_correct(request: StaffRequest, referral: UUID, change: UUID) -> HttpResponse:
    """Take back an earlier entry that was wrong; both stay in the story."""
    at, row = timezone.now(), referral_of(request, referral)
    found: StatusChange = record_of(request, StatusChange, change)
    if found.referral_id != row.pk:
        raise Http404
    form = CorrectForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            events.correct(found, by=request.user, at=at, **form.cleaned_data)
        except NotNow as sentence:
            form.add_error(None, str(sentence))
        else:
            messages.success(request, gettext("Taken back. The story keeps both."))
            return redirect(row)
    if request.method != "POST":
        audit.seen(request, row.client, "referral", row)
    charted = P.READ_CHART in allowed(request.user, row.client)
    context = {
        **(frame(request, row.client, at) if charted else {"client": row.client}),
        "frame": "practice/chart_frame.html" if charted else "base_staff.html",
        "referral": row,
        "entry": change_row(found, request.user, charted),
        "form": form,
    }
    return render(request, "referrals/referral_correct.html", context, status=400 if form.errors else 200)


@staff_page(P.SEND_REFERRAL)
def referral_message(request: StaffRequest, referral: UUID) -> HttpResponse:
    def do(row: Referral, said: dict[str, Any], at: datetime) -> str:
        talking.write_message(by=request.user, referral=row, at=at, **said)
        return gettext("Sent. They read it on their page.")

    return _act(request, referral, lambda row: MessageForm(request.POST), do)


@staff_page(P.SEND_REFERRAL)
def referral_cancel(request: StaffRequest, referral: UUID) -> HttpResponse:
    """Ask the clinic to let go of it: a request until they confirm, so that nobody is dropped on one side only."""

    def do(row: Referral, said: dict[str, Any], at: datetime) -> str:
        here = Channel.HERE
        events.record(row, Event.ASK_CANCEL, Actor.INITIATOR, channel=here, at=at, by=request.user, words=said["words"])
        return gettext("Asked. It stays in the list until the clinic confirms.")

    return _act(request, referral, lambda row: CancelForm(request.POST), do)


@staff_page(P.SEND_REFERRAL)
def referral_redirect(request: StaffRequest, referral: UUID) -> HttpResponse:
    """The same request to another clinic, as a draft with everything in it."""

    def do(row: Referral, said: dict[str, Any], at: datetime) -> HttpResponse:
        following = sending.redirect(by=request.user, referral=row, at=at, **said)
        words = gettext("Prepared for {clinic}. Look it over, then send it.")
        messages.success(request, words.format(clinic=following.destination))
        return redirect("referral_edit", following.pk)

    return _act(request, referral, lambda row: RedirectForm(request.POST, referral=row), do)


@staff_page(P.TRACK_REFERRAL)
def referral_resend(request: StaffRequest, referral: UUID) -> HttpResponse:
    """Send it again under a new link, to a corrected address if need be; the old link is dead.

    A packet made anew is for who reads it first.
    """

    def do(row: Referral, said: dict[str, Any], at: datetime) -> str:
        sending.resend(by=request.user, referral=row, at=at, **said)
        return gettext("Sent again. The old link does not work any more.")

    def form(row: Referral) -> ResendForm:
        reads = P.SEND_REFERRAL in allowed(request.user, row.client)
        return ResendForm(request.POST, clinic=_as_corrected(row, request), reads=reads)

    return _act(request, referral, form, do)


def _as_corrected(row: Referral, request: StaffRequest) -> Destination | None:
    """The clinic as it will be with the address that was just typed, so that a link can go there."""
    clinic = row.destination
    if clinic is not None and request.POST.get("email", "").strip() not in ("", clinic.email):
        clinic = Destination.objects.get(pk=clinic.pk)
        clinic.email, clinic.mail_stopped_at = request.POST["email"].strip(), None
    return clinic


@staff_page(P.TRACK_REFERRAL)
def referral_called(request: StaffRequest, referral: UUID) -> HttpResponse:
    def do(row: Referral, said: dict[str, Any], at: datetime) -> str:
        talking.called(by=request.user, referral=row, at=at, **said)
        return gettext("The call is noted.")

    return _act(request, referral, lambda row: CalledForm(request.POST), do)


@staff_page(P.TRACK_REFERRAL)
def referral_remind(request: StaffRequest, referral: UUID) -> HttpResponse:
    return _press(request, referral, talking.remind, gettext("A reminder goes to the clinic now."))


@staff_page(P.SEND_REFERRAL)
def referral_close(request: StaffRequest, referral: UUID) -> HttpResponse:
    """Put it away here, or take it back into the list: one press each."""
    if request.POST.get("undo"):
        return _press(
            request, referral, clocks.undo_close, gettext("Back in the list. Its clock starts where it stands.")
        )
    return _press(request, referral, clocks.close, gettext("Put away. You can take it back into the list."))


def _press(request: StaffRequest, pk: UUID, act: Callable[..., Any], said: str) -> HttpResponse:
    row = referral_of(request, pk)
    if request.method == "POST":
        try:
            act(by=request.user, referral=row, at=timezone.now())
        except NotNow as sentence:
            messages.error(request, str(sentence))
        else:
            messages.success(request, said)
    return redirect(row)


@staff_page(P.TRACK_REFERRAL)
def referral_came_back(request: StaffRequest, referral: UUID, sent: UUID) -> HttpResponse:
    """Record that a message came back, when a person noticed it and not the mail server."""
    row = referral_of(request, referral)
    found: Sending = record_of(request, Sending, sent)
    if found.referral_id != row.pk:
        raise Http404
    if request.method == "POST":
        try:
            delivery.bounced(
                found, gettext("noticed by {who}").format(who=request.user), timezone.now(), by=request.user
            )
        except NotNow as sentence:
            messages.error(request, str(sentence))
        else:
            messages.success(request, gettext("Noted. A call to the clinic is on the list."))
    return redirect(row)


@staff_page(P.TRACK_REFERRAL)
def referral_session(request: StaffRequest, referral: UUID) -> HttpResponse:
    """A session as the clinic told us: booked, done or missed."""

    def do(row: Referral, said: dict[str, Any], at: datetime) -> str:
        how = {"channel": said["channel"], "at": at, "by": request.user, "by_name": said["by_name"]}
        if said["act"] == "book":
            events.book(row, said["number"], said["on"], **how)
        elif said["act"] == "done":
            events.done(row, said["number"], said["on"], note=said["note"], **how)
        else:
            events.missed(row, said["number"], said["on"], words=said["note"], **how)
        return gettext("Recorded.")

    return _act(request, referral, lambda row: SessionForm(request.POST), do)
