"""What happens to a referral: one event at a time, by one side, written once; and the sessions of its course.

The table (referrals/states.py) says what may happen; who comes second reads who was first. Staff may record what the
clinic told them: the actor stays the recipient, and the recorder, the channel and the evidence are kept apart. A wrong
entry is taken back by a later one (`correct`).
"""

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from typing import Any, Unpack
from zoneinfo import ZoneInfo

from django.db import transaction
from django.db.models import Max
from django.utils.translation import gettext

from practice import coverage
from practice.actions import NotNow
from practice.models import Client, Practice, User
from practice.templatetags.ui import day, moment
from referrals.actions import clocks, courses, news
from referrals.actions.acts import (
    ENDS,
    UNDO,
    Act,
    Channel,
    Teller,
    Told,
    check_teller,
    check_visit,
    claim,
    course_of,
    heard,
    next_number,
    note,
    planned,
    refusal,
    said_by,
    signed,
    snapshot,
    standing,
    tell,
)
from referrals.models import Course, CourseSession, DeskKey, Letter, Referral, StatusChange
from referrals.states import Actor, Event, State

CORRECT = "correct"
CLINIC = Actor.RECIPIENT
WITH_SESSIONS = (State.ACCEPTED, State.SCHEDULED, State.NO_SHOW, State.VISIT_CANCELLED, State.VISITED)
FILL_ON = (1, 3, 5)  # Tuesday, Thursday, Saturday: what the desk proposes for six infusions in two weeks


@transaction.atomic
def record(
    referral: Referral,
    event: str,
    actor: Actor,
    *,
    happened_at: datetime | None = None,
    reason: str = "",
    words: str = "",
    visit_at: datetime | None = None,
    letter: Letter | None = None,
    session: CourseSession | None = None,
    **told: Unpack[Told],
) -> StatusChange:
    """Write one event of the referral, with its tasks, notices and clocks. Raises NotNow with a sentence otherwise."""
    Client.objects.hold(referral.client_id)
    act = Act(referral, actor, told, happened_at=happened_at, reason=reason, words=words)
    if event in ENDS and (course := course_of(referral)) is not None:
        act.kept = standing(course)
    act.step(event, visit_at=visit_at, letter=letter, session=session)
    act.follow()
    return act.changes[0]


# --- Taking an entry back ---------------------------------------------------------------------------------------------


@transaction.atomic
def correct(
    change: StatusChange,
    *,
    at: datetime,
    by: User | None = None,
    by_key: DeskKey | None = None,
    by_name: str = "",
    reason: str = "",
) -> StatusChange:
    """Take an entry back, with what it brought about; history keeps both. Not a transition: what stood before stands.

    A clinic may take back what was said for it within 24 hours; staff may at any time, with a word on why. When later
    entries stand on it, only the session it reported is put back.
    """
    referral: Referral = Referral.objects.held(change.referral_id)
    actor, channel = (CLINIC, Channel.LINK) if by is None else (Actor.INITIATOR, Channel.HERE)
    teller = Teller(actor, channel, at, by, by_key, by_name.strip(), words=reason.strip())
    check_teller(teller)
    history = list(referral.changes.select_related("session", "corrects", "by", "by_key"))
    corrected = {row.corrects_id: row for row in history if row.corrects_id}
    _check_correction(referral, change, teller, corrected)
    act = [row for row in history if row.event != CORRECT and row.before.get("act") == change.before.get("act")]
    later = [row for row in history if row.number > act[-1].number and row.event != CORRECT and row.pk not in corrected]
    mine = set(act[0].before.get("sessions", {}))
    if later and (not mine or any(mine & set(row.before.get("sessions", {})) for row in later)):
        raise NotNow(
            gettext("“{event}”, {when}, came after it. Take that one back first.").format(
                event=later[-1].get_event_display(), when=moment(later[-1].at)
            )
        )
    target = referral.state if later else act[0].source
    columns = {} if later else {name: _moment(value) for name, value in act[0].before["visit"].items()}
    source = referral.state
    claim(referral, target, at, **columns)
    back = [_take_back(row, referral, teller, source, target) for row in reversed(act)]
    note("referral.corrected", referral, teller, tid=change.tid)
    _put_back(referral, act, at)
    clocks.restart(referral, at)
    news.close_items(referral, act, by=by, at=at)
    tell(referral, act, by, at)
    return back[-1]


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _check_correction(
    referral: Referral, change: StatusChange, teller: Teller, corrected: dict[Any, StatusChange]
) -> None:
    if change.pk in corrected:
        raise NotNow(gettext("{who} took this back already.").format(who=said_by(corrected[change.pk])))
    if change.event in (CORRECT, Event.SEND):
        raise NotNow(gettext("This entry cannot be taken back. Take the referral back instead."))
    if teller.by is not None and not teller.words:
        raise NotNow(gettext("Write what was wrong."))
    if teller.by_key is not None:
        if change.actor != Actor.RECIPIENT or teller.by_key.destination_id != referral.destination_id:
            raise NotNow(gettext("Only the practice can take this back. Please call them."))
        if teller.at - change.at > UNDO:
            raise NotNow(gettext("This is more than 24 hours ago. Please call the practice, they can correct it."))
    if (
        change.event == Event.DECLINE
        and referral.followed_by.exclude(state__in=[State.DRAFT, State.CANCELLED]).exists()
    ):
        raise NotNow(gettext("Another clinic was asked meanwhile. Take that referral back first."))


