"""Taking a whole practice in from its export (practice.bundle), into an installation where nothing is yet.

All of it in one transaction, or nothing. Rows are written as they were: nothing is sent, nobody is told, no job is
queued. What is sealed is sealed anew under the keys of this installation, and what the export cannot hold is made anew:
indexes from the values, and for every password and link a value that opens nothing.
"""

import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any

from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.core.exceptions import ValidationError
from django.core.management.color import no_style
from django.db import DatabaseError, connection, models, transaction
from django.db.migrations.executor import MigrationExecutor
from django.utils.timezone import is_naive

from practice import audit, erasure, record
from practice.access import Role
from practice.models import (
    Alert,
    AuditEvent,
    AuditHead,
    Backup,
    Client,
    Enquiry,
    Job,
    NameStart,
    Notice,
    Practice,
    Stop,
    User,
)
from practice.privacy import our_models
from practice.record import Kind
from practice.sealed import SealedBytes, SealedField, SealedJSON
from practice.unpacking import Bundle, BundleTrouble, prove

# Rows that an installation has before anybody works in it.
FRESH: tuple[type[models.Model], ...] = (Practice, AuditEvent, AuditHead, Job, Backup, Notice)
UNFIT = (ValidationError, ValueError, TypeError, OverflowError, ArithmeticError, DatabaseError)
MADE_ANEW: dict[type[models.Model], Callable[[Any], None]] = {
    Client: lambda client: client.set_identity(),
    Enquiry: lambda enquiry: enquiry.set_contact(email=enquiry.email, phone=enquiry.phone),
}
Say = Callable[[str], Any]


@dataclass
class Taken:
    """What came in, and what whoever moves a practice has to know."""

    rows: int = 0
    files: int = 0
    erased_again: int = 0
    open_alerts: int = 0
    notes_left: int = 0
    admins: list[User] = field(default_factory=list)


class _OnlyTried(Exception):
    pass


def is_up_to_date() -> bool:
    executor = MigrationExecutor(connection)
    return not executor.migration_plan(executor.loader.graph.leaf_nodes())


def refuse_unless_fresh() -> None:
    """Raises BundleTrouble where somebody or something is already."""
    if not is_up_to_date():
        raise BundleTrouble("The database is not ready: run manage.py migrate first.")
    for model in our_models():
        if model not in FRESH and (n := model._base_manager.count()):
            raise BundleTrouble(
                f"This installation is not empty ({n} rows of {Kind(model).name}). An export is taken into a new one."
            )


def take_in(bundle: Bundle, *, at: datetime, dry_run: bool = False, say: Say = lambda _line: None) -> Taken:
    """Prove the bundle, then write all its rows. Raises BundleTrouble, and then nothing was changed."""
    refuse_unless_fresh()
    kinds = _tables(bundle)
    prove(bundle)
    taken = Taken()
    try:
        with transaction.atomic():
            _stand_alone()
            _write(bundle, kinds, taken, say)
            _afterwards(bundle, taken, at)
            if dry_run:
                raise _OnlyTried
    except _OnlyTried:
        return taken
    except BundleTrouble:
        raise
    except DatabaseError as trouble:
        raise BundleTrouble(f"The rows do not fit together: {_first_line(trouble)}.") from trouble
    analyze()
    return taken


def analyze() -> None:
    """Let the database know how much it holds, or the next lists are planned for an empty one. It may take its time.

    PostgreSQL is asked about our tables alone: those that its databases share stay held until the transaction ends.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            ours = ", ".join(map(connection.ops.quote_name, connection.introspection.table_names(cursor)))
            cursor.execute("SET LOCAL statement_timeout = 0")
            cursor.execute(f"ANALYZE {ours}")
            cursor.execute("SET LOCAL statement_timeout TO DEFAULT")
        else:
            cursor.execute("ANALYZE")


def _stand_alone() -> None:
    """Wait for another import to end; then the installation must still be empty."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL statement_timeout = 0")
            cursor.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
    Practice.get()
    list(Practice.objects.select_for_update(no_key=True))
    refuse_unless_fresh()


