"""The referral report in the browser, on both databases (browser checks 33 to 36; journeys, script 3 step 1)."""

import csv
import io
import re
from collections.abc import Callable
from datetime import timedelta
from importlib import import_module
from pathlib import Path

import pytest
from django.conf import settings
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import Page, expect

from practice.access import Role
from practice.models import AuditEvent, User
from tests import factories
from tests.journeys.conftest import DESK, PHONE, Look, Window
from tests.kap.test_boosters import dosed, scored
from tests.referrals import flags, referring
from tests.referrals.test_safety_report import flag as safety_flag

pytestmark = pytest.mark.story
CLINICS = ("Northlake Infusion", "Meridian Ketamine & Wellness", "St. Brigid Interventional Psychiatry")


@pytest.fixture
def world(maya: User, omar: User) -> flags.World:
    """A year of flags; and a clinic to which three were sent who have a follow-up."""
    made = flags.flags(flags.people([maya, omar], 60), [referring.clinic(name) for name in CLINICS], 140)
    harbor = referring.clinic("Harbor Pain & Infusion")
    for n, client in enumerate(flags.people([maya], 3)):
        flags.one(made, "response", client, harbor, days_ago=80 + n)
    made.write()
    return made


def downloaded(page: Page, press: Callable[[], None]) -> list[list[str]]:
    with page.expect_download() as waiting:
        press()
    text = Path(waiting.value.path()).read_text(encoding="utf-8-sig")
    return list(csv.reader(io.StringIO(text, newline="")))


@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
def test_each_number_opens_its_rows_and_the_file_equals_them(
    staff_window: Window, look: Look, world: flags.World, rosa: User, size: dict[str, int]
) -> None:
    """UX check 33, and 36: a clinic with 3 follow-ups shows counts and no rate."""
    page = staff_window(rosa, size)
    page.goto(reverse("reports"))
    look(page, "report-0-list")
    page.get_by_role("main").get_by_role("link", name="Open Infusion referrals").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Infusion referrals")
    look(page, "report-1")
    funnel = page.locator("table.funnel tbody tr")
    numbers = [funnel.nth(n).locator("td.n").inner_text().split()[0] for n in range(2, 6)]
    assert numbers == [str(world.counts[step]) for step in ("referred", "accepted", "first", "finished")]
    for n, number in zip(range(2, 6), numbers, strict=True):
        funnel.nth(n).get_by_role("link").click()
        expect(page.get_by_role("main")).to_contain_text(f"{number} row")
        seen = page.locator("tbody tr").count()
        while page.get_by_role("link", name="Next", exact=True).count():
            before = page.url
            page.get_by_role("link", name="Next", exact=True).click()
            page.wait_for_url(lambda url, before=before: url != before)
            seen += page.locator("tbody tr").count()
        assert seen == int(number)
        rows = downloaded(page, lambda: page.get_by_role("link", name="CSV, no names").click())
        assert len(rows) - 1 == int(number)
        page.get_by_role("link", name="Infusion referrals").click()
    harbor = page.get_by_role("region", name="Outcomes by clinic").get_by_role("row", name="Harbor")
    assert re.findall(r"too few", harbor.inner_text()) == ["too few"] * 5
    assert harbor.get_by_role("cell").nth(0).inner_text().split()[0] == "3"


def test_address_gives_another_admin_the_same_view(
    staff_window: Window, look: Look, world: flags.World, rosa: User, maya: User
) -> None:
    """UX check 34."""
    page = staff_window(rosa)
    page.goto(reverse("report_referrals"))
    page.get_by_label("Therapist").select_option(str(maya.pk))
    page.get_by_role("button", name="Apply").click()
    other = staff_window(factories.staff("Rex Other", Role.ADMIN, sites=(maya.sites.get(),)))
    other.goto(page.url)
    one, two = (re.sub("as of .*", "", each.get_by_role("main").inner_text()) for each in (page, other))
    assert one == two
    assert page.locator("table.funnel td.n").nth(2).inner_text().split()[0] == str(
        world.by_therapist["Maya Torres"]["referred"]
    )
    page.get_by_role("link", name="How we count").click()
    look(page, "report-2-how")


