"""What a copy of a record holds: which kinds of row, which of them, and each as plain values.

Found from the models, not from a list: whatever belongs to a client is in it, unless practice.privacy says why not.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import models

from practice.models import Client, ClientRecord, PsychotherapyNote, SafetyPlan
from practice.privacy import LEFT_OUT, LEFT_OUT_COLUMNS, OF_TWO, THEIRS_UNTIL, classes, our_models
from practice.safety_plan import plan_pdf
from practice.sealed import SealedBytes, SealedField, SealedJSON

# The PDF of a row whose model is named here; None when it has none yet. The packages above add theirs.
DOCUMENTS: dict[str, Callable[[Any], bytes | None]] = {
    SafetyPlan._meta.label: lambda plan: plan_pdf(plan) if plan.finished_at else None,
}
# What a client's copy says in words beside the codes of a row. The packages above add theirs.
SAID: dict[str, "Said"] = {}
_BEGINNINGS = (
    (b"%PDF-", "pdf"),
    (b"\xff\xd8\xff", "jpg"),
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"II*\x00", "tif"),
    (b"MM\x00*", "tif"),
    (b"PK\x03\x04", "docx"),
)
_TYPES: tuple[tuple[type[Any], str], ...] = (
    (SealedBytes, "file"),
    (SealedJSON, "JSON"),
    (models.JSONField, "JSON"),
    (SealedField, "text"),
    (models.BooleanField, "true or false"),
    (models.DateTimeField, "moment, ISO 8601 in UTC"),
    (models.DateField, "day, ISO 8601"),
    (models.TimeField, "time of day"),
    (models.ForeignKey, "id of another row"),
    (models.UUIDField, "id"),
    (models.DecimalField, "decimal number"),
    (models.IntegerField, "whole number"),
)


@dataclass(frozen=True)
class Said:
    columns: tuple[str, ...]
    of: Callable[[Any], tuple[str, ...]]
    needs: str
    """The relation that `of` reads of each row."""


@dataclass(frozen=True)
class Kind:
    """One table of an export."""

    model: type[models.Model]

    @property
    def label(self) -> str:
        return self.model._meta.label

    @property
    def name(self) -> str:
        """Its name in the bundle: "intake-assessment"."""
        return self.model._meta.label_lower.replace(".", "-")

    @property
    def columns(self) -> list[Any]:
        return [f for f in self.model._meta.concrete_fields if not is_left_out(f)]

    @property
    def files(self) -> list[SealedBytes]:
        return [f for f in self.columns if isinstance(f, SealedBytes)]

    @property
    def is_heavy(self) -> bool:
        return bool(self.files) or self.label in DOCUMENTS

    @property
    def named(self) -> list[str]:
        """The columns that point out of a client's record, at somebody on staff or a clinic."""
        return [
            f.name
            for f in self.columns
            if isinstance(f, models.ForeignKey) and not issubclass(f.related_model, Client | ClientRecord)
        ]

    def rows(self, client_id: Any = None) -> models.QuerySet[Any]:
        """The rows that leave, in the order of their keys: those of one client, or all."""
        found = self.model._base_manager.order_by("pk")
        if self.label in THEIRS_UNTIL:
            found = found.filter(**THEIRS_UNTIL[self.label][0])
        if client_id is None:
            return found.prefetch_related(*(f.name for f in self.model._meta.many_to_many))
        needs = [SAID[self.label].needs] if self.label in SAID else []
        return found.filter(**{path_to_client(self.model): client_id}).select_related(*self.named, *needs)


def is_left_out(column: Any) -> bool:
    """Whether it is a secret, or points at a row that is in no export."""
    return column.name in LEFT_OUT_COLUMNS or (column.is_relation and column.related_model._meta.label in LEFT_OUT)


def path_to_client(model: type[models.Model]) -> str:
    return model.client_path if issubclass(model, ClientRecord) else "pk"


