"""The log of a dosing session: lines from one or more devices, each once, in their true order; start, sign, note.

A line is a fact that somebody saw. One that cannot be (a blood pressure of 1200/8) is given back with a sentence, not
kept. A dose that was given is always kept: if the clearance was taken back while the network was gone, the line says
so and the prescriber is told.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet
from django.urls import reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from intake import measures
from intake.models import Measure, Signature
from practice import audit, notices
from practice.actions import NotNow, raise_manual_flag, write_note
from practice.clinical import room as rules
from practice.clinical import table
from practice.clinical.room import Line, Room
from practice.kap.actions import clearance, integration, plans, rescreen
from practice.kap.models import ChaperoneLink, DoseUse, Entry, Route, Session
from practice.models import Alert, Note, Task, User
from practice.templatetags.ui import clock, full_day

Kind = Entry.Kind
FRESH = timedelta(minutes=2)  # a line that comes later than this was written while the network was gone
EARLIEST = timedelta(hours=12)  # a line that a device says is older than this is wrong about its clock
TEXT = 1000
CONSENT_GOOD = timedelta(days=365)  # PROTOCOLS booster: consent not older than 12 months
AFTER_DOSE_DAYS = (1, 7)  # measures on day 1 and day 7 after a dose
HUNDREDTH = Decimal("0.01")  # of a milligram, as a clearance counts
LEAST_DBP = 20  # a lower one is a number left out, as 120/8; no rule of care reads this
SEVERE = 3  # of the grades: an item is opened beside the notice


ALARM = "attention"  # of the checks: told at once when it comes from the home
CHECKS = {"as_expected": _("As expected"), "frightened": _("Frightened"), ALARM: _("Needs attention")}
THEN = {"spit": _("spat out"), "swallow": _("swallowed")}
WHEN = {"before": _("Before the dose"), "during": _("Near the peak"), "after": _("After")}


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
        last = plans.last_dose_on(client, besides=session)
        if sentence := clearance.against(ledger, mg=None, route=route, today=today, last_dose_on=last):
            said.append(sentence)
    if not has_consent(session, now):
        said.append(gettext("The ketamine agreement is not signed, or older than 12 months."))
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
    row: Session = (
        Session.objects.select_for_update(of=("self",))
        .select_related("plan__client__prescriber", "plan__client__therapist", "therapist")
        .get(pk=session.pk)
    )
    if Entry.objects.filter(session=row, key=key).exists():
        return
    kind = str(line.get("kind", ""))
    facts = line.get("facts")
    if kind not in TAKES or not isinstance(facts, Mapping) or (chaperone is not None and kind not in FROM_CHAPERONE):
        raise ValueError(kind)
    happened_at, device_at = _when(line, off, at)
    kept = TAKES[kind](facts)
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
    AFTER.get(kind, _nothing)(row, entry, by, at)


def _is_open(
    row: Session, kind: str, kept: Mapping[str, Any], happened_at: datetime, chaperone: ChaperoneLink | None
) -> None:
    """Raise NotNow for what came after the end. That something is wrong can always be told."""
    ends = [moment for moment in (row.signed_at, chaperone.ended_at if chaperone else None) if moment is not None]
    if not ends or happened_at <= min(ends):
        return
    if chaperone is None and kind not in (Kind.EVENT, Kind.CORRECT):
        raise NotNow(gettext("This session is signed. Only a side effect or a correction can be added."))
    if chaperone is not None and kept["state"] != ALARM:
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


# --- What each kind of line takes -------------------------------------------------------------------------------------


def _text(value: Any) -> str:
    return str(value or "").replace("\x00", "")[:TEXT]


def _asked(part: str) -> Callable[[Mapping[str, Any]], dict[str, Any]]:
    def take(facts: Mapping[str, Any]) -> dict[str, Any]:
        item = next((each for each in rules.items(part) if each.code == facts.get("item")), None)
        answer = facts.get("answer")
        if item is not None and item.most is not None and str(answer).isdecimal():
            answer = int(str(answer)[:3])
        if item is None or not item.takes(answer):
            raise NotNow(gettext("Choose one of the answers."))
        return {"item": item.code, "answer": answer, "words": _text(facts.get("words"))}

    return take


def _vitals(facts: Mapping[str, Any]) -> dict[str, Any]:
    numbers = {name: _whole(facts.get(name)) for name in ("sbp", "dbp", "pulse", "spo2")}
    if numbers["sbp"] is None or numbers["dbp"] is None:
        raise NotNow(gettext("Enter both numbers of the blood pressure."))
    try:
        table.check_picture({"sbp": numbers["sbp"], "dbp": numbers["dbp"]})
        possible = numbers["sbp"] > numbers["dbp"] >= LEAST_DBP
    except ValueError:
        possible = False
    pulse, oxygen = numbers["pulse"], numbers["spo2"]
    if (
        not possible
        or (pulse is not None and not 20 <= pulse <= 250)
        or (oxygen is not None and not 50 <= oxygen <= 100)
    ):
        raise NotNow(gettext("This reading cannot be. Check the numbers, as 132 over 84, and enter them again."))
    when = str(facts.get("when"))
    if when not in ("before", "during", "after"):
        raise ValueError(when)
    return {"when": when, **numbers, "symptoms": bool(facts.get("symptoms"))}


def _whole(value: Any) -> int | None:
    if value in (None, ""):
        return None
    try:
        return int(str(value).strip())
    except ValueError:
        raise NotNow(gettext("Enter whole numbers, as 132 over 84.")) from None


def _dose_facts(facts: Mapping[str, Any]) -> dict[str, Any]:
    if str(facts.get("unit", "mg")) != "mg":
        raise NotNow(gettext("Enter the dose in milligrams, as on the label."))
    try:
        mg = Decimal(str(facts.get("mg", "")).strip())
    except InvalidOperation:
        raise NotNow(gettext("Enter the dose in milligrams, as on the label: a number such as 100.")) from None
    if not mg.is_finite() or not 1 <= mg <= 10_000 or mg != mg.quantize(HUNDREDTH):
        raise NotNow(gettext("Enter the dose in milligrams, as on the label: a number such as 100."))
    if facts.get("route") not in Route.values:
        raise NotNow(gettext("Choose how it was given."))
    return {"mg": f"{mg.normalize():f}", "route": str(facts["route"])} | {
        name: _text(facts.get(name)) for name in ("form", "strength", "lot")
    }


def _event(facts: Mapping[str, Any]) -> dict[str, Any]:
    known = {code for group in rules.events().values() for code in group}
    if facts.get("what") not in known or str(facts.get("grade")) not in rules.grades():
        raise NotNow(gettext("Choose what happened and how severe it is."))
    return {
        "what": str(facts["what"]),
        "grade": int(str(facts["grade"])),
        "action": _text(facts.get("action")),
        "words": _text(facts.get("words")),
    }


def _hold(facts: Mapping[str, Any]) -> dict[str, Any]:
    if facts.get("what") not in ("start", "end"):
        raise NotNow(gettext("Start or end the timer."))
    then = str(facts.get("then") or "")
    return {"what": str(facts["what"]), "then": then if then in THEN else ""}


def _check(facts: Mapping[str, Any]) -> dict[str, Any]:
    if facts.get("state") not in CHECKS:
        raise NotNow(gettext("Say how the client is."))
    kept = {"state": str(facts["state"]), "words": _text(facts.get("words"))}
    if facts.get("sees") in rules.sees():
        kept["sees"] = str(facts["sees"])
    return kept | ({"help": "now"} if facts.get("help") == "now" else {})


def _needs(name: str, sentence: Any) -> Callable[[Mapping[str, Any]], dict[str, Any]]:
    def take(facts: Mapping[str, Any]) -> dict[str, Any]:
        if not _text(facts.get(name)).strip():
            raise NotNow(str(sentence))
        return {key: _text(value) for key, value in facts.items() if key in (name, "by_name")}

    return take


TAKES: dict[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {
    Kind.READY: _asked("ready"),
    Kind.LEAVE: _asked("leave"),
    Kind.PRESENT: _needs("names", _("Say who is here.")),
    Kind.VITALS: _vitals,
    Kind.GATE: _needs("words", _("Write what the prescriber said.")),
    Kind.DOSE: _dose_facts,
    Kind.SUPPLEMENT: _dose_facts,
    Kind.HOLD: _hold,
    Kind.CHECK: _check,
    Kind.EVENT: _event,
    Kind.CORRECT: _needs("words", _("Write what was wrong.")),
}
FROM_CHAPERONE = (Kind.CHECK,)


# --- What follows ----------------------------------------------------------------------------------------------------


def _nothing(session: Session, entry: Entry, by: User | None, at: datetime) -> None:
    return None


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
    last = plans.last_dose_on(session.plan.client, besides=session)
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


def is_alarm(entry: Entry) -> bool:
    return entry.by_chaperone_id is not None and (entry.facts or {}).get("state") == ALARM


def unanswered(entries: Sequence[Entry]) -> list[Entry]:
    """The alarms from the home after which no member of staff wrote an event or a check, and none is corrected."""
    gone = {entry.corrects_id for entry in entries}
    answers = (Kind.EVENT, Kind.CHECK)
    last = max((e.at for e in entries if e.by_id is not None and e.kind in answers), default=None)
    return [e for e in entries if is_alarm(e) and e.pk not in gone and (last is None or e.at > last)]


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


# --- Start, end, sign ------------------------------------------------------------------------------------------------


@transaction.atomic
def start(*, by: User, session: Session, at: datetime) -> None:
    """Start the session. Refused with everything that is missing; pressed twice it is started once."""
    row: Session = Session.objects.select_for_update(of=("self",)).select_related("plan__client").get(pk=session.pk)
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
    row: Session = Session.objects.select_for_update(of=("self",)).select_related("plan__client").get(pk=session.pk)
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
        entry.facts = {"words": _text(words)}
        entry.save(force_insert=True)
    audit.record("session.signed", by=by, client=row.plan.client, target=row, at=at)
    plans.refresh(row.plan.client, at, by=by)
    session.refresh_from_db()


@transaction.atomic
def keep_note(*, by: User, session: Session, words: str, at: datetime) -> Note:
    """Keep the note of a session in the record (never among psychotherapy notes). Once; then it has addenda."""
    row: Session = Session.objects.select_for_update(of=("self",)).select_related("plan__client").get(pk=session.pk)
    note = write_note(by=by, client=row.plan.client, words=words, at=at, about=row.note)
    if row.note_id is None:
        Session.objects.filter(pk=row.pk).update(note=note)
    return note


# --- In words --------------------------------------------------------------------------------------------------------


def said(entry: Entry) -> str:
    """One line of the log as a sentence, without its time."""
    facts = entry.facts or {}
    return TELLS[Kind(entry.kind)](facts).strip()


def _tell_asked(part: str) -> Callable[[Mapping[str, Any]], str]:
    def tell(facts: Mapping[str, Any]) -> str:
        item = next(each for each in rules.items(part) if each.code == facts["item"])
        answer = (
            gettext("{n} of 10").format(n=facts["answer"]) if item.most is not None else item.answers[facts["answer"]]
        )
        return f"{item.ask} {answer}. {facts.get('words', '')}"

    return tell


def _tell_vitals(facts: Mapping[str, Any]) -> str:
    parts = [gettext("{when}: {sbp} over {dbp}").format(when=WHEN[facts["when"]], sbp=facts["sbp"], dbp=facts["dbp"])]
    if facts.get("pulse") is not None:
        parts.append(gettext("pulse {n}").format(n=facts["pulse"]))
    if facts.get("spo2") is not None:
        parts.append(gettext("oxygen {n} %").format(n=facts["spo2"]))
    if facts.get("symptoms"):
        parts.append(gettext("chest pain or stroke signs"))
    return ", ".join(parts) + "."


def _tell_dose(facts: Mapping[str, Any]) -> str:
    parts = [gettext("{mg} mg as labelled, {route}").format(mg=facts["mg"], route=Route(facts["route"]).label.lower())]
    parts += [str(facts[name]) for name in ("form", "strength") if facts.get(name)]
    if facts.get("lot"):
        parts.append(gettext("lot {lot}").format(lot=facts["lot"]))
    return f"{', '.join(parts)}. {facts.get('against', '')}"


def _tell_event(facts: Mapping[str, Any]) -> str:
    names = {code: words for group in rules.events().values() for code, words in group.items()}
    parts = [f"{names[facts['what']]}, {rules.grades()[str(facts['grade'])].lower()}."]
    return " ".join([*parts, facts.get("words", ""), facts.get("action", "")])


def _tell_hold(facts: Mapping[str, Any]) -> str:
    if facts["what"] == "start":
        return gettext("Hold begun.")
    return (
        gettext("Hold ended, {then}.").format(then=THEN[facts["then"]]) if facts.get("then") else gettext("Hold ended.")
    )


def _tell_check(facts: Mapping[str, Any]) -> str:
    parts = [f"{CHECKS[facts['state']]}."]
    if facts.get("help"):
        parts.append(gettext("Help is needed now."))
    if facts.get("sees"):
        parts.append(f"{rules.sees()[facts['sees']]}.")
    return " ".join([*parts, facts.get("words", "")])


TELLS: dict[Kind, Callable[[Mapping[str, Any]], str]] = {
    Kind.READY: _tell_asked("ready"),
    Kind.LEAVE: _tell_asked("leave"),
    Kind.PRESENT: lambda facts: str(facts["names"]),
    Kind.VITALS: _tell_vitals,
    Kind.GATE: lambda facts: f"{facts['words']} {facts.get('by_name', '')}",
    Kind.DOSE: _tell_dose,
    Kind.SUPPLEMENT: _tell_dose,
    Kind.HOLD: _tell_hold,
    Kind.CHECK: _tell_check,
    Kind.EVENT: _tell_event,
    Kind.CORRECT: lambda facts: str(facts["words"]),
}


def draft_note(session: Session) -> str:
    """A note from the log, for the clinician to change and keep in the record (H14). Corrected lines are left out."""
    rows = list(session.entries.all())
    gone = {row.corrects_id for row in rows if row.corrects_id}
    told = [gettext("{session}, {day}.").format(session=session, day=full_day(session.started_at or session.starts_at))]
    for row in rows:
        if row.pk not in gone:
            told.append(f"{clock(row.happened_at)} {row.get_kind_display()}: {said(row)}")
    if session.signed_at is not None:
        told.append(
            gettext("{time} Left. Signed by {who}.").format(time=clock(session.signed_at), who=session.signed_by)
        )
    return "\n".join(told)
