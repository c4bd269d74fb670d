"""The trend beside the treatment, and the panels of courses and plans (C7, C10, UX 28)."""

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.urls import reverse

from practice.charts import Treatment
from practice.clinical.instrument import load
from practice.kap.models import Plan, Session
from practice.kap.views import plans, trend
from practice.models import Client, User
from referrals.models import Course, CourseSession
from referrals.views import courses
from tests.factories import NOW
from tests.sittings import assessed, phq9, phq9_of, sitting

As = Callable[[User], Any]


@pytest.fixture(autouse=True)
def _clock() -> Any:
    with time_machine.travel(NOW + timedelta(hours=1), tick=False):
        yield


def scores(client: Client, *totals: tuple[int, int | None], item9: int = 0) -> list[Any]:
    """PHQ-9 totals by days before now; None is one that could not be scored."""
    found = []
    for days, total in totals:
        answers = phq9(3, 3, 3, 3, None, None, None, None, 0) if total is None else phq9_of(total, item9)
        found.append(assessed(sitting(client, NOW - timedelta(days=days)), "phq-9", answers))
    return found


def panel_of(as_user: As, user: User, client: Client, query: str = "") -> tuple[str, dict[str, Any]]:
    answer = as_user(user).get(reverse("chart", args=[client.pk]) + query)
    [found] = [p for p in answer.context["panels"] if p.template == "kap/trend_panel.html"]
    return answer.content.decode(), dict(found.context)


def test_milestones_are_dated(sam: Client) -> None:
    rows = scores(sam, (90, 20), (70, 14), (50, 10), (40, 4), (20, 9), (3, 16))
    assert [(each.number, each.on, each.total, each.words) for each in trend.milestones(rows)] == [
        (0, date(2026, 8, 21), 20, "Baseline 20 on Aug 21, 2026."),
        (1, date(2026, 9, 10), 14, "Reliable improvement: 14 on Sep 10, 2026, 6 below the baseline."),
        (2, date(2026, 9, 30), 10, "Response (half or less of the baseline): 10 on Sep 30, 2026."),
        (3, date(2026, 10, 10), 4, "Remission (under 5): 4 on Oct 10, 2026."),
        (4, date(2026, 11, 16), 16, "Reliable worsening: 16 on Nov 16, 2026, 12 above the lowest before."),
    ]


@pytest.mark.parametrize(
    ("totals", "words"),
    [
        ([(9, 20), (3, 15)], []),
        ([(9, 20), (3, 14)], ["Reliable improvement"]),
        ([(9, 20), (3, 11)], ["Reliable improvement"]),
        ([(9, 20), (3, 10)], ["Reliable improvement", "Response"]),
        ([(9, 8), (3, 5)], []),
        ([(9, 8), (3, 4)], ["Response", "Remission"]),
        ([(9, 4), (3, 3)], []),  # somebody who began in remission has not reached it
        ([(9, 10), (3, 15)], []),
        ([(9, 10), (3, 16)], ["Reliable worsening"]),
        ([(9, 10), (3, None)], []),
    ],
)
def test_milestones_at_both_sides_of_every_line(
    sam: Client, totals: list[tuple[int, int | None]], words: list[str]
) -> None:
    said = trend.milestones(scores(sam, *totals))
    assert [each.words.split(" (")[0].split(":")[0] for each in said[1:]] == words


def test_each_score_says_what_it_shows(sam: Client) -> None:
    rows = scores(sam, (90, 20), (70, 14), (60, None), (50, 10), (40, 4), (20, 9), (3, 16))
    found = trend.marks(rows)
    assert [found.get(row.pk, "no total") for row in rows] == [
        "Baseline", "Reliable improvement", "no total", "Response", "Response, Remission", "Response",
        "Reliable worsening",
    ]  # fmt: skip
    assert trend.marks([]) == {}


