"""manage.py import_clients FILE.csv --therapist E-MAIL --site NAME: the page Import clients, from the command line."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from practice import csv_in, importing, taking_in, uploads
from practice.access import Role
from practice.importing import DATES, FIELDS, WHY, Fate
from practice.models import ClientImport, Site, User


class Command(BaseCommand):
    help = (
        "Take clients over from a CSV file. Rows that are like somebody here are left alone. Nobody gets a message. "
        "The same file twice doubles nobody."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--therapist", required=True, help="e-mail of the therapist where the file names none")
        parser.add_argument("--site", required=True, help="name of the site")
        parser.add_argument(
            "--columns", default="", help=f"what=column, with commas between; what is one of {', '.join(FIELDS)}"
        )
        parser.add_argument("--dates", choices=list(DATES), default="")
        parser.add_argument("--encoding", choices=csv_in.ENCODINGS, default="")
        parser.add_argument("--dry-run", action="store_true", help="say what would become of each row; take nobody in")

    def handle(self, file: Path, therapist: str, site: str, encoding: str, **options: Any) -> None:
        who = User.objects.with_role(Role.THERAPIST).filter(email__iexact=therapist).first()
        where = Site.objects.filter(name=site).first()
        if who is None or where is None:
            raise CommandError(f"There is no {'therapist with this e-mail' if who is None else 'site of this name'}.")
        if not who.sites.filter(pk=where.pk).exists():
            raise CommandError(f"{who.name} does not work at {where.name}.")
        at = timezone.now()
        try:
            if file.stat().st_size > uploads.LARGEST:
                raise CommandError(f"The file is larger than {uploads.LARGEST // 1024 // 1024} MB. Split it.")
            row = taking_in.keep(by=None, body=file.read_bytes(), encoding=encoding, at=at)
        except OSError as trouble:
            raise CommandError(f"The file cannot be read: {trouble.strerror}.") from trouble
        except csv_in.NotATable as sentence:
            raise CommandError(str(sentence)) from sentence
        try:
            columns = _columns(taking_in.table_of(row).header, options["columns"]) or row.columns
            if not {"name_used", "legal_name", "first", "last"} & set(columns):
                raise CommandError("No column of the file is a name. Say which: --columns name_used=COLUMN.")
            taking_in.settle(row, columns, options["dates"] or row.dates, who, where)
            self._say(row, at, dry=options["dry_run"])
        finally:
            row.refresh_from_db()
            if row.state == ClientImport.State.WAITING:
                taking_in.discard(by=None, row=row, at=at)

    def _say(self, row: ClientImport, at: Any, *, dry: bool) -> None:
        if dry:
            planned = taking_in.preview(row, at)
            left = [(one.number, one.fate, one.why) for one in planned if one.fate != Fate.NEW]
            self.stdout.write(f"Nobody is taken in: this is what would become of {len(planned)} rows.")
        else:
            taking_in.start(by=None, row=row, at=at)
            while row.state == ClientImport.State.TAKING:
                taking_in.take_next(row.pk, at=at)
                row.refresh_from_db()
            left = row.outcomes
            self.stdout.write(f"{row.taken_to} rows:")
        self.stdout.write(f"  {row.rows - len(left)} {Fate.NEW.label.lower()}")
        for number, fate, why in left:
            self.stdout.write(f"  row {number}: {Fate(fate).label}. {WHY[why]}")


def _columns(header: tuple[str, ...], said: str) -> dict[str, int]:
    """{what: place} of "email=Mail,phone=Cell"; {} when nothing was said. Raises CommandError."""
    places = {csv_in.column_key(name) or name: n for n, name in enumerate(header)}
    found: dict[str, int] = {}
    for pair in filter(None, said.split(",")):
        what, _equals, name = (part.strip() for part in pair.partition("="))
        place = places.get(csv_in.column_key(name) or name)
        if what not in importing.FIELDS or place is None:
            raise CommandError(f"'{pair}' is not one of ours and a column of the file.")
        found[what] = place
    return found
