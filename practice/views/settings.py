"""The practice itself: what is set, what is missing before it may open, and the form that changes it."""

import json
from pathlib import Path
from typing import Any
from zoneinfo import available_timezones

from django import forms
from django.conf import settings
from django.contrib import messages
from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.formats import time_format as format_time
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from practice import audit, handover
from practice.access import Permission
from practice.clinical import escalation
from practice.forms import HouseForm, phone_like, text
from practice.language import said_in
from practice.models import Client, Practice, Site
from practice.models.sites import RECORD_YEARS_LEAST
from practice.pages import StaffRequest, staff_page
from practice.views.clients import conflict
from practice.views.opening import checklist, following
from practice.views.public import write_help_page
from practice.views.rooms import rooms
from practice.views.trouble import CARD

NO_ZONES = ("Etc/", "SystemV/", "US/", "posix/", "right/")
SEVERITIES = {"urgent": _("an urgent flag"), "priority": _("a priority flag"), "routine": _("a routine flag")}


COMMON_ZONES = (
    "America/New_York",
    "America/Chicago",
    "America/Denver",
    "America/Phoenix",
    "America/Los_Angeles",
    "America/Anchorage",
    "Pacific/Honolulu",
)


def zones() -> list[tuple[str, str]]:
    """Every place of the time zone database; the usual ones first."""
    places = sorted(name for name in available_timezones() if "/" in name and not name.startswith(NO_ZONES))
    ordered = [*COMMON_ZONES, *(name for name in places if name not in COMMON_ZONES)]
    return [(name, name.replace("_", " ")) for name in ordered]


class Minutes(forms.CharField):
    """Four rising numbers of minutes, the first of them 0, written with commas."""

    def to_python(self, value: Any) -> Any:
        parts = [part.strip() for part in str(value or "").replace(";", ",").split(",") if part.strip()]
        if not all(part.isascii() and part.isdecimal() and len(part) <= 6 for part in parts):
            raise forms.ValidationError(_("Write whole minutes with commas between, such as 0, 15, 30, 60."))
        return [int(part) for part in parts]

    def validate(self, value: list[int]) -> None:
        if len(value) != len(escalation.RUNGS) or value[0] != 0 or value != sorted(set(value)):
            raise forms.ValidationError(_("Write four rising numbers that begin with 0, such as 0, 15, 30, 60."))

    def run_validators(self, value: list[int]) -> None:
        """Nothing beside the above."""


