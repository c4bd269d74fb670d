"""Instruments as data: one TOML file per instrument and version, read once and never changed after release."""

import hashlib
import json
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from practice.clinical.shelf import Shelf

SHELF = Shelf(Path(__file__).parent / "instruments", "instrument")

Value = int | str
Answers = Mapping[str, Value | None]

SHORT_NAMES: Mapping[str, str] = {
    "asq": "ASQ",
    "audit-c": "AUDIT-C",
    "b-ipf": "B-IPF",
    "cssrs-screener-recent": "C-SSRS",
    "gad-7": "GAD-7",
    "pc-ptsd-5": "PC-PTSD-5",
    "pcl-5": "PCL-5",
    "peg": "PEG",
    "phq-2": "PHQ-2",
    "phq-9": "PHQ-9",
    "sisq-drug": "Drug use",
    "wbs-2": "WBS",
}
"""What clinicians call each instrument: not part of its frozen wording, and the same in every language."""

DECLINED = "declined"
"""What a client gives instead of an answer with "I would rather not say". Scored as a blank, never as a no."""


@dataclass(frozen=True, slots=True)
class Option:
    """One answer of a choice. `code` is unique in its item; `value` need not be (AUDIT-C item 2 has two zeros)."""

    code: str
    value: Value
    label: str
    loinc: str | None
    points: int | None
    """What it adds to the sum: its value, unless the item counts the other way round; None for "not applicable"."""


@dataclass(frozen=True, slots=True)
class EnableWhen:
    """The item is asked when any of `any_of` equals `equals`, or is at least `at_least`."""

    any_of: tuple[str, ...]
    equals: int | None
    at_least: int | None

    def holds(self, answers: Answers) -> bool:
        for link_id in self.any_of:
            value = answers.get(link_id)
            if type(value) is not int:
                continue
            if value == self.equals or (self.at_least is not None and value >= self.at_least):
                return True
        return False


@dataclass(frozen=True, slots=True)
class Item:
    link_id: str
    text: str
    type: str
    """`choice`, `integer` or `text`."""
    options: tuple[Option, ...]
    scored: bool
    required: bool
    safety: bool
    """A suicide question: any answer above zero is a sign, and a blank or refusal is a flag of its own."""
    enable_when: EnableWhen | None
    hint: str
    window: str
    anchors: tuple[str, ...]
    cluster: str
    minimum: int | None
    maximum: int | None
    loinc: str | None
    points: Mapping[Value, int | None]
    """Points by accepted answer (value, or option code where it differs); None marks "not applicable"."""

    def option(self, answer: Value | None) -> Option | None:
        """Return the option that `answer` (a value or an option's code) names, if any."""
        found = [option for option in self.options if answer == option.code]
        found += [option for option in self.options if answer == option.value and option.code == str(option.value)]
        return found[0] if found else None

    def applies(self, answers: Answers) -> bool:
        return self.enable_when is None or self.enable_when.holds(answers)


@dataclass(frozen=True, slots=True)
class Band:
    code: str
    label: str
    minimum: float | None
    minimum_cut: str
    """Name of the cut-point that is this band's lower limit, where the limit depends on sex."""
    action: str


@dataclass(frozen=True, slots=True)
class Test:
    """One test of a flag: `kind` is item, blank, total_at_least, total_at_least_cut, level, status or provisional."""

    kind: str
    wanted: Any
    link_id: str


@dataclass(frozen=True, slots=True)
class Flag:
    code: str
    severity: str
    text: str
    when: tuple[Test, ...]
    """One of these is enough."""
    unless_completed: str
    """Key of an instrument whose completion answers this flag."""
    opens: str
    """Key of the instrument to give in the same sitting."""
    gap: bool
    """Raised by something left unanswered, not by an answer."""
    action: str
    reason: str


@dataclass(frozen=True, slots=True)
class Licence:
    ship: bool
    class_: str
    notice: str
    who_says: tuple[str, ...]
    conditions: str


