"""Writes over several models of intake: sending a packet, a client's answers, signing, submitting, chasing."""

import hmac
import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.urls import reverse
from django.utils.translation import get_language, gettext

from intake import flow, packet, signs, trusted
from intake.agreement import Agreement
from intake.models import Answer, Assessment, Intake, Invitation, Pause, Signature, SigningRequest, TrustedPerson
from intake.models.packets import CODE_LIFE, HOME, LINK_LIFE, LOCK, MOST_DOUBLED, PAGES, PERSON, SIGNING, TRIES, digest
from intake.packet import Packet, Page
from intake.signals import assessment_submitted
from practice import audit, coverage, instruments, notices
from practice.actions import NotNow, client_did, raise_alert
from practice.clinical import risk
from practice.clinical.scoring import Score
from practice.language import HOUSE, checked, said_in
from practice.models import Alert, AlertEvent, Client, Practice, Task, User
from practice.templatetags.ui import moment

Kind = AlertEvent.Kind
State = Invitation.State
CHASE_AFTER = (timedelta(days=2), timedelta(days=5))  # then nobody is written to again; staff see "form not back"
GIVE_UP_AFTER = timedelta(days=7)
JUST_ENDED = timedelta(days=1)  # a link that ended so lately may not have been told to staff yet
RESEND_AFTER = timedelta(minutes=10)
IDLE = timedelta(seconds=settings.SESSION_IDLE_S)
LETTERS = "23456789ABCDEFGHJKMNPQRSTVWXYZ"  # no letter that looks like a number


# --- Sending ---------------------------------------------------------------------------------------------------------


@transaction.atomic
def invite(
    *,
    by: User | None,
    client: Client,
    key: str,
    at: datetime,
    only: Sequence[str] = (),
    template: str = "invitation",
    life: timedelta = LINK_LIFE,
) -> Invitation:
    """Send a packet, or `only` these pages of it, by the ways that are safe for the client.

    Raises NotNow with what is missing.
    """
    wanted = packet.load(key).only(only)
    if not wanted.by_slug:
        raise NotNow(gettext("These questions are not part of your forms any more."))
    may_send(client, wanted, at)
    Client.objects.hold(client.pk)
    for other in client.invitations.filter(packet=key, state__in=OPEN, expires_at__gt=at):
        if set(only or wanted.by_slug) <= set(packet_for(other).by_slug):
            raise NotNow(gettext("This was sent and is not back yet. Send the link again instead."))
    invitation = Invitation(
        client=client,
        packet=wanted.key,
        packet_version=wanted.version,
        only=list(only),
        created_by=by,
        created_at=at,
        sent_at=at,
        expires_at=at + life,
    )
    invitation.token_digest = digest(invitation.token)
    invitation.save(force_insert=True)
    _send(invitation, template)
    audit.record("invitation.sent", by=by, client=client, target=invitation, at=at, packet=key, only=list(only))
    return invitation


OPEN = (State.SENT, State.OPENED, State.IN_PROGRESS)


def may_send(client: Client, wanted: Packet, at: datetime) -> None:
    """Raise NotNow when this packet cannot be sent to this client now."""
    if asks_nothing(wanted, instruments.closed(wanted.instrument_keys, at)):
        raise NotNow(gettext("The permission to ask these questions has ended. They cannot be sent."))
    may_ask(Practice.get(), wanted)
    may_reach(client, "invitation")
    if wanted.key == SIGNING and not private_ways(client):
        raise NotNow(gettext("This is sent only to a phone or mailbox that is the client's alone, and there is none."))


def may_ask(practice: Practice, wanted: Packet) -> None:
    """Raise NotNow when nobody would answer what this packet may bring up."""
    if wanted.asks_about_suicide and not coverage.shifts():
        raise NotNow(gettext("Nobody is on call. Fill the coverage roster first: this packet asks about suicide."))
    if wanted.asks_about_suicide and not practice.answer_calls_nobody:
        raise NotNow(gettext("Confirm in the practice's settings what happens after a safety answer. Clients read it."))


def asks_nothing(wanted: Packet, closed: frozenset[str]) -> bool:
    """Whether nothing is left to ask of this packet without these instruments."""
    return bool(closed) and all(page.instrument in closed or page.show_when for page in wanted.pages)


def may_reach(client: Client, template: str) -> None:
    """Raise NotNow when nothing is sent to this client any more, or no way is safe."""
    if client.status in Client.LEFT:
        raise NotNow(gettext("This client was discharged. Take them back into care first."))
    if not any(client.may_reach_by(channel) for channel in notices.TEMPLATES[template]):
        raise NotNow(
            gettext("There is no safe way to send this: add an e-mail or a phone that the client marked as safe.")
        )


def _send(invitation: Invitation, template: str) -> list[str]:
    if invitation.packet == HOME:
        return notices.tell_client(invitation.client, "home", link=notices.link(invitation.path))
    link = notices.link(invitation.path)
    if invitation.packet == SIGNING:
        ways = tuple(private_ways(invitation.client))
        return notices.tell_client(invitation.client, "agreement", channels=ways, link=link)
    wanted, life = packet_for(invitation), invitation.expires_at - (invitation.sent_at or invitation.created_at)
    return notices.tell_client(invitation.client, template, link=link, minutes=wanted.minutes, days=life.days)


