"""The sessions of a course: booked, done, missed, moved, undone, added, ended early; what each does to its referral."""

import threading
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from practice import coverage
from practice.actions import NotNow
from practice.models import Client, Practice, User
from referrals.actions import events
from referrals.models import Course, CourseSession, DeskKey, Path, Referral
from referrals.states import Event, State
from referrals.views.standing import visit_words
from tests.factories import NOW
from tests.referrals.referring import happens, key, referral_in

DAY = timedelta(days=1)
# NOW is Thursday 19 November 2026, 10:00 in New York.
FIRST, SECOND = date(2026, 11, 21), date(2026, 11, 24)
TIMED = datetime(2026, 11, 23, 19, 0, tzinfo=UTC)  # Monday 14:00 in New York


@pytest.fixture
def accepted(sam: Client, maya: User) -> Referral:
    return referral_in(State.ACCEPTED, sam, maya)


@pytest.fixture
def cleo(accepted: Referral) -> DeskKey:
    return key(accepted.destination)


@pytest.fixture
def desk(cleo: DeskKey) -> dict[str, Any]:
    return {"by_key": cleo, "by_name": "Cleo Marsh", "channel": "link", "at": NOW}


def stands(referral: Referral) -> tuple[str, list[tuple[int, str, str]]]:
    """The state, and each session as number, day and what became of it."""
    row = Referral.objects.get(pk=referral.pk)
    sessions = CourseSession.objects.filter(course__referral=row).order_by("number")
    return row.state, [(each.number, each.on.isoformat(), each.state) for each in sessions]


def told(referral: Referral) -> list[str]:
    """The events after the acceptance."""
    return [change.event for change in referral.changes.all()][2:]


def day_of(referral: Referral) -> str:
    row = Referral.objects.get(pk=referral.pk)
    return coverage.local(row.visit_at, Practice.get()).isoformat() if row.visit_at else ""


# --- Booking ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "days"),
    [
        (date(2026, 11, 24), ["11-24", "11-26", "11-28", "12-01", "12-03", "12-05"]),  # a Tuesday
        (date(2026, 11, 21), ["11-21", "11-24", "11-26", "11-28", "12-01", "12-03"]),  # a Saturday
        (date(2026, 11, 22), ["11-24", "11-26", "11-28", "12-01", "12-03", "12-05"]),  # a Sunday: none before Tuesday
    ],
)
def test_six_dates_are_proposed_within_two_weeks(first: date, days: list[str]) -> None:
    found = events.proposed(first)
    assert [on.strftime("%m-%d") for on in found] == days
    assert (found[-1] - found[0]).days <= 14


def test_filled_dates_book_the_first(accepted: Referral, desk: dict[str, Any]) -> None:
    events.fill_dates(accepted, SECOND, **desk)
    days = ["2026-11-24", "2026-11-26", "2026-11-28", "2026-12-01", "2026-12-03", "2026-12-05"]
    assert stands(accepted) == (State.SCHEDULED, [(n, day, "planned") for n, day in enumerate(days, 1)])
    assert day_of(accepted) == "2026-11-24T00:00:00-05:00"
    visit_at = Referral.objects.get(pk=accepted.pk).visit_at
    with timezone.override(Practice.get().zone):
        assert ":" not in visit_words(visit_at)
    with pytest.raises(NotNow, match="Every session has a day already"):
        events.fill_dates(accepted, SECOND, **desk)


def test_fill_leaves_what_is_booked(accepted: Referral, desk: dict[str, Any]) -> None:
    events.book(accepted, 1, FIRST, **desk)
    events.fill_dates(accepted, SECOND, **desk)
    assert stands(accepted)[1][:2] == [(1, "2026-11-21", "planned"), (2, "2026-11-24", "planned")]
    assert told(accepted) == ["schedule"]


