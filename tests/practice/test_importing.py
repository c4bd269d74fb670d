"""Clients from a file: every row has a fate, nobody is merged or doubled, nobody gets a message."""

from collections.abc import Callable
from datetime import date, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command
from django.test import Client as Browser
from django.urls import reverse
from django.utils import timezone

from intake.models import Invitation
from practice import importing, jobs, taking_in
from practice.csv_in import read
from practice.importing import How
from practice.models import AuditEvent, Client, ClientImport, Notice, RoleGrant, Site, User
from tests.conftest import send, sign_in

Sign = Callable[[User], Browser]
TODAY = date(2026, 11, 19)
HEADER = "First name,Last name,DOB,Email,Cell phone,Patient ID,Therapist\n"
ROWS = (
    "Ada,Vale,03/08/1990,ada@example.org,202 555 0101,P-1,\n"
    "Ben,Vale,12/31/1988,,,P-2,omar.haddad@example.org\n"
)  # fmt: skip


def fates(text: str, how: How | None = None, **also: Any) -> list[tuple[int, str, str]]:
    table = read(text.encode())
    columns = importing.guess(table.header)
    how = how or How(columns, "mdy", also.get("therapist"), also.get("site"), frozenset(also.get("separate", ())))
    return [(one.number, str(one.fate), one.why) for one in importing.plan(table.rows, how, TODAY)]


def upload(browser: Browser, body: bytes | str, **data: Any) -> Any:
    raw = body.encode() if isinstance(body, str) else body
    return send(browser, reverse("clients_import"), {**data, "file": SimpleUploadedFile("old.csv", raw)})


def settled(maya: User, north: Site, text: str, at: Any = None) -> ClientImport:
    row = taking_in.keep(by=None, body=text.encode(), encoding="", at=at or timezone.now())
    taking_in.settle(row, row.columns, row.dates, maya, north)
    return row


# --- What is what ----------------------------------------------------------------------------------------------------


def test_columns_are_guessed_by_their_names() -> None:
    assert importing.guess(["First name", "LAST_NAME", "DOB", "E-mail", "Cell phone", "Patient ID", "Notes"]) == {
        "first": 0, "last": 1, "birth_date": 2, "email": 3, "phone": 4, "other_id": 5,
    }  # fmt: skip
    assert importing.guess(["Name", "Provider"]) == {"name_used": 0, "therapist": 1}
    assert importing.guess(["colour", "shape"]) == {}


@pytest.mark.parametrize(
    ("days", "way"),
    [
        (["1993-03-08", ""], "iso"),
        (["03/08/1993", "12/31/1990"], "mdy"),
        (["31/12/1990", "03/08/1993"], "dmy"),
        (["8.3.1993", "31.12.1990"], "dmy"),
        (["8 March"], "mdy"),
        ([""], "iso"),
    ],
)
def test_the_way_dates_are_written_is_guessed_from_all_of_them(days: list[str], way: str) -> None:
    rows = read(("a,b\n" + "".join(f"x,{day}\n" for day in days)).encode()).rows
    assert importing.guess_dates(rows, 1) == way


# --- Fates -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "fate"),
    [
        ("Ada,Vale,03/08/1990,,,,", ("new", "")),
        (",,03/08/1990,a@example.org,,,", ("incomplete", "name")),
        ("Ada,Vale,-,n/a,,,", ("incomplete", "way")),
        ("Ada,Vale,,a@example,,,", ("refused", "email")),
        ("Ada,Vale,,,12,,", ("refused", "phone")),
        ("Ada,Vale,,,+1 (202) 555-0101,,", ("new", "")),
        ("Ada,Vale,31/12/1990,,,,", ("refused", "birth")),
        ("Ada,Vale,11/19/2026,,,,", ("new", "")),
        ("Ada,Vale,11/20/2026,,,,", ("refused", "birth")),
        ("Ada,Vale,01/01/1900,,,,", ("new", "")),
        ("Ada,Vale,12/31/1899,,,,", ("refused", "birth")),
        ("=HYPERLINK(1),Vale,,a@example.org,,,", ("refused", "formula")),
        ("Ada,' @SUM(1),,a@example.org,,,", ("refused", "formula")),
        ("Ada,\uff1dcmd,,a@example.org,,,", ("refused", "formula")),
        ("Ada,Va\x07le,,a@example.org,,,", ("refused", "odd")),
        ("Ada,Va\u202ele,,a@example.org,,,", ("refused", "odd")),
        (f"Ada,{'V' * 80},,a@example.org,,,", ("new", "")),
        (f"Ada,{'V' * 81},,a@example.org,,,", ("refused", "long")),
        ("Ada,Vale,,a@example.org,,,Nobody Known", ("refused", "therapist")),
        ("Ada,Vale,,a@example.org,,,,more", ("refused", "wide")),
    ],
)
def test_a_row_by_itself(db: None, row: str, fate: tuple[str, str]) -> None:
    assert fates(HEADER + row + "\n") == [(2, *fate)]


