"""What became of what was sent: the mail server took it or refused it, the fax gateway, a message that came back."""

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from smtplib import SMTPRecipientsRefused

from django.core.mail import EmailMessage
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext

from practice import audit, coverage, notices
from practice.actions import NotNow
from practice.models import Client, Notice, Practice, Task, User
from referrals import disclosure
from referrals.models import (
    Decision,
    Sending,
)

NOT_REACHED = "not_reached"


def settled(notice: Notice) -> None:
    """The mail server took a message to a clinic, or refused it for good."""
    found = (
        Sending.objects.filter(notice=notice, state=Sending.State.WAITING).select_related("referral__client").first()
    )
    if found is None:
        return
    if notice.state == Notice.State.SENT:
        _took(found, timezone.now())
    elif notice.state == Notice.State.FAILED:
        bounced(found, notice.trouble, timezone.now())


def _took(sending: Sending, at: datetime) -> None:
    Sending.objects.filter(pk=sending.pk).update(state=Sending.State.DELIVERED, settled_at=at)
    audit.record("referral.delivered", by=None, client=sending.referral.client_id, target=sending.referral, at=at)


@transaction.atomic
def bounced(sending: Sending, trouble: str, at: datetime, by: User | None = None) -> None:
    """It came back: somebody calls the clinic. Nothing about the client's care waits in silence."""
    Client.objects.hold(sending.referral.client_id)
    standing = Sending.objects.filter(pk=sending.pk).exclude(state__in=[Sending.State.BOUNCED, Sending.State.DONE])
    if not standing.update(state=Sending.State.BOUNCED, trouble=trouble[:80], settled_at=at):
        raise NotNow(gettext("This was recorded before."))
    referral, practice = sending.referral, Practice.get()
    pressing, soon = referral.urgency == Decision.Urgency.URGENT, at + timedelta(hours=1)
    Task.open(
        referral.client,
        "call_clinic",
        at=at,
        subject_id=referral.pk,
        due_at=soon if pressing and coverage.in_hours(at, practice) else coverage.next_opening(at, practice),
        owner=referral.client.therapist,
        reason="bounced",
    )
    audit.record("referral.bounced", by=by, client=referral.client, target=referral, at=at, channel=sending.channel)


class NotMade(Exception):
    """The PDF is still being made."""


def send_fax_mail(sending: Sending, at: datetime) -> Callable[[], None]:
    """Mail the PDF to the fax gateway; returns what to note. Raises while the PDF or the mail server is not there."""
    referral = sending.referral
    if referral.client.status in Client.LEFT or not disclosure.may_read(sending.packet, at).allowed:
        return partial(_stopped, sending, at)
    try:
        fax_mail(sending).send()
    except SMTPRecipientsRefused as trouble:
        if not notices.is_refusal(trouble):
            raise
        return partial(bounced, sending, type(trouble).__name__, at)
    return partial(_took, sending, at)


def _stopped(sending: Sending, at: datetime) -> None:
    Sending.objects.filter(pk=sending.pk).update(state=Sending.State.STOPPED, settled_at=at)
    audit.record("referral.sending_stopped", by=None, client=sending.referral.client_id, target=sending.referral, at=at)


def fax_mail(sending: Sending) -> EmailMessage:
    """The mail to the fax gateway with the PDF. It names nobody: the fax number and the reference only."""
    packet = sending.packet
    if not packet.pdf:
        raise NotMade
    clinic = sending.referral.destination
    mail = EmailMessage(
        subject=gettext("Fax {number}").format(number=clinic.fax if clinic else ""),
        body="",
        to=[sending.address],
        headers={"Message-ID": f"<{sending.pk}@waymark>"},
    )
    mail.attach(f"{sending.referral.reference}-{packet.number}.pdf", bytes(packet.pdf), "application/pdf")
    return mail
