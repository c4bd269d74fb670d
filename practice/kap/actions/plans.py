"""Making and changing a plan: every change keeps who, when and why, and moves what follows from it."""

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from django.db import transaction
from django.utils.translation import gettext

from intake import measures, schedules, starting
from intake.models import Measure
from practice import audit, notices
from practice.actions import NotNow
from practice.clinical import kap, planning
from practice.clinical.planning import Conflict, PlanTemplate
from practice.kap import words
from practice.kap.actions import integration, rescreen, weighing
from practice.kap.models import (
    ClearanceRequest,
    DoseUse,
    Override,
    Plan,
    PlanChange,
    Session,
)
from practice.models import AuditEvent, Client, Practice, Task, User

What = PlanChange.What
State = Session.State
CHECK_IN = "check-in"
BEFORE_DOSE = timedelta(days=1)  # OWN: the answers are read before the day of the dose
AFTER_END_MONTHS = (1, 3, 6)  # JOURNEY-THERAPIST, protocols: 1, 3, 6 months


# --- Making ----------------------------------------------------------------------------------------------------------


@transaction.atomic
def make(
    *,
    by: User,
    client: Client,
    template: PlanTemplate,
    first: date,
    clock: time,
    therapist: User | None,
    room: str,
    at: datetime,
    count: int | None = None,
    follows: Plan | None = None,
) -> Plan:
    """Make a plan with its sessions. Doses past what a prescriber allows stand in it, and wait to be booked."""
    Client.objects.hold(client.pk)  # two plans at once see each other
    if client.status in Client.LEFT:
        raise NotNow(gettext("This client was discharged. Take them back into care first."))
    zone = weighing.zone_of(client)
    found = weighing.preview(
        client=client,
        template=template,
        first=first,
        clock=clock,
        therapist=therapist,
        room=room,
        count=count,
        today=at.astimezone(zone).date(),
    )
    if found.stopping:
        raise NotNow(words.sentences(found.stopping))
    if any(slot.starts < at for slot in found.slots):
        raise NotNow(gettext("The plan would begin in the past. Choose a later day."))
    is_booster = template.shape == Plan.Shape.BOOSTER
    doses = [slot for slot in found.slots if slot.kind == planning.DOSING]
    plan = Plan(
        client=client,
        follows=follows,
        shape=template.shape,
        template=template.key,
        planned=len(doses),
        started_on=first,
        therapist=therapist,
        zone=str(zone),
        clock=clock,
        room=room,
        anchor_on=weighing.last_dose_on(client) if is_booster else None,
        due_on=first if is_booster else None,
        created_at=at,
        created_by=by,
    )
    plan.save(force_insert=True)
    for slot in found.slots:
        Session.objects.create(
            plan=plan,
            kind=slot.kind,
            number=slot.number,
            starts_at=slot.starts,
            minutes=slot.minutes,
            therapist=therapist,
            room=room,
            state=State.WAITING if slot in found.waiting else State.PLANNED,
            changed_at=at,
        )
    _note(plan, What.MADE, by, at, after={"template": template.key, "doses": len(doses)})
    audit.record("plan.made", by=by, client=client, target=plan, at=at, shape=plan.shape)
    if is_booster:
        Task.finish(client, "booster", at=at, by=by)
    follow(plan, at)
    starting.joined(client, starting.Group.KAP, subject_id=plan.pk, at=at)
    _tell_waits(plan, at)
    return plan


def _note(
    plan: Plan,
    what: str,
    by: User | None,
    at: datetime,
    *,
    session: Session | None = None,
    before: dict[str, object] | None = None,
    after: dict[str, object] | None = None,
    said: str = "",
    request: ClearanceRequest | None = None,
) -> None:
    row = PlanChange(
        plan=plan, session=session, what=what, before=before or {}, after=after or {}, by=by, by_request=request, at=at
    )
    row.words = said
    row.save(force_insert=True)


def follow(plan: Plan, at: datetime) -> None:
    """What follows from the sessions as they are now: the client's next session, n of m, and measures before doses."""
    ahead = plan.sessions.filter(state=State.PLANNED, kind=Session.Kind.DOSING, starts_at__gt=at)
    wanted = [(CHECK_IN, str(Measure.Why.PLAN), row.starts_at - BEFORE_DOSE) for row in ahead]
    measures.replan(plan.client, plan.pk, [*wanted, *rescreen.wanted(plan)], at=at)
    refresh(plan.client, at)


def met(client: Client) -> list[schedules.Met]:
    """The dosing sessions of this client, for what is sent before or after each."""
    happened = (State.STARTED, State.DONE)
    rows = Session.objects.filter(
        plan__client=client, kind=Session.Kind.DOSING, state__in=(State.PLANNED, *happened)
    ).values_list("starts_at", "state")
    return [schedules.Met(starts_at, state in happened) for starts_at, state in rows]


