"""Staff doors under attack: keys of forms, parked sessions, one's own e-mail, odd encodings, files."""

import secrets
from collections.abc import Callable
from io import BytesIO
from typing import Any

import pytest
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from django.core.cache.backends.db import DatabaseCache
from django.test import Client as Browser

from practice import settings as written
from practice.models import Client, KeptForm, Note, User
from practice.wsgi import application

As = Callable[[User], Browser]
Post = Callable[..., Any]


def test_the_key_of_somebody_elses_form_leads_nowhere_and_swallows_nothing(
    maya: User, omar: User, sam: Client, kit: Client, as_user: As, post: Post
) -> None:
    key = secrets.token_urlsafe(24)
    post(as_user(maya), f"/clients/{sam.pk}/notes/", {"words": "Maya's"}, key=key)
    answer = post(as_user(omar), f"/clients/{kit.pk}/notes/", {"words": "Omar's"}, key=key)
    assert answer["Location"] == f"/clients/{kit.pk}/notes/"
    assert [note.body for note in Note.objects.order_by("at")] == ["Maya's", "Omar's"]


def test_the_key_of_one_form_does_not_swallow_another(maya: User, sam: Client, as_user: As, post: Post) -> None:
    key, browser = secrets.token_urlsafe(24), as_user(maya)
    post(browser, f"/clients/{sam.pk}/notes/", {"words": "In the record"}, key=key)
    answer = post(browser, f"/clients/{sam.pk}/psychotherapy-notes/", {"words": "For me"}, key=key)
    assert answer["Location"] == f"/clients/{sam.pk}/psychotherapy-notes/"


def test_a_key_that_no_database_keeps_is_a_key_like_any(maya: User, sam: Client, as_user: As, post: Post) -> None:
    browser = as_user(maya)
    for _ in range(2):
        assert post(browser, f"/clients/{sam.pk}/notes/", {"words": "Once"}, key="\x00" * 24).status_code == 302
    assert Note.objects.count() == 1


def test_a_session_parked_before_the_second_factor_dies_when_one_is_set_up_elsewhere(
    maya: User, sam: Client, client: Browser
) -> None:
    """Security check 20: whoever signed in with the password alone gains nothing from the owner's second factor."""
    client.force_login(maya)
    assert client.get("/caseload/")["Location"] == "/account/2fa/totp/activate/"
    TOTP.activate(maya, generate_totp_secret())
    for _ in range(2):
        answer = client.get(f"/clients/{sam.pk}/")
        assert (answer.status_code, answer["Location"].partition("?")[0]) == (302, "/account/login/")


def test_nobody_moves_their_own_mail_elsewhere(maya: User, as_user: As, post: Post) -> None:
    """Flags are told and passwords reset by mail: an unlocked browser must not be enough to redirect them."""
    browser, before = as_user(maya), maya.email
    assert browser.get("/account/email/").status_code == 404
    for action in ("action_add", "action_primary"):
        post(browser, "/account/email/", {action: "", "email": "elsewhere@example.net"})
    maya.refresh_from_db()
    assert (maya.email, maya.emailaddress_set.count()) == (before, 0)  # type: ignore[attr-defined]


def ask(method: str, path: str, body: bytes = b"", **environ: str) -> int:
    """Ask with what a server hands on, below Django's own test browser; return the status."""
    given = {
        "REQUEST_METHOD": method, "PATH_INFO": path, "QUERY_STRING": "next=/x", "SERVER_NAME": "testserver",
        "SERVER_PORT": "80", "wsgi.url_scheme": "http", "REMOTE_ADDR": "127.0.0.1", "CONTENT_LENGTH": str(len(body)),
        "wsgi.input": BytesIO(body), **environ,
    }  # fmt: skip
    status: int = application.get_response(application.request_class(given)).status_code
    return status


@pytest.mark.parametrize("charset", ["base64", "undefined", "utf-7", "rot13", "utf-16", "idna", "\x00"])
def test_an_encoding_that_is_none_is_read_as_ours(house: object, charset: str) -> None:
    body = b'--X\r\nContent-Disposition: form-data; name="token"\r\n\r\n+2AA-\r\n--X--\r\n'
    kind = f"multipart/form-data; boundary=X; charset={charset}"
    assert ask("GET", "/account/login/", CONTENT_TYPE=f"text/plain; charset={charset}") == 200
    assert ask("POST", "/my/new-link/", body, CONTENT_TYPE=kind) == 403  # read, and without the page's token


@pytest.mark.parametrize("name", ["session", "csrf", "messages", "django_language"])
def test_a_cookie_that_spells_a_nul_is_no_cookie(house: object, name: str) -> None:
    assert ask("GET", "/caseload/", HTTP_COOKIE=rf'{name}="abcdefgh\000ijklmnop"') == 302


def test_a_file_is_refused_before_it_is_read(maya: User, sam: Client, as_user: As, post: Post) -> None:
    file = BytesIO(b"x" * 100)
    file.name = "x.html"
    assert post(as_user(maya), f"/clients/{sam.pk}/notes/", {"words": "With a file", "file": file}).status_code == 400
    assert (Note.objects.count(), KeptForm.objects.count()) == (0, 0)


def test_the_shared_cache_does_not_throw_counts_of_wrong_codes_out() -> None:
    cache = DatabaseCache("practice_cache", written.CACHES["default"])
    assert cache._max_entries >= 100_000


def test_another_sites_form_is_not_offered_to_be_sent_again(rosa: User) -> None:
    """The page after a failed form check shows what was typed, with a button: never what another site put there."""
    browser = Browser(enforce_csrf_checks=True)
    form = {"name": "Mallory", "email": "mallory@example.net", "roles": "admin"}
    for origin, shown in (("http://testserver", True), ("https://evil.example", False), ("null", False)):
        answer = browser.post("/practice/people/new/", form, headers={"Origin": origin})
        assert (answer.status_code, "mallory@example.net" in answer.content.decode()) == (403, shown)