def test_booked_session_is_the_visit(accepted: Referral, desk: dict[str, Any]) -> None:
    events.book(accepted, 1, TIMED, route="iv", **desk)
    assert stands(accepted) == (State.SCHEDULED, [(1, "2026-11-23", "planned")])
    row = Referral.objects.get(pk=accepted.pk)
    assert row.visit_at == TIMED
    assert ":" in visit_words(row.visit_at)
    assert Course.objects.get(referral=row).started_on == date(2026, 11, 23)


def test_later_session_does_not_move_the_next_visit(accepted: Referral, desk: dict[str, Any]) -> None:
    events.book(accepted, 1, FIRST, **desk)
    events.book(accepted, 2, SECOND, **desk)
    assert told(accepted) == ["schedule"]
    assert day_of(accepted) == "2026-11-21T00:00:00-05:00"


def test_earlier_session_becomes_the_next_visit(accepted: Referral, desk: dict[str, Any]) -> None:
    events.book(accepted, 2, SECOND, **desk)
    events.book(accepted, 1, FIRST, **desk)
    assert told(accepted) == ["schedule", "reschedule"]
    assert day_of(accepted) == "2026-11-21T00:00:00-05:00"


def test_first_talk_stays_the_visit_before_the_sessions(accepted: Referral, desk: dict[str, Any], maya: User) -> None:
    """A visit that is none of the sessions is not pushed aside by dates that come after it."""
    happens(accepted, Event.SCHEDULE, maya, visit_at=NOW + DAY)
    events.fill_dates(accepted, SECOND, **desk)
    assert Referral.objects.get(pk=accepted.pk).visit_at == NOW + DAY


def test_moved_session(accepted: Referral, desk: dict[str, Any]) -> None:
    events.book(accepted, 1, FIRST, **desk)
    events.move(accepted, 1, TIMED, **desk)
    assert stands(accepted) == (State.SCHEDULED, [(1, "2026-11-23", "planned")])
    assert told(accepted) == ["schedule", "reschedule"]
    with pytest.raises(NotNow, match="Session 4 is not booked yet"):
        events.move(accepted, 4, TIMED, **desk)


def test_called_off_session_leaves_no_visit(accepted: Referral, desk: dict[str, Any]) -> None:
    events.book(accepted, 1, FIRST, **desk)
    events.call_off(accepted, 1, **desk)
    assert stands(accepted) == (State.VISIT_CANCELLED, [])
    assert day_of(accepted) == ""
    events.book(accepted, 1, SECOND, **desk)
    assert stands(accepted) == (State.SCHEDULED, [(1, "2026-11-24", "planned")])
    assert told(accepted) == ["schedule", "cancel_visit", "schedule"]


@pytest.mark.parametrize("number", [0, 7, 99])
def test_session_number_is_one_of_the_course(accepted: Referral, desk: dict[str, Any], number: int) -> None:
    with pytest.raises(NotNow, match="This course has sessions 1 to 6"):
        events.book(accepted, number, FIRST, **desk)


def test_day_of_a_session_is_within_reason(accepted: Referral, desk: dict[str, Any]) -> None:
    for wrong in (date(1900, 1, 1), date(2026, 11, 1), date(2028, 1, 1)):
        with pytest.raises(NotNow, match="Check the day"):
            events.book(accepted, 1, wrong, **desk)
    assert stands(accepted) == (State.ACCEPTED, [])


# --- Done and missed --------------------------------------------------------------------------------------------------


def test_done_session_is_a_visit_and_brings_the_next(accepted: Referral, desk: dict[str, Any], sam: Client) -> None:
    events.fill_dates(accepted, FIRST, **desk)
    later = desk | {"at": datetime(2026, 11, 21, 17, 0, tzinfo=UTC)}
    events.done(accepted, 1, **later, route="iv", note="BP 128/84")
    session = CourseSession.objects.get(course__referral=accepted, number=1)
    assert (session.state, session.route, session.note, session.reported_at) == ("done", "iv", "BP 128/84", later["at"])
    assert told(accepted) == ["schedule", "visit", "schedule"]
    assert stands(accepted)[0] == State.SCHEDULED
    assert day_of(accepted) == "2026-11-24T00:00:00-05:00"
    assert [task.kind for task in sam.tasks.filter(done_at=None)] == ["integrate"]


