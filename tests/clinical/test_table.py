"""The decision table as frozen data: every rule on both sides, inputs checked, thresholds a practice may change."""

import hashlib
import json
import tomllib
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from practice.clinical import table

LOCK = Path(table.__file__).with_name("rules.lock")
MODALITIES = set(table.selection()["modalities"])
BP = {"sbp": 120, "dbp": 80}
HOME = {"good_support": True, "home_chaperone": True, "cssrs_level": "none", "phq9_item9": 0}

# For each rule: pictures in which it just fires, and the nearest ones in which it does not.
SIDES: dict[str, tuple[list[dict[str, Any]], list[dict[str, Any]]]] = {
    "SR-01": ([{"cssrs_level": "high"}], [{"cssrs_level": "moderate"}, {"cssrs_level": "incomplete"}]),
    "SR-02": ([{"asq_result": "acute_positive"}], [{"asq_result": "non_acute_positive"}]),
    "SR-03": (
        [{"cssrs_level": "moderate"}, {"asq_result": "non_acute_positive"}],
        [{"cssrs_level": "low"}, {"asq_result": "negative"}, {"asq_result": "declined"}],
    ),
    "SR-04": ([{"cssrs_level": "low"}], [{"cssrs_level": "none"}]),
    "SR-05": ([{"phq9_item9": 1}], [{"phq9_item9": 0}, {"phq9_item9": 1, "cssrs_level": "none"}, {"phq9_item9": 2}]),
    "SR-06": (
        [{"phq9_item9": 2}, {"phq9_item9": 3}],
        [{"phq9_item9": 1}, {"phq9_item9": 2, "cssrs_level": "low"}, {"phq9_item9": "unanswered"}],
    ),
    "SR-07": (
        [
            {"cssrs_level": "incomplete"},
            {"cssrs_level": "declined"},
            {"phq9_item9": "unanswered"},
            {"asq_result": "declined"},
            {"cssrs_level": "low", "cssrs_incomplete": True},
            {"asq_result": "non_acute_positive", "asq_incomplete": True},
        ],
        [{"cssrs_level": "none", "phq9_item9": 0, "asq_result": "negative", "cssrs_incomplete": False}],
    ),
    "SR-08": (
        [{"phq9_item9": 1, "cssrs_level": "none"}],
        [{"phq9_item9": 0, "cssrs_level": "none"}, {"phq9_item9": 1}, {"phq9_item9": 1, "cssrs_level": "low"}],
    ),
    "SR-09": ([{"homicidal_ideation": True}], [{"homicidal_ideation": False}]),
    "SR-10": ([{"abuse_or_neglect_disclosed": True}], [{"abuse_or_neglect_disclosed": False}]),
    "CX-01": ([{"aneurysm_or_avm": True}], [{"aneurysm_or_avm": False}]),
    "CX-02": ([{"intracerebral_hemorrhage": True}], [{"intracerebral_hemorrhage": False}]),
    "CX-03": ([{"ketamine_allergy": True}], [{"ketamine_allergy": False}]),
    "CX-04": (
        [{"psychosis_current": True}, {"primary_psychotic_disorder": True}],
        [{"psychosis_current": False, "primary_psychotic_disorder": False}],
    ),
    "CX-05": ([{"mania_or_mixed_current": True}], [{"mania_or_mixed_current": False}]),
    "CX-06": ([{"pregnancy": "yes"}], [{"pregnancy": "no"}, {"pregnancy": "unknown"}]),
    "CX-07": ([{"pregnancy": "unknown"}, {"pregnancy": "trying"}], [{"pregnancy": "no"}, {"pregnancy": "yes"}]),
    "CX-08": ([{"breastfeeding": True}], [{"breastfeeding": False}]),
    "CX-09": (
        [{"mi_within_months": 6}, {"stroke_or_tia_within_months": 0}, {"unstable_cardiac": True}],
        [{"mi_within_months": 7}, {"stroke_or_tia_within_months": 6.5}, {"unstable_cardiac": False}],
    ),
    "CX-10": ([{"raised_icp": True}], [{"raised_icp": False}]),
    "CX-11": ([{"liver": "severe"}], [{"liver": "moderate"}]),
    "CX-12": ([{"liver": "moderate"}], [{"liver": "mild"}, {"liver": "severe"}]),
    "CX-13": ([{"hyperthyroid": "uncontrolled"}], [{"hyperthyroid": "controlled"}]),
    "CX-14": ([{"glaucoma": "uncontrolled"}], [{"glaucoma": "controlled"}]),
    "CX-15": (
        [
            *({"sud_active": name} for name in ("alcohol", "stimulant", "opioid", "sedative", "other")),
            {"audit_c_total": 8},
        ],
        [{"sud_active": "none"}, {"sud_active": "ketamine"}, {"audit_c_total": 7}],
    ),
    "CX-16": (
        [{"sud_active": "ketamine"}, {"ketamine_misuse_history": True}],
        [{"sud_active": "opioid"}, {"ketamine_misuse_history": False}],
    ),
    "CX-17": ([{"cystitis": "current"}], [{"cystitis": "past"}]),
    "CX-18": ([{"cystitis": "past"}], [{"cystitis": "none"}, {"cystitis": "current"}]),
    "CX-19": ([{"dementia_or_delirium": True}], [{"dementia_or_delirium": False}]),
    "CX-20": ([{"age": 17}], [{"age": 18}]),
    "CX-21": ([{"age": 65}], [{"age": 64}]),
    "CX-22": ([{"seizures_uncontrolled": True}], [{"seizures_uncontrolled": False}]),
    "CX-23": (
        [{"severe_respiratory_or_untreated_osa": True}],
        [{"severe_respiratory_or_untreated_osa": False}],
    ),
    "CX-24": (
        [{"bipolar": "I", "mood_stabilizer": False}],
        [{"bipolar": "I", "mood_stabilizer": True}, {"bipolar": "I"}, {"bipolar": "II", "mood_stabilizer": False}],
    ),
    "CX-25": ([{"family_psychosis_first_degree": True}], [{"family_psychosis_first_degree": False}]),
    "CX-26": ([{"primary_dissociative_disorder": True}], [{"primary_dissociative_disorder": False}]),
    "CX-27": ([{"capacity_to_consent": False}], [{"capacity_to_consent": True}]),
    "BP-01": ([{"sbp": 180}, {"dbp": 120}], [{"sbp": 179, "dbp": 119}]),
    "BP-02": ([{"sbp": 160}, {"dbp": 100}], [{"sbp": 159, "dbp": 99}]),
    "BP-03": (
        [{"sbp": 141}, {"dbp": 91}, {"sbp": 141, "age": 65}, {"sbp": 151, "age": 66}],
        [{"sbp": 140, "dbp": 90}, {"sbp": 150, "age": 66}],
    ),
    "BP-04": ([{}, {"sbp": 120}, {"dbp": 80}], [BP]),
    "DI-01": ([{"meds": ["ssri", "benzodiazepine"]}], [{"meds": ["ssri"]}, {"meds": []}]),
    "DI-02": ([{"meds": ["lamotrigine"]}], [{"meds": []}]),
    "DI-03": ([{"meds": ["maoi"]}], [{"meds": []}]),
    "DI-04": ([{"meds": ["stimulant"]}], [{"meds": []}]),
    "DI-05": ([{"meds": ["opioid"]}], [{"meds": []}]),
    "DI-06": ([{"meds": ["naltrexone"]}], [{"meds": []}]),
    "DI-07": ([{"meds": ["cyp3a4_2b6_inhibitor"]}], [{"meds": ["cyp3a4_2b6_inducer"]}]),
    "DI-08": ([{"meds": ["cyp3a4_2b6_inducer"]}], [{"meds": ["cyp3a4_2b6_inhibitor"]}]),
    "DI-09": ([{"meds": ["other_cns_depressant"]}], [{"meds": []}]),
    "DI-10": ([{"meds": ["antipsychotic"]}], [{"meds": []}]),
    "DI-11": ([{"meds": ["theophylline"]}], [{"meds": []}]),
    "IN-01": (
        [
            {"phq9_total": 15, "phq9_item9": 1},
            *({"phq9_total": 15, "cssrs_level": n} for n in ("low", "moderate", "high")),
        ],
        [
            {"phq9_total": 14, "phq9_item9": 1},
            {"phq9_total": 15, "phq9_item9": 0, "cssrs_level": "none"},
            {"phq9_total": 15, "phq9_item9": "unanswered"},
            {"phq9_item9": 3},
        ],
    ),
    "IN-02": (
        [{"phq9_total": 15, "failed_adequate_trials": 2}],
        [{"phq9_total": 14, "failed_adequate_trials": 2}, {"phq9_total": 15, "failed_adequate_trials": 1}],
    ),
    "IN-03": (
        [{"phq9_total": 20, "failed_adequate_trials": 1}, {"phq9_total": 20}],
        [{"phq9_total": 20, "failed_adequate_trials": 2}, {"phq9_total": 19}],
    ),
    "IN-04": (
        [{"phq9_total": 10, "failed_adequate_trials": 2}, {"phq9_total": 14, "failed_adequate_trials": 2}],
        [
            {"phq9_total": 9, "failed_adequate_trials": 2},
            {"phq9_total": 15, "failed_adequate_trials": 2},
            {"phq9_total": 10, "failed_adequate_trials": 1},
        ],
    ),
    "IN-05": (
        [{"chronic_pain": True, "peg": 7}],
        [{"chronic_pain": True, "peg": 6.9}, {"chronic_pain": False, "peg": 9}, {"peg": 9}],
    ),
    "IN-06": (
        [{"chronic_pain": True, "peg": 4, "meds": ["opioid"]}, {"chronic_pain": True, "peg": 6.9, "meds": ["opioid"]}],
        [
            {"chronic_pain": True, "peg": 3.9, "meds": ["opioid"]},
            {"chronic_pain": True, "peg": 7, "meds": ["opioid"]},
            {"chronic_pain": True, "peg": 5, "meds": []},
        ],
    ),
    "IN-07": (
        [
            {"pcl5_total": 31, "therapist_alliance": True, "cssrs_level": "none"},
            {"pcptsd5_total": 4, "therapist_alliance": True, "cssrs_level": "low"},
            {"wants_relational_therapy": True, "therapist_alliance": True, "cssrs_level": "none"},
        ],
        [
            {"pcl5_total": 30, "pcptsd5_total": 3, "therapist_alliance": True, "cssrs_level": "none"},
            {"pcl5_total": 31, "therapist_alliance": False, "cssrs_level": "none"},
            {"pcl5_total": 31, "therapist_alliance": True, "cssrs_level": "moderate"},
            {"pcl5_total": 31, "therapist_alliance": True},
        ],
    ),
    "IN-08": (
        [{**HOME, "phq9_total": 5}, {**HOME, "phq9_total": 14}],
        [
            {**HOME, "phq9_total": 4},
            {**HOME, "phq9_total": 15},
            *({**HOME, "phq9_total": 9, name: None} for name in HOME),
            {**HOME, "phq9_total": 9, "phq9_item9": 1},
            {**HOME, "phq9_total": 9, "cssrs_level": "low"},
        ],
    ),
    "IN-09": (
        [{**HOME, "phq9_total": 9, "gad7_total": 10}],
        [
            {**HOME, "phq9_total": 9, "gad7_total": 9},
            {**HOME, "phq9_total": 10, "gad7_total": 10},
            *({**HOME, "phq9_total": 9, "gad7_total": 10, name: None} for name in HOME),
        ],
    ),
    "IN-10": ([{"phq9_total": 20}], [{"phq9_total": 19}]),
    "OP-01": ([{"home_chaperone": False}], [{"home_chaperone": True}]),
    "OP-02": ([{"escort": False}], [{"escort": True}]),
    "OP-03": ([{"prescriber_linked": False}], [{"prescriber_linked": True}]),
    "OP-04": ([{"med_list_confirmed": False}], [{"med_list_confirmed": True}]),
    "OP-05": ([{"ketamine_consent_signed": False}], [{"ketamine_consent_signed": True}]),
    "OP-06": ([{"safe_home": False}], [{"safe_home": True}]),
}


