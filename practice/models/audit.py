from __future__ import annotations

from django.db import models


class AuditEvent(models.Model):
    """One act on somebody's information: who, what, whose, when, from where, how it ended. Append-only and chained.

    `facts` holds names of fields and counts, never a clinical value. The database refuses UPDATE, DELETE and TRUNCATE.
    """

    seq = models.BigIntegerField(primary_key=True)
    at = models.DateTimeField()
    action = models.CharField(max_length=48)
    actor_kind = models.CharField(max_length=8)  # staff, client, clinic, system, nobody
    actor_id = models.UUIDField(null=True)
    client_id = models.UUIDField(null=True)
    target = models.CharField(max_length=48, blank=True, default="")
    target_id = models.CharField(max_length=40, blank=True, default="")
    outcome = models.CharField(max_length=8, default="ok")  # ok, refused, failed
    origin = models.CharField(max_length=45, blank=True, default="")
    facts = models.JSONField(default=dict)
    previous = models.CharField(max_length=64)
    hash = models.CharField(max_length=64)

    class Privacy:
        plain = [
            "seq",
            "at",
            "action",
            "actor_kind",
            "actor_id",
            "client_id",
            "target",
            "target_id",
            "outcome",
            "origin",
            "facts",
            "previous",
            "hash",
        ]

    class Meta:
        ordering = ["seq"]
        indexes = [
            models.Index(fields=["client_id", "seq"], name="audit_client"),
            models.Index(fields=["actor_id", "seq"], name="audit_actor"),
        ]

    def __str__(self) -> str:
        return f"{self.seq} {self.action}"


class AuditHead(models.Model):
    """The newest link of the chain: its lock, and how a cut tail shows."""

    id = models.PositiveSmallIntegerField(primary_key=True)
    seq = models.BigIntegerField(default=0)
    hash = models.CharField(max_length=64, default="")

    class Privacy:
        plain = ["id", "seq", "hash"]

    def __str__(self) -> str:
        return str(self.seq)
