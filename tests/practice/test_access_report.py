"""Who looked at what of one client: the audit report against a scripted ground truth. Security check 45."""

import csv
import io
import random
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from practice import audit, emergencies
from practice.models import AuditEvent, Client, User
from practice.views import access_report
from tests.factories import NOW

As = Callable[[User], Browser]
Post = Callable[..., Any]
pytestmark = pytest.mark.django_db
ACTS = 200
START = datetime(2026, 11, 2, 15, 0, tzinfo=NOW.tzinfo)  # Monday 10:00 in New York


@pytest.fixture(autouse=True)
def _thursday() -> Any:
    with time_machine.travel(NOW, tick=False):
        yield


def url(client: Client, query: str = "") -> str:
    return f"/clients/{client.pk}/access/{query}"


def shown(response: Any) -> list[tuple[datetime, str, str, str]]:
    return [(row["at"], row["who"], row["action"], str(row["outcome"])) for row in response.context["rows"]]


def all_pages(browser: Browser, client: Client, query: str) -> list[tuple[datetime, str, str, str]]:
    found, number = [], 1
    while True:
        response = browser.get(url(client, f"{query}&page={number}"))
        found += shown(response)
        if not response.context["page"].has_next():
            return found
        number += 1


def script(
    as_user: As, post: Post, people: list[User], sam: Client, kit: Client
) -> list[tuple[datetime, str, str, str]]:
    """Do 200 things through the pages, a few minutes apart; return what was done about Sam, in order."""
    chance = random.Random(45)
    pages = {
        "chart": "read.chart",
        "notes": "read.notes",
        "activity": "read.activity",
        "safety_plan": "read.safety_plan",
    }
    truth = []
    for n in range(ACTS):
        at = START + timedelta(hours=2 * n, minutes=chance.randrange(60))
        user, client, kind = (
            chance.choice(people),
            chance.choice([sam, sam, kit]),
            chance.choice([*pages, "write", "edit"]),
        )
        with time_machine.travel(at, tick=False):
            browser = as_user(user)
            if kind == "write":
                answer = post(browser, reverse("notes", args=[client.pk]), {"words": "A quiet week"})
                done = ["note.added"] if answer.status_code == 302 else []
            elif kind == "edit":
                answer = browser.get(reverse("client_edit", args=[client.pk]))
                done = ["read.identity"] if answer.status_code == 200 else []
            else:
                answer = browser.get(reverse(kind, args=[client.pk]))
                done = [pages[kind]] if answer.status_code == 200 else []
        assert answer.status_code in (200, 302, 403, 404)
        if client == sam:
            truth += [(at, user.name, action, "") for action in done]
    return truth


def test_report_equals_the_scripted_truth(
    as_user: As,
    post: Post,
    maya: User,
    omar: User,
    sol: User,
    pax: User,
    fay: User,
    rosa: User,
    sam: Client,
    kit: Client,
) -> None:
    """Security check 45: client Sam, a period in the middle of 200 actions; nothing more and nothing less."""
    truth = script(as_user, post, [maya, omar, sol, pax, fay, rosa], sam, kit)
    assert len(truth) > 60 and len({row[2] for row in truth}) == 6
    browser = as_user(rosa)
    period = [row for row in truth if "2026-11-05" <= f"{row[0] - timedelta(hours=5):%Y-%m-%d}" <= "2026-11-10"]
    assert 10 < len(period) < len(truth)
    assert all_pages(browser, sam, "?start=2026-11-05&end=2026-11-10&sort=when") == period
    assert all_pages(browser, sam, "?start=2026-11-05&end=2026-11-10") == period[::-1]
    by_sol = [row for row in period if row[1] == "Sol Amari"]
    assert all_pages(browser, sam, f"?start=2026-11-05&end=2026-11-10&who={sol.pk}&sort=when") == by_sol
    notes = [row for row in period if row[2] == "read.notes"]
    assert all_pages(browser, sam, "?start=2026-11-05&end=2026-11-10&action=read.notes&sort=when") == notes
    assert by_sol and notes


@pytest.mark.parametrize("sort", [sign + name for name in access_report.COLUMNS for sign in ("", "-")])
def test_report_is_sorted_by_each_column(
    as_user: As, maya: User, sol: User, rosa: User, sam: Client, sort: str
) -> None:
    """Security check 45: sortable by each column; within equals, the newest first."""
    for n, user in enumerate((sol, maya, rosa, maya, None)):
        audit.set_origin(f"203.0.113.{9 - n}")
        outcome = "refused" if n % 2 else "ok"
        audit.record(("read.chart", "read.notes", "alert.noted")[n % 3], by=user, client=sam, outcome=outcome)
    audit.set_origin("")
    events = list(AuditEvent.objects.filter(client_id=sam.pk).order_by("-seq"))
    names = {user.pk: user.name for user in (sol, maya, rosa)}
    keys: dict[str, Callable[[AuditEvent], Any]] = {
        "when": lambda e: e.seq,
        "who": lambda e: names[e.actor_id] if e.actor_id else e.actor_kind,
        "what": lambda e: e.action,
        "result": lambda e: e.outcome,
        "from": lambda e: e.origin,
    }
    expected = sorted(events, key=keys[sort.removeprefix("-")], reverse=False)
    if sort.startswith("-"):
        expected = sorted(events, key=keys[sort.removeprefix("-")], reverse=True)
    page = as_user(rosa).get(url(sam, f"?sort={sort}"))
    assert [row["seq"] for row in page.context["rows"]] == [event.seq for event in expected]
    order = "descending" if sort.startswith("-") else "ascending"
    assert re.findall(r'aria-sort="(\w+)"', page.content.decode()) == [order]


