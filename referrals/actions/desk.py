"""What a clinic does on its own page, without an account: codes, first look, messages, worries, letters, colleagues.

What moves a referral (accept, decline, visits, outcome) is actions.events; this is everything around it.
"""

import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256

from django.conf import settings
from django.db import transaction
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext

from practice import audit, notices
from practice.actions import NotNow, raise_alert
from practice.models import Alert, Client, Notice, Practice, Task, User
from practice.templatetags.ui import moment
from referrals.actions import clocks, news
from referrals.models import DeskKey, Destination, Letter, Message, Referral

CODE_LIFE = timedelta(minutes=10)
AGAIN_AFTER = timedelta(minutes=1)  # a code; a new link waits for RENEW_AFTER
RENEW_AFTER = timedelta(minutes=10)
TRIES = 5
LOCK = timedelta(minutes=15)
EMAIL, SMS = Notice.Channel.EMAIL, Notice.Channel.SMS
CLINIC_RULE = {"id": "clinic", "version": "1"}


# --- Who may read ----------------------------------------------------------------------------------------------------


def main_key(destination: Destination, at: datetime) -> DeskKey | None:
    """The key of the clinic's own address, made when first needed. It follows the directory when that changes."""
    address = destination.email.strip().lower()
    if not address:
        return None
    DeskKey.objects.filter(destination=destination, is_main=True).exclude(email=address).update(is_main=False)
    key, new = DeskKey.objects.get_or_create(
        destination=destination,
        email=address,
        defaults={"name": destination.coordinator, "is_main": True, "approved_at": at, "created_at": at},
    )
    if not new and (not key.is_main or key.approved_at is None):
        key.is_main, key.approved_at = True, key.approved_at or at
        key.save(update_fields=["is_main", "approved_at"])
    return key


@dataclass(frozen=True)
class Way:
    """One address on file by which a code may reach somebody who may read a referral."""

    code: str
    channel: str
    address: str
    key: DeskKey | None
    """The colleague it was passed to; None is the clinic's own address."""

    @property
    def shown(self) -> str:
        """The address as far as somebody may see it who only has the link."""
        if self.channel == SMS:
            return gettext("the phone ending in {digits}").format(digits=self.address.strip()[-2:])
        return masked(self.address)


def masked(address: str) -> str:
    name, _at, domain = address.partition("@")
    return f"{name[:1]}•••@{domain}"


def ways(referral: Referral) -> list[Way]:
    """The addresses on file of this referral: the colleague it was passed to, then the clinic's own mail and phone."""
    destination, contact = referral.destination, referral.contact
    found = []
    if contact is not None and contact.approved_at and not contact.is_main:
        found.append(Way("colleague", str(EMAIL), contact.email, contact))
    if destination is not None and destination.email:
        found.append(Way("clinic", str(EMAIL), destination.email.strip().lower(), None))
        if destination.phone:
            found.append(Way("phone", str(SMS), destination.phone, None))
    return found


def way_of(referral: Referral, key: DeskKey, channel: str) -> Way | None:
    """The way by which another code may reach the address that this browser came for."""
    mine = (way for way in ways(referral) if (way.key == key if way.key else key.is_main))
    return next((way for way in mine if way.channel == channel), None)


def is_shut(key: DeskKey, at: datetime) -> bool:
    return key.locked_until is not None and at < key.locked_until


def _code_digest(key: DeskKey, code: str) -> str:
    """Keyed, since six digits are soon tried out by whoever has a copy of the table."""
    _number, secret = settings.KEY_RING.current("link")
    digits = "".join(letter for letter in code if letter.isdigit())
    return hmac.new(secret, f"desk-code|{key.pk}|{digits}".encode(), sha256).hexdigest()


