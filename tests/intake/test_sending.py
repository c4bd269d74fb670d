"""Sending a packet, reminding, taking it back."""

from datetime import timedelta
from typing import Any

import pytest

from intake import actions, tasks
from intake.models import Invitation
from practice.actions import NotNow
from practice.models import AuditEvent, Client, CoverageShift, Notice, Practice, Task, User
from tests.factories import NOW
from tests.intake.conftest import Phone, fill_required


def told(template: str) -> list[tuple[str, str]]:
    return sorted(Notice.objects.filter(template=template).values_list("channel", "client__number"))


def test_a_packet_goes_by_the_safe_ways_only(sam: Client, maya: User, on_call: User) -> None:
    sam.reach = {"email": False, "sms": True}
    sam.save()
    invitation = actions.invite(by=maya, client=sam, key="intake", at=NOW)
    assert told("invitation") == [("sms", sam.number)]
    [notice] = Notice.objects.all()
    assert notice.words == {"link": f"http://testserver{invitation.path}", "minutes": 35, "days": 14}
    assert (invitation.expires_at, invitation.state) == (NOW + timedelta(days=14), "sent")


def test_nothing_that_asks_about_suicide_goes_out_while_nobody_is_on_call(sam: Client, maya: User) -> None:
    with pytest.raises(NotNow, match="Nobody is on call"):
        actions.invite(by=maya, client=sam, key="check-in", at=NOW)
    assert (Invitation.objects.count(), Notice.objects.count()) == (0, 0)


def test_nor_before_the_sentence_on_police_is_confirmed(sam: Client, maya: User, on_call: User) -> None:
    Practice.objects.update(answer_calls_nobody=False)
    with pytest.raises(NotNow, match="what happens after a safety answer"):
        actions.invite(by=maya, client=sam, key="intake", at=NOW)


@pytest.mark.parametrize(
    "change", [{"reach": {"email": False, "sms": False}}, {"email": "", "phone": ""}], ids=["none safe", "none known"]
)
def test_nor_without_a_safe_way(sam: Client, maya: User, on_call: User, change: dict[str, Any]) -> None:
    sam.set_identity(**change)
    sam.save()
    with pytest.raises(NotNow, match="no safe way"):
        actions.invite(by=maya, client=sam, key="intake", at=NOW)


def test_nor_to_somebody_who_was_discharged(sam: Client, maya: User, on_call: User) -> None:
    sam.status = Client.Status.DISCHARGED
    sam.save()
    with pytest.raises(NotNow, match="discharged"):
        actions.invite(by=maya, client=sam, key="intake", at=NOW)


def test_the_same_packet_is_not_out_twice(sent: Invitation, maya: User) -> None:
    with pytest.raises(NotNow, match="not back yet"):
        actions.invite(by=maya, client=sent.client, key="intake", at=NOW)


def test_reminders_come_on_days_two_and_five_then_stop(sent: Invitation, clock: Any) -> None:
    """Feature A10."""
    reminded = []
    for hours in range(0, 14 * 24, 6):
        actions.chase(at=NOW + timedelta(hours=hours))
        sent.refresh_from_db()
        reminded.append(sent.reminders)
    days = [reminded.index(1) / 4, reminded.index(2) / 4]
    assert (days, reminded[-1]) == ([2.0, 5.0], 2)
    assert len(told("reminder")) == 4  # two ways, twice
    assert Notice.objects.filter(template="reminder").first().words["link"] == f"http://testserver{sent.path}"
    assert Task.objects.get(kind="unfinished").opened_at == NOW + timedelta(days=7)


def test_a_late_job_reminds_once_not_twice(sent: Invitation) -> None:
    actions.chase(at=NOW + timedelta(days=6))
    actions.chase(at=NOW + timedelta(days=6))
    assert len(told("reminder")) == 2


def test_a_finished_or_withdrawn_packet_is_not_chased(phone: Phone, clock: Any, maya: User) -> None:
    fill_required(phone)
    phone.post("/my/send/")
    clock.shift(timedelta(days=3))
    tasks.chase_intakes("")
    assert told("reminder") == []


def test_reminders_obey_what_the_client_said_since(phone: Phone) -> None:
    phone.say("reach", ["email"])
    actions.chase(at=NOW + timedelta(days=2))
    assert [channel for channel, _ in told("reminder")] == ["email"]


def test_sending_the_answers_ends_the_reminder_on_the_list(phone: Phone) -> None:
    actions.chase(at=NOW + timedelta(days=8))
    assert Task.objects.filter(kind="unfinished", done_at=None).count() == 1
    fill_required(phone)
    phone.post("/my/send/")
    assert Task.objects.filter(kind="unfinished", done_at=None).count() == 0


def test_resending_renews_the_link_and_the_reminders(sent: Invitation, maya: User) -> None:
    actions.chase(at=NOW + timedelta(days=6))
    later = NOW + timedelta(days=6)
    sent.refresh_from_db()
    assert actions.resend(by=maya, invitation=sent, at=later) == ["email", "sms"]
    sent.refresh_from_db()
    assert (sent.generation, sent.reminders, sent.expires_at) == (2, 0, later + timedelta(days=14))


def test_a_packet_that_asks_about_suicide_is_not_resent_while_nobody_is_on_call(sent: Invitation, maya: User) -> None:
    CoverageShift.objects.all().delete()
    with pytest.raises(NotNow, match="Nobody is on call"):
        actions.resend(by=maya, invitation=sent, at=NOW)
    sent.refresh_from_db()
    assert sent.generation == 1


def test_a_finished_packet_is_neither_resent_nor_taken_back(phone: Phone, maya: User) -> None:
    fill_required(phone)
    phone.post("/my/send/")
    phone.invitation.refresh_from_db()
    with pytest.raises(NotNow):
        actions.resend(by=maya, invitation=phone.invitation, at=NOW)
    with pytest.raises(NotNow):
        actions.withdraw(by=maya, invitation=phone.invitation, at=NOW)


def test_states_say_what_became_of_it(sent: Invitation) -> None:
    """Feature A9."""
    states = [sent.state]
    phone = Phone(sent)
    for step in (phone.open, lambda: phone.post("/my/"), lambda: (fill_required(phone), phone.post("/my/send/"))):
        step()
        sent.refresh_from_db()
        states.append(sent.state)
    assert states == ["sent", "opened", "in_progress", "done"]
    assert [
        event.action
        for event in AuditEvent.objects.filter(client_id=sent.client_id).order_by("seq")
        if event.action.split(".")[0] in ("invitation", "intake")
    ] == ["invitation.sent", "invitation.opened", "intake.started", "intake.submitted"]


def test_an_empty_roster_stops_new_sendings_not_answers(phone: Phone) -> None:
    CoverageShift.objects.all().delete()
    assert phone.say("phq-9--9", "1").status_code == 303
