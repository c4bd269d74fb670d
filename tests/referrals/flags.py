"""Flags with what came of them, many at a time, by a script that counts for itself what a report must find."""

import random
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from intake.models import Assessment
from practice.clinical.instrument import load
from practice.models import Client, User
from referrals.actions.events import CORRECT
from referrals.models import Course, CourseSession, Decision, Destination, Letter, Referral, StatusChange, Suggestion
from referrals.states import Actor, Event, State
from tests.factories import NOW

PLANNED = 2  # infusions of a series here: enough to be under way, finished or stopped
# What may become of a flag, and how often of a hundred.
FATES = {
    "waiting": 4, "kap": 5, "watch": 4, "unsent": 3, "silent": 8, "mistaken": 3, "full": 7, "suicidal": 3,
    "taken_back": 4, "no_then_booked": 6, "booked": 8, "going": 8, "stopped": 7, "done": 10, "response": 12,
    "remission": 5, "no_better": 3,
}  # fmt: skip
SCORES = {"response": (20, 10), "remission": (16, 4), "no_better": (18, 17)}


@dataclass
class World:
    """The rows to write, and what a report has to count of them."""

    counts: Counter[str] = field(default_factory=Counter)
    stops: Counter[str] = field(default_factory=Counter)
    by_clinic: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    by_therapist: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    days: list[int] = field(default_factory=list)
    made: dict[type, list[Any]] = field(default_factory=lambda: defaultdict(list))

    def write(self) -> None:
        for model in (Suggestion, Decision, Referral, Course, CourseSession, StatusChange, Assessment, Letter):
            model.objects.bulk_create(self.made[model], batch_size=400)


def people(therapists: Sequence[User], each: int) -> list[Client]:
    """Clients with nothing about them but whose they are."""
    first = Client.objects.count() + 1000
    return Client.objects.bulk_create(
        [
            Client(
                number=first + n, site=therapist.sites.first(), therapist=therapist, created_at=NOW,
                status=Client.Status.ACTIVE,
            )
            for n, therapist in enumerate(t for t in therapists for _ in range(each))
        ]
    )  # fmt: skip


def flags(clients: Sequence[Client], clinics: Sequence[Destination], count: int, *, seed: int = 1) -> World:
    """`count` flags, spread over the clients and clinics and the last 300 days, each with one of the FATES."""
    dice, world, numbers = random.Random(seed), World(), Counter[Any]()
    for n in range(count):
        client, clinic = clients[n % len(clients)], clinics[n % len(clinics)]
        fate = dice.choices(list(FATES), list(FATES.values()))[0]
        at = NOW - timedelta(days=60 + n % 300)
        numbers[client.pk] += 1
        _flag(world, fate, client, clinic, clinics[(n + 1) % len(clinics)], at, numbers[client.pk], dice.randint(3, 30))
    return world


def one(world: World, fate: str, client: Client, clinic: Destination, *, days_ago: int) -> None:
    """One more flag with this fate, of a client that had none; sent five days before the first infusion."""
    _flag(world, fate, client, clinic, clinic, NOW - timedelta(days=days_ago), 1, 5)


def _flag(
    world: World, fate: str, client: Client, clinic: Destination, other: Destination, at: datetime, n: int, wait: int
) -> None:
    def count(*codes: str, where: Destination | None = None) -> None:
        world.counts.update(codes)
        world.by_therapist[str(client.therapist)].update(codes)
        if where is not None:
            world.by_clinic[where.name].update(codes)

    by, waits = client.therapist, fate == "waiting"
    card = Suggestion(
        client=client, state="reviewed", suggested="infusion_clinic", status="discuss", severity="routine",
        rules=[{"id": "IN-01", "version": "1"}], rules_version="1", opened_at=at, decide_by=at,
    )  # fmt: skip
    if not waits:  # a client has one open card at most, so one that waits is told by its review that is missing
        card.reviewed_at, card.reviewed_by = at, by
    world.made[Suggestion].append(card)
    count("flagged")
    if waits:
        count("undecided")
        return
    count("decided")
    choice = {"kap": "kap", "watch": "watch"}.get(fate, "infusion_clinic")
    decision = Decision(client=client, suggestion=card, choice=choice, rules_version="1", by=by, at=at)
    world.made[Decision].append(decision)
    if fate in ("kap", "watch"):
        world.stops[fate] += 1
        return
    sent_at = at + timedelta(days=1)
    if fate == "no_then_booked":
        first = _referral(world, client, decision, clinic, sent_at, n, 1, State.DECLINED)
        _change(world, first, Event.DECLINE, sent_at, reason="full")
        count("sent", "no", "no_letter", where=clinic)
        clinic, sent_at = other, sent_at + timedelta(days=2)
    state = {
        "unsent": State.DRAFT, "silent": State.SENT, "mistaken": State.SENT, "full": State.DECLINED,
        "suicidal": State.DECLINED, "taken_back": State.CANCELLED, "booked": State.SCHEDULED,
        "no_then_booked": State.SCHEDULED, "going": State.VISITED, "stopped": State.VISITED,
    }.get(fate, State.COMPLETED)  # fmt: skip
    attempt = 2 if fate == "no_then_booked" else 1
    row = _referral(world, client, decision, clinic, sent_at, n, attempt, state)
    if fate == "unsent":
        world.stops["unsent"] += 1
        return
    count("referred")
    count("sent", where=clinic)
    if fate in ("silent", "mistaken"):
        if fate == "mistaken":
            wrong = _change(world, row, Event.ACCEPT, sent_at)
            _change(world, row, CORRECT, sent_at, corrects=wrong)
        count("silent", "no_letter", where=clinic)
        world.stops["waiting"] += 1
    elif fate in ("full", "suicidal"):
        _change(world, row, Event.DECLINE, sent_at, reason=fate)
        count("no", "no_letter", where=clinic)
        world.stops[f"no_{fate}"] += 1
    elif fate == "taken_back":
        count("back", "no_letter", where=clinic)
        world.stops["taken_back"] += 1
    else:
        _accepted(world, fate, row, client, clinic, sent_at, wait, count)


