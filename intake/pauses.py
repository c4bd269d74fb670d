"""When check-ins reach a client: at the hour and in the zone they chose (C11), and not while they paused them (C5).

A pause holds what is ordinary. The short check-ins after a safety answer are held only when the client asks for that by
name, and then a person is told at once, as if one had been missed: a pause never quietly ends being looked after.
"""

from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from django.db import transaction
from django.utils.translation import gettext

from intake.models import Measure, Pause
from practice import audit
from practice.actions import NotNow, raise_alert, write_note
from practice.language import HOUSE, said_in
from practice.models import Alert, Client, Practice, Task, User

WEEKS = (1, 2, 4)
MORNING = 8  # OWN
PAUSED = {"id": "check-in-paused", "version": "1"}


# --- The client's own clock ------------------------------------------------------------------------------------------


def zone_of(client: Client) -> str:
    return client.zone or Practice.get().zone


def hours(practice: Practice) -> list[int]:
    """The hours of the day that a client may choose: those in which messages that can wait go out."""
    first, last = practice.messages_from, practice.messages_until
    every = range(24)
    if first == last:
        return list(every)
    if first < last:
        return [hour for hour in every if first <= time(hour) < last]
    return [hour for hour in every if time(hour) >= first or time(hour) < last]


def hour_of(client: Client, practice: Practice) -> int:
    """The hour this client chose, where the practice still sends then; else the morning, or its first hour."""
    allowed = hours(practice)
    wanted = MORNING if client.send_hour is None else client.send_hour
    if wanted in allowed:
        return wanted
    return allowed[0] if allowed else practice.messages_from.hour


def moment_on(client: Client, day: date, practice: Practice) -> datetime:
    """The client's hour of this day, by their own clock, whatever the clocks did the night before."""
    return datetime.combine(day, time(hour_of(client, practice)), tzinfo=ZoneInfo(client.zone or practice.zone))


@transaction.atomic
def choose_hour(*, client: Client, hour: int, zone: str, at: datetime) -> None:
    """Keep the hour and zone the client chose; what is set by hand and not sent yet moves to it, on the same day."""
    row = Client.objects.hold(client.pk)
    practice = Practice.get()
    if hour not in hours(practice):
        raise NotNow(gettext("We do not send messages at that hour. Choose another."))
    before = ZoneInfo(row.zone or practice.zone)
    row.send_hour, row.zone = hour, zone
    row.save(update_fields=["send_hour", "zone"])
    waiting = row.measures.filter(why=Measure.Why.SCHEDULE, sent_at=None, stopped_at=None, due_at__gt=at)
    for measure in waiting:
        measure.due_at = moment_on(row, measure.due_at.astimezone(before).date(), practice)
        measure.save(update_fields=["due_at"])
    audit.record("client.hour_chosen", by=client, client=client, at=at)


# --- Pauses ----------------------------------------------------------------------------------------------------------


def running(client: Client, at: datetime) -> Pause | None:
    found: Pause | None = Pause.objects.running(at).filter(client=client).first()
    return found


def holding(measure: Measure, at: datetime) -> Pause | None:
    """The pause that holds this one back now."""
    pause = running(measure.client, at)
    return pause if pause is not None and (pause.checks_too or not measure.watched) else None


def watched(client: Client) -> list[Measure]:
    """The short check-ins that somebody waits for."""
    return list(client.measures.filter(watched=True, sent_at=None, stopped_at=None))


@transaction.atomic
def pause(*, by: Client, weeks: int | None, words: str, checks_too: bool, at: datetime) -> Pause:
    """Hold the check-ins for some weeks, or until they say so. Their therapist gets an item; a flag when checks stop.

    Raises NotNow when they wait already. None of what is out is taken back: it may be answered, and is not chased.
    """
    client = Client.objects.select_for_update(of=("self",), no_key=True).select_related("therapist").get(pk=by.pk)
    end_over(at=at, client=client)
    if running(client, at) is not None:
        raise NotNow(gettext("They are paused already."))
    until = None
    if weeks is not None:
        here = at.astimezone(ZoneInfo(zone_of(client)))
        until = datetime.combine(here.date() + timedelta(weeks=weeks), here.timetz())
    held = watched(client) if checks_too else []
    row = Pause(client=client, at=at, until=until, checks_too=bool(held))
    row.words = words.strip()
    row.save(force_insert=True)
    audit.record("measures.paused", by=by, client=client, target=row, at=at, checks=bool(held))
    flagged = client.alerts.filter(closed_at=None).exists()
    reason = "pause_flag" if flagged else "pause"
    Task.open(client, "todo", at=at, subject_id=row.pk, owner=client.therapist, due_at=at, reason=reason)
    for measure in held:
        tell_once(measure, row, at)
    return row


def tell_once(measure: Measure, row: Pause, at: datetime) -> None:
    """Tell a person that these check-ins do not come: once for each decision, also of one made during the pause."""
    same = Measure.objects.filter(client=row.client_id, subject_id=measure.subject_id).values("pk")
    if not Alert.objects.filter(source=Alert.Source.INTERIM, source_id__in=same, opened_at__gte=row.at).exists():
        _tell(measure, row, at)


def _tell(measure: Measure, row: Pause, at: datetime) -> None:
    """The flag of a check-in that will not come: the same as for one that did not come back (law 1)."""
    raise_alert(
        by=None,
        client=row.client,
        source=Alert.Source.INTERIM,
        source_id=measure.pk,
        severity=Alert.Severity.PRIORITY,
        rules=[PAUSED],
        answers=[
            {
                "instrument": "",
                "link_id": PAUSED["id"],
                "question": said_in(HOUSE, gettext, "Short check-in"),
                "answer": said_in(HOUSE, gettext, "The client asked that these wait, too."),
                "positive": True,
                "at": at.isoformat(),
            }
        ],
        at=at,
    )


@transaction.atomic
def resume(*, by: User | Client, client: Client, at: datetime, words: str = "") -> bool:
    """Go on with the check-ins, by the client or, with words, by a clinician. Returns whether they were paused."""
    Client.objects.hold(client.pk)
    row = Pause.objects.running(at).select_for_update(of=("self",), no_key=True).filter(client=client).first()
    if row is None:
        return False
    if isinstance(by, User):
        if not words.strip():
            raise NotNow(gettext("Write why the check-ins go on."))
        write_note(by=by, client=client, words=words, at=at)
    _end(row, at, by)
    return True


def end_over(*, at: datetime, client: Client | None = None) -> int:
    """End the pauses whose time is over. Returns how many."""
    over = Pause.objects.filter(ended_at=None, until__lte=at).select_related("client")
    found = list(over.filter(client=client) if client is not None else over)
    for row in found:
        with transaction.atomic():
            _end(row, row.until or at, None)
    return len(found)


def _end(row: Pause, at: datetime, by: User | Client | None) -> None:
    row.ended_at, row.ended_by = at, by if isinstance(by, User) else None
    row.save(update_fields=["ended_at", "ended_by"])
    audit.record("measures.resumed", by=by, client=row.client, target=row, at=at)
