"""manage.py export_practice --to FOLDER: everything the practice keeps, as open files.

What `manage.py import_practice` takes in elsewhere.
"""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from practice import audit, bundle, record
from practice.bundle import MANIFEST, Entry, Place


class Command(BaseCommand):
    help = "Write everything the practice keeps into an empty folder: JSON, CSV, PDFs, letters and a manifest."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--to", required=True, type=Path, metavar="FOLDER", help="an empty or new folder")
        parser.add_argument(
            "--psychotherapy-notes",
            action="store_true",
            help="with the psychotherapy notes, which are their writer's alone: only to move to another Waymark",
        )

    def handle(self, to: Path, psychotherapy_notes: bool = False, **options: Any) -> None:
        try:
            to.mkdir(mode=0o700, parents=True, exist_ok=True)
            if any(to.iterdir()):
                raise CommandError(f"{to} is not empty. Nothing was written.")
        except (NotADirectoryError, FileExistsError, PermissionError) as trouble:
            raise CommandError(f"{to} is no folder that can be written to. Nothing was written.") from trouble
        begun, entries = timezone.now(), list[Entry]()
        kinds = record.kinds(of_client=False, private=psychotherapy_notes)

        def put(path: str, body: bytes, rows: int | None) -> None:
            file = to / path
            file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            file.touch(mode=0o600)
            file.write_bytes(body)
            entries.append(Entry.of(path, body, rows))

        for kind in kinds:
            place: Place | None = Place()
            while place is not None:
                place = bundle.write_part(kind, None, place, put)
        bundle.write_explanations(kinds, None, put)
        ended = timezone.now()
        put(MANIFEST, bundle.manifest(kinds, None, entries, begun=begun, ended=ended), None)
        audit.record(
            "export.written", by=None, at=ended, files=len(entries), sha256=entries[-1].sha256,
            psychotherapy_notes=psychotherapy_notes,
        )  # fmt: skip
        rows = sum(entry.rows or 0 for entry in entries)
        self.stdout.write(
            f"{rows} rows and {len(entries)} files. They are not encrypted: keep them where you keep charts."
        )
