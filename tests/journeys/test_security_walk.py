"""Hostile words typed wherever somebody may type, then every page as each role (security checks 37, 59 in part, 63).

Nothing runs (a dialog or a report of the browser about our rules fails the test, in the fixture of the window), every
word is shown as it was typed, and no title or address holds a word of a client.
"""

import re
from itertools import cycle

import pytest
from django.urls import reverse
from playwright.sync_api import Page, expect

from intake import packet
from practice.models import Client, User
from tests.journeys.conftest import Window
from tests.journeys.walking import answer, begun, come_in, press

XSS = (
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(2)>",
    '"><svg onload=alert(3)>',
    "'><body onload=alert(4)>",
    "javascript:alert(5)",
    '<iframe srcdoc="<script>alert(6)</script>">',
    "<details open ontoggle=alert(7)>",
    "</title><script>alert(8)</script>",
    "</textarea><script>alert(9)</script>",
    '" onfocus=alert(10) autofocus x="',
    '<a href="javascript:alert(11)">x</a>',
    "<math><mtext></table><img src=x onerror=alert(12)>",
)
TEMPLATE = ("{{7|add:7}}", "{% debug %}", "{{ request.user.password }}", "%(x)s")
ALL = " ".join((*XSS, *TEMPLATE))
CANARY = "Zq7"  # stands in every text that is typed by or about the client
NOT_WORDS = re.compile("phone|fax|email|birth|zone|ladder|_at$")  # fields that take a number, an address or a day
TEXT = "textarea, input[type=text]:not([inputmode])"


class Typist:
    """Types into every text field of a page: all payloads where they fit, else the next one of them."""

    def __init__(self, mark: str = CANARY) -> None:
        self.mark = mark
        self.next = cycle((*XSS, *TEMPLATE))
        self.typed: list[str] = []
        self.fields = 0

    def fill(self, page: Page, within: str = "main form") -> int:
        fields = [
            field
            for field in page.locator(within).locator(TEXT).all()
            if field.is_visible() and not NOT_WORDS.search(field.get_attribute("name") or "")
        ]
        for field in fields:
            longest = int(field.get_attribute("maxlength") or 10_000)
            room = longest - len(self.mark) - 1
            words = f"{self.mark} {ALL if room > len(ALL) else next(each for each in self.next if len(each) <= room)}"
            field.fill(words)
            self.typed.append(words)
        self.fields += len(fields)
        return len(fields)


def choose_first(page: Page, within: str = "main form") -> None:
    """The first of every group of answers, where none is chosen yet."""
    for group in page.locator(within).locator("fieldset").all():
        boxes = group.locator("input[type=radio]")
        if boxes.count() and group.locator("input[type=radio]:checked").count() == 0:
            boxes.first.check()


def shows_literally(page: Page, words: str) -> None:
    said = " ".join(page.locator("body").inner_text().split())
    missing = [part for part in (*XSS, *TEMPLATE) if part in words and part not in said]
    assert missing == [], page.url


