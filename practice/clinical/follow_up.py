"""How closely somebody is followed between a decision and the first treatment, and after each treatment.

Our own defaults; no source gives them. Where a protocol or a guide of practices stands near, it is named.
Sources: OWN, CLOCKS in docs/clinical-sources.md, by the tag beside each number.
"""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

CHECK_IN_EVERY_DAYS = 3  # OWN
"""From the decision to the first treatment of somebody with suicidal thoughts: a short check-in, this often."""
CHECK_IN_BACK_HOURS = 24  # CLOCKS
"""A check-in that is not back within this time is followed up by a person the same day."""
MEASURE_AFTER_HOURS = 24  # OWN
"""The same nine questions, this long after each infusion."""
THERAPY_FROM_HOURS = 24  # OWN
THERAPY_BY_HOURS = 72  # OWN
"""The window for therapy after an infusion; roughly three days is how practices describe it."""
THERAPY_BOOKED_AFTER = (1, 3, 6)  # OWN
"""After these infusions therapy is booked, not only offered."""
RECHECK_DAYS = 7  # OWN
"""After "watch and recheck": the check-in, unless a clinician names another day."""
HELPED_AFTER_DAYS = 2  # OWN
"""The follow-up with "how helpful was it" comes on the first re-score day this long after the last infusion."""
FIRST_WITHIN_DAYS = 14  # OWN
"""The goal that reports name: days from sending a referral to the first treatment elsewhere."""
OUTCOME_WITHIN_DAYS = 14  # OWN
"""A form that came back within so many days after the last treatment of a course is its outcome."""


def days_later(moment: datetime, days: int, zone: str) -> datetime:
    """Return the same clock time `days` later where the practice is, whatever the clocks did in between; in UTC."""
    here = ZoneInfo(zone)
    local = moment.astimezone(here)
    return datetime.combine(local.date() + timedelta(days=days), local.timetz()).astimezone(UTC)
