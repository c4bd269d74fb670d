"""Safety flags: the list by clock, one flag with its chain, and what a person does about it."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, cast
from uuid import UUID

from django import forms
from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import F
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from practice import actions, audit
from practice.access import Permission
from practice.actions import NotNow
from practice.forms import HouseForm, Moment, words_field
from practice.models import Alert, AlertEvent, AlertNotice, Client, SafetyContact
from practice.pages import client_of, record_of, staff_page
from practice.templatetags.ui import clock, moment
from practice.views.alert_cards import card, chain, chip, state_words
from practice.views.chart import allowed, frame, reader

Kind = AlertEvent.Kind

FURTHEST_CHECK = timedelta(days=366)
CLOSED_PER_PAGE = 50


# --- The list --------------------------------------------------------------------------------------------------------


@staff_page(Permission.SEE_ALERTS)
def alerts(request: HttpRequest) -> HttpResponse:
    """Open flags by clock, the one that waits longest for its next step first; then the closed ones, newest first."""
    at = timezone.now()
    seen = Alert.objects.visible_to(reader(request), Permission.SEE_ALERTS).select_related(
        "client", "acknowledged_by", "closed_by"
    )
    waiting = seen.open().order_by(F("acknowledged_at").asc(nulls_first=True), F("climbs_at").asc(nulls_first=True))
    closed = Paginator(seen.filter(closed_at__isnull=False).order_by("-closed_at"), CLOSED_PER_PAGE)
    page = closed.get_page(request.GET.get("page"))
    audit.record("read.alerts", by=reader(request))
    return render(
        request,
        "practice/alerts.html",
        {
            "open": [_row(flag, reader(request), at) for flag in waiting],
            "closed": [_row(flag, reader(request), at) for flag in page],
            "page": page,
            "may_review": reader(request).may(Permission.REVIEW_BREAK_GLASS),
        },
    )


def _row(flag: Alert, reader: Any, at: datetime) -> dict[str, Any]:
    client = flag.client
    chips = [("triangle-alert", gettext("Drill"))] if flag.is_drill else []
    chips += [("log-out", gettext("Left after a safety answer"))] if flag.left_at else []
    chips += [("phone", gettext("Asked for a call"))] if flag.call_wanted_at else []
    return {
        "id": flag.pk,
        "name": client.name if client else gettext("Drill: a test flag, no client"),
        "code": client.code if client else "",
        "url": reverse("alert_open", args=[flag.pk]),
        "severity": flag.get_severity_display(),
        "chips": [chip(icon, text) for icon, text in chips],
        "opened": moment(flag.opened_at),
        "state": state_words(flag, reader, at),
        "waiting": flag.is_open and not flag.acknowledged_at,
    }


@staff_page(Permission.SEE_ALERTS)
def alert_open(request: HttpRequest, alert: UUID) -> HttpResponse:
    """Where the link in a message leads: the flag itself, or the list for people who may not read charts."""
    flag = record_of(request, Alert, alert)
    if flag.is_drill:
        return redirect("drill_alert", flag.pk)
    if Client.objects.visible_to(reader(request), Permission.READ_CHART).filter(pk=flag.client_id).exists():
        return redirect("alert", flag.client_id, flag.pk)
    return redirect(f"{reverse('alerts')}#row-{flag.pk}")


@staff_page(Permission.SEE_ALERTS)
def drill_alert(request: HttpRequest, drill: UUID) -> HttpResponse:
    flag = record_of(request, Alert, drill)
    if not flag.is_drill:
        raise Http404
    if request.method == "POST":
        picked_up(request, flag, timezone.now())
        return redirect("drill_alert", flag.pk)
    at = timezone.now()
    flag = Alert.objects.visible_to(reader(request), Permission.SEE_ALERTS).with_story().get(pk=flag.pk)
    audit.record("read.drill", by=reader(request), target=flag)
    return render(
        request,
        "practice/drill_alert.html",
        {"flag": flag, "chain": chain(flag, reader(request)), "state": state_words(flag, reader(request), at)},
    )


# --- One flag --------------------------------------------------------------------------------------------------------


class ContactForm(HouseForm):
    reached = forms.ChoiceField(
        label=_("Did you reach them?"),
        choices=SafetyContact.Reached,
        widget=forms.RadioSelect,
        error_messages={"required": _("Choose whether you reached them.")},
    )
    at = Moment(label=_("When"), error_messages={"required": _("Say when you tried.")})
    level = forms.ChoiceField(
        label=_("Level, by your own assessment"),
        choices=SafetyContact.Level,
        widget=forms.RadioSelect,
        error_messages={"required": _("Choose a level. “Could not assess” is one.")},
    )
    action = words_field(_("What you did"), _("Write what you did."))
    plan = words_field(_("Plan"), _("Write the plan until the next check."))
    next_check_at = Moment(label=_("Next check"), error_messages={"required": _("Say when somebody checks again.")})

    def __init__(self, *args: Any, flag: Alert, now: datetime, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.flag, self.now = flag, now

    def clean_at(self) -> datetime:
        at: datetime = self.cleaned_data["at"]
        if at > self.now:
            raise forms.ValidationError(_("The contact cannot be in the future."))
        if at < self.flag.opened_at.replace(second=0, microsecond=0):
            raise forms.ValidationError(
                gettext("The flag opened {when}. Give a time after that.").format(when=moment(self.flag.opened_at))
            )
        return at

    def clean_next_check_at(self) -> datetime:
        check: datetime = self.cleaned_data["next_check_at"]
        if check <= self.now:
            raise forms.ValidationError(_("The next check must be later than now."))
        if check > self.now + FURTHEST_CHECK:
            raise forms.ValidationError(_("The next check must be within a year."))
        return check


class CloseForm(HouseForm):
    action = forms.ChoiceField(
        label=_("Action"),
        choices=Alert.Action,
        widget=forms.RadioSelect,
        error_messages={"required": _("Choose what was done.")},
    )
    note = words_field(_("Why this flag can be closed"), _("Write a line on why this flag can be closed."))
    seen = forms.IntegerField(required=False, widget=forms.HiddenInput)  # the version of the flag that was read


class AddForm(HouseForm):
    words = words_field(_("Note"), _("Write what you want to add."))


class CheckedForm(HouseForm):
    words = words_field(_("What the check found"), _("Write what the check found."))


FORM_NAMES: dict[type[forms.Form], str] = {
    ContactForm: "contact",
    CloseForm: "close",
    AddForm: "add",
    CheckedForm: "checked",
}


@staff_page(Permission.READ_CHART)
def alert(request: HttpRequest, pk: UUID, alert: UUID) -> HttpResponse:
    at = timezone.now()
    flag = _flag(request, pk, alert)
    audit.seen(request, flag.client, "alert", flag)
    return _page(request, flag, at)


def _flag(request: HttpRequest, pk: UUID, alert: UUID) -> Alert:
    record_of(request, Alert, alert, of=pk)  # 404 or 403
    found: Alert = Alert.objects.visible_to(reader(request), request.permission).with_story().get(pk=alert)  # type: ignore[attr-defined]
    return found


def _page(request: HttpRequest, flag: Alert, at: datetime, wrong: forms.Form | None = None) -> HttpResponse:
    """The page of one flag; `wrong` is the form that was sent with something missing."""
    client = client_of(request, cast(UUID, flag.client_id))
    may_act = Permission.ACT_ON_ALERT in allowed(reader(request), client)
    checking = not flag.is_open and client.tasks.filter(kind="next_check", subject_id=flag.pk, done_at=None).exists()
    offered: list[tuple[str, type[forms.Form], dict[str, Any]]] = []
    if may_act and flag.is_open:
        offered = [("contact", ContactForm, {"flag": flag, "now": at}), ("close", CloseForm, {})]
    if may_act and checking:
        offered = [("checked", CheckedForm, {})]
    if may_act:
        offered.append(("add", AddForm, {}))
    initial = {"at": at, "seen": flag.version}
    shown = {name: form(initial=initial, **extra) for name, form, extra in offered}
    if isinstance(wrong, CloseForm):  # this page shows the flag as it is now
        wrong.data = request.POST.dict() | {"seen": str(flag.version)}
    if wrong is not None:  # kept even where it no longer fits, so that no typed word is lost
        shown[FORM_NAMES[type(wrong)]] = wrong
    return render(
        request,
        "practice/alert.html",
        {
            **frame(request, client, at),
            "card": card(flag, reader(request), may_act, at),
            "chain": chain(flag, reader(request)),
            "next_told": next_told(flag),
            "forms": shown,
            "urls": {name: reverse(f"alert_{name}", args=[flag.client_id, flag.pk]) for name in FORM_NAMES.values()},
            "wrong": wrong,
        },
        status=400 if wrong else 200,
    )


def next_told(flag: Alert) -> str:
    """Who hears of an unacknowledged flag next, by name, and when."""
    if flag.acknowledged_at or not flag.is_open or not flag.climbs_at:
        return ""
    people = actions.rung_people(flag, flag.rung + 1, flag.climbs_at)
    names = ", ".join(f"{user.name} ({AlertNotice.Why(why).label})" for user, why in people)
    return gettext("{names}, {time}").format(names=names, time=moment(flag.climbs_at)) if names else ""


@staff_page(Permission.ACT_ON_ALERT)
def alert_acknowledge(request: HttpRequest, pk: UUID, alert: UUID) -> HttpResponse:
    flag = _flag(request, pk, alert)
    if request.method == "POST":
        picked_up(request, flag, timezone.now())
    return redirect("alert", pk, alert)


def picked_up(request: HttpRequest, flag: Alert, at: datetime) -> None:
    """Acknowledge, and say who has it: exactly one person wins, the other reads the winner's name."""
    if actions.acknowledge(by=reader(request), alert=flag, at=at):
        messages.success(request, gettext("You picked this up at {time}.").format(time=clock(flag.acknowledged_at)))
    elif flag.acknowledged_by == reader(request):
        messages.info(
            request, gettext("You have this already, since {time}.").format(time=moment(flag.acknowledged_at))
        )
    elif flag.acknowledged_by:
        messages.info(
            request,
            gettext("{name} picked this up at {time}.").format(
                name=flag.acknowledged_by.name, time=clock(flag.acknowledged_at)
            ),
        )
    else:
        messages.info(request, gettext("This flag is closed already."))


