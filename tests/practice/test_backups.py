"""A backup is whole, secret and elsewhere; a restore proves it or touches nothing."""

import io
import json
import sqlite3
import tarfile
import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyrage
import pytest
from django.conf import settings
from django.contrib.sessions.models import Session
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client as Browser
from django.utils import timezone

from practice import audit, backups, erasure, frozen_triggers, jobs, restoring, retention
from practice.keys import KeyRing
from practice.models import AuditEvent, Backup, Client, Erased, Note, User
from practice.restoring import on
from tests import factories
from tests.factories import NOW

pytestmark = pytest.mark.django_db(transaction=True)
CANARIES = (b"Whitehorse", b"sam@example.net", b"Zyxcanary")
sqlite_only = pytest.mark.skipif(
    not settings.DATABASES["default"]["ENGINE"].endswith("sqlite3"), reason="only on SQLite: restores into a folder"
)
postgres_only = pytest.mark.skipif(
    settings.DATABASES["default"]["ENGINE"].endswith("sqlite3"), reason="only on PostgreSQL: restores into a database"
)


@pytest.fixture(autouse=True)
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "data").mkdir()
    monkeypatch.setattr(settings, "DATA_DIR", tmp_path / "data")


@pytest.fixture
def identity(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    key = pyrage.x25519.Identity.generate()
    monkeypatch.setattr(settings, "BACKUP_RECIPIENTS", [str(key.to_public())])
    file = tmp_path / "identity.txt"
    file.write_text(f"# a comment, as age-keygen writes\n{key}\n")
    return file


@pytest.fixture
def full(sam: Client, maya: User, on_call: User) -> Client:
    note = Note(client=sam, by=maya, at=NOW)
    note.body = "Zyxcanary said in the session"
    note.save()
    audit.record("note.added", by=maya, client=sam, target=note)
    return sam


def made(tmp_path: Path) -> Path:
    call_command("backup", to=tmp_path / "backups", stdout=io.StringIO())
    return backups.found_in(tmp_path / "backups")[-1]


def restored(backup: Path, identity: Path, to: Path | str, **options: Any) -> str:
    out = io.StringIO()
    call_command("restore", backup, identity=identity, to=str(to), stdout=out, **options)
    return out.getvalue()


def inside(path: Path) -> dict[str, Any]:
    return {**restoring._sqlite(path / restoring.SQLITE)}


def test_backup_holds_one_moment_and_its_manifest(full: Client, identity: Path, tmp_path: Path) -> None:
    file = made(tmp_path)
    beside = json.loads(file.with_suffix(".json").read_text())
    stored = {row.pk for row in AuditEvent.objects.all()}
    assert sorted(each.name for each in (tmp_path / "backups").iterdir()) == sorted(
        [file.name, file.with_suffix(".json").name, "erasures.log"]
    )
    assert beside["tables"]["practice_client"] == 1
    assert beside["tables"]["practice_auditevent"] == len(stored) - 1  # the one that says that it was made
    assert beside["audit"]["seq"] == len(stored) - 1
    assert beside["file"] == {"name": file.name, "sha256": backups.digest(file)}
    assert file.stat().st_mode & 0o777 == 0o600
    row = Backup.objects.get()
    assert (row.kind, row.name, row.rows) == ("made", file.name, sum(beside["tables"].values()))


def test_backup_tells_nothing_to_whoever_finds_it(full: Client, identity: Path, tmp_path: Path) -> None:
    """Security check 53: no identifier in the file, in what lies beside it, or left behind on the way."""
    made(tmp_path)
    ring = [key for numbered in settings.KEY_RING.keys.values() for key in numbered.values()]
    everything = b"".join(
        each.read_bytes()
        for each in tmp_path.rglob("*")
        if each.is_file() and each != identity and not each.name.startswith("test.sqlite3")
    )
    assert [canary for canary in (*CANARIES, *ring) if canary in everything] == []
    assert [each.name for each in (tmp_path / "data").iterdir()] == ["audit-anchors.log"]


@sqlite_only
def test_opened_backup_still_reads_no_name_without_the_ring(full: Client, identity: Path, tmp_path: Path) -> None:
    """Security check 53: the key ring is never in a backup, so the opened one holds no identifier in clear."""
    restored(made(tmp_path), identity, tmp_path / "elsewhere")
    body = (tmp_path / "elsewhere" / restoring.SQLITE).read_bytes()
    assert [canary for canary in CANARIES if canary in body] == []
    assert sorted(each.name for each in (tmp_path / "elsewhere").iterdir()) == [
        "audit-anchors.log", "erasures.log", "waymark.sqlite3",
    ]  # fmt: skip


@sqlite_only
def test_restore_equals_its_manifest(full: Client, identity: Path, tmp_path: Path) -> None:
    """Security check 70 (R18): counts, digests and the end of the chain are as the manifest says."""
    file, frozen = made(tmp_path), frozen_triggers.installed(connection)
    assert len(frozen) == 2 * len(frozen_triggers.FROZEN)
    manifest = json.loads(file.with_suffix(".json").read_text())
    said = restored(file, identity, tmp_path / "elsewhere")
    assert f"{sum(manifest['tables'].values())} rows" in said
    with on(inside(tmp_path / "elsewhere")):
        assert Client.objects.get().name == "Sam Whitehorse"
        assert Note.objects.get().body == "Zyxcanary said in the session"
        assert list(audit.faults(tmp_path / "elsewhere" / "audit-anchors.log")) == []
        assert frozen_triggers.installed(connection) == frozen  # published versions stay frozen there
        last = AuditEvent.objects.order_by("-seq")[0]
        assert (last.seq, last.action) == (manifest["audit"]["seq"] + 1, "backup.restored")
    assert AuditEvent.objects.filter(action="backup.restored").count() == 0  # not here: there


@sqlite_only
def test_restore_kills_what_the_old_host_gave_out(
    full: Client, maya: User, identity: Path, tmp_path: Path, as_user: Callable[[User], Browser]
) -> None:
    """Security check 70 (R18): links and sessions of the old host are dead in the restored one."""
    from intake.actions import invite
    from intake.models import Invitation

    as_user(maya).get("/")
    invite(by=maya, client=full, key="intake", at=timezone.now())
    link = Invitation.objects.get()
    assert Session.objects.count() == 1
    assert Invitation.objects.filter(token_digest=link.token_digest).exists()
    restored(made(tmp_path), identity, tmp_path / "elsewhere")
    with on(inside(tmp_path / "elsewhere")):
        assert Session.objects.count() == 0
        assert Invitation.objects.filter(pk=link.pk).exists()
        assert not Invitation.objects.filter(token_digest=link.token_digest).exists()
    assert Session.objects.count() == 1


@sqlite_only
def test_restore_after_an_erasure_erases_again(full: Client, rosa: User, identity: Path, tmp_path: Path) -> None:
    """Security check 57, and 70 (R20): yesterday's backup and today's journal leave the client unreadable."""
    file = made(tmp_path)
    retention.ask(by=rosa, client=full, words="Please delete me", at=timezone.now())
    with_ten_years = timezone.now() + timedelta(days=3653)
    retention.delete(by=rosa, client=full, at=with_ten_years)
    assert Client.objects.count() == 0
    assert erasure.write_journal(file.parent) == 1
    said = restored(file, identity, tmp_path / "elsewhere")
    assert "Erased again: 1." in said
    with on(inside(tmp_path / "elsewhere")):
        assert (Client.objects.count(), Note.objects.count()) == (0, 0)
        assert [(row.what, row.ref, row.why) for row in Erased.objects.all()] == [("client", full.pk, "journal")]
        assert list(audit.faults(tmp_path / "elsewhere" / "audit-anchors.log")) == []


@sqlite_only
def test_restore_refuses_a_journal_that_somebody_else_wrote(full: Client, identity: Path, tmp_path: Path) -> None:
    file = made(tmp_path)
    planted = tmp_path / "planted.log"
    planted.write_text(f"2026-11-22T10:00:00+00:00 client {full.pk} {'0' * 64}\n")
    with pytest.raises(CommandError, match=r"Line 1 of planted\.log was not written by this practice"):
        restored(file, identity, tmp_path / "elsewhere", erasures=[planted])
    assert not (tmp_path / "elsewhere").exists()


def _flip(body: bytes) -> bytes:
    return body[:-200] + bytes([body[-200] ^ 1]) + body[-199:]


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "a byte was changed": _flip,
    "the end is missing": lambda body: body[: len(body) // 2],
    "it is empty": lambda body: b"",
    "it is something else": lambda body: b"PK\x03\x04 a letter",
}


@pytest.mark.parametrize("how", DAMAGE)
def test_damaged_backup_is_refused_before_anything_is_touched(
    how: str, full: Client, identity: Path, tmp_path: Path
) -> None:
    """Security check 70 (R19)."""
    file = made(tmp_path)
    file.write_bytes(DAMAGE[how](file.read_bytes()))
    with pytest.raises(CommandError, match=r"does not open: it is damaged.*Nothing was restored"):
        restored(file, identity, tmp_path / "elsewhere")
    assert not (tmp_path / "elsewhere").exists()
    assert not list(tmp_path.glob(".restore-*"))


def test_wrong_identity_is_refused(full: Client, identity: Path, tmp_path: Path) -> None:
    """Security check 70 (R19)."""
    file, other = made(tmp_path), tmp_path / "other.txt"
    other.write_text(str(pyrage.x25519.Identity.generate()))
    with pytest.raises(CommandError, match="made for another key"):
        restored(file, other, tmp_path / "elsewhere")
    other.write_text("not a key")
    with pytest.raises(CommandError, match=r"other\.txt is no age identity file"):
        restored(file, other, tmp_path / "elsewhere")
    assert not (tmp_path / "elsewhere").exists()


@sqlite_only
def test_backup_of_another_ring_is_refused(
    full: Client, identity: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Security check 70 (R19): a backup of somebody else's practice opens with the identity, and is still refused."""
    call_command("keys", "check")
    file = made(tmp_path)
    strange = KeyRing({purpose: {1: b"z" * 32} for purpose in settings.KEY_RING.keys})
    (settings.DATA_DIR / "audit-anchors.log").unlink()
    monkeypatch.setattr(settings, "KEY_RING", strange)
    with pytest.raises(CommandError, match="The key ring here is not the one of this backup"):
        restored(file, identity, tmp_path / "elsewhere")
    assert not (tmp_path / "elsewhere").exists()


def planted(members: list[tuple[tarfile.TarInfo, bytes]], identity: Path, place: Path) -> Path:
    """An age file, made for our key, of a tar that is not one of ours."""
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w") as tar:
        for info, body in members:
            info.size = len(body)
            tar.addfile(info, io.BytesIO(body))
    keys = [restoring.identities(identity)[0].to_public()]
    place.write_bytes(pyrage.encrypt(plain.getvalue(), keys))
    return place


def _link(name: str, target: str) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = tarfile.SYMTYPE, target
    return info


STRANGE: dict[str, list[tuple[tarfile.TarInfo, bytes]]] = {
    "a path out of the folder": [(tarfile.TarInfo("../../escaped"), b"x")],
    "an absolute path": [(tarfile.TarInfo("/tmp/escaped"), b"x")],
    "a link": [(_link("database", "/etc/passwd"), b"")],
    "a file too many": [*((tarfile.TarInfo(name), b"{}") for name in backups.MEMBERS), (tarfile.TarInfo("x"), b"x")],
    "a file twice": [(tarfile.TarInfo("manifest.json"), b"{}"), (tarfile.TarInfo("manifest.json"), b"{}")],
    "a file too few": [(tarfile.TarInfo("manifest.json"), b"{}")],
}


@pytest.mark.parametrize("what", STRANGE)
def test_strange_archive_is_refused_before_anything_is_touched(what: str, identity: Path, tmp_path: Path) -> None:
    file = planted(STRANGE[what], identity, tmp_path / "strange.age")
    before = sorted(map(str, tmp_path.rglob("*")))
    with pytest.raises(CommandError, match=r"holds something that no backup of Waymark holds\. Nothing was restored"):
        restored(file, identity, tmp_path / "elsewhere")
    assert sorted(map(str, tmp_path.rglob("*"))) == before


MANIFESTS = {
    "no JSON": (b"\xff\xfe", "has no manifest that can be read"),
    "of another program": (b'{"format": "other", "engine": "x", "sha256": {}}', "is not a backup of Waymark"),
    "that does not fit": (
        b'{"format": "waymark backup 1", "engine": "sqlite", "sha256": {"database": "0"}}',
        "is not what its manifest says",
    ),
}


@pytest.mark.parametrize("kind", MANIFESTS)
def test_manifest_of_nothing_we_know_is_refused(kind: str, identity: Path, tmp_path: Path) -> None:
    manifest, sentence = MANIFESTS[kind]
    members = [(tarfile.TarInfo(n), manifest if n == "manifest.json" else b"") for n in backups.MEMBERS]
    file = planted(members, identity, tmp_path / "strange.age")
    with pytest.raises(CommandError, match=sentence):
        restored(file, identity, tmp_path / "elsewhere")
    assert not (tmp_path / "elsewhere").exists()


def test_restore_never_writes_over_anything(full: Client, identity: Path, tmp_path: Path) -> None:
    file = made(tmp_path)
    (settings.DATA_DIR / "audit-anchors.log").read_text()
    with pytest.raises(CommandError, match="That is where this installation keeps its data"):
        restored(file, identity, settings.DATA_DIR)
    used = tmp_path / "used"
    used.mkdir()
    (used / "letter.txt").write_text("mine")
    with pytest.raises(CommandError, match="used is not empty"):
        restored(file, identity, used)
    assert [each.name for each in used.iterdir()] == ["letter.txt"]


@sqlite_only
def test_backup_while_people_write_loses_nothing_committed(
    full: Client, maya: User, identity: Path, tmp_path: Path
) -> None:
    """Security check 70 (R17): what was committed at the start is there, foreign keys are clean, the chain verifies."""
    stop, written = threading.Event(), list[int]()

    def write() -> None:
        while not stop.is_set():
            audit.record("read.chart", by=None, client=full)
            written.append(1)
        connection.close()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        while len(written) < 20:
            stop.wait(0.01)
        before = AuditEvent.objects.count()
        file = made(tmp_path)
    finally:
        stop.set()
        writer.join()
    restored(file, identity, tmp_path / "elsewhere")
    with on(inside(tmp_path / "elsewhere")):
        assert AuditEvent.objects.count() >= before
        assert list(audit.faults(tmp_path / "elsewhere" / "audit-anchors.log")) == []
    assert (
        sqlite3.connect(tmp_path / "elsewhere" / restoring.SQLITE).execute("PRAGMA foreign_key_check").fetchall() == []
    )


@postgres_only
def test_restore_into_an_empty_postgresql_database(full: Client, identity: Path, tmp_path: Path) -> None:
    """Security check 70 (R17, R18): counts of the dump's own moment, the chain, and never into a database in use."""
    file, frozen = made(tmp_path), frozen_triggers.installed(connection)
    assert len(frozen) == 2 * len(frozen_triggers.FROZEN)
    manifest = json.loads(file.with_suffix(".json").read_text())
    here = connection.settings_dict
    name = "restored_by_a_test"
    url = f"postgres://{here['USER']}:{here['PASSWORD']}@{here['HOST']}:{here['PORT']}/"
    with pytest.raises(CommandError, match="The database is not empty"):
        restored(file, identity, url + here["NAME"], files=tmp_path / "files")
    with connection.cursor() as cursor:
        cursor.execute(f"DROP DATABASE IF EXISTS {name}")
        cursor.execute(f"CREATE DATABASE {name} TEMPLATE template0")
    try:
        damaged = tmp_path / "backups" / "waymark-20200101T000000Z.age"
        damaged.write_bytes(_flip(file.read_bytes()))
        with pytest.raises(CommandError, match="does not open"):
            restored(damaged, identity, url + name, files=tmp_path / "files")
        said = restored(file, identity, url + name, files=tmp_path / "files")
        assert f"{sum(manifest['tables'].values())} rows" in said
        with on(restoring._postgres(url + name)):
            assert Client.objects.get().name == "Sam Whitehorse"
            assert AuditEvent.objects.order_by("-seq")[0].action == "backup.restored"
            assert list(audit.faults(tmp_path / "files" / "audit-anchors.log")) == []
            assert frozen_triggers.installed(connection) == frozen
            restoring._empty()
        out = io.StringIO()
        call_command("restore_drill", identity=identity, source=file.parent, to=url + name, stdout=out)
        assert out.getvalue().startswith(f"{file.name} can be restored")
        assert sorted(each.name for each in (tmp_path / "files").iterdir()) == ["audit-anchors.log", "erasures.log"]
    finally:
        with connection.cursor() as cursor:
            cursor.execute(f"DROP DATABASE {name} WITH (FORCE)")


@sqlite_only
def test_drill_says_its_minutes_and_is_noted(full: Client, identity: Path, tmp_path: Path) -> None:
    file = made(tmp_path)
    out = io.StringIO()
    call_command("restore_drill", identity=identity, source=tmp_path / "backups", stdout=out)
    tried = Backup.objects.get(kind=Backup.Kind.TRIED)
    assert out.getvalue() == (
        f"{file.name} can be restored: {tried.rows} rows, the audit trail is whole. 0.0 minutes.\n"
    )
    assert (tried.name, tried.is_good) == (file.name, True)
    assert sorted(each.name for each in settings.DATA_DIR.iterdir()) == ["audit-anchors.log"]


def test_drill_that_fails_is_noted_and_fails(full: Client, identity: Path, tmp_path: Path) -> None:
    file = made(tmp_path)
    file.write_bytes(_flip(file.read_bytes()))
    with pytest.raises(CommandError, match="does not open"):
        call_command("restore_drill", identity=identity, source=tmp_path / "backups")
    tried = Backup.objects.get(kind=Backup.Kind.TRIED)
    assert (tried.name, tried.is_good) == (file.name, False)
    assert backups.state(timezone.now()).tried_at is None


def test_without_a_key_no_backup_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(CommandError, match="BACKUP_RECIPIENTS is not set"):
        made(tmp_path)
    monkeypatch.setattr(settings, "BACKUP_RECIPIENTS", ["age1nonsense"])
    with pytest.raises(CommandError, match="no age public key"):
        made(tmp_path)
    assert not (tmp_path / "backups").exists()


def test_daily_job_makes_a_backup_where_it_is_told_to(
    full: Client, identity: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs.enqueue("back_up")
    jobs.run_due()
    assert Backup.objects.count() == 0
    monkeypatch.setattr(settings, "BACKUP_TO", str(tmp_path / "backups"))
    jobs.enqueue("back_up")
    jobs.run_due()
    assert [row.name for row in Backup.objects.all()] == [each.name for each in backups.found_in(tmp_path / "backups")]


def test_old_backups_are_thrown_away_but_never_the_last(tmp_path: Path) -> None:
    for name in ("waymark-20260101T000000Z", "waymark-20261101T000000Z", "waymark-20261121T000000Z", "waymark-notes"):
        (tmp_path / f"{name}.age").touch()
        (tmp_path / f"{name}.json").touch()
    assert backups.drop_old(tmp_path, NOW) == 1
    assert backups.drop_old(tmp_path, NOW + timedelta(days=3650)) == 1
    assert sorted(each.name for each in tmp_path.glob("*.age")) == ["waymark-20261121T000000Z.age", "waymark-notes.age"]


def test_backup_is_late_after_26_hours(house: Any) -> None:
    assert backups.state(NOW) == backups.BackupState(None, None, is_late=True)
    Backup.objects.create(kind="made", at=NOW, name="a")
    assert backups.state(NOW + timedelta(hours=26)).is_late is False
    assert backups.state(NOW + timedelta(hours=26, seconds=1)).is_late is True


def test_admins_and_nobody_else_read_the_age_of_the_backup(
    sam: Client, rosa: User, maya: User, as_user: Callable[[User], Browser]
) -> None:
    def told(user: User) -> list[str]:
        page = as_user(user).get("/caseload/").content.decode()
        return [
            words for words in ("No backup was ever made.", "The last backup is from", "Last backup") if words in page
        ]

    assert told(rosa) == ["No backup was ever made."]
    assert told(maya) == []
    Backup.objects.create(kind="made", at=timezone.now() - timedelta(hours=27), name="a")
    assert told(rosa) == ["The last backup is from", "Last backup"]
    Backup.objects.create(kind="made", at=timezone.now(), name="b")
    assert told(rosa) == ["Last backup"]
    assert factories.practice().name == "Cedar House"
