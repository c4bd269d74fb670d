"""Reports, files, export and import: each beside what bare code does with the same rows, in turn, in one run.

Every sample is a process of its own, so that its memory is its own. The floor of the report is one aggregate by the
ORM; of the files, `values_list().iterator()` into the csv module or xlsxwriter; of the whole practice's export and
import, the rows of the same tables read and written by the driver, neither opened nor sealed nor compared.
"""

import csv
import json
import multiprocessing
import os
import resource
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

import xlsxwriter
from django.conf import settings
from django.core.management import call_command
from django.db import connection, connections, transaction
from django.db.models import Count
from django.http import QueryDict
from django.test import Client as Browser
from django.urls import reverse
from django.utils import timezone

from bench import measure
from bench.jobs import Scene
from bench.referrals import YEARS
from bench.run import Say, about, database_root
from bench.seed import put
from practice import bundle, moving_in, record, sheets
from practice.bundle import MANIFEST, Entry, Place
from practice.gunicorn import settle
from practice.models import Practice, User
from practice.restoring import on
from practice.unpacking import opened
from referrals.models import Referral
from referrals.reports.files import Lines
from referrals.reports.filters import Asked, ask
from referrals.reports.making import AT_ONCE
from referrals.reports.sources import Referrals

MOST_XLSX = 100_000  # rows of a workbook that is measured
COLUMNS = (
    *("client__number", "client__site__name", "client__therapist__name", "created_at", "path", "destination__name"),
    *("urgency", "state", "sent_at", "visit_at", "due_at", "closed_at", "client_said", "number", "attempt"),
)


@dataclass
class Work:
    """What a job is given, and what it tells of itself."""

    folder: Path
    first_byte_s: float = 0.0
    said: dict[str, Any] = field(default_factory=dict)


def admin() -> User:
    return User.objects.get(name="Admin")


def asked_for(user: User, days: int) -> Asked:
    at = timezone.now()
    said = QueryDict(f"start={(at - timedelta(days=days)).date()}&end={at.date()}")
    _form, asked = ask(user, said, at, Practice.get())
    assert asked is not None
    return asked


# --- The report ------------------------------------------------------------------------------------------------------


def page(work: Work) -> int:
    """The page of the last twelve months, as a browser gets it of a server that has shown that of today already."""
    browser, url = Browser(headers=Scene().staff(admin())), reverse("report_referrals")
    today = timezone.localdate()
    for query in (f"?start={today}&end={today}", ""):
        settle()  # as a server does before its first page
        work.said["begun"] = measure.cpu_s(os.getpid())
        answer = browser.get(url + query, headers={"Host": settings.ALLOWED_HOSTS[0]})
        assert answer.status_code == 200
    return Referral.objects.filter(created_at__gte=asked_for(admin(), 365).start).count()


def aggregate(work: Work) -> int:
    asked = asked_for(admin(), 365)
    found = (
        Referral.objects.filter(created_at__gte=asked.start, created_at__lt=asked.end)
        .order_by()
        .values("client__site_id", "destination_id", "state")
        .annotate(n=Count("pk"), sent=Count("sent_at"), closed=Count("closed_at"))
    )
    return sum(row["n"] for row in found)


# --- Files of it -----------------------------------------------------------------------------------------------------


def all_lines(asked: Asked) -> Iterator[list[Any]]:
    """As the job makes a long file."""
    found = Referrals(asked, names=False)
    for week in range(0, found.weeks, AT_ONCE):
        yield from found.lines(range(week, min(week + AT_ONCE, found.weeks)))


def bare_lines() -> Iterator[tuple[Any, ...]]:
    return Referral.objects.order_by("created_at").values_list(*COLUMNS).iterator(chunk_size=2_000)


def long_csv(work: Work) -> int:
    asked, begun = asked_for(admin(), 365 * YEARS + 30), time.monotonic()
    rows = 0
    with (work.folder / "rows.csv").open("wb") as out:
        for piece in sheets.csv_lines(Lines(asked, names=False).head, all_lines(asked)):
            work.first_byte_s = work.first_byte_s or time.monotonic() - begun
            out.write(piece)
            rows += piece.count(b"\r\n")
    return rows - 1


def bare_csv(work: Work) -> int:
    rows = 0
    with (work.folder / "rows.csv").open("w", newline="") as out:
        write = csv.writer(out)
        write.writerow(COLUMNS)
        for row in bare_lines():
            write.writerow(row)
            rows += 1
    return rows


