"""The client's own page: the door to it, the one next thing, and a line for each thing that stands there."""

import json
from collections.abc import Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext

from intake import actions, copies, doors, editions
from intake.doors import Link, home_page, link_page, see_other, show
from intake.home import Line, LineOf
from intake.models import Invitation
from intake.models.packets import PAGES, SIGNING
from practice import audit, coverage
from practice.middleware import kept_back
from practice.templatetags.ui import clock, moment


@link_page
def home_check(request: HttpRequest) -> HttpResponse:
    """Who is it? A one-time code to a phone or mailbox that is theirs alone, else the birth date."""
    at = timezone.now()
    invitation = doors.home_held(request)
    if invitation is None:
        return see_other("my_locked")
    if doors.is_at_home(request, invitation.client_id):
        return see_other("my_home")
    kept = kept_back(request.POST.get("kept", ""), under="/my/")
    if request.method == "POST" and request.POST.get("send"):
        actions.send_code(invitation=invitation, channel=request.POST["send"][:8], at=at)
        messages.info(request, gettext("If that way is still open, a code is on its way. It works for 10 minutes."))
        return who_is_it(request, invitation, kept=kept) if kept else see_other("home_check")
    wrong = ""
    if request.method == "POST":
        if _is_right(request, invitation, at):
            doors.admit_home(request, invitation, by_code=not actions.asks_birth_date(invitation))
            return show(request, "intake/home_kept.html", kept) if kept else see_other("my_home")
        wrong = gettext("That does not fit. Check it and try again.")
        invitation.refresh_from_db()
    if actions.is_shut(invitation, at):
        wrong = gettext("There were too many tries. To keep your page private, it opens again at %(time)s.") % {
            "time": clock(invitation.locked_until)
        }
    return who_is_it(request, invitation, wrong=wrong, kept=kept)


def who_is_it(
    request: HttpRequest, invitation: Invitation, *, wrong: str = "", kept: dict[str, Any] | None = None
) -> HttpResponse:
    """The page that asks; `kept` is what was typed before a lock and comes along on it."""
    context = {
        "check_url": reverse("home_check"),
        "kept": json.dumps(kept) if kept else "",
        "channels": actions.private_channels(invitation),
        "asks_birth_date": actions.asks_birth_date(invitation),
        "is_shut": actions.is_shut(invitation, timezone.now()),
        "wrong": wrong,
        "typed": request.POST,
    }
    return show(request, "intake/home_check.html", context)


def _is_right(request: HttpRequest, invitation: Invitation, at: datetime) -> bool:
    if actions.asks_birth_date(invitation):
        return actions.try_birth_date(invitation=invitation, said=_typed_day(request), at=at)
    return actions.try_code(invitation=invitation, code=request.POST.get("code", ""), at=at)


def _typed_day(request: HttpRequest) -> str:
    """The date that was typed, or what no birth date equals: an impossible day is as wrong as any other."""
    try:
        typed = (int(request.POST.get(name, "")[:4]) for name in ("year", "month", "day"))
        return date(*typed).isoformat()
    except ValueError:
        return "-"


@home_page
def my_home(request: HttpRequest, lines: Sequence[LineOf]) -> HttpResponse:
    link: Link = request.link  # type: ignore[attr-defined]
    at = timezone.now()
    found = [line for make in lines if (line := make(link, at))]
    first = next((line for line in found if line.todo), None)
    context = {
        "first": first,
        "lines": [line for line in found if line is not first],
        "quiet": "" if first else quiet_words(link, at),
    }
    return show(request, "intake/home.html", context)


def quiet_words(link: Link, at: datetime) -> str:
    """What is true when nothing is to be done: a call that was asked for, or the next visit; else nothing."""
    asked = link.client.tasks.filter(kind="call_me", done_at=None).first()
    if asked is not None and (call_by := coverage.read_by(asked.opened_at, link.practice)) > at:
        return gettext("%(name)s will call you by %(when)s.") % {
            "name": doors.called(link.client, link.practice),
            "when": moment(call_by),
        }
    if link.client.next_session_at and link.client.next_session_at > at:
        return gettext("Your next visit is on %(when)s.") % {"when": moment(link.client.next_session_at)}
    return ""


@home_page
def my_home_lock(request: HttpRequest) -> HttpResponse:
    """Lock the page on this device, at once."""
    if request.method == "POST":
        doors.lock(request)
        return see_other("my_locked")
    return see_other("my_home")


# --- Lines of this package --------------------------------------------------------------------------------------------


def forms_line(link: Link, at: datetime) -> Line | None:
    """The oldest packet that is not finished."""
    waiting = link.client.invitations.filter(state__in=actions.OPEN, expires_at__gt=at).exclude(packet__in=PAGES)
    invitation: Invitation | None = waiting.order_by("created_at").first()
    if invitation is None:
        return None
    minutes = actions.packet_for(invitation).minutes
    begun = doors.intake_of(invitation) is not None
    text = gettext("About %(minutes)s minutes. You can stop any time and come back.") % {"minutes": minutes}
    if invitation.packet == SIGNING:
        return Line(
            title=gettext("Something to read and sign"),
            text=gettext(
                "Something in what you signed has changed, or it is time to look at it again. You can say no."
            ),
            url=invitation.path,
            label=gettext("Read it"),
            todo=True,
        )
    return Line(
        title=gettext("Some questions for you"),
        text=text,
        url=invitation.path,
        label=gettext("Go on with the questions") if begun else gettext("Open the questions"),
        todo=True,
    )


def copies_line(link: Link, at: datetime) -> Line | None:
    if not link.client.signatures.exists():
        return None
    return Line(
        title=gettext("What you signed"),
        text=gettext("Your copies, to read or keep."),
        url=reverse("my_copies"),
        label=gettext("See my copies"),
    )


@home_page
def my_copies(request: HttpRequest) -> HttpResponse:
    """Everything the client signed, newest first, each as a file to keep."""
    link: Link = request.link  # type: ignore[attr-defined]
    signed = list(link.client.signatures.order_by("-signed_at"))
    named = editions.titles(signed)
    rows = [
        {
            "title": named[row.document, row.version],
            "language": row.language,
            "signed_at": row.signed_at,
            "url": reverse("my_home_copy", args=[row.pk]),
        }
        for row in signed
    ]
    return show(request, "intake/copies.html", {"rows": rows})


@home_page
def my_home_copy(request: HttpRequest, pk: UUID) -> HttpResponse:
    link: Link = request.link  # type: ignore[attr-defined]
    found = link.client.signatures.filter(pk=pk).first()
    if found is None:
        raise Http404
    audit.record("copy.downloaded", by=link.client, client=link.client, target=found, document=found.document)
    return copies.download(found)