def test_names_ask_for_the_password_and_are_written_down(staff_window: Window, world: flags.World, maya: User) -> None:
    """UX check 35."""
    page = staff_window(maya)
    page.goto(reverse("report_referrals"))
    plain = downloaded(page, lambda: page.get_by_role("link", name="CSV, no names").click())
    assert {"Name", "Born", "Phone"} & set(plain[0]) == set()
    key = next(c["value"] for c in page.context.cookies() if c["name"] == settings.SESSION_COOKIE_NAME)
    store = import_module(settings.SESSION_ENGINE).SessionStore(session_key=key)
    store["started"] -= 3600  # an hour ago
    store.save()
    page.get_by_role("link", name="CSV with names").click()
    expect(page).to_have_url(re.compile("reauthenticate"))
    page.get_by_label("Password").fill("correct horse battery")
    rows = downloaded(page, lambda: page.get_by_role("main").get_by_role("button").first.click())
    assert rows[0][1:4] == ["Name", "Born", "Phone"] and len(rows) == len(plain)
    taken = AuditEvent.objects.filter(action="report.exported").order_by("seq").values_list("facts", flat=True)
    assert [facts["names"] for facts in taken] == [False, True]


def test_report_without_flags_and_with_a_wrong_day(staff_window: Window, look: Look, maya: User) -> None:
    page = staff_window(maya, PHONE)
    page.goto(reverse("report_referrals"))
    expect(page.get_by_role("heading", name="No flags in these dates")).to_be_visible()
    look(page, "report-3-empty")
    page.goto(reverse("report_referrals") + "?start=2026-13-01&therapist=x")
    expect(page).to_have_title(re.compile("^Error:"))
    look(page, "report-4-error")


@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
def test_safety_report_opens_its_rows_and_comes_as_pdf(
    staff_window: Window, look: Look, maya: User, omar: User, rosa: User, size: dict[str, int]
) -> None:
    """UX check 33 for the safety report, as its therapist and as an admin; a file is two presses from the start."""
    for n, client in enumerate(flags.people([maya, omar], 8)):
        client.set_identity(legal_name=f"Person {n}", name_used=f"Person {n}")
        client.save_identity()
        safety_flag(client, hours_ago=30 + n, picked_up=n / 10, spoken=n * 4, planned=n * 3, closed=n % 3 > 0)
    for user in (maya, rosa):
        page = staff_window(user, size)
        page.goto(reverse("reports"))
        look(page, f"safety-report-0-{user.first_name}")
        page.get_by_role("link", name="Open Safety flags").click()
        look(page, f"safety-report-1-{user.first_name}")
        with page.expect_download() as waiting:
            page.get_by_role("link", name="PDF, no names").click()
        assert Path(waiting.value.path()).read_bytes()[:5] == b"%PDF-"
        number = page.get_by_role("row", name="Flags opened in these days").get_by_role("link").first
        count = int(number.inner_text().split()[0])
        number.click()
        assert count == {maya: 8, rosa: 16}[user]
        expect(page.locator("tbody tr")).to_have_count(count)
        look(page, f"safety-report-2-{user.first_name}")


@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
def test_report_of_our_sessions_opens_its_rows(
    staff_window: Window, look: Look, maya: User, size: dict[str, int]
) -> None:
    for n, client in enumerate(flags.people([maya], 6)):
        client.set_identity(legal_name=f"Person {n}", name_used=f"Person {n}")
        client.save_identity()
        days = [timezone.now() - timedelta(days=250 - 10 * n - 7 * dose) for dose in range(3)]
        dosed(client, *days)
        scored(client, "phq-9", days[0].date(), 20)
        scored(client, "phq-9", days[2].date() + timedelta(days=4), 8 + n)
    page = staff_window(maya, size)
    page.goto(reverse("reports"))
    page.get_by_role("link", name="Open Our ketamine sessions").click()
    look(page, "kap-report-1")
    page.get_by_role("row", name="Boosters due in these days").get_by_role("link").click()
    expect(page.locator("tbody tr")).to_have_count(6)
    look(page, "kap-report-2")
    page.goto(reverse("report_count", args=["outcomes"]))
    look(page, "outcomes-report-1")


@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
def test_page_for_a_friday_comes_as_pdf_in_two_presses(
    staff_window: Window, look: Look, maya: User, rosa: User, size: dict[str, int]
) -> None:
    """Journeys, script 3 step 6."""
    for n, client in enumerate(flags.people([maya], 6)):
        safety_flag(client, hours_ago=30 + n, picked_up=n / 10, closed=n % 3 > 0)
    page = staff_window(rosa, size)
    page.goto(reverse("reports"))
    look(page, "week-report-0")
    page.get_by_role("link", name="Open This week").click()
    look(page, "week-report-1")
    with page.expect_download() as waiting:
        page.get_by_role("link", name="PDF, no names").click()
    assert Path(waiting.value.path()).read_bytes()[:5] == b"%PDF-"
