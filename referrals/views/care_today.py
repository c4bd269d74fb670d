"""A client needs care today: the emergency steps, before anything else goes anywhere (E5)."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from practice import audit
from practice.access import Permission
from practice.actions import NotNow
from practice.forms import HouseForm, Moment, words_field
from practice.models import Client
from practice.pages import client_of, staff_page
from practice.templatetags.ui import moment
from practice.views.chart import allowed, frame, named, reader
from referrals.actions import decisions as actions
from referrals.models import CareToday

FURTHEST_CHECK = timedelta(days=366)


class OpenForm(HouseForm):
    reason = words_field(_("What you saw or heard"), _("Write what you saw or heard."))


class StepsForm(HouseForm):
    steps = forms.MultipleChoiceField(
        label=_("What was done"),
        choices=CareToday.Step,
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": _("Tick what was done.")},
    )
    where = forms.CharField(
        label=_("Where the client is"), max_length=400, error_messages={"required": _("Write where the client is.")}
    )
    with_whom = forms.CharField(
        label=_("Who is with them"),
        max_length=400,
        error_messages={"required": _("Write who is with them, or “nobody”.")},
    )
    outcome = words_field(_("How it ended"), _("Write how it ended."))
    next_check_at = Moment(label=_("Next check"), error_messages={"required": _("Say when somebody checks again.")})

    def __init__(self, *args: Any, now: datetime, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.now = now

    def clean_next_check_at(self) -> datetime:
        check: datetime = self.cleaned_data["next_check_at"]
        if not self.now < check <= self.now + FURTHEST_CHECK:
            raise forms.ValidationError(_("The next check must be later than now, and within a year."))
        return check


class CheckedForm(HouseForm):
    words = words_field(_("What the check found"), _("Write what the check found."))


@staff_page(Permission.READ_CHART)
def care_today(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Say that this client needs care today; then record the steps; then the check that was agreed."""
    at = timezone.now()
    client = client_of(request, pk)
    person = reader(request)
    open_row: CareToday | None = client.care_today.filter(recorded_at=None).select_related("opened_by").first()
    if request.method == "POST":
        return _taken(request, client, open_row, at)
    audit.seen(request, client, "care_today")
    return _page(request, client, open_row, at, _form_for(client, person, open_row, at))


Step = tuple[str, HouseForm]


def _form_for(client: Client, person: Any, open_row: CareToday | None, at: datetime, data: Any = None) -> Step | None:
    """The form that is due, for who may fill it: whoever acts on flags records steps; a decision opens it."""
    may = allowed(person, client)
    if open_row is not None:
        return ("steps", StepsForm(data, now=at)) if Permission.ACT_ON_ALERT in may else None
    if _check_due(client) and Permission.ACT_ON_ALERT in may:
        return ("checked", CheckedForm(data))
    return ("open", OpenForm(data)) if Permission.DECIDE in may else None


def _check_due(client: Client) -> bool:
    return client.tasks.filter(kind="care_check", done_at=None).exists()


def _taken(request: HttpRequest, client: Client, open_row: CareToday | None, at: datetime) -> HttpResponse:
    person, step = reader(request), request.POST.get("step", "")
    forms_of: dict[str, tuple[Permission, Any]] = {
        "steps": (Permission.ACT_ON_ALERT, lambda: StepsForm(request.POST, now=at)),
        "checked": (Permission.ACT_ON_ALERT, lambda: CheckedForm(request.POST)),
        "open": (Permission.DECIDE, lambda: OpenForm(request.POST)),
    }
    if step not in forms_of:
        return redirect("care_today", client.pk)
    permission, make = forms_of[step]
    Client.objects.get_for(person, permission, client.pk)
    form = make()
    if form.is_valid():
        try:
            words = _act(step, person, client, open_row, form, at)
        except NotNow as sentence:
            form.add_error(None, str(sentence))
        else:
            messages.success(request, words)
            return redirect("chart" if step != "open" else "care_today", client.pk)
    return _page(request, client, open_row, at, (step, form))


def _act(step: str, person: Any, client: Client, open_row: CareToday | None, form: HouseForm, at: datetime) -> str:
    if step == "open":
        actions.open_care_today(by=person, client=client, at=at, **form.cleaned_data)
        return gettext("Opened. Record the steps here as soon as they are taken.")
    if step == "checked":
        actions.finish_care_check(by=person, client=client, at=at, **form.cleaned_data)
        return gettext("Check recorded, and kept as a note.")
    last = open_row or client.care_today.select_related("recorded_by").first()
    if last is None:
        raise NotNow(gettext("Nobody said that this client needs care today. Say so first."))
    actions.record_care_today(by=person, care_today=last, at=at, **form.cleaned_data)
    return gettext("Steps recorded. Other paths are open again.")


def _page(
    request: HttpRequest, client: Client, open_row: CareToday | None, at: datetime, shown: Step | None
) -> HttpResponse:
    person = reader(request)
    step, form = shown or ("", None)
    rows = client.care_today.select_related("opened_by", "recorded_by")
    context = {
        **frame(request, client, at),
        "open": open_row,
        "opened": gettext("Opened {when} by {who}").format(
            when=moment(open_row.opened_at), who=named(open_row.opened_by, person)
        )
        if open_row
        else "",
        "step": step,
        "form": form,
        "earlier": [_earlier(each, person) for each in rows if each.recorded_at],
    }
    return render(request, "referrals/care_today.html", context, status=400 if form and form.errors else 200)


def _earlier(row: CareToday, person: Any) -> dict[str, Any]:
    labels = dict(CareToday.Step.choices)
    return {
        "title": gettext("{when}, steps recorded by {who}").format(
            when=moment(row.recorded_at), who=named(row.recorded_by, person)
        ),
        "rows": [
            {"label": gettext("Why"), "value": row.reason},
            {"label": gettext("What was done"), "value": ", ".join(str(labels.get(code, code)) for code in row.steps)},
            {"label": gettext("Where the client is"), "value": row.where},
            {"label": gettext("Who is with them"), "value": row.with_whom},
            {"label": gettext("How it ended"), "value": row.outcome},
            {"label": gettext("Next check"), "value": moment(row.next_check_at)},
        ],
    }
