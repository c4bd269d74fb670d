"""Instruments that a practice brought, with words of nobody's: published under a permission that stands."""

from datetime import date, datetime
from typing import Any

from practice import instruments
from practice.clinical import brought
from practice.models import InstrumentDraft, InstrumentPermission, InstrumentVersion, User
from tests.factories import NOW

PDF = b"%PDF-1.4 permission"


def wording(key: str, tongue: str = "Words", **more: Any) -> dict[str, Any]:
    """A whole wording: every question and answer says which it is."""
    facts = brought.facts(key)
    numbers = range(1, facts["items"] + 1)
    return {
        "instructions": f"{tongue} above",
        "notice": f"{tongue} of the owner",
        "items": [f"{tongue} {n}" for n in numbers],
        "answers": [f"{tongue} is {value}" for value in facts.get("values", range(1, 6))],
        "own": {n: [f"{tongue} {n} is {value}" for value in own] for n, own in facts.get("own_values", {}).items()},
        "turned": False,
        "follow": f"{tongue} follow" if "follow" in facts else "",
        "follow_answers": [f"{tongue} follow {value}" for value in facts.get("follow", ())],
    } | more


def permitted(by: User, key: str, at: datetime = NOW, **more: Any) -> InstrumentPermission:
    said: dict[str, Any] = {
        "holder": "The Holder of Rights",
        "reference": "Letter in the blue folder",
        "granted_on": date(2026, 1, 2),
        "expires_on": None,
        "languages": [],
        "file": b"",
        "replaces": "",
    }
    return instruments.state_permission(by=by, key=key, at=at, **(said | more))


def drafted(by: User, key: str, words: dict[str, Any] | None = None, language: str = "en", at: datetime = NOW) -> Any:
    draft = InstrumentDraft.objects.filter(instrument=key).first()
    return instruments.save_wording(
        by=by, key=key, language=language, wording=words or wording(key), version=draft.version if draft else 0, at=at
    )


def published(by: User, key: str, at: datetime = NOW, **permission: Any) -> InstrumentVersion:
    """This instrument in use, its first version."""
    permitted(by, key, at, **permission)
    draft = drafted(by, key, at=at)
    return instruments.publish(by=by, key=key, reason="First version", draft=draft.version, at=at)
