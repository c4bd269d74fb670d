"""Days away, of staff and of one client: what is booked then stands beside them, each with its way to be moved."""

from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.db import transaction
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from practice import audit
from practice.access import Permission
from practice.actions import NotNow
from practice.forms import Day, HouseForm
from practice.kap.actions import absences as actions
from practice.kap.actions.weighing import zone_of
from practice.kap.models import Absence, ClientAbsence, Session
from practice.kap.views.making import FURTHEST, OneOf
from practice.models import Client, User
from practice.pages import StaffRequest, client_of, record_of, staff_page
from practice.templatetags.ui import full_day, moment
from practice.views.chart import allowed, frame

P = Permission


class DaysForm(HouseForm):
    first_on = Day(label=_("First day away"), error_messages={"required": _("Choose the first day.")})
    last_on = Day(
        label=_("Last day away"), required=False, help_text=_("Leave it empty when it is one day."),
    )  # fmt: skip

    def __init__(self, *args: Any, today: date, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.today = today

    def clean(self) -> dict[str, Any]:
        said: dict[str, Any] = super().clean() or {}
        first = said.get("first_on")
        if first is None or "last_on" not in said:
            return said
        last = said["last_on"] = said["last_on"] or first
        if last < first:
            self.add_error("last_on", _("The last day comes before the first. Change one of them."))
        elif last < self.today:
            self.add_error("first_on", _("These days have passed. Choose days that are ahead."))
        elif last > self.today + FURTHEST:
            self.add_error("last_on", _("Choose days within two years."))
        return said


class AbsenceForm(DaysForm):
    user = OneOf(
        label=_("Who"),
        queryset=User.objects.none(),
        empty_label=None,
        error_messages={"required": _("Choose who is away."), "invalid_choice": _("Choose one of the names.")},
    )
    field_order = ["user", "first_on", "last_on"]

    def __init__(self, *args: Any, people: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["user"].queryset = people  # type: ignore[attr-defined]


def days_words(row: Absence | ClientAbsence) -> str:
    if row.first_on == row.last_on:
        return full_day(row.first_on)
    return gettext("{first} to {last}").format(first=full_day(row.first_on), last=full_day(row.last_on))


def booked_words(n: int) -> str:
    """What is said when days were saved: nothing moves by itself."""
    if not n:
        return gettext("Saved. Nothing is booked on these days.")
    return ngettext(
        "Saved. {n} session is booked then. It stays where it is until you move it.",
        "Saved. {n} sessions are booked then. They stay where they are until you move them.",
        n,
    ).format(n=n)


def _session(row: Session, name: str) -> dict[str, str]:
    said = gettext("{session}, {when}").format(session=row, when=moment(row.starts_at))
    return {
        "text": f"{name}: {said}" if name else said,
        "url": f"{row.plan.get_absolute_url()}?session={row.pk}#move",
    }


Show = Callable[[DaysForm], HttpResponse]
Save = Callable[[dict[str, Any]], tuple[str, str]]


def _save(request: StaffRequest, form: DaysForm, show: Show, save: Save) -> HttpResponse:
    """Keep the days of the form and go to where they stand, or show what is wrong with them."""
    if form.is_valid():
        try:
            with transaction.atomic():
                where, said = save(form.cleaned_data)
        except NotNow as sentence:
            form.add_error(None, str(sentence))
        else:
            messages.success(request, said)
            return redirect(where)
    return show(form)


# --- Staff -----------------------------------------------------------------------------------------------------------


@staff_page(P.SEE_OWN_ACCOUNT)
def absences(request: StaffRequest) -> HttpResponse:
    """One's own days away; a supervisor keeps those of their people too, an admin everybody's."""
    at, user = timezone.now(), request.user
    today, people = timezone.localdate(at), actions.people_of(user)

    def show(form: DaysForm) -> HttpResponse:
        return _staff_page(request, form, list(people), at)

    def save(said: dict[str, Any]) -> tuple[str, str]:
        row = actions.add(by=user, at=at, **said)
        return reverse("absences") + f"#a-{row.pk}", booked_words(len(actions.booked_of([row], at)[row.pk]))

    if request.method == "POST":
        return _save(request, AbsenceForm(request.POST, people=people, today=today), show, save)
    return show(AbsenceForm(people=people, today=today, initial={"user": user.pk}))


def _staff_page(request: StaffRequest, form: DaysForm, people: Sequence[User], at: datetime) -> HttpResponse:
    user = request.user
    rows = actions.ahead_of(people, timezone.localdate(at))
    booked = actions.booked_of(rows, at)
    every = {each.pk for some in booked.values() for each in some}
    seen = set(Session.objects.visible_to(user, P.SEE_PLANS).filter(pk__in=every).values_list("pk", flat=True))
    context = {
        "rows": [
            _row(row, f"a-{row.pk}", booked[row.pk], seen, reverse("absence_remove", args=[row.pk]))
            | {"who": row.user.name}
            for row in rows
        ],
        "form": form,
        "frame": "base_staff.html",
        "url": reverse("absences"),
    }
    return render(request, "kap/absences.html", context, status=400 if form.errors else 200)


def _row(
    row: Absence | ClientAbsence, name: str, booked: Sequence[Session], seen: set[UUID], remove: str
) -> dict[str, Any]:
    """One stretch of days; of sessions with somebody whom this reader does not see, only how many there are."""
    hidden = sum(each.pk not in seen for each in booked)
    named = isinstance(row, Absence)
    return {
        "id": name,
        "days": days_words(row),
        "booked": [_session(each, each.plan.client.name if named else "") for each in booked if each.pk in seen],
        "hidden": ngettext(
            "{n} session with somebody who is not your client.",
            "{n} sessions with people who are not your clients.",
            hidden,
        ).format(n=hidden)
        if hidden
        else "",
        "remove": remove,
    }


@staff_page(P.SEE_OWN_ACCOUNT)
def absence_remove(request: StaffRequest, pk: int) -> HttpResponse:
    row = Absence.objects.select_related("user").filter(user__in=actions.people_of(request.user), pk=pk).first()
    if request.method != "POST" or row is None:
        raise Http404
    actions.remove(by=request.user, absence=row, at=timezone.now())
    messages.success(request, gettext("Removed: {name}, {days}.").format(name=row.user, days=days_words(row)))
    return redirect("absences")


# --- One client ------------------------------------------------------------------------------------------------------


@staff_page(P.EDIT_CLIENT)
def client_absences(request: StaffRequest, pk: UUID) -> HttpResponse:
    """The days on which this client cannot come."""
    at, client = timezone.now(), client_of(request, pk)
    zone = zone_of(client)
    today = at.astimezone(zone).date()

    def show(form: DaysForm) -> HttpResponse:
        return _client_page(request, client, form, at)

    def save(said: dict[str, Any]) -> tuple[str, str]:
        row = actions.add_for(by=request.user, client=client, at=at, **said)
        where = reverse("client_absences", args=[client.pk]) + f"#a-{row.pk}"
        return where, booked_words(len(actions.booked(client, [row], at)[row.pk]))

    with timezone.override(zone):
        if request.method == "POST":
            return _save(request, DaysForm(request.POST, today=today), show, save)
        audit.seen(request, client, "absences")
        return show(DaysForm(today=today))


def _client_page(request: StaffRequest, client: Client, form: DaysForm, at: datetime) -> HttpResponse:
    charted = P.READ_CHART in allowed(request.user, client)
    rows = actions.ahead(client, timezone.localdate(at))
    booked = actions.booked(client, rows, at)
    seen = {each.pk for some in booked.values() for each in some}
    context = {
        **(frame(request, client, at) if charted else {"client": client}),
        "rows": [
            _row(row, f"a-{row.pk}", booked[row.pk], seen, reverse("client_absence_remove", args=[client.pk, row.pk]))
            for row in rows
        ],
        "form": form,
        "frame": "practice/chart_frame.html" if charted else "base_staff.html",
        "charted": charted,
        "url": reverse("client_absences", args=[client.pk]),
    }
    return render(request, "kap/absences.html", context, status=400 if form.errors else 200)


@staff_page(P.EDIT_CLIENT)
def client_absence_remove(request: StaffRequest, pk: UUID, absence: UUID) -> HttpResponse:
    client_of(request, pk)
    row: ClientAbsence = record_of(request, ClientAbsence, absence, of=pk)
    if request.method != "POST":
        return redirect("client_absences", pk)
    actions.remove_for(by=request.user, absence=row, at=timezone.now())
    messages.success(request, gettext("Removed: {days}.").format(days=days_words(row)))
    return redirect("client_absences", pk)


def ahead_words(client: Client, therapist: User | None, at: datetime) -> list[dict[str, Any]]:
    """The days away that a plan has to do with, for its page: the client's and the therapist's. Two queries."""
    today = at.astimezone(zone_of(client)).date()
    mine = [
        {"text": gettext("{name}: {days}").format(name=client.name, days=days_words(row))}
        for row in actions.ahead(client, today)
    ]
    theirs = actions.ahead_of([therapist], today - timedelta(days=1)) if therapist else []
    return mine + [
        {"text": gettext("{name}: {days}").format(name=row.user.name, days=days_words(row))} for row in theirs
    ]
