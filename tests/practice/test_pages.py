"""The doors: a form is taken once, an act is whole or not at all, a refusal is written down."""

import secrets
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.test import Client as Browser
from django.test import RequestFactory

from practice.access import Permission
from practice.models import AuditEvent, Client, Note, SentForm, User
from practice.pages import OldForm, client_of, record_of, staff_page
from tests import factories
from tests.factories import NOW


def ask(user: User | AnonymousUser, method: str = "post", **data: str) -> HttpRequest:
    request = getattr(RequestFactory(), method)("/notes/", data)
    request.user = user
    request.resolver_match = None
    return request


@pytest.fixture
def add_note(sam: Client) -> Callable[..., HttpResponse]:
    @staff_page(Permission.WRITE_NOTE)
    def view(request: HttpRequest) -> HttpResponse:
        client = client_of(request, sam.pk)
        note = Note(client=client, by=request.user, at=NOW)
        note.body = request.POST["body"]
        note.save()
        if not note.body:
            return HttpResponse("Write the note first.")
        return redirect(f"/landed/{Note.objects.count()}/")

    return view


def test_same_form_sent_twice_is_taken_once_and_lands_on_the_same_page(add_note: Any, maya: User) -> None:
    key = secrets.token_urlsafe(24)
    first = add_note(ask(maya, form_key=key, body="Slept well."))
    second = add_note(ask(maya, form_key=key, body="Slept well."))
    assert (first["Location"], second["Location"], Note.objects.count()) == ("/landed/1/", "/landed/1/", 1)


def test_form_that_was_shown_again_with_an_error_may_be_sent_again(add_note: Any, maya: User) -> None:
    key = secrets.token_urlsafe(24)
    assert add_note(ask(maya, form_key=key, body="")).status_code == 200
    assert SentForm.objects.count() == 0
    assert add_note(ask(maya, form_key=key, body="Slept well.")).status_code == 302


def test_same_key_from_another_page_or_person_is_another_form(
    add_note: Any, maya: User, omar: User, sam: Client
) -> None:
    key = secrets.token_urlsafe(24)
    elsewhere = ask(maya, form_key=key, body="Ate well.")
    elsewhere.path = "/elsewhere/"
    landed = [add_note(ask(maya, form_key=key, body="Slept well."))["Location"], add_note(elsewhere)["Location"]]
    Client.objects.filter(pk=sam.pk).update(therapist=omar)
    landed.append(add_note(ask(omar, form_key=key, body="Felt well."))["Location"])
    assert landed == ["/landed/1/", "/landed/2/", "/landed/3/"]


@pytest.mark.parametrize("key", ["", "short", "x" * 65])
def test_form_without_its_key_is_refused(add_note: Any, maya: User, key: str) -> None:
    with pytest.raises(OldForm):
        add_note(ask(maya, form_key=key, body="Slept well."))
    assert Note.objects.count() == 0


def test_act_on_a_foreign_client_is_not_found_written_down_and_changes_nothing(add_note: Any, omar: User) -> None:
    with pytest.raises(Http404):
        add_note(ask(omar, form_key=secrets.token_urlsafe(24), body="Not mine."))
    last = AuditEvent.objects.order_by("seq").last()
    assert (Note.objects.count(), last.action, last.actor_id, last.outcome) == (0, "refused", omar.pk, "refused")


def test_row_of_one_client_is_unknown_in_the_address_of_another(sam: Client, maya: User) -> None:
    note = Note(client=sam, by=maya, at=NOW)
    note.body = "Slept well."
    note.save()
    other, request = factories.client(maya, "Ada Birch"), ask(maya)
    request.permission = Permission.READ_CHART  # type: ignore[attr-defined]
    assert record_of(request, Note, note.pk, of=sam.pk) == note
    with pytest.raises(Http404):
        record_of(request, Note, note.pk, of=other.pk)


def test_role_without_the_verb_is_denied_before_the_view_runs(add_note: Any, rosa: User) -> None:
    with pytest.raises(PermissionDenied):
        add_note(ask(rosa, form_key=secrets.token_urlsafe(24), body="Not my job."))
    assert Note.objects.count() == 0


def test_view_that_fails_half_way_leaves_nothing(sam: Client, maya: User) -> None:
    @staff_page(Permission.WRITE_NOTE)
    def view(request: HttpRequest) -> HttpResponse:
        note = Note(client=sam, by=request.user, at=NOW)
        note.body = "Half a thought"
        note.save()
        raise RuntimeError("the power went")

    with pytest.raises(RuntimeError):
        view(ask(maya, form_key=secrets.token_urlsafe(24)))
    assert (Note.objects.count(), SentForm.objects.count()) == (0, 0)


@pytest.mark.parametrize("path", ["/", "/help-now/", "/account/login/", "/no-such-page/"])
def test_every_page_before_sign_in_leads_to_who_sees_this_and_accessibility(db: None, path: str) -> None:
    page = Browser().get(path).content.decode()
    assert [f'href="{link}"' in page for link in ("/who-sees-this/", "/accessibility/")] == [True, True]
