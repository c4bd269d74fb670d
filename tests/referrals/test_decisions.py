"""The decision: one screen, the paths side by side, what is kept and what follows (E1, E5, E7, F1, F4, F5, F7, D15)."""

import re
import threading
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest
import time_machine
from django.contrib.messages import get_messages
from django.db import connection
from django.urls import reverse
from django.utils.html import escape

from intake.models import Intake, Invitation, Measure
from intake.signals import assessment_submitted
from practice import actions as practice_actions
from practice import coverage
from practice.actions import NotNow
from practice.clinical import criteria
from practice.models import AuditEvent, Client, Practice, Task, User
from referrals import holds
from referrals.actions import decisions as actions
from referrals.actions.suggestions import suggest
from referrals.models import Addendum, CareToday, CaseQuestion, Decision, Suggestion
from tests import factories
from tests.factories import NOW
from tests.sittings import CSSRS, CSSRS_MODERATE, CSSRS_NONE, answered, assessed, phq9_of, sitting

As = Callable[[User], Any]
Post = Callable[..., Any]
LATER = NOW + timedelta(hours=1)
TODAY = date(2026, 11, 19)
WORDS = "Talked today. She wants the clinic, I agree."


@pytest.fixture(autouse=True)
def _clock() -> Any:
    with time_machine.travel(LATER, tick=False):
        yield


def came_in(row: Intake) -> Suggestion | None:
    assessment_submitted.send(sender=Intake, intake=row, at=row.submitted_at)
    return Suggestion.objects.filter(client=row.client, state="open").first()


@pytest.fixture
def both(sam: Client) -> Suggestion:
    """Depression and suicidal thoughts, each over the line."""
    row = sitting(sam, good_support=True, home_chaperone=True, pregnancy="no", liver="none")
    assessed(row, "phq-9", phq9_of(19, item9=2))
    assessed(row, CSSRS, CSSRS_MODERATE)
    found = came_in(row)
    assert found is not None
    return found


def new(client: Client, query: str = "") -> str:
    return reverse("decision_new", args=[client.pk]) + query


def said(card: Suggestion | None = None, **more: Any) -> dict[str, Any]:
    """A form as the page sends it."""
    given = {
        "choice": "infusion_clinic",
        "urgency": "urgent",
        "weighed": ["infusion_clinic", "none_now"],
        "offered": ["infusion_clinic"],
        "said": "agreed",
        "said_words": "Let's do it",
        "reasoning": WORDS,
        "suggestion": str(card.pk) if card else "",
        "seen": "",
    }
    return given | more


def decided(by: User, client: Client, card: Suggestion | None = None, at: Any = LATER, **more: Any) -> Decision:
    given = said(card) | {"suggestion": card, "review_on": None, "seen": None} | more
    return actions.decide(by=by, client=client, at=at, **given)


# --- The fit of the paths, as a table --------------------------------------------------------------------------------


def state(rule: str, inputs: dict[str, Any]) -> dict[str, str]:
    [found] = [each for each in criteria.criteria(inputs) if each.rule.id == rule]
    return {path: found.state(path) for path in found.effects}


@pytest.mark.parametrize(
    ("total", "expected"),
    [(14, "unmet"), (15, "met"), (None, "unknown")],
)
def test_reason_for_a_path_is_met_at_its_line_unmet_under_it_and_unknown_without_a_score(
    total: int | None, expected: str
) -> None:
    assert state("IN-01", {"phq9_total": total, "cssrs_level": "low"}) == {"infusion_clinic": expected}


@pytest.mark.parametrize(
    ("pregnancy", "expected", "none_now"),
    [("yes", "unmet", "met"), ("no", "met", "unmet"), (None, "unknown", "unknown")],
)
def test_what_stands_against_every_path_speaks_for_none_now(
    pregnancy: str | None, expected: str, none_now: str
) -> None:
    every = dict.fromkeys(("hospital_pain_infusion", "infusion_clinic", "at_home_supervised", "kap"), expected)
    assert state("CX-06", {"pregnancy": pregnancy}) == every | {"none_now": none_now}


def test_blank_that_is_an_answer_leaves_nothing_unknown() -> None:
    """No heart attack was told of: the months since are blank, and that says never."""
    [found] = [each for each in criteria.criteria({"unstable_cardiac": False}) if each.rule.id == "CX-09"]
    assert (found.fired, found.missing) == (False, ())
    [open_] = [each for each in criteria.criteria({}) if each.rule.id == "CX-09"]
    assert (open_.fired, open_.missing) == (None, ("unstable_cardiac",))


