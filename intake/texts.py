"""What people text to the practice's number, which no person reads (J4).

One of the words of practice.stops, alone, is obeyed. Anything else is for a person: it goes to the therapist of the one
client with that number, else to who answers enquiries, and the sender is told so once, with 988. Nothing here looks for
danger in the words (docs/adr/0030): every text that is not a word of ours opens an item for today.
"""

from datetime import datetime, timedelta
from hashlib import sha256

from django.db import IntegrityError, transaction

from intake import enquiries, thread
from practice import audit, notices, stops
from practice.language import HOUSE
from practice.models import Client, SentForm
from practice.sms import Incoming

ANSWER_EVERY = timedelta(hours=1)  # OWN: two machines that answer each other stop after one turn
NOTE = "Came by text message, to a number that nobody reads."


class TooMany(Exception):
    """So many texts came from this number that the sender's system is asked to try later; nothing is thrown away."""


@transaction.atomic
def take(text: Incoming, *, at: datetime) -> bool:
    """Do what a text asks, or hand it to a person; False when this one came before. Raises TooMany, and keeps nothing.

    STOP, START and HELP are for the number, whoever has it. HELP is passed on as well: nobody can tell which was meant;
    so is any of them with a sign beside it.
    """
    if not _first(f"text|{text.id}", at):
        return False
    meant, client = stops.meaning(text.words), _one_client(text.number)
    if meant == "stop":
        stops.stop(channel=stops.SMS, address=text.number, at=at)
    elif meant == "start":
        stops.start(channel=stops.SMS, address=text.number, at=at)
    if meant not in ("stop", "start") or stops.has_signs(text.words):
        _hand_on(text, client, at)
    _answer(ANSWERS[meant], text.number, client, at)
    return True


ANSWERS = {"stop": "text_stopped", "start": "text_started", "help": "text_help", "": "text_unread"}


def _first(key: str, at: datetime) -> bool:
    """Whether this is the first of its kind; rows of two days are tidied away with the keys of forms."""
    try:
        with transaction.atomic():
            SentForm.objects.create(
                key=sha256(key.encode(errors="backslashreplace")).hexdigest(), path="texts_in", at=at
            )
    except IntegrityError:
        return False
    return True


def _one_client(number: str) -> Client | None:
    """The client in care with this number; None when nobody has it, or several do and nobody knows who wrote."""
    found = [each for each in stops.reached_by(stops.SMS, number) if thread.is_open(each)]
    return found[0] if len(found) == 1 else None


def _hand_on(text: Incoming, client: Client | None, at: datetime) -> None:
    words = thread.fitting(text.words)
    if client is not None:
        if thread.is_too_much(client, at):
            raise TooMany
        thread.take_text(client=client, words=words, at=at)
        return
    said = {
        "name": text.number,
        "email": "",
        "phone": text.number,
        "reach": {"sms": True, "voice": True, "note": NOTE},
        "about": words,
    }
    try:
        enquiries.receive(by=None, said=said, language=HOUSE, origin=text.number, at=at)
    except enquiries.TooMany as limit:
        raise TooMany from limit


def _answer(template: str, number: str, client: Client | None, at: datetime) -> None:
    slot = int(at.timestamp() // ANSWER_EVERY.total_seconds())
    if _first(f"answer|{template}|{number}|{slot}", at):
        notices.answer_text(template, number, client)
        audit.record("text.answered", by=None, client=client, at=at, template=template)