def _act(
    request: HttpRequest,
    pk: UUID,
    alert: UUID,
    make: Callable[[Alert, datetime], forms.Form],
    done: str,
    act: Callable[[Alert, dict[str, Any], datetime], object],
) -> HttpResponse:
    """Take one of the forms of the page; a NotNow of the action becomes a sentence above the form."""
    at = timezone.now()
    flag = _flag(request, pk, alert)
    if request.method != "POST":
        return redirect("alert", pk, alert)
    form = make(flag, at)
    if not form.is_valid():
        return _page(request, flag, at, wrong=form)
    try:
        act(flag, form.cleaned_data, at)
    except NotNow as sentence:
        form.add_error(None, str(sentence))
        return _page(request, _flag(request, pk, alert), at, wrong=form)
    messages.success(request, done)
    if Client.objects.visible_to(reader(request), Permission.READ_CHART).filter(pk=pk).exists():
        return redirect("alert", pk, alert)
    return redirect("alerts")  # who covered for a colleague no longer sees the client once the flag is closed


@staff_page(Permission.ACT_ON_ALERT)
def alert_contact(request: HttpRequest, pk: UUID, alert: UUID) -> HttpResponse:
    return _act(
        request,
        pk,
        alert,
        lambda flag, at: ContactForm(request.POST, flag=flag, now=at),
        gettext("Contact recorded."),
        lambda flag, said, at: actions.record_contact(by=reader(request), alert=flag, recorded_at=at, **said),
    )


