"""From a draft to a clinic: the draft that never vanishes, the warm hand-off, sending, and what became of it.

Deciding and preparing are never held back. Sending is: by what `problems` lists, each with the button that mends it.
Whether something may be disclosed is asked of one gate (referrals/disclosure.py), again when it is written down.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import partial
from smtplib import SMTPRecipientsRefused
from typing import Any
from zoneinfo import ZoneInfo

from django.core.mail import EmailMessage
from django.db import transaction
from django.db.models import F, Max
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode
from django.utils.translation import gettext

from intake import measures
from intake.models import Measure
from practice import audit, coverage, jobs, notices
from practice.actions import NotNow, write_note
from practice.models import Client, Job, Notice, Practice, Task, User
from practice.templatetags.ui import moment
from referrals import disclosure, holds
from referrals import packet as packets
from referrals.actions import clocks, courses, decisions, directory, events
from referrals.models import (
    Decision,
    Destination,
    Disclosure,
    Letter,
    Message,
    Packet,
    Path,
    Referral,
    Sending,
    StatusChange,
)
from referrals.states import TERMINAL, Actor, Event, State

Channel = Sending.Channel
DISCARDED = "discarded"
NOT_REACHED = "not_reached"
RELEASE = "release"  # what an emergency may go without; nothing else
TEXTS = ("why_now", "ask", "keep_doing")

# How a way of sending is called where disclosures are listed.
DISCLOSED_BY = {
    Channel.LINK: Disclosure.Channel.LINK,
    Channel.FAX_MAIL: Disclosure.Channel.FAX,
    Channel.PRINT: Disclosure.Channel.PRINT,
    Channel.PHONE: Disclosure.Channel.PHONE,
}


@dataclass(frozen=True)
class Problem:
    """Why a referral cannot be sent yet, in words, and where it is mended."""

    words: str
    url: str
    label: str
    stops: bool = True  # else it only warns
    about: str = ""


# --- The draft -------------------------------------------------------------------------------------------------------


@transaction.atomic
def draft(
    *,
    by: User,
    client: Client,
    at: datetime,
    decision: Decision | None = None,
    path: str = "",
    **fields: Any,
) -> Referral:
    """Begin a referral, filled in from the decision. It stays until it is sent, or put away with words."""
    client = Client.objects.select_for_update(of=("self",)).get(pk=client.pk)
    _still_here(client)
    number = Referral.objects.filter(client=client).aggregate(n=Max("number"))["n"] or 0
    row = Referral(
        client=client,
        number=number + 1,
        decision=decision,
        path=path or (decision.choice if decision else Path.INFUSION),
        urgency=decision.urgency if decision else Decision.Urgency.ROUTINE,
        has_safety_sign=decisions.has_sign(holds.standing(client, at)),
        state_at=at,
        created_at=at,
        created_by=by,
    )
    for name, value in (starting_words(row.path, decision) | fields).items():
        setattr(row, name, value)
    row.save(force_insert=True)
    audit.record("referral.drafted", by=by, client=client, target=row, at=at)
    return row


def starting_words(path: str, decision: Decision | None) -> dict[str, str]:
    """What stands in a new draft: the decision's reasoning, and the usual asks. Everything can be written anew."""
    asks = {
        Path.INFUSION: gettext("Please evaluate for a course of ketamine infusions, and treat if it suits."),
        Path.PAIN: gettext("Please evaluate for ketamine infusion for pain, and treat if it suits."),
        Path.AT_HOME: gettext("Please evaluate for a supervised at-home programme, and treat if it suits."),
    }
    return {
        "why_now": (decision.reasoning or "") if decision else "",
        "ask": " ".join(
            [
                asks.get(Path(path), gettext("Please evaluate, and treat if it suits.")),
                gettext("Please tell us the date of the first visit, each session as it is done, and how it ended."),
            ]
        ),
        "keep_doing": gettext("We go on with weekly therapy, and see the client within three days after each session."),
    }


