"""Outcomes by instrument and path: with n and missing, small groups withheld, one therapist only to them and admins."""

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

from practice.kap.reports import outcomes
from practice.models import Client, Practice, User
from referrals.models import Course, CourseSession
from referrals.reports.counted import Counted
from referrals.reports.days import ask_days
from tests.factories import NOW
from tests.kap.test_boosters import dosed, scored
from tests.referrals import flags

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("now")]
As = Callable[[User], Browser]


@pytest.fixture
def now() -> Any:
    with time_machine.travel(NOW, tick=False):
        yield


def counted(user: User) -> Counted:
    form, days = ask_days(user, QueryDict(""), NOW, Practice.get())
    assert days is not None, form.errors
    return Counted(outcomes.KIND, days, NOW, "/rows/")


def ago(days: int) -> datetime:
    return NOW - timedelta(days=days)


def on(days: int) -> date:
    return ago(days).date()


def infused(client: Client, *days: datetime) -> None:
    course = Course.objects.create(client=client, clinic="Northlake", state="done", started_on=days[0].date())
    for number, day in enumerate(days, 1):
        CourseSession.objects.create(course=course, number=number, on=day.date(), state="done")
    CourseSession.objects.create(course=course, number=99, on=on(1), state="done", is_maintenance=True)


def measured(
    client: Client, key: str, before: int | None, after: int | None, *, signs: tuple[bool, bool] = (False, False)
) -> None:
    for day, total, sign in ((50, before, signs[0]), (20, after, signs[1])):
        if total is not None:
            scored(client, key, on(day), total, sign)


def shown(report: Counted, path: str) -> dict[str, int]:
    return {
        code.removeprefix(path).strip("."): number.count
        for code, number in report.numbers.items()
        if code.split(".")[0] == path and number.count
    }


def fill(clients: list[Client]) -> None:
    """Of every four: an intensive that helped, one that did not, one without a score after, and one at a clinic."""
    for n, client in enumerate(clients):
        if n % 4 == 3:
            infused(client, ago(40), ago(30))
            measured(client, "phq-9", 18, 4)
            continue
        dosed(client, ago(40), ago(30))
        before, after, signs = ((20, 10, (True, False)), (12, 17, (False, True)), (15, None, (True, False)))[n % 4]
        measured(client, "phq-9", before, after, signs=signs)
        measured(client, "pcl-5", 50, (40, 55, None)[n % 4])
        measured(client, "wbs-2", 4, (7, 4, None)[n % 4])


def test_outcomes_are_those_of_the_scores_by_path(maya: User) -> None:
    fill(flags.people([maya], 24))
    report = counted(maya)
    assert shown(report, "intensive") == {
        "": 18, "phq9": 12, "phq9.missing": 6, "phq9_response": 6, "phq9_worse": 6, "item9_before": 6, "item9_gone": 6,
        "item9_new": 6, "pcl5": 12, "pcl5.missing": 6, "pcl5_better": 6, "pcl5_worse": 6, "wbs2": 12,
        "wbs2.missing": 6, "wbs2_higher": 6,
    }  # fmt: skip
    assert shown(report, "infusion") == {
        "": 6, "phq9": 6, "phq9_response": 6, "phq9_remission": 6, "pcl5.missing": 6, "wbs2.missing": 6,
    }  # fmt: skip
    medians = [str(line["number"]) for line in report.tables()[1]["lines"] if not line["code"]]
    assert medians == ["16", "13.5", "50", "47.5", "4", "5.5"]


def test_small_group_has_no_median_and_nobody_else_sees_its_numbers(maya: User, rosa: User) -> None:
    fill(flags.people([maya], 4))
    assert [str(line["number"]) for line in counted(maya).tables()[1]["lines"] if not line["code"]] == ["too few"] * 6
    assert str(counted(maya).numbers["intensive"]) == "3"
    assert {str(number) for number in counted(rosa).numbers.values() if number.count} == {"too few"}


def test_one_therapist_alone_is_shown_to_them_and_admins(
    maya: User, omar: User, sol: User, rosa: User, fay: User, as_user: As
) -> None:
    fill(flags.people([maya, omar], 6))
    page = reverse("report_count", args=["outcomes"])

    def courses(user: User, **query: Any) -> int:
        tables = as_user(user).get(page, query).context["tables"]
        return int(tables[0]["lines"][0]["number"].count)

    assert [courses(user) for user in (maya, omar, sol, rosa)] == [6, 6, 6, 12]
    assert courses(rosa, therapist=maya.pk) == 6
    for user in (maya, sol, fay):
        answer = as_user(user).get(page, {"therapist": omar.pk})
        assert "therapist" not in answer.context["form"].fields
    assert courses(fay, therapist=omar.pk) == 12


def test_every_number_opens_its_rows_and_asks_the_same_whatever_their_number(maya: User, as_user: As) -> None:
    def asked() -> int:
        with CaptureQueriesContext(connection) as queries:
            browser.get(reverse("report_count", args=["outcomes"]))
        return len(queries)

    browser = as_user(maya)
    browser.get(reverse("reports"))
    clients = flags.people([maya], 8)
    fill(clients[:4])
    first = asked()
    fill(clients[4:])
    assert asked() == first
    page = browser.get(reverse("report_count", args=["outcomes"]))
    numbers = {ln["code"]: ln["number"] for table in page.context["tables"] for ln in table["lines"] if ln["code"]}
    opened = {c: len(browser.get(n.url).context["rows"]) if n.url else 0 for c, n in numbers.items()}
    assert opened == {code: number.count for code, number in numbers.items()}
    assert numbers["intensive.phq9.missing"].count == 2
    assert browser.get(reverse("report_count_pdf", args=["outcomes"])).content[:5] == b"%PDF-"
