"""Answers that another system took, item by item: read, scored by our rules, and kept as history.

What is no answer to a question (a code for "refused" or "don't know", a blank, anything else) is a blank and never a
score. A safety answer above "no", or left blank, becomes a flag of the past: it pages nobody and stays in the chart.
Every row of the file ends in exactly one Fate.
"""

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from enum import StrEnum
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db import transaction
from django.db.models import Max

from intake import signs
from intake.models import Assessment
from practice import alike, audit, coverage
from practice.clinical.instrument import Instrument, Value
from practice.clinical.scoring import Score, score
from practice.csv_in import Row, Table
from practice.models import Alert, AlertEvent, Client, Practice, Task
from practice.models.clients import SPARK_POINTS
from practice.sealed import blind

BATCH = 500
EARLIEST = date(1950, 1, 1)
WHOLE = re.compile(r"(\d{1,4})(?:\.0+)?")  # tables that were numbers once say 2.0


class Fate(StrEnum):
    TAKEN = "taken"
    HERE = "here already"
    NO_ANSWER = "no answer in it"
    NO_DATE = "no date, or none that can be read"
    FUTURE = "a date to come"
    NOT_FOUND = "client not found"
    SEVERAL = "fits more than one client"
    BROKEN = "more cells than the header"


@dataclass(frozen=True)
class Places:
    """Which column holds what: indexes into the rows. The client is found by the first of these that is there."""

    items: Mapping[str, int]  # link id -> column
    day: int | None  # None: all were taken on `on`
    number: int | None = None
    other_id: int | None = None
    email: int | None = None
    birth: int | None = None
    on: date | None = None
    day_format: str = ""  # as strptime reads it; ISO when empty


@dataclass
class Line:
    """One row of the file on its way."""

    row: Row
    fate: Fate | None = None
    answers: dict[str, Value | None] | None = None
    no_answers: int = 0  # cells that hold something, but no answer
    taken_at: datetime | None = None
    client: UUID | None = None


def take(found: Table, instrument: Instrument, places: Places, *, at: datetime, dry: bool = False) -> list[Line]:
    """Take the rows over, `BATCH` at a time, each batch whole. What is here already is not taken twice.

    `dry` writes nothing. Returns every row with its fate.
    """
    zone = ZoneInfo(Practice.get().zone)
    lines = [_line(row, instrument, places, zone, at) for row in found.rows]
    _find(lines, places)
    known: set[UUID] = set()
    for some in _batches([line for line in lines if line.fate is None]):
        if dry:
            _fresh(some, instrument, known)
        else:
            with transaction.atomic():
                _keep(_fresh(some, instrument, known), instrument, at)
    return lines


def _batches(lines: Sequence[Line]) -> Iterator[Sequence[Line]]:
    return (lines[n : n + BATCH] for n in range(0, len(lines), BATCH))


def answer_of(item: Any, cell: str) -> Value | None:
    """Return the answer that a cell holds; None for a blank and for anything that the question does not take."""
    whole = WHOLE.fullmatch(cell)
    value: Value = int(whole[1]) if whole else cell
    if value in item.points:
        return value
    if item.type == "integer" and whole and (item.minimum or 0) <= int(whole[1]) <= (item.maximum or 10**4):
        return value
    return None


def _line(row: Row, instrument: Instrument, places: Places, zone: ZoneInfo, at: datetime) -> Line:
    if not row.whole:
        return Line(row, Fate.BROKEN)
    answers = {key: answer_of(instrument.by_link_id[key], row.cells[n]) for key, n in places.items.items()}
    strange = sum(answers[key] is None and bool(row.cells[n]) for key, n in places.items.items())
    line = Line(row, answers=answers, no_answers=strange)
    if all(value is None for value in answers.values()):
        line.fate = Fate.NO_ANSWER
        return line
    line.taken_at = _moment(row, places, zone)
    if line.taken_at is None:
        line.fate = Fate.NO_DATE
    elif line.taken_at > at and line.taken_at.date() > at.astimezone(zone).date():
        line.fate = Fate.FUTURE
    return line


