"""What one event of a referral writes, who may say it, who wins, and how a wrong entry is taken back."""

import threading
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection

from practice.actions import NotNow
from practice.models import AuditEvent, Client, Notice, Task, User
from referrals.actions import acts, events
from referrals.models import Course, DeskKey, Path, Referral, StatusChange
from referrals.states import Actor, Event, State
from tests.factories import NOW
from tests.referrals.referring import clinic, draft, happens, key, letter, referral_in

US, CLINIC = Actor.INITIATOR, Actor.RECIPIENT
HOUR = timedelta(hours=1)


def by_desk(referral: Referral, event: Event, cleo: DeskKey, at: Any = NOW, **said: Any) -> StatusChange:
    return events.record(referral, event, CLINIC, by_key=cleo, by_name="Cleo Marsh", channel="link", at=at, **said)


def refusal(referral: Referral, event: Event, actor: Actor = CLINIC, **said: Any) -> str:
    with pytest.raises(NotNow) as refused:
        events.record(referral, event, actor, at=NOW, **said)
    return str(refused.value)


@pytest.fixture
def sent(sam: Client, maya: User) -> Referral:
    return referral_in(State.SENT, sam, maya)


@pytest.fixture
def cleo(sent: Referral) -> DeskKey:
    return key(sent.destination)


def notices_to(**who: Any) -> list[str]:
    return sorted(Notice.objects.filter(**who).values_list("template", flat=True))


# --- Who says it ------------------------------------------------------------------------------------------------------


def test_clinic_accepts_on_its_page(sent: Referral, cleo: DeskKey, sam: Client, maya: User) -> None:
    Notice.objects.all().delete()
    change = by_desk(sent, Event.ACCEPT, cleo)
    row = Referral.objects.get(pk=sent.pk)
    assert (row.state, row.state_at, row.heard_at, row.received_at, row.version) == (State.ACCEPTED, NOW, NOW, NOW, 3)
    assert (change.actor, change.by, change.by_key, change.by_name, change.channel) == (
        "recipient",
        None,
        cleo,
        "Cleo Marsh",
        "link",
    )
    assert (change.tid, change.source, change.target, change.number) == ("02", "2", "3", 2)
    assert notices_to(user=maya) == ["update"]
    assert notices_to(client=sam) == ["news", "news"]
    event = AuditEvent.objects.get(action="referral.accept")
    assert (event.actor_kind, event.client_id, event.facts) == ("clinic", sam.pk, {"tid": "02", "key": str(cleo.pk)})


def test_update_names_the_reference_and_nothing_else(sent: Referral, cleo: DeskKey, maya: User) -> None:
    by_desk(sent, Event.ACCEPT, cleo)
    words = Notice.objects.get(user=maya, template="update").words
    assert words == {"reference": sent.reference, "link": f"http://testserver/referrals/{sent.pk}/"}


def test_staff_write_down_what_the_clinic_said(sent: Referral, sam: Client, maya: User, fay: User) -> None:
    """The actor stays the clinic; who wrote it, how it was told and the evidence are kept apart."""
    fax = letter(sent, is_outcome=False, from_clinic=False, by=fay)
    change = events.record(
        sent,
        Event.ACCEPT,
        CLINIC,
        by=fay,
        by_name="Cleo Marsh",
        channel="fax",
        letter=fax,
        at=NOW,
        happened_at=NOW - HOUR,
    )
    assert (change.actor, change.by, change.by_name, change.channel, change.evidence, change.happened_at) == (
        "recipient",
        fay,
        "Cleo Marsh",
        "fax",
        fax,
        NOW - HOUR,
    )
    assert notices_to(user=maya) == ["update"]


def test_therapist_gets_no_mail_of_what_they_wrote_themselves(sent: Referral, maya: User) -> None:
    happens(sent, Event.ACCEPT, maya)
    assert notices_to(user=maya) == []


@pytest.mark.parametrize("channel", ["link", "here"])
def test_staff_say_how_the_clinic_told_them(sent: Referral, fay: User, channel: str) -> None:
    said = refusal(sent, Event.ACCEPT, by=fay, channel=channel)
    assert said == "Say how the clinic told you: by phone, fax, e-mail or letter."


def test_event_without_anybody_is_a_fault_of_the_caller(sent: Referral, cleo: DeskKey, maya: User) -> None:
    for who in ({}, {"by": maya, "by_key": cleo}):
        with pytest.raises(ValueError, match="by a member of staff or by a clinic's key"):
            events.record(sent, Event.ACCEPT, CLINIC, channel="phone", at=NOW, **who)


# --- What an event asks for -------------------------------------------------------------------------------------------


