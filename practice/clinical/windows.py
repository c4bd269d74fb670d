"""How long what somebody answered still speaks for today. An old screen must not look current.

Source: VISTA in docs/clinical-sources.md (a suicide screen older than 90 days is shown as expired), OWN (the same for
the other instruments), and the window that rules/inputs.toml gives the PHQ-9.
"""

from collections.abc import Mapping
from datetime import date, timedelta

PHQ9_DAYS = 14
OTHER_DAYS = 90

DAYS: Mapping[str, int] = {"phq-9": PHQ9_DAYS}

# Readings with a window of their own, shorter than a sitting is kept: they count by the day they were taken on, and
# where that was not said, only for the sitting they came with.
PASSING = frozenset({"sbp", "dbp"})
READING_DAYS = 30  # the window that rules/inputs.toml gives a blood pressure


def is_current(instrument: str, taken_on: date, today: date) -> bool:
    """Return whether answers to this instrument may still stand for how somebody is."""
    return timedelta(0) <= today - taken_on <= timedelta(days=DAYS.get(instrument, OTHER_DAYS))


def reading_counts(taken_on: date, today: date) -> bool:
    """Return whether a reading of this day is young enough today."""
    return timedelta(0) <= today - taken_on <= timedelta(days=READING_DAYS)
