"""A guardian answers a client's forms and signs for them, from their own page (K7).

Only what waits and what the client has not begun; who has it in hand stands on the sitting, who said what on each
answer. The client takes it over by coming in with a code; then the guardian is out at the next request.
"""

from datetime import datetime
from typing import Any

from django.db import transaction

from intake import actions, flow, trusted
from intake.models import Intake, Invitation, TrustedPerson
from intake.models.packets import PAGES
from practice import instruments
from practice.models import Practice


def waiting(person: TrustedPerson, at: datetime) -> list[Invitation]:
    """The forms that this guardian may begin now, or go on with; the newest first."""
    if not trusted.may_act(person, at, Practice.get()):
        return []
    rows: Any = person.client.invitations.filter(state__in=actions.OPEN, expires_at__gt=at).exclude(packet__in=PAGES)
    found = [row for row in rows.select_related("intake").order_by("-created_at", "pk") if _is_free(row, person)]
    asked = {row.pk: flow.asked_of_guardian(actions.packet_for(row).pages) for row in found}
    keys = {page.instrument for pages in asked.values() for page in pages if page.instrument}
    closed = instruments.closed(sorted(keys), at)
    return [row for row in found if any(page.instrument not in closed for page in asked[row.pk])]


def _is_free(row: Invitation, person: TrustedPerson) -> bool:
    """Whether nobody else has begun it: not the client, not staff for them, not another guardian."""
    sitting: Intake | None = getattr(row, "intake", None)
    return (
        sitting is None or sitting.answered_by_id == person.pk or (sitting.saved_at is None and not sitting.entered_how)
    )


@transaction.atomic
def begin(*, person: TrustedPerson, invitation: Invitation, at: datetime) -> Intake:
    """Take the forms in hand, or go on with them. Raises NotNow when somebody else was first."""
    row: Invitation = Invitation.objects.held(invitation.pk)
    sitting = Intake.objects.filter(invitation=row).select_related("answered_by").first()
    if sitting is not None and sitting.answered_by_id == person.pk and sitting.submitted_at is None:
        return sitting
    return actions.start(invitation=row, at=at, person=person)
