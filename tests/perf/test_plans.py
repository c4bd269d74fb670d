"""The plans of the hot queries, asked of whichever database runs: none reads every client, or every alert."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from bench.seed import Person, Tables
from practice import caseload
from practice.access import Permission, Role
from practice.models import Alert, Client, User
from practice.moving_in import analyze
from practice.views import search
from tests import factories

pytestmark = pytest.mark.django_db
MANY = 5_000
READS_ALL = re.compile(r"(?:SCAN|Seq Scan on) (\w+)")
ALIAS = re.compile(r'"(practice_client|practice_alert)" (\w+)')


@pytest.fixture(scope="module")
def therapist(django_db_setup: None, django_db_blocker: Any) -> Iterator[User]:
    """The therapist of 50 clients in a practice of 5,000, made once for this file."""
    with django_db_blocker.unblock(), transaction.atomic():
        site = factories.site()
        staff = [factories.staff(f"Therapist {n}", Role.THERAPIST, sites=(site,)) for n in range(20)]
        Tables(limits=False).write([Person(n) for n in range(MANY)], staff, site, timezone.now())
        analyze()
        assert staff[0].may(Permission.READ_CHART)  # the person's roles are known from here on
        yield staff[0]
        transaction.set_rollback(True)


@contextmanager
def planned() -> Iterator[list[str]]:
    """Collect the plans of the queries made inside."""
    plans: list[str] = []
    with CaptureQueriesContext(connection) as seen:
        yield plans
    how = "EXPLAIN QUERY PLAN " if connection.vendor == "sqlite" else "EXPLAIN "
    with connection.cursor() as cursor:
        for query in seen.captured_queries:
            cursor.execute(how + query["sql"].replace("%", "%%"))
            plan = "\n".join(str(row[-1]) for row in cursor.fetchall())
            for table, alias in ALIAS.findall(query["sql"]):
                plan = re.sub(rf"\b{alias}\b", table, plan)  # SQLite names the alias, PostgreSQL both
            plans.append(plan)


def read_whole(plans: list[str], table: str) -> list[str]:
    return [plan for plan in plans if table in READS_ALL.findall(plan)]


def test_caseload_goes_by_its_index(therapist: User) -> None:
    clients = caseload.scope(therapist, "me")
    with planned() as plans:
        caseload.counts(clients, list(caseload.SHOW), timezone.now())
        assert len(caseload.page(clients, "me", "", "", None).rows) == 50
    assert len(plans) == 3
    assert read_whole(plans, "practice_client") == []
    assert all("client_caseload" in plan for plan in plans[:2])


HOT: dict[str, Callable[[User], Any]] = {
    "search by name": lambda user: search.find(user, Person(0).name[:4]),
    "search by phone": lambda user: search.find(user, Person(3).phone),
    "count in the bar": lambda user: Client.objects.visible_to(user, Permission.READ_CHART).filter(rank=0).count(),
    "looked after": lambda user: list(Client.objects.looked_after_by(user).values_list("pk")),
    "open alerts": lambda user: list(Alert.objects.visible_to(user).open()),
}


@pytest.mark.parametrize("name", HOT)
def test_hot_query_never_reads_every_client(therapist: User, name: str) -> None:
    with planned() as plans:
        assert HOT[name](therapist)
    assert len(plans) == 1
    assert read_whole(plans, "practice_client") == []


def test_a_plan_that_reads_every_client_is_noticed(therapist: User) -> None:
    with planned() as plans:
        list(Client.objects.filter(plan_note="nowhere"))
    assert len(read_whole(plans, "practice_client")) == 1
