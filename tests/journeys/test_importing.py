"""An admin brings the clients of another system; a therapist sees their history marked as such."""

from pathlib import Path

from django.core.management import call_command
from playwright.sync_api import expect

from practice.models import Client, Site, User
from tests.journeys.conftest import Look, Window
from tests.journeys.walking import follow, press

PEOPLE = (
    "First name,Last name,DOB,Email,Cell phone,Patient ID,Therapist\n"
    "Ada,Vale,03/08/1990,ada@example.org,202 555 0101,P-1,\n"
    "Ben,Vale,12/31/1988,,202 555 0101,P-2,\n"
    "Sam,Whitehorse,03/08/1993,,,P-3,\n"
    "Cy,Vale,,,,,\n"
    "Di,Vale,31/12/1990,di@example.org,,P-5,\n"
)  # fmt: skip


def test_clients_come_over_after_a_look_at_each_row(
    staff_window: Window, both: Look, rosa: User, maya: User, north: Site, sam: Client, tmp_path: Path
) -> None:
    file = tmp_path / "old.csv"
    desk = staff_window(rosa)
    desk.goto("/practice/")
    follow(desk, "Import clients")
    file.write_bytes(b"Name\nZoe\n")
    desk.get_by_label("The file").set_input_files(file)
    press(desk, "Look at the rows")
    expect(desk.get_by_role("alert")).to_contain_text("There is only one column.")
    both(desk, "import-01-refused")
    file.write_text(PEOPLE, encoding="utf-8")
    desk.get_by_label("The file").set_input_files(file)
    press(desk, "Look at the rows")
    both(desk, "import-02-places")
    desk.get_by_label("Dates are written").select_option(label="month/day/year, such as 03/08/1993")
    desk.get_by_label("Their therapist").select_option(label="Maya Torres")
    desk.get_by_label("Site").select_option(label="Cedar House North")
    press(desk, "Save, and look again")
    expect(desk.locator("#row-4")).to_contain_text("Like somebody here")
    expect(desk.locator("#row-4")).to_contain_text("Sam Whitehorse")
    both(desk, "import-03-rows")
    desk.get_by_label("Another person: take them in Ben Vale").check()
    press(desk, "Take in 1 new client")
    expect(desk.get_by_role("heading", name="2 clients taken in")).to_be_visible()
    both(desk, "import-04-done")
    follow(desk, "Back to the files")
    both(desk, "import-05-files")
    assert Client.objects.count() == 3


def test_history_of_another_system_is_marked_as_such(
    staff_window: Window, look: Look, both: Look, maya: User, sam: Client, tmp_path: Path
) -> None:
    rows = [(f"2026-0{month}-08", [2] * 8, item9) for month, item9 in ((3, 2), (4, 1), (6, 0), (9, 0))]
    columns = [f"q{n}" for n in range(1, 10)]
    file = tmp_path / "old.csv"
    file.write_text(
        ",".join(["client", "day", *columns])
        + "\n"
        + "".join(f"{sam.code},{day},{','.join(map(str, [*items, item9]))}\n" for day, items, item9 in rows),
        encoding="utf-8",
    )
    call_command(
        "import_assessments", str(file), "--instrument", "phq-9", "--columns", ",".join(columns), "--day", "day",
        "--client", "client",
    )  # fmt: skip
    desk = staff_window(maya)
    desk.goto(f"/clients/{sam.pk}/?range=all")
    expect(desk.locator("#past-flags")).to_contain_text("Mar 8, 2026")
    expect(desk.locator(".legend")).to_contain_text("From another system")
    both(desk, "history-01-chart")
    desk.locator("#past-flags a").first.click()
    expect(desk.get_by_text("Nobody was called; it stays here.")).to_be_visible()
    both(desk, "history-02-flag")
    desk.goto("/caseload/")
    expect(desk.get_by_text("Answers came over from another system")).to_be_visible()
    look(desk, "history-03-caseload")
