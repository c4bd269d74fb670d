"""What is begun from something else is begun from this client's own, never from somebody else's (security check 13)."""

from typing import Any

import pytest
from django.urls import reverse

from practice import actions
from practice.models import Client, Note, User
from referrals.models import Decision, Referral, Release
from tests import factories
from tests.conftest import send
from tests.factories import NOW
from tests.meta import matrix

# Where an address or a form names a row that what is written begins with: page, the name it goes by, and the row.
COPIED = (
    ("notes", "about", "note"),
    ("referral_new", "decision", "decision"),
    ("release_new", "again", "release"),
    ("release_new", "referral", "referral"),
)
CANARY = "Secret of Farah"


@pytest.fixture
def far(ines: User) -> Client:
    return factories.client(ines, "Farah Away", email="far@example.net", phone="+1 202 555 0111")


@pytest.fixture
def theirs(maya: User, ines: User, rosa: User, pax: User, sam: Client, far: Client) -> tuple[Any, Any]:
    """One of everything of Sam's, and of Farah's, whose notes and releases hold a word of their own."""
    people = {"own": maya, "colleague": maya, "other_site": ines, "admin": rosa, "client": None, "prescriber": pax}
    ours, foreign = matrix.build(people, sam).objects, matrix.build({**people, "own": ines}, far).objects
    foreign["note"] = actions.write_note(by=ines, client=far, words=CANARY, at=NOW).pk
    for release in Release.objects.filter(client=far):
        release.purpose = CANARY
        release.save()
    return ours, foreign


@pytest.mark.parametrize(("page", "name", "row"), COPIED)
def test_beginning_from_somebody_elses_row_is_not_found(
    as_user: Any, maya: User, sam: Client, theirs: tuple[Any, Any], page: str, name: str, row: str
) -> None:
    """Security check 13: a foreign source is 404, by address and by form, and nothing of it is shown or kept."""
    ours, foreign = theirs
    browser, url = as_user(maya), reverse(page, args=[sam.pk])
    assert browser.get(url, {name: ours[row]}).status_code == 200
    counted = [model.objects.filter(client=sam).count() for model in (Note, Release, Referral, Decision)]
    for wrong in (foreign[row], "00000000-0000-0000-0000-000000000000", "x", "\x00"):
        refused = browser.get(url, {name: wrong})
        assert (refused.status_code, CANARY in refused.content.decode()) == (404, False)
        sent = send(browser, f"{url}?{name}={foreign[row]}", {name: foreign[row], "words": "Mine"})
        assert sent.status_code == 404
    assert [model.objects.filter(client=sam).count() for model in (Note, Release, Referral, Decision)] == counted


def test_plan_goes_on_from_the_clients_own_plan_alone(
    as_user: Any, maya: User, sam: Client, theirs: tuple[Any, Any]
) -> None:
    """Security check 13: neither a plan nor a session of somebody else's is reached by way of one's own."""
    ours, foreign = theirs
    browser = as_user(maya)
    for name, arguments in (
        ("plan", {"plan": foreign["plan"]}),
        ("plan_move", {"plan": foreign["plan"]}),
        ("session", {"plan": ours["plan"], "session": foreign["session"]}),
        ("session_note", {"plan": ours["plan"], "session": foreign["session"]}),
    ):
        url = reverse(name, kwargs=arguments)
        assert (name, browser.get(url).status_code, send(browser, url).status_code) == (name, 404, 404)


def test_packet_of_somebody_elses_referral_is_not_found(
    as_user: Any, maya: User, sam: Client, theirs: tuple[Any, Any]
) -> None:
    """Security check 13: nor is a packet begun from a referral of somebody else's."""
    _ours, foreign = theirs
    browser = as_user(maya)
    for name in ("referral", "referral_edit", "referral_send", "referral_redirect", "packet", "packet_pdf"):
        url = reverse(name, args=[foreign["referral"]])
        assert (name, browser.get(url).status_code, send(browser, url).status_code) == (name, 404, 404)
