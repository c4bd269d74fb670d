"""What somebody here may do and whom they reach, as an admin sees it; and that it is no way into a chart."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any, cast

import pytest
import time_machine
from django.test import Client as Browser
from django.urls import get_resolver, reverse

from practice.access import Permission
from practice.models import AuditEvent, Client, User
from practice.views import sees
from tests import factories
from tests.factories import NOW
from tests.meta import matrix

As = Callable[[User], Browser]
pytestmark = pytest.mark.django_db


def url(person: User) -> str:
    return f"/practice/people/{person.pk}/sees/"


def words(response: Any) -> str:
    return " ".join(re.sub(r"<[^>]*>", " ", response.content.decode()).split())


def test_every_permission_has_words() -> None:
    assert [p for p in Permission if p not in sees.PERMISSION_WORDS] == []


def test_page_tells_what_a_person_may_and_whom_they_reach(
    as_user: As, rosa: User, maya: User, sol: User, sam: Client, kit: Client
) -> None:
    page = as_user(rosa).get(url(maya))
    assert [(r["id"], r["n"], r["numbers"]) for r in page.context["reach"]] == [
        ("see_client", 1, ["CH-0401"]), ("read_chart", 1, ["CH-0401"]),
    ]  # fmt: skip
    may, may_not = ({str(row["words"]) for row in page.context[key]} for key in ("may", "may_not"))
    assert "Read a chart: answers, scores, flags, notes" in may
    assert "Read the audit trail" in may_not
    assert len(may) + len(may_not) == len(sees.pages())
    assert not re.search("Whitehorse|Larkspur|Sam|Kit", words(page))
    assert "Therapist: own clients." in words(page)


def test_pages_that_open_are_those_that_answer(
    as_user: As, rosa: User, maya: User, omar: User, ines: User, pax: User, sam: Client
) -> None:
    """Each address listed under "May not" says no to that person, and none under "May" does."""
    people: dict[str, User | None] = {"own": maya, "colleague": omar, "other_site": ines, "admin": rosa}
    world = matrix.build(people | {"prescriber": pax}, sam)
    page = as_user(rosa).get(url(maya))
    opens = {address for row in page.context["may"] for address in row["pages"]}
    says_no = {address for row in page.context["may_not"] for address in row["pages"]}
    theirs = as_user(maya)
    answers: dict[str, int] = {}
    for name, door in sees.doors(get_resolver()):
        if door.permission is not None:
            ((address, wanted), *_rest), *_others = cast(Any, get_resolver().reverse_dict)[name]
            shown = "/" + address % dict.fromkeys(wanted, "…")
            answers.setdefault(shown, theirs.get(reverse(name, kwargs=world.arguments(name, list(wanted)))).status_code)
    assert set(answers) == opens | says_no
    assert {address for address in says_no if answers[address] != 403} == set()
    assert "/clients/…/notes/" in opens and "/practice/people/" in says_no


def test_looking_is_written_down_and_shows_nobodys_page(as_user: As, rosa: User, maya: User, sam: Client) -> None:
    browser = as_user(rosa)
    browser.get(url(maya))
    event = AuditEvent.objects.get(action="read.sees")
    assert (event.actor_id, event.target, event.target_id) == (rosa.pk, "practice.user", str(maya.pk))
    assert browser.get(reverse("chart", args=[sam.pk])).status_code == 403


def test_admin_with_an_old_sign_in_is_asked_again(as_user: As, rosa: User, maya: User) -> None:
    """Security check 30."""
    with time_machine.travel(NOW, tick=False):
        browser = as_user(rosa)
        assert browser.get(url(maya)).status_code == 200
    with time_machine.travel(NOW + timedelta(minutes=5, seconds=1), tick=False):
        assert browser.get(url(maya))["Location"].startswith("/account/reauthenticate/")


def test_whoever_left_sees_nothing(as_user: As, rosa: User, gone: User) -> None:
    page = as_user(rosa).get(url(gone))
    assert [r["n"] for r in page.context["reach"]] == [0, 0]
    assert page.context["may"] == []
    assert "Has left, and sees nothing." in words(page)


@pytest.mark.parametrize("who", ["maya", "sol", "pax", "fay"])
def test_only_admins_look(as_user: As, request: pytest.FixtureRequest, omar: User, who: str) -> None:
    assert as_user(request.getfixturevalue(who)).get(url(omar)).status_code == 403


def test_long_list_of_numbers_is_cut_and_counted(
    as_user: As, rosa: User, maya: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sees, "MOST_NUMBERS", 2)
    for n in range(3):
        factories.client(maya, f"Robin{n} Bell", email=f"robin{n}@example.net")
    (reach, _) = as_user(rosa).get(url(maya)).context["reach"]
    assert (reach["n"], len(reach["numbers"]), reach["more"]) == (3, 2, 1)
