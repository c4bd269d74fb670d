"""Review cards: when they open, what they say, who reviews them (D14, D15, C14; clinical 2.5 and 3.3)."""

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest
import time_machine
from django.contrib.messages import get_messages
from django.urls import reverse
from django.utils.html import escape

from intake.models import Assessment, Intake
from intake.signals import assessment_submitted
from practice.actions import NotNow
from practice.models import AuditEvent, Client, Practice, Task, User
from referrals import picture
from referrals.actions import suggestions as actions
from referrals.models import Suggestion
from tests import factories
from tests.factories import NOW
from tests.sittings import CSSRS, CSSRS_MODERATE, CSSRS_NONE, answered, assessed, phq9_of, sitting

As = Callable[[User], Any]
Post = Callable[..., Any]
TODAY = date(2026, 11, 19)


@pytest.fixture(autouse=True)
def _clock() -> Any:
    with time_machine.travel(NOW + timedelta(hours=1), tick=False):
        yield


def came_in(row: Intake) -> Suggestion | None:
    """Send the one signal, as submitting does, and give the card that is open then."""
    assessment_submitted.send(sender=Intake, intake=row, at=row.submitted_at)
    return Suggestion.objects.filter(client=row.client, state="open").first()


@pytest.fixture
def both(sam: Client) -> Suggestion:
    """Depression and suicidal thoughts, each over the line."""
    row = sitting(sam)
    assessed(row, "phq-9", phq9_of(19, item9=2))
    assessed(row, CSSRS, CSSRS_MODERATE)
    found = came_in(row)
    assert found is not None
    return found


def url(card: Suggestion) -> str:
    return reverse("suggestion", args=[card.client_id, card.pk])


# --- When a card opens ----------------------------------------------------------------------------------------------


def test_depression_and_suicidal_thoughts_open_a_card_for_an_infusion_clinic(sam: Client, both: Suggestion) -> None:
    assert (both.suggested, both.status, both.severity) == ("infusion_clinic", "hold", "priority")
    assert {"IN-01", "SR-03"} <= {rule["id"] for rule in both.rules}
    assert both.picture["inputs"]["phq9_total"] == 19
    assert both.picture["dates"]["phq9_total"] == "2026-11-19"
    task = Task.objects.get(client=sam, kind="suggestion")
    assert (task.subject_id, task.facts["suggested"], task.due_at) == (both.pk, "infusion_clinic", both.decide_by)
    assert AuditEvent.objects.filter(action="suggestion.opened", client_id=sam.pk).count() == 1


@pytest.mark.parametrize(
    ("total", "item9", "screen", "expected"),
    [
        (15, 0, CSSRS_NONE, ("psychotherapy_first", "routine")),  # depression alone
        (14, 0, CSSRS_NONE, None),  # neither
        (9, 1, CSSRS_MODERATE, ("psychotherapy_first", "priority")),  # suicidal thoughts alone
        (15, 1, CSSRS_MODERATE, ("infusion_clinic", "priority")),  # both, at the line
        (14, 1, CSSRS_MODERATE, ("psychotherapy_first", "priority")),  # one point under it
    ],
)
def test_card_opens_for_either_line_and_names_the_clinic_for_both(
    sam: Client, total: int, item9: int, screen: dict[str, int], expected: tuple[str, str] | None
) -> None:
    row = sitting(sam)
    assessed(row, "phq-9", phq9_of(total, item9))
    assessed(row, CSSRS, screen)
    card = came_in(row)
    assert (card and (card.suggested, card.severity)) == expected
    assert Task.objects.filter(client=sam, kind="suggestion", done_at=None).count() == (1 if expected else 0)


@pytest.mark.parametrize(("line", "suggested"), [(17, "psychotherapy_first"), (16, "infusion_clinic")])
def test_practice_line_moves_the_card(sam: Client, line: int, suggested: str) -> None:
    practice = Practice.get()
    practice.rule_overrides = {"IN-01": {"phq9_total >=": line}, "IN-99": {"x >=": 1}, "SR-01": {"y >=": 2}}
    practice.save()
    row = sitting(sam)
    assessed(row, "phq-9", phq9_of(16, 1))
    assessed(row, CSSRS, CSSRS_MODERATE)
    card = came_in(row)
    assert card is not None
    assert (card.suggested, card.overrides) == (suggested, {"IN-01": {"phq9_total >=": line}})


