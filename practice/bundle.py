"""The files of an export: what each is called, what stands in it, and the list of them all.

    json/intake-assessment-0001.json    rows of a table, one to a line, as one JSON list
    csv/intake-assessment-0001.csv      the same rows as a sheet
    files/referrals-letter/<id>-body.pdf    what is stored as a file, and the PDFs that people were given
    columns.csv  README.txt  manifest.json

The order of rows and columns is fixed, so that two exports of the same data are the same files apart from the times.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.translation import gettext

from practice import record, sheets
from practice.models import Client, Practice, PsychotherapyNote
from practice.privacy import LEFT_OUT, OF_TWO, THEIRS_UNTIL
from practice.record import Kind

FORMAT, VERSION = "waymark-export", 1
BATCH = 1000  # rows of a table in one file
FEW = 10  # rows at a time of a table with files, each of which may be 20 MB
MANIFEST = "manifest.json"


@dataclass(frozen=True)
class Entry:
    """A line of the manifest."""

    path: str
    size: int
    sha256: str
    rows: int | None

    @classmethod
    def of(cls, path: str, body: bytes, rows: int | None) -> "Entry":
        return cls(path, len(body), hashlib.sha256(body).hexdigest(), rows)


Put = Callable[[str, bytes, int | None], None]  # path, body, how many rows of a table


@dataclass(frozen=True)
class Place:
    """How far a table is written: how many parts, and the key of the last row."""

    part: int = 0
    after: str = ""

    @classmethod
    def read(cls, text: str) -> "Place":
        part, _, after = text.partition("|")
        return cls(int(part or 0), after)

    def __str__(self) -> str:
        return f"{self.part}|{self.after}"


def write_part(kind: Kind, client_id: Any, place: Place, put: Put) -> Place | None:
    """Write the next rows of a table. Returns where to go on; None when it is finished."""
    found = kind.rows(client_id)
    if place.after:
        found = found.filter(pk__gt=place.after)
    most = FEW if kind.is_heavy else BATCH
    rows: list[dict[str, Any]] = []
    last = ""
    for row in found[:most].iterator(chunk_size=1 if kind.is_heavy else BATCH):
        rows.append(record.cells(kind, row, names=client_id is not None))
        for path, body in record.files(kind, row):
            put(path, body, None)
        last = str(row.pk)
    if not rows:
        return None
    part = place.part + 1
    put(f"json/{kind.name}-{part:04d}.json", as_json(rows), len(rows))
    put(f"csv/{kind.name}-{part:04d}.csv", as_csv(rows), None)
    return Place(part, last) if len(rows) == most else None


def as_json(rows: Iterable[dict[str, Any]]) -> bytes:
    lines = (json.dumps(row, ensure_ascii=False, separators=(",", ":")) for row in rows)
    return ("[\n" + ",\n".join(lines) + "\n]\n").encode()


def as_csv(rows: list[dict[str, Any]]) -> bytes:
    columns = list(rows[0])
    return b"".join(sheets.csv_lines(columns, ([record.flat(row[name]) for name in columns] for row in rows)))


def write_explanations(kinds: list[Kind], client: Client | None, put: Put) -> None:
    words = record.dictionary(kinds, names=client is not None)
    put("columns.csv", b"".join(sheets.csv_lines(record.DICTIONARY_HEAD, words)), None)
    put("README.txt", readme(client).encode(), None)


def manifest(
    kinds: list[Kind], client: Client | None, entries: list[Entry], *, begun: datetime, ended: datetime
) -> bytes:
    rows = {kind.name: 0 for kind in kinds}
    for entry in entries:
        if entry.rows is not None:
            rows[entry.path.removeprefix("json/").rpartition("-")[0]] += entry.rows
    said = {
        "format": FORMAT,
        "version": VERSION,
        "of": client.code if client else "practice",
        "practice": Practice.get().name,
        "begun_at": record.plain(begun),
        "ended_at": record.plain(ended),
        "rows": rows,
        "left_out": list(left_out(kinds, client)),
        "files": [{"path": e.path, "bytes": e.size, "sha256": e.sha256} for e in entries],
    }
    return (json.dumps(said, ensure_ascii=False, indent=1) + "\n").encode()


def left_out(kinds: list[Kind], client: Client | None) -> Iterator[dict[str, Any]]:
    """What is not in the bundle, and why. How many psychotherapy notes there are is told of a whole practice only."""
    there = {kind.label for kind in kinds}
    of_client = {kind.label for kind in record.kinds(of_client=True)}
    for label, why in LEFT_OUT.items():
        if label in there:
            continue
        said: dict[str, Any] = {"table": label.lower().replace(".", "-"), "why": str(why)}
        if label == PsychotherapyNote._meta.label and client is None:
            said["rows"] = PsychotherapyNote._base_manager.count()
        if client is None or label == PsychotherapyNote._meta.label:
            yield said
    for label, why in OF_TWO.items():
        if client is not None:
            yield {"table": label.lower().replace(".", "-"), "why": str(why)}
    for label, (_holds, why) in THEIRS_UNTIL.items():
        if client is None or label in of_client:
            yield {"table": label.lower().replace(".", "-"), "only_some": True, "why": str(why)}


def readme(client: Client | None) -> str:
    whose = (
        gettext("This is a copy of one person's record ({code}).").format(code=client.code)
        if client
        else gettext("This is a copy of everything a practice keeps in Waymark.")
    )
    return "\n".join(
        [
            whose,
            "",
            gettext("json/ has the tables, one row to a line; csv/ has the same rows for a spreadsheet."),
            gettext("files/ has letters, packets, agreements and plans as they were sent or signed."),
            gettext("columns.csv says what each column is, its codes, and which table it points at."),
            gettext("manifest.json lists every file with its length and SHA-256, and says what is left out and why."),
            gettext("In a sheet, text that a spreadsheet would run as a formula begins with an apostrophe."),
            gettext("Moments are in UTC. Whoever holds this file holds health information: keep it safe."),
            "",
        ]
    )
