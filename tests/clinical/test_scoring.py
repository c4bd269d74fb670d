"""Both sides of every cut, every rule for blanks, and hostile answers."""

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from practice.clinical.instrument import Instrument, Value, all_instruments, load
from practice.clinical.scoring import Score, band_of, half_up, score, score_all, worst

CSSRS = "cssrs-screener-recent"


def run(key: str, answers: list[Any] | dict[str, Any], **context: Any) -> Score:
    instrument = load(key)
    if isinstance(answers, list):
        answers = dict(zip(instrument.by_link_id, answers, strict=False))
    return score(instrument, answers, **context)


def cssrs(**answers: int | None) -> Score:
    return run(CSSRS, {f"cssrs-{name.removeprefix('i')}": value for name, value in answers.items()})


def asq(*answers: int | None, **context: Any) -> Score:
    links = ["asq-1", "asq-2", "asq-3", "asq-4", "asq-5"]
    return run("asq", dict(zip(links, answers, strict=False)), **context)


# Bands: the last total below a limit and the first at it.
BANDS = {
    "phq-9": [(0, "minimal"), (5, "mild"), (10, "moderate"), (15, "moderately_severe"), (20, "severe")],
    "gad-7": [(0, "minimal"), (5, "mild"), (10, "moderate"), (15, "severe")],
    "phq-2": [(0, "negative"), (3, "positive")],
    "pc-ptsd-5": [(0, "negative"), (3, "borderline"), (4, "positive")],
    "pcl-5": [(0, "below_cut"), (31, "probable")],
    "b-ipf": [(0, "none"), (11, "mild"), (31, "moderate"), (51, "severe"), (81, "extreme")],
    "sisq-drug": [(0, "negative"), (1, "positive")],
}


@pytest.mark.parametrize("key", BANDS)
def test_band_changes_exactly_at_its_limit(key: str) -> None:
    instrument = load(key)
    limits = BANDS[key]
    for (_, below), (limit, at) in pairwise(limits):
        assert (band_of(instrument, limit - 1), band_of(instrument, limit)) == (below, at)


def test_peg_bands_change_at_4_and_7() -> None:
    peg = load("peg")
    assert [band_of(peg, total) for total in (3.9, 4.0, 6.9, 7.0, 10.0)] == [
        "mild",
        "moderate",
        "moderate",
        "severe",
        "severe",
    ]


def test_wbs_has_no_bands_because_none_are_published() -> None:
    assert run("wbs-2", [7, 8, 6]) == Score("wbs-2", "1", total=7.0)
    assert run("wbs-2", [7, 8, 8]).total == 7.67
    assert run("wbs-2", [7, 8, None]).total is None


def test_phq9_counts_symptoms_by_the_published_rule() -> None:
    five = [2, 0, 2, 2, 2, 0, 0, 0, 1, 0]
    assert (run("phq-9", five).mds, run("phq-9", five).ods) == (True, False)
    four = [2, 0, 2, 2, 2, 1, 1, 1, 0, 0]
    assert (run("phq-9", four).mds, run("phq-9", four).ods) == (False, True)
    without_core = [1, 1, 2, 2, 2, 2, 2, 2, 1, 0]
    assert (run("phq-9", without_core).mds, run("phq-9", without_core).ods) == (False, False)
    one = [2, 1, 1, 1, 1, 1, 1, 1, 0, 0]
    assert (run("phq-9", one).mds, run("phq-9", one).ods) == (False, False)


def test_phq9_difficulty_is_not_scored() -> None:
    assert run("phq-9", [0] * 9 + [3]) == run("phq-9", [0] * 9 + [None])


