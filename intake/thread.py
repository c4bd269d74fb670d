"""Messages between a client and their therapist (L1-L4): who reads, by when, and what is true once it was read.

Nothing here looks for danger in the words. The page says that messages are not watched, and "I need help now" pages
people whatever was written with it.
"""

import unicodedata
from collections.abc import Iterable
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Exists, OuterRef, Prefetch, QuerySet
from django.urls import reverse
from django.utils.translation import gettext

from intake.forms import LETTER
from intake.models import Message, MessageDraft, Opening
from practice import audit, coverage, moves, notices
from practice.actions import NotNow, client_did, raise_alert
from practice.language import HOUSE, said_in
from practice.models import Alert, AlertEvent, Client, Practice, Task, User

LONGEST = LETTER
MOST_A_DAY = 40
TOLD_AGAIN_AFTER = timedelta(days=1)
SAME_WITHIN = timedelta(minutes=2)  # OWN: the same words once more: Back and Send, or two tabs
HELP = {"id": "help-now", "version": "1"}


def is_open(client: Client) -> bool:
    """Whether somebody is there to read: the client is in care, with a therapist who works here."""
    return client.status not in Client.LEFT and client.therapist is not None and client.therapist.is_active


def thread_of(client: Client) -> QuerySet[Message]:
    """The messages of one client, the newest first, each with who opened it."""
    openings = Prefetch("openings", Opening.objects.select_related("by"))
    found: QuerySet[Message] = client.messages.select_related("by").prefetch_related(openings)
    return found


def unopened(client: Client) -> QuerySet[Message]:
    """What the client wrote and nobody on staff has opened."""
    seen = Opening.objects.filter(message=OuterRef("pk"), by__isnull=False)
    found: QuerySet[Message] = client.messages.filter(~Exists(seen), by=None)
    return found


def news_for(client: Client) -> QuerySet[Message]:
    """What was written to the client and they have not opened."""
    seen = Opening.objects.filter(message=OuterRef("pk"), by=None)
    found: QuerySet[Message] = client.messages.filter(~Exists(seen), by__isnull=False)
    return found


# --- The client ------------------------------------------------------------------------------------------------------


@transaction.atomic
def write(*, by: Client, words: str, wants_help: bool, at: datetime) -> Message:
    """Send a message to the therapist, or whoever covers. `wants_help` raises an urgent flag and is never refused.

    The words that were just sent, sent again without it, are the message that is there.
    """
    rows = Client.objects.select_for_update(of=("self",), no_key=True).select_related("therapist__backup")
    client, practice = rows.get(pk=by.pk), Practice.get()
    if (merge := moves.standing(client)) is not None:  # made one record with another since this page was asked for
        client = rows.get(pk=merge.client_id)
    if not wants_help:
        newest = client.messages.order_by("-at", "pk").first()
        if newest is not None and newest.by is None and newest.words == words and newest.at > at - SAME_WITHIN:
            MessageDraft.objects.filter(client=by.pk).delete()
            return newest
        _may_write(client, at)
    reader, due = None, coverage.read_by(at, practice)
    if client.therapist is not None:
        reader, due = coverage.message_reader(client.therapist, at, practice)
    row = Message(client=client, at=at, wants_help=wants_help, read_by_at=due)
    row.words = words
    row.save(force_insert=True)
    if merge is not None:
        moves.note(merge, row, at)
    MessageDraft.objects.filter(client=by.pk).delete()
    Client.objects.filter(pk=client.pk).update(last_heard_at=at)
    Task.finish(client, "quiet", at=at, by=None)
    if not client.tasks.filter(kind="message", done_at=None).exists():  # the first promise stands
        Task.open(client, "message", at=at, due_at=due, owner=client.therapist)
    if reader is not None and reader != client.therapist:
        notices.tell_staff(reader, "message_waits", link=notices.link(reverse("client_messages", args=[client.pk])))
    audit.record("message.sent", by=client, client=client, target=row, at=at, help=wants_help)
    if wants_help:
        _raise_flag(row)
    return row


def _may_write(client: Client, at: datetime) -> None:
    if not is_open(client):
        raise NotNow(gettext("Nobody is there to read a message now. Please call us."))
    if is_too_much(client, at):
        raise NotNow(gettext("That is a lot for one day. Your words are kept here. Please call us about the rest."))


def is_too_much(client: Client, at: datetime) -> bool:
    return client.messages.filter(by=None, at__gt=at - timedelta(days=1)).count() >= MOST_A_DAY


