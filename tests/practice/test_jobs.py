"""The job table: lease, fencing token, dedupe key, dead letters, the one list of periodic jobs."""

import threading
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.db import connection, transaction
from django.utils import timezone

from practice import jobs, schedule
from practice.models import Client, Job, KeptForm, Notice, SentForm, User
from practice.tasks import DELIVERY_ATTEMPTS
from tests.factories import NOW


@pytest.fixture
def kinds() -> Iterator[dict[str, jobs.Work]]:
    """The registered kinds; what a test adds is taken away again."""
    registered = jobs.load_kinds()
    before = dict(registered)
    yield registered
    registered.clear()
    registered.update(before)


@pytest.fixture
def at() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(NOW, tick=False) as clock:
        yield clock


def only() -> Job:
    return Job.objects.get()


def test_job_waits_for_the_commit_of_its_reason(transactional_db: None) -> None:
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        jobs.enqueue("tidy")
        raise ZeroDivisionError
    assert list(Job.objects.all()) == []


def test_run_does_a_job_once(db: None, kinds: dict[str, jobs.Work]) -> None:
    done: list[str] = []
    kinds["note"] = lambda ref: done.append(ref)
    jobs.enqueue("note", ref="41")
    assert [jobs.run(only().pk), jobs.run(only().pk)] == [True, False]
    assert (done, only().state, only().attempts, only().lease_until) == (["41"], "done", 1, None)


def test_known_dedupe_key_hands_nothing_over(db: None, django_capture_on_commit_callbacks: Any) -> None:
    """The broker is given ids of rows that exist, however often a key is written."""
    with django_capture_on_commit_callbacks() as handed:
        jobs.enqueue("tidy", dedupe_key="tidy:1")
        jobs.enqueue("tidy", dedupe_key="tidy:1")
    assert (len(handed), Job.objects.count()) == (1, 1)


def test_known_dedupe_key_changes_nothing(db: None) -> None:
    jobs.enqueue("tidy", dedupe_key="tidy:1")
    first = only().pk
    jobs.enqueue("tidy", dedupe_key="tidy:1")
    assert only().pk == first


def test_later_job_is_not_run_before_its_time(
    db: None, kinds: dict[str, jobs.Work], at: time_machine.Traveller
) -> None:
    done: list[datetime] = []
    kinds["note"] = lambda ref: done.append(timezone.now())
    jobs.enqueue("note", run_at=NOW + timedelta(minutes=5))
    assert (jobs.run_due(), jobs.run(only().pk)) == (0, False)
    at.shift(timedelta(minutes=5))
    assert (jobs.run_due(), done) == (1, [NOW + timedelta(minutes=5)])


def test_claimed_job_is_nobody_elses_until_its_lease_ends(db: None) -> None:
    jobs.enqueue("note", run_at=NOW)
    first = jobs.claim(only().pk, NOW)
    assert first is not None and (first.token, first.attempts) == (1, 1)
    assert jobs.claim(only().pk, NOW + jobs.LEASE) is None
    assert (jobs.due_ids(NOW + jobs.LEASE), jobs.due_ids(NOW + jobs.LEASE + timedelta(seconds=1))) == ([], [only().pk])
    second = jobs.claim(only().pk, NOW + jobs.LEASE + timedelta(seconds=1))
    assert second is not None and (second.token, second.attempts) == (2, 2)


def test_runner_that_overran_its_lease_leaves_no_effect(
    db: None, kinds: dict[str, jobs.Work], at: time_machine.Traveller
) -> None:
    """The slow runner comes back after the sweeper gave the job to another: one effect, the other's."""
    effects: list[str] = []
    runners = iter(["slow", "second"])

    def work(ref: str) -> Callable[[], None]:
        me = next(runners)
        if me == "slow":
            at.shift(jobs.LEASE + timedelta(seconds=1))
            assert jobs.run(only().pk)
        return lambda: effects.append(me)

    kinds["note"] = work
    jobs.enqueue("note", ref="x")
    jobs.run(only().pk)
    assert (effects, only().state, only().attempts) == (["second"], "done", 2)


