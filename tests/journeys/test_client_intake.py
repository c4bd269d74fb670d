"""The client, on a phone: from the link to "Maya has your answers" (browser checks 2, 3, 4, 6, 7, 8, 9, 10, 20)."""

import re

import pytest
from playwright.sync_api import expect

from intake import actions
from practice.models import Client, User
from tests.journeys.conftest import DESK, PHONE, Look, Window, sideways, wide
from tests.journeys.walking import answer, back, begun, choose, come_in, follow, invited, on, press, reads, say

SAVED = re.compile(r"Saved at \d{1,2}:\d\d [ap]m\.")

pytestmark = pytest.mark.usefixtures("on_call")


def test_client_walks_from_the_link_to_the_first_questions_in_the_words_of_the_page(
    window: Window, look: Look, sam: Client
) -> None:
    page = window()
    page.goto(invited(sam).path)
    look(page, "client-01-link")
    reads(page, "Cedar House has forms for you")
    press(page, "Continue")
    look(page, "client-02-before")
    press(page, "Start")
    look(page, "client-03-code")
    press(page, "I have written it down")
    reads(page, "How is it safe for us to reach you?")
    look(page, "client-04-reach")
    choose(page, "Text message")
    choose(page, "E-mail")
    press(page, "Continue")
    page.get_by_label("Phone").fill("555 0142")
    press(page, "Continue")
    choose(page, "My text messages")
    press(page, "Continue")
    page.get_by_label("State").select_option("New York")
    look(page, "client-05-place")
    press(page, "Continue")
    say(page, "I am, about myself")
    look(page, "client-06-safe-now")
    say(page, "Yes, I am safe")
    page.get_by_label("Name you go by").fill("Sam")
    page.get_by_label("Legal name").fill("Samuel Whitehorse")
    look(page, "client-07-names")
    press(page, "Continue")
    page.get_by_label("Which pronouns do you use?").fill("he/him")
    press(page, "Continue")
    for part, number in (("Month", "3"), ("Day", "8"), ("Year", "1993")):
        page.get_by_label(part).fill(number)
    look(page, "client-08-born")
    press(page, "Continue")
    press(page, "Continue")
    look(page, "client-09-emergency")
    press(page, "Skip: I would rather talk about this")
    page.get_by_label("Name").fill("Lee")
    page.get_by_label("Phone").fill("555 0177")
    choose(page, "Friend")
    press(page, "Continue")
    say(page, "Feeling low or hopeless")
    page.get_by_role("textbox").fill("It has been hard since March.")
    look(page, "client-10-story")
    press(page, "Continue")
    reads(page, "What do you hope will change?")


def test_help_is_third_by_tab_and_in_sight_on_every_client_page(window: Window, sam: Client) -> None:
    """Browser check 2: skip link, brand, help; in sight wherever the page is scrolled to."""
    page = come_in(window(), begun(sam))
    for place in ("/my/q/phq-9--9/", "/my/q/story/", "/my/q/agreement--treatment/", "/my/check/", "/my/later/", "/my/"):
        page.goto(place)
        stops = []
        for _ in range(3):
            page.keyboard.press("Tab")
            stops.append(page.evaluate("document.activeElement.className.split(' ')[0]"))
        assert (place, stops) == (place, ["skip", "c-brand", "help-btn"])
        for share in (0.5, 1):
            page.evaluate("share => window.scrollTo(0, document.body.scrollHeight * share)", share)
            box = page.locator(".help-btn").bounding_box()
            assert box is not None and 0 <= box["y"] < 100, place


def test_help_sheet_opens_in_place_and_changes_nothing(window: Window, look: Look, sam: Client) -> None:
    """Browser check 3: help on question 3, Escape, back on the control with the answer as it was."""
    page = come_in(window(), begun(sam, "phq-9--3"))
    choose(page, "More than half the days")
    follow(page, "I need help now")
    expect(page.get_by_role("dialog", name="Help is here now")).to_be_visible()
    look(page, "client-11-help-sheet")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    assert page.evaluate("document.activeElement.className") == "help-btn"
    expect(page.get_by_label("More than half the days")).to_be_checked()


def test_answer_is_saved_when_it_is_chosen_and_still_there_after_a_reload(
    window: Window, look: Look, sam: Client
) -> None:
    """Browser check 4: "Saved at h:mm" within a second; reload, still chosen."""
    sitting = begun(sam, "phq-9--4")
    page = come_in(window(), sitting)
    choose(page, "Several days")
    expect(page.get_by_role("status")).to_have_text(SAVED, timeout=1000)
    look(page, "client-12-saved")
    assert actions.replies_of(sitting)["phq-9--4"].value == 1
    page.reload()
    expect(page.get_by_label("Several days")).to_be_checked()
    expect(page.get_by_role("status")).to_have_text(SAVED)


