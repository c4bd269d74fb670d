"""Mail and text messages: written as a row with their reason, delivered by a job. They say nothing about health.

The words are templates/emails/<template>.txt (first line: subject), with an .html twin made from the same words, and
templates/emails/<template>.sms.txt. A test renders each with a sentinel client and fails on a name, a drug, a score.
"""

import smtplib
from collections.abc import Callable
from datetime import datetime, time, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.db import transaction
from django.db.models import QuerySet
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.translation import gettext

from practice import audit, jobs
from practice.language import HOUSE, checked
from practice.models import Client, Practice, Stop, Task, User
from practice.models.jobs import Notice
from practice.sealed import link_token
from practice.sms import gateway

Channel = Notice.Channel
NO_MORE = 500  # codes of 500 and above: the server will not change its mind (RFC 5321, 4.2.1)
UNSENT_AFTER = timedelta(minutes=15)

# template -> the channels it may use
TEMPLATES: dict[str, tuple[str, ...]] = {
    "invitation": (Channel.EMAIL, Channel.SMS),  # N1
    "code": (Channel.EMAIL, Channel.SMS),  # N2
    "reminder": (Channel.EMAIL, Channel.SMS),  # N3
    "check_in": (Channel.EMAIL, Channel.SMS),  # N4
    "news": (Channel.EMAIL, Channel.SMS),  # N6
    "home": (Channel.EMAIL, Channel.SMS),  # the link to their own page, when staff send it or they ask again
    "call_me": (Channel.SMS,),  # N7
    "agreement": (Channel.EMAIL, Channel.SMS),  # N8
    "message": (Channel.EMAIL, Channel.SMS),  # somebody wrote to them
    "urgent": (Channel.EMAIL, Channel.SMS),  # S1
    "climbed": (Channel.EMAIL, Channel.SMS),  # S2
    "update": (Channel.EMAIL,),  # S4
    "silent": (Channel.EMAIL,),  # a referral nobody answers, told to the supervisor
    "put_away": (Channel.EMAIL,),  # one that was silent for so long that it left the list
    "system": (Channel.EMAIL,),  # S5
    "handed_over": (Channel.EMAIL,),  # told to the new therapist: n, link
    "staff_invitation": (Channel.EMAIL,),
    "account": (Channel.EMAIL,),  # what the sign-in pages have to say: reset a password, a factor was changed
    "release": (Channel.EMAIL,),  # a release was signed or taken back, told to staff
    "locked": (Channel.EMAIL,),  # wrong codes, told to staff
    "referral_new": (Channel.EMAIL,),  # R1: words reference, urgent, by (may be empty), link
    "desk_digest": (Channel.EMAIL,),  # R2: count, link
    "desk_message": (Channel.EMAIL,),  # R3: reference, link
    "desk_taken_back": (Channel.EMAIL,),  # R3: reference, link
    "desk_link": (Channel.EMAIL,),  # a new link, or one for a colleague: reference, link
    "desk_code": (Channel.EMAIL, Channel.SMS),  # code
    "emergency": (Channel.EMAIL, Channel.SMS),  # emergency access was used: link, at, by
    "chaperone_link": (Channel.EMAIL, Channel.SMS),  # to the adult in the home, who said yes to it: link
    "session_event": (Channel.EMAIL, Channel.SMS),  # something happened in a session: link, at
    "person_link": (Channel.EMAIL, Channel.SMS),  # to somebody whom a client trusts, or a guardian: link
    "person_code": (Channel.EMAIL, Channel.SMS),  # code
    "person_ride": (Channel.EMAIL, Channel.SMS),  # the day before a ride home is needed: link
    "prescriber_asked": (Channel.EMAIL,),  # link
    "prescriber_code": (Channel.EMAIL,),  # code
    "prescriber_answered": (Channel.EMAIL,),  # told to staff: link
    "plan_waits": (Channel.EMAIL,),  # told to the prescriber on staff: link
    "export_ready": (Channel.EMAIL,),  # told to who asked for a copy: link
    "report_ready": (Channel.EMAIL,),  # told to who asked for a long file: link
    "message_waits": (Channel.EMAIL,),  # told to who covers: link
    "arrival": (Channel.EMAIL,),  # told to the front desk: somebody began by themselves, link
    "enquiry": (Channel.EMAIL,),  # told to the front desk: somebody asks, link
    "question": (Channel.EMAIL,),  # a colleague asks, or answered
    "text_stopped": (Channel.SMS,),  # STOP was heard: the one confirmation, 47 CFR 64.1200(a)(12)
    "text_started": (Channel.SMS,),  # START was heard
    "text_help": (Channel.SMS,),  # HELP
    "text_unread": (Channel.SMS,),  # they wrote to a number that nobody reads
}


# Answers to a text, at once and whatever was stopped: they wrote just now.
ANSWERS = ("text_stopped", "text_started", "text_help", "text_unread")

# To clients, in the client's own language.
TO_CLIENTS = (
    *("invitation", "code", "reminder", "check_in", "news", "home", "call_me", "agreement", "message"),
    *ANSWERS,
)