def test_overrun_runner_that_fails_does_not_undo_the_others_success(
    db: None, kinds: dict[str, jobs.Work], at: time_machine.Traveller
) -> None:
    runners = iter(["slow", "second"])

    def work(ref: str) -> None:
        if next(runners) == "slow":
            at.shift(jobs.LEASE + timedelta(seconds=1))
            assert jobs.run(only().pk)
            raise OSError

    kinds["note"] = work
    jobs.enqueue("note")
    jobs.run(only().pk)
    assert (only().state, only().trouble) == ("done", "")


def test_effect_that_fails_rolls_back_with_the_completion(db: None, kinds: dict[str, jobs.Work]) -> None:
    def effect() -> None:
        SentForm.objects.create(key="k", path="/", at=timezone.now())
        raise OSError("secret words of the mail server")

    kinds["note"] = lambda ref: effect
    jobs.enqueue("note")
    jobs.run(only().pk)
    assert (only().state, only().trouble, SentForm.objects.count()) == ("due", "OSError", 0)


def test_failing_job_is_tried_later_and_later_then_given_up_in_sight(
    db: None, kinds: dict[str, jobs.Work], at: time_machine.Traveller
) -> None:
    """Security check 75: a poison job is one dead letter; the others proceed."""

    def poison(ref: str) -> None:
        raise ValueError("Sam Whitehorse")

    done: list[str] = []
    kinds["poison"], kinds["note"] = poison, lambda ref: done.append(ref)
    jobs.enqueue("poison")
    jobs.enqueue("note", ref="after")
    waits = []
    for _ in range(jobs.MAX_ATTEMPTS):
        jobs.run_due()
        row = Job.objects.get(kind="poison")
        waits.append(int((row.run_at - timezone.now()).total_seconds()))
        at.move_to(row.run_at)
    assert waits == [15, 45, 120, 120, 120, 120, 120, 120]
    row = Job.objects.get(kind="poison")
    assert (row.state, row.attempts, row.trouble, done) == ("dead", 8, "ValueError", ["after"])
    assert jobs.run_due() == 0


def test_unknown_kind_is_put_off_not_lost(db: None) -> None:
    jobs.enqueue("from_a_newer_version")
    jobs.run(only().pk)
    assert (only().state, only().trouble) == ("due", "KeyError")


def test_oldest_waiting_counts_whole_minutes(db: None) -> None:
    assert jobs.oldest_waiting_min(NOW) == 0
    jobs.enqueue("note", run_at=NOW - timedelta(minutes=11, seconds=59))
    jobs.enqueue("note", run_at=NOW + timedelta(minutes=1))
    assert jobs.oldest_waiting_min(NOW) == 11


def test_sweep_hands_over_what_is_in_nobodys_hands(db: None) -> None:
    for when, lease in ((-1, None), (-1, -1), (-1, 60), (60, None)):
        Job.objects.create(
            kind="note",
            created_at=NOW,
            run_at=NOW + timedelta(seconds=when),
            lease_until=lease and NOW + timedelta(seconds=lease),
        )
    assert jobs.sweep(NOW) == 2


