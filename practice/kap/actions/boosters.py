"""The six-month booster: when it is due after a last dose, what speaks for an earlier one, and telling of both."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet

from intake.models import Assessment
from practice import audit
from practice.clinical import kap, planning
from practice.kap.models import Plan, Session
from practice.models import Client, Practice, Task

PHQ9, PCL5 = "phq-9", "pcl-5"
NOON = time(12)
AT_ONCE = 200  # clients whose scores are read together
State, Kind = Session.State, Session.Kind


@dataclass(frozen=True)
class Outlook:
    """Where a client stands between a last dose and the booster."""

    anchor: Plan  # whose dose was the last
    last_on: date
    booster: kap.Booster
    is_booked: bool


def last_doses() -> QuerySet[Session]:
    """The last dose of each client, where no series and no intensive goes on."""
    doses = Session.objects.filter(plan__client=OuterRef("plan__client"), kind=Kind.DOSING)
    later = doses.filter(state__in=[State.DONE, State.STARTED], starts_at__gt=OuterRef("starts_at"))
    ahead = doses.filter(state__in=[*Session.AHEAD, State.STARTED], plan__state=Plan.State.UNDER_WAY)
    going_on = ahead.exclude(plan__shape=Plan.Shape.BOOSTER)
    booked = ahead.filter(plan__shape=Plan.Shape.BOOSTER, state__in=[State.PLANNED, State.STARTED])
    given = Session.objects.filter(kind=Kind.DOSING, state=State.DONE).exclude(plan__client__status__in=Client.LEFT)
    return (
        given.filter(~Exists(later), ~Exists(going_on))
        .annotate(is_booked=Exists(booked))
        .select_related("plan__client")
    )


def outlook(plans: Sequence[Plan], scores: Sequence[Assessment], zone: ZoneInfo, today: date) -> Outlook | None:
    """The same for one client, from the plans with their sessions and the scores that the chart has read anyway."""
    doses = [(row, plan) for plan in plans for row in plan.sessions.all() if row.kind == Kind.DOSING]
    given = [(row, plan) for row, plan in doses if row.state == State.DONE]
    ahead = [
        (row, plan)
        for row, plan in doses
        if row.state in (*Session.AHEAD, State.STARTED) and plan.state == Plan.State.UNDER_WAY
    ]
    if not given or any(plan.shape != Plan.Shape.BOOSTER for _row, plan in ahead):
        return None
    last, anchor = max(given, key=lambda pair: pair[0].starts_at)
    last_on = last.starts_at.astimezone(zone).date()
    found = booster(last_on, max(today, last_on), scores)
    return Outlook(anchor, last_on, found, any(row.state != State.WAITING for row, _plan in ahead))


def booster(last_on: date, today: date, scores: Iterable[Assessment]) -> kap.Booster:
    """Where the booster stands, read against the scores of this client."""
    by_day = sorted((row for row in scores if row.total is not None), key=lambda row: row.taken_at)
    phq9 = [row for row in by_day if row.instrument == PHQ9]
    since = [row for row in phq9 if row.taken_on > last_on]
    pcl5 = [_total(row) for row in by_day if row.instrument == PCL5 and row.taken_on > last_on]
    totals = [_total(row) for row in since]
    return kap.booster(
        last_on,
        today,
        end_phq9=_end_of_course(phq9, last_on),
        best_phq9=min(totals, default=None),
        now_phq9=totals[-1] if totals else None,
        item9=int(since[-1].safety) if since else None,
        best_pcl5=min(pcl5, default=None),
        now_pcl5=pcl5[-1] if pcl5 else None,
    )


def _total(row: Assessment) -> float:
    return float(row.total)  # type: ignore[arg-type]  # those without a total were left out


def _end_of_course(phq9: Sequence[Assessment], last_on: date) -> float | None:
    """The first total soon after the last dose, else the last one before it."""
    soon = last_on + timedelta(days=kap.END_WITHIN_DAYS)
    after = [_total(row) for row in phq9 if last_on < row.taken_on <= soon]
    before = [_total(row) for row in phq9 if row.taken_on <= last_on]
    return after[0] if after else before[-1] if before else None


def watch(*, at: datetime) -> int:
    """Open the item for each booster that comes near, and for each new sign that speaks for an earlier one.

    Each reminder and each sign is told once; a booster that is booked needs no reminder. Returns how many were told.
    """
    doses, zone = list(last_doses()), Practice.get().zone
    told = 0
    for start in range(0, len(doses), AT_ONCE):
        some = doses[start : start + AT_ONCE]
        scores = _scores([row.plan.client_id for row in some])
        for row in some:
            there = ZoneInfo(row.plan.client.zone or zone)
            last_on = row.starts_at.astimezone(there).date()
            found = booster(last_on, max(at.astimezone(there).date(), last_on), scores.get(row.plan.client_id, []))
            told += _tell(row, found, there, at)
    return told


def _scores(clients: Sequence[UUID]) -> Mapping[UUID, list[Assessment]]:
    found: dict[UUID, list[Assessment]] = {}
    rows = Assessment.objects.filter(client__in=clients, instrument__in=[PHQ9, PCL5]).defer("answers")
    for row in rows:
        found.setdefault(row.client_id, []).append(row)
    return found


@dataclass(frozen=True)
class News:
    """What a look at a booster finds that the plan of the last dose does not remember as told."""

    is_reminder: bool
    is_early: bool
    reminded: list[int]
    early: list[str]


def news(plan: Plan, found: kap.Booster, today: date, *, is_booked: bool) -> News:
    near = [days for days in kap.BOOSTER_REMIND_DAYS if today >= found.due_on - timedelta(days=days)]
    is_reminder = bool(set(near) - set(plan.reminded)) and not is_booked and today <= found.window[1]
    is_early = bool(set(found.early_triggers) - set(plan.early)) and found.status == "not_due"
    reminded = near if is_reminder or not near else plan.reminded
    return News(is_reminder, is_early, reminded, list(found.early_triggers))


def _tell(dose: Session, found: kap.Booster, zone: ZoneInfo, at: datetime) -> bool:
    """Tell what is new of this booster, if anything is; asks the database only then."""
    today, is_booked = at.astimezone(zone).date(), bool(dose.is_booked)  # type: ignore[attr-defined]
    seen = news(dose.plan, found, today, is_booked=is_booked)
    if (seen.reminded, seen.early) == (dose.plan.reminded, dose.plan.early):
        return False
    with transaction.atomic():
        plan: Plan = Plan.objects.held(dose.plan_id)
        seen = news(plan, found, today, is_booked=is_booked)  # somebody else may have told it meanwhile
        if seen.is_reminder or seen.is_early:
            Task.open(
                plan.client,
                "booster",
                at=at,
                due_at=planning.moment(found.due_on, NOON, zone),
                due=found.due_on.isoformat(),
                booked=is_booked,
                early=seen.early,
            )
            audit.record("booster.told", by=None, client=plan.client, target=plan, at=at)
        plan.reminded, plan.early = seen.reminded, seen.early
        plan.save(update_fields=["reminded", "early"])
    return seen.is_reminder or seen.is_early


def coming(plan: Plan, today: date) -> kap.Booster | None:
    """The dates of a plan that is itself a booster, from the dose that it counts from."""
    return kap.booster(plan.anchor_on, max(today, plan.anchor_on)) if plan.anchor_on else None


def near_until(today: date) -> date:
    """The last day that a booster may be due on to be listed now (H14: 45 days before)."""
    return today + timedelta(days=max(kap.BOOSTER_REMIND_DAYS))


def given_between(today: date) -> tuple[date, date]:
    """Between which days a last dose lies whose booster is due by `near_until`, and whose window has not closed."""
    oldest = today - timedelta(days=kap.BOOSTER_WINDOW_DAYS)
    first = kap.add_months(oldest, -kap.BOOSTER_MONTHS)
    while kap.add_months(first, kap.BOOSTER_MONTHS) < oldest:
        first += timedelta(days=1)
    last = kap.add_months(near_until(today), -kap.BOOSTER_MONTHS)
    while kap.add_months(last + timedelta(days=1), kap.BOOSTER_MONTHS) <= near_until(today):
        last += timedelta(days=1)
    return first, last