@transaction.atomic
def send_code(*, referral: Referral, way: Way, at: datetime) -> DeskKey | None:
    """Send a one-time code to an address on file, never twice within a minute. Returns the key that it opens."""
    Client.objects.hold(referral.client_id)
    key = way.key or (main_key(referral.destination, at) if referral.destination else None)
    if key is None:
        return None
    row = DeskKey.objects.select_for_update(of=("self",), no_key=True).get(pk=key.pk)
    fresh = row.code_expires_at is not None and row.code_expires_at - CODE_LIFE > at - AGAIN_AFTER
    if fresh or is_shut(row, at):
        return key
    code = f"{secrets.randbelow(10**6):06d}"
    row.code_digest, row.code_expires_at = _code_digest(row, code), at + CODE_LIFE
    row.save(update_fields=["code_digest", "code_expires_at"])
    notices.tell_clinic(way.address, "desk_code", channel=way.channel, code=code)
    audit.record("desk.code_sent", by=row, client=referral.client_id, target=referral, at=at, channel=way.channel)
    return key


@transaction.atomic
def try_code(*, referral: Referral, key: DeskKey, code: str, at: datetime) -> bool:
    """Return whether the code opens the clinic's page. Five wrong ones close it for a while; the practice is told."""
    Client.objects.hold(referral.client_id)
    row = DeskKey.objects.select_for_update(of=("self",), no_key=True).select_related("destination").get(pk=key.pk)
    if is_shut(row, at):
        return False
    live = row.code_digest if row.code_expires_at is not None and at < row.code_expires_at else ""
    if live and hmac.compare_digest(live, _code_digest(row, code[:40])):
        row.tries, row.locked_until, row.code_digest, row.code_expires_at = 0, None, "", None
        row.save(update_fields=["tries", "locked_until", "code_digest", "code_expires_at"])
        audit.record("desk.unlocked", by=row, client=referral.client_id, target=referral, at=at)
        return True
    row.tries += 1
    if row.tries >= TRIES:
        row.tries, row.locked_until, row.code_digest, row.code_expires_at = 0, at + LOCK, "", None
        _tell_locked(referral, row, at)
    row.save(update_fields=["tries", "locked_until", "code_digest", "code_expires_at"])
    audit.record(
        "desk.wrong_code", by=row, client=referral.client_id, target=referral, at=at, outcome="refused", tries=row.tries
    )
    return False


def _tell_locked(referral: Referral, key: DeskKey, at: datetime) -> None:
    for user in news.tellable(referral):
        notices.tell_staff(user, "locked", link=notices.link(reverse("referral", args=[referral.pk])))
    _have_called(referral, "locked", at)
    audit.record("desk.locked", by=None, client=referral.client_id, target=referral, at=at)


def _have_called(referral: Referral, reason: str, at: datetime) -> None:
    client = referral.client
    Task.open(client, "call_clinic", at=at, subject_id=referral.pk, owner=client.therapist, reason=reason)


@transaction.atomic
def renew_link(*, referral: Referral, at: datetime) -> bool:
    """Send a new link for one that has run out, to the addresses on file. Returns whether one went out."""
    row: Referral = Referral.objects.held(referral.pk)
    ended = row.link_expires_at is not None and row.link_expires_at <= at
    lately = Notice.objects.filter(template="desk_link", client=row.client_id, created_at__gt=at - RENEW_AFTER)
    if not ended or not row.is_open or row.client.status in Client.LEFT or lately.exists():
        return False
    row.renew(at)
    row.save(update_fields=["generation", "token_digest", "link_expires_at"])
    link = notices.link(row.desk_path)
    for way in ways(row):
        if way.channel == EMAIL:
            notices.tell_clinic(way.address, "desk_link", client=row.client, reference=row.reference, link=link)
    audit.record("desk.link_renewed", by=None, client=row.client_id, target=row, at=at)
    return True


# --- Reading ---------------------------------------------------------------------------------------------------------


@transaction.atomic
def look(*, referral: Referral, key: DeskKey, at: datetime) -> None:
    """Note that the clinic looked, past the code. The first look tells the practice, and stops its clock."""
    Client.objects.hold(referral.client_id)
    audit.record("read.desk", by=key, client=referral.client_id, target=referral, at=at)
    if Referral.objects.filter(pk=referral.pk, opened_at=None).update(opened_at=at, opened_by=key, heard_at=at):
        referral.refresh_from_db()
        clocks.restart(referral, at)
        news.tell_practice(referral)
    Message.objects.filter(referral=referral, from_clinic=False, read_at=None).update(read_at=at)


