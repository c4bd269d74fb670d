"""Judges samples by bench/goals.toml. Unless asked for everything, only figures that have no noise."""

import json
import tomllib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

GOALS = Path(__file__).parent / "goals.toml"

Samples = list[dict[str, Any]]


def judge(paths: Iterable[Path], *, everything: bool, say: Callable[[str], Any]) -> list[str]:
    """Say what holds and what does not; return the goals that were missed, each as a sentence."""
    samples = [json.loads(line) for path in paths for line in path.read_text().splitlines() if line.startswith("{")]
    goals = tomllib.loads(GOALS.read_text(encoding="utf-8"))["goals"]
    faults = [fault for goal in goals if everything or not goal.get("noisy") for fault in check(goal, samples)]
    faults += [f"{s['job']}: {s['err']} wrong answers, {s['wrong']}" for s in samples if s.get("err")]
    for fault in faults:
        say(f"missed  {fault}")
    say(f"{len(goals)} goals, {len(samples)} samples, {len(faults)} missed")
    return faults


def check(goal: dict[str, Any], samples: Samples) -> Iterator[str]:
    mine = [s for s in samples if s["job"] == goal["job"]]
    ours = [s for s in mine if s["side"] == "product"]
    if not ours:
        yield f"{goal['job']}: no sample"
        return
    metric = goal["metric"]
    if metric == "same_statements":
        for db in {s["db"] for s in ours}:
            texts = {s["statements"] for s in ours if s["db"] == db}
            if len(texts) > 1:
                yield f"{goal['job']} on {db}: {len(texts)} different lists of SQL statements over sizes and rounds"
    elif metric == "cpu_ratio":
        for key, ratio in ratios(mine).items():
            if ratio > goal["at_most"]:
                yield f"{goal['job']} {key}: {ratio} times the floor, at most {goal['at_most']}"
    else:
        found = max(s[metric] for s in ours)
        if found > goal["at_most"]:
            yield f"{goal['job']}: {metric} is {found}, at most {goal['at_most']}"


def ratios(samples: Samples) -> dict[str, float]:
    """The least CPU time of each side, ours divided by the floor's, for each database and size."""
    found = {}
    for key in sorted({(s["db"], s["clients"]) for s in samples}):
        sides = [
            min((s["cpu_ms"] for s in samples if s["side"] == side and (s["db"], s["clients"]) == key), default=0.0)
            for side in ("product", "limit")
        ]
        if all(sides):
            found[f"{key[0]} {key[1]}"] = round(sides[0] / sides[1], 2)
    return found
