"""Sealed columns: AES-256-GCM, bound to row and field, and keyed indexes for finding a sealed value again.

A ciphertext is `0x01 · key number (2 bytes) · nonce (12) · ciphertext and tag`. The associated data names model, row
and field, so a ciphertext that is moved to another row or column does not open.
"""

import hashlib
import hmac
import json
import secrets
import unicodedata
from typing import TYPE_CHECKING, Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings
from django.core.exceptions import FieldError
from django.db import models
from django.db.models.query_utils import DeferredAttribute


class Tampered(ValueError):
    """A sealed value does not belong to this row and field, or was changed."""


def seal(plain: bytes, about: str) -> bytes:
    number, key = settings.KEY_RING.current("seal")
    head = b"\x01" + number.to_bytes(2, "big")
    nonce = secrets.token_bytes(12)
    return head + nonce + AESGCM(key).encrypt(nonce, plain, head + about.encode())


def unseal(blob: bytes, about: str) -> bytes:
    """Raises Tampered when the bytes do not belong to `about`, KeyTrouble when the ring lacks their key."""
    if len(blob) < 31 or blob[0] != 1:
        raise Tampered(f"{about}: not a sealed value")
    key = settings.KEY_RING.get("seal", key_number(blob))
    try:
        return AESGCM(key).decrypt(blob[3:15], blob[15:], blob[:3] + about.encode())
    except InvalidTag:
        raise Tampered(f"{about}: this value was changed or belongs to another row") from None


def key_number(blob: bytes) -> int:
    return int.from_bytes(blob[1:3], "big")


def normalise(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def blind(purpose: str, text: str) -> str:
    """Return 32 hex digits that are equal for equal (normalised) texts and tell nothing without the index key.

    A phone number is its last ten digits, however it was written.
    """
    _, key = settings.KEY_RING.current("index")
    plain = "".join(c for c in text if c.isdecimal())[-10:] if purpose == "phone" else normalise(text)
    return hmac.new(key, f"{purpose}|{plain}".encode(), hashlib.sha256).hexdigest()[:32]


def link_token(purpose: str, pk: Any, generation: int) -> str:
    """Return a link's token, 64 hex digits made from the link key: it is not stored, and one purpose is no other."""
    _, key = settings.KEY_RING.current("link")
    return hmac.new(key, f"{purpose}|{pk}|{generation}".encode(), hashlib.sha256).hexdigest()


class Sealed:
    """A ciphertext as it came from the database; opened once, when somebody looks."""

    __slots__ = ("blob", "opened", "plain")

    def __init__(self, blob: bytes) -> None:
        self.blob, self.opened, self.plain = blob, False, None

    def __repr__(self) -> str:
        return f"<sealed {len(self.blob)} bytes, key {key_number(self.blob)}>"


class SealedAttribute(DeferredAttribute):
    field: "SealedField"

    def __get__(self, instance: Any, cls: Any = None) -> Any:
        if instance is None:
            return self
        value = super().__get__(instance, cls)
        if not isinstance(value, Sealed):
            return self.field.empty() if value is None else value
        if not value.opened:
            value.plain = self.field.decode(unseal(value.blob, self.field.about(instance)))
            value.opened = True
        return value.plain

    def __set__(self, instance: Any, value: Any) -> None:  # makes this a data descriptor, so that __get__ is asked
        instance.__dict__[self.field.attname] = value


if TYPE_CHECKING:
    _Bytes = models.Field[Any, Any]

else:
    _Bytes = models.BinaryField


class SealedField(_Bytes):
    """Text that only this row and field can open. Empty text is stored as NULL."""

    descriptor_class = SealedAttribute
    empty_strings_allowed = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs |= {"null": True, "blank": True, "editable": True}
        kwargs.pop("max_length", None)
        super().__init__(*args, **kwargs)

    def deconstruct(self) -> Any:
        name, path, args, kwargs = super().deconstruct()
        for key in ("null", "blank", "editable"):
            kwargs.pop(key, None)
        return name, path, args, kwargs

    def about(self, instance: models.Model) -> str:
        return f"{instance._meta.label_lower}|{instance.pk}|{self.name}"

    def empty(self) -> Any:
        return ""

    def encode(self, value: Any) -> bytes:
        return str(value).encode("utf-8")

    def decode(self, plain: bytes) -> Any:
        return plain.decode("utf-8")

    def is_empty(self, value: Any) -> bool:
        return value is None or value == ""

    def get_default(self) -> Any:
        return None

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> Any:
        return None if value is None else Sealed(bytes(value))

    def pre_save(self, model_instance: models.Model, add: bool) -> Any:
        value = model_instance.__dict__.get(self.attname)
        if isinstance(value, Sealed):
            return value
        if self.is_empty(value):
            return None
        return Sealed(seal(self.encode(value), self.about(model_instance)))

    def get_db_prep_value(self, value: Any, connection: Any, prepared: bool = False) -> Any:
        if value is None:
            return None
        if isinstance(value, Sealed):
            return connection.Database.Binary(value.blob)
        raise TypeError(f"{self.name} is sealed: set it on the instance and save, it cannot be written in bulk")

    def get_lookup(self, lookup_name: str) -> Any:
        if lookup_name == "isnull":
            return super().get_lookup(lookup_name)
        raise FieldError(f"{self.name} is sealed and cannot be searched; use its index column")

    def value_to_string(self, obj: models.Model) -> str:
        return "<sealed>"


class SealedBytes(SealedField):
    """A file that only this row and field can open."""

    def empty(self) -> Any:
        return b""

    def encode(self, value: Any) -> bytes:
        return bytes(value)

    def decode(self, plain: bytes) -> Any:
        return plain

    def is_empty(self, value: Any) -> bool:
        return value is None or value == b""


class SealedJSON(SealedField):
    """A JSON value that only this row and field can open."""

    def empty(self) -> Any:
        return None

    def encode(self, value: Any) -> bytes:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8")

    def decode(self, plain: bytes) -> Any:
        return json.loads(plain)

    def is_empty(self, value: Any) -> bool:
        return value is None
