"""Answers to a Score. Every rule and number is read from the instrument's own file."""

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from practice.clinical.instrument import DECLINED, Answers, Instrument, Item, Test, Value, load

SEVERITIES = ("none", "info", "routine", "priority", "urgent")
"""From least to most pressing."""


@dataclass(frozen=True, slots=True)
class Score:
    """What the answers say by the instrument's own rules; never a diagnosis."""

    instrument: str
    version: str
    total: int | float | None = None
    """None when too much is missing, and for a triage (C-SSRS, ASQ), which has a `level` instead."""
    estimated: bool = False
    lower_bound: int | None = None
    """Sum of the answers given, when some are missing."""
    band: str | None = None
    level: str | None = None
    status: str = "complete"
    """`complete`, `incomplete`, `declined`, or `refused` (a minor's refusal, which counts as positive)."""
    flags: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    safety: tuple[tuple[str, int | None], ...] = ()
    """The suicide items that were to be asked, each with its answer; None for a blank or refusal."""
    mds: bool | None = None
    """PHQ-9: the answers given meet the major depressive syndrome rule."""
    ods: bool | None = None
    provisional: bool | None = None
    """PCL-5: the answers given meet the DSM-5 pattern."""
    clusters: tuple[tuple[str, int], ...] = ()

    @property
    def complete(self) -> bool:
        return not self.missing


def score(
    instrument: Instrument,
    answers: Answers,
    *,
    age: int | None = None,
    sex: str | None = None,
    completed: Collection[str] = (),
) -> Score:
    """Score `answers` (by link id; None, absent or "declined" is a blank).

    `age` in whole years decides a minor's refusal (ASQ), `sex` the cut-point (AUDIT-C); `completed` holds the keys of
    instruments finished in the same sitting, which answer some flags. Partial answers are welcome at any time.
    Raises ValueError, in a sentence that holds no answer, when an answer is not one the question takes.
    """
    given = _given(instrument, answers)
    if instrument.scoring["method"] == "triage":
        found = _triage(instrument, given, age)
    else:
        found = _numeric(instrument, given, sex)
    return Score(
        instrument=instrument.key,
        version=instrument.version,
        flags=_flags(instrument, given, found, sex, completed),
        safety=_safety(instrument, given) if instrument.safety_items else (),
        **found,
    )


def score_all(answers: Mapping[str, Answers], *, age: int | None = None, sex: str | None = None) -> dict[str, Score]:
    """Score what was answered in one sitting, by instrument key; one finished here may answer a flag of another."""
    instruments = {key: load(key) for key in answers}
    first = {key: score(instrument, answers[key], age=age, sex=sex) for key, instrument in instruments.items()}
    completed = {key for key, result in first.items() if result.complete}
    return {
        key: score(instrument, answers[key], age=age, sex=sex, completed=completed)
        for key, instrument in instruments.items()
    }


def worst(severities: Iterable[str]) -> str:
    """Return the most pressing of `severities`, "none" when there are none."""
    return max(severities, key=SEVERITIES.index, default="none")


def cut(instrument: Instrument, name: str, sex: str | None) -> float:
    """Return a cut-point; where it depends on sex, the lower one unless sex is recorded."""
    value = instrument.cutpoints[name]
    if isinstance(value, Mapping):
        value = value.get((sex or "").lower(), value["unknown"])
    return float(value)


def band_of(instrument: Instrument, total: float | None, *, sex: str | None = None) -> str | None:
    """Return the code of the highest band whose lower limit `total` reaches."""
    found = None
    if total is not None:
        for band in instrument.bands:
            limit = cut(instrument, band.minimum_cut, sex) if band.minimum_cut else band.minimum
            if limit is not None and total >= limit:
                found = band.code
    return found


def half_up(numerator: int, denominator: int, decimals: int = 0) -> int | float:
    """Return numerator/denominator rounded half up, both not negative; exact, since halves matter at a cut-point."""
    scale: int = 10**decimals
    scaled = (2 * numerator * scale + denominator) // (2 * denominator)
    return scaled / scale if decimals else scaled


