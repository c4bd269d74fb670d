"""Who is on call and when somebody reads, in the practice's wall-clock time."""

from datetime import UTC, datetime, time

import pytest

from practice import coverage
from practice.models import CoverageShift, Practice, User


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("moment", "covered"),
    [
        ("2026-11-21 22:59", False),  # Saturday 17:59 in New York
        ("2026-11-21 23:00", True),
        ("2026-11-22 12:59", True),  # Sunday 07:59, the shift of Saturday night
        ("2026-11-22 13:00", False),
    ],
)
def test_shift_over_midnight_covers_both_sides(house: Practice, omar: User, moment: str, covered: bool) -> None:
    shift = CoverageShift(user=omar, weekday=5, starts=time(18), ends=time(8))
    assert coverage.on_call(at(moment), house, [shift]) == ([omar] if covered else [])


@pytest.mark.parametrize(
    ("moment", "read"),
    [
        ("2026-11-19 15:00", "2026-11-19 17:00"),  # Thursday 10:00 -> Thursday noon
        ("2026-11-19 18:00", "2026-11-20 17:00"),  # Thursday 13:00 -> Friday noon
        ("2026-11-22 02:42", "2026-11-23 17:00"),  # Saturday 21:42 -> Monday noon
    ],
)
def test_answers_are_read_by_the_next_workday_clock(house: Practice, moment: str, read: str) -> None:
    assert coverage.read_by(at(moment), house) == at(read)


def test_opening_keeps_the_wall_clock_over_the_change_of_time(house: Practice) -> None:
    before = coverage.next_opening(at("2026-10-29 20:00"), house)  # Friday, still summer time: 08:00 is 12:00 UTC
    after = coverage.next_opening(at("2026-10-31 20:00"), house)  # Monday, winter time: 08:00 is 13:00 UTC
    assert (before, after) == (at("2026-10-30 12:00"), at("2026-11-02 13:00"))


def test_gaps_name_the_hours_without_anybody(omar: User) -> None:
    roster = [CoverageShift(user=omar, weekday=d, starts=time(0), ends=time(12)) for d in range(7)]
    roster += [CoverageShift(user=omar, weekday=d, starts=time(12), ends=time(0)) for d in range(6)]
    assert coverage.gaps(roster) == [(6 * 24 + 12, 7 * 24)]
    assert coverage.gaps([]) == [(0, 168)]
