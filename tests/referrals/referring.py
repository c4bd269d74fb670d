"""Referrals for tests, in the state their name says."""

from datetime import datetime, timedelta
from typing import Any

from practice.models import Client, User
from referrals.actions import events
from referrals.models import DeskKey, Destination, Letter, Path, Referral
from referrals.states import Actor, Event, State, step
from tests.factories import NOW

US, CLINIC = Actor.INITIATOR, Actor.RECIPIENT
# The shortest way from a draft to each state, by events of the table.
WAYS: dict[State, tuple[Event, ...]] = {
    State.DRAFT: (),
    State.SENT: (Event.SEND,),
    State.ACCEPTED: (Event.SEND, Event.ACCEPT),
    State.DECLINED: (Event.SEND, Event.DECLINE),
    State.ACTIVE: (Event.SEND, Event.ACCEPT, Event.UNDER_WAY_NOTED),
    State.SCHEDULED: (Event.SEND, Event.ACCEPT, Event.SCHEDULE),
    State.NO_SHOW: (Event.SEND, Event.ACCEPT, Event.SCHEDULE, Event.NO_SHOW),
    State.VISIT_CANCELLED: (Event.SEND, Event.ACCEPT, Event.SCHEDULE, Event.CANCEL_VISIT),
    State.VISITED: (Event.SEND, Event.ACCEPT, Event.VISIT),
    State.CANCEL_ASKED: (Event.SEND, Event.ASK_CANCEL),
    State.CANCELLED: (Event.SEND, Event.ASK_CANCEL, Event.CONFIRM_CANCEL),
    State.COMPLETED: (Event.SEND, Event.ACCEPT, Event.OUTCOME),
}


def clinic(name: str = "Cedar Infusion", **fields: Any) -> Destination:
    defaults = {"paths": [Path.INFUSION], "email": "desk@cedarinfusion.example", "phone": "555 0100", "created_at": NOW}
    return Destination.objects.create(name=name, **(defaults | fields))


def key(destination: Destination, name: str = "Cleo", **fields: Any) -> DeskKey:
    defaults = {"email": destination.email, "is_main": True, "approved_at": NOW, "created_at": NOW}
    return DeskKey.objects.create(destination=destination, name=name, **(defaults | fields))


def draft(client: Client, by: User, destination: Destination | None = None, **fields: Any) -> Referral:
    number = Referral.objects.filter(client=client).count() + 1
    defaults = {"path": Path.INFUSION, "urgency": "routine", "state_at": NOW, "created_at": NOW, "created_by": by}
    referral = Referral(client=client, number=number, destination=destination or clinic(), **(defaults | fields))
    referral.renew(NOW)
    referral.save(force_insert=True)
    return referral


def letter(referral: Referral, at: datetime = NOW, **fields: Any) -> Letter:
    found = Letter(referral=referral, at=at, **fields)
    found.words = "She did well."
    found.save(force_insert=True)
    return found


def words_for(event: Event, referral: Referral, at: datetime) -> dict[str, Any]:
    """What an event asks for besides who and how."""
    return {
        Event.DECLINE: {"reason": "full"},
        Event.ASK_CANCEL: {"words": "The client moved away."},
        Event.SCHEDULE: {"visit_at": at + timedelta(days=2)},
        Event.RESCHEDULE: {"visit_at": at + timedelta(days=3)},
        Event.OUTCOME: {"letter": letter(referral, at) if event == Event.OUTCOME else None},
    }.get(event, {})


def happens(referral: Referral, event: Event, by: User, at: datetime = NOW, **said: Any) -> Any:
    """Let this event of the table happen, written down by a member of staff."""
    found = step(referral.state, event, US) or step(referral.state, event, CLINIC)
    assert found is not None, (referral.state, event)
    channel = "here" if found.actor == US else "phone"
    said = words_for(event, referral, at) | said
    return events.record(referral, event, found.actor, by=by, channel=channel, at=at, **said)


def referral_in(
    state: State, client: Client, by: User, destination: Destination | None = None, **fields: Any
) -> Referral:
    """A referral that came to this state step by step, the last step at NOW."""
    referral = draft(client, by, destination, **fields)
    way = WAYS[state]
    for number, event in enumerate(way):
        happens(referral, event, by, NOW - timedelta(minutes=len(way) - 1 - number))
    return referral
