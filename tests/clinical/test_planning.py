"""The calendar of a plan: templates, wall clocks, anchors, and what stands against a date."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from practice.clinical import kap, planning
from practice.clinical.planning import (
    DOSING,
    INTEGRATION,
    PREPARATION,
    Busy,
    Cleared,
    Slot,
    conflicts,
    slots,
    templates,
)

NEW_YORK = ZoneInfo("America/New_York")
NINE = time(9)
SATURDAY = date(2026, 7, 18)
PLENTY = Cleared(99, date(2099, 1, 1))


def told(planned: list[Slot], zone: ZoneInfo = NEW_YORK) -> list[tuple[str, int, str]]:
    return [(s.kind, s.number, s.starts.astimezone(zone).strftime("%a %Y-%m-%d %H:%M")) for s in planned]


def codes(planned: list[Slot], **known: object) -> list[tuple[str, str, int]]:
    found = conflicts(planned, NEW_YORK, **({"cleared": PLENTY} | known))  # type: ignore[arg-type]
    return [(c.code, c.slot.kind, c.slot.number) for c in found]


def test_weekly_series_prepares_doses_and_integrates_in_order() -> None:
    planned = slots(templates()["weekly"], date(2026, 4, 8), NINE, NEW_YORK, count=3)
    assert told(planned) == [
        (PREPARATION, 1, "Mon 2026-04-06 09:00"),
        (DOSING, 1, "Wed 2026-04-08 09:00"),
        (INTEGRATION, 1, "Thu 2026-04-09 09:00"),
        (DOSING, 2, "Wed 2026-04-15 09:00"),
        (INTEGRATION, 2, "Thu 2026-04-16 09:00"),
        (DOSING, 3, "Wed 2026-04-22 09:00"),
        (INTEGRATION, 3, "Thu 2026-04-23 09:00"),
    ]
    assert codes(planned) == []


@pytest.mark.parametrize("count", [0, 27, -1])
def test_series_has_a_sensible_length(count: int) -> None:
    with pytest.raises(ValueError, match="1 to 26"):
        slots(templates()["weekly"], SATURDAY, NINE, NEW_YORK, count=count)


def test_three_day_intensive_leaves_48_hours_and_integrates_between() -> None:
    planned = slots(templates()["intensive-three"], SATURDAY, NINE, NEW_YORK)
    assert told(planned) == [
        (PREPARATION, 1, "Fri 2026-07-17 09:00"),
        (DOSING, 1, "Sat 2026-07-18 09:00"),
        (INTEGRATION, 1, "Sun 2026-07-19 09:00"),
        (DOSING, 2, "Mon 2026-07-20 09:00"),
        (INTEGRATION, 2, "Tue 2026-07-21 09:00"),
        (INTEGRATION, 3, "Thu 2026-07-23 09:00"),
        (INTEGRATION, 4, "Thu 2026-07-30 09:00"),
    ]
    assert codes(planned) == []


def test_weekend_with_two_doses_in_a_row_asks_for_the_prescriber() -> None:
    planned = slots(templates()["intensive-weekend"], SATURDAY, NINE, NEW_YORK)
    assert codes(planned) == [(kap.UNDER_48_HOURS, DOSING, 2)]
    assert codes(planned, override_reason="Evaluated together, one night here") == []
    assert [c.cleared_by for c in conflicts(planned, NEW_YORK, cleared=PLENTY)] == ["override"]


def test_integration_after_an_evening_dose_comes_after_it() -> None:
    planned = slots(templates()["intensive-weekend"], SATURDAY, time(19), NEW_YORK)
    assert (INTEGRATION, 1, "Sun 2026-07-19 01:00") in told(planned)


def test_third_dose_in_seven_days_is_named() -> None:
    planned = slots(templates()["intensive-three"], SATURDAY, NINE, NEW_YORK)
    before = datetime(2026, 7, 14, 13, tzinfo=UTC)
    assert codes(planned, given=[before], new_client=False) == [(kap.OVER_2_IN_7_DAYS, DOSING, 2)]


@pytest.mark.parametrize("template", templates().values(), ids=lambda t: t.key)
def test_every_template_integrates_between_doses_and_prepares_first(template: planning.PlanTemplate) -> None:
    planned = slots(template, SATURDAY, NINE, NEW_YORK)
    assert {code for code, _, _ in codes(planned)} <= {kap.UNDER_48_HOURS}
    assert planned[0].kind == PREPARATION
    last_dose = max(s.starts for s in planned if s.kind == DOSING)
    after = [s.starts - last_dose for s in planned if s.kind == INTEGRATION and s.starts > last_dose]
    assert after[0] <= timedelta(hours=72)


def test_dose_without_integration_or_preparation_is_named() -> None:
    planned = [s for s in slots(templates()["weekly"], SATURDAY, NINE, NEW_YORK, count=2) if s.kind == DOSING]
    assert codes(planned) == [
        (planning.NO_PREPARATION, DOSING, 1),
        (kap.NO_INTEGRATION, DOSING, 2),
        (planning.NO_PREPARATION, DOSING, 2),
    ]
    assert codes(planned, override_reason="Because") == codes(planned)


def test_clearance_is_counted_and_ends_on_its_day() -> None:
    planned = slots(templates()["weekly"], SATURDAY, NINE, NEW_YORK, count=3)
    last = SATURDAY + timedelta(days=14)
    assert codes(planned, cleared=None) == [(planning.NOT_CLEARED, DOSING, n) for n in (1, 2, 3)]
    assert codes(planned, cleared=Cleared(2, last)) == [(planning.BEYOND_COUNT, DOSING, 3)]
    assert codes(planned, cleared=Cleared(3, last)) == []
    assert codes(planned, cleared=Cleared(3, last - timedelta(days=1))) == [(planning.BEYOND_DATE, DOSING, 3)]


def test_booster_outside_its_window_is_named() -> None:
    kept = kap.booster(date(2026, 7, 19), date(2026, 7, 20))
    assert kept.window == (date(2026, 12, 20), date(2027, 2, 18))
    template = templates()["booster"]
    for day, wanted in (
        (kept.window[0], []),
        (kept.window[1], []),
        (kept.window[0] - timedelta(days=1), [(planning.OUTSIDE_WINDOW, DOSING, 1)]),
        (kept.window[1] + timedelta(days=1), [(planning.OUTSIDE_WINDOW, DOSING, 1)]),
    ):
        planned = slots(template, day, NINE, NEW_YORK)
        assert codes(planned, window=kept.window, new_client=False) == wanted


def test_taken_room_and_a_double_booking_are_named() -> None:
    planned = slots(templates()["intensive-one"], SATURDAY, NINE, NEW_YORK)
    dose = next(s for s in planned if s.kind == DOSING)
    touching = [Busy(dose.ends, dose.ends + timedelta(hours=1), "room")]
    crossing = [Busy(dose.ends - timedelta(minutes=1), dose.ends + timedelta(hours=1), "room")]
    assert codes(planned, busy=touching) == []
    assert codes(planned, busy=crossing) == [(planning.BUSY, DOSING, 1)]
    twice = [*planned, Slot(dose.starts + timedelta(minutes=30), INTEGRATION, 9, 60)]
    assert (planning.OVERLAP, INTEGRATION, 9) in codes(twice)


def test_wall_clock_stays_over_both_changes_of_the_clock() -> None:
    for first in (date(2026, 3, 4), date(2026, 10, 28)):
        planned = slots(templates()["weekly"], first, NINE, NEW_YORK, count=2)
        doses = [s.starts for s in planned if s.kind == DOSING]
        assert {d.astimezone(NEW_YORK).time() for d in doses} == {NINE}
        assert doses[1] - doses[0] in (timedelta(days=7, hours=-1), timedelta(days=7, hours=1))


def test_clock_time_that_is_skipped_or_shown_twice_is_one_moment() -> None:
    skipped = planning.moment(date(2026, 3, 8), time(2, 30), NEW_YORK)
    assert (skipped, skipped.astimezone(NEW_YORK).time()) == (datetime(2026, 3, 8, 7, 30, tzinfo=UTC), time(3, 30))
    assert planning.moment(date(2026, 11, 1), time(1, 30), NEW_YORK) == datetime(2026, 11, 1, 5, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("anchor", "due"),
    [
        (date(2026, 8, 31), [date(2027, 2, 28), date(2027, 8, 31), date(2028, 2, 29), date(2028, 8, 31)]),
        (date(2026, 8, 29), [date(2027, 2, 28), date(2027, 8, 29), date(2028, 2, 29), date(2028, 8, 29)]),
        (date(2028, 2, 29), [date(2028, 8, 29), date(2029, 2, 28), date(2029, 8, 29), date(2030, 2, 28)]),
    ],
)
def test_boosters_keep_the_day_of_their_anchor(anchor: date, due: list[date]) -> None:
    assert planning.boosters(anchor, 4) == due
