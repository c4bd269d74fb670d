"""manage.py add_site NAME: another place where the practice works."""

from argparse import ArgumentParser
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.core.management.base import BaseCommand, CommandError

from practice import staff
from practice.actions import NotNow
from practice.models import Practice


class Command(BaseCommand):
    help = "Add a site. People are given their sites under Practice, People."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name")
        parser.add_argument(
            "--zone", default="", help="time zone, such as America/Denver; the practice's when left out"
        )
        parser.add_argument("--address", default="")
        parser.add_argument("--phone", default="")

    def handle(self, name: str, zone: str, address: str, phone: str, **options: Any) -> None:
        zone = zone or Practice.get().zone
        try:
            ZoneInfo(zone)
        except (ZoneInfoNotFoundError, ValueError) as trouble:
            raise CommandError(f"'{zone}' is not a time zone. One looks like America/Denver.") from trouble
        try:
            staff.keep_site(by=None, site=None, name=name, zone=zone, address=address, phone=phone)
        except NotNow as refusal:
            raise CommandError(str(refusal)) from refusal
        self.stdout.write(f"Added {name}.")
