"""The rows of the referral report: one for each flag that led to no referral, and one for each clinic that was asked.

Whatever the page counts, it counts these rows; whatever a number opens, or a file holds, are these rows. They are made
from cards, decisions and status changes that stand (a corrected one does not), in six queries whatever their number.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db.models import Exists, OuterRef, QuerySet

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


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose rows, and the flags of which days: from `start` until just before `end`."""

    clients: QuerySet[Client]
    start: datetime
    end: datetime
    zone: str

    def weeks(self) -> Iterator["Scope"]:
        """The same rows in pieces that fit in memory."""
        start = self.start
        while start < self.end:
            end = min(start + timedelta(days=7), self.end)
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
    before_sign: bool | None = None
    after_sign: bool | None = None
    leads: bool = False
    """Of the rows of one flag, the one that went furthest: the funnel counts a flag once."""
    steps: int = 0
    """Of the funnel that it has reached; 0 until somebody asks (referrals/reports/steps.py)."""

    @property
    def key(self) -> UUID:
        return self.referral or self.root

    @property
    def days_to_first(self) -> int | None:
        if self.sent_at is None or self.first_on is None:
            return None
        return max((self.first_on - self.sent_at.date()).days, 0)

    @property
    def change(self) -> Change:
        return change(load(MEASURE), self.before, self.after)


def supporting() -> dict[str, str]:
    """The rules that speak for a path elsewhere: id and reason, in the order of the table."""
    return {rule.id: rule.reason for rule in table.rules() if set(rule.supports).intersection(ELSEWHERE)}


def cases(scope: Scope) -> list[Case]:
    """Every row in scope, oldest flag first.

    What follows a flag is read from its first day on and joined here: said in SQL it is an OR of sub-selects, which
    PostgreSQL walks row by row.
    """
    clients, start, end = scope.clients.order_by().values("pk"), scope.start, scope.end
    cards = Suggestion.objects.filter(client__in=clients, opened_at__gte=start, opened_at__lt=end).exclude(
        state=Suggestion.State.SUPERSEDED
    )
    decisions = Decision.objects.filter(client__in=clients, at__gte=start)
    referrals = Referral.objects.filter(client__in=clients, created_at__gte=start).exclude(closed_why=DISCARDED)
    rows = _begun(cards, decisions, referrals, end)
    sent = [row for row in rows if row.referral]
    if sent:
        asked = referrals.order_by().values("pk")
        zone = ZoneInfo(scope.zone)
        _tell(sent, asked, zone)
        _score(sent, referrals)
        for row in sent:
            row.sent_at = row.sent_at and row.sent_at.astimezone(zone)
    return sorted(rows, key=lambda row: (row.flagged_at, row.sent_at or row.flagged_at, str(row.key)))


_WHO = {"site": "client__site_id", "therapist": "client__therapist_id", "number": "client__number"}


def _begun(cards: Any, decisions: Any, referrals: Any, end: datetime) -> list[Case]:
    """The rows as far as the practice's own acts make them: cards, decisions, referrals."""
    known = set(supporting())
    roots: dict[UUID, dict[str, Any]] = {}
    shared = ("pk", "client_id", "client__site_id", "client__therapist_id", "client__number")
    for card in cards.order_by().values(*shared, "suggested", "rules", "opened_at", "reviewed_at"):
        rules = tuple(rule["id"] for rule in card["rules"] if rule["id"] in known)
        roots[card["pk"]] = _of(card) | {
            "path": card["suggested"], "flagged_at": card["opened_at"], "rules": rules,
            "decided_at": card["reviewed_at"],
        }  # fmt: skip
    root_of: dict[UUID, UUID] = {}
    for found in decisions.order_by("at").values(*shared, "suggestion_id", "choice", "said", "urgency", "at"):
        unasked = found["suggestion_id"] is None and found["choice"] in Decision.REFERS and found["at"] < end
        if not unasked and found["suggestion_id"] not in roots:
            continue
        root = root_of[found["pk"]] = found["suggestion_id"] or found["pk"]
        roots.setdefault(root, _of(found) | {"path": found["choice"], "flagged_at": found["at"]})
        roots[root] |= {
            "decided_at": found["at"], "choice": found["choice"], "said": found["said"], "urgency": found["urgency"],
        }  # fmt: skip
    asked: dict[UUID, list[Case]] = defaultdict(list)
    columns = ("number", "attempt", "decision_id", "path", "destination_id", "state", "urgency", "created_at",
               "sent_at", "visit_at", "client_said", "closed_at", "due_at")  # fmt: skip
    letter = Exists(Letter.objects.filter(referral=OuterRef("pk"), is_outcome=True))
    for row in referrals.order_by().annotate(letter=letter).values(*shared, *columns, "letter"):
        undecided = row["decision_id"] is None and row["created_at"] < end and row["state"] != State.DRAFT
        if not undecided and row["decision_id"] not in root_of:
            continue
        root = root_of.get(row["decision_id"], row["pk"])
        begun = roots.get(root) or _of(row) | {"flagged_at": row["created_at"], "decided_at": row["created_at"]}
        asked[root].append(_asked(root, begun, row))
    alone = [
        Case(root=root, **begun) for root, begun in roots.items() if root not in asked and begun["path"] in ELSEWHERE
    ]
    return alone + [row for rows in asked.values() for row in rows]


