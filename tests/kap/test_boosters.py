"""The booster after a last dose (H14): who is reminded when, what speaks for an earlier one, each told once."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from intake.models import Assessment
from practice import jobs, schedule
from practice.clinical import kap
from practice.clinical.instrument import load
from practice.clinical.planning import templates
from practice.kap.actions import boosters, clearance, plans
from practice.kap.models import Plan, Session
from practice.models import Client, Task, User
from practice.words import EARLY, why
from tests import factories
from tests.factories import NOW

JULY = (datetime(2026, 7, 18, 14, tzinfo=UTC), datetime(2026, 7, 19, 14, tzinfo=UTC))
DUE = date(2027, 1, 19)
State = Session.State


def dosed(sam: Client, *days: datetime, shape: str = "intensive", state: str = "done") -> Plan:
    plan = Plan.objects.create(client=sam, shape=shape, planned=len(days), started_on=days[0].date(), state=state)
    for number, starts in enumerate(days, 1):
        Session.objects.create(plan=plan, kind="dosing", number=number, starts_at=starts, state=State.DONE)
    return plan


def scored(sam: Client, key: str, on: date, total: int | None, safety: bool = False) -> None:
    definition = load(key)
    row = Assessment(
        client=sam, instrument=key, instrument_version=definition.version, wording_sha256="0" * 64, total=total,
        safety=safety, taken_at=datetime(on.year, on.month, on.day, 18, tzinfo=UTC), taken_on=on,
    )  # fmt: skip
    row.answers = {}
    row.save(force_insert=True)


def noon(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, 17, tzinfo=UTC)


def facts(sam: Client) -> list[dict[str, Any]]:
    return [task.facts for task in Task.objects.filter(client=sam, kind="booster", done_at=None)]


def finish(sam: Client, at: datetime) -> None:
    Task.finish(sam, "booster", at=at, by=None)


def test_reminders_go_out_45_and_14_days_before_and_each_once(sam: Client) -> None:
    plan = dosed(sam, *JULY)
    told = []
    for before in (46, 45, 44, 15, 14, 13, 0, -30):
        at = noon(DUE - timedelta(days=before))
        told.append((before, boosters.watch(at=at)))
        finish(sam, at)
    assert [before for before, n in told if n] == [45, 14]
    plan.refresh_from_db()
    assert plan.reminded == [45, 14]


def test_reminder_says_when_it_is_due(sam: Client) -> None:
    dosed(sam, *JULY)
    boosters.watch(at=noon(date(2026, 12, 5)))
    task = Task.objects.get(client=sam, kind="booster")
    assert why(task) == "Booster due Jan 19, 2027. Nothing booked."
    assert task.due_at == noon(DUE)


def test_job_that_was_away_for_weeks_reminds_once(sam: Client) -> None:
    dosed(sam, *JULY)
    assert [boosters.watch(at=noon(DUE - timedelta(days=n))) for n in (10, 9)] == [1, 0]


def test_window_that_has_closed_reminds_nobody(sam: Client) -> None:
    dosed(sam, *JULY)
    assert boosters.watch(at=noon(DUE + timedelta(days=31))) == 0


@pytest.mark.parametrize("status", [Client.Status.DISCHARGED, Client.Status.DIED])
def test_nobody_is_reminded_of_a_client_who_left(sam: Client, status: str) -> None:
    dosed(sam, *JULY)
    Client.objects.filter(pk=sam.pk).update(status=status)
    assert boosters.watch(at=noon(DUE - timedelta(days=14))) == 0


def test_series_that_goes_on_is_not_over(sam: Client) -> None:
    plan = dosed(sam, *JULY, shape="weekly", state="under_way")
    ahead = Session.objects.create(plan=plan, kind="dosing", number=3, starts_at=noon(DUE), state=State.PLANNED)
    assert boosters.watch(at=noon(DUE - timedelta(days=45))) == 0
    ahead.state = State.SKIPPED
    ahead.save()
    assert boosters.watch(at=noon(DUE - timedelta(days=45))) == 1


def test_new_dose_begins_the_count_anew(sam: Client) -> None:
    plan = dosed(sam, *JULY)
    boosters.watch(at=noon(DUE - timedelta(days=14)))
    later = dosed(sam, noon(DUE - timedelta(days=10)), shape="booster")
    finish(sam, noon(DUE))
    again = kap.add_months(DUE - timedelta(days=10), 6)
    assert [boosters.watch(at=noon(again - timedelta(days=n))) for n in (46, 45, 14)] == [0, 1, 1]
    for row, reminded in ((plan, [45, 14]), (later, [45, 14])):
        row.refresh_from_db()
        assert row.reminded == reminded


def test_booked_booster_needs_no_reminder_and_making_it_finishes_the_item(maya: User, pax: User, sam: Client) -> None:
    past = dosed(sam, *JULY)
    boosters.watch(at=noon(DUE - timedelta(days=45)))
    clearance.grant(
        by=pax, client=sam, doses=1, until=date(2027, 6, 1), most_mg=Decimal(100), route="sublingual", words="", at=NOW
    )
    plans.make(
        by=maya, client=sam, template=templates()["booster"], first=DUE, clock=time(10),
        therapist=maya, room="", follows=past, at=NOW,
    )  # fmt: skip
    assert facts(sam) == []
    assert boosters.watch(at=noon(DUE - timedelta(days=14))) == 0
    scored(sam, "phq-9", date(2026, 7, 28), 3)
    scored(sam, "phq-9", date(2026, 11, 5), 14)
    assert boosters.watch(at=noon(date(2026, 11, 6))) == 1
    assert why(Task.objects.get(client=sam, kind="booster", done_at=None)) == (
        "Booster due Jan 19, 2027. PHQ-9 is back to 10 or more. PHQ-9 is 5 or more above its best since the last dose."
    )


SCORES = [
    ([("phq-9", 4, 3, False), ("phq-9", 100, 9, False)], ["phq9_up_5"]),
    ([("phq-9", 4, 8, False), ("phq-9", 100, 10, False)], ["phq9_back_to_10"]),
    ([("phq-9", 4, 8, False), ("phq-9", 100, 9, False)], []),
    ([("phq-9", -3, 8, False), ("phq-9", 100, 11, False)], ["phq9_back_to_10"]),  # the end: the last one before
    ([("phq-9", 4, 12, False), ("phq-9", 100, 13, False)], []),
    ([("phq-9", 100, 4, True)], ["phq9_item9_positive"]),
    ([("phq-9", 50, 4, True), ("phq-9", 100, 4, False)], []),  # the newest counts
    ([("phq-9", 4, 3, False), ("phq-9", 100, None, False)], []),
    ([("pcl-5", 4, 20, False), ("pcl-5", 100, 30, False)], ["pcl5_up_10"]),
    ([("pcl-5", 4, 20, False), ("pcl-5", 100, 29, False)], []),
    ([("pcl-5", -4, 20, False), ("pcl-5", 100, 40, False)], []),  # best since the last dose
]


@pytest.mark.parametrize(("scores", "codes"), SCORES)
def test_scores_that_speak_for_an_earlier_booster(
    sam: Client, scores: Sequence[tuple[str, int, int | None, bool]], codes: list[str]
) -> None:
    dosed(sam, *JULY)
    last = JULY[-1].date()
    for key, after, total, safety in scores:
        scored(sam, key, last + timedelta(days=after), total, safety)
    told = boosters.watch(at=noon(last + timedelta(days=101)))
    assert (told, [row["early"] for row in facts(sam)]) == ((1, [codes]) if codes else (0, []))


def test_each_sign_is_told_once_and_again_when_it_comes_back(sam: Client) -> None:
    dosed(sam, *JULY)
    scored(sam, "phq-9", date(2026, 7, 28), 3)
    days = [(date(2026, 9, 1), 11), (date(2026, 9, 8), 12), (date(2026, 9, 15), 3), (date(2026, 9, 22), 12)]
    told = []
    for day, total in days:
        scored(sam, "phq-9", day, total)
        told.append(boosters.watch(at=noon(day + timedelta(days=1))))
        finish(sam, noon(day + timedelta(days=1)))
    assert told == [1, 0, 0, 1]


def test_every_sign_has_its_words() -> None:
    found = kap.booster(
        date(2026, 7, 19), date(2026, 9, 1), end_phq9=3, best_phq9=3, now_phq9=20, item9=2, best_pcl5=1, now_pcl5=40
    )
    assert set(found.early_triggers) == set(EARLY)


def test_last_doses_between_two_days_are_those_whose_booster_is_near() -> None:
    for today in (date(2026, 8, 31), date(2026, 12, 5), date(2027, 2, 28), date(2028, 2, 29)):
        first, last = boosters.given_between(today)
        near = [today - timedelta(days=n) for n in range(100, 300)]
        wanted = [
            day for day in near if today - timedelta(days=30) <= kap.add_months(day, 6) <= today + timedelta(days=45)
        ]
        assert (first, last) == (min(wanted), max(wanted))


def test_job_runs_daily(db: None) -> None:
    assert [row.every_s for row in schedule.PERIODIC if row.kind == "watch_boosters"] == [86400]
    assert jobs.load_kinds()["watch_boosters"]("") is None


def test_job_asks_the_database_as_often_for_three_as_for_one_when_nothing_is_new(maya: User, sam: Client) -> None:
    at = noon(DUE - timedelta(days=100))

    def asked() -> int:
        with CaptureQueriesContext(connection) as found:
            assert boosters.watch(at=at) == 0
        return len(found)

    dosed(sam, *JULY)
    one = asked()
    for n in range(2):
        dosed(factories.client(maya, f"Robin{n} Bell", email=f"robin{n}@example.net"), *JULY)
    assert asked() == one
