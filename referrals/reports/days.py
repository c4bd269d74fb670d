"""What a report over flags, sessions or scores is asked for: days, site and therapist, all of it in the address."""

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from dateutil.relativedelta import relativedelta
from django import forms
from django.http import QueryDict
from django.utils.http import urlencode
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from practice import coverage
from practice.access import Permission
from practice.forms import Day
from practice.models import Client, Practice, Site, User
from referrals.reports.filters import (
    ALL,
    LONGEST_DAYS,
    MINE,
    NOT_LISTED,
    Sight,
    _midnight,
    clients,
    sight,
    whole_months,
)

YEAR_DAYS = 365


class DaysForm(forms.Form):
    """Each empty for "any". `start` and `end` are the first and last day that is counted."""

    start = Day(label=_("From"), required=False)
    end = Day(label=_("Until"), required=False)
    site = forms.ModelChoiceField(label=_("Site"), queryset=Site.objects.none(), required=False)
    therapist = forms.ModelChoiceField(label=_("Therapist"), queryset=User.objects.none(), required=False)
    who = forms.ChoiceField(choices=[("", ""), (MINE, ""), (ALL, "")], required=False)
    line = forms.CharField(required=False, max_length=60)

    def __init__(self, data: QueryDict, *, user: User, today: date, days: int, by_therapist: bool) -> None:
        if not (data.get("start") or data.get("end")):
            data = data.copy()
            data["start"] = (today - timedelta(days=days - 1)).isoformat()
            data["end"] = today.isoformat()
        super().__init__(data, auto_id="f_%s")
        self.user, self.today, self.days = user, today, days
        seen = Client.objects.visible_to(user, Permission.SEE_REPORTS).order_by()
        self._choose("site", Site.objects.filter(pk__in=seen.values("site")), _("All sites"))
        self._choose(
            "therapist", User.objects.filter(pk__in=seen.values("therapist")).order_by("name"), _("All therapists")
        )
        self.shown = ["start", "end", "site", "therapist"]
        if not by_therapist:
            del self.fields["therapist"]
            self.shown.remove("therapist")
        for name in self.shown:
            self.fields[name].widget.attrs["class"] = "input" if name in ("start", "end") else "select"
            self.fields[name].error_messages["invalid_choice"] = NOT_LISTED
        self.fields["who"].error_messages["invalid_choice"] = NOT_LISTED

    def _choose(self, name: str, found: Any, anything: Any) -> None:
        self.fields[name].queryset, self.fields[name].empty_label = found, anything  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        said = super().clean() or {}
        end = said.get("end") or self.today
        start = said.get("start") or max(end, date(2, 1, 1)) - relativedelta(years=1) + timedelta(days=1)
        if not self.errors:
            if end > self.today + timedelta(days=YEAR_DAYS):
                self.add_error("end", gettext("That day is far ahead. Choose one up to today."))
            elif start > end:
                self.add_error("start", gettext("The first day is after the last one. Change one of them."))
            elif (end - start).days > LONGEST_DAYS:
                self.add_error("start", gettext("That is more than ten years. Choose fewer."))
            elif self.days >= YEAR_DAYS and not sight(self.user, said.get("who", "")).reads:
                start, end = whole_months(start, end, self.today)
        return said | {"start": start, "end": end}

    @property
    def first_fields(self) -> list[Any]:
        return [self[name] for name in self.shown]


@dataclass(frozen=True)
class Days:
    """Valid days and filters, asked for by this person."""

    user: User
    said: dict[str, Any]
    practice: Practice
    seen: Sight = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "seen", sight(self.user, self.said.get("who", "")))

    @property
    def clients(self) -> Any:
        found = clients(self.user, self.seen)
        if site := self.said.get("site"):
            found = found.filter(site=site)
        if therapist := self.said.get("therapist"):
            found = found.filter(therapist=therapist)
        return found.order_by()

    @property
    def start(self) -> datetime:
        return _midnight(self.said["start"], self.practice.zone)

    @property
    def end(self) -> datetime:
        """The midnight after the last day."""
        return _midnight(self.said["end"] + timedelta(days=1), self.practice.zone)

    def holds(self, on: date | datetime | None) -> bool:
        if isinstance(on, datetime):
            return self.start <= on < self.end
        return on is not None and self.said["start"] <= on <= self.said["end"]

    @property
    def query(self) -> dict[str, str]:
        found = {}
        for name in ("who", "start", "end", "site", "therapist", "line"):
            value = self.said.get(name)
            if name == "who":
                value = self.seen.who if self.seen.both else ""
            if value:
                found[name] = value.isoformat() if isinstance(value, date) else str(getattr(value, "pk", value))
        return found

    def url(self, path: str, /, **more: str) -> str:
        """This page, or another one, with these filters; an empty value takes one away."""
        return f"{path}?{urlencode({name: value for name, value in (self.query | more).items() if value})}"


def ask_days(
    user: User, data: QueryDict, at: datetime, practice: Practice, *, days: int = YEAR_DAYS, by_therapist: bool = True
) -> tuple[DaysForm, Days | None]:
    """The form as filled in, and what it asks for: None when something is wrong. Without days: the last `days`."""
    today = coverage.local(at, practice).date()
    form = DaysForm(data, user=user, today=today, days=days, by_therapist=by_therapist)
    return form, Days(user, form.cleaned_data, practice) if form.is_valid() else None