@transaction.atomic
def save_draft(*, by: User, referral: Referral, version: int, fields: Mapping[str, Any], at: datetime) -> list[str]:
    """Save the draft under a new version. Returns the names of what changed; raises NotNow when it is not as seen."""
    row = _locked(referral)
    _is_draft(row)
    if row.version != version:
        raise NotNow(gettext("Somebody changed this draft meanwhile."))
    changed = sorted(name for name, value in fields.items() if getattr(row, name) != value)
    for name in changed:
        setattr(row, name, fields[name])
    if changed:
        row.version += 1
        row.save()
        audit.record("referral.edited", by=by, client=row.client, target=row, at=at, fields=changed)
    return changed


@transaction.atomic
def discard(*, by: User, referral: Referral, words: str, at: datetime) -> None:
    """Put a draft away, by words that become a note. It stays readable among those that ended."""
    if not words.strip():
        raise NotNow(gettext("Write why this is not sent."))
    row = _locked(referral)
    _is_draft(row)
    Referral.objects.filter(pk=row.pk).update(closed_at=at, closed_why=DISCARDED, version=F("version") + 1)
    said = gettext("Referral {reference} was not sent: {words}").format(reference=row.reference, words=words.strip())
    write_note(by=by, client=row.client, words=said, at=at)
    Task.finish(row.client, "hand_off", at=at, by=by, subject_id=row.pk)
    audit.record("referral.discarded", by=by, client=row.client, target=row, at=at)


def _locked(referral: Referral) -> Referral:
    row: Referral = (
        Referral.objects.select_for_update(of=("self",)).select_related("client", "destination").get(pk=referral.pk)
    )
    return row


def _is_draft(row: Referral) -> None:
    if row.closed_why == DISCARDED:
        raise NotNow(gettext("This draft was put away."))
    if row.state != State.DRAFT:
        raise NotNow(
            gettext("{who} sent this first, {when}.").format(
                who=row.sent_by or gettext("Somebody"), when=moment(row.sent_at)
            )
        )


def _still_here(client: Client) -> None:
    if client.status in Client.LEFT:
        raise NotNow(gettext("This client is not in care any more. Nothing is sent about them."))


# --- The warm hand-off (G25) -----------------------------------------------------------------------------------------


def has_sign(referral: Referral, standing: holds.Standing) -> bool:
    """Whether there were suicidal thoughts when it was begun, or are by now: a draft may wait for days."""
    return referral.has_safety_sign or decisions.has_sign(standing)


def needs_hand_off(referral: Referral, standing: holds.Standing) -> bool:
    return referral.urgency == Decision.Urgency.URGENT and has_sign(referral, standing)


@transaction.atomic
def hand_over(
    *,
    by: User,
    referral: Referral,
    to: str,
    plan_given: bool,
    words: str,
    interim_on: date,
    at: datetime,
) -> None:
    """Record the call to the clinic, that the client has their safety plan, and when we are next in touch with them."""
    row = _locked(referral)
    _is_draft(row)
    practice = Practice.get()
    if not to.strip():
        raise NotNow(gettext("Write with whom at the clinic you spoke."))
    if not plan_given and not words.strip():
        raise NotNow(gettext("Write why the client does not have the safety plan yet."))
    if interim_on < coverage.local(at, practice).date():
        raise NotNow(gettext("Give a day from today on for the next contact with the client."))
    row.handed_off_at, row.handed_off_by, row.interim_contact_on = at, by, interim_on
    row.handed_off_to, row.plan_given, row.hand_off_words = to.strip(), plan_given, words.strip()
    row.version += 1
    row.save()
    due = datetime.combine(interim_on, practice.closes_at, tzinfo=ZoneInfo(practice.zone))
    Task.open(
        row.client, "hand_off", at=at, subject_id=row.pk, due_at=due, owner=row.client.therapist, by_day=str(interim_on)
    )
    audit.record("referral.handed_over", by=by, client=row.client, target=row, at=at)


# --- What stands in the way ------------------------------------------------------------------------------------------


