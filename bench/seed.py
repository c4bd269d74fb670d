"""Invented clients in bulk, the same for every run: the pinned therapists look alike at every size of the practice.

Rows are written past the ORM (a million clients in minutes), yet each value is prepared by the product's own field, so
that what is sealed is sealed to its row and what is indexed is found.
"""

import json
import random
import uuid
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from functools import cache
from itertools import chain, islice
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from django.core.management import call_command
from django.db import DEFAULT_DB_ALIAS, connection, connections, models, transaction
from django.utils import timezone

from intake.models import Assessment, Intake, Invitation
from intake.models.packets import digest
from practice.access import Role
from practice.clinical.instrument import load
from practice.clinical.scoring import score
from practice.models import Alert, AlertNotice, Client, CoverageShift, NameStart, Practice, RoleGrant, Site, Task, User
from practice.models.clients import LAST, LONGEST_START
from practice.models.tasks import KINDS
from practice.sealed import SealedField, blind, normalise, seal
from referrals import packet as packets
from referrals.actions import releases
from referrals.models import DeskKey, Destination, Referral, Release, Section
from referrals.models import Path as PathOfCare
from referrals.models.referrals import LINK_LIFE
from referrals.states import State

SCALES = {"1k": 1_000, "100k": 100_000, "1M": 1_000_000}
BATCH = 5_000
FIRST_NUMBER = 1_000
PINNED = (50, 200)  # the caseloads that are equal at every size
CASELOAD = 100  # of everybody else
MOST_THERAPISTS = 2_000
HISTORIES = (20, 60)  # check-ins of the first two pinned clients: a chart and a long chart
FLAGGED = 29  # one client in so many has an open flag
REFERRED = 10  # one client in so many is referred; of the first pinned therapist's, everybody, to the first clinic
CLINICS = 40
TABLES = Path(__file__).parent / "limits" / "tables.sql"

ENDINGS = ("dan", "lis", "mer", "nor", "ra", "sel", "tin", "vo", "wen", "zu")
FIRST = [start + end for start in ("Ba", "Ce", "Do", "Fi", "Gu", "Ha", "Je", "Ki", "Lo", "Mu") for end in ENDINGS]
PLACES = ("brook", "dale", "field", "gate", "ham", "mont", "ridge", "stone", "ward", "wick")
SECOND = [
    start + vowel + end
    for start in ("Al", "Bor", "Cas", "Del", "Er", "Fen", "Gar", "Hol")
    for vowel in "aeio"
    for end in PLACES
]


class Table:
    """Writes rows of one model: named values as the product's fields prepare them, the rest as their defaults."""

    def __init__(self, model: type[models.Model], names: Sequence[str]) -> None:
        self.model, self.names = model, tuple(names)
        self.fields: list[Any] = [model._meta.get_field(name) for name in names]
        given = {field.attname for field in self.fields}
        rest: list[Any] = [
            f for f in model._meta.concrete_fields if f.attname not in given and not isinstance(f, models.AutoField)
        ]
        self.constants = [field.get_db_prep_save(field.get_default(), connection) for field in rest]
        self.columns = [field.column for field in [*self.fields, *rest]]
        self.known: dict[tuple[str, Any], Any] = {}
        database: Any = connections[DEFAULT_DB_ALIAS]  # not the proxy, which is asked millions of times here
        self.database, self.binary = database, database.Database.Binary
        self.has_uuid = database.features.has_native_uuid_field

    def row(self, values: Sequence[Any]) -> list[Any]:
        about = SimpleNamespace(pk=values[0], _meta=self.model._meta)
        return [self.prepare(field, value, about) for field, value in zip(self.fields, values, strict=True)] + (
            self.constants
        )

    def prepare(self, field: Any, value: Any, about: Any) -> Any:
        if isinstance(field, SealedField):
            if field.is_empty(value):
                return None
            return self.binary(seal(field.encode(value), field.about(about)))
        if isinstance(value, uuid.UUID):
            return value if self.has_uuid else value.hex
        if isinstance(value, (dict, list)):
            return field.get_db_prep_save(value, self.database)
        key = (field.name, value)
        if key not in self.known:
            if len(self.known) > 100_000:
                self.known.clear()
            self.known[key] = field.get_db_prep_save(value, self.database)
        return self.known[key]

    def write(self, rows: Iterable[Sequence[Any]]) -> None:
        put(self.model._meta.db_table, self.columns, (self.row(values) for values in rows))