def test_unknown_criteria_come_first_and_weaker_ones_are_left_out() -> None:
    found = criteria.criteria({"cssrs_level": "high", "phq9_item9": 3})
    known = [each.fired is not None for each in found]
    assert known == sorted(known)
    assert {"SR-03", "SR-04"}.isdisjoint({each.rule.id for each in found if each.fired})
    everything = {rule.id for rule in criteria.table.rules() if rule.supports or rule.holds or rule.excludes}
    assert {each.rule.id for each in criteria.criteria({})} == everything


def test_practice_line_moves_the_criterion() -> None:
    [found] = [
        each
        for each in criteria.criteria({"phq9_total": 16, "cssrs_level": "low"}, {"IN-01": {"phq9_total >=": 17}})
        if each.rule.id == "IN-01"
    ]
    assert found.fired is False


# --- The screen ------------------------------------------------------------------------------------------------------


def test_screen_holds_scores_flags_medicines_supports_trials_and_wishes(
    as_user: As, maya: User, sam: Client, both: Suggestion
) -> None:
    """E7: one screen."""
    row = Intake.objects.get(client=sam)
    answered(
        row,
        medicines__now=[{"name": "Sertraline", "dose": "100 mg"}],
        hopes="To sleep again",
        trials=[{"drug": "Fluoxetine", "mg": 40, "weeks": 8}],
        count__on="2",
    )
    flag = practice_actions.raise_manual_flag(by=maya, client=sam, severity="urgent", reason="x", at=NOW)
    page = as_user(maya).get(new(sam)).content.decode()
    for words in (
        "PHQ-9",
        "19 of 27, Moderately severe",
        "Medicines and allergies",
        "Name: Sertraline; How much, and how often: 100 mg",
        "To sleep again",
        "Fluoxetine",
        "Supports",
        reverse("alert", args=[sam.pk, flag.pk]),
        "Options to discuss with the client, in no order of merit. The rules suggest; a clinician decides.",
    ):
        assert escape(words) in page, words


def test_paths_stand_side_by_side_with_their_answers_dates_and_sources(
    as_user: As, maya: User, sam: Client, both: Suggestion
) -> None:
    page = as_user(maya).get(new(sam)).content.decode()
    titles = ["Infusion clinic", "Hospital or pain infusion", "Supervised at home", "KAP here", "None now"]
    assert re.findall(r'<div class="phase"><h3>(.*?)</h3>', page) == titles
    for words in (
        "PHQ-9 total: 19",
        "PHQ-9, Nov 19, 2026",
        "Spravato indication",
        "read in the source",
        "Met: speaks for it",
        "Unmet: on hold",
        "Unmet: not suggested",
        "Where the sources disagree",
        "Active suicidal thoughts",
        "6 infusions within 14 days",
    ):
        assert escape(words) in page, words
    assert page.index("Not known yet") < page.index("What speaks for a path") < page.index("What stands against a path")
    assert page.index("What stands against a path") < page.index("Asked, and not in the way")
    assert "Not suggested now" in page  # at home, by the suicidal sign
    assert not re.search(r"recommend|best|rank|score of", page, re.IGNORECASE)


def test_screen_of_a_client_of_whom_nothing_is_known_asks_first(as_user: As, maya: User, sam: Client) -> None:
    page = as_user(maya).get(new(sam)).content.decode()
    assert "No scores yet." in page and "Not known: not asked yet." in page
    assert f'formaction="{reverse("ask_client", args=[sam.pk])}"' in page
    buttons = re.findall(r'name="input" value="(\w+)"', page)
    assert "phq9_total" in buttons and len(buttons) == len(set(buttons))
    assert "sud_active" not in buttons  # a clinician's judgement: no question to the client gives it


def test_holds_on_the_screen_have_the_button_that_clears_them(
    as_user: As, maya: User, sam: Client, both: Suggestion
) -> None:
    page = as_user(maya).get(new(sam)).content.decode()
    assert "On hold by SR-03. To clear it: Same-day clinician review" in page
    assert reverse("flag_new", args=[sam.pk]) in page  # no flag of it is open: raise one, record the contact there


