"""Put clients who have something to do where the list of kinds places them now that it names newcomers."""

from importlib import import_module
from typing import Any

from django.db import migrations

before = import_module("practice.migrations.0007_places_again")
AFTER = before.KINDS.index("message") + 1
KINDS = (*before.KINDS[:AFTER], "assign", *before.KINDS[AFTER:])


def turn(task: Any) -> int:
    severity = task.facts.get("severity", "")
    place = 10 * KINDS.index(task.kind)
    place += before.SEVERITIES.index(severity) if severity in before.SEVERITIES else 0
    return int(before.GROUP * task.rank + place)


def place(apps: Any, schema_editor: Any) -> None:
    Client, Task = apps.get_model("practice", "Client"), apps.get_model("practice", "Task")
    turns: dict[Any, int] = {}
    for task in Task.objects.filter(done_at=None).only("client_id", "kind", "rank", "facts").iterator():
        turns[task.client_id] = min(turns.get(task.client_id, turn(task)), turn(task))
    for client_id, first in turns.items():
        Client.objects.filter(pk=client_id).update(turn=first)


class Migration(migrations.Migration):
    dependencies = [("practice", "0008_everyday_running")]  # noqa: RUF012
    operations = [migrations.RunPython(place, migrations.RunPython.noop)]  # noqa: RUF012
