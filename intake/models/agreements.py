from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar, Self

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from practice.models import Client, ClientRecord
from practice.models.clients import RecordQuerySet

if TYPE_CHECKING:
    from practice.models import User

PER_DAY, MOST_PER_DAY = 5, 50  # OWN: few enough that a therapist can answer every question that comes back
TITLE, SUMMARY, SIGN, BODY, WHY = 80, 400, 200, 20_000, 400  # letters


class AgreementText(models.Model):
    """The practice's own wording of an agreement: one draft at a time, frozen for good once it is published."""

    document = models.CharField(max_length=40)
    version = models.CharField(max_length=16, blank=True, default="")  # "1.2": the second of ours since their 1
    title = models.CharField(max_length=TITLE)
    summary = models.CharField(max_length=SUMMARY)
    sign = models.CharField(max_length=SIGN)
    body = models.TextField()  # parts and points, as intake.wording reads them
    changed_at = models.DateTimeField()
    changed_by = models.ForeignKey("practice.User", on_delete=models.PROTECT, null=True, related_name="+")
    edition = models.PositiveIntegerField(default=1)
    published_at = models.DateTimeField(null=True, blank=True)
    published_by = models.ForeignKey("practice.User", on_delete=models.PROTECT, null=True, related_name="+")
    must_sign = models.BooleanField(null=True)  # whether who signed an earlier version signs again
    because = models.CharField(max_length=WHY, blank=True, default="")  # of that choice
    reason = models.CharField(max_length=WHY, blank=True, default="")  # of the new version
    sha256 = models.CharField(max_length=64, blank=True, default="")

    class Privacy:
        plain = [
            "id",
            "document",
            "version",
            "title",
            "summary",
            "sign",
            "body",
            "changed_at",
            "changed_by",
            "edition",
            "published_at",
            "published_by",
            "must_sign",
            "because",
            "reason",
            "sha256",
        ]

    class Meta:
        ordering = ["document", "published_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["document"], name="agreement_one_draft", condition=models.Q(published_at=None)
            ),
            models.UniqueConstraint(
                fields=["document", "version"], name="agreement_version_once", condition=~models.Q(version="")
            ),
            models.CheckConstraint(
                condition=Q(published_at=None, published_by=None, version="")
                | Q(published_at__isnull=False, published_by__isnull=False, must_sign__isnull=False)
                & ~Q(version="")
                & ~Q(because="")
                & ~Q(reason="")
                & ~Q(sha256=""),
                name="agreement_published_by_somebody",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.document} {self.version}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding and type(self).objects.filter(pk=self.pk, published_at__isnull=False).exists():
            raise ValueError("A published agreement is not edited; publish a new version instead.")
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        if self.published_at is not None:
            raise ValueError("A published agreement is kept: somebody may have signed it.")
        return super().delete(*args, **kwargs)


class SigningPace(models.Model):
    """How clients are asked to sign again (a single row): off until somebody starts it, and only a few a day."""

    is_on = models.BooleanField(default=False)
    per_day = models.PositiveSmallIntegerField(default=PER_DAY)
    months = models.JSONField(default=dict, blank=True)  # {document: 6 or 12}: how long a signature is good for
    version = models.PositiveIntegerField(default=1)

    class Privacy:
        plain = ["id", "is_on", "per_day", "months", "version"]

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(pk=1), name="signing_pace_one_row"),
            models.CheckConstraint(condition=Q(per_day__gte=1, per_day__lte=MOST_PER_DAY), name="signing_pace_a_few"),
        ]

    def __str__(self) -> str:
        return f"{self.per_day} a day"

    @classmethod
    def get(cls) -> SigningPace:
        """The row, or what holds until somebody changes it. Does not write."""
        return cls.objects.filter(pk=1).first() or cls(pk=1)


class SigningQuerySet(RecordQuerySet):
    def open(self) -> Self:
        return self.filter(outcome=SigningRequest.Outcome.ASKED)

    def settle(self, outcome: str, at: datetime) -> int:
        return self.open().update(outcome=outcome, settled_at=at)


class SigningRequest(ClientRecord):
    """That a client was asked to sign an agreement again, and what came of it. A signature itself is never touched."""

    class Outcome(models.TextChoices):
        ASKED = "asked", _("Asked")
        SIGNED = "signed", _("Signed")
        DECLINED = "declined", _("Declined")
        NOT_REACHED = "not_reached", _("Not reached")

    client = models.ForeignKey(Client, on_delete=models.CASCADE, related_name="signing_requests")
    document = models.CharField(max_length=40)
    version = models.CharField(max_length=16)
    asked_at = models.DateTimeField()
    invitation = models.ForeignKey(
        "intake.Invitation", on_delete=models.CASCADE, null=True, blank=True, related_name="signing_requests"
    )  # none where no way is private
    outcome = models.CharField(max_length=12, choices=Outcome.choices, default=Outcome.ASKED)
    settled_at = models.DateTimeField(null=True, blank=True)
    again_at = models.DateTimeField(null=True, blank=True)  # somebody put them back among those to be asked
    again_by = models.ForeignKey("practice.User", on_delete=models.PROTECT, null=True, blank=True, related_name="+")

    objects: ClassVar[SigningQuerySet] = SigningQuerySet.as_manager()  # type: ignore[assignment]

    if TYPE_CHECKING:
        client_id: Any

    class Privacy:
        plain = [
            "id",
            "client",
            "document",
            "version",
            "asked_at",
            "invitation",
            "outcome",
            "settled_at",
            "again_at",
            "again_by",
        ]

    class Meta:
        ordering = ["-asked_at"]
        indexes = [models.Index(fields=["outcome", "asked_at"], name="signing_by_outcome")]
        constraints = [
            models.UniqueConstraint(
                fields=["client", "document"], name="signing_asked_once", condition=models.Q(outcome="asked")
            ),
            models.CheckConstraint(
                condition=Q(outcome="asked", settled_at=None) | Q(settled_at__isnull=False) & ~Q(outcome="asked"),
                name="signing_settled_once",
            ),
            models.CheckConstraint(
                condition=Q(again_at=None, again_by=None) | Q(again_at__isnull=False, again_by__isnull=False),
                name="signing_again_by_somebody",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.document} {self.version} {self.outcome}"

    def put_back(self, by: User, at: datetime) -> bool:
        """Let this client be asked once more. False when somebody did that already, or it is still open."""
        rows = type(self).objects.filter(pk=self.pk, again_at=None, outcome__in=AGAIN)
        return bool(rows.update(again_at=at, again_by=by))


AGAIN = (SigningRequest.Outcome.DECLINED, SigningRequest.Outcome.NOT_REACHED)
