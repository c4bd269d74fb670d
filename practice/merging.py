"""Two records of one person become one, and can be taken apart again (docs/adr/0028).

Every row that names the former client names the kept one from then on (practice/moves.py). The former's own row stays,
with a status in which nobody opens or finds it. The audit trail is not touched: its reports ask for `ids_of`.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext

from practice import alike, audit, handover, jobs, moves, notices
from practice.access import Role
from practice.actions import NotNow
from practice.models import Apart, Client, Export, Merge, Moved, Notice, Task, User

SWEEP_AFTER = timedelta(minutes=2)  # what a request under way wrote to the former record follows then
CHOSEN = ("legal_name", "name_used", "pronouns", "birth_date", "email", "phone", "address", "payment", "other_id")
CARED_FOR = (Client.Status.ACTIVE, Client.Status.INVITED)
CAREFUL = (  # the status of the two that counts for both
    Client.Status.RESTRICTED, Client.Status.DIED, Client.Status.ACTIVE, Client.Status.INVITED, Client.Status.DISCHARGED,
)  # fmt: skip
TALKS = ("no", "emergency", "yes")  # to a contact of theirs: the first counts

# What the packages above add: sentences on what stands in the way; called with the former before its rows move; called
# with each of the two afterwards, to bring what the caseload shows to what is there now.
OBSTACLES: list[Callable[[Client, Client, datetime], Iterable[str]]] = []
MOVING: list[Callable[[Client], object]] = []
CHANGED: list[Callable[[Client, datetime], object]] = []


def ids_of(client: Client) -> list[UUID]:
    """The ids under which the audit trail knows this person: their own, and those of records merged into it."""
    return [client.pk, *Merge.objects.filter(client=client, undone_at=None).values_list("former", flat=True)]


def versions(one: Client, other: Client) -> str:
    """What a page that showed both saw, to be told when somebody changed one since."""
    return "-".join(f"{client.code}.{client.version}" for client in sorted((one, other), key=lambda c: c.number))


def obstacles(kept: Client, former: Client, at: datetime) -> list[str]:
    """What has to be settled before the two can be one: sentences, none when nothing stands in the way."""
    found = []
    for one, other in ((kept, former), (former, kept)):
        if one.status in (Client.Status.DIED, Client.Status.RESTRICTED) and other.status in CARED_FOR:
            said = gettext("{code} is marked “{state}”, and {other} is in care. Both cannot be true of one person.")
            found.append(said.format(code=one.code, state=Client.Status(one.status).label, other=other.code))
    if kept.therapist_id != former.therapist_id and not _works(kept.therapist):
        said = gettext("{code} has no therapist who works here. Hand it over first, or keep the other record.")
        found.append(said.format(code=kept.code))
    if Export.objects.filter(client__in=(kept, former), state=Export.State.MAKING).exists():
        found.append(str(moves.ONE_EACH["export_making_once"]))
    found += moves.both_have(kept, former)
    for more in OBSTACLES:
        found += more(kept, former, at)
    return list(dict.fromkeys(found))


def _works(person: User | None) -> bool:
    return person is not None and person.is_active and Role.THERAPIST in person.roles


# --- Merging ---------------------------------------------------------------------------------------------------------


@transaction.atomic
def merge(
    *, by: User, kept: Client, former: Client, take: Collection[str], words: str, at: datetime, seen: str = ""
) -> Merge:
    """Make one record of two. `take` names the contact facts (CHOSEN) that come from the former; the others stay.

    `seen` is `versions` as the page showed them. Refused while anything of `obstacles` stands in the way.
    """
    if not words.strip():
        raise NotNow(gettext("Write how you know that they are one person."))
    kept, former = _locked(kept, former)
    if seen and seen != versions(kept, former):
        raise NotNow(gettext("Somebody changed one of the two while you looked. Look again."))
    for sentence in obstacles(kept, former, at):
        raise NotNow(sentence)
    facts = {"former": {"status": former.status, "therapist": str(former.therapist_id or "")}}
    if kept.therapist is not None and kept.therapist_id != former.therapist_id:
        handover.transfer(by=by, clients=[former], to=kept.therapist, at=at, words=words)
        former.refresh_from_db()
    row = Merge(client=kept, former=former, at=at, by=by, had=moves.count(kept))
    row.words = words.strip()
    row.facts = facts | _become_one(kept, former, take) | {"known": {name: getattr(former, name) for name in CHOSEN}}
    row.save(force_insert=True)
    for hook in MOVING:
        hook(former)
    _stop_what_was_addressed(former, kept)
    moved = moves.move(row, former, at)
    _hurry(kept, former, at)
    former.status, former.version = Client.Status.MERGED, former.version + 1
    former.save(update_fields=["status", "version"])
    _settle((kept, former), at)
    Apart.objects.standing(kept, former).update(undone_at=at, undone_by=by)  # the words of the merge say why
    audit.record("client.merged", by=by, client=kept, target=row, at=at, former=former.code, rows=moved)
    audit.record("client.merged_away", by=by, client=former, target=row, at=at, kept=kept.code)
    jobs.enqueue("sweep_merge", ref=row.pk, run_at=at + SWEEP_AFTER)
    return row


def _locked(one: Client, other: Client) -> tuple[Client, Client]:
    """Both rows, for this transaction alone; always taken in the same order, so that two people wait for each other."""
    wanted = Client.objects.select_for_update(of=("self",), no_key=True).select_related("therapist", "prescriber")
    found = {row.pk: row for row in wanted.filter(pk__in=(one.pk, other.pk)).order_by("pk")}
    if one.pk == other.pk:
        raise NotNow(gettext("Choose two different records."))
    if len(found) < 2 or any(row.status == Client.Status.MERGED for row in found.values()):
        raise NotNow(gettext("Somebody merged one of these records first. Nothing was changed."))
    return found[one.pk], found[other.pk]


def _become_one(kept: Client, former: Client, take: Collection[str]) -> dict[str, Any]:
    """Give the kept row what is true of both, and of what differs the more careful. Returns before and since."""
    made: dict[str, Any] = {name: getattr(former, name) for name in CHOSEN if name in take and getattr(former, name)}
    made |= {
        "reach": _private_still(careful_reach(kept.reach, former.reach), kept, former, made),
        "contacts": _contacts(kept.contacts or [], former.contacts or []),
        "allergies": "\n".join(dict.fromkeys(filter(None, (kept.allergies, former.allergies)))),
        "diagnoses": _together(kept.diagnoses or [], former.diagnoses or []),
        "status": next(str(status) for status in CAREFUL if status in (kept.status, former.status)),
    }
    before = {name: getattr(kept, name) for name in made}
    made = {name: value for name, value in made.items() if (value or None) != (before[name] or None)}
    given = "" if kept.prescriber else str(former.prescriber_id or "")
    kept.prescriber = kept.prescriber or former.prescriber
    kept.last_heard_at = max(filter(None, (kept.last_heard_at, former.last_heard_at)), default=None)
    kept.set_identity(**made)
    kept.version += 1
    kept.save_identity()
    return {"kept": {name: before[name] for name in made}, "made": made, "prescriber": given}


def careful_reach(one: dict[str, Any] | None, other: dict[str, Any] | None) -> dict[str, Any]:
    """How somebody may be reached who said so twice: a way is safe when neither said no, private when both said so."""
    if not one or not other:
        return one or other or {}
    found: dict[str, Any] = {}
    for key in {**one, **other}:
        said = [each[key] for each in (one, other) if key in each]
        if all(isinstance(value, bool) for value in said):
            found[key] = all(said)
        elif all(isinstance(value, list) for value in said):
            found[key] = [value for value in said[0] if value in said[-1]] if len(said) == 2 else []
        else:
            found[key] = "\n".join(dict.fromkeys(str(value) for value in said if value))
    return found


def _private_still(reach: dict[str, Any], kept: Client, former: Client, made: Collection[str]) -> dict[str, Any]:
    """The same; but codes go only to a number or mailbox that was itself said to be read by nobody else."""
    ours, theirs = ((each.reach or {}).get("private", []) for each in (kept, former))
    private = []
    for way in reach.get("private", []):
        column = "email" if way == "email" else "phone"
        is_same = getattr(kept, column) == getattr(former, column)
        if way in (ours + theirs if is_same else theirs if column in made else ours):
            private.append(way)
    return reach | {"private": private} if "private" in reach else reach


def _contacts(ours: list[dict[str, Any]], theirs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Everybody named in either; with somebody named in both we talk as the more careful of the two says."""

    def who(contact: dict[str, Any]) -> tuple[Any, ...]:
        return tuple(contact.get(key, "") for key in ("role", "name", "phone"))

    found = {who(contact): dict(contact) for contact in ours}
    for contact in theirs:
        same = found.setdefault(who(contact), dict(contact))
        if "may_talk" in contact and "may_talk" in same:
            same["may_talk"] = min(same["may_talk"], contact["may_talk"], key=TALKS.index)
    return list(found.values())


