"""Charts: what is drawn, what is said, and what happens with too little, too much or hostile data."""

import re
from datetime import date, timedelta
from xml.etree import ElementTree

import pytest
from django.utils import translation
from hypothesis import given
from hypothesis import strategies as st

from practice.charts import (
    NARROW,
    PANEL,
    Band,
    Point,
    Treatment,
    band_of,
    band_tone,
    clear_x,
    describe,
    sparkline,
    trend,
)
from practice.charts.plot import Plot, ticks

BANDS: list[Band] = [
    (0, 4, "Minimal"),
    (5, 9, "Mild"),
    (10, 14, "Moderate"),
    (15, 19, "Moderately severe"),
    (20, 27, "Severe"),
]
JAN, MAR, NOV = date(2026, 1, 12), date(2026, 3, 2), date(2026, 11, 19)
HOSTILE = '<script>alert("1")</script>&\'"'


def draw(points: list[Point], **more: object) -> str:
    return trend(points, name="PHQ-9", bands=BANDS, maximum=27, **more)  # type: ignore[arg-type]


def marks(svg: str, css: str) -> list[dict[str, str]]:
    """Attributes of every element of a class; parsing also proves that the markup is well formed."""
    return [node.attrib for node in ElementTree.fromstring(svg).iter() if node.get("class", "").split()[:1] == [css]]


def words(svg: str) -> list[str]:
    return [node.text or "" for node in ElementTree.fromstring(svg).iter("text")]


def numbers(svg: str) -> list[float]:
    flat = re.sub(r"<(title|desc)[^>]*>[^<]*</\1>|>[^<]*<", "><", svg)
    return [float(n) for n in re.findall(r'="(-?[\d.]+)"', flat)]


def test_trend_draws_a_ring_for_each_total_and_a_diamond_for_each_safety_answer() -> None:
    svg = draw([Point(JAN, 21, safety=True), Point(MAR, 9), Point(NOV, 19, safety=True)])
    assert (len(marks(svg, "pt")), len(marks(svg, "pt9")), len(marks(svg, "ln"))) == (1, 2, 1)
    assert words(svg)[-2:] == ["21", "19"]


def test_trend_names_its_bands_and_cuts_from_the_instrument() -> None:
    svg = trend([Point(JAN, 3)], name="GAD-7", bands=[(0, 9, "Low"), (10, 21, "High")], maximum=21)
    assert words(svg)[:5] == ["Low", "High", "0", "10", "21"]
    assert [m["class"] for m in marks(svg, "b0") + marks(svg, "b4")] == ["b0", "b4"]


def test_trend_without_bands_still_has_a_scale() -> None:
    svg = trend([Point(JAN, 3), Point(MAR, 60)], name="PCL-5", bands=[], maximum=80)
    assert words(svg)[:3] == ["0", "40", "80"]


def test_missing_total_breaks_the_line_and_is_bridged_by_dots() -> None:
    svg = draw([Point(JAN, 12), Point(JAN + timedelta(7), None), Point(MAR, 8), Point(NOV, 6)])
    assert (len(marks(svg, "ln")), len(marks(svg, "gap")), len(marks(svg, "pt"))) == (1, 1, 3)


def test_safety_answer_without_a_total_is_drawn_at_the_foot() -> None:
    svg = draw([Point(JAN, 12), Point(MAR, None, safety=True)])
    assert len(marks(svg, "pt9")) == 1
    assert "Safety question positive on Mar 2, 2026." in svg
    assert "no total, safety question positive" in svg


def test_goal_lines_come_from_the_caller_and_stay_away_without_one() -> None:
    points = [Point(JAN, 21), Point(NOV, 19)]
    svg = draw(points, baseline=21, response=10, remission_below=5)
    assert [w for w in words(svg) if w[0] == "R"] == ["Response: 10 or less (first was 21)", "Remission: under 5"]
    assert [w for w in words(draw(points, baseline=21)) if w[0] == "R"] == []
    assert [w for w in words(draw(points, baseline=21, response=10, size=NARROW)) if w[0] == "R"] == ["Response"]


