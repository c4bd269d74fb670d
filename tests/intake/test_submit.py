"""Sending the answers: scored, flagged, carried over, once."""

import io
import re
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pypdf
import pytest

from intake import actions, agreement
from intake.models import Assessment, Intake, Signature
from intake.signals import assessment_submitted
from practice.actions import NotNow
from practice.clinical.instrument import load
from practice.keys import KeyRing
from practice.models import Alert, AuditEvent, Client, Task
from tests.factories import NOW
from tests.intake.conftest import REQUIRED, Phone, fill_required, text_of

ITEM9, CSSRS = "phq-9--9", "cssrs-screener-recent--"


def send_all(phone: Phone) -> Intake:
    answer = phone.post("/my/send/")
    assert answer["Location"] == "/my/done/", answer["Location"]
    return phone.sitting


def test_scores_are_kept_with_wording_answers_bands_and_rules(check_in: Phone) -> None:
    """Security check 78: the answers keep the fingerprint of the wording that was read."""
    for n in range(1, 9):
        check_in.say(f"phq-9--{n}", "2")
    check_in.say(ITEM9, "1")
    for item, value in {"1": "1", "2": "1", "3": "1", "4": "0", "5": "0", "6": "0"}.items():
        check_in.say(CSSRS + item, value)
    check_in.say("phq-9--10", "1")
    sitting = send_all(check_in)
    phq9 = sitting.assessments.get(instrument="phq-9")
    assert (phq9.total, phq9.band, phq9.complete, phq9.safety, phq9.estimated) == (
        Decimal(17),
        "moderately_severe",
        True,
        True,
        False,
    )
    assert phq9.wording_sha256 == load("phq-9", "1").wording_sha256
    assert phq9.answers == {f"phq9-{n}": 2 for n in range(1, 9)} | {"phq9-9": 1, "phq9-10": 1}
    assert (phq9.flags, phq9.details["mds"], phq9.taken_on.isoformat()) == (
        ["phq9_item9_positive"],
        True,
        "2026-11-19",
    )
    cssrs = sitting.assessments.get(instrument="cssrs-screener-recent")
    assert (cssrs.level, cssrs.total, cssrs.flags) == ("moderate", None, ["cssrs_moderate"])
    assert [rule for rule in cssrs.rules if rule["id"].startswith("SR")] == [{"id": "SR-03", "version": "1"}]
    sitting.client.refresh_from_db()
    assert sitting.client.phq9 == [["2026-11-19", 17, True]]


def test_blank_safety_items_are_a_flag_when_the_form_is_sent(check_in: Phone) -> None:
    """Skipped by address, not by the button: nothing was said about suicide, and that is said."""
    check_in.say("phq-9--1", "3")
    sitting = send_all(check_in)
    alert = Alert.objects.get()
    assert (alert.severity, alert.rule_ids, alert.source_id) == ("priority", ["SR-07"], sitting.pk)
    assert (sitting.assessments.get(instrument="phq-9").total, sitting.skipped) == (None, [])


def test_item_9_above_zero_and_all_no_is_reconciled(check_in: Phone) -> None:
    for n in range(1, 9):
        check_in.say(f"phq-9--{n}", "0")
    check_in.say(ITEM9, "1")
    for item in ("1", "2", "6"):
        check_in.say(CSSRS + item, "0")
    send_all(check_in)
    assert Alert.objects.get().rule_ids == ["SR-05", "SR-08"]
    assert Alert.objects.get().severity == "priority"  # what was raised stays raised


def test_an_unfinished_screener_is_sent_as_such(check_in: Phone) -> None:
    check_in.say(ITEM9, "2")
    check_in.skip(CSSRS + "1")
    sitting = send_all(check_in)
    assert sitting.assessments.get(instrument="cssrs-screener-recent").level == "declined"
    assert set(Alert.objects.get().rule_ids) == {"SR-06", "SR-07"}
    assert Alert.objects.get().severity == "urgent"