@pytest.mark.parametrize(
    ("answers", "total", "estimated"),
    [
        ([1] * 9, 9, False),
        ([None] + [1] * 8, 9, True),
        ([None, None] + [1] * 7, 9, True),
        ([None, None, None] + [1] * 6, None, False),
        ([3, 3, 3, 3, None, None, 0, 0, 0], 15, True),  # 12/7*9 = 15.43
        ([1, 1, 1, 1, 1, 1, 1, 0, None], 8, True),  # 7/8*9 = 7.875
        ([2, 2, 0, 0, 0, 0, 0, 0, None], 5, True),  # 4/8*9 = 4.5 goes up
        ([], None, False),
    ],
)
def test_phq9_estimates_up_to_two_blanks_half_up(answers: list[int | None], total: int | None, estimated: bool) -> None:
    found = run("phq-9", answers)
    assert (found.total, found.estimated) == (total, estimated)
    assert (found.band is None) == (total is None)


def test_gad7_estimates_up_to_two_blanks_and_flags_the_severe_band() -> None:
    assert (run("gad-7", [2] * 7).total, run("gad-7", [2] * 7).flags) == (14, ())
    assert (run("gad-7", [3] + [2] * 6).total, run("gad-7", [3] + [2] * 6).flags) == (15, ("gad7_severe",))
    assert run("gad-7", [2, 2, 2, 2, 2, None, None]).total == 14
    assert run("gad-7", [2, 2, 2, 2, None, None, None]).total is None


@pytest.mark.parametrize(
    ("item9", "flags"),
    [
        (0, ()),
        (1, ("phq9_item9_positive",)),
        (2, ("phq9_item9_positive", "phq9_item9_high")),
        (3, ("phq9_item9_positive", "phq9_item9_high")),
        (None, ("phq9_item9_unanswered",)),
        ("declined", ("phq9_item9_unanswered",)),
    ],
)
@pytest.mark.parametrize("others", [[0] * 8, [3] * 8, [None] * 8, [0, None, None, None, None, 0, 0, 0]])
def test_item_9_flags_whatever_the_total_and_the_blanks(
    others: list[int | None], item9: Value | None, flags: tuple[str, ...]
) -> None:
    assert run("phq-9", [*others, item9]).flags == flags


def test_a_finished_cssrs_answers_the_high_item_9_flag_and_only_that() -> None:
    answers = {"phq-9": {"phq9-9": 2}, CSSRS: {"cssrs-1": 0, "cssrs-2": 0, "cssrs-6": 0}}
    assert score_all(answers)["phq-9"].flags == ("phq9_item9_positive",)
    unfinished = {**answers, CSSRS: {"cssrs-1": 0, "cssrs-2": 0}}
    assert score_all(unfinished)["phq-9"].flags == ("phq9_item9_positive", "phq9_item9_high")


def test_phq2_is_not_scored_with_a_blank() -> None:
    assert run("phq-2", [2, 1]).flags == ("phq2_positive",)
    assert run("phq-2", [1, 1]).flags == ()
    blank = run("phq-2", [3, None])
    assert (blank.total, blank.lower_bound, blank.flags, blank.missing) == (None, 3, (), ("phq9-2",))


@pytest.mark.parametrize(
    ("answers", "level"),
    [
        ({"i1": 0, "i2": 0, "i6": 0}, "none"),
        ({"i1": 1, "i2": 0, "i6": 0}, "low"),
        ({"i1": 0, "i2": 1, "i3": 0, "i4": 0, "i5": 0, "i6": 0}, "low"),
        ({"i1": 1, "i2": 1, "i3": 1, "i4": 0, "i5": 0, "i6": 0}, "moderate"),
        ({"i1": 0, "i2": 0, "i6": 1, "i6r": 0}, "moderate"),
        ({"i1": 0, "i2": 0, "i6": 1, "i6r": 1}, "high"),
        ({"i1": 1, "i2": 1, "i3": 0, "i4": 1, "i5": 0, "i6": 0}, "high"),
        ({"i1": 1, "i2": 1, "i3": 0, "i4": 0, "i5": 1, "i6": 0}, "high"),
    ],
)
def test_cssrs_level_is_the_columbia_triage(answers: dict[str, int], level: str) -> None:
    found = cssrs(**answers)
    flags = () if level == "none" else (f"cssrs_{level}",)
    assert (found.level, found.flags, found.status, found.complete) == (level, flags, "complete", True)


