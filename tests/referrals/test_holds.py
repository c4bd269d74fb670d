"""Holds: what bites on which path, and what clears it (E5, F5; UX checks 24 and 25; clinical 2.1 and 3.3)."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.core.exceptions import PermissionDenied
from django.http import Http404
from django.urls import reverse

from intake.models import Intake
from practice import actions as practice_actions
from practice.actions import NotNow
from practice.models import Alert, AuditEvent, Client, SafetyContact, User
from referrals import holds
from referrals.actions import decisions as actions
from referrals.models import CareToday, Clearance, Path
from tests.factories import NOW
from tests.sittings import CSSRS, CSSRS_MODERATE, CSSRS_NONE, assessed, phq9_of, sitting

As = Callable[[User], Any]
Post = Callable[..., Any]
ALL = tuple(Path.values)
LATER = NOW + timedelta(hours=1)


@pytest.fixture(autouse=True)
def _clock() -> Any:
    with time_machine.travel(LATER, tick=False):
        yield


def suicidal(client: Client, at: Any = NOW, *, flag: bool = True) -> Intake:
    """PHQ-9 of 19 with item 9, C-SSRS moderate, and the flag that these answers raise."""
    row = sitting(client, at)
    assessed(row, "phq-9", phq9_of(19, item9=2))
    assessed(row, CSSRS, CSSRS_MODERATE)
    if flag:
        raised(client, row, at)
    return row


def raised(client: Client, row: Intake, at: Any) -> Alert:
    return practice_actions.raise_alert(
        by=client,
        client=client,
        source=Alert.Source.INTAKE,
        source_id=row.pk,
        severity="priority",
        rules=[{"id": "SR-03", "version": "1"}],
        at=at,
    )


def contact(by: User, alert: Alert, at: Any, level: str = "moderate") -> SafetyContact:
    return practice_actions.record_contact(
        by=by,
        alert=alert,
        recorded_at=at,
        reached="yes",
        at=at,
        level=level,
        action="Called",
        plan="Call again tomorrow",
        next_check_at=at + timedelta(days=1),
    )


def standing_rules(client: Client, path: str, at: Any = LATER) -> list[tuple[str, str]]:
    """What blocks the path, but for the blood pressure that nobody measured in these tests (it has its own)."""
    return [(hold.rule, str(hold.kind)) for hold in holds.blocks(client, path, at) if hold.rule != "BP-04"]


# --- Safety ---------------------------------------------------------------------------------------------------------


def test_unknown_blood_pressure_holds_what_is_given_without_a_clinic(sam: Client) -> None:
    def held() -> dict[str, list[str]]:
        return {path: [hold.rule for hold in holds.blocks(sam, path, LATER)] for path in ALL}

    unknown = {path: ["BP-04"] for path in ("at_home_supervised", "kap")}
    assert held() == {"infusion_clinic": [], "hospital_pain_infusion": []} | unknown
    sitting(sam, sbp=120, dbp=80)
    assert held() == {path: [] for path in ALL}


def test_client_without_a_prescriber_has_kap_on_hold_alone(sam: Client) -> None:
    sam.prescriber = None
    sam.save()
    assert {path: standing_rules(sam, path) for path in ALL} == {
        "infusion_clinic": [],
        "hospital_pain_infusion": [],
        "at_home_supervised": [],
        "kap": [("OP-03", "hold")],
    }


def test_safety_hold_stands_until_a_contact_is_recorded_and_lifts_then(sam: Client, maya: User) -> None:
    """UX checks 24 and 25: the hold names SR-03 and leads to Record contact; the contact lifts it."""
    suicidal(sam)
    [hold] = holds.blocks(sam, Path.INFUSION, LATER)
    flag = Alert.objects.get(client=sam)
    assert (hold.rule, hold.kind, hold.clear_label) == ("SR-03", "safety", "Record contact")
    assert hold.clear_url == f"{reverse('alert', args=[sam.pk, flag.pk])}#contact"
    said = contact(maya, flag, NOW + timedelta(minutes=30))
    assert holds.blocks(sam, Path.INFUSION, LATER) == []
    [cleared] = holds.standing(sam, LATER).for_path(Path.INFUSION)
    assert cleared.cleared_by == said


@pytest.mark.parametrize(("level", "left"), [("unknown", ["SR-03"]), ("none", []), ("high", [])])
def test_contact_without_a_level_lifts_nothing(sam: Client, maya: User, level: str, left: list[str]) -> None:
    suicidal(sam)
    contact(maya, Alert.objects.get(client=sam), NOW + timedelta(minutes=30), level)
    assert [hold.rule for hold in holds.blocks(sam, Path.INFUSION, LATER)] == left


def test_contact_from_before_the_flag_became_more_serious_lifts_nothing(sam: Client, maya: User) -> None:
    row = suicidal(sam)
    flag = Alert.objects.get(client=sam)
    contact(maya, flag, NOW + timedelta(minutes=10))
    practice_actions.raise_alert(
        by=sam,
        client=sam,
        source=Alert.Source.INTAKE,
        source_id=row.pk,
        severity="urgent",
        rules=[{"id": "SR-09", "version": "1"}],
        at=NOW + timedelta(minutes=20),
    )
    assert standing_rules(sam, Path.INFUSION) == [("SR-03", "safety")]
    contact(maya, flag, NOW + timedelta(minutes=30))
    assert standing_rules(sam, Path.INFUSION) == []


def test_contact_about_an_older_flag_does_not_answer_for_a_newer_one(sam: Client, maya: User) -> None:
    suicidal(sam, NOW - timedelta(days=3))
    contact(maya, Alert.objects.get(client=sam), NOW - timedelta(days=2))
    assert standing_rules(sam, Path.INFUSION) == []
    suicidal(sam, NOW)
    assert standing_rules(sam, Path.INFUSION) == [("SR-03", "safety")]


def test_contact_outlives_the_closing_of_the_flag(sam: Client, maya: User) -> None:
    suicidal(sam)
    flag = Alert.objects.get(client=sam)
    contact(maya, flag, NOW + timedelta(minutes=10))
    practice_actions.close_alert(
        by=maya, alert=flag, action="safety_plan", note="Plan made", at=NOW + timedelta(minutes=20)
    )
    assert standing_rules(sam, Path.INFUSION) == []


def test_sign_without_a_flag_asks_a_person_to_raise_one(sam: Client, maya: User) -> None:
    suicidal(sam, flag=False)
    [hold] = holds.blocks(sam, Path.INFUSION, LATER)
    assert hold.clear_url == reverse("flag_new", args=[sam.pk])
    own = practice_actions.raise_manual_flag(by=maya, client=sam, severity="priority", reason="As answered", at=NOW)
    contact(maya, own, NOW + timedelta(minutes=5))
    assert holds.blocks(sam, Path.INFUSION, LATER) == []


def test_path_that_a_safety_rule_excludes_needs_the_contact_and_the_prescriber(
    sam: Client, maya: User, pax: User
) -> None:
    suicidal(sam)
    assert standing_rules(sam, Path.AT_HOME) == [("SR-03", "safety"), ("SR-03", "exclude")]
    actions.override(by=pax, client=sam, rule="SR-03", words="Sees me daily", at=LATER)
    assert standing_rules(sam, Path.AT_HOME) == [("SR-03", "safety")]
    contact(maya, Alert.objects.get(client=sam), LATER)
    assert standing_rules(sam, Path.AT_HOME) == []


@pytest.mark.parametrize(
    ("severity", "expected"),
    [("urgent", [("manual", "safety")]), ("priority", [("manual", "safety")]), ("routine", [])],
)
def test_flag_of_a_person_holds_every_path_until_contact(
    sam: Client, maya: User, severity: str, expected: list[tuple[str, str]]
) -> None:
    flag = practice_actions.raise_manual_flag(by=maya, client=sam, severity=severity, reason="Said goodbye", at=NOW)
    assert [standing_rules(sam, path) for path in ALL] == [expected] * 4
    contact(maya, flag, NOW + timedelta(minutes=5))
    assert [standing_rules(sam, path) for path in ALL] == [[]] * 4


def test_flag_of_a_form_that_is_not_sent_yet_holds_too(sam: Client) -> None:
    row = sitting(sam, sent=False)
    raised(sam, row, NOW)
    assert standing_rules(sam, Path.INFUSION) == [("SR-03", "safety")]


def test_stronger_rule_is_named_in_place_of_the_weaker(sam: Client) -> None:
    row = sitting(sam)
    assessed(row, CSSRS, {**CSSRS_MODERATE, "cssrs-4": 1})
    assert standing_rules(sam, Path.INFUSION) == [("SR-01", "safety")]
    assert standing_rules(sam, Path.AT_HOME) == [("SR-01", "safety"), ("SR-01", "exclude")]


# --- Words that clear ------------------------------------------------------------------------------------------------


@pytest.fixture
def unsure(sam: Client) -> Client:
    """Could be pregnant: every path on hold until a person clears it."""
    row = sitting(sam, pregnancy="unknown")
    assessed(row, CSSRS, CSSRS_NONE)
    return sam


@pytest.fixture
def nursing(sam: Client) -> Client:
    """Breastfeeding: two paths on hold, two excluded."""
    sitting(sam, breastfeeding=True)
    return sam


def test_words_clear_a_hold_on_every_path_and_are_kept_with_their_person(unsure: Client, maya: User) -> None:
    assert [standing_rules(unsure, path) for path in ALL] == [[("CX-07", "hold")]] * 4
    row = actions.clear_hold(by=maya, client=unsure, rule="CX-07", words="Test negative today", at=LATER)
    assert [standing_rules(unsure, path) for path in ALL] == [[]] * 4
    assert (row.words, row.by, row.is_override) == ("Test negative today", maya, False)
    [event] = AuditEvent.objects.filter(action="hold.cleared")
    assert (event.facts, event.actor_id) == ({"rule": "CX-07"}, maya.pk)


def test_cleared_hold_comes_back_when_the_answer_changes_and_stays_cleared_when_it_is_repeated(
    unsure: Client, maya: User
) -> None:
    actions.clear_hold(by=maya, client=unsure, rule="CX-07", words="Test negative", at=LATER)
    sitting(unsure, NOW + timedelta(minutes=1), pregnancy="unknown")
    assert standing_rules(unsure, Path.INFUSION) == []
    sitting(unsure, NOW + timedelta(minutes=2), pregnancy="trying")
    assert standing_rules(unsure, Path.INFUSION) == [("CX-07", "hold")]


def test_digest_of_the_answers_tells_nothing_of_them(unsure: Client, maya: User) -> None:
    row = actions.clear_hold(by=maya, client=unsure, rule="CX-07", words="x", at=LATER)
    assert len(row.inputs_digest) == 32 and "unknown" not in row.inputs_digest


def test_words_of_a_therapist_do_not_lift_an_exclusion(nursing: Client, maya: User) -> None:
    assert standing_rules(nursing, Path.KAP) == [("CX-08", "exclude")]
    assert standing_rules(nursing, Path.INFUSION) == [("CX-08", "hold")]
    actions.clear_hold(by=maya, client=nursing, rule="CX-08", words="Prescriber asked", at=LATER)
    assert (standing_rules(nursing, Path.INFUSION), standing_rules(nursing, Path.KAP)) == ([], [("CX-08", "exclude")])
    with pytest.raises(PermissionDenied):
        actions.override(by=maya, client=nursing, rule="CX-08", words="I say so", at=LATER)


def test_reason_of_a_prescriber_lifts_the_exclusion_and_the_hold_of_the_rule(nursing: Client, pax: User) -> None:
    row = actions.override(by=pax, client=nursing, rule="CX-08", words="Pump and discard for 24 h", at=LATER)
    assert row.is_override
    assert [standing_rules(nursing, path) for path in ALL] == [[]] * 4
    assert AuditEvent.objects.filter(action="exclusion.overridden", actor_id=pax.pk).count() == 1


def test_prescriber_does_not_clear_a_hold_that_is_a_clinicians(unsure: Client, pax: User) -> None:
    with pytest.raises(PermissionDenied):
        actions.clear_hold(by=pax, client=unsure, rule="CX-07", words="x", at=LATER)


def test_safety_hold_is_not_cleared_by_words(sam: Client, maya: User) -> None:
    suicidal(sam)
    with pytest.raises(NotNow, match="Nothing of this kind is on hold by SR-03 now"):
        actions.clear_hold(by=maya, client=sam, rule="SR-03", words="Fine now", at=LATER)
    assert standing_rules(sam, Path.INFUSION) == [("SR-03", "safety")]


def test_second_person_reads_who_cleared_first(unsure: Client, maya: User, sol: User) -> None:
    actions.clear_hold(by=sol, client=unsure, rule="CX-07", words="Test negative", at=LATER)
    with pytest.raises(NotNow, match="Sol Amari cleared this first"):
        actions.clear_hold(by=maya, client=unsure, rule="CX-07", words="Mine", at=LATER)
    assert [row.words for row in Clearance.objects.all()] == ["Test negative"]


def test_clearing_needs_words(unsure: Client, maya: User) -> None:
    with pytest.raises(NotNow, match="Write why this may go on"):
        actions.clear_hold(by=maya, client=unsure, rule="CX-07", words=" \n", at=LATER)
    assert not Clearance.objects.exists()


@pytest.mark.parametrize(("who", "error"), [("omar", Http404), ("ines", Http404), ("rosa", PermissionDenied)])
def test_nobody_else_clears(unsure: Client, request: pytest.FixtureRequest, who: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        actions.clear_hold(by=request.getfixturevalue(who), client=unsure, rule="CX-07", words="x", at=LATER)


# --- Care today ------------------------------------------------------------------------------------------------------


def steps(**more: Any) -> dict[str, Any]:
    given = {
        "steps": ["911"],
        "where": "At home",
        "with_whom": "Her brother",
        "outcome": "Ambulance took her",
        "next_check_at": LATER + timedelta(hours=4),
        "at": LATER,
    }
    return given | more


def test_care_today_locks_every_path_until_the_steps_are_recorded(sam: Client, maya: User) -> None:
    row = actions.open_care_today(by=maya, client=sam, reason="Has pills in the hand", at=NOW)
    assert [standing_rules(sam, path) for path in ALL] == [[("care-today", "care_today")]] * 4
    [hold] = holds.blocks(sam, Path.PAIN, LATER)
    assert (hold.clear_url, hold.clear_label) == (reverse("care_today", args=[sam.pk]), "Record the steps")
    actions.record_care_today(by=maya, care_today=row, **steps())
    assert [standing_rules(sam, path) for path in ALL] == [[]] * 4
    assert list(sam.tasks.filter(done_at=None).values_list("kind", flat=True)) == ["care_check"]


def test_care_today_is_dealt_with_before_anything_else(sam: Client, maya: User) -> None:
    suicidal(sam)
    actions.open_care_today(by=maya, client=sam, reason="x", at=NOW)
    assert standing_rules(sam, Path.AT_HOME) == [
        ("care-today", "care_today"),
        ("SR-03", "safety"),
        ("SR-03", "exclude"),
    ]


def test_care_today_is_opened_once_and_recorded_once(sam: Client, maya: User, sol: User) -> None:
    row = actions.open_care_today(by=maya, client=sam, reason="x", at=NOW)
    with pytest.raises(NotNow, match="Maya Torres opened this"):
        actions.open_care_today(by=sol, client=sam, reason="y", at=NOW)
    actions.record_care_today(by=sol, care_today=row, **steps(outcome="Her words"))
    with pytest.raises(NotNow, match="Sol Amari recorded the steps first"):
        actions.record_care_today(by=maya, care_today=row, **steps(outcome="My words"))
    assert CareToday.objects.get().outcome == "Her words"


# --- The page --------------------------------------------------------------------------------------------------------


def page_of(client: Client, rule: str) -> str:
    return reverse("hold_clear", args=[client.pk, rule])


def test_therapist_clears_a_hold_on_its_page(as_user: As, post: Post, unsure: Client, maya: User) -> None:
    browser = as_user(maya)
    page = browser.get(page_of(unsure, "CX-07")).content.decode()
    assert "Could be pregnant or is trying." in page and 'name="words"' in page
    answer = post(browser, page_of(unsure, "CX-07"), {"act": "clear", "words": "Test negative <b>today</b>"})
    assert answer["Location"] == page_of(unsure, "CX-07")
    page = browser.get(page_of(unsure, "CX-07")).content.decode()
    assert "Test negative &lt;b&gt;today&lt;/b&gt;" in page
    assert "CX-07: cleared Thu Nov 19, 11:00 am by you." in page and 'name="words"' not in page
    assert standing_rules(unsure, Path.INFUSION) == []


def test_second_press_writes_one_clearance(as_user: As, post: Post, unsure: Client, maya: User) -> None:
    browser, key = as_user(maya), "k" * 24
    for _ in range(2):
        answer = post(browser, page_of(unsure, "CX-07"), {"act": "clear", "words": "x"}, key=key)
        assert answer["Location"] == page_of(unsure, "CX-07")
    assert Clearance.objects.count() == 1


def test_page_of_a_safety_hold_leads_to_the_contact_and_has_no_form(as_user: As, sam: Client, maya: User) -> None:
    suicidal(sam)
    page = as_user(maya).get(page_of(sam, "SR-03")).content.decode()
    flag = Alert.objects.get(client=sam)
    assert f"{reverse('alert', args=[sam.pk, flag.pk])}#contact" in page
    assert 'name="words"' not in page


def test_therapist_reads_who_may_write_against_an_exclusion(
    as_user: As, post: Post, nursing: Client, maya: User, pax: User
) -> None:
    browser = as_user(maya)
    page = browser.get(page_of(nursing, "CX-08")).content.decode()
    assert "Only a prescriber may write a reason against this (Pax Lind)." in page
    assert post(browser, page_of(nursing, "CX-08"), {"act": "override", "words": "x"}).status_code == 403
    answer = post(as_user(pax), page_of(nursing, "CX-08"), {"act": "override", "words": "Talked it through"})
    assert answer.status_code == 302
    assert standing_rules(nursing, Path.KAP) == []


def test_page_keeps_words_that_came_second(as_user: As, post: Post, unsure: Client, maya: User, sol: User) -> None:
    actions.clear_hold(by=sol, client=unsure, rule="CX-07", words="First", at=LATER)
    answer = post(as_user(maya), page_of(unsure, "CX-07"), {"act": "clear", "words": "My own words"})
    page = answer.content.decode()
    assert answer.status_code == 400
    assert "Sol Amari cleared this first" in page and "My own words" in page


@pytest.mark.parametrize("data", [{"act": "clear", "words": " "}, {"act": "clear"}])
def test_page_asks_for_words(as_user: As, post: Post, unsure: Client, maya: User, data: dict[str, str]) -> None:
    answer = post(as_user(maya), page_of(unsure, "CX-07"), data)
    assert (answer.status_code, "Write why this may go on." in answer.content.decode()) == (400, True)


@pytest.mark.parametrize("act", ["", "nonsense", "delete"])
def test_unknown_act_is_not_found(as_user: As, post: Post, unsure: Client, maya: User, act: str) -> None:
    assert post(as_user(maya), page_of(unsure, "CX-07"), {"act": act, "words": "x"}).status_code == 404
    assert not Clearance.objects.exists()


def test_unknown_rule_is_not_found(as_user: As, sam: Client, maya: User) -> None:
    assert as_user(maya).get(page_of(sam, "XX-99")).status_code == 404


def test_rule_that_holds_nothing_now_says_so(as_user: As, sam: Client, maya: User) -> None:
    assert "This rule holds nothing for this client now." in as_user(maya).get(page_of(sam, "CX-07")).content.decode()


@pytest.mark.parametrize(("who", "status"), [("omar", 404), ("ines", 404), ("fay", 403), ("rosa", 403)])
def test_page_is_closed_to_everybody_else(
    as_user: As, post: Post, request: pytest.FixtureRequest, unsure: Client, who: str, status: int
) -> None:
    browser = as_user(request.getfixturevalue(who))
    shown = browser.get(page_of(unsure, "CX-07"))
    sent = post(browser, page_of(unsure, "CX-07"), {"act": "clear", "words": "x"})
    assert (shown.status_code, sent.status_code) == (status, status)
    assert "pregnan" not in shown.content.decode()
    assert not Clearance.objects.exists()
