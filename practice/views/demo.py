"""Sign in as an invented person of the demo practice: one button per role, on this machine only."""

from allauth.usersessions.models import UserSession
from django.conf import settings
from django.contrib.auth import login
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme

from practice import audit
from practice.access import Role
from practice.models import User
from practice.pages import public

LOOPBACK = ("127.0.0.1", "::1")


@public
def demo_sign_in(request: HttpRequest, role: str) -> HttpResponse:
    user = _demo_person(role) if _is_here(request) else None
    if user is None:
        raise Http404
    if request.method == "POST":
        login(request, user, backend=settings.AUTHENTICATION_BACKENDS[0])
        request.session["second_factor"] = True
        request.session["demo_role"] = role
        request.session["started"] = timezone.now().timestamp()
        UserSession.objects.create_from_request(request)
        audit.record("sign_in", by=user, demo=True)
        onward = request.GET.get("next", "")
        safe = url_has_allowed_host_and_scheme(onward, allowed_hosts={request.get_host()})
        return redirect(onward if safe else "caseload")
    return render(request, "practice/demo_sign_in.html", {"person": user, "role": Role(role).label})


def _is_here(request: HttpRequest) -> bool:
    """Only with DEMO on, a loopback address of our own, and somebody who sits at this machine."""
    peer = request.META.get("REMOTE_ADDR")
    return settings.DEMO and settings.LOOPBACK and peer in LOOPBACK and "HTTP_X_FORWARDED_FOR" not in request.META


def _demo_person(role: str) -> User | None:
    if role not in Role.values:
        return None
    return User.objects.with_role(Role(role)).filter(is_demo=True).order_by("pk").first()
