from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from django.db import models
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from practice.sealed import SealedJSON

if TYPE_CHECKING:
    from django.db.models.fields.related_descriptors import RelatedManager

KEPT = timedelta(days=7)


class ReportFile(models.Model):
    """The rows of a report as a file, too many to be made while somebody waits. For who asked, while they may."""

    class Kind(models.TextChoices):
        CSV = "csv", "CSV"
        XLSX = "xlsx", "Excel"

    class State(models.TextChoices):
        MAKING = "making", _("Being made")
        READY = "ready", _("Ready")
        REFUSED = "refused", _("Stopped")
        GONE = "gone", _("Deleted")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    by = models.ForeignKey("practice.User", on_delete=models.PROTECT, related_name="+")
    report = models.CharField(max_length=20, default="referrals")  # this one, or the code of a counted one
    kind = models.CharField(max_length=4, choices=Kind.choices)
    names = models.BooleanField(default=False)
    query = models.CharField(max_length=600)  # the filters, as in the address: codes and keys of ours
    reach = models.CharField(max_length=64)  # of who asked, digested; made and taken only while it is the same
    asked_at = models.DateTimeField()
    state = models.CharField(max_length=8, choices=State.choices, default=State.MAKING)
    weeks_done = models.PositiveIntegerField(default=0)
    weeks_all = models.PositiveIntegerField()
    rows = models.PositiveIntegerField(default=0)
    ready_at = models.DateTimeField(null=True, blank=True)

    objects: ClassVar[Any] = models.Manager()
    if TYPE_CHECKING:
        parts: RelatedManager[ReportPart]

    class Privacy:
        plain = [
            "id",
            "by",
            "report",
            "kind",
            "names",
            "query",
            "reach",
            "asked_at",
            "state",
            "weeks_done",
            "weeks_all",
            "rows",
            "ready_at",
        ]

    class Meta:
        ordering: ClassVar[list[str]] = ["-asked_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["by", "report", "kind", "names", "query"],
                name="report_making_once",
                condition=models.Q(state="making"),
            )
        ]

    def __str__(self) -> str:
        return f"Report {self.asked_at:%Y-%m-%d}"

    def get_absolute_url(self) -> str:
        return reverse("report_file", args=[self.pk])

    @property
    def percent(self) -> int:
        return 100 * self.weeks_done // self.weeks_all if self.weeks_all else 100

    @property
    def kept_until(self) -> datetime | None:
        return self.ready_at + KEPT if self.ready_at else None


class ReportPart(models.Model):
    """The rows of some weeks, sealed."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    file = models.ForeignKey(ReportFile, on_delete=models.CASCADE, related_name="parts")
    number = models.PositiveIntegerField()
    rows = SealedJSON()

    class Privacy:
        clinical = ["rows"]
        plain = ["id", "file", "number"]

    class Meta:
        ordering: ClassVar[list[str]] = ["number"]
        constraints = [models.UniqueConstraint(fields=["file", "number"], name="report_part_once")]

    def __str__(self) -> str:
        return f"Part {self.number}"
