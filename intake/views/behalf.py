"""Staff enter what the client says: the same questions, one page each, marked as said by phone or in the room."""

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from intake import actions, flow
from intake import behalf as acts
from intake.doors import Link
from intake.models import Intake
from intake.packet import Page
from intake.views.handing import HereForm
from intake.views.questions import Sitting, form_of
from practice import audit
from practice.access import Permission
from practice.actions import NotNow
from practice.models import Client
from practice.pages import StaffRequest, client_of, record_of, staff_page
from practice.views.clients import back_to

FLAGGED = _("A safety flag is open, and who is on call is told. Stay with them.")


class FillForm(HereForm):
    how = forms.ChoiceField(
        label=_("If you enter it: how do you hear them?"),
        choices=Intake.How.choices,
        widget=forms.RadioSelect,
        initial=Intake.How.ROOM,
        required=False,
        help_text=_("It stands beside each answer. Agreements stay for the client to sign."),
    )


@staff_page(Permission.FILL_IN)
def fill_in(request: StaffRequest, pk: UUID) -> HttpResponse:
    """Begin, or go on where somebody left off."""
    client, form = client_of(request, pk), FillForm(request.POST or None)
    if request.method != "POST" or not form.is_valid():
        return redirect("client_invite", pk)
    said = form.cleaned_data
    try:
        how = said["how"] or Intake.How.ROOM
        sitting = acts.begin(by=request.user, client=client, key=said["packet"], how=how, at=timezone.now())
    except NotNow as refusal:
        messages.warning(request, str(refusal))
        return redirect("client_invite", pk)
    page = _next(sitting, request)
    return redirect("fill_in_page", pk, sitting.pk, page.slug) if page else redirect("fill_in_check", pk, sitting.pk)


def _sitting(request: StaffRequest, pk: UUID, intake: UUID) -> Intake:
    """A sitting that staff began for this client; any other is unknown here, whoever asks."""
    found: Intake = record_of(request, Intake, intake, of=pk)
    if not found.entered_how:
        raise Http404
    return found


def _shown(sitting: Intake, request: StaffRequest) -> tuple[list[Page], dict[str, Any]]:
    """The pages to ask, without the agreements, and the answers so far."""
    wanted, replies = actions.packet_of(sitting), actions.replies_of(sitting)
    world = actions.world(request.practice, actions.alert_of(sitting), wanted, timezone.now())
    found = flow.pages(wanted, replies, world)
    return [page for page in found if page.kind != "agreement"], replies


def _next(sitting: Intake, request: StaffRequest, after: str = "") -> Page | None:
    shown, replies = _shown(sitting, request)
    return flow.next_open(shown, replies, after=after)


def _frame(sitting: Intake, client: Client) -> dict[str, Any]:
    alert = actions.alert_of(sitting)
    return {
        "client": client,
        "sitting": sitting,
        "how": sitting.get_entered_how_display().lower(),
        "alert_url": reverse("alert", args=[client.pk, alert.pk]) if alert is not None and alert.is_open else "",
    }


@staff_page(Permission.FILL_IN)
def fill_in_page(request: StaffRequest, pk: UUID, intake: UUID, page: str) -> HttpResponse:
    client, sitting = client_of(request, pk), _sitting(request, pk, intake)
    if sitting.submitted_at is not None and request.method != "POST":
        return redirect("intake_read", pk, sitting.pk)
    theirs = acts.went_on(sitting)
    if theirs and request.method != "POST":
        return _theirs(request, client)
    here = Sitting(Link(sitting.invitation, sitting, False, False, request.practice, anew=theirs), page, request.user)
    try:
        return _late(request, here) if theirs or sitting.submitted_at is not None else _page(request, here, client)
    except NotNow:  # handed in before, in another window; or the client goes on with it
        if theirs:
            return _theirs(request, client)
        messages.error(request, gettext("These forms were handed in already. This answer was not added to them."))
        return redirect("intake_read", pk, sitting.pk)


def _theirs(request: StaffRequest, client: Client) -> HttpResponse:
    messages.warning(request, gettext("They went on with these forms themselves. What they type is theirs until sent."))
    return redirect("client_invite", client.pk)


def _late(request: StaffRequest, here: Sitting) -> HttpResponse:
    """What a second window says once these forms are not staff's: a safety sign raises its flag, no more is taken."""
    form = form_of(here, data=request.POST) if here.page.safety and here.takes else None
    here.keep(form.answer() if form is not None and form.is_valid() else None)
    messages.warning(request, FLAGGED)
    return redirect("intake_read", here.intake.client_id, here.intake.pk)