def test_button_of_the_card_makes_its_choice_and_none_is_made_without_it(
    as_user: As, maya: User, sam: Client, both: Suggestion
) -> None:
    def checked(query: str) -> list[str]:
        page = as_user(maya).get(new(sam, query)).content.decode()
        return [
            value for value in re.findall(r'<input type="radio" name="choice" value="(\w+)"[^>]*checked', page) if value
        ]

    assert checked("?choice=infusion_clinic") == ["infusion_clinic"]
    assert checked("?choice=watch") == ["watch"]
    assert checked("") == []
    assert checked("?choice=<script>") == []


def test_four_clicks_lead_from_the_card_to_a_kept_decision(
    as_user: As, post: Post, maya: User, sam: Client, both: Suggestion
) -> None:
    """Script 2, step 3: the card's button, urgent, keep. The page sends back what it was given."""
    browser = as_user(maya)
    chart = browser.get(reverse("chart", args=[sam.pk])).content.decode()
    assert f'href="{new(sam, "?choice=infusion_clinic")}"' in chart  # click 1
    page = browser.get(new(sam, "?choice=infusion_clinic")).content.decode()
    form = page[page.index('<form id="decide"') :]
    fields: dict[str, Any] = {}
    for name, value in re.findall(r'<input type="(?:radio|checkbox)" name="(\w+)" value="(\w+)"[^>]*checked', form):
        fields.setdefault(name, []).append(value)
    fields |= dict(re.findall(r'<input type="hidden" name="(suggestion|seen)" value="([^"]*)"', form))
    fields |= {"urgency": "urgent", "reasoning": WORDS}  # click 2, and a line
    answer = post(browser, new(sam), fields)  # click 3
    made = Decision.objects.get()
    assert answer["Location"] == reverse("decision", args=[sam.pk, made.pk])
    assert (made.choice, made.urgency, made.weighed, made.said) == (
        "infusion_clinic",
        "urgent",
        ["infusion_clinic"],
        "not_asked",
    )


# --- What is kept ----------------------------------------------------------------------------------------------------


def test_decision_keeps_what_was_weighed_offered_said_and_the_evidence(
    as_user: As, post: Post, maya: User, sam: Client, both: Suggestion
) -> None:
    answer = post(as_user(maya), new(sam), said(both, review_on="2026-12-03"))
    made = Decision.objects.get()
    assert answer["Location"] == reverse("decision", args=[sam.pk, made.pk])
    assert (made.choice, made.urgency, made.weighed, made.offered, made.said, made.said_words, made.review_on) == (
        "infusion_clinic",
        "urgent",
        ["infusion_clinic", "none_now"],
        ["infusion_clinic"],
        "agreed",
        "Let's do it",
        date(2026, 12, 3),
    )
    kept = made.snapshot
    assert (kept["inputs"]["phq9_total"], kept["dates"]["phq9_total"]) == (19, "2026-11-19")
    assert {"id": "IN-01", "version": "1"} in kept["rules"]
    assert kept["holds"]["infusion_clinic"] == ["SR-03"]
    assert "sbp" in kept["unknowns"]
    [event] = AuditEvent.objects.filter(action="decision.made")
    assert (event.actor_id, event.target_id, event.facts) == (maya.pk, str(made.pk), {})


def test_evidence_stays_as_it_was_when_the_answers_change(
    as_user: As, maya: User, sam: Client, both: Suggestion
) -> None:
    made = decided(maya, sam, both)
    row = sitting(sam, NOW + timedelta(minutes=70))
    assessed(row, "phq-9", phq9_of(4))
    page = as_user(maya).get(reverse("decision", args=[sam.pk, made.pk])).content.decode()
    evidence = page[page.index("The evidence as it was") :]
    assert re.search(r'PHQ-9 total</th><td class="num">19</td><td class="num">Nov 19, 2026', evidence)


def test_decision_page_reads_back_everything(as_user: As, maya: User, sam: Client, both: Suggestion) -> None:
    made = decided(maya, sam, both, review_on=date(2026, 12, 3))
    page = as_user(maya).get(reverse("decision", args=[sam.pk, made.pk])).content.decode()
    for words in (
        "Refer to an infusion clinic",
        "Thu Nov 19, 11:00 am, by you",
        WORDS,
        "Infusion clinic, None now",
        "Agreed",
        "Let's do it",
        "Dec 3, 2026",
        "IN-01",
        "Blood pressure, upper number",
        "Prepare referral",
        f"{reverse('referral_new', args=[sam.pk])}?decision={made.pk}",
        "Sending is on hold. You can prepare now.",
    ):
        assert escape(words) in page, words