def _take_back(row: StatusChange, referral: Referral, teller: Teller, source: str, target: str) -> StatusChange:
    back = StatusChange(
        referral=referral,
        number=next_number(referral),
        event=CORRECT,
        source=source,
        target=target,
        corrects=row,
        session=row.session,
        **signed(teller),
    )
    back.words = teller.words
    back.save(force_insert=True)
    return back


def _put_back(referral: Referral, act: Sequence[StatusChange], at: datetime) -> None:
    """Put the sessions, the course and the check-ins back as they were before this act."""
    if any(row.event in ENDS for row in act):
        courses.not_over(referral, ended_at=act[0].at)
    course = course_of(referral)
    if course is None:
        return
    kept = act[0].before
    for row in act:
        if row.event == Event.VISIT and row.session is not None:
            courses.session_taken_back(referral, row.session, at)
    for number, session in kept.get("sessions", {}).items():
        _restore_session(course, int(number), session)
    if "course" in kept:
        Course.objects.filter(pk=course.pk).update(state=kept["course"])
    if act[0].event == Event.ACCEPT and not course.sessions.exists():
        course.delete()
        courses.refresh(referral.client)
    else:
        courses.replan(course, at)


def _restore_session(course: Course, number: int, kept: dict[str, Any] | None) -> None:
    if kept is None:
        course.sessions.filter(number=number).delete()
        return
    session = course.sessions.filter(number=number).first() or CourseSession(course=course, number=number)
    session.on, session.at = date.fromisoformat(kept["on"]), _moment(kept["at"])
    session.reported_at = _moment(kept["reported_at"])
    session.route, session.state, session.is_maintenance = kept["route"], kept["state"], kept["is_maintenance"]
    session.save()


# --- The sessions of a course -----------------------------------------------------------------------------------------


def _moment_of(session: CourseSession) -> datetime:
    """When a session takes place: the time the clinic gave, else the beginning of that day."""
    return session.at or _midnight(session.on)


def _midnight(on: date) -> datetime:
    return datetime.combine(on, time.min, tzinfo=ZoneInfo(Practice.get().zone))


def proposed(first: date, count: int = 6) -> list[date]:
    """Return the days that "Fill 6 dates" proposes: Tuesdays, Thursdays and Saturdays from `first` on."""
    days = (first + timedelta(days=n) for n in range(7 * count))
    return [on for on in days if on.weekday() in FILL_ON][:count]


def _begin(referral: Referral, told: Told, words: str = "") -> tuple[Act, Course]:
    Client.objects.hold(referral.client_id)
    act = Act(referral, CLINIC, told, words=words)
    course = Course.objects.select_for_update(no_key=True).filter(referral=referral).first()
    if course is None:
        raise NotNow(gettext("Sessions can be entered once the referral is accepted."))
    return act, course


def _session(course: Course, number: int) -> CourseSession | None:
    found: CourseSession | None = course.sessions.filter(number=number).first()
    if found is None and not 1 <= number <= course.planned:
        raise NotNow(
            gettext("This course has sessions 1 to {n}. Add a maintenance session instead.").format(n=course.planned)
        )
    return found


def _write(course: Course, number: int, **fields: Any) -> CourseSession:
    """Write a session of the course, and the day on which the course began."""
    session = course.sessions.filter(number=number).first() or CourseSession(course=course, number=number)
    for name, value in fields.items():
        setattr(session, name, value)
    session.save()
    first = course.sessions.exclude(state=CourseSession.State.MISSED).order_by("on").first()
    if first is not None and first.on != course.started_on:
        course.started_on = first.on
        course.save(update_fields=["started_on"])
    return session


def _split(when: date | datetime) -> tuple[date, datetime | None]:
    if isinstance(when, datetime):
        return coverage.local(when, Practice.get()).date(), when
    return when, None


