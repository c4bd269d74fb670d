"""What people text to our number, and the way out of mails (feature J4)."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.core import mail
from django.db import connection
from django.test import Client as Browser
from django.test import override_settings

from intake import actions, texts, thread
from intake.models import Message
from practice import handover, jobs, notices, sms
from practice.actions import NotNow
from practice.models import AuditEvent, Client, Enquiry, Notice, Practice, SentForm, Stop, Task, User
from practice.sms import Incoming
from tests import factories
from tests.factories import NOW

SECRET = "a key of the text service"
As = Callable[[User], Any]
NUMBER = "+12025550142"


@pytest.fixture(autouse=True)
def _on() -> Any:
    with override_settings(SMS_IN_SECRET=SECRET):
        yield


@pytest.fixture
def texter(sam: Client) -> Client:
    """Sam, reached by this number."""
    sam.set_identity(phone="(202) 555-0142")
    sam.save_identity()
    return sam


def hand_over(
    words: Any, *, number: Any = NUMBER, key: str = "t-1", at: datetime = NOW, body: bytes | None = None, **change: Any
) -> Any:
    raw = json.dumps({"id": key, "from": number, "text": words}).encode() if body is None else body
    stamp = change.get("stamp", str(int(at.timestamp())))
    headers = {"X-Timestamp": stamp, "X-Signature": change.get("signature", sms.sign(stamp, raw))}
    return Browser(enforce_csrf_checks=True).post("/texts/in/", raw, content_type="application/json", headers=headers)


def answers() -> list[str]:
    return list(
        Notice.objects.filter(template__in=notices.ANSWERS).order_by("created_at").values_list("template", flat=True)
    )


# --- Who may hand a text over ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("late_s", "status"), [(-301, 403), (-300, 204), (0, 204), (300, 204), (301, 403)])
def test_a_signed_text_is_taken_for_five_minutes(clock: Any, texter: Client, late_s: int, status: int) -> None:
    assert hand_over("Hello", at=NOW - timedelta(seconds=late_s)).status_code == status
    assert Message.objects.count() == (status == 204)


@pytest.mark.parametrize("change", [
    {"signature": ""}, {"signature": "sha256=" + "0" * 64}, {"signature": "sha256=é"}, {"stamp": ""}, {"stamp": "-1"},
    {"stamp": "²"}, {"stamp": "9" * 13},
])  # fmt: skip
def test_a_text_without_our_signature_changes_nothing(clock: Any, texter: Client, change: dict[str, Any]) -> None:
    if "stamp" in change:
        change = {**change, "signature": "sha256=" + "0" * 64}
    assert hand_over("STOP", **change).status_code == 403
    assert (Stop.objects.count(), Notice.objects.count(), SentForm.objects.count()) == (0, 0, 0)


def test_a_body_changed_on_the_way_is_refused(clock: Any, texter: Client) -> None:
    body = json.dumps({"id": "1", "from": NUMBER, "text": "Hello"}).encode()
    signature = sms.sign(str(int(NOW.timestamp())), body)
    assert hand_over("", body=body.replace(b"Hello", b"STOP!"), signature=signature).status_code == 403


@pytest.mark.parametrize("body", [
    b"", b"{", b"[]", b"null", b"[" * 5000, b'{"id": "1"}', b'{"id": 1, "from": "+12025550142", "text": "x"}',
    b'{"id": "", "from": "+12025550142", "text": "x"}', b'{"id": "1", "from": "me@example.org", "text": "x"}',
    b'{"id": "1", "from": "+1202", "text": "x"}', b'{"id": "1", "from": "+12025550142", "text": null}', b"\xff\xfe",
])  # fmt: skip
def test_what_is_no_text_is_refused_in_a_sentence(clock: Any, texter: Client, body: bytes) -> None:
    answer = hand_over("", body=body)
    assert (answer.status_code, Message.objects.count()) == (400, 0)
    assert answer.content.decode().endswith(".")


def test_a_book_is_refused(clock: Any, texter: Client) -> None:
    assert hand_over("", body=b"x" * (sms.LONGEST_BODY + 1)).status_code == 413


def test_without_a_key_there_is_no_such_page(texter: Client) -> None:
    with override_settings(SMS_IN_SECRET=""):
        assert hand_over("STOP").status_code == 404


def test_a_page_that_is_looked_at_says_how_it_is_used(house: Practice) -> None:
    assert Browser().get("/texts/in/").status_code == 405


def test_a_text_handed_over_twice_is_taken_once(clock: Any, texter: Client) -> None:
    assert [hand_over("Hello").status_code, hand_over("Hello").status_code] == [204, 204]
    assert (Message.objects.count(), answers()) == (1, ["text_unread"])


@pytest.mark.django_db(transaction=True)
def test_a_text_handed_over_twice_at_once_is_taken_once(texter: Client) -> None:
    def take(_n: int) -> bool:
        try:
            return texts.take(Incoming("same", NUMBER, "Hello"), at=NOW)
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(take, range(2))) == [False, True]
    assert Message.objects.count() == 1


# --- STOP, START, HELP -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("words", [
    "STOP", "stop", " Stop. ", "STOPALL", "stop all", "Unsubscribe", "CANCEL", "END", "quit", "Revoke", "OPTOUT",
    "Opt out", "opt-out", "ALTO", "Parar", "¡ALTO!", "Cancelar", "baja",
])  # fmt: skip
def test_stop_in_any_of_its_words_stops_texts_to_the_number(clock: Any, texter: Client, words: str) -> None:
    assert hand_over(words).status_code == 204
    texter.refresh_from_db()
    assert (texter.texts_stopped_at, texter.may_reach_by("sms"), texter.may_reach_by("voice")) == (NOW, False, True)
    assert (answers(), Message.objects.count()) == (["text_stopped"], 0)


@pytest.mark.parametrize(
    "words", ["please stop texting", "Stop it hurts", "I want to end", "the end", "cancel Friday", "no"]
)
def test_more_than_the_word_is_for_a_person(clock: Any, texter: Client, words: str) -> None:
    """Nothing here reads what somebody meant."""
    hand_over(words)
    texter.refresh_from_db()
    assert (texter.texts_stopped_at, Message.objects.get().words, answers()) == (None, words, ["text_unread"])


FCC = ("stop", "quit", "end", "revoke", "opt out", "cancel", "unsubscribe")  # 47 CFR 64.1200(a)(10)
CTIA = ("STOP", "STOPALL", "END", "CANCEL", "UNSUBSCRIBE", "QUIT")  # Messaging Principles and Best Practices, 5.1.3


@pytest.mark.parametrize("word", [*FCC, *CTIA])
def test_every_word_of_the_rule_stops_texts_however_it_is_written(clock: Any, texter: Client, word: str) -> None:
    ways = (word, word.upper(), word.title(), f" {word}.", f"“{word}!”\n", f"\u200b{word}\r\n", word.replace(" ", "-"))
    for n, written in enumerate(ways):
        hand_over(written, key=f"s-{n}")
        texter.refresh_from_db()
        assert (written, texter.texts_stopped_at, Message.objects.count()) == (written, NOW, 0)
        hand_over("START", key=f"u-{n}")
    assert Notice.objects.filter(template="text_stopped").count() == 1  # it names 988


@pytest.mark.parametrize("words", [
    "I want to END it", "END it all", "end my life", "END\nI can not any more", "I want this to END.", "the END",
    "stop. i want to die", "STOP STOP STOP", "Quit life", "I QUIT", "cancel everything, i took the pills",
    "REVOKE my will to live", "opt out of living", "unsubscribe from life", "END me", "END 1", "no end \U0001f494",
])  # fmt: skip
def test_a_word_of_the_rule_among_others_reaches_staff_today(
    clock: Any, texter: Client, maya: User, words: str
) -> None:
    """The first law: what may say that somebody wants to die is never taken for STOP alone; nor are texts cut off."""
    assert hand_over(words).status_code == 204
    texter.refresh_from_db()
    assert (texter.texts_stopped_at, Stop.objects.count(), answers()) == (None, 0, ["text_unread"])
    message = Message.objects.get(client=texter)
    assert message.words == words.strip()
    task = Task.objects.get(client=texter, done_at=None)
    assert (task.kind, task.owner) == ("message", maya)


@pytest.mark.parametrize(
    "words", ["STOP \U0001f6d1", "end \U0001f494", "END \u2639\ufe0f", "\U0001f52b end", "END +", "end \U0001fae9"]
)
def test_stop_with_a_sign_is_obeyed_and_reaches_staff_today(clock: Any, texter: Client, maya: User, words: str) -> None:
    """Whoever writes so wants no more texts, and may say with the sign how they are."""
    assert hand_over(words).status_code == 204
    texter.refresh_from_db()
    assert (texter.texts_stopped_at, answers()) == (NOW, ["text_stopped"])
    assert Message.objects.get(client=texter).words == words
    task = Task.objects.get(client=texter, done_at=None)
    assert (task.kind, task.owner) == ("message", maya)


def test_stop_twice_is_one_stop(clock: Any, texter: Client) -> None:
    hand_over("STOP")
    hand_over("STOP", key="t-2")
    assert (Stop.objects.count(), answers()) == (1, ["text_stopped"])  # one answer an hour


def test_start_turns_texts_on_again_and_a_later_stop_counts(clock: Any, texter: Client) -> None:
    for n, words in enumerate(["STOP", "START", "START", "STOP"]):
        hand_over(words, key=str(n))
    texter.refresh_from_db()
    assert texter.texts_stopped_at == NOW
    assert [row.ended_at is None for row in Stop.objects.order_by("ended_at")].count(True) == 1
    done = AuditEvent.objects.filter(action__in=("sms.stopped", "sms.started")).order_by("seq")
    assert [row.action for row in done] == ["sms.stopped", "sms.started", "sms.stopped"]


@pytest.mark.parametrize("words", ["HELP", "info", "Ayuda!"])
def test_help_is_answered_and_read_by_a_person_too(clock: Any, texter: Client, words: str) -> None:
    hand_over(words)
    assert (answers(), Message.objects.get().words) == (["text_help"], words)


def test_the_number_and_not_the_client_is_stopped(clock: Any, texter: Client, kit: Client, maya: User) -> None:
    """Two people with one phone; somebody who gets the number later; the mail of neither."""
    kit.set_identity(phone="202 555 0142")
    kit.save_identity()
    hand_over("STOP")
    for each in (texter, kit):
        each.refresh_from_db()
    late = factories.client(maya, "Late Comer", phone="+1 202 555 0142", email="late@example.net")
    assert [each.may_reach_by("sms") for each in (texter, kit, late)] == [False, False, False]
    assert [each.may_reach_by("email") for each in (texter, kit, late)] == [True, True, True]


def test_a_client_with_a_new_number_gets_texts_again(clock: Any, texter: Client) -> None:
    hand_over("STOP")
    texter.refresh_from_db()
    texter.set_identity(phone="202 555 0199")
    texter.save_identity()
    assert texter.may_reach_by("sms")


def test_an_unknown_number_is_stopped_without_a_word(clock: Any, house: Practice) -> None:
    assert hand_over("STOP", number="+15005550006").status_code == 204
    assert Stop.objects.of("sms", "+1 500 555 0006").count() == 1


# --- What follows ----------------------------------------------------------------------------------------------------


def test_the_confirmation_goes_out_and_nothing_else_does(
    clock: Any, texter: Client, settings: Any, tmp_path: Any
) -> None:
    settings.DATA_DIR = tmp_path
    notices.tell_client(texter, "news", link="x")
    hand_over("STOP")
    jobs.run_due()
    sent = [file.read_text() for file in (tmp_path / "sms").iterdir()]
    assert [("START" in text, NUMBER in text) for text in sent] == [(True, True)]
    assert {(n.template, n.channel, n.state) for n in Notice.objects.all()} == {
        ("news", "email", "sent"), ("news", "sms", "stopped"), ("text_stopped", "sms", "sent"),
    }  # fmt: skip
    assert not Task.objects.filter(facts__reason="call_instead").exists()  # the mail carried the same


def test_what_has_no_way_left_becomes_a_call_once(clock: Any, texter: Client, maya: User) -> None:
    texter.reach = {"email": False, "sms": True, "voice": True}
    texter.save()
    hand_over("STOP")
    texter.refresh_from_db()
    assert notices.tell_client(texter, "news", link="x") == notices.tell_news(texter, NOW) == []
    (task,) = Task.objects.filter(client=texter, facts__reason="call_instead")
    assert (task.owner, task.done_at) == (maya, None)
    hand_over("START", key="t-2")
    task.refresh_from_db()
    assert task.done_at == NOW


def test_nobody_is_to_call_where_no_way_was_ever_safe(clock: Any, texter: Client) -> None:
    texter.reach = {"email": False, "sms": False}
    texter.save()
    assert notices.tell_client(texter, "news", link="x") == []
    assert not Task.objects.filter(facts__reason="call_instead").exists()


def test_a_form_is_refused_in_words_when_no_way_is_left(clock: Any, texter: Client, maya: User, on_call: User) -> None:
    texter.reach = {"email": False}
    texter.save()
    hand_over("STOP")
    texter.refresh_from_db()
    with pytest.raises(NotNow):
        actions.invite(by=maya, client=texter, key="check-in", at=NOW)


def test_staff_see_it_on_the_chart_and_in_the_log(clock: Any, texter: Client, maya: User, as_user: As) -> None:
    hand_over("STOP")
    chart = as_user(maya).get(f"/clients/{texter.pk}/").content.decode()
    log = as_user(maya).get(f"/clients/{texter.pk}/notices/").content.decode()
    assert "no texts (they sent STOP)" in chart and "No texts: STOP" in chart
    assert "Only a text START from that number turns them on again." in log and "Answer to STOP" in log


# --- Words ------------------------------------------------------------------------------------------------------------


def test_words_go_to_the_therapist_as_something_for_today(clock: Any, texter: Client, maya: User) -> None:
    hand_over("I cannot do this any more")
    row, task = Message.objects.get(), Task.objects.get(kind="message")
    assert (row.client, row.by, row.by_text, row.words) == (texter, None, True, "I cannot do this any more")
    assert (task.owner, task.due_at, task.rank) == (maya, NOW, Client.Rank.NOW)
    assert Notice.objects.filter(template="message_waits", user=maya).count() == 1
    assert (answers(), texter.alerts.count()) == (["text_unread"], 0)  # no software says how urgent it is


def test_a_message_that_waits_for_tomorrow_is_pulled_to_today(clock: Any, texter: Client) -> None:
    thread.write(by=texter, words="See you Friday", wants_help=False, at=NOW)
    hand_over("Where are you")
    assert Task.objects.get(kind="message").due_at == NOW


def test_staff_and_client_see_that_it_came_by_text(clock: Any, texter: Client, maya: User, as_user: As) -> None:
    hand_over("<b>Hello</b>")
    page = as_user(maya).get(f"/clients/{texter.pk}/messages/").content.decode()
    assert "Came by text, to a number nobody reads" in page and "&lt;b&gt;Hello&lt;/b&gt;" in page


def test_an_honest_answer_with_988_goes_once_an_hour(clock: Any, texter: Client) -> None:
    for n, minutes in enumerate((0, 10, 59, 61)):
        clock.move_to(at := NOW.replace(minute=0) + timedelta(minutes=minutes))
        hand_over("Hello", key=str(n), at=at)
    assert answers() == ["text_unread", "text_unread"]
    words = notices.render("text_unread", "sms", {}, Practice.get())[1]
    assert "988" in words and "nobody reads this number" in words


@pytest.mark.parametrize("whose", ["nobody", "two", "left"])
def test_words_from_a_number_of_no_one_client_wait_for_the_front_desk(
    clock: Any, texter: Client, kit: Client, fay: User, whose: str
) -> None:
    if whose == "nobody":
        texter.set_identity(phone="202 555 0199")
        texter.save_identity()
    elif whose == "two":
        kit.set_identity(phone=NUMBER)
        kit.save_identity()
    else:
        Client.objects.filter(pk=texter.pk).update(status=Client.Status.DISCHARGED)
    assert hand_over("Hello").status_code == 204
    row = Enquiry.objects.get()
    assert (row.about, row.phone, row.reach["note"], Message.objects.count()) == ("Hello", NUMBER, texts.NOTE, 0)
    assert Notice.objects.filter(template="enquiry", user=fay).count() == 1


def test_a_flood_is_asked_to_wait_and_loses_nothing(clock: Any, texter: Client) -> None:
    for _n in range(thread.MOST_A_DAY - 1):
        Message(client=texter, at=NOW, read_by_at=NOW, words="x").save()
    assert [hand_over("a", key="1").status_code, hand_over("b", key="2").status_code] == [204, 429]
    clock.move_to(later := NOW + timedelta(days=1, seconds=1))
    assert hand_over("b", key="2", at=later).status_code == 204  # as the service tries again
    assert Message.objects.filter(client=texter).count() == thread.MOST_A_DAY + 1


def test_stop_is_obeyed_in_the_middle_of_a_flood(clock: Any, texter: Client) -> None:
    for _n in range(thread.MOST_A_DAY):
        Message(client=texter, at=NOW, read_by_at=NOW, words="x").save()
    assert hand_over("STOP").status_code == 204


def test_hostile_words_are_kept_as_text(clock: Any, texter: Client) -> None:
    for n, words in enumerate(["", "\x00\ud800", "🫠" * 3000, "'; DROP TABLE", "\u202eSTOP"]):
        body = json.dumps({"id": str(n), "from": NUMBER, "text": words}).encode()
        assert hand_over("", body=body).status_code == 204
    assert [m.words for m in Message.objects.order_by("pk").filter(words__isnull=False)].count("🫠" * 3000) == 1


def test_nothing_of_a_text_is_logged(clock: Any, texter: Client, caplog: Any) -> None:
    with caplog.at_level("DEBUG"):
        hand_over("My secret words")
    assert "secret" not in caplog.text and "5550142" not in caplog.text


# --- Mails: the way out (RFC 8058) -----------------------------------------------------------------------------------


def mailed(client: Client, template: str) -> Any:
    mail.outbox.clear()
    words = {"link": "http://testserver/p/x/", "minutes": 3, "code": "204817"}
    notices.tell_client(client, template, channels=("email",), **words)
    notices.deliver(Notice.objects.filter(template=template, channel="email").latest("created_at"))
    return mail.outbox[0]


def way_out(message: Any) -> str:
    return str(message.extra_headers["List-Unsubscribe"]).strip("<>").removeprefix("http://testserver")


@pytest.mark.parametrize("template", notices.MAY_STOP)
def test_what_may_be_unsubscribed_says_how(clock: Any, sam: Client, template: str) -> None:
    message = mailed(sam, template)
    assert message.extra_headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert way_out(message) in message.body
    assert str(sam.pk) not in way_out(message) and "sam" not in way_out(message)


@pytest.mark.parametrize("template", ["invitation", "code", "home"])
def test_what_is_asked_for_or_needed_has_no_way_out(clock: Any, sam: Client, template: str) -> None:
    assert "List-Unsubscribe" not in mailed(sam, template).extra_headers


def test_one_press_of_the_mail_program_stops_reminders_and_no_codes(clock: Any, sam: Client) -> None:
    path = way_out(mailed(sam, "reminder"))
    answer = Browser(enforce_csrf_checks=True).post(path, {"List-Unsubscribe": "One-Click"})
    sam.refresh_from_db()
    assert (answer.status_code, sam.mails_stopped_at) == (200, NOW)
    assert notices.tell_client(sam, "news", link="x") == ["sms"]
    assert notices.tell_client(sam, "code", code="1", channels=("email",)) == ["email"]
    assert not Task.objects.filter(facts__reason="call_instead").exists()


def test_looking_at_the_way_out_changes_nothing_and_its_button_goes_both_ways(clock: Any, sam: Client) -> None:
    path, browser = way_out(mailed(sam, "news")), Browser()
    assert "Stop mails from us?" in browser.get(path).content.decode()
    assert Stop.objects.count() == 0
    assert "We send you no more reminders" in browser.post(path, follow=True).content.decode()
    assert browser.post(path)["Location"] == path  # the second press
    assert Stop.objects.running().count() == 1
    assert "Stop mails from us?" in browser.post(path, {"again": "1"}, follow=True).content.decode()
    sam.refresh_from_db()
    assert sam.mails_stopped_at is None


def test_the_way_out_speaks_the_language_of_the_client(clock: Any, sam: Client) -> None:
    path = way_out(mailed(sam, "news"))
    Client.objects.filter(pk=sam.pk).update(language="es")
    assert "¿No recibir más correos nuestros?" in Browser().get(path).content.decode()


def test_a_way_out_that_was_made_up_leads_nowhere(clock: Any, sam: Client, kit: Client) -> None:
    path = way_out(mailed(sam, "news"))
    notices.tell_client(kit, "news", link="x")
    other = Notice.objects.filter(client=kit, channel="email").get()
    for wrong in (
        path[:-2] + ("0/" if path[-2] != "0" else "1/"),
        f"/m/{other.pk.hex}{path[35:]}",
        "/m/x/",
        "/m/é/",
        path[:36] + "/",
    ):
        assert [Browser().get(wrong).status_code, Browser().post(wrong).status_code] == [404, 404], wrong
    assert Stop.objects.count() == 0


def test_a_client_without_any_way_is_called(clock: Any, sam: Client) -> None:
    sam.reach = {"sms": False}
    sam.save()
    Browser().post(way_out(mailed(sam, "reminder")))
    sam.refresh_from_db()
    assert notices.tell_news(sam, NOW) == []
    assert Task.objects.filter(client=sam, facts__reason="call_instead").count() == 1


def test_an_admin_reads_whose_phone_refuses_urgent_texts(
    clock: Any, maya: User, omar: User, settings: Any, tmp_path: Any
) -> None:
    settings.DATA_DIR = tmp_path
    User.objects.filter(pk=maya.pk).update(phone="+1 202 555 0160")
    hand_over("STOP", number="+12025550160")
    assert handover.alarms() == [
        "Maya Torres: their phone answered STOP, so urgent texts do not reach them. START turns them on."
    ]
    maya.refresh_from_db()
    notices.tell_staff(maya, "urgent", urgent=True, link="x", at="10:00", next_at="", minutes=0, drill=False)
    jobs.run_due()
    assert set(Notice.objects.filter(template="urgent").values_list("channel", "state")) == {
        ("email", "sent"), ("sms", "stopped"),
    }  # fmt: skip
