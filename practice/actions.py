"""Writes over several models of the practice: safety alerts and their ladder, admitting people, watching the system."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import F, Max
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext

from practice import audit, coverage, jobs, moves, notices
from practice.access import Role
from practice.clinical import escalation
from practice.models import (
    Alert,
    AlertEvent,
    AlertNotice,
    Client,
    Note,
    Notice,
    Practice,
    PsychotherapyNote,
    SafetyContact,
    Site,
    Task,
    User,
)
from practice.templatetags.ui import clock

Why = AlertNotice.Why
Kind = AlertEvent.Kind


class NotNow(Exception):
    """The act does not fit the state things are in; the message is a sentence for the person who tried."""


# --- People ----------------------------------------------------------------------------------------------------------


@transaction.atomic
def admit(*, by: User | None, site: Site, therapist: User | None, at: datetime, **identity: Any) -> Client:
    """Create a client of this therapist and site. `identity` are the sealed fields (name_used, email, phone, ...)."""
    newest = Client.objects.aggregate(n=Max("number"))["n"] or 400
    client = Client(site=site, therapist=therapist, number=newest + 1, created_at=at)
    for plain in ("language", "zone", "is_demo", "prescriber", "status"):
        if plain in identity:
            setattr(client, plain, identity.pop(plain))
    client.set_identity(**identity)
    client.save_identity()
    audit.record("client.admitted", by=by, client=client, target=client, at=at, fields=sorted(identity))
    return client


# What the apps above stop when a client leaves care: each is called with by, client (by then in Client.LEFT) and at, in
# the same transaction.
LEAVING: list[Callable[..., object]] = []
# Nobody is discharged over these: what was agreed for their safety is done first, a call they asked for is made, and
# what they wrote is read.
BEFORE_LEAVING = ("safety", "next_check", "care_today", "care_check", "call_me", "client_says", "hand_off", "message")


@transaction.atomic
def discharge(*, by: User, client: Client, status: str, words: str, at: datetime) -> None:
    """End a client's care (Client.ENDED): from now on nothing is sent to them or about them, and nothing is due.

    No safety flag is ever cleared by it. Somebody with an open flag, or an agreed check, is not discharged. After a
    death the flags stay, picked up by whoever recorded it, until a person closes each in words.
    """
    if status not in Client.ENDED:
        raise ValueError(status)
    if not words.strip():
        raise NotNow(gettext("Write a line on how their care ended."))
    row = Client.objects.hold(client.pk)
    if row.status in Client.LEFT:
        raise NotNow(gettext("Their care has ended already."))
    flags = list(Alert.objects.open().filter(client=row))
    tasks = row.tasks.filter(done_at=None)
    if status != Client.Status.DIED and (flags or tasks.filter(kind__in=BEFORE_LEAVING).exists()):
        raise NotNow(gettext("Something for their safety is still open. Finish it first; then discharge them."))
    for flag in flags:
        if flag.acknowledged_at is None:
            acknowledge(by=by, alert=flag, at=at)
        add_to_alert(by=by, alert=flag, words=words, at=at)
    write_note(by=by, client=row, words=words, at=at)
    row.status, row.version = status, row.version + 1
    row.save(update_fields=["status", "version"])
    waiting = Notice.objects.filter(client=row, state=Notice.State.WAITING)
    stopped = waiting.update(state=Notice.State.STOPPED, words=None)
    for hook in LEAVING:
        hook(by=by, client=row, at=at)
    open_flags = [flag.pk for flag in flags]
    tasks.exclude(kind="safety", subject_id__in=open_flags).update(done_at=at, done_by=by)
    row.refresh_rank()
    audit.record("client.discharged", by=by, client=row, target=row, at=at, status=status, messages_stopped=stopped)
    client.refresh_from_db()


@transaction.atomic
def take_back(*, by: User, client: Client, words: str, at: datetime) -> None:
    """Take somebody back into care. What was stopped stays stopped: forms, page links and plans begin anew."""
    if not words.strip():
        raise NotNow(gettext("Write a line on why they are back."))
    back = Client.objects.filter(pk=client.pk, status__in=Client.ENDED)
    if not back.update(status=Client.Status.ACTIVE, version=F("version") + 1):
        raise NotNow(gettext("They are in care already."))
    client.refresh_from_db()
    write_note(by=by, client=client, words=words, at=at)
    audit.record("client.taken_back", by=by, client=client, target=client, at=at)


# --- Safety alerts ---------------------------------------------------------------------------------------------------


def _event(alert: Alert, kind: str, at: datetime, by: User | None = None, words: str = "", **facts: Any) -> None:
    row = AlertEvent(alert=alert, kind=kind, at=at, by=by, facts=facts)
    row.words = words
    row.save(force_insert=True)


@transaction.atomic
def raise_alert(
    *,
    by: Any,
    client: Client,
    source: str,
    severity: str,
    rules: Sequence[Mapping[str, str]],
    at: datetime,
    source_id: UUID | None = None,
    answers: Sequence[Mapping[str, Any]] = (),
    reason: str = "",
) -> Alert:
    """Open the safety flag of this sitting, or add to the one that is open; in the record that stands, after a merge.

    The severity never falls. A rise, or a new rule, is an event; a rise starts the ladder again, so that somebody who
    picked the flag up at a lower level is told anew. `by` is the client for a form, a User for a manual flag.
    """
    alert = None
    Client.objects.hold(client.pk)
    if source_id is not None:
        alert = Alert.objects.select_for_update(no_key=True).filter(source_id=source_id, closed_at=None).first()
    fired = [{**rule, "at": at.isoformat()} for rule in rules]
    if alert is None:
        merge = moves.standing(client)
        client = merge.client if merge is not None else client
        alert = Alert(
            client=client,
            source=source,
            source_id=source_id,
            severity=severity,
            rules=fired,
            opened_at=at,
            raised_at=at,
            raised_by=by if isinstance(by, User) else None,
        )
        alert.answers, alert.reason = list(answers), reason
        alert.save(force_insert=True)
        if merge is not None:
            moves.note(merge, alert, at)
        _event(alert, Kind.OPENED, at, by=alert.raised_by, severity=severity, rules=[r["id"] for r in fired])
        audit.record("alert.opened", by=by, client=client, target=alert, at=at, rules=[r["id"] for r in fired])
        _tell_rung(alert, 0, at)
    else:
        known = set(alert.rule_ids)
        new = [rule for rule in fired if rule["id"] not in known]
        rises = Alert.RANK[severity] < Alert.RANK[alert.severity]
        alert.rules = [*alert.rules, *new]
        alert.answers = _together(alert.answers or [], answers)
        alert.version += 1
        if rises:
            alert.severity, alert.raised_at, alert.rung = severity, at, 0
            alert.acknowledged_at = alert.acknowledged_by = None
        alert.save()
        if new or rises:
            _event(alert, Kind.ROSE if rises else Kind.ADDED, at, severity=alert.severity, rules=[r["id"] for r in new])
            audit.record("alert.added", by=by, client=client, target=alert, at=at, rules=[r["id"] for r in new])
        if rises:
            _tell_rung(alert, 0, at)
    _keep_task(alert, at)
    return alert


def _held(alert: Alert) -> Alert:
    """The flag as it is now, held by this transaction; its client's row before it, as everybody takes the two."""
    if alert.client_id:
        Client.objects.hold(alert.client_id)
    found: Alert = Alert.objects.select_for_update(no_key=True).get(pk=alert.pk)
    return found


