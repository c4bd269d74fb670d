"""One plan: its sessions, what waits for whom, what is left of the clearance, and what was changed."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext, ngettext

from practice import audit
from practice.access import Permission
from practice.clinical.planning import Conflict
from practice.forms import HouseForm
from practice.kap import lists, words
from practice.kap.actions import boosters, clearance, weighing
from practice.kap.models import Plan, PlanChange, Route, Session
from practice.kap.views import absences, rescreening
from practice.kap.views.making import TITLES, other_zone
from practice.kap.views.plan_forms import LIFTED, AddForm, EndForm, MoveForm, OverrideForm, SkipForm
from practice.models import Client
from practice.pages import StaffRequest, record_of, staff_page
from practice.templatetags.ui import full_day, moment
from practice.views.chart import allowed, frame, named

P = Permission
State = Session.State
TONES = {State.WAITING: "refer", State.STARTED: "watch", State.DONE: "good", State.MISSED: "refer"}
ICONS = {State.WAITING: "clock", State.DONE: "circle-check", State.MISSED: "triangle-alert", State.SKIPPED: "ban"}
OPENED = (State.PLANNED, State.STARTED, State.DONE)  # sessions with a page of their own to go to


def plan_of(request: StaffRequest, pk: UUID) -> Plan:
    """A plan within what the door's permission allows this person."""
    found: Plan = record_of(request, Plan, pk)
    return found


@staff_page(P.SEE_PLANS)
def plan(request: StaffRequest, plan: UUID) -> HttpResponse:
    at, row = timezone.now(), plan_of(request, plan)
    audit.seen(request, row.client, "plan", row)
    with timezone.override(row.tz()):
        return page(request, row, at)


def page(request: StaffRequest, row: Plan, at: datetime, wrong: HouseForm | None = None) -> HttpResponse:
    user, client = request.user, row.client
    may = allowed(user, client)
    charted = P.READ_CHART in may
    zone = row.tz()
    sessions = list(row.sessions.select_related("therapist"))
    found = weighing.weigh(row, at)
    open_ = row.state == Plan.State.UNDER_WAY and client.status not in Client.LEFT
    plans_it = P.PLAN_KAP in may and open_
    waiting = [session for session in sessions if session.state == State.WAITING]
    context = {
        **(frame(request, client, at) if charted else {"client": client}),
        "frame": "practice/chart_frame.html" if charted else "base_staff.html",
        "charted": charted,
        "plan": row,
        "title": title(row),
        "n_of_m": n_of_m(row, sessions),
        "sessions": [session_row(each, found.conflicts, at, plans_it, P.RUN_SESSION in may) for each in sessions],
        "waits": [{"text": sentence} for sentence in words.grouped(found.conflicts)],
        "notes_missing": notes_words(len(lists.unnoted(sessions))),
        "can_book": plans_it and any(weighing.slot_of(each) not in found.waiting for each in waiting),
        "may_plan": plans_it,
        "facts": facts(row, charted, zone, at),
        "away": absences.ahead_words(client, row.therapist, at),
        "rescreen": rescreening.panel(row, at, may),
        "may_edit": P.EDIT_CLIENT in may,
        "before": row.follows,
        "after": list(row.followed_by.select_related("client")),
        "changes": [change_row(each, user, zone) for each in row.changes.select_related("by", "session")]
        if charted
        else [],
        "forms": _forms(request, row, found.conflicts, may if open_ else set(), wrong),
        "urls": {name: reverse(f"plan_{name}", args=[row.pk]) for name in ("move", "add", "skip", "end", "override")},
        "wrong": wrong,
        "other_zone": other_zone(zone),
    }
    return render(request, "kap/plan.html", context, status=400 if wrong else 200)


def title(row: Plan) -> str:
    return str(TITLES.get(row.template) or row.get_shape_display())


def n_of_m(row: Plan, sessions: Sequence[Session]) -> str:
    done = sum(each.kind == Session.Kind.DOSING and each.state == State.DONE for each in sessions)
    return ngettext("{done} of {n} dose done", "{done} of {n} doses done", row.planned).format(done=done, n=row.planned)


def notes_words(n: int) -> str:
    if not n:
        return ""
    return ngettext(
        "{n} session note is missing before the prescriber's follow-up.",
        "{n} session notes are missing before the prescriber's follow-up.",
        n,
    ).format(n=n)


def session_row(
    row: Session, conflicts: Sequence[Conflict], at: datetime, may_plan: bool, may_run: bool
) -> dict[str, Any]:
    is_ahead = row.state in Session.AHEAD
    is_past = is_ahead and row.starts_at <= at
    slot = weighing.slot_of(row)
    mine = [conflict for conflict in conflicts if conflict.slot == slot] if is_ahead else []
    return {
        "session": row,
        "url": reverse("session", args=[row.plan_id, row.pk]) if may_run and row.state in OPENED else "",
        "when": moment(row.starts_at),
        "where": ", ".join(str(part) for part in (row.room, row.therapist) if part),
        "chip": {"tone": TONES.get(State(row.state), ""), "icon": ICONS.get(State(row.state), "calendar")},
        "state": gettext("Not recorded yet") if is_past and row.state == State.PLANNED else row.get_state_display(),
        "waits": [words.alone(each) for each in mine],
        "may_change": may_plan and is_ahead and row.signed_at is None,
        "is_past": is_past,
    }


