from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar, Self

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from practice.access import Permission
from practice.models.clients import Client, ClientRecord, RecordQuerySet
from practice.sealed import SealedField, SealedJSON

if TYPE_CHECKING:
    from django.db.models.fields.related_descriptors import RelatedManager

    from practice.models import User


class AlertQuerySet(RecordQuerySet):
    def visible_to(self, user: User, permission: Permission = Permission.READ_CHART) -> Self:
        theirs = Alert.objects.filter(client__in=Client.objects.visible_to(user, permission).values("pk"))
        if not user.is_authenticated or not user.is_active:
            return self.none()
        drills = Alert.objects.filter(is_drill=True)
        if not user.may(Permission.RUN_DRILL):
            drills = drills.filter(pk__in=user.alert_notices.values("alert_id"))
        # a union, so that each part goes by its own index
        return self.filter(pk__in=theirs.order_by().values("pk").union(drills.order_by().values("pk"), all=True))

    def open(self) -> Self:
        """Those that somebody has to see to: what came with somebody's history is not among them."""
        return self.filter(closed_at=None).exclude(source=Alert.Source.HISTORY)

    def with_story(self) -> Self:
        """With the people, events and contacts of each alert, for pages that tell all of it: three queries."""
        return self.select_related("acknowledged_by", "raised_by", "closed_by").prefetch_related(
            models.Prefetch("events", AlertEvent.objects.select_related("by")),
            models.Prefetch("contacts", SafetyContact.objects.select_related("by")),
        )


