"""Check the clinical functions against cases written by hand: the tool with which a clinical lead reads the table."""

import json
from argparse import ArgumentParser
from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from practice.clinical import brought, byo, fit, infusion, kap, table, trials
from practice.clinical.change import Change, change, compare
from practice.clinical.instrument import DECLINED, Instrument, Value, load
from practice.clinical.scoring import Score, score, score_all

Data = Mapping[str, Any]
UNORDERED = {"flags", "excluded", "early_triggers", "reasons"}
REQUIRED = object()


class Command(BaseCommand):
    help = "Run a file of clinical cases through the product's own functions; exit 1 when any does not agree."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", metavar="FILE.json")

    def handle(self, *args: object, **options: Any) -> None:
        cases = read_cases(Path(options["file"]))
        wrong = 0
        for number, case in enumerate(cases, 1):
            agrees, line = check(case, number)
            wrong += not agrees
            self.stdout.write(line)
        self.stdout.write(f"{len(cases)} cases, {len(cases) - wrong} ok, {wrong} not.")
        if wrong:
            raise CommandError(f"{wrong} of {len(cases)} cases do not agree.")


def read_cases(path: Path) -> list[Any]:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except OSError:
        raise CommandError(f"The file {path} could not be read.") from None
    except (ValueError, RecursionError):
        raise CommandError(f"The file {path} is not JSON that can be read.") from None
    cases = data.get("vignettes") if isinstance(data, dict) else None
    if not isinstance(cases, list) or not cases:
        raise CommandError(f'The file {path} has no list of cases under "vignettes".')
    return cases


def check(case: object, number: int) -> tuple[bool, str]:
    """Return whether one case agrees, and its line: id, title, expected, actual, verdict."""
    name = f"case {number}"
    try:
        if not isinstance(case, dict):
            raise ValueError("A case is an object with id, title, fn, input and expected.")
        name = _plain(f"{take(case, 'id', (str, int), name)}  {take(case, 'title', str, '')}")
        expected = take(case, "expected", dict)
        if not expected:
            raise ValueError("This case expects nothing, so nothing can be checked.")
        actual, note = run(case)
    except (ValueError, OverflowError, RecursionError) as error:
        return False, f"{name}  MISMATCH  {_plain(str(error))}"
    wrong = [key for key in expected if not agrees(key, expected[key], actual)]
    shown = {key: actual.get(_shown_as(key)) for key in expected}
    verdict = f"MISMATCH in {_plain(', '.join(wrong))}" if wrong else "ok"
    return not wrong, f"{name}  expected {_text(expected)}  actual {_text(shown)}{note}  {verdict}"


def run(case: Data) -> tuple[dict[str, Any], str]:
    """Return what the product computes for a case, and a remark. Raises ValueError when the case cannot be run."""
    function = take(case, "fn", str)
    given = take(case, "input", dict)
    if function not in FUNCTIONS:
        raise ValueError(f"There is no function called {function[:40]!r}; there are {', '.join(FUNCTIONS)}.")
    pictured = {"decide": given, "pipeline": given.get("facts")}.get(function)
    extra = sorted(set(pictured) - set(table.inputs()) - {"sex"}) if isinstance(pictured, dict) else []
    note = _plain(f"  (not an input of the table: {', '.join(extra)})") if extra else ""
    return FUNCTIONS[function](given), note


def agrees(key: str, wanted: Any, actual: Data) -> bool:
    found = actual.get(_shown_as(key))
    if key in ("rules_include", "rules_exclude"):
        if not isinstance(wanted, list) or not isinstance(found, list):
            return False
        inside = [rule_id in found for rule_id in wanted]
        return all(inside) if key == "rules_include" else not any(inside)
    if key in UNORDERED and isinstance(wanted, list) and isinstance(found, list):
        return sorted(map(_text, wanted)) == sorted(map(_text, found))
    return _same(wanted, found)


def take(data: Data, name: str, kind: type | tuple[type, ...], default: Any = REQUIRED) -> Any:
    """Return one value of a case; without `default` it must be there. Raises ValueError in a plain sentence."""
    value = data.get(name)
    if value is None:
        if default is REQUIRED:
            raise ValueError(f"This case needs {name!r}.")
        return default
    kinds = kind if isinstance(kind, tuple) else (kind,)
    if type(value) not in kinds:
        raise ValueError(f"In this case {name!r} is of the wrong kind.")
    return value


def answers_of(instrument: Instrument, given: object) -> dict[str, Value | None]:
    """Return answers by link id, from a list in item order or an object by item number or link id."""
    if given is None or given == DECLINED:
        return {}
    if isinstance(given, list):
        link_ids = [item.link_id for item in instrument.items if item.type != "text"]
        if len(given) > len(link_ids):
            raise ValueError(f"{instrument.title} has {len(link_ids)} questions; {len(given)} answers were given.")
        return dict(zip(link_ids, given, strict=False))
    if isinstance(given, dict):
        return {_link_id(instrument, name): value for name, value in given.items()}
    raise ValueError("The answers of a case are a list in item order, or an object by item number.")


