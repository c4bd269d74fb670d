"""The numbers of the report, each counted over the same rows by the tables of `steps`, and the address of its list."""

import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, Self
from uuid import UUID

from django.utils.safestring import SafeString
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from practice.charts.spans import NARROW, WIDE, Span, spans
from practice.clinical import follow_up
from practice.words import half_days
from referrals.models import Destination, Path, Referral
from referrals.reports.filters import Asked
from referrals.reports.steps import FEWEST, FUNNEL, HEADS, STEPS, STOPS, TESTS, Words
from referrals.reports.tally import NUDGES, Tallies, Tally, together

BAR = 360  # width of a full bar, in drawing units
TOO_FEW = _("too few")
# The columns of the tables by clinic and by path; what is compared stands as "n of m" behind them.
COLUMNS = ("sent", "yes", "no", "back", "silent", "started", "going", "done", "early", "scored", "unscored")


@dataclass(frozen=True, slots=True)
class Cell:
    """A number as somebody may see it. `url` opens its rows; "" where there are none to open."""

    count: int
    url: str = ""
    withheld: bool = False

    def __str__(self) -> str:
        return gettext("under {n}").format(n=FEWEST) if self.withheld else str(self.count)


@dataclass(frozen=True)
class Report:
    asked: Asked
    found: Tallies
    list_url: str
    """The path of the list of rows."""

    @classmethod
    def of(cls, asked: Asked, list_url: str, at: datetime) -> Self:
        return cls(asked, Tallies(asked.each(), at), list_url)

    @cached_property
    def all(self) -> Tally:
        return together(self.found.groups.values())

    @cached_property
    def sent(self) -> Tally:
        return together(tally for group, tally in self.found.groups.items() if group.sent)

    def cell(self, code: str, counted: Counter[str] | None = None, **more: str) -> Cell:
        count = (self.all.count if counted is None else counted)[code]
        return self._shown(count, TESTS[code].clinical or bool(self.asked.said.get("rule")), step=code, **more)

    def _shown(self, count: int, clinical: bool, **where: str) -> Cell:
        if clinical and not self.asked.seen.reads and 0 < count < FEWEST:
            return Cell(count, withheld=True)
        return Cell(count, self.asked.url(self.list_url, **where) if count else "")

    def count(self, code: str) -> int:
        return self.all.count[code]

    @property
    def clinics_asked(self) -> int:
        return len({group.clinic for group in self.found.groups if group.sent})

    # --- The tiles ---------------------------------------------------------------------------------------------------

    def tiles(self, at: datetime) -> list[dict[str, Any]]:
        flagged, decided, waits = self.cell("flagged"), self.cell("decided"), self.cell("undecided")
        oldest = (at - (self.found.waiting_since or at)).days
        no, back, silent = self.cell("no"), self.cell("back"), self.cell("silent")
        days = quartiles(values(self.all.days))
        done, early = self.count("done"), self.count("early")
        return [
            {
                "label": gettext("Flags with a decision"),
                "value": of(decided, flagged),
                "words": share(decided, flagged)
                + (
                    ngettext(
                        "{n} is waiting; for {days} days.", "{n} are waiting; the oldest for {days} days.", waits.count
                    ).format(n=waits, days=oldest)
                    if waits.count
                    else gettext("None is waiting.")
                ),
            },
            {
                "label": gettext("Referrals accepted"),
                "value": of(self.cell("yes"), self.cell("sent")),
                "words": share(self.cell("yes"), self.cell("sent"))
                + gettext("{no} declined, {silent} no answer yet, {back} taken back.").format(
                    no=no, silent=silent, back=back
                ),
            },
            {
                "label": gettext("Sent to first infusion"),
                "value": half_days(days[1]) if days else str(TOO_FEW),
                "words": gettext("Median. Middle half {low} to {high}. Goal {goal}.").format(
                    low=f"{days[0]:g}", high=f"{days[2]:g}", goal=follow_up.FIRST_WITHIN_DAYS
                )
                if days
                else gettext("A median needs {n} who started.").format(n=FEWEST),
            },
            {
                "label": gettext("Finished the series"),
                "value": gettext("{n} of {m}").format(n=done, m=done + early),
                "words": (
                    gettext("{n}% of ended series. ").format(n=round(100 * done / (done + early)))
                    if done + early >= FEWEST
                    else ""
                )
                + gettext("{n} still in treatment.").format(n=self.count("going")),
            },
            {
                "label": gettext("Response at follow-up"),
                "value": self.rate("response", self.all.count) or str(TOO_FEW),
                "words": gettext("PHQ-9 fell by half or more. {n} without follow-up.").format(n=self.cell("unscored")),
            },
        ]

    # --- The funnel, and where people stop ---------------------------------------------------------------------------

    def funnel(self) -> list[dict[str, Any]]:
        cells = [self.cell(code) for code in STEPS]
        most = max(cells[0].count, 1)
        found = []
        for number, (code, cell) in enumerate(zip(STEPS, cells, strict=True)):
            before = cells[number - 1] if number else None
            note = share(cell, before, dot=False) if before else ""
            if code == "finished" and (going := self.count("going")):
                note = gettext("{share}; {n} still going").format(share=note, n=going) if note else gettext(
                    "{n} still going").format(n=going)  # fmt: skip
            width = 0.0 if cell.withheld else BAR * cell.count / most
            also = BAR * (cell.count + self.count("going")) / most if code == "finished" else 0.0
            found.append(
                {
                    "words": FUNNEL[code].words,
                    "cell": cell,
                    "width": f"{width:.1f}",
                    "also": f"{also:.1f}",
                    "note": note,
                }
            )
        return found

    def stops(self) -> list[dict[str, Any]]:
        counted, found = self.found.stops, []
        for after, title in HEADS.items():
            clinical = (after == "decided" or bool(self.asked.said.get("rule"))) and not self.asked.seen.reads
            lines = [(code, counted[code]) for code, stop in STOPS.items() if stop.after == after and counted[code]]
            lines.sort(key=lambda line: -line[1])
            total = sum(count for _code, count in lines)
            if total and clinical:
                found.append(
                    {
                        "title": title,
                        "total": total if total >= FEWEST else self._shown(total, True),
                        "lines": folded(lines, total),
                    }
                )
            elif total:
                rows = [
                    {"label": STOPS[code].words, "cell": Cell(count, self.asked.url(self.list_url, stop=code))}
                    for code, count in lines
                ]
                found.append({"title": title, "total": total, "lines": rows})
        return found

    # --- By clinic and by path ---------------------------------------------------------------------------------------

    def clinics(self) -> dict[str, Any]:
        names: dict[UUID | None, str] = dict(Destination.objects.values_list("pk", "name"))
        return self._table("clinic", names, gettext("All clinics"))

    def paths(self) -> dict[str, Any]:
        return self._table("path", {code: str(label) for code, label in Path.choices}, gettext("All paths"))

    def _sent_by(self, name: str) -> dict[Any, Tally]:
        """What was sent, by the group's clinic or path."""
        parts: dict[Any, list[Tally]] = {}
        for group, tally in self.found.groups.items():
            if group.sent:
                parts.setdefault(getattr(group, name), []).append(tally)
        return {value: together(tallies) for value, tallies in parts.items()}

    def _table(self, name: str, names: Any, everything: str) -> dict[str, Any]:
        ordered = sorted(self._sent_by(name).items(), key=lambda each: (-each[1].held.total(), names.get(each[0], "")))
        return {
            "head": [TESTS[code].words for code in COLUMNS],
            "rows": [
                {
                    "name": names.get(value, ""),
                    "url": self.asked.url("", **{name: str(value)}),
                    **self._line(tally, **{name: str(value)}),
                }
                for value, tally in ordered
            ],
            "all": {"name": everything, **self._line(self.sent)},
        }

    def _line(self, tally: Tally, **where: str) -> dict[str, Any]:
        days, counted = quartiles(values(tally.days)), tally.count
        return {
            "cells": [self.cell(code, counted, **where) for code in COLUMNS],
            "days": f"{days[1]:g}" if days else TOO_FEW,
            "response": self.rate("response", counted) or TOO_FEW,
            "remission": self.rate("remission", counted) or TOO_FEW,
            "n": self.cell("compared", counted, **where),
            "before": _median(tally.before),
            "after": _median(tally.after),
        }

    def rate(self, code: str, counted: Counter[str]) -> str:
        """ "7 of 12", of those with a score before and after; "" for a group too small to say."""
        count, both = counted[code], counted["compared"]
        if both < FEWEST:
            return ""
        if not self.asked.seen.reads and not FEWEST <= count <= both - FEWEST:
            return ""  # it would tell of each of few people what they answered
        return gettext("{n} of {m}").format(n=count, m=both)

    # --- Days, letters, nudges ---------------------------------------------------------------------------------------

    def days(self) -> dict[str, Any] | None:
        names: dict[UUID | None, str] = dict(Destination.objects.values_list("pk", "name"))
        took = {clinic: values(tally.days) for clinic, tally in self._sent_by("clinic").items() if tally.days}
        if not took:
            return None
        ordered = sorted(took.items(), key=lambda each: (-len(each[1]), names.get(each[0], "")))
        lines = [_span(names.get(clinic, ""), days) for clinic, days in ordered]
        lines.append(_span(gettext("All clinics"), values(self.sent.days)))
        title = gettext("Days from sending to first infusion, by clinic")
        charts: list[SafeString] = [
            spans(lines, goal=follow_up.FIRST_WITHIN_DAYS, title=title, size=size, chart_id=f"days-{size.css}")
            for size in (WIDE, NARROW)
        ]
        return {"charts": charts, "count": self.cell("started")}

    def loop(self) -> dict[str, Any]:
        sent, back = self.cell("sent"), self.cell("letter")
        return {
            "value": of(back, sent),
            "back": back,
            "sent": sent,
            "share": share(back, sent, dot=False),
            "open": self.cell("no_letter"),
        }

    def nudges(self, at: datetime) -> dict[str, Any]:
        """Referrals that wait for the clinic and whose clock ran out first; whose clock is theirs to wind."""
        late, more = self.found.late, self.found.late_count - NUDGES
        names: dict[UUID | None, str] = dict(Destination.objects.values_list("pk", "name")) if late else {}
        return {
            "silent": self.cell("silent"),
            "rows": [
                {
                    "code": row.code,
                    "clinic": names.get(row.clinic, ""),
                    "url": Referral(pk=row.referral).get_absolute_url(),
                    "days": (at - (row.due_at or at)).days,
                }
                for row in late
            ],
            "more": max(more, 0),
        }


