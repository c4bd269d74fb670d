"""What nobody asked for in a form or an address changes nothing (security checks 3, 5, 6)."""

from collections.abc import Callable
from typing import Any

import pytest
from django.apps import apps
from django.db import models, transaction
from django.test import Client as Browser
from django.urls import reverse

from practice.models import Client, ClientRecord, RoleGrant, User
from practice.sealed import Sealed
from tests import factories
from tests.conftest import send
from tests.meta import matrix
from tests.meta.test_doors import patterns


@pytest.fixture
def far(ines: User) -> Client:
    return factories.client(ines, "Farah Away", email="far@example.net", phone="+1 202 555 0111")


def rows_of(client: Client) -> dict[str, list[Any]]:
    """Every stored row of one client, as it is."""
    whose: dict[type[models.Model], str] = {Client: "pk"}
    whose |= {m: f"{m.client_path}_id" for m in apps.get_models() if issubclass(m, ClientRecord)}
    return {
        model._meta.label: sorted(
            repr([cell.blob if isinstance(cell, Sealed) else cell for cell in row])
            for row in model._base_manager.filter(**{path: client.pk}).values_list()
        )
        for model, path in whose.items()
    }


def standing(user: User, client: Client) -> tuple[Any, ...]:
    """What a person may do, and whose the client is."""
    roles = sorted(RoleGrant.objects.filter(user=user).values_list("role", flat=True))
    fresh = User.objects.get(pk=user.pk)
    owned = Client.objects.values_list("therapist", "prescriber", "site", "number", "is_demo").get(pk=client.pk)
    return roles, fresh.is_active, fresh.supervisor_id, fresh.email, owned


def test_unasked_and_foreign_fields_in_every_post_take_no_effect(
    maya: User, omar: User, ines: User, sol: User, rosa: User, sam: Client, far: Client, as_user: Any
) -> None:
    people = {"own": maya, "colleague": omar, "other_site": ines, "supervisor": sol, "admin": rosa, "client": None}
    world = matrix.build(people, sam)
    foreign = matrix.build({**people, "own": ines}, far).objects
    unasked = {
        "id": far.pk, "pk": far.pk, "uuid": far.pk, "client": far.pk, "client_id": far.pk, "owner": ines.pk,
        "therapist": ines.pk, "prescriber": ines.pk, "site": far.site_id, "user": ines.pk, "by": ines.pk,
        "role": "admin", "roles": "admin", "is_active": "0", "is_demo": "1", "number": "1", "supervisor": maya.pk,
        "alert": foreign["alert"], "intake": foreign["intake"], "suggestion": foreign["suggestion"], "practice": "2",
    }  # fmt: skip
    browser = as_user(maya)
    before = rows_of(far), standing(maya, sam), standing(ines, far)
    for pattern in patterns():
        name, wanted = matrix.name_and_arguments(pattern)
        if name in ("account_logout", "leave"):
            continue
        with transaction.atomic():
            send(browser, reverse(name, kwargs=world.arguments(name, wanted)), unasked)
            assert (rows_of(far), standing(maya, sam), standing(ines, far)) == before, name
            transaction.set_rollback(True)


@pytest.mark.parametrize("query", [
    "sort=legal_name", "sort=phq9", "sort=therapist__password", "sort=-rank", "sort=severity", "show=closing_note",
    "show=%27%20OR%201=1", "who=all", "who=everybody", "sort=session&sort=birth_date",
])  # fmt: skip
def test_list_asked_by_a_hidden_or_foreign_field_is_refused(
    as_user: Callable[[User], Browser], maya: User, sam: Client, query: str
) -> None:
    assert as_user(maya).get(f"/caseload/?{query}").status_code == 400


@pytest.mark.parametrize("model", [m for m in apps.get_models() if issubclass(m, ClientRecord)], ids=str)
def test_row_of_another_client_is_not_among_ones_own(model: type[models.Model], maya: User, far: Client) -> None:
    assert not model.objects.visible_to(maya).filter(**{model.client_path: far}).exists()  # type: ignore[attr-defined]
