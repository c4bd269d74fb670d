"""Rule tuning (D8, journey 3 step 5): nothing is saved that was not tried; every change is a version with a reason."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils.html import escape

from intake.models import Intake
from intake.signals import assessment_submitted
from practice.access import Role
from practice.actions import NotNow
from practice.clinical import table, tuning
from practice.models import AuditEvent, Client, ClinicalSignature, Practice, RoleGrant, User
from practice.signing import unsigned, versions
from referrals import picture
from referrals import tuning as past
from referrals.actions import tuning as actions
from referrals.actions.suggestions import suggest
from referrals.models import Decision, RuleChange, Suggestion
from tests import factories
from tests.factories import NOW
from tests.sittings import CSSRS, CSSRS_MODERATE, CSSRS_NONE, assessed, phq9_of, sitting

As = Callable[[User], Any]
Post = Callable[..., Any]
IN_01 = table.rule("IN-01")
AT = NOW + timedelta(hours=1)


@pytest.fixture(autouse=True)
def _clock() -> Any:
    with time_machine.travel(AT, tick=False):
        yield


def came(client: Client, total: int, item9: int = 0, *, days_ago: int = 1) -> Suggestion | None:
    """A form with a PHQ-9 that was sent so many days ago, through the one signal."""
    row = sitting(client, NOW - timedelta(days=days_ago))
    assessed(row, "phq-9", phq9_of(total, item9))
    assessed(row, CSSRS, CSSRS_MODERATE if item9 else CSSRS_NONE)
    assessment_submitted.send(sender=Intake, intake=row, at=row.submitted_at)
    return Suggestion.objects.filter(intake_id=row.pk).first()


@pytest.fixture
def clients(maya: User) -> list[Client]:
    return [factories.client(maya, f"Client Number{n}", email=f"c{n}@example.net") for n in range(14)]


@pytest.fixture
def past_cards(clients: list[Client], maya: User) -> list[Suggestion | None]:
    """Depression alone: 7 at 16, 5 at 20, one at 14 without a card, one at 16 with suicidal thoughts."""
    found = [came(client, 16) for client in clients[:7]] + [came(client, 20) for client in clients[7:12]]
    found += [came(clients[12], 14), came(clients[13], 16, item9=1)]
    for card in found[:2]:
        assert card is not None
        made = Decision(client=card.client, suggestion=card, choice="watch", rules_version="x", by=maya, at=NOW)
        made.save(force_insert=True)
    return found


def tried(by: User, value: float = 17, rule: table.Rule = IN_01) -> RuleChange:
    return actions.try_numbers(by=by, rule=rule, numbers={"phq9_total >=": value}, at=AT)


# --- What it would have done -----------------------------------------------------------------------------------------


def test_preview_counts_cards_and_the_decisions_they_led_to(rosa: User, past_cards: list[Suggestion]) -> None:
    assert tried(rosa).counts == {
        "asked": 14, "before": 13, "after": 6, "gone": 7, "new": 0, "other": 1, "decided": 2,
    }  # fmt: skip
    assert Practice.get().rule_overrides == {}


def test_lower_number_counts_the_cards_that_were_not_there(rosa: User, past_cards: list[Suggestion]) -> None:
    assert tried(rosa, 14).counts == {
        "asked": 14, "before": 13, "after": 14, "gone": 0, "new": 1, "other": 0, "decided": 0,
    }  # fmt: skip


def test_suicidal_thoughts_keep_their_card_at_any_number(rosa: User, sam: Client) -> None:
    """Law 1: what speaks of safety is no number's to take away."""
    came(sam, 16, item9=1)
    counts = tried(rosa, 27).counts
    assert (counts["before"], counts["after"], counts["gone"]) == (1, 1, 0)


@pytest.mark.parametrize(("days_ago", "asked"), [(89, 1), (90, 0)])
def test_preview_looks_at_ninety_days(rosa: User, sam: Client, days_ago: int, asked: int) -> None:
    came(sam, 16, days_ago=days_ago)
    assert tried(rosa).counts["asked"] == asked


def test_form_without_a_card_is_weighed_on_what_was_known_when_it_was_sent(rosa: User, sam: Client) -> None:
    came(sam, 14, days_ago=20)
    came(sam, 4, days_ago=1)
    assert tried(rosa, 14).counts["new"] == 1
    then = NOW - timedelta(days=20)
    assert picture.known(sam, then.date(), until=then).inputs["phq9_total"] == 14


def test_what_a_preview_foresees_is_what_the_new_number_does(rosa: User, clients: list[Client]) -> None:
    """The same function asks the table in the preview and afterwards."""
    cards = {client.pk: came(client, total) for client, total in zip(clients, range(9, 23), strict=True)}
    effect = past.weigh(
        past.cases(Client.objects.values("pk"), AT, Practice.get()),
        before={},
        after={"IN-01": {"phq9_total >=": 18}, "IN-03": {"phq9_total >=": 21}},
    )
    Practice.objects.update(rule_overrides={"IN-01": {"phq9_total >=": 18}, "IN-03": {"phq9_total >=": 21}})
    now = {client.pk: suggest(by=None, client=client, sitting=None, at=AT) for client in clients}
    gone = {pk for pk in cards if cards[pk] and not now[pk]}
    assert {turn.case.client for turn in effect.turns if turn.kind == past.GONE} == gone
    assert effect.after == sum(card is not None for card in now.values())


