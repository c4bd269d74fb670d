"""Which language a page or a message is in: the client side in the client's own, everything else in English.

A client's language is a field of the client. Where no client is known (help now, a link that does not work), the choice
made on this device counts, kept in a cookie until the browser is closed; without one, what the browser prefers.
"""

from collections.abc import Callable
from typing import Any, TypeVar

from django.conf import settings
from django.forms import Form
from django.http import HttpRequest, HttpResponse
from django.urls import ResolverMatch
from django.utils import translation

F = TypeVar("F", bound=Form)
HOUSE = settings.LANGUAGE_CODE
CODES = [code for code, _name in settings.LANGUAGES]
DOORS = ("public", "client", "link", "person")
# Public pages that are not for clients.
FOR_STAFF = {"demo_sign_in", "session_worker", "chaperone_worker", "feed", "healthz", "texts_in"}


def checked(code: str) -> str:
    """This language if we speak it, else the one of the house."""
    return code if code in CODES else HOUSE


def is_for_clients(match: ResolverMatch | None) -> bool:
    if match is None or match.url_name in FOR_STAFF:
        return False
    return getattr(getattr(match.func, "door", None), "kind", "") in DOORS


def of_device(request: HttpRequest) -> str:
    """What was chosen on this device, else what its browser prefers."""
    return checked(translation.get_language_from_request(request))


def asked(request: HttpRequest) -> str:
    """The language to show a page in again, sent along with what stands on it; "" for any other request."""
    code = request.POST.get("speak", "")
    return code if code in CODES else ""


def as_typed(request: HttpRequest, form: F) -> F:
    """After a switch of language: what was typed stands there again, with no word yet about what is missing."""
    if asked(request):
        form.errors.clear()
    return form


def remember(request: HttpRequest, response: HttpResponse, code: str) -> HttpResponse:
    """Keep the language on this device, for pages that do not know who is there."""
    if request.COOKIES.get(settings.LANGUAGE_COOKIE_NAME) != code:
        response.set_cookie(
            settings.LANGUAGE_COOKIE_NAME,
            code,
            secure=settings.LANGUAGE_COOKIE_SECURE,
            httponly=True,
            samesite="Lax",
        )
    return response


def others(request: HttpRequest) -> list[dict[str, str]]:
    """The languages this page can be switched to, each by its own name; none on a page that is not for clients."""
    if not is_for_clients(request.resolver_match):
        return []
    now = translation.get_language()
    return [{"code": code, "name": str(name)} for code, name in settings.LANGUAGES if code != now]


def said_in(code: str, say: Callable[..., Any], *args: Any) -> str:
    """What `say` answers, in this language: for words that are kept, or read by somebody else."""
    with translation.override(checked(code)):
        return str(say(*args))
