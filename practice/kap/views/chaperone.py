"""The page of the adult in the home: a check by eye every 15 minutes, and a word when something is wrong (H9).

The browser's session holds the link's number, no more; every page asks anew whether the link still works. It has no
idle lock: the checks are a quarter of an hour apart, it shows a first name and a time, and it ends with the session.
"""

from datetime import datetime
from functools import wraps
from typing import Any
from uuid import uuid4

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext

from intake.doors import see_other
from practice.clinical import room as rules
from practice.kap import logbook
from practice.kap.actions import chaperone as links
from practice.kap.actions import room
from practice.kap.actions.weighing import zone_of
from practice.kap.models import ChaperoneLink, Entry
from practice.kap.views.session_acts import NOT_FACTS, take_list, worker_text
from practice.models import Practice
from practice.pages import View, client_door, once, public
from practice.templatetags.ui import clock

KEY = "chaperone"


def door(view: View) -> View:
    """Without an account. What is sent from the page is taken once by its own key, so that a list may be sent again."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        with timezone.override(Practice.get().zone):
            return view(request, *args, **kwargs)

    return client_door(guarded, "chaperone")


def _show(request: HttpRequest, name: str, link: ChaperoneLink | None, status: int = 200, **more: Any) -> HttpResponse:
    therapist = link.session.therapist if link is not None else None
    context = {"practice": Practice.get(), "phone": therapist.phone if therapist else "", "link": link}
    return render(request, f"kap/{name}.html", context | more, status=status)


def _old(request: HttpRequest) -> HttpResponse:
    """When something was pressed on a page that stayed open, it says that nobody was told."""
    return _show(request, "chaperone_old", None, 404, pressed="state" in request.POST)


@door
@once
def chaperone_open(request: HttpRequest, token: str) -> HttpResponse:
    """The address of the message. Looking at it does nothing and names nobody; the code and a yes open the page."""
    at = timezone.now()
    link = links.found(token, at)
    if link is None:
        return _old(request)
    if request.method != "POST":
        return _show(request, "chaperone_open", link)
    if not links.come_in(link=link, code=request.POST.get("code", ""), at=at):
        if links.found(token, at) is None:
            return _old(request)
        wrong = gettext("That code does not fit. Ask the therapist to say it again.")
        return _show(request, "chaperone_open", link, 400, wrong=[{"text": wrong, "href": "#code"}])
    request.session.cycle_key()
    request.session[KEY] = str(link.pk)
    return see_other("chaperone")


@public
def chaperone_news(request: HttpRequest, token: str) -> HttpResponse:
    """How often the adult in the home wrote: the room page asks this, and reads itself anew when it changed."""
    link = links.found(token, timezone.now())
    n = link.session.entries.exclude(by_chaperone=None).count() if link is not None else ""
    return HttpResponse(str(n), content_type="text/plain")


@door
def chaperone(request: HttpRequest) -> HttpResponse:
    at, mine = timezone.now(), request.session.get(KEY, "")
    link = links.late(mine, at) if mine else None
    if link is None:
        return _old(request)
    is_live = links.held(mine, at) is not None
    if request.method != "POST":
        return _page(request, link, is_live, at)
    if "lines" in request.POST:
        return take_list(request, link.session, at, chaperone=link)
    facts = {name: value for name, value in request.POST.items() if name not in NOT_FACTS}
    line = {"key": request.POST.get("key", ""), "kind": Entry.Kind.CHECK, "facts": facts}
    (taken,) = room.record(session=link.session, sent=[line], chaperone=link, at=at)
    if taken.sentence:
        return _page(request, link, is_live, at, wrong=taken.sentence, typed=facts)
    return see_other("chaperone", query="?kept=1")


def _page(
    request: HttpRequest, link: ChaperoneLink, is_live: bool, at: datetime, *, wrong: str = "", typed: Any = None
) -> HttpResponse:
    client, entries = link.session.plan.client, list(link.entries.all())
    kept = request.GET.get("kept") == "1"
    with timezone.override(zone_of(client)):
        return _show(
            request, "chaperone", link, 400 if wrong else 200,
            is_live=is_live,
            first=client.name.split()[0] if is_live else "",
            next_at=room.state(link.session, at).next_check_at if is_live else None,
            sent=[{"at": clock(entry.happened_at), "said": logbook.said(entry)} for entry in reversed(entries)],
            kept=kept,
            last=_last(entries) if not kept else {},
            sees=rules.sees().items(),
            new_key=lambda: str(uuid4()),
            wrong=[{"text": wrong, "href": "#wrong"}] if wrong else [],
            typed=typed or {},
            now=at,
            page_url=reverse("chaperone"),
            worker_url=reverse("chaperone_worker"),
        )  # fmt: skip


def _last(entries: list[Entry]) -> dict[str, str]:
    """When the newest line was kept, in the part of the page where it was pressed: nobody presses into the blue."""
    if not entries:
        return {}
    newest = entries[-1]
    return {"wrong" if newest.facts.get("state") == "attention" else "looked": clock(newest.happened_at)}


@public
def chaperone_worker(request: HttpRequest) -> HttpResponse:
    """The script that opens the page while the network is gone. Its address is its reach: this one page."""
    return HttpResponse(worker_text(), content_type="text/javascript; charset=utf-8")
