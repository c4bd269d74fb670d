"""A picture of a client to the path worth discussing, with its reasons and what is still unknown.

The system suggests a conversation; a licensed clinician decides. See `principle` in rules/selection.toml.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from practice.clinical import table
from practice.clinical.instrument import Instrument, load
from practice.clinical.scoring import Score, worst
from practice.clinical.table import Disagreement, Overrides, Picture, Rule

DISCUSS, HOLD, NOT_APPLICABLE = "discuss", "hold", "n/a"


@dataclass(frozen=True, slots=True)
class Unknown:
    """An input that is missing and could still change the suggestion."""

    input: str
    label: str
    rules: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Conflict:
    """A modality that one rule speaks for and another against."""

    modality: str
    supported_by: tuple[str, ...]
    excluded_by: tuple[str, ...]
    held_by: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Decision:
    unknowns: tuple[Unknown, ...]
    """First, because a reader should know them before the rest."""
    suggested: str
    """A modality, `no_ketamine_now` or `psychotherapy_first`."""
    status: str
    """`discuss`, `hold`, or `n/a` when no modality is suggested."""
    top_severity: str
    safety_path: bool
    """An urgent safety rule fired: the safety step comes before any talk of a modality."""
    fired: tuple[Rule, ...]
    """The rules to show; the weaker of two that say the same are in `superseded`."""
    superseded: tuple[Rule, ...]
    supports: Mapping[str, tuple[str, ...]]
    """Rule ids by modality; likewise `holds` and `excludes`."""
    holds: Mapping[str, tuple[str, ...]]
    excludes: Mapping[str, tuple[str, ...]]
    conflicts: tuple[Conflict, ...]
    disagreements: tuple[Disagreement, ...]

    @property
    def excluded(self) -> tuple[str, ...]:
        return tuple(modality for modality, rule_ids in self.excludes.items() if rule_ids)

    @property
    def rule_ids(self) -> tuple[str, ...]:
        return tuple(rule.id for rule in self.fired)


def decide(picture: Picture, *, overrides: Overrides | None = None) -> Decision:
    """Run the whole decision table on what is known.

    `picture` holds inputs of rules/inputs.toml; an absent or None one is missing. `overrides` replaces numbers of
    rules: {"IN-01": {"phq9_total >=": 17}}. Raises ValueError for an unknown input, a value out of its range, or an
    override that its rule does not allow.
    """
    table.check_picture(picture)
    overrides = overrides or {}
    table.check_overrides(overrides)
    truth = {rule: table.evaluate(table.tuned(rule, overrides), picture) for rule in table.rules()}
    fired = tuple(rule for rule, holds in truth.items() if holds)
    fired_ids = {rule.id for rule in fired}
    shown = tuple(rule for rule in fired if not fired_ids.intersection(rule.superseded_by))

    modalities = table.selection()["modalities"]
    supports = {m: tuple(rule.id for rule in fired if m in rule.supports) for m in modalities}
    holds = {m: tuple(rule.id for rule in fired if m in rule.holds) for m in modalities}
    excludes = {m: tuple(rule.id for rule in fired if m in rule.excludes) for m in modalities}
    open_ = [m for m in _order(picture) if supports[m] and not excludes[m]]
    safety_path = any(_is_alarm(rule) for rule in fired)
    if open_:
        suggested = open_[0]
        status = HOLD if safety_path or holds[suggested] else DISCUSS
    else:
        suggested = table.selection()["nothing_left" if any(supports.values()) else "nothing_supported"]
        status = NOT_APPLICABLE
    return Decision(
        unknowns=_unknowns(truth, open_, excludes, picture, overrides),
        suggested=suggested,
        status=status,
        top_severity=worst(rule.severity for rule in fired),
        safety_path=safety_path,
        fired=shown,
        superseded=tuple(rule for rule in fired if rule not in shown),
        supports=supports,
        holds=holds,
        excludes=excludes,
        conflicts=tuple(
            Conflict(m, supports[m], excludes[m], holds[m])
            for m in modalities
            if supports[m] and (excludes[m] or holds[m])
        ),
        disagreements=tuple(d for d in table.disagreements() if _touches(d, fired_ids, supports, picture)),
    )


def picture(scores: Mapping[str, Score], facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return the inputs that `scores` (by instrument key) give, over `facts` from the chart.

    What was answered now goes before what a chart says. A total that is only a lower bound is used where it alone
    reaches the line that a rule asks about.
    """
    found = dict(facts)
    for key, result in scores.items():
        instrument = load(key, result.version)
        for name, place in instrument.picture.items():
            if name != "lower_bound_from":
                found[name] = _value(instrument, result, place)
    return found


def _value(instrument: Instrument, result: Score, place: str) -> Any:
    if place == "level":
        return result.level
    if place == "incomplete":
        return result.status == "incomplete"
    if place != "total":
        value = dict(result.safety)[place]
        return "unanswered" if value is None else value
    enough = instrument.picture.get("lower_bound_from")
    if result.total is None and enough is not None and (result.lower_bound or 0) >= enough:
        return result.lower_bound
    return result.total


def _is_alarm(rule: Rule) -> bool:
    return rule.category == "safety" and rule.severity == "urgent"


def _order(picture: Picture) -> list[str]:
    """Return the modalities, the one to suggest first in front."""
    order = list(table.selection()["order"])
    first = table.selection()["first"]
    sign = table.evaluate(table.condition(first["unless"]), picture)
    if table.evaluate(table.condition(first["when"]), picture) and not sign:
        order.remove(first["modality"])
        order.insert(0, first["modality"])
    return order


def _unknowns(
    truth: Mapping[Rule, bool | None],
    open_: list[str],
    excludes: Mapping[str, tuple[str, ...]],
    picture: Picture,
    overrides: Overrides,
) -> tuple[Unknown, ...]:
    """Return the missing inputs that could still hold or exclude an open modality, or support a new one."""
    by_input: dict[str, list[str]] = {}
    for rule, holds in truth.items():
        against = any(m in rule.holds or m in rule.excludes for m in open_) or (open_ and _is_alarm(rule))
        in_favour = any(m not in open_ and not excludes[m] for m in rule.supports)
        if holds is None and (against or in_favour):
            for name in dict.fromkeys(table.missing_inputs(table.tuned(rule, overrides), picture)):
                by_input.setdefault(name, []).append(rule.id)
    known = table.inputs()
    return tuple(
        Unknown(name, known[name].label, tuple(rule_ids))
        for name, rule_ids in by_input.items()
        if not known[name].blank_means
    )


def _touches(
    disagreement: Disagreement, fired_ids: set[str], supports: Mapping[str, tuple[str, ...]], picture: Picture
) -> bool:
    return bool(
        fired_ids.intersection(disagreement.rules)
        or any(supports[modality] for modality in disagreement.modalities)
        or (disagreement.when is not None and table.evaluate(disagreement.when, picture))
    )
