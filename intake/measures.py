"""Forms that are sent by themselves: planned, sent when due, watched for coming back, and stopped.

A measure follows something: a decision, a course, a dose. A watched one raises a flag when it is not back within a day,
or when it comes back worse than the one before; what a safety answer says goes the usual way, at once (intake.signs).
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import datetime, timedelta
from functools import cache
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext

from intake import actions, packet, pauses, trials
from intake.models import Assessment, Intake, Invitation, Measure, Pause, Schedule
from intake.packet import Page
from practice import audit
from practice.actions import NotNow, client_did, raise_alert, write_note
from practice.clinical import follow_up
from practice.models import Alert, AlertEvent, Client, Practice, Task, User
from practice.templatetags.ui import day, moment

Why = Measure.Why
State = Invitation.State
CHECK_IN = "short-check-in"
LATE = {"id": "check-in-late", "version": "1"}
WORSE = {"id": "check-in-worse", "version": "1"}
BACK_WITHIN = timedelta(hours=follow_up.CHECK_IN_BACK_HOURS)
STILL_WRITING = timedelta(hours=1)  # an older one that somebody is filling in now is not replaced under their hands
NEAR = timedelta(hours=20)  # two treatments are never on one day: what is due nearer than this is the same thing
USELESS_AFTER = timedelta(days=3)  # one that could not be sent for so long is not sent any more
MOST_A_DAY = 2  # OWN: forms of one day, so that nobody is sent a heap
MOOD = ("phq9-1", "phq9-2")  # the two questions of the PHQ-2, which are the first two of the PHQ-9


# --- Planning --------------------------------------------------------------------------------------------------------


@transaction.atomic
def plan(
    client: Client,
    packet: str,
    why: str,
    due_at: datetime,
    subject_id: UUID | None = None,
    every_days: int | None = None,
    watched: bool = False,
    *,
    at: datetime,
    by: User | None = None,
    only: Sequence[str] = (),
) -> Measure:
    """Plan a form for this client, once: one that waits already for the same thing at the same time is given back."""
    waiting = Measure.objects.filter(
        client=client, packet=packet, why=why, subject_id=subject_id, due_at=due_at, sent_at=None, stopped_at=None
    )
    if (found := waiting.first()) is not None:
        return found
    row = Measure(
        client=client,
        packet=packet,
        only=list(only),
        why=why,
        subject_id=subject_id,
        due_at=due_at,
        every_days=every_days,
        watched=watched,
        planned_at=at,
    )
    row.save(force_insert=True)
    audit.record("measure.planned", by=by, client=client, target=row, at=at, why=why)
    return row


@transaction.atomic
def stop(
    client: Client,
    why: str | None = None,
    subject_id: UUID | None = None,
    *,
    at: datetime,
    by: User | None = None,
) -> int:
    """Stop what is planned for this client, and stop watching what is not back. Returns how many it was.

    The link of a watched one that nobody has begun stops working; what a client has begun they may finish.
    """
    Client.objects.hold(client.pk)
    rows = Measure.objects.filter(client=client, stopped_at=None).exclude(invitation__state=State.DONE)
    if why is not None:
        rows = rows.filter(why=why)
    if subject_id is not None:
        rows = rows.filter(subject_id=subject_id)
    found = list(rows.select_related("invitation"))
    for row in found:
        _stop(row, at)
        if row.watched and row.invitation is not None and row.invitation.state in (State.SENT, State.OPENED):
            actions.withdraw(by=by, invitation=row.invitation, at=at)
    if found:
        audit.record("measure.stopped", by=by, client=client, at=at, why=why or "", count=len(found))
    return len(found)


# What hangs on sessions, and is told when they change: replanned in the same transaction (intake.schedules).
FOLLOWING: list[Callable[[Client, datetime], None]] = []


@transaction.atomic
def replan(client: Client, subject_id: UUID, wanted: Collection[tuple[str, str, datetime]], *, at: datetime) -> None:
    """Make what is still to be sent for this subject exactly `wanted`: (packet, why, due at).

    What was sent stays sent: nothing that stands within a day of it is sent a second time.
    """
    make_exactly(client, subject_id, wanted, at=at)
    for follow in FOLLOWING:
        follow(client, at)


def make_exactly(
    client: Client,
    subject_id: UUID,
    wanted: Collection[tuple[str, str, datetime]],
    *,
    at: datetime,
    only: Sequence[str] = (),
) -> None:
    rows = list(Measure.objects.filter(client=client, subject_id=subject_id, stopped_at=None))
    dropped = [row for row in rows if row.sent_at is None and (row.packet, row.why, row.due_at) not in wanted]
    for row in dropped:
        _stop(row, at)
    if dropped:
        audit.record("measure.stopped", by=None, client=client, at=at, count=len(dropped))
    gone_out = [row.due_at for row in rows if row.sent_at is not None]
    for form, why, due_at in wanted:
        if at - due_at < USELESS_AFTER and not any(abs(due_at - each) < NEAR for each in gone_out):
            plan(client, form, why, due_at, subject_id, at=at, only=only)


def _stop(row: Measure, at: datetime) -> None:
    row.stopped_at = at
    row.save(update_fields=["stopped_at"])


def start_interim(*, by: User | None, client: Client, subject_id: UUID, at: datetime) -> Measure:
    """Begin the short check-ins between this decision and the first treatment; an older decision's give way."""
    current = planned(client).filter(why=Why.INTERIM, subject_id=subject_id).first()
    if current is not None:
        return current
    stop_interim(by=by, client=client, at=at)
    row = plan(
        client,
        CHECK_IN,
        Why.INTERIM,
        follow_up.days_later(at, follow_up.CHECK_IN_EVERY_DAYS, Practice.get().zone),
        subject_id=subject_id,
        every_days=follow_up.CHECK_IN_EVERY_DAYS,
        watched=True,
        at=at,
        by=by,
    )
    if (pause := pauses.holding(row, at)) is not None:
        pauses.tell_once(row, pause, at)
    return row