def test_session_can_be_done_without_being_booked(accepted: Referral, desk: dict[str, Any]) -> None:
    events.done(accepted, 1, NOW.date(), **desk)
    assert stands(accepted) == (State.VISITED, [(1, "2026-11-19", "done")])
    assert told(accepted) == ["visit"]


def test_future_day_cannot_be_done(accepted: Referral, desk: dict[str, Any]) -> None:
    events.book(accepted, 1, FIRST, **desk)
    for act in (events.done, events.missed):
        with pytest.raises(NotNow, match="This day lies in the future"):
            act(accepted, 1, **desk)
    assert stands(accepted) == (State.SCHEDULED, [(1, "2026-11-21", "planned")])


def test_second_tick_says_that_it_is_done(accepted: Referral, desk: dict[str, Any]) -> None:
    events.done(accepted, 1, **desk)
    with pytest.raises(NotNow, match=r"Session 1, .*, is marked “Done” already"):
        events.done(accepted, 1, **desk)
    with pytest.raises(NotNow, match="Session 1 is marked done"):
        events.move(accepted, 1, FIRST, **desk)


def test_missed_session_tells_the_therapist_and_the_next_stays(
    accepted: Referral, desk: dict[str, Any], sam: Client
) -> None:
    events.fill_dates(accepted, FIRST, **desk)
    later = desk | {"at": datetime(2026, 11, 21, 17, 0, tzinfo=UTC)}
    events.missed(accepted, 1, **later)
    assert told(accepted) == ["schedule", "no_show", "reschedule"]
    assert stands(accepted)[0] == State.SCHEDULED
    assert [task.kind for task in sam.tasks.filter(done_at=None)] == ["no_show"]


def test_missed_without_a_next_date_stands_as_missed(accepted: Referral, desk: dict[str, Any]) -> None:
    events.missed(accepted, 1, **desk)
    assert stands(accepted) == (State.NO_SHOW, [(1, "2026-11-19", "missed")])
    assert told(accepted) == ["schedule", "no_show"]
    events.done(accepted, 2, **desk)
    assert told(accepted) == ["schedule", "no_show", "reschedule", "visit"]


def test_missed_session_is_booked_again(accepted: Referral, desk: dict[str, Any], sam: Client) -> None:
    events.missed(accepted, 1, **desk)
    events.move(accepted, 1, FIRST, **desk)
    assert stands(accepted) == (State.SCHEDULED, [(1, "2026-11-21", "planned")])
    assert not sam.tasks.filter(done_at=None).exists()


def test_six_done_leave_the_referral_open_for_the_letter(accepted: Referral, desk: dict[str, Any], maya: User) -> None:
    for number in range(1, 7):
        events.done(accepted, number, **(desk | {"at": NOW + number * DAY}))
    row = Referral.objects.get(pk=accepted.pk)
    assert (row.state, row.clock) == (State.VISITED, "letter")
    assert list(row.client.tasks.filter(done_at=None).order_by("kind").values_list("kind", flat=True)) == [
        "back_to_therapy",
        "integrate",
    ]
    happens(row, Event.OUTCOME, maya, NOW + 7 * DAY)
    assert (row.state, Course.objects.get(referral=row).state) == (State.COMPLETED, "done")


def test_staff_write_sessions_down_for_the_clinic(accepted: Referral, fay: User) -> None:
    events.done(accepted, 1, NOW.date(), by=fay, by_name="Cleo Marsh", channel="phone", at=NOW)
    change = accepted.changes.last()
    assert (change.actor, change.by, change.by_name, change.channel) == ("recipient", fay, "Cleo Marsh", "phone")


# --- Undo -------------------------------------------------------------------------------------------------------------


