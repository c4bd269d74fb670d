"""Forms of pages, and what people, clumsy or hostile, may put in them."""

import re
from dataclasses import replace
from datetime import date
from secrets import token_urlsafe
from typing import Any
from urllib.parse import urlencode

import pytest

from intake import packet
from intake.forms import form_for
from intake.models import Answer
from practice.models import AuditEvent
from tests.intake.conftest import Phone, text_of
from tests.intake.test_flow import CHECK_IN, INTAKE

TODAY = date(2026, 11, 19)
HOSTILE = [
    "\x00",
    "a\x00b",
    "\x1b[31m",
    "\ud800",
    "\u202egnp.exe",
    "\u2066\u2069",
    "x" * 4001,
    str(2**70),
    "-1",
    "1e400",
    "NaN",
    "Infinity",
    "٣",
    "½",
    "' OR 1=1 --",
    "<script>alert(1)</script>",
    "{{ 7|add:7 }}{% debug %}",
    "%(x)s %s {0}",
    "../../etc/passwd",
    "🧵" * 50,
]


def every_field(page: Any) -> list[str]:
    if page.kind == "agreement":
        return ["typed_name", "relation", "ack_off_label"]
    if page.kind == "rows":
        return [
            "rows-TOTAL_FORMS",
            "rows-INITIAL_FORMS",
            *(f"rows-0-{each.key}" for each in page.fields),
            "none",
            "add",
        ]
    names = [each.key for each in page.fields]
    return [part for name in names for part in (name, f"{name}_0", f"{name}_2")]


def one_of_each() -> list[Any]:
    """One page of every make: questions of one kind are built by the same line of code."""
    made = {(page.kind, tuple(each.type for each in page.fields)): page for page in INTAKE.pages}
    return list(made.values())


@pytest.mark.parametrize("page", one_of_each(), ids=lambda page: page.slug)
def test_no_field_breaks_on_hostile_text(phone: Phone, page: Any) -> None:
    """Every field of every kind of page takes every value with a page or a redirect, and can be shown again."""
    rows = {"rows-TOTAL_FORMS": "1", "rows-INITIAL_FORMS": "0"} if page.kind == "rows" else {}
    for value in HOSTILE:
        fields = rows | {name: value for name in every_field(page) if name not in rows}
        body = urlencode(fields | {"form_key": token_urlsafe(24)}, errors="surrogatepass")
        answer = phone.browser.post(f"/my/q/{page.slug}/", body, "application/x-www-form-urlencoded")
        assert answer.status_code in (200, 303), value
    for url in (f"/my/q/{page.slug}/", "/my/check/"):
        shown = phone.get(url)
        assert shown.status_code == 200
        assert b"<script>alert" not in shown.content
    assert phone.browser.post(f"/my/save/{page.slug}/", {"answer": "\x00"}).status_code in (204, 409, 422)


@pytest.mark.parametrize("value", ["9", "-1", "2", "yes", "", "none", "١", "1.0", str(2**70), "\x00"])
def test_an_item_takes_only_its_own_answers(value: str) -> None:
    page = CHECK_IN.by_slug["cssrs-screener-recent--1"]
    form = form_for(page, today=TODAY, data={"answer": value})
    blank, wrong = "Choose the answer that fits best, or skip the question.", "Choose one of the answers on this page."
    assert form.errors == {"answer": [wrong if value else blank]}


def test_ten_megabytes_are_refused_and_nothing_changes(phone: Phone) -> None:
    """Security check 63."""
    phone.say("story", "kept")
    answer = phone.post("/my/q/story/", {"answer": "x" * 10_000_000})
    assert (answer.status_code, "make it shorter" in text_of(answer)) == (400, True)
    many = phone.post("/my/q/story/", {f"f{n}": "1" for n in range(5000)})
    assert many.status_code == 400
    assert phone.saved("story") == "kept"


def test_a_text_that_is_too_long_is_kept_on_the_page(phone: Phone) -> None:
    answer = phone.say("story", "word " * 1000)
    assert "This is too long. Keep it under 4000 letters." in text_of(answer)
    assert answer.content.decode().count("word word") > 400


