"""What the suicide screens say together: whether the C-SSRS was answered to its end, and how near support must stand.

What fires a flag is data: rules/1-safety.toml, run on every answer (intake.signs). Nothing here predicts or averages.
"""

from collections.abc import Mapping

from practice.clinical.scoring import Score

CSSRS = "cssrs-screener-recent"
ASQ = "asq"
PROVED = ("low", "moderate", "high")
"""The levels that a yes to the C-SSRS proves (COLUMBIA-TRIAGE), whatever else is blank."""
ASQ_PROVED = ("non_acute_positive", "acute_positive")
"""The same of the ASQ (NIMH-ASQ)."""
ITEM9_HIGH = 2  # SPIER, KTC, VISTA
"""PHQ-9 item 9 from "more than half the days" on: the line of rule SR-06."""


def cssrs_completed(scores: Mapping[str, Score]) -> bool:
    """Return whether a C-SSRS was answered to its end, so that it may answer for a flag of another instrument."""
    return CSSRS in scores and scores[CSSRS].status == "complete"


def support_level(item9: int, cssrs: str | None, *, complete: bool) -> str:
    """Return which support the answers ask for: high, moderate, low, or "" without a sign. Never shown to the client.

    Until the C-SSRS is `complete`, item 9 (0 when it is blank) speaks for itself and nothing lowers it.
    """
    if cssrs == "high" or (item9 >= ITEM9_HIGH and not complete):
        return "high"
    if cssrs == "moderate" or (item9 and not complete):
        return "moderate"
    return "low" if cssrs == "low" or item9 else ""
