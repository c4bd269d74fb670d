from __future__ import annotations

from datetime import date, datetime
from typing import Any, ClassVar
from uuid import uuid4

from django.db import models
from django.db.models import Q

from practice.sealed import SealedBytes, SealedField


class InstrumentPermissionQuerySet(models.QuerySet["InstrumentPermission"]):
    def standing(self) -> InstrumentPermissionQuerySet:
        """The one of each instrument that nobody has ended; it may have run out."""
        return self.filter(ended_at=None)

    def at(self, moment: datetime, day: date) -> InstrumentPermissionQuerySet:
        """Those that held then. `day` is the practice's own day of that moment."""
        return self.filter(
            Q(ended_at=None) | Q(ended_at__gt=moment),
            Q(expires_on=None) | Q(expires_on__gte=day),
            stated_at__lte=moment,
        )


class InstrumentPermission(models.Model):
    """That whoever holds the rights lets this practice use an instrument, and where that is written down."""

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    instrument = models.CharField(max_length=40)
    holder = models.CharField(max_length=120)  # of the rights
    reference = SealedField()  # where the permission is, in words
    granted_on = models.DateField()
    expires_on = models.DateField(null=True, blank=True)  # the last day on which it may be asked
    languages = models.JSONField(default=list, blank=True)  # of validated translations that it covers, besides English
    file = SealedBytes()  # the permission itself, as PDF
    file_sha256 = models.CharField(max_length=64, blank=True, default="")
    stated_at = models.DateTimeField()
    stated_by = models.ForeignKey("practice.User", on_delete=models.PROTECT, related_name="+")
    ended_at = models.DateTimeField(null=True, blank=True)  # taken back, or another took its place
    ended_by = models.ForeignKey("practice.User", on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    ended_words = SealedField()

    objects: ClassVar[Any] = InstrumentPermissionQuerySet.as_manager()

    class Privacy:
        plain = [
            "id",
            "instrument",
            "holder",
            "reference",
            "granted_on",
            "expires_on",
            "languages",
            "file",
            "file_sha256",
            "stated_at",
            "stated_by",
            "ended_at",
            "ended_by",
            "ended_words",
        ]

    class Meta:
        ordering: ClassVar[list[str]] = ["-stated_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["instrument"], name="instrument_permission_one_stands", condition=Q(ended_at=None)
            ),
            models.CheckConstraint(
                condition=Q(ended_at=None, ended_by=None) | Q(ended_at__isnull=False, ended_by__isnull=False),
                name="instrument_permission_ended_by_somebody",
            ),
            models.CheckConstraint(
                condition=Q(expires_on=None) | Q(expires_on__gte=models.F("granted_on")),
                name="instrument_permission_ends_after_it_begins",
            ),
        ]

    def __str__(self) -> str:
        return f"Permission for {self.instrument}, {self.granted_on}"

    def has_run_out(self, today: date) -> bool:
        return self.expires_on is not None and self.expires_on < today


class InstrumentDraft(models.Model):
    """The wording of an instrument as it stands in the form, before it is published. One of each instrument."""

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    instrument = models.CharField(max_length=40, unique=True)
    wordings = models.JSONField(default=dict, blank=True)  # {"en": practice.clinical.brought.Wording, "es": ...}
    saved_at = models.DateTimeField()
    saved_by = models.ForeignKey("practice.User", on_delete=models.PROTECT, related_name="+")
    version = models.PositiveIntegerField(default=1)

    class Privacy:
        plain = ["id", "instrument", "wordings", "saved_at", "saved_by", "version"]

    def __str__(self) -> str:
        return f"Draft of {self.instrument}"


class InstrumentVersion(models.Model):
    """A published wording with the facts that score it: frozen. A correction is the next number."""

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    instrument = models.CharField(max_length=40)
    number = models.PositiveIntegerField()
    wordings = models.JSONField()
    definition = models.JSONField()  # as practice.clinical.instrument.build takes it
    sha256 = models.CharField(max_length=64)  # of the definition
    permission = models.ForeignKey(InstrumentPermission, on_delete=models.PROTECT, related_name="versions")
    reason = SealedField()
    published_at = models.DateTimeField()
    published_by = models.ForeignKey("practice.User", on_delete=models.PROTECT, related_name="+")

    class Privacy:
        plain = [
            "id",
            "instrument",
            "number",
            "wordings",
            "definition",
            "sha256",
            "permission",
            "reason",
            "published_at",
            "published_by",
        ]

    class Meta:
        ordering: ClassVar[list[str]] = ["instrument", "-number"]
        constraints = [
            models.UniqueConstraint(fields=["instrument", "number"], name="instrument_version_once"),
        ]

    def __str__(self) -> str:
        return f"{self.instrument} {self.number}"
