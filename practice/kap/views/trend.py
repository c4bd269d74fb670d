"""How scores moved over time beside the treatment that was given (C7), and when they turned (C10)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from math import floor
from typing import Any

from dateutil.relativedelta import relativedelta
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from intake.models import Assessment
from intake.views import reading
from practice.charts import NARROW, PANEL, WIDE, Point, Treatment, describe, trend
from practice.clinical import brought
from practice.clinical.change import compare
from practice.clinical.instrument import Instrument, load
from practice.kap.models import Plan, Session
from practice.kap.views import plans
from practice.models import Client
from practice.templatetags.ui import full_day
from practice.views.chart import Panel
from referrals.models import CourseSession
from referrals.views.courses import courses

RANGES = {
    "3m": (_("3 months"), relativedelta(months=3)),
    "12m": (_("12 months"), relativedelta(months=12)),
    "all": (_("All"), None),
}
DEFAULT_RANGE = "12m"
MAIN_MEASURE = "phq-9"
SMALL_MEASURES = ("gad-7", "pcl-5")


@dataclass(frozen=True)
class Milestone:
    """A score at which something turned; `number` marks it in the chart, 0 is the baseline."""

    number: int
    on: date
    total: float
    words: str


def panel(request: HttpRequest, client: Client, at: datetime) -> Panel:
    today = timezone.localdate(at)
    chosen = request.GET.get("range", DEFAULT_RANGE)
    chosen = chosen if chosen in RANGES else DEFAULT_RANGE
    back = RANGES[chosen][1]
    by_measure = series(reading.assessments(client))
    treatment = treatment_of(client)
    all_days = [row.taken_on for rows in by_measure.values() for row in rows] + treatment.days()
    start = today - back if back else min([*all_days, today])
    end = max([today, *(due + relativedelta(weeks=2) for due in treatment.boosters_due)])  # room for its mark
    main = by_measure.get(MAIN_MEASURE, [])
    context: dict[str, Any] = {
        "tabs": [
            {"label": label, "url": f"?range={key}#trend", "current": key == chosen}
            for key, (label, _back) in RANGES.items()
        ],
        "name": load(MAIN_MEASURE).short_name,
        "milestones": (turned := milestones(main)),
        "lines": lines_words(main[-1].definition) if turned else "",
    }
    shown = [row for row in main if start <= row.taken_on <= end]
    if shown:
        marked = marks(main)
        axis = {"start": start, "end": end, "today": today, "treatment": treatment}
        context |= {
            "wide": draw(main, WIDE, "phq9-w", axis, turned),
            "narrow": draw(main, NARROW, "phq9-n", axis, turned),
            "legend": legend(shown, treatment, start, end)
            | {"marks": any(each.number and start <= each.on <= end for each in turned)},
            "columns": [
                gettext("Date"),
                gettext("Score"),
                gettext("Band"),
                gettext("Safety question"),
                gettext("Change"),
            ],
            "numbers": [number_row(row, marked.get(row.pk, "")) for row in shown],
        }
    own = [key for key in brought.known() if any(row.total is not None for row in by_measure.get(key, []))]
    small = {key: by_measure.get(key, []) for key in (*SMALL_MEASURES, *own)}
    context["small"] = [
        {
            "name": rows[-1].definition.short_name,
            "chart": draw(rows, PANEL, f"{key}-z", {"start": start, "end": end, "today": today}),
        }
        for key, rows in small.items()
        if any(start <= row.taken_on <= end for row in rows)
    ]
    return Panel("kap/trend_panel.html", context)


def series(newest_first: Sequence[Assessment]) -> dict[str, list[Assessment]]:
    """Assessments by instrument, oldest first."""
    found: dict[str, list[Assessment]] = {}
    for row in reversed(newest_first):
        found.setdefault(row.instrument, []).append(row)
    return found


def total_of(row: Assessment) -> float | None:
    return None if row.total is None else float(row.total)


def draw(
    rows: Sequence[Assessment], size: Any, chart_id: str, axis: dict[str, Any], turned: Sequence[Milestone] = ()
) -> Any:
    definition = rows[-1].definition
    rules = definition.change
    baseline = next((total for row in rows if (total := total_of(row)) is not None), None)
    later = [each for each in turned if each.number]
    points = [Point(row.taken_on, total_of(row), row.safety, row.imported_at is not None) for row in rows]
    fall = rules.get("response_fall_pct")
    return trend(
        points,
        name=definition.short_name,
        bands=definition.ranges,
        maximum=float(definition.scoring["maximum"]),
        minimum=float(definition.scoring.get("minimum", 0)),
        baseline=baseline,
        response=floor(baseline * (1 - fall / 100)) if baseline and fall else None,  # totals here are whole
        remission_below=rules.get("remission_below"),
        size=size,
        chart_id=chart_id,
        marks=[(each.on, each.total, str(each.number)) for each in later],
        description=" ".join([describe(definition.short_name, points), *(each.words for each in later)]),
        **axis,
    )


@dataclass(frozen=True)
class Turn:
    """What one score shows against the baseline, and against the lowest before it."""

    is_response: bool
    is_remission: bool
    is_improvement: bool
    is_worsening: bool
    best: float
    """The lowest total before it."""


NOTHING = Turn(False, False, False, False, 0)


def turns(rows: Sequence[Assessment]) -> list[tuple[Assessment, float, Turn]]:
    """Each score that has a total, with what it shows by the instrument's own rules of change."""
    known = [(row, total) for row in rows if (total := total_of(row)) is not None]
    if not known:
        return []
    rules, (first, baseline) = rows[-1].definition.change, known[0]
    found, best = [(first, baseline, NOTHING)], baseline
    for row, total in known[1:]:
        since_first = compare(rules, baseline, total)
        turn = Turn(
            is_response=bool(since_first.response),
            is_remission=bool(since_first.remission) and baseline >= rules["remission_below"],
            is_improvement=bool(since_first.reliable_improvement),
            is_worsening=bool(compare(rules, best, total).reliable_worsening),
            best=best,
        )
        found.append((row, total, turn))
        best = min(best, total)
    return found


