"""How long something took, for several groups: a dot for the median, a bar for the middle half, a line for the goal."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.utils.safestring import SafeString
from django.utils.translation import gettext

from practice.charts.drawing import Drawing, wrapped
from practice.charts.plot import Size

ROW = 36
WEEK = 7
WIDE = Size("chart-w", width=700, left=130, right=60, height=0, narrow=False)
NARROW = Size("chart-n", width=330, left=92, right=42, height=0, narrow=True)


@dataclass(frozen=True)
class Span:
    """Days of one group; None where there are too few to say."""

    name: str
    count: int
    low: float | None = None
    middle: float | None = None
    high: float | None = None


def spans(rows: Sequence[Span], *, goal: int, title: str, size: Size, chart_id: str) -> SafeString:
    """Draw the groups one below the other, on an axis of weeks."""
    art, font = Drawing(), size.font
    longest = max([goal, *(row.high or 0 for row in rows)])
    weeks = int(longest // WEEK) + 1
    bottom, right = 22 + ROW * len(rows), size.width - size.right

    def x(days: float) -> float:
        return size.left + days / (weeks * WEEK) * (right - size.left)

    every = -(-weeks // (4 if size.narrow else 8))
    for week in range(0, weeks + 1, every):
        art.line("gr", x(week * WEEK), 22, x(week * WEEK), bottom)
        art.text(week * WEEK, x(week * WEEK), bottom + 16, anchor="middle", font=font)
    art.line("t", x(goal), 20, x(goal), bottom)
    art.text(gettext("Goal: {n} days").format(n=goal), x(goal), 14, css="tt", anchor="middle", font=font)
    for number, row in enumerate(rows):
        middle = 22 + ROW * number + ROW / 2
        lines = wrapped(row.name, size.left - 14, font)
        for n, line in enumerate(lines):
            art.text(
                line, size.left - 10, middle + 4 + (n - (len(lines) - 1) / 2) * 12, css="lb", anchor="end", font=font
            )
        if row.low is None or row.middle is None or row.high is None:
            art.text(too_few(row), size.left + 6, middle + 4, font=font)
            continue
        art.line("r", x(row.low), middle, x(row.high), middle)
        art.circle("m", x(row.middle), middle, 7)
        art.text(days(row.middle), x(row.high) + 12, middle + 4, css="md", font=font)
    return art.told(
        f"dist {size.css}", size.width, bottom + 26, chart_id=chart_id, title=title, description=told(rows), font=font
    )


def days(count: float) -> str:
    # Translators: a number of days beside a dot of a chart, as short as can be.
    return gettext("{n} d").format(n=f"{count:g}")


def too_few(row: Span) -> str:
    return gettext("too few ({n})").format(n=row.count)


def told(rows: Sequence[Span]) -> str:
    """The chart in words."""
    said = [f"{row.name} {days(row.middle) if row.middle is not None else too_few(row)}" for row in rows]
    return gettext("Median days: {list}.").format(list=", ".join(said))
