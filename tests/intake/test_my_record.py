"""A client asks for a copy of their record on their own page, sees by when it comes, and may take it back."""

from datetime import timedelta
from typing import Any

from django.urls import reverse
from django.utils import timezone

from practice import access_requests
from practice.models import AccessRequest, AuditEvent, Client, Task, User
from practice.templatetags.ui import full_day
from tests import factories
from tests.conftest import send
from tests.homes import at_home


def said(browser: Any, name: str = "my_record") -> str:
    return " ".join(browser.get(reverse(name)).content.decode().split())


def test_client_asks_sees_the_day_and_takes_it_back(sam: Client, maya: User) -> None:
    """Security check 52: the due date is shown to the client too."""
    browser = at_home(sam)
    assert "Ask for a copy of my record" in said(browser, "my_home")
    assert send(browser, reverse("my_record"), {"words": "On paper"}).status_code == 303
    request = AccessRequest.objects.get()
    due = full_day(factories.today() + timedelta(days=30))
    assert f"You have it by {due}" in said(browser)
    assert "See where it stands" in said(browser, "my_home")
    access_requests.extend(by=maya, request=request, words="The archive is being moved.", at=timezone.now())
    assert "The archive is being moved." in said(browser)
    send(browser, reverse("my_record"), {"back": "1"})
    request.refresh_from_db()
    assert (request.state, request.closed_by) == ("withdrawn", None)
    assert not Task.objects.filter(kind="record_copy", done_at=None).exists()
    assert {e.actor_kind for e in AuditEvent.objects.filter(action="access_request.withdrawn")} == {"client"}


def test_words_that_are_too_long_are_kept_on_the_page(sam: Client) -> None:
    browser = at_home(sam)
    answer = send(browser, reverse("my_record"), {"words": "x" * 1001})
    assert (answer.status_code, "x" * 1001 in answer.content.decode()) == (400, True)
    assert AccessRequest.objects.count() == 0


def test_taking_back_what_is_closed_changes_nothing(sam: Client, maya: User) -> None:
    browser = at_home(sam)
    send(browser, reverse("my_record"), {"words": ""})
    request = AccessRequest.objects.get()
    access_requests.give(by=maya, request=request, how="seen", words="", at=timezone.now())
    send(browser, reverse("my_record"), {"back": "1"})
    request.refresh_from_db()
    assert (request.state, request.closed_by) == ("given", maya)
