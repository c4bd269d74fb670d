"""Published versions of packets, agreements and brought instruments: the database refuses to change or drop them."""

from collections.abc import Callable
from typing import Any

import pytest
from django.apps import apps
from django.core.management import call_command
from django.db import IntegrityError, connection, models, transaction

from intake.models import AgreementText, PacketVersion
from practice import erasure, frozen_triggers
from practice.frozen_triggers import FROZEN, Frozen
from practice.models import Client, Erased, InstrumentVersion, User
from practice.sealed import SealedField
from tests import brought
from tests.factories import NOW

pytestmark = [pytest.mark.django_db]
Made = Callable[[User], models.Model]


@pytest.fixture(autouse=True)
def _installed(db: None) -> None:
    frozen_triggers.install(connection)


def a_packet(by: User) -> PacketVersion:
    row = PacketVersion(key="check-in", version="1.1", number=1, rows={"a": [1]}, sha256="0" * 64, changes=["x"])
    row.published_by, row.published_at, row.reason = by, NOW, "Because"
    row.save()
    return row


def an_agreement(by: User, **changed: Any) -> AgreementText:
    said = {
        "version": "1.1", "published_at": NOW, "published_by": by, "must_sign": True, "because": "x", "reason": "y",
        "sha256": "0" * 64,
    }  # fmt: skip
    return AgreementText.objects.create(
        document="ketamine", title="T", summary="S", sign="I", body="# A", changed_at=NOW, changed_by=by,
        **(said | changed),
    )  # fmt: skip


def an_instrument(by: User) -> InstrumentVersion:
    return brought.published(by, "qids-sr16")


def a_draft(by: User) -> AgreementText:
    return an_agreement(
        by, version="", published_at=None, published_by=None, must_sign=None, because="", reason="", sha256=""
    )


MADE: dict[str, Made] = {
    "intake.PacketVersion": a_packet,
    "intake.AgreementText": an_agreement,
    "practice.InstrumentVersion": an_instrument,
}


def another(field: Any, row: Any) -> Any:
    """A value that is not the row's."""
    if field.is_relation or isinstance(field, models.UUIDField):
        return "0" * 32
    if isinstance(field, models.JSONField):
        return '{"changed": true}'
    if isinstance(field, models.DateTimeField):
        return "2020-01-01 00:00:00"
    if isinstance(field, models.BooleanField):
        return not getattr(row, field.attname)
    return 987 if isinstance(field, models.IntegerField) else "other"


def refused(sql: str, *values: Any) -> bool:
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(sql, values)
    except IntegrityError as trouble:
        return frozen_triggers.REFUSAL in str(trouble)
    return False


def test_every_table_of_published_versions_is_frozen() -> None:
    assert {each.label for each in FROZEN} == set(MADE)
    free = {"intake.AgreementText": {"edition", "changed_at", "changed_by_id"}}
    for each in FROZEN:
        fields = apps.get_model(each.label)._meta.concrete_fields
        sealed = {field.column for field in fields if isinstance(field, SealedField)}
        assert {field.column for field in fields} - set(each.columns) - sealed == free.get(each.label, set())


@pytest.mark.parametrize("each", FROZEN, ids=lambda each: each.label)
def test_published_version_is_not_changed_by_anybody(each: Frozen, rosa: User) -> None:
    """Feature A17, ADR 0023-0025: not by who writes SQL, column by column; sealing it anew passes."""
    row = MADE[each.label](rosa)
    fields = {field.column: field for field in row._meta.concrete_fields}
    tried = {
        name: refused(f'UPDATE {each.table} SET "{name}" = %s WHERE 1 = 1', another(fields[name], row))
        for name in each.columns
    }
    assert tried == dict.fromkeys(each.columns, True)
    kept = type(row)._base_manager.get()
    assert {name: getattr(kept, fields[name].attname) for name in tried} == {
        name: getattr(row, fields[name].attname) for name in tried
    }
    type(row)._base_manager.update(**{fields[each.columns[1]].attname: getattr(row, fields[each.columns[1]].attname)})
    for field in fields.values():
        if isinstance(field, SealedField):
            setattr(kept, field.attname, "Sealed anew")
            models.Model.save(kept, update_fields=[field.name])


@pytest.mark.parametrize("each", FROZEN, ids=lambda each: each.label)
def test_published_version_is_not_deleted_by_anybody(each: Frozen, rosa: User) -> None:
    row = MADE[each.label](rosa)
    assert refused(f"DELETE FROM {each.table}")
    if connection.vendor == "postgresql":
        connection.check_constraints()  # nothing deferred stands in the way of the truncation itself
        assert refused(f"TRUNCATE {each.table} CASCADE")
    assert type(row)._base_manager.count() == 1


def test_draft_of_an_agreement_is_changed_published_and_thrown_away(rosa: User) -> None:
    """The other side: until it is published it is nobody's promise."""
    draft = a_draft(rosa)
    draft.body, draft.edition = "# B", 2
    draft.save()
    said = {"version": "1.1", "published_by": rosa, "must_sign": False, "because": "x", "reason": "y"}
    AgreementText.objects.filter(pk=draft.pk).update(published_at=NOW, sha256="1" * 64, **said)
    assert refused("UPDATE intake_agreementtext SET body = '# C'")
    AgreementText.objects.filter(pk=draft.pk).update(edition=3)
    other = a_draft(rosa)
    other.delete()
    assert list(AgreementText.objects.values_list("body", "edition")) == [("# B", 3)]


def test_erasing_a_client_passes_by_published_versions(rosa: User, sam: Client) -> None:
    for made in MADE.values():
        made(rosa)
    erasure.erase(by=rosa, client=sam, what=Erased.What.CLIENT, why=Erased.Why.AGE, at=NOW)
    assert [apps.get_model(label)._base_manager.count() for label in MADE] == [1, 1, 1]
    assert not Client._base_manager.filter(pk=sam.pk).exists()


def there() -> set[str]:
    return frozen_triggers.installed(connection)


def test_triggers_are_put_where_they_miss_and_once() -> None:
    """SQLite loses them whenever a migration builds a table anew; every start of the product migrates."""
    every = there()
    assert len(every) == 2 * len(FROZEN)
    gone = sorted(every)[0]
    table = next(each.table for each in FROZEN if each.table in gone)
    with connection.cursor() as cursor:
        on = f' ON "{table}"' if connection.vendor == "postgresql" else ""
        cursor.execute(f'DROP TRIGGER "{gone}"{on}')
        frozen_triggers.install(connection)
        assert there() == every
    frozen_triggers.drop(connection)
    assert there() == set()
    frozen_triggers.install(connection)
    frozen_triggers.install(connection)
    assert there() == every


def test_trigger_that_is_not_asked_for_any_more_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frozen_triggers, "FROZEN", FROZEN[:1])
    frozen_triggers.install(connection)
    assert {name.removeprefix("frozen_").startswith(FROZEN[0].table) for name in there()} == {True}
    assert len(there()) == 2


@pytest.mark.django_db(transaction=True)
def test_migrating_installs_them() -> None:
    frozen_triggers.drop(connection)
    call_command("migrate", plan=True, verbosity=0)
    assert there() == set()
    call_command("migrate", verbosity=0, interactive=False)
    assert len(there()) == 2 * len(FROZEN)
