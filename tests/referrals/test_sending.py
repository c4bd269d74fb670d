"""From a draft to the clinic: what is filled in, what stops it, what goes, and what became of it (G1-3, G7, G8)."""

import re
import smtplib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from typing import Any

import pytest
import time_machine
from django.core.mail import EmailMultiAlternatives
from django.db import connections
from django.urls import reverse
from django.utils.html import escape

from intake.models.packets import digest
from practice import actions as practice_actions
from practice import jobs
from practice.actions import NotNow
from practice.models import AuditEvent, Client, Job, Note, Notice, Task, User
from referrals.actions import decisions, delivery, drafts, events, sending
from referrals.actions.problems import problems
from referrals.models import Disclosure, Packet, Referral, Sending, StatusChange
from referrals.states import Actor, Event, State
from tests.factories import NOW
from tests.referrals.cases import ALL, released
from tests.referrals.sent import LATER, clinic, drafted, send, sent
from tests.sittings import CSSRS, CSSRS_MODERATE, assessed, phq9_of, sitting

As = Callable[[User], Any]
Post = Callable[..., Any]


@pytest.fixture(autouse=True)
def _clock() -> Any:
    with time_machine.travel(LATER + timedelta(minutes=1), tick=False):
        yield


def at_risk(client: Client, by: User, *, contact: bool = True) -> None:
    """Depression with suicidal thoughts, flagged; with a contact recorded unless told otherwise."""
    row = sitting(client)
    assessed(row, "phq-9", phq9_of(19, item9=2))
    assessed(row, CSSRS, CSSRS_MODERATE)
    alert = practice_actions.raise_alert(
        by=client, client=client, source="form", source_id=row.pk, severity="priority", at=NOW,
        rules=[{"id": "SR-03", "version": "1"}],
    )  # fmt: skip
    if contact:
        practice_actions.record_contact(
            by=by, alert=alert, recorded_at=NOW + timedelta(minutes=5), at=NOW, reached="yes", level="moderate",
            action="Talked", plan="Call tomorrow", next_check_at=NOW + timedelta(days=1),
        )  # fmt: skip


def words_of(row: Referral, at: Any = LATER) -> list[str]:
    return [problem.words for problem in problems(row, at) if problem.stops]


def outcome(act: Callable[[], Any]) -> str:
    with pytest.raises(NotNow) as caught:
        act()
    return str(caught.value)


# --- The draft -------------------------------------------------------------------------------------------------------


def test_draft_is_filled_in_from_the_decision(maya: User, sam: Client) -> None:
    decision = decisions.decide(
        by=maya, client=sam, suggestion=None, choice="infusion_clinic", urgency="urgent", weighed=["infusion_clinic"],
        offered=["infusion_clinic"], said="agreed", said_words="", reasoning="PHQ-9 is 21 and rising.", review_on=None,
        at=NOW,
    )  # fmt: skip
    row = drafts.draft(by=maya, client=sam, decision=decision, at=NOW)
    assert (row.state, row.path, row.urgency, row.why_now, row.number, row.attempt, row.has_safety_sign) == (
        State.DRAFT, "infusion_clinic", "urgent", "PHQ-9 is 21 and rising.", 1, 1, False,
    )  # fmt: skip
    assert row.reference == f"{sam.code}-1"
    assert "date of the first visit" in row.ask
    assert drafted(maya, sam, None).number == 2


def test_draft_of_a_client_with_suicidal_thoughts_says_so(maya: User, sam: Client) -> None:
    at_risk(sam, maya)
    assert drafted(maya, sam, None).has_safety_sign


def test_page_of_a_new_referral_shows_the_decisions_words_and_the_clinics(as_user: As, maya: User, sam: Client) -> None:
    clinic(price_usd=450, miles="4.5")
    decision = decisions.decide(
        by=maya, client=sam, suggestion=None, choice="infusion_clinic", urgency="routine", weighed=[], offered=[],
        said="agreed", said_words="", reasoning="Two trials, no relief.", review_on=None, at=NOW,
    )  # fmt: skip
    page = as_user(maya).get(reverse("referral_new", args=[sam.pk]) + f"?decision={decision.pk}").content.decode()
    for words in ("Two trials, no relief.", "Northlake Infusion", "$450", "4.5 miles", "Accepts clients with suicidal"):
        assert words in page
    assert not Referral.objects.exists()