@transaction.atomic
def resend(*, by: User | Client | None, invitation: Invitation, at: datetime, seen: str | None = None) -> list[str]:
    """Make the link new, so that older ones stop working, and send it. Returns the channels used.

    `seen`: the sending that the page showed; NotNow when there was one after it.
    """
    Invitation.objects.held(invitation.pk)
    invitation.refresh_from_db(fields=["state", "generation", "token_digest", "sent_at"])
    _not_since(invitation, seen)
    if invitation.state not in OPEN:
        raise NotNow(gettext("This packet is finished or was taken back. Send a new one."))
    if invitation.packet == PERSON:
        return trusted.send_link(by=by or invitation.person, person=invitation.person, at=at)
    Client.objects.hold(invitation.client_id)
    if invitation.packet == HOME:
        may_reach(invitation.client, "home")
    else:
        may_send(invitation.client, packet_for(invitation), at)
    invitation.renew(at, link_life(invitation))
    invitation.sent_at, invitation.reminders, invitation.reminded_at = at, 0, None
    invitation.save(update_fields=["generation", "token_digest", "expires_at", "sent_at", "reminders", "reminded_at"])
    audit.record("invitation.resent", by=by, client=invitation.client, target=invitation, at=at)
    return _send(invitation, "invitation")


def _not_since(invitation: Invitation, seen: str | None) -> None:
    """Raise NotNow when the link was sent after the page was looked at: another tab, a colleague, the client."""
    if seen is not None and seen != invitation.sending and invitation.sent_at is not None:
        raise NotNow(
            gettext(
                "The link was sent {when}, after you opened this page, and works. Nothing more was sent. "
                "To send one more, press once more."
            ).format(when=moment(invitation.sent_at))
        )


def link_life(invitation: Invitation) -> timedelta:
    """How long a new link of this one works: that of a check-in as the practice set it (C6)."""
    return timedelta(days=Practice.get().measure_link_days) if hasattr(invitation, "measure") else LINK_LIFE


@transaction.atomic
def withdraw(*, by: User | None, invitation: Invitation, at: datetime) -> None:
    """Take a packet back: its link and every browser that holds it stop working at once. Answers given are kept."""
    Invitation.objects.held(invitation.pk)
    if not Invitation.objects.filter(pk=invitation.pk, state__in=OPEN).update(state=State.WITHDRAWN):
        raise NotNow(gettext("This packet is finished or was taken back already."))
    invitation.refresh_from_db()
    Task.finish(invitation.client, "unfinished", at=at, by=by, subject_id=invitation.pk)
    audit.record("invitation.withdrawn", by=by, client=invitation.client, target=invitation, at=at)


@transaction.atomic
def withdraw_all(*, by: User, client: Client, at: datetime) -> None:
    """Take back every form that is out, and close the client's own page: their care has ended."""
    for row in client.invitations.filter(state__in=OPEN):
        withdraw(by=by, invitation=row, at=at)


def chase(*, at: datetime) -> int:
    """Remind of unfinished forms on days 2 and 5, then stop; after a week staff see that the form is not back.

    Those whose link ends before see no more reminders, and staff see it when the link ends. A pause of the client holds
    the reminders of check-ins. Of what was begun at the practice nobody is reminded; staff see that it is not finished.
    """
    told = 0
    before = at - CHASE_AFTER[0]
    late = Invitation.objects.filter(Q(sent_at__lte=before) | Q(sent_at=None, intake__saved_at__lte=before))
    late = late.filter(state__in=OPEN, expires_at__gt=at - JUST_ENDED)
    late = late.exclude(packet__in=(*PAGES, SIGNING))  # agreements are asked for once; intake.resigning watches them
    for pk in list(late.exclude(client__status__in=Client.LEFT).values_list("pk", flat=True)):
        with transaction.atomic():
            row = Invitation.objects.select_related("client").held(pk)
            if row.state not in OPEN:
                continue
            if _has_nothing_left(row, at):
                withdraw(by=None, invitation=row, at=at)
                continue
            age, sent = at - (row.sent_at or row.created_at), row.reminders
            ended = row.expires_at <= at
            due = (
                0 if ended or row.sent_at is None or _is_paused(row, at) else sum(age >= after for after in CHASE_AFTER)
            )
            if sent < due:
                row.reminders, row.reminded_at = due, at
                row.save(update_fields=["reminders", "reminded_at"])
                used = _send(row, "reminder")
                audit.record("invitation.reminded", by=None, client=row.client, target=row, at=at, channels=used)
                told += 1
            if (ended or age >= GIVE_UP_AFTER) and not row.client.tasks.filter(
                kind="unfinished", subject_id=row.pk
            ).exists():
                Task.open(row.client, "unfinished", at=at, subject_id=row.pk, packet=row.packet)
                audit.record("invitation.not_back", by=None, client=row.client, target=row, at=at)
    return told


