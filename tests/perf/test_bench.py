"""The bench itself: it refuses real databases, fills its own with people who can be found, and its gate can fail."""

import gc
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.utils import timezone

from bench import data, gate, referrals, run
from bench.counting import counted
from bench.measure import cpu_s, pss_mb, tree
from bench.seed import FIRST_NUMBER, PINNED, Person, Tables, therapist_of
from practice.access import Role
from practice.gunicorn import settle
from practice.models import Client, Practice, User
from practice.models.clients import LAST
from referrals.models import Destination, Referral
from referrals.states import State
from tests import factories


@pytest.mark.parametrize("act", [("seed",), ("run",), ("data",)])
def test_bench_refuses_a_database_that_is_not_its_own(act: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(settings.DATABASES["default"], "NAME", "/srv/bench/waymark.sqlite3")
    with pytest.raises(CommandError, match="has to hold the word bench"):
        call_command("bench", *act)


def test_bench_people_are_the_same_at_every_size() -> None:
    assert [vars(Person(n)) for n in range(5)] == [vars(Person(n)) for n in range(5)]
    assert [therapist_of(n, 9) for n in range(sum(PINNED))] == [therapist_of(n, 2000) for n in range(sum(PINNED))]


def test_bench_people_open_and_are_found_like_any_client(db: None) -> None:
    site = factories.site()
    staff = [factories.staff(f"Therapist {n}", Role.THERAPIST, sites=(site,)) for n in range(4)]
    persons = [Person(n) for n in range(40)]
    Tables(limits=False).write(persons, staff, site, timezone.now())
    for client, person in zip(Client.objects.order_by("number"), persons, strict=True):
        assert (client.name, client.birth_date, client.email) == (person.name, person.born, person.email)
        assert client in Client.objects.visible_to(staff[0]).named(person.name)
        assert [point[1] for point in client.phq9] == person.totals[-6:]
        first = min(client.tasks.all(), key=lambda task: task.turn, default=None)
        assert client.turn == (first.turn if first else LAST)


def test_counting_tells_statements_of_a_request(db: None) -> None:
    said: dict[str, str] = {}

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        list(User.objects.all())
        Practice.objects.count()
        start_response("200 OK", [])
        return [b""]

    counted(app)({}, lambda status, headers: said.update(dict(headers)))
    assert said["Bench-SQL"] == "2 2"
    assert len(said["Bench-Statements"]) == 16


def test_measures_read_this_process() -> None:
    from os import getpid

    assert getpid() in tree(getpid())
    assert cpu_s(getpid()) > 0
    assert pss_mb(getpid())[0] > 5


def sample(**fields: Any) -> dict[str, Any]:
    return {"job": "caseload", "side": "product", "db": "sqlite", "clients": 1000, "sql": 9, "statements": "a"} | fields


def test_gate_names_what_was_missed(tmp_path: Path) -> None:
    kept = tmp_path / "samples.jsonl"
    kept.write_text("\n".join(json.dumps(s) for s in (sample(sql=99, err=1, wrong=["x"]), sample(statements="b"))))
    said: list[str] = []
    faults = gate.judge([kept], everything=False, say=said.append)
    assert "caseload: sql is 99, at most 10" in faults
    assert "caseload on sqlite: 2 different lists of SQL statements over sizes and rounds" in faults
    assert "autosave: no sample" in faults
    assert "caseload: 1 wrong answers, ['x']" in faults
    assert said[-1].endswith(f"{len(faults)} missed")


def test_gate_asks_for_samples(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="There are no samples"):
        call_command("bench", "gate", str(tmp_path / "none.jsonl"))


def test_gate_holds_when_goals_are_met() -> None:
    goal = {"job": "caseload", "metric": "sql", "at_most": 9}
    same = {"job": "caseload", "metric": "same_statements"}
    samples = [sample(), sample(clients=100_000)]
    assert [*gate.check(goal, samples), *gate.check(same, samples)] == []


def test_gate_compares_cpu_with_the_floor_of_the_same_run() -> None:
    samples = [sample(cpu_ms=30.0), sample(cpu_ms=20.0), sample(side="limit", cpu_ms=5.0)]
    assert gate.ratios(samples) == {"sqlite 1000": 4.0}
    goal = {"job": "caseload", "metric": "cpu_ratio", "at_most": 3}
    assert list(gate.check(goal, samples)) == ["caseload sqlite 1000: 4.0 times the floor, at most 3"]


def test_run_refuses_a_job_it_does_not_know() -> None:
    with pytest.raises(ValueError, match="No such job: naps"):
        run.run(["naps"], rounds=1, n=1, out=None, say=print)


def test_floor_fits_on_one_page() -> None:
    lines = (Path(run.ROOT) / "bench" / "limits" / "app.py").read_text().splitlines()
    assert len(lines) <= 300


def test_data_refuses_a_job_it_does_not_know() -> None:
    with pytest.raises(ValueError, match="No such job: naps"):
        data.run(["naps"], rounds=1, out=None, say=print)


def test_bench_referrals_are_rows_like_any_other(db: None) -> None:
    """Made by the database from a number: what the report reads of them is what the product would have written."""
    site = factories.site()
    staff = [factories.staff(f"Therapist {n}", Role.THERAPIST, sites=(site,)) for n in range(4)]
    Tables(limits=False).write([Person(n) for n in range(3)], staff, site, timezone.now())
    Destination.objects.bulk_create(Destination(name=f"Clinic {n}", created_at=timezone.now()) for n in range(2))
    assert referrals.refer(8) == 8 + 2 + 2 + 3 * 2
    found = Referral.objects.order_by("-created_at")
    assert [(r.client.number - FIRST_NUMBER, r.number, State(r.state)) for r in found] == [
        (n % 3, 2 + n // 3, referrals.STATES[n % 4]) for n in range(8)
    ]
    assert {r.client.therapist_id for r in found} == {staff[0].pk}
    assert [c.happened_at - c.referral.sent_at for c in found[3].changes.order_by("number")] == [
        timedelta(days=days) for days in (2, 9, 23)
    ]
    with pytest.raises(ValueError, match="has such referrals already"):
        referrals.refer(8)


def test_collector_does_not_walk_what_a_server_has_loaded() -> None:
    before = gc.get_freeze_count()
    try:
        settle()
        assert gc.get_freeze_count() > before + 10_000
    finally:
        gc.unfreeze()
