"""Messages between a client and their therapist: who reads, by when, and what cannot be mixed up (L1-L4)."""

import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.db import IntegrityError, connection, transaction
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from intake import thread
from intake.models import Message, MessageDraft, Opening
from practice import actions, quiet, record
from practice.access import Permission
from practice.actions import NotNow
from practice.kap.models import Absence
from practice.models import Alert, AuditEvent, Client, Note, Notice, Task, User
from tests import factories
from tests.conftest import send
from tests.factories import NOW
from tests.homes import at_home

PAGE = "/my/messages/"
DUE = NOW.replace(hour=17)  # noon in New York
As = Callable[[User], Browser]


@pytest.fixture(autouse=True)
def _now() -> Iterator[None]:
    with time_machine.travel(NOW, tick=False):
        yield


def text(answer: Any) -> str:
    page = answer.content.decode().partition("<main")[2].partition("</main")[0]
    return " ".join(re.sub(r"<[^>]*>", " ", page).split())


def place(client: Client, name: str = "client_messages") -> str:
    return reverse(name, args=[client.pk])


def open_items(client: Client) -> list[tuple[str, Any, Any]]:
    return list(client.tasks.filter(done_at=None).values_list("kind", "due_at", "owner__name"))


def away(user: User, days: int = 5) -> None:
    Absence.objects.create(user=user, first_on=NOW.date(), last_on=NOW.date() + timedelta(days=days))


def covered(maya: User, omar: User) -> None:
    maya.backup = omar
    maya.save(update_fields=["backup"])
    away(maya)


def say(browser: Browser, words: str, pressed: str = "send", **more: Any) -> Any:
    return send(browser, PAGE, {"words": words, pressed: "1"} | more)


# --- From the client -------------------------------------------------------------------------------------------------


def test_message_becomes_an_item_due_when_the_client_was_told(sam: Client, maya: User) -> None:
    browser = at_home(sam)
    assert "Maya reads it by Thu Nov 19, 12:00 pm if you send it now." in text(browser.get(PAGE))
    answer = say(browser, "Can we move Thursday?")
    assert (answer.status_code, answer["Location"]) == (303, PAGE)
    row = Message.objects.get()
    assert (row.words, row.by, row.read_by_at, row.wants_help) == ("Can we move Thursday?", None, DUE, False)
    assert open_items(sam) == [("message", DUE, "Maya Torres")]
    said = text(browser.get(PAGE))
    assert "Sent. It is read by Thu Nov 19, 12:00 pm." in said
    assert "You, Thu Nov 19, 10:00 am Can we move Thursday? Not opened yet. It is read by Thu Nov 19, 12:00 pm." in said


def test_page_says_who_reads_and_where_to_turn_beside_the_box(sam: Client) -> None:
    """Before the box, in this order: who and when, then 988 and 911, then the practice's number."""
    said = text(at_home(sam).get(PAGE))
    heads = [
        "Maya reads it by",
        "Messages are not watched day and night, and not on weekends.",
        "We are here weekdays 8 am to 5 pm.",
        "Sol, who guides Maya, can read it too.",
        "Call 988",
        "Call 911",
        "call 555 0110",
        "Send to Maya",
    ]
    assert sorted(heads, key=said.index) == heads


def test_second_press_of_the_same_form_sends_one_message(sam: Client) -> None:
    browser = at_home(sam)
    for _ in range(2):
        answer = send(browser, PAGE, {"words": "Once", "send": "1"}, key="k" * 24)
        assert (answer.status_code in (302, 303), answer["Location"]) == (True, PAGE)
    assert [row.words for row in Message.objects.all()] == ["Once"]


