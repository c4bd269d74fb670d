"""What a clinician knows: said on one page, kept as it was said, merged with the client's answers, weighed anew."""

import re
import threading
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.core.exceptions import PermissionDenied
from django.db import connection, transaction
from django.urls import reverse
from django.utils.html import escape

from intake import measures
from intake.actions import packet_of
from practice.access import Permission
from practice.actions import NotNow
from practice.clinical import table, windows
from practice.clinical.instrument import load
from practice.models import Alert, AuditEvent, Client, Task, User
from referrals import holds, picture
from referrals.actions import facts as actions
from referrals.models import ClinicianFact, Suggestion
from tests.factories import NOW
from tests.sittings import CSSRS, CSSRS_MODERATE, answered, assessed, phq9_of, sitting

As = Callable[[User], Any]
Post = Callable[..., Any]
LATER = NOW + timedelta(hours=1)
TODAY = date(2026, 11, 19)
SAFETY = ("phq9_item9", "cssrs_level", "cssrs_incomplete", "asq_result", "asq_incomplete")
CLINICIANS_ALONE = {
    "abuse_or_neglect_disclosed",
    "capacity_to_consent",
    "homicidal_ideation",
    "med_list_confirmed",
    "sud_active",
    "therapist_alliance",
}


@pytest.fixture(autouse=True)
def _clock() -> Any:
    with time_machine.travel(LATER, tick=False):
        yield


def url(client: Client) -> str:
    return reverse("known", args=[client.pk])


def form(**said: Any) -> dict[str, Any]:
    """The form as the page sends it."""
    return {"on": "2026-11-19", "reading_on": "2026-11-19"} | {name: str(value) for name, value in said.items()}


def inputs(client: Client, today: date = TODAY) -> dict[str, Any]:
    found = picture.known(Client.objects.get(pk=client.pk), today).inputs
    return {name: value for name, value in found.items() if name not in ("age", "prescriber_linked")}


def say(by: User, client: Client, at: datetime = LATER, on: date = TODAY, **said: Any) -> None:
    actions.record(by=by, client=client, said={name: (value, on) for name, value in said.items()}, at=at)


def kept(client: Client) -> list[tuple[str, Any, date, str]]:
    rows = client.clinician_facts.order_by("at", "input")
    return [(row.input, row.value, row.on, row.by.name) for row in rows]


# --- Which inputs ----------------------------------------------------------------------------------------------------


def test_every_input_that_nobody_else_can_say_is_a_clinicians_to_say() -> None:
    sayable = {each.name for each in actions.sayable(Permission)}
    nobody = {
        each.name
        for each in table.inputs().values()
        if not measures.can_ask(each.name) and not each.blank_means and each.name != "prescriber_linked"
    }
    assert nobody == CLINICIANS_ALONE
    assert nobody <= sayable


def test_no_score_and_no_word_of_a_suicide_screen_is_a_clinicians_to_say() -> None:
    sayable = {each.name for each in actions.sayable(Permission)}
    of_forms = {
        name for key in ("phq-9", "gad-7", "pcl-5", "audit-c", "peg", "asq", CSSRS) for name in load(key).picture
    }
    assert sayable.isdisjoint(of_forms | set(SAFETY))
    suicidal = {name for rule in table.rules() if rule.category == "safety" for name in rule.inputs}
    assert sayable & suicidal == set(actions.RAISES)
    for name, rule in actions.RAISES.items():
        assert table.rule(rule).inputs == (name,)


@pytest.mark.parametrize("name", SAFETY)
def test_suicide_answer_sent_by_hand_is_not_taken(as_user: As, post: Post, maya: User, sam: Client, name: str) -> None:
    value = {"phq9_item9": "0", "cssrs_level": "none", "asq_result": "negative"}.get(name, "no")
    answer = post(as_user(maya), url(sam), form(**{name: value}))
    assert answer.status_code == 400
    with pytest.raises(NotNow, match="not for a clinician to say"):
        say(maya, sam, **{name: "none"})
    assert (kept(sam), inputs(sam)) == ([], {})


