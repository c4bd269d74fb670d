"""Restoring a backup somewhere else, and proving that it is whole.

Everything is looked at in a folder of its own first. Only what passed is put where it was asked for, and that place
must be empty: a restore never writes over anything. What the old host had given out is dead in the restored database:
sessions, links of clients and clinics, calendars, passwords asked for, messages that waited for clients.
"""

import json
import shutil
import tarfile
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import environ
import pyrage
from django.apps import apps
from django.conf import settings
from django.core.management import call_command
from django.db import DEFAULT_DB_ALIAS, DatabaseError, connection, connections, transaction
from django.db.models import F, Q, Value
from django.db.models.functions import Concat, Substr
from django.db.utils import load_backend

from practice import audit, erasure
from practice.backups import (
    ANCHORS,
    DATABASE,
    ERASURES,
    FORMAT,
    MANIFEST,
    MEMBERS,
    BackupTrouble,
    contents,
    digest,
    known_migrations,
    run_tool,
)
from practice.keys import KeyTrouble
from practice.models import Notice, Practice, User
from practice.notices import TO_CLIENTS
from practice.privacy import our_models
from practice.sealed import Tampered

LONGEST_MANIFEST = 1 << 20
UNTOUCHED = "Nothing was restored."
SQLITE = "waymark.sqlite3"


@contextmanager
def spare_folder(beside: Path) -> Iterator[Path]:
    """A folder for our eyes only, gone afterwards."""
    beside.mkdir(mode=0o700, parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=".restore-", dir=beside))
    try:
        yield work
    finally:
        shutil.rmtree(work, ignore_errors=True)


# --- Opening ---------------------------------------------------------------------------------------------------------


def open_backup(backup: Path, identity: Path, work: Path) -> dict[str, Any]:
    """Decrypt and unpack into `work`, and return the manifest. Raises BackupTrouble for anything that is not ours."""
    keys = identities(identity)
    if not backup.is_file():
        raise BackupTrouble(f"There is no file {backup.name}. {UNTOUCHED}")
    try:
        with backup.open("rb") as sealed, (work / "tar").open("wb") as plain:
            pyrage.decrypt_io(sealed, plain, keys)
    except (pyrage.DecryptError, OSError, ValueError) as trouble:
        raise BackupTrouble(
            f"{backup.name} does not open: it is damaged, no backup, or was made for another key. {UNTOUCHED}"
        ) from trouble
    _unpack(work)
    try:
        manifest: dict[str, Any] = json.loads((work / MANIFEST).read_bytes()[:LONGEST_MANIFEST])
        listed = manifest["sha256"]
        foreign = manifest["format"] != FORMAT or manifest["engine"] not in ("sqlite", "postgresql")
    except (ValueError, KeyError, TypeError) as trouble:
        raise BackupTrouble(f"{backup.name} has no manifest that can be read. {UNTOUCHED}") from trouble
    if foreign:
        raise BackupTrouble(f"{backup.name} is not a backup of Waymark, or of a later kind. {UNTOUCHED}")
    if listed != {each: digest(work / each) for each in MEMBERS if each != MANIFEST}:
        raise BackupTrouble(f"What is in {backup.name} is not what its manifest says. {UNTOUCHED}")
    return manifest


def identities(path: Path) -> list[Any]:
    try:
        lines = [line.strip() for line in path.read_text().splitlines()]
        found = [pyrage.x25519.Identity.from_str(line) for line in lines if line and not line.startswith("#")]
    except (OSError, UnicodeDecodeError, pyrage.IdentityError) as trouble:
        raise BackupTrouble(f"{path.name} is no age identity file (AGE-SECRET-KEY-1...). {UNTOUCHED}") from trouble
    if not found:
        raise BackupTrouble(f"{path.name} holds no age identity. {UNTOUCHED}")
    return found


