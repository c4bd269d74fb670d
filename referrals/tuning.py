"""What other numbers in the decision table would have done with the answers of the last 90 days.

Each card that opened is weighed on the picture it kept; a form that opened none, on what was known when it was sent.
"""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import Exists, OuterRef, QuerySet

from intake.models import Intake
from practice import coverage
from practice.clinical import fit, table
from practice.models import Practice
from referrals import picture
from referrals.actions.suggestions import is_worth_a_card
from referrals.models import Decision, Suggestion

DAYS = 90
GONE, NEW, OTHER = "gone", "new", "other"


@dataclass(frozen=True, slots=True)
class Case:
    """One time that the table was asked: what was known, and the card that came of it."""

    client: UUID
    at: datetime
    card: UUID | None
    inputs: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Turn:
    """A case that would have ended otherwise: its card gone, new, or suggesting another path."""

    case: Case
    kind: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Effect:
    """Cards with the numbers of today and with those that are tried, and what changes between them."""

    asked: int
    before: int
    after: int
    turns: tuple[Turn, ...]

    def count(self, kind: str) -> int:
        return sum(turn.kind == kind for turn in self.turns)


def since(at: datetime) -> datetime:
    return at - timedelta(days=DAYS)


def cases(clients: Any, at: datetime, practice: Practice) -> Iterator[Case]:
    """Every time in the last 90 days that the table was asked about one of these clients."""
    cards = Suggestion.objects.filter(client__in=clients, opened_at__gt=since(at), opened_at__lte=at)
    for card in cards.only("client_id", "opened_at", "picture").iterator(chunk_size=500):
        yield Case(card.client_id, card.opened_at, card.pk, _told((card.picture or {}).get("inputs", {})))
    silent = (
        Intake.objects.filter(client__in=clients, submitted_at__gt=since(at), submitted_at__lte=at)
        .exclude(Exists(Suggestion.objects.filter(intake_id=OuterRef("pk"))))
        .order_by("client_id")
        .select_related("client")
    )
    for sent in silent.iterator(chunk_size=500):
        assert sent.submitted_at is not None  # by the query
        day = coverage.local(sent.submitted_at, practice).date()
        known = picture.known(sent.client, day, until=sent.submitted_at)
        yield Case(sent.client_id, sent.submitted_at, None, known.inputs)


def _told(inputs: dict[str, Any]) -> dict[str, Any]:
    """What an older picture holds and the table of today still takes."""
    return {name: value for name, value in inputs.items() if picture.fits(name, value)}


def weigh(found: Iterable[Case], *, before: table.Overrides, after: table.Overrides) -> Effect:
    """Ask the table about each case with both sets of numbers. Pure."""
    touched = [table.rule(rule_id) for rule_id in {*before, *after} if before.get(rule_id) != after.get(rule_id)]
    asked, opened, would_open, turns = 0, 0, 0, []
    for case in found:
        asked += 1
        then = is_worth_a_card(case.inputs, before)
        now = is_worth_a_card(case.inputs, after)
        opened, would_open = opened + then, would_open + now
        if then != now:
            turns.append(Turn(case, NEW if now else GONE, "", ""))
        elif now and any(_says_else(rule, case.inputs, before, after) for rule in touched):
            old, new = (fit.decide(case.inputs, overrides=numbers).suggested for numbers in (before, after))
            if old != new:
                turns.append(Turn(case, OTHER, old, new))
    return Effect(asked, opened, would_open, tuple(turns))


def _says_else(rule: table.Rule, inputs: table.Picture, before: table.Overrides, after: table.Overrides) -> bool:
    then, now = (table.evaluate(table.tuned(rule, numbers), inputs) for numbers in (before, after))
    return then != now


def counts(effect: Effect) -> dict[str, int]:
    """The numbers of a preview, as they are kept: with how many decisions the cards led to that would be gone."""
    gone = [turn.case.card for turn in effect.turns if turn.kind == GONE and turn.case.card]
    return {
        "asked": effect.asked,
        "before": effect.before,
        "after": effect.after,
        "gone": effect.count(GONE),
        "new": effect.count(NEW),
        "other": effect.count(OTHER),
        "decided": decisions(gone).count(),
    }


def decisions(cards: Collection[UUID]) -> QuerySet[Decision]:
    return Decision.objects.filter(suggestion__in=cards)


def decided(cards: Collection[UUID]) -> set[UUID]:
    """Those of these cards that led to a decision."""
    return set(decisions(cards).values_list("suggestion_id", flat=True))