def test_the_table_has_its_68_rules_and_each_is_tried_on_both_sides() -> None:
    assert [rule.id for rule in table.rules()] == list(SIDES)
    assert Counter(rule.category for rule in table.rules()) == {
        "safety": 10,
        "contraindication": 27,
        "blood_pressure": 4,
        "interaction": 11,
        "indication": 10,
        "operations": 6,
    }
    assert Counter(rule.confidence for rule in table.rules()) == {
        "retrieved": 55,
        "own": 8,
        "recalled": 4,
        "retrieved-secondary": 1,
    }


@pytest.mark.parametrize("rule_id", SIDES)
def test_a_rule_fires_on_one_side_of_its_line_only(rule_id: str) -> None:
    rule = table.rule(rule_id)
    fires, stays = SIDES[rule_id]
    assert [picture for picture in fires if table.evaluate(rule.when, picture) is not True] == []
    assert [picture for picture in stays if table.evaluate(rule.when, picture) is True] == []


@pytest.mark.parametrize("rule_id", sorted(SIDES.keys() - {"BP-04"}))
def test_a_rule_never_fires_on_an_empty_picture(rule_id: str) -> None:
    assert table.evaluate(table.rule(rule_id).when, {}) is not True


def test_a_released_rule_is_never_edited_without_a_new_version() -> None:
    lines = LOCK.read_text(encoding="utf-8").splitlines()
    locked = {name: sha256 for sha256, name in (line.split("  ") for line in lines)}
    now = {}
    for path in table.FOLDER.glob("[0-9]-*.toml"):
        data = tomllib.loads(path.read_text(encoding="utf-8"))
        for row in data["rules"]:
            body = json.dumps({"category": data["category"], **row}, sort_keys=True, ensure_ascii=False)
            now[f"{row['id']}@{row['version']}"] = hashlib.sha256(body.encode()).hexdigest()
    assert now == locked, "Give a changed rule a new version and put it into rules.lock."


