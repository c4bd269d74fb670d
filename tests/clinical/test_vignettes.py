"""The 71 cases, and the command that a clinical lead uses to check a file of them."""

import copy
import io
import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from practice.management.commands.vignettes import FUNCTIONS, Command, check

FILE = Path("tests/data/clinical/vignettes.json")
CASES: list[dict[str, Any]] = json.loads(FILE.read_text(encoding="utf-8"))["vignettes"]


def run(path: Path) -> tuple[str, str]:
    out = io.StringIO()
    try:
        call_command(Command(stdout=out, no_color=True), str(path))
    except CommandError as error:
        return out.getvalue(), str(error)
    return out.getvalue(), ""


def write(path: Path, *cases: object) -> Path:
    file = path / "cases.json"
    file.write_text(json.dumps({"vignettes": cases}), encoding="utf-8")
    return file


def case(fn: str, given: object, expected: object) -> dict[str, Any]:
    return {"id": "T1", "title": "a case", "fn": fn, "input": given, "expected": expected}


@pytest.mark.parametrize("one", CASES, ids=[one["id"] for one in CASES])
def test_a_published_or_authored_case_agrees(one: dict[str, Any]) -> None:
    agrees, line = check(one, 1)
    assert agrees, line


def test_the_file_uses_every_function() -> None:
    assert {one["fn"] for one in CASES} == set(FUNCTIONS)
    assert len(CASES) == 71


@pytest.mark.parametrize("one", CASES, ids=[one["id"] for one in CASES])
def test_a_case_with_any_expected_value_changed_does_not_agree(one: dict[str, Any]) -> None:
    for key, value in one["expected"].items():
        wrong = copy.deepcopy(one)
        if key == "rules_include":
            wrong["expected"][key] = [*value, "XX-99"]
        elif key == "rules_exclude":
            wrong["expected"] = {"rules_exclude": ["SR-03"]}
        else:
            wrong["expected"][key] = ["changed"] if isinstance(value, list) else not value
        agrees, line = check(wrong, 1)
        assert not agrees and "MISMATCH" in line, (key, line)


def test_the_command_prints_a_line_per_case_and_is_content() -> None:
    output, error = run(FILE)
    lines = output.splitlines()
    assert error == ""
    assert len(lines) == 72 and lines[-1] == "71 cases, 71 ok, 0 not."
    assert lines[0] == (
        "V01  PHQ-9, SPiER patient-001 (the published total is wrong)"
        '  expected {"band": "moderately_severe", "flags": ["phq9_item9_positive", "phq9_item9_high"],'
        ' "mds": true, "total": 17}'
        '  actual {"band": "moderately_severe", "flags": ["phq9_item9_positive", "phq9_item9_high"],'
        ' "mds": true, "total": 17}  ok'
    )


def test_the_command_names_what_differs(tmp_path: Path) -> None:
    good = case("absorbed", {"mg": 100}, {"seed_mg": [35, 45]})
    bad = case("absorbed", {"mg": 100}, {"seed_mg": [35, 46]})
    output, error = run(write(tmp_path, good, bad))
    assert error == "1 of 2 cases do not agree."
    assert output.splitlines() == [
        'T1  a case  expected {"seed_mg": [35, 45]}  actual {"seed_mg": [35.0, 45.0]}  ok',
        'T1  a case  expected {"seed_mg": [35, 46]}  actual {"seed_mg": [35.0, 45.0]}  MISMATCH in seed_mg',
        "2 cases, 1 ok, 1 not.",
    ]


