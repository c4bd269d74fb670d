"""The page for owners on a Friday (journeys, script 3 step 6)."""

import csv
import io
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client as Browser
from django.urls import reverse

from practice.models import Alert, Client, User
from referrals.models import Disclosure, Release
from tests.factories import NOW
from tests.referrals import flags, referring
from tests.referrals.test_safety_report import flag

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("now")]
As = Callable[[User], Browser]


@pytest.fixture
def now() -> Any:
    with time_machine.travel(NOW, tick=False):
        yield


def released(client: Client, by: User, ends_in: int, **more: Any) -> None:
    Release.objects.create(
        client=client, destination=referring.clinic("Northlake"), document_version="1", text_sha256="0" * 64,
        expires_on=(NOW + timedelta(days=ends_in)).date(), asked_at=NOW, asked_by=by, **more,
    )  # fmt: skip


def sent(client: Client, by: User, days_ago: int) -> None:
    Disclosure.objects.create(
        client=client, recipient="Northlake", channel="phone", is_emergency=True, reason="Sentinel reason",
        at=NOW - timedelta(days=days_ago), by=by,
    )  # fmt: skip


def test_week_holds_what_owners_ask_for_and_each_number_its_rows(maya: User, rosa: User, as_user: As) -> None:
    one, two, *_rest = flags.people([maya], 8)
    flag(one, hours_ago=2, closed=False, rung=1)  # overdue
    flag(two, hours_ago=2, closed=False)
    flag(two, hours_ago=3, picked_up=0.1, closed=False, rung=1)
    flag(one, hours_ago=24 * 20, picked_up=1)
    signed = {"signed_at": NOW, "method": "staff"}
    released(one, maya, 14, **signed)
    released(one, maya, 15, **signed)
    released(one, maya, 3)
    released(two, maya, 3, **signed, revoked_at=NOW, revoked_by=maya)
    sent(one, maya, 2)
    sent(one, maya, 9)
    Alert.objects.create(
        is_drill=True, source="drill", severity="urgent", opened_at=NOW, raised_at=NOW, acknowledged_at=NOW,
        acknowledged_by=maya,
    )  # fmt: skip
    browser = as_user(rosa)
    page = browser.get(reverse("report_count", args=["week"]))
    numbers = {line["code"]: line["number"] for table in page.context["tables"] for line in table["lines"]}
    assert {code: str(number) for code, number in numbers.items()} == {
        "open": "3", "overdue": "1", "flags": "3", "releases": "1", "sent": "1", "drills": "1", "drills_answered": "1",
    }  # fmt: skip
    opened = {code: len(browser.get(number.url).context["rows"]) for code, number in numbers.items()}
    assert opened == {code: number.count for code, number in numbers.items()}
    rows = browser.get(numbers["sent"].url).context["rows"]
    assert b"Sentinel reason" in browser.get(rows[0]["url"]).content
    files = [browser.get(reverse(name, args=["week"])) for name in ("report_count_pdf", "report_count_csv")]
    assert files[0].content[:5] == b"%PDF-"
    lines = list(csv.reader(io.StringIO(b"".join(files[1].streaming_content).decode("utf-8-sig"), newline="")))
    said = {line[1]: line[2] for line in lines}
    assert (said["Flags open now"], said["Drills"], "Sentinel" in str(lines)) == ("too few", "1", False)


def test_week_is_for_who_runs_the_practice(maya: User, fay: User, as_user: As) -> None:
    assert [as_user(user).get(reverse("report_count", args=["week"])).status_code for user in (maya, fay)] == [403, 403]
    assert b"This week" not in as_user(maya).get(reverse("reports")).content
