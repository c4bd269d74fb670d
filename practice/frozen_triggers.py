"""The database itself refuses to change or drop a published version, on SQLite and on PostgreSQL.

Somebody may have answered or signed it. `manage.py migrate` installs what is missing at its end, every time: SQLite
loses the triggers of a table whenever a migration builds it anew. What a migration does to these tables itself passes:
it builds them without triggers, or, on PostgreSQL, it has to drop them first.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from django.apps import apps
from django.db.backends.base.base import BaseDatabaseWrapper

from practice.sealed import SealedField

REFUSAL = "a published version is never changed"
FUNCTION = "practice_frozen_refuse"
PREFIX = "frozen_"


@dataclass(frozen=True)
class Frozen:
    """A table whose rows stay as they are. Sealed columns may be sealed anew, under another key."""

    label: str
    since: str = ""
    """The column that is empty until the row is published; without one it is frozen from the first."""
    free: tuple[str, ...] = ()
    """Columns that say nothing of what was published."""

    @property
    def table(self) -> str:
        return apps.get_model(self.label)._meta.db_table

    @property
    def columns(self) -> list[str]:
        fields = apps.get_model(self.label)._meta.concrete_fields
        return [f.column for f in fields if f.name not in self.free and not isinstance(f, SealedField)]


FROZEN = [Frozen("practice.InstrumentVersion")]  # the packages above add theirs

_POSTGRESQL = f"""
CREATE OR REPLACE FUNCTION {FUNCTION}() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'TRUNCATE' THEN
    RAISE EXCEPTION '{REFUSAL}' USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  IF TG_ARGV[0] = '' OR to_jsonb(OLD) ->> TG_ARGV[0] IS NOT NULL THEN
    IF TG_OP = 'DELETE' THEN
      RAISE EXCEPTION '{REFUSAL}' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    FOR n IN 1 .. TG_NARGS - 1 LOOP
      IF to_jsonb(OLD) -> TG_ARGV[n] IS DISTINCT FROM to_jsonb(NEW) -> TG_ARGV[n] THEN
        RAISE EXCEPTION '{REFUSAL}' USING ERRCODE = 'integrity_constraint_violation';
      END IF;
    END LOOP;
  END IF;
  IF TG_OP = 'DELETE' THEN
    RETURN OLD;
  END IF;
  RETURN NEW;
END $$
"""


def install(connection: BaseDatabaseWrapper) -> None:
    """Create what is missing and drop what is no longer asked for: nothing on most runs."""
    postgresql = connection.vendor == "postgresql"
    with connection.cursor() as cursor:
        tables = set(connection.introspection.table_names(cursor))
        wanted = {
            name: (each.table, sql)
            for each in FROZEN
            if each.table in tables
            for name, sql in (_postgresql(each) if postgresql else _sqlite(each))
        }
        there = _there(connection.vendor, cursor)
        _drop(connection.vendor, cursor, {name: table for name, table in there.items() if name not in wanted})
        if postgresql and wanted.keys() - there.keys():
            cursor.execute(_POSTGRESQL)
        for name in sorted(wanted.keys() - there.keys()):
            cursor.execute(wanted[name][1])


def drop(connection: BaseDatabaseWrapper) -> None:
    with connection.cursor() as cursor:
        _drop(connection.vendor, cursor, _there(connection.vendor, cursor))


def installed(connection: BaseDatabaseWrapper) -> set[str]:
    """The names of the triggers that are there."""
    with connection.cursor() as cursor:
        return set(_there(connection.vendor, cursor))


def _there(vendor: str, cursor: Any) -> dict[str, str]:
    """The triggers of ours that are in the database, by name, each with its table."""
    if vendor == "postgresql":
        cursor.execute(
            "SELECT tgname, relname FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid "
            "JOIN pg_namespace ON pg_namespace.oid = relnamespace WHERE nspname = current_schema() AND NOT tgisinternal"
        )
    else:
        cursor.execute("SELECT name, tbl_name FROM sqlite_master WHERE type = 'trigger'")
    return {name: table for name, table in cursor.fetchall() if name.startswith(PREFIX)}


def _drop(vendor: str, cursor: Any, found: dict[str, str]) -> None:
    for name, table in found.items():
        cursor.execute(f'DROP TRIGGER IF EXISTS "{name}"' + (f' ON "{table}"' if vendor == "postgresql" else ""))


def _named(each: Frozen, act: str, sql: str) -> tuple[str, str]:
    """A name that tells the definition, so that a changed one is another trigger."""
    name = f"{PREFIX}{each.table}_{act}_{sha256((sql + _POSTGRESQL).encode()).hexdigest()[:8]}"
    return name, sql.replace("NAME", f'"{name}"', 1)


def _postgresql(each: Frozen) -> Iterator[tuple[str, str]]:
    told = ", ".join(f"'{name}'" for name in (each.since, *each.columns))
    call = f"EXECUTE FUNCTION {FUNCTION}({told})"
    yield _named(
        each, "rows", f'CREATE TRIGGER NAME BEFORE UPDATE OR DELETE ON "{each.table}" FOR EACH ROW {call}'
    )  # fmt: skip
    yield _named(each, "table", f'CREATE TRIGGER NAME BEFORE TRUNCATE ON "{each.table}" FOR EACH STATEMENT {call}')


def _sqlite(each: Frozen) -> Iterator[tuple[str, str]]:
    stands = f'OLD."{each.since}" IS NOT NULL' if each.since else "1"
    differs = " OR ".join(f'OLD."{name}" IS NOT NEW."{name}"' for name in each.columns)
    refuse = f"BEGIN SELECT RAISE(ABORT, '{REFUSAL}'); END"
    yield _named(
        each, "update", f'CREATE TRIGGER NAME BEFORE UPDATE ON "{each.table}" WHEN {stands} AND ({differs}) {refuse}'
    )
    yield _named(each, "delete", f'CREATE TRIGGER NAME BEFORE DELETE ON "{each.table}" WHEN {stands} {refuse}')
