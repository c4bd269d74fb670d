"""The page of somebody whom a client trusts, or of a guardian (K7): the code, what is shared, and one part of it.

No title, address or message says whose page it is. Each part passes the gate anew and is written down as a look.
"""

from collections.abc import Mapping
from datetime import datetime
from functools import wraps
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from intake import actions, doors, guardians
from intake.doors import Link, link_page, see_other, show
from intake.home import ShownOf
from intake.models import Part
from intake.models.packets import PAGES
from intake.spoken import packet_title
from intake.views.opening import landing
from practice.actions import NotNow
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
    open_parts = [(str(part), TITLES[part]) for part in TITLES if disclosure.may_show(person, part, at)]
    acts = disclosure.may_show(person, Part.ACT, at)
    context = {"parts": open_parts, "until": person.until, "acts": acts, "forms": _forms(link, at) if acts else []}
    return _show(request, "referrals/person_home.html", link, context)


def _forms(link: Link, at: datetime) -> list[dict[str, Any]]:
    """The forms that a guardian may answer: what each is called, by when, and whether they have begun it."""
    return [
        {
            "pk": row.pk,
            "title": packet_title(actions.packet_for(row)),
            "until": row.expires_at,
            "begun": getattr(getattr(row, "intake", None), "saved_at", None) is not None,
        }
        for row in guardians.waiting(link.invitation.person, at)
    ]


@person_page
def person_form(request: HttpRequest, pk: UUID) -> HttpResponse:
    """A guardian opens forms to answer and sign for the client; 404 for what is not theirs to answer."""
    link: Link = request.link  # type: ignore[attr-defined]
    at, person = timezone.now(), link.invitation.person
    if not disclosure.may_show(person, Part.ACT, at):
        raise Http404
    if request.method != "POST":
        return see_other("person_home")
    found = next((row for row in guardians.waiting(person, at) if row.pk == pk), None)
    if found is None and not person.client.invitations.filter(pk=pk).exclude(packet__in=PAGES).exists():
        raise Http404
    try:
        if found is None:
            raise NotNow
        sitting = guardians.begin(person=person, invitation=found, at=at)
    except NotNow:  # begun by the client, or sent, since this page was shown
        messages.info(request, gettext("These forms do not wait for you any more: somebody else went on with them."))
        return see_other("person_home")
    disclosure.note_look(person=person, part=Part.ACT, at=at)
    doors.admit(request, sitting.invitation, sitting, person=person)
    return see_other("my_start") if sitting.saved_at is None else landing(sitting)


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
