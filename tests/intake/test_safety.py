"""What follows from a safety answer, at the moment it is given."""

import re
from datetime import timedelta
from typing import Any

import pytest

from intake import actions, tasks
from intake.models import Answer
from practice import actions as practice_actions
from practice import jobs
from practice.keys import KeyRing
from practice.models import Alert, AuditEvent, Client, CoverageShift, Notice, Practice, Task, User
from tests.factories import NOW
from tests.intake.conftest import Phone, fill_required, text_of

ITEM9, CSSRS = "phq-9--9", "cssrs-screener-recent--"
NEVER = ("risk", "severity", "score", "PHQ", "C-SSRS", "ideation", "positive", "screen ", "flag", "high", "moderate")


def cssrs(phone: Phone, **answers: str) -> Any:
    """Answer the screener items given; returns the last response."""
    for item, value in answers.items():
        said = phone.say(f"{CSSRS}{item.removeprefix('q')}", value)
    return said


def alert_of(phone: Phone) -> Alert:
    return Alert.objects.get(source_id=phone.sitting.pk)


def kinds(alert: Alert) -> list[str]:
    return list(alert.events.order_by("at", "kind").values_list("kind", flat=True))


def test_item_9_raises_the_flag_with_the_answer_itself(check_in: Phone, sam: Client, maya: User, omar: User) -> None:
    """Security check 76, ux check 11: flag, people told, task and audit row exist when the answer is saved."""
    answer = check_in.say(ITEM9, "1")
    assert (answer.status_code, answer["Location"]) == (303, "/my/support/")
    alert = alert_of(check_in)
    assert (alert.severity, alert.rule_ids, alert.client, alert.source) == ("priority", ["SR-05"], sam, "intake")
    assert [(row["link_id"], row["answer"]) for row in alert.answers] == [("phq9-9", "Several days")]
    assert set(alert.notices.values_list("user__name", flat=True)) == {maya.name, omar.name}
    assert Task.objects.get(client=sam, kind="safety").subject_id == alert.pk
    assert Notice.objects.filter(template="urgent").count() == 2
    assert AuditEvent.objects.filter(action__in=["answer.saved", "alert.opened"], client_id=sam.pk).count() == 2
    sam.refresh_from_db()
    assert sam.rank == Client.Rank.NOW


def test_autosave_raises_it_too_before_continue_is_pressed(check_in: Phone) -> None:
    assert check_in.browser.post(f"/my/save/{ITEM9}/", {"answer": "2"}).status_code == 204
    assert (alert_of(check_in).severity, alert_of(check_in).rule_ids) == ("urgent", ["SR-06"])


def test_a_save_that_dies_between_leaves_neither_answer_nor_flag(check_in: Phone, settings: Any) -> None:
    """Security checks 43 and 76: the audit row cannot be written, so nothing of the save is."""
    ring = settings.KEY_RING
    check_in.browser.raise_request_exception = False
    settings.KEY_RING = KeyRing({name: keys for name, keys in ring.keys.items() if name != "audit"})
    assert check_in.say(ITEM9, "3").status_code == 500
    settings.KEY_RING = ring
    assert (Answer.objects.count(), Alert.objects.count(), Notice.objects.filter(template="urgent").count()) == (
        0,
        0,
        0,
    )
    check_in.say(ITEM9, "3")
    assert (Answer.objects.count(), Alert.objects.count()) == (1, 1)


def test_resources_come_before_any_further_question(check_in: Phone) -> None:
    check_in.say(ITEM9, "1")
    bridge = check_in.browser.get("/my/support/").content.decode()
    assert "Thank you for telling us" in bridge
    assert 0 < bridge.index('href="tel:988"') < bridge.index(f"/my/q/{CSSRS}1/")
    assert 'type="radio"' not in bridge


@pytest.mark.parametrize("page", [ITEM9, f"{CSSRS}1", f"{CSSRS}2", f"{CSSRS}6", "safe-now"])
def test_988_and_what_the_answer_does_stand_above_each_safety_question(phone: Phone, page: str) -> None:
    """Ux check 10."""
    phone.say(ITEM9, "1")
    html = phone.browser.get(f"/my/q/{page}/").content.decode()
    main = html[html.index("<main") : html.index("</main>")]
    assert main.index('href="tel:988"') < main.index("<legend>")
    assert main.index("does not call the police or an ambulance") < main.index("<legend>")


def test_the_sentence_on_police_stands_only_where_it_is_true(check_in: Phone) -> None:
    Practice.objects.update(answer_calls_nobody=False)
    assert b"police" not in check_in.browser.get(f"/my/q/{ITEM9}/").content


