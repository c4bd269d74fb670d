"""Forms that somebody on staff sets by hand: every so many days, before or after each session, once on a day (C3)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext, ngettext

from intake import measures, packet, pauses
from intake.models import Measure, Schedule
from practice import audit, instruments
from practice.actions import NotNow, write_note
from practice.clinical.risk import CSSRS
from practice.models import Client, Practice, User
from practice.templatetags.ui import full_day

MOST = 6  # OWN: more than that is a plan to be written down elsewhere
Rhythm = Schedule.Rhythm


@dataclass(frozen=True)
class Met:
    """A session of a client: when, and whether it took place or is still to come."""

    at: datetime
    happened: bool


# What the apps above know of sessions.
SESSIONS: list[Callable[[Client], list[Met]]] = []


# --- What may be sent ------------------------------------------------------------------------------------------------


def choices() -> list[tuple[str, str]]:
    """(key, title): whole forms, single instruments, each asked with what safety needs of it, and those brought."""
    whole = [(each.key, each.title) for each in packet.all_packets() if not each.by_plan and each.key != measures.ASKS]
    ours = [(f"{measures.ASKS}:{key}", title) for key, title in _instruments().items()]
    return [*whole, *ours, *((each.key, each.title) for each in instruments.in_use(timezone.now()))]


def _instruments() -> dict[str, str]:
    wanted = packet.load(measures.ASKS)
    return {each.key: each.title for each in wanted.instruments() if each.key != CSSRS}


def split(key: str) -> tuple[str, list[str]]:
    """The packet and the pages of it that a choice names."""
    name, _colon, instrument = key.partition(":")
    if not instrument:
        return name, []
    pages = [page.slug for page in packet.load(name).pages if page.instrument == instrument]
    return name, pages


def key_of(name: str, only: Sequence[str]) -> str:
    if not only:
        return name
    return f"{name}:{packet.load(name).by_slug[only[0]].instrument}"


def title_of(name: str, only: Sequence[str]) -> str:
    return title_in(packet.load(name), only)


def title_in(whole: packet.Packet, only: Sequence[str]) -> str:
    page = whole.by_slug.get(only[0]) if only else None
    return page.definition.title if page is not None and page.instrument else whole.title


def words_of(row: Schedule) -> str:
    """How often, in words."""
    n = row.days or 0
    if row.rhythm == Rhythm.ONCE:
        return gettext("once, on {day}").format(day=full_day(row.first_on))
    said = {
        Rhythm.EVERY: ngettext("every day", "every {n} days", n),
        Rhythm.BEFORE: ngettext("the day before each session", "{n} days before each session", n),
        Rhythm.AFTER: ngettext("the day after each session", "{n} days after each session", n),
    }[Rhythm(row.rhythm)]
    return said.format(n=n)


# --- Setting, changing, ending ---------------------------------------------------------------------------------------


@transaction.atomic
def make(
    *, by: User, client: Client, key: str, rhythm: str, days: int | None, first_on: date | None, at: datetime
) -> Schedule:
    """Set a form to be sent by itself. Raises NotNow for a day that is gone, a second of the same, or one too many."""
    client = Client.objects.hold(client.pk)
    if client.status in Client.LEFT:
        raise NotNow(gettext("Their care has ended. Nothing is sent to them any more."))
    name, only = split(key)
    open_ones = running(client)
    if any((row.packet, row.only, row.rhythm) == (name, only, rhythm) for row in open_ones):
        raise NotNow(gettext("This form is set in this way already. Change that one instead."))
    if len(open_ones) >= MOST:
        raise NotNow(gettext("Six forms are set already. End one of them first."))
    row = Schedule(client=client, packet=name, only=only, made_at=at, made_by=by)
    _set(row, rhythm, days, first_on, at)
    row.save(force_insert=True)
    audit.record("schedule.made", by=by, client=client, target=row, at=at, rhythm=rhythm)
    plan(row, at)
    return row


@transaction.atomic
def change(
    *,
    by: User,
    schedule: Schedule,
    rhythm: str,
    days: int | None,
    first_on: date | None,
    words: str,
    seen: int,
    at: datetime,
) -> None:
    """Change when it goes out, with words that become a note; what waits gives way. NotNow when somebody was first."""
    row = _mine(schedule, seen, words)
    _set(row, rhythm, days, first_on, at)
    row.version += 1
    row.save()
    measures.stop(row.client, Measure.Why.SCHEDULE, row.pk, at=at, by=by)
    audit.record("schedule.changed", by=by, client=row.client, target=row, at=at, rhythm=rhythm)
    write_note(by=by, client=row.client, words=words, at=at)
    plan(row, at)


@transaction.atomic
def end(*, by: User, schedule: Schedule, words: str, seen: int, at: datetime) -> None:
    """End it, with words that become a note. What the client has begun they may finish."""
    row = _mine(schedule, seen, words)
    row.ended_at, row.ended_by = at, by
    row.version += 1
    row.save(update_fields=["ended_at", "ended_by", "version"])
    measures.stop(row.client, Measure.Why.SCHEDULE, row.pk, at=at, by=by)
    audit.record("schedule.ended", by=by, client=row.client, target=row, at=at)
    write_note(by=by, client=row.client, words=words, at=at)


@transaction.atomic
def end_all(*, by: User | None, client: Client, at: datetime) -> None:
    """Their care has ended."""
    for row in running(client):
        row.ended_at, row.ended_by = at, by
        row.save(update_fields=["ended_at", "ended_by"])
        audit.record("schedule.ended", by=by, client=client, target=row, at=at)


def running(client: Client) -> list[Schedule]:
    return list(client.schedules.filter(ended_at=None))


def _mine(schedule: Schedule, seen: int, words: str) -> Schedule:
    if not words.strip():
        raise NotNow(gettext("Write why."))
    row: Schedule = Schedule.objects.held(schedule.pk)
    if row.ended_at is not None or row.version != seen:
        raise NotNow(gettext("Somebody changed this since you opened it. Look at what is set now."))
    return row


def _set(row: Schedule, rhythm: str, days: int | None, first_on: date | None, at: datetime) -> None:
    by_session = rhythm in Schedule.SESSIONS
    row.rhythm = rhythm
    row.days = None if rhythm == Rhythm.ONCE else days
    row.first_on = None if by_session else first_on
    if row.first_on is not None and pauses.moment_on(row.client, row.first_on, Practice.get()) <= at:
        raise NotNow(gettext("That day, or the hour at which this client gets messages, is over. Choose a later day."))


# --- Planning --------------------------------------------------------------------------------------------------------


def plan(row: Schedule, at: datetime) -> None:
    """Plan what this asks for: the first of a row, or one for each session that is known."""
    practice, why = Practice.get(), str(Measure.Why.SCHEDULE)
    if row.rhythm in Schedule.SESSIONS:
        wanted = [(row.packet, why, each) for each in moments(row, at, practice)]
        measures.make_exactly(row.client, row.pk, wanted, at=at, only=row.only)
    elif row.first_on is not None:
        due_at = pauses.moment_on(row.client, row.first_on, practice)
        measures.plan(row.client, row.packet, why, due_at, row.pk, every_days=row.days, at=at, only=row.only)


def moments(row: Schedule, at: datetime, practice: Practice) -> list[datetime]:
    """When to send before the sessions to come, or after those that took place, at the client's hour."""
    before, span = row.rhythm == Rhythm.BEFORE, timedelta(days=row.days or 0)
    zone = ZoneInfo(row.client.zone or practice.zone)
    met = [each for source in SESSIONS for each in source(row.client) if each.happened != before]
    days = {each.at.astimezone(zone).date() + (-span if before else span) for each in met}
    found = [pauses.moment_on(row.client, day, practice) for day in sorted(days)]
    return [each for each in found if each > row.made_at and at - each < measures.USELESS_AFTER]


def follow(client: Client, at: datetime) -> None:
    """Sessions changed: what hangs on them is planned anew."""
    for row in running(client):
        if row.rhythm in Schedule.SESSIONS:
            plan(row, at)


def follow_all(*, at: datetime) -> int:
    """The same for everybody, every hour: a session that was entered by another way is not forgotten."""
    rows = Schedule.objects.filter(ended_at=None, rhythm__in=Schedule.SESSIONS).select_related("client")
    for row in rows:
        with transaction.atomic():
            plan(row, at)
    return len(rows)