def test_undone_tick_stands_as_before(accepted: Referral, desk: dict[str, Any], cleo: DeskKey, sam: Client) -> None:
    events.fill_dates(accepted, FIRST, **desk)
    before = stands(accepted), day_of(accepted)
    later = desk | {"at": datetime(2026, 11, 21, 17, 0, tzinfo=UTC)}
    events.done(accepted, 1, route="im", **later)
    visit = accepted.changes.get(event=Event.VISIT)
    events.correct(visit, by_key=cleo, at=later["at"] + DAY)
    assert (stands(accepted), day_of(accepted)) == before
    assert told(accepted) == ["schedule", "visit", "schedule", "correct", "correct"]
    assert not sam.tasks.filter(done_at=None).exists()


def test_undone_tick_that_was_not_booked_leaves_no_session(
    accepted: Referral, desk: dict[str, Any], cleo: DeskKey
) -> None:
    events.done(accepted, 3, **desk)
    events.correct(accepted.changes.get(event=Event.VISIT), by_key=cleo, at=NOW)
    assert stands(accepted) == (State.ACCEPTED, [])


def test_undone_tick_under_later_ones_changes_that_session_only(
    accepted: Referral, desk: dict[str, Any], cleo: DeskKey, sam: Client
) -> None:
    events.done(accepted, 1, **desk)
    events.done(accepted, 2, **desk)
    events.correct(accepted.changes.filter(event=Event.VISIT).first(), by_key=cleo, at=NOW)
    assert stands(accepted) == (State.VISITED, [(2, "2026-11-19", "done")])
    assert sam.tasks.get(kind="integrate", done_at=None).facts["numbers"] == [2]


def test_undone_miss_closes_the_item(accepted: Referral, desk: dict[str, Any], cleo: DeskKey, sam: Client) -> None:
    events.missed(accepted, 1, **desk)
    events.correct(accepted.changes.get(event=Event.NO_SHOW), by_key=cleo, at=NOW)
    assert stands(accepted) == (State.ACCEPTED, [])
    assert not sam.tasks.filter(done_at=None).exists()


def test_undone_fill_takes_all_six_away(accepted: Referral, desk: dict[str, Any], cleo: DeskKey) -> None:
    events.fill_dates(accepted, FIRST, **desk)
    events.correct(accepted.changes.last(), by_key=cleo, at=NOW)
    assert stands(accepted) == (State.ACCEPTED, [])


def test_undone_outcome_brings_back_what_was_planned(accepted: Referral, desk: dict[str, Any], maya: User) -> None:
    events.fill_dates(accepted, FIRST, **desk)
    before = stands(accepted)
    outcome = happens(accepted, Event.OUTCOME, maya)
    assert stands(accepted) == (State.COMPLETED, [])
    assert Course.objects.get(referral=accepted).state == "stopped"
    events.correct(outcome, by=maya, reason="That letter was about another course.", at=NOW)
    assert stands(accepted) == before
    assert Course.objects.get(referral=accepted).state == "under_way"


# --- More, or fewer ---------------------------------------------------------------------------------------------------


def test_maintenance_session_comes_after_the_course(accepted: Referral, desk: dict[str, Any]) -> None:
    for number in range(1, 7):
        events.done(accepted, number, **desk)
    first = events.add_maintenance(accepted, FIRST, **desk)
    second = events.add_maintenance(accepted, SECOND, **desk)
    assert [(s.number, s.is_maintenance, s.state) for s in (first, second)] == [
        (7, True, "planned"),
        (8, True, "planned"),
    ]
    assert Referral.objects.get(pk=accepted.pk).state == State.SCHEDULED