def problems(
    referral: Referral,
    at: datetime,
    answer: disclosure.Answer | None = None,
    standing: holds.Standing | None = None,
) -> list[Problem]:
    """Everything that keeps this referral from being sent, then what one should know before. Empty: it can go.

    `answer` is what `packet.outgoing` said of this referral, `standing` what `holds.standing` said of its client, when
    the caller has it already.
    """
    client, here = referral.client, reverse("referral_edit", args=[referral.pk])
    standing = standing or holds.standing(client, at)
    found = []
    if client.status in Client.LEFT:
        found.append(
            Problem(
                gettext("This client is not in care any more. Nothing is sent about them."),
                client.get_absolute_url(),
                gettext("Open the chart"),
            )
        )
    found += _of_clinic(referral, here, has_sign(referral, standing))
    if not (referral.why_now or "").strip():
        found.append(
            Problem(gettext("It does not say why now."), f"{here}#draftform_why_now", gettext("Write why now"))
        )
    for hold in holds.uncleared(standing, referral.path):
        words = gettext("On hold by {rule}: {reason} {must}").format(rule=hold.rule, reason=hold.reason, must=hold.must)
        found.append(Problem(words, hold.clear_url, hold.clear_label))
    if referral.destination is not None:
        found += _of_release(referral, answer or packets.outgoing(referral, at)[1], here)
    if needs_hand_off(referral, standing) and referral.handed_off_at is None:
        words = gettext("Urgent, with suicidal thoughts: the call to the clinic is not recorded yet.")
        found.append(Problem(words, f"{here}#hand-off", gettext("Record the hand-off")))
    return found + _of_others(referral)


def _of_clinic(referral: Referral, here: str, sign: bool) -> list[Problem]:
    clinic, choose = referral.destination, gettext("Choose a clinic")
    if clinic is None:
        return [Problem(gettext("No clinic is chosen."), f"{here}#clinics", choose)]
    found = []
    if not clinic.is_active:
        words = gettext("{clinic} is not used for new referrals any more.").format(clinic=clinic)
        found.append(Problem(words, f"{here}#clinics", choose))
    if referral.path not in clinic.paths:
        words = gettext("{clinic} does not offer this kind of care: {path}.").format(
            clinic=clinic, path=Path(referral.path).label
        )
        found.append(Problem(words, f"{here}#clinics", choose))
    if sign and clinic.accepts_suicidal is False:
        words = gettext("{clinic} does not accept clients with suicidal thoughts.").format(clinic=clinic)
        found.append(Problem(words, f"{here}#clinics", gettext("Choose another"), stops=False))
    return found


def _of_release(referral: Referral, answer: disclosure.Answer | None, here: str) -> list[Problem]:
    if answer is None or answer.allowed:
        return []
    if answer.code == disclosure.SECTION_EXCLUDED and answer.sections:
        return [Problem(answer.words, f"{here}#withheld", gettext("Leave these out"), about=RELEASE)]
    url = reverse("release_new", args=[referral.client_id])
    query = urlencode({"destination": str(referral.destination_id), "referral": str(referral.pk)})
    return [Problem(answer.words, f"{url}?{query}", gettext("Ask the client to sign now"), about=RELEASE)]


def _of_others(referral: Referral) -> list[Problem]:
    """An open referral to the same place, and one of the same kind elsewhere (G23)."""
    found = []
    open_now = Referral.objects.open().filter(client=referral.client, path=referral.path).exclude(pk=referral.pk)
    for other in open_now.select_related("client", "destination"):
        words = (
            gettext("{reference} to {clinic} is open already.")
            if other.destination_id == referral.destination_id
            else gettext("{reference} of the same kind is open at {clinic}.")
        ).format(reference=other.reference, clinic=other.destination)
        found.append(Problem(words, other.get_absolute_url(), gettext("Open it"), stops=False))
    return found


# --- Sending ---------------------------------------------------------------------------------------------------------


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
    row = _locked(referral)
    _is_draft(row)
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
        link=notices.link(reverse("desk_open", args=[row.token])),
    )


