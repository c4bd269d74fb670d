"""Name and contact of a client: who may change them, and what happens when two people do."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client as Browser

from practice.models import AuditEvent, Client, User
from tests import factories

As = Callable[[User], Browser]
Post = Callable[..., Any]
pytestmark = pytest.mark.django_db


def form(client: Client, **changed: Any) -> dict[str, Any]:
    return {
        "name_used": client.name_used,
        "legal_name": client.legal_name,
        "pronouns": client.pronouns,
        "birth_date": client.birth_date,
        "email": client.email,
        "phone": client.phone,
        "address": client.address,
        "channels": ["email", "sms", "voice"],
        "reach_note": "",
        "version": client.version,
        **changed,
    }


def url(client: Client) -> str:
    return f"/clients/{client.pk}/edit/"


def test_edit_changes_identity_search_and_audit(as_user: As, post: Post, maya: User, sam: Client) -> None:
    changed = form(
        sam,
        name_used="Samira Whitehorse",
        email="new@example.net",
        emergency_name="Jo",
        emergency_phone="202 555 0101",
        emergency_may_talk="emergency",
        channels=["sms"],
        reach_note="Not before noon",
    )
    response = post(as_user(maya), url(sam), changed)
    assert (response.status_code, response["Location"]) == (302, f"/clients/{sam.pk}/")
    now = Client.objects.get(pk=sam.pk)
    assert (now.name, now.email, now.version) == ("Samira Whitehorse", "new@example.net", 2)
    ways = {"email": False, "sms": True, "voice": False, "voicemail": False}
    assert now.reach == {**ways, "private": ["sms", "email"], "note": "Not before noon"}
    assert now.contact("emergency") == {
        "role": "emergency", "name": "Jo", "relation": "", "phone": "202 555 0101", "may_talk": "emergency",
    }  # fmt: skip
    assert list(Client.objects.named("samira")) == [now]
    event = AuditEvent.objects.get(action="client.edited")
    assert event.facts == {"fields": ["contacts", "email", "name_used", "reach"]}
    assert "new@example.net" not in str(event.facts)


def test_edit_keeps_what_it_does_not_show(as_user: As, post: Post, maya: User, sam: Client) -> None:
    support = {"role": "support", "name": "Bo", "phone": "2025550102", "since": "2020"}
    sam.contacts = [{"role": "lawyer", "name": "Al"}, support]
    sam.save()
    post(as_user(maya), url(sam), form(sam, support_name="Bo", support_phone="2025550102", support_relation="Friend"))
    assert Client.objects.get(pk=sam.pk).contacts == [
        {"role": "lawyer", "name": "Al"},
        {"role": "support", "name": "Bo", "phone": "2025550102", "since": "2020", "relation": "Friend", "may_talk": ""},
    ]


def test_edit_changes_the_language_of_their_pages_and_messages(
    as_user: As, post: Post, maya: User, sam: Client
) -> None:
    post(as_user(maya), url(sam), form(sam, language="es"))
    now = Client.objects.get(pk=sam.pk)
    assert now.language == "es"
    assert AuditEvent.objects.get(action="client.edited").facts == {"fields": ["language", "reach"]}
    post(as_user(maya), url(sam), form(now))
    assert Client.objects.get(pk=sam.pk).language == "es"
    refused = post(as_user(maya), url(sam), form(sam, language="xx"))
    assert (refused.status_code, Client.objects.get(pk=sam.pk).language) == (400, "es")


def test_two_people_at_once_lose_nothing(as_user: As, post: Post, maya: User, fay: User, sam: Client) -> None:
    first, second = form(sam, phone="202 555 0111"), form(sam, phone="202 555 0222", name_used="Sammy")
    assert post(as_user(fay), url(sam), first).status_code == 302
    browser = as_user(maya)
    conflict = post(browser, url(sam), second)
    page = conflict.content.decode()
    assert conflict.status_code == 409
    for both in ("202 555 0111", "202 555 0222", "Sammy", "Sam Whitehorse"):
        assert both in page
    assert Client.objects.get(pk=sam.pk).phone == "202 555 0111"
    again = post(browser, url(sam), second | {"version": 2})  # what "Keep mine" sends
    assert again.status_code == 302
    now = Client.objects.get(pk=sam.pk)
    assert (now.phone, now.name, now.version) == ("202 555 0222", "Sammy", 3)


def test_second_press_changes_nothing(as_user: As, post: Post, maya: User, sam: Client) -> None:
    browser, key = as_user(maya), "k" * 32
    for _ in range(2):
        response = post(browser, url(sam), form(sam, name_used="Sammy"), key=key)
        assert response["Location"] == f"/clients/{sam.pk}/"
    assert Client.objects.get(pk=sam.pk).version == 2


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("name_used", "", "Write the name they use."),
        ("name_used", "x" * 10_000, "80"),
        ("name_used", "a\x00b", "Null characters"),
        ("birth_date", "2026-02-30", "Write the date as year, month, day"),
        ("birth_date", "2999-01-01", "a day in the past"),
        ("birth_date", "0001-01-01", "a day in the past"),
        ("email", "sam at home", "valid email"),
        ("phone", "call me", "Write the phone number in digits"),
        ("version", str(2**70), ""),
        ("version", "", ""),
    ],
)
def test_bad_input_is_said_and_kept(
    as_user: As, post: Post, maya: User, sam: Client, field: str, value: str, said: str
) -> None:
    response = post(as_user(maya), url(sam), form(sam, address="12 Long Road", **{field: value}))
    assert response.status_code == 400
    page = response.content.decode()
    assert said in page
    assert "12 Long Road" in page
    assert "There is a problem" in page
    assert Client.objects.get(pk=sam.pk).version == 1


def test_edit_needs_a_way_to_reach_them(as_user: As, post: Post, maya: User, sam: Client) -> None:
    response = post(as_user(maya), url(sam), form(sam, email="", phone=""))
    assert "Write an e-mail or a mobile phone" in response.content.decode()


def test_only_the_right_people_may_edit(
    as_user: As,
    post: Post,
    maya: User,
    omar: User,
    ines: User,
    sol: User,
    pax: User,
    fay: User,
    rosa: User,
    gone: User,
    sam: Client,
) -> None:
    sealed = "12 Hidden Road"
    sam.address = sealed
    sam.save()
    got = {}
    for user in (maya, omar, ines, sol, pax, fay, rosa, gone):
        read, write = as_user(user).get(url(sam)), post(as_user(user), url(sam), form(sam, name_used="Taken"))
        got[user.name.split()[0]] = (read.status_code, write.status_code, sealed in read.content.decode())
        Client.objects.filter(pk=sam.pk).update(version=1)
    own, none = (200, 302, True), (404, 404, False)
    assert got == {
        "Maya": own,
        "Omar": none,
        "Ines": none,
        "Sol": own,
        "Pax": (403, 403, False),
        "Fay": own,
        "Rosa": own,
        "Gone": (302, 302, False),
    }


def test_fields_that_are_not_on_the_form_are_ignored(
    as_user: As, post: Post, maya: User, omar: User, sam: Client
) -> None:
    post(
        as_user(maya),
        url(sam),
        form(sam, therapist=str(omar.pk), site="99", status="discharged", id=str(omar.pk), rank="0"),
    )
    now = Client.objects.get(pk=sam.pk)
    assert (now.therapist_id, now.site_id, now.status, now.rank) == (maya.pk, sam.site_id, "active", sam.rank)


def test_front_desk_comes_back_to_a_page_they_may_read(as_user: As, post: Post, fay: User, sam: Client) -> None:
    assert post(as_user(fay), url(sam), form(sam, name_used="Sammy"))["Location"] == url(sam)


def test_reading_the_form_is_audited(as_user: As, fay: User, sam: Client) -> None:
    as_user(fay).get(url(sam))
    event = AuditEvent.objects.get(action="read.identity")
    assert (event.actor_id, event.client_id) == (fay.pk, sam.pk)


def test_what_they_said_of_channels_is_shown(as_user: As, maya: User) -> None:
    client = factories.client(maya, "Una Said", reach={})
    page = as_user(maya).get(url(client)).content.decode()
    assert page.count(" checked") == 4  # until they say otherwise, every way we have is open
