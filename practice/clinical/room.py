"""A dosing session as it stands, from the lines of its log: ready or not, readings, timers, and who may leave when.

The software says what is open; a clinician starts, and signs. Sources: room.toml, kap.py, docs/clinical-sources.md.
"""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from practice.clinical import kap

OK, MISSING, AGAINST = "ok", "missing", "against"


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the log that still stands (a corrected one is left out)."""

    kind: str
    facts: Mapping[str, Any]
    at: datetime


@dataclass(frozen=True, slots=True)
class Item:
    """A question of the ready checks or the release checklist."""

    code: str
    ask: str
    answers: Mapping[str, str]
    good: tuple[str, ...]
    most: int | None
    """For a number from 0 to 10: good up to this."""
    words: str
    only: str

    def is_good(self, answer: Any) -> bool:
        if self.most is not None:
            return isinstance(answer, int) and not isinstance(answer, bool) and 0 <= answer <= self.most
        return answer in self.good

    def takes(self, answer: Any) -> bool:
        if self.most is not None:
            return isinstance(answer, int) and not isinstance(answer, bool) and 0 <= answer <= 10
        return answer in self.answers


@dataclass(frozen=True, slots=True)
class Asked:
    item: Item
    answer: Any
    words: str
    state: str
    """`ok`, `missing` or `against`."""


@dataclass(frozen=True, slots=True)
class Reading:
    when: str
    """`before`, `during` or `after`."""
    sbp: int
    dbp: int
    pulse: int | None
    at: datetime
    gate: str
    """Of practice.clinical.kap.bp_gate."""


@dataclass(frozen=True, slots=True)
class Room:
    ready: tuple[Asked, ...]
    gate: str
    """Of the newest reading before the dose; `unknown` while there is none."""
    gate_cleared: bool
    """A prescriber's word on that reading is on record."""
    readings: tuple[Reading, ...]
    dose_at: datetime | None
    supplements: tuple[Line, ...]
    hold_ends_at: datetime | None
    held: bool
    next_check_at: datetime | None
    second_reading_at: datetime | None
    events: tuple[Line, ...]
    leave: tuple[Asked, ...]
    back_to_baseline: bool | None
    """None while a reading before or after is missing."""
    late: bool
    """Not ready to leave two hours after the dose."""

    @property
    def open_before(self) -> tuple[str, ...]:
        """Codes of the ready checks that stand against a start; `bp` for the blood pressure."""
        against = tuple(asked.item.code for asked in self.ready if asked.state != OK)
        allowed = self.gate == "ok" or (self.gate == "prescriber_ok_needed" and self.gate_cleared)
        return against if allowed else (*against, "bp")

    @property
    def open_after(self) -> tuple[str, ...]:
        """Codes of the release checklist that are open; `bp` for the blood pressure."""
        against = tuple(asked.item.code for asked in self.leave if asked.state != OK)
        return against if self.back_to_baseline else (*against, "bp")


@cache
def _data() -> dict[str, Any]:
    return tomllib.loads((Path(__file__).parent / "room.toml").read_text(encoding="utf-8"))


@cache
def items(part: str) -> tuple[Item, ...]:
    """Return the questions of `ready` or `leave`."""
    return tuple(
        Item(
            code=row["code"],
            ask=row["ask"],
            answers=row.get("answers", {}),
            good=tuple(row.get("good", ())),
            most=row.get("most"),
            words=row.get("words", ""),
            only=row.get("only", ""),
        )
        for row in _data()[part]
    )


@cache
def events() -> dict[str, dict[str, str]]:
    """Adverse events by group: `acute`, `serious`, `delayed`, each {code: words}."""
    return {group: words for group, words in _data()["events"].items() if group != "sources"}


@cache
def sees() -> dict[str, str]:
    """What an adult in the home may see, in their words; ungraded."""
    return {code: words for code, words in _data()["sees"].items() if code != "sources"}


@cache
def grades() -> dict[str, str]:
    return dict(_data()["grades"])


