"""An induction of six infusions in two weeks: due dates, gaps, completion. The clinic runs it; we keep track.

Sources: SEED, NYKETAMINE, RIVA-POSSE-2018, OWN in docs/clinical-sources.md.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

COUNT = 6  # SEED
WITHIN_DAYS = 14  # SEED, NYKETAMINE
EXTENDED_DAYS = 21  # OWN
LONGEST_GAP_DAYS = 7  # OWN
PATTERN_DAYS = (0, 2, 4, 7, 9, 11)  # OWN, an example of "2-3 a week"
REVIEW_AFTER = 3  # OWN
RESCORE_DAYS = (7, 14, 30)  # OWN


@dataclass(frozen=True, slots=True)
class Series:
    status: str
    """`not_started`, `in_progress`, `completed_on_schedule`, `completed_extended`, `completed_late`, `interrupted`
    or `stopped_early`."""
    given: int
    span_days: int
    """Days from the first to the last infusion of the induction."""
    longest_gap_days: int
    off_plan_days: tuple[int, ...]
    """For each infusion, days after (or before) its planned day."""
    next_due_on: date | None
    review_due: bool
    """Time to look at the response with the clinic."""
    rescore_on: tuple[date, ...]


def plan(first: date) -> tuple[date, ...]:
    """Return the six due dates of a series that starts on `first`."""
    return tuple(first + timedelta(days=days) for days in PATTERN_DAYS)


def series(dates: Sequence[date], *, today: date | None = None, stopped: bool = False) -> Series:
    """Return where an induction stands, from the dates of the infusions given.

    `today` lets a silence count as a gap; `stopped` is the clinic's or the client's word that it ended.
    """
    given = sorted(dates)[:COUNT]
    if not given:
        return Series("stopped_early" if stopped else "not_started", 0, 0, 0, (), None, False, ())
    done = len(given) == COUNT
    waiting = [today] if today is not None and not done and not stopped and today > given[-1] else []
    points = given + waiting
    longest = max(((later - earlier).days for earlier, later in itertools.pairwise(points)), default=0)
    span = (given[-1] - given[0]).days
    planned = plan(given[0])
    status = _status(done, stopped, longest, span)
    return Series(
        status=status,
        given=len(given),
        span_days=span,
        longest_gap_days=longest,
        off_plan_days=tuple((day - due).days for day, due in zip(given, planned, strict=False)),
        next_due_on=None if done or stopped else planned[len(given)],
        review_due=len(given) >= REVIEW_AFTER,
        rescore_on=tuple(given[0] + timedelta(days=days) for days in RESCORE_DAYS),
    )


def _status(done: bool, stopped: bool, longest_gap: int, span: int) -> str:
    if stopped and not done:
        return "stopped_early"
    if longest_gap > LONGEST_GAP_DAYS:
        return "interrupted"
    if not done:
        return "in_progress"
    if span <= WITHIN_DAYS:
        return "completed_on_schedule"
    return "completed_extended" if span <= EXTENDED_DAYS else "completed_late"
