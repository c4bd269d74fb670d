"""The rows of a draft: rewording, adding, moving, leaving out, and what may not be. Pure: rows in, rows out.

Every change gives new rows; `NotNow` says in a sentence why one is refused.
"""

import secrets
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

from django.utils.translation import gettext

from intake import fixed, packet
from intake.build import Row, pages_of
from practice.actions import NotNow
from practice.clinical.risk import CSSRS

Data = dict[str, Any]
TYPES = ("text", "words", "choice", "checks", "number", "date")
WITH_CHOICES = ("choice", "checks")
MOST_OWN = 40  # own questions in one packet
MOST_SECTIONS = 30


@dataclass(frozen=True, slots=True)
class Wording:
    """What an admin writes about one question."""

    text: str
    hint: str = ""
    choices: Sequence[str] = ()
    none: str = ""
    required: bool = False
    type: str = ""
    minimum: int | None = None
    maximum: int | None = None
    told: Mapping[str, str] = field(default_factory=dict)
    """Spanish, by the English words."""


def opened(data: Mapping[str, Any]) -> Data:
    """A copy in which every question holds its own choices, to be changed."""
    found = deepcopy(dict(data))
    shared = found.pop("options", {})
    for row in fixed.rows(found):
        for each in (row, *row.get("fields", ())):
            if isinstance(each.get("options"), str):
                each["options"] = deepcopy(shared[each["options"]])
    return found


def place(data: Data, name: str) -> tuple[Data, int]:
    """The section of a row, and where it stands there. Raises NotNow when it is not there any more."""
    for section in data["sections"]:
        for at, row in enumerate(section["pages"]):
            if fixed.name(row) == name:
                return section, at
    raise NotNow(gettext("This question is not in the draft any more."))


def row_of(data: Data, name: str) -> Row:
    section, at = place(data, name)
    found: Row = section["pages"][at]
    return found


def section_of(data: Data, key: str) -> Data:
    found: Data | None = next((each for each in data["sections"] if each["key"] == key), None)
    if found is None:
        raise NotNow(gettext("This section is not in the draft any more."))
    return found


# --- Words -----------------------------------------------------------------------------------------------------------


def reword(data: Data, name: str, said: Wording) -> Data:
    """Give a question the practice's words. Its kind, its codes and what reads them stay."""
    found = deepcopy(data)
    row = row_of(found, name)
    if fixed.why(found).get(name):
        raise NotNow(gettext("This question is fixed."))
    is_own = name.startswith(fixed.OWN)
    options = row.get("options", [])
    if is_own:
        row["options"] = [{"code": f"c{n}", "label": label} for n, label in enumerate(said.choices, 1)]
        row |= {"type": said.type, "minimum": said.minimum, "maximum": said.maximum}
    elif len(said.choices) != len(options):
        raise NotNow(gettext("Keep one line for each of the {n} choices.").format(n=len(options)))
    else:
        for option, label in zip(options, said.choices, strict=True):
            option["label"] = label
    row |= {"text": said.text, "hint": said.hint, "own": True}
    if is_own or row.get("none"):
        row["none"] = said.none
    if not fixed.is_read(row):
        row["required"] = said.required
    return _told(found, said.told)


def _told(data: Data, told: Mapping[str, str]) -> Data:
    spanish = data.setdefault("said", {}).setdefault("es", {})
    for words, translation in told.items():
        if translation:
            spanish[words] = translation
        else:
            spanish.pop(words, None)
    return data


def reword_section(data: Data, key: str, *, title: str, why: str, minutes: int, told: Mapping[str, str]) -> Data:
    found = deepcopy(data)
    section_of(found, key).update(title=title, why=why, minutes=minutes, own=True)
    return _told(found, told)


def rename(data: Data, *, title: str, offered: bool, told: Mapping[str, str]) -> Data:
    return _told(deepcopy(data) | {"title": title, "by_plan": not offered}, told)


