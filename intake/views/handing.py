"""Filling in at the practice: hand this device over, make a code for another one, and the page where it is typed."""

from datetime import datetime
from functools import wraps
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from intake import handing as acts
from intake.doors import client_page, end_here, see_other
from intake.enquiries import TooMany
from intake.models import Invitation
from intake.views.inviting import PacketForm
from practice.access import Permission
from practice.actions import NotNow
from practice.models import Practice
from practice.notices import link
from practice.pages import StaffRequest, View, client_of, public, staff_page
from practice.templatetags.ui import clock


class HereForm(PacketForm):
    """The same choice, on a page where the other form stands too."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["packet"].label = _("What to fill in")
        self.helper.all_optional = True  # how staff hear it has an answer already


def of_invitation(view: View) -> View:
    """The view is given the invitation for what was chosen, and the moment; a refusal leads back with its sentence."""

    @wraps(view)
    def prepared(request: StaffRequest, pk: UUID) -> HttpResponse:
        client, form, at = client_of(request, pk), HereForm(request.POST or None), timezone.now()
        if request.method == "POST" and form.is_valid():
            try:
                invitation = acts.prepare(by=request.user, client=client, key=form.cleaned_data["packet"], at=at)
            except NotNow as refusal:
                messages.warning(request, str(refusal))
            else:
                return view(request, invitation, at)
        return redirect("client_invite", pk)

    return prepared


@staff_page(Permission.INVITE_CLIENT)
@of_invitation
def hand_over(request: StaffRequest, invitation: Invitation, at: datetime) -> HttpResponse:
    """This device, now: staff are signed out here before the client's page opens."""
    fresh = acts.give_device(request, by=request.user, invitation=invitation, at=at)
    return see_other("my_start" if fresh else "link_code")


@staff_page(Permission.INVITE_CLIENT)
@of_invitation
def kiosk_code(request: StaffRequest, invitation: Invitation, at: datetime) -> HttpResponse:
    """A code for a practice device that nobody is signed in at. It is shown once."""
    if (shut := acts.shut_until("", at)) is not None:
        said = gettext(
            "Wrong codes were typed too often, so no code works until {time}. Fill in on this device instead, or send "
            "the forms."
        )
        messages.warning(request, said.format(time=clock(shut)))
        return redirect("client_invite", invitation.client_id)
    code = acts.make_code(by=request.user, invitation=invitation, at=at)
    said = gettext("The code for {name} is {code}. Type it at {url} by {time}. It works once, and is not shown again.")
    messages.success(
        request,
        said.format(
            name=invitation.client.name,
            code=code,
            url=link(reverse("kiosk")).partition("://")[2],
            time=clock(timezone.localtime(at + acts.CODE_LIFE)),
        ),
    )
    return redirect("client_invite", invitation.client_id)


@public
def kiosk(request: HttpRequest) -> HttpResponse:
    """On a device of the practice: type the code that staff gave you. Nothing of anybody stands here."""
    with timezone.override(Practice.get().zone):
        return _kiosk(request)


def _kiosk(request: HttpRequest) -> HttpResponse:
    at, origin = timezone.now(), request.origin  # type: ignore[attr-defined]
    wrong, status = "", 200
    if request.method == "POST":
        try:
            invitation = acts.take_code(code=request.POST.get("code", ""), origin=origin, at=at)
        except TooMany:
            status = 429
        else:
            if invitation is not None:
                return see_other("my_start" if acts.enter(request, invitation, at) else "link_code")
            wrong, status = gettext("That code does not fit. Check it, or ask for a new one."), 400
    shut = acts.shut_until(origin, at)
    context = {
        "wrong": wrong,
        "shut": clock(shut) if shut else "",
        "ended": "ended" in request.GET,
        "lost": "lost" in request.GET,
    }
    return render(request, "intake/kiosk.html", context, status=status)


@client_page
def my_finished(request: HttpRequest) -> HttpResponse:
    """Give the device back: nothing of this client is left in its browser."""
    if request.method != "POST":
        return see_other("my_start")
    return end_here(request)