def test_decision_of_somebody_else_is_not_there(as_user: As, maya: User, omar: User, sam: Client, kit: Client) -> None:
    decision = decisions.decide(
        by=omar, client=kit, suggestion=None, choice="infusion_clinic", urgency="routine", weighed=[], offered=[],
        said="agreed", said_words="", reasoning="Kit's own words", review_on=None, at=NOW,
    )  # fmt: skip
    browser = as_user(maya)
    for asked in (str(decision.pk), "x", "%00"):
        response = browser.get(reverse("referral_new", args=[sam.pk]) + f"?decision={asked}")
        assert response.status_code == 404
        assert "Kit's own words" not in response.content.decode()


def form(to: Any = None, **fields: Any) -> dict[str, Any]:
    return {
        "destination": str(to.pk) if to else "", "path": "infusion_clinic", "urgency": "routine", "why_now": "Why",
        "ask": "Ask", "keep_doing": "Keep", "include": [s for s in ALL if s != "identity"], "client_told": "on",
        "diagnoses": "", "diagnoses_were": "",
    } | fields  # fmt: skip


def test_from_the_chart_to_sent_takes_few_presses_and_nothing_is_typed_twice(
    as_user: As, post: Post, maya: User, sam: Client
) -> None:
    """Journeys 2, step 5: one link and two forms, with what the record already says."""
    to, browser = clinic(), as_user(maya)
    released(sam, to)
    assert reverse("referral_new", args=[sam.pk]) in browser.get(sam.get_absolute_url()).content.decode()  # press 1
    page = browser.get(reverse("referral_new", args=[sam.pk])).content.decode()
    assert "date of the first visit" in page
    edit = post(browser, reverse("referral_new", args=[sam.pk]), form(to))["Location"]  # the clinic, and save: 2 and 3
    assert "Send to Northlake Infusion" in browser.get(edit).content.decode()
    row = Referral.objects.get()
    done = post(browser, reverse("referral_send", args=[row.pk]), {"channels": ["link"]})  # 4
    row.refresh_from_db()
    assert (done.status_code, done["Location"], row.state) == (302, row.get_absolute_url(), State.SENT)


def test_draft_stands_in_the_list_and_on_the_chart_until_words_put_it_away(
    as_user: As, post: Post, maya: User, sam: Client
) -> None:
    row, browser = drafted(maya, sam, None), as_user(maya)
    assert row.reference in browser.get(reverse("referrals") + "?tab=drafts").content.decode()
    assert row.reference in browser.get(sam.get_absolute_url()).content.decode()
    empty = post(browser, reverse("referral_discard", args=[row.pk]), {"words": " "})
    row.refresh_from_db()
    assert (empty.status_code, row.closed_at) == (400, None)
    assert "Write why this is not sent." in empty.content.decode()
    post(browser, reverse("referral_discard", args=[row.pk]), {"words": "She chose KAP here."})
    row.refresh_from_db()
    assert (row.state, row.closed_why) == (State.DRAFT, "discarded")
    assert Note.objects.get(client=sam).body == f"Referral {row.reference} was not sent: She chose KAP here."
    assert row.reference not in browser.get(reverse("referrals") + "?tab=drafts").content.decode()
    assert row.reference in browser.get(reverse("referrals") + "?tab=ended").content.decode()
    assert outcome(lambda: send(maya, row)) == "This draft was put away."


def test_two_who_save_one_draft_lose_nothing(as_user: As, post: Post, maya: User, sol: User, sam: Client) -> None:
    row = drafted(maya, sam, None)
    url = reverse("referral_edit", args=[row.pk])
    assert post(as_user(maya), url, form(why_now="Maya's words", version=1)).status_code == 302
    second = post(as_user(sol), url, form(why_now="Sol's words", version=1))
    row.refresh_from_db()
    assert (second.status_code, row.why_now, row.version) == (400, "Maya's words", 2)
    page = second.content.decode()
    assert escape("Somebody changed this draft meanwhile.") in page
    assert escape("Sol's words") in page
    assert post(as_user(sol), url, form(why_now="Sol's words", version=2)).status_code == 302


