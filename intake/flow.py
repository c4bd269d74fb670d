"""Which pages a client sees, in which order, and what their answers say. Pure: packet and answers in, pages out."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Protocol

from django.utils.translation import gettext

from intake.packet import UNSET, Field, Packet, Page
from intake.spoken import title as title_of
from practice.clinical.instrument import Answers as ItemAnswers
from practice.clinical.instrument import Value, load
from practice.clinical.risk import CSSRS
from practice.clinical.scoring import Score, score
from practice.templatetags.ui import full_day


class Reply(Protocol):
    """An answer as kept: a value, or passed over on purpose."""

    skipped: bool

    @property
    def value(self) -> Any: ...


Replies = Mapping[str, Reply]


@dataclass(frozen=True, slots=True)
class World:
    """What the pages hang on besides the answers."""

    screen_everyone: bool = False
    alerted: bool = False
    """A suicidal sign was given in this sitting, whatever it was changed to since."""
    closed: frozenset[str] = frozenset()
    """Instruments that may not be asked any more: their permission has ended. What was answered before stays."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page stands: section n of m, question k of l."""

    section: int
    sections: int
    title: str
    question: int
    questions: int

    @property
    def share(self) -> float:
        return (self.question - 1) / self.questions


def value_of(replies: Replies, slug: str) -> Any:
    reply = replies.get(slug)
    return None if reply is None or reply.skipped else reply.value


# --- Which pages -----------------------------------------------------------------------------------------------------


def pages(packet: Packet, replies: Replies, world: World) -> list[Page]:
    """Return the pages to show, given the answers so far."""
    items: dict[str, ItemAnswers] = {}
    found = []
    for page in packet.pages:
        if page.instrument in world.closed and page.slug not in replies:
            continue
        if page.show_when and not _holds(page.show_when, packet, replies, world):
            continue
        if page.instrument:
            given = items.setdefault(page.instrument, item_answers(packet, page.instrument, replies))
            if not page.item.applies(given):
                continue
        found.append(page)
    return found


def left_out(packet: Packet, replies: Replies, world: World) -> bool:
    """Whether something of this packet is not asked any more because its permission has ended."""
    return any(page.instrument in world.closed and page.slug not in replies for page in packet.pages)


def _holds(condition: Mapping[str, Any], packet: Packet, replies: Replies, world: World) -> bool:
    if "any" in condition:
        return any(_holds(each, packet, replies, world) for each in condition["any"])
    if "sign" in condition:
        return world.alerted or suicidal_sign(packet, replies)
    if "screen_everyone" in condition:
        return world.screen_everyone
    if "instrument" in condition:
        return score_of(packet, condition["instrument"], replies).band in condition["band"]
    value = value_of(replies, condition["page"])
    return value not in condition["not_in"] if "not_in" in condition else value in condition["in"]


def suicidal_sign(packet: Packet, replies: Replies) -> bool:
    """Whether any safety answer stands above "no", or the C-SSRS was begun (what was begun is not taken away)."""
    return any(is_sign(page, value_of(replies, page.slug)) for page in packet.pages if page.safety) or any(
        page.slug in replies for page in packet.pages if page.instrument == CSSRS
    )


def is_sign(page: Page, value: Any) -> bool:
    """Whether this answer to a safety page is above "no"."""
    if value is None or not page.safety:
        return False
    return value in page.positive if page.positive else value != 0


def next_open(shown: Sequence[Page], replies: Replies, after: str = "") -> Page | None:
    """Return the first page without an answer after the page `after`, else the first of all, else None."""
    slugs = [page.slug for page in shown]
    start = slugs.index(after) + 1 if after in slugs else 0
    return next((page for page in [*shown[start:], *shown[:start]] if page.slug not in replies), None)


def following(shown: Sequence[Page], slug: str) -> Page | None:
    slugs = [page.slug for page in shown]
    at = slugs.index(slug) + 1 if slug in slugs else 0
    return shown[at] if at < len(shown) else None


def preceding(shown: Sequence[Page], slug: str) -> Page | None:
    slugs = [page.slug for page in shown]
    at = slugs.index(slug) if slug in slugs else 0
    return shown[at - 1] if at else None


def place(packet: Packet, shown: Sequence[Page], page: Page) -> Place:
    """Return where `page` stands. The last section is the check."""
    keys = list(dict.fromkeys(each.section for each in shown))
    here = [each.slug for each in shown if each.section == page.section]
    return Place(
        section=keys.index(page.section) + 1,
        sections=len(keys) + 1,
        title=title_of(packet, page.section),
        question=here.index(page.slug) + 1,
        questions=len(here),
    )


