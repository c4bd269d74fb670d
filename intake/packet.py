"""Packets as data: one TOML file per packet and version, read once and never changed after release.

A packet is an ordered list of pages. A page is one question, a few that belong together, rows of the same few, one item
of an instrument, or an agreement. `Page.slug` is the name under which its answer is kept.
"""

import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

from django.utils.translation import gettext_noop

from practice.clinical import brought
from practice.clinical.instrument import Instrument, Item
from practice.clinical.instrument import load as load_instrument
from practice.clinical.risk import CSSRS
from practice.clinical.shelf import Shelf

SHELF = Shelf(Path(__file__).parent / "packets", "packet")
UNSET: Any = object()


@dataclass(frozen=True, slots=True)
class Choice:
    code: str
    label: str
    fact: Any = UNSET
    """What choosing this says in the words of the decision table; UNSET says nothing."""
    zone: str = ""


@dataclass(frozen=True, slots=True)
class Field:
    key: str
    label: str
    type: str
    """choice, select, checks, text, words, name, tel, email, date or number."""
    hint: str = ""
    choices: tuple[Choice, ...] = ()
    required: bool = False
    minimum: int | None = None
    maximum: int | None = None
    fact: str = ""
    none: str = ""
    """Label of the box that says "none of these"."""
    autocomplete: str = ""

    def choice(self, code: Any) -> Choice | None:
        return next((choice for choice in self.choices if choice.code == str(code)), None)


@dataclass(frozen=True, slots=True)
class Page:
    slug: str
    section: str
    kind: str
    """one, group, rows or agreement."""
    text: str
    fields: tuple[Field, ...] = ()
    hint: str = ""
    stem: str = ""
    required: bool = False
    missing: str = ""
    """What to say when a required page has no answer."""
    one_of: tuple[str, ...] = ()
    none: str = ""
    row: str = ""
    fact: str = ""
    applies: str = ""
    recent: Mapping[str, Any] = field(default_factory=dict)
    safety: bool = False
    positive: tuple[str, ...] = ()
    show_when: Mapping[str, Any] = field(default_factory=dict)
    instrument: str = ""
    version: str = ""
    link_id: str = ""
    agreement: str = ""
    language: str = ""
    """Of the text of an agreement."""

    @property
    def definition(self) -> Instrument:
        return load_instrument(self.instrument, self.version)

    @property
    def item(self) -> Item:
        return self.definition.item(self.link_id)

    @property
    def only(self) -> Field:
        """The field of a page with one question."""
        return self.fields[0]


