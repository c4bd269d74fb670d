"""A copy of a client's record, or of the whole practice, as a file: asked for, made in slices, handed out, deleted.

A job makes a slice of a few seconds and queues the next, so that a big practice's copy never stands in the way of a
safety message, and one that a crash cut short goes on where it was. Before each slice, and again when the file is
fetched, who asked for it must still have the right to it. The files lie sealed in DATA_DIR/exports; a zip is only
wrapped around them while they are sent.
"""

import io
import shutil
import time
import zipfile
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction
from django.urls import reverse
from django.utils import timezone

from practice import audit, bundle, jobs, notices, record
from practice.bundle import MANIFEST, Entry, Place
from practice.models import Client, Export, ExportFile, User
from practice.models.exports import KEPT
from practice.privacy import LEFT_OUT, THEIRS_UNTIL
from practice.sealed import seal, unseal

SLICE_S = 5.0
GIVEN_UP = timedelta(days=1)
State, Why = Export.State, Export.Why


# --- Asking ----------------------------------------------------------------------------------------------------------


@transaction.atomic
def begin(*, by: User, client: Client | None, at: datetime) -> Export:
    """Have a copy made: of this client's record, or of everything. One that is being made already is returned."""
    going: Export | None = Export.objects.filter(asked_by=by, client=client, state=State.MAKING).first()
    if going is not None:
        return going
    every = len(record.kinds(of_client=client is not None))
    export = Export.objects.create(client=client, asked_by=by, asked_at=at, kinds_all=every)
    audit.record("export.asked", by=by, client=client, target=export, at=at, whole_practice=client is None)
    jobs.enqueue("make_export", ref=export.pk)
    return export


def reasons() -> list[str]:
    """What no copy of the practice holds, and why: what people would look for in it."""
    told = (LEFT_OUT["practice.PsychotherapyNote"], LEFT_OUT["practice.AuditEvent"])
    return [*map(str, told), *(str(why) for _holds, why in THEIRS_UNTIL.values())]


def may_have(export: Export) -> bool:
    """Whether who asked for it still has the right to it, read anew."""
    asker = User.objects.get(pk=export.asked_by_id)
    return bool(Export.objects.visible_to(asker).filter(pk=export.pk).exists())


# --- Making ----------------------------------------------------------------------------------------------------------


def make_slice(export: Export, *, at: datetime, seconds: float = SLICE_S) -> Callable[[], None] | None:
    """Write files for some seconds. Returns what has to be noted in the database, in one transaction."""
    if export.state != State.MAKING:
        return None
    if not may_have(export):
        return partial(_stop, export, Why.RIGHT_LOST, at)
    files = _Sealed(export)
    kinds = record.kinds(of_client=export.client_id is not None)
    done, place = export.kinds_done, Place.read(export.after)
    until = time.monotonic() + seconds
    while done < len(kinds):
        further = bundle.write_part(kinds[done], export.client_id, place, files.put)
        done, place = (done, further) if further else (done + 1, Place())
        if time.monotonic() > until:
            break
    if done < len(kinds):
        return partial(_go_on, export, files.written, done, place, at)
    bundle.write_explanations(kinds, export.client, files.put)
    entries = [*(Entry(f.path, f.size, f.sha256, f.rows) for f in export.files.all()), *files.written]
    files.put(
        MANIFEST,
        bundle.manifest(kinds, export.client, entries, begun=export.begun_at or at, ended=at),
        None,
    )
    return partial(_ready, export, files.written, done, at)


class _Sealed:
    """Where the files of an export lie: sealed, each bound to its export and its number, for our eyes only."""

    def __init__(self, export: Export) -> None:
        self.export, self.first, self.written = export, export.files.count(), list[Entry]()
        folder(export).mkdir(mode=0o700, parents=True, exist_ok=True)

    def put(self, path: str, body: bytes, rows: int | None) -> None:
        number = self.first + len(self.written)
        place = folder(self.export) / str(number)
        place.touch(mode=0o600)
        place.write_bytes(seal(body, _about(self.export, number)))
        self.written.append(Entry.of(path, body, rows))


