"""The KAP report counts what happened, and shows each therapist their own."""

import random
from collections import Counter
from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.http import QueryDict
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from practice.kap.models import Plan, Session
from practice.kap.reports import series
from practice.models import Client, Practice, User
from referrals.reports.counted import Counted, may_show_parts
from referrals.reports.days import ask_days
from tests.factories import NOW
from tests.kap.test_boosters import dosed, scored
from tests.referrals import flags

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("now")]
As = Callable[[User], Browser]
STATES = {
    "done": "kept", "started": "kept", "missed": "missed", "skipped": "skipped", "planned": "unrecorded",
    "waiting": "unrecorded",
}  # fmt: skip


@pytest.fixture
def now() -> Any:
    with time_machine.travel(NOW, tick=False):
        yield


def counted(user: User, query: str = "") -> Counted:
    form, days = ask_days(user, QueryDict(query), NOW, Practice.get())
    assert days is not None, form.errors
    return Counted(series.KIND, days, NOW, "/rows/")


def counts(user: User, *codes: str) -> list[int]:
    numbers = counted(user).numbers
    return [numbers[code].count for code in codes]


def ago(days: int) -> datetime:
    return NOW - timedelta(days=days)


def test_sessions_equal_what_really_happened(rosa: User, maya: User, omar: User) -> None:
    """Security check 11: scripted ground truth, for all and for each therapist only their own."""
    dice = random.Random(3)
    wanted: dict[User, Counter[str]] = {maya: Counter(), omar: Counter()}
    for client in flags.people([maya, omar], 40):
        plan = Plan.objects.create(client=client, shape="weekly", planned=6, started_on=ago(60).date())
        for number in range(1, 7):
            state, kind = dice.choice(list(STATES)), dice.choice(["dosing", "integration"])
            days_ago = 60 - number * 10
            Session.objects.create(plan=plan, kind=kind, number=number, starts_at=ago(days_ago), state=state)
            if days_ago <= 0:
                continue
            count = wanted[client.therapist]  # type: ignore[index]
            count.update(["sessions", STATES[state]])
            if kind == "dosing":
                count["doses"] += 1
                count["doses_kept"] += STATES[state] == "kept"
    codes = ("sessions", "kept", "missed", "skipped", "unrecorded", "doses", "doses_kept")
    everybody = wanted[maya] + wanted[omar]
    assert counts(rosa, *codes) == [everybody[code] for code in codes]
    for therapist in (maya, omar):
        assert counts(therapist, *codes) == [wanted[therapist][code] for code in codes]


@pytest.mark.parametrize(
    ("days_ago", "fates"),
    [
        ([330], ["lapsed"]),
        ([190], ["waits"]),
        ([330, 150], ["done"]),
        ([360, 130], ["late"]),
        ([360, 353, 346], ["lapsed"]),
        ([30], []),
    ],
)
def test_booster_is_due_done_or_lapsed(maya: User, sam: Client, days_ago: list[int], fates: list[str]) -> None:
    dosed(sam, *map(ago, days_ago))
    assert [row.fate for row in counted(maya).rows if isinstance(row, series.Due)] == fates


@pytest.mark.parametrize(
    ("due_on", "next_on", "fate"),
    [
        (date(2026, 6, 1), date(2026, 5, 1), ""),
        (date(2026, 6, 1), date(2026, 5, 2), "done"),
        (date(2026, 6, 1), date(2026, 7, 1), "done"),
        (date(2026, 6, 1), date(2026, 7, 2), "late"),
        (date(2026, 10, 20), None, "waits"),
        (date(2026, 10, 19), None, "lapsed"),
    ],
)
def test_edges_of_the_window_of_a_booster(due_on: date, next_on: date | None, fate: str) -> None:
    assert series._fate(due_on, next_on, date(2026, 11, 19), gone=False) == fate


def test_who_left_has_not_lapsed(maya: User, sam: Client) -> None:
    dosed(sam, ago(330))
    Client.objects.filter(pk=sam.pk).update(status="discharged")
    assert counts(maya, "boosters", "booster_left", "booster_lapsed") == [1, 1, 0]