def test_information_without_a_clock_is_a_card_and_no_task(sam: Client) -> None:
    row = sitting(sam, good_support=True, home_chaperone=True, sbp=120, dbp=80)
    assessed(row, "phq-9", phq9_of(8))
    assessed(row, CSSRS, CSSRS_NONE)
    card = came_in(row)
    assert card is not None
    assert (card.suggested, card.severity) == ("at_home_supervised", "info")
    assert not Task.objects.filter(kind="suggestion").exists()


def test_risk_that_shuts_a_path_is_shown_as_a_conflict(as_user: As, maya: User, sam: Client) -> None:
    row = sitting(sam, good_support=True, therapist_alliance=True, wants_relational_therapy=True, pregnancy="yes")
    assessed(row, "phq-9", phq9_of(20, 1))
    assessed(row, CSSRS, {**CSSRS_NONE, "cssrs-1": 1})
    card = came_in(row)
    assert card is not None
    assert card.suggested == "no_ketamine_now"
    page = as_user(maya).get(url(card)).content.decode()
    assert "Review: no ketamine now" in page
    assert "Infusion clinic: IN-01" in page and "against it" in page


def test_newer_card_replaces_an_open_one(sam: Client, both: Suggestion) -> None:
    row = sitting(sam, NOW + timedelta(days=3))
    assessed(row, "phq-9", phq9_of(21, 2))
    assessed(row, CSSRS, CSSRS_MODERATE)
    newer = came_in(row)
    both.refresh_from_db()
    assert newer is not None and newer.pk != both.pk
    assert both.state == "superseded"
    assert list(Task.objects.filter(kind="suggestion", done_at=None).values_list("subject_id", flat=True)) == [newer.pk]


def test_reviewed_card_stays_when_a_newer_one_opens(sam: Client, maya: User, both: Suggestion) -> None:
    actions.review(by=maya, suggestion=both, reasoning="She wants to wait for the new dose", at=NOW)
    row = sitting(sam, NOW + timedelta(days=3))
    assessed(row, "phq-9", phq9_of(21, 2))
    came_in(row)
    both.refresh_from_db()
    assert (both.state, both.reasoning) == ("reviewed", "She wants to wait for the new dose")


def test_better_answers_do_not_clear_an_open_card(sam: Client, both: Suggestion) -> None:
    row = sitting(sam, NOW + timedelta(days=3))
    assessed(row, "phq-9", phq9_of(4))
    assessed(row, CSSRS, CSSRS_NONE)
    assert came_in(row) == both
    assert Task.objects.filter(kind="suggestion", done_at=None).count() == 1


def test_item_nine_against_an_all_clear_asks_to_reconcile(sam: Client) -> None:
    row = sitting(sam)
    assessed(row, "phq-9", phq9_of(6, 1))
    assessed(row, CSSRS, CSSRS_NONE)
    came_in(row)
    task = Task.objects.get(client=sam, kind="reconcile")
    assert (task.done_at, task.facts) == (None, {"rules": ["SR-08"]})


def test_rules_that_fired_are_kept_with_the_assessments_they_read(sam: Client, both: Suggestion) -> None:
    kept = {a.instrument: {rule["id"]: rule["version"] for rule in a.rules} for a in Assessment.objects.all()}
    assert kept["phq-9"]["IN-01"] == kept[CSSRS]["IN-01"] == "1"
    assert "SR-03" in kept[CSSRS] and "SR-03" not in kept["phq-9"]


def test_no_score_writes_a_diagnosis(sam: Client, both: Suggestion) -> None:
    from django.apps import apps

    columns = [field.name for model in apps.get_models() for field in model._meta.get_fields()]
    assert [name for name in columns if "diagnos" in name] == ["diagnoses"]  # Client.diagnoses: a clinician's words
    before = Client.objects.values().get(pk=sam.pk)
    actions.suggest(by=None, client=sam, sitting=None, at=NOW)
    after = Client.objects.values().get(pk=sam.pk)
    assert after["diagnoses"] is None
    assert {k for k in before if k not in ("rank", "rank_since") and repr(before[k]) != repr(after[k])} <= {
        k for k in before if hasattr(before[k], "blob")
    }


# --- What is known --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("days", "known"), [(14, True), (15, False)])
def test_phq9_speaks_for_two_weeks(sam: Client, days: int, known: bool) -> None:
    assessed(sitting(sam, NOW - timedelta(days=days)), "phq-9", phq9_of(19))
    assert ("phq9_total" in picture.known(sam, TODAY).inputs) is known


@pytest.mark.parametrize(("days", "known"), [(90, True), (91, False)])
def test_old_suicide_screen_does_not_look_current(sam: Client, days: int, known: bool) -> None:
    assessed(sitting(sam, NOW - timedelta(days=days)), CSSRS, CSSRS_MODERATE)
    assert ("cssrs_level" in picture.known(sam, TODAY).inputs) is known


