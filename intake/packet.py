"""Packets as data: an ordered list of pages in one version that never changes after release.

Waymark's own are files, one per packet and version. A practice's own versions are rows of the same shape that an admin
published (ADR 0023). `load` finds both, so that nobody else asks which of the two it is.
"""

import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from django.utils.translation import gettext_noop

from intake import build
from intake.page import UNSET as UNSET
from intake.page import Choice as Choice
from intake.page import Field as Field
from intake.page import Page as Page
from intake.page import Said
from practice.clinical import brought
from practice.clinical.instrument import Instrument
from practice.clinical.instrument import load as load_instrument
from practice.clinical.risk import CSSRS
from practice.clinical.shelf import Shelf

SHELF = Shelf(Path(__file__).parent / "packets", "packet")
HELD = 300  # versions kept in memory, each built once


@dataclass(frozen=True, slots=True)
class Section:
    key: str
    title: str
    minutes: int
    why: str
    pages: tuple[Page, ...]
    own: bool = False
    said: Said = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class Packet:
    key: str
    version: str
    language: str
    title: str
    sections: tuple[Section, ...]
    by_slug: Mapping[str, Page]
    number: int = 0
    """Which of the practice's own versions; 0 is one of Waymark's."""
    said: Said = field(default_factory=dict)
    by_plan: bool = False
    """Sent by a plan, at its time; not offered where a person chooses what to send."""

    @property
    def pages(self) -> Iterator[Page]:
        return (page for section in self.sections for page in section.pages)

    @property
    def minutes(self) -> int:
        return max(1, sum(section.minutes for section in self.sections))

    @property
    def asks_about_suicide(self) -> bool:
        return any(page.safety for page in self.pages)

    def section(self, key: str) -> Section:
        return next(section for section in self.sections if section.key == key)

    def only(self, slugs: Iterable[str]) -> "Packet":
        """Return this packet with just these pages and what belongs to them; without slugs, the packet itself.

        An instrument is asked whole, and one with a safety item with the questions that follow from it. A question
        that hangs on another comes with that one. A condition on something that is not asked here falls away.
        """
        wanted = set(slugs)
        if not wanted:
            return self
        kept = self._belonging(wanted & set(self.by_slug))  # what was left out since asks nothing
        sections = []
        for section in self.sections:
            pages = tuple(
                replace(page, show_when=page.show_when if self._binds(page.show_when, kept) else {})
                for page in section.pages
                if page.slug in kept
            )
            if pages:
                minutes = round(section.minutes * len(pages) / len(section.pages))
                sections.append(replace(section, pages=pages, minutes=minutes))
        by_slug = {page.slug: page for section in sections for page in section.pages}
        return replace(self, sections=tuple(sections), by_slug=by_slug)

    def with_pages(self, changed: Mapping[str, Page]) -> "Packet":
        """Return this packet with these pages, by slug, in place of its own."""
        sections = tuple(
            replace(section, pages=tuple(changed.get(page.slug, page) for page in section.pages))
            for section in self.sections
        )
        return replace(self, sections=sections, by_slug={**self.by_slug, **changed})

    def _belonging(self, wanted: set[str]) -> set[str]:
        kept: set[str] = set()
        while wanted := wanted - kept:
            kept |= wanted
            found: set[str] = set()
            for page in (self.by_slug[slug] for slug in wanted):
                if page.instrument:
                    whole = {page.instrument, CSSRS} if page.definition.safety_items else {page.instrument}
                    found |= {each.slug for each in self.pages if each.instrument in whole}
                else:
                    found |= set(_asked_before(page.show_when))
            wanted = found & set(self.by_slug)
        return kept

    def _binds(self, condition: Mapping[str, Any], kept: set[str]) -> bool:
        """Whether the condition of a page asks about something that is asked too."""
        if "any" in condition:
            return any(self._binds(each, kept) for each in condition["any"])
        pages = [self.by_slug[slug] for slug in kept]
        if "sign" in condition:
            return any(page.safety and page.instrument != CSSRS for page in pages)
        if "instrument" in condition:
            return any(page.instrument == condition["instrument"] for page in pages)
        return condition.get("page") in kept

    @property
    def instrument_keys(self) -> set[str]:
        return {page.instrument for page in self.pages if page.instrument}

    def instruments(self) -> list[Instrument]:
        """The instruments of this packet, in order."""
        found = {page.instrument: page.definition for page in self.pages if page.instrument}
        return list(found.values())


