"""Staff sign-in: password and second factor, wrong codes, a lock that keeps what was typed (security check 62)."""

import hmac
import re
import struct
import time
from base64 import b32decode
from datetime import timedelta
from hashlib import sha1

import pytest
import time_machine
from django.utils import timezone
from playwright.sync_api import Page, expect

from practice.models import Client, Note, User
from tests.journeys.conftest import Look, Window
from tests.journeys.walking import follow, on, press, reads

PASSWORD = "correct horse battery"


def code(secret: str, step: int = 0) -> str:
    """What an authenticator app shows now, or some steps of 30 seconds later (RFC 6238)."""
    counter = struct.pack(">Q", int(time.time()) // 30 + step)
    mac = hmac.new(b32decode(secret), counter, sha1).digest()
    at = mac[-1] & 15
    return f"{(struct.unpack('>I', mac[at : at + 4])[0] & 0x7FFFFFFF) % 10**6:06d}"


def enter(page: Page, user: User, password: str = PASSWORD) -> None:
    page.get_by_label("E-mail").fill(user.email)
    page.get_by_label("Password").fill(password)
    press(page, "Sign in")


def set_up(page: Page, user: User) -> str:
    """Sign in for the first time and set up the app. Returns its secret."""
    page.goto("/")
    follow(page, "Sign in")
    enter(page, user)
    reads(page, "Set up your second factor")
    secret = page.locator("main b.num").inner_text()
    page.get_by_role("textbox").fill(code(secret))
    press(page, "Turn it on")
    reads(page, "Your recovery codes")
    return secret


def test_first_sign_in_goes_through_the_second_factor(window: Window, look: Look, maya: User) -> None:
    page = window()
    page.goto("/")
    follow(page, "Sign in")
    look(page, "sign-in-01")
    enter(page, maya, "wrong horse battery")
    expect(page).to_have_title(re.compile("^Error: "))
    look(page, "sign-in-02-wrong")
    wrong = page.locator(".err-summary").inner_text()
    assert "This e-mail and password do not go together. Check both." in wrong
    page.get_by_label("E-mail").fill("nobody@example.org")
    page.get_by_label("Password").fill(PASSWORD)
    press(page, "Sign in")
    expect(page.locator(".err-summary")).to_have_text(wrong)
    enter(page, maya)
    reads(page, "Set up your second factor")
    look(page, "sign-in-03-factor")
    page.goto("/caseload/")
    reads(page, "Set up your second factor")
    secret = page.locator("main b.num").inner_text()
    page.get_by_role("textbox").fill("000000" if code(secret) != "000000" else "111111")
    press(page, "Turn it on")
    expect(page).to_have_title(re.compile("^Error: "))
    expect(page.locator(".err-summary")).to_contain_text("This code does not fit.")
    look(page, "sign-in-04-wrong-code")
    page.get_by_role("textbox").fill(code(page.locator("main b.num").inner_text()))
    press(page, "Turn it on")
    reads(page, "Your recovery codes")
    look(page, "sign-in-05-recovery")
    follow(page, "I have kept them, go on")
    on(page, "/caseload/")


def test_second_device_needs_the_code_and_a_code_works_once(window: Window, look: Look, maya: User) -> None:
    secret = set_up(window(), maya)
    page = window()
    page.goto("/account/login/")
    enter(page, maya)
    reads(page, "Your second factor")
    look(page, "sign-in-06-code")
    expect(page.get_by_role("button", name="Use a security key or passkey")).to_have_count(0)  # she has none
    page.goto("/caseload/")
    reads(page, "Your second factor")
    seen = code(secret)
    page.get_by_role("textbox").fill(seen)
    press(page, "Sign in")
    on(page, "/caseload/")
    over_the_shoulder = window()
    over_the_shoulder.goto("/account/login/")
    enter(over_the_shoulder, maya)
    over_the_shoulder.get_by_role("textbox").fill(seen)
    press(over_the_shoulder, "Sign in")
    expect(over_the_shoulder).to_have_title(re.compile("^Error: "))


@pytest.mark.usefixtures("on_call")
def test_note_typed_while_the_page_locks_is_kept_and_sent_once(
    window: Window, look: Look, maya: User, sam: Client
) -> None:
    page = window({"width": 1440, "height": 900})
    secret = set_up(page, maya)
    page.goto(f"{sam.get_absolute_url()}notes/")
    page.get_by_role("textbox", name=re.compile("note", re.IGNORECASE)).first.fill("Sam sounded steadier today.")
    with time_machine.travel(timezone.now() + timedelta(minutes=16)):
        page.get_by_role("main").get_by_role("button", name=re.compile("^(Add|Save)")).first.click()
        expect(page).to_have_url(re.compile("/account/login/"))
        expect(page.get_by_text("We locked this page to keep it private.")).to_be_visible()
        look(page, "sign-in-07-locked")
        assert Note.objects.count() == 0
        enter(page, maya)
        page.get_by_role("textbox").fill(code(secret))
        press(page, "Sign in")
        reads(page, "Text we kept for you")
        look(page, "sign-in-08-kept")
        expect(page.get_by_text("Sam sounded steadier today.")).to_be_visible()
        press(page, "Send it again")
        expect(page).to_have_url(re.compile("/clients/"))
        assert [note.body for note in Note.objects.all()] == ["Sam sounded steadier today."]
        page.goto("/kept/")
        expect(page.get_by_text("Nothing is kept.")).to_be_visible()


def test_signing_out_leaves_nothing_behind_the_back_button(staff_window: Window, maya: User, sam: Client) -> None:
    """Security check 62: sign out, press Back, open the tab again: nothing of a client."""
    page = staff_window(maya)
    page.goto("/caseload/")
    page.get_by_role("link", name="Sam Whitehorse").first.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Sam Whitehorse")
    chart = page.url
    page.locator("details.acct summary").click()
    press(page, "Sign out")
    on(page, "/")
    page.go_back()
    page.wait_for_load_state()
    assert "Whitehorse" not in page.content()
    page.goto(chart)
    expect(page).to_have_url(re.compile("/account/login/"))
    assert "Whitehorse" not in page.content()
    again = page.context.new_page()
    again.goto(chart)
    assert "Whitehorse" not in again.content()
