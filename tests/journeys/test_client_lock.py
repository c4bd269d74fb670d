"""A phone without a network, and a phone left on the table (browser checks 5 and 18)."""

import re
from datetime import timedelta

import pytest
import time_machine
from django.utils import timezone
from playwright.sync_api import expect

from intake import actions
from practice.models import Client
from tests.journeys.conftest import Look, Window
from tests.journeys.walking import begun, choose, come_in, on, press, reads

SAVED = re.compile(r"Saved at \d{1,2}:\d\d [ap]m\.")

pytestmark = pytest.mark.usefixtures("on_call")


def test_answer_given_offline_is_saved_when_the_network_is_back(window: Window, look: Look, sam: Client) -> None:
    """Browser check 5: "Not saved yet", then "Saved at" without a reload."""
    sitting = begun(sam, "phq-9--4")
    page = come_in(window(), sitting)
    choose(page, "Several days")
    expect(page.get_by_role("status")).to_have_text(SAVED)
    page.evaluate("window.sameDocument = true")
    page.context.set_offline(True)
    choose(page, "Nearly every day")
    expect(page.get_by_role("status")).to_have_text("Not saved yet. Check your connection; we will keep trying.")
    look(page, "lock-01-offline")
    assert actions.replies_of(sitting)["phq-9--4"].value == 1
    page.context.set_offline(False)
    expect(page.get_by_role("status")).to_have_text(SAVED)
    assert page.evaluate("window.sameDocument") is True
    assert actions.replies_of(sitting)["phq-9--4"].value == 3


def test_page_left_alone_locks_by_itself_and_the_code_opens_the_same_question(
    window: Window, look: Look, sam: Client
) -> None:
    """Browser check 18: a polite line at 13 minutes, the locked page at 15, and back to where it was."""
    sitting = begun(sam, "phq-9--6")
    page = come_in(window(), sitting)
    page.clock.install()
    page.reload()
    choose(page, "Several days")
    page.clock.run_for(2000)
    expect(page.get_by_role("status").filter(has_text=SAVED)).to_be_visible()
    page.clock.run_for("13:10")
    expect(page.get_by_text("This page will lock in 2 minutes to keep it private.")).to_be_visible()
    look(page, "lock-02-soon")
    page.clock.run_for("02:10")
    on(page, "/my/locked/")
    reads(page, "We locked this page to keep it private. Your answers are saved.")
    look(page, "lock-03-locked")
    page.go_back()
    page.wait_for_load_state()
    expect(page.get_by_text("Feeling bad about yourself")).to_have_count(0)
    page.goto("/my/locked/")
    page.get_by_label("Your code").fill(actions.return_code(sitting))
    press(page, "Open my answers")
    on(page, "/my/q/phq-9--7/")
    page.goto("/my/q/phq-9--6/")
    expect(page.get_by_label("Several days")).to_be_checked()


def test_server_locks_after_fifteen_minutes_but_keeps_what_is_sent_then(window: Window, sam: Client) -> None:
    """Browser check 18, without a word of script: the answer is kept, the page is not shown."""
    sitting = begun(sam, "story")
    page = come_in(window(script=False), sitting)
    page.get_by_role("textbox").fill("Written slowly, with pauses.")
    with time_machine.travel(timezone.now() + timedelta(minutes=16)):
        press(page, "Continue")
        on(page, "/my/locked/")
        assert actions.replies_of(sitting)["story"].value == "Written slowly, with pauses."
        page.goto("/my/q/story/")
        on(page, "/my/locked/")
        page.get_by_label("Your code").fill(actions.return_code(sitting))
        press(page, "Open my answers")
        on(page, "/my/q/hopes/")


def test_five_wrong_codes_close_the_page_for_a_while_and_say_how_to_call(
    window: Window, look: Look, sam: Client
) -> None:
    sitting = begun(sam, "story")
    page = window()
    page.goto(sitting.invitation.path)
    press(page, "Continue")
    for _ in range(5):
        page.get_by_label("Your code").fill("AAAA-AAAA")
        press(page, "Open my answers")
        page.wait_for_load_state()
    look(page, "lock-04-shut")
    expect(page.get_by_text("There were too many tries.")).to_be_visible()
    expect(page.locator("main")).to_contain_text("555 0110")
    expect(page.get_by_label("Your code")).to_have_count(0)


def test_text_typed_just_before_the_page_goes_away_is_saved(window: Window, sam: Client) -> None:
    sitting = begun(sam, "story")
    page = come_in(window(), sitting)
    page.get_by_role("textbox").press_sequentially("It began in spring")
    page.goto("/who-sees-this/")
    for _ in range(30):  # the browser hands the words over while it leaves, and nobody waits for that
        if "story" in actions.replies_of(sitting):
            break
        page.wait_for_timeout(100)
    page.goto("/my/q/story/")
    expect(page.get_by_role("textbox")).to_have_value("It began in spring")
