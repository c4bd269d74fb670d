"""The rows of the referral report: one for each flag that led to no referral, and one for each clinic that was asked.

Whatever the page counts, it counts these rows; whatever a number opens, or a file holds, are these rows. They are made
from cards, decisions and status changes that stand (a corrected one does not), in ten queries, four more for each
10,000 decisions. What they read follows the flags of these days, so a week costs a week, however much came before it.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from copy import copy
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from operator import itemgetter
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db.models import Exists, Model, OuterRef, QuerySet

from intake.models import Assessment
from practice.clinical import follow_up, table
from practice.clinical.change import Change, change
from practice.clinical.instrument import load
from practice.models import Client
from referrals.actions.drafts import DISCARDED
from referrals.models import Course, Decision, Letter, Path, Referral, StatusChange, Suggestion
from referrals.states import TERMINAL, Event, State

ELSEWHERE: tuple[str, ...] = (Path.INFUSION, Path.PAIN, Path.AT_HOME)
MEASURE = "phq-9"
KEYS = 10_000  # in one statement
FLAGS = 3_000  # in one piece: from some 5,000 on PostgreSQL reads every status change of a large practice
# With what a row begins, and when.
BEGINNINGS: tuple[tuple[type[Model], str], ...] = (
    (Suggestion, "opened_at"), (Decision, "at"), (Referral, "created_at"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose rows, and the flags of which days: from `start` until just before `end`."""

    clients: QuerySet[Client]
    start: datetime
    end: datetime
    zone: str

    def theirs(self, path: str = "") -> Exists:
        """What is of these clients, asked of what the days find. Of a list of clients SQLite reads all they have."""
        return Exists(self.clients.order_by().filter(pk=OuterRef(f"{path}client_id")))

    def days(self, name: str) -> dict[str, datetime]:
        return {f"{name}__gte": self.start, f"{name}__lt": self.end}

    def weeks(self) -> Iterator["Scope"]:
        """The same rows in pieces that stay the same whatever comes in."""
        start = self.start
        while start < self.end:
            end = min(start + timedelta(days=7), self.end)
            yield Scope(self.clients, start, end, self.zone)
            start = end

    def pieces(self) -> Iterator["Scope"]:
        """The same rows in pieces that fit in memory: each of FLAGS more than what began in its first moment."""
        start = self.start
        while start < self.end:
            ends = [self.end]
            for model, name in BEGINNINGS:
                later = model.objects.filter(**{f"{name}__gt": start, f"{name}__lt": self.end})  # type: ignore[attr-defined]
                ends += later.order_by(name).values_list(name, flat=True)[FLAGS : FLAGS + 1]
            end = min(ends)
            yield Scope(self.clients, start, end, self.zone)
            start = end


@dataclass(slots=True)
class Case:
    """One row. What is not known or has not happened is None, "" or False."""

    root: UUID
    """Of the flag, shared by the clinics that were asked one after the other."""
    client: UUID
    site: int
    therapist: UUID | None
    path: str
    flagged_at: datetime
    rules: tuple[str, ...] = ()
    """Those that fired and speak for a path elsewhere; empty when a clinician began it."""
    decided_at: datetime | None = None
    choice: str = ""
    said: str = ""
    referral: UUID | None = None
    code: str = ""
    """The reference, from the client's number."""
    clinic: UUID | None = None
    state: str = ""
    urgency: str = ""
    sent_at: datetime | None = None
    accepted_at: datetime | None = None
    declined_at: datetime | None = None
    reason: str = ""
    """Code of WhyNot."""
    ended: bool = False
    """Put away, taken back, declined or completed."""
    visit_at: datetime | None = None
    client_said: str = ""
    due_at: datetime | None = None
    first_on: date | None = None
    last_on: date | None = None
    given: int = 0
    planned: int = 0
    stopped: bool = False
    letter: bool = False
    before: float | None = None
    after: float | None = None
    days_to_first: int | None = None
    """From the day it was sent, where the practice is."""
    leads: bool = False
    """Of the rows of one flag, the one that went furthest: the funnel counts a flag once."""
    steps: int = 0
    """Of the funnel that it has reached; 0 until somebody asks (referrals/reports/steps.py)."""
    passes: tuple[str, ...] | None = None
    """The tests that hold of it, by code; None until they are counted."""

    @property
    def key(self) -> UUID:
        return self.referral or self.root

    @property
    def change(self) -> Change:
        return change(load(MEASURE), self.before, self.after)