def test_every_unknown_is_asked_of_the_client_or_said_by_the_clinician(as_user: As, maya: User, sam: Client) -> None:
    page = as_user(maya).get(reverse("decision_new", args=[sam.pk])).content.decode()
    assert "for a clinician to say" not in page
    for name in (*CLINICIANS_ALONE - {"abuse_or_neglect_disclosed"}, "sbp", "dbp", "bipolar", "good_support"):
        assert page.count(f'href="{url(sam)}?about={name}"') == 1, name
    known = as_user(maya).get(url(sam)).content.decode()
    for each in actions.sayable(Permission):
        assert f'id="knownform_{each.name}"' in known, each.name


# --- Each kind of input ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "typed", "value"),
    [
        ("therapist_alliance", "yes", True),
        ("therapist_alliance", "no", False),
        ("med_list_confirmed", "yes", True),
        ("sud_active", "none", "none"),
        ("sud_active", "opioid", "opioid"),
        ("bipolar", "I", "I"),
        ("mood_stabilizer", "no", False),
        ("pregnancy", "unknown", "unknown"),
        ("failed_adequate_trials", "0", 0),
        ("failed_adequate_trials", "99", 99),
        ("mi_within_months", "0", 0),
        ("mi_within_months", "1200", 1200),
        ("mi_within_months", "2.5", 2.5),
    ],
)
def test_what_is_said_is_kept_and_known(
    as_user: As, post: Post, maya: User, sam: Client, name: str, typed: str, value: Any
) -> None:
    answer = post(as_user(maya), url(sam), form(**{name: typed}))
    assert (answer.status_code, answer["Location"]) == (302, url(sam))
    assert kept(sam) == [(name, value, TODAY, "Maya Torres")]
    assert inputs(sam) == {name: value}
    found = picture.known(sam, TODAY)
    assert found.dates[name] == "2026-11-19"
    assert found.origins[name] == picture.Origin("", None, by="Maya Torres")
    [event] = AuditEvent.objects.filter(action="fact.recorded")
    assert (event.facts["inputs"], event.client_id) == ([name], sam.pk)


@pytest.mark.parametrize(
    ("name", "typed"),
    [
        ("failed_adequate_trials", "-1"),
        ("failed_adequate_trials", "100"),
        ("failed_adequate_trials", "1.5"),
        ("failed_adequate_trials", "9" * 400),
        ("mi_within_months", "-0.1"),
        ("mi_within_months", "1200.5"),
        ("mi_within_months", "nan"),
        ("mi_within_months", "inf"),
        ("mi_within_months", "six"),
        ("sud_active", "caffeine"),
        ("therapist_alliance", "maybe"),
        ("therapist_alliance", "<script>alert(1)</script>"),
        ("bipolar", "III\x00"),
        ("on", "2026-11-20"),
        ("on", "1993-03-07"),
        ("on", ""),
        ("on", "yesterday"),
        ("on", "99999-01-01"),
    ],
)
def test_what_is_not_a_value_is_refused_in_a_sentence_and_nothing_is_kept(
    as_user: As, post: Post, maya: User, sam: Client, name: str, typed: str
) -> None:
    answer = post(as_user(maya), url(sam), form(capacity_to_consent="yes") | {name: typed})
    page = answer.content.decode()
    assert (answer.status_code, 'class="err-summary"' in page or "err-summary" in page) == (400, True)
    assert "<script>alert" not in page
    assert '<option value="yes" selected>Yes</option>' in page  # what else was said stays on the page
    assert (kept(sam), inputs(sam)) == ([], {})


@pytest.mark.parametrize("on", ["1993-03-08", "2026-11-18", "2026-11-19"])
def test_any_day_of_a_life_up_to_today_is_taken(as_user: As, post: Post, maya: User, sam: Client, on: str) -> None:
    assert post(as_user(maya), url(sam), form(bipolar="II") | {"on": on}).status_code == 302
    assert kept(sam) == [("bipolar", "II", date.fromisoformat(on), "Maya Torres")]


def test_nothing_said_is_nothing_kept(as_user: As, post: Post, maya: User, sam: Client) -> None:
    answer = post(as_user(maya), url(sam), form())
    assert (answer.status_code, "Say at least one thing that you know." in answer.content.decode()) == (400, True)
    assert kept(sam) == []


