"""The rows of the report as a file: the same as the list, in the same order, and nothing that was written freely."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from practice.models import Client, Site, User
from practice.sheets import Cell
from referrals.actions.acts import WhyNot
from referrals.models import Decision, Destination, Path
from referrals.reports import steps
from referrals.reports.cases import Case
from referrals.reports.filters import Asked
from referrals.states import State

LONGEST = {"csv": 20_000, "xlsx": 2_000}  # rows that are made while somebody waits


@dataclass(frozen=True)
class Column:
    words: str | Promise
    value: Callable[["Lines", Case], Cell]
    clinical: bool = False
    names: bool = False
    anybody: bool = False
    """Also where the rows are shown without whose they are."""


def _day(name: str) -> Callable[["Lines", Case], Cell]:
    return lambda lines, row: lines.day(getattr(row, name))


def _label(choices: Any, name: str) -> Callable[["Lines", Case], Cell]:
    def value(lines: "Lines", row: Case) -> Cell:
        code = getattr(row, name)
        return lines.words[choices].get(code, code)

    return value


CHOICES: tuple[Any, ...] = (Path, Decision.Choice, Decision.Urgency, State, WhyNot)


def _score(name: str) -> Callable[["Lines", Case], Cell]:
    return lambda lines, row: getattr(row, name)


COLUMNS: tuple[Column, ...] = (
    Column(_("Reference"), lambda lines, row: row.code),
    Column(_("Name"), lambda lines, row: lines.client(row).name, names=True),
    Column(_("Born"), lambda lines, row: lines.client(row).birth_date, names=True),
    Column(_("Phone"), lambda lines, row: lines.client(row).phone, names=True),
    Column(_("Site"), lambda lines, row: lines.sites.get(row.site, ""), anybody=True),
    Column(_("Therapist"), lambda lines, row: lines.people.get(row.therapist, "")),
    Column(_("Month of the flag"), lambda lines, row: lines.month(row.flagged_at), anybody=True),
    Column(_("Flagged on"), _day("flagged_at"), clinical=True),
    Column(_("Rules"), lambda lines, row: " ".join(row.rules), clinical=True),
    Column(_("Path"), _label(Path, "path"), anybody=True),
    Column(_("Decided on"), _day("decided_at"), clinical=True),
    Column(_("Decision"), _label(Decision.Choice, "choice"), clinical=True),
    Column(_("Clinic"), lambda lines, row: lines.clinics.get(row.clinic, "")),
    Column(_("Urgency"), _label(Decision.Urgency, "urgency")),
    Column(_("Status"), _label(State, "state")),
    Column(_("Sent on"), _day("sent_at")),
    Column(_("Accepted on"), _day("accepted_at")),
    Column(_("Declined on"), _day("declined_at")),
    Column(_("Why declined"), _label(WhyNot, "reason")),
    Column(_("First infusion on"), lambda lines, row: row.first_on),
    Column(_("Days from sending to first infusion"), lambda lines, row: row.days_to_first),
    Column(_("Infusions given"), lambda lines, row: row.given if row.first_on else None),
    Column(_("Infusions planned"), lambda lines, row: row.planned if row.accepted_at else None),
    Column(_("Last infusion on"), lambda lines, row: row.last_on),
    Column(_("Report received back"), lambda lines, row: lines.yes_or_no(row.letter) if row.sent_at else ""),
    Column(_("PHQ-9 before"), _score("before"), clinical=True),
    Column(_("PHQ-9 after"), _score("after"), clinical=True),
    Column(_("Went no further because"), lambda lines, row: lines.stops.get(steps.stop_of(row), ""), clinical=True),
)


class Lines:
    """The columns that this person may have, and what stands in them."""

    def __init__(self, asked: Asked, *, names: bool) -> None:
        reads, nameless = asked.seen.reads, not asked.seen.reads and asked.clinical
        self.asked, self.names = asked, names and not nameless
        self.zone = ZoneInfo(asked.practice.zone)
        self.columns = [
            column
            for column in COLUMNS
            if (reads or not column.clinical) and (self.names or not column.names) and (column.anybody or not nameless)
        ]
        self.head = [str(column.words) for column in self.columns]
        self.sites: dict[int, str] = dict(Site.objects.values_list("pk", "name"))
        self.people: dict[UUID | None, str] = dict(User.objects.values_list("pk", "name"))
        self.clinics: dict[UUID | None, str] = dict(Destination.objects.values_list("pk", "name"))
        self.words: dict[Any, dict[str, str]] = {
            choices: {code: str(label) for code, label in choices.choices} for choices in CHOICES
        }
        self.stops: dict[str, str] = {code: str(stop.words) for code, stop in steps.STOPS.items()}
        self.said = {True: str(_("yes")), False: str(_("no"))}
        self.clients: dict[UUID, Client] = {}

    def of(self, rows: Iterable[Case], size: int = 500) -> Iterator[list[Cell]]:
        """The lines of these rows. Names are opened a few hundred at a time."""
        some: list[Case] = []
        for row in rows:
            some.append(row)
            if len(some) == size:
                yield from self._lines(some)
                some = []
        yield from self._lines(some)

    def _lines(self, rows: list[Case]) -> Iterator[list[Cell]]:
        if self.names:
            self.clients = Client.objects.in_bulk({row.client for row in rows})
        for row in rows:
            # That somebody was flagged, and not referred, is for those who read charts.
            whose = self.asked.seen.reads or row.sent_at is not None
            yield [column.value(self, row) if whose or column.anybody else "" for column in self.columns]

    def client(self, row: Case) -> Client:
        return self.clients[row.client]

    def day(self, at: datetime | None) -> Cell:
        return at.astimezone(self.zone).date() if at else None

    def month(self, at: datetime) -> str:
        return f"{at.astimezone(self.zone):%Y-%m}"

    def yes_or_no(self, value: bool) -> str:
        return self.said[value]