def test_treatment_lanes_show_courses_sessions_intensives_and_boosters() -> None:
    treatment = Treatment(
        courses=[[MAR + timedelta(2 * n) for n in range(6)]],
        sessions=[date(2026, 4, 8) + timedelta(7 * n) for n in range(8)],
        intensives=[(date(2026, 7, 18), date(2026, 7, 19))],
        boosters_due=[date(2027, 1, 19)],
    )
    svg = draw([Point(JAN, 21), Point(NOV, 19)], treatment=treatment, today=date(2026, 11, 20))
    assert (len(marks(svg, "inf")), len(marks(svg, "due")), len(marks(svg, "today"))) == (6, 1, 1)
    assert words(svg)[-6:] == ["Infusions", "1 to 6", "KAP", "8 sessions", "Intensive", "Booster due"]


@pytest.mark.parametrize("size", [NARROW, PANEL])
def test_smaller_sizes_hold_everything_inside_their_box(size: object) -> None:
    svg = draw([Point(JAN, 27), Point(NOV, 0)], size=size)
    width, height = (float(n) for n in re.findall(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', svg)[0])
    for node in ElementTree.fromstring(svg).iter():
        assert 0 <= float(node.get("x") or node.get("cx") or 0) <= width
        assert 0 <= float(node.get("y") or node.get("cy") or 0) <= height


@pytest.mark.parametrize(
    "points",
    [
        [],
        [Point(JAN, 12)],
        [Point(JAN, None)],
        [Point(JAN, None, safety=True)],
        [Point(JAN, 12), Point(JAN, 4, safety=True)],
        [Point(NOV, 12), Point(JAN, 4)],
        [Point(date.max, 3)],
        [Point(date.min, 3)],
        [Point(JAN, 999), Point(MAR, -5)],
        [Point(JAN + timedelta(n), n % 28) for n in range(400)],
    ],
    ids=[
        "none",
        "one",
        "no total",
        "only safety",
        "same day",
        "unsorted",
        "last day",
        "first day",
        "out of range",
        "many",
    ],
)
def test_trend_stands_with_odd_data(points: list[Point]) -> None:
    svg = draw(points, baseline=12, response=6, remission_below=5)
    ElementTree.fromstring(svg)
    assert all(abs(n) < 10_000 for n in numbers(svg))


def test_range_of_one_day_and_points_outside_it_are_handled() -> None:
    svg = draw([Point(JAN, 5), Point(NOV, 9)], start=NOV, end=NOV, today=NOV)
    assert len(marks(svg, "pt")) == 1
    ElementTree.fromstring(draw([Point(NOV, 9)], start=NOV, end=JAN))


def test_everything_from_outside_is_escaped() -> None:
    bands: list[Band] = [(0, 9, HOSTILE), (10, 27, "x")]
    svg = trend(
        [Point(JAN, 5)], name=HOSTILE, bands=bands, maximum=27, chart_id=HOSTILE, title=HOSTILE, description=HOSTILE
    )
    svg += sparkline([1, 2], name=HOSTILE, maximum=27)
    assert "<script" not in svg
    ElementTree.fromstring(f"<all>{svg}</all>")


def test_chart_has_a_name_and_a_description_and_no_style() -> None:
    svg = draw([Point(JAN, 21), Point(MAR, 9), Point(NOV, 19)], chart_id="w")
    root = ElementTree.fromstring(svg)
    assert (root.get("role"), root.get("aria-labelledby")) == ("img", "w-t w-d")
    assert [(n.get("id"), n.text) for n in root.iter() if n.get("id")] == [
        ("w-t", "PHQ-9 over time"),
        (
            "w-d",
            "PHQ-9 was 21 on Jan 12, 2026. Lowest 9 on Mar 2, 2026. Highest 21 on Jan 12, 2026. "
            "Last 19 on Nov 19, 2026.",
        ),
    ]
    assert "style=" not in svg


def test_description_of_nothing_and_of_missing_totals() -> None:
    assert describe("GAD-7", []) == "No GAD-7 yet."
    assert describe("GAD-7", [Point(JAN, None)]) == "1 without a total."


def test_dates_follow_the_language() -> None:
    with translation.override("es"):
        assert "Ene" in describe("PHQ-9", [Point(JAN, 3)])


@given(
    st.lists(
        st.builds(
            Point,
            on=st.dates(date(1990, 1, 1), date(2090, 1, 1)),
            total=st.none() | st.integers(0, 27),
            safety=st.booleans(),
        ),
        max_size=30,
    )
)
def test_no_safety_answer_is_ever_left_out(points: list[Point]) -> None:
    assert len(marks(draw(points), "pt9")) == sum(point.safety for point in points)


# --- Small charts ----------------------------------------------------------------------------------------------------


def test_sparkline_says_its_totals_and_marks_the_newest() -> None:
    svg = sparkline([3, 5, 6, 9, 14, 19], name="PHQ-9", maximum=27, cut=10, safety=(4, 5))
    root = ElementTree.fromstring(svg)
    assert root.get("aria-label") == "PHQ-9, oldest to newest: 3, 5, 6, 9, 14, 19, safety question positive"
    assert (len(marks(svg, "pt9")), len(marks(svg, "pt")), len(marks(svg, "th"))) == (1, 0, 1)


@pytest.mark.parametrize(
    ("totals", "safety", "diamonds", "rings", "lines"),
    [
        ([], (), 0, 0, 0),
        ([7], (), 0, 1, 0),
        ([7], (0,), 1, 0, 0),
        ([7, None], (1,), 1, 1, 0),
        ([None], (0,), 1, 0, 0),
        ([7, None, 3], (), 0, 1, 1),
        ([7, 3], (9,), 0, 1, 1),
    ],
)
def test_sparkline_stands_with_little(
    totals: list[float | None], safety: tuple[int, ...], diamonds: int, rings: int, lines: int
) -> None:
    svg = sparkline(totals, name="PHQ-9", maximum=27, safety=safety)
    assert (len(marks(svg, "pt9")), len(marks(svg, "pt")), len(marks(svg, "l"))) == (diamonds, rings, lines)


def test_sparkline_stays_inside_when_the_scale_has_no_width() -> None:
    assert all(abs(n) <= 108 for n in numbers(sparkline([5, 9], name="x", maximum=0, cut=0)))


# --- Where things go -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("total", "band"), [(-1, 0), (0, 0), (4, 0), (5, 1), (9, 1), (10, 2), (19, 3), (20, 4), (99, 4)]
)
def test_band_of_total_on_both_sides_of_every_cut(total: float, band: int) -> None:
    assert band_of(total, BANDS) == band


def test_tones_run_from_the_lightest_to_the_darkest() -> None:
    assert [[band_tone(i, n) for i in range(n)] for n in range(1, 6)] == [
        [0],
        [0, 4],
        [0, 2, 4],
        [0, 1, 3, 4],
        [0, 1, 2, 3, 4],
    ]


def test_label_goes_where_the_line_is_not() -> None:
    line = [(0.0, 100.0), (100.0, 100.0), (200.0, 20.0)]
    assert clear_x(line, 100, 20, 0, 200) > 140
    assert clear_x([], 100, 20, 0, 200) == 20
    assert clear_x(line, 100, 500, 0, 200) == 500  # no room at all: still an answer
    assert clear_x([(0.0, 20.0), (200.0, 20.0)], 100, 20, 0, 200, avoid=20) == 44


def test_plot_clamps_totals_and_spans_its_days() -> None:
    plot = Plot(NARROW, JAN, NOV, 0, 27)
    assert (plot.x(JAN), plot.x(NOV)) == (plot.left, plot.right)
    assert (plot.y(-3), plot.y(0), plot.y(27), plot.y(99)) == (plot.bottom, plot.bottom, plot.top, plot.top)


@pytest.mark.parametrize(
    ("start", "end", "first", "many"),
    [
        (date(2026, 3, 1), date(2026, 3, 8), "Mar 1", 7),
        (date(2026, 1, 1), date(2027, 1, 31), "Jan", 13),
        (date(2016, 5, 2), date(2026, 5, 2), "Jul", 20),
        (date(1950, 5, 2), date(2026, 5, 2), "1955", 15),
    ],
)
def test_axis_has_as_many_days_as_fit(start: date, end: date, first: str, many: int) -> None:
    written = [words for _on, words in ticks(start, end, 726)]
    assert (written[0], len(written)) == (first, many)