def minutes(what: str) -> int:
    return int(_data()["timing_minutes"][what])


def room(log: Sequence[Line], now: datetime, *, age: int | None, remote: bool) -> Room:
    """Return the session as its log says it stands at `now`."""
    ordered = sorted(log, key=lambda line: line.at)
    readings = tuple(_reading(line, age) for line in ordered if line.kind == "vitals")
    before = [reading for reading in readings if reading.when == "before"]
    doses = [line for line in ordered if line.kind == "dose"]
    dose_at = doses[0].at if doses else None
    hold = _last(ordered, "hold", "start")
    ended = _last(ordered, "hold", "end")
    checks = [line.at for line in ordered if line.kind == "check"]
    cleared = [line for line in ordered if line.kind == "gate" and before and line.at >= before[-1].at]
    leave = _asked("leave", ordered, remote)
    baseline = _is_back(readings)
    is_open = any(asked.state != OK for asked in leave) or not baseline
    return Room(
        ready=_asked("ready", ordered, remote),
        gate=before[-1].gate if before else "unknown",
        gate_cleared=bool(cleared),
        readings=readings,
        dose_at=dose_at,
        supplements=tuple(line for line in ordered if line.kind == "supplement"),
        hold_ends_at=hold.at + timedelta(minutes=minutes("hold")) if hold else None,
        held=bool(hold and ended and ended.at >= hold.at),
        next_check_at=_next_check(dose_at, checks),
        second_reading_at=_second_reading(dose_at, readings),
        events=tuple(line for line in ordered if line.kind == "event"),
        leave=leave,
        back_to_baseline=baseline,
        late=bool(dose_at and is_open and now > dose_at + timedelta(minutes=minutes("not_ready_after"))),
    )


def _reading(line: Line, age: int | None) -> Reading:
    facts = line.facts
    gate = kap.bp_gate(facts["sbp"], facts["dbp"], age=age, symptoms=bool(facts.get("symptoms")))
    return Reading(facts["when"], facts["sbp"], facts["dbp"], facts.get("pulse"), line.at, gate.gate)


def _last(log: Sequence[Line], kind: str, what: str) -> Line | None:
    return next((line for line in reversed(log) if line.kind == kind and line.facts.get("what") == what), None)


def _asked(part: str, log: Sequence[Line], remote: bool) -> tuple[Asked, ...]:
    said = {line.facts["item"]: line.facts for line in log if line.kind == part}
    found = []
    for item in items(part):
        if item.only == "remote" and not remote:
            continue
        facts = said.get(item.code)
        if facts is None:
            found.append(Asked(item, None, "", MISSING))
        else:
            words = str(facts.get("words", ""))
            good = item.is_good(facts["answer"]) and (bool(words.strip()) or item.code not in ("ride", "escort"))
            found.append(Asked(item, facts["answer"], words, OK if good else AGAINST))
    return tuple(found)


def _next_check(dose_at: datetime | None, checks: Sequence[datetime]) -> datetime | None:
    if dose_at is None:
        return None
    last = max([at for at in checks if at >= dose_at], default=dose_at)
    return last + timedelta(minutes=minutes("check_every"))


def _second_reading(dose_at: datetime | None, readings: Sequence[Reading]) -> datetime | None:
    """When the reading near the peak is due; None before the dose and once it was taken."""
    if dose_at is None or any(reading.when == "during" and reading.at >= dose_at for reading in readings):
        return None
    return dose_at + timedelta(minutes=minutes("second_reading"))


def _is_back(readings: Sequence[Reading]) -> bool | None:
    before = [reading for reading in readings if reading.when == "before"]
    after = [reading for reading in readings if reading.when == "after"]
    if not before or not after:
        return None
    first, last = before[-1], after[-1]
    within = int(_data()["back_to_baseline"]["within_mmhg"])
    near = last.sbp - first.sbp <= within and last.dbp - first.dbp <= within
    return near and last.gate in ("ok", "prescriber_ok_needed")