def _tables(bundle: Bundle) -> list[Kind]:
    """The tables of the manifest, all of which must be ours."""
    ours = {kind.name: kind for kind in record.kinds(of_client=False, private=True)}
    for table in bundle.manifest["rows"]:
        if table not in ours:
            raise BundleTrouble(f"This Waymark has no table {table}: install the newer one that wrote this export.")
    return [kind for name, kind in ours.items() if name in bundle.manifest["rows"]]


# --- Writing ---------------------------------------------------------------------------------------------------------


def _write(bundle: Bundle, kinds: list[Kind], taken: Taken, say: Say) -> None:
    unused = {path for path in bundle.files if path.startswith("files/")}
    for kind in kinds:
        reader = _Reader(kind, bundle)
        for path in bundle.parts[kind.name]:
            found = bundle.rows(path)
            try:
                reader.write(found)
            except BundleTrouble:
                raise
            except UNFIT as trouble:
                raise BundleTrouble(f"A row of {path} does not fit its table: {_first_line(trouble)}.") from trouble
            taken.rows += len(found)
        unused -= reader.used
        taken.files += reader.stored
        say(f"{kind.name}: {bundle.manifest['rows'][kind.name]}")
    if unused:
        raise BundleTrouble(f"{min(unused)} belongs to no row.")


def _first_line(trouble: Exception) -> str:
    said = " ".join(trouble.messages) if isinstance(trouble, ValidationError) else str(trouble)
    return next(iter(said.splitlines()), type(trouble).__name__).rstrip(".")[:160]


class _Reader:
    """Makes rows of one table from what the bundle says of them, and writes them."""

    def __init__(self, kind: Kind, bundle: Bundle) -> None:
        self.kind, self.bundle = kind, bundle
        self.columns = {column.name: column for column in kind.columns}
        self.many = {many.name: many for many in kind.model._meta.many_to_many}
        everything = kind.model._meta.concrete_fields
        self.ours = {column.name for column in everything} | self.many.keys()
        self.secret = [column for column in everything if record.is_left_out(column)]
        self.used: set[str] = set()
        self.stored = 0

    def write(self, found: list[dict[str, Any]]) -> None:
        rows = [self.row(said) for said in found]
        if self.kind.model is Practice:
            for row in rows:
                row.__dict__["key_canary"] = Practice.get().__dict__["key_canary"]
                row.save(force_update=True)
        else:
            self.kind.model._base_manager.bulk_create(rows)
        for name, many in self.many.items():
            through: Any = many.remote_field.through
            here, there = many.m2m_column_name(), many.m2m_reverse_name()
            target = many.related_model._meta.pk
            through._base_manager.bulk_create(
                through(**{here: row.pk, there: as_stored(target, key)})
                for row, said in zip(rows, found, strict=True)
                for key in said.get(name, ())
            )
        if self.kind.model is Client:
            NameStart._base_manager.bulk_create(
                (start for row in rows for start in row.name_starts()), batch_size=5_000
            )

    def row(self, said: dict[str, Any]) -> Any:
        if foreign := said.keys() - self.ours:
            raise BundleTrouble(
                f"This Waymark has no column {min(foreign)!r} in {self.kind.name}: install the newer one that wrote it."
            )
        given = {column.attname: secret(column) for column in self.secret}
        for name, column in self.columns.items():
            if name in said:
                given[column.attname] = self.value(column, said[name])
            elif not (column.null or column.has_default() or column.blank):
                raise BundleTrouble(f"A row of {self.kind.name} has no {name}.")
        row = self.kind.model(**given)
        MADE_ANEW.get(self.kind.model, lambda _row: None)(row)
        if self.kind.label in record.DOCUMENTS:
            self.used.add(record.document_path(self.kind, row))
        return row

    def value(self, column: Any, said: Any) -> Any:
        if not isinstance(column, SealedBytes):
            return as_stored(column, said)
        if said is None:
            return None
        if said not in self.bundle.files or not str(said).startswith(f"files/{self.kind.name}/"):
            raise BundleTrouble(f"A file of {self.kind.name} is missing.")
        self.used.add(said)
        self.stored += 1
        return self.bundle.body(said)


