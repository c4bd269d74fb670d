"""Safety flags on the page: one winner, contact, close, drill, who may (security checks 15, 77, 79; UX 25, 32)."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.contrib.messages import get_messages
from django.db import connection
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils.html import escape

from practice import actions
from practice.models import Alert, AuditEvent, Client, SafetyContact, Task, User
from tests import factories
from tests.factories import NOW

As = Callable[[User], Browser]
Post = Callable[..., Any]

SR03 = {"id": "SR-03", "version": "1"}
ANSWERS = [
    {
        "link_id": "cssrs-3",
        "positive": True,
        "question": "Have you been thinking about how you might do this?",
        "answer": "Yes",
    },
    {
        "link_id": "cssrs-4",
        "positive": False,
        "question": "Have you had these thoughts and had some intention of acting on them?",
        "answer": "No",
    },
]


@pytest.fixture(autouse=True)
def _clock() -> Any:
    with time_machine.travel(NOW + timedelta(minutes=22), tick=False):
        yield


@pytest.fixture
def flag(sam: Client, on_call: User) -> Alert:
    return actions.raise_alert(
        by=sam, client=sam, source="intake", source_id="1" * 8 + "-1111-1111-1111-" + "1" * 12, severity="priority",
        rules=[SR03], answers=ANSWERS, at=NOW,
    )  # fmt: skip


def url(name: str, flag: Alert) -> str:
    return reverse(name, args=[flag.client_id, flag.pk])


def said(response: Any) -> str:
    return [str(message) for message in get_messages(response.wsgi_request)][-1]


def contact_fields(**other: str) -> dict[str, str]:
    plain = {
        "reached": "yes",
        "at": "2026-11-19T10:20",
        "level": "moderate",
        "action": "Called, talked for ten minutes",
        "plan": "Sister stays tonight, visit on Friday",
        "next_check_at": "2026-11-20T09:30",
    }
    return plain | other


def test_flag_says_why_it_is_one_and_who_was_told(as_user: As, maya: User, flag: Alert) -> None:
    actions.client_did(client=flag.client, alert=flag, kind="shown", at=NOW + timedelta(minutes=1))
    actions.client_did(client=flag.client, alert=flag, kind="tapped", at=NOW + timedelta(minutes=2), what="call_988")
    actions.client_did(client=flag.client, alert=flag, kind="left", at=NOW + timedelta(minutes=3))
    page = as_user(maya).get(url("alert", flag)).content.decode()
    for words in (
        "Have you been thinking about how you might do this?",
        "Suicidal thoughts with a method, or past suicidal behaviour.",
        "Source: Columbia triage; help.blueprint-health.com C-SSRS page (3 or lifetime 6 = medium)",
        reverse("rule", args=["SR-03"]),
        "Was shown 988 and the support page, Thu Nov 19, 10:01 am",
        "Tapped “Call 988”, Thu Nov 19, 10:02 am",
        "Left after a safety answer, Thu Nov 19, 10:03 am",
        "Maya Torres, their therapist, Thu Nov 19, 10:00 am",
        "Omar Haddad, on call, Thu Nov 19, 10:00 am",
        "Nobody has picked it up for 22 min.",
        "Omar Haddad (on call), Thu Nov 19, 10:30 am",
    ):
        assert escape(words) in page, words


def test_second_person_to_acknowledge_reads_who_was_first(
    as_user: As, post: Post, maya: User, omar: User, flag: Alert
) -> None:
    first = post(as_user(omar), url("alert_acknowledge", flag))
    second = post(as_user(maya), url("alert_acknowledge", flag))
    again = post(as_user(omar), url("alert_acknowledge", flag))
    assert said(first) == "You picked this up at 10:22 am."
    assert said(second) == "Omar Haddad picked this up at 10:22 am."
    assert said(again) == "You have this already, since Thu Nov 19, 10:22 am."
    flag.refresh_from_db()
    assert flag.acknowledged_by == omar


def test_same_form_sent_twice_acknowledges_once(as_user: As, post: Post, maya: User, flag: Alert) -> None:
    browser = as_user(maya)
    for _ in range(2):
        answer = post(browser, url("alert_acknowledge", flag), key="k" * 32)
        assert answer["Location"] == url("alert", flag)
    assert AuditEvent.objects.filter(action="alert.acknowledged").count() == 1


def test_contact_turns_the_bar_and_shows_in_the_chain(as_user: As, post: Post, maya: User, flag: Alert) -> None:
    browser = as_user(maya)
    assert said(post(browser, url("alert_contact", flag), contact_fields())) == "Contact recorded."
    kept = SafetyContact.objects.get()
    assert (kept.by, kept.level, kept.plan) == (maya, "moderate", "Sister stays tonight, visit on Friday")
    assert kept.at == NOW + timedelta(minutes=20)  # 10:20 in New York
    page = browser.get(reverse("chart", args=[flag.client_id])).content.decode()
    assert "Contact made 10:20 am by you. Next check Fri Nov 20, 9:30 am." in page
    chain = browser.get(url("alert", flag)).content.decode()
    assert "Contact recorded by you: Spoke with the client" in chain
    assert "Sister stays tonight, visit on Friday" in chain


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"at": "2026-11-19T10:23"}, "The contact cannot be in the future."),
        ({"at": "2026-11-19T09:59"}, "The flag opened Thu Nov 19, 10:00 am. Give a time after that."),
        ({"at": "2026-02-31T10:00"}, "Give a day and a time, such as 2026-11-20 09:30."),
        ({"next_check_at": "2026-11-19T10:22"}, "The next check must be later than now."),
        ({"next_check_at": "9999-12-31T23:59"}, "The next check must be within a year."),
        ({"next_check_at": ""}, "Say when somebody checks again."),
        ({"level": ""}, "Choose a level. “Could not assess” is one."),
        ({"level": "fine"}, "Select a valid choice. fine is not one of the available choices."),
        ({"plan": " "}, "Write the plan until the next check."),
        ({"action": "a\x00b"}, "Null characters are not allowed."),
    ],
)
def test_contact_that_cannot_be_is_refused_in_words_and_nothing_is_lost(
    as_user: As, post: Post, maya: User, flag: Alert, wrong: dict[str, str], sentence: str
) -> None:
    answer = post(as_user(maya), url("alert_contact", flag), contact_fields(reached="no") | wrong)
    assert answer.status_code == 400
    page = answer.content.decode()
    assert f"<title>Error: Safety flag - {flag.client.code}" in page
    assert page.count(escape(sentence)) == 2  # in the summary and at the field
    assert "Sister stays tonight" in page or "plan" in wrong
    assert SafetyContact.objects.count() == 0


def test_close_is_refused_without_level_plan_and_next_check(as_user: As, post: Post, maya: User, flag: Alert) -> None:
    browser, fields = as_user(maya), {"action": "no_change", "note": "Talked it through"}
    answer = post(browser, url("alert_close", flag), fields)
    assert answer.status_code == 400
    assert "Record a contact with a level, a plan and the next check first." in answer.content.decode()
    assert "Talked it through" in answer.content.decode()
    post(browser, url("alert_contact", flag), contact_fields(level="unknown"))
    assert post(browser, url("alert_close", flag), fields).status_code == 400
    assert Alert.objects.get().is_open


def test_close_waits_until_what_was_added_is_read(
    as_user: As, post: Post, maya: User, flag: Alert, sam: Client
) -> None:
    browser, place = as_user(maya), url("alert_close", flag)
    post(browser, url("alert_contact", flag), contact_fields())
    fields = {"action": "safety_plan", "note": "Plan made", "seen": str(flag.version)}
    actions.raise_alert(
        by=sam, client=sam, source="intake", source_id=flag.source_id, severity="priority",
        rules=[{"id": "SR-07", "version": "1"}], at=NOW + timedelta(minutes=21),
    )  # fmt: skip
    answer = post(browser, place, fields)
    assert (answer.status_code, Alert.objects.get().is_open) == (400, True)
    assert "More was answered while you wrote" in answer.content.decode()
    again = answer.context["forms"]["close"]["seen"].value()
    assert post(browser, place, fields | {"seen": str(again)}).status_code == 302
    assert not Alert.objects.get().is_open


def test_close_then_later_words_are_appended(as_user: As, post: Post, maya: User, flag: Alert) -> None:
    browser = as_user(maya)
    post(browser, url("alert_contact", flag), contact_fields())
    post(browser, url("alert_close", flag), {"action": "safety_plan", "note": "Plan made on the phone"})
    assert not Alert.objects.get().is_open
    page = browser.get(url("alert", flag)).content.decode()
    assert "Record the next check" in page and 'id="contact"' not in page and 'id="close"' not in page
    assert post(browser, url("alert_close", flag), {"action": "no_change", "note": "Other"}).status_code == 400
    assert said(post(browser, url("alert_add", flag), {"words": "Her sister called back"})) == "Added."
    assert said(post(browser, url("alert_checked", flag), {"words": "Reached, better"})) == "Check recorded."
    kept = Alert.objects.get()
    assert (kept.closing_note, kept.action) == ("Plan made on the phone", "safety_plan")
    assert [e.words for e in kept.events.order_by("at", "pk") if e.kind == "added"] in (
        ["Her sister called back", "Reached, better"],
        ["Reached, better", "Her sister called back"],
    )
    assert not Task.objects.filter(done_at=None).exists()
    assert "Record the next check" not in browser.get(url("alert", flag)).content.decode()


def test_loser_of_two_closes_keeps_the_typed_words(as_user: As, post: Post, maya: User, flag: Alert) -> None:
    browser = as_user(maya)
    post(browser, url("alert_contact", flag), contact_fields())
    post(browser, url("alert_close", flag), {"action": "safety_plan", "note": "Mine"})
    answer = post(browser, url("alert_close", flag), {"action": "no_change", "note": "What I typed"})
    assert "Maya Torres closed this flag first." in answer.content.decode()
    assert "What I typed" in answer.content.decode()


def test_two_flags_of_one_client_are_both_on_the_chart(as_user: As, maya: User, flag: Alert) -> None:
    other = actions.raise_manual_flag(
        by=maya, client=flag.client, severity="urgent", reason="Gave his dog away", at=NOW + timedelta(minutes=4)
    )
    page = as_user(maya).get(reverse("chart", args=[flag.client_id])).content.decode()
    assert page.index(f'id="flag-{other.pk}"') < page.index(f'id="flag-{flag.pk}"')
    assert "Safety flag, urgent, opened Thu Nov 19, 10:04 am. Nobody has picked it up yet. 1 more flag is open." in page
    assert "Gave his dog away" in page and "thinking about how you might do this" in page


def test_colleague_on_call_sees_the_flag_while_it_is_open_and_no_longer_after(
    as_user: As, post: Post, omar: User, flag: Alert
) -> None:
    browser = as_user(omar)
    assert browser.get(reverse("alert_open", args=[flag.pk]))["Location"] == url("alert", flag)
    assert flag.client.name in browser.get(reverse("alerts")).content.decode()
    post(browser, url("alert_contact", flag), contact_fields())
    closed = post(browser, url("alert_close", flag), {"action": "safety_plan", "note": "Handed to Maya"})
    assert closed["Location"] == reverse("alerts")
    assert browser.get(url("alert", flag)).status_code == 404
    assert flag.client.name not in browser.get(reverse("alerts")).content.decode()


def test_stranger_gets_nothing_of_a_flag(as_user: As, post: Post, ines: User, flag: Alert) -> None:
    browser = as_user(ines)
    for name in ("alert", "alert_acknowledge", "alert_contact", "alert_close", "alert_add", "alert_checked"):
        assert browser.get(url(name, flag)).status_code == 404
        assert post(browser, url(name, flag), contact_fields() | {"note": "x", "words": "x"}).status_code == 404
    assert browser.get(reverse("alert_open", args=[flag.pk])).status_code == 404
    page = browser.get(reverse("alerts")).content.decode()
    assert "No open alerts" in page and flag.client.name not in page
    flag.refresh_from_db()
    assert (flag.acknowledged_at, flag.version) == (None, 1)


def test_flag_of_one_client_is_not_found_under_another(as_user: As, maya: User, flag: Alert) -> None:
    other = factories.client(maya, "Noor Adel")
    assert as_user(maya).get(reverse("alert", args=[other.pk, flag.pk])).status_code == 404


def test_admin_sees_that_a_flag_waits_but_no_answer(as_user: As, post: Post, rosa: User, flag: Alert) -> None:
    browser = as_user(rosa)
    opened = browser.get(reverse("alert_open", args=[flag.pk]))
    assert opened["Location"] == f"{reverse('alerts')}#row-{flag.pk}"
    page = browser.get(reverse("alerts")).content.decode()
    assert "Nobody has picked it up for 22 min." in page
    assert "thinking about how" not in page and "SR-03" not in page
    assert browser.get(url("alert", flag)).status_code == 403
    assert post(browser, url("alert_acknowledge", flag)).status_code == 403


def test_list_has_open_flags_by_clock_and_marks_drills(
    as_user: As, maya: User, rosa: User, kit: Client, flag: Alert
) -> None:
    actions.run_drill(by=rosa, at=NOW + timedelta(minutes=20))
    later = actions.raise_manual_flag(by=maya, client=kit, severity="routine", reason="x", at=NOW)
    rows = as_user(rosa).get(reverse("alerts")).context["open"]
    assert [(row["name"], row["severity"]) for row in rows] == [
        ("Sam Whitehorse", "Priority"),
        ("Drill: a test flag, no client", "Urgent"),
        ("Kit Larkspur", "Routine"),
    ]
    assert [chip["text"] for chip in rows[1]["chips"]] == ["Drill"]
    assert later.severity == "routine"


@pytest.mark.parametrize("more", [0, 2, 19])
def test_list_costs_the_same_for_one_flag_and_for_many(as_user: As, maya: User, flag: Alert, more: int) -> None:
    for n in range(more):
        client = factories.client(maya, f"Client {n}")
        actions.raise_manual_flag(by=maya, client=client, severity="urgent", reason="x", at=NOW)
    browser = as_user(maya)
    browser.get(reverse("alerts"))
    with CaptureQueriesContext(connection) as seen:
        assert len(browser.get(reverse("alerts")).context["open"]) == more + 1
    assert len(seen) == 12


def test_drill_is_acknowledged_on_its_own_page(as_user: As, post: Post, rosa: User, on_call: User) -> None:
    drill = actions.run_drill(by=rosa, at=NOW)
    browser, here = as_user(on_call), reverse("drill_alert", args=[drill.pk])
    assert browser.get(reverse("alert_open", args=[drill.pk]))["Location"] == here
    assert "Drill: a test flag" in browser.get(here).content.decode()
    assert said(post(browser, here)) == "You picked this up at 10:22 am."
    drill.refresh_from_db()
    assert (drill.is_open, drill.minutes_to_acknowledge(NOW)) == (False, 22)
    assert "after 22 min" in browser.get(here).content.decode()


def test_drill_page_shows_no_real_flag(as_user: As, maya: User, flag: Alert) -> None:
    assert as_user(maya).get(reverse("drill_alert", args=[flag.pk])).status_code == 404


def test_manual_flag_is_raised_from_the_chart(as_user: As, post: Post, maya: User, sam: Client) -> None:
    browser, here = as_user(maya), reverse("flag_new", args=[sam.pk])
    answer = post(browser, here, {"severity": "urgent", "reason": "Said goodbye to his class"})
    assert answer["Location"] == reverse("chart", args=[sam.pk])
    kept = Alert.objects.get()
    assert (kept.source, kept.severity, kept.reason, kept.raised_by) == (
        "manual", "urgent", "Said goodbye to his class", maya,
    )  # fmt: skip
    empty = post(browser, here, {"severity": "urgent", "reason": " "})
    assert (empty.status_code, "Write what you saw or heard." in empty.content.decode()) == (400, True)


def test_reasons_that_are_no_rule_are_named_in_words(as_user: As, maya: User, rosa: User, sam: Client) -> None:
    actions.raise_alert(
        by=sam, client=sam, source="intake", severity="urgent", rules=[{"id": "safe-now", "version": "1"}], at=NOW
    )
    raised = actions.raise_manual_flag(by=maya, client=sam, severity="urgent", reason="x", at=NOW)
    drill = actions.run_drill(by=rosa, at=NOW)
    chart = as_user(maya).get(reverse("chart", args=[sam.pk])).content.decode()
    for name, title in (("safe-now", "“Are you safe right now?”"), ("manual", "Raised by a person")):
        assert f"<b>{title}</b>" in chart
        assert reverse("rule", args=[name]) in chart
    assert "Flag opened (Raised by a person), by you" in as_user(maya).get(url("alert", raised)).content.decode()
    page = as_user(rosa).get(reverse("drill_alert", args=[drill.pk])).content.decode()
    assert "Flag opened (Drill), by you" in page


@pytest.mark.parametrize(("who", "status"), [("fay", 403), ("rosa", 403), ("omar", 404), ("pax", 302), ("sol", 302)])
def test_manual_flag_is_for_those_who_care_for_the_client(
    as_user: As, post: Post, request: pytest.FixtureRequest, sam: Client, who: str, status: int
) -> None:
    user = request.getfixturevalue(who)
    answer = post(as_user(user), reverse("flag_new", args=[sam.pk]), {"severity": "urgent", "reason": "x"})
    assert (answer.status_code, Alert.objects.count()) == (status, 1 if status == 302 else 0)


def test_reading_a_flag_is_recorded_without_any_clinical_value(as_user: As, maya: User, flag: Alert) -> None:
    as_user(maya).get(url("alert", flag))
    event = AuditEvent.objects.get(action="read.alert")
    assert (event.actor_id, event.client_id, event.target_id, event.facts) == (
        maya.pk, flag.client_id, str(flag.pk), {},
    )  # fmt: skip
