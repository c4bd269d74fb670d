from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from practice.models import Client, ClientRecord


class Measure(ClientRecord):
    """A packet that is to be sent to a client at a time, and why: measures follow the treatment (C4).

    A repeating one (`every_days`) plans its next when it is sent. `watched`: a flag is raised when it does not come
    back within a day, or comes back worse (actions.measures).
    """

    class Why(models.TextChoices):
        INTERIM = "interim", _("Between decision and first treatment")
        AFTER_SESSION = "after_session", _("After a session elsewhere")
        AFTER_COURSE = "after_course", _("After the course")
        RECHECK = "recheck", _("Recheck after a decision")
        AFTER_DOSE = "after_dose", _("After a dose here")
        PLAN = "plan", _("By the plan")
        SCHEDULE = "schedule", _("Set by hand")
        JOINED = "joined", _("By your own table of what goes out by itself")

    client = models.ForeignKey(Client, on_delete=models.CASCADE, related_name="measures")
    packet = models.CharField(max_length=40)
    only = models.JSONField(default=list, blank=True)  # slugs, when just these pages of the packet are asked
    why = models.CharField(max_length=16, choices=Why.choices)
    subject_id = models.UUIDField(null=True, blank=True)  # the decision, course or plan it follows
    due_at = models.DateTimeField()
    every_days = models.PositiveSmallIntegerField(null=True, blank=True)
    watched = models.BooleanField(default=False)
    planned_at = models.DateTimeField()
    invitation = models.OneToOneField(
        "intake.Invitation", on_delete=models.SET_NULL, null=True, blank=True, related_name="measure"
    )
    sent_at = models.DateTimeField(null=True, blank=True)
    missed_at = models.DateTimeField(null=True, blank=True)  # a flag was raised because it did not come back
    stopped_at = models.DateTimeField(null=True, blank=True)

    class Privacy:
        clinical = ["packet", "only", "why"]
        plain = [
            "id",
            "client",
            "subject_id",
            "due_at",
            "every_days",
            "watched",
            "planned_at",
            "invitation",
            "sent_at",
            "missed_at",
            "stopped_at",
        ]

    class Meta:
        ordering = ["due_at"]
        indexes = [models.Index(fields=["due_at"], name="measure_due", condition=Q(sent_at=None, stopped_at=None))]

    def __str__(self) -> str:
        return f"{self.packet} {self.due_at:%Y-%m-%d}"
