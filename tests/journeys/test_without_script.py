"""The entire intake without a line of script: every page by its form, from the link to the receipt."""

import re

import pytest
from playwright.sync_api import Page, expect

from practice.models import Client
from tests.journeys.conftest import Window
from tests.journeys.walking import SAID, invited, on, press, reads

REQUIRED = {
    "contact": {"Phone": "555 0142"},
    "names": {"Name you go by": "Sam", "Legal name": "Samuel Whitehorse"},
    "birth-date": {"Month": "3", "Day": "8", "Year": "1993"},
}


@pytest.mark.usefixtures("on_call")
def test_whole_intake_is_walked_without_script(window: Window, sam: Client) -> None:
    page = window(script=False)
    page.goto(invited(sam).path)
    press(page, "Continue")
    press(page, "Start")
    press(page, "I have written it down")
    page.wait_for_url("**/my/q/**")
    seen: list[str] = []
    while found := re.search(r"/my/q/([\w-]+)/", page.url):
        assert found[1] not in seen
        seen.append(found[1])
        fill(page, found[1])
        page.get_by_role("button", name=re.compile("^(Continue|Sign and continue)$")).click()
        page.wait_for_url(lambda url, question=found[0]: question not in url)
        if page.url.endswith("/my/support/"):
            expect(page.get_by_role("link", name=re.compile("^Call 988")).first).to_be_visible()
            page.get_by_role("link", name=re.compile("^(Go on|I am OK to keep going)$")).click()
            page.wait_for_url(lambda url: not url.endswith("/my/support/"))
    on(page, "/my/check/")
    assert [
        section for section in ("cssrs-screener-recent--6r", "peg--3", "agreement--ketamine") if section not in seen
    ] == []
    press(page, "Send my answers to Maya")
    reads(page, "Maya has your answers")
    sitting = sam.intakes.get()
    assert sitting.submitted_at is not None
    assert sorted(sitting.assessments.values_list("instrument", flat=True)) == [
        "audit-c", "b-ipf", "cssrs-screener-recent", "gad-7", "pc-ptsd-5", "peg", "phq-9",
        "sisq-drug", "wbs-2",
    ]  # fmt: skip
    assert sam.alerts.get().is_open


def fill(page: Page, slug: str) -> None:
    """Give the first answer of everything; to item 9, the second."""
    for label, words in REQUIRED.get(slug, {}).items():
        page.get_by_label(label).fill(words)
    if slug == "place":
        page.get_by_label("State").select_option(SAID["place"]["state"])
    if slug == "phq-9--9":
        page.get_by_label("Several days").check()
        return
    if page.locator("#none").count():
        page.locator("#none").check()
        return
    for group in page.locator("main fieldset").all():
        boxes = group.locator("input[type=radio], input[type=checkbox]")
        if boxes.count():
            (boxes.last if slug.startswith("pc-ptsd-5") else boxes.first).check()  # "no" leaves twenty questions out
    for box in page.locator("main .agree ~ form input[type=checkbox]").all():
        box.check()
    name = page.get_by_label("Type your full name to sign")
    if name.count():
        name.fill("Samuel Whitehorse")
    number = page.locator("main input[inputmode=decimal]")
    if number.count() == 1:
        number.fill("1")
