"""What a clinic does on its page without an account (journeys.md, script 4)."""

import html
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from io import BytesIO
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import OperationalError
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone

from practice import uploads
from practice.models import Alert, Client, Notice, SafetyContact, Task, User
from practice.templatetags.ui import moment
from referrals.actions import desk as actions
from referrals.actions import events, letters, talking
from referrals.models import Course, CourseSession, Destination, Referral, StatusChange
from referrals.states import Actor, Event, State
from tests import factories
from tests.referrals import cases
from tests.referrals.desks import Coordinator, went_out, words

PDF = b"%PDF-1.4\n1 0 obj<</Type/Catalog/OpenAction<</S/JavaScript/JS(app.alert(1))>>>>endobj\n%%EOF"


@pytest.fixture
def northlake(house: Any) -> Destination:
    return cases.clinic()


@pytest.fixture
def sent(sam: Client, maya: User, northlake: Destination) -> Referral:
    cases.released(sam, northlake)
    return went_out(sam, maya, northlake)


@pytest.fixture
def cleo(sent: Referral) -> Coordinator:
    return Coordinator(sent).come_in()


def today(days: int = 0) -> str:
    return (factories.today() + timedelta(days=days)).isoformat()


def stands(cleo: Coordinator) -> str:
    cleo.referral.refresh_from_db()
    return str(cleo.referral.state)


def accepted(cleo: Coordinator, **said: str) -> Coordinator:
    cleo.say("answer/", answer="accept", **said)
    cleo.referral.refresh_from_db()
    return cleo


def session(cleo: Coordinator, do: str, **said: Any) -> str:
    return cleo.say("session/", do=do, **said)


# --- The first look --------------------------------------------------------------------------------------------------


def test_first_look_shows_the_question_and_tells_the_therapist_once(cleo: Coordinator, maya: User) -> None:
    page = cleo.get()
    text = words(page)
    assert ("Can you take this client?" in text, "Sam Whitehorse" in text) == (True, True)
    assert (stands(cleo), cleo.referral.opened_at is None, cleo.referral.received_at) == (State.SENT, False, None)
    opened = cleo.referral.opened_at
    cleo.get()
    cleo.referral.refresh_from_db()
    assert cleo.referral.opened_at == opened
    assert list(Notice.objects.filter(template="update").values_list("user", flat=True)) == [maya.pk]


def test_title_and_addresses_name_no_client(cleo: Coordinator) -> None:
    pages = [cleo.get(), cleo.get("packet/"), cleo.browser.get("/desk/")]
    titles = [page.content.decode().partition("<title>")[2].partition("</title>")[0] for page in pages]
    assert titles == [
        f"Referral {cleo.referral.reference} - Cedar House",
        f"Packet {cleo.referral.reference} - Cedar House",
        "Open referrals - Cedar House",
    ]


def test_received_alone_stops_the_first_clock(cleo: Coordinator) -> None:
    cleo.referral.refresh_from_db()
    before = cleo.referral.clock
    assert "Marked as received." in cleo.say("answer/", received="1")
    assert (stands(cleo), cleo.referral.received_at is None) == (State.SENT, False)
    assert before != cleo.referral.clock
    cleo.say("answer/", received="1")
    assert Notice.objects.filter(template="update").count() == 1  # one that waits says all there is to say


def test_pdf_is_downloaded_once_it_is_made(cleo: Coordinator) -> None:
    soon = cleo.get("packet.pdf")
    assert (soon["Content-Type"], soon["Refresh"]) == ("text/html; charset=utf-8", "4")
    from practice import jobs

    jobs.run_due()
    made = cleo.get("packet.pdf")
    assert (made["Content-Type"], made.content[:5]) == ("application/pdf", b"%PDF-")
    assert made["Content-Disposition"] == f'attachment; filename="{cleo.referral.reference}.pdf"'


# --- The answer ------------------------------------------------------------------------------------------------------


