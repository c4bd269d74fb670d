"""A person's sessions as a calendar feed, and the page where its secret address is made anew or stopped."""

from urllib.parse import urlsplit

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext

from practice.access import Permission
from practice.kap import feed as feeds
from practice.kap.actions import feeds as actions
from practice.kap.models import Feed
from practice.notices import link
from practice.pages import StaffRequest, public, staff_page

SHOWN = "feed_shown"  # in the session: the address was made just now and is shown on the next page, once


@public
def feed(request: HttpRequest, token: str) -> HttpResponse:
    """For calendar programs: no sign-in, no session, nothing about a client. An old address is like none."""
    row = actions.found(token)
    if row is None:
        raise Http404
    at = timezone.now()
    actions.note_read(row, at)
    body = feeds.calendar(
        feeds.sessions_of(row.user, at), name=gettext("Sessions"), host=urlsplit(settings.ORIGIN).hostname or "waymark"
    )
    return HttpResponse(body, content_type="text/calendar; charset=utf-8", headers={"Cache-Control": "no-store"})


@staff_page(Permission.SEE_OWN_ACCOUNT)
def feed_new(request: StaffRequest) -> HttpResponse:
    """Make the address, make it anew, or stop it. It is shown once, right after it was made."""
    if request.method == "POST":
        if "stop" in request.POST:
            actions.stop(by=request.user, at=timezone.now())
            messages.success(request, gettext("Stopped. The address does not work any more."))
        elif request.POST.get("make") == "first" and Feed.objects.filter(user=request.user).exists():
            messages.info(request, gettext("Your address was made already, in another window. It works as it is."))
        elif "make" in request.POST:
            actions.make(by=request.user, at=timezone.now())
            request.session[SHOWN] = True
        return redirect("feed_new")
    row = Feed.objects.filter(user=request.user).first()
    shown = request.session.pop(SHOWN, False)
    address = link(reverse("feed", args=[row.token])) if row is not None and shown else ""
    return render(request, "kap/feed_new.html", {"feed": row, "address": address})
