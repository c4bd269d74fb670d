"""Somebody who is not a client asks to be contacted: taken in within limits, answered in words, forgotten in time.

What the visitor sees never depends on who is known here: nothing is looked up before staff look.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Any

from django.db import transaction
from django.urls import reverse
from django.utils.translation import gettext

from practice import audit, coverage, notices
from practice.access import Role
from practice.actions import NotNow
from practice.models import Client, Enquiry, Practice, User
from practice.sealed import blind

State = Enquiry.State
LIMIT_FOR = timedelta(hours=1)
MOST_OF_ADDRESS = 5  # a family, a waiting room
MOST_OF_PRACTICE = 40
FORGET_AFTER = timedelta(days=90)
AT_ONCE = 500  # rows that one run of the job deletes
NETWORK_BITS = 64  # what one household has of IPv6


class TooMany(Exception):
    """The limit of an hour is reached, of this address or of the practice."""


def origin_digest(origin: str) -> str:
    """A keyed digest of an address; of IPv6, of the network that is one household's."""
    try:
        address = ip_address(origin)
    except ValueError:
        return blind("origin", origin)
    if isinstance(address, IPv6Address):
        return blind("origin", str(ip_network((address, NETWORK_BITS), strict=False)))
    return blind("origin", str(address))


def answer_by(at: datetime, practice: Practice) -> datetime:
    """By when somebody who asks now hears from us: by the time at which answers are read, a workday later."""
    return coverage.read_by(coverage.next_opening(at, practice), practice)


@transaction.atomic
def receive(*, by: User | None, said: Mapping[str, Any], language: str, origin: str, at: datetime) -> Enquiry:
    """Keep what somebody asks and tell the front desk, without a word of it. Raises TooMany, and nothing is kept."""
    digest = origin_digest(origin)
    lately = Enquiry.objects.filter(at__gt=at - LIMIT_FOR)
    if lately.filter(origin_index=digest).count() >= MOST_OF_ADDRESS or lately.count() >= MOST_OF_PRACTICE:
        raise TooMany
    enquiry = Enquiry(at=at, answer_by=answer_by(at, Practice.get()), language=language, origin_index=digest)
    enquiry.set_contact(email=said["email"], phone=said["phone"])
    enquiry.name, enquiry.reach, enquiry.about = said["name"], said["reach"], said["about"]
    enquiry.save(force_insert=True)
    audit.record("enquiry.received", by=by, target=enquiry, at=at)
    for user in readers():
        notices.tell_staff(user, "enquiry", link=notices.link(reverse("enquiries")))
    return enquiry


def readers() -> list[User]:
    """Who answers enquiries: the front desk; admins where there is none."""
    return list(User.objects.with_role(Role.FRONT_DESK)) or list(User.objects.with_role(Role.ADMIN))


@transaction.atomic
def settle(
    *, by: User, enquiry: Enquiry, state: str, words: str = "", client: Client | None = None, at: datetime
) -> None:
    """Answer it, once: it became a client, came from one, or neither, which is said in words. Else NotNow."""
    if state != State.INVITED and not words.strip():
        raise NotNow(gettext("Write what you told them, or why nobody did."))
    waiting = Enquiry.objects.filter(pk=enquiry.pk, state=State.WAITING)
    if not waiting.update(state=state, client=client, answered_at=at, answered_by=by):
        raise NotNow(gettext("Somebody answered this one already. Nothing was changed."))
    enquiry.refresh_from_db()
    enquiry.words = words.strip()
    enquiry.save(update_fields=["words"])
    audit.record(f"enquiry.{state}", by=by, client=client, target=enquiry, at=at)


@transaction.atomic
def forget(*, at: datetime) -> int:
    """Delete what did not become a client within 90 days; the trail keeps the ids. Returns how many."""
    found = Enquiry.objects.filter(client=None, at__lt=at - FORGET_AFTER).order_by("at")[:AT_ONCE]
    rows = list(found)
    for row in rows:
        audit.record("enquiry.purged", by=None, target=row, at=at, state=row.state)
        row.delete()
    return len(rows)
