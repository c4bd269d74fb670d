"""record(): the only writer of the audit trail. Append-only, chained by HMAC, in the same transaction as the act."""

import hashlib
import hmac
import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import models, transaction
from django.utils import timezone

from practice.models.audit import AuditEvent, AuditHead

GENESIS = "0" * 64
ANCHORS = "audit-anchors.log"
_origin = threading.local()


def set_origin(address: str) -> None:
    """Remember for this thread where the request came from (set by middleware at each request)."""
    _origin.address = address


def _link(previous: str, event: AuditEvent) -> str:
    _, key = settings.KEY_RING.current("audit")
    said = json.dumps(
        [
            event.seq,
            event.at.astimezone(UTC).isoformat(timespec="microseconds"),
            event.action,
            event.actor_kind,
            str(event.actor_id or ""),
            str(event.client_id or ""),
            event.target,
            event.target_id,
            event.outcome,
            event.origin,
            event.facts,
        ],
        sort_keys=True,
        separators=(",", ":"),
    )
    return hmac.new(key, f"{previous}|{said}".encode(), hashlib.sha256).hexdigest()


def record(
    action: str,
    *,
    by: Any,
    client: Any = None,
    target: models.Model | None = None,
    outcome: str = "ok",
    at: datetime | None = None,
    **facts: Any,
) -> AuditEvent:
    """Write one event. `by` is a User, a Client (acting for themselves), a clinic's DeskKey, or None for the system.

    `facts` are names of fields, counts, ids and rule numbers; never an answer, a score's meaning, a name or an address.
    Raises when the event cannot be written, so that the act it belongs to fails too.
    """
    kind, actor = _actor(by)
    event = AuditEvent(
        at=at or timezone.now(),
        action=action,
        actor_kind=kind,
        actor_id=actor,
        client_id=getattr(client, "pk", client),
        target=target._meta.label_lower if target is not None else "",
        target_id=str(target.pk) if target is not None else "",
        outcome=outcome,
        origin=getattr(_origin, "address", ""),
        facts=json.loads(json.dumps(facts, default=str)),
    )
    _chain([event])
    return event


def record_each(action: str, *, by: Any, facts: Mapping[UUID, Mapping[str, Any]], at: datetime) -> None:
    """Write one event for each client (by id) with its facts, as `record` would, in a fixed number of queries."""
    kind, actor = _actor(by)
    origin = getattr(_origin, "address", "")
    _chain(
        [
            AuditEvent(
                at=at,
                action=action,
                actor_kind=kind,
                actor_id=actor,
                client_id=client,
                origin=origin,
                facts=json.loads(json.dumps(said, default=str)),
            )
            for client, said in facts.items()
        ]
    )


def _actor(by: Any) -> tuple[str, Any]:
    from practice.models import Client, User

    if isinstance(by, User):
        return "staff", by.pk
    if isinstance(by, Client):
        return "client", by.pk
    if by is None:
        return "system", None
    return getattr(by, "audit_kind", "nobody"), getattr(by, "pk", None)


def _chain(events: Sequence[AuditEvent]) -> None:
    """Give each event its number and its link, and write them."""
    with transaction.atomic(savepoint=False):  # an event that fails fails its act; nothing to go back to in between
        head, _ = AuditHead.objects.select_for_update(no_key=True).get_or_create(pk=1, defaults={"hash": GENESIS})
        seq, link = head.seq, head.hash
        for event in events:
            seq += 1
            event.seq, event.previous = seq, link
            event.hash = link = _link(link, event)
        AuditEvent.objects.bulk_create(events)
        AuditHead.objects.filter(pk=1).update(seq=seq, hash=link)


def seen(request: Any, client: Any, what: str, target: models.Model | None = None, **facts: Any) -> None:
    """Record that somebody looked at a client's information: once per page."""
    record(f"read.{what}", by=request.user, client=client, target=target, **facts)


def faults(anchors: Path | None = None) -> Iterator[str]:
    """Yield a sentence for each fault of the chain, the first bad row first. Nothing means the chain is whole."""
    previous, expected = GENESIS, 1
    anchored = dict(read_anchors(anchors or settings.DATA_DIR / ANCHORS))
    for event in AuditEvent.objects.order_by("seq").iterator(chunk_size=2000):
        if event.seq != expected:
            yield f"Row {expected} is missing (found row {event.seq})."
            return
        if event.previous != previous or event.hash != _link(previous, event):
            yield f"Row {event.seq} was changed, moved or put in later."
            return
        if anchored.pop(event.seq, event.hash) != event.hash:
            yield f"Row {event.seq} is not the one that was anchored outside the database."
            return
        previous = event.hash
        expected += 1
    head = AuditHead.objects.filter(pk=1).first()
    if head and (head.seq, head.hash or GENESIS) != (expected - 1, previous):
        yield f"Row {expected} is missing: the chain ends at row {expected - 1}, its head says {head.seq}."
        return
    for seq in sorted(anchored):
        yield f"Row {expected} is missing: row {seq} was anchored outside the database."
        return


def read_anchors(path: Path) -> Iterator[tuple[int, str]]:
    if path.exists():
        for line in path.read_text().splitlines():
            _, seq, digest = line.split(" ")
            yield int(seq), digest


def anchor(at: datetime) -> None:
    """Write the head of the chain to a file outside the database (hourly; copy the file off the machine)."""
    head = AuditHead.objects.filter(pk=1).first()
    if head and head.seq:
        settings.DATA_DIR.mkdir(parents=True, exist_ok=True)
        with (settings.DATA_DIR / ANCHORS).open("a") as out:
            out.write(f"{at.astimezone(UTC).isoformat(timespec='seconds')} {head.seq} {head.hash}\n")