def test_sending_twice_is_once(phone: Phone) -> None:
    fill_required(phone)
    key = "k" * 32
    first = phone.post("/my/send/", key=key)
    again = phone.post("/my/send/", key=key)
    third = phone.post("/my/send/")
    assert [answer["Location"] for answer in (first, again, third)] == ["/my/done/"] * 3
    assert (
        AuditEvent.objects.filter(action="intake.submitted").count(),
        Task.objects.filter(kind="new_intake").count(),
        Assessment.objects.filter(instrument="phq-9").count(),
    ) == (1, 1, 1)


def test_two_tabs_do_not_lose_each_others_answers(phone: Phone) -> None:
    phone.browser.get("/my/q/story/")
    phone.browser.get("/my/q/hopes/")
    phone.say("hopes", "from the second tab")
    phone.say("story", "from the first tab")
    assert phone.said() == {"hopes": "from the second tab", "story": "from the first tab"}


def test_back_shows_the_answer_and_a_changed_one_wins(phone: Phone) -> None:
    """Ux check 8."""
    phone.say("phq-9--5", "1")
    phone.say("phq-9--6", "1")
    shown = phone.browser.get("/my/q/phq-9--5/").content.decode()
    assert re.findall(r'value="([0-9])"[^>]* checked', shown) == ["1"]
    phone.say("phq-9--5", "3")
    assert phone.saved("phq-9--5") == 3


def test_sending_waits_for_what_is_required_and_says_what(phone: Phone) -> None:
    """Feature B2: an unsigned required form cannot reach complete."""
    assert phone.post("/my/send/")["Location"] == "/my/check/"
    page = text_of(phone.browser.get("/my/check/"))
    assert "Before you send, we need these" in page
    assert "Agreement to start care" in page and "Choose the state where you are now." in page
    assert "Send my answers" not in page
    with pytest.raises(NotNow):
        actions.submit(by=phone.sitting.client, sitting=phone.sitting, at=NOW)
    assert (phone.sitting.submitted_at, Assessment.objects.count()) == (None, 0)


def test_a_send_that_dies_leaves_nothing_half_done(phone: Phone, settings: Any) -> None:
    fill_required(phone)
    phone.say("phq-9--1", "3")
    ring, before = settings.KEY_RING, AuditEvent.objects.count()
    phone.browser.raise_request_exception = False
    settings.KEY_RING = KeyRing({name: keys for name, keys in ring.keys.items() if name != "audit"})
    assert phone.post("/my/send/").status_code == 500
    settings.KEY_RING = ring
    sam = Client.objects.get(pk=phone.sitting.client_id)
    assert (phone.sitting.submitted_at, Assessment.objects.count(), AuditEvent.objects.count(), sam.legal_name) == (
        None,
        0,
        before,
        "Sam Whitehorse",
    )
    send_all(phone)


def test_the_one_signal_is_sent_inside_the_transaction(check_in: Phone) -> None:
    heard: list[tuple[Any, ...]] = []

    def listen(sender: Any, intake: Intake, at: Any, **rest: Any) -> None:
        heard.append(
            (
                sender,
                intake.pk,
                at,
                intake.assessments.count(),
                AuditEvent.objects.filter(action="intake.submitted").count(),
            )
        )

    assessment_submitted.connect(listen)
    try:
        check_in.say(ITEM9, "0")
        sitting = send_all(check_in)
    finally:
        assessment_submitted.disconnect(listen)
    assert heard == [(Intake, sitting.pk, NOW, 2, 0)]