def test_accepting_with_a_date_books_the_first_infusion(cleo: Coordinator, maya: User) -> None:
    text = cleo.say("answer/", answer="accept", first=f"{today(3)}T09:30", who="Maria Lopez", words="See you soon.")
    assert "Sam Whitehorse (he/him): 0 of 6 infusions done" in text
    assert (stands(cleo), CourseSession.objects.get().number) == (State.SCHEDULED, 1)
    assert [change.by_name for change in cleo.referral.changes.exclude(event="send")] == ["Maria Lopez", "Maria Lopez"]
    assert [m.words for m in cleo.referral.messages.all()] == ["See you soon."]


def test_first_talk_is_no_infusion(cleo: Coordinator) -> None:
    accepted(cleo, first=f"{today()}T00:30", talk="1")
    assert (stands(cleo), CourseSession.objects.count()) == (State.SCHEDULED, 0)
    assert "Client missed the visit" in words(cleo.get())
    session(cleo, "visit-visit")
    assert stands(cleo) == State.VISITED


def test_asking_keeps_the_question_and_answers_nothing(cleo: Coordinator, sam: Client, maya: User) -> None:
    text = cleo.say("answer/", answer="ask", words="When was the last ECG?")
    assert ("Maya has your question." in text, stands(cleo)) == (True, State.SENT)
    assert cleo.referral.received_at is not None
    message = cleo.referral.messages.get()
    assert (message.words, message.is_question, message.from_clinic) == ("When was the last ECG?", True, True)
    assert Task.objects.get(client=sam, kind="clinic_asks").owner == maya
    talking.write_message(by=maya, referral=cleo.referral, words="In May, normal.", at=timezone.now())
    assert "In May, normal." in words(cleo.get())
    assert cleo.referral.messages.filter(read_at=None).count() == 0


def test_declining_says_why_and_hides_the_client(cleo: Coordinator, sam: Client) -> None:
    text = cleo.say("answer/", answer="decline", reason="suicidal", words="Try Southlake.")
    change = cleo.referral.changes.last()
    assert change is not None
    assert (stands(cleo), change.reason, change.words) == (State.DECLINED, "suicidal", "Try Southlake.")
    assert ("You declined the referral." in text, "Sam" in text) == (True, False)
    assert Task.objects.get(client=sam, kind="declined").facts["reason"] == "suicidal"
    assert {cleo.get(name)["Location"] for name in ("packet/", "packet.pdf")} == {cleo.path()}
    assert "Can you take this client?" in cleo.say("undo/", change=str(change.number))
    assert stands(cleo) == State.SENT


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ({}, "Choose your answer."),
        ({"answer": "maybe"}, "Choose your answer."),
        ({"answer": "ask"}, "Write what you need to know."),
        ({"answer": "decline"}, "Choose a reason for declining."),
        ({"answer": "accept", "first": "yesterday-ish"}, "Give a day and a time"),
    ],
)
def test_half_an_answer_keeps_what_was_typed(cleo: Coordinator, said: dict[str, str], sentence: str) -> None:
    page = cleo.post("answer/", said | {"who": "Cleo Marsh"})
    assert (page.status_code, sentence in words(page)) == (400, True)
    assert ('value="Cleo Marsh"' in page.content.decode(), stands(cleo)) == (True, State.SENT)


def test_answer_pressed_twice_is_taken_once(cleo: Coordinator) -> None:
    key = "k" * 32
    answers = [cleo.post("answer/", {"answer": "accept"}, key) for _ in range(2)]
    assert [a.status_code for a in answers] == [303, 302]
    assert cleo.referral.changes.filter(event=Event.ACCEPT).count() == 1


def test_two_coordinators_at_once_one_wins_and_the_other_reads_who(sent: Referral) -> None:
    first, second = Coordinator(sent).come_in(), Coordinator(sent, way="phone")
    from referrals.models import DeskKey

    DeskKey.objects.update(code_expires_at=None)
    second.come_in()
    seen = str(sent.version)
    first.say("answer/", answer="accept", who="Maria Lopez", seen=seen)
    text = second.say("answer/", answer="decline", reason="full", who="Jo Doe", seen=seen)
    assert "Maria Lopez was first: Accept" in text
    assert stands(first) == State.ACCEPTED
    assert [c.event for c in sent.changes.all()] == ["send", "accept"]


