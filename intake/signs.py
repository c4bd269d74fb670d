"""Safety signs of a sitting: which safety rules the answers fire, from the first answer on. Pure.

Rules are those of practice/clinical/rules/1-safety.toml, run on what was said so far. A question that was not reached
yet is not a blank; one that was skipped is. Nothing here waits for a total, a pre-screen or the end of the form.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from intake.flow import Replies, is_sign, score_of, value_of, words
from intake.models import TrustedPerson
from intake.packet import Packet, Page
from practice.clinical import brought, fit, table
from practice.clinical.instrument import Instrument
from practice.clinical.risk import ASQ, ASQ_PROVED, CSSRS, ITEM9_HIGH, PROVED, support_level
from practice.clinical.scoring import Score, worst
from practice.language import HOUSE, said_in

GUARDIAN = "guardian"  # how an answer came that a guardian gave
SKIPPED_RULE = "SR-07"
OWN_ITEM = {"id": "own-item", "version": "1"}  # a suicide item of an instrument that the practice brought
NOT_SAFE = {"id": "safe-now", "version": "1"}  # "Are you safe right now?" answered no or not sure
ITEM9 = ("phq-9", "phq9-9")
# The screens with a level: (instrument, the input of the table, that of a blank, the levels that a yes proves).
SCREENS = (
    (CSSRS, "cssrs_level", "cssrs_incomplete", PROVED),
    (ASQ, "asq_result", "asq_incomplete", ASQ_PROVED),
)


@dataclass(frozen=True, slots=True)
class Fired:
    severity: str
    rules: tuple[dict[str, str], ...]

    @property
    def ids(self) -> set[str]:
        return {rule["id"] for rule in self.rules}


def fired(packet: Packet, shown: Sequence[Page], replies: Replies, *, final: bool = False) -> Fired | None:
    """Return what the safety answers fire, None when nothing. `final`: the form was sent, so a blank is a blank."""
    found = picture(packet, shown, replies, final=final)
    holding = [rule for rule in table.rules() if rule.category == "safety" and table.evaluate(rule.when, found)]
    ids = {rule.id for rule in holding}
    kept = [rule for rule in holding if not ids.intersection(rule.superseded_by)]
    rules = [{"id": rule.id, "version": rule.version} for rule in kept]
    severities = [rule.severity for rule in kept]
    for page in shown:
        if not page.positive and not _is_own(page):
            continue
        if is_sign(page, value := value_of(replies, page.slug)):
            rule = NOT_SAFE if page.positive else OWN_ITEM
            if rule not in rules:
                rules.insert(0, dict(rule))
            severities.append("urgent" if page.positive else own_severity(value, found))
        elif _is_blank(page, replies, final) and SKIPPED_RULE not in ids:
            skipped = table.rule(SKIPPED_RULE)
            ids.add(SKIPPED_RULE)
            rules.append({"id": skipped.id, "version": skipped.version})
            severities.append(skipped.severity)
    return Fired(worst(severities), tuple(rules)) if rules else None


def _is_own(page: Page) -> bool:
    """Whether this is a suicide item of a brought instrument: the table has none, so it is read as item 9 is."""
    return page.safety and page.instrument in brought.known()


def own_severity(value: Any, known: Mapping[str, Any]) -> str:
    """As SR-05 and SR-06 for item 9: urgent from 2 on until the C-SSRS was answered to its end. OWN."""
    answered = known.get("cssrs_level") is not None and not known.get("cssrs_incomplete")
    return "urgent" if value >= ITEM9_HIGH and not answered else "priority"


def of_history(instrument: Instrument, result: Score) -> Fired | None:
    """What the safety answers of one past assessment fire by themselves."""
    known = fit.picture({result.instrument: result}, {}) if result.safety else {}
    holding = [rule for rule in table.rules() if rule.category == "safety" and table.evaluate(rule.when, known)]
    ids = {rule.id for rule in holding}
    kept = [rule for rule in holding if not ids.intersection(rule.superseded_by)]
    rules = [{"id": rule.id, "version": rule.version} for rule in kept]
    severities = [rule.severity for rule in kept]
    if instrument.key in brought.known():
        given = [value for _link_id, value in result.safety]
        if values := [value for value in given if value]:
            rules.append(dict(OWN_ITEM))
            severities.append(own_severity(max(values), {}))
        if None in given:
            blank = table.rule(SKIPPED_RULE)
            rules.append({"id": blank.id, "version": blank.version})
            severities.append(blank.severity)
    return Fired(worst(severities), tuple(rules)) if rules else None


def picture(packet: Packet, shown: Sequence[Page], replies: Replies, *, final: bool) -> dict[str, Any]:
    """Return the safety inputs of the decision table as far as they are known."""
    found: dict[str, Any] = {}
    item9 = next((page for page in shown if (page.instrument, page.link_id) == ITEM9), None)
    if item9 is not None:
        value = value_of(replies, item9.slug)
        if value is not None:
            found["phq9_item9"] = value
        elif _is_blank(item9, replies, final):
            found["phq9_item9"] = "unanswered"
    for key, result, incomplete, proved in SCREENS:
        asked = [page for page in shown if page.instrument == key and page.safety]
        if asked:
            pending = not final and any(page.slug not in replies for page in asked)
            level = score_of(packet, key, replies).level
            if level in proved or not pending:
                found[result] = level
            found[incomplete] = any(_is_blank(page, replies, final) for page in asked)
    return found


def _is_blank(page: Page, replies: Replies, final: bool) -> bool:
    reply = replies.get(page.slug)
    return final if reply is None else reply.skipped or reply.value is None


def level(packet: Packet, shown: Sequence[Page], replies: Replies) -> str:
    """Return which support page fits: high, moderate, low, skipped or "" (ux section 4). Never shown to the client."""
    if any(is_sign(page, value_of(replies, page.slug)) for page in shown if page.positive):
        return "high"
    found = picture(packet, shown, replies, final=False)
    cssrs = found.get("cssrs_level")
    said = [found.get("phq9_item9"), *(value_of(replies, page.slug) for page in shown if _is_own(page))]
    asq = found.get("asq_result", "")
    said.append(ASQ_PROVED.index(asq) + 1 if asq in ASQ_PROVED else 0)  # near, as item 9 of 1 and of 2
    worst_item = max((value for value in said if isinstance(value, int)), default=0)
    complete = cssrs is not None and not found.get("cssrs_incomplete")
    found_level = support_level(worst_item, cssrs, complete=complete)
    skipped = any(_is_blank(page, replies, False) for page in shown if page.safety)
    return found_level or ("skipped" if skipped else "")


def is_bridge(packet: Packet, shown: Sequence[Page], replies: Replies) -> bool:
    """Whether item 9, or one like it, said yes and the further questions have not begun: the bridge comes first."""
    items = [page for page in shown if (page.instrument, page.link_id) == ITEM9 or _is_own(page)]
    said = any(is_sign(page, value_of(replies, page.slug)) for page in items)
    asked = [page for page in shown if page.instrument == CSSRS]
    return said and bool(asked) and not any(page.slug in replies for page in asked)


def is_asking(shown: Sequence[Page], replies: Replies) -> bool:
    """Whether a question of the C-SSRS is still open."""
    return any(page.instrument == CSSRS and page.slug not in replies for page in shown)


def since(moment: datetime, shown: Sequence[Page], replies: Mapping[str, Any]) -> bool:
    """Whether a sign was given, or a safety question passed over, after `moment`."""
    return any(
        reply.at > moment and (reply.skipped or is_sign(page, reply.value))
        for page in shown
        if page.safety and (reply := replies.get(page.slug)) is not None
    )


def person_words(person: TrustedPerson) -> str:
    """A guardian as staff read of them: "Ana Whitehorse, mother, guardian"."""
    kind = str(person.get_kind_display()).lower()
    return ", ".join(part for part in (person.name, person.relation, kind) if part)


def lines(shown: Sequence[Page], replies: Replies) -> list[dict[str, Any]]:
    """Return the safety answers so far as an alert keeps them: the question's wording and the answer's label.

    With "how" and "who" where staff entered what the client said, or a guardian answered for them.
    """
    found = []
    for page in shown:
        reply = replies.get(page.slug)
        if not page.safety or reply is None:
            continue
        said = words(page, None if reply.skipped else reply.value)
        found.append(
            {
                "instrument": page.instrument,
                "link_id": page.link_id or page.slug,
                "question": page.text,
                "answer": ", ".join(said) if said else "Skipped on purpose",
                "positive": is_sign(page, None if reply.skipped else reply.value),
                "at": reply.at.isoformat() if hasattr(reply, "at") else "",
            }
        )
        by = getattr(reply, "entered_by", None)
        if by is not None:
            found[-1] |= {"how": getattr(reply, "entered_how", ""), "who": by.name}
        person = getattr(reply, "answered_by", None)
        if person is not None:
            found[-1] |= {"how": GUARDIAN, "who": said_in(HOUSE, person_words, person)}
    return found
