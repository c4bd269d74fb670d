import re
from io import StringIO
from typing import Any

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.test import Client as Browser

from practice.access import Role
from practice.adapters import password_link
from practice.models import AuditEvent, Site, User


def test_first_admin_gets_a_link_that_sets_a_password(house: object) -> None:
    said = StringIO()
    call_command("first_admin", "Rosa@Example.org", "Rosa Bell", stdout=said)
    rosa = User.objects.get()
    assert (rosa.email, rosa.roles, list(rosa.sites.all())) == ("rosa@example.org", {Role.ADMIN}, [Site.objects.get()])
    assert not rosa.has_usable_password()
    (link,) = re.findall(r"http://testserver(/account/password/reset/key/\S+)", said.getvalue())
    assert Browser().get(link, follow=True).status_code == 200
    assert AuditEvent.objects.filter(action="person.invited", target_id=str(rosa.pk)).count() == 1


def test_second_first_admin_is_refused(rosa: User) -> None:
    """Security check 64: first-run setup closes itself."""
    with pytest.raises(CommandError, match="There is an admin already"):
        call_command("first_admin", "eve@example.org", "Eve")
    assert User.objects.count() == 1


def test_address_that_is_none_is_refused(house: object) -> None:
    with pytest.raises(CommandError, match="is not an e-mail address"):
        call_command("first_admin", "eve", "Eve")
    assert User.objects.count() == 0


def test_site_is_added_once(house: object) -> None:
    call_command("add_site", "South", "--zone", "America/Denver", stdout=StringIO())
    assert list(Site.objects.values_list("name", "zone")) == [("South", "America/Denver")]
    with pytest.raises(CommandError, match="There is a site called South already"):
        call_command("add_site", "South")
    with pytest.raises(CommandError, match="is not a time zone"):
        call_command("add_site", "North", "--zone", "Mars/Olympus")
    assert Site.objects.count() == 1


@pytest.mark.parametrize("page", ["link", "change"])
def test_what_a_password_must_be_is_said_in_plain_words(as_user: Any, rosa: User, page: str) -> None:
    """A hint is text: a list in HTML would be read as it stands."""
    url = password_link(rosa).removeprefix(settings.ORIGIN) if page == "link" else "/account/password/change/"
    browser = Browser() if page == "link" else as_user(rosa)
    shown = browser.get(url, follow=True).content.decode()
    assert "Your password must contain at least 12 characters. Your password" in shown
    assert "&lt;" not in shown
