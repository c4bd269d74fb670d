"""Files of more rows than anybody should wait for: made by a job, for who asked, while they may have them."""

import csv
import io
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client as Browser
from django.urls import reverse
from openpyxl import load_workbook

from practice import jobs
from practice.access import Role
from practice.models import AuditEvent, Job, Notice, User
from referrals.models import ReportFile, ReportPart
from referrals.reports import files, making
from tests.factories import NOW
from tests.referrals import flags, referring

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("now", "world")]
As = Callable[[User], Browser]
State = ReportFile.State


@pytest.fixture
def now() -> Any:
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def world(now: Any, maya: User, monkeypatch: pytest.MonkeyPatch) -> flags.World:
    made = flags.flags(flags.people([maya], 20), [referring.clinic()], 60)
    made.write()
    monkeypatch.setitem(files.LONGEST, "csv", 10)
    monkeypatch.setitem(files.LONGEST, "xlsx", 10)
    return made


def asked_for(browser: Browser, post: Callable[..., Any], name: str = "report_csv") -> ReportFile:
    """Press the button of the page that offers it."""
    page = browser.get(reverse(name))
    said = {key: page.context[key] for key in ("report", "query", "kind")} | {
        "names": "yes" if page.context["names"] else "no"
    }
    answer = post(browser, reverse("report_file_new"), said)
    found = ReportFile.objects.get()
    assert (page.context["most"], answer["Location"]) == (10, found.get_absolute_url())
    return found


def lines_of(answer: Any) -> list[list[str]]:
    text = b"".join(answer.streaming_content).decode("utf-8-sig")
    return list(csv.reader(io.StringIO(text, newline="")))


def taken(browser: Browser, file: ReportFile) -> Any:
    return browser.get(reverse("report_file_get", args=[file.pk]))


@pytest.mark.parametrize("name", ["report_csv", "report_csv_named"])
def test_long_file_equals_the_short_one(
    as_user: As, post: Callable[..., Any], maya: User, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    browser = as_user(maya)
    file = asked_for(browser, post, name)
    monkeypatch.setattr(making.make_slice, "__kwdefaults__", {"seconds": 0.0})  # one reading in each slice
    jobs.run_due()
    file.refresh_from_db()
    assert (file.state, file.percent, file.parts.count()) == (
        State.READY, 100, -(-file.weeks_all // making.AT_ONCE),
    )  # fmt: skip
    long = lines_of(taken(browser, file))
    monkeypatch.setitem(files.LONGEST, "csv", 1000)
    assert long == lines_of(browser.get(reverse(name))) and file.rows == len(long) - 1
    assert Notice.objects.filter(template="report_ready", user=maya).count() == 1
    assert list(Job.objects.exclude(ref="").filter(kind="make_report").values_list("ref", flat=True).distinct()) == [
        str(file.pk)
    ]
    events = AuditEvent.objects.filter(action__startswith="report.", target_id=file.pk).order_by("seq")
    assert [event.action for event in events] == ["report.asked", "report.made", "report.exported"]


def test_long_workbook_holds_the_same_rows(as_user: As, post: Callable[..., Any], maya: User) -> None:
    browser = as_user(maya)
    file = asked_for(browser, post, "report_xlsx")
    jobs.run_due()
    file.refresh_from_db()
    body = b"".join(taken(browser, file).streaming_content)
    (sheet,) = load_workbook(io.BytesIO(body)).worksheets
    assert (sheet.max_row - 1, sheet["A1"].value) == (file.rows, "Reference")


def test_file_is_not_made_for_one_who_may_not_have_it_any_more(
    as_user: As, post: Callable[..., Any], maya: User
) -> None:
    """Bad input of the issue: the right to an export is withdrawn before it is made. Nothing is."""
    file = asked_for(as_user(maya), post)
    maya.role_grants.filter(role=Role.THERAPIST).delete()
    maya.role_grants.create(role=Role.FRONT_DESK)
    jobs.run_due()
    file.refresh_from_db()
    assert (file.state, ReportPart.objects.count()) == (State.REFUSED, 0)
    assert not Notice.objects.filter(template="report_ready").exists()
    page = as_user(User.objects.get(pk=maya.pk)).get(file.get_absolute_url()).content.decode()
    assert "what you may see has changed" in page


def test_file_is_not_given_to_one_who_may_not_have_it_any_more(
    as_user: As, post: Callable[..., Any], maya: User, south: Any
) -> None:
    file = asked_for(as_user(maya), post)
    jobs.run_due()
    maya.sites.set([south])
    answer = taken(as_user(User.objects.get(pk=maya.pk)), file)
    assert (answer.status_code, answer["Location"]) == (302, file.get_absolute_url())
    assert not AuditEvent.objects.filter(action="report.exported").exists()


def test_file_is_for_who_asked_alone(as_user: As, post: Callable[..., Any], maya: User, rosa: User) -> None:
    file = asked_for(as_user(maya), post)
    jobs.run_due()
    for url in (file.get_absolute_url(), reverse("report_file_get", args=[file.pk])):
        assert as_user(rosa).get(url).status_code == 404


def test_same_file_is_made_once(as_user: As, post: Callable[..., Any], maya: User) -> None:
    browser = as_user(maya)
    assert asked_for(browser, post) == asked_for(browser, post)
    assert Job.objects.filter(kind="make_report").count() == 1


def test_file_is_deleted_after_a_week(as_user: As, post: Callable[..., Any], maya: User) -> None:
    file = asked_for(as_user(maya), post)
    jobs.run_due()
    assert making.throw_away(NOW + timedelta(days=6)) == 0
    assert making.throw_away(NOW + timedelta(days=8)) == 1
    file.refresh_from_db()
    assert (file.state, ReportPart.objects.count()) == (State.GONE, 0)


def test_wrong_filters_in_the_form_make_nothing(as_user: As, post: Callable[..., Any], maya: User) -> None:
    for said in (
        {"report": "referrals", "query": "step=x", "kind": "csv"},
        {"report": "referrals", "query": "", "kind": "exe"},
    ):
        assert post(as_user(maya), reverse("report_file_new"), said).status_code == 400
    assert not ReportFile.objects.exists()
