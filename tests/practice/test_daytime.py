"""Messages that can wait go out in the client's daytime; none goes out after a stop; each is in the delivery log."""

import re
from collections.abc import Callable
from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import time_machine
from django.test import Client as Browser

from practice import jobs, notices
from practice.models import Client, Job, Notice, Practice, Task, User
from tests import factories
from tests.factories import NOW

As = Callable[[User], Browser]
pytestmark = pytest.mark.django_db
EAST = ZoneInfo("America/New_York")
LINK = {"link": "http://testserver/p/x/"}


@pytest.fixture
def by_day(house: Practice) -> Practice:
    return factories.practice(messages_from=time(8), messages_until=time(21))


def local(text: str, zone: ZoneInfo = EAST) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=zone)


@pytest.mark.parametrize(
    ("at", "goes"),
    [
        ("2026-11-19T07:59:59", "2026-11-19T08:00:00"),
        ("2026-11-19T08:00:00", "2026-11-19T08:00:00"),
        ("2026-11-19T20:59:59", "2026-11-19T20:59:59"),
        ("2026-11-19T21:00:00", "2026-11-20T08:00:00"),
        ("2026-11-20T00:00:00", "2026-11-20T08:00:00"),
        ("2026-10-31T22:00:00", "2026-11-01T08:00:00"),  # the night summer time ends
        ("2027-03-13T22:00:00", "2027-03-14T08:00:00"),  # the night it begins
    ],
)
def test_daytime_by_the_practice_clock(at: str, goes: str, by_day: Practice, sam: Client) -> None:
    assert notices.daytime(local(at), sam, by_day) == local(goes)


def test_daytime_is_by_the_client_own_clock(by_day: Practice, sam: Client) -> None:
    sam.zone = "Pacific/Honolulu"
    morning_here = local("2026-11-19T09:00:00")  # 4 am there
    assert notices.daytime(morning_here, sam, by_day) == local("2026-11-19T08:00:00", ZoneInfo("Pacific/Honolulu"))


@pytest.mark.parametrize(
    ("start", "end", "at", "goes"),
    [
        (time(0), time(0), "2026-11-19T03:00:00", "2026-11-19T03:00:00"),  # at any hour
        (time(20), time(2), "2026-11-19T01:59:00", "2026-11-19T01:59:00"),  # over midnight
        (time(20), time(2), "2026-11-19T02:00:00", "2026-11-19T20:00:00"),
    ],
)
def test_daytime_is_what_the_practice_says(start: time, end: time, at: str, goes: str, sam: Client) -> None:
    practice = factories.practice(messages_from=start, messages_until=end)
    assert notices.daytime(local(at), sam, practice) == local(goes)


def test_only_what_nobody_waits_for_waits(by_day: Practice, sam: Client) -> None:
    night = local("2026-11-19T23:30:00")
    told = {"code": {"code": "204817"}, "home": LINK, "check_in": LINK | {"minutes": 1}}
    with time_machine.travel(night, tick=False):
        for template, words in told.items():
            notices.tell_client(sam, template, channels=("email",), **words)
    by_template = {Notice.objects.get(pk=job.ref).template: job.run_at for job in Job.objects.all()}
    assert by_template == {"code": night, "home": night, "check_in": local("2026-11-20T08:00:00")}


def test_nothing_goes_out_after_a_stop(by_day: Practice, sam: Client, mailoutbox: list[Any]) -> None:
    """Security check 75 (R33): an opt-out, or leaving, between planning and sending: no message after the stop."""
    with time_machine.travel(local("2026-11-19T23:30:00"), tick=False):
        notices.tell_client(sam, "check_in", channels=("email",), **LINK, minutes=1)
    sam.reach = {"email": False, "sms": True}
    sam.save()
    (job,) = Job.objects.all()
    with time_machine.travel(job.run_at + timedelta(seconds=1), tick=False):
        jobs.run(job.pk)
    notice = Notice.objects.get()
    assert (notice.state, notice.words, mailoutbox) == (Notice.State.STOPPED, None, [])


# --- The delivery log ------------------------------------------------------------------------------------------------


def words(response: Any) -> str:
    return " ".join(re.sub(r"<[^>]*>", " ", response.content.decode()).split())


def sent(client: Client, template: str, state: str, **fields: Any) -> Notice:
    row = Notice(template=template, channel="email", client=client, state=state, created_at=NOW, **fields)
    row.address, row.words = "secret@example.org", {"link": "http://testserver/p/w0rdw0rd/"}
    row.save()
    return row


def test_log_says_what_became_of_each_message(as_user: As, maya: User, sam: Client, kit: Client) -> None:
    sent(sam, "invitation", "sent", sent_at=NOW)
    sent(sam, "check_in", "failed", trouble="SMTPRecipientsRefused")
    sent(sam, "news", "stopped")
    sent(sam, "reminder", "waiting", trouble="TimeoutError")
    sent(sam, "referral_new", "sent", sent_at=NOW)  # to a clinic: on the page of the referral
    sent(kit, "agreement", "sent", sent_at=NOW)
    response = as_user(maya).get(f"/clients/{sam.pk}/notices/")
    page = words(response)
    assert "Forms to fill in E-mail Sent" in page
    assert "Check-in E-mail Failed There is no such address" in page
    assert "News on their page E-mail Not sent They asked us not to use this way" in page
    assert "Reminder of a form E-mail Waiting No answer" in page
    assert page.count("E-mail") == 4
    assert [w for w in ("secret@", "w0rd", "Agreement") if w in response.content.decode()] == []


def test_log_of_somebody_else_is_not_there(as_user: As, omar: User, sam: Client) -> None:
    assert as_user(omar).get(f"/clients/{sam.pk}/notices/").status_code == 404


def test_log_asks_the_same_however_long_it_is(
    as_user: As, maya: User, sam: Client, django_assert_num_queries: Any
) -> None:
    browser = as_user(maya)
    counts = []
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    browser.get(f"/clients/{sam.pk}/notices/")
    for more in (1, 30):
        for _ in range(more):
            sent(sam, "news", "sent", sent_at=NOW)
        with CaptureQueriesContext(connection) as asked:
            browser.get(f"/clients/{sam.pk}/notices/")
        counts.append(len(asked))
    assert counts[0] == counts[1]


def test_message_that_did_not_arrive_becomes_a_task(sam: Client) -> None:
    from practice.tasks import _settle

    refused = sent(sam, "news", "waiting")
    _settle(str(refused.pk), state=Notice.State.FAILED)
    _settle(str(refused.pk), state=Notice.State.FAILED)
    assert [(task.kind, task.facts) for task in Task.objects.filter(client=sam)] == [
        ("todo", {"reason": "not_delivered"})
    ]