def test_a_row_like_somebody_here_is_left_for_a_person_to_say(sam: Client) -> None:
    """Sam Whitehorse, born 1993-03-08, sam@example.net, 202 555 0142."""
    rows = (
        "Other,Name,,SAM@example.net,,,\n"
        "Other,Name,,,(202) 555-0142,,\n"
        "Sam,Whitehorse,03/08/1993,,,,\n"
        "Samuel,Whitehorse,03/08/1993,,,,\n"
        "Sam,Whitehorse,03/09/1993,,,,\n"
    )
    assert fates(HEADER + rows) == [
        (2, "match", "email_index"),
        (3, "match", "phone_index"),
        (4, "match", "person"),
        (5, "new", ""),
        (6, "new", ""),
    ]
    assert fates(HEADER + rows, separate=[2, 4])[:3] == [
        (2, "new", "separate"), (3, "match", "phone_index"), (4, "new", "separate"),
    ]  # fmt: skip


def test_a_row_like_one_above_is_left_too(db: None) -> None:
    rows = "Ada,Vale,,one@example.org,,,\nBen,Vale,,ONE@example.org,,,\nAda,,,two@example.org,,,\n"
    assert fates(HEADER + rows) == [(2, "new", ""), (3, "twice", "email_index"), (4, "new", "")]
    assert fates(HEADER + rows, separate=[3])[1] == (3, "new", "separate")


def test_the_same_number_elsewhere_is_the_same_person_whatever_is_said(sam: Client) -> None:
    sam.set_identity(other_id="P-1")
    sam.save_identity()
    assert fates(HEADER + "Ada,Vale,,,,p-1,\n", separate=[2]) == [(2, "here", "other_id_index")]


def test_looking_asks_the_database_as_often_for_three_rows_as_for_thirty(
    maya: User, sam: Client, django_assert_num_queries: Any
) -> None:
    for count in (3, 30):
        rows = "".join(f"Ada{n},Vale,03/08/1990,a{n}@example.org,202 555 {n:04},P-{n},\n" for n in range(count))
        with django_assert_num_queries(6):
            assert {fate for _n, fate, _why in fates(HEADER + rows)} == {"new"}


# --- Taking in -------------------------------------------------------------------------------------------------------


def test_confirmed_rows_become_clients_and_nobody_gets_a_message(maya: User, omar: User, north: Site) -> None:
    row = settled(maya, north, HEADER + ROWS + "Cy,Vale,,,,,\n")
    assert Client.objects.count() == 0
    taking_in.start(by=None, row=row, at=timezone.now())
    found = [
        (c.legal_name, c.name, c.birth_date, c.email, c.phone, c.other_id, c.therapist, c.site, c.status)
        for c in Client.objects.order_by("number")
    ]
    assert found == [
        ("Ada Vale", "Ada Vale", "1990-03-08", "ada@example.org", "202 555 0101", "P-1", maya, north, "active"),
        ("Ben Vale", "Ben Vale", "1988-12-31", "", "", "P-2", omar, north, "active"),
    ]
    assert (row.state, row.taken_to, row.outcomes, bytes(row.body)) == ("done", 3, [[4, "incomplete", "way"]], b"")
    assert taking_in.counts(row) == {"new": 2, "incomplete": 1}
    assert (Notice.objects.count(), Invitation.objects.count()) == (0, 0)
    assert list(Client.objects.named("ada")) == [Client.objects.get(number=401)]


def test_the_same_file_twice_doubles_nobody(maya: User, omar: User, north: Site) -> None:
    for _ in range(2):
        row = settled(maya, north, HEADER + ROWS + "Di,Vale,01/02/1980,,,,\n")
        taking_in.start(by=None, row=row, at=timezone.now())
    assert Client.objects.count() == 3
    assert row.outcomes == [[2, "here", "other_id_index"], [3, "here", "other_id_index"], [4, "match", "person"]]


