"""Sending a referral to a clinic: the first time, again under a new link, and to the next clinic."""

from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from django.db import transaction
from django.db.models import Max
from django.utils import timezone
from django.utils.translation import gettext

from intake import measures, starting
from intake.models import Measure
from practice import audit, jobs, notices
from practice.actions import NotNow
from practice.models import Client, Notice, Practice, Task, User
from practice.templatetags.ui import moment
from referrals import disclosure, holds
from referrals import packet as packets
from referrals.actions import courses, decisions, directory, events
from referrals.actions.drafts import DISCARDED, has_sign, is_draft, locked, still_here
from referrals.actions.problems import RELEASE, problems
from referrals.models import (
    Decision,
    Destination,
    Disclosure,
    Packet,
    Path,
    Referral,
    Sending,
    StatusChange,
)
from referrals.states import TERMINAL, Actor, Event, State

Channel = Sending.Channel
TEXTS = ("why_now", "ask", "keep_doing")


# How a way of sending is called where disclosures are listed.
DISCLOSED_BY = {
    Channel.LINK: Disclosure.Channel.LINK,
    Channel.FAX_MAIL: Disclosure.Channel.FAX,
    Channel.PRINT: Disclosure.Channel.PRINT,
    Channel.PHONE: Disclosure.Channel.PHONE,
}


# --- Sending ---------------------------------------------------------------------------------------------------------


GOES_BY_ITSELF = (Channel.LINK, Channel.FAX_MAIL)


def ways(clinic: Destination | None) -> list[str]:
    """The ways in which a referral may go to this clinic; paper and phone always work."""
    found = []
    if clinic is not None and clinic.email and clinic.mail_stopped_at is None:
        found.append(Channel.LINK)
    if clinic is not None and clinic.fax_email:
        found.append(Channel.FAX_MAIL)
    return [str(channel) for channel in (*found, Channel.PRINT, Channel.PHONE)]


@transaction.atomic
def send(
    *,
    by: User,
    referral: Referral,
    channels: Sequence[str],
    at: datetime,
    spoke_with: str = "",
    emergency_reason: str = "",
) -> Packet:
    """Freeze the packet and send it. All of it happens, or nothing; the PDF is made later, by a job.

    `emergency_reason` sends without a release (45 CFR 164.512(j)); it lifts no other hold. Raises NotNow with the
    first sentence of what stands in the way.
    """
    row = locked(referral)
    is_draft(row)
    emergency = bool(emergency_reason.strip())
    _check_channels(row, channels, spoke_with)
    _content, answer = packets.outgoing(row, at, emergency=emergency)
    standing = holds.standing(row.client, at)
    for problem in problems(row, at, answer, standing):
        if problem.stops and not (emergency and problem.about == RELEASE):
            raise NotNow(problem.words)
    row.release, row.has_safety_sign = answer.release if answer else None, has_sign(row, standing)
    row.renew(at)
    row.save(update_fields=["release", "has_safety_sign", "generation", "token_digest", "link_expires_at"])
    packet = packets.freeze(by=by, referral=row, at=at, emergency=emergency)
    events.record(row, Event.SEND, Actor.INITIATOR, by=by, channel=StatusChange.Channel.HERE, at=at)
    _send_by(row, packet, channels, by, at, answer, spoke_with, emergency_reason)
    if row.has_safety_sign and row.decision_id is None:
        _check_in_meanwhile(row, by, at)
    starting.joined(row.client, starting.Group.REFERRED, subject_id=row.pk, at=at)
    return packet


def _check_in_meanwhile(row: Referral, by: User, at: datetime) -> None:
    """Begin the short check-ins that a decision would have begun, unless some are under way already."""
    known = measures.planned(row.client).filter(why=Measure.Why.INTERIM)
    if row.path == Path.INFUSION and not known.exists():
        measures.start_interim(by=by, client=row.client, subject_id=row.pk, at=at)


def _check_channels(row: Referral, channels: Sequence[str], spoke_with: str) -> None:
    if not channels:
        raise NotNow(gettext("Choose at least one way to send it."))
    possible = ways(row.destination)
    if row.destination is not None and any(channel not in possible for channel in channels):
        raise NotNow(gettext("This clinic cannot be reached that way. Look at its page in the directory."))
    if Channel.PHONE in channels and not spoke_with.strip():
        raise NotNow(gettext("Write with whom you spoke by phone."))


