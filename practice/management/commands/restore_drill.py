"""manage.py restore_drill --identity KEYFILE: restore the newest backup for trial, and note how long it took."""

import time
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from django.utils import timezone

from practice import audit, backups, restoring
from practice.models import Backup


class Command(BaseCommand):
    help = "Restore the newest backup into a spare place, prove it, throw it away, and note how many minutes it took."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--identity", required=True, type=Path, metavar="KEYFILE", help="made by age-keygen")
        parser.add_argument("--from", dest="source", type=Path, metavar="FOLDER", help="default: BACKUP_TO")
        parser.add_argument("--to", default="", metavar="DATABASE", help="an empty PostgreSQL database; emptied again")

    def handle(self, identity: Path, source: Path | None, to: str, **options: Any) -> None:
        folder = source or (Path(settings.BACKUP_TO) if settings.BACKUP_TO else None)
        found = backups.found_in(folder) if folder else []
        if not found:
            raise CommandError("There is no backup to try. Say with --from where they are.")
        at, begun, newest = timezone.now(), time.monotonic(), found[-1]
        try:
            with restoring.spare_folder(settings.DATA_DIR) as work:
                said = restoring.rehearse(backup=newest, identity=identity, to=to, spare=work, at=at)
        except backups.BackupTrouble as trouble:
            self.note(newest.name, at, begun, rows=0, is_good=False)
            raise CommandError(str(trouble)) from trouble
        rows = sum(said["tables"].values())
        self.note(newest.name, at, begun, rows=rows, is_good=True)
        self.stdout.write(
            f"{newest.name} can be restored: {rows} rows, the audit trail is whole. "
            f"{(time.monotonic() - begun) / 60:.1f} minutes."
        )

    @transaction.atomic
    def note(self, name: str, at: Any, begun: float, *, rows: int, is_good: bool) -> None:
        tried = Backup.objects.create(
            kind=Backup.Kind.TRIED, at=at, name=name[:80], rows=rows, is_good=is_good,
            seconds=round(time.monotonic() - begun),
        )  # fmt: skip
        outcome = "ok" if is_good else "failed"
        audit.record("backup.tried", by=None, target=tried, at=at, outcome=outcome, rows=rows, seconds=tried.seconds)