def test_diagnoses_are_kept_with_the_client_by_code(as_user: As, post: Post, maya: User, sam: Client) -> None:
    row, browser = drafted(maya, sam, None), as_user(maya)
    url = reverse("referral_edit", args=[row.pk])
    for wrong in ("F33.2", "Depression", "3F3 Words", "F33.22222 x", "F33.2 " + "x" * 121, "33 x"):
        assert post(browser, url, form(version=1, diagnoses=wrong)).status_code == 400
    lines = "F33.2 Recurrent depression, severe\nf41.1 Anxiety\n"
    assert post(browser, url, form(version=1, diagnoses=lines)).status_code == 302
    sam.refresh_from_db()
    assert sam.diagnoses == [
        {"code": "F33.2", "text": "Recurrent depression, severe"}, {"code": "F41.1", "text": "Anxiety"},
    ]  # fmt: skip
    row.refresh_from_db()
    stale = post(browser, url, form(version=row.version, diagnoses="F43.1 Other", diagnoses_were=""))
    assert (stale.status_code, "Somebody changed the diagnoses" in stale.content.decode()) == (400, True)
    new = post(browser, reverse("referral_new", args=[sam.pk]), form(diagnoses="F43.1 Other"))
    assert (new.status_code, Referral.objects.count()) == (400, 1)
    assert AuditEvent.objects.filter(action="client.edited", facts={"fields": ["diagnoses"]}).count() == 1


# --- What stands in the way ------------------------------------------------------------------------------------------


def test_every_problem_is_named_with_the_button_that_mends_it(as_user: As, maya: User, sam: Client) -> None:
    at_risk(sam, maya, contact=False)
    row = drafted(maya, sam, None, urgency="urgent", why_now="")
    assert [(p.label, p.stops) for p in problems(row, LATER)] == [
        ("Choose a clinic", True), ("Write why now", True), ("Record contact", True), ("Record the hand-off", True),
    ]  # fmt: skip
    row.destination = clinic()
    row.save()
    labels = [p.label for p in problems(row, LATER)]
    assert labels == ["Write why now", "Record contact", "Ask the client to sign now", "Record the hand-off"]
    page = as_user(maya).get(reverse("referral_edit", args=[row.pk])).content.decode()
    for problem in problems(row, LATER):
        assert f'href="{escape(problem.url)}"' in page
    assert "Send to Northlake Infusion" not in page


def test_sending_is_refused_before_the_safety_contact(maya: User, sam: Client) -> None:
    """ux check 24: SR-03 holds sending, and names the contact."""
    to = clinic()
    released(sam, to)
    at_risk(sam, maya, contact=False)
    row = drafted(maya, sam, to)
    assert outcome(lambda: send(maya, row)).startswith("On hold by SR-03:")
    assert (
        Packet.objects.count(),
        Disclosure.objects.count(),
        Notice.objects.filter(template="referral_new").count(),
    ) == (0, 0, 0)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({}, "There is no release for Northlake Infusion on file."),
        ({"signed_at": None, "method": ""}, "The release for Northlake Infusion is not signed yet."),
        ({"revoked_at": NOW}, "The client took the release for Northlake Infusion back."),
        ({"expires_on": date(2026, 11, 1)}, "The release for Northlake Infusion ended on Nov 1, 2026."),
    ],
)
def test_nothing_leaves_without_an_active_release(maya: User, sam: Client, fields: dict[str, Any], words: str) -> None:
    """Security check 50, and B5: each way in which a release may fail, with its sentence."""
    to = clinic()
    if fields:
        released(sam, to, **fields)
    row = drafted(maya, sam, to)
    assert outcome(lambda: send(maya, row)) == words
    assert (Packet.objects.count(), Disclosure.objects.count(), Sending.objects.count()) == (0, 0, 0)


def test_part_of_the_packet_that_the_release_does_not_name_is_left_out_by_a_person(maya: User, sam: Client) -> None:
    to = clinic()
    released(sam, to, [section for section in ALL if section != "health"])
    row = drafted(maya, sam, to)
    (problem,) = problems(row, LATER)
    assert problem.label == "Leave these out"
    assert outcome(lambda: send(maya, row)) == problem.words
    drafts.save_draft(by=maya, referral=row, version=1, fields={"withheld": ["health"]}, at=NOW)
    row.refresh_from_db()
    packet = send(maya, row)
    assert "health" not in {block["section"] for block in packet.content["blocks"]}


def test_same_place_twice_is_warned_and_not_forbidden(maya: User, sam: Client) -> None:
    first = sent(maya, sam, to := clinic())
    row = drafted(maya, sam, to)
    (warning,) = problems(row, LATER)
    assert (warning.words, warning.stops) == (f"{first.reference} to Northlake Infusion is open already.", False)
    assert warning.url == first.get_absolute_url()
    send(maya, row)
    assert row.state == State.SENT


