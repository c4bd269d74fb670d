"""Tables that arrive as CSV: read whole, or refused in a sentence before anything is touched."""

import csv
import io
from dataclasses import dataclass

from django.utils.translation import gettext

from practice.sealed import normalise

DELIMITERS = ",;\t|"
ENCODINGS = ("utf-8", "cp1252", "utf-16")
MOST_COLUMNS = 200
WORKBOOKS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")  # XLSX and the XLS before it
UTF16 = (b"\xff\xfe", b"\xfe\xff")


class NotATable(ValueError):
    """The file is no table that can be read; the message is for the person who chose it."""


@dataclass(frozen=True)
class Row:
    number: int  # as a spreadsheet counts: the header is row 1
    cells: tuple[str, ...]
    whole: bool  # has no more cells than the header


@dataclass(frozen=True)
class Table:
    header: tuple[str, ...]
    rows: list[Row]  # those that are not blank


def read(body: bytes, *, encoding: str = "", most_rows: int | None = None) -> Table:
    """Return the table. `encoding` is one of ENCODINGS, or "" to find out. Raises NotATable."""
    text = decode(body, encoding)
    first = text.lstrip("\r\n ").split("\n", 1)[0]
    delimiter = max(DELIMITERS, key=first.count)
    if not first.count(delimiter):
        raise NotATable(
            gettext("There is only one column. Save the table as CSV, with commas, semicolons or tabs, and send that.")
        )
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True, skipinitialspace=True)
    try:
        head = next((line for line in reader if any(cell.strip() for cell in line)), None)
        if head is None:
            raise NotATable(gettext("That file is empty."))
        header = _header(head)
        rows: list[Row] = []
        for number, line in enumerate(reader, 2):
            if not any(cell.strip() for cell in line):
                continue
            if most_rows is not None and len(rows) == most_rows:
                raise NotATable(
                    gettext("There are more than {n} rows. Split the file into smaller ones.").format(
                        n=f"{most_rows:,}"
                    )
                )
            rows.append(_row(number, line, len(header)))
    except csv.Error as trouble:
        raise NotATable(
            gettext(
                "A quotation mark is not closed, or stands in the middle of a cell, near line {n}. "
                "Save the table as CSV again; programs close them by themselves."
            ).format(n=reader.line_num)
        ) from trouble
    if not rows:
        raise NotATable(gettext("There is a header and no row below it."))
    return Table(header, rows)


def decode(body: bytes, encoding: str = "") -> str:
    """Return the text. Without `encoding`, UTF-8 and UTF-16 with its mark are known; anything else is refused."""
    if not body.strip(b"\x00\r\n\t ,;|\xef\xbb\xbf"):
        raise NotATable(gettext("That file is empty."))
    if body.startswith(WORKBOOKS):
        raise NotATable(gettext("That is a workbook. Open it, save it as “CSV UTF-8”, and send that file."))
    known = encoding or ("utf-16" if body.startswith(UTF16) else "utf-8")
    try:
        text = body.decode("utf-8-sig" if known == "utf-8" else known)
    except UnicodeDecodeError as trouble:
        raise NotATable(
            gettext(
                "The letters of this file cannot be read that way. Choose another encoding below "
                "(“Windows” for most older programs), or save it as “CSV UTF-8”."
            )
        ) from trouble
    if "\x00" in text:
        raise NotATable(gettext("The file holds bytes that no table has. It may be damaged: export it again."))
    return text


def column_key(name: str) -> str:
    """A column's name as names are compared: "E-Mail " and "e_mail" are one."""
    return normalise("".join(char if char.isalnum() else " " for char in name))


def _header(cells: list[str]) -> tuple[str, ...]:
    names = [" ".join(cell.split()) for cell in cells]
    while names and not names[-1]:
        names.pop()
    if len(names) > MOST_COLUMNS:
        raise NotATable(
            gettext("There are more than {n} columns. Leave out those you do not need.").format(n=MOST_COLUMNS)
        )
    seen: set[str] = set()
    for number, name in enumerate(names, 1):
        if not name:
            raise NotATable(gettext("Column {n} has no name in the first row. Name it, or delete it.").format(n=number))
        key = column_key(name) or name
        if key in seen:
            raise NotATable(
                gettext("Two columns are called “{name}”. Give each its own name, so that none is mixed up.").format(
                    name=name[:40]
                )
            )
        seen.add(key)
    return tuple(names)


def _row(number: int, line: list[str], columns: int) -> Row:
    cells = tuple(" ".join(cell.split()) for cell in line)
    whole = not any(cells[columns:])
    return Row(number, (*cells[:columns], *("",) * (columns - len(cells))), whole)
