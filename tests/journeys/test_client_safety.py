"""After a safety answer: help first, true words on who knows, and nothing that is lost (browser checks 10 to 16)."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.utils import timezone
from playwright.sync_api import Page, expect

from intake import actions, behalf
from practice import jobs
from practice.models import Client, CoverageShift, User
from tests.journeys.conftest import DESK, Look, Window
from tests.journeys.walking import back, begun, choose, come_in, follow, on, press, reads, say

SATURDAY_NIGHT = datetime(2026, 11, 22, 2, 42, tzinfo=UTC)  # Saturday 21:42 in New York
NOT_FOR_CLIENTS = re.compile(
    r"\b(risk|score[sd]?|moderate|severe|high|low|level|positive|negative|screen(er|ing)?|flag(ged)?|ideation"
    r"|PHQ|C-SSRS|SR-\d\d)\b",
    re.IGNORECASE,
)


def cssrs(page: Page, *answers: str) -> None:
    """Answer the further questions one by one, as the page asks them."""
    for n, label in enumerate(answers, 1):
        expect(page).to_have_url(re.compile(rf"/my/q/cssrs-screener-recent--{n}r?/$"))
        say(page, label)


@pytest.mark.usefixtures("on_call")
def test_item_nine_leads_to_help_before_any_other_question_and_to_the_therapists_list(
    window: Window, staff_window: Window, look: Look, sam: Client, maya: User
) -> None:
    """Browser checks 10 and 11: the honest preface, then 988 before anything else, and the flag on Maya's list."""
    page = come_in(window(), begun(sam, "phq-9--9"))
    expect(page.get_by_text("Your answer does not call the police or an ambulance.")).to_be_visible()
    say(page, "Several days")
    on(page, "/my/support/")
    look(page, "safety-01-bridge")
    reads(page, "Thank you for telling us")
    order = page.locator("main a, main button").evaluate_all("all => all.map(e => e.textContent.trim())")
    assert [words.startswith("Call 988") for words in order].index(True) == 0
    assert page.get_by_role("link", name="Call 988").first.get_attribute("href") == "tel:988"
    desk = staff_window(maya)
    desk.goto("/caseload/")
    look(desk, "safety-02-caseload")
    row = desk.get_by_role("row").filter(has_text="Sam Whitehorse")
    expect(row).to_contain_text("Item 9 positive.")
    expect(desk.get_by_text("1 needs you now.")).to_be_visible()
    follow(page, "Go on")
    expect(page).to_have_url(re.compile(r"/my/q/cssrs-screener-recent--1/$"))
    look(page, "safety-03-cssrs")


@pytest.mark.usefixtures("on_call")
def test_page_after_the_safety_questions_names_no_score_and_no_level(window: Window, look: Look, sam: Client) -> None:
    """Browser check 12: C-SSRS 3 yes, 4 to 6 no, then the page with help; no verdict in its words or its source."""
    page = come_in(window(), begun(sam, "phq-9--9"))
    say(page, "Several days")
    follow(page, "Go on")
    cssrs(page, "Yes", "Yes", "Yes", "No", "No", "No")
    on(page, "/my/support/")
    look(page, "safety-04-page-b")
    reads(page, "Thank you for telling us")
    for words in ("Call 988", "Text 988", "Reach your own people", "What happens with your answers"):
        expect(page.locator("main")).to_contain_text(words)
    expect(page.locator("main")).to_contain_text("Maya and Omar (on call) were told at")
    assert NOT_FOR_CLIENTS.findall(page.locator("main").inner_text()) == []
    assert NOT_FOR_CLIENTS.findall(page.title()) == []
    page.set_viewport_size(DESK)
    look(page, "safety-04-page-b")
    follow(page, "I am OK to keep going")
    on(page, "/my/q/phq-9--10/")


@pytest.mark.usefixtures("on_call")
@pytest.mark.parametrize(
    ("answers", "title", "first"),
    [
        (("Yes", "Yes", "Yes", "Yes", "Yes", "No"), "Please talk to someone now", "Call 988"),
        (("Yes", "No", "No"), "Thank you for telling us", "Ask Maya to call me"),
    ],
    ids=["intent", "wish"],
)
def test_page_after_the_safety_questions_puts_first_what_helps_most(
    window: Window, look: Look, sam: Client, answers: tuple[str, ...], title: str, first: str
) -> None:
    page = come_in(window(), begun(sam, "phq-9--9"))
    say(page, "Nearly every day" if len(answers) > 3 else "Several days")
    follow(page, "Go on")
    for label in answers:
        say(page, label)
        page.wait_for_load_state()
    on(page, "/my/support/")
    look(page, f"safety-05-{first.replace(' ', '-').lower()}")
    reads(page, title)
    order = page.locator("main .call b").all_inner_texts()
    assert order[0] == first
    assert NOT_FOR_CLIENTS.findall(page.locator("main").inner_text()) == []