def test_clinic_that_takes_nobody_with_suicidal_thoughts_is_warned_of(maya: User, sam: Client) -> None:
    at_risk(sam, maya)
    row = drafted(maya, sam, clinic(accepts_suicidal=False))
    assert "Northlake Infusion does not accept clients with suicidal thoughts." in [
        p.words for p in problems(row, LATER) if not p.stops
    ]


def test_nothing_is_sent_about_a_client_who_left(maya: User, sam: Client) -> None:
    to = clinic()
    released(sam, to)
    row = drafted(maya, sam, to)
    Client.objects.filter(pk=sam.pk).update(status=Client.Status.DIED)
    gone = "This client is not in care any more. Nothing is sent about them."
    assert outcome(lambda: send(maya, row)) == gone
    assert outcome(lambda: drafted(maya, sam, to)) == gone


# --- The warm hand-off -----------------------------------------------------------------------------------------------


def hand_off(**fields: Any) -> dict[str, Any]:
    return {"to": "Marta Lopez", "plan_given": "yes", "words": "", "interim_on": "2026-11-23"} | fields


def test_urgent_referral_with_suicidal_thoughts_waits_for_the_hand_off(
    as_user: As, post: Post, maya: User, sam: Client
) -> None:
    """G25: the call, the plan and the next contact are recorded before it can go."""
    to, browser = clinic(), as_user(maya)
    released(sam, to)
    at_risk(sam, maya)
    row = drafted(maya, sam, to, urgency="urgent")
    assert words_of(row) == ["Urgent, with suicidal thoughts: the call to the clinic is not recorded yet."]
    assert outcome(lambda: send(maya, row)) == words_of(row)[0]
    url = reverse("referral_hand_off", args=[row.pk])
    for wrong in (
        {"to": " "},
        {"plan_given": ""},
        {"plan_given": "no"},
        {"interim_on": "2026-11-18"},
        {"interim_on": "x"},
    ):
        assert post(browser, url, hand_off(**wrong)).status_code == 400
    assert post(browser, url, hand_off()).status_code == 302
    row.refresh_from_db()
    assert (row.handed_off_by, row.handed_off_to, row.plan_given, row.interim_contact_on) == (
        maya, "Marta Lopez", True, date(2026, 11, 23),
    )  # fmt: skip
    task = Task.objects.get(kind="hand_off", done_at=None)
    assert (task.subject_id, task.due_at.isoformat()) == (row.pk, "2026-11-23T22:00:00+00:00")
    send(maya, row)
    assert row.state == State.SENT


def test_hand_off_without_a_plan_needs_words(maya: User, sam: Client) -> None:
    row = drafted(maya, sam, None, urgency="urgent", has_safety_sign=True)
    told = {
        "by": maya,
        "referral": row,
        "to": "Marta",
        "plan_given": False,
        "interim_on": date(2026, 11, 20),
        "at": LATER,
    }
    assert (
        outcome(lambda: drafts.hand_over(words="", **told)) == "Write why the client does not have the safety plan yet."
    )
    drafts.hand_over(words="We write it on Monday.", **told)
    row.refresh_from_db()
    assert (row.plan_given, row.hand_off_words) == (False, "We write it on Monday.")


# --- Sending ---------------------------------------------------------------------------------------------------------


def test_sending_by_link_freezes_records_and_tells_without_client_data(
    maya: User, sam: Client, mailoutbox: list[EmailMultiAlternatives]
) -> None:
    to = clinic()
    release = released(sam, to)
    row = drafted(maya, sam, to)
    packet = send(maya, row)
    assert (row.state, row.sent_at, row.sent_by, row.release) == (State.SENT, LATER, maya, release)
    assert row.token_digest == digest(row.token)
    change = StatusChange.objects.get()
    assert (change.tid, change.event, change.actor, change.by) == ("01", "send", "initiator", maya)
    gone = Disclosure.objects.get()
    assert (gone.destination, gone.referral, gone.packet, gone.release, gone.channel, gone.by, gone.at) == (
        to, row, packet, release, "link", maya, LATER,
    )  # fmt: skip
    way = Sending.objects.get()
    assert (way.channel, way.address, way.state, way.packet) == ("link", to.email, "waiting", packet)
    assert packet.pdf_sha256 == ""  # never made in the request
    jobs.run_due()
    (mail,) = [m for m in mailoutbox if m.to == [to.email]]
    assert row.reference in mail.subject
    text = f"{mail.subject}\n{mail.body}"
    assert reverse("desk_open", args=[row.token]) in text
    for private in (sam.name, "Sam", "1993", "Two trials", "infusion", "depress"):
        assert private.lower() not in text.lower().replace("northlake infusion", "")
    way.refresh_from_db()
    assert (way.state, way.settled_at is not None) == ("delivered", True)
    packet.refresh_from_db()
    assert packet.pdf.startswith(b"%PDF-")


