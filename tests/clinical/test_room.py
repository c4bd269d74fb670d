"""A dosing session from its log: what stands against a start, the timers, and what is open before leaving."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from practice.clinical import room
from practice.clinical.room import Line

START = datetime(2026, 12, 2, 14, tzinfo=UTC)
GOOD = {"screener": "no", "food": "yes", "alcohol": "yes", "substances": "yes", "medicines": "yes", "ride": "yes"}
LEFT = {
    "unreal": 2, "foggy": 3, "sick": 10, "frightened": 10, "steady": "steady", "oriented": "yes", "self_harm": "no",
    "escort": "yes", "no_driving": "yes",
}  # fmt: skip


def at(minutes: float) -> datetime:
    return START + timedelta(minutes=minutes)


def line(kind: str, minutes: float = 0, **facts: Any) -> Line:
    return Line(kind, facts, at(minutes))


def ready(**other: Any) -> list[Line]:
    said = GOOD | other
    return [line("ready", item=code, answer=answer, words="Her brother") for code, answer in said.items()]


def vitals(when: str, sbp: int, dbp: int, minutes: float = 1, **more: Any) -> Line:
    return line("vitals", minutes, when=when, sbp=sbp, dbp=dbp, pulse=72, **more)


def state(log: list[Line], now: float = 5, *, age: int | None = 40, remote: bool = False) -> room.Room:
    return room.room(log, at(now), age=age, remote=remote)


def test_nothing_is_ready_at_first_and_each_item_is_named() -> None:
    assert state([]).open_before == (*GOOD, "bp")


def test_everything_ready_lets_the_dose_start() -> None:
    assert state([*ready(), vitals("before", 132, 84)]).open_before == ()


@pytest.mark.parametrize("code", GOOD)
def test_each_wrong_answer_stands_against_the_start(code: str) -> None:
    wrong = "yes" if code == "screener" else "no"
    assert state([*ready(**{code: wrong}), vitals("before", 132, 84)]).open_before == (code,)


def test_declined_screener_and_ride_without_a_name_stand_against() -> None:
    log = [*ready(screener="declined"), vitals("before", 132, 84)]
    assert state(log).open_before == ("screener",)
    nameless = [each for each in ready() if each.facts["item"] != "ride"]
    assert state(
        [*nameless, line("ready", item="ride", answer="yes", words=" "), vitals("before", 132, 84)]
    ).open_before == ("ride",)


def test_remote_session_asks_for_the_adult_in_the_home() -> None:
    log = [*ready(), vitals("before", 132, 84)]
    assert state(log, remote=True).open_before == ("chaperone",)
    assert state([*log, line("ready", item="chaperone", answer="yes", words="Lee 555")], remote=True).open_before == ()


@pytest.mark.parametrize(
    ("sbp", "dbp", "age", "gate"),
    [
        (140, 90, 40, "ok"), (141, 90, 40, "prescriber_ok_needed"), (140, 91, 40, "prescriber_ok_needed"),
        (150, 90, 66, "ok"), (151, 90, 66, "prescriber_ok_needed"), (159, 99, 40, "prescriber_ok_needed"),
        (160, 90, 40, "no_dose"), (140, 100, 40, "no_dose"), (180, 90, 40, "urgent"), (140, 120, 40, "urgent"),
    ],
)  # fmt: skip
def test_blood_pressure_gates_the_dose(sbp: int, dbp: int, age: int, gate: str) -> None:
    found = state([*ready(), vitals("before", sbp, dbp)], age=age)
    assert (found.gate, found.open_before) == (gate, () if gate == "ok" else ("bp",))


def test_prescribers_word_opens_only_the_gate_that_is_theirs_and_only_for_that_reading() -> None:
    over = [*ready(), vitals("before", 150, 88, 1)]
    word = line("gate", 2, words="Go on", by_name="Pax")
    assert state([*over, word]).open_before == ()
    assert state([*over, word, vitals("before", 152, 88, 3)]).open_before == ("bp",)
    assert state([*ready(), vitals("before", 162, 88, 1), word]).open_before == ("bp",)


def test_newest_reading_and_newest_answer_count() -> None:
    log = [*ready(food="no"), vitals("before", 170, 88, 1), vitals("before", 130, 80, 9)]
    again = line("ready", 10, item="food", answer="yes", words="")
    assert state([*log, again]).open_before == ()


def test_timers_run_from_the_dose() -> None:
    log = [*ready(), vitals("before", 130, 80), line("dose", 10, mg="100"), line("hold", 10, what="start")]
    found = state(log, 12)
    assert (found.dose_at, found.hold_ends_at, found.held) == (at(10), at(25), False)
    assert (found.next_check_at, found.second_reading_at) == (at(25), at(50))
    later = state(
        [*log, line("hold", 25, what="end", then="spit"), line("check", 26), vitals("during", 140, 85, 50)], 51
    )
    assert (later.held, later.next_check_at, later.second_reading_at) == (True, at(41), None)


def test_leaving_needs_every_line_and_a_pressure_near_the_first() -> None:
    log = [*ready(), vitals("before", 130, 80), line("dose", 10, mg="100")]
    assert state(log).open_after == (*LEFT, "bp")
    signs = [line("leave", 100, item=code, answer=answer, words="Her brother") for code, answer in LEFT.items()]
    assert state([*log, *signs, vitals("after", 150, 100, 101)]).open_after == ("bp",)  # 20 over is near; 100 is not
    assert state([*log, *signs, vitals("after", 150, 90, 101)]).open_after == ()
    assert state([*log, *signs, vitals("after", 151, 90, 101)]).open_after == ("bp",)


@pytest.mark.parametrize(
    ("code", "answer"),
    [("unreal", 3), ("foggy", 4), ("steady", "slightly"), ("oriented", "no"), ("self_harm", "declined"),
     ("escort", "no"), ("no_driving", "no"), ("unreal", True), ("unreal", "1")],
)  # fmt: skip
def test_each_line_of_the_checklist_holds_somebody_back(code: str, answer: Any) -> None:
    said = LEFT | {code: answer}
    signs = [line("leave", 100, item=each, answer=value, words="Her brother") for each, value in said.items()]
    log = [*ready(), vitals("before", 130, 80), line("dose", 10, mg="100"), *signs, vitals("after", 130, 80, 101)]
    assert state(log).open_after == (code,)


def test_two_hours_after_the_dose_is_late_only_while_something_is_open() -> None:
    log = [*ready(), vitals("before", 130, 80), line("dose", 10, mg="100")]
    assert (state(log, 130).late, state(log, 130.1).late) == (False, True)
    signs = [line("leave", 100, item=code, answer=answer, words="x") for code, answer in LEFT.items()]
    assert state([*log, *signs, vitals("after", 130, 80, 101)], 200).late is False


def test_answers_that_cannot_be_are_not_taken() -> None:
    by_code = {item.code: item for item in (*room.items("ready"), *room.items("leave"))}
    assert [by_code["unreal"].takes(value) for value in (0, 10, 11, -1, "3", True, None)] == [
        True, True, False, False, False, False, False,
    ]  # fmt: skip
    assert (by_code["screener"].takes("yes"), by_code["screener"].takes("maybe")) == (True, False)
