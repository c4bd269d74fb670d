"""The medicines a client tried, from the rows of a form to what the decision table counts."""

from collections.abc import Mapping
from typing import Any

from practice.clinical.trials import Trial

PAGE = "trials"  # the page of a packet on which they are asked
YES_NO: Mapping[str, bool] = {"yes": True, "no": False}


def from_rows(rows: Any) -> list[Trial]:
    """Return the trials of a page's rows, in order; [] when the client has tried none."""
    return [_trial(row) for row in rows or [] if row.get("drug")]


def _trial(row: Mapping[str, Any]) -> Trial:
    return Trial(
        drug=str(row["drug"]),
        mg=_number(row.get("mg")),
        weeks=_number(row.get("weeks")),
        best_improvement_pct=_number(row.get("best_improvement_pct")),
        augment=str(row.get("augment") or ""),
        stopped_for_side_effects=row.get("stopped") == "side_effects",
        this_episode=YES_NO.get(str(row.get("this_episode", ""))),
    )


def _number(value: Any) -> float | None:
    return None if value in (None, "") else float(value)
