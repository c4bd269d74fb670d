"""Deleting a client's record for good, and the journal that keeps it deleted when an older backup is restored.

The ledger (models.Erased) is the truth. The journal is its copy outside the database: one line for each client, an id
with a seal of the audit key. It lies in DATA_DIR and beside every backup; a line that a crash left out is written with
the next one.
"""

import hmac
import os
import shutil
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import UUID

from django.apps import apps
from django.conf import settings
from django.db import connection, models, transaction

from practice import audit, exports
from practice.models import Apart, Client, ClientRecord, Erased, Export, KeptForm, SentForm, User

JOURNAL = "erasures.log"
BATCH = 500

Rows = dict[type[models.Model], set[Any]]


class Entangled(RuntimeError):
    """A row of somebody else points at this record: a fault of the data, nothing was deleted."""


class ForeignJournal(ValueError):
    """A line of a journal was not written by this practice."""


def everything_of(client_id: Any) -> Rows:
    """The keys of every row of the record, by model: found from the models, so that a new one is in it from its day."""
    found: Rows = {Client: {client_id}}
    for model in apps.get_models():
        if issubclass(model, ClientRecord):
            keys = set(model._base_manager.filter(**{model.client_path: client_id}).values_list("pk", flat=True))
            if keys:
                found[model] = keys
    grown = True
    while grown:
        grown = False
        for model, _field, keys in list(_pointing(found)):
            new = keys - found.get(model, set())
            if new and issubclass(model, ClientRecord) and model is not Apart:  # of two, it goes with either
                raise Entangled(f"{model._meta.label} has a row of somebody else that points here")
            if new:
                found.setdefault(model, set()).update(new)
                grown = True
    return found


def _pointing(found: Rows, *, clearing: bool = False) -> Iterator[tuple[type[models.Model], str, set[Any]]]:
    """Rows that point at these: those that go with them or, `clearing`, those that stay and forget them."""
    for model in apps.get_models(include_auto_created=True):
        for field in model._meta.concrete_fields:
            target = field.related_model if field.is_relation else None
            if target not in found or (getattr(field.remote_field, "on_delete", None) is models.SET_NULL) != clearing:
                continue
            keys: set[Any] = set()
            for part in _parts(found[target]):
                keys.update(model._base_manager.filter(**{f"{field.name}__in": part}).values_list("pk", flat=True))
            if keys:
                yield model, field.name, keys


def _parts(keys: Iterable[Any]) -> Iterator[list[Any]]:
    listed = list(keys)
    return (listed[n : n + BATCH] for n in range(0, len(listed), BATCH))


@transaction.atomic
def erase(*, by: User | None, client: Client, what: str, why: str, at: datetime) -> Erased:
    """Delete every row of the record. The audit trail and the ledger keep the id. Holds and floors are asked before."""
    found = everything_of(client.pk)
    merged = list(Client.objects.filter(merged_as__client=client, merged_as__undone_at=None))
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA secure_delete = ON")  # the room is overwritten, not only given free
    made = _throw_copies_away(client)
    for model, name, keys in list(_pointing(found, clearing=True)):
        stay = keys - found.get(model, set())
        for part in _parts(stay):
            model._base_manager.filter(pk__in=part).update(**{name: None})
    for model, keys in found.items():
        for part in _parts(keys):
            model._base_manager.filter(pk__in=part)._raw_delete(connection.alias)
    for form in (KeptForm, SentForm):
        form._base_manager.filter(path__contains=str(client.pk)).delete()
    rows = sum(map(len, found.values()))
    ledger, _new = Erased.objects.get_or_create(
        what=what, ref=client.pk, defaults={"why": why, "at": at, "by": by, "rows": rows}
    )
    audit.record("client.erased", by=by, client=client.pk, target=ledger, at=at, what=what, why=why, rows=rows)
    for former in merged:  # one person: an older backup may hold each by itself, so each has a line of its own
        erase(by=by, client=former, what=what, why=why, at=at)
    transaction.on_commit(partial(_after, made))
    return ledger


def _throw_copies_away(client: Client) -> list[Path]:
    """The folders of copies that hold this record: their own, and those of the whole practice."""
    whole = Export.objects.filter(client=None, state__in=(Export.State.MAKING, Export.State.READY))
    folders = [exports.folder(each) for each in [*whole, *Export.objects.filter(client=client)]]
    for each in whole:
        each.files.all().delete()
    whole.update(state=Export.State.GONE)
    return folders


def _after(folders: list[Path]) -> None:
    for each in folders:
        shutil.rmtree(each, ignore_errors=True)
    write_journal()


# --- The journal -----------------------------------------------------------------------------------------------------


def _seal(said: str, key: bytes) -> str:
    return hmac.new(key, f"erased|{said}".encode(), sha256).hexdigest()


def write_journal(folder: Path | None = None) -> int:
    """Bring the journal to the ledger; no line is ever taken out. Returns how many lines were missing."""
    path = (folder or settings.DATA_DIR) / JOURNAL
    there = {ref for ref, _at, _what in read_journal(path)}
    kept = Erased.objects.exclude(what=Erased.What.DRAFT).order_by("at", "pk")
    missing = [row for row in kept if row.ref not in there]
    if not missing:
        return 0
    _, key = settings.KEY_RING.current("audit")
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    lines = path.read_text().splitlines() if path.exists() else []
    for row in missing:
        said = f"{row.at.astimezone(UTC).isoformat(timespec='seconds')} {row.what} {row.ref}"
        lines.append(f"{said} {_seal(said, key)}")
    draft = path.with_name(f"{JOURNAL}.new")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as out:
        out.write("".join(f"{line}\n" for line in lines))
        out.flush()
        os.fsync(out.fileno())
    draft.replace(path)  # whole or not at all: half a line would be taken for a foreign one
    return len(missing)


def read_journal(path: Path) -> Iterator[tuple[UUID, datetime, str]]:
    """Each line as id, moment and what it was. Raises ForeignJournal at a line that this practice did not write."""
    if not path.exists():
        return
    for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
        said, _, seal = line.rpartition(" ")
        keys = settings.KEY_RING.keys.get("audit", {}).values()
        if not any(hmac.compare_digest(_seal(said, key).encode(), seal.encode()) for key in keys):
            raise ForeignJournal(f"Line {number} of {path.name} was not written by this practice, or was changed.")
        moment, what, ref = said.split(" ")
        yield UUID(ref), datetime.fromisoformat(moment), what


def replay(journals: Iterable[Path], *, at: datetime) -> int:
    """Delete again what these journals say was deleted. Returns how many clients an older backup had brought back."""
    again = 0
    for path in journals:
        for ref, moment, what in read_journal(path):
            client = Client.objects.filter(pk=ref).first()
            if client is not None:
                erase(by=None, client=client, what=what, why=Erased.Why.JOURNAL, at=at)
                again += 1
            else:
                Erased.objects.get_or_create(
                    what=what, ref=ref, defaults={"why": Erased.Why.JOURNAL, "at": moment, "rows": 0}
                )
    return again
