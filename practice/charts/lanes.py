"""The lanes under a trend: infusions given elsewhere, ketamine-assisted therapy given here."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from django.utils.translation import gettext, ngettext

from practice.charts.plot import Plot

LANE = 30


@dataclass(frozen=True)
class Treatment:
    """What was done and what is planned."""

    courses: Sequence[Sequence[date]] = ()  # infusions, one list for each course
    sessions: Sequence[date] = ()
    intensives: Sequence[tuple[date, date]] = ()  # first and last day
    boosters_done: Sequence[date] = ()
    boosters_due: Sequence[date] = ()

    def days(self) -> list[date]:
        spans = [day for span in self.intensives for day in span]
        return [*(d for c in self.courses for d in c), *self.sessions, *spans, *self.boosters_done, *self.boosters_due]

    @property
    def infused(self) -> bool:
        return any(self.courses)

    @property
    def kap(self) -> bool:
        return bool(self.sessions or self.intensives or self.boosters_done or self.boosters_due)


def draw_lanes(plot: Plot, treatment: Treatment) -> None:
    top = plot.bottom + 26
    if treatment.infused:
        _lane(plot, gettext("Infusions"), top)
        _infusions(plot, treatment.courses, top + LANE / 2)
        top += LANE
    if treatment.kap:
        _lane(plot, gettext("KAP"), top)
        _kap(plot, treatment, top + LANE / 2)


def _lane(plot: Plot, name: str, top: float) -> None:
    plot.art.line("gr", plot.left, top + LANE, plot.right, top + LANE)
    plot.aside(name, top + LANE / 2)


def _infusions(plot: Plot, courses: Sequence[Sequence[date]], middle: float) -> None:
    labels: list[Label] = []
    for course in sorted(sorted(course) for course in courses if course):
        shown = [(n, on) for n, on in enumerate(course, 1) if plot.shows(on)]
        if shown:
            (one, begun), (other, ended) = shown[0], shown[-1]
            first, last = plot.x(begun) - 6, plot.x(ended) + 6
            plot.art.rect("inf-bg", first, middle - 10, last - first, 20, 5)
            for _number, on in shown:
                plot.art.rect("inf", plot.x(on) - 1.1, middle - 6, 2.2, 12, 1)
            said = gettext("{first} to {last}").format(first=one, last=other) if one != other else str(one)
            labels.append(Label(first, last, said))
    _write(plot, labels, middle)


def _kap(plot: Plot, treatment: Treatment, middle: float) -> None:
    labels: list[Label] = []
    if sessions := sorted(filter(plot.shows, treatment.sessions)):
        first, last = plot.x(sessions[0]), plot.x(sessions[-1])
        if plot.size.narrow:
            plot.art.rect("kap-bg", first - 5, middle - 10, last - first + 10, 20, 5)
        for on in sessions:
            plot.art.circle("kap", plot.x(on), middle, 2.2 if plot.size.narrow else 4.2)
        said = ngettext("{n} session", "{n} sessions", len(sessions)).format(n=len(sessions))
        labels.append(Label(first - 5, last + 5, said))
    for begun, ended in treatment.intensives:
        if plot.shows(begun) and plot.shows(ended):
            first, last = plot.x(begun) - 5, max(plot.x(begun) + 7, plot.x(ended) + 5)
            plot.art.rect("kap", first, middle - 9, last - first, 18, 4)
            labels.append(Label(first, last, gettext("Intensive")))
    booster, due = gettext("Booster"), gettext("Booster due")
    for css, days, said in (("kap", treatment.boosters_done, booster), ("due", treatment.boosters_due, due)):
        for on in filter(plot.shows, days):
            plot.art.diamond(css, plot.x(on), middle, 8)
            labels.append(Label(plot.x(on) - 8, plot.x(on) + 8, said))
    _write(plot, labels, middle)


@dataclass(frozen=True, order=True)
class Label:
    first: float  # where its mark begins
    last: float  # where its mark ends
    words: str


def _write(plot: Plot, labels: Sequence[Label], middle: float) -> None:
    """Write each label right of its mark, else left of it, else not at all: the table below the chart has it too."""
    free, font = plot.left, plot.size.font
    ordered = sorted(labels)
    walls = [*(label.first for label in ordered[1:]), plot.right]
    for label, wall in zip(ordered, walls, strict=False):
        width = len(label.words) * font * 0.56 + 5
        if label.last + width <= wall:
            plot.art.text(label.words, label.last + 5, middle + 4, css="st", font=font)
            free = label.last + width
        else:
            if label.first - width >= free:
                plot.art.text(label.words, label.first - 5, middle + 4, css="st", anchor="end", font=font)
            free = label.last
