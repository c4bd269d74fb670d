"""Shares of a whole and spreads of days, for reports."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.utils.safestring import SafeString
from django.utils.translation import gettext

from practice.charts.drawing import Drawing, number, wrapped
from practice.charts.plot import WIDE, Size


def bar(value: float, total: float, *, second: float = 0) -> SafeString:
    """Draw a share of a whole; `second` is added to it in a lighter tone. The number stands beside it in words."""
    width, height = 360, 24

    def reach(part: float) -> float:
        return min(max(part / total, 0), 1) * width if total > 0 else 0

    art = Drawing()
    art.rect("bg", 0, 0, width, height, 4)
    if second:
        art.rect("fg2", 0, 0, reach(value + second), height, 4)
    art.rect("fg", 0, 0, reach(value), height, 4)
    return art.svg("bar", width, height, preserveAspectRatio="none", aria_hidden="true", focusable="false")


@dataclass(frozen=True)
class Spread:
    label: str
    low: float | None  # first quarter; None when there are too few to show
    middle: float | None
    high: float | None
    count: int


def dist(
    rows: Sequence[Spread],
    *,
    target: float,
    reach: float = 28,
    size: Size = WIDE,
    chart_id: str = "spread",
    title: str = "",
    description: str = "",
) -> SafeString:
    """Draw the middle half and the median of days for each row, with the goal as a line. `reach`: least right end."""
    left, right, top, row_height, width = (78, 40, 26, 34, 330) if size.narrow else (140, 56, 26, 36, 700)
    height = top + row_height * len(rows) + 30
    reach = max(reach, target, 1, *(row.high for row in rows if row.high is not None)) * 1.04
    step = 7 * max(1, round(reach / 7 / 6))

    def x(days: float) -> float:
        return left + max(days, 0) / reach * (width - left - right)

    art = Drawing()
    for day in range(0, int(reach) + 1, step):
        art.line("gr", x(day), top - 4, x(day), height - 26)
        art.text(day, x(day), height - 10, anchor="middle")
    art.line("t", x(target), top - 6, x(target), height - 26)
    goal = gettext("Goal: {days} days").format(days=number(target))
    art.text(goal, x(target), top - 11, css="tt", anchor="middle")
    for i, row in enumerate(rows):
        y = top + row_height * i + row_height / 2
        lines = wrapped(row.label, left - 16, 13)
        for n, words in enumerate(lines):
            art.text(words, left - 12, y + 4 + (n - (len(lines) - 1) / 2) * 14, css="lb", anchor="end")
        if row.low is None or row.middle is None or row.high is None:
            art.text(gettext("too few ({n})").format(n=row.count), x(0) + 6, y + 4)
            continue
        art.line("r", x(row.low), y, x(row.high), y)
        art.circle("m", x(row.middle), y, 7)
        median = gettext("{days} d").format(days=number(row.middle))
        art.text(median, x(row.high) + 12, y + 4, css="md")
    return art.told(
        f"dist {size.css}", width, height, chart_id=chart_id, title=title, description=description, font=12.5
    )
