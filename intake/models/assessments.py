from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any, Self

from django.db import models, transaction

from practice import audit
from practice.clinical.instrument import Instrument, load
from practice.clinical.scoring import Score
from practice.models import Client, ClientRecord, User
from practice.sealed import SealedJSON


class Assessment(ClientRecord):
    """One filled-in instrument: its answers sealed, its score and what it led to in clear. Never edited."""

    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="assessments")
    intake = models.ForeignKey("intake.Intake", on_delete=models.PROTECT, null=True, related_name="assessments")
    instrument = models.CharField(max_length=32)
    instrument_version = models.CharField(max_length=16)
    wording_sha256 = models.CharField(max_length=64)
    language = models.CharField(max_length=8, default="en")
    answers = SealedJSON()  # {link_id: value or null}
    total = models.DecimalField(max_digits=6, decimal_places=2, null=True)
    estimated = models.BooleanField(default=False)
    lower_bound = models.DecimalField(max_digits=6, decimal_places=2, null=True)
    band = models.CharField(max_length=24, blank=True, default="")
    level = models.CharField(max_length=24, blank=True, default="")
    flags = models.JSONField(default=list)
    complete = models.BooleanField(default=True)
    safety = models.BooleanField(default=False)  # any suicide item answered above "no"
    details = models.JSONField(default=dict)  # what else the score says: {"mds": true}
    rules = models.JSONField(default=list)  # [{"id", "version"}] that fired when it came in
    taken_at = models.DateTimeField()
    taken_on = models.DateField()  # in the practice's zone: the day on charts
    seconds = models.PositiveIntegerField(null=True)  # from first to last answer
    read_at = models.DateTimeField(null=True, blank=True)
    read_by = models.ForeignKey("practice.User", on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    imported_at = models.DateTimeField(null=True, blank=True)  # when it came over from another system

    class Privacy:
        clinical = [
            "answers",
            "total",
            "estimated",
            "lower_bound",
            "band",
            "level",
            "flags",
            "complete",
            "safety",
            "details",
            "rules",
        ]
        plain = [
            "id",
            "client",
            "intake",
            "instrument",
            "instrument_version",
            "wording_sha256",
            "language",
            "taken_at",
            "taken_on",
            "seconds",
            "read_at",
            "read_by",
            "imported_at",
        ]

    class Meta:
        ordering = ["-taken_at"]
        indexes = [models.Index(fields=["client", "instrument", "taken_at"], name="assessment_series")]
        constraints = [
            models.UniqueConstraint(fields=["intake", "instrument"], name="assessment_once_per_sitting"),
            models.CheckConstraint(
                condition=models.Q(read_at=None, read_by=None) | models.Q(read_at__isnull=False, read_by__isnull=False),
                name="assessment_read_by_somebody",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.instrument} {self.taken_on}"

    @classmethod
    def of(cls, result: Score, answers: dict[str, Any], **more: Any) -> Self:
        """Return an unsaved row of these answers and their score."""
        details = {"mds": result.mds, "ods": result.ods, "provisional": result.provisional}
        row = cls(
            instrument=result.instrument,
            instrument_version=result.version,
            total=None if result.total is None else Decimal(str(result.total)),
            estimated=result.estimated,
            lower_bound=None if result.lower_bound is None else Decimal(result.lower_bound),
            band=result.band or "",
            level=result.level or "",
            flags=list(result.flags),
            complete=result.complete,
            safety=any(value for _, value in result.safety),
            details={name: value for name, value in details.items() if value is not None}
            | ({"clusters": dict(result.clusters)} if result.clusters else {})
            | {"status": result.status, "missing": list(result.missing)},
            **more,
        )
        row.answers = answers
        return row

    @property
    def definition(self) -> Instrument:
        """The instrument in the version that was answered."""
        return load(self.instrument, self.instrument_version)

    @transaction.atomic
    def mark_read(self, *, by: User, at: datetime) -> bool:
        """Note that this person read it. The first reader stays; returns whether that was this one."""
        won = Assessment.objects.filter(pk=self.pk, read_at=None).update(read_at=at, read_by=by)
        self.refresh_from_db(fields=["read_at", "read_by"])
        audit.record("assessment.read", by=by, client=self.client_id, target=self, at=at, first=bool(won))
        return bool(won)
