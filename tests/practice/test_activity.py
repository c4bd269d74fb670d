"""What is open, what was done lately, and the report of who saw and did what (security check 45)."""

import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.conf import settings
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from practice import actions, audit
from practice.models import AuditEvent, Client, Note, Task, User
from practice.models.tasks import KINDS
from practice.views.action_words import ACTION_WORDS
from practice.views.activity import DONE_WORDS
from tests.factories import NOW

As = Callable[[User], Any]
Post = Callable[..., Any]


@pytest.fixture(autouse=True)
def _clock() -> Any:
    with time_machine.travel(NOW + timedelta(hours=1), tick=False):
        yield


def activity(client: Client) -> str:
    return reverse("activity", args=[client.pk])


def rows(page: Any) -> list[tuple[str, str]]:
    return [(row["who"], str(row["what"])) for row in page.context["rows"]]


def test_activity_lists_every_act_on_this_client_and_on_no_other(
    as_user: As, maya: User, sol: User, sam: Client, kit: Client
) -> None:
    before = len(rows(as_user(maya).get(activity(sam))))
    as_user(sol).get(reverse("chart", args=[sam.pk]))
    actions.write_note(by=maya, client=sam, words="x", at=NOW)
    audit.record("intake.submitted", by=sam, client=sam)
    audit.record("alert.climbed", by=None, client=sam)
    audit.record("read.chart", by=maya, client=kit)
    found = rows(as_user(maya).get(activity(sam)))
    assert found[:5] == [
        ("Maya Torres", "Opened this page"),
        ("Waymark itself", "A safety flag went to the next person"),
        ("The client", "Sent their answers"),
        ("Maya Torres", "Added a note"),
        ("Sol Amari", "Opened the chart"),
    ]
    assert len(found) == before + 5


def test_activity_names_somebody_whose_account_is_closed(as_user: As, maya: User, gone: User, sam: Client) -> None:
    audit.record("read.chart", by=gone, client=sam)
    assert ("Gone Kerr", "Opened the chart") in rows(as_user(maya).get(activity(sam)))


@pytest.mark.parametrize(("who", "status"), [("sol", 200), ("omar", 404), ("fay", 403), ("rosa", 403)])
def test_activity_is_for_those_who_read_the_chart(
    as_user: As, request: pytest.FixtureRequest, sam: Client, who: str, status: int
) -> None:
    assert as_user(request.getfixturevalue(who)).get(activity(sam)).status_code == status


@pytest.mark.parametrize("events", [1, 3, 120])
def test_activity_costs_the_same_for_one_event_and_for_many(as_user: As, maya: User, sam: Client, events: int) -> None:
    for _ in range(events):
        audit.record("read.chart", by=maya, client=sam)
    browser = as_user(maya)
    browser.get(activity(sam))
    with CaptureQueriesContext(connection) as asked:
        page = browser.get(activity(sam))
    assert len(page.context["rows"]) <= 50
    assert len(asked) == 19


def test_every_kind_of_item_has_words_for_when_it_is_done() -> None:
    assert set(DONE_WORDS) == set(KINDS)


def test_item_is_finished_by_words_that_become_a_note(as_user: As, post: Post, maya: User, sam: Client) -> None:
    task = Task.open(sam, "reconcile", at=NOW)
    browser, here = as_user(maya), reverse("task_done", args=[sam.pk, task.pk])
    assert "Item 9 is positive and the C-SSRS is all no." in browser.get(here).content.decode()
    assert post(browser, here, {"words": " "}).status_code == 400
    answer = post(browser, here, {"words": "Item 9 was about last week"})
    assert answer["Location"] == reverse("chart", args=[sam.pk])
    task.refresh_from_db()
    assert (task.done_by, Note.objects.get().body) == (maya, "Item 9 was about last week")
    page = browser.get(reverse("chart", args=[sam.pk])).content.decode()
    assert "Answers reconciled, by you" in page


def test_second_person_to_finish_an_item_keeps_what_was_typed(
    as_user: As, post: Post, maya: User, sol: User, sam: Client
) -> None:
    task = Task.open(sam, "call_me", at=NOW)
    here = reverse("task_done", args=[sam.pk, task.pk])
    post(as_user(sol), here, {"words": "Called back"})
    answer = post(as_user(maya), here, {"words": "I called too"})
    page = answer.content.decode()
    assert "Sol Amari finished this first." in page and "I called too" in page
    assert [note.body for note in Note.objects.all()] == ["Called back"]


def test_item_with_a_page_of_its_own_is_not_finished_here(as_user: As, post: Post, maya: User, sam: Client) -> None:
    flag = actions.raise_manual_flag(by=maya, client=sam, severity="urgent", reason="x", at=NOW)
    task = Task.objects.get(kind="safety", subject_id=flag.pk)
    here = reverse("task_done", args=[sam.pk, task.pk])
    assert post(as_user(maya), here, {"words": "Done"}).status_code == 404
    task.refresh_from_db()
    assert task.done_at is None


@pytest.mark.parametrize(("who", "status"), [("omar", 404), ("fay", 403), ("rosa", 403)])
def test_item_is_not_finished_by_strangers(
    as_user: As, post: Post, request: pytest.FixtureRequest, sam: Client, who: str, status: int
) -> None:
    task = Task.open(sam, "todo", at=NOW)
    answer = post(as_user(request.getfixturevalue(who)), reverse("task_done", args=[sam.pk, task.pk]), {"words": "x"})
    task.refresh_from_db()
    assert (answer.status_code, task.done_at, Note.objects.count()) == (status, None, 0)


def test_actions_in_the_trail_have_words() -> None:
    """Every act that the code records reads as a sentence."""
    written: set[str] = set()
    for package in ("practice", "intake", "referrals"):
        for path in (Path(settings.ROOT) / package).rglob("*.py"):
            text = path.read_text()
            written |= set(re.findall(r'audit\.record\(\s*"([a-z_.]+)"', text))
            written |= {f"read.{what}" for what in re.findall(r'audit\.seen\([^"]*"([a-z_]+)"', text)}
    assert len(written) > 30
    assert written - set(ACTION_WORDS) == set()


def test_event_count_of_a_client_equals_the_rows_of_the_report(as_user: As, maya: User, sam: Client) -> None:
    page = as_user(maya).get(activity(sam))
    assert len(page.context["rows"]) == AuditEvent.objects.filter(client_id=sam.pk).count()