def _has_nothing_left(row: Invitation, at: datetime) -> bool:
    """Whether this link would ask nothing, and nothing was answered: nobody is reminded of an empty form."""
    wanted = packet_for(row)
    empty = asks_nothing(wanted, instruments.closed(wanted.instrument_keys, at))
    return empty and not Answer.objects.filter(intake__invitation=row).exists()


def _is_paused(invitation: Invitation, at: datetime) -> bool:
    return hasattr(invitation, "measure") and Pause.objects.running(at).filter(client=invitation.client_id).exists()


# --- Coming in -------------------------------------------------------------------------------------------------------


@transaction.atomic
def open_link(*, invitation: Invitation, at: datetime) -> None:
    """The button of the link was pressed. Nothing is spent by it."""
    if invitation.state != State.SENT:
        return
    Invitation.objects.held(invitation.pk)
    if Invitation.objects.filter(pk=invitation.pk, state=State.SENT).update(state=State.OPENED, opened_at=at):
        audit.record("invitation.opened", by=invitation.holder, client=invitation.client, target=invitation, at=at)
        invitation.refresh_from_db(fields=["state", "opened_at"])


@transaction.atomic
def start(*, invitation: Invitation, at: datetime, person: TrustedPerson | None = None) -> Intake:
    """Begin the sitting in this browser. One begun elsewhere gives way while it has no answer; else NotNow.

    `person`: the guardian who answers for the client. They get no code: it would open the client's own answers.
    """
    row = Invitation.objects.select_related("client").held(invitation.pk)
    before = Intake.objects.filter(invitation=row).first()
    if before is not None and (before.saved_at is not None or before.answers.exists()):
        raise NotNow(gettext("These forms were begun in another browser."))
    language = checked(get_language()) if person else row.client.language
    sitting = Intake(client=row.client, invitation=row, language=language, started_at=at, answered_by=person)
    if before is not None:
        before.delete()
    sitting.save(force_insert=True)
    row.state = State.IN_PROGRESS
    row.return_digest = "" if person else _code_digest(row, return_code(sitting))
    row.opened_at = row.opened_at or at
    row.save(update_fields=["state", "return_digest", "opened_at"])
    audit.record("intake.started", by=sitting.speaker, client=row.client, target=sitting, at=at)
    return sitting


def return_code(sitting: Intake) -> str:
    """The code that opens this sitting on another device: shown at the start. Made from the link key, not stored."""
    _, key = settings.KEY_RING.current("link")
    number = int.from_bytes(hmac.new(key, f"return|{sitting.pk}".encode(), sha256).digest()[:8], "big")
    letters = ""
    for _place in range(8):
        number, at = divmod(number, len(LETTERS))
        letters += LETTERS[at]
    return f"{letters[:4]}-{letters[4:]}"


def _code_digest(invitation: Invitation, code: str) -> str:
    plain = "".join(letter for letter in code.upper() if letter.isalnum())
    _number, key = settings.KEY_RING.current("link")  # a code is short: without the key it would be found by trying
    return hmac.new(key, f"code|{invitation.pk}|{plain}".encode(), sha256).hexdigest()


def private_channels(invitation: Invitation) -> list[str]:
    """Where a one-time code may go: what the client said is safe and read by nobody else."""
    if invitation.packet == PERSON:
        return [str(each) for each in notices.TEMPLATES["person_code"] if each in invitation.person.addresses]
    return private_ways(invitation.client)


def private_ways(client: Client) -> list[str]:
    private = (client.reach or {}).get("private", [])
    return [str(each) for each in notices.TEMPLATES["code"] if each in private and client.may_reach_by(each)]


@transaction.atomic
def send_code(*, invitation: Invitation, channel: str, at: datetime) -> bool:
    """Send a one-time code to a private channel. Returns whether one went out (never twice within a minute)."""
    row = Invitation.objects.select_related("client").held(invitation.pk)
    fresh = row.code_expires_at is not None and row.code_expires_at - CODE_LIFE > at - timedelta(minutes=1)
    if channel not in private_channels(row) or fresh or is_shut(row, at):
        return False
    code = f"{secrets.randbelow(10**6):06d}"
    row.code_digest, row.code_expires_at = _code_digest(row, code), at + CODE_LIFE
    row.save(update_fields=["code_digest", "code_expires_at"])
    if row.packet == PERSON:
        trusted.tell(row.person, "person_code", channels=[channel], code=code)
    else:
        notices.tell_client(row.client, "code", channels=(channel,), code=code)
    audit.record("invitation.code_sent", by=row.holder, client=row.client, target=row, at=at, channel=channel)
    return True


def is_shut(invitation: Invitation, at: datetime) -> bool:
    return invitation.locked_until is not None and at < invitation.locked_until


@transaction.atomic
def try_code(*, invitation: Invitation, code: str, at: datetime) -> bool:
    """Return whether the code opens this sitting. Five wrong ones close it for a while, and staff are told."""
    row = Invitation.objects.select_related("client__therapist").held(invitation.pk)
    if is_shut(row, at):
        return False
    typed = _code_digest(row, code[:40])
    once = row.code_digest if row.code_expires_at and at < row.code_expires_at else ""
    right = [hmac.compare_digest(typed, kept) for kept in (row.return_digest, once) if kept]
    return _tried(row, any(right), at)


