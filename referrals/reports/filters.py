"""What the report is asked for: everything stands in its address, so that who opens it sees the same page."""

from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any
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
from referrals.actions.acts import WhyNot
from referrals.models import Destination, Path
from referrals.reports import steps
from referrals.reports.cases import ELSEWHERE, Case, Scope, cases, supporting
from referrals.states import State

P = Permission
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


def clients(user: User, seen: Sight) -> Any:
    found = Client.objects.visible_to(user, P.SEE_REPORTS)
    if seen.both and seen.who == MINE:
        found = found.filter(pk__in=Client.objects.visible_to(user, P.READ_CHART).values("pk"))
    return found


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


class FilterForm(forms.Form):
    """The filters, each empty for "any". `start` and `end` are the first and last day on which a flag was raised."""

    start = Day(label=_("From"), required=False)
    end = Day(label=_("Until"), required=False)
    site = Listed(label=_("Site"), queryset=Site.objects.none(), required=False)
    therapist = Listed(label=_("Therapist"), queryset=User.objects.none(), required=False)
    rule = forms.ChoiceField(label=_("Why flagged"), required=False)
    clinic = Listed(label=_("Clinic"), queryset=Destination.objects.none(), required=False)
    path = forms.ChoiceField(label=_("Path"), required=False)
    state = forms.ChoiceField(label=_("Status"), required=False)
    reason = forms.ChoiceField(label=_("Why declined"), required=False)
    who = forms.ChoiceField(label=_("Whose"), required=False)
    step = forms.ChoiceField(required=False)
    stop = forms.ChoiceField(required=False)

    FIRST = ("start", "end", "site", "therapist", "rule")
    MORE = ("clinic", "path", "state", "reason")

    def __init__(self, data: QueryDict, *, user: User, today: date) -> None:
        if not (data.get("start") or data.get("end")):  # the last 12 months, and the page says so
            data = data.copy()
            data["start"] = (today - relativedelta(years=1) + timedelta(days=1)).isoformat()
            data["end"] = today.isoformat()
        super().__init__(data, auto_id="f_%s")
        self.user, self.today = user, today
        seen = Client.objects.visible_to(user, P.SEE_REPORTS).order_by()
        self._choose("site", Site.objects.filter(pk__in=seen.values("site")), _("All sites"))
        people = User.objects.filter(pk__in=seen.values("therapist")).order_by("name")
        self._choose("therapist", people, _("All therapists"))
        self._choose("clinic", Destination.objects.order_by("name"), _("Any clinic"))
        paths = [(code, str(Path(code).label)) for code in ELSEWHERE]
        rules = [(code, f"{code} {reason}") for code, reason in supporting().items()]
        self._offer("rule", _("Any reason"), [*rules, (OWN, gettext("Begun by a clinician"))])
        self._offer("path", _("Any path"), paths)
        self._offer("state", _("Any status"), list(State.choices))
        self._offer("reason", _("Any reason"), list(WhyNot.choices))
        self._offer("step", "", [(code, str(test.words)) for code, test in steps.TESTS.items()])
        self._offer("stop", "", [(code, str(stop.words)) for code, stop in steps.STOPS.items()])
        self._offer("who", "", [(MINE, gettext("Charts I read")), (ALL, gettext("All I see"))])
        for name in ("step", "stop", "who"):
            self.fields[name].error_messages["invalid_choice"] = NOT_LISTED
        for name in (*self.FIRST, *self.MORE):
            css = "input" if name in ("start", "end") else "select"
            self.fields[name].widget.attrs["class"] = css
            self.fields[name].error_messages["invalid_choice"] = NOT_LISTED

    def _choose(self, name: str, found: Any, anything: Any) -> None:
        self.fields[name].queryset, self.fields[name].empty_label = found, anything  # type: ignore[attr-defined]

    def _offer(self, name: str, anything: Any, choices: list[Any]) -> None:
        self.fields[name].choices = [("", anything), *choices]  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        said = super().clean() or {}
        end = said.get("end") or self.today
        start = said.get("start") or max(end, date(2, 1, 1)) - relativedelta(years=1) + timedelta(days=1)
        if not self.errors:
            if end > self.today + AHEAD:
                self.add_error("end", gettext("That day is far ahead. Choose one up to today."))
            elif start > end:
                self.add_error("start", gettext("The first day is after the last one. Change one of them."))
            elif (end - start).days > LONGEST_DAYS:
                self.add_error("start", gettext("That is more than ten years. Choose fewer."))
            elif not sight(self.user, said.get("who", "")).reads:
                start, end = whole_months(start, end, self.today)
        return said | {"start": start, "end": end}

    def first_fields(self) -> list[Any]:
        return [self[name] for name in self.FIRST]

    def more_fields(self) -> list[Any]:
        return [self[name] for name in self.MORE]

    @property
    def more_said(self) -> bool:
        return any(self.data.get(name) for name in self.MORE)