def counted(rows: Iterable[Any], work: Work) -> Iterator[Any]:
    work.said["n"] = 0
    for row in rows:
        work.said["n"] += 1
        yield row


def workbook(work: Work) -> int:
    asked = asked_for(admin(), 365 * YEARS + 30)
    with (work.folder / "rows.xlsx").open("wb") as out:
        rows = counted(islice(all_lines(asked), MOST_XLSX), work)
        sheets.write_xlsx(out, "Referrals", Lines(asked, names=False).head, rows)
    return int(work.said["n"])


def bare_workbook(work: Work) -> int:
    with xlsxwriter.Workbook(work.folder / "rows.xlsx", {"constant_memory": True, "remove_timezone": True}) as book:
        sheet, day = book.add_worksheet(), book.add_format({"num_format": "yyyy-mm-dd"})
        for number, row in enumerate(counted(islice(bare_lines(), MOST_XLSX), work)):
            for place, cell in enumerate(row):
                sheet.write(number, place, cell, day if isinstance(cell, datetime) else None)
    return int(work.said["n"])


# --- The whole practice ----------------------------------------------------------------------------------------------


def export(work: Work) -> int:
    """As manage.py export_practice, to a folder that stays for the import."""
    entries, kinds = list[Entry](), record.kinds(of_client=False)
    begun = timezone.now()

    def keep(path: str, body: bytes, rows: int | None) -> None:
        file = work.folder / "export" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(body)
        entries.append(Entry.of(path, body, rows))

    for kind in kinds:
        place: Place | None = Place()
        while place is not None:
            place = bundle.write_part(kind, None, place, keep)
    bundle.write_explanations(kinds, None, keep)
    keep(MANIFEST, bundle.manifest(kinds, None, entries, begun=begun, ended=timezone.now()), None)
    return sum(entry.rows or 0 for entry in entries)


def tables() -> list[tuple[str, list[str]]]:
    found = [kind.model._meta for kind in record.kinds(of_client=False)]
    return [(meta.db_table, [str(f.column) for f in meta.concrete_fields]) for meta in found]


def stored(table: str, columns: list[str]) -> Iterator[tuple[Any, ...]]:
    named = ", ".join(f'"{column}"' for column in columns)
    with connection.chunked_cursor() as cursor:
        cursor.execute(f'SELECT {named} FROM "{table}"')  # noqa: S608 (our own)
        while some := cursor.fetchmany(2_000):
            yield from some


def bare_export(work: Work) -> int:
    (work.folder / "bare").mkdir(exist_ok=True)
    rows = 0
    with transaction.atomic():
        for table, columns in tables():
            with (work.folder / "bare" / table).open("w", newline="") as out:
                write = csv.writer(out)
                for row in stored(table, columns):
                    write.writerow(row)
                    rows += 1
    return rows


@contextmanager
def empty_database(folder: Path) -> Iterator[None]:
    """Everything this thread does goes to a new, migrated database, which is gone afterwards."""
    name = f"{connection.settings_dict['NAME']}_empty"
    is_postgres = connection.vendor == "postgresql"
    if is_postgres:
        with connection.cursor() as cursor:
            cursor.execute(f'DROP DATABASE IF EXISTS "{name}"')
            cursor.execute(f'CREATE DATABASE "{name}"')
    else:
        blank, name = folder / "blank.sqlite3", str(folder / "empty.sqlite3")
        if not blank.exists():
            with on({"NAME": str(blank)}):
                call_command("migrate", verbosity=0)
                with connection.cursor() as cursor:
                    cursor.execute("PRAGMA journal_mode = DELETE")
        shutil.copyfile(blank, name)
    with on({"NAME": name}):
        if is_postgres:
            with connection.cursor() as cursor:
                cursor.execute("SET statement_timeout = 0")
            call_command("migrate", verbosity=0)
        yield
    if is_postgres:
        with connection.cursor() as cursor:
            cursor.execute(f'DROP DATABASE "{name}"')


def take_in(work: Work) -> int:
    """As manage.py import_practice: proved first, then written."""
    with empty_database(work.folder):
        work.said["begun"] = measure.cpu_s(os.getpid())
        with opened(work.folder / "export") as found:
            return moving_in.take_in(found, at=timezone.now()).rows