def of(part: Cell, whole: Cell) -> str:
    return gettext("{n} of {m}").format(n=part, m=whole)


def share(part: Cell, whole: Cell, *, dot: bool = True) -> str:
    """ "77%", as a sentence where `dot`; "" of fewer than FEWEST, or where a number is withheld."""
    if part.withheld or whole.withheld or whole.count < FEWEST:
        return ""
    return f"{round(100 * part.count / whole.count)}%" + (". " if dot else "")


def values(counted: Counter[Any]) -> list[Any]:
    """Each value as often as it was counted, in order."""
    return sorted(counted.elements())


def _median(scores: Counter[float]) -> Words:
    return f"{statistics.median(values(scores)):g}" if scores.total() >= FEWEST else TOO_FEW


def quartiles(days: Sequence[int]) -> tuple[float, float, float] | None:
    """Lower quartile, median, upper quartile, to half days; None of fewer than FEWEST."""
    if len(days) < FEWEST:
        return None
    low, middle, high = statistics.quantiles(days, n=4, method="inclusive")
    return round(low * 2) / 2, round(middle * 2) / 2, round(high * 2) / 2


def _span(name: str, days: list[int]) -> Span:
    found = quartiles(days)
    return Span(name, len(days), *found) if found else Span(name, len(days))


def folded(lines: list[tuple[str, int]], total: int) -> list[dict[str, Any]]:
    """The lines without one that is made of few: small ones become one, with the next larger while that is small.

    What is left adds up to the total, so nothing can be worked out from it. No line opens its rows.
    """
    if total < FEWEST:
        return []
    kept, rest = list(lines), 0
    while kept and (kept[-1][1] < FEWEST or 0 < rest < FEWEST):
        rest += kept.pop()[1]
    found: list[dict[str, Any]] = [{"label": STOPS[code].words, "cell": Cell(count)} for code, count in kept]
    return found + ([{"label": gettext("Other reasons"), "cell": Cell(rest)}] if rest else [])