def _send_by(
    row: Referral,
    packet: Packet,
    channels: Sequence[str],
    by: User,
    at: datetime,
    answer: disclosure.Answer | None,
    spoke_with: str,
    emergency_reason: str,
) -> None:
    clinic = row.destination
    assert clinic is not None
    sections = packets.sections_present(packet.content or {})
    for channel in dict.fromkeys(channels):
        disclosure.disclose(
            by=by,
            client=row.client,
            destination=clinic,
            referral=row,
            packet=packet,
            sections=sections,
            purpose=packets.PURPOSE,
            channel=DISCLOSED_BY[Channel(channel)],
            at=at,
            answer=answer,
            emergency_reason=emergency_reason,
        )
        sending = Sending(referral=row, packet=packet, channel=channel, at=at, by=by)
        if channel == Channel.LINK:
            sending.address, sending.notice = clinic.email, _tell(row, clinic, at)
        elif channel == Channel.FAX_MAIL:
            sending.address = clinic.fax_email
        else:
            sending.address = clinic.fax if channel == Channel.PRINT else clinic.phone
            sending.state, sending.settled_at = Sending.State.DONE, at
            sending.spoke_with = spoke_with.strip() if channel == Channel.PHONE else ""
        sending.save(force_insert=True)
        if channel == Channel.FAX_MAIL:
            jobs.enqueue("send_fax_mail", ref=sending.pk)


def _tell(row: Referral, clinic: Destination, at: datetime) -> Notice:
    """R1: who wrote, which reference, how soon. No client data."""
    return notices.tell_clinic(
        clinic.email,
        "referral_new",
        client=row.client,
        reference=row.reference,
        urgent=row.urgency == Decision.Urgency.URGENT,
        by=moment(timezone.localtime(row.due_at, ZoneInfo(Practice.get().zone))) if row.due_at else "",
        link=notices.link(row.desk_path),
    )


# --- Again, elsewhere ------------------------------------------------------------------------------------------------


@transaction.atomic
def resend(
    *,
    by: User,
    referral: Referral,
    channels: Sequence[str],
    at: datetime,
    email: str = "",
    change: str = "",
    spoke_with: str = "",
) -> Packet:
    """Send it again under a new link; the old one is dead from now on. A new address goes into the directory too.

    `change`: words on what is new; the packet is then made anew as the next version.
    """
    row = locked(referral)
    still_here(row.client)
    if not row.is_open:
        raise NotNow(gettext("This referral is at its end. Nothing more is sent for it."))
    if row.client.care_today.filter(recorded_at=None).exists():
        raise NotNow(gettext("The client needs care today. Record the emergency steps. Nothing goes out before that."))
    clinic = row.destination
    assert clinic is not None
    if email and email.lower() != clinic.email.lower():
        directory.revise(by=by, clinic=clinic, fields={"email": email}, at=at)
    _check_channels(row, channels, spoke_with)
    packet = row.packets.first()
    if change.strip():
        packet = packets.freeze(by=by, referral=row, at=at, change=change)
    if packet is None:
        raise NotNow(gettext("There is no packet to send."))
    sections = packets.sections_present(packet.content or {})
    answer = disclosure.may_disclose(row.client, clinic, sections, packets.PURPOSE, at)
    if not answer.allowed:
        raise NotNow(answer.words)
    row.renew(at)
    row.save(update_fields=["generation", "token_digest", "link_expires_at"])
    _send_by(row, packet, channels, by, at, answer, spoke_with, "")
    Task.finish(row.client, "call_clinic", at=at, by=by, subject_id=row.pk)
    audit.record("referral.resent", by=by, client=row.client, target=row, at=at, channels=list(channels))
    return packet


@transaction.atomic
def redirect(*, by: User, referral: Referral, destination: Destination, at: datetime) -> Referral:
    """The same request to the next clinic, as a draft; what the first one said stays. Once per ended attempt (G19)."""
    Client.objects.hold(referral.client_id)
    row = locked(referral)
    still_here(row.client)
    if row.state not in TERMINAL and row.closed_at is None:
        raise NotNow(gettext("This referral is still open. Take it back before you ask another clinic."))
    if row.state == State.COMPLETED:
        raise NotNow(gettext("This referral is completed. Begin a new one."))
    if following := row.followed_by.exclude(closed_why=DISCARDED).first():
        raise NotNow(gettext("{reference} follows this one already.").format(reference=following.reference))
    attempts = Referral.objects.filter(client=row.client, number=row.number).aggregate(n=Max("attempt"))["n"]
    following = Referral(
        client=row.client,
        number=row.number,
        attempt=attempts + 1,
        follows=row,
        decision=row.decision,
        path=row.path,
        urgency=row.urgency,
        has_safety_sign=decisions.has_sign(holds.standing(row.client, at)),
        destination=destination,
        withheld=row.withheld,
        client_told=row.client_told,
        state_at=at,
        created_at=at,
        created_by=by,
    )
    for name in TEXTS:
        setattr(following, name, getattr(row, name))
    following.save(force_insert=True)
    for ended_at in filter(None, (row.state_at, row.closed_at)):
        courses.not_over(row, ended_at=ended_at)  # they still wait for a first treatment
    Task.finish(row.client, "declined", at=at, by=by, subject_id=row.pk)
    audit.record("referral.redirected", by=by, client=row.client, target=following, at=at, attempt=following.attempt)
    return following
