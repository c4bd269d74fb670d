"""No list asks more of the database for fifty rows than for three."""

from collections.abc import Callable
from datetime import timedelta

import pytest
import time_machine
from django.db import connection
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from intake.models import Assessment
from practice import actions, audit
from practice.clinical.instrument import load
from practice.models import Client, User
from tests import factories
from tests.factories import NOW

FEW, MANY = 3, 50


def clients(n: int, maya: User, sam: Client) -> None:
    """Clients of maya, each with an open flag and a history in the caseload row."""
    for i in range(n):
        client = factories.client(maya, f"Robin{i} Bell{i}", email=f"robin{i}@example.net")
        actions.raise_manual_flag(by=maya, client=client, severity="urgent", reason="x", at=NOW)
        client.note_phq9(NOW.date(), 14, False, NOW)


def check_ins(n: int, maya: User, sam: Client) -> None:
    """Scored forms, notes, flags and lines of the trail of one client."""
    phq9 = load("phq-9")
    for i in range(n):
        at = NOW - timedelta(days=7 * i)
        row = Assessment(
            client=sam, instrument="phq-9", instrument_version=phq9.version, taken_at=at, taken_on=at.date()
        )
        row.wording_sha256, row.total, row.band = phq9.wording_sha256, 9, "mild"
        row.answers = {f"phq9-{k}": 1 for k in range(1, 10)}
        row.save(force_insert=True)
        actions.write_note(by=maya, client=sam, words="x", at=at)
        actions.raise_manual_flag(by=maya, client=sam, severity="routine", reason="x", at=at)


def trail(n: int, maya: User, sam: Client) -> None:
    for _ in range(n):
        audit.record("read.chart", by=maya, client=sam, target=sam)


Fill = Callable[[int, User, Client], None]
LISTS: dict[str, tuple[str, Fill]] = {
    "caseload": ("maya", clients),
    "caseload?show=flags": ("maya", clients),
    "caseload?sort=session": ("maya", clients),
    "search?q=robin": ("maya", clients),
    "alerts": ("maya", clients),
    "chart": ("maya", check_ins),
    "notes": ("maya", check_ins),
    "activity": ("maya", trail),
    "audit_log": ("rosa", trail),
}


@pytest.mark.parametrize("name", LISTS)
@time_machine.travel(NOW, tick=False)
def test_list_costs_the_same_for_three_rows_and_for_fifty(
    name: str, as_user: Callable[[User], Browser], maya: User, rosa: User, sam: Client
) -> None:
    role, fill = LISTS[name]
    view, _, query = name.partition("?")
    url = reverse(view, args=[sam.pk] if view in ("chart", "notes", "activity") else [])
    browser = as_user({"maya": maya, "rosa": rosa}[role])

    def cost() -> tuple[int, int]:
        with CaptureQueriesContext(connection) as seen:
            page = browser.get(f"{url}?{query}")
        assert page.status_code == 200
        return len(seen), len(page.content)

    fill(FEW, maya, sam)
    cost()  # the first page of a process reads the instruments and rules
    few = cost()
    fill(MANY - FEW, maya, sam)
    many = cost()
    assert many[0] == few[0]
    assert many[1] > few[1]  # there really is more on the page
