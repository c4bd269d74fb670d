"""Somebody begins the forms by themselves, from the public page: a code first, then a record that is nobody's yet.

What the visitor sees never depends on who is known here: nobody is looked up before staff look (A16). Within limits:
of one address in an hour, of the practice in a day, of codes to one phone or mailbox in a day.
"""

import hmac
import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any
from uuid import UUID

from django.db import transaction
from django.urls import reverse
from django.utils.translation import gettext

from intake import actions, packet, starting
from intake.enquiries import TooMany, answer_by, origin_digest
from intake.models import Arrival, Invitation
from intake.models.packets import CODE_LIFE, TRIES
from practice import alike as matching
from practice import audit, coverage, handover, notices
from practice.access import Permission, Role
from practice.actions import NotNow, admit
from practice.models import Client, Practice, PublicPages, SentForm, Site, Task, User
from practice.sealed import blind

PACKET = "intake"
TASK = "assign"
LIMIT_FOR = timedelta(hours=1)
MOST_OF_ADDRESS = 5  # a family, a waiting room
MOST_OF_DAY = 60
MOST_CODES = 4  # to one phone or mailbox in a day: nobody is pestered by way of us
DAY = timedelta(days=1)
AGAIN_AFTER = timedelta(minutes=1)
AT_ONCE = 500  # rows that one run of the job deletes
MOST_ALIKE = 5
NAMED_ALIKE = 50  # of the same name, whose birth dates are compared


# --- Open or not -----------------------------------------------------------------------------------------------------


def lacking(pages: PublicPages) -> str:
    """What has to be so before anybody may begin by themselves; "" when nothing is missing."""
    if site_of(pages) is None:
        return gettext("Choose the site at which new people begin.")
    try:
        actions.may_ask(Practice.get(), packet.load(PACKET))
    except NotNow as missing:
        return str(missing)
    return ""


def is_open(pages: PublicPages) -> bool:
    return pages.is_open and pages.starts_open and not lacking(pages)


def site_of(pages: PublicPages) -> Site | None:
    """Where new people begin: as chosen, or the one site there is."""
    if pages.starts_site is not None:
        return pages.starts_site
    found = list(Site.objects.all()[:2])
    return found[0] if len(found) == 1 else None


# --- Beginning -------------------------------------------------------------------------------------------------------


@transaction.atomic
def begin(*, said: Mapping[str, str], language: str, origin: str, at: datetime) -> Arrival:
    """Keep who somebody says they are, and send them a code. Raises TooMany, and nothing is kept."""
    digest = origin_digest(origin)
    lately = Arrival.objects.filter(at__gt=at - LIMIT_FOR, origin_index=digest).count()
    midnight = coverage.local(at, Practice.get()).replace(hour=0, minute=0, second=0, microsecond=0)
    if lately >= MOST_OF_ADDRESS or Arrival.objects.filter(at__gte=midnight).count() >= MOST_OF_DAY:
        raise TooMany
    arrival = Arrival(at=at, language=language, origin_index=digest)
    arrival.name, arrival.birth_date = said["name"], said["birth_date"]
    arrival.set_address(said["channel"], said["address"])
    for before in Arrival.objects.filter(
        origin_index=digest, address_index=arrival.address_index, client=None, at__gt=at - AGAIN_AFTER
    ):
        if (before.name, before.birth_date) == (arrival.name, arrival.birth_date):
            return before  # the same press twice, from a browser that had no session yet
    arrival.save(force_insert=True)
    audit.record("arrival.begun", by=None, target=arrival, at=at)
    send_code(arrival=arrival, at=at)
    return arrival


@transaction.atomic
def send_code(*, arrival: Arrival, at: datetime) -> bool:
    """Send a code, never twice within a minute. The visitor is told the same whether one went out or not."""
    row = Arrival.objects.select_for_update(of=("self",), no_key=True).get(pk=arrival.pk)
    if row.client_id is not None or row.tries >= TRIES:
        return False
    if row.code_sent_at is not None and row.code_sent_at > at - AGAIN_AFTER:
        return False
    if not any(_takes(f"arrival_code|{row.address_index}|{at:%Y-%m-%d}|{n}", at) for n in range(MOST_CODES)):
        return False
    code = f"{secrets.randbelow(10**6):06d}"
    row.code_digest, row.code_sent_at, row.code_expires_at = _digest(row.pk, code), at, at + CODE_LIFE
    row.save(update_fields=["code_digest", "code_sent_at", "code_expires_at"])
    notices.tell_stranger(row.address, "code", channel=row.channel, language=row.language, code=code)
    audit.record("arrival.code_sent", by=None, target=row, at=at, channel=row.channel)
    return True


def _takes(key: str, at: datetime) -> bool:
    """Whether this was free until now: one of the codes that an address gets in a day, whoever asks for it."""
    made = {"path": "begin_code", "at": at}
    return bool(SentForm.objects.get_or_create(key=sha256(key.encode()).hexdigest(), defaults=made)[1])


def _digest(pk: UUID, code: str) -> str:
    plain = "".join(letter for letter in code if letter.isalnum())
    return blind("arrival_code", f"{pk}|{plain}")  # a code is short: without the key it would be found by trying


def held(pk: str) -> Arrival | None:
    """The arrival that a browser began; None when it is gone, or was begun nowhere."""
    try:
        found: Arrival | None = Arrival.objects.select_related("client").filter(pk=UUID(pk)).first()
    except ValueError:
        return None
    return found