# To people whom clients trust, in the client's language: by the ways that were given for them.
TO_PEOPLE = ("person_link", "person_code", "person_ride")

# To clients, and nobody waits for them: they go out in the client's daytime (Practice.messages_from, J1).
CAN_WAIT = ("reminder", "check_in", "news", "agreement", "message")

# What a mailbox may unsubscribe from (RFC 8058). The rest was asked for, or is needed to get in.
MAY_STOP = CAN_WAIT

# What the packages above note when a message was taken, or refused for good, by the mail server.
SETTLED: list[Callable[[Notice], None]] = []


# What the packages above know of why a message must not go out any more: a code of views.notices.TROUBLE, or "".
ENDED: list[Callable[[Notice], str]] = []


def ended(notice: Notice) -> str:
    """Why this message has lost its reason since it was written, as a code; "" while it holds."""
    return next((why for ask in ENDED if (why := ask(notice))), "")


def is_refusal(trouble: Exception) -> bool:
    """Whether the mail server said for good that there is no such address; trying again would not help."""
    if not isinstance(trouble, smtplib.SMTPRecipientsRefused):
        return False
    return all(NO_MORE <= code < NO_MORE + 100 for code, _words in trouble.recipients.values())


def is_stopped(notice: Notice) -> bool:
    """Whether the reason is gone: the client left, or has said since that this way is not safe (check 75, R33).

    A number that answered STOP gets nothing, whoever it belongs to: the carrier would not deliver it either.
    """
    if notice.template in ANSWERS:
        return False
    if notice.channel == Channel.SMS and Stop.objects.of(Channel.SMS, notice.address).exists():
        return True
    client = notice.client
    if client is None:
        return False
    theirs = notice.template in TO_CLIENTS
    return client.status in Client.LEFT or (theirs and not _may_tell(client, notice.channel, notice.template))


def _may_tell(client: Client, channel: str, template: str) -> bool:
    unsubscribed = channel == Channel.EMAIL and template in MAY_STOP and client.mails_stopped_at is not None
    return client.may_reach_by(channel) and not unsubscribed


def unsent(at: datetime) -> QuerySet[Notice]:
    """Urgent messages that should have gone out long ago: they wait, or could not be sent."""
    late = Notice.objects.filter(urgent=True, created_at__lt=at - UNSENT_AFTER)
    return late.filter(state__in=[Notice.State.WAITING, Notice.State.FAILED])


def link(path: str) -> str:
    return f"{settings.ORIGIN}{path}"


def tell_staff(user: User, template: str, *, urgent: bool = False, **words: Any) -> None:
    """Queue a mail, and for urgent things a text message too, to a member of staff."""
    _queue(template, Channel.EMAIL, user.email, user=user, urgent=urgent, words=words)
    if urgent and user.phone and Channel.SMS in TEMPLATES[template]:
        _queue(template, Channel.SMS, user.phone, user=user, urgent=urgent, words=words)


def daytime(at: datetime, client: Client, practice: Practice) -> datetime:
    """The first moment from `at` on when a message that can wait may reach this client, by their own clock."""
    start, end = practice.messages_from, practice.messages_until
    here = at.astimezone(ZoneInfo(client.zone or practice.zone))
    inside = start <= here.time() < end if start < end else here.time() >= start or here.time() < end
    if start == end or inside:
        return at
    day = here.date() + timedelta(days=here.time() >= start)
    return datetime.combine(day, start, tzinfo=here.tzinfo)


def at_hour(at: datetime, client: Client, practice: Practice) -> datetime:
    """The next time the client's clock shows the hour that they chose for check-ins and reminders (C11); else `at`."""
    if client.send_hour is None:
        return at
    here = at.astimezone(ZoneInfo(client.zone or practice.zone))
    if here.hour == client.send_hour:
        return at
    day = here.date() + timedelta(days=here.hour > client.send_hour)
    return datetime.combine(day, time(client.send_hour), tzinfo=here.tzinfo)


def tell_client(client: Client, template: str, *, channels: tuple[str, ...] | None = None, **words: Any) -> list[str]:
    """Queue to the client by the channels they said are safe. Returns the channels used; empty means none was safe."""
    used: list[str] = []
    now = timezone.now()
    when = now
    if template in CAN_WAIT:
        practice = Practice.get()
        later = at_hour(now, client, practice) if template == "reminder" else now
        when = daytime(later, client, practice)
    for channel in channels or TEMPLATES[template]:
        if _may_tell(client, channel, template):
            address = client.email if channel == Channel.EMAIL else client.phone
            _queue(template, channel, address, client=client, words=words, run_at=when)
            used.append(str(channel))
    if not used:
        call_instead(client, now)
    return used


