"""A prescriber without an account: asked by a link, in by a code, clears or says no, takes back (H3, H4)."""

import re
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.test import Client as Browser

from practice.kap.actions import clearance, requests
from practice.kap.models import ClearanceRequest, DoseClearance, Entry, OutsidePrescriber, Plan, Session, Withdrawal
from practice.models import AuditEvent, Client, Notice, Task, User
from tests.conftest import send
from tests.factories import NOW
from tests.homes import newest_code

As = Callable[[User], Browser]
PAGE, CODE = "/prescriber/answer/", "/prescriber/code/"
CLEAR = {"act": "clear", "doses": "2", "until": "2027-01-31", "most_mg": "137", "route": "sublingual", "words": "Two"}


@pytest.fixture(autouse=True)
def _now() -> Iterator[None]:
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def grey(db: None) -> OutsidePrescriber:
    return OutsidePrescriber.objects.create(name="Dr Grey", email="grey@rx.example")


@pytest.fixture
def asked(sam: Client, maya: User, grey: OutsidePrescriber) -> ClearanceRequest:
    plan = Plan.objects.create(client=sam, shape="weekly", planned=3, started_on=NOW.date(), therapist=maya)
    dose = Session.objects.create(plan=plan, kind="dosing", number=1, starts_at=NOW + timedelta(days=6))
    reading = Entry(session=dose, kind="vitals", happened_at=NOW, at=NOW, by=maya)
    reading.facts = {"when": "before", "sbp": 128, "dbp": 82}
    reading.save()
    requests.ask(by=maya, client=sam, to=grey, plan=plan, words="Two doses first?", at=NOW)
    return ClearanceRequest.objects.get()


def link(row: ClearanceRequest) -> str:
    return f"/x/{row.token}/"


def code() -> str:
    return newest_code("prescriber_code")


def inside(row: ClearanceRequest) -> Browser:
    browser = Browser()
    assert send(browser, link(row))["Location"] == CODE
    assert send(browser, CODE, {"code": code()})["Location"] == PAGE
    return browser


def text(answer: Any) -> str:
    main = answer.content.decode().partition("<main")[2].partition("</main")[0]
    return " ".join(re.sub(r"<[^>]*>", " ", main).split())


# --- Asking ----------------------------------------------------------------------------------------------------------


def test_therapist_asks_and_the_message_says_nothing(
    sam: Client, maya: User, grey: OutsidePrescriber, as_user: As
) -> None:
    url = f"/clients/{sam.pk}/clearance/ask/"
    assert send(as_user(maya), url, {"to": grey.pk, "words": "Two doses first?"})["Location"] == url
    row = ClearanceRequest.objects.get()
    assert (row.words, row.asked_by, row.expires_at) == ("Two doses first?", maya, NOW + timedelta(days=14))
    notice = Notice.objects.get()
    assert (notice.address, list(notice.words)) == ("grey@rx.example", ["link"])
    assert notice.words["link"].endswith(link(row))
    assert "Waits for the answer until Thu Dec 3" in text(as_user(maya).get(url))


def test_same_prescriber_is_asked_once_at_a_time(asked: ClearanceRequest, sam: Client, maya: User, as_user: As) -> None:
    url = f"/clients/{sam.pk}/clearance/ask/"
    answer = send(as_user(maya), url, {"to": asked.to_id, "words": "Again?"})
    assert (answer.status_code, "This prescriber was asked already." in text(answer)) == (400, True)
    assert "Again?" in text(answer)
    send(as_user(maya), url, {"back": str(asked.pk)})
    assert Browser().get(link(asked)).status_code == 404
    assert send(as_user(maya), url, {"to": asked.to_id, "words": "Again?"}).status_code == 302
    assert ClearanceRequest.objects.count() == 2


