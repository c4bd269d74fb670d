"""The list a person works from: whose clients, which of them, in what order, one page at a time.

Each page is three queries whatever the size: counts, rows, their open items. A place in the list is a key, not a
number, so that page two is as quick as page one and a client who moves is not skipped.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db.models import (
    Count,
    DateTimeField,
    Exists,
    F,
    OuterRef,
    Prefetch,
    Q,
    QuerySet,
    Value,
)
from django.db.models.functions import Coalesce
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from practice import places
from practice.access import REACH, Permission, Reach
from practice.models import Client, Task, User

PAGE = 50
COUNTED = 2000  # counts stop here: a bigger number helps nobody and would read every row
FLAGS = ("safety", "call_me", "next_check", "suggestion")
STATES = ("new_intake", "unfinished", "assign")  # what may be said to somebody who may not read charts


@dataclass(frozen=True)
class Filter:
    label: str | Promise
    clinical: bool = True


WHO: dict[str, str | Promise] = {"me": _("My clients"), "team": _("My team"), "all": _("All clients")}
SHOW: dict[str, Filter] = {
    "": Filter(_("All"), clinical=False),
    "flags": Filter(_("Open flags")),
    "infusions": Filter(_("Infusions")),
    "plans": Filter(_("KAP plans")),
    "overdue": Filter(_("Overdue")),
    "intakes": Filter(_("New intakes"), clinical=False),
    "waiting": Filter(_("Forms not back"), clinical=False),
}
SORT: dict[str, str | Promise] = {"": _("Most pressing"), "session": _("Next session"), "quiet": _("Longest quiet")}


def orders(who: str) -> dict[str, str | Promise]:
    return SORT | {"": _("Newest first")} if who == "all" else SORT


def widths(user: User) -> list[str]:
    """Return which of WHO this person may ask for; the first is what they see unasked."""
    reach = {REACH[role] for role in user.roles}
    found = []
    if reach & {Reach.OWN, Reach.PRESCRIBED}:
        found.append("me")
    if Reach.TEAM in reach:
        found.append("team")
    if reach & {Reach.SITE, Reach.PRACTICE}:
        found.append("all")
    return found


def scope(user: User, who: str) -> QuerySet[Client]:
    """Return the clients in care that `who` means for this person: with their charts, but for "all"."""
    if who == "all":
        found = Client.objects.visible_to(user, Permission.SEE_CASELOAD)
    else:
        found = Client.objects.visible_to(user, Permission.READ_CHART)
        if who == "me":
            found = found.looked_after_by(user)
    return found.exclude(status__in=Client.LEFT)


def _open(*kinds: str, **more: Any) -> Exists:
    tasks = Task.objects.filter(client=OuterRef("pk"), done_at=None, **more)
    return Exists(tasks.filter(kind__in=kinds) if kinds else tasks)


def matching(show: str, at: datetime) -> Q | Exists:
    found: dict[str, Q | Exists] = {
        "": Q(),
        "flags": _open(*FLAGS),
        "intakes": _open("new_intake"),
        "waiting": _open("unfinished") | Q(status=Client.Status.INVITED),
        "overdue": _open(due_at__lte=at),
        "plans": Q(plan_name__startswith="KAP"),
        "infusions": Q(plan_name__startswith="Infusion"),
    }
    return found[show]


def counts(clients: QuerySet[Client], shows: list[str], at: datetime) -> dict[str, int]:
    """Return how many clients there are, by group, by filter, and with a session today. One query."""
    today = timezone.localtime(at).replace(hour=0, minute=0, second=0, microsecond=0)
    few = Client.objects.filter(pk__in=clients.order_by().values("pk")[:COUNTED])
    return few.aggregate(
        all=Count("pk"),
        now=Count("pk", filter=Q(rank=Client.Rank.NOW)),
        week=Count("pk", filter=Q(rank=Client.Rank.WEEK)),
        steady=Count("pk", filter=Q(rank=Client.Rank.STEADY)),
        today=Count("pk", filter=Q(next_session_at__gte=today, next_session_at__lt=today + timedelta(days=1))),
        **{f"in_{show}": Count("pk", filter=matching(show, at)) for show in shows if show},
    )


# --- Order and pages -------------------------------------------------------------------------------------------------

_FIRST, _NEVER = datetime(1970, 1, 1, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC)


def _or(field: str, otherwise: Any) -> Coalesce:
    return Coalesce(field, otherwise, output_field=DateTimeField())


def _keys(who: str, sort: str) -> dict[str, Any]:
    """The columns of the order, first to last. People who may not read charts get an order that tells nothing."""
    if sort == "session":
        return {"k1": _or("next_session_at", Value(_NEVER))}
    if sort == "quiet":
        return {"k1": _or("last_heard_at", F("created_at"))}
    if who == "all":
        return {"k1": F("number") * -1}  # newest first
    return {"k1": F("turn"), "k2": _or("rank_since", Value(_FIRST))}


def page(clients: QuerySet[Client], who: str, sort: str, after: str, tasks: tuple[str, ...] | None) -> places.Stretch:
    """Return the next clients after this place, each with its open items in `open_tasks` (two queries).

    `tasks` limits the kinds of open items that are fetched; None means every kind. A place that was changed by hand,
    or that belongs to another order, is the beginning.
    """
    keys = _keys(who, sort)
    wanted = Task.objects.filter(done_at=None)
    if tasks is not None:
        wanted = wanted.filter(kind__in=tasks)
    rows = clients.annotate(**keys).select_related("therapist")
    rows = rows.prefetch_related(Prefetch("tasks", queryset=wanted, to_attr="open_tasks"))
    found = places.stretch(rows, [*keys, "pk"], f"{who}|{sort}", after, PAGE)
    for client in found.rows:
        client.open_tasks.sort(key=lambda task: (task.turn, task.opened_at))
    return found
