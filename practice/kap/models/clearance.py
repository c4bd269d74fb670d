from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from typing import Any, ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from practice.models import Client, ClientRecord
from practice.sealed import SealedField, link_token

REQUEST_LIFE = timedelta(days=14)


class Written(ClientRecord):
    """A row that is written once and never changed."""

    class Meta:
        abstract = True

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            raise ValueError(f"A {self._meta.verbose_name} is not edited; write a new one.")
        super().save(*args, **kwargs)


class Route(models.TextChoices):
    SUBLINGUAL = "sublingual", _("Under the tongue (troche)")
    ORAL = "oral", _("Swallowed")
    NASAL = "nasal", _("Nasal")
    IM = "im", _("Into a muscle")


class DoseClearance(Written):
    """A prescriber clears so many doses until a date: the ledger's income. Immutable; taken back by a withdrawal."""

    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="dose_clearances")
    doses = models.PositiveSmallIntegerField()
    until = models.DateField()
    every_days = models.PositiveSmallIntegerField(null=True, blank=True)  # at most one dose in so many days
    most_mg = models.DecimalField(max_digits=7, decimal_places=2)  # of one dose, as labelled
    route = models.CharField(max_length=12, choices=Route.choices)
    words = SealedField()
    by = models.ForeignKey("practice.User", on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    by_request = models.ForeignKey(
        "kap.ClearanceRequest", on_delete=models.PROTECT, null=True, blank=True, related_name="clearances"
    )  # when the prescriber has no account
    at = models.DateTimeField()

    class Privacy:
        clinical = ["doses", "until", "every_days", "most_mg", "route", "words"]
        plain = ["id", "client", "by", "by_request", "at"]

    class Meta:
        ordering: ClassVar[list[str]] = ["at"]
        constraints = [
            models.CheckConstraint(
                condition=Q(by__isnull=False) | Q(by_request__isnull=False), name="dose_clearance_by_somebody"
            ),
            models.CheckConstraint(condition=Q(doses__gte=1) & Q(most_mg__gt=0), name="dose_clearance_of_something"),
        ]

    def __str__(self) -> str:
        return f"{self.doses} until {self.until}"


class Withdrawal(Written):
    client_path = "clearance__client"

    clearance = models.OneToOneField(DoseClearance, on_delete=models.PROTECT, related_name="withdrawal")
    words = SealedField()
    by = models.ForeignKey("practice.User", on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    by_request = models.ForeignKey(
        "kap.ClearanceRequest", on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    at = models.DateTimeField()

    class Privacy:
        clinical = ["words"]
        plain = ["id", "clearance", "by", "by_request", "at"]

    def __str__(self) -> str:
        return f"Withdrawn {self.at:%Y-%m-%d}"


class DoseUse(Written):
    """That a dose of a clearance was used: by which session. One each, whatever is pressed twice."""

    client_path = "clearance__client"

    clearance = models.ForeignKey(DoseClearance, on_delete=models.PROTECT, related_name="uses")
    session = models.OneToOneField("kap.Session", on_delete=models.PROTECT, related_name="use")
    at = models.DateTimeField()

    class Privacy:
        plain = ["id", "clearance", "session", "at"]

    def __str__(self) -> str:
        return f"Used {self.at:%Y-%m-%d}"


class Override(Written):
    """A prescriber's recorded reason that lifts a frequency limit or the booster's window for one plan (H5)."""

    client_path = "plan__client"

    plan = models.ForeignKey("kap.Plan", on_delete=models.CASCADE, related_name="overrides")
    codes = models.JSONField(default=list)  # of practice.clinical.planning
    words = SealedField()
    by = models.ForeignKey("practice.User", on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    by_request = models.ForeignKey(
        "kap.ClearanceRequest", on_delete=models.PROTECT, null=True, blank=True, related_name="overrides"
    )
    at = models.DateTimeField()

    class Privacy:
        clinical = ["codes", "words"]
        plain = ["id", "plan", "by", "by_request", "at"]

    def __str__(self) -> str:
        return f"Override {self.at:%Y-%m-%d}"


class OutsidePrescriber(models.Model):
    """A prescriber without an account, who answers by a link: the practice's directory of them."""

    id = models.BigAutoField(primary_key=True)
    name = models.CharField(_("name"), max_length=80)
    licence = models.CharField(_("licence"), max_length=80, blank=True, default="")
    email = models.EmailField(_("e-mail"), unique=True)
    phone = models.CharField(_("phone"), max_length=32, blank=True, default="")
    is_active = models.BooleanField(default=True)
    is_demo = models.BooleanField(default=False)

    objects: ClassVar[Any] = models.Manager()

    class Privacy:
        plain = ["id", "name", "licence", "email", "phone", "is_active", "is_demo"]

    class Meta:
        ordering: ClassVar[list[str]] = ["name"]

    def __str__(self) -> str:
        return self.name


class ClearanceRequest(ClientRecord):
    """A question to a prescriber without an account: clear doses for this client. Answered by a link and a code."""

    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="clearance_requests")
    to = models.ForeignKey(OutsidePrescriber, on_delete=models.PROTECT, related_name="requests")
    plan = models.ForeignKey("kap.Plan", on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    words = SealedField()
    answer = SealedField()  # the prescriber's words when they clear none
    asked_by = models.ForeignKey("practice.User", on_delete=models.PROTECT, related_name="+")
    asked_at = models.DateTimeField()
    answered_at = models.DateTimeField(null=True, blank=True)
    taken_back_at = models.DateTimeField(null=True, blank=True)
    generation = models.PositiveSmallIntegerField(default=1)
    token_digest = models.CharField(max_length=64, unique=True)
    expires_at = models.DateTimeField()
    code_digest = models.CharField(max_length=64, blank=True, default="")
    code_expires_at = models.DateTimeField(null=True, blank=True)
    tries = models.PositiveSmallIntegerField(default=0)
    locked_until = models.DateTimeField(null=True, blank=True)

    audit_kind = "outside"  # how the audit trail calls who acts by it

    class Privacy:
        clinical = ["words", "answer"]
        plain = [
            "id",
            "client",
            "to",
            "plan",
            "asked_by",
            "asked_at",
            "answered_at",
            "taken_back_at",
            "generation",
            "token_digest",
            "expires_at",
            "code_digest",
            "code_expires_at",
            "tries",
            "locked_until",
        ]

    class Meta:
        ordering: ClassVar[list[str]] = ["-asked_at"]

    def __str__(self) -> str:
        return f"Request {self.asked_at:%Y-%m-%d}"

    @property
    def token(self) -> str:
        return link_token("clearance", self.pk, self.generation)

    def renew(self, at: datetime) -> None:
        """Make the link new and good for its full life. Does not save."""
        self.generation += 1
        self.token_digest = hashlib.sha256(self.token.encode()).hexdigest()
        self.expires_at = at + REQUEST_LIFE
