"""The next version of a packet: begun as a copy, edited by admins, published once, frozen for ever."""

from collections.abc import Mapping
from datetime import datetime
from secrets import token_hex
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Count
from django.utils.translation import gettext

from intake import differences, drafting, fixed, packet
from intake.drafting import Data
from intake.models import Invitation, PacketDraft, PacketVersion
from intake.models.own_packets import digest_of
from practice import audit
from practice.actions import NotNow
from practice.models import User


@transaction.atomic
def begin(*, by: User, key: str, at: datetime, from_waymark: bool = False) -> PacketDraft:
    """Copy the version in use, or Waymark's own, into a draft; the draft that is there already is given back."""
    found = PacketDraft.objects.filter(key=key).first()
    if found is not None:
        return found
    base = packet.newest_file(key) if from_waymark else packet.load(key).version
    rows = drafting.opened(packet.rows_of(key, base))
    return _begun(by=by, key=key, base=base, rows=rows, at=at)


@transaction.atomic
def begin_new(*, by: User, title: str, at: datetime) -> PacketDraft:
    """A packet of the practice's own, still empty."""
    key = fixed.OWN + token_hex(4)
    rows: Data = {"key": key, "version": "", "language": "en", "title": title, "sections": []}
    return _begun(by=by, key=key, base="", rows=rows, at=at)


def _begun(*, by: User, key: str, base: str, rows: Data, at: datetime) -> PacketDraft:
    draft = PacketDraft(key=key, base=base, rows=rows, begun_by=by, begun_at=at, changed_by=by, changed_at=at)
    try:
        with transaction.atomic():
            draft.save(force_insert=True)
    except IntegrityError:  # somebody was a moment faster
        return PacketDraft.objects.get(key=key)
    audit.record("packet.draft_begun", by=by, target=draft, at=at, packet=key)
    return draft


def _locked(key: str, seen: int) -> PacketDraft:
    """The draft, when it is as the person saw it."""
    draft = (
        PacketDraft.objects.select_for_update(of=("self",), no_key=True)
        .select_related("changed_by")
        .filter(key=key)
        .first()
    )
    if draft is None:
        last = PacketVersion.objects.filter(key=key).select_related("published_by").first()
        if last is None:
            raise NotNow(gettext("This draft is gone: somebody threw it away."))
        raise NotNow(
            gettext("This draft is gone. The newest version is {version}, published by {who}.").format(
                version=last.version, who=last.published_by
            )
        )
    if draft.version != seen:
        raise NotNow(
            gettext("{who} changed this draft meanwhile. Look at it as it is now, then do it again.").format(
                who=draft.changed_by
            )
        )
    return draft


@transaction.atomic
def change(*, by: User, key: str, seen: int, act: Any, at: datetime) -> PacketDraft:
    """Apply `act` (rows in, rows out) to the draft that the person saw. Raises NotNow when it may not be."""
    draft = _locked(key, seen)
    draft.change(act(draft.rows), by=by, at=at)
    audit.record("packet.draft_changed", by=by, target=draft, at=at, packet=key)
    return draft


@transaction.atomic
def discard(*, by: User, key: str, seen: int, at: datetime) -> None:
    draft = _locked(key, seen)
    audit.record("packet.draft_discarded", by=by, target=draft, at=at, packet=key)
    draft.delete()


def running_rows(key: str) -> Data | None:
    """The rows of the version in use; None for a packet that was never published."""
    version = PacketVersion.objects.in_use(key) or (packet.newest_file(key) if fixed.is_waymarks(key) else None)
    return packet.rows_of(key, version) if version else None


def changes(draft: PacketDraft) -> list[str]:
    """What publishing this draft would change, in words."""
    return differences.changes(running_rows(draft.key), draft.rows)


@transaction.atomic
def publish(*, by: User, key: str, seen: int, reason: str, at: datetime) -> PacketVersion:
    """Make the draft the version in use. What was sent keeps the version it was sent with."""
    draft = _locked(key, seen)
    if not reason.strip():
        raise NotNow(gettext("Write why this changes."))
    wrong = drafting.problems(draft.rows) + drafting.missing(draft.rows)
    if wrong:
        raise NotNow(wrong[0])
    said = changes(draft)
    if not said:
        raise NotNow(gettext("Nothing differs from the version in use."))
    last = PacketVersion.objects.filter(key=key).first()
    number = last.number + 1 if last else 1
    version = f"{packet.newest_file(key)}.{number}" if fixed.is_waymarks(key) else str(number)
    rows = _tidy(draft.rows) | {"version": version, "number": number}
    packet.built(rows)
    row = PacketVersion(
        key=key,
        version=version,
        number=number,
        base=draft.base,
        rows=rows,
        sha256=digest_of(rows),
        changes=said,
        published_by=by,
        published_at=at,
    )
    row.reason = reason.strip()
    row.save(force_insert=True)
    draft.delete()
    audit.record("packet.published", by=by, target=row, at=at, packet=key, version=version, sha256=row.sha256)
    return row


def _tidy(rows: Mapping[str, Any]) -> Data:
    """Without sections that stayed empty, and without translations of words that are gone."""
    found = dict(rows) | {"sections": [each for each in rows["sections"] if each["pages"]]}
    used = {found["title"]}
    for section in found["sections"]:
        used |= {section["title"], section["why"]}
        for row in section["pages"]:
            used |= {row.get("text", ""), row.get("hint", ""), row.get("none", "")}
            used |= {each["label"] for each in row.get("options", ())}
    told = {language: {w: s for w, s in words.items() if w in used} for language, words in rows.get("said", {}).items()}
    return found | {"said": told}


def sent(key: str) -> dict[str, int]:
    """By version of this packet, how many invitations were sent with it."""
    rows = Invitation.objects.filter(packet=key).values("packet_version").annotate(n=Count("pk")).order_by()
    return {row["packet_version"]: row["n"] for row in rows}


def sent_of_all() -> dict[str, int]:
    """By packet, how many invitations were ever sent."""
    return dict(Invitation.objects.values_list("packet").annotate(n=Count("pk")).order_by())
