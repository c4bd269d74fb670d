"""Signing again: who is due, asking a few of them a day, and what came of it.

Nobody is asked at night, while a safety flag of theirs is open, or on a day on which they are dosed: a name under a
text has to be given with a clear head. Nothing is asked until somebody starts it (SigningPace).
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from dateutil.relativedelta import relativedelta
from django.db import transaction
from django.db.models import F, Q, QuerySet

from intake import actions, editions
from intake.models import Intake, Invitation, Signature, SigningPace, SigningRequest
from intake.models.agreements import AGAIN
from intake.models.packets import SIGNING
from practice import audit, coverage, notices
from practice.actions import NotNow
from practice.models import Alert, Client, Practice, Task, User

Outcome = SigningRequest.Outcome

# What the packages above know: the clients among these who are dosed on this day (by the client's own calendar).
DOSED_ON: list[Callable[[Iterable[UUID], date], set[UUID]]] = []


@dataclass(frozen=True)
class Due:
    client_id: UUID
    document: str
    since: datetime
    """From when on the signature no longer counts."""
    signed_at: datetime
    version: str


# --- Who is due ------------------------------------------------------------------------------------------------------


def newest_signatures() -> list[tuple[UUID, str, str, datetime]]:
    """Client, document, version and time of the newest signature of everybody in care. One query."""
    rows = Signature.objects.filter(client__status=Client.Status.ACTIVE).order_by("signed_at")
    newest = {
        (client, document): (client, document, version, at)
        for client, document, version, at in rows.values_list("client", "document", "version", "signed_at")
    }
    return list(newest.values())


def due(at: datetime, signatures: Iterable[tuple[UUID, str, str, datetime]] | None = None) -> list[Due]:
    """Everybody in care whose newest signature no longer counts, the oldest signature first."""
    standing, months = editions.standing(), SigningPace.get().months
    found = []
    for client, document, version, signed_at in newest_signatures() if signatures is None else signatures:
        stands = standing.get(document)
        if stands is None:
            continue
        since = _since(stands, version, signed_at, months.get(document), at)
        if since is not None:
            found.append(Due(client, document, since, signed_at, version))
    return sorted(found, key=lambda each: (each.signed_at, str(each.client_id)))


def _since(stands: editions.Standing, version: str, signed_at: datetime, months: Any, at: datetime) -> datetime | None:
    if version not in stands.accepted and stands.since is not None:
        return stands.since.published_at
    good_until = signed_at + relativedelta(months=months) if months else None
    return good_until if good_until is not None and good_until <= at else None


def is_current(client: Client, document: str, at: datetime) -> bool:
    """Whether the client's newest signature of this document counts today."""
    newest = client.signatures.filter(document=document).order_by("-signed_at").first()
    if newest is None:
        return False
    months = SigningPace.get().months.get(document)
    return _since(editions.standing()[document], newest.version, newest.signed_at, months, at) is None


# --- Asking ----------------------------------------------------------------------------------------------------------


@transaction.atomic
def turn(*, by: User, on: bool, at: datetime) -> bool:
    """Start or stop asking. False when it was so already."""
    pace, _new = SigningPace.objects.select_for_update(no_key=True).get_or_create(pk=1)
    if pace.is_on == on:
        return False
    pace.is_on = on
    pace.version += 1
    pace.save(update_fields=["is_on", "version"])
    audit.record("agreement.asking_started" if on else "agreement.asking_stopped", by=by, target=pace, at=at)
    return True


def ask_some(*, at: datetime) -> int:
    """Ask as many clients as today still has room for, each by themselves. Returns how many were asked."""
    pace = SigningPace.objects.filter(pk=1, is_on=True)
    if (now := pace.first()) is None:
        return 0
    practice = Practice.get()
    midnight = coverage.local(at, practice).replace(hour=0, minute=0, second=0, microsecond=0)
    asked = SigningRequest.objects.filter(asked_at__gte=midnight).exclude(invitation=None)
    waiting = waiting_at(at) if _has_room(now, asked) else {}
    told = 0
    for client in in_turn(waiting, at, practice):
        with transaction.atomic():
            Client.objects.hold(client.pk)
            if not _has_room(pace.select_for_update(no_key=True).first(), asked):  # another runner, or somebody's stop
                break
            told += _ask(client, waiting[client.pk], at)
    return told


def _has_room(pace: SigningPace | None, asked: QuerySet[SigningRequest]) -> bool:
    return pace is not None and asked.values("client").distinct().count() < pace.per_day


def waiting_at(at: datetime) -> dict[UUID, list[str]]:
    """The documents each client is due for and was not asked for since, by client, in the order of the texts."""
    asked: dict[tuple[UUID, str], datetime] = {}
    for client, document, when in (
        SigningRequest.objects.filter(again_at=None).order_by("asked_at").values_list("client", "document", "asked_at")
    ):
        asked[client, document] = when
    found: dict[UUID, list[str]] = {}
    for each in due(at):
        before = asked.get((each.client_id, each.document))
        if before is None or before < each.since:
            found.setdefault(each.client_id, []).append(each.document)
    order = editions.documents()
    return {client: sorted(documents, key=order.index) for client, documents in found.items()}


