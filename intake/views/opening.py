"""From the link to the first question, and back in after a pause."""

from contextlib import suppress
from datetime import datetime

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.utils import timezone, translation
from django.utils.translation import gettext

from intake import actions, doors, flow
from intake.doors import Link, client_page, link_page, see_other, show
from intake.models import Intake, Invitation
from intake.models.packets import PAGES, PERSON, digest
from intake.views import language, support
from practice import coverage
from practice.actions import NotNow
from practice.language import CODES
from practice.models import Practice
from practice.templatetags.ui import clock


@link_page
def link_open(request: HttpRequest, token: str) -> HttpResponse:
    """The address in a message. Looking at it does nothing; its button opens it in this browser."""
    at = timezone.now()
    invitation = doors.followed(token, at)
    if invitation is None:
        return show(request, "intake/link_old.html", {"token": token}, status=404)
    is_home, is_person = invitation.packet in PAGES, invitation.packet == PERSON
    if request.method != "POST":
        return show(request, "intake/link_open.html", {"token": token, "is_home": is_home})
    if (chosen := request.POST.get("speak")) in CODES:
        with translation.override(chosen):
            page = show(request, "intake/link_open.html", {"token": token, "is_home": is_home})
        return language.switch(request, page, None if is_person else invitation.client, chosen)
    actions.open_link(invitation=invitation, at=at)
    if is_home:
        return _to_home(request, invitation)
    sitting = doors.intake_of(invitation)
    mine = _mine(request, invitation)
    if sitting is not None and sitting.submitted_at is not None:
        if mine is None:
            doors.admit(request, invitation, sitting, receipt=True)
        return see_other("my_done")
    if mine is not None and mine.intake is not None:
        return landing(mine.intake)
    if sitting is not None and sitting.saved_at is not None:
        if doors.has_shown_code(request, invitation.client_id):
            doors.admit(request, invitation, sitting)
            actions.come_back(sitting=sitting, at=at)
            return landing(sitting)
        doors.wait(request, invitation)
        return see_other("link_code")
    doors.admit(request, invitation, None)
    return see_other("my_start")


def _to_home(request: HttpRequest, invitation: Invitation) -> HttpResponse:
    if invitation.packet == PERSON:
        mine = doors.person_of(request)
        if mine is not None and not mine.locked and mine.invitation.pk == invitation.pk:
            return see_other("person_home")
        doors.knock(request, invitation)
        return see_other("person_check")
    if doors.is_at_home(request, invitation.client_id):
        return see_other("my_home")
    doors.knock(request, invitation)
    return see_other("home_check")


def _mine(request: HttpRequest, invitation: Invitation) -> Link | None:
    """What this browser may already see of this very invitation."""
    link = doors.link_of(request)
    if link is None or link.locked or link.person is not None:
        return None
    return link if link.invitation.pk == invitation.pk else None


def landing(sitting: Intake) -> HttpResponse:
    """Where somebody goes on who comes back: the support page while nobody has spoken with them, else the question."""
    if sitting.submitted_at is not None:
        return see_other("my_done")
    wanted, replies, alert = actions.packet_of(sitting), actions.replies_of(sitting), actions.alert_of(sitting)
    shown = flow.pages(wanted, replies, actions.world(Practice.get(), alert, wanted, timezone.now()))
    if sitting.answered_by_id is not None:
        shown = flow.asked_of_guardian(shown)
    if alert is not None and support.is_due(alert):
        support.note_shown(sitting, alert, wanted, shown, replies, timezone.now())
        return see_other("my_support")
    page = flow.next_open(shown, replies, after=sitting.at_page)
    return see_other("my_page", page.slug) if page else see_other("my_check")


@link_page
def link_code(request: HttpRequest) -> HttpResponse:
    """The return code, or a one-time code to a private phone or mailbox."""
    at = timezone.now()
    invitation = doors.held(request)
    sitting = doors.intake_of(invitation) if invitation else None
    if invitation is None or sitting is None or doors.is_guardians(request):
        return see_other("my_locked")
    if request.method == "POST" and request.POST.get("send"):
        actions.send_code(invitation=invitation, channel=request.POST["send"][:8], at=at)
        messages.info(request, gettext("If that way is still open, a code is on its way. It works for 10 minutes."))
        return see_other("link_code")
    wrong = ""
    if request.method == "POST":
        if actions.try_code(invitation=invitation, code=request.POST.get("code", ""), at=at):
            doors.admit(request, invitation, sitting)
            actions.come_back(sitting=sitting, at=at)
            return landing(sitting)
        wrong = gettext("That code does not fit. Check it and try again.")
        invitation.refresh_from_db()
    if actions.is_shut(invitation, at):
        wrong = gettext(
            "There were too many tries. To keep your answers private, this page opens again at %(time)s."
        ) % {"time": clock(invitation.locked_until)}
    return show(request, "intake/code.html", code_context(invitation, at) | {"wrong": wrong})