def kinds(*, of_client: bool, private: bool = False) -> list[Kind]:
    """The tables of an export: those of a client's record, or every one; `private`: with the psychotherapy notes."""
    also = {PsychotherapyNote._meta.label} if private and not of_client else set()
    found = [Kind(model) for model in our_models() if model._meta.label in also or model._meta.label not in LEFT_OUT]
    if not of_client:
        return found
    return [kind for kind in found if issubclass(kind.model, Client | ClientRecord) and kind.label not in OF_TWO]


def cells(kind: Kind, row: Any, *, names: bool) -> dict[str, Any]:
    """Return the row as plain values. A file is told by its path. `names`: say in words what ids and codes mean."""
    found: dict[str, Any] = {}
    for column in kind.columns:
        if isinstance(column, SealedBytes):
            body = getattr(row, column.name)
            found[column.name] = file_path(kind, row, column.name, bytes(body)) if body else None
            continue
        value = plain(getattr(row, column.attname))
        found[column.name] = in_order(value) if isinstance(column, models.JSONField) else value
        if names and column.name in kind.named:
            target = getattr(row, column.name)
            found[f"{column.name}_name"] = str(target) if target is not None else ""
    for many in kind.model._meta.many_to_many:
        found[many.name] = sorted(plain(each.pk) for each in getattr(row, many.name).all())
    if names and (said := SAID.get(kind.label)):
        found |= zip(said.columns, said.of(row), strict=True)
    return found


def plain(value: Any) -> Any:
    """Return a value as JSON says it; a moment in UTC."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, UUID | Decimal):
        return str(value)
    return value


def in_order(value: Any) -> Any:
    """A JSON value with its keys in order: PostgreSQL does not keep the order that SQLite keeps."""
    if isinstance(value, dict):
        return {key: in_order(value[key]) for key in sorted(value)}
    return [in_order(each) for each in value] if isinstance(value, list) else value


def files(kind: Kind, row: Any) -> Iterator[tuple[str, bytes]]:
    """The files of a row: what is stored in it, and its PDF."""
    for column in kind.files:
        if body := getattr(row, column.name):
            yield file_path(kind, row, column.name, bytes(body)), bytes(body)
    made = DOCUMENTS[kind.label](row) if kind.label in DOCUMENTS else None
    if made is not None:
        yield document_path(kind, row), made


def document_path(kind: Kind, row: Any) -> str:
    """Where the PDF lies that is made from this row."""
    return f"files/{kind.name}/{row.pk}.pdf"


def file_path(kind: Kind, row: Any, column: str, body: bytes) -> str:
    return f"files/{kind.name}/{row.pk}-{column}.{_ending(body)}"


def _ending(body: bytes) -> str:
    return next((ending for beginning, ending in _BEGINNINGS if body.startswith(beginning)), "bin")


def flat(value: Any) -> Any:
    """A value as one cell of a sheet: JSON where it is more than one thing."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | dict):
        return json.dumps(value, ensure_ascii=False, sort_keys=True)
    return "" if value is None else value


DICTIONARY_HEAD = ("table", "column", "type", "tells", "codes", "points at")


def dictionary(found: list[Kind], *, names: bool) -> Iterator[tuple[str, ...]]:
    """Each column of each table: its type, what it tells about a person, its codes, and what it points at."""
    for kind in found:
        tells = classes(kind.model)
        for column in kind.columns:
            at = column.related_model._meta.label_lower.replace(".", "-") if column.is_relation else ""
            codes = "; ".join(f"{code} = {label}" for code, label in column.flatchoices if code != "")
            yield kind.name, column.name, type_of(column), tells[column.name], codes, at
            if names and column.name in kind.named:
                yield kind.name, f"{column.name}_name", "text", tells[column.name], "", ""
        for many in kind.model._meta.many_to_many:
            at = many.related_model._meta.label_lower.replace(".", "-")
            yield kind.name, many.name, "JSON", "plain", "", at
        if names and (said := SAID.get(kind.label)):
            yield from ((kind.name, column, "text", "clinical", "", "") for column in said.columns)


def type_of(column: Any) -> str:
    return next((said for kind, said in _TYPES if isinstance(column, kind)), "text")