def test_many_rows_go_in_batches_and_go_on_where_they_were_cut(
    maya: User, north: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(taking_in, "BATCH", 2)
    text = HEADER + "".join(f"A{n},Vale,,a{n}@example.org,,,\n" for n in range(5)) + "A0,Vale,,a0@example.org,,,\n"
    row = settled(maya, north, text)
    taking_in.start(by=maya, row=row, at=timezone.now())  # maya may not import: see below
    row.refresh_from_db()
    assert (row.state, Client.objects.count()) == ("stopped", 0)
    row = settled(maya, north, text)
    taking_in.start(by=None, row=row, at=timezone.now())
    assert (row.state, row.taken_to, Client.objects.count()) == ("taking", 2, 2)
    jobs.run_due()
    row.refresh_from_db()
    assert (row.state, row.taken_to, Client.objects.count()) == ("done", 6, 5)
    assert row.outcomes == [[7, "match", "email_index"]]
    taking_in.take_next(row.pk, at=timezone.now())  # a job that comes twice
    assert Client.objects.count() == 5


def test_somebody_who_lost_the_right_meanwhile_imports_no_further(
    maya: User, rosa: User, north: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(taking_in, "BATCH", 1)
    row = settled(maya, north, HEADER + ROWS.replace("omar.haddad@example.org", ""))
    taking_in.start(by=rosa, row=row, at=timezone.now())
    RoleGrant.objects.filter(user=rosa).delete()
    jobs.run_due()
    row.refresh_from_db()
    assert (row.state, row.taken_to, Client.objects.count(), bytes(row.body)) == ("stopped", 1, 1, b"")


def test_a_file_nobody_came_back_to_is_thrown_away(maya: User, north: Site) -> None:
    at = timezone.now()
    old = settled(maya, north, HEADER + ROWS, at=at - taking_in.FORGET_AFTER - timedelta(seconds=1))
    young = settled(maya, north, HEADER + ROWS, at=at - taking_in.FORGET_AFTER + timedelta(seconds=1))
    taking_in.forget(at)
    for row in (old, young):
        row.refresh_from_db()
    assert (old.state, bytes(old.body), young.state, bytes(young.body) != b"") == ("discarded", b"", "waiting", True)


# --- The pages -------------------------------------------------------------------------------------------------------


def test_an_admin_walks_from_file_to_clients(rosa: User, maya: User, omar: User, north: Site, sam: Client) -> None:
    browser = sign_in(Browser(), rosa)
    text = HEADER + ROWS + "Sam,Else,,sam@example.net,,,\nCy,Vale,,,,,\n"
    place = upload(browser, text)["Location"]
    page = browser.get(place).content.decode()
    assert "4 rows. Nobody is taken in yet." in page and "Sam Whitehorse" in page and "CH-0401" in page
    assert 'value="take"' not in page and "Choose a therapist and a site above" in page
    row = ClientImport.objects.get()
    said = {key: str(n) for key, n in row.columns.items()} | {"dates": "mdy", "whose": maya.pk, "site": north.pk}
    assert send(browser, place, {**said, "act": "settle"}).status_code == 302
    assert "Take in 2 new clients" in browser.get(place).content.decode()
    row.refresh_from_db()
    stands = {"choice": taking_in.choice(row), "shown": ["4"], "separate": ["4"]}
    assert f'name="choice" value="{stands["choice"]}"' in browser.get(place).content.decode()
    send(browser, place, stands | {"act": "mark"})
    assert "Take in 3 new clients" in browser.get(place).content.decode()
    assert Client.objects.count() == 1
    send(browser, place, stands | {"act": "take"})
    assert Client.objects.count() == 4
    page = browser.get(place).content.decode()
    assert "3 clients taken in" in page and "Every row is accounted for below" in page
    assert "No e-mail, phone, birth date or number" in page
    said_twice = send(browser, place, {"act": "take"}, follow=True).content.decode()
    assert "Somebody took this file in already" in said_twice
    for stale in ({"act": "mark", "shown": ["4"]}, {**said, "act": "settle"}):  # a page that stood open
        text = send(browser, place, stale, follow=True).content.decode()
        assert ("Somebody took this file in already" in text, "Saved." in text) == (True, False)
    assert Client.objects.count() == 4
    kinds = set(AuditEvent.objects.filter(action__startswith="import.").values_list("action", flat=True))
    assert kinds == {"import.kept", "import.started", "import.done"}


@pytest.mark.parametrize("act", ["take", "mark"])
def test_a_page_with_other_columns_takes_nobody_in(act: str, rosa: User, maya: User, omar: User, north: Site) -> None:
    """Two tabs: in the one the dates are chosen anew, in the other the rows of before are confirmed."""
    browser = sign_in(Browser(), rosa)
    place = upload(browser, HEADER + ROWS)["Location"]
    row = ClientImport.objects.get()
    said = {key: str(n) for key, n in row.columns.items()} | {"dates": "mdy", "whose": maya.pk, "site": north.pk}
    send(browser, place, {**said, "act": "settle"})
    row.refresh_from_db()
    looked_at = taking_in.choice(row)
    for changed in ({"dates": "dmy"}, {"whose": omar.pk}, {"email": ""}):
        send(browser, place, {**said, **changed, "act": "settle"})
        page = send(browser, place, {"act": act, "choice": looked_at, "shown": ["2"], "separate": ["2"]}, follow=True)
        assert "were chosen anew since you opened that page. Nothing was done." in page.content.decode()
        row.refresh_from_db()
        assert (row.state, row.separate, Client.objects.count()) == ("waiting", [], 0)
    send(browser, place, {**said, "act": "settle"})
    send(browser, place, {"act": "take", "choice": looked_at})  # the choice that was looked at stands again
    row.refresh_from_db()
    assert (row.state, Client.objects.count()) == ("done", 2)


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (b"", "That file is empty."),
        (b"Name\nZoe\n", "There is only one column."),
        (b"Name,Mail\nZo\xeb,z@example.net\n", "Choose another encoding below"),
        (b"a,b\n" + b"1,2\n" * 5001, "There are more than 5,000 rows."),
        (b"a,b\n" + b"x" * (20 * 1024 * 1024) + b"\n", "larger than 20 MB"),
    ],
)
def test_a_file_that_is_none_is_refused_before_anything_is_kept(rosa: User, body: bytes, sentence: str) -> None:
    answer = upload(sign_in(Browser(), rosa), body)
    assert answer.status_code == 400 and sentence in answer.content.decode()
    assert ClientImport.objects.count() == 0


