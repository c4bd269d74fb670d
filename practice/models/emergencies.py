from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from django.db import models
from django.db.models import Q

from practice.access import GRANTS, Permission
from practice.models.clients import Client, ClientRecord
from practice.sealed import SealedField

if TYPE_CHECKING:
    from practice.models import User

LASTS = timedelta(minutes=60)
REVIEWED_WITHIN = timedelta(hours=72)


class EmergencyAccess(ClientRecord):
    """A clinician opened the chart of a client who is not theirs, in an emergency: why, until when, who reviewed it.

    While it lasts `ClientQuerySet.visible_to` counts it. Ending it early moves `until`.
    """

    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="emergencies")
    by = models.ForeignKey("practice.User", on_delete=models.PROTECT, related_name="+", db_index=False)
    reason = SealedField()
    at = models.DateTimeField()
    until = models.DateTimeField()
    reviewed_by = models.ForeignKey("practice.User", on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    reviewed_at = models.DateTimeField(null=True, blank=True)
    review = SealedField()

    class Privacy:
        clinical = ["reason", "review"]
        plain = ["id", "client", "by", "at", "until", "reviewed_by", "reviewed_at"]

    class Meta:
        ordering = ["-at"]
        indexes = [
            models.Index(fields=["by", "until"], name="emergency_by"),
            models.Index(fields=["at"], name="emergency_waiting", condition=Q(reviewed_at=None)),
        ]
        constraints = [
            models.CheckConstraint(condition=Q(until__gte=models.F("at")), name="emergency_ends_after_start"),
            models.CheckConstraint(
                condition=Q(reviewed_at=None, reviewed_by=None)
                | Q(reviewed_at__isnull=False, reviewed_by__isnull=False),
                name="emergency_review_whole",
            ),
        ]

    def __str__(self) -> str:
        return f"Emergency access {self.at:%Y-%m-%d}"

    @classmethod
    def running(cls, client: Client, user: Any, at: datetime) -> EmergencyAccess | None:
        """What lets this person see this client now, if it is that."""
        return cls.objects.filter(client=client, by=user, until__gt=at).order_by("until").last()

    @property
    def review_due_at(self) -> datetime:
        return self.at + REVIEWED_WITHIN

    def lasts(self, at: datetime) -> bool:
        return at < self.until

    def minutes_left(self, at: datetime) -> int:
        """Whole minutes, the begun one counted."""
        return max(0, -(-int((self.until - at).total_seconds()) // 60))

    def reviewers(self) -> list[User]:
        """Who may review it, besides whoever it was."""
        from practice.models import User

        roles = [role for role, granted in GRANTS.items() if Permission.REVIEW_BREAK_GLASS in granted]
        able = User.objects.filter(is_active=True, role_grants__role__in=roles).exclude(pk=self.by_id).distinct()
        mine = Client.objects.filter(pk=self.client_id)
        return [user for user in able if mine.visible_to(user, Permission.REVIEW_BREAK_GLASS).exists()]

    def reviewable_by(self, user: User) -> bool:
        """Nobody reviews their own, unless there is nobody else who could."""
        return user.pk != self.by_id or not self.reviewers()
