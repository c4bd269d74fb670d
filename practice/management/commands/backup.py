"""manage.py backup --to FOLDER: everything, encrypted for a key that this server does not have."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from practice import backups


class Command(BaseCommand):
    help = "Write a backup of one moment into a folder, encrypted for BACKUP_RECIPIENTS. People go on working."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--to", required=True, type=Path, metavar="FOLDER", help="best on another machine")

    def handle(self, to: Path, **options: Any) -> None:
        at = timezone.now()
        try:
            made = backups.make(to=to, at=at)
        except backups.BackupTrouble as trouble:
            raise CommandError(str(trouble)) from trouble
        backups.drop_old(to, at)
        self.stdout.write(
            f"{made.name}: {made.rows} rows, {made.size / 2**20:.1f} MB, {made.seconds} s. The key ring is not in it: "
            "keep a copy of the ring elsewhere."
        )