@transaction.atomic
def call_instead(client: Client, at: datetime) -> None:
    """Open a call to make, once, when the ways to somebody are closed because they asked us to stop (J4)."""
    since = [row for row in (client.texts_stopped_at, client.mails_stopped_at) if row]
    if not since or client.status in Client.LEFT:
        return
    index = client.phone_index if client.texts_stopped_at else client.email_index
    row = Stop.objects.running().filter(address_index=index).first()
    if row is not None:
        Client.objects.hold(client.pk)
        Task.open(client, "todo", at=at, subject_id=row.pk, owner=client.therapist, reason="call_instead")
        audit.record("notice.call_instead", by=None, client=client, target=row, at=at)


def after_stop(notice: Notice, at: datetime) -> None:
    """What waited when they asked us to stop: when no other way carried the same, somebody calls."""
    client = notice.client
    if client is None or notice.template not in CAN_WAIT:
        return
    if not any(_may_tell(client, channel, notice.template) for channel in TEMPLATES[notice.template]):
        call_instead(client, at)


def answer_text(template: str, number: str, client: Client | None) -> Notice:
    """Queue the answer to a text that somebody sent us."""
    return _queue(template, Channel.SMS, number, client=client, words={})


def tell_clinic(
    address: str, template: str, *, client: Client | None = None, channel: str = Channel.EMAIL, **words: Any
) -> Notice:
    """Queue to a clinic. `client`: whom it is about; nothing is sent about somebody who left."""
    return _queue(template, channel, address, client=client, words=words)


def tell_stranger(address: str, template: str, *, channel: str, language: str, **words: Any) -> Notice:
    """Queue to somebody who is not a client yet, in their language."""
    return _queue(template, channel, address, words={"language": language, **words})


# How the app above makes the link to a client's own page (intake.apps).
HOME_LINK: list[Callable[[Client, datetime], str]] = []


def tell_news(client: Client, at: datetime, template: str = "news") -> list[str]:
    """Say that there is something new on the client's own page (N6). Returns the channels used."""
    if client.status in Client.LEFT:
        return []
    if not any(client.may_reach_by(channel) for channel in TEMPLATES[template]):
        call_instead(client, at)
        return []
    (home_link,) = HOME_LINK
    return tell_client(client, template, link=home_link(client, at))


def _queue(
    template: str,
    channel: str,
    address: str,
    *,
    words: dict[str, Any],
    user: User | None = None,
    client: Client | None = None,
    urgent: bool = False,
    run_at: datetime | None = None,
) -> Notice:
    notice = Notice(
        template=template, channel=channel, user=user, client=client, urgent=urgent, created_at=timezone.now()
    )
    notice.address, notice.words = address, words
    notice.save(force_insert=True)
    jobs.enqueue("deliver_notice", ref=notice.pk, run_at=run_at)
    return notice


def render(
    template: str, channel: str, words: dict[str, Any], practice: Practice, language: str = HOUSE
) -> tuple[str, str]:
    """Return (subject, text); a text message has an empty subject. In `language` where it is to clients, else in ours.

    What clients get in another language stands in a file of its own: templates/emails/<language>/<template>.txt.
    """
    language = checked(language) if template in TO_CLIENTS + TO_PEOPLE else HOUSE
    home = "emails/" if language == HOUSE else f"emails/{language}/"
    context = {**words, "practice": practice}
    if words.get("call_by"):
        context["call_by"] = datetime.fromisoformat(words["call_by"])
    with translation.override(language), timezone.override(practice.zone):
        if channel == Channel.SMS:
            return "", " ".join(render_to_string(f"{home}{template}.sms.txt", context).split())
        subject, _, body = render_to_string(f"{home}{template}.txt", context).partition("\n")
    return subject.strip(), body.strip() + "\n"


def unsubscribe_token(pk: UUID) -> str:
    """What stops mails to where this one went: the notice's id and a key made from the link key, kept nowhere."""
    return f"{pk.hex}{link_token('mail', pk, 1)}"


def deliver(notice: Notice) -> None:
    """Hand the message to the mail server or the gateway. Raises OSError (and kin) when that did not work."""
    said = notice.words or {}
    language = notice.client.language if notice.client else said.get("language", HOUSE)
    subject, text = render(notice.template, notice.channel, said, Practice.get(), language)
    if notice.channel == Channel.SMS:
        gateway().send(to=notice.address, text=text, key=str(notice.pk))
        return
    headers = {"Message-ID": f"<{notice.pk}@waymark>"}
    if notice.client is not None and notice.template in MAY_STOP:
        way_out = link(reverse("mail_stop", args=[unsubscribe_token(notice.pk)]))
        headers |= {"List-Unsubscribe": f"<{way_out}>", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"}
        with translation.override(language):
            text += "\n" + gettext("To get no more mails like this one:") + f" {way_out}\n"
    mail = EmailMultiAlternatives(subject, text, settings.DEFAULT_FROM_EMAIL, [notice.address], headers=headers)
    frame = {"text": text, "language": language if notice.template in TO_CLIENTS + TO_PEOPLE else HOUSE}
    mail.attach_alternative(render_to_string("emails/frame.html", frame), "text/html")
    mail.send()
