"""Second windows, other browsers and late answers: nothing of safety is lost, nothing is written by a stranger."""

from datetime import timedelta
from typing import Any

import pytest

from intake import actions
from intake.views import questions
from practice import actions as practice_actions
from practice.models import Alert, AlertEvent, AuditEvent, User
from tests.factories import NOW
from tests.intake.conftest import Phone, text_of

ITEM9, CSSRS = "phq-9--9", "cssrs-screener-recent--"


def alerts_of(phone: Phone) -> list[Alert]:
    return list(Alert.objects.filter(source_id=phone.sitting.pk).order_by("opened_at"))


def said(alert: Alert) -> list[tuple[str, str]]:
    return [(row["link_id"], row["answer"]) for row in alert.answers]


def reached(maya: User, alert: Alert, at: Any) -> None:
    practice_actions.record_contact(
        by=maya, alert=alert, recorded_at=at, reached="yes", at=at, level="low", action="Called", plan="Safety plan",
        next_check_at=at + timedelta(days=1),
    )  # fmt: skip


def close(maya: User, alert: Alert, at: Any) -> None:
    practice_actions.close_alert(by=maya, alert=alert, action="safety_plan", note="Spoke with them", at=at)


def send_with_no_sign(phone: Phone) -> None:
    for n in range(1, 10):
        phone.say(f"phq-9--{n}", "0")
    assert phone.post("/my/send/")["Location"] == "/my/done/"


# --- The flag keeps what was said ------------------------------------------------------------------------------------


def test_where_somebody_is_stays_on_the_flag_when_they_answer_on(check_in: Phone) -> None:
    check_in.say(ITEM9, "2")
    check_in.post("/my/support/", {"where": "Bus station, Troy"})
    check_in.say(f"{CSSRS}1", "1")
    assert said(alerts_of(check_in)[0]) == [
        ("where", "Bus station, Troy"),
        ("phq9-9", "More than half the days"),
        ("cssrs-1", "Yes"),
    ]


def test_a_sign_that_was_changed_stays_on_the_flag_beside_the_new_answer(check_in: Phone) -> None:
    check_in.say(ITEM9, "3")
    check_in.say(ITEM9, "0")
    check_in.say(f"{CSSRS}1", "1")
    assert said(alerts_of(check_in)[0]) == [
        ("phq9-9", "Nearly every day"),
        ("phq9-9", "Not at all"),
        ("cssrs-1", "Yes"),
    ]


def test_a_sign_given_after_the_flag_was_closed_is_a_new_flag(check_in: Phone, maya: User, clock: Any) -> None:
    check_in.say(ITEM9, "3")
    reached(maya, alerts_of(check_in)[0], NOW + timedelta(minutes=4))
    close(maya, alerts_of(check_in)[0], NOW + timedelta(minutes=5))
    clock.move_to(NOW + timedelta(minutes=10))
    check_in.say(ITEM9, "0")
    assert len(alerts_of(check_in)) == 1
    check_in.say(ITEM9, "3")
    assert [(alert.severity, alert.is_open) for alert in alerts_of(check_in)] == [("urgent", False), ("urgent", True)]


def test_a_contact_from_before_the_rise_does_not_close_the_flag(check_in: Phone, maya: User, clock: Any) -> None:
    check_in.say(ITEM9, "1")
    alert = alerts_of(check_in)[0]
    reached(maya, alert, NOW + timedelta(minutes=5))
    clock.move_to(NOW + timedelta(minutes=10))
    check_in.say(ITEM9, "3")
    with pytest.raises(practice_actions.NotNow, match="more serious after the last contact"):
        close(maya, alert, NOW + timedelta(minutes=11))
    alert.refresh_from_db()
    assert (alert.severity, alert.is_open) == ("urgent", True)
    reached(maya, alert, NOW + timedelta(minutes=12))
    close(maya, alert, NOW + timedelta(minutes=13))
    alert.refresh_from_db()
    assert not alert.is_open


# --- A second window, after the answers were sent --------------------------------------------------------------------


def test_a_sign_from_a_second_window_after_sending_still_raises_its_flag(check_in: Phone) -> None:
    send_with_no_sign(check_in)
    assert check_in.say(ITEM9, "3")["Location"] == "/my/support/"
    alert = alerts_of(check_in)[0]
    assert (alert.severity, alert.rule_ids, alert.answers[-1]["answer"]) == ("urgent", ["SR-06"], "Nearly every day")
    assert (check_in.saved(ITEM9), check_in.sitting.assessments.get(instrument="phq-9").total) == (0, 0)
    assert AuditEvent.objects.filter(action="answer.late").count() == 1


