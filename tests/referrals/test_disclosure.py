"""Who may be told what: every reason code of the one gate, and the rows that say what left."""

from datetime import date, datetime, timedelta
from typing import Any

import pytest

from practice.actions import NotNow
from practice.models import AuditEvent, Client, Practice, User
from referrals import disclosure
from referrals.disclosure import CODES, Answer, disclose, judge, may_disclose, may_read, redisclosure_notice
from referrals.models import Destination, Disclosure, Packet, Referral, Release, Section
from referrals.states import State
from tests import factories
from tests.factories import NOW

TODAY = date(2026, 11, 19)
WHY = "To decide about treatment"
SOME = [Section.IDENTITY, Section.SAFETY, Section.SUBSTANCES]


def clinic(name: str = "Northlake", **fields: Any) -> Destination:
    return Destination.objects.create(name=name, email="desk@northlake.example", created_at=NOW, **fields)


def release(client: Client, to: Destination, sections: list[str] | None = None, **fields: Any) -> Release:
    """A signed release that is good for half a year."""
    given = {
        "recipient": to.name,
        "sections": list(SOME) if sections is None else sections,
        "document_version": "1",
        "text_sha256": "0" * 64,
        "expires_on": TODAY + timedelta(days=180),
        "asked_at": NOW - timedelta(days=1),
        "signed_at": NOW - timedelta(hours=1),
        "method": Release.Method.PHONE,
    }
    row = Release(client=client, destination=to, **(given | fields))
    row.purpose = WHY
    row.save(force_insert=True)
    return row


def packet(by: User, client: Client, to: Destination) -> Packet:
    referral = Referral.objects.create(
        client=client, number=1, path="infusion_clinic", destination=to, state=State.SENT, state_at=NOW, sent_at=NOW,
        created_at=NOW, created_by=by,
    )  # fmt: skip
    row = Packet(referral=referral, number=1, sha256="0" * 64, made_at=NOW, made_by=by)
    row.content = {}
    row.save(force_insert=True)
    return row


def said(answer: Answer) -> tuple[bool, str, list[str], list[str]]:
    return answer.allowed, answer.code, answer.sections, answer.withheld


# --- Every reason code -----------------------------------------------------------------------------------------------

YESTERDAY = TODAY - timedelta(days=1)
# code -> what is on file for the clinic (None: nothing), and for another one, in a Part 2 practice or not
CASES: dict[str, tuple[dict[str, Any] | None, bool, bool]] = {
    "ok": ({}, True, False),
    "none_on_file": (None, False, False),
    "not_signed": ({"signed_at": None, "method": ""}, True, False),
    "expired": ({"expires_on": YESTERDAY}, True, False),
    "revoked": ({"revoked_at": NOW}, True, False),
    "recipient_not_named": (None, True, False),
    "section_excluded": ({"sections": [Section.SAFETY, Section.SUBSTANCES]}, True, False),
    "part2_missing": ({"part2": False}, True, True),
}


@pytest.mark.parametrize("code", CASES)
def test_gate_answers_with_this_code(code: str, sam: Client) -> None:
    """Feature B5."""
    here, there = clinic(), clinic("Lakeside")
    on_file, elsewhere, is_part2 = CASES[code]
    rows = [] if on_file is None else [release(sam, here, **on_file)]
    if elsewhere:
        rows.append(release(sam, there))
    answer = judge(rows, here, SOME, TODAY, is_part2)
    allowed = {"ok": SOME, "section_excluded": SOME[1:], "part2_missing": SOME[:2]}.get(code, [])
    kept_back = [section for section in SOME if section not in allowed]
    assert said(answer) == (code == "ok", code, allowed, kept_back)
    assert answer.release == (rows[0] if on_file is not None else None)
    assert "Northlake" in answer.words


def test_every_code_but_the_emergency_has_its_case() -> None:
    assert set(CASES) == set(CODES) - {"emergency"}


def test_release_is_good_through_its_last_day_of_the_practice(house: Practice, sam: Client) -> None:
    here = clinic()
    row = release(sam, here, expires_on=TODAY)
    late = datetime.fromisoformat("2026-11-19T23:59:00-05:00")
    after = late + timedelta(minutes=1)
    codes = [may_disclose(sam, here, SOME, WHY, at).code for at in (late, after)]
    assert codes == ["ok", "expired"]
    assert [row.stands(day) for day in (TODAY, TODAY + timedelta(days=1))] == codes


def test_newest_release_says_why_not(sam: Client) -> None:
    here = clinic()
    old = release(sam, here, expires_on=YESTERDAY, asked_at=NOW - timedelta(days=300))
    asked = release(sam, here, signed_at=None, method="")
    assert judge([old, asked], here, SOME, TODAY, False).code == "not_signed"


