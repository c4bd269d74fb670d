"""Clients of whom nothing was heard: each becomes an item for their therapist, once, until somebody is in touch."""

from collections.abc import Callable
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet

from practice import audit, coverage
from practice.models import Client, Note, Practice, SafetyContact, Task

# What the apps above know of contact: each gives the keys of the clients they heard of since then, or will see.
HEARD: list[Callable[[datetime], QuerySet]] = []


def quiet(at: datetime, days: int) -> QuerySet[Client]:
    """Clients in care without an answer, a contact, or an appointment behind or ahead, for so many days."""
    since = at - timedelta(days=days)
    heard = Q(last_heard_at__gte=since) | Q(next_session_at__gte=since) | Q(created_at__gte=since)
    notes = Note.objects.filter(client=OuterRef("pk"), at__gte=since)
    contacts = SafetyContact.objects.filter(alert__client=OuterRef("pk"), at__gte=since)
    found = Client.objects.filter(status=Client.Status.ACTIVE).exclude(heard)
    found = found.filter(~Exists(notes), ~Exists(contacts))
    for known in HEARD:
        found = found.exclude(pk__in=known(since))
    return found


def watch(*, at: datetime) -> tuple[int, int]:
    """Open the item of each quiet client, and finish it of those who are quiet no more. Returns how many of each."""
    practice = Practice.get()
    found = quiet(at, practice.quiet_days)
    is_open = Task.objects.filter(client=OuterRef("pk"), kind="quiet", done_at=None)
    due_at = coverage.routine_by(at, practice)
    new = list(found.filter(~Exists(is_open)).select_related("therapist"))
    for client in new:
        with transaction.atomic():
            Client.objects.hold(client.pk)
            owner = client.therapist
            Task.open(client, "quiet", at=at, due_at=due_at, owner=owner, days=practice.quiet_days)
            audit.record("client.quiet", by=None, client=client, at=at)
    back = Task.objects.filter(kind="quiet", done_at=None).exclude(client__in=found.values("pk"))
    heard = list(back.select_related("client"))
    for task in heard:
        with transaction.atomic():
            Client.objects.hold(task.client_id)
            Task.finish(task.client, "quiet", at=at, by=None)
            audit.record("client.heard", by=None, client=task.client, at=at)
    return len(new), len(heard)
