"""Signed sessions without a note are found before the prescriber's follow-up (H17)."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils.html import strip_tags

from practice.kap import lists
from practice.kap.actions import room
from practice.kap.models import Plan, Session
from practice.models import Client, User
from tests.factories import NOW

As = Callable[[User], Browser]
LINE = "2 session notes are missing before the prescriber's follow-up."


@pytest.fixture(autouse=True)
def _now() -> Iterator[None]:
    with time_machine.travel(NOW, tick=False):
        yield


def signed(sam: Client, maya: User, *days: int, kind: str = "dosing") -> Plan:
    plan = Plan.objects.create(client=sam, shape="weekly", planned=4, started_on=NOW.date(), state="done")
    for number, ago in enumerate(days, 1):
        at = NOW - timedelta(days=ago)
        Session.objects.create(
            plan=plan, kind=kind, number=number, starts_at=at, state="done", signed_at=at, signed_by=maya
        )
    return plan


def text(response: Any) -> str:
    return " ".join(strip_tags(response.content.decode()).split()).replace("&#x27;", "'")


def test_tab_lists_what_has_no_note_oldest_first(maya: User, sam: Client, kit: Client, as_user: As) -> None:
    late, later = signed(sam, maya, 3), signed(sam, maya, 9, 2, kind="integration")
    signed(sam, maya, 12, kind="preparation")
    plans = lists.scope(maya, "me")
    assert [row.pk for row in lists.page(plans, "notes", "me", "", NOW).rows] == [later.pk, late.pk]
    said = text(as_user(maya).get(reverse("plans"), {"tab": "notes"}))
    assert [said.count(f"No note: {each}") for each in ("Integration 1", "Integration 2", "Dosing 1")] == [1, 1, 1]
    assert "Preparation 1" not in said


def test_note_takes_the_session_off_the_list(maya: User, sam: Client) -> None:
    plan = signed(sam, maya, 3)
    room.keep_note(by=maya, session=plan.sessions.get(), words="As planned.", at=NOW)
    assert list(lists.tab(lists.scope(maya, "me"), "notes", NOW)) == []


def test_session_that_is_not_signed_needs_no_note_yet(maya: User, sam: Client) -> None:
    plan = signed(sam, maya, 3)
    plan.sessions.update(signed_at=None)
    assert list(lists.tab(lists.scope(maya, "me"), "notes", NOW)) == []


def test_plan_and_clearance_say_how_many_are_missing(maya: User, sam: Client, as_user: As) -> None:
    plan, browser = signed(sam, maya, 9, 2), as_user(maya)
    pages = [reverse("plan", args=[plan.pk]), reverse("clearance", args=[sam.pk])]
    assert [text(browser.get(page)).count(LINE) for page in pages] == [1, 1]
    for row in plan.sessions.all():
        room.keep_note(by=maya, session=row, words="As planned.", at=NOW)
    assert [text(browser.get(page)).count("missing before") for page in pages] == [0, 0]


def test_list_asks_the_database_the_same_whatever_is_missing(maya: User, sam: Client, as_user: As) -> None:
    browser, asked = as_user(maya), []
    signed(sam, maya, 3)
    browser.get(reverse("plans"), {"tab": "notes"})
    for _n in range(2):
        with CaptureQueriesContext(
            connection,
        ) as found:
            browser.get(reverse("plans"), {"tab": "notes"})
        asked.append(len(found))
        signed(sam, maya, 9, 5, 4)
    assert asked[0] == asked[1]
