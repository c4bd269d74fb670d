"""A rule in words, with who says so and who signed (UX check 26)."""

from collections.abc import Callable
from typing import Any

import pytest
from django.urls import reverse
from django.utils.html import escape

from practice.clinical import table
from practice.models import ClinicalSignature, Practice, User
from practice.signing import versions
from practice.views.rules import OWN, condition_words
from tests.factories import NOW

As = Callable[[User], Any]


def test_rule_page_says_when_what_who_and_since_when(as_user: As, maya: User) -> None:
    page = as_user(maya).get(reverse("rule", args=["SR-03"])).content.decode()
    for words in (
        "Suicidal thoughts with a method, or past suicidal behaviour.",
        "Any of these:",
        "C-SSRS screen: moderate",
        "Priority: same business day",
        "ketamine-assisted psychotherapy, infusion clinic, hospital or pain infusion",
        "Same-day clinician review, full assessment, safety plan, means safety.",
        "Columbia triage; help.blueprint-health.com C-SSRS page (3 or lifetime 6 = medium)",
        "read in the source",
        "SR-01, SR-02",
        "Not yet signed by your clinical lead.",
    ):
        assert escape(words) in page, words


def test_rule_page_names_who_signed_for_these_rules_and_no_older_ones(as_user: As, maya: User, sol: User) -> None:
    ClinicalSignature.objects.create(part="rules", version="older", by=sol, at=NOW, words="Read in spring")
    browser, here = as_user(maya), reverse("rule", args=["IN-01"])
    assert "Not yet signed by your clinical lead." in browser.get(here).content.decode()
    ClinicalSignature.objects.create(part="rules", version=versions()["rules"], by=sol, at=NOW, words="Read all of it")
    page = browser.get(here).content.decode()
    assert "Signed by Sol Amari, Nov 19, 2026" in page and "Read all of it" in page
    assert "Not yet signed" not in page


def test_rule_page_shows_the_practices_own_number(as_user: As, maya: User) -> None:
    practice = Practice.get()
    practice.rule_overrides = {"IN-01": {"phq9_total >=": 17}}
    practice.save()
    page = as_user(maya).get(reverse("rule", args=["IN-01"])).content.decode()
    assert "PHQ-9 total is 17 or more" in page
    assert "PHQ-9 total: 17 here, 15 in the table" in page


@pytest.mark.parametrize("rule_id", [rule.id for rule in table.rules()] + sorted(OWN))
def test_every_rule_that_may_fire_has_a_page(as_user: As, maya: User, rule_id: str) -> None:
    answer = as_user(maya).get(reverse("rule", args=[rule_id]))
    assert answer.status_code == 200
    page = answer.content.decode()
    told = page[
        page.index("<main") : page.index("Where it comes from") if rule_id not in OWN else page.index("</main>")
    ]
    assert [code for code in ("None", "null", "bool", "_", "{", "}") if code in told] == []


@pytest.mark.parametrize("rule_id", ["SR-99", "sr-03", "x" * 200, "<b>"])
def test_rule_that_is_not_there_is_not_found(as_user: As, maya: User, rule_id: str) -> None:
    assert as_user(maya).get(reverse("rule", args=[rule_id])).status_code == 404


def test_condition_is_told_as_a_tree() -> None:
    assert condition_words(table.rule("IN-01").when) == {
        "text": "All of these:",
        "members": [
            {"text": "PHQ-9 total is 15 or more", "members": []},
            {
                "text": "Any of these:",
                "members": [
                    {"text": "PHQ-9 item 9 is 1 or more", "members": []},
                    {"text": "C-SSRS screen: low or moderate or high", "members": []},
                ],
            },
        ],
    }
