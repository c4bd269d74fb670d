"""The infusions of a course as the clinic's page shows them: each with what may be done with it now."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.utils import timezone
from django.utils.translation import gettext

from practice.templatetags.ui import day, moment
from referrals import states
from referrals.models import Course, CourseSession, Referral, StatusChange


def session_number(change: StatusChange) -> int | None:
    return change.session.number if change.session else None


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
    """The day from which "Fill 6 dates" counts unless the clinic gives another: a day apart from the last known."""
    last = max((session.on for session in course.sessions.all()), default=None)
    tomorrow = timezone.localtime(at).date() + timedelta(days=1)
    return max(tomorrow, last + timedelta(days=2) if last else tomorrow).isoformat()