def test_thoughts_with_a_method_lead_to_the_page_of_the_design(check_in: Phone) -> None:
    """Ux check 12."""
    check_in.say(ITEM9, "1")
    last = cssrs(check_in, q1="1", q2="1", q3="1", q4="0", q5="0", q6="0")
    assert last["Location"] == "/my/support/"
    words = text_of(check_in.browser.get("/my/support/"))
    for said in (
        "Thank you for telling us",
        "Call 988",
        "Text 988",
        "Chat online with 988",
        "Call 911",
        "Ask Maya to call me",
        "Small steps for the next hour",
        "I am OK to keep going",
        "Stop for now",
        "does not call the police",
    ):
        assert said in words
    assert [word for word in NEVER if re.search(rf"\b{word.strip()}\b", words, re.IGNORECASE)] == []
    assert (alert_of(check_in).severity, alert_of(check_in).rule_ids) == ("priority", ["SR-05", "SR-04", "SR-03"])


def test_intent_raises_the_flag_and_starts_the_ladder_anew(check_in: Phone, omar: User) -> None:
    check_in.say(ITEM9, "1")
    alert = alert_of(check_in)
    practice_actions.acknowledge(by=omar, alert=alert, at=NOW)
    cssrs(check_in, q1="1", q2="1", q3="0", q4="1")
    alert.refresh_from_db()
    assert (alert.severity, alert.acknowledged_at, "SR-01" in alert.rule_ids) == ("urgent", None, True)
    cssrs(check_in, q5="0", q6="0")
    page = text_of(check_in.browser.get("/my/support/"))
    assert "Please talk to someone now" in page
    assert "Nobody may be watching right now, so please use 988 or 911 first." in page


def test_changing_an_answer_never_lowers_or_closes(check_in: Phone) -> None:
    check_in.say(ITEM9, "3")
    check_in.say(ITEM9, "0")
    alert = alert_of(check_in)
    assert (alert.severity, alert.rule_ids, alert.is_open) == ("urgent", ["SR-06"], True)
    assert check_in.browser.get(f"/my/q/{CSSRS}1/").status_code == 200


def test_a_high_total_opens_nothing_and_a_low_one_hides_nothing(check_in: Phone) -> None:
    for n in range(1, 9):
        check_in.say(f"phq-9--{n}", "3")
    assert Alert.objects.count() == 0
    check_in.say(ITEM9, "1")
    assert Alert.objects.count() == 1


def test_skipping_item_9_is_its_own_flag_and_shows_people_and_988(check_in: Phone) -> None:
    assert check_in.skip(ITEM9)["Location"] == "/my/support/"
    alert = alert_of(check_in)
    assert (alert.severity, alert.rule_ids) == ("priority", ["SR-07"])
    assert alert.answers[0]["answer"] == "Skipped on purpose"
    page = text_of(check_in.browser.get("/my/support/"))
    assert "That is all right" in page
    assert page.index("Reach your own people") < page.index("Talk to someone now")
    assert CSSRS not in check_in.browser.get("/my/support/").content.decode()


def test_not_being_safe_now_is_urgent_and_the_form_stays_open(phone: Phone) -> None:
    assert phone.say("safe-now", "unsure")["Location"] == "/my/support/"
    alert = alert_of(phone)
    assert (alert.severity, alert.rule_ids) == ("urgent", ["safe-now"])
    assert "Please talk to someone now" in text_of(phone.browser.get("/my/support/"))
    assert phone.say("names", used="Sam", legal="Sam W").status_code == 303


def test_the_form_goes_on_after_the_support_page(check_in: Phone) -> None:
    check_in.say(ITEM9, "1")
    cssrs(check_in, q1="0", q2="0", q6="0")
    html = check_in.browser.get("/my/support/").content.decode()
    assert 'href="/my/q/phq-9--10/"' in html


def test_the_truth_is_told_when_nobody_is_on_call(check_in: Phone, clock: Any) -> None:
    """Ux check 14: Saturday 21:42, nobody on call."""
    CoverageShift.objects.all().delete()
    clock.move_to(NOW.replace(day=22, hour=2, minute=42))
    let_in_again(check_in)
    check_in.say(ITEM9, "2")
    page = text_of(check_in.browser.get("/my/support/"))
    assert "Maya was told at 9:42 pm." in page
    assert "Nobody may be watching right now" in page
    assert "The practice opens again on Mon Nov 23, 8:00 am." in page
    assert "Maya reads your answers by Mon Nov 23, 12:00 pm." in page


def let_in_again(phone: Phone) -> None:
    """The clock jumped, so this browser is out: come in again by the link and the return code."""
    phone.open()
    phone.post("/my/code/", {"code": actions.return_code(phone.sitting)})


