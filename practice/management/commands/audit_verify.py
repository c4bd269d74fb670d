"""manage.py audit_verify: exit 1 and name the first bad row when the audit trail was touched."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from practice import audit
from practice.models import AuditEvent


class Command(BaseCommand):
    help = "Check the chain of the audit trail, its head, and the anchors kept outside the database."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--anchors", type=Path, help="anchor file to check against (default: the one in DATA_DIR)")

    def handle(self, anchors: Path | None, **options: Any) -> None:
        for fault in audit.faults(anchors):
            raise CommandError(fault)
        self.stdout.write(f"The audit trail is whole: {AuditEvent.objects.count()} rows.")
