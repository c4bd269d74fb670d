"""A session in the room (H3, H4, H8-H13): what starts it, what is kept of it, what follows, and bad input."""

import json
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
import time_machine
from django.test import Client as Browser
from django.urls import reverse
from django.utils import timezone

from intake import editions
from intake.models import AgreementText, Measure, Signature
from practice.access import Role
from practice.actions import NotNow
from practice.clinical.planning import templates
from practice.kap import logbook
from practice.kap.actions import clearance, plans, room
from practice.kap.models import DoseUse, Entry, Intention, Session
from practice.models import Alert, Client, KeptForm, Note, Notice, PsychotherapyNote, Task, User
from tests import factories
from tests.factories import NOW

State, Kind = Session.State, Entry.Kind
AT = datetime(2026, 12, 2, 14, 0, tzinfo=NOW.tzinfo)  # the first dose, 9:00 in New York
MINUTE = timedelta(minutes=1)
GOOD_READY = {"screener": "no", "food": "yes", "alcohol": "yes", "substances": "yes", "medicines": "yes", "ride": "yes"}
GOOD_LEAVE = {
    "unreal": "0", "foggy": "1", "sick": "0", "frightened": "0", "steady": "steady", "oriented": "yes",
    "self_harm": "no", "escort": "yes", "no_driving": "yes",
}  # fmt: skip
BEFORE = {"when": "before", "sbp": "122", "dbp": "80", "pulse": "70"}
DOSE = {"mg": "100", "route": "sublingual", "lot": "A12"}


@pytest.fixture
def dosing(maya: User, pax: User, sam: Client) -> Session:
    clearance.grant(
        by=pax, client=sam, doses=6, until=date(2027, 6, 1), most_mg=Decimal(100), route="sublingual", words="", at=NOW
    )
    signed = Signature(client=sam, document="ketamine", version="1", text_sha256="0" * 64, signed_at=NOW)
    signed.typed_name = "Sam Whitehorse"
    signed.save()
    plan = plans.make(
        by=maya, client=sam, template=templates()["weekly"], at=NOW, first=date(2026, 12, 2), clock=time(9),
        therapist=maya, room="Blue room", count=2,
    )  # fmt: skip
    found: Session = plan.sessions.filter(kind="dosing").earliest("starts_at")
    assert found.starts_at == AT
    return found


def line(kind: str, **facts: Any) -> dict[str, Any]:
    return {"key": str(uuid4()), "kind": kind, "facts": facts}


def keep(session: Session, by: User, *sent: dict[str, Any], at: datetime = AT, **more: Any) -> list[str]:
    return [taken.sentence for taken in room.record(session=session, sent=sent, by=by, at=at, **more)]


def prepared(session: Session, by: User) -> None:
    lines = [line("ready", item=item, answer=answer, words="Lee") for item, answer in GOOD_READY.items()]
    assert set(keep(session, by, *lines, line("vitals", **BEFORE))) == {""}


def started(session: Session, by: User, at: datetime = AT) -> None:
    prepared(session, by)
    room.start(by=by, session=session, at=at)


def dosed(session: Session, by: User, at: datetime = AT) -> None:
    started(session, by, at)
    assert keep(session, by, line("dose", **DOSE), at=at) == [""]


# --- Start -----------------------------------------------------------------------------------------------------------


def test_start_names_everything_that_is_missing(dosing: Session, maya: User, sam: Client) -> None:
    Signature.objects.all().delete()
    with pytest.raises(NotNow) as refused:
        room.start(by=maya, session=dosing, at=AT)
    assert str(refused.value) == " ".join(room.against_start(dosing, AT))
    assert [sentence[:30] for sentence in room.against_start(dosing, AT)] == [
        "The ketamine agreement is not ",
        "Not asked yet: Thoughts of sui",
        "Not asked yet: No food for 4 h",
        "Not asked yet: No alcohol in t",
        "Not asked yet: No other substa",
        "Not asked yet: Medicines today",
        "Not asked yet: A ride home is ",
        "No blood pressure yet.",
    ]


