"""manage.py keys create | check | rotate: the key ring."""

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import models, transaction
from django.utils import timezone

from practice import audit, keys
from practice.models import Practice
from practice.privacy import our_models, sealed_fields
from practice.sealed import Sealed, Tampered, key_number

CANARY = "the key ring of this practice"
BATCH = 200


class Command(BaseCommand):
    help = "Create the key ring, check that it opens what is stored, or move everything to a new sealing key."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("act", choices=["create", "check", "rotate"])

    def handle(self, act: str, **options: Any) -> None:
        try:
            getattr(self, f"ring_{act}")()
        except (keys.KeyTrouble, Tampered) as trouble:
            raise CommandError(str(trouble)) from trouble

    def ring_create(self) -> None:
        """Make the keys that are missing. A new `seal` key is never made while sealed data is present without one."""
        ring, path = settings.KEY_RING, settings.KEYS_PATH
        missing = [purpose for purpose in keys.PURPOSES if purpose not in ring.keys]
        if not missing:
            self.stdout.write("The key ring is complete.")
            return
        for purpose in missing:
            ring = ring.with_new(purpose)
        keys.write(ring, path)
        settings.KEY_RING = ring
        self.stdout.write(
            f"Wrote new keys ({', '.join(missing)}). Keep a copy of this file somewhere safe and apart from backups: "
            "without it nobody can read the clients' records."
        )

    def ring_check(self) -> None:
        """Refuse to go on with a wrong or missing key. Changes nothing but to plant the canary on first use."""
        for purpose in keys.PURPOSES:
            settings.KEY_RING.current(purpose)
        with transaction.atomic():
            practice = Practice.get()
            stored = practice.__dict__["key_canary"]
            if stored is None:
                practice.key_canary = CANARY
                practice.save(update_fields=["key_canary"])
            elif practice.key_canary != CANARY:
                raise keys.KeyTrouble("The key ring is not the one this data was written with. Nothing was changed.")
        self.stdout.write("The key ring opens this practice's data.")

    def ring_rotate(self) -> None:
        """Seal everything with a new key, row by row. Stop it at any time and run it again: it goes on where it was."""
        self.ring_check()
        ring = settings.KEY_RING
        if not self.behind():
            ring = ring.with_new("seal")
            keys.write(ring, settings.KEYS_PATH)
            settings.KEY_RING = ring
        number, _ = ring.current("seal")
        moved = sum(self.move(model) for model in our_models() if sealed_fields(model)) + self.move_second_factors()
        audit.record("keys.rotated", by=None, at=timezone.now(), rows=moved, key=number)
        self.stdout.write(
            f"{moved} rows now open with key {number}. Older keys may leave the ring once backups age out."
        )

    def behind(self) -> bool:
        """Whether an earlier rotation did not finish."""
        number, _ = settings.KEY_RING.current("seal")
        return any(
            key_number(bytes(blob)) != number
            for model in our_models()
            for field in sealed_fields(model)
            for blob in _blobs(model, field.attname)
        )

    def move(self, model: type[models.Model]) -> int:
        number, _ = settings.KEY_RING.current("seal")
        fields = sealed_fields(model)
        moved, last = 0, None
        while True:
            page = model._base_manager.order_by("pk")
            if last is not None:
                page = page.filter(pk__gt=last)
            ids = list(page.values_list("pk", flat=True)[:BATCH])
            if not ids:
                return moved
            last = ids[-1]
            for pk in ids:
                with transaction.atomic():
                    row = model._base_manager.select_for_update(no_key=True).filter(pk=pk).first()
                    stale = [f.attname for f in fields if row and _stale(row.__dict__[f.attname], number)]
                    if row is None or not stale:
                        continue
                    for name in stale:
                        setattr(row, name, getattr(row, name))
                    model._base_manager.filter(pk=pk).update(
                        **{f.attname: f.pre_save(row, False) for f in fields if f.attname in stale}
                    )
                    moved += 1

    def move_second_factors(self) -> int:
        from allauth.mfa.models import Authenticator

        from practice.adapters import MFAAdapter

        adapter, moved = MFAAdapter(), 0
        for row in Authenticator.objects.all():
            sealed = {k: v for k, v in row.data.items() if k in ("secret", "seed") and isinstance(v, str)}
            row.data |= {k: adapter.encrypt(adapter.decrypt(v)) for k, v in sealed.items()}
            row.save(update_fields=["data"])
            moved += bool(sealed)
        return moved


def _stale(value: Any, number: int) -> bool:
    return isinstance(value, Sealed) and key_number(value.blob) != number


def _blobs(model: type[models.Model], name: str) -> Any:
    found = model._base_manager.exclude(**{f"{name}__isnull": True}).values_list(name, flat=True)
    return (value.blob if isinstance(value, Sealed) else value for value in found.iterator(chunk_size=500))
