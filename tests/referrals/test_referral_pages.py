"""The list of referrals and the page of one: who sees what, what staff record for the clinic, taking back."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.mail import EmailMultiAlternatives
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils.html import escape

from practice import jobs
from practice.models import AuditEvent, Client, Job, Task, User
from referrals import lists
from referrals.actions import clocks, desk, events
from referrals.models import Course, Letter, Message, Referral, StatusChange
from referrals.states import Actor, Event, State, open_to
from tests import factories
from tests.factories import NOW
from tests.referrals.cases import referral as unsent
from tests.referrals.referring import WAYS
from tests.referrals.sent import LATER, clinic, drafted, sent

As = Callable[[User], Any]
Post = Callable[..., Any]
NOON = LATER + timedelta(hours=1)


@pytest.fixture(autouse=True)
def _clock() -> Any:
    with time_machine.travel(NOON, tick=False):
        yield


@pytest.fixture
def row(maya: User, sam: Client) -> Referral:
    return sent(maya, sam, clinic())


def listed(browser: Any, query: str = "") -> list[str]:
    response = browser.get(reverse("referrals") + query)
    assert response.status_code == 200
    return [line["code"] for line in response.context["rows"]]


def told(event: str, **fields: Any) -> dict[str, Any]:
    return {"event": event, "channel": "phone", "by_name": "Marta Lopez"} | fields


def record(post: Post, browser: Any, row: Referral, event: str, **fields: Any) -> Any:
    return post(browser, reverse("referral_record", args=[row.pk]), told(event, **fields))


def page(browser: Any, row: Referral) -> str:
    response = browser.get(row.get_absolute_url())
    assert response.status_code == 200
    text: str = response.content.decode()
    return text


# --- The list --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("who", "sees"),
    [
        ("maya", True), ("sol", True), ("pax", True), ("fay", True), ("rosa", True), ("omar", False), ("ines", False),
    ],
)  # fmt: skip
def test_list_and_page_follow_reach(
    as_user: As, request: pytest.FixtureRequest, row: Referral, who: str, sees: bool
) -> None:
    browser = as_user(request.getfixturevalue(who))
    widths = ["", "?who=me", "?who=team", "?who=all"]
    answers = [browser.get(reverse("referrals") + width) for width in widths]
    found = {line["code"] for answer in answers if answer.status_code == 200 for line in answer.context["rows"]}
    assert found == ({row.reference} if sees else set())
    response = browser.get(row.get_absolute_url())
    assert response.status_code == (200 if sees else 404)
    assert (row.reference in response.content.decode()) == sees


def test_front_desk_and_admin_see_states_and_never_what_was_written(
    as_user: As, post: Post, maya: User, fay: User, rosa: User, row: Referral
) -> None:
    message = Message(referral=row, from_clinic=True, by_name="Marta", at=LATER)
    message.words = "He sounded low today"
    message.save()
    record(post, as_user(maya), row, "decline", reason="suicidal", words="Too much for us")
    mine = page(as_user(maya), row)
    for words in ("He sounded low today", "Too much for us", "Does not take clients with suicidal thoughts"):
        assert words in mine
    for user in (fay, rosa):
        text = page(as_user(user), row)
        assert "Northlake Infusion" in text and "Declined" in text
        for words in ("sounded low", "Too much for us", "suicidal thoughts", "Two trials failed", "Packet version"):
            assert words not in text
        assert as_user(user).get(reverse("packet", args=[row.pk])).status_code == 403


def test_page_says_who_opened_it(as_user: As, fay: User, row: Referral) -> None:
    """G7."""
    desk.look(referral=row, key=row.destination.keys.get(), at=LATER)
    assert "Opened by the clinic" in page(as_user(fay), row)
    assert "Marta Lopez" in page(as_user(fay), row).partition("Opened by the clinic")[2]


def test_front_desk_is_asked_to_call_and_nothing_clinical(as_user: As, fay: User, sam: Client, row: Referral) -> None:
    for kind in ("hand_off", "call_clinic", "integrate"):
        Task.open(sam, kind, at=LATER, subject_id=row.pk)
    text = page(as_user(fay), row)
    assert ("Call the clinic" in text, "Interim contact" in text, "Therapy after" in text) == (True, False, False)


def test_tabs_hold_what_they_say(maya: User, as_user: As, sam: Client, row: Referral) -> None:
    late = sent(maya, sam, clinic("Harbor Infusion"), urgency="urgent")
    Referral.objects.filter(pk=late.pk).update(due_at=LATER)
    draft = drafted(maya, sam, None)
    done = sent(maya, sam, clinic("Lakefront Ketamine"))
    events.record(done, Event.DECLINE, Actor.RECIPIENT, channel="phone", by=maya, reason="full", at=LATER)
    browser = as_user(maya)
    assert listed(browser) == [late.reference, row.reference]
    assert listed(browser, "?tab=stalled") == [late.reference]
    assert listed(browser, "?tab=drafts") == [draft.reference]
    assert listed(browser, "?tab=ended") == [done.reference]
    assert listed(browser, "?urgency=urgent") == [late.reference]
    assert listed(browser, f"?clinic={row.destination_id}") == [row.reference]
    counts = [tab["count"] for tab in browser.get(reverse("referrals")).context["tabs"]]
    assert counts == ["2", "1", "1", "1"]


def test_stalled_are_sorted_by_priority_then_age(maya: User, as_user: As, sam: Client) -> None:
    """G17."""
    to, wanted = clinic(), []
    for urgency, hours in (("routine", 50), ("urgent", 2), ("routine", 5), ("urgent", 30)):
        late = sent(maya, sam, to, urgency=urgency)
        Referral.objects.filter(pk=late.pk).update(due_at=LATER - timedelta(hours=hours))
        wanted.append((urgency != "urgent", -hours, late.reference))
    assert listed(as_user(maya), "?tab=stalled") == [reference for *_order, reference in sorted(wanted)]


@pytest.mark.parametrize("query", ["?tab=x", "?who=x", "?urgency=x", "?clinic=x", "?who=team"])
def test_filter_that_is_none_is_refused(as_user: As, maya: User, row: Referral, query: str) -> None:
    assert as_user(maya).get(reverse("referrals") + query).status_code == 400


def test_pages_follow_each_other_without_gap_or_repeat(
    as_user: As, maya: User, sam: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lists, "PAGE", 2)
    to = clinic()
    for n in range(5):
        each = sent(maya, sam, to)
        Referral.objects.filter(pk=each.pk).update(state="4", state_at=LATER + timedelta(minutes=n // 2))
    browser, url, seen = as_user(maya), reverse("referrals") + "?tab=ended", []
    while url:
        response = browser.get(url)
        seen += [line["code"] for line in response.context["rows"]]
        more = response.context["more"]
        url = reverse("referrals") + more if more else ""
    wanted = Referral.objects.order_by("-state_at", "pk")
    assert seen == [each.reference for each in wanted]
    assert listed(browser, "?tab=ended&after=zzz") == seen[:2]


def filled(n: int, maya: User) -> None:
    for i in range(n):
        client = factories.client(maya, f"Robin{i} Bell{i}", email=f"robin{i}@example.net")
        each = sent(maya, client, clinic(f"Clinic{i} Infusion"))
        events.record(each, Event.ACCEPT, Actor.RECIPIENT, channel="phone", by=maya, at=LATER)
        events.done(each, 1, NOW.date(), channel="phone", at=LATER, by=maya)


@pytest.mark.parametrize("query", ["", "?tab=stalled", "?tab=ended", "?tab=drafts"])
def test_list_asks_the_database_the_same_for_any_number_of_rows(as_user: As, maya: User, query: str) -> None:
    browser, asked = as_user(maya), []
    for n in (1, 2):
        filled(n, maya)
        if query:
            Referral.objects.update(due_at=NOW, **({"state": "4"} if "ended" in query else {}))
            if "drafts" in query:
                Referral.objects.update(state="1")
        browser.get(reverse("referrals") + query)
        with CaptureQueriesContext(connection) as caught:
            assert len(listed(browser, query)) == Referral.objects.count()
        asked.append(len(caught))
    assert asked[0] == asked[1]


def test_page_asks_the_database_the_same_for_any_length_of_story(as_user: As, maya: User, row: Referral) -> None:
    browser, asked = as_user(maya), []
    events.record(row, Event.ACCEPT, Actor.RECIPIENT, channel="phone", by=maya, at=LATER)
    for rounds in (1, 3):
        for n in range(rounds):
            number = len(asked) * 3 + n + 1
            events.done(row, number, NOW.date(), channel="phone", at=LATER, by=maya)
            message = Message(referral=row, from_clinic=n % 2 == 0, by=maya, by_name="Maya", at=LATER)
            message.words = "x"
            message.save()
        browser.get(row.get_absolute_url())
        with CaptureQueriesContext(connection) as caught:
            page(browser, row)
        asked.append(len(caught))
    assert asked[0] == asked[1]


# --- What the clinic said, written down by staff ---------------------------------------------------------------------


def test_acceptance_by_phone_is_the_clinics_word_and_the_writers_hand(
    as_user: As, post: Post, fay: User, row: Referral
) -> None:
    browser = as_user(fay)
    assert record(post, browser, row, "accept").status_code == 302
    row.refresh_from_db()
    change = StatusChange.objects.get(event="accept")
    assert (row.state, change.actor, change.by, change.by_name, change.channel) == (
        State.ACCEPTED, "recipient", fay, "Marta Lopez", "phone",
    )  # fmt: skip
    assert "Marta Lopez said so by phone; recorded by you" in page(browser, row)


def test_buttons_are_the_table(as_user: As, maya: User, sam: Client) -> None:
    """In each of the twelve states, what the page offers is what the table allows."""
    browser, to = as_user(maya), clinic()
    for number, state in enumerate(WAYS, 1):
        each = unsent(sam, maya, to, number=number, state=state, **({} if state == State.DRAFT else {"sent_at": NOW}))
        response = browser.get(each.get_absolute_url())
        if state == State.DRAFT:
            assert response["Location"] == reverse("referral_edit", args=[each.pk])
            continue
        forms = response.context["forms"]
        offered = [value for value, _label in forms["record"].fields["event"].choices] if "record" in forms else []
        assert (state, offered) == (state, [event.value for event in open_to(state, Actor.RECIPIENT)])
        assert (state, "cancel" in forms) == (state, Event.ASK_CANCEL in open_to(state, Actor.INITIATOR))


@pytest.mark.parametrize(
    ("event", "fields"),
    [
        ("decline", {"reason": ""}), ("accept", {"channel": "link"}), ("accept", {"channel": "x"}),
        ("accept", {"happened_at": "2026-11-20T10:00"}), ("accept", {"happened_at": "x"}), ("visit", {}),
        ("outcome", {}), ("send", {}), ("x", {}), ("", {}), ("decline", {"reason": "x"}),
    ],
)  # fmt: skip
def test_entry_that_does_not_fit_is_refused_with_what_was_written(
    as_user: As, post: Post, maya: User, row: Referral, event: str, fields: dict[str, Any]
) -> None:
    response = record(post, as_user(maya), row, event, words="Kept words", **fields)
    row.refresh_from_db()
    assert (response.status_code, row.state, StatusChange.objects.count()) == (400, State.SENT, 1)
    assert "Kept words" in response.content.decode()


def test_outcome_with_its_letter_completes_it(as_user: As, post: Post, maya: User, row: Referral) -> None:
    browser = as_user(maya)
    record(post, browser, row, "accept")
    bare = record(post, browser, row, "outcome")
    assert (bare.status_code, Letter.objects.count()) == (400, 0)
    file = SimpleUploadedFile("outcome.pdf", b"%PDF-1.4 fine", content_type="text/html")
    assert record(post, browser, row, "outcome", letter_file=file).status_code == 302
    row.refresh_from_db()
    letter = Letter.objects.get()
    assert (row.state, letter.kind, letter.is_outcome, letter.from_clinic, letter.by) == (
        State.COMPLETED, "application/pdf", True, False, maya,
    )  # fmt: skip
    assert StatusChange.objects.get(event="outcome").evidence == letter


def test_letter_of_a_kind_that_is_not_taken_leaves_nothing_behind(
    as_user: As, post: Post, maya: User, row: Referral
) -> None:
    browser = as_user(maya)
    record(post, browser, row, "accept")
    file = SimpleUploadedFile("x.pdf", b"<html><script>alert(1)</script></html>")
    response = record(post, browser, row, "outcome", letter_file=file)
    row.refresh_from_db()
    assert (response.status_code, row.state, Letter.objects.count()) == (400, State.ACCEPTED, 0)


def test_letter_with_an_entry_that_is_refused_is_not_kept(as_user: As, post: Post, maya: User, row: Referral) -> None:
    response = record(post, as_user(maya), row, "decline", reason="", letter_words="We cannot take him.")
    assert (response.status_code, Letter.objects.count()) == (400, 0)
    assert "We cannot take him." in response.content.decode()


def test_two_who_record_at_once_have_one_winner(as_user: As, post: Post, maya: User, fay: User, row: Referral) -> None:
    stale = Referral.objects.get(pk=row.pk)
    record(post, as_user(maya), row, "accept")
    second = record(post, as_user(fay), row, "accept")
    assert second.status_code == 400
    assert StatusChange.objects.filter(event="accept").count() == 1
    assert stale.version < Referral.objects.get(pk=row.pk).version


def test_words_for_a_referral_that_ended_meanwhile_are_not_lost(
    as_user: As, post: Post, maya: User, row: Referral
) -> None:
    """A page that stood open: its form is gone, and what was typed stands above with the reason."""
    record(post, as_user(maya), row, "decline", reason="full")
    stale = record(post, as_user(maya), row, "decline", reason="full", words="They may <b>know</b> another place.")
    said = "The referral has moved on meanwhile, and this does not follow from where it is now."
    html = stale.content.decode()
    assert (stale.status_code, said in html) == (400, True)
    assert "This is not saved. Copy what you still need." in html
    assert "They may &lt;b&gt;know&lt;/b&gt; another place." in html
    assert '<a href="#recordform' not in html  # no line that leads to a field that is not there
    assert [typed["label"] for typed in stale.context["unsaid"]] == ["Who at the clinic", "Their words"]
    assert row.changes.filter(event=Event.DECLINE).count() == 1


def test_second_press_records_once(as_user: As, post: Post, maya: User, row: Referral) -> None:
    browser, url = as_user(maya), reverse("referral_record", args=[row.pk])
    first, again = (post(browser, url, told("accept"), key="k" * 24) for _ in range(2))
    assert (first["Location"], StatusChange.objects.filter(event="accept").count()) == (again["Location"], 1)


def test_session_told_by_phone_is_counted(as_user: As, post: Post, maya: User, fay: User, row: Referral) -> None:
    record(post, as_user(maya), row, "accept")
    url = reverse("referral_session", args=[row.pk])
    said = {"act": "done", "number": "1", "on": "2026-11-19", "channel": "phone", "note": "PHQ-9 of 12"}
    assert post(as_user(fay), url, said).status_code == 302
    assert Course.objects.get().sessions.get().state == "done"
    assert "In treatment 1 of 6" in page(as_user(fay), row)
    assert "PHQ-9 of 12" not in page(as_user(fay), row)
    assert "PHQ-9 of 12" in page(as_user(maya), row)
    for wrong in ({"number": "7"}, {"number": "x"}, {"on": "2027-01-01"}, {"act": "x"}, {"on": ""}):
        assert post(as_user(maya), url, said | wrong).status_code == 400
    assert Course.objects.get().sessions.count() == 1


def test_wrong_entry_is_taken_back_by_words_and_the_story_keeps_both(
    as_user: As, post: Post, maya: User, row: Referral
) -> None:
    browser = as_user(maya)
    record(post, browser, row, "accept")
    change = StatusChange.objects.get(event="accept")
    url = reverse("referral_correct", args=[row.pk, change.pk])
    assert browser.get(url).status_code == 200
    assert post(browser, url, {"reason": " "}).status_code == 400
    assert post(browser, url, {"reason": "That was another client"}).status_code == 302
    row.refresh_from_db()
    assert (row.state, [c.event for c in row.changes.all()]) == (State.SENT, ["send", "accept", "correct"])
    text = page(browser, row)
    assert "taken back later" in text and "That was another client" in text
    assert post(browser, url, {"reason": "Again"}).status_code == 400


def test_entry_of_another_referral_is_not_there(
    as_user: As, post: Post, maya: User, omar: User, kit: Client, row: Referral
) -> None:
    other = sent(omar, kit, clinic("Harbor Infusion"))
    change = other.changes.get()
    assert (
        post(as_user(maya), reverse("referral_correct", args=[row.pk, change.pk]), {"reason": "x"}).status_code == 404
    )
    sending = other.sendings.get()
    assert post(as_user(maya), reverse("referral_came_back", args=[row.pk, sending.pk])).status_code == 404


# --- Thread, calls, reminders, taking back ---------------------------------------------------------------------------


def test_answer_to_the_clinics_question_reaches_them_without_client_data(
    as_user: As, post: Post, maya: User, sam: Client, row: Referral, mailoutbox: list[EmailMultiAlternatives]
) -> None:
    Task.open(sam, "clinic_asks", at=LATER, subject_id=row.pk)
    browser, url = as_user(maya), reverse("referral_message", args=[row.pk])
    assert post(browser, url, {"words": " "}).status_code == 400
    assert post(browser, url, {"words": "The last ECG was normal."}).status_code == 302
    assert not Task.objects.filter(kind="clinic_asks", done_at=None).exists()
    jobs.run_due()
    [mail] = [each for each in mailoutbox if each.subject.startswith("Message about")]
    assert mail.to == ["desk@northlake.example"]
    assert ("ECG" in mail.body, sam.name in mail.body, row.reference in mail.subject) == (False, False, True)
    assert "The last ECG was normal." in page(browser, row)


def test_taking_back_is_a_request_until_the_clinic_confirms(as_user: As, post: Post, maya: User, row: Referral) -> None:
    browser = as_user(maya)
    assert post(browser, reverse("referral_cancel", args=[row.pk]), {"words": ""}).status_code == 400
    assert post(browser, reverse("referral_cancel", args=[row.pk]), {"words": "She moved."}).status_code == 302
    row.refresh_from_db()
    assert (row.state, listed(browser)) == (State.CANCEL_ASKED, [row.reference])
    record(post, browser, row, "confirm_cancel")
    row.refresh_from_db()
    assert (row.state, listed(browser)) == (State.CANCELLED, [])


def test_call_is_noted_and_ends_the_item(as_user: As, post: Post, fay: User, sam: Client, row: Referral) -> None:
    Task.open(sam, "call_clinic", at=LATER, subject_id=row.pk, reason="bounced")
    browser, url = as_user(fay), reverse("referral_called", args=[row.pk])
    assert post(browser, url, {"reached": "no", "spoke_with": "No answer"}).status_code == 302
    assert Task.objects.filter(kind="call_clinic", done_at=None).count() == 1
    assert ("Nobody was reached" in page(browser, row), "Came back" in page(browser, row)) == (True, False)
    assert post(browser, url, {"reached": "yes", "spoke_with": " "}).status_code == 400
    assert post(browser, url, {"reached": "yes", "spoke_with": "Marta, has it now"}).status_code == 302
    assert not Task.objects.filter(kind="call_clinic", done_at=None).exists()
    assert AuditEvent.objects.filter(action="referral.called").count() == 2


def test_reminder_goes_at_most_once_a_day_and_only_when_something_is_late(
    as_user: As, post: Post, fay: User, row: Referral
) -> None:
    browser, url = as_user(fay), reverse("referral_remind", args=[row.pk])
    digests = Job.objects.filter(kind="send_desk_digest")
    post(browser, url)
    assert digests.count() == 0
    Referral.objects.filter(pk=row.pk).update(due_at=LATER)
    assert "Remind now" in page(browser, row)
    for _ in range(2):
        post(browser, url)
    assert digests.count() == 1


def test_referral_put_away_comes_back_with_one_press(as_user: As, post: Post, maya: User, row: Referral) -> None:
    """G20: closed by a person or by its silence, undone by one press."""
    browser, url = as_user(maya), reverse("referral_close", args=[row.pk])
    clocks.close(by=maya, referral=row, at=LATER)
    assert (listed(browser), listed(browser, "?tab=ended")) == ([], [row.reference])
    assert "Take it back into the list" in page(browser, row)
    post(browser, url, {"undo": "1"})
    assert listed(browser) == [row.reference]
    post(browser, url)
    assert listed(browser) == []


# --- Who may act -----------------------------------------------------------------------------------------------------

CLINICAL = ("referral_message", "referral_cancel", "referral_redirect", "referral_close")
TRACKING = ("referral_record", "referral_called", "referral_remind", "referral_session", "referral_resend")


@pytest.mark.parametrize(
    ("who", "clinical", "tracking"),
    [
        ("fay", 403, (302, 400)), ("rosa", 403, (302, 400)), ("pax", 403, (403,)), ("omar", 404, (404,)),
        ("ines", 404, (404,)), ("sol", 0, (302, 400)),
    ],
)  # fmt: skip
def test_direct_posts_are_held_to_the_table(
    as_user: As, post: Post, request: pytest.FixtureRequest, row: Referral, who: str, clinical: int, tracking: Any
) -> None:
    """Security check 15."""
    browser = as_user(request.getfixturevalue(who))
    for name in TRACKING:
        assert (name, post(browser, reverse(name, args=[row.pk]), {}).status_code in tracking) == (name, True)
    for name in CLINICAL if clinical else ():
        assert (name, post(browser, reverse(name, args=[row.pk]), {"words": "x"}).status_code) == (name, clinical)
    row.refresh_from_db()
    assert (row.state, row.closed_at, Message.objects.count()) == (State.SENT, None, 0)


def test_chart_shows_the_steps_and_begins_another(
    as_user: As, maya: User, pax: User, sam: Client, row: Referral
) -> None:
    events.record(row, Event.ACCEPT, Actor.RECIPIENT, channel="phone", by=maya, at=LATER)
    text = as_user(maya).get(sam.get_absolute_url()).content.decode()
    for words in (row.reference, "Northlake Infusion", "Accepted", "First session", "Prepare a referral"):
        assert words in text
    assert "Prepare a referral" not in as_user(pax).get(sam.get_absolute_url()).content.decode()


@pytest.mark.parametrize("words", ["<script>alert(1)</script>", "{{7|add:7}}", "x" * 5000, "a\x00b"])
def test_hostile_words_are_text_or_refused(as_user: As, post: Post, maya: User, row: Referral, words: str) -> None:
    browser = as_user(maya)
    for name, data in (
        ("referral_record", told("accept", words=words, by_name=words)), ("referral_message", {"words": words}),
        ("referral_called", {"reached": "yes", "spoke_with": words}), ("referral_cancel", {"words": words}),
        ("referral_resend", {"channels": ["print"], "change": words}),
    ):  # fmt: skip
        assert post(browser, reverse(name, args=[row.pk]), data).status_code in (302, 400)
    text = page(browser, row)
    assert "<script>alert" not in text
    assert len(words) > 4000 or "\x00" in words or escape(words) in text