def _moment(row: Row, places: Places, zone: ZoneInfo) -> datetime | None:
    """When it was taken: noon of the day where the file has no time."""
    if places.day is None:
        return datetime.combine(places.on, time(12), zone) if places.on else None
    said = _read_day(row.cells[places.day], places.day_format)
    if said is None or said.date() < EARLIEST:
        return None
    if said.tzinfo is None:
        said = said.replace(tzinfo=zone)
    return said if said.time() != time(0) else said.replace(hour=12)


def _read_day(cell: str, pattern: str) -> datetime | None:
    try:
        return datetime.strptime(cell, pattern) if pattern else datetime.fromisoformat(cell)  # noqa: DTZ007
    except ValueError:
        return None


# --- Whose answers ---------------------------------------------------------------------------------------------------


def _find(lines: Iterable[Line], places: Places) -> None:
    """Set the client of each line, or its fate when none or more than one fits."""
    for some in _batches([line for line in lines if line.fate is None]):
        people = _people(some, places)
        for line in some:
            fits = people.get(_key(line.row, places), set())
            if len(fits) == 1:
                line.client = next(iter(fits))
            else:
                line.fate = Fate.SEVERAL if fits else Fate.NOT_FOUND


def _key(row: Row, places: Places) -> Any:
    if places.number is not None:
        digits = re.fullmatch(r"(?:CH-)?0*(\d{1,9})", row.cells[places.number], re.IGNORECASE)
        return int(digits[1]) if digits else None
    if places.other_id is not None:
        return blind("other_id", row.cells[places.other_id]) if row.cells[places.other_id] else None
    if places.email is None or places.birth is None or not row.cells[places.email]:
        return None
    born = _read_day(row.cells[places.birth], places.day_format)
    return (blind("email", row.cells[places.email]), born.date().isoformat()) if born else None


def _people(lines: Sequence[Line], places: Places) -> dict[Any, set[UUID]]:
    keys = {key for line in lines if (key := _key(line.row, places)) is not None}
    found: dict[Any, set[UUID]] = {}
    if places.number is not None or places.other_id is not None:
        column = "number" if places.number is not None else "other_id_index"
        for key, pk in Client.objects.filter(**{f"{column}__in": keys}).values_list(column, "pk"):
            found.setdefault(key, set()).add(pk)
    else:
        for client in Client.objects.filter(email_index__in={index for index, _born in keys}):
            found.setdefault((client.email_index, client.birth_date), set()).add(client.pk)
    return {key: set(people) for key, people in alike.whole(found).items()}


# --- Keeping ---------------------------------------------------------------------------------------------------------


def _identity(line: Line, instrument: Instrument) -> UUID:
    """The id of the row that this line makes: the same for the same answers of the same moment, so none comes twice."""
    said = "|".join(f"{key}={value}" for key, value in sorted((line.answers or {}).items()))
    moment = line.taken_at.isoformat() if line.taken_at else ""
    return UUID(blind("history", f"{line.client}|{instrument.key}|{moment}|{said}"))


def _fresh(lines: Sequence[Line], instrument: Instrument, known: set[UUID]) -> dict[UUID, Line]:
    """Mark what is here already, in the database or further up in the file. Returns the rest by its id."""
    by_id: dict[UUID, Line] = {}
    for line in lines:
        pk = _identity(line, instrument)
        if pk in known:
            line.fate = Fate.HERE
        else:
            known.add(pk)
            by_id[pk] = line
    here = set(Assessment.objects.filter(pk__in=by_id).values_list("pk", flat=True))
    for pk, line in by_id.items():
        line.fate = Fate.HERE if pk in here else Fate.TAKEN
    return {pk: line for pk, line in by_id.items() if pk not in here}


