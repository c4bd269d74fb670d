"""Totals over time, with the treatment below."""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby, pairwise

from django.utils.safestring import SafeString
from django.utils.translation import gettext, ngettext

from practice.charts.drawing import long_day, number
from practice.charts.lanes import LANE, Treatment, draw_lanes
from practice.charts.plot import WIDE, Band, Plot, Size, draw_bands, draw_days

MANY = 80  # from here on rings would hide the line
Corner = tuple[float, float]


@dataclass(frozen=True)
class Point:
    on: date
    total: float | None  # None: answers came in, but a total could not be made
    safety: bool = False  # the safety question was positive
    imported: bool = False  # from another system


def trend(
    points: Sequence[Point],
    *,
    name: str,
    bands: Sequence[Band],
    maximum: float,
    minimum: float = 0,
    start: date | None = None,
    end: date | None = None,
    today: date | None = None,
    baseline: float | None = None,
    response: float | None = None,
    remission_below: float | None = None,
    treatment: Treatment | None = None,
    marks: Sequence[tuple[date, float, str]] = (),
    size: Size = WIDE,
    chart_id: str = "chart",
    title: str = "",
    description: str = "",
) -> SafeString:
    """Draw totals over time: bands behind, response and remission lines, safety diamonds, treatment lanes below.

    `response` is the highest total that counts as a response to a first score of `baseline`. `marks` are rings around
    scores at which something turned: day, total and the number under which the page tells what.
    """
    treatment = treatment or Treatment()
    first, last = _days(points, treatment, start, end, today)
    plot = Plot(size, first, last, minimum, maximum)
    shown = sorted((p for p in points if plot.shows(p.on)), key=lambda p: p.on)
    floor = plot.bottom + 24 + (treatment.infused + treatment.kap) * LANE
    draw_bands(plot, bands)
    draw_days(plot)
    now = plot.x(today) if today and first < today < last else None
    _goals(plot, shown, now, baseline=baseline, response=response, remission_below=remission_below)
    if now is not None:
        plot.art.line("today", now, plot.top, now, floor - 2)
        left = size.narrow or now > plot.right - 50
        plot.art.text(gettext("Today"), now + (-4 if left else 4), plot.top + 11, anchor="end" if left else "")
    _line(plot, shown)
    _marks(plot, shown)
    _rings(plot, marks)
    draw_lanes(plot, treatment)
    return plot.art.told(
        f"chart {size.css}",
        size.width,
        floor + 6,
        chart_id=chart_id,
        title=title or gettext("{name} over time").format(name=name),
        description=description or describe(name, shown),
        font=12,
    )


def describe(name: str, points: Sequence[Point]) -> str:
    """Return in words what a trend shows: first, lowest, highest and last total, and when safety was positive."""
    known = [(p.on, p.total) for p in points if p.total is not None]
    if not points:
        return gettext("No {name} yet.").format(name=name)
    said = []
    if known:
        words = gettext("{name} was {total} on {day}.")
        said.append(words.format(name=name, total=number(known[0][1]), day=long_day(known[0][0])))
    if len(known) > 2:
        words = gettext("Lowest {total} on {day}.")
        for on, total in (min(known, key=lambda k: k[1]), max(known, key=lambda k: k[1])):
            said.append(words.format(total=number(total), day=long_day(on)))
            words = gettext("Highest {total} on {day}.")
    if len(known) > 1:
        said.append(gettext("Last {total} on {day}.").format(total=number(known[-1][1]), day=long_day(known[-1][0])))
    if missing := len(points) - len(known):
        said.append(ngettext("{n} without a total.", "{n} without a total.", missing).format(n=missing))
    if positive := [long_day(p.on) for p in points if p.safety]:
        said.append(gettext("Safety question positive on {days}.").format(days="; ".join(positive[-6:])))
    if came := sum(p.imported for p in points):
        said.append(ngettext("{n} from another system.", "{n} from another system.", came).format(n=came))
    return " ".join(said)


def clear_x(
    line: Sequence[Corner],
    y: float,
    half: float,
    low: float,
    high: float,
    *,
    avoid: float | None = None,
    step: float = 8,
) -> float:
    """Return the x, within [low, high], where a label of half width `half` at height `y` is furthest from the line.

    The leftmost of near ties. `avoid` is a vertical line that the label must not cross.
    """

    along = [x for x, _y in line]

    def distance(x: float) -> float:
        if avoid is not None and abs(x - avoid) < half + 4:
            return 0
        heights = (_height_at(line, along, x + k * half / 12) for k in range(-12, 13))
        return min((abs(height - (y - 7)) for height in heights if height is not None), default=99)

    best, best_x, x = -1.0, low + half, low + half
    while x <= high - half:
        away = distance(x)
        if away > best + 6:
            best, best_x = away, x
        x += step
    return best_x


