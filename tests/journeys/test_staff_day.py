"""The therapist's day at the desk (browser checks 21, 22, 23, 26, 28, 29 and 32)."""

import re
from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from practice import actions
from practice.models import Client, User
from tests import factories
from tests.journeys.conftest import DESK, PHONE, Look, Window
from tests.journeys.walking import begun, on, sent

PHQ9 = [f"phq_9__{n}" for n in range(1, 9)]

pytestmark = pytest.mark.usefixtures("on_call")


def check_in(client: Client, days_ago: int, each: int, item9: int = 0) -> None:
    """One PHQ-9 of `each` per item, so many days ago."""
    sent(
        client,
        at=timezone.now() - timedelta(days=days_ago),
        key="check-in",
        **dict.fromkeys(PHQ9, each),
        phq_9__9=item9,
        cssrs_screener_recent__2=1 if item9 else 0,
        cssrs_screener_recent__3=1 if item9 else 0,
    )


@pytest.fixture
def history(sam: Client) -> Client:
    """Sam over half a year: 16, 8, 24 and a flag."""
    check_in(sam, 150, 2)
    check_in(sam, 90, 1)
    check_in(sam, 0, 3, item9=1)
    sam.refresh_from_db()
    return sam


def test_caseload_puts_first_what_needs_a_person_and_says_why(staff_window: Window, look: Look, maya: User) -> None:
    """Browser check 21: 27 clients, 3 urgent; the first group says so, each row says why."""
    for n in range(27):
        factories.client(maya, f"Client {n:02}", email=f"c{n}@example.net", phone=f"555 01{n:02}")
    clients = list(Client.objects.order_by("number"))
    for client in clients[4:7]:
        actions.raise_manual_flag(by=maya, client=client, severity="urgent", reason="Said goodbye.", at=timezone.now())
    page = staff_window(maya)
    page.goto("/caseload/")
    expect(page.locator("tr.grp").first).to_contain_text(re.compile(r"Needs you now\s*3"))
    rows = page.locator("tr.r")
    assert [client.code for client in clients[4:7]] == [
        row.replace("row-", "") for row in rows.evaluate_all("all => all.slice(0, 3).map(row => row.id)")
    ]
    for n in range(3):
        expect(rows.nth(n)).to_contain_text("Raised by a member of staff.")
        expect(rows.nth(n).get_by_role("link", name=re.compile("^Record contact"))).to_be_visible()
    assert rows.count() == 27
    look(page, "staff-01-caseload")
    page.set_viewport_size(PHONE)
    look(page, "staff-01-caseload")


def test_keys_move_through_the_list_and_back_finds_the_row(staff_window: Window, maya: User) -> None:
    """Browser check 22: j j Enter opens the second client; Back has the same row chosen. Then /, ? and g a."""
    for n in range(4):
        factories.client(maya, f"Client {n:02}", email=f"c{n}@example.net", phone=f"555 01{n:02}")
    page = staff_window(maya)
    page.goto("/caseload/")
    second = page.locator("tr.r").nth(1)
    name = second.get_by_role("link").first.inner_text()
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_contain_text(name)
    page.wait_for_load_state()
    page.go_back()
    expect(page.locator("tr.r").nth(1)).to_have_class(re.compile(r"\bsel\b"))
    expect(page.locator("tr.r.sel")).to_have_count(1)
    page.keyboard.press("/")
    expect(page.get_by_role("searchbox")).to_be_focused()
    page.keyboard.type("j")
    expect(page.locator("tr.r").nth(1)).to_have_class(re.compile(r"\bsel\b"))
    page.get_by_role("searchbox").blur()
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.keyboard.press("g")
    page.keyboard.press("a")
    on(page, "/alerts/")


def test_chart_shows_who_it_is_what_is_open_and_in_which_order(
    staff_window: Window, look: Look, maya: User, history: Client
) -> None:
    """Browser check 23: alert bar, storyboard with the contact rule, safety card above the referral card."""
    page = staff_window(maya)
    page.goto(history.get_absolute_url())
    expect(page.get_by_role("region", name="Open safety flag")).to_contain_text("Nobody has picked it up yet.")
    story = page.get_by_role("region", name="Client summary")
    for words in ("Sam Whitehorse", "he/him", "Reach by", "no voicemail", "Safety plan", "Trusted person"):
        expect(story).to_contain_text(words)
    flag = page.get_by_role("region", name=re.compile("^Safety flag: ")).bounding_box()
    card = page.get_by_role("region", name="Consider an infusion clinic referral").bounding_box()
    assert flag and card and flag["y"] + flag["height"] <= card["y"]
    look(page, "staff-02-chart")
    page.set_viewport_size(PHONE)
    look(page, "staff-02-chart")


