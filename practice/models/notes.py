from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Self

from django.db import models

from practice.access import Permission
from practice.models.clients import Client, ClientRecord, RecordQuerySet
from practice.sealed import SealedField

if TYPE_CHECKING:
    from practice.models import User


class Note(ClientRecord):
    """A note in the record. Not edited after it is written: an addendum is a note that names the first."""

    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="notes")
    about = models.ForeignKey("self", on_delete=models.PROTECT, null=True, blank=True, related_name="addenda")
    body = SealedField()
    by = models.ForeignKey("practice.User", on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField()

    class Privacy:
        clinical = ["body"]
        plain = ["id", "client", "about", "by", "at"]

    class Meta:
        ordering = ["-at"]

    def __str__(self) -> str:
        return f"Note {self.at:%Y-%m-%d}"


class AuthorQuerySet(RecordQuerySet):
    def visible_to(self, user: User, permission: Permission = Permission.WRITE_NOTE) -> Self:
        return super().visible_to(user, permission).filter(by=user)


class PsychotherapyNote(ClientRecord):
    """What was said in a session, for its author alone (45 CFR 164.501).

    Kept apart from the record: no search, export, packet or colleague reaches it. Doses, vitals, scores, session times,
    diagnosis and plan never belong here.
    """

    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="+")
    body = SealedField()
    by = models.ForeignKey("practice.User", on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField()

    objects: ClassVar[Any] = AuthorQuerySet.as_manager()

    class Privacy:
        clinical = ["body"]
        plain = ["id", "client", "by", "at"]

    class Meta:
        ordering = ["-at"]

    def __str__(self) -> str:
        return f"Psychotherapy note {self.at:%Y-%m-%d}"