def test_every_name_in_a_rule_exists() -> None:
    ids = {rule.id for rule in table.rules()}
    for rule in table.rules():
        assert set(rule.inputs) <= set(table.inputs())
        assert {*rule.supports, *rule.holds, *rule.excludes} <= MODALITIES
        assert set(rule.superseded_by) <= ids
        assert rule.severity in table.selection()["severities"]
        assert rule.reason and rule.human_action and rule.citation and rule.sources
        assert not rule.human_action.startswith("As ")
    for disagreement in table.disagreements():
        assert set(disagreement.rules) <= ids and set(disagreement.modalities) <= MODALITIES


def test_a_weaker_rule_says_nothing_that_the_stronger_does_not() -> None:
    """Otherwise hiding it would hide an effect."""
    for rule in table.rules():
        for stronger in map(table.rule, rule.superseded_by):
            assert {*rule.holds, *rule.excludes} <= {*stronger.holds, *stronger.excludes}
            assert set(rule.supports) <= set(stronger.supports)


def test_every_input_is_read_by_a_rule_or_by_the_order() -> None:
    read = {name for rule in table.rules() for name in rule.inputs} | {"primary_concern"}
    assert read == set(table.inputs())


@pytest.mark.parametrize(
    ("picture", "sentence"),
    [
        ({"phq9": 3}, "The decision table has no input called 'phq9'."),
        ({"phq9_total": 28}, "PHQ-9 total (phq9_total) must be a whole number from 0 to 27."),
        ({"phq9_total": 10.5}, "PHQ-9 total (phq9_total) must be a whole number from 0 to 27."),
        ({"phq9_total": True}, "PHQ-9 total (phq9_total) must be a whole number from 0 to 27."),
        ({"phq9_total": "10"}, "PHQ-9 total (phq9_total) must be a whole number from 0 to 27."),
        ({"age": 2**70}, "Age (age) must be a whole number from 0 to 130."),
        ({"sbp": float("nan")}, "Blood pressure, upper number (sbp) must be a number from 1 to 400."),
        (
            {"cssrs_level": "bad"},
            "C-SSRS screen (cssrs_level) must be one of none, low, moderate, high, incomplete, declined.",
        ),
        ({"phq9_item9": True}, "PHQ-9 item 9 (phq9_item9) must be one of 0, 1, 2, 3, unanswered."),
        ({"good_support": 1}, "Good support (good_support) must be true or false."),
        ({"meds": "opioid"}, "Medicine classes now (meds) must be a list of medicine classes."),
        ({"meds": [3]}, "Medicine classes now (meds) must be a list of medicine classes."),
    ],
)
def test_an_input_that_cannot_be_is_refused_without_repeating_it(picture: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError) as refused:
        table.check_picture(picture)
    assert str(refused.value) == sentence


