"""Files of the rows behind a number of a counted report, when they are too many to be made while somebody waits."""

import csv
import io
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client as Browser
from django.urls import reverse

from practice import jobs
from practice.access import Role
from practice.models import Alert, AuditEvent, Client, Notice, User
from referrals.models import ReportFile, ReportPart
from referrals.reports import files, making
from tests.factories import NOW
from tests.referrals import flags

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("now")]
As = Callable[[User], Browser]
Post = Callable[..., Any]
State = ReportFile.State


@pytest.fixture
def now() -> Any:
    with time_machine.travel(NOW, tick=False):
        yield


def flag(client: Client, days_ago: float, *, closed: bool = True) -> None:
    opened = NOW - timedelta(days=days_ago)
    row = Alert(
        client=client, source="manual", severity="urgent", rules=[{"id": "SR-03", "version": "1"}], opened_at=opened,
        raised_at=opened,
    )  # fmt: skip
    if closed:
        row.closed_at, row.closed_by, row.action = opened + timedelta(hours=50), client.therapist, "no_change"
    row.save(force_insert=True)


@pytest.fixture
def six(maya: User) -> list[Client]:
    """Six flags, not in the order of their days; the last one open since before the year that is counted."""
    clients = flags.people([maya], 6)
    for client, days_ago in zip(clients, (100, 3, 0.01, 340, 8, 400), strict=True):
        flag(client, days_ago, closed=days_ago != 400)
    return clients


def rows_of(answer: Any) -> list[list[str]]:
    text = b"".join(answer.streaming_content).decode("utf-8-sig")
    return list(csv.reader(io.StringIO(text, newline="")))


def short(browser: Browser, line: str) -> Any:
    return browser.get(reverse("report_count_rows_csv", args=["safety"]), {"line": line})


def ask(browser: Browser, post: Post, line: str) -> ReportFile:
    """Press the button of the page that offers it."""
    page = short(browser, line)
    said = {key: page.context[key] for key in ("report", "query", "kind")} | {"names": "no"}
    post(browser, reverse("report_file_new"), said)
    return ReportFile.objects.get()


def taken(browser: Browser, file: ReportFile) -> Any:
    return browser.get(reverse("report_file_get", args=[file.pk]))


@pytest.mark.parametrize(("line", "count"), [("flags", 5), ("open", 1)])
@pytest.mark.parametrize("seconds", [0.0, 5.0])
def test_long_file_of_a_number_equals_the_short_one(
    maya: User, six: list[Client], as_user: As, post: Post, monkeypatch: pytest.MonkeyPatch, line: str, count: int,
    seconds: float,
) -> None:  # fmt: skip
    """Both sides of the limit; made in one go or in parts it is the same, and it says who asked and who took it."""
    browser = as_user(maya)
    monkeypatch.setitem(files.LONGEST, "csv", count)
    wanted = rows_of(short(browser, line))
    assert len(wanted) == 1 + count and wanted[1:] == sorted(wanted[1:])
    monkeypatch.setitem(files.LONGEST, "csv", count - 1)
    monkeypatch.setattr(making.make_slice, "__kwdefaults__", {"seconds": seconds})
    file = ask(browser, post, line)
    page = browser.get(file.get_absolute_url()).content.decode()
    assert "Being made: 0% done" in page and "Safety" in page
    jobs.run_due()
    file.refresh_from_db()
    assert (file.report, file.state, file.percent, file.rows) == ("safety", State.READY, 100, count)
    assert file.parts.count() == (-(-file.weeks_all // making.AT_ONCE) if not seconds else 1)
    answer = taken(browser, file)
    assert (rows_of(answer), f'filename="safety-{line}-2026' in answer["Content-Disposition"]) == (wanted, True)
    assert Notice.objects.filter(template="report_ready", user=maya).count() == 1
    events = AuditEvent.objects.filter(action__startswith="report.", target_id=file.pk).order_by("seq")
    assert [(event.action, event.facts.get("report")) for event in events] == [
        ("report.asked", "safety"),
        ("report.made", None),
        ("report.exported", "safety"),
    ]


def test_long_file_says_of_whose_rows_what_the_list_says(
    maya: User, rosa: User, six: list[Client], as_user: As, post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Security check 11: for who counts without reading charts a row tells its month and site, in a long file too."""
    monkeypatch.setitem(files.LONGEST, "csv", 1)
    file = ask(as_user(rosa), post, "flags")
    jobs.run_due()
    head, *rows = rows_of(taken(as_user(rosa), file))
    site = six[0].site.name
    assert (head[0], {(len(row[0]), row[1], row[2], row[3]) for row in rows}) == ("Month", {(7, site, "", "")})


def test_report_that_may_not_be_seen_any_more_is_not_made(
    maya: User, six: list[Client], as_user: As, post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(files.LONGEST, "csv", 1)
    file = ask(as_user(maya), post, "flags")
    maya.role_grants.filter(role=Role.THERAPIST).delete()
    maya.role_grants.create(role=Role.FRONT_DESK)
    jobs.run_due()
    file.refresh_from_db()
    assert (file.state, ReportPart.objects.count()) == (State.REFUSED, 0)
    assert (
        "what you may see has changed"
        in as_user(User.objects.get(pk=maya.pk)).get(file.get_absolute_url()).content.decode()
    )


@pytest.mark.parametrize(
    "said",
    [
        {"report": "nothing", "query": "", "kind": "csv"},
        {"report": "safety", "query": "line=nothing", "kind": "csv"},
        {"report": "safety", "query": "start=nonsense", "kind": "csv"},
        {"report": "", "query": "", "kind": "csv"},
    ],
)
def test_what_no_report_has_makes_no_file(maya: User, as_user: As, post: Post, said: dict[str, str]) -> None:
    assert post(as_user(maya), reverse("report_file_new"), said).status_code == 400
    assert not ReportFile.objects.exists()


def test_same_filters_of_two_reports_are_two_files(maya: User, as_user: As, post: Post) -> None:
    for report in ("safety", "kap", "safety"):
        said = {"report": report, "query": "start=2026-01-01&end=2026-06-30", "kind": "csv"}
        post(as_user(maya), reverse("report_file_new"), said)
    assert sorted(ReportFile.objects.values_list("report", flat=True)) == ["kap", "safety"]
