"""The chart: who this is, what is open, and the panels of every package in the order that practice.urls gives."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast
from uuid import UUID

from django.db.models import Exists, OuterRef
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import resolve, reverse
from django.utils import timezone
from django.utils.translation import get_language_info, gettext, ngettext

from practice import audit
from practice.access import Permission
from practice.models import Alert, Client, EmergencyAccess, SafetyContact, SafetyPlan, Task, User
from practice.pages import client_of, staff_page
from practice.templatetags.ui import clock, full_day, moment

MAIN, SIDE = "main", "side"


@dataclass(frozen=True)
class Panel:
    """One part of the chart: a template, what it needs, and the column it stands in."""

    template: str
    context: Mapping[str, Any]
    column: str = MAIN


PanelOf = Callable[[HttpRequest, Client, datetime], Panel | None]


def reader(request: HttpRequest) -> User:
    """The member of staff behind a page with a staff door."""
    return cast(User, request.user)


@staff_page(Permission.READ_CHART)
def page(request: HttpRequest, pk: UUID, panels: Sequence[PanelOf]) -> HttpResponse:
    at = timezone.now()
    client = client_of(request, pk)
    audit.seen(request, client, "chart")
    shown = [panel for make in panels if (panel := make(request, client, at))]
    return render(
        request,
        "practice/chart.html",
        {
            **frame(request, client, at),
            "panels": [panel for panel in shown if panel.column == MAIN],
            "aside": [panel for panel in shown if panel.column == SIDE],
        },
    )


def frame(request: HttpRequest, client: Client, at: datetime) -> dict[str, Any]:
    """What stands above every page about one client: the bar of an open flag, and the storyboard."""
    flags, may = open_flags(client), allowed(reader(request), client)
    return {
        "client": client,
        "bar": bar(flags, reader(request), Permission.ACT_ON_ALERT in may),
        "story": story(client, flags, may, at),
        "emergency": emergency_words(reader(request), client, at),
    }


def emergency_words(user: User, client: Client, at: datetime) -> dict[str, Any] | None:
    """The bar of somebody who sees this client by emergency access alone: until when, and the way to end it."""
    if user.pk in (client.therapist_id, client.prescriber_id) or not user.may(Permission.BREAK_GLASS):
        return None
    access = EmergencyAccess.running(client, user, at)
    if access is None:
        return None
    n = access.minutes_left(at)
    left = ngettext("{n} minute left", "{n} minutes left", n).format(n=n)
    text = gettext("Emergency access until {time}, {left}. What you open is recorded, and reviewed by somebody else.")
    return {
        "text": text.format(time=clock(access.until), left=left),
        "end": reverse("break_glass_end", args=[access.pk]),
    }


def open_flags(client: Client) -> list[Alert]:
    """The open alerts of this client with their story, the most pressing first. Asks the database once per client."""
    if not hasattr(client, "flags_open"):
        found = list(client.alerts.filter(closed_at=None).with_story())  # type: ignore[attr-defined]
        client.flags_past = [flag for flag in found if flag.is_historical]  # type: ignore[attr-defined]
        client.flags_open = sorted(  # type: ignore[attr-defined]
            (flag for flag in found if flag.is_open),
            key=lambda a: (a.acknowledged_at is not None, Alert.RANK[a.severity], a.opened_at),
        )
    return client.flags_open  # type: ignore[attr-defined]


def past_flags(client: Client) -> list[Alert]:
    """Safety answers that came with the client's history from another system, the newest first."""
    open_flags(client)
    return client.flags_past  # type: ignore[attr-defined]


ASKED = (
    Permission.ACT_ON_ALERT,
    Permission.RAISE_FLAG,
    Permission.REVIEW_SUGGESTION,
    Permission.WRITE_NOTE,
    Permission.WRITE_SAFETY_PLAN,
    Permission.DECIDE,
    Permission.SEND_REFERRAL,
    Permission.TRACK_REFERRAL,
    Permission.PLAN_KAP,
    Permission.RUN_SESSION,
    Permission.CLEAR_DOSES,
    Permission.READ_CHART,
    Permission.MARK_READ,
    Permission.INVITE_CLIENT,
    Permission.EDIT_CLIENT,
    Permission.EXPORT_CLIENT,
    Permission.WRITE_MESSAGE,
)


