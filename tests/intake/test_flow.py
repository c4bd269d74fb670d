"""Which pages come, in which order, and what the answers say."""

from dataclasses import dataclass
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from intake import flow, packet
from intake.flow import World
from intake.packet import UNSET, Packet
from practice.clinical import table

INTAKE, CHECK_IN = packet.load("intake", "1"), packet.load("check-in", "1")
TODAY = date(2026, 11, 19)
PLAIN = World()


@dataclass
class Said:
    value: Any = None
    skipped: bool = False


def said(**pages: Any) -> dict[str, Said]:
    """Replies by page, with _ for - in the names."""
    return {slug.replace("_", "-"): value if isinstance(value, Said) else Said(value) for slug, value in pages.items()}


def slugs(wanted: Packet, replies: dict[str, Said], prefix: str = "", world: World = PLAIN) -> list[str]:
    return [page.slug for page in flow.pages(wanted, replies, world) if page.slug.startswith(prefix)]


def test_the_first_page_asks_how_it_is_safe_to_reach_them() -> None:
    assert next(INTAKE.pages).slug == "reach"


def test_the_check_in_asks_mood_and_worry_only() -> None:
    assert slugs(CHECK_IN, {}) == [f"phq-9--{n}" for n in range(1, 10)] + [f"gad-7--{n}" for n in range(1, 8)]


def test_questions_on_suicide_open_on_a_sign_in_the_same_sitting() -> None:
    core = ["cssrs-screener-recent--1", "cssrs-screener-recent--2", "cssrs-screener-recent--6"]
    assert slugs(CHECK_IN, said(phq_9__9=0), "cssrs") == []
    assert slugs(CHECK_IN, said(phq_9__9=1), "cssrs") == core
    assert slugs(INTAKE, said(safe_now="unsure"), "cssrs") == core
    assert slugs(CHECK_IN, {}, "cssrs", World(screen_everyone=True)) == core
    assert slugs(CHECK_IN, said(phq_9__9=0), "cssrs", World(alerted=True)) == core


def test_begun_questions_on_suicide_stay_when_item_9_is_taken_back() -> None:
    replies = said(phq_9__9=0, cssrs_screener_recent__1=1)
    assert slugs(CHECK_IN, replies, "cssrs")[0] == "cssrs-screener-recent--1"


def test_they_come_right_after_item_9() -> None:
    shown = slugs(CHECK_IN, said(phq_9__9=1))
    assert shown[shown.index("phq-9--9") + 1] == "cssrs-screener-recent--1"


@pytest.mark.parametrize(
    ("replies", "shown"),
    [
        (said(cssrs_screener_recent__2=0), ["1", "2", "6"]),
        (said(cssrs_screener_recent__2=1), ["1", "2", "3", "4", "5", "6"]),
        (said(cssrs_screener_recent__2=1, cssrs_screener_recent__6=1), ["1", "2", "3", "4", "5", "6", "6r"]),
    ],
)
def test_the_screener_branches_as_published(replies: dict[str, Said], shown: list[str]) -> None:
    found = slugs(CHECK_IN, replies | said(phq_9__9=1), "cssrs")
    assert [slug.rsplit("--")[1] for slug in found] == shown


@pytest.mark.parametrize(("yeses", "asked"), [(3, 0), (4, 20)])
def test_pcl_5_follows_a_positive_pc_ptsd_5(yeses: int, asked: int) -> None:
    replies = said(pc_ptsd_5__0=1) | {f"pc-ptsd-5--{n}": Said(int(n <= yeses)) for n in range(1, 6)}
    assert len(slugs(INTAKE, replies, "pcl-5")) == asked


def test_pain_opens_peg_and_no_interest_leaves_ketamine_out() -> None:
    assert slugs(INTAKE, said(pain="no"), "peg") == []
    assert slugs(INTAKE, said(pain="yes"), "peg") == ["peg--1", "peg--2", "peg--3"]
    without = slugs(INTAKE, said(ketamine_interest="no"))
    assert [slug for slug in without if slug in ("aneurysm", "glaucoma", "agreement--ketamine")] == []
    assert {"aneurysm", "glaucoma", "agreement--ketamine"} <= set(slugs(INTAKE, said(ketamine_interest="unsure")))


def test_every_option_says_something_the_decision_table_knows() -> None:
    for page in INTAKE.pages:
        for each in page.fields:
            name = each.fact or page.fact
            for choice in each.choices:
                if name and choice.fact is not UNSET:
                    value = [choice.fact] if each.type == "checks" else choice.fact
                    table.check_picture({name: value})


def test_every_caution_of_the_decision_table_is_asked_or_belongs_to_staff() -> None:
    asked = {page.fact for page in INTAKE.pages} | {each.fact for page in INTAKE.pages for each in page.fields}
    read = {
        name for rule in table.rules() if rule.category in ("contraindication", "interaction") for name in rule.inputs
    }
    by_staff = {"age", "audit_c_total", "sud_active", "capacity_to_consent"}
    assert read - asked == by_staff