def test_series_that_goes_on_has_no_booster_due(maya: User, sam: Client) -> None:
    plan = dosed(sam, ago(330), state="under_way")
    Session.objects.create(plan=plan, kind="dosing", number=9, starts_at=NOW + timedelta(days=2), state="planned")
    assert counts(maya, "boosters") == [0]


def test_change_is_of_the_scores_before_the_first_and_after_the_last_dose(maya: User) -> None:
    scores = [(20, 9), (12, 4), (10, 15), (14, None), (None, 5), (18, 12)]
    for client, (before, after) in zip(flags.people([maya], 6), scores, strict=True):
        dosed(client, ago(40), ago(30))
        if before is not None:
            scored(client, "phq-9", ago(50).date(), 27)
            scored(client, "phq-9", ago(40).date(), before)
        scored(client, "phq-9", ago(35).date(), 1)  # between the doses: neither
        if after is not None:
            scored(client, "phq-9", ago(16).date(), after)
        scored(client, "phq-9", ago(15).date(), 27)  # after two weeks
    codes = ("courses", "compared", "unscored", "response", "remission", "worse")
    assert counts(maya, *codes) == [6, 4, 2, 2, 1, 1]
    assert [tile["value"] for tile in counted(maya).middles()] == ["too few", "too few"]


def test_course_under_way_has_no_outcome_yet(maya: User, sam: Client) -> None:
    dosed(sam, ago(30), state="under_way")
    assert counts(maya, "courses") == [0]


def test_who_reads_no_charts_sees_sessions_and_no_small_outcome(fay: User, rosa: User, sam: Client) -> None:
    dosed(sam, ago(40))
    scored(sam, "phq-9", ago(50).date(), 20)
    scored(sam, "phq-9", ago(30).date(), 5)
    for user in (fay, rosa):
        numbers = counted(user).numbers
        assert [str(numbers[c]) for c in ("sessions", "kept", "courses", "response")] == [
            "1", "1", "too few", "too few",
        ]  # fmt: skip


@pytest.mark.parametrize(
    ("whole", "parts", "shown"),
    [
        (14, [7, 5, 2], [True, True, False, False]),
        (12, [5, 4, 3], [True, True, False, False]),
        (12, [8, 4, 0], [True, False, False, True]),
        (4, [4, 0], [False, False, True]),
        (10, [10, 0], [True, True, True]),
        (0, [0, 0], [True, True, True]),
    ],
)
def test_part_that_tells_on_few_is_not_shown(whole: int, parts: list[int], shown: list[bool]) -> None:
    """Security check 11: nor one from which a small one could be worked out."""
    assert may_show_parts(whole, parts) == shown


def test_every_number_opens_its_rows_and_asks_the_same_whatever_their_number(maya: User, as_user: As) -> None:
    def fill(clients: list[Client]) -> None:
        for client in clients:
            dosed(client, ago(330), ago(320))
            dosed(client, ago(60), ago(30))
            scored(client, "phq-9", ago(70).date(), 20)
            scored(client, "phq-9", ago(20).date(), 8)

    def asked() -> int:
        with CaptureQueriesContext(connection) as queries:
            browser.get(reverse("report_count", args=["kap"]))
        return len(queries)

    browser = as_user(maya)
    browser.get(reverse("reports"))
    one, *rest = flags.people([maya], 4)
    fill([one])
    first = asked()
    fill(rest)
    assert asked() == first
    page = browser.get(reverse("report_count", args=["kap"]))
    numbers = {line["code"]: line["number"] for table in page.context["tables"] for line in table["lines"]}
    opened = {c: len(browser.get(n.url).context["rows"]) if n.url else 0 for c, n in numbers.items()}
    assert opened == {code: number.count for code, number in numbers.items()}
    assert (numbers["sessions"].count, numbers["booster_late"].count, numbers["response"].count) == (16, 4, 4)
    made = browser.get(reverse("report_count_pdf", args=["kap"]))
    assert made.content[:5] == b"%PDF-"
