"""Keeping and deleting: backups, how long what is kept, holds, and clients who asked to be deleted."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from practice import audit, backups, retention
from practice.access import Permission
from practice.actions import NotNow
from practice.forms import HouseForm, text, words_field
from practice.models import Backup, Client, Erased, ErasureRequest, LegalHold
from practice.pages import StaffRequest, client_of, staff_page
from practice.retention import Finding

SHOWN = 20
Row = ErasureRequest | LegalHold | None


class FindForm(HouseForm):
    code = text(
        _("Number of the client"),
        12,
        required=True,
        help_text=_("Such as CH-0412."),
        error_messages={"required": _("Write the number of the client.")},
    )

    def clean_code(self) -> int:
        said = re.fullmatch(r"(?:CH-?)?0*(\d{1,9})", self.cleaned_data["code"].strip().upper())
        if said is None:
            raise ValidationError(_("Write it as it stands on the chart, such as CH-0412."))
        return int(said[1])


@staff_page(Permission.KEEP_RECORDS, fresh=True)
def practice_data(request: StaffRequest) -> HttpResponse:
    at = timezone.now()
    form = FindForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        wanted = Client.objects.visible_to(request.user, Permission.KEEP_RECORDS)
        found = wanted.filter(number=form.cleaned_data["code"]).first()
        if found is not None:
            return redirect("client_keeping", found.pk)
        form.add_error("code", gettext("Nobody has this number."))
    requests = ErasureRequest.objects.visible_to(request.user, Permission.KEEP_RECORDS)
    holds = LegalHold.objects.visible_to(request.user, Permission.KEEP_RECORDS)
    context = {
        "form": form,
        "backups": Backup.objects.all()[:SHOWN],
        "state": backups.state(at),
        "to": bool(settings.BACKUP_TO),
        "categories": [(c.what, c.how_long(request.practice), c.then, c.source) for c in retention.CATEGORIES],
        "requests": requests.filter(state__in=ErasureRequest.OPEN).select_related("client"),
        "holds": holds.filter(lifted_at=None).select_related("client", "placed_by"),
        "over": retention.past_floor(request.practice, at),
        "ledger": Erased.objects.select_related("by")[:SHOWN],
        "erased": Erased.objects.count(),
    }
    audit.record("read.keeping", by=request.user, at=at)
    return render(request, "practice/practice_data.html", context, status=400 if form.errors else 200)


# --- One client ------------------------------------------------------------------------------------------------------


class HoldForm(HouseForm):
    words = words_field(_("Who asked for it, and why"), _("Write who asked for the hold, and why."), rows=2)


class LiftForm(HouseForm):
    words = words_field(_("Why it may be lifted"), _("Write why the hold may be lifted."), rows=2)


class AskForm(HouseForm):
    words = words_field(_("What they asked, in their words"), _("Write what they asked."), rows=2)


class RestrictForm(HouseForm):
    words = words_field(
        _("What you told them, and how"),
        _("Write what you told them, and how."),
        help_text=_("They have a right to know that the record is kept, until when and why."),
    )


class WithdrawForm(HouseForm):
    words = words_field(_("What they said"), _("Write a line on what they said."), rows=2)


class DeleteForm(HouseForm):
    words = text(
        _("Type the number of the client"),
        12,
        required=True,
        help_text=_("It cannot be undone."),
        error_messages={"required": _("Type the number of the client.")},
    )


@dataclass(frozen=True)
class Act:
    form: type[HouseForm]
    title: str | Promise
    button: str | Promise
    done: str | Promise
    icon: str
    do: Callable[[StaffRequest, Client, str, datetime], object]
    is_for: Callable[[Client, Finding, ErasureRequest | None, datetime], bool]


def _asked(client: Client) -> ErasureRequest:
    found: ErasureRequest | None = client.erasure_requests.filter(state__in=ErasureRequest.OPEN).first()
    if found is None:
        raise NotNow(gettext("There is no open request any more. Nothing was changed."))
    return found


def _hold(client: Client) -> LegalHold:
    found: LegalHold | None = client.holds.filter(lifted_at=None).first()
    if found is None:
        raise NotNow(gettext("No hold stands any more. Nothing was changed."))
    return found


def _delete(request: StaffRequest, client: Client, words: str, at: datetime) -> None:
    if words.strip().upper() != client.code:
        raise NotNow(gettext("That is not the number of this client. Nothing was deleted."))
    retention.delete(by=request.user, client=client, at=at)


def _is_blocked(client: Client, finding: Finding, asked: ErasureRequest | None, at: datetime) -> bool:
    free = finding.is_free(timezone.localdate(at))
    waits = asked is not None and asked.state == ErasureRequest.State.ASKED
    return waits and not free and client.status in Client.LEFT


def _may_go(client: Client, finding: Finding, asked: ErasureRequest | None, at: datetime) -> bool:
    over = finding.until is not None and client.status in Client.LEFT
    return finding.is_free(timezone.localdate(at)) and (asked is not None or over)


ACTS: dict[str, Act] = {
    "restrict": Act(
        RestrictForm, _("Hide it instead"), _("Hide the record from everyone but admins"),
        _("Hidden. It is kept until the day the law names."), "lock",
        lambda request, client, said, at: retention.restrict(by=request.user, request=_asked(client), told=said, at=at),
        _is_blocked,
    ),
    "delete": Act(
        DeleteForm, _("Delete for good"), _("Delete this record for good"),
        _("Deleted for good. Only its id stays, in the ledger and in the audit trail."), "octagon-alert",
        _delete,
        _may_go,
    ),
    "withdraw": Act(
        WithdrawForm, _("They want to keep it after all"), _("Close the request"),
        _("Closed. The record is as it was."), "history",
        lambda request, client, said, at: retention.withdraw(
            by=request.user, request=_asked(client), words=said, at=at
        ),
        lambda client, finding, asked, at: asked is not None,
    ),
    "ask": Act(
        AskForm, _("They ask to be deleted"), _("Note the request"),
        _("Noted. Below is what can be done."), "file-text",
        lambda request, client, said, at: retention.ask(by=request.user, client=client, words=said, at=at),
        lambda client, finding, asked, at: asked is None,
    ),
    "hold": Act(
        HoldForm, _("Legal hold"), _("Place a hold"),
        _("Held. Nothing of theirs is deleted until the hold is lifted."), "lock",
        lambda request, client, said, at: retention.place_hold(by=request.user, client=client, words=said, at=at),
        lambda client, finding, asked, at: finding.hold is None,
    ),
    "lift": Act(
        LiftForm, _("Lift the hold"), _("Lift the hold"),
        _("Lifted."), "lock",
        lambda request, client, said, at: retention.lift_hold(
            by=request.user, hold=_hold(client), words=said, at=at
        ),
        lambda client, finding, asked, at: finding.hold is not None,
    ),
}  # fmt: skip


@staff_page(Permission.KEEP_RECORDS, fresh=True)
def client_keeping(request: StaffRequest, pk: UUID) -> HttpResponse:
    """What the law says about keeping one client's record, and what an admin may do about it."""
    at, client = timezone.now(), client_of(request, pk)
    named = request.POST.get("act", "")
    bound: HouseForm | None = None
    if request.method == "POST":
        if named not in ACTS:
            raise Http404
        bound = _form(named, request.POST)
        if bound.is_valid():
            try:
                ACTS[named].do(request, client, bound.cleaned_data["words"], at)
            except NotNow as sentence:
                bound.add_error(None, str(sentence))
            else:
                messages.success(request, str(ACTS[named].done))
                return redirect("practice_data") if named == "delete" else redirect("client_keeping", pk)
    else:
        audit.seen(request, client, "client_keeping")
    client.refresh_from_db()
    finding = retention.look_at(client, request.practice, at)
    asked = client.erasure_requests.filter(state__in=ErasureRequest.OPEN).select_related("asked_by").first()
    shown = {name: act for name, act in ACTS.items() if act.is_for(client, finding, asked, at) or name == named}
    context = {
        "client": client,
        "finding": finding,
        "is_free": finding.is_free(timezone.localdate(at)),
        "asked": asked,
        "acts": [(name, act, bound if name == named and bound else _form(name, None)) for name, act in shown.items()],
        "form": bound,
        "past_holds": client.holds.exclude(lifted_at=None).select_related("placed_by", "lifted_by"),
        "in_care": client.status not in Client.LEFT,
    }
    return render(request, "practice/client_keeping.html", context, status=400 if bound is not None else 200)


def _form(name: str, data: Mapping[str, Any] | None) -> HouseForm:
    return ACTS[name].form(data, auto_id=f"{name}_%s")