@pytest.mark.usefixtures("on_call")
def test_hostile_words_are_shown_as_words_to_everybody(
    window: Window, staff_window: Window, maya: User, sol: User, pax: User, fay: User, rosa: User, sam: Client
) -> None:
    typist = Typist()
    sitting = begun(sam, "contact")
    phone = come_in(window(), sitting)
    texts = [
        page.slug
        for page in packet.seed("intake").pages
        if not page.show_when and any(field.type in ("text", "words", "name") for field in page.fields)
    ]
    for slug in texts:
        phone.goto(f"/my/q/{slug}/")
        assert typist.fill(phone) > 0, slug
        if slug == "place":
            phone.get_by_label("State").select_option("New York")
        press(phone, "Continue")
        phone.wait_for_load_state()
        phone.goto(f"/my/q/{slug}/")
        assert CANARY in "".join(field.input_value() for field in phone.locator(TEXT).all()), slug
    answer(sitting, phq_9__9=1, cssrs_screener_recent__2=1, names=None)
    phone.goto("/my/check/")
    shows_literally(phone, ALL)
    phone.goto("/my/support/")
    phone.goto("/my/check/")
    press(phone, "Send my answers to Maya")
    phone.wait_for_load_state()
    assert CANARY not in phone.title() + phone.url

    hers = staff_window(maya)
    flag = sam.alerts.get()
    chart = sam.get_absolute_url()
    hers.goto(f"{chart}notes/")
    typist.fill(hers)
    hers.get_by_role("main").get_by_role("button", name=re.compile("^(Add|Save)")).first.click()
    hers.goto(f"{chart}psychotherapy-notes/")
    typist.fill(hers)
    hers.get_by_role("main").get_by_role("button", name=re.compile("^(Add|Save)")).first.click()
    hers.goto(f"{chart}flags/new/")
    typist.fill(hers)
    choose_first(hers)
    hers.locator("main form button[type=submit]").last.click()
    expect(hers.get_by_text("Flag raised.")).to_be_visible()
    for part, button in (("add", "Add the note"), ("contact", "Save the contact"), ("close", "Close the flag")):
        hers.goto(f"/alerts/open/{flag.pk}/")
        typist.fill(hers, f"#{part}")
        choose_first(hers, f"#{part}")
        if part == "contact":
            hers.get_by_label("Moderate", exact=True).check()
            hers.get_by_label("Next check").fill("2027-01-04T09:00")
        press(hers, button)
        expect(hers.locator(".err-summary")).to_have_count(0)
    card = sam.suggestions.get()
    hers.goto(reverse("suggestion", args=[sam.pk, card.pk]))
    typist.fill(hers)
    press(hers, "Mark as reviewed")
    hers.goto(f"{chart}edit/")
    typist.fill(hers)
    hers.locator("main form button[type=submit]").first.click()
    hers.wait_for_load_state()
    expect(hers.locator(".err-summary")).to_have_count(0)

    boss, admin = staff_window(rosa), Typist("Staff")
    boss.goto(f"/practice/people/{maya.pk}/")
    admin.fill(boss)
    boss.locator("main form button[type=submit]").first.click()
    boss.goto("/practice/edit/")
    admin.fill(boss)
    boss.locator("main form button[type=submit]").first.click()
    boss.wait_for_load_state()
    expect(boss.locator(".err-summary")).to_have_count(0)
    assert typist.fields + admin.fields >= 35

    assessments = [f"{chart}assessments/{row.pk}/" for row in sitting.assessments.all()[:2]]
    clinical = ["/caseload/", "/alerts/", chart, f"{chart}notes/", f"{chart}activity/", f"{chart}intakes/{sitting.pk}/"]
    clinical += [f"/alerts/open/{alert.pk}/" for alert in sam.alerts.all()]
    clinical += [reverse("suggestion", args=[sam.pk, card.pk]), "/search/?q=zq", *assessments]
    places = {
        maya: [*clinical, f"{chart}psychotherapy-notes/", f"{chart}edit/", f"{chart}invite/", "/clients/new/"],
        sol: clinical,
        pax: clinical,
        fay: ["/caseload/", "/search/?q=zq", f"{chart}edit/", f"{chart}invite/", "/clients/new/"],
        rosa: ["/caseload/", "/alerts/", "/practice/", "/practice/edit/", "/practice/people/", "/practice/audit/",
               "/practice/coverage/", "/practice/system/", f"/practice/people/{maya.pk}/", "/practice/drill/"],
    }  # fmt: skip
    for user, paths in places.items():
        page = staff_window(user)
        for path in paths:
            answered = page.goto(path)
            assert answered is not None and answered.status == 200, (user, path)
            assert page.locator("main iframe, main math, main script:not([type])").count() == 0, path
            name = page.title().removesuffix(f" - {page.locator('.s-brand').inner_text().strip()}")
            assert CANARY not in name, (path, name)
            assert CANARY not in page.url
            said = page.locator("body").inner_text()
            assert "pbkdf2" not in said and "argon2" not in said and f"{CANARY} 14" not in said
    for path in (f"{chart}notes/", f"{chart}psychotherapy-notes/", f"{chart}intakes/{sitting.pk}/"):
        hers.goto(path)
        shows_literally(hers, ALL)
    for path in ("/", "/who-sees-this/", "/help-now/", "/account/login/"):
        window().goto(path)
