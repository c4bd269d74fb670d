from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar, Self

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from practice.models import Client, ClientRecord
from practice.models.clients import RecordQuerySet
from practice.sealed import SealedField


class Schedule(ClientRecord):
    """A form that goes to a client again and again, or once on a day, because somebody on staff set it so (C3).

    Its sendings are Measures whose subject it is. `days`: from one to the next, or before or after a session.
    """

    class Rhythm(models.TextChoices):
        EVERY = "every", _("Every so many days")
        BEFORE = "before", _("Before each session")
        AFTER = "after", _("After each session")
        ONCE = "once", _("Once, on a day")

    SESSIONS = (Rhythm.BEFORE, Rhythm.AFTER)

    client = models.ForeignKey(Client, on_delete=models.CASCADE, related_name="schedules")
    packet = models.CharField(max_length=40)
    only = models.JSONField(default=list, blank=True)  # slugs, when just these pages of the packet are asked
    rhythm = models.CharField(max_length=6, choices=Rhythm.choices)
    days = models.PositiveSmallIntegerField(null=True, blank=True)
    first_on = models.DateField(null=True, blank=True)
    made_at = models.DateTimeField()
    made_by = models.ForeignKey("practice.User", on_delete=models.PROTECT, related_name="+")
    ended_at = models.DateTimeField(null=True, blank=True)
    ended_by = models.ForeignKey("practice.User", on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    version = models.PositiveIntegerField(default=1)

    class Privacy:
        clinical = ["packet", "only", "rhythm", "days", "first_on"]
        plain = ["id", "client", "made_at", "made_by", "ended_at", "ended_by", "version"]

    class Meta:
        ordering = ["made_at"]
        constraints = [
            models.CheckConstraint(
                condition=Q(rhythm="once", days=None, first_on__isnull=False)
                | Q(rhythm="every", days__gte=1, first_on__isnull=False)
                | Q(rhythm__in=["before", "after"], days__gte=1, first_on=None),
                name="schedule_says_when",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.packet} {self.rhythm}"


class PauseQuerySet(RecordQuerySet):
    def running(self, at: datetime) -> Self:
        return self.filter(Q(until=None) | Q(until__gt=at), ended_at=None, at__lte=at)


class Pause(ClientRecord):
    """The client asked that check-ins wait, until a moment or until they say so (C5). It ends by itself, or by either.

    `checks_too`: also the short check-ins that are watched; who follows them was told at once.
    """

    client = models.ForeignKey(Client, on_delete=models.CASCADE, related_name="pauses")
    at = models.DateTimeField()
    until = models.DateTimeField(null=True, blank=True)
    checks_too = models.BooleanField(default=False)
    words = SealedField()  # their own reason, if they gave one
    ended_at = models.DateTimeField(null=True, blank=True)
    ended_by = models.ForeignKey("practice.User", on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    """None: the client, or its time was over."""

    objects: ClassVar[Any] = PauseQuerySet.as_manager()

    class Privacy:
        clinical = ["words", "checks_too"]
        plain = ["id", "client", "at", "until", "ended_at", "ended_by"]

    class Meta:
        ordering = ["-at"]
        constraints = [models.UniqueConstraint(fields=["client"], name="pause_once", condition=Q(ended_at=None))]

    def __str__(self) -> str:
        return f"Pause {self.at:%Y-%m-%d}"
