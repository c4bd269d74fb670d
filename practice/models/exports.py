from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar, Self

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from practice.access import Permission
from practice.models.clients import Client, ClientRecord, RecordQuerySet
from practice.sealed import SealedField

if TYPE_CHECKING:
    from django.db.models.fields.related_descriptors import RelatedManager

    from practice.models import User

KEPT = timedelta(days=7)


class ExportQuerySet(RecordQuerySet):
    def visible_to(self, user: User, permission: Permission = Permission.EXPORT_CLIENT) -> Self:
        """What this person asked for and still may have: a file is for one who asked, and only while they may."""
        if not user.is_authenticated or not user.is_active:
            return self.none()
        theirs = Q(client__in=Client.objects.visible_to(user, Permission.EXPORT_CLIENT).values("pk"))
        if user.may(Permission.EXPORT_PRACTICE):
            theirs |= Q(client=None)
        return self.filter(theirs, asked_by=user)


class Export(ClientRecord):
    """A copy of one client's record, or (without a client) of the whole practice, as a file for who asked for it.

    It is made in slices by a job (practice/exports.py) and stands sealed on disk until `gone_at`.
    """

    class State(models.TextChoices):
        MAKING = "making", _("Being made")
        READY = "ready", _("Ready")
        STOPPED = "stopped", _("Stopped")
        GONE = "gone", _("Deleted")

    class Why(models.TextChoices):
        RIGHT_LOST = "right_lost", _("who asked for it may not have it any more")
        FAILED = "failed", _("it could not be finished within a day")

    client = models.ForeignKey(Client, on_delete=models.CASCADE, null=True, blank=True, related_name="exports")
    asked_by = models.ForeignKey("practice.User", on_delete=models.PROTECT, related_name="+")
    asked_at = models.DateTimeField()
    state = models.CharField(max_length=8, choices=State.choices, default=State.MAKING)
    stopped_why = models.CharField(max_length=12, choices=Why.choices, blank=True, default="")
    begun_at = models.DateTimeField(null=True, blank=True)
    kinds_done = models.PositiveSmallIntegerField(default=0)
    kinds_all = models.PositiveSmallIntegerField(default=0)
    after = models.CharField(max_length=64, blank=True, default="")  # key of the last row of the kind under way
    ready_at = models.DateTimeField(null=True, blank=True)
    gone_at = models.DateTimeField(null=True, blank=True)

    objects: ClassVar[Any] = ExportQuerySet.as_manager()
    if TYPE_CHECKING:
        files: RelatedManager[ExportFile]

    class Privacy:
        plain = [
            "id",
            "client",
            "asked_by",
            "asked_at",
            "state",
            "stopped_why",
            "begun_at",
            "kinds_done",
            "kinds_all",
            "after",
            "ready_at",
            "gone_at",
        ]

    class Meta:
        ordering: ClassVar[list[str]] = ["-asked_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["client", "asked_by"], name="export_making_once", condition=Q(state="making")
            ),
            models.CheckConstraint(
                condition=~Q(state="ready") | Q(ready_at__isnull=False), name="export_ready_at_a_time"
            ),
        ]

    def __str__(self) -> str:
        return f"Export {self.asked_at:%Y-%m-%d}"

    @property
    def percent(self) -> int:
        return 100 * self.kinds_done // self.kinds_all if self.kinds_all else 0

    @property
    def kept_until(self) -> datetime | None:
        return self.ready_at + KEPT if self.ready_at else None


class ExportFile(ClientRecord):
    """One file of an export: its name in the bundle, how long it is and what its bytes must add up to."""

    client_path = "export__client"

    export = models.ForeignKey(Export, on_delete=models.CASCADE, related_name="files")
    number = models.PositiveIntegerField()
    path = models.CharField(max_length=120)
    size = models.PositiveBigIntegerField()
    sha256 = models.CharField(max_length=64)
    rows = models.PositiveIntegerField(null=True)  # of a table; empty for a document

    class Privacy:
        plain = ["id", "export", "number", "path", "size", "sha256", "rows"]

    class Meta:
        ordering: ClassVar[list[str]] = ["number"]
        constraints = [models.UniqueConstraint(fields=["export", "number"], name="export_file_once")]

    def __str__(self) -> str:
        return self.path


class AccessRequest(ClientRecord):
    """A client asked for a copy of their record (45 CFR 164.524): due in 30 days, put off once by 30 more."""

    class State(models.TextChoices):
        ASKED = "asked", _("Asked for")
        EXTENDED = "extended", _("Put off once")
        GIVEN = "given", _("Given")
        WITHDRAWN = "withdrawn", _("Taken back by the client")

    class How(models.TextChoices):
        """How the copy reached the client."""

        IN_PERSON = "in_person", _("Handed over in person")
        MAILED = "mailed", _("Sent by post or courier")
        SECURE = "secure", _("Sent in a way that only they can open")
        SEEN = "seen", _("Read together here")

    OPEN = (State.ASKED, State.EXTENDED)

    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="access_requests")
    asked_at = models.DateTimeField()
    asked_by = models.ForeignKey("practice.User", on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    words = SealedField()  # what they want of it, and in which form
    due_on = models.DateField()
    state = models.CharField(max_length=10, choices=State.choices, default=State.ASKED)
    extended_at = models.DateTimeField(null=True, blank=True)
    extended_by = models.ForeignKey("practice.User", on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    extended_words = SealedField()  # the reason, as the client reads it
    export = models.ForeignKey(Export, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    closed_at = models.DateTimeField(null=True, blank=True)
    closed_by = models.ForeignKey("practice.User", on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    how = models.CharField(max_length=10, choices=How.choices, blank=True, default="")
    closing_words = SealedField()

    class Privacy:
        clinical = ["words", "extended_words", "closing_words"]
        plain = [
            "id",
            "client",
            "asked_at",
            "asked_by",
            "due_on",
            "state",
            "extended_at",
            "extended_by",
            "export",
            "closed_at",
            "closed_by",
            "how",
        ]

    class Meta:
        ordering: ClassVar[list[str]] = ["-asked_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["client"], name="access_request_open_once", condition=Q(state__in=["asked", "extended"])
            ),
            models.CheckConstraint(
                condition=Q(extended_at=None, extended_by=None)
                | Q(extended_at__isnull=False, extended_by__isnull=False),
                name="access_request_extended_by_somebody",
            ),
            models.CheckConstraint(
                condition=~Q(state="given") | (Q(closed_at__isnull=False, closed_by__isnull=False) & ~Q(how="")),
                name="access_request_given_by_somebody",
            ),
        ]

    def __str__(self) -> str:
        return f"Request of a copy {self.asked_at:%Y-%m-%d}"

    @property
    def is_open(self) -> bool:
        return self.state in self.OPEN

    def days_left(self, today: date) -> int:
        """Days until the copy is due; negative when it is late."""
        return (self.due_on - today).days
