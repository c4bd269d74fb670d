"""One referral on the clinic's page: the answer, the visits and sessions, taking an entry back."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import BadRequest
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from practice.actions import NotNow
from practice.forms import LONGEST_WORDS, HouseForm, Moment
from practice.models import Client, Practice
from practice.templatetags.ui import day, moment
from referrals import states
from referrals.actions import acts, events
from referrals.actions import desk as actions
from referrals.desk_doors import Desk, packet_of, referral_page, say_name, see_other, show
from referrals.models import Course, CourseSession, Packet, Referral, StatusChange
from referrals.states import Actor, Event, State

LINK = StatusChange.Channel.LINK
TALKED_OVER = 40  # messages shown; older ones are in the record of the practice
# Which entry of one press names it, when a press wrote several.
TELLING = (Event.OUTCOME, Event.DECLINE, Event.CONFIRM_CANCEL, Event.VISIT, Event.NO_SHOW, Event.ACCEPT)


def by_whom(request: HttpRequest, name: str = "") -> dict[str, Any]:
    """Who says it, for the acts of actions.events: this address, this person, on the secure page."""
    here: Desk = request.desk  # type: ignore[attr-defined]
    name = name.replace("\0", "").strip()[:80]
    say_name(request, name)
    return {"channel": LINK, "at": timezone.now(), "by_key": here.key, "by_name": name or here.name}


def therapist_of(client: Client, practice: Practice) -> str:
    """How the reader of the clinic's words is called: the therapist's first name, else the practice."""
    return client.therapist.first_name if client.therapist else practice.name


# --- The page --------------------------------------------------------------------------------------------------------


@referral_page
def desk_referral(request: HttpRequest, referral: Referral) -> HttpResponse:
    here: Desk = request.desk  # type: ignore[attr-defined]
    actions.look(referral=referral, key=here.key, at=timezone.now())
    return page(request, referral)


def page(
    request: HttpRequest, referral: Referral, *, form: HouseForm | None = None, errors: Sequence[str] = ()
) -> HttpResponse:
    """The answer before it is given (mock-up f1), the visits after it (f2); `errors` stand above."""
    here: Desk = request.desk  # type: ignore[attr-defined]
    at = timezone.now()
    packet = packet_of(referral)
    possible = states.open_to(referral.state, Actor.RECIPIENT)
    history = list(referral.changes.select_related("session", "by_key", "by", "corrected_by"))
    course = Course.objects.filter(referral=referral).prefetch_related("sessions").first()
    undo = undoable(history, at)
    wrong = [{"text": text, "href": ""} for text in errors]
    if form is not None:
        wrong += [{"text": str(text), "href": f"#{name}"} for name, texts in form.errors.items() for text in texts]
    table = rows(referral, course, undo, at) if course else []
    context = {
        "referral": referral,
        "packet": packet,
        "content": packet.content if packet and referral.state != State.DECLINED else None,
        "person_name": name_in(packet),
        "therapist": therapist_of(referral.client, here.practice),
        "possible": {event.value: event.label for event in possible},
        "answering": Event.ACCEPT in possible,
        "takes_course": referral.path in acts.WITH_COURSE,
        "reasons": acts.WhyNot.choices,
        "form": form,
        "errors": wrong,
        "said": form.data if form is not None else {},
        "accepted": _last(history, Event.ACCEPT),
        "declined": _last(history, Event.DECLINE) if referral.state == State.DECLINED else None,
        "course": course,
        "rows": table,
        "open_rows": sum(row.look == "open" for row in table),
        "talk": _is_talk(referral, course),
        "routes": CourseSession.Route.choices,
        "done": _done(course),
        "fill_from": first_day(course, at) if course else None,
        "undo": _newest(undo),
        "thread": referral.messages.select_related("by")[:TALKED_OVER],
        "letters": referral.letters.filter(from_clinic=True).defer("body", "words"),
        "in_treatment": referral.state in states.IN_TREATMENT,
        "asked_back": referral.state == State.CANCEL_ASKED,
        "now": at,
    }
    return show(request, "referrals/desk_referral.html", context, status=400 if wrong else 200)


def name_in(packet: Packet | None) -> str:
    """The client's name as the packet gives it; empty when it does not."""
    if packet is None:
        return ""
    rows = [line for block in packet.content["blocks"] if block["key"] == "client" for line in block.get("rows", [])]
    return str(rows[0]["value"]) if rows else ""


