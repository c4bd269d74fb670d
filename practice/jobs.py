"""The durable queue. A job is a row; Celery, or the web process itself, only runs it.

    jobs.enqueue("deliver_notice", ref=notice.pk)        in the transaction of its reason
    @jobs.job("deliver_notice")                          the function that does it, given the ref

A job runs in two steps so that slow work holds no transaction: the function may return a callable, which is then run
in one transaction with the completion, and only while the fencing token is still ours.
"""

import logging
import queue
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from importlib import import_module
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import close_old_connections, connections, transaction
from django.db.models import F, Q
from django.utils import timezone

from practice.models.jobs import Job

log = logging.getLogger("practice.jobs")

LEASE = timedelta(seconds=150)  # longer than CELERY_TASK_TIME_LIMIT
MAX_ATTEMPTS = 8
LONGEST_WAIT_S = 120  # what failed because something was away is done two minutes after it is back
STUCK_MIN = 10  # a job that waits longer is trouble that somebody is told of
TASK_MODULES = ("practice.tasks", "intake.tasks", "referrals.tasks", "practice.kap.tasks")

Work = Callable[[str], Callable[[], None] | None]
_kinds: dict[str, Work] = {}
_attempts: dict[str, int] = {}
_wake = threading.Event()
_outgoing: "queue.SimpleQueue[str]" = queue.SimpleQueue()
_carrier_lock = threading.Lock()
_carrier: threading.Thread | None = None


def job(kind: str, *, attempts: int = MAX_ATTEMPTS) -> Callable[[Work], Work]:
    def register(work: Work) -> Work:
        _kinds[kind], _attempts[kind] = work, attempts
        return work

    return register


def load_kinds() -> dict[str, Work]:
    for module in TASK_MODULES:
        import_module(module)
    return _kinds


def enqueue(kind: str, *, ref: Any = "", run_at: datetime | None = None, dedupe_key: str | None = None) -> None:
    """Write the job in the caller's transaction; hand it over once that commits. A known dedupe key changes nothing."""
    now = timezone.now()
    row = Job(kind=kind, ref=str(ref), created_at=now, run_at=run_at or now, dedupe_key=dedupe_key)
    Job.objects.bulk_create([row], ignore_conflicts=dedupe_key is not None)
    if dedupe_key is not None and not Job.objects.filter(pk=row.pk).exists():
        return  # the job of this key is there already; nothing is handed over under an id that has no row
    if row.run_at <= now:
        transaction.on_commit(lambda: hand_over(str(row.pk)))


def hand_over(job_id: str) -> None:
    """Tell a runner that a job is due. Never waits for the network; the sweeper finds what is not carried."""
    if not settings.CELERY_BROKER_URL:
        _wake.set()
        return
    global _carrier
    _outgoing.put(job_id)
    with _carrier_lock:
        if _carrier is None or not _carrier.is_alive():
            _carrier = threading.Thread(target=_carry, name="job-carrier", daemon=True)
            _carrier.start()


def _carry() -> None:
    from practice.tasks import run_job

    while True:
        job_id = _outgoing.get()
        try:
            run_job.apply_async(args=(job_id,), retry=False, ignore_result=True)
        except Exception as trouble:
            log.warning("broker unreachable", extra={"trouble": type(trouble).__name__})


def claim(job_id: UUID | str, now: datetime) -> Job | None:
    """Take the job for this runner, or return None when it is done, not due, or somebody else's."""
    free = Q(lease_until=None) | Q(lease_until__lt=now)
    taken = Job.objects.filter(free, pk=job_id, state=Job.State.DUE, run_at__lte=now).update(
        lease_until=now + LEASE, token=F("token") + 1, attempts=F("attempts") + 1
    )
    return Job.objects.get(pk=job_id) if taken else None


def run(job_id: UUID | str) -> bool:
    """Run one job if it is ours to run. Returns whether it was."""
    row = claim(job_id, timezone.now())
    if row is None:
        return False
    try:
        work = load_kinds()[row.kind]
        finish = work(row.ref)
        with transaction.atomic():
            if _complete(row) and finish is not None:
                finish()
    except Exception as trouble:  # any trouble becomes a later try, then a visible dead letter
        _put_off(row, trouble)
    return True


def _complete(row: Job) -> bool:
    mine = Job.objects.filter(pk=row.pk, token=row.token, state=Job.State.DUE)
    return bool(mine.update(state=Job.State.DONE, done_at=timezone.now(), lease_until=None, trouble=""))


def _put_off(row: Job, trouble: Exception) -> None:
    name = type(trouble).__name__
    log.warning("job failed", extra={"job": str(row.pk), "kind": row.kind, "trouble": name, "attempts": row.attempts})
    dead = row.attempts >= _attempts.get(row.kind, MAX_ATTEMPTS)
    Job.objects.filter(pk=row.pk, token=row.token, state=Job.State.DUE).update(
        state=Job.State.DEAD if dead else Job.State.DUE,
        run_at=timezone.now() + timedelta(seconds=min(5 * 3 ** min(row.attempts, 5), LONGEST_WAIT_S)),
        lease_until=None,
        trouble=name,
    )


def due_ids(now: datetime, limit: int = 100) -> list[UUID]:
    free = Q(lease_until=None) | Q(lease_until__lt=now)
    found = (
        Job.objects.filter(free, state=Job.State.DUE, run_at__lte=now).order_by("run_at").values_list("pk", flat=True)
    )
    return list(found[:limit])


def sweep(now: datetime) -> int:
    """Hand over again what is due and in nobody's hands: a dead worker's, a lost broker's. Returns how many."""
    found = due_ids(now)
    for job_id in found:
        hand_over(str(job_id))
    return len(found)


def run_due() -> int:
    """Run everything that is due now in this process. Returns how many were run."""
    ran = 0
    while found := due_ids(timezone.now(), 20):
        ran += sum(run(job_id) for job_id in found)
    return ran


def oldest_waiting_min(now: datetime) -> int:
    """Minutes that the oldest due job has been waiting; 0 when none waits."""
    first = (
        Job.objects.filter(state=Job.State.DUE, run_at__lte=now)
        .order_by("run_at")
        .values_list("run_at", flat=True)
        .first()
    )
    return int((now - first).total_seconds() // 60) if first else 0


class Runner(threading.Thread):
    """The in-process runner of the embedded deployment: wakes at once for a new job, and every few seconds anyway."""

    def __init__(self, every_s: float = 2.0) -> None:
        super().__init__(name="job-runner", daemon=True)
        self.every_s, self.stopping = every_s, threading.Event()

    def run(self) -> None:
        from practice.schedule import tick

        while not self.stopping.is_set():
            try:
                close_old_connections()
                tick(timezone.now())
                run_due()
            except Exception as trouble:  # the database may be away; the next round tries again
                log.warning("runner", extra={"trouble": type(trouble).__name__})
            _wake.wait(self.every_s)
            _wake.clear()
        connections.close_all()  # this thread's own; nobody else can close them

    def stop(self) -> None:
        self.stopping.set()
        _wake.set()
        self.join(timeout=5)