class PracticeForm(HouseForm):
    name = text(
        _("Name of the practice"), required=True, error_messages={"required": _("Write the name of the practice.")}
    )
    discreet_name = text(
        _("Name that clients see"),
        40,
        help_text=_("On their phone, also on a locked screen. Leave empty to use the name above."),
    )
    phone = text(
        _("Phone"),
        32,
        required=True,
        validators=[phone_like],
        error_messages={"required": _("Write the phone number.")},
    )
    hours_text = text(
        _("Hours, in words"),
        required=True,
        help_text=_("Such as: weekdays 8 am to 5 pm."),
        error_messages={"required": _("Write when you are there.")},
    )
    hours_text_es = text(
        _("Hours, in Spanish"),
        help_text=_("For clients who read Spanish. Left empty, they are not told when you are there."),
    )
    zone = forms.ChoiceField(label=_("Time zone"), choices=zones)
    answer_calls_nobody = forms.BooleanField(
        label=_("An answer on a form does not call the police or an ambulance. This is true here."),
        required=False,
        help_text=_(
            "The form says so above each safety question, so those questions cannot be sent until you confirm it."
        ),
    )
    opens_at = forms.TimeField(
        label=_("The workday starts"), widget=forms.TimeInput(attrs={"type": "time"}, format="%H:%M")
    )
    closes_at = forms.TimeField(
        label=_("The workday ends"), widget=forms.TimeInput(attrs={"type": "time"}, format="%H:%M")
    )
    reads_by = forms.TimeField(
        label=_("Answers are read by, on the next workday"),
        widget=forms.TimeInput(attrs={"type": "time"}, format="%H:%M"),
        help_text=_("Clients are told this time. Only promise what you keep."),
    )
    screen_everyone = forms.BooleanField(
        label=_("Ask the safety questions of everyone, not only after a sign"), required=False
    )
    quiet_days = forms.IntegerField(
        label=_("Days without a word until a client is quiet"),
        min_value=1,
        max_value=365,
        help_text=_("No answer, no contact and no appointment for that long becomes a task for their therapist."),
    )
    measure_link_days = forms.IntegerField(
        label=_("Days that the link of a check-in works"),
        min_value=2,
        max_value=30,
        help_text=_("Then one press on the old link sends a new one, and their therapist sees that it is not back."),
    )
    record_years = forms.IntegerField(
        label=_("Years a record is kept after its last entry"),
        min_value=RECORD_YEARS_LEAST,
        max_value=50,
        help_text=_("Seven is the guideline; your state's law may ask for more. Less than six is against federal law."),
    )
    majority_age = forms.IntegerField(
        label=_("Age at which a client is an adult here"),
        min_value=18,
        max_value=21,
        help_text=_("A minor's guardian loses access that day. 18 in most states, 19 or 21 in some."),
    )
    messages_from = forms.TimeField(
        label=_("Messages that can wait go out from"),
        widget=forms.TimeInput(attrs={"type": "time"}, format="%H:%M"),
        help_text=_("By the client's own clock. Codes, links asked for and replies to a call for help go at once."),
    )
    messages_until = forms.TimeField(
        label=_("and until"),
        widget=forms.TimeInput(attrs={"type": "time"}, format="%H:%M"),
        help_text=_("The same time twice means at any hour."),
        error_messages=dict.fromkeys(
            ("invalid", "required"),
            _("Until when messages go out: write a time from 00:00 to 23:59, such as 20:00."),
        ),
    )
    address = text(_("Address"), 160, help_text=_("Stands on what you send to a clinic."))
    fax = text(
        _("Fax"), 32, validators=[phone_like], help_text=_("Stands on letters to a clinic. Leave empty for none.")
    )
    is_part2 = forms.BooleanField(
        label=_("We are a programme under 42 CFR Part 2 (treatment of substance use)"),
        required=False,
        help_text=_("Then a release that shares such records asks for that consent by its own tick."),
    )
    clinical_lead = text(_("Clinical lead"), help_text=_("Who reads and signs the clinical rules and texts."))
    version = forms.IntegerField(widget=forms.HiddenInput, min_value=1, max_value=2**31 - 1)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for severity, words in SEVERITIES.items():
            self.fields[f"ladder_{severity}"] = Minutes(
                label=gettext("Minutes until each next person is told of {flag}").format(flag=words),
                help_text=_("Therapist and on call, backup, supervisor, admins."),
                max_length=40,
            )

    def clean(self) -> dict[str, Any]:
        said = super().clean() or {}
        if said.get("opens_at") and said.get("closes_at") and said["opens_at"] >= said["closes_at"]:
            self.add_error("closes_at", _("The workday ends after it starts."))
        return said

    @classmethod
    def initial_of(cls, practice: Practice) -> dict[str, Any]:
        ladder = {
            f"ladder_{severity}": ", ".join(str(m) for m in escalation.minutes(severity, practice.ladder))
            for severity in SEVERITIES
        }
        return {name: getattr(practice, name) for name in COLUMNS} | ladder

    def ladder(self) -> dict[str, list[int]]:
        """The practice's own clocks: only those that differ from the defaults."""
        asked = {severity: self.cleaned_data[f"ladder_{severity}"] for severity in SEVERITIES}
        return {severity: m for severity, m in asked.items() if tuple(m) != tuple(escalation.minutes(severity, None))}


COLUMNS = [
    "name",
    "discreet_name",
    "phone",
    "hours_text",
    "hours_text_es",
    "zone",
    "opens_at",
    "closes_at",
    "reads_by",
    "screen_everyone",
    "answer_calls_nobody",
    "quiet_days",
    "measure_link_days",
    "record_years",
    "majority_age",
    "messages_from",
    "messages_until",
    "address",
    "fax",
    "is_part2",
    "clinical_lead",
    "version",
]


# --- Pages -----------------------------------------------------------------------------------------------------------