def _given(instrument: Instrument, answers: Answers) -> dict[str, Value]:
    items = instrument.by_link_id
    given: dict[str, Value] = {}
    for link_id, value in answers.items():
        item = items.get(link_id)
        if item is None:
            raise ValueError(f"{instrument.title} has no question called {str(link_id)[:40]!r}.")
        if value is None:
            continue
        if type(value) in (int, str) and value in item.points:
            given[link_id] = value
        elif (checked := _checked(item, value)) is not None:
            given[link_id] = checked
    return given


def _checked(item: Item, value: Value) -> Value | None:
    """Return a written or counted answer, None for a refusal; raise ValueError for anything else."""
    if value == DECLINED:
        return None
    if item.type == "text" and type(value) is str:
        return value.strip() or None
    if item.type == "integer" and type(value) is int:
        low, high = item.minimum or 0, math.inf if item.maximum is None else item.maximum
        if low <= value <= high:
            return value
    raise ValueError(f"The question {item.link_id} takes {_expected(item)}; the answer given is something else.")


def _expected(item: Item) -> str:
    if item.type == "text":
        return "words"
    if item.type == "integer":
        return f"a whole number from {item.minimum} to {item.maximum}"
    return " or ".join(str(value) for value in item.points)


def _triage(instrument: Instrument, given: Mapping[str, Value], age: int | None) -> dict[str, Any]:
    """Find the highest level that the answers prove. A blank is never a no, and a yes is never discarded."""
    rules = instrument.scoring
    asked = [item for item in instrument.items if item.type == "choice" and item.applies(given)]
    missing = tuple(item.link_id for item in asked if item.link_id not in given)
    proved = next((rule["level"] for rule in rules["rules"] if any(given.get(i) == 1 for i in rule["any"])), None)
    if proved or not missing:
        level, status = proved or rules["unproved"], "incomplete" if missing else "complete"
    elif age is not None and age < rules.get("minor_under", -math.inf):
        level, status = rules["minor_blank"], "refused"
    else:
        level = rules["all_blank"] if len(missing) == len(asked) else rules["blank_unproved"]
        status = level
    band = level if any(band.code == level for band in instrument.bands) else None
    return {"level": level, "status": status, "band": band, "missing": missing}


def _numeric(instrument: Instrument, given: Mapping[str, Value], sex: str | None) -> dict[str, Any]:
    rules = instrument.scoring
    points_sum = answered = 0
    missing: list[str] = []
    for link_id, points in instrument.scored_points:
        value = given.get(link_id)
        if value is None:
            missing.append(link_id)
            continue
        worth = points[value] if points else value
        if worth is not None:
            points_sum += worth  # type: ignore[operator]  # a scored answer that is not "na" has integer points
            answered += 1
    zero = rules.get("zero_when")
    if missing and zero and given.get(zero["link_id"]) == zero["equals"]:
        missing = [link_id for link_id in missing if link_id not in zero["items"]]
        answered = len(instrument.scored_points) - len(missing)
    gate = rules.get("gate")
    if gate and given.get(gate["link_id"]) == gate["equals"]:
        points_sum, answered, missing = gate["total"], len(instrument.scored_points), []
    elif gate and gate["link_id"] not in given:
        missing.insert(0, gate["link_id"])
    total = _total(rules, points_sum, answered, len(missing), len(instrument.scored_points))
    if "domains" in rules:
        total = _domains(rules["domains"], given)
    found: dict[str, Any] = {
        "total": total,
        "estimated": bool(missing) and total is not None and rules.get("estimate", False),
        "lower_bound": points_sum if missing and "domains" not in rules else None,
        "band": band_of(instrument, total, sex=sex),
        "status": "incomplete" if missing else "complete",
        "missing": tuple(missing),
    }
    if "symptoms" in rules:
        found.update(_symptoms(rules["symptoms"], instrument, given))
    if "clusters" in rules:
        found.update(_clusters(rules["clusters"], given))
    if "parts" in rules:
        found["band"] = _parts(rules["parts"], points_sum, given, bool(missing))
        if found["band"] is None:
            found["missing"] += tuple(link_id for link_id in rules["parts"]["also"] if link_id not in given)
            found["status"] = "incomplete"
    return found