def _accepted(
    world: World, fate: str, row: Any, client: Client, clinic: Any, sent_at: datetime, wait: int, count: Any
) -> None:
    count("accepted")
    count("yes", where=clinic)
    _change(world, row, Event.ACCEPT, sent_at + timedelta(days=1))
    if fate in ("booked", "no_then_booked"):
        row.visit_at = sent_at + timedelta(days=90)
        count("no_letter", where=clinic)
        world.stops["booked"] += 1
        return
    whole = fate not in ("going", "stopped")
    first = sent_at + timedelta(days=wait)
    course = Course(
        client=client, referral=row, clinic=clinic.name, planned=PLANNED, started_on=first.date(),
        state="done" if whole else "stopped" if fate == "stopped" else "under_way",
    )  # fmt: skip
    world.made[Course].append(course)
    for number in range(PLANNED if whole else 1):
        at = first + timedelta(days=2 * number)
        session = CourseSession(course=course, number=number + 1, on=at.date(), state="done")
        world.made[CourseSession].append(session)
        _change(world, row, Event.VISIT, at, session=session)
    count("first")
    count("started", where=clinic)
    world.days.append(wait)
    if not whole:
        count("going" if fate == "going" else "early", "no_letter", where=clinic)
        world.stops["treated" if fate == "going" else "stopped"] += 1
        return
    count("finished")
    count("done", "letter", where=clinic)
    world.made[Letter].append(Letter(referral=row, at=first))
    if fate not in SCORES:
        count("unscored", where=clinic)
        return
    count("followed")
    count("scored", "compared", where=clinic)
    if fate != "no_better":
        count("response", where=clinic)
    if fate == "remission":
        count("remission", where=clinic)
    before, after = SCORES[fate]
    _score(world, client, before, first)
    _score(world, client, after, first + timedelta(days=2 * PLANNED + 1))


def _referral(
    world: World,
    client: Client,
    decision: Decision,
    clinic: Destination,
    at: datetime,
    n: int,
    attempt: int,
    state: State,
) -> Referral:
    row = Referral(
        client=client, number=n, attempt=attempt, decision=decision, path="infusion_clinic", destination=clinic,
        state=state, state_at=at, created_at=at, created_by=client.therapist,
        sent_at=None if state == State.DRAFT else at,
    )  # fmt: skip
    world.made[Referral].append(row)
    return row


def _change(world: World, row: Referral, event: str, at: datetime, **fields: Any) -> StatusChange:
    number = sum(change.referral is row for change in world.made[StatusChange][-8:]) + 1
    change = StatusChange(
        referral=row, number=number, event=event, source=State.SENT, target=row.state, actor=Actor.RECIPIENT,
        by=row.created_by, channel="phone", happened_at=at, at=at, **fields,
    )  # fmt: skip
    world.made[StatusChange].append(change)
    return change


def _score(world: World, client: Client, total: int, at: datetime) -> None:
    version = load("phq-9").version
    row = Assessment(
        client=client, instrument="phq-9", instrument_version=version, wording_sha256="0" * 64, total=total,
        taken_at=at, taken_on=at.date(),
    )  # fmt: skip
    world.made[Assessment].append(row)