def test_the_letters_of_an_older_program_are_read_when_somebody_says_so(rosa: User) -> None:
    answer = upload(sign_in(Browser(), rosa), b"Name,Mail\nZo\xeb,z@example.net\n", encoding="cp1252")
    page = sign_in(Browser(), rosa).get(answer["Location"]).content.decode()
    assert "Zoë" in page


def test_no_file_and_wrong_columns_are_said_in_words(rosa: User, maya: User, north: Site) -> None:
    browser = sign_in(Browser(), rosa)
    assert "Choose a file." in send(browser, reverse("clients_import"), {}).content.decode()
    place = upload(browser, HEADER + ROWS)["Location"]
    said = {"first": "0", "last": "0", "dates": "mdy", "whose": maya.pk, "site": north.pk, "act": "settle"}
    assert "This column is chosen twice." in send(browser, place, said).content.decode()
    said = {"email": "3", "dates": "mdy", "whose": maya.pk, "site": north.pk, "act": "settle"}
    assert "Choose the column of the name." in send(browser, place, said).content.decode()
    for junk in ({"act": "mark", "shown": ["x", "-1", "9" * 40], "separate": ["\x00"]}, {"act": "nonsense"}):
        assert send(browser, place, junk).status_code in (302, 400)
    assert browser.get(place + "?show=nonsense&page=99999").status_code == 200


def test_a_file_is_thrown_away_by_a_press(rosa: User) -> None:
    browser = sign_in(Browser(), rosa)
    place = upload(browser, HEADER + ROWS)["Location"]
    send(browser, place, {"act": "discard"})
    row = ClientImport.objects.get()
    assert (row.state, bytes(row.body), Client.objects.count()) == ("discarded", b"", 0)
    assert "Nobody was taken in." in browser.get(place).content.decode()


# --- The command -----------------------------------------------------------------------------------------------------


def run(path: Path, *options: str) -> list[str]:
    out = StringIO()
    call_command(
        "import_clients", str(path), "--therapist", "maya.torres@example.org", "--site", "Cedar House North", *options,
        stdout=out,
    )  # fmt: skip
    return out.getvalue().splitlines()


def test_the_command_does_what_the_page_does(maya: User, omar: User, tmp_path: Path) -> None:
    path = tmp_path / "old.csv"
    path.write_text(HEADER + ROWS + "Cy,Vale,,,,,\n", encoding="utf-8")
    left = ["  2 new", f"  row 4: Incomplete. {importing.WHY['way']}"]
    assert run(path, "--dry-run") == ["Nobody is taken in: this is what would become of 3 rows.", *left]
    assert Client.objects.count() == 0
    assert run(path) == ["3 rows:", *left]
    assert Client.objects.count() == 2
    assert [bytes(row.body) for row in ClientImport.objects.all()] == [b"", b""]


def test_the_command_refuses_in_a_sentence(maya: User, tmp_path: Path) -> None:
    path = tmp_path / "old.csv"
    with pytest.raises(CommandError, match="cannot be read"):
        run(path)
    path.write_text("colour,shape\nred,round\n", encoding="utf-8")
    with pytest.raises(CommandError, match="No column of the file is a name"):
        run(path)
    with pytest.raises(CommandError, match="is not one of ours"):
        run(path, "--columns", "name_used=size")
    with path.open("wb") as out:
        out.truncate(2 * 1024**3)
    with pytest.raises(CommandError, match="larger than 20 MB"):
        run(path)
    assert Client.objects.count() == 0
