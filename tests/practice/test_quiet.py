"""Clients of whom nothing was heard become a task, once, until somebody is in touch (feature I3)."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from intake import actions as intake
from practice import actions, jobs, quiet, schedule
from practice.kap.models import Plan, Session
from practice.models import AuditEvent, Client, Practice, SafetyContact, Task, User
from referrals.models import Course, CourseSession
from tests import factories, sittings
from tests.factories import NOW

pytestmark = pytest.mark.django_db
DAYS = 14
OLD, EDGE, YOUNG = (timedelta(days=DAYS, seconds=seconds) for seconds in (1, 0, -1))


@pytest.fixture
def ada(maya: User) -> Client:
    """Somebody who came two months ago, and nothing since."""
    return factories.client(maya, "Ada Quiet", at=NOW - timedelta(days=60))


def is_quiet(at: datetime = NOW) -> bool:
    return quiet.quiet(at, DAYS).exists()


def test_quiet_client_becomes_one_task_of_their_therapist(ada: Client, maya: User) -> None:
    assert quiet.watch(at=NOW) == (1, 0)
    assert quiet.watch(at=NOW + timedelta(days=1)) == (0, 0)
    task = Task.objects.get()
    assert (task.kind, task.client, task.owner, task.facts, task.rank) == ("quiet", ada, maya, {"days": 14}, 1)
    assert task.due_at == NOW + timedelta(days=1, hours=22)  # a day after Friday 8:00 in New York
    assert AuditEvent.objects.filter(action="client.quiet", client_id=ada.pk).count() == 1


@pytest.mark.parametrize(("ago", "found"), [(OLD, True), (EDGE, False), (YOUNG, False)])
@pytest.mark.parametrize("what", ["answer", "note", "contact", "session", "clinic", "begun", "came"])
def test_each_way_of_being_in_touch_counts(ada: Client, maya: User, what: str, ago: timedelta, found: bool) -> None:
    then = NOW - ago
    if what == "answer":
        ada.note_phq9(then.date(), 9, False, then)
    elif what == "note":
        actions.write_note(by=maya, client=ada, words="Talked", at=then)
    elif what == "contact":
        flag = actions.raise_manual_flag(by=maya, client=ada, severity="routine", reason="Worry", at=then)
        actions.record_contact(
            by=maya, alert=flag, recorded_at=then, reached=SafetyContact.Reached.NO, at=then, level="unknown",
            action="Called", plan="Again", next_check_at=NOW,
        )  # fmt: skip
    elif what == "session":
        plan = Plan.objects.create(client=ada, shape="weekly", started_on=then.date(), therapist=maya)
        Session.objects.create(plan=plan, kind="integration", number=1, starts_at=then, state="done")
    elif what == "clinic":
        course = Course.objects.create(client=ada, clinic="Northlake", started_on=then.date())
        days = DAYS + 1 if found else DAYS
        CourseSession.objects.create(course=course, number=1, on=NOW.date() - timedelta(days=days), state="done")
    elif what == "begun":
        row = sittings.sitting(ada, NOW - timedelta(days=60))
        type(row).objects.filter(pk=row.pk).update(saved_at=then)
    else:
        Client.objects.filter(pk=ada.pk).update(created_at=then)
    assert is_quiet() is found


def test_appointment_ahead_counts(ada: Client, maya: User) -> None:
    plan = Plan.objects.create(client=ada, shape="weekly", started_on=NOW.date(), therapist=maya)
    row = Session.objects.create(plan=plan, kind="dosing", number=1, starts_at=NOW + timedelta(days=40))
    assert not is_quiet()
    Session.objects.filter(pk=row.pk).update(state="skipped")
    assert is_quiet()
    Client.objects.filter(pk=ada.pk).update(next_session_at=NOW + timedelta(days=2))
    assert not is_quiet()


@pytest.mark.parametrize("status", ["invited", "discharged", "died"])
def test_only_clients_in_care_are_quiet(ada: Client, status: str) -> None:
    Client.objects.filter(pk=ada.pk).update(status=status)
    assert quiet.watch(at=NOW) == (0, 0)


def test_practice_sets_after_how_many_days(ada: Client) -> None:
    actions_at = NOW - timedelta(days=20)
    Client.objects.filter(pk=ada.pk).update(last_heard_at=actions_at)
    Practice.objects.update(quiet_days=21)
    assert quiet.watch(at=NOW) == (0, 0)
    Practice.objects.update(quiet_days=20)
    assert quiet.watch(at=NOW + timedelta(seconds=1)) == (1, 0)
    assert Task.objects.get().facts == {"days": 20}


@pytest.mark.parametrize("how", ["note", "task", "answer"])
def test_contact_finishes_the_task_at_once(ada: Client, maya: User, how: str) -> None:
    quiet.watch(at=NOW)
    if how == "note":
        actions.write_note(by=maya, client=ada, words="She called", at=NOW)
    elif how == "task":
        actions.finish_task(by=maya, task=Task.objects.get(), words="Called her", at=NOW)
    else:
        intake._note_phq9(ada, sittings.sitting(ada, NOW), NOW, NOW.date())
    assert not Task.objects.filter(kind="quiet", done_at=None).exists()
    assert quiet.watch(at=NOW + timedelta(days=1)) == (0, 0)
    assert quiet.watch(at=NOW + timedelta(days=DAYS, minutes=1)) == (1, 0)


def test_what_was_heard_elsewhere_finishes_the_task_within_the_hour(ada: Client, maya: User) -> None:
    quiet.watch(at=NOW)
    Client.objects.filter(pk=ada.pk).update(next_session_at=NOW + timedelta(days=3))
    assert quiet.watch(at=NOW + timedelta(hours=1)) == (0, 1)
    assert AuditEvent.objects.filter(action="client.heard", client_id=ada.pk).count() == 1


def test_job_runs_by_itself(ada: Client) -> None:
    Client.objects.filter(pk=ada.pk).update(created_at=NOW - timedelta(days=5000))
    assert "watch_quiet" in {each.kind for each in schedule.PERIODIC}
    jobs.load_kinds()["watch_quiet"]("")
    assert Task.objects.get().kind == "quiet"


def test_query_is_one_however_many_clients(maya: User, django_assert_num_queries: Any) -> None:
    for n in range(3):
        factories.client(maya, f"Ada {n}", at=NOW - timedelta(days=60))
    with django_assert_num_queries(1):
        assert len(quiet.quiet(NOW, DAYS)) == 3
