"""A plan that waits for a prescriber without an account: lifted or left by the link, with words and a licence (H5)."""

from collections.abc import Callable, Iterator
from datetime import date, time, timedelta
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.test import Client as Browser

from practice.actions import NotNow
from practice.clinical import kap
from practice.clinical.planning import templates
from practice.kap.actions import clearance, plans, requests
from practice.kap.models import ClearanceRequest, DoseClearance, OutsidePrescriber, Override, Plan, PlanChange, Session
from practice.models import AuditEvent, Client, Notice, Task, User
from tests.conftest import send
from tests.factories import NOW
from tests.kap.test_prescriber_link import CLEAR, PAGE, inside, text

As = Callable[[User], Browser]
MINUTE = timedelta(minutes=1)
REASON = "She stays with her sister."
LIFT = {"act": "lift", "codes": [kap.UNDER_48_HOURS], "licence": "NY 123456", "said": REASON}
KEEP = {"act": "keep", "licence": "NY 123456", "said": "A week between, please."}
ANSWERED = "This question was answered or taken back already."


@pytest.fixture(autouse=True)
def _now() -> Iterator[None]:
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def grey(db: None) -> OutsidePrescriber:
    return OutsidePrescriber.objects.create(name="Dr Grey", email="grey@rx.example")


def cleared(pax: User, sam: Client) -> None:
    said = {"doses": 6, "until": date(2027, 6, 1), "most_mg": Decimal(100), "route": "sublingual", "words": ""}
    clearance.grant(by=pax, client=sam, at=NOW, **said)


@pytest.fixture
def weekend(sam: Client, maya: User) -> Plan:
    return plans.make(
        by=maya, client=sam, template=templates()["intensive-weekend"], first=date(2026, 12, 5), clock=time(9),
        therapist=maya, room="", at=NOW,
    )  # fmt: skip


def question(maya: User, sam: Client, grey: OutsidePrescriber, plan: Plan) -> ClearanceRequest:
    requests.ask(by=maya, client=sam, to=grey, plan=plan, words="Two days in a row?", at=NOW)
    return ClearanceRequest.objects.latest("asked_at")


@pytest.fixture
def asked(pax: User, maya: User, sam: Client, grey: OutsidePrescriber, weekend: Plan) -> ClearanceRequest:
    """Doses are cleared already; only the limit stands against the second day."""
    cleared(pax, sam)
    plans.book_more(by=maya, plan=weekend, at=NOW)
    return question(maya, sam, grey, weekend)


def seen(plan: Plan) -> dict[str, str]:
    return {"seen": str(Plan.objects.get(pk=plan.pk).version)}


def doses(plan: Plan) -> list[str]:
    return list(plan.sessions.filter(kind="dosing").values_list("state", flat=True))


def test_page_names_the_conflict_with_its_day(asked: ClearanceRequest, weekend: Plan) -> None:
    said = text(inside(asked).get(PAGE))
    assert "A plan waits for you" in said
    assert "Dosing 2, Sun Dec 6, 9:00 am: less than 48 hours after another dose" in said
    assert doses(weekend) == [Session.State.PLANNED, Session.State.WAITING]


def test_lifted_limit_books_what_waited_and_stands_with_name_and_licence(
    asked: ClearanceRequest, weekend: Plan, maya: User, as_user: As
) -> None:
    assert send(inside(asked), PAGE, LIFT | seen(weekend))["Location"] == PAGE
    made = Override.objects.get()
    assert (made.codes, made.words, made.by, made.by_request) == ([kap.UNDER_48_HOURS], REASON, None, asked)
    assert doses(weekend) == [Session.State.PLANNED] * 2
    asked.refresh_from_db()
    assert asked.answered_at == NOW
    assert [n.user for n in Notice.objects.filter(template="prescriber_answered")] == [maya]
    assert Task.objects.get(kind="todo").facts == {"reason": "prescriber_answered"}
    said = text(as_user(maya).get(weekend.get_absolute_url()))
    assert "Dr Grey, licence NY 123456, by a link" in said and REASON in said
    event = AuditEvent.objects.get(action="plan.overridden")
    assert (event.actor_kind, event.actor_id, event.facts) == ("outside", asked.pk, {})
    asking = text(as_user(maya).get(f"/clients/{weekend.client_id}/clearance/ask/"))
    assert "Limit lifted by the prescriber, Thu Nov 19, 10:00 am" in asking and "Cleared doses" not in asking


