"""Instruments a practice brings itself: the facts score them."""

from typing import Any

import pytest

from practice.clinical.byo import ByoScore, Mdq, mdq, qids, score


def test_qids_takes_the_highest_of_each_domain() -> None:
    answers = [0, 1, 0, 2, 1, 0, 0, 1, 0, 1, 1, 0, 1, 0, 0, 0]
    assert qids(answers) == ByoScore(7, "mild", None, (), ((12, 0),))
    assert qids([3] * 16).total == 27


def test_qids_needs_one_answer_in_each_domain() -> None:
    answers: list[int | None] = [0, 1, 0, 2, 1, None, 1, 0, None, 1, 1, 2, 1, 0, 0, None]
    assert qids(answers) == ByoScore(9, "mild", None, (6, 9, 16), ((12, 2),))
    answers[4] = None
    assert (qids(answers).total, qids(answers).band, qids(answers).missing) == (None, None, (5, 6, 9, 16))


@pytest.mark.parametrize(
    ("total", "band"),
    [(5, "none"), (6, "mild"), (10, "mild"), (11, "moderate"), (16, "severe"), (20, "severe"), (21, "very_severe")],
)
def test_qids_bands(total: int, band: str) -> None:
    spread = [min(3, max(0, total - 3 * place)) for place in range(9)]
    first, fifth, sixth, *middle, last = spread
    answers = [first, 0, 0, 0, fifth, sixth, 0, 0, 0, *middle, last, 0]
    assert (qids(answers).total, qids(answers).band) == (total, band)


@pytest.mark.parametrize(
    ("yes", "same", "problem", "expected"),
    [
        (7, True, "moderate", Mdq(True, True)),
        (7, True, "Serious", Mdq(True, True)),
        (6, True, "serious", Mdq(False, True)),
        (13, False, "serious", Mdq(False, True)),
        (9, True, "minor", Mdq(False, True)),
        (9, True, "none", Mdq(False, True)),
        (9, None, "serious", Mdq(False, False)),
        (9, True, None, Mdq(False, False)),
        (None, True, "serious", Mdq(False, False)),
    ],
)
def test_mdq_needs_all_three_parts(yes: int | None, same: bool | None, problem: str | None, expected: Mdq) -> None:
    assert mdq(yes, same, problem) == expected


@pytest.mark.parametrize("given", [(14, True, "none"), (True, True, "none"), (7, 1, "none"), (7, True, 2)])
def test_mdq_answers_that_cannot_be_are_refused(given: tuple[Any, Any, Any]) -> None:
    with pytest.raises(ValueError, match=r"^The MDQ "):
        mdq(*given)


def test_dast_item_3_is_reversed_unless_the_form_already_did() -> None:
    all_no = [0] * 10
    assert score("dast-10", all_no) == ByoScore(1, "low", None, (), ())
    assert score("dast-10", all_no, reversed_in_form=True) == ByoScore(0, "none", None, (), ())
    assert score("dast-10", [1, 1, 0, 1, 1, 1, 1, 1, 1, 1]).band == "severe"


def test_who5_is_the_sum_times_four() -> None:
    assert (score("who-5", [5] * 5).total, score("who-5", [5] * 5).band) == (100, "good")
    assert [score("who-5", [a, b, 3, 2, 2]).band for a, b in ((0, 0), (1, 0), (3, 2), (4, 2))] == [
        "likely_depression",
        "poor",
        "poor",
        "good",
    ]


@pytest.mark.parametrize(
    ("key", "answers", "total", "band", "positive"),
    [
        ("pq-16", [1] * 5 + [0] * 11, 5, None, False),
        ("pq-16", [1] * 6 + [0] * 10, 6, None, True),
        ("wsas", [8, 1, 0, 0, 0], 9, "subclinical", None),
        ("wsas", [8, 2, 0, 0, 0], 10, "significant", None),
        ("wsas", [8, 8, 5, 0, 0], 21, "moderately_severe", None),
        ("isi", [4, 3, 0, 0, 0, 0, 0], 7, "none", None),
        ("isi", [4, 4, 0, 0, 0, 0, 0], 8, "subthreshold", None),
        ("cadss", [4] * 23, 92, None, None),
        ("madrs", [6] * 10, 60, None, None),
        ("q-les-q-sf", [3] * 14 + [None, None], 50, None, None),
        ("wsas", [8, 8, 5, 0, None], None, None, None),
    ],
)
def test_sums_and_bands(
    key: str, answers: list[int | None], total: int | None, band: str | None, positive: bool | None
) -> None:
    found = score(key, answers)
    assert (found.total, found.band, found.positive) == (total, band, positive)


def test_suicide_items_of_foreign_instruments_are_reported() -> None:
    assert score("madrs", [0] * 9 + [4]).safety == ((10, 4),)
    assert score("madrs", [0] * 9 + [None]).safety == ((10, None),)


@pytest.mark.parametrize(
    ("key", "answers", "sentence"),
    [
        ("dast-10", [0] * 9, "DAST-10 has 10 answers; 9 were given."),
        ("dast-10", [2] * 10, "An answer of DAST-10 is a whole number from 0 to 1."),
        ("who-5", [True] * 5, "An answer of WHO-5 is a whole number from 0 to 5."),
        ("meq-30", [0] * 30, "MEQ-30 cannot be scored from its item answers."),
        ("mdq", [0] * 15, "MDQ cannot be scored from its item answers."),
        ("nope", [], "There are no score facts for an instrument called 'nope'."),
    ],
)
def test_what_cannot_be_scored_is_refused(key: str, answers: list[int], sentence: str) -> None:
    with pytest.raises(ValueError) as refused:
        score(key, answers)
    assert str(refused.value) == sentence