def _unpack(work: Path) -> None:
    """Take exactly MEMBERS out of the tar, each a plain file; anything else in it means that it is not ours."""
    wrong = BackupTrouble(f"The file holds something that no backup of Waymark holds. {UNTOUCHED}")
    names: list[str] = []
    try:
        with tarfile.open(work / "tar", "r:") as tar:
            for member in tar:
                if member.name not in MEMBERS or member.name in names or not member.isreg():
                    raise wrong
                names.append(member.name)
                source = tar.extractfile(member)
                if source is None:
                    raise wrong
                with (work / member.name).open("wb") as out:
                    while chunk := source.read(1 << 20):
                        out.write(chunk)
    except tarfile.TarError as trouble:
        raise wrong from trouble
    (work / "tar").unlink()
    if sorted(names) != sorted(MEMBERS):
        raise wrong


# --- Another database for a while ------------------------------------------------------------------------------------


@contextmanager
def on(database: dict[str, Any]) -> Iterator[None]:
    """Let everything this thread does go to another database."""
    home = connections[DEFAULT_DB_ALIAS]
    there = {**home.settings_dict, **database, "CONN_MAX_AGE": 0}
    other = load_backend(there["ENGINE"]).DatabaseWrapper(there, DEFAULT_DB_ALIAS)
    connections[DEFAULT_DB_ALIAS] = other
    try:
        yield
    finally:
        other.close()
        connections[DEFAULT_DB_ALIAS] = home


def _sqlite(path: Path) -> dict[str, Any]:
    start = "PRAGMA foreign_keys=ON;PRAGMA synchronous=OFF;"  # a copy; it is flushed before it is put in its place
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": str(path),
        "OPTIONS": {"transaction_mode": "IMMEDIATE", "init_command": start},
    }


def _postgres(url: str) -> dict[str, Any]:
    return {**environ.Env.db_url_config(url), "OPTIONS": {"connect_timeout": 5}}


# --- Restoring -------------------------------------------------------------------------------------------------------


def restore(
    *, backup: Path, identity: Path, to: str, files: Path | None, journals: Iterable[Path], work: Path, at: datetime
) -> dict[str, Any]:
    """Restore into an empty folder, or an empty database and a folder for its files. Returns the manifest and counts.

    `work` is a spare folder on the disk of the target. Raises BackupTrouble before the target is touched.
    """
    goes_to_postgres = to.startswith(("postgres://", "postgresql://"))
    folder = files if goes_to_postgres else Path(to)
    if folder is None:
        raise BackupTrouble(f"Say with --files which new folder the anchors and the journal go to. {UNTOUCHED}")
    _is_free(folder)
    manifest = open_backup(backup, identity, work)
    if (manifest["engine"] == "postgresql") != goes_to_postgres:
        where = "a database address" if manifest["engine"] == "postgresql" else "a folder"
        raise BackupTrouble(f"This backup is of {manifest['engine']}: give {where} with --to. {UNTOUCHED}")
    newer = set(manifest["migrations"]) - known_migrations()
    if newer and known_migrations():
        raise BackupTrouble(
            f"This backup was written by a newer Waymark ({manifest['version']}): install that first. {UNTOUCHED}"
        )
    found = [each for each in (*journals, backup.with_name(ERASURES), settings.DATA_DIR / ERASURES) if each.exists()]
    (work / DATABASE).rename(work / SQLITE)
    database = _postgres(to) if goes_to_postgres else _sqlite(work / SQLITE)
    try:
        for each in found:
            list(erasure.read_journal(each))
    except erasure.ForeignJournal as trouble:
        raise BackupTrouble(f"{trouble} {UNTOUCHED}") from trouble
    with on(database):
        if goes_to_postgres:
            _load(work / SQLITE, database)
        try:
            again = _prove(manifest, [work / ERASURES, *found], work, at)
        except BaseException:
            if goes_to_postgres:
                _empty()
            raise
        if not goes_to_postgres:
            with connection.cursor() as cursor:
                cursor.execute("PRAGMA journal_mode = DELETE")
    if goes_to_postgres:
        (work / SQLITE).unlink()
    (work / MANIFEST).unlink()
    if folder.exists():
        folder.rmdir()
    folder.parent.mkdir(parents=True, exist_ok=True)
    work.rename(folder)
    return {**manifest, "erased_again": again}


def rehearse(*, backup: Path, identity: Path, to: str, spare: Path, at: datetime) -> dict[str, Any]:
    """Restore for trial and throw it away. Returns the manifest. Raises BackupTrouble as restore does."""
    work, place = spare / "work", spare / "restored"
    work.mkdir(mode=0o700)
    said = restore(backup=backup, identity=identity, to=to or str(place), files=place, journals=(), work=work, at=at)
    if to:
        with on(_postgres(to)):
            _empty()
    return said


