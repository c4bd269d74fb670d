"""Asking for a release, signing it, taking it back, and the warning before one ends."""

import hashlib
import io
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pypdf
import pytest

from practice import jobs, notices
from practice.actions import NotNow
from practice.models import AuditEvent, Client, Notice, Practice, Task, User
from referrals import release_copies, release_text
from referrals.actions import releases as actions
from referrals.disclosure import may_disclose, may_read
from referrals.models import Destination, Release, Section, Sending
from referrals.states import State
from tests import factories
from tests.factories import NOW
from tests.intake.test_words import HARDEST, grade
from tests.referrals.test_disclosure import SOME, TODAY, WHY, clinic, packet, release, send

ROOT = Path(release_text.__file__).parent
LATER = NOW + timedelta(minutes=5)


def asked(by: User, client: Client, to: Destination, **fields: Any) -> Release:
    given: dict[str, Any] = {
        "sections": SOME,
        "purpose": WHY,
        "expires_on": TODAY + timedelta(days=180),
        "part2": False,
        "at": NOW,
    }
    return actions.ask(by=by, client=client, destination=to, **(given | fields))


def signed(by: User | Client, row: Release, **fields: Any) -> bool:
    given = {"typed_name": "Sam Whitehorse", "relation": "self", "method": Release.Method.PHONE, "at": LATER}
    return actions.sign(by=by, release=row, **(given | fields))


# --- The texts -------------------------------------------------------------------------------------------------------


def test_no_released_text_was_changed() -> None:
    """Security check 78: edit a copy under the next version, never the file itself."""
    locked = dict(reversed(line.split("  ")) for line in (ROOT / "releases.lock").read_text().splitlines())
    found = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in (ROOT / "releases").glob("*.toml")}
    assert found == locked


# Core elements and statements of 45 CFR 164.508(c), and elements of 42 CFR 2.31(a), by the key of their point.
MUST = {
    "roi": {
        "sections",
        "from",
        "to",
        "purpose",
        "until",
        "revoke",
        "revoke_limit",
        "condition",
        "redisclosure",
        "copy",
    },
    "part2": {"patient", "discloser", "what", "recipient", "purpose", "revoke", "until", "redisclosure", "refuse"},
}


@pytest.mark.parametrize("key", MUST)
def test_text_says_all_it_must_with_a_plain_line_above_each_part(key: str) -> None:
    text = release_text.load(key, "1")
    assert MUST[key] - {point.key for part in text.parts for point in part.points} == set()
    assert [part.title for part in text.parts if not part.line] == []
    assert text.summary and text.sign


@pytest.mark.parametrize("key", MUST)
def test_text_reads_at_grade_eight_or_below(key: str) -> None:
    text = release_text.load(key, "1")
    said = [text.summary, text.sign, *release_text.details("1").values()]
    for part in text.parts:
        said += [part.line, *(point.text for point in part.points)]
    assert grade("\n".join(said)) <= HARDEST
    assert [words for words in said for one in words.split(". ") if len(one.split()) > 22] == []


def test_every_section_is_explained_in_plain_words() -> None:
    assert set(release_text.details("1")) == set(Section.values)


def test_text_is_filled_in_once_over(house: Practice, maya: User, sam: Client) -> None:
    """Braces that somebody typed stay what they are."""
    row = asked(maya, sam, clinic("Lake {until}"), purpose="{client} {practice}")
    words = [point.text for text in release_text.texts(row) for part in text.parts for point in part.points]
    assert "It goes to Lake {until}, and to the people there who look after you." in words
    assert "{client} {practice}" in words


def test_text_names_what_was_ticked_and_nothing_else(house: Practice, maya: User, sam: Client) -> None:
    row = asked(maya, sam, clinic(), sections=["pain", "identity", "nonsense"])
    assert row.sections == ["identity", "pain"]
    assert [line.partition(".")[0] for _code, line in release_text.section_lines(row)] == [
        "Who you are and how to reach you safely",
        "Pain",
    ]


def test_part2_text_is_part_of_it_only_in_a_programme(maya: User, sam: Client) -> None:
    """Security check 51."""
    factories.practice(is_part2=False)
    assert asked(maya, sam, clinic(), part2=True).part2 is False
    factories.practice(is_part2=True)
    row = asked(maya, sam, clinic("Lakeside"), part2=True)
    assert [text.key for text in release_text.texts(row)] == ["roi", "part2"]


# --- Asking ----------------------------------------------------------------------------------------------------------


