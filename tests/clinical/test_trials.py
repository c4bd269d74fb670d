"""Which antidepressant trials count, by the ATRQ rule."""

import tomllib
from pathlib import Path
from typing import Any

import pytest

from practice.clinical import trials
from practice.clinical.trials import Trial, count, judge


@pytest.mark.parametrize(
    ("trial", "code"),
    [
        (Trial("sertraline", 50, 6, 49), "failed"),
        (Trial("Sertraline ", 50, 6, 0), "failed"),
        (Trial("sertraline", 49, 6, 0), "dose_low"),
        (Trial("sertraline", 50, 5.9, 0), "too_short"),
        (Trial("sertraline", 50, 6, 50), "response"),
        (Trial("sertraline", 50, 2, 0, stopped_for_side_effects=True), "intolerance"),
        (Trial("sertraline", 50, 8, 0, stopped_for_side_effects=True), "failed"),
        (Trial("sertraline", 50, 8, 0, this_episode=False), "other_episode"),
        (Trial("sertraline", 50, 8, 0, this_episode=True), "failed"),
        (Trial("sertraline", None, 8, 0), "dose_unknown"),
        (Trial("sertraline", 50, None, 0), "weeks_unknown"),
        (Trial("sertraline", 50, 8, None), "improvement_unknown"),
        (Trial("moonflower", 50, 8, 0), "unknown_drug"),
        (Trial("", 50, 8, 0), "unknown_drug"),
        (Trial("duloxetine", 2, 4, 0, augment="aripiprazole"), "failed"),
        (Trial("duloxetine", 1.9, 4, 0, augment="aripiprazole"), "dose_low"),
        (Trial("duloxetine", 2, 3.9, 0, augment="aripiprazole"), "too_short"),
        (Trial("duloxetine", 60, 8, 0, augment="sertraline"), "unknown_drug"),
    ],
)
def test_a_trial_is_judged_with_its_reason(trial: Trial, code: str) -> None:
    verdict = judge(trial)
    assert verdict.code == code
    assert verdict.reason.startswith("Counts:" if code == "failed" else "Does not count")


def test_every_dose_of_the_table_is_a_limit_from_below() -> None:
    data = tomllib.loads(Path(trials.__file__).with_name("trials.toml").read_text())
    for drug, minimum in data["minimum_mg_day"].items():
        assert judge(Trial(drug, minimum, 6, 0)).code == "failed"
        assert judge(Trial(drug, minimum - 0.1, 6, 0)).code == "dose_low"
    assert (len(data["minimum_mg_day"]), len(data["augmentation_minimum_mg_day"])) == (26, 6)


def test_two_failed_trials_make_it_resistant() -> None:
    one = Trial("sertraline", 100, 8, 0)
    assert (count([]).failed_adequate, count([]).trd) == (0, False)
    assert (count([one]).failed_adequate, count([one]).trd) == (1, False)
    assert (count([one, one]).failed_adequate, count([one, one]).trd) == (2, True)


@pytest.mark.parametrize(
    "numbers",
    [{"mg": -1}, {"mg": float("nan")}, {"mg": True}, {"weeks": -1}, {"weeks": 2**70}, {"best_improvement_pct": 101}],
)
def test_a_number_that_cannot_be_is_refused(numbers: dict[str, Any]) -> None:
    fields = {"mg": 50, "weeks": 8, "best_improvement_pct": 0, **numbers}
    with pytest.raises(ValueError, match=r"^The .* of a trial must be a number from"):
        judge(Trial("sertraline", **fields))
