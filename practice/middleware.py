"""What happens around every request. Each class does one thing; the order is in settings.MIDDLEWARE."""

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from allauth.account.authentication import get_authentication_records
from allauth.mfa.utils import is_mfa_enabled
from django.conf import settings
from django.contrib.auth import logout
from django.db import DatabaseError, InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.urls import resolve, reverse
from django.utils import timezone, translation
from django.utils.http import urlencode

from practice import audit, language
from practice.models import KeptForm

Answer = Callable[[HttpRequest], HttpResponse]
CLEAR = '"cache", "storage"'
UNSENT = "unsent"  # a device that holds what it could not send yet says so by this cookie: it is not emptied then
# Addresses whose path is a key: links of clients, clinics, chaperones and prescribers; the way out of a mail; feeds.
KEYED = ("/p/", "/r/", "/c/", "/x/", "/m/", "/feed/")

MOST_KEPT = 40  # fields of one page

# Form fields that are never kept: secrets, and what is made anew.
NOT_KEPT = {
    *("csrfmiddlewaretoken", "form_key", "locking", "login", "code", "lines", "sent_at"),
    *("password", "password1", "password2", "oldpassword"),
}


class SecurityHeaders:
    """Strict headers on every answer, and the address a request came from, for limits and the audit trail."""

    def __init__(self, get_response: Answer) -> None:
        self.get_response = get_response
        self.csp = "; ".join(f"{name} {' '.join(sources)}" for name, sources in settings.SECURE_CSP.items())

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request.origin = origin_of(request)  # type: ignore[attr-defined]
        audit.set_origin(request.origin)  # type: ignore[attr-defined]
        response = self.get_response(request)
        response.setdefault("Content-Security-Policy", self.csp)
        response.setdefault("X-Content-Type-Options", "nosniff")
        # `no-referrer` would make browsers post "Origin: null". A link's page tells even us only the origin: its path
        # is a key.
        response.setdefault("Referrer-Policy", "strict-origin" if request.path.startswith(KEYED) else "same-origin")
        response.setdefault("X-Frame-Options", "DENY")
        response.setdefault("Cross-Origin-Opener-Policy", "same-origin")
        response.setdefault("Cross-Origin-Resource-Policy", "same-origin")
        response.setdefault("Permissions-Policy", "camera=(), microphone=(), geolocation=(), payment=(), usb=()")
        response.setdefault("X-Robots-Tag", "noindex, nofollow")
        if settings.SECURE_HSTS_SECONDS:
            response.setdefault("Strict-Transport-Security", "max-age=31536000; includeSubDomains")
        if not request.path.startswith(settings.STATIC_URL):
            response.setdefault("Cache-Control", "no-store")
        return response


def origin_of(request: HttpRequest) -> str:
    """The client's address: the peer, or what our own trusted proxies appended; never what the client claims."""
    hops = [h.strip() for h in request.META.get("HTTP_X_FORWARDED_FOR", "").split(",") if h.strip()]
    if settings.TRUSTED_PROXIES and len(hops) >= settings.TRUSTED_PROXIES:
        return hops[-settings.TRUSTED_PROXIES][:45]
    return str(request.META.get("REMOTE_ADDR", ""))[:45]


def kept_fields(request: HttpRequest) -> list[list[str]]:
    """What somebody typed on a page of ours. Another site's form is not offered to be sent again as one's own."""
    ours = f"{request.scheme}://{request.get_host()}"
    if request.headers.get("Origin", ours) != ours:
        return []
    return [[name, value] for name, values in request.POST.lists() if name not in NOT_KEPT for value in values]


def keep_typed(request: HttpRequest) -> bool:
    """Keep, sealed, what a member of staff sent to a page that does not take it now; say whether there was anything."""
    if request.method != "POST" or not (fields := kept_fields(request)):
        return False
    kept = KeptForm(user=request.user, path=str(request.path)[:200], at=timezone.now())  # type: ignore[misc]
    kept.fields = fields
    kept.save(force_insert=True)
    return True


def kept_back(text: str, under: str) -> dict[str, Any] | None:
    """Return {"path", "fields"} of what was typed before a page locked, as it came along on the page of the code.

    None for what is not ours: the path has to lie under `under`.
    """
    try:
        found = json.loads(text or "null")
        path = urlsplit(str(found["path"]))
        fields = [[str(name), str(value)] for name, value in found["fields"]][:MOST_KEPT]
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    if path.scheme or path.netloc or not path.path.startswith(under):
        return None
    return {"path": path.path, "fields": fields}


