"""KAP under attack: doses past a gate, sessions of the wrong kind or day, care that ended, links, and hostile input."""

import json
from collections.abc import Callable
from datetime import date, time, timedelta
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.test import Client as Browser
from django.urls import reverse

from intake.models import Signature
from practice.actions import NotNow, discharge
from practice.clinical.planning import templates
from practice.kap.actions import clearance, plans, requests, room
from practice.kap.feed import sessions_of
from practice.kap.models import ClearanceRequest, DoseUse, Entry, OutsidePrescriber, Plan, Session
from practice.models import Client, Notice, User
from tests.factories import NOW
from tests.kap.test_room import AT, DOSE, MINUTE, dosed, keep, line, prepared, started

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


# --- A dose past its gates -------------------------------------------------------------------------------------------


def test_no_dose_belongs_to_a_talk(plan: Plan, maya: User) -> None:
    """A talk is started without a single check: a dose written there would pass every one of them."""
    talk = plan.sessions.filter(kind="preparation").earliest("starts_at")
    room.start(by=maya, session=talk, at=talk.starts_at)
    said = "No dose is given in this session. Open the dosing session and record it there."
    for kind in ("dose", "supplement"):
        assert keep(talk, maya, line(kind, given="yes", **DOSE), at=talk.starts_at) == [said]
    assert not DoseUse.objects.exists()
    assert not talk.entries.exists()


@pytest.mark.parametrize(
    ("later", "said"),
    [
        (
            line("vitals", when="before", sbp="185", dbp="112"),
            "Blood pressure is in crisis range. No dose. Repeat in 5 minutes; same-day medical care.",
        ),
        (line("ready", item="food", answer="no"), "No food for 4 hours and no drink for 2 hours? No."),
        (line("ready", item="screener", answer="yes"), "Thoughts of suicide since we last spoke? Yes."),
    ],
)
def test_what_changes_between_the_start_and_the_dose_still_stops_the_dose(
    dosing: Session, maya: User, pax: User, later: dict[str, Any], said: str
) -> None:
    started(dosing, maya)
    assert keep(dosing, maya, later, at=AT + MINUTE) == [""]
    assert keep(dosing, maya, line("dose", **DOSE), at=AT + 2 * MINUTE) == [said]
    assert not DoseUse.objects.exists()
    assert keep(dosing, maya, line("dose", given="yes", **DOSE), at=AT + 3 * MINUTE) == [""]
    assert dosing.entries.get(kind=Kind.DOSE).facts["against"] == said
    assert DoseUse.objects.count() == 1
    assert pax in {notice.user for notice in Notice.objects.filter(template="session_event")}


def test_next_weeks_session_is_not_started_today(plan: Plan, dosing: Session, maya: User) -> None:
    """Two doses in a day, past the 48 hours, without a prescriber's word."""
    dosed(dosing, maya)
    other = plan.sessions.filter(kind="dosing").latest("starts_at")
    prepared(other, maya)
    said = "This session is planned for Dec 9, 2026. Move it to today first."
    with pytest.raises(NotNow, match=said):
        room.start(by=maya, session=other, at=AT + 3 * MINUTE)


def test_dose_entered_anew_by_another_way_is_refused(dosing: Session, maya: User) -> None:
    dosed(dosing, maya)
    wrong = dosing.entries.get(kind=Kind.DOSE)
    assert keep(dosing, maya, line("correct", corrects=str(wrong.key), words="By needle."), at=AT + MINUTE) == [""]
    assert keep(dosing, maya, line("dose", **(DOSE | {"route": "im"})), at=AT + 2 * MINUTE) == [
        "The prescriber cleared another route: Under the tongue (troche)."
    ]


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({"mg": "5000"}, "This is more than the prescriber cleared: at most 100 mg."),
        ({"route": "im"}, "The prescriber cleared another route: Under the tongue (troche)."),
    ],
)
def test_supplemental_dose_keeps_to_what_was_cleared(
    dosing: Session, maya: User, pax: User, facts: dict[str, str], said: str
) -> None:
    dosed(dosing, maya)
    assert keep(dosing, maya, line("supplement", **(DOSE | facts)), at=AT + MINUTE) == [said]
    assert keep(dosing, maya, line("supplement", given="yes", **(DOSE | facts)), at=AT + MINUTE) == [""]
    assert dosing.entries.get(kind=Kind.SUPPLEMENT).facts["against"] == said
    assert pax in {notice.user for notice in Notice.objects.filter(template="session_event")}


def test_supplemental_dose_after_the_clearance_was_taken_back_is_refused(
    dosing: Session, maya: User, pax: User
) -> None:
    dosed(dosing, maya)
    clearance.withdraw(by=pax, clearance=dosing.plan.client.dose_clearances.get(), words="Stop.", at=AT)
    assert keep(dosing, maya, line("supplement", **DOSE), at=AT + MINUTE) == ["The prescriber took the clearance back."]