def test_asking_names_recipient_content_purpose_and_end(house: Practice, maya: User, sam: Client) -> None:
    """Feature B5."""
    here = clinic()
    row = Release.objects.get(pk=asked(maya, sam, here, purpose=f"  {WHY} ").pk)
    assert (row.client, row.destination, row.recipient, row.sections, row.purpose, row.expires_on) == (
        sam, here, "Northlake", ["identity", "safety", "substances"], WHY, date(2027, 5, 18),
    )  # fmt: skip
    assert (row.document, row.document_version, row.asked_by, row.signed_at) == ("roi", "1", maya, None)
    assert row.text_sha256 == release_text.fingerprint(row)
    assert may_disclose(sam, here, SOME, WHY, LATER).code == "not_signed"


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"sections": []}, "Tick at least one part"),
        ({"sections": ["psychotherapy_notes"]}, "Tick at least one part"),
        ({"purpose": "  "}, "what they get it for"),
        ({"expires_on": TODAY - timedelta(days=1)}, "between today and"),
        ({"expires_on": date(2099, 1, 1)}, "between today and"),
    ],
)
def test_asking_says_what_is_missing(
    fields: dict[str, Any], sentence: str, house: Practice, maya: User, sam: Client
) -> None:
    with pytest.raises(NotNow, match=sentence):
        asked(maya, sam, clinic(), **fields)
    assert not Release.objects.exists()


def test_nobody_is_asked_for_a_clinic_that_is_gone_or_after_they_left(house: Practice, maya: User, sam: Client) -> None:
    with pytest.raises(NotNow, match="not in use"):
        asked(maya, sam, clinic(is_active=False))
    sam.status = Client.Status.DIED
    with pytest.raises(NotNow, match="discharged"):
        asked(maya, sam, clinic("Lakeside"))


def test_newer_request_takes_the_place_of_one_that_waits(house: Practice, maya: User, sam: Client) -> None:
    here, there = clinic(), clinic("Lakeside")
    first, other = asked(maya, sam, here), asked(maya, sam, there)
    second = asked(maya, sam, here, at=LATER)
    rows = {row.pk: (row.revoked_at, row.revoked_by) for row in Release.objects.all()}
    assert rows == {first.pk: (LATER, maya), other.pk: (None, None), second.pk: (None, None)}


def test_client_is_told_by_a_message_that_says_nothing(
    house: Practice, maya: User, sam: Client, mailoutbox: list[Any]
) -> None:
    row = asked(maya, sam, clinic())
    assert actions.tell(by=maya, release=row, at=NOW) == ["email", "sms"]
    jobs.run_due()
    (message,) = mailoutbox
    assert message.to == ["sam@example.net"]
    assert message.subject == "Cedar House: something new to read and sign"
    assert [word for word in ("Northlake", "Sam", str(sam.pk), str(row.pk)) if word in message.body] == []


def test_nothing_is_sent_where_no_way_is_safe(house: Practice, maya: User) -> None:
    mute = factories.client(maya, "Ada Quill", reach={"email": False, "sms": False})
    row = asked(maya, mute, clinic())
    with pytest.raises(NotNow, match="no safe way"):
        actions.tell(by=maya, release=row, at=NOW)
    assert Notice.objects.count() == 0


# --- Signing ---------------------------------------------------------------------------------------------------------


def test_client_signs_on_the_phone(house: Practice, maya: User, sam: Client) -> None:
    here = clinic()
    row = asked(maya, sam, here)
    assert signed(sam, row, typed_name=" Sam Whitehorse ", device="203.0.113.9 Browser") is True
    row = Release.objects.get()
    assert (row.signed_at, row.typed_name, row.relation, row.method, row.witness, row.device) == (
        LATER, "Sam Whitehorse", "self", "phone", None, "203.0.113.9 Browser",
    )  # fmt: skip
    assert may_disclose(sam, here, SOME, WHY, LATER).code == "ok"
    assert AuditEvent.objects.filter(action="release.signed", actor_kind="client", client_id=sam.pk).count() == 1
    assert [(notice.user, notice.template) for notice in Notice.objects.all()] == [(maya, "release")]


def test_signing_twice_keeps_the_first(house: Practice, maya: User, sam: Client) -> None:
    row = asked(maya, sam, clinic())
    assert [signed(sam, row), signed(maya, row, typed_name="Maya Torres", method=Release.Method.STAFF)] == [True, False]
    row.refresh_from_db()
    assert (row.typed_name, row.method) == ("Sam Whitehorse", "phone")
    assert AuditEvent.objects.filter(action="release.signed").count() == 1