@transaction.atomic
def take_text(*, client: Client, words: str, at: datetime) -> Message:
    """Put what was texted to our number among the messages, as something to read today; who reads it is told at once.

    The number is the client's; nobody has shown who typed. They were promised nothing but that it is passed on.
    """
    client = (
        Client.objects.select_for_update(of=("self",), no_key=True)
        .select_related("therapist__backup")
        .get(pk=client.pk)
    )
    practice, therapist = Practice.get(), client.therapist
    reader, due = coverage.message_reader(therapist, at, practice) if therapist else (None, at)
    row = Message(client=client, at=at, by_text=True, read_by_at=due)
    row.words = words
    row.save(force_insert=True)
    Task.open(client, "message", at=at, due_at=at, owner=therapist, by_text=True)
    if reader is not None:
        notices.tell_staff(reader, "message_waits", link=notices.link(reverse("client_messages", args=[client.pk])))
    audit.record("message.texted", by=None, client=client, target=row, at=at)
    return row


def _raise_flag(row: Message) -> None:
    said = {
        "instrument": "",
        "link_id": HELP["id"],
        "question": said_in(HOUSE, gettext, "Message, sent with “I need help now”"),
        "answer": row.words or said_in(HOUSE, gettext, "No words"),
        "positive": True,
        "at": row.at.isoformat(),
    }
    alert = raise_alert(
        by=row.client,
        client=row.client,
        source=Alert.Source.MESSAGE,
        source_id=row.pk,
        severity=Alert.Severity.URGENT,
        rules=[HELP],
        answers=[said],
        at=row.at,
    )
    client_did(client=row.client, alert=alert, kind=AlertEvent.Kind.SHOWN, at=row.at, what="support")


def help_flag(client: Client) -> Alert | None:
    """The newest open flag that the client raised with a message."""
    found: Alert | None = client.alerts.filter(source=Alert.Source.MESSAGE, closed_at=None).first()
    return found


def fitting(text: str) -> str:
    """What can be kept of a text as it was typed, for words that must not wait until they are corrected."""
    return "".join(each for each in text if unicodedata.category(each) not in ("Cs", "Cc") or each in "\n\t")


@transaction.atomic
def keep_draft(*, by: Client, words: str, at: datetime) -> None:
    """Keep what the client has typed and not sent; nothing typed is no draft."""
    if words.strip():
        row, _new = MessageDraft._base_manager.select_for_update(no_key=True).get_or_create(
            client=by, defaults={"at": at}
        )
        row.words, row.at = words, at
        row.save()
    else:
        MessageDraft._base_manager.filter(client=by).delete()
    audit.record("message.draft_kept", by=by, client=by, at=at)


def draft_of(client: Client) -> MessageDraft | None:
    found: MessageDraft | None = MessageDraft._base_manager.filter(client=client).first()
    return found


# --- Both ------------------------------------------------------------------------------------------------------------


@transaction.atomic
def opened(*, by: User | Client, client: Client, rows: Iterable[Message], at: datetime) -> int:
    """Note which of these were on this person's screen for the first time; one's own do not count. Returns how many."""
    reader = by if isinstance(by, User) else None
    theirs = [row for row in rows if (row.by_id is None) == (reader is not None)]
    new = [row for row in theirs if not any(o.by_id == (reader.pk if reader else None) for o in row.openings.all())]
    if new:
        Opening.objects.bulk_create([Opening(message=row, by=reader, at=at) for row in new], ignore_conflicts=True)
        audit.record("message.opened", by=by, client=client, at=at, n=len(new))
    return len(new)


# --- Staff -----------------------------------------------------------------------------------------------------------


@transaction.atomic
def answer(*, by: User, client: Client, words: str, at: datetime) -> list[str]:
    """Write to the client, and tell them by a safe way that there is something. Returns the ways used.

    The item of their message is done, unless there is one that nobody has opened.
    """
    client = Client.objects.hold(client.pk)
    if client.status in Client.LEFT:
        raise NotNow(gettext("Their care has ended. Nothing is sent to them any more."))
    told_lately = news_for(client).filter(at__gt=at - TOLD_AGAIN_AFTER).exists()
    row = Message(client=client, by=by, at=at)
    row.words = words
    row.save(force_insert=True)
    audit.record("message.answered", by=by, client=client, target=row, at=at)
    if not unopened(client).exists():
        Task.finish(client, "message", at=at, by=by)
    ways = [str(way) for way in notices.TEMPLATES["message"] if client.may_reach_by(way)]
    return ways if told_lately else notices.tell_news(client, at, template="message")


@transaction.atomic
def put_away(*, by: User, client: Client, at: datetime) -> None:
    """Note that what the client wrote needs no answer."""
    Client.objects.hold(client.pk)
    if unopened(client).exists():
        raise NotNow(gettext("There is a new message. Read it first."))
    audit.record("message.put_away", by=by, client=client, at=at)
    Task.finish(client, "message", at=at, by=by)
