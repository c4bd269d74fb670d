"""What people do on the pages, in the words of the pages; and clients who have come as far as a certain question."""

import re
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone
from playwright.sync_api import Locator, Page, expect

from intake import actions, agreement, flow, packet
from intake.models import Intake, Invitation
from intake.packet import Page as Question
from practice.models import Client, Practice
from tests import factories
from tests.homes import code_sent

# What is said on the way to the question that a test is about; everything else is answered "no", or the first answer.
SAID: dict[str, Any] = {
    "reach": ["sms", "email"],
    "contact": {"phone": "555 0142", "email": "sam@example.net"},
    "private": ["sms", "email"],
    "place": {"state": "NY", "address": "12 Elm Street, Troy"},
    "filled-by": "client",
    "safe-now": "yes",
    "names": {"used": "Sam", "legal": "Samuel Whitehorse"},
    "pronouns": "he/him",
    "birth-date": "1993-03-08",
    "language": {"language": "English", "interpreter": "no"},
    "emergency-contact": {"name": "Jo Whitehorse", "relation": "partner", "phone": "555 0143", "may_talk": "emergency"},
    "support-person": {"name": "Lee", "relation": "friend", "phone": "555 0177", "may_talk": "yes"},
    "concern": "depression",
    "story": "It has been hard since March.",
    "hopes": "To sleep.",
    "ketamine-interest": "unsure",
}


# --- Clients on their way --------------------------------------------------------------------------------------------


def invited(client: Client, at: datetime | None = None, key: str = "intake") -> Invitation:
    return actions.invite(by=client.therapist, client=client, key=key, at=at or timezone.now())


def begun(client: Client, until: str = "", *, at: datetime | None = None, key: str = "intake", **said: Any) -> Intake:
    """Answer every page before `until` (all of them without it), by the product's own acts, as of now or `at`.

    `said` are answers by page, with _ for - and __ for --: phq_9__1=2.
    """
    at = at or timezone.now()
    sitting = actions.start(invitation=invited(client, at, key), at=at)
    client.refresh_from_db()
    answer(sitting, until, at=at, **said)
    return sitting


def answer(sitting: Intake, until: str = "", *, at: datetime | None = None, **said: Any) -> None:
    """Go on answering where nothing is answered yet, up to the page `until`."""
    at = at or timezone.now()
    known = SAID | {name.replace("_", "-"): value for name, value in said.items()}
    while (page := _next(sitting, at)) is not None and page.slug != until:
        if page.kind == "agreement":
            _sign(sitting, page, at)
        else:
            value = known.get(page.slug, _plain(page))
            actions.save_answer(
                by=sitting.client, sitting=sitting, page=page, value=value, at=at, skipped=value is None
            )


def _next(sitting: Intake, at: datetime) -> Question | None:
    replies = actions.replies_of(sitting)
    wanted = packet.load(sitting.invitation.packet, sitting.invitation.packet_version)
    shown = flow.pages(wanted, replies, actions.world(Practice.get(), actions.alert_of(sitting), wanted, at))
    return flow.next_open(shown, replies)


def _plain(page: Question) -> Any:
    if page.instrument:
        return (
            page.item.options[-1 if page.item.options[0].value else 0].value if page.item.options else page.item.minimum
        )
    if page.kind == "rows":
        return []
    if page.kind == "group":
        return None
    if page.only.type == "checks":
        return []
    codes = [choice.code for choice in page.only.choices]
    return "no" if "no" in codes else codes[0] if codes else None


def _sign(sitting: Intake, page: Question, at: datetime) -> None:
    text = agreement.load(page.agreement, page.version)
    actions.sign_consent(
        by=sitting.client,
        sitting=sitting,
        page=page,
        agreement=text,
        typed_name="Samuel Whitehorse",
        relation="self",
        acknowledged=[point.key for point in text.acknowledgements],
        device="a phone",
        at=at,
    )


def sent(client: Client, *, at: datetime | None = None, key: str = "intake", **said: Any) -> Intake:
    """A packet that this client has answered and sent."""
    sitting = begun(client, at=at, key=key, **said)
    return actions.submit(by=client, sitting=sitting, at=at or timezone.now())


