"""What the suicide screens say together, on both sides of every line."""

import pytest

from practice.clinical import table
from practice.clinical.risk import CSSRS, ITEM9_HIGH, cssrs_completed, support_level
from practice.clinical.scoring import score_all

NONE = {"cssrs-1": 0, "cssrs-2": 0, "cssrs-6": 0}


@pytest.mark.parametrize(
    ("item9", "cssrs", "complete", "level"),
    [
        (0, None, False, ""),
        (1, None, False, "moderate"),
        (2, None, False, "high"),
        (3, "low", False, "high"),
        (1, "low", False, "moderate"),
        (0, "low", False, "low"),
        (0, "moderate", False, "moderate"),
        (0, "high", False, "high"),
        (0, "none", True, ""),
        (1, "none", True, "low"),
        (3, "none", True, "low"),
        (3, "low", True, "low"),
        (3, "moderate", True, "moderate"),
        (0, "high", True, "high"),
    ],
)
def test_support_follows_the_strongest_answer_until_the_cssrs_is_done(
    item9: int, cssrs: str | None, complete: bool, level: str
) -> None:
    assert support_level(item9, cssrs, complete=complete) == level


def test_item_9_is_high_where_its_rule_says_so() -> None:
    lines = [c.value for c in table.comparisons(table.rule("SR-06").when) if c.name == "phq9_item9 >="]
    assert lines == [ITEM9_HIGH]


@pytest.mark.parametrize(
    ("answers", "completed"),
    [
        ({}, False),
        ({"phq-9": {"phq9-9": 1}}, False),
        ({CSSRS: NONE}, True),
        ({CSSRS: {**NONE, "cssrs-6": 1}}, False),
        ({CSSRS: {"cssrs-1": 1, "cssrs-2": 0}}, False),
        ({CSSRS: {}}, False),
    ],
)
def test_cssrs_is_complete_when_every_question_that_it_asks_is_answered(
    answers: dict[str, dict[str, int]], completed: bool
) -> None:
    assert cssrs_completed(score_all(answers)) == completed
