"""manage.py help_page FILE: the crisis page as a plain file, for the proxy to show when the app is down."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand

from practice.views.public import help_html


class Command(BaseCommand):
    help = "Write the help-now page to a file that needs neither the app nor the database."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path)

    def handle(self, file: Path, **options: Any) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        draft = file.with_name(file.name + ".new")
        draft.write_text(help_html(), encoding="utf-8")
        draft.replace(file)
        self.stdout.write(f"Wrote {file}.")