@pytest.mark.parametrize(("who", "status"), [("omar", 404), ("fay", 403), ("pax", 403), ("rosa", 403)])
def test_asking_is_for_those_who_plan(
    asked: ClearanceRequest, sam: Client, who: str, status: int, request: pytest.FixtureRequest, as_user: As
) -> None:
    answer = as_user(request.getfixturevalue(who)).get(f"/clients/{sam.pk}/clearance/ask/")
    assert (answer.status_code, "Two doses first" in answer.content.decode()) == (status, False)


def test_list_of_prescribers_is_kept(maya: User, grey: OutsidePrescriber, as_user: As) -> None:
    browser = as_user(maya)
    same = send(browser, "/prescribers/", {"name": "Dr Twin", "email": "Grey@rx.example", "is_active": "on"})
    assert (same.status_code, "Another prescriber in this list has this address." in text(same)) == (400, True)
    said = {"name": "Dr Gray", "email": "gray@rx.example", "phone": "202 555 0199"}
    assert send(browser, f"/prescribers/?edit={grey.pk}", said).status_code == 302
    row = OutsidePrescriber.objects.get()
    assert (row.name, row.email, row.is_active) == ("Dr Gray", "gray@rx.example", False)
    assert [browser.get(f"/prescribers/?edit={wrong}").status_code for wrong in ("0", "x", "9" * 30)] == [404] * 3


# --- The link and the code -------------------------------------------------------------------------------------------


def test_looking_at_the_link_spends_nothing_and_shows_no_client(asked: ClearanceRequest) -> None:
    def state() -> tuple[Any, ...]:
        kept = ("answered_at", "code_digest", "code_expires_at", "tries", "locked_until", "generation", "expires_at")
        return ClearanceRequest.objects.values_list(*kept).get(), Notice.objects.count(), AuditEvent.objects.count()

    before = state()
    for _ in range(3):
        said = Browser().get(link(asked)).content.decode()
    assert state() == before
    assert [word for word in ("Whitehorse", "1993", "Mar 8", "Two doses", "128") if word in said] == []
    assert "g•••@rx.example" in said and "grey@" not in said


def test_without_the_code_nothing_is_seen(asked: ClearanceRequest) -> None:
    browser = Browser()
    assert browser.get(PAGE).status_code == 404
    send(browser, link(asked))
    assert browser.get(PAGE)["Location"] == CODE
    assert send(browser, PAGE, CLEAR).status_code == 200
    assert (DoseClearance.objects.count(), "Whitehorse" in browser.get(CODE).content.decode()) == (0, False)


def test_five_wrong_codes_lock_for_fifteen_minutes_and_the_practice_is_told(
    asked: ClearanceRequest, maya: User
) -> None:
    browser = Browser()
    send(browser, link(asked))
    right = code()
    for _ in range(5):
        answer = send(browser, CODE, {"code": "12" if right != "12" else "13"})
    assert "There were too many tries. Codes work again at 10:15 am. We were told." in text(answer)
    assert [n.user for n in Notice.objects.filter(template="locked")] == [maya]
    assert Task.objects.get(kind="todo").facts == {"reason": "wrong_codes"}
    assert send(browser, CODE, {"code": right}).status_code == 200
    with time_machine.travel(NOW + timedelta(minutes=16), tick=False):
        send(browser, CODE, {"send": "1"})
        assert send(browser, CODE, {"code": code()})["Location"] == PAGE


def test_code_works_for_ten_minutes_and_once(asked: ClearanceRequest) -> None:
    browser = Browser()
    send(browser, link(asked))
    sent = code()
    with time_machine.travel(NOW + timedelta(minutes=10), tick=False):
        assert send(browser, CODE, {"code": sent}).status_code == 200
    assert send(browser, CODE, {"code": sent})["Location"] == PAGE
    assert send(browser, CODE, {"code": sent}).status_code == 200


def dead(row: ClearanceRequest, how: str) -> datetime:
    if how == "ran out":
        return NOW + timedelta(days=14)
    if how == "taken back":
        requests.take_back(by=row.asked_by, request=row, at=NOW)
    elif how == "not asked any more":
        OutsidePrescriber.objects.update(is_active=False)
    else:
        Client.objects.update(status="discharged")
    return NOW