def test_who_was_told_is_named_from_the_record(check_in: Phone) -> None:
    check_in.say(ITEM9, "1")
    assert "Maya and Omar (on call) were told at 10:00 am." in text_of(check_in.browser.get("/my/support/"))


def test_a_call_can_be_asked_for_and_taken_back(check_in: Phone, sam: Client) -> None:
    """Ux check 15."""
    check_in.say(ITEM9, "1")
    assert check_in.post("/my/call-me/", {"wanted": "1"})["Location"] == "/my/call-me/"
    assert "Maya will call you by Thu Nov 19, 12:00 pm" in text_of(check_in.browser.get("/my/call-me/"))
    assert "Take back my request" in text_of(check_in.browser.get("/my/support/"))
    assert alert_of(check_in).call_wanted_at == NOW
    assert Task.objects.filter(client=sam, kind="call_me", done_at=None).count() == 1
    assert [n.words for n in Notice.objects.filter(template="call_me")] == [{"call_by": "2026-11-19T12:00:00-05:00"}]
    check_in.post("/my/call-me/", {"wanted": "0"})
    assert alert_of(check_in).call_wanted_at is None
    assert Task.objects.filter(client=sam, kind="call_me", done_at=None).count() == 0
    assert [kind for kind in kinds(alert_of(check_in)) if "call" in kind] == ["call_unwanted", "call_wanted"]


def test_a_call_can_be_asked_for_without_any_sign(check_in: Phone, sam: Client) -> None:
    check_in.post("/my/call-me/", {"wanted": "1"})
    check_in.post("/my/call-me/", {"wanted": "1"})
    assert Task.objects.filter(client=sam, kind="call_me", done_at=None).count() == 1
    assert Notice.objects.filter(template="call_me").count() == 1
    check_in.post("/my/call-me/", {"wanted": "0"})
    assert Task.objects.filter(client=sam, kind="call_me", done_at=None).count() == 0


def test_what_they_were_shown_and_tapped_is_on_the_flag(check_in: Phone) -> None:
    check_in.say(ITEM9, "1")
    assert check_in.browser.post("/my/tapped/", {"what": "call_988"}).status_code == 204
    assert check_in.browser.post("/my/tapped/", {"what": "<script>"}).status_code == 204
    found = alert_of(check_in).events.filter(kind__in=["shown", "tapped"]).values_list("kind", "facts")
    assert sorted(found) == [("shown", {"what": "bridge"}), ("tapped", {"what": "call_988"})]


def test_the_person_they_trust_is_offered_by_name(phone: Phone) -> None:
    phone.say("support-person", name="Alex", phone="555 0178", relation="family", may_talk="emergency")
    phone.say(ITEM9, "1")
    cssrs(phone, q1="1", q2="1", q3="1", q4="0", q5="0", q6="0")
    html = phone.browser.get("/my/support/").content.decode()
    assert "Call Alex" in html and 'href="tel:555 0178"' in html and 'href="sms:555 0178"' in html
    assert set(Notice.objects.values_list("template", flat=True)) == {"urgent", "invitation"}  # nobody wrote to Alex


def test_where_they_are_goes_to_the_flag_only_when_they_say_it(check_in: Phone) -> None:
    check_in.say(ITEM9, "2")
    check_in.skip(f"{CSSRS}1")
    assert "Where are you right now?" not in text_of(check_in.browser.get(f"/my/q/{CSSRS}2/"))
    check_in.post("/my/support/", {"where": "Bus stop, Elm Street"})
    assert alert_of(check_in).answers[-1]["answer"] == "Bus stop, Elm Street"
    assert AuditEvent.objects.filter(facts__icontains="Elm").count() == 0


def test_stopping_after_a_sign_is_shown_at_once(check_in: Phone, sam: Client) -> None:
    """Ux check 13."""
    check_in.say(ITEM9, "1")
    check_in.post("/my/later/")
    alert = alert_of(check_in)
    assert (alert.left_at, kinds(alert).count("left")) == (NOW, 1)
    assert Task.objects.get(client=sam, kind="safety").facts["left"] is True
    assert check_in.saved(ITEM9) == 1


def test_going_quiet_after_a_sign_counts_as_leaving(check_in: Phone, clock: Any) -> None:
    check_in.say(ITEM9, "1")
    clock.shift(timedelta(minutes=15))
    jobs.load_kinds()
    tasks.watch_leaving("")
    tasks.watch_leaving("")
    assert kinds(alert_of(check_in)).count("left") == 1


def test_nobody_leaves_before_fifteen_minutes_or_without_a_sign(check_in: Phone, clock: Any) -> None:
    check_in.say("phq-9--1", "3")
    clock.shift(timedelta(minutes=30))
    assert actions.watch_leaving(at=NOW + timedelta(minutes=30)) == 0


