"""What is known of a client now, in the words of the decision table, and since when each part is known."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any
from uuid import UUID

from django.utils import timezone

from intake import actions, flow, resigning, trials
from intake.models import Assessment, Intake
from practice.clinical import fit, table, windows
from practice.clinical import trials as clinical_trials
from practice.clinical.risk import CSSRS
from practice.clinical.scoring import Score, score
from practice.models import Client


@dataclass(frozen=True)
class Origin:
    """The answers that an input comes from: an instrument's key, or "" for a form's own questions; or who said it."""

    instrument: str
    intake: UUID | None
    by: str = ""
    """The name of the clinician who said it, where it comes from no answers."""


@dataclass(frozen=True)
class Known:
    inputs: dict[str, Any]
    dates: dict[str, str]
    """The day, as ISO text, on which each input was said; absent for what the record itself says."""
    origins: dict[str, Origin]
    """Where each was said; absent likewise."""


def known(client: Client, today: date, *, until: datetime | None = None) -> Known:
    """Return what this client's current answers and the clinicians say, the newest word on each input.

    What is old or unsure is missing. With `until`, what had been said by then; who prescribes is as it is now.
    """
    facts, dates, origins = _facts(client, today, until)
    age = client.age(today)
    facts |= {"age": age, "prescriber_linked": client.prescriber_id is not None}
    assessments = client.assessments.filter(taken_at__lte=until) if until else client.assessments.all()
    current = _current(assessments.order_by("-taken_at"), today)
    scores = _scores(current, age)
    inputs = {name: value for name, value in fit.picture(scores, facts).items() if fits(name, value)}
    for key, result in scores.items():
        for name in fit.picture({key: result}, {}):
            dates[name] = current[key].taken_on.isoformat()
            origins[name] = Origin(key, current[key].intake_id)
    return Known(
        inputs,
        {name: day for name, day in dates.items() if name in inputs},
        {name: origin for name, origin in origins.items() if name in inputs},
    )


def fits(name: str, value: Any) -> bool:
    """Whether the table takes this value. One that it does not take is unknown, and stops no form from being sent."""
    try:
        table.check_picture({name: value})
    except ValueError:
        return False
    return value is not None


def _current(newest_first: Iterable[Assessment], today: date) -> dict[str, Assessment]:
    """The newest answers to each instrument that still speak for today."""
    found: dict[str, Assessment] = {}
    for row in newest_first:
        if row.instrument not in found and windows.is_current(row.instrument, row.taken_on, today):
            found[row.instrument] = row
    screen = found.get(CSSRS)
    newer_sign = screen and any(row.safety and row.taken_at > screen.taken_at for row in found.values())
    if screen and newer_sign and not screen.safety:
        del found[CSSRS]  # an all-clear from before a newer sign does not answer for that sign
    return found


def _scores(current: dict[str, Assessment], age: int | None) -> dict[str, Score]:
    done = {CSSRS} if CSSRS in current and current[CSSRS].details.get("status") == "complete" else set()
    return {key: score(row.definition, row.answers, age=age, completed=done) for key, row in current.items()}


SIGNED = "ketamine_consent_signed"


@dataclass(frozen=True)
class _Word:
    """What somebody said of one input."""

    value: Any
    so_on: str
    """The day on which it was so, as ISO text: the later one goes before, and of one day the one said last."""
    said_on: str
    said_at: datetime
    origin: Origin


def _facts(
    client: Client, today: date, until: datetime | None
) -> tuple[dict[str, Any], dict[str, str], dict[str, Origin]]:
    """The newest word on each fact, of sittings that were sent, trials that staff confirmed and clinicians."""
    words = _of_client(client, today, until)
    for name, word in _of_clinicians(client, today, until).items():
        if name not in words or (words[name].so_on, words[name].said_at) <= (word.so_on, word.said_at):
            words[name] = word
    return (
        {name: word.value for name, word in words.items()},
        {name: word.said_on for name, word in words.items()},
        {name: word.origin for name, word in words.items()},
    )


def _of_client(client: Client, today: date, until: datetime | None) -> dict[str, _Word]:
    words: dict[str, _Word] = {}
    rows = client.intakes.filter(submitted_at__lte=until) if until else client.intakes.exclude(submitted_at=None)
    sent = list(rows.select_related("invitation").order_by("submitted_at"))
    for sitting in sent:
        assert sitting.submitted_at is not None  # by the query
        day, origin = _day(sitting.submitted_at), Origin("", sitting.pk)
        for name, value in (sitting.facts or {}).items():
            taken_on = day
            if name in windows.PASSING:
                counts, taken_on = _reading(name, sitting, today, newest=sitting is sent[-1])
                if not counts:
                    continue
            words[name] = _Word(value, taken_on, day, sitting.submitted_at, origin)
        confirmed = sitting.trials_confirmed_at is not None and (until is None or sitting.trials_confirmed_at <= until)
        if confirmed and (failed := confirmed_trials(sitting)) is not None:
            assert sitting.trials_confirmed_at is not None  # as above
            day = _day(sitting.trials_confirmed_at)
            words["failed_adequate_trials"] = _Word(failed, day, day, sitting.trials_confirmed_at, origin)
    signed = words.get(SIGNED) if until is None else None
    if (
        signed is not None
        and signed.value
        and until is None
        and not resigning.is_current(client, "ketamine", timezone.now())
    ):
        words[SIGNED] = replace(signed, value=False)  # there is a new version to sign, or its time is over
    return words


def _of_clinicians(client: Client, today: date, until: datetime | None) -> dict[str, _Word]:
    said = client.clinician_facts.filter(at__lte=until) if until else client.clinician_facts.all()
    return {
        name: _Word(fact.value, fact.on.isoformat(), fact.on.isoformat(), fact.at, Origin("", None, by=fact.by.name))
        for name, fact in said.standing().items()
        if name not in windows.PASSING or windows.reading_counts(fact.on, today)
    }


def _reading(name: str, sitting: Intake, today: date, *, newest: bool) -> tuple[bool, str]:
    """Whether a reading is young enough today, and its day. Without one it speaks only for the newest sitting."""
    page = next((page for page in actions.packet_of(sitting).pages if name in (f.fact for f in page.fields)), None)
    said = sitting.answers.filter(question=page.slug).first() if page is not None else None
    if page is None or said is None or said.skipped or said.value is None:
        return newest, _day(sitting.submitted_at)
    taken_on = said.value.get(page.recent["field"]) if page.recent else None
    return flow.is_recent(page, said.value, today), taken_on or _day(sitting.submitted_at)


def _day(moment: datetime | None) -> str:
    return timezone.localdate(moment).isoformat() if moment else ""


def confirmed_trials(sitting: Intake) -> int | None:
    """How many of the trials told in this sitting failed although they were adequate; None when none were told of."""
    answer = sitting.answers.filter(question=trials.PAGE).first()
    if answer is None or answer.skipped or answer.value is None:
        return None
    return clinical_trials.count(trials.from_rows(answer.value)).failed_adequate
