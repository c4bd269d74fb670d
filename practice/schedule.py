"""The one list of periodic jobs. Celery beat and the in-process runner both call tick(); a slot is done once."""

from dataclasses import dataclass
from datetime import datetime

from practice import jobs
from practice.models import Job


@dataclass(frozen=True)
class Periodic:
    kind: str
    every_s: int


PERIODIC = (
    Periodic("climb_alerts", 30),
    Periodic("wake_tasks", 300),
    Periodic("watch_quiet", 3600),
    Periodic("climb_referrals", 60),
    Periodic("watch_leaving", 60),
    Periodic("chase_intakes", 900),
    Periodic("ask_to_sign", 900),
    Periodic("send_measures", 300),
    Periodic("watch_measures", 300),
    Periodic("follow_schedules", 3600),
    Periodic("review_plans", 300),
    Periodic("review_decisions", 3600),
    Periodic("anchor_audit", 3600),
    Periodic("watch_system", 300),
    Periodic("warn_releases", 86400),
    Periodic("watch_boosters", 86400),
    Periodic("watch_integration", 86400),
    Periodic("remind_rides", 3600),
    Periodic("drop_reports", 86400),
    Periodic("forget_enquiries", 86400),
    Periodic("tidy", 86400),
    Periodic("purge", 86400),
    Periodic("back_up", 86400),
)


def tick(now: datetime) -> None:
    """Write the jobs of the current slots (each slot once, however many schedulers run), then sweep."""
    stamp = int(now.timestamp())
    slots = {f"{periodic.kind}:{stamp // periodic.every_s}": periodic.kind for periodic in PERIODIC}
    written = set(Job.objects.filter(dedupe_key__in=slots).values_list("dedupe_key", flat=True))
    for slot, kind in slots.items():
        if slot not in written:
            jobs.enqueue(kind, dedupe_key=slot)
    jobs.sweep(now)
