"""What the page keeps of its rows: they pass some thousands at a time, and numbers stay.

How many rows have each value is enough for a median too, so that what is kept grows with the clinics and not with the
referrals.
"""

from bisect import insort
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import NamedTuple
from uuid import UUID

from referrals.reports.cases import Case
from referrals.reports.steps import passed, stop_of

NUDGES = 6


class Group(NamedTuple):
    """Rows that no table of the page tells apart."""

    sent: bool
    clinic: UUID | None
    path: str


@dataclass
class Tally:
    """Of some rows, by how many of them: the tests that hold together, and the values that medians are made of."""

    held: Counter[tuple[str, ...]] = field(default_factory=Counter)
    days: Counter[int] = field(default_factory=Counter)
    """From sending to the first infusion."""
    before: Counter[float] = field(default_factory=Counter)
    after: Counter[float] = field(default_factory=Counter)
    """Scores, of rows that have both."""

    def add(self, row: Case) -> None:
        codes = passed(row)
        self.held[codes] += 1
        if row.days_to_first is not None:
            self.days[row.days_to_first] += 1
        if "compared" in codes and row.before is not None and row.after is not None:
            self.before[row.before] += 1
            self.after[row.after] += 1

    @cached_property
    def count(self) -> Counter[str]:
        """Of how many of these rows each test holds. Asked when all are added."""
        found = Counter[str]()
        for codes, count in self.held.items():
            found.update(dict.fromkeys(codes, count))
        return found


def together(tallies: Iterable[Tally]) -> Tally:
    found = Tally()
    for each in tallies:
        found.held.update(each.held)
        found.days.update(each.days)
        found.before.update(each.before)
        found.after.update(each.after)
    return found


class Tallies:
    """Everything that is counted of the rows of a report."""

    def __init__(self, rows: Iterable[Case], at: datetime) -> None:
        """`rows` come oldest flag first."""
        self.groups: dict[Group, Tally] = {}
        self.stops = Counter[str]()
        self.waiting_since: datetime | None = None
        """The oldest flag without a decision."""
        self.late: list[Case] = []
        """Referrals that wait for the clinic and whose clock ran out first."""
        self.late_count = 0
        for row in rows:
            group = Group(row.sent_at is not None, row.clinic, row.path)
            if (tally := self.groups.get(group)) is None:
                tally = self.groups[group] = Tally()
            tally.add(row)
            if row.leads:
                self.stops[stop_of(row)] += 1
                if self.waiting_since is None and "undecided" in passed(row):
                    self.waiting_since = row.flagged_at
            if row.sent_at and not row.ended and row.due_at and row.due_at <= at:
                self.late_count += 1
                insort(self.late, row, key=lambda each: each.due_at or at)
                del self.late[NUDGES:]
