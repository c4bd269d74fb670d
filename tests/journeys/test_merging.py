"""Two records of one person, as the admin sees them: found, compared, merged, taken apart (feature O4)."""

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from practice import actions, retention
from practice.models import Client, LegalHold, User
from tests import factories
from tests.journeys.conftest import Look, Window

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.usefixtures("on_call")
def test_admin_finds_merges_and_takes_apart(
    staff_window: Window, both: Look, rosa: User, maya: User, omar: User, sam: Client
) -> None:
    now = timezone.now()
    double = factories.client(omar, "Samuel Whitehorse", email=sam.email, phone="+1 202 555 0190", at=now)
    for client, by in ((sam, maya), (double, omar)):
        actions.write_note(by=by, client=client, words="Came by.", at=now)
        retention.place_hold(by=rosa, client=client, words="A board asks.", at=now)
    actions.raise_manual_flag(by=omar, client=double, severity="priority", reason="He said goodbye.", at=now)
    page = staff_window(rosa)
    page.goto("/practice/")
    page.get_by_role("link", name="Duplicates").click()
    expect(page.locator("main")).to_contain_text("The same e-mail")
    both(page, "merges")
    page.get_by_role("link", name=f"Compare {sam.code} {double.code}").click()
    expect(page.locator("main")).to_contain_text("A legal hold stands on both.")
    both(page, "merge-first")
    hold = LegalHold.objects.get(client=double)
    retention.lift_hold(by=rosa, hold=hold, words="It stands on the other.", at=now)
    page.reload()
    both(page, "merge")
    page.get_by_role("group", name="Phone").get_by_label("+1 202 555 0190").check()
    button = page.get_by_role("button", name=f"Put {double.code} into {sam.code}")
    button.click()
    expect(page.locator("main")).to_contain_text("Write how you know that they are one person.")
    expect(page.get_by_role("group", name="Phone").get_by_label("+1 202 555 0190")).to_be_checked()
    both(page, "merge-error")
    page.get_by_label("How you know that they are one person").fill("He told us on the phone.")
    button.click()
    expect(page.locator("main")).to_contain_text(f"{double.code} is part of {sam.code} now.")
    both(page, "merges-done")
    sam.refresh_from_db()
    assert (sam.phone, sam.alerts.count()) == ("+1 202 555 0190", 1)
    actions.write_note(by=maya, client=sam, words="Since.", at=timezone.now())
    page.get_by_role("link", name=f"Take them apart again {double.code}").click()
    expect(page.locator("main")).to_contain_text("Notes: 1")
    both(page, "merge-undo")
    page.get_by_label("How you know that they are two people").fill("A cousin of the same name.")
    page.get_by_role("button", name="Take them apart").click()
    expect(page.locator("main")).to_contain_text(f"{double.code} is a record of its own again.")
    double.refresh_from_db()
    assert (double.status, double.therapist, double.alerts.count()) == (Client.Status.ACTIVE, omar, 1)
