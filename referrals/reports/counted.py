"""Reports as data: which rows, which of them each number counts, and what of it somebody may see.

A number is the rows for which its Line holds, so what it opens and what a file says cannot differ from it. Lines stand
in chains, each within the one before. Who reads the charts of the clients sees every number. For everybody else, and in
files over several caseloads, a number is left out when it, or what lies between it and the one before, is of so few
people that it would tell on one of them (security check 11).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cached_property
from typing import Any
from uuid import UUID

from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from practice.access import GRANTS, Permission
from practice.words import days_long
from referrals.reports.days import YEAR_DAYS, Days
from referrals.reports.figures import TOO_FEW, quartiles
from referrals.reports.steps import FEWEST

Words = str | Promise


@dataclass(kw_only=True)
class Row:
    """One thing that is counted. `told` says of it what may be said to who reads the chart; never a name."""

    client: UUID | None
    site: int | None
    therapist: UUID | None
    at: datetime | date
    url: str
    told: str


@dataclass(frozen=True, slots=True)
class Line:
    words: Words
    holds: Callable[[Any], bool]
    sees: Permission = Permission.READ_CHART
    """Who may do this for the clients sees the number and whose rows they are, however few."""


@dataclass(frozen=True, slots=True)
class Table:
    title: Words
    first: Words
    """Head of the column of words."""
    chains: tuple[tuple[str, ...], ...]
    """Codes of lines, each line within the one before."""
    parts: tuple[tuple[str, ...], ...] = ()
    """Codes of a line, and of those that it falls into."""
    medians: tuple["Middle", ...] = ()
    if_any: bool = False
    """Left out when the first of its parts is nothing at all."""


@dataclass(frozen=True, slots=True)
class Middle:
    """A median with its middle half."""

    title: Words
    value: Callable[[Any], float | None]
    say: Callable[[float], str]


@dataclass(frozen=True)
class Kind:
    code: str
    title: Words
    about: Words
    rows: Callable[[Days, datetime], Sequence[Row]]
    lines: Mapping[str, Line]
    tables: Sequence[Table]
    middles: Sequence[Middle]
    first: str
    """The line whose number stands in the list of reports."""
    how: Sequence[Words]
    sees: Permission = Permission.SEE_REPORTS
    days: int = YEAR_DAYS
    choose_therapist: Permission = Permission.SEE_REPORTS
    """Who may ask for one therapist alone."""


REPORTS: dict[str, Kind] = {}  # filled as the apps load, those above us too


@dataclass(frozen=True, slots=True)
class Number:
    """`url` opens its rows; "" where there are none to open. Left out when `hidden`."""

    count: int
    url: str = ""
    hidden: bool = False
    said: str = ""
    """A median in words, where it is no count."""

    def __str__(self) -> str:
        return str(TOO_FEW) if self.hidden else self.said or str(self.count)


def may_show(chain: Sequence[int]) -> list[bool]:
    """Which numbers of a chain tell on nobody: not few, and not few short of the last one shown before it."""
    shown, last = [], None
    for count in chain:
        good = (count == 0 or count >= FEWEST) and (last is None or last == count or last - count >= FEWEST)
        shown.append(good)
        last = count if good else last
    return shown


def may_show_parts(whole: int, parts: Sequence[int]) -> list[bool]:
    """Which numbers tell on nobody, the whole first: not few; and those left out are not few together."""
    if 0 < whole < FEWEST:
        return [False, *(part == 0 for part in parts)]
    hidden = {n for n, part in enumerate(parts) if 0 < part < FEWEST}
    while 0 < sum(parts[n] for n in hidden) < FEWEST:
        left = [n for n, part in enumerate(parts) if part and n not in hidden]
        hidden.add(min(left, key=lambda n: parts[n]))
    return [True, *(n not in hidden for n in range(len(parts)))]


@dataclass(frozen=True)
class Counted:
    kind: Kind
    days: Days
    at: datetime
    url: str
    """The path of the list of rows."""
    for_file: bool = False
    found: Sequence[Row] | None = field(default=None, repr=False)

    @cached_property
    def rows(self) -> Sequence[Row]:
        return self.kind.rows(self.days, self.at) if self.found is None else self.found

    @cached_property
    def _across(self) -> bool:
        return len({row.therapist for row in self.rows}) > 1

    def sees(self, code: str) -> bool:
        """Whether every number of this line may be seen, and whose rows they are."""
        needed, reads = self.kind.lines[code].sees, self.days.seen.reads
        if needed == Permission.SEE_REPORTS:
            return True  # of nobody: a drill
        if self.for_file and (self._across or not reads):
            return False
        counting = [GRANTS[role] for role in self.days.user.roles if Permission.SEE_REPORTS in GRANTS[role]]
        return reads or all(needed in granted for granted in counting)

    def of(self, code: str) -> list[Row]:
        """The rows of this line by their days; those of a day as they come."""
        holds = self.kind.lines[code].holds
        return sorted((row for row in self.rows if holds(row)), key=lambda row: self.days.day_of(row.at))

    @cached_property
    def numbers(self) -> dict[str, Number]:
        counts = {code: sum(1 for row in self.rows if line.holds(row)) for code, line in self.kind.lines.items()}
        hidden = {code for codes, shown in self._judged(counts) for code, good in zip(codes, shown, strict=True)
                  if not good and not self.sees(code)}  # fmt: skip
        return {
            code: Number(count, hidden=True)
            if code in hidden
            else Number(count, self.days.url(self.url, line=code) if count else "")
            for code, count in counts.items()
        }

    def _judged(self, counts: Mapping[str, int]) -> Iterator[tuple[Sequence[str], list[bool]]]:
        for table in self.kind.tables:
            for codes in table.chains:
                yield codes, may_show([counts[code] for code in codes])
            for codes in table.parts:
                yield codes, may_show_parts(counts[codes[0]], [counts[code] for code in codes[1:]])

    def tables(self) -> list[dict[str, Any]]:
        return [
            {"title": table.title, "first": table.first, "lines": list(self._lines(table))}
            for table in self.kind.tables
            if not table.if_any or self.numbers[table.parts[0][0]].count
        ]

    def _lines(self, table: Table) -> Iterator[dict[str, Any]]:
        said = set()
        for chain in (*table.parts, *table.chains):
            whole = self.numbers[chain[0]]
            for code in chain:
                if code not in said:
                    said.add(code)
                    number = self.numbers[code]
                    yield {
                        "code": code,
                        "words": self.kind.lines[code].words,
                        "number": number,
                        "share": "" if code == chain[0] else share(number, whole),
                    }

        for middle in table.medians:
            found = self._quartiles(middle)
            number = Number(0, said=middle.say(found[1])) if found else Number(0, hidden=True)
            yield {"code": "", "words": middle.title, "number": number, "share": ""}

    def _quartiles(self, middle: Middle) -> tuple[float, float, float] | None:
        values = [value for row in self.rows if (value := middle.value(row)) is not None]
        return quartiles(values)  # type: ignore[arg-type]

    def middles(self) -> list[dict[str, Any]]:
        found = []
        for middle in self.kind.middles:
            three = self._quartiles(middle)
            found.append(
                {
                    "label": middle.title,
                    "value": middle.say(three[1]) if three else str(TOO_FEW),
                    "words": gettext("Median. Middle half {low} to {high}.").format(
                        low=middle.say(three[0]), high=middle.say(three[2])
                    )
                    if three
                    else gettext("A median needs {n} or more.").format(n=FEWEST),
                }
            )
        return found

    def lines(self) -> Iterator[list[str | int]]:
        """The page as a table for a file: part, what is counted, number, share."""
        for table in self.tables():
            for line in table["lines"]:
                number = line["number"]
                value = str(number) if number.hidden or number.said else number.count
                yield [str(table["title"]), str(line["words"]), value, line["share"]]
        for middle in self.middles():
            yield [str(middle["label"]), str(middle["words"]), middle["value"], ""]


def share(part: Number, whole: Number) -> str:
    if part.hidden or whole.hidden or whole.count < FEWEST:
        return ""
    return f"{round(100 * part.count / whole.count)}%"


def minutes_said(minutes: float) -> str:
    """Minutes in the unit that people say: 11 min, 3 hours, 2.5 days."""
    if minutes < 120:
        return gettext("{n} min").format(n=f"{minutes:g}")
    return days_long(minutes / 60 / 24)


HEAD: tuple[Words, ...] = (_("Part"), _("What is counted"), _("Number"), _("Share"))
