"""Emergency access in a browser: asked for, seen above each page, ended, reviewed; and what an admin looks up."""

import re

import pytest
from playwright.sync_api import expect

from practice import emergencies
from practice.models import Client, EmergencyAccess, User
from tests.factories import NOW
from tests.journeys.conftest import Look, Window

pytestmark = pytest.mark.django_db(transaction=True)


def test_emergency_is_opened_seen_ended_and_reviewed(
    staff_window: Window, both: Look, omar: User, maya: User, rosa: User, sol: User, sam: Client
) -> None:
    """Security check 47."""
    page = staff_window(omar)
    page.goto("/search/?q=whitehorse")
    page.get_by_role("link", name="Open a chart in an emergency").click()
    both(page, "break-glass")
    page.get_by_role("button", name="Open the chart for 60 minutes").click()
    expect(page).to_have_title(re.compile("^Error:"))
    both(page, "break-glass-error")
    page.get_by_label("Whole name").fill("Sam Whitehorse")
    page.get_by_label("Birth date").fill("1993-03-08")
    page.get_by_label("Why you need this chart now").fill("He called and said goodbye")
    page.get_by_role("button", name="Open the chart for 60 minutes").click()
    page.wait_for_url(f"**/clients/{sam.pk}/")
    bar = page.get_by_role("region", name="Emergency access")
    assert "60 minutes left" in bar.inner_text()
    both(page, "emergency-chart")
    page.goto(f"/clients/{sam.pk}/notes/")
    bar.get_by_role("button", name="End now").click()
    page.wait_for_url("**/caseload/")
    page.goto(f"/clients/{sam.pk}/")
    assert "We cannot find that page" in page.inner_text("body")

    admin = staff_window(rosa)
    admin.goto("/practice/")
    admin.get_by_role("link", name="Emergency access").click()
    both(admin, "emergency-list")
    admin.get_by_role("link", name="Review Omar Haddad, CH-0401").click()
    expect(admin.get_by_role("main")).to_contain_text("He called and said goodbye")
    both(admin, "emergency")
    admin.get_by_label("What you found, and what follows").fill("Needed. Maya was told.")
    admin.get_by_role("button", name="Close the review").click()
    admin.wait_for_url("**/practice/break-glass/")
    both(admin, "emergency-list-done")
    row = EmergencyAccess.objects.get()
    assert (row.reviewed_by, row.review) == (rosa, "Needed. Maya was told.")


def test_admin_looks_up_who_looked_and_what_somebody_sees(
    staff_window: Window, both: Look, omar: User, maya: User, rosa: User, sam: Client
) -> None:
    """Security check 45 in a browser: narrowed, and sorted by pressing a heading."""
    emergencies.open_chart(by=omar, client=sam, reason="He called and said goodbye", at=NOW)
    page = staff_window(rosa)
    page.goto(f"/clients/{sam.pk}/edit/")
    page.get_by_role("link", name="Who looked at what").click()
    both(page, "access-report")
    page.get_by_text("Narrow it down").click()
    page.get_by_label("Who", exact=True).select_option("Omar Haddad")
    page.get_by_role("button", name="Show", exact=True).click()
    page.get_by_role("link", name="Who", exact=True).click()
    expect(page).to_have_url(re.compile(f"(?=.*who={omar.pk})(?=.*sort=who)"))
    expect(page.locator("tbody tr")).to_have_count(1)
    both(page, "access-report-narrow")
    page.goto(f"/practice/people/{maya.pk}/")
    page.get_by_role("link", name="What Maya may do, and whom they see").click()
    expect(page.get_by_role("main")).to_contain_text("Read a chart: answers, scores, flags, notes")
    both(page, "person-sees")
