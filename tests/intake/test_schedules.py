"""Measures by schedule: set by staff, paused by the client, at their hour (features C3, C5, C6, C11)."""

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.test import Client as Browser

from intake import actions, measures, pauses, schedules
from intake.models import Measure, Pause, Schedule
from practice import notices
from practice.actions import NotNow, discharge, raise_manual_flag
from practice.models import Alert, Client, Job, Note, Notice, Practice, Task, User
from tests.conftest import send
from tests.factories import NOW
from tests.homes import at_home
from tests.intake.conftest import Phone

As = Callable[[User], Any]
DAY = timedelta(days=1)
NY = ZoneInfo("America/New_York")


def on(day: date, hour: int = 8, zone: ZoneInfo = NY) -> datetime:
    return datetime(day.year, day.month, day.day, hour, tzinfo=zone)


TODAY = NOW.astimezone(NY).date()
TOMORROW = TODAY + DAY


@pytest.fixture(autouse=True)
def _daytime(house: Practice) -> None:
    Practice.objects.update(messages_from=time(8), messages_until=time(21))


@pytest.fixture
def weekly(clock: Any, sam: Client, maya: User, on_call: User) -> Schedule:
    return schedules.make(by=maya, client=sam, key="check-in", rhythm="every", days=7, first_on=TOMORROW, at=NOW)


def waiting(client: Client) -> list[tuple[str, datetime]]:
    return [(row.packet, row.due_at) for row in measures.planned(client)]


def go(clock: Any, at: datetime) -> int:
    clock.move_to(at)
    return measures.send_due(at=at)


# --- Setting ---------------------------------------------------------------------------------------------------------


def test_every_seven_days_goes_out_and_plans_the_next(clock: Any, weekly: Schedule, sam: Client) -> None:
    assert waiting(sam) == [("check-in", on(TOMORROW))]
    assert [go(clock, on(TOMORROW) - timedelta(seconds=1)), go(clock, on(TOMORROW)), go(clock, on(TOMORROW))] == [
        0,
        1,
        0,
    ]
    assert waiting(sam) == [("check-in", on(TOMORROW + 7 * DAY))]


def test_once_goes_out_once(clock: Any, sam: Client, maya: User, on_call: User) -> None:
    schedules.make(by=maya, client=sam, key="check-in", rhythm="once", days=None, first_on=TOMORROW, at=NOW)
    assert go(clock, on(TOMORROW)) == 1
    assert (waiting(sam), schedules.running(sam), Schedule.objects.get().ended_at) == ([], [], on(TOMORROW))


def test_what_could_not_be_sent_for_days_goes_on_with_its_next(clock: Any, weekly: Schedule, sam: Client) -> None:
    sam.reach = {"email": False, "sms": False}
    sam.save()
    assert [go(clock, on(TOMORROW)), go(clock, on(TOMORROW + 3 * DAY))] == [0, 0]
    assert waiting(sam) == [("check-in", on(TOMORROW + 7 * DAY))]


def test_stopping_one_of_a_row_passes_over_that_one(clock: Any, weekly: Schedule, sam: Client, maya: User) -> None:
    measures.stop_by_words(by=maya, measure=measures.planned(sam).get(), words="On holiday", at=on(TOMORROW))
    assert waiting(sam) == [("check-in", on(TOMORROW + 7 * DAY))]


def test_one_instrument_is_asked_alone(clock: Any, sam: Client, maya: User, on_call: User) -> None:
    schedules.make(by=maya, client=sam, key="intake:peg", rhythm="once", days=None, first_on=TOMORROW, at=NOW)
    go(clock, on(TOMORROW))
    asked = actions.packet_for(sam.invitations.get())
    assert {page.instrument for page in asked.pages} == {"peg"}


def test_every_choice_can_be_sent(house: Practice) -> None:
    for key, title in schedules.choices():
        name, only = schedules.split(key)
        assert schedules.key_of(name, only) == key
        assert schedules.title_of(name, only) == title


def test_an_instrument_with_a_safety_item_brings_what_follows_from_it(house: Practice) -> None:
    name, only = schedules.split("intake:phq-9")
    from intake import packet

    assert {"phq-9", "cssrs-screener-recent"} <= {page.instrument for page in packet.load(name).only(only).pages}