@pytest.mark.parametrize("how", ["ran out", "taken back", "not asked any more", "client left"])
def test_dead_link_opens_nothing_and_never_says_why(asked: ClearanceRequest, how: str) -> None:
    browser, unknown = inside(asked), Browser().get(f"/x/{'0' * 64}/").content
    with time_machine.travel(dead(asked, how), tick=False):
        answer = Browser().get(link(asked))
        assert (answer.status_code, answer.content) == (404, unknown)
        assert browser.get(PAGE).status_code == 404
        sent = send(browser, PAGE, CLEAR | {"words": "Her <ECG> is new."})
        assert (sent.status_code, "Doses to clear" in text(sent)) == (404, False)
        assert "was not taken. Copy it if you need it: Her &lt;ECG&gt; is new." in text(sent)  # no word is lost
        assert "Sam" not in text(sent)
    assert DoseClearance.objects.count() == 0


# --- The answer ------------------------------------------------------------------------------------------------------


def test_page_shows_what_it_may_and_each_look_is_recorded(asked: ClearanceRequest) -> None:
    browser = inside(asked)
    said = text(browser.get(PAGE))
    for words in ("Sam Whitehorse", "Mar 8, 1993", "Maya Torres", "Weekly, 3 doses planned: Nov 25, 2026", "128/82",
                  "Two doses first?"):  # fmt: skip
        assert words in said
    for word in ("sam@example.net", "555 0142", "PHQ", "CH-04"):
        assert word not in said
    event = AuditEvent.objects.get(action="clearance.shown")
    assert (event.actor_kind, event.actor_id, event.facts) == (
        "outside",
        asked.pk,
        {"shows": ["name", "birth_date", "plan", "blood_pressure", "words"]},
    )


def test_cleared_doses_stand_in_the_ledger_and_the_practice_is_told(
    asked: ClearanceRequest, sam: Client, maya: User, as_user: As
) -> None:
    browser = inside(asked)
    assert send(browser, PAGE, CLEAR)["Location"] == PAGE
    [line] = clearance.ledger(sam, NOW.date()).lines
    row = line.clearance
    assert (row.doses, row.until, row.most_mg, row.by, row.by_request, row.words) == (
        2, date(2027, 1, 31), Decimal(137), None, asked, "Two",
    )  # fmt: skip
    assert [n.user for n in Notice.objects.filter(template="prescriber_answered")] == [maya]
    assert Task.objects.get(kind="todo").facts == {"reason": "prescriber_answered"}
    assert "Dr Grey" in text(as_user(maya).get(f"/clients/{sam.pk}/clearance/"))
    again = send(browser, PAGE, CLEAR | {"words": "More"})
    assert (again.status_code, "This question was answered or taken back already." in text(again)) == (400, True)
    assert DoseClearance.objects.count() == 1


def test_no_needs_words_and_is_shown_to_who_asked(
    asked: ClearanceRequest, sam: Client, maya: User, as_user: As
) -> None:
    browser = inside(asked)
    assert send(browser, PAGE, {"act": "none", "no": " "}).status_code == 400
    assert send(browser, PAGE, {"act": "none", "no": "Pressure first"})["Location"] == PAGE
    asked.refresh_from_db()
    assert (asked.answer, asked.answered_at, DoseClearance.objects.count()) == ("Pressure first", NOW, 0)
    said = text(as_user(maya).get(f"/clients/{sam.pk}/clearance/ask/"))
    assert "No dose cleared, Thu Nov 19, 10:00 am" in said and "Pressure first" in said


def test_own_clearance_is_taken_back_with_words(asked: ClearanceRequest, sam: Client) -> None:
    browser = inside(asked)
    send(browser, PAGE, CLEAR)
    own = str(DoseClearance.objects.get().pk)
    assert send(browser, PAGE, {"act": "withdraw", "clearance": own, "words": ""}).status_code == 400
    assert send(browser, PAGE, {"act": "withdraw", "clearance": own, "words": "New ECG"})["Location"] == PAGE
    assert (Withdrawal.objects.get().words, clearance.ledger(sam, NOW.date()).left) == ("New ECG", 0)


