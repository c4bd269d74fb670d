"""Reading the audit trail: who may, what it shows, how it is narrowed, and that reading it is a line of it."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext

from practice import audit
from practice.models import AuditEvent, Client, User
from practice.views import audit_log
from tests.factories import NOW

As = Callable[[User], Browser]
pytestmark = pytest.mark.django_db
URL = "/practice/audit/"


@pytest.fixture(autouse=True)
def _thursday() -> Any:
    with time_machine.travel(NOW, tick=False):
        yield


def words(response: Any) -> str:
    return " ".join(re.sub(r"<[^>]*>", " ", response.content.decode()).split())


def lines(response: Any) -> list[int]:
    return [int(seq) for seq in re.findall(r'id="row-(\d+)"', response.content.decode())]


def test_trail_says_who_what_whom_when_and_from_where(as_user: As, rosa: User, maya: User, sam: Client) -> None:
    audit.set_origin("192.0.2.7")
    audit.record("read.chart", by=maya, client=sam, at=NOW)
    audit.record("client.left", by=sam, client=sam, at=NOW)
    audit.record("sign_in", by="nobody", outcome="refused", at=NOW)
    audit.record("alert.climbed", by=None, client=sam, at=NOW, rung=2)
    page = words(as_user(rosa).get(URL))
    for said in (
        "Maya Torres Opened the chart read.chart CH-0401 192.0.2.7",
        "CH-0401 Left after a safety answer client.left CH-0401",
        "Somebody not signed in Sign-in refused",
        "The system A safety flag went to the next person alert.climbed · rung 2 CH-0401",
    ):
        assert said in page
    assert "Sam Whitehorse" not in page  # a number is enough here


def test_reading_the_trail_is_a_line_of_it(as_user: As, rosa: User, sam: Client) -> None:
    as_user(rosa).get(URL, {"client": "CH-0401", "action": "read"})
    event = AuditEvent.objects.latest("seq")
    assert (event.action, event.actor_id, event.client_id, event.facts) == (
        "read.audit", rosa.pk, sam.pk, {"filters": ["action", "client"]},
    )  # fmt: skip


def test_trail_is_narrowed_by_each_filter(
    as_user: As, rosa: User, maya: User, omar: User, sam: Client, kit: Client
) -> None:
    start = AuditEvent.objects.count()
    made = [
        audit.record("read.chart", by=maya, client=sam, at=NOW - timedelta(days=3)),
        audit.record("read.note", by=omar, client=kit, at=NOW - timedelta(days=2)),
        audit.record("note.written", by=maya, client=sam, at=NOW - timedelta(days=1)),
    ]
    numbers = [event.seq for event in made]
    assert numbers == [start + 1, start + 2, start + 3]
    browser = as_user(rosa)

    def found(**asked: str) -> list[int]:
        return [seq for seq in lines(browser.get(URL, asked)) if seq in numbers]

    first, second, third = numbers
    assert found() == [third, second, first]
    assert found(who=str(maya.pk)) == [third, first]
    assert found(client=kit.code) == [second]
    assert found(client="402") == [second]
    assert found(action="read.") == [second, first]
    assert found(start="2026-11-17", end="2026-11-17") == [second]
    assert found(end="2026-11-16") == [first]
    assert found(who=str(maya.pk), action="note") == [third]


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"client": "CH-9999"}, "There is no client with this number."),
        ({"client": "' OR 1=1"}, "There is no client with this number."),
        ({"client": "99999999999"}, "There is no client with this number."),
        ({"who": "x"}, "not a valid"),
        ({"start": "2026-02-30"}, "Give a day, such as 2026-11-20."),
        ({"action": "x" * 99}, "letters at most"),
        ({"action": "a\x00"}, "Null characters"),
    ],
)
def test_bad_filters_are_said(as_user: As, rosa: User, sam: Client, asked: dict[str, str], said: str) -> None:
    response = as_user(rosa).get(URL, asked)
    assert response.status_code == 400
    assert said in words(response)


def test_pages_follow_each_other(as_user: As, rosa: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit_log, "PAGE", 5)
    for n in range(12):
        audit.record("thing", by=None, n=n)
    browser = as_user(rosa)
    first = browser.get(URL, {"action": "thing"})
    assert 'href="?action=thing&amp;page=2"' in first.content.decode()
    second = browser.get(URL, {"action": "thing", "page": "2"})
    assert (len(lines(first)), len(lines(second)), set(lines(first)) & set(lines(second))) == (5, 5, set())
    assert lines(browser.get(URL, {"action": "thing", "page": "zzz"})) == lines(first)


@pytest.mark.parametrize("who", ["maya", "sol", "pax", "fay"])
def test_nobody_else_reads_the_trail(
    as_user: As, maya: User, sol: User, pax: User, fay: User, sam: Client, who: str
) -> None:
    audit.record("secret.act", by=maya, client=sam)
    user = {"maya": maya, "sol": sol, "pax": pax, "fay": fay}[who]
    response = as_user(user).get(URL)
    assert (response.status_code, "secret.act" in response.content.decode()) == (403, False)
    assert AuditEvent.objects.latest("seq").outcome == "refused"


def test_trail_asks_the_database_the_same_for_any_number_of_rows(
    as_user: As, rosa: User, maya: User, sam: Client
) -> None:
    browser, asked = as_user(rosa), []
    browser.get(URL)
    for more in (1, 2):
        for _ in range(more):
            audit.record("read.chart", by=maya, client=sam)
        with CaptureQueriesContext(connection) as caught:
            browser.get(URL)
        asked.append(len(caught))
    assert asked == [asked[0]] * 2