def test_questions_that_are_out_in_a_larger_form_are_not_asked_twice(
    clock: Any, sam: Client, maya: User, on_call: User
) -> None:
    actions.invite(by=maya, client=sam, key="intake", at=NOW)
    schedules.make(by=maya, client=sam, key="intake:gad-7", rhythm="every", days=7, first_on=TOMORROW, at=NOW)
    assert go(clock, on(TOMORROW)) == 0
    assert (sam.invitations.count(), waiting(sam)) == (1, [("intake", on(TOMORROW + 7 * DAY))])


@pytest.mark.parametrize(("first_on", "is_taken"), [(TODAY - DAY, False), (TODAY, False), (TOMORROW, True)])
def test_a_day_that_is_over_is_refused(
    clock: Any, sam: Client, maya: User, on_call: User, first_on: date, is_taken: bool
) -> None:
    """Today at 8 is over at 10."""
    with suppress(NotNow):
        schedules.make(by=maya, client=sam, key="check-in", rhythm="once", days=None, first_on=first_on, at=NOW)
    assert Schedule.objects.exists() is is_taken


def test_six_are_enough_and_a_second_of_the_same_is_refused(clock: Any, sam: Client, maya: User, on_call: User) -> None:
    keys = [key for key, _title in schedules.choices()]
    for key in keys[: schedules.MOST]:
        schedules.make(by=maya, client=sam, key=key, rhythm="once", days=None, first_on=TOMORROW, at=NOW)
    for key in (keys[0], keys[schedules.MOST]):
        with pytest.raises(NotNow):
            schedules.make(by=maya, client=sam, key=key, rhythm="once", days=None, first_on=TOMORROW, at=NOW)
    assert Schedule.objects.count() == schedules.MOST


def test_two_go_out_on_a_day_and_the_third_the_next(clock: Any, sam: Client, maya: User, on_call: User) -> None:
    keys = [key for key, _title in schedules.choices()][:3]
    for key in keys:
        schedules.make(by=maya, client=sam, key=key, rhythm="once", days=None, first_on=TOMORROW, at=NOW)
    assert [go(clock, on(TOMORROW)), go(clock, on(TOMORROW, 20))] == [2, 0]
    assert [due_at for _packet, due_at in waiting(sam)] == [on(TOMORROW + DAY)]
    assert go(clock, on(TOMORROW + DAY)) == 1


# --- Sessions --------------------------------------------------------------------------------------------------------


@pytest.fixture
def sessions(monkeypatch: pytest.MonkeyPatch) -> list[schedules.Met]:
    """The sessions of everybody, as an app above would tell them."""
    told: list[schedules.Met] = []
    monkeypatch.setattr(schedules, "SESSIONS", [lambda client: told])
    return told


def test_before_each_session_follows_the_sessions(
    clock: Any, sam: Client, maya: User, on_call: User, sessions: list[schedules.Met]
) -> None:
    sessions += [schedules.Met(on(TODAY + n * DAY, 14), False) for n in (3, 10)]
    schedules.make(by=maya, client=sam, key="check-in", rhythm="before", days=1, first_on=None, at=NOW)
    assert [due_at for _p, due_at in waiting(sam)] == [on(TODAY + 2 * DAY), on(TODAY + 9 * DAY)]
    sessions[1] = schedules.Met(on(TODAY + 12 * DAY, 14), False)
    schedules.follow(sam, NOW)
    schedules.follow(sam, NOW)  # told twice
    assert [due_at for _p, due_at in waiting(sam)] == [on(TODAY + 2 * DAY), on(TODAY + 11 * DAY)]


def test_after_each_session_waits_until_it_took_place(
    clock: Any, sam: Client, maya: User, on_call: User, sessions: list[schedules.Met]
) -> None:
    sessions.append(schedules.Met(on(TODAY, 14), False))
    schedules.make(by=maya, client=sam, key="check-in", rhythm="after", days=1, first_on=None, at=NOW)
    assert waiting(sam) == []
    sessions[0] = schedules.Met(on(TODAY, 14), True)
    assert schedules.follow_all(at=NOW) == 1
    assert go(clock, on(TOMORROW)) == 1
    schedules.follow_all(at=on(TOMORROW))
    assert waiting(sam) == []  # once per session


def test_old_sessions_are_not_asked_about(
    clock: Any, sam: Client, maya: User, on_call: User, sessions: list[schedules.Met]
) -> None:
    sessions.append(schedules.Met(on(TODAY - 30 * DAY, 14), True))
    schedules.make(by=maya, client=sam, key="check-in", rhythm="after", days=1, first_on=None, at=NOW)
    assert waiting(sam) == []


