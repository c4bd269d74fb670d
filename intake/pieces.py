"""What a packet can be made of: sections that Waymark ships, instruments, agreements. Pure."""

from collections.abc import Iterable, Mapping
from copy import deepcopy
from typing import Any

from django.utils.text import slugify
from django.utils.translation import gettext

from intake import agreement, fixed, packet
from intake.drafting import MOST_SECTIONS, Data, opened, refuse_broken
from practice.actions import NotNow
from practice.clinical.instrument import Instrument, all_instruments
from practice.clinical.instrument import load as load_instrument
from practice.clinical.risk import CSSRS

SECTION, INSTRUMENT, AGREEMENT = "s", "i", "a"


def offered(brought: Iterable[Instrument]) -> list[tuple[str, list[tuple[str, str]]]]:
    """What can be added, grouped: (name of the group, [(piece, words)]). `brought`: the practice's own."""
    sections = [
        (f"{SECTION}.{each.key}.{section.key}", gettext("{section} (as in “{packet}”)").format(
            section=section.title, packet=each.title))
        for each in packet.shipped()
        if not fixed.is_closed(each.key)
        for section in each.sections
    ]  # fmt: skip
    instruments = [(f"{INSTRUMENT}.{each.key}", each.title) for each in (*all_instruments(), *brought)]
    agreements = [(f"{AGREEMENT}.{key}", newest(key).title) for key in sorted(agreement.SHELF.paths)]
    return [
        (gettext("Instruments"), instruments),
        (gettext("Agreements"), agreements),
        (gettext("Sections of Waymark's packets"), sections),
    ]


def add(data: Data, piece: str) -> Data:
    """Put a piece at the end; one that may give a safety sign before the C-SSRS that follows it."""
    found = deepcopy(data)
    if len(found["sections"]) >= MOST_SECTIONS:
        raise NotNow(gettext("A packet takes at most {n} sections.").format(n=MOST_SECTIONS))
    new = _section(piece)
    known = {name for row in fixed.rows(found) for name in fixed.names(row)}
    new["pages"] = [row for row in new["pages"] if not known & set(fixed.names(row))]
    if not new["pages"]:
        raise NotNow(gettext("The packet asks this already. Look whether it was left out."))
    new["key"] = _free(new["key"], {each["key"] for each in found["sections"]})
    found["sections"].insert(_where(found, new), new)
    return refuse_broken(_bound(found, new))


def add_own(data: Data, *, title: str, why: str, minutes: int, told: Mapping[str, str]) -> Data:
    """Put an empty section for the practice's own questions at the end."""
    found = deepcopy(data)
    if len(found["sections"]) >= MOST_SECTIONS:
        raise NotNow(gettext("A packet takes at most {n} sections.").format(n=MOST_SECTIONS))
    key = _free("own", {each["key"] for each in found["sections"]})
    found["sections"].append({"key": key, "title": title, "why": why, "minutes": minutes, "own": True, "pages": []})
    found.setdefault("said", {}).setdefault("es", {}).update({words: said for words, said in told.items() if said})
    return found


def newest(key: str) -> agreement.Agreement:
    return agreement.read(agreement.SHELF.path(key))


def _free(key: str, taken: set[str]) -> str:
    number, free = 1, key
    while free in taken:
        number += 1
        free = f"{key}-{number}"
    return free


def _section(piece: str) -> Data:
    kind, _, rest = piece.partition(".")
    if kind == SECTION:
        key, _, section = rest.partition(".")
        data = opened(packet.rows_of(key, packet.newest_file(key)))
        return deepcopy(next(each for each in data["sections"] if each["key"] == section))
    if kind == AGREEMENT:
        text = newest(rest)
        row = {"agreement": text.key, "version": text.version}
        return _plain(f"sign-{slugify(rest)}", gettext("Agreements"), 1, [row])
    found = load_instrument(rest)
    rows: list[dict[str, Any]] = [{"instrument": found.key, "version": found.version}]
    if found.key == CSSRS:
        rows = [{**_screen(), "show_when": {}}]
    elif found.safety_items:
        rows.append(_screen())
    return _plain(slugify(found.key), gettext("How you have been"), found.minutes, rows)


def _plain(key: str, title: str, minutes: int, rows: list[dict[str, Any]]) -> Data:
    return {"key": key, "title": title, "minutes": max(1, minutes), "why": "", "pages": rows}


def _screen() -> dict[str, Any]:
    """The C-SSRS as the check-in asks it: after a sign, or of everyone when the practice says so."""
    shipped = fixed.rows(packet.rows_of("check-in", packet.newest_file("check-in")))
    return deepcopy(next(row for row in shipped if row.get("instrument") == CSSRS))


def _where(data: Data, new: Data) -> int:
    if any(fixed.is_safety(row) and row.get("instrument") != CSSRS for row in new["pages"]):
        for at, section in enumerate(data["sections"]):
            if any(row.get("instrument") == CSSRS for row in section["pages"]):
                return at
    return len(data["sections"])


def _bound(data: Data, new: Data) -> Data:
    """A condition on something that this packet does not ask falls away, as where pages are asked alone."""
    pages = {name for row in fixed.rows(data) for name in fixed.names(row)}
    scored = {row["instrument"] for row in fixed.rows(data) if "instrument" in row}
    for each in (new, *new["pages"]):
        if "show_when" in each:
            each["show_when"] = _kept(each["show_when"], pages, scored)
    return data


def _kept(condition: dict[str, Any], pages: set[str], scored: set[str]) -> dict[str, Any]:
    if "any" in condition:
        kept = [part for each in condition["any"] if (part := _kept(each, pages, scored))]
        return {"any": kept} if kept else {}
    if "page" in condition and condition["page"] not in pages:
        return {}
    if "instrument" in condition and condition["instrument"] not in scored:
        return {}
    return condition
