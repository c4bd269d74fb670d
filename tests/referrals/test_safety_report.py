"""The safety report: what it counts is what really happened, and it tells on nobody."""

import csv
import io
import random
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.http import QueryDict
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from intake.models import Assessment
from practice import pdf
from practice.clinical.instrument import load
from practice.models import Alert, AuditEvent, Client, Practice, SafetyContact, SafetyPlan, User
from referrals.reports import safety
from referrals.reports.counted import Counted, may_show, minutes_said
from referrals.reports.days import ask_days
from tests.factories import NOW
from tests.referrals import flags

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("now")]
As = Callable[[User], Browser]
HOUR = timedelta(hours=1)


@pytest.fixture
def now() -> Any:
    with time_machine.travel(NOW, tick=False):
        yield


def counted(user: User, query: str = "", **more: Any) -> Counted:
    form, days = ask_days(user, QueryDict(query), NOW, Practice.get())
    assert days is not None, form.errors
    return Counted(safety.KIND, days, NOW, "/rows/", **more)


def flag(
    client: Client,
    *,
    hours_ago: float = 100,
    picked_up: float | None = None,
    tried: float | None = None,
    spoken: float | None = None,
    planned: float | None = None,
    closed: bool = True,
    **more: Any,
) -> Alert:
    """A flag, with how many hours later what was done."""
    opened = NOW - timedelta(hours=hours_ago)
    by = client.therapist
    row = Alert(
        client=client, source="manual", severity="urgent", rules=[{"id": "SR-03", "version": "1"}], opened_at=opened,
        raised_at=opened, **more,
    )  # fmt: skip
    if picked_up is not None:
        row.acknowledged_at, row.acknowledged_by = opened + picked_up * HOUR, by
    if closed:
        row.closed_at, row.closed_by, row.action = opened + 50 * HOUR, by, "no_change"
    row.save(force_insert=True)
    for reached, hours in (("no", tried), ("yes", spoken)):
        if hours is not None:
            SafetyContact.objects.create(
                alert=row, reached=reached, at=opened + hours * HOUR, level="low", next_check_at=NOW, by=by,
                recorded_at=NOW,
            )  # fmt: skip
    if planned is not None:
        SafetyPlan.objects.create(
            client=client, number=SafetyPlan.objects.filter(client=client).count() + 1, started_at=opened,
            started_by=by, finished_at=opened + planned * HOUR, finished_by=by, review_on=NOW.date(), means="done",
        )  # fmt: skip
    return row


def screen(client: Client, status: str, **more: Any) -> None:
    definition = load("cssrs-screener-recent")
    row = Assessment(
        client=client, instrument=definition.key, instrument_version=definition.version, wording_sha256="0" * 64,
        details={"status": status}, taken_at=NOW, taken_on=NOW.date(), **more,
    )  # fmt: skip
    row.answers = {}
    row.save(force_insert=True)


