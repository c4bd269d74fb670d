"""What somebody hostile, curious or only unlucky tries on the way from a decision to a clinic and back."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client as Browser
from django.urls import reverse
from django.utils import timezone

from intake import actions as intake_actions
from intake import measures
from intake.models import Measure
from practice.actions import NotNow
from practice.models import Alert, AuditEvent, Client, Notice, Task, User
from referrals import disclosure
from referrals.actions import decisions, directory, events, releases, sending
from referrals.models import ClientWord, DeskKey, Referral
from referrals.states import Actor, Event, State
from tests import factories
from tests.conftest import send
from tests.factories import NOW
from tests.homes import at_home
from tests.intake.conftest import Phone, text_of
from tests.referrals import sent as ways
from tests.referrals.cases import ALL, released
from tests.referrals.desks import Coordinator, desk_code, packet_of, words
from tests.referrals.referring import referral_in
from tests.referrals.test_sending import at_risk, hand_off

As = Callable[[User], Any]
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def clock() -> Iterator[Any]:
    with time_machine.travel(ways.LATER + timedelta(minutes=1), tick=False) as now:
        yield now


@pytest.fixture
def went(sam: Client, maya: User) -> Referral:
    return ways.sent(maya, sam, ways.clinic())


# --- The clinic's desk -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("domain", ["gmail.com", "Yahoo.com"])
def test_address_at_everybodys_mail_is_nobodys_colleague(sam: Client, maya: User, domain: str) -> None:
    """A small clinic writes from a free mailbox: that makes nobody who has one there a colleague."""
    row = ways.sent(maya, sam, ways.clinic(email=f"cedar.infusion@{domain}"))
    cleo = Coordinator(row).come_in()
    assert "An address at" not in words(cleo.get("pass/"))
    assert "has been asked to approve this address" in cleo.say("pass/", email=f"ex.partner@{domain.lower()}")
    row.refresh_from_db()
    assert [way.address for way in _ways(row)] == [f"cedar.infusion@{domain.lower()}", "555 0160"]
    assert Notice.objects.filter(template="desk_link").count() == 0


def _ways(row: Referral) -> list[Any]:
    from referrals.actions import desk

    return desk.ways(row)


@pytest.mark.parametrize(("way", "shown"), [("clinic", "d•••@northlake.example"), ("phone", "the phone ending in 60")])
def test_whoever_has_only_the_link_reads_no_address(went: Referral, way: str, shown: str) -> None:
    stranger = Coordinator(went, way=way)
    stranger.ask()
    page = words(stranger.browser.get("/desk/code/"))
    assert (shown in page, "desk@northlake.example" in page) == (True, False)


def test_worry_typed_while_the_page_locked_is_a_flag_at_once(went: Referral, sam: Client, clock: Any) -> None:
    """Law 1: it does not wait for a code. What is read stays locked."""
    cleo = Coordinator(went).come_in()
    clock.shift(timedelta(minutes=16))
    answer = cleo.post("safety/", {"words": "He said that he wants to die.", "safe": "no"})
    assert Alert.objects.get(client=sam).severity == "urgent"
    page = cleo.browser.get(answer["Location"], follow=True)
    assert ("Everything you sent is saved." in words(page), "Sam" in page.content.decode()) == (True, False)
    assert cleo.get()["Location"] == "/desk/code/"


def test_half_a_worry_typed_while_the_page_locked_comes_along_to_the_code(went: Referral, clock: Any) -> None:
    cleo = Coordinator(went).come_in()
    clock.shift(timedelta(minutes=16))
    page = cleo.post("safety/", {"words": "He looks unwell."})
    assert ("What you typed is kept on this page" in words(page), "He looks unwell." in page.context["kept"]) == (
        True, True,
    )  # fmt: skip
    back = send(cleo.browser, "/desk/code/", {"code": _code(went, cleo), "kept": page.context["kept"]})
    assert dict(back.context["fields"])["words"] == "He looks unwell."
    assert Alert.objects.count() == 0


def _code(row: Referral, cleo: Coordinator) -> str:
    send(cleo.browser, "/desk/code/", {"send": "1", "kept": '{"path": "/desk/", "fields": []}'})
    return desk_code()


def test_nobody_who_never_showed_a_code_raises_a_flag(went: Referral) -> None:
    stranger = Coordinator(went)
    stranger.ask()
    said = {"words": "He said that he wants to die.", "safe": "no"}
    assert [each.post("safety/", said).status_code for each in (stranger, Coordinator(went))] == [200, 200]
    assert Alert.objects.count() == 0


@pytest.mark.parametrize("phone", ["ask for Jo at the desk", "555-0160 extension 12, until five", ""])
def test_worry_waits_for_no_number_of_the_right_shape(went: Referral, sam: Client, phone: str) -> None:
    cleo = Coordinator(went).come_in()
    cleo.post("safety/", {"words": "She fainted.", "safe": "unknown", "phone": phone})
    assert (phone or "555 0160") in Alert.objects.get(client=sam).reason


def test_new_address_of_a_clinic_is_told_to_each_therapist_whose_client_it_opens(
    went: Referral, sam: Client, kit: Client, maya: User, omar: User, fay: User, as_user: As
) -> None:
    """Whoever may edit the directory could send a clinic's referrals to a mailbox of their own."""
    clinic = went.destination
    assert clinic is not None
    other = ways.sent(omar, kit, clinic)
    old = Coordinator(went).come_in()
    Notice.objects.all().delete()
    page = as_user(fay).get(reverse("destination_edit", args=[clinic.pk]))
    fields = {name: value for name, value in page.context["form"].initial.items() if value is not None}
    send(as_user(fay), reverse("destination_edit", args=[clinic.pk]), fields | {"email": "fay@home.example"})
    assert DeskKey.objects.get(is_main=True).email == "fay@home.example"
    assert old.get().status_code in (303, 404)
    told = Notice.objects.filter(template="update")
    assert {(notice.user, notice.words["reference"]) for notice in told} == {
        (maya, went.reference), (omar, other.reference),
    }  # fmt: skip
    found = AuditEvent.objects.filter(action="referral.address_changed")
    assert {event.client_id for event in found} == {sam.pk, kit.pk}