@pytest.mark.parametrize(
    ("answers", "level", "flags"),
    [
        ({}, "declined", ("cssrs_not_done",)),
        ({"i1": "declined", "i2": "declined", "i6": "declined"}, "declined", ("cssrs_not_done",)),
        ({"i1": 0}, "incomplete", ("cssrs_incomplete",)),
        ({"i1": 0, "i2": 0}, "incomplete", ("cssrs_incomplete",)),
        ({"i1": None, "i2": 0, "i6": 0}, "incomplete", ("cssrs_incomplete",)),
        ({"i1": 1, "i2": 0}, "low", ("cssrs_low", "cssrs_incomplete")),
        ({"i1": 1, "i2": 1, "i3": 1, "i6": 0}, "moderate", ("cssrs_moderate", "cssrs_incomplete")),
        ({"i1": 0, "i2": 0, "i6": 1}, "moderate", ("cssrs_moderate", "cssrs_incomplete")),
        ({"i4": 1}, "high", ("cssrs_high", "cssrs_incomplete")),
        ({"i1": 0, "i2": 0, "i4": 1, "i6": 0}, "high", ("cssrs_high",)),
    ],
)
def test_cssrs_blank_is_never_no_and_a_yes_is_never_lost(
    answers: dict[str, Any], level: str, flags: tuple[str, ...]
) -> None:
    found = cssrs(**answers)
    assert (found.level, found.flags) == (level, flags)


@pytest.mark.parametrize(
    ("found", "level", "flags"),
    [
        (asq(0, 0, 0, 0), "negative", ()),
        (asq(0, 0, 0, 1, 0), "non_acute_positive", ("asq_positive",)),
        (asq(1, 0, 0, 0, 1), "acute_positive", ("asq_acute",)),
        (asq(1, 0, 0, 0), "non_acute_positive", ("asq_positive", "asq_incomplete")),
        (asq(0, 0, 0, 0, 1), "acute_positive", ("asq_acute",)),
        (asq(None, None, None, None, 1), "acute_positive", ("asq_acute", "asq_incomplete")),
        (asq(age=18), "declined", ("asq_not_done",)),
        (asq(), "declined", ("asq_not_done",)),
        (asq(0, 0, None, 0, age=35), "declined", ("asq_not_done",)),
        (asq(age=17), "non_acute_positive", ("asq_positive",)),
        (asq(0, 0, 0, None, age=12), "non_acute_positive", ("asq_positive",)),
        (asq(0, 0, 0, 0, age=12), "negative", ()),
    ],
)
def test_asq_result_follows_the_toolkit(found: Score, level: str, flags: tuple[str, ...]) -> None:
    assert (found.level, found.flags) == (level, flags)


@pytest.mark.parametrize(
    ("sex", "total", "band", "flags"),
    [
        ("male", 3, "negative", ()),
        ("Male", 3, "negative", ()),
        ("male", 4, "positive", ("alcohol_positive",)),
        ("female", 2, "negative", ()),
        ("female", 3, "positive", ("alcohol_positive",)),
        (None, 2, "negative", ()),
        (None, 3, "positive", ("alcohol_positive",)),
        ("other", 3, "positive", ("alcohol_positive",)),
        ("male", 7, "positive", ("alcohol_positive",)),
        ("male", 8, "high", ("alcohol_positive", "alcohol_high")),
    ],
)
def test_audit_c_cut_depends_on_sex(sex: str | None, total: int, band: str, flags: tuple[str, ...]) -> None:
    first = min(total, 4)
    found = run("audit-c", [first, min(total - first, 4), max(total - 8, 0)], sex=sex)
    assert (found.total, found.band, found.flags) == (total, band, flags)


def test_audit_c_never_makes_the_other_blanks_zero() -> None:
    assert run("audit-c", [0, None, None]) == run("audit-c", [0, 0, 0])
    assert run("audit-c", [0]).complete
    assert run("audit-c", [1, None, 0]).total is None
    assert run("audit-c", [1, "none", 0]).total == 1