# --- Blood pressure --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("upper", "lower"), [(128, 82), (2, 1), (400, 399), (120.5, 80)])
def test_blood_pressure_is_two_numbers_and_a_day(
    as_user: As, post: Post, maya: User, sam: Client, upper: float, lower: float
) -> None:
    post(as_user(maya), url(sam), form(sbp=upper, dbp=lower) | {"reading_on": "2026-11-18"})
    day = date(2026, 11, 18)
    assert kept(sam) == [("dbp", lower, day, "Maya Torres"), ("sbp", upper, day, "Maya Torres")]
    assert inputs(sam) == {"sbp": upper, "dbp": lower}


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        ({"sbp": "120"}, "Give both numbers of the blood pressure."),
        ({"dbp": "80"}, "Give both numbers of the blood pressure."),
        ({"sbp": "80", "dbp": "80"}, "The upper number of a blood pressure is higher than the lower one."),
        ({"sbp": "0", "dbp": "0"}, "Blood pressure, upper number: give a number from 1 to 400."),
        ({"sbp": "401", "dbp": "80"}, "Blood pressure, upper number: give a number from 1 to 400."),
        ({"sbp": "120/80", "dbp": "80"}, "Blood pressure, upper number: give a number from 1 to 400."),
        ({"sbp": "120", "dbp": "80", "reading_on": ""}, "Give the day on which it was measured."),
        ({"sbp": "120", "dbp": "80", "reading_on": "2026-11-20"}, "Measured on: give a day up to today."),
        ({"mi_within_months": "a few"}, "Months since a heart attack: give a number from 0 to 1200."),
        ({"bipolar": "IV"}, "Bipolar disorder: choose one of the answers."),
    ],
)
def test_half_a_reading_or_a_wrong_one_is_refused(
    as_user: As, post: Post, maya: User, sam: Client, typed: dict[str, str], sentence: str
) -> None:
    answer = post(as_user(maya), url(sam), form() | typed)
    assert (answer.status_code, sentence in answer.content.decode()) == (400, True)
    assert kept(sam) == []


@pytest.mark.parametrize(
    "said",
    [
        {"sbp": (120, TODAY)},
        {"sbp": (120, TODAY), "dbp": (80, TODAY - timedelta(days=1))},
        {"sbp": (120, TODAY), "dbp": (None, TODAY)},
        {"sbp": (80, TODAY), "dbp": (120, TODAY)},
        {"sbp": (True, TODAY), "dbp": (False, TODAY)},
        {"bipolar": ("III", TODAY)},
        {"bipolar": ("I", TODAY + timedelta(days=1))},
        {"age": (30, TODAY)},
        {"nothing": (1, TODAY)},
        {},
    ],
)
def test_action_takes_nothing_that_the_page_would_not(maya: User, sam: Client, said: dict[str, Any]) -> None:
    with pytest.raises(NotNow), transaction.atomic():
        actions.record(by=maya, client=sam, said=said, at=LATER)
    assert kept(sam) == []


@pytest.mark.parametrize(("days", "counts"), [(0, True), (30, True), (31, False)])
def test_reading_counts_thirty_days(maya: User, sam: Client, days: int, counts: bool) -> None:
    say(maya, sam, on=TODAY - timedelta(days=days), sbp=150, dbp=95)
    assert inputs(sam) == ({"sbp": 150, "dbp": 95} if counts else {})


def test_window_of_a_reading_is_that_of_the_clients_own(sam: Client) -> None:
    page = packet_of(sitting(sam)).by_slug["blood-pressure"]
    assert page.recent["days"] == windows.READING_DAYS


# --- Between the client's word and the clinician's -------------------------------------------------------------------


def told(client: Client, days: int, **facts: Any) -> None:
    sitting(client, NOW + timedelta(days=days), **facts)


@pytest.mark.parametrize(
    ("client_days", "clinician_days", "expected"),
    [(-2, -1, "I"), (-1, -2, "none"), (-1, -1, "I"), (0, 0, "I")],
)
def test_newest_word_counts(maya: User, sam: Client, client_days: int, clinician_days: int, expected: str) -> None:
    """Of one day, what was said last: here the clinician, after the client's form."""
    told(sam, client_days, bipolar="none")
    say(maya, sam, on=TODAY + timedelta(days=clinician_days), bipolar="I")
    assert inputs(sam) == {"bipolar": expected}


