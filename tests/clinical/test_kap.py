"""Booking, weekly and six-month plans, the blood-pressure gate and the absorbed dose."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from practice.clinical.kap import (
    Absorbed,
    Booking,
    Booster,
    Gate,
    Weekly,
    absorbed,
    add_months,
    booster,
    bp_gate,
    can_book,
    weekly,
)

START = date(2026, 3, 2)


def day(offset: int) -> date:
    return START + timedelta(days=offset)


def at(day_of_march: int, hour: int, minute: int = 0) -> datetime:
    return datetime(2026, 3, day_of_march, hour, minute, tzinfo=UTC)


@pytest.mark.parametrize(
    ("offsets", "new", "reasons"),
    [
        ((), 0, ()),
        ((0,), 0, ("under_48_hours",)),
        ((0,), 1, ("under_48_hours",)),
        ((0,), 2, ()),
        ((0, 3), 5, ("over_2_in_7_days",)),
        ((0, 3), 6, ("over_2_in_7_days",)),
        ((0, 3), 7, ()),
        ((0, 3), 4, ("under_48_hours", "over_2_in_7_days")),
        ((0, 6), 3, ("over_2_in_7_days",)),
        ((0, 7), 3, ()),
        ((4,), 2, ()),
        ((3,), 2, ("under_48_hours",)),
        ((4, 6), 2, ("over_2_in_7_days",)),
        ((0, 3, 14, 17), 9, ()),
        ((0, 3, 12, 15), 9, ("over_2_in_7_days",)),
    ],
)
def test_a_booking_keeps_48_hours_and_two_in_any_seven_days(
    offsets: tuple[int, ...], new: int, reasons: tuple[str, ...]
) -> None:
    assert can_book([day(offset) for offset in offsets], day(new)) == Booking(not reasons, reasons, ())


def test_a_booking_counts_hours_when_they_are_known() -> None:
    first = at(2, 15)
    assert can_book([first], at(4, 14, 59)).reasons == ("under_48_hours",)
    assert can_book([first], at(4, 15)).allowed
    week = [first, at(5, 15)]
    assert can_book(week, at(9, 14)).reasons == ("over_2_in_7_days",)
    assert can_book(week, at(9, 15)).allowed
    assert can_book([date(2026, 3, 2)], at(3, 23)).reasons == ("under_48_hours",)


def test_no_dose_follows_a_dose_without_integration() -> None:
    missing = ("no_integration_since_last_dose",)
    assert can_book([day(0)], day(9), has_integration=False) == Booking(False, missing, ())
    assert can_book([], day(9), has_integration=False).allowed
    assert can_book([day(20)], day(9), has_integration=False).allowed


def test_a_prescribers_reason_lifts_the_frequency_but_never_the_integration() -> None:
    lifted = can_book([day(0)], day(1), override_reason="intensive weekend, agreed on 1 March")
    assert lifted == Booking(True, (), ("under_48_hours",))
    kept = can_book([day(0)], day(1), has_integration=False, override_reason="agreed")
    assert kept == Booking(False, ("no_integration_since_last_dose",), ("under_48_hours",))
    assert not can_book([day(0)], day(1), override_reason="  ").allowed


@given(st.lists(st.integers(0, 40), max_size=6), st.integers(0, 40))
def test_an_allowed_booking_never_makes_three_in_seven_days(offsets: list[int], new: int) -> None:
    if can_book([day(offset) for offset in offsets], day(new)).allowed:
        booked = [*offsets, new]
        windows = [[other for other in booked if start <= other < start + 7] for start in range(-7, 48)]
        assert max(len(window) for window in windows if new in window) <= 2
        assert all(abs(new - other) >= 2 for other in offsets)


@pytest.mark.parametrize(
    ("days", "status"),
    [
        (0, "not_due"),
        (4, "not_due"),
        (5, "on_time"),
        (7, "on_time"),
        (9, "on_time"),
        (10, "late"),
        (14, "late"),
        (15, "overdue"),
        (400, "overdue"),
    ],
)
def test_weekly_status_on_both_sides_of_each_limit(days: int, status: str) -> None:
    assert weekly(START, day(days)) == Weekly(status, date(2026, 3, 9), days)


def test_a_last_dose_in_the_future_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^The last dose lies after today\.$"):
        weekly(day(1), START)
    with pytest.raises(ValueError, match=r"^The last dose lies after today\.$"):
        booster(day(1), START)


@pytest.mark.parametrize(
    ("today", "status"),
    [
        (date(2026, 6, 9), "not_due"),
        (date(2026, 6, 10), "due"),
        (date(2026, 7, 10), "due"),
        (date(2026, 8, 9), "due"),
        (date(2026, 8, 10), "overdue"),
    ],
)
def test_booster_window_is_thirty_days_each_way(today: date, status: str) -> None:
    assert booster(date(2026, 1, 10), today) == Booster(
        status=status,
        due_on=date(2026, 7, 10),
        window=(date(2026, 6, 10), date(2026, 8, 9)),
        remind_on=(date(2026, 5, 26), date(2026, 6, 26)),
        early_triggers=(),
    )


@pytest.mark.parametrize(
    ("facts", "triggers"),
    [
        ({}, ()),
        ({"end_phq9": 9, "now_phq9": 10}, ("phq9_back_to_10",)),
        ({"end_phq9": 10, "now_phq9": 14}, ()),
        ({"end_phq9": 6, "now_phq9": 9}, ()),
        ({"end_phq9": 6, "now_phq9": None}, ()),
        ({"best_phq9": 4, "now_phq9": 9}, ("phq9_up_5",)),
        ({"best_phq9": 4, "now_phq9": 8}, ()),
        ({"now_phq9": 20}, ()),
        ({"item9": 0}, ()),
        ({"item9": 1}, ("phq9_item9_positive",)),
        ({"best_pcl5": 20, "now_pcl5": 30}, ("pcl5_up_10",)),
        ({"best_pcl5": 20, "now_pcl5": 29}, ()),
        ({"client_asks": True, "clinician_judgement": True}, ("client_asks", "clinician_judgement")),
    ],
)
def test_early_triggers_on_both_sides(facts: dict[str, Any], triggers: tuple[str, ...]) -> None:
    assert booster(date(2026, 1, 10), date(2026, 3, 20), **facts).early_triggers == triggers


@pytest.mark.parametrize(
    ("start", "due"),
    [
        (date(2025, 8, 28), date(2026, 2, 28)),
        (date(2025, 8, 29), date(2026, 2, 28)),
        (date(2025, 8, 31), date(2026, 2, 28)),
        (date(2027, 8, 31), date(2028, 2, 29)),
        (date(2026, 3, 31), date(2026, 9, 30)),
        (date(2026, 6, 30), date(2026, 12, 30)),
        (date(2026, 7, 1), date(2027, 1, 1)),
    ],
)
def test_six_months_keep_the_day_or_end_the_month(start: date, due: date) -> None:
    assert add_months(start, 6) == due


@pytest.mark.parametrize(
    ("sbp", "dbp", "age", "gate"),
    [
        (140, 90, 40, "ok"),
        (141, 90, 40, "prescriber_ok_needed"),
        (140, 91, 40, "prescriber_ok_needed"),
        (159, 99, 40, "prescriber_ok_needed"),
        (160, 80, 40, "no_dose"),
        (120, 100, 40, "no_dose"),
        (179, 119, 40, "no_dose"),
        (180, 80, 40, "urgent"),
        (120, 120, 40, "urgent"),
        (141, 80, 65, "prescriber_ok_needed"),
        (150, 80, 66, "ok"),
        (151, 80, 66, "prescriber_ok_needed"),
        (141, 80, None, "prescriber_ok_needed"),
        (None, None, 40, "unknown"),
        (120, None, 40, "unknown"),
        (None, 80, 40, "unknown"),
        (145, None, 40, "prescriber_ok_needed"),
        (165, None, 40, "no_dose"),
        (None, 125, 40, "urgent"),
    ],
)
def test_the_gate_on_both_sides_of_each_line(sbp: int | None, dbp: int | None, age: int | None, gate: str) -> None:
    assert bp_gate(sbp, dbp, age=age).gate == gate


def test_symptoms_turn_a_crisis_reading_into_an_emergency() -> None:
    assert bp_gate(192, 120, age=44, symptoms=True) == Gate("emergency", ("BP-01", "BP-02", "BP-03"))
    assert bp_gate(179, 119, age=44, symptoms=True).gate == "no_dose"


def test_a_practice_may_set_its_own_line() -> None:
    stricter = {"BP-02": {"sbp >=": 150, "dbp >=": 95}}
    assert bp_gate(150, 80, age=40, overrides=stricter).gate == "no_dose"
    assert bp_gate(149, 80, age=40, overrides=stricter).gate == "prescriber_ok_needed"


@pytest.mark.parametrize("reading", [0, -1, 401, float("nan"), float("inf"), True, "120", 2**70, 10**400])
def test_a_reading_that_cannot_be_is_refused(reading: Any) -> None:
    with pytest.raises(ValueError, match=r"must be a number from 1 to 400\.$"):
        bp_gate(reading, 80)


def test_absorbed_dose_shows_both_ranges() -> None:
    assert absorbed(100) == Absorbed((35.0, 45.0), (27.0, 31.0))
    assert absorbed(150) == Absorbed((52.5, 67.5), (40.5, 46.5))


@pytest.mark.parametrize("mg", [0, -5, float("nan"), True, "100", 10_001])
def test_absorbed_dose_of_nothing_is_refused(mg: Any) -> None:
    with pytest.raises(ValueError, match=r"^A dose in milligrams must be a number above 0"):
        absorbed(mg)