def test_unknown_sort_is_refused_and_the_order_stays(as_user: As, rosa: User, sam: Client) -> None:
    """Security check 6: nothing is sorted by a column that is not shown."""
    audit.record("read.chart", by=rosa, client=sam)
    page = as_user(rosa).get(url(sam, "?sort=hash"))
    assert page.status_code == 400
    assert "The list cannot be sorted by that." in page.content.decode()
    assert [row["action"] for row in page.context["rows"]] == ["read.chart", "client.admitted"]


def test_filters_stay_in_the_address_while_sorting(as_user: As, rosa: User, maya: User, sam: Client) -> None:
    page = as_user(rosa).get(url(sam, f"?who={maya.pk}&start=2026-11-01&sort=who"))
    assert page.context["columns"][1]["url"] == f"?who={maya.pk}&start=2026-11-01&sort=-who"
    assert page.context["columns"][0]["url"] == f"?who={maya.pk}&start=2026-11-01&sort=-when"


def test_emergency_access_stands_in_the_report(as_user: As, omar: User, rosa: User, sam: Client) -> None:
    """Security check 47: it appears in the client's access report, with what was opened by it."""
    emergencies.open_chart(by=omar, client=sam, reason="Said goodbye on the phone", at=NOW)
    as_user(omar).get(reverse("chart", args=[sam.pk]))
    page = as_user(rosa).get(url(sam, f"?who={omar.pk}&sort=when"))
    assert [row["action"] for row in page.context["rows"]] == ["emergency.opened", "read.chart"]
    assert "goodbye" not in page.content.decode()


def test_reading_the_report_is_a_line_of_it(as_user: As, rosa: User, sam: Client) -> None:
    browser = as_user(rosa)
    browser.get(url(sam, "?action=client.admitted"))
    (row, *_) = browser.get(url(sam)).context["rows"]
    assert (row["who"], row["action"], row["facts"]) == ("Rosa Bell", "read.access", "filters action")


@pytest.mark.parametrize(
    ("who", "status"), [("rosa", 200), ("sol", 200), ("maya", 403), ("omar", 403), ("fay", 403), ("pax", 403)]
)
def test_report_is_for_admins_and_the_supervisor(
    as_user: As, request: pytest.FixtureRequest, sam: Client, who: str, status: int
) -> None:
    page = as_user(request.getfixturevalue(who)).get(url(sam))
    assert page.status_code == status
    assert "Whitehorse" not in page.content.decode()


def test_supervisor_does_not_find_the_client_of_another_team(as_user: As, sol: User, kit: Client) -> None:
    assert as_user(sol).get(url(kit)).status_code == 404


def test_report_asks_the_database_the_same_for_any_number(as_user: As, rosa: User, maya: User, sam: Client) -> None:
    browser, asked = as_user(rosa), []
    browser.get(url(sam))
    for n in (1, 3, 90):
        for _ in range(n):
            audit.record("read.chart", by=maya, client=sam)
        with CaptureQueriesContext(connection) as caught:
            browser.get(url(sam))
        asked.append(len(caught))
    assert asked == [asked[0]] * 3


def test_file_holds_the_lines_of_the_page(as_user: As, rosa: User, maya: User, sam: Client) -> None:
    audit.set_origin("203.0.113.5")
    audit.record("read.chart", by=maya, client=sam)
    audit.record("read.notes", by=rosa, client=sam, outcome="refused")
    browser, query = as_user(rosa), "?sort=when"
    shown_rows = browser.get(url(sam, query)).context["rows"]
    answer = browser.get(f"/clients/{sam.pk}/access.csv{query}")
    lines = list(csv.DictReader(io.StringIO(b"".join(answer).decode("utf-8-sig"))))
    seen = [(int(line["Line"]), line["Who"], line["Action"]) for line in lines]
    assert seen == [*((row["seq"], row["who"], row["action"]) for row in shown_rows), (4, "Rosa Bell", "read.access")]
    assert lines[1] == {
        "Line": "2", "When": "2026-11-19 10:00:00-05:00", "Who": "Maya Torres", "What": "Opened the chart",
        "Result": "done", "From": "203.0.113.5", "Action": "read.chart", "More": "",
    }  # fmt: skip
    assert lines[2]["Result"] == "refused"
    event = AuditEvent.objects.get(action="read.access_file")
    assert (event.client_id, event.facts) == (sam.pk, {"filters": [], "rows": 4})


def test_file_is_refused_like_the_page_and_asks_again_after_five_minutes(
    as_user: As, rosa: User, maya: User, sol: User, sam: Client, kit: Client
) -> None:
    """Security check 30: an export."""
    assert as_user(maya).get(f"/clients/{sam.pk}/access.csv").status_code == 403
    assert as_user(sol).get(f"/clients/{kit.pk}/access.csv").status_code == 404
    browser = as_user(rosa)
    assert browser.get(f"/clients/{sam.pk}/access.csv?sort=hash").status_code == 400
    with time_machine.travel(NOW + timedelta(minutes=5, seconds=1), tick=False):
        answer = browser.get(f"/clients/{sam.pk}/access.csv")
    assert answer["Location"].startswith("/account/reauthenticate/")