def _height_at(line: Sequence[Corner], along: Sequence[float], x: float) -> float | None:
    """Return the height of the line at `x`; `along` holds the x of its corners, from left to right."""
    if not line or not along[0] <= x <= along[-1]:
        return None
    after = max(1, bisect_left(along, x))
    (x0, y0), (x1, y1) = line[after - 1], line[min(after, len(line) - 1)]
    return y0 + (y1 - y0) * (x - x0) / ((x1 - x0) or 1)


def _days(
    points: Sequence[Point], treatment: Treatment, start: date | None, end: date | None, today: date | None
) -> tuple[date, date]:
    """Return the days to draw: what was asked for, else what there is; never less than a week."""
    days = [*(p.on for p in points), *treatment.days(), *([today] if today else [])] or [date(2000, 1, 1)]
    first, last = (start or min(days)).toordinal(), (end or max(days)).toordinal()
    if (short := 7 - (last - first)) > 0:
        first, last = first - (short - short // 2), last + short // 2 + 1
    return date.fromordinal(max(first, 1)), date.fromordinal(min(last, date.max.toordinal()))


def _corners(plot: Plot, points: Sequence[Point]) -> list[Corner]:
    return [(plot.x(p.on), plot.y(p.total)) for p in points if p.total is not None]


def _goals(
    plot: Plot,
    points: Sequence[Point],
    now: float | None,
    *,
    baseline: float | None,
    response: float | None,
    remission_below: float | None,
) -> None:
    goals: list[tuple[str, float, str, float]] = []
    if baseline is not None and response is not None:
        words = gettext("Response: {response} or less (first was {baseline})")
        words = gettext("Response") if plot.size.narrow else words
        goals.append(("rl2", response, words.format(response=number(response), baseline=number(baseline)), -6))
    if remission_below is not None:
        words = gettext("Remission") if plot.size.narrow else gettext("Remission: under {total}")
        goals.append(("rl", remission_below - 0.5, words.format(total=number(remission_below)), 15))
    line = _corners(plot, points)
    for css, total, words, offset in goals:
        y, half = plot.y(total), len(words) * plot.size.font * 0.27
        plot.art.line(css, plot.left, y, plot.right, y)
        x = clear_x(line, y + offset, half, plot.left + 4, plot.right - 4, avoid=now)
        plot.art.text(words, x, y + offset, css=css.replace("rl", "rlt"), anchor="middle", font=plot.size.font)


def _line(plot: Plot, points: Sequence[Point]) -> None:
    """Draw the line, whole between neighbours and dotted over a gap where a total is missing."""
    stretches = [
        _corners(plot, list(group)) for known, group in groupby(points, lambda p: p.total is not None) if known
    ]
    for before, after in pairwise(stretches):
        plot.art.path("gap", [before[-1], after[0]])
    for stretch in stretches:
        plot.art.path("ln", stretch)


def _marks(plot: Plot, points: Sequence[Point]) -> None:
    known = [(p, p.total) for p in points if p.total is not None]
    for point in points:
        said = "" if plot.size.narrow else _said(point)
        if point.safety:
            y = plot.bottom - 9 if point.total is None else plot.y(point.total)
            plot.art.diamond("pt9 past" if point.imported else "pt9", plot.x(point.on), y, 7, said)
        elif point.total is not None and (len(known) < MANY or point is known[-1][0]):
            css = "pt past" if point.imported else "pt"
            plot.art.circle(css, plot.x(point.on), plot.y(point.total), 4.2, said)
    for point, total in [*known[:1], *known[1:][-1:]]:
        y = plot.y(total)
        y = y - 12 if y > plot.top + 24 else y + 20
        plot.art.text(number(total), plot.x(point.on), y, css="st halo", anchor="middle", font=13)


def _rings(plot: Plot, marks: Sequence[tuple[date, float, str]]) -> None:
    """Ring each marked score once, with its numbers below it, or beside it where there is no room below."""
    places: dict[tuple[date, float], list[str]] = {}
    for on, total, words in marks:
        if plot.shows(on):
            places.setdefault((on, total), []).append(words)
    for (on, total), said in places.items():
        x, y = plot.x(on), plot.y(total)
        plot.art.circle("mk", x, y, 9)
        has_room = y + 24 < plot.bottom
        place = (x, y + 22) if has_room else (x + 13, y + 4)
        plot.art.text(", ".join(said), *place, css="mkt halo", anchor="middle" if has_room else "", font=plot.size.font)


def _said(point: Point) -> str:
    total = gettext("no total") if point.total is None else number(point.total)
    said = gettext("{day}: {total}").format(day=long_day(point.on), total=total)
    said = gettext("{said}, from another system").format(said=said) if point.imported else said
    return gettext("{said}, safety question positive").format(said=said) if point.safety else said
