"""The key ring: which secret serves which purpose. Read once at start; never in the database, never in a backup.

The ring is a text of lines `purpose:number:base64`. The highest number of a purpose is the one in use; older ones can
still open what they sealed. Purposes: `seal` (columns), `index` (finding a person), `audit` (the chain), `link`
(invitation links), `django` (sessions and forms).
"""

import base64
import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path

PURPOSES = ("seal", "index", "audit", "link", "django")


class KeyTrouble(RuntimeError):
    """The ring is missing, unreadable or lacks a key; the message says what to do."""


@dataclass(frozen=True)
class KeyRing:
    keys: dict[str, dict[int, bytes]] = field(repr=False)

    def current(self, purpose: str) -> tuple[int, bytes]:
        """Return the number and the 32 bytes of the key in use. Raises KeyTrouble when the ring has none."""
        numbered = self.keys.get(purpose)
        if not numbered:
            raise KeyTrouble(
                f"The key ring has no '{purpose}' key. Run `manage.py keys create` on a new installation, or put "
                "back the ring this data was written with. Nothing was changed."
            )
        number = max(numbered)
        return number, numbered[number]

    def get(self, purpose: str, number: int) -> bytes:
        try:
            return self.keys[purpose][number]
        except KeyError:
            raise KeyTrouble(f"The key ring has no '{purpose}' key number {number}. Put that line back.") from None

    def django_secret(self) -> str:
        """A per-process secret when there is no ring yet, so that `keys create` itself can run."""
        if "django" not in self.keys:
            return secrets.token_urlsafe(48)
        return base64.b64encode(self.current("django")[1]).decode()

    def text(self) -> str:
        return "".join(
            f"{purpose}:{number}:{base64.b64encode(key).decode()}\n"
            for purpose in self.keys
            for number, key in sorted(self.keys[purpose].items())
        )

    def with_new(self, purpose: str) -> "KeyRing":
        numbered = dict(self.keys.get(purpose, {}))
        numbered[max(numbered, default=0) + 1] = secrets.token_bytes(32)
        return KeyRing({**self.keys, purpose: numbered})


def parse(text: str) -> KeyRing:
    """Raises KeyTrouble on a line that is not `purpose:number:base64 of 32 bytes`."""
    keys: dict[str, dict[int, bytes]] = {}
    for line in filter(None, (raw.strip() for raw in text.splitlines())):
        try:
            purpose, number, encoded = line.split(":")
            key = base64.b64decode(encoded, validate=True)
            if purpose not in PURPOSES or len(key) != 32:
                raise ValueError
            keys.setdefault(purpose, {})[int(number)] = key
        except ValueError:
            raise KeyTrouble("The key ring has a line that is not 'purpose:number:key'. Nothing was changed.") from None
    return KeyRing(keys)


def ring_from(text: str, path: Path) -> KeyRing:
    if text:
        return parse(text)
    try:
        return parse(path.read_text())
    except FileNotFoundError:
        return KeyRing({})


def write(ring: KeyRing, path: Path) -> None:
    """Write the ring for its owner alone (0600), never half."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(path.name + ".new")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as out:
        out.write(ring.text())
        out.flush()
        os.fsync(out.fileno())
    draft.replace(path)
