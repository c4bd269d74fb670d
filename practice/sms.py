"""Text messages leave and come in through a gateway: two methods. The default writes them to files, as an outbox.

What comes in is signed by the service with a key that only it and we have, over the moment and the body as sent.
"""

import hmac
import json
import re
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, Protocol
from uuid import uuid4

from django.conf import settings
from django.utils.module_loading import import_string

TIMEOUT_S = 10
LONGEST_BODY = 64 * 1024
FRESH_S = 300  # as long as Stripe and Slack take a signed message for fresh; the id stops a second use within it
NUMBER = re.compile(r"\+?\d{5,15}")  # five digits: a short code; fifteen: E.164


class NotSigned(Exception):
    """What came in was not made by the service we know, or not lately."""


class NotReadable(Exception):
    """The service signed something that is not a text message; says what is missing."""


@dataclass(frozen=True)
class Incoming:
    """A text that somebody sent us. `id` is the service's own, the same however often it hands this text over."""

    id: str
    number: str
    words: str


class Gateway(Protocol):
    def send(self, *, to: str, text: str, key: str) -> None:
        """Send, or raise OSError. `key` is the same for a repeated try of the same message."""

    def read(self, headers: Mapping[str, str], body: bytes, *, at: datetime) -> Incoming:
        """Return the text that the service hands over, or raise NotSigned or NotReadable."""


class FileGateway:
    def send(self, *, to: str, text: str, key: str) -> None:
        folder = Path(settings.DATA_DIR) / "sms"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{key or uuid4()}.txt").write_text(f"To: {to}\n\n{text}\n")

    def read(self, headers: Mapping[str, str], body: bytes, *, at: datetime) -> Incoming:
        return read_signed(headers, body, at=at)


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

    def read(self, headers: Mapping[str, str], body: bytes, *, at: datetime) -> Incoming:
        return read_signed(headers, body, at=at)


def read_signed(headers: Mapping[str, str], body: bytes, *, at: datetime) -> Incoming:
    """{"id", "from", "text"} as JSON, with X-Timestamp (Unix seconds) and X-Signature over "timestamp.body"."""
    stamp, given = headers.get("X-Timestamp", ""), headers.get("X-Signature", "")
    if not stamp.isascii() or not stamp.isdecimal() or len(stamp) > 12:
        raise NotSigned
    if not hmac.compare_digest(sign(stamp, body).encode(), given.encode("utf-8", "replace")):
        raise NotSigned
    if abs(at.timestamp() - int(stamp)) > FRESH_S:
        raise NotSigned
    return _incoming(body)


def sign(stamp: str, body: bytes) -> str:
    made = hmac.new(settings.SMS_IN_SECRET.encode(), f"{stamp}.".encode() + body, sha256)
    return f"sha256={made.hexdigest()}"


def _incoming(body: bytes) -> Incoming:
    try:
        found: Any = json.loads(body)
    except (ValueError, RecursionError):
        raise NotReadable("The body is not JSON.") from None
    said = found if isinstance(found, dict) else {}
    key, number, words = (said.get(name) for name in ("id", "from", "text"))
    if not (isinstance(key, str) and isinstance(number, str) and isinstance(words, str)):
        raise NotReadable("It needs id, from and text.")
    number = re.sub(r"[\s().-]", "", number)
    if not 0 < len(key) <= 200 or not NUMBER.fullmatch(number):
        raise NotReadable("The id or the number cannot be read.")
    return Incoming(key, number, words)


def gateway() -> Gateway:
    found: Gateway = import_string(settings.SMS_GATEWAY)()
    return found
