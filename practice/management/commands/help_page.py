"""manage.py help_page [FILE]: the crisis page as a plain file, for the proxy to show when the app is down."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from practice.views.public import write_help_page


class Command(BaseCommand):
    help = "Write the help-now page to a file (HELP_PAGE) that needs neither the app nor the database."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", nargs="?", default=settings.HELP_PAGE)

    def handle(self, file: str, **options: Any) -> None:
        if not file:
            raise CommandError("Name a file, or set HELP_PAGE.")
        write_help_page(Path(file))
        self.stdout.write(f"Wrote {file}.")