def test_decline_names_a_reason(sent: Referral, cleo: DeskKey) -> None:
    for reason in ("", "because"):
        said = refusal(sent, Event.DECLINE, by_key=cleo, channel="link", reason=reason)
        assert said == "Choose a reason for declining."


def test_taking_back_says_why(sent: Referral, maya: User) -> None:
    said = refusal(sent, Event.ASK_CANCEL, US, by=maya, channel="here", words="  ")
    assert said == "Write why the referral is taken back."


def test_visit_has_a_day_within_reason(sam: Client, maya: User) -> None:
    accepted = referral_in(State.ACCEPTED, sam, maya)
    ask: dict[str, Any] = {"by": maya, "channel": "phone"}
    assert refusal(accepted, Event.SCHEDULE, **ask) == "Give the date of the visit."
    for wrong in (NOW - timedelta(days=400), NOW + timedelta(days=366)):
        said = refusal(accepted, Event.SCHEDULE, visit_at=wrong, **ask)
        assert said == "Check the day: it is before the referral, or more than a year away."


def test_what_happened_does_not_lie_in_the_future(sam: Client, maya: User) -> None:
    accepted = referral_in(State.ACCEPTED, sam, maya)
    said = refusal(accepted, Event.VISIT, by=maya, channel="phone", happened_at=NOW + HOUR)
    assert said == "This lies in the future. Give the day on which it happened."


def test_outcome_is_a_letter_of_this_referral(sam: Client, kit: Client, maya: User, omar: User) -> None:
    accepted = referral_in(State.ACCEPTED, sam, maya)
    foreign = letter(referral_in(State.SENT, kit, omar, clinic("Elsewhere")))
    for evidence in (None, foreign):
        said = refusal(accepted, Event.OUTCOME, by=maya, channel="fax", letter=evidence)
        assert said == "A referral is completed by an outcome report: add the letter as a file, or type it."
    happens(accepted, Event.OUTCOME, maya)
    assert accepted.state == State.COMPLETED


def test_draft_without_a_clinic_is_not_sent(sam: Client, maya: User) -> None:
    row = draft(sam, maya)
    row.destination = None
    row.save()
    assert refusal(row, Event.SEND, US, by=maya, channel="here") == "Choose a clinic first."


# --- Who wins ---------------------------------------------------------------------------------------------------------


def test_second_coordinator_reads_who_was_first(sent: Referral, cleo: DeskKey) -> None:
    other = Referral.objects.get(pk=sent.pk)
    by_desk(sent, Event.ACCEPT, cleo)
    said = refusal(other, Event.DECLINE, by_key=cleo, channel="link", reason="full")
    assert said.startswith("Cleo Marsh was first: Accept, ")
    assert said.endswith("It stands at “Accepted” now. Nothing was changed by you.")
    assert StatusChange.objects.filter(referral=sent).count() == 2


def test_page_from_before_changes_nothing_though_the_step_would_be_possible(sent: Referral, cleo: DeskKey) -> None:
    """A decline from "accepted" is in the table; somebody who still saw "sent" did not mean it."""
    seen = sent.version
    by_desk(sent, Event.ACCEPT, cleo)
    fresh = Referral.objects.get(pk=sent.pk)
    said = refusal(fresh, Event.DECLINE, by_key=cleo, channel="link", reason="full", seen=seen)
    assert said.startswith("Cleo Marsh was first: Accept, ")
    assert Referral.objects.get(pk=sent.pk).state == State.ACCEPTED


