"""The clocks of referrals at work: starting them, climbing the ladder of a silent one, putting it away, and back."""

from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Coalesce
from django.utils.translation import gettext

from practice import audit, coverage, jobs, notices
from practice.access import Role
from practice.actions import NotNow
from practice.models import Alert, Client, Job, Practice, Task, User
from referrals import clocks, disclosure
from referrals.actions import courses
from referrals.models import ClientWord, Course, CourseSession, Destination, Referral
from referrals.states import IN_TREATMENT, TERMINAL, State

SILENT, ENDED, DISCHARGED = "silent", "ended", "discharged"  # why a referral was put away
REMIND, CALL, SUPERVISOR, CLOSE = (rung.code for rung in clocks.rungs())
WAITING = (State.SENT, State.ACCEPTED, *IN_TREATMENT)


def facts_of(referral: Referral) -> clocks.Facts:
    return clocks.Facts(
        state=referral.state,
        urgency=referral.urgency,
        sent_at=referral.sent_at,
        state_at=referral.state_at,
        opened=referral.opened_at is not None or referral.received_at is not None,
        heard_at=referral.heard_at,
        visit_at=referral.visit_at,
        last_session_at=_last_session_at(referral),
    )


def _last_session_at(referral: Referral) -> datetime | None:
    """When the last session of a course was that is over: all done, or ended early by the clinic's word."""
    course = Course.objects.filter(referral=referral).first()
    if course is None:
        return None
    sessions = list(course.sessions.all())
    done = [session for session in sessions if session.state == CourseSession.State.DONE]
    waits = any(session.state == CourseSession.State.PLANNED for session in sessions)
    whole = len([session for session in done if not session.is_maintenance]) >= course.planned
    if waits or not (whole or course.state == Course.State.STOPPED):
        return None
    return max((session.reported_at or referral.state_at for session in done), default=referral.state_at)


def by_mail(destination: Destination | None) -> bool:
    return destination is not None and bool(destination.email) and destination.mail_stopped_at is None


def restart(referral: Referral, at: datetime) -> None:
    """Start the clock that now runs, or stop all: after every event, and after every sign of life.

    A clock that runs on keeps its place on the ladder. One that starts anew takes back the item to call.
    """
    client = referral.client
    stops = referral.closed_at is not None or client.status in Client.LEFT
    practice = Practice.get()
    running = None if stops else clocks.due(facts_of(referral), practice)
    if running is not None and running.code == referral.clock and _was_put_off(referral, running.due_at, at):
        return
    if running is None:
        _set(referral, clock="", due_at=None, rung=0, climbs_at=None)
    elif (running.code, running.due_at) != (referral.clock, referral.due_at):
        first = clocks.climbs_at(running.due_at, 0, referral.urgency, practice, by_mail=by_mail(referral.destination))
        _set(referral, clock=running.code, due_at=running.due_at, rung=0, climbs_at=first)
    else:
        return
    silent = client.tasks.filter(kind="call_clinic", subject_id=referral.pk, done_at=None, facts__reason=SILENT)
    if silent.exists():
        Task.finish(client, "call_clinic", at=at, by=None, subject_id=referral.pk)


def _was_put_off(referral: Referral, due_at: datetime, at: datetime) -> bool:
    """Whether a call gave this clock more time than it has by itself (see `called`)."""
    return due_at <= at and referral.due_at is not None and referral.due_at > due_at


def _set(referral: Referral, **columns: Any) -> None:
    for name, value in columns.items():
        setattr(referral, name, value)
    Referral.objects.filter(pk=referral.pk).update(**columns)


# --- The ladder -------------------------------------------------------------------------------------------------------


def climb(*, at: datetime) -> int:
    """Do the next thing for each referral that was silent for long enough. Each rung once, however often it runs."""
    waiting = Referral.objects.open().filter(climbs_at__lte=at).order_by("climbs_at").values_list("pk", flat=True)
    return sum(_climb(pk, at) for pk in list(waiting))


@transaction.atomic
def _climb(pk: Any, at: datetime) -> bool:
    found = Referral.objects.open().select_related("destination").holding().filter(pk=pk, climbs_at__lte=at)
    referral = found.first()
    if referral is None or referral.due_at is None:
        return False
    practice = Practice.get()
    mail = by_mail(referral.destination)
    code = clocks.rungs()[referral.rung].code
    if code in (REMIND, CALL) and _waits_for_us(referral):
        _set(referral, climbs_at=clocks.deadline(at, 1, clocks.DAYS, practice))
        return False
    rung = referral.rung + 1
    if code == REMIND and not mail:
        code, rung = CALL, rung + 1
    if code == CLOSE and _must_stay(referral):
        _tell_supervisor(referral, at)
        _set(referral, climbs_at=clocks.deadline(at, clocks.AGAIN_DAYS, clocks.DAYS, practice))
    else:
        following = clocks.climbs_at(referral.due_at, rung, referral.urgency, practice, by_mail=mail)
        late = following is not None and following <= at  # after an outage: one rung at a time, none skipped
        _set(referral, rung=rung, climbs_at=at + timedelta(minutes=1) if late else following)
        {REMIND: _remind, CALL: _call, SUPERVISOR: _tell_supervisor, CLOSE: _close_silent}[code](referral, at)
    audit.record("referral.climbed", by=None, client=referral.client_id, target=referral, at=at, rung=rung, step=code)
    return True