class Alert(ClientRecord):
    """A safety flag of one sitting: what was answered, which rules fired, who was told, what a person did.

    Its severity only rises. It closes by a named person's action and words, after a contact with level, plan and a
    next check was recorded. An alert without a client is a drill.
    """

    class Severity(models.TextChoices):
        URGENT = "urgent", _("Urgent")
        PRIORITY = "priority", _("Priority")
        ROUTINE = "routine", _("Routine")

    class Source(models.TextChoices):
        INTAKE = "intake", _("A form")
        MANUAL = "manual", _("Raised by staff")
        CLINIC = "clinic", _("Told by a clinic")
        INTERIM = "interim", _("A check-in that is late or worse")
        DRILL = "drill", _("Drill")
        MESSAGE = "message", _("A message")
        HISTORY = "history", _("Answers from another system")  # of the past: pages nobody, and stays in the chart

    class Action(models.TextChoices):
        SAFETY_PLAN = "safety_plan", _("Safety plan made or reviewed")
        MORE_CONTACT = "more_contact", _("More frequent contact")
        HIGHER_CARE = "higher_care", _("Higher level of care arranged")
        EMERGENCY = "emergency", _("Emergency services involved")
        NO_CHANGE = "no_change", _("Assessed, no change of plan")
        ENTERED_IN_ERROR = "entered_in_error", _("Answer was a mistake, client confirmed it")

    RANK: ClassVar[dict[str, int]] = {"urgent": 0, "priority": 1, "routine": 2}

    client = models.ForeignKey(Client, on_delete=models.CASCADE, related_name="alerts", null=True, blank=True)
    is_drill = models.BooleanField(default=False)
    source = models.CharField(max_length=8, choices=Source.choices)
    source_id = models.UUIDField(null=True, blank=True)
    severity = models.CharField(max_length=8, choices=Severity.choices)
    rules = models.JSONField(default=list)  # [{"id": "SR-03", "version": "1", "at": iso}], in the order they fired
    answers = SealedJSON()  # [{"instrument", "link_id", "question", "answer", "at"}]
    reason = SealedField()  # the words of whoever raised it by hand
    opened_at = models.DateTimeField()
    raised_by = models.ForeignKey("practice.User", on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    raised_at = models.DateTimeField()  # when the ladder started: at opening, and again when the severity rises
    rung = models.PositiveSmallIntegerField(default=0)
    climbs_at = models.DateTimeField(null=True, blank=True)
    acknowledged_at = models.DateTimeField(null=True, blank=True)
    acknowledged_by = models.ForeignKey(
        "practice.User", on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    left_at = models.DateTimeField(null=True, blank=True)
    call_wanted_at = models.DateTimeField(null=True, blank=True)
    closed_at = models.DateTimeField(null=True, blank=True)
    closed_by = models.ForeignKey("practice.User", on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    action = models.CharField(max_length=20, choices=Action.choices, blank=True, default="")
    closing_note = SealedField()
    version = models.PositiveIntegerField(default=1)

    objects: ClassVar[Any] = AlertQuerySet.as_manager()
    if TYPE_CHECKING:
        events: RelatedManager[AlertEvent]
        notices: RelatedManager[AlertNotice]
        contacts: RelatedManager[SafetyContact]

    class Privacy:
        clinical = ["severity", "rules", "answers", "reason", "action", "closing_note", "left_at", "call_wanted_at"]
        plain = [
            "id",
            "client",
            "is_drill",
            "source",
            "source_id",
            "opened_at",
            "raised_by",
            "raised_at",
            "rung",
            "climbs_at",
            "acknowledged_at",
            "acknowledged_by",
            "closed_at",
            "closed_by",
            "version",
        ]

    class Meta:
        ordering = ["-opened_at"]
        indexes = [
            models.Index(fields=["climbs_at"], name="alert_climbs", condition=Q(closed_at=None)),
            models.Index(fields=["client", "opened_at"], name="alert_client"),
            models.Index(fields=["source_id", "opened_at"], name="alert_sitting"),
        ]
        constraints = [
            models.CheckConstraint(condition=Q(is_drill=True) | Q(client__isnull=False), name="alert_has_client"),
            models.CheckConstraint(
                condition=Q(acknowledged_at=None, acknowledged_by=None)
                | Q(acknowledged_at__isnull=False, acknowledged_by__isnull=False),
                name="alert_acknowledged_by_somebody",
            ),
            models.CheckConstraint(
                condition=Q(closed_at=None, closed_by=None)
                | Q(closed_at__isnull=False, closed_by__isnull=False) & ~Q(action=""),
                name="alert_closed_with_an_action",
            ),
            models.UniqueConstraint(
                fields=["source_id"], name="alert_open_once_per_sitting", condition=Q(closed_at=None, source="intake")
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_severity_display()} {self.pk}"

    @property
    def rule_ids(self) -> list[str]:
        return [rule["id"] for rule in self.rules]

    @property
    def is_open(self) -> bool:
        return self.closed_at is None and not self.is_historical

    @property
    def is_historical(self) -> bool:
        return self.source == self.Source.HISTORY

    def minutes_to_acknowledge(self, at: datetime) -> int:
        """Whole minutes from opening to acknowledgement, or until `at` while nobody has."""
        return int(((self.acknowledged_at or at) - self.opened_at).total_seconds() // 60)


class AlertEvent(ClientRecord):
    """One line of an alert's story, in order: told, shown, tapped, left, acknowledged, contact, closed. Append-only."""

    class Kind(models.TextChoices):
        OPENED = "opened", _("Flag opened")
        ROSE = "rose", _("Flag became more serious")
        SHOWN = "shown", _("Client was shown the support page")
        TAPPED = "tapped", _("Client tapped")
        CALL_WANTED = "call_wanted", _("Client asked for a call")
        CALL_UNWANTED = "call_unwanted", _("Client took back the request for a call")
        LEFT = "left", _("Client left after a safety answer")
        CAME_BACK = "came_back", _("Client came back and went on")
        TOLD = "told", _("Told")
        CLIMBED = "climbed", _("Not picked up; next person told")
        ACKNOWLEDGED = "acknowledged", _("Picked up")
        CONTACT = "contact", _("Contact recorded")
        CLOSED = "closed", _("Closed")
        ADDED = "added", _("Note added")

    client_path = "alert__client"

    alert = models.ForeignKey(Alert, on_delete=models.CASCADE, related_name="events")
    kind = models.CharField(max_length=16, choices=Kind.choices)
    at = models.DateTimeField()
    by = models.ForeignKey("practice.User", on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    facts = models.JSONField(default=dict, blank=True)  # codes only: {"rule": "SR-03"}, {"what": "call_988"}
    words = SealedField()

    class Privacy:
        clinical = ["kind", "facts", "words"]
        plain = ["id", "alert", "at", "by"]

    class Meta:
        ordering = ["at"]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.at:%Y-%m-%d %H:%M}"


class AlertNotice(ClientRecord):
    """Who was told of an alert, on which rung of the ladder, and why they."""

    class Why(models.TextChoices):
        THERAPIST = "therapist", _("their therapist")
        ON_CALL = "on_call", _("on call")
        BACKUP = "backup", _("backup")
        SUPERVISOR = "supervisor", _("supervisor")
        ADMIN = "admin", _("admin")
        ASKED = "asked", _("asked by a colleague")

    client_path = "alert__client"

    alert = models.ForeignKey(Alert, on_delete=models.CASCADE, related_name="notices")
    user = models.ForeignKey("practice.User", on_delete=models.PROTECT, related_name="alert_notices")
    why = models.CharField(max_length=12, choices=Why.choices)
    rung = models.PositiveSmallIntegerField()
    told_at = models.DateTimeField()

    class Privacy:
        plain = ["id", "alert", "user", "why", "rung", "told_at"]

    class Meta:
        ordering = ["told_at"]
        constraints = [models.UniqueConstraint(fields=["alert", "user", "rung"], name="told_once_per_rung")]

    def __str__(self) -> str:
        return f"{self.get_why_display()} {self.told_at:%Y-%m-%d %H:%M}"


class SafetyContact(ClientRecord):
    """A named person's record of trying to reach the client about an alert. Never edited; a correction is a new row."""

    class Reached(models.TextChoices):
        YES = "yes", _("Spoke with the client")
        MESSAGE = "message", _("Left a message")
        NO = "no", _("No answer")
        SOMEBODY = "somebody", _("Spoke with someone they allow us to call")

    class Level(models.TextChoices):
        NONE = "none", _("No risk found now")
        LOW = "low", _("Low")
        MODERATE = "moderate", _("Moderate")
        HIGH = "high", _("High")
        UNKNOWN = "unknown", _("Could not assess")

    client_path = "alert__client"

    alert = models.ForeignKey(Alert, on_delete=models.PROTECT, related_name="contacts")
    reached = models.CharField(max_length=8, choices=Reached.choices)
    at = models.DateTimeField()
    level = models.CharField(max_length=8, choices=Level.choices)
    action = SealedField()
    plan = SealedField()
    next_check_at = models.DateTimeField()
    by = models.ForeignKey("practice.User", on_delete=models.PROTECT, related_name="+")
    recorded_at = models.DateTimeField()

    class Privacy:
        clinical = ["reached", "level", "action", "plan"]
        plain = ["id", "alert", "at", "next_check_at", "by", "recorded_at"]

    class Meta:
        ordering = ["at"]

    def __str__(self) -> str:
        return f"{self.get_reached_display()} {self.at:%Y-%m-%d %H:%M}"