def _page(request: StaffRequest, here: Sitting, client: Client) -> HttpResponse:
    pk, sitting, page = client.pk, here.intake, here.page.slug
    if here.page.kind == "agreement" or not (here.takes if request.method == "POST" else here.is_shown):
        return redirect("fill_in_check", pk, sitting.pk)
    if request.method != "POST":
        audit.seen(request, client, "intake", sitting)
        return _show(request, here, form_of(here, extra=int("add" in request.GET)), client)
    skips = "skip" in request.POST and not here.page.required
    form = form_of(here, data=request.POST, draft="add" in request.POST)
    if not skips and not form.is_valid():
        return _show(request, here, form, client, status=400)
    new_rules = here.keep(None, skipped=True) if skips else here.keep(form.answer())
    if new_rules:
        messages.warning(request, FLAGGED)
    if "add" in request.POST:
        return redirect(reverse("fill_in_page", args=[pk, sitting.pk, page]) + "?add=1#rows-end")
    following = _next(sitting, request, after=page)
    if request.POST.get("from") == "check" or following is None:
        return redirect("fill_in_check", pk, sitting.pk)
    return redirect("fill_in_page", pk, sitting.pk, following.slug)


def _show(request: StaffRequest, here: Sitting, form: Any, client: Client, status: int = 200) -> HttpResponse:
    reply = here.replies.get(here.page.slug)
    shown = [page for page in here.shown if page.kind != "agreement"]
    before = flow.preceding(shown, here.page.slug)
    check = reverse("fill_in_check", args=[client.pk, here.intake.pk])
    context = {
        **_frame(here.intake, client),
        "page": here.page,
        "form": form,
        "wrong": status == 400,
        "place": flow.place(here.packet, here.shown, here.page),
        "back_url": reverse("fill_in_page", args=[client.pk, here.intake.pk, before.slug]) if before else check,
        "check_url": check,
        "from_check": (request.POST.get("from") or request.GET.get("from", "")) == "check",
        "entered": acts.words(reply) if reply else "",
        "was_skipped": bool(reply and reply.skipped),
        "notice": here.page.definition.licence.notice if here.page.instrument else "",
    }
    return render(request, "intake/fill_in_page.html", context, status=status)


@staff_page(Permission.FILL_IN)
def fill_in_check(request: StaffRequest, pk: UUID, intake: UUID) -> HttpResponse:
    """What was said so far, what is missing, and handing it in."""
    client, sitting = client_of(request, pk), _sitting(request, pk, intake)
    if sitting.submitted_at is not None:
        return redirect("intake_read", pk, sitting.pk)
    if acts.went_on(sitting):
        return _theirs(request, client)
    if request.method == "POST":
        return _hand_in(request, client, sitting)
    audit.seen(request, client, "intake", sitting)
    shown, replies = _shown(sitting, request)
    wanted = actions.packet_of(sitting)
    keys = dict.fromkeys(page.section for page in shown)
    context = {
        **_frame(sitting, client),
        "title": wanted.title,
        "groups": [
            (wanted.section(key).title, [_row(client, sitting, page, replies) for page in shown if page.section == key])
            for key in keys
        ],
        "lacking": [
            {"text": page.missing or page.text, "href": _change(client, sitting, page)}
            for page in flow.missing(shown, replies)
        ],
        "open": flow.next_open(shown, replies),
        "signs": any(page.kind == "agreement" for page in wanted.pages),
        "back": back_to(request.user, client),
    }
    return render(request, "intake/fill_in_check.html", context)


def _change(client: Client, sitting: Intake, page: Page) -> str:
    return reverse("fill_in_page", args=[client.pk, sitting.pk, page.slug]) + "?from=check"


def _row(client: Client, sitting: Intake, page: Page, replies: flow.Replies) -> dict[str, Any]:
    reply = replies.get(page.slug)
    said = flow.words(page, flow.value_of(replies, page.slug))
    skipped = reply is not None and reply.skipped
    return {
        "label": page.text,
        "value": gettext("Skipped: would like to talk about this in person") if skipped else "\n".join(said),
        "mark": acts.words(reply) if reply is not None else "",
        "url": _change(client, sitting, page),
    }


def _hand_in(request: StaffRequest, client: Client, sitting: Intake) -> HttpResponse:
    try:
        left = acts.hand_in(by=request.user, sitting=sitting, at=timezone.now())
    except NotNow as refusal:
        messages.error(request, str(refusal))
        return redirect("fill_in_check", client.pk, sitting.pk)
    if left is None:
        messages.success(request, gettext("Handed in."))
    elif left.sent_at is not None:
        messages.success(request, gettext("Handed in. The agreements were sent to the client to sign."))
    else:
        messages.warning(
            request, gettext("Handed in. There is no safe way to send the agreements: let the client sign them here.")
        )
    return redirect("intake_read", client.pk, sitting.pk)
