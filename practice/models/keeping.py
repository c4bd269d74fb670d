from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

from django.db import models
from django.db.models import Max, Q
from django.utils.translation import gettext_lazy as _

from practice.models.clients import Client, ClientRecord
from practice.sealed import SealedField


class LegalHold(ClientRecord):
    """While it stands, nothing of this client is deleted: a court, a board or a complaint may ask for it."""

    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="holds")
    placed_at = models.DateTimeField()
    placed_by = models.ForeignKey("practice.User", on_delete=models.PROTECT, related_name="+")
    words = SealedField()
    lifted_at = models.DateTimeField(null=True, blank=True)
    lifted_by = models.ForeignKey("practice.User", on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    lifted_words = SealedField()

    class Privacy:
        clinical = ["words", "lifted_words"]
        plain = ["id", "client", "placed_at", "placed_by", "lifted_at", "lifted_by"]

    class Meta:
        ordering: ClassVar[list[str]] = ["-placed_at"]
        constraints = [
            models.UniqueConstraint(fields=["client"], name="legal_hold_one_stands", condition=Q(lifted_at=None)),
            models.CheckConstraint(
                condition=Q(lifted_at=None, lifted_by=None) | Q(lifted_at__isnull=False, lifted_by__isnull=False),
                name="legal_hold_lifted_by_somebody",
            ),
        ]

    def __str__(self) -> str:
        return f"Hold {self.placed_at:%Y-%m-%d}"


class ErasureRequest(ClientRecord):
    """A client asked that their record be deleted. Granted, the row goes with the record; the ledger stays."""

    class State(models.TextChoices):
        ASKED = "asked", _("Asked for")
        RESTRICTED = "restricted", _("Must be kept; hidden from everyone but admins")
        WITHDRAWN = "withdrawn", _("Taken back by the client")

    OPEN = (State.ASKED, State.RESTRICTED)

    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="erasure_requests")
    asked_at = models.DateTimeField()
    asked_by = models.ForeignKey("practice.User", on_delete=models.PROTECT, related_name="+")  # who noted it
    words = SealedField()
    state = models.CharField(max_length=10, choices=State.choices, default=State.ASKED)
    status_before = models.CharField(max_length=12, choices=Client.Status.choices, blank=True, default="")
    restricted_at = models.DateTimeField(null=True, blank=True)
    restricted_by = models.ForeignKey(
        "practice.User", on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    told = SealedField()  # what the client was told, and how
    closed_at = models.DateTimeField(null=True, blank=True)
    closed_by = models.ForeignKey("practice.User", on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    closing_words = SealedField()

    class Privacy:
        clinical = ["words", "told", "closing_words"]
        plain = [
            "id",
            "client",
            "asked_at",
            "asked_by",
            "state",
            "status_before",
            "restricted_at",
            "restricted_by",
            "closed_at",
            "closed_by",
        ]

    class Meta:
        ordering: ClassVar[list[str]] = ["asked_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["client"], name="erasure_request_open_once", condition=Q(state__in=["asked", "restricted"])
            ),
            models.CheckConstraint(
                condition=~Q(state="restricted") | Q(restricted_at__isnull=False, restricted_by__isnull=False),
                name="erasure_request_restricted_by_somebody",
            ),
            models.CheckConstraint(
                condition=~Q(state="withdrawn") | Q(closed_at__isnull=False, closed_by__isnull=False),
                name="erasure_request_closed_by_somebody",
            ),
        ]

    def __str__(self) -> str:
        return f"Request of erasure {self.asked_at:%Y-%m-%d}"


class Erased(models.Model):
    """The ledger of what was deleted for good: an id, never a name. The journal (practice/erasure.py) is its copy."""

    class What(models.TextChoices):
        CLIENT = "client", _("A client's record")
        LEAD = "lead", _("Somebody who never became a client")
        DRAFT = "draft", _("Answers that were never sent")

    class Why(models.TextChoices):
        REQUEST = "request", _("The client asked for it")
        AGE = "age", _("Its time of keeping was over")
        JOURNAL = "journal", _("Deleted before; an older backup brought it back")

    what = models.CharField(max_length=6, choices=What.choices)
    ref = models.UUIDField()
    why = models.CharField(max_length=7, choices=Why.choices)
    at = models.DateTimeField()
    by = models.ForeignKey("practice.User", on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    rows = models.PositiveIntegerField()

    class Privacy:
        plain = ["id", "what", "ref", "why", "at", "by", "rows"]

    class Meta:
        ordering: ClassVar[list[str]] = ["-at", "-id"]
        constraints = [models.UniqueConstraint(fields=["what", "ref"], name="erased_once")]

    def __str__(self) -> str:
        return f"{self.what} {self.ref}"


class Backup(models.Model):
    """That a backup was made, or that restoring one was tried, and how long it took."""

    class Kind(models.TextChoices):
        MADE = "made", _("Backup made")
        TRIED = "tried", _("Restore tried")

    kind = models.CharField(max_length=5, choices=Kind.choices)
    at = models.DateTimeField()
    name = models.CharField(max_length=80)
    size = models.PositiveBigIntegerField(default=0)
    rows = models.PositiveBigIntegerField(default=0)
    seconds = models.PositiveIntegerField(default=0)
    is_good = models.BooleanField(default=True)

    class Privacy:
        plain = ["id", "kind", "at", "name", "size", "rows", "seconds", "is_good"]

    class Meta:
        ordering: ClassVar[list[str]] = ["-at", "-id"]

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"

    @classmethod
    def latest(cls) -> dict[str, datetime | None]:
        """When the last good backup was made, and when restoring one last worked: one query."""
        return cls.objects.filter(is_good=True).aggregate(
            made=Max("at", filter=Q(kind=cls.Kind.MADE)), tried=Max("at", filter=Q(kind=cls.Kind.TRIED))
        )

    objects: ClassVar[Any] = models.Manager()
