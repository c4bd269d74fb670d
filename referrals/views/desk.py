"""The clinic's way in: the link in a mail, the code, the PIN of a device, the list, and the way out. No account."""

import json
from datetime import datetime
from itertools import pairwise
from typing import Any

from django import forms
from django.core.validators import RegexValidator
from django.db.models import Exists, OuterRef
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from intake.doors import see_other
from intake.models.packets import digest
from practice.forms import HouseForm
from practice.middleware import kept_back
from practice.templatetags.ui import clock
from referrals import desk_doors as doors
from referrals.actions import desk as actions
from referrals.desk_doors import Desk, desk_page, link_page, show
from referrals.models import DeskKey, Message, Referral
from referrals.states import State
from referrals.views.standing import visit_words

ALL = "all"  # in the link of a digest, which leads to the list


@link_page
def desk_open(request: HttpRequest, token: str) -> HttpResponse:
    """The address in a mail. Looking at it does nothing and shows nothing about a client; its button sends a code."""
    at = timezone.now()
    found = doors.with_people(Referral.objects.filter(token_digest=digest(token)).exclude(state=State.DRAFT)).first()
    if found is None or found.link_expires_at is None or found.link_expires_at <= at:
        return show(request, "referrals/desk_old.html", {"token": token}, status=404)
    if gone := doors.why_gone(found):
        return doors.gone_page(request, found, gone)
    mine, whole_list = _key_here(request, found), ALL in request.GET
    if mine is not None and not doors.is_locked(request):
        return see_other("desk") if whole_list else see_other("desk_referral", found.pk)
    wrong = ""
    if request.method == "POST" and "pin" in request.POST and mine is not None and doors.has_pin(request):
        if doors.try_pin(request, request.POST["pin"]):
            doors.ask(request, found, mine, whole_list=whole_list)
            doors.admit(request, by_pin=True)
            return see_other("desk") if whole_list else see_other("desk_referral", found.pk)
        wrong = gettext("That is not the PIN of this device. Try again, or get a code.")
    elif request.method == "POST":
        way = next((way for way in actions.ways(found) if way.code == request.POST.get("way")), None)
        key = actions.send_code(referral=found, way=way, at=at) if way is not None else None
        if way is not None and key is not None:
            doors.ask(request, found, key, whole_list=whole_list, sent_to=way.shown)
            return see_other("desk_code")
    context = {
        "referral": found,
        "ways": actions.ways(found),
        "has_pin": mine is not None and doors.has_pin(request),
        "wrong": wrong,
    }
    return show(request, "referrals/desk_open.html", context)


def _key_here(request: HttpRequest, referral: Referral) -> DeskKey | None:
    """The address that this browser came for before, when it may read this referral."""
    key = doors.key_of(request)
    if key is None or not Referral.objects.at_desk(key).filter(pk=referral.pk).exists():
        return None
    return key


@link_page
def desk_code(request: HttpRequest) -> HttpResponse:
    """The code, or the PIN of this device: opens the page again, with what was typed before it locked."""
    at = timezone.now()
    mine = doors.held(request)
    if mine is None:
        return show(request, "referrals/desk_code.html")
    key, referral = mine
    if request.method != "POST":
        if "locked" not in request.GET and doors.key_of(request) and not doors.is_locked(request):
            return see_other("desk_referral", referral.pk)
        doors.lock(request)  # the page said so after a quiet while
        return code_page(request)
    if "send" in request.POST:
        way = actions.way_of(referral, key, str(actions.EMAIL))
        if way is not None:
            actions.send_code(referral=referral, way=way, at=at)
        return code_page(request, kept=_kept(request)) if request.POST.get("kept") else see_other("desk_code")
    if doors.has_pin(request) and "pin" in request.POST:
        if doors.try_pin(request, request.POST["pin"]):
            return _come_in(request, referral, by_pin=True)
        wrong = gettext("That is not the PIN of this device. Try again, or use a code.")
        if not doors.has_pin(request):
            wrong = gettext("That was not the PIN, five times. Use a code now.")
    elif actions.try_code(referral=referral, key=key, code=request.POST.get("code", ""), at=at):
        return _come_in(request, referral)
    else:
        wrong = gettext("That code does not fit. Look at the newest message, or ask for another code.")
        key.refresh_from_db()
        if actions.is_shut(key, at):
            wrong = _shut_words(key)
    return code_page(request, wrong=wrong, kept=_kept(request))


def _shut_words(key: DeskKey) -> str:
    return gettext("There were too many tries. To keep this private, codes work again at {time}. We were told.").format(
        time=clock(key.locked_until)
    )


