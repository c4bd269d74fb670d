"""Around every request: headers, locks, the second factor, trouble, logs (security checks 20-25, 35, 46, 59-62)."""

import json
import logging
import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import (
    TOTP,
    format_hotp_value,
    generate_totp_secret,
    hotp_value,
    yield_hotp_counters_from_time,
)
from django.contrib.auth import get_user
from django.core.exceptions import BadRequest, PermissionDenied
from django.db import OperationalError
from django.http import Http404, HttpRequest, HttpResponse
from django.test import Client as Browser
from django.test import RequestFactory, override_settings
from django.urls import URLResolver, get_resolver, include, path, reverse

from practice.logs import NothingOfAClient, OneLine
from practice.middleware import KEYED, origin_of
from practice.models import AuditEvent, Client, KeptForm, User
from practice.pages import public
from tests.conftest import send
from tests.factories import NOW

Post = Callable[..., Any]
CANARY = "Zephyrine Quillfeather"


# --- A house with broken rooms: each raises what real trouble raises -------------------------------------------------


def _room(trouble: Exception) -> Any:
    def room(request: HttpRequest) -> HttpResponse:
        raise trouble

    return public(room)


urlpatterns = [
    path("broken/400/", _room(BadRequest("hidden detail"))),
    path("broken/403/", _room(PermissionDenied("hidden detail"))),
    path("broken/404/", _room(Http404("hidden detail"))),
    path("broken/500/", _room(ZeroDivisionError("hidden detail"))),
    path("broken/503/", _room(OperationalError("hidden detail: SELECT name FROM practice_client"))),
    path("", include("practice.urls")),
]
handler400 = "practice.views.trouble.bad_request"
handler403 = "practice.views.trouble.forbidden"
handler404 = "practice.views.trouble.not_found"
handler500 = "practice.views.trouble.server_error"


@pytest.fixture
def broken(db: None) -> Iterator[Browser]:
    with override_settings(ROOT_URLCONF=__name__):
        yield Browser(raise_request_exception=False)


# --- Headers ---------------------------------------------------------------------------------------------------------

STRICT = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; "
    "font-src 'self'; connect-src 'self'; manifest-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=()",
    "X-Robots-Tag": "noindex, nofollow",
    "Cache-Control": "no-store",
}


def strict_part(response: Any) -> dict[str, str]:
    found = {name: response.headers.get(name) for name in STRICT}
    if "no-store" in found["Cache-Control"].split(", "):  # some pages add what older caches need
        found["Cache-Control"] = "no-store"
    return found


@pytest.mark.parametrize("status", [400, 403, 404, 500, 503])
def test_page_of_trouble_is_strict_and_says_nothing_of_the_inside(broken: Browser, status: int) -> None:
    """Security checks 60 and 61."""
    response = broken.get(f"/broken/{status}/")
    assert (response.status_code, strict_part(response)) == (status, STRICT)
    page = response.content.decode()
    assert re.findall(r"hidden detail|Traceback|SELECT|Error\b|practice_client|settings|/views/|5\.2", page) == []
    assert "988" in page


def test_only_a_fault_of_ours_carries_a_number_to_tell_us(broken: Browser) -> None:
    page = broken.get("/broken/500/").content.decode()
    assert len(re.findall(r"\b[0-9a-f]{8}\b", page)) == 1


SAMPLES = {"Int": "1", "UUID": "6f1c7a9e-9f6c-4f6a-8b0a-0e6b4a3a1c11", "String": "unknown", "Slug": "unknown"}


def addresses(patterns: list[Any], around: tuple[tuple[str, str], ...] = ()) -> Iterator[tuple[str, str, Any]]:
    """(name, address with made-up arguments, view) of every URL name."""
    for pattern in patterns:
        kinds = {key: type(c).__name__ for key, c in getattr(pattern.pattern, "converters", {}).items()}
        arguments = dict(around) | {key: SAMPLES[kind.removesuffix("Converter")] for key, kind in kinds.items()}
        if hasattr(pattern.pattern, "regex"):
            arguments |= {key: arguments.get(key, "a-b") for key in pattern.pattern.regex.groupindex}
        if isinstance(pattern, URLResolver):
            yield from addresses(pattern.url_patterns, tuple(arguments.items()))
        elif pattern.name:
            yield pattern.name, reverse(pattern.name, kwargs=arguments), pattern.callback