def supporting() -> dict[str, str]:
    """The rules that speak for a path elsewhere: id and reason, in the order of the table."""
    return {rule.id: rule.reason for rule in table.rules() if set(rule.supports).intersection(ELSEWHERE)}


def cases(scope: Scope) -> list[Case]:
    """Every row in scope, oldest flag first."""
    rows, ways = _begun(scope)
    by_referral = {row.referral: row for row in rows if row.referral}
    if by_referral:
        _tell(by_referral, scope, [{f"referral__{name}": value for name, value in way.items()} for way in ways])
        _score(row for row in rows if row.first_on is not None)
    return sorted(rows, key=lambda row: (row.flagged_at, row.sent_at or row.flagged_at, row.key.int))


Way = dict[str, Any]
"""A condition by which rows are found."""


def _read(rows: QuerySet[Any], ways: Iterable[Way], *columns: Any) -> Iterator[Any]:
    """What is found in each way, one statement for each: said as one OR, a database walks every row."""
    for way in ways:
        yield from rows.filter(**way).order_by().values_list(*columns)


def _any_of(name: str, keys: Iterable[UUID]) -> list[Way]:
    found = list(keys)
    return [{f"{name}__in": found[at : at + KEYS]} for at in range(0, len(found), KEYS)]


def _begun(scope: Scope) -> tuple[list[Case], list[Way]]:
    """The rows as far as the practice's own acts make them, and in which ways their referrals are found."""
    theirs, known = scope.theirs(), set(supporting())
    whose = ("pk", "client_id", "client__site_id", "client__therapist_id", "client__number")
    roots: dict[UUID, Case] = {}
    cards = Suggestion.objects.filter(theirs, **scope.days("opened_at")).exclude(state=Suggestion.State.SUPERSEDED)
    columns = (*whose, "suggested", "opened_at", "rules", "reviewed_at")
    found = cards.order_by().values_list(*columns)
    for pk, client, site, therapist, number, path, opened_at, fired, reviewed_at in found:
        rules = tuple(rule["id"] for rule in fired if rule["id"] in known)
        roots[pk] = Case(pk, client, site, therapist, path, opened_at, rules, reviewed_at, code=_code(number))
    root_of: dict[UUID, UUID] = {}
    own = {"suggestion": None, "choice__in": Decision.REFERS, **scope.days("at")}
    ways = [own, *_any_of("suggestion", roots)]
    decisions = _read(Decision.objects.filter(theirs), ways, "at", *whose, "suggestion_id", "choice", "said", "urgency")
    for at, pk, client, site, therapist, number, card, choice, said, urgency in sorted(decisions, key=itemgetter(0, 1)):
        root = root_of[pk] = card or pk
        if (row := roots.get(root)) is None:
            row = roots[root] = Case(root, client, site, therapist, choice, at, code=_code(number))
        row.decided_at, row.choice, row.said, row.urgency = at, choice, said, urgency
    rows, asked = list[Case](), set[UUID]()
    ways = [{"decision": None, **scope.days("created_at")}, *_any_of("decision", root_of)]
    letter = Exists(Letter.objects.filter(referral=OuterRef("pk"), is_outcome=True))
    referrals = Referral.objects.filter(theirs).exclude(closed_why=DISCARDED)
    facts = ("path", "created_at", "number", "attempt", "decision_id", "destination_id", "state", "urgency", "sent_at",
             "visit_at", "client_said", "closed_at", "due_at")  # fmt: skip
    for (
        pk, client, site, therapist, of_client, path, created_at, number, attempt, decision, clinic, state, urgency,
        sent_at, visit_at, client_said, closed_at, due_at, has_letter,
    ) in _read(referrals, ways, *whose, *facts, letter):  # fmt: skip
        if decision is None:
            if state == State.DRAFT:
                continue
            row = Case(pk, client, site, therapist, path, created_at, decided_at=created_at)
        else:
            root = root_of[decision]
            row = copy(roots[root]) if root in asked else roots[root]
            asked.add(root)
        row.referral, row.path, row.clinic, row.state, row.urgency = pk, path, clinic, state, urgency
        row.code = f"{_code(of_client)}-{number}" + ("" if attempt == 1 else f"-{chr(ord('A') + attempt - 1)}")
        row.sent_at, row.visit_at, row.client_said, row.due_at = sent_at, visit_at, client_said, due_at
        row.ended, row.letter = closed_at is not None or state in TERMINAL, has_letter
        rows.append(row)
    alone = (row for root, row in roots.items() if root not in asked and row.path in ELSEWHERE)
    return [*rows, *alone], ways


