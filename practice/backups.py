"""A backup: one moment of the database, its manifest, the audit anchors and the journal of erasures, as one age file.

It is encrypted for BACKUP_RECIPIENTS, public keys whose other half this server never has. The key ring is not in it:
who holds a backup and its identity still reads no name without the ring, and who holds the ring has no backup.

    waymark-20261122T181000Z.age      a tar of exactly MEMBERS, encrypted
    waymark-20261122T181000Z.json     the manifest once more, with the digest of the age file; no word about a person
    erasures.log                      the newest journal (practice/erasure.py)
"""

import hashlib
import json
import os
import shutil
import sqlite3
import subprocess
import tarfile
import tempfile
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyrage
from django.conf import settings
from django.db import connection, transaction
from django.db.migrations.loader import MigrationLoader

from practice import audit, erasure
from practice.models import Backup
from practice.models.audit import AuditHead

FORMAT = "waymark backup 1"
DATABASE, MANIFEST, ANCHORS, ERASURES = "database", "manifest.json", audit.ANCHORS, erasure.JOURNAL
MEMBERS = (MANIFEST, DATABASE, ANCHORS, ERASURES)
PREFIX = "waymark-"
LATE = timedelta(hours=26)
CHUNK = 1 << 20


class BackupTrouble(Exception):
    """Says in a sentence what is wrong and that nothing was touched."""


def recipients() -> list[Any]:
    """The public keys that backups are encrypted for. Raises BackupTrouble when there are none, or one is not a key."""
    if not settings.BACKUP_RECIPIENTS:
        raise BackupTrouble(
            "BACKUP_RECIPIENTS is not set. Make a key pair with `age-keygen` on another machine, keep its file there, "
            "and set BACKUP_RECIPIENTS to its public key (age1...). No backup was made."
        )
    try:
        return [pyrage.x25519.Recipient.from_str(each) for each in settings.BACKUP_RECIPIENTS]
    except pyrage.RecipientError as trouble:
        raise BackupTrouble("BACKUP_RECIPIENTS has something that is no age public key (age1...).") from trouble


def make(*, to: Path, at: datetime) -> Backup:
    """Write a backup into the folder and note it. Raises BackupTrouble before anything is written."""
    begun, keys = time.monotonic(), recipients()
    try:
        to.mkdir(mode=0o700, parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix=".backup-", dir=to))
    except OSError as trouble:
        raise BackupTrouble(f"{to} is no folder that can be written to. No backup was made.") from trouble
    name = f"{PREFIX}{at.astimezone(UTC):%Y%m%dT%H%M%SZ}.age"
    try:
        erasure.write_journal()
        audit.anchor(at)
        _copy(ANCHORS, work)  # before the snapshot: an anchor that is newer than the rows would look like a cut-off end
        counted = snapshot(work / DATABASE)
        _copy(ERASURES, work)
        said = {
            "format": FORMAT,
            "made_at": at.astimezone(UTC).isoformat(timespec="seconds"),
            "version": version(),
            "engine": connection.vendor,
            **counted,
            "keys": {purpose: sorted(numbers) for purpose, numbers in settings.KEY_RING.keys.items()},
            "sha256": {each: digest(work / each) for each in MEMBERS if each != MANIFEST},
        }
        (work / MANIFEST).write_text(json.dumps(said, indent=1, sort_keys=True) + "\n")
        with tarfile.open(work / "tar", "w") as tar:
            for each in MEMBERS:
                tar.add(work / each, arcname=each, filter=_of_nobody)
        pyrage.encrypt_file(str(work / "tar"), str(work / name), keys)
        (work / name).chmod(0o600)
        beside = work / Path(name).with_suffix(".json").name
        beside.write_text(json.dumps({**said, "file": {"name": name, "sha256": digest(work / name)}}, indent=1) + "\n")
        _settle(work / name, to / name)
        _settle(beside, to / beside.name)
        _settle(work / ERASURES, to / ERASURES)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    with transaction.atomic():
        made = Backup.objects.create(
            kind=Backup.Kind.MADE, at=at, name=name, size=(to / name).stat().st_size,
            rows=sum(counted["tables"].values()), seconds=round(time.monotonic() - begun),
        )  # fmt: skip
        audit.record("backup.made", by=None, target=made, at=at, rows=made.rows, seq=counted["audit"]["seq"])
    return made


def _copy(name: str, work: Path) -> None:
    source = settings.DATA_DIR / name
    (work / name).write_bytes(source.read_bytes() if source.exists() else b"")


