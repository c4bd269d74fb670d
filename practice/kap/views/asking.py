"""Asking a prescriber who has no account, and the practice's list of them."""

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from practice import audit
from practice.access import Permission
from practice.actions import NotNow
from practice.forms import HouseForm, phone_like, text, words_field
from practice.kap.actions import requests as actions
from practice.kap.models import ClearanceRequest, OutsidePrescriber, Plan, Session
from practice.models import Client, User
from practice.pages import StaffRequest, client_of, staff_page
from practice.templatetags.ui import day, moment
from practice.views.chart import frame, reader

P = Permission


class AskForm(HouseForm):
    to = forms.ModelChoiceField(
        queryset=OutsidePrescriber.objects.none(),
        label=_("Prescriber"),
        empty_label=_("Choose"),
        error_messages={"required": _("Choose the prescriber."), "invalid_choice": _("Choose the prescriber.")},
    )
    words = words_field(
        _("Your words to the prescriber"),
        _("Write what you ask for and why."),
        rows=5,
        help_text=_("They see these words, name and birth date, the plan, and blood pressures taken here. No more."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["to"].queryset = OutsidePrescriber.objects.filter(is_active=True)  # type: ignore[attr-defined]


@staff_page(P.PLAN_KAP)
def clearance_ask(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Ask by a link, see what was asked and answered, and take a question back."""
    at, client = timezone.now(), client_of(request, pk)
    if request.method == "POST" and "back" in request.POST:
        return _take_back(request, client)
    form = AskForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        open_ones = Plan.objects.filter(client=client, state=Plan.State.UNDER_WAY).order_by("started_on")
        plan = open_ones.filter(sessions__state=Session.State.WAITING).first() or open_ones.first()
        try:
            with transaction.atomic():
                actions.ask(by=reader(request), client=client, plan=plan, at=at, **form.cleaned_data)
        except NotNow as sentence:
            form.add_error(None, str(sentence))
        else:
            messages.success(request, gettext("Asked. The link works for 14 days."))
            return redirect("clearance_ask", pk)
    if request.method != "POST":
        audit.seen(request, client, "clearance_questions")
    rows = ClearanceRequest.objects.filter(client=client).select_related("to", "asked_by").prefetch_related("changes")
    context = {
        **frame(request, client, at),
        "form": form,
        "rows": [_row(row, at) for row in rows],
        "anybody": form.fields["to"].queryset.exists(),  # type: ignore[attr-defined]
    }
    return render(request, "kap/clearance_ask.html", context, status=400 if form.errors else 200)


def _take_back(request: HttpRequest, client: Client) -> HttpResponse:
    try:
        row = ClearanceRequest.objects.filter(client=client, pk=UUID(request.POST["back"])).first()
    except ValueError:
        row = None
    if row is None:
        raise Http404
    try:
        actions.take_back(by=reader(request), request=row, at=timezone.now())
    except NotNow as sentence:
        messages.warning(request, str(sentence))
    else:
        messages.success(request, gettext("Taken back. The link does not work any more."))
    return redirect("clearance_ask", client.pk)


def _row(row: ClearanceRequest, at: Any) -> dict[str, Any]:
    is_open = row.answered_at is None and row.taken_back_at is None and row.expires_at > at
    limit = next(iter(row.changes.all()), None)
    if row.answered_at and limit is not None and limit.at == row.answered_at:
        state = gettext("{what}, {when}").format(what=limit.get_what_display(), when=moment(row.answered_at))
    elif row.answered_at and row.answer:
        state = gettext("No dose cleared, {when}").format(when=moment(row.answered_at))
    elif row.answered_at:
        state = gettext("Cleared doses, {when}").format(when=moment(row.answered_at))
    elif row.taken_back_at:
        state = gettext("Taken back {when}").format(when=moment(row.taken_back_at))
    elif is_open:
        state = gettext("Waits for the answer until {day}").format(day=day(row.expires_at))
    else:
        state = gettext("Not answered; the link ended {day}").format(day=day(row.expires_at))
    return {
        "row": row,
        "id": f"q-{row.pk}",
        "state": state,
        "is_open": is_open,
        "asked": moment(row.asked_at),
        "limit": limit.get_what_display() if limit else "",
        "limit_words": limit.words if limit else "",
    }


# --- The list of prescribers -----------------------------------------------------------------------------------------


class PrescriberForm(HouseForm):
    name = text(_("Name"), required=True, error_messages={"required": _("Write the prescriber's name.")})
    licence = text(_("Licence"))
    email = forms.EmailField(
        label=_("E-mail"),
        help_text=_("Links and codes go here. It has to be theirs alone."),
        error_messages={"required": _("Write the prescriber's e-mail address.")},
    )
    phone = text(_("Phone"), 32, validators=[phone_like])
    is_active = forms.BooleanField(label=_("May be asked"), required=False, initial=True)

    def __init__(self, *args: Any, row: OutsidePrescriber | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.row = row

    def clean_email(self) -> str:
        email = str(self.cleaned_data["email"]).lower()
        others = OutsidePrescriber.objects.filter(email=email).exclude(pk=self.row.pk if self.row else None)
        if others.exists():
            raise forms.ValidationError(gettext("Another prescriber in this list has this address."))
        if User.objects.filter(email__iexact=email).exists():
            raise forms.ValidationError(
                gettext("This is the address of somebody who works here. Write the prescriber's own.")
            )
        return email


def _asked_anew(request: StaffRequest, row: OutsidePrescriber) -> None:
    n = actions.address_changed(by=request.user, to=row, at=timezone.now())
    if n:
        said = ngettext(
            "{n} link went to the old address and does not work any more. Ask again where an answer is due.",
            "{n} links went to the old address and do not work any more. Ask again where an answer is due.",
            n,
        )
        messages.warning(request, said.format(n=n))


@staff_page(P.EDIT_DIRECTORY)
def prescribers(request: StaffRequest) -> HttpResponse:
    """Everybody on the list, and a form for a new one or the one that is chosen."""
    chosen = request.GET.get("edit", "")
    row = OutsidePrescriber.objects.filter(pk=int(chosen)).first() if chosen.isdecimal() and len(chosen) < 10 else None
    if chosen and row is None:
        raise Http404
    names = list(PrescriberForm.base_fields)
    initial = {name: getattr(row, name) for name in names} if row else None
    form = PrescriberForm(request.POST or None, initial=initial, row=row)
    if request.method == "POST" and form.is_valid():
        found = row or OutsidePrescriber()
        changed = [name for name in names if getattr(found, name) != form.cleaned_data[name]]
        for name in names:
            setattr(found, name, form.cleaned_data[name])
        found.save()
        audit.record("prescriber.saved", by=request.user, target=found, fields=changed)
        messages.success(request, gettext("Saved."))
        if row is not None and "email" in changed:
            _asked_anew(request, row)
        return redirect("prescribers")
    context = {"rows": OutsidePrescriber.objects.all(), "form": form, "row": row}
    return render(request, "kap/prescribers.html", context, status=400 if form.errors else 200)
