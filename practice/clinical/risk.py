"""Suicide-safety signs and level, from single answers and from Scores.

The level publishes each screen's own triage (README of the sources: COLUMBIA-TRIAGE, NIMH-ASQ); nothing is predicted,
averaged or lowered here. Source of the severities: the flags of each instrument's file.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from practice.clinical.instrument import DECLINED, Value, load
from practice.clinical.scoring import SEVERITIES, Score, score, worst

CSSRS = "cssrs-screener-recent"
LEVELS = ("not_asked", "none", "unknown", "low", "moderate", "high")
"""From least to most pressing. `unknown`: asked, but blank, declined, or a sign that no screen has sized yet."""

COMPLETED_LEVELS = ("none", "low", "moderate", "high")
RECONCILE = "item9_and_cssrs_disagree"


@dataclass(frozen=True, slots=True)
class Sign:
    """What one answer to one question says, before any total exists."""

    positive: bool = False
    skipped: bool = False
    """A suicide question that was left blank or declined."""
    severity: str = "none"
    codes: tuple[str, ...] = ()
    """Flag codes that this answer alone raises."""
    opens: tuple[str, ...] = ()
    """Instruments to give in the same sitting."""

    def __bool__(self) -> bool:
        return self.positive or self.skipped


@dataclass(frozen=True, slots=True)
class Reason:
    code: str
    severity: str
    instrument: str
    text: str


@dataclass(frozen=True, slots=True)
class Safety:
    level: str
    severity: str
    reasons: tuple[Reason, ...]
    """Most pressing first."""
    positive: tuple[tuple[str, str, int], ...]
    """Instrument, link id and value of each suicide item answered above zero."""
    unanswered: tuple[tuple[str, str], ...]
    """Instrument and link id of each suicide item left blank or declined."""
    needs_cssrs: bool


def safety_signs(instrument_key: str, link_id: str, value: Value | None) -> Sign:
    """Return what a single answer says; for use at each save, when nothing else may be known.

    A blank (None or "declined") of a suicide item is a skipped one. Any other item gives an empty, false Sign.
    Raises ValueError when the question does not take such an answer.
    """
    instrument = load(instrument_key)
    if not instrument.item(link_id).safety:
        return Sign()
    alone = score(instrument, {link_id: value})
    if value is None or value == DECLINED:
        gap = next(flag for flag in instrument.flags if flag.gap)
        return Sign(skipped=True, severity=gap.severity, codes=(gap.code,))
    flags = [flag for flag in instrument.flags if not flag.gap and flag.code in alone.flags]
    return Sign(
        positive=value != 0,
        severity=worst(flag.severity for flag in flags),
        codes=tuple(flag.code for flag in flags),
        opens=(CSSRS,) if value != 0 and instrument_key != CSSRS else (),
    )


def needs_cssrs(scores: Mapping[str, Score]) -> bool:
    """Return whether any suicidal sign was given elsewhere while no C-SSRS was opened (D13: in the same sitting)."""
    return CSSRS not in scores and any(value for result in scores.values() for _, value in result.safety)


def cssrs_completed(scores: Mapping[str, Score]) -> bool:
    """Return whether a C-SSRS was answered to its end, so that it may answer for a flag of another instrument."""
    return CSSRS in scores and scores[CSSRS].status == "complete"


def assess(scores: Mapping[str, Score]) -> Safety:
    """Return the worst level and severity that any of `scores` (by instrument key) proves, with the reasons."""
    reasons: list[Reason] = []
    levels = ["not_asked"]
    done = {CSSRS} if cssrs_completed(scores) else set()
    for key, result in scores.items():
        instrument = load(key, result.version)
        if not instrument.safety_items:
            continue
        raised = [flag for flag in instrument.flags if flag.code in result.flags and flag.unless_completed not in done]
        reasons += [Reason(flag.code, flag.severity, key, flag.reason) for flag in raised]
        levels.append(instrument.risk.get(result.level or "", "none"))
        if not instrument.risk and raised and not done:
            levels.append("high" if worst(flag.severity for flag in raised) == "urgent" else "unknown")
    positive = tuple((key, link, value) for key, result in scores.items() for link, value in result.safety if value)
    if cssrs_completed(scores) and scores[CSSRS].level == "none" and any(key != CSSRS for key, _, _ in positive):
        text = "Another answer speaks of suicide or self-harm but the C-SSRS is all No: reconcile them."
        reasons.append(Reason(RECONCILE, "routine", CSSRS, text))
    unanswered = tuple((key, link) for key, result in scores.items() for link, value in result.safety if value is None)
    ordered = sorted(reasons, key=lambda reason: -_rank(reason.severity))
    return Safety(
        level=max(levels, key=LEVELS.index),
        severity=worst(reason.severity for reason in reasons),
        reasons=tuple(ordered),
        positive=positive,
        unanswered=unanswered,
        needs_cssrs=needs_cssrs(scores),
    )


def _rank(severity: str) -> int:
    return SEVERITIES.index(severity)
