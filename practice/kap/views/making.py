"""Making a plan from a template: choose, see it as a calendar with what stands against it, make it."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime, time, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django import forms
from django.contrib import messages
from django.db import transaction
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.formats import get_format
from django.utils.functional import Promise
from django.utils.http import urlencode
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from practice import audit
from practice.access import Permission, Role
from practice.actions import NotNow
from practice.clinical import kap, planning
from practice.clinical.planning import Conflict, PlanTemplate, Slot
from practice.forms import HouseForm, text
from practice.kap import words
from practice.kap.actions import plans, weighing
from practice.kap.models import Plan, Session
from practice.models import Client, Practice, User
from practice.pages import client_of, staff_page
from practice.templatetags.ui import clock, day
from practice.views.chart import frame, reader

TITLES: dict[str, str | Promise] = {
    "weekly": _("Weekly series"),
    "intensive-one": _("Weekend with one dose"),
    "intensive-three": _("Three days, two doses"),
    "intensive-weekend": _("Weekend, two days in a row"),
    "booster": _("Booster, six months after the last dose"),
}
AHEAD_DAYS = 7  # the first dose that the page proposes: time for the preparation before it
FURTHEST = timedelta(days=730)
TEN = time(10)


class OneOf(forms.ModelChoiceField):
    """One row of a list; what is no row at all is answered like a row of another list."""

    def to_python(self, value: Any) -> Any:
        try:
            return super().to_python(value)
        except forms.ValidationError:
            raise forms.ValidationError(self.error_messages["invalid_choice"], code="invalid_choice") from None


class PlanForm(HouseForm):
    template = forms.ChoiceField(label=_("Template"), choices=list(TITLES.items()))
    first = forms.DateField(
        label=_("First dose on"),
        widget=forms.DateInput({"type": "date"}, format="%Y-%m-%d"),
        error_messages={
            "required": _("Choose the day of the first dose."),
            "invalid": _("Give a day, such as 2026-12-02."),
        },
    )
    clock = forms.TimeField(
        label=_("At"),
        widget=forms.TimeInput({"type": "time"}, format="%H:%M"),
        error_messages={"required": _("Choose the time."), "invalid": _("Give a time, such as 10:00.")},
    )
    count = forms.IntegerField(
        label=_("Doses of the series"),
        required=False,
        error_messages={"invalid": _("Write the number of doses in digits.")},
    )
    therapist = OneOf(
        label=_("Therapist"),
        queryset=User.objects.none(),
        empty_label=_("Choose a therapist"),
        error_messages={
            "required": _("Choose the therapist."),
            "invalid_choice": _("Choose one of the therapists."),
        },
    )
    room = text(_("Room"), 40)

    def __init__(self, *args: Any, client: Client, today: date, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.today = today
        self.fields["therapist"].queryset = able(client)  # type: ignore[attr-defined]
        chosen = planning.templates().get(self.data.get("template", ""))
        if chosen is not None and not chosen.every_days:
            self.fields["count"].widget = forms.HiddenInput()

    def clean_first(self) -> date:
        first: date = self.cleaned_data["first"]
        if not self.today <= first <= self.today + FURTHEST:
            raise forms.ValidationError(gettext("Choose a day from today on, within two years."))
        return first

    def clean(self) -> dict[str, Any]:
        said: dict[str, Any] = super().clean() or {}
        template = planning.templates().get(said.get("template", ""))
        if template is None or not template.every_days:
            said["count"] = None
        elif "count" in said:
            count = said["count"] = said["count"] or template.count
            if not 1 <= count <= template.count_to:
                wrong = gettext("A series has 1 to {n} doses.").format(n=template.count_to)
                self.add_error("count", wrong)
        return said


def able(client: Client) -> QuerySet[User]:
    """The therapists who may lead the sessions: those of the client's site, and their own."""
    found = User.objects.with_role(Role.THERAPIST)
    return found.filter(Q(sites=client.site_id) | Q(pk=client.therapist_id)).distinct()


def begins(client: Client, template: PlanTemplate, today: date) -> date:
    """The first dose that the page proposes: the booster's due day, or a day of next week that fits the template."""
    if template.shape == Plan.Shape.BOOSTER:
        last = weighing.last_dose_on(client)
        due = kap.booster(last, max(today, last)).due_on if last else today
        if due > today + timedelta(days=2):
            return due
    soon = today + timedelta(days=AHEAD_DAYS)
    if template.first_weekday is None:
        return soon
    return soon + timedelta(days=(template.first_weekday - soon.weekday()) % 7)


def proposed(client: Client, asked: Any, today: date) -> dict[str, Any]:
    """What the form holds: what was asked, and for the rest what fits."""
    templates = planning.templates()
    key = asked.get("template", "")
    if key not in templates:
        key = "booster" if client.tasks.filter(kind="booster", done_at=None).exists() else "weekly"
    template = templates[key]
    found = {
        "template": key,
        "first": begins(client, template, today).isoformat(),
        "clock": TEN.isoformat("minutes"),
        "count": template.count if template.every_days else "",
        "therapist": client.therapist_id or "",
        "room": "",
    }
    return found | {name: asked[name] for name in found if asked.get(name, "") != "" and name != "template"}


