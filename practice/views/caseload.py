"""The therapist's home: one list, what needs a person first, each row with its reason and its next step."""

from collections.abc import Iterator
from datetime import date, datetime
from itertools import groupby
from typing import Any
from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.dateformat import format as format_date
from django.utils.translation import gettext, ngettext, pgettext
from django.utils.translation import gettext_lazy as _

from practice import caseload as lists
from practice import charts, places, words
from practice.access import Permission
from practice.clinical.instrument import load
from practice.models import Client, Task, User
from practice.pages import StaffRequest, staff_page
from practice.templatetags.ui import clock, day
from practice.views import choosing
from practice.views.chart import leading
from practice.views.opening import setting_up

GROUPS = {
    Client.Rank.NOW: ("octagon-alert", "now", _("safety first, then oldest")),
    Client.Rank.WEEK: ("calendar", "week", ""),
    Client.Rank.STEADY: ("circle-check", "steady", ""),
}
HELLO = ((12, _("Good morning, {name}")), (17, _("Good afternoon, {name}")), (24, _("Good evening, {name}")))


@staff_page(Permission.SEE_CASELOAD)
def caseload(request: StaffRequest) -> HttpResponse:
    at, user = timezone.now(), request.user
    mine = lists.widths(user)
    who = choosing.asked(request, "who", mine, mine[0])
    charted = who != "all"
    shows = [name for name, kind in lists.SHOW.items() if charted or not kind.clinical]
    show = choosing.asked(request, "show", shows, "")
    sort = choosing.asked(request, "sort", list(lists.SORT), "")
    clients = lists.scope(user, who)
    counted = lists.counts(clients, shows, at)
    page = lists.page(
        clients.filter(lists.matching(show, at)),
        who,
        sort,
        request.GET.get("after", ""),
        None if charted else lists.STATES,
    )
    chosen = {"who": who if who != mine[0] else "", "show": show, "sort": sort}
    context = {
        "charted": charted,
        "hello": _hello(user.first_name, at),
        "lead": _lead(counted, at, charted),
        "now": counted["now"] if charted else 0,
        "counted": counted,
        "page": page,
        "groups": list(_groups(page, user, counted, at, show, sort, who)),
        "people": [choosing.link(chosen, "who", w, lists.WHO[w], w == who) for w in mine] if len(mine) > 1 else [],
        "tabs": [
            choosing.link(
                chosen,
                "show",
                s,
                lists.SHOW[s].label,
                s == show,
                choosing.shown(counted["all" if not s else f"in_{s}"]),
            )
            for s in shows
        ],
        "orders": [choosing.link(chosen, "sort", s, label, s == sort) for s, label in lists.orders(who).items()],
        "more": choosing.url(chosen | {"after": page.next}) if page.next else "",
        "top": choosing.url(chosen),
        "everyone": choosing.url(chosen | {"show": ""}),
        "filtered": bool(show),
        "may_sign": user.may(Permission.SIGN_CLINICAL),
        "setting_up": None if page.rows or show else setting_up(request),
        "may_invite": user.may(Permission.INVITE_CLIENT),
        "chart_words": _chart_words() if charted else "",
    }
    return render(request, "practice/caseload.html", context)


def _hello(name: str, at: datetime) -> str:
    hour = timezone.localtime(at).hour
    return str(next(words_ for until, words_ in HELLO if hour < until)).format(name=name)


def _lead(counted: dict[str, int], at: datetime, charted: bool) -> str:
    # Translators: the day on top of the list. l is the weekday, F the month, j the day.
    today = format_date(timezone.localtime(at), pgettext("day in full", "l, F j"))
    total = counted["all"]
    said = [f"{today}.", ngettext("{n} client,", "{n} clients,", total).format(n=choosing.shown(total))]
    said.append(ngettext("{n} session today.", "{n} sessions today.", counted["today"]).format(n=counted["today"]))
    return " ".join(said)


# --- Rows ------------------------------------------------------------------------------------------------------------


def _groups(
    page: places.Stretch, user: User, counted: dict[str, int], at: datetime, show: str, sort: str, who: str
) -> Iterator[dict[str, Any]]:
    """The rows of this page under their heads. Only the list by need has groups."""
    today = timezone.localdate(at)
    if who == "all":
        yield {"rows": [_state_row(client, today) for client in page.rows]}
        return
    team = who == "team"
    led = leading(user, [client.open_tasks[0] for client in page.rows if client.open_tasks])
    if sort:
        yield {"rows": [_row(client, at, today, team, led) for client in page.rows]}
        return
    for rank, clients in groupby(page.rows, key=lambda client: client.rank):
        icon, key, note = GROUPS[Client.Rank(rank)]
        rows = [_row(client, at, today, team, led) for client in clients]
        count = len(rows) if show else counted[key]
        notes = [str(note)] if note else []
        if not show and len(rows) < count:
            notes.append(gettext("showing {n}").format(n=len(rows)))
        name = Client.Rank(rank).label
        yield {"icon": icon, "name": name, "count": choosing.shown(count), "note": " · ".join(notes), "rows": rows}


