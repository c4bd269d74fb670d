"""Care that we give: plans of ketamine-assisted psychotherapy and their sessions."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from practice.models import Client, ClientRecord


class Plan(ClientRecord):
    class Shape(models.TextChoices):
        WEEKLY = "weekly", _("Weekly")
        INTENSIVE = "intensive", _("Intensive")
        BOOSTER = "booster", _("Booster")

    class State(models.TextChoices):
        UNDER_WAY = "under_way", _("Under way")
        DONE = "done", _("Done")
        STOPPED = "stopped", _("Stopped")

    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="plans")
    shape = models.CharField(max_length=12, choices=Shape.choices)
    state = models.CharField(max_length=12, choices=State.choices, default=State.UNDER_WAY)
    planned = models.PositiveSmallIntegerField(default=1)
    started_on = models.DateField()
    due_on = models.DateField(null=True, blank=True)  # of a booster

    class Privacy:
        clinical = ["shape", "state", "planned", "started_on", "due_on"]
        plain = ["id", "client"]

    class Meta:
        ordering = ["started_on"]

    def __str__(self) -> str:
        return f"{self.get_shape_display()} {self.started_on}"


class Session(ClientRecord):
    class Kind(models.TextChoices):
        PREPARATION = "preparation", _("Preparation")
        DOSING = "dosing", _("Dosing")
        INTEGRATION = "integration", _("Integration")

    class State(models.TextChoices):
        PLANNED = "planned", _("Planned")
        DONE = "done", _("Done")
        MISSED = "missed", _("Missed")

    client_path = "plan__client"

    plan = models.ForeignKey(Plan, on_delete=models.CASCADE, related_name="sessions")
    kind = models.CharField(max_length=12, choices=Kind.choices)
    number = models.PositiveSmallIntegerField()
    starts_at = models.DateTimeField()
    state = models.CharField(max_length=8, choices=State.choices, default=State.PLANNED)

    class Privacy:
        clinical = ["kind", "number", "state"]
        plain = ["id", "plan", "starts_at"]

    class Meta:
        ordering = ["starts_at"]
        constraints = [models.UniqueConstraint(fields=["plan", "kind", "number"], name="kap_session_once")]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.number}"