def test_sessions_of_both_rooms_are_known(house: Practice) -> None:
    assert sorted(each.__module__ for each in schedules.SESSIONS) == [
        "practice.kap.actions.plans",
        "referrals.actions.courses",
    ]


# --- Changing and ending ---------------------------------------------------------------------------------------------


def test_a_change_is_kept_as_a_note_and_replans(clock: Any, weekly: Schedule, sam: Client, maya: User) -> None:
    schedules.change(
        by=maya, schedule=weekly, rhythm="every", days=14, first_on=TODAY + 5 * DAY, words="Less often", seen=1, at=NOW
    )
    weekly.refresh_from_db()
    assert (weekly.days, weekly.version, waiting(sam)) == (14, 2, [("check-in", on(TODAY + 5 * DAY))])
    assert Note.objects.get().body == "Less often"


def test_whoever_comes_second_changes_nothing(clock: Any, weekly: Schedule, sam: Client, maya: User) -> None:
    schedules.end(by=maya, schedule=weekly, words="No use", seen=1, at=NOW)
    for act in (
        lambda: schedules.end(by=maya, schedule=weekly, words="Again", seen=1, at=NOW),
        lambda: schedules.change(
            by=maya, schedule=weekly, rhythm="every", days=1, first_on=TOMORROW, words="x", seen=2, at=NOW
        ),
    ):
        with pytest.raises(NotNow):
            act()
    assert (waiting(sam), Note.objects.count()) == ([], 1)


def test_nothing_changes_without_words(clock: Any, weekly: Schedule, sam: Client, maya: User) -> None:
    with pytest.raises(NotNow):
        schedules.end(by=maya, schedule=weekly, words=" ", seen=1, at=NOW)
    assert len(waiting(sam)) == 1


def test_leaving_care_ends_what_is_set(clock: Any, weekly: Schedule, sam: Client, maya: User) -> None:
    discharge(by=maya, client=sam, status=Client.Status.DISCHARGED, words="Done", at=NOW)
    weekly.refresh_from_db()
    assert (weekly.ended_at, waiting(sam)) == (NOW, [])


def test_staff_set_change_and_end_it_on_the_pages(
    clock: Any, sam: Client, maya: User, on_call: User, as_user: As
) -> None:
    browser, new = as_user(maya), f"/clients/{sam.pk}/schedules/new/"
    said = {"key": "check-in", "rhythm": "every", "days": "7", "first_on": TOMORROW.isoformat()}
    assert send(browser, new, said | {"days": ""}).status_code == 400
    assert send(browser, new, said | {"days": "366"}).status_code == 400
    assert send(browser, new, said | {"first_on": "never"}).status_code == 400
    assert send(browser, new, said | {"key": "intake:cssrs-screener-recent"}).status_code == 400
    assert send(browser, new, said).url == f"/clients/{sam.pk}/"
    row = Schedule.objects.get()
    page, chart = f"/clients/{sam.pk}/schedules/{row.pk}/", browser.get(f"/clients/{sam.pk}/").content.decode()
    assert page in chart and "every 7 days" in chart
    change = {"act": "change", "rhythm": "every", "days": "14", "first_on": TOMORROW.isoformat(), "seen": "1"}
    assert send(browser, page, change).status_code == 400  # no words
    assert send(browser, page, change | {"words": "Enough"}).status_code == 302
    old = send(browser, page, {"act": "end", "words": "Over", "seen": "1"})
    assert (old.status_code, "Somebody changed this" in old.content.decode()) == (400, True)
    assert send(browser, page, {"act": "end", "words": "Over", "seen": "2"}).status_code == 302
    assert "Ended" in browser.get(page).content.decode()


def test_somebody_elses_client_is_not_there(
    weekly: Schedule, sam: Client, kit: Client, omar: User, maya: User, as_user: As
) -> None:
    for who, client in ((omar, sam), (maya, kit)):
        for path in ("new/", "resume/", f"{weekly.pk}/"):
            assert as_user(who).get(f"/clients/{client.pk}/schedules/{path}").status_code == 404


