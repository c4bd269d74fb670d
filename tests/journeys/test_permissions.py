"""Reading and signing a permission on a phone, and stopping it: the clinic's page shuts at once."""

import time
from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from practice.models import Client, User
from referrals.actions import releases
from referrals.models import Destination, Referral, Release, Section
from tests import factories
from tests.journeys.conftest import DESK, PHONE, Window, sideways, violations
from tests.journeys.walking import at_own_page, press
from tests.referrals import cases
from tests.referrals.desks import desk_code, went_out

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("on_call")]


@pytest.fixture
def northlake() -> Destination:
    return cases.clinic()


def asked(by: User, client: Client, to: Destination) -> Release:
    at = timezone.now()
    return releases.ask(
        by=by, client=client, destination=to, sections=list(Section), purpose="So that they can decide with you",
        expires_on=timezone.localdate(at) + timedelta(days=90), part2=True, at=at,
    )  # fmt: skip


def look(page: Page) -> list[str]:
    """What falls short on this page, in both widths."""
    found = violations(page)
    for size in (DESK, PHONE):
        page.set_viewport_size(size)  # type: ignore[arg-type]
        found += [f"sideways at {size['width']}"] if sideways(page) else []
    return found


def clinic_page(page: Page, referral: Referral) -> Page:
    """The clinic's page, opened by a code to its address."""
    page.goto(f"/r/{referral.token}/")
    press(page, "Send me a code")
    page.wait_for_url("**/desk/code/")
    page.get_by_label("Code", exact=False).first.fill(desk_code())
    page.get_by_role("button", name="Open").first.click()
    page.wait_for_url("**/desk/**")
    return page


def test_client_signs_on_the_phone_and_keeps_a_copy(
    window: Window, maya: User, sam: Client, northlake: Destination
) -> None:
    factories.practice(is_part2=True)
    row = asked(maya, sam, northlake)
    page = at_own_page(window(), sam)
    page.get_by_role("link", name="Read it").click()
    expect(page.get_by_role("heading", name="Alcohol and drug records", exact=True)).to_be_visible()
    assert look(page) == []
    press(page, "Sign")
    expect(page.get_by_role("alert")).to_contain_text("Type your full name to sign.")
    assert look(page) == []
    page.get_by_label("Type your full name to sign").fill("Sam Whitehorse")
    press(page, "Sign")
    page.wait_for_url("**/my/permissions/")
    expect(page.get_by_role("status")).to_contain_text("You can stop it here at any time.")
    assert look(page) == []
    with page.expect_download() as kept:
        page.get_by_role("link", name="Copy (PDF)").click()
    assert kept.value.suggested_filename == "permission-to-share.pdf"
    row.refresh_from_db()
    assert (row.typed_name, row.method) == ("Sam Whitehorse", "phone")


def test_sharing_stops_in_two_presses_and_the_clinic_sees_it_within_five_seconds(
    window: Window, maya: User, sam: Client, northlake: Destination
) -> None:
    """UX check 19, security check 51, feature B6."""
    cases.released(sam, northlake, expires_on=factories.today() + timedelta(days=90))
    referral = went_out(sam, maya, northlake)
    clinic = clinic_page(window(DESK), referral)
    expect(clinic.locator("body")).to_contain_text("Sam")
    page = at_own_page(window(), sam)
    page.goto("/my/permissions/")
    page.get_by_role("link", name="Stop sharing with Northlake Infusion").click()  # the first press
    assert look(page) == []
    page.get_by_role("button", name="Stop sharing with Northlake Infusion").click()  # the second
    stopped = time.monotonic()
    page.wait_for_url("**/my/permissions/")
    clinic.reload()
    expect(clinic.get_by_role("heading", level=1)).to_have_text("Cedar House has taken this back")
    assert time.monotonic() - stopped < 5
    assert "Sam" not in clinic.content()
    expect(page.get_by_role("status")).to_contain_text("They cannot open it any more.")
    page.get_by_role("link", name="See all that was sent about you").click()
    expect(page.get_by_role("heading", name="Northlake Infusion")).to_be_visible()
    assert look(page) == []


def test_staff_pages_of_releases_hold_to_the_rules(
    staff_window: Window, maya: User, rosa: User, sam: Client, northlake: Destination
) -> None:
    cases.released(sam, northlake, expires_on=factories.today() + timedelta(days=90))
    went_out(sam, maya, northlake)
    row = asked(maya, sam, cases.clinic(name="Lakeside"))
    page, base = staff_window(maya), f"/clients/{sam.pk}/permissions/"
    found = {}
    for path in (base, f"{base}new/", f"{base}{row.pk}/sign/", f"{base}{row.pk}/take-back/"):
        page.goto(path)
        found[path] = look(page)
    page.goto(f"{base}new/")
    press(page, "Ask for this release")
    expect(page.get_by_role("alert")).to_contain_text("Tick at least one part of the record.")
    found["error"] = look(page)
    admin = staff_window(rosa)
    admin.goto("/practice/disclosures/")
    found["report"] = look(admin)
    assert {path: lines for path, lines in found.items() if lines} == {}
