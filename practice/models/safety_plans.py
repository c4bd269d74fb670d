from __future__ import annotations

from datetime import date
from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from practice.models.clients import Client, ClientRecord
from practice.sealed import SealedField, SealedJSON


class SafetyPlan(ClientRecord):
    """One version of a client's safety plan, written with them in their words. A finished version is never edited.

    `steps` holds {section code: [row, ...]} for the sections of practice/safety_plan.toml; a row is a dict of that
    section's fields ("text" where it has none of its own).
    """

    class Means(models.TextChoices):
        """Whether making the surroundings safer was talked about (E4)."""

        DONE = "done", _("Talked about, steps agreed")
        DECLINED = "declined", _("Client did not want to")
        NOT_APPLICABLE = "not_applicable", _("Nothing to make safer, by the client's word")

    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="safety_plans")
    number = models.PositiveSmallIntegerField()  # version, from 1
    steps = SealedJSON()
    means = models.CharField(max_length=16, choices=Means.choices, blank=True, default="")
    means_words = SealedField()
    started_at = models.DateTimeField()
    started_by = models.ForeignKey("practice.User", on_delete=models.PROTECT, related_name="+")
    saved_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    finished_by = models.ForeignKey("practice.User", on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    review_on = models.DateField(null=True, blank=True)
    given_at = models.DateTimeField(null=True, blank=True)  # put on the client's own page
    version = models.PositiveIntegerField(default=1)  # of the draft, so that two writers see each other
    writer = models.CharField(max_length=32, blank=True, default="")  # the open page that saved last

    class Privacy:
        clinical = ["steps", "means", "means_words", "review_on"]
        plain = [
            "id",
            "client",
            "number",
            "started_at",
            "started_by",
            "saved_at",
            "finished_at",
            "finished_by",
            "given_at",
            "version",
            "writer",
        ]

    class Meta:
        ordering: ClassVar[list[str]] = ["-number"]
        constraints = [
            models.UniqueConstraint(fields=["client", "number"], name="safety_plan_version_once"),
            models.UniqueConstraint(fields=["client"], name="safety_plan_one_draft", condition=Q(finished_at=None)),
            models.CheckConstraint(
                condition=Q(finished_at=None, finished_by=None)
                | (Q(finished_at__isnull=False, finished_by__isnull=False, review_on__isnull=False) & ~Q(means="")),
                name="safety_plan_finished_with_review_and_means",
            ),
        ]

    def __str__(self) -> str:
        return f"Safety plan {self.number}"

    @classmethod
    def current(cls, client: Client) -> SafetyPlan | None:
        """The newest finished version."""
        found: SafetyPlan | None = cls.objects.filter(client=client, finished_at__isnull=False).first()
        return found

    def is_due(self, today: date) -> bool:
        return self.review_on is not None and self.review_on <= today
