"""The practice's own versions of packets, the drafts of the next ones, and what is sent by itself."""

from __future__ import annotations

import hashlib
import json
import uuid
from datetime import datetime
from typing import Any, ClassVar

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from practice.sealed import SealedField

KEY, VERSION = 40, 16  # as Invitation keeps them


def digest_of(rows: Any) -> str:
    return hashlib.sha256(json.dumps(rows, sort_keys=True, ensure_ascii=True).encode()).hexdigest()


class PacketVersionQuerySet(models.QuerySet["PacketVersion"]):
    def in_use(self, key: str) -> str | None:
        """The newest of the practice's own versions of this packet."""
        return self.filter(key=key).order_by("-number").values_list("version", flat=True).first()

    def all_in_use(self) -> dict[str, str]:
        """By key, the newest of the practice's own versions."""
        return dict(self.order_by("number").values_list("key", "version"))


class PacketVersion(models.Model):
    """A packet as the practice published it: frozen for ever, so that an old answer always finds its words."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    key = models.CharField(max_length=KEY)
    version = models.CharField(max_length=VERSION)
    number = models.PositiveIntegerField()  # 1, 2, 3 of this packet
    base = models.CharField(max_length=VERSION, blank=True, default="")  # the version that its draft began from
    rows = models.JSONField()
    sha256 = models.CharField(max_length=64)
    changes = models.JSONField(default=list)  # in words, against the version that was in use
    reason = SealedField()
    published_by = models.ForeignKey("practice.User", on_delete=models.PROTECT, related_name="+")
    published_at = models.DateTimeField()

    objects: ClassVar[Any] = PacketVersionQuerySet.as_manager()

    class Privacy:
        plain = [
            "id",
            "key",
            "version",
            "number",
            "base",
            "rows",
            "sha256",
            "changes",
            "reason",
            "published_by",
            "published_at",
        ]

    class Meta:
        ordering = ["key", "-number"]
        constraints = [
            models.UniqueConstraint(fields=["key", "number"], name="own_packet_number"),
            models.UniqueConstraint(fields=["key", "version"], name="own_packet_version"),
        ]

    def __str__(self) -> str:
        return f"{self.key} {self.version}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            raise ValueError("A published version is never changed.")
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> Any:
        raise ValueError("A published version is never deleted.")

    def checked_rows(self) -> dict[str, Any]:
        """The rows as they were published. Raises ValueError when somebody changed them behind our back."""
        if digest_of(self.rows) != self.sha256:
            raise ValueError(f"The packet {self} is not as it was published.")
        found: dict[str, Any] = self.rows
        return found


class PacketDraft(models.Model):
    """The next version of a packet while it is edited: one for each packet. `version` counts its changes."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    key = models.CharField(max_length=KEY, unique=True)
    base = models.CharField(max_length=VERSION, blank=True, default="")  # "" for a new packet
    rows = models.JSONField()
    version = models.PositiveIntegerField(default=1)
    begun_by = models.ForeignKey("practice.User", on_delete=models.PROTECT, related_name="+")
    begun_at = models.DateTimeField()
    changed_by = models.ForeignKey("practice.User", on_delete=models.PROTECT, related_name="+")
    changed_at = models.DateTimeField()

    class Privacy:
        plain = ["id", "key", "base", "rows", "version", "begun_by", "begun_at", "changed_by", "changed_at"]

    class Meta:
        ordering = ["key"]

    def __str__(self) -> str:
        return f"{self.key} draft"

    def change(self, rows: dict[str, Any], *, by: Any, at: datetime) -> None:
        """Keep these rows as the draft."""
        PacketDraft.objects.filter(pk=self.pk).update(rows=rows, version=F("version") + 1, changed_by=by, changed_at=at)
        self.refresh_from_db()


class PacketStart(models.Model):
    """When a client joins this group, this packet goes out to them by itself (feature A7). None at first."""

    class Group(models.TextChoices):
        NEW = "new", _("is new here")
        REFERRED = "referred", _("is referred to a clinic")
        KAP = "kap", _("begins a plan of sessions here")
        REMOTE = "remote", _("is to be treated at home")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    group = models.CharField(max_length=12, choices=Group.choices)
    site = models.ForeignKey("practice.Site", on_delete=models.CASCADE, null=True, blank=True, related_name="+")
    packet = models.CharField(max_length=KEY)
    by = models.ForeignKey("practice.User", on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField()

    class Privacy:
        plain = ["id", "group", "site", "packet", "by", "at"]

    class Meta:
        ordering = ["group", "at"]
        constraints = [
            models.UniqueConstraint(fields=["group", "site", "packet"], name="packet_start_once"),
            models.UniqueConstraint(
                fields=["group", "packet"], condition=Q(site=None), name="packet_start_once_everywhere"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.group} {self.packet}"
