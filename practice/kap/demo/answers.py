"""What an invented person answers: one value for every page of a packet, from a few numbers and words."""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from intake import flow
from intake.packet import Field, Packet, Page
from practice.clinical import risk
from practice.clinical.instrument import Item

CSSRS = {  # the answers, 1 to 6, that prove a level
    "none": (0, 0, 0, 0, 0, 0),
    "low": (1, 0, 0, 0, 0, 0),
    "moderate": (1, 1, 1, 0, 0, 0),
    "high": (1, 1, 1, 1, 0, 0),
}
QUIET = ("no", "none", "0")  # the answer of somebody to whom a question does not apply
USUAL = {"count-on": "2", "adult-stays": "yes", "safe-home": "yes", "ride": "yes", "talk-therapy": "yes"} | {
    "ketamine-interest": "yes",
    "filled-by": "client",
    "safe-now": "yes",
    "concern": "depression",
}


@dataclass
class Reply:
    value: Any
    skipped: bool = False


@dataclass(frozen=True)
class Sitting:
    """The numbers behind one filled-in form."""

    phq9: int
    item9: int | None
    """None: passed over on purpose."""
    cssrs: str = ""
    gad7: int = 0
    trauma: int = 0

    @property
    def has_sign(self) -> bool:
        return self.item9 is None or self.item9 > 0


def spread(total: int, items: int, most: int, chance: random.Random) -> list[int]:
    """Return `items` answers from 0 to `most` that sum to `total`."""
    found = [0] * items
    while total > 0:
        place = chance.randrange(items)
        if found[place] < most:
            found[place] += 1
            total -= 1
    return found


def give(
    packet: Packet, person: Mapping[str, Any], numbers: Sitting, words: Mapping[str, Any], today: date
) -> dict[str, Reply]:
    """Return the answers to the pages that such a person is shown, in their order."""
    chance = random.Random(f"{person['name']} {numbers}")  # noqa: S311 (invented answers need no secrets)
    items = _items(numbers, chance)
    own = USUAL | _own(person, words, chance, today) | person.get("intake", {}).get("answers", {})
    replies: dict[str, Reply] = {}
    for page in packet.pages:
        if page.agreement:
            continue
        if page.link_id == "phq9-9" and numbers.item9 is None:
            replies[page.slug] = Reply(None, skipped=True)
        elif not page.instrument:
            replies[page.slug] = Reply(_value(page, own, chance))
        elif page.instrument != risk.CSSRS or numbers.cssrs:
            known = items.get(page.link_id)
            replies[page.slug] = Reply(_quiet_item(page.item, own, chance) if known is None else known)
    world = flow.World()
    while len(kept := {p.slug for p in flow.pages(packet, replies, world)} & set(replies)) < len(replies):
        replies = {slug: reply for slug, reply in replies.items() if slug in kept}
    return replies


def _items(numbers: Sitting, chance: random.Random) -> dict[str, int]:
    item9 = numbers.item9 or 0
    found = {f"phq9-{n}": v for n, v in enumerate(spread(numbers.phq9 - item9, 8, 3, chance), 1)} | {"phq9-9": item9}
    found["phq9-10"] = min(3, numbers.phq9 // 7)
    found |= {f"gad7-{n}": v for n, v in enumerate(spread(numbers.gad7, 7, 3, chance), 1)}
    found |= {f"cssrs-{n}": v for n, v in enumerate(CSSRS[numbers.cssrs or "none"], 1)}
    found["pcptsd5-0"] = int(numbers.trauma > 0)
    found |= {f"pcptsd5-{n}": int(n <= numbers.trauma) for n in range(1, 6)}
    return found | {f"pcl5-{n}": chance.choice((1, 2, 2, 3)) for n in range(1, 21)}


def _quiet_item(item: Item, own: Mapping[str, Any], chance: random.Random) -> Any:
    if item.link_id.startswith("peg-"):
        return own.get("peg", 3)
    if not item.options:
        return chance.randint(3, 7) if item.link_id.startswith(("bipf-", "wbs-")) else 0
    middle = len(item.options) // 2 if item.link_id.startswith(("bipf-", "wbs-")) else 0
    chosen = item.options[chance.randint(0, 1) if item.link_id.startswith("auditc-") else middle]
    return chosen.value if chosen.code == str(chosen.value) else chosen.code


def _own(person: Mapping[str, Any], words: Mapping[str, Any], chance: random.Random, today: date) -> dict[str, Any]:
    """The pages that say who they are."""
    support = person.get("support")
    close = dict(zip(("name", "relation", "may_talk"), support, strict=True)) if support else {}
    drugs = chance.sample(words["drugs"], 2)
    told = {"weeks": 10, "best_improvement_pct": "25", "stopped": "no_help", "most_days": "yes", "this_episode": "yes"}
    two = person.get("intake", {}).get("answers", {}).get("trials") == "two failed"
    rows = [{"drug": drug, "mg": mg, **told} for drug, mg in drugs] if two else []
    return {
        "reach": ["sms", "email", "voice"],
        "contact": {"phone": person["phone"], "email": person["email"]},
        "private": ["sms", "email"],
        "place": {"state": person.get("state", "NY")},
        "names": {"used": person["name"], "legal": person.get("legal", person["name"])},
        "pronouns": person["pronouns"],
        "birth-date": person["born"],
        "language": {"language": "Spanish" if person.get("language") == "es" else "English", "interpreter": "no"},
        "emergency-contact": close | {"phone": "+1 202 555 0178"} if close else None,
        "support-person": close | {"phone": "+1 202 555 0178"} if close else None,
        "story": chance.choice(words["story"]),
        "hopes": chance.choice(words["hopes"]),
        "medicines-now": [{"name": drugs[0][0], "dose": "once a day", "why": "mood"}],
        "trials-rows": rows,
        "allergies": person.get("allergies"),
        "blood-pressure": {"upper": 122, "lower": 78, "on": (today - timedelta(days=9)).isoformat()},
        "lives-with": "My partner" if support else "I live alone",
        "other-treatments": ["therapy"],
    }


def _value(page: Page, own: Mapping[str, Any], chance: random.Random) -> Any:
    if page.slug == "trials":
        return own["trials-rows"]
    if page.slug in own:
        return own[page.slug]
    if page.kind == "one":
        return _quiet_choice(page.only)
    return None


def _quiet_choice(field: Field) -> Any:
    if field.type == "checks":
        return []
    codes = [choice.code for choice in field.choices]
    return next((code for code in QUIET if code in codes), codes[0] if codes else None)
