"""The words clients read: plain, true, and never a verdict."""

import re
from collections.abc import Iterator
from html import unescape

import pytest

from intake import agreement
from intake.packet import shipped
from tests.intake.conftest import Phone, fill_required

HARDEST = 8.0  # Flesch-Kincaid grade
NEVER = (
    "PHQ", "GAD", "PCL", "C-SSRS", "ideation", "severity", "severe symptoms", "risk level", "score", "flagged",
    "compliance", "treatment-resistant", "commit suicide", "press 3", "Oops", "invalid", "required field", "as soon as",
    "please note", "simply",
)  # fmt: skip


def syllables(word: str) -> int:
    groups = len(re.findall(r"[aeiouy]+", re.sub(r"(?:[^laeiouy]es|ed|[^laeiouy]e)$", "", word.lower())))
    return max(1, groups)


def grade(text: str) -> float:
    """Return the Flesch-Kincaid grade: an alarm, not a goal."""
    sentences = [s for s in re.split(r"[.?!:;]+(?:\s|$)|\n", text) if re.search(r"[a-z]", s, re.IGNORECASE)]
    words = re.findall(r"[A-Za-z']+", " ".join(sentences))
    return 0.39 * len(words) / len(sentences) + 11.8 * sum(map(syllables, words)) / len(words) - 15.59


def main_of(html: str) -> str:
    main = html[html.index("<main") : html.index("</main>")]
    main = re.sub(r"<(script|svg|style).*?</\1>|<option.*?</option>", " ", main, flags=re.S)
    main = re.sub(r"</(p|li|h1|h2|dt|dd|label|legend|span|b|summary|button|a|div)>", "\n", main)
    return unescape(re.sub(r"<[^>]+>", " ", main))


def own_pages() -> Iterator[tuple[str, str]]:
    for wanted in shipped():
        for section in wanted.sections:
            yield f"{wanted.key} {section.key}", section.why
            for page in section.pages:
                if not page.instrument and page.kind != "agreement":
                    said = [page.text, page.hint, *(each.label for each in page.fields if page.kind != "one")]
                    yield f"{wanted.key} {section.key}", ".\n".join(filter(None, said))


def test_each_section_reads_at_grade_eight_or_below() -> None:
    found: dict[str, str] = {}
    for key, text in own_pages():
        found[key] = f"{found.get(key, '')}\n{text}"
    assert {key: grade(text) for key, text in found.items() if grade(text) > HARDEST} == {}


@pytest.mark.parametrize("key", ["npp_ack", "treatment", "telehealth", "communications", "ketamine"])
def test_each_agreement_reads_at_grade_eight_or_below(key: str) -> None:
    text = agreement.load(key, "1")
    said = [text.summary, text.sign]
    for part in text.parts:
        said += [part.line, *(point.text for point in part.points), *(point.ack for point in part.points if point.ack)]
    assert grade("\n".join(said)) <= HARDEST


def pages(phone: Phone) -> dict[str, str]:
    """Every client page that is not a question of an instrument, in the states it has."""
    found = {
        "start": "/my/",
        "later": "/my/later/",
        "call": "/my/call-me/",
        "check": "/my/check/",
        "place": "/my/q/place/",
    }
    seen = {name: phone.browser.get(url).content.decode() for name, url in found.items()}
    phone.say("phq-9--9", "1")
    seen["bridge"] = phone.browser.get("/my/support/").content.decode()
    for item, value in {"1": "1", "2": "1", "3": "1", "4": "0", "5": "0", "6": "0"}.items():
        phone.say(f"cssrs-screener-recent--{item}", value)
    seen["support"] = phone.browser.get("/my/support/").content.decode()
    phone.say("cssrs-screener-recent--4", "1")
    seen["support now"] = phone.browser.get("/my/support/").content.decode()
    phone.post("/my/call-me/", {"wanted": "1"})
    seen["called"] = phone.browser.get("/my/call-me/").content.decode()
    fill_required(phone)
    phone.post("/my/send/")
    seen["done"] = phone.browser.get("/my/done/").content.decode()
    other = Phone(phone.invitation)
    other.open()
    seen["receipt"] = other.browser.get("/my/done/").content.decode()
    seen["locked"] = phone.browser.get("/my/locked/").content.decode()
    seen["code"] = phone.browser.get("/my/code/").content.decode()
    seen["old"] = other.browser.get("/p/x/").content.decode()
    seen["new"] = other.browser.get("/my/new-link/").content.decode()
    return seen


def test_every_client_page_reads_easily_and_says_no_clinical_word(phone: Phone) -> None:
    seen = pages(phone)
    assert {name: round(grade(main_of(html)), 1) for name, html in seen.items() if grade(main_of(html)) > HARDEST} == {}
    said = {name: [word for word in NEVER if word.lower() in main_of(html).lower()] for name, html in seen.items()}
    assert {name: words for name, words in said.items() if words} == {}


def test_titles_are_neutral_and_say_nothing_of_a_person(phone: Phone) -> None:
    """Feature K8: no name, no drug, no kind of clinic in a title."""
    titles = {name: re.findall(r"<title>(.*?)</title>", html, re.S)[0].strip() for name, html in pages(phone).items()}
    words = ("Sam", "Maya", "ketamine", "suicid", "depress", "mental", "therap", "PHQ")
    assert {name: title for name, title in titles.items() if any(w.lower() in title.lower() for w in words)} == {}


def test_help_stands_first_on_every_client_page(phone: Phone) -> None:
    """Ux check 2: skip link, brand, help; in this order on every page."""
    for name, html in pages(phone).items():
        body = html[html.index("<body") :]
        links = re.findall(r'<a class="([\w-]+)"', body)[:3]
        assert links == ["skip", "c-brand", "help-btn"], name
        assert "data-leave" in body, name


def test_a_page_has_one_h1_and_nothing_inline(phone: Phone) -> None:
    for name, html in pages(phone).items():
        assert len(re.findall("<h1", html)) == 1, name
        assert re.findall(r'\sstyle="|<style|\son\w+="|<script>', html) == [], name