@pytest.mark.parametrize("choice", ["kap", "none_now", "watch"])
def test_decision_not_to_refer_prepares_no_referral(as_user: As, maya: User, sam: Client, choice: str) -> None:
    made = decided(maya, sam, choice=choice)
    page = as_user(maya).get(reverse("decision", args=[sam.pk, made.pk])).content.decode()
    assert "Prepare referral" not in page


def test_words_of_a_client_and_a_clinician_are_shown_as_words(as_user: As, maya: User, sam: Client) -> None:
    nasty = "<script>alert(1)</script> {{ 7|add:7 }} ' OR 1=1 -- \u202e"
    made = decided(maya, sam, reasoning=nasty, said_words=nasty)
    page = as_user(maya).get(reverse("decision", args=[sam.pk, made.pk])).content.decode()
    assert "<script>alert" not in page and page.count(escape(nasty)) == 2
    assert "<script>alert" not in as_user(maya).get(reverse("chart", args=[sam.pk])).content.decode()


def test_decision_is_sealed(sam: Client, maya: User) -> None:
    decided(maya, sam)
    with connection.cursor() as cursor:
        cursor.execute("SELECT reasoning, said_words, snapshot FROM referrals_decision")
        [row] = cursor.fetchall()
    assert all(b"wants the clinic" not in bytes(value) and b"inputs" not in bytes(value) for value in row)


def test_decision_marks_its_card_reviewed_and_takes_it_off_the_list(sam: Client, maya: User, both: Suggestion) -> None:
    made = decided(maya, sam, both)
    both.refresh_from_db()
    assert (both.state, both.reviewed_by, both.reasoning, made.suggestion) == ("reviewed", maya, WORDS, both)
    assert not Task.objects.filter(kind="suggestion", done_at=None).exists()


def test_decisions_stand_on_the_chart_newest_first(as_user: As, maya: User, sam: Client) -> None:
    decided(maya, sam, choice="none_now", reasoning="First thought")
    decided(maya, sam, choice="kap", reasoning="Second thought", at=LATER + timedelta(minutes=1))
    page = as_user(maya).get(reverse("chart", args=[sam.pk])).content.decode()
    assert page.index("Second thought") < page.index("First thought")


# --- Addenda ---------------------------------------------------------------------------------------------------------


def test_later_words_are_an_addendum_and_change_nothing(
    as_user: As, post: Post, maya: User, sol: User, sam: Client
) -> None:
    made = decided(maya, sam)
    before = Decision.objects.values("choice", "urgency", "at", "by", "reasoning").get()
    here = reverse("decision_add", args=[sam.pk, made.pk])
    answer = post(as_user(sol), here, {"words": "Spoke with her brother <b>too</b>", "reasoning": "Changed"})
    assert answer["Location"] == reverse("decision", args=[sam.pk, made.pk])
    after = Decision.objects.values("choice", "urgency", "at", "by", "reasoning").get()
    assert {k: str(v) for k, v in after.items() if k != "reasoning"} == {
        k: str(v) for k, v in before.items() if k != "reasoning"
    }
    assert Decision.objects.get().reasoning == WORDS
    page = as_user(maya).get(answer["Location"]).content.decode()
    assert "Sol Amari added, Thu Nov 19, 11:00 am" in page
    assert "Spoke with her brother &lt;b&gt;too&lt;/b&gt;" in page


def test_empty_addendum_is_not_kept(as_user: As, post: Post, maya: User, sam: Client) -> None:
    made = decided(maya, sam)
    answer = post(as_user(maya), reverse("decision_add", args=[sam.pk, made.pk]), {"words": " "})
    assert (answer.status_code, "Write what you want to add." in answer.content.decode()) == (400, True)
    assert not Addendum.objects.exists()


# --- What is missing, and who was first ------------------------------------------------------------------------------


def test_watch_without_a_reason_is_an_error_summary(as_user: As, post: Post, maya: User, sam: Client) -> None:
    """UX check 27, first half."""
    answer = post(as_user(maya), new(sam), said(choice="watch", reasoning=" ", said_words="Kept words"))
    page = answer.content.decode()
    assert answer.status_code == 400
    assert "<title>Error: Decide - CH-0401" in page and "There is a problem" in page
    assert '<a href="#decisionform_reasoning">Write one line of reasoning.</a>' in page
    assert "Kept words" in page
    assert not Decision.objects.exists()