def test_pin_adds_no_hour_to_its_twelve(went: Referral, clock: Any) -> None:
    cleo = Coordinator(went).come_in()
    send(cleo.browser, "/desk/pin/", {"pin": "271828"})
    clock.shift(11 * HOUR + timedelta(minutes=50))
    assert send(cleo.browser, cleo.link, {"pin": "271828"})["Location"] == cleo.path()
    assert cleo.get().status_code == 200
    clock.shift(timedelta(minutes=11))
    assert cleo.get()["Location"] == "/desk/code/"


def test_asking_the_client_again_does_not_end_an_emergency(sam: Client, maya: User) -> None:
    """Staff ask for the release that was missing, twice: the clinic that has the client still reads."""
    to, at = ways.clinic(), ways.LATER + HOUR
    row = ways.drafted(maya, sam, to)
    packet = ways.send(maya, row, emergency_reason="She needs a bed tonight.")
    first, second = (
        releases.ask(
            by=maya, client=sam, destination=to, sections=ALL, purpose="Treatment", part2=False, at=at,
            expires_on=(NOW + 30 * DAY).date(),
        )
        for _ in range(2)
    )  # fmt: skip
    first.refresh_from_db()
    assert (first.revoked_at, disclosure.may_read(packet, at + HOUR).code) == (at, disclosure.EMERGENCY)
    releases.revoke(by=sam, release=second, at=at)
    assert not disclosure.may_read(packet, at + HOUR).allowed


def test_colleagues_of_an_old_domain_are_shut_out_with_it(went: Referral, sam: Client, maya: User) -> None:
    """They were let in because they wrote from the clinic's domain; whom the practice approved may stay."""
    clinic, known = went.destination, {"created_at": NOW, "approved_at": NOW}
    assert clinic is not None
    jo = DeskKey.objects.create(destination=clinic, email="jo@northlake.example", **known)
    DeskKey.objects.create(destination=clinic, email="kai@other.example", approved_by=maya, **known)
    Referral.objects.filter(pk=went.pk).update(contact=jo)
    went.refresh_from_db()
    inside = Coordinator(went, way="colleague").come_in()
    directory.revise(by=maya, clinic=clinic, fields={"email": "desk@newname.example"}, at=ways.LATER)
    assert inside.get()["Location"] == "/desk/code/"
    assert sorted(DeskKey.objects.exclude(approved_at=None).values_list("email", flat=True)) == [
        "desk@newname.example", "kai@other.example",
    ]  # fmt: skip
    went.refresh_from_db()
    assert went.contact is None


# --- The client's own page -------------------------------------------------------------------------------------------


def test_birth_date_opens_no_answers_that_were_given(maya: User, on_call: User) -> None:
    """An ex-partner with the mailbox knows it: what was answered opens by the client's own code, as before."""
    ada = factories.client(maya, "Ada Finch", reach={"sms": True, "email": True, "private": []})
    begun = intake_actions.invite(by=maya, client=ada, key="check-in", at=NOW)
    Phone(begun).start().say("phq-9--1", "3")
    browser = at_home(ada)
    assert send(browser, begun.path)["Location"] == "/my/code/"
    assert browser.get("/my/q/phq-9--1/")["Location"].startswith("/my/locked/")


