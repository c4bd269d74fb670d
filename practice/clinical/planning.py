"""The calendar of a KAP plan: sessions from a template, boosters from their anchor, and what stands against a date.

Dates are calendar days of the client, kept at the same wall-clock time over a change of the clock.
Sources: SEED, JOURNEY-THERAPIST, JOURNEY-PRESCRIBER, OWN in docs/clinical-sources.md (plans.toml, kap.py).
"""

import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from practice.clinical import kap

PREPARATION, DOSING, INTEGRATION = "preparation", "dosing", "integration"

BEYOND_COUNT = "beyond_clearance_count"
BEYOND_DATE = "beyond_clearance_date"
NOT_CLEARED = "no_clearance"
OUTSIDE_WINDOW = "outside_booster_window"
NO_PREPARATION = "no_preparation_before_first_dose"
BUSY = "busy"
OVERLAP = "overlap"

CLEARED_BY = {
    kap.UNDER_48_HOURS: "override",
    kap.OVER_2_IN_7_DAYS: "override",
    kap.NO_INTEGRATION: "integration",
    NO_PREPARATION: "preparation",
    OUTSIDE_WINDOW: "override",
    NOT_CLEARED: "clearance",
    BEYOND_COUNT: "clearance",
    BEYOND_DATE: "clearance",
    BUSY: "move",
    OVERLAP: "move",
}
"""What clears each conflict: a prescriber's recorded reason, another session, a clearance, or another time."""


@dataclass(frozen=True, slots=True)
class PlanTemplate:
    key: str
    title: str
    shape: str
    """`weekly`, `intensive` or `booster`."""
    doses: tuple[int, ...]
    every_days: int
    count: int
    count_to: int
    first_weekday: int | None
    """0 is Monday; the day on which such a plan usually begins, by its first dose."""
    preparation: tuple[int, ...]
    integration_days: int
    integration_hours: int
    follow_up: tuple[int, ...]


@dataclass(frozen=True, slots=True, order=True)
class Slot:
    starts: datetime
    """In UTC."""
    kind: str
    number: int
    """1, 2, ... within its kind."""
    minutes: int

    @property
    def ends(self) -> datetime:
        return self.starts + timedelta(minutes=self.minutes)


@dataclass(frozen=True, slots=True)
class Busy:
    starts: datetime
    ends: datetime
    who: str
    """Code of what is taken: `room`, `therapist`, `client`."""


@dataclass(frozen=True, slots=True)
class Cleared:
    """What a prescriber has cleared and is not used yet."""

    doses: int
    until: date


@dataclass(frozen=True, slots=True)
class Conflict:
    code: str
    slot: Slot
    cleared_by: str
    what: str = ""
    """For `busy`, what is taken."""


@cache
def templates() -> dict[str, PlanTemplate]:
    return {key: _template(key, row) for key, row in _data()["templates"].items()}


@cache
def _data() -> dict[str, Any]:
    return tomllib.loads((Path(__file__).parent / "plans.toml").read_text(encoding="utf-8"))


def _template(key: str, row: dict[str, Any]) -> PlanTemplate:
    return PlanTemplate(
        key=key,
        title=row["title"],
        shape=row["shape"],
        doses=tuple(row.get("doses", ())),
        every_days=row.get("every_days", 0),
        count=row.get("count", len(row.get("doses", ()))),
        count_to=row.get("count_to", len(row.get("doses", ()))),
        first_weekday=row.get("first_weekday"),
        preparation=tuple(row["preparation"]),
        integration_days=row["integration"].get("days", 0),
        integration_hours=row["integration"].get("hours", 0),
        follow_up=tuple(row["follow_up"]),
    )


def moment(day: date, clock: time, zone: ZoneInfo) -> datetime:
    """Return the moment of this wall-clock time, in UTC.

    A time that the clock skips in spring is taken as much later as it skips; one that it shows twice is the first.
    """
    return datetime.combine(day, clock, tzinfo=zone).astimezone(UTC)