def in_turn(waiting: Iterable[UUID], at: datetime, practice: Practice) -> list[Client]:
    """Those of them who may be asked at this moment: who comes soonest first, then whose signature is oldest."""
    ids = list(waiting)
    flagged = set(Alert.objects.open().filter(client__in=ids).values_list("client", flat=True))
    live = Invitation.objects.filter(client__in=ids, state__in=actions.OPEN, expires_at__gt=at)
    busy = set(live.filter(packet__in=(SIGNING, "intake")).values_list("client", flat=True))
    place = {pk: number for number, pk in enumerate(ids)}
    rows = list(Client.objects.filter(pk__in=ids, status=Client.Status.ACTIVE).exclude(pk__in=flagged | busy))
    days: dict[date, list[UUID]] = {}
    for row in rows:
        days.setdefault(at.astimezone(ZoneInfo(row.zone or practice.zone)).date(), []).append(row.pk)
    dosed = {pk for day, whose in days.items() for knows in DOSED_ON for pk in knows(whose, day)}
    free = [row for row in rows if row.pk not in dosed and notices.daytime(at, row, practice) == at]
    return sorted(free, key=lambda row: (row.next_session_at is None, row.next_session_at or at, place[row.pk]))


def _ask(client: Client, wanted: list[str], at: datetime) -> int:
    """Send one client what they are due for. Returns 1, or 0 when no message went out."""
    if not actions.private_ways(client):
        for row in _note(client, wanted, None, at):
            SigningRequest.objects.filter(pk=row.pk).settle(Outcome.NOT_REACHED, at)
            Task.open(client, "todo", at=at, subject_id=row.pk, reason="signing_not_reached")
        return 0
    only = [f"agreement--{key.replace('_', '-')}" for key in wanted]
    try:
        invitation = actions.invite(by=None, client=client, key=SIGNING, at=at, only=only, template="agreement")
    except NotNow:
        return 0  # in between they left, or somebody sent it by hand
    _note(client, wanted, invitation, at)
    return 1


def _note(client: Client, wanted: list[str], invitation: Invitation | None, at: datetime) -> list[SigningRequest]:
    standing = editions.standing()
    rows = []
    for document in wanted:
        row = SigningRequest(
            client=client, document=document, version=standing[document].running, asked_at=at, invitation=invitation
        )
        row.save(force_insert=True)
        audit.record("agreement.asked", by=None, client=client, target=row, at=at, document=document)
        rows.append(row)
    return rows


# --- What came of it -------------------------------------------------------------------------------------------------


def on_submitted(sender: type[Intake], *, intake: Intake, at: datetime, **_more: Any) -> None:
    """The client sent the agreements back: what they did not sign, they declined, and their therapist is told."""
    rows = SigningRequest.objects.open().filter(invitation=intake.invitation_id)
    for row in rows.select_related("client"):
        SigningRequest.objects.filter(pk=row.pk).settle(Outcome.DECLINED, at)
        Task.open(row.client, "todo", at=at, subject_id=row.pk, reason="signing_declined")
        audit.record("agreement.declined", by=row.client, client=row.client, target=row, at=at, document=row.document)


def watch(*, at: datetime) -> int:
    """Note whom the invitation did not reach: its link ended, or somebody took it back. Returns how many."""
    over = Q(invitation__expires_at__lte=at) | Q(invitation__state=Invitation.State.WITHDRAWN)
    told = 0
    for pk, client in list(SigningRequest.objects.open().filter(over).values_list("pk", "client")):
        with transaction.atomic():
            Client.objects.hold(client)
            if not SigningRequest.objects.filter(pk=pk).settle(Outcome.NOT_REACHED, at):
                continue
            row = SigningRequest.objects.select_related("client").get(pk=pk)
            if row.client.status not in Client.LEFT:
                Task.open(row.client, "todo", at=at, subject_id=row.pk, reason="signing_not_reached")
            audit.record("agreement.not_reached", by=None, client=row.client, target=row, at=at, document=row.document)
            told += 1
    return told


@transaction.atomic
def ask_again(*, by: User, request: SigningRequest, at: datetime) -> bool:
    """Put a client who declined, or was not reached, back among those to be asked. False: somebody did already."""
    Client.objects.hold(request.client_id)
    if not request.put_back(by, at):
        return False
    Task.finish(request.client, "todo", at=at, by=by, subject_id=request.pk)
    audit.record("agreement.ask_again", by=by, client=request.client, target=request, at=at, document=request.document)
    return True


def progress(user: User, outcome: str = "") -> QuerySet[SigningRequest]:
    """Who was asked and what came of it, the newest first, of clients this person may see."""
    from practice.access import Permission

    rows = SigningRequest.objects.visible_to(user, Permission.SEE_CLIENT).select_related("client", "again_by")
    if outcome in Outcome.values:
        rows = rows.filter(outcome=outcome)
    return rows.annotate(may_again=Q(outcome__in=AGAIN, again_at=None)).order_by(F("asked_at").desc(), "pk")