@transaction.atomic
def confirm(*, arrival: Arrival, code: str, at: datetime) -> Invitation | None:
    """Return the forms of the new client when the code is right, None when it is not. Twice gives the same ones.

    Five wrong codes end it. Raises NotNow when nobody may begin at this moment; the code stays good then.
    """
    row = Arrival.objects.select_for_update(of=("self",), no_key=True).get(pk=arrival.pk)
    live = row.code_expires_at is not None and at < row.code_expires_at and row.tries < TRIES
    if not (live and hmac.compare_digest(row.code_digest, _digest(row.pk, code[:40]))):
        if row.tries < TRIES:
            Arrival.objects.filter(pk=row.pk).update(tries=row.tries + 1)
        audit.record("arrival.wrong_code", by=None, target=row, at=at, outcome="refused")
        return None
    if row.client_id is not None:
        return _forms_of(row)
    pages = PublicPages.get()
    site = site_of(pages)
    if not is_open(pages) or site is None:
        raise NotNow(gettext("Nobody can begin here right now."))
    return _take_in(row, site, at)


def _forms_of(row: Arrival) -> Invitation:
    found: Invitation = Invitation.objects.filter(client=row.client_id, packet=PACKET).order_by("created_at")[0]
    return found


def _take_in(row: Arrival, site: Site, at: datetime) -> Invitation:
    """A record that is nobody's yet, the forms of an invitation, and an item for who hands out new people."""
    is_mail = row.channel == Arrival.Channel.EMAIL
    client = admit(
        by=None,
        site=site,
        therapist=None,
        at=at,
        name_used=row.name,
        birth_date=row.birth_date,
        email=row.address if is_mail else "",
        phone="" if is_mail else row.address,
        reach={"email": is_mail, "sms": not is_mail, "voice": False, "voicemail": False, "private": [row.channel]},
        language=row.language,
    )
    row.client, row.confirmed_at = client, at
    row.save(update_fields=["client", "confirmed_at"])
    audit.record("arrival.confirmed", by=client, client=client, target=row, at=at)
    Task.open(client, TASK, at=at, due_at=answer_by(at, Practice.get()))
    for user in told(site):
        notices.tell_staff(user, "arrival", link=notices.link(reverse("arrivals")))
    sent = actions.invite(by=None, client=client, key=PACKET, at=at)
    starting.joined(client, starting.Group.NEW, subject_id=client.pk, at=at)
    return sent


def told(site: Site) -> list[User]:
    """Who is told of new people: the front desk of the site; admins where there is none."""
    return list(User.objects.with_role(Role.FRONT_DESK).filter(sites=site)) or list(User.objects.with_role(Role.ADMIN))


@transaction.atomic
def forget(*, at: datetime) -> int:
    """Delete, after a day, what nobody confirmed. Returns how many."""
    rows = list(Arrival.objects.filter(client=None, at__lt=at - DAY).order_by("at")[:AT_ONCE])
    for row in rows:
        audit.record("arrival.purged", by=None, target=row, at=at)
        row.delete()
    return len(rows)


# --- Giving them a therapist -----------------------------------------------------------------------------------------


def alike(user: User, client: Client) -> list[Client]:
    """Other clients who may be the same person, of those whom this person may see: by contact, or name and birth."""
    contact = matching.by_contact(client.email_index, client.phone_index)
    others = Client.objects.visible_to(user).exclude(pk=client.pk)
    found = {one.pk: one for one in others.filter(contact).order_by("number")[:MOST_ALIKE]}
    if client.birth_date:
        named = others.named(client.name).order_by("number")[:NAMED_ALIKE]
        found |= {one.pk: one for one in named if one.birth_date == client.birth_date}
    return list(found.values())[:MOST_ALIKE]


@transaction.atomic
def assign(*, by: User, client: Client, to: User, words: str, at: datetime) -> None:
    """Give somebody who began by themselves to a therapist, once. Raises NotNow when that was done already."""
    row = Client.objects.hold(client.pk)
    if row.therapist_id is not None:
        raise NotNow(gettext("Somebody gave them to a therapist already. Nothing was changed."))
    site = to.sites.filter(pk=row.site_id).first() or to.sites.first()
    if site is not None and site.pk != row.site_id:
        row.site = site
        row.save(update_fields=["site"])
    handover.transfer(by=by, clients=[row], to=to, words=words, at=at)
    audit.record("arrival.assigned", by=by, client=row, target=row, at=at, to=str(to.pk))


@transaction.atomic
def same_person(*, by: User, client: Client, other: Client, at: datetime) -> None:
    """Say that two records are one person: the new one goes to the other's therapist, who is asked to read both."""
    if other.therapist is None or not other.therapist.is_active:
        raise NotNow(gettext("That client has no therapist. Give the new record to one first."))
    Client.objects.hold_each((client.pk, other.pk))
    assign(by=by, client=client, to=other.therapist, words=gettext("The same person, two records."), at=at)
    client.arrivals.update(same_as=other)
    for one, of in ((client, other), (other, client)):
        Task.open(one, "todo", at=at, subject_id=of.pk, owner=other.therapist, reason="two_records", code=of.code)
        audit.record("arrival.same_person", by=by, client=one, target=of, at=at)


def handed(*, by: User, clients: Sequence[Any], former: User | None, to: User, at: datetime) -> None:
    """They are somebody's now, however that came about."""
    for task in Task.objects.filter(client__in=clients, kind=TASK, done_at=None).select_related("client"):
        Task.finish(task.client, TASK, at=at, by=by)


def waiting(user: User) -> Any:
    """The items of those who began by themselves and are nobody's yet, whom this person may give to a therapist."""
    mine = Client.objects.visible_to(user, Permission.ASSIGN_CLIENT).filter(therapist=None)
    return Task.objects.filter(kind=TASK, done_at=None, client__in=mine.values("pk"))
