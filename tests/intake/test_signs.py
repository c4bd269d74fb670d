"""Which safety rules fire, from the first answer on."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from intake import flow, signs
from intake.flow import World
from practice.models import Alert
from tests.intake.test_flow import CHECK_IN, INTAKE, Said

SKIP = Said(skipped=True)


def replies(item9: Any = None, cssrs: dict[str, Any] | None = None) -> dict[str, Said]:
    found = {} if item9 is None else {"phq-9--9": item9 if isinstance(item9, Said) else Said(item9)}
    for item, value in (cssrs or {}).items():
        found[f"cssrs-screener-recent--{item}"] = value if isinstance(value, Said) else Said(value)
    return found


def fired(given_: dict[str, Said], *, final: bool = False) -> tuple[str, list[str]] | None:
    shown = flow.pages(CHECK_IN, given_, World())
    found = signs.fired(CHECK_IN, shown, given_, final=final)
    return (found.severity, [rule["id"] for rule in found.rules]) if found else None


ALL_NO = {"1": 0, "2": 0, "6": 0}


@pytest.mark.parametrize(
    ("given_", "wanted"),
    [
        ({}, None),
        (replies(0), None),
        (replies(1), ("priority", ["SR-05"])),
        (replies(2), ("urgent", ["SR-06"])),
        (replies(3), ("urgent", ["SR-06"])),
        (replies(SKIP), ("priority", ["SR-07"])),
        (replies(1, {"1": 1}), ("routine", ["SR-04"])),
        (replies(1, {"1": 0}), ("priority", ["SR-05"])),
        (replies(1, {"1": 1, "2": 1, "3": 1}), ("priority", ["SR-03"])),
        (replies(1, {"4": 1}), ("urgent", ["SR-01"])),  # not asked yet, but a yes is never thrown away
        (replies(1, {"2": 1, "4": 1}), ("urgent", ["SR-01"])),
        (replies(1, {"1": 0, "2": 0, "6": 1}), ("priority", ["SR-03"])),
        (replies(1, {"1": 0, "2": 0, "6": 1, "6r": 1}), ("urgent", ["SR-01"])),
        (replies(1, {"1": 1, "2": SKIP}), ("priority", ["SR-04", "SR-07"])),
        (replies(1, ALL_NO), ("routine", ["SR-08"])),
        (replies(1, {"1": SKIP, "2": SKIP, "6": SKIP}), ("priority", ["SR-07"])),
    ],
)
def test_each_answer_fires_what_it_proves(given_: dict[str, Said], wanted: Any) -> None:
    assert fired(given_) == wanted


@pytest.mark.parametrize(
    ("given_", "wanted"),
    [
        ({}, ("priority", ["SR-07"])),
        (replies(0), None),
        (replies(1), ("priority", ["SR-07"])),
        (replies(1, {"1": 1}), ("priority", ["SR-04", "SR-07"])),
        (replies(1, ALL_NO), ("routine", ["SR-08"])),
    ],
)
def test_a_blank_counts_as_one_once_the_form_is_sent(given_: dict[str, Said], wanted: Any) -> None:
    assert fired(given_, final=True) == wanted


@pytest.mark.parametrize(("said", "wanted"), [("yes", None), ("no", "urgent"), ("unsure", "urgent")])
def test_not_safe_now_is_urgent(said: str, wanted: str | None) -> None:
    given_ = {"safe-now": Said(said)}
    found = signs.fired(INTAKE, flow.pages(INTAKE, given_, World()), given_)
    assert (found and (found.severity, found.rules)) == (wanted and (wanted, (signs.NOT_SAFE,)))


def test_passing_over_safe_now_is_a_flag_of_its_own() -> None:
    given_ = {"safe-now": SKIP}
    found = signs.fired(INTAKE, flow.pages(INTAKE, given_, World()), given_)
    assert found == signs.Fired("priority", ({"id": "SR-07", "version": "1"},))


@pytest.mark.parametrize(
    ("given_", "level"),
    [
        (replies(1), "moderate"),
        (replies(2), "high"),
        (replies(2, ALL_NO), "low"),
        (replies(2, {"1": SKIP, "2": SKIP, "6": SKIP}), "high"),
        (replies(1, {"1": 1, "2": 0, "6": 0}), "low"),
        (replies(1, {"1": 1, "2": 1, "3": 1, "4": 0, "5": 0, "6": 0}), "moderate"),
        (replies(1, {"1": 0, "2": 0, "6": 1, "6r": 0}), "moderate"),
        (replies(1, {"1": 1, "2": 1, "5": 1}), "high"),
        (replies(SKIP), "skipped"),
        (replies(0), ""),
    ],
)
def test_the_support_page_follows_the_table_of_the_design(given_: dict[str, Said], level: str) -> None:
    assert signs.level(CHECK_IN, flow.pages(CHECK_IN, given_, World()), given_) == level


CSSRS_PAGES = [page.slug for page in CHECK_IN.pages if page.instrument == "cssrs-screener-recent"]
ORDER = ["phq-9--9", *CSSRS_PAGES]


@given(st.lists(st.sampled_from([0, 1, 1, None]), min_size=len(ORDER), max_size=len(ORDER)), st.integers(1, 3))
def test_once_c_ssrs_proves_a_level_more_answers_never_lower_it(answers: list[Any], item9: int) -> None:
    given_: dict[str, Said] = {"phq-9--9": Said(item9)}
    order = ["", "low", "moderate", "high"]
    proved = 0
    for slug, value in zip(CSSRS_PAGES, answers[1:], strict=True):
        if slug not in [page.slug for page in flow.pages(CHECK_IN, given_, World())]:
            continue
        given_[slug] = Said(value, value is None)
        shown = flow.pages(CHECK_IN, given_, World())
        found = signs.picture(CHECK_IN, shown, given_, final=False).get("cssrs_level")
        now = order.index(found) if found in order else 0
        assert now >= proved
        proved = now


@given(st.lists(st.sampled_from([0, 1, None]), min_size=9, max_size=9), st.sampled_from([1, 2, 3, None]))
def test_a_safety_sign_fires_whatever_the_other_answers_are(others: list[Any], item9: int | None) -> None:
    given_ = {f"phq-9--{n}": Said(value, value is None) for n, value in enumerate(others[:8], 1)}
    given_["phq-9--9"] = Said(item9, item9 is None)
    found = fired(given_)
    assert found is not None
    assert Alert.RANK[found[0]] <= Alert.RANK["priority"]


def test_the_flag_keeps_each_question_in_its_own_words() -> None:
    given_ = replies(1, {"1": 1, "2": SKIP})
    kept = signs.lines(flow.pages(CHECK_IN, given_, World()), given_)
    assert [(row["link_id"], row["question"], row["answer"], row["positive"]) for row in kept] == [
        (
            "phq9-9",
            "Thoughts that you would be better off dead or of hurting yourself in some way",
            "Several days",
            True,
        ),
        (
            "cssrs-1",
            "Have you wished you were dead or wished you could go to sleep and not wake up?",
            "Yes",
            True,
        ),
        ("cssrs-2", "Have you actually had any thoughts of killing yourself?", "Skipped on purpose", False),
    ]
