"""`manage.py migrate` as Django has it, and then what models cannot say: which rows the database refuses to change."""

from typing import Any

from django.core.management.commands import migrate
from django.db import connections

from practice import frozen_triggers


class Command(migrate.Command):
    def handle(self, *args: Any, **options: Any) -> None:
        super().handle(*args, **options)
        if not options["plan"]:
            frozen_triggers.install(connections[options["database"]])
