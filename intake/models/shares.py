from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import F, Q

from practice.models import Client, ClientRecord
from practice.sealed import SealedField


class SharedScores(ClientRecord):
    """That a clinician lets the client see one measure over some days, with a line in the clinician's own words (K4).

    The days are fixed when it is shared: what comes in later is shown only when it is shared again.
    """

    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="shared_scores")
    instrument = models.CharField(max_length=32)
    first_on = models.DateField()
    last_on = models.DateField()
    words = SealedField()
    shared_at = models.DateTimeField()
    shared_by = models.ForeignKey("practice.User", on_delete=models.PROTECT, related_name="+")
    ended_at = models.DateTimeField(null=True, blank=True)
    ended_by = models.ForeignKey("practice.User", on_delete=models.PROTECT, null=True, blank=True, related_name="+")

    class Privacy:
        clinical = ["instrument", "words"]
        plain = ["id", "client", "first_on", "last_on", "shared_at", "shared_by", "ended_at", "ended_by"]

    class Meta:
        ordering: ClassVar[list[str]] = ["-shared_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["client", "instrument"], name="shared_scores_once", condition=Q(ended_at=None)
            ),
            models.CheckConstraint(condition=Q(first_on__lte=F("last_on")), name="shared_scores_days"),
            models.CheckConstraint(
                condition=Q(ended_at=None, ended_by=None) | Q(ended_at__isnull=False, ended_by__isnull=False),
                name="shared_scores_ended_by_somebody",
            ),
        ]

    def __str__(self) -> str:
        return f"Shared {self.shared_at:%Y-%m-%d}"