def test_release_that_was_taken_back_unsigned_is_revoked(sam: Client) -> None:
    here = clinic()
    row = release(sam, here, signed_at=None, method="", revoked_at=NOW, expires_on=YESTERDAY)
    assert judge([row], here, SOME, TODAY, False).code == "revoked"


def test_release_that_covers_most_is_the_one(sam: Client) -> None:
    """Two releases are not added up: a row names the one by which it left."""
    here = clinic()
    wide = release(sam, here, asked_at=NOW - timedelta(days=9))
    narrow = release(sam, here, [Section.IDENTITY, Section.PAIN])
    assert judge([wide, narrow], here, SOME, TODAY, False).release == wide
    both = judge([wide, narrow], here, [*SOME, Section.PAIN], TODAY, False)
    assert (both.release, said(both)) == (wide, (False, "section_excluded", SOME, [Section.PAIN]))


def test_taken_back_release_leaves_an_older_good_one_standing(sam: Client) -> None:
    here = clinic()
    good = release(sam, here, asked_at=NOW - timedelta(days=9))
    release(sam, here, revoked_at=NOW)
    assert judge(Release.objects.all(), here, SOME, TODAY, False).release == good


def test_code_that_is_no_section_never_leaves(sam: Client) -> None:
    here = clinic()
    row = release(sam, here)
    answer = judge([row], here, ["psychotherapy_notes", "identity"], TODAY, False)
    assert said(answer) == (False, "section_excluded", ["identity"], ["psychotherapy_notes"])


def test_release_of_another_client_opens_nothing(house: Practice, sam: Client, kit: Client) -> None:
    here = clinic()
    release(kit, here)
    assert may_disclose(sam, here, SOME, WHY, NOW).code == "none_on_file"


def test_nothing_leaves_for_no_purpose(house: Practice, sam: Client) -> None:
    with pytest.raises(ValueError, match="what the disclosure is for"):
        may_disclose(sam, clinic(), SOME, "  ", NOW)


@pytest.mark.parametrize(("part2", "code"), [(False, "part2_missing"), (True, "ok")])
def test_part2_practice_needs_the_part2_consent(part2: bool, code: str, sam: Client) -> None:
    """Security check 51."""
    house = factories.practice(is_part2=True)
    here = clinic()
    release(sam, here, part2=part2)
    assert may_disclose(sam, here, SOME, WHY, NOW).code == code
    assert may_disclose(sam, here, SOME[:2], WHY, NOW).code == "ok"
    assert disclosure.needs_notice(SOME, house) is True
    assert disclosure.needs_notice(SOME[:2], house) is False


def test_notice_is_the_words_of_the_rule() -> None:
    """Security check 51: the text that goes on page 1."""
    said = redisclosure_notice()
    assert said.startswith("This record which has been disclosed to you is protected by Federal confidentiality rules")
    assert said.endswith("further use or redisclose the record (see 42 CFR 2.31).")
    assert "\n" not in said


# --- The rows --------------------------------------------------------------------------------------------------------


def send(by: User, client: Client, to: Destination, **fields: Any) -> Disclosure:
    given: dict[str, Any] = {
        "referral": None,
        "packet": None,
        "sections": SOME,
        "purpose": WHY,
        "channel": "link",
        "at": NOW,
    }
    given |= fields
    if not given.get("emergency_reason"):
        given["answer"] = may_disclose(client, to, given["sections"], given["purpose"], given["at"])
    return disclose(by=by, client=client, destination=to, **given)


def test_sending_leaves_a_row_that_says_what_why_and_by_which_release(house: Practice, maya: User, sam: Client) -> None:
    """Security check 50."""
    here = clinic()
    mine = release(sam, here)
    made = packet(maya, sam, here)
    send(maya, sam, here, referral=made.referral, packet=made, sections=[*reversed(SOME)])
    row = Disclosure.objects.get()
    assert (row.client, row.destination, row.recipient, row.referral, row.packet, row.release) == (
        sam, here, "Northlake", made.referral, made, mine,
    )  # fmt: skip
    assert (row.sections, row.purpose, row.channel, row.is_emergency, row.part2, row.at, row.by) == (
        ["identity", "safety", "substances"], WHY, "link", False, False, NOW, maya,
    )  # fmt: skip
    event = AuditEvent.objects.get(action="disclosure.made")
    assert (event.client_id, event.actor_id, event.facts) == (sam.pk, maya.pk, {"channel": "link", "sections": 3})


def test_what_was_taken_back_while_the_page_was_open_does_not_leave(house: Practice, maya: User, sam: Client) -> None:
    here = clinic()
    mine = release(sam, here)
    answer = may_disclose(sam, here, SOME, WHY, NOW)
    Release.objects.filter(pk=mine.pk).update(revoked_at=NOW)
    with pytest.raises(NotNow, match="took the release for Northlake back"):
        disclose(
            by=maya, client=sam, destination=here, referral=None, packet=None, sections=SOME, purpose=WHY,
            channel="link", at=NOW, answer=answer,
        )  # fmt: skip
    assert not Disclosure.objects.exists()