def test_clients_word_of_the_same_day_counts_when_it_came_later(maya: User, sam: Client) -> None:
    say(maya, sam, at=NOW - timedelta(hours=1), bipolar="I")
    told(sam, 0, bipolar="none")
    assert inputs(sam) == {"bipolar": "none"}


def test_readings_are_compared_by_the_day_they_were_taken(maya: User, sam: Client) -> None:
    """The client's form came in today with a reading of two weeks ago: ours of last week is newer."""
    row = sitting(sam, sbp=150, dbp=95)
    answered(row, blood__pressure={"upper": 150, "lower": 95, "on": "2026-11-05"})
    assert inputs(sam) == {"sbp": 150, "dbp": 95}
    say(maya, sam, on=TODAY - timedelta(days=7), sbp=128, dbp=82)
    assert inputs(sam) == {"sbp": 128, "dbp": 82}
    say(maya, sam, on=TODAY - timedelta(days=30), sbp=170, dbp=99)
    assert inputs(sam) == {"sbp": 128, "dbp": 82}


def test_not_known_takes_back_the_clinicians_word_and_leaves_the_clients(
    as_user: As, post: Post, maya: User, sam: Client
) -> None:
    told(sam, -3, bipolar="II", failed_adequate_trials=1)
    say(maya, sam, at=LATER - timedelta(minutes=2), bipolar="none", failed_adequate_trials=4, sbp=150, dbp=95)
    assert inputs(sam) == {"bipolar": "none", "failed_adequate_trials": 4, "sbp": 150, "dbp": 95}
    browser = as_user(maya)
    both = post(browser, url(sam), form(failed_adequate_trials=3, failed_adequate_trials_back="on"))
    assert ": give a number, or say that it is not known." in both.content.decode()
    post(browser, url(sam), form(bipolar="not-known", failed_adequate_trials_back="on", sbp_back="on"))
    assert inputs(sam) == {"bipolar": "II", "failed_adequate_trials": 1}
    assert len(kept(sam)) == 8  # nothing was edited or taken out


def test_wrong_day_is_put_right_by_taking_back(maya: User, sam: Client) -> None:
    minute = timedelta(minutes=1)
    say(maya, sam, at=LATER - 3 * minute, on=TODAY, liver="severe")
    say(maya, sam, at=LATER - 2 * minute, on=TODAY, liver=None)
    say(maya, sam, at=LATER - minute, on=TODAY - timedelta(days=9), liver="mild")
    assert inputs(sam) == {"liver": "mild"}


# --- Weighing anew ---------------------------------------------------------------------------------------------------


@pytest.fixture
def both(sam: Client, maya: User) -> Suggestion:
    """Depression and suicidal thoughts, each over the line, and a card for it."""
    row = sitting(sam)
    assessed(row, "phq-9", phq9_of(19, item9=2))
    assessed(row, CSSRS, CSSRS_MODERATE)
    found = actions.suggest(by=None, client=sam, sitting=row, at=NOW)
    assert found is not None
    return found


def test_saving_weighs_the_client_anew(maya: User, sam: Client, both: Suggestion) -> None:
    say(maya, sam, bipolar="I", mood_stabilizer=False)
    both.refresh_from_db()
    fresh = sam.suggestions.get(state="open")
    assert (both.state, "CX-24" in {rule["id"] for rule in fresh.rules}) == ("superseded", True)
    assert fresh.picture["inputs"]["bipolar"] == "I"
    assert [hold.rule for hold in holds.blocks(sam, "kap", LATER) if hold.rule == "CX-24"] == ["CX-24"]
    say(maya, sam, at=LATER + timedelta(minutes=1), mood_stabilizer=True)
    assert [hold.rule for hold in holds.blocks(sam, "kap", LATER) if hold.rule == "CX-24"] == []