# --- Hands on the page -----------------------------------------------------------------------------------------------


def press(page: Page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()


def follow(page: Page, name: str) -> None:
    page.get_by_role("link", name=name, exact=True).click()


def choose(page: Page, label: str, of: str | None = None) -> None:
    """Choose an answer by its words; `of`: in the group with that legend."""
    where: Page | Locator = page.get_by_role("group", name=of) if of else page
    where.get_by_label(label, exact=True).check()


def reads(page: Page, heading: str) -> None:
    """The page that is now in front has this heading (waits for it)."""
    expect(page.get_by_role("heading", level=1)).to_have_text(heading)


def on(page: Page, path: str) -> None:
    """The page that is now in front is this one, whole (waits for it)."""
    expect(page).to_have_url(re.compile(rf"^https?://[^/]+{re.escape(path)}$"))
    page.wait_for_load_state()


def back(page: Page) -> None:
    """The browser's own Back."""
    page.wait_for_load_state()
    page.evaluate("history.back()")


def say(page: Page, label: str, then: str = "Continue") -> None:
    """Choose an answer and go on."""
    choose(page, label)
    press(page, then)


def come_in(page: Page, sitting: Intake) -> Page:
    """Open the link in a window that has never seen it, and type the return code."""
    page.goto(sitting.invitation.path)
    press(page, "Continue")
    page.get_by_label("Your code").fill(actions.return_code(sitting))
    press(page, "Open my answers")
    page.wait_for_url(re.compile("/my/(?!code)"))
    return page


class Hand:
    """Presses buttons, links and choices, and counts them; what is typed is a field and not a click."""

    def __init__(self, page: Page) -> None:
        self.page, self.clicks, self.fields = page, 0, 0

    def write(self, label: str | re.Pattern[str], words: str, inside: Locator | None = None) -> None:
        self.fields += 1
        (inside or self.page).get_by_label(label, exact=True).fill(words)

    def press(self, name: str | re.Pattern[str], inside: Locator | None = None) -> None:
        self.clicks += 1
        (inside or self.page).get_by_role("button", name=name, exact=True).click()

    def follow(self, name: str | re.Pattern[str], inside: Locator | None = None) -> None:
        self.clicks += 1
        (inside or self.page).get_by_role("link", name=name, exact=True).click()

    def choose(self, label: str, of: str) -> None:
        self.clicks += 1
        choose(self.page, label, of=of)

    def tick(self, box: Locator) -> None:
        self.clicks += 1
        box.click()


# --- Ways that several journeys go ------------------------------------------------------------------------------------

PLAN_STEPS = {
    "warning-signs-0-text": "I stop sleeping",
    "own-coping-0-text": "Walk to the river",
    "people-places-0-name": "The library",
    "ask-for-help-0-name": "Lee, my brother",
    "ask-for-help-0-phone": "555 0177",
    "means-safety-0-what": "Lee keeps the pills",
    "reasons-0-text": "My dog Bo",
}


def plan_written(desk: Page, client: Client) -> None:
    """Write and finish a plan, as a therapist does with the client beside them."""
    desk.goto(client.get_absolute_url())
    follow(desk, "None yet")
    press(desk, "Start a safety plan")
    for name, words in PLAN_STEPS.items():
        desk.locator(f"[name={name}]").fill(words)
    expect(desk.locator("#saved")).to_contain_text("Saved at")
    desk.get_by_label("Talked about, steps agreed").check()
    desk.get_by_label("What was said, in a line").fill("Lee keeps the pills.")
    desk.get_by_label("Review by").fill((factories.today() + timedelta(days=14)).isoformat())
    press(desk, "Finish the plan")
    expect(desk.get_by_text("The safety plan is finished.")).to_be_visible()


def at_own_page(phone: Page, client: Client) -> Page:
    """Open the link of the message, and type the code."""
    phone.goto(actions.home_invitation(client=client, at=timezone.now()).path)
    press(phone, "Continue")
    press(phone, "Text me a code")
    phone.get_by_label("Your code").fill(code_sent(client))
    press(phone, "Open my page")
    on(phone, "/my/home/")
    return phone
