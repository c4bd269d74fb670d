"""The instruments of this practice: those that ship, and those it brought with permission of whoever holds the rights.

A brought one is what practice.clinical.brought knows of it, joined to the practice's own wording in a frozen version
(InstrumentVersion). `find` is how practice.clinical.instrument.load comes to it; `catalogue` is what may be asked now.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Max
from django.utils.translation import gettext

from practice import audit, coverage
from practice.actions import NotNow
from practice.clinical import brought
from practice.clinical.instrument import Instrument, all_instruments, build, load
from practice.models import InstrumentDraft, InstrumentPermission, InstrumentVersion, Practice, User

_built: dict[tuple[str, str], Instrument] = {}


# --- What there is ---------------------------------------------------------------------------------------------------


def find(key: str, version: str | None) -> Instrument | None:
    """Return a published version of a brought instrument, the newest when none is named; None when there is none.

    A version never changes, so each is read once.
    """
    if key not in brought.known():
        return None
    if version is None:
        newest = InstrumentVersion.objects.filter(instrument=key).aggregate(newest=Max("number"))["newest"]
        version = "" if newest is None else str(newest)
    if (key, version) not in _built:
        row = InstrumentVersion.objects.filter(instrument=key, number=version).first() if version.isdecimal() else None
        if row is None:
            return None
        _built[key, version] = build(row.definition)
    return _built[key, version]


def forget() -> None:
    """Read versions anew: the database was put back to another time."""
    _built.clear()


def catalogue(at: datetime) -> tuple[Instrument, ...]:
    """Every instrument that may be asked now, in its newest version: those that ship, then those with a permission."""
    return (*all_instruments(), *in_use(at))


def in_use(at: datetime) -> tuple[Instrument, ...]:
    """The brought instruments that are published and whose permission holds."""
    held = InstrumentPermission.objects.at(at, _day(at)).values("instrument")
    newest = InstrumentVersion.objects.filter(instrument__in=held).values("instrument").annotate(newest=Max("number"))
    return tuple(load(row["instrument"], str(row["newest"])) for row in newest.order_by("instrument"))


def closed(keys: Iterable[str], at: datetime) -> frozenset[str]:
    """Those of these instruments that might not be asked then: brought, and without a permission that held."""
    asked = frozenset(keys).intersection(brought.known())
    if not asked:
        return asked
    held = InstrumentPermission.objects.at(at, _day(at)).filter(instrument__in=asked)
    return asked.difference(held.values_list("instrument", flat=True))


def _day(at: datetime) -> date:
    return coverage.local(at, Practice.get()).date()


# --- What an admin does ----------------------------------------------------------------------------------------------


def standing(key: str) -> InstrumentPermission | None:
    found: InstrumentPermission | None = InstrumentPermission.objects.standing().filter(instrument=key).first()
    return found


@transaction.atomic
def save_wording(
    *, by: User, key: str, language: str, wording: Mapping[str, Any], version: int, at: datetime
) -> InstrumentDraft | None:
    """Keep what was typed, whole or not. Returns None when somebody else saved since `version` (0: there was none)."""
    row = InstrumentDraft.objects.select_for_update(no_key=True).filter(instrument=key).first()
    if (row.version if row else 0) != version:
        return None
    try:
        with transaction.atomic():
            row = row or InstrumentDraft.objects.create(instrument=key, saved_at=at, saved_by=by, version=0)
    except IntegrityError:  # two first words at once
        return None
    row.wordings = {**row.wordings, language: dict(wording)}
    row.saved_at, row.saved_by, row.version = at, by, version + 1
    row.save()
    audit.record("instrument.worded", by=by, target=row, at=at, instrument=key, language=language)
    return row


@transaction.atomic
def state_permission(
    *,
    by: User,
    key: str,
    holder: str,
    reference: str,
    granted_on: date,
    expires_on: date | None,
    languages: Iterable[str],
    file: bytes,
    replaces: str,
    at: datetime,
) -> InstrumentPermission:
    """Write down a permission. It takes the place of the one that stands, whose id the writer saw (`replaces`)."""
    before = InstrumentPermission.objects.select_for_update(no_key=True).standing().filter(instrument=key).first()
    if (str(before.pk) if before else "") != replaces:
        raise NotNow(gettext("Somebody wrote down another permission meanwhile. Look at it first."))
    if before is not None:
        before.ended_at, before.ended_by = at, by
        before.ended_words = gettext("Another permission took its place.")
        before.save()
        file = file or bytes(before.file)
    row = InstrumentPermission(
        instrument=key,
        holder=holder,
        granted_on=granted_on,
        expires_on=expires_on,
        languages=sorted(languages),
        file_sha256=hashlib.sha256(file).hexdigest() if file else "",
        stated_at=at,
        stated_by=by,
    )
    row.reference, row.file = reference, file
    try:
        with transaction.atomic():
            row.save(force_insert=True)
    except IntegrityError:
        raise NotNow(gettext("Somebody wrote down another permission meanwhile. Look at it first.")) from None
    audit.record("instrument.permission", by=by, target=row, at=at, instrument=key, file=bool(file))
    _sign_anew(at)
    return row


@transaction.atomic
def end_permission(*, by: User, key: str, words: str, at: datetime) -> None:
    """The permission was taken back: from now on nobody is asked. What was answered stays."""
    row = InstrumentPermission.objects.select_for_update(no_key=True).standing().filter(instrument=key).first()
    if row is None:
        raise NotNow(gettext("No permission stands here any more."))
    row.ended_at, row.ended_by, row.ended_words = at, by, words
    row.save()
    audit.record("instrument.permission_ended", by=by, target=row, at=at, instrument=key)
    _sign_anew(at)


@transaction.atomic
def publish(*, by: User, key: str, reason: str, draft: int, at: datetime) -> InstrumentVersion:
    """Freeze the draft as the next version. `draft` is the version of the draft that was read."""
    row = InstrumentDraft.objects.select_for_update(no_key=True).filter(instrument=key).first()
    if row is None or row.version != draft:
        raise NotNow(gettext("Somebody changed the wording meanwhile. Read it again before you publish it."))
    permission = standing(key)
    if permission is None or permission.has_run_out(_day(at)):
        raise NotNow(gettext("Write down the permission first: none stands, or it has run out."))
    wordings = {code: words for code, words in row.wordings.items() if code == brought.ENGLISH or any(words.values())}
    if not wordings.get(brought.ENGLISH) or any(brought.wanting(key, words) for words in wordings.values()):
        raise NotNow(gettext("The wording is not complete yet."))
    if set(wordings) - {brought.ENGLISH, *permission.languages}:
        raise NotNow(gettext("The permission does not say that it covers the translation. Change it, or empty that."))
    before = InstrumentVersion.objects.filter(instrument=key).first()
    if before is not None and before.wordings == wordings:
        raise NotNow(gettext("This wording is published already."))
    number = before.number + 1 if before else 1
    definition = brought.define(key, str(number), wordings)
    found = InstrumentVersion(
        instrument=key,
        number=number,
        wordings=wordings,
        definition=definition,
        sha256=digest(definition),
        permission=permission,
        published_at=at,
        published_by=by,
    )
    found.reason = reason
    found.save(force_insert=True)
    audit.record("instrument.published", by=by, target=found, at=at, instrument=key, version=number)
    _sign_anew(at)
    return found


def digest(definition: Mapping[str, Any]) -> str:
    said = json.dumps(definition, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(said.encode()).hexdigest()


def _sign_anew(at: datetime) -> None:
    """What the clinical lead signs is another thing now (signing.versions)."""
    held = InstrumentPermission.objects.at(at, _day(at)).values("instrument")
    rows = InstrumentVersion.objects.filter(instrument__in=held).order_by("instrument", "number")
    newest = {row["instrument"]: row["sha256"] for row in rows.values("instrument", "sha256")}
    said = json.dumps(newest, sort_keys=True) if newest else ""
    Practice.objects.filter(pk=1).update(brought=hashlib.sha256(said.encode()).hexdigest()[:12] if said else "")
