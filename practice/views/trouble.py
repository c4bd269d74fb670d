"""Pages for when something is wrong: each says what to do, keeps what was typed, and shows where to get help now."""

import json
import logging
import secrets
import sys
from typing import Any

from django.conf import settings
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.utils.translation import get_language

from practice import language
from practice.middleware import is_database_trouble, kept_fields

log = logging.getLogger("practice.request")
CARD = "practice-card.json"


def not_saved(request: HttpRequest, trouble: BaseException | None) -> HttpResponse:
    """503 without touching the database: the typed text stands on the page and can be sent again."""
    log.error("database trouble", extra={"trouble": type(trouble).__name__, "error_id": _error_id()})
    connection.close()
    fields = kept_fields(request) if request.method == "POST" else []
    html = render_to_string(
        "503.html", {"fields": fields, "path": request.path, "csrf_token": request.META.get("CSRF_COOKIE", "")}
    )
    response = HttpResponse(html, status=503)
    response["Retry-After"] = "20"
    return response


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    return render(request, "csrf.html", {"fields": kept_fields(request), "path": request.path}, status=403)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    return render(request, "400.html", status=400)


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    return HttpResponse(render_to_string("403.html"), status=403)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """An address that leads nowhere may be anybody's, mistyped: it is said in each language, unless one was chosen."""
    nobodys = request.resolver_match is None and settings.LANGUAGE_COOKIE_NAME not in request.COOKIES
    also = [code for code in language.CODES if code != language.HOUSE] if nobodys else []
    return HttpResponse(render_to_string("404.html", {"also": also}), status=404)


def server_error(request: HttpRequest) -> HttpResponse:
    trouble = sys.exc_info()[1]
    if is_database_trouble(trouble):
        return not_saved(request, trouble)
    return HttpResponse(render_to_string("500.html", {"error_id": _error_id()}), status=500)


def _error_id() -> str:
    return secrets.token_hex(4)


def card() -> dict[str, Any]:
    """Name, phone and hours for pages that work without the database (written when the practice saves its settings)."""
    try:
        found: dict[str, Any] = json.loads((settings.DATA_DIR / CARD).read_text())
    except (OSError, ValueError):
        return {}
    hours = found.get("hours_es" if get_language() == "es" else "hours", "")
    return found | {"display_name": found.get("name", ""), "hours": hours}