def test_same_words_from_a_page_that_came_back_are_one_message(sam: Client, maya: User) -> None:
    """Back gives a page of its own, with a key of its own: what was just sent is said to be sent, once."""
    browser = at_home(sam)
    say(browser, "Can we move Thursday?")
    with time_machine.travel(NOW + thread.SAME_WITHIN - timedelta(seconds=1), tick=False):
        assert say(browser, "Can we move Thursday?")["Location"] == PAGE
        assert "Sent. It is read by Thu Nov 19, 12:00 pm." in text(browser.get(PAGE))
        assert [row.words for row in Message.objects.all()] == ["Can we move Thursday?"]
        say(browser, "Can we move Friday?")
        say(browser, "Can we move Thursday?")  # something else was said between
    assert Message.objects.count() == 3
    with time_machine.travel(NOW + 2 * thread.SAME_WITHIN, tick=False):
        say(browser, "Can we move Thursday?")
    assert Message.objects.count() == 4


def test_help_is_never_taken_for_what_was_sent_before(sam: Client) -> None:
    """Law 1: the same words with "I need help now" are a message of their own, and raise the flag."""
    browser = at_home(sam)
    say(browser, "I am not well")
    send(browser, PAGE, {"words": "I am not well", "now": "1"})
    assert sorted(Message.objects.values_list("wants_help", flat=True)) == [False, True]
    assert Alert.objects.count() == 1


def test_further_messages_keep_the_first_promise(sam: Client) -> None:
    browser = at_home(sam)
    say(browser, "One")
    with time_machine.travel(NOW + timedelta(hours=3), tick=False):  # after noon
        say(at_home(sam), "Two")
        assert open_items(sam) == [("message", DUE, "Maya Torres")]
    assert [row.read_by_at for row in Message.objects.all()] == [DUE + timedelta(days=1), DUE]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("", "Write your message first."),
        ("  \n ", "Write your message first."),
        ("x" * 10_000, "This is too long. Keep it under 4000 letters."),
        ("be\x07ll", "There is a character here that we cannot keep."),
        ("nul\x00", "There is a character here that we cannot keep."),
    ],
)
def test_words_that_cannot_be_sent_come_back_with_a_sentence(sam: Client, words: str, sentence: str) -> None:
    answer = say(at_home(sam), words)
    said = answer.content.decode()
    assert (answer.status_code, sentence in said, "<title>Error:" in said) == (400, True, True)
    assert words.strip() in said.replace("&#x27;", "'")
    assert not Message.objects.exists()


def test_markup_is_shown_as_text(sam: Client, maya: User, as_user: As) -> None:
    say(at_home(sam), "<script>alert(1)</script>")
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in as_user(maya).get(place(sam)).content.decode()