def allowed(user: Any, client: Client) -> set[Permission]:
    """Which of the acts on a chart this person may do for this client. Asks the database once per client."""
    if not hasattr(client, "allowed_acts"):
        checks = _checks(user, ASKED)
        mine = Client.objects.visible_to(user).filter(pk=client.pk).annotate(**checks).values(*checks).first() or {}
        client.allowed_acts = {Permission[name] for name in checks if mine.get(name)}  # type: ignore[attr-defined]
    return client.allowed_acts  # type: ignore[attr-defined]


def _checks(user: Any, permissions: Iterable[Permission]) -> dict[str, Exists]:
    return {
        p.name: Exists(Client.objects.visible_to(user, p).filter(pk=OuterRef("pk"))) for p in permissions if user.may(p)
    }


def leading(user: Any, tasks: Iterable[Task]) -> set[UUID]:
    """The keys of those items whose own page this person may open; the others lead to the chart, which they read.

    Asks the database once, and only when there is an item whose page asks for more than the chart does.
    """
    needs = {task: resolve(task.action_url).func.door.permission for task in tasks}  # type: ignore[attr-defined]
    asked = {task: permission for task, permission in needs.items() if permission != Permission.READ_CHART}
    checks = _checks(user, set(asked.values()))
    clients = Client.objects.filter(pk__in={task.client_id for task in asked}) if checks else Client.objects.none()
    may = {row["pk"]: row for row in clients.annotate(**checks).values("pk", *checks)}
    return {
        task.pk
        for task, permission in needs.items()
        if task not in asked or may.get(task.client_id, {}).get(permission.name)
    }


def bar(flags: Sequence[Alert], user: Any, may_act: bool) -> dict[str, Any] | None:
    """The bar above everything: the most pressing open flag, what is known of it, and the next step as its button."""
    if not flags:
        return None
    flag = flags[0]
    here = reverse("alert", args=[flag.client_id, flag.pk])
    last = max(flag.contacts.all(), key=lambda c: c.recorded_at, default=None)
    words = gettext("Safety flag, {severity}, opened {when}.").format(
        severity=flag.get_severity_display().lower(), when=moment(flag.opened_at)
    )
    found: dict[str, Any] = {"url": here, "action": gettext("Open the flag")}
    if last is not None:
        said = {
            SafetyContact.Reached.YES: gettext("Contact made {time} by {who}."),
            SafetyContact.Reached.SOMEBODY: gettext("Spoke with someone close at {time}, by {who}."),
        }.get(SafetyContact.Reached(last.reached), gettext("Tried at {time} by {who}, not reached yet."))
        words += " " + said.format(time=clock(last.at), who=named(last.by, user))
        words += " " + gettext("Next check {when}.").format(when=moment(last.next_check_at))
    elif flag.acknowledged_at:
        words += " " + gettext("Picked up by {who} at {time}. No contact recorded yet.").format(
            who=named(flag.acknowledged_by, user), time=clock(flag.acknowledged_at)
        )
        if may_act:
            found = {"url": f"{here}#contact", "action": gettext("Record contact")}
    else:
        words += " " + gettext("Nobody has picked it up yet.")
        if may_act:
            found["acknowledge"] = reverse("alert_acknowledge", args=[flag.client_id, flag.pk])
    if len(flags) > 1:
        words += " " + ngettext("{n} more flag is open.", "{n} more flags are open.", len(flags) - 1).format(
            n=len(flags) - 1
        )
    return found | {"text": words}


def named(person: User | None, reader: Any) -> str:
    """A name inside a sentence: "you" for the reader."""
    if person is None:
        return gettext("nobody")
    return gettext("you") if person == reader else person.name


