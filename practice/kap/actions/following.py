"""What follows from a line in the log of a session: who is told, what is flagged, what is opened."""

from collections.abc import Callable, Iterable
from datetime import date, datetime, time, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from django.urls import reverse
from django.utils.translation import gettext

from intake import measures
from intake.models import Measure
from practice import notices
from practice.actions import raise_manual_flag
from practice.kap.actions import integration, plans
from practice.kap.logbook import is_alarm
from practice.kap.models import Entry, Session
from practice.models import Alert, Practice, Task, User
from practice.templatetags.ui import clock

Kind = Entry.Kind
AFTER_DOSE_DAYS = (1, 7)  # measures on day 1 and day 7 after a dose
SEVERE = 3  # of the grades: an item is opened beside the notice


def _after_dose(session: Session, entry: Entry, by: User | None, at: datetime) -> None:
    if session.state in (*Session.AHEAD, Session.State.SKIPPED, Session.State.MISSED):
        session.state, session.started_at, session.started_by = Session.State.STARTED, entry.happened_at, by
        session.sequence, session.changed_at = session.sequence + 1, at
        session.save(update_fields=["state", "started_at", "started_by", "sequence", "changed_at"])
        plans.count(session.plan, session)
    client, dose_at = session.plan.client, entry.happened_at
    wanted = [(plans.CHECK_IN, str(Measure.Why.AFTER_DOSE), dose_at + timedelta(days=days)) for days in AFTER_DOSE_DAYS]
    measures.replan(client, session.pk, wanted, at=at)
    contact_by = dose_at + integration.CONTACT_BY
    booked = Session.objects.filter(plan__client=client, kind=Session.Kind.INTEGRATION, state=Session.State.PLANNED)
    if not booked.filter(starts_at__gt=dose_at, starts_at__lte=contact_by).exists():
        Task.open(client, integration.KIND, at=at, subject_id=session.plan_id, due_at=contact_by)
    _after_supplement(session, entry, by, at)


def _after_supplement(session: Session, entry: Entry, by: User | None, at: datetime) -> None:
    if (entry.facts or {}).get("against"):
        _tell_prescriber(session, entry, at)


def _after_event(session: Session, entry: Entry, by: User | None, at: datetime) -> None:
    """An adverse event: the prescriber is told at once (H10); a severe one, or new thoughts of suicide, opens more."""
    facts = entry.facts or {}
    _tell_prescriber(session, entry, at)
    if facts["what"] in ("suicidal", "self_harm"):
        _flag(session, by, at, gettext("New or worse suicidal thoughts, or self-harm, noted in a session."))
    elif facts["grade"] >= SEVERE:
        Task.open(session.plan.client, "adverse", at=at, subject_id=session.plan_id, due_at=at)


def _after_check(session: Session, entry: Entry, by: User | None, at: datetime) -> None:
    """The adult in the home says that something is wrong: told at once, and left for a clinician to grade (H9)."""
    if not is_alarm(entry):
        return
    _tell_prescriber(session, entry, at)
    reason = "chaperone_now" if (entry.facts or {}).get("help") else "chaperone"
    owner = session.therapist or session.plan.client.therapist
    Task.open(session.plan.client, "todo", at=at, subject_id=session.pk, owner=owner, due_at=at, reason=reason)
    if (entry.facts or {}).get("sees") == "suicidal":
        maker = entry.by_chaperone.made_by if entry.by_chaperone else None
        who = session.therapist or session.plan.client.therapist or maker
        _flag(session, who, at, gettext("The adult in the home heard talk of dying or self-harm in a session."))


def _after_ready(session: Session, entry: Entry, by: User | None, at: datetime) -> None:
    facts = entry.facts or {}
    if facts["item"] == "screener" and facts["answer"] != "no":
        _flag(
            session, by, at, gettext("Asked before a dose: thoughts of suicide since the last contact, or no answer.")
        )


def _after_leave(session: Session, entry: Entry, by: User | None, at: datetime) -> None:
    facts = entry.facts or {}
    if facts["item"] == "self_harm" and facts["answer"] != "no":
        _flag(session, by, at, gettext("Asked after a dose: thoughts of hurting themselves, or no answer."))


def _flag(session: Session, by: User | None, at: datetime, words: str) -> None:
    who = by or session.therapist or session.plan.client.therapist
    if who is not None:
        raise_manual_flag(by=who, client=session.plan.client, severity=Alert.Severity.URGENT, reason=words, at=at)


def _tell_prescriber(session: Session, entry: Entry, at: datetime) -> None:
    client = session.plan.client
    people = (client.prescriber, client.therapist, session.therapist)
    told = {user.pk: user for user in people if user is not None and user.is_active}
    for user in told.values():
        notices.tell_staff(
            user,
            "session_event",
            urgent=True,
            link=notices.link(reverse("session", args=[session.plan_id, session.pk])),
            at=clock(at),
        )


AFTER: dict[str, Callable[[Session, Entry, User | None, datetime], None]] = {
    Kind.DOSE: _after_dose,
    Kind.SUPPLEMENT: _after_supplement,
    Kind.CHECK: _after_check,
    Kind.EVENT: _after_event,
    Kind.READY: _after_ready,
    Kind.LEAVE: _after_leave,
}


def follow(session: Session, entry: Entry, by: User | None, at: datetime) -> None:
    if after := AFTER.get(Kind(entry.kind)):
        after(session, entry, by, at)


def dosed_on(clients: Iterable[UUID], day: date) -> set[UUID]:
    """Those of them who have a dosing session that day, by their own calendar. One query, and the practice's row."""
    zone = ZoneInfo(Practice.get().zone)
    start = datetime.combine(day, time(), tzinfo=zone) - timedelta(days=1)
    rows = Session.objects.filter(
        plan__client__in=clients,
        kind=Session.Kind.DOSING,
        starts_at__gte=start,
        starts_at__lt=start + timedelta(days=3),
    ).exclude(state__in=(Session.State.MISSED, Session.State.SKIPPED))
    return {
        client
        for client, theirs, at in rows.values_list("plan__client", "plan__client__zone", "starts_at")
        if at.astimezone(ZoneInfo(theirs) if theirs else zone).date() == day
    }