def test_each_way_is_a_sending_and_a_disclosure(maya: User, sam: Client) -> None:
    to = clinic(fax_email="5550161@fax.example")
    released(sam, to)
    row = drafted(maya, sam, to)
    send(maya, row, "link", "fax_mail", "print", "phone", spoke_with="Marta, read the summary")
    assert sorted(Sending.objects.values_list("channel", "address", "state")) == [
        ("fax_mail", "5550161@fax.example", "waiting"), ("link", to.email, "waiting"),
        ("phone", "555 0160", "done"), ("print", "555 0161", "done"),
    ]  # fmt: skip
    assert sorted(Disclosure.objects.values_list("channel", flat=True)) == ["fax", "link", "phone", "print"]
    assert Sending.objects.get(channel="phone").spoke_with == "Marta, read the summary"


def test_fax_goes_as_a_pdf_once_it_is_made(maya: User, sam: Client, mailoutbox: list[EmailMultiAlternatives]) -> None:
    to = clinic(fax_email="5550161@fax.example")
    released(sam, to)
    row = drafted(maya, sam, to)
    packet = send(maya, row, "fax_mail")
    way = Sending.objects.get()
    with pytest.raises(delivery.NotMade):
        delivery.send_fax_mail(way, LATER)
    jobs.run_due()
    Job.objects.filter(kind="send_fax_mail", state="due").update(run_at=LATER, lease_until=None)
    jobs.run_due()
    (mail,) = [m for m in mailoutbox if m.to == ["5550161@fax.example"]]
    packet.refresh_from_db()
    (part,) = mail.attachments
    assert (part[0], part[1], part[2]) == (f"{row.reference}-1.pdf", packet.pdf, "application/pdf")
    assert (mail.subject, mail.body) == ("Fax 555 0161", "")
    way.refresh_from_db()
    assert way.state == "delivered"


def test_fax_stops_when_the_release_was_taken_back_meanwhile(
    maya: User, sam: Client, mailoutbox: list[EmailMultiAlternatives]
) -> None:
    to = clinic(fax_email="5550161@fax.example")
    release = released(sam, to)
    row = drafted(maya, sam, to)
    send(maya, row, "fax_mail")
    type(release).objects.filter(pk=release.pk).update(revoked_at=LATER)
    delivery.send_fax_mail(Sending.objects.get(), LATER)()
    assert (Sending.objects.get().state, mailoutbox) == ("stopped", [])


@pytest.mark.parametrize(
    ("channels", "fields", "words"),
    [
        ([], {}, "Choose at least one way to send it."),
        (["link"], {"email": ""}, "This clinic cannot be reached that way. Look at its page in the directory."),
        (["fax_mail"], {}, "This clinic cannot be reached that way. Look at its page in the directory."),
        (["phone"], {}, "Write with whom you spoke by phone."),
        (["pigeon"], {}, "This clinic cannot be reached that way. Look at its page in the directory."),
    ],
)
def test_way_that_does_not_work_is_refused(
    maya: User, sam: Client, channels: list[str], fields: dict[str, Any], words: str
) -> None:
    to = clinic(**fields)
    released(sam, to)
    row = drafted(maya, sam, to)
    assert outcome(lambda: sending.send(by=maya, referral=row, channels=channels, at=LATER)) == words
    row.refresh_from_db()
    assert (row.state, Packet.objects.count()) == (State.DRAFT, 0)


def test_second_press_of_send_changes_nothing(as_user: As, post: Post, maya: User, sam: Client) -> None:
    to, browser = clinic(), as_user(maya)
    released(sam, to)
    row = drafted(maya, sam, to)
    url = reverse("referral_send", args=[row.pk])
    first = post(browser, url, {"channels": ["link"]}, key="k" * 24)
    again = post(browser, url, {"channels": ["link"]}, key="k" * 24)
    late = post(browser, url, {"channels": ["link"]})
    assert first["Location"] == again["Location"] == late["Location"] == row.get_absolute_url()
    assert (Packet.objects.count(), Sending.objects.count(), StatusChange.objects.count()) == (1, 1, 1)


