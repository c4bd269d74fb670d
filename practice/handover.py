"""Who looks after whom: how many clients each therapist has, handing clients over, and what nobody looks after."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from itertools import groupby
from typing import Any

from django.db import transaction
from django.db.models import Count, Exists, OuterRef, Q, QuerySet
from django.urls import reverse
from django.utils.translation import gettext, ngettext

from practice import audit, notices
from practice.access import GRANTS, REACH, Permission, Reach, Role
from practice.actions import NotNow, hand_on
from practice.models import Alert, Client, Handover, Stop, Task, User
from practice.sealed import blind

IN_CARE = ~Q(clients__status__in=Client.LEFT)

# What the apps above hand over with a client: each is called with by, clients (their keys), former, to and at, in the
# same transaction.
HANDING: list[Callable[..., object]] = []


# --- Load ------------------------------------------------------------------------------------------------------------


def with_load(people: QuerySet[User]) -> QuerySet[User]:
    """These people, each with how many clients in care they have as `in_care`."""
    return people.annotate(in_care=Count("clients", filter=IN_CARE, distinct=True))


def load_words(person: Any) -> str:
    """Return "12 of 20 clients" or "12 clients" of somebody from `with_load`."""
    if person.most_clients is None:
        return ngettext("{n} client", "{n} clients", person.in_care).format(n=person.in_care)
    said = ngettext("{n} of {most} client", "{n} of {most} clients", person.most_clients)
    return said.format(n=person.in_care, most=person.most_clients)


def is_over(person: User, more: int = 0) -> bool:
    """Whether somebody has, or would have with so many more, more clients than they take."""
    return person.most_clients is not None and in_care(person).count() + more > person.most_clients


def over_words(person: User) -> str:
    most = person.most_clients or 0
    said = ngettext(
        "{name} takes {n} client and would have more then. Write why, or choose somebody else.",
        "{name} takes {n} clients and would have more then. Write why, or choose somebody else.",
        most,
    )
    return said.format(name=person.name, n=most)


def in_care(person: User) -> QuerySet[Client]:
    return Client.objects.filter(therapist=person).exclude(status__in=Client.LEFT)


def prescribed(person: User) -> QuerySet[Client]:
    return Client.objects.filter(prescriber=person).exclude(status__in=Client.LEFT)


def still_open(person: User) -> QuerySet[Client]:
    """Those of this therapist whose care ended, with something open all the same: a flag after a death."""
    left = Client.objects.filter(therapist=person, status__in=Client.LEFT).exclude(status=Client.Status.MERGED)
    tasks = Task.objects.filter(client=OuterRef("pk"), done_at=None)
    return left.filter(Exists(tasks) | Exists(Alert.objects.open().filter(client=OuterRef("pk"))))


def takers(by: User) -> QuerySet[User]:
    """To whom this person may hand clients: any therapist, or those of their team and themselves."""
    therapists = with_load(User.objects.with_role(Role.THERAPIST)).order_by("name")
    if Reach.PRACTICE in {REACH[role] for role in by.roles if Permission.MOVE_CLIENTS in GRANTS[role]}:
        return therapists
    return therapists.filter(Q(supervisor=by) | Q(pk=by.pk))


# --- Handing over ----------------------------------------------------------------------------------------------------


@transaction.atomic
def transfer(*, by: User, clients: Iterable[Client], to: User, at: datetime, words: str = "") -> int:
    """Make `to` the therapist of these clients. Returns how many moved; those who are theirs already are not counted.

    With a client go their open tasks, flags, and what HANDING names. Whoever was their therapist sees nothing of them
    from the next request on. Refused without words when `to` would have more clients than they take.
    """
    held = Client.objects.hold_each(client.pk for client in clients)
    to = User.objects.select_for_update(no_key=True).get(pk=to.pk)
    if not (to.is_active and Role.THERAPIST in to.roles):
        raise NotNow(gettext("Choose somebody who works here as {role}.").format(role=Role.THERAPIST.label.lower()))
    rows = [row for row in held if row.therapist_id != to.pk]
    rows.sort(key=lambda row: (str(row.therapist_id), str(row.pk)))
    arriving = [row for row in rows if row.status not in Client.LEFT]
    if arriving and is_over(to, len(arriving)) and not words.strip():
        raise NotNow(over_words(to))
    for former_id, group in groupby(rows, key=lambda row: row.therapist_id):
        former = User.objects.get(pk=former_id) if former_id else None
        _hand(list(group), former, by=by, to=to, at=at, words=words)
    if rows and to != by:
        notices.tell_staff(to, "handed_over", n=len(rows), link=notices.link(reverse("caseload")))
    return len(rows)


def _hand(rows: Sequence[Client], former: User | None, *, by: User, to: User, at: datetime, words: str) -> None:
    for client in rows:
        change(client, "therapist", to, by=by, at=at, words=words)
    keys = [client.pk for client in rows]
    if former is not None:
        Task.objects.filter(client__in=keys, owner=former, done_at=None).update(owner=to)
    for flag in Alert.objects.open().filter(client__in=keys):
        hand_on(by=by, alert=flag, former=former, at=at)
    for hook in HANDING:
        hook(by=by, clients=keys, former=former, to=to, at=at)


def change(client: Client, role: str, to: User, *, by: User | None, at: datetime, words: str = "") -> None:
    """Put `to` in this role of the client ("therapist" or "prescriber"), and keep who was before."""
    row = Handover(client=client, role=role, former=getattr(client, role), to=to, by=by, at=at)
    row.words = words.strip()
    row.save(force_insert=True)
    setattr(client, role, to)
    client.version += 1
    client.save(update_fields=[role, "version"])
    audit.record("client.transferred", by=by, client=client, target=client, at=at, to=str(to.pk), role=role)


def began(client: Client, *, by: User, at: datetime, words: str) -> None:
    """Keep why a new client was given to a therapist who has as many as they take."""
    row = Handover(client=client, role=Handover.Role.THERAPIST, to=client.therapist, by=by, at=at)
    row.words = words.strip()
    row.save(force_insert=True)


# --- What nobody looks after -----------------------------------------------------------------------------------------


def alone() -> QuerySet[Client]:
    """Clients in care without a therapist who works here."""
    nobody = Q(therapist=None) | Q(therapist__is_active=False)
    return Client.objects.filter(nobody).exclude(status__in=Client.LEFT)


def ownerless() -> QuerySet[Task]:
    """Open items that stand with somebody who has left."""
    return Task.objects.filter(done_at=None, owner__is_active=False)


def alarms() -> list[str]:
    """What an admin must know: a sentence for each kind of thing that nobody looks after. Four queries at most."""
    clients, tasks = alone().count(), ownerless().count()
    found = []
    if clients:
        said = ngettext("{n} client has no therapist.", "{n} clients have no therapist.", clients)
        found.append(said.format(n=clients))
    if tasks:
        said = ngettext(
            "{n} open task stands with somebody who has left.", "{n} open tasks stand with people who have left.", tasks
        )
        found.append(said.format(n=tasks))
    if deaf := _deaf():
        said = gettext("{names}: their phone answered STOP, so urgent texts do not reach them. START turns them on.")
        found.append(said.format(names=", ".join(deaf)))
    return found


def _deaf() -> list[str]:
    """Staff whose own phone refuses our texts: they are told of urgent flags by mail alone."""
    phones = {blind("phone", each.phone): each.name for each in User.objects.filter(is_active=True).exclude(phone="")}
    stopped = Stop.objects.running().filter(channel=Stop.Channel.SMS, address_index__in=phones) if phones else []
    return sorted(phones[row.address_index] for row in stopped)
