"""Scores of instruments that a practice brings itself: facts only, the wording is the practice's own.

Source: the tags of each entry of byo.toml.
"""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from practice.clinical.scoring import half_up


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


def known() -> tuple[str, ...]:
    return tuple(sorted(_data()))


def facts(key: str) -> Mapping[str, Any]:
    try:
        return _data()[key]
    except KeyError:
        raise ValueError(f"There are no score facts for an instrument called {key[:40]!r}.") from None


def score(key: str, answers: Sequence[int | None], *, reversed_in_form: bool = False) -> ByoScore:
    """Score the answers, in item order; None is a blank.

    `reversed_in_form`: the practice's wording already turns the reversed item round (DAST-10, SBIRT Oregon form).
    Raises ValueError for an instrument that cannot be scored by a sum, or an answer it does not take.
    """
    rules = facts(key)
    if "values" not in rules or rules["method"] == "none":
        raise ValueError(f"{rules['title']} cannot be scored from its item answers.")
    values = _checked(rules, answers)
    if not reversed_in_form:
        for number in rules.get("reverse", ()):
            value = values[number - 1]
            values[number - 1] = None if value is None else max(rules["values"]) - value
    total = _total(rules, values)
    cut = rules.get("positive_from")
    return ByoScore(
        total=total,
        band=_band(rules, total),
        positive=None if cut is None or total is None else total >= cut,
        missing=tuple(number for number, value in enumerate(values, 1) if value is None),
        safety=tuple((number, values[number - 1]) for number in rules.get("safety", ())),
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
    met = (yes_of_13 or 0) >= rules["positive_from"] and bool(same_period)
    positive = met and (problem or "").strip().lower() in rules["problems"]
    return Mdq(positive, None not in (yes_of_13, same_period, problem))


def _checked(rules: Mapping[str, Any], answers: Sequence[int | None]) -> list[int | None]:
    if len(answers) != rules["items"]:
        raise ValueError(f"{rules['title']} has {rules['items']} answers; {len(answers)} were given.")
    if any(value is not None and (type(value) is not int or value not in rules["values"]) for value in answers):
        low, high = min(rules["values"]), max(rules["values"])
        raise ValueError(f"An answer of {rules['title']} is a whole number from {low} to {high}.")
    return list(answers)


def _total(rules: Mapping[str, Any], values: list[int | None]) -> int | float | None:
    """Return the total; no rule for blanks was found, so one leaves it open (but a domain needs only one answer)."""
    if rules["method"] == "domains":
        return _sum([_highest([values[number - 1] for number in domain]) for domain in rules["domains"]])
    if rules["method"] == "percent":
        points = _sum(values[: rules["first"]])
        return None if points is None else half_up(100 * (points - rules["lowest"]), rules["spread"])
    points = _sum(values)
    return None if points is None else points * int(rules.get("times", 1))


def _sum(values: Sequence[int | None]) -> int | None:
    known = [value for value in values if value is not None]
    return sum(known) if len(known) == len(values) else None


def _highest(values: Sequence[int | None]) -> int | None:
    return max((value for value in values if value is not None), default=None)


def _band(rules: Mapping[str, Any], total: int | float | None) -> str | None:
    codes = [band["code"] for band in rules.get("bands", ()) if total is not None and total >= band["from"]]
    return codes[-1] if codes else None


@cache
def _data() -> dict[str, dict[str, Any]]:
    data: dict[str, dict[str, Any]] = tomllib.loads(Path(__file__).with_name("byo.toml").read_text(encoding="utf-8"))[
        "instruments"
    ]
    return data
