"""Referrals after they were sent: the list, one referral with its whole story, and what staff do on it."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.core.exceptions import BadRequest
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from practice import audit, uploads
from practice import caseload as widths
from practice.access import Permission
from practice.actions import NotNow
from practice.forms import HouseForm, Moment, text, words_field
from practice.models import Client, User
from practice.pages import StaffRequest, record_of, staff_page
from practice.templatetags.ui import day, full_day, moment
from practice.views.chart import SIDE, Panel, allowed, frame, named, reader
from referrals import attachments, lists, states
from referrals.actions import acts, clocks, events, sending
from referrals.models import Course, CourseSession, Destination, Message, Referral, Sending, StatusChange
from referrals.states import Actor, Event, State
from referrals.views import directory
from referrals.views.sending import SendForm, hand_off_words

P = Permission
Channel = StatusChange.Channel
TOLD_BY = [(channel.value, channel.label) for channel in (Channel.PHONE, Channel.FAX, Channel.MAIL, Channel.LETTER)]
# Items of this page that words finish (practice.views.activity.BY_WORDS).
BY_WORDS = ("hand_off", "no_show", "client_says", "integrate", "back_to_therapy")
TONES = {
    State.DRAFT: "",
    State.SENT: "watch",
    State.DECLINED: "refer",
    State.NO_SHOW: "refer",
    State.CANCEL_ASKED: "refer",
    State.CANCELLED: "",
    State.COMPLETED: "good",
}
ICONS = {
    State.DRAFT: "pencil",
    State.SENT: "send",
    State.DECLINED: "octagon-alert",
    State.NO_SHOW: "triangle-alert",
    State.COMPLETED: "circle-check",
}


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


# --- The list --------------------------------------------------------------------------------------------------------


@staff_page(P.SEE_REFERRALS)
def referrals(request: StaffRequest) -> HttpResponse:
    at, user = timezone.now(), request.user
    mine = widths.widths(user)
    who = _asked(request, "who", mine, mine[0])
    tab = _asked(request, "tab", list(lists.TABS), "")
    urgency = _asked(request, "urgency", ["", "urgent", "routine"], "")
    clinic = _clinic(request)
    found = lists.scope(user, who)
    if urgency:
        found = found.filter(urgency=urgency)
    if clinic is not None:
        found = found.filter(destination=clinic)
    counted = lists.counts(found, at)
    chosen = {
        "who": who if who != mine[0] else "",
        "tab": tab,
        "urgency": urgency,
        "clinic": str(clinic.pk) if clinic else "",
    }
    shown = lists.page(found, tab, f"{who}|{urgency}|{clinic.pk if clinic else ''}", request.GET.get("after", ""), at)
    context = {
        "rows": [row(referral, at, user) for referral in shown.rows],
        "people": [_link(chosen, "who", w, widths.WHO[w], w == who) for w in mine] if len(mine) > 1 else [],
        "tabs": [
            _link(chosen, "tab", name, each.label, name == tab, _shown(counted[f"in_{name}"]))
            for name, each in lists.TABS.items()
        ],
        "urgencies": [
            _link(chosen, "urgency", value, label, value == urgency)
            for value, label in (("", _("All")), ("urgent", _("Urgent")), ("routine", _("Routine")))
        ],
        "clinic": clinic,
        "any_clinic": _url(chosen | {"clinic": ""}),
        "more": _url(chosen | {"after": shown.next}) if shown.next else "",
        "top": _url(chosen),
        "is_first": shown.is_first,
        "filtered": bool(tab or urgency or clinic),
    }
    return render(request, "referrals/referrals.html", context)


def _asked(request: StaffRequest, name: str, known: Sequence[str], otherwise: str) -> str:
    value = request.GET.get(name, "") or otherwise
    if value not in known:
        raise BadRequest
    return value


def _clinic(request: StaffRequest) -> Destination | None:
    asked = request.GET.get("clinic", "")
    if not asked:
        return None
    try:
        return directory.clinic_of(UUID(asked))
    except ValueError as wrong:
        raise BadRequest from wrong


def _url(chosen: dict[str, str]) -> str:
    return "?" + urlencode({name: value for name, value in chosen.items() if value})


def _link(chosen: dict[str, str], name: str, value: str, label: Any, current: bool, count: str = "") -> dict[str, Any]:
    return {"label": label, "url": _url(chosen | {name: value}), "current": current, "count": count}


def _shown(count: int) -> str:
    return f"{count}+" if count >= lists.COUNTED else str(count)


def row(referral: Referral, at: datetime, user: User) -> dict[str, Any]:
    """One line of the list: whom, where, how it stands since when, and what is next. Nothing clinical."""
    late = referral.is_open and referral.due_at is not None and referral.due_at <= at
    return {
        "referral": referral,
        "url": referral.get_absolute_url(),
        "name": referral.client.name,
        "code": referral.reference,
        "therapist": referral.client.therapist if referral.client.therapist_id != user.pk else None,
        "clinic": referral.destination or gettext("No clinic chosen"),
        "chip": chip(referral),
        "urgent": referral.urgency == "urgent",
        "since": day(referral.state_at),
        "next": next_words(referral),
        "late": late,
        "trouble": trouble_words(referral),
    }


def state_words(referral: Referral) -> str:
    """How it stands, with what the published states do not say: opened, sessions done (G11)."""
    if referral.closed_why == sending.DISCARDED:
        return gettext("Put away")
    if referral.state == State.SENT and referral.received_at:
        return gettext("Received by the clinic")
    if referral.state == State.SENT and referral.opened_at:
        return gettext("Opened")
    done = sessions_done(referral)
    if done and referral.state in states.IN_TREATMENT:
        return gettext("In treatment {n} of {m}").format(n=done[0], m=done[1])
    return str(State(referral.state).label)


def sessions_done(referral: Referral) -> tuple[int, int] | None:
    course = getattr(referral, "course", None) if referral.state != State.DRAFT else None
    if course is None:
        return None
    done = [s for s in course.sessions.all() if s.state == CourseSession.State.DONE and not s.is_maintenance]
    return (len(done), course.planned) if done else None


def chip(referral: Referral) -> dict[str, str]:
    state = State(referral.state)
    return {"tone": TONES.get(state, "watch"), "icon": ICONS.get(state, "clock"), "text": state_words(referral)}


def next_words(referral: Referral) -> str:
    if referral.state == State.DRAFT and referral.closed_at is None:
        return gettext("Not sent yet")
    if referral.closed_at is not None and referral.closed_why == clocks.SILENT:
        return gettext("Put away after a long silence")
    if referral.visit_at is not None:
        return gettext("Visit {when}").format(when=moment(referral.visit_at))
    if referral.due_at is not None and referral.is_open:
        return CLOCK_WORDS.get(referral.clock, gettext("An answer is due {when}")).format(when=moment(referral.due_at))
    return ""


CLOCK_WORDS = {
    "open": _("To be opened by {when}"),
    "accept": _("Answer due {when}"),
    "date": _("A date is due {when}"),
    "treatment": _("Next word due {when}"),
    "letter": _("Letter due {when}"),
    "cancel": _("Their confirmation is due {when}"),
}


def trouble_words(referral: Referral) -> str:
    """What became of the newest message that went to the clinic, when it did not arrive."""
    newest = max(referral.sendings.all(), key=lambda s: s.at, default=None)
    if newest is None or newest.state != Sending.State.BOUNCED or newest.trouble == sending.NOT_REACHED:
        return ""
    return gettext("Came back: {why}").format(why=trouble_of(newest))


TROUBLES = {
    "SMTPRecipientsRefused": _("the mail server refused the address"),
}


def trouble_of(row: Sending) -> str:
    return str(TROUBLES.get(row.trouble, row.trouble)) or gettext("no reason given")


# --- One referral ----------------------------------------------------------------------------------------------------


class RecordForm(HouseForm):
    """What the clinic said, when it did not say so on its own page."""

    event = forms.ChoiceField(label=_("What the clinic said"), choices=[])
    channel = forms.ChoiceField(label=_("How they told us"), choices=TOLD_BY)
    by_name = text(_("Who at the clinic"), 80)
    happened_at = Moment(label=_("When they said it"), required=False, help_text=_("Leave empty for now."))
    reason = forms.ChoiceField(
        label=_("For a decline: why"), choices=[("", _("Choose")), *acts.WhyNot.choices], required=False
    )
    visit_at = Moment(label=_("For a booking: the visit"), required=False)
    words = words_field(_("Their words"), "", required=False, rows=2)
    letter_words = words_field(_("What their letter says"), "", required=False, rows=3, max_length=20000)
    letter_file = forms.FileField(
        label=_("Or their letter as a file"),
        required=False,
        allow_empty_file=True,
        widget=forms.FileInput(attrs={"accept": attachments.ACCEPT}),
    )

    def __init__(self, *args: Any, referral: Referral, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        possible = states.open_to(referral.state, Actor.RECIPIENT)
        self.fields["event"].choices = [(event.value, event.label) for event in possible]  # type: ignore[attr-defined]


class CorrectForm(HouseForm):
    reason = words_field(_("What was wrong"), _("Write what was wrong."), rows=2)


class MessageForm(HouseForm):
    words = words_field(_("Write to the clinic"), _("Write your message first."))


class CancelForm(HouseForm):
    words = words_field(
        _("Why it is taken back"),
        _("Write why the referral is taken back."),
        rows=2,
        help_text=_("The clinic reads this. It stays in the list until they confirm."),
    )


class ResendForm(SendForm):
    email = forms.EmailField(
        label=_("Address of the clinic"), required=False, help_text=_("A new one goes into the directory, too.")
    )
    change = words_field(
        _("What is new since then"),
        "",
        required=False,
        rows=2,
        help_text=_("Leave empty to send the same packet. With words, a new version is made from today's record."),
    )
    field_order = ["email", "channels", "spoke_with", "change"]


class CalledForm(HouseForm):
    reached = forms.TypedChoiceField(
        label=_("Were they reached?"),
        choices=[("yes", _("Yes")), ("no", _("No, try again"))],
        coerce=lambda value: value == "yes",
        widget=forms.RadioSelect,
        error_messages={"required": _("Say whether they were reached.")},
    )
    spoke_with = text(
        _("With whom, and what was said"),
        240,
        required=True,
        error_messages={"required": _("Write with whom you spoke, and what was said.")},
    )


class RedirectForm(HouseForm):
    destination = forms.ModelChoiceField(
        label=_("Another clinic"),
        queryset=Destination.objects.none(),
        empty_label=_("Choose a clinic"),
        error_messages={
            "required": _("Choose a clinic."),
            "invalid_choice": _("Choose one of the clinics of the directory."),
        },
    )

    def __init__(self, *args: Any, referral: Referral, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        others = Destination.objects.filter(is_active=True).exclude(pk=referral.destination_id)
        self.fields["destination"].queryset = others  # type: ignore[attr-defined]


class SessionForm(HouseForm):
    act = forms.ChoiceField(
        label=_("Session"), choices=[("book", _("Booked")), ("done", _("Done")), ("missed", _("Missed"))]
    )
    number = forms.IntegerField(label=_("Number"), min_value=1, max_value=99)
    on = forms.DateField(
        label=_("Day"),
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        error_messages={
            "required": _("Give the day of the session."),
            "invalid": _("Write the day as year, month, day, such as 2026-11-24."),
        },
    )
    channel = forms.ChoiceField(label=_("How they told us"), choices=TOLD_BY)
    by_name = text(_("Who at the clinic"), 80)
    note = text(_("What they added"), 240)


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
        "forms": _forms(row, at, sends=sends, tracks=tracks, charted=charted, wrong=wrong),
        "can": {
            "remind": tracks and row.is_open and row.due_at is not None and row.due_at <= at,
            "close": sends and row.state != State.DRAFT and row.closed_at is None,
            "undo": sends and row.closed_at is not None and row.closed_why != sending.DISCARDED,
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
    if sends and row.is_open:
        found["resend"] = ResendForm(
            clinic=row.destination, initial={"email": row.destination.email if row.destination else ""}
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
    return f"{moment(row.visit_at)}, {confirmed}"


def steps(row: Referral, history: Sequence[StatusChange]) -> list[dict[str, Any]]:
    """The short line of steps: done with its day, the one it stands at, what is ahead (mock-up d)."""
    standing = [change for change in history if not hasattr(change, "corrected_by") and change.event != events.CORRECT]

    def when(*wanted: str) -> datetime | None:
        return next((change.happened_at for change in standing if change.event in wanted), None)

    done = sessions_done(row)
    rows = [
        (gettext("Sent"), row.sent_at),
        (gettext("Opened"), row.opened_at or row.received_at),
        (gettext("Accepted"), when(Event.ACCEPT)),
        (gettext("First session"), when(Event.VISIT)),
        (gettext("Letter"), when(Event.OUTCOME)),
    ]
    if row.state == State.DECLINED:
        rows = [*[r for r in rows[:3] if r[1]], (gettext("Declined"), when(Event.DECLINE) or row.state_at)]
    elif row.state in (State.CANCEL_ASKED, State.CANCELLED):
        rows = [*[r for r in rows if r[1]], (str(State(row.state).label), row.state_at)]
    elif done and rows[3][1]:
        rows.insert(4, (gettext("{n} of {m} done").format(n=done[0], m=done[1]), _last_session(row, done)))
    found = [
        {"label": label, "when": day(at) if at else "", "done": at is not None, "now": False} for label, at in rows
    ]
    ahead = next((step for step in found if not step["done"]), None)
    if ahead is not None:
        ahead["now"] = True
    return found


def _last_session(row: Referral, done: tuple[int, int]) -> Any:
    days = [s.on for s in row.course.sessions.all() if s.state == CourseSession.State.DONE]
    return max(days) if done[0] >= done[1] else None


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
        "visit": moment(change.visit_at),
        "corrected": corrected,
        "can_correct": not corrected and change.event not in (events.CORRECT, Event.SEND),
    }


def message_row(message: Message, user: User) -> dict[str, Any]:
    who = named(message.by, user) if message.by else message.by_name
    return {"message": message, "who": who or (message.by_key.email if message.by_key else gettext("The clinic"))}


def sending_row(row: Sending, user: User, charted: bool) -> dict[str, Any]:
    missed = row.trouble == sending.NOT_REACHED
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


# --- Acts ------------------------------------------------------------------------------------------------------------


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
            letter = sending.keep_letter(
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
        sending.write_message(by=request.user, referral=row, at=at, **said)
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
        messages.success(
            request, gettext("Prepared for {clinic}. Look it over, then send it.").format(**said_of(following))
        )
        return redirect("referral_edit", following.pk)

    return _act(request, referral, lambda row: RedirectForm(request.POST, referral=row), do)


def said_of(row: Referral) -> dict[str, str]:
    return {"clinic": str(row.destination)}


@staff_page(P.SEND_REFERRAL)
def referral_resend(request: StaffRequest, referral: UUID) -> HttpResponse:
    """Send it again under a new link, to a corrected address if need be; the old link is dead."""

    def do(row: Referral, said: dict[str, Any], at: datetime) -> str:
        sending.resend(by=request.user, referral=row, at=at, **said)
        return gettext("Sent again. The old link does not work any more.")

    return _act(request, referral, lambda row: ResendForm(request.POST, clinic=_as_corrected(row, request)), do)


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
        sending.called(by=request.user, referral=row, at=at, **said)
        return gettext("The call is noted.")

    return _act(request, referral, lambda row: CalledForm(request.POST), do)


@staff_page(P.TRACK_REFERRAL)
def referral_remind(request: StaffRequest, referral: UUID) -> HttpResponse:
    return _press(request, referral, sending.remind, gettext("A reminder goes to the clinic now."))


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
            sending.bounced(
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


# --- On the chart ----------------------------------------------------------------------------------------------------


def panel(request: HttpRequest, client: Client, at: datetime) -> Panel | None:
    """The newest referrals with their steps, and drafts that wait; one button begins another."""
    found = list(
        client.referrals.exclude(closed_why=sending.DISCARDED)
        .select_related("destination", "client", "course")
        .prefetch_related("changes__corrected_by", "course__sessions")[:3]
    )
    may_send = P.SEND_REFERRAL in allowed(reader(request), client)
    if not found and not may_send:
        return None
    return Panel(
        "referrals/referral_panel.html",
        {
            "rows": [
                {
                    "referral": row,
                    "chip": chip(row),
                    "steps": steps(row, list(row.changes.all())) if row.state != State.DRAFT else [],
                    "next": next_words(row),
                }
                for row in found
            ],
            "may_send": may_send and client.status not in Client.LEFT,
        },
        SIDE,
    )