def test_start_wants_the_newest_agreement_when_it_has_to_be_signed_again(dosing: Session, sam: Client) -> None:
    """Feature B3: what hangs on consents reads the new state."""
    author = factories.staff("Rosa Bell", Role.ADMIN)
    text = editions.shipped("ketamine")
    before = room.against_start(dosing, AT)
    for number, must_sign in enumerate((False, True), 1):
        row = AgreementText.objects.create(
            document="ketamine", version=f"1.{number}", title=text.title, summary="x", sign="x", body="x", sha256="x",
            changed_at=AT, published_at=AT, published_by=author, must_sign=must_sign, because="x", reason="x",
        )  # fmt: skip
        said = "The ketamine agreement has to be signed again: a new version, or its time is over."
        assert room.against_start(dosing, AT) == ([said] if must_sign else []) + before
    again = Signature(client=sam, document="ketamine", version=row.version, text_sha256="0" * 64, signed_at=AT)
    again.typed_name = "Sam"
    again.save()
    assert room.against_start(dosing, AT) == before


def test_start_pressed_twice_starts_once(dosing: Session, maya: User) -> None:
    started(dosing, maya)
    room.start(by=maya, session=dosing, at=AT + MINUTE)
    assert (dosing.state, dosing.started_at, dosing.started_by) == (State.STARTED, AT, maya)


def test_start_past_the_clearance_is_refused_with_the_rule(dosing: Session, maya: User, pax: User) -> None:
    prepared(dosing, maya)
    clearance.withdraw(by=pax, clearance=dosing.plan.client.dose_clearances.get(), words="Call me.", at=AT)
    with pytest.raises(NotNow, match=r"^The prescriber took the clearance back\.$"):
        room.start(by=maya, session=dosing, at=AT)


@pytest.mark.parametrize(
    ("sbp", "dbp", "symptoms", "sentence"),
    [
        (139, 89, "", ""),
        (141, 80, "", "Blood pressure needs the prescriber's word before a dose."),
        (160, 80, "", "Blood pressure is too high for a dose. Treat it first; measure again."),
        (181, 80, "", "Blood pressure is in crisis range. No dose. Repeat in 5 minutes; same-day medical care."),
        (181, 80, "yes", "Blood pressure is in crisis range with symptoms. No dose. Call 911."),
    ],
)
def test_blood_pressure_opens_or_closes_the_gate(
    dosing: Session, maya: User, sbp: int, dbp: int, symptoms: str, sentence: str
) -> None:
    prepared(dosing, maya)
    keep(dosing, maya, line("vitals", when="before", sbp=sbp, dbp=dbp, symptoms=symptoms), at=AT + MINUTE)
    assert room.against_start(dosing, AT + MINUTE) == ([sentence] if sentence else [])


def test_prescribers_word_opens_the_gate_that_is_theirs(dosing: Session, maya: User) -> None:
    prepared(dosing, maya)
    keep(dosing, maya, line("vitals", when="before", sbp=145, dbp=85), at=AT + MINUTE)
    keep(dosing, maya, line("gate", words="Go on", by_name="Pax Lind"), at=AT + 2 * MINUTE)
    assert room.against_start(dosing, AT + 2 * MINUTE) == []


# --- The dose and what follows it ------------------------------------------------------------------------------------


def test_dose_uses_one_of_the_ledger_and_restarts_the_measures(dosing: Session, maya: User, sam: Client) -> None:
    dosed(dosing, maya)
    assert DoseUse.objects.filter(session=dosing).count() == 1
    due = Measure.objects.filter(subject_id=dosing.pk, stopped_at=None).values_list("due_at", flat=True)
    assert sorted(due) == [AT + timedelta(days=1), AT + timedelta(days=7)]


def test_dose_without_integration_in_72_hours_opens_an_item(dosing: Session, maya: User, sam: Client) -> None:
    dosing.plan.sessions.filter(kind="integration").update(state=State.SKIPPED)
    dosed(dosing, maya)
    task = Task.objects.get(client=sam, kind="kap_integrate")
    assert (task.subject_id, task.due_at) == (dosing.plan_id, AT + timedelta(hours=72))


@pytest.mark.parametrize("mg", ["0.1", "0.1 g", "", "NaN", "-5", "1e9", "100000", "Infinity"])
def test_dose_in_grams_or_nonsense_is_given_back(dosing: Session, maya: User, mg: str) -> None:
    started(dosing, maya)
    (sentence,) = keep(dosing, maya, line("dose", mg=mg, route="sublingual"))
    assert sentence == "Enter the dose in milligrams, as on the label: a number such as 100."
    assert not dosing.entries.filter(kind=Kind.DOSE).exists()
    assert not DoseUse.objects.exists()