def test_coming_back_shows_the_support_page_first_until_somebody_spoke_with_them(check_in: Phone, omar: User) -> None:
    check_in.say(ITEM9, "1")
    cssrs(check_in, q1="0", q2="0", q6="0")
    check_in.post("/my/later/")
    code = actions.return_code(check_in.sitting)
    assert check_in.post("/my/code/", {"code": code})["Location"] == "/my/support/"
    alert = alert_of(check_in)
    assert (alert.left_at, "came_back" in kinds(alert)) == (None, True)
    practice_actions.record_contact(
        by=omar,
        alert=alert,
        recorded_at=NOW,
        reached="yes",
        at=NOW,
        level="low",
        action="a",
        plan="b",
        next_check_at=NOW + timedelta(days=1),
    )
    check_in.post("/my/later/")
    assert check_in.post("/my/code/", {"code": code})["Location"] == "/my/q/phq-9--10/"


def test_a_sign_is_asked_of_everyone_when_the_practice_says_so(check_in: Phone) -> None:
    Practice.objects.update(screen_everyone=True)
    check_in.say(ITEM9, "0")
    assert check_in.browser.get(f"/my/q/{CSSRS}1/").status_code == 200
    last = cssrs(check_in, q1="0", q2="0", q6="0")
    assert last["Location"] == "/my/q/gad-7--1/"
    assert Alert.objects.count() == 0


def test_two_forms_minutes_apart_show_both_flags(phone: Phone, sam: Client, maya: User) -> None:
    """Security check 79."""
    phone.say(ITEM9, "1")
    other = Phone(actions.invite(by=maya, client=sam, key="check-in", at=NOW)).start()
    other.say(ITEM9, "2")
    assert sorted(Alert.objects.filter(closed_at=None).values_list("severity", flat=True)) == ["priority", "urgent"]


def test_a_flag_a_person_closed_is_not_opened_again_by_sending(check_in: Phone, omar: User) -> None:
    check_in.say(ITEM9, "1")
    cssrs(check_in, q1="1", q2="0", q6="0")
    alert = alert_of(check_in)
    practice_actions.record_contact(
        by=omar,
        alert=alert,
        recorded_at=NOW,
        reached="yes",
        at=NOW,
        level="low",
        action="a",
        plan="b",
        next_check_at=NOW + timedelta(days=1),
    )
    alert.refresh_from_db()
    practice_actions.close_alert(by=omar, alert=alert, action="safety_plan", note="Spoke, plan made.", at=NOW)
    check_in.post("/my/send/")
    assert list(Alert.objects.values_list("closed_at", flat=True)) == [NOW]
    assert check_in.sitting.submitted_at == NOW


def test_a_new_sign_after_closing_opens_a_new_flag(check_in: Phone, omar: User) -> None:
    check_in.say(ITEM9, "1")
    Alert.objects.update(closed_at=NOW, closed_by=omar, action="no_change")
    cssrs(check_in, q1="1", q2="1", q3="0", q4="1")
    assert [row.severity for row in Alert.objects.filter(closed_at=None)] == ["urgent"]


def test_required_pages_do_not_stand_in_front_of_safety(phone: Phone) -> None:
    """A flag needs no name, no contact and no consent."""
    phone.say(ITEM9, "3")
    assert alert_of(phone).severity == "urgent"
    assert fill_required(phone).sitting.submitted_at is None


def test_leaving_quickly_after_a_sign_is_shown_at_once(check_in: Phone) -> None:
    check_in.browser.get("/leave/")
    check_in.open()
    check_in.post("/my/")
    check_in.say(ITEM9, "1")
    assert check_in.browser.get("/leave/").status_code == 303
    assert kinds(alert_of(check_in)).count("left") == 1
    assert check_in.browser.get("/my/support/")["Location"] == "/my/locked/"


def test_where_takes_hostile_text_with_a_sentence(check_in: Phone) -> None:
    check_in.say(ITEM9, "2")
    assert check_in.post("/my/support/", {"where": "\x00" * 9}).status_code == 303
    assert "There is a character here that we cannot keep." in text_of(check_in.browser.get("/my/support/"))
    assert [row["link_id"] for row in alert_of(check_in).answers] == ["phq9-9"]


def test_before_writing_they_read_who_reads_it_and_when(phone: Phone) -> None:
    """Features D2 and D3: who reads it, how soon, and 988 beside every box to write in."""
    page = text_of(phone.browser.get("/my/q/story/"))
    assert "Maya reads this by Thu Nov 19, 12:00 pm. Nobody reads it sooner." in page
    assert "Need someone now? Call 988 or text 988 , day or night." in page
