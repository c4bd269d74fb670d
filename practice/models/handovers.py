from django.db import models
from django.utils.translation import gettext_lazy as _

from practice.models.clients import Client, ClientRecord
from practice.sealed import SealedField


class Handover(ClientRecord):
    """Who looked after a client before whom. Written once; the client's own row says how it is now."""

    class Role(models.TextChoices):
        THERAPIST = "therapist", _("Therapist")
        PRESCRIBER = "prescriber", _("Prescriber")

    client = models.ForeignKey(Client, on_delete=models.CASCADE, related_name="handovers")
    role = models.CharField(max_length=12, choices=Role.choices)
    former = models.ForeignKey("practice.User", on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    to = models.ForeignKey("practice.User", on_delete=models.PROTECT, related_name="+")
    by = models.ForeignKey("practice.User", on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    at = models.DateTimeField()
    words = SealedField()  # why; needed when the new therapist has as many clients as they take

    class Privacy:
        clinical = ["words"]
        plain = ["id", "client", "role", "former", "to", "by", "at"]

    class Meta:
        ordering = ["-at"]

    def __str__(self) -> str:
        return f"{self.get_role_display()} {self.at:%Y-%m-%d}"