def test_birth_date_is_not_guessed_in_a_day(maya: User, clock: Any) -> None:
    """Whoever has the link and knows the age has 365 dates to try: five in a quarter of an hour would be 480 a day."""
    ada = factories.client(maya, "Ada Finch", reach={"sms": True, "email": True, "private": []})
    home = intake_actions.home_invitation(client=ada, at=timezone.now())
    begun, tried = timezone.now(), 0
    while timezone.now() < begun + DAY:
        tried += not intake_actions.is_shut(home, timezone.now())
        assert not intake_actions.try_birth_date(invitation=home, said="1990-01-01", at=timezone.now())
        home.refresh_from_db()
        if intake_actions.is_shut(home, timezone.now()):
            clock.move_to(home.locked_until)
    assert tried == 50 and home.locked_until is not None
    assert intake_actions.try_birth_date(invitation=home, said=ada.birth_date, at=home.locked_until + HOUR)
    home.refresh_from_db()
    assert (home.tries, home.locked_until) == (0, None)


def test_own_code_of_the_client_still_opens_them(sam: Client, maya: User, on_call: User) -> None:
    begun = intake_actions.invite(by=maya, client=sam, key="check-in", at=NOW)
    Phone(begun).start().say("phq-9--1", "3")
    assert send(at_home(sam), begun.path)["Location"] == "/my/q/phq-9--2/"


@pytest.mark.parametrize("state", [State.DECLINED, State.CANCELLED, State.COMPLETED])
def test_words_written_while_a_referral_ended_are_kept(sam: Client, maya: User, state: State) -> None:
    row = referral_in(state, sam, maya)
    send(at_home(sam), "/my/referral/", {"referral": str(row.pk), "said": "told_no", "words": "I cannot go on."})
    word = ClientWord.objects.get()
    assert (word.kind, word.words) == ("told_no", "I cannot go on.")
    assert Task.objects.get(client=sam, kind="client_says", done_at=None).subject_id == row.pk


def test_words_as_long_as_the_browser_lets_them_be_are_kept(sam: Client, maya: User) -> None:
    """A browser counts the end of a line as one letter, and sends two."""
    row = referral_in(State.ACCEPTED, sam, maya)
    said = "a\n" * 500
    send(at_home(sam), "/my/referral/", {"referral": str(row.pk), "said": "went", "words": said.replace("\n", "\r\n")})
    assert ClientWord.objects.get().words == said.strip()


def test_stopping_to_share_shuts_every_permission_for_that_place(went: Referral, sam: Client) -> None:
    """The page says that they cannot open it any more: an older permission may not make that untrue."""
    clinic = went.destination
    assert clinic is not None
    newer, packet = released(sam, clinic), packet_of(went)
    elsewhere = released(sam, ways.clinic("Southlake"))
    browser = at_home(sam)
    send(browser, reverse("my_release", args=[newer.pk]), {"stop": "1"})
    assert "They cannot open it any more." in text_of(browser.get("/my/permissions/"))
    assert disclosure.may_read(packet, ways.LATER + HOUR).code == disclosure.REVOKED
    elsewhere.refresh_from_db()
    assert elsewhere.revoked_at is None


def test_staff_who_take_one_of_two_releases_back_are_told_of_the_other(
    went: Referral, sam: Client, maya: User, as_user: As
) -> None:
    clinic, browser = went.destination, as_user(maya)
    assert clinic is not None and went.release is not None
    said = []
    for row in (released(sam, clinic), went.release):
        url = reverse("release_revoke", args=[sam.pk, row.pk])
        page = send(browser, url, {"words": "He called and said no."})
        said.append(text_of(browser.get(page["Location"])))
    assert ["still counts" in text for text in said] == [True, False]
    assert ["cannot open it any more" in text for text in said] == [False, True]


# --- Holds, the hand-off, the check-ins ------------------------------------------------------------------------------


def test_suicidal_thoughts_told_after_the_draft_still_need_the_hand_off(as_user: As, maya: User, sam: Client) -> None:
    """G25: a draft may wait for days; what counts is what is known when it goes."""
    to = ways.clinic()
    released(sam, to)
    row = ways.drafted(maya, sam, to, urgency="urgent")
    at_risk(sam, maya)
    with pytest.raises(NotNow, match="the call to the clinic is not recorded yet"):
        ways.send(maya, row)
    page = as_user(maya).get(reverse("referral_edit", args=[row.pk]))
    assert (page.context["needs_hand_off"], "Warm hand-off" in text_of(page)) == (True, True)
    send(as_user(maya), reverse("referral_hand_off", args=[row.pk]), hand_off())
    ways.send(maya, row)
    assert (row.state, row.has_safety_sign) == (State.SENT, True)