def milestones(rows: Sequence[Assessment]) -> list[Milestone]:
    """When the scores first showed improvement, response and remission, and last a reliable worsening, in time."""
    known = turns(rows)
    if not known:
        return []
    (first, baseline, _turn), rules = known[0], rows[-1].definition.change
    firsts = [
        next((each for each in known if each[2].is_improvement), None),
        next((each for each in known if each[2].is_response), None),
        next((each for each in known if each[2].is_remission), None),
        next((each for each in reversed(known) if each[2].is_worsening), None),
    ]
    told = [
        gettext("Reliable improvement: {total} on {day}, {gain} below the baseline."),
        gettext("Response (half or less of the baseline): {total} on {day}."),
        gettext("Remission (under {line}): {total} on {day}."),
        gettext("Reliable worsening: {total} on {day}, {rise} above the lowest before."),
    ]
    said = [
        (
            row.taken_on,
            total,
            words.format(
                total=f"{total:g}",
                day=full_day(row.taken_on),
                line=f"{rules.get('remission_below', 0):g}",
                gain=f"{baseline - total:g}",
                rise=f"{total - turn.best:g}",
            ),
        )
        for words, found in zip(told, firsts, strict=True)
        if found is not None
        for row, total, turn in [found]
    ]
    began = gettext("Baseline {total} on {day}.").format(total=f"{baseline:g}", day=full_day(first.taken_on))
    later = [Milestone(n, *each) for n, each in enumerate(sorted(said, key=lambda each: each[0]), 1)]
    return [Milestone(0, first.taken_on, baseline, began), *later]


def lines_words(definition: Instrument) -> str:
    """The lines by which scores are marked, with their source, from the instrument's own file."""
    rules = definition.change
    return gettext(
        "Marked by the {name}'s own lines: response at half of the first score, remission under {line}, reliable "
        "change from {points} points ({source})."
    ).format(
        name=definition.short_name,
        line=rules["remission_below"],
        points=rules["reliable_change"],
        source=rules["notes"]["reliable_change_source"].partition(" (")[0],
    )


def treatment_of(client: Client) -> Treatment:
    """What was given and what is due, from the courses elsewhere and the plans here."""
    infusions = [
        [session.on for session in course.sessions.all() if session.state == CourseSession.State.DONE]
        for course in courses(client)
    ]
    weekly: list[date] = []
    intensives: list[tuple[date, date]] = []
    boosters_done: list[date] = []
    boosters_due: list[date] = []
    for plan in plans.plans_of(client):
        done = plans.days([dose for dose in plans.doses(plan) if dose.state == Session.State.DONE])
        if plan.shape == Plan.Shape.WEEKLY:
            weekly += done
        elif plan.shape == Plan.Shape.INTENSIVE and done:
            intensives.append((min(done), max(done)))
        elif plan.shape == Plan.Shape.BOOSTER:
            boosters_done += done
            if plan.due_on and not done and plan.state == Plan.State.UNDER_WAY:
                boosters_due.append(plan.due_on)
    return Treatment(
        courses=[days for days in infusions if days],
        sessions=weekly,
        intensives=intensives,
        boosters_done=boosters_done,
        boosters_due=boosters_due,
    )


def legend(rows: Sequence[Assessment], treatment: Treatment, start: date, end: date) -> dict[str, Any]:
    def drawn(days: Sequence[date]) -> bool:
        return any(start <= day <= end for day in days)

    spans = [day for span in treatment.intensives for day in span]
    return {
        "safety": any(row.safety for row in rows),
        "imported": any(row.imported_at for row in rows),
        "infusions": drawn([day for course in treatment.courses for day in course]),
        "kap": drawn([*treatment.sessions, *spans, *treatment.boosters_done]),
        "booster": drawn(treatment.boosters_due),
    }


def marks(rows: Sequence[Assessment]) -> dict[Any, str]:
    """What each score shows, in words, by the row's id."""
    found = {}
    for row, _total, turn in turns(rows):
        said = [
            words
            for words, is_so in (
                (gettext("Response"), turn.is_response),
                (gettext("Remission"), turn.is_remission),
                (gettext("Reliable improvement"), turn.is_improvement and not turn.is_response),
                (gettext("Reliable worsening"), turn.is_worsening),
            )
            if is_so
        ]
        found[row.pk] = gettext("Baseline") if turn is NOTHING else ", ".join(said)
    return found


def number_row(row: Assessment, change: str) -> list[str]:
    day = full_day(row.taken_on)
    return [
        gettext("{day}, from another system").format(day=day) if row.imported_at else day,
        reading.score_words(row),
        reading.band_words(row),
        gettext("positive") if row.safety else gettext("no"),
        change,
    ]