# --- What is asked ---------------------------------------------------------------------------------------------------


def ask(data: Data, key: str, said: Wording) -> Data:
    """Add a question of the practice's own at the end of a section."""
    found = deepcopy(data)
    if sum(fixed.name(row).startswith(fixed.OWN) for row in fixed.rows(found)) >= MOST_OWN:
        raise NotNow(gettext("A packet takes at most {n} own questions.").format(n=MOST_OWN))
    slug = fixed.OWN + secrets.token_hex(4)
    section_of(found, key)["pages"].append({"slug": slug, "text": said.text, "type": said.type, "own": True})
    return reword(found, slug, said)


def leave_out(data: Data, name: str, *, out: bool) -> Data:
    found = deepcopy(data)
    row = row_of(found, name)
    if out and not fixed.may_leave_out(row, fixed.why(found)):
        raise NotNow(gettext("This question cannot be left out."))
    row["out"] = out
    return refuse_broken(found)


def may_leave_out_section(data: Data, key: str) -> bool:
    reasons = fixed.why(data)
    return all(fixed.may_leave_out(row, reasons) for row in section_of(data, key)["pages"])


def leave_out_section(data: Data, key: str, *, out: bool) -> Data:
    found = deepcopy(data)
    if out and not may_leave_out_section(found, key):
        raise NotNow(gettext("This section has questions that cannot be left out."))
    for row in section_of(found, key)["pages"]:
        row["out"] = out
    return refuse_broken(found)


def delete(data: Data, name: str) -> Data:
    """Take an own question out of the draft for good."""
    found = deepcopy(data)
    section, at = place(found, name)
    if not name.startswith(fixed.OWN):
        raise NotNow(gettext("Only your own questions can be deleted. Leave this one out instead."))
    del section["pages"][at]
    return refuse_broken(found)


def may_remove_section(data: Data, key: str) -> bool:
    """Whether the whole section was brought in by the practice."""
    shipped = {name for row in _shipped(data) for name in fixed.names(row)}
    return not any(name in shipped for row in section_of(data, key)["pages"] for name in fixed.names(row))


def remove_section(data: Data, key: str) -> Data:
    found = deepcopy(data)
    if not may_remove_section(found, key):
        raise NotNow(gettext("This section is part of Waymark's packet."))
    found["sections"] = [each for each in found["sections"] if each["key"] != key]
    return refuse_broken(found)


# --- Order -----------------------------------------------------------------------------------------------------------


def move(data: Data, name: str, step: int) -> Data:
    """Move a question one place up (-1) or down (1) in its section."""
    found = deepcopy(data)
    section, at = place(found, name)
    return _swap(found, section["pages"], at, step)


def move_section(data: Data, key: str, step: int) -> Data:
    found = deepcopy(data)
    return _swap(found, found["sections"], found["sections"].index(section_of(found, key)), step)


def _swap(data: Data, rows: list[Any], at: int, step: int) -> Data:
    to = at + step
    if not 0 <= to < len(rows):
        raise NotNow(gettext("It stands at the end already."))
    rows[at], rows[to] = rows[to], rows[at]
    return refuse_broken(data)


# --- What may not be -------------------------------------------------------------------------------------------------


def refuse_broken(data: Data) -> Data:
    wrong = problems(data)
    if wrong:
        raise NotNow(wrong[0])
    return data


def problems(data: Data) -> list[str]:
    """What stands against using these rows, in sentences; [] when nothing does."""
    return [*_late_safety(data), *_held_safety(data), *_without_screen(data), *_without_cause(data), *_changed(data)]


def missing(data: Data) -> list[str]:
    """What a draft still lacks before it can be published."""
    return [] if any(_asked(data)) else [gettext("The packet asks nothing yet.")]


def _asked(data: Data) -> list[Row]:
    return [row for row in fixed.rows(data) if not row.get("out")]