def _waits_for_us(referral: Referral) -> bool:
    """Whether the clinic asked something and nobody here has answered: then it is not they who are silent."""
    return Task.objects.filter(
        client=referral.client_id, kind="clinic_asks", subject_id=referral.pk, done_at=None
    ).exists()


def _must_stay(referral: Referral) -> bool:
    """Whether this one is never put away by itself: a safety flag is open, or it is urgent with a safety sign."""
    urgent = referral.urgency == "urgent" and referral.has_safety_sign
    return urgent or Alert.objects.open().filter(client=referral.client_id).exists()


def _remind(referral: Referral, at: datetime) -> None:
    """One mail a day lists all that waits at a clinic: what runs out after today's mail is in tomorrow's."""
    practice = Practice.get()
    today = coverage.local(at, practice).date()
    key = f"digest:{referral.destination_id}:"
    sent = Job.objects.filter(dedupe_key=f"{key}{today}").first()
    if sent is None:
        jobs.enqueue("send_desk_digest", ref=referral.destination_id, dedupe_key=f"{key}{today}")
    elif sent.state != Job.State.DUE:
        opening = coverage.next_opening(at, practice)
        day = coverage.local(opening, practice).date()
        jobs.enqueue("send_desk_digest", ref=referral.destination_id, run_at=opening, dedupe_key=f"{key}{day}")


@transaction.atomic
def send_digest(*, destination: Destination, at: datetime) -> int:
    """Tell a clinic how many referrals wait for it, with one link to the list. Returns how many were named.

    Nothing is sent when the clinic has acted meanwhile, or asked for calls instead; nor is anybody led to a page that
    the client has closed by taking a release back.
    """
    if not by_mail(destination):
        return 0
    found = Referral.objects.stalled(at).filter(destination=destination, client__status__in=_CARED_FOR)
    late = [row for row in found.select_related("client") if _may_open(row, at)]
    if not late:
        return 0
    first = late[0]
    if first.link_expires_at is None or first.link_expires_at <= at:
        first.renew(at)
        first.save(update_fields=["generation", "token_digest", "link_expires_at"])
    link = notices.link(first.desk_path + "?all=1")
    notices.tell_clinic(destination.email, "desk_digest", count=len(late), link=link)
    for referral in late:
        audit.record("referral.reminded", by=None, client=referral.client_id, target=referral, at=at)
    return len(late)


def _may_open(referral: Referral, at: datetime) -> bool:
    packet = referral.packets.first()
    return packet is None or disclosure.may_read(packet, at).allowed


_CARED_FOR = [status for status in Client.Status.values if status not in Client.LEFT]


def _call(referral: Referral, at: datetime) -> None:
    client = referral.client
    Task.open(
        client,
        "call_clinic",
        at=at,
        subject_id=referral.pk,
        owner=client.therapist,
        due_at=clocks.deadline(at, 0, clocks.DAYS, Practice.get()),
        severity=referral.urgency,
        reason=SILENT,
        clock=referral.clock,
    )


def _tell_supervisor(referral: Referral, at: datetime) -> None:
    therapist = referral.client.therapist
    supervisor = therapist.supervisor if therapist else None
    told = [supervisor] if supervisor and supervisor.is_active else list(User.objects.with_role(Role.ADMIN))
    since = referral.heard_at or referral.sent_at or at
    for user in told:
        notices.tell_staff(
            user,
            "silent",
            link=notices.link(referral.get_absolute_url()),
            reference=referral.reference,
            days=(at - since).days,
        )


def _close_silent(referral: Referral, at: datetime) -> None:
    _set(referral, closed_at=at, closed_why=SILENT, clock="", due_at=None, rung=0, climbs_at=None)
    client = referral.client
    Task.finish(client, "call_clinic", at=at, by=None, subject_id=referral.pk)
    Task.open(client, "todo", at=at, subject_id=referral.pk, owner=client.therapist, reason="referral_closed")
    if client.therapist is not None and client.therapist.is_active:
        link = notices.link(referral.get_absolute_url())
        notices.tell_staff(client.therapist, "put_away", link=link, reference=referral.reference)
    audit.record("referral.closed", by=None, client=client, target=referral, at=at, why=SILENT)


