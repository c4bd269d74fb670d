"""Files that a spreadsheet opens. Security check 38: no text in them is a formula, and nothing else changes."""

import csv
import io
from datetime import date, datetime
from decimal import Decimal
from itertools import chain

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl import load_workbook
from openpyxl.utils.escape import unescape

from practice import sheets

FORMULAS = [
    "=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx", "\nx", "＝1+1", "＋1", "－1", "＠x", " =1", "  \t=1", "'=1", '"=1"',
    "\x01=1", "\u200b=1", "\ufeff=1", "\u00a0-1", "−1", "’=1", "=cmd|' /C calc'!A0", "''=1",
]  # fmt: skip
PLAIN = ["", "Maya", "a=b", "1-2", "O'Brien", "'quoted'", "x\ty", "two\nlines", 'José, née "Ana"', "a;=1", "  spaced"]
TEXTS = st.one_of(
    st.text(max_size=20), st.builds("{}{}".format, st.sampled_from([*FORMULAS, "'", " ", "\x01"]), st.text(max_size=8))
)


def read_csv(pieces: list[bytes]) -> list[list[str]]:
    return list(csv.reader(io.StringIO(b"".join(pieces).decode("utf-8-sig"), newline="")))


def read_xlsx(columns: list[str], rows: list[list[sheets.Cell]]) -> list[list[object]]:
    file = io.BytesIO()
    sheets.write_xlsx(file, "Referrals", columns, rows)
    book = load_workbook(io.BytesIO(file.getvalue()))
    found = []
    for cell in chain.from_iterable(sheet.iter_rows() for sheet in book):
        assert [c.data_type for c in cell if c.data_type == "f"] == []
        found.append([unescape(c.value) if isinstance(c.value, str) else c.value for c in cell])
    return found


@pytest.mark.parametrize("text", FORMULAS)
def test_formula_opens_as_text(text: str) -> None:
    """Security check 38: = + - @ tab CR LF, full-width, behind a space, a quote or \\x01."""
    (_head, (cell,)) = read_csv(list(sheets.csv_lines(["Words"], [[text]])))
    assert (cell[0], sheets.from_cell(cell)) == ("'", text)
    assert read_xlsx(["Words"], [[text]])[1] == [text]


@pytest.mark.parametrize("text", PLAIN)
def test_plain_text_stays_as_it_is(text: str) -> None:
    (_head, (cell, _last)) = read_csv(list(sheets.csv_lines(["Words", "Last"], [[text, "x"]])))
    assert cell == text


@given(st.lists(st.lists(TEXTS, min_size=3, max_size=3), max_size=6))
@settings(max_examples=150, deadline=None)
def test_every_text_comes_back_and_none_is_a_formula(rows: list[list[str]]) -> None:
    head = ["One", "Two", "Three"]
    found = read_csv(list(sheets.csv_lines(head, rows)))
    assert [[sheets.from_cell(cell) for cell in row] for row in found] == [head, *rows]
    assert [cell for row in found for cell in row if sheets.is_risky(cell) and not cell.startswith("'")] == []


@given(st.lists(TEXTS, min_size=1, max_size=8))
@settings(max_examples=60, deadline=None)
def test_every_text_stands_in_the_workbook(texts: list[str]) -> None:
    found = read_xlsx(["Words", "Last"], [[text, "x"] for text in texts])
    assert [[cell or "" for cell in row] for row in found] == [["Words", "Last"], *([text, "x"] for text in texts)]


def test_numbers_and_days_are_no_text() -> None:
    row: list[sheets.Cell] = [-5, 2.5, Decimal("7.25"), date(2026, 11, 19), None, "x"]
    assert read_csv(list(sheets.csv_lines(list("abcdef"), [row])))[1] == ["-5", "2.5", "7.25", "2026-11-19", "", "x"]
    (_head, found) = read_xlsx(list("abcdef"), [row])
    assert [cell.date() if isinstance(cell, datetime) else cell for cell in found] == [
        -5, 2.5, 7.25, date(2026, 11, 19), None, "x",
    ]  # fmt: skip


def test_csv_is_made_as_it_is_read() -> None:
    taken = []

    def rows() -> object:
        for number in range(10 * sheets.CHUNK):
            taken.append(number)
            yield [number]

    pieces = sheets.csv_lines(["Number"], rows())  # type: ignore[arg-type]
    assert next(pieces) == b'\xef\xbb\xbf"Number"\r\n' and taken == []
    next(pieces)
    assert len(taken) == sheets.CHUNK


def test_workbook_goes_on_on_the_next_sheet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sheets, "SHEET_ROWS", 4)
    rows: list[list[sheets.Cell]] = [[number] for number in range(7)]
    assert read_xlsx(["N"], rows) == [["N"], [0], [1], [2], ["N"], [3], [4], [5], ["N"], [6]]
    assert read_xlsx(["N"], []) == [["N"]]


def test_text_too_long_for_a_cell_is_cut_and_says_so() -> None:
    (_head, (cell,)) = read_xlsx(["Words"], [["x" * 40_000]])
    assert cell == "x" * 32_766 + "…"