def box(page: Any, name: str = "m-words") -> str:
    """What stands in a box of this page."""
    found = re.search(rf'<textarea[^>]*id="{name}"[^>]*>(.*?)</textarea>', page.content.decode(), re.DOTALL)
    return html.unescape(found[1]) if found else ""


def test_answer_with_a_day_that_cannot_be_keeps_its_words(cleo: Coordinator) -> None:
    said = {"answer": "accept", "first": "2019-01-01T10:00", "who": "Cleo", "words": "He is <late> & we are glad."}
    page = cleo.post("answer/", said)
    assert (page.status_code, "it is before the referral" in words(page)) == (400, True)
    assert (box(page, "words"), box(page)) == ("He is <late> & we are glad.", "")
    assert ('value="2019-01-01T10:00"' in page.content.decode(), stands(cleo)) == (True, State.SENT)
    assert cleo.referral.messages.count() == 0


def test_words_of_who_came_second_stand_in_the_box_for_a_message(cleo: Coordinator) -> None:
    seen = str(cleo.referral.version)
    accepted(cleo)
    page = cleo.post("answer/", {"answer": "decline", "reason": "full", "words": "Ask Harbor.", "seen": seen})
    assert (page.status_code, box(page), stands(cleo)) == (400, "Ask Harbor.", State.ACCEPTED)
    assert "What you wrote was not sent. It stands under Messages." in words(page)
    assert box(cleo.get()) == ""


@pytest.mark.parametrize(
    "said",
    [
        {"do": "missed", "number": "1", "on": "2026-02-31", "words": "Her bus."},
        {"do": "done", "number": "1", "on": "2019-01-01", "words": "Her bus."},
    ],
)
def test_words_of_a_session_that_was_not_taken_are_not_lost(cleo: Coordinator, said: dict[str, str]) -> None:
    accepted(cleo)
    page = cleo.post("session/", said)
    assert (page.status_code, box(page), CourseSession.objects.count()) == (400, "Her bus.", 0)


def test_words_sent_from_a_page_that_was_taken_back_may_be_copied(cleo: Coordinator, sam: Client) -> None:
    sam.releases.update(revoked_at=timezone.now())
    page = cleo.post("letter/", {"words": "Six infusions, well borne.", "last": "yes"})
    assert page.status_code == 410
    assert "What you wrote was not sent. Copy it if you need it: Six infusions, well borne." in words(page)
    assert "was not sent" not in words(cleo.get())


def test_taking_back_is_confirmed_by_the_clinic(cleo: Coordinator, maya: User) -> None:
    accepted(cleo)
    events.record(
        cleo.referral, Event.ASK_CANCEL, Actor.INITIATOR, by=maya, channel="here", at=timezone.now(), words="Moved"
    )
    text = words(cleo.get())
    assert ("Cedar House takes this back" in text, "Confirm: we stop here" in text) == (True, True)
    assert stands(cleo) == State.CANCEL_ASKED
    assert "Cedar House has taken this back" in cleo.say("answer/", confirm="1", seen=str(cleo.referral.version))
    assert stands(cleo) == State.CANCELLED


def test_outcome_may_still_come_while_it_is_taken_back(cleo: Coordinator, maya: User) -> None:
    events.record(
        cleo.referral, Event.ASK_CANCEL, Actor.INITIATOR, by=maya, channel="here", at=timezone.now(), words="Moved"
    )
    assert "the referral is complete" in cleo.say("letter/", words="Seen on Monday.", last="yes")
    assert stands(cleo) == State.COMPLETED


# --- Sessions --------------------------------------------------------------------------------------------------------


def test_marking_done_is_one_press_and_undone_by_one(cleo: Coordinator) -> None:
    """Ux check 38."""
    accepted(cleo, first=f"{today()}T00:30")
    text = session(cleo, "done", number="1", route="iv", on=today(), words="PHQ-9 12, 130/80")
    assert ("1 of 6 infusions done" in text, "Infusion 1 is marked done for" in text) == (True, True)
    one = CourseSession.objects.get(number=1)
    assert (one.state, one.route, one.note) == ("done", "iv", "PHQ-9 12, 130/80")
    change = cleo.referral.changes.filter(event=Event.VISIT).get()
    text = cleo.say("undo/", change=str(change.number))
    assert ("0 of 6 infusions done" in text, "Undone. Maya has been told." in text) == (True, True)
    assert CourseSession.objects.get(number=1).state == "planned"