def test_chart_rings_each_turn_with_the_number_that_tells_it(as_user: As, maya: User, sam: Client) -> None:
    """H15: response, remission and reliable change stand on the axis of the doses, and in words for who cannot see."""
    scores(sam, (90, 20), (70, 14), (50, 4), (3, 16))
    weekly = Plan.objects.create(client=sam, shape="weekly", planned=2, started_on=date(2026, 9, 1))
    dose(weekly, 1, (9, 2, 18), "done")
    page, context = panel_of(as_user, maya, sam)
    wide, narrow = str(context["wide"]), str(context["narrow"])
    for chart in (wide, narrow):
        assert chart.count('class="mk"') == 3  # response and remission are one score: one ring
        assert re.findall(r'class="mkt halo"[^>]*>([^<]*)<', chart) == ["1", "2, 3", "4"]
        assert "Remission (under 5): 4 on Sep 30, 2026." in chart[: chart.index("</desc>")]
        assert 'class="kap"' in chart
    assert context["legend"]["marks"] is True and "Something turned: the number says what, below" in page
    assert '<li><b class="num">4</b> Reliable worsening: 16 on Nov 16, 2026, 12 above the lowest before.</li>' in page
    assert "remission under 5, reliable change from 6 points (NHS Talking Therapies/IAPT manual)." in page


def test_turn_outside_the_time_shown_is_told_and_not_drawn(as_user: As, maya: User, sam: Client) -> None:
    scores(sam, (400, 20), (380, 10), (5, 12))
    _page, context = panel_of(as_user, maya, sam, "?range=3m")
    assert 'class="mk"' not in str(context["wide"]) and context["legend"]["marks"] is False
    assert [each.number for each in context["milestones"]] == [0, 1, 2]


def test_client_without_a_total_has_no_milestones(sam: Client) -> None:
    assert trend.milestones(scores(sam, (9, None))) == []
    assert trend.milestones([]) == []


def test_numbers_table_has_a_row_for_each_point(as_user: As, maya: User, sam: Client) -> None:
    scores(sam, (400, 22), (60, 20), (30, None), (2, 9))
    page, context = panel_of(as_user, maya, sam)
    assert context["numbers"] == [
        ["Sep 20, 2026", "20 of 27", "Severe", "no", ""],
        ["Oct 20, 2026", "No total, at least 12", "", "no", ""],
        ["Nov 17, 2026", "9 of 27", "Mild", "no", "Response"],
    ]
    assert "Show the numbers as a table" in page
    assert page.count('role="img" aria-labelledby="phq9-w-t phq9-w-d"') == 1


@pytest.mark.parametrize(
    ("query", "rows", "current"),
    [
        ("", 3, "12 months"),
        ("?range=3m", 2, "3 months"),
        ("?range=12m", 3, "12 months"),
        ("?range=all", 4, "All"),
        ("?range=<b>", 3, "12 months"),
    ],
)
def test_range_lives_in_the_address(as_user: As, maya: User, sam: Client, query: str, rows: int, current: str) -> None:
    scores(sam, (400, 22), (120, 20), (60, 15), (2, 9))
    page, context = panel_of(as_user, maya, sam, query)
    assert len(context["numbers"]) == rows
    assert [str(tab["label"]) for tab in context["tabs"] if tab["current"]] == [current]
    assert "range=<b>" not in page


def test_safety_answers_stand_in_chart_table_and_legend(as_user: As, maya: User, sam: Client) -> None:
    scores(sam, (10, 12), item9=1)
    page, context = panel_of(as_user, maya, sam)
    assert context["numbers"] == [["Nov 9, 2026", "12 of 27", "Moderate", "positive", "Baseline"]]
    assert context["legend"]["safety"] is True
    assert 'class="pt9"' in page and "Safety question positive on Nov 9, 2026." in page


def test_treatment_is_read_from_courses_and_plans(sam: Client) -> None:
    course = Course.objects.create(client=sam, clinic="Northlake", started_on=date(2026, 3, 3))
    for number, (day, state) in enumerate([(3, "done"), (5, "done"), (7, "missed"), (10, "planned")], 1):
        CourseSession.objects.create(course=course, number=number, on=date(2026, 3, day), state=state)
    weekly = Plan.objects.create(client=sam, shape="weekly", planned=8, started_on=date(2026, 4, 1))
    dose(weekly, 1, (4, 8, 18), "done")
    dose(weekly, 2, (4, 15, 18), "planned")
    Session.objects.create(plan=weekly, kind="integration", number=1, starts_at=at(4, 9, 15), state="done")
    weekend = Plan.objects.create(client=sam, shape="intensive", planned=2, started_on=date(2026, 7, 18))
    dose(weekend, 1, (7, 18, 14), "done")
    dose(weekend, 2, (7, 19, 14), "done")
    Plan.objects.create(client=sam, shape="booster", started_on=date(2026, 7, 19), due_on=date(2027, 1, 19))
    assert trend.treatment_of(sam) == Treatment(
        courses=[[date(2026, 3, 3), date(2026, 3, 5)]],
        sessions=[date(2026, 4, 8)],
        intensives=[(date(2026, 7, 18), date(2026, 7, 19))],
        boosters_done=[],
        boosters_due=[date(2027, 1, 19)],
    )


