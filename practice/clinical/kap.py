"""Ketamine-assisted psychotherapy: when a dose may be booked, weekly and six-month plans, blood pressure at the door.

Every number is a default of the practice that the prescriber may change; none is advice about a dose.
Sources: docs/clinical-sources.md, by the tag beside each number.
"""

import calendar
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from practice.clinical import table
from practice.clinical.table import Overrides, is_number

MIN_GAP_HOURS = 48  # JOURNEY-PRESCRIBER
MAX_IN_WINDOW = 2  # JOURNEY-PRESCRIBER
WINDOW_DAYS = 7  # JOURNEY-PRESCRIBER

WEEKLY_DAYS = 7  # SEED
WEEKLY_TOLERANCE_DAYS = 2  # OWN
WEEKLY_OVERDUE_AFTER_DAYS = 14  # OWN

BOOSTER_MONTHS = 6  # SEED
BOOSTER_WINDOW_DAYS = 30  # OWN
BOOSTER_REMIND_DAYS = (45, 14)  # OWN
PHQ9_BACK_TO = 10  # OWN
PHQ9_UP = 5  # OWN
PCL5_UP = 10  # OWN
END_WITHIN_DAYS = 14  # OWN: a score this soon after the last dose is the one at the end of the course

RESCREEN_WITHIN_DAYS = 30  # OWN: an answer this long before a booster still counts for it
RESCREEN = ("phq-9", "gad-7", "cssrs-screener-recent", "pc-ptsd-5", "meds", "pregnancy", "cystitis")  # OWN
TRAUMA_SCREEN, TRAUMA_MEASURE = "pc-ptsd-5", "pcl-5"  # OWN: the second is asked when the first is positive

SEED_ABSORBED_PCT = (35, 45)  # SEED
LITERATURE_ABSORBED_PCT = (27, 31)  # ROLAN-2014

UNDER_48_HOURS = "under_48_hours"
OVER_2_IN_7_DAYS = "over_2_in_7_days"
NO_INTEGRATION = "no_integration_since_last_dose"

GATES = {"BP-01": "urgent", "BP-02": "no_dose", "BP-03": "prescriber_ok_needed", "BP-04": "unknown"}
"""What each blood-pressure rule of the decision table means at the door, the most pressing first."""

Moment = date | datetime


@dataclass(frozen=True, slots=True)
class Booking:
    allowed: bool
    reasons: tuple[str, ...]
    """What stands against it."""
    overridden: tuple[str, ...]
    """What would have stood against it, had the prescriber not recorded a reason."""


@dataclass(frozen=True, slots=True)
class Weekly:
    status: str
    """`not_due`, `on_time`, `late` or `overdue`."""
    due_on: date
    days_since: int


@dataclass(frozen=True, slots=True)
class Booster:
    status: str
    """`not_due`, `due` (its window is open) or `overdue`."""
    due_on: date
    window: tuple[date, date]
    remind_on: tuple[date, ...]
    early_triggers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Gate:
    gate: str
    """`ok`, `prescriber_ok_needed`, `no_dose`, `urgent`, `emergency`, or `unknown` while a number is missing."""
    rules: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Absorbed:
    seed_mg: tuple[float, float]
    literature_mg: tuple[float, float]


def can_book(
    dates: Sequence[Moment], new: Moment, *, has_integration: bool = True, override_reason: str = ""
) -> Booking:
    """Return whether a dose may be booked at `new` beside the doses at `dates` (given or booked).

    `has_integration`: an integration session lies between the last dose before `new` and `new`. The prescriber's
    `override_reason` lifts the two frequency limits, never the integration.
    """
    against = []
    if any(_hours_between(other, new) < MIN_GAP_HOURS for other in dates):
        against.append(UNDER_48_HOURS)
    if _most_in_a_window(dates, new) > MAX_IN_WINDOW:
        against.append(OVER_2_IN_7_DAYS)
    overridden = tuple(against) if override_reason.strip() else ()
    reasons = () if overridden else tuple(against)
    if not has_integration and any(_day(other) <= _day(new) for other in dates):
        reasons = (*reasons, NO_INTEGRATION)
    return Booking(not reasons, reasons, overridden)


def weekly(last: date, today: date) -> Weekly:
    """Return where a weekly plan stands `today`, after a last dose on `last`."""
    days = _days_since(last, today)
    if days < WEEKLY_DAYS - WEEKLY_TOLERANCE_DAYS:
        status = "not_due"
    elif days <= WEEKLY_DAYS + WEEKLY_TOLERANCE_DAYS:
        status = "on_time"
    else:
        status = "late" if days <= WEEKLY_OVERDUE_AFTER_DAYS else "overdue"
    return Weekly(status, last + timedelta(days=WEEKLY_DAYS), days)