@pytest.mark.usefixtures("on_call")
def test_client_who_closes_the_tab_after_a_safety_answer_is_shown_as_having_left(
    window: Window, staff_window: Window, look: Look, sam: Client, maya: User
) -> None:
    """Browser check 13: the row says "left after a safety answer" and the answers so far can be read."""
    sitting = begun(sam, "phq-9--9")
    page = come_in(window(), sitting)
    say(page, "Several days")
    follow(page, "Go on")
    cssrs(page, "Yes", "Yes", "Yes")
    page.context.close()
    with time_machine.travel(timezone.now() + timedelta(minutes=16)):
        jobs.enqueue("watch_leaving")
        jobs.run_due()
        desk = staff_window(maya)
        desk.goto("/caseload/")
        row = desk.get_by_role("row").filter(has_text="Sam Whitehorse")
        expect(row).to_contain_text("C-SSRS moderate, item 9 positive. Left after a safety answer.")
        row.get_by_role("link", name="Sam Whitehorse").first.click()
        card = desk.get_by_role("region", name=re.compile("^Safety flag: "))
        expect(card).to_contain_text("Left after a safety answer")
        expect(card).to_contain_text("Have you been thinking about how you might do this?")
        look(desk, "safety-06-left")
        follow(desk, "Read all answers so far")
        look(desk, "safety-07-answers-so-far")
        expect(desk.locator("main")).to_contain_text("It has been hard since March.")
        back_in = come_in(window(), sitting)
        on(back_in, "/my/support/")
        reads(back_in, "Thank you for telling us")


def test_on_a_saturday_night_with_nobody_on_call_the_page_says_so(
    window: Window, look: Look, sam: Client, omar: User
) -> None:
    """Browser check 14: nobody may be watching, and the next working time with its day."""
    CoverageShift.objects.create(user=omar, weekday=1, starts="08:00", ends="17:00")
    with time_machine.travel(SATURDAY_NIGHT):
        page = come_in(window(), begun(sam, "phq-9--9"))
        say(page, "More than half the days")
        on(page, "/my/support/")
        said = page.get_by_role("region", name="What happens with your answers")
        look(page, "safety-08-saturday")
        assert said.get_by_role("listitem").all_inner_texts()[:4] == [
            "Maya was told at 9:42 pm.",
            "Nobody may be watching right now, so please use 988 or 911 first.",
            "The practice opens again on Mon Nov 23, 8:00 am.",
            "Maya reads your answers by Mon Nov 23, 12:00 pm.",
        ]


@pytest.mark.usefixtures("on_call")
def test_client_asks_for_a_call_and_takes_it_back(
    window: Window, staff_window: Window, look: Look, sam: Client, maya: User
) -> None:
    """Browser check 15: the page confirms with day and time, the chart shows it, the button turns into Cancel."""
    with time_machine.travel(SATURDAY_NIGHT):
        page = come_in(window(), begun(sam, "phq-9--9"))
        say(page, "Several days")
        on(page, "/my/support/")
        page.get_by_role("button", name=re.compile("^Ask Maya to call me")).click()
        on(page, "/my/call-me/")
        reads(page, "Maya will call you by Mon Nov 23, 12:00 pm")
        look(page, "safety-09-call-me")
        desk = staff_window(maya)
        desk.goto(sam.get_absolute_url())
        expect(desk.get_by_role("main")).to_contain_text("Asked for a call, Sat Nov 21, 9:42 pm")
        look(desk, "safety-10-call-on-chart")
        follow(page, "Go back to my answers")
        expect(page.get_by_role("button", name=re.compile("^Take back my request"))).to_be_visible()
        page.get_by_role("button", name=re.compile("^Take back my request")).click()
        reads(page, "Ask Maya to call me")
        expect(page.get_by_text("We took back your request for a call.")).to_be_visible()
        desk.reload()
        expect(desk.get_by_role("main")).to_contain_text("Took back the request for a call")
        expect(desk.get_by_role("main")).not_to_contain_text("Asked for a call,")