@staff_page(Permission.PLAN_KAP)
def plan_new(request: HttpRequest, pk: UUID) -> HttpResponse:
    """The form, the calendar that it gives, and what stands against it; a POST makes the plan."""
    at = timezone.now()
    client = client_of(request, pk)
    zone = weighing.zone_of(client)
    today = at.astimezone(zone).date()
    with timezone.override(zone):
        if request.method == "POST":
            form = PlanForm(request.POST, client=client, today=today)
            if form.is_valid() and (made := _make(request, client, form, at)):
                waits = made.sessions.filter(state=Session.State.WAITING).exists()
                said = gettext("Plan made. Part of it waits for the prescriber.") if waits else gettext("Plan made.")
                messages.success(request, said)
                return redirect(made)
        else:
            audit.seen(request, client, "plan_form")
            form = PlanForm(proposed(client, request.GET, today), client=client, today=today)
            form.is_valid()
        return _page(request, client, form, at, zone)


def _make(request: HttpRequest, client: Client, form: PlanForm, at: datetime) -> Plan | None:
    said = form.cleaned_data
    try:
        with transaction.atomic():
            return plans.make(
                by=reader(request),
                client=client,
                template=planning.templates()[said["template"]],
                first=said["first"],
                clock=said["clock"],
                therapist=said["therapist"],
                room=said["room"].strip(),
                count=said["count"],
                follows=_before(client),
                at=at,
            )
    except NotNow as sentence:
        form.add_error(None, str(sentence))
        return None


def _before(client: Client) -> Plan | None:
    """The plan that a new one goes on from: the newest that nothing follows yet."""
    return client.plans.filter(followed_by=None).order_by("-started_on", "-created_at").first()


def _page(request: HttpRequest, client: Client, form: PlanForm, at: datetime, zone: ZoneInfo) -> HttpResponse:
    known = form.data.get("template", "")
    found = None
    if not form.errors or form.non_field_errors():
        said = form.cleaned_data
        found = weighing.preview(
            client=client,
            template=planning.templates()[said["template"]],
            first=said["first"],
            clock=said["clock"],
            therapist=said["therapist"],
            room=said["room"].strip(),
            count=said["count"],
            today=at.astimezone(zone).date(),
        )
        if any(slot.starts < at for slot in found.slots) and not form.non_field_errors():
            form.add_error(None, gettext("The plan would begin in the past. Choose a later day."))
    kept = {name: value for name, value in form.data.items() if name in ("first", "clock", "therapist", "room")}
    if request.method != "POST" and not request.GET.get("first"):
        kept.pop("first", None)
    context = {
        **frame(request, client, at),
        "form": form,
        "templates": [
            {"label": title, "url": "?" + urlencode({"template": key, **kept}), "current": key == known}
            for key, title in TITLES.items()
        ],
        "found": found,
        "can_make": found is not None and not found.stopping and not form.errors and client.status not in Client.LEFT,
        "weeks": calendar(found.slots, found.conflicts, found.waiting) if found else [],
        "weekdays": weekdays(),
        "stopping": _lines(found.stopping) if found else [],
        "waits": _lines(c for c in found.conflicts if c.cleared_by in weighing.WAITS_FOR) if found else [],
        "needs_override": any(c.cleared_by == "override" for c in found.conflicts) if found else False,
        "kept": [field for field in form if field.name != "template"],
        "other_zone": other_zone(zone),
    }
    return render(request, "kap/plan_new.html", context, status=400 if form.errors else 200)


def _lines(conflicts: Iterable[Conflict]) -> list[dict[str, str]]:
    return [{"text": sentence} for sentence in words.grouped(conflicts)]


def other_zone(zone: ZoneInfo) -> str:
    """The client's zone in words when it is not the practice's."""
    return "" if str(zone) == Practice.get().zone else str(zone).rpartition("/")[2].replace("_", " ")


def weekdays() -> list[str]:
    monday = date(2024, 1, 1)
    shift = _first_weekday()
    return [str(day(monday + timedelta(days=shift + n))).split(" ")[0].rstrip(",") for n in range(7)]


def _first_weekday() -> int:
    """0 is Monday."""
    return (int(get_format("FIRST_DAY_OF_WEEK")) - 1) % 7


def calendar(
    slots: Sequence[Slot], conflicts: Iterable[Conflict], waiting: frozenset[Slot]
) -> list[list[dict[str, Any]]]:
    """The weeks that have a session, each of seven days, in the zone of the page."""
    against = {conflict.slot for conflict in conflicts if conflict.cleared_by not in weighing.WAITS_FOR}
    by_day: dict[date, list[dict[str, Any]]] = {}
    for slot in sorted(slots):
        by_day.setdefault(timezone.localdate(slot.starts), []).append(
            {
                "kind": slot.kind,
                "label": f"{Session.Kind(slot.kind).label} {slot.number}",
                "clock": clock(slot.starts),
                "waits": slot in waiting,
                "against": slot in against,
            }
        )
    starts = sorted({on - timedelta(days=(on.weekday() - _first_weekday()) % 7) for on in by_day})
    weeks = [[start + timedelta(days=n) for n in range(7)] for start in starts]
    return [[{"on": on, "day": day(on), "sessions": by_day.get(on, [])} for on in week] for week in weeks]
