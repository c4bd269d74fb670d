"""What of a packet stays as it is, and why: official wording, safety, what the rules and the record read. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any

from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from intake import packet, trials
from intake.build import Row, pages_of
from intake.models.packets import SIGNING
from practice.clinical.risk import CSSRS

OFFICIAL = _("Official wording: an instrument counts only in the words it was tested in.")
SAFETY = _("A safety question: it is asked in these words, at this place, of everyone it is for.")
RULES = _("The decision table reads this answer, by these words and choices.")
GATE = _("Other questions that are fixed open by this answer.")
RECORD = _("The answer goes into the client's details or into what a clinic gets.")
RECORD_OUT = _("Cannot be left out: the answer goes into the client's details or into what a clinic gets.")
SIGNED = _("A text to sign. Agreements have versions of their own.")

OWN = "own-"  # how the names of the practice's own questions, sections and packets begin

# Pages that the code reads by name: the client's details (intake.actions), what a clinic gets (referrals.sections),
# and how a course went (referrals.receivers).
READ = frozenset(
    {
        "names",
        "place",
        "pronouns",
        "birth-date",
        "filled-by",
        "language",
        "medicines-now",
        trials.PAGE,
        "other-treatments",
        "drug-details",
        "lives-with",
        "helped",
    }
)


def name(row: Row) -> str:
    """How a row of a packet is called in an address: the name of its first page."""
    if "instrument" in row:
        return pages_of({"show_when": {}, **row}, "", {}, {})[0].slug
    return f"agreement--{row['agreement'].replace('_', '-')}" if "agreement" in row else str(row["slug"])


def names(row: Row) -> tuple[str, ...]:
    """The names of all pages of a row."""
    if "instrument" in row:
        return tuple(page.slug for page in pages_of({"show_when": {}, **row}, "", {}, {}))
    return (name(row),)


def title(row: Row) -> str:
    """What a row asks, in one line."""
    if "instrument" not in row and "agreement" not in row:
        return str(row["text"])
    pages = pages_of({"show_when": {}, **row}, "", {}, {})
    if not pages[0].instrument:
        return pages[0].text
    named = pages[0].definition.title
    numbers = [n for n, item in enumerate(pages[0].definition.items, 1) if item in [page.item for page in pages]]
    if "items" not in row or not numbers:
        return named
    return ngettext("{title}, question {first}", "{title}, questions {first} to {last}", len(numbers)).format(
        title=named, first=numbers[0], last=numbers[-1]
    )


def rows(data: Mapping[str, Any]) -> Iterator[Row]:
    return (row for section in data["sections"] for row in section["pages"])


def why(data: Mapping[str, Any]) -> dict[str, Any]:
    """By name, why a row is fixed as a whole. A row that is not here has words that the practice may change."""
    found = {name(row): reason for row in rows(data) if (reason := _why(row))}
    by_name = {name(row): (section, row) for section in data["sections"] for row in section["pages"]}
    waiting = list(found)
    while waiting:  # whatever opens what is fixed is fixed, too
        section, row = by_name[waiting.pop()]
        for opens in opened_by(row.get("show_when", {})) | opened_by(section.get("show_when", {})):
            if opens in by_name and opens not in found:
                found[opens] = GATE
                waiting.append(opens)
    return found


def _why(row: Row) -> Any:
    if "instrument" in row:
        definition = pages_of({"show_when": {}, **row}, "", {}, {})[0].definition
        return SAFETY if row["instrument"] == CSSRS or definition.safety_items else OFFICIAL
    if "agreement" in row:
        return SIGNED
    if row.get("safety"):
        return SAFETY
    if row.get("fact") or row.get("recent") or any(each.get("fact") for each in row.get("fields", ())):
        return RULES
    return RECORD if row.get("fields") or (is_read(row) and row.get("options")) else ""


def is_safety(row: Row) -> bool:
    return _why(row) is SAFETY


def is_read(row: Row) -> bool:
    return bool(row.get("applies")) or row.get("slug") in READ


def may_leave_out(row: Row, fixed: Mapping[str, Any]) -> bool:
    """Whether this row may be left out by itself: the practice's own, and what nothing in Waymark reads."""
    if "instrument" in row:
        definition = pages_of({"show_when": {}, **row}, "", {}, {})[0].definition
        return not (definition.safety_items or definition.picture or row["instrument"] == CSSRS)
    return name(row) not in fixed and not is_read(row)


def opened_by(condition: Mapping[str, Any]) -> set[str]:
    """The pages whose answer opens a page with this condition."""
    if "any" in condition:
        return set().union(*(opened_by(each) for each in condition["any"]))
    return {condition["page"]} if "page" in condition else set()


def scored_by(condition: Mapping[str, Any]) -> set[str]:
    """The instruments whose result opens a page with this condition."""
    if "any" in condition:
        return set().union(*(scored_by(each) for each in condition["any"]))
    return {condition["instrument"]} if "instrument" in condition else set()


def is_closed(key: str) -> bool:
    """Whether this packet is run by another room: what clients are asked to sign again."""
    return key == SIGNING


def is_waymarks(key: str) -> bool:
    """Whether Waymark ships a packet of this name, so that its fixed pages stay in every version."""
    return key in packet.SHELF.paths
