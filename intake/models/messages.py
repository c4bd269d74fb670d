from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Self

from django.db import models
from django.db.models import Q

from practice.access import Permission
from practice.models import Client, ClientRecord
from practice.models.clients import RecordQuerySet
from practice.sealed import SealedField

if TYPE_CHECKING:
    from django.db.models.fields.related_descriptors import RelatedManager

    from practice.models import User


class Message(ClientRecord):
    """What the client and those who look after them write to each other. A row is never changed after it is sent."""

    client = models.ForeignKey(Client, on_delete=models.CASCADE, related_name="messages")
    by = models.ForeignKey("practice.User", on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    """None: the client wrote it."""
    words = SealedField()
    at = models.DateTimeField()
    wants_help = models.BooleanField(default=False)  # sent with "I need help now"
    by_text = models.BooleanField(default=False)  # texted to our number, which nobody reads
    read_by_at = models.DateTimeField(null=True, blank=True)  # what the client was told: it is read by then

    if TYPE_CHECKING:
        openings: RelatedManager[Opening]

    class Privacy:
        clinical = ["words", "wants_help"]
        plain = ["id", "client", "by", "at", "by_text", "read_by_at"]

    class Meta:
        ordering = ["-at"]
        indexes = [models.Index(fields=["client", "-at"], name="message_thread")]
        constraints = [
            models.CheckConstraint(
                condition=Q(by=None, read_by_at__isnull=False) | Q(by__isnull=False, read_by_at=None, wants_help=False),
                name="message_promise_is_to_the_client",
            )
        ]

    def __str__(self) -> str:
        return f"Message {self.at:%Y-%m-%d}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            raise TypeError("A message is not changed after it is sent.")
        super().save(*args, **kwargs)


class Opening(ClientRecord):
    """Who had a message on their screen first, and when: shown to both sides."""

    client_path: ClassVar[str] = "message__client"

    message = models.ForeignKey(Message, on_delete=models.CASCADE, related_name="openings")
    by = models.ForeignKey("practice.User", on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    """None: the client."""
    at = models.DateTimeField()

    class Privacy:
        plain = ["id", "message", "by", "at"]

    class Meta:
        ordering = ["at"]
        constraints = [
            models.UniqueConstraint(fields=["message", "by"], name="opening_once"),
            models.UniqueConstraint(fields=["message"], name="opening_once_by_client", condition=Q(by=None)),
        ]

    def __str__(self) -> str:
        return f"Opened {self.at:%Y-%m-%d}"


class DraftQuerySet(RecordQuerySet):
    def visible_to(self, user: User, permission: Permission = Permission.READ_CHART) -> Self:
        return self.none()


class MessageDraft(ClientRecord):
    """What the client typed and has not sent: theirs alone. No member of staff and no copy of the record reaches it."""

    client = models.OneToOneField(Client, on_delete=models.CASCADE, related_name="message_draft")
    words = SealedField()
    at = models.DateTimeField()

    objects: ClassVar[Any] = DraftQuerySet.as_manager()

    class Privacy:
        clinical = ["words"]
        plain = ["id", "client", "at"]

    def __str__(self) -> str:
        return f"Draft {self.at:%Y-%m-%d}"
