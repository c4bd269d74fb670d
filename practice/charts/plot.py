"""The paper under a trend: its size, its days, its totals, and the axes drawn on it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta

from django.utils.dateformat import format as format_date
from django.utils.translation import pgettext

from practice.charts.drawing import Drawing, number, wrapped

Band = tuple[float, float, str]  # lowest total, highest total, the band's own name


@dataclass(frozen=True)
class Size:
    """Room in drawing units. Two sizes of one chart are rendered and the stylesheet shows the one that fits."""

    css: str
    width: int
    left: int
    right: int
    height: int  # of the plot alone
    narrow: bool

    @property
    def font(self) -> float:
        return 11 if self.narrow else 12


WIDE = Size("chart-w", width=860, left=30, right=104, height=232, narrow=False)
NARROW = Size("chart-n", width=340, left=24, right=66, height=210, narrow=True)
PANEL = Size("chart-z", width=320, left=24, right=66, height=190, narrow=True)


@dataclass
class Plot:
    size: Size
    start: date
    end: date
    minimum: float
    maximum: float
    art: Drawing = field(default_factory=Drawing)

    top = 14

    @property
    def left(self) -> float:
        return self.size.left

    @property
    def right(self) -> float:
        return self.size.width - self.size.right

    @property
    def bottom(self) -> float:
        return self.top + self.size.height

    def x(self, on: date) -> float:
        return self.left + (on - self.start).days / (self.end - self.start).days * (self.right - self.left)

    def y(self, total: float) -> float:
        inside = min(max(total, self.minimum), self.maximum)
        return self.bottom - (inside - self.minimum) / ((self.maximum - self.minimum) or 1) * self.size.height

    def shows(self, on: date) -> bool:
        return self.start <= on <= self.end

    def aside(self, words: str, middle: float) -> None:
        """Write words right of the plot, on two lines when they are long."""
        lines = wrapped(words, self.size.right - 8, self.size.font)
        for n, line in enumerate(lines):
            y = middle + 4 + (n - (len(lines) - 1) / 2) * 12
            self.art.text(line, self.right + (5 if self.size.narrow else 8), y, font=self.size.font)


def band_tone(index: int, count: int) -> int:
    """Return the step of the severity ramp, 0 to 4, of band `index` of `count`: first lightest, last darkest."""
    return 0 if count < 2 else round(index * 4 / (count - 1))


def band_of(total: float, bands: Sequence[Band]) -> int:
    """Return the index of the band that holds `total`: the last whose lowest total is reached, else the first."""
    return max((i for i, (low, _high, _name) in enumerate(bands) if total >= low), default=0)


def draw_bands(plot: Plot, bands: Sequence[Band]) -> None:
    """Draw the bands with their names, and a number at every cut that has room for one."""
    edges = [low for low, _high, _name in bands] + [plot.maximum]
    for i, (low, _high, name) in enumerate(bands):
        top, base = plot.y(edges[i + 1]), plot.y(low)
        plot.art.rect(f"b{band_tone(i, len(bands))}", plot.left, top, plot.right - plot.left, base - top)
        if base - top >= 12:
            plot.aside(name, (base + top) / 2)
    ticks = {plot.minimum, plot.maximum, *(edges if bands else [(plot.minimum + plot.maximum) / 2])}
    written: list[float] = []
    for tick in sorted(ticks):
        y = plot.y(tick)
        plot.art.line("gr", plot.left, y, plot.right, y)
        if all(abs(y - other) >= 11 for other in written):
            plot.art.text(number(tick), plot.left - 6, y + 4, anchor="end")
            written.append(y)


def draw_days(plot: Plot) -> None:
    written = -99.0
    for on, words in ticks(plot.start, plot.end, plot.right - plot.left):
        x, half = plot.x(on), len(words) * 3.2
        plot.art.line("ax", x, plot.bottom, x, plot.bottom + 4)
        if x - half > written + 4 and x + half <= plot.right + 20:
            plot.art.text(words, x, plot.bottom + 16, anchor="middle")
            written = x + half
    plot.art.line("ax", plot.left, plot.bottom, plot.right, plot.bottom)


def ticks(start: date, end: date, room: float) -> Iterator[tuple[date, str]]:
    """Return the days to write under the axis, as many as fit: days, months or years."""
    days = (end - start).days
    for step in (1, 2, 4, 7, 14):
        if days <= 62 and room / days * step >= 44:
            # Translators: a day on the axis of a chart. M is the short month, j the day.
            pattern = pgettext("axis", "M j")
            marks = (start + timedelta(n) for n in range(0, days, step))
            yield from ((on, format_date(on, pattern)) for on in marks)
            return
    for step in (1, 2, 3, 6):
        if room / days * 30.4 * step >= 32:
            for on in firsts(start, end):
                if (on.month - 1) % step == 0:
                    yield on, format_date(on, "M Y" if on.month == 1 and on.year != start.year else "M")
            return
    every = next((n for n in (1, 2, 5, 10, 25) if room / days * 365.25 * n >= 36), 100)
    yield from ((on, str(on.year)) for on in firsts(start, end) if on.month == 1 and on.year % every == 0)


def firsts(start: date, end: date) -> Iterator[date]:
    """Return every first of a month from `start` to `end`."""
    month = start.year * 12 + start.month - 1 + (start.day > 1)
    while month < end.year * 12 + end.month:
        yield date(month // 12, month % 12 + 1, 1)
        month += 1