@dataclass(frozen=True, slots=True)
class Section:
    key: str
    title: str
    minutes: int
    why: str
    pages: tuple[Page, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Packet:
    key: str
    version: str
    language: str
    title: str
    sections: tuple[Section, ...]
    by_slug: Mapping[str, Page]
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
        kept = self._belonging(wanted)
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
    """Return one packet; without `version`, its newest. Raises ValueError when there is none such.

    An instrument that the practice brought is a packet of its own under its own key, with the version of its wording.
    """
    if key in brought.known():
        return of_instrument(load_instrument(key, version))
    return _read(SHELF.path(key, version))


@cache
def all_packets() -> tuple[Packet, ...]:
    """Return the newest version of every packet, by key."""
    return tuple(load(key) for key in sorted(SHELF.paths, reverse=True))


@cache
def of_instrument(instrument: Instrument) -> Packet:
    """Return the packet that asks one instrument: whole, and the C-SSRS after a sign when it has a suicide item."""
    key = instrument.key
    row = {"instrument": key, "version": instrument.version, "show_when": {}}
    pages = [_page_of_item(instrument, item, row, key) for item in instrument.items]
    sections = [Section(key, gettext_noop("A few questions"), instrument.minutes, WHY, tuple(pages))]
    if instrument.safety_items:
        ours = _read(SHELF.path(FOLLOWED_UP))
        follow = [replace(page, section=key) for page in ours.pages if page.instrument == CSSRS]
        sections = [replace(sections[0], pages=(*pages, *follow))]
    by_slug = {page.slug: page for section in sections for page in section.pages}
    return Packet(key, instrument.version, brought.ENGLISH, instrument.short_name, tuple(sections), by_slug)


FOLLOWED_UP = "check-in"  # the packet of ours whose further questions after a sign are asked here too
WHY = gettext_noop("The people who care for you ask these questions to see how you are.")


@cache
def _read(path: Path) -> Packet:
    data = tomllib.loads(path.read_text(encoding="utf-8"))
    shared = data.get("options", {})
    sections = []
    for row in data["sections"]:
        pages: list[Page] = []
        for page in row["pages"]:
            pages += _pages({"show_when": row.get("show_when", {}), **page}, row["key"], shared)
        sections.append(Section(row["key"], row["title"], row["minutes"], row["why"], tuple(pages)))
    by_slug = {page.slug: page for section in sections for page in section.pages}
    if len(by_slug) != sum(len(section.pages) for section in sections):
        raise ValueError(f"{path.name}: two pages have the same name.")
    return Packet(
        data["key"],
        data["version"],
        data["language"],
        data["title"],
        tuple(sections),
        by_slug,
        data.get("by_plan", False),
    )


def _pages(row: dict[str, Any], section: str, shared: dict[str, Any]) -> list[Page]:
    if "instrument" in row:
        return [_item_page(row, section, item) for item in _items(row)]
    if "agreement" in row:
        from intake.agreement import load as load_agreement

        text = load_agreement(row["agreement"], row["version"])
        return [
            Page(
                slug=f"agreement--{row['agreement'].replace('_', '-')}",
                section=section,
                kind="agreement",
                text=text.title,
                agreement=row["agreement"],
                language=text.language,
                version=row["version"],
                required=row.get("required", False),
                missing=text.title,
                show_when=row["show_when"],
            )
        ]
    kind = "rows" if row.get("type") == "rows" else "group" if "fields" in row else "one"
    fields = row["fields"] if "fields" in row else [{**row, "key": "answer", "label": row["text"]}]
    return [
        Page(
            slug=row["slug"],
            section=section,
            kind=kind,
            text=row["text"],
            fields=tuple(_field(each, shared) for each in fields),
            hint=row.get("hint", ""),
            required=row.get("required", False),
            missing=row.get("missing", ""),
            one_of=tuple(row.get("one_of", ())),
            none=row.get("none", ""),
            row=row.get("row", ""),
            fact=row.get("fact", ""),
            applies=row.get("applies", ""),
            recent=row.get("recent", {}),
            safety=row.get("safety", False),
            positive=tuple(row.get("positive", ())),
            show_when=row["show_when"],
        )
    ]


def _items(row: dict[str, Any]) -> list[Item]:
    instrument = load_instrument(row["instrument"], row["version"])
    return [instrument.item(link_id) for link_id in row["items"]] if "items" in row else list(instrument.items)


def _item_page(row: dict[str, Any], section: str, item: Item) -> Page:
    return _page_of_item(load_instrument(row["instrument"], row["version"]), item, row, section)


def _page_of_item(instrument: Instrument, item: Item, row: Mapping[str, Any], section: str) -> Page:
    ends = item.anchors or row.get("anchors", ())
    hint = item.hint
    if ends and item.options:
        hint = f"{item.options[0].label} = {ends[0]}, {item.options[-1].label} = {ends[1]}"
    return Page(
        slug=f"{instrument.key}--{item.link_id.rsplit('-', 1)[1]}",
        section=section,
        kind="one",
        text=item.text,
        fields=(
            Field(
                key="answer",
                label=item.text,
                type="choice" if item.options else "number",
                hint=hint,
                choices=tuple(Choice(option.code, option.label) for option in item.options),
                minimum=item.minimum,
                maximum=item.maximum,
            ),
        ),
        hint=hint,
        stem=row.get("stems", {}).get(item.link_id, row.get("stem", instrument.instructions)),
        safety=item.safety,
        show_when=row["show_when"],
        instrument=instrument.key,
        version=instrument.version,
        link_id=item.link_id,
    )


def in_language(page: Page, language: str) -> Page:
    """The page of an item in the instrument's own translation, where it has one."""
    official = page.definition
    spoken = official.said_in(language)
    if spoken is official:
        return page
    row = {"show_when": page.show_when}
    return _page_of_item(spoken, spoken.item(page.link_id), row, page.section)


def _field(row: dict[str, Any], shared: dict[str, Any]) -> Field:
    options = row.get("options", ())
    rows = shared[options] if isinstance(options, str) else options
    return Field(
        key=row["key"],
        label=row["label"],
        type=row.get("type", "text"),
        hint=row.get("hint", ""),
        choices=tuple(
            Choice(choice["code"], choice["label"], choice.get("fact", UNSET), choice.get("zone", ""))
            for choice in rows
        ),
        required=row.get("required", False),
        minimum=row.get("minimum"),
        maximum=row.get("maximum"),
        fact=row.get("fact", "") if row["key"] != "answer" else "",
        none=row.get("none", ""),
        autocomplete=row.get("autocomplete", ""),
    )
