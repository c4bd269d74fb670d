"""How things are shown: dates, times, numbers, names, icons."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
import time_machine
from django.template import TemplateSyntaxError
from django.utils import timezone, translation

from practice.templatetags.ui import clock, day, full_day, icon, initials, moment, segments, signed, tel

NIGHT = datetime(2026, 11, 20, 5, 42, tzinfo=UTC)  # Thu Nov 19, 9:42 pm in Los Angeles


@time_machine.travel(datetime(2026, 11, 20, 18, 0, tzinfo=UTC), tick=False)
def test_moments_are_shown_in_the_zone_of_the_page() -> None:
    with timezone.override(ZoneInfo("America/Los_Angeles")):
        assert (moment(NIGHT), day(NIGHT), clock(NIGHT)) == ("Thu Nov 19, 9:42 pm", "Thu Nov 19", "9:42 pm")
    with timezone.override(ZoneInfo("Europe/Berlin")):
        assert (moment(NIGHT), full_day(NIGHT)) == ("Fri Nov 20, 6:42 am", "Nov 20, 2026")


@time_machine.travel(datetime(2027, 1, 3, 12, 0, tzinfo=UTC), tick=False)
def test_day_of_another_year_carries_its_year() -> None:
    assert (day(date(2026, 11, 20)), day(date(2027, 2, 1))) == ("Fri Nov 20, 2026", "Mon Feb 1")


@pytest.mark.parametrize(("hour", "said"), [(0, "12:05 am"), (11, "11:05 am"), (12, "12:05 pm"), (23, "11:05 pm")])
def test_clock_has_two_halves(hour: int, said: str) -> None:
    assert clock(datetime(2026, 1, 1, hour, 5)) == said  # noqa: DTZ001 (a naive time is shown as it is)


def test_nothing_is_shown_for_nothing() -> None:
    assert [show(None) for show in (day, full_day, clock, moment, signed)] == ["", "", "", "", ""]


def test_days_have_names_in_the_language_of_the_page() -> None:
    with translation.override("es"):
        assert day(date(2000, 1, 1)).startswith("sáb")


def test_change_never_loses_its_sign() -> None:
    assert [signed(n) for n in (5, 0, -3)] == ["+5", "0", "−3"]


@pytest.mark.parametrize(
    ("name", "letters"), [("Dana Whitfield", "DW"), ("Rosa", "R"), ("Ana María de la Cruz", "AC"), ("", ""), ("  ", "")]
)
def test_initials_are_first_and_last(name: str, letters: str) -> None:
    assert initials(name) == letters


def test_phone_number_becomes_a_link() -> None:
    assert [tel(n) for n in ("(555) 010-1234", "+1 555 010 1234", "988")] == ["5550101234", "+15550101234", "988"]


def test_progress_has_one_part_for_each_section() -> None:
    assert segments(3, 5, 0.33) == ["done", "done", "now p3", "", ""]
    assert [segments(1, 1, share) for share in (-1, 0, 1, 9)] == [["now p0"], ["now p0"], ["now p9"], ["now p9"]]


def test_icon_is_hidden_from_screen_readers_and_must_exist() -> None:
    assert 'aria-hidden="true"' in icon("phone")
    assert icon("phone", "go flip").startswith('<svg class="i go flip"')
    with pytest.raises(TemplateSyntaxError):
        icon("nothing-like-it")