@pytest.mark.django_db(transaction=True)
def test_two_who_send_at_once_send_once(maya: User, sol: User, sam: Client) -> None:
    to = clinic()
    released(sam, to)
    row = drafted(maya, sam, to)

    def go(user: User) -> str:
        try:
            sending.send(by=user, referral=row, channels=["link"], at=LATER)
        except NotNow as sentence:
            return str(sentence)
        finally:
            connections.close_all()
        return ""

    with ThreadPoolExecutor(2) as pool:
        said = sorted(pool.map(go, [maya, sol]))
    assert said[0] == ""
    assert re.fullmatch(r"(Maya Torres|Sol Amari) sent this first, .*", said[1])
    assert (Packet.objects.count(), Disclosure.objects.count(), Sending.objects.count()) == (1, 1, 1)


def test_emergency_goes_without_a_release_by_written_reason_and_lifts_no_hold(maya: User, sam: Client) -> None:
    """B7: listed in the report, and only the release is what an emergency may go without."""
    row = drafted(maya, sam, clinic())
    send(maya, row, "link", emergency_reason="He is on his way there, alone.")
    gone = Disclosure.objects.get()
    assert (gone.is_emergency, gone.release, gone.reason) == (True, None, "He is on his way there, alone.")
    at_risk(sam, maya, contact=False)
    other = drafted(maya, sam, clinic("Harbor Infusion"))
    assert outcome(lambda: send(maya, other, emergency_reason="Now")).startswith("On hold by SR-03")


def test_emergency_is_offered_only_when_the_release_alone_is_missing(
    as_user: As, post: Post, maya: User, sam: Client
) -> None:
    row, browser = drafted(maya, sam, clinic()), as_user(maya)
    url = reverse("referral_send", args=[row.pk])
    assert "Send in an emergency" in browser.get(reverse("referral_edit", args=[row.pk])).content.decode()
    assert post(browser, url, {"channels": ["link"], "emergency_reason": " "}).status_code == 400
    assert post(browser, url, {"channels": ["link"]}).status_code == 400
    assert post(browser, url, {"channels": ["link"], "emergency_reason": "He is on his way."}).status_code == 302
    other = drafted(maya, sam, None)
    assert "Send in an emergency" not in browser.get(reverse("referral_edit", args=[other.pk])).content.decode()


# --- What became of it (G7) ------------------------------------------------------------------------------------------


class Refusing:
    """A mail server that knows no such address."""

    code = 550

    def __init__(self, *args: Any, **kwargs: Any) -> None: ...

    def send_messages(self, mails: list[EmailMultiAlternatives]) -> int:
        raise smtplib.SMTPRecipientsRefused({mails[0].to[0]: (self.code, b"no such user")})


class Busy(Refusing):
    code = 450


def test_refused_mail_is_marked_at_once_and_somebody_calls(maya: User, sam: Client, settings: Any) -> None:
    settings.EMAIL_BACKEND = f"{__name__}.Refusing"
    row = sent(maya, sam, clinic())
    jobs.run_due()
    notice = Notice.objects.get(template="referral_new")
    assert (notice.state, notice.trouble, notice.attempts) == ("failed", "SMTPRecipientsRefused", 1)
    assert list(Job.objects.filter(ref=str(notice.pk)).values_list("state", flat=True)) == ["done"]
    way = Sending.objects.get()
    assert (way.state, way.trouble) == ("bounced", "SMTPRecipientsRefused")
    task = Task.objects.get(kind="call_clinic")
    assert (task.subject_id, task.facts["reason"], task.done_at) == (row.pk, "bounced", None)


def test_busy_mail_server_is_tried_again(maya: User, sam: Client, settings: Any) -> None:
    settings.EMAIL_BACKEND = f"{__name__}.Busy"
    sent(maya, sam, clinic())
    jobs.run_due()
    assert (Notice.objects.get(template="referral_new").state, Sending.objects.get().state) == ("waiting", "waiting")
    assert not Task.objects.filter(kind="call_clinic").exists()