def test_rule_is_told_in_words_with_version_source_and_signature(
    staff_window: Window, look: Look, maya: User, history: Client
) -> None:
    """Browser check 26: "See the rule" leads to what fires it, its version, its source, and who signed."""
    page = staff_window(maya)
    page.goto(history.get_absolute_url())
    page.get_by_role("link", name="See the rule SR-03").first.click()
    on(page, "/rules/SR-03/")
    look(page, "staff-03-rule")
    expect(page.get_by_role("heading", level=1)).to_have_text("Rule SR-03")
    for part in ("When it fires", "What it reads", "What it does", "Where it comes from"):
        expect(page.get_by_role("region", name=part)).to_be_visible()
    said = page.get_by_role("region", name="Where it comes from")
    for words in ("Version", "Source", "Confidence"):
        expect(said).to_contain_text(words)
    expect(page.get_by_text("Not yet signed by your clinical lead.", exact=True)).to_be_visible()


def test_numbers_under_the_chart_are_its_points(staff_window: Window, look: Look, maya: User, history: Client) -> None:
    """Browser check 28: one row for each point; the drawing has a title and a description of its own."""
    page = staff_window(maya)
    page.goto(f"{history.get_absolute_url()}?range=12m")
    panel = page.get_by_role("region", name="PHQ-9 and treatment")
    panel.get_by_text("Show the numbers as a table").click()
    rows = panel.locator("table tbody tr")
    assert rows.evaluate_all("all => all.map(row => row.cells[1].textContent.trim())") == [
        "16 of 27",
        "8 of 27",
        "25 of 27",
    ]
    chart = panel.locator("svg[role=img]:visible").first
    assert chart.locator(".pt, .pt9").count() == 3
    named = chart.evaluate(
        "e => [e.querySelector('title').textContent, document.getElementById("
        "e.getAttribute('aria-describedby') || e.getAttribute('aria-labelledby').split(' ')[1]).textContent]"
    )
    assert all(named), named
    assert "25" in named[1]
    look(page, "staff-04-numbers")


def test_printed_chart_has_no_bars_or_buttons_and_is_light(staff_window: Window, maya: User, history: Client) -> None:
    """Browser check 29: on paper: no bars or buttons, the name and page numbers, light even in dark mode."""
    page = staff_window(maya, DESK, dark=True)
    page.goto(history.get_absolute_url())
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.emulate_media(media="print")
    for gone in ("header.s-top", ".alert-bar .btn", ".story .btn-row", ".decide", ".tabs", ".strip"):
        for found in page.locator(gone).all():
            assert not found.is_visible(), gone
    assert [b.inner_text() for b in page.locator("button").all() if b.is_visible()] == []
    light = "rgb(255, 255, 255)"
    assert (dark != light, page.evaluate("getComputedStyle(document.body).backgroundColor")) == (True, light)
    foot = page.locator(".print-foot")
    expect(foot).to_be_visible()
    expect(foot).to_contain_text("Sam Whitehorse")
    ink = page.evaluate("getComputedStyle(document.querySelector('main .panel-b')).color")
    assert max(int(part) for part in re.findall(r"\d+", ink)[:3]) < 90, ink
    pdf = page.pdf(prefer_css_page_size=True)
    assert pdf[:5] == b"%PDF-"
    assert "counter(page)" in "".join(
        page.evaluate("[...document.styleSheets].flatMap(s => [...s.cssRules]).map(rule => rule.cssText)")
    )


def test_two_people_acknowledge_one_flag_and_the_second_reads_who_was_first(
    staff_window: Window, look: Look, maya: User, omar: User, sam: Client
) -> None:
    """Browser check 32: the second one sees who picked it up and when; nothing is lost."""
    begun(sam, "gad-7--1", phq_9__9=1, cssrs_screener_recent__2=1, cssrs_screener_recent__3=1)
    flag = sam.alerts.get()
    hers, his = staff_window(maya), staff_window(omar)
    for page in (hers, his):
        page.goto(f"/alerts/open/{flag.pk}/")
    for page in (hers, his):
        page.get_by_role("main").get_by_role("button", name="Acknowledge").click()
        page.wait_for_load_state()
    expect(hers.get_by_text(re.compile(r"^You picked this up at \d"))).to_be_visible()
    expect(his.get_by_text(re.compile(r"^Maya Torres picked this up at \d"))).to_be_visible()
    look(his, "staff-05-second")
    flag.refresh_from_db()
    assert flag.acknowledged_by == maya
    assert [event.by for event in flag.events.filter(kind="acknowledged")] == [maya]
