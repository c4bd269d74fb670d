"""What a long file is made of, some weeks at a time: rows of the referral report, or those behind another's number."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from functools import cached_property
from typing import Protocol

from django.http import QueryDict
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from practice.models import Practice, User
from practice.sheets import Cell
from referrals.reports import listed
from referrals.reports.counted import REPORTS, Counted, Kind, Row
from referrals.reports.days import Days, ask_days
from referrals.reports.files import Lines
from referrals.reports.filters import Asked, ask

REFERRALS = "referrals"


class Source(Protocol):
    title: str | Promise
    query: str
    """The filters, as in the address."""
    names: bool
    stem: str
    """Of the file's name."""
    weeks: int

    @property
    def head(self) -> list[str]: ...

    def lines(self, weeks: range) -> Iterable[list[Cell]]: ...


class Referrals:
    title: str | Promise = _("Referrals")
    stem = REFERRALS

    def __init__(self, asked: Asked, *, names: bool) -> None:
        self.asked, self.names = asked, names
        self.query = asked.url("")[1:]
        self._scopes = list(asked.scope.weeks())
        self._lines = Lines(asked, names=names)
        self.weeks, self.head = len(self._scopes), self._lines.head

    def lines(self, weeks: range) -> Iterable[list[Cell]]:
        first, last = self._scopes[weeks[0]], self._scopes[weeks[-1]]
        scope = replace(first, end=last.end)
        return self._lines.of(filter(self.asked.chooses, self.asked.each(scope)))


class Behind:
    """The rows behind one number. Its weeks count from the first day; the last holds whatever lies after it."""

    names = False

    def __init__(self, kind: Kind, days: Days, code: str, at: datetime) -> None:
        self.title, self.days, self.code = kind.title, days, code
        self.counted = Counted(kind, days, at, "")
        self.sees = self.counted.sees(code)
        self.query, self.head = days.url("")[1:], listed.head(self.sees)
        self.stem = f"{kind.code}-{code.replace('_', '-')}"
        self.weeks = (days.said["end"] - days.said["start"]).days // 7 + 1

    @cached_property
    def rows(self) -> list[Row]:
        """In the order of their days, as the list has them; none of a number that is left out."""
        return [] if self.counted.numbers[self.code].hidden else self.counted.of(self.code)

    @cached_property
    def _by_week(self) -> dict[int, list[Row]]:
        found: dict[int, list[Row]] = defaultdict(list)
        for row in self.rows:
            week = (self.days.day_of(row.at) - self.days.said["start"]).days // 7
            found[min(max(week, 0), self.weeks - 1)].append(row)
        return found

    def lines(self, weeks: range) -> Sequence[list[Cell]]:
        rows = [row for week in weeks for row in self._by_week.get(week, [])]
        return listed.lines(rows, self.days, sees=self.sees) if rows else []


def source(user: User, report: str, query: str, at: datetime, *, names: bool) -> Source | None:
    """What this person asks for; None when something in it is wrong, or no longer theirs to ask."""
    practice, data = Practice.get(), QueryDict(query)
    if report == REFERRALS:
        _form, asked = ask(user, data, at, practice)
        return Referrals(asked, names=names) if asked else None
    kind = REPORTS.get(report)
    if kind is None or not user.may(kind.sees):
        return None
    _days_form, days = ask_days(
        user, data, at, practice, days=kind.days, by_therapist=user.may(kind.choose_therapist)
    )  # fmt: skip
    code = str(days.said.get("line") or kind.first) if days else ""
    return Behind(kind, days, code, at) if days and code in kind.lines else None


def page_of(report: str) -> tuple[str, str | Promise]:
    """Where the rows of this report are listed, and what it is called."""
    if report == REFERRALS:
        return reverse("report_referrals"), _("Infusion referrals")
    if report in REPORTS:
        return reverse("report_count_rows", args=[report]), REPORTS[report].title
    return reverse("reports"), _("Reports")  # one that a later release has no more