def test_true_is_not_one_and_order_matters_only_where_it_means_something() -> None:
    assert not check(case("mdq", {"yes_of_13": 7, "same_period": True, "problem": "serious"}, {"positive": 1}), 1)[0]
    two = [{"drug": "sertraline", "mg": 50, "weeks": w, "best_improvement_pct": 0} for w in (8, 2)]
    assert check(case("trials", {"trials": two}, {"per_trial": ["failed", "too_short"]}), 1)[0]
    assert not check(case("trials", {"trials": two}, {"per_trial": ["too_short", "failed"]}), 1)[0]
    high = {"instrument": "phq-9", "answers": {"9": 2}}
    assert check(case("score", high, {"flags": ["phq9_item9_high", "phq9_item9_positive"]}), 1)[0]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"instrument": "cssrs-screener-recent", "answers": {}}, {"level": "declined", "flags": ["cssrs_not_done"]}),
        ({"instrument": "cssrs-screener-recent", "answers": None}, {"status": "declined"}),
        ({"instrument": "cssrs-screener-recent", "answers": "declined"}, {"status": "declined"}),
        ({"instrument": "cssrs-screener-recent", "answers": [1, 0, None, None, None, 0]}, {"level": "low"}),
        ({"instrument": "asq", "answers": [0, 0, 0, 1, 1]}, {"level": "acute_positive"}),
        ({"instrument": "phq-9", "answers": {"phq9-9": 1, "1": 2}}, {"total": None, "lower_bound": 3}),
        ({"instrument": "pcl-5", "answers": [4] * 9}, {"total": None, "lower_bound": 36, "complete": False}),
        ({"instrument": "pcl-5", "answers": [2] * 20}, {"clusters": {"B": 5, "C": 2, "D": 7, "E": 6}}),
        ({"instrument": "who-5", "answers": [3, 3, 3, 3, 3]}, {"total": 60}),
    ],
)
def test_answers_may_be_written_in_several_ways(given: dict[str, Any], expected: dict[str, Any]) -> None:
    agrees, line = check(case("score", given, expected), 1)
    assert agrees, line


@pytest.mark.parametrize(
    ("fn", "given", "expected"),
    [
        ("change", {"instrument": "phq-9", "baseline": 9, "now": 15}, {"reliable_deterioration": True}),
        ("change", {"instrument": "qids-sr16", "baseline": 16, "now": 5}, {"response": True, "remission": True}),
        ("change", {"instrument": "who-5", "baseline": 40, "now": 50}, {"meaningful": True, "difference": 10}),
        ("can_book", {"dates": ["2026-03-02T09:00"], "new": "2026-03-04T08:00Z"}, {"reasons": ["under_48_hours"]}),
        (
            "can_book",
            {"dates": ["2026-03-02"], "new": "2026-03-03", "override": True},
            {"allowed": True, "reasons": []},
        ),
        ("infusion", {"dates": ["2026-03-02"], "stopped": "client moved"}, {"status": "stopped_early", "count": 1}),
        ("infusion", {"dates": ["2026-03-02"], "today": "2026-03-12"}, {"status": "interrupted"}),
        (
            "booster",
            {"last": "2026-01-10", "today": "2026-03-20", "now_pcl": 40, "best_pcl": 30},
            {"status": "not_due"},
        ),
        ("pipeline", {"answers": {"cssrs-screener-recent": None}}, {"status": "n/a", "rules_include": ["SR-07"]}),
        ("pipeline", {}, {"suggested": "psychotherapy_first", "scores": {}, "flags": []}),
        (
            "trials",
            {"trials": [{"drug": "sertraline", "mg": 50, "weeks": 1, "why_stopped": "side effects"}]},
            {"per_trial": ["intolerance"], "failed_adequate": 0, "trd": False},
        ),
    ],
)
def test_the_functions_take_what_cases_of_their_kind_hold(fn: str, given: object, expected: object) -> None:
    agrees, line = check(case(fn, given, expected), 1)
    assert agrees, line


