"""One referral with its whole story, and the forms that this person may use on it now."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django import forms
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from practice import audit
from practice.access import Permission
from practice.forms import HouseForm
from practice.models import User
from practice.pages import StaffRequest, record_of, staff_page
from practice.templatetags.ui import full_day, moment
from practice.views.chart import allowed, frame, named
from referrals import states
from referrals.actions import acts, delivery, drafts, events
from referrals.models import Course, CourseSession, Message, Referral, Sending, StatusChange
from referrals.states import Actor, Event, State
from referrals.views.referral_forms import (
    CalledForm,
    CancelForm,
    MessageForm,
    RecordForm,
    RedirectForm,
    ResendForm,
    SessionForm,
)
from referrals.views.sending import hand_off_words
from referrals.views.standing import chip, steps, trouble_of, visit_words

P = Permission
# Items of this page that words finish (practice.views.activity.BY_WORDS).
BY_WORDS = ("hand_off", "no_show", "client_says", "integrate", "back_to_therapy")
# An event as something that happened; the table's own words are what a button says.
HAPPENED: dict[str, Any] = {
    Event.SEND: _("Sent"),
    Event.ACCEPT: _("Accepted"),
    Event.DECLINE: _("Declined"),
    Event.SCHEDULE: _("Visit booked"),
    Event.RESCHEDULE: _("Visit moved"),
    Event.NO_SHOW: _("Client missed the visit"),
    Event.CANCEL_VISIT: _("Visit cancelled"),
    Event.VISIT: _("Visit done"),
    Event.OUTCOME: _("Outcome report came"),
    Event.ASK_CANCEL: _("Asked to take the referral back"),
    Event.CONFIRM_CANCEL: _("Confirmed that it is taken back"),
    Event.UNDER_WAY_BOOKED: _("In treatment, visits booked by the clinic"),
    Event.UNDER_WAY_NOTED: _("In treatment, by a note"),
}


def referral_of(request: StaffRequest, pk: UUID) -> Referral:
    """A referral within what the door's permission allows this person."""
    found: Referral = record_of(request, Referral, pk)
    return found


@staff_page(P.SEE_REFERRALS)
def referral(request: StaffRequest, referral: UUID) -> HttpResponse:
    at, row = timezone.now(), referral_of(request, referral)
    if row.state == State.DRAFT and row.closed_at is None and P.SEND_REFERRAL in allowed(request.user, row.client):
        return redirect("referral_edit", row.pk)
    audit.seen(request, row.client, "referral", row)
    return page(request, row, at)


def page(request: StaffRequest, row: Referral, at: datetime, wrong: HouseForm | None = None) -> HttpResponse:
    user, client = request.user, row.client
    may = allowed(user, client)
    charted = P.READ_CHART in may
    history = list(row.changes.select_related("by", "by_key", "corrected_by", "evidence"))
    sends, tracks = P.SEND_REFERRAL in may, P.TRACK_REFERRAL in may
    shown = _forms(row, at, sends=sends, tracks=tracks, charted=charted, wrong=wrong)
    gone = wrong if wrong not in shown.values() else None  # its form has no place on the page any more
    context = {
        **(frame(request, client, at) if charted else {"client": client}),
        "frame": "practice/chart_frame.html" if charted else "base_staff.html",
        "charted": charted,
        "referral": row,
        "chip": chip(row),
        "steps": steps(row, history),
        "changes": [change_row(change, user, charted) for change in reversed(history)],
        "facts": facts(row),
        "sendings": [sending_row(s, user, charted) for s in row.sendings.select_related("by", "packet")],
        "tasks": _tasks(row, may),
        "opened_by": (row.opened_by.name or row.opened_by.email) if row.opened_by else "",
        "followed_by": list(row.followed_by.select_related("client", "destination")),
        "wrong": wrong,
        "may": {"send": sends, "track": tracks},
        "urls": {name: reverse(f"referral_{name}", args=[row.pk]) for name in ACTS},
        "forms": shown,
        "gone": [{"text": line} for lines in gone.errors.values() for line in lines] if gone is not None else [],
        "unsaid": unsaid(gone) if gone is not None else [],
        "can": {
            "remind": tracks and row.is_open and row.due_at is not None and row.due_at <= at,
            "close": sends and row.state != State.DRAFT and row.closed_at is None,
            "undo": sends and row.closed_at is not None and row.closed_why != drafts.DISCARDED,
            "correct": tracks,
        },
        "course": sessions(row),
    }
    if charted:
        context |= {
            "thread": [message_row(message, user) for message in row.messages.select_related("by", "by_key")],
            "letters": list(row.letters.defer("body").select_related("read_by")),
            "said": list(row.client_words.all()),
            "handed_off": hand_off_words(row, user),
            "packet": row.packets.defer("content", "pdf").first(),
        }
    return render(request, "referrals/referral.html", context, status=400 if wrong is not None else 200)


def unsaid(form: HouseForm) -> list[dict[str, str]]:
    """What was typed into a form that has no place on the page any more, so that it can be said elsewhere."""
    typed = ((field, form.data.get(field.html_name, "")) for field in form.visible_fields())
    return [
        {"label": str(field.label), "value": value}
        for field, value in typed
        if value.strip() and not isinstance(field.field, forms.ChoiceField)
    ]


ACTS = ("record", "message", "cancel", "redirect", "resend", "called", "remind", "close", "session")