@transaction.atomic
def receive(*, referral: Referral, key: DeskKey, name: str, at: datetime) -> bool:
    """Only mark as received: stops the first clock. Returns False when it was marked before."""
    Client.objects.hold(referral.client_id)
    if not Referral.objects.filter(pk=referral.pk, received_at=None).update(received_at=at, heard_at=at):
        return False
    referral.refresh_from_db()
    audit.record("referral.received", by=key, client=referral.client_id, target=referral, at=at)
    clocks.restart(referral, at)
    news.tell_practice(referral)
    return True


# --- Writing ---------------------------------------------------------------------------------------------------------


@transaction.atomic
def write(
    *, referral: Referral, key: DeskKey, name: str, words: str, at: datetime, is_question: bool = False
) -> Message:
    """Add a line of the clinic to the thread. The therapist gets it as an item to answer."""
    if not words.strip():
        raise NotNow(gettext("Write your message first."))
    Client.objects.hold(referral.client_id)
    message = _message(referral, key, name, words, at, is_question=is_question)
    if referral.is_open:
        clocks.restart(referral, at)
    Task.open(referral.client, "clinic_asks", at=at, subject_id=referral.pk, owner=referral.client.therapist)
    audit.record("referral.message", by=key, client=referral.client_id, target=message, at=at, question=is_question)
    news.tell_practice(referral)
    return message


def _message(referral: Referral, key: DeskKey, name: str, words: str, at: datetime, **kind: bool) -> Message:
    message = Message(referral=referral, from_clinic=True, by_key=key, by_name=name[:80], at=at, **kind)
    message.words = words.strip()
    message.save(force_insert=True)
    Referral.objects.filter(pk=referral.pk).update(heard_at=at)
    return message


SAFE_NOW = {"yes": Alert.Severity.PRIORITY, "no": Alert.Severity.URGENT, "unknown": Alert.Severity.URGENT}


@transaction.atomic
def report_safety(
    *,
    referral: Referral,
    key: DeskKey,
    name: str,
    phone: str,
    words: str,
    happened_at: datetime | None,
    safe_now: str,
    at: datetime,
) -> Alert:
    """Raise a flag from a side effect or a worry about safety, told by the clinic. Works in every state of a referral.

    Unless the clinic says that the client is safe now, it is urgent.
    """
    if not words.strip():
        raise NotNow(gettext("Write what happened."))
    with timezone.override(Practice.get().zone):
        when = moment(happened_at) if happened_at else gettext("time not known")
    told = gettext("{clinic}, {name}, {phone}. When: {when}. Client safe now: {safe}.\n{words}").format(
        clinic=referral.destination,
        name=name or gettext("no name given"),
        phone=phone or (referral.destination.phone if referral.destination else ""),
        when=when,
        safe={"yes": gettext("yes"), "no": gettext("no")}.get(safe_now, gettext("not known")),
        words=words.strip(),
    )
    Client.objects.hold(referral.client_id)
    message = _message(referral, key, name, told, at, is_safety=True)
    alert = raise_alert(
        by=key,
        client=referral.client,
        source=Alert.Source.CLINIC,
        severity=SAFE_NOW.get(safe_now, Alert.Severity.URGENT),
        rules=[CLINIC_RULE],
        reason=told,
        at=at,
    )
    audit.record("referral.safety_report", by=key, client=referral.client_id, target=message, at=at)
    return alert


