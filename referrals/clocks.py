"""The clocks of a referral: which one runs, when it runs out, and what is done then. Pure; the numbers are in
clocks.toml, and a practice may change them (Practice.referral_limits). A clock never changes a state.

Source: CLOCKS in docs/clinical-sources.md.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from practice import coverage
from practice.models import Practice
from referrals.states import State

FILE = Path(__file__).with_name("clocks.toml")
WORKING_HOURS, DAYS = "working_hours", "days"
LONGEST = 365  # of any limit, in its own unit
ASK_CLIENT_DAYS = 10  # CLOCKS; of silence, after which the client is asked whether they went
AGAIN_DAYS = 7  # CLOCKS; the supervisor is told again of one that must not be put away

Limits = Mapping[str, Mapping[str, Any]]  # {"urgent": {"open": 4, ...}, "routine": {...}}: the practice's own


@dataclass(frozen=True, slots=True)
class Limit:
    """A clock, or a rung of the ladder after it: how long, in which unit, for each urgency."""

    code: str
    words: str
    since: str
    unit: Mapping[str, str]
    limit: Mapping[str, int]

    def amount(self, urgency: str, own: Limits | None) -> int:
        """The practice's own number when it is one that makes sense, else the default."""
        said = (own or {}).get(urgency, {}).get(self.code)
        fits = isinstance(said, int) and not isinstance(said, bool) and 0 <= said <= LONGEST
        return said if fits else self.limit[urgency]  # type: ignore[return-value]


@dataclass(frozen=True, slots=True)
class Facts:
    """What the clocks read of a referral."""

    state: str
    urgency: str
    sent_at: datetime | None
    state_at: datetime
    opened: bool = False
    """Read, or marked as received."""
    heard_at: datetime | None = None
    visit_at: datetime | None = None
    last_session_at: datetime | None = None
    """Of a course that is over, by its count or by the clinic's word; None while it is under way."""


@dataclass(frozen=True, slots=True)
class Running:
    code: str
    due_at: datetime


@cache
def _file() -> tuple[tuple[Limit, ...], tuple[Limit, ...]]:
    data = tomllib.loads(FILE.read_text(encoding="utf-8"))
    clocks, rungs = (
        tuple(Limit(row["code"], row["words"], row.get("since", ""), row["unit"], row["limit"]) for row in data[part])
        for part in ("clocks", "rungs")
    )
    return clocks, rungs


def clocks() -> tuple[Limit, ...]:
    return _file()[0]


def rungs() -> tuple[Limit, ...]:
    return _file()[1]


def clock(code: str) -> Limit:
    return next(each for each in clocks() if each.code == code)


def due(facts: Facts, practice: Practice) -> Running | None:
    """Return the clock that runs and when it runs out; None for a draft and for what has ended."""
    code = _which(facts)
    if code is None:
        return None
    row = clock(code)
    since = {
        "sent": facts.sent_at,
        "state": facts.state_at,
        "heard": max(at for at in (facts.heard_at, facts.visit_at, facts.sent_at, facts.state_at) if at is not None),
        "last_session": facts.last_session_at,
    }[row.since]
    assert since is not None
    amount = row.amount(facts.urgency, practice.referral_limits)
    return Running(code, deadline(since, amount, row.unit[facts.urgency], practice))


def _which(facts: Facts) -> str | None:
    if facts.state == State.SENT:
        return "accept" if facts.opened else "open"
    if facts.state == State.CANCEL_ASKED:
        return "cancel"
    if facts.last_session_at is not None and facts.state in (State.VISITED, State.VISIT_CANCELLED, State.NO_SHOW):
        return "letter"
    if facts.state in (State.ACCEPTED, State.VISIT_CANCELLED, State.NO_SHOW):
        return "date"
    return "treatment" if facts.state in (State.SCHEDULED, State.VISITED, State.ACTIVE) else None


def deadline(since: datetime, amount: int, unit: str, practice: Practice) -> datetime:
    """Return when a limit ends that begins at `since`, by the practice's hours and in its zone."""
    if unit == WORKING_HOURS:
        return _add_working(since, timedelta(hours=amount), practice)
    ends = coverage.local(since, practice) + timedelta(days=amount)  # the same time of day, also over a change of time
    return ends if coverage.in_hours(ends, practice) else coverage.next_opening(ends, practice)


def _add_working(since: datetime, left: timedelta, practice: Practice) -> datetime:
    if practice.closes_at <= practice.opens_at:  # no hours to count by
        return since + left
    at = since if coverage.in_hours(since, practice) else coverage.next_opening(since, practice)
    while True:
        here = coverage.local(at, practice)
        closing = here.replace(hour=practice.closes_at.hour, minute=practice.closes_at.minute, second=0, microsecond=0)
        today = closing.astimezone(UTC) - at.astimezone(UTC)
        if left <= today:
            return (at.astimezone(UTC) + left).astimezone(here.tzinfo)
        left -= today
        at = coverage.next_opening(closing, practice)


def climbs_at(due_at: datetime, rung: int, urgency: str, practice: Practice, *, by_mail: bool) -> datetime | None:
    """Return when the rung after `rung` is climbed (0: none yet); None at the top.

    Without mail there is no reminder: what would be a reminder is a call, as soon as the clock has run out.
    """
    ladder = rungs()
    if rung >= len(ladder):
        return None
    following = ladder[rung]
    if following.code == "remind" or (following.code == "call" and not by_mail):
        return due_at
    amount = following.amount(urgency, practice.referral_limits)
    return deadline(due_at, amount, following.unit[urgency], practice)
