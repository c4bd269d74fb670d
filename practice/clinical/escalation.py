"""How an unacknowledged safety flag climbs: who is told after how many minutes. Practice-set; these are the defaults.

Source: CLOCKS in docs/clinical-sources.md (15 minutes and the ladder are our own default, no regulator sets minutes).
"""

from collections.abc import Mapping
from datetime import datetime, timedelta

RUNGS = ("therapist", "backup", "supervisor", "admin")

# severity -> minutes after the flag was raised at which each rung is told
LADDER_MIN: Mapping[str, tuple[int, int, int, int]] = {
    "urgent": (0, 15, 30, 60),
    "priority": (0, 30, 120, 240),
    "routine": (0, 24 * 60, 48 * 60, 72 * 60),
}

ROUTINE_HOURS = 24  # CLOCKS
"""A routine item is done within this time of the next opening: one business day."""


def minutes(severity: str, overrides: Mapping[str, list[int]] | None = None) -> tuple[int, ...]:
    """Return the minutes of the four rungs for this severity; a practice's own values win when they are whole."""
    own = (overrides or {}).get(severity)
    if own and len(own) == len(RUNGS) and list(own) == sorted(own) and own[0] == 0:
        return tuple(own)
    return LADDER_MIN[severity]


def rung_at(severity: str, raised_at: datetime, at: datetime, overrides: Mapping[str, list[int]] | None = None) -> int:
    """Return the highest rung whose time has come: 0 therapist, 1 backup, 2 supervisor, 3 admin."""
    passed = (at - raised_at).total_seconds() / 60
    return max(i for i, after in enumerate(minutes(severity, overrides)) if after <= max(passed, 0))


def next_climb(
    severity: str, raised_at: datetime, rung: int, overrides: Mapping[str, list[int]] | None = None
) -> datetime | None:
    """Return when the rung after `rung` is told, or None at the top."""
    ladder = minutes(severity, overrides)
    return raised_at + timedelta(minutes=ladder[rung + 1]) if rung + 1 < len(ladder) else None
