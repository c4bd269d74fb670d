"""The published transitions happen, and nothing else does: every state, every event, either side."""

import csv
from pathlib import Path

import pytest
from django.conf import settings

from practice.actions import NotNow
from practice.models import AuditEvent, Client, Job, Notice, Task, User
from referrals import states
from referrals.actions import events
from referrals.management.commands.referral_states import PAGE, page
from referrals.models import Course, Referral, StatusChange
from referrals.states import STEPS, TERMINAL, Actor, Event, State
from tests.factories import NOW
from tests.referrals.referring import happens, key, referral_in, words_for

PUBLISHED = Path(settings.ROOT) / "tests/data/bser_360x_transitions.csv"
# The published words for each of our events.
TRIGGERS = {
    Event.SEND: "send referral package",
    Event.ACCEPT: "send acceptance",
    Event.DECLINE: "send decline",
    Event.SCHEDULE: "send schedule visit information",
    Event.RESCHEDULE: "send rescheduled visit information",
    Event.NO_SHOW: "send no show information",
    Event.CANCEL_VISIT: "send appointment cancel",
    Event.VISIT: "send interim consultation note",
    Event.OUTCOME: "send referral outcome",
    Event.ASK_CANCEL: "send cancellation request",
    Event.CONFIRM_CANCEL: "send cancellation confirmation",
    Event.UNDER_WAY_BOOKED: "send schedule visit information",
    Event.UNDER_WAY_NOTED: "send interim consultation note",
}
EVERYTHING = [(state, event, actor) for state in State for event in Event for actor in Actor]
LISTED = {(step.source, step.event, step.actor): step for step in STEPS}


def test_table_is_the_published_one() -> None:
    with PUBLISHED.open(newline="") as file:
        published = [
            (row["tid"], row["actor"], row["trigger"], row["from_state"], row["to_state"])
            for row in csv.DictReader(file)
        ]
    ours = [(s.tid, s.actor.value, TRIGGERS[s.event], s.source.value, s.target.value) for s in STEPS]
    assert ours == published
    assert len(ours) == 34


def test_everything_is_tried() -> None:
    assert len(EVERYTHING) == 12 * 13 * 2
    assert len(LISTED) == 34


def test_page_is_that_of_the_table() -> None:
    assert PAGE.read_text() == page(), "run manage.py referral_states --write"


@pytest.mark.parametrize("state", State)
def test_buttons_are_those_of_the_table(state: State) -> None:
    for actor in Actor:
        assert states.open_to(state, actor) == tuple(s.event for s in STEPS if s.source == state and s.actor == actor)
    assert (states.open_to(state, Actor.INITIATOR) + states.open_to(state, Actor.RECIPIENT) == ()) is (
        state in TERMINAL
    )


def everything_written() -> list[int]:
    return [model.objects.count() for model in (StatusChange, AuditEvent, Notice, Job, Task, Course)]


@pytest.mark.parametrize(("state", "event", "actor"), EVERYTHING, ids=lambda part: str(part))
def test_only_what_is_listed_happens(state: State, event: Event, actor: Actor, sam: Client, maya: User) -> None:
    referral = referral_in(state, sam, maya)
    said = words_for(event, referral, NOW)
    before, kept = everything_written(), Referral.objects.values().get(pk=referral.pk)
    channel = "here" if actor == Actor.INITIATOR else "phone"
    step = LISTED.get((state, event, actor))
    if step is not None:
        change = events.record(referral, event, actor, by=maya, channel=channel, at=NOW, **said)
        referral.refresh_from_db()
        assert (change.tid, change.source, change.target, referral.state) == (step.tid, state, step.target, step.target)
        return
    with pytest.raises(NotNow) as refused:
        events.record(referral, event, actor, by=maya, channel=channel, at=NOW, **said)
    assert str(refused.value).startswith(f"“{event.label}” is not possible: this referral stands at “{state.label}”.")
    assert everything_written() == before
    assert Referral.objects.values().get(pk=referral.pk) == kept


@pytest.mark.parametrize("state", State)
def test_clinic_can_do_nothing_that_is_the_practices(state: State, sam: Client, maya: User) -> None:
    """The secure page records as the recipient only: sending and taking back are not the clinic's."""
    referral = referral_in(state, sam, maya)
    cleo = key(referral.destination)
    for event in (Event.SEND, Event.ASK_CANCEL):
        with pytest.raises(NotNow):
            events.record(
                referral, event, Actor.INITIATOR, by_key=cleo, channel="link", at=NOW, **words_for(event, referral, NOW)
            )
    assert Referral.objects.get(pk=referral.pk).state == state


def test_course_of_six_is_told_by_visits(sam: Client, maya: User) -> None:
    """A referral is not completed by the sixth infusion, but by the outcome report."""
    referral = referral_in(State.SCHEDULED, sam, maya)
    for number in range(6):
        happens(referral, Event.VISIT, maya)
        if number < 5:
            happens(referral, Event.SCHEDULE, maya)
    assert referral.state == State.VISITED
    happens(referral, Event.OUTCOME, maya)
    assert Referral.objects.get(pk=referral.pk).state == State.COMPLETED