def test_person_may_note_that_it_came_back_once(as_user: As, post: Post, fay: User, maya: User, sam: Client) -> None:
    row = sent(maya, sam, clinic())
    way = Sending.objects.get()
    url, browser = reverse("referral_came_back", args=[row.pk, way.pk]), as_user(fay)
    for _ in range(2):
        assert post(browser, url).status_code == 302
    way.refresh_from_db()
    assert (way.state, way.trouble) == ("bounced", "noticed by Fay Moss")
    assert Task.objects.filter(kind="call_clinic", done_at=None).count() == 1
    assert "Came back: noticed by Fay Moss" in browser.get(reverse("referrals")).content.decode()


def test_resending_to_a_corrected_address_kills_the_old_link(
    as_user: As, post: Post, maya: User, sam: Client, mailoutbox: list[EmailMultiAlternatives]
) -> None:
    """Journeys 3, step 2: the address corrected, sent again, the old link dead, all of it logged."""
    row = sent(maya, sam, to := clinic())
    delivery.bounced(Sending.objects.get(), "SMTPRecipientsRefused", LATER)
    old = row.token
    url = reverse("referral_resend", args=[row.pk])
    done = post(as_user(maya), url, {"channels": ["link"], "email": "new@northlake.example"})
    row.refresh_from_db()
    to.refresh_from_db()
    assert (done.status_code, to.email, row.token == old, row.token_digest) == (
        302, "new@northlake.example", False, digest(row.token),
    )  # fmt: skip
    assert not Referral.objects.filter(token_digest=digest(old)).exists()
    assert list(Sending.objects.order_by("at").values_list("address", "state")) == [
        ("desk@northlake.example", "bounced"), ("new@northlake.example", "waiting"),
    ]  # fmt: skip
    assert (Packet.objects.count(), Disclosure.objects.count()) == (1, 2)
    assert not Task.objects.filter(kind="call_clinic", done_at=None).exists()
    assert to.keys.get(email="desk@northlake.example").is_main is False
    assert AuditEvent.objects.filter(action="referral.resent").count() == 1


def test_front_desk_sends_the_same_packet_again_and_no_other(
    as_user: As, post: Post, fay: User, maya: User, sam: Client
) -> None:
    """Journeys 3, step 2: who tracks a referral without reading it corrects the address and sends what was sent."""
    row = sent(maya, sam, clinic())
    browser, url = as_user(fay), reverse("referral_resend", args=[row.pk])
    assert 'name="change"' not in browser.get(row.get_absolute_url()).content.decode()
    assert post(browser, url, {"channels": ["print"], "email": "new@northlake.example"}).status_code == 400
    assert post(browser, url, {"channels": ["link"], "change": "Blood pressure added."}).status_code == 302
    assert (Packet.objects.count(), Sending.objects.count()) == (1, 2)


def test_resending_with_news_makes_the_next_version(maya: User, sam: Client) -> None:
    row = sent(maya, sam, clinic())
    packet = sending.resend(by=maya, referral=row, channels=["link"], change="Blood pressure added.", at=LATER)
    assert (packet.number, packet.change, Packet.objects.get(number=1).change) == (2, "Blood pressure added.", "")


def test_resending_needs_the_release_still(maya: User, sam: Client) -> None:
    row = sent(maya, sam, clinic())
    row.release.__class__.objects.update(revoked_at=LATER)
    old = row.token_digest
    words = "The client took the release for Northlake Infusion back."
    assert outcome(lambda: sending.resend(by=maya, referral=row, channels=["link"], at=LATER)) == words
    row.refresh_from_db()
    assert (row.token_digest, Sending.objects.count()) == (old, 1)


# --- Elsewhere (G19) -------------------------------------------------------------------------------------------------


def declined(by: User, row: Referral) -> None:
    events.record(row, Event.DECLINE, Actor.RECIPIENT, channel="phone", by=by, reason="full", at=LATER)


def test_declined_referral_goes_to_another_clinic_with_its_history(
    as_user: As, post: Post, maya: User, sam: Client
) -> None:
    row = sent(maya, sam, clinic())
    declined(maya, row)
    assert Task.objects.get(kind="declined", done_at=None).subject_id == row.pk
    other = clinic("Harbor Infusion")
    done = post(as_user(maya), reverse("referral_redirect", args=[row.pk]), {"destination": other.pk})
    following = Referral.objects.get(attempt=2)
    assert done["Location"] == reverse("referral_edit", args=[following.pk])
    assert (following.number, following.follows, following.reference, following.state, following.why_now) == (
        row.number, row, f"{sam.code}-1-B", State.DRAFT, "Two trials failed.",
    )  # fmt: skip
    assert (StatusChange.objects.filter(referral=row).count(), following.handed_off_at) == (2, None)
    assert not Task.objects.filter(kind="declined", done_at=None).exists()
    twice = outcome(lambda: sending.redirect(by=maya, referral=row, destination=other, at=LATER))
    assert twice == f"{following.reference} follows this one already."
    drafts.discard(by=maya, referral=following, words="Not there.", at=LATER)
    third = sending.redirect(by=maya, referral=row, destination=clinic("Lakefront Ketamine"), at=LATER)
    assert third.reference == f"{sam.code}-1-C"


