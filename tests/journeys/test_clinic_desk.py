"""The coordinator at a clinic: no account, a mailbox whose scanner opens every link (journeys.md, script 4)."""

import re
import time
import urllib.request
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from practice.models import Client, Practice, User
from referrals.actions import letters, releases
from referrals.models import CourseSession, Destination, Referral, StatusChange
from referrals.states import State
from tests.journeys.conftest import DESK, PHONE, Look, Window
from tests.journeys.mailbox import code_in, come_in, link_in, newest, text_of
from tests.journeys.walking import follow, press, reads
from tests.referrals import cases
from tests.referrals.desks import went_out
from tests.system.conftest import Postbox

pytestmark = pytest.mark.story
FIRST_RECEIPT_S, TICK_S, TOLD_S = 60, 10, 5


@pytest.fixture
def northlake(house: Practice) -> Destination:
    house.fax = "555 0119"
    house.save()
    return cases.clinic()


@pytest.fixture
def sent(up: str, sam: Client, maya: User, northlake: Destination) -> Referral:
    cases.whole_record(sam, maya, timezone.now())
    cases.released(sam, northlake)
    return went_out(sam, maya, northlake)


def mark_done(page: Page, number: int) -> None:
    page.get_by_role("button", name=re.compile(rf"^Mark done\W+Infusion {number}$")).click()


def scanned(url: str, method: str) -> int:
    with urllib.request.urlopen(urllib.request.Request(url, method=method)) as answer:
        return int(answer.status)


def test_first_receipt_sessions_and_the_letter(
    window: Window,
    staff_window: Window,
    look: Look,
    up: str,
    postbox: Postbox,
    sent: Referral,
    maya: User,
    tmp_path: Path,
) -> None:
    """Script 4, steps 1 to 6; ux checks 37 and 38; the clinic's half of "Done when"."""
    mail = newest(postbox, "Referral from Cedar House")
    assert [part.get_content_type() for part in mail.walk()][1:] == ["text/plain", "text/html"]
    assert [w for w in ("Sam", "Whitehorse", "ketamine", "infusion") if w.lower() in mail.as_string().lower()] == []
    assert ("555 0110" in text_of(mail), "555 0119" in text_of(mail), sent.reference in text_of(mail)) == (True,) * 3
    link = link_in(mail)
    assert [scanned(up + link, how) for how in ("HEAD", "GET") * 5] == [200] * 10
    sent.refresh_from_db()
    assert (sent.opened_at, sent.state) == (None, State.SENT)

    page = window(DESK)
    began = time.monotonic()
    page.goto(link)
    reads(page, "A referral from Cedar House")
    assert "Sam" not in page.content()
    press(page, "Send me a code")
    code = code_in(newest(postbox, "Your code"))
    page.get_by_label("Code", exact=True).fill(code)
    press(page, "Open the referral")
    reads(page, "Referral for ketamine infusion assessment")
    assert link.strip("/").split("/")[1] not in page.url + page.evaluate("document.referrer")
    press(page, "Only mark as received")
    expect(page.get_by_text("Marked as received.").first).to_be_visible()
    assert time.monotonic() - began < FIRST_RECEIPT_S
    look(page, "desk-answer")
    sent.refresh_from_db()
    assert (sent.state, sent.received_at is None, sent.opened_at is None) == (State.SENT, False, False)

    today = timezone.localtime(timezone.now(), ZoneInfo(Practice.get().zone))
    page.get_by_label("First visit, if you know it").fill(today.strftime("%Y-%m-%dT00:30"))
    page.get_by_label("Your name").first.fill("Maria Lopez")
    press(page, "Send answer")
    reads(page, "Sam Whitehorse (he/him): 0 of 6 infusions done")
    look(page, "desk-sessions")
    sent.refresh_from_db()
    assert sent.state == State.SCHEDULED
    chart = staff_window(maya)
    began = time.monotonic()
    chart.goto(sent.get_absolute_url())
    expect(chart.get_by_text("Maria Lopez").first).to_be_visible()
    expect(chart.get_by_text(re.compile("Visit booked")).first).to_be_visible()
    assert time.monotonic() - began < TOLD_S
    assert sent.reference in str(newest(postbox, "Update on reference")["Subject"])

    began = time.monotonic()
    mark_done(page, 1)
    reads(page, "Sam Whitehorse (he/him): 1 of 6 infusions done")
    assert time.monotonic() - began < TICK_S
    expect(page.get_by_text("Infusion 1 is marked done for")).to_be_visible()
    look(page, "desk-done")
    press(page, "Undo")
    reads(page, "Sam Whitehorse (he/him): 0 of 6 infusions done")
    mark_done(page, 1)
    reads(page, "Sam Whitehorse (he/him): 1 of 6 infusions done")

    follow(page, "Send the letter and complete")
    look(page, "desk-letter")
    letter = tmp_path / "outcome.pdf"
    letter.write_bytes(b"%PDF-1.4\n1 0 obj<</Type/Catalog/OpenAction<</S/JavaScript/JS(app.alert(1))>>>>endobj\n%%EOF")
    page.get_by_label("Or choose a file").set_input_files(letter)
    press(page, "Send letter")
    expect(page.get_by_text("the referral is complete").first).to_be_visible()
    sent.refresh_from_db()
    assert sent.state == State.COMPLETED
    assert bytes(sent.letters.get().body) == letter.read_bytes()
    expect(page.get_by_text("Arrived, not read yet.")).to_be_visible()
    letters.mark_read(by=maya, letter=sent.letters.get(), at=timezone.now())
    page.reload()
    expect(page.get_by_text("Maya has read your letter.")).to_be_visible()
    look(page, "desk-complete")


