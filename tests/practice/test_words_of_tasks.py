"""Every kind of open item says why it is open, in words."""

import pytest

from practice import words
from practice.models import Task
from practice.models.tasks import KINDS
from tests.factories import NOW


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_item_has_its_reason(kind: str) -> None:
    assert words.why(Task(kind=kind, opened_at=NOW, facts={})) != ""


def test_wrong_codes_say_what_to_do() -> None:
    said = words.why(Task(kind="todo", opened_at=NOW, facts={"reason": "wrong_codes"}))
    assert said == "Somebody typed wrong codes on their link. Call them, and send a new link if it was them."


def test_item_without_a_known_reason_leads_to_the_chart() -> None:
    assert words.why(Task(kind="todo", opened_at=NOW, facts={})) == "Something to do: see the client's page."


@pytest.mark.parametrize(
    ("days", "said"),
    [
        (0, "under an hour"),
        (0.02, "under an hour"),
        (0.04, "1 hour"),
        (0.12, "3 hours"),
        (0.97, "23 hours"),
        (0.99, "1 day"),
        (1.2, "1 day"),
        (1.3, "1.5 days"),
        (2, "2 days"),
        (12.8, "13 days"),
    ],
)
def test_days_are_said_in_hours_below_a_day_and_in_halves_from_there(days: float, said: str) -> None:
    assert words.days_long(days) == said
