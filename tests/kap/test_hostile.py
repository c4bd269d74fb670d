"""KAP under attack: doses past a gate, sessions of the wrong kind or day, care that ended, links, and hostile input."""

from collections.abc import Callable
from datetime import date, time
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.test import Client as Browser
from django.urls import reverse

from intake.models import Signature
from practice.actions import NotNow, discharge
from practice.clinical.planning import templates
from practice.kap.actions import clearance, plans, room
from practice.kap.models import Entry, Plan, Session
from practice.models import Client, User
from tests.factories import NOW
from tests.kap.test_room import AT, MINUTE, keep, line, started

As = Callable[[User], Browser]
Post = Callable[..., Any]
State, Kind = Session.State, Entry.Kind


@pytest.fixture
def plan(maya: User, pax: User, sam: Client) -> Plan:
    clearance.grant(
        by=pax, client=sam, doses=6, until=date(2027, 6, 1), most_mg=Decimal(100), route="sublingual", words="", at=NOW
    )
    signed = Signature(client=sam, document="ketamine", version="1", text_sha256="0" * 64, signed_at=NOW)
    signed.typed_name = "Sam Whitehorse"
    signed.save()
    return plans.make(
        by=maya, client=sam, template=templates()["weekly"], at=NOW, first=date(2026, 12, 2), clock=time(9),
        therapist=maya, room="Blue room", count=2,
    )  # fmt: skip


@pytest.fixture
def dosing(plan: Plan) -> Session:
    found: Session = plan.sessions.filter(kind="dosing").earliest("starts_at")
    return found


@pytest.fixture
def nine() -> Any:
    with time_machine.travel(AT, tick=False):
        yield


def address(session: Session, name: str = "session") -> str:
    return reverse(name, args=[session.plan_id, session.pk])


# --- Care that ended -------------------------------------------------------------------------------------------------


def test_discharge_ends_the_plan_and_what_is_ahead(plan: Plan, dosing: Session, maya: User, sam: Client) -> None:
    discharge(by=maya, client=sam, status=Client.Status.DISCHARGED, words="Moved away.", at=NOW)
    plan.refresh_from_db()
    assert (plan.state, plan.ended_by, plan.end_words) == (Plan.State.STOPPED, maya, "Their care ended.")
    assert set(plan.sessions.values_list("state", flat=True)) == {State.SKIPPED}
    assert plan.changes.get(what="stopped").words == "Their care ended."
    sam.refresh_from_db()
    assert (sam.next_session_at, sam.plan_name, sam.plan_note) == (None, "", "")
    with pytest.raises(NotNow, match="not planned any more"):
        room.start(by=maya, session=dosing, at=AT)


def test_nobody_is_discharged_in_the_middle_of_a_session(dosing: Session, maya: User, sam: Client) -> None:
    started(dosing, maya)
    with pytest.raises(NotNow, match="A session is under way"):
        discharge(by=maya, client=sam, status=Client.Status.DISCHARGED, words="Moved away.", at=AT)
    discharge(by=maya, client=sam, status=Client.Status.DIED, words="They died.", at=AT)
    dosing.refresh_from_db()
    assert dosing.state == State.STARTED
    assert keep(dosing, maya, line("event", what="unresponsive", grade="4"), at=AT + MINUTE) == [""]


@pytest.mark.parametrize("when", ["9999-12-31T23:00", "9999-12-01T09:00", "2400-01-01T09:00"])
@pytest.mark.parametrize("act", ["move", "add"])
def test_session_at_the_end_of_time_is_a_sentence(
    nine: None, plan: Plan, dosing: Session, maya: User, as_user: As, post: Post, when: str, act: str
) -> None:
    other = plan.sessions.filter(kind="dosing").latest("starts_at")
    data = {"session": other.pk, "kind": "dosing", "starts_at": when, "with_rest": "on", "said": "Later."}
    answer = post(as_user(maya), reverse(f"plan_{act}", args=[plan.pk]), data)
    assert (answer.status_code, "Choose a time within two years." in answer.content.decode()) == (400, True)