def _shipped(data: Data) -> list[Row]:
    if not fixed.is_waymarks(data["key"]):
        return []
    return list(fixed.rows(opened(packet.rows_of(data["key"], packet.newest_file(data["key"])))))


def _late_safety(data: Data) -> list[str]:
    """A safety question comes no later than Waymark asks it, and own questions wait for those of their section."""
    shipped = [fixed.name(row) for row in _shipped(data)]
    now = [fixed.name(row) for row in fixed.rows(data)]
    for section in data["sections"]:
        safety = [at for at, row in enumerate(section["pages"]) if fixed.is_safety(row)]
        for at, row in enumerate(section["pages"]):
            if safety and at < safety[-1] and fixed.name(row).startswith(fixed.OWN):
                return [gettext("Your own questions come after the safety questions of a section.")]
        for at in safety:
            name = fixed.name(section["pages"][at])
            if name in shipped:
                before = set(now[: now.index(name)]) & set(shipped)
                if before - set(shipped[: shipped.index(name)]):
                    return [gettext("A safety question is never asked later than Waymark asks it.")]
    return []


def _held_safety(data: Data) -> list[str]:
    """Nobody has to answer a question of the practice's before they come to a safety question."""
    must = {fixed.name(row) for row in _shipped(data) if row.get("required")}
    asked = _asked(data)
    last = max((at for at, row in enumerate(asked) if fixed.is_safety(row)), default=0)
    for row in asked[:last]:
        if row.get("own") and row.get("required") and fixed.name(row) not in must:
            said = gettext("“{title}” has to be answered, and a safety question comes after it. Let clients skip it.")
            return [said.format(title=fixed.title(row))]
    return []


def _without_screen(data: Data) -> list[str]:
    """Whoever is asked about suicide is asked the C-SSRS after a sign, and after all that may give one."""
    asked = _asked(data)
    screens = [at for at, row in enumerate(asked) if row.get("instrument") == CSSRS]
    gives = [at for at, row in enumerate(asked) if row.get("instrument") != CSSRS and _gives_sign(row)]
    if gives and (not screens or screens[-1] < gives[-1]):
        return [gettext("After a safety question the C-SSRS has to follow. It cannot be left out or come before.")]
    return []


def _gives_sign(row: Row) -> bool:
    return any(page.safety for page in pages_of({"show_when": {}, **row}, "", {}, {}))


def _without_cause(data: Data) -> list[str]:
    """A question that hangs on another comes after it."""
    seen: set[str] = set()
    scored: set[str] = set()
    for section in data["sections"]:
        for row in section["pages"]:
            if row.get("out"):
                continue
            for condition in (section.get("show_when", {}), row.get("show_when", {})):
                if fixed.opened_by(condition) - seen or fixed.scored_by(condition) - scored:
                    return [
                        gettext(
                            "“{title}” is only asked after certain answers. Those questions come before it."
                        ).format(title=fixed.title(row))
                    ]
            seen.update(fixed.names(row))
            if "instrument" in row:
                scored.add(row["instrument"])
    return []


def _changed(data: Data) -> list[str]:
    """What is fixed in Waymark's packet is there, as Waymark has it."""
    shipped = _shipped(data)
    if not shipped:
        return []
    reasons = fixed.why(opened(packet.rows_of(data["key"], packet.newest_file(data["key"]))))
    now = {fixed.name(row): row for row in fixed.rows(data)}
    for row in shipped:
        name = fixed.name(row)
        kept = now.get(name)
        is_same = kept is not None and {key: value for key, value in kept.items() if key != "out"} == row
        is_out = kept is None or bool(kept.get("out"))
        if (name in reasons and not is_same) or (is_out and not fixed.may_leave_out(row, reasons)):
            return [
                gettext("“{title}” is fixed in Waymark's packet and is not as it was. Begin the draft anew.").format(
                    title=fixed.title(row)
                )
            ]
    return []