def facts(row: Plan, charted: bool, zone: ZoneInfo, at: datetime) -> list[dict[str, Any]]:
    today = at.astimezone(zone).date()
    rows: list[dict[str, Any]] = [
        {"label": gettext("How it stands"), "value": row.get_state_display()},
        {"label": gettext("Therapist"), "value": row.therapist or gettext("Nobody named")},
        {"label": gettext("Room"), "value": row.room or gettext("None named")},
    ]
    if row.due_on:
        rows.append({"label": gettext("Booster due"), "value": full_day(row.due_on)})
    if coming := boosters.coming(row, today):
        rows.append({"label": gettext("Its window"), "value": window_words(coming.window)})
    if charted:
        left = clearance.ledger(row.client, today)
        rows.append({"label": gettext("Doses cleared and left"), "value": left_words(left), "alert": not left.left})
    if row.ended_at:
        rows.append({"label": gettext("Ended"), "value": f"{full_day(row.ended_at)}, {row.ended_by}"})
    return rows


def window_words(window: Sequence[Any]) -> str:
    return gettext("{first} to {last}").format(first=full_day(window[0]), last=full_day(window[1]))


def left_words(found: clearance.Ledger) -> str:
    """What the prescriber's clearances still allow: "4 of 6 left until Jun 1, 2027"."""
    if not found.lines:
        return gettext("None cleared")
    if not found.good:
        return gettext("None left")
    doses = sum(line.clearance.doses for line in found.good)
    until = max(line.clearance.until for line in found.good)
    return gettext("{left} of {doses} left until {day}").format(left=found.left, doses=doses, day=full_day(until))


def most_words(found: clearance.Ledger) -> str:
    """Up to which dose, and by which route, as the prescriber wrote it."""
    rows = [line.clearance for line in found.good]
    return "; ".join(
        gettext("At most {mg} mg, {route}").format(
            mg=f"{row.most_mg.normalize():f}", route=str(Route(row.route).label).lower()
        )
        for row in rows
    )


def change_row(change: PlanChange, user: Any, zone: ZoneInfo) -> dict[str, Any]:
    return {
        "what": change.get_what_display(),
        "session": str(change.session) if change.session else "",
        "detail": _detail(change, zone),
        "when": moment(change.at),
        "who": named(change.by, user) if change.by else outside_words(change),
        "words": change.words,
    }


def outside_words(change: PlanChange) -> str:
    """A prescriber without an account, as they signed."""
    after = change.after or {}
    return gettext("{name}, licence {licence}, by a link").format(
        name=after.get("name", ""), licence=after.get("licence", "")
    )


def _detail(change: PlanChange, zone: ZoneInfo) -> str:
    before, after = change.before or {}, change.after or {}
    if "booked" in after:
        return ngettext("{n} session booked", "{n} sessions booked", after["booked"]).format(n=after["booked"])
    if "codes" in after:
        return ", ".join(str(LIFTED[code]) for code in after["codes"] if code in LIFTED)
    if "doses" in after:
        return ngettext("{n} dose", "{n} doses", after["doses"]).format(n=after["doses"])
    new, old = (_moment(facts.get("starts_at"), zone) for facts in (after, before))
    return gettext("from {old} to {new}").format(old=old, new=new) if old and new else new


def _moment(text: Any, zone: ZoneInfo) -> str:
    when = parse_datetime(text) if isinstance(text, str) else None
    return moment(when.astimezone(zone)) if when else ""


def _forms(
    request: StaffRequest, row: Plan, conflicts: Sequence[Conflict], may: set[Permission], wrong: HouseForm | None
) -> dict[str, HouseForm]:
    """The forms that this person may use now; the one that came back wrong as it was typed."""
    made: dict[str, HouseForm] = {}
    if P.PLAN_KAP in may:
        chosen = _chosen(request, row)
        first = {"session": chosen.pk, "starts_at": timezone.localtime(chosen.starts_at)} if chosen else {}
        missed = "yes" if chosen and chosen.starts_at <= timezone.now() else None
        made = {
            "move": MoveForm(plan=row, initial=first),
            "skip": SkipForm(plan=row, initial=first | {"missed": missed}),
            "add": AddForm(plan=row),
            "end": EndForm(plan=row),
        }
    codes = liftable(conflicts)
    if P.CLEAR_DOSES in may and codes:
        made["override"] = OverrideForm(plan=row, codes=codes)
    return {name: wrong if type(wrong) is type(form) and wrong else form for name, form in made.items()}


def _chosen(request: StaffRequest, row: Plan) -> Session | None:
    """The session whose "Move" was pressed."""
    try:
        wanted = UUID(request.GET.get("session", ""))
    except ValueError:
        return None
    return row.sessions.filter(state__in=Session.AHEAD, pk=wanted).first()


def liftable(conflicts: Sequence[Conflict]) -> list[str]:
    return list(dict.fromkeys(each.code for each in conflicts if each.cleared_by == "override"))
