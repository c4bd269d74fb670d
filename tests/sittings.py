"""Sittings that were sent, with assessments scored by the product, for tests of what staff see of them."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from intake.models import Answer, Assessment, Intake, Invitation
from intake.models.packets import digest
from practice.clinical.instrument import load
from practice.clinical.scoring import score
from practice.models import Client
from tests.factories import NOW

CSSRS = "cssrs-screener-recent"
CSSRS_NONE = {"cssrs-1": 0, "cssrs-2": 0, "cssrs-6": 0}
CSSRS_MODERATE = {"cssrs-1": 1, "cssrs-2": 1, "cssrs-3": 1, "cssrs-4": 0, "cssrs-5": 0, "cssrs-6": 0}


def phq9(*values: int | None) -> dict[str, int | None]:
    """Answers to items 1 to 9, in order."""
    return {f"phq9-{n}": value for n, value in enumerate(values, 1)}


def phq9_of(total: int, item9: int = 0) -> dict[str, int | None]:
    """Answers that add up to `total`, item 9 among them."""
    rest, values = total - item9, []
    for _ in range(8):
        values.append(min(3, rest))
        rest -= values[-1]
    assert rest == 0
    return phq9(*values, item9)


def sitting(client: Client, at: datetime = NOW, *, sent: bool = True, packet: str = "intake", **facts: Any) -> Intake:
    invitation = Invitation(
        client=client,
        packet=packet,
        packet_version="1",
        created_at=at,
        expires_at=at + timedelta(days=14),
        state=Invitation.State.DONE if sent else Invitation.State.IN_PROGRESS,
    )
    invitation.token_digest = digest(invitation.token)
    invitation.save(force_insert=True)
    row = Intake(client=client, invitation=invitation, started_at=at, saved_at=at, submitted_at=at if sent else None)
    row.facts = facts
    row.save(force_insert=True)
    return row


def answered(row: Intake, at: datetime = NOW, **values: Any) -> None:
    """Keep answers by page; a dash in the page's name is written as two underscores."""
    for name, value in values.items():
        answer = Answer(intake=row, question=name.replace("__", "-"), at=at, skipped=value is None)
        answer.value = value
        answer.save(force_insert=True)


def assessed(row: Intake, key: str, answers: dict[str, Any], at: datetime | None = None) -> Assessment:
    definition, at = load(key), at or row.started_at
    result = score(definition, answers)
    found = Assessment(
        client=row.client,
        intake=row,
        instrument=key,
        instrument_version=definition.version,
        wording_sha256=definition.wording_sha256,
        total=None if result.total is None else Decimal(str(result.total)),
        estimated=result.estimated,
        lower_bound=result.lower_bound,
        band=result.band or "",
        level=result.level or "",
        flags=list(result.flags),
        complete=result.complete,
        safety=any(value for _, value in result.safety),
        details={"status": result.status, "missing": list(result.missing)},
        taken_at=at,
        taken_on=at.astimezone(ZoneInfo("America/New_York")).date(),
        seconds=150,
    )
    found.answers = answers
    found.save(force_insert=True)
    return found
