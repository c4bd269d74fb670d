"""The places where the practice works, on a page: added, changed, never two of one name."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client as Browser

from practice.models import AuditEvent, Practice, Site, User

As = Callable[[User], Browser]
Post = Callable[..., Any]
pytestmark = pytest.mark.django_db
URL = "/practice/sites/"
SOUTH = {"name": "South", "zone": "America/Denver", "address": "1 Elm St", "phone": "202 555 0142"}


def words(response: Any) -> str:
    return " ".join(re.sub(r"<[^>]*>", " ", response.content.decode()).split())


def names() -> list[str]:
    return [site.name for site in Site.objects.all()]


def test_site_is_added_on_a_page_and_changed(as_user: As, post: Post, rosa: User) -> None:
    """Feature O7: another place needs no shell."""
    browser = as_user(rosa)
    assert post(browser, URL, SOUTH)["Location"] == URL
    page = words(browser.get(URL))
    assert "South is added. Say under People who works there." in page
    assert "South Change America/Denver · 0 people work here · 1 Elm St · 202 555 0142" in page
    assert "Cedar House North Change America/New York · 1 person works here" in page
    south = Site.objects.get(name="South")
    assert post(browser, f"{URL}{south.pk}/", SOUTH | {"phone": "202 555 0199"})["Location"] == URL
    south.refresh_from_db()
    assert (south.phone, south.address) == ("202 555 0199", "1 Elm St")
    events = AuditEvent.objects.filter(action__startswith="site.").order_by("pk")
    assert [(event.action, event.facts.get("fields")) for event in events] == [
        ("site.added", None),
        ("site.edited", ["phone"]),
    ]


def test_new_site_begins_with_the_time_zone_of_the_practice(as_user: As, rosa: User, house: Practice) -> None:
    Practice.objects.update(zone="America/Denver")
    assert '<option value="America/Denver" selected>' in as_user(rosa).get(URL).content.decode()


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"name": ""}, "Write the name of the site."),
        ({"name": "x" * 81}, "letters at most"),
        ({"name": "cedar house NORTH"}, "There is a site called cedar house NORTH already."),
        ({"zone": "Mars/Olympus"}, "valid choice"),
        ({"phone": "soon"}, "Write the phone number in digits"),
    ],
)
def test_bad_sites_are_said_and_nothing_is_saved(
    as_user: As, post: Post, rosa: User, changed: dict[str, str], said: str
) -> None:
    response = post(as_user(rosa), URL, SOUTH | changed)
    assert (response.status_code, names()) == (400, ["Cedar House North"])
    assert said in words(response)


def test_site_keeps_its_own_name_and_cannot_take_anothers(as_user: As, post: Post, rosa: User, south: Site) -> None:
    url = f"{URL}{south.pk}/"
    assert post(as_user(rosa), url, SOUTH | {"name": "Cedar House North"}).status_code == 400
    assert post(as_user(rosa), url, SOUTH | {"name": south.name}).status_code == 302
    assert names() == ["Cedar House North", "Cedar House South"]
    assert as_user(rosa).get(f"{URL}99999/").status_code == 404


def test_somebody_new_begins_at_the_only_site(as_user: As, rosa: User, house: Practice) -> None:
    page = as_user(rosa).get("/practice/people/new/").content.decode()
    assert len(re.findall(r'name="sites"[^>]*checked', page)) == 1
    Site.objects.create(name="South")
    page = as_user(rosa).get("/practice/people/new/").content.decode()
    assert re.findall(r'name="sites"[^>]*checked', page) == []


def test_client_cannot_be_invited_before_there_is_a_therapist(as_user: As, rosa: User, fay: User) -> None:
    for user, way in ((rosa, "Go to people"), (fay, "An admin invites them.")):
        page = words(as_user(user).get("/clients/new/"))
        assert "Nobody is a therapist yet" in page
        assert way in page
        assert "Send the invitation" not in page


def test_two_admins_change_one_site_and_lose_nothing(as_user: As, post: Post, rosa: User, south: Site) -> None:
    browser, url = as_user(rosa), f"{URL}{south.pk}/"
    pages = [re.search(r'name="version" value="(\d+)"', browser.get(url).content.decode()) for _ in range(2)]
    first, stale = (page[1] for page in pages if page)
    said = {"name": south.name, "zone": south.zone, "address": "", "phone": ""}
    assert post(browser, url, said | {"phone": "202 555 0111", "version": first})["Location"] == URL
    answer = post(browser, url, said | {"address": "2 Oak St", "version": stale})
    page = words(answer)
    assert (answer.status_code, "Somebody changed this first" in page) == (409, True)
    assert "Address Yours 2 Oak St Theirs Empty" in page
    assert "Phone Yours Empty Theirs 202 555 0111" in page
    south.refresh_from_db()
    assert (south.address, south.phone) == ("", "202 555 0111")