def test_report_equals_what_really_happened(rosa: User, maya: User, omar: User) -> None:
    """Security check 11: scripted ground truth of 400 flags, for all and for each therapist."""
    dice = random.Random(7)
    wanted: dict[User, Counter[str]] = {maya: Counter(), omar: Counter()}
    took: list[float] = []
    for n, client in enumerate(flags.people([maya, omar], 200)):
        steps = {
            "picked_up": dice.choice([None, 0.25, 2, 24, 30]),
            "tried": dice.choice([None, 1]),
            "spoken": dice.choice([None, 5, 24, 48, 100, 168, 200]),
            "planned": dice.choice([None, 24, 25, 168, 169]),
        }
        old, is_open = n % 10 == 0, n % 4 == 0
        hours_ago = 400 * 24 if old else 500
        flag(client, hours_ago=hours_ago, closed=not is_open, **steps)
        count = wanted[client.therapist]  # type: ignore[index]
        if is_open:
            count.update(["open", "open_24h", "open_48h", "open_7d"])
        if old:
            continue
        count["flags"] += 1
        if steps["picked_up"] is not None:
            took.append(steps["picked_up"] * 60)
            count["acknowledged"] += 1
            count["acknowledged_24h"] += steps["picked_up"] <= 24
        count["tried"] += steps["tried"] is not None or steps["spoken"] is not None
        spoken = steps["spoken"]
        if spoken is not None:
            count["spoken"] += 1
            for code, most in (("spoken_24h", 24), ("spoken_48h", 48), ("spoken_7d", 168)):
                count[code] += spoken <= most
        if steps["planned"] is not None:
            count["planned_24h"] += steps["planned"] <= 24
            count["planned_7d"] += steps["planned"] <= 168
    codes = [code for code in safety.LINES if code.startswith(("open", "flags", "ack", "tried", "spoken", "planned"))]
    everybody = wanted[maya] + wanted[omar]
    assert {code: len(counted(rosa).of(code)) for code in codes} == {code: everybody[code] for code in codes}
    for therapist in (maya, omar):
        report = counted(therapist)
        assert {c: report.numbers[c].count for c in codes} == {c: wanted[therapist][c] for c in codes}
    middle = sorted(took)[len(took) // 2]
    assert counted(rosa).middles()[0]["value"] == minutes_said(middle)


def test_edges_of_the_hours_count_as_within(maya: User, sam: Client) -> None:
    flag(sam, spoken=24, closed=False, hours_ago=24)
    numbers = counted(maya).numbers
    assert [numbers[c].count for c in ("open_24h", "open_48h", "spoken_24h", "planned_24h")] == [1, 0, 1, 0]


def test_history_drills_and_other_caseloads_are_no_flags(maya: User, sam: Client, kit: Client) -> None:
    flag(sam)
    flag(kit)
    Alert.objects.create(client=sam, source="history", severity="urgent", opened_at=NOW, raised_at=NOW)
    Alert.objects.create(is_drill=True, source="drill", severity="urgent", opened_at=NOW, raised_at=NOW)
    numbers = counted(maya).numbers
    assert [numbers[code].count for code in ("flags", "open", "drills")] == [1, 0, 0]


def test_screens_by_how_they_came_in(maya: User, sam: Client, kit: Client) -> None:
    for status in ("complete", "incomplete", "declined", "refused"):
        screen(sam, status)
    screen(sam, "declined", imported_at=NOW)
    screen(kit, "declined")
    numbers = counted(maya).numbers
    assert [numbers[code].count for code in ("screens", "unfinished", "declined")] == [4, 3, 2]


def test_drills_count_for_who_runs_them(rosa: User, omar: User) -> None:
    for took in (10, 30):
        Alert.objects.create(
            is_drill=True, source="drill", severity="urgent", opened_at=NOW - HOUR, raised_at=NOW - HOUR,
            acknowledged_at=NOW - HOUR + timedelta(minutes=took), acknowledged_by=omar,
        )  # fmt: skip
    numbers = counted(rosa).numbers
    assert [str(numbers[code]) for code in ("drills", "drills_answered")] == ["2", "2"]


@pytest.mark.parametrize(
    ("chain", "shown"),
    [
        ([12, 12, 0], [True, True, True]),
        ([12, 7, 2], [True, True, False]),
        ([12, 10, 7], [True, False, True]),
        ([4, 4, 0], [False, False, True]),
        ([20, 15, 12, 10], [True, True, False, True]),
        ([], []),
    ],
)
def test_number_that_tells_on_few_is_not_shown(chain: list[int], shown: list[bool]) -> None:
    """Security check 11: neither a small number, nor one from which a small one could be worked out."""
    assert may_show(chain) == shown


@pytest.mark.parametrize(
    ("minutes", "said"),
    [(0, "0 min"), (11.5, "11.5 min"), (119, "119 min"), (120, "2 hours"), (1439, "1 day"), (2200, "1.5 days")],
)
def test_minutes_are_said_as_people_say_them(minutes: float, said: str) -> None:
    assert minutes_said(minutes) == said


def test_every_number_opens_exactly_its_rows(maya: User, as_user: As) -> None:
    """Security check 11."""
    for n, client in enumerate(flags.people([maya], 7)):
        flag(client, picked_up=n, spoken=n * 8, planned=n * 20, closed=n % 2 == 0)
        screen(client, "declined" if n % 2 else "complete")
    browser = as_user(maya)
    page = browser.get(reverse("report_count", args=["safety"]))
    numbers = {line["code"]: line["number"] for table in page.context["tables"] for line in table["lines"]}
    opened = {
        code: len(browser.get(number.url).context["rows"]) if number.url else 0 for code, number in numbers.items()
    }
    files = {
        code: len(_csv(browser.get(number.url.replace("/rows/", "/rows.csv")))) - 1 if number.url else 0
        for code, number in numbers.items()
    }
    counts = {code: number.count for code, number in numbers.items()}
    assert (opened, files) == (counts, counts)
    assert counts["flags"] == 7


def _csv(response: Any) -> list[list[str]]:
    text = b"".join(response.streaming_content).decode("utf-8-sig")
    return list(csv.reader(io.StringIO(text, newline="")))


def test_who_reads_no_charts_sees_no_small_number_and_no_name(rosa: User, fay: User, maya: User, as_user: As) -> None:
    clients = flags.people([maya], 9)
    for n, client in enumerate(clients):
        client.set_identity(legal_name="Sentinel Person", name_used="Sentinel Person")
        client.save_identity()
        flag(client, spoken=1 if n < 7 else None, closed=n > 0)
    numbers = counted(fay).numbers
    said = {code: str(numbers[code]) for code in ("open", "flags", "tried", "spoken", "spoken_24h", "planned_24h")}
    few = "too few"
    assert said == {"open": few, "flags": "9", "tried": few, "spoken": few, "spoken_24h": few, "planned_24h": "0"}
    assert (str(counted(rosa).numbers["open"]), str(counted(rosa).numbers["spoken"])) == ("1", few)
    for user, code in ((fay, "flags"), (fay, "spoken"), (fay, "open"), (rosa, "flags")):
        page = as_user(user).get(reverse("report_count_rows", args=["safety"]), {"line": code})
        assert b"Sentinel" not in page.content
        assert len(page.context["rows"]) == (9 if code == "flags" else 0)
        assert all(row["told"] == row["url"] == "" for row in page.context["rows"])
    page = as_user(rosa).get(reverse("report_count_rows", args=["safety"]), {"line": "open"})
    assert [row["name"] for row in page.context["rows"]] == ["Sentinel Person"]  # the list of flags tells them as much


def test_files_hold_no_name_and_no_small_number_of_several_caseloads(
    rosa: User, maya: User, omar: User, as_user: As
) -> None:
    for n, client in enumerate(flags.people([maya, omar], 6)):
        client.set_identity(legal_name="Sentinel Person", name_used="Sentinel Person")
        client.save_identity()
        flag(client, picked_up=1, spoken=1 if n < 2 else None, closed=n > 0)
    lines = _csv(as_user(rosa).get(reverse("report_count_csv", args=["safety"])))
    assert lines[0] == ["Part", "What is counted", "Number", "Share"]
    said = {line[1]: line[2] for line in lines[1:]}
    assert (said["Open now"], said["Flags opened in these days"], said["Picked up"], said["Spoken with"]) == (
        "too few", "12", "12", "too few",
    )  # fmt: skip
    assert "Sentinel" not in str(lines)
    made = as_user(rosa).get(reverse("report_count_pdf", args=["safety"]))
    assert (made["Content-Type"], made.content[:5]) == ("application/pdf", b"%PDF-")
    assert pdf.pages(made.content) <= 2
    assert b"/StructTreeRoot" in made.content
    taken = AuditEvent.objects.filter(action="report.exported").order_by("pk")
    assert [(row.facts["report"], row.facts["kind"], row.facts["names"]) for row in taken] == [
        ("safety", "csv", False), ("safety", "pdf", False),
    ]  # fmt: skip


def test_numbers_of_a_file_are_those_of_the_page_for_ones_own_clients(maya: User, sam: Client, as_user: As) -> None:
    flag(sam, picked_up=0.2, closed=False)
    lines = _csv(as_user(maya).get(reverse("report_count_csv", args=["safety"])))
    page = as_user(maya).get(reverse("report_count", args=["safety"]))
    shown = [str(line["number"]) for table in page.context["tables"] for line in table["lines"]]
    assert [line[2] for line in lines[1 : len(shown) + 1]] == shown


def test_report_asks_the_same_questions_of_the_database_whatever_the_rows(maya: User, as_user: As) -> None:
    def asked(name: str) -> int:
        with CaptureQueriesContext(connection) as queries:
            browser.get(reverse(name, args=["safety"]))
        return len(queries)

    browser = as_user(maya)
    one, *rest = flags.people([maya], 4)
    flag(one, picked_up=1, spoken=1, planned=1)
    screen(one, "declined")
    names = ("report_count", "report_count_rows")
    browser.get(reverse("reports"))  # what a first page of a session asks besides
    first = [asked(name) for name in names]
    for client in rest:
        flag(client, picked_up=1, spoken=1, planned=1)
        screen(client, "declined")
    assert [asked(name) for name in names] == first


@pytest.mark.parametrize("query", ["start=nonsense", "start=2027-01-01&end=2026-01-01", "therapist=x", "site=999"])
def test_what_cannot_be_asked_says_so(maya: User, as_user: As, query: str) -> None:
    for name in ("report_count", "report_count_rows", "report_count_csv", "report_count_pdf", "report_count_rows_csv"):
        answer = as_user(maya).get(f"{reverse(name, args=['safety'])}?{query}")
        assert (answer.status_code, b"error-summary" in answer.content or b"err" in answer.content) == (400, True)


def test_unknown_report_or_line_is_not_found(maya: User, as_user: As) -> None:
    browser = as_user(maya)
    urls = [reverse("report_count", args=["nothing"]), f"{reverse('report_count_rows', args=['safety'])}?line=nothing"]
    assert [browser.get(url).status_code for url in urls] == [404, 404]