def stop_interim(*, by: User | None, client: Client, at: datetime, subject_id: UUID | None = None) -> int:
    """End the short check-ins: the first treatment was given, the referral ended, or a clinician says so."""
    return stop(client, Why.INTERIM, subject_id, at=at, by=by)


@transaction.atomic
def stop_by_words(*, by: User, measure: Measure, words: str, at: datetime) -> None:
    """Stop a planned form by a clinician's words, which become a note. The short check-ins stop as a whole. Once."""
    if not words.strip():
        raise NotNow(gettext("Write why it stops."))
    row = Measure.objects.select_related("client__therapist").held(measure.pk)
    if row.stopped_at is not None or row.sent_at is not None:
        raise NotNow(gettext("This was sent or stopped already. Look at the client's page for what is planned now."))
    if row.why == Why.INTERIM:
        stop_interim(by=by, client=row.client, at=at)
    elif row.why == Why.SCHEDULE:  # this one; what was set goes on, and is ended where it is set
        _pass_over(row, None, at)
    else:
        _stop(row, at)
        audit.record("measure.stopped", by=by, client=row.client, target=row, at=at, why=row.why)
    write_note(by=by, client=row.client, words=words, at=at)


def planned(client: Client) -> QuerySet[Measure]:
    """What is still to be sent, the next first."""
    return client.measures.filter(sent_at=None, stopped_at=None).order_by("due_at")


# --- Sending ---------------------------------------------------------------------------------------------------------


def send_due(*, at: datetime) -> int:
    """Send what is due. Each once, however often this runs; a discharged client gets nothing.

    What falls into a pause of the client is passed over (intake.pauses); of ordinary ones at most MOST_A_DAY go out.
    """
    pauses.end_over(at=at)
    due = Measure.objects.filter(sent_at=None, stopped_at=None, due_at__lte=at)
    return sum(_send(pk, at) for pk in list(due.values_list("pk", flat=True)))


@transaction.atomic
def _send(pk: UUID, at: datetime) -> bool:
    rows = Measure.objects.select_related("client__therapist").holding()
    row = rows.filter(pk=pk, sent_at=None, stopped_at=None).first()
    if row is None:
        return False
    if row.client.status in Client.LEFT:
        stop(row.client, at=at)
        return False
    if (pause := pauses.holding(row, at)) is not None:
        _pass_over(row, pause, at)
        return False
    newer = planned(row.client).filter(packet=row.packet, only=row.only, due_at__gt=row.due_at, due_at__lte=at)
    if newer.exists():  # told late, several at once: the same questions are asked once
        _stop(row, at)
        if row.why == Why.SCHEDULE:
            _plan_next(row, at)
        audit.record("measure.stopped", by=None, client=row.client, target=row, at=at, why=row.why)
        return False
    try:
        actions.may_send(row.client, packet.load(row.packet).only(row.only), at)
    except NotNow:
        _not_sent(row, at)
        return False
    if row.why == Why.JOINED and row.client.invitations.filter(packet=row.packet, state__in=actions.OPEN).exists():
        _stop(row, at)  # they have it already
        audit.record("measure.stopped", by=None, client=row.client, target=row, at=at, why=row.why)
        return False
    if _put_off(row, at) or not _make_way(row, at):
        return False
    template = "invitation" if row.why == Why.JOINED else "check_in"
    life = timedelta(days=Practice.get().measure_link_days)
    try:
        row.invitation = actions.invite(
            by=None, client=row.client, key=row.packet, at=at, only=row.only, template=template, life=life
        )
    except NotNow:  # these questions are out already, within a larger form
        _pass_over(row, None, at)
        return False
    row.sent_at = at
    row.save(update_fields=["invitation", "sent_at"])
    audit.record("measure.sent", by=None, client=row.client, target=row, at=at, why=row.why)
    _plan_next(row, at)
    return True