@pytest.mark.parametrize("reason", ["", "   \n"])
def test_emergency_needs_its_reason_in_words(reason: str, house: Practice, maya: User, sam: Client) -> None:
    """Feature B7."""
    with pytest.raises(NotNow, match="cannot wait"):
        disclose(
            by=maya, client=sam, destination=clinic(), referral=None, packet=None, sections=SOME, purpose=WHY,
            channel="phone", at=NOW, emergency_reason=reason,
        )  # fmt: skip
    assert not Disclosure.objects.exists()


def test_emergency_is_marked_with_its_reason_and_no_release(house: Practice, maya: User, sam: Client) -> None:
    """Feature B7; security check 50."""
    send(maya, sam, clinic(), emergency_reason=" Unconscious on arrival ", channel="phone")
    row = Disclosure.objects.get()
    assert (row.is_emergency, row.reason, row.release) == (True, "Unconscious on arrival", None)
    assert AuditEvent.objects.filter(action="disclosure.emergency", client_id=sam.pk).count() == 1


def test_row_is_not_edited(house: Practice, maya: User, sam: Client) -> None:
    row = send(maya, sam, clinic(), emergency_reason="Unconscious on arrival")
    row.channel = "fax"
    with pytest.raises(ValueError, match="cannot be changed"):
        row.save()
    assert Disclosure.objects.get().channel == "link"


# --- Each view -------------------------------------------------------------------------------------------------------


def test_clinic_reads_while_the_release_is_good_and_not_a_second_longer(
    house: Practice, maya: User, sam: Client
) -> None:
    """Security check 51, UX check 19: the next view is refused; nothing is kept between two."""
    here = clinic()
    mine = release(sam, here)
    made = packet(maya, sam, here)
    assert may_read(made, NOW).code == "none_on_file"  # made, but not sent
    send(maya, sam, here, referral=made.referral, packet=made)
    assert said(may_read(made, NOW)) == (True, "ok", SOME, [])
    Release.objects.filter(pk=mine.pk).update(revoked_at=NOW)
    assert said(may_read(made, NOW)) == (False, "revoked", [], SOME)


def test_narrower_release_closes_what_was_sent_by_a_wider_one(house: Practice, maya: User, sam: Client) -> None:
    here = clinic()
    mine = release(sam, here)
    made = packet(maya, sam, here)
    send(maya, sam, here, referral=made.referral, packet=made)
    release(sam, here, [Section.IDENTITY])
    Release.objects.filter(pk=mine.pk).update(revoked_at=NOW)
    assert said(may_read(made, NOW)) == (False, "section_excluded", ["identity"], SOME[1:])


def test_packet_goes_to_its_own_clinic_only(house: Practice, maya: User, sam: Client) -> None:
    here, there = clinic(), clinic("Lakeside")
    release(sam, here)
    made = packet(maya, sam, here)
    send(maya, sam, here, referral=made.referral, packet=made)
    made.referral.destination = there
    assert may_read(made, NOW).allowed is False


def test_emergency_can_be_read_for_three_days_or_until_the_client_says_no(
    house: Practice, maya: User, sam: Client
) -> None:
    here = clinic()
    made = packet(maya, sam, here)
    send(maya, sam, here, referral=made.referral, packet=made, emergency_reason="Unconscious on arrival")
    end = NOW + timedelta(hours=72)
    codes = [may_read(made, at).code for at in (NOW, end, end + timedelta(seconds=1))]
    assert codes == ["emergency", "emergency", "none_on_file"]
    release(sam, here, revoked_at=NOW + timedelta(hours=1))
    assert may_read(made, NOW + timedelta(hours=2)).code == "revoked"


@pytest.mark.parametrize(
    ("by_staff", "words", "code"),
    [(False, "", "revoked"), (True, "He rang and said no", "revoked"), (True, "", "emergency")],
    ids=["the client", "the client to staff", "staff asked anew"],
)
def test_emergency_ends_at_a_word_of_the_client_before_anything_was_signed(
    by_staff: bool, words: str, code: str, house: Practice, maya: User, sam: Client
) -> None:
    here = clinic()
    made = packet(maya, sam, here)
    send(maya, sam, here, referral=made.referral, packet=made, emergency_reason="Unconscious on arrival")
    row = release(sam, here, signed_at=None, method="")
    row.revoked_at, row.revoked_by, row.revoked_words = NOW + timedelta(hours=1), maya if by_staff else None, words
    row.save()
    assert may_read(made, NOW + timedelta(hours=2)).code == code
