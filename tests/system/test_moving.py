"""A practice moves to another installation: everything by manage.py, each in a process of its own."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from practice.keys import KeyRing
from tests.system.house import House, drop_database, new_database, new_name


@pytest.fixture
def elsewhere(tmp_path: Path, blank: House, django_db_blocker: Any) -> Iterator[House]:
    """A new installation, with a key ring of its own."""
    name, ring = new_name(), KeyRing({})
    for purpose in ("seal", "index", "audit", "link", "django"):
        ring = ring.with_new(purpose)
    (tmp_path / "elsewhere").mkdir()
    with django_db_blocker.unblock():
        found = House(tmp_path / "elsewhere", blank.static, new_database(name), settings={"KEYS": ring.text()})
    found.manage("migrate", "--no-input", "--verbosity", "0")
    yield found
    found.close()
    with django_db_blocker.unblock():
        drop_database(name)


def test_practice_moves_by_the_command_line(house: House, elsewhere: House, tmp_path: Path) -> None:
    """Feature N5: export, wipe, import, export, under other keys; the same files apart from the two times."""
    house.manage("seed_demo", DEMO="1")
    first, second = tmp_path / "first", tmp_path / "second"
    house.manage("export_practice", "--to", str(first), "--psychotherapy-notes")
    said = elsewhere.manage("import_practice", str(first))
    elsewhere.manage("export_practice", "--to", str(second), "--psychotherapy-notes")
    before, again = (
        {str(f.relative_to(place)): f.read_bytes() for f in place.rglob("*") if f.is_file()}
        for place in (first, second)
    )
    manifests = [json.loads(found.pop("manifest.json")) for found in (before, again)]
    assert [path for path in before.keys() | again.keys() if before.get(path) != again.get(path)] == []
    for manifest in manifests:
        assert [len(manifest.pop(name)) > 18 for name in ("begun_at", "ended_at")] == [True, True]
    assert manifests[0] == manifests[1]
    assert "Nobody was sent anything" in said
    assert "The audit trail is whole: 2 rows" in elsewhere.manage("audit_verify")
