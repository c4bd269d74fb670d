"""Forms that are sent by themselves (features C3, C4; issue 3, Safety): planned, sent, missed, worse, stopped."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
import time_machine

from intake import measures
from intake.models import Invitation, Measure
from practice.models import Alert, Client, Notice, Task, User
from tests.factories import NOW
from tests.intake.conftest import Phone

As = Callable[[User], Any]
Why = Measure.Why
DECISION = uuid4()
DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)


@pytest.fixture
def interim(clock: Any, sam: Client, maya: User, on_call: User) -> Measure:
    return measures.start_interim(by=maya, client=sam, subject_id=DECISION, at=NOW)


def later(clock: Any, at: datetime) -> datetime:
    clock.move_to(at)
    return at


def send_at(clock: Any, at: datetime) -> int:
    return measures.send_due(at=later(clock, at))


def give(measure: Measure, first: str, second: str, safe: str = "yes") -> None:
    """Fill the short check-in in on a phone and send it."""
    measure.refresh_from_db()
    phone = Phone(measure.invitation).start()
    phone.say("phq-2--1", first)
    phone.say("phq-2--2", second)
    phone.say("safe-now", safe)
    assert phone.post("/my/send/").url == "/my/done/"


def flags(client: Client) -> list[tuple[str, str, list[str]]]:
    return [(a.source, a.severity, a.rule_ids) for a in Alert.objects.filter(client=client).order_by("opened_at")]


def waiting(client: Client) -> list[tuple[str, datetime]]:
    return [(row.packet, row.due_at) for row in measures.planned(client)]


# --- Planning --------------------------------------------------------------------------------------------------------


def test_the_first_short_check_in_is_due_three_days_after_the_decision(interim: Measure, sam: Client) -> None:
    assert waiting(sam) == [("short-check-in", NOW + 3 * DAY)]
    assert (interim.why, interim.subject_id, interim.every_days, interim.watched) == ("interim", DECISION, 3, True)


def test_beginning_twice_plans_once(interim: Measure, sam: Client, maya: User) -> None:
    again = measures.start_interim(by=maya, client=sam, subject_id=DECISION, at=NOW + SECOND)
    assert (again, Measure.objects.count()) == (interim, 1)


def test_a_newer_decision_takes_the_check_ins_over(interim: Measure, sam: Client, maya: User) -> None:
    newer = measures.start_interim(by=maya, client=sam, subject_id=uuid4(), at=NOW + DAY)
    assert waiting(sam) == [("short-check-in", NOW + 4 * DAY)]
    assert measures.planned(sam).get() == newer


def test_the_same_plan_twice_is_one(sam: Client) -> None:
    first = measures.plan(sam, "check-in", Why.RECHECK, NOW + 7 * DAY, DECISION, at=NOW)
    assert measures.plan(sam, "check-in", Why.RECHECK, NOW + 7 * DAY, DECISION, at=NOW) == first


# --- Sending ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("early", "sent"), [(SECOND, 0), (timedelta(0), 1)])
def test_it_goes_out_when_it_is_due_and_not_before(
    clock: Any, interim: Measure, sam: Client, early: timedelta, sent: int
) -> None:
    assert send_at(clock, NOW + 3 * DAY - early) == sent
    assert Notice.objects.filter(client=sam, template="check_in").count() == 2 * sent  # e-mail and text message


def test_a_second_run_sends_nothing_and_the_next_is_planned_once(clock: Any, interim: Measure, sam: Client) -> None:
    assert [send_at(clock, NOW + 3 * DAY), send_at(clock, NOW + 3 * DAY)] == [1, 0]
    assert waiting(sam) == [("short-check-in", NOW + 6 * DAY)]
    assert sam.invitations.count() == 1


def test_what_an_outage_held_up_is_sent_once_and_the_next_keeps_its_clock(
    clock: Any, interim: Measure, sam: Client
) -> None:
    assert send_at(clock, NOW + 10 * DAY) == 1
    assert waiting(sam) == [("short-check-in", NOW + 12 * DAY)]


def test_the_clock_time_stays_when_the_clocks_change(clock: Any, sam: Client, maya: User, on_call: User) -> None:
    """The night of 13 to 14 March 2027 has 23 hours in New York."""
    friday = datetime(2027, 3, 12, 15, 0, tzinfo=UTC)  # 10:00
    later(clock, friday)
    measures.start_interim(by=maya, client=sam, subject_id=DECISION, at=friday)
    assert waiting(sam) == [("short-check-in", datetime(2027, 3, 15, 14, 0, tzinfo=UTC))]  # 10:00 again
    send_at(clock, datetime(2027, 3, 15, 14, 0, tzinfo=UTC))
    assert waiting(sam) == [("short-check-in", datetime(2027, 3, 18, 14, 0, tzinfo=UTC))]


def test_the_next_one_takes_the_place_of_one_that_did_not_come_back(clock: Any, interim: Measure, sam: Client) -> None:
    send_at(clock, NOW + 3 * DAY)
    send_at(clock, NOW + 6 * DAY)
    assert list(sam.invitations.order_by("created_at").values_list("state", flat=True)) == ["withdrawn", "sent"]


def test_nobody_loses_the_form_that_they_are_filling_in(clock: Any, interim: Measure, sam: Client) -> None:
    send_at(clock, NOW + 3 * DAY)
    interim.refresh_from_db()
    begun = later(clock, NOW + 6 * DAY - timedelta(minutes=5))
    phone = Phone(interim.invitation).start()
    phone.say("phq-2--1", "1")
    assert begun and send_at(clock, NOW + 6 * DAY) == 0
    assert sam.invitations.get().state == "in_progress"
    assert send_at(clock, NOW + 6 * DAY + timedelta(hours=1)) == 1


def test_several_of_the_same_form_that_are_due_together_are_asked_once(
    clock: Any, sam: Client, maya: User, on_call: User
) -> None:
    """Two infusions told on one day: the questions are about now."""
    for hours in (30, 2):
        measures.plan(sam, "after-infusion", Why.AFTER_SESSION, NOW - timedelta(hours=hours), at=NOW)
    assert send_at(clock, NOW) == 1
    assert (sam.invitations.get().state, waiting(sam)) == ("sent", [])


def test_a_discharged_client_gets_nothing_and_nothing_stays_planned(clock: Any, interim: Measure, sam: Client) -> None:
    Client.objects.filter(pk=sam.pk).update(status=Client.Status.DISCHARGED)
    assert send_at(clock, NOW + 3 * DAY) == 0
    assert (waiting(sam), sam.invitations.count(), Notice.objects.filter(client=sam).count()) == ([], 0, 0)


def test_what_cannot_be_sent_is_told_to_staff_once(clock: Any, sam: Client, maya: User) -> None:
    """Nobody is on call, and this form asks about suicide."""
    measures.plan(sam, "after-infusion", Why.AFTER_SESSION, NOW, at=NOW)
    assert [send_at(clock, NOW), send_at(clock, NOW + timedelta(minutes=5))] == [0, 0]
    task = Task.objects.get(client=sam, kind="todo")
    assert task.facts == {"reason": "not_sent"}
    assert waiting(sam) == [("after-infusion", NOW)]


@pytest.mark.parametrize(("age", "left"), [(3 * DAY - SECOND, 1), (3 * DAY, 0)])
def test_after_three_days_it_would_say_nothing_any_more(
    clock: Any, sam: Client, maya: User, age: timedelta, left: int
) -> None:
    measures.plan(sam, "after-infusion", Why.AFTER_SESSION, NOW, at=NOW)
    send_at(clock, NOW + age)
    assert len(waiting(sam)) == left


def test_it_is_sent_as_soon_as_somebody_is_on_call(clock: Any, sam: Client, omar: User, maya: User) -> None:
    from tests import factories

    measures.plan(sam, "after-infusion", Why.AFTER_SESSION, NOW, at=NOW)
    send_at(clock, NOW)
    factories.always_on_call(omar)
    assert send_at(clock, NOW + timedelta(minutes=5)) == 1


# --- Not back --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("early", "missed"), [(SECOND, 0), (timedelta(0), 1)])
def test_a_check_in_that_is_not_back_within_a_day_raises_a_flag(
    clock: Any, interim: Measure, sam: Client, early: timedelta, missed: int
) -> None:
    send_at(clock, NOW + 3 * DAY)
    assert measures.watch_missing(at=later(clock, NOW + 4 * DAY - early)) == missed
    assert flags(sam) == [("interim", "priority", ["check-in-late"])] * missed


def test_each_missed_one_raises_one_flag(clock: Any, interim: Measure, sam: Client) -> None:
    send_at(clock, NOW + 3 * DAY)
    counts = [measures.watch_missing(at=later(clock, NOW + days * DAY)) for days in (4, 5)]
    send_at(clock, NOW + 6 * DAY)
    counts.append(measures.watch_missing(at=later(clock, NOW + 7 * DAY)))
    counts.append(measures.watch_missing(at=NOW + 7 * DAY))
    assert (counts, len(flags(sam))) == ([1, 0, 1, 0], 2)


def test_the_flag_of_a_missed_one_says_when_it_was_sent(clock: Any, interim: Measure, sam: Client) -> None:
    send_at(clock, NOW + 3 * DAY)
    measures.watch_missing(at=later(clock, NOW + 4 * DAY))
    alert = Alert.objects.get(client=sam)
    assert [(row["question"], row["answer"]) for row in alert.answers] == [
        ("Short check-in", "Sent Sun Nov 22, 10:00 am, not back.")
    ]
    assert alert.notices.count() > 0  # a person was told


def test_one_that_came_back_in_time_is_not_missed(clock: Any, interim: Measure, sam: Client) -> None:
    send_at(clock, NOW + 3 * DAY)
    give(interim, "1", "1")
    assert measures.watch_missing(at=later(clock, NOW + 5 * DAY)) == 0
    assert flags(sam) == []


def test_one_that_comes_back_late_leaves_the_flag_to_a_person(clock: Any, interim: Measure, sam: Client) -> None:
    send_at(clock, NOW + 3 * DAY)
    measures.watch_missing(at=later(clock, NOW + 4 * DAY))
    give(interim, "0", "0")
    alert = Alert.objects.get(client=sam)
    assert alert.is_open
    assert "came_back" in alert.events.values_list("kind", flat=True)


def test_one_that_could_not_be_sent_is_missed_too_and_the_next_is_tried(clock: Any, sam: Client, maya: User) -> None:
    measures.start_interim(by=maya, client=sam, subject_id=DECISION, at=NOW)
    send_at(clock, NOW + 3 * DAY)  # nobody is on call
    assert measures.watch_missing(at=later(clock, NOW + 4 * DAY)) == 1
    assert flags(sam) == [("interim", "priority", ["check-in-late"])]
    assert waiting(sam) == [("short-check-in", NOW + 6 * DAY)]


def test_a_discharged_client_is_not_missed(clock: Any, interim: Measure, sam: Client) -> None:
    send_at(clock, NOW + 3 * DAY)
    Client.objects.filter(pk=sam.pk).update(status=Client.Status.DISCHARGED)
    assert measures.watch_missing(at=later(clock, NOW + 5 * DAY)) == 0


def test_a_form_that_is_not_watched_raises_no_flag(clock: Any, sam: Client, maya: User, on_call: User) -> None:
    measures.plan(sam, "after-infusion", Why.AFTER_SESSION, NOW, at=NOW)
    send_at(clock, NOW)
    assert measures.watch_missing(at=later(clock, NOW + 9 * DAY)) == 0


# --- Worse -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("then", "now", "raised"),
    [(("1", "1"), ("1", "1"), False), (("1", "1"), ("2", "1"), True), (("2", "1"), ("1", "1"), False)],
)
def test_one_that_comes_back_worse_than_the_one_before_raises_a_flag(
    clock: Any, interim: Measure, sam: Client, then: tuple[str, str], now: tuple[str, str], raised: bool
) -> None:
    send_at(clock, NOW + 3 * DAY)
    give(interim, *then)
    send_at(clock, NOW + 6 * DAY)
    give(Measure.objects.exclude(sent_at=None).latest("sent_at"), *now)
    assert flags(sam) == [("interim", "priority", ["check-in-worse"])] * raised


def test_the_flag_of_a_worse_one_says_both_sums(clock: Any, interim: Measure, sam: Client) -> None:
    send_at(clock, NOW + 3 * DAY)
    give(interim, "1", "1")
    send_at(clock, NOW + 6 * DAY)
    give(Measure.objects.exclude(sent_at=None).latest("sent_at"), "3", "2")
    assert [row["answer"] for row in Alert.objects.get(client=sam).answers] == ["5 of 6; it was 2 on Sun Nov 22"]


def test_the_first_one_is_held_against_the_same_questions_of_the_nine(
    clock: Any, check_in: Phone, interim: Measure, sam: Client
) -> None:
    for number in range(1, 10):
        check_in.say(f"phq-9--{number}", "1" if number < 3 else "0")
    assert check_in.post("/my/send/").url == "/my/done/"
    send_at(clock, NOW + 3 * DAY)
    give(interim, "2", "1")
    assert flags(sam) == [("interim", "priority", ["check-in-worse"])]


def test_not_safe_raises_an_urgent_flag_at_once_before_the_form_is_sent(
    clock: Any, interim: Measure, sam: Client
) -> None:
    send_at(clock, NOW + 3 * DAY)
    interim.refresh_from_db()
    phone = Phone(interim.invitation).start()
    phone.say("safe-now", "unsure")
    assert flags(sam) == [("intake", "urgent", ["safe-now"])]
    assert phone.get("/my/q/cssrs-screener-recent--1/").status_code == 200


def test_a_skipped_safety_question_is_followed_up_like_any_other(clock: Any, interim: Measure, sam: Client) -> None:
    send_at(clock, NOW + 3 * DAY)
    interim.refresh_from_db()
    Phone(interim.invitation).start().skip("safe-now")
    assert flags(sam) == [("intake", "priority", ["SR-07"])]


# --- Stopping --------------------------------------------------------------------------------------------------------


def test_stopping_ends_what_is_planned_and_what_waits_to_come_back(
    clock: Any, interim: Measure, sam: Client, maya: User
) -> None:
    send_at(clock, NOW + 3 * DAY)
    assert measures.stop_interim(by=maya, client=sam, subject_id=DECISION, at=NOW + 3 * DAY) == 2
    assert (waiting(sam), sam.invitations.get().state) == ([], "withdrawn")
    assert measures.watch_missing(at=later(clock, NOW + 9 * DAY)) == 0
    assert measures.stop_interim(by=maya, client=sam, subject_id=DECISION, at=NOW + 9 * DAY) == 0


def test_stopping_one_thing_leaves_the_others(sam: Client, interim: Measure, maya: User) -> None:
    measures.plan(sam, "check-in", Why.RECHECK, NOW + 7 * DAY, at=NOW)
    measures.stop_interim(by=maya, client=sam, at=NOW)
    assert waiting(sam) == [("check-in", NOW + 7 * DAY)]


def test_the_jobs_are_in_the_one_list(clock: Any, interim: Measure, sam: Client) -> None:
    from practice import jobs
    from practice.models import Job
    from practice.schedule import tick

    with time_machine.travel(NOW + 3 * DAY, tick=False):
        tick(NOW + 3 * DAY)
        for job in Job.objects.filter(kind__in=["send_measures", "watch_measures"]):
            jobs.run(str(job.pk))
        tick(NOW + 3 * DAY)
    assert Invitation.objects.filter(client=sam, packet="short-check-in").count() == 1
    assert Job.objects.filter(kind__in=["send_measures", "watch_measures"]).count() == 2


def test_a_link_of_a_stopped_check_in_that_was_begun_still_works(
    clock: Any, interim: Measure, sam: Client, maya: User
) -> None:
    send_at(clock, NOW + 3 * DAY)
    interim.refresh_from_db()
    phone = Phone(interim.invitation).start()
    phone.say("phq-2--1", "3")
    measures.stop_interim(by=maya, client=sam, at=NOW + 3 * DAY)
    phone.say("phq-2--2", "3")
    phone.say("safe-now", "yes")
    assert phone.post("/my/send/").url == "/my/done/"
    assert sam.assessments.get(instrument="phq-2").total == 6


# --- Staff -----------------------------------------------------------------------------------------------------------


def stop_page(measure: Measure) -> str:
    return f"/clients/{measure.client_id}/planned/{measure.pk}/stop/"


def test_the_chart_shows_what_is_planned_and_when(interim: Measure, sam: Client, maya: User, as_user: As) -> None:
    measures.plan(sam, "check-in", Why.RECHECK, NOW + 7 * DAY, at=NOW)
    page = as_user(maya).get(f"/clients/{sam.pk}/").content.decode()
    part = page[page.index("Planned check-ins") :]
    words = [
        "Short check-in",
        "Sun Nov 22, 10:00 am, every 3 days",
        "Between decision and first treatment",
        "Recheck after",
    ]
    assert [each for each in words if each not in part] == []
    assert stop_page(interim) in part


def test_a_chart_without_plans_has_no_such_panel_for_who_may_set_none(sam: Client, maya: User, as_user: As) -> None:
    page = as_user(maya).get(f"/clients/{sam.pk}/").content.decode()
    assert "Nothing is planned now." in page and f"/clients/{sam.pk}/schedules/new/" in page
    Client.objects.filter(pk=sam.pk).update(status=Client.Status.DISCHARGED)
    assert "Planned check-ins" not in as_user(maya).get(f"/clients/{sam.pk}/").content.decode()


def test_a_clinician_stops_the_check_ins_by_words_that_become_a_note(
    interim: Measure, sam: Client, maya: User, as_user: As, post: Any
) -> None:
    browser = as_user(maya)
    assert browser.get(stop_page(interim)).status_code == 200
    empty = post(browser, stop_page(interim), {"words": " "})
    assert (empty.status_code, "Write why it stops." in empty.content.decode()) == (400, True)
    assert post(browser, stop_page(interim), {"words": "We speak every day now."}).url == f"/clients/{sam.pk}/"
    assert (waiting(sam), sam.notes.get().body) == ([], "We speak every day now.")


def test_what_was_sent_meanwhile_is_not_stopped_by_an_old_page(
    clock: Any, interim: Measure, sam: Client, maya: User, as_user: As, post: Any
) -> None:
    send_at(clock, NOW + 3 * DAY)
    answer = post(as_user(maya), stop_page(interim), {"words": "Not needed"})
    assert (answer.status_code, sam.notes.count()) == (400, 0)
    assert waiting(sam) == [("short-check-in", NOW + 6 * DAY)]


def test_stopping_another_plan_leaves_the_check_ins(interim: Measure, sam: Client, maya: User) -> None:
    recheck = measures.plan(sam, "check-in", Why.RECHECK, NOW + 7 * DAY, at=NOW)
    measures.stop_by_words(by=maya, measure=recheck, words="Seen in person", at=NOW)
    assert waiting(sam) == [("short-check-in", NOW + 3 * DAY)]


def test_nobody_stops_what_is_planned_for_somebody_elses_client(interim: Measure, omar: User, as_user: As) -> None:
    assert as_user(omar).get(stop_page(interim)).status_code == 404


def test_the_flag_of_a_late_check_in_tells_its_story_on_the_chart(
    clock: Any, interim: Measure, sam: Client, maya: User, as_user: As
) -> None:
    send_at(clock, NOW + 3 * DAY)
    measures.watch_missing(at=later(clock, NOW + 4 * DAY))
    page = as_user(maya).get(f"/clients/{sam.pk}/alerts/{Alert.objects.get(client=sam).pk}/").content.decode()
    for words in ("A check-in did not come back", "Contact the client today.", "Sent Sun Nov 22, 10:00 am, not back."):
        assert words in page


def test_packets_of_a_plan_are_not_offered_where_a_person_chooses(sam: Client, maya: User, as_user: As) -> None:
    page = as_user(maya).get(f"/clients/{sam.pk}/invite/").content.decode()
    assert "Your check-in, about" in page and "Short check-in, about" not in page