def as_stored(column: Any, said: Any) -> Any:
    """Turn what the bundle says into what the column keeps. Raises ValueError or ValidationError for anything else."""
    if isinstance(column, SealedJSON | models.JSONField):
        return said
    if said is None:
        if not column.null:
            raise ValueError(f"{column.name} is empty")
        return None
    if isinstance(column, models.ForeignKey):
        return as_stored(column.target_field, said)
    asked: type[Any] = str
    if isinstance(column, models.BooleanField):
        asked = bool
    elif isinstance(column, models.IntegerField):
        asked = int
    if type(said) is not asked:
        raise ValueError(f"{column.name} is no {asked.__name__}")
    if isinstance(column, SealedField):
        return said
    if asked is str and "\0" in said:
        raise ValueError(f"{column.name} has a sign that no text has")
    if isinstance(column, models.CharField) and column.max_length and len(said) > column.max_length:
        raise ValueError(f"{column.name} is longer than {column.max_length} signs")
    value = column.to_python(said)
    if isinstance(value, datetime) and is_naive(value):
        raise ValueError(f"{column.name} has no time zone")
    return value


def secret(column: Any) -> Any:
    """What stands in a column that no export holds, so that it opens nothing and finds nothing."""
    if column.name == "password":
        return make_password(None)
    if column.unique and not column.null:
        return "x" + secrets.token_hex(31)  # no digest begins with an x
    return column.get_default()


# --- Afterwards ------------------------------------------------------------------------------------------------------


def _afterwards(bundle: Bundle, taken: Taken, at: datetime) -> None:
    """Make the database whole around the rows, and note that it was done."""
    models_in = [model for model in our_models() if isinstance(model._meta.pk, models.AutoField)]
    with connection.cursor() as cursor:
        for sql in connection.ops.sequence_reset_sql(no_style(), models_in):
            cursor.execute(sql)
    connection.check_constraints()
    _stops()
    journal = settings.DATA_DIR / erasure.JOURNAL
    try:
        taken.erased_again = erasure.replay([journal], at=at)
    except erasure.ForeignJournal as trouble:
        raise BundleTrouble(f"{trouble} Move {journal.name} away if it belongs to another practice.") from trouble
    taken.open_alerts = Alert.objects.filter(closed_at=None).count()
    taken.notes_left = sum(_left(bundle.manifest["left_out"]))
    taken.admins = list(User.objects.with_role(Role.ADMIN))
    audit.record(
        "practice.taken_in", by=None, at=at, rows=taken.rows, files=taken.files, sha256=bundle.sha256,
        written_at=str(bundle.manifest.get("ended_at", ""))[:40], erased_again=taken.erased_again,
    )  # fmt: skip
    transaction.on_commit(partial(erasure.write_journal, settings.DATA_DIR))


def _stops() -> None:
    """Numbers and mailboxes that asked us to stop, found by the keys here: an export holds them by their client."""
    for client in Client.objects.exclude(texts_stopped_at=None, mails_stopped_at=None):
        for channel, index, since in (
            (Stop.Channel.SMS, client.phone_index, client.texts_stopped_at),
            (Stop.Channel.EMAIL, client.email_index, client.mails_stopped_at),
        ):
            if index and since:
                Stop.objects.get_or_create(channel=channel, address_index=index, ended_at=None, defaults={"at": since})


def _left(left_out: Iterable[Any]) -> Iterable[int]:
    """How many psychotherapy notes the manifest says were left behind."""
    return (out["rows"] for out in left_out if isinstance(out, dict) and type(out.get("rows")) is int)
