"""Jobs of this package, registered by name."""

from django.utils import timezone

from practice import jobs
from practice.kap.actions import boosters, integration, rides


@jobs.job("watch_boosters")
def watch_boosters(ref: str) -> None:
    boosters.watch(at=timezone.now())


@jobs.job("watch_integration")
def watch_integration(ref: str) -> None:
    integration.watch(at=timezone.now())


@jobs.job("remind_rides")
def remind_rides(ref: str) -> None:
    rides.remind(at=timezone.now())