def test_watch_with_a_reason_moves_the_client_to_this_week_and_books_the_check_in(
    as_user: As, post: Post, maya: User, sam: Client, both: Suggestion
) -> None:
    """UX check 27, second half."""
    sam.refresh_from_db()
    assert sam.rank == Client.Rank.NOW
    page = as_user(maya).get(new(sam, "?choice=watch")).content.decode()
    assert 'name="review_on" value="2026-11-26"' in page
    answer = post(as_user(maya), new(sam), said(both, choice="watch", review_on=""))
    made = Decision.objects.get()
    assert answer["Location"] == reverse("decision", args=[sam.pk, made.pk])
    assert made.review_on == date(2026, 11, 26)
    [booked] = Measure.objects.filter(client=sam)
    assert (booked.packet, booked.why, booked.due_at, booked.subject_id) == (
        "check-in",
        "recheck",
        LATER + timedelta(days=7),
        made.pk,
    )
    [task] = Task.objects.filter(client=sam, done_at=None, kind="recheck")
    assert (task.subject_id, task.due_at) == (made.pk, LATER + timedelta(days=7))
    sam.refresh_from_db()
    assert sam.rank == Client.Rank.WEEK


def test_day_of_recheck_is_the_clinicians(maya: User, sam: Client) -> None:
    decided(maya, sam, choice="watch", review_on=date(2026, 11, 22))
    assert Measure.objects.get().due_at == LATER + timedelta(days=3)


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("choice", "", "Choose what you decided."),
        ("choice", "cure", "Select a valid choice."),
        ("urgency", "", "Choose how urgent it is."),
        ("reasoning", "", "Write one line of reasoning."),
        ("reasoning", "x" * 4001, ": write 4000 letters at most; these are 4001."),
        ("weighed", ["moon"], "Select a valid choice."),
        ("offered", [], "Tick what the client was offered."),
        ("review_on", "2026-11-19", "Give a day after today and within a year."),
        ("review_on", "2028-01-01", "Give a day after today and within a year."),
        ("review_on", "soon", "Give a day, such as 2026-11-27."),
        ("said", "", "Choose what the client said"),
    ],
)
def test_each_thing_that_is_missing_is_a_sentence(
    as_user: As, post: Post, maya: User, sam: Client, field: str, value: Any, words: str
) -> None:
    answer = post(as_user(maya), new(sam), said(**{field: value}))
    assert (answer.status_code, words in answer.content.decode()) == (400, True)
    assert not Decision.objects.exists()


def test_question_that_was_typed_is_not_dropped_by_another_choice(
    as_user: As, post: Post, maya: User, sam: Client
) -> None:
    page = post(as_user(maya), new(sam), said(question="Her blood pressure?")).content.decode()
    assert "Choose “not yet” to ask this, or take the question out." in page and "Her blood pressure?" in page
    assert not Decision.objects.exists()


def test_path_that_was_chosen_counts_as_weighed(as_user: As, post: Post, maya: User, sam: Client) -> None:
    post(as_user(maya), new(sam), said(choice="kap", weighed=["none_now"]))
    assert Decision.objects.get().weighed == ["none_now", "kap"]


@pytest.mark.parametrize("card", ["not-a-card", "00000000-0000-0000-0000-000000000000"])
def test_unknown_card_decides_nothing(as_user: As, post: Post, maya: User, sam: Client, card: str) -> None:
    assert post(as_user(maya), new(sam), said(suggestion=card)).status_code in (400, 404)
    assert not Decision.objects.exists()


def test_card_of_another_client_is_not_found(as_user: As, post: Post, maya: User, both: Suggestion) -> None:
    other = factories.client(maya, "Noor Adel", email="noor@example.net")
    assert post(as_user(maya), new(other), said(both)).status_code == 404
    both.refresh_from_db()
    assert (Decision.objects.count(), both.state) == (0, "open")


def test_second_press_makes_one_decision(as_user: As, post: Post, maya: User, sam: Client, both: Suggestion) -> None:
    browser, key = as_user(maya), "k" * 24
    first = post(browser, new(sam), said(both), key=key)
    second = post(browser, new(sam), said(both), key=key)
    assert first["Location"] == second["Location"]
    assert Decision.objects.count() == 1