ALL = {name: (url, view) for name, url, view in addresses(get_resolver("practice.urls").url_patterns)}


@pytest.mark.parametrize("name", sorted(ALL))
def test_every_address_answers_strictly(name: str, rosa: User, as_user: Callable[[User], Browser]) -> None:
    """Security check 61: every URL name, signed in and signed out."""
    url, _ = ALL[name]
    for browser in (as_user(rosa), Browser()):
        response = browser.get(url)
        expected = STRICT | ({"Referrer-Policy": "strict-origin"} if url.startswith(KEYED) else {})
        assert (response.status_code < 500, strict_part(response)) == (True, expected)


def test_static_files_may_be_kept_by_the_browser(db: None) -> None:
    response = Browser().get("/static/practice/css/base.css")
    assert response.headers.get("Cache-Control") != "no-store"
    assert response["X-Content-Type-Options"] == "nosniff"


def test_public_https_adds_transport_security(db: None, settings: Any) -> None:
    settings.SECURE_HSTS_SECONDS = 31536000
    assert Browser().get("/help-now/")["Strict-Transport-Security"] == "max-age=31536000; includeSubDomains"


@pytest.mark.parametrize("host", ["evil.example", "testserver.evil.example", "testserver@evil.example"])
def test_foreign_host_is_refused(db: None, host: str) -> None:
    """Security check 28, its first half."""
    assert Browser().get("/", headers={"host": host}).status_code == 400
    assert Browser().get("/", headers={"x-forwarded-host": host}).status_code == 200


# --- Where a request comes from --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("trusted", "claimed", "origin"),
    [
        (0, "203.0.113.9", "198.51.100.7"),
        (0, None, "198.51.100.7"),
        (1, "203.0.113.9", "203.0.113.9"),
        (1, "1.1.1.1, 203.0.113.9", "203.0.113.9"),
        (2, "1.1.1.1, 203.0.113.9, 10.0.0.2", "203.0.113.9"),
        (2, "203.0.113.9", "198.51.100.7"),
        (1, "x" * 500, "x" * 45),
        (1, " , ,", "198.51.100.7"),
    ],
)
def test_origin_is_what_our_own_proxies_say(trusted: int, claimed: str | None, origin: str, settings: Any) -> None:
    settings.TRUSTED_PROXIES = trusted
    forwarded = {"HTTP_X_FORWARDED_FOR": claimed} if claimed is not None else {}
    assert origin_of(RequestFactory().get("/", REMOTE_ADDR="198.51.100.7", **forwarded)) == origin


def test_spoofed_address_does_not_reach_the_audit_trail(maya: User, sam: Client, as_user: Any) -> None:
    as_user(maya).get(reverse("chart", args=[sam.pk]), HTTP_X_FORWARDED_FOR="203.0.113.9", REMOTE_ADDR="198.51.100.7")
    assert AuditEvent.objects.order_by("pk").last().origin == "198.51.100.7"


# --- The clock of a session ------------------------------------------------------------------------------------------


@pytest.fixture
def at() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(NOW, tick=False) as clock:
        yield clock


def signed_in(browser: Browser) -> bool:
    request = HttpRequest()
    request.session = browser.session
    return get_user(request).is_authenticated


def test_page_locks_after_fifteen_idle_minutes(maya: User, as_user: Any, at: time_machine.Traveller) -> None:
    """Security check 22: 15 min is still open, 15 min 1 s is locked."""
    browser = as_user(maya)
    assert browser.get("/account/").status_code == 200
    at.shift(timedelta(minutes=15))
    assert browser.get("/account/").status_code == 200
    at.shift(timedelta(minutes=15, seconds=1))
    response = browser.get("/account/")
    assert (response.status_code, response["Location"]) == (302, "/account/login/?next=%2Faccount%2F&locked=1")
    assert not signed_in(browser)
    assert AuditEvent.objects.filter(action="session.locked").count() == 1


