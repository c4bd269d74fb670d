"""What happens to a referral: one event at a time, by one side, written once; and the sessions of its course.

The table (referrals/states.py) says what may happen. An event claims the referral by a conditional UPDATE on its state
and version; who comes second reads who was first and what stands now, and nothing of theirs is written. Staff may
record what the clinic told them: the actor stays the recipient, and the recorder, the channel and the evidence are kept
apart. A wrong entry is taken back by a later one (`correct`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from dateutil.relativedelta import relativedelta
from django.db import models, transaction
from django.db.models import F, Max
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from practice import audit, coverage
from practice.actions import NotNow
from practice.models import Practice, User
from practice.templatetags.ui import day, moment
from referrals import states
from referrals.actions import clocks, news
from referrals.actions.news import tell_client, tell_practice
from referrals.models import Course, CourseSession, DeskKey, Letter, Path, Referral, StatusChange
from referrals.states import Actor, Event, State

Channel = StatusChange.Channel
CORRECT = "correct"
UNDO = timedelta(hours=24)  # a clinic may take its own entry back this long; staff at any time
SLACK = timedelta(minutes=5)  # between two clocks
FARTHEST = relativedelta(years=1)
FILL_ON = (1, 3, 5)  # Tuesday, Thursday, Saturday: what the desk proposes for six infusions in two weeks
WITH_COURSE = (Path.INFUSION, Path.PAIN)
BOOKS = (Event.SCHEDULE, Event.RESCHEDULE)
ENDS_VISIT = (Event.NO_SHOW, Event.CANCEL_VISIT, Event.VISIT, Event.DECLINE, Event.OUTCOME, Event.CONFIRM_CANCEL)
REPORTS = (Event.VISIT, Event.NO_SHOW, Event.OUTCOME)


class WhyNot(models.TextChoices):
    """Why a clinic declines (G6)."""

    FULL = "full", _("No place soon")
    SUICIDAL = "suicidal", _("Does not take clients with suicidal thoughts")
    INSURANCE = "insurance", _("Insurance or price")
    NOT_SUITABLE = "not_suitable", _("Not suitable for this treatment")
    AREA = "area", _("Out of area")
    NO_ANSWER = "no_answer", _("Could not reach the client")
    OTHER = "other", _("Another reason")


@dataclass(frozen=True)
class Teller:
    """Who says it, and how we know."""

    actor: Actor
    channel: str
    at: datetime
    by: User | None = None
    by_key: DeskKey | None = None
    by_name: str = ""
    happened_at: datetime | None = None
    reason: str = ""
    words: str = ""

    @property
    def name(self) -> str:
        return self.by_name or (self.by_key.name or self.by_key.email if self.by_key else "")


# --- One event --------------------------------------------------------------------------------------------------------


@transaction.atomic
def record(
    referral: Referral,
    event: str,
    actor: Actor,
    *,
    channel: str,
    at: datetime,
    by: User | None = None,
    by_key: DeskKey | None = None,
    by_name: str = "",
    happened_at: datetime | None = None,
    reason: str = "",
    words: str = "",
    visit_at: datetime | None = None,
    letter: Letter | None = None,
    session: CourseSession | None = None,
    seen: int | None = None,
) -> StatusChange:
    """Write one event of the referral, with its tasks, notices and clocks. Raises NotNow with a sentence otherwise.

    `seen` is the version of the referral that the person was looking at; without it, the one of `referral` counts.
    """
    teller = Teller(actor, channel, at, by, by_key, by_name.strip(), happened_at, reason, words.strip())
    act = _Act(referral, teller, seen)
    act.step(event, visit_at=visit_at, letter=letter, session=session)
    act.follow()
    return act.changes[0]


class _Act:
    """What one press writes: one event, or the few that a report of a session stands for. Undone together."""

    def __init__(self, referral: Referral, teller: Teller, seen: int | None) -> None:
        self.referral, self.teller, self.seen = referral, teller, seen
        self.changes: list[StatusChange] = []
        self.first = 0
        self.kept: dict[str, Any] = {}  # what stood before, besides the referral's own columns
        _check_teller(teller)
        if seen is not None and seen != referral.version:
            raise NotNow(overtaken(referral))

    def step(
        self,
        event: str,
        *,
        visit_at: datetime | None = None,
        letter: Letter | None = None,
        session: CourseSession | None = None,
    ) -> StatusChange:
        referral, teller = self.referral, self.teller
        step = states.step(referral.state, event, teller.actor)
        if step is None:
            raise NotNow(_refusal(referral, event, teller.actor))
        _check_event(referral, event, teller, visit_at, letter)
        visit = {"visit_at": _iso(referral.visit_at), "visit_confirmed_at": _iso(referral.visit_confirmed_at)}
        _claim(referral, step.target, teller.at, **_effects(referral, event, teller, visit_at))
        number = _next_number(referral)
        before = {"act": self.first or number} | ({} if self.first else {"visit": visit} | self.kept)
        self.first = before["act"]
        change = StatusChange(
            referral=referral,
            number=number,
            event=step.event,
            tid=step.tid,
            source=step.source,
            target=step.target,
            evidence=letter,
            session=session,
            visit_at=visit_at,
            before=before,
            **_signed(teller),
        )
        change.words = teller.words
        change.save(force_insert=True)
        _note(f"referral.{step.event}", referral, teller, tid=step.tid)
        self.changes.append(change)
        return change

    def follow(self) -> None:
        """What follows from the events of this act: the course, open items, the clock, and who is told, once."""
        referral, teller = self.referral, self.teller
        for change in self.changes:
            _keep_course(referral, change)
        clocks.restart(referral, teller.at)
        news.open_items(referral, self.changes, teller.at)
        _tell(referral, self.changes, teller.by, teller.at)


def _tell(referral: Referral, changes: Sequence[StatusChange], by: User | None, at: datetime) -> None:
    """Say once per act that something happened: to the practice by reference only, to the client that there is news."""
    if any(change.actor == Actor.RECIPIENT for change in changes):
        tell_practice(referral, by=by)
    tell_client(referral, [change.event for change in changes], at)


def _check_teller(teller: Teller) -> None:
    if (teller.by is None) == (teller.by_key is None):
        raise ValueError("an event is recorded by a member of staff or by a clinic's key")
    if teller.actor == Actor.INITIATOR and teller.by is None:
        raise NotNow(gettext("Only the practice may do this."))
    if teller.actor == Actor.RECIPIENT and teller.by is not None and teller.channel in (Channel.LINK, Channel.HERE):
        raise NotNow(gettext("Say how the clinic told you: by phone, fax, e-mail or letter."))
    if teller.happened_at is not None and teller.happened_at > teller.at + SLACK:
        raise NotNow(gettext("This lies in the future. Give the day on which it happened."))


def _check_event(
    referral: Referral, event: str, teller: Teller, visit_at: datetime | None, letter: Letter | None
) -> None:
    if event == Event.SEND and referral.destination is None:
        raise NotNow(gettext("Choose a clinic first."))
    if event == Event.DECLINE and teller.reason not in WhyNot.values:
        raise NotNow(gettext("Choose a reason for declining."))
    if event == Event.ASK_CANCEL and not (teller.words or teller.reason):
        raise NotNow(gettext("Write why the referral is taken back."))
    if event == Event.OUTCOME and (letter is None or letter.referral_id != referral.pk):
        raise NotNow(gettext("A referral is completed by an outcome report: add the letter as a file, or type it."))
    if event in BOOKS:
        if visit_at is None:
            raise NotNow(gettext("Give the date of the visit."))
        _check_visit(referral, visit_at, teller.at)


def _check_visit(referral: Referral, visit_at: datetime, at: datetime) -> None:
    if not referral.created_at - UNDO <= visit_at <= at + FARTHEST:
        raise NotNow(gettext("Check the day: it is before the referral, or more than a year away."))


def _effects(referral: Referral, event: str, teller: Teller, visit_at: datetime | None) -> dict[str, Any]:
    """The columns of the referral that this event sets besides its state."""
    at = teller.at
    found: dict[str, Any] = {}
    if event == Event.SEND:
        found |= {"sent_at": at, "sent_by": teller.by}
    if teller.actor == Actor.RECIPIENT:
        found |= _heard(referral, at)
    if event in BOOKS:
        found |= {"visit_at": visit_at, "visit_confirmed_at": None}
    if event in ENDS_VISIT:
        found |= {"visit_at": None, "visit_confirmed_at": None}
    return found


def _heard(referral: Referral, at: datetime) -> dict[str, Any]:
    """A sign of life of the clinic. One that was put away for its silence is not silent any more."""
    found = {"heard_at": at, "received_at": referral.received_at or at, "client_asked_at": None}
    if referral.closed_why == clocks.SILENT:
        found |= {"closed_at": None, "closed_why": ""}
    return found


def _claim(referral: Referral, target: str, at: datetime, **columns: Any) -> None:
    """Take the referral as this caller saw it to its new state, or say who was first. Exactly one caller wins."""
    columns = {"state": target, "state_at": at if target != referral.state else referral.state_at} | columns
    mine = Referral.objects.filter(pk=referral.pk, state=referral.state, version=referral.version)
    if not mine.update(version=F("version") + 1, **columns):
        raise NotNow(overtaken(referral))
    for name, value in columns.items():
        setattr(referral, name, value)
    referral.version += 1


def overtaken(referral: Referral) -> str:
    """Who was first, and what stands now: for the one who pressed second."""
    now = Referral.objects.get(pk=referral.pk)
    last = now.changes.select_related("by", "by_key").last()
    if last is None:
        return gettext("Somebody changed this referral meanwhile. Look at it again before you go on.")
    return gettext("{who} was first: {event}, {when}. It stands at “{state}” now. Nothing was changed by you.").format(
        who=said_by(last), event=last.get_event_display(), when=moment(last.at), state=now.get_state_display()
    )


def said_by(change: StatusChange) -> str:
    """The person at the clinic, or the member of staff who wrote it down."""
    if change.by_key is not None:
        return change.by_name or change.by_key.name or change.by_key.email
    return str(change.by) if change.by is not None else gettext("Somebody")


def _refusal(referral: Referral, event: str, actor: Actor) -> str:
    now = Referral.objects.get(pk=referral.pk)
    if now.version != referral.version:
        return overtaken(referral)
    possible = [str(each.label) for each in states.open_to(now.state, actor)]
    said = gettext("“{event}” is not possible: this referral stands at “{state}”.").format(
        event=Event(event).label, state=now.get_state_display()
    )
    if possible:
        return said + " " + gettext("Possible now: {list}.").format(list=", ".join(possible))
    return said + " " + gettext("If an earlier entry was wrong, correct that one.")


def _signed(teller: Teller) -> dict[str, Any]:
    return {
        "actor": teller.actor,
        "by": teller.by,
        "by_key": teller.by_key,
        "by_name": teller.name[:80],
        "channel": teller.channel,
        "reason": teller.reason[:20],
        "happened_at": teller.happened_at or teller.at,
        "at": teller.at,
    }


def _next_number(referral: Referral) -> int:
    return int(referral.changes.aggregate(n=Max("number"))["n"] or 0) + 1


def _note(action: str, referral: Referral, teller: Teller, **facts: Any) -> None:
    if teller.by_key is not None:
        facts["key"] = str(teller.by_key.pk)
    audit.record(
        action, by=teller.by or teller.by_key, client=referral.client_id, target=referral, at=teller.at, **facts
    )


def _iso(at: datetime | None) -> str | None:
    return at.isoformat() if at else None


def _keep_course(referral: Referral, change: StatusChange) -> None:
    """A course of infusions begins with the acceptance and is told by its sessions; an end leaves nothing planned."""
    if change.event == Event.ACCEPT and referral.path in WITH_COURSE and referral.destination is not None:
        Course.objects.get_or_create(
            referral=referral,
            defaults={
                "client": referral.client,
                "clinic": referral.destination.name,
                "started_on": coverage.local(change.happened_at, Practice.get()).date(),
            },
        )
    if change.target in states.TERMINAL and (course := course_of(referral)) is not None:
        _planned(course).delete()
        if course.state == Course.State.UNDER_WAY:
            done = course.sessions.filter(state=CourseSession.State.DONE, is_maintenance=False).count()
            course.state = Course.State.DONE if done >= course.planned else Course.State.STOPPED
            course.save(update_fields=["state"])


def course_of(referral: Referral) -> Course | None:
    found: Course | None = Course.objects.filter(referral=referral).first()
    return found


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
    referral: Referral = Referral.objects.select_for_update().get(pk=change.referral_id)
    actor = Actor.RECIPIENT if by is None else Actor.INITIATOR
    channel = Channel.LINK if by is None else Channel.HERE
    teller = Teller(actor, channel, at, by, by_key, by_name.strip(), words=reason.strip())
    if (by is None) == (by_key is None):
        raise ValueError("an entry is taken back by a member of staff or by a clinic's key")
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
    _claim(referral, target, at, **columns)
    back = [_take_back(row, referral, teller, source, target) for row in reversed(act)]
    _note("referral.corrected", referral, teller, tid=change.tid)
    _put_back(referral, act, at)
    clocks.restart(referral, at)
    news.close_items(referral, act, by=by, at=at)
    _tell(referral, act, by, at)
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
        number=_next_number(referral),
        event=CORRECT,
        source=source,
        target=target,
        corrects=row,
        session=row.session,
        **_signed(teller),
    )
    back.words = teller.words
    back.save(force_insert=True)
    return back


def _put_back(referral: Referral, act: Sequence[StatusChange], at: datetime) -> None:
    """Put the sessions and the course back as they were before this act."""
    course = course_of(referral)
    if course is None:
        return
    kept = act[0].before
    for row in act:
        if row.event == Event.VISIT and row.session is not None:
            from referrals.actions import courses

            courses.session_taken_back(referral, row.session, at)
    for number, session in kept.get("sessions", {}).items():
        _restore_session(course, int(number), session)
    if "course" in kept:
        Course.objects.filter(pk=course.pk).update(state=kept["course"])
    if act[0].event == Event.ACCEPT and not course.sessions.exists():
        course.delete()


def _restore_session(course: Course, number: int, kept: dict[str, Any] | None) -> None:
    if kept is None:
        course.sessions.filter(number=number).delete()
        return
    session = course.sessions.filter(number=number).first() or CourseSession(course=course, number=number)
    session.on, session.at = date.fromisoformat(kept["on"]), _moment(kept["at"])
    session.reported_at = _moment(kept["reported_at"])
    session.route, session.state, session.is_maintenance = kept["route"], kept["state"], kept["is_maintenance"]
    session.save()


def _snapshot(session: CourseSession | None) -> dict[str, Any] | None:
    if session is None:
        return None
    return {
        "on": session.on.isoformat(),
        "at": _iso(session.at),
        "reported_at": _iso(session.reported_at),
        "route": session.route,
        "state": session.state,
        "is_maintenance": session.is_maintenance,
    }


# --- The sessions of a course -----------------------------------------------------------------------------------------


def _planned(course: Course) -> Any:
    return course.sessions.filter(state=CourseSession.State.PLANNED)


def _moment_of(session: CourseSession) -> datetime:
    """When a session takes place: the time the clinic gave, else the beginning of that day (see `has_time`)."""
    return session.at or _midnight(session.on)


def _midnight(on: date) -> datetime:
    return datetime.combine(on, time.min, tzinfo=ZoneInfo(Practice.get().zone))


def has_time(visit_at: datetime) -> bool:
    """Whether a visit has a time of day, or only a day."""
    return coverage.local(visit_at, Practice.get()).time() != time.min


def proposed(first: date, count: int = 6) -> list[date]:
    """Return the days that "Fill 6 dates" proposes: Tuesdays, Thursdays and Saturdays from `first` on."""
    days = (first + timedelta(days=n) for n in range(7 * count))
    return [on for on in days if on.weekday() in FILL_ON][:count]


def _begin(referral: Referral, teller: Teller, seen: int | None) -> tuple[_Act, Course]:
    act = _Act(referral, teller, seen)
    course = Course.objects.select_for_update().filter(referral=referral).first()
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
    return any(_moment_of(session) == referral.visit_at for session in _planned(course))


def _settle(act: _Act, course: Course, held: bool) -> None:
    """Bring the state in line with the next planned session."""
    referral = act.referral
    following = min(_planned(course), key=_moment_of, default=None)
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


def _make_visit(act: _Act, event: str, session: CourseSession) -> None:
    """Record that a session took place or was missed. A visit has to be booked before it can be either."""
    stands = act.referral.state
    unbooked = {State.NO_SHOW: Event.RESCHEDULE, State.VISIT_CANCELLED: Event.SCHEDULE}
    if event == Event.NO_SHOW:
        unbooked |= {State.ACCEPTED: Event.SCHEDULE, State.VISITED: Event.SCHEDULE}
    if stands in unbooked:
        act.step(unbooked[State(stands)], visit_at=_moment_of(session), session=session)
    act.step(event, session=session)


def _finish(act: _Act, what: str, **facts: Any) -> None:
    """Close an act on sessions: one without an event still takes its turn, and all of them are noted."""
    referral, teller = act.referral, act.teller
    if not act.changes:
        if referral.state not in (State.ACCEPTED, *states.IN_TREATMENT):
            raise NotNow(_refusal(referral, Event.SCHEDULE, teller.actor))
        _claim(referral, referral.state, teller.at, **_heard(referral, teller.at))
    _note(f"course.{what}", referral, teller, **facts)
    act.follow()


@transaction.atomic
def book(
    referral: Referral,
    number: int,
    at_time: date | datetime,
    *,
    channel: str,
    at: datetime,
    by: User | None = None,
    by_key: DeskKey | None = None,
    by_name: str = "",
    route: str = "",
    seen: int | None = None,
) -> CourseSession:
    """Book a session of the course, or give it another day. `at_time` is a day, or a day with its time."""
    act, course = _begin(referral, Teller(Actor.RECIPIENT, channel, at, by, by_key, by_name.strip()), seen)
    found = _session(course, number)
    if found is not None and found.state == CourseSession.State.DONE:
        raise NotNow(gettext("Session {n} is marked done. Undo that first.").format(n=number))
    return _book(act, course, number, at_time, route=route or (found.route if found else ""))


def _book(act: _Act, course: Course, number: int, at_time: date | datetime, **fields: Any) -> CourseSession:
    held = _holds(act.referral, course)
    act.kept["sessions"] = {str(number): _snapshot(course.sessions.filter(number=number).first())}
    on, clock = _split(at_time)
    _check_visit(act.referral, _midnight(on), act.teller.at)
    planned = CourseSession.State.PLANNED
    session = _write(course, number, on=on, at=clock, state=planned, reported_at=None, **fields)
    _settle(act, course, held)
    _finish(act, "booked", number=number)
    return session


@transaction.atomic
def move(referral: Referral, number: int, at_time: date | datetime, **said: Any) -> CourseSession:
    """Give a booked or missed session another day. Arguments as for `book`."""
    if not CourseSession.objects.filter(course__referral=referral, number=number).exists():
        raise NotNow(gettext("Session {n} is not booked yet.").format(n=number))
    return book(referral, number, at_time, **said)


@transaction.atomic
def call_off(
    referral: Referral,
    number: int,
    *,
    channel: str,
    at: datetime,
    by: User | None = None,
    by_key: DeskKey | None = None,
    by_name: str = "",
    seen: int | None = None,
) -> None:
    """Cancel a booked session, with no new day yet."""
    act, course = _begin(referral, Teller(Actor.RECIPIENT, channel, at, by, by_key, by_name.strip()), seen)
    session = _session(course, number)
    if session is None or session.state != CourseSession.State.PLANNED:
        raise NotNow(gettext("Session {n} is not booked.").format(n=number))
    held = _holds(referral, course)
    act.kept["sessions"] = {str(number): _snapshot(session)}
    session.delete()
    _settle(act, course, held)
    _finish(act, "called_off", number=number)


@transaction.atomic
def done(
    referral: Referral,
    number: int,
    on: date | None = None,
    *,
    channel: str,
    at: datetime,
    by: User | None = None,
    by_key: DeskKey | None = None,
    by_name: str = "",
    route: str = "",
    note: str = "",
    seen: int | None = None,
) -> CourseSession:
    """Mark a session as done on that day (its booked day when none is given), and book the next one if it is planned.

    Opens what follows for the therapist (courses.session_reported). `note` is what the clinic adds: a score, a blood
    pressure.
    """
    return _report(
        referral,
        number,
        on,
        Event.VISIT,
        Teller(Actor.RECIPIENT, channel, at, by, by_key, by_name.strip(), words=note.strip()),
        seen,
        route=route,
    )


@transaction.atomic
def missed(
    referral: Referral,
    number: int,
    on: date | None = None,
    *,
    channel: str,
    at: datetime,
    by: User | None = None,
    by_key: DeskKey | None = None,
    by_name: str = "",
    words: str = "",
    seen: int | None = None,
) -> CourseSession:
    """Mark a session as missed: the therapist hears it and has an open item (G12)."""
    teller = Teller(Actor.RECIPIENT, channel, at, by, by_key, by_name.strip(), words=words.strip())
    return _report(referral, number, on, Event.NO_SHOW, teller, seen)


def _report(
    referral: Referral,
    number: int,
    on: date | None,
    event: Event,
    teller: Teller,
    seen: int | None,
    *,
    route: str = "",
) -> CourseSession:
    """Write what became of a session, the event, and the booking of the next one."""
    act, course = _begin(referral, teller, seen)
    found = _session(course, number)
    state = CourseSession.State.DONE if event == Event.VISIT else CourseSession.State.MISSED
    if found is not None and found.state == state:
        raise NotNow(
            gettext("Session {n}, {day}, is marked “{state}” already.").format(
                n=number, day=day(_midnight(found.on)), state=found.get_state_display()
            )
        )
    today = coverage.local(teller.at, Practice.get()).date()
    on = on or (found.on if found else today)
    if on > today:
        raise NotNow(gettext("This day lies in the future. Book the session instead."))
    _check_visit(referral, _midnight(on), teller.at)
    held = _holds(referral, course)
    act.kept["sessions"] = {str(number): _snapshot(found)}
    session = _write(
        course,
        number,
        on=on,
        at=found.at if found and found.on == on else None,
        state=state,
        route=route or (found.route if found else ""),
        reported_at=teller.at,
        note=teller.words or None,
    )
    _make_visit(act, event, session)
    _settle(act, course, held)
    _finish(act, "done" if event == Event.VISIT else "missed", number=number)
    if event == Event.VISIT:
        from referrals.actions import courses

        courses.session_reported(referral, session, teller.at)
    return session


@transaction.atomic
def add_maintenance(
    referral: Referral,
    at_time: date | datetime,
    *,
    channel: str,
    at: datetime,
    by: User | None = None,
    by_key: DeskKey | None = None,
    by_name: str = "",
    route: str = "",
    seen: int | None = None,
) -> CourseSession:
    """Book a session after the induction, with the next free number."""
    act, course = _begin(referral, Teller(Actor.RECIPIENT, channel, at, by, by_key, by_name.strip()), seen)
    number = max(course.planned, course.sessions.aggregate(n=Max("number"))["n"] or 0) + 1
    return _book(act, course, number, at_time, route=route, is_maintenance=True)


@transaction.atomic
def fill_dates(
    referral: Referral,
    first: date,
    *,
    channel: str,
    at: datetime,
    by: User | None = None,
    by_key: DeskKey | None = None,
    by_name: str = "",
    route: str = "",
    seen: int | None = None,
) -> list[CourseSession]:
    """Book every session that has no day yet: Tuesdays, Thursdays and Saturdays from `first` on, each to be moved."""
    act, course = _begin(referral, Teller(Actor.RECIPIENT, channel, at, by, by_key, by_name.strip()), seen)
    held = _holds(referral, course)
    told = set(course.sessions.values_list("number", flat=True))
    free = [number for number in range(1, course.planned + 1) if number not in told]
    if not free:
        raise NotNow(gettext("Every session has a day already."))
    _check_visit(referral, _midnight(first), at)
    act.kept["sessions"] = {str(number): None for number in free}
    planned = CourseSession.State.PLANNED
    booked = [
        _write(course, number, on=on, route=route, state=planned)
        for number, on in zip(free, proposed(first, len(free)), strict=True)
    ]
    _settle(act, course, held)
    _finish(act, "filled", count=len(booked))
    return booked


@transaction.atomic
def stop_early(
    referral: Referral,
    words: str,
    *,
    channel: str,
    at: datetime,
    by: User | None = None,
    by_key: DeskKey | None = None,
    by_name: str = "",
    seen: int | None = None,
) -> Course:
    """End the course before its last session. Nothing stays booked; the letter is still awaited."""
    act, course = _begin(referral, Teller(Actor.RECIPIENT, channel, at, by, by_key, by_name.strip()), seen)
    if not words.strip():
        raise NotNow(gettext("Write why the course ends early."))
    if course.state != Course.State.UNDER_WAY:
        raise NotNow(gettext("This course has ended already."))
    held = _holds(referral, course)
    act.kept |= {
        "sessions": {str(session.number): _snapshot(session) for session in _planned(course)},
        "course": course.state,
    }
    _planned(course).delete()
    course.state = Course.State.STOPPED
    course.stopped_words = words.strip()
    course.save(update_fields=["state", "stopped_words"])
    _settle(act, course, held)
    _finish(act, "stopped")
    news.course_stopped(referral, at)
    return course


@transaction.atomic
def go_on(
    referral: Referral,
    *,
    channel: str,
    at: datetime,
    by: User | None = None,
    by_key: DeskKey | None = None,
    by_name: str = "",
    seen: int | None = None,
) -> Course:
    """Take back that the course ended early. Days have to be booked anew."""
    act, course = _begin(referral, Teller(Actor.RECIPIENT, channel, at, by, by_key, by_name.strip()), seen)
    if course.state != Course.State.STOPPED:
        raise NotNow(gettext("This course did not end early."))
    course.state = Course.State.UNDER_WAY
    course.save(update_fields=["state"])
    _finish(act, "went_on")
    return course
