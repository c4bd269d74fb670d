"""manage.py seed_demo: load the demo practice into an empty database."""

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from practice.kap.demo import story
from practice.models import User


class Command(BaseCommand):
    help = "Load Cedar House, an invented practice (DEMO=1 on this machine only)."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--if-empty", action="store_true", help="Do nothing when there is anybody already.")

    def handle(self, *, if_empty: bool, **options: Any) -> None:
        if not (settings.DEMO and settings.LOOPBACK):
            raise CommandError("The demo practice loads with DEMO=1 and a loopback ORIGIN only.")
        if User.objects.exists():
            if if_empty:
                return
            raise CommandError("There are people in this database. The demo practice loads into an empty one only.")
        people = story.tell(timezone.now())
        self.stdout.write(f"Loaded Cedar House, an invented practice with {people} clients.")