@transaction.atomic
def hand_letter(
    *,
    referral: Referral,
    key: DeskKey,
    name: str,
    words: str,
    file: tuple[str, str, bytes] | None,
    is_outcome: bool,
    at: datetime,
) -> Letter:
    """Keep a letter of the clinic: typed, or a file as (name, kind by content, body). Never lost for a state."""
    if not words.strip() and file is None:
        raise NotNow(gettext("Choose a file, or write the letter in the box."))
    letter = Letter(referral=referral, is_outcome=is_outcome, from_clinic=True, by_key=key, by_name=name[:80], at=at)
    letter.take(words, file)
    Client.objects.hold(referral.client_id)
    letter.save(force_insert=True)
    Referral.objects.filter(pk=referral.pk).update(heard_at=at)
    Task.open(referral.client, "letter", at=at, subject_id=referral.pk, owner=referral.client.therapist)
    audit.record("referral.letter", by=key, client=referral.client_id, target=letter, at=at, size=letter.size)
    if not is_outcome:
        news.tell_practice(referral)
    return letter


# --- Colleagues, and mail --------------------------------------------------------------------------------------------


@transaction.atomic
def pass_on(*, referral: Referral, key: DeskKey, email: str, name: str, at: datetime) -> DeskKey:
    """Pass this referral to a colleague. At the clinic's own domain at once; elsewhere the practice approves first.

    A domain where anybody may have an address is nobody's own.
    """
    destination = referral.destination
    if destination is None:
        raise NotNow(gettext("This was not sent to anybody yet."))
    address = email.strip().lower()
    if address == key.email:
        raise NotNow(gettext("This is your own address. Write the address of your colleague."))
    Client.objects.hold(referral.client_id)
    ours = address.rpartition("@")[2] == destination.mail_domain != ""
    colleague, _new = DeskKey.objects.get_or_create(
        destination=destination, email=address, defaults={"name": name[:80], "created_at": at}
    )
    if ours and colleague.approved_at is None:
        colleague.approved_at = at
        colleague.save(update_fields=["approved_at"])
    Referral.objects.filter(pk=referral.pk).update(contact=colleague, heard_at=at)
    referral.contact = colleague
    audit.record(
        "referral.passed_on", by=key, client=referral.client_id, target=referral, at=at, waits=not colleague.approved_at
    )
    if colleague.approved_at:
        invite_colleague(referral, colleague)
    else:
        _have_called(referral, "address", at)
    news.tell_practice(referral)
    return colleague


def invite_colleague(referral: Referral, colleague: DeskKey) -> None:
    link = notices.link(referral.desk_path)
    notices.tell_clinic(colleague.email, "desk_link", client=referral.client, reference=referral.reference, link=link)


@transaction.atomic
def approve_key(*, by: User, key: DeskKey, at: datetime) -> bool:
    """Let an address at another domain read what was passed to it. Returns False when somebody did so before."""
    passed = Referral.objects.open().filter(contact=key)
    Client.objects.hold_each(passed.values_list("client_id", flat=True))
    if not DeskKey.objects.filter(pk=key.pk, approved_at=None).update(approved_at=at, approved_by=by):
        return False
    key.refresh_from_db()
    for referral in passed.select_related("client"):
        invite_colleague(referral, key)
        Task.finish(referral.client, "call_clinic", at=at, by=by, subject_id=referral.pk)
        audit.record("referral.address_approved", by=by, client=referral.client_id, target=referral, at=at)
    audit.record("desk.address_approved", by=by, target=key, at=at)
    return True


@transaction.atomic
def stop_mail(*, key: DeskKey, referral: Referral, at: datetime) -> bool:
    """The clinic wants calls instead of mail: no more digests or mails; the practice is told and calls."""
    destination = key.destination
    theirs = Referral.objects.open().filter(destination=destination)
    Client.objects.hold_each({referral.client_id, *theirs.values_list("client_id", flat=True)})
    if not Destination.objects.filter(pk=destination.pk, mail_stopped_at=None).update(mail_stopped_at=at):
        return False
    audit.record("desk.mail_stopped", by=key, client=referral.client_id, target=referral, at=at)
    for each in theirs.select_related("client__therapist"):
        _have_called(each, "stopped", at)
        audit.record("task.opened", by=None, client=each.client_id, target=each, at=at)
    news.tell_practice(referral)
    return True