def test_too_many_in_a_day_are_kept_as_a_draft(sam: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(thread, "MOST_A_DAY", 2)
    browser = at_home(sam)
    for n in range(2):
        say(browser, f"n{n}")
    answer = say(browser, "third")
    assert (answer.status_code, "Please call us about the rest." in text(answer)) == (400, True)
    assert (Message.objects.count(), thread.draft_of(sam).words) == (2, "third")  # type: ignore[union-attr]
    assert say(browser, "now", pressed="now")["Location"] == "/my/messages/help/"  # never refused


def test_draft_is_kept_by_button_and_by_script_and_gone_when_sent(sam: Client) -> None:
    browser = at_home(sam)
    say(browser, "Half a tho", pressed="keep")
    assert "Half a tho</textarea>" in browser.get(PAGE).content.decode()
    answer = send(browser, "/my/messages/draft/", {"words": "Half a thought"})
    assert (answer.status_code, thread.draft_of(sam).words) == (204, "Half a thought")  # type: ignore[union-attr]
    assert send(browser, "/my/messages/draft/", {"words": "x" * 4001}).status_code == 400
    assert (Message.objects.count(), Task.objects.filter(kind="message").count()) == (0, 0)
    say(browser, "A thought")
    assert not MessageDraft._base_manager.exists()


def test_draft_is_out_of_reach_of_staff_and_of_every_copy(sam: Client, maya: User, as_user: As) -> None:
    say(at_home(sam), "Unsent words", pressed="keep")
    assert not MessageDraft.objects.visible_to(maya).exists()
    assert "Unsent words" not in as_user(maya).get(place(sam)).content.decode()
    tables = {kind.label for kind in record.kinds(of_client=True)}
    assert {"intake.Message", "intake.Opening", "intake.MessageDraft"} & tables == {"intake.Message", "intake.Opening"}


def test_what_is_typed_when_the_page_locks_is_offered_again(sam: Client) -> None:
    browser = at_home(sam)
    answer = send(browser, PAGE, {"words": "Half written", "locking": "1"})
    assert "Half written" in answer.content.decode()
    assert not Message.objects.exists()
    answer = send(browser, PAGE, {"words": "Half written"})  # nothing pressed: it is locked, and asks who this is
    assert (answer.status_code, "Half written" in answer.content.decode()) == (200, True)


def test_words_that_come_back_after_a_lock_are_a_draft_until_sent(sam: Client) -> None:
    browser = at_home(sam)
    assert send(browser, PAGE, {"words": "Half written"}).status_code == 303
    assert "Kept here. Nobody reads it until you send it." in text(browser.get(PAGE))
    assert not Message.objects.exists()


# --- I need help now -------------------------------------------------------------------------------------------------


def test_help_now_pages_people_and_shows_988_first(sam: Client, maya: User, on_call: User) -> None:
    browser = at_home(sam)
    assert say(browser, "I cannot do this", pressed="now")["Location"] == "/my/messages/help/"
    alert = Alert.objects.get()
    assert (alert.source, alert.severity, alert.rule_ids) == ("message", "urgent", ["help-now"])
    assert [row["answer"] for row in alert.answers] == ["I cannot do this"]
    assert set(Notice.objects.filter(template="urgent").values_list("user__name", flat=True)) == {
        "Maya Torres",
        "Omar Haddad",
    }
    said = text(browser.get("/my/messages/help/"))
    assert said.index("Call 988") < said.index("Who was told") < said.index("were told at 10:00 am.")
    assert {kind for kind, *_rest in open_items(sam)} == {"message", "safety"}


@pytest.mark.parametrize("words", ["", "x" * 9000, "be\x07ll"])
def test_help_now_waits_for_no_correction(sam: Client, words: str) -> None:
    browser = at_home(sam)
    assert say(browser, words, pressed="now")["Location"] == "/my/messages/help/"
    assert Alert.objects.count() == 1
    kept = Message.objects.get().words + (getattr(thread.draft_of(sam), "words", ""))
    assert kept == words.replace("\x07", "")


def test_help_now_reaches_people_when_nobody_reads_messages(sam: Client, on_call: User) -> None:
    Client.objects.filter(pk=sam.pk).update(therapist=None)
    browser = at_home(sam)
    answer = say(browser, "Nobody there", pressed="send")
    assert (answer.status_code, "Please call us." in text(answer)) == (400, True)
    say(browser, "Nobody there", pressed="now")
    assert list(Notice.objects.filter(template="urgent").values_list("user__name", flat=True).distinct()) == [
        "Omar Haddad"
    ]


def test_help_page_without_a_flag_goes_back_to_the_messages(sam: Client) -> None:
    assert at_home(sam).get("/my/messages/help/")["Location"] == PAGE


def test_flag_of_a_message_says_its_words_and_why(sam: Client, maya: User, as_user: As) -> None:
    say(at_home(sam), "I cannot do this", pressed="now")
    alert = Alert.objects.get()
    said = text(as_user(maya).get(reverse("alert", args=[sam.pk, alert.pk])))
    assert "Message, sent with “I need help now” I cannot do this" in said
    assert "The client sent a message with the button “I need help now”." in said
    assert "Was shown 988 and the support page" in said
    assert "Asked for help now in a message." in text(as_user(maya).get("/caseload/"))


# --- To the client ---------------------------------------------------------------------------------------------------


def test_answer_finishes_the_item_and_tells_the_client_without_words(sam: Client, maya: User, as_user: As) -> None:
    browser, desk = at_home(sam), as_user(maya)
    say(browser, "Can we move Thursday?")
    desk.get(place(sam))
    answer = send(desk, place(sam), {"words": "Yes, Friday at nine.", "sure": "on"})
    assert answer.status_code == 302
    assert open_items(sam) == []
    told = Notice.objects.filter(template="message")
    assert sorted(told.values_list("channel", flat=True)) == ["email", "sms"]
    assert {key for notice in told for key in notice.words} == {"link"}
    home = text(browser.get("/my/home/"))
    assert "One thing for you A message for you Maya wrote to you on Thu Nov 19, 10:00 am. Read it" in home
    said = text(browser.get(PAGE))
    assert "Maya Torres, Thu Nov 19, 10:00 am Yes, Friday at nine." in said
    assert "Maya opened it on Thu Nov 19, 10:00 am." in said
    assert "Opened by Sam, Thu Nov 19, 10:00 am." in text(desk.get(place(sam)))
    assert "A message for you" not in text(browser.get("/my/home/"))


def test_outgoing_message_needs_its_recipient_confirmed(sam: Client, maya: User, as_user: As) -> None:
    """L4: the page says who reads it, asks for the name, and shares no form with the notes."""
    desk = as_user(maya)
    said = text(desk.get(place(sam)))
    assert "Write to Sam Whitehorse Sam reads this." in said
    assert "This goes to Sam Whitehorse. Sam reads it." in said
    answer = send(desk, place(sam), {"words": "Meant for a colleague"})
    assert (answer.status_code, "Tick that this goes to Sam Whitehorse." in text(answer)) == (400, True)
    assert "Meant for a colleague" in answer.content.decode()
    assert not Message.objects.exists()


def test_note_sent_to_the_message_page_is_no_message_and_the_other_way_round(
    sam: Client, maya: User, as_user: As
) -> None:
    """L4: what one page takes, the other refuses, or keeps as what it is."""
    desk = as_user(maya)
    notes = reverse("notes", args=[sam.pk])
    assert "For colleagues: Sam gets no message." in text(desk.get(notes))
    assert send(desk, notes, {"words": "Internal", "sure": "on"}).status_code == 302
    assert (Note.objects.count(), Message.objects.count(), Notice.objects.filter(template="message").count()) == (
        1,
        0,
        0,
    )
    assert "Internal" not in text(at_home(sam).get(PAGE))


def test_one_notice_until_the_client_has_read(sam: Client, maya: User) -> None:
    for n in range(3):
        assert thread.answer(by=maya, client=sam, words=f"n{n}", at=NOW) == ["email", "sms"]
    assert Notice.objects.filter(template="message").count() == 2  # one by mail, one by text
    thread.opened(by=sam, client=sam, rows=thread.thread_of(sam), at=NOW)
    thread.answer(by=maya, client=sam, words="again", at=NOW)
    assert Notice.objects.filter(template="message").count() == 4


def test_message_to_somebody_without_a_safe_way_says_so(sam: Client, maya: User, as_user: As) -> None:
    sam.reach = {"email": False, "sms": False}
    sam.save()
    desk = as_user(maya)
    assert "No safe way to tell them is known" in text(desk.get(place(sam)))
    send(desk, place(sam), {"words": "Hello", "sure": "on"})
    assert (Message.objects.count(), Notice.objects.filter(template="message").count()) == (1, 0)


def test_item_stays_when_something_new_came_while_the_answer_was_written(sam: Client, maya: User, as_user: As) -> None:
    browser, desk = at_home(sam), as_user(maya)
    say(browser, "One")
    desk.get(place(sam))
    say(browser, "Two")
    send(desk, place(sam), {"words": "To one", "sure": "on"})
    assert open_items(sam) == [("message", DUE, "Maya Torres")]
    send(desk, place(sam, "client_messages_done"))
    assert open_items(sam) == [("message", DUE, "Maya Torres")]
    desk.get(place(sam))
    send(desk, place(sam, "client_messages_done"))
    assert open_items(sam) == []
    assert AuditEvent.objects.filter(action="message.put_away").count() == 1


@pytest.mark.parametrize("status", Client.ENDED)
def test_thread_of_somebody_who_left_is_closed_with_words(sam: Client, maya: User, as_user: As, status: str) -> None:
    say(at_home(sam), "Before")
    desk = as_user(maya)
    desk.get(place(sam))
    thread.put_away(by=maya, client=sam, at=NOW)
    actions.discharge(by=maya, client=sam, status=status, words="It ended.", at=NOW)
    said = text(desk.get(place(sam)))
    assert "Their care has ended. Nothing is sent to them any more; what was written stays in the record." in said
    assert "Before" in said
    answer = send(desk, place(sam), {"words": "Late", "sure": "on"})
    assert (answer.status_code, "Nothing is sent to them any more." in text(answer)) == (400, True)
    assert [row.words for row in Message.objects.all()] == ["Before"]


def test_nobody_is_discharged_over_an_unread_message(sam: Client, maya: User) -> None:
    say(at_home(sam), "Please read this")
    with pytest.raises(NotNow):
        actions.discharge(by=maya, client=sam, status=Client.Status.DISCHARGED, words="Ended.", at=NOW)


# --- While the therapist is away -------------------------------------------------------------------------------------


def test_who_covers_reads_and_answers_and_sees_nothing_of_the_chart(
    sam: Client, maya: User, omar: User, as_user: As
) -> None:
    """L2, L3: what the client is told is who can open it, from that moment until the therapist is back."""
    covered(maya, omar)
    browser, desk = at_home(sam), as_user(omar)
    said = text(browser.get(PAGE))
    assert "Maya is away until Nov 24, 2026." in said
    assert "Omar reads it for Maya and answers, by Thu Nov 19, 12:00 pm if you send it now." in said
    say(browser, "Is anybody there?")
    assert list(Notice.objects.filter(template="message_waits").values_list("user__name", flat=True)) == ["Omar Haddad"]
    assert "Sam Whitehorse" in text(desk.get("/messages/"))
    page = desk.get(place(sam))
    assert "You cover for Maya Torres, who is away until Nov 24, 2026." in text(page)
    assert "Is anybody there?" in text(page)
    assert "Allergies" not in page.content.decode()
    assert desk.get(reverse("chart", args=[sam.pk])).status_code == 404
    send(desk, place(sam), {"words": "I am here.", "sure": "on"})
    assert "Omar Haddad, Thu Nov 19, 10:00 am I am here." in text(browser.get(PAGE))
    with time_machine.travel(NOW + timedelta(days=6), tick=False):
        assert as_user(omar).get(place(sam)).status_code == 404


def test_nobody_there_promises_the_day_of_return(sam: Client, maya: User, omar: User, as_user: As) -> None:
    covered(maya, omar)
    away(omar)
    said = text(at_home(sam).get(PAGE))
    assert "Maya reads it by Wed Nov 25, 12:00 pm if you send it now." in said
    assert as_user(omar).get(place(sam)).status_code == 404
    say(at_home(sam), "Hello")
    assert Message.objects.get().read_by_at == DUE + timedelta(days=6)


def test_backup_without_the_right_to_messages_is_not_named(sam: Client, maya: User, fay: User) -> None:
    covered(maya, fay)
    said = text(at_home(sam).get(PAGE))
    assert "Fay" not in said and "Maya reads it by Wed Nov 25" in said


def test_backup_reads_nothing_while_the_therapist_is_there(sam: Client, maya: User, omar: User, as_user: As) -> None:
    maya.backup = omar
    maya.save(update_fields=["backup"])
    assert as_user(omar).get(place(sam)).status_code == 404
    assert not Client.objects.visible_to(omar, Permission.WRITE_MESSAGE).filter(pk=sam.pk).exists()


# --- Whose thread ----------------------------------------------------------------------------------------------------


def test_each_client_sees_their_own_thread_alone(sam: Client, kit: Client, maya: User, omar: User, as_user: As) -> None:
    thread.answer(by=maya, client=sam, words="For Sam", at=NOW)
    say(at_home(kit), "From Kit")
    said = text(at_home(kit).get(PAGE))
    assert ("From Kit" in said, "For Sam" in said) == (True, False)
    assert as_user(maya).get(place(kit)).status_code == 404
    assert send(as_user(maya), place(kit), {"words": "Hi", "sure": "on"}).status_code == 404
    assert "Kit" not in text(as_user(maya).get("/messages/"))
    assert Message.objects.filter(client=kit).count() == 1


def test_supervisor_reads_the_thread_and_prescriber_does_not(sam: Client, sol: User, pax: User, as_user: As) -> None:
    say(at_home(sam), "Between us")
    assert "Between us" in text(as_user(sol).get(place(sam)))
    assert as_user(pax).get(place(sam)).status_code == 403
    assert "Messages with the client" not in text(as_user(pax).get(sam.get_absolute_url()))


def test_chart_says_when_and_not_what(sam: Client, maya: User, as_user: As) -> None:
    desk = as_user(maya)
    assert "Nobody has written yet." in text(desk.get(sam.get_absolute_url()))
    say(at_home(sam), "Private thought")
    said = text(desk.get(sam.get_absolute_url()))
    assert "Sam wrote Thu Nov 19, 10:00 am. Nobody has opened it." in said
    assert "Private thought" not in said
    assert not Opening.objects.exists()


def test_late_message_says_so_to_both(sam: Client, maya: User, as_user: As) -> None:
    say(at_home(sam), "Hello")
    with time_machine.travel(DUE + timedelta(hours=2), tick=False):
        said = text(at_home(sam).get(PAGE))
        assert "Not opened yet. That is late, and we are sorry. Please call 555 0110." in said
        assert "Message 2 h late" in text(as_user(maya).get("/messages/"))


def test_message_is_heard_of_a_quiet_client(sam: Client) -> None:
    at = NOW + timedelta(days=30)
    assert quiet.watch(at=at) == (1, 0)
    with time_machine.travel(at, tick=False):
        say(at_home(sam), "I am here")
    assert not Task.objects.filter(kind="quiet", done_at=None).exists()
    assert quiet.watch(at=at + timedelta(hours=1)) == (0, 0)


# --- Rows ------------------------------------------------------------------------------------------------------------


def test_message_is_never_changed(sam: Client, maya: User) -> None:
    thread.answer(by=maya, client=sam, words="Once said", at=NOW)
    row = Message.objects.get()
    row.words = "Not said"
    with pytest.raises(TypeError, match="not changed after it is sent"):
        row.save()
    assert Message.objects.get().words == "Once said"


def test_promise_belongs_to_what_the_client_wrote(sam: Client, maya: User) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        Message.objects.create(client=sam, by=maya, at=NOW, read_by_at=NOW)
    with pytest.raises(IntegrityError), transaction.atomic():
        Message.objects.create(client=sam, at=NOW)


def test_words_are_sealed_and_out_of_the_audit_trail(sam: Client, maya: User) -> None:
    say(at_home(sam), "Zyxcanary words")
    thread.answer(by=maya, client=sam, words="Zyxcanary answer", at=NOW)
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM intake_message")
        stored = " ".join(
            bytes(cell).decode("latin-1") if isinstance(cell, bytes | memoryview) else str(cell)
            for row in cursor.fetchall()
            for cell in row
        )
    facts = " ".join(str(event.facts) for event in AuditEvent.objects.all())
    assert "Zyxcanary" not in stored + facts


@pytest.mark.parametrize("name", ["client_messages", "my_messages", "inbox"])
def test_pages_ask_as_much_for_three_as_for_one(sam: Client, maya: User, as_user: As, name: str) -> None:
    browser = at_home(sam) if name == "my_messages" else as_user(maya)
    url = place(sam) if name == "client_messages" else reverse(name)

    def queries() -> int:
        browser.get(url)  # what is new is noted first
        with CaptureQueriesContext(connection) as asked:
            assert browser.get(url).status_code == 200
        return len(asked)

    thread.write(by=sam, words="a", wants_help=False, at=NOW)
    thread.answer(by=maya, client=sam, words="b", at=NOW)
    Task.open(sam, "message", at=NOW, due_at=DUE)
    one = queries()
    for n in range(2):
        other = factories.client(maya, f"Other{n} Person", email=f"o{n}@example.net", phone=f"+1 202 555 010{n}")
        thread.write(by=other, words="x", wants_help=False, at=NOW)
        thread.write(by=sam, words="c", wants_help=False, at=NOW)
        thread.answer(by=maya, client=sam, words="d", at=NOW)
    assert queries() == one
