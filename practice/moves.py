"""Moving every row of one client to another, and exactly those back: the mechanics of a merge (practice/merging.py).

Tables are found from the models, so that a new one moves from its first day. What moved stands in a ledger that nobody
changes (models.Moved).
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from datetime import datetime
from typing import Any

from django.apps import apps
from django.db import models
from django.db.models import F, Max, Q, UniqueConstraint
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from practice.models import Client, ClientRecord, Merge, Moved

BATCH = 500
OFF = 10_000  # numbers are set aside by so much while they change places

# Columns that name a client and stay as they are: an index of the former's own names, the merge itself, and what
# somebody said of just these two records.
STAYS = {
    ("practice.NameStart", "client"),
    ("practice.Merge", "former"),
    ("practice.Apart", "client"),
    ("practice.Apart", "other"),
}
# Rows that never move: the link to the former's own page, on which nobody showed who they are to this record.
LEFT_BEHIND: dict[str, Q] = {"intake.Invitation": Q(packet="home")}
# What there may be one of for each client, and what happens when both have one: a sentence that stands in the way, or
# "", and then the former's stays where it is, out of sight, until the merge is undone.
ONE_EACH: dict[str, str | Promise] = {
    "export_making_once": _("A copy of one of these records is being made. Wait until it is there."),
    "access_request_open_once": _("Both have asked for a copy of their record. Answer one of the two first."),
    "legal_hold_one_stands": _("A legal hold stands on both. Lift one first, and write into the other why."),
    "erasure_request_open_once": _("Both have asked to be deleted. Close one of the two requests first."),
    "safety_plan_one_draft": _("Both have a safety plan that is not finished. Finish one first."),
    "care_today_open_once": _("Care today is going on in both. Record the steps in one first."),
    "suggestion_open_once": _("Both have a card to review. Their therapist reviews one first."),
    "shared_scores_once": _("Both show the client the same measure. Their therapist ends one first."),
    "pause_once": _("Both have paused their check-ins. Let them go on in one first."),
    "signing_asked_once": _("Both are asked to sign the same agreement. Wait for one of the answers."),
    "task_open_once": "",
    "task_open_once_without_subject": "",
    "messagedraft.client": "",
    "invitation_one_home": "",
}
# Numbers that count within a client. By this moment the two rows are put in order; without, the former's come after.
NUMBERED: dict[str, str] = {"safety_plan_version_once": "started_at", "referral_attempt_once": ""}

Model = type[models.Model]


def columns() -> Iterator[tuple[Model, str]]:
    """Every column that names a client and moves with them."""
    for model in apps.get_models(include_auto_created=True):
        for field in model._meta.concrete_fields:
            if field.is_relation and field.related_model is Client and (model._meta.label, field.name) not in STAYS:
                yield model, field.name


def rules(model: Model, column: str) -> Iterator[tuple[str, list[str], Q]]:
    """(name, the other columns, when) of every rule that a client has one of a kind."""
    for rule in model._meta.constraints:
        if isinstance(rule, UniqueConstraint) and column in rule.fields:
            yield rule.name, [name for name in rule.fields if name != column], rule.condition or Q()
    if getattr(model._meta.get_field(column), "unique", False):
        yield f"{model._meta.model_name}.{column}", [], Q()


def both_have(kept: Client, former: Client) -> list[str]:
    """Sentences on what both have, and only one may."""
    return [
        str(ONE_EACH[name])
        for model, column in columns()
        for name, keys in _clashing(model, column, kept, former)
        if keys and ONE_EACH[name]
    ]


def _clashing(model: Model, column: str, kept: Client, former: Client) -> Iterator[tuple[str, list[Any]]]:
    """(rule, the former's rows of which the kept client has one too)."""
    for name, others, when in rules(model, column):
        if name in ONE_EACH:
            rows = model._base_manager.filter(when).order_by()
            theirs = {tuple(values) for _pk, *values in rows.filter(**{column: kept.pk}).values_list("pk", *others)}
            found = rows.filter(**{column: former.pk}).values_list("pk", *others)
            yield name, [pk for pk, *values in found if tuple(values) in theirs]


def count(client: Client) -> dict[str, int]:
    """How many rows of each table name this client."""
    found = Counter[str]()
    for model, column in columns():
        found[model._meta.label] += _rows(model, column, client).count()
    return {label: n for label, n in found.items() if n}


def _rows(model: Model, column: str, client: Client) -> models.QuerySet[Any]:
    return model._base_manager.filter(**{column: client.pk}).order_by()


# --- There -----------------------------------------------------------------------------------------------------------


def move(merge: Merge, former: Client, at: datetime) -> int:
    """Move what names the former client to the kept one, and write down what it was. Returns how many rows."""
    moved = 0
    for model, column in columns():
        stay = {pk for name, keys in _clashing(model, column, merge.client, former) for pk in keys}
        rows = _rows(model, column, former)
        if left := LEFT_BEHIND.get(model._meta.label):
            rows = rows.exclude(left)
        keys = [pk for pk in rows.values_list("pk", flat=True) if pk not in stay]
        if not keys:
            continue
        values: dict[str, dict[str, int]] = {}
        for name, others, _when in rules(model, column):
            if name in NUMBERED:
                values = _renumber(model, others[0], NUMBERED[name], merge.client, keys)
        _point(model, column, keys, merge.client)
        Moved.objects.create(
            merge=merge, table=model._meta.label, column=column, keys=[str(pk) for pk in keys], values=values, at=at
        )
        moved += len(keys)
    return moved


def _point(model: Model, column: str, keys: Collection[Any], to: Client) -> None:
    for part in _parts(keys):
        model._base_manager.filter(pk__in=part).update(**{column: to.pk})


def _renumber(model: Model, number: str, by: str, kept: Client, keys: Collection[Any]) -> dict[str, dict[str, int]]:
    """Give the rows that come numbers of their own beside the kept client's. Returns each changed one's before.

    Rows that share a number go on sharing one.
    """
    here = model._base_manager.filter(client=kept.pk)
    coming = model._base_manager.filter(pk__in=list(keys))
    was = {row.pk: getattr(row, number) for row in [*here, *coming]}
    if by:
        ordered = sorted([*here, *coming], key=lambda row: getattr(row, by))
        to = {row.pk: n for n, row in enumerate(ordered, 1)}
    else:
        last = here.aggregate(n=Max(number))["n"] or 0
        steps = {old: last + n for n, old in enumerate(sorted({was[row.pk] for row in coming}), 1)}
        to = {row.pk: steps[was[row.pk]] for row in coming}
    changed = {pk: n for pk, n in to.items() if n != was[pk]}
    _number(model, number, changed)
    return {str(pk): {number: was[pk]} for pk in changed}


def _number(model: Model, number: str, to: dict[Any, int]) -> None:
    """By way of numbers that nobody has, so that two may change places."""
    model._base_manager.filter(pk__in=list(to)).update(**{number: F(number) + OFF})
    for pk, n in to.items():
        model._base_manager.filter(pk=pk).update(**{number: n})


# --- And back --------------------------------------------------------------------------------------------------------


def standing(client: Client) -> Merge | None:
    """The merge by which this record is another's now (its `client`); None for one that stands for itself."""
    found: Merge | None = Merge.objects.filter(former=client.pk, undone_at=None).select_related("client").first()
    return found


def note(merge: Merge, row: models.Model, at: datetime) -> None:
    """Write into the ledger that this row, written by somebody who had the former record before them, is the kept's.

    It goes back with the others, and what hangs on it.
    """
    Moved.objects.create(merge=merge, table=row._meta.label, column="client", keys=[str(row.pk)], at=at)


def back(merge: Merge, former: Client) -> int:
    """Move back what moved and is with the kept client still, and what was since hung on it. Returns how many rows."""
    moved: dict[tuple[Model, str], set[Any]] = {}
    numbers: list[tuple[Model, dict[str, dict[str, int]]]] = []
    for step in merge.moves.all():
        model = apps.get_model(step.table)
        ours = moved.setdefault((model, step.column), set())
        for part in _parts(step.keys):
            ours.update(_rows(model, step.column, merge.client).filter(pk__in=part).values_list("pk", flat=True))
        numbers.append((model, step.values))
    _with_what_hangs_on_it(moved, merge.client)
    for (model, column), keys in moved.items():
        _point(model, column, keys, former)
    for model, values in numbers:
        _number_back(model, values, (merge.client, former))
    return sum(len(keys) for keys in moved.values())


def _number_back(model: Model, values: dict[str, dict[str, int]], of: tuple[Client, Client]) -> None:
    """Only of rows that these two have: what another undoing took away has its number from there."""
    there = {
        str(pk) for client in of for pk in model._base_manager.filter(client=client.pk).values_list("pk", flat=True)
    }
    for number in {name for said in values.values() for name in said}:
        _number(model, number, {pk: said[number] for pk, said in values.items() if pk in there})


def _with_what_hangs_on_it(moved: dict[tuple[Model, str], set[Any]], kept: Client) -> None:
    """Add the rows written since that point at one that goes back: they would speak of somebody else's."""
    new = {pk for keys in moved.values() for pk in keys}
    while new:
        gone, found = new, set[Any]()
        for model, column in columns():
            ours = moved.get((model, column), set())
            for path in _paths(model):
                for part in _parts(gone):
                    hung = _rows(model, column, kept).filter(**{f"{path}__in": part}).values_list("pk", flat=True)
                    fresh = set(hung) - ours
                    moved.setdefault((model, column), set()).update(fresh)
                    ours = moved[(model, column)]
                    found |= fresh
        new = found


def _paths(model: Model) -> Iterator[str]:
    """How rows of this table point at rows that name a client themselves, or at what belongs to one of these."""
    for field in model._meta.concrete_fields:
        target = field.related_model if field.is_relation else None
        if isinstance(target, type) and issubclass(target, ClientRecord):
            *steps, _client = target.client_path.split("__")
            yield "__".join([field.name, *steps])
        elif isinstance(field, models.UUIDField) and not field.primary_key:
            yield field.name  # what an item to do is about, the sitting of a flag


def _parts(keys: Iterable[Any]) -> Iterator[list[Any]]:
    listed = list(keys)
    return (listed[n : n + BATCH] for n in range(0, len(listed), BATCH))