def bare_take_in(work: Work) -> int:
    """The rows of the same tables, from this database into an empty one, as they are."""
    rows, source = 0, driver()
    with empty_database(work.folder):
        work.said["begun"] = measure.cpu_s(os.getpid())
        with transaction.atomic():
            Practice.objects.all().delete()
            for table, columns in tables():
                named = ", ".join(f'"{column}"' for column in columns)
                cursor = source.execute(f'SELECT {named} FROM "{table}"')  # noqa: S608 (our own)
                while some := cursor.fetchmany(2_000):
                    put(table, columns, some)
                    rows += len(some)
    return rows


def driver() -> Any:
    """A connection of the driver's own to this database, which gives what is stored as it is stored."""
    if connection.vendor == "postgresql":
        import psycopg

        said = connection.settings_dict
        return psycopg.connect(
            dbname=said["NAME"], user=said["USER"], password=said["PASSWORD"], host=said["HOST"], port=said["PORT"]
        )
    return sqlite3.connect(connection.settings_dict["NAME"])


Do = Callable[[Work], int]
JOBS: dict[str, tuple[Do, Do]] = {
    "report page": (page, aggregate),
    "report csv": (long_csv, bare_csv),
    "report xlsx": (workbook, bare_workbook),
    "practice export": (export, bare_export),
    "practice import": (take_in, bare_take_in),
}


# --- Measuring -------------------------------------------------------------------------------------------------------


def run(names: list[str], *, rounds: int, out: Path | None, say: Say) -> list[dict[str, Any]]:
    """Measure each job beside its floor, `rounds` times in turn. Returns the samples, each also written to `out`."""
    if unknown := set(names) - JOBS.keys():
        raise ValueError(f"No such job: {', '.join(sorted(unknown))}. There are: {', '.join(JOBS)}.")
    if not (Path(settings.STATIC_ROOT) / "staticfiles.json").exists():
        call_command("collectstatic", interactive=False, verbosity=0)
    common = about() | {"referrals": Referral.objects.count()}
    samples: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(dir=settings.DATA_DIR) as folder:
        if "practice import" in names and "practice export" not in names:
            export(Work(Path(folder)))
        for turn in range(rounds):
            for job, sides in JOBS.items():
                if names and job not in names:
                    continue
                for side, do in zip(("product", "limit"), sides, strict=True):
                    at = datetime.now(UTC).isoformat(timespec="seconds")
                    sample = common | {"t": at, "job": job, "side": side, "round": turn} | apart(do, Path(folder))
                    samples.append(sample)
                    line = json.dumps(sample)
                    if out:
                        with out.open("a") as file:
                            file.write(line + "\n")
                    say(_told(sample))
    return samples


def _told(sample: dict[str, Any]) -> str:
    return (
        f"{sample['job']:<16} {sample['side']:<8} {sample['n']:>9} rows {sample['cpu_ms'] / 1000:>9.2f} s CPU "
        f"{sample['wall_s']:>8.2f} s  +{sample['rss_mb']:.0f} MB  load {sample['load1']}"
    )


def apart(do: Do, folder: Path) -> dict[str, Any]:
    """Do it in a process of its own and return what it cost."""
    root = database_root()
    connections.close_all()
    ours, theirs = multiprocessing.get_context("fork").Pipe(duplex=False)
    child = multiprocessing.get_context("fork").Process(target=_inside, args=(do, folder, root, theirs))
    child.start()
    theirs.close()
    try:
        found: dict[str, Any] = ours.recv()
    except EOFError:
        raise RuntimeError("A job ended without a word; what it said stands above.") from None
    finally:
        child.join()
    return found


def _inside(do: Do, folder: Path, root: int | None, out: Any) -> None:
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SET statement_timeout = 0")
    work, before = Work(folder), measure.probe()
    resident = measure.resident_mb()
    database = measure.cpu_s(root) if root else 0.0
    begun, cpu = time.monotonic(), measure.cpu_s(os.getpid())
    rows = do(work)
    cpu = measure.cpu_s(os.getpid()) - work.said.get("begun", cpu)  # from where the job itself begins
    database = (measure.cpu_s(root) - database) if root else 0.0
    out.send(
        {
            "n": rows,
            "cpu_ms": round((cpu + database) * 1000),
            "cpu_app_ms": round(cpu * 1000),
            "cpu_db_ms": round(database * 1000),
            "wall_s": round(time.monotonic() - begun, 2),
            "first_byte_ms": round(work.first_byte_s * 1000),
            "rss_mb": round(max(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 - resident, 0), 1),
            "probe": [before, measure.probe()],
            "load1": round(os.getloadavg()[0], 2),
        }
    )
    out.close()