def _last(history: Sequence[StatusChange], event: Event) -> StatusChange | None:
    standing = [change for change in history if change.event == event and not hasattr(change, "corrected_by")]
    return standing[-1] if standing else None


def _done(course: Course | None) -> int:
    sessions = course.sessions.all() if course else ()
    return sum(each.state == CourseSession.State.DONE and not each.is_maintenance for each in sessions)


def _is_talk(referral: Referral, course: Course | None) -> bool:
    """Whether the visit that is booked is no session of the course: a first talk."""
    sessions = course.sessions.all() if course else ()
    on = timezone.localtime(referral.visit_at).date() if referral.visit_at else None
    return referral.state == State.SCHEDULED and on is not None and all(each.on != on for each in sessions)


# --- Taking back -----------------------------------------------------------------------------------------------------


def undoable(history: Sequence[StatusChange], at: datetime) -> list[StatusChange]:
    """The entries of the clinic that it may still take back, one for each press, oldest first."""
    presses: dict[Any, list[StatusChange]] = {}
    for change in history:
        mine = change.event != events.CORRECT and change.by_key_id and at - change.at <= acts.UNDO
        if mine and not hasattr(change, "corrected_by"):
            presses.setdefault(change.before.get("act", change.number), []).append(change)
    return [min(rows, key=_telling) for rows in presses.values()]


def _telling(change: StatusChange) -> int:
    return TELLING.index(Event(change.event)) if change.event in TELLING else len(TELLING)


def _newest(changes: Sequence[StatusChange]) -> dict[str, Any] | None:
    return {"change": changes[-1], "words": change_words(changes[-1])} if changes else None


def change_words(change: StatusChange) -> str:
    """What an entry did, as the person who made it reads it back."""
    number = session_number(change)
    name = gettext("Infusion {n}").format(n=number) if number else gettext("The visit")
    on = day(change.session.on if change.session else change.happened_at)
    booked = moment(change.visit_at) if change.visit_at and events.has_time(change.visit_at) else day(change.visit_at)
    words = {
        Event.ACCEPT: gettext("You accepted the referral."),
        Event.DECLINE: gettext("You declined the referral."),
        Event.SCHEDULE: gettext("{what} is booked for {when}.").format(what=name, when=booked),
        Event.RESCHEDULE: gettext("{what} is booked for {when}.").format(what=name, when=booked),
        Event.NO_SHOW: gettext("{what} is marked missed for {when}.").format(what=name, when=on),
        Event.CANCEL_VISIT: gettext("{what} is cancelled.").format(what=name),
        Event.VISIT: gettext("{what} is marked done for {when}.").format(what=name, when=on),
        Event.OUTCOME: gettext("The letter is sent and the referral is complete."),
        Event.CONFIRM_CANCEL: gettext("You confirmed that the referral is taken back."),
    }
    return words.get(Event(change.event), str(Event(change.event).label))


def session_number(change: StatusChange) -> int | None:
    return change.session.number if change.session else None


@referral_page
def desk_undo(request: HttpRequest, referral: Referral) -> HttpResponse:
    if request.method != "POST":
        return see_other("desk_referral", referral.pk)
    here: Desk = request.desk  # type: ignore[attr-defined]
    change = referral.changes.select_related("referral").filter(number=_whole(request, "change")).first()
    if change is None:
        raise Http404
    said = by_whom(request)

    def undo() -> str:
        events.correct(change, by_key=here.key, by_name=said["by_name"], at=said["at"])
        return gettext("Undone. {name} has been told.").format(name=therapist_of(referral.client, here.practice))

    return act(request, referral, undo)


# --- Acting ----------------------------------------------------------------------------------------------------------


