"""Who gets in, by which link and code, and what a locked page still does."""

import secrets
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client as Browser

from intake import actions
from intake.models import Answer, Intake, Invitation
from practice.models import AuditEvent, Client, Notice, SentForm, Task, User
from tests.conftest import send
from tests.factories import NOW
from tests.homes import newest_code
from tests.intake.conftest import Phone, fill_required, text_of

Fresh = Callable[[], Phone]


def rows() -> tuple[int, ...]:
    """What a scanner could have changed."""
    return (
        Intake.objects.count(),
        Answer.objects.count(),
        AuditEvent.objects.count(),
        Notice.objects.count(),
        SentForm.objects.count(),
    )


def test_a_mail_scanner_spends_nothing_and_sees_nothing(sent: Invitation, sam: Client, fresh: Fresh) -> None:
    """Security check 32: HEAD x5, GET x5, empty POST x3."""
    before, scanner = rows(), Browser(HTTP_USER_AGENT="LinkScanner/1.0", enforce_csrf_checks=True)
    seen = [scanner.head(sent.path) for _ in range(5)] + [scanner.get(sent.path) for _ in range(5)]
    seen += [scanner.post(sent.path) for _ in range(3)]
    assert [answer.status_code for answer in seen] == [200] * 10 + [403] * 3
    assert [word for answer in seen for word in (sam.name, "Sam", "Maya") if word in answer.content.decode()] == []
    assert rows() == before
    assert Invitation.objects.get().state == Invitation.State.SENT
    assert fresh().start().say("phq-9--1", "0").status_code == 303


def test_a_scanner_that_presses_the_buttons_leaves_the_link_open(sent: Invitation, fresh: Fresh) -> None:
    robot = fresh().start()
    person = fresh().start()
    assert person.say("phq-9--1", "2").status_code == 303
    assert robot.browser.get("/my/q/phq-9--1/")["Location"] == "/my/locked/"
    assert robot.post("/my/q/phq-9--2/", {"answer": "0"})["Location"] == "/my/locked/?lost=1"
    assert person.said() == {"phq-9--1": 2}


def words_at(path: str) -> tuple[int, str]:
    answer = Browser().get(path)
    words = text_of(answer).replace(path, "")
    return answer.status_code, words


def test_every_bad_link_gives_the_same_page(sent: Invitation, maya: User, kit: Client, clock: Any) -> None:
    """Security checks 33 and 34: expired, withdrawn, truncated, one letter more, foreign, of another purpose."""
    token = sent.token
    bad = [
        token[:-1],
        token + "0",
        token.upper(),
        secrets.token_hex(32),
        "x" * 200,
        str(sent.pk),
        "%00",
        "%F0%9F%92%A9",
    ]
    pages = {words_at(f"/p/{each}/") for each in bad}
    actions.withdraw(by=maya, invitation=sent, at=NOW)
    pages.add(words_at(f"/p/{token}/"))
    other = actions.invite(by=maya, client=kit, key="check-in", at=NOW)
    pages.add(words_at(f"/p/{actions.return_code(Intake(invitation=other))}/"))
    clock.shift(timedelta(days=15))
    pages.add(words_at(other.path))
    assert len(pages) == 1
    status, words = pages.pop()
    assert (status, "This link does not work any more" in words) == (404, True)


def test_pressing_a_bad_link_gives_that_page_too(db: None) -> None:
    answer = send(Browser(), f"/p/{secrets.token_hex(32)}/")
    assert (answer.status_code, "Send me a new link" in text_of(answer)) == (404, True)


def test_where_a_way_in_is_shut_help_still_stands_in_the_page(
    sent: Invitation, fresh: Fresh, phone: Phone, sam: Client
) -> None:
    """At 3 am nobody answers the practice's phone: no page that keeps somebody out names that number alone."""
    send(phone.browser, "/my/later/")  # stopped: the page that says so
    other = fresh()
    send(other.browser, phone.sitting.invitation.path)
    home = Browser()
    send(home, actions.home_invitation(client=sam, at=NOW).path)
    pages = {
        "dead link": Browser().get("/p/x/"),
        "new link": Browser().get("/my/new-link/"),
        "locked": Browser().get("/my/locked/"),
        "stopped": phone.browser.get("/my/locked/?stopped=1"),
        "code": other.browser.get("/my/code/"),
        "their page": home.get("/my/home/check/"),
    }
    shown = {name: page.content.decode().partition("<main")[2].partition("</main")[0] for name, page in pages.items()}
    assert {name: ("tel:988" in main, "sms:988" in main) for name, main in shown.items()} == dict.fromkeys(
        pages, (True, True)
    )