OWN = "own"  # no rule flagged it: a clinician began it


@dataclass(frozen=True)
class Asked:
    """A valid set of filters, by this person."""

    user: User
    said: dict[str, Any]
    practice: Practice
    seen: Sight = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "seen", sight(self.user, self.said.get("who", "")))

    @property
    def scope(self) -> Scope:
        found = clients(self.user, self.seen)
        if site := self.said.get("site"):
            found = found.filter(site=site)
        if therapist := self.said.get("therapist"):
            found = found.filter(therapist=therapist)
        zone = self.practice.zone
        return Scope(
            found, _midnight(self.said["start"], zone), _midnight(self.said["end"] + timedelta(days=1), zone), zone
        )

    def rows(self, scope: Scope | None = None) -> list[Case]:
        """Every row that fits all but step and stop."""
        found = [row for row in cases(scope or self.scope) if self._fits(row)]
        steps.lead(found)
        return found

    def chosen(self, rows: list[Case]) -> list[Case]:
        """Of these rows, those that the number counted by which somebody came."""
        if step := self.said.get("step"):
            rows = [row for row in rows if steps.TESTS[step].holds(row)]
        if stop := self.said.get("stop"):
            rows = [row for row in rows if row.leads and steps.stop_of(row) == stop]
        return rows

    def _fits(self, row: Case) -> bool:
        said = self.said
        return not (
            (said.get("rule") and said["rule"] not in (row.rules or (OWN,)))
            or (said.get("clinic") and said["clinic"].pk != row.clinic)
            or (said.get("path") and said["path"] != row.path)
            or (said.get("state") and said["state"] != row.state)
            or (said.get("reason") and not (row.declined_at and said["reason"] == row.reason))
        )

    @property
    def clinical(self) -> bool:
        """Whether what was asked for tells something clinical of every row."""
        step, stop = self.said.get("step"), self.said.get("stop")
        return bool(
            self.said.get("rule")
            or (step and steps.TESTS[step].clinical)
            or (stop and steps.STOPS[stop].after == "decided")
        )

    @property
    def query(self) -> dict[str, str]:
        """The filters as they stand in the address, in one order, the days always named."""
        found = {}
        for name in ("who", *FilterForm.FIRST, *FilterForm.MORE, "step", "stop"):
            value = self.said.get(name)
            if name == "who":
                value = self.seen.who if self.seen.both else ""
            if value:
                found[name] = value.isoformat() if isinstance(value, date) else str(getattr(value, "pk", value))
        return found

    def url(self, path: str, /, **more: str) -> str:
        """This page, or another one, with these filters; an empty value takes one away."""
        query = {name: value for name, value in (self.query | more).items() if value}
        return f"{path}?{urlencode(query)}"


def _midnight(on: date, zone: str) -> datetime:
    return datetime.combine(on, time.min, tzinfo=ZoneInfo(zone))


def ask(user: User, data: QueryDict, at: datetime, practice: Practice) -> tuple[FilterForm, Asked | None]:
    """The form as filled in, and what it asks for; None when something in it is wrong."""
    form = FilterForm(data, user=user, today=coverage.local(at, practice).date())
    return form, Asked(user, form.cleaned_data, practice) if form.is_valid() else None


def spans(today: date) -> list[tuple[str, date, date]]:
    """Days that are asked for often."""
    quarter = date(today.year, 3 * ((today.month - 1) // 3) + 1, 1)
    return [
        (gettext("Last 12 months"), today - relativedelta(years=1) + timedelta(days=1), today),
        (gettext("This quarter"), quarter, today),
        (gettext("Last quarter"), quarter - relativedelta(months=3), quarter - timedelta(days=1)),
        (gettext("This year"), date(today.year, 1, 1), today),
        (gettext("Last year"), date(today.year - 1, 1, 1), date(today.year - 1, 12, 31)),
    ]
