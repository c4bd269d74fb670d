"""Change of a total, both sides of every line."""

from typing import Any

import pytest

from practice.clinical.change import Change, change
from practice.clinical.instrument import load


def test_phq9_change_is_judged_by_five_lines() -> None:
    assert change(load("phq-9"), 16, 8) == Change(8, True, False, True, True, True, False, False)
    assert change(load("phq-9"), 17, 9) == Change(8, False, False, True, True, True, False, False)


@pytest.mark.parametrize(
    ("key", "baseline", "now", "name", "answer"),
    [
        ("phq-9", 10, 5, "response", True),
        ("phq-9", 11, 6, "response", False),
        ("phq-9", 0, 0, "response", False),
        ("phq-9", 12, 4, "remission", True),
        ("phq-9", 12, 5, "remission", False),
        ("phq-9", 10, 9, "recovery", True),
        ("phq-9", 10, 10, "recovery", False),
        ("phq-9", 9, 3, "recovery", False),
        ("phq-9", 15, 10, "meaningful", True),
        ("phq-9", 15, 11, "meaningful", False),
        ("phq-9", 9, 15, "meaningful", False),
        ("phq-9", 15, 9, "reliable_improvement", True),
        ("phq-9", 15, 10, "reliable_improvement", False),
        ("phq-9", 9, 15, "reliable_worsening", True),
        ("phq-9", 9, 14, "reliable_worsening", False),
        ("phq-9", 9, 14, "worsening_review", True),
        ("phq-9", 9, 13, "worsening_review", False),
        ("gad-7", 14, 10, "reliable_improvement", True),
        ("gad-7", 14, 11, "reliable_improvement", False),
        ("gad-7", 8, 7, "recovery", True),
        ("gad-7", 12, 8, "recovery", False),
        ("gad-7", 14, 7, "response", True),
        ("pcl-5", 40, 35, "reliable_improvement", True),
        ("pcl-5", 40, 36, "reliable_improvement", False),
        ("pcl-5", 40, 30, "meaningful", True),
        ("pcl-5", 40, 31, "meaningful", False),
        ("pcl-5", 40, 10, "response", None),
        ("peg", 7.0, 4.9, "meaningful", True),
        ("peg", 7.0, 5.0, "meaningful", False),
        ("audit-c", 9, 3, "meaningful", None),
    ],
)
def test_change_on_both_sides_of_a_line(key: str, baseline: float, now: float, name: str, answer: bool | None) -> None:
    assert getattr(change(load(key), baseline, now), name) is answer


def test_well_being_improves_upward() -> None:
    assert change(load("wbs-2"), 4.33, 6.67) == Change(difference=2.34)


def test_a_missing_total_gives_no_answers() -> None:
    assert change(load("phq-9"), None, 9) == change(load("phq-9"), 9, None) == Change()


@pytest.mark.parametrize("total", [-1, 28, True, "9", float("nan"), 2**70])
def test_a_total_out_of_range_is_refused(total: Any) -> None:
    with pytest.raises(ValueError, match=r"^A total of .* is a number from 0 to 27\.$"):
        change(load("phq-9"), 9, total)


def test_levels_have_no_difference() -> None:
    with pytest.raises(ValueError, match="has levels, not totals"):
        change(load("asq"), 0, 1)
