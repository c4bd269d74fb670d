"""A prescriber without an account: the link in a mail, the code, what is asked, and the answer.

The session holds {"request", "at", "since", "locked"}; nothing of it is in an address. Fifteen quiet minutes lock it;
what was typed then comes along on the page of the code, and stands in the form again after it.
"""

import json
from collections.abc import Callable
from functools import wraps
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from intake.doors import see_other
from practice import audit
from practice.actions import NotNow
from practice.forms import HouseForm, words_field
from practice.kap.actions import clearance, requests
from practice.kap.actions.weighing import zone_of
from practice.kap.models import ClearanceRequest, DoseClearance, Entry, Session
from practice.kap.views import limits
from practice.kap.views.clearance import ClearForm, WithdrawForm, line_facts
from practice.middleware import kept_fields
from practice.models import Client, Practice
from practice.pages import View, client_door, once
from practice.templatetags.ui import clock, full_day, moment

KEY = "prescriber"
READINGS = 5  # the newest
MOST_KEPT = 20  # fields of the answer


class NoForm(HouseForm):
    no = words_field(_("Your words"), _("Write a line, so that the practice knows what to do."), rows=3)


def link_door(view: View) -> View:
    """The steps before the code."""
    taken_once = once(view)

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        with timezone.override(Practice.get().zone):
            return taken_once(request, *args, **kwargs)

    return client_door(guarded, "prescriber")


def answer_door(view: Callable[..., HttpResponse]) -> View:
    """Past the code: the question is given to the view. A quiet while leads back to the code, with what was typed."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        row = _held(request)
        if row is None:
            return _old(request)
        mine, now = request.session[KEY], timezone.now().timestamp()
        idle, age = now - mine["at"], now - mine["since"]
        if request.POST.get("locking") or idle > settings.SESSION_IDLE_S or age > settings.SESSION_ABSOLUTE_S:
            mine["locked"] = True
        if mine["locked"]:
            request.session.modified = True
            if request.method == "POST" and (fields := kept_fields(request)):
                return _code_page(request, row, kept=json.dumps(fields[:MOST_KEPT]))
            return see_other("prescriber_code")
        mine["at"] = now
        request.session.modified = True
        return view(request, row, *args, **kwargs)

    return link_door(guarded)


def _held(request: HttpRequest) -> ClearanceRequest | None:
    mine = request.session.get(KEY)
    return requests.held(mine["request"], timezone.now()) if mine else None


def _show(request: HttpRequest, name: str, context: dict[str, Any], status: int = 200) -> HttpResponse:
    return render(request, f"kap/{name}.html", {"practice": Practice.get()} | context, status=status)


def _old(request: HttpRequest) -> HttpResponse:
    return _show(request, "prescriber_old", {"not_taken": _words_of(request)}, status=404)


# --- Before the code -------------------------------------------------------------------------------------------------


@link_door
def prescriber_open(request: HttpRequest, token: str) -> HttpResponse:
    """The address in the mail. Looking at it does nothing and shows nothing of a client; its button sends a code."""
    at = timezone.now()
    row = requests.found(token, at)
    if row is None:
        return _old(request)
    if request.method == "POST":
        requests.send_code(request=row, at=at)
        request.session.cycle_key()
        request.session[KEY] = {"request": str(row.pk), "at": 0, "since": 0, "locked": True}
        return see_other("prescriber_code")
    return _show(request, "prescriber_open", {"row": row, "address": masked(row.to.email)})


def masked(address: str) -> str:
    name, _sign, domain = address.partition("@")
    return f"{name[:1]}•••@{domain}"


@link_door
def prescriber_code(request: HttpRequest) -> HttpResponse:
    row, at = _held(request), timezone.now()
    if row is None:
        return _old(request)
    if request.method != "POST":
        request.session[KEY]["locked"] = True
        request.session.modified = True
        return _code_page(request, row)
    kept = request.POST.get("kept", "")
    if "send" in request.POST:
        requests.send_code(request=row, at=at)
        return _code_page(request, row, kept=kept) if kept else see_other("prescriber_code")
    if not requests.try_code(request=row, code=request.POST.get("code", ""), at=at):
        row.refresh_from_db()
        wrong = gettext("That code does not fit. Look at the newest message, or ask for another code.")
        return _code_page(request, row, wrong=wrong, kept=kept)
    request.session.cycle_key()
    now = at.timestamp()
    request.session[KEY] |= {"at": now, "since": now, "locked": False}
    request.session.modified = True
    return _page(request, row, typed=_typed(kept)) if kept else see_other("prescriber_answer")


def _typed(kept: str) -> dict[str, str]:
    try:
        return {str(name): str(value) for name, value in json.loads(kept)[:MOST_KEPT]}
    except (ValueError, TypeError, RecursionError, KeyError):
        return {}


def _code_page(request: HttpRequest, row: ClearanceRequest, *, wrong: str = "", kept: str = "") -> HttpResponse:
    shut = requests.is_shut(row, timezone.now())
    if shut:
        wrong = gettext("There were too many tries. Codes work again at {time}. We were told.").format(
            time=clock(row.locked_until)
        )
    context = {"address": masked(row.to.email), "is_shut": shut, "wrong": wrong, "kept": kept}
    return _show(request, "prescriber_code", context)


# --- Past it ---------------------------------------------------------------------------------------------------------


@answer_door
def prescriber_answer(request: HttpRequest, row: ClearanceRequest) -> HttpResponse:
    """What is asked, and the answer: clear doses, or none with words; a clearance of one's own may be taken back."""
    if request.method != "POST":
        return _page(request, row)
    at, client = timezone.now(), row.client
    act = {"clear": _clear, "none": _none, "withdraw": _withdraw, "lift": limits.lift, "keep": limits.keep}.get(
        request.POST.get("act", "")
    )
    if act is None:
        return _page(request, row)
    with timezone.override(zone_of(client)):
        form, said = act(request, row, at)
    if form.is_valid():
        try:
            with transaction.atomic():
                said(form.cleaned_data)
        except NotNow as sentence:
            form.add_error(None, str(sentence))
        else:
            messages.success(request, gettext("Thank you. The practice was told."))
            return see_other("prescriber_answer")
    return _page(request, row, wrong=form)


