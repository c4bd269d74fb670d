"""What happens here when a client's answers come in: one signal, in the same transaction."""

from datetime import datetime
from typing import Any

from intake.models import Intake
from referrals.actions.suggestions import suggest


def on_assessment_submitted(sender: type[Intake], *, intake: Intake, at: datetime, **_more: Any) -> None:
    suggest(by=None, client=intake.client, sitting=intake, at=at)
