from __future__ import annotations

from datetime import date, datetime
from typing import TYPE_CHECKING, Any, ClassVar
from zoneinfo import ZoneInfo

from django.db import models
from django.db.models import Q
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from practice.models import Client, ClientRecord, Practice
from practice.sealed import SealedField

if TYPE_CHECKING:
    from django.db.models.fields.related_descriptors import RelatedManager

    from practice.kap.models.clearance import Override
    from practice.kap.models.room import Entry


class Plan(ClientRecord):
    """A weekly series, an intensive or a booster; each may follow another, so that a plan runs through all three."""

    class Shape(models.TextChoices):
        WEEKLY = "weekly", _("Weekly")
        INTENSIVE = "intensive", _("Intensive")
        BOOSTER = "booster", _("Booster")

    class State(models.TextChoices):
        UNDER_WAY = "under_way", _("Under way")
        DONE = "done", _("Done")
        STOPPED = "stopped", _("Stopped")

    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="plans")
    follows = models.ForeignKey("self", on_delete=models.PROTECT, null=True, blank=True, related_name="followed_by")
    shape = models.CharField(max_length=12, choices=Shape.choices)
    template = models.CharField(max_length=24, blank=True, default="")  # key in practice/clinical/plans.toml
    state = models.CharField(max_length=12, choices=State.choices, default=State.UNDER_WAY)
    planned = models.PositiveSmallIntegerField(default=1)  # doses
    started_on = models.DateField()
    therapist = models.ForeignKey("practice.User", on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    zone = models.CharField(max_length=64, blank=True, default="")  # the client's, in which wall-clock times stay
    clock = models.TimeField(null=True, blank=True)
    room = models.CharField(max_length=40, blank=True, default="")
    anchor_on = models.DateField(null=True, blank=True)  # the last dose that a booster counts from
    due_on = models.DateField(null=True, blank=True)  # of a booster
    reminded = models.JSONField(default=list, blank=True)  # days before, of the reminders that went out
    early = models.JSONField(default=list, blank=True)  # codes of what speaks for an earlier booster, as last told
    created_at = models.DateTimeField(null=True, blank=True)
    created_by = models.ForeignKey("practice.User", on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    ended_at = models.DateTimeField(null=True, blank=True)
    ended_by = models.ForeignKey("practice.User", on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    end_words = SealedField()  # why it was completed or stopped (H19)
    version = models.PositiveIntegerField(default=1)

    if TYPE_CHECKING:
        sessions: RelatedManager[Session]
        changes: RelatedManager[PlanChange]
        overrides: RelatedManager[Override]

    class Privacy:
        clinical = ["shape", "template", "state", "planned", "started_on", "anchor_on", "due_on", "early", "end_words"]
        plain = [
            "id",
            "client",
            "follows",
            "therapist",
            "zone",
            "clock",
            "room",
            "reminded",
            "created_at",
            "created_by",
            "ended_at",
            "ended_by",
            "version",
        ]

    class Meta:
        ordering: ClassVar[list[str]] = ["started_on"]
        indexes = [models.Index(fields=["due_on"], name="plan_due", condition=Q(state="under_way"))]

    def __str__(self) -> str:
        return f"{self.get_shape_display()} {self.started_on}"

    def get_absolute_url(self) -> str:
        return reverse("plan", args=[self.pk])

    def tz(self) -> ZoneInfo:
        """The zone in which its wall-clock times stay: the client's when it was made."""
        return ZoneInfo(self.zone or self.client.zone or Practice.get().zone)

    def today(self, at: datetime) -> date:
        return at.astimezone(self.tz()).date()


class Session(ClientRecord):
    class Kind(models.TextChoices):
        PREPARATION = "preparation", _("Preparation")
        DOSING = "dosing", _("Dosing")
        INTEGRATION = "integration", _("Integration")

    class State(models.TextChoices):
        WAITING = "waiting", _("Waits for the prescriber")
        PLANNED = "planned", _("Planned")
        STARTED = "started", _("Under way")
        DONE = "done", _("Done")
        MISSED = "missed", _("Missed")
        SKIPPED = "skipped", _("Skipped")

    class Setting(models.TextChoices):
        IN_PERSON = "in_person", _("In the room")
        REMOTE = "remote", _("By video, with an adult in the home")

    AHEAD = (State.WAITING, State.PLANNED)

    client_path = "plan__client"

    plan = models.ForeignKey(Plan, on_delete=models.CASCADE, related_name="sessions")
    kind = models.CharField(max_length=12, choices=Kind.choices)
    number = models.PositiveSmallIntegerField()
    starts_at = models.DateTimeField()
    minutes = models.PositiveSmallIntegerField(default=60)
    therapist = models.ForeignKey("practice.User", on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    room = models.CharField(max_length=40, blank=True, default="")
    setting = models.CharField(max_length=10, choices=Setting.choices, default=Setting.IN_PERSON)
    state = models.CharField(max_length=8, choices=State.choices, default=State.PLANNED)
    started_at = models.DateTimeField(null=True, blank=True)
    started_by = models.ForeignKey("practice.User", on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    ended_at = models.DateTimeField(null=True, blank=True)
    signed_at = models.DateTimeField(null=True, blank=True)  # the release checklist; a signed session is not moved
    signed_by = models.ForeignKey("practice.User", on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    note = models.ForeignKey("practice.Note", on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    sequence = models.PositiveSmallIntegerField(default=0)  # of its event in calendar feeds
    changed_at = models.DateTimeField(null=True, blank=True)

    if TYPE_CHECKING:
        entries: RelatedManager[Entry]

    class Privacy:
        clinical = ["kind", "number", "state", "setting"]
        plain = [
            "id",
            "plan",
            "starts_at",
            "minutes",
            "therapist",
            "room",
            "started_at",
            "started_by",
            "ended_at",
            "signed_at",
            "signed_by",
            "note",
            "sequence",
            "changed_at",
        ]

    class Meta:
        ordering: ClassVar[list[str]] = ["starts_at"]
        indexes = [models.Index(fields=["therapist", "starts_at"], name="kap_session_therapist")]
        constraints = [models.UniqueConstraint(fields=["plan", "kind", "number"], name="kap_session_once")]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.number}"


class PlanChange(ClientRecord):
    """Who changed what in a plan, and why. Append-only."""

    class What(models.TextChoices):
        MADE = "made", _("Plan made")
        MOVED = "moved", _("Session moved")
        ADDED = "added", _("Session added")
        SKIPPED = "skipped", _("Session skipped")
        MISSED = "missed", _("Session missed")
        OVERRIDDEN = "overridden", _("Limit lifted by the prescriber")
        KEPT = "kept", _("Limit kept by the prescriber")
        COMPLETED = "completed", _("Plan completed")
        STOPPED = "stopped", _("Plan stopped")

    client_path = "plan__client"

    plan = models.ForeignKey(Plan, on_delete=models.CASCADE, related_name="changes")
    session = models.ForeignKey(Session, on_delete=models.CASCADE, null=True, blank=True, related_name="changes")
    what = models.CharField(max_length=12, choices=What.choices)
    before = models.JSONField(default=dict, blank=True)
    after = models.JSONField(default=dict, blank=True)
    words = SealedField()
    by = models.ForeignKey("practice.User", on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    by_request = models.ForeignKey(
        "kap.ClearanceRequest", on_delete=models.PROTECT, null=True, blank=True, related_name="changes"
    )  # when the prescriber has no account; name and licence as they were stand in `after`
    at = models.DateTimeField()

    class Privacy:
        clinical = ["what", "before", "after", "words"]
        plain = ["id", "plan", "session", "by", "by_request", "at"]

    class Meta:
        ordering: ClassVar[list[str]] = ["-at"]
        constraints = [
            models.CheckConstraint(
                condition=Q(by__isnull=False) | Q(by_request__isnull=False), name="plan_change_by_somebody"
            )
        ]

    def __str__(self) -> str:
        return f"{self.get_what_display()} {self.at:%Y-%m-%d}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            raise ValueError("A change of a plan is not edited.")
        super().save(*args, **kwargs)


class Absence(models.Model):
    """When a therapist is away: whole days, in the practice's calendar."""

    id = models.BigAutoField(primary_key=True)
    user = models.ForeignKey("practice.User", on_delete=models.CASCADE, related_name="absences")
    first_on = models.DateField()
    last_on = models.DateField()
    by = models.ForeignKey("practice.User", on_delete=models.PROTECT, null=True, related_name="+")

    objects: ClassVar[Any] = models.Manager()

    class Privacy:
        plain = ["id", "user", "first_on", "last_on", "by"]

    class Meta:
        ordering: ClassVar[list[str]] = ["first_on"]
        constraints = [
            models.CheckConstraint(condition=Q(last_on__gte=models.F("first_on")), name="absence_ends_after_it_begins")
        ]

    def __str__(self) -> str:
        return f"{self.first_on} to {self.last_on}"


class ClientAbsence(ClientRecord):
    """When a client is away: whole days, in their own calendar."""

    client = models.ForeignKey(Client, on_delete=models.CASCADE, related_name="absences")
    first_on = models.DateField()
    last_on = models.DateField()
    by = models.ForeignKey("practice.User", on_delete=models.PROTECT, null=True, related_name="+")

    class Privacy:
        plain = ["id", "client", "first_on", "last_on", "by"]

    class Meta:
        ordering: ClassVar[list[str]] = ["first_on"]
        constraints = [
            models.CheckConstraint(
                condition=Q(last_on__gte=models.F("first_on")), name="client_absence_ends_after_it_begins"
            )
        ]

    def __str__(self) -> str:
        return f"{self.first_on} to {self.last_on}"