def _make_way(row: Measure, at: datetime) -> bool:
    """Take back an older one of the same form that is not back, so that one link is open; False while it is filled in.

    A watched one was followed up by a person when it was missed.
    """
    older = row.client.invitations.filter(packet=row.packet, state__in=actions.OPEN).select_related("intake")
    for invitation in [each for each in older if each.only == row.only]:
        sitting = getattr(invitation, "intake", None)
        if sitting is not None and (sitting.saved_at or sitting.started_at) > at - STILL_WRITING:
            return False
        actions.withdraw(by=None, invitation=invitation, at=at)
    return True


def _plan_next(row: Measure, at: datetime) -> None:
    """Plan the next of a repeating one, at the same clock time; what fell into an outage is not sent in a heap."""
    if not row.every_days:
        Schedule.objects.filter(pk__in=[row.subject_id], rhythm=Schedule.Rhythm.ONCE, ended_at=None).update(ended_at=at)
        return
    zone, days = Practice.get().zone, row.every_days
    if row.why == Why.SCHEDULE:
        zone = pauses.zone_of(row.client)
    while (due_at := follow_up.days_later(row.due_at, days, zone)) <= at:
        days += row.every_days
    plan(
        row.client,
        row.packet,
        row.why,
        due_at,
        row.subject_id,
        every_days=row.every_days,
        watched=row.watched,
        at=at,
        only=row.only,
    )


def _pass_over(row: Measure, pause: Pause | None, at: datetime) -> None:
    """This time it is not sent; a repeating one goes on with its next. In a pause, what staff did not set is told."""
    _stop(row, at)
    audit.record("measure.passed_over", by=None, client=row.client, target=row, at=at, why=row.why)
    if pause is not None and row.why != Why.SCHEDULE:
        Task.open(row.client, "todo", at=at, subject_id=pause.pk, owner=row.client.therapist, reason="pause_holds")
        if row.watched:
            pauses.tell_once(row, pause, at)
    _plan_next(row, at)


def _put_off(row: Measure, at: datetime) -> bool:
    """Whether the client got enough for one day: then an ordinary one goes out tomorrow, at the same clock time."""
    if row.why != Why.SCHEDULE:
        return False
    zone = pauses.zone_of(row.client)
    midnight = at.astimezone(ZoneInfo(zone)).replace(hour=0, minute=0, second=0, microsecond=0)
    if row.client.measures.filter(watched=False, sent_at__gte=midnight).count() < MOST_A_DAY:
        return False
    while row.due_at <= at:
        row.due_at = follow_up.days_later(row.due_at, 1, zone)
    row.save(update_fields=["due_at"])
    audit.record("measure.put_off", by=None, client=row.client, target=row, at=at, why=row.why)
    return True


def _not_sent(row: Measure, at: datetime) -> None:
    """Nobody is on call, or no way is safe: staff are told once. A watched one is missed in its time all the same."""
    if not row.client.tasks.filter(kind="todo", subject_id=row.pk).exists():
        Task.open(row.client, "todo", at=at, subject_id=row.pk, reason="not_sent")
        audit.record("measure.not_sent", by=None, client=row.client, target=row, at=at, why=row.why)
    if not row.watched and at - row.due_at >= USELESS_AFTER:
        _stop(row, at)
        audit.record("measure.stopped", by=None, client=row.client, target=row, at=at, why=row.why)
        if row.why == Why.SCHEDULE:
            _plan_next(row, at)


# --- Coming back, or not ---------------------------------------------------------------------------------------------


def watch_missing(*, at: datetime) -> int:
    """Raise a flag for each watched form that is not back within a day: a person asks today. Each once."""
    limit = at - BACK_WITHIN
    late = (
        Measure.objects.filter(watched=True, missed_at=None, stopped_at=None)
        .filter(Q(sent_at__lte=limit) | Q(sent_at=None, due_at__lte=limit))
        .exclude(invitation__state=State.DONE)
        .exclude(client__status__in=Client.LEFT)
    )
    return sum(_miss(pk, at) for pk in list(late.values_list("pk", flat=True)))


