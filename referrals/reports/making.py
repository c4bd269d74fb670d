"""A file of more rows than anybody should wait for: asked for, made some weeks at a time by a job, taken by who asked.

The right to it is read anew before each slice and when it is taken. What lies in the database meanwhile is sealed; a
job carries its id only.
"""

import time
from collections.abc import Callable, Iterator
from datetime import date, datetime
from functools import partial
from hashlib import sha256
from typing import IO, Any

from django.db import transaction

from practice import audit, jobs, notices, sheets
from practice.access import Permission
from practice.models import User
from practice.sheets import Cell
from referrals.models.reports import KEPT, ReportFile, ReportPart
from referrals.reports.sources import Source, source

SLICE_S = 5.0
AT_ONCE = 4  # weeks that are read together
DAY = "day"
State = ReportFile.State


def reach_of(user: User) -> str:
    """What decides whose rows somebody may have: their roles, their sites and their team."""
    sites = sorted(user.sites.values_list("pk", flat=True))
    team = sorted(str(pk) for pk in User.objects.filter(supervisor=user).values_list("pk", flat=True))
    return sha256(repr((sorted(user.roles), sites, team)).encode()).hexdigest()


def may_have(file: ReportFile) -> bool:
    user = User.objects.get(pk=file.by_id)
    return user.is_active and user.may(Permission.SEE_REPORTS) and reach_of(user) == file.reach


@transaction.atomic
def begin(*, by: User, report: str, found: Source, kind: str, at: datetime) -> ReportFile:
    """Have the file made. The same one that is being made already is not begun again."""
    file, is_new = ReportFile.objects.get_or_create(
        by=by, report=report, kind=kind, names=found.names, query=found.query, state=State.MAKING,
        defaults={"reach": reach_of(by), "asked_at": at, "weeks_all": found.weeks},
    )  # fmt: skip
    if is_new:
        audit.record("report.asked", by=by, target=file, at=at, report=report, kind=kind, names=found.names)
        jobs.enqueue("make_report", ref=file.pk)
    return file


def make_slice(file: ReportFile, *, at: datetime, seconds: float = SLICE_S) -> Callable[[], None] | None:
    """Make the rows of some weeks. Returns what has to be noted, in one transaction."""
    if file.state != State.MAKING:
        return None
    found = source_of(file, at)
    if found is None or not may_have(file):
        return partial(_refuse, file, at)
    done, rows = file.weeks_done, list[list[Cell]]()
    until = time.monotonic() + seconds
    while done < found.weeks:
        weeks = range(done, min(done + AT_ONCE, found.weeks))
        rows += found.lines(weeks)
        done = weeks.stop
        if time.monotonic() >= until:
            break
    return partial(_note, file, rows, done, at)


def _note(file: ReportFile, rows: list[list[Cell]], done: int, at: datetime) -> None:
    part = ReportPart(file=file, number=file.parts.count())
    part.rows = [[{DAY: cell.isoformat()} if isinstance(cell, date) else cell for cell in row] for row in rows]
    part.save(force_insert=True)
    found: dict[str, Any] = {"weeks_done": done, "rows": file.rows + len(rows)}
    if done >= file.weeks_all:
        found |= {"state": State.READY, "ready_at": at}
        audit.record("report.made", by=None, target=file, at=at, rows=found["rows"])
        notices.tell_staff(file.by, "report_ready", link=notices.link(file.get_absolute_url()))
    else:
        jobs.enqueue("make_report", ref=file.pk)
    ReportFile.objects.filter(pk=file.pk).update(**found)


def _refuse(file: ReportFile, at: datetime) -> None:
    file.parts.all().delete()
    ReportFile.objects.filter(pk=file.pk).update(state=State.REFUSED)
    audit.record("report.refused", by=file.by, target=file, at=at, outcome="refused")


# --- Taking it -------------------------------------------------------------------------------------------------------


def source_of(file: ReportFile, at: datetime) -> Source | None:
    return source(file.by, file.report, file.query, at, names=file.names)


def rows(file: ReportFile) -> Iterator[list[Cell]]:
    for part in file.parts.iterator(chunk_size=1):
        for row in part.rows or []:
            yield [date.fromisoformat(cell[DAY]) if isinstance(cell, dict) else cell for cell in row]


def write(file: ReportFile, found: Source, out: IO[bytes]) -> None:
    sheets.write_xlsx(out, str(found.title), found.head, rows(file))


def throw_away(at: datetime) -> int:
    """Delete the rows of files that were kept long enough. Returns how many."""
    old = list(ReportFile.objects.filter(state__in=[State.READY, State.MAKING], asked_at__lt=at - KEPT))
    for file in old:
        with transaction.atomic():
            file.parts.all().delete()
            ReportFile.objects.filter(pk=file.pk).update(state=State.GONE)
            audit.record("report.deleted", by=None, target=file, at=at)
    return len(old)
