"""The cast and the ground rules of every test."""

import secrets
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.conf import settings as project
from django.test import Client as Browser
from django.utils import timezone
from hypothesis import HealthCheck, settings

from practice.access import Role
from practice.models import Client, Practice, Site, User
from tests import factories
from tests.environment import HOME

# Properties are judged by what they find, not by how fast a busy machine is.
settings.register_profile("suite", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("suite")


def pytest_configure(config: pytest.Config) -> None:
    if not project.configured or not config.pluginmanager.hasplugin("django"):
        return
    project.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    project.STORAGES = {
        **project.STORAGES,
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    }
    project.MIDDLEWARE = ["tests.auditing.WritesAreAudited", *project.MIDDLEWARE]
    if project.DATABASES["default"]["ENGINE"].endswith(
        "sqlite3"
    ):  # a file, so that threads have connections of their own
        project.DATABASES["default"].setdefault("TEST", {})["NAME"] = str(HOME / "test.sqlite3")
        project.DATABASES["default"]["OPTIONS"]["init_command"] += (
            "PRAGMA synchronous=OFF;PRAGMA reverse_unordered_selects=ON;"  # an order that nobody asked for is no order
        )
    else:  # a test may think for longer than a request within its transaction
        options = project.DATABASES["default"]["OPTIONS"]
        options["options"] += " -c idle_in_transaction_session_timeout=0"
    project.CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}


@pytest.fixture(autouse=True)
def _fresh_cache(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    if "django_db_setup" in request.fixturenames:
        from django.core.cache import cache

        from practice import instruments

        cache.clear()
        instruments.forget()
        from intake import packet

        packet._read.cache_clear()  # a version of the practice's own went with its database


@pytest.fixture(autouse=True)
def _frozen_rows_give_way_to_the_flush(request: pytest.FixtureRequest) -> Iterator[None]:
    """A test that commits is cleaned up by emptying every table; the trail and published versions refuse that."""
    marked = request.node.get_closest_marker("django_db")
    if "transactional_db" not in request.fixturenames and not (marked and marked.kwargs.get("transaction")):
        yield
        return
    request.getfixturevalue("transactional_db")
    from django.db import connection

    from practice import audit_triggers, frozen_triggers

    with connection.cursor() as cursor:
        audit_triggers.drop(connection.vendor, cursor)
        audit_triggers.install(connection.vendor, cursor)
    frozen_triggers.install(connection)
    yield
    with connection.cursor() as cursor:
        audit_triggers.drop(connection.vendor, cursor)
    frozen_triggers.drop(connection)


@pytest.fixture
def house(db: None) -> Practice:
    return factories.practice()


@pytest.fixture
def north(house: Practice) -> Site:
    return factories.site("Cedar House North")


@pytest.fixture
def south(house: Practice) -> Site:
    return factories.site("Cedar House South")


@pytest.fixture
def sol(north: Site) -> User:
    return factories.staff("Sol Amari", Role.SUPERVISOR, sites=(north,))


@pytest.fixture
def maya(north: Site, sol: User) -> User:
    return factories.staff("Maya Torres", Role.THERAPIST, sites=(north,), supervisor=sol)


@pytest.fixture
def omar(north: Site) -> User:
    return factories.staff("Omar Haddad", Role.THERAPIST, sites=(north,))


@pytest.fixture
def ines(south: Site) -> User:
    return factories.staff("Ines Duarte", Role.THERAPIST, sites=(south,))


@pytest.fixture
def pax(north: Site) -> User:
    return factories.staff("Pax Lind", Role.PRESCRIBER, sites=(north,))


@pytest.fixture
def fay(north: Site) -> User:
    return factories.staff("Fay Moss", Role.FRONT_DESK, sites=(north,))


@pytest.fixture
def rosa(north: Site) -> User:
    return factories.staff("Rosa Bell", Role.ADMIN, sites=(north,))


@pytest.fixture
def gone(north: Site) -> User:
    return factories.staff("Gone Kerr", Role.THERAPIST, sites=(north,), is_active=False, left_at=timezone.now())


@pytest.fixture
def sam(maya: User, pax: User) -> Client:
    return factories.client(maya, "Sam Whitehorse", prescriber=pax)


@pytest.fixture
def kit(omar: User) -> Client:
    return factories.client(omar, "Kit Larkspur", email="kit@example.net", phone="+1 202 555 0178")


@pytest.fixture
def on_call(omar: User) -> User:
    factories.always_on_call(omar)
    return omar


def sign_in(browser: Browser, user: User) -> Browser:
    browser.force_login(user)
    session = browser.session
    session["second_factor"] = True
    session.save()
    return browser


@pytest.fixture
def as_user() -> Callable[[User], Browser]:
    """A browser signed in past the second factor."""
    return lambda user: sign_in(Browser(), user)


def send(browser: Browser, url: str, data: dict[str, Any] | None = None, key: str | None = None, **extra: Any) -> Any:
    """POST a form as a page would: with the key that makes a second press harmless."""
    return browser.post(url, {"form_key": key or secrets.token_urlsafe(24), **(data or {})}, **extra)


@pytest.fixture
def post() -> Callable[..., Any]:
    return send
