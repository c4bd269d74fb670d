"""The adult in the home of a session by video: their link, the code that staff say aloud, and its end (H9).

The link dies with the session. The code is never written into a message: who finds the message does not get in.
"""

import hmac
from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import QuerySet
from django.urls import reverse
from django.utils.translation import gettext

from intake import starting
from practice import audit, notices
from practice.actions import NotNow
from practice.kap.actions.requests import digest
from practice.kap.models import ChaperoneLink, Session
from practice.models import Client, User
from practice.models.jobs import Notice

OPENS_BEFORE = timedelta(hours=2)
ENDS_AFTER = timedelta(hours=12)  # the start of the session
TRIES = 5
OPEN = (Session.State.PLANNED, Session.State.STARTED)
EMAIL, SMS = Notice.Channel.EMAIL, Notice.Channel.SMS


def _locked(session: Session) -> Session:
    row: Session = Session.objects.held(session.pk)
    return row


@transaction.atomic
def place(*, by: User, session: Session, setting: str, at: datetime) -> None:
    """Say whether a dosing session is in the room or by video. In the room nobody needs a link."""
    row = _locked(session)
    if row.kind != Session.Kind.DOSING or row.state not in Session.AHEAD:
        raise NotNow(gettext("Where a session takes place is said before it starts."))
    if setting not in Session.Setting.values:
        raise NotNow(gettext("Choose where the session takes place."))
    if row.setting == setting:
        return
    row.setting, row.changed_at = setting, at
    row.sequence += 1
    row.save(update_fields=["setting", "changed_at", "sequence"])
    row.chaperones.filter(ended_at=None).update(ended_at=at)
    audit.record("session.placed", by=by, client=row.plan.client, target=row, at=at)
    if setting == Session.Setting.REMOTE:
        starting.joined(row.plan.client, starting.Group.REMOTE, subject_id=row.plan_id, at=at)


@transaction.atomic
def ask(
    *, by: User, session: Session, name: str, phone: str, email: str = "", may_send: Sequence[str] = (), at: datetime
) -> ChaperoneLink:
    """Make the link, and send it by the channels that they said yes to; the one before it stops working at once."""
    row = _locked(session)
    if row.setting != Session.Setting.REMOTE or row.kind != Session.Kind.DOSING:
        raise NotNow(gettext("Only a dosing session by video has a page for an adult in the home."))
    if row.state not in OPEN or at >= row.starts_at + ENDS_AFTER:
        raise NotNow(gettext("This session is over, or not booked yet."))
    row.chaperones.filter(ended_at=None).update(ended_at=at)
    made = ChaperoneLink(session=row, opens_at=row.starts_at - OPENS_BEFORE, expires_at=row.starts_at + ENDS_AFTER)
    made.name, made.phone, made.email, made.made_by, made.made_at = name, phone, email, by, at
    made.may_send = [channel for channel in (SMS, EMAIL) if channel in may_send and (channel == SMS or email)]
    made.token_digest = digest(made.token)
    made.save(force_insert=True)
    client = row.plan.client
    for channel in made.may_send:
        address = email if channel == EMAIL else phone
        notices.tell_clinic(address, "chaperone_link", client=client, channel=channel, link=link_of(made))
    audit.record("session.chaperone_asked", by=by, client=client, target=row, at=at, sent_by=made.may_send)
    return made


def link_of(link: ChaperoneLink) -> str:
    return notices.link(reverse("chaperone_open", args=[link.token]))


@transaction.atomic
def end(*, by: User, session: Session, at: datetime) -> None:
    row = _locked(session)
    if row.chaperones.filter(ended_at=None).update(ended_at=at):
        audit.record("session.chaperone_ended", by=by, client=row.plan.client, target=row, at=at)


# --- Which link works ------------------------------------------------------------------------------------------------


def found(token: str, at: datetime) -> ChaperoneLink | None:
    return _live(at).filter(token_digest=digest(token)).first()


def held(pk: str, at: datetime) -> ChaperoneLink | None:
    """The link that this browser opened with the code, while it works."""
    return _live(at).filter(pk=pk).exclude(agreed_at=None).first()


def late(pk: str, at: datetime) -> ChaperoneLink | None:
    """The same for half a day, whatever became of the session: what was kept on the phone, or a worry, still comes."""
    return _rows().filter(pk=pk, expires_at__gt=at).exclude(agreed_at=None).first()


def _live(at: datetime) -> QuerySet[ChaperoneLink]:
    rows = _rows().filter(opens_at__lte=at, expires_at__gt=at, ended_at=None, session__signed_at=None)
    rows = rows.filter(session__state__in=OPEN, session__setting=Session.Setting.REMOTE)
    return rows.exclude(session__plan__client__status__in=Client.LEFT)


def _rows() -> QuerySet[ChaperoneLink]:
    return ChaperoneLink.objects.select_related("session__plan__client", "session__therapist", "made_by")


@transaction.atomic
def come_in(*, link: ChaperoneLink, code: str, at: datetime) -> bool:
    """Return whether the code opens the page: with it they say that they are there. Five wrong ones end the link."""
    row: ChaperoneLink = ChaperoneLink.objects.select_related("made_by").held(link.pk)
    if row.ended_at is not None:
        return False
    digits = "".join(letter for letter in code[:40] if letter in "0123456789")
    client = row.session.plan.client
    if hmac.compare_digest(digits, row.code):
        row.tries, row.opened_at, row.agreed_at = 0, row.opened_at or at, row.agreed_at or at
        row.save(update_fields=["tries", "opened_at", "agreed_at"])
        audit.record("session.chaperone_agreed", by=row, client=client, target=row.session, at=at)
        return True
    row.tries += 1
    if row.tries >= TRIES:
        row.ended_at = at
        _tell_locked(row)
    row.save(update_fields=["tries", "ended_at"])
    audit.record("session.chaperone_wrong_code", by=row, client=client, target=row.session, at=at, outcome="refused")
    return False


def _tell_locked(row: ChaperoneLink) -> None:
    session = row.session
    told = {user.pk: user for user in (row.made_by, session.therapist) if user is not None and user.is_active}
    for user in told.values():
        link = notices.link(reverse("session", args=[session.plan_id, session.pk]))
        notices.tell_staff(user, "locked", link=link)