def test_four_schedulers_write_each_slot_once(transactional_db: None) -> None:
    """Security check 75: two schedulers, no duplicate."""
    gate = threading.Barrier(4)

    def tick() -> None:
        gate.wait()
        for second in range(0, 120, 10):
            schedule.tick(NOW + timedelta(seconds=second))
        connection.close()

    threads = [threading.Thread(target=tick) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    stamp = int(NOW.timestamp())
    slots = {f"{p.kind}:{(stamp + s) // p.every_s}" for p in schedule.PERIODIC for s in range(0, 120, 10)}
    assert sorted(Job.objects.values_list("dedupe_key", flat=True)) == sorted(slots)


def test_every_periodic_job_is_registered_and_runs_on_an_empty_practice(house: object) -> None:
    kinds = jobs.load_kinds()
    assert {p.kind for p in schedule.PERIODIC} - set(kinds) == set()
    schedule.tick(timezone.now())
    jobs.run_due()
    assert list(Job.objects.exclude(state=Job.State.DONE).values_list("kind", "trouble")) == []


def test_runner_runs_a_job_and_stops(transactional_db: None, kinds: dict[str, jobs.Work]) -> None:
    """The embedded runner wakes at once for a committed job."""
    ran = threading.Event()
    for periodic in schedule.PERIODIC:
        kinds[periodic.kind] = lambda ref: None
    kinds["note"] = lambda ref: ran.set()
    runner = jobs.Runner(every_s=30)
    runner.start()
    try:
        with transaction.atomic():
            jobs.enqueue("note")
        assert ran.wait(10)
    finally:
        runner.stop()
    assert not runner.is_alive()


# --- The practice's own jobs -----------------------------------------------------------------------------------------


def notice(user: User | None = None, client: Client | None = None, **fields: object) -> Notice:
    row = Notice(template="urgent", channel="email", user=user, client=client, created_at=NOW, **fields)
    row.address = "somebody@example.org"
    row.words = {"link": "http://testserver/alerts/open/1/", "at": "10:00", "next_at": "", "minutes": 0, "drill": False}
    row.save(force_insert=True)
    jobs.enqueue("deliver_notice", ref=row.pk)
    return row


def test_notice_is_sent_once_and_forgets_its_words(maya: User, mailoutbox: list[object]) -> None:
    row = notice(maya)
    jobs.run_due()
    Job.objects.update(state=Job.State.DUE)  # delivered, but the completion was lost on the way
    jobs.run_due()
    row.refresh_from_db()
    assert (row.state, row.words, row.attempts, len(mailoutbox)) == ("sent", None, 1, 1)
    assert mailoutbox[0].extra_headers["Message-ID"] == f"<{row.pk}@waymark>"  # type: ignore[attr-defined]


def test_notice_to_a_discharged_client_is_stopped(sam: Client, mailoutbox: list[object]) -> None:
    Client.objects.filter(pk=sam.pk).update(status=Client.Status.DISCHARGED)
    row = notice(client=sam)
    jobs.run_due()
    row.refresh_from_db()
    assert (row.state, row.words, mailoutbox) == ("stopped", None, [])


def test_notice_that_cannot_be_sent_is_marked_failed_at_last(
    maya: User, settings: object, at: time_machine.Traveller
) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"  # type: ignore[attr-defined]
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 9  # type: ignore[attr-defined]
    row = notice(maya)
    while only().state == Job.State.DUE:
        jobs.run_due()
        at.move_to(max(only().run_at, timezone.now()))
    row.refresh_from_db()
    assert (row.state, row.trouble, only().attempts) == ("failed", "ConnectionRefusedError", DELIVERY_ATTEMPTS)
    assert timedelta(hours=23) < timezone.now() - NOW < timedelta(hours=25)


def test_notice_is_sent_within_two_minutes_after_the_mail_server_is_back(
    maya: User, settings: object, mailoutbox: list[object], at: time_machine.Traveller
) -> None:
    """Security check 67, as far as the clock goes; tests/system has the real mail server."""
    in_memory = settings.EMAIL_BACKEND  # type: ignore[attr-defined]
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"  # type: ignore[attr-defined]
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 9  # type: ignore[attr-defined]
    notice(maya)
    while timezone.now() < NOW + timedelta(hours=6):
        jobs.run_due()
        at.shift(timedelta(seconds=30))
    settings.EMAIL_BACKEND = in_memory  # type: ignore[attr-defined]
    at.shift(timedelta(seconds=120))
    jobs.run_due()
    assert len(mailoutbox) == 1


def test_tidy_throws_away_what_has_served_and_nothing_else(maya: User) -> None:
    now = timezone.now()
    old = now - timedelta(days=31)
    SentForm.objects.create(key="old", path="/", at=old)
    SentForm.objects.create(key="new", path="/", at=now)
    KeptForm.objects.create(user=maya, path="/old/", at=old)
    KeptForm.objects.create(user=maya, path="/new/", at=now)
    for state, done_at in (("done", old), ("done", now), ("dead", None)):
        Job.objects.create(kind="note", state=state, done_at=done_at, created_at=old, run_at=old)
    jobs.load_kinds()["tidy"]("")
    assert list(SentForm.objects.values_list("key", flat=True)) == ["new"]
    assert list(KeptForm.objects.values_list("path", flat=True)) == ["/new/"]
    assert sorted(Job.objects.values_list("state", flat=True)) == ["dead", "done"]


def test_schedule_asks_once_when_its_slots_are_written(db: None, django_assert_num_queries: Any) -> None:
    schedule.tick(NOW)
    Job.objects.update(state=Job.State.DONE)
    with django_assert_num_queries(2):  # which slots are written, what is due: an idle practice costs no writes
        schedule.tick(NOW)