def _of_nobody(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    member.mode = 0o600
    return member


def _settle(source: Path, place: Path) -> None:
    """Put a finished file in its place: whole and on the disk, or not at all."""
    with source.open("rb") as written:
        os.fsync(written.fileno())
    source.replace(place)


def drop_old(folder: Path, at: datetime) -> int:
    """Delete backups that are older than BACKUP_KEEP_DAYS, never the newest. Returns how many."""
    cut = at - timedelta(days=settings.BACKUP_KEEP_DAYS)
    old = [each for each in found_in(folder)[:-1] if made_at(each) < cut]
    for each in old:
        each.unlink()
        each.with_suffix(".json").unlink(missing_ok=True)
    return len(old)


@dataclass(frozen=True)
class BackupState:
    """What admins read on every page."""

    made_at: datetime | None
    tried_at: datetime | None
    is_late: bool


def state(at: datetime) -> BackupState:
    latest = Backup.latest()
    return BackupState(latest["made"], latest["tried"], latest["made"] is None or at - latest["made"] > LATE)


def found_in(folder: Path) -> list[Path]:
    """The backups in a folder, oldest first."""
    return sorted(each for each in folder.glob(f"{PREFIX}*.age") if _moment(each) is not None)


def made_at(backup: Path) -> datetime:
    moment = _moment(backup)
    if moment is None:
        raise BackupTrouble(f"{backup.name} is not named as a backup is.")
    return moment


def _moment(backup: Path) -> datetime | None:
    try:
        return datetime.strptime(backup.stem.removeprefix(PREFIX), "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        return None


# --- One moment of the database --------------------------------------------------------------------------------------


def snapshot(place: Path) -> dict[str, Any]:
    """Write the database as it is at one moment, while people work. Returns what it holds, counted at that moment."""
    if connection.vendor == "sqlite":
        return _vacuumed(place)
    return _dumped(place)


def _vacuumed(place: Path) -> dict[str, Any]:
    # A connection of its own: VACUUM cannot run inside a transaction, and holds no lock that a writer would wait for.
    with sqlite3.connect(settings_of(connection)["NAME"], timeout=20, uri=False) as live:
        live.execute("VACUUM INTO ?", [str(place)])
    live.close()
    copy = sqlite3.connect(place)
    try:
        if copy.execute("PRAGMA integrity_check").fetchall() != [("ok",)]:
            raise BackupTrouble("The database does not pass its integrity check. No backup was made.")
        return contents(copy.cursor(), "sqlite")
    finally:
        copy.close()


def _dumped(place: Path) -> dict[str, Any]:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        cursor.execute("SET LOCAL statement_timeout = 0")
        cursor.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
        cursor.execute("SELECT pg_export_snapshot()")
        (moment,) = cursor.fetchone()
        run_tool("pg_dump", settings_of(connection), "--format=custom", "--no-owner", "--no-privileges",
                 f"--snapshot={moment}", f"--file={place}")  # fmt: skip
        return contents(cursor, "postgresql")


def contents(cursor: Any, vendor: str) -> dict[str, Any]:
    """Rows of each table, the end of the audit chain, and which migrations the tables are of."""
    cursor.execute(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%' ORDER BY name"
        if vendor == "sqlite"
        else "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY tablename"
    )
    tables = {}
    for (table,) in cursor.fetchall():
        cursor.execute(f'SELECT count(*) FROM "{table}"')  # noqa: S608  the name comes from the catalogue
        tables[table] = cursor.fetchone()[0]
    cursor.execute(f'SELECT seq, hash FROM "{AuditHead._meta.db_table}"')  # noqa: S608  our own table
    head = cursor.fetchone() or (0, "")
    migrations = []
    if "django_migrations" in tables:
        cursor.execute("SELECT app, name FROM django_migrations ORDER BY app, name")
        migrations = [f"{app}.{name}" for app, name in cursor.fetchall()]
    return {"tables": tables, "audit": {"seq": head[0], "hash": head[1]}, "migrations": migrations}


def known_migrations() -> set[str]:
    """The migrations that this version of Waymark has."""
    return {f"{app}.{name}" for app, name in MigrationLoader(None).disk_migrations or {}}


def version() -> str:
    """Which Waymark this is, as its newest migration."""
    return max((each for each in known_migrations() if each.startswith("practice.")), default="unreleased")


def settings_of(which: Any) -> dict[str, Any]:
    return dict(which.settings_dict)


def run_tool(tool: str, database: dict[str, Any], *arguments: str) -> None:
    """Run a program of PostgreSQL; the password goes by the environment. Raises BackupTrouble with its name only."""
    given = {"PGHOST": "HOST", "PGPORT": "PORT", "PGUSER": "USER", "PGPASSWORD": "PASSWORD", "PGDATABASE": "NAME"}
    told = {variable: str(database[key]) for variable, key in given.items() if database.get(key)}
    program = shutil.which(tool)
    if program is None:
        raise BackupTrouble(f"{tool} is not installed here (package postgresql-client). Nothing was done.")
    target = [f"--dbname={database['NAME']}"] if tool == "pg_restore" else []
    done = subprocess.run(  # noqa: S603  a fixed program; the arguments are ours
        [program, *arguments[:-1], *target, arguments[-1]], env={**os.environ, **told}, capture_output=True, check=False
    )
    if done.returncode:
        raise BackupTrouble(f"{tool} ended with {done.returncode}. Nothing was kept of it.")


def digest(path: Path) -> str:
    found = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            found.update(chunk)
    return found.hexdigest()
