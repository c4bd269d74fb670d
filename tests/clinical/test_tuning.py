"""Which numbers of the decision table a practice may set, and within which limits (D8)."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from practice.clinical import table, tuning

OPEN = {
    "CX-09": ["mi_within_months <=", "stroke_or_tia_within_months <="],
    "IN-01": ["phq9_total >="],
    "IN-02": ["phq9_total >=", "failed_adequate_trials >="],
    "IN-03": ["phq9_total >=", "failed_adequate_trials <"],
    "IN-04": ["phq9_total >=", "phq9_total <", "failed_adequate_trials >="],
    "IN-05": ["peg >="],
    "IN-06": ["peg >=", "peg <"],
    "IN-07": ["pcl5_total >=", "pcptsd5_total >="],
    "IN-08": ["phq9_total >=", "phq9_total <"],
    "IN-09": ["gad7_total >=", "phq9_total <"],
    "IN-10": ["phq9_total >="],
}


def test_numbers_that_a_practice_may_set_are_these_and_no_safety_answer() -> None:
    found = {rule.id: list(tuning.numbers(rule.id)) for rule in table.rules() if tuning.numbers(rule.id)}
    assert found == OPEN
    assert {"phq9_item9", "cssrs_level"} <= tuning.safety_inputs()


@pytest.mark.parametrize(
    ("rule", "name", "limits"),
    [
        ("IN-01", "phq9_total >=", (0, 27)),
        ("CX-09", "mi_within_months <=", (6, 1200)),  # it stands in the way: longer, not shorter
        ("IN-10", "phq9_total >=", (0, 20)),  # likewise: at a lower total, not only at a higher one
    ],
)
def test_rule_that_protects_may_become_stricter_and_never_looser(
    rule: str, name: str, limits: tuple[float, float]
) -> None:
    number = tuning.numbers(rule)[name]
    assert (number.least, number.most) == limits


@pytest.mark.parametrize(
    ("overrides", "counts"),
    [
        ({"IN-01": {"phq9_total >=": 17}}, {"IN-01": {"phq9_total >=": 17}}),
        ({"IN-01": {"phq9_total >=": 15}}, {}),  # the default
        ({"IN-01": {"phq9_item9 >=": 2}}, {}),  # a safety answer in a rule that is open
        ({"SR-06": {"phq9_item9 >=": 3}}, {}),
        ({"BP-01": {"sbp >=": 200}}, {}),
        ({"CX-09": {"mi_within_months <=": 3}}, {}),  # looser
        ({"IN-01": {"phq9_total >=": 28}}, {}),
        ({"IN-01": {"phq9_total >=": 15.5}}, {}),
        ({"IN-01": {"phq9_total >=": "17"}}, {}),
        ({"IN-01": {"phq9_total >=": float("nan")}}, {}),
        ({"XX-99": {"phq9_total >=": 17}}, {}),
    ],
)
def test_only_numbers_of_the_table_of_today_count(overrides: dict[str, Any], counts: dict[str, Any]) -> None:
    assert tuning.standing(overrides) == counts


@pytest.mark.parametrize(
    ("rule", "own", "pairs"),
    [
        ("IN-04", {"phq9_total >=": 14}, []),
        ("IN-04", {"phq9_total >=": 15}, [("phq9_total >=", "phq9_total <")]),
        ("IN-06", {"peg >=": 6, "peg <": 6}, [("peg >=", "peg <")]),
        ("IN-07", {"pcl5_total >=": 80}, []),
    ],
)
def test_numbers_that_leave_nobody_between_them_are_named(
    rule: str, own: dict[str, float], pairs: list[tuple[str, str]]
) -> None:
    assert tuning.crossed(rule, own) == pairs


def test_version_is_the_tables_own_until_a_number_differs() -> None:
    tuned = tuning.version({"IN-01": {"phq9_total >=": 17}})
    assert tuning.version({}) == tuning.version({"IN-01": {"phq9_total >=": 15}}) == table.version()
    assert len({table.version(), tuned, tuning.version({"IN-01": {"phq9_total >=": 18}})}) == 3
    assert tuned == tuning.version({"IN-01": {"phq9_total >=": 17.0}})


@given(line=st.integers(0, 27), total=st.integers(0, 27), item9=st.integers(0, 3))
def test_no_number_of_a_practice_changes_what_a_safety_rule_says(line: int, total: int, item9: int) -> None:
    """Law 1: a safety answer is gated on no total, whatever a practice sets."""
    everything = {
        rule.id: {name: min(max(line, n.least), n.most) for name, n in tuning.numbers(rule.id).items()}
        for rule in table.rules()
    }
    own, picture = tuning.standing(everything), {"phq9_total": total, "phq9_item9": item9}
    for rule in table.rules():
        if rule.category == "safety":
            assert table.evaluate(table.tuned(rule, own), picture) == table.evaluate(rule.when, picture)