def test_a_new_generation_kills_the_older_link(sent: Invitation, maya: User) -> None:
    old = sent.path
    actions.resend(by=maya, invitation=sent, at=NOW)
    assert (Browser().get(old).status_code, Browser().get(sent.path).status_code) == (404, 200)


def test_the_token_leaves_the_address_with_the_first_press(sent: Invitation, fresh: Fresh) -> None:
    """Security check 35."""
    answer = fresh().open()
    assert (answer.status_code, answer["Location"]) == (303, "/my/")
    assert answer["Referrer-Policy"] == "strict-origin"  # the address of a page goes nowhere, not even to ourselves
    page = fresh().get(sent.path).content.decode()
    assert page.count(sent.token) == 1  # the address of its own button


def test_no_token_and_no_code_is_kept_in_clear(phone: Phone) -> None:
    from django.contrib.sessions.models import Session

    kept = repr(list(Invitation.objects.values())) + repr([row.get_decoded() for row in Session.objects.all()])
    kept += repr(list(SentForm.objects.values())) + repr(list(AuditEvent.objects.values()))
    assert (phone.invitation.token in kept, actions.return_code(phone.sitting) in kept) == (False, False)


def test_an_expired_link_sends_a_new_one_to_the_safe_way_and_says_the_same(sent: Invitation, clock: Any) -> None:
    old = sent.token
    clock.shift(timedelta(days=15))
    browser = Browser()
    first = send(browser, "/my/new-link/", {"token": old})
    sent.refresh_from_db()
    assert (sent.generation, Notice.objects.filter(template="invitation").count()) == (2, 4)
    second = send(browser, "/my/new-link/", {"token": old})
    third = send(browser, "/my/new-link/", {"token": secrets.token_hex(32)})
    assert {(a.status_code, a["Location"]) for a in (first, second, third)} == {(303, "/my/new-link/")}
    assert Notice.objects.filter(template="invitation").count() == 4


def test_a_link_that_still_works_is_not_sent_again(sent: Invitation) -> None:
    send(Browser(), "/my/new-link/", {"token": sent.token})
    sent.refresh_from_db()
    assert (sent.generation, Notice.objects.filter(template="invitation").count()) == (1, 2)


def test_a_new_link_goes_nowhere_when_no_way_is_safe(sent: Invitation, sam: Client, clock: Any) -> None:
    sam.reach = {"email": False, "sms": False}
    sam.save()
    clock.shift(timedelta(days=15))
    assert send(Browser(), "/my/new-link/", {"token": sent.token}).status_code == 303
    assert Notice.objects.filter(template="invitation").count() == 2


# --- Coming back -----------------------------------------------------------------------------------------------------


def test_the_return_code_opens_the_answers_on_another_device(phone: Phone, fresh: Fresh) -> None:
    """Ux check 9: the next open question, earlier answers kept."""
    for n in range(1, 6):
        phone.say(f"phq-9--{n}", "1")
    code = actions.return_code(phone.sitting)
    assert code in text_of(phone.browser.get("/my/later/"))
    laptop = fresh()
    assert laptop.open()["Location"] == "/my/code/"
    assert laptop.browser.get("/my/q/phq-9--5/")["Location"] == "/my/locked/"
    typed = code.lower().replace("-", " ")
    assert laptop.post("/my/code/", {"code": typed})["Location"] == "/my/q/phq-9--6/"
    assert b"checked" in laptop.browser.get("/my/q/phq-9--5/").content


def test_five_wrong_codes_lock_it_and_staff_are_told(phone: Phone, fresh: Fresh, maya: User, clock: Any) -> None:
    """Security check 34, second half."""
    phone.say("phq-9--1", "1")
    code, thief = actions.return_code(phone.sitting), fresh()
    thief.open()
    for _ in range(4):
        assert "That code does not fit" in text_of(thief.post("/my/code/", {"code": "2222-2222"}))
    page = text_of(thief.post("/my/code/", {"code": "2222-2222"}))
    assert "opens again at 10:15 am" in page and "555 0110" in page
    assert thief.post("/my/code/", {"code": code}).status_code == 200
    assert list(Notice.objects.filter(template="locked").values_list("user__name", flat=True)) == [maya.name]
    assert Task.objects.filter(kind="todo", done_at=None).count() == 1
    assert phone.say("phq-9--2", "1").status_code == 303  # the person at their own phone goes on
    clock.shift(timedelta(minutes=15))
    assert thief.post("/my/code/", {"code": code})["Location"].startswith("/my/q/")