@staff_page(Permission.SEE_PRACTICE)
def practice_settings(request: StaffRequest) -> HttpResponse:
    practice: Practice = request.practice
    form = PracticeForm(initial=PracticeForm.initial_of(practice))
    items = checklist(practice, request.user)
    rows = [
        {"label": str(field.label), "value": _value(name, field, form.get_initial_for_field(field, name))}
        for name, field in form.fields.items()
        if name != "version"
    ]
    left = [item for item in items if not item.done]
    context_ = {
        "rows": rows,
        "items": items,
        "left": len(left),
        "next": following(left),
        "nobody_yet": not left and not Client.objects.exists(),
        "alarms": handover.alarms(),
        "rooms": rooms(request.user),
        "may_edit": request.user.may(Permission.MANAGE_PRACTICE),
    }
    return render(request, "practice/practice_settings.html", context_)


def _value(name: str, field: forms.Field, value: Any) -> str:
    """What a setting says now; "" when it is missing and somebody should know."""
    if name == "discreet_name" and not value:
        return gettext("The name above")
    if name in ("address", "fax") and not value:
        return gettext("None")
    if isinstance(field, forms.BooleanField):
        return gettext("Yes") if value else "" if name == "answer_calls_nobody" else gettext("No")
    if isinstance(field, forms.TimeField):
        return str(value)[:5]
    if name == "zone":
        return str(value).replace("_", " ")
    return str(value or "")


@staff_page(Permission.MANAGE_PRACTICE)
def practice_edit(request: StaffRequest) -> HttpResponse:
    practice = (
        Practice.objects.select_for_update(no_key=True).get(pk=1) if request.method == "POST" else request.practice
    )
    initial = PracticeForm.initial_of(practice)
    initial |= proposed_hours(practice)
    form = PracticeForm(request.POST or None, initial=initial)
    if request.method != "POST" or not form.is_valid():
        context_ = {"form": form}
        return render(request, "practice/practice_edit.html", context_, status=400 if form.errors else 200)
    said = form.cleaned_data
    if said["version"] != practice.version:
        theirs = PracticeForm(initial=PracticeForm.initial_of(practice))
        return conflict(request, gettext("Somebody changed the settings first"), form, theirs, practice.version)
    changed = [name for name in COLUMNS if name != "version" and getattr(practice, name) != said[name]]
    for name in changed:
        setattr(practice, name, said[name])
    if practice.ladder != form.ladder():
        practice.ladder = form.ladder()
        changed.append("ladder")
    if "zone" in changed and Site.objects.count() == 1:
        Site.objects.update(zone=practice.zone)  # a practice with one site is where its site is
    practice.version += 1
    practice.save()
    audit.record("practice.edited", by=request.user, target=practice, fields=changed)
    transaction.on_commit(lambda: write_card(practice))
    messages.success(request, gettext("Saved."))
    return redirect("practice_settings")


def proposed_hours(practice: Practice) -> dict[str, str]:
    """What stands in the fields of the hours: what was said; where nothing was, the workday, if it is not another."""
    usual = usual_hours(practice)
    spanish = practice.hours_text_es
    if not spanish and practice.hours_text in ("", usual):
        spanish = said_in("es", usual_hours, practice)
    return {"hours_text": practice.hours_text or usual, "hours_text_es": spanish}


def usual_hours(practice: Practice) -> str:
    """What the workday is, in words, for a practice that has not said it yet."""
    return gettext("weekdays {start} to {end}").format(
        start=format_time(practice.opens_at, "g A").lower(), end=format_time(practice.closes_at, "g A").lower()
    )


def write_card(practice: Practice) -> None:
    """Name, phone and hours for the help page, which must work without the database. Written whole or not at all."""
    settings.DATA_DIR.mkdir(parents=True, exist_ok=True)
    card = {
        "name": practice.display_name,
        "phone": practice.phone,
        "hours": practice.hours_text,
        "hours_es": practice.hours_text_es,
    }
    fresh = settings.DATA_DIR / f"{CARD}.new"
    fresh.write_text(json.dumps(card))
    fresh.replace(settings.DATA_DIR / CARD)
    if settings.HELP_PAGE:
        write_help_page(Path(settings.HELP_PAGE))