def test_undo_ends_after_a_day(cleo: Coordinator) -> None:
    accepted(cleo, first=f"{today()}T00:30")
    session(cleo, "done", number="1", on=today())
    page = cleo.get()
    assert page.context["undo"]["change"].event == Event.VISIT
    late = timezone.now() + timedelta(hours=25)
    from referrals.views import desk_referral

    history = list(cleo.referral.changes.select_related("session"))
    assert desk_referral.undoable(history, late) == []


def test_a_session_of_tomorrow_cannot_be_done(cleo: Coordinator) -> None:
    accepted(cleo, first=f"{today(1)}T09:30")
    assert "This day lies in the future." in session(cleo, "done", number="1", on=today(1))
    assert CourseSession.objects.get().state == "planned"


def test_six_dates_are_filled_moved_missed_and_cancelled(cleo: Coordinator, sam: Client) -> None:
    accepted(cleo)
    assert "6 dates are filled" in session(cleo, "fill", on=today(1))
    days = [each.on for each in CourseSession.objects.order_by("number")]
    assert (len(days), {on.weekday() for on in days}) == (6, {1, 3, 5})
    assert "Infusion 2 is booked for" in session(cleo, "save", number="2", on=today(20), clock="10:15", route="im")
    two = CourseSession.objects.get(number=2)
    assert (two.route, two.at is None) == ("im", False)
    assert "The date of infusion 6 is cancelled." in session(cleo, "cancel", number="6")
    session(cleo, "save", number="1", on=today())
    text = session(cleo, "missed", number="1", on=today())
    assert "Infusion 1 is marked missed for" in text
    assert Task.objects.filter(client=sam, kind="no_show", done_at=None).count() == 1


def test_what_was_saved_before_is_not_said_to_be_saved_now(cleo: Coordinator) -> None:
    """Filling the dates writes no entry of its own where a visit stands: what can be undone is the booking before."""
    accepted(cleo, first=f"{today(1)}T09:30")
    booked = cleo.referral.changes.get(event=Event.SCHEDULE)
    with timezone.override("America/New_York"):
        saved = f"Saved {moment(booked.at)}. Infusion 1 is booked for"
    assert saved in words(cleo.get())
    text = session(cleo, "fill", on=today(3))
    assert "5 dates are filled" in text
    assert ("What you can undo: Infusion 1 is booked for" in text, "Saved" in text) == (True, False)
    assert saved in words(cleo.get())  # later: with the time at which it was


def test_series_stopped_early_needs_words_and_may_go_on(cleo: Coordinator) -> None:
    accepted(cleo, first=f"{today()}T00:30")
    session(cleo, "done", number="1", on=today())
    assert "Write why the course ends early." in session(cleo, "stop", words="")
    assert "marked as stopped early" in session(cleo, "stop", words="Blood pressure.")
    assert Course.objects.get().state == "stopped"
    assert "The series goes on." in session(cleo, "go_on")


def test_maintenance_is_added_after_the_sixth(cleo: Coordinator) -> None:
    accepted(cleo)
    for number in range(1, 7):
        session(cleo, "save", number=str(number), on=today())
        session(cleo, "done", number=str(number), on=today())
    assert "6 of 6 infusions done" in words(cleo.get())
    assert "A maintenance session is booked for" in session(cleo, "add", on=today(30), clock="09:00")
    assert CourseSession.objects.get(number=7).is_maintenance is True


@pytest.mark.parametrize(
    "said",
    [
        {"do": "save", "number": "1"},
        {"do": "save", "number": "1", "on": "2026-02-31"},
        {"do": "save", "number": "99", "on": "2026-12-01"},
        {"do": "save", "number": "1", "on": "9999-12-31"},
        {"do": "save", "number": "1", "on": "0001-01-01"},
        {"do": "done", "number": "1", "on": "2019-01-01"},
        {"do": "done", "number": "1", "route": "nasal"},
        {"do": "fill"},
        {"do": "add", "on": ""},
        {"do": "visit-schedule", "on": "2026-12-01"},
    ],
)
def test_a_date_that_cannot_be_is_a_sentence(cleo: Coordinator, said: dict[str, str]) -> None:
    accepted(cleo)
    page = cleo.post("session/", said)
    assert page.status_code in (303, 400)
    assert CourseSession.objects.count() == 0