def test_card_that_was_replaced_is_not_said_to_be_reviewed(
    as_user: As, maya: User, sam: Client, both: Suggestion
) -> None:
    say(maya, sam, bipolar="II")
    page = as_user(maya).get(reverse("chart", args=[sam.pk])).content.decode()
    assert ("Suggestion replaced by a newer one" in page, "Suggestion reviewed" in page) == (True, False)


def test_suicidal_sign_stays_whatever_is_said_here(maya: User, sam: Client, both: Suggestion) -> None:
    before = [hold.rule for hold in holds.blocks(sam, "infusion_clinic", LATER) if hold.kind == "safety"]
    every = {each.name: False for each in actions.sayable(Permission) if each.kind == "yes_no"}
    say(maya, sam, **every)
    assert before == ["SR-03"]
    assert [h.rule for h in holds.blocks(sam, "infusion_clinic", LATER) if h.kind == "safety"] == before


@pytest.mark.parametrize(("name", "rule"), sorted(actions.RAISES.items()))
def test_yes_to_harm_rings_at_once_and_a_later_no_does_not_silence_it(
    maya: User, sam: Client, on_call: User, name: str, rule: str
) -> None:
    say(maya, sam, **{name: False})
    assert not Alert.objects.exists()
    say(maya, sam, at=LATER + timedelta(minutes=1), **{name: True})
    [flag] = Alert.objects.filter(client=sam)
    assert (flag.severity, flag.rule_ids, flag.is_open, flag.raised_by) == ("urgent", [rule], True, maya)
    assert Task.objects.filter(client=sam, kind="alert", done_at=None).count() == 1 or flag.notices.exists()
    say(maya, sam, at=LATER + timedelta(minutes=2), **{name: False})
    flag.refresh_from_db()
    assert (flag.is_open, inputs(sam)[name]) == (True, False)
    if name == "homicidal_ideation":
        assert [h.rule for h in holds.blocks(sam, "kap", LATER) if h.kind == "safety"] == [rule]


# --- On the pages ----------------------------------------------------------------------------------------------------


def test_decision_screen_says_who_and_when(as_user: As, maya: User, omar: User, sam: Client) -> None:
    say(maya, sam, on=date(2026, 11, 17), capacity_to_consent=False)
    page = as_user(maya).get(reverse("decision_new", args=[sam.pk])).content.decode()
    said = f'Able to consent: no <span class="sub"><a href="{url(sam)}?about=capacity_to_consent">'
    assert said + "said by Maya Torres, Nov 17, 2026</a>" in page


def test_page_says_what_is_known_and_by_whom(as_user: As, maya: User, sam: Client) -> None:
    told(sam, -1, liver="mild")
    say(maya, sam, sud_active="alcohol")
    page = as_user(maya).get(url(sam)).content.decode()
    for words in (
        "Problem use as you rate it, not any use. Now: Alcohol (said by Maya Torres, Nov 19, 2026).",
        "Now: Mild (form of the client, Nov 18, 2026).",
        "Whole months since it happened. Now: never.",
        "you, ",
    ):
        assert escape(words) in page, words
    assert "Sam" not in page[page.index("<title>") : page.index("</title>")]


@pytest.mark.parametrize(
    ("about", "first"),
    [
        ("capacity_to_consent", "capacity_to_consent"),
        ("dbp", "sbp"),
        ("bipolar", "bipolar"),
        ("meds", None),
        ("<x>", None),
    ],
)
def test_what_the_reader_came_for_stands_first(
    as_user: As, maya: User, sam: Client, about: str, first: str | None
) -> None:
    page = as_user(maya).get(url(sam), {"about": about}).content.decode()
    fields = re.findall(r'id="div_knownform_(\w+)"', page)
    assert fields[0] == (first or "failed_adequate_trials")
    assert ("What you came to say" in page, "<x>" in page) == (first is not None, False)
    assert len(fields) == len(set(fields))


def test_long_list_is_folded_until_something_in_it_is_said(
    as_user: As, post: Post, maya: User, pax: User, sam: Client
) -> None:
    folded = "Show all of them"
    wrong = form(bipolar="I", sud_active="caffeine")
    seen = [as_user(maya).get(url(sam)), post(as_user(maya), url(sam), wrong), as_user(pax).get(url(sam))]
    assert [folded in answer.content.decode() for answer in seen] == [True, False, False]