def act(request: HttpRequest, referral: Referral, do: Callable[[], str], anchor: str = "") -> HttpResponse:
    """Do it, say so, and show the page; when it does not fit any more, say that, with the page as it is now."""
    try:
        with transaction.atomic():
            words = do()
    except NotNow as sentence:
        messages.warning(request, str(sentence))
    else:
        if words:
            messages.success(request, words)
    return see_other("desk_referral", referral.pk, query=anchor)


def _whole(request: HttpRequest, name: str) -> int:
    text = request.POST.get(name, "")
    if not (text.isascii() and text.isdigit() and len(text) < 5):
        raise BadRequest
    return int(text)


def _seen(request: HttpRequest) -> int | None:
    """The version of the referral that this person was looking at."""
    text = request.POST.get("seen", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 9 else None


class AnswerForm(HouseForm):
    answer = forms.ChoiceField(
        choices=[("accept", ""), ("ask", ""), ("decline", "")],
        error_messages={"required": _("Choose your answer."), "invalid_choice": _("Choose your answer.")},
    )
    first = Moment(required=False)
    talk = forms.BooleanField(required=False)  # the first visit is a talk, and no session of the course
    who = forms.CharField(max_length=80, required=False)
    reason = forms.ChoiceField(choices=[("", ""), *acts.WhyNot.choices], required=False)
    words = forms.CharField(max_length=LONGEST_WORDS, required=False)

    def clean(self) -> dict[str, Any]:
        said = self.cleaned_data
        if said.get("answer") == "ask" and not said.get("words"):
            self.add_error("words", gettext("Write what you need to know."))
        if said.get("answer") == "decline" and not said.get("reason"):
            self.add_error("reason", gettext("Choose a reason for declining."))
        return said


@referral_page
def desk_answer(request: HttpRequest, referral: Referral) -> HttpResponse:
    """Accept, ask, decline, only mark as received, or confirm that it is taken back."""
    if request.method != "POST":
        return see_other("desk_referral", referral.pk)
    here: Desk = request.desk  # type: ignore[attr-defined]
    name = request.POST.get("who", "")
    therapist = therapist_of(referral.client, here.practice)
    if "received" in request.POST:
        actions.receive(referral=referral, key=here.key, name=by_whom(request, name)["by_name"], at=timezone.now())
        messages.success(
            request,
            gettext("Marked as received. {name} has been told. Please answer below when you can.").format(
                name=therapist
            ),
        )
        return see_other("desk_referral", referral.pk)
    if "confirm" in request.POST:
        return act(request, referral, lambda: _confirm(request, referral, name))
    form = AnswerForm(request.POST, auto_id="%s")
    if not form.is_valid():
        if Event.ACCEPT not in states.open_to(referral.state, Actor.RECIPIENT):  # its fields are not on that page
            return page(request, referral, errors=[str(text) for texts in form.errors.values() for text in texts])
        return page(request, referral, form=form)
    said = form.cleaned_data
    return act(request, referral, lambda: ANSWERS[said["answer"]](request, referral, said, therapist))


def _confirm(request: HttpRequest, referral: Referral, name: str) -> str:
    events.record(referral, Event.CONFIRM_CANCEL, Actor.RECIPIENT, seen=_seen(request), **by_whom(request, name))
    return ""


def _accept(request: HttpRequest, referral: Referral, said: dict[str, Any], therapist: str) -> str:
    who = by_whom(request, said["who"])
    events.record(referral, Event.ACCEPT, Actor.RECIPIENT, seen=_seen(request), **who)
    if said["first"] and referral.path in acts.WITH_COURSE and not said["talk"]:
        events.book(referral, 1, said["first"], **who)
    elif said["first"]:
        events.record(referral, Event.SCHEDULE, Actor.RECIPIENT, visit_at=said["first"], **who)
    if said["words"]:
        actions.write(referral=referral, key=who["by_key"], name=who["by_name"], words=said["words"], at=who["at"])
    return ""


def _ask(request: HttpRequest, referral: Referral, said: dict[str, Any], therapist: str) -> str:
    who = by_whom(request, said["who"])
    actions.receive(referral=referral, key=who["by_key"], name=who["by_name"], at=who["at"])
    actions.write(
        referral=referral,
        key=who["by_key"],
        name=who["by_name"],
        words=said["words"],
        at=who["at"],
        is_question=True,
    )
    return gettext("{name} has your question. The answer will stand on this page, and you get a mail.").format(
        name=therapist
    )


def _decline(request: HttpRequest, referral: Referral, said: dict[str, Any], therapist: str) -> str:
    who = by_whom(request, said["who"])
    events.record(
        referral,
        Event.DECLINE,
        Actor.RECIPIENT,
        seen=_seen(request),
        reason=said["reason"],
        words=said["words"],
        **who,
    )
    return ""


ANSWERS: dict[str, Callable[[HttpRequest, Referral, dict[str, Any], str], str]] = {
    "accept": _accept,
    "ask": _ask,
    "decline": _decline,
}


# --- Sessions --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Row:
    """One infusion of the table: what is known, and which buttons it has."""

    number: int
    name: str
    session: CourseSession | None
    look: str  # done, missed, today, past, booked, open
    undo: StatusChange | None = None

    @property
    def may_report(self) -> bool:
        return self.look in ("today", "past")

    @property
    def is_open(self) -> bool:
        return self.look not in ("done",)

    @property
    def when(self) -> str:
        if self.session is None:
            return ""
        return when_words(self.session)

    @property
    def on(self) -> str:
        """The day as the browser's own control takes it."""
        return self.session.on.isoformat() if self.session else ""

    @property
    def clock(self) -> str:
        return f"{timezone.localtime(self.session.at):%H:%M}" if self.session and self.session.at else ""


def when_words(session: CourseSession) -> str:
    return moment(session.at) if session.at else day(session.on)


def rows(referral: Referral, course: Course, undo: Sequence[StatusChange], at: datetime) -> list[Row]:
    """The six planned infusions and what was added, each with what may be done with it now."""
    today = timezone.localtime(at).date()
    known = {session.number: session for session in course.sessions.all()}
    taken_back = {number: change for change in undo if (number := session_number(change))}
    open_course = course.state == Course.State.UNDER_WAY and referral.state not in states.TERMINAL
    numbers = range(1, course.planned + 1) if open_course else ()
    return [
        _row(number, known.get(number), taken_back.get(number), course, today) for number in sorted({*numbers, *known})
    ]


def _row(number: int, session: CourseSession | None, undo: StatusChange | None, course: Course, today: date) -> Row:
    more = number > course.planned
    name = gettext("Maintenance {n}").format(n=number) if more else gettext("Infusion {n}").format(n=number)
    return Row(number, name, session, _look(session, today), undo)


def _look(session: CourseSession | None, today: date) -> str:
    if session is None:
        return "open"
    if session.state != CourseSession.State.PLANNED:
        return session.state
    return "today" if session.on == today else "past" if session.on < today else "booked"


def first_day(course: Course, at: datetime) -> str:
    """The day from which "Fill 6 dates" counts unless the clinic gives another: after the last that is known."""
    last = max((session.on for session in course.sessions.all()), default=None)
    tomorrow = timezone.localtime(at).date() + timedelta(days=1)
    return max(tomorrow, last + timedelta(days=1) if last else tomorrow).isoformat()


class SessionForm(HouseForm):
    on = forms.DateField(required=False, error_messages={"invalid": _("Give a day, such as 2026-12-01.")})
    clock = forms.TimeField(required=False, error_messages={"invalid": _("Give a time, such as 09:30.")})
    route = forms.ChoiceField(choices=[("", ""), *CourseSession.Route.choices], required=False)
    who = forms.CharField(max_length=80, required=False)
    words = forms.CharField(max_length=LONGEST_WORDS, required=False)


@referral_page
def desk_session(request: HttpRequest, referral: Referral) -> HttpResponse:
    """What became of a session or visit, or its new day: one button, one act, undone by one press."""
    if request.method != "POST":
        return see_other("desk_referral", referral.pk)
    do = SESSION_ACTS.get(request.POST.get("do", ""))
    if do is None:
        raise BadRequest
    form = SessionForm(request.POST)
    if not form.is_valid():
        return page(request, referral, errors=[str(text) for texts in form.errors.values() for text in texts])
    said = form.cleaned_data
    who = by_whom(request, said["who"]) | {"seen": _seen(request)}
    return act(request, referral, lambda: do(request, referral, said, who), "#infusions")


Said = dict[str, Any]


def _when(said: Said) -> date | datetime:
    """The day that was given, with its time when there is one."""
    if said["on"] is None:
        raise NotNow(gettext("Give the day."))
    on: date = said["on"]
    return timezone.make_aware(datetime.combine(on, said["clock"])) if said["clock"] else on


def _moment(said: Said) -> datetime:
    when = _when(said)
    if not isinstance(when, datetime):
        raise NotNow(gettext("Give the time, too."))
    return when


def _do_done(request: HttpRequest, referral: Referral, said: Said, who: Said) -> str:
    events.done(referral, _whole(request, "number"), said["on"], route=said["route"], note=said["words"], **who)
    return ""


def _do_missed(request: HttpRequest, referral: Referral, said: Said, who: Said) -> str:
    events.missed(referral, _whole(request, "number"), said["on"], words=said["words"], **who)
    return ""


def _do_save(request: HttpRequest, referral: Referral, said: Said, who: Said) -> str:
    number = _whole(request, "number")
    session = events.book(referral, number, _when(said), route=said["route"], **who)
    return gettext("Infusion {n} is booked for {when}.").format(n=number, when=when_words(session))


def _do_cancel(request: HttpRequest, referral: Referral, said: Said, who: Said) -> str:
    number = _whole(request, "number")
    events.call_off(referral, number, **who)
    return gettext("The date of infusion {n} is cancelled.").format(n=number)


def _do_fill(request: HttpRequest, referral: Referral, said: Said, who: Said) -> str:
    if said["on"] is None:
        raise NotNow(gettext("Give the first day."))
    booked = events.fill_dates(referral, said["on"], route=said["route"], **who)
    return gettext("{n} dates are filled, from {first} to {last}. Change any of them.").format(
        n=len(booked), first=day(booked[0].on), last=day(booked[-1].on)
    )


def _do_add(request: HttpRequest, referral: Referral, said: Said, who: Said) -> str:
    session = events.add_maintenance(referral, _when(said), route=said["route"], **who)
    return gettext("A maintenance session is booked for {when}.").format(when=when_words(session))


def _do_stop(request: HttpRequest, referral: Referral, said: Said, who: Said) -> str:
    events.stop_early(referral, said["words"], **who)
    return gettext("The series is marked as stopped early. Please send a letter when you can.")


def _do_go_on(request: HttpRequest, referral: Referral, said: Said, who: Said) -> str:
    events.go_on(referral, **who)
    return gettext("The series goes on. Give the next dates.")


def _visit(event: Event) -> Callable[[HttpRequest, Referral, Said, Said], str]:
    """A visit that is no session of a course: a first talk, or treatment without infusions."""

    def do(request: HttpRequest, referral: Referral, said: Said, who: Said) -> str:
        more = {"visit_at": _moment(said)} if event in acts.BOOKS else {"words": said["words"]}
        events.record(referral, event, Actor.RECIPIENT, **who, **more)
        return ""

    return do


SESSION_ACTS: dict[str, Callable[[HttpRequest, Referral, Said, Said], str]] = {
    "done": _do_done,
    "missed": _do_missed,
    "save": _do_save,
    "cancel": _do_cancel,
    "fill": _do_fill,
    "add": _do_add,
    "stop": _do_stop,
    "go_on": _do_go_on,
    **{
        f"visit-{event.value}": _visit(event)
        for event in (
            Event.SCHEDULE, Event.RESCHEDULE, Event.VISIT, Event.NO_SHOW, Event.CANCEL_VISIT,
            Event.UNDER_WAY_BOOKED, Event.UNDER_WAY_NOTED,
        )
    },
}  # fmt: skip