def at(month: int, day: int, hour: int) -> datetime:
    return datetime(2026, month, day, hour, tzinfo=UTC)


def dose(plan: Plan, number: int, when: tuple[int, int, int], state: str) -> Session:
    return Session.objects.create(plan=plan, kind="dosing", number=number, starts_at=at(*when), state=state)


def test_booster_that_was_given_is_no_longer_due(sam: Client) -> None:
    plan = Plan.objects.create(
        client=sam, shape="booster", started_on=date(2026, 1, 1), due_on=date(2026, 7, 1), state="done"
    )
    dose(plan, 1, (7, 3, 15), "done")
    found = trend.treatment_of(sam)
    assert (found.boosters_done, found.boosters_due) == ([date(2026, 7, 3)], [])


def test_markers_in_legend_are_those_that_are_drawn(as_user: As, maya: User, sam: Client) -> None:
    scores(sam, (400, 20), (10, 12))
    course = Course.objects.create(client=sam, clinic="Northlake", started_on=date(2025, 10, 1), state="done")
    CourseSession.objects.create(course=course, number=1, on=date(2025, 10, 2), state="done")
    assert panel_of(as_user, maya, sam)[1]["legend"]["infusions"] is False
    assert panel_of(as_user, maya, sam, "?range=all")[1]["legend"]["infusions"] is True


def test_small_measures_stand_beside_the_trend(as_user: As, maya: User, sam: Client) -> None:
    scores(sam, (10, 12))
    row = sitting(sam)
    assessed(row, "gad-7", {f"gad7-{n}": 1 for n in range(1, 8)})
    assessed(row, "pcl-5", {item.link_id: 1 for item in load("pcl-5").items})
    page, context = panel_of(as_user, maya, sam)
    assert [each["name"] for each in context["small"]] == ["GAD-7", "PCL-5"]
    assert 'aria-labelledby="gad-7-z-t gad-7-z-d"' in page and 'aria-labelledby="pcl-5-z-t pcl-5-z-d"' in page


def test_course_has_a_place_for_every_infusion_with_its_state(as_user: As, maya: User, sam: Client) -> None:
    course = Course.objects.create(client=sam, clinic="Northlake <b>", started_on=date(2026, 11, 3))
    CourseSession.objects.create(course=course, number=1, on=date(2026, 11, 3), state="done")
    CourseSession.objects.create(course=course, number=2, on=date(2026, 11, 5), state="missed")
    row = courses.course_rows(course)
    assert [(p["number"], p["session"] and p["session"].state) for p in row["places"]] == [
        (1, "done"), (2, "missed"), (3, None), (4, None), (5, None), (6, None),
    ]  # fmt: skip
    page = as_user(maya).get(reverse("chart", args=[sam.pk])).content.decode()
    assert "1 of 6 done" in page and "Northlake &lt;b&gt;" in page
    assert page.count('<li class="d">') == 1


def test_plan_shows_n_of_m(as_user: As, maya: User, sam: Client) -> None:
    plan = Plan.objects.create(client=sam, shape="weekly", planned=3, started_on=date(2026, 11, 1))
    dose(plan, 1, (11, 4, 18), "done")
    dose(plan, 2, (11, 11, 18), "planned")
    found = plans.phase(plan)
    assert (found["done"], [p["number"] for p in found["places"]]) == (1, [1, 2, 3])
    page = as_user(maya).get(reverse("chart", args=[sam.pk])).content.decode()
    assert "1 of 3 done" in page
    assert page.count('<li class="d">') == 1