def test_marks_that_turn_text_around_are_taken_out(phone: Phone) -> None:
    phone.say("names", used="\u202eSam\u202c", legal="Sam\u200b W")
    assert phone.saved("names") == {"used": "Sam", "legal": "Sam W"}


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        (("2", "30", "1990"), "This day is not in the calendar. Check the month and the day."),
        (("13", "1", "1990"), "This day is not in the calendar. Check the month and the day."),
        (("11", "20", "2026"), "This day has not come yet. Check the year."),
        (("3", "8", "1893"), "This year is too long ago. Check the year."),
        (("3", "8", "93"), "Write the year with four numbers, such as 1985."),
        (("March", "8", "1993"), "Write the month, day and year in numbers, such as 3 27 1985."),
        (("3", "", "1993"), "Write the month, day and year in numbers, such as 3 27 1985."),
        (("٣", "٨", "١٩٩٣"), "Write the month, day and year in numbers, such as 3 27 1985."),
        (("", "", ""), "Write the day, month and year you were born."),
        ((str(2**70), "8", "1993"), "Write the month, day and year in numbers, such as 3 27 1985."),
    ],
)
def test_an_impossible_birth_date_gets_a_plain_sentence(parts: tuple[str, str, str], said: str) -> None:
    page = INTAKE.by_slug["birth-date"]
    form = form_for(page, today=TODAY, data={f"answer_{n}": part for n, part in enumerate(parts)})
    assert form.errors == {"answer": [said]}


@pytest.mark.parametrize(("parts", "kept"), [(("2", "29", "1992"), "1992-02-29"), (("11", "19", "2026"), "2026-11-19")])
def test_a_real_day_is_kept_as_iso(parts: tuple[str, str, str], kept: str) -> None:
    form = form_for(
        INTAKE.by_slug["birth-date"], today=TODAY, data={f"answer_{n}": part for n, part in enumerate(parts)}
    )
    assert (form.is_valid(), form.answer()) == (True, kept)


@pytest.mark.parametrize("value", ["-1", "1e9", "NaN", "a", "10001", "1,5", str(2**70), "9" * 5000])
def test_a_number_out_of_range_is_told_in_one_sentence(value: str) -> None:
    form = form_for(
        INTAKE.by_slug["trials"],
        today=TODAY,
        data={"rows-TOTAL_FORMS": "1", "rows-INITIAL_FORMS": "0", "rows-0-drug": "sertraline", "rows-0-mg": value},
    )
    assert form.errors == [{"mg": ["Write a number from 0 to 10000."]}]


def test_nothing_chosen_is_said_above_and_beside_the_question(phone: Phone) -> None:
    """Ux check 6."""
    answer = phone.post("/my/q/phq-9--3/", {})
    html, said = answer.content.decode(), "Choose the answer that fits best, or skip the question."
    assert "<title>Error:" in html
    assert html.count(said) == 2
    assert 'href="#id_answer_0"' in html and 'id="id_answer_0"' in html
    assert html.index("err-summary") < html.index("<h1")
    assert Answer.objects.filter(question="phq-9--3").count() == 0


def test_what_must_be_answered_never_says_to_skip(phone: Phone) -> None:
    assert "Choose the state where you are now." in text_of(phone.post("/my/q/place/", {}))
    assert "Choose the state where you are now." not in text_of(phone.post("/my/q/place/", {"state": "Mars"}))
    must = replace(CHECK_IN.by_slug["cssrs-screener-recent--1"], required=True, missing="")
    assert form_for(must, today=TODAY, data={}).errors == {"answer": ["Choose the answer that fits best."]}
    ticks = replace(INTAKE.by_slug["reach"], required=True, missing="")
    assert form_for(ticks, today=TODAY, data={}).errors == {"answer": ["Tick what fits."]}


def test_one_of_phone_or_mail_is_enough_and_none_is_not(phone: Phone) -> None:
    assert "Write a phone number or an e-mail." in text_of(phone.say("contact", phone="", email=""))
    assert "Write a phone number, such as 555 0142." in text_of(phone.say("contact", phone="call me"))
    assert "Write an e-mail address" in text_of(phone.say("contact", email="sam@"))
    assert phone.say("contact", email="sam@example.net").status_code == 303


@pytest.mark.parametrize("page", ["reach", "private"])
def test_a_way_that_is_safe_and_none_that_is_safe_are_asked_again(phone: Phone, page: str) -> None:
    """Nobody writes to a phone of which its owner said both: the page asks, and what was ticked stays."""
    answer = phone.say(page, ["sms", "none"])
    html = answer.content.decode()
    assert (answer.status_code, "and something else. Untick what does not fit." in html) == (200, True)
    assert len(re.findall(r'name="answer"[^>]*checked', html)) == 2
    assert page not in phone.said()
    assert (phone.say(page, ["none"]).status_code, phone.saved(page)) == (303, [])
    assert (phone.say(page, ["sms"]).status_code, phone.saved(page)) == (303, ["sms"])