def _forms(
    row: Referral, at: datetime, *, sends: bool, tracks: bool, charted: bool, wrong: HouseForm | None
) -> dict[str, HouseForm]:
    """The forms that this person may use now; the one that was sent stands in for its empty twin."""
    found: dict[str, HouseForm] = {}
    sent = row.state != State.DRAFT
    if tracks and states.open_to(row.state, Actor.RECIPIENT):
        found["record"] = RecordForm(referral=row)
    if tracks and row.is_open and acts.course_of(row) is not None:
        found["session"] = SessionForm()
    if tracks and sent:
        found["called"] = CalledForm()
    if sends and charted and sent:
        found["message"] = MessageForm()
    if (sends or tracks) and sent and row.is_open:
        found["resend"] = ResendForm(
            clinic=row.destination, initial={"email": row.destination.email if row.destination else ""}, reads=sends
        )
    if sends and Event.ASK_CANCEL in states.open_to(row.state, Actor.INITIATOR):
        found["cancel"] = CancelForm()
    over = row.state in (State.DECLINED, State.CANCELLED) or (sent and row.closed_at is not None)
    if sends and over and row.state != State.COMPLETED:
        found["redirect"] = RedirectForm(referral=row)
    return found | ({name: wrong for name in found if type(found[name]) is type(wrong)} if wrong is not None else {})


def _tasks(row: Referral, may: set[Permission]) -> list[dict[str, Any]]:
    """What is open for this referral, each with where it is done; those without a form here end by words."""
    anchors = {"declined": "redirect", "clinic_asks": "thread", "call_clinic": "called", "letter": "letters"}
    found = []
    items = row.client.tasks.filter(subject_id=row.pk, done_at=None)
    if P.READ_CHART not in may:
        items = items.filter(kind="call_clinic")
    for task in items.order_by("rank", "opened_at"):
        url = ""
        if task.kind in BY_WORDS and P.WRITE_NOTE in may:
            url = reverse("task_done", args=[row.client_id, task.pk])
        elif task.kind in anchors:
            url = f"#{anchors[task.kind]}"
        found.append({"label": task.look.label, "action": task.look.action, "url": url, "due": moment(task.due_at)})
    return found


def facts(row: Referral) -> list[dict[str, Any]]:
    clinic = row.destination
    phone = ", ".join(part for part in (clinic.coordinator, clinic.phone, clinic.hours) if part) if clinic else ""
    rows = (
        (gettext("Clinic"), str(clinic) if clinic else gettext("None chosen")),
        (gettext("To call"), phone),
        (gettext("How soon"), row.get_urgency_display()),
        (gettext("Sent"), moment(row.sent_at)),
        (gettext("Opened"), moment(row.opened_at)),
        (gettext("Received"), moment(row.received_at)),
        (gettext("Next visit"), _visit(row)),
        (gettext("Last heard of them"), moment(row.heard_at)),
        (gettext("Link works until"), full_day(row.link_expires_at) if row.is_open else ""),
        (gettext("Client is told"), gettext("At each step") if row.client_told else gettext("Not by messages")),
    )
    return [{"label": label, "value": value} for label, value in rows if value]


def _visit(row: Referral) -> str:
    if row.visit_at is None:
        return ""
    confirmed = gettext("confirmed by the client") if row.visit_confirmed_at else gettext("not confirmed by the client")
    return f"{visit_words(row.visit_at)}, {confirmed}"


def change_row(change: StatusChange, user: User, charted: bool) -> dict[str, Any]:
    """One entry of the story: what, when, by whom, and how we know."""
    told = acts.said_by(change)
    if change.by is not None:
        told = named(change.by, user)
        if change.actor == Actor.RECIPIENT:
            told = gettext("{clinic} said so {how}; recorded by {who}").format(
                clinic=change.by_name if change.by_name not in ("", change.by.name) else gettext("the clinic"),
                how=change.get_channel_display(),
                who=told,
            )
    corrected = hasattr(change, "corrected_by")
    reason = acts.WhyNot(change.reason).label if change.reason in acts.WhyNot.values else ""
    return {
        "change": change,
        "what": HAPPENED.get(str(change.event), change.get_event_display()),
        "when": moment(change.happened_at),
        "late": moment(change.at) if abs(change.at - change.happened_at).total_seconds() > 3600 else "",
        "who": told,
        "reason": reason if charted else "",
        "words": change.words if charted else "",
        "visit": visit_words(change.visit_at),
        "corrected": corrected,
        "can_correct": not corrected and change.event not in (events.CORRECT, Event.SEND),
    }


def message_row(message: Message, user: User) -> dict[str, Any]:
    who = named(message.by, user) if message.by else message.by_name
    return {"message": message, "who": who or (message.by_key.email if message.by_key else gettext("The clinic"))}


def sending_row(row: Sending, user: User, charted: bool) -> dict[str, Any]:
    missed = row.trouble == delivery.NOT_REACHED
    return {
        "sending": row,
        "what": row.get_channel_display(),
        "to": row.address,
        "state": gettext("Nobody was reached") if missed else row.get_state_display(),
        "bounced": row.state == Sending.State.BOUNCED,
        "trouble": trouble_of(row) if row.state == Sending.State.BOUNCED and not missed else "",
        "when": moment(row.at),
        "settled": moment(row.settled_at) if row.settled_at and row.settled_at != row.at else "",
        "who": named(row.by, user) if row.by else "",
        "words": row.spoke_with if charted else "",
        "version": row.packet.number,
        "came_back": row.state in (Sending.State.WAITING, Sending.State.DELIVERED),
    }


def sessions(row: Referral) -> dict[str, Any] | None:
    course: Course | None = Course.objects.filter(referral=row).prefetch_related("sessions").first()
    if course is None:
        return None
    told = {session.number: session for session in course.sessions.all()}
    done = {number for number, session in told.items() if session.state == CourseSession.State.DONE}
    last = max([course.planned, *told])
    return {
        "course": course,
        "done": len(done),
        "places": [{"number": n, "session": told.get(n), "done": n in done} for n in range(1, last + 1)],
    }
