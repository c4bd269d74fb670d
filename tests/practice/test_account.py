"""Signing in and one's own account: our look, our words, the second factor, and text that outlives a lock.

Security checks 27, 28, 29, 31 and the pages behind them.
"""

import re
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

import pytest
import time_machine
from allauth.mfa.totp.internal import auth as totp
from django.conf import settings
from django.db import connection
from django.test import Client as Browser
from django.test import override_settings
from django.urls import reverse

from practice import adapters, notices
from practice.access import Role
from practice.models import AuditEvent, Client, KeptForm, Note, Notice, Practice, RoleGrant, Site, User
from tests import factories
from tests.conftest import sign_in
from tests.factories import NOW

As = Callable[[User], Browser]
Post = Callable[..., Any]
pytestmark = pytest.mark.django_db
PASSWORD = "correct horse battery"
SECRET = "JBSWY3DPEHPK3PXP"


@pytest.fixture(autouse=True)
def _thursday() -> Any:
    with time_machine.travel(NOW, tick=False) as clock:
        yield clock


def words(response: Any) -> str:
    return " ".join(re.sub(r"<[^>]*>", " ", response.content.decode()).split())


@pytest.fixture(autouse=True)
def _mail(maya: User) -> None:
    maya.email = "maya@example.org"
    maya.save()


def with_app(user: User) -> User:
    totp.TOTP.activate(user, SECRET)
    return user


def code(offset: int = 0) -> str:
    counter = int(time.time()) // 30 + offset
    return totp.format_hotp_value(totp.hotp_value(SECRET, counter))


def password(browser: Browser, user: User, **extra: Any) -> Any:
    return browser.post("/account/login/", {"login": user.email, "password": PASSWORD, **extra})


# --- Signing in ------------------------------------------------------------------------------------------------------


def test_sign_in_asks_for_the_second_factor_in_our_words(maya: User) -> None:
    browser = Browser()
    first = password(browser, with_app(maya))
    assert first["Location"] == "/account/2fa/authenticate/"
    assert "Write the code that your authenticator app shows now" in words(browser.get(first["Location"]))
    wrong = browser.post(first["Location"], {"code": "000000"})
    assert "There is a problem" in words(wrong)
    assert browser.post(first["Location"], {"code": code()})["Location"] == "/"
    assert browser.get("/caseload/").status_code == 200
    assert [e.action for e in AuditEvent.objects.filter(actor_id=maya.pk)] == ["sign_in"]


def test_wrong_password_and_unknown_mail_get_the_same_words(maya: User) -> None:
    wrong = Browser().post("/account/login/", {"login": maya.email, "password": "not this one"})
    unknown = Browser().post("/account/login/", {"login": "nobody@example.org", "password": "not this one"})
    errors = [re.findall(r"<li>.*?</li>", page.content.decode()) for page in (wrong, unknown)]
    assert errors[0] == errors[1] != []
    refused = AuditEvent.objects.filter(action="sign_in", outcome="refused")
    assert (refused.count(), {e.actor_kind for e in refused}, {str(e.facts) for e in refused}) == (
        2,
        {"nobody"},
        {"{}"},
    )


def test_ex_staff_cannot_sign_in(gone: User) -> None:
    browser = Browser()
    password(browser, gone)
    assert "_auth_user_id" not in browser.session


def test_nobody_signs_up(house: Practice) -> None:
    assert "Nobody signs up by themselves" in words(Browser().get("/account/signup/"))
    Browser().post("/account/signup/", {"email": "x@example.org", "password1": PASSWORD, "password2": PASSWORD})
    assert User.objects.filter(email="x@example.org").count() == 0


@pytest.mark.parametrize(
    "evil", ["https://evil.example/", "//evil.example", "/\\evil.example", "https:evil.example", "\t//evil.example"]
)
def test_sign_in_goes_back_only_to_our_own_pages(maya: User, evil: str) -> None:
    browser = Browser()
    password(browser, with_app(maya), next=evil)
    assert browser.post("/account/2fa/authenticate/", {"code": code()})["Location"] == "/"


