"""manage.py restore FILE --identity KEYFILE --to FOLDER_OR_DATABASE: a backup, somewhere else, proved to be whole."""

import time
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from practice import restoring
from practice.backups import BackupTrouble


class Command(BaseCommand):
    help = "Restore a backup into a new folder or an empty PostgreSQL database; never over anything that is there."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path, metavar="FILE")
        parser.add_argument("--identity", required=True, type=Path, metavar="KEYFILE", help="made by age-keygen")
        parser.add_argument(
            "--to", required=True, metavar="TO", help="a new folder, or postgres://user:password@host/name"
        )
        parser.add_argument("--files", type=Path, help="with a database: a new folder for the anchors and the journal")
        parser.add_argument("--erasures", type=Path, action="append", default=[], help="a newer journal of erasures")

    def handle(
        self, file: Path, identity: Path, to: str, files: Path | None, erasures: list[Path], **options: Any
    ) -> None:
        begun = time.monotonic()
        missing = [str(each) for each in erasures if not each.is_file()]
        if missing:
            raise CommandError(f"There is no file {missing[0]}. {restoring.UNTOUCHED}")
        folder = files or Path(to)
        try:
            with restoring.spare_folder(folder.parent) as work:
                said = restoring.restore(
                    backup=file, identity=identity, to=to, files=files, journals=erasures, work=work, at=timezone.now()
                )
        except BackupTrouble as trouble:
            raise CommandError(str(trouble)) from trouble
        self.stdout.write(
            f"Restored the backup of {said['made_at']} into {folder}: {sum(said['tables'].values())} rows in "
            f"{len(said['tables'])} tables, as its manifest says; the audit trail is whole "
            f"({said['audit']['seq']} rows). Erased again: {said['erased_again']}. "
            f"{(time.monotonic() - begun) / 60:.1f} minutes. Sessions and links of the old host are dead."
        )