def test_continue_without_an_answer_says_so_twice(window: Window, look: Look, sam: Client) -> None:
    """Browser check 6: the title, the summary with focus, its link to the first answer, the same words twice."""
    page = come_in(window(), begun(sam, "phq-9--3"))
    press(page, "Continue")
    expect(page).to_have_title(re.compile("^Error: "))
    look(page, "client-13-error")
    words = "Choose the answer that fits best, or skip the question."
    summary = page.locator(".err-summary")
    expect(summary).to_be_focused()
    assert (summary.locator("li").inner_text(), page.locator(".field .err").inner_text()) == (words, f"Error:\n{words}")
    summary.get_by_role("link", name=words).click()
    expect(page.get_by_label("Not at all")).to_be_focused()


def test_skipped_question_goes_on_and_stands_on_the_check_page(window: Window, look: Look, sam: Client) -> None:
    """Browser check 7: Skip on item 5 lands on item 6; the check page says what skipping means."""
    sitting = begun(sam, "phq-9--5")
    page = come_in(window(), sitting)
    press(page, "Skip: I would rather talk about this")
    on(page, "/my/q/phq-9--6/")
    answer(sitting)
    page.goto("/my/check/")
    look(page, "client-14-check")
    expect(page.locator("dl.sum > div").filter(has_text="Visits by phone or video").get_by_role("link")).to_have_text(
        "Read Visits by phone or video"
    )
    row = page.locator("dl.sum > div").filter(has_text="Poor appetite or overeating")
    born = page.locator("dl.sum > div").filter(has_text="When were you born?")
    expect(born.locator("dd").first).to_have_text("Mar 8, 1993")
    expect(row.locator("dd").first).to_have_text("Skipped: you would like to talk about this in person")


def test_back_shows_the_question_before_with_its_answer(window: Window, sam: Client) -> None:
    """Browser check 8: the browser's Back after item 6 shows item 5 with its answer."""
    page = come_in(window(), begun(sam, "phq-9--5"))
    say(page, "Nearly every day")
    say(page, "Several days")
    on(page, "/my/q/phq-9--7/")
    back(page)
    expect(page.get_by_label("Several days")).to_be_checked()
    back(page)
    on(page, "/my/q/phq-9--5/")
    expect(page.get_by_label("Nearly every day")).to_be_checked()


def test_client_goes_on_another_device_where_they_stopped(window: Window, look: Look, sam: Client) -> None:
    """Browser check 9: the browser is closed at item 5; the link and the code on a laptop lead to item 6."""
    sitting = begun(sam, "phq-9--4")
    phone = come_in(window(), sitting)
    say(phone, "Nearly every day")
    choose(phone, "Several days")
    expect(phone.get_by_role("status")).to_have_text(SAVED)
    phone.context.close()
    laptop = window({"width": 1440, "height": 900})
    laptop.goto(sitting.invitation.path)
    press(laptop, "Continue")
    look(laptop, "client-15-code")
    laptop.get_by_label("Your code").fill("WRNG-CODE")
    press(laptop, "Open my answers")
    expect(laptop).to_have_title(re.compile("^Error: "))
    look(laptop, "client-16-wrong-code")
    laptop.get_by_label("Your code").fill(actions.return_code(sitting).lower().replace("-", " "))
    press(laptop, "Open my answers")
    laptop.wait_for_url("**/my/q/phq-9--6/")
    look(laptop, "client-17-laptop")
    laptop.goto("/my/q/phq-9--4/")
    expect(laptop.get_by_label("Nearly every day")).to_be_checked()
    laptop.goto("/my/q/phq-9--5/")
    expect(laptop.get_by_label("Several days")).to_be_checked()


def test_item_nine_says_what_an_answer_does_before_it_asks(window: Window, look: Look, sam: Client) -> None:
    """Browser check 10: 988 and "does not call the police or an ambulance" stand above the question."""
    page = come_in(window(), begun(sam, "phq-9--9"))
    look(page, "client-18-item9")
    question = page.get_by_role("heading", level=1).bounding_box()
    for words in ("Your answer does not call the police or an ambulance.", "We ask everyone this next question."):
        said = page.get_by_text(words).bounding_box()
        assert said and question and said["y"] + said["height"] <= question["y"], words
    call = page.locator("main").get_by_role("link", name="Call 988")
    above = call.bounding_box()
    assert above and question and above["y"] + above["height"] <= question["y"]
    assert call.get_attribute("href") == "tel:988"


