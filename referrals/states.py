"""The states of a referral: the 34 published transitions of BSeR harmonised with 360X, as one table.

Source: BSER-360X in docs/clinical-sources.md; tests/data/bser_360x_transitions.csv is the published list, and a test
compares. A course of infusions is told by visits (5.1.1 to 5.1.4) and ends with an outcome report, not with the last
infusion. A wrong entry is taken back by a correction (actions.events.correct), which is no transition.
"""

from dataclasses import dataclass
from enum import StrEnum

from django.db import models
from django.utils.translation import gettext_lazy as _


class State(models.TextChoices):
    DRAFT = "1", _("Draft")
    SENT = "2", _("Sent")
    ACCEPTED = "3", _("Accepted")
    DECLINED = "4", _("Declined")
    ACTIVE = "5.1", _("In treatment")
    SCHEDULED = "5.1.1", _("Visit booked")
    NO_SHOW = "5.1.2", _("Visit missed")
    VISIT_CANCELLED = "5.1.3", _("Visit cancelled")
    VISITED = "5.1.4", _("Visit done")
    CANCEL_ASKED = "5.2", _("Taking back")
    CANCELLED = "6", _("Taken back")
    COMPLETED = "7", _("Completed")


class Actor(StrEnum):
    INITIATOR = "initiator"  # us
    RECIPIENT = "recipient"  # the clinic, or a member of staff on its behalf


class Event(models.TextChoices):
    SEND = "send", _("Send the referral")
    ACCEPT = "accept", _("Accept")
    DECLINE = "decline", _("Decline")
    SCHEDULE = "schedule", _("Book a visit")
    RESCHEDULE = "reschedule", _("Move the visit")
    NO_SHOW = "no_show", _("Client missed the visit")
    CANCEL_VISIT = "cancel_visit", _("Cancel the visit")
    VISIT = "visit", _("Visit done")
    OUTCOME = "outcome", _("Outcome report")
    ASK_CANCEL = "ask_cancel", _("Take the referral back")
    CONFIRM_CANCEL = "confirm_cancel", _("Confirm that it is taken back")
    # What a clinic may say that books or reports no visit of its own: care is under way.
    UNDER_WAY_BOOKED = "under_way_booked", _("In treatment, visits booked by the clinic")
    UNDER_WAY_NOTED = "under_way_noted", _("In treatment, by a note")


@dataclass(frozen=True, slots=True)
class Step:
    tid: str
    actor: Actor
    event: Event
    source: State
    target: State


_I, _R = Actor.INITIATOR, Actor.RECIPIENT
_S, _E = State, Event
STEPS: tuple[Step, ...] = (
    Step("01", _I, _E.SEND, _S.DRAFT, _S.SENT),
    Step("02", _R, _E.ACCEPT, _S.SENT, _S.ACCEPTED),
    Step("03", _R, _E.DECLINE, _S.SENT, _S.DECLINED),
    Step("04", _I, _E.ASK_CANCEL, _S.SENT, _S.CANCEL_ASKED),
    Step("05", _R, _E.DECLINE, _S.ACCEPTED, _S.DECLINED),
    Step("06", _R, _E.SCHEDULE, _S.ACCEPTED, _S.SCHEDULED),
    Step("07", _I, _E.ASK_CANCEL, _S.ACCEPTED, _S.CANCEL_ASKED),
    Step("08", _R, _E.VISIT, _S.ACCEPTED, _S.VISITED),
    Step("09", _R, _E.OUTCOME, _S.ACCEPTED, _S.COMPLETED),
    Step("10", _R, _E.DECLINE, _S.SCHEDULED, _S.DECLINED),
    Step("11", _R, _E.RESCHEDULE, _S.SCHEDULED, _S.SCHEDULED),
    Step("12", _R, _E.NO_SHOW, _S.SCHEDULED, _S.NO_SHOW),
    Step("13", _R, _E.CANCEL_VISIT, _S.SCHEDULED, _S.VISIT_CANCELLED),
    Step("14", _I, _E.ASK_CANCEL, _S.SCHEDULED, _S.CANCEL_ASKED),
    Step("15", _R, _E.VISIT, _S.SCHEDULED, _S.VISITED),
    Step("16", _R, _E.OUTCOME, _S.SCHEDULED, _S.COMPLETED),
    Step("17", _R, _E.DECLINE, _S.NO_SHOW, _S.DECLINED),
    Step("18", _R, _E.RESCHEDULE, _S.NO_SHOW, _S.SCHEDULED),
    Step("19", _R, _E.CANCEL_VISIT, _S.NO_SHOW, _S.VISIT_CANCELLED),
    Step("20", _I, _E.ASK_CANCEL, _S.NO_SHOW, _S.CANCEL_ASKED),
    Step("21", _R, _E.SCHEDULE, _S.VISIT_CANCELLED, _S.SCHEDULED),
    Step("22", _I, _E.ASK_CANCEL, _S.VISIT_CANCELLED, _S.CANCEL_ASKED),
    Step("23", _R, _E.CONFIRM_CANCEL, _S.CANCEL_ASKED, _S.CANCELLED),
    Step("24", _R, _E.OUTCOME, _S.CANCEL_ASKED, _S.COMPLETED),
    Step("25", _R, _E.DECLINE, _S.VISITED, _S.DECLINED),
    Step("26", _R, _E.SCHEDULE, _S.VISITED, _S.SCHEDULED),
    Step("27", _R, _E.CANCEL_VISIT, _S.VISITED, _S.VISIT_CANCELLED),
    Step("28", _I, _E.ASK_CANCEL, _S.VISITED, _S.CANCEL_ASKED),
    Step("29", _R, _E.VISIT, _S.VISITED, _S.VISITED),
    Step("30", _R, _E.OUTCOME, _S.VISITED, _S.COMPLETED),
    Step("31", _R, _E.UNDER_WAY_BOOKED, _S.ACCEPTED, _S.ACTIVE),
    Step("32", _R, _E.UNDER_WAY_NOTED, _S.ACCEPTED, _S.ACTIVE),
    Step("33", _R, _E.DECLINE, _S.ACTIVE, _S.DECLINED),
    Step("34", _I, _E.ASK_CANCEL, _S.ACTIVE, _S.CANCEL_ASKED),
)
TERMINAL = (State.DECLINED, State.CANCELLED, State.COMPLETED)
IN_TREATMENT = (State.ACTIVE, State.SCHEDULED, State.NO_SHOW, State.VISIT_CANCELLED, State.VISITED)
_BY_PLACE = {(step.source, step.event): step for step in STEPS}


def step(source: str, event: str, actor: Actor) -> Step | None:
    """Return the one step that this event of this actor is from this state; None when there is none."""
    found = _BY_PLACE.get((State(source), Event(event)))
    return found if found is not None and found.actor == actor else None


def open_to(source: str, actor: Actor) -> tuple[Event, ...]:
    """What this actor may do from here, in the order of the table: buttons are drawn from it."""
    return tuple(step.event for step in STEPS if step.source == source and step.actor == actor)