def test_rows_are_added_without_a_script_and_emptied_to_go(phone: Phone) -> None:
    row = {"rows-TOTAL_FORMS": "1", "rows-INITIAL_FORMS": "0", "rows-0-name": "sertraline", "rows-0-dose": "50 mg"}
    answer = phone.post("/my/q/medicines-now/", {**row, "add": "1"})
    assert answer["Location"] == "/my/q/medicines-now/?add=1#rows-end"
    html = phone.browser.get("/my/q/medicines-now/?add=1").content.decode()
    assert 'value="sertraline"' in html and 'name="rows-1-name"' in html and 'name="rows-2-name"' not in html
    both = row | {"rows-TOTAL_FORMS": "2", "rows-1-name": "lithium"}
    phone.post("/my/q/medicines-now/", both)
    assert phone.saved("medicines-now") == [{"name": "sertraline", "dose": "50 mg"}, {"name": "lithium"}]
    phone.post("/my/q/medicines-now/", both | {"rows-0-name": "", "rows-0-dose": ""})
    assert phone.saved("medicines-now") == [{"name": "lithium"}]
    phone.post("/my/q/medicines-now/", {"rows-TOTAL_FORMS": "1", "rows-INITIAL_FORMS": "0", "none": "1"})
    assert phone.saved("medicines-now") == []


def test_a_tampered_row_count_is_refused_kindly(phone: Phone) -> None:
    for total in ("999999999", "-5", "x", ""):
        answer = phone.post("/my/q/medicines-now/", {"rows-TOTAL_FORMS": total, "rows-INITIAL_FORMS": "0"})
        assert answer.status_code in (200, 303)


def test_a_row_without_its_name_says_so(phone: Phone) -> None:
    answer = phone.post(
        "/my/q/medicines-now/", {"rows-TOTAL_FORMS": "1", "rows-INITIAL_FORMS": "0", "rows-0-dose": "50 mg"}
    )
    assert "Write your answer here: Name." in text_of(answer)


def test_a_page_that_is_not_there_is_not_found(phone: Phone) -> None:
    assert phone.browser.get("/my/q/no-such-page/").status_code == 404
    assert phone.browser.post("/my/save/no-such-page/").status_code == 404


def test_a_hidden_page_goes_on_and_keeps_nothing(phone: Phone) -> None:
    assert phone.say("pcl-5--1", "4")["Location"].startswith("/my/q/")
    assert phone.browser.post("/my/save/pcl-5--1/", {"answer": "4"}).status_code == 409
    assert phone.said() == {}


def test_nobody_chooses_whose_row_a_form_writes(phone: Phone) -> None:
    """Security check 3."""
    before = phone.sitting
    phone.post(
        "/my/q/pronouns/",
        {"answer": "they", "id": "1", "client": "x", "owner": "x", "role": "admin", "status": "done", "score": "27",
         "flag": "none", "submitted_at": "2020-01-01", "skipped": "1"},
    )  # fmt: skip
    after = phone.sitting
    assert (after.client_id, after.submitted_at, after.skipped) == (before.client_id, None, [])
    assert phone.said() == {"pronouns": "they"}


def test_the_audit_trail_names_the_question_and_never_the_answer(phone: Phone) -> None:
    """Security check 40."""
    phone.say("story", "canary words")
    [event] = AuditEvent.objects.filter(action="answer.saved")
    assert event.facts == {"question": "story"}
    assert (event.actor_kind, event.client_id) == ("client", phone.sitting.client_id)


def test_typing_is_saved_before_everything_required_is_there(phone: Phone) -> None:
    """Ux check 4: saved while typing, the missing part is asked at the check."""
    assert phone.browser.post("/my/save/names/", {"used": "Sam", "legal": ""}).status_code == 204
    assert phone.saved("names") == {"used": "Sam"}
    assert 'value="Sam"' in phone.browser.get("/my/q/names/").content.decode()
    assert "Write the name you go by, and your legal name." in text_of(phone.browser.get("/my/check/"))


def test_an_answer_that_is_not_one_yet_is_not_called_saved(phone: Phone) -> None:
    assert (
        phone.browser.post("/my/save/birth-date/", {"answer_0": "2", "answer_1": "30", "answer_2": "1990"}).status_code
        == 422
    )
    assert phone.browser.post("/my/save/phq-9--1/", {"answer": "7"}).status_code == 422
    assert phone.browser.post("/my/save/phq-9--1/", {}).status_code == 204
    assert phone.browser.get("/my/save/phq-9--1/").status_code == 405
    assert phone.said() == {}


@pytest.mark.django_db
def test_packets_that_do_not_exist_are_named() -> None:
    with pytest.raises(ValueError, match="no packet called 'x'"):
        packet.load("x")
    with pytest.raises(ValueError, match="no version '9'"):
        packet.load("intake", "9")