def test_older_all_clear_does_not_answer_for_a_newer_sign(sam: Client) -> None:
    assessed(sitting(sam, NOW - timedelta(days=5)), CSSRS, CSSRS_NONE)
    row = sitting(sam)
    assessed(row, "phq-9", phq9_of(12, 2))
    assert "cssrs_level" not in picture.known(sam, TODAY).inputs
    card = came_in(row)
    assert card is not None
    assert {"SR-06"} <= {rule["id"] for rule in card.rules}
    assert card.severity == "urgent"


def test_older_positive_screen_still_counts_beside_a_newer_phq9(sam: Client) -> None:
    assessed(sitting(sam, NOW - timedelta(days=5)), CSSRS, CSSRS_MODERATE)
    assessed(sitting(sam), "phq-9", phq9_of(12, 1))
    assert picture.known(sam, TODAY).inputs["cssrs_level"] == "moderate"


def test_trials_are_unknown_until_a_person_confirms_them(sam: Client, maya: User) -> None:
    row = sitting(sam)
    failed = {"mg": 100, "weeks": 8, "best_improvement_pct": "25", "stopped": "no_help", "this_episode": "yes"}
    answered(row, trials=[{"drug": "Sertraline", **failed}, {"drug": "fluoxetine", **failed}])
    assert "failed_adequate_trials" not in picture.known(sam, TODAY).inputs
    assessed(row, "phq-9", phq9_of(16))
    assert actions.confirm_trials(by=maya, sitting=row, at=NOW) is True
    assert actions.confirm_trials(by=maya, sitting=row, at=NOW) is False
    assert picture.known(sam, TODAY).inputs["failed_adequate_trials"] == 2
    card = Suggestion.objects.get(client=sam, state="open")
    assert (card.suggested, "IN-02" in {rule["id"] for rule in card.rules}) == ("infusion_clinic", True)


def test_trials_that_were_skipped_stay_unknown_even_when_confirmed(sam: Client, maya: User) -> None:
    row = sitting(sam)
    answered(row, trials=None)
    actions.confirm_trials(by=maya, sitting=row, at=NOW)
    assert "failed_adequate_trials" not in picture.known(sam, TODAY).inputs


def test_blood_pressure_of_an_earlier_sitting_is_not_carried_on(sam: Client) -> None:
    sitting(sam, NOW - timedelta(days=10), sbp=120, dbp=80, glaucoma="none")
    assert picture.known(sam, TODAY).inputs["sbp"] == 120
    sitting(sam)
    inputs = picture.known(sam, TODAY).inputs
    assert ("sbp" in inputs, inputs["glaucoma"]) == (False, "none")


def test_value_that_the_table_does_not_take_is_unknown_and_stops_nothing(sam: Client) -> None:
    row = sitting(sam, sbp=99999, nonsense="x", glaucoma="maybe")
    assessed(row, "phq-9", phq9_of(16, 1))
    assert came_in(row) is not None
    assert {"sbp", "nonsense", "glaucoma"}.isdisjoint(picture.known(sam, TODAY).inputs)


def test_unsent_sitting_says_nothing_yet(sam: Client) -> None:
    sitting(sam, sent=False, pregnancy="yes")
    assert "pregnancy" not in picture.known(sam, TODAY).inputs


# --- The page -------------------------------------------------------------------------------------------------------


def test_card_says_inputs_rules_holds_unknowns_and_sources(as_user: As, maya: User, both: Suggestion) -> None:
    page = as_user(maya).get(url(both)).content.decode()
    for words in (
        "Consider an infusion clinic referral",
        "Depression is over this practice's line, and there is a sign of suicidal thoughts.",
        "This is not a diagnosis. You decide.",
        "Not known yet",
        "PHQ-9 total",
        "Nov 19, 2026",
        "Depression is at least moderately severe and there are suicidal thoughts.",
        "Spravato indication",
        "read in the source",
        "Infusion clinic is on hold by SR-03. To clear it: Same-day clinician review",
        "Active suicidal thoughts",
        reverse("rule", args=["IN-01"]),
    ):
        assert escape(words) in page, words
    assert page.index("Not known yet") < page.index("Rules that fired")


def test_card_stands_on_the_chart_below_the_flags(as_user: As, maya: User, both: Suggestion) -> None:
    from practice.actions import raise_manual_flag

    raise_manual_flag(by=maya, client=both.client, severity="urgent", reason="x", at=NOW)
    page = as_user(maya).get(reverse("chart", args=[both.client_id])).content.decode()
    assert page.index("Safety flag: urgent") < page.index("Consider an infusion clinic referral")
    assert f'href="{url(both)}"' in page


