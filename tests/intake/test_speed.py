"""How many statements a page costs; the same on a fresh and on a full form."""

from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.intake.conftest import Phone

OUR_OWN = ("SAVEPOINT", "RELEASE", "ROLLBACK", "BEGIN", "COMMIT")


def statements(phone: Phone, act: str, url: str, **data: str) -> int:
    with CaptureQueriesContext(
        connection,
    ) as seen:
        answer = phone.browser.get(url) if act == "get" else phone.browser.post(url, data)
    assert answer.status_code in (200, 204)
    return sum(not query["sql"].startswith(OUR_OWN) for query in seen.captured_queries)


def test_an_autosave_costs_at_most_twelve_statements(phone: Phone) -> None:
    first = statements(phone, "post", "/my/save/phq-9--1/", answer="1")
    for n in range(2, 8):
        phone.say(f"phq-9--{n}", "1")
    second = statements(phone, "post", "/my/save/phq-9--8/", answer="1")
    changed = statements(phone, "post", "/my/save/phq-9--8/", answer="2")
    assert max(first, second, changed) <= 12


def test_a_question_costs_the_same_with_one_and_with_many_answers(phone: Phone) -> None:
    phone.say("phq-9--1", "1")
    one = statements(phone, "get", "/my/q/phq-9--2/")
    for n in range(2, 9):
        phone.say(f"phq-9--{n}", "1")
    many = statements(phone, "get", "/my/q/phq-9--2/")
    assert (one == many, many <= 9) == (True, True)


def test_the_check_costs_the_same_with_one_and_with_three_answers(phone: Phone) -> None:
    phone.say("phq-9--1", "1")
    one = statements(phone, "get", "/my/check/")
    phone.say("phq-9--2", "1")
    phone.say("story", "words")
    assert statements(phone, "get", "/my/check/") == one