def test_clearance_of_another_is_not_taken_back(asked: ClearanceRequest, sam: Client, pax: User) -> None:
    said = {"doses": 2, "until": date(2027, 1, 1), "most_mg": Decimal(9), "route": "im", "words": ""}
    other = clearance.grant(by=pax, client=sam, at=NOW, **said)
    answer = send(inside(asked), PAGE, {"act": "withdraw", "clearance": str(other.pk), "words": "x"})
    assert (answer.status_code, Withdrawal.objects.count()) == (400, 0)


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"most_mg": "0.1"}, "Write the dose in milligrams, not in grams."),
        ({"until": "2026-11-18"}, "The last day lies in the past."),
        ({"doses": "two"}, "Write the number of doses in digits."),
        ({"route": "iv"}, "Select a valid choice"),
    ],
)
def test_wrong_answer_is_a_sentence_and_keeps_what_was_typed(
    asked: ClearanceRequest, wrong: dict[str, str], sentence: str
) -> None:
    answer = send(inside(asked), PAGE, CLEAR | wrong | {"words": "Kept words"})
    assert (answer.status_code, sentence in text(answer), "Kept words" in text(answer)) == (400, True, True)
    asked.refresh_from_db()
    assert (asked.answered_at, DoseClearance.objects.count()) == (None, 0)


def test_quiet_page_locks_and_what_was_typed_stands_in_the_form_after_the_code(asked: ClearanceRequest) -> None:
    browser = inside(asked)
    with time_machine.travel(NOW + timedelta(minutes=16), tick=False):
        locked = send(browser, PAGE, CLEAR | {"words": "Typed for long"})
        assert "What you typed is kept." in text(locked) and "Whitehorse" not in locked.content.decode()
        kept = re.findall(r'name="kept" value="([^"]*)"', locked.content.decode())[0].replace("&quot;", '"')
        send(browser, CODE, {"send": "1", "kept": kept})
        opened = send(browser, CODE, {"code": code(), "kept": kept})
    assert "Typed for long" in text(opened)
    assert DoseClearance.objects.count() == 0


def test_second_answer_is_refused_and_its_words_stay_on_the_page(asked: ClearanceRequest) -> None:
    browser, other = inside(asked), inside_again(asked)
    assert send(browser, PAGE, CLEAR)["Location"] == PAGE
    page = send(other, PAGE, {"act": "none", "no": "Her pressure first."})
    assert (page.status_code, DoseClearance.objects.count()) == (400, 1)
    said = text(page)
    assert "This question was answered or taken back already." in said
    assert "What you wrote now was not taken. Copy it if you need it: Her pressure first." in said
    assert "You cleared Doses 2" in said
    assert "Two Why it is taken back" in said  # their own words for the record
    assert "was not taken" not in text(other.get(PAGE))


def inside_again(row: ClearanceRequest) -> Browser:
    with time_machine.travel(NOW + timedelta(minutes=2), tick=False):
        return inside(row)


def test_what_was_taken_back_stays_on_the_page_with_its_words(asked: ClearanceRequest) -> None:
    browser = inside(asked)
    send(browser, PAGE, CLEAR)
    mine = DoseClearance.objects.get()
    send(browser, PAGE, {"act": "withdraw", "clearance": str(mine.pk), "words": "Wrong client."})
    said = text(browser.get(PAGE))
    assert "You cleared" not in said
    assert re.search("You took this back Doses 2 .*Taken back .* The practice was told. Wrong client.", said)


def test_plan_of_one_dose_is_said_in_the_singular(asked: ClearanceRequest) -> None:
    Plan.objects.update(planned=1)
    assert "Weekly, 1 dose planned: Nov 25, 2026" in text(inside(asked).get(PAGE))