def test_review_needs_a_line_of_reasoning(as_user: As, post: Post, maya: User, both: Suggestion) -> None:
    answer = post(as_user(maya), url(both), {"reasoning": "  "})
    assert (answer.status_code, "Write a line of reasoning." in answer.content.decode()) == (400, True)
    both.refresh_from_db()
    assert both.state == "open"


def test_review_is_kept_with_its_person_and_clears_the_caseload(
    as_user: As, post: Post, maya: User, sam: Client, both: Suggestion
) -> None:
    answer = post(as_user(maya), url(both), {"reasoning": "Talked today. Wants the clinic. Contact first."})
    assert answer["Location"] == url(both)
    both.refresh_from_db()
    assert (both.state, both.reviewed_by, both.reasoning) == (
        "reviewed",
        maya,
        "Talked today. Wants the clinic. Contact first.",
    )
    assert not Task.objects.filter(kind="suggestion", done_at=None).exists()
    page = as_user(maya).get(url(both)).content.decode()
    assert "By Maya Torres, Thu Nov 19, 11:00 am" in page and 'id="review"' not in page


def test_second_review_changes_nothing_and_keeps_what_was_typed(
    as_user: As, post: Post, maya: User, sol: User, both: Suggestion
) -> None:
    post(as_user(sol), url(both), {"reasoning": "First"})
    answer = post(as_user(maya), url(both), {"reasoning": "My own words"})
    page = answer.content.decode()
    assert answer.status_code == 400
    assert "Sol Amari reviewed this first. Read their line of reasoning below." in page
    assert "My own words" in page
    both.refresh_from_db()
    assert (both.reviewed_by, both.reasoning) == (sol, "First")


def test_card_that_was_replaced_leads_to_the_newer_one(as_user: As, maya: User, both: Suggestion) -> None:
    newer = actions.suggest(by=None, client=both.client, sitting=None, at=NOW + timedelta(minutes=5))
    assert newer is not None
    page = as_user(maya).get(url(both)).content.decode()
    assert url(newer) in page and 'id="review"' not in page
    with pytest.raises(NotNow, match="Newer answers came in"):
        actions.review(by=maya, suggestion=both, reasoning="x", at=NOW)


def test_prescriber_reads_but_does_not_review(as_user: As, post: Post, pax: User, both: Suggestion) -> None:
    browser = as_user(pax)
    assert 'id="review"' not in browser.get(url(both)).content.decode()
    assert post(browser, url(both), {"reasoning": "x"}).status_code == 404
    both.refresh_from_db()
    assert both.state == "open"


@pytest.mark.parametrize(("who", "status"), [("omar", 404), ("ines", 404), ("fay", 403), ("rosa", 403)])
def test_card_is_closed_to_everybody_else(
    as_user: As, post: Post, request: pytest.FixtureRequest, both: Suggestion, who: str, status: int
) -> None:
    browser = as_user(request.getfixturevalue(who))
    shown, sent = browser.get(url(both)), post(browser, url(both), {"reasoning": "x"})
    assert (shown.status_code, sent.status_code) == (status, status)
    assert "infusion" not in shown.content.decode()
    both.refresh_from_db()
    assert both.state == "open"


def test_card_of_one_client_is_not_found_under_another(as_user: As, maya: User, both: Suggestion) -> None:
    other = factories.client(maya, "Noor Adel")
    assert as_user(maya).get(reverse("suggestion", args=[other.pk, both.pk])).status_code == 404


def test_confirming_trials_from_the_intake_page(as_user: As, post: Post, maya: User, sam: Client) -> None:
    row = sitting(sam)
    answered(row, trials=[])
    browser, here = as_user(maya), reverse("trials_confirm", args=[sam.pk, row.pk])
    for expected in ("Confirmed. The rules count these trials from now on.", "Confirmed already, by you."):
        answer = post(browser, here)
        assert answer["Location"] == reverse("intake_read", args=[sam.pk, row.pk])
        assert [str(m) for m in get_messages(answer.wsgi_request)][-1] == expected
    assert picture.known(sam, TODAY).inputs["failed_adequate_trials"] == 0


def test_card_keeps_its_picture_sealed(both: Suggestion) -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT picture, reasoning FROM referrals_suggestion")
        [(sealed, _reasoning)] = cursor.fetchall()
    assert b"phq9_total" not in bytes(sealed)