# --- The client's clock (C11) ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("day", "utc_hour"),
    [(date(2027, 3, 13), 14), (date(2027, 3, 14), 13), (date(2027, 11, 6), 13), (date(2027, 11, 7), 14)],
)
def test_the_hour_stays_through_the_nights_on_which_clocks_change(
    clock: Any, sam: Client, day: date, utc_hour: int
) -> None:
    sam.send_hour = 9
    assert pauses.moment_on(sam, day, Practice.get()).astimezone(UTC).hour == utc_hour


def test_a_repeating_one_keeps_its_hour_through_such_a_night(
    clock: Any, sam: Client, maya: User, on_call: User
) -> None:
    clock.move_to(start := datetime(2027, 3, 12, 15, tzinfo=UTC))
    schedules.make(by=maya, client=sam, key="check-in", rhythm="every", days=1, first_on=date(2027, 3, 13), at=start)
    go(clock, datetime(2027, 3, 13, 13, tzinfo=UTC))  # 8:00 EST
    assert waiting(sam) == [("check-in", datetime(2027, 3, 14, 12, tzinfo=UTC))]  # 8:00 EDT


def test_the_client_chooses_hour_and_zone(clock: Any, weekly: Schedule, sam: Client) -> None:
    browser = at_home(sam, Browser())
    assert (
        send(browser, "/my/check-ins/", {"act": "hour", "hour": "19", "zone": "America/Los_Angeles"}).status_code == 303
    )
    assert waiting(sam) == [("check-in", on(TOMORROW, 19, ZoneInfo("America/Los_Angeles")))]


@pytest.mark.parametrize(
    ("hour", "zone"),
    [
        ("7", "America/New_York"),
        ("21", "America/New_York"),
        ("x", "America/New_York"),
        ("9", "Mars/Base"),
        ("-1", "America/New_York"),
    ],
)
def test_an_hour_at_which_nothing_is_sent_is_refused(
    clock: Any, weekly: Schedule, sam: Client, hour: str, zone: str
) -> None:
    answer = send(at_home(sam, Browser()), "/my/check-ins/", {"act": "hour", "hour": hour, "zone": zone})
    sam.refresh_from_db()
    assert (answer.status_code, sam.send_hour) == (400, None)


def test_a_reminder_comes_at_the_hour_of_the_client(clock: Any, sam: Client) -> None:
    sam.send_hour = 19
    sam.save()
    notices.tell_client(sam, "reminder", link="x", minutes=3)
    assert set(Job.objects.filter(kind="deliver_notice").values_list("run_at", flat=True)) == {on(TODAY, 19)}


def test_quiet_hours_of_the_practice_come_first(clock: Any, sam: Client) -> None:
    sam.send_hour = 3
    assert pauses.moment_on(sam, TOMORROW, Practice.get()) == on(TOMORROW, 8)


# --- Pause (C5) ------------------------------------------------------------------------------------------------------


def press(client: Client, **said: str) -> Any:
    return send(at_home(client, Browser()), "/my/check-ins/", said)


def test_a_pause_holds_what_is_ordinary_and_the_therapist_is_told(
    clock: Any, weekly: Schedule, sam: Client, maya: User
) -> None:
    assert press(sam, act="pause", weeks="2", words="I need a break").status_code == 303
    row = Pause.objects.get()
    assert (row.until, row.words, row.checks_too) == (NOW + 14 * DAY, "I need a break", False)
    (task,) = Task.objects.filter(kind="todo")
    assert (task.facts, task.owner, task.due_at) == ({"reason": "pause"}, maya, NOW)
    assert [go(clock, on(TOMORROW)), go(clock, on(TOMORROW + 7 * DAY))] == [0, 0]
    assert Notice.objects.filter(template="check_in").count() == 0
    assert waiting(sam) == [("check-in", on(TOMORROW + 14 * DAY))]


@pytest.mark.parametrize(("late", "sent"), [(-timedelta(seconds=1), 0), (timedelta(0), 1)])
def test_it_goes_on_by_itself_when_the_time_is_over(
    clock: Any, weekly: Schedule, sam: Client, late: timedelta, sent: int
) -> None:
    pauses.pause(by=sam, weeks=1, words="", checks_too=False, at=NOW)
    Measure.objects.update(due_at=NOW + 7 * DAY - timedelta(hours=1))
    assert go(clock, NOW + 7 * DAY + late) == sent


