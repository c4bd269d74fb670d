from __future__ import annotations

import uuid
from collections.abc import Iterable
from datetime import datetime
from typing import Any, ClassVar, Self

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from practice.sealed import blind

PURPOSE = {"sms": "phone", "email": "email"}  # which keyed index a way of reaching somebody has


class StopQuerySet(models.QuerySet["Stop"]):
    def running(self) -> Self:
        return self.filter(ended_at=None)

    def of(self, channel: str, address: str) -> Self:
        return self.running().filter(channel=channel, address_index=blind(PURPOSE[channel], address))


class Stop(models.Model):
    """An address that asked us to stop: a number that answered STOP, a mailbox that unsubscribed.

    It belongs to the number, not to a client: two clients may share one, and it holds for whoever gets the number next.
    The address itself is not here, only its keyed index.
    """

    class Channel(models.TextChoices):
        SMS = "sms", _("Text message")
        EMAIL = "email", _("E-mail")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    channel = models.CharField(max_length=5, choices=Channel.choices)
    address_index = models.CharField(max_length=32)
    at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)  # they asked us to start again

    objects: ClassVar[Any] = StopQuerySet.as_manager()

    class Privacy:
        identifying = ["address_index"]
        plain = ["id", "channel", "at", "ended_at"]

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["channel", "address_index"], name="stop_once", condition=Q(ended_at=None))
        ]

    def __str__(self) -> str:
        return f"{self.channel} {self.at:%Y-%m-%d}"

    @classmethod
    def moments(cls, indexes: Iterable[str]) -> dict[str, datetime]:
        """Since when each way is stopped, of somebody with these indexes of phone and e-mail."""
        found = cls.objects.running().filter(address_index__in=[each for each in indexes if each])
        return dict(found.values_list("channel", "at"))
