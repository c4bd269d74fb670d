from __future__ import annotations

import uuid

from django.db import models
from django.utils.translation import gettext_lazy as _

from practice.sealed import SealedBytes


class ClientImport(models.Model):
    """A file of clients: kept sealed while somebody looks at what would become of each row, emptied when it is done."""

    class State(models.TextChoices):
        WAITING = "waiting", _("Waits for your word")
        TAKING = "taking", _("Being taken in")
        DONE = "done", _("Taken in")
        STOPPED = "stopped", _("Stopped: whoever began it may not import any more")
        DISCARDED = "discarded", _("Thrown away")

    OPEN = (State.WAITING, State.TAKING)

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    by = models.ForeignKey("practice.User", on_delete=models.PROTECT, null=True, related_name="+")
    at = models.DateTimeField()
    state = models.CharField(max_length=10, choices=State.choices, default=State.WAITING)
    body = SealedBytes()
    encoding = models.CharField(max_length=8, blank=True, default="")
    columns = models.JSONField(default=dict)  # what a column holds (practice.importing.FIELDS) -> its place in the file
    dates = models.CharField(max_length=3, default="iso")
    therapist = models.ForeignKey("practice.User", on_delete=models.PROTECT, null=True, related_name="+")
    site = models.ForeignKey("practice.Site", on_delete=models.PROTECT, null=True, related_name="+")
    separate = models.JSONField(default=list)  # rows of which a person said: somebody else, take them in
    rows = models.PositiveIntegerField(default=0)
    taken_to = models.PositiveIntegerField(default=0)  # so many rows are dealt with
    outcomes = models.JSONField(default=list)  # [[row, fate, why], ...] in codes
    done_at = models.DateTimeField(null=True, blank=True)

    class Privacy:
        identifying = ["body"]
        plain = [
            "id",
            "by",
            "at",
            "state",
            "encoding",
            "columns",
            "dates",
            "therapist",
            "site",
            "separate",
            "rows",
            "taken_to",
            "outcomes",
            "done_at",
        ]

    class Meta:
        ordering = ["-at"]

    def __str__(self) -> str:
        return f"{self.rows} {self.state}"