@pytest.mark.parametrize(
    ("one", "sentence"),
    [
        (3, "case 7  MISMATCH  A case is an object with id, title, fn, input and expected."),
        ({"id": "T1"}, "T1    MISMATCH  This case needs 'expected'."),
        (case("score", {}, {}), "T1  a case  MISMATCH  This case expects nothing, so nothing can be checked."),
        (case("score", {}, {"total": 3}), "T1  a case  MISMATCH  This case needs 'instrument'."),
        (case("score", [], {"total": 3}), "T1  a case  MISMATCH  In this case 'input' is of the wrong kind."),
        (
            case("score", {"instrument": "x" * 3}, {"total": 3}),
            "T1  a case  MISMATCH  There is no instrument called 'xxx'.",
        ),
        (
            case("score", {"instrument": "phq-2", "answers": [1, 1, 1]}, {"total": 3}),
            "T1  a case  MISMATCH  Patient Health Questionnaire-2 (PHQ-2) has 2 questions; 3 answers were given.",
        ),
        (
            case("score", {"instrument": "phq-2", "answers": [1, 7]}, {"total": 3}),
            "T1  a case  MISMATCH  The question phq9-2 takes 0 or 1 or 2 or 3; the answer given is something else.",
        ),
        (
            case("score", {"instrument": "phq-2", "answers": {"44": 1}}, {"total": 3}),
            "T1  a case  MISMATCH  Patient Health Questionnaire-2 (PHQ-2) has no question called '44'.",
        ),
        (
            case("score", {"instrument": "phq-2", "answers": 5}, {"total": 3}),
            "T1  a case  MISMATCH  The answers of a case are a list in item order, or an object by item number.",
        ),
        (
            case("guess", {}, {"total": 3}),
            "T1  a case  MISMATCH  There is no function called 'guess'; there are " + ", ".join(FUNCTIONS) + ".",
        ),
        (
            case("weekly", {"last": "31/12/2026", "today": "2026-01-01"}, {"status": "late"}),
            "T1  a case  MISMATCH  A date is written like 2026-03-02.",
        ),
        (
            case("weekly", {"last": "2026-02-30", "today": "2026-03-01"}, {"status": "late"}),
            "T1  a case  MISMATCH  A date is written like 2026-03-02.",
        ),
        (
            case("trials", {"trials": ["sertraline"]}, {"trd": True}),
            "T1  a case  MISMATCH  A trial is an object with drug, mg, weeks and best_improvement_pct.",
        ),
        (
            case("decide", {"cssrs_level": 3}, {"status": "hold"}),
            "T1  a case  MISMATCH  C-SSRS screen (cssrs_level) must be one of "
            "none, low, moderate, high, incomplete, declined.",
        ),
        (
            {**case("absorbed", {"mg": 0}, {"seed_mg": [0, 0]}), "title": "two\nlines \ud800"},
            "T1  two lines ?  MISMATCH  A dose in milligrams must be a number above 0 and at most 10000.",
        ),
    ],
)
def test_a_case_that_cannot_be_run_gets_a_sentence(one: object, sentence: str) -> None:
    assert check(one, 7) == (False, sentence)


def test_dates_at_the_end_of_time_get_a_sentence() -> None:
    agrees, line = check(case("weekly", {"last": "9999-12-31", "today": "9999-12-31"}, {"status": "late"}), 1)
    assert not agrees and line.startswith("T1  a case  MISMATCH  ")


def test_a_misspelt_input_is_named() -> None:
    agrees, line = check(case("decide", {"phq_total": 20, "sbp": 120, "dbp": 80}, {"status": "n/a"}), 1)
    assert agrees and "(not an input of the table: phq_total)" in line


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "is not JSON that can be read."),
        (b"{", "is not JSON that can be read."),
        (b"\xff\xfe", "is not JSON that can be read."),
        (b"[" * 200_000, "is not JSON that can be read."),
        (b"[]", 'has no list of cases under "vignettes".'),
        (b'{"vignettes": []}', 'has no list of cases under "vignettes".'),
        (b'{"vignettes": {"a": 1}}', 'has no list of cases under "vignettes".'),
    ],
)
def test_a_file_that_is_no_file_of_cases_gets_a_sentence(tmp_path: Path, content: bytes, sentence: str) -> None:
    file = tmp_path / "broken.json"
    file.write_bytes(content)
    assert run(file) == ("", f"The file {file} {sentence}")


def test_a_file_that_is_not_there_gets_a_sentence(tmp_path: Path) -> None:
    assert run(tmp_path / "none.json") == ("", f"The file {tmp_path / 'none.json'} could not be read.")
    assert run(tmp_path) == ("", f"The file {tmp_path} could not be read.")
