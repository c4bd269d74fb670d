"""Write the compiled twin (.mo) of every catalogue of translations (.po) in locale/."""

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from practice import catalogue


class Command(BaseCommand):
    help = "Write the compiled translations after a change to locale/*/LC_MESSAGES/django.po."
    requires_system_checks = ()  # it reads a file and writes a file

    def handle(self, *args: Any, **options: Any) -> None:
        for source in sorted(Path(settings.LOCALE_PATHS[0]).glob("*/LC_MESSAGES/*.po")):
            entries = catalogue.read(source.read_text(encoding="utf-8"))
            source.with_suffix(".mo").write_bytes(catalogue.compiled(entries))
            self.stdout.write(f"{source.parent.parent.name}: {len(entries) - 1}")