def _link_id(instrument: Instrument, name: str) -> str:
    ends = [link_id for link_id in instrument.by_link_id if name == link_id or link_id.partition("-")[2] == name]
    return ends[0] if ends else name


def _score(given: Data) -> dict[str, Any]:
    key = take(given, "instrument", str)
    context = take(given, "context", dict, {})
    if key in brought.known():
        return _byo(byo.score(key, take(given, "answers", list)))
    instrument = load(key)
    answers = answers_of(instrument, given.get("answers"))
    age, sex = take(context, "age", int, None), take(context, "sex", str, None)
    return _score_keys(score(instrument, answers, age=age, sex=sex, completed=take(context, "completed", list, [])))


def _score_keys(result: Score) -> dict[str, Any]:
    return {
        **asdict(result),
        "complete": result.complete,
        "flags": list(result.flags),
        "missing": list(result.missing),
        "clusters": dict(result.clusters),
    }


def _byo(result: byo.ByoScore) -> dict[str, Any]:
    return {"total": result.total, "band": result.band, "positive": result.positive, "missing": list(result.missing)}


def _change(given: Data) -> dict[str, Any]:
    key = take(given, "instrument", str)
    baseline, now = (take(given, name, (int, float), None) for name in ("baseline", "now"))
    found: Change
    if key in brought.known():
        facts = brought.facts(key)
        better = facts.get("higher_is_better", False)
        found = compare(facts.get("change", {}), baseline, now, higher_is_better=better)
    else:
        found = change(load(key), baseline, now)
    worse = found.reliable_worsening
    return {
        **asdict(found),
        "reliable_deterioration": worse,
        "deterioration": worse,
        "worsening": found.worsening_review,
    }


def _trials(given: Data) -> dict[str, Any]:
    found = trials.count([_trial(row) for row in take(given, "trials", list)])
    return {
        "failed_adequate": found.failed_adequate,
        "trd": found.trd,
        "per_trial": [verdict.code for verdict in found.per_trial],
    }


def _trial(row: object) -> trials.Trial:
    if not isinstance(row, dict):
        raise ValueError("A trial is an object with drug, mg, weeks and best_improvement_pct.")
    stopped = str(row.get("why_stopped") or row.get("stopped") or "").lower()
    return trials.Trial(
        drug=take(row, "drug", str, ""),
        mg=take(row, "mg", (int, float), None),
        weeks=take(row, "weeks", (int, float), None),
        best_improvement_pct=take(row, "best_improvement_pct", (int, float), None),
        augment=take(row, "augment", str, ""),
        stopped_for_side_effects="side effect" in stopped
        or "intoleran" in stopped
        or any(take(row, name, bool, False) for name in ("stopped_for_side_effects", "intolerance", "intolerant")),
        this_episode=take(row, "this_episode", bool, take(row, "current_episode", bool, None)),
    )


def _mdq(given: Data) -> dict[str, Any]:
    return asdict(byo.mdq(given.get("yes_of_13"), given.get("same_period"), given.get("problem")))


def _qids(given: Data) -> dict[str, Any]:
    return _byo(byo.qids(take(given, "a", list) if "a" in given else take(given, "answers", list)))


def _bp_gate(given: Data) -> dict[str, Any]:
    symptoms = take(given, "symptoms", bool, False)
    found = kap.bp_gate(given.get("sbp"), given.get("dbp"), age=given.get("age"), symptoms=symptoms)
    return {"gate": found.gate, "rules": list(found.rules)}


def _can_book(given: Data) -> dict[str, Any]:
    dates = [_moment(value) for value in take(given, "dates", list, [])]
    found = kap.can_book(
        dates,
        _moment(take(given, "new", str)),
        has_integration=take(given, "has_integration", bool, True),
        override_reason=_said(given, "override_reason", "prescriber_override", "override"),
    )
    return {"allowed": found.allowed, "reasons": list(found.reasons), "overridden": list(found.overridden)}


def _weekly(given: Data) -> dict[str, Any]:
    found = kap.weekly(_day(given, "last"), _day(given, "today"))
    return {"status": found.status, "due": found.due_on.isoformat(), "days_since": found.days_since}