def test_every_medicine_class_of_the_decision_table_is_asked_by_name() -> None:
    asked = {choice.fact for choice in INTAKE.by_slug["medicine-kinds"].only.choices}
    wanted = {c.value for rule in table.rules() for c in table.comparisons(rule.when) if c.input == "meds"}
    assert wanted <= asked


def test_facts_keep_what_was_said_and_leave_doubt_unknown() -> None:
    replies = said(
        aneurysm="no",
        glaucoma="unsure",
        heart_attack="recent",
        medicine_kinds=["benzodiazepine", "mood"],
        count_on="2",
        concern=Said(skipped=True),
        blood_pressure={"upper": 128, "lower": 80, "on": "2026-10-20"},
    )
    shown = flow.pages(INTAKE, replies, World())
    assert flow.facts(INTAKE, shown, replies, TODAY) == {
        "aneurysm_or_avm": False,
        "mi_within_months": 6,
        "meds": ["benzodiazepine", "mood_stabilizer"],
        "mood_stabilizer": True,
        "sbp": 128,
        "dbp": 80,
    }


@pytest.mark.parametrize(("on", "counts"), [("2026-10-20", True), ("2026-10-19", False), ("2026-11-20", False)])
def test_a_blood_pressure_counts_for_thirty_days(on: str, counts: bool) -> None:
    replies = said(blood_pressure={"upper": 128, "lower": 80, "on": on})
    assert bool(flow.facts(INTAKE, flow.pages(INTAKE, replies, World()), replies, TODAY)) is counts


def test_place_counts_sections_with_the_check_and_questions_of_the_section() -> None:
    shown = flow.pages(CHECK_IN, {}, World())
    assert flow.place(CHECK_IN, shown, CHECK_IN.by_slug["phq-9--9"]) == flow.Place(1, 3, "How you have been", 9, 9)
    assert flow.place(CHECK_IN, shown, CHECK_IN.by_slug["gad-7--2"]) == flow.Place(2, 3, "Worry", 2, 7)


def test_next_open_goes_on_from_where_they_were_and_wraps() -> None:
    shown = flow.pages(CHECK_IN, {}, World())
    replies = said(phq_9__5=1)
    assert flow.next_open(shown, replies, after="phq-9--5") == CHECK_IN.by_slug["phq-9--6"]
    every = {page.slug: Said(0) for page in shown if page.slug != "phq-9--2"}
    assert flow.next_open(shown, every, after="gad-7--7") == CHECK_IN.by_slug["phq-9--2"]
    assert flow.next_open(shown, every | said(phq_9__2=0)) is None


def test_missing_names_what_is_required_and_half_given() -> None:
    shown = flow.pages(INTAKE, {}, World())
    assert [page.slug for page in flow.missing(shown, {})] == [
        "contact",
        "place",
        "names",
        "birth-date",
        "agreement--treatment",
    ]
    half = said(contact={"phone": "555 0142"}, place={"address": "12 Elm"}, names=Said(skipped=True))
    assert [page.slug for page in flow.missing(shown, half)] == ["place", "names", "birth-date", "agreement--treatment"]


def test_words_give_answers_back_as_they_were_read() -> None:
    words = {
        slug: flow.words(INTAKE.by_slug[slug], value)
        for slug, value in {
            "reach": [],
            "contact": {"phone": "555 0142"},
            "birth-date": "1993-03-08",
            "phq-9--1": 2,
            "audit-c--2": "none",
            "medicines-now": [],
            "trials": [{"drug": "sertraline", "mg": 100, "best_improvement_pct": "25"}],
        }.items()
    }
    assert words == {
        "reach": ["None of these is safe for now"],
        "contact": ["Phone: 555 0142"],
        "birth-date": ["Mar 8, 1993"],
        "phq-9--1": ["More than half the days"],
        "audit-c--2": ["None, I do not drink"],
        "medicines-now": ["I take no medicines"],
        "trials": [
            "Name: sertraline; Highest dose a day, in mg: 100; "
            "How much did it help at its best: A little (a quarter better)"
        ],
    }


ITEMS = list(CHECK_IN.pages)
ANSWERS = st.dictionaries(
    st.sampled_from([page.slug for page in ITEMS]), st.one_of(st.none(), st.sampled_from([0, 1])), max_size=len(ITEMS)
)


@given(ANSWERS)
def test_answering_every_page_shown_always_ends(answers: dict[str, Any]) -> None:
    replies = {slug: Said(value, value is None) for slug, value in answers.items()}
    for _ in range(2 * len(ITEMS)):
        page = flow.next_open(flow.pages(CHECK_IN, replies, World()), replies)
        if page is None:
            break
        replies[page.slug] = Said(0)
    assert flow.next_open(flow.pages(CHECK_IN, replies, World()), replies) is None