def folder(export: Export) -> Path:
    return settings.DATA_DIR / "exports" / export.pk.hex


def _about(export: Export, number: int) -> str:
    return f"export|{export.pk}|{number}"


def _note(export: Export, written: list[Entry], at: datetime, **fields: Any) -> None:
    first = export.files.count()
    ExportFile.objects.bulk_create(
        [
            ExportFile(export=export, number=first + n, path=e.path, size=e.size, sha256=e.sha256, rows=e.rows)
            for n, e in enumerate(written)
        ],
        batch_size=500,
    )
    Export.objects.filter(pk=export.pk).update(begun_at=export.begun_at or at, **fields)


def _go_on(export: Export, written: list[Entry], done: int, place: Place, at: datetime) -> None:
    _note(export, written, at, kinds_done=done, after=str(place) if place.part else "")
    jobs.enqueue("make_export", ref=export.pk)


def _ready(export: Export, written: list[Entry], done: int, at: datetime) -> None:
    _note(export, written, at, kinds_done=done, after="", state=State.READY, ready_at=at)
    audit.record(
        "export.made", by=None, client=export.client, target=export, at=at, files=export.files.count(),
        sha256=written[-1].sha256,
    )  # fmt: skip
    notices.tell_staff(export.asked_by, "export_ready", link=notices.link(page_of(export)))


def page_of(export: Export) -> str:
    """Where the copy is fetched."""
    return reverse("record_copy", args=[export.client_id]) if export.client_id else reverse("practice_export")


def _stop(export: Export, why: str, at: datetime) -> None:
    Export.objects.filter(pk=export.pk).update(state=State.STOPPED, stopped_why=why, gone_at=at)
    export.files.all().delete()
    audit.record(
        "export.stopped", by=export.asked_by, client=export.client, target=export, at=at, outcome="refused", why=why
    )
    transaction.on_commit(partial(shutil.rmtree, folder(export), ignore_errors=True))


# --- Handing out and throwing away -----------------------------------------------------------------------------------


def zipped(export: Export) -> Iterator[bytes]:
    """The copy as one zip, a file at a time. Raises Tampered, and so ends short, when a file is not what it was."""
    files = list(export.files.values_list("number", "path"))
    moment = timezone.localtime(export.ready_at).timetuple()[:6]
    pipe = _Pipe()
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED) as out:
        for number, path in files:
            info = zipfile.ZipInfo(path, moment)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = 0o600 << 16
            out.writestr(info, unseal((folder(export) / str(number)).read_bytes(), _about(export, number)))
            yield pipe.taken()
    yield pipe.taken()


class _Pipe(io.RawIOBase):
    """What a zip is written to: it keeps what has not been sent yet."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, part: Any) -> int:
        self.parts.append(bytes(part))
        return len(part)

    def taken(self) -> bytes:
        whole, self.parts = b"".join(self.parts), []
        return whole


def is_there(export: Export) -> bool:
    return export.state == State.READY and folder(export).is_dir()


def throw_away(at: datetime) -> int:
    """Delete the copies that were kept long enough, and those that nothing came of. Returns how many."""
    old = Export.objects.filter(state=State.READY, ready_at__lt=at - KEPT)
    stuck = Export.objects.filter(state=State.MAKING, asked_at__lt=at - GIVEN_UP)
    found = [*((each, State.GONE, "") for each in old), *((each, State.STOPPED, Why.FAILED) for each in stuck)]
    for export, state, why in found:
        shutil.rmtree(folder(export), ignore_errors=True)
        with transaction.atomic():
            Export.objects.filter(pk=export.pk).update(state=state, stopped_why=why, gone_at=at)
            export.files.all().delete()
            audit.record("export.deleted", by=None, client=export.client, target=export, at=at)
    return len(found)