def test_wrong_codes_count_although_the_page_is_not_a_redirect(phone: Phone, fresh: Fresh) -> None:
    phone.say("phq-9--1", "1")
    other = fresh()
    other.open()
    other.post("/my/code/", {"code": "\x00' OR 1=1 --" + "9" * 5000})
    other.post("/my/code/", {"code": ""})
    assert Invitation.objects.get().tries == 2


def test_a_one_time_code_goes_only_where_the_client_said_nobody_else_reads(
    phone: Phone, fresh: Fresh, clock: Any
) -> None:
    phone.say("reach", ["sms", "email"])
    phone.say("private", ["sms"])
    other = fresh()
    other.open()
    page = text_of(other.browser.get("/my/code/"))
    assert ("Text me a code" in page, "Mail me a code" in page) == (True, False)
    other.post("/my/code/", {"send": "email"})
    assert Notice.objects.filter(template="code").count() == 0
    other.post("/my/code/", {"send": "sms"})
    other.post("/my/code/", {"send": "sms"})  # not twice within a minute
    [notice] = Notice.objects.filter(template="code")
    code = notice.words["code"]
    assert (notice.channel, notice.address, len(code), code.isdigit()) == ("sms", "+1 202 555 0142", 6, True)
    assert Invitation.objects.filter(code_digest=code).count() == 0
    clock.shift(timedelta(minutes=10))
    assert other.post("/my/code/", {"code": code}).status_code == 200
    other.post("/my/code/", {"send": "sms"})
    code = newest_code("code")
    assert other.post("/my/code/", {"code": code})["Location"].startswith("/my/q/")
    again = fresh()
    again.open()
    assert again.post("/my/code/", {"code": code}).status_code == 200  # used up


def test_a_changed_number_is_not_private_until_they_say_so(phone: Phone, sam: Client) -> None:
    phone.say("contact", phone="555 0199")
    sam.refresh_from_db()
    assert (sam.phone, sam.reach["private"]) == ("555 0199", ["email"])


# --- Locking ---------------------------------------------------------------------------------------------------------


def test_fifteen_minutes_lock_the_page_and_keep_what_was_sent(phone: Phone, clock: Any) -> None:
    """Ux check 18, security check 22 on the client's side."""
    phone.say("phq-9--1", "1")
    clock.shift(timedelta(minutes=15, seconds=1))
    answer = phone.say("phq-9--2", "3")
    assert answer["Location"] == "/my/locked/"
    assert phone.said() == {"phq-9--1": 1, "phq-9--2": 3}
    page = text_of(phone.browser.get("/my/locked/"))
    assert "We locked this page to keep it private. Your answers are saved." in page
    assert phone.browser.get("/my/q/phq-9--2/")["Location"] == "/my/locked/"
    code = actions.return_code(phone.sitting)
    assert phone.post("/my/code/", {"code": code})["Location"] == "/my/q/phq-9--3/"


def test_a_safety_answer_on_a_locked_page_raises_its_flag(phone: Phone, clock: Any) -> None:
    from practice.models import Alert

    phone.say("phq-9--1", "1")
    clock.shift(timedelta(minutes=20))
    assert phone.browser.post("/my/save/phq-9--9/", {"answer": "2"}).status_code == 423
    assert Alert.objects.get().severity == "urgent"


@pytest.mark.parametrize("quiet", ["?skip_timeout_reset=1", "?poll=1", ""])
def test_nothing_extends_a_locked_session(phone: Phone, clock: Any, quiet: str) -> None:
    phone.say("phq-9--1", "1")
    clock.shift(timedelta(minutes=16))
    for url in ("/my/", "/my/check/", "/my/done/", "/my/support/", "/my/later/", "/my/call-me/", "/my/q/phq-9--1/"):
        assert phone.browser.get(url + quiet)["Location"] == "/my/locked/", url


def test_twelve_hours_end_it_whatever_they_do(phone: Phone, clock: Any) -> None:
    """Security check 23 on the client's side."""
    phone.say("phq-9--1", "1")
    for _ in range(72):
        clock.shift(timedelta(minutes=10))
        answer = phone.browser.get("/my/q/phq-9--2/")
    assert answer.status_code == 200
    clock.shift(timedelta(minutes=1))
    assert phone.browser.get("/my/q/phq-9--2/")["Location"] == "/my/locked/"