def test_staff_who_take_a_signature_are_its_witness(house: Practice, maya: User, sam: Client) -> None:
    row = asked(maya, sam, clinic())
    signed(maya, row, method=Release.Method.PAPER, relation="guardian", signed_on=date(2026, 11, 17))
    row.refresh_from_db()
    assert (row.witness, row.method, row.relation) == (maya, "paper", "guardian")
    assert row.signed_at is not None
    assert row.signed_at.isoformat() == "2026-11-17T17:00:00+00:00"  # noon of the practice
    assert Notice.objects.count() == 0  # she knows


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"typed_name": " "}, "full name"),
        ({"at": NOW + timedelta(days=400)}, "last day"),
        ({"signed_on": TODAY + timedelta(days=1)}, "cannot lie ahead"),
    ],
)
def test_signing_says_why_not(fields: dict[str, Any], sentence: str, house: Practice, maya: User, sam: Client) -> None:
    row = asked(maya, sam, clinic())
    with pytest.raises(NotNow, match=sentence):
        signed(maya, row, **fields)
    assert Release.objects.get().signed_at is None


def test_release_that_was_taken_back_while_they_read_is_not_signed(house: Practice, maya: User, sam: Client) -> None:
    row = asked(maya, sam, clinic())
    actions.revoke(by=maya, release=row, words="Wrong clinic", at=NOW)
    with pytest.raises(NotNow, match="taken back"):
        signed(sam, row)
    assert Release.objects.get().signed_at is None


def test_words_that_changed_since_are_not_signed(house: Practice, maya: User, sam: Client) -> None:
    row = asked(maya, sam, clinic())
    Release.objects.filter(pk=row.pk).update(expires_on=TODAY + timedelta(days=300))
    with pytest.raises(NotNow, match="changed since"):
        signed(sam, row)


# --- Taking back -----------------------------------------------------------------------------------------------------


def sent(by: User, client: Client, to: Destination) -> tuple[Release, Sending]:
    """A packet on its way by mail, by a good release."""
    mine = release(client, to)
    made = packet(by, client, to)
    send(by, client, to, referral=made.referral, packet=made)
    notice = notices.tell_clinic(to.email, "news", client=client, link="http://testserver/r/x/")
    return mine, Sending.objects.create(
        referral=made.referral, packet=made, channel="link", notice=notice, at=NOW, by=by
    )


def test_taking_back_stops_the_next_view_and_the_mail_that_waits(
    house: Practice, maya: User, sam: Client, mailoutbox: list[Any]
) -> None:
    """Security check 51, UX check 19, feature B6."""
    here = clinic()
    mine, sending = sent(maya, sam, here)
    assert may_read(sending.packet, LATER).code == "ok"
    assert actions.revoke(by=sam, release=mine, at=LATER) is True
    assert may_read(sending.packet, LATER).code == "revoked"
    sending.refresh_from_db()
    assert (sending.state, sending.trouble, sending.settled_at) == ("stopped", "taken_back", LATER)
    jobs.run_due()
    assert [message.to for message in mailoutbox] == [[maya.email]]
    task = Task.objects.get(kind="release")
    assert (task.client, task.subject_id, task.facts, task.done_at) == (sam, mine.pk, {"reason": "taken_back"}, None)
    event = AuditEvent.objects.get(action="release.revoked")
    assert (event.actor_kind, event.client_id, event.facts) == ("client", sam.pk, {"stopped": 1})


def test_mail_goes_on_where_another_release_still_covers_it(house: Practice, maya: User, sam: Client) -> None:
    here = clinic()
    mine, sending = sent(maya, sam, here)
    release(sam, here, asked_at=NOW - timedelta(days=5))
    actions.revoke(by=sam, release=mine, at=LATER)
    sending.refresh_from_db()
    assert (sending.state, may_read(sending.packet, LATER).code) == ("waiting", "ok")


def test_mail_about_somebody_else_or_elsewhere_is_left_alone(
    house: Practice, maya: User, omar: User, sam: Client, kit: Client
) -> None:
    here = clinic()
    _theirs, sending = sent(omar, kit, here)
    actions.revoke(by=sam, release=release(sam, here), at=LATER)
    sending.refresh_from_db()
    assert sending.state == "waiting"


def test_taking_back_twice_is_once(house: Practice, maya: User, sam: Client) -> None:
    mine = release(sam, clinic())
    assert [actions.revoke(by=sam, release=mine, at=at) for at in (NOW, LATER)] == [True, False]
    assert Release.objects.get().revoked_at == NOW
    assert AuditEvent.objects.filter(action="release.revoked").count() == 1


def test_staff_take_back_by_the_clients_words(house: Practice, maya: User, fay: User, sam: Client) -> None:
    mine = release(sam, clinic())
    with pytest.raises(NotNow, match="what the client said"):
        actions.revoke(by=fay, release=mine, at=NOW, words=" ")
    actions.revoke(by=fay, release=mine, at=NOW, words="Called at 3 pm")
    row = Release.objects.get()
    assert (row.revoked_by, row.revoked_words) == (fay, "Called at 3 pm")