def test_static_files_do_not_keep_a_session_awake(maya: User, as_user: Any, at: time_machine.Traveller) -> None:
    browser = as_user(maya)
    browser.get("/account/")
    for _ in range(16):
        at.shift(timedelta(minutes=1))
        browser.get("/static/practice/css/base.css")
        browser.get("/help-now/")
    assert browser.get("/account/").status_code == 302


def test_text_typed_before_the_lock_is_kept_sealed(
    maya: User, sam: Client, as_user: Any, at: time_machine.Traveller
) -> None:
    """Security check 22, its second half: nothing is written to the chart, nothing typed is lost."""
    browser, url = as_user(maya), reverse("notes", args=[sam.pk])
    browser.get(url)
    at.shift(timedelta(minutes=16))
    response = send(browser, url, {"text": f"{CANARY} slept well", "kind": ["a", "b"], "password": "hunter2hunter2"})
    assert response.status_code == 302
    kept = KeptForm.objects.get()
    assert (kept.user, kept.path) == (maya, url)
    assert kept.fields == [["text", f"{CANARY} slept well"], ["kind", "a"], ["kind", "b"]]
    assert CANARY.encode() not in bytes(KeptForm.objects.values_list("fields", flat=True).get().blob)


def test_working_day_ends_after_twelve_hours(maya: User, as_user: Any, at: time_machine.Traveller) -> None:
    """Security check 23."""
    browser = as_user(maya)
    browser.get("/account/")
    for _ in range(72):
        at.shift(timedelta(minutes=10))
        assert browser.get("/account/").status_code == 200
    at.shift(timedelta(seconds=1))
    assert browser.get("/account/").status_code == 302


def test_lock_empties_the_browser(maya: User, as_user: Any, at: time_machine.Traveller) -> None:
    """Security check 62."""
    browser = as_user(maya)
    browser.get("/account/")
    at.shift(timedelta(minutes=16))
    assert "cache" in browser.get("/account/")["Clear-Site-Data"]


# --- Signing in ------------------------------------------------------------------------------------------------------

PASSWORD = "correct horse battery"


def equip(user: User) -> str:
    """Give somebody an authenticator app; returns its secret."""
    user.email = f"{user.first_name.lower()}@example.org"
    user.save()
    secret = generate_totp_secret()
    TOTP.activate(user, secret)
    return secret


@pytest.fixture
def seed(maya: User) -> str:
    return equip(maya)


def code(secret: str, steps_ago: int = 0) -> str:
    counter = next(iter(yield_hotp_counters_from_time())) - steps_ago
    return format_hotp_value(hotp_value(secret, counter))


def give_password(browser: Browser, email: str = "maya@example.org", password: str = PASSWORD) -> Any:
    return send(browser, "/account/login/", {"login": email, "password": password})


def give_code(browser: Browser, digits: str) -> Any:
    return send(browser, "/account/2fa/authenticate/", {"code": digits})


OPEN_WITHOUT_SECOND_FACTOR = {
    "mfa_activate_totp", "mfa_add_webauthn", "mfa_index", "mfa_generate_recovery_codes", "mfa_view_recovery_codes",
    "mfa_download_recovery_codes", "mfa_reauthenticate", "mfa_reauthenticate_webauthn", "account_logout",
    "account_reauthenticate",
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(ALL))
def test_password_alone_opens_nothing(name: str, maya: User, sam: Client) -> None:
    """Security check 20: staff without a second factor reach what sets one up, and what anyone may see."""
    browser = Browser()
    browser.force_login(maya)
    url, view = ALL[name]
    door = getattr(view, "door", None)
    response = browser.get(url.replace(SAMPLES["UUID"], str(sam.pk)))
    if name in OPEN_WITHOUT_SECOND_FACTOR or (door and door.kind in ("public", "client")):
        assert (response.status_code, response.headers.get("Location")) != (302, "/account/2fa/totp/activate/")
    else:
        assert (response.status_code, response.headers.get("Location")) == (302, "/account/2fa/totp/activate/")