# --- What became of it (G7) ------------------------------------------------------------------------------------------


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
    row = _locked(referral)
    _still_here(row.client)
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
def called(*, by: User, referral: Referral, spoke_with: str, reached: bool, at: datetime) -> None:
    """Note a call to the clinic about this referral. When they were reached, the item to call is done."""
    if not spoke_with.strip():
        raise NotNow(gettext("Write with whom you spoke, and what was said."))
    row = _locked(referral)
    packet = row.packets.first()
    if packet is None or row.destination is None:
        raise NotNow(gettext("This was not sent yet."))
    sending = Sending(referral=row, packet=packet, channel=Channel.PHONE, address=row.destination.phone, at=at, by=by)
    sending.spoke_with, sending.state, sending.settled_at = spoke_with.strip(), Sending.State.DONE, at
    if not reached:
        sending.state, sending.trouble = Sending.State.BOUNCED, NOT_REACHED
    sending.save(force_insert=True)
    clocks.called(by=by, referral=row, reached=reached, at=at)


@transaction.atomic
def remind(*, by: User, referral: Referral, at: datetime) -> None:
    """Mail the clinic today's list of what waits there: at most one a day, with all that is late in it."""
    row = _locked(referral)
    if not row.is_open or row.due_at is None or row.due_at > at:
        raise NotNow(gettext("Nothing is late here. A reminder would only be noise."))
    if not clocks.by_mail(row.destination):
        raise NotNow(gettext("This clinic gets no mail from us. Call them instead."))
    key = f"digest:{row.destination_id}:{coverage.local(at, Practice.get()).date()}"
    if Job.objects.filter(dedupe_key=key).exists():
        raise NotNow(gettext("They were reminded today. Call them, or wait until tomorrow."))
    jobs.enqueue("send_desk_digest", ref=row.destination_id, dedupe_key=key)
    audit.record("referral.reminded", by=by, client=row.client, target=row, at=at)


@transaction.atomic
def write_message(*, by: User, referral: Referral, words: str, at: datetime) -> Message:
    """Write to the clinic in the thread of this referral. It answers what they asked, and they get a mail (R3)."""
    if not words.strip():
        raise NotNow(gettext("Write your message first."))
    row = _locked(referral)
    _still_here(row.client)
    if row.state == State.DRAFT or row.destination is None:
        raise NotNow(gettext("This was not sent yet."))
    message = Message(referral=row, from_clinic=False, by=by, by_name=by.name[:80], at=at)
    message.words = words.strip()
    message.save(force_insert=True)
    row.messages.filter(from_clinic=True, read_at=None).update(read_at=at)
    Task.finish(row.client, "clinic_asks", at=at, by=by, subject_id=row.pk)
    if clocks.by_mail(row.destination):
        _tell_of_message(row)
    audit.record("referral.message", by=by, client=row.client, target=message, at=at)
    return message


def _tell_of_message(row: Referral) -> None:
    contact = row.contact if row.contact is not None and row.contact.approved_at else None
    address = contact.email if contact else row.destination.email if row.destination else ""
    link = notices.link(reverse("desk_open", args=[row.token]))
    notices.tell_clinic(address, "desk_message", client=row.client, reference=row.reference, link=link)


@transaction.atomic
def keep_letter(
    *, by: User, referral: Referral, words: str, file: tuple[str, str, bytes] | None, is_outcome: bool, at: datetime
) -> Letter:
    """Keep a letter that came to the practice by fax or post: typed, or a file as (name, kind by content, body)."""
    if not words.strip() and file is None:
        raise NotNow(gettext("Choose the file of the letter, or type what it says."))
    letter = Letter(referral=referral, is_outcome=is_outcome, from_clinic=False, by=by, by_name=by.name[:80], at=at)
    letter.words = words.strip()
    if file is not None:
        letter.name, letter.kind, letter.body = file[0][:160], file[1], file[2]
        letter.size, letter.sha256 = len(file[2]), hashlib.sha256(file[2]).hexdigest()
    letter.save(force_insert=True)
    audit.record("referral.letter_kept", by=by, client=referral.client, target=letter, at=at, size=letter.size)
    return letter


@transaction.atomic
def redirect(*, by: User, referral: Referral, destination: Destination, at: datetime) -> Referral:
    """The same request to the next clinic, as a draft; what the first one said stays. Once per ended attempt (G19)."""
    Client.objects.select_for_update(of=("self",)).get(pk=referral.client_id)
    row = _locked(referral)
    _still_here(row.client)
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
