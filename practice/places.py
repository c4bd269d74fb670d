"""A place in a long list as a key in the address, so that page two is as quick as page one and nobody is skipped."""

import base64
import binascii
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Q, QuerySet

from practice.keys import KeyTrouble
from practice.sealed import Tampered, seal, unseal

LONGEST = 400


@dataclass(frozen=True)
class Stretch:
    rows: Sequence[Any]
    next: str  # the place after these rows, "" at the end
    is_first: bool


def stretch(rows: QuerySet[Any], order: list[str], about: str, after: str, size: int) -> Stretch:
    """Return the next `size` rows after this place, in the order of these columns ("-at" falls); the last is the key.

    `about` names the list: a place of another list, or one that was changed by hand, is the beginning.
    """
    place = read(after, about, len(order))
    found = rows.order_by(*order)
    if place:
        found = found.filter(beyond(order, place))
    read_rows = list(found[: size + 1])
    last = read_rows[size - 1] if len(read_rows) > size else None
    following = write([getattr(last, name.lstrip("-")) for name in order], about) if last else ""
    return Stretch(read_rows[:size], following, is_first=not place)


def beyond(order: list[str], place: list[Any]) -> Q:
    """Rows after this place: further on in the first column, or equal there and further on in the next, and so on."""
    found, same = Q(), Q()
    for name, value in zip(order, place, strict=True):
        column = name.lstrip("-")
        found |= same & Q(**{f"{column}__{'lt' if name.startswith('-') else 'gt'}": value})
        same &= Q(**{column: value})
    return found


def write(place: list[Any], about: str) -> str:
    plain = [{"at": v.isoformat()} if isinstance(v, datetime) else v if isinstance(v, int) else str(v) for v in place]
    return base64.urlsafe_b64encode(seal(json.dumps(plain).encode(), f"place|{about}")).decode()


def read(text: str, about: str, length: int) -> list[Any] | None:
    """Sealed, so that nothing of a client's state stands in an address, and nothing but our own places is obeyed."""
    if not text or len(text) > LONGEST:
        return None
    try:
        plain = json.loads(unseal(base64.urlsafe_b64decode(text.encode("ascii", "strict")), f"place|{about}"))
    except (Tampered, KeyTrouble, LookupError, ValueError, binascii.Error):
        return None
    place = [datetime.fromisoformat(v["at"]) if isinstance(v, dict) else v for v in plain]
    return place if len(place) == length else None