def test_who_they_are_is_carried_over_and_what_they_left_out_stays(phone: Phone, sam: Client) -> None:
    """Features A12, A13 and A19."""
    fill_required(phone)
    phone.say("reach", ["email"])
    phone.say("private", ["email"])
    phone.say("pronouns", "they")
    phone.say("allergies", "Penicillin")
    phone.say("emergency-contact", name="Jo", phone="555 0170", relation="parent", may_talk="emergency")
    phone.say("support-person", name="Alex", phone="555 0178", relation="friend", may_talk="no")
    sam.refresh_from_db()
    assert sam.reach == {"sms": False, "email": True, "voice": False, "voicemail": False, "private": ["email"]}
    assert sam.legal_name == "Sam Whitehorse"  # who they are waits for Send
    send_all(phone)
    sam.refresh_from_db()
    assert (sam.name_used, sam.legal_name, sam.pronouns, sam.birth_date) == (
        "Sam",
        "Samuel Whitehorse",
        "they",
        "1993-03-08",
    )
    assert (sam.phone, sam.email, sam.address) == ("555 0142", "sam@example.net", "12 Elm Street, Troy")
    assert (sam.allergies, sam.zone) == ("Penicillin", "America/New_York")
    assert sam.contacts == [
        {"role": "emergency", "name": "Jo", "relation": "Parent", "phone": "555 0170", "may_talk": "emergency"},
        {"role": "support", "name": "Alex", "relation": "Friend", "phone": "555 0178", "may_talk": "no"},
    ]
    assert list(Client.objects.named("samu")) == [sam]
    assert list(Client.objects.filter(email_index=sam.email_index)) == [sam]


def test_no_safe_way_is_kept_at_once_and_stops_reminders(phone: Phone, sam: Client) -> None:
    phone.post("/my/q/reach/", {"answer": "none"})
    sam.refresh_from_db()
    assert [sam.may_reach_by(channel) for channel in ("sms", "email", "voice")] == [False, False, False]


def test_facts_and_skips_are_kept_for_the_decision_table(phone: Phone) -> None:
    fill_required(phone)
    phone.say("aneurysm", "yes")
    phone.say("medicine-kinds", ["opioid"])
    phone.skip("story")
    phone.skip("phq-9--5")
    sitting = send_all(phone)
    assert sitting.facts == {"aneurysm_or_avm": True, "meds": ["opioid"], "ketamine_consent_signed": False}
    assert sitting.skipped == ["story", "phq-9--5"]


def test_skipped_is_said_kindly_at_the_check_and_change_comes_back(phone: Phone) -> None:
    """Ux check 7."""
    assert phone.skip("phq-9--5")["Location"] == "/my/q/phq-9--6/"
    page = phone.browser.get("/my/check/").content.decode()
    assert "Skipped: you would like to talk about this in person" in page
    assert "/my/q/phq-9--5/?from=check" in page
    form = phone.browser.get("/my/q/phq-9--5/?from=check").content.decode()
    assert '<input type="hidden" name="from" value="check">' in form
    assert phone.post("/my/q/phq-9--5/", {"answer": "1", "from": "check"})["Location"] == "/my/check/"


# --- Agreements ------------------------------------------------------------------------------------------------------

KETAMINE = {
    "typed_name": "Samuel Whitehorse",
    "relation": "self",
    "ack_off_label": "on",
    "ack_compounded": "on",
    "ack_abuse": "on",
    "ack_driving": "on",
}


def test_a_signature_keeps_the_exact_text_who_and_when(phone: Phone) -> None:
    """Features B1 and B4."""
    assert phone.post("/my/q/agreement--ketamine/", KETAMINE, HTTP_USER_AGENT="Phone/1").status_code == 303
    row = Signature.objects.get()
    text = agreement.load("ketamine", "1")
    assert (row.document, row.version, row.text_sha256, row.typed_name, row.relation, row.signed_at, row.device) == (
        "ketamine",
        "1",
        text.sha256,
        "Samuel Whitehorse",
        "self",
        NOW,
        "127.0.0.1 Phone/1",
    )
    assert row.acknowledged == ["off_label", "compounded", "abuse", "driving"]
    assert "You signed this on Thu Nov 19, 10:00 am." in text_of(phone.browser.get("/my/q/agreement--ketamine/"))
    phone.post("/my/q/agreement--ketamine/", KETAMINE | {"typed_name": "Somebody else"})
    assert Signature.objects.get().typed_name == "Samuel Whitehorse"


