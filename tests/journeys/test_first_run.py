"""A new practice's first quarter of an hour (feature O7): from the first link to the first client's invitation."""

import re
import time
from io import StringIO

import pytest
from django.core.management import call_command
from playwright.sync_api import Page, expect

from intake.models import Invitation
from practice import coverage
from practice.models import Client, Practice, Site, User
from practice.signing import PARTS
from tests.journeys.conftest import DESK, Look, Window
from tests.journeys.mailbox import newest, text_of
from tests.journeys.test_sign_in import code
from tests.journeys.walking import Hand, on, reads
from tests.system.conftest import Postbox

pytestmark = pytest.mark.story
PASSWORD = "four plain words here"
# What the admin presses and types, what the first colleague does, and the machine's own time for all of it.
ADMIN_CLICKS, ADMIN_FIELDS = 19, 11
COLLEAGUE_CLICKS, COLLEAGUE_FIELDS = 14, 10
MACHINE_S = 300  # most of it is axe, which looks at each page twice
EMPTY = (
    *("/caseload/", "/referrals/", "/plans/", "/alerts/", "/reports/", "/reports/referrals/", "/reports/week/"),
    *("/enquiries/", "/tasks/", "/clients/new/", "/practice/", "/practice/people/", "/practice/sites/"),
    *("/practice/coverage/", "/practice/drill/"),
)


@pytest.fixture
def house(db: None) -> Practice:
    """Nothing but what the migrations leave."""
    return Practice.get()


def first_link() -> str:
    said = StringIO()
    call_command("first_admin", "rosa@cedar.example", "Rosa Bell", stdout=said)
    found = re.search(r"https?://\S+?(/account/\S+)", said.getvalue())
    assert found
    return found[1]


def arrive(page: Page, link: str, email: str, both: Look, name: str) -> Hand:
    """From the link of the invitation to the first page behind the second factor."""
    hand = Hand(page)
    page.goto(link)
    both(page, f"{name}-1-password")
    expect(page.get_by_role("main")).not_to_contain_text("<")
    hand.write("New password", PASSWORD)
    hand.write("The same again", PASSWORD)
    hand.press("Set my password")
    hand.follow("Sign in")
    hand.write("E-mail", email)
    hand.write("Password", PASSWORD)
    hand.press("Sign in")
    reads(page, "Set up your second factor")
    both(page, f"{name}-2-factor")
    hand.fields += 1
    page.get_by_role("textbox").fill(code(page.locator("main b.num").inner_text()))
    hand.press("Turn it on")
    both(page, f"{name}-3-codes")
    hand.follow("I have kept them, go on")
    return hand


def test_new_practice_sends_its_first_invitation_within_a_quarter_of_an_hour(
    window: Window, both: Look, postbox: Postbox, house: Practice
) -> None:
    """Feature O7: the list leads from step to step, and nothing needs a shell after first_admin."""
    link, began = first_link(), time.monotonic()
    page = window(DESK)
    hand = arrive(page, link, "rosa@cedar.example", both, "first")
    on(page, "/practice/")
    main = page.get_by_role("main")
    expect(main).to_contain_text("6 things are missing before you can open.")
    both(page, "first-4-list")

    hand.follow("Set up: Name, phone and hours")
    expect(page.get_by_label("Hours, in words")).to_have_value("weekdays 8 am to 5 pm")
    both(page, "first-5-settings")
    hand.write("Name of the practice", "Cedar House")
    hand.write("Phone", "202 555 0142")
    hand.tick(page.get_by_label("An answer on a form does not call the police or an ambulance. This is true here."))
    hand.press("Save")
    both(page, "first-6-list")

    hand.follow("Set up: People")
    both(page, "first-7-people")
    hand.follow("Invite somebody")
    expect(page.get_by_role("checkbox", name="Main office")).to_be_checked()
    hand.write("Name", "Maya Torres")
    hand.write("E-mail", "maya@cedar.example")
    for role in ("Therapist", "Supervisor"):
        hand.tick(page.get_by_label(role, exact=True))
    both(page, "first-8-invite")
    hand.press("Send the invitation")
    hand.follow("On call", main)
    both(page, "first-9-on-call")
    hand.press("Put on call the whole week")
    expect(main).to_contain_text("Somebody is on call at every hour of the week.")
    both(page, "first-10-on-call")
    hand.follow("Drill", main)
    hand.press("Start a drill")
    both(page, "first-11-drill")

    maya = User.objects.get(email="maya@cedar.example")
    own = window(DESK)
    theirs = colleague(own, maya, postbox, both)

    page.goto("/practice/")
    expect(main).to_contain_text("Ready to open.")
    both(page, "first-12-ready")
    hand.follow("Invite your first client")
    expect(page.get_by_label("Therapist", exact=True)).to_have_value(str(maya.pk))
    hand.write("Name used", "Sam Whitehorse")
    page.locator("input[name=email]").fill("sam@example.net")
    hand.fields += 1
    both(page, "first-13-client")
    hand.press("Send the invitation")
    expect(main).to_contain_text("Sent to Sam Whitehorse.")
    both(page, "first-14-sent")
    took = time.monotonic() - began

    assert "/p/" in text_of(newest(postbox, ""))
    sam = Client.objects.get()
    assert Invitation.objects.get().client == sam
    assert coverage.gaps(coverage.shifts()) == []
    assert [site.zone for site in Site.objects.all()] == [Practice.get().zone]
    assert hand.clicks <= ADMIN_CLICKS, hand.clicks
    assert hand.fields <= ADMIN_FIELDS, hand.fields
    assert theirs.clicks <= COLLEAGUE_CLICKS, theirs.clicks
    assert theirs.fields <= COLLEAGUE_FIELDS, theirs.fields
    assert took < MACHINE_S


def colleague(page: Page, maya: User, postbox: Postbox, both: Look) -> Hand:
    """Their own link, the drill that waits for them, and the signature."""
    found = re.search(r"https?://\S+?(/account/\S+)", text_of(newest(postbox, "Cedar House")))
    assert found
    hand = arrive(page, found[1], maya.email, both, "colleague")
    on(page, "/caseload/")
    both(page, "colleague-4-caseload")
    page.goto("/messages/")
    both(page, "colleague-messages")
    hand.follow("Alerts")
    both(page, "colleague-5-alerts")
    hand.follow(re.compile("^Open"), page.get_by_role("main"))
    hand.press("Acknowledge the drill")
    page.goto("/caseload/")
    hand.follow("Read and sign")
    both(page, "colleague-6-sign")
    for part in PARTS:
        panel = page.get_by_role("region").filter(has=page.locator(f"#{part}"))
        hand.write(re.compile("In your words"), "I have read it and agree that it is used here.", panel)
        hand.press(re.compile("^Sign: "), panel)
        expect(page.get_by_text("Signed.", exact=True)).to_be_visible()
    return hand


def test_every_main_page_of_a_new_practice_says_what_will_be_there(
    window: Window, both: Look, postbox: Postbox, house: Practice
) -> None:
    """Feature O7: nothing is bare or misleading before the first client."""
    page = window(DESK)
    arrive(page, first_link(), "rosa@cedar.example", both, "empty")
    for path in EMPTY:
        page.goto(path)
        both(page, f"empty{path.replace('/', '-')}")
    page.goto("/caseload/")
    press_on = page.get_by_role("main").get_by_role("link", name="See what is left")
    expect(press_on).to_be_visible()
    page.goto("/clients/new/")
    expect(page.get_by_role("main")).to_contain_text("Nobody is a therapist yet")