def story(client: Client, flags: Sequence[Alert], may: set[Permission], at: datetime) -> dict[str, Any]:
    age = client.age(timezone.localdate(at))
    meta = [
        client.pronouns,
        str(age) if age is not None else "",
        gettext("born {day}").format(day=full_day(client.born)) if client.born else "",
        client.code,
    ]
    chips = []
    if flags:
        chips.append({"tone": "safety", "icon": "octagon-alert", "text": gettext("Safety flag open")})
    if client.texts_stopped_at:
        chips.append({"tone": "refer", "icon": "message-circle", "text": gettext("No texts: STOP")})
    if client.status in Client.LEFT:
        chips.append({"tone": "", "icon": "log-out", "text": client.get_status_display()})
    facts = [
        {"label": gettext("Reach by"), "value": reach_words(client)},
        {"label": gettext("Trusted person"), "value": trusted_words(client)},
        {"label": gettext("Safety plan"), "url": reverse("safety_plan", args=[client.pk]), **plan_words(client, at)},
        {"label": gettext("Allergies"), "value": client.allergies or gettext("Not known")},
        {"label": gettext("Language"), "value": language_words(client)},
        {"label": gettext("Next session"), "value": moment(client.next_session_at) or gettext("None booked")},
    ]
    return {
        "name": client.name,
        "meta": " · ".join(part for part in meta if part),
        "chips": chips,
        "facts": facts,
        "actions": [
            {"label": label, "url": reverse(url, args=[client.pk]), "icon": icon, "key": key}
            for permission, label, url, icon, key in (
                (Permission.WRITE_NOTE, gettext("Add note"), "notes", "notebook-pen", "n"),
                (Permission.INVITE_CLIENT, gettext("Send a form"), "client_invite", "send", ""),
                (Permission.RAISE_FLAG, gettext("Raise a flag"), "flag_new", "flag", ""),
                (Permission.EDIT_CLIENT, gettext("Edit"), "client_edit", "pencil", ""),
            )
            if permission in may
        ],
    }


def plan_words(client: Client, at: datetime) -> dict[str, Any]:
    """The day of the safety plan, and whether a review of it is due."""
    plan = SafetyPlan.current(client)
    if plan is None or plan.finished_at is None:
        return {"value": gettext("None yet")}
    made = full_day(plan.finished_at)
    if plan.is_due(timezone.localdate(at)):
        return {"value": gettext("{day}, review due").format(day=made), "alert": True}
    return {"value": made}


def reach_words(client: Client) -> str:
    """How to reach the client safely, with the voicemail rule: "Text or call 555 0142, no voicemail"."""
    by_text, by_voice, by_mail = (client.may_reach_by(way) for way in ("sms", "voice", "email"))
    said = []
    if by_text and by_voice:
        said.append(gettext("Text or call {phone}").format(phone=client.phone))
    elif by_text or by_voice:
        said.append((gettext("Text {phone}") if by_text else gettext("Call {phone}")).format(phone=client.phone))
    if by_voice:
        may_leave = bool((client.reach or {}).get("voicemail"))
        said.append(gettext("voicemail is fine") if may_leave else gettext("no voicemail"))
    if by_mail:
        said.append(gettext("e-mail too") if said else gettext("E-mail {address}").format(address=client.email))
    if client.texts_stopped_at:  # since when stands in the log of messages
        said.append(gettext("no texts (they sent STOP)"))
    if client.mails_stopped_at:
        said.append(gettext("no reminders by e-mail (they unsubscribed)"))
    if note := (client.reach or {}).get("note"):
        said.append(str(note))
    return ", ".join(said) or gettext("No safe way known: ask at the next visit")


def trusted_words(client: Client) -> str:
    """The person the client trusts, their number, and when we may speak with them."""
    person = client.contact("support") or client.contact("emergency")
    if not person:
        return gettext("None named")
    rule = {
        "yes": "",
        "emergency": gettext("only in an emergency"),
        "no": gettext("do not speak about their care"),
    }.get(str(person.get("may_talk", "")), "")
    name = str(person.get("name", ""))
    if relation := person.get("relation"):
        name = f"{name} ({relation})"
    return ", ".join(part for part in (f"{name} {person.get('phone', '')}".strip(), rule) if part)


def language_words(client: Client) -> str:
    try:
        return str(get_language_info(client.language)["name_local"]).capitalize()
    except KeyError:
        return client.language
