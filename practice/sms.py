"""Text messages leave through a gateway: one method. The default writes them to files, as the demo's outbox."""

import json
import urllib.request
from pathlib import Path
from typing import Protocol
from uuid import uuid4

from django.conf import settings
from django.utils.module_loading import import_string

TIMEOUT_S = 10


class Gateway(Protocol):
    def send(self, *, to: str, text: str, key: str) -> None:
        """Send, or raise OSError. `key` is the same for a repeated try of the same message."""


class FileGateway:
    def send(self, *, to: str, text: str, key: str) -> None:
        folder = Path(settings.DATA_DIR) / "sms"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{key or uuid4()}.txt").write_text(f"To: {to}\n\n{text}\n")


class HTTPGateway:
    """Posts {"to", "text"} as JSON to SMS_URL with a bearer token and an Idempotency-Key."""

    def send(self, *, to: str, text: str, key: str) -> None:
        request = urllib.request.Request(  # noqa: S310  SMS_URL is the operator's own setting
            settings.SMS_URL,
            data=json.dumps({"to": to, "text": text}).encode(),
            headers={
                "Content-Type": "application/json",
                "Authorization": f"Bearer {settings.SMS_TOKEN}",
                "Idempotency-Key": key,
            },
        )
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:  # noqa: S310  as above
            answer.read(1024)


def gateway() -> Gateway:
    found: Gateway = import_string(settings.SMS_GATEWAY)()
    return found