def test_a_missing_input_is_never_refused() -> None:
    table.check_picture(dict.fromkeys(table.inputs()))


def test_a_practice_may_change_numbers_but_never_those_of_a_safety_rule() -> None:
    assert table.rule("IN-04").thresholds == {"phq9_total >=": 10, "phq9_total <": 15, "failed_adequate_trials >=": 2}
    assert all(rule.thresholds == {} for rule in table.rules() if rule.category == "safety")
    tuned = table.tuned(table.rule("IN-02"), {"IN-02": {"phq9_total >=": 17}})
    trd = {"failed_adequate_trials": 2}
    assert [table.evaluate(tuned, {**trd, "phq9_total": total}) for total in (16, 17)] == [False, True]
    assert table.evaluate(table.rule("IN-02").when, {**trd, "phq9_total": 16}) is True


@pytest.mark.parametrize(
    ("overrides", "sentence"),
    [
        ({"XX-01": {}}, "There is no rule called 'XX-01'."),
        (
            {"SR-06": {"phq9_item9 >=": 3}},
            "Rule SR-06 has no number called 'phq9_item9 >=' that a practice may change.",
        ),
        ({"IN-02": {"phq9_total": 3}}, "Rule IN-02 has no number called 'phq9_total' that a practice may change."),
        ({"IN-02": {"phq9_total >=": "9"}}, "The new value of 'phq9_total >=' in rule IN-02 must be a number."),
        ({"IN-02": {"phq9_total >=": True}}, "The new value of 'phq9_total >=' in rule IN-02 must be a number."),
    ],
)
def test_an_override_that_is_not_allowed_is_refused(overrides: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError) as refused:
        table.check_overrides(overrides)
    assert str(refused.value) == sentence
