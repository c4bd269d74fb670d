from __future__ import annotations

from typing import Any, ClassVar

from django.db import models


class KioskTry(models.Model):
    """A wrong code typed at /kiosk/: when, and a keyed digest of the address. What was typed is kept nowhere."""

    id = models.BigAutoField(primary_key=True)
    at = models.DateTimeField()
    origin_index = models.CharField(max_length=32)

    objects: ClassVar[models.Manager[Any]] = models.Manager()

    class Privacy:
        identifying = ["origin_index"]
        plain = ["id", "at"]

    class Meta:
        indexes = [models.Index(fields=["at", "origin_index"], name="kiosk_try_origin")]

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M}"