# --- Saving ----------------------------------------------------------------------------------------------------------


def test_saved_number_is_a_version_in_the_audit_and_asks_for_a_signature(
    rosa: User, sol: User, sam: Client, past_cards: list[Suggestion]
) -> None:
    for part, version in versions().items():
        ClinicalSignature.objects.create(part=part, version=version, by=sol, at=NOW, words="Read")
    change = tried(rosa)
    assert unsigned() == []
    saved = actions.save_numbers(by=rosa, change=change, reason="Too many cards for mild weeks", at=AT)
    assert Practice.get().rule_overrides == {"IN-01": {"phq9_total >=": 17}}
    assert (saved.number, saved.saved_by, saved.reason) == (1, rosa, "Too many cards for mild weeks")
    assert unsigned() == ["rules"]
    event = AuditEvent.objects.get(action="rules.changed")
    assert (event.actor_id, event.target_id) == (rosa.pk, str(change.pk))
    assert event.facts == {"version": 1, "rule": "IN-01", "before": {}, "after": {"phq9_total >=": 17}}
    card = came(sam, 18, item9=1, days_ago=0)
    assert card is not None
    assert card.rules_version == saved.rules_version == tuning.version({"IN-01": {"phq9_total >=": 17}})


def test_going_back_is_tried_and_saved_too_and_finds_the_old_signature(rosa: User, sol: User) -> None:
    ClinicalSignature.objects.create(part="rules", version=versions()["rules"], by=sol, at=NOW, words="Read")
    actions.save_numbers(by=rosa, change=tried(rosa), reason="Fewer", at=AT)
    back = actions.try_numbers(by=rosa, rule=IN_01, numbers={}, at=AT)
    assert "rules" in unsigned()
    saved = actions.save_numbers(by=rosa, change=back, reason="As it was", at=AT)
    assert (saved.number, Practice.get().rule_overrides, "rules" in unsigned()) == (2, {}, False)


@pytest.mark.parametrize(
    ("rule", "numbers", "sentence"),
    [
        ("SR-06", {"phq9_item9 >=": 3}, "The numbers of this rule are fixed."),
        ("BP-01", {"sbp >=": 200}, "The numbers of this rule are fixed."),
        ("IN-01", {"phq9_item9 >=": 2}, "That number cannot stand in this rule."),
        ("IN-01", {"phq9_total >=": 28}, "That number cannot stand in this rule."),
        ("CX-09", {"mi_within_months <=": 1}, "That number cannot stand in this rule."),
        ("IN-01", {"phq9_total >=": 15}, "These are the numbers that are in use now. Nothing would change."),
        (
            "IN-04",
            {"phq9_total >=": 15},
            "With these numbers the rule would never fire: the lower one is not under the upper one.",
        ),
    ],
)
def test_number_that_is_not_the_practices_is_refused(
    rosa: User, rule: str, numbers: dict[str, float], sentence: str
) -> None:
    with pytest.raises(NotNow) as no:
        actions.try_numbers(by=rosa, rule=table.rule(rule), numbers=numbers, at=AT)
    assert (str(no.value), RuleChange.objects.count()) == (sentence, 0)


def test_save_is_refused_without_a_reason_twice_late_or_after_another_change(rosa: User) -> None:
    first, second = tried(rosa), tried(rosa, 18)
    for change, reason, at, sentence in (
        (first, "  ", AT, "Write why the number changes."),
        (first, "x", AT + timedelta(days=1, seconds=1), "This was tried more than a day ago. Try it again, then save."),
    ):
        with pytest.raises(NotNow, match=sentence):
            actions.save_numbers(by=rosa, change=change, reason=reason, at=at)
    actions.save_numbers(by=rosa, change=first, reason="Fewer", at=AT)
    with pytest.raises(NotNow, match=r"Rosa Bell saved this already\."):
        actions.save_numbers(by=rosa, change=first, reason="Fewer", at=AT)
    with pytest.raises(NotNow, match=r"The numbers were changed since this was tried\."):
        actions.save_numbers(by=rosa, change=second, reason="Fewer still", at=AT)
    assert Practice.get().rule_overrides == {"IN-01": {"phq9_total >=": 17}}


# --- Pages -----------------------------------------------------------------------------------------------------------


