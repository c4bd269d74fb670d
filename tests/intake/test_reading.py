"""What a client sent, as the therapist reads it: item by item, by section, with its agreements (C12, UX 13)."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.contrib.messages import get_messages
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils.html import escape

from intake.models import Assessment, Intake, Signature
from practice import actions
from practice.clinical.instrument import load
from practice.models import AlertNotice, AuditEvent, Client, Task, User
from tests import factories
from tests.factories import NOW
from tests.sittings import CSSRS, CSSRS_MODERATE, answered, assessed, phq9, phq9_of, sitting

As = Callable[[User], Any]
Post = Callable[..., Any]


@pytest.fixture(autouse=True)
def _clock() -> Any:
    with time_machine.travel(NOW + timedelta(hours=1), tick=False):
        yield


def url(found: Assessment | Intake | Signature) -> str:
    name = {Assessment: "assessment", Intake: "intake_read", Signature: "agreement_copy"}[type(found)]
    return reverse(name, args=[found.client_id, found.pk])


def last_message(answer: Any) -> str:
    return [str(message) for message in get_messages(answer.wsgi_request)][-1]


# --- One assessment -------------------------------------------------------------------------------------------------


def test_assessment_shows_every_item_in_words_with_its_value(as_user: As, maya: User, sam: Client) -> None:
    found = assessed(sitting(sam), "phq-9", {**phq9(3, 2, 1, 0, 3, 2, 1, 0, 1), "phq9-10": 2})
    answer = as_user(maya).get(url(found))
    lines = [(line.words, line.value, line.alert) for line in answer.context["lines"]]
    assert lines == [
        ("Nearly every day", "3", False),
        ("More than half the days", "2", False),
        ("Several days", "1", False),
        ("Not at all", "0", False),
        ("Nearly every day", "3", False),
        ("More than half the days", "2", False),
        ("Several days", "1", False),
        ("Not at all", "0", False),
        ("Several days", "1", True),
        ("Very difficult", "", False),
    ]
    page = answer.content.decode()
    for words in (
        load("phq-9").items[0].text,
        load("phq-9").licence.notice,
        "13 of 27",
        "Moderate",
        "Thu Nov 19, 10:00 am",
        "2 minutes",
    ):
        assert escape(words) in page, words
    assert "<title>PHQ-9 - CH-0401" in page


def test_assessment_says_what_changed_since_last_time(as_user: As, maya: User, sam: Client) -> None:
    assessed(sitting(sam, NOW - timedelta(days=14)), "phq-9", phq9(1, 1, 1, 1, 1, 1, 1, 1, 0))
    found = assessed(sitting(sam), "phq-9", phq9(3, 3, 1, 1, 1, 1, 1, 3, 2))
    answer = as_user(maya).get(url(found))
    assert [line.change for line in answer.context["lines"]][:9] == [
        "was: Several days", "was: Several days", "", "", "", "", "", "was: Several days", "was: Not at all",
    ]  # fmt: skip
    assert "+8 since Nov 5, 2026: reliably worse" in answer.content.decode()


@pytest.mark.parametrize(
    ("answers", "score", "sentence"),
    [
        (
            phq9(1, 1, 1, 1, 1, 1, 1, None, 0),
            "8 of 27, estimated",
            "Estimated from 8 of 9 answers; the rest are filled in by their mean.",
        ),
        (
            phq9(3, 3, 3, None, None, None, None, 3, 0),
            "No total, at least 12",
            "Not scored: 4 answers are missing, more than this instrument allows.",
        ),
        (
            phq9(3, 3, 3, None, None, None, None, 3, 0),
            "No total, at least 12",
            "The answers given add up to 12; the true total is at least that.",
        ),
    ],
)
def test_assessment_says_how_a_score_came_about(
    as_user: As, maya: User, sam: Client, answers: dict[str, Any], score: str, sentence: str
) -> None:
    page = as_user(maya).get(url(assessed(sitting(sam), "phq-9", answers))).content.decode()
    assert score in page and sentence in page
    assert "Skipped on purpose" in page


def test_blank_suicide_item_is_never_shown_as_a_no(as_user: As, maya: User, sam: Client) -> None:
    found = assessed(sitting(sam), CSSRS, {"cssrs-1": 1, "cssrs-2": None, "cssrs-6": 0})
    answer = as_user(maya).get(url(found))
    assert [(line.words, line.alert) for line in answer.context["lines"]] == [
        ("Yes", True), ("Skipped on purpose", True), ("No", False),
    ]  # fmt: skip
    assert escape("A question was left blank. A blank is never a “no”.") in answer.content.decode()


def test_symptom_pattern_is_said_not_to_be_a_diagnosis(as_user: As, maya: User, sam: Client) -> None:
    found = assessed(sitting(sam), "phq-9", phq9_of(24, 3))
    Assessment.objects.filter(pk=found.pk).update(details={"mds": True, "missing": []})
    page = as_user(maya).get(url(found)).content.decode()
    assert "The answers fit the symptom pattern of this questionnaire. That is not a diagnosis." in page


def test_assessment_is_marked_read_once_by_a_named_person(
    as_user: As, post: Post, maya: User, sol: User, sam: Client
) -> None:
    found = assessed(sitting(sam), "phq-9", phq9_of(12))
    here = reverse("assessment_read", args=[sam.pk, found.pk])
    assert last_message(post(as_user(maya), here)) == "Marked as read."
    assert last_message(post(as_user(maya), here)) == "Read already, by you, Thu Nov 19, 11:00 am."
    assert last_message(post(as_user(sol), here)) == "Read already, by Maya Torres, Thu Nov 19, 11:00 am."
    found.refresh_from_db()
    assert (found.read_by, found.read_at) == (maya, NOW + timedelta(hours=1))
    assert "Read by you, Thu Nov 19, 11:00 am" in as_user(maya).get(url(found)).content.decode()


def test_chart_counts_what_is_not_read_yet(as_user: As, maya: User, sam: Client) -> None:
    row = sitting(sam)
    first, _second = assessed(row, "phq-9", phq9_of(12)), assessed(row, CSSRS, CSSRS_MODERATE)
    browser, here = as_user(maya), reverse("chart", args=[sam.pk])
    assert "2 not read yet" in browser.get(here).content.decode()
    first.mark_read(by=maya, at=NOW)
    assert "1 not read yet" in browser.get(here).content.decode()


def test_assessment_names_the_rules_that_fired(as_user: As, maya: User, sam: Client) -> None:
    row = sitting(sam)
    found = assessed(row, "phq-9", phq9_of(19, 1))
    assessed(row, CSSRS, CSSRS_MODERATE)
    from referrals.actions.suggestions import suggest

    suggest(by=None, client=sam, sitting=row, at=NOW)
    page = as_user(maya).get(url(found)).content.decode()
    assert reverse("rule", args=["IN-01"]) in page and "version 1" in page


@pytest.mark.parametrize(("who", "status"), [("omar", 404), ("ines", 404), ("fay", 403), ("rosa", 403)])
def test_answers_are_closed_to_everybody_else(
    as_user: As, post: Post, request: pytest.FixtureRequest, sam: Client, who: str, status: int
) -> None:
    row = sitting(sam)
    answered(row, names={"used": "Canary"})
    found, signature = assessed(row, "phq-9", phq9_of(12)), signed(row)
    browser = as_user(request.getfixturevalue(who))
    for here in (url(found), url(row), url(signature)):
        answer = browser.get(here)
        assert answer.status_code == status
        assert "Canary" not in answer.content.decode() and "Moderate" not in answer.content.decode()
    assert post(browser, reverse("assessment_read", args=[sam.pk, found.pk])).status_code == status
    assert post(browser, url(row)).status_code == status
    found.refresh_from_db()
    assert found.read_at is None


def test_rows_of_one_client_are_not_found_under_another(as_user: As, maya: User, sam: Client) -> None:
    other, row = factories.client(maya, "Noor Adel"), sitting(sam)
    browser = as_user(maya)
    for name, found in (("assessment", assessed(row, "phq-9", phq9_of(3))), ("intake_read", row),
                        ("agreement_copy", signed(row))):  # fmt: skip
        assert browser.get(reverse(name, args=[other.pk, found.pk])).status_code == 404


def test_reading_is_recorded_once_without_any_clinical_value(as_user: As, maya: User, sam: Client) -> None:
    found = assessed(sitting(sam), "phq-9", phq9_of(19, 2))
    as_user(maya).get(url(found))
    [event] = AuditEvent.objects.filter(action="read.assessment")
    assert (event.actor_id, event.client_id, event.target_id, event.facts) == (maya.pk, sam.pk, str(found.pk), {})


# --- A whole sitting ------------------------------------------------------------------------------------------------


def test_sitting_is_shown_by_section_in_the_words_of_the_form(as_user: As, maya: User, sam: Client) -> None:
    row = sitting(sam)
    answered(row, names={"used": "Sam", "legal": "Samuel Whitehorse"}, trials=None, reach=["sms"])
    answer = as_user(maya).get(url(row))
    told = {group["title"]: {r["label"]: r["value"] for r in group["rows"]} for group in answer.context["groups"]}
    flat = {label: value for rows in told.values() for label, value in rows.items()}
    assert flat["Which medicines have you tried for depression?"] == "Skipped: would like to talk about this in person"
    assert flat["How is it safe for us to reach you?"] == "Text message"
    assert "Sent Thu Nov 19, 10:00 am" in answer.content.decode()


def test_marking_a_sitting_as_read_finishes_its_item(as_user: As, post: Post, maya: User, sam: Client) -> None:
    row = sitting(sam)
    Task.open(sam, "new_intake", at=NOW, subject_id=row.pk)
    browser = as_user(maya)
    assert last_message(post(browser, url(row))) == "Marked as read."
    assert last_message(post(browser, url(row))) == "Read already, by you, Thu Nov 19, 11:00 am."
    row.refresh_from_db()
    assert (row.read_by, Task.objects.get().done_by) == (maya, maya)


def test_unsent_sitting_shows_no_answer(as_user: As, post: Post, maya: User, sam: Client) -> None:
    row = sitting(sam, sent=False)
    answered(row, names={"used": "Canary"})
    browser = as_user(maya)
    page = browser.get(url(row)).content.decode()
    assert "Not sent yet" in page and "Canary" not in page
    post(browser, url(row))
    row.refresh_from_db()
    assert row.read_at is None


def test_who_only_stands_in_reads_and_takes_nothing_off_the_list(
    as_user: As, post: Post, maya: User, omar: User, sam: Client
) -> None:
    """Cover sees the answers of an open flag; that they were read is for who treats the client to say."""
    row = sitting(sam)
    found = assessed(row, "phq-9", phq9_of(12, 0))
    Task.open(sam, "new_intake", at=NOW, subject_id=row.pk)
    flag = actions.raise_manual_flag(by=maya, client=sam, severity="urgent", reason="x", at=NOW)
    actions.tell(flag, omar, AlertNotice.Why.ON_CALL, 0, NOW)
    browser = as_user(omar)
    for here in (url(row), url(found)):
        page = browser.get(here)
        assert (page.status_code, "Mark as read" in page.content.decode()) == (200, False)
    assert post(browser, url(row)).status_code == 403
    assert post(browser, f"{url(found)}read/").status_code == 403
    row.refresh_from_db()
    found.refresh_from_db()
    assert (row.read_at, found.read_at) == (None, None)
    assert sam.tasks.get(kind="new_intake").done_at is None


def test_unsent_sitting_is_readable_while_its_safety_flag_is_open(as_user: As, maya: User, sam: Client) -> None:
    row = sitting(sam, sent=False)
    answered(row, names={"used": "Canary"})
    flag = actions.raise_alert(
        by=sam, client=sam, source="intake", source_id=row.pk, severity="priority",
        rules=[{"id": "SR-03", "version": "1"}], at=NOW,
    )  # fmt: skip
    browser = as_user(maya)
    page = browser.get(url(row)).content.decode()
    assert "Answers so far." in page and "Canary" in page
    assert "Where are you right now" not in page  # what was not reached yet is not shown as blank
    assert url(row) in browser.get(reverse("alert", args=[sam.pk, flag.pk])).content.decode()
    actions.record_contact(
        by=maya, alert=flag, recorded_at=NOW, reached="yes", at=NOW, level="low", action="x", plan="y",
        next_check_at=NOW + timedelta(days=1),
    )  # fmt: skip
    actions.close_alert(by=maya, alert=flag, action="no_change", note="x", at=NOW)
    assert "Canary" not in browser.get(url(row)).content.decode()


def test_trials_are_shown_with_why_each_counts_or_does_not(as_user: As, post: Post, maya: User, sam: Client) -> None:
    row = sitting(sam)
    failed = {"mg": 100, "weeks": 8, "best_improvement_pct": "25", "stopped": "no_help", "this_episode": "yes"}
    answered(row, trials=[{"drug": "Sertraline", **failed}, {"drug": "Sertraline", **failed, "weeks": 2}])
    browser = as_user(maya)
    answer = browser.get(url(row))
    told = answer.context["trials"]
    assert ([r["verdict"].code for r in told["rows"]], told["failed"]) == (["failed", "too_short"], 1)
    page = answer.content.decode()
    assert escape(told["rows"][1]["verdict"].reason) in page
    assert "Until a person confirms this, the rules treat the number as not known." in page
    post(browser, reverse("trials_confirm", args=[sam.pk, row.pk]))
    page = browser.get(url(row)).content.decode()
    assert "Confirmed by you, Thu Nov 19, 11:00 am." in page
    assert reverse("trials_confirm", args=[sam.pk, row.pk]) not in page


# --- Agreements -----------------------------------------------------------------------------------------------------


def signed(row: Intake, document: str = "treatment") -> Signature:
    found = Signature(
        client=row.client, intake=row, document=document, version="1", text_sha256="0" * 64, signed_at=NOW,
    )  # fmt: skip
    found.typed_name = "Samuel Whitehorse"
    found.save(force_insert=True)
    return found


def test_agreement_is_on_the_chart_with_its_copy(as_user: As, maya: User, sam: Client) -> None:
    found = signed(sitting(sam))
    browser = as_user(maya)
    page = browser.get(reverse("chart", args=[sam.pk])).content.decode()
    assert url(found) in page and "Signed Nov 19, 2026" in page
    copy = browser.get(url(found))
    assert (copy["Content-Type"], copy.content[:5]) == ("application/pdf", b"%PDF-")
    assert copy["Content-Disposition"] == 'attachment; filename="agreement-treatment.pdf"'
    assert AuditEvent.objects.filter(action="read.agreement", client_id=sam.pk).count() == 1


@pytest.mark.parametrize("visits", [1, 3, 20])
def test_assessment_page_costs_the_same_however_long_the_history(
    as_user: As, maya: User, sam: Client, visits: int
) -> None:
    for n in range(visits):
        found = assessed(sitting(sam, NOW - timedelta(days=visits - n)), "phq-9", phq9_of(12))
    browser = as_user(maya)
    browser.get(url(found))
    with CaptureQueriesContext(connection) as asked:
        browser.get(url(found))
    assert len(asked) == 17
    assert len({q["sql"].split("WHERE")[0] for q in asked if "intake_assessment" in q["sql"]}) <= 2