def test_autosave_of_a_sign_after_sending_raises_its_flag_too(check_in: Phone) -> None:
    send_with_no_sign(check_in)
    assert check_in.browser.post(f"/my/save/{ITEM9}/", {"answer": "1"}).status_code == 204
    assert [alert.rule_ids for alert in alerts_of(check_in)] == [["SR-05"]]


@pytest.mark.parametrize("fields", [{"answer": "0"}, {"answer": "9"}, {"skip": "1"}, {}])
def test_whatever_else_comes_after_sending_is_refused_in_words(check_in: Phone, fields: dict[str, str]) -> None:
    send_with_no_sign(check_in)
    for page in (ITEM9, "phq-9--1"):
        answer = check_in.post(f"/my/q/{page}/", fields)
        assert answer["Location"] == "/my/done/"
    assert "sent already" in text_of(check_in.get("/my/done/"))
    assert alerts_of(check_in) == []


def test_a_save_that_loses_the_race_with_sending_keeps_its_sign(
    check_in: Phone, monkeypatch: pytest.MonkeyPatch
) -> None:
    for n in range(1, 10):
        check_in.say(f"phq-9--{n}", "0")
    keep = questions.Sitting.keep

    def sent_meanwhile(here: questions.Sitting, *args: Any, **how: Any) -> set[str]:
        actions.submit(by=here.link.client, sitting=here.intake, at=NOW)
        return keep(here, *args, **how)

    monkeypatch.setattr(questions.Sitting, "keep", sent_meanwhile)
    assert check_in.say("phq-9--1", "3")["Location"] == "/my/done/"
    check_in.say(ITEM9, "3")
    assert [alert.severity for alert in alerts_of(check_in)] == ["urgent"]


# --- Another browser with the same link ------------------------------------------------------------------------------


def test_a_browser_that_waits_for_the_code_writes_nothing(check_in: Phone) -> None:
    """Somebody with the mailbox has the link; before the code they neither read nor change an answer."""
    check_in.say(ITEM9, "2")
    stranger = Phone(check_in.invitation)
    assert stranger.open()["Location"] == "/my/code/"
    assert stranger.say(ITEM9, "0")["Location"] == "/my/locked/?lost=1"
    assert stranger.browser.post(f"/my/save/{ITEM9}/", {"answer": "0"}).status_code == 423
    assert stranger.browser.post("/my/tapped/", {"what": "call_988"}).status_code == 423
    assert check_in.saved(ITEM9) == 2


def test_a_browser_with_a_receipt_alone_says_nothing_for_the_client(check_in: Phone) -> None:
    check_in.say(ITEM9, "2")
    check_in.post("/my/send/")
    stranger = Phone(check_in.invitation)
    assert stranger.open()["Location"] == "/my/done/"
    stranger.say(f"{CSSRS}6", "1")
    stranger.browser.post(f"/my/save/{CSSRS}6/", {"answer": "1"})
    stranger.browser.post("/my/tapped/", {"what": "call_988"})
    stranger.post("/my/call-me/", {"wanted": "1"})
    events = AlertEvent.objects.filter(alert__source_id=check_in.sitting.pk)
    assert not events.filter(kind__in=["tapped", "call_wanted", "rose"]).exists()
    assert AuditEvent.objects.filter(action="answer.late").count() == 0


# --- A page that locked ----------------------------------------------------------------------------------------------


def test_a_call_and_a_place_asked_for_on_a_page_that_just_locked_are_taken(check_in: Phone, clock: Any) -> None:
    check_in.say(ITEM9, "2")
    clock.shift(timedelta(minutes=16))
    assert check_in.post("/my/support/", {"where": "Bus station, Troy"})["Location"] == "/my/locked/"
    assert check_in.post("/my/call-me/", {"wanted": "1"})["Location"] == "/my/locked/"
    alert = alerts_of(check_in)[0]
    assert (said(alert)[-1], alert.call_wanted_at) == (("where", "Bus station, Troy"), NOW + timedelta(minutes=16))


def test_what_a_closed_door_did_not_take_is_not_called_saved(check_in: Phone, maya: User) -> None:
    actions.withdraw(by=maya, invitation=check_in.invitation, at=NOW)
    words = text_of(check_in.get(check_in.say("phq-9--1", "3")["Location"]))
    assert "What you just sent did not reach us." in words
    assert "Your answers are saved" not in words
    assert "Call 988" in words


def test_where_somebody_is_cannot_be_read_back_after_sending(check_in: Phone) -> None:
    check_in.say(ITEM9, "2")
    for n in range(1, 7):
        check_in.say(f"{CSSRS}{n}", "1")
    check_in.post("/my/support/", {"where": "Bus station, Troy"})
    assert "Bus station" in text_of(check_in.get("/my/support/"))
    check_in.post("/my/send/")
    assert "Bus station" not in text_of(check_in.get("/my/support/"))