def test_open_referral_is_not_redirected(maya: User, sam: Client) -> None:
    row = sent(maya, sam, clinic())
    words = "This referral is still open. Take it back before you ask another clinic."
    assert outcome(lambda: sending.redirect(by=maya, referral=row, destination=clinic("Harbor"), at=LATER)) == words


# --- Who may ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("who", ["fay", "rosa", "pax", "omar", "ines"])
def test_only_those_who_treat_may_write_and_send(
    as_user: As, post: Post, request: pytest.FixtureRequest, maya: User, sam: Client, who: str
) -> None:
    """Security check 15: by direct POST, too."""
    to = clinic()
    released(sam, to)
    row = drafted(maya, sam, to, why_now="Only for the clinic")
    browser = as_user(request.getfixturevalue(who))
    foreign = who in ("omar", "ines")
    for name, data in (
        ("referral_edit", form(to)), ("referral_send", {"channels": ["link"]}), ("referral_hand_off", hand_off()),
        ("referral_discard", {"words": "x"}),
    ):  # fmt: skip
        response = post(browser, reverse(name, args=[row.pk]), data)
        assert (name, response.status_code) == (name, 404 if foreign else 403)
        assert "Only for the clinic" not in response.content.decode()
    assert post(browser, reverse("referral_new", args=[sam.pk]), form(to)).status_code == (404 if foreign else 403)
    row.refresh_from_db()
    assert (row.state, row.version, Referral.objects.count()) == (State.DRAFT, 1, 1)


# --- Hostile ---------------------------------------------------------------------------------------------------------

NASTY = ["<script>alert(1)</script>", "{{7|add:7}}", "%(x)s", "a\x00b", "🫠" * 50, "x" * 5000, "=cmd()"]


@pytest.mark.parametrize("words", NASTY)
def test_hostile_words_in_a_draft_are_kept_as_text_or_refused_in_words(
    as_user: As, post: Post, maya: User, sam: Client, words: str
) -> None:
    row, browser = drafted(maya, sam, None), as_user(maya)
    url = reverse("referral_edit", args=[row.pk])
    response = post(browser, url, form(version=1, why_now=words, ask=words, keep_doing=words))
    assert response.status_code in (302, 400)
    page = browser.get(url).content.decode()
    assert "<script>alert" not in page
    row.refresh_from_db()
    assert row.why_now == (words if response.status_code == 302 else "Two trials failed.")


@pytest.mark.parametrize(
    "wrong",
    [
        {"destination": "x"}, {"destination": "0" * 32}, {"path": "kap"}, {"path": "x"}, {"urgency": "soon"},
        {"include": ["identity"]}, {"include": ["x"]}, {"version": "99999999999999999999"},
    ],
)  # fmt: skip
def test_field_that_is_not_offered_is_refused(as_user: As, post: Post, maya: User, sam: Client, wrong: Any) -> None:
    row = drafted(maya, sam, None)
    assert (
        post(as_user(maya), reverse("referral_edit", args=[row.pk]), form(**({"version": 1} | wrong))).status_code
        == 400
    )
    row.refresh_from_db()
    assert row.version == 1


def test_unasked_fields_of_a_draft_change_nothing(
    as_user: As, post: Post, maya: User, sam: Client, kit: Client
) -> None:
    row = drafted(maya, sam, None)
    more = {
        "state": "7",
        "client": kit.pk,
        "sent_at": "2026-01-01",
        "has_safety_sign": "1",
        "number": 9,
        "handed_off_at": "2026-01-01",
    }
    assert post(as_user(maya), reverse("referral_edit", args=[row.pk]), form(version=1) | more).status_code == 302
    row.refresh_from_db()
    assert (row.state, row.client, row.sent_at, row.has_safety_sign, row.number, row.handed_off_at) == (
        State.DRAFT, sam, None, False, 1, None,
    )  # fmt: skip
