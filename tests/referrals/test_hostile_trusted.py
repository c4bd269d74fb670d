"""The page of a trusted person, attacked: whoever has the chart for a while opens it to nobody."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import time_machine
from django.test import Client as Browser
from django.urls import reverse

from intake import actions, trusted
from intake.models import Invitation, TrustedPerson
from practice import emergencies
from practice.models import Client, User
from tests.factories import NOW
from tests.referrals.test_trusted import given, opened

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _thursday_at_ten() -> Iterator[None]:
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.mark.parametrize("who", ["emergency", "prescriber"])
def test_what_a_therapist_held_back_is_given_free_by_who_decides_on_the_care(
    who: str,
    sam: Client,
    maya: User,
    omar: User,
    pax: User,
    rosa: User,
    as_user: Callable[[User], Browser],
    post: Callable[..., Any],
) -> None:
    """Law 3: emergency access lets a colleague read and protect, not let somebody else in."""
    person, url = given(sam), reverse("client_people", args=[sam.pk])
    generation = Invitation.objects.get(pk=person.invitation_id).generation
    trusted.hold(by=maya, person=person, words="He waits outside.", at=NOW)
    if who == "emergency":
        emergencies.open_chart(by=omar, client=sam, reason="She called in a crisis", at=NOW)
    browser = as_user(omar if who == "emergency" else pax)
    page = browser.get(url)
    assert (page.status_code, "let_go" in page.content.decode()) == (200, False)
    assert [post(browser, url, {"act": act, "person": person.pk}).status_code for act in ("let_go", "send")] == [
        403, 403,
    ]  # fmt: skip
    row = TrustedPerson.objects.select_related("invitation").get()
    assert (row.held_at, row.invitation.generation) == (NOW, generation)
    assert "let_go" in as_user(maya).get(url).content.decode()
    assert post(as_user(maya), url, {"act": "let_go", "person": person.pk}).status_code == 302


def test_new_link_opens_after_somebody_came_back_into_care(sam: Client, maya: User) -> None:
    """Law 4: staff are told that a link was sent, so it opens; the old one stays dead."""
    person = given(sam)
    old = Invitation.objects.get(pk=person.invitation_id).path
    actions.withdraw_all(by=maya, client=sam, at=NOW)
    assert trusted.send_link(by=maya, person=person, at=NOW) != []
    person.refresh_from_db()
    assert Browser().get(old).status_code == 404
    assert opened(person).get("/with/").status_code == 200