def test_first_sign_in_leads_to_the_second_factor_and_recovery_codes(maya: User) -> None:
    browser = Browser()
    password(browser, maya)
    page = browser.get("/account/2fa/totp/activate/")
    html = page.content.decode()
    assert '<svg role="img" aria-label="QR code to scan' in html
    assert "data:" not in html.split("<main")[1]
    assert browser.get("/caseload/")["Location"] == "/account/2fa/totp/activate/"
    secret = browser.session["mfa.totp.secret"]
    value = totp.format_hotp_value(totp.hotp_value(secret, int(NOW.timestamp()) // 30))
    done = browser.post("/account/2fa/totp/activate/", {"code": value})
    assert done["Location"] == "/account/2fa/recovery-codes/"
    codes = re.findall(r"<li><b>([^<]+)</b></li>", browser.get(done["Location"]).content.decode())
    assert len(codes) == 10
    with connection.cursor() as cursor:
        cursor.execute("SELECT data FROM mfa_authenticator")
        stored = str(cursor.fetchall())
    assert secret not in stored
    assert codes[0] not in stored


# --- Every page in our look ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    ["account_login", "account_reset_password", "account_reset_password_done", "account_reset_password_from_key_done",
     "account_signup", "account_inactive"],
)  # fmt: skip
def test_pages_before_sign_in_are_ours(house: Practice, name: str) -> None:
    response = Browser().get(reverse(name))
    html = response.content.decode()
    assert response.status_code == 200
    assert "I need help now" in html
    assert html.count("<h1") == 1
    assert "noindex" in html


@pytest.mark.parametrize(
    "name",
    ["account_logout", "account_change_password", "account_reauthenticate", "mfa_index", "mfa_view_recovery_codes",
     "mfa_generate_recovery_codes", "mfa_add_webauthn", "mfa_list_webauthn", "mfa_deactivate_totp",
     "mfa_reauthenticate", "usersessions_list", "account", "kept"],
)  # fmt: skip
def test_pages_after_sign_in_are_ours(maya: User, name: str) -> None:
    browser = Browser()
    password(browser, with_app(maya))
    browser.post("/account/2fa/authenticate/", {"code": code()})
    browser.post("/account/reauthenticate/", {"password": PASSWORD})
    if name == "mfa_view_recovery_codes":
        browser.post(reverse("mfa_generate_recovery_codes"))
    response = browser.get(reverse(name))
    html = response.content.decode()
    assert response.status_code == 200, response.get("Location")
    assert html.count("<h1") == 1
    assert re.findall(r"\sstyle=|\son\w+=", html) == []
    assert [s for s in re.findall(r"<script(?![^>]*src=)[^>]*>", html) if "application/json" not in s] == []


def test_scripts_of_the_passkey_are_served_by_us(house: Practice) -> None:
    sources = re.findall(r'<script src="([^"]*)"', Browser().get("/account/login/").content.decode())
    assert all(source.startswith("/static/") for source in sources)
    assert any("webauthn" in source for source in sources)


def test_locked_page_says_what_happened(house: Practice) -> None:
    page = words(Browser().get("/account/login/?next=/caseload/&locked=1"))
    assert "We locked this page to keep it private. Sign in to go on where you were." in page


# --- Text that was kept ----------------------------------------------------------------------------------------------


def test_text_typed_before_the_lock_comes_back_and_is_sent_once(
    maya: User, sam: Client, post: Post, _thursday: Any
) -> None:
    browser = sign_in(Browser(), with_app(maya))
    browser.get("/caseload/")
    _thursday.shift(15 * 60 + 1)
    url = f"/clients/{sam.pk}/notes/"
    locked = post(browser, url, {"words": "Spoke about sleep."})
    assert locked["Location"].startswith("/account/login/?next=")
    assert Note.objects.count() == 0
    _thursday.move_to(NOW)
    password(browser, maya, next=url)
    landed = browser.post("/account/2fa/authenticate/", {"code": code()})
    assert landed["Location"] == "/kept/"
    page = browser.get("/kept/")
    assert "Spoke about sleep." in words(page)
    form = re.search(rf'<form method="post" action="{url}">(.*?)</form>', page.content.decode(), re.DOTALL)
    assert form
    fields = dict(re.findall(r'name="([^"]*)" value="([^"]*)"', form[1]))
    assert browser.post(url, fields).status_code == 302
    assert [note.body for note in Note.objects.all()] == ["Spoke about sleep."]
    assert KeptForm.objects.count() == 0
    assert "Nothing is kept." in words(browser.get("/kept/"))


