"""The decision table laid out by path: each rule as a criterion that is met, unmet or unknown for the paths it touches.

It weighs nothing and ranks nothing: it is the table, evaluated, side by side.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from practice.clinical import table
from practice.clinical.table import Overrides, Picture, Rule

MET, UNMET, UNKNOWN = "met", "unmet", "unknown"
SUPPORT, HOLD, EXCLUDE = "support", "hold", "exclude"
NONE_NOW = "none_now"


@dataclass(frozen=True, slots=True)
class Criterion:
    """One rule, and what it says of each path it touches."""

    rule: Rule
    fired: bool | None
    """None: hangs on `missing`."""
    effects: Mapping[str, str]
    """Path -> support, hold or exclude. "None now" is supported by what stands in the way of every path."""
    missing: tuple[str, ...]

    def state(self, path: str) -> str:
        """Whether this criterion is met for the path: a reason for it is there, or what would be against it is not."""
        if path not in self.effects:
            return ""
        if self.fired is None:
            return UNKNOWN
        return MET if self.fired == (self.effects[path] == SUPPORT) else UNMET

    @property
    def speaks_for(self) -> bool:
        """Whether it is a reason for a path, and not against one."""
        return bool(self.rule.supports)


def criteria(picture: Picture, overrides: Overrides | None = None) -> tuple[Criterion, ...]:
    """Return every rule that touches a path, the unknown ones first, else in the order of the table.

    The weaker of two that say the same is left out, as the table asks. An input whose absence is an answer
    (`blank_means`) leaves nothing unknown.
    """
    own = overrides or {}
    truth = {rule: _truth(rule, own, picture) for rule in table.rules() if rule.supports or rule.holds or rule.excludes}
    fired = {rule.id for rule, (holds, _missing) in truth.items() if holds}
    found = [
        Criterion(rule, holds, _effects(rule), missing)
        for rule, (holds, missing) in truth.items()
        if not fired.intersection(rule.superseded_by)
    ]
    return tuple(sorted(found, key=lambda each: each.fired is not None))


def _truth(rule: Rule, overrides: Overrides, picture: Picture) -> tuple[bool | None, tuple[str, ...]]:
    when = table.tuned(rule, overrides)
    holds = table.evaluate(when, picture)
    known = table.inputs()
    missing = tuple(name for name in dict.fromkeys(table.missing_inputs(when, picture)) if not known[name].blank_means)
    return (False, ()) if holds is None and not missing else (holds, missing)


def _effects(rule: Rule) -> dict[str, str]:
    """What this rule does to each path; an exclusion goes before a hold of the same rule."""
    found = dict.fromkeys(rule.holds, HOLD)
    found |= dict.fromkeys(rule.excludes, EXCLUDE)
    if set(found) == set(table.selection()["modalities"]):
        found[NONE_NOW] = SUPPORT
    return found | dict.fromkeys(rule.supports, SUPPORT)