def code_context(invitation: Invitation, at: datetime) -> dict[str, object]:
    return {
        "channels": actions.private_channels(invitation),
        "is_shut": actions.is_shut(invitation, at),
        "therapist": doors.called(invitation.client, Practice.get()),
    }


@link_page
def link_new(request: HttpRequest) -> HttpResponse:
    """Send a new link when the old one was ours. Says the same words whatever it was."""
    if request.method == "POST":
        at = timezone.now()
        old = Invitation.objects.filter(token_digest=digest(request.POST.get("token", "")[:200])).first()
        if old is not None and _may_renew(old, at):
            with suppress(NotNow):  # there may be no safe way to send it; the page says to call
                actions.resend(by=old.client, invitation=old, at=at)
        return see_other("link_new")
    return show(request, "intake/link_new.html")


def _may_renew(old: Invitation, at: datetime) -> bool:
    recently = old.sent_at is not None and old.sent_at > at - actions.RESEND_AFTER
    return old.state in actions.OPEN and not old.is_live(at) and not recently


@link_page
def my_locked(request: HttpRequest) -> HttpResponse:
    at = timezone.now()
    if doors.is_here(request):
        return doors.end_here(request, lost="lost" in request.GET)
    doors.lock(request)
    invitation = doors.held(request)
    context: dict[str, object] = {
        "stopped": bool((request.session.get(doors.KEY) or {}).get("stopped")),
        "lost": "lost" in request.GET,
        "heard": "heard" in request.GET,
        "was_open": doors.KEY in request.session,
    }
    if invitation is not None and doors.intake_of(invitation) is not None and not doors.is_guardians(request):
        context |= code_context(invitation, at) | {"may_unlock": True}
    context["has_home"] = doors.home_held(request) is not None
    context["has_person"] = doors.person_held(request) is not None
    return show(request, "intake/locked.html", context)


@client_page
def my_start(request: HttpRequest) -> HttpResponse:
    """Before you start: how long, who reads it and when, how to stop, how to come back."""
    link: Link = request.link  # type: ignore[attr-defined]
    at = timezone.now()
    if link.receipt or (link.intake and link.intake.submitted_at):
        return see_other("my_done")
    if request.method == "POST" and link.intake is None:
        try:
            sitting = actions.start(invitation=link.invitation, at=at)
        except NotNow:
            doors.wait(request, link.invitation)
            return see_other("link_code")
        doors.admit(request, link.invitation, sitting)
        return see_other("my_start")
    if request.method == "POST" and link.intake is not None:
        return landing(link.intake)
    practice = link.practice
    wanted = actions.packet_for(link.invitation)
    replies = actions.replies_of(link.intake) if link.intake else {}
    shown = flow.pages(wanted, replies, actions.world(practice, None, wanted, at))
    if link.person is not None:
        shown = flow.asked_of_guardian(shown)
    keys = {page.section for page in shown}
    return show(
        request,
        "intake/start.html",
        {
            "minutes": flow.minutes_left(wanted, shown, replies),
            "sections": [section for section in wanted.sections if section.key in keys],
            "read_by": coverage.read_by(at, practice, link.client.therapist),
            "code": actions.return_code(link.intake) if link.intake and not link.person else "",
            "started": bool(replies),
            "until": link.invitation.expires_at,
        },
    )


@client_page
def my_later(request: HttpRequest) -> HttpResponse:
    """Stop and finish later: how to come back; the button locks this device."""
    link: Link = request.link  # type: ignore[attr-defined]
    if request.method == "POST":
        if link.intake is not None:
            actions.stop(by=link.client, sitting=link.intake, at=timezone.now())
        doors.lock(request)
        request.session[doors.KEY]["stopped"] = True
        return see_other("my_locked")
    code = actions.return_code(link.intake) if link.intake and not (link.receipt or link.person) else ""
    return show(
        request,
        "intake/later.html",
        {"code": code, "channels": actions.private_channels(link.invitation), "until": link.invitation.expires_at},
    )
