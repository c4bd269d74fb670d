from __future__ import annotations

from typing import Any

from django.db import models
from django.db.models import Q

from practice.models import Client, ClientRecord
from practice.sealed import SealedBytes


class MedicinePage(ClientRecord):
    """A page of a medication list that the client sent: a photo made anew, or a PDF. Its bytes are never changed."""

    client = models.ForeignKey(Client, on_delete=models.CASCADE, related_name="medicine_pages")
    body = SealedBytes()
    kind = models.CharField(max_length=80)
    size = models.PositiveIntegerField()
    sha256 = models.CharField(max_length=64)
    at = models.DateTimeField()
    typed_at = models.DateTimeField(null=True, blank=True)  # when somebody had typed its medicines into the record
    typed_by = models.ForeignKey("practice.User", on_delete=models.PROTECT, null=True, blank=True, related_name="+")

    class Privacy:
        clinical = ["body"]
        plain = ["id", "client", "kind", "size", "sha256", "at", "typed_at", "typed_by"]

    class Meta:
        ordering = ["at", "id"]
        indexes = [models.Index(fields=["client", "at"], name="medicine_pages")]
        constraints = [
            models.CheckConstraint(
                condition=Q(typed_at=None, typed_by=None) | Q(typed_at__isnull=False, typed_by__isnull=False),
                name="medicine_page_typed_by_somebody",
            )
        ]

    def __str__(self) -> str:
        return f"Page of a medication list {self.at:%Y-%m-%d}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            raise TypeError("A page of a medication list is not changed after it came.")
        super().save(*args, **kwargs)