def _holds(referral: Referral, course: Course) -> bool:
    """Whether the visit that is booked now is one of the planned sessions (else: a first talk, say)."""
    return any(_moment_of(session) == referral.visit_at for session in planned(course))


def _settle(act: Act, course: Course, held: bool) -> None:
    """Bring the state in line with the next planned session."""
    referral = act.referral
    following = min(planned(course), key=_moment_of, default=None)
    stands = referral.state
    if following is None:
        if stands == State.SCHEDULED and held:
            act.step(Event.CANCEL_VISIT)
        return
    when = _moment_of(following)
    if stands == State.SCHEDULED:
        other_first = not held and referral.visit_at is not None and act.teller.at < referral.visit_at < when
        if when != referral.visit_at and not other_first:
            act.step(Event.RESCHEDULE, visit_at=when, session=following)
    elif stands in (State.ACCEPTED, State.VISIT_CANCELLED, State.VISITED):
        act.step(Event.SCHEDULE, visit_at=when, session=following)
    elif stands == State.NO_SHOW:
        act.step(Event.RESCHEDULE, visit_at=when, session=following)


def _make_visit(act: Act, event: str, session: CourseSession) -> None:
    """Record that a session took place or was missed. A visit has to be booked before it can be either."""
    stands = act.referral.state
    unbooked = {State.NO_SHOW: Event.RESCHEDULE, State.VISIT_CANCELLED: Event.SCHEDULE}
    if event == Event.NO_SHOW:
        unbooked |= {State.ACCEPTED: Event.SCHEDULE, State.VISITED: Event.SCHEDULE}
    if stands in unbooked:
        act.step(unbooked[State(stands)], visit_at=_moment_of(session), session=session)
    act.step(event, session=session)


def _finish(act: Act, course: Course, what: str, **facts: Any) -> None:
    """Close an act on sessions: one without an event still takes its turn, and all of them are noted."""
    referral, teller = act.referral, act.teller
    if not act.changes:
        if referral.state not in WITH_SESSIONS:
            raise NotNow(refusal(referral, Event.SCHEDULE, teller.actor))
        claim(referral, referral.state, teller.at, **heard(referral, teller.at))
    note(f"course.{what}", referral, teller, **facts)
    act.follow()
    if referral.client.status not in Client.LEFT:
        courses.replan(course, teller.at)


@transaction.atomic
def book(
    referral: Referral,
    number: int,
    at_time: date | datetime,
    *,
    route: str = "",
    **told: Unpack[Told],
) -> CourseSession:
    """Book a session of the course, or give it another day. `at_time` is a day, or a day with its time."""
    act, course = _begin(referral, told)
    found = _session(course, number)
    if found is not None and found.state == CourseSession.State.DONE:
        raise NotNow(gettext("Session {n} is marked done. Undo that first.").format(n=number))
    return _book(act, course, number, at_time, route=route or (found.route if found else ""))


def _book(act: Act, course: Course, number: int, at_time: date | datetime, **fields: Any) -> CourseSession:
    held = _holds(act.referral, course)
    act.kept["sessions"] = {str(number): snapshot(course.sessions.filter(number=number).first())}
    on, clock = _split(at_time)
    check_visit(act.referral, _midnight(on), act.teller.at)
    planned = CourseSession.State.PLANNED
    session = _write(course, number, on=on, at=clock, state=planned, reported_at=None, **fields)
    _settle(act, course, held)
    _finish(act, course, "booked", number=number)
    return session


@transaction.atomic
def move(
    referral: Referral, number: int, at_time: date | datetime, *, route: str = "", **told: Unpack[Told]
) -> CourseSession:
    """Give a booked or missed session another day. Arguments as for `book`."""
    if not CourseSession.objects.filter(course__referral=referral, number=number).exists():
        raise NotNow(gettext("Session {n} is not booked yet.").format(n=number))
    return book(referral, number, at_time, route=route, **told)


@transaction.atomic
def call_off(
    referral: Referral,
    number: int,
    **told: Unpack[Told],
) -> None:
    """Cancel a booked session, with no new day yet."""
    act, course = _begin(referral, told)
    session = _session(course, number)
    if session is None or session.state != CourseSession.State.PLANNED:
        raise NotNow(gettext("Session {n} is not booked.").format(n=number))
    held = _holds(referral, course)
    act.kept["sessions"] = {str(number): snapshot(session)}
    session.delete()
    _settle(act, course, held)
    _finish(act, course, "called_off", number=number)


@transaction.atomic
def done(
    referral: Referral,
    number: int,
    on: date | None = None,
    *,
    route: str = "",
    note: str = "",
    **told: Unpack[Told],
) -> CourseSession:
    """Mark a session as done on that day (its booked day when none is given), and book the next one if it is planned.

    Opens what follows for the therapist (courses.session_reported). `note` is what the clinic adds: a score, a blood
    pressure.
    """
    return _report(referral, number, on, Event.VISIT, told, words=note, route=route)