def test_password_step_of_sign_in_opens_nothing(maya: User, seed: str) -> None:
    browser = Browser()
    give_password(browser)
    assert not signed_in(browser)
    for url in ("/account/", "/caseload/", "/account/2fa/", "/account/2fa/totp/deactivate/", "/account/devices/"):
        assert browser.get(url)["Location"].startswith("/account/login/"), url


def test_session_changes_at_each_step(maya: User, seed: str) -> None:
    """Security check 21: before, after the password, after the second factor: three ids, the old ones dead."""
    browser = Browser()
    session = browser.session
    session["planted"] = True
    session.save()
    ids = [browser.session.session_key]
    give_password(browser)
    ids.append(browser.session.session_key)
    give_code(browser, code(seed))
    ids.append(browser.session.session_key)
    assert (len(set(ids)), signed_in(browser)) == (3, True)
    for old in ids[:2]:
        stolen = Browser()
        stolen.cookies["session"] = old
        assert stolen.get("/account/").status_code == 302


def test_code_is_good_once_and_not_for_long(maya: User, seed: str, at: time_machine.Traveller) -> None:
    """Security check 24."""
    first, second, third = Browser(), Browser(), Browser()
    digits = code(seed)
    for browser in (first, second, third):
        give_password(browser)
    give_code(first, digits)
    give_code(second, digits)
    give_code(third, code(seed, steps_ago=2))
    assert [signed_in(b) for b in (first, second, third)] == [True, False, False]
    at.shift(timedelta(seconds=30))
    give_code(second, code(seed))
    assert signed_in(second)


def test_guessing_from_many_places_is_stopped_for_that_account_only(maya: User, omar: User, seed: str) -> None:
    """Security check 25: ten wrong passwords for one account from as many addresses."""
    for n in range(11):
        give_password(Browser(REMOTE_ADDR=f"198.51.100.{n}"), password="wrong horse battery")
    here = Browser(REMOTE_ADDR="203.0.113.1")
    give_password(here)
    give_code(here, code(seed))
    assert not signed_in(here)
    other = Browser(REMOTE_ADDR="203.0.113.2")
    secret = equip(omar)
    give_password(other, "omar@example.org")
    give_code(other, code(secret))
    assert signed_in(other)


def test_guessing_the_second_factor_is_stopped(maya: User, seed: str) -> None:
    """Security check 25 (V36): a thousand-code guesser with the right password does not get many tries."""
    right = code(seed)
    wrong = [f"{(int(right) + n) % 10**6:06d}" for n in range(1, 12)]
    browser = Browser(REMOTE_ADDR="203.0.113.1")
    give_password(browser)
    for digits in wrong:
        give_code(browser, digits)
    give_code(browser, right)
    assert not signed_in(browser)


def test_second_factor_secret_is_sealed_at_rest(maya: User, seed: str) -> None:
    """Security check 31, for the authenticator."""
    stored = json.dumps(Authenticator.objects.get(user=maya, type="totp").data)
    assert seed not in stored


def test_signed_out_is_signed_out(maya: User, as_user: Any) -> None:
    browser = as_user(maya)
    key = browser.session.session_key
    response = send(browser, "/account/logout/")
    assert response.status_code == 302
    assert "cache" in response["Clear-Site-Data"]
    stolen = Browser()
    stolen.cookies["session"] = key
    assert stolen.get("/account/").status_code == 302


# --- Trouble ---------------------------------------------------------------------------------------------------------


def test_database_trouble_keeps_what_was_typed(broken: Browser) -> None:
    """Security check 66, one request of it: 503, the text on the page as text, ready to be sent again."""
    typed = '<script>alert(1)</script> "quoted" & \u202eright to left'
    response = send(broken, "/broken/503/", {"note": typed, "tags": ["one", "two"], "password": "hunter2hunter2"})
    page = response.content.decode()
    assert (response.status_code, response["Retry-After"], strict_part(response)) == (503, "20", STRICT)
    hidden = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', page)
    from html import unescape

    assert [(n, unescape(v)) for n, v in hidden if n in ("note", "tags")] == [
        ("note", typed),
        ("tags", "one"),
        ("tags", "two"),
    ]
    assert "<script>alert" not in page
    assert "hunter2" not in page