def test_of_two_people_on_one_card_the_first_decides_and_the_second_keeps_their_words(
    as_user: As, post: Post, maya: User, sol: User, sam: Client, both: Suggestion
) -> None:
    post(as_user(sol), new(sam), said(both, reasoning="Sol's line"))
    answer = post(as_user(maya), new(sam), said(both, reasoning="Maya's line"))
    page = answer.content.decode()
    assert answer.status_code == 400
    assert "Sol Amari wrote a decision meanwhile, Thu Nov 19, 11:00 am. Read it, then decide." in page
    assert escape("Maya's line") in page and escape("Sol's line") in page
    assert [d.reasoning for d in Decision.objects.all()] == ["Sol's line"]
    again = dict(re.findall(r'<input type="hidden" name="(suggestion|seen)"(?: value="([^"]*)")?', page))
    answer = post(as_user(maya), new(sam), said(reasoning="Maya's line") | again)  # read, and sent again
    assert answer.status_code == 302
    assert {d.reasoning for d in Decision.objects.all()} == {"Sol's line", "Maya's line"}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("with_card", [True, False])
def test_of_people_who_decide_in_the_same_instant_one_wins(maya: User, sol: User, sam: Client, with_card: bool) -> None:
    card = None
    if with_card:
        row = sitting(sam)
        assessed(row, "phq-9", phq9_of(19, item9=2))
        assessed(row, CSSRS, CSSRS_MODERATE)
        card = came_in(row)
    start, outcomes = threading.Barrier(2), []

    def press(person: User) -> None:
        start.wait()
        try:
            decided(person, Client.objects.get(pk=sam.pk), card, seen="")
            outcomes.append("kept")
        except NotNow as sentence:
            outcomes.append(str(sentence))
        finally:
            connection.close()

    threads = [threading.Thread(target=press, args=[person]) for person in (maya, sol)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    winner = Decision.objects.get().by
    [refused] = [said for said in outcomes if said != "kept"]
    assert refused.startswith(f"{winner} wrote a decision meanwhile")
    if card is not None:
        assert Suggestion.objects.get(pk=card.pk).reviewed_by == winner


def test_card_that_was_replaced_meanwhile_is_not_decided(maya: User, sam: Client, both: Suggestion) -> None:
    suggest(by=None, client=sam, sitting=None, at=LATER)
    with pytest.raises(NotNow, match="Newer answers came in"):
        decided(maya, sam, both)
    assert not Decision.objects.exists()


def test_nothing_is_decided_about_somebody_who_left(maya: User, sam: Client) -> None:
    sam.status = Client.Status.DISCHARGED
    sam.save()
    with pytest.raises(NotNow, match="was discharged"):
        decided(maya, sam)


# --- What follows ----------------------------------------------------------------------------------------------------


def test_infusion_with_a_suicidal_sign_starts_the_short_check_ins(maya: User, sam: Client, both: Suggestion) -> None:
    made = decided(maya, sam, both)
    [check] = Measure.objects.filter(client=sam)
    assert (check.packet, check.why, check.subject_id, check.watched) == ("short-check-in", "interim", made.pk, True)


def test_infusion_without_a_sign_starts_none(maya: User, sam: Client) -> None:
    row = sitting(sam)
    assessed(row, "phq-9", phq9_of(21))
    assessed(row, CSSRS, CSSRS_NONE)
    decided(maya, sam)
    assert not Measure.objects.exists()


@pytest.mark.parametrize(("choice", "stopped"), [("none_now", True), ("kap", True), ("watch", False)])
def test_other_path_ends_the_check_ins_and_watching_does_not(
    maya: User, sam: Client, both: Suggestion, choice: str, stopped: bool
) -> None:
    decided(maya, sam, both)
    decided(maya, sam, choice=choice, at=LATER + timedelta(minutes=5))
    assert (Measure.objects.get(why="interim").stopped_at is not None) is stopped


def test_new_decision_finishes_the_recheck_of_the_one_before(maya: User, sam: Client) -> None:
    decided(maya, sam, choice="watch")
    decided(maya, sam, choice="none_now", at=LATER + timedelta(days=7))
    assert not Task.objects.filter(kind="recheck", done_at=None).exists()


def test_recheck_is_done_by_words_on_the_decision(as_user: As, post: Post, maya: User, sam: Client) -> None:
    made = decided(maya, sam, choice="watch")
    here = reverse("decision_add", args=[sam.pk, made.pk])
    post(as_user(maya), here, {"words": "Not yet looked"})
    assert Task.objects.filter(kind="recheck", done_at=None).count() == 1
    post(as_user(maya), here, {"words": "Looked: better", "recheck": "on"})
    assert not Task.objects.filter(kind="recheck", done_at=None).exists()
    assert {a.words for a in made.addenda.all()} == {"Not yet looked", "Looked: better"}


def test_review_date_puts_the_decision_on_the_list_once(maya: User, sam: Client) -> None:
    made = decided(maya, sam, choice="kap", review_on=date(2026, 12, 3))
    due = LATER + timedelta(days=14)
    assert actions.open_reviews(at=due - timedelta(days=1)) == 0
    assert (actions.open_reviews(at=due), actions.open_reviews(at=due)) == (1, 0)
    assert Task.objects.get(kind="recheck").subject_id == made.pk


def test_review_date_of_a_decision_that_was_followed_by_another_opens_nothing(maya: User, sam: Client) -> None:
    decided(maya, sam, choice="kap", review_on=date(2026, 12, 3))
    decided(maya, sam, choice="none_now", at=LATER + timedelta(days=1))
    assert actions.open_reviews(at=LATER + timedelta(days=14)) == 0


def test_care_today_from_a_decision_leads_to_the_steps_and_locks_every_path(
    as_user: As, post: Post, maya: User, sam: Client
) -> None:
    answer = post(as_user(maya), new(sam), said(choice="care_today", reasoning="Has pills in the hand"))
    here = reverse("care_today", args=[sam.pk])
    assert answer["Location"] == here
    assert CareToday.objects.get().reason == "Has pills in the hand"
    assert [hold.rule for hold in holds.blocks(sam, "infusion_clinic", LATER)] == ["care-today"]
    sam.refresh_from_db()
    assert sam.rank == Client.Rank.NOW
    page = as_user(maya).get(here).content.decode()
    assert "This client needs care today" in page and "Record the emergency steps" in page


# --- Asking the client -----------------------------------------------------------------------------------------------


@pytest.fixture
def open_practice(omar: User) -> Practice:
    factories.always_on_call(omar)
    assert coverage.shifts()
    return Practice.get()


def test_ask_the_client_sends_just_that_question(
    as_user: As, post: Post, maya: User, sam: Client, open_practice: Practice
) -> None:
    here = reverse("ask_client", args=[sam.pk])
    answer = post(as_user(maya), here, {"input": "glaucoma"})
    assert answer["Location"] == new(sam)
    assert Invitation.objects.get(client=sam).only == ["glaucoma"]
    assert [str(m) for m in get_messages(answer.wsgi_request)] == ["Asked the client: glaucoma."]


def test_asking_the_client_keeps_what_was_typed(
    as_user: As, post: Post, maya: User, sam: Client, both: Suggestion, open_practice: Practice
) -> None:
    typed = said(both, reasoning="Half a thou", choice="kap", weighed=["kap", "none_now"])
    answer = post(as_user(maya), reverse("ask_client", args=[sam.pk]), typed | {"input": "glaucoma", "seen_form": "1"})
    page = answer.content.decode()
    assert answer.status_code == 200
    assert "Half a thou" in page and "Asked the client: glaucoma." in page
    assert re.search(r'name="choice" value="kap"[^>]*checked', page)
    assert len(re.findall(r'name="weighed" value="\w+"[^>]*checked', page)) == 2
    assert not Decision.objects.exists()


def test_what_no_question_gives_is_said(as_user: As, post: Post, maya: User, sam: Client) -> None:
    answer = post(as_user(maya), reverse("ask_client", args=[sam.pk]), {"input": "sud_active"})
    [sentence] = [str(m) for m in get_messages(answer.wsgi_request)]
    assert sentence == "No question to the client gives this. Write it in the record yourself."
    assert not Invitation.objects.exists()


@pytest.mark.parametrize("name", ["", "nonsense", "phq9_total; DROP TABLE", "../../etc"])
def test_unknown_question_is_not_found(as_user: As, post: Post, maya: User, sam: Client, name: str) -> None:
    assert post(as_user(maya), reverse("ask_client", args=[sam.pk]), {"input": name}).status_code == 404


# --- Who may ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("who", "shown", "kept"),
    [
        ("maya", 200, 302),
        ("sol", 200, 302),
        ("pax", 403, 403),
        ("omar", 404, 404),
        ("ines", 404, 404),
        ("fay", 403, 403),
        ("rosa", 403, 403),
        ("gone", 302, 302),
    ],
)
def test_who_decides(
    as_user: As, post: Post, request: pytest.FixtureRequest, sam: Client, who: str, shown: int, kept: int
) -> None:
    browser = as_user(request.getfixturevalue(who))
    assert browser.get(new(sam)).status_code == shown
    answer = post(browser, new(sam), said())
    assert answer.status_code == kept
    assert Decision.objects.count() == (1 if who in ("maya", "sol") else 0)