def _together(ours: list[Any], theirs: list[Any]) -> list[Any]:
    return [*ours, *(each for each in theirs if each not in ours)]


def _stop_what_was_addressed(former: Client, kept: Client) -> None:
    """What waits to be sent to an address that was not chosen for this person is not sent."""
    theirs = Notice.objects.filter(client=former, state=Notice.State.WAITING, template__in=notices.TO_CLIENTS)
    good = {kept.email, kept.phone} - {""}
    gone = [notice.pk for notice in theirs if notice.address not in good]
    Notice.objects.filter(pk__in=gone).update(state=Notice.State.STOPPED, words=None)


def _hurry(kept: Client, former: Client, at: datetime) -> None:
    """An item that both have is due when the first of the two was."""
    for item in former.tasks.filter(done_at=None):
        mine = kept.tasks.filter(kind=item.kind, subject_id=item.subject_id, done_at=None).first()
        if mine is not None:
            opened_at = min(mine.opened_at, item.opened_at)
            due_at = min(filter(None, (mine.due_at, item.due_at)), default=None)
            Task.objects.filter(pk=mine.pk).update(opened_at=opened_at)
            Task.open(kept, item.kind, at=at, subject_id=item.subject_id, due_at=due_at, **(item.facts | mine.facts))


def _settle(clients: Iterable[Client], at: datetime) -> None:
    """Bring what the caseload shows of each to what is there now."""
    for client in clients:
        for hook in CHANGED:
            hook(client, at)
        client.refresh_from_db()
        client.refresh_rank()


