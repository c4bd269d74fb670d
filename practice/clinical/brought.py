"""Instruments that a practice brings itself: the facts are here (byo.toml), the wording is the practice's own.

`define` joins the two to a definition of the same shape as a file of ours, so that everything else treats it alike.

Source: the tags of each entry of byo.toml.
"""

import tomllib
from collections.abc import Mapping, Sequence
from functools import cache
from math import ceil
from pathlib import Path
from typing import Any

from practice.clinical.risk import CSSRS, ITEM9_HIGH

ENGLISH = "en"
MOST_ANSWERS = 11  # of a question whose answers nobody has described
A_MINUTE = 5  # questions; OWN, for the time that a client is told

Wording = Mapping[str, Any]
"""What a practice types in one language: `instructions`, `notice`, `items`, `answers` (the same for all questions),
`own` {number: answers}, `turned` (the reversed items are turned round already), `follow` and `follow_answers`."""


def known() -> tuple[str, ...]:
    return tuple(sorted(_data()))


def facts(key: str) -> Mapping[str, Any]:
    try:
        return _data()[key]
    except KeyError:
        raise ValueError(f"There are no score facts for an instrument called {key[:40]!r}.") from None


# --- What has to be typed --------------------------------------------------------------------------------------------


def short(key: str) -> str:
    rules = facts(key)
    return str(rules.get("short", rules["title"]))


def values(key: str, number: int) -> tuple[int, ...]:
    """The answers that this question takes, as numbers; () where the source does not say what they are."""
    rules = facts(key)
    return tuple(rules.get("own_values", {}).get(str(number), rules.get("values", ())))


def is_whole(key: str, number: int, labels: Sequence[str]) -> bool:
    """Whether these are the answers of this question: one for each value, the first and the last in words."""
    wanted = values(key, number)
    count = len(labels) == len(wanted) if wanted else 2 <= len(labels) <= MOST_ANSWERS
    return count and bool(labels[0].strip() and labels[-1].strip())


def wanting(key: str, wording: Wording) -> list[str]:
    """What is still missing: "instructions", "notice", "item 3", "answers 15", "follow"; [] when it is whole."""
    rules = facts(key)
    found = [name for name in ("instructions", "notice") if not wording.get(name)]
    items = list(wording.get("items", ()))
    for number in range(1, rules["items"] + 1):
        if len(items) < number or not items[number - 1]:
            found.append(f"item {number}")
        if not is_whole(key, number, _labels(wording, number)):
            found.append(f"answers {number}")
    if "follow" in rules:
        labels = wording.get("follow_answers", ())
        if not (wording.get("follow") and len(labels) == len(rules["follow"])):
            found.append("follow")
    return found


def _labels(wording: Wording, number: int) -> list[str]:
    return list(wording.get("own", {}).get(str(number)) or wording.get("answers", ()))


# --- Facts and wording joined ----------------------------------------------------------------------------------------


def define(key: str, version: str, wordings: Mapping[str, Wording]) -> dict[str, Any]:
    """Return the definition, as `instrument.build` takes it. English is what is scored and what staff read.

    Each wording must be whole (`wanting`).
    """
    found = _definition(key, version, ENGLISH, wordings[ENGLISH])
    others = {code: _definition(key, version, code, words) for code, words in wordings.items() if code != ENGLISH}
    return {**found, "translations": others}


def link_id(key: str, number: int) -> str:
    return f"{key.replace('-', '')}-{number}"


def _definition(key: str, version: str, language: str, wording: Wording) -> dict[str, Any]:
    rules = facts(key)
    numbers = range(1, rules["items"] + 1)
    options = {f"of-{n}": _options(rules, key, n, wording) for n in numbers}
    items = [_item(rules, key, n, wording["items"][n - 1]) for n in numbers]
    if "follow" in rules:
        options["follow"] = [
            {"value": value, "label": label or str(value)}
            for value, label in zip(rules["follow"], wording["follow_answers"], strict=True)
        ]
        items = [each for item in items for each in (item, _follow(item, wording["follow"]))]
    return {
        "key": key,
        "version": version,
        "title": short(key),
        "edition": "",
        "language": language,
        "domain": "",
        "recall_window": rules.get("window", ""),
        "respondent": "self-report",
        "min_age": 0,
        "minutes": ceil(rules["items"] / A_MINUTE),
        "instructions": wording["instructions"],
        "higher_is_better": rules.get("higher_is_better", False),
        "sources": list(rules["sources"]),
        "licence": {"ship": False, "class": "brought", "notice": wording["notice"], "who_says": [], "conditions": ""},
        "loinc": dict(rules.get("loinc", {})),
        "options": options,
        "items": items,
        "scoring": _scoring(rules, key),
        "bands": _bands(rules),
        "cutpoints": {"positive": rules["positive_from"]} if "positive_from" in rules else {},
        "change": dict(rules.get("change", {})),
        "flags": [flag for n in rules.get("safety", ()) for flag in _flags(rules, key, n)],
        "verification": {},
    }