@pytest.mark.django_db(transaction=True)
def test_of_two_at_once_one_wins(sam: Client, maya: User) -> None:
    """Two coordinators press at the same moment, one accepts and one declines: one event, one refusal."""
    sent = referral_in(State.SENT, sam, maya)
    cleo = key(sent.destination)
    gate = threading.Barrier(2)
    ends: list[str] = []

    def press(event: Event) -> None:
        mine = Referral.objects.get(pk=sent.pk)
        gate.wait()
        try:
            by_desk(mine, event, cleo, reason="full")
            ends.append("won")
        except NotNow as sentence:
            ends.append(str(sentence).split(":")[0])
        connection.close()

    threads = [threading.Thread(target=press, args=[event]) for event in (Event.ACCEPT, Event.DECLINE)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(ends) == ["Cleo Marsh was first", "won"]
    changes = StatusChange.objects.filter(referral=sent)
    assert changes.count() == 2
    assert Referral.objects.get(pk=sent.pk).state == changes.last().target


# --- What follows -----------------------------------------------------------------------------------------------------


def open_items(client: Client) -> dict[str, Any]:
    return {task.kind: task.facts for task in client.tasks.filter(done_at=None)}


def test_decline_puts_another_clinic_on_the_therapists_list(sent: Referral, cleo: DeskKey, sam: Client) -> None:
    by_desk(sent, Event.DECLINE, cleo, reason="suicidal", words="Try the hospital.")
    assert open_items(sam) == {"declined": {"severity": "routine", "reason": "suicidal"}}
    assert sam.tasks.get().subject_id == sent.pk
    assert Client.objects.get(pk=sam.pk).rank == Client.Rank.NOW
    assert StatusChange.objects.last().words == "Try the hospital."


def test_no_show_opens_an_item_and_a_new_date_finishes_it(sam: Client, maya: User) -> None:
    missed = referral_in(State.NO_SHOW, sam, maya)
    assert list(open_items(sam)) == ["no_show"]
    happens(missed, Event.RESCHEDULE, maya)
    assert open_items(sam) == {}


def test_outcome_opens_the_letter(sam: Client, maya: User) -> None:
    referral_in(State.COMPLETED, sam, maya)
    assert list(open_items(sam)) == ["letter"]


def test_visit_is_kept_until_it_is_over(sam: Client, maya: User) -> None:
    booked = referral_in(State.SCHEDULED, sam, maya)
    assert Referral.objects.get(pk=booked.pk).visit_at == NOW + timedelta(days=2)
    happens(booked, Event.ASK_CANCEL, maya)
    assert Referral.objects.get(pk=booked.pk).visit_at == NOW + timedelta(days=2)  # until the clinic confirms
    happens(booked, Event.CONFIRM_CANCEL, maya)
    assert Referral.objects.get(pk=booked.pk).visit_at is None


def test_moved_visit_is_to_be_confirmed_anew(sam: Client, maya: User) -> None:
    booked = referral_in(State.SCHEDULED, sam, maya)
    Referral.objects.filter(pk=booked.pk).update(visit_confirmed_at=NOW)
    happens(booked, Event.RESCHEDULE, maya)
    assert Referral.objects.get(pk=booked.pk).visit_confirmed_at is None


@pytest.mark.parametrize(
    ("path", "courses"), [(Path.INFUSION, 1), (Path.PAIN, 1), (Path.AT_HOME, 0)], ids=["infusion", "pain", "home"]
)
def test_acceptance_begins_a_course_where_there_is_one(sam: Client, maya: User, path: str, courses: int) -> None:
    referral_in(State.ACCEPTED, sam, maya, path=path)
    assert Course.objects.filter(client=sam, clinic="Cedar Infusion", planned=6).count() == courses


def test_client_who_wants_no_message_gets_none(sam: Client, maya: User) -> None:
    referral_in(State.SCHEDULED, sam, maya, client_told=False)
    assert notices_to(client=sam) == []


def test_client_reads_of_several_steps_in_one_message(sam: Client, maya: User) -> None:
    """One that waits to go out says all there is to say: that there is news."""
    referral_in(State.SCHEDULED, sam, maya)
    assert notices_to(client=sam) == ["news", "news"]  # mail and text


@pytest.mark.parametrize("status", Client.LEFT)
def test_nobody_hears_about_a_client_who_left(sent: Referral, cleo: DeskKey, sam: Client, status: str) -> None:
    """What the clinic says is kept; no message, no item, no clock."""
    Notice.objects.all().delete()
    Client.objects.filter(pk=sam.pk).update(status=status)
    fresh = Referral.objects.get(pk=sent.pk)
    by_desk(fresh, Event.DECLINE, cleo, reason="full")
    fresh.refresh_from_db()
    assert (fresh.state, fresh.clock, fresh.climbs_at) == (State.DECLINED, "", None)
    assert (Notice.objects.count(), open_items(sam)) == (0, {})


def test_letter_about_a_client_who_left_is_still_to_be_read(sam: Client, maya: User) -> None:
    visited = referral_in(State.VISITED, sam, maya)
    Client.objects.filter(pk=sam.pk).update(status=Client.Status.DISCHARGED)
    happens(Referral.objects.get(pk=visited.pk), Event.OUTCOME, maya)
    assert list(open_items(sam)) == ["letter"]


def test_without_a_therapist_the_sender_hears_of_it(sent: Referral, cleo: DeskKey, sam: Client, maya: User) -> None:
    Client.objects.filter(pk=sam.pk).update(therapist=None)
    by_desk(Referral.objects.get(pk=sent.pk), Event.ACCEPT, cleo)
    assert notices_to(user=maya) == ["update"]


# --- Taking an entry back ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("after", "refused"), [(timedelta(hours=24), False), (timedelta(hours=24, seconds=1), True)], ids=["24h", "later"]
)
def test_clinic_takes_its_entry_back_within_a_day(
    sent: Referral, cleo: DeskKey, sam: Client, after: timedelta, refused: bool
) -> None:
    change = by_desk(sent, Event.DECLINE, cleo, reason="full")
    if refused:
        with pytest.raises(NotNow, match="This is more than 24 hours ago"):
            events.correct(change, by_key=cleo, at=NOW + after)
        assert Referral.objects.get(pk=sent.pk).state == State.DECLINED
        return
    back = events.correct(change, by_key=cleo, at=NOW + after)
    row = Referral.objects.get(pk=sent.pk)
    assert (row.state, row.clock) == (State.SENT, "accept")
    assert (back.event, back.tid, back.source, back.target, back.corrects) == ("correct", "", "4", "2", change)
    assert open_items(sam) == {}