def _code(client: int) -> str:
    return f"CH-{client:04d}"


def _tell(rows: dict[UUID, Case], scope: Scope, ways: list[Way]) -> None:
    """What the status changes that stand say of each referral: the answer, the visits, how the course stands."""
    zone, theirs = ZoneInfo(scope.zone), scope.theirs("referral__")
    sessions: dict[UUID, dict[UUID, date]] = defaultdict(dict)
    # Not corrected_by=None: SQLite joins that by reading every change for every change, when few were corrected.
    corrected = Exists(StatusChange.objects.order_by().filter(corrects=OuterRef("pk")))
    standing = StatusChange.objects.filter(theirs, ~corrected, event__in=(Event.ACCEPT, Event.DECLINE, Event.VISIT))
    columns = ("referral_id", "event", "happened_at", "reason", "session_id", "session__on", "session__is_maintenance")
    changes = _read(standing, ways, "number", *columns)
    for _number, referral, event, at, reason, session, on, is_maintenance in sorted(changes, key=itemgetter(0)):
        row = rows.get(referral)
        if row is None:
            continue
        if event == Event.ACCEPT:
            row.accepted_at = row.accepted_at or at
        elif event == Event.DECLINE:
            row.declined_at, row.reason = at, reason
        elif not is_maintenance:
            sessions[referral][session or referral] = on or at.astimezone(zone).date()
    for referral, days in sessions.items():
        row = rows[referral]
        row.first_on, row.last_on, row.given = min(days.values()), max(days.values()), len(days)
        if row.sent_at is not None:
            row.days_to_first = max((row.first_on - row.sent_at.astimezone(zone).date()).days, 0)
    for referral, planned, state in _read(Course.objects.filter(theirs), ways, "referral_id", "planned", "state"):
        if (row := rows.get(referral)) is not None:
            row.planned, row.stopped = planned, state == Course.State.STOPPED


def _score(rows: Iterable[Case]) -> None:
    """Of rows that started: the last score up to the first infusion, and the last within two weeks after the last."""
    started: dict[UUID, list[Case]] = defaultdict(list)
    for row in rows:
        started[row.client].append(row)
    measured = Assessment.objects.filter(instrument=MEASURE, total__isnull=False)
    scores = _read(measured, _any_of("client", started), "taken_at", "total", "client_id", "taken_on")
    for _taken_at, total, client, on in sorted(scores, key=itemgetter(0, 1)):
        for row in started[client]:
            assert row.first_on is not None and row.last_on is not None
            if on <= row.first_on:
                row.before = float(total)
            elif row.last_on < on <= row.last_on + timedelta(days=follow_up.OUTCOME_WITHIN_DAYS):
                row.after = float(total)
