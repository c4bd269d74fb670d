"""What a report is asked for: days, whose clients, site and therapist, all of it in its address.

Everything stands in the address, so that who opens it sees the same page.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

from dateutil.relativedelta import relativedelta
from django import forms
from django.core.exceptions import ValidationError
from django.http import QueryDict
from django.utils.http import urlencode
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from practice import coverage
from practice.access import GRANTS, Permission
from practice.forms import Day
from practice.models import Client, Practice, Site, User

P = Permission
YEAR_DAYS = 365
LONGEST_DAYS = 3660
AHEAD = timedelta(days=366)  # the end of a year that has begun may be named
MINE, ALL = "me", "all"
NOT_LISTED = _("Choose one that is in the list.")


@dataclass(frozen=True)
class Sight:
    """What somebody may see of the rows: whose, and whether with what is clinical in them."""

    who: str
    reads: bool
    """They read the charts of these clients."""
    both: bool
    """They may choose: the clients whose charts they read, or all whose state they see."""


def sight(user: User, who: str = "") -> Sight:
    """Of a role that counts a practice without reading its charts, or of one that reads them."""
    granting = {role for role in user.roles if P.SEE_REPORTS in GRANTS[role]}
    reading = {role for role in granting if P.READ_CHART in GRANTS[role]}
    both = bool(reading) and reading != granting
    chosen = who if both and who in (MINE, ALL) else ALL if granting - reading else MINE
    return Sight(chosen, reads=chosen == MINE, both=both)


class Listed(forms.ModelChoiceField):
    """One of the rows offered; whatever else an address holds is not in the list."""

    def to_python(self, value: Any) -> Any:
        try:
            return super().to_python(value)
        except ValidationError as wrong:
            raise ValidationError(NOT_LISTED, code="invalid_choice") from wrong


def whole_months(start: date, end: date, today: date) -> tuple[date, date]:
    """The months these days lie in, up to today: one day more or less would tell of one person by subtraction."""
    last = start.replace(year=end.year, month=end.month, day=1) + relativedelta(months=1) - timedelta(days=1)
    return start.replace(day=1), max(end, min(last, today))


def year_before(last: date) -> date:
    """The first day of the 12 months that end on this day."""
    return max(last, date(2, 1, 1)) - relativedelta(years=1) + timedelta(days=1)


class DaysForm(forms.Form):
    """The filters, each empty for "any". `start` and `end` are the first and last day that is counted."""

    start = Day(label=_("From"), required=False)
    end = Day(label=_("Until"), required=False)
    site = Listed(label=_("Site"), queryset=Site.objects.none(), required=False)
    therapist = Listed(label=_("Therapist"), queryset=User.objects.none(), required=False)
    who = forms.ChoiceField(required=False)
    line = forms.CharField(required=False, max_length=60)

    FIRST: ClassVar[tuple[str, ...]] = ("start", "end", "site", "therapist")
    MORE: ClassVar[tuple[str, ...]] = ()

    def __init__(
        self, data: QueryDict, *, user: User, today: date, days: int = YEAR_DAYS, by_therapist: bool = True
    ) -> None:
        """`days` before today are counted when none are named. Fewer than a year are shown as they are to everybody."""
        self.user, self.today, self.is_short = user, today, days < YEAR_DAYS
        if not (data.get("start") or data.get("end")):
            data = data.copy()
            data["start"] = (today - timedelta(days=days - 1) if self.is_short else year_before(today)).isoformat()
            data["end"] = today.isoformat()
        super().__init__(data, auto_id="f_%s")
        seen = Client.objects.visible_to(user, P.SEE_REPORTS).order_by()
        people = User.objects.filter(pk__in=seen.values("therapist")).order_by("name")
        self._choose("site", Site.objects.filter(pk__in=seen.values("site")), _("All sites"))
        self._choose("therapist", people, _("All therapists"))
        self._offer("who", "", [(MINE, gettext("Charts I read")), (ALL, gettext("All I see"))])
        if not by_therapist:
            del self.fields["therapist"]
        for name in self._shown():
            self.fields[name].widget.attrs["class"] = "input" if name in ("start", "end") else "select"
        for each in self.fields.values():
            if isinstance(each, forms.ChoiceField):
                each.error_messages["invalid_choice"] = NOT_LISTED

    def _shown(self) -> Iterator[str]:
        return (name for name in (*self.FIRST, *self.MORE) if name in self.fields)

    def _choose(self, name: str, found: Any, anything: Any) -> None:
        self.fields[name].queryset, self.fields[name].empty_label = found, anything  # type: ignore[attr-defined]

    def _offer(self, name: str, anything: Any, choices: list[Any]) -> None:
        self.fields[name].choices = [("", anything), *choices]  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        said = super().clean() or {}
        end = said.get("end") or self.today
        start = said.get("start") or year_before(end)
        if not self.errors:
            if end > self.today + AHEAD:
                self.add_error("end", gettext("That day is far ahead. Choose one up to today."))
            elif start > end:
                self.add_error("start", gettext("The first day is after the last one. Change one of them."))
            elif (end - start).days > LONGEST_DAYS:
                self.add_error("start", gettext("That is more than ten years. Choose fewer."))
            elif not self.is_short and not sight(self.user, said.get("who", "")).reads:
                start, end = whole_months(start, end, self.today)
        return said | {"start": start, "end": end}

    @property
    def first_fields(self) -> list[Any]:
        return [self[name] for name in self._shown() if name in self.FIRST]


@dataclass(frozen=True)
class Days:
    """Valid days and filters, asked for by this person."""

    user: User
    said: dict[str, Any]
    practice: Practice
    seen: Sight = field(init=False)

    NAMED: ClassVar[tuple[str, ...]] = (*DaysForm.FIRST, "line")
    """What its address names, in this order."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "seen", sight(self.user, self.said.get("who", "")))

    @property
    def clients(self) -> Any:
        found = Client.objects.visible_to(self.user, P.SEE_REPORTS)
        if self.seen.both and self.seen.who == MINE:
            found = found.filter(pk__in=Client.objects.visible_to(self.user, P.READ_CHART).values("pk"))
        if site := self.said.get("site"):
            found = found.filter(site=site)
        if therapist := self.said.get("therapist"):
            found = found.filter(therapist=therapist)
        return found.order_by()

    @property
    def start(self) -> datetime:
        return self._midnight(self.said["start"])

    @property
    def end(self) -> datetime:
        """The midnight after the last day."""
        return self._midnight(self.said["end"] + timedelta(days=1))

    def _midnight(self, on: date) -> datetime:
        return datetime.combine(on, time.min, tzinfo=ZoneInfo(self.practice.zone))

    def day_of(self, at: date | datetime) -> date:
        """The practice's own day."""
        return at.astimezone(ZoneInfo(self.practice.zone)).date() if isinstance(at, datetime) else at

    def holds(self, on: date | datetime | None) -> bool:
        if isinstance(on, datetime):
            return self.start <= on < self.end
        return on is not None and self.said["start"] <= on <= self.said["end"]

    @property
    def query(self) -> dict[str, str]:
        """The filters as they stand in the address, the days always named."""
        found = {"who": self.seen.who} if self.seen.both else {}
        for name in self.NAMED:
            if value := self.said.get(name):
                found[name] = value.isoformat() if isinstance(value, date) else str(getattr(value, "pk", value))
        return found

    def url(self, path: str, /, **more: str) -> str:
        """This page, or another one, with these filters; an empty value takes one away."""
        query = {name: value for name, value in (self.query | more).items() if value}
        return f"{path}?{urlencode(query)}"


def ask_days(
    user: User, data: QueryDict, at: datetime, practice: Practice, *, days: int = YEAR_DAYS, by_therapist: bool = True
) -> tuple[DaysForm, Days | None]:
    """The form as filled in, and what it asks for: None when something is wrong. Without days: the last `days`."""
    today = coverage.local(at, practice).date()
    form = DaysForm(data, user=user, today=today, days=days, by_therapist=by_therapist)
    return form, Days(user, form.cleaned_data, practice) if form.is_valid() else None