@dataclass(frozen=True, slots=True, eq=False)
class Instrument:
    key: str
    version: str
    title: str
    edition: str
    """The publisher's own version name; `version` is ours and counts our files."""
    language: str
    domain: str
    recall_window: str
    respondent: str
    min_age: int
    minutes: int
    instructions: str
    higher_is_better: bool
    items: tuple[Item, ...]
    scoring: Mapping[str, Any]
    bands: tuple[Band, ...]
    cutpoints: Mapping[str, Any]
    change: Mapping[str, Any]
    flags: tuple[Flag, ...]
    picture: Mapping[str, Any]
    """Inputs of the decision table that this instrument gives: name -> where it is read."""
    risk: Mapping[str, str]
    """Safety level by triage level, for the suicide screens."""
    licence: Licence
    loinc: Mapping[str, str]
    sources: tuple[str, ...]
    verification: Mapping[str, Any]
    wording_sha256: str
    """Fingerprint of everything a client reads: kept with each stored assessment."""
    by_link_id: Mapping[str, Item]
    safety_items: tuple[Item, ...]
    scored_points: tuple[tuple[str, Mapping[Value, int | None]], ...]
    """Link id and points of each item that counts, in order."""
    translations: "Mapping[str, Instrument]"
    """The same in other languages, each a validated translation that may be used: {"es": ...}."""

    @property
    def short_name(self) -> str:
        """What clinicians call it: "PHQ-9"."""
        return SHORT_NAMES.get(self.key, self.title)

    @property
    def wordings(self) -> set[str]:
        """Fingerprints of all that a client may have read under this version."""
        return {self.wording_sha256, *(each.wording_sha256 for each in self.translations.values())}

    def said_in(self, language: str) -> "Instrument":
        """Itself in this language where there is such a translation, else as it is."""
        return self.translations.get(language, self)

    @property
    def ranges(self) -> list[tuple[float, float, str]]:
        """(lowest total, highest total, name) of each band with a fixed lower limit, the lightest first."""
        known = [(band.minimum, band.label) for band in self.bands if band.minimum is not None]
        if not known:
            return []
        ends = [*(low - 1 for low, _label in known[1:]), self.scoring.get("maximum", 0)]
        return [(low, end, label) for (low, label), end in zip(known, ends, strict=True)]

    def item(self, link_id: str) -> Item:
        try:
            return self.by_link_id[link_id]
        except KeyError:
            raise ValueError(f"{self.title} has no question called {link_id!r}.") from None

    def flag(self, code: str) -> Flag:
        for flag in self.flags:
            if flag.code == code:
                return flag
        raise ValueError(f"{self.title} has no flag called {code!r}.")

    def band(self, code: str) -> Band:
        for band in self.bands:
            if band.code == code:
                return band
        raise ValueError(f"{self.title} has no band called {code!r}.")

    def applicable_items(self, answers: Answers) -> tuple[Item, ...]:
        """Return the items to ask, given the answers so far."""
        return tuple(item for item in self.items if item.applies(answers))


Finder = Callable[[str, str | None], Instrument | None]
_finders: list[Finder] = []


def bring(find: Finder) -> None:
    """Ask `find(key, version)` for what is not on our shelf: the instruments that a practice brings itself."""
    _finders.append(find)


def load(key: str, version: str | None = None) -> Instrument:
    """Return one instrument; without `version`, its newest. Raises ValueError when there is none such."""
    if key not in SHELF.paths:
        for find in _finders:
            if (found := find(key, version)) is not None:
                return found
    return _read(SHELF.path(key, version))


@cache
def all_instruments() -> tuple[Instrument, ...]:
    """Return the newest version of every instrument, by key."""
    return tuple(load(key) for key in sorted(SHELF.paths))


@cache
def _read(path: Path) -> Instrument:
    return build(tomllib.loads(path.read_text(encoding="utf-8")))


