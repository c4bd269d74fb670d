"""The chart: what stands on it, who may open it, and what it costs (UX checks 23, 25, 29; security check 40)."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils.html import escape

from practice import actions
from practice.kap.models import Plan, Session
from practice.models import AuditEvent, Client, Task, User
from referrals.models import Course, CourseSession
from tests.factories import NOW
from tests.sittings import CSSRS, CSSRS_MODERATE, assessed, phq9_of, sitting

As = Callable[[User], Any]


@pytest.fixture(autouse=True)
def _clock() -> Any:
    with time_machine.travel(NOW + timedelta(hours=1), tick=False):
        yield


def chart(client: Client) -> str:
    return reverse("chart", args=[client.pk])


def test_storyboard_says_who_this_is_and_how_to_reach_them(as_user: As, maya: User, sam: Client) -> None:
    sam.contacts = [
        {"role": "emergency", "name": "Ana", "relation": "Parent", "phone": "555 0101", "may_talk": "yes"},
        {"role": "support", "name": "Jo", "relation": "Friend", "phone": "555 0178", "may_talk": "emergency"},
    ]
    sam.allergies = "Penicillin"
    sam.next_session_at = NOW + timedelta(days=5)
    sam.save()
    page = as_user(maya).get(chart(sam)).content.decode()
    for words in (
        "Sam Whitehorse",
        "he/him · 33 · born Mar 8, 1993 · CH-0401",
        "Text or call +1 202 555 0142, no voicemail, e-mail too",
        "Jo (Friend) 555 0178, only in an emergency",
        "Penicillin",
        "Tue Nov 24, 10:00 am",
    ):
        assert escape(words) in page, words
    plan = reverse("safety_plan", args=[sam.pk])
    assert f'<dt>Safety plan</dt><dd><a href="{plan}">None yet</a></dd>' in page
    assert "<title>CH-0401 - Cedar House</title>" in page  # no name where a browser's history keeps it


@pytest.mark.parametrize(
    ("reach", "words"),
    [
        ({"sms": False, "email": False, "voice": False}, "No safe way known: ask at the next visit"),
        ({"sms": True, "email": False, "voice": False}, "Text +1 202 555 0142"),
        ({"sms": False, "email": False, "voice": True, "voicemail": True}, "Call +1 202 555 0142, voicemail is fine"),
        (
            {"sms": False, "email": True, "voice": False, "note": "after noon"},
            "E-mail sam@example.net, after noon",
        ),
    ],
)
def test_storyboard_names_only_the_ways_that_are_safe(
    as_user: As, maya: User, sam: Client, reach: dict[str, Any], words: str
) -> None:
    sam.reach = reach
    sam.save()
    page = as_user(maya).get(chart(sam)).content.decode()
    assert f"<dt>Reach by</dt><dd>{words}</dd>" in page


def test_open_flag_stands_in_the_bar_with_its_next_step(as_user: As, maya: User, sam: Client) -> None:
    browser = as_user(maya)
    assert 'class="alert-bar"' not in browser.get(chart(sam)).content.decode()
    flag = actions.raise_manual_flag(by=maya, client=sam, severity="urgent", reason="Said goodbye", at=NOW)
    page = browser.get(chart(sam)).content.decode()
    assert "Safety flag, urgent, opened Thu Nov 19, 10:00 am. Nobody has picked it up yet." in page
    assert page.count(reverse("alert_acknowledge", args=[sam.pk, flag.pk])) == 2  # in the bar and on the card
    actions.acknowledge(by=maya, alert=flag, at=NOW + timedelta(minutes=9))
    page = browser.get(chart(sam)).content.decode()
    assert "Picked up by you at 10:09 am. No contact recorded yet." in page
    assert f'href="{reverse("alert", args=[sam.pk, flag.pk])}#contact"' in page


def test_to_do_leads_to_where_each_item_is_done(as_user: As, maya: User, sam: Client) -> None:
    flag = actions.raise_manual_flag(by=maya, client=sam, severity="routine", reason="x", at=NOW)
    reconcile = Task.open(sam, "reconcile", at=NOW)
    Task.open(sam, "todo", at=NOW - timedelta(days=1), subject_id=sam.pk, reason="wrong_codes")
    page = as_user(maya).get(chart(sam)).content.decode()
    todo = page[page.index('id="todo"') : page.index('aria-labelledby="notes-h"')]
    assert reverse("alert", args=[sam.pk, flag.pk]) in todo
    assert reverse("task_done", args=[sam.pk, reconcile.pk]) in todo
    assert "Item 9 is positive and the C-SSRS is all no." in todo


def test_client_with_nothing_yet_has_a_chart_that_says_what_will_be_there(as_user: As, maya: User, sam: Client) -> None:
    page = as_user(maya).get(chart(sam)).content.decode()
    for words in ("No PHQ-9 in the time shown.", "Nothing has come in yet.", "None signed.", "No notes yet.",
                  "Nothing to do for this client now."):  # fmt: skip
        assert words in page
    assert "Infusions</h2>" not in page and "No plan yet." in page


@pytest.mark.parametrize(
    ("who", "status"),
    [
        ("maya", 200),
        ("sol", 200),
        ("pax", 200),
        ("omar", 404),
        ("ines", 404),
        ("fay", 403),
        ("rosa", 403),
        ("gone", 302),
    ],
)
def test_chart_opens_for_those_who_care_for_the_client(
    as_user: As, request: pytest.FixtureRequest, sam: Client, who: str, status: int
) -> None:
    answer = as_user(request.getfixturevalue(who)).get(chart(sam))
    assert answer.status_code == status
    if status != 200:
        for canary in ("Whitehorse", "555 0142", "sam@example.net", "1993"):
            assert canary not in answer.content.decode()


def test_reading_a_chart_is_one_event_without_a_clinical_value(as_user: As, maya: User, sam: Client) -> None:
    as_user(maya).get(chart(sam))
    [event] = AuditEvent.objects.filter(client_id=sam.pk, action__startswith="read.")
    assert (event.action, event.actor_id, event.outcome, event.facts) == ("read.chart", maya.pk, "ok", {})


def test_refused_chart_is_an_event_too(as_user: As, ines: User, fay: User, sam: Client) -> None:
    as_user(ines).get(chart(sam))
    as_user(fay).get(chart(sam))
    events = AuditEvent.objects.filter(action="refused").order_by("seq")
    assert [(e.actor_id, e.outcome, e.facts) for e in events] == [
        (ines.pk, "refused", {"view": "chart"}),
        (fay.pk, "refused", {"view": "chart"}),
    ]


def fill(client: Client, by: User, visits: int) -> None:
    """A client with everything open once, and so many visits behind them."""
    for n in range(visits):
        at = NOW - timedelta(days=14 * (visits - n - 1))
        row = sitting(client, at)
        assessed(row, "phq-9", phq9_of(19 if n == visits - 1 else 12, 1))
        assessed(row, CSSRS, CSSRS_MODERATE)
        actions.write_note(by=by, client=client, words=f"Visit {n}", at=at)
        course = Course.objects.create(client=client, clinic="Northlake", started_on=at.date())
        CourseSession.objects.bulk_create(
            [CourseSession(course=course, number=i, on=at.date(), state="done") for i in (1, 2, 3)]
        )
        plan = Plan.objects.create(client=client, shape="weekly", planned=8, started_on=at.date())
        Session.objects.bulk_create([Session(plan=plan, kind="dosing", number=i, starts_at=at) for i in (1, 2)])
    from referrals.actions.suggestions import suggest

    suggest(by=None, client=client, sitting=None, at=NOW)
    flag = actions.raise_manual_flag(by=by, client=client, severity="urgent", reason="x", at=NOW)
    actions.client_did(client=client, alert=flag, kind="shown", at=NOW)


# Door and frame of every staff page: session, person, roles, practice, the bar's count and the strips (3): 7.
# The client, which acts are offered, and for whom one stands in: 3. The audit row with its lock: 3. The safety plan
# in the storyboard: 1.
# The panels: 33, of which 9 weigh the open review card anew against what holds it now, and 1 asks whether the client
# waits for a copy of the record.
QUERIES = 7 + 3 + 3 + 1 + 33


@pytest.mark.parametrize("visits", [1, 3, 20])
def test_chart_costs_the_same_however_long_the_history(
    as_user: As, maya: User, sam: Client, on_call: User, visits: int
) -> None:
    fill(sam, maya, visits)
    browser = as_user(maya)
    browser.get(chart(sam))
    with CaptureQueriesContext(connection) as asked:
        page = browser.get(chart(sam))
    assert page.status_code == 200
    assert len(page.content) < 400_000
    assert len(asked) == QUERIES, "\n".join(q["sql"][:200] for q in asked)


def test_printed_chart_names_the_client_on_every_page_and_has_no_buttons(as_user: As, maya: User, sam: Client) -> None:
    actions.raise_manual_flag(by=maya, client=sam, severity="urgent", reason="x", at=NOW)
    page = as_user(maya).get(chart(sam)).content.decode()
    assert '<p class="print-foot" aria-hidden="true">Sam Whitehorse · CH-0401</p>' in page
    from pathlib import Path

    from django.conf import settings

    css = (Path(settings.ROOT) / "practice/static/practice/css/staff.css").read_text()
    printed = css[css.index("@page") :]
    for hidden in (".alert-bar", ".story .btn-row", ".decide", ".no-print", ".s-top"):
        assert hidden in printed, hidden
    assert "counter(page)" in printed and ".print-foot" in printed
