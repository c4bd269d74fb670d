"""Every URL, every role, own and foreign object, against the checked-in table (security checks 1, 2, 15, 17, 22).

The table is tests/meta/access.tsv. After a change that is meant, write it anew and read the difference line by line:

    WRITE_ACCESS=1 python -m pytest tests/meta/test_matrix.py
"""

import copy
import os
from pathlib import Path
from typing import Any

import pytest
from django.core.cache import cache
from django.db import transaction
from django.test import Client as Browser
from django.urls import reverse

from practice.models import User
from tests import factories
from tests.conftest import send
from tests.meta import matrix
from tests.meta.matrix import ROLES, World
from tests.meta.test_doors import patterns

TABLE = Path(__file__).with_name("access.tsv")
HEAD = ["method", "url", *ROLES, "own, foreign object"]

# What no answer to the wrong person may hold: one word of every field of the client and of every object.
CANARIES = (
    "Whitehorse",
    "sam@example.net",
    "555 0142",
    "1993-03-08",
    "Said goodbye",
    "Private thought",
    "Note words",
    "Message words",
)


@pytest.fixture
def world(
    maya: User, omar: User, ines: User, sol: User, pax: User, fay: User, rosa: User, gone: User, sam: Any
) -> World:
    people = {
        "anonymous": None, "client": None, "own": maya, "colleague": omar, "other_site": ines, "supervisor": sol,
        "prescriber": pax, "front_desk": fay, "admin": rosa, "ex_staff": gone,
    }  # fmt: skip
    return matrix.build(people, sam)


@pytest.fixture
def far(ines: User) -> Any:
    return factories.client(ines, "Farah Away", email="far@example.net", phone="+1 202 555 0111")


def rows() -> dict[tuple[str, str], list[str]]:
    if not TABLE.exists():
        return {}
    lines = [line.split("\t") for line in TABLE.read_text().splitlines()[1:]]
    return {(line[0], line[1]): line[2:] for line in lines}


def ask(cookies: dict[str, Any], role: str, method: str, url: str) -> str:
    """Return the status this role gets, undoing whatever the request did; check what a refusal says."""
    with transaction.atomic():
        browser = Browser()
        browser.cookies = copy.deepcopy(cookies[role])
        cache.clear()  # a limit on tries is for one person, not for all of these
        response = browser.get(url) if method == "GET" else send(browser, url)
        body = b"" if response.streaming else response.content
        transaction.set_rollback(True)
    said = body.decode(errors="replace")
    theirs = role in ("own", "supervisor", "prescriber") or role in (
        "front_desk",
        "admin",
        "client",
        "at_home",
        "clinic",
    )
    if not theirs or response.status_code in (403, 404):
        assert [c for c in CANARIES if c in said] == [], f"{role} {method} {url}"
    return str(response.status_code)


def test_every_url_answers_each_role_as_the_table_says(world: World, far: Any) -> None:
    expected, actual = rows(), {}
    cookies = matrix.sign_everybody_in(world)
    foreign = matrix.build({**world.people, "own": world.people["other_site"]}, far)
    for pattern in patterns():
        name, wanted = matrix.name_and_arguments(pattern)
        url = reverse(name, kwargs=world.arguments(name, wanted))
        mixed = ""
        if url.startswith("/clients/") and len(wanted) > 1:  # our client's id with another client's object
            mixed = reverse(name, kwargs=foreign.arguments(name, wanted) | {"pk": world.client.pk})
            if mixed == url:  # what else it names is nobody's: a rule
                mixed = reverse(name, kwargs=foreign.arguments(name, wanted))
        elif url.startswith(("/clients/", "/alerts/open/", "/referrals/", "/releases/")) and wanted:
            mixed = reverse(name, kwargs=foreign.arguments(name, wanted))
        for method in ("GET", "POST"):
            line = [ask(cookies, role, method, url) for role in ROLES]
            line.append(ask(cookies, "own", method, mixed) if mixed else "-")
            actual[(method, name)] = line
    if os.environ.get("WRITE_ACCESS"):
        TABLE.write_text(
            "\n".join("\t".join(r) for r in [HEAD, *([m, n, *line] for (m, n), line in actual.items())]) + "\n"
        )
        expected = actual
    assert {k: dict(zip(HEAD[2:], v, strict=True)) for k, v in actual.items()} == {
        k: dict(zip(HEAD[2:], v, strict=True)) for k, v in expected.items()
    }


def test_no_role_gets_a_server_error_and_no_foreign_object_answers(world: World) -> None:
    table = rows()
    assert [k for k, v in table.items() if any(s.startswith("5") for s in v)] == []
    own = ROLES.index("own")  # who may not at all hears so before anything is looked for
    foreign = {k: v[-1] for k, v in table.items() if not v[-1] == v[own] == "403"}
    assert [k for k, status in foreign.items() if status not in ("-", "404", "405")] == []
    assert [
        k for k, v in table.items() if not set(v[ROLES.index("ex_staff") : ROLES.index("ex_staff") + 1]) <= {v[0]}
    ] == []