def test_a_page_that_matters_asks_for_the_password_after_five_minutes(rosa: User, post: Post, _thursday: Any) -> None:
    """Security check 30: user admin with a sign-in older than five minutes asks again; what was typed is kept."""
    browser = sign_in(Browser(), with_app(rosa))
    browser.get("/caseload/")
    url = "/practice/people/new/"
    _thursday.shift(299)
    assert browser.get(url).status_code == 200
    _thursday.shift(2)
    asked = browser.get(url)
    assert unquote(asked["Location"]) == "/account/reauthenticate/?next=/practice/people/new/"
    asked = post(browser, url, {"name": "Newcomer"})
    assert unquote(asked["Location"]) == "/account/reauthenticate/?next=/kept/"
    assert not User.objects.filter(name="Newcomer").exists()
    assert [row.fields for row in KeptForm.objects.filter(user=rosa)] == [[["name", "Newcomer"]]]
    wrong = browser.post("/account/reauthenticate/", {"password": "x", "next": "/kept/"})
    pages = [words(page) for page in (browser.get("/account/reauthenticate/?next=/practice/people/"), wrong)]
    why = "it is more than five minutes since you showed that it is you. We ask again so that nobody can do it"
    assert [(why in page, "What you typed is kept." in page) for page in pages] == [(True, False), (True, True)]
    assert AuditEvent.objects.filter(action="session.asked_again", actor_id=rosa.pk).count() == 2
    landed = browser.post("/account/reauthenticate/?next=/kept/", {"password": PASSWORD, "next": "/kept/"})
    assert landed["Location"] == "/kept/"
    assert browser.get(url).status_code == 200


def test_kept_text_that_is_refused_stays_kept(as_user: As, post: Post, maya: User, sam: Client) -> None:
    kept = keep(maya, f"/clients/{sam.pk}/notes/", [["words", ""]])
    assert post(as_user(maya), f"/clients/{sam.pk}/notes/", {"words": "", "kept": str(kept.pk)}).status_code == 400
    assert KeptForm.objects.count() == 1


def keep(user: User, path: str, fields: list[list[str]]) -> KeptForm:
    row = KeptForm(user=user, path=path, at=NOW)
    row.fields = fields
    row.save(force_insert=True)
    return row


def test_kept_text_can_be_thrown_away(as_user: As, post: Post, maya: User) -> None:
    row = keep(maya, "/practice/", [["x", "Some words"]])
    assert post(as_user(maya), f"/kept/{row.pk}/discard/")["Location"] == "/caseload/"
    assert KeptForm.objects.count() == 0
    assert post(as_user(maya), f"/kept/{row.pk}/discard/")["Location"] == "/caseload/"  # a second press


def test_kept_text_belongs_to_who_wrote_it(as_user: As, post: Post, maya: User, omar: User, sam: Client) -> None:
    row = keep(maya, "/caseload/", [["x", "Private words"]])
    assert "Private words" not in words(as_user(omar).get("/kept/"))
    post(as_user(omar), f"/kept/{row.pk}/discard/")
    kit = factories.client(omar, "Own One")
    post(as_user(omar), f"/clients/{kit.pk}/notes/", {"words": "Hello", "kept": str(row.pk)})
    assert KeptForm.objects.count() == 1
    assert as_user(omar).get(f"/kept/{row.pk}/discard/").status_code == 404


def test_kept_text_for_a_page_that_is_gone_can_still_be_read(as_user: As, maya: User) -> None:
    keep(maya, "/no/such/page/", [["x", "<b>Old</b> words"]])
    html = as_user(maya).get("/kept/").content.decode()
    assert "&lt;b&gt;Old&lt;/b&gt; words" in html
    assert 'action="/no/such/page/"' not in html


# --- Passwords -------------------------------------------------------------------------------------------------------


def body_of(template: str) -> str:
    notice = Notice.objects.get(template=template)
    return notices.render(notice.template, notice.channel, notice.words, Practice.get())[1]


def test_reset_answers_the_same_for_known_and_unknown(maya: User) -> None:
    got = [Browser().post("/account/password/reset/", {"email": e}) for e in (maya.email, "nobody@example.org")]
    assert [(r.status_code, r["Location"]) for r in got] == [(302, "/account/password/reset/done/")] * 2
    assert list(Notice.objects.values_list("template", "user")) == [("account", maya.pk)]


