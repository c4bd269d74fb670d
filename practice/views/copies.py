"""Copies of a record: the client's right to one and its clock, the file itself, and the copy of the whole practice."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from practice import access_requests, audit, exports, record, sheets
from practice.access import Permission
from practice.actions import NotNow
from practice.forms import Day, HouseForm, words_field
from practice.models import AccessRequest, Client, Export
from practice.pages import StaffRequest, client_of, record_of, staff_page
from practice.templatetags.ui import full_day
from practice.views.chart import SIDE, Panel, allowed, reader

PER_PAGE = 50
SHOWN = 10  # copies and requests of the past, on a page
SOON_DAYS = 7


def due_words(request: AccessRequest, today: date) -> str:
    """By when the client must have their copy, and how long that is."""
    left = request.days_left(today)
    if left < 0:
        return ngettext("Due {day}, {n} day late", "Due {day}, {n} days late", -left).format(
            day=full_day(request.due_on), n=-left
        )
    if left == 0:
        return gettext("Due today")
    return ngettext("Due {day}, {n} day left", "Due {day}, {n} days left", left).format(
        day=full_day(request.due_on), n=left
    )


def panel(request: Any, client: Client, at: datetime) -> Panel | None:
    """The clock on the chart while a copy is asked for, and the way to it for whoever may make one."""
    waiting = access_requests.open_request(client)
    may = Permission.EXPORT_CLIENT in allowed(reader(request), client)
    if waiting is None and not may:
        return None
    today = timezone.localdate(at)
    context = {
        "waiting": waiting,
        "due": due_words(waiting, today) if waiting else "",
        "pressing": waiting is not None and waiting.days_left(today) <= SOON_DAYS,
        "may": may,
    }
    return Panel("practice/record_copy_panel.html", context, SIDE)


# --- The copy of one client ------------------------------------------------------------------------------------------


class AskForm(HouseForm):
    asked_on = Day(
        label=_("The day they asked"),
        help_text=_("The 30 days count from it."),
        error_messages={"required": _("Give the day on which they asked.")},
    )
    words = words_field(_("What they want, and in which form, in their words"), "", required=False, rows=2)

    def __init__(self, *args: Any, today: date, **kwargs: Any) -> None:
        super().__init__(*args, initial={"asked_on": today}, **kwargs)
        self.today = today

    def clean_asked_on(self) -> date:
        day: date = self.cleaned_data["asked_on"]
        if day > self.today:
            raise ValidationError(_("This day is still to come."))
        if (self.today - day).days > access_requests.DAYS + access_requests.MORE_DAYS:
            raise ValidationError(_("That is more than 60 days ago. Check the year."))
        return day


class ExtendForm(HouseForm):
    words = words_field(
        _("Why it takes longer, as the client will read it"), _("Write why it takes longer. The client reads it.")
    )


class GiveForm(HouseForm):
    how = forms.ChoiceField(
        label=_("How they got it"),
        choices=AccessRequest.How,
        widget=forms.RadioSelect,
        error_messages={"required": _("Choose how they got it.")},
    )
    words = words_field(_("Anything to add"), "", required=False, rows=2)


class WithdrawForm(HouseForm):
    words = words_field(_("What they said"), _("Write a line on what they said."), rows=2)


@dataclass(frozen=True)
class Act:
    form: type[HouseForm]
    do: Callable[[StaffRequest, Client, AccessRequest | None, Mapping[str, Any], datetime], object]
    done: Any
    begins: bool = False  # it is for a client who has not asked yet


def _ask(
    request: StaffRequest, client: Client, row: AccessRequest | None, said: Mapping[str, Any], at: datetime
) -> None:
    today = timezone.localdate(at)
    asked_at = at - (today - said["asked_on"])
    access_requests.ask(by=request.user, client=client, words=said["words"], at=asked_at)


def _on(row: AccessRequest | None) -> AccessRequest:
    if row is None:
        raise NotNow(gettext("There is no open request any more. Nothing was changed."))
    return row


ACTS: dict[str, Act] = {
    "ask": Act(AskForm, _ask, _("Noted. The 30 days count from that day."), begins=True),
    "extend": Act(
        ExtendForm,
        lambda request, client, row, said, at: access_requests.extend(by=request.user, request=_on(row), at=at, **said),
        _("Put off by 30 days. The client can read why on their own page."),
    ),
    "give": Act(
        GiveForm,
        lambda request, client, row, said, at: access_requests.give(by=request.user, request=_on(row), at=at, **said),
        _("Recorded: they have their copy."),
    ),
    "withdraw": Act(
        WithdrawForm,
        lambda request, client, row, said, at: access_requests.withdraw(
            by=request.user, request=_on(row), at=at, **said
        ),
        _("Recorded: they do not want it any more."),
    ),
}


@staff_page(Permission.EXPORT_CLIENT)
def record_copy(request: StaffRequest, pk: UUID) -> HttpResponse:
    """The request and its clock, what may be done about it, and the copies that this person had made."""
    at, client = timezone.now(), client_of(request, pk)
    today = timezone.localdate(at)
    waiting = access_requests.open_request(client)
    named = request.POST.get("act", "")
    bound: HouseForm | None = None
    if request.method == "POST":
        if named not in ACTS:
            raise Http404
        bound = _form(named, today, request.POST)
        if bound.is_valid():
            try:
                ACTS[named].do(request, client, waiting, bound.cleaned_data, at)
            except NotNow as sentence:
                bound.add_error(None, str(sentence))
            else:
                messages.success(request, str(ACTS[named].done))
                return redirect("record_copy", pk)
    else:
        audit.seen(request, client, "record_copy")
    shown = [name for name, act in ACTS.items() if act.begins == (waiting is None)]
    if waiting is not None and waiting.state == AccessRequest.State.EXTENDED:
        shown.remove("extend")
    if bound is not None and named not in shown:
        shown.append(named)
    context = {
        "client": client,
        "waiting": waiting,
        "due": due_words(waiting, today) if waiting else "",
        "pressing": waiting is not None and waiting.days_left(today) <= SOON_DAYS,
        "form": bound,
        "forms": {name: bound if name == named and bound else _form(name, today, None) for name in shown},
        "open_act": named if bound is not None else "",
        "copies": copies(request, client),
        "past": past(client),
        "may_read": Permission.READ_CHART in allowed(request.user, client),
    }
    return render(request, "practice/record_copy.html", context, status=400 if bound is not None else 200)


def past(client: Client) -> list[AccessRequest]:
    found = AccessRequest.objects.filter(client=client).exclude(state__in=AccessRequest.OPEN)
    return list(found.select_related("closed_by")[:SHOWN])


def _form(name: str, today: date, data: Any) -> HouseForm:
    options = {"today": today} if name == "ask" else {}
    return ACTS[name].form(data, auto_id=f"{name}_%s", **options)


def copies(request: StaffRequest, client: Client | None) -> list[dict[str, Any]]:
    """The copies that this person had made, newest first."""
    found = Export.objects.visible_to(request.user).filter(client=client)[:SHOWN]
    return [{"row": row, "is_there": exports.is_there(row)} for row in found]


@staff_page(Permission.EXPORT_CLIENT, fresh=True)
def record_copy_make(request: StaffRequest, pk: UUID) -> HttpResponse:
    client = client_of(request, pk)
    if request.method != "POST":
        return redirect("record_copy", pk)  # here after the password was asked for again: the button is there
    exports.begin(by=request.user, client=client, at=timezone.now())
    messages.success(request, gettext("The copy is being made. It takes less than a minute."))
    return redirect("record_copy", pk)


@staff_page(Permission.SEE_OWN_ACCOUNT, fresh=True)
def export_file(request: StaffRequest, export: UUID) -> HttpResponse:
    """The file, for who asked for it and while they may have it."""
    found: Export = record_of(request, Export, export)
    if not exports.is_there(found):
        raise Http404
    audit.record("export.fetched", by=request.user, client=found.client, target=found, at=timezone.now())
    code = found.client.code if found.client else "practice"
    name = f"waymark-{code}-{timezone.localtime(found.ready_at):%Y-%m-%d}.zip"
    return sheets.as_download(name, "application/zip", exports.zipped(found))


@staff_page(Permission.EXPORT_CLIENT)
def record_copies(request: StaffRequest) -> HttpResponse:
    """Every copy that is asked for and not given, what is due first on top."""
    at = timezone.now()
    today = timezone.localdate(at)
    waiting = AccessRequest.objects.visible_to(request.user, Permission.EXPORT_CLIENT).filter(
        state__in=AccessRequest.OPEN
    )
    page = Paginator(waiting.select_related("client__therapist").order_by("due_on", "pk"), PER_PAGE).get_page(
        request.GET.get("page")
    )
    audit.record("read.record_copies", by=request.user, at=at, rows=len(page))
    rows = [{"row": row, "due": due_words(row, today), "pressing": row.days_left(today) <= SOON_DAYS} for row in page]
    return render(request, "practice/record_copies.html", {"rows": rows, "page": page})


# --- The copy of the practice ----------------------------------------------------------------------------------------


@staff_page(Permission.EXPORT_PRACTICE, fresh=True)
def practice_export(request: StaffRequest) -> HttpResponse:
    if request.method == "POST":
        exports.begin(by=request.user, client=None, at=timezone.now())
        messages.success(request, gettext("The copy is being made. You get an e-mail when it is ready."))
        return redirect("practice_export")
    context = {
        "copies": copies(request, None),
        "tables": len(record.kinds(of_client=False)),
        "left_out": exports.reasons(),
    }
    return render(request, "practice/practice_export.html", context)
