"""Who is on call, and when somebody reads: computed from the coverage roster, so that what we tell a client is true."""

from collections.abc import Callable, Iterable
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from practice.access import Permission
from practice.clinical import escalation
from practice.models import CoverageShift, Practice, User

WEEKEND = (5, 6)
MOST_ABSENCES = 40  # one after another; a person has fewer


def local(at: datetime, practice: Practice) -> datetime:
    return at.astimezone(ZoneInfo(practice.zone))


def shifts() -> list[CoverageShift]:
    return list(CoverageShift.objects.filter(user__is_active=True).select_related("user"))


def on_call(at: datetime, practice: Practice, roster: Iterable[CoverageShift]) -> list[User]:
    """The people whose shift covers this moment."""
    clock = local(at, practice)
    return list(dict.fromkeys(shift.user for shift in roster if shift.covers(clock)))


def in_hours(at: datetime, practice: Practice) -> bool:
    clock = local(at, practice)
    return clock.weekday() not in WEEKEND and practice.opens_at <= clock.time() < practice.closes_at


def next_opening(at: datetime, practice: Practice) -> datetime:
    """The next moment at which a workday starts, after `at`."""
    return _next(at, practice, practice.opens_at)


# What the apps above know of who is away: each gives the last day of the absence that this day lies in, or None.
AWAY: list[Callable[[User, date], date | None]] = []


def away_until(person: User | None, day: date) -> date | None:
    """The last day on which this person is away, when they are away on this day."""
    if person is None:
        return None
    return max((until for known in AWAY if (until := known(person, day))), default=None)


def read_by(at: datetime, practice: Practice, reader: User | None = None) -> datetime:
    """The moment by which answers sent at `at` are read: the next `reads_by` clock of a workday.

    With `reader`: of a workday on which they are not away, so that nobody is promised what cannot be kept.
    """
    then = _next(at, practice, practice.reads_by)
    for _ in range(MOST_ABSENCES):
        until = away_until(reader, local(then, practice).date())
        if until is None:
            break
        over = datetime.combine(until + timedelta(days=1), time(0), tzinfo=ZoneInfo(practice.zone))
        then = _next(over, practice, practice.reads_by)
    return then


def cover_of(person: User, day: date) -> User | None:
    """Who reads messages for this person on this day, when they are away: their backup, if there and allowed to."""
    cover = person.backup
    if cover is None or not cover.is_active or not cover.may(Permission.WRITE_MESSAGE):
        return None
    if away_until(person, day) is None or away_until(cover, day) is not None:
        return None
    return cover


def covered_by(user: User, at: datetime) -> list[User]:
    """The people for whom `cover_of` gives this person now."""
    named = list(User.objects.filter(backup=user, is_active=True))
    if not named:
        return []
    day = local(at, Practice.get()).date()
    return [person for person in named if (cover_of(person, day) or person) == user]


def message_reader(therapist: User, at: datetime, practice: Practice) -> tuple[User, datetime]:
    """Who reads a message to this therapist that is sent at `at`, and by when: true while they are away, too."""
    then = read_by(at, practice)
    day = local(then, practice).date()
    if away_until(therapist, day) is None:
        return therapist, then
    if cover := cover_of(therapist, day):
        return cover, then
    return therapist, read_by(at, practice, therapist)


def routine_by(at: datetime, practice: Practice) -> datetime:
    """The moment by which something routine that came at `at` is done."""
    return next_opening(at, practice) + timedelta(hours=escalation.ROUTINE_HOURS)


def _next(at: datetime, practice: Practice, clock: time) -> datetime:
    here = local(at, practice)
    zone = ZoneInfo(practice.zone)
    for days in range(8):
        day = here.date() + timedelta(days=days)
        then = datetime.combine(day, clock, tzinfo=zone)
        if day.weekday() not in WEEKEND and then > here:
            return then
    raise AssertionError("a week without a workday")


def gaps(roster: Iterable[CoverageShift]) -> list[tuple[int, int]]:
    """The hours of the week (0 = Monday 00:00 ... 168) with nobody on call, as (from, to) pairs."""
    covered: set[int] = set()
    for shift in roster:
        start = shift.weekday * 24 * 60 + shift.starts.hour * 60 + shift.starts.minute
        length = (shift.ends.hour * 60 + shift.ends.minute - shift.starts.hour * 60 - shift.starts.minute) % (24 * 60)
        covered.update((start + minute) % (7 * 24 * 60) for minute in range(0, length, 30))
    found: list[tuple[int, int]] = []
    for half_hour in range(0, 7 * 24 * 60, 30):
        if half_hour not in covered:
            if found and found[-1][1] == half_hour:
                found[-1] = (found[-1][0], half_hour + 30)
            else:
                found.append((half_hour, half_hour + 30))
    return [(start // 60, -(-end // 60)) for start, end in found]