@pytest.mark.parametrize(
    ("who", "status"), [("pax", 200), ("sol", 200), ("omar", 404), ("ines", 404), ("fay", 403), ("rosa", 403)]
)
def test_who_reads_a_decision(
    as_user: As, post: Post, request: pytest.FixtureRequest, maya: User, sam: Client, who: str, status: int
) -> None:
    made = decided(maya, sam)
    browser = as_user(request.getfixturevalue(who))
    answer = browser.get(reverse("decision", args=[sam.pk, made.pk]))
    assert (answer.status_code, "wants the clinic" in answer.content.decode()) == (status, status == 200)
    if who != "sol":
        assert post(browser, reverse("decision_add", args=[sam.pk, made.pk]), {"words": "x"}).status_code in (403, 404)
        assert post(browser, reverse("ask_client", args=[sam.pk]), {"input": "glaucoma"}).status_code in (403, 404)
    assert not Addendum.objects.exists() and not Invitation.objects.exists()


def test_decision_of_one_client_is_not_found_under_another(as_user: As, post: Post, maya: User, sam: Client) -> None:
    made = decided(maya, sam)
    other = factories.client(maya, "Noor Adel", email="noor@example.net")
    assert as_user(maya).get(reverse("decision", args=[other.pk, made.pk])).status_code == 404
    assert post(as_user(maya), reverse("decision_add", args=[other.pk, made.pk]), {"words": "x"}).status_code == 404


