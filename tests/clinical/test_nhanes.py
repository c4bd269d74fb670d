"""Real answers: 5,334 responses of NHANES 2005-06, against sums made another way."""

import csv
from collections import Counter
from pathlib import Path

from practice.clinical import fit, table
from practice.clinical.instrument import load
from practice.clinical.scoring import Score, score, worst

FILE = Path("tests/data/nhanes/phq9_nhanes_2005_06.csv")
COLUMNS = [f"DPQ0{number}0" for number in range(1, 10)]
SCORED = {"0", "1", "2", "3"}  # 7 refused, 9 don't know and a blank are not answers


def responses() -> list[tuple[list[int | None], Score]]:
    with FILE.open(encoding="utf-8", newline="") as file:
        rows = [[int(row[c]) if row[c] in SCORED else None for c in COLUMNS] for row in csv.DictReader(file)]
    phq9 = load("phq-9")
    return [(row, score(phq9, {f"phq9-{n}": value for n, value in enumerate(row, 1)})) for row in rows]


def test_every_real_response_is_scored_as_a_plain_sum_says() -> None:
    found = responses()
    assert len(found) == 5334
    for row, result in found:
        known = [value for value in row if value is not None]
        blanks = 9 - len(known)
        if blanks == 0:
            assert (result.total, result.estimated) == (sum(known), False)
        elif blanks <= 2:
            assert (result.total, result.estimated) == (int(sum(known) / len(known) * 9 + 0.5), True)
        else:
            assert (result.total, result.band) == (None, None)
        assert result.lower_bound == (sum(known) if blanks else None)
        expected = [] if row[8] == 0 else ["phq9_item9_unanswered"] if row[8] is None else ["phq9_item9_positive"]
        if row[8] is not None and row[8] >= 2:
            expected.append("phq9_item9_high")
        assert list(result.flags) == expected


def test_the_counts_of_the_survey_are_those_counted_by_hand() -> None:
    """The figures were counted with awk, apart from this code."""
    found = responses()
    complete = [(row, result) for row, result in found if result.complete]
    positive = [(row, result) for row, result in complete if (row[8] or 0) >= 1]
    assert Counter(9 - len([v for v in row if v is not None]) for row, _ in found) == {
        0: 4799, 1: 30, 2: 2, 3: 4, 4: 1, 9: 498,
    }  # fmt: skip
    assert sum(result.total or 0 for _, result in complete) == 13112
    assert Counter(result.band for _, result in complete) == {
        "minimal": 3796, "mild": 706, "moderate": 201, "moderately_severe": 73, "severe": 23,
    }  # fmt: skip
    assert sum(result.total is not None for _, result in found) == 4831
    assert len(positive) == 162
    assert sum((result.total or 0) < 10 for _, result in positive) == 70
    assert sum((row[0] or 0) + (row[1] or 0) < 3 for row, _ in positive) == 75
    assert sum((row[8] or 0) >= 2 for row, _ in complete) == 43
    assert sum(bool(row[8]) for row, result in found if not result.complete) == 5
    assert sum("phq9_item9_unanswered" in result.flags for _, result in found) == 500


def test_no_real_suicide_sign_is_gated_on_a_total() -> None:
    safety = [rule for rule in table.rules() if rule.category == "safety"]
    for row, result in responses():
        known = fit.picture({"phq-9": result}, {})
        fired = worst(rule.severity for rule in safety if table.evaluate(rule.when, known))
        assert fired == {None: "priority", 0: "none", 1: "priority"}.get(row[8], "urgent")