def test_the_client_starts_again(clock: Any, weekly: Schedule, sam: Client) -> None:
    press(sam, act="pause", weeks="open")
    assert Pause.objects.get().until is None
    assert press(sam, act="resume").status_code == 303
    assert press(sam, act="resume").status_code == 303  # the second press
    assert (go(clock, on(TOMORROW)), Pause.objects.filter(ended_at=None).count()) == (1, 0)


def test_a_clinician_lets_it_go_on_with_words(
    clock: Any, weekly: Schedule, sam: Client, maya: User, as_user: As
) -> None:
    pauses.pause(by=sam, weeks=None, words="Too much <b>now</b>", checks_too=False, at=NOW)
    browser, page = as_user(maya), f"/clients/{sam.pk}/schedules/resume/"
    assert "Too much &lt;b&gt;now&lt;/b&gt;" in browser.get(page).content.decode()
    assert send(browser, page, {"words": " "}).status_code == 400
    assert send(browser, page, {"words": "We spoke; they want them again."}).status_code == 302
    row = Pause.objects.get()
    assert (row.ended_by, Note.objects.get().body) == (maya, "We spoke; they want them again.")


def test_two_windows_pause_once(clock: Any, weekly: Schedule, sam: Client) -> None:
    assert [press(sam, act="pause", weeks="1").status_code for _n in (1, 2)] == [303, 400]
    assert (Pause.objects.count(), Task.objects.filter(kind="todo").count()) == (1, 1)


@pytest.mark.parametrize("weeks", ["", "3", "99", "x"])
def test_a_pause_of_no_known_length_is_refused(clock: Any, weekly: Schedule, sam: Client, weeks: str) -> None:
    assert (press(sam, act="pause", weeks=weeks).status_code, Pause.objects.count()) == (400, 0)


def test_a_safety_check_in_goes_on_through_a_pause(clock: Any, sam: Client, maya: User, on_call: User) -> None:
    measures.start_interim(by=maya, client=sam, subject_id=sam.pk, at=NOW)
    press(sam, act="pause", weeks="4")
    assert go(clock, NOW + 3 * DAY) == 1
    assert Alert.objects.filter(client=sam).count() == 0


def test_when_the_safety_check_ins_stop_too_a_person_is_told_at_once(
    clock: Any, sam: Client, maya: User, on_call: User
) -> None:
    """Law 1: as one that did not come back, and not a day later."""
    measures.start_interim(by=maya, client=sam, subject_id=sam.pk, at=NOW)
    press(sam, act="pause", weeks="4", checks_too="on")
    flag = Alert.objects.get(client=sam)
    assert (flag.source, flag.severity, flag.rule_ids, flag.opened_at) == (
        "interim",
        "priority",
        ["check-in-paused"],
        NOW,
    )
    assert flag.notices.exists()
    assert go(clock, NOW + 3 * DAY) == 0
    assert Task.objects.filter(client=sam, kind="todo", done_at=None).get().facts == {"reason": "pause_holds"}
    assert measures.watch_missing(at=NOW + 4 * DAY) == 0  # told already, once


def test_the_box_for_safety_check_ins_counts_only_while_they_run(clock: Any, weekly: Schedule, sam: Client) -> None:
    press(sam, act="pause", weeks="4", checks_too="on")
    assert (Pause.objects.get().checks_too, Alert.objects.count()) == (False, 0)


def test_a_pause_under_an_open_flag_says_so_to_the_therapist(
    clock: Any, weekly: Schedule, sam: Client, maya: User, on_call: User
) -> None:
    raise_manual_flag(by=maya, client=sam, severity="priority", reason="Said goodbye", at=NOW)
    press(sam, act="pause", weeks="4")
    assert Task.objects.get(client=sam, kind="todo").facts == {"reason": "pause_flag"}


def test_a_form_of_the_plan_that_a_pause_holds_is_told(clock: Any, sam: Client, maya: User, on_call: User) -> None:
    measures.plan(sam, "check-in", Measure.Why.PLAN, NOW + DAY, at=NOW)
    pauses.pause(by=sam, weeks=1, words="", checks_too=False, at=NOW)
    Task.objects.update(done_at=NOW, done_by=maya)
    assert go(clock, NOW + DAY) == 0
    assert Task.objects.get(done_at=None).facts == {"reason": "pause_holds"}


