from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any, ClassVar

from django.db import models
from django.db.models import Q

from practice.sealed import SealedField


class RuleChangeQuerySet(models.QuerySet["RuleChange"]):
    def saved(self) -> RuleChangeQuerySet:
        return self.exclude(number=None).select_related("saved_by").order_by("-number")

    def in_force(self, at: datetime) -> RuleChange | None:
        """The version of the practice's own numbers that counted at this moment."""
        return self.saved().filter(saved_at__lte=at).first()


class RuleChange(models.Model):
    """Numbers of one rule that were tried on what came in; once saved, a version of the practice's own numbers.

    Nothing is saved that was not tried: the row holds the numbers, and saving changes none of them.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    rule = models.CharField(max_length=8)
    before = models.JSONField(default=dict)  # the practice's own numbers of all rules, as they were
    after = models.JSONField(default=dict)
    rules_version = models.CharField(max_length=64)  # of the table with `after` in it
    since = models.DateField()
    counts = models.JSONField(default=dict)  # see referrals.tuning.Effect
    by = models.ForeignKey("practice.User", on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField()
    number = models.PositiveIntegerField(null=True, unique=True)
    saved_by = models.ForeignKey("practice.User", on_delete=models.PROTECT, null=True, related_name="+")
    saved_at = models.DateTimeField(null=True)
    reason = SealedField()

    objects: ClassVar[Any] = RuleChangeQuerySet.as_manager()

    class Privacy:
        plain = [
            "id",
            "rule",
            "before",
            "after",
            "rules_version",
            "since",
            "counts",
            "by",
            "at",
            "number",
            "saved_by",
            "saved_at",
            "reason",
        ]

    class Meta:
        ordering = ["-at"]
        constraints = [
            models.CheckConstraint(
                condition=Q(number=None, saved_by=None, saved_at=None)
                | Q(number__isnull=False, saved_by__isnull=False, saved_at__isnull=False),
                name="rule_change_saved_by_somebody",
            )
        ]

    def __str__(self) -> str:
        return f"{self.rule} {self.number or 'tried'}"