def booster(
    last: date,
    today: date,
    *,
    end_phq9: float | None = None,
    best_phq9: float | None = None,
    now_phq9: float | None = None,
    item9: int | None = None,
    best_pcl5: float | None = None,
    now_pcl5: float | None = None,
    client_asks: bool = False,
    clinician_judgement: bool = False,
) -> Booster:
    """Return where a six-month booster stands `today`, and what speaks for an earlier one.

    `end_phq9` is the total at the end of the course; `best_phq9` and `best_pcl5` the lowest since the last dose.
    A trigger that names item 9 goes through the safety path first.
    """
    _days_since(last, today)
    due = add_months(last, BOOSTER_MONTHS)
    window = due - timedelta(days=BOOSTER_WINDOW_DAYS), due + timedelta(days=BOOSTER_WINDOW_DAYS)
    status = "not_due" if today < window[0] else "due" if today <= window[1] else "overdue"
    triggers = {
        "phq9_back_to_10": end_phq9 is not None and now_phq9 is not None and end_phq9 < PHQ9_BACK_TO <= now_phq9,
        "phq9_up_5": best_phq9 is not None and now_phq9 is not None and now_phq9 - best_phq9 >= PHQ9_UP,
        "phq9_item9_positive": item9 is not None and item9 >= 1,
        "pcl5_up_10": best_pcl5 is not None and now_pcl5 is not None and now_pcl5 - best_pcl5 >= PCL5_UP,
        "client_asks": client_asks,
        "clinician_judgement": clinician_judgement,
    }
    return Booster(
        status=status,
        due_on=due,
        window=window,
        remind_on=tuple(due - timedelta(days=days) for days in BOOSTER_REMIND_DAYS),
        early_triggers=tuple(name for name, holds in triggers.items() if holds),
    )


def rescreen(answered: Mapping[str, date], dose_on: date, *, trauma: bool) -> tuple[str, ...]:
    """Return what has to be asked anew before a booster on `dose_on`: the codes whose newest answer is too old.

    Blood pressure is measured that day, the prescriber's clearance and the agreement are held by rules of their own.
    """
    wanted = (*RESCREEN, TRAUMA_MEASURE) if trauma else RESCREEN
    first = dose_on - timedelta(days=RESCREEN_WITHIN_DAYS)
    return tuple(code for code in wanted if code not in answered or answered[code] < first)


def bp_gate(
    sbp: float | None,
    dbp: float | None,
    *,
    age: int | None = None,
    symptoms: bool = False,
    overrides: Overrides | None = None,
) -> Gate:
    """Return what a reading means before a dose, by the blood-pressure rules of the decision table.

    One number alone may already close the gate; a missing one never opens it. `symptoms` (chest pain, stroke signs,
    ...) turn a crisis reading into an emergency. Raises ValueError for a reading that cannot be.
    """
    reading = {"sbp": sbp, "dbp": dbp, "age": age}
    table.check_picture(reading)
    overrides = overrides or {}
    table.check_overrides(overrides)
    fired = tuple(rule_id for rule_id in GATES if table.evaluate(table.tuned(table.rule(rule_id), overrides), reading))
    gate = GATES[fired[0]] if fired else "ok"
    return Gate("emergency" if gate == "urgent" and symptoms else gate, fired)


def absorbed(mg: float) -> Absorbed:
    """Return the lowest and highest dose that reaches the body from a troche, in milligrams, by two figures.

    For clinicians only, both ranges together and with their source; never a figure for the client.
    The practice's own 35-45 % lies above what was measured (29 %, 27-31 %).

    Source: SEED, ROLAN-2014 in docs/clinical-sources.md.
    Raises ValueError when `mg` is not positive.
    """
    if not is_number(mg) or not 0 < mg <= 10_000:
        raise ValueError("A dose in milligrams must be a number above 0 and at most 10000.")
    return Absorbed(_share(mg, SEED_ABSORBED_PCT), _share(mg, LITERATURE_ABSORBED_PCT))


def add_months(day: date, months: int) -> date:
    """Return the same day `months` later, or the last day of a shorter month."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))


def _share(mg: float, percent: tuple[int, int]) -> tuple[float, float]:
    low, high = (round(mg * share / 100, 2) for share in percent)
    return low, high


def _days_since(last: date, today: date) -> int:
    days = (today - last).days
    if days < 0:
        raise ValueError("The last dose lies after today.")
    return days


def _hours_between(one: Moment, other: Moment) -> float:
    if isinstance(one, datetime) and isinstance(other, datetime):
        return abs((one - other).total_seconds()) / 3600
    return abs((_day(one) - _day(other)).days) * 24


def _most_in_a_window(dates: Sequence[Moment], new: Moment) -> int:
    """Return the most doses, `new` among them, that fall in any seven days."""
    near = [other for other in dates if _hours_between(other, new) < WINDOW_DAYS * 24]
    starts = [*near, new]
    return max(1 + sum(_within(start, other) for other in near) for start in starts if _within(start, new))


def _within(start: Moment, other: Moment) -> bool:
    """Return whether `other` lies in the seven days that begin at `start`."""
    if isinstance(start, datetime) and isinstance(other, datetime):
        return timedelta(0) <= other - start < timedelta(days=WINDOW_DAYS)
    return 0 <= (_day(other) - _day(start)).days < WINDOW_DAYS


def _day(moment: Moment) -> date:
    return moment.date() if isinstance(moment, datetime) else moment