def put(table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    named = ", ".join(f'"{column}"' for column in columns)
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            with cursor.cursor.copy(f'COPY "{table}" ({named}) FROM STDIN') as copy:
                for row in rows:
                    copy.write_row(row)
        else:
            marks = ", ".join(["?"] * len(columns))
            # the driver's own cursor: Django's would rewrite every parameter mark
            cursor.cursor.connection.executemany(f'INSERT INTO "{table}" ({named}) VALUES ({marks})', rows)  # noqa: S608


def batches(rows: Iterable[Any]) -> Iterator[list[Any]]:
    rows = iter(rows)
    while batch := list(islice(rows, BATCH)):
        yield batch


# --- Who there is ----------------------------------------------------------------------------------------------------


class Person:
    """Everything of the n-th client, made from n alone."""

    def __init__(self, n: int) -> None:
        chance = random.Random(n)  # noqa: S311 (invented people need no secrets)
        self.n = n
        self.pk = uuid.UUID(int=chance.getrandbits(128), version=4)
        self.name = f"{chance.choice(FIRST)} {chance.choice(SECOND)}"
        self.born = f"{chance.randint(1945, 2005)}-{chance.randint(1, 12):02d}-{chance.randint(1, 28):02d}"
        self.phone = f"+1 202 555 {n % 10_000:04d}"
        self.email = f"client{n}@example.net"
        self.flagged = n % FLAGGED == 3
        self.new = not self.flagged and n % 13 == 5
        self.referred = n < PINNED[0] or n % REFERRED == 0
        self.totals = [chance.randint(0, 27) for _ in range(self.visits(chance))]

    def visits(self, chance: random.Random) -> int:
        if self.n < len(HISTORIES):
            return HISTORIES[self.n]
        return min(1 + int(chance.expovariate(0.5)), 10)

    @property
    def task(self) -> tuple[str, dict[str, Any]] | None:
        if self.flagged:
            return "safety", {"rules": ["SR-03"], "severity": "priority", "acknowledged": False, "source": "intake"}
        return ("new_intake", {}) if self.new else None

    def uid(self, what: str) -> uuid.UUID:
        return uuid.uuid5(self.pk, what)


@cache
def answered(total: int) -> tuple[dict[str, int], dict[str, Any]]:
    """A PHQ-9 with this total, and what the product's scoring says of it."""
    left, answers = total, {}
    for n in range(1, 10):
        answers[f"phq9-{n}"] = min(3, left)
        left -= answers[f"phq9-{n}"]
    found = score(load("phq-9"), answers)
    return answers, {
        "total": found.total,
        "band": found.band,
        "safety": answers["phq9-9"] > 0,
        "flags": list(found.flags),
    }


# --- Filling ---------------------------------------------------------------------------------------------------------


def fill(clients: int, say: Any) -> None:
    """Fill an empty database with a practice of this many clients, and the floor's tables with the same facts."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SET statement_timeout = 0")
    call_command("migrate", verbosity=0)
    if Client.objects.exists():
        raise ValueError("This database has clients already. Seed an empty one.")
    at = timezone.now().replace(microsecond=0)
    with transaction.atomic():
        therapists, site = people(clients)
    index = next(i for i in NameStart._meta.indexes if i.name == "name_start")
    with connection.schema_editor() as schema:
        schema.remove_index(NameStart, index)  # filled first, indexed after: several times as quick
    limit_tables()
    tables = Tables()
    places = clinics(at)
    done = 0
    for batch in batches(range(clients)):
        with transaction.atomic():
            persons = [Person(n) for n in batch]
            tables.write(persons, therapists, site, at)
            tables.refer([p for p in persons if p.referred], therapists, places, at)
        done += len(batch)
        if done % 100_000 == 0:
            say(f"{done} clients")
    with transaction.atomic():
        send_packet(therapists[0], at)
    with connection.schema_editor() as schema:
        schema.add_index(NameStart, index)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
        if connection.vendor == "sqlite":
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def people(clients: int) -> tuple[list[User], Site]:
    practice = Practice.get()
    practice.name, practice.phone, practice.answer_calls_nobody = "Bench House", "555 0100", True
    practice.hours_text = "weekdays 8 am to 5 pm"
    practice.save()
    site = Site.objects.create(name="Bench House")
    others = max(1, min(MOST_THERAPISTS, -(-(clients - sum(PINNED)) // CASELOAD)))
    names = [f"Therapist of {size}" for size in PINNED] + [f"Therapist {n}" for n in range(others)]
    staff = [User(email=f"therapist{n}@example.org", name=name, password="!") for n, name in enumerate(names)]  # noqa: S106 (an unusable password)
    admin = User(email="admin@example.org", name="Admin", password="!")  # noqa: S106 (an unusable password)
    User.objects.bulk_create([*staff, admin])
    RoleGrant.objects.bulk_create([RoleGrant(user=user, role=Role.THERAPIST) for user in staff])
    RoleGrant.objects.create(user=admin, role=Role.ADMIN)
    CoverageShift.objects.bulk_create(
        CoverageShift(user=staff[-1], weekday=day, starts=starts, ends=ends)
        for day in range(7)
        for starts, ends in (("00:00", "12:00"), ("12:00", "00:00"))
    )
    User.sites.through.objects.bulk_create(User.sites.through(user_id=user.pk, site_id=site.pk) for user in staff)
    return staff, site


def clinics(at: datetime) -> list[Destination]:
    """The directory; the first clinic has a key, and is where all clients of the first pinned therapist go."""
    found = [
        Destination(name=f"Bench Clinic {n}", paths=[PathOfCare.INFUSION], email=f"desk{n}@example.org", created_at=at)
        for n in range(CLINICS)
    ]
    Destination.objects.bulk_create(found)
    first = found[0]
    DeskKey.objects.create(destination=first, email=first.email, is_main=True, approved_at=at, created_at=at)
    return found


def send_packet(therapist: User, at: datetime) -> None:
    """The frozen packet of the first referral, by a release that was signed."""
    referral = Referral.objects.get(client__number=FIRST_NUMBER)
    assert referral.destination is not None  # so it was made
    asked = releases.ask(
        by=therapist,
        client=referral.client,
        destination=referral.destination,
        sections=Section.values,
        purpose="Care",
        expires_on=(at + timedelta(days=180)).date(),
        part2=False,
        at=at,
    )
    said: dict[str, Any] = {"relation": "self", "method": Release.Method.STAFF}
    releases.sign(by=therapist, release=asked, typed_name=referral.client.name, at=at, **said)
    Referral.objects.filter(pk=referral.pk).update(release=asked)
    packets.freeze(by=therapist, referral=Referral.objects.get(pk=referral.pk), at=at)


def therapist_of(n: int, count: int) -> int:
    for place, last in enumerate((PINNED[0], sum(PINNED))):
        if n < last:
            return place
    return len(PINNED) + (n - sum(PINNED)) % (count - len(PINNED))


def clinic_of(n: int) -> int:
    return 0 if n < PINNED[0] else 1 + n % (CLINICS - 1)


def state_of(p: Person) -> str:
    return State.SENT if p.n % 2 else State.ACCEPTED


def urgency_of(p: Person) -> str:
    return "urgent" if p.n % 5 == 0 else "routine"


def prescriber_of(n: int, staff: list[User]) -> Any:
    """Every third client has one: one of the other therapists, who here prescribe too."""
    others = staff[len(PINNED) :]
    return others[n % len(others)].pk if n % 3 == 0 else None


class Tables:
    """Writes people into the tables of the product and, with `limits`, into those of the floor."""

    def __init__(self, *, limits: bool = True) -> None:
        self.limits = limits
        self.clients = Table(
            Client,
            (
                *("id", "number", "site", "therapist", "prescriber", "status"),
                *("created_at", "last_heard_at", "next_session_at", "legal_name", "name_used", "pronouns"),
                *("birth_date", "email", "phone", "address", "reach", "contacts", "email_index", "phone_index"),
                *("phq9", "rank", "turn", "rank_since", "plan_name", "plan_note"),
            ),
        )
        self.assessments = Table(
            Assessment,
            (
                *("id", "client", "intake", "instrument", "instrument_version", "wording_sha256", "answers", "total"),
                *("band", "safety", "flags", "complete", "taken_at", "taken_on"),
            ),
        )
        self.invitations = Table(
            Invitation,
            ("id", "client", "packet", "packet_version", "state", "token_digest", "created_at", "expires_at"),
        )
        self.intakes = Table(Intake, ("id", "client", "invitation", "started_at", "saved_at", "submitted_at"))
        self.tasks = Table(Task, ("id", "client", "kind", "rank", "subject_id", "facts", "opened_at", "due_at"))
        self.alerts = Table(
            Alert, ("id", "client", "source", "source_id", "severity", "rules", "answers", "opened_at", "raised_at")
        )
        self.notices = Table(AlertNotice, ("id", "alert", "user", "why", "rung", "told_at"))
        self.referrals = Table(
            Referral,
            (
                *("id", "client", "number", "destination", "path", "urgency", "state", "state_at", "created_at"),
                *("created_by", "sent_at", "sent_by", "clock", "due_at", "climbs_at", "token_digest"),
                "link_expires_at",
            ),
        )
        self.starts: dict[str, str] = {}
        self.wording = load("phq-9").wording_sha256
        self.version = load("phq-9").version

    def write(self, persons: list[Person], staff: list[User], site: Site, at: datetime) -> None:
        place = {p.n: therapist_of(p.n, len(staff)) for p in persons}
        self.clients.write(self.client(p, staff[place[p.n]], prescriber_of(p.n, staff), site, at) for p in persons)
        sittings = [(p, i, at - timedelta(days=14 * i)) for p in persons for i in range(len(p.totals))]
        self.invitations.write(self.invitation(p, i, taken) for p, i, taken in sittings)
        self.intakes.write((p.uid(f"in {i}"), p.pk, p.uid(f"sent {i}"), on, on, on) for p, i, on in sittings)
        self.assessments.write(chain.from_iterable(self.history(p, at) for p in persons))
        self.alerts.write(self.alert(p, at) for p in persons if p.flagged)
        self.notices.write(
            (p.uid("told"), p.uid("alert"), staff[place[p.n]].pk, AlertNotice.Why.THERAPIST, 0, at)
            for p in persons
            if p.flagged
        )
        self.tasks.write(self.task(p, at) for p in persons if p.task)
        put("practice_namestart", ("client_id", "start"), chain.from_iterable(self.name_starts(p) for p in persons))
        if self.limits:
            limit_rows(persons, place, at)

    def refer(self, persons: list[Person], staff: list[User], places: list[Destination], at: datetime) -> None:
        self.referrals.write(
            self.referral(p, staff[therapist_of(p.n, len(staff))], places[clinic_of(p.n)], at) for p in persons
        )
        if self.limits:
            limit_referrals(persons, len(staff), at)

    def referral(self, p: Person, therapist: User, place: Destination, at: datetime) -> tuple[Any, ...]:
        pk, sent, due = p.uid("referral"), at - timedelta(days=p.n % 9), at + timedelta(days=p.n % 7 - 3)
        return (
            *(pk, p.pk, 1, place.pk, PathOfCare.INFUSION, urgency_of(p), state_of(p), sent, sent),
            *(therapist.pk, sent, therapist.pk, "accept", due, due, digest(pk.hex), at + LINK_LIFE),
        )

    def client(self, p: Person, therapist: User, prescriber: Any, site: Site, at: datetime) -> tuple[Any, ...]:
        short = [[str((at - timedelta(days=14 * i)).date()), t, t > 24] for i, t in enumerate(reversed(p.totals[-6:]))]
        rank, turn, since = (Client.Rank.STEADY, LAST, None)
        if p.task:
            task = Task(kind=p.task[0], rank=KINDS[p.task[0]].rank, facts=p.task[1], opened_at=at)
            rank, turn, since = Client.Rank(task.rank), task.turn, at
        return (
            *(p.pk, FIRST_NUMBER + p.n, site.pk, therapist.pk, prescriber, Client.Status.ACTIVE),
            *(at, at, at + timedelta(days=p.n % 14)),
            *(p.name, p.name, "they/them", p.born, p.email, p.phone, "1 Bench Street"),
            {"email": True, "sms": True, "voice": True, "voicemail": False, "private": ["sms"]},
            [{"role": "support", "name": "Bench Friend", "relation": "friend", "phone": p.phone, "may_talk": "yes"}],
            *(blind("email", p.email), blind("phone", p.phone), short[::-1], rank, turn, since),
            *("KAP weekly" if p.n % 5 == 0 else "Weekly therapy", "4 of 8" if p.n % 5 == 0 else ""),
        )

    def invitation(self, p: Person, i: int, taken: datetime) -> tuple[Any, ...]:
        pk = p.uid(f"sent {i}")
        return (pk, p.pk, "check-in", "1", Invitation.State.DONE, pk.hex * 2, taken, taken + timedelta(days=14))

    def history(self, p: Person, at: datetime) -> Iterator[tuple[Any, ...]]:
        for i, total in enumerate(reversed(p.totals)):
            answers, found = answered(total)
            taken = at - timedelta(days=14 * i)
            yield (
                *(p.uid(f"phq-9 {i}"), p.pk, p.uid(f"in {i}"), "phq-9", self.version, self.wording, answers),
                *(found["total"], found["band"], found["safety"], found["flags"], True, taken, taken.date()),
            )

    def alert(self, p: Person, at: datetime) -> tuple[Any, ...]:
        rules = [{"id": "SR-03", "version": "1", "at": at.isoformat()}]
        return (
            *(p.uid("alert"), p.pk, Alert.Source.INTAKE, p.uid("sitting"), Alert.Severity.PRIORITY, rules),
            *([], at, at),
        )

    def task(self, p: Person, at: datetime) -> tuple[Any, ...]:
        kind, facts = p.task or ("", {})
        subject = p.uid("alert" if p.flagged else "sitting")
        return (p.uid("task"), p.pk, kind, KINDS[kind].rank, subject, facts, at, at + timedelta(days=1))

    def name_starts(self, p: Person) -> Iterator[tuple[Any, str]]:
        key = p.pk if connection.vendor == "postgresql" else p.pk.hex
        words = normalise(p.name).split()
        for start in {word[:n] for word in words for n in range(1, min(len(word), LONGEST_START) + 1)}:
            if start not in self.starts:
                self.starts[start] = blind("name", start)
            yield key, self.starts[start]


def limit_tables() -> None:
    key = "integer PRIMARY KEY" if connection.vendor == "sqlite" else "bigserial PRIMARY KEY"
    lines = [line for line in TABLES.read_text().splitlines() if not line.startswith("--")]
    with connection.cursor() as cursor:
        for statement in "\n".join(lines).split(";"):
            cursor.execute(statement.replace("{key}", key))


def limit_rows(persons: list[Person], place: dict[int, int], at: datetime) -> None:
    put(
        "limit_client",
        ("therapist_id", "status", "turn", "name", "name_key", "pronouns", "why", "phq9", "plan", "next_session_at"),
        (
            (
                *(place[p.n], "active", 0 if p.flagged else 50 if p.new else LAST, p.name, p.name.casefold()),
                *("they/them", "Safety flag open" if p.flagged else "No open flags"),
                json.dumps([[str((at - timedelta(days=14)).date()), t, t > 24] for t in p.totals[-6:]]),
                *(
                    "KAP weekly 4 of 8" if p.n % 5 == 0 else "Weekly therapy",
                    (at + timedelta(days=p.n % 14)).isoformat(),
                ),
            )
            for p in persons
        ),
    )
    put(
        "limit_response",
        ("client_id", "instrument", "answers", "total", "band", "taken_at"),
        (
            (
                p.n + 1,
                "phq-9",
                json.dumps(answered(t)[0]),
                t,
                answered(t)[1]["band"],
                (at - timedelta(days=14 * i)).isoformat(),
            )
            for p in persons
            for i, t in enumerate(reversed(p.totals))
        ),
    )
    put(
        "limit_alert",
        ("client_id", "severity", "opened_at"),
        ((p.n + 1, "priority", at.isoformat()) for p in persons if p.flagged),
    )


def limit_referrals(persons: list[Person], therapists: int, at: datetime) -> None:
    put(
        "limit_referral",
        ("therapist_id", "clinic_id", "name", "clinic", "reference", "state", "urgency", "sent_at", "due_at", "packet"),
        (
            (
                *(therapist_of(p.n, therapists), clinic_of(p.n), p.name, f"Bench Clinic {clinic_of(p.n)}"),
                *(f"CH-{FIRST_NUMBER + p.n}-1", State(state_of(p)).name, urgency_of(p)),
                *((at - timedelta(days=p.n % 9)).isoformat(), (at + timedelta(days=p.n % 7 - 3)).isoformat()),
                json.dumps([[f"Part {n}", "What is known. " * 20] for n in range(12)]) if p.n == 0 else "[]",
            )
            for p in persons
        ),
    )
