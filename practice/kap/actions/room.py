"""The log of a dosing session: lines from one or more devices, each once, in their true order; start, sign, note.

A line is a fact that somebody saw. One that cannot be (a blood pressure of 1200/8) is given back with a sentence, not
kept. A dose that was given is always kept: if the clearance was taken back while the network was gone, the line says
so and the prescriber is told.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext

from intake import resigning
from intake.models import Signature
from practice import audit
from practice.actions import NotNow, write_note
from practice.clinical import room as rules
from practice.clinical.room import Line, Room
from practice.kap import logbook
from practice.kap.actions import clearance, following, plans, rescreen, weighing
from practice.kap.models import ChaperoneLink, DoseUse, Entry, Session
from practice.models import Note, User
from practice.templatetags.ui import full_day

Kind = Entry.Kind
FRESH = timedelta(minutes=2)  # a line that comes later than this was written while the network was gone
EARLIEST = timedelta(hours=12)  # a line that a device says is older than this is wrong about its clock
CONSENT_GOOD = timedelta(days=365)  # PROTOCOLS booster: consent not older than 12 months


@dataclass(frozen=True)
class Taken:
    """What became of one line that a device sent."""

    key: str
    sentence: str
    """Empty when it was kept (now, or at an earlier try)."""


# --- Reading ---------------------------------------------------------------------------------------------------------


def lines(session: Session) -> list[Line]:
    """The lines that stand, corrected ones left out. One query."""
    rows = list(session.entries.all())
    gone = {row.corrects_id for row in rows if row.corrects_id}
    return [Line(row.kind, row.facts or {}, row.happened_at) for row in rows if row.pk not in gone]


def state(session: Session, now: datetime) -> Room:
    client = session.plan.client
    age = client.age(now.date())
    return rules.room(lines(session), now, age=age, remote=session.setting == Session.Setting.REMOTE)


def against_start(session: Session, now: datetime) -> list[str]:
    """Return what is missing for a start, each as a sentence; empty when it may start (H3)."""
    found, client = state(session, now), session.plan.client
    today, planned_on = session.plan.today(now), session.plan.today(session.starts_at)
    said = []
    if planned_on != today:
        said.append(
            gettext("This session is planned for {day}. Move it to today first.").format(day=full_day(planned_on))
        )
    ledger = clearance.ledger(client, today)
    if not DoseUse.objects.filter(session=session).exists():
        route = ledger.good[0].clearance.route if ledger.good else ""
        last = weighing.last_dose_on(client, besides=session)
        if sentence := clearance.against(ledger, mg=None, route=route, today=today, last_dose_on=last):
            said.append(sentence)
    if not has_consent(session, now):
        said.append(gettext("The ketamine agreement is not signed, or older than 12 months."))
    elif not resigning.is_current(client, "ketamine", now):
        said.append(gettext("The ketamine agreement has to be signed again: a new version, or its time is over."))
    if sentence := rescreen.against(session, today):
        said.append(sentence)
    return said + _open_words(found)


def _open_words(found: Room, *, besides: str = "") -> list[str]:
    """What the checks and the blood pressure say against a dose, each as a sentence.

    `besides`: a state of a check that is left out; with MISSING, a blood pressure that was not taken is too.
    """
    asks = {asked.item.code: asked for asked in found.ready if asked.state != besides}
    codes = [code for code in found.open_before if code in asks]
    said = [_ready_words(asks[code]) for code in codes]
    if "bp" in found.open_before and not (besides == rules.MISSING and found.gate == "unknown"):
        said.append(_pressure_words(found))
    return said


def has_consent(session: Session, now: datetime) -> bool:
    signed = Signature.objects.filter(client=session.plan.client, document="ketamine")
    return bool(signed.filter(signed_at__gte=now - CONSENT_GOOD).exists())


def _ready_words(asked: rules.Asked) -> str:
    if asked.state == rules.MISSING:
        return gettext("Not asked yet: {ask}").format(ask=asked.item.ask)
    answer = asked.item.answers.get(str(asked.answer), str(asked.answer))
    return gettext("{ask} {answer}.").format(ask=asked.item.ask, answer=answer)


def _pressure_words(found: Room) -> str:
    return {
        "unknown": gettext("No blood pressure yet."),
        "prescriber_ok_needed": gettext("Blood pressure needs the prescriber's word before a dose."),
        "no_dose": gettext("Blood pressure is too high for a dose. Treat it first; measure again."),
        "urgent": gettext("Blood pressure is in crisis range. No dose. Repeat in 5 minutes; same-day medical care."),
        "emergency": gettext("Blood pressure is in crisis range with symptoms. No dose. Call 911."),
    }[found.gate]


# --- Writing ---------------------------------------------------------------------------------------------------------


def record(
    *,
    session: Session,
    sent: Sequence[Mapping[str, Any]],
    at: datetime,
    by: User | None = None,
    chaperone: ChaperoneLink | None = None,
    sent_at: datetime | None = None,
) -> list[Taken]:
    """Keep the lines that a device sends, each in its own transaction. A key that is known changes nothing.

    A line is {"key", "kind", "facts", "device_at", "corrects"}. `sent_at` is what the device's clock says now: by how
    much it is off is taken off each of its times.
    """
    off = at - sent_at if sent_at is not None else timedelta(0)
    return [_keep(session, line, off, at, by, chaperone) for line in sent]


def _keep(
    session: Session,
    line: Mapping[str, Any],
    off: timedelta,
    at: datetime,
    by: User | None,
    chaperone: ChaperoneLink | None,
) -> Taken:
    key = str(line.get("key", ""))[:64]
    try:
        with transaction.atomic():
            _write(session, line, UUID(key), off, at, by, chaperone)
    except NotNow as sentence:
        return Taken(key, str(sentence))
    except (ValueError, TypeError, OverflowError):
        return Taken(key, gettext("This line could not be read. Enter it again."))
    return Taken(key, "")


def _write(
    session: Session,
    line: Mapping[str, Any],
    key: UUID,
    off: timedelta,
    at: datetime,
    by: User | None,
    chaperone: ChaperoneLink | None,
) -> None:
    row: Session = Session.objects.select_related(
        "plan__client__prescriber", "plan__client__therapist", "therapist"
    ).held(session.pk)
    if Entry.objects.filter(session=row, key=key).exists():
        return
    kind = str(line.get("kind", ""))
    facts = line.get("facts")
    if (
        kind not in logbook.TAKES
        or not isinstance(facts, Mapping)
        or (chaperone is not None and kind not in FROM_CHAPERONE)
    ):
        raise ValueError(kind)
    happened_at, device_at = _when(line, off, at)
    kept = logbook.TAKES[kind](facts)
    _is_open(row, kind, kept, happened_at, chaperone)
    entry = Entry(
        session=row,
        key=key,
        kind=kind,
        happened_at=happened_at,
        device_at=device_at,
        at=at,
        by=by,
        by_chaperone=chaperone,
    )
    if kind == Kind.CORRECT:
        entry.corrects = _corrected(row, line.get("corrects") or facts.get("corrects"))
    if kind in DOSES:
        is_given = bool(facts.get("given")) or happened_at < at - FRESH
        kept |= DOSES[kind](row, kept, happened_at, is_given)
    entry.facts = kept
    entry.save(force_insert=True)
    audit.record("session.logged", by=by or chaperone, client=row.plan.client, target=row, at=at, kind=kind)
    following.follow(row, entry, by, at)


def _is_open(
    row: Session, kind: str, kept: Mapping[str, Any], happened_at: datetime, chaperone: ChaperoneLink | None
) -> None:
    """Raise NotNow for what came after the end. That something is wrong can always be told."""
    ends = [moment for moment in (row.signed_at, chaperone.ended_at if chaperone else None) if moment is not None]
    if not ends or happened_at <= min(ends):
        return
    if chaperone is None and kind not in (Kind.EVENT, Kind.CORRECT):
        raise NotNow(gettext("This session is signed. Only a side effect or a correction can be added."))
    if chaperone is not None and kept["state"] != logbook.ALARM:
        raise NotNow(gettext("The session is over. Only that something is wrong can be added."))


def _when(line: Mapping[str, Any], off: timedelta, at: datetime) -> tuple[datetime, datetime | None]:
    """The moment a line happened by our clock, and as the device said. One out of reason counts as now."""
    said = line.get("device_at")
    if not said:
        return at, None
    device_at = datetime.fromisoformat(str(said))
    if device_at.tzinfo is None:
        raise ValueError("a time without a zone")
    happened_at = device_at + off
    return (happened_at if at - EARLIEST <= happened_at <= at else at), device_at


def _corrected(session: Session, key: Any) -> Entry:
    try:
        found: Entry | None = session.entries.filter(key=UUID(str(key))).exclude(kind=Kind.CORRECT).first()
    except ValueError:
        found = None
    if found is None:
        raise NotNow(gettext("Choose the line that is wrong."))
    return found


def _dose_lines(session: Session) -> QuerySet[Entry]:
    return session.entries.filter(kind=Kind.DOSE, corrections=None)


FROM_CHAPERONE = (Kind.CHECK,)


# --- A dose -----------------------------------------------------------------------------------------------------------


def _dose(session: Session, facts: dict[str, Any], happened_at: datetime, is_given: bool) -> dict[str, Any]:
    """Use a dose of the ledger. Refused with the rule; one that was given already is kept, and says what is against it.

    `is_given`: somebody says so, or it comes late from a device that was offline.
    """
    _is_for_doses(session)
    if _dose_lines(session).exists():
        raise NotNow(gettext("The dose of this session is recorded. A second one is a supplemental dose."))
    if session.state == Session.State.PLANNED and not is_given:
        raise NotNow(gettext("Start the session first."))
    is_booked = session.state in (Session.State.STARTED, Session.State.PLANNED, Session.State.DONE)
    if not is_booked and not is_given:
        raise NotNow(gettext("This session is not under way."))
    against = _open_words(state(session, happened_at), besides=rules.MISSING if is_given else "")
    if against and not is_given:
        raise NotNow(" ".join(against))
    if not is_booked:
        against.append(gettext("This session was left out or not booked when the dose was given."))
    last = weighing.last_dose_on(session.plan.client, besides=session)
    mg = Decimal(facts["mg"])
    try:
        with transaction.atomic():
            clearance.use(session=session, mg=mg, route=facts["route"], last_dose_on=last, at=happened_at)
    except NotNow as sentence:
        if not is_given:
            raise
        against.append(str(sentence))
    return {"against": " ".join(against)} if against else {}


def _supplement(session: Session, facts: dict[str, Any], happened_at: datetime, is_given: bool) -> dict[str, Any]:
    """More of the dose: it uses none of the ledger, and keeps to what the clearance of the dose allows."""
    _is_for_doses(session)
    if not _dose_lines(session).exists():
        raise NotNow(gettext("No dose is recorded yet. Record the dose first."))
    today = session.plan.today(happened_at)
    against = clearance.against_more(session, mg=Decimal(facts["mg"]), route=facts["route"], today=today)
    if against and not is_given:
        raise NotNow(against)
    return {"against": against} if against else {}


def _is_for_doses(session: Session) -> None:
    if session.kind != Session.Kind.DOSING:
        raise NotNow(gettext("No dose is given in this session. Open the dosing session and record it there."))


DOSES: dict[str, Callable[[Session, dict[str, Any], datetime, bool], dict[str, Any]]] = {
    Kind.DOSE: _dose,
    Kind.SUPPLEMENT: _supplement,
}


# --- Start, end, sign ------------------------------------------------------------------------------------------------


@transaction.atomic
def start(*, by: User, session: Session, at: datetime) -> None:
    """Start the session. Refused with everything that is missing; pressed twice it is started once."""
    row: Session = Session.objects.held(session.pk)
    if row.state == Session.State.STARTED:
        return
    if row.state != Session.State.PLANNED:
        raise NotNow(
            gettext("This session is not planned any more: {state}.").format(state=row.get_state_display().lower())
        )
    if row.kind == Session.Kind.DOSING and (missing := against_start(row, at)):
        raise NotNow(" ".join(missing))
    row.state, row.started_at, row.started_by = Session.State.STARTED, at, by
    row.save(update_fields=["state", "started_at", "started_by"])
    audit.record("session.started", by=by, client=row.plan.client, target=row, at=at)
    session.refresh_from_db()


@transaction.atomic
def sign(*, by: User, session: Session, words: str, at: datetime) -> None:
    """A clinician signs that the client may leave. With something open, only with their words on it (H11)."""
    row: Session = Session.objects.held(session.pk)
    if row.signed_at is not None:
        raise NotNow(gettext("This session is signed already."))
    if row.state != Session.State.STARTED:
        raise NotNow(gettext("This session was not started."))
    if row.kind == Session.Kind.DOSING:
        open_after = state(row, at).open_after
        if open_after and not words.strip():
            raise NotNow(gettext("Something on the release checklist is open. Finish it, or write why they leave."))
    row.state, row.ended_at, row.signed_at, row.signed_by = Session.State.DONE, at, at, by
    row.save(update_fields=["state", "ended_at", "signed_at", "signed_by"])
    if words.strip():
        entry = Entry(session=row, kind=Kind.CORRECT, happened_at=at, at=at, by=by)
        entry.facts = {"words": logbook.text(words)}
        entry.save(force_insert=True)
    audit.record("session.signed", by=by, client=row.plan.client, target=row, at=at)
    plans.refresh(row.plan.client, at, by=by)
    session.refresh_from_db()


@transaction.atomic
def keep_note(*, by: User, session: Session, words: str, at: datetime) -> Note:
    """Keep the note of a session in the record (never among psychotherapy notes). Once; then it has addenda."""
    row: Session = Session.objects.held(session.pk)
    note = write_note(by=by, client=row.plan.client, words=words, at=at, about=row.note)
    if row.note_id is None:
        Session.objects.filter(pk=row.pk).update(note=note)
    return note
