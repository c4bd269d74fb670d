from __future__ import annotations

from typing import Any, ClassVar

from django.db import models

from practice.models import Client, ClientRecord
from practice.models.clients import RecordQuerySet
from practice.sealed import SealedJSON


class FactQuerySet(RecordQuerySet):
    def standing(self) -> dict[str, ClinicianFact]:
        """The word that counts for each input: of the newest day, and of one day the last. A blank takes back."""
        found: dict[str, ClinicianFact] = {}
        for row in self.select_related("by").order_by("at"):
            if row.value is None:
                found.pop(row.input, None)
            elif row.input not in found or found[row.input].on <= row.on:
                found[row.input] = row
        return found


class ClinicianFact(ClientRecord):
    """What a clinician knows of a client, as one input of the decision table. Never edited: the newest word counts.

    A blank value says "not known": it takes back what clinicians said of this input before it.
    """

    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="clinician_facts")
    input = models.CharField(max_length=40)
    value = SealedJSON()
    on = models.DateField()  # the day on which it was so
    by = models.ForeignKey("practice.User", on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField()

    objects: ClassVar[Any] = FactQuerySet.as_manager()

    class Privacy:
        clinical = ["input", "value"]
        plain = ["id", "client", "on", "by", "at"]

    class Meta:
        ordering = ["-at"]
        indexes = [models.Index(fields=["client", "at"], name="clinician_fact_client")]

    def __str__(self) -> str:
        return f"Fact {self.at:%Y-%m-%d}"
