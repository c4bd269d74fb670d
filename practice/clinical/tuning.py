"""Which numbers of the decision table a practice may set for itself, and within which limits.

What speaks for a path is a practice's to set; what stands in the way of one only where it is our own default, and only
to the stricter side. A safety rule, and a safety answer wherever it is read, is nobody's to tune.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from practice.clinical import table
from practice.clinical.table import Comparison, Group, Overrides, Rule

UPWARD = (">=", ">")


@dataclass(frozen=True, slots=True)
class Number:
    """One number of a rule, as the table has it, with the least and the most that a practice may put there."""

    name: str
    input: str
    op: str
    value: float
    least: float
    most: float

    @property
    def is_whole(self) -> bool:
        return table.inputs()[self.input].kind == "integer"


@cache
def safety_inputs() -> frozenset[str]:
    """What the safety rules read: a number of these is tuned nowhere."""
    return frozenset(name for rule in table.rules() if rule.category == "safety" for name in rule.inputs)


def is_open(rule: Rule) -> bool:
    return rule.category == "indication" or (rule.category != "safety" and rule.confidence == "own")


@cache
def numbers(rule_id: str) -> dict[str, Number]:
    """Return the numbers of a rule that a practice may set, by name, in order; none for a rule that is fixed."""
    rule = table.rule(rule_id)
    if not is_open(rule):
        return {}
    return {
        c.name: _number(rule, c)
        for c in table.comparisons(rule.when)
        if c.name in rule.thresholds and c.input not in safety_inputs()
    }


def _number(rule: Rule, comparison: Comparison) -> Number:
    known, least, most = table.inputs()[comparison.input], None, None
    if rule.holds or rule.excludes:
        least, most = (None, comparison.value) if comparison.op in UPWARD else (comparison.value, None)
    return Number(
        name=comparison.name,
        input=comparison.input,
        op=comparison.op,
        value=comparison.value,
        least=known.minimum if least is None else least,
        most=known.maximum if most is None else most,
    )


def standing(overrides: Overrides) -> dict[str, dict[str, float]]:
    """Return the part of a practice's own numbers that counts: of the table of today, tunable, and not the default."""
    known = {rule.id for rule in table.rules()}
    found = {}
    for rule_id, own in overrides.items():
        open_ = numbers(rule_id) if rule_id in known else {}
        kept = {
            n: value
            for n, value in own.items()
            if n in open_ and table.is_number(value) and fits(open_[n], value) and value != open_[n].value
        }
        if kept:
            found[rule_id] = kept
    return found


def fits(number: Number, value: float) -> bool:
    return number.least <= value <= number.most and not (number.is_whole and value != int(value))


def crossed(rule_id: str, own: Mapping[str, float]) -> list[tuple[str, str]]:
    """Return the pairs of numbers that leave nothing between them: at least 16 and under 15 is nobody."""
    when = table.tuned(table.rule(rule_id), {rule_id: own})
    if not isinstance(when, Group) or when.kind != "all":
        return []
    asked = [c for c in when.members if isinstance(c, Comparison) and table.is_number(c.value)]
    return [
        (low.name, high.name)
        for low in asked
        for high in asked
        if low.input == high.input and low.op in UPWARD and high.op not in (*UPWARD, "==") and low.value >= high.value
    ]


def version(overrides: Overrides) -> str:
    """The version of the table with a practice's own numbers in it, 12 hex digits; without any, the table's own."""
    own = standing(overrides)
    if not own:
        return table.version()
    said = repr(sorted((rule_id, sorted((n, float(v)) for n, v in kept.items())) for rule_id, kept in own.items()))
    return hashlib.sha256(f"{table.version()} {said}".encode()).hexdigest()[:12]
