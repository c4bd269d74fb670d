"""What follows from an infusion elsewhere: therapy in its window, the questions after it, the end (C4, G26, Z2)."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
import time_machine

from intake import measures
from intake.models import Measure
from practice import words
from practice.models import Client, Task, User
from referrals.actions import clocks, courses, events
from referrals.models import Course, CourseSession, Decision, Referral
from referrals.states import State
from referrals.views import courses as panels
from tests.factories import NOW
from tests.intake.conftest import Phone
from tests.referrals.referring import referral_in
from tests.sittings import assessed, phq9_of, sitting

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
PATTERN = (0, 2, 4, 7, 9, 11)
SUMMER = date(2026, 6, 1)


@pytest.fixture
def referral(clock: Any, sam: Client, maya: User, on_call: User) -> Referral:
    """Accepted; the first infusion may be told from NOW on."""
    decision = Decision(client=sam, choice=Decision.Choice.INFUSION, rules_version="x", by=maya, at=NOW)
    decision.save(force_insert=True)
    return referral_in(State.ACCEPTED, sam, maya, decision=decision)


@pytest.fixture
def clock() -> Any:
    with time_machine.travel(NOW, tick=False) as now:
        yield now


def given(clock: Any, referral: Referral, number: int, at: datetime, **said: Any) -> CourseSession:
    """The clinic says by phone that this infusion was today."""
    clock.move_to(at)
    referral.refresh_from_db()
    return events.done(referral, number, by=referral.created_by, channel="phone", at=at, **said)


def all_six(clock: Any, referral: Referral, pattern: tuple[int, ...] = PATTERN) -> datetime:
    for number, days in enumerate(pattern, 1):
        given(clock, referral, number, NOW + days * DAY)
    return NOW + pattern[-1] * DAY


def noon(days: int, hour: int = 17) -> datetime:
    """Noon in New York, so many days after NOW."""
    return datetime(2026, 11, 19, hour, tzinfo=UTC) + days * DAY


def open_items(client: Client, *kinds: str) -> list[tuple[str, list[int] | int, datetime | None]]:
    kinds = kinds or ("integrate", "back_to_therapy")
    rows = Task.objects.filter(client=client, kind__in=kinds, done_at=None).order_by("kind")
    return [(row.kind, row.facts.get("numbers", row.facts.get("number")), row.due_at) for row in rows]


def to_send(client: Client) -> list[tuple[str, str, datetime]]:
    return [(row.packet, row.why, row.due_at) for row in measures.planned(client)]


# --- Therapy ---------------------------------------------------------------------------------------------------------


def test_an_infusion_opens_an_item_that_names_it_due_after_72_hours(clock: Any, referral: Referral) -> None:
    given(clock, referral, 1, NOW)
    assert open_items(referral.client) == [("integrate", [1], noon(3))]
    task = Task.objects.get(kind="integrate")
    assert (task.owner, task.subject_id) == (referral.client.therapist, referral.pk)
    assert datetime.fromisoformat(task.facts["after"]) == noon(1)


def test_the_hours_count_from_the_clock_time_that_the_clinic_gave(clock: Any, referral: Referral) -> None:
    """Journeys, script 2, step 7: an infusion on Sunday 14:00 is followed up by Wednesday 14:00."""
    sunday = datetime(2026, 11, 22, 19, 0, tzinfo=UTC)  # 14:00 in New York
    events.book(referral, 1, sunday, by=referral.created_by, channel="phone", at=NOW)
    given(clock, referral, 1, sunday + 27 * HOUR, on=date(2026, 11, 22))
    assert open_items(referral.client) == [("integrate", [1], datetime(2026, 11, 25, 19, 0, tzinfo=UTC))]


@pytest.mark.parametrize(("number", "book"), [(1, True), (2, False), (3, True), (4, False), (5, False)])
def test_after_the_first_and_third_therapy_is_booked(clock: Any, referral: Referral, number: int, book: bool) -> None:
    given(clock, referral, number, NOW)
    assert Task.objects.get(kind="integrate").facts["book"] is book


def test_the_window_of_an_older_infusion_is_not_pushed_out_by_the_next(clock: Any, referral: Referral) -> None:
    given(clock, referral, 1, NOW)
    given(clock, referral, 2, NOW + 2 * DAY)
    assert open_items(referral.client) == [("integrate", [1, 2], noon(3))]


def test_after_contact_the_next_infusion_opens_an_item_of_its_own(clock: Any, referral: Referral) -> None:
    given(clock, referral, 1, NOW)
    Task.finish(referral.client, "integrate", at=NOW + DAY, by=referral.created_by)
    given(clock, referral, 2, NOW + 2 * DAY)
    assert open_items(referral.client) == [("integrate", [2], noon(5))]


@pytest.mark.parametrize(("count", "kind"), [(5, "integrate"), (6, "back_to_therapy")])
def test_the_last_of_the_series_brings_the_client_back_to_therapy(
    clock: Any, referral: Referral, count: int, kind: str
) -> None:
    for number, days in enumerate(PATTERN[:count], 1):
        given(clock, referral, number, NOW + days * DAY)
        if number < count:
            Task.finish(referral.client, "integrate", at=NOW + days * DAY, by=referral.created_by)
    last = PATTERN[count - 1]
    assert [(kind, due) for kind, _n, due in open_items(referral.client)] == [(kind, noon(last + 3))]


def test_a_maintenance_session_is_followed_up_like_any_other(clock: Any, referral: Referral) -> None:
    at = all_six(clock, referral) + 30 * DAY
    Task.objects.all().delete()
    referral.refresh_from_db()
    clock.move_to(at)
    extra = events.add_maintenance(referral, at, by=referral.created_by, channel="phone", at=at - DAY)
    given(clock, referral, extra.number, at)
    assert open_items(referral.client) == [("integrate", [7], at + 72 * HOUR)]


def test_taking_the_report_back_leaves_nothing_behind(clock: Any, referral: Referral) -> None:
    given(clock, referral, 1, NOW)
    change = referral.changes.filter(event="visit").get()
    events.correct(change, at=NOW + HOUR, by=referral.created_by, reason="It was another client")
    assert (open_items(referral.client), to_send(referral.client)) == ([], [])


def test_taking_the_second_back_leaves_the_first(clock: Any, referral: Referral) -> None:
    given(clock, referral, 1, NOW)
    before = to_send(referral.client)
    given(clock, referral, 2, NOW + 2 * DAY)
    courses.session_taken_back(referral, CourseSession.objects.get(number=2), NOW + 2 * DAY)
    assert open_items(referral.client) == [("integrate", [1], noon(3))]
    assert to_send(referral.client) == before


def test_taking_the_last_back_takes_back_the_way_to_therapy(clock: Any, referral: Referral) -> None:
    at = all_six(clock, referral)
    last = CourseSession.objects.get(number=6)
    courses.session_taken_back(referral, last, at)
    assert [kind for kind, *_rest in open_items(referral.client)] == ["integrate"]
    assert "after_course" not in [why for _packet, why, _due in to_send(referral.client)]


def test_contact_that_was_made_is_not_undone_with_the_report(clock: Any, referral: Referral) -> None:
    session = given(clock, referral, 1, NOW)
    Task.finish(referral.client, "integrate", at=NOW + HOUR, by=referral.created_by)
    courses.session_taken_back(referral, session, NOW + 2 * HOUR)
    assert Task.objects.get(kind="integrate").done_by == referral.created_by


def test_a_report_on_a_discharged_client_asks_nothing_of_anybody(clock: Any, referral: Referral) -> None:
    Client.objects.filter(pk=referral.client_id).update(status=Client.Status.DISCHARGED)
    given(clock, Referral.objects.get(pk=referral.pk), 1, NOW)
    assert (open_items(referral.client), to_send(referral.client)) == ([], [])


# --- Questions -------------------------------------------------------------------------------------------------------


def test_the_nine_questions_come_a_day_after_and_on_the_days_of_the_protocol(clock: Any, referral: Referral) -> None:
    given(clock, referral, 1, NOW)
    assert to_send(referral.client) == [
        ("after-infusion", "after_session", noon(1)),
        ("after-infusion", "plan", noon(7)),
        ("after-infusion", "plan", noon(14)),
        ("after-infusion", "plan", noon(30)),
    ]


def test_a_report_restarts_the_clock(clock: Any, referral: Referral) -> None:
    """C4. The re-score day next to the questions after a booked or given infusion gives way."""
    given(clock, referral, 1, NOW)
    given(clock, referral, 2, NOW + 6 * DAY)
    assert to_send(referral.client) == [
        ("after-infusion", "after_session", noon(1)),
        ("after-infusion", "after_session", noon(7)),
        ("after-infusion", "plan", noon(14)),
        ("after-infusion", "plan", noon(30)),
    ]


def test_telling_the_same_infusion_twice_plans_nothing_twice(clock: Any, referral: Referral) -> None:
    session = given(clock, referral, 1, NOW)
    before = to_send(referral.client)
    courses.session_reported(referral, session, NOW)
    assert (to_send(referral.client), len(open_items(referral.client))) == (before, 1)


def test_after_the_last_one_the_follow_up_asks_how_helpful_it_was(clock: Any, referral: Referral) -> None:
    all_six(clock, referral)
    assert [row for row in to_send(referral.client) if row[2] > NOW + 11 * DAY] == [
        ("after-infusion", "after_session", noon(12)),
        ("after-course", "after_course", noon(14)),
        ("after-infusion", "plan", noon(30)),
    ]


def test_after_a_long_series_the_follow_up_comes_on_the_next_day_of_the_protocol(
    clock: Any, referral: Referral
) -> None:
    all_six(clock, referral, (0, 4, 8, 12, 16, 20))
    assert to_send(referral.client)[-1] == ("after-course", "after_course", noon(30))


def test_after_a_series_beyond_the_protocol_the_follow_up_comes_a_week_later(clock: Any, referral: Referral) -> None:
    all_six(clock, referral, (0, 7, 14, 21, 28, 35))
    assert to_send(referral.client)[-1] == ("after-course", "after_course", noon(42))


def test_a_report_that_comes_a_week_late_asks_no_stale_questions(clock: Any, referral: Referral) -> None:
    given(clock, referral, 1, NOW + 7 * DAY, on=NOW.date())
    assert to_send(referral.client) == [
        ("after-infusion", "plan", noon(7)),
        ("after-infusion", "plan", noon(14)),
        ("after-infusion", "plan", noon(30)),
    ]
    assert open_items(referral.client) == [("integrate", [1], noon(3))]


def test_what_was_sent_is_not_sent_again_when_the_report_is_put_right(clock: Any, referral: Referral) -> None:
    session = given(clock, referral, 1, NOW)
    clock.move_to(noon(1))
    measures.send_due(at=noon(1))
    CourseSession.objects.filter(pk=session.pk).update(at=NOW)
    courses.replan(Course.objects.get(), noon(1))
    assert [why for _packet, why, _due in to_send(referral.client)] == ["plan", "plan", "plan"]
    assert referral.client.invitations.filter(packet="after-infusion").count() == 1


def test_how_helpful_it_was_stands_on_the_course(clock: Any, referral: Referral) -> None:
    all_six(clock, referral)
    Measure.objects.exclude(packet="after-course").delete()
    clock.move_to(noon(14))
    measures.send_due(at=noon(14))
    phone = Phone(referral.client.invitations.get(packet="after-course")).start()
    for number in range(1, 10):
        phone.say(f"phq-9--{number}", "0")
    phone.say("helped", "some")
    assert phone.post("/my/send/").url == "/my/done/"
    assert Course.objects.get().helped == "some"
    assert referral.client.assessments.get(instrument="phq-9").total == 0


def test_a_course_nobody_answered_for_has_no_word_on_it(clock: Any, referral: Referral) -> None:
    all_six(clock, referral)
    clock.move_to(noon(14))
    Measure.objects.exclude(packet="after-course").delete()
    measures.send_due(at=noon(14))
    phone = Phone(referral.client.invitations.get(packet="after-course")).start()
    phone.skip("helped")
    assert phone.post("/my/send/").url == "/my/done/"
    assert Course.objects.get().helped == ""


def test_the_clock_time_of_a_re_score_stays_when_the_clocks_change(clock: Any, sam: Client, maya: User) -> None:
    """Between day 7 and day 14 the clocks of New York went forward."""
    course = Course.objects.create(client=sam, clinic="Cedar Infusion", started_on=date(2027, 3, 5))
    course.sessions.create(number=1, on=date(2027, 3, 5), state="done")
    assert [due for _packet, _why, due in courses.wanted(course)] == [
        datetime(2027, 3, 6, 17, tzinfo=UTC),
        datetime(2027, 3, 12, 17, tzinfo=UTC),
        datetime(2027, 3, 19, 16, tzinfo=UTC),
        datetime(2027, 4, 4, 16, tzinfo=UTC),
    ]


# --- The short check-ins ---------------------------------------------------------------------------------------------


def test_the_first_infusion_ends_the_short_check_ins(clock: Any, referral: Referral, maya: User) -> None:
    measures.start_interim(by=maya, client=referral.client, subject_id=referral.decision_id, at=NOW)
    given(clock, referral, 1, NOW + DAY)
    assert "interim" not in [why for _packet, why, _due in to_send(referral.client)]


def test_a_first_infusion_that_never_was_brings_them_back(clock: Any, referral: Referral, maya: User) -> None:
    measures.start_interim(by=maya, client=referral.client, subject_id=referral.decision_id, at=NOW)
    session = given(clock, referral, 1, NOW + DAY)
    courses.session_taken_back(referral, session, NOW + DAY + HOUR)
    assert to_send(referral.client) == [("short-check-in", "interim", NOW + 3 * DAY)]


def test_check_ins_that_a_clinician_ended_stay_ended(clock: Any, referral: Referral, maya: User) -> None:
    measures.start_interim(by=maya, client=referral.client, subject_id=referral.decision_id, at=NOW)
    measures.stop_interim(by=maya, client=referral.client, at=NOW + HOUR)
    session = given(clock, referral, 1, NOW + DAY)
    courses.session_taken_back(referral, session, NOW + DAY + HOUR)
    assert to_send(referral.client) == []


def test_another_referral_of_the_same_decision_keeps_them(sam: Client, maya: User, checked: Decision) -> None:
    first = referral_in(State.SENT, sam, maya, decision=checked)
    referral_in(State.CANCELLED, sam, maya, first.destination, decision=checked)
    assert to_send(sam) == CHECK_IN


def test_over_for_one_decision_leaves_the_check_ins_of_another(clock: Any, referral: Referral, maya: User) -> None:
    measures.start_interim(by=maya, client=referral.client, subject_id=uuid4(), at=NOW)
    referral.state = State.CANCELLED
    courses.over(referral, by=maya, at=NOW)
    assert len(to_send(referral.client)) == 1


@pytest.fixture
def checked(clock: Any, sam: Client, maya: User, on_call: User) -> Decision:
    """A decision since which the short check-ins go out."""
    decision = Decision(client=sam, choice=Decision.Choice.INFUSION, rules_version="x", by=maya, at=NOW)
    decision.save(force_insert=True)
    measures.start_interim(by=maya, client=sam, subject_id=decision.pk, at=NOW)
    return decision


CHECK_IN = [("short-check-in", "interim", NOW + 3 * DAY)]


@pytest.mark.parametrize(
    ("state", "left"),
    [
        (State.SENT, CHECK_IN), (State.ACCEPTED, CHECK_IN), (State.SCHEDULED, CHECK_IN), (State.NO_SHOW, CHECK_IN),
        (State.CANCEL_ASKED, CHECK_IN), (State.DECLINED, CHECK_IN), (State.CANCELLED, []), (State.COMPLETED, []),
    ],
)  # fmt: skip
def test_they_end_with_the_referral_and_not_before(
    sam: Client, maya: User, checked: Decision, state: State, left: list[Any]
) -> None:
    referral_in(state, sam, maya, decision=checked)
    assert to_send(sam) == left


def test_after_a_no_they_go_on_until_it_is_put_away(sam: Client, maya: User, checked: Decision) -> None:
    declined = referral_in(State.DECLINED, sam, maya, decision=checked)
    clocks.close(by=maya, referral=declined, at=NOW + HOUR)
    assert to_send(sam) == []
    clocks.undo_close(by=maya, referral=declined, at=NOW + 2 * HOUR)
    assert to_send(sam) == CHECK_IN


def test_an_end_that_is_taken_back_brings_them_back(sam: Client, maya: User, checked: Decision) -> None:
    cancelled = referral_in(State.CANCELLED, sam, maya, decision=checked)
    assert to_send(sam) == []
    events.correct(cancelled.changes.last(), by=maya, reason="It was another one", at=NOW + HOUR)
    assert to_send(sam) == CHECK_IN


def test_a_course_that_ends_before_it_began_does_not_end_them(sam: Client, maya: User, checked: Decision) -> None:
    accepted = referral_in(State.ACCEPTED, sam, maya, decision=checked)
    events.stop_early(accepted, "Blood pressure too high", by=maya, channel="phone", at=NOW + HOUR)
    assert to_send(sam) == CHECK_IN


def test_a_course_that_ends_early_still_brings_its_follow_up(clock: Any, referral: Referral) -> None:
    given(clock, referral, 1, NOW)
    given(clock, referral, 2, NOW + 2 * DAY)
    clock.move_to(NOW + 3 * DAY)
    referral.refresh_from_db()
    events.stop_early(referral, "Blood pressure too high", by=referral.created_by, channel="phone", at=NOW + 3 * DAY)
    assert to_send(referral.client) == [
        ("after-infusion", "after_session", noon(1)),
        ("after-infusion", "after_session", noon(3)),
        ("after-course", "after_course", noon(7)),
        ("after-infusion", "plan", noon(14)),
        ("after-infusion", "plan", noon(30)),
    ]
    assert "back_to_therapy" in [kind for kind, *_rest in open_items(referral.client)]


# --- The chart -------------------------------------------------------------------------------------------------------


def course(client: Client, pattern: tuple[int, ...], **fields: Any) -> Course:
    """A course whose infusions were so many days after March 3."""
    first = date(2026, 3, 3)
    found = Course.objects.create(client=client, clinic="Northlake Infusion", started_on=first, **fields)
    for number, days in enumerate(pattern, 1):
        found.sessions.create(number=number, on=first + days * DAY, state="done", route="iv")
    return found


def told(found: Course, today: date = SUMMER, scores: tuple[Any, ...] = ()) -> dict[str, Any]:
    return panels.story(found, scores, today)


@pytest.mark.parametrize(
    ("pattern", "state", "chip", "status"),
    [
        ((), "under_way", "Not started", ""),
        ((0, 7), "under_way", "Under way", ""),
        ((0, 7, 9), "under_way", "Under way", "Time to look at the response with the clinic."),
        ((0, 8), "under_way", "Interrupted", "A gap of 8 days."),
        ((0, 2, 4, 7, 9, 14), "done", "Finished on schedule", "6 infusions in 14 days."),
        ((0, 2, 4, 7, 9, 15), "done", "Finished, extended", "6 infusions in 15 days."),
        ((0, 4, 8, 12, 16, 21), "done", "Finished, extended", "6 infusions in 21 days."),
        ((0, 4, 8, 12, 16, 22), "done", "Finished, late", "6 infusions in 22 days."),
        ((0, 2), "stopped", "Stopped early", "The clinic says: Blood pressure too high"),
    ],
)
def test_the_panel_says_where_the_series_stands(
    sam: Client, pattern: tuple[int, ...], state: str, chip: str, status: str
) -> None:
    found = course(sam, pattern, state=state)
    found.stopped_words = "Blood pressure too high"
    said = told(found, date(2026, 3, 3) + (pattern[-1] if pattern else 0) * DAY)
    assert (str(said["chip"]["text"]), said["status"]) == (chip, status)


@pytest.mark.parametrize(("days", "chip"), [(7, "Under way"), (8, "Interrupted")])
def test_a_silence_interrupts_a_series_after_a_week(sam: Client, days: int, chip: str) -> None:
    found = course(sam, (0, 2))
    assert str(told(found, date(2026, 3, 5) + days * DAY)["chip"]["text"]) == chip


def test_the_steps_tell_the_series_to_its_follow_up(sam: Client) -> None:
    found = course(sam, PATTERN, state="done")
    taken = [sitting(sam, datetime(2026, 3, each, 15, tzinfo=UTC), packet="check-in") for each in (2, 17)]
    rows = [assessed(each, "phq-9", phq9_of(total)) for each, total in zip(taken, (21, 9), strict=True)]
    assert [
        (step["label"], step["when"], step["done"]) for step in told(found, scores=tuple(reversed(rows)))["steps"]
    ] == [
        ("First infusion", "Tue Mar 3", True),
        ("6 of 6 done", "Sat Mar 14", True),
        ("Follow-up PHQ-9", "Tue Mar 17: 21 to 9, response", True),
    ]


@pytest.mark.parametrize(("day_of_march", "follows"), [(15, False), (16, True)])
def test_the_follow_up_is_not_the_questions_after_the_last_infusion(
    sam: Client, day_of_march: int, follows: bool
) -> None:
    taken = sitting(sam, datetime(2026, 3, day_of_march, 15, tzinfo=UTC), packet="check-in")
    row = assessed(taken, "phq-9", phq9_of(9))
    assert told(course(sam, PATTERN, state="done"), scores=(row,))["steps"][2]["done"] is follows


def test_the_item_for_therapy_says_which_infusions_are_without_contact(clock: Any, referral: Referral) -> None:
    given(clock, referral, 1, NOW)
    given(clock, referral, 2, NOW + 2 * DAY)
    assert words.why(Task.objects.get(kind="integrate")) == (
        "Infusion 2 was Sat Nov 21. No contact recorded after infusion 1 either. Book therapy now."
    )


def test_the_step_that_is_next_says_its_day(sam: Client) -> None:
    found = course(sam, (0, 2))
    found.sessions.create(number=3, on=date(2026, 3, 7), state="planned")
    assert [(step["label"], step["when"], step["now"]) for step in told(found, date(2026, 3, 6))["steps"]] == [
        ("First infusion", "Tue Mar 3", False),
        ("2 of 6 done", "next Sat Mar 7", True),
        ("Follow-up PHQ-9", "", False),
    ]


def test_a_series_that_ended_early_says_after_how_many(sam: Client) -> None:
    steps = told(course(sam, (0, 2), state="stopped"))["steps"]
    assert [(step["label"], step["done"]) for step in steps] == [
        ("First infusion", True), ("Ended after 2 of 6", True), ("Follow-up PHQ-9", False),
    ]  # fmt: skip


def test_the_chart_shows_each_infusion_with_its_way_and_what_the_clinic_added(
    clock: Any, sam: Client, maya: User, as_user: Any
) -> None:
    found = course(sam, PATTERN, state="done", helped="some")
    extra = found.sessions.create(number=7, on=date(2026, 4, 14), state="done", route="im", is_maintenance=True)
    extra.note = "BP 128 over 80"
    extra.save()
    for each, total in ((2, 21), (9, 15), (17, 9)):
        assessed(sitting(sam, datetime(2026, 3, each, 15, tzinfo=UTC), packet="check-in"), "phq-9", phq9_of(total))
    page = as_user(maya).get(f"/clients/{sam.pk}/").content.decode()
    part = page[page.index("Northlake Infusion") :]
    for each in (
        "6 of 6 done", "1 maintenance", "IV drip, Injection into a muscle", "They helped some", "7, maintenance",
        "BP 128 over 80", "Tue Mar 17: 21 to 9, response", 'class="chart chart-z"',
    ):  # fmt: skip
        assert each in part, each


@pytest.mark.parametrize("count", [1, 3])
def test_the_panel_costs_the_same_however_many_courses(
    clock: Any, sam: Client, maya: User, as_user: Any, count: int, django_assert_num_queries: Any
) -> None:
    for _number in range(count):
        course(sam, PATTERN)
    client = Client.objects.get(pk=sam.pk)
    with django_assert_num_queries(3):
        panels.panel(None, client, NOW)
