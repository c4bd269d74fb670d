"""What clinicians know of a client that no form asks: said here, one input of the decision table at a time."""

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from practice import audit
from practice.access import Permission
from practice.actions import NotNow
from practice.clinical import table, windows
from practice.forms import HouseForm
from practice.models import Client, User
from practice.pages import client_of, staff_page
from practice.templatetags.ui import full_day, moment
from practice.views.chart import allowed, frame, named, reader
from practice.views.rules import value_words
from referrals import holds
from referrals.actions import facts as actions
from referrals.holds import Standing
from referrals.models import ClinicianFact
from referrals.views.fit import answer_words

NOT_KNOWN = "not-known"  # no input has this value; one has "unknown"
BACK = "_back"
ON = "on"
READING_ON = "reading_on"
SHOWN = 50  # of what was said here, the newest

GROUPS: dict[str, Any] = {
    "judgement": _("For you to judge"),
    "harm": _("Harm to others"),
    "reading": _("Blood pressure, measured here"),
    "support": _("Support, home and the way there"),
    "condition": _("Conditions and diagnoses"),
}
VALUE_WORDS: dict[tuple[str, str], Any] = {
    ("pregnancy", "unknown"): _("Could be pregnant"),
    ("bipolar", "I"): _("Bipolar I"),
    ("bipolar", "II"): _("Bipolar II"),
    ("bipolar", "other"): _("Bipolar, another kind"),
}


def said_words(name: str, value: Any) -> str:
    """A value of this input as the page says it."""
    if value is None:
        return gettext("Not known")
    words = VALUE_WORDS.get((name, value)) if isinstance(value, str) else None
    plain = str(words or value_words(value))
    return f"{plain[:1].upper()}{plain[1:]}"


def _day_field(label: Any, **options: Any) -> forms.DateField:
    return forms.DateField(
        label=label,
        widget=forms.DateInput({"type": "date"}, format="%Y-%m-%d"),
        error_messages={
            "invalid": gettext("{field}: give a day, such as 2026-11-27.").format(field=label),
            "required": _("Give the day on which it was so."),
        },
        **options,
    )


