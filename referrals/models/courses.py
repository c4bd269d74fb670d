from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from practice.models import Client, ClientRecord


class Course(ClientRecord):
    """A course of infusions elsewhere, as the clinic reports it."""

    class State(models.TextChoices):
        UNDER_WAY = "under_way", _("Under way")
        DONE = "done", _("Finished")
        STOPPED = "stopped", _("Stopped early")

    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="courses")
    clinic = models.CharField(max_length=80)
    planned = models.PositiveSmallIntegerField(default=6)  # INFUSION-6 in docs/clinical-sources.md
    state = models.CharField(max_length=12, choices=State.choices, default=State.UNDER_WAY)
    started_on = models.DateField()

    class Privacy:
        clinical = ["clinic", "planned", "state", "started_on"]
        plain = ["id", "client"]

    class Meta:
        ordering = ["-started_on"]

    def __str__(self) -> str:
        return f"{self.clinic} {self.started_on}"


class CourseSession(ClientRecord):
    class State(models.TextChoices):
        PLANNED = "planned", _("Planned")
        DONE = "done", _("Done")
        MISSED = "missed", _("Missed")

    client_path = "course__client"

    course = models.ForeignKey(Course, on_delete=models.CASCADE, related_name="sessions")
    number = models.PositiveSmallIntegerField()
    on = models.DateField()
    state = models.CharField(max_length=8, choices=State.choices, default=State.PLANNED)

    class Privacy:
        clinical = ["number", "on", "state"]
        plain = ["id", "course"]

    class Meta:
        ordering = ["number"]
        constraints = [models.UniqueConstraint(fields=["course", "number"], name="course_session_once")]

    def __str__(self) -> str:
        return f"{self.number} {self.on}"