def test_dose_before_the_start_beyond_the_limit_or_by_another_way_is_refused(dosing: Session, maya: User) -> None:
    assert keep(dosing, maya, line("dose", **DOSE)) == ["Start the session first."]
    started(dosing, maya)
    assert keep(dosing, maya, line("dose", **(DOSE | {"mg": "150"})), line("dose", **(DOSE | {"route": "im"}))) == [
        "This is more than the prescriber cleared: at most 100 mg.",
        "The prescriber cleared another route: Under the tongue (troche).",
    ]
    assert not DoseUse.objects.exists()


def test_clearance_withdrawn_mid_session_refuses_the_dose_and_keeps_one_that_was_given(
    dosing: Session, maya: User, pax: User
) -> None:
    started(dosing, maya)
    clearance.withdraw(by=pax, clearance=dosing.plan.client.dose_clearances.get(), words="Call me.", at=AT)
    rule = "The prescriber took the clearance back."
    assert keep(dosing, maya, line("dose", **DOSE), at=AT + MINUTE) == [rule]
    assert not Notice.objects.filter(template="session_event").exists()
    assert keep(dosing, maya, line("dose", given="yes", **DOSE), at=AT + MINUTE) == [""]
    assert dosing.entries.get(kind=Kind.DOSE).facts["against"] == rule
    assert {notice.user for notice in Notice.objects.filter(template="session_event")} == {pax, maya}


def test_dose_from_a_device_that_was_offline_is_kept_and_starts_the_session(dosing: Session, maya: User) -> None:
    late = AT + timedelta(hours=2)
    sent = line("dose", **DOSE) | {"device_at": AT.isoformat()}
    assert keep(dosing, maya, sent, at=late, sent_at=late) == [""]
    dosing.refresh_from_db()
    assert (dosing.state, dosing.started_at) == (State.STARTED, AT)
    assert "against" not in dosing.entries.get(kind=Kind.DOSE).facts


def test_second_dose_is_a_supplemental_one_and_never_the_first(dosing: Session, maya: User) -> None:
    started(dosing, maya)
    assert keep(dosing, maya, line("supplement", **DOSE)) == ["No dose is recorded yet. Record the dose first."]
    assert keep(dosing, maya, line("dose", **DOSE), line("dose", **DOSE), line("supplement", **DOSE)) == [
        "",
        "The dose of this session is recorded. A second one is a supplemental dose.",
        "",
    ]
    assert DoseUse.objects.count() == 1


def test_corrected_dose_is_entered_anew_and_used_once(dosing: Session, maya: User) -> None:
    dosed(dosing, maya)
    wrong = dosing.entries.get(kind=Kind.DOSE)
    assert keep(dosing, maya, line("correct", corrects=str(wrong.key), words="It was 50 mg."), at=AT + MINUTE) == [""]
    assert keep(dosing, maya, line("dose", **(DOSE | {"mg": "150"})), at=AT + 2 * MINUTE) == [
        "This is more than the prescriber cleared: at most 100 mg."
    ]
    assert keep(dosing, maya, line("dose", **(DOSE | {"mg": "50"})), at=AT + 2 * MINUTE) == [""]
    assert [found.facts["mg"] for found in room.lines(dosing) if found.kind == "dose"] == ["50"]
    assert DoseUse.objects.count() == 1


# --- Lines from a device ---------------------------------------------------------------------------------------------


def test_same_key_twice_is_one_line(dosing: Session, maya: User) -> None:
    tap = line("check", state="as_expected")
    assert keep(dosing, maya, tap, tap) == ["", ""]
    assert keep(dosing, maya, tap, at=AT + timedelta(hours=2)) == [""]
    assert dosing.entries.count() == 1


def test_clock_of_the_phone_that_is_hours_wrong_is_set_right(dosing: Session, maya: User) -> None:
    wrong = timedelta(hours=5, minutes=20)
    tapped = line("check", state="as_expected") | {"device_at": (AT - wrong).isoformat()}
    keep(dosing, maya, tapped, at=AT + 30 * MINUTE, sent_at=AT + 30 * MINUTE - wrong)
    entry = dosing.entries.get()
    assert (entry.happened_at, entry.device_at, entry.at) == (AT, AT - wrong, AT + 30 * MINUTE)