def _tell_waits(plan: Plan, at: datetime) -> None:
    """Tell the client's prescriber that something in this plan waits for them: once per plan and day."""
    prescriber = plan.client.prescriber
    if prescriber is None or not prescriber.is_active or not plan.sessions.filter(state=State.WAITING).exists():
        return
    zone = ZoneInfo(Practice.get().zone)
    told = AuditEvent.objects.filter(action="plan.waits", target_id=str(plan.pk)).order_by("-seq").first()
    if told is not None and told.at.astimezone(zone).date() == at.astimezone(zone).date():
        return
    notices.tell_staff(prescriber, "plan_waits", link=notices.link(plan.get_absolute_url()))
    audit.record("plan.waits", by=None, client=plan.client, target=plan, at=at)


def refresh(client: Client, at: datetime, by: User | None = None) -> None:
    """Put the next session and how far the plan is onto the client, where caseload and home read it (H18).

    And finish, or open again, the item of an integration (H13).
    """
    row = Client.objects.hold(client.pk)
    mine = Session.objects.filter(plan__client=row)
    ahead = mine.filter(state=State.PLANNED, starts_at__gt=at).order_by("starts_at").values_list("starts_at", flat=True)
    row.next_session_at = ahead.first()
    plan = Plan.objects.filter(client=row, state=Plan.State.UNDER_WAY).order_by("started_on").first()
    if plan is not None:
        done = plan.sessions.filter(kind=Session.Kind.DOSING, state=State.DONE).count()
        row.plan_name = f"KAP {plan.get_shape_display().lower()}"
        row.plan_note = gettext("{done} of {planned}").format(done=done, planned=plan.planned)
    elif row.plan_name.startswith("KAP"):
        row.plan_name, row.plan_note = "", ""
    row.save(update_fields=["next_session_at", "plan_name", "plan_note"])
    client.next_session_at, client.plan_name, client.plan_note = row.next_session_at, row.plan_name, row.plan_note
    integration.settle(client, at, by)


# --- Changing --------------------------------------------------------------------------------------------------------


def _mine(plan: Plan, seen: int | None) -> Plan:
    """The plan, claimed for one change: whoever read an older version is told so."""
    row: Plan = Plan.objects.select_related("therapist").held(plan.pk)
    if seen is not None and seen != row.version:
        raise NotNow(gettext("Somebody changed this plan while you looked at it. Read it again, then change it."))
    if row.state != Plan.State.UNDER_WAY:
        raise NotNow(gettext("This plan has ended. Make a new one."))
    row.version += 1
    row.save(update_fields=["version"])
    return row


def _ahead(session: Session) -> Session:
    row: Session = Session.objects.held(session.pk)
    if row.signed_at is not None:
        raise NotNow(gettext("This session is signed. It stays where it is."))
    if row.state not in Session.AHEAD:
        raise NotNow(gettext("This session is not ahead any more, so it cannot be changed."))
    return row


@transaction.atomic
def move(
    *,
    by: User,
    session: Session,
    starts_at: datetime,
    said: str,
    at: datetime,
    seen: int | None = None,
    with_rest: bool = False,
) -> Session:
    """Move a session that is ahead; a dose takes its integration along, and with `with_rest` all that comes later.

    Refused with the conflicts that another time would have to clear.
    """
    plan = _mine(session.plan, seen)
    row = _ahead(session)
    if starts_at < at:
        raise NotNow(gettext("That time has passed. Choose a later one."))
    before = weighing.weigh(plan, at).stopping
    old, zone = row.starts_at, plan.tz()
    shift = _wall(starts_at, zone) - _wall(old, zone)
    for other in _along(plan, row, with_rest):
        wall = _wall(other.starts_at, zone) + shift
        _put(other, planning.moment(wall.date(), wall.time(), zone), at)
    _put(row, starts_at, at)
    _settle(plan, at, before)
    _note(
        plan, What.MOVED, by, at, session=row, said=said,
        before={"starts_at": old.isoformat()}, after={"starts_at": starts_at.isoformat()},
    )  # fmt: skip
    audit.record("plan.moved", by=by, client=plan.client, target=plan, at=at)
    follow(plan, at)
    _tell_waits(plan, at)
    row.refresh_from_db()
    return row


def _wall(moment: datetime, zone: ZoneInfo) -> datetime:
    return moment.astimezone(zone).replace(tzinfo=None)


