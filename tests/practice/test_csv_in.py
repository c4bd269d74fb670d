"""Files that are no table, or nearly: read right, or refused in a sentence."""

import pytest

from practice import csv_in
from practice.csv_in import NotATable, read


def cells(body: bytes, encoding: str = "") -> list[tuple[str, ...]]:
    found = read(body, encoding=encoding)
    return [found.header, *(row.cells for row in found.rows)]


@pytest.mark.parametrize(
    ("body", "encoding"),
    [
        (b"Name,Mail\nZo\xc3\xab,z@example.net\n", ""),
        (b"\xef\xbb\xbfName;Mail\r\nZo\xc3\xab;z@example.net\r\n", ""),
        (b"Name\tMail\nZo\xc3\xab\tz@example.net", ""),
        ("Name,Mail\nZoë,z@example.net\n".encode("utf-16"), ""),
        (b"Name,Mail\nZo\xeb,z@example.net\n", "cp1252"),
        (b'"Name","Mail"\n"Zo\xc3\xab","z@example.net"\n\n,\n', ""),
        (b' Name , Mail \n Zo\xc3\xab , "z@example.net"\n', ""),
    ],
)
def test_a_table_is_read_however_it_was_saved(body: bytes, encoding: str) -> None:
    assert cells(body, encoding) == [("Name", "Mail"), ("Zoë", "z@example.net")]


@pytest.mark.parametrize(
    ("body", "begins"),
    [
        (b"", "That file is empty."),
        (b"\xef\xbb\xbf\r\n,,\r\n", "That file is empty."),
        (b"PK\x03\x04 sheet", "That is a workbook."),
        (b"Name,Mail\nZo\xeb,z@example.net\n", "The letters of this file cannot be read that way."),
        (b"Name,Mail\nZo\x00e,z@example.net\n", "The file holds bytes that no table has."),
        (b"Name\nZoe\n", "There is only one column."),
        (b"Name,Mail\n", "There is a header and no row below it."),
        (b"Name,E-mail,e_mail\nZoe,a@b.example,c@d.example\n", "Two columns are called \u201ce_mail\u201d."),
        (b"Name,,Mail\nZoe,x,y\n", "Column 2 has no name in the first row."),
        (b'Name,Mail\n"Zoe,z@example.net\nKit,k@example.net\n', "A quotation mark is not closed"),
        (b'Name,Mail\n"Zoe"y,z@example.net\n', "A quotation mark is not closed"),
        (b"Name,Mail\n" + b"x" * 200_000 + b",y\n", "A quotation mark is not closed"),
        (",".join(f"c{n}" for n in range(201)).encode() + b"\n" + b"x," * 201, "There are more than 200 columns."),
    ],
)
def test_what_is_no_table_is_refused_in_a_sentence(body: bytes, begins: str) -> None:
    with pytest.raises(NotATable) as refused:
        read(body)
    assert str(refused.value).startswith(begins)


def test_rows_are_numbered_as_a_spreadsheet_does_and_a_wide_one_is_known() -> None:
    found = read(b'a,b\n1,2\n\n"3\nx",4\n5\n6,7,8\n9,10,\n')
    assert [(row.number, row.cells, row.whole) for row in found.rows] == [
        (2, ("1", "2"), True),
        (4, ("3 x", "4"), True),
        (5, ("5", ""), True),
        (6, ("6", "7"), False),
        (7, ("9", "10"), True),
    ]


def test_the_limit_of_rows_is_where_it_says() -> None:
    """Both sides: as many as allowed, and one more."""
    body = b"a,b\n" + b"1,2\n" * 10
    assert len(read(body, most_rows=10).rows) == 10
    with pytest.raises(NotATable, match="There are more than 9 rows"):
        read(body, most_rows=9)
    assert len(csv_in.read(b",".join(b"c%d" % n for n in range(200)) + b"\nx,y\n").header) == 200