def sweep(merge: Merge, *, at: datetime) -> int:
    """Move after what a request wrote to the former record that had begun before the merge. Returns how many rows."""
    row = Merge.objects.select_related("client", "former").get(pk=merge.pk)
    if row.undone_at is not None or row.former is None:
        return 0
    with transaction.atomic():
        Client.objects.hold_each((row.client_id, row.former_id))
        moved = moves.move(row, row.former, at)
        if moved:
            _settle((row.client,), at)
            audit.record("client.merged", by=None, client=row.client, target=row, at=at, rows=moved)
    return moved


# --- Taking apart ----------------------------------------------------------------------------------------------------


@transaction.atomic
def undo(*, by: User, merge: Merge, words: str, at: datetime) -> None:
    """Take the two apart: what moved moves back. What was added since stays with the kept client (`since`)."""
    if not words.strip():
        raise NotNow(gettext("Write how you know that they are two people."))
    two = [pk for pk in (merge.client_id, merge.former_id) if pk]
    Client.objects.hold_each(two)
    if not Merge.objects.filter(pk=merge.pk, undone_at=None).update(undone_at=at, undone_by=by):
        raise NotNow(gettext("Somebody took these two apart first. Nothing was changed."))
    row = Merge.objects.select_related("client", "former").get(pk=merge.pk)
    row.undone_words = words.strip()
    row.save(update_fields=["undone_words"])
    kept, former, facts = row.client, row.former, row.facts or {}
    assert former is not None
    moved = moves.back(row, former)
    said = facts["kept"]
    restored = {name: said[name] for name in said if getattr(kept, name) == facts["made"][name]}
    kept.set_identity(**restored)
    if facts["prescriber"] == str(kept.prescriber_id):
        kept.prescriber = None  # they prescribe for the other, and see that one alone again
    kept.version += 1
    kept.save_identity()
    former.status, former.version = facts["former"]["status"], former.version + 1
    former.save(update_fields=["status", "version"])
    before = facts["former"]["therapist"]
    therapist = User.objects.filter(pk=before).first() if before else None
    if therapist is not None and therapist.pk != former.therapist_id and _works(therapist):
        handover.transfer(by=by, clients=[former], to=therapist, at=at, words=words)
        former.refresh_from_db()
    _settle((kept, former), at)
    audit.record("client.taken_apart", by=by, client=kept, target=row, at=at, rows=moved, fields=sorted(restored))
    audit.record("client.taken_apart", by=by, client=former, target=row, at=at, rows=moved)


