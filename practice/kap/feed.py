"""A member of staff's sessions as a calendar feed: one event per session in UTC, without a word about a client.

No repeat rules and no time zones in the file: calendar programs read both differently (docs/adr/0014).
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from icalendar import Calendar, Event

from practice.kap.models import Session
from practice.models import User

KEPT = timedelta(days=30)  # a cancelled session stays that long, so that every calendar takes it out
BACK, AHEAD = timedelta(days=90), timedelta(days=730)
REFRESH = timedelta(hours=4)
CANCELLED = (Session.State.SKIPPED, Session.State.WAITING)


def calendar(sessions: Iterable[Session], *, name: str, host: str) -> bytes:
    """Return the feed as bytes. `name` is the calendar's title, `host` makes the events' ids unique."""
    found = Calendar()
    found.add("prodid", "-//Waymark//Sessions//EN")
    found.add("version", "2.0")
    found.add("name", _line(name))
    found.add("x-wr-calname", _line(name))
    found.add("refresh-interval", REFRESH, parameters={"VALUE": "DURATION"})
    found.add("method", "PUBLISH")
    for session in sessions:
        found.add_component(_event(session, host))
    return bytes(found.to_ical())


def _event(session: Session, host: str) -> Event:
    event = Event()
    changed = session.changed_at or session.starts_at
    event.add("uid", f"{session.pk}@{host}")
    event.add("dtstamp", changed)
    event.add("last-modified", changed)
    event.add("dtstart", session.starts_at)
    event.add("dtend", session.starts_at + timedelta(minutes=session.minutes))
    event.add("summary", "Session")
    event.add("class", "PRIVATE")
    event.add("sequence", session.sequence)
    event.add("status", "CANCELLED" if session.state in CANCELLED else "CONFIRMED")
    if session.room:
        event.add("location", _line(session.room))
    return event


def _line(text: str) -> str:
    return " ".join(text.split())


def sessions_of(user: User, at: datetime) -> list[Session]:
    """What this person's feed holds now: what they are booked for, and what was cancelled lately. One query."""
    near = Session.objects.filter(therapist=user, starts_at__gte=at - BACK, starts_at__lte=at + AHEAD)
    return [
        row
        for row in near.order_by("starts_at", "pk")
        if row.state not in CANCELLED or (row.sequence and row.changed_at and row.changed_at >= at - KEPT)
    ]
