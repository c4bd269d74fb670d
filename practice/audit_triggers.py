"""The database itself refuses to change or drop an audit row, on SQLite and on PostgreSQL."""

from typing import Any

REFUSAL = "the audit trail is append-only"


def install(vendor: str, cursor: Any) -> None:
    if vendor == "postgresql":
        cursor.execute(
            "CREATE OR REPLACE FUNCTION practice_audit_refuse() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$ BEGIN RAISE EXCEPTION '{REFUSAL}' USING ERRCODE = 'integrity_constraint_violation'; END $$"
        )
        cursor.execute(
            "CREATE TRIGGER practice_audit_rows BEFORE UPDATE OR DELETE ON practice_auditevent "
            "FOR EACH ROW EXECUTE FUNCTION practice_audit_refuse()"
        )
        cursor.execute(
            "CREATE TRIGGER practice_audit_table BEFORE TRUNCATE ON practice_auditevent "
            "FOR EACH STATEMENT EXECUTE FUNCTION practice_audit_refuse()"
        )
    else:
        for act in ("UPDATE", "DELETE"):
            cursor.execute(
                f"CREATE TRIGGER practice_audit_{act.lower()} BEFORE {act} ON practice_auditevent "
                f"BEGIN SELECT RAISE(ABORT, '{REFUSAL}'); END"
            )


def drop(vendor: str, cursor: Any) -> None:
    if vendor == "postgresql":
        cursor.execute("DROP TRIGGER IF EXISTS practice_audit_rows ON practice_auditevent")
        cursor.execute("DROP TRIGGER IF EXISTS practice_audit_table ON practice_auditevent")
    else:
        for act in ("update", "delete"):
            cursor.execute(f"DROP TRIGGER IF EXISTS practice_audit_{act}")
