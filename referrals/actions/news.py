"""Who hears of what happened to a referral, and what it puts on somebody's list."""

from collections.abc import Sequence
from datetime import datetime

from practice import coverage, notices
from practice.access import Role
from practice.models import Client, Notice, Practice, Task, User
from referrals.models import Referral, StatusChange
from referrals.states import TERMINAL, Event

# What the client gets a message about, when they want one (G9). What they did themselves is no news to them.
FOR_CLIENT = (
    Event.SEND,
    Event.ACCEPT,
    Event.DECLINE,
    Event.SCHEDULE,
    Event.RESCHEDULE,
    Event.CANCEL_VISIT,
    Event.CONFIRM_CANCEL,
    Event.OUTCOME,
)
OPENS = {Event.DECLINE: "declined", Event.NO_SHOW: "no_show", Event.OUTCOME: "letter"}
BOOKS = (Event.SCHEDULE, Event.RESCHEDULE, Event.VISIT)


def open_items(referral: Referral, changes: Sequence[StatusChange], at: datetime) -> None:
    """Open what a person has to do now, and finish what the clinic's word settles."""
    client, events = referral.client, [change.event for change in changes]
    if any(event in BOOKS for event in events) or referral.state in TERMINAL:
        Task.finish(client, "no_show", at=at, by=None, subject_id=referral.pk)
    for change in changes:
        kind = OPENS.get(Event(change.event))
        if kind is None or (client.status in Client.LEFT and kind != "letter"):
            continue
        Task.open(
            client,
            kind,
            at=at,
            subject_id=referral.pk,
            owner=client.therapist,
            due_at=coverage.read_by(at, Practice.get()),
            severity=referral.urgency,
            reason=change.reason,
        )


def close_items(referral: Referral, changes: Sequence[StatusChange], *, by: User | None, at: datetime) -> None:
    """Take back the items of entries that were taken back. A letter that came stays to be read."""
    for change in changes:
        kind = OPENS.get(Event(change.event))
        if kind and kind != "letter":
            Task.finish(referral.client, kind, at=at, by=by, subject_id=referral.pk)


def course_stopped(referral: Referral, at: datetime) -> None:
    """A course that ended early brings the client back to therapy like one that was finished."""
    client = referral.client
    if client.status not in Client.LEFT:
        due_at, who = coverage.read_by(at, Practice.get()), client.therapist
        Task.open(client, "back_to_therapy", at=at, subject_id=referral.pk, owner=who, due_at=due_at, stopped=True)


def tell_client(referral: Referral, events: Sequence[str], at: datetime) -> None:
    """Say to the client that there is news on their page, if they want to hear and something of it concerns them."""
    client = referral.client
    if not referral.client_told or not any(event in FOR_CLIENT for event in events):
        return
    waiting = Notice.objects.filter(client=client, template="news", state=Notice.State.WAITING)
    if not waiting.exists():  # one says all that there is to say
        notices.tell_news(client, at)


def tell_practice(referral: Referral, *, by: User | None = None) -> None:
    """Mail the therapist that the clinic did something (S4); not when it is they who wrote it down."""
    if referral.client.status in Client.LEFT:
        return
    for user in tellable(referral):
        if user == by:
            continue
        link = notices.link(referral.get_absolute_url())
        waiting = Notice.objects.filter(user=user, template="update", state=Notice.State.WAITING)
        if not any((notice.words or {}).get("link") == link for notice in waiting):
            notices.tell_staff(user, "update", reference=referral.reference, link=link)


def tell_clinic(referral: Referral, template: str) -> None:
    """Mail whoever reads this referral at the clinic (R3), unless the clinic wants calls."""
    clinic, contact = referral.destination, referral.contact
    if clinic is None or clinic.mail_stopped_at is not None:
        return
    address = contact.email if contact is not None and contact.approved_at else clinic.email
    if address:
        link = notices.link(referral.desk_path)
        notices.tell_clinic(address, template, client=referral.client, reference=referral.reference, link=link)


def tellable(referral: Referral) -> list[User]:
    """Who at the practice hears of this referral: the therapist, else who sent it, else the admins."""
    for user in (referral.client.therapist, referral.sent_by):
        if user is not None and user.is_active:
            return [user]
    return list(User.objects.with_role(Role.ADMIN))