def _booster(given: Data) -> dict[str, Any]:
    number = (int, float)
    found = kap.booster(
        _day(given, "last"),
        _day(given, "today"),
        end_phq9=take(given, "end_phq", number, take(given, "end_phq9", number, None)),
        best_phq9=take(given, "best_phq", number, take(given, "best_phq9", number, None)),
        now_phq9=take(given, "now_phq", number, take(given, "now_phq9", number, None)),
        item9=take(given, "item9", int, None),
        best_pcl5=take(given, "best_pcl", number, take(given, "best_pcl5", number, None)),
        now_pcl5=take(given, "now_pcl", number, take(given, "now_pcl5", number, None)),
        client_asks=take(given, "client_asks", bool, False),
        clinician_judgement=take(given, "clinician_judgement", bool, False),
    )
    return {
        "due": found.due_on.isoformat(),
        "status": found.status,
        "early_triggers": list(found.early_triggers),
        "window": [day.isoformat() for day in found.window],
        "remind": [day.isoformat() for day in found.remind_on],
    }


def _infusion(given: Data) -> dict[str, Any]:
    dates = [_date(value) for value in take(given, "dates", list)]
    today = _day(given, "today") if given.get("today") is not None else None
    stopped = _said(given, "stopped", "stopped_early", "stop_reason")
    found = infusion.series(dates, today=today, stopped=bool(stopped))
    return {
        "status": found.status,
        "count": found.given,
        "span_days": found.span_days,
        "longest_gap_days": found.longest_gap_days,
        "next_due": found.next_due_on.isoformat() if found.next_due_on else None,
    }


def _absorbed(given: Data) -> dict[str, Any]:
    found = kap.absorbed(take(given, "mg", (int, float)))
    return {"seed_mg": list(found.seed_mg), "literature_mg": list(found.literature_mg)}


def _decide(given: Data) -> dict[str, Any]:
    found = fit.decide({name: value for name, value in given.items() if name in table.inputs()})
    return {
        "suggested": found.suggested,
        "status": found.status,
        "top_severity": found.top_severity,
        "excluded": list(found.excluded),
        "rules": list(found.rule_ids),
        "unknowns": [unknown.input for unknown in found.unknowns],
        "safety_path": found.safety_path,
    }


def _pipeline(given: Data) -> dict[str, Any]:
    facts = dict(take(given, "facts", dict, {}))
    by_key = {key: answers_of(load(key), value) for key, value in take(given, "answers", dict, {}).items()}
    scores = score_all(by_key, age=take(facts, "age", int, None), sex=take(facts, "sex", str, None))
    if given.get("trials") is not None:
        facts.setdefault("failed_adequate_trials", _trials(given)["failed_adequate"])
    return {
        **_decide(fit.picture(scores, facts)),
        "scores": {key: result.total if result.level is None else result.level for key, result in scores.items()},
        "flags": [code for result in scores.values() for code in result.flags],
    }


FUNCTIONS: dict[str, Callable[[Data], dict[str, Any]]] = {
    "score": _score,
    "change": _change,
    "trials": _trials,
    "mdq": _mdq,
    "qids": _qids,
    "bp_gate": _bp_gate,
    "can_book": _can_book,
    "weekly": _weekly,
    "booster": _booster,
    "infusion": _infusion,
    "absorbed": _absorbed,
    "decide": _decide,
    "pipeline": _pipeline,
}


def _said(given: Data, *names: str) -> str:
    """Return the first reason that a case gives, in words or as a bare true; empty when it gives none."""
    found = (take(given, name, (str, bool), "") for name in names)
    return next((str(value) for value in found if value), "")


def _day(given: Data, name: str) -> date:
    return _date(take(given, name, str))


def _date(value: object) -> date:
    moment = _moment(value)
    return moment.date() if isinstance(moment, datetime) else moment


def _moment(value: object) -> date | datetime:
    """Return a calendar day, or a moment when a time of day is given."""
    if isinstance(value, str):
        try:
            if "T" not in value:
                return date.fromisoformat(value)
            moment = datetime.fromisoformat(value)
            return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        except ValueError:
            pass
    raise ValueError("A date is written like 2026-03-02.")


def _shown_as(key: str) -> str:
    return "rules" if key in ("rules_include", "rules_exclude") else key


def _same(wanted: Any, found: Any) -> bool:
    """Equality in which true is not 1, at any depth."""
    if isinstance(wanted, list) and isinstance(found, list):
        return len(wanted) == len(found) and all(_same(a, b) for a, b in zip(wanted, found, strict=True))
    if isinstance(wanted, dict) and isinstance(found, dict):
        return wanted.keys() == found.keys() and all(_same(wanted[key], found[key]) for key in wanted)
    return isinstance(wanted, bool) == isinstance(found, bool) and bool(wanted == found)


def _text(value: object) -> str:
    return json.dumps(value, sort_keys=True, default=str)


def _plain(text: str) -> str:
    """One printable line, whatever the file holds."""
    return "".join(c if c.isprintable() else " " for c in text.encode("utf-8", "replace").decode())