def since(merge: Merge) -> dict[str, int]:
    """How many rows of each table came to the kept client after the merge, and stay when it is undone."""
    found = Counter(moves.count(merge.client))
    found.subtract(merge.had)
    for step in Moved.objects.filter(merge__client=merge.client_id, merge__undone_at=None, at__gte=merge.at):
        found.subtract({step.table: len(step.keys)})
    return {label: n for label, n in found.items() if n > 0 and label != Merge._meta.label}


# --- Two people after all --------------------------------------------------------------------------------------------


@transaction.atomic
def keep_apart(*, by: User, one: Client, other: Client, words: str, at: datetime) -> Apart:
    """Note that these are two people: the pair is listed no more, until more of the two is alike than now."""
    if not words.strip():
        raise NotNow(gettext("Write how you know that they are two people."))
    one, other = sorted(_locked(one, other), key=lambda client: client.number)
    listed = next((pair.why for pair in alike.likely(by) if {pair.one, pair.other} == {one, other}), ())
    why = [what for what in alike.WHY if what in {*listed, *alike.between(one, other)}]
    found: Apart | None = next((row for row in Apart.objects.standing(one, other) if set(why) <= set(row.why)), None)
    if found is not None:
        raise NotNow(gettext("{who} said so already.").format(who=found.by.name))
    row = Apart(client=one, other=other, why=why, at=at, by=by)
    row.words = words.strip()
    row.save(force_insert=True)
    for client, with_ in ((one, other), (other, one)):
        audit.record("client.apart", by=by, client=client, target=row, at=at, other=with_.code, alike=why)
    return row


@transaction.atomic
def ask_again(*, by: User, row: Apart, words: str, at: datetime) -> None:
    """Take it back: the pair is listed again while anything of the two is alike."""
    if not words.strip():
        raise NotNow(gettext("Write why they may be one person after all."))
    standing = Apart.objects.standing(row.client_id, row.other_id).select_for_update(no_key=True)
    found = {each.pk: each for each in standing}
    if row.pk not in found:
        raise NotNow(gettext("Somebody took this back first."))
    for each in found.values():
        each.undone_at, each.undone_by, each.undone_words = at, by, words.strip()
        each.save(update_fields=["undone_at", "undone_by", "undone_words"])
    for client, with_ in ((row.client, row.other), (row.other, row.client)):
        audit.record("client.apart_undone", by=by, client=client, target=row, at=at, other=with_.code)