def minutes_left(packet: Packet, shown: Sequence[Page], replies: Replies) -> int:
    """Return the minutes of the sections that still have a question open, at least 1."""
    keys = {page.section for page in shown if page.slug not in replies}
    return max(1, sum(section.minutes for section in packet.sections if section.key in keys))


def is_answered(page: Page, reply: Reply | None) -> bool:
    """Whether a required page has all that it needs."""
    if reply is None or reply.skipped or reply.value in (None, "", {}):
        return False
    if page.kind != "group":
        return True
    value = reply.value
    if page.one_of and not any(value.get(key) for key in page.one_of):
        return False
    return all(value.get(each.key) for each in page.fields if each.required)


def missing(shown: Iterable[Page], replies: Replies) -> list[Page]:
    """Return the required pages that still lack an answer."""
    return [page for page in shown if page.required and not is_answered(page, replies.get(page.slug))]


# What is the client's alone to say: who they are, how they are reached, and who may be called for them. Asked of
# somebody else, it would let a third person turn codes and calls away from the client.
CLIENTS_OWN = frozenset({"reach", "contact", "private", "emergency", "support"})
CLIENTS_OWN_PAGES = frozenset({"names", "pronouns", "birth-date", "language", "place", "filled-by"})


def asked_of_guardian(shown: Iterable[Page]) -> list[Page]:
    """Return the pages that a guardian is asked for the client."""
    return [page for page in shown if page.applies not in CLIENTS_OWN and page.slug not in CLIENTS_OWN_PAGES]


# --- What the answers say --------------------------------------------------------------------------------------------


def item_answers(packet: Packet, instrument: str, replies: Replies) -> dict[str, Value | None]:
    """Return the answers to one instrument by link id; None where it was skipped, absent where it is blank."""
    return {
        page.link_id: value_of(replies, page.slug)
        for page in packet.pages
        if page.instrument == instrument and page.slug in replies
    }


def score_of(packet: Packet, instrument: str, replies: Replies, **known: Any) -> Score:
    version = next(page.version for page in packet.pages if page.instrument == instrument)
    return score(load(instrument, version), item_answers(packet, instrument, replies), **known)


def words(page: Page, value: Any) -> list[str]:
    """Return an answer in the words in which it was given, one line each; [] when there is none."""
    if page.kind == "agreement":
        return [gettext("Signed")] if value else []
    if page.kind == "one":
        return _said(page.only, value)
    if page.kind == "rows":
        if value == [] and page.none:
            return [page.none]
        return ["; ".join(_labelled(page.fields, row)) for row in value or [] if row]
    return _labelled(page.fields, value or {})


def _labelled(fields: Iterable[Field], row: Mapping[str, Any]) -> list[str]:
    return [
        f"{each.label.rstrip('?:')}: {', '.join(said)}" for each in fields if (said := _said(each, row.get(each.key)))
    ]


def _said(one: Field, value: Any) -> list[str]:
    if value is None or value == "":
        return []
    if one.type == "checks":
        return [choice.label for choice in one.choices if choice.code in value] or ([one.none] if one.none else [])
    if one.choices:
        choice = one.choice(value)
        return [choice.label if choice else str(value)]
    return [full_day(date.fromisoformat(value)) if one.type == "date" else str(value)]


def facts(packet: Packet, shown: Iterable[Page], replies: Replies, today: date) -> dict[str, Any]:
    """Return what the answers say in the words of the decision table. What is unsure stays unknown."""
    found: dict[str, Any] = {}
    for page in shown:
        value = value_of(replies, page.slug)
        if value is None:
            continue
        if page.fact and page.only.type == "checks":
            found[page.fact] = [choice.fact for choice in page.only.choices if choice.code in value]
        elif page.fact:
            choice = page.only.choice(value)
            if choice is not None and choice.fact is not UNSET:
                found[page.fact] = choice.fact
        elif page.kind == "group" and is_recent(page, value, today):
            found |= {one.fact: value[one.key] for one in page.fields if one.fact and value.get(one.key) is not None}
    if "mood_stabilizer" in found.get("meds", ()):
        found.setdefault("mood_stabilizer", True)
    return found


def is_recent(page: Page, value: Mapping[str, Any], today: date) -> bool:
    """Whether a reading is young enough to count; a page without such a limit always is."""
    if not page.recent:
        return True
    on = value.get(page.recent["field"])
    return on is not None and timedelta(0) <= today - date.fromisoformat(on) <= timedelta(days=page.recent["days"])