def test_reset_link_has_our_origin_whatever_the_host_says(maya: User) -> None:
    for headers in ({"HTTP_HOST": "evil.example"}, {"HTTP_X_FORWARDED_HOST": "evil.example"}):
        response = Browser().post("/account/password/reset/", {"email": maya.email}, **headers)
        assert response.status_code == (400 if "HTTP_HOST" in headers else 302)
    assert "http://testserver/account/password/reset/key/" in body_of("account")
    assert "evil" not in body_of("account")


def test_reset_link_works_once_for_half_an_hour_and_skips_no_second_factor(maya: User, _thursday: Any) -> None:
    with_app(maya)
    Browser().post("/account/password/reset/", {"email": maya.email})
    link = re.search(r"http://testserver(\S+)", body_of("account"))
    assert link
    browser = Browser()
    for _ in range(3):  # a mail scanner looks
        assert Browser().get(link[1]).status_code == 302
    page = browser.get(link[1], follow=True)
    new = {"password1": "four quiet horses run", "password2": "four quiet horses run"}
    assert browser.post(page.redirect_chain[-1][0], new)["Location"] == "/account/password/reset/key/done/"
    assert browser.get("/caseload/").status_code == 302
    assert "This link has stopped working" in words(Browser().get(link[1], follow=True))
    assert maya.password != User.objects.get(pk=maya.pk).password


@pytest.mark.parametrize(("minutes", "works"), [(29, True), (31, False)])
def test_reset_link_runs_out(maya: User, _thursday: Any, minutes: int, works: bool) -> None:
    Browser().post("/account/password/reset/", {"email": maya.email})
    link = re.search(r"http://testserver(\S+)", body_of("account"))
    assert link
    _thursday.shift(minutes * 60)
    assert ("Set your password" in words(Browser().get(link[1], follow=True))) is works


@pytest.mark.parametrize("given", ["Spring2026!", "password1234", "CedarHouse2026", "maya torres"])
def test_weak_password_is_refused(maya: User, given: str) -> None:
    browser = sign_in(Browser(), with_app(maya))
    page = browser.post("/account/password/change/", {"oldpassword": PASSWORD, "password1": given, "password2": given})
    assert page.status_code == 200
    assert "There is a problem" in words(page)


def test_changing_the_password_ends_every_other_session(maya: User) -> None:
    with_app(maya)
    here, there = sign_in(Browser(), maya), sign_in(Browser(), maya)
    long = "🐎 " * 20 + "and some more words to make it long"
    done = here.post("/account/password/change/", {"oldpassword": PASSWORD, "password1": long, "password2": long})
    assert done.status_code == 302
    assert (here.get("/caseload/").status_code, there.get("/caseload/").status_code) == (200, 302)
    assert "Your password has been changed." in body_of("account")


def test_invitation_link_works_for_three_days_and_no_longer(north: Site, house: Practice, _thursday: Any) -> None:
    new = factories.staff("Nia New", Role.THERAPIST, sites=(north,))
    new.set_unusable_password()
    new.save()
    link = adapters.password_link(new).removeprefix(settings.ORIGIN)
    _thursday.shift(71 * 3600)
    assert "Set your password" in words(Browser().get(link, follow=True))
    _thursday.shift(2 * 3600)
    assert "This link has stopped working" in words(Browser().get(link, follow=True))


# --- The account page ------------------------------------------------------------------------------------------------


def account_form(**changed: Any) -> dict[str, Any]:
    return {"name": "Maya Torres", "phone": "", "theme": "", "keys": "on", **changed}


def test_account_keeps_name_phone_theme_and_shortcuts(as_user: As, post: Post, maya: User) -> None:
    browser = as_user(maya)
    changed = account_form(name="Maya T. Torres", phone="202 555 0155", theme="dark", keys="off")
    assert post(browser, "/account/", changed)["Location"] == "/account/"
    html = browser.get("/account/").content.decode()
    assert 'data-theme="dark"' in html
    assert 'data-keys="off"' in html
    now = User.objects.get(pk=maya.pk)
    assert (now.name, now.phone) == ("Maya T. Torres", "202 555 0155")
    assert AuditEvent.objects.get(action="account.edited").facts == {"fields": ["name", "phone", "theme", "keys"]}