def _is_free(folder: Path) -> None:
    if folder.resolve() == settings.DATA_DIR.resolve():
        raise BackupTrouble(f"That is where this installation keeps its data. Give a new folder. {UNTOUCHED}")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise BackupTrouble(f"{folder} is not empty. Give a new folder. {UNTOUCHED}")


def _load(dump: Path, database: dict[str, Any]) -> None:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace")
            if cursor.fetchone()[0]:
                raise BackupTrouble(f"The database is not empty. Give a new one. {UNTOUCHED}")
    except DatabaseError as trouble:
        raise BackupTrouble(f"The database does not answer. {UNTOUCHED}") from trouble
    connection.close()
    run_tool(
        "pg_restore", database, "--no-owner", "--no-privileges", "--exit-on-error", "--single-transaction", str(dump)
    )


def _empty() -> None:
    """Leave the database as empty as it was given to us."""
    connection.rollback() if connection.in_atomic_block else None
    with connection.cursor() as cursor:
        cursor.execute("DROP SCHEMA public CASCADE")
        cursor.execute("CREATE SCHEMA public")


def _prove(manifest: dict[str, Any], journals: list[Path], work: Path, at: datetime) -> int:
    """Compare the restored database with its manifest, bring it up to date, and kill what the old host gave out."""
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("PRAGMA integrity_check")
            if cursor.fetchall() != [("ok",)]:
                raise BackupTrouble(f"The database in the backup is damaged. {UNTOUCHED}")
            cursor.execute("PRAGMA foreign_key_check")
            if cursor.fetchall():
                raise BackupTrouble(f"Rows of the backup point at rows that are not there. {UNTOUCHED}")
        held = contents(cursor, connection.vendor)
    if any(held[part] != manifest[part] for part in ("tables", "audit", "migrations")):
        raise BackupTrouble(f"The restored rows are not as many as the manifest says. {UNTOUCHED}")
    if set(manifest["migrations"]) != known_migrations():
        call_command("migrate", verbosity=0, interactive=False)
    try:
        if Practice.get().__dict__["key_canary"] is not None:
            str(Practice.get().key_canary)
    except (KeyTrouble, Tampered) as trouble:
        raise BackupTrouble(
            f"The key ring here is not the one of this backup: put its ring at KEYS_PATH. {UNTOUCHED}"
        ) from trouble
    fault = next(audit.faults(work / ANCHORS), None)
    if fault is not None:
        raise BackupTrouble(f"The audit trail of the backup is not whole: {fault} {UNTOUCHED}")
    with transaction.atomic():
        kill_what_was_given_out(at)
        again = erasure.replay(journals, at=at)
        audit.record("backup.restored", by=None, at=at, made_at=manifest["made_at"], erased_again=again)
    erasure.write_journal(work)
    return again


def kill_what_was_given_out(at: datetime) -> None:
    """Sessions, links, codes and waiting messages of the old host mean nothing in the restored database."""
    for label in ("sessions.Session", "usersessions.UserSession"):
        apps.get_model(label)._base_manager.all().delete()
    for model in our_models():
        names = {field.name for field in model._meta.concrete_fields}
        if "token_digest" in names:  # no digest begins with an x, so no token fits any more
            given = model._base_manager.exclude(Q(token_digest="") | Q(("token_digest__startswith", "x")))
            given.update(token_digest=Concat(Value("x"), Substr("token_digest", 2)))
        for name in names & {"return_digest", "code_digest"}:
            model._base_manager.exclude(**{name: ""}).update(**{name: ""})
    invited = User.objects.filter(Q(("password__startswith", "!")))
    for user in invited:
        user.set_unusable_password()
        user.save(update_fields=["password"])
    # Links for a new password are made from the last sign-in: a second later they are no longer right.
    User.objects.exclude(last_login=None).update(last_login=F("last_login") + timedelta(seconds=1))
    Notice.objects.filter(state=Notice.State.WAITING, template__in=TO_CLIENTS).update(
        state=Notice.State.STOPPED, words=None
    )
