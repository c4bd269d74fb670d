"""What stands in the way of making one record of two, where our own care goes on in both."""

from collections.abc import Iterator
from datetime import datetime

from django.utils.translation import gettext

from practice import coverage
from practice.kap.actions import clearance
from practice.kap.models import Plan
from practice.models import Client, Practice


def obstacles(kept: Client, former: Client, at: datetime) -> Iterator[str]:
    """Doses must not add up by themselves: a clinician ends one plan, a prescriber takes one clearance back."""
    both = Plan.objects.filter(client__in=(kept, former), state=Plan.State.UNDER_WAY)
    if both.values("client").distinct().count() == 2:
        yield gettext("Both have a KAP plan under way. Their therapist ends one first.")
    today = coverage.local(at, Practice.get()).date()
    if all(clearance.ledger(client, today).good for client in (kept, former)):
        yield gettext("Both have doses that a prescriber cleared. The prescriber takes one clearance back first.")