@staff_page(Permission.ACT_ON_ALERT)
def alert_close(request: HttpRequest, pk: UUID, alert: UUID) -> HttpResponse:
    return _act(
        request,
        pk,
        alert,
        lambda flag, at: CloseForm(request.POST),
        gettext("Flag closed. The next check stays on the caseload until somebody records it."),
        lambda flag, said, at: actions.close_alert(by=reader(request), alert=flag, at=at, **said),
    )


@staff_page(Permission.ACT_ON_ALERT)
def alert_add(request: HttpRequest, pk: UUID, alert: UUID) -> HttpResponse:
    return _act(
        request,
        pk,
        alert,
        lambda flag, at: AddForm(request.POST),
        gettext("Added."),
        lambda flag, said, at: actions.add_to_alert(by=reader(request), alert=flag, at=at, **said),
    )


@staff_page(Permission.ACT_ON_ALERT)
def alert_checked(request: HttpRequest, pk: UUID, alert: UUID) -> HttpResponse:
    return _act(
        request,
        pk,
        alert,
        lambda flag, at: CheckedForm(request.POST),
        gettext("Check recorded."),
        lambda flag, said, at: actions.finish_next_check(by=reader(request), alert=flag, at=at, **said),
    )


# --- A person's own flag ---------------------------------------------------------------------------------------------


class FlagForm(HouseForm):
    severity = forms.ChoiceField(
        label=_("How pressing is it?"),
        choices=[
            (Alert.Severity.URGENT, _("Urgent: somebody must act now")),
            (Alert.Severity.PRIORITY, _("Priority: the same working day")),
            (Alert.Severity.ROUTINE, _("Routine: within one working day")),
        ],
        widget=forms.RadioSelect,
        error_messages={"required": _("Choose how pressing it is.")},
    )
    reason = words_field(
        _("What you saw or heard"),
        _("Write what you saw or heard."),
        help_text=_("Colleagues who are told will read this on the flag. It is not in the message they get."),
    )


@staff_page(Permission.RAISE_FLAG)
def flag_new(request: HttpRequest, pk: UUID) -> HttpResponse:
    at = timezone.now()
    client = client_of(request, pk)
    form = FlagForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        actions.raise_manual_flag(by=reader(request), client=client, at=at, **form.cleaned_data)
        messages.success(request, gettext("Flag raised. The people on call were told."))
        return redirect("chart", pk)
    audit.seen(request, client, "flag_form")
    context = {**frame(request, client, at), "form": form}
    return render(request, "practice/flag_new.html", context, status=400 if form.errors else 200)