def _options(rules: Mapping[str, Any], key: str, number: int, wording: Wording) -> list[dict[str, Any]]:
    labels = _labels(wording, number)
    taken = values(key, number) or tuple(range(1, len(labels) + 1))
    worth = {value: value - rules.get("worth_from", 0) for value in taken}
    if number in rules.get("reverse", ()) and not wording.get("turned"):
        worth = {value: max(taken) - value for value in taken}
    return [
        {"value": value, "label": label.strip() or str(value), "points": worth[value]}
        for value, label in zip(taken, labels, strict=True)
    ]


def _item(rules: Mapping[str, Any], key: str, number: int, text: str) -> dict[str, Any]:
    return {
        "link_id": link_id(key, number),
        "text": text,
        "scored": rules["method"] != "none" and number <= rules.get("first", rules.get("symptoms", number)),
        "required": True,
        "safety": number in rules.get("safety", ()),
        "options": f"of-{number}",
    }


def _follow(item: Mapping[str, Any], text: str) -> dict[str, Any]:
    """What is asked after a yes (PQ-16: how much it distresses)."""
    return {
        "link_id": f"{item['link_id']}d",
        "text": text,
        "hint": item["text"],
        "scored": False,
        "required": False,
        "enable_when": {"any_of": [item["link_id"]], "equals": 1},
        "options": "follow",
    }


def _scoring(rules: Mapping[str, Any], key: str) -> dict[str, Any]:
    items = [link_id(key, n) for n in range(1, rules["items"] + 1)]
    if rules["method"] == "none":
        return {"method": "none", "items": [], "max_missing": 0}
    found: dict[str, Any] = {"method": "sum", "items": items, "max_missing": 0}
    found["minimum"], found["maximum"] = rules["range"]
    if rules["method"] == "domains":
        found["domains"] = [[items[n - 1] for n in domain] for domain in rules["domains"]]
    elif rules["method"] == "percent":
        found |= {"method": "percent", "items": items[: rules["first"]], "points_per_item": rules["points_per_item"]}
    elif rules["method"] == "mdq":
        same, problem = items[rules["symptoms"] :]
        met = [rules["problem_values"][word] for word in rules["problems"]]
        found["items"] = items[: rules["symptoms"]]
        found["parts"] = {"at_least": rules["positive_from"], "also": {same: [1], problem: met}}
    elif "times" in rules:
        found["times"] = rules["times"]
    return found


def _bands(rules: Mapping[str, Any]) -> list[dict[str, Any]]:
    if rules["method"] == "mdq":  # three parts decide, not a total
        return [{"code": "negative", "label": "Negative"}, {"code": "positive", "label": "Positive"}]
    if "positive_from" in rules:
        rows = [{"from": 0, "code": "negative"}, {"from": rules["positive_from"], "code": "positive"}]
    else:
        rows = rules.get("bands", [])
    return [
        {"code": row["code"], "label": row["code"].replace("_", " ").capitalize(), "minimum": row["from"]}
        for row in rows
    ]


def _flags(rules: Mapping[str, Any], key: str, number: int) -> list[dict[str, Any]]:
    """A suicide question is read like item 9 of the PHQ-9: from 1 on a sign, from 2 on urgent without a C-SSRS. OWN."""
    item, name, code = link_id(key, number), f"{short(key)} question {number}", f"{key.replace('-', '')}_item{number}"
    return [
        {
            "code": f"{code}_positive",
            "severity": "priority",
            "text": f"{item} >= 1",
            "when": [{"item": item, "at_least": 1}],
            "opens": CSSRS,
            "reason": f"{name} (thoughts of suicide) is above zero.",
        },
        {
            "code": f"{code}_high",
            "severity": "urgent",
            "text": f"{item} >= {ITEM9_HIGH} and no C-SSRS completed",
            "when": [{"item": item, "at_least": ITEM9_HIGH}],
            "unless_completed": CSSRS,
            "reason": f"{name} (thoughts of suicide) is {ITEM9_HIGH} or more and there is no C-SSRS yet.",
        },
        {
            "code": f"{code}_unanswered",
            "severity": "priority",
            "text": f"{item} missing",
            "when": [{"blank": item}],
            "reason": f'{name} (thoughts of suicide) was left blank. A blank is never a "no".',
            "gap": True,
        },
    ]


@cache
def _data() -> dict[str, dict[str, Any]]:
    data: dict[str, dict[str, Any]] = tomllib.loads(Path(__file__).with_name("byo.toml").read_text(encoding="utf-8"))[
        "instruments"
    ]
    return data