def test_help_page_answers_with_the_database_down(maya: User, as_user: Any) -> None:
    """Even for a browser that holds a session, which is in the database, too."""
    from django.db import connection

    browser = as_user(maya)
    browser.raise_request_exception = False

    def down(*args: Any) -> Any:
        raise OperationalError("server closed the connection unexpectedly")

    with connection.execute_wrapper(down):
        away, here = browser.get("/account/"), browser.get("/help-now/")
    assert (away.status_code, here.status_code) == (503, 200)
    assert 'href="tel:988"' in here.content.decode()


def test_post_without_a_token_is_refused_and_keeps_the_text(maya: User, sam: Client) -> None:
    browser = Browser(enforce_csrf_checks=True)
    browser.force_login(maya)
    session = browser.session
    session["second_factor"] = True
    session.save()
    response = send(browser, reverse("notes", args=[sam.pk]), {"text": "kept <b>words</b>"})
    assert response.status_code == 403
    assert "kept &lt;b&gt;words&lt;/b&gt;" in response.content.decode()


@pytest.mark.parametrize("key", ["", "short", "x" * 65])
def test_post_without_a_form_key_is_refused(maya: User, as_user: Any, key: str) -> None:
    response = as_user(maya).post("/account/", {"name": "Maya", "form_key": key})
    assert response.status_code == 400
    assert User.objects.get(pk=maya.pk).name == "Maya Torres"


# --- Logs ------------------------------------------------------------------------------------------------------------


def line(message: str, *args: Any, **more: Any) -> dict[str, Any]:
    """What our handler would write for this record."""
    record = logging.makeLogRecord({"name": "practice.x", "levelname": "ERROR", "msg": message, "args": args} | more)
    assert NothingOfAClient().filter(record)
    written = OneLine().format(record)
    assert "\n" not in written
    found: dict[str, Any] = json.loads(written)
    return found


def test_log_hides_tokens_ids_and_query_strings() -> None:
    """Security checks 35 and 59."""
    token = "f3a9" * 16
    said = line("Not Found: %s", f"/p/{token}/?name=Sam&dob=1993")["said"]
    assert (token in said, "Sam" in said, "1993" in said) == (False, False, False)
    said = line(
        "Forbidden: /clients/6f1c7a9e-9f6c-4f6a-8b0a-0e6b4a3a1c11/notes/ and /account/password/reset/key/1-abc-x/"
    )["said"]
    assert ("6f1c7a9e" in said, "1-abc" in said) == (False, False)


def test_log_drops_tracebacks_and_unknown_fields() -> None:
    """A traceback quotes values; a request holds what somebody typed."""
    try:
        raise ValueError(CANARY)
    except ValueError as trouble:
        info = (ValueError, trouble, trouble.__traceback__)
    written = line("went wrong", exc_info=info, request=CANARY, stack_info=CANARY, sql=CANARY, job="41")
    assert {k: v for k, v in written.items() if k != "at"} == {
        "level": "ERROR",
        "log": "practice.x",
        "said": "went wrong",
        "trouble": "ValueError",
        "job": "41",
    }


def test_log_line_stays_one_line() -> None:
    """Security check 46."""
    said = line("agent %s", 'a\r\nb\x1b[31m "level": "INFO"')["said"]
    assert said == 'agent a\r\nb\x1b[31m "level": "INFO"'


@pytest.mark.parametrize("status", [400, 403, 404, 500, 503])
def test_trouble_of_a_form_leaves_no_word_of_it_in_the_log(
    broken: Browser, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    """Security check 59, for logs: the canary is typed, everything goes wrong, nothing of it is written."""
    send(broken, f"/broken/{status}/?who={CANARY}", {"note": CANARY}, HTTP_USER_AGENT=CANARY)
    written = []
    for record in caplog.records:
        NothingOfAClient().filter(record)
        written.append(OneLine().format(record))
    assert written != [] or status == 400
    assert [text for text in written if "Zephyrine" in text or "Quillfeather" in text] == []