@pytest.mark.parametrize(
    "changed",
    [{"name": ""}, {"name": "x" * 200}, {"phone": "none"}, {"theme": "pink"}, {"keys": ""}, {"name": "a\x00"}],
)
def test_account_says_what_is_wrong(as_user: As, post: Post, maya: User, changed: dict[str, str]) -> None:
    response = post(as_user(maya), "/account/", account_form(**changed))
    assert response.status_code == 400
    assert "There is a problem" in words(response)


def test_nobody_gives_themselves_a_role(as_user: As, post: Post, maya: User) -> None:
    post(as_user(maya), "/account/", account_form(roles="admin", is_active="1", email="x@example.org", is_demo="1"))
    now = User.objects.get(pk=maya.pk)
    assert (now.roles, now.email, now.is_demo) == ({"therapist"}, maya.email, False)


def test_devices_are_listed_and_the_others_can_be_signed_out(maya: User) -> None:
    with_app(maya)
    agent = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
    browsers = []
    for offset in (0, 1):
        browser = Browser(headers={"user-agent": agent})
        password(browser, maya)
        browser.post("/account/2fa/authenticate/", {"code": code(offset)})
        browsers.append(browser)
    here, there = browsers
    html = here.get("/account/").content.decode()
    assert html.count("Firefox on Linux") == 2
    for browser in browsers:
        assert str(browser.session.session_key) not in html
    here.post("/account/devices/")
    assert (here.get("/caseload/").status_code, there.get("/caseload/").status_code) == (200, 302)


# --- The demo --------------------------------------------------------------------------------------------------------


@pytest.fixture
def invented(north: Site) -> User:
    return factories.staff("Dana Whitfield", Role.THERAPIST, sites=(north,), is_demo=True)


def test_demo_link_signs_an_invented_person_in_past_the_second_factor(invented: User, post: Post) -> None:
    with override_settings(DEMO=True, LOOPBACK=True):
        browser = Browser()
        assert "Sign in as Dana Whitfield" in words(browser.get("/demo/therapist/"))
        assert "_auth_user_id" not in browser.session  # looking at it signs nobody in
        assert post(browser, "/demo/therapist/")["Location"] == "/caseload/"
        assert browser.get("/caseload/").status_code == 200


def test_demo_person_has_no_password_and_proves_who_they_are_by_the_same_button(
    invented: User, post: Post, _thursday: Any
) -> None:
    RoleGrant.objects.create(user=invented, role=Role.ADMIN)
    with override_settings(DEMO=True, LOOPBACK=True):
        browser = Browser()
        post(browser, "/demo/admin/")
        _thursday.shift(301)
        again = unquote(browser.get("/practice/people/new/")["Location"])
        assert again == "/demo/admin/?next=/practice/people/new/"
        why = "more than five minutes since you showed that it is you"
        assert [why in words(browser.get(each)) for each in (again, "/demo/admin/")] == [True, False]
        assert post(browser, again)["Location"] == "/practice/people/new/"
        assert browser.get("/practice/people/new/").status_code == 200
        assert post(browser, "/demo/admin/?next=https://elsewhere.example/")["Location"] == "/caseload/"


@pytest.mark.parametrize(
    ("how", "extra"),
    [
        ({"DEMO": False, "LOOPBACK": True}, {}),
        ({"DEMO": True, "LOOPBACK": False}, {}),
        ({"DEMO": True, "LOOPBACK": True}, {"REMOTE_ADDR": "192.0.2.7"}),
        ({"DEMO": True, "LOOPBACK": True}, {"HTTP_X_FORWARDED_FOR": "127.0.0.1"}),
    ],
)
def test_demo_link_is_not_there_for_anybody_else(
    invented: User, post: Post, how: dict[str, bool], extra: dict[str, str]
) -> None:
    with override_settings(**how):
        browser = Browser()
        got = [
            browser.get("/demo/therapist/", **extra).status_code,
            post(browser, "/demo/therapist/", **extra).status_code,
        ]
    assert (got, "_auth_user_id" in browser.session) == ([404, 404], False)


def test_demo_link_is_not_for_real_people_nor_unknown_roles(maya: User, rosa: User) -> None:
    with override_settings(DEMO=True, LOOPBACK=True):
        roles = ("therapist", "admin", "root", "x" * 99)
        assert [Browser().get(f"/demo/{role}/").status_code for role in roles] == [404] * 4
