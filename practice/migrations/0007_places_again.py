"""Put clients who have something to do where the longer list of kinds, and its wider groups, place them now."""

from typing import Any

from django.db import migrations

# As Task.turn counts: by group, by kind in this order, by severity. A copy, so that it stays what it was.
GROUP = 400
SEVERITIES = ("urgent", "priority", "routine")
KINDS = (
    "safety",
    "call_me",
    "next_check",
    "care_today",
    "care_check",
    "hand_off",
    "suggestion",
    "missed",
    "no_show",
    "declined",
    "clinic_asks",
    "client_says",
    "call_clinic",
    "case_question",
    "back_to_therapy",
    "adverse",
    "message",
    "integrate",
    "kap_integrate",
    "letter",
    "recheck",
    "plan_review",
    "record_copy",
    "release",
    "new_intake",
    "reconcile",
    "unfinished",
    "booster",
    "todo",
    "quiet",
)


def turn(task: Any) -> int:
    severity = task.facts.get("severity", "")
    place = 10 * KINDS.index(task.kind) + (SEVERITIES.index(severity) if severity in SEVERITIES else 0)
    return GROUP * task.rank + place


def place(apps: Any, schema_editor: Any) -> None:
    Client, Task = apps.get_model("practice", "Client"), apps.get_model("practice", "Task")
    turns: dict[Any, int] = {}
    for task in Task.objects.filter(done_at=None).only("client_id", "kind", "rank", "facts").iterator():
        turns[task.client_id] = min(turns.get(task.client_id, turn(task)), turn(task))
    for client_id, first in turns.items():
        Client.objects.filter(pk=client_id).update(turn=first)


class Migration(migrations.Migration):
    dependencies = [("practice", "0006_messages_and_rules")]  # noqa: RUF012
    operations = [migrations.RunPython(place, migrations.RunPython.noop)]  # noqa: RUF012
