"""Who may be the same person: by e-mail, phone, the number of another system, or name and birth date.

The one place that says so: for the import, for invitations, for enquiries, and for the list of likely duplicates.
A record that was merged into another speaks for that one.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import Count, Q, QuerySet
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from practice.access import Permission
from practice.models import Apart, Client, Merge, NameStart, User
from practice.models.clients import LONGEST_START
from practice.sealed import blind, normalise

CHUNK = 500  # values in one question to the database
INDEXES = {"other_id_index": "other_id", "email_index": "email", "phone_index": "phone"}
NEWEST = 300  # records whose name and birth date are compared with everybody's; duplicates come with new ones
MOST = 200  # shared addresses that are looked at
MOST_ALIKE = 6  # of those who share one: a phone that more have is a house's, not a person's
WHY: dict[str, str | Promise] = {
    "other_id_index": _("The same number in another system"),
    "email_index": _("The same e-mail"),
    "phone_index": _("The same phone"),
    "person": _("The same name and birth date"),
}


def keys_of(identity: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """(what, value) of everything by which this person may be somebody known, the surest first."""
    for column, key in INDEXES.items():
        if identity.get(key):
            yield column, blind(key, identity[key])
    if identity.get("birth_date"):
        for name in {normalise(identity.get(key, "")) for key in ("legal_name", "name_used")} - {""}:
            yield "person", f"{name}|{identity['birth_date']}"


def known(identities: Iterable[Mapping[str, Any]]) -> dict[tuple[str, str], list[UUID]]:
    """The clients who are here, by each key that one of these has."""
    wanted: dict[str, set[str]] = {}
    for identity in identities:
        for what, value in keys_of(identity):
            wanted.setdefault(what, set()).add(value)
    found: dict[tuple[str, str], list[UUID]] = {}
    for column in INDEXES:
        for some in _chunks(sorted(wanted.get(column, ()))):
            for value, pk in Client.objects.filter(**{f"{column}__in": some}).values_list(column, "pk"):
                found.setdefault((column, value), []).append(pk)
    for value, pk in _namesakes(wanted.get("person", set())):
        found.setdefault(("person", value), []).append(pk)
    return whole(found)


def whole(found: Mapping[Any, Iterable[UUID]]) -> dict[Any, list[UUID]]:
    """The same, with the record that each was merged into in its place."""
    everybody = {pk for people in found.values() for pk in people}
    into: dict[UUID, UUID] = {}
    for some in _chunks(sorted(everybody)):
        into |= dict(Merge.objects.filter(former__in=some, undone_at=None).values_list("former", "client"))
    return {key: list(dict.fromkeys(into.get(pk, pk) for pk in people)) for key, people in found.items()}


def by_contact(email_index: str, phone_index: str) -> Q:
    """Clients with this e-mail or phone, or into whom one with it was merged."""
    same = Q(pk__in=[])
    for column, value in (("email_index", email_index), ("phone_index", phone_index)):
        if value:
            merged = Merge.objects.filter(**{f"former__{column}": value}, undone_at=None)
            same |= Q(**{column: value}) | Q(pk__in=merged.values("client"))
    return same


def _namesakes(wanted: set[str]) -> Iterator[tuple[str, UUID]]:
    """(name|birth date, client) of everybody here who has one of these, by the keyed index of name beginnings."""
    starts = {blind("name", value.split("|")[0].split()[0][:LONGEST_START]) for value in wanted}
    near: set[UUID] = set()
    for some in _chunks(sorted(starts)):
        near |= set(NameStart.objects.filter(start__in=some).values_list("client_id", flat=True))
    for people in _chunks(sorted(near)):
        for client in Client.objects.filter(pk__in=people):
            for name in {normalise(client.legal_name), normalise(client.name_used)}:
                if (value := f"{name}|{client.birth_date}") in wanted:
                    yield value, client.pk


def _chunks(values: Sequence[Any]) -> Iterable[Sequence[Any]]:
    return (values[n : n + CHUNK] for n in range(0, len(values), CHUNK))


# --- Likely duplicates -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Pair:
    """Two records that may be one person; the older one first."""

    one: Client
    other: Client
    why: tuple[str, ...]  # of WHY, the surest first

    @property
    def words(self) -> list[str | Promise]:
        return [WHY[what] for what in self.why]


def likely(user: User) -> list[Pair]:
    """Pairs of clients whom this person may merge, those with most in common first. A fixed number of queries."""
    mine = Client.objects.visible_to(user, Permission.MERGE_CLIENTS)
    groups: dict[tuple[str, str], list[UUID]] = {}
    for column in INDEXES:
        for value, pk in mine.filter(**{f"{column}__in": _shared(mine, column)}).values_list(column, "pk"):
            groups.setdefault((column, value), []).append(pk)
    newest = mine.order_by("-number")[:NEWEST]
    said = [{name: getattr(client, name) for name in ("legal_name", "name_used", "birth_date")} for client in newest]
    groups |= known(said)
    why: dict[tuple[UUID, UUID], dict[str, None]] = {}
    for (what, _value), people in groups.items():
        for first, second in _twos(sorted(set(people))[:MOST_ALIKE]):
            why.setdefault((first, second), {})[what] = None
    clients = mine.select_related("therapist").in_bulk({pk for pair in why for pk in pair})
    settled: dict[frozenset[UUID], set[str]] = {}
    for first, second, then in Apart.objects.standing().values_list("client", "other", "why"):
        settled.setdefault(frozenset((first, second)), set()).update(then)
    found = []
    for pair, alike in why.items():
        if all(pk in clients for pk in pair) and not alike.keys() <= settled.get(frozenset(pair), set()):
            one, other = sorted((clients[pk] for pk in pair), key=lambda client: client.number)
            found.append(Pair(one, other, tuple(sorted(alike, key=_place))))
    return sorted(found, key=lambda pair: (-len(pair.why), _place(pair.why[0]), -pair.other.number))


def between(one: Client, other: Client) -> list[str]:
    """What of these two records is alike, the surest first."""
    ours, theirs = ({what: set[str]() for what in WHY} for _each in (one, other))
    for client, found in ((one, ours), (other, theirs)):
        for column in INDEXES:
            found[column] |= {getattr(client, column)} - {""}
        for what, value in keys_of({n: getattr(client, n) for n in ("legal_name", "name_used", "birth_date")}):
            found[what].add(value)
    return [what for what in WHY if ours[what] & theirs[what]]


def _shared(mine: QuerySet[Client], column: str) -> list[str]:
    """The values of this index that more than one has."""
    rows = mine.exclude(**{column: ""}).order_by().values(column).annotate(n=Count("pk")).filter(n__gt=1)
    return list(rows.values_list(column, flat=True)[:MOST])


def _twos(people: Sequence[UUID]) -> Iterator[tuple[UUID, UUID]]:
    return ((one, other) for n, one in enumerate(people) for other in people[n + 1 :])


def _place(what: str) -> int:
    return list(WHY).index(what)