class KnownForm(HouseForm):
    """A field for each input that this person may say. What is left as it is says nothing."""

    def __init__(
        self,
        *args: Any,
        inputs: Iterable[table.Input],
        hints: Mapping[str, str],
        said: Iterable[str],
        today: date,
        born: date | None,
        about: str = "",
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.known = {each.name: each for each in inputs}
        self.today, self.born, self.about = today, born, about
        for name, each in self.known.items():
            self.fields[name] = _field(each, hints[name])
        self.fields[ON] = _day_field(_("So on"), initial=today, help_text=_("The day on which all of this was so."))
        if set(self.known) >= windows.PASSING:
            self.fields[READING_ON] = _day_field(_("Measured on"), initial=today, required=False)
        for name in said:
            if name in self.known and _is_number(self.known[name]) and name != "dbp":
                label = gettext("Blood pressure") if name == "sbp" else self.known[name].label
                words = gettext("{input}: not known after all").format(input=label)
                self.fields[name + BACK] = forms.BooleanField(label=words, required=False)

    def _clean_day(self, name: str) -> date | None:
        day: date | None = self.cleaned_data[name]
        if day is not None and (day > self.today or (self.born is not None and day < self.born)):
            raise forms.ValidationError(
                gettext("{field}: give a day up to today.").format(field=self.fields[name].label)
            )
        return day

    def clean_on(self) -> date | None:
        return self._clean_day(ON)

    def clean_reading_on(self) -> date | None:
        return self._clean_day(READING_ON)

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        for name in self.known:
            if given.get(name + BACK) and given.get(name) is not None:
                words = gettext("{input}: give a number, or say that it is not known.")
                self.add_error(name, words.format(input=self.known[name].label))
        if set(self.known) >= windows.PASSING:
            self._clean_reading(given)
        return given

    def _clean_reading(self, given: dict[str, Any]) -> None:
        if windows.PASSING & set(self.errors):
            return
        upper, lower = given.get("sbp"), given.get("dbp")
        if (upper is None) != (lower is None):
            self.add_error("dbp" if lower is None else "sbp", _("Give both numbers of the blood pressure."))
        elif upper is not None and upper <= lower:
            self.add_error("sbp", _("The upper number of a blood pressure is higher than the lower one."))
        elif upper is not None and given.get(READING_ON) is None and READING_ON not in self.errors:
            self.add_error(READING_ON, _("Give the day on which it was measured."))

    def said(self) -> dict[str, tuple[Any, date]]:
        """What was said, by input, with its day; None takes back."""
        given, found = self.cleaned_data, {}
        for name, each in self.known.items():
            reading = name in windows.PASSING
            back = given.get(("sbp" if reading else name) + BACK)
            on = (given.get(READING_ON) or self.today) if reading else given[ON]
            if back or given[name] == NOT_KNOWN:
                found[name] = (None, on)
            elif given[name] not in (None, ""):
                found[name] = (_value(each, given[name]), on)
        return found

    @property
    def groups(self) -> list[dict[str, Any]]:
        """The fields as the page shows them, first the one that the reader came for."""
        asked = self.known.get(self.about)
        first = windows.PASSING if self.about in windows.PASSING else {self.about}
        parts = [("about", _("What you came to say"), [name for name in self.known if asked and name in first])]
        for group, title in GROUPS.items():
            names = [name for name, each in self.known.items() if each.clinician == group and name not in parts[0][2]]
            parts.append((group, title, names))
        shown = [(id_, title, self._with_their_own(names)) for id_, title, names in parts if names]
        return [
            {"id": id_, "title": title, "fields": fields, "folded": self._folded(id_, fields, len(shown))}
            for id_, title, fields in shown
        ]

    def _folded(self, group: str, fields: list[forms.BoundField], of: int) -> bool:
        """The long list is folded for whoever has more to say, unless something in it was said or is wrong."""
        said = any(field.errors or (self.is_bound and field.value()) for field in fields)
        return group == "condition" and of > len({"reading", "condition"}) and not said

    def _with_their_own(self, names: list[str]) -> list[forms.BoundField]:
        """These fields, and the day and the box that belong to them."""
        backs = [name + BACK for name in names if name + BACK in self.fields]
        days = [READING_ON] if windows.PASSING & set(names) else []
        return [self[name] for name in (*names, *days, *backs)]


def _is_number(known: table.Input) -> bool:
    return known.kind in ("integer", "number")


def _field(known: table.Input, hint: str) -> forms.Field:
    if _is_number(known):
        kind = forms.IntegerField if known.kind == "integer" else forms.FloatField
        low, high = int(known.minimum), int(known.maximum)
        words = gettext("{input}: give a number from {low} to {high}.").format(input=known.label, low=low, high=high)
        return kind(
            label=known.label,
            help_text=hint,
            required=False,
            min_value=low,
            max_value=high,
            error_messages=dict.fromkeys(("invalid", "min_value", "max_value"), words),
        )
    values = (True, False) if known.kind == "yes_no" else known.values
    return forms.ChoiceField(
        label=known.label,
        help_text=hint,
        required=False,
        choices=[
            ("", _("Leave as it is")),
            *((_code(value), said_words(known.name, value)) for value in values),
            (NOT_KNOWN, _("Not known")),
        ],
        error_messages={"invalid_choice": gettext("{input}: choose one of the answers.").format(input=known.label)},
    )


def _code(value: Any) -> str:
    return ("yes" if value else "no") if isinstance(value, bool) else str(value)


def _value(known: table.Input, given: Any) -> Any:
    if isinstance(given, float):
        return int(given) if given.is_integer() else given
    if not isinstance(given, str):
        return given
    values = (True, False) if known.kind == "yes_no" else known.values
    return next(value for value in values if _code(value) == given)


@staff_page(Permission.READ_CHART)
def known(request: HttpRequest, pk: UUID) -> HttpResponse:
    """What is known of each input that a clinician may say, by whom and since when; whoever may, says more."""
    at = timezone.now()
    client, person = client_of(request, pk), reader(request)
    standing = holds.standing(client, at)
    inputs = actions.sayable(allowed(person, client))
    form = KnownForm(
        request.POST if request.method == "POST" else None,
        inputs=inputs,
        hints={each.name: _hint(each, standing) for each in inputs},
        said=client.clinician_facts.standing(),
        today=timezone.localdate(at),
        born=client.born,
        about=request.GET.get("about", ""),
    )
    if request.method == "POST":
        if not inputs:
            raise PermissionDenied
        if form.is_valid() and _recorded(person, client, form, at):
            messages.success(request, gettext("Kept, with your name. The rules count it from now on."))
            return redirect("known", pk)
    else:
        audit.seen(request, client, "known")
    rows = client.clinician_facts.select_related("by")[:SHOWN]
    context = {
        **frame(request, client, at),
        "form": form if inputs else None,
        "about": form.about if form.about in form.known else "",
        "rows": [_row(each, person) for each in rows],
        "may_decide": Permission.DECIDE in allowed(person, client),
        "may_flag": Permission.RAISE_FLAG in allowed(person, client),
    }
    return render(request, "referrals/known.html", context, status=400 if form.errors else 200)


def _recorded(person: User, client: Client, form: KnownForm, at: datetime) -> bool:
    try:
        actions.record(by=person, client=client, said=form.said(), at=at)
    except NotNow as sentence:
        form.add_error(None, str(sentence))
        return False
    return True


def _hint(known: table.Input, standing: Standing) -> str:
    """What the input means, and what is known of it now."""
    value = standing.inputs.get(known.name)
    if value is None:
        now = gettext("Now: {value}.").format(value=known.blank_means or gettext("not known"))
    else:
        where = answer_words(known.name, standing)["where"]
        now = gettext("Now: {value} ({where}).").format(value=said_words(known.name, value), where=where)
    return " ".join(part for part in (known.words, now) if part)


def _row(fact: ClinicianFact, person: User) -> dict[str, str]:
    known = table.inputs().get(fact.input)
    return {
        "label": known.label if known else fact.input,
        "value": said_words(fact.input, fact.value),
        "on": full_day(fact.on),
        "by": gettext("{who}, {when}").format(who=named(fact.by, person), when=moment(fact.at)),
    }
