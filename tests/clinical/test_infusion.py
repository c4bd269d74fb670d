"""Six infusions in two weeks, and what becomes of them."""

from datetime import date, timedelta

import pytest

from practice.clinical.infusion import Series, plan, series

START = date(2026, 3, 2)


def days(*offsets: int) -> list[date]:
    return [START + timedelta(days=offset) for offset in offsets]


@pytest.mark.parametrize(
    ("offsets", "status"),
    [
        ((), "not_started"),
        ((0,), "in_progress"),
        ((0, 7), "in_progress"),
        ((0, 8), "interrupted"),
        ((0, 2, 4, 7, 9), "in_progress"),
        ((0, 2, 4, 7, 9, 11), "completed_on_schedule"),
        ((0, 3, 6, 9, 12, 14), "completed_on_schedule"),
        ((0, 3, 6, 9, 12, 15), "completed_extended"),
        ((0, 4, 8, 12, 16, 21), "completed_extended"),
        ((0, 4, 8, 12, 16, 22), "completed_late"),
        ((0, 2, 4, 7, 9, 17), "interrupted"),
        ((0, 2, 4, 7, 9, 11, 40), "completed_on_schedule"),
    ],
)
def test_series_status_on_both_sides_of_each_limit(offsets: tuple[int, ...], status: str) -> None:
    assert series(days(*offsets)).status == status
    assert series(list(reversed(days(*offsets)))).status == status


def test_a_silence_until_today_interrupts_an_unfinished_series() -> None:
    assert series(days(0, 2), today=START + timedelta(days=9)).status == "in_progress"
    assert series(days(0, 2), today=START + timedelta(days=10)).status == "interrupted"
    finished = days(0, 2, 4, 7, 9, 11)
    assert series(finished, today=START + timedelta(days=90)).status == "completed_on_schedule"


def test_a_stopped_series_says_so_unless_it_was_finished() -> None:
    assert series(days(0, 8), stopped=True).status == "stopped_early"
    assert series([], stopped=True).status == "stopped_early"
    assert series(days(0, 2, 4, 7, 9, 11), stopped=True).status == "completed_on_schedule"


def test_a_series_tells_what_comes_next() -> None:
    assert series(days(0, 3, 4)) == Series(
        status="in_progress",
        given=3,
        span_days=4,
        longest_gap_days=3,
        off_plan_days=(0, 1, 0),
        next_due_on=date(2026, 3, 9),
        review_due=True,
        rescore_on=(date(2026, 3, 9), date(2026, 3, 16), date(2026, 4, 1)),
    )
    assert not series(days(0, 2)).review_due


def test_a_plan_has_six_days_in_two_weeks() -> None:
    assert plan(START) == tuple(days(0, 2, 4, 7, 9, 11))
