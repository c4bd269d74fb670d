"""Forms set by hand for a client: when they go out, changed and ended with words, and the client's own pause."""

from datetime import date, datetime, time
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from intake import pauses, schedules
from intake.models import Schedule
from practice import audit
from practice.access import Permission
from practice.forms import Day, HouseForm, attempt, words_field
from practice.models import Client, Practice
from practice.pages import client_of, record_of, staff_page
from practice.templatetags.ui import clock, full_day
from practice.views.chart import frame, reader

Rhythm = Schedule.Rhythm
LONGEST_DAYS = 365


class RhythmForm(HouseForm):
    rhythm = forms.ChoiceField(
        label=_("When"),
        choices=Rhythm.choices,
        widget=forms.RadioSelect,
        error_messages={"required": _("Choose when it goes out.")},
    )
    days = forms.IntegerField(
        label=_("Days"),
        required=False,
        min_value=1,
        max_value=LONGEST_DAYS,
        help_text=_("From one to the next, or before or after a session. Not needed for once."),
    )
    first_on = Day(
        label=_("First day"), required=False, help_text=_("For every so many days, and for once. Not for sessions.")
    )

    def clean(self) -> dict[str, Any]:
        said = super().clean() or {}
        rhythm = said.get("rhythm")
        if rhythm and rhythm != Rhythm.ONCE and not said.get("days") and "days" not in self.errors:
            self.add_error("days", _("Write how many days."))
        if rhythm in (Rhythm.EVERY, Rhythm.ONCE) and not said.get("first_on") and "first_on" not in self.errors:
            self.add_error("first_on", _("Give the first day."))
        return said


class NewForm(RhythmForm):
    key = forms.ChoiceField(
        label=_("What goes out"),
        choices=schedules.choices,
        error_messages={"required": _("Choose a form.")},
    )
    field_order = ("key", "rhythm", "days", "first_on")


class ChangeForm(RhythmForm):
    words = words_field(_("Why it changes"), _("Write why it changes."))
    seen = forms.IntegerField(widget=forms.HiddenInput, min_value=1, max_value=2**31 - 1)


class EndForm(HouseForm):
    words = words_field(_("Why it ends"), _("Write why it ends."))
    seen = forms.IntegerField(widget=forms.HiddenInput, min_value=1, max_value=2**31 - 1)


class ResumeForm(HouseForm):
    words = words_field(_("Why the check-ins go on"), _("Write why the check-ins go on."))


@staff_page(Permission.DECIDE)
def schedule_new(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Set a form to go out by itself."""
    at, client = timezone.now(), client_of(request, pk)
    form = NewForm(request.POST or None)
    if form.is_valid() and attempt(
        form, lambda: schedules.make(by=reader(request), client=client, at=at, **form.cleaned_data)
    ):
        messages.success(request, gettext("Set. It goes out by itself."))
        return redirect("chart", pk)
    if request.method != "POST":
        audit.seen(request, client, "schedules")
    context = {**frame(request, client, at), "form": form, "hour": hour_words(client)}
    return render(request, "intake/schedule_new.html", context, status=400 if form.errors else 200)


@staff_page(Permission.DECIDE)
def schedule(request: HttpRequest, pk: UUID, schedule: UUID) -> HttpResponse:
    """Change when it goes out, or end it; either with words. Two forms of one page."""
    at, row = timezone.now(), record_of(request, Schedule, schedule, of=pk)
    client, ends = client_of(request, pk), request.POST.get("act") == "end"
    now = {"rhythm": row.rhythm, "days": row.days, "first_on": row.first_on, "seen": row.version}
    change = ChangeForm(request.POST if request.method == "POST" and not ends else None, initial=now)
    end = EndForm(request.POST if ends else None, initial=now)
    form: HouseForm = end if ends else change
    act = schedules.end if ends else schedules.change
    if form.is_valid() and attempt(form, lambda: act(by=reader(request), schedule=row, at=at, **form.cleaned_data)):
        messages.success(request, gettext("Ended, and kept as a note.") if ends else gettext("Changed, and noted."))
        return redirect("chart", pk)
    if request.method != "POST":
        audit.seen(request, client, "schedules")
    context = {
        **frame(request, client, at),
        "row": row,
        "title": schedules.title_of(row.packet, row.only),
        "words": schedules.words_of(row),
        "change": change,
        "end": end,
        "form": form,
        "hour": hour_words(client),
    }
    return render(request, "intake/schedule.html", context, status=400 if form.errors else 200)


@staff_page(Permission.DECIDE)
def measures_resume(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Go on though the client paused, with words: they see on their page that the check-ins go on."""
    at, client = timezone.now(), client_of(request, pk)
    form, row = ResumeForm(request.POST or None), pauses.running(client, at)
    if request.method == "POST" and form.is_valid():
        pauses.resume(by=reader(request), client=client, at=at, **form.cleaned_data)
        messages.success(request, gettext("The check-ins go on."))
        return redirect("chart", pk)
    if request.method != "POST":
        audit.seen(request, client, "schedules")
    context = {**frame(request, client, at), "form": form, "pause": pause_words(client, at), "row": row}
    return render(request, "intake/measures_resume.html", context, status=400 if form.errors else 200)


def hour_words(client: Client) -> str:
    """When a form reaches this client on its day."""
    practice = Practice.get()
    hour = clock(datetime.combine(date.min, time(pauses.hour_of(client, practice))))
    where = (client.zone or practice.zone).replace("_", " ")
    if client.send_hour is None:
        return gettext("It goes out at {hour}, {zone}. The client can choose another hour on their page.").format(
            hour=hour, zone=where
        )
    return gettext("It goes out at {hour}, {zone}, as the client chose.").format(hour=hour, zone=where)


def pause_words(client: Client, at: datetime) -> str:
    """Since when and until when the client holds the check-ins; "" when they do not."""
    row = pauses.running(client, at)
    if row is None:
        return ""
    names = {"since": full_day(row.at), "until": full_day(row.until) if row.until else ""}
    said = gettext("The client paused them on {since}, until {until}.") if row.until else ""
    said = said or gettext("The client stopped them on {since}, until they say so.")
    if row.checks_too:
        said += " " + gettext("The short check-ins, too.")
    return said.format(**names)