def test_the_script_is_told_that_a_page_is_locked(phone: Phone, clock: Any) -> None:
    clock.shift(timedelta(minutes=16))
    assert phone.browser.post("/my/save/phq-9--1/", {"answer": "1"}).status_code == 423
    assert Browser().post("/my/save/phq-9--1/", {"answer": "1"}).status_code == 423
    assert phone.said() == {"phq-9--1": 1}


def test_taking_a_packet_back_ends_every_browser(phone: Phone, maya: User) -> None:
    phone.say("phq-9--1", "1")
    actions.withdraw(by=maya, invitation=phone.invitation, at=NOW)
    assert phone.browser.get("/my/q/phq-9--1/")["Location"] == "/my/locked/"
    assert "open the link that we sent you" in text_of(phone.browser.get("/my/locked/"))
    assert phone.said() == {"phq-9--1": 1}


def test_who_holds_no_link_is_not_told_of_answers(house: object) -> None:
    """Law 4: nobody is told that something is saved of whom nothing is known; there is a number to call."""
    for path in ("/my/", "/my/home/", "/with/"):
        page = Browser().get(path, follow=True).content.decode()
        assert ("Open the link that we sent you" in page, "are saved" in page) == (True, False)
        assert 'Or call us: <a class="nowrap" href="tel:5550110">555 0110</a>, weekdays 8 am to 5 pm.' in page


# --- After sending ---------------------------------------------------------------------------------------------------


def test_sent_answers_cannot_be_read_back_through_the_link(phone: Phone, fresh: Fresh) -> None:
    """Security check 36: another browser sees that they arrived, and no answer."""
    fill_required(phone)
    phone.say("story", "The canary sings at midnight")
    phone.say("phq-9--9", "2")
    phone.post("/my/send/")
    other = fresh()
    assert other.open()["Location"] == "/my/done/"
    pages = [other.get(url) for url in (
        "/my/done/", "/my/", "/my/check/", "/my/support/", "/my/later/", "/my/call-me/",
        "/my/q/story/", "/my/q/names/", "/my/q/phq-9--9/", "/my/code/", "/my/locked/",
    )]  # fmt: skip
    seen = " ".join(page.content.decode() for page in pages)
    secret = ("canary", "Samuel", "Whitehorse", "555 0142", "sam@example.net", "Elm", "1993", "checked", "/my/copies/",
              "Thank you for telling us", actions.return_code(phone.sitting))  # fmt: skip
    assert [word for word in secret if word in seen] == []
    copy = phone.sitting.signatures.get()
    assert other.browser.get(f"/my/copies/{copy.pk}/").status_code in (303, 404)


def test_the_own_browser_cannot_open_a_question_again_either(phone: Phone) -> None:
    fill_required(phone)
    phone.say("story", "The canary sings at midnight")
    phone.post("/my/send/")
    for url in ("/my/q/story/", "/my/check/", "/my/"):
        assert b"canary" not in phone.get(url).content
    assert phone.browser.post("/my/save/story/", {"answer": "changed"}).status_code == 409
    assert phone.say("story", "changed")["Location"] == "/my/done/"
    assert phone.saved("story") == "The canary sings at midnight"


def test_two_clients_in_two_browsers_never_see_each_other(phone: Phone, kit: Client, omar: User, on_call: User) -> None:
    """Security check 4."""
    other = Phone(actions.invite(by=omar, client=kit, key="intake", at=NOW)).start()
    phone.say("story", "first canary")
    other.say("story", "second canary")
    for url in ("/my/q/story/", "/my/check/", "/my/", "/my/later/"):
        mine, theirs = phone.browser.get(url).content, other.browser.get(url).content
        assert (b"second" in mine, b"first canary" in theirs) == (False, False)
    other.post(
        "/my/q/story/", {"answer": "third", "client": str(phone.sitting.client_id), "intake": str(phone.sitting.pk)}
    )
    assert (phone.saved("story"), other.saved("story")) == ("first canary", "third")
    fill_required(phone)
    copy = phone.sitting.signatures.get()
    assert other.browser.get(f"/my/copies/{copy.pk}/").status_code == 404


def test_nobody_gets_in_without_a_link(db: None) -> None:
    for url in ("/my/", "/my/q/phq-9--1/", "/my/support/", "/my/check/", "/my/send/", "/my/done/", "/my/later/"):
        assert Browser().get(url)["Location"] == "/my/locked/"
        assert send(Browser(), url)["Location"] == "/my/locked/?lost=1"
