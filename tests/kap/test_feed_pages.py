"""The calendar feed by its secret address: made, made anew, stopped; for nobody who left (interop 5)."""

import logging
import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
import time_machine
import vobject
from django.db import connection
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext

from practice.kap.models import Feed, Plan, Session
from practice.logs import NothingOfAClient
from practice.models import AuditEvent, Client, User
from tests.conftest import send
from tests.factories import NOW

As = Callable[[User], Browser]
PAGE = "/account/calendar/"


@pytest.fixture(autouse=True)
def _now() -> Iterator[None]:
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def booked(sam: Client, maya: User) -> Session:
    plan = Plan.objects.create(client=sam, shape="weekly", started_on=NOW.date(), therapist=maya)
    return Session.objects.create(
        plan=plan, kind="dosing", number=1, starts_at=NOW + timedelta(days=2), therapist=maya, room="Blue room"
    )


def address(browser: Browser, press: str = "make") -> str:
    """Press the button and return the path of the address that the page shows then; "" when it shows none."""
    answer = send(browser, PAGE, {press: "1"})
    assert answer["Location"] == PAGE
    found = re.search(r'value="http[^"]*?(/feed/[^"]+)"', browser.get(PAGE).content.decode())
    return found[1] if found else ""


def test_address_gives_own_sessions_to_a_calendar_without_a_sign_in(booked: Session, maya: User, as_user: As) -> None:
    path = address(as_user(maya))
    answer = Browser().get(path)
    assert (answer.status_code, answer["Content-Type"], answer["Cache-Control"]) == (
        200,
        "text/calendar; charset=utf-8",
        "no-store",
    )
    event = vobject.readOne(answer.content.decode()).vevent
    assert (event.summary.value, event.dtstart.value) == ("Session", booked.starts_at)
    assert not answer.cookies
    assert "ETag" not in answer
    for word in ("Sam", "Whitehorse", "CH-", "dosing", "Dosing", "KAP", "etamine"):
        assert word not in answer.content.decode()


def test_address_is_shown_once(maya: User, as_user: As) -> None:
    browser = as_user(maya)
    path = address(browser)
    assert len(path) == len("/feed/.ics") + 64
    page = browser.get(PAGE).content.decode()
    assert ("/feed/" in page, "No calendar has asked yet." in page) == (False, True)


def test_made_anew_the_old_address_is_gone(booked: Session, maya: User, as_user: As) -> None:
    browser = as_user(maya)
    old, new = address(browser), address(browser)
    assert [Browser().get(path).status_code for path in (old, new)] == [404, 200]
    assert Feed.objects.count() == 1


def test_stopped_it_is_gone_and_another_one_is_not_the_same(booked: Session, maya: User, as_user: As) -> None:
    browser = as_user(maya)
    old = address(browser)
    assert address(browser, "stop") == ""
    assert (Browser().get(old).status_code, Feed.objects.count()) == (404, 0)
    assert address(browser) != old
    assert list(AuditEvent.objects.filter(action__startswith="feed.").order_by("seq").values_list("action")) == [
        ("feed.made",),
        ("feed.stopped",),
        ("feed.made",),
    ]


def test_who_left_has_no_feed(booked: Session, maya: User, as_user: As) -> None:
    path = address(as_user(maya))
    User.objects.filter(pk=maya.pk).update(is_active=False)
    assert Browser().get(path).status_code == 404


def test_wrong_old_and_left_addresses_cost_the_same(booked: Session, maya: User, as_user: As) -> None:
    browser = as_user(maya)
    old, new = address(browser), address(browser)
    User.objects.filter(pk=maya.pk).update(is_active=False)
    said = []
    for path in (old, new, "/feed/x.ics", f"/feed/{'é' * 40}.ics", f"/feed/{'0' * 64}.ics"):
        with CaptureQueriesContext(connection) as asked:
            answer = Browser().get(path)
        said.append((answer.status_code, answer.content, len(asked)))
    assert len(set(said)) == 1
    assert said[0][0] == 404


def test_reading_is_noted_once_an_hour_and_is_no_act_in_the_trail(booked: Session, maya: User, as_user: As) -> None:
    path, before = address(as_user(maya)), AuditEvent.objects.count()
    for minutes in (1, 30, 62):
        with time_machine.travel(NOW + timedelta(minutes=minutes), tick=False):
            Browser().get(path)
    assert Feed.objects.get().read_at == NOW + timedelta(minutes=62)
    assert AuditEvent.objects.count() == before


def test_feed_asks_the_same_however_many_sessions(booked: Session, maya: User, as_user: As) -> None:
    path = address(as_user(maya))
    Browser().get(path)
    counts = []
    for more in (0, 5):
        for number in range(more):
            Session.objects.create(
                plan=booked.plan, kind="dosing", number=5 + number, starts_at=NOW + timedelta(days=9 + number),
                therapist=maya,
            )  # fmt: skip
        with CaptureQueriesContext(connection) as asked:
            assert Browser().get(path).content.count(b"BEGIN:VEVENT") == 1 + more
        counts.append(len(asked))
    assert counts[0] == counts[1]


def test_addresses_of_two_people_are_their_own(booked: Session, maya: User, omar: User, as_user: As) -> None:
    hers, his = address(as_user(maya)), address(as_user(omar))
    assert [b"BEGIN:VEVENT" in Browser().get(path).content for path in (hers, his)] == [True, False]


def test_address_tells_no_other_site_its_path_and_stays_out_of_logs(booked: Session, maya: User, as_user: As) -> None:
    path = address(as_user(maya))
    assert Browser().get(path)["Referrer-Policy"] == "strict-origin"
    record: Any = logging.LogRecord("django.request", logging.WARNING, "", 0, "Not Found: %s", (path,), None)
    NothingOfAClient().filter(record)
    assert record.msg == "Not Found: /…"


def test_account_leads_to_the_calendar(maya: User, as_user: As) -> None:
    assert f'href="{PAGE}"' in as_user(maya).get("/account/").content.decode()


def test_second_window_does_not_end_the_address_that_the_first_has_made(maya: User, as_user: As) -> None:
    """A page that knew of none asks for the first one; only "anew" ends what a calendar reads already."""
    browser = as_user(maya)
    assert 'name="make" value="first"' in browser.get(PAGE).content.decode()
    send(browser, PAGE, {"make": "first"})
    found = re.search(r'value="http[^"]*?(/feed/[^"]+)"', browser.get(PAGE).content.decode())
    assert found
    send(browser, PAGE, {"make": "first"})
    page = browser.get(PAGE).content.decode()
    assert ("made already, in another window" in page, "/feed/" in page) == (True, False)
    assert Browser().get(found[1]).status_code == 200
    assert 'name="make" value="1">' in page
    assert address(browser) != found[1]
    assert Browser().get(found[1]).status_code == 404