def _asked_before(condition: Mapping[str, Any]) -> list[str]:
    """The pages whose answer opens a page with this condition."""
    if "any" in condition:
        return [slug for each in condition["any"] for slug in _asked_before(each)]
    return [condition["page"]] if "in" in condition else []


def load(key: str, version: str | None = None) -> Packet:
    """Return one packet; without `version`, the one in use. Raises ValueError when there is none such.

    An instrument that the practice brought is a packet of its own under its own key, with the version of its wording.
    """
    if key in brought.known():
        return of_instrument(load_instrument(key, version))
    from intake.models import PacketVersion

    return _read(key, version or PacketVersion.objects.in_use(key) or newest_file(key))


def all_packets() -> tuple[Packet, ...]:
    """Return the version in use of every packet: Waymark's by key, then those the practice made."""
    from intake.models import PacketVersion

    own = PacketVersion.objects.all_in_use()
    made = sorted(own.keys() - SHELF.paths.keys(), key=lambda key: (load(key, own[key]).title, key))
    return tuple(_read(key, own.get(key) or newest_file(key)) for key in (*sorted(SHELF.paths, reverse=True), *made))


@cache
def of_instrument(instrument: Instrument) -> Packet:
    """Return the packet that asks one instrument: whole, and the C-SSRS after a sign when it has a suicide item."""
    key = instrument.key
    row = {"instrument": key, "version": instrument.version, "show_when": {}}
    pages = [build.page_of_item(instrument, item, row, key) for item in instrument.items]
    sections = [Section(key, gettext_noop("A few questions"), instrument.minutes, WHY, tuple(pages))]
    if instrument.safety_items:
        follow = [replace(page, section=key) for page in seed(FOLLOWED_UP).pages if page.instrument == CSSRS]
        sections = [replace(sections[0], pages=(*pages, *follow))]
    by_slug = {page.slug: page for section in sections for page in section.pages}
    return Packet(key, instrument.version, brought.ENGLISH, instrument.short_name, tuple(sections), by_slug)


FOLLOWED_UP = "check-in"  # the packet of ours whose further questions after a sign are asked here too
WHY = gettext_noop("The people who care for you ask these questions to see how you are.")


def seed(key: str) -> Packet:
    """Return the packet as Waymark ships it: it always has every page that the code reads by name."""
    return _read(key, newest_file(key))


def shipped() -> tuple[Packet, ...]:
    """Every packet as Waymark ships it."""
    return tuple(seed(key) for key in sorted(SHELF.paths, reverse=True))


def newest_file(key: str) -> str:
    return SHELF.path(key).stem.rsplit(".", 1)[1]


def rows_of(key: str, version: str) -> dict[str, Any]:
    """The rows of one version, as they are kept. Raises ValueError when there is none such."""
    if version in SHELF.paths.get(key, {}):
        return tomllib.loads(SHELF.path(key, version).read_text(encoding="utf-8"))
    from intake.models import PacketVersion

    found = PacketVersion.objects.filter(key=key, version=version).first()
    return found.checked_rows() if found else tomllib.loads(SHELF.path(key, version).read_text(encoding="utf-8"))


@lru_cache(maxsize=HELD)
def _read(key: str, version: str) -> Packet:
    return built(rows_of(key, version))


def built(data: Mapping[str, Any]) -> Packet:
    """Return the packet of these rows. Raises ValueError when two pages have the same name."""
    shared, said = data.get("options", {}), data.get("said", {})
    sections = []
    for row in data["sections"]:
        pages = tuple(build.pages(row, shared, said))
        if pages:
            sections.append(
                Section(
                    row["key"],
                    row["title"],
                    row["minutes"],
                    row["why"],
                    pages,
                    bool(row.get("own")),
                    said if row.get("own") else {},
                )
            )
    by_slug = {page.slug: page for section in sections for page in section.pages}
    if len(by_slug) != sum(len(section.pages) for section in sections):
        raise ValueError(f"{data['key']}: two pages have the same name.")
    return Packet(
        data["key"],
        data["version"],
        data["language"],
        data["title"],
        tuple(sections),
        by_slug,
        data.get("number", 0),
        said,
        data.get("by_plan", False),
    )


@cache
def shipped_words() -> frozenset[str]:
    """Every word that Waymark ships in its packets: those have their translations in the catalogue."""
    found: set[str] = set()
    for key, versions in SHELF.paths.items():
        for version in versions:
            for section in _read(key, version).sections:
                found |= {section.title, section.why, *(words for page in section.pages for words in page.words)}
    return frozenset(found - {""})