@pytest.mark.parametrize("left_out", [key for key in KETAMINE if key != "relation"])
def test_each_point_and_the_name_are_needed(phone: Phone, left_out: str) -> None:
    answer = phone.post("/my/q/agreement--ketamine/", {k: v for k, v in KETAMINE.items() if k != left_out})
    assert answer.status_code == 200
    assert "There is a problem" in text_of(answer)
    assert Signature.objects.count() == 0


def test_an_optional_agreement_may_be_passed_over_and_the_required_one_not(phone: Phone) -> None:
    assert phone.skip("agreement--telehealth").status_code == 303
    assert phone.skip("agreement--treatment").status_code == 200
    assert Signature.objects.count() == 0


def test_a_copy_is_a_tagged_pdf_with_the_text_and_the_name(phone: Phone) -> None:
    """Feature B10. Nothing typed can become markup."""
    name = 'Sam #panic("x") *W* $y$'
    fill_required(phone)
    phone.post("/my/q/agreement--ketamine/", KETAMINE | {"typed_name": name})
    send_all(phone)
    page = phone.browser.get("/my/done/").content.decode()
    row = Signature.objects.get(document="ketamine")
    assert f"/my/copies/{row.pk}/" in page
    answer = phone.browser.get(f"/my/copies/{row.pk}/")
    assert (answer["Content-Type"], answer["Cache-Control"]) == ("application/pdf", "no-store")
    assert answer["Content-Disposition"] == 'attachment; filename="agreement-ketamine.pdf"'
    reader = pypdf.PdfReader(io.BytesIO(answer.content))
    words = " ".join(" ".join(sheet.extract_text() for sheet in reader.pages).split())
    for said in (
        name,
        "About ketamine",
        "The FDA has not approved ketamine",
        "November 19, 2026 at 10:00 EST",
        "For myself",
    ):
        assert said in words
    assert row.text_sha256 in words.replace(" ", "")
    root: Any = reader.trailer["/Root"]
    assert (root["/MarkInfo"]["/Marked"], root["/Lang"][:2], reader.metadata and reader.metadata.title) == (
        True,
        "en",
        "About ketamine",
    )
    assert AuditEvent.objects.filter(action="copy.downloaded").count() == 1


def test_done_says_who_reads_it_and_when(phone: Phone) -> None:
    fill_required(phone)
    send_all(phone)
    page = text_of(phone.browser.get("/my/done/"))
    assert "Maya has your answers" in page
    assert "Maya reads them by Thu Nov 19, 12:00 pm." in page
    assert "Nobody watches this form day and night." in page


def test_start_says_how_long_who_reads_it_and_how_to_come_back(phone: Phone) -> None:
    page = text_of(phone.browser.get("/my/"))
    assert actions.return_code(phone.sitting) in page
    assert "by Thu Nov 19, 12:00 pm" in page
    assert "not watched day and night" in page and "988" in page


def test_helpers_are_marked(phone: Phone) -> None:
    fill_required(phone)
    phone.say("filled-by", "guardian")
    assert send_all(phone).completed_by == "guardian"


def test_the_time_taken_is_from_first_to_last_answer(check_in: Phone, clock: Any) -> None:
    check_in.say("gad-7--1", "1")
    clock.shift(timedelta(seconds=90))
    check_in.say("gad-7--7", "1")
    assert send_all(check_in).assessments.get(instrument="gad-7").seconds == 90


def test_required_answers_match_the_packet() -> None:
    from intake import flow, packet

    wanted = packet.load("intake", "1")
    assert set(REQUIRED) == {page.slug for page in flow.missing(wanted.pages, {})}
