"""What stands against a plan: other doses, what a prescriber cleared, and who or what is taken. Writes nothing."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from django.db.models import Q

from practice.clinical import kap, planning
from practice.clinical.planning import Busy, Cleared, Conflict, PlanTemplate, Slot
from practice.kap.actions import clearance
from practice.kap.models import (
    Absence,
    ClientAbsence,
    Plan,
    Session,
)
from practice.models import Client, Practice, User

State = Session.State
WAITS_FOR = ("clearance", "override")  # what a dose may wait for in a plan; every other conflict has to go first


@dataclass(frozen=True)
class Preview:
    slots: tuple[Slot, ...]
    conflicts: tuple[Conflict, ...]
    waiting: frozenset[Slot]
    """Doses, and what comes after them, that are not booked until a prescriber clears them."""

    @property
    def stopping(self) -> tuple[Conflict, ...]:
        """Conflicts that have to be gone before the plan can be made."""
        return tuple(conflict for conflict in self.conflicts if conflict.cleared_by not in WAITS_FOR)


def zone_of(client: Client) -> ZoneInfo:
    return ZoneInfo(client.zone or Practice.get().zone)


def doses_given(client: Client, *, besides: Session | None = None) -> list[datetime]:
    done = Session.objects.filter(plan__client=client, kind=Session.Kind.DOSING)
    if besides is not None:
        done = done.exclude(pk=besides.pk)
    return list(done.filter(Q(state=State.DONE) | Q(state=State.STARTED)).values_list("starts_at", flat=True))


def last_dose_on(client: Client, *, besides: Session | None = None) -> date | None:
    given = doses_given(client, besides=besides)
    return max(given).astimezone(zone_of(client)).date() if given else None


def cleared_for(client: Client, today: date, *, besides: Plan | None = None) -> Cleared | None:
    """What the ledger allows, less the doses that other plans of this client have booked already."""
    left = clearance.ledger(client, today).cleared
    if left is None:
        return None
    booked = Session.objects.filter(plan__client=client, kind=Session.Kind.DOSING, state=State.PLANNED)
    taken = booked.exclude(plan=besides).count()
    return Cleared(left.doses - taken, left.until) if left.doses > taken else None


def taken_times(
    client: Client, therapist: User | None, room: str, first: datetime, last: datetime, *, besides: Plan | None = None
) -> list[Busy]:
    """When therapist, room or client are taken between two moments. Three queries."""
    near = Session.objects.filter(starts_at__gte=first - timedelta(days=1), starts_at__lte=last + timedelta(days=1))
    near = near.filter(state__in=[State.PLANNED, State.STARTED]).exclude(plan=besides)
    same = Q(plan__client=client)
    if therapist is not None:
        same |= Q(therapist=therapist)
    if room:
        same |= Q(room=room)
    found = []
    for row in near.filter(same).select_related("plan"):
        ends = row.starts_at + timedelta(minutes=row.minutes)
        if row.plan.client_id == client.pk:
            found.append(Busy(row.starts_at, ends, "client"))
        elif therapist is not None and row.therapist_id == therapist.pk:
            found.append(Busy(row.starts_at, ends, "therapist"))
        else:
            found.append(Busy(row.starts_at, ends, "room"))
    days = {"last_on__gte": first.date() - timedelta(days=1), "first_on__lte": last.date() + timedelta(days=1)}
    if therapist is not None:
        found += _away(Absence.objects.filter(user=therapist, **days), ZoneInfo(Practice.get().zone), "therapist_away")
    return found + _away(ClientAbsence.objects.filter(client=client, **days), zone_of(client), "client_away")


def _away(rows: Iterable[Absence | ClientAbsence], zone: ZoneInfo, who: str) -> list[Busy]:
    midnight = time()
    return [
        Busy(
            planning.moment(row.first_on, midnight, zone),
            planning.moment(row.last_on + timedelta(days=1), midnight, zone),
            who,
        )
        for row in rows
    ]


def slot_of(session: Session) -> Slot:
    return Slot(session.starts_at, session.kind, session.number, session.minutes)


def slots_ahead(plan: Plan) -> dict[Slot, Session]:
    return {slot_of(row): row for row in plan.sessions.filter(state__in=Session.AHEAD)}


def preview(
    *,
    client: Client,
    template: PlanTemplate,
    first: date,
    clock: time,
    therapist: User | None,
    room: str,
    count: int | None,
    today: date,
) -> Preview:
    """Return the calendar that a template gives, each conflict named. Raises ValueError for a wrong count."""
    zone = zone_of(client)
    slots = planning.slots(template, first, clock, zone, count=count)
    last = last_dose_on(client)
    window = kap.booster(last, max(today, last)).window if template.shape == Plan.Shape.BOOSTER and last else None
    return _weigh(client, slots, therapist, room, today, window=window)


def weigh(plan: Plan, at: datetime) -> Preview:
    """The same for the sessions that a plan has still to come, its overrides counted."""
    slots, today = list(slots_ahead(plan)), plan.today(at)
    window = kap.booster(plan.anchor_on, max(today, plan.anchor_on)).window if plan.anchor_on else None
    lifted = {code for row in plan.overrides.all() for code in row.codes}
    return _weigh(plan.client, slots, plan.therapist, plan.room, today, window=window, lifted=lifted, besides=plan)


def _weigh(
    client: Client,
    slots: Sequence[Slot],
    therapist: User | None,
    room: str,
    today: date,
    *,
    window: tuple[date, date] | None,
    lifted: Iterable[str] = (),
    besides: Plan | None = None,
) -> Preview:
    given = doses_given(client)
    others = Session.objects.filter(plan__client=client, kind=Session.Kind.DOSING, state=State.PLANNED)
    given += others.exclude(plan=besides).values_list("starts_at", flat=True)
    busy = taken_times(client, therapist, room, slots[0].starts, slots[-1].ends, besides=besides) if slots else []
    found = planning.conflicts(
        slots,
        zone_of(client),
        given=given,
        cleared=cleared_for(client, today, besides=besides),
        window=window,
        busy=busy,
        new_client=not given,
    )
    kept = tuple(conflict for conflict in found if conflict.code not in lifted)
    return Preview(tuple(slots), kept, _waiting(slots, kept))


def _waiting(slots: Sequence[Slot], conflicts: Sequence[Conflict]) -> frozenset[Slot]:
    held = {conflict.slot for conflict in conflicts if conflict.cleared_by in WAITS_FOR}
    waiting, is_held = set(held), False
    for slot in sorted(slots):
        if slot.kind == planning.DOSING:
            is_held = slot in held
        elif slot.kind == planning.INTEGRATION and is_held:
            waiting.add(slot)
    return frozenset(waiting)
