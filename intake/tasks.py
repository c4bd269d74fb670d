"""Jobs of this package, registered by name."""

from django.utils import timezone

from intake import actions, arrivals, enquiries, handing, measures, resigning, schedules
from practice import jobs


@jobs.job("chase_intakes")
def chase_intakes(ref: str) -> None:
    actions.chase(at=timezone.now())


@jobs.job("watch_leaving")
def watch_leaving(ref: str) -> None:
    actions.watch_leaving(at=timezone.now())


@jobs.job("send_measures")
def send_measures(ref: str) -> None:
    measures.send_due(at=timezone.now())


@jobs.job("watch_measures")
def watch_measures(ref: str) -> None:
    measures.watch_missing(at=timezone.now())


@jobs.job("forget_enquiries")
def forget_enquiries(ref: str) -> None:
    enquiries.forget(at=timezone.now())
    arrivals.forget(at=timezone.now())
    handing.forget(at=timezone.now())


@jobs.job("ask_to_sign")
def ask_to_sign(ref: str) -> None:
    at = timezone.now()
    resigning.watch(at=at)
    resigning.ask_some(at=at)


@jobs.job("follow_schedules")
def follow_schedules(ref: str) -> None:
    schedules.follow_all(at=timezone.now())
