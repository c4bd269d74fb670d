"""The decision table as data: its inputs, its rules and how one is evaluated."""

import hashlib
import math
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "rules"

Picture = Mapping[str, Any]
Overrides = Mapping[str, Mapping[str, float]]
"""Rule id -> {"phq9_total >=": 17}: the practice's own number in place of the rule's."""


@dataclass(frozen=True, slots=True)
class Comparison:
    input: str
    op: str
    value: Any

    @property
    def name(self) -> str:
        return f"{self.input} {self.op}"


@dataclass(frozen=True, slots=True)
class Group:
    kind: str
    """`all` or `any`."""
    members: tuple["Condition", ...]


Condition = Comparison | Group


@dataclass(frozen=True, slots=True, eq=False)
class Rule:
    id: str
    version: str
    category: str
    when: Condition
    severity: str
    supports: tuple[str, ...]
    holds: tuple[str, ...]
    excludes: tuple[str, ...]
    superseded_by: tuple[str, ...]
    reason: str
    human_action: str
    citation: str
    confidence: str
    sources: tuple[str, ...]
    note: str

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of the inputs that this rule reads, in order."""
        return tuple(dict.fromkeys(comparison.input for comparison in comparisons(self.when)))

    @property
    def thresholds(self) -> dict[str, float]:
        """The numbers of this rule that a practice may replace. A safety rule has none: it is never tuned away."""
        if self.category == "safety":
            return {}
        return {c.name: c.value for c in comparisons(self.when) if is_number(c.value)}


@dataclass(frozen=True, slots=True)
class Input:
    name: str
    label: str
    meaning: str
    kind: str
    """`integer`, `number`, `choice`, `yes_no` or `list`."""
    values: tuple[Any, ...]
    minimum: float
    maximum: float
    blank_means: str
    """What absence says, for the inputs where it is an answer; empty where absence is a gap."""
    clinician: str
    """For the inputs that a clinician may say: `judgement`, `harm`, `reading`, `support` or `condition`; else empty."""
    words: str
    """What a clinician should know to say it, beside the label."""


@dataclass(frozen=True, slots=True)
class Disagreement:
    id: str
    title: str
    text: str
    rules: tuple[str, ...]
    modalities: tuple[str, ...]
    when: Condition | None
    sources: tuple[str, ...]


@cache
def rules() -> tuple[Rule, ...]:
    """Return every rule, in the order of the table."""
    found = []
    for path in sorted(FOLDER.glob("[0-9]-*.toml")):
        data = _read(path.name)
        found += [_rule(data["category"], row) for row in data["rules"]]
    return tuple(found)


@cache
def rule(rule_id: str) -> Rule:
    for found in rules():
        if found.id == rule_id:
            return found
    raise ValueError(f"There is no rule called {rule_id!r}.")


@cache
def inputs() -> dict[str, Input]:
    """Return the input dictionary, by name."""
    return {
        name: Input(
            name=name,
            label=row["label"],
            meaning=row["meaning"],
            kind=row["kind"],
            values=tuple(row.get("values", ())),
            minimum=row.get("minimum", -math.inf),
            maximum=row.get("maximum", math.inf),
            blank_means=row.get("blank_means", ""),
            clinician=row.get("clinician", ""),
            words=row.get("words", ""),
        )
        for name, row in _read("inputs.toml")["inputs"].items()
    }


@cache
def selection() -> dict[str, Any]:
    """Return the order of modalities, the severities and the principle, as written in the table."""
    return _read("selection.toml")


@cache
def disagreements() -> tuple[Disagreement, ...]:
    return tuple(
        Disagreement(
            id=row["id"],
            title=row["title"],
            text=row["text"],
            rules=tuple(row.get("rules", ())),
            modalities=tuple(row.get("modalities", ())),
            when=condition(row["when"]) if "when" in row else None,
            sources=tuple(row["sources"]),
        )
        for row in _read("disagreements.toml")["disagreements"]
    )


def condition(row: Mapping[str, Any]) -> Condition:
    if "input" in row:
        value = row.get("value")
        return Comparison(row["input"], row["op"], tuple(value) if isinstance(value, list) else value)
    [(kind, members)] = row.items()
    return Group(kind, tuple(condition(member) for member in members))


def comparisons(when: Condition) -> Iterator[Comparison]:
    if isinstance(when, Comparison):
        yield when
    else:
        for member in when.members:
            yield from comparisons(member)


def tuned(found: Rule, overrides: Overrides) -> Condition:
    """Return the rule's condition with the practice's own numbers in it."""
    return _replaced(found.when, overrides[found.id]) if found.id in overrides else found.when


def check_overrides(overrides: Overrides) -> None:
    """Raise ValueError unless each override names a number that its rule has and a practice may replace."""
    for rule_id, numbers in overrides.items():
        allowed = rule(rule_id).thresholds
        for name, value in numbers.items():
            if name not in allowed:
                raise ValueError(f"Rule {rule_id} has no number called {name!r} that a practice may change.")
            if not is_number(value):
                raise ValueError(f"The new value of {name!r} in rule {rule_id} must be a number.")


def evaluate(when: Condition, picture: Picture) -> bool | None:
    """Return whether `when` holds; None when that hangs on a missing value.

    A rule fires on True only, so "a comparison with a missing value is false" is kept; None tells what to ask next.
    """
    if isinstance(when, Group):
        answers = [evaluate(member, picture) for member in when.members]
        decisive = when.kind == "any"
        if decisive in answers:
            return decisive
        return None if None in answers else not decisive
    value = picture.get(when.input)
    if when.op == "missing":
        return value is None
    return None if value is None else _compare(value, when.op, when.value)


def missing_inputs(when: Condition, picture: Picture) -> Iterator[str]:
    """Yield the inputs whose absence leaves `when` undecided."""
    if evaluate(when, picture) is not None:
        return
    if isinstance(when, Comparison):
        yield when.input
    else:
        for member in when.members:
            yield from missing_inputs(member, picture)


def check_picture(picture: Picture) -> None:
    """Raise ValueError, in a sentence that holds no value, for an unknown input or one of the wrong kind or range."""
    for name, value in picture.items():
        known = inputs().get(name)
        if known is None:
            raise ValueError(f"The decision table has no input called {str(name)[:60]!r}.")
        if value is not None and not _fits(known, value):
            raise ValueError(f"{known.label} ({name}) must be {_wanted(known)}.")


def is_number(value: object) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    return isinstance(value, int) and not isinstance(value, bool)


def _fits(known: Input, value: Any) -> bool:
    if known.kind == "yes_no":
        return isinstance(value, bool)
    if known.kind == "list":
        return isinstance(value, list | tuple | set | frozenset) and all(isinstance(member, str) for member in value)
    if known.kind == "choice":
        return any(_same(value, choice) for choice in known.values)
    whole = known.kind != "integer" or isinstance(value, int)
    return is_number(value) and whole and known.minimum <= value <= known.maximum


def _wanted(known: Input) -> str:
    if known.kind == "yes_no":
        return "true or false"
    if known.kind == "list":
        return "a list of medicine classes"
    if known.kind == "choice":
        return "one of " + ", ".join(str(value) for value in known.values)
    return f"{'a whole' if known.kind == 'integer' else 'a'} number from {known.minimum:g} to {known.maximum:g}"


def _compare(value: Any, op: str, wanted: Any) -> bool:
    if op == "==":
        return _same(value, wanted)
    if op == "in":
        return any(_same(value, choice) for choice in wanted)
    if op == "has":
        return wanted in value
    if not is_number(value):  # "unanswered" is neither above nor below a number
        return False
    orders = {">=": value >= wanted, ">": value > wanted, "<=": value <= wanted, "<": value < wanted}
    return bool(orders[op])


def _same(value: Any, wanted: Any) -> bool:
    """Equality in which true is not 1."""
    return isinstance(value, bool) == isinstance(wanted, bool) and bool(value == wanted)


def _replaced(when: Condition, numbers: Mapping[str, float]) -> Condition:
    if isinstance(when, Comparison):
        return Comparison(when.input, when.op, numbers.get(when.name, when.value))
    return Group(when.kind, tuple(_replaced(member, numbers) for member in when.members))


def _rule(category: str, row: Mapping[str, Any]) -> Rule:
    return Rule(
        id=row["id"],
        version=row["version"],
        category=category,
        when=condition(row["when"]),
        severity=row["severity"],
        supports=tuple(row.get("support", ())),
        holds=tuple(row.get("hold", ())),
        excludes=tuple(row.get("exclude", ())),
        superseded_by=tuple(row.get("superseded_by", ())),
        reason=row["reason"],
        human_action=row["human_action"],
        citation=row["citation"],
        confidence=row["confidence"],
        sources=tuple(row["sources"]),
        note=row.get("note", ""),
    )


def _read(name: str) -> dict[str, Any]:
    return tomllib.loads((FOLDER / name).read_text(encoding="utf-8"))


def version() -> str:
    """The version of the table as a whole, 12 hex digits: what a clinical lead signs and a suggestion records."""
    return hashlib.sha256(FOLDER.with_name("rules.lock").read_bytes()).hexdigest()[:12]
