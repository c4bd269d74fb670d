"""Check-ins on the client's own page: what comes and when, at which hour, and a pause in their own time."""

from datetime import datetime
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from intake import measures, pauses
from intake.doors import Link, called, home_page, see_other, show
from intake.forms import Words
from intake.home import Line
from intake.views.language import retelling
from practice import audit
from practice.actions import NotNow
from practice.forms import HouseForm
from practice.language import as_typed
from practice.models import Practice
from practice.templatetags.ui import full_day
from practice.views.settings import zones

FOREVER = "open"


def week_choices() -> list[tuple[str, str]]:
    weeks = [(str(n), ngettext("%(n)s week", "%(n)s weeks", n) % {"n": n}) for n in pauses.WEEKS]
    return [*weeks, (FOREVER, gettext("Until I start them again"))]


class PauseForm(HouseForm):
    weeks = forms.ChoiceField(
        label=_("For how long?"),
        choices=week_choices,
        widget=forms.RadioSelect,
        error_messages={"required": _("Choose for how long.")},
    )
    words = Words(label=_("Anything you want to say about it"), required=False)

    def __init__(self, *args: Any, is_watched: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if is_watched:
            self.fields["checks_too"] = forms.BooleanField(
                label=_("Pause the short check-ins, too"),
                help_text=_("Your therapist is told at once, and will get in touch with you."),
                required=False,
            )


class HourForm(HouseForm):
    hour = forms.TypedChoiceField(label=_("What time of day?"), coerce=int)
    zone = forms.ChoiceField(label=_("Time zone"), choices=zones)

    def __init__(self, *args: Any, practice: Practice, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["hour"].choices = [(hour, _hour(hour)) for hour in pauses.hours(practice)]  # type: ignore[attr-defined]


def _hour(hour: int) -> str:
    if hour == 0:
        return gettext("midnight")
    return f"{(hour - 1) % 12 + 1} {gettext('am') if hour < 12 else gettext('pm')}"


def line(link: Link, at: datetime) -> Line | None:
    """Stands there while something is planned or paused."""
    pause = pauses.running(link.client, at)
    upcoming = None if pause else measures.planned(link.client).first()
    if pause is None and upcoming is None:
        return None
    return Line(
        title=gettext("Check-ins"),
        text=_paused_words(pause) if pause else _next_words(upcoming),
        url=reverse("my_check_ins"),
        label=gettext("Start them again") if pause else gettext("Change or pause them"),
    )


def _paused_words(pause: Any) -> str:
    if pause.until:
        return gettext("Paused until %(day)s.") % {"day": full_day(pause.until)}
    return gettext("Stopped until you start them again.")


def _next_words(upcoming: Any) -> str:
    return gettext("A few questions now and then. The next come on %(day)s.") % {"day": full_day(upcoming.due_at)}


@home_page
@retelling
def my_check_ins(request: HttpRequest) -> HttpResponse:
    """Three forms of one page: pause, go on, and the hour."""
    link: Link = request.link  # type: ignore[attr-defined]
    at, client, practice = timezone.now(), link.client, link.practice
    act = request.POST.get("act", "") if request.method == "POST" else ""
    name = called(client, practice)
    is_watched = bool(pauses.watched(client))
    data = request.POST if request.POST.get("act") == "pause" else None
    pause = as_typed(request, PauseForm(data, is_watched=is_watched))
    now = {"hour": pauses.hour_of(client, practice), "zone": client.zone or practice.zone}
    hour = HourForm(request.POST if act == "hour" else None, practice=practice, initial=now)
    form: HouseForm = hour if act == "hour" else pause
    try:
        if act == "resume":
            pauses.resume(by=client, client=client, at=at)
            messages.success(request, gettext("They go on."))
            return see_other("my_check_ins")
        if act == "pause" and pause.is_valid():
            _pause(link, pause.cleaned_data, at)
            messages.success(request, gettext("Done. %(name)s sees it.") % {"name": name})
            return see_other("my_check_ins")
        if act == "hour" and hour.is_valid():
            pauses.choose_hour(client=client, at=at, **hour.cleaned_data)
            messages.success(request, gettext("Saved."))
            return see_other("my_check_ins")
    except NotNow as sentence:
        form.add_error(None, str(sentence))
    if request.method != "POST":
        audit.record("read.my_check_ins", by=client, client=client, at=at)
    running = pauses.running(client, at)
    upcoming = measures.planned(client).first()
    context = {
        "paused": _paused_words(running) if running else "",
        "upcoming": _next_words(upcoming) if upcoming else "",
        "is_watched": is_watched,
        "pause": pause,
        "hour": hour,
        "form": form,
        "name": name,
    }
    return show(request, "intake/my_measures.html", context, status=400 if form.errors else 200)


def _pause(link: Link, said: dict[str, Any], at: datetime) -> None:
    weeks = None if said["weeks"] == FOREVER else int(said["weeks"])
    checks_too = bool(said.get("checks_too"))
    pauses.pause(by=link.client, weeks=weeks, words=said["words"], checks_too=checks_too, at=at)
