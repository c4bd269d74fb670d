"""Many referrals over five years, for reports, files, exports and imports: made by the database from a number alone."""

from datetime import datetime, timedelta
from typing import Any

from django.db import connection, models, transaction
from django.utils import timezone

from bench.seed import FIRST_NUMBER
from practice.models import Client
from referrals.actions.acts import WhyNot
from referrals.models import Path, Referral, StatusChange
from referrals.states import Event, State

YEARS = 5
PREFIX: dict[type[models.Model], str] = {
    Referral: "5eed000000004000",
    StatusChange: "5eed000000014000",
}  # the first half of every id
STATES = (State.SENT, State.ACCEPTED, State.DECLINED, State.COMPLETED)  # by the number of the referral, in turn
# What happened to a referral of each state: number, event, from, to, days after it was sent.
CHANGES: dict[int, tuple[tuple[int, str, str, str, int], ...]] = {
    1: ((1, Event.ACCEPT, State.SENT, State.ACCEPTED, 3),),
    2: ((1, Event.DECLINE, State.SENT, State.DECLINED, 4),),
    3: (
        (1, Event.ACCEPT, State.SENT, State.ACCEPTED, 2),
        (2, Event.VISIT, State.ACCEPTED, State.ACCEPTED, 9),
        (3, Event.VISIT, State.ACCEPTED, State.COMPLETED, 23),
    ),
}


class Sql:
    """What the two databases say differently."""

    def __init__(self) -> None:
        self.is_postgres = connection.vendor == "postgresql"

    def series(self, count: int) -> str:
        if self.is_postgres:
            return f"SELECT n FROM generate_series(0, {count - 1}) AS s(n)"  # noqa: S608 (a number)
        return f"WITH RECURSIVE s(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM s WHERE n < {count - 1}) SELECT n FROM s"  # noqa: S608 (a number)

    def key(self, model: type[models.Model], number: str) -> str:
        half = PREFIX[model]
        if self.is_postgres:
            return f"('{half}8' || lpad(to_hex({number}), 15, '0'))::uuid"
        return f"'{half}8' || printf('%%015x', {number})"

    def before(self, at: datetime, seconds: str) -> str:
        said = at.strftime("%Y-%m-%d %H:%M:%S")
        if self.is_postgres:
            return f"timestamptz '{said}+00' - ({seconds}) * interval '1 second'"
        return f"datetime('{said}', '-' || ({seconds}) || ' seconds')"


def insert(model: type[models.Model], given: dict[str, str], source: str) -> int:
    """INSERT ... SELECT: these columns by these expressions, all others by their defaults. Returns how many rows."""
    rest: list[Any] = [f for f in model._meta.concrete_fields if f.attname not in given]
    columns = ", ".join(f'"{name}"' for name in [*(_column(model, n) for n in given), *(f.column for f in rest)])
    values = ", ".join([*given.values(), *("%s" for _field in rest)])
    with connection.cursor() as cursor:
        cursor.execute(
            f'INSERT INTO "{model._meta.db_table}" ({columns}) SELECT {values} FROM {source}',  # noqa: S608 (our own)
            [field.get_db_prep_save(field.get_default(), connection) for field in rest],
        )
        return int(cursor.rowcount)


def _column(model: type[models.Model], attname: str) -> str:
    return str(next(f.column for f in model._meta.concrete_fields if f.attname == attname))


def refer(count: int) -> int:
    """Add referrals, spread evenly over the clients and over five years until now. Returns how many rows."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SET statement_timeout = 0")
    if Referral.objects.filter(number__gt=1).exists():
        raise ValueError("This database has such referrals already. Seed an empty one.")
    clients, at = Client.objects.count(), timezone.now().replace(microsecond=0)
    sql = Sql()
    spread = int(timedelta(days=365 * YEARS).total_seconds())
    age = f"CAST(s.n AS bigint) * {spread} / {count}"
    source = (
        f"({sql.series(count)}) AS s JOIN practice_client AS c ON c.number = {FIRST_NUMBER} + s.n %% {clients} "  # noqa: S608 (our own numbers)
        "JOIN (SELECT id, row_number() OVER (ORDER BY name) - 1 AS k, count(*) OVER () AS all_of_them "
        "FROM referrals_destination) AS d ON d.k = s.n %% d.all_of_them"
    )
    made = sql.before(at, age)
    state = " ".join(f"WHEN {n} THEN '{each.value}'" for n, each in enumerate(STATES))
    over = " OR ".join(f"s.n %% 4 = {n}" for n in (2, 3))
    with transaction.atomic():
        rows = insert(
            Referral,
            {
                "id": sql.key(Referral, "s.n"), "client_id": "c.id", "number": f"2 + s.n / {clients}",
                "destination_id": "d.id", "path": f"'{Path.INFUSION.value}'", "urgency": "'routine'",
                "state": f"CASE s.n %% 4 {state} END", "state_at": made, "created_at": made, "sent_at": made,
                "created_by_id": "c.therapist_id", "sent_by_id": "c.therapist_id",
                "closed_at": f"CASE WHEN {over} THEN {made} END",
            },
            source,
        )  # fmt: skip
        for turn, changes in CHANGES.items():
            for number, event, came, went, days in changes:
                happened = sql.before(at, f"{age} - {days * 86_400}")
                if not sql.is_postgres:  # SQLite counts back from now: what lies after it is plus, not minus minus
                    happened = f"datetime({made}, '+{days} days')"
                rows += insert(
                    StatusChange,
                    {
                        "id": sql.key(StatusChange, f"s.n * 4 + {number}"), "referral_id": sql.key(Referral, "s.n"),
                        "number": str(number), "event": f"'{event}'", "tid": "''", "source": f"'{came}'",
                        "target": f"'{went}'", "actor": "'clinic'", "happened_at": happened, "at": happened,
                        "reason": f"'{WhyNot.values[0]}'" if event == Event.DECLINE else "''",
                    },
                    f"({sql.series(count)}) AS s WHERE s.n %% 4 = {turn}",
                )  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    return rows
