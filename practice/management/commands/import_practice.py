"""manage.py import_practice FOLDER_OR_ZIP: everything that export_practice wrote, into a new installation."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from practice import moving_in
from practice.adapters import password_link
from practice.keys import KeyTrouble
from practice.unpacking import BundleTrouble, opened


class Command(BaseCommand):
    help = (
        "Take a whole practice in from its export, into an installation that is still empty. The list of files, their "
        "digests and the rows are compared first; then all of it comes in, or nothing. Nobody gets a message."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("place", type=Path, metavar="FOLDER_OR_ZIP", help="what export_practice or the page made")
        parser.add_argument("--dry-run", action="store_true", help="try everything, and keep nothing")

    def handle(self, place: Path, dry_run: bool, **options: Any) -> None:
        try:
            with opened(place) as bundle:
                say = self.stdout.write if options["verbosity"] > 1 else lambda _line: None
                taken = moving_in.take_in(bundle, at=timezone.now(), dry_run=dry_run, say=say)
        except (BundleTrouble, KeyTrouble) as trouble:
            raise CommandError(str(trouble)) from trouble
        self._say(taken, dry=dry_run)

    def _say(self, taken: moving_in.Taken, *, dry: bool) -> None:
        what = f"{taken.rows} rows and {taken.files} stored files"
        if dry:
            self.stdout.write(f"All of it fits: {what}. This was a trial, nothing was kept.")
        else:
            self.stdout.write(f"Took in {what}, as the manifest says. Nobody was sent anything.")
        if taken.erased_again:
            self.stdout.write(f"{taken.erased_again} records were deleted here before and were deleted again.")
        if taken.notes_left:
            self.stdout.write(
                f"{taken.notes_left} psychotherapy notes are NOT in this export. Only export_practice "
                "--psychotherapy-notes, on the old server, writes them."
            )
        self.stdout.write(
            "Not in any export: passwords, second factors, links of clients and clinics, calendars, the audit trail, "
            "and what somebody was typing. A backup carries the trail; links are made anew by sending again."
        )
        if taken.open_alerts:
            self.stdout.write(
                f"{taken.open_alerts} safety alerts are open. Their clocks go on as soon as the server runs."
            )
        if dry:
            return
        for person in taken.admins:
            self.stdout.write(f"{person.name} can set a password within 72 hours at\n{password_link(person)}")
        if taken.admins:
            self.stdout.write("They invite everyone else again under Practice, People.")
        else:
            self.stdout.write("Nobody in it is an admin: make one with manage.py first_admin.")