def build(data: Mapping[str, Any]) -> Instrument:
    """Return the instrument that a file, or a definition of the same shape, describes."""
    option_sets = {name: tuple(_option(row) for row in rows) for name, rows in data.get("options", {}).items()}
    items = tuple(_item(row, option_sets) for row in data["items"])
    by_link_id = {item.link_id: item for item in items}
    licence = data["licence"]
    return Instrument(
        key=data["key"],
        version=data["version"],
        title=data["title"],
        edition=data["edition"],
        language=data["language"],
        domain=data["domain"],
        recall_window=data["recall_window"],
        respondent=data["respondent"],
        min_age=data["min_age"],
        minutes=data["minutes"],
        instructions=data["instructions"],
        higher_is_better=data.get("higher_is_better", False),
        items=items,
        scoring=_frozen(data["scoring"]),
        bands=tuple(_band(row) for row in data.get("bands", ())),
        cutpoints=_frozen(data.get("cutpoints", {})),
        change=_frozen(data.get("change", {})),
        flags=tuple(_flag(row) for row in data.get("flags", ())),
        picture=_frozen(data.get("picture", {})),
        risk=_frozen(data.get("risk", {})),
        licence=Licence(
            ship=licence["ship"],
            class_=licence["class"],
            notice=licence["notice"],
            who_says=tuple(licence["who_says"]),
            conditions=licence["conditions"],
        ),
        loinc=_frozen(data.get("loinc", {})),
        sources=tuple(data["sources"]),
        verification=_frozen(data["verification"]),
        wording_sha256=_wording_sha256(data, items),
        by_link_id=MappingProxyType(by_link_id),
        safety_items=tuple(item for item in items if item.safety),
        scored_points=tuple((link_id, by_link_id[link_id].points) for link_id in data["scoring"].get("items", ())),
        translations=MappingProxyType({code: build(each) for code, each in data.get("translations", {}).items()}),
    )


def _option(row: dict[str, Any]) -> Option:
    value = row["value"]
    return Option(
        code=row.get("code", str(value)),
        value=value,
        label=row["label"],
        loinc=row.get("loinc"),
        points=row.get("points", value if isinstance(value, int) else None),
    )


def _item(row: dict[str, Any], option_sets: Mapping[str, tuple[Option, ...]]) -> Item:
    options = option_sets[row["options"]] if "options" in row else ()
    points: dict[Value, int | None] = {}
    for option in options:
        points[option.value] = option.points
        if option.code != str(option.value):
            points[option.code] = option.points
    when = row.get("enable_when")
    return Item(
        link_id=row["link_id"],
        text=row["text"],
        type=row.get("type", "choice"),
        options=options,
        scored=row["scored"],
        required=row["required"],
        safety=row.get("safety", False),
        enable_when=EnableWhen(tuple(when["any_of"]), when.get("equals"), when.get("at_least")) if when else None,
        hint=row.get("hint", ""),
        window=row.get("window", ""),
        anchors=tuple(row.get("anchors", ())),
        cluster=row.get("cluster", ""),
        minimum=row.get("minimum"),
        maximum=row.get("maximum"),
        loinc=row.get("loinc"),
        points=points,
    )


def _band(row: dict[str, Any]) -> Band:
    return Band(
        code=row["code"],
        label=row["label"],
        minimum=row.get("minimum"),
        minimum_cut=row.get("minimum_cut", ""),
        action=row.get("action", ""),
    )


def _flag(row: dict[str, Any]) -> Flag:
    return Flag(
        code=row["code"],
        severity=row["severity"],
        text=row["text"],
        when=tuple(_test(test) for test in row["when"]),
        unless_completed=row.get("unless_completed", ""),
        opens=row.get("opens", ""),
        gap=row.get("gap", False),
        action=row.get("action", ""),
        reason=row["reason"],
    )


def _test(row: dict[str, Any]) -> Test:
    if "item" in row:
        return Test("item", row["at_least"], row["item"])
    [(kind, wanted)] = row.items()
    return Test(kind, wanted, wanted if kind == "blank" else "")


def _frozen(data: Mapping[str, Any]) -> Mapping[str, Any]:
    return MappingProxyType(
        {name: _frozen(value) if isinstance(value, dict) else value for name, value in data.items()}
    )


def _wording_sha256(data: Mapping[str, Any], items: tuple[Item, ...]) -> str:
    wording = [
        [data["language"], data["title"], data["instructions"], data["licence"]["notice"]],
        [
            [item.link_id, item.text, item.hint, item.window, item.anchors, [[o.code, o.label] for o in item.options]]
            for item in items
        ],
    ]
    return hashlib.sha256(json.dumps(wording, ensure_ascii=False).encode()).hexdigest()