def _total(rules: Mapping[str, Any], points: int, answered: int, missing: int, items: int) -> int | float | None:
    """Return the total by the instrument's method; None when more is missing than its rule allows."""
    if rules["method"] == "none" or missing > rules["max_missing"] or not answered:
        return None
    if rules["method"] == "mean":
        return half_up(points, answered, rules["decimals"])
    if rules["method"] == "percent":
        return half_up(100 * points, rules["points_per_item"] * answered)
    return half_up(points * items, answered) if missing else points * int(rules.get("times", 1))


def _domains(groups: Sequence[Sequence[str]], given: Mapping[str, Value]) -> int | None:
    """Return the sum of the highest answer of each domain; None while one of them has no answer (QIDS)."""
    total = 0
    for group in groups:
        values = [value for link_id in group if type(value := given.get(link_id)) is int]
        if not values:
            return None
        total += max(values)
    return total


def _parts(rule: Mapping[str, Any], count: int, given: Mapping[str, Value], open_: bool) -> str | None:
    """Return "positive" when the count and every other part are met (MDQ); None while a blank leaves it open."""
    others = [(given.get(link_id), wanted) for link_id, wanted in rule["also"].items()]
    if count >= rule["at_least"] and all(value in wanted for value, wanted in others):
        return "positive"
    unmet = (not open_ and count < rule["at_least"]) or any(
        value is not None and value not in wanted for value, wanted in others
    )
    return "negative" if unmet else None


def _symptoms(rule: Mapping[str, Any], instrument: Instrument, given: Mapping[str, Value]) -> dict[str, bool]:
    """Count PHQ-9 symptoms. Blanks do not count, so with blanks True is proved and False is only "not shown"."""
    special = rule["at_least_for"]
    present = {
        link_id
        for link_id, _ in instrument.scored_points
        if type(value := given.get(link_id)) is int and value >= special.get(link_id, rule["at_least"])
    }
    core = any(link_id in present for link_id in rule["core"])
    fewest, most = rule["other"]
    return {"mds": core and len(present) >= rule["major"], "ods": core and fewest <= len(present) <= most}


def _clusters(rule: Mapping[str, Any], given: Mapping[str, Value]) -> dict[str, Any]:
    """Count PCL-5 items per DSM-5 cluster. Blanks do not count, as in `_symptoms`."""
    enough = rule["at_least"]
    counts = {
        name: sum(1 for link_id in group["items"] if (given.get(link_id) or 0) >= enough)
        for name, group in rule["groups"].items()
    }
    met = all(counts[name] >= group["need"] for name, group in rule["groups"].items())
    return {"provisional": met, "clusters": tuple(counts.items())}


def _flags(
    instrument: Instrument,
    given: Mapping[str, Value],
    found: Mapping[str, Any],
    sex: str | None,
    completed: Collection[str],
) -> tuple[str, ...]:
    reached = found.get("total")
    if reached is None and instrument.scoring.get("lower_bound_flags"):
        reached = found["lower_bound"]  # the answers given alone reach the cut-point
    raised = []
    for flag in instrument.flags:
        if flag.unless_completed in completed:
            continue
        for test in flag.when:
            if _met(test, instrument, given, found, reached, sex):
                raised.append(flag.code)
                break
    return tuple(raised)


def _met(
    test: Test,
    instrument: Instrument,
    given: Mapping[str, Value],
    found: Mapping[str, Any],
    reached: float | None,
    sex: str | None,
) -> bool:
    kind, wanted = test.kind, test.wanted
    if kind == "item":
        value = given.get(test.link_id)
        return type(value) is int and bool(value >= wanted)
    if kind == "blank":
        return test.link_id not in given
    if kind == "total_at_least":
        return reached is not None and bool(reached >= wanted)
    if kind == "total_at_least_cut":
        return reached is not None and reached >= cut(instrument, wanted, sex)
    return bool(found.get(kind) == wanted)


def _safety(instrument: Instrument, given: Mapping[str, Value]) -> tuple[tuple[str, int | None], ...]:
    return tuple(
        (item.link_id, value if type(value := given.get(item.link_id)) is int else None)
        for item in instrument.safety_items
        if item.link_id in given or item.applies(given)
    )
