"""Writes to the directory of clinics."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import transaction

from practice import audit
from practice.models import User
from referrals.actions import desk, news
from referrals.models import DeskKey, Destination, Referral


@transaction.atomic
def add(*, by: User | None, at: datetime, **fields: Any) -> Destination:
    """Put a clinic into the directory."""
    clinic = Destination.objects.create(created_at=at, **fields)
    _main_address(clinic, at)
    audit.record("destination.added", by=by, target=clinic, at=at)
    return clinic


@transaction.atomic
def revise(*, by: User, clinic: Destination, fields: Mapping[str, Any], at: datetime) -> list[str]:
    """Save a clinic under a new version. Returns the names of what changed.

    A new address shuts out the old one: who still reads there no longer reads what was sent to the clinic. Whoever
    reads at the new one reads all that is open there, so each client's record says who opened it to them, and each
    therapist is told.
    """
    changed = sorted(name for name, value in fields.items() if getattr(clinic, name) != value)
    for name in changed:
        setattr(clinic, name, fields[name])
    if "email" in changed:
        clinic.mail_stopped_at = None
    if changed:
        clinic.version += 1
        clinic.save()
    if "email" in changed:
        _main_address(clinic, at)
        for referral in Referral.objects.open().filter(destination=clinic).select_related("client__therapist"):
            audit.record("referral.address_changed", by=by, client=referral.client_id, target=referral, at=at)
            news.tell_practice(referral, by=by)
    audit.record("destination.edited", by=by, target=clinic, at=at, fields=changed)
    return changed


def _main_address(clinic: Destination, at: datetime) -> None:
    """Make the clinic's own address the one that reads all of its referrals; an older one reads nothing more.

    Nor do colleagues whom nobody approved: they were let in because they wrote from the clinic's domain.
    """
    older = [key.pk for key in clinic.keys.all() if _is_out(key, clinic)]
    Referral.objects.filter(contact__in=older).update(contact=None)
    clinic.keys.filter(pk__in=older).update(is_main=False, approved_at=None, approved_by=None)
    desk.main_key(clinic, at)


def _is_out(key: DeskKey, clinic: Destination) -> bool:
    if key.is_main:
        return bool(key.email != clinic.email.lower())
    return key.approved_by_id is None and not key.email.endswith(f"@{clinic.mail_domain}")