def test_saying_no_to_a_request_is_told_as_that(house: Practice, maya: User, sam: Client) -> None:
    row = asked(maya, sam, clinic())
    actions.revoke(by=sam, release=row, at=LATER)
    assert Task.objects.get(kind="release").facts == {"reason": "declined"}
    assert may_disclose(sam, row.destination, SOME, WHY, LATER).code == "revoked"


def test_putting_away_closes_the_item(house: Practice, maya: User, sam: Client) -> None:
    mine = release(sam, clinic())
    actions.revoke(by=sam, release=mine, at=NOW)
    actions.put_away(by=maya, release=mine, at=LATER)
    task = Task.objects.get(kind="release")
    assert (task.done_at, task.done_by) == (LATER, maya)


# --- Before it ends --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("days", "told"), [(-1, 0), (0, 1), (14, 1), (15, 0)])
def test_release_is_warned_of_two_weeks_before_it_ends(
    days: int, told: int, house: Practice, maya: User, sam: Client
) -> None:
    """Feature B9, both sides of the two weeks."""
    mine = release(sam, clinic(), expires_on=TODAY + timedelta(days=days))
    assert [actions.warn(at=NOW), actions.warn(at=LATER)] == [told, 0]
    found = [(task.subject_id, task.facts) for task in Task.objects.filter(kind="release", done_at=None)]
    assert found == [(mine.pk, {"reason": "ends"})] * told


def test_warning_is_due_when_the_last_day_is_over(house: Practice, maya: User, sam: Client) -> None:
    release(sam, clinic(), expires_on=TODAY + timedelta(days=3))
    actions.warn(at=NOW)
    assert Task.objects.get().due_at is not None
    assert Task.objects.get().due_at.isoformat() == "2026-11-23T05:00:00+00:00"  # type: ignore[union-attr]


SOON = TODAY + timedelta(days=5)


def test_nobody_is_warned_of_what_nothing_depends_on(house: Practice, maya: User, omar: User, sam: Client) -> None:
    """Unsigned, taken back, followed by a longer one, the referral is over, or the client left."""
    release(sam, clinic("Unsigned"), expires_on=SOON, signed_at=None, method="")
    release(sam, clinic("Back"), expires_on=SOON, revoked_at=NOW)
    followed = clinic("Followed")
    release(sam, followed, expires_on=SOON)
    release(sam, followed)
    over = clinic("Over")
    release(sam, over, expires_on=SOON)
    done = packet(maya, sam, over).referral
    done.state = State.COMPLETED
    done.save()
    gone = factories.client(omar, "Ada Quill", status=Client.Status.DISCHARGED)
    release(gone, clinic("Gone"), expires_on=SOON)
    assert actions.warn(at=NOW) == 0
    assert not Task.objects.filter(kind="release").exists()


def test_warning_is_done_once_the_client_signed_anew(house: Practice, maya: User, sam: Client) -> None:
    here = clinic()
    release(sam, here, expires_on=SOON)
    actions.warn(at=NOW)
    signed(sam, asked(maya, sam, here))
    assert not Task.objects.filter(kind="release", done_at=None).exists()


def test_daily_job_warns(house: Practice, maya: User, sam: Client) -> None:
    release(sam, clinic(), expires_on=factories.today() + timedelta(days=5))
    jobs.enqueue("warn_releases")
    jobs.run_due()
    assert Task.objects.filter(kind="release", client=sam).count() == 1


# --- The copy --------------------------------------------------------------------------------------------------------


def text_of(pdf: bytes) -> str:
    return " ".join(" ".join(page.extract_text() for page in pypdf.PdfReader(io.BytesIO(pdf)).pages).split())


def test_copy_is_the_exact_text_and_the_signature(maya: User, sam: Client) -> None:
    factories.practice(is_part2=True)
    row = asked(maya, sam, clinic(), part2=True)
    signed(maya, row, method=Release.Method.STAFF)
    row.refresh_from_db()
    said = text_of(release_copies.release_copy(row))
    for words in ("Northlake", "Alcohol and drug records", "42 CFR 2.31", "May 18, 2027", "Maya Torres", WHY):
        assert words in said, words
    assert "Not signed yet" not in said
    assert "differs from the one that was signed" not in said


def test_sheet_to_sign_has_room_and_no_signature(house: Practice, maya: User, sam: Client) -> None:
    said = text_of(release_copies.release_copy(asked(maya, sam, clinic())))
    assert "Not signed yet" in said


def test_markup_that_somebody_typed_stays_text(house: Practice, maya: User, sam: Client) -> None:
    """Security check 38: what was typed reaches the PDF as data."""
    typed = '#read("/etc/passwd") *bold* <img src=file:///etc/passwd> $x$'
    row = asked(maya, sam, clinic('#eval("1+1") Lake'), purpose=typed)
    said = text_of(release_copies.release_copy(row))
    assert typed in said
    assert '#eval("1+1") Lake' in said