@pytest.mark.parametrize("said", [{}, {"do": "explode"}, {"do": "done", "number": "-1"}, {"do": "done", "number": "٣"}])
def test_a_form_that_is_not_ours_is_refused(cleo: Coordinator, said: dict[str, str]) -> None:
    accepted(cleo)
    assert cleo.post("session/", said).status_code == 400


def test_at_home_programme_has_visits_and_no_infusions(cleo: Coordinator) -> None:
    Referral.objects.update(path="at_home_supervised")
    text = cleo.say("answer/", answer="accept")
    assert ("Infusions" in text, "Book the visit" in text) == (False, True)
    session(cleo, "visit-schedule", on=today(2), clock="11:00")
    assert stands(cleo) == State.SCHEDULED
    session(cleo, "visit-no_show")
    assert stands(cleo) == State.NO_SHOW


# --- Safety ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("safe", "severity"), [("yes", "priority"), ("no", "urgent"), ("unknown", "urgent")])
def test_a_worry_about_safety_is_a_flag_at_once(
    cleo: Coordinator, sam: Client, maya: User, safe: str, severity: str
) -> None:
    text = cleo.say("safety/", words="Vomited twice, very low mood.", safe=safe, who="Maria", phone="555 0160")
    alert = Alert.objects.get(client=sam)
    assert (alert.source, alert.severity, alert.rule_ids) == ("clinic", severity, ["clinic"])
    assert ("Vomited twice" in alert.reason, "Maria" in alert.reason) == (True, True)
    assert "have been told now" in text
    assert Notice.objects.filter(template="urgent", user=maya).exists()
    assert Task.objects.filter(client=sam, kind="safety", done_at=None).exists()


def test_flag_of_a_clinic_reads_well_on_the_chart(
    cleo: Coordinator, sam: Client, maya: User, as_user: Callable[[User], Any]
) -> None:
    cleo.say("safety/", words="Vomited twice.", safe="no")
    alert = Alert.objects.get(client=sam)
    page = as_user(maya).get(reverse("alert", args=[sam.pk, alert.pk]))
    text = words(page)
    assert ("Told by a clinic" in text, "Vomited twice." in text) == (True, True)
    assert "a clinic reports a side effect or a safety worry" in words(as_user(maya).get("/caseload/")).lower()
    assert SafetyContact.objects.count() == 0


def test_safety_page_has_the_phone_first_and_needs_words(cleo: Coordinator) -> None:
    page = cleo.get("safety/")
    html = page.content.decode()
    assert html.index("tel:5550110") < html.index("<textarea")
    refused = cleo.post("safety/", {})
    assert (refused.status_code, "Write what happened." in words(refused)) == (400, True)
    assert Alert.objects.count() == 0


def test_a_worry_is_taken_after_the_release_was_revoked(cleo: Coordinator, sam: Client) -> None:
    from referrals.actions import releases

    releases.revoke(by=sam, release=cleo.referral.release, at=timezone.now())
    page = cleo.get("safety/")
    assert (page.status_code, "Sam" in page.content.decode()) == (200, False)
    cleo.say("safety/", words="He collapsed yesterday.", safe="unknown")
    assert Alert.objects.get(client=sam).severity == "urgent"


def test_when_nothing_can_be_saved_the_number_stands_big(
    cleo: Coordinator, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    from practice.views import settings as practice_settings

    def away(**said: Any) -> None:
        raise OperationalError("database is locked")

    monkeypatch.setattr(practice_settings, "__name__", practice_settings.__name__)
    settings.DATA_DIR.mkdir(parents=True, exist_ok=True)
    (settings.DATA_DIR / "practice-card.json").write_text('{"name": "Cedar House", "phone": "555 0110", "hours": ""}')
    monkeypatch.setattr(actions, "raise_alert", away)
    page = cleo.post("safety/", {"words": "She fainted.", "safe": "no"})
    text = words(page)
    assert (page.status_code, "Your report is not saved. Please call." in text) == (503, True)
    assert ("555 0110" in text, "She fainted." in text) == (True, True)


# --- Letters ---------------------------------------------------------------------------------------------------------


def upload(body: bytes, name: str = "outcome.pdf") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, body, "application/octet-stream")