def test_admin_tries_reads_and_saves(as_user: As, post: Post, rosa: User, past_cards: list[Suggestion]) -> None:
    browser, here = as_user(rosa), reverse("rule_change", args=["IN-01"])
    assert escape("PHQ-9 total is … or more (15 in the table)") in browser.get(here).content.decode()
    answer = post(browser, here, {"number_1": "17"})
    change = RuleChange.objects.get()
    assert answer["Location"] == reverse("rule_preview", args=[change.pk])
    page = browser.get(answer["Location"]).content.decode()
    for words in ("PHQ-9 total is 15 or more becomes PHQ-9 total is 17 or more", "13 → 6", ">7<", ">under 5<"):
        assert (words if "<" in words else escape(words)) in page, words
    assert [client.code for client in Client.objects.all() if client.code in page] == []
    refused = post(browser, answer["Location"], {"reason": " "})
    assert (refused.status_code, Practice.get().rule_overrides) == (400, {})
    post(browser, answer["Location"], {"reason": "Too many"})
    listed = browser.get(reverse("rules")).content.decode()
    for words in ("Version 1: IN-01", "Too many", "PHQ-9 total is 17 or more", "need your clinical lead"):
        assert escape(words) in listed, words
    post(browser, here, {"default": "1"})
    assert RuleChange.objects.get(number=None).after == {}


def test_who_reads_charts_sees_the_cards_of_their_own_clients_and_no_others(
    as_user: As, rosa: User, omar: User, kit: Client, past_cards: list[Suggestion]
) -> None:
    """Security check 11 of the design's second list: counts across caseloads tell of nobody."""
    came(kit, 16)
    RoleGrant.objects.create(user=omar, role=Role.ADMIN)
    page = as_user(omar).get(reverse("rule_preview", args=[tried(rosa).pk])).content.decode()
    assert (kit.code in page, past_cards[0].client.code in page) == (True, False)
    assert ">8<" in page


def test_difference_that_would_tell_of_few_is_not_left_to_be_worked_out(
    as_user: As, rosa: User, clients: list[Client]
) -> None:
    for client, total in zip(clients, [16, 16, 20, 20, 20, 20, 20, 20], strict=False):
        came(client, total)
    page = as_user(rosa).get(reverse("rule_preview", args=[tried(rosa).pk])).content.decode()
    assert escape("8 → not shown") in page
    assert ">under 5<" in page and ">2<" not in page and "8 → 6" not in page


@pytest.mark.parametrize("number", ["", "28", "-1", "x", "9" * 40, "15.5", "<b>"])
def test_number_that_cannot_be_is_asked_again(as_user: As, post: Post, rosa: User, number: str) -> None:
    answer = post(as_user(rosa), reverse("rule_change", args=["IN-01"]), {"number_1": number})
    assert (answer.status_code, RuleChange.objects.count()) == (400, 0)
    assert "Write a number from 0 to 27." in answer.content.decode()


@pytest.mark.parametrize("rule", ["SR-06", "BP-01"])
def test_fixed_rule_says_why_and_takes_nothing(as_user: As, post: Post, rosa: User, rule: str) -> None:
    browser, here = as_user(rosa), reverse("rule_change", args=[rule])
    assert "Fixed: " in browser.get(here).content.decode()
    assert post(browser, here, {"number_1": "1"}).status_code == 400
    assert RuleChange.objects.count() == 0


def test_rule_that_is_not_there_is_not_found(as_user: As, rosa: User) -> None:
    assert as_user(rosa).get(reverse("rule_change", args=["XX-99"])).status_code == 404


def test_therapist_reads_the_rules_and_tunes_nothing(as_user: As, post: Post, maya: User, rosa: User) -> None:
    browser, change = as_user(maya), tried(rosa)
    page = browser.get(reverse("rules")).content.decode()
    assert "Fixed: a safety answer counts the same everywhere." in page
    assert "Try other numbers" not in page
    for url in (reverse("rule_change", args=["IN-01"]), reverse("rule_preview", args=[change.pk])):
        assert (browser.get(url).status_code, post(browser, url, {"reason": "x"}).status_code) == (403, 403)
    assert Practice.get().rule_overrides == {}


def test_card_names_the_version_of_the_numbers(as_user: As, maya: User, rosa: User, sam: Client) -> None:
    actions.save_numbers(by=rosa, change=tried(rosa), reason="Fewer", at=NOW - timedelta(days=3))
    card = came(sam, 18, item9=1)
    assert card is not None
    page = as_user(maya).get(reverse("suggestion", args=[sam.pk, card.pk])).content.decode()
    assert "With this practice's own numbers, version 1 of Nov 16, 2026." in page


@pytest.mark.parametrize("saved", [1, 3])
def test_list_of_rules_asks_as_often_for_one_version_as_for_three(as_user: As, rosa: User, saved: int) -> None:
    for value in range(16, 16 + saved):
        actions.save_numbers(by=rosa, change=tried(rosa, value), reason="x", at=AT)
    browser = as_user(rosa)
    browser.get(reverse("rules"))
    with CaptureQueriesContext(connection) as asked:
        browser.get(reverse("rules"))
    assert len(asked) == 10  # an admin's page, with the age of the backup and of the last drill at its foot
