"""Which antidepressant trials failed although they were adequate. Staff confirm; the dose table is not yet signed.

Source: MDEDGE-ATRQ, ATRQ-DOSES in docs/clinical-sources.md.
"""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from practice.clinical.table import is_number


@dataclass(frozen=True, slots=True)
class Trial:
    """One medicine as tried. `augment` is a drug added to `drug`; then dose and weeks are those of the added one."""

    drug: str
    mg: float | None
    """Highest dose a day."""
    weeks: float | None
    """Weeks at that dose."""
    best_improvement_pct: float | None
    augment: str = ""
    stopped_for_side_effects: bool = False
    this_episode: bool | None = None
    """None is not known, and counts."""


@dataclass(frozen=True, slots=True)
class Verdict:
    code: str
    """`failed` counts; each other code says why it does not."""
    reason: str
    minimum_mg: float | None
    minimum_weeks: float


@dataclass(frozen=True, slots=True)
class Count:
    failed_adequate: int
    trd: bool
    per_trial: tuple[Verdict, ...]


def count(trials: Sequence[Trial]) -> Count:
    """Judge each trial and count the failed adequate ones. Raises ValueError for a number that cannot be."""
    verdicts = tuple(judge(trial) for trial in trials)
    failed = sum(verdict.code == "failed" for verdict in verdicts)
    return Count(failed, failed >= _data()["rule"]["resistant_from"], verdicts)


def judge(trial: Trial) -> Verdict:
    for name, value, least, most in (
        ("dose", trial.mg, 0, 10_000),
        ("number of weeks", trial.weeks, 0, 5_200),
        ("improvement in percent", trial.best_improvement_pct, -100, 100),
    ):
        if value is not None and not (is_number(value) and least <= value <= most):
            raise ValueError(f"The {name} of a trial must be a number from {least} to {most}.")
    data = _data()
    kind = "augmentation_minimum" if trial.augment else "minimum"
    minimum_mg = data[f"{kind}_mg_day"].get((trial.augment or trial.drug).strip().lower())
    minimum_weeks = data["rule"][f"{kind}_weeks"]
    code = _code(trial, minimum_mg, minimum_weeks, data["rule"]["response_pct"])
    return Verdict(code, data["reasons"][code], minimum_mg, minimum_weeks)


def _code(trial: Trial, minimum_mg: float | None, minimum_weeks: float, response_pct: float) -> str:
    """Return the first reason against counting the trial; what is known to rule it out goes before what is unknown."""
    improvement, weeks, mg = trial.best_improvement_pct, trial.weeks, trial.mg
    against: Mapping[str, bool] = {
        "other_episode": trial.this_episode is False,
        "response": improvement is not None and improvement >= response_pct,
        "intolerance": trial.stopped_for_side_effects and weeks is not None and weeks < minimum_weeks,
        "too_short": weeks is not None and weeks < minimum_weeks,
        "dose_low": mg is not None and minimum_mg is not None and mg < minimum_mg,
        "unknown_drug": minimum_mg is None,
        "dose_unknown": mg is None,
        "weeks_unknown": weeks is None,
        "improvement_unknown": improvement is None,
    }
    return next((code for code, holds in against.items() if holds), "failed")


@cache
def _data() -> dict[str, Any]:
    return tomllib.loads(Path(__file__).with_name("trials.toml").read_text(encoding="utf-8"))