Act = tuple[HouseForm, Callable[[dict[str, Any]], object]]


def _clear(request: HttpRequest, row: ClearanceRequest, at: Any) -> Act:
    def clear(said: dict[str, Any]) -> None:
        requests.claim(request=row, at=at)
        clearance.grant(by=None, request=row, client=row.client, at=at, **said)

    return ClearForm(request.POST, today=at.astimezone(zone_of(row.client)).date()), clear


def _none(request: HttpRequest, row: ClearanceRequest, at: Any) -> Act:
    return NoForm(request.POST), lambda said: requests.claim(request=row, at=at, answer=said["no"])


def _withdraw(request: HttpRequest, row: ClearanceRequest, at: Any) -> Act:
    mine = next((own for own in _own(row) if str(own.pk) == request.POST.get("clearance", "")), None)

    def withdraw(said: dict[str, Any]) -> None:
        if mine is None:
            raise NotNow(gettext("This clearance is not yours, or was taken back already."))
        clearance.withdraw(by=None, request=row, clearance=mine, words=said["words"], at=at)
        requests.answered(request=row, at=at)

    return WithdrawForm(request.POST, row=mine or DoseClearance()), withdraw


def _own(row: ClearanceRequest) -> list[DoseClearance]:
    """What this prescriber cleared for this client and did not take back."""
    return list(_cleared(row).filter(withdrawal=None))


def _cleared(row: ClearanceRequest) -> QuerySet[DoseClearance]:
    mine = DoseClearance.objects.filter(client=row.client_id, by_request__to=row.to_id)
    return mine.select_related("client", "withdrawal")


def _page(
    request: HttpRequest, row: ClearanceRequest, *, wrong: HouseForm | None = None, typed: dict[str, str] | None = None
) -> HttpResponse:
    client, typed = row.client, typed or {}
    audit.record("clearance.shown", by=row, client=client, target=row, shows=list(requests.SHOWN))
    zone = zone_of(client)
    with timezone.override(zone):
        today = timezone.localdate()
        withdrawing = wrong if isinstance(wrong, WithdrawForm) else None
        limit = limits.panel(row, timezone.now(), wrong, typed)
        gone = {WithdrawForm: False, limits.LiftForm: limit["given"], limits.KeepForm: limit["given"]}
        context = {
            "row": row,
            "client": client,
            "facts": _facts(row, client),
            "readings": _readings(client),
            "form": wrong if isinstance(wrong, ClearForm) else ClearForm(today=today, initial=typed),
            "no": wrong if isinstance(wrong, NoForm) else NoForm(initial=typed),
            "own": [
                {
                    "pk": own.pk,
                    "facts": line_facts(own),
                    "words": own.words,
                    "form": withdrawing
                    if withdrawing is not None and request.POST.get("clearance") == str(own.pk)
                    else WithdrawForm(row=own, initial=typed if typed.get("clearance") == str(own.pk) else {}),
                }
                for own in _own(row)
            ],
            "taken_back": [
                {"facts": line_facts(own), "at": own.withdrawal.at, "words": own.withdrawal.words}
                for own in _cleared(row).filter(withdrawal__by_request=row)
            ],
            "not_taken": _words_of(request) if wrong and gone.get(type(wrong), row.answered_at) else "",
            "limit": limit,
            "wrong": wrong,
            "locked_url": reverse("prescriber_code"),
            "idle_s": settings.SESSION_IDLE_S,
        }
        return _show(request, "prescriber_answer", context, status=400 if wrong else 200)


def _words_of(request: HttpRequest) -> str:
    """What was written in the form that was sent: when it is not on the page any more, its words are, to be copied."""
    return next((found for name in ("no", "said", "words") if (found := request.POST.get(name, "").strip())), "")


def _facts(row: ClearanceRequest, client: Client) -> list[dict[str, str]]:
    born = client.born
    return [
        {"label": gettext("Client"), "value": client.legal_name or client.name},
        {"label": gettext("Born"), "value": full_day(born) if born else gettext("Not known")},
        {"label": gettext("Asked by"), "value": f"{row.asked_by.name}, {moment(row.asked_at)}"},
        {"label": gettext("Plan"), "value": _plan_words(row)},
    ]


def _plan_words(row: ClearanceRequest) -> str:
    plan = row.plan
    if plan is None:
        return gettext("None yet")
    doses = plan.sessions.filter(kind=Session.Kind.DOSING).exclude(state=Session.State.SKIPPED)
    days = ", ".join(full_day(timezone.localdate(dose.starts_at)) for dose in doses.order_by("starts_at"))
    said = ngettext("{shape}, {n} dose planned: {days}", "{shape}, {n} doses planned: {days}", plan.planned)
    return said.format(shape=plan.get_shape_display(), n=plan.planned, days=days or gettext("no days yet"))


def _readings(client: Client) -> list[list[str]]:
    """The newest blood pressures that were taken here, each with its moment."""
    rows = Entry.objects.filter(session__plan__client=client, kind=Entry.Kind.VITALS, corrections=None)
    return [
        [moment(entry.happened_at), f"{entry.facts.get('sbp')}/{entry.facts.get('dbp')}"]
        for entry in rows.order_by("-happened_at")[:READINGS]
        if entry.facts.get("sbp") and entry.facts.get("dbp")
    ]
