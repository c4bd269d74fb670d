from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from practice.models import Client, ClientRecord
from practice.sealed import SealedField


class Signature(ClientRecord):
    """A signed agreement: which text exactly, who signed, as what, when and how. Never edited."""

    class Relation(models.TextChoices):
        SELF = "self", _("For myself")
        GUARDIAN = "guardian", _("As parent or guardian")
        PROXY = "proxy", _("As health-care proxy")

    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="signatures")
    intake = models.ForeignKey("intake.Intake", on_delete=models.PROTECT, null=True, related_name="signatures")
    document = models.CharField(max_length=40)
    version = models.CharField(max_length=16)
    language = models.CharField(max_length=8, default="en")
    text_sha256 = models.CharField(max_length=64)
    acknowledged = models.JSONField(default=list)  # keys of the points ticked one by one
    typed_name = SealedField()
    relation = models.CharField(max_length=8, choices=Relation.choices, default=Relation.SELF)
    signed_by = models.ForeignKey(  # a guardian on their own page; null: on the client's
        "intake.TrustedPerson", on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    signed_at = models.DateTimeField()
    method = models.CharField(max_length=16, default="typed")
    device = SealedField()  # origin and browser as sent, for evidence

    class Privacy:
        identifying = ["typed_name", "device"]
        plain = [
            "id",
            "client",
            "intake",
            "document",
            "version",
            "language",
            "text_sha256",
            "acknowledged",
            "relation",
            "signed_by",
            "signed_at",
            "method",
        ]

    class Meta:
        ordering = ["-signed_at"]
        constraints = [
            models.UniqueConstraint(fields=["intake", "document", "version"], name="signed_once_per_sitting"),
        ]

    def __str__(self) -> str:
        return f"{self.document} {self.version}"
