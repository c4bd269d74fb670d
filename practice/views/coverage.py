"""Who is on call, hour by hour of the week, and where nobody is."""

from datetime import date, datetime, time
from typing import Any

from django import forms
from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from practice import audit, staff
from practice import coverage as roster
from practice.access import Permission
from practice.forms import HouseForm
from practice.models import CoverageShift, User
from practice.pages import StaffRequest, staff_page
from practice.templatetags.ui import clock
from practice.views.opening import gap_words, setting_up

WEEKDAYS: list[tuple[Any, Any]] = list(CoverageShift.weekday.field.choices or [])


class ShiftForm(HouseForm):
    user = forms.ModelChoiceField(
        label=_("Who"),
        queryset=User.objects.none(),
        empty_label=None,
        error_messages={"required": _("Choose who is on call.")},
    )
    weekdays = forms.TypedMultipleChoiceField(
        label=_("Days"),
        choices=WEEKDAYS,
        coerce=int,
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": _("Choose one day or more.")},
    )
    starts = forms.TimeField(
        label=_("From"),
        widget=forms.TimeInput(attrs={"type": "time"}),
        error_messages={"required": _("Write when it starts.")},
    )
    ends = forms.TimeField(
        label=_("Until"),
        widget=forms.TimeInput(attrs={"type": "time"}),
        help_text=_("A time before the start means the next morning. Midnight is 00:00."),
        error_messages={"required": _("Write when it ends.")},
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["user"].queryset = able()  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        said = super().clean() or {}
        if said.get("starts") is not None and said.get("starts") == said.get("ends"):
            self.add_error(
                "ends", _("Start and end are the same. For a whole day, add 00:00 to 12:00 and 12:00 to 00:00.")
            )
        return said


class WeekForm(HouseForm):
    user = forms.ModelChoiceField(
        label=_("Who"),
        queryset=User.objects.none(),
        empty_label=None,
        error_messages={"required": _("Choose who is on call.")},
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["user"].queryset = able()  # type: ignore[attr-defined]


def able() -> Any:
    """The people who may act on a flag while they are on call."""
    from practice.access import GRANTS

    roles = [role for role, granted in GRANTS.items() if Permission.ACT_ON_ALERT in granted]
    return User.objects.filter(is_active=True, role_grants__role__in=roles).distinct().order_by("name")


@staff_page(Permission.MANAGE_PRACTICE)
def coverage(request: StaffRequest) -> HttpResponse:
    is_week = "week" in request.POST
    form, week = ShiftForm(None if is_week else request.POST or None), WeekForm(request.POST if is_week else None)
    if week.is_valid():
        person = week.cleaned_data["user"]
        staff.whole_week(by=request.user, person=person)
        messages.success(request, gettext("{name} is on call the whole week.").format(name=person.name))
        return redirect("coverage")
    if request.method == "POST" and form.is_valid():
        said = form.cleaned_data
        for weekday in said["weekdays"]:
            shift, new = CoverageShift.objects.get_or_create(
                user=said["user"], weekday=weekday, starts=said["starts"], ends=said["ends"]
            )
            if new:
                audit.record("coverage.added", by=request.user, target=shift, person=str(said["user"].pk))
        messages.success(request, gettext("{name} is on call then.").format(name=said["user"].name))
        return redirect("coverage")
    shifts = roster.shifts()
    context = {
        "form": form,
        "week": week,
        "wrong": week if week.errors else form,
        "able": able().exists(),
        "rostered": list({s.user_id: s for s in shifts}.values()),
        "setting_up": setting_up(request),
        "gaps": gap_words(roster.gaps(shifts)),
        "days": [(label, [_line(s) for s in shifts if s.weekday == weekday]) for weekday, label in WEEKDAYS],
        "nobody": [user.name for user in {s.user for s in shifts} if not user.phone],
    }
    return render(request, "practice/coverage.html", context, status=400 if form.errors or week.errors else 200)


def _line(shift: CoverageShift) -> dict[str, Any]:
    overnight = shift.ends <= shift.starts and shift.ends != time(0)
    until = gettext("{time} next morning") if overnight else gettext("{time}")
    return {
        "pk": shift.pk,
        "name": shift.user.name,
        "from": _clock(shift.starts),
        "until": gettext("midnight") if shift.ends == time(0) else until.format(time=_clock(shift.ends)),
    }


def _clock(hour: time) -> str:
    return clock(datetime.combine(date.min, hour))


@staff_page(Permission.MANAGE_PRACTICE)
def coverage_remove(request: StaffRequest, pk: int) -> HttpResponse:
    shift = CoverageShift.objects.select_related("user").filter(pk=pk).first()
    if request.method != "POST":
        raise Http404
    if shift is not None:
        gone = shift.user.shifts.all() if "all" in request.POST else [shift]
        for each in gone:
            audit.record("coverage.removed", by=request.user, target=each, person=str(shift.user_id))
            each.delete()
        messages.success(request, gettext("{name} is no longer on call then.").format(name=shift.user.name))
    else:
        messages.info(request, gettext("That was taken off the roster already."))
    return redirect("coverage")
