"""Pages for anyone, signed in or not."""

from pathlib import Path

from django.conf import settings
from django.contrib.auth import logout
from django.db import connection
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import redirect, render
from django.template.loader import render_to_string
from django.utils import timezone

from practice import jobs
from practice.access import Permission
from practice.middleware import CLEAR
from practice.models import Practice, PublicPages
from practice.pages import LEAVES, public
from practice.views.trouble import card


@public
def home(request: HttpRequest) -> HttpResponse:
    if request.user.is_authenticated:
        fresh = not Practice.get().name and request.user.may(Permission.MANAGE_PRACTICE)
        return redirect("practice_settings" if fresh else "caseload")
    return render(request, "practice/home.html", {"is_open": PublicPages.get().is_open})


@public
def help_now(request: HttpRequest) -> HttpResponse:
    """The crisis page: no sign-in, no script, no database (a test stops it)."""
    return HttpResponse(help_html())


def help_html() -> str:
    """The crisis page as text; the proxy shows the same one when the app is down (manage.py help_page)."""
    return render_to_string("practice/help_now.html", {"card": card(), "practice": card()})


def write_help_page(file: Path) -> None:
    """Write the crisis page for the proxy, never half."""
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_name(file.name + ".new")
    draft.write_text(help_html(), encoding="utf-8")
    draft.replace(file)


@public
def who_sees_this(request: HttpRequest) -> HttpResponse:
    return render(request, "practice/who_sees_this.html")


@public
def accessibility(request: HttpRequest) -> HttpResponse:
    return render(request, "practice/accessibility.html")


@public
def leave(request: HttpRequest) -> HttpResponse:
    """End whatever is open on this device and go to a page that shows nothing of a person."""
    for note in LEAVES:
        note(request)
    logout(request)
    response = HttpResponseRedirect(settings.LEAVE_URL, status=303)
    response["Clear-Site-Data"] = CLEAR
    return response


@public
def healthz(request: HttpRequest) -> HttpResponse:
    """200 when the database answers and jobs do not wait, 503 otherwise. No versions, no names."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    waiting = jobs.oldest_waiting_min(timezone.now())
    ok = waiting < jobs.STUCK_MIN
    return JsonResponse({"ok": ok, "oldest_job_min": waiting}, status=200 if ok else 503)