def test_limit_left_in_words_keeps_the_dose_waiting(
    asked: ClearanceRequest, weekend: Plan, maya: User, as_user: As
) -> None:
    browser = inside(asked)
    assert send(browser, PAGE, KEEP | seen(weekend))["Location"] == PAGE
    assert (Override.objects.count(), doses(weekend)[1]) == (0, Session.State.WAITING)
    change = PlanChange.objects.get(what=PlanChange.What.KEPT)
    assert (change.words, change.by_request, change.after) == (
        KEEP["said"], asked, {"codes": [kap.UNDER_48_HOURS], "name": "Dr Grey", "licence": "NY 123456"},
    )  # fmt: skip
    assert KEEP["said"] in text(as_user(maya).get(weekend.get_absolute_url()))
    page = text(browser.get(PAGE))
    assert "Limit kept by the prescriber, Thu Nov 19, 10:00 am" in page and "Lift it for this plan" not in page
    assert [n.user for n in Notice.objects.filter(template="prescriber_answered")] == [maya]


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        (LIFT | {"said": " "}, "Write the reason."),
        (LIFT | {"licence": ""}, "Write your licence."),
        (LIFT | {"codes": []}, "Choose the limit that is lifted."),
        (LIFT | {"codes": ["busy"]}, "That limit does not stand against this plan any more."),
        (LIFT | {"codes": ["outside_booster_window"]}, "That limit does not stand against this plan any more."),
        (KEEP | {"said": ""}, "Write a line, so that the practice knows why."),
        (KEEP | {"licence": " "}, "Write your licence."),
    ],
)
def test_wrong_answer_is_a_sentence_and_changes_nothing(
    asked: ClearanceRequest, weekend: Plan, said: dict[str, Any], sentence: str
) -> None:
    answer = send(inside(asked), PAGE, said | seen(weekend))
    assert (answer.status_code, sentence in text(answer)) == (400, True)
    assert ((said["said"].strip() or "NY 123456") in answer.content.decode()) is True
    asked.refresh_from_db()
    assert (asked.answered_at, Override.objects.count(), doses(weekend)[1]) == (None, 0, Session.State.WAITING)


def test_second_press_and_a_second_answer_change_nothing(asked: ClearanceRequest, weekend: Plan) -> None:
    first, second, said = inside(asked), Browser(), seen(weekend)
    second.cookies = first.cookies
    assert send(first, PAGE, LIFT | said)["Location"] == PAGE
    again = send(second, PAGE, KEEP | said)
    assert (again.status_code, ANSWERED in text(again)) == (400, True)
    assert f"was not taken. Copy it if you need it: {KEEP['said']}" in text(again)
    assert (Override.objects.count(), PlanChange.objects.filter(by_request=asked).count()) == (1, 1)
    with pytest.raises(NotNow, match=ANSWERED):
        requests.answer_limit(
            request=asked, codes=[kap.UNDER_48_HOURS], said="x", licence="x", seen=None, at=NOW + MINUTE
        )