@pytest.mark.parametrize("said", [AT + timedelta(days=400), AT - timedelta(days=400)])
def test_time_out_of_all_reason_counts_as_now(dosing: Session, maya: User, said: datetime) -> None:
    keep(dosing, maya, line("check", state="as_expected") | {"device_at": said.isoformat()}, sent_at=AT)
    assert dosing.entries.get().happened_at == AT


@pytest.mark.parametrize(("sbp", "dbp"), [("1200", "8"), ("80", "120"), ("120", "8"), ("0", "0")])
def test_reading_that_cannot_be_is_given_back(dosing: Session, maya: User, sbp: str, dbp: str) -> None:
    assert keep(dosing, maya, line("vitals", when="before", sbp=sbp, dbp=dbp)) == [
        "This reading cannot be. Check the numbers, as 132 over 84, and enter them again."
    ]
    assert not dosing.entries.exists()


@pytest.mark.parametrize("sent", [
    {"key": "x", "kind": "check", "facts": {"state": "as_expected"}},
    {"key": str(uuid4()), "kind": "nothing", "facts": {}},
    {"key": str(uuid4()), "kind": "check", "facts": []},
    {"key": str(uuid4()), "kind": "check", "facts": {"state": ["as_expected"]}},
    {"key": str(uuid4()), "kind": "check", "facts": {"state": "as_expected"}, "device_at": "yesterday"},
    {"key": str(uuid4()), "kind": "check", "facts": {"state": "as_expected"}, "device_at": "2026-12-02T14:00:00"},
    {"key": str(uuid4()), "kind": "ready", "facts": {"item": "food", "answer": {"a": 1}}},
    {"key": str(uuid4()), "kind": "vitals", "facts": {"when": "never", "sbp": 120, "dbp": 80}},
    {},
])  # fmt: skip
def test_line_that_is_no_line_is_given_back_with_a_sentence(dosing: Session, maya: User, sent: dict[str, Any]) -> None:
    assert keep(dosing, maya, sent) == ["This line could not be read. Enter it again."]
    assert not dosing.entries.exists()


def test_one_bad_line_of_a_list_does_not_stop_the_others(dosing: Session, maya: User) -> None:
    said = keep(dosing, maya, line("check", state="x"), line("check", state="as_expected"))
    assert said == ["Say how the client is.", ""]


# --- Something went wrong --------------------------------------------------------------------------------------------


def test_adverse_event_is_told_to_the_prescriber_at_once(dosing: Session, maya: User, pax: User, sam: Client) -> None:
    dosed(dosing, maya)
    assert keep(dosing, maya, line("event", what="nausea", grade="2", action="Ginger tea")) == [""]
    assert {notice.user for notice in Notice.objects.filter(template="session_event")} == {pax, maya}
    assert not Task.objects.filter(kind="adverse").exists()
    keep(dosing, maya, line("event", what="fall", grade="3"))
    assert Task.objects.get(kind="adverse").subject_id == dosing.plan_id


@pytest.mark.parametrize(("kind", "facts"), [
    ("ready", {"item": "screener", "answer": "yes"}), ("ready", {"item": "screener", "answer": "declined"}),
    ("leave", {"item": "self_harm", "answer": "yes"}), ("event", {"what": "suicidal", "grade": "1"}),
])  # fmt: skip
def test_word_of_suicide_opens_a_safety_flag(
    dosing: Session, maya: User, sam: Client, kind: str, facts: dict[str, Any]
) -> None:
    assert keep(dosing, maya, line(kind, **facts)) == [""]
    assert list(Alert.objects.filter(client=sam, closed_at=None).values_list("severity", flat=True)) == ["urgent"]


# --- Leaving ---------------------------------------------------------------------------------------------------------


def left(session: Session, by: User, at: datetime) -> None:
    lines = [line("leave", item=item, answer=answer, words="Lee") for item, answer in GOOD_LEAVE.items()]
    assert set(keep(session, by, *lines, line("vitals", when="after", sbp=126, dbp=82), at=at)) == {""}


