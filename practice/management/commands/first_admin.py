"""manage.py first_admin EMAIL NAME: the one account that nobody can invite. Refuses once there is an admin."""

from argparse import ArgumentParser
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.core.validators import validate_email
from django.db import transaction

from practice import staff
from practice.access import Role
from practice.adapters import password_link
from practice.models import Site, User


class Command(BaseCommand):
    help = "Invite the first admin of a new installation, and print the link that sets their password."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("email")
        parser.add_argument("name")
        parser.add_argument("--site", default="Main office", help="name of the first site, when there is none")

    @transaction.atomic
    def handle(self, email: str, name: str, site: str, **options: Any) -> None:
        try:
            validate_email(email)
        except ValidationError as trouble:
            raise CommandError(f"'{email}' is not an e-mail address.") from trouble
        if User.objects.with_role(Role.ADMIN).exists():
            raise CommandError("There is an admin already. They invite everyone else under Practice, People.")
        where = Site.objects.first() or Site.objects.create(name=site)
        person = staff.employ(by=None, name=name, email=email, roles=[Role.ADMIN], sites=[where])
        self.stdout.write(f"{name} can set a password within 72 hours at\n{password_link(person)}")
        self.stdout.write("After the first sign-in Waymark shows what is left to set up, in order.")