@pytest.mark.usefixtures("on_call")
@pytest.mark.parametrize("way", ["shift", "link"])
def test_leaving_quickly_blanks_the_screen_and_back_shows_nothing(
    window: Window, up: str, settings: Any, sam: Client, way: str
) -> None:
    """Browser check 16: Shift three times, a neutral site, and Back does not show answers."""
    settings.LEAVE_URL = f"{up.replace('localhost', '127.0.0.1')}/healthz"  # another origin, of this machine
    page = come_in(window(), begun(sam, "story"))
    page.goto("/my/q/concern/")
    page.goto("/my/q/story/")
    page.get_by_role("textbox").fill("It has been hard since March.")
    expect(page.get_by_role("status")).to_have_text(re.compile("^Saved at"))

    def leave() -> None:
        if way == "link":
            page.get_by_role("link", name="Leave this site quickly").click()
        else:
            for _ in range(3):
                page.keyboard.press("Shift")

    page.evaluate(
        "new MutationObserver(() => console.log('blank')).observe(document.documentElement, {attributes: true})"
    )
    with page.expect_console_message(lambda message: message.text == "blank"):  # before the network had its say
        leave()
    page.wait_for_url(settings.LEAVE_URL)
    back(page)
    page.wait_for_timeout(300)
    assert "hard since March" not in page.content()
    for place in ("/my/q/story/", "/my/q/concern/", "/my/check/"):
        page.goto(f"{up}{place}")
        on(page, "/my/locked/")
        assert "hard since March" not in page.content()


@pytest.mark.usefixtures("on_call")
def test_skipping_item_nine_is_kept_as_a_wish_to_talk(
    window: Window, staff_window: Window, look: Look, sam: Client, maya: User
) -> None:
    page = come_in(window(), begun(sam, "phq-9--9"))
    press(page, "Skip: I would rather talk about this")
    on(page, "/my/support/")
    reads(page, "That is all right")
    look(page, "safety-11-skipped")
    expect(page.get_by_role("link", name=re.compile("^Call 988")).first).to_be_visible()
    desk = staff_window(maya)
    desk.goto("/caseload/")
    row = desk.get_by_role("row").filter(has_text="Sam Whitehorse")
    expect(row).to_contain_text("A safety question was not answered.")


@pytest.mark.usefixtures("on_call")
def test_saying_where_one_is_reaches_the_flag(
    window: Window, staff_window: Window, look: Look, sam: Client, maya: User
) -> None:
    page = come_in(window(), begun(sam, "safe-now"))
    choose(page, "No")
    press(page, "Continue")
    on(page, "/my/support/")
    reads(page, "Please talk to someone now")
    look(page, "safety-12-not-safe")
    page.get_by_label("A place or an address").fill("On the bridge at Elm Street")
    press(page, "Add where I am")
    expect(page.locator("main")).to_contain_text("On the bridge at Elm Street")
    desk = staff_window(maya)
    desk.goto(sam.get_absolute_url())
    expect(desk.get_by_role("region", name=re.compile("^Safety flag: "))).to_contain_text("On the bridge at Elm Street")


@pytest.mark.usefixtures("on_call")
@pytest.mark.parametrize("script", [True, False], ids=["with script", "without"])
def test_page_that_was_taken_back_while_it_was_open_says_that_the_answer_reached_us(
    window: Window, staff_window: Window, both: Look, sam: Client, maya: User, script: bool
) -> None:
    """Law 1: the form is gone, what stands on the open page is heard, and help comes first."""
    sitting = begun(sam, "phq-9--9")
    page = come_in(window(script=script), sitting)
    actions.withdraw(by=maya, invitation=sitting.invitation, at=timezone.now())
    say(page, "More than half the days")
    on(page, "/my/locked/?heard=1")
    reads(page, "This page is closed. What you just sent reached us.")
    expect(page.get_by_role("link", name=re.compile("^Call 988")).first).to_be_visible()
    if script:
        both(page, "safety-13-heard")
    desk = staff_window(maya)
    desk.goto(sam.get_absolute_url())
    flag = desk.get_by_role("region", name="Safety flag: urgent")
    expect(flag).to_contain_text("More than half the days")


@pytest.mark.usefixtures("on_call")
def test_flag_says_that_staff_wrote_the_answer_down(staff_window: Window, both: Look, sam: Client, maya: User) -> None:
    at = timezone.now()
    sitting = behalf.begin(by=maya, client=sam, key="check-in", how="phone", at=at)
    page = actions.packet_of(sitting).by_slug["phq-9--9"]
    actions.save_answer(by=sam, sitting=sitting, page=page, value=2, at=at, entered_by=maya)
    desk = staff_window(maya)
    desk.goto(sam.get_absolute_url())
    flag = desk.get_by_role("region", name=re.compile("^Safety flag: "))
    expect(flag).to_contain_text("Said by phone, entered by Maya Torres")
    both(desk, "safety-14-entered")