def test_staff_take_an_entry_back_at_any_time_with_words(sent: Referral, maya: User) -> None:
    change = happens(sent, Event.DECLINE, maya)
    late = NOW + timedelta(days=90)
    with pytest.raises(NotNow, match="Write what was wrong"):
        events.correct(change, by=maya, at=late)
    back = events.correct(change, by=maya, reason="It was another client's call.", at=late)
    assert (Referral.objects.get(pk=sent.pk).state, back.words) == (State.SENT, "It was another client's call.")


def test_second_press_of_undo_reads_that_it_is_done(sent: Referral, cleo: DeskKey) -> None:
    change = by_desk(sent, Event.ACCEPT, cleo)
    events.correct(change, by_key=cleo, by_name="Cleo Marsh", at=NOW)
    with pytest.raises(NotNow, match="Cleo Marsh took this back already"):
        events.correct(change, by_key=cleo, at=NOW)
    assert [c.event for c in sent.changes.all()] == ["send", "accept", "correct"]


def test_other_clinic_takes_nothing_back(sent: Referral, cleo: DeskKey) -> None:
    change = by_desk(sent, Event.ACCEPT, cleo)
    stranger = key(clinic("Elsewhere", email="desk@elsewhere.example"))
    with pytest.raises(NotNow, match="Only the practice can take this back"):
        events.correct(change, by_key=stranger, at=NOW)


def test_clinic_does_not_undo_what_the_practice_did(sent: Referral, cleo: DeskKey, maya: User) -> None:
    change = happens(sent, Event.ASK_CANCEL, maya)
    with pytest.raises(NotNow, match="Only the practice can take this back"):
        events.correct(change, by_key=cleo, at=NOW)


def test_sending_cannot_be_undone(sent: Referral, maya: User) -> None:
    with pytest.raises(NotNow, match="Take the referral back instead"):
        events.correct(sent.changes.get(), by=maya, reason="Oops", at=NOW)


def test_entry_under_a_later_one_waits_for_that(sent: Referral, maya: User) -> None:
    accept = happens(sent, Event.ACCEPT, maya)
    booked = happens(sent, Event.SCHEDULE, maya)
    with pytest.raises(NotNow, match=r"“Book a visit”, .*, came after it"):
        events.correct(accept, by=maya, reason="Wrong", at=NOW)
    events.correct(booked, by=maya, reason="Wrong", at=NOW)
    events.correct(accept, by=maya, reason="Wrong", at=NOW)
    row = Referral.objects.get(pk=sent.pk)
    assert (row.state, row.visit_at) == (State.SENT, None)
    assert not Course.objects.filter(referral=row).exists()


def test_moved_visit_that_is_taken_back_stands_where_it_was(sam: Client, maya: User) -> None:
    booked = referral_in(State.SCHEDULED, sam, maya)
    moved = happens(booked, Event.RESCHEDULE, maya)
    events.correct(moved, by=maya, reason="Wrong client", at=NOW)
    assert Referral.objects.get(pk=booked.pk).visit_at == NOW + timedelta(days=2)


def test_decline_stands_once_another_clinic_was_asked(sent: Referral, cleo: DeskKey, maya: User) -> None:
    change = by_desk(sent, Event.DECLINE, cleo, reason="full")
    second = draft(sent.client, maya, clinic("Elsewhere"), follows=sent)
    happens(second, Event.SEND, maya)
    with pytest.raises(NotNow, match="Another clinic was asked meanwhile"):
        events.correct(change, by_key=cleo, at=NOW)


def test_change_is_never_edited(sent: Referral) -> None:
    with pytest.raises(ValueError, match="is not edited"):
        sent.changes.get().save()


def test_history_names_everybody(sent: Referral, cleo: DeskKey, fay: User) -> None:
    by_desk(sent, Event.ACCEPT, cleo)
    happens(sent, Event.SCHEDULE, fay)
    assert [acts.said_by(change) for change in sent.changes.all()][1:] == ["Cleo Marsh", str(fay)]


def test_task_of_another_client_is_left_alone(sent: Referral, cleo: DeskKey, kit: Client) -> None:
    Task.open(kit, "no_show", at=NOW, subject_id=sent.pk)
    by_desk(sent, Event.ACCEPT, cleo)
    assert kit.tasks.get().done_at is None