# --- By a person ------------------------------------------------------------------------------------------------------


@transaction.atomic
def close(*, by: User, referral: Referral, at: datetime) -> None:
    """Put away a referral that is done with, here: its state stays what the clinic said. One press takes it back."""
    now = Referral.objects.held(referral.pk)
    if now.state == State.DRAFT or now.closed_at is not None:
        raise NotNow(gettext("There is nothing to put away: this referral is a draft, or was put away already."))
    if now.state not in TERMINAL and _must_stay(now):
        raise NotNow(
            gettext(
                "This one stays in the list: a safety flag is open, or it is urgent with a safety sign. "
                "Take it back at the clinic first."
            )
        )
    _put_away(now, ENDED, by, at)
    courses.over(now, by=by, at=at)
    referral.refresh_from_db()


def _put_away(referral: Referral, why: str, by: User | None, at: datetime) -> None:
    _set(referral, closed_at=at, closed_why=why)
    restart(referral, at)
    Task.finish(referral.client, "call_clinic", at=at, by=by, subject_id=referral.pk)
    audit.record("referral.closed", by=by, client=referral.client_id, target=referral, at=at, why=why)


@transaction.atomic
def undo_close(*, by: User, referral: Referral, at: datetime) -> None:
    """Take a referral that was put away back into the list. Its clock starts where it stands."""
    now = Referral.objects.held(referral.pk)
    if now.closed_at is None:
        raise NotNow(gettext("This referral is in the list."))
    if now.client.status in Client.LEFT:
        raise NotNow(gettext("The client is not with us any more."))
    courses.not_over(now, ended_at=now.closed_at)
    _set(now, closed_at=None, closed_why="")
    restart(now, at)
    if now.due_at is not None and now.due_at <= at:  # it was silent: from now on, a call and not another mail
        _set(now, rung=1, climbs_at=clocks.deadline(at, 1, clocks.DAYS, Practice.get()))
    Task.finish(now.client, "todo", at=at, by=by, subject_id=now.pk)
    audit.record("referral.reopened", by=by, client=now.client_id, target=now, at=at)
    referral.refresh_from_db()


@transaction.atomic
def called(*, by: User, referral: Referral, reached: bool, at: datetime) -> None:
    """Note that somebody called the clinic. When they were reached, the clock starts anew; else the call stays due."""
    now = Referral.objects.held(referral.pk)
    audit.record("referral.called", by=by, client=now.client_id, target=now, at=at, reached=reached)
    if not reached:
        Task.open(now.client, "call_clinic", at=at, subject_id=now.pk, due_at=coverage.next_opening(at, Practice.get()))
        return
    Task.finish(now.client, "call_clinic", at=at, by=by, subject_id=now.pk)
    _set(now, heard_at=at)
    restart(now, at)
    if now.clock and now.due_at is not None and now.due_at <= at:
        row, practice = clocks.clock(now.clock), Practice.get()
        amount = max(row.amount(now.urgency, practice.referral_limits), 1)
        again = clocks.deadline(at, amount, row.unit[now.urgency], practice)
        _set(now, due_at=again, rung=0, climbs_at=again)
    referral.refresh_from_db()


def on_leaving(*, by: User, client: Client, at: datetime) -> None:
    """Stop the clocks of a client who was discharged or died; what the clinic still says is kept."""
    for referral in Referral.objects.open().filter(client=client):
        referral.client = client
        _put_away(referral, DISCHARGED, by, at)


# --- The client's own word --------------------------------------------------------------------------------------------


def ask_clients(*, at: datetime) -> int:
    """Ask the client whether they went, once, after ten days without a word of the clinic. Returns how many."""
    since = at - timedelta(days=clocks.ASK_CLIENT_DAYS)
    silent = (
        Referral.objects.open()
        .filter(state__in=WAITING, client_told=True, client_asked_at=None, client__status__in=_CARED_FOR)
        .exclude(clock="letter")
        .exclude(visit_at__gt=since)
        .annotate(last=Coalesce(F("heard_at"), F("sent_at")))
        .filter(last__lte=since)
    )
    return sum(_ask(pk, at) for pk in list(silent.values_list("pk", flat=True)))


@transaction.atomic
def _ask(pk: Any, at: datetime) -> bool:
    referral = Referral.objects.holding().filter(pk=pk, client_asked_at=None).first()
    if referral is None:
        return False
    referral.client_asked_at = at
    referral.save(update_fields=["client_asked_at"])
    used = notices.tell_news(referral.client, at)
    audit.record("referral.client_asked", by=None, client=referral.client_id, target=referral, at=at, channels=used)
    return True


def has_answered(referral: Referral) -> bool:
    """Whether the client said something since they were asked."""
    asked = referral.client_asked_at
    return asked is None or ClientWord.objects.filter(referral=referral, at__gte=asked).exists()