def meta(client: Client, today: date) -> str:
    """Return "she/her, 34": pronouns, age, and "invited" until the first form comes back."""
    age = client.age(today)
    invited = gettext("invited") if client.status == Client.Status.INVITED else ""
    return ", ".join(str(part) for part in (client.pronouns, age, invited) if part)


def _row(client: Client, at: datetime, today: date, team: bool, led: set[UUID]) -> dict[str, Any]:
    tasks: list[Task] = client.open_tasks  # type: ignore[attr-defined]
    first = tasks[0] if tasks else None
    row = {
        "id": client.code,
        "url": client.get_absolute_url(),
        "name": client.name,
        "meta": f"{meta(client, today)} · {client.therapist}" if team else meta(client, today),
        "steady": first is None,
        "why": words.reasons(tasks) if tasks else gettext("No open flags"),
        "plan": client.plan_name or gettext("None yet"),
        "plan_more": client.plan_note,
        "next": day(client.next_session_at) or (gettext("Not yet") if client.status == Client.Status.INVITED else ""),
        "next_more": clock(client.next_session_at),
        "action": {"url": client.get_absolute_url(), "label": gettext("Open")},
    }
    if first:
        look = first.look
        row |= {
            "due": next((line for line in (words.due(task, at) for task in tasks) if line), ""),
            "safety": look.tone == "safety",
            "chip": {
                "tone": "" if look.tone == "quiet" else look.tone,
                "icon": look.icon,
                "text": words.chip_text(first),
            },
        }
        if first.pk in led:
            row["action"] = {"url": first.action_url, "label": look.action}
    return row | _score(client)


def _score(client: Client) -> dict[str, Any]:
    """The last total, its band, its change since the one before, and the small chart."""
    instrument = load("phq-9")
    bands = instrument.ranges
    totals = [total for _on, total, _safety in client.phq9]
    known = [(on, total) for on, total, _safety in client.phq9 if total is not None]
    if not known:
        return {"score": None}
    (_day, last), level = known[-1], charts.band_of(known[-1][1], bands)
    return {
        "score": last,
        "level": charts.band_tone(level, len(bands)),
        "band": bands[level][2],
        "delta": _delta(known, instrument.change["meaningful_change"]) if len(known) > 1 else None,
        "spark": charts.sparkline(
            totals,
            name=instrument.short_name,
            maximum=instrument.scoring["maximum"],
            cut=instrument.cutpoints["positive_screen"],
            safety=[i for i, (_on, _total, safety) in enumerate(client.phq9) if safety],
        ),
    }


def _chart_words() -> str:
    cut = load("phq-9").cutpoints["positive_screen"]
    return gettext(
        "Dotted line in the small charts: {cut}, the usual cut for moderate. "
        "A diamond means the safety question was positive."
    ).format(cut=cut)


def _delta(known: list[tuple[str, int]], matters: int) -> dict[str, str]:
    (on, before), (_on, last) = known[-2:]
    change = last - before
    # Translators: a day inside "up 5 since Sep 12". M is the short month, j the day.
    since = format_date(date.fromisoformat(on), pgettext("short day", "M j"))
    if not change:
        return {"direction": "same", "text": gettext("no change")}
    up = change > 0
    text = gettext("up {n} since {day}") if up else gettext("down {n} since {day}")
    tone = ("worse" if up else "better") if abs(change) >= matters else ""
    return {"direction": "up" if up else "down", "tone": tone, "text": text.format(n=abs(change), day=since)}


def _state_row(client: Client, today: date) -> dict[str, Any]:
    """What somebody may know who may not read charts: who, whose, whether a form is out, and the next session."""
    tasks: list[Task] = client.open_tasks  # type: ignore[attr-defined]
    state = str(tasks[0].look.label) if tasks else str(Client.Status(client.status).label)
    return {
        "id": client.code,
        "url": reverse("client_edit", args=[client.pk]),
        "name": client.name,
        "meta": meta(client, today),
        "state": state,
        "therapist": client.therapist.name if client.therapist else gettext("Nobody yet"),
        "next": day(client.next_session_at),
        "next_more": clock(client.next_session_at),
    }