def test_plan_that_moved_meanwhile_has_to_be_read_again(asked: ClearanceRequest, weekend: Plan, maya: User) -> None:
    browser, said = inside(asked), seen(weekend)
    second = weekend.sessions.get(kind="dosing", number=2)
    plans.move(by=maya, session=second, starts_at=second.starts_at + timedelta(hours=1), said="", at=NOW)
    answer = send(browser, PAGE, LIFT | said)
    assert (answer.status_code, "Somebody changed this plan while you looked at it." in text(answer)) == (400, True)
    assert Override.objects.count() == 0
    assert send(browser, PAGE, LIFT | seen(weekend))["Location"] == PAGE


def test_plan_that_ended_meanwhile_takes_no_answer(asked: ClearanceRequest, weekend: Plan, maya: User) -> None:
    browser, said = inside(asked), seen(weekend)
    plans.end(by=maya, plan=weekend, state=Plan.State.STOPPED, said="She moves away", at=NOW)
    assert [send(browser, PAGE, act | said).status_code for act in (LIFT, KEEP)] == [400, 400]
    assert "What stands against the plan" not in text(browser.get(PAGE))
    assert PlanChange.objects.filter(by_request=asked).count() == 0


@pytest.mark.parametrize("how", ["ran out", "taken back", "not asked any more", "client left"])
def test_dead_link_takes_no_answer(asked: ClearanceRequest, weekend: Plan, how: str) -> None:
    browser, said, at = inside(asked), seen(weekend), NOW
    if how == "ran out":
        at = NOW + timedelta(days=14)
    elif how == "taken back":
        requests.take_back(by=asked.asked_by, request=asked, at=NOW)
    elif how == "not asked any more":
        OutsidePrescriber.objects.update(is_active=False)
    else:
        Client.objects.update(status="discharged")
    with time_machine.travel(at, tick=False):
        assert send(browser, PAGE, LIFT | said).status_code == 404
    assert (Override.objects.count(), doses(weekend)[1]) == (0, Session.State.WAITING)


def test_one_link_clears_doses_and_lifts_the_limit(
    maya: User, sam: Client, grey: OutsidePrescriber, weekend: Plan
) -> None:
    row = question(maya, sam, grey, weekend)
    browser = inside(row)
    assert send(browser, PAGE, LIFT | seen(weekend))["Location"] == PAGE
    row.refresh_from_db()
    assert (row.answered_at, doses(weekend)) == (None, [Session.State.WAITING] * 2)
    assert send(browser, PAGE, CLEAR)["Location"] == PAGE
    row.refresh_from_db()
    assert (row.answered_at, DoseClearance.objects.get().by_request) == (NOW, row)
    assert plans.book_more(by=maya, plan=weekend, at=NOW) > 0
    assert doses(weekend) == [Session.State.PLANNED] * 2


def test_limit_is_still_asked_after_the_doses_were_cleared(
    maya: User, sam: Client, grey: OutsidePrescriber, weekend: Plan
) -> None:
    row = question(maya, sam, grey, weekend)
    browser = inside(row)
    send(browser, PAGE, CLEAR)
    assert "What stands against the plan" in text(browser.get(PAGE))
    assert send(browser, PAGE, LIFT | seen(weekend))["Location"] == PAGE
    assert Override.objects.get().by_request == row


def test_question_is_about_the_plan_that_waits(
    pax: User, maya: User, sam: Client, grey: OutsidePrescriber, as_user: As
) -> None:
    cleared(pax, sam)
    plans.make(
        by=maya, client=sam, template=templates()["weekly"], first=date(2026, 11, 25), clock=time(9), therapist=maya,
        room="", count=1, at=NOW,
    )  # fmt: skip
    waits = plans.make(
        by=maya, client=sam, template=templates()["intensive-weekend"], first=date(2027, 1, 9), clock=time(9),
        therapist=maya, room="", at=NOW,
    )  # fmt: skip
    assert "Ask a prescriber outside" in text(as_user(maya).get(waits.get_absolute_url()))
    send(as_user(maya), f"/clients/{sam.pk}/clearance/ask/", {"to": grey.pk, "words": "Both days?"})
    assert ClearanceRequest.objects.get().plan == waits