# --- The card on the chart -------------------------------------------------------------------------------------------


def buttons(page: str) -> list[str]:
    part = page[page.index("Consider an infusion clinic referral") :]
    part = part[part.index('<div class="decide') :]
    part = part[: part.index("</section>")]
    found = re.findall(r'<a class="btn[^"]*"[^>]*>(.*?)</a>', part)
    return [re.sub(r"<span class=\"vh\">.*", "", label).strip() for label in found]


def test_card_has_its_choices(as_user: As, maya: User, sam: Client, both: Suggestion) -> None:
    page = as_user(maya).get(reverse("chart", args=[sam.pk])).content.decode()
    assert buttons(page) == [
        "Prepare infusion referral",
        "Ask the prescriber",
        "Ask the supervisor",
        "Watch, recheck in 7 days",
        "Other decision",
        "Review the whole card",
    ]
    assert "Sending is on hold. You can decide and prepare now." in page


def test_who_may_not_decide_reads_the_card_without_choices(
    as_user: As, pax: User, sam: Client, both: Suggestion
) -> None:
    page = as_user(pax).get(reverse("chart", args=[sam.pk])).content.decode()
    assert buttons(page) == ["Review the whole card"]


def test_hold_on_the_card_leads_to_record_contact_and_lifts_after_it(
    as_user: As, maya: User, sam: Client, both: Suggestion
) -> None:
    """UX checks 24 and 25 on the chart: the hold explains itself and links; the contact lifts it, in activity."""
    flag = practice_actions.raise_alert(
        by=sam,
        client=sam,
        source="intake",
        source_id=both.intake_id,
        severity="priority",
        rules=[{"id": "SR-03", "version": "1"}],
        at=NOW,
    )
    browser, here = as_user(maya), reverse("chart", args=[sam.pk])
    page = browser.get(here).content.decode()
    assert "Infusion clinic is on hold by SR-03. To clear it: Same-day clinician review" in page
    assert (
        f'<a href="{reverse("alert", args=[sam.pk, flag.pk])}#contact">Record contact<span class="vh"> (SR-03)' in page
    )
    practice_actions.record_contact(
        by=maya,
        alert=flag,
        recorded_at=LATER,
        reached="yes",
        at=LATER,
        level="moderate",
        action="Called",
        plan="Call tomorrow",
        next_check_at=LATER + timedelta(days=1),
    )
    page = browser.get(here).content.decode()
    assert "SR-03: contact recorded Thu Nov 19, 11:00 am by you." in page
    assert "Sending is on hold" not in page
    assert "May be talked about now." in page
    assert "Contact made 11:00 am by you." in page
    assert "Recorded a safety contact" in browser.get(reverse("activity", args=[sam.pk])).content.decode()


def test_question_from_the_card_reaches_the_page_with_its_colleague(
    as_user: As, maya: User, pax: User, sam: Client, both: Suggestion
) -> None:
    page = as_user(maya).get(new(sam, f"?choice=not_yet&to={pax.pk}")).content.decode()
    assert re.search(rf'<option value="{pax.pk}" selected', page)
    assert not CaseQuestion.objects.exists()