def slots(template: PlanTemplate, first: date, clock: time, zone: ZoneInfo, *, count: int | None = None) -> list[Slot]:
    """Return the sessions of a plan whose first dose is on `first`, in time.

    Raises ValueError when `count` is not between 1 and the template's most.
    """
    days = dose_days(template, first, count)
    start = datetime.combine(first, clock)
    after = timedelta(days=template.integration_days, hours=template.integration_hours)
    placed = [(PREPARATION, start + timedelta(days=n)) for n in template.preparation]
    for day in days:
        dose = datetime.combine(day, clock)
        placed += [(DOSING, dose), (INTEGRATION, dose + after)]
    placed += [(INTEGRATION, datetime.combine(days[-1], clock) + timedelta(days=n)) for n in template.follow_up]
    numbers = {PREPARATION: 0, DOSING: 0, INTEGRATION: 0}
    found = []
    for kind, at in sorted(placed, key=lambda row: row[1]):
        numbers[kind] += 1
        found.append(Slot(moment(at.date(), at.time(), zone), kind, numbers[kind], length_minutes(kind)))
    return found


def length_minutes(kind: str) -> int:
    return int(_data()["length_minutes"][kind])


def dose_days(template: PlanTemplate, first: date, count: int | None = None) -> list[date]:
    if not template.every_days:
        return [first + timedelta(days=n) for n in template.doses]
    wanted = template.count if count is None else count
    if not 1 <= wanted <= template.count_to:
        raise ValueError(f"A series has 1 to {template.count_to} doses.")
    return [first + timedelta(days=template.every_days * n) for n in range(wanted)]


def boosters(anchor: date, count: int) -> list[date]:
    """Return the due days of `count` boosters after a last dose on `anchor`.

    Each is counted from the anchor, so that one on 31 August comes back to the 31st after a short month between.
    """
    return [kap.add_months(anchor, kap.BOOSTER_MONTHS * n) for n in range(1, count + 1)]


def conflicts(
    planned: Sequence[Slot],
    zone: ZoneInfo,
    *,
    given: Iterable[datetime] = (),
    cleared: Cleared | None = None,
    window: tuple[date, date] | None = None,
    busy: Sequence[Busy] = (),
    override_reason: str = "",
    new_client: bool = True,
) -> list[Conflict]:
    """Return what stands against each session, in time. A frequency limit and the window yield to an override.

    `given` are doses given already; `cleared` what the prescriber allows (None: nothing); `window` that of a booster;
    `new_client`: no dose was ever given, so that preparation has to come before the first.
    """
    found: list[Conflict] = []
    doses = list(given)
    integrated = not doses or not new_client
    prepared, used = not new_client, 0
    for slot in sorted(planned):
        codes: list[str] = []
        if slot.kind == PREPARATION:
            prepared = True
        elif slot.kind == INTEGRATION:
            integrated = True
        else:
            booking = kap.can_book(doses, slot.starts, has_integration=integrated, override_reason=override_reason)
            codes += booking.reasons
            codes += [] if prepared else [NO_PREPARATION]
            codes += _clearance(slot, zone, cleared, used)
            day = slot.starts.astimezone(zone).date()
            if window is not None and not window[0] <= day <= window[1] and not override_reason.strip():
                codes.append(OUTSIDE_WINDOW)
            doses.append(slot.starts)
            used, integrated = used + 1, False
        found += [Conflict(code, slot, CLEARED_BY[code]) for code in codes]
        found += [
            Conflict(BUSY, slot, CLEARED_BY[BUSY], taken.who)
            for taken in busy
            if taken.starts < slot.ends and slot.starts < taken.ends
        ]
    found += _overlaps(planned)
    return sorted(found, key=lambda conflict: conflict.slot)


def _clearance(slot: Slot, zone: ZoneInfo, cleared: Cleared | None, used: int) -> list[str]:
    if cleared is None:
        return [NOT_CLEARED]
    codes = [BEYOND_COUNT] if used >= cleared.doses else []
    return [*codes, BEYOND_DATE] if slot.starts.astimezone(zone).date() > cleared.until else codes


def _overlaps(planned: Sequence[Slot]) -> list[Conflict]:
    found, taken_until = [], datetime.min.replace(tzinfo=UTC)
    for slot in sorted(planned):
        if slot.starts < taken_until:
            found.append(Conflict(OVERLAP, slot, CLEARED_BY[OVERLAP]))
        taken_until = max(taken_until, slot.ends)
    return found
