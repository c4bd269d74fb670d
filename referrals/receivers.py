"""What happens here when a client's answers come in: one signal, in the same transaction."""

from datetime import datetime
from typing import Any

from intake import actions, flow
from intake.models import Intake, Measure
from referrals.actions.courses import note_helped
from referrals.actions.suggestions import suggest

HELPED = "helped"  # the page of a packet that asks it


def on_assessment_submitted(sender: type[Intake], *, intake: Intake, at: datetime, **_more: Any) -> None:
    suggest(by=None, client=intake.client, sitting=intake, at=at)


def keep_helped(sender: type[Intake], *, intake: Intake, at: datetime, **_more: Any) -> None:
    """How helpful a course was, said on the form after it."""
    measure = Measure.objects.filter(invitation=intake.invitation_id, why=Measure.Why.AFTER_COURSE).first()
    answer = flow.value_of(actions.replies_of(intake), HELPED) if measure is not None else None
    if measure is not None and measure.subject_id is not None and answer:
        note_helped(measure.subject_id, answer)
