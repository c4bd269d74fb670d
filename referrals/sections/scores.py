"""Scores over time: twelve months of the main measure, and the turning points of every one."""

from collections.abc import Sequence
from datetime import date
from math import floor
from typing import Any

from dateutil.relativedelta import relativedelta
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from intake.models import Assessment
from intake.views import reading
from practice.clinical.instrument import load
from practice.templatetags.ui import full_day
from referrals.models import CourseSession, Section
from referrals.sections.record import ITEM9, MAIN_MEASURE, NOT_KNOWN, Block, Record, Row, block, row

MONTHS = 12  # of the chart
MEASURES = ("phq-9", "gad-7", "pcl-5", "b-ipf", "wbs-2")


# --- Scores over time ------------------------------------------------------------------------------------------------


def scores_block(record: Record) -> Block:
    """Twelve months of the main measure beside the infusions, and the turning points of every measure."""
    title = gettext("{name} and infusions, {months} months").format(name=load(MAIN_MEASURE).short_name, months=MONTHS)
    found = block(Section.SCORES, "scores", title)
    main = record.assessments.get(MAIN_MEASURE, [])
    start = record.today - relativedelta(months=MONTHS)
    if any(each.taken_on >= start for each in main):
        found["chart"] = chart_data(record, main, start)
    picks = [_("First"), _("Highest"), _("Lowest"), _("Now")]
    days = course_days(record)
    if days:
        picks = [_("First"), _("Before infusions"), _("After infusions"), _("Lowest"), _("Now")]
    taken = {key: record.assessments.get(key, []) for key in MEASURES}
    often = [key for key in MEASURES if key == MAIN_MEASURE or len(taken[key]) > 1]
    rows = [each for key in often for each in measure_rows(taken[key], key, days)]
    found["table"] = {"columns": [str(_("Measure")), *(str(pick) for pick in picks)], "rows": rows}
    once = [once_words(taken[key][0]) for key in MEASURES if key not in often and taken[key]]
    if once:
        found["rows"] = [row(_("Taken once"), "; ".join(once))]
    return found


def once_words(taken: Assessment) -> str:
    return f"{range_words(taken.definition)} {score_cell(taken)}"


def course_days(record: Record) -> list[date]:
    """The days of the last course of infusions, in order."""
    done = [[s.on for s in c.sessions.all() if s.state == CourseSession.State.DONE] for c in record.courses]
    return sorted(next((days for days in reversed(done) if days), []))


def chart_data(record: Record, rows: Sequence[Assessment], start: date) -> dict[str, Any]:
    definition = rows[-1].definition
    first = next((float(each.total) for each in rows if each.total is not None), None)
    fall = definition.change.get("response_fall_pct")
    done = [[s.on for s in c.sessions.all() if s.state == CourseSession.State.DONE] for c in record.courses]
    return {
        "instrument": definition.key,
        "version": definition.version,
        "start": start.isoformat(),
        "end": record.today.isoformat(),
        "points": [
            [each.taken_on.isoformat(), None if each.total is None else float(each.total), each.safety]
            for each in rows
            if start <= each.taken_on
        ],
        "courses": [[day.isoformat() for day in sorted(days)] for days in done if days],
        "baseline": first,
        "response": floor(first * (1 - fall / 100)) if first and fall else None,
        "remission_below": definition.change.get("remission_below"),
    }


def measure_rows(taken: Sequence[Assessment], key: str, course: Sequence[date]) -> list[Row]:
    """A measure's row, and below the main one's its safety item."""
    if not taken:
        definition = load(key)
        return [{"cells": [range_words(definition), *[str(NOT_KNOWN)] * (5 if course else 4)]}]
    picked = turning_points(taken, course)
    definition = taken[-1].definition
    found: list[Row] = [{"cells": [range_words(definition), *(score_cell(each) for each in picked)]}]
    if key == MAIN_MEASURE:
        cells = [gettext("Item 9 (0 to 3)"), *(item9_cell(each) for each in picked)]
        found.append({"section": str(Section.SAFETY), "cells": cells})
    return found


def turning_points(taken: Sequence[Assessment], course: Sequence[date]) -> list[Assessment | None]:
    known_rows = [each for each in taken if each.total is not None]
    lowest = min(known_rows, key=lambda each: each.total or 0, default=None)
    if not course:
        highest = max(known_rows, key=lambda each: each.total or 0, default=None)
        return [taken[0], highest, lowest, taken[-1]]
    before = next((each for each in reversed(taken) if each.taken_on <= course[0]), None)
    after = next((each for each in taken if each.taken_on >= course[-1]), None)
    return [taken[0], before, after, lowest, taken[-1]]


def range_words(definition: Any) -> str:
    least, most = definition.scoring.get("minimum", 0), definition.scoring.get("maximum")
    if most is None:
        return str(definition.short_name)
    return gettext("{name} ({least} to {most})").format(
        name=definition.short_name, least=reading.number_words(least), most=reading.number_words(most)
    )


def score_cell(taken: Assessment | None) -> str:
    if taken is None:
        return str(NOT_KNOWN)
    if taken.total is not None:
        words = reading.number_words(taken.total)
        words = gettext("{total}, estimated").format(total=words) if taken.estimated else words
    elif taken.lower_bound is not None:
        words = gettext("no total, at least {least}").format(least=reading.number_words(taken.lower_bound))
    else:
        words = gettext("no total")
    said = ", ".join(filter(None, (full_day(taken.taken_on), reading.entered_words(taken))))
    return f"{words} ({said})"


def item9_cell(taken: Assessment | None) -> str:
    if taken is None:
        return str(NOT_KNOWN)
    value = (taken.answers or {}).get(ITEM9)
    return gettext("not answered") if value is None else str(value)
