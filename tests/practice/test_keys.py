"""The key ring: made once, checked at start, rotated without losing a row (security checks 55, 56)."""

from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from practice import keys
from practice.keys import KeyRing, KeyTrouble
from practice.models import Client, Practice
from practice.sealed import Sealed, key_number


@pytest.fixture
def ring(settings, tmp_path: Path) -> KeyRing:  # type: ignore[no-untyped-def]
    """A ring of its own in a file, so that a rotation does not touch the other tests' ring."""
    settings.KEYS_PATH = tmp_path / "keys" / "ring"
    ring = settings.KEY_RING
    keys.write(ring, settings.KEYS_PATH)
    settings.KEY_RING = KeyRing(dict(ring.keys))
    return ring


def numbers(table: str, column: str) -> set[int]:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {column} FROM {table} WHERE {column} IS NOT NULL")
        return {key_number(bytes(row[0])) for row in cursor.fetchall()}


def test_ring_file_is_for_its_owner_alone(ring: KeyRing, settings) -> None:  # type: ignore[no-untyped-def]
    assert settings.KEYS_PATH.stat().st_mode & 0o777 == 0o600
    assert settings.KEYS_PATH.parent.stat().st_mode & 0o777 == 0o700
    assert keys.parse(settings.KEYS_PATH.read_text()) == ring


@pytest.mark.parametrize("text", ["seal:1", "seal:x:AAAA", "seal:1:short", "other:1:" + "QUFB" * 11, "seal:1:!!"])
def test_ring_with_a_broken_line_is_refused(text: str) -> None:
    with pytest.raises(KeyTrouble, match="Nothing was changed"):
        keys.parse(text)


def test_check_refuses_another_ring(db: None, ring: KeyRing, settings) -> None:  # type: ignore[no-untyped-def]
    call_command("keys", "check")
    before = bytes(Practice.objects.get(pk=1).__dict__["key_canary"].blob)
    settings.KEY_RING = KeyRing({**ring.keys, "seal": {1: b"x" * 32}})
    with pytest.raises(CommandError):
        call_command("keys", "check")
    assert bytes(Practice.objects.get(pk=1).__dict__["key_canary"].blob) == before


def test_check_refuses_a_missing_key(db: None, ring: KeyRing, settings) -> None:  # type: ignore[no-untyped-def]
    settings.KEY_RING = KeyRing({p: k for p, k in ring.keys.items() if p != "index"})
    with pytest.raises(CommandError, match="no 'index' key"):
        call_command("keys", "check")


def test_rotation_moves_every_row_and_all_stay_readable(sam: Client, kit: Client, ring: KeyRing, settings) -> None:  # type: ignore[no-untyped-def]
    call_command("keys", "rotate")
    assert numbers("practice_client", "name_used") == numbers("practice_practice", "key_canary") == {2}
    assert Client.objects.get(pk=sam.pk).name_used == "Sam Whitehorse"
    assert [c.pk for c in Client.objects.named("lark")] == [kit.pk]
    settings.KEY_RING = KeyRing({**settings.KEY_RING.keys, "seal": {2: settings.KEY_RING.keys["seal"][2]}})
    assert Client.objects.get(pk=kit.pk).phone == "+1 202 555 0178"


def test_rotation_that_was_stopped_goes_on_where_it_was(sam: Client, kit: Client, ring: KeyRing, settings) -> None:  # type: ignore[no-untyped-def]
    call_command("keys", "check")
    settings.KEY_RING = ring.with_new("seal")  # the new key was written and one row moved when the power went
    keys.write(settings.KEY_RING, settings.KEYS_PATH)
    moved = Client.objects.get(pk=sam.pk)
    moved.set_identity(name_used=moved.name_used, email=moved.email, phone=moved.phone)
    moved.save()
    assert numbers("practice_client", "name_used") == {1, 2}
    call_command("keys", "rotate")
    assert numbers("practice_client", "name_used") == numbers("practice_client", "legal_name") == {2}
    assert max(settings.KEY_RING.keys["seal"]) == 2


def test_sealed_value_of_a_lost_key_says_so(sam: Client, ring: KeyRing, settings) -> None:  # type: ignore[no-untyped-def]
    settings.KEY_RING = KeyRing({**ring.keys, "seal": {5: b"y" * 32}})
    sam.__dict__["name_used"] = Sealed(bytes(Client.objects.get(pk=sam.pk).__dict__["name_used"].blob))
    with pytest.raises(KeyTrouble, match="number 1"):
        _ = sam.name_used