def test_name_of_a_colleague_is_text_and_never_markup(as_user: As, maya: User, sam: Client) -> None:
    User.objects.filter(pk=maya.pk).update(name="<b>Maya</b> O'Neil")
    say(User.objects.get(pk=maya.pk), sam, bipolar="II")
    browser = as_user(maya)
    for page in (url(sam), reverse("decision_new", args=[sam.pk])):
        html = browser.get(page).content.decode()
        assert ("<b>Maya" in html, "said by &lt;b&gt;Maya&lt;/b&gt; O&#x27;Neil" in html) == (False, True), page


def test_card_leads_to_what_a_clinician_can_say(as_user: As, maya: User, pax: User, sam: Client) -> None:
    row = sitting(sam)
    assessed(row, "phq-9", phq9_of(19, item9=2))
    assessed(row, CSSRS, CSSRS_MODERATE)
    found = actions.suggest(by=None, client=sam, sitting=row, at=NOW)
    assert found is not None
    page = as_user(maya).get(reverse("suggestion", args=[sam.pk, found.pk]))
    lead = page.context["card"]["say_url"]
    assert lead.startswith(f"{url(sam)}?about=")
    assert f'href="{lead}">Say what you know' in page.content.decode()


# --- Who -------------------------------------------------------------------------------------------------------------


def test_prescriber_says_readings_and_conditions_and_judges_nothing(
    as_user: As, post: Post, pax: User, sam: Client
) -> None:
    browser = as_user(pax)
    page = browser.get(url(sam)).content.decode()
    shown = {each.name for each in table.inputs().values() if f'id="knownform_{each.name}"' in page}
    assert shown == {each.name for each in table.inputs().values() if each.clinician in ("reading", "condition")}
    assert post(browser, url(sam), form(sbp=128, dbp=82, bipolar="I")).status_code == 302
    assert post(browser, url(sam), form(capacity_to_consent="yes")).status_code == 400
    with pytest.raises(PermissionDenied), transaction.atomic():
        say(pax, sam, capacity_to_consent=True)
    assert inputs(sam) == {"sbp": 128, "dbp": 82, "bipolar": "I"}


@pytest.mark.parametrize(
    ("who", "status"),
    [("omar", 404), ("ines", 404), ("fay", 403), ("rosa", 403), ("sol", 200), ("pax", 200), ("maya", 200)],
)
def test_page_is_for_those_who_read_the_chart(
    as_user: As, post: Post, request: Any, sam: Client, who: str, status: int
) -> None:
    browser = as_user(request.getfixturevalue(who))
    assert browser.get(url(sam)).status_code == status
    answer = post(browser, url(sam), form(bipolar="I"))
    assert (answer.status_code, len(kept(sam))) == ((302, 1) if status == 200 else (status, 0))


def test_client_of_another_therapist_shows_nothing_and_takes_nothing(
    as_user: As, post: Post, maya: User, omar: User, kit: Client
) -> None:
    say(omar, kit, sud_active="opioid")
    answer = as_user(maya).get(url(kit))
    assert (answer.status_code, "opioid" in answer.content.decode().lower()) == (404, False)
    with pytest.raises(PermissionDenied), transaction.atomic():
        say(maya, kit, sud_active="none")
    assert inputs(kit) == {"sud_active": "opioid"}


def test_nothing_is_said_of_a_client_who_left(as_user: As, post: Post, maya: User, sam: Client) -> None:
    Client.objects.filter(pk=sam.pk).update(status=Client.Status.DISCHARGED)
    answer = post(as_user(maya), url(sam), form(bipolar="I"))
    assert (answer.status_code, "Take them back into care first." in answer.content.decode()) == (400, True)
    assert kept(sam) == []


# --- Twice, two people, the day the clocks change --------------------------------------------------------------------


def test_second_press_writes_nothing(as_user: As, post: Post, maya: User, sam: Client) -> None:
    browser, key = as_user(maya), "k" * 30
    answers = [post(browser, url(sam), form(bipolar="I"), key=key) for _ in range(2)]
    assert [answer["Location"] for answer in answers] == [url(sam)] * 2
    assert kept(sam) == [("bipolar", "I", TODAY, "Maya Torres")]


