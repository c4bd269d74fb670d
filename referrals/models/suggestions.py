from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from practice.models import Client, ClientRecord
from practice.sealed import SealedField, SealedJSON


class Suggestion(ClientRecord):
    """A review card: what the decision table says of what is known. For a clinician to weigh, never for the client.

    A newer card supersedes an open one; a reviewed card keeps its reviewer's line of reasoning for good.
    """

    class State(models.TextChoices):
        OPEN = "open", _("To review")
        REVIEWED = "reviewed", _("Reviewed")
        SUPERSEDED = "superseded", _("Replaced by a newer card")

    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="suggestions")
    intake_id = models.UUIDField(null=True)
    state = models.CharField(max_length=12, choices=State.choices, default=State.OPEN)
    suggested = models.CharField(max_length=32)
    status = models.CharField(max_length=8)  # discuss, hold, n/a
    severity = models.CharField(max_length=8)
    rules = models.JSONField(default=list)  # [{"id", "version"}] that fired
    rules_version = models.CharField(max_length=64)
    overrides = models.JSONField(default=dict)  # the practice's own thresholds at that time
    picture = SealedJSON()  # the inputs as they were
    opened_at = models.DateTimeField()
    decide_by = models.DateTimeField()
    reviewed_at = models.DateTimeField(null=True, blank=True)
    reviewed_by = models.ForeignKey("practice.User", on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    reasoning = SealedField()

    class Privacy:
        clinical = ["suggested", "status", "severity", "rules", "overrides", "picture", "reasoning"]
        plain = [
            "id",
            "client",
            "intake_id",
            "state",
            "rules_version",
            "opened_at",
            "decide_by",
            "reviewed_at",
            "reviewed_by",
        ]

    class Meta:
        ordering = ["-opened_at"]
        indexes = [models.Index(fields=["opened_at"], name="suggestion_opened")]
        constraints = [
            models.UniqueConstraint(fields=["client"], name="suggestion_open_once", condition=models.Q(state="open")),
            models.CheckConstraint(
                condition=models.Q(reviewed_at=None, reviewed_by=None)
                | models.Q(reviewed_at__isnull=False, reviewed_by__isnull=False),
                name="suggestion_reviewed_by_somebody",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.suggested} {self.state}"
