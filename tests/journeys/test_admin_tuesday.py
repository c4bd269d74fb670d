"""The admin's Tuesday (journeys.md, script 3): steps 1 to 3 and 7, on both databases.

Step 4 is walked in test_agreements, step 5 in test_rule_tuning, step 6 in test_reports, the one who leaves in
test_handing_over.
"""

import re
import time
import zipfile
from pathlib import Path

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from practice import jobs
from practice.models import Client, User
from referrals.models import Referral
from tests import factories
from tests.journeys.conftest import DESK, Look, Window
from tests.journeys.mailbox import link_in, newest, text_of
from tests.journeys.walking import follow, press
from tests.referrals import cases
from tests.referrals.desks import went_out
from tests.system.conftest import Postbox

pytestmark = pytest.mark.story
INVITED_S, REPORT_S = 120, 2


@pytest.fixture
def came_back(postbox: Postbox, maya: User, on_call: User, sam: Client) -> Referral:
    """An urgent referral whose mail the clinic's server refused."""
    to = cases.clinic(email="m.lopes@northlake.example", accepts_suicidal=True)
    postbox.unknown.add(to.email)
    cases.whole_record(sam, maya, timezone.now())
    cases.released(sam, to)
    row = went_out(sam, maya, to, urgency="urgent", handed_off_at=timezone.now())
    jobs.run_due()
    return row


def test_admin_reads_where_referrals_stand_and_one_that_came_back_goes_out_again(
    window: Window, staff_window: Window, both: Look, postbox: Postbox, rosa: User, came_back: Referral
) -> None:
    """Steps 1 and 2."""
    page = staff_window(rosa)
    page.goto("/")
    began = time.monotonic()
    follow(page, "Reports")
    expect(page.get_by_role("link", name="Open Infusion referrals")).to_be_visible()
    assert time.monotonic() - began < REPORT_S
    page.goto("/referrals/")
    row = page.get_by_role("row").filter(has_text=came_back.reference)
    expect(row).to_contain_text("Came back: the mail server refused the address")
    both(page, "tuesday-referrals")
    row.get_by_role("link", name="Open").click()
    expect(page.get_by_role("region", name="To do for this referral")).to_contain_text("Call")
    both(page, "tuesday-came-back")
    again = page.locator("#resend")
    again.get_by_text("Send it again").first.click()
    again.get_by_label("Address of the clinic").fill("m.lopez@northlake.example")
    again.get_by_role("button", name="Send it again").click()
    mail = newest(postbox, "Urgent referral from Cedar House")
    assert mail["To"] == "m.lopez@northlake.example"
    page.reload()
    expect(page.get_by_role("region", name="Sent and received")).to_contain_text("m.lopez@northlake.example")
    both(page, "tuesday-sent-again")
    clinic = window()
    clinic.goto(f"/r/{came_back.token}/")
    expect(clinic.get_by_role("button", name="Send me a code")).to_have_count(0)
    clinic.goto(link_in(mail))
    expect(clinic.get_by_role("button", name="Send me a code")).to_be_visible()


def test_admin_invites_a_therapist_who_then_sees_their_own_clients_alone(
    window: Window, staff_window: Window, look: Look, both: Look, postbox: Postbox, rosa: User, sol: User, sam: Client
) -> None:
    """Step 3: under two minutes; the newcomer sees nobody until a client is given to them, and a page says so."""
    page, began = staff_window(rosa), time.monotonic()
    page.goto("/practice/")
    follow(page, "People")
    follow(page, "Invite somebody")
    page.get_by_label("Name", exact=True).fill("Nina Ash")
    page.get_by_label("E-mail", exact=True).fill("nina@cedar.example")
    page.get_by_label("Therapist", exact=True).check()
    page.get_by_role("group", name="Sites").get_by_role("checkbox").first.check()
    page.locator("select[name=supervisor]").select_option(label=sol.name)
    press(page, "Send the invitation")
    expect(page.get_by_role("row").filter(has_text="Nina Ash")).to_contain_text("Invited, not signed in yet")
    assert time.monotonic() - began < INVITED_S
    both(page, "tuesday-people")
    found = re.search(r"https?://\S+?(/\S+)", text_of(newest(postbox, "")))
    assert found
    theirs = window(DESK)
    theirs.goto(found[1])
    expect(theirs.get_by_role("heading", level=1)).to_be_visible()
    look(theirs, "tuesday-invited")
    nina = User.objects.get(email="nina@cedar.example")
    page.get_by_role("link", name="Nina Ash", exact=True).click()
    follow(page, "What Nina may do, and whom they see")
    expect(page.get_by_role("main")).to_contain_text("own clients")
    both(page, "tuesday-sees")
    factories.client(nina, "Ivo Larch")
    desk = staff_window(nina)
    desk.goto("/caseload/")
    expect(desk.get_by_role("link", name="Ivo Larch", exact=True)).to_be_visible()
    assert "Whitehorse" not in desk.content()
    gone = desk.goto(sam.get_absolute_url())
    assert gone is not None and gone.status == 404


def test_admin_takes_a_copy_of_everything(
    staff_window: Window, both: Look, postbox: Postbox, rosa: User, sam: Client
) -> None:
    """Step 7: one press, made in the background, with a notice."""
    page = staff_window(rosa)
    page.goto("/practice/export/")
    press(page, "Make a copy of everything")
    both(page, "tuesday-copy-waits")
    mail = newest(postbox, "copy")
    assert "Whitehorse" not in mail.as_string()
    page.reload()
    both(page, "tuesday-copy-there")
    with page.expect_download() as waiting:
        page.get_by_role("main").get_by_role("link", name=re.compile("Fetch|Download")).first.click()
    with zipfile.ZipFile(Path(waiting.value.path())) as held:
        assert held.testzip() is None
        assert {"README.txt", "manifest.json", "json/practice-client-0001.json"} <= set(held.namelist())