def _come_in(request: HttpRequest, referral: Referral, *, by_pin: bool = False) -> HttpResponse:
    kept = _kept(request)
    doors.admit(request, by_pin=by_pin)
    if kept is not None:
        return show(request, "referrals/desk_kept.html", {"path": kept["path"], "fields": kept["fields"]})
    return see_other("desk") if doors.wants_list(request) else see_other("desk_referral", referral.pk)


def code_page(request: HttpRequest, *, wrong: str = "", kept: dict[str, Any] | None = None) -> HttpResponse:
    mine = doors.held(request)
    context: dict[str, Any] = {
        "wrong": wrong,
        "kept": json.dumps(kept) if kept else "",
        "locked": doors.was_in(request),
    }
    if mine is not None:
        key, _referral = mine
        shut = actions.is_shut(key, timezone.now())
        context |= {
            "address": request.session[doors.KEY].get("sent_to") or actions.masked(key.email),
            "has_pin": doors.has_pin(request),
            "is_shut": shut,
            "wrong": wrong or (_shut_words(key) if shut and not doors.has_pin(request) else ""),
        }
    return show(request, "referrals/desk_code.html", context)


def _kept(request: HttpRequest) -> dict[str, Any] | None:
    return kept_back(request.POST.get("kept", ""), under="/desk/")


@link_page
def desk_new_link(request: HttpRequest) -> HttpResponse:
    """Send a new link when the old one was ours. Says the same words whatever it was."""
    if request.method == "POST":
        token = request.POST.get("token", "")[:200]
        old = doors.with_people(Referral.objects.filter(token_digest=digest(token))).first()
        if old is not None and not doors.why_gone(old):
            actions.renew_link(referral=old, at=timezone.now())
        return see_other("desk_new_link")
    return show(request, "referrals/desk_new_link.html")


# --- Past the code ---------------------------------------------------------------------------------------------------


@desk_page
def desk(request: HttpRequest) -> HttpResponse:
    """All open referrals of this clinic from this practice; a colleague sees those passed to them.

    Nothing of a client or a packet stands here, so nothing is asked of the gate: opening a row does that.
    """
    here: Desk = request.desk  # type: ignore[attr-defined]
    unread = Message.objects.filter(referral=OuterRef("pk"), from_clinic=False, read_at=None)
    found = Referral.objects.at_desk(here.key).open().select_related("client").annotate(has_news=Exists(unread))
    rows = [{"referral": each, "visit": visit_words(each.visit_at)} for each in found.order_by("sent_at")]
    return show(request, "referrals/desk.html", {"rows": rows, "open": len(rows)})


class PinForm(HouseForm):
    pin = forms.CharField(
        label=_("A PIN for this device"),
        help_text=_("6 to 12 numbers. It replaces the code on this device for 12 hours."),
        max_length=12,
        validators=[RegexValidator(r"^\d{6,12}$", _("Use 6 to 12 numbers."))],
        widget=forms.PasswordInput({"inputmode": "numeric", "autocomplete": "off"}),
        error_messages={"required": _("Type a PIN of 6 to 12 numbers.")},
    )

    def clean_pin(self) -> str:
        pin = str(self.cleaned_data["pin"])
        steps = {ord(b) - ord(a) for a, b in pairwise(pin)}
        if steps in ({0}, {1}, {-1}):
            raise forms.ValidationError(gettext("This is easy to guess. Use other numbers."))
        return pin


@desk_page
def desk_pin(request: HttpRequest) -> HttpResponse:
    form = PinForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        doors.set_pin(request, form.cleaned_data["pin"])
        return see_other("desk_pin", query="?set=1")
    return show(
        request,
        "referrals/desk_pin.html",
        {"form": form, "has_pin": doors.has_pin(request), "just_set": "set" in request.GET},
        status=400 if form.errors else 200,
    )


@link_page
def desk_leave(request: HttpRequest) -> HttpResponse:
    """Close the page on this device; its PIN is forgotten."""
    if request.method == "POST":
        doors.leave(request)
        response = see_other("desk_leave")
        response["Clear-Site-Data"] = '"cache"'
        return response
    return show(request, "referrals/desk_left.html")


@desk_page
def desk_stop_mail(request: HttpRequest) -> HttpResponse:
    """The clinic wants calls instead of mail; the practice is told."""
    here: Desk = request.desk  # type: ignore[attr-defined]
    at: datetime = timezone.now()
    mine = doors.held(request)
    if request.method == "POST" and here.key.is_main and mine is not None:
        actions.stop_mail(key=here.key, referral=mine[1], at=at)
        return see_other("desk_stop_mail")
    context = {"stopped_at": here.key.destination.mail_stopped_at, "may_stop": here.key.is_main}
    return show(request, "referrals/desk_stop_mail.html", context)
