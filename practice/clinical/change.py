"""How much a total changed, by the instrument's own change data."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from practice.clinical.instrument import Instrument


@dataclass(frozen=True, slots=True)
class Change:
    """Each answer is None where the instrument has no such rule, or where a total is missing."""

    difference: float | None = None
    """Points of improvement since the baseline; negative is worse."""
    response: bool | None = None
    remission: bool | None = None
    recovery: bool | None = None
    """Was at or above the clinical cut-point and now is below it."""
    meaningful: bool | None = None
    """An improvement that people notice."""
    reliable_improvement: bool | None = None
    reliable_worsening: bool | None = None
    worsening_review: bool | None = None
    """Worse by enough that someone should look."""


def change(instrument: Instrument, baseline: float | None, now: float | None) -> Change:
    """Compare two totals of one instrument. Raises ValueError for a total outside its range."""
    low, high = instrument.scoring.get("minimum", 0), instrument.scoring.get("maximum", math.inf)
    if instrument.scoring["method"] == "triage":
        raise ValueError(f"{instrument.title} has levels, not totals: two of them have no difference.")
    for total in (baseline, now):
        if total is not None and not (type(total) in (int, float) and low <= total <= high):
            raise ValueError(f"A total of {instrument.title} is a number from {low} to {high}.")
    return compare(instrument.change, baseline, now, higher_is_better=instrument.higher_is_better)


def compare(
    rules: Mapping[str, Any], baseline: float | None, now: float | None, *, higher_is_better: bool = False
) -> Change:
    """Apply change rules (see `[change]` of an instrument's file) to two totals."""
    if baseline is None or now is None:
        return Change()
    gain = _tidy(now - baseline if higher_is_better else baseline - now)
    fall_pct = 100 * gain / baseline if baseline else 0.0
    recovery = rules.get("recovery_below")
    return Change(
        difference=gain,
        response=_reached(_tidy(fall_pct), rules.get("response_fall_pct")),
        remission=_below(now, rules.get("remission_below")),
        recovery=None if recovery is None else baseline >= recovery > now,
        meaningful=_meaningful(rules, gain, _tidy(fall_pct)),
        reliable_improvement=_reached(gain, rules.get("reliable_change")),
        reliable_worsening=_reached(-gain, rules.get("reliable_worsening")),
        worsening_review=_reached(-gain, rules.get("worsening_review")),
    )


def _meaningful(rules: Mapping[str, Any], gain: float, fall_pct: float) -> bool | None:
    if "meaningful_fall_pct" in rules:
        return _reached(fall_pct, rules["meaningful_fall_pct"])
    return _reached(gain, rules.get("meaningful_change"))


def _reached(points: float, line: float | None) -> bool | None:
    return None if line is None else points >= line


def _below(total: float, line: float | None) -> bool | None:
    return None if line is None else total < line


def _tidy(number: float) -> float:
    """Drop binary dust, so that 7.0 to 4.9 is a fall of exactly 30 %."""
    return round(number, 6)