def _of(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "client": row["client_id"], "site": row["client__site_id"], "therapist": row["client__therapist_id"],
        "code": f"CH-{row['client__number']:04d}",
    }  # fmt: skip


def _asked(root: UUID, begun: dict[str, Any], row: dict[str, Any]) -> Case:
    attempt = "" if row["attempt"] == 1 else f"-{chr(ord('A') + row['attempt'] - 1)}"
    own = {
        "path": row["path"], "referral": row["pk"], "code": f"{begun['code']}-{row['number']}{attempt}",
        "clinic": row["destination_id"], "state": row["state"], "urgency": row["urgency"], "sent_at": row["sent_at"],
        "ended": row["closed_at"] is not None or row["state"] in TERMINAL, "visit_at": row["visit_at"],
        "client_said": row["client_said"], "due_at": row["due_at"], "letter": row["letter"],
    }  # fmt: skip
    return Case(root=root, **(begun | own))


def _tell(rows: Sequence[Case], asked: Any, zone: ZoneInfo) -> None:
    """What the status changes that stand say of each referral: the answer, the visits, how the course stands."""
    by_referral = {row.referral: row for row in rows}
    sessions: dict[UUID, dict[UUID, date]] = defaultdict(dict)
    # Not corrected_by=None: SQLite joins that by reading every change for every change, when few were corrected.
    standing = StatusChange.objects.filter(
        referral__in=asked, event__in=(Event.ACCEPT, Event.DECLINE, Event.VISIT)
    ).exclude(pk__in=StatusChange.objects.exclude(corrects=None).order_by().values("corrects"))
    columns = ("referral_id", "event", "happened_at", "reason", "session_id", "session__on", "session__is_maintenance")
    for each in standing.order_by("number").values_list(*columns):
        referral, event, at, reason, session, on, is_maintenance = each
        row = by_referral.get(referral)
        if row is None:
            continue
        if event == Event.ACCEPT:
            row.accepted_at = row.accepted_at or at
        elif event == Event.DECLINE:
            row.declined_at, row.reason = at, reason
        elif not is_maintenance:
            sessions[referral][session or referral] = on or at.astimezone(zone).date()
    for referral, days in sessions.items():
        row = by_referral[referral]
        row.first_on, row.last_on, row.given = min(days.values()), max(days.values()), len(days)
    for referral, planned, state in Course.objects.filter(referral__in=asked).values_list(
        "referral_id", "planned", "state"
    ):
        if (row := by_referral.get(referral)) is None:
            continue
        row.planned, row.stopped = planned, state == Course.State.STOPPED


def _score(rows: Sequence[Case], referrals: Any) -> None:
    """The last score up to the first infusion, and the last one within two weeks after the last."""
    started: dict[UUID, list[Case]] = defaultdict(list)
    for row in rows:
        if row.first_on is not None:
            started[row.client].append(row)
    if not started:
        return
    visited = referrals.filter(changes__event=Event.VISIT).order_by().values("client")
    scores = Assessment.objects.filter(client__in=visited, instrument=MEASURE, total__isnull=False)
    columns = ("client_id", "taken_on", "total", "safety")
    for client, on, total, sign in scores.order_by("taken_at").values_list(*columns):
        for row in started.get(client, ()):
            assert row.first_on is not None and row.last_on is not None
            if on <= row.first_on:
                row.before, row.before_sign = float(total), sign
            elif row.last_on < on <= row.last_on + timedelta(days=follow_up.OUTCOME_WITHIN_DAYS):
                row.after, row.after_sign = float(total), sign