def _along(plan: Plan, row: Session, with_rest: bool) -> list[Session]:
    """The sessions that move with this one: of a dose, the integration up to the next dose."""
    if not with_rest and row.kind != Session.Kind.DOSING:
        return []
    found = []
    for other in plan.sessions.filter(state__in=Session.AHEAD, starts_at__gt=row.starts_at, signed_at=None):
        if not with_rest and other.kind == Session.Kind.DOSING:
            break
        found.append(other)
    return found


def _put(row: Session, starts_at: datetime, at: datetime) -> None:
    row.starts_at, row.changed_at = starts_at, at
    row.sequence += 1
    row.save(update_fields=["starts_at", "sequence", "changed_at"])


@transaction.atomic
def add(
    *, by: User, plan: Plan, kind: str, starts_at: datetime, said: str, at: datetime, seen: int | None = None
) -> Session:
    """Add a session. A dose past the clearance waits for it."""
    row = _mine(plan, seen)
    if starts_at < at:
        raise NotNow(gettext("That time has passed. Choose a later one."))
    before = weighing.weigh(row, at).stopping
    highest = max((n for n in row.sessions.filter(kind=kind).values_list("number", flat=True)), default=0)
    made: Session = Session.objects.create(
        plan=row,
        kind=kind,
        number=highest + 1,
        starts_at=starts_at,
        minutes=planning.length_minutes(kind),
        therapist=row.therapist,
        room=row.room,
        changed_at=at,
    )
    count(row, made)
    _settle(row, at, before)
    _note(row, What.ADDED, by, at, session=made, after={"starts_at": starts_at.isoformat()}, said=said)
    audit.record("plan.added", by=by, client=row.client, target=row, at=at, kind=kind)
    follow(row, at)
    _tell_waits(row, at)
    made.refresh_from_db()
    return made


def count(plan: Plan, changed: Session) -> None:
    """How many doses the plan has now (the m of "n of m"), after this session was added or left out."""
    if changed.kind != Session.Kind.DOSING:
        return
    doses = plan.sessions.filter(kind=Session.Kind.DOSING)
    plan.planned = doses.exclude(state__in=[State.SKIPPED, State.MISSED]).count() or plan.planned
    plan.save(update_fields=["planned"])


@transaction.atomic
def skip(*, by: User, session: Session, said: str, at: datetime, missed: bool = False, seen: int | None = None) -> None:
    """Leave a session out, or note that the client missed it, with words why."""
    if not said.strip():
        raise NotNow(gettext("Write why this session is left out."))
    plan = _mine(session.plan, seen)
    row = _ahead(session)
    if missed and row.starts_at > at:
        raise NotNow(gettext("This session is still ahead. Skip it instead."))
    before = weighing.weigh(plan, at).stopping
    row.state, row.changed_at = State.MISSED if missed else State.SKIPPED, at
    row.sequence += 1
    row.save(update_fields=["state", "changed_at", "sequence"])
    count(plan, row)
    _settle(plan, at, before)
    _note(plan, What.MISSED if missed else What.SKIPPED, by, at, session=row, said=said)
    audit.record("plan.skipped", by=by, client=plan.client, target=plan, at=at, missed=missed)
    follow(plan, at)


def _settle(plan: Plan, at: datetime, before: Sequence[Conflict]) -> int:
    """Give each session that is ahead its state: booked, or waiting for the prescriber. Returns how many were booked.

    Raises NotNow for conflicts that were not there before and that only another time or another session clears.
    """
    rows = weighing.slots_ahead(plan)
    found = weighing.weigh(plan, at)
    known = {(conflict.code, conflict.what, conflict.slot.kind, conflict.slot.number) for conflict in before}
    new = [c for c in found.stopping if (c.code, c.what, c.slot.kind, c.slot.number) not in known]
    if new:
        raise NotNow(words.sentences(new))
    booked = 0
    for slot, row in rows.items():
        state = State.WAITING if slot in found.waiting else State.PLANNED
        if state != row.state:
            booked += state == State.PLANNED
            row.state, row.changed_at, row.sequence = state, at, row.sequence + 1
            row.save(update_fields=["state", "changed_at", "sequence"])
    return booked


@transaction.atomic
def book_more(*, by: User, plan: Plan, at: datetime, seen: int | None = None) -> int:
    """Book what waited and is cleared now. Returns how many sessions. Raises NotNow with what they still wait for."""
    row = _mine(plan, seen)
    booked = _settle(row, at, weighing.weigh(row, at).stopping)
    if not booked:
        left = weighing.weigh(row, at).conflicts
        raise NotNow(words.sentences(left) or gettext("Nothing in this plan waits."))
    _note(row, What.ADDED, by, at, after={"booked": booked})
    audit.record("plan.booked", by=by, client=row.client, target=row, at=at, sessions=booked)
    follow(row, at)
    return booked


