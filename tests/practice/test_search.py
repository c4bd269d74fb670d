"""Finding a client: what matches, whose clients are found, and what is never kept of the question."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext

from practice.models import AuditEvent, Client, User
from practice.sealed import blind
from tests import factories

As = Callable[[User], Browser]
pytestmark = pytest.mark.django_db


def found(response: Any) -> list[str]:
    return re.findall(r'<td role="cell" class="who"><a href="[^"]*">([^<]*)</a>', response.content.decode())


@pytest.fixture
def marisol(maya: User) -> Client:
    return factories.client(
        maya, "Marisol Vega", legal_name="María Soledad Vega", email="M.Vega@example.net", phone="(202) 555-0163"
    )


@pytest.mark.parametrize(
    "asked",
    ["mari", "MARI", "veg", "soledad", "maría", "mar veg", "m.vega@EXAMPLE.net", "2025550163", "+1 202 555 0163",
     "0163", "CH-0401", "ch401", "401", "  vega  "],
)  # fmt: skip
def test_client_is_found_by(as_user: As, maya: User, marisol: Client, asked: str) -> None:
    factories.client(maya, "Peter Lindqvist", phone="202 555 9999")
    assert found(as_user(maya).get("/search/", {"q": asked})) == ["Marisol Vega"]


@pytest.mark.parametrize("asked", ["arisol", "vegas", "63", "CH-0402", "m.vega@example.org", "mari lind", "%", "*"])
def test_client_is_not_found_by(as_user: As, maya: User, marisol: Client, asked: str) -> None:
    page = as_user(maya).get("/search/", {"q": asked})
    assert found(page) == []
    assert "No client of yours matches" in page.content.decode()


def test_search_stays_in_ones_own_scope(
    as_user: As,
    maya: User,
    omar: User,
    ines: User,
    sol: User,
    pax: User,
    fay: User,
    rosa: User,
    sam: Client,
    kit: Client,
) -> None:
    asked = {"Sam": "sam", "Kit": "kit", "mail": "kit@example.net", "phone": "202 555 0178", "number": kit.code}
    finds = {
        user.name.split()[0]: {
            key for key, q in asked.items() if found(as_user(user).get("/search/", {"q": q}))
        }
        for user in (maya, omar, ines, sol, pax, fay, rosa)
    }  # fmt: skip
    of_kit = {"Kit", "mail", "phone", "number"}
    assert finds == {
        "Maya": {"Sam"},
        "Omar": of_kit,
        "Ines": set(),
        "Sol": {"Sam"},
        "Pax": {"Sam"},
        "Fay": {"Sam"} | of_kit,
        "Rosa": {"Sam"} | of_kit,
    }


def test_result_leads_where_the_person_may_read(as_user: As, maya: User, fay: User, sam: Client) -> None:
    assert f'href="/clients/{sam.pk}/"' in as_user(maya).get("/search/?q=sam").content.decode()
    assert f'href="/clients/{sam.pk}/edit/"' in as_user(fay).get("/search/?q=sam").content.decode()


def test_search_is_audited_without_its_words(as_user: As, maya: User, sam: Client) -> None:
    as_user(maya).get("/search/", {"q": "whitehorse"})
    event = AuditEvent.objects.get(action="search")
    assert (event.actor_id, event.facts, event.client_id) == (maya.pk, {"found": 1}, None)


def test_search_without_words_asks_nothing_and_writes_nothing(as_user: As, maya: User, sam: Client) -> None:
    assert found(as_user(maya).get("/search/")) == found(as_user(maya).get("/search/?q=%20%20")) == []
    assert AuditEvent.objects.filter(action="search").count() == 0


def test_search_shows_twenty_and_says_there_are_more(as_user: As, maya: User) -> None:
    for n in range(23):
        factories.client(maya, f"Alex Number{n:02}")
    page = as_user(maya).get("/search/?q=alex")
    assert len(found(page)) == 20
    assert "More than 20 match" in page.content.decode()


@pytest.mark.parametrize(
    "asked",
    ["\x00", "\x00sam", "\ud800".encode("utf-8", "replace").decode(), "‮sam", "9" * 400, "@", "' OR 1=1 --", "<script>"],
)
def test_hostile_questions_get_a_page(as_user: As, maya: User, kit: Client, asked: str) -> None:
    response = as_user(maya).get("/search/", {"q": asked})
    assert (response.status_code, found(response)) == (200, [])
    assert "<script>" not in response.content.decode().split("</head>")[1]


def test_search_asks_the_database_the_same_for_any_number_of_hits(as_user: As, maya: User) -> None:
    browser, asked = as_user(maya), []
    browser.get("/search/?q=x")
    for more in (1, 2):
        for n in range(more):
            factories.client(maya, f"Alex Number{more}{n}")
        with CaptureQueriesContext(connection) as caught:
            assert len(found(browser.get("/search/?q=alex"))) == (1 if more == 1 else 3)
        asked.append(len(caught))
    assert asked == [asked[0]] * 2


def test_phone_is_one_number_however_it_is_written() -> None:
    written = ("+1 202 555 0163", "(202) 555-0163", "2025550163", "1-202-555-0163")
    assert len({blind("phone", phone) for phone in written}) == 1
    assert blind("phone", "2025550163") != blind("phone", "2025550164")