def test_page_opened_before_a_colleague_spoke_overwrites_nothing(
    as_user: As, post: Post, maya: User, sol: User, sam: Client
) -> None:
    """Both are kept; what one left as it was says nothing, and of the same input the last word counts."""
    as_user(maya).get(url(sam))
    post(as_user(sol), url(sam), form(capacity_to_consent="yes", sud_active="none"))
    with time_machine.travel(LATER + timedelta(minutes=1), tick=False):
        post(as_user(maya), url(sam), form(sud_active="alcohol"))
    assert inputs(sam) == {"capacity_to_consent": True, "sud_active": "alcohol"}
    assert kept(sam) == [
        ("capacity_to_consent", True, TODAY, "Sol Amari"),
        ("sud_active", "none", TODAY, "Sol Amari"),
        ("sud_active", "alcohol", TODAY, "Maya Torres"),
    ]
    assert picture.known(sam, TODAY).origins["sud_active"].by == "Maya Torres"


@pytest.mark.django_db(transaction=True)
def test_two_at_once_are_both_kept_and_one_card_stays_open(maya: User, sol: User, sam: Client) -> None:
    row = sitting(sam)
    assessed(row, "phq-9", phq9_of(19, item9=2))
    assessed(row, CSSRS, CSSRS_MODERATE)
    start, failed = threading.Barrier(2), []

    def speak(by: User, name: str) -> None:
        try:
            start.wait(10)
            say(by, sam, **{name: True})
        except Exception as error:
            failed.append(error)
        finally:
            connection.close()

    both = [threading.Thread(target=speak, args=each) for each in ((maya, "escort"), (sol, "safe_home"))]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join(30)
    assert failed == []
    assert {(name, value) for name, value, _on, _by in kept(sam)} == {("escort", True), ("safe_home", True)}
    card_now = sam.suggestions.get(state="open").picture["inputs"]
    assert (card_now["escort"], card_now["safe_home"]) == (True, True)


@pytest.mark.parametrize(
    ("at", "today", "tomorrow"),
    [
        # The clocks go back on Nov 1, 2026 at 2:00; 04:59 UTC is 0:59 of that day, 05:30 and 06:30 are both 1:30.
        (datetime(2026, 11, 1, 3, 59, tzinfo=UTC), "2026-10-31", "2026-11-01"),
        (datetime(2026, 11, 1, 5, 30, tzinfo=UTC), "2026-11-01", "2026-11-02"),
        (datetime(2026, 11, 1, 6, 30, tzinfo=UTC), "2026-11-01", "2026-11-02"),
        (datetime(2026, 11, 2, 4, 59, tzinfo=UTC), "2026-11-01", "2026-11-02"),
        (datetime(2027, 3, 14, 7, 0, tzinfo=UTC), "2027-03-14", "2027-03-15"),
        (datetime(2027, 3, 15, 3, 59, tzinfo=UTC), "2027-03-14", "2027-03-15"),
    ],
)
def test_today_is_the_practices_day_when_the_clocks_change(
    as_user: As, post: Post, maya: User, sam: Client, at: datetime, today: str, tomorrow: str
) -> None:
    with time_machine.travel(at, tick=False):
        browser = as_user(maya)
        assert f'value="{today}"' in browser.get(url(sam)).content.decode()
        assert post(browser, url(sam), form(bipolar="I") | {"on": tomorrow, "reading_on": today}).status_code == 400
        assert post(browser, url(sam), form(bipolar="I") | {"on": today, "reading_on": today}).status_code == 302
    assert kept(sam) == [("bipolar", "I", date.fromisoformat(today), "Maya Torres")]


def test_value_is_sealed_and_not_in_the_trail(maya: User, sam: Client) -> None:
    say(maya, sam, sud_active="opioid")
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT * FROM {ClinicianFact._meta.db_table}")
        assert "opioid" not in repr(cursor.fetchall())
    assert "opioid" not in repr(list(AuditEvent.objects.values("action", "facts")))