def test_course_that_ends_early(accepted: Referral, desk: dict[str, Any], sam: Client) -> None:
    events.done(accepted, 1, **desk)
    events.book(accepted, 2, FIRST, **desk)
    events.stop_early(accepted, "She felt sick.", **desk)
    course = Course.objects.get(referral=accepted)
    row = Referral.objects.get(pk=accepted.pk)
    assert stands(accepted) == (State.VISIT_CANCELLED, [(1, "2026-11-19", "done")])
    assert (course.state, course.stopped_words, row.clock) == ("stopped", "She felt sick.", "letter")
    assert sam.tasks.filter(kind="back_to_therapy", done_at=None).count() == 1
    with pytest.raises(NotNow, match="has ended already"):
        events.stop_early(accepted, "Again", **desk)
    events.go_on(accepted, **desk)
    assert Course.objects.get(referral=accepted).state == "under_way"


def test_early_end_says_why(accepted: Referral, desk: dict[str, Any]) -> None:
    with pytest.raises(NotNow, match="Write why the course ends early"):
        events.stop_early(accepted, " ", **desk)


# --- Where no session belongs -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", [State.DRAFT, State.SENT, State.DECLINED])
def test_session_before_an_acceptance_is_refused(sam: Client, maya: User, state: State) -> None:
    referral = referral_in(state, sam, maya)
    for act in (events.book, events.done, events.missed):
        with pytest.raises(NotNow):
            act(referral, 1, FIRST, by=maya, channel="phone", at=NOW)
    assert stands(referral) == (state, [])


@pytest.mark.parametrize("state", [State.CANCEL_ASKED, State.CANCELLED, State.COMPLETED, State.ACTIVE])
def test_session_of_what_is_withdrawn_or_over_is_refused(
    accepted: Referral, desk: dict[str, Any], maya: User, state: State
) -> None:
    ways = {
        State.CANCEL_ASKED: [Event.ASK_CANCEL],
        State.CANCELLED: [Event.ASK_CANCEL, Event.CONFIRM_CANCEL],
        State.COMPLETED: [Event.OUTCOME],
        State.ACTIVE: [Event.UNDER_WAY_NOTED],
    }
    for event in ways[state]:
        happens(accepted, event, maya)
    for act, on in ((events.book, FIRST), (events.done, NOW.date()), (events.missed, NOW.date())):
        with pytest.raises(NotNow):
            act(accepted, 1, on, **desk)
    assert stands(accepted) == (state, [])


def test_path_without_a_course_has_no_sessions(sam: Client, maya: User) -> None:
    at_home = referral_in(State.ACCEPTED, sam, maya, path=Path.AT_HOME)
    with pytest.raises(NotNow, match="Sessions can be entered once the referral is accepted"):
        events.book(at_home, 1, FIRST, by=maya, channel="phone", at=NOW)


@pytest.mark.django_db(transaction=True)
def test_of_two_ticks_at_once_one_wins(sam: Client, maya: User) -> None:
    accepted = referral_in(State.ACCEPTED, sam, maya)
    cleo = key(accepted.destination)
    gate = threading.Barrier(2)
    ends: list[str] = []

    def press() -> None:
        mine = Referral.objects.get(pk=accepted.pk)
        gate.wait()
        try:
            events.done(mine, 1, by_key=cleo, channel="link", at=NOW)
            ends.append("won")
        except NotNow:
            ends.append("second")
        connection.close()

    threads = [threading.Thread(target=press) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(ends) == ["second", "won"]
    assert stands(accepted) == (State.VISITED, [(1, "2026-11-19", "done")])


def test_course_is_the_plan_on_the_caseload_until_it_ends(accepted: Referral, desk: dict[str, Any]) -> None:
    def plan() -> tuple[str, str]:
        return Client.objects.values_list("plan_name", "plan_note").get(pk=accepted.client_id)

    assert plan() == ("", "")
    events.book(accepted, 1, FIRST, **desk)
    assert plan() == ("Infusions", "0 of 6")
    events.stop_early(accepted, "She moved away.", **desk)
    assert plan() == ("", "")
    Client.objects.update(plan_name="KAP weekly", plan_note="0 of 3")
    events.go_on(accepted, **desk)
    assert plan() == ("KAP weekly", "0 of 3")