@pytest.mark.parametrize("place", ["phq-9--9", "story", "birth-date", "agreement--treatment", "trials"])
def test_question_reflows_at_320_and_double_text(window: Window, sam: Client, place: str) -> None:
    """Browser check 20: 200 % text at 320 px: no sideways scroll, nothing cut, Continue within reach."""
    page = come_in(window({"width": 320, "height": 640}), begun(sam, "phq-9--1"))
    page.goto(f"/my/q/{place}/")
    page.evaluate("document.documentElement.style.fontSize = '200%'")
    assert wide(page) == []
    assert sideways(page) == 0
    button = page.get_by_role("button", name=re.compile("Continue|Sign and continue"))
    button.scroll_into_view_if_needed()
    box = button.bounding_box()
    assert box and box["x"] >= 0 and box["x"] + box["width"] <= 320


def test_client_stops_and_reads_how_to_come_back(window: Window, look: Look, sam: Client) -> None:
    sitting = begun(sam, "gad-7--2")
    page = come_in(window(), sitting)
    follow(page, "Stop and finish later")
    look(page, "client-19-later")
    expect(page.get_by_text(actions.return_code(sitting))).to_be_visible()
    press(page, "Stop and lock this page")
    reads(page, "You can close this page now")
    look(page, "client-20-stopped")
    back(page)
    on(page, "/my/locked/")
    page.goto("/my/q/gad-7--2/")
    on(page, "/my/locked/")


@pytest.mark.parametrize("size", [PHONE, DESK], ids=["phone", "desk"])
def test_client_signs_checks_sends_and_gets_copies(
    window: Window, look: Look, sam: Client, maya: User, size: dict[str, int]
) -> None:
    sitting = begun(sam, "agreement--treatment")
    page = come_in(window(size), sitting)
    look(page, "client-21-agreement")
    press(page, "Sign and continue")
    expect(page.locator(".err-summary")).to_be_focused()
    look(page, "client-22-agreement-error")
    for box in page.get_by_role("checkbox").all():
        box.check()
    page.get_by_label("Type your full name to sign").fill("Samuel Whitehorse")
    press(page, "Sign and continue")
    answer(sitting)
    page.goto("/my/check/")
    look(page, "client-14-check")
    expect(page.locator("dl.sum > div").filter(has_text="Visits by phone or video").get_by_role("link")).to_have_text(
        "Read Visits by phone or video"
    )
    row = page.locator("dl.sum > div").filter(has_text="What do you hope will change?")
    row.get_by_role("link", name="Change").click()
    look(page, "client-23-change")
    page.get_by_role("textbox").fill("To sleep, and to sing again.")
    press(page, "Continue")
    on(page, "/my/check/")
    expect(row).to_contain_text("To sleep, and to sing again.")
    press(page, "Send my answers to Maya")
    reads(page, "Maya has your answers")
    look(page, "client-24-done")
    copies = page.get_by_role("region", name="Your copies").get_by_role("link")
    with page.expect_download() as arriving:
        copies.first.click()
    assert arriving.value.path().read_bytes()[:5] == b"%PDF-"
    back(page)
    expect(page.get_by_text("To sleep, and to sing again.")).to_have_count(0)
    stranger = window()
    stranger.goto(sitting.invitation.path)
    press(stranger, "Continue")
    look(stranger, "client-25-receipt")
    reads(stranger, "Maya has your answers")
    assert "sing again" not in stranger.content()


def test_check_page_leads_to_what_is_still_missing(window: Window, look: Look, sam: Client) -> None:
    sitting = begun(sam, "pronouns", names=None)
    page = come_in(window(), sitting)
    page.goto("/my/check/")
    look(page, "client-26-check-missing")
    expect(page.get_by_role("button", name=re.compile("^Send my answers"))).to_have_count(0)
    page.get_by_role("link", name="Write the name you go by, and your legal name.").click()
    page.get_by_label("Name you go by").fill("Sam")
    page.get_by_label("Legal name").fill("Samuel Whitehorse")
    press(page, "Continue")
    on(page, "/my/check/")
    expect(page.get_by_role("link", name="Write the name you go by, and your legal name.")).to_have_count(0)