def test_sign_between_the_preview_and_the_press_stops_it(as_user: As, maya: User, sam: Client) -> None:
    to, browser = ways.clinic(), as_user(maya)
    released(sam, to)
    row = ways.drafted(maya, sam, to)
    assert browser.get(reverse("referral_edit", args=[row.pk])).context["stops"] == []
    at_risk(sam, maya, contact=False)
    for more in ({}, {"emergency_reason": "She needs a bed tonight."}):
        page = send(browser, reverse("referral_send", args=[row.pk]), {"channels": ["link"], **more})
        assert (page.status_code, "Record contact" in text_of(page)) == (400, True)
    row.refresh_from_db()
    assert row.state == State.DRAFT


def test_nothing_is_sent_again_while_the_client_needs_care_today(went: Referral, sam: Client, maya: User) -> None:
    """E5: every other path is locked until the emergency steps are recorded."""
    decisions.open_care_today(by=maya, client=sam, reason="Voices.", at=ways.LATER)
    for change in ("", "New medicine"):
        with pytest.raises(NotNow, match="needs care today"):
            sending.resend(by=maya, referral=went, channels=["link"], change=change, at=ways.LATER + HOUR)
    assert went.packets.count() == 1


def interim(client: Client) -> list[Any]:
    return list(measures.planned(client).filter(why=Measure.Why.INTERIM).values_list("subject_id", flat=True))


def test_referral_without_a_decision_begins_the_short_check_ins_too(maya: User, sam: Client) -> None:
    """Issue 3, Safety: until the first infusion somebody with suicidal thoughts is asked every few days."""
    to = ways.clinic()
    released(sam, to)
    at_risk(sam, maya)
    row = ways.drafted(maya, sam, to)
    ways.send(maya, row)
    assert interim(sam) == [row.pk]
    events.record(row, Event.ASK_CANCEL, Actor.INITIATOR, by=maya, channel="here", words="Moved", at=ways.LATER + HOUR)
    events.record(row, Event.CONFIRM_CANCEL, Actor.RECIPIENT, by=maya, channel="phone", at=ways.LATER + 2 * HOUR)
    assert interim(sam) == []


def test_short_check_ins_go_on_when_another_clinic_is_asked(maya: User, sam: Client) -> None:
    """The first clinic let go of it; the client still waits, and still has these thoughts."""
    to = ways.clinic()
    released(sam, to)
    at_risk(sam, maya)
    decision = decisions.decide(
        by=maya, client=sam, suggestion=None, choice="infusion_clinic", urgency="routine", weighed=[], offered=[],
        said="agreed", said_words="", reasoning="Two trials, no relief.", review_on=None, at=NOW,
    )  # fmt: skip
    row = ways.drafted(maya, sam, to, decision=decision)
    ways.send(maya, row)
    events.record(row, Event.ASK_CANCEL, Actor.INITIATOR, by=maya, channel="here", words="Full", at=ways.LATER + HOUR)
    events.record(row, Event.CONFIRM_CANCEL, Actor.RECIPIENT, by=maya, channel="phone", at=ways.LATER + 2 * HOUR)
    assert interim(sam) == []
    sending.redirect(by=maya, referral=row, destination=ways.clinic("Southlake"), at=ways.LATER + 3 * HOUR)
    assert interim(sam) == [decision.pk]


def test_check_in_that_was_only_begun_is_not_taken_from_under_their_hands(
    clock: Any, sam: Client, maya: User, on_call: User
) -> None:
    clock.move_to(NOW)
    row = measures.start_interim(by=maya, client=sam, subject_id=sam.pk, at=NOW)
    clock.move_to(NOW + 3 * DAY)
    measures.send_due(at=NOW + 3 * DAY)
    row.refresh_from_db()
    assert row.invitation is not None
    clock.move_to(NOW + 6 * DAY - timedelta(minutes=5))
    phone = Phone(row.invitation).start()
    clock.move_to(NOW + 6 * DAY)
    assert measures.send_due(at=NOW + 6 * DAY) == 0
    phone.say("phq-2--1", "3")
    assert row.invitation.intake.answers.count() == 1


def test_nobody_is_discharged_over_the_check_after_care_today(sam: Client, maya: User) -> None:
    from practice import actions

    Task.open(sam, "care_check", at=NOW, subject_id=sam.pk, due_at=NOW + DAY)
    with pytest.raises(NotNow, match="Something for their safety is still open"):
        actions.discharge(by=maya, client=sam, status="discharged", words="Done.", at=NOW)


def test_stranger_with_a_link_reads_no_client(went: Referral) -> None:
    page = Browser().get(Coordinator(went).link).content.decode()
    assert [word for word in ("Sam", "Whitehorse", "1993", "ketamine") if word in page] == []
