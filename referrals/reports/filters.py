"""What the referral report is asked for, beside the days: why flagged, which clinic, path and status."""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Any, ClassVar

from dateutil.relativedelta import relativedelta
from django import forms
from django.http import QueryDict
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from practice import coverage
from practice.models import Practice, User
from referrals.actions.acts import WhyNot
from referrals.models import Destination, Path
from referrals.reports import steps
from referrals.reports.cases import ELSEWHERE, Case, Scope, cases, supporting
from referrals.reports.days import Days, DaysForm, Listed, year_before
from referrals.states import State

OWN = "own"  # no rule flagged it: a clinician began it


class FilterForm(DaysForm):
    """`start` and `end` are the first and last day on which a flag was raised."""

    rule = forms.ChoiceField(label=_("Why flagged"), required=False)
    clinic = Listed(label=_("Clinic"), queryset=Destination.objects.none(), required=False)
    path = forms.ChoiceField(label=_("Path"), required=False)
    state = forms.ChoiceField(label=_("Status"), required=False)
    reason = forms.ChoiceField(label=_("Why declined"), required=False)
    step = forms.ChoiceField(required=False)
    stop = forms.ChoiceField(required=False)

    FIRST = (*DaysForm.FIRST, "rule")
    MORE = ("clinic", "path", "state", "reason")

    def __init__(self, data: QueryDict, *, user: User, today: date) -> None:
        super().__init__(data, user=user, today=today)
        paths = [(code, str(Path(code).label)) for code in ELSEWHERE]
        rules = [(code, f"{code} {reason}") for code, reason in supporting().items()]
        self._choose("clinic", Destination.objects.order_by("name"), _("Any clinic"))
        self._offer("rule", _("Any reason"), [*rules, (OWN, gettext("Begun by a clinician"))])
        self._offer("path", _("Any path"), paths)
        self._offer("state", _("Any status"), list(State.choices))
        self._offer("reason", _("Any reason"), list(WhyNot.choices))
        self._offer("step", "", [(code, str(test.words)) for code, test in steps.TESTS.items()])
        self._offer("stop", "", [(code, str(stop.words)) for code, stop in steps.STOPS.items()])

    def more_fields(self) -> list[Any]:
        return [self[name] for name in self.MORE]

    @property
    def more_said(self) -> bool:
        return any(self.data.get(name) for name in self.MORE)


class Asked(Days):
    """A valid set of filters, by this person."""

    NAMED: ClassVar[tuple[str, ...]] = (*FilterForm.FIRST, *FilterForm.MORE, "step", "stop")

    @property
    def scope(self) -> Scope:
        return Scope(self.clients, self.start, self.end, self.practice.zone)

    def rows(self, scope: Scope | None = None) -> list[Case]:
        """Every row that fits all but step and stop."""
        found = [row for row in cases(scope or self.scope) if self._fits(row)]
        steps.lead(found)
        return found

    def each(self, scope: Scope | None = None) -> Iterator[Case]:
        """The same rows in the same order, of which some thousands are in memory at a time."""
        for piece in (scope or self.scope).pieces():
            yield from self.rows(piece)

    def chooses(self, row: Case) -> bool:
        """Whether the number by which somebody came counted this row."""
        step, stop = self.said.get("step"), self.said.get("stop")
        return (not step or steps.TESTS[step].holds(row)) and (not stop or (row.leads and steps.stop_of(row) == stop))

    def chosen(self, rows: list[Case]) -> list[Case]:
        return [row for row in rows if self.chooses(row)]

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


def ask(user: User, data: QueryDict, at: datetime, practice: Practice) -> tuple[FilterForm, Asked | None]:
    """The form as filled in, and what it asks for; None when something in it is wrong."""
    form = FilterForm(data, user=user, today=coverage.local(at, practice).date())
    return form, Asked(user, form.cleaned_data, practice) if form.is_valid() else None


def spans(today: date) -> list[tuple[str, date, date]]:
    """Days that are asked for often."""
    quarter = date(today.year, 3 * ((today.month - 1) // 3) + 1, 1)
    return [
        (gettext("Last 12 months"), year_before(today), today),
        (gettext("This quarter"), quarter, today),
        (gettext("Last quarter"), quarter - relativedelta(months=3), quarter - timedelta(days=1)),
        (gettext("This year"), date(today.year, 1, 1), today),
        (gettext("Last year"), date(today.year - 1, 1, 1), date(today.year - 1, 12, 31)),
    ]
