"""STOP, START and unsubscribe: what an address asked us, and what follows for the clients who are reached by it.

A text that is one of these words, alone, stops or starts the texts to that number (47 CFR 64.1200(a)(10) names STOP,
QUIT, END, REVOKE, OPT OUT, CANCEL and UNSUBSCRIBE; the others are the carriers', CTIA Messaging Principles 5.1.3, and
the same in Spanish). It holds at once; the rule allows ten business days. Whatever else somebody writes is for a person
to read (intake.texts).
"""

from datetime import datetime
from unicodedata import category

from django.db import transaction
from django.db.models import QuerySet

from practice import audit
from practice.models import Client, Stop, Task
from practice.sealed import blind

SMS, EMAIL = Stop.Channel.SMS, Stop.Channel.EMAIL
COLUMN = {SMS: ("phone_index", "phone", "texts_stopped_at"), EMAIL: ("email_index", "email", "mails_stopped_at")}
STOP_WORDS = frozenset(
    (
        *("stop", "stopall", "unsubscribe", "cancel", "end", "quit", "revoke", "optout"),
        *("alto", "parar", "pare", "detener", "cancelar", "baja"),
    )
)
START_WORDS = frozenset(("start", "unstop", "subscribe", "iniciar", "comenzar", "empezar"))
UNSEEN = ("Cc", "Cf")  # line ends, and marks that nobody sees
HELP_WORDS = frozenset(("help", "info", "ayuda"))


def meaning(text: str) -> str:
    """Return "stop", "start" or "help" for a text that is one of their words and no other; else ""."""
    word = "".join(each for each in text.casefold() if each.isalnum())[:20]
    for name, known in (("stop", STOP_WORDS), ("start", START_WORDS), ("help", HELP_WORDS)):
        if word in known:
            return name
    return ""


def has_signs(text: str) -> bool:
    """Whether more than words, blanks and punctuation stands in it.

    A sign such as an emoji may be all that somebody says of how they are: END and a broken heart is obeyed, and read.
    """
    return any(not each.isalnum() and category(each)[0] not in "PZ" and category(each) not in UNSEEN for each in text)


def reached_by(channel: str, address: str) -> QuerySet[Client]:
    """The clients who have this number or mailbox."""
    column, purpose, _since = COLUMN[Stop.Channel(channel)]
    return Client.objects.filter(**{column: blind(purpose, address)}).select_related("therapist")


@transaction.atomic
def stop(*, channel: str, address: str, at: datetime) -> Stop:
    """Send nothing more to this number, or nothing that can be done without to this mailbox. Once, however often asked.

    Staff read it on the chart; a notice that then has no way left becomes a call (notices.call_instead).
    """
    _column, purpose, since = COLUMN[Stop.Channel(channel)]
    Client.objects.hold_each(reached_by(channel, address).values_list("pk", flat=True))
    row, new = Stop.objects.get_or_create(
        channel=channel, address_index=blind(purpose, address), ended_at=None, defaults={"at": at}
    )
    if new:
        _note(channel, address, f"{channel}.stopped", row, at)
        Client.objects.filter(pk__in=reached_by(channel, address).values("pk")).update(**{since: at})
    found: Stop = row
    return found


@transaction.atomic
def start(*, channel: str, address: str, at: datetime) -> bool:
    """Send to this address again, as its owner asks. Returns whether it had been stopped."""
    Client.objects.hold_each(reached_by(channel, address).values_list("pk", flat=True))
    row = Stop.objects.select_for_update(no_key=True).of(channel, address).first()
    if row is None:
        return False
    row.ended_at = at
    row.save(update_fields=["ended_at"])
    Client.objects.filter(pk__in=reached_by(channel, address).values("pk")).update(
        **{COLUMN[Stop.Channel(channel)][2]: None}
    )
    _note(channel, address, f"{channel}.started", row, at)
    for client in reached_by(channel, address):
        Task.finish(client, "todo", at=at, by=None, subject_id=row.pk)
    return True


def _note(channel: str, address: str, action: str, row: Stop, at: datetime) -> None:
    known = list(reached_by(channel, address))
    for client in known:
        audit.record(action, by=None, client=client, target=row, at=at)
    if not known:
        audit.record(action, by=None, target=row, at=at)