def test_audit_c_flags_when_the_answers_given_reach_the_cut_alone() -> None:
    found = run("audit-c", [4, 4, None], sex="male")
    assert (found.total, found.lower_bound, found.flags) == (None, 8, ("alcohol_positive", "alcohol_high"))
    assert run("audit-c", [3, None, 0], sex="male").flags == ()


def test_pcptsd5_without_exposure_is_zero_and_complete() -> None:
    assert run("pc-ptsd-5", [0]) == run("pc-ptsd-5", [0, 1, 1, 1, 1, 1])
    assert run("pc-ptsd-5", [0]).complete


def test_pcptsd5_with_a_blank_has_no_total_but_may_be_positive() -> None:
    found = run("pc-ptsd-5", [1, 1, 1, 1, 1, None])
    assert (found.total, found.lower_bound, found.flags) == (None, 4, ("pcptsd5_positive",))
    assert run("pc-ptsd-5", [1, 1, 1, 1, None, None]).flags == ()
    unasked = run("pc-ptsd-5", [None, 1, 1, 0, 0, 0])
    assert (unasked.total, unasked.missing) == (None, ("pcptsd5-0",))


def test_pcl5_cut_clusters_and_blanks() -> None:
    assert run("pcl-5", [4] * 7 + [2] + [0] * 12).flags == ()
    at_cut = run("pcl-5", [4] * 7 + [3] + [0] * 12)
    assert (at_cut.total, at_cut.provisional, at_cut.flags) == (31, False, ("ptsd_probable",))
    assert run("pcl-5", [0] * 15 + [2] + [0] * 4).flags == ()
    assert run("pcl-5", [0] * 15 + [3] + [0] * 4).flags == ("pcl5_risk_taking",)
    pattern = [2, 0, 0, 0, 0, 2, 0, 2, 2, 0, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0]
    assert run("pcl-5", pattern).clusters == (("B", 1), ("C", 1), ("D", 2), ("E", 2))
    for place in (0, 5, 7, 14):
        less = [*pattern[:place], 1, *pattern[place + 1 :]]
        assert run("pcl-5", less).provisional is False
    blank = run("pcl-5", [None] + [4] * 8 + [0] * 11)
    assert (blank.total, blank.lower_bound, blank.band, blank.flags) == (None, 32, None, ("ptsd_probable",))
    assert run("pcl-5", [None] + [4] * 7 + [0] * 12).flags == ()


def test_peg_is_the_mean_of_what_was_answered() -> None:
    assert run("peg", [6, 7, 8]) == Score("peg", "1", total=7.0, band="severe", flags=("pain_severe",))
    assert (run("peg", [7, None, None]).total, run("peg", [7, None, None]).estimated) == (7.0, True)
    assert run("peg", [None, None, None]).total is None
    assert run("peg", [6, 7, 7]).total == 6.7


def test_b_ipf_leaves_out_not_applicable_and_skipped_and_rounds_half_up() -> None:
    assert run("b-ipf", [3, 0, 0, 0, "na", "na", "na"]).total == 13  # 12.5
    assert run("b-ipf", [3, 0, 0, 0]).total == 13
    assert run("b-ipf", ["na"] * 7).total is None
    assert run("b-ipf", []).total is None
    assert run("b-ipf", [6] * 7).total == 100


def test_the_drug_question_takes_a_count() -> None:
    assert (run("sisq-drug", [0]).band, run("sisq-drug", [0]).flags) == ("negative", ())
    assert (run("sisq-drug", [1]).band, run("sisq-drug", [1]).flags) == ("positive", ("drug_positive",))
    assert run("sisq-drug", [None]).total is None


@pytest.mark.parametrize(
    "value", [True, False, -1, 4, 2**70, 1.0, float("nan"), float("inf"), "2", "", "x" * 10_000, [1], {}, b"1"]
)
def test_an_answer_the_question_does_not_take_is_refused_without_repeating_it(value: Any) -> None:
    with pytest.raises(ValueError) as refused:
        run("phq-9", [value])
    assert str(refused.value) == "The question phq9-1 takes 0 or 1 or 2 or 3; the answer given is something else."


