"""The audit trail: append-only, chained, anchored (security checks 40 to 43, 46)."""

from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction

from practice import audit
from practice.models import AuditEvent, AuditHead, Client, User
from tests.factories import NOW


@pytest.fixture
def trail(sam: Client, maya: User) -> list[AuditEvent]:
    for n in range(5):
        audit.record("read.chart", by=maya, client=sam, n=n)
    return list(AuditEvent.objects.order_by("seq"))


def tamper(sql: str, *params: object) -> None:
    """Do as somebody would who owns the database server: take the triggers away first."""
    from practice.audit_triggers import drop, install

    with connection.cursor() as cursor:
        drop(connection.vendor, cursor)
        cursor.execute(sql, params)
        install(connection.vendor, cursor)


def test_trail_that_nobody_touched_is_whole(trail: list[AuditEvent], capsys: pytest.CaptureFixture[str]) -> None:
    call_command("audit_verify")
    assert f"whole: {len(trail)} rows" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("act", "sql"),
    [
        ("update", "UPDATE practice_auditevent SET action = 'x'"),
        ("delete", "DELETE FROM practice_auditevent"),
        ("truncate", "DELETE FROM practice_auditevent"),  # SQLite's TRUNCATE is a DELETE
    ],
)
def test_trail_refuses_change_deletion_and_truncation(trail: list[AuditEvent], act: str, sql: str) -> None:
    if connection.vendor == "postgresql":
        sql = sql.replace("DELETE FROM", "TRUNCATE") if act == "truncate" else sql
    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql)
    assert AuditEvent.objects.count() == len(trail)


@pytest.mark.parametrize(
    ("sql", "params", "said"),
    [
        ("UPDATE practice_auditevent SET outcome = 'failed' WHERE seq = %s", (3,), "Row 3 was changed"),
        ("DELETE FROM practice_auditevent WHERE seq = %s", (3,), "Row 3 is missing"),
        ("UPDATE practice_auditevent SET seq = 99 WHERE seq = %s", (3,), "Row 3 is missing"),
        ("DELETE FROM practice_auditevent WHERE seq >= %s", (4,), "Row 4 is missing"),
    ],
)
def test_audit_verify_names_the_first_bad_row(
    trail: list[AuditEvent], sql: str, params: tuple[int, ...], said: str
) -> None:
    tamper(sql, *params)
    with pytest.raises(CommandError, match=said):
        call_command("audit_verify")


def test_audit_verify_finds_a_cut_tail_by_the_anchor(trail: list[AuditEvent], settings, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    settings.DATA_DIR = tmp_path
    audit.anchor(NOW)
    last = trail[-2]
    tamper("DELETE FROM practice_auditevent WHERE seq > %s", last.seq)
    AuditHead.objects.update(seq=last.seq, hash=last.hash)
    assert list(audit.faults()) == [
        f"Row {last.seq + 1} is missing: row {trail[-1].seq} was anchored outside the database."
    ]


def test_act_fails_when_its_audit_row_cannot_be_written(sam: Client, maya: User) -> None:
    from practice import actions

    rows = AuditEvent.objects.count()
    AuditHead.objects.update(seq=rows - 1)  # the next row would take a number that is taken
    with pytest.raises(DatabaseError), transaction.atomic():
        actions.raise_manual_flag(by=maya, client=sam, severity="urgent", reason="Said goodbye", at=NOW)
    assert (sam.alerts.count(), AuditEvent.objects.count()) == (0, rows)
