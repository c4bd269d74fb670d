"""Tables as files that a spreadsheet opens: CSV and XLSX, made row by row, in which no text is ever run as a formula.

    csv_lines(columns, rows)           bytes to stream: UTF-8 with a byte-order mark, every text in quotes
    write_xlsx(file, title, columns, rows)

A cell is a text, a number, a day, or None. In CSV a text that a spreadsheet could take for a formula gets one
apostrophe in front; `from_cell` takes it off again. In XLSX a text is stored as a text.
"""

import csv
import tempfile
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from decimal import Decimal
from itertools import chain, islice
from typing import IO, Any, cast

import xlsxwriter
from django.http import HttpResponse, StreamingHttpResponse

Cell = str | int | float | Decimal | date | None
Row = Sequence[Cell]

CSV_TYPE = "text/csv; charset=utf-8"
XLSX_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
BOM = "\ufeff"  # by which Excel knows that it is UTF-8
CHUNK = 500  # rows that are handed over at a time
LONGEST_XLSX = 32_767  # characters that a cell of a workbook can hold
SHEET_ROWS = 1_048_576  # that a sheet of a workbook can hold, with its head
_STARTS = frozenset("=+-@\u2212")  # the last is the sign that a keyboard calls minus
_QUOTES = frozenset("'\"`\u2018\u2019\u201c\u201d\u00ab\u00bb")


def is_risky(text: str) -> bool:
    """Whether a spreadsheet could take this text for a formula, or for the end of its cell.

    It begins with = + - @ or their full-width forms, or with a tab or a line end: also behind spaces, quotes and
    characters that do not show.
    """
    if text[:1].isascii() and text[:1].isalnum():
        return False  # as most do
    for char in text:
        if char in "\t\r\n":
            return True
        wide = unicodedata.normalize("NFKC", char)
        if wide[:1] in _STARTS:
            return True
        if not (wide.isspace() or wide in _QUOTES or unicodedata.category(char) in ("Cc", "Cf", "Cn", "Co", "Zs")):
            return False
    return False


def to_cell(value: Cell) -> str | int | float | Decimal:
    """The value as it stands in a CSV file."""
    if isinstance(value, str):
        return f"'{value}" if is_risky(value) else value
    if isinstance(value, date):
        return value.isoformat()
    return "" if value is None else value


def from_cell(text: str) -> str:
    """Undo `to_cell` for a text."""
    return text[1:] if text.startswith("'") and is_risky(text[1:]) else text


class _Line:
    """What csv.writer writes to: it keeps the line, and gives it back."""

    def write(self, text: str) -> str:
        return text


def csv_lines(columns: Sequence[str], rows: Iterable[Row]) -> Iterator[bytes]:
    """Yield the file in pieces. Every text is in quotes, so that one with a ; in it stays one cell everywhere."""
    write = csv.writer(_Line(), quoting=csv.QUOTE_NONNUMERIC).writerow
    yield (BOM + _line(write, columns)).encode()
    left = iter(rows)
    while some := list(islice(left, CHUNK)):
        yield "".join(_line(write, row) for row in some).encode()


def _line(write: Any, row: Row) -> str:
    return str(write([to_cell(value) for value in row]))


def csv_response(name: str, columns: Sequence[str], rows: Iterable[Row]) -> HttpResponse:
    """The file as a download. The rows are read while it is sent: words in them have to be translated already."""
    return as_download(name, CSV_TYPE, csv_lines(columns, rows))


def as_download(name: str, kind: str, pieces: Iterable[bytes]) -> HttpResponse:
    """`name` is ours, in plain letters: it stands in a header. The doors pass a stream on as they do a page."""
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return cast(HttpResponse, StreamingHttpResponse(pieces, content_type=kind, headers=headers))


def write_xlsx(file: IO[bytes], title: str, columns: Sequence[str], rows: Iterable[Row]) -> None:
    """Write a workbook, one row in memory at a time. What is past the end of a sheet goes on the next one.

    A text longer than a cell can hold is cut there and ends in "…".
    """
    with tempfile.TemporaryDirectory() as room:  # the rows lie here until the file is closed, for our eyes only
        book = xlsxwriter.Workbook(
            file,
            {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "tmpdir": room},
        )
        bold, day = book.add_format({"bold": True}), book.add_format({"num_format": "yyyy-mm-dd"})
        left, number = iter(rows), 0
        first = next(left, None)
        while first is not None or number == 0:
            number += 1
            sheet = book.add_worksheet(title[:31] if number == 1 else f"{title[:26]} {number}")
            sheet.freeze_panes(1, 0)
            for column, words in enumerate(columns):
                sheet.write_string(0, column, words, bold)
            here = () if first is None else chain((first,), islice(left, SHEET_ROWS - 2))
            for line, row in enumerate(here, 1):
                _write(sheet, line, row, day)
            first = next(left, None)
        book.close()


def _write(sheet: Any, line: int, row: Row, day: Any) -> None:
    for column, value in enumerate(row):
        if isinstance(value, str):
            sheet.write_string(line, column, value if len(value) <= LONGEST_XLSX else f"{value[: LONGEST_XLSX - 1]}…")
        elif isinstance(value, date):
            sheet.write_datetime(line, column, value, day)
        elif value is not None:
            sheet.write_number(line, column, value)
