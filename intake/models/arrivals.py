from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any, ClassVar

from dateutil.relativedelta import relativedelta
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from practice.models import Client, ClientRecord
from practice.sealed import SealedField, blind


class Arrival(ClientRecord):
    """Somebody who begins the forms by themselves, from the public page: who they say they are, and the code they got.

    Without a client until the code was typed; then it is part of that client's record.
    """

    class Channel(models.TextChoices):
        SMS = "sms", _("Text message")
        EMAIL = "email", _("E-mail")

    client = models.ForeignKey(Client, on_delete=models.CASCADE, related_name="arrivals", null=True, blank=True)
    at = models.DateTimeField()
    language = models.CharField(max_length=8, default="en")
    name = SealedField()
    birth_date = SealedField()  # ISO date
    channel = models.CharField(max_length=5, choices=Channel.choices)
    address = SealedField()  # the phone or mailbox that nobody else reads
    address_index = models.CharField(max_length=32, default="", db_index=True)
    origin_index = models.CharField(max_length=32, default="")  # keyed digest of the address it came from
    code_digest = models.CharField(max_length=64, blank=True, default="")
    code_sent_at = models.DateTimeField(null=True, blank=True)
    code_expires_at = models.DateTimeField(null=True, blank=True)
    tries = models.PositiveSmallIntegerField(default=0)
    confirmed_at = models.DateTimeField(null=True, blank=True)
    same_as = models.ForeignKey(Client, on_delete=models.SET_NULL, related_name="+", null=True, blank=True)

    if TYPE_CHECKING:
        client_id: Any
    objects: ClassVar[Any]

    class Privacy:
        identifying = ["name", "birth_date", "address", "address_index", "origin_index"]
        plain = [
            "id",
            "client",
            "at",
            "language",
            "channel",
            "code_digest",
            "code_sent_at",
            "code_expires_at",
            "tries",
            "confirmed_at",
            "same_as",
        ]

    class Meta:
        indexes = [models.Index(fields=["at", "origin_index"], name="arrival_origin")]
        constraints = [
            models.CheckConstraint(
                condition=Q(client=None, confirmed_at=None) | Q(client__isnull=False, confirmed_at__isnull=False),
                name="arrival_of_a_client_when_confirmed",
            )
        ]

    def __str__(self) -> str:
        return str(self.Channel(self.channel).label)

    def age(self, today: date) -> int:
        """Whole years, by what they wrote."""
        return relativedelta(today, date.fromisoformat(self.birth_date)).years

    def set_address(self, channel: str, address: str) -> None:
        """Set where the code goes, with its index as a client's own. Does not save."""
        self.channel, self.address = channel, address
        self.address_index = blind("email" if channel == self.Channel.EMAIL else "phone", address)
