"""Staff enter what a client says, by phone or in the room: marked so on every answer, and never a signature.

Only a sitting that was begun so: what a client has typed themselves and not sent is theirs.
"""

from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from intake import actions, flow, handing, signs
from intake.models import Intake, Invitation
from practice import audit
from practice.actions import NotNow
from practice.models import Client, Practice, User
from practice.templatetags.ui import moment

How = Intake.How
SAID = {
    How.PHONE: _("Said by phone, entered by {name}, {when}"),
    How.ROOM: _("Said in the room, entered by {name}, {when}"),
}


@transaction.atomic
def begin(*, by: User, client: Client, key: str, how: str, at: datetime) -> Intake:
    """Begin a sitting in which `by` writes down what the client says; or go on with one that was begun so.

    Raises NotNow when the client has begun the same forms themselves.
    """
    invitation = handing.prepare(by=by, client=client, key=key, at=at)
    before = Intake.objects.filter(invitation=invitation).first()
    if before is not None and before.entered_how and not went_on(before):
        return before
    if before is not None and before.saved_at is not None and before.answered_by_id is not None:
        raise NotNow(gettext("A guardian has begun these forms. Take those back first, or let them finish."))
    if before is not None and before.saved_at is not None:
        raise NotNow(gettext("They have begun these forms themselves. Take those back first, or let them finish."))
    sitting = actions.start(invitation=invitation, at=at)
    sitting.entered_how, sitting.completed_by = how, "staff"
    sitting.save(update_fields=["entered_how", "completed_by"])
    audit.record("intake.entered_for", by=by, client=client, target=sitting, at=at, how=how)
    return sitting


def went_on(sitting: Intake) -> bool:
    """Whether the client went on by themselves: from then on it is theirs until it is sent, and not opened by staff."""
    return sitting.submitted_at is None and sitting.answers.filter(entered_by=None).exists()


def left_to_sign(shown: list[Any], replies: flow.Replies) -> list[str]:
    """The agreements that nobody signs for a client."""
    return [page.slug for page in shown if page.kind == "agreement" and page.slug not in replies]


@transaction.atomic
def hand_in(*, by: User, sitting: Intake, at: datetime) -> Invitation | None:
    """Take the answers in as if the client had sent them; agreements are sent to the client to sign.

    Returns what was made for the agreements: sent when there is a safe way, else to be filled in here; None when
    nothing is left to sign. Raises NotNow when an answer that we need is missing.
    """
    replies = actions.replies_of(sitting)
    wanted = actions.packet_of(sitting)
    shown = flow.pages(wanted, replies, actions.world(Practice.get(), actions.alert_of(sitting), wanted, at))
    slugs = left_to_sign(shown, replies)
    if sitting.submitted_at is not None:
        return None
    client = Client.objects.get(pk=sitting.client_id)
    actions.submit(by=client, sitting=sitting, at=at, entered_by=by)
    if not slugs:
        return None
    client.refresh_from_db()
    try:
        return actions.invite(by=by, client=client, key=wanted.key, only=slugs, at=at, template="agreement")
    except NotNow:
        return handing.prepare(by=by, client=client, key=wanted.key, only=slugs, at=at)


def words(row: Any, who: str | None = None) -> str:
    """How an answer came here when the client did not give it: "Said by phone, entered by Maya Torres, Thu ..."."""
    if row.answered_by is not None:
        who_said = signs.person_words(row.answered_by)
        return gettext("Answered by {name}, not by the client, {when}").format(name=who_said, when=moment(row.at))
    if not row.entered_how:
        return ""
    name = who or (row.entered_by.name if row.entered_by else "")
    return str(SAID[How(row.entered_how)]).format(name=name, when=moment(row.at))
