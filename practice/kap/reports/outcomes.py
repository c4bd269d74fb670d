"""Outcomes by instrument and path: depression, thoughts of suicide, trauma, wellbeing, before and after (Z8).

A row is a course that ended, of our own or at a clinic, on the day of its last dose. One therapist alone is shown to
that therapist and to admins.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from practice.access import Permission
from practice.kap.models import Plan
from practice.kap.reports import courses
from practice.kap.reports.courses import INFUSION, Course
from referrals.reports.counted import Kind, Line, Middle, Row, Table
from referrals.reports.days import Days

PHQ9, PCL5, WBS = "phq-9", "pcl-5", "wbs-2"
MEASURES = (PHQ9, PCL5, WBS)
PATHS: dict[str, str | Promise] = {
    Plan.Shape.WEEKLY: _("Weekly course here"),
    Plan.Shape.INTENSIVE: _("Intensive here"),
    Plan.Shape.BOOSTER: _("Booster here"),
    INFUSION: _("Infusions at a clinic"),
}
Holds = Callable[[Course], object]


def rows(days: Days, at: datetime) -> list[Row]:
    """Six queries whatever their number."""
    return [*courses.ended(days, MEASURES), *courses.elsewhere(days, MEASURES)]


def _had(row: Course) -> bool:
    return row.signs_before[PHQ9]


def _has(row: Course) -> bool:
    return row.signs_after[PHQ9]


# code -> words, instrument, what holds of a course with both scores; the first of an instrument holds of all of them
COUNTED: dict[str, tuple[str | Promise, str, Holds]] = {
    "phq9": (_("PHQ-9 before and after"), PHQ9, lambda row: True),
    "phq9_response": (_("PHQ-9 fell by half or more"), PHQ9, lambda row: row.change(PHQ9).response),
    "phq9_remission": (_("PHQ-9 under 5 after"), PHQ9, lambda row: row.change(PHQ9).remission),
    "phq9_worse": (_("PHQ-9 rose by 5 points or more"), PHQ9, lambda row: row.change(PHQ9).worsening_review),
    "item9_before": (_("Thoughts of suicide marked before (PHQ-9 item 9)"), PHQ9, _had),
    "item9_gone": (_("Marked before, not after"), PHQ9, lambda row: _had(row) and not _has(row)),
    "item9_new": (_("Marked after, not before"), PHQ9, lambda row: _has(row) and not _had(row)),
    "pcl5": (_("PCL-5 before and after"), PCL5, lambda row: True),
    "pcl5_better": (_("PCL-5 fell by 10 points or more"), PCL5, lambda row: row.change(PCL5).meaningful),
    "pcl5_worse": (_("PCL-5 rose by 5 points or more"), PCL5, lambda row: row.change(PCL5).reliable_worsening),
    "wbs2": (_("Wellbeing (WBS-2) before and after"), WBS, lambda row: True),
    "wbs2_higher": (_("Wellbeing higher after than before"), WBS, lambda row: row.after[WBS] > row.before[WBS]),
}
MISSING = {
    "phq9": _("PHQ-9 missing before or after"),
    "pcl5": _("PCL-5 missing before or after"),
    "wbs2": _("Wellbeing missing before or after"),
}
CHAINS = (
    ("phq9", "phq9_response"),
    ("phq9", "phq9_remission"),
    ("phq9", "phq9_worse"),
    ("phq9", "item9_before", "item9_gone"),
    ("phq9", "item9_new"),
    ("pcl5", "pcl5_better"),
    ("pcl5", "pcl5_worse"),
    ("wbs2", "wbs2_higher"),
)
MEDIANS = (
    (_("PHQ-9 before, median"), PHQ9, "before"),
    (_("PHQ-9 after, median"), PHQ9, "after"),
    (_("PCL-5 before, median"), PCL5, "before"),
    (_("PCL-5 after, median"), PCL5, "after"),
    (_("Wellbeing before, median"), WBS, "before"),
    (_("Wellbeing after, median"), WBS, "after"),
)


def _on(path: str, holds: Holds = lambda row: True) -> Callable[[Any], bool]:
    return lambda row: row.path == path and bool(holds(row))


def _both(path: str, measure: str, holds: Holds) -> Callable[[Any], bool]:
    return _on(path, lambda row: row.compared(measure) and holds(row))


def _lacks(path: str, measure: str) -> Callable[[Any], bool]:
    return _on(path, lambda row: not row.compared(measure))


def _points(path: str, measure: str, side: str) -> Callable[[Any], float | None]:
    counted = _both(path, measure, lambda row: True)
    return lambda row: getattr(row, side)[measure] if counted(row) else None


def _plain(value: float) -> str:
    return f"{value:g}"


def _lines(path: str, words: str | Promise) -> dict[str, Line]:
    return (
        {path: Line(words, _on(path))}
        | {f"{path}.{code}": Line(said, _both(path, of, holds)) for code, (said, of, holds) in COUNTED.items()}
        | {f"{path}.{code}.missing": Line(said, _lacks(path, COUNTED[code][1])) for code, said in MISSING.items()}
    )


def _table(path: str, words: str | Promise) -> Table:
    return Table(
        words,
        _("Courses"),
        tuple(tuple(f"{path}.{code}" for code in chain) for chain in CHAINS),
        tuple((path, f"{path}.{code}", f"{path}.{code}.missing") for code in MISSING),
        tuple(Middle(said, _points(path, measure, side), _plain) for said, measure, side in MEDIANS),
        if_any=True,
    )


KIND = Kind(
    code="outcomes",
    title=_("Outcomes"),
    about=_("Depression, thoughts of suicide, trauma and wellbeing before and after each path."),
    rows=rows,
    lines={"all": Line(_("Courses that ended"), lambda row: True)}
    | {code: line for path, words in PATHS.items() for code, line in _lines(path, words).items()},
    tables=(
        Table(_("All paths"), _("Courses"), (), (("all", *PATHS),)),
        *(_table(path, words) for path, words in PATHS.items()),
    ),
    middles=(),
    first="all",
    how=(
        _("A course that ended, finished or stopped, on the day of its last dose or visit."),
        _("Before: the last form up to the first dose. After: the last one within 14 days after the last dose."),
        _("Courses without both scores are counted as missing, and are in no rate and no median."),
        _("Nobody can tell from these numbers what helped: people also get therapy and medicine, and some get better."),
        _("One therapist alone is shown only to that therapist and to admins."),
    ),
    choose_therapist=Permission.MANAGE_PRACTICE,
)