def test_dose_that_was_given_while_the_plan_changed_elsewhere_is_kept(dosing: Session, maya: User, pax: User) -> None:
    """Law 1 of the log: the network was gone, and meanwhile a colleague left the session out."""
    plans.skip(by=maya, session=dosing, said="By mistake.", at=AT)
    late = AT + timedelta(hours=1)
    sent = line("dose", **DOSE) | {"device_at": AT.isoformat()}
    assert keep(dosing, maya, sent, at=late, sent_at=late) == [""]
    dosing.refresh_from_db()
    assert (dosing.state, dosing.started_at) == (State.STARTED, AT)
    assert dosing.entries.get().facts["against"] == "This session was left out or not booked when the dose was given."
    assert [row.pk for row in sessions_of(maya, late) if row.pk == dosing.pk] == [dosing.pk]
    assert pax in {notice.user for notice in Notice.objects.filter(template="session_event")}


@pytest.mark.parametrize(("mg", "kept"), [("1E+2", "100"), ("0100", "100"), ("1_00", "100"), ("62.50", "62.5")])
def test_dose_is_kept_as_it_is_read(dosing: Session, maya: User, mg: str, kept: str) -> None:
    started(dosing, maya)
    assert keep(dosing, maya, line("dose", **(DOSE | {"mg": mg}))) == [""]
    assert dosing.entries.get(kind=Kind.DOSE).facts["mg"] == kept


@pytest.mark.parametrize("mg", ["NaN", "sNaN", "Infinity", "1e9", "0.1", "-100", "100." + "1" * 500, "99.9999999"])
def test_dose_that_no_label_says_is_given_back(dosing: Session, maya: User, mg: str) -> None:
    started(dosing, maya)
    assert keep(dosing, maya, line("dose", **(DOSE | {"mg": mg}))) == [
        "Enter the dose in milligrams, as on the label: a number such as 100."
    ]


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


# --- Hostile input ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lines", ["[" * 100_000, '[{"facts":' * 50_000, "1" * 5000, '"\\ud800"'])
def test_list_nested_without_end_is_refused(
    nine: None, dosing: Session, maya: User, as_user: As, post: Post, lines: str
) -> None:
    assert post(as_user(maya), address(dosing, "session_entries"), {"lines": lines}).status_code == 400


@pytest.mark.parametrize("sent_at", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "x" * 5000])
def test_clock_out_of_all_reason_keeps_the_line(
    nine: None, dosing: Session, maya: User, as_user: As, post: Post, sent_at: str
) -> None:
    sent = line("check", state="as_expected") | {"device_at": sent_at[:30]}
    data = {"lines": json.dumps([sent, line("check", state="as_expected")]), "sent_at": sent_at}
    answer = post(as_user(maya), address(dosing, "session_entries"), data)
    assert answer.status_code == 200
    assert answer.json()["taken"][1]["sentence"] == ""


@pytest.mark.parametrize("when", ["9999-12-31T23:00", "9999-12-01T09:00", "2400-01-01T09:00"])
@pytest.mark.parametrize("act", ["move", "add"])
def test_session_at_the_end_of_time_is_a_sentence(
    nine: None, plan: Plan, dosing: Session, maya: User, as_user: As, post: Post, when: str, act: str
) -> None:
    other = plan.sessions.filter(kind="dosing").latest("starts_at")
    data = {"session": other.pk, "kind": "dosing", "starts_at": when, "with_rest": "on", "said": "Later."}
    answer = post(as_user(maya), reverse(f"plan_{act}", args=[plan.pk]), data)
    assert (answer.status_code, "Choose a time within two years." in answer.content.decode()) == (400, True)


# --- The prescriber's link -------------------------------------------------------------------------------------------


@pytest.fixture
def asked(nine: None, sam: Client, maya: User) -> ClearanceRequest:
    grey = OutsidePrescriber.objects.create(name="Dr. Ann Grey", licence="MD 1", email="grey@example.org")
    requests.ask(by=maya, client=sam, to=grey, plan=None, words="Please clear two.", at=AT)
    found: ClearanceRequest = ClearanceRequest.objects.get()
    return found


def test_question_dies_when_the_address_of_its_prescriber_changes(
    asked: ClearanceRequest, maya: User, as_user: As, post: Post
) -> None:
    """Whoever keeps the list must not become the prescriber by writing their own address into it."""
    url = reverse("prescribers") + f"?edit={asked.to_id}"
    data = {"name": "Dr. Ann Grey", "licence": "MD 1", "email": "mine@example.org", "is_active": "on"}
    assert post(as_user(maya), url, data).status_code == 302
    asked.refresh_from_db()
    assert asked.taken_back_at == AT
    assert Browser().get(reverse("prescriber_open", args=[asked.token])).status_code == 404


def test_nobody_on_staff_is_a_prescriber_outside(
    asked: ClearanceRequest, maya: User, omar: User, as_user: As, post: Post
) -> None:
    for who in (maya, omar):
        data = {"name": "Dr. No", "licence": "", "email": who.email.upper(), "is_active": "on"}
        answer = post(as_user(maya), reverse("prescribers"), data)
        assert answer.status_code == 400
        assert "This is the address of somebody who works here." in answer.content.decode()
    assert OutsidePrescriber.objects.count() == 1


def test_clearance_without_an_end_is_a_sentence(
    asked: ClearanceRequest, sam: Client, pax: User, as_user: As, post: Post
) -> None:
    data = {"doses": "26", "until": "9999-12-31", "most_mg": "100", "route": "sublingual"}
    answer = post(as_user(pax), reverse("clearance_add", args=[sam.pk]), data)
    assert (answer.status_code, "Choose a day within two years." in answer.content.decode()) == (400, True)
    assert not sam.dose_clearances.exists()