@transaction.atomic
def override(
    *,
    by: User | None,
    plan: Plan,
    codes: Sequence[str],
    said: str,
    at: datetime,
    seen: int | None = None,
    request: ClearanceRequest | None = None,
    licence: str = "",
) -> Override:
    """A prescriber lifts a limit for this plan, with a reason; what waited only for that is booked (H5).

    By one of the practice, or by the answer to a `request` of one without an account, who gives a licence.
    """
    wrong = [code for code in codes if planning.CLEARED_BY.get(code) != "override"]
    if wrong or not codes:
        raise NotNow(gettext("Choose the limit that is lifted."))
    if not said.strip():
        raise NotNow(gettext("Write the reason."))
    row = _mine(plan, seen)
    made = Override(plan=row, codes=sorted(set(codes)), by=by, by_request=request, at=at)
    made.words = said
    made.save(force_insert=True)
    _settle(row, at, weighing.weigh(row, at).stopping)
    after = {"codes": made.codes} | _signed(request, licence)
    _note(row, What.OVERRIDDEN, by, at, after=after, said=said, request=request)
    audit.record("plan.overridden", by=by or request, client=row.client, target=row, at=at)
    follow(row, at)
    return made


def _signed(request: ClearanceRequest | None, licence: str) -> dict[str, object]:
    return {"name": request.to.name, "licence": licence} if request is not None else {}


@transaction.atomic
def keep_limit(
    *,
    plan: Plan,
    codes: Sequence[str],
    said: str,
    at: datetime,
    request: ClearanceRequest,
    licence: str,
    seen: int | None = None,
) -> None:
    """A prescriber without an account leaves a limit as it is, with words; what waits for it goes on waiting."""
    row = _mine(plan, seen)
    after = {"codes": sorted(set(codes))} | _signed(request, licence)
    _note(row, What.KEPT, None, at, after=after, said=said, request=request)
    audit.record("plan.limit_kept", by=request, client=row.client, target=row, at=at)


@transaction.atomic
def end(*, by: User, plan: Plan, state: str, said: str, at: datetime, seen: int | None = None) -> None:
    """Complete or stop a plan, with words why; what is ahead is left out, and the end measure goes out (H19)."""
    if not said.strip():
        raise NotNow(gettext("Write why the plan ends."))
    row = _mine(plan, seen)
    if row.sessions.filter(state=State.STARTED).exists():
        raise NotNow(gettext("A session is under way. Finish it first."))
    _close(row, state, by, said, at)
    zone = row.tz()
    here = at.astimezone(zone)
    later = [planning.moment(kap.add_months(here.date(), months), here.time(), zone) for months in AFTER_END_MONTHS]
    had_dose = DoseUse.objects.filter(session__plan=row).exists() or bool(weighing.doses_given(row.client))
    due = [at, *later] if had_dose else [at]
    measures.replan(row.client, row.pk, [(CHECK_IN, str(Measure.Why.PLAN), each) for each in due], at=at)
    refresh(row.client, at)
    plan.refresh_from_db()


def _close(plan: Plan, state: str, by: User, said: str, at: datetime) -> None:
    for session in plan.sessions.filter(state__in=Session.AHEAD):
        session.state, session.changed_at, session.sequence = State.SKIPPED, at, session.sequence + 1
        session.save(update_fields=["state", "changed_at", "sequence"])
    plan.state, plan.ended_at, plan.ended_by, plan.end_words = state, at, by, said
    plan.save(update_fields=["state", "ended_at", "ended_by", "end_words"])
    _note(plan, What.COMPLETED if state == Plan.State.DONE else What.STOPPED, by, at, said=said)
    audit.record("plan.ended", by=by, client=plan.client, target=plan, at=at, state=state)


def care_ended(*, by: User, client: Client, at: datetime) -> None:
    """Stop what is planned for somebody whose care ended, and take open questions to prescribers back.

    Nobody is discharged out of a session; after a death its log stays open.
    """
    under_way = Session.objects.filter(plan__client=client, state=State.STARTED)
    if client.status != Client.Status.DIED and under_way.exists():
        raise NotNow(gettext("A session is under way. Finish it first."))
    for plan in Plan.objects.select_for_update(of=("self",), no_key=True).filter(
        client=client, state=Plan.State.UNDER_WAY
    ):
        plan.version += 1
        plan.save(update_fields=["version"])
        _close(plan, Plan.State.STOPPED, by, gettext("Their care ended."), at)
    ClearanceRequest.objects.filter(client=client, answered_at=None, taken_back_at=None).update(taken_back_at=at)
    refresh(client, at, by=by)
