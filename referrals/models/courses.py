from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from practice.models import Client, ClientRecord
from practice.sealed import SealedField


class Course(ClientRecord):
    """A course of infusions elsewhere, as the clinic reports it."""

    class State(models.TextChoices):
        UNDER_WAY = "under_way", _("Under way")
        DONE = "done", _("Finished")
        STOPPED = "stopped", _("Stopped early")

    NAME = "Infusions"  # as the client's plan, where the filter of the caseload looks for it
    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="courses")
    referral = models.OneToOneField(
        "referrals.Referral", on_delete=models.PROTECT, null=True, blank=True, related_name="course"
    )
    clinic = models.CharField(max_length=80)
    planned = models.PositiveSmallIntegerField(default=6)  # INFUSION-6 in docs/clinical-sources.md
    state = models.CharField(max_length=12, choices=State.choices, default=State.UNDER_WAY)
    started_on = models.DateField()
    stopped_words = SealedField()  # why it ended early
    helped = models.CharField(max_length=8, blank=True, default="")  # the client's own answer, after the last

    class Privacy:
        clinical = ["clinic", "planned", "state", "started_on", "stopped_words", "helped"]
        plain = ["id", "client", "referral"]

    class Meta:
        ordering = ["-started_on"]

    def __str__(self) -> str:
        return f"{self.clinic} {self.started_on}"


class CourseSession(ClientRecord):
    class State(models.TextChoices):
        PLANNED = "planned", _("Planned")
        DONE = "done", _("Done")
        MISSED = "missed", _("Missed")

    class Route(models.TextChoices):
        """As the clinic reports it."""

        IV = "iv", _("IV drip")
        IM = "im", _("Injection into a muscle")
        OTHER = "other", _("Another way")

    client_path = "course__client"

    course = models.ForeignKey(Course, on_delete=models.CASCADE, related_name="sessions")
    number = models.PositiveSmallIntegerField()
    on = models.DateField()
    at = models.DateTimeField(null=True, blank=True)  # when the clinic gave a time
    is_maintenance = models.BooleanField(default=False)  # after the induction
    route = models.CharField(max_length=8, choices=Route.choices, blank=True, default="")
    note = SealedField()  # what the clinic added: a score, a blood pressure
    reported_at = models.DateTimeField(null=True, blank=True)
    state = models.CharField(max_length=8, choices=State.choices, default=State.PLANNED)

    class Privacy:
        clinical = ["number", "on", "at", "is_maintenance", "route", "note", "state"]
        plain = ["id", "course", "reported_at"]

    class Meta:
        ordering = ["number"]
        constraints = [models.UniqueConstraint(fields=["course", "number"], name="course_session_once")]

    def __str__(self) -> str:
        return f"{self.number} {self.on}"
