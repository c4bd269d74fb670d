"""One referral on the clinic's page, and taking an entry back."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from django.contrib import messages
from django.core.exceptions import BadRequest
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext

from intake.doors import see_other
from practice.actions import NotNow
from practice.forms import HouseForm
from practice.models import Client, Practice
from practice.templatetags.ui import day
from referrals import states
from referrals.actions import acts, events
from referrals.actions import desk as actions
from referrals.desk_doors import Desk, packet_of, referral_page, say_name, show, with_people
from referrals.models import Course, CourseSession, Packet, Referral, StatusChange
from referrals.states import Actor, Event, State
from referrals.views.desk_table import first_day, rows, session_number
from referrals.views.standing import visit_words

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
    request: HttpRequest,
    referral: Referral,
    *,
    form: HouseForm | None = None,
    errors: Sequence[str] = (),
    unsent: str = "",
) -> HttpResponse:
    """The answer before it is given (mock-up f1), the visits after it (f2); `errors` stand above.

    `unsent`: words of a form that was not taken; they stand in the box for a message, when `form` does not show them.
    """
    here: Desk = request.desk  # type: ignore[attr-defined]
    at = timezone.now()
    packet = packet_of(referral)
    possible = states.open_to(referral.state, Actor.RECIPIENT)
    history = list(referral.changes.select_related("session", "by_key", "by", "corrected_by"))
    course = Course.objects.filter(referral=referral).prefetch_related("sessions").first()
    undo = undoable(history, at)
    wrong = [{"text": text, "href": ""} for text in errors]
    if form is not None and Event.ACCEPT in possible:
        unsent = ""
    if unsent:
        wrong.append({"text": gettext("What you wrote was not sent. It stands under Messages."), "href": "#m-words"})
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
        "next_visit": visit_words(referral.visit_at),
        "fill_from": first_day(course, at) if course else None,
        "undo": _newest(undo),
        "unsent": unsent,
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
    booked = visit_words(change.visit_at)
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


@referral_page
def desk_undo(request: HttpRequest, referral: Referral) -> HttpResponse:
    if request.method != "POST":
        return see_other("desk_referral", referral.pk)
    here: Desk = request.desk  # type: ignore[attr-defined]
    change = referral.changes.select_related("referral").filter(number=whole(request, "change")).first()
    if change is None:
        raise Http404
    said = by_whom(request)

    def undo() -> str:
        events.correct(change, by_key=here.key, by_name=said["by_name"], at=said["at"])
        return gettext("Undone. {name} has been told.").format(name=therapist_of(referral.client, here.practice))

    return act(request, referral, undo)


# --- Acting ----------------------------------------------------------------------------------------------------------


def act(
    request: HttpRequest,
    referral: Referral,
    do: Callable[[], str],
    anchor: str = "",
    *,
    form: HouseForm | None = None,
    unsent: str = "",
) -> HttpResponse:
    """Do it, say so, and show the page; when it does not fit any more, say that, with the page as it is now.

    `unsent`: what they wrote, which then stays on the page: in `form`, while that may be sent again.
    """
    try:
        with transaction.atomic():
            words = do()
    except NotNow as sentence:
        if unsent.strip():
            now = with_people(Referral.objects.filter(pk=referral.pk)).get()
            return page(request, now, form=form, errors=[str(sentence)], unsent=unsent)
        messages.warning(request, str(sentence))
    else:
        if words:
            messages.success(request, words)
    return see_other("desk_referral", referral.pk, query=anchor)


def whole(request: HttpRequest, name: str) -> int:
    text = request.POST.get(name, "")
    if not (text.isascii() and text.isdigit() and len(text) < 5):
        raise BadRequest
    return int(text)


def seen(request: HttpRequest) -> int | None:
    """The version of the referral that this person was looking at."""
    text = request.POST.get("seen", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 9 else None