def _together(kept: Sequence[Mapping[str, Any]], said: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The answers as they are now, after those that only the flag still knows: signs changed since, and own words."""
    now = {(row["link_id"], row["answer"]) for row in said}
    asked = {link_id for link_id, _ in now}
    gone = [row for row in kept if (row["link_id"], row["answer"]) not in now]
    return [*(row for row in gone if row["positive"] or row["link_id"] not in asked), *said]


def _keep_task(alert: Alert, at: datetime) -> None:
    """The caseload item of an open alert: due when the clock of its severity runs out."""
    if alert.client is None:
        return
    practice = Practice.get()
    due = {
        "urgent": alert.raised_at + timedelta(minutes=escalation.minutes("urgent", practice.ladder)[1]),
        "priority": coverage.read_by(alert.raised_at, practice),
        "routine": coverage.routine_by(alert.raised_at, practice),
    }[alert.severity]
    Task.open(
        alert.client,
        "safety",
        at=alert.opened_at,
        subject_id=alert.pk,
        due_at=due,
        rules=alert.rule_ids,
        severity=alert.severity,
        acknowledged=bool(alert.acknowledged_at),
        left=bool(alert.left_at),
        source=alert.source,
    )


def rung_people(alert: Alert, rung: int, at: datetime) -> list[tuple[User, str]]:
    """Whom a rung of the ladder tells. An empty rung (no backup named) tells the next one instead, up to the admins."""
    called = coverage.on_call(at, Practice.get(), coverage.shifts())
    on_call = [(user, str(Why.ON_CALL)) for user in called]
    therapist = alert.client.therapist if alert.client else None
    first = [therapist] if therapist and therapist.is_active else called  # whose backup and supervisor come next
    found: list[tuple[User, str]] = []
    if rung == 0:
        found = [(user, str(Why.THERAPIST)) for user in first if user == therapist] + on_call
    elif rung == 1:
        found = [(u.backup, str(Why.BACKUP)) for u in first if u.backup and u.backup.is_active] + on_call
    elif rung == 2:
        found = [(u.supervisor, str(Why.SUPERVISOR)) for u in first if u.supervisor and u.supervisor.is_active]
    elif rung == 3:
        found = [(user, str(Why.ADMIN)) for user in User.objects.with_role(Role.ADMIN)]
    if not found and rung < 3:
        return rung_people(alert, rung + 1, at)
    return list({user.pk: (user, why) for user, why in reversed(found)}.values())[::-1]


def _tell_rung(alert: Alert, rung: int, at: datetime) -> None:
    practice = Practice.get()
    alert.rung = rung
    alert.climbs_at = escalation.next_climb(alert.severity, alert.raised_at, rung, practice.ladder)
    Alert.objects.filter(pk=alert.pk).update(rung=rung, climbs_at=alert.climbs_at)
    for user, why in rung_people(alert, rung, at):
        tell(alert, user, why, rung, at)


def tell(alert: Alert, user: User, why: str, rung: int, at: datetime) -> None:
    """Tell one person of an alert, by mail and text, and keep that they were told."""
    with timezone.override(Practice.get().zone):
        told_at, next_at = clock(at), clock(alert.climbs_at)
    AlertNotice.objects.get_or_create(alert=alert, user=user, rung=rung, defaults={"why": why, "told_at": at})
    _event(alert, Kind.TOLD, at, who=str(user.pk), name=user.name, why=str(why), rung=rung)
    notices.tell_staff(
        user,
        "urgent" if rung == 0 else "climbed",
        urgent=alert.severity != "routine",
        link=notices.link(reverse("alert_open", args=[alert.pk])),
        at=told_at,
        minutes=int((at - alert.raised_at).total_seconds() // 60),
        next_at=next_at,
        drill=alert.is_drill,
    )


def climb_alerts(*, at: datetime) -> int:
    """Tell the next person for each alert that nobody picked up in time. Each rung once, however often this runs."""
    climbed = 0
    waiting = Alert.objects.filter(closed_at=None, acknowledged_at=None, climbs_at__lte=at).values_list("pk", flat=True)
    for pk in list(waiting):
        with transaction.atomic():
            found = Alert.objects.filter(pk=pk).first()  # one that was erased meanwhile keeps nobody else waiting
            alert = _held(found) if found is not None else None
            if alert is None or alert.acknowledged_at or alert.climbs_at is None or alert.climbs_at > at:
                continue
            rung = escalation.rung_at(alert.severity, alert.raised_at, at, Practice.get().ladder)
            for missed in range(alert.rung + 1, max(rung, alert.rung + 1) + 1):
                _event(alert, Kind.CLIMBED, at, rung=missed)
                _tell_rung(alert, missed, at)
            audit.record("alert.climbed", by=None, client=alert.client_id, target=alert, at=at, rung=alert.rung)
            climbed += 1
    return climbed


@transaction.atomic
def hand_on(*, by: User | None, alert: Alert, former: User | None, at: datetime) -> None:
    """Pass an open flag on from somebody who does not look after this client any more.

    The therapist of now is told. A flag that `former` picked up without a contact goes back on the ladder: whoever is
    told first has as long as anybody, then it climbs.
    """
    alert = _held(alert)
    if former is not None:
        alert.notices.filter(user=former, why=Why.THERAPIST).delete()
    picked_up = former is not None and alert.acknowledged_by_id == former.pk and not alert.contacts.exists()
    if picked_up:
        first = escalation.minutes(alert.severity, Practice.get().ladder)[1]
        alert.acknowledged_at = alert.acknowledged_by = None
        alert.rung, alert.climbs_at, alert.version = 0, at + timedelta(minutes=first), alert.version + 1
        alert.save(update_fields=["acknowledged_at", "acknowledged_by", "rung", "climbs_at", "version"])
        _keep_task(alert, at)
    therapist = alert.client.therapist if alert.client else None
    told = rung_people(alert, 0, at) if picked_up else [(therapist, str(Why.THERAPIST))] if therapist else []
    for user, why in told:
        if user != former:
            tell(alert, user, why, 0, at)
    audit.record("alert.handed_on", by=by, client=alert.client_id, target=alert, at=at, back=picked_up)


@transaction.atomic
def acknowledge(*, by: User, alert: Alert, at: datetime) -> bool:
    """Pick the alert up. Returns False when somebody else was first (see `acknowledged_by`); exactly one wins."""
    _held(alert)
    won = Alert.objects.filter(pk=alert.pk, acknowledged_at=None, closed_at=None).update(
        acknowledged_at=at, acknowledged_by=by, climbs_at=None
    )
    alert.refresh_from_db()
    if won:
        _event(alert, Kind.ACKNOWLEDGED, at, by=by)
        audit.record("alert.acknowledged", by=by, client=alert.client_id, target=alert, at=at)
        if alert.is_drill:
            _close_drill(alert, by, at)
        else:
            _keep_task(alert, at)
    else:
        audit.record("alert.acknowledged_late", by=by, client=alert.client_id, target=alert, at=at)
    return bool(won)


@transaction.atomic
def record_contact(*, by: User, alert: Alert, recorded_at: datetime, **said: Any) -> SafetyContact:
    """Record an attempt to reach the client. Also picks the alert up when nobody has."""
    if alert.is_drill or alert.client is None:
        raise NotNow(gettext("A drill has nobody to call."))
    if not alert.is_open:
        raise NotNow(gettext("This flag was closed. Raise a new one, or add a note to it."))
    _held(alert)
    if not alert.acknowledged_at:
        acknowledge(by=by, alert=alert, at=recorded_at)
    contact = SafetyContact(alert=alert, by=by, recorded_at=recorded_at)
    for name, value in said.items():
        setattr(contact, name, value)
    contact.save(force_insert=True)
    _event(alert, Kind.CONTACT, recorded_at, by=by, contact=str(contact.pk), reached=contact.reached)
    audit.record("alert.contact", by=by, client=alert.client, target=alert, at=recorded_at)
    Task.open(
        alert.client,
        "safety",
        at=alert.opened_at,
        subject_id=alert.pk,
        due_at=contact.next_check_at,
        contact=contact.reached,
        acknowledged=True,
    )
    if contact.reached == SafetyContact.Reached.YES:
        Alert.objects.filter(pk=alert.pk).update(call_wanted_at=None)
        Task.finish(alert.client, "call_me", at=recorded_at, by=by)
        Task.finish(alert.client, "quiet", at=recorded_at, by=by)
    return contact


@transaction.atomic
def close_alert(*, by: User, alert: Alert, action: str, note: str, at: datetime, seen: int | None = None) -> None:
    """Close by a named person's action and words; refused until a contact with level, plan and next check is recorded.

    A contact from before the flag became more serious does not count, and what was added after the closer read the flag
    (`seen`, its version then) has to be read first. Opens the item for the next check, so that the
    follow-up outlives the flag. After a death there is no contact to record; the words are asked for all the same.
    """
    if alert.is_drill or alert.client is None:
        raise NotNow(gettext("A drill closes itself when somebody picks it up."))
    now = _held(alert)
    last = alert.contacts.order_by("recorded_at").last()
    if alert.client.status == Client.Status.DIED:
        last = None  # nobody is left to reach, or to check on
    elif last is None or last.level == SafetyContact.Level.UNKNOWN:
        raise NotNow(gettext("Record a contact with a level, a plan and the next check first."))
    elif last.recorded_at < now.raised_at:
        raise NotNow(gettext("The flag became more serious after the last contact. Record a new contact first."))
    if not note.strip():
        raise NotNow(gettext("Write a line on why this flag can be closed."))
    if seen is not None and seen != now.version and now.is_open:
        raise NotNow(gettext("More was answered while you wrote. Read the flag again, then close it."))
    won = Alert.objects.filter(pk=alert.pk, closed_at=None).update(
        closed_at=at, closed_by=by, action=action, climbs_at=None
    )
    if not won:
        alert.refresh_from_db()
        raise NotNow(gettext("{who} closed this flag first.").format(who=alert.closed_by))
    alert.refresh_from_db()
    alert.closing_note = note
    alert.save(update_fields=["closing_note"])
    _event(alert, Kind.CLOSED, at, by=by, words=note, action=action)
    audit.record("alert.closed", by=by, client=alert.client, target=alert, at=at)
    Task.finish(alert.client, "safety", at=at, by=by, subject_id=alert.pk)
    if last is not None:
        Task.open(alert.client, "next_check", at=at, subject_id=alert.pk, due_at=last.next_check_at)


@transaction.atomic
def add_to_alert(*, by: User, alert: Alert, words: str, at: datetime) -> None:
    """Append words to an alert, open or closed; what was written before stays as it was."""
    if not words.strip():
        raise NotNow(gettext("Write what you want to add."))
    _event(alert, Kind.ADDED, at, by=by, words=words)
    audit.record("alert.noted", by=by, client=alert.client_id, target=alert, at=at)


@transaction.atomic
def finish_next_check(*, by: User, alert: Alert, words: str, at: datetime) -> None:
    """Record that the follow-up check after a closed flag was made."""
    _held(alert)
    add_to_alert(by=by, alert=alert, words=words, at=at)
    if alert.client:
        Task.finish(alert.client, "next_check", at=at, by=by, subject_id=alert.pk)


@transaction.atomic
def client_did(
    *,
    client: Client,
    alert: Alert,
    kind: str,
    at: datetime,
    call_by: datetime | None = None,
    by: Any = None,
    **facts: Any,
) -> None:
    """Record what the client saw or tapped after a safety answer. Codes only. `call_by`: of a call that was wanted.

    `by`: the guardian who answers for them, when it was not the client who saw it.
    """
    if by is not None:
        facts["guardian"] = True
    alert = _held(alert)
    if kind == Kind.LEFT and (alert.left_at or not alert.is_open):
        return
    _event(alert, kind, at, **facts)
    if kind in (Kind.LEFT, Kind.CAME_BACK):
        alert.left_at = at if kind == Kind.LEFT else None
        Alert.objects.filter(pk=alert.pk).update(left_at=alert.left_at)
        if alert.is_open:
            _keep_task(alert, at)
    if kind == Kind.CALL_WANTED:
        Alert.objects.filter(pk=alert.pk).update(call_wanted_at=at)
        Task.open(client, "call_me", at=at, due_at=coverage.next_opening(at, Practice.get()))
        notices.tell_client(client, "call_me", channels=("sms",), call_by=call_by.isoformat() if call_by else "")
    if kind == Kind.CALL_UNWANTED:
        Alert.objects.filter(pk=alert.pk).update(call_wanted_at=None)
        Task.finish(client, "call_me", at=at, by=None)
    audit.record(f"client.{kind}", by=by or client, client=client, target=alert, at=at)


@transaction.atomic
def raise_manual_flag(*, by: User, client: Client, severity: str, reason: str, at: datetime) -> Alert:
    """A clinician's own flag (D10): same alert, same ladder."""
    if not reason.strip():
        raise NotNow(gettext("Write what you saw or heard."))
    return raise_alert(
        by=by,
        client=client,
        source=Alert.Source.MANUAL,
        severity=severity,
        rules=[{"id": "manual", "version": "1"}],
        reason=reason,
        at=at,
    )


@transaction.atomic
def run_drill(*, by: User, at: datetime) -> Alert:
    """Send a marked test flag down the real path, starting from the people on call."""
    alert = Alert(
        is_drill=True,
        source=Alert.Source.DRILL,
        severity=Alert.Severity.URGENT,
        rules=[{"id": "drill", "version": "1", "at": at.isoformat()}],
        opened_at=at,
        raised_at=at,
        raised_by=by,
    )
    alert.save(force_insert=True)
    _event(alert, Kind.OPENED, at, by=by, severity="urgent", rules=["drill"])
    audit.record("alert.drill", by=by, target=alert, at=at)
    _tell_rung(alert, 0, at)
    return alert


def _close_drill(alert: Alert, by: User, at: datetime) -> None:
    Alert.objects.filter(pk=alert.pk).update(closed_at=at, closed_by=by, action=Alert.Action.NO_CHANGE)
    _event(alert, Kind.CLOSED, at, by=by, action="drill")


# --- Notes, and open items that words finish --------------------------------------------------------------------------


@transaction.atomic
def write_note(*, by: User, client: Client, words: str, at: datetime, about: Note | None = None) -> Note:
    """Add a note to the record; with `about`, an addendum to that note, which itself stays as it was."""
    if not words.strip():
        raise NotNow(gettext("Write the note first."))
    Client.objects.hold(client.pk)
    note = Note(client=client, about=about, by=by, at=at)
    note.body = words
    note.save(force_insert=True)
    audit.record("note.added", by=by, client=client, target=note, at=at, addendum=about is not None)
    Task.finish(client, "quiet", at=at, by=by)
    return note


@transaction.atomic
def write_psychotherapy_note(*, by: User, client: Client, words: str, at: datetime) -> PsychotherapyNote:
    """Add a note that only its author will ever read (45 CFR 164.501)."""
    if not words.strip():
        raise NotNow(gettext("Write the note first."))
    note = PsychotherapyNote(client=client, by=by, at=at)
    note.body = words
    note.save(force_insert=True)
    audit.record("psychotherapy_note.added", by=by, client=client, target=note, at=at)
    return note


@transaction.atomic
def finish_task(*, by: User, task: Task, words: str, at: datetime) -> None:
    """Finish an open item by a person's words, which become a note in the record. Once; the second person reads who."""
    if not words.strip():
        raise NotNow(gettext("Write what was done."))
    Client.objects.hold(task.client_id)
    if not Task.objects.filter(pk=task.pk, done_at=None).update(done_at=at, done_by=by):
        task.refresh_from_db()
        raise NotNow(gettext("{who} finished this first.").format(who=task.done_by or gettext("The client")))
    task.client.refresh_rank()
    write_note(by=by, client=task.client, words=words, at=at)
    audit.record("task.done", by=by, client=task.client, target=task, at=at, kind=task.kind)


# --- The system itself -----------------------------------------------------------------------------------------------


def watch_system(*, at: datetime) -> None:
    """Tell the admins when jobs wait too long or a safety notice could not be sent: once an hour while it lasts."""
    waiting = jobs.oldest_waiting_min(at)
    unsent = notices.unsent(at).exists()
    if waiting < jobs.STUCK_MIN and not unsent:
        return
    if Notice.objects.filter(template="system", created_at__gt=at - timedelta(hours=1)).exists():
        return
    for admin in User.objects.with_role(Role.ADMIN):
        notices.tell_staff(admin, "system", link=notices.link(reverse("system_state")), minutes=waiting, unsent=unsent)