def test_letter_as_a_file_completes_and_is_stored_as_it_came(cleo: Coordinator, sam: Client, maya: User) -> None:
    accepted(cleo)
    assert "the referral is complete" in cleo.say("letter/", last="yes", file=upload(PDF))
    letter = cleo.referral.letters.get()
    assert (bytes(letter.body), letter.kind, letter.name) == (PDF, "application/pdf", "outcome.pdf")
    assert (stands(cleo), Task.objects.get(client=sam, kind="letter").done_at) == (State.COMPLETED, None)
    assert "Arrived, not read yet." in words(cleo.get())
    letters.mark_read(by=maya, letter=letter, at=timezone.now())
    assert "Maya has read your letter." in words(cleo.get())


def test_typed_letter_on_the_way_leaves_it_open(cleo: Coordinator) -> None:
    accepted(cleo)
    assert "Maya has your letter." in cleo.say("letter/", words="Half way, better.", last="no")
    assert (stands(cleo), cleo.referral.letters.get().is_outcome) == (State.ACCEPTED, False)


def test_letter_is_kept_when_the_referral_cannot_be_completed_yet(cleo: Coordinator) -> None:
    text = cleo.say("letter/", words="We saw him already.", last="yes")
    assert "Maya has your letter. The referral stays open:" in text
    assert (stands(cleo), cleo.referral.letters.count()) == (State.SENT, 1)


