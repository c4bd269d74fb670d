"""What the practice's own jobs do. Ids in; fetch; one method."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

from celery import shared_task
from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from practice import actions, audit, backups, exports, jobs, merging, notices, quiet, retention, safety_plan, taking_in
from practice.models import Client, Export, Job, KeptForm, Merge, Notice, SentForm, Task

KEEP_FORMS = timedelta(days=2)
KEEP_JOBS = timedelta(days=30)
DELIVERY_ATTEMPTS = 720  # about a day at jobs.LONGEST_WAIT_S: a mail server may be away for a night


@shared_task(name="practice.run_job")
def run_job(job_id: str) -> None:
    jobs.run(job_id)


@shared_task(name="practice.tick")
def tick() -> None:
    from practice.schedule import tick as write_slots

    write_slots(timezone.now())


@jobs.job("deliver_notice", attempts=DELIVERY_ATTEMPTS)
def deliver_notice(ref: str) -> Callable[[], None] | None:
    notice = Notice.objects.get(pk=ref)
    if notice.state != Notice.State.WAITING:
        return None
    why = notices.ended(notice)
    if why or notices.is_stopped(notice):
        Notice.objects.filter(pk=ref).update(state=Notice.State.STOPPED, words=None, trouble=why)
        notices.after_stop(notice, timezone.now())
        return None
    Notice.objects.filter(pk=ref).update(attempts=F("attempts") + 1)
    try:
        notices.deliver(notice)
    except Exception as trouble:
        Notice.objects.filter(pk=ref).update(trouble=type(trouble).__name__)
        if notices.is_refusal(trouble):
            return partial(_settle, ref, state=Notice.State.FAILED)
        if notice.attempts + 1 >= DELIVERY_ATTEMPTS:
            _settle(ref, state=Notice.State.FAILED)
        raise

    return partial(_settle, ref, state=Notice.State.SENT, sent_at=timezone.now(), words=None, trouble="")


@jobs.job("sweep_merge")
def sweep_merge(ref: str) -> Callable[[], None] | None:
    merge = Merge.objects.filter(pk=ref).first()
    return partial(_sweep, merge) if merge is not None else None


def _sweep(merge: Merge) -> None:
    merging.sweep(merge, at=timezone.now())


@transaction.atomic
def _settle(ref: str, **fields: Any) -> None:
    if (client := Notice.objects.values_list("client_id", flat=True).get(pk=ref)) is not None:
        Client.objects.hold(client)
    Notice.objects.filter(pk=ref).update(**fields)
    notice = Notice.objects.get(pk=ref)
    if notice.state == Notice.State.FAILED and notice.client and notice.template in notices.TO_CLIENTS:
        Task.open(notice.client, "todo", at=timezone.now(), subject_id=notice.pk, reason="not_delivered")
    for note in notices.SETTLED:
        note(notice)


@jobs.job("climb_alerts")
def climb_alerts(ref: str) -> None:
    actions.climb_alerts(at=timezone.now())


@jobs.job("wake_tasks")
def wake_tasks(ref: str) -> None:
    Task.wake(timezone.now())


@jobs.job("watch_quiet")
def watch_quiet(ref: str) -> None:
    quiet.watch(at=timezone.now())


@jobs.job("review_plans")
def review_plans(ref: str) -> None:
    safety_plan.open_reviews(at=timezone.now())


@jobs.job("anchor_audit")
def anchor_audit(ref: str) -> None:
    audit.anchor(timezone.now())


@jobs.job("watch_system")
def watch_system(ref: str) -> None:
    actions.watch_system(at=timezone.now())


@jobs.job("import_clients")
def import_clients(ref: str) -> Callable[[], None]:
    return partial(taking_in.take_next, UUID(ref), at=timezone.now())


@jobs.job("make_export")
def make_export(ref: str) -> Callable[[], None] | None:
    export = Export.objects.filter(pk=ref).first()
    return exports.make_slice(export, at=timezone.now()) if export else None


@jobs.job("purge")
def purge(ref: str) -> None:
    retention.purge(at=timezone.now())


@jobs.job("back_up")
def back_up(ref: str) -> None:
    if settings.BACKUP_TO:
        at = timezone.now()
        backups.make(to=Path(settings.BACKUP_TO), at=at)
        backups.drop_old(Path(settings.BACKUP_TO), at)


@jobs.job("tidy")
def tidy(ref: str) -> None:
    """Throw away what has served: form keys, kept text nobody came back for, finished jobs, dead sessions."""
    from django.contrib.sessions.models import Session

    now = timezone.now()
    SentForm.objects.filter(at__lt=now - KEEP_FORMS).delete()
    KeptForm.objects.filter(at__lt=now - KEEP_FORMS).delete()
    Job.objects.filter(state=Job.State.DONE, done_at__lt=now - KEEP_JOBS).delete()
    Session.objects.filter(expire_date__lt=now).delete()
    taking_in.forget(now)
    exports.throw_away(now)
