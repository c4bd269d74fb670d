"""Scores of instruments that a practice brings itself, by their facts alone and without a wording.

Source: the tags of each entry of byo.toml.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from practice.clinical import scoring
from practice.clinical.brought import ENGLISH, define, facts, link_id, values
from practice.clinical.instrument import Instrument, build


@dataclass(frozen=True, slots=True)
class ByoScore:
    total: int | float | None
    """None when a blank leaves it open."""
    band: str | None
    positive: bool | None
    """None where the instrument has no cut-point, or the total is open."""
    missing: tuple[int, ...]
    safety: tuple[tuple[int, int | None], ...]
    """Suicide items by number, each with its answer; None is a blank."""


@dataclass(frozen=True, slots=True)
class Mdq:
    positive: bool
    """All three parts were answered and meet the rule."""
    complete: bool


def score(key: str, answers: Sequence[int | None], *, reversed_in_form: bool = False) -> ByoScore:
    """Score the answers, in item order; None is a blank.

    `reversed_in_form`: the practice's wording already turns the reversed item round (DAST-10, SBIRT Oregon form).
    Raises ValueError for an instrument that cannot be scored by a sum, or an answer it does not take.
    """
    rules = facts(key)
    if rules["method"] in ("none", "mdq"):
        raise ValueError(f"{rules['title']} cannot be scored from its item answers.")
    given = _checked(rules, answers)
    wordless = _wordless(key, reversed_in_form)
    found = scoring.score(wordless, {link_id(key, n): value for n, value in enumerate(given, 1)})
    cut = rules.get("positive_from")
    return ByoScore(
        total=found.total,
        band=found.band if "bands" in rules else None,
        positive=None if cut is None or found.total is None else found.total >= cut,
        missing=tuple(n for n, value in enumerate(given, 1) if value is None),
        safety=tuple((n, given[n - 1]) for n in rules.get("safety", ())),
    )


def qids(answers: Sequence[int | None]) -> ByoScore:
    return score("qids-sr16", answers)


def mdq(yes_of_13: int | None, same_period: bool | None, problem: str | None) -> Mdq:
    """Return whether all three parts of the MDQ are met; a part left out cannot be met."""
    rules = facts("mdq")
    if yes_of_13 is not None and (type(yes_of_13) is not int or not 0 <= yes_of_13 <= rules["symptoms"]):
        raise ValueError(f"The MDQ count of yes answers is a whole number from 0 to {rules['symptoms']}.")
    if same_period is not None and type(same_period) is not bool:
        raise ValueError("The MDQ answer about the same period is true or false.")
    if problem is not None and type(problem) is not str:
        raise ValueError("The MDQ answer about problems is a word: none, minor, moderate or serious.")
    symptoms = {link_id("mdq", n): int(n <= (yes_of_13 or 0)) for n in range(1, rules["symptoms"] + 1)}
    parts = {
        link_id("mdq", rules["symptoms"] + 1): None if same_period is None else int(same_period),
        link_id("mdq", rules["items"]): rules["problem_values"].get((problem or "").strip().lower()),
    }
    found = scoring.score(_wordless("mdq", False), symptoms | parts)
    return Mdq(found.band == "positive", None not in (yes_of_13, same_period, problem))


def _checked(rules: Mapping[str, Any], answers: Sequence[int | None]) -> list[int | None]:
    if len(answers) != rules["items"]:
        raise ValueError(f"{rules['title']} has {rules['items']} answers; {len(answers)} were given.")
    if any(value is not None and (type(value) is not int or value not in rules["values"]) for value in answers):
        low, high = min(rules["values"]), max(rules["values"])
        raise ValueError(f"An answer of {rules['title']} is a whole number from {low} to {high}.")
    return list(answers)


@cache
def _wordless(key: str, turned: bool) -> Instrument:
    rules = facts(key)
    numbers = range(1, rules["items"] + 1)
    blank = {
        "instructions": "",
        "notice": "",
        "items": [str(n) for n in numbers],
        "own": {str(n): [str(value) for value in values(key, n)] for n in numbers},
        "turned": turned,
        "follow": "",
        "follow_answers": [str(value) for value in rules.get("follow", ())],
    }
    return build(define(key, "0", {ENGLISH: blank}))