@transaction.atomic
def _miss(pk: UUID, at: datetime) -> bool:
    rows = Measure.objects.select_related("client__therapist", "invitation").holding()
    row = rows.filter(pk=pk, missed_at=None, stopped_at=None).first()
    if row is None or (row.invitation is not None and row.invitation.state == State.DONE):
        return False
    row.missed_at = at
    row.save(update_fields=["missed_at"])
    with timezone.override(Practice.get().zone):
        said = (
            gettext("Sent {when}, not back.").format(when=moment(row.sent_at))
            if row.sent_at
            else gettext("Due {when}, could not be sent.").format(when=moment(row.due_at))
        )
    _flag(row, LATE, gettext("Short check-in"), said, at)
    audit.record("measure.missed", by=None, client=row.client, target=row, at=at, why=row.why)
    if row.sent_at is None:
        _stop(row, at)
        _plan_next(row, at)
    return True


def _flag(row: Measure, rule: dict[str, str], question: str, answer: str, at: datetime) -> None:
    """The flag of this measure: priority, as a blank safety answer has it (SR-07), for a person asks today."""
    raise_alert(
        by=None,
        client=row.client,
        source=Alert.Source.INTERIM,
        source_id=row.pk,
        severity=Alert.Severity.PRIORITY,
        rules=[rule],
        answers=[
            {
                "instrument": "",
                "link_id": rule["id"],
                "question": question,
                "answer": answer,
                "positive": True,
                "at": at.isoformat(),
            }
        ],
        at=at,
    )


def on_submitted(sender: type[Intake], *, intake: Intake, at: datetime, **_more: Any) -> None:
    """A form came back, in the same transaction: a watched one is held against the one before."""
    row = Measure.objects.select_related("client__therapist").filter(invitation=intake.invitation_id).first()
    if row is None or not row.watched:
        return
    flag = Alert.objects.filter(source_id=row.pk, closed_at=None).first()
    if flag is not None:
        client_did(client=row.client, alert=flag, kind=AlertEvent.Kind.CAME_BACK, at=at)
    now, before = _mood(intake.assessments.all(), blanks=1), _mood(_earlier(intake))
    if now is None or before is None or now[0] <= before[0] or row.stopped_at is not None:
        return
    with timezone.override(Practice.get().zone):
        said = gettext("{now} of 6; it was {before} on {day}").format(
            now=now[0], before=before[0], day=day(before[1].taken_on)
        )
    _flag(row, WORSE, gettext("The first two mood questions"), said, at)


def _earlier(sitting: Intake) -> QuerySet[Assessment]:
    """The last few answers to the mood questions from before this sitting, the newest first."""
    asked = sitting.client.assessments.filter(instrument__in=("phq-2", "phq-9")).exclude(intake=sitting)
    return asked.order_by("-taken_at")[:5]


def _mood(rows: Iterable[Assessment], *, blanks: int = 0) -> tuple[int, Assessment] | None:
    """The sum of the two mood questions where they were answered. With `blanks` it is a lower bound."""
    for row in rows:
        if row.instrument in ("phq-2", "phq-9"):
            said = [value for link_id in MOOD if (value := row.answers.get(link_id)) is not None]
            if len(said) >= len(MOOD) - blanks:
                return sum(said), row
    return None


# --- Asking the client one thing -------------------------------------------------------------------------------------

ASKS = "intake"
BY_OTHER_MEANS = {
    "age": ("birth-date",),
    "failed_adequate_trials": (trials.PAGE,),
    "ketamine_consent_signed": ("agreement--ketamine",),
}


@cache
def pages_for(input_name: str) -> tuple[str, ...]:
    """The pages whose answers give this input of the decision table; () when only a clinician can say it."""
    wanted = packet.seed(ASKS)
    if input_name in BY_OTHER_MEANS:
        return BY_OTHER_MEANS[input_name]
    return tuple(page.slug for page in wanted.pages if input_name in _gives(page))


def _gives(page: Page) -> set[str]:
    if page.instrument:
        return set(page.definition.picture) - {"lower_bound_from"}
    return {page.fact, *(each.fact for each in page.fields)} - {""}


def can_ask(input_name: str) -> bool:
    return bool(pages_for(input_name))


def ask(*, by: User, client: Client, input_name: str, at: datetime) -> Invitation:
    """Send the client just what gives this input. Raises NotNow with what is missing."""
    slugs = pages_for(input_name)
    if not slugs:
        raise NotNow(gettext("No question to the client gives this. Write it in the record yourself."))
    return actions.invite(by=by, client=client, key=ASKS, at=at, only=slugs)