@pytest.mark.parametrize(("size", "dark"), [(PHONE, False), (PHONE, True), (DESK, True)])
def test_every_page_of_the_desk_is_read_by_everyone(
    window: Window, look: Look, postbox: Postbox, sent: Referral, size: dict[str, int], dark: bool
) -> None:
    """Ux check 40 on the clinic's pages, on a phone and in the dark."""
    tone = "dark" if dark else "light"
    page = window(size, dark=dark)
    link = link_in(newest(postbox, "Referral from"))
    page.goto("/r/not-a-link/")
    look(page, f"desk-old-{tone}")
    page.goto(link)
    look(page, f"desk-open-{tone}")
    press(page, "Send me a code")
    look(page, f"desk-code-{tone}")
    page.get_by_label("Code", exact=True).fill("123")
    press(page, "Open the referral")
    look(page, f"desk-code-wrong-{tone}")
    page.get_by_label("Code", exact=True).fill(code_in(newest(postbox, "Your code")))
    press(page, "Open the referral")
    reads(page, "Referral for ketamine infusion assessment")
    look(page, f"desk-f1-{tone}")
    page.get_by_label("No, decline").check()
    press(page, "Send answer")
    expect(page.get_by_role("alert")).to_contain_text("Choose a reason for declining.")
    look(page, f"desk-f1-error-{tone}")
    page.get_by_label("Yes, accept").check()
    press(page, "Send answer")
    press(page, "Fill 6 dates (Tue, Thu, Sat)")
    expect(page.get_by_text("6 dates are filled")).to_be_visible()
    look(page, f"desk-f2-{tone}")
    for name in ("safety", "letter", "pass", "packet"):
        page.goto(f"/desk/{sent.pk}/{name}/")
        look(page, f"desk-{name}-{tone}")
    page.goto(f"/desk/{sent.pk}/safety/")
    press(page, "Send the report")
    look(page, f"desk-safety-error-{tone}")
    for name in ("", "pin/", "mail/"):
        page.goto(f"/desk/{name}")
        look(page, f"desk-list-{name.strip('/')}-{tone}")


def test_expired_link_and_a_link_taken_back(
    window: Window, look: Look, postbox: Postbox, sent: Referral, sam: Client
) -> None:
    """Ux checks 19 and 39: one press brings a new link; a release taken back stops the open page at once."""
    old = link_in(newest(postbox, "Referral from"))
    Referral.objects.update(link_expires_at=timezone.now())
    page = window()
    page.goto(old)
    assert "Sam" not in page.content()
    press(page, "Send me a new link")
    reads(page, "Look in your mail")
    look(page, "desk-new-link")
    come_in(page, link_in(newest(postbox, "A link for reference")), postbox)
    reads(page, "Referral for ketamine infusion assessment")
    began = time.monotonic()
    releases.revoke(by=sam, release=sent.release, at=timezone.now())
    page.reload()
    reads(page, "Cedar House has taken this back")
    assert time.monotonic() - began < TOLD_S
    assert "Sam" not in page.content()
    look(page, "desk-taken-back")


def test_keys_alone_reach_the_answer(window: Window, postbox: Postbox, sent: Referral) -> None:
    """From the mail to the answer without a mouse."""
    page = window(DESK)
    page.goto(link_in(newest(postbox, "Referral from")))
    page.get_by_label("m•••@northlake.example").focus()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("/desk/code/"))
    page.get_by_label("Code", exact=True).focus()
    page.keyboard.type(code_in(newest(postbox, "Your code")))
    page.keyboard.press("Enter")
    reads(page, "Referral for ketamine infusion assessment")
    page.get_by_label("Yes, accept").focus()
    page.keyboard.press("ArrowDown")
    expect(page.get_by_label("Need to know more")).to_be_checked()
    page.keyboard.press("ArrowUp")
    page.get_by_label("Your name").first.focus()
    page.keyboard.press("Enter")
    reads(page, "Sam Whitehorse (he/him): 0 of 6 infusions done")


def test_desk_without_script(window: Window, postbox: Postbox, sent: Referral) -> None:
    page = window(DESK, script=False)
    come_in(page, link_in(newest(postbox, "Referral from")), postbox)
    page.get_by_label("Need to know more").check()
    page.get_by_label("Message to Maya").fill("When was the last ECG?")
    press(page, "Send answer")
    expect(page.get_by_text("Maya has your question.")).to_be_visible()
    expect(page.get_by_text("When was the last ECG?")).to_be_visible()
    page.get_by_label("Yes, accept").check()
    press(page, "Send answer")
    reads(page, "Sam Whitehorse (he/him): 0 of 6 infusions done")
    assert StatusChange.objects.filter(referral=sent).values_list("target", flat=True).last() == State.ACCEPTED
    assert CourseSession.objects.filter(course__referral=sent).count() == 0


def test_words_on_a_page_that_locks_come_back_after_the_code(window: Window, postbox: Postbox, sent: Referral) -> None:
    """Security check 72: what was typed on an idle page is neither lost nor sent."""
    page = window(DESK)
    come_in(page, link_in(newest(postbox, "Referral from")), postbox)
    page.clock.install()
    page.reload()
    page.get_by_label("Message to Maya").fill("She asked us to call after six.")
    page.clock.run_for("15:10")
    expect(page.get_by_text("What you typed is kept on this page")).to_be_visible()
    expect(page.get_by_text("She asked us to call after six.")).to_have_count(0)
    assert sent.messages.count() == 0
    press(page, "Send me another code")
    page.get_by_label("Code", exact=True).fill(code_in(newest(postbox, "Your code")))
    press(page, "Open the referral")
    reads(page, "What you typed is still here")
    page.get_by_text("Show what I wrote").click()
    expect(page.get_by_text("She asked us to call after six.")).to_be_visible()