def _keep(lines: Mapping[UUID, Line], instrument: Instrument, at: datetime) -> None:
    if not lines:
        return
    practice = Practice.get()
    clients: dict[Any, Client] = {
        client.pk: client for client in Client.objects.hold_each({line.client for line in lines.values()})
    }
    rows: list[Assessment] = []
    flags: list[Alert] = []
    for pk, line in lines.items():
        assert line.answers is not None and line.taken_at is not None and line.client is not None
        result = score(instrument, line.answers)
        fired = signs.of_history(instrument, result)
        row = Assessment.of(
            result,
            line.answers,
            id=pk,
            client_id=line.client,
            rules=list(fired.rules) if fired else [],
            taken_at=line.taken_at,
            taken_on=coverage.local(line.taken_at, practice).date(),
            imported_at=at,
        )
        rows.append(row)
        if fired:
            flags.append(_flag(row, instrument, fired, result))
    Assessment.objects.bulk_create(rows)
    Alert.objects.bulk_create(flags)
    AlertEvent.objects.bulk_create(
        AlertEvent(alert=flag, kind=AlertEvent.Kind.OPENED, at=flag.opened_at, facts={"rules": flag.rule_ids})
        for flag in flags
    )
    _refresh(clients, {instrument.key})
    flagged = Counter(flag.client_id for flag in flags)
    for flagged_pk in flagged:
        Task.open(clients[flagged_pk], "todo", at=at, subject_id=flagged_pk, reason="history")
    taken = Counter(row.client_id for row in rows)
    audit.record_each(
        "history.imported",
        by=None,
        facts={pk: {"instrument": instrument.key, "rows": n, "flags": flagged[pk]} for pk, n in taken.items()},
        at=at,
    )


def _flag(row: Assessment, instrument: Instrument, fired: signs.Fired, result: Score) -> Alert:
    when = row.taken_at
    flag = Alert(
        client_id=row.client_id,
        source=Alert.Source.HISTORY,
        source_id=row.pk,
        severity=fired.severity,
        rules=[{**rule, "at": when.isoformat()} for rule in fired.rules],
        opened_at=when,
        raised_at=when,
    )
    flag.answers = [_said(instrument, link_id, value, when) for link_id, value in result.safety]
    return flag


def _said(instrument: Instrument, link_id: str, value: Value | None, when: datetime) -> dict[str, Any]:
    item = instrument.item(link_id)
    option = item.option(value)
    return {
        "instrument": instrument.key,
        "link_id": link_id,
        "question": item.text,
        "answer": option.label if option else "Not answered",
        "positive": bool(value),
        "at": when.isoformat(),
    }


def _refresh(clients: Mapping[UUID, Client], instruments: Collection[str]) -> None:
    """Bring the short history of the caseload, and when each was last heard, to what is here now."""
    rows = Assessment.objects.filter(client__in=clients)
    last = dict(rows.order_by().values_list("client").annotate(Max("taken_at")))
    for client in clients.values():
        client.last_heard_at = max(filter(None, (client.last_heard_at, last.get(client.pk))), default=None)
    fields = ["last_heard_at"]
    if "phq-9" in instruments:
        fields.append("phq9")
        points: dict[UUID, list[Any]] = {}
        for pk, on, total, safety in (
            rows.filter(instrument="phq-9").order_by("taken_at").values_list("client_id", "taken_on", "total", "safety")
        ):
            points.setdefault(pk, []).append([on.isoformat(), None if total is None else int(total), safety])
        for pk, client in clients.items():
            client.phq9 = points.get(pk, [])[-SPARK_POINTS:]
    Client.objects.bulk_update(clients.values(), fields)


def recount(client: Client, at: datetime) -> None:
    """Bring the short history of one client to what is here, after rows came or went (practice/merging.py)."""
    _refresh({client.pk: client}, {"phq-9"})


def summary(lines: Sequence[Line]) -> dict[Fate, list[int]]:
    """The numbers of the rows by their fate."""
    found: dict[Fate, list[int]] = {}
    for line in lines:
        assert line.fate is not None
        found.setdefault(line.fate, []).append(line.row.number)
    return found