@pytest.mark.parametrize("value", [-1, 2**70, 1.5, True, "many", "3"])
def test_a_count_outside_its_bounds_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match="takes a whole number from 0 to 99999"):
        run("sisq-drug", [value])


def test_an_unknown_question_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^Patient Health Questionnaire-9 \(PHQ-9\) has no question called 'gad7-1'"):
        run("phq-9", {"gad7-1": 1})


def test_words_are_taken_only_where_words_are_asked() -> None:
    yes = {"asq-1": 0, "asq-2": 0, "asq-3": 0, "asq-4": 1, "asq-5": 0}
    assert run("asq", {**yes, "asq-4-detail": "long ago"}) == run("asq", yes)
    with pytest.raises(ValueError, match="takes words"):
        run("asq", {"asq-4-detail": 3})


def test_worst_severity_is_none_without_any() -> None:
    assert worst([]) == "none"
    assert worst(["routine", "urgent", "info"]) == "urgent"


@given(st.integers(0, 10**6), st.integers(1, 10**4), st.integers(0, 3))
def test_half_up_never_rounds_to_even(numerator: int, denominator: int, decimals: int) -> None:
    rounded = half_up(numerator, denominator, decimals)
    distance = rounded - numerator / denominator
    assert -0.5 / 10**decimals < distance + 1e-9 and distance - 1e-9 <= 0.5 / 10**decimals
    assert half_up(5, 2) == 3 and half_up(1, 2) == 1


def _answers(instrument: Instrument) -> st.SearchStrategy[dict[str, Any]]:
    def of(item: Any) -> st.SearchStrategy[Any]:
        if item.type == "text":
            return st.none() | st.text(max_size=5)
        if item.type == "integer":
            return st.none() | st.integers(0, 99999)
        return st.sampled_from([None, "declined", *item.points])

    return st.fixed_dictionaries({}, optional={item.link_id: of(item) for item in instrument.items})


any_sitting = st.sampled_from(all_instruments()).flatmap(lambda one: st.tuples(st.just(one), _answers(one)))


@given(any_sitting, st.none() | st.integers(0, 120), st.sampled_from([None, "male", "female", "x"]))
def test_any_answers_give_a_score_within_its_own_rules(
    sitting: tuple[Instrument, dict[str, Any]], age: int | None, sex: str | None
) -> None:
    instrument, answers = sitting
    found = score(instrument, answers, age=age, sex=sex)
    if found.total is not None:
        assert instrument.scoring["minimum"] <= found.total <= instrument.scoring.get("maximum", 99999)
        assert found.band is not None or not instrument.bands
    assert set(found.flags) <= {flag.code for flag in instrument.flags}
    assert found.complete == (not found.missing)
    given_links = {link for link, value in answers.items() if value not in (None, "declined")}
    assert not given_links & set(found.missing)


@given(any_sitting, st.none() | st.integers(0, 120))
def test_no_answer_to_a_suicide_item_passes_in_silence(
    sitting: tuple[Instrument, dict[str, Any]], age: int | None
) -> None:
    """A yes raises a flag whatever else was answered; a blank of an asked item raises one too."""
    instrument, answers = sitting
    found = score(instrument, answers, age=age)
    for link_id, value in found.safety:
        if value is None or value > 0:
            assert found.flags, (instrument.key, link_id)
            assert found.level not in ("none", "negative")


@given(_answers(load(CSSRS)), st.sampled_from(["cssrs-1", "cssrs-2", "cssrs-3", "cssrs-4", "cssrs-5", "cssrs-6"]))
def test_one_more_yes_never_lowers_a_cssrs_level(answers: dict[str, Any], link_id: str) -> None:
    rank = {"none": 0, "incomplete": 0, "declined": 0, "low": 1, "moderate": 2, "high": 3}
    before = score(load(CSSRS), answers).level
    after = score(load(CSSRS), {**answers, link_id: 1}).level
    assert before is not None and after is not None
    assert rank[after] >= max(rank[before], 1)