def test_reminders_of_check_ins_wait_and_those_of_the_first_forms_do_not(
    clock: Any, weekly: Schedule, sam: Client, maya: User
) -> None:
    go(clock, on(TOMORROW))
    pauses.pause(by=sam, weeks=4, words="", checks_too=False, at=on(TOMORROW))
    clock.move_to(later := on(TOMORROW) + 2 * DAY)
    assert actions.chase(at=later) == 0
    actions.invite(by=maya, client=sam, key="intake", at=later)
    clock.move_to(last := later + 2 * DAY)
    assert actions.chase(at=last) == 1


def test_the_page_says_what_comes_and_offers_the_box_only_where_it_means_something(
    clock: Any, weekly: Schedule, sam: Client, maya: User, on_call: User
) -> None:
    browser = at_home(sam, Browser())
    assert "Check-ins" in browser.get("/my/home/").content.decode()
    assert "checks_too" not in browser.get("/my/check-ins/").content.decode()
    measures.start_interim(by=maya, client=sam, subject_id=sam.pk, at=NOW)
    assert "checks_too" in browser.get("/my/check-ins/").content.decode()


def test_the_page_is_whole_in_spanish(clock: Any, weekly: Schedule, sam: Client) -> None:
    browser = at_home(sam, Browser())
    Client.objects.filter(pk=sam.pk).update(language="es")
    page = browser.get("/my/check-ins/").content.decode()
    assert "Pausar mis preguntas" in page and "Pause my check-ins" not in page


# --- The link (C6) ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("days", "wait"), [(7, timedelta(days=7)), (2, timedelta(days=2))])
def test_a_link_ends_after_the_days_of_the_practice_and_one_press_sends_a_new_one(
    clock: Any, weekly: Schedule, sam: Client, days: int, wait: timedelta
) -> None:
    Practice.objects.update(measure_link_days=days)
    go(clock, on(TOMORROW))
    invitation = sam.invitations.get()
    assert invitation.expires_at == on(TOMORROW) + wait
    clock.move_to(invitation.expires_at - timedelta(seconds=1))
    assert Browser().get(invitation.path).status_code == 200
    clock.move_to(over := invitation.expires_at)
    old = Browser().get(invitation.path)
    assert (old.status_code, "Send me a new link" in old.content.decode()) == (404, True)
    assert send(Browser(), "/my/new-link/", {"token": invitation.token}).status_code == 303
    invitation.refresh_from_db()
    assert (invitation.generation, invitation.expires_at) == (2, over + wait)
    assert Phone(invitation).open().url == "/my/"


def test_staff_see_that_it_is_not_back_when_the_link_ends(clock: Any, weekly: Schedule, sam: Client) -> None:
    Practice.objects.update(measure_link_days=3)
    go(clock, on(TOMORROW))
    for hours, told in ((71, 0), (72, 1), (73, 1), (95, 1)):
        clock.move_to(at := on(TOMORROW) + timedelta(hours=hours))
        actions.chase(at=at)
        assert Task.objects.filter(client=sam, kind="unfinished").count() == told, hours


def test_the_message_says_how_long_its_link_works(clock: Any, weekly: Schedule, sam: Client) -> None:
    go(clock, on(TOMORROW))
    words = Notice.objects.filter(template="check_in", channel="email").get().words
    assert "The link works for 7 days." in notices.render("check_in", "email", words, Practice.get())[1]


# --- Reading ---------------------------------------------------------------------------------------------------------


def test_more_rows_ask_the_database_no_more(clock: Any, sam: Client, maya: User, on_call: User, as_user: As) -> None:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    browser, counts = as_user(maya), []
    for key in ("intake:gad-7", "intake:peg", "intake:audit-c"):
        schedules.make(by=maya, client=sam, key=key, rhythm="once", days=None, first_on=TOMORROW, at=NOW)
        browser.get(f"/clients/{sam.pk}/")
        with CaptureQueriesContext(
            connection,
        ) as asked:
            browser.get(f"/clients/{sam.pk}/")
        counts.append(len(asked))
    assert counts[0] == counts[2]


@pytest.mark.parametrize(
    ("chosen", "said"),
    [
        (None, "It goes out at 8:00 am, America/New York. The client can choose another hour"),
        (20, "It goes out at 8:00 pm, America/New York, as the client chose."),
    ],
)
def test_hour_is_told_as_every_other_hour_is(
    as_user: As, sam: Client, maya: User, chosen: int | None, said: str
) -> None:
    Client.objects.update(send_hour=chosen)
    assert said in as_user(maya).get(f"/clients/{sam.pk}/schedules/new/").content.decode()
