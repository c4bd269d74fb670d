"""Switch the language of the client side, from any page of it, and stay on that page."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.urls import Resolver404, resolve
from django.utils import timezone, translation
from django.utils.http import url_has_allowed_host_and_scheme

from intake import actions, doors
from practice import language as languages
from practice.models import Client
from practice.pages import client_door

HOME = "/"


def language(request: HttpRequest) -> HttpResponse:
    """Kept on the client where this browser knows one, and on the device for pages that know nobody."""
    if request.method != "POST":
        return redirect("home")
    chosen = request.POST.get("speak", "")
    if chosen not in languages.CODES:
        raise Http404
    back = request.POST.get("back", HOME)
    response = HttpResponseRedirect(back if _is_ours(back) else HOME)
    response.status_code = 303
    return switch(request, response, doors.known(request), chosen)


def retelling(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """A page with words of somebody's own: its language switch sends them along, and they are shown again.

    The view then sees a GET whose POST still holds them, and binds its form to that (practice.language.as_typed).
    Nothing is saved or sent by it.
    """

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if request.method != "POST" or not (chosen := languages.asked(request)):
            return view(request, *args, **kwargs)
        link = getattr(request, "link", None)
        _choose(link.client if link else doors.known(request), chosen)
        request.method = "GET"
        with translation.override(chosen):
            response = view(request, *args, **kwargs)
        return languages.remember(request, response, chosen)

    return guarded


language = client_door(language, "link")  # sent any number of times: the last choice counts


def switch(request: HttpRequest, response: HttpResponse, client: Client | None, chosen: str) -> HttpResponse:
    _choose(client, chosen)
    return languages.remember(request, response, chosen)


def _choose(client: Client | None, chosen: str) -> None:
    if client is not None:
        actions.choose_language(by=client, language=chosen, at=timezone.now())


def _is_ours(back: str) -> bool:
    """Whether a page for clients stands at this address."""
    if not url_has_allowed_host_and_scheme(back, allowed_hosts=None):
        return False
    try:
        return languages.is_for_clients(resolve(back.partition("?")[0]))
    except Resolver404:
        return False
