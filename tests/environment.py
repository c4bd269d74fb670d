"""Loaded before Django's settings: the environment of a test run. Nothing of the machine's own installation is used."""

import base64
import os
import tempfile
from pathlib import Path

HOME = Path(tempfile.mkdtemp(prefix="waymark-test-"))


def _key(letter: str) -> str:
    return base64.b64encode(letter.encode() * 32).decode()


os.environ |= {
    "DATA_DIR": str(HOME / "data"),
    "KEYS_PATH": str(HOME / "keys" / "ring"),
    "KEYS": "\n".join(f"{p}:1:{_key(p[0])}" for p in ("seal", "index", "audit", "link", "django")),
    "ORIGIN": "http://testserver",
    "STATIC_ROOT": str(HOME / "static"),
    "LOG_LEVEL": "WARNING",
}
(HOME / "static").mkdir()
for name in ("DEMO", "EMAIL_URL", "CELERY_BROKER_URL", "SMS_URL"):
    os.environ.pop(name, None)