@transaction.atomic
def missed(
    referral: Referral,
    number: int,
    on: date | None = None,
    *,
    words: str = "",
    **told: Unpack[Told],
) -> CourseSession:
    """Mark a session as missed: the therapist hears it and has an open item (G12)."""
    return _report(referral, number, on, Event.NO_SHOW, told, words=words)


def _report(
    referral: Referral, number: int, on: date | None, event: Event, told: Told, *, words: str, route: str = ""
) -> CourseSession:
    """Write what became of a session, the event, and the booking of the next one."""
    act, course = _begin(referral, told, words)
    at = act.teller.at
    found = _session(course, number)
    state = CourseSession.State.DONE if event == Event.VISIT else CourseSession.State.MISSED
    if found is not None and found.state == state:
        raise NotNow(
            gettext("Session {n}, {day}, is marked “{state}” already.").format(
                n=number, day=day(_midnight(found.on)), state=found.get_state_display()
            )
        )
    today = coverage.local(at, Practice.get()).date()
    on = on or (found.on if found else today)
    if on > today:
        raise NotNow(gettext("This day lies in the future. Book the session instead."))
    check_visit(referral, _midnight(on), at)
    held = _holds(referral, course)
    act.kept["sessions"] = {str(number): snapshot(found)}
    session = _write(
        course,
        number,
        on=on,
        at=found.at if found and found.on == on else None,
        state=state,
        route=route or (found.route if found else ""),
        reported_at=at,
        note=act.teller.words or None,
    )
    _make_visit(act, event, session)
    _settle(act, course, held)
    _finish(act, course, "done" if event == Event.VISIT else "missed", number=number)
    if event == Event.VISIT:
        courses.session_reported(referral, session, at)
    return session


@transaction.atomic
def add_maintenance(
    referral: Referral,
    at_time: date | datetime,
    *,
    route: str = "",
    **told: Unpack[Told],
) -> CourseSession:
    """Book a session after the induction, with the next free number."""
    act, course = _begin(referral, told)
    number = max(course.planned, course.sessions.aggregate(n=Max("number"))["n"] or 0) + 1
    return _book(act, course, number, at_time, route=route, is_maintenance=True)


@transaction.atomic
def fill_dates(
    referral: Referral,
    first: date,
    *,
    route: str = "",
    **told: Unpack[Told],
) -> list[CourseSession]:
    """Book every session that has no day yet: Tuesdays, Thursdays and Saturdays from `first` on, each to be moved."""
    act, course = _begin(referral, told)
    held = _holds(referral, course)
    taken = set(course.sessions.values_list("number", flat=True))
    free = [number for number in range(1, course.planned + 1) if number not in taken]
    if not free:
        raise NotNow(gettext("Every session has a day already."))
    check_visit(referral, _midnight(first), act.teller.at)
    act.kept["sessions"] = {str(number): None for number in free}
    planned = CourseSession.State.PLANNED
    booked = [
        _write(course, number, on=on, route=route, state=planned)
        for number, on in zip(free, proposed(first, len(free)), strict=True)
    ]
    _settle(act, course, held)
    _finish(act, course, "filled", count=len(booked))
    return booked


@transaction.atomic
def stop_early(
    referral: Referral,
    words: str,
    **told: Unpack[Told],
) -> Course:
    """End the course before its last session. Nothing stays booked; the letter is still awaited."""
    act, course = _begin(referral, told)
    if not words.strip():
        raise NotNow(gettext("Write why the course ends early."))
    if course.state != Course.State.UNDER_WAY:
        raise NotNow(gettext("This course has ended already."))
    held = _holds(referral, course)
    act.kept = standing(course)
    planned(course).delete()
    course.state = Course.State.STOPPED
    course.stopped_words = words.strip()
    course.save(update_fields=["state", "stopped_words"])
    _settle(act, course, held)
    _finish(act, course, "stopped")
    news.course_stopped(referral, act.teller.at)
    courses.over(referral, by=act.teller.by, at=act.teller.at)
    return course


@transaction.atomic
def go_on(
    referral: Referral,
    **told: Unpack[Told],
) -> Course:
    """Take back that the course ended early. Days have to be booked anew."""
    act, course = _begin(referral, told)
    if course.state != Course.State.STOPPED:
        raise NotNow(gettext("This course did not end early."))
    course.state = Course.State.UNDER_WAY
    course.save(update_fields=["state"])
    _finish(act, course, "went_on")
    return course
