"""A safety answer is seen when it is given, and the worst of all screens wins."""

import pytest

from practice.clinical.instrument import Value
from practice.clinical.risk import CSSRS, Reason, Safety, Sign, assess, needs_cssrs, safety_signs
from practice.clinical.scoring import score_all

OPENS = (CSSRS,)


@pytest.mark.parametrize(
    ("instrument", "link_id", "value", "sign"),
    [
        ("phq-9", "phq9-9", 0, Sign()),
        ("phq-9", "phq9-9", 1, Sign(True, False, "priority", ("phq9_item9_positive",), OPENS)),
        ("phq-9", "phq9-9", 2, Sign(True, False, "urgent", ("phq9_item9_positive", "phq9_item9_high"), OPENS)),
        ("phq-9", "phq9-9", None, Sign(False, True, "priority", ("phq9_item9_unanswered",))),
        ("phq-9", "phq9-9", "declined", Sign(False, True, "priority", ("phq9_item9_unanswered",))),
        ("phq-9", "phq9-1", 3, Sign()),
        ("phq-9", "phq9-1", None, Sign()),
        (CSSRS, "cssrs-1", 1, Sign(True, False, "routine", ("cssrs_low",))),
        (CSSRS, "cssrs-2", 1, Sign(True, False, "routine", ("cssrs_low",))),
        (CSSRS, "cssrs-3", 1, Sign(True, False, "priority", ("cssrs_moderate",))),
        (CSSRS, "cssrs-4", 1, Sign(True, False, "urgent", ("cssrs_high",))),
        (CSSRS, "cssrs-5", 1, Sign(True, False, "urgent", ("cssrs_high",))),
        (CSSRS, "cssrs-6", 1, Sign(True, False, "priority", ("cssrs_moderate",))),
        (CSSRS, "cssrs-6r", 1, Sign(True, False, "urgent", ("cssrs_high",))),
        (CSSRS, "cssrs-6r", 0, Sign()),
        (CSSRS, "cssrs-6", None, Sign(False, True, "priority", ("cssrs_incomplete",))),
        ("asq", "asq-1", 1, Sign(True, False, "priority", ("asq_positive",), OPENS)),
        ("asq", "asq-5", 1, Sign(True, False, "urgent", ("asq_acute",), OPENS)),
        ("asq", "asq-5", 0, Sign()),
        ("asq", "asq-2", None, Sign(False, True, "priority", ("asq_incomplete",))),
        ("gad-7", "gad7-1", 3, Sign()),
    ],
)
def test_a_single_answer_says_what_it_says_at_once(
    instrument: str, link_id: str, value: Value | None, sign: Sign
) -> None:
    assert safety_signs(instrument, link_id, value) == sign
    assert bool(sign) == (sign.positive or sign.skipped)


def test_a_single_answer_that_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match="takes 0 or 1 or 2 or 3"):
        safety_signs("phq-9", "phq9-9", 4)
    with pytest.raises(ValueError, match="no question called"):
        safety_signs("phq-9", "phq9-99", 1)


NONE = {"cssrs-1": 0, "cssrs-2": 0, "cssrs-6": 0}
ASQ_NO = {"asq-1": 0, "asq-2": 0, "asq-3": 0, "asq-4": 0}


@pytest.mark.parametrize(
    ("answers", "level", "severity", "codes"),
    [
        ({}, "not_asked", "none", []),
        ({"gad-7": {"gad7-1": 3}}, "not_asked", "none", []),
        ({"phq-9": {"phq9-9": 0}}, "none", "none", []),
        ({"phq-9": {"phq9-9": 1}}, "unknown", "priority", ["phq9_item9_positive"]),
        ({"phq-9": {"phq9-9": 2}}, "high", "urgent", ["phq9_item9_high", "phq9_item9_positive"]),
        ({"phq-9": {}}, "unknown", "priority", ["phq9_item9_unanswered"]),
        ({CSSRS: NONE}, "none", "none", []),
        ({CSSRS: {}}, "unknown", "priority", ["cssrs_not_done"]),
        ({CSSRS: {"cssrs-1": 1, "cssrs-2": 0, "cssrs-6": 0}}, "low", "routine", ["cssrs_low"]),
        ({CSSRS: {"cssrs-1": 1, "cssrs-2": 0}}, "low", "priority", ["cssrs_incomplete", "cssrs_low"]),
        ({"asq": ASQ_NO}, "none", "none", []),
        ({"asq": {**ASQ_NO, "asq-4": 1, "asq-5": 0}}, "moderate", "priority", ["asq_positive"]),
        ({"asq": {**ASQ_NO, "asq-4": 1, "asq-5": 1}}, "high", "urgent", ["asq_acute"]),
        (
            {"phq-9": {"phq9-9": 2}, CSSRS: NONE},
            "none",
            "priority",
            ["phq9_item9_positive", "item9_and_cssrs_disagree"],
        ),
        (
            {"phq-9": {"phq9-9": 2}, CSSRS: {}},
            "high",
            "urgent",
            ["phq9_item9_high", "phq9_item9_positive", "cssrs_not_done"],
        ),
        ({"phq-9": {}, CSSRS: NONE}, "none", "priority", ["phq9_item9_unanswered"]),
        ({"asq": {}, CSSRS: {**NONE, "cssrs-6": 1, "cssrs-6r": 1}}, "high", "urgent", ["cssrs_high", "asq_not_done"]),
    ],
)
def test_the_worst_screen_gives_the_level(
    answers: dict[str, dict[str, int]], level: str, severity: str, codes: list[str]
) -> None:
    found = assess(score_all(answers))
    assert (found.level, found.severity, [reason.code for reason in found.reasons]) == (level, severity, codes)


def test_an_assessment_names_what_was_answered_and_what_was_not() -> None:
    found = assess(score_all({"phq-9": {"phq9-9": 1}, "asq": {**ASQ_NO, "asq-2": 1}}))
    assert found == Safety(
        level="moderate",
        severity="priority",
        reasons=(
            Reason(
                "phq9_item9_positive",
                "priority",
                "phq-9",
                "PHQ-9 item 9 (thoughts of being better off dead or of self-harm) is above zero.",
            ),
            Reason("asq_positive", "priority", "asq", "ASQ: positive screen."),
            Reason(
                "asq_incomplete",
                "priority",
                "asq",
                "The ASQ is positive and one of its questions was left blank.",
            ),
        ),
        positive=(("phq-9", "phq9-9", 1), ("asq", "asq-2", 1)),
        unanswered=(("asq", "asq-5"),),
        needs_cssrs=True,
    )


def test_the_cssrs_is_opened_by_any_sign_once() -> None:
    assert needs_cssrs(score_all({"phq-9": {"phq9-9": 1}}))
    assert needs_cssrs(score_all({"asq": {"asq-4": 1}}))
    assert not needs_cssrs(score_all({"phq-9": {"phq9-9": 0, "phq9-1": 3}}))
    assert not needs_cssrs(score_all({"phq-9": {"phq9-9": 3}, CSSRS: {}}))