def test_sign_needs_the_checklist_or_words(dosing: Session, maya: User) -> None:
    dosed(dosing, maya)
    with pytest.raises(NotNow, match="Something on the release checklist is open"):
        room.sign(by=maya, session=dosing, words=" ", at=AT + 90 * MINUTE)
    left(dosing, maya, AT + 90 * MINUTE)
    room.sign(by=maya, session=dosing, words="", at=AT + 91 * MINUTE)
    assert (dosing.state, dosing.signed_by, dosing.plan.client.plan_note) == (State.DONE, maya, "1 of 2")
    with pytest.raises(NotNow, match="signed already"):
        room.sign(by=maya, session=dosing, words="", at=AT + 92 * MINUTE)


def test_signed_session_takes_what_happened_before_and_only_events_after(dosing: Session, maya: User) -> None:
    dosed(dosing, maya)
    room.sign(by=maya, session=dosing, words="Went to the emergency department.", at=AT + 60 * MINUTE)
    later = AT + 80 * MINUTE
    before = line("check", state="as_expected") | {"device_at": (AT + 45 * MINUTE).isoformat()}
    assert keep(dosing, maya, before, line("check", state="as_expected"), line("event", what="headache", grade="1"),
                at=later, sent_at=later) == [
        "", "This session is signed. Only a side effect or a correction can be added.", "",
    ]  # fmt: skip


def test_note_is_drafted_from_the_log_and_kept_in_the_record(dosing: Session, maya: User, sam: Client) -> None:
    dosed(dosing, maya)
    with time_machine.travel(AT, tick=False), timezone.override("America/New_York"):
        draft = logbook.draft_note(dosing)
    assert "9:00 am Dose: 100 mg as labelled, under the tongue (troche), lot A12." in draft.split("\n")
    room.keep_note(by=maya, session=dosing, words=draft + "\nWe sat in silence.", at=AT)
    dosing.refresh_from_db()
    assert dosing.note.body.endswith("We sat in silence.")
    room.keep_note(by=maya, session=dosing, words="One more thing.", at=AT)
    assert Note.objects.get(about=dosing.note).body == "One more thing."
    assert not PsychotherapyNote.objects.exists()


# --- The page --------------------------------------------------------------------------------------------------------


def address(session: Session, name: str = "session") -> str:
    return reverse(name, args=[session.plan_id, session.pk])


@pytest.fixture
def nine() -> Any:
    with time_machine.travel(AT, tick=False):
        yield


def test_page_says_what_stands_against_a_start(nine: None, dosing: Session, maya: User, as_user: Any) -> None:
    html = as_user(maya).get(address(dosing)).content.decode()
    assert "No blood pressure yet." in html
    assert html.count("data-start disabled") == 1
    prepared(dosing, maya)
    html = as_user(maya).get(address(dosing)).content.decode()
    assert "data-start disabled" not in html


def test_form_without_script_is_kept_once_and_bad_input_stays_on_the_page(
    nine: None, dosing: Session, maya: User, as_user: Any, post: Callable[..., Any]
) -> None:
    browser, url = as_user(maya), address(dosing, "session_entries")
    sent = {"key": str(uuid4()), "kind": "vitals", "back": "vitals", **BEFORE}
    assert post(browser, url, sent)["Location"] == address(dosing) + "#vitals"
    assert post(browser, url, sent).status_code == 303
    assert dosing.entries.count() == 1
    answer = post(browser, url, sent | {"key": str(uuid4()), "sbp": "1200", "dbp": "8"})
    assert answer.status_code == 400
    html = answer.content.decode()
    assert "This reading cannot be." in html
    assert 'value="1200"' in html
    assert dosing.entries.count() == 1


def test_list_from_a_device_gives_each_key_its_sentence(
    nine: None, dosing: Session, maya: User, as_user: Any, post: Callable[..., Any]
) -> None:
    good, bad = line("check", state="as_expected"), line("vitals", when="before", sbp="1200", dbp="8")
    sent = {"lines": json.dumps([good, bad]), "sent_at": AT.isoformat()}
    answer = post(as_user(maya), address(dosing, "session_entries"), sent).json()
    assert answer == {"taken": [
        {"key": good["key"], "sentence": ""},
        {"key": bad["key"],
         "sentence": "This reading cannot be. Check the numbers, as 132 over 84, and enter them again."},
    ]}  # fmt: skip