@pytest.mark.parametrize(
    ("body", "name"),
    [
        (b"<html><script>alert(1)</script></html>", "letter.html"),
        (b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>', "letter.svg"),
        (b"MZ\x90\x00" + b"\0" * 100, "letter.pdf"),
        (b"", "letter.pdf"),
    ],
)
def test_a_file_that_is_no_letter_is_refused_with_a_sentence(cleo: Coordinator, body: bytes, name: str) -> None:
    accepted(cleo)
    page = cleo.post("letter/", {"last": "yes", "words": "", "file": upload(body, name)})
    assert (page.status_code, page.context["form"].errors != {}) == (400, True)
    assert (stands(cleo), cleo.referral.letters.count()) == (State.ACCEPTED, 0)


class Endless(BytesIO):
    """A body that says it is a gigabyte, and counts how much of it is read."""

    taken = 0

    def __init__(self, head: bytes) -> None:
        super().__init__(head)
        self.head = len(head)

    def read(self, size: int | None = -1) -> bytes:
        found = super().read(size)
        if not found:
            found = b"\0" * (size if size and size > 0 else 65536)
        self.taken += len(found)
        if self.taken > 64 * 1024 * 1024:
            raise AssertionError("the whole gigabyte is read")
        return found


def test_a_letter_of_a_gigabyte_is_refused_and_not_read(cleo: Coordinator) -> None:
    accepted(cleo)
    edge = "edge"
    head = "".join(
        f'--{edge}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in {"form_key": "k" * 32, "last": "yes", "words": "Kept words", "who": "Cleo"}.items()
    )
    head += f'--{edge}\r\nContent-Disposition: form-data; name="file"; filename="bomb.pdf"\r\n\r\n%PDF-1.4\n'
    body = Endless(head.encode())
    page = cleo.browser.generic(
        "POST",
        cleo.path("letter/"),
        b"",
        **{
            "wsgi.input": body,
            "CONTENT_LENGTH": str(1024**3),
            "CONTENT_TYPE": f"multipart/form-data; boundary={edge}",
        },
    )
    text = words(page)
    assert (page.status_code, "larger than 20 MB" in text, "Kept words" in text) == (400, True, True)
    assert (cleo.referral.letters.count(), uploads.LARGEST) == (0, 20 * 1024 * 1024)


# --- The list --------------------------------------------------------------------------------------------------------


def test_list_shows_what_is_open_without_names(cleo: Coordinator, sam: Client, maya: User) -> None:
    text = words(cleo.browser.get("/desk/"))
    assert (cleo.referral.reference in text, "1 referral" in text, "Sam" in text) == (True, True, False)
    accepted(cleo)
    cleo.say("letter/", words="Done.", last="yes")
    assert "Nothing open." in words(cleo.browser.get("/desk/"))


def test_list_takes_as_many_queries_for_three_as_for_one(
    cleo: Coordinator, sam: Client, maya: User, northlake: Destination, django_assert_max_num_queries: Any
) -> None:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    def count() -> int:
        with CaptureQueriesContext(connection) as asked:
            cleo.browser.get("/desk/")
        return len(asked)

    count()
    one = count()
    for number in (3, 4):
        went_out(sam, maya, northlake, number=number)
    assert count() == one


def test_at_works_in_the_practices_zone(cleo: Coordinator) -> None:
    accepted(cleo, first="2026-12-01T09:30")
    booked = CourseSession.objects.get().at
    assert booked == datetime(2026, 12, 1, 9, 30, tzinfo=ZoneInfo("America/New_York"))


def test_change_words_name_every_event_of_the_clinic(cleo: Coordinator) -> None:
    from referrals.views import desk_referral

    row = StatusChange(referral=cleo.referral, happened_at=timezone.now())
    for event in Event:
        row.event = event
        assert desk_referral.change_words(row).strip()


HOSTILE = (
    "<script>alert(1)</script>", "{{7|add:7}}", "%(x)s", "a\0b", "\u202egnp.exe", "x" * 5000, "=cmd|' /C calc'!A0",
)  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_words_of_a_clinic_are_shown_literally_or_refused(
    cleo: Coordinator, maya: User, text: str, as_user: Callable[[User], Any]
) -> None:
    """Security check 37 and hostile input: no 500, nothing run."""
    said = [
        cleo.post("answer/", {"received": "1", "who": text}),
        cleo.post("message/", {"words": text, "who": text}),
        cleo.post("answer/", {"answer": "ask", "words": text, "who": text}),
        cleo.post("safety/", {"words": text, "safe": "yes", "who": text, "phone": text}),
        cleo.post("pass/", {"email": text, "name": text}),
        cleo.post("answer/", {"answer": "decline", "reason": "other", "words": text, "who": text}),
        cleo.post("undo/", {"change": text}),
        cleo.post("session/", {"do": text, "number": text, "on": text, "clock": text, "words": text}),
        cleo.post("letter/", {"words": text, "who": text, "last": text}),
        cleo.post("answer/", {"confirm": "1", "who": text, "seen": text}),
    ]
    assert [a.status_code for a in said if a.status_code not in (302, 303, 400)] == []
    pages = [cleo.get(), as_user(maya).get(cleo.referral.get_absolute_url())]
    assert [page.status_code for page in pages] == [200, 200]
    assert [page for page in pages if "<script>alert" in page.content.decode()] == []


def test_late_no_without_a_reason_is_a_sentence(cleo: Coordinator) -> None:
    accepted(cleo)
    page = cleo.post("answer/", {"answer": "decline"})
    assert (page.status_code, "Choose a reason for declining." in words(page)) == (400, True)
    assert stands(cleo) == State.ACCEPTED


def test_clinic_mail_is_stopped_for_whoever_left(sent: Referral, sam: Client, maya: User) -> None:
    """A referral for a client who died: no message goes out any more."""
    from practice import jobs

    Client.objects.filter(pk=sam.pk).update(status=Client.Status.DIED)
    jobs.run_due()
    assert set(Notice.objects.filter(client=sam).values_list("state", flat=True)) == {Notice.State.STOPPED}


def test_a_course_that_ended_before_any_infusion_shows_no_empty_table() -> None:
    """The clinic's letter can end a course of which nothing was ever booked."""
    ended = {"course": Course(state=Course.State.STOPPED), "referral": Referral(state="7"), "rows": []}
    page = render_to_string("referrals/desk_sessions.html", ended)
    assert ("No infusion was recorded." in page, "<table" in page) == (True, False)
