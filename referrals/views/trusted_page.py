"""The page of somebody whom a client trusts, or of a guardian (K7): the code, what is shared, and one part of it.

No title, address or message says whose page it is. Each part passes the gate anew and is written down as a look.
"""

from collections.abc import Mapping
from functools import wraps
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from intake import actions, doors
from intake.doors import Link, link_page, see_other, show
from intake.home import ShownOf
from intake.models import Part
from practice.pages import View, client_door, once
from practice.templatetags.ui import clock
from referrals import disclosure

TITLES: dict[str, str | Promise] = {
    Part.PLAN: _("Appointments and the plan"),
    Part.REFERRAL: _("Where the referral stands"),
    Part.SAFETY_PLAN: _("The safety plan"),
    Part.RIDES: _("When a ride home is needed"),
    Part.ANSWERS: _("Past answers"),
    Part.SCORES: _("How it went over time"),
}


def person_page(view: View) -> View:
    """A page of a trusted person, opened in this browser by a code to them (`request.link`)."""
    inner = once(view)

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        link = doors.person_of(request)
        if link is None or link.locked:
            return see_other("person_check" if link else "my_locked")
        request.link = link  # type: ignore[attr-defined]
        with timezone.override(link.practice.zone):
            return inner(request, *args, **kwargs)

    return client_door(guarded, "person")


@link_page
def person_check(request: HttpRequest) -> HttpResponse:
    """Who is it? A one-time code to their own phone or mailbox; nothing else opens the page."""
    at = timezone.now()
    link = doors.person_of(request)
    if link is None:
        return see_other("my_locked")
    if not link.locked:
        return see_other("person_home")
    invitation, wrong = link.invitation, ""
    if request.method == "POST" and request.POST.get("send"):
        actions.send_code(invitation=invitation, channel=request.POST["send"][:8], at=at)
        messages.info(request, gettext("If that way is still open, a code is on its way. It works for 10 minutes."))
        return see_other("person_check")
    if request.method == "POST":
        if actions.try_code(invitation=invitation, code=request.POST.get("code", ""), at=at):
            doors.admit_home(request, invitation, by_code=True)
            return see_other("person_home")
        wrong = gettext("That does not fit. Check it and try again.")
        invitation.refresh_from_db(fields=["tries", "locked_until"])
    if actions.is_shut(invitation, at):
        wrong = gettext("There were too many tries. To keep your page private, it opens again at %(time)s.") % {
            "time": clock(invitation.locked_until)
        }
    context = {
        "check_url": reverse("person_check"),
        "channels": actions.private_channels(invitation),
        "is_shut": actions.is_shut(invitation, at),
        "wrong": wrong,
    }
    return show(request, "intake/home_check.html", context)


@person_page
def person_home(request: HttpRequest) -> HttpResponse:
    """What is shared with this person: a line for each part, and nothing of it yet."""
    link: Link = request.link  # type: ignore[attr-defined]
    at, person = timezone.now(), link.invitation.person
    open_parts = [(str(part), TITLES[part]) for part in Part if disclosure.may_show(person, part, at)]
    context = {"parts": open_parts, "until": person.until}
    return _show(request, "referrals/person_home.html", link, context)


@person_page
def person_part(request: HttpRequest, part: str, parts: Mapping[str, ShownOf]) -> HttpResponse:
    """One part of what is shared; 404 for what is not, or is not any more."""
    link: Link = request.link  # type: ignore[attr-defined]
    at, person = timezone.now(), link.invitation.person
    if part not in parts or not disclosure.may_show(person, part, at):
        raise Http404
    shown = parts[part](link, at)
    disclosure.note_look(person=person, part=part, at=at)
    context = {"title": TITLES[part], "shown": shown, **shown.context}
    return _show(request, "referrals/person_part.html", link, context)


@person_page
def person_lock(request: HttpRequest) -> HttpResponse:
    """Lock the page on this device, at once."""
    if request.method == "POST":
        doors.lock(request)
        return see_other("my_locked")
    return see_other("person_home")


def _show(request: HttpRequest, template: str, link: Link, context: dict[str, Any]) -> HttpResponse:
    frame = {"home_url": reverse("person_home"), "keeps": False, "first": link.client.first_name}
    return show(request, template, frame | context)