@pytest.mark.parametrize("lines", ["", "{", "{}", "[1]", json.dumps([{}] * 201)])
def test_list_that_is_no_list_changes_nothing(
    nine: None, dosing: Session, maya: User, as_user: Any, post: Callable[..., Any], lines: str
) -> None:
    assert post(as_user(maya), address(dosing, "session_entries"), {"lines": lines}).status_code == 400
    assert not dosing.entries.exists()


@pytest.mark.parametrize("name", ["session", "session_entries", "session_start", "session_sign", "session_note"])
def test_somebody_elses_session_is_not_there(
    nine: None, dosing: Session, omar: User, fay: User, as_user: Any, post: Callable[..., Any], name: str
) -> None:
    sent = line("check", state="as_expected")
    assert post(as_user(omar), address(dosing, name), {"lines": json.dumps([sent])}).status_code == 404
    assert post(as_user(fay), address(dosing, name), {"lines": json.dumps([sent])}).status_code == 403
    assert not dosing.entries.exists()


def test_whole_session_by_plain_forms(
    nine: None, dosing: Session, maya: User, sam: Client, as_user: Any, post: Callable[..., Any]
) -> None:
    browser = as_user(maya)

    def tap(kind: str, **facts: str) -> None:
        sent = {"key": str(uuid4()), "kind": kind, **facts}
        assert post(browser, address(dosing, "session_entries"), sent).status_code == 303

    for item, answer in GOOD_READY.items():
        tap("ready", item=item, answer=answer, words="Lee")
    tap("vitals", **BEFORE)
    assert post(browser, address(dosing, "session_start")).status_code == 303
    tap("dose", **DOSE)
    html = browser.get(address(dosing)).content.decode()
    assert "35-45 mg by the practice&#x27;s own 35-45 %; 27-31 mg as measured, 27-31 % (Rolan 2014)." in html
    tap("hold", what="start")
    tap("hold", what="end", then="spit")
    tap("check", state="as_expected")
    for item, answer in GOOD_LEAVE.items():
        tap("leave", item=item, answer=answer, words="Lee")
    tap("vitals", when="after", sbp="126", dbp="82")
    assert post(browser, address(dosing, "session_sign")).status_code == 303
    assert post(browser, address(dosing, "session_note"), {"words": "Drafted."}).status_code == 303
    dosing.refresh_from_db()
    assert (dosing.state, dosing.note.body) == (State.DONE, "Drafted.")
    assert post(browser, address(dosing, "session_sign")).status_code == 400


def test_intention_is_shown_only_when_it_is_shared(
    nine: None, dosing: Session, maya: User, sam: Client, as_user: Any
) -> None:
    wish = Intention(client=sam, session=dosing, when="before", saved_at=AT)
    wish.words = "To forgive my father"
    wish.save()
    assert "To forgive my father" not in as_user(maya).get(address(dosing)).content.decode()
    wish.shared_at = AT
    wish.save()
    assert "To forgive my father" in as_user(maya).get(address(dosing)).content.decode()


def test_page_asks_the_database_as_often_for_a_long_log_as_for_a_short_one(
    nine: None, dosing: Session, maya: User, as_user: Any, django_assert_max_num_queries: Any
) -> None:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    dosed(dosing, maya)
    browser: Browser = as_user(maya)
    browser.get(address(dosing))
    with CaptureQueriesContext(connection) as short:
        browser.get(address(dosing))
    keep(dosing, maya, *[line("check", state="as_expected") for _ in range(12)])
    with CaptureQueriesContext(connection) as long:
        browser.get(address(dosing))
    assert len(long) == len(short)


def test_lock_empties_a_device_only_when_it_has_nothing_left_to_send(
    dosing: Session, maya: User, as_user: Any, post: Callable[..., Any], settings: Any
) -> None:
    for unsent, forgets in (("", '"cache", "storage"'), ("1", '"cache"')):
        with time_machine.travel(AT, tick=False) as now:
            browser = as_user(maya)
            browser.get(address(dosing))
            browser.cookies["unsent"] = unsent
            now.shift(settings.SESSION_IDLE_S + 60)
            answer = post(browser, address(dosing, "session_entries"), {"lines": json.dumps([line("check")])})
        assert (answer.status_code, answer["Clear-Site-Data"]) == (302, forgets)
    assert not KeptForm.objects.exists()
