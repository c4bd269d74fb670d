"""What is worth discussing: the invariants of the table over random pictures, and the parts of a decision."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from practice.clinical import fit, table
from practice.clinical.fit import Conflict, Decision, Unknown, decide, picture
from practice.clinical.scoring import score_all

HOME = "at_home_supervised"
MODALITIES = set(table.selection()["modalities"])
CSSRS = "cssrs-screener-recent"


def _values(known: table.Input) -> st.SearchStrategy[Any]:
    if known.kind == "yes_no":
        return st.booleans()
    if known.kind == "choice":
        return st.sampled_from(known.values)
    if known.kind == "list":
        classes = [
            "benzodiazepine",
            "lamotrigine",
            "maoi",
            "stimulant",
            "opioid",
            "naltrexone",
            "ssri",
            "antipsychotic",
        ]
        return st.lists(st.sampled_from(classes), max_size=3, unique=True)
    if known.name in ("sbp", "dbp"):
        return st.integers(70, 200)
    if known.kind == "number":
        return st.integers(0, 10)
    return st.integers(int(known.minimum), int(known.maximum))


# Inputs that keep a path open, so that random pictures are not all excluded; any may still be missing or bad.
FRIENDLY: dict[str, Any] = {
    "age": 40,
    "phq9_item9": 0,
    "cssrs_level": "none",
    "good_support": True,
    "home_chaperone": True,
    "therapist_alliance": True,
    "sbp": 120,
    "dbp": 78,
    "pregnancy": "no",
}


@st.composite
def pictures(draw: st.DrawFn) -> dict[str, Any]:
    names = draw(st.lists(st.sampled_from(sorted(table.inputs())), unique=True, max_size=14))
    found: dict[str, Any] = dict(FRIENDLY) if draw(st.booleans()) else {}
    for name in names:
        found[name] = draw(st.none() | _values(table.inputs()[name]))
    found["phq9_total"] = draw(st.none() | st.integers(0, 27))
    return found


@settings(max_examples=400)
@given(pictures())
def test_the_invariants_hold_over_random_pictures(facts: dict[str, Any]) -> None:
    found = decide(facts)
    level, asq, item9 = (facts.get(name) for name in ("cssrs_level", "asq_result", "phq9_item9"))
    if level in ("low", "moderate", "high"):
        assert found.suggested != HOME
    if level == "high" or asq == "acute_positive":
        assert found.top_severity == "urgent" and found.status != "discuss" and found.safety_path
    if level in ("declined", "incomplete") or asq == "declined" or item9 == "unanswered":
        assert found.status != "discuss"
    if facts.get("cssrs_incomplete") or facts.get("asq_incomplete"):
        assert found.status != "discuss"
    if (facts.get("age") is not None and facts["age"] < 18) or facts.get("pregnancy") == "yes":
        assert found.suggested not in MODALITIES and set(found.excluded) == MODALITIES
    if (facts.get("sbp") or 0) >= 160 or (facts.get("dbp") or 0) >= 100:
        assert found.status != "discuss"
    if item9 in (1, 2, 3) and level is None:
        assert found.status != "discuss"
    if facts.get("sbp") is None or facts.get("dbp") is None:
        assert (found.suggested, found.status) != (HOME, "discuss")


@settings(max_examples=300)
@given(pictures())
def test_a_decision_agrees_with_its_own_rules(facts: dict[str, Any]) -> None:
    found = decide(facts)
    every = (*found.fired, *found.superseded)
    if found.suggested in MODALITIES:
        assert found.supports[found.suggested] and found.suggested not in found.excluded
        assert found.status == ("hold" if found.safety_path or found.holds[found.suggested] else "discuss")
    else:
        assert found.status == "n/a"
        assert all(m in found.excluded for m in MODALITIES if found.supports[m])
        assert (found.suggested == "no_ketamine_now") == any(found.supports.values())
    for modality in MODALITIES:
        assert found.supports[modality] == tuple(r.id for r in _in_order(every) if modality in r.supports)
        assert found.excludes[modality] == tuple(r.id for r in _in_order(every) if modality in r.excludes)
    assert found.top_severity == max(
        (rule.severity for rule in every), key=("info", "routine", "priority", "urgent").index, default="none"
    )
    assert not {rule.id for rule in found.fired} & {rule.id for rule in found.superseded}
    for rule in found.superseded:
        assert set(rule.superseded_by) & {other.id for other in every}


def _in_order(rules: tuple[table.Rule, ...]) -> list[table.Rule]:
    order = [rule.id for rule in table.rules()]
    return sorted(rules, key=lambda rule: order.index(rule.id))


@settings(max_examples=200)
@given(pictures(), st.data())
def test_a_value_that_is_not_listed_as_unknown_cannot_open_or_close_a_path(
    facts: dict[str, Any], data: st.DataObject
) -> None:
    """What a reader is not asked for may not change the suggestion."""
    before = decide(facts)
    asked = {unknown.input for unknown in before.unknowns}
    missing = [
        name
        for name, known in table.inputs().items()
        if facts.get(name) is None and name not in asked and not known.blank_means and name != "primary_concern"
    ]
    if not missing:
        return
    name = data.draw(st.sampled_from(missing))
    after = decide({**facts, name: data.draw(_values(table.inputs()[name]))})
    if before.suggested in MODALITIES:
        assert (after.suggested, after.status) == (before.suggested, before.status)


@settings(max_examples=200)
@given(pictures(), st.sampled_from(["low", "moderate", "high"]))
def test_a_worse_screen_never_opens_a_path(facts: dict[str, Any], level: str) -> None:
    order = ["discuss", "hold", "n/a"]
    calm = {**facts, "cssrs_level": "none", "phq9_total": 4, "wants_relational_therapy": False}
    before, after = decide(calm), decide({**calm, "cssrs_level": level})
    if after.suggested == before.suggested:
        assert order.index(after.status) >= order.index(before.status)


def test_nothing_known_suggests_nothing_and_asks_first() -> None:
    found = decide({})
    assert (found.suggested, found.status, found.top_severity) == ("psychotherapy_first", "n/a", "routine")
    assert found.rule_ids == ("BP-04",)
    assert {"phq9_total", "cssrs_level"} <= {unknown.input for unknown in found.unknowns}


def test_unknowns_name_what_could_still_change_the_suggestion() -> None:
    known: dict[str, Any] = {
        name: {"yes_no": False, "choice": "none", "list": [], "integer": 0, "number": 0}[one.kind]
        for name, one in table.inputs().items()
        if not one.blank_means
    }
    known |= {"age": 34, "phq9_item9": 0, "phq9_total": 11, "sbp": 118, "dbp": 74, "good_support": True}
    known |= {"home_chaperone": True, "safe_home": True, "capacity_to_consent": True, "pregnancy": "no"}
    known |= {"escort": True, "med_list_confirmed": True, "primary_concern": "depression"}
    del known["liver"], known["raised_icp"]
    found = decide(known)
    assert (found.suggested, found.status) == (HOME, "discuss")
    assert found.unknowns == (
        Unknown("raised_icp", "Raised pressure in the head", ("CX-10",)),
        Unknown("liver", "Liver disease", ("CX-11", "CX-12")),
    )


def test_conflicts_and_disagreements_are_shown_not_hidden() -> None:
    found = decide(
        {
            "age": 44,
            "phq9_total": 12,
            "phq9_item9": 0,
            "cssrs_level": "none",
            "pcl5_total": 45,
            "therapist_alliance": True,
            "meds": ["opioid"],
            "sbp": 120,
            "dbp": 78,
        }
    )
    assert found.conflicts == (Conflict("kap", ("IN-07",), (), ("DI-05",)),)
    assert [one.id for one in found.disagreements] == ["DS-06", "DS-11"]


def test_active_suicidal_thoughts_support_one_path_and_close_others() -> None:
    found = decide({"phq9_total": 17, "phq9_item9": 2, "cssrs_level": "moderate", "bipolar": "II", **_bp(120, 80)})
    assert (found.suggested, found.status) == ("infusion_clinic", "hold")
    assert found.conflicts == (Conflict("infusion_clinic", ("IN-01",), (), ("SR-03",)),)
    assert [one.id for one in found.disagreements] == ["DS-01", "DS-02", "DS-11"]


@pytest.mark.parametrize(
    ("facts", "suggested"),
    [
        ({"primary_concern": "pain"}, "hospital_pain_infusion"),
        ({"primary_concern": "depression"}, "infusion_clinic"),
        ({}, "infusion_clinic"),
        ({"primary_concern": "pain", "phq9_item9": 1}, "infusion_clinic"),
        ({"primary_concern": "pain", "cssrs_level": "low"}, "infusion_clinic"),
        ({"primary_concern": "pain", "asq_result": "non_acute_positive"}, "infusion_clinic"),
    ],
)
def test_pain_goes_first_when_it_is_the_main_concern_and_no_sign_is_known(
    facts: dict[str, Any], suggested: str
) -> None:
    both = {"phq9_total": 16, "failed_adequate_trials": 2, "chronic_pain": True, "peg": 8, "cssrs_level": "none"}
    assert decide({**both, **_bp(120, 80), **facts}).suggested == suggested


def test_pain_goes_before_kap_and_kap_before_home() -> None:
    base = {"phq9_total": 9, "phq9_item9": 0, "cssrs_level": "none", "good_support": True, "home_chaperone": True}
    kap = {"pcl5_total": 40, "therapist_alliance": True}
    pain = {"chronic_pain": True, "peg": 7}
    assert decide({**base, **kap, **pain, **_bp(120, 80)}).suggested == "hospital_pain_infusion"
    assert decide({**base, **kap, **_bp(120, 80)}).suggested == "kap"
    assert decide({**base, **_bp(120, 80)}).suggested == HOME


@pytest.mark.parametrize(
    ("facts", "shown", "hidden"),
    [
        ({"cssrs_level": "high", "asq_result": "non_acute_positive"}, "SR-01", "SR-03"),
        ({"cssrs_level": "low", "asq_result": "acute_positive"}, "SR-02", "SR-04"),
        ({"cssrs_level": "low", "asq_result": "non_acute_positive"}, "SR-03", "SR-04"),
        ({"sbp": 185, "dbp": 80}, "BP-01", "BP-02"),
        ({"sbp": 165, "dbp": 80}, "BP-02", "BP-03"),
    ],
)
def test_the_stronger_of_two_rules_is_the_one_shown(facts: dict[str, Any], shown: str, hidden: str) -> None:
    found = decide(facts)
    assert shown in found.rule_ids and hidden not in found.rule_ids
    assert hidden in [rule.id for rule in found.superseded]


def test_an_urgent_safety_rule_without_a_hold_still_holds() -> None:
    base = {"phq9_total": 9, "phq9_item9": 0, "cssrs_level": "none", "good_support": True, "home_chaperone": True}
    assert decide({**base, **_bp(120, 80)}).status == "discuss"
    found = decide({**base, **_bp(120, 80), "abuse_or_neglect_disclosed": True})
    assert (found.suggested, found.status, found.safety_path) == (HOME, "hold", True)


def test_a_practices_own_threshold_changes_the_suggestion() -> None:
    facts = {"phq9_total": 16, "failed_adequate_trials": 2, "cssrs_level": "none", **_bp(120, 80)}
    assert decide(facts).suggested == "infusion_clinic"
    assert decide(facts, overrides={"IN-02": {"phq9_total >=": 17}}).suggested == "psychotherapy_first"
    with pytest.raises(ValueError, match="Rule SR-03 has no number"):
        decide(facts, overrides={"SR-03": {"cssrs_level ==": 1}})


def test_a_picture_takes_answers_before_the_chart() -> None:
    scores = score_all({"phq-9": {"phq9-9": 2}, "asq": {}, "audit-c": {"auditc-1": 4, "auditc-2": 4}}, age=30)
    chart = {"age": 30, "phq9_total": 12, "cssrs_level": "none", "audit_c_total": 1, "liver": "mild"}
    assert picture(scores, chart) == {
        "age": 30,
        "phq9_total": None,
        "phq9_item9": 2,
        "cssrs_level": "none",
        "asq_result": "declined",
        "asq_incomplete": False,
        "audit_c_total": 8,
        "liver": "mild",
    }


def test_a_lower_bound_below_the_line_stays_unknown() -> None:
    scores = score_all({"audit-c": {"auditc-1": 4, "auditc-2": 3}, "pcl-5": {"pcl5-1": 4}})
    assert picture(scores, {}) == {"audit_c_total": None, "pcl5_total": None}


def test_a_low_but_unfinished_screen_is_held() -> None:
    answers = {CSSRS: {"cssrs-1": 1, "cssrs-2": 0}}
    facts = {"pcl5_total": 40, "therapist_alliance": True, **_bp(120, 80)}
    found = decide(picture(score_all(answers), facts))
    assert (found.suggested, found.status) == ("kap", "hold")
    assert {"SR-04", "SR-07"} <= set(found.rule_ids)


def test_a_decision_is_the_same_every_time() -> None:
    facts = {"phq9_total": 22, "phq9_item9": 2, "cssrs_level": "moderate"}
    first: Decision = decide(facts)
    assert first == decide(dict(reversed(facts.items())))
    assert fit.DISCUSS == "discuss"


def _bp(sbp: int, dbp: int) -> dict[str, Any]:
    return {"sbp": sbp, "dbp": dbp}
