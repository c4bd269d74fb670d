"""Taking a file of clients in: kept sealed, looked at, confirmed by a person, then batch by batch.

A batch and the count of rows that it deals with are one transaction, so a run that is cut short goes on where it was.
No invitation is sent, and nobody who is here is changed.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext, gettext_lazy

from practice import audit, coverage, csv_in, importing, jobs
from practice.access import Permission
from practice.actions import NotNow, admit
from practice.importing import Fate, How, Planned
from practice.models import Client, ClientImport, Practice, Site, User

State = ClientImport.State
BATCH = 200  # about a second
FORGET_AFTER = timedelta(days=1)  # a file that nobody came back to
ENDED = gettext_lazy("Somebody took this file in already, or threw it away.")


@transaction.atomic
def keep(*, by: User | None, body: bytes, encoding: str, at: datetime) -> ClientImport:
    """Keep the file until somebody has looked at it. Raises csv_in.NotATable, and then nothing is kept."""
    table = csv_in.read(body, encoding=encoding, most_rows=importing.MOST_ROWS)
    columns = importing.guess(table.header)
    row = ClientImport(by=by, at=at, encoding=encoding, columns=columns, rows=len(table.rows))
    row.dates = importing.guess_dates(table.rows, columns.get("birth_date"))
    row.body = body
    row.save(force_insert=True)
    audit.record("import.kept", by=by, target=row, at=at, rows=row.rows)
    return row


def settle(
    row: ClientImport, columns: Mapping[str, int], dates: str, therapist: User | None, site: Site | None
) -> None:
    """Keep which column is what, and whose the clients shall be."""
    row.columns, row.dates, row.therapist, row.site = dict(columns), dates, therapist, site
    row.save(update_fields=["columns", "dates", "therapist", "site"])


def choice(row: ClientImport) -> str:
    """Which columns, and whose: a word for a page to say on which choice it stands."""
    said = [sorted(row.columns.items()), row.dates, row.therapist_id, row.site_id]
    return sha256(repr(said).encode()).hexdigest()[:20]


def mark(row: ClientImport, shown: set[int], separate: set[int]) -> None:
    """Of the rows shown, keep which are somebody else."""
    row.separate = sorted((set(row.separate) - shown) | (separate & shown))
    row.save(update_fields=["separate"])


def table_of(row: ClientImport) -> csv_in.Table:
    return csv_in.read(row.body, encoding=row.encoding)


def preview(row: ClientImport, at: datetime) -> list[Planned]:
    """Every row of a file that waits, with what would become of it now."""
    return importing.plan(table_of(row).rows, _how(row), coverage.local(at, Practice.get()).date())


def _how(row: ClientImport) -> How:
    return How(row.columns, row.dates, row.therapist, row.site, frozenset(row.separate))


@transaction.atomic
def start(*, by: User | None, row: ClientImport, at: datetime) -> None:
    """Take in, by this person's word, the first rows now and the rest in the background."""
    if row.therapist is None or row.site is None:
        raise NotNow(gettext("Choose a therapist and a site first."))
    if not ClientImport.objects.filter(pk=row.pk, state=State.WAITING).update(state=State.TAKING, by=by):
        raise NotNow(str(ENDED))
    audit.record("import.started", by=by, target=row, at=at, rows=row.rows)
    take_next(row.pk, at=at)
    row.refresh_from_db()


@transaction.atomic
def take_next(pk: UUID, *, at: datetime) -> None:
    """Take the next batch in; then leave the rest to a job, or finish."""
    found = ClientImport.objects.select_for_update(of=("self",), no_key=True).select_related("by", "therapist", "site")
    row = found.get(pk=pk)
    if row.state != State.TAKING:
        return
    if row.by is not None and not row.by.may(Permission.IMPORT_CLIENTS):
        _end(row, State.STOPPED, at)
        return
    rows = table_of(row).rows[row.taken_to : row.taken_to + BATCH]
    for one in importing.plan(rows, _how(row), coverage.local(at, Practice.get()).date()):
        if one.fate == Fate.NEW and one.site is not None:
            status = Client.Status.ACTIVE
            admit(by=row.by, site=one.site, therapist=one.therapist, at=at, status=status, **one.identity)
        else:
            row.outcomes.append([one.number, one.fate, one.why])
    row.taken_to += len(rows)
    row.save(update_fields=["taken_to", "outcomes"])
    if row.taken_to < row.rows:
        jobs.enqueue("import_clients", ref=row.pk)
    else:
        _end(row, State.DONE, at)


@transaction.atomic
def discard(*, by: User | None, row: ClientImport, at: datetime) -> None:
    """Throw away a file that waits."""
    if not ClientImport.objects.filter(pk=row.pk, state=State.WAITING).exists():
        raise NotNow(str(ENDED))
    _end(row, State.DISCARDED, at, by)


def forget(at: datetime) -> None:
    """Throw away the files that nobody came back to."""
    for row in ClientImport.objects.filter(state=State.WAITING, at__lt=at - FORGET_AFTER):
        discard(by=None, row=row, at=at)


def _end(row: ClientImport, state: str, at: datetime, by: User | None = None) -> None:
    """The file itself is not kept any longer."""
    row.state, row.done_at, row.body = state, at, b""
    row.save(update_fields=["state", "done_at", "body"])
    audit.record(f"import.{state}", by=by or row.by, target=row, at=at, **counts(row))


def counts(row: ClientImport) -> dict[str, Any]:
    """How many rows had which fate so far: they add up to `taken_to`."""
    other = Counter(fate for _number, fate, _why in row.outcomes)
    return {Fate.NEW.value: row.taken_to - sum(other.values()), **other}


def tally(planned: Sequence[Planned]) -> dict[str, int]:
    return dict(Counter(str(one.fate) for one in planned))