class Language:
    """Pages for clients are in the language of the device until the client is known (intake.doors), others in ours."""

    def __init__(self, get_response: Answer) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        translation.activate(language.checked(request.COOKIES.get(settings.LANGUAGE_COOKIE_NAME, "")))
        response = self.get_response(request)
        translation.activate(language.HOUSE)
        return response

    def process_view(self, request: HttpRequest, view: Answer, args: Any, kwargs: Any) -> None:
        ours = language.is_for_clients(request.resolver_match)
        translation.activate(language.of_device(request) if ours else language.HOUSE)


class DatabaseTrouble:
    """A database that is away, full or read-only gives 503 with the typed text kept on the page, never 500."""

    def __init__(self, get_response: Answer) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path == reverse("help_now"):  # before the session: that is in the database, too
            from practice.views.public import help_html

            with translation.override(language.checked(request.GET.get("language") or language.of_device(request))):
                return HttpResponse(help_html())
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """Trouble in a view. Trouble in a middleware (reading the session) comes to views.trouble.server_error."""
        from practice.views.trouble import not_saved

        return not_saved(request, exception) if is_database_trouble(exception) else None


def is_database_trouble(exception: BaseException | None) -> bool:
    """PostgreSQL says "read-only" and "no space" through other classes of DatabaseError."""
    if isinstance(exception, (OperationalError, InterfaceError)):
        return True
    cause = exception.__cause__ if isinstance(exception, DatabaseError) else None
    return type(cause).__name__ in {"ReadOnlySqlTransaction", "DiskFull"}


def clearing(request: HttpRequest) -> str:
    """What a browser forgets when somebody is signed out: all but what it still has to send."""
    return '"cache"' if request.COOKIES.get(UNSENT) else CLEAR


class SessionClock:
    """Staff sessions lock after 15 minutes without an act of a person, and end after 12 hours. Typed text is kept.

    Client sessions have the same idle lock, kept by their own door (intake.doors).
    """

    def __init__(self, get_response: Answer) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path.startswith(settings.STATIC_URL) or not request.user.is_authenticated:
            return self.get_response(request)
        now = timezone.now().timestamp()
        started = request.session.setdefault("started", now)
        seen = request.session.get("seen", now)
        if now - seen > settings.SESSION_IDLE_S or now - started > settings.SESSION_ABSOLUTE_S:
            return self.lock(request)
        if now - seen > 15 or "seen" not in request.session:
            request.session["seen"] = now
        response = self.get_response(request)
        if not request.user.is_authenticated:  # signed out just now: nothing of the chart stays in the browser
            response["Clear-Site-Data"] = clearing(request)
        return response

    def lock(self, request: HttpRequest) -> HttpResponse:
        user, path = request.user, str(request.path)
        keep_typed(request)
        audit.record("session.locked", by=user)
        logout(request)
        response = HttpResponseRedirect(f"{reverse('account_login')}?{urlencode({'next': path, 'locked': '1'})}")
        response["Clear-Site-Data"] = clearing(request)
        return response


class SecondFactor:
    """Staff who have no second factor yet can only set one up (or sign out). Nothing else answers."""

    OPEN = {
        "mfa_activate_totp",
        "mfa_add_webauthn",
        "mfa_index",
        "mfa_generate_recovery_codes",
        "mfa_view_recovery_codes",
        "mfa_download_recovery_codes",
        "mfa_reauthenticate",
        "mfa_reauthenticate_webauthn",
        "account_logout",
        "account_reauthenticate",
        "help_now",
        "leave",
        "healthz",
    }

    def __init__(self, get_response: Answer) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if (
            request.user.is_authenticated
            and not request.path.startswith(settings.STATIC_URL)
            and not request.session.get("second_factor")
        ):
            if any(record["method"] == "mfa" for record in get_authentication_records(request, request.user)):
                request.session["second_factor"] = True  # sign-in itself asked for it
            elif is_mfa_enabled(request.user):  # set up elsewhere since: this browser has shown a password only
                audit.record("session.locked", by=request.user)
                logout(request)
                return redirect("account_login")
            else:
                return self.setting_up(request)
        return self.get_response(request)

    def setting_up(self, request: HttpRequest) -> HttpResponse:
        match = resolve(request.path_info)
        door = getattr(match.func, "door", None)
        if match.url_name not in self.OPEN and not (door and door.kind in ("public", "client")):
            return redirect("mfa_activate_totp")
        response = self.get_response(request)
        if request.method == "POST" and request.user.is_authenticated and is_mfa_enabled(request.user):
            request.session["second_factor"] = True  # set up just now, in this browser
        return response