def _tried(row: Invitation, right: bool, at: datetime) -> bool:
    """Count a try at the door of this row. What was typed, and how near it was, is kept nowhere.

    Of a client's own page each lock is twice as long as the one before: a year has few birthdays to guess.
    """
    if right:
        row.tries, row.locked_until, row.code_digest, row.code_expires_at = 0, None, "", None
        row.save(update_fields=["tries", "locked_until", "code_digest", "code_expires_at"])
        opened = {HOME: "home.unlocked", PERSON: "trusted.unlocked"}.get(row.packet, "intake.unlocked")
        audit.record(opened, by=row.holder, client=row.client, target=row, at=at)
        return True
    row.tries += 1
    if row.tries % TRIES == 0:
        before = min(row.tries // TRIES - 1, MOST_DOUBLED) if row.packet in PAGES else 0
        row.locked_until, row.code_digest, row.code_expires_at = at + LOCK * 2**before, "", None
        _tell_locked(row, at)
    row.save(update_fields=["tries", "locked_until", "code_digest", "code_expires_at"])
    audit.record("intake.wrong_code", by=row.holder, client=row.client, target=row, at=at, outcome="refused")
    return False


def _tell_locked(row: Invitation, at: datetime) -> None:
    told = {user.pk: user for user in (row.client.therapist, row.created_by) if user and user.is_active}
    for user in told.values():
        notices.tell_staff(user, "locked", link=notices.link(reverse("home")))
    Task.open(row.client, "todo", at=at, subject_id=row.pk, reason="wrong_codes")
    audit.record("invitation.locked", by=None, client=row.client, target=row, at=at)


# --- The client's own page -------------------------------------------------------------------------------------------


@transaction.atomic
def home_invitation(*, client: Client, at: datetime) -> Invitation:
    """The one link to this client's own page, good for its full life from now; anew when it had ended."""
    client = Client.objects.hold(client.pk)
    row = client.invitations.filter(packet=HOME).first()
    if row is None:
        row = Invitation(client=client, packet=HOME, packet_version="1", created_at=at, expires_at=at + LINK_LIFE)
        row.token_digest = digest(row.token)
        row.save(force_insert=True)
    elif row.is_live(at):
        row.expires_at = at + LINK_LIFE
        row.save(update_fields=["expires_at"])
    else:
        row.renew(at)
        row.state, row.opened_at = State.SENT, None
        row.save(update_fields=["generation", "token_digest", "expires_at", "state", "opened_at"])
    audit.record("home.linked", by=None, client=client, target=row, at=at)
    return row


def home_link(client: Client, at: datetime) -> str:
    """The address of the client's own page, for a message to them."""
    return notices.link(home_invitation(client=client, at=at).path)


@transaction.atomic
def send_home(*, by: User, client: Client, at: datetime, seen: str | None = None) -> list[str]:
    """Send the client the link to their own page. Returns the channels used; NotNow says what is missing.

    `seen`: the sending that the page showed, as for `resend`.
    """
    may_reach(client, "home")
    if not (client.birth_date or private_ways(client)):
        raise NotNow(gettext("Nothing shows yet who opens their page: add their birth date first."))
    Client.objects.hold(client.pk)
    before = client.invitations.filter(packet=HOME).first()
    if before is not None and before.is_live(at):
        _not_since(before, seen)
    row = home_invitation(client=client, at=at)
    row.sent_at, row.created_by = at, row.created_by or by
    row.save(update_fields=["sent_at", "created_by"])
    audit.record("home.sent", by=by, client=client, target=row, at=at)
    return _send(row, "home")


def asks_birth_date(invitation: Invitation) -> bool:
    """Whether the birth date opens the page: only where no phone or mailbox is the client's alone."""
    return invitation.packet != PERSON and bool(invitation.client.birth_date) and not private_channels(invitation)


@transaction.atomic
def try_birth_date(*, invitation: Invitation, said: str, at: datetime) -> bool:
    """Return whether this date (ISO) opens the client's own page. Counted like a code."""
    row = Invitation.objects.select_related("client__therapist").held(invitation.pk)
    if is_shut(row, at) or not asks_birth_date(row):
        return False
    return _tried(row, hmac.compare_digest(said, row.client.birth_date), at)


@transaction.atomic
def come_back(*, sitting: Intake, at: datetime) -> None:
    """The client is in: what a guardian began for them is theirs now. Noted on the flag when they had left."""
    Intake.objects.held(sitting.pk)
    if Intake.objects.filter(pk=sitting.pk, submitted_at=None).exclude(answered_by=None).update(answered_by=None):
        audit.record("intake.taken_over", by=sitting.client, client=sitting.client, target=sitting, at=at)
        sitting.answered_by = None
    alert = alert_of(sitting)
    if alert is not None and alert.is_open and alert.left_at:
        client_did(client=sitting.client, alert=alert, kind=Kind.CAME_BACK, at=at)


# --- Answering -------------------------------------------------------------------------------------------------------


def replies_of(sitting: Intake) -> dict[str, Answer]:
    return {row.question: row for row in sitting.answers.select_related("entered_by", "answered_by")}


def packet_for(invitation: Invitation) -> Packet:
    """What this link asks: its packet in the version that was sent, or the pages of it that were asked alone."""
    return packet.load(invitation.packet, invitation.packet_version).only(invitation.only)


def packet_of(sitting: Intake) -> Packet:
    return packet_for(sitting.invitation)


def alert_of(sitting: Intake) -> Alert | None:
    """The newest safety flag of this sitting."""
    found: Alert | None = Alert.objects.filter(source_id=sitting.pk).order_by("-opened_at").first()
    return found


def world(practice: Practice, alert: Alert | None, wanted: Packet, at: datetime) -> flow.World:
    """What the pages of a sitting hang on at this moment; of one that was sent, at the moment it was sent."""
    gave_sign = alert is not None and any(rule != signs.SKIPPED_RULE for rule in alert.rule_ids)
    closed = instruments.closed(wanted.instrument_keys, at)
    return flow.World(screen_everyone=practice.screen_everyone, alerted=gave_sign, closed=closed)


@transaction.atomic
def save_answer(
    *,
    by: Client,
    sitting: Intake,
    page: Page,
    value: Any,
    at: datetime,
    skipped: bool = False,
    entered_by: User | None = None,
    late: bool = False,
    person: TrustedPerson | None = None,
) -> Alert | None:
    """Keep one answer with all that follows from it. Returns the safety flag that this answer raised or added to.

    `entered_by`: the member of staff who writes down what the client, `by`, says (intake.behalf). `late`: the sitting
    was begun anew since in another browser, whose answers stay. `person`: the guardian who answers for the client; what
    they say counts as late once they may not, or the client went on themselves.

    One transaction: the answer, the flag with the answers so far, who is told, the audit row. Changing an answer later
    never lowers or closes a flag. Raises NotNow when the answers were sent already, or `late`: what is there stays, but
    a safety sign that comes after it, from a second window, still raises its flag.
    """
    row = Intake.objects.held(sitting.pk)
    if row.client_id != by.pk:  # made one record with another since this page was asked for
        by = row.client
    replies = replies_of(row)
    said = None if skipped else value
    if person is not None and not flow.asked_of_guardian([page]):
        raise NotNow(gettext("Only the client answers this."))
    if late or row.submitted_at is not None or not _has_in_hand(row, person, at):
        if not flow.is_sign(page, said) or said == flow.value_of(replies, page.slug):
            raise NotNow(gettext("Your answers were sent already. This one was not added to them."))
        heard = Answer(intake=row, question=page.slug, at=at, **_said_by(row, entered_by, person))
        heard.value = said
        audit.record("answer.late", by=entered_by or person or by, client=by, target=row, at=at, question=page.slug)
        return _watch(by, sitting, replies | {page.slug: heard}, at, person=person)
    reply = replies.get(page.slug) or Answer(intake=row, question=page.slug)
    is_new = reply._state.adding
    same_speaker = reply.answered_by_id == (person.pk if person else None)
    if is_new or reply.skipped != skipped or reply.value != said or not same_speaker:
        reply.value, reply.skipped, reply.at = said, skipped, at
        for name, fact in _said_by(row, entered_by, person).items():
            setattr(reply, name, fact)
        reply.save(force_insert=is_new)
        replies[page.slug] = reply
        Intake.objects.filter(pk=row.pk).update(saved_at=at, at_page=page.slug)
        sitting.saved_at, sitting.at_page = at, page.slug
        audit.record("answer.saved", by=entered_by or person or by, client=by, target=row, at=at, question=page.slug)
        if page.applies in APPLIED_AT_ONCE:
            APPLIED_AT_ONCE[page.applies](by, said)
    return _watch(by, sitting, replies, at, person=person) if page.safety else None


def _said_by(sitting: Intake, by: User | None, person: TrustedPerson | None) -> dict[str, Any]:
    return {"entered_by": by, "entered_how": sitting.entered_how if by else "", "answered_by": person}


def _has_in_hand(row: Intake, person: TrustedPerson | None, at: datetime) -> bool:
    """Whether whoever answers may: a guardian only while they still may, and the client has not gone on themselves."""
    if person is None:
        return True
    now = TrustedPerson.objects.select_related("client").get(pk=person.pk)
    return row.answered_by_id == now.pk and trusted.may_act(now, at, Practice.get())


def _watch(
    client: Client,
    sitting: Intake,
    replies: dict[str, Answer],
    at: datetime,
    final: bool = False,
    person: TrustedPerson | None = None,
) -> Alert | None:
    """Raise or add to the flag of this sitting by what the safety answers say now. `person`: a guardian who answers."""
    wanted, alert = packet_of(sitting), alert_of(sitting)
    shown = flow.pages(wanted, replies, world(Practice.get(), alert, wanted, at))
    found = signs.fired(wanted, shown, replies, final=final)
    if found is None:
        return None
    if alert is not None and alert.left_at and not final:
        client_did(client=client, alert=alert, kind=Kind.CAME_BACK, at=at, by=person)
    if alert is not None and not alert.is_open and _is_covered(sitting, found, shown, replies):
        return None
    return raise_alert(
        by=person or client,
        client=client,
        source=Alert.Source.INTAKE,
        source_id=sitting.pk,
        severity=found.severity,
        rules=found.rules,
        answers=signs.lines(shown, replies),
        at=at,
    )


def _is_covered(sitting: Intake, found: signs.Fired, shown: Sequence[Page], replies: Mapping[str, Answer]) -> bool:
    """Whether flags of this sitting that a person has closed already say all of this: nothing was said since."""
    closed = list(Alert.objects.filter(source_id=sitting.pk))
    known = {rule for alert in closed for rule in alert.rule_ids}
    worst = min(Alert.RANK[alert.severity] for alert in closed)
    last = max(alert.closed_at for alert in closed if alert.closed_at)
    return found.ids <= known and Alert.RANK[found.severity] >= worst and not signs.since(last, shown, replies)


def _keep_reach(client: Client, said: Any) -> None:
    """What is safe counts at once: reminders and codes obey it before the form is sent."""
    row = Client.objects.hold(client.pk)
    codes = said or []
    if said is not None:
        row.reach = (row.reach or {}) | {each: each in codes for each in ("sms", "email", "voice", "voicemail")}
        _save_identity(client, row, "reach")


def _keep_private(client: Client, said: Any) -> None:
    row = Client.objects.hold(client.pk)
    row.reach = (row.reach or {}) | {"private": list(said or [])}
    _save_identity(client, row, "reach")


def _keep_contact(client: Client, said: Any) -> None:
    row = Client.objects.hold(client.pk)
    given = {key: value for key, value in (said or {}).items() if key in ("phone", "email") and value}
    changed = {key for key, value in given.items() if getattr(row, key) != value}
    if not changed:
        return
    row.set_identity(**given)
    if row.reach:  # a new number or mailbox is not private until the client says so
        gone = {{"phone": "sms", "email": "email"}[key] for key in changed}
        row.reach |= {"private": [each for each in row.reach.get("private", []) if each not in gone]}
    _save_identity(client, row, "phone", "email", "phone_index", "email_index", "reach")


def _save_identity(client: Client, row: Client, *fields: str) -> None:
    row.save(update_fields=fields)
    for field in fields:
        setattr(client, field, getattr(row, field))
    audit.record("client.updated", by=client, client=client, target=client, fields=sorted(fields))


APPLIED_AT_ONCE = {"reach": _keep_reach, "private": _keep_private, "contact": _keep_contact}


@transaction.atomic
def sign_consent(
    *,
    by: Client,
    sitting: Intake,
    page: Page,
    agreement: Agreement,
    typed_name: str,
    relation: str,
    acknowledged: list[str],
    device: str,
    at: datetime,
    person: TrustedPerson | None = None,
) -> Signature:
    """Keep a signature with the exact text; a second press gives the first one back.

    `person`: the guardian who signs for the client; as what, their document says.
    """
    row = Intake.objects.held(sitting.pk)
    if row.client_id != by.pk:  # made one record with another since this page was asked for
        by = row.client
    if not _has_in_hand(row, person, at):
        raise NotNow(gettext("This access has ended."))
    first: Signature | None = sitting.signatures.filter(document=agreement.key, version=agreement.version).first()
    if first is not None:
        return first
    missing = {point.key for point in agreement.acknowledgements} - set(acknowledged)
    if missing or not typed_name.strip():
        raise NotNow(gettext("Tick each box and type your name to sign."))
    signature = Signature(
        client=by,
        intake=sitting,
        document=agreement.key,
        version=agreement.version,
        language=agreement.language,
        text_sha256=agreement.sha256,
        acknowledged=acknowledged,
        relation=trusted.signs_as(person) if person else relation,
        signed_by=person,
        signed_at=at,
    )
    signature.typed_name, signature.device = typed_name, device
    signature.save(force_insert=True)
    audit.record("consent.signed", by=person or by, client=by, target=signature, at=at, document=agreement.key)
    SigningRequest.objects.filter(client=by, document=agreement.key).settle(SigningRequest.Outcome.SIGNED, at)
    save_answer(by=by, sitting=sitting, page=page, value="signed", at=at, person=person)
    return signature


@transaction.atomic
def choose_language(*, by: Client, language: str, at: datetime) -> None:
    """The client's own choice: of their pages, and of the messages they get from now on."""
    if by.language == language:
        return
    by.language = language
    Client.objects.filter(pk=by.pk).update(language=language, version=F("version") + 1)
    audit.record("client.updated", by=by, client=by, target=by, at=at, fields=["language"])


@transaction.atomic
def ask_for_call(*, by: Client, sitting: Intake, wanted: bool, call_by: datetime, at: datetime) -> None:
    """The client asks to be called, or takes that back. Stands on the caseload, and on the flag when there is one."""
    alert = alert_of(sitting)
    Client.objects.hold(by.pk)
    if alert is not None and alert.is_open:
        when = said_in(HOUSE, moment, call_by)
        kind = Kind.CALL_WANTED if wanted else Kind.CALL_UNWANTED
        client_did(client=by, alert=alert, kind=kind, at=at, call_by=call_by, when=when)
    elif wanted:
        Task.open(by, "call_me", at=at, due_at=coverage.next_opening(at, Practice.get()))
        notices.tell_client(by, "call_me", channels=("sms",), call_by=call_by.isoformat())
        audit.record("client.call_wanted", by=by, client=by, target=sitting, at=at)
    else:
        Task.finish(by, "call_me", at=at, by=None)
        audit.record("client.call_unwanted", by=by, client=by, target=sitting, at=at)


@transaction.atomic
def say_where(*, by: Client, sitting: Intake, words: str, at: datetime) -> bool:
    """Keep where the client says they are, on the flag: offered on the support page, asked of nobody.

    Returns whether it was kept: not when a person has closed the flag.
    """
    alert = alert_of(sitting)
    if alert is None or not alert.is_open:
        return False
    Client.objects.hold(by.pk)
    alert = Alert.objects.select_for_update(no_key=True).get(pk=alert.pk)
    kept = [row for row in alert.answers or [] if row["link_id"] != "where"]
    alert.answers = [
        *kept,
        {
            "instrument": "",
            "link_id": "where",
            "question": "Where are you right now?",
            "answer": words,
            "positive": False,
            "at": at.isoformat(),
        },
    ]
    alert.save(update_fields=["answers"])
    client_did(client=by, alert=alert, kind=Kind.TAPPED, at=at, what="where")
    return True


@transaction.atomic
def stop(*, by: Client, sitting: Intake, at: datetime) -> None:
    """The client stops for now. After a safety answer that is shown to staff at once."""
    alert = alert_of(sitting)
    if alert is not None and alert.is_open and sitting.submitted_at is None:
        client_did(client=by, alert=alert, kind=Kind.LEFT, at=at, by=sitting.answered_by)


def watch_leaving(*, at: datetime) -> int:
    """Mark sittings that went quiet after a safety answer and were not sent."""
    found = 0
    quiet = Intake.objects.filter(
        Q(entered_how="") | Q(pk__in=Answer.objects.filter(entered_by=None).values("intake")),
        submitted_at=None,
        saved_at__lte=at - IDLE,
        pk__in=Alert.objects.filter(source=Alert.Source.INTAKE, closed_at=None, left_at=None).values("source_id"),
    ).select_related("client", "answered_by")
    for sitting in quiet:
        alert = alert_of(sitting)
        if alert is None or not alert.is_open or alert.left_at:
            continue
        if alert.events.filter(kind=Kind.CAME_BACK, at__gt=at - IDLE).exists():
            continue
        client_did(client=sitting.client, alert=alert, kind=Kind.LEFT, at=at, by=sitting.answered_by)
        found += 1
    return found


# --- Sending the answers ---------------------------------------------------------------------------------------------


@transaction.atomic
def submit(
    *, by: Client, sitting: Intake, at: datetime, entered_by: User | None = None, person: TrustedPerson | None = None
) -> Intake:
    """Take the answers in: scores, flags, facts, the client's details, what is to do. One transaction; twice is once.

    Entered by staff, it needs no signature: agreements stay for the client. Sent by a guardian, `person`, it needs
    nothing of what only the client says, and changes none of it. Raises NotNow when a required page has no answer.
    """
    row = Intake.objects.select_related("invitation", "client__therapist").held(sitting.pk)
    if row.submitted_at is not None:
        return row
    client = row.client
    practice, wanted, replies = Practice.get(), packet_of(row), replies_of(row)
    shown = flow.pages(wanted, replies, world(practice, alert_of(row), wanted, at))
    if not _has_in_hand(row, person, at):
        raise NotNow(gettext("This access has ended."))
    if person is not None:
        shown = flow.asked_of_guardian(shown)
    if any(page.kind != "agreement" or entered_by is None for page in flow.missing(shown, replies)):
        raise NotNow(gettext("Some answers that we need are still missing."))
    today = coverage.local(at, practice).date()
    _update_client(client, wanted, shown, replies)
    row.submitted_at = row.saved_at = at
    row.skipped = [page.slug for page in shown if page.slug in replies and replies[page.slug].skipped]
    said = "guardian" if person else flow.value_of(replies, "filled-by") or "client"
    row.completed_by = "staff" if entered_by else said
    if not any(reply.entered_by_id for reply in replies.values()):
        row.entered_how = ""  # the client said all of it anew, themselves
    row.facts = flow.facts(wanted, shown, replies, today) | _signed_facts(row)
    row.version += 1
    row.save()
    alert = _watch(client, row, replies, at, final=True, person=person)
    if alert is not None and alert.left_at:
        client_did(client=client, alert=alert, kind=Kind.CAME_BACK, at=at, by=person)
    found = signs.fired(wanted, shown, replies, final=True)
    for key, result in scores_of(wanted, shown, replies, client.age(today)).items():
        _keep_score(row, key, result, replies, found, at, today)
    _note_phq9(client, row, at, today)
    Invitation.objects.filter(pk=row.invitation_id).update(state=State.DONE, code_digest="", code_expires_at=None)
    row.invitation.state = State.DONE
    Task.finish(client, "unfinished", at=at, by=None, subject_id=row.invitation_id)
    if wanted.key != SIGNING:  # what was signed is on the chart; what was declined is told by itself
        due_at = coverage.read_by(at, practice)
        Task.open(client, "new_intake", at=at, subject_id=row.pk, due_at=due_at, packet=wanted.key)
    assessment_submitted.send(sender=Intake, intake=row, at=at)
    audit.record(
        "intake.submitted",
        by=entered_by or person or client,
        client=client,
        target=row,
        at=at,
        skipped=len(row.skipped),
    )
    return row


def scores_of(wanted: Packet, shown: list[Page], replies: flow.Replies, age: int | None) -> dict[str, Score]:
    """Score every instrument that was asked. The C-SSRS goes first: its end answers a flag of another."""
    keys = sorted({page.instrument for page in shown if page.instrument}, key=lambda key: (key != risk.CSSRS, key))
    found: dict[str, Score] = {}
    for key in keys:
        done = {risk.CSSRS} if risk.cssrs_completed(found) else set()
        found[key] = flow.score_of(wanted, key, replies, age=age, completed=done)
    return found


def _keep_score(
    row: Intake,
    key: str,
    result: Score,
    replies: Mapping[str, Answer],
    found: signs.Fired | None,
    at: datetime,
    today: Any,
) -> None:
    wanted = packet_of(row)
    pages = [page for page in wanted.pages if page.instrument == key]
    hows = [replies[page.slug].entered_how for page in pages if page.slug in replies]
    times = [replies[page.slug].at for page in pages if page.slug in replies]
    definition = pages[0].definition.said_in(row.language if row.answered_by_id else row.client.language)
    assessment = Assessment.of(
        result,
        flow.item_answers(wanted, key, replies),
        client=row.client,
        intake=row,
        wording_sha256=definition.wording_sha256,
        language=row.language,
        rules=list(found.rules) if found and definition.safety_items else [],
        taken_at=at,
        taken_on=today,
        seconds=int((max(times) - min(times)).total_seconds()) if times else None,
    )
    if any(hows):
        assessment.details |= {"entered": row.entered_how} | ({} if all(hows) else {"entered_part": True})
    if guardians := sum(replies[page.slug].answered_by_id is not None for page in pages if page.slug in replies):
        assessment.details |= {"guardian": True} | ({} if guardians == len(hows) else {"guardian_part": True})
    assessment.save(force_insert=True)


def _note_phq9(client: Client, row: Intake, at: datetime, today: Any) -> None:
    Task.finish(client, "quiet", at=at, by=None)
    phq9 = row.assessments.filter(instrument="phq-9").first()
    if phq9 is None:
        client.last_heard_at = at
        Client.objects.filter(pk=client.pk).update(last_heard_at=at)
        return
    client.note_phq9(today, None if phq9.total is None else int(phq9.total), phq9.safety, at)


def _signed_facts(row: Intake) -> dict[str, Any]:
    asked = any(page.agreement == "ketamine" for page in packet_of(row).pages)
    return {"ketamine_consent_signed": row.signatures.filter(document="ketamine").exists()} if asked else {}


def _update_client(client: Client, wanted: Packet, shown: list[Page], replies: flow.Replies) -> None:
    """Carry over who the client says they are. What they left out stays as it was."""
    names = flow.value_of(replies, "names") or {}
    place = flow.value_of(replies, "place") or {}
    fields: dict[str, Any] = {
        "name_used": names.get("used"),
        "legal_name": names.get("legal"),
        "pronouns": flow.value_of(replies, "pronouns"),
        "birth_date": flow.value_of(replies, "birth-date"),
        "address": place.get("address"),
        "allergies": flow.value_of(replies, "allergies"),
    }
    contacts = list(client.contacts or [])
    for page in shown:
        person = flow.value_of(replies, page.slug) if page.applies in ("emergency", "support") else None
        if person:
            relation = page.fields[1].choice(person.get("relation", ""))
            contacts = [each for each in contacts if each.get("role") != page.applies]
            contacts.append(
                {
                    "role": page.applies,
                    "name": person.get("name", ""),
                    "relation": relation.label if relation else "",
                    "phone": person.get("phone", ""),
                    "may_talk": person.get("may_talk", "no"),
                }
            )
    if contacts:
        fields["contacts"] = contacts
    given = {name: value for name, value in fields.items() if value}
    zone = _zone(wanted, place)
    if zone:
        client.zone = zone
    if client.status == Client.Status.INVITED:
        client.status = Client.Status.ACTIVE
    client.set_identity(**given)
    client.version += 1
    client.save_identity()
    if given:
        audit.record("client.updated", by=client, client=client, target=client, fields=sorted(given))


def _zone(wanted: Packet, place: Mapping[str, Any]) -> str:
    page = wanted.by_slug.get("place")
    choice = page.fields[0].choice(place.get("state")) if page else None
    return choice.zone if choice else ""


def begun(since: datetime) -> "QuerySet[Any, Any]":
    """The clients who answered something since then, finished or not."""
    return Intake.objects.filter(saved_at__gte=since).values("client")
