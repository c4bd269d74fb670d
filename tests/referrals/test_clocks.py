"""The clocks of a silent referral: when they run out, what is then done, and when they stop."""

from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from practice import actions as practice_actions
from practice import jobs, notices
from practice.actions import NotNow
from practice.models import Alert, AuditEvent, Client, Job, Notice, Practice, SafetyContact, Task, User
from referrals import clocks
from referrals.actions import clocks as acts
from referrals.actions import events
from referrals.clocks import Facts, Running
from referrals.models import Destination, Referral, Release
from referrals.states import Event, State
from referrals.views.limits import LimitsForm
from tests.conftest import send
from tests.factories import NOW
from tests.referrals import cases
from tests.referrals.desks import went_out
from tests.referrals.referring import clinic, happens, letter, referral_in

NEW_YORK = ZoneInfo("America/New_York")
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
OPEN = Practice(zone="America/New_York", opens_at=time(8), closes_at=time(17))


def ny(day: int, hour: int, minute: int = 0, month: int = 11, year: int = 2026) -> datetime:
    return datetime(year, month, day, hour, minute, tzinfo=NEW_YORK)


# November 2026: Thursday 19, Friday 20, Monday 23. The clock goes back on 1 November and forth on 14 March 2027.


# --- Pure: when a limit ends ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("since", "ends"),
    [
        (ny(19, 10), ny(19, 14)),  # within a day
        (ny(19, 13), ny(19, 17)),  # to the minute of closing
        (ny(19, 13, 1), ny(20, 8, 1)),  # a minute over: the next morning
        (ny(20, 15), ny(23, 10)),  # over a weekend
        (ny(21, 12), ny(23, 12)),  # from a Saturday
        (ny(19, 6), ny(19, 12)),  # before opening
        (ny(19, 17), ny(20, 12)),  # at closing
        (ny(30, 16, month=10), ny(2, 11)),  # Friday to Monday, the clock going back between
        (ny(12, 16, month=3, year=2027), ny(15, 11, month=3, year=2027)),  # and forth
    ],
)
def test_four_working_hours(since: datetime, ends: datetime) -> None:
    assert clocks.deadline(since.astimezone(UTC), 4, "working_hours", OPEN) == ends


def test_long_limit_of_working_hours_goes_over_days() -> None:
    assert clocks.deadline(ny(19, 10), 20, "working_hours", OPEN) == ny(23, 12)


@pytest.mark.parametrize(
    ("since", "days", "ends"),
    [
        (ny(17, 10), 2, ny(19, 10)),
        (ny(19, 10), 2, ny(23, 8)),  # ends on a Saturday: at Monday's opening, when somebody sees it
        (ny(19, 7), 1, ny(20, 8)),  # ends before opening
        (ny(18, 17), 1, ny(20, 8)),  # ends at closing: nobody is there any more
        (ny(28, 10, month=10), 5, ny(2, 10)),  # the same time of day, the clock going back between
        (ny(10, 10, month=3, year=2027), 5, ny(15, 10, month=3, year=2027)),
        (ny(19, 10), 0, ny(19, 10)),
    ],
)
def test_limit_of_days(since: datetime, days: int, ends: datetime) -> None:
    assert clocks.deadline(since.astimezone(UTC), days, "days", OPEN) == ends


def test_practice_in_another_zone_has_its_own_morning() -> None:
    west = Practice(zone="America/Los_Angeles", opens_at=time(9), closes_at=time(17))
    assert clocks.deadline(ny(19, 18), 4, "working_hours", west) == ny(20, 14)


def test_hours_that_make_no_sense_end_somewhere() -> None:
    never = Practice(zone="America/New_York", opens_at=time(17), closes_at=time(8))
    assert clocks.deadline(ny(19, 10), 4, "working_hours", never) == ny(19, 14)


# --- Pure: which clock runs -------------------------------------------------------------------------------------------


def facts(state: State, urgency: str = "routine", **more: Any) -> Facts:
    return Facts(state=state, urgency=urgency, sent_at=ny(17, 10), **({"state_at": ny(17, 10)} | more))


@pytest.mark.parametrize(
    ("found", "code", "urgent", "routine"),
    [
        ({"state": State.SENT}, "open", ny(17, 14), ny(19, 10)),
        ({"state": State.SENT, "opened": True, "heard_at": ny(17, 11)}, "accept", ny(18, 10), ny(23, 8)),
        ({"state": State.ACCEPTED}, "date", ny(19, 10), ny(27, 10)),
        ({"state": State.NO_SHOW}, "date", ny(19, 10), ny(27, 10)),
        ({"state": State.VISIT_CANCELLED}, "date", ny(19, 10), ny(27, 10)),
        ({"state": State.SCHEDULED, "visit_at": ny(20, 14)}, "treatment", ny(27, 14), ny(27, 14)),
        ({"state": State.SCHEDULED, "heard_at": ny(18, 9), "visit_at": ny(18, 8)}, "treatment", ny(25, 9), ny(25, 9)),
        ({"state": State.ACTIVE, "heard_at": ny(18, 9)}, "treatment", ny(25, 9), ny(25, 9)),
        ({"state": State.VISITED, "heard_at": ny(18, 9)}, "treatment", ny(25, 9), ny(25, 9)),
        ({"state": State.VISITED, "last_session_at": ny(16, 9)}, "letter", ny(30, 9), ny(30, 9)),
        ({"state": State.CANCEL_ASKED}, "cancel", ny(18, 10), ny(23, 8)),
    ],
)
def test_clock_and_limit_of_each_state(found: dict[str, Any], code: str, urgent: datetime, routine: datetime) -> None:
    """Journeys, script 4, step 7: the practice's defaults."""
    for urgency, due_at in (("urgent", urgent), ("routine", routine)):
        assert clocks.due(facts(urgency=urgency, **found), OPEN) == Running(code, due_at)


@pytest.mark.parametrize("state", [State.DECLINED, State.CANCELLED, State.COMPLETED])
def test_no_clock_runs_at_an_end(state: State) -> None:
    assert clocks.due(facts(state), OPEN) is None


def test_no_clock_runs_on_a_draft() -> None:
    assert clocks.due(Facts(State.DRAFT, "urgent", None, ny(17, 10)), OPEN) is None


@pytest.mark.parametrize(
    ("own", "due_at"),
    [
        ({"urgent": {"open": 2}}, ny(17, 12)),
        ({"urgent": {"open": 0}}, ny(17, 10)),
        ({"urgent": {"open": -1}}, ny(17, 14)),  # what makes no sense leaves the default
        ({"urgent": {"open": 366}}, ny(17, 14)),
        ({"urgent": {"open": True}}, ny(17, 14)),
        ({"urgent": {"open": "2"}}, ny(17, 14)),
        ({"routine": {"open": 2}}, ny(17, 14)),
    ],
)
def test_practice_has_its_own_limits(own: dict[str, Any], due_at: datetime) -> None:
    practice = Practice(zone="America/New_York", opens_at=time(8), closes_at=time(17), referral_limits=own)
    assert clocks.due(facts(State.SENT, "urgent"), practice) == Running("open", due_at)


def test_ladder_of_a_silent_referral() -> None:
    due_at = ny(17, 10)
    by_mail = [clocks.climbs_at(due_at, rung, "urgent", OPEN, by_mail=True) for rung in range(5)]
    assert by_mail == [due_at, ny(17, 14), ny(18, 10), ny(16, 10, month=1, year=2027).replace(day=18, hour=8), None]
    assert clocks.climbs_at(due_at, 0, "urgent", OPEN, by_mail=False) == due_at
    assert clocks.climbs_at(due_at, 1, "routine", OPEN, by_mail=True) == ny(20, 10)


# --- At work ----------------------------------------------------------------------------------------------------------


def clock_of(referral: Referral) -> tuple[str, datetime | None, int, datetime | None]:
    row = Referral.objects.get(pk=referral.pk)
    return row.clock, row.due_at, row.rung, row.climbs_at


@pytest.fixture
def urgent(sam: Client, maya: User) -> Referral:
    """Sent on Thursday 19 November at 10:00, urgent: due to be opened by 14:00."""
    return referral_in(State.SENT, sam, maya, urgency="urgent")


def sent_mail(template: str) -> int:
    return Notice.objects.filter(template=template).count()


def test_sending_starts_the_first_clock(urgent: Referral) -> None:
    assert clock_of(urgent) == ("open", ny(19, 14), 0, ny(19, 14))


def test_reading_starts_the_second(urgent: Referral) -> None:
    Referral.objects.filter(pk=urgent.pk).update(opened_at=NOW, heard_at=NOW)
    acts.restart(Referral.objects.get(pk=urgent.pk), NOW)
    assert clock_of(urgent) == ("accept", ny(20, 10), 0, ny(20, 10))


def test_end_stops_the_clock(urgent: Referral, maya: User) -> None:
    happens(urgent, Event.DECLINE, maya)
    assert clock_of(urgent) == ("", None, 0, None)


def test_nothing_is_done_before_time(urgent: Referral) -> None:
    assert acts.climb(at=ny(19, 14) - timedelta(seconds=1)) == 0
    assert (clock_of(urgent)[2], Job.objects.filter(kind="send_desk_digest").count()) == (0, 0)


def test_silence_climbs_rung_by_rung(urgent: Referral, sam: Client, sol: User) -> None:
    assert acts.climb(at=ny(19, 14)) == 1
    assert clock_of(urgent)[2:] == (1, ny(20, 9))
    assert Job.objects.filter(kind="send_desk_digest").count() == 1
    assert acts.climb(at=ny(19, 14)) == 0  # each rung once
    acts.climb(at=ny(20, 9))
    task = sam.tasks.get(kind="call_clinic", done_at=None)
    assert (task.subject_id, task.facts) == (urgent.pk, {"severity": "urgent", "reason": "silent", "clock": "open"})
    acts.climb(at=ny(23, 8))
    assert sorted(Notice.objects.filter(user=sol).values_list("template", flat=True)) == ["silent"]
    assert Referral.objects.get(pk=urgent.pk).state == State.SENT  # a clock never changes a state
    assert AuditEvent.objects.filter(action="referral.climbed").count() == 3


def test_ladder_names_nobody(urgent: Referral, sam: Client) -> None:
    for at in (ny(19, 14), ny(20, 9), ny(23, 8)):
        acts.climb(at=at)
    acts.send_digest(destination=urgent.destination, at=ny(23, 8))
    assert {"desk_digest", "silent"} < set(Notice.objects.values_list("template", flat=True))
    said = [notices.render(n.template, n.channel, n.words or {}, Practice.get()) for n in Notice.objects.all()]
    assert [text for text in said if "Whitehorse" in str(text) or "Sam" in str(text)] == []


def test_digest_is_one_mail_a_day_for_all_of_a_clinics_referrals(
    sam: Client, kit: Client, maya: User, omar: User, mailoutbox: list[Any]
) -> None:
    cedar = clinic()
    first = referral_in(State.SENT, sam, maya, cedar, urgency="urgent")
    second = referral_in(State.SENT, kit, omar, cedar, urgency="urgent")
    elsewhere = referral_in(State.SENT, sam, maya, clinic("Elsewhere", email="desk@elsewhere.example"))
    acts.climb(at=ny(19, 14))
    assert [job.ref for job in Job.objects.filter(kind="send_desk_digest")] == [str(cedar.pk)]
    assert acts.send_digest(destination=cedar, at=ny(19, 14)) == 2
    notice = Notice.objects.get(template="desk_digest")
    assert (notice.address, notice.words["count"], notice.client) == (cedar.email, 2, None)
    assert notice.words["link"] in {f"http://testserver/r/{row.token}/?all=1" for row in (first, second)}
    assert elsewhere.pk not in {first.pk, second.pk}


def test_what_runs_out_after_todays_mail_is_in_tomorrows(sam: Client, kit: Client, maya: User, omar: User) -> None:
    cedar = clinic()
    referral_in(State.SENT, sam, maya, cedar, urgency="urgent")
    acts.climb(at=ny(19, 14))
    Job.objects.filter(kind="send_desk_digest").update(state="done")
    late = referral_in(State.SENT, kit, omar, cedar, urgency="urgent")
    Referral.objects.filter(pk=late.pk).update(due_at=ny(19, 16), climbs_at=ny(19, 16))
    acts.climb(at=ny(19, 16))
    found = Job.objects.filter(kind="send_desk_digest").order_by("dedupe_key").values_list("dedupe_key", flat=True)
    assert list(found) == [f"digest:{cedar.pk}:2026-11-19", f"digest:{cedar.pk}:2026-11-20"]
    assert Job.objects.get(dedupe_key=f"digest:{cedar.pk}:2026-11-20").run_at == ny(20, 8)


def test_nobody_is_led_to_a_page_that_the_client_closed(sam: Client, maya: User) -> None:
    cedar = clinic()
    release = cases.released(sam, cedar)
    went_out(sam, maya, cedar, at=NOW)
    late = ny(27, 10)
    Release.objects.filter(pk=release.pk).update(revoked_at=NOW)
    assert acts.send_digest(destination=cedar, at=late) == 0
    Release.objects.filter(pk=release.pk).update(revoked_at=None)
    assert acts.send_digest(destination=cedar, at=late) == 1


def test_no_reminder_goes_out_once_the_clinic_has_acted(urgent: Referral, maya: User) -> None:
    acts.climb(at=ny(19, 14))
    happens(urgent, Event.ACCEPT, maya, ny(19, 14))
    assert acts.send_digest(destination=urgent.destination, at=ny(19, 14)) == 0
    assert sent_mail("desk_digest") == 0


@pytest.mark.parametrize("fields", [{"mail_stopped_at": NOW}, {"email": ""}], ids=["stopped", "none"])
def test_clinic_without_mail_is_called_at_once(urgent: Referral, sam: Client, fields: dict[str, Any]) -> None:
    Destination.objects.filter(pk=urgent.destination_id).update(**fields)
    acts.climb(at=ny(19, 14))
    assert clock_of(urgent)[2] == 2
    assert sam.tasks.filter(kind="call_clinic", done_at=None).count() == 1
    assert Job.objects.filter(kind="send_desk_digest").count() == 0


def test_answer_of_the_clinic_ends_the_chase(urgent: Referral, sam: Client, maya: User) -> None:
    acts.climb(at=ny(19, 14))
    acts.climb(at=ny(20, 9))
    happens(urgent, Event.ACCEPT, maya, ny(20, 10))
    assert not sam.tasks.filter(kind="call_clinic", done_at=None).exists()
    assert clock_of(urgent) == ("date", ny(23, 8), 0, ny(23, 8))


def test_call_for_another_reason_stays(urgent: Referral, sam: Client, maya: User) -> None:
    Task.open(sam, "call_clinic", at=NOW, subject_id=urgent.pk, reason="locked")
    happens(urgent, Event.ACCEPT, maya)
    assert sam.tasks.filter(kind="call_clinic", done_at=None).count() == 1


def test_after_an_outage_no_rung_is_skipped(urgent: Referral, sam: Client, sol: User) -> None:
    at = ny(25, 10)
    for minutes in range(3):
        assert acts.climb(at=at + minutes * MINUTE) == 1
    assert acts.climb(at=at + 3 * MINUTE) == 0
    assert (sam.tasks.filter(kind="call_clinic").count(), sent_mail("silent")) == (1, 1)


def test_call_that_reached_them_starts_the_clock_anew(urgent: Referral, sam: Client, fay: User) -> None:
    acts.climb(at=ny(19, 14))
    acts.climb(at=ny(20, 9))
    acts.called(by=fay, referral=urgent, reached=True, at=ny(20, 10))
    assert not sam.tasks.filter(kind="call_clinic", done_at=None).exists()
    assert clock_of(urgent) == ("open", ny(20, 14), 0, ny(20, 14))


def test_time_that_a_call_gave_is_not_taken_away_by_a_message(urgent: Referral, fay: User) -> None:
    acts.climb(at=ny(19, 14))
    acts.called(by=fay, referral=urgent, reached=True, at=ny(19, 15))
    acts.restart(Referral.objects.get(pk=urgent.pk), ny(19, 16))
    assert clock_of(urgent) == ("open", ny(20, 10), 0, ny(20, 10))


def test_clinic_that_waits_for_our_answer_is_not_reminded(urgent: Referral, sam: Client) -> None:
    task = Task.open(sam, "clinic_asks", at=NOW, subject_id=urgent.pk)
    assert acts.climb(at=ny(19, 14)) == 0
    assert clock_of(urgent)[2:] == (0, ny(20, 14))
    Task.finish(sam, "clinic_asks", at=NOW, by=None, subject_id=task.subject_id)
    assert acts.climb(at=ny(20, 14)) == 1


def test_call_that_reached_nobody_stays_due(urgent: Referral, sam: Client, fay: User) -> None:
    acts.climb(at=ny(19, 14))
    acts.climb(at=ny(20, 9))
    acts.called(by=fay, referral=urgent, reached=False, at=ny(20, 10))
    assert sam.tasks.get(kind="call_clinic", done_at=None).due_at == ny(23, 8)


def test_stalled_list_is_by_priority_and_age(sam: Client, kit: Client, maya: User, omar: User) -> None:
    cedar = clinic()
    rows = {
        "routine, old": referral_in(State.SENT, sam, maya, cedar),
        "urgent, new": referral_in(State.SENT, sam, maya, cedar, urgency="urgent"),
        "urgent, old": referral_in(State.SENT, kit, omar, cedar, urgency="urgent"),
        "on time": referral_in(State.SENT, sam, maya, cedar),
    }
    for name, days in (("routine, old", 9), ("urgent, new", 1), ("urgent, old", 2), ("on time", -1)):
        Referral.objects.filter(pk=rows[name].pk).update(due_at=NOW - days * DAY)
    found = [row.pk for row in Referral.objects.stalled(NOW)]
    assert found == [rows[name].pk for name in ("urgent, old", "urgent, new", "routine, old")]


# --- Putting away -----------------------------------------------------------------------------------------------------


@pytest.fixture
def long_silent(sam: Client, maya: User) -> Referral:
    """At the last rung: the next climb puts it away."""
    row = referral_in(State.SENT, sam, maya)
    ago = NOW - 65 * DAY
    Referral.objects.filter(pk=row.pk).update(
        created_at=ago, sent_at=ago, state_at=ago, rung=3, due_at=NOW - 60 * DAY, climbs_at=NOW
    )
    row.refresh_from_db()
    return row


def put_away(referral: Referral) -> tuple[Any, str]:
    row = Referral.objects.get(pk=referral.pk)
    return row.closed_at, row.closed_why


def test_long_silent_one_is_put_away_with_a_notice(long_silent: Referral, sam: Client, maya: User) -> None:
    acts.climb(at=NOW)
    assert put_away(long_silent) == (NOW, "silent")
    assert Referral.objects.get(pk=long_silent.pk).state == State.SENT
    assert [n.template for n in Notice.objects.filter(user=maya)] == ["put_away"]
    assert sam.tasks.get(done_at=None).facts == {"reason": "referral_closed"}
    assert list(Referral.objects.open()) == []


def test_one_press_brings_it_back(long_silent: Referral, sam: Client, maya: User) -> None:
    acts.climb(at=NOW)
    acts.undo_close(by=maya, referral=long_silent, at=NOW + HOUR)
    assert put_away(long_silent) == (None, "")
    assert not sam.tasks.filter(done_at=None).exists()
    assert clock_of(long_silent)[2:] == (1, ny(20, 11))  # a call next, not another mail
    with pytest.raises(NotNow, match="This referral is in the list"):
        acts.undo_close(by=maya, referral=long_silent, at=NOW + HOUR)


def test_clinic_that_answers_late_brings_it_back_too(long_silent: Referral, maya: User) -> None:
    acts.climb(at=NOW)
    happens(Referral.objects.get(pk=long_silent.pk), Event.ACCEPT, maya, NOW + DAY)
    assert put_away(long_silent) == (None, "")
    assert clock_of(long_silent)[0] == "date"


def test_open_safety_flag_keeps_it(long_silent: Referral, sam: Client, maya: User, sol: User) -> None:
    alert = practice_actions.raise_manual_flag(by=maya, client=sam, severity="routine", reason="Goodbye", at=NOW)
    acts.climb(at=NOW)
    assert put_away(long_silent) == (None, "")
    assert Notice.objects.filter(user=sol, template="silent").count() == 1
    assert clock_of(long_silent)[2:] == (3, ny(26, 10))
    Alert.objects.filter(pk=alert.pk).update(
        closed_at=NOW, closed_by=maya, action="no_change", acknowledged_at=NOW, acknowledged_by=maya
    )
    assert SafetyContact.objects.count() == 0
    acts.climb(at=ny(26, 10))
    assert put_away(long_silent)[1] == "silent"


@pytest.mark.parametrize(
    ("urgency", "sign", "stays"),
    [("urgent", True, True), ("urgent", False, False), ("routine", True, False)],
    ids=["urgent with sign", "urgent", "sign"],
)
def test_urgent_one_with_a_safety_sign_is_never_put_away(
    long_silent: Referral, sol: User, urgency: str, sign: bool, stays: bool
) -> None:
    Referral.objects.filter(pk=long_silent.pk).update(urgency=urgency, has_safety_sign=sign)
    acts.climb(at=NOW)
    assert (put_away(long_silent)[0] is None) is stays
    assert Notice.objects.filter(user=sol, template="silent").exists() is stays


def test_person_puts_away_what_has_ended(sam: Client, maya: User) -> None:
    done = referral_in(State.COMPLETED, sam, maya)
    acts.close(by=maya, referral=done, at=NOW)
    assert put_away(done) == (NOW, "ended")
    with pytest.raises(NotNow, match="put away already"):
        acts.close(by=maya, referral=done, at=NOW)


def test_person_does_not_put_away_what_is_a_matter_of_safety(sam: Client, maya: User) -> None:
    row = referral_in(State.SENT, sam, maya, urgency="urgent", has_safety_sign=True)
    with pytest.raises(NotNow, match="This one stays in the list"):
        acts.close(by=maya, referral=row, at=NOW)
    ended = happens(row, Event.DECLINE, maya)
    acts.close(by=maya, referral=ended.referral, at=NOW)


def test_clocks_stop_when_the_client_leaves(urgent: Referral, sam: Client, maya: User) -> None:
    acts.climb(at=ny(19, 14))
    acts.climb(at=ny(20, 9))
    practice_actions.discharge(
        by=maya, client=sam, status=Client.Status.DIED, words="Told by her mother.", at=ny(20, 9)
    )
    assert put_away(urgent) == (ny(20, 9), "discharged")
    assert clock_of(urgent) == ("", None, 0, None)
    assert not sam.tasks.filter(kind="call_clinic", done_at=None).exists()
    assert acts.climb(at=ny(20, 9) + 90 * DAY) == 0
    with pytest.raises(NotNow, match="not with us any more"):
        acts.undo_close(by=maya, referral=urgent, at=ny(20, 10))


# --- Asking the client ------------------------------------------------------------------------------------------------


def asked(referral: Referral) -> bool:
    return Referral.objects.get(pk=referral.pk).client_asked_at is not None


def test_client_is_asked_once_after_ten_days_of_silence(urgent: Referral, sam: Client) -> None:
    Notice.objects.all().delete()
    assert acts.ask_clients(at=NOW + 10 * DAY - MINUTE) == 0
    assert acts.ask_clients(at=NOW + 10 * DAY) == 1
    assert acts.ask_clients(at=NOW + 11 * DAY) == 0
    assert [n.template for n in Notice.objects.filter(client=sam)] == ["news", "news"]
    assert asked(urgent)


def test_visit_that_is_to_come_is_no_silence(sam: Client, maya: User) -> None:
    booked = referral_in(State.SCHEDULED, sam, maya)
    Referral.objects.filter(pk=booked.pk).update(visit_at=NOW + 20 * DAY)
    assert acts.ask_clients(at=NOW + 15 * DAY) == 0
    assert acts.ask_clients(at=NOW + 30 * DAY) == 1


def test_client_who_wants_no_messages_is_not_asked(sam: Client, maya: User) -> None:
    referral_in(State.SENT, sam, maya, client_told=False)
    assert acts.ask_clients(at=NOW + 30 * DAY) == 0


@pytest.mark.parametrize("state", [State.DRAFT, State.DECLINED, State.CANCEL_ASKED, State.COMPLETED])
def test_client_is_not_asked_when_there_is_nothing_to_go_to(sam: Client, maya: User, state: State) -> None:
    referral_in(state, sam, maya)
    assert acts.ask_clients(at=NOW + 30 * DAY) == 0


def test_word_of_the_clinic_lets_the_client_be_asked_again(urgent: Referral, maya: User) -> None:
    acts.ask_clients(at=NOW + 10 * DAY)
    happens(Referral.objects.get(pk=urgent.pk), Event.ACCEPT, maya, NOW + 11 * DAY)
    assert not asked(urgent)
    assert acts.ask_clients(at=NOW + 22 * DAY) == 1


def test_jobs_run_by_themselves(house: Practice) -> None:
    from practice import schedule

    schedule.tick(NOW)
    jobs.run_due()
    done = Job.objects.filter(kind="climb_referrals").values_list("state", "trouble")
    assert list(done) == [("done", "")]


def test_letter_clock_waits_for_the_letter(sam: Client, maya: User) -> None:
    accepted = referral_in(State.ACCEPTED, sam, maya)
    for number in range(1, 7):
        events.done(accepted, number, by=maya, channel="phone", at=NOW)
    assert clock_of(accepted)[:2] == ("letter", ny(3, 10, month=12))
    assert letter(accepted).is_outcome
    happens(accepted, Event.OUTCOME, maya)
    assert clock_of(accepted)[0] == ""


# --- The practice's own numbers ---------------------------------------------------------------------------------------

LIMITS = "/practice/referral-clocks/"


def defaults(practice: Practice) -> dict[str, Any]:
    return LimitsForm.initial_of(practice)


def test_practice_changes_a_limit(house: Practice, rosa: User, as_user: Any, sam: Client, maya: User) -> None:
    said = defaults(Practice.get()) | {"urgent_open": 2}
    assert send(as_user(rosa), LIMITS, said)["Location"] == "/practice/"
    assert Practice.get().referral_limits == {"urgent": {"open": 2}}
    assert AuditEvent.objects.get(action="practice.edited").facts == {"fields": ["referral_limits"]}
    assert clock_of(referral_in(State.SENT, sam, maya, urgency="urgent"))[1] == ny(19, 12)


def test_limit_that_makes_no_sense_is_refused(house: Practice, rosa: User, as_user: Any) -> None:
    for wrong in ("-1", "366", "soon", "", "2.5"):
        answer = send(as_user(rosa), LIMITS, defaults(Practice.get()) | {"urgent_open": wrong})
        assert answer.status_code == 400
    assert Practice.get().referral_limits == {}


def test_second_admin_sees_the_change_of_the_first(house: Practice, rosa: User, as_user: Any) -> None:
    seen = defaults(Practice.get())
    send(as_user(rosa), LIMITS, seen | {"urgent_open": 2})
    answer = send(as_user(rosa), LIMITS, seen | {"urgent_open": 3})
    assert "Somebody changed the settings first" in answer.content.decode()
    assert Practice.get().referral_limits == {"urgent": {"open": 2}}


def test_limits_are_an_admins_to_change(house: Practice, maya: User, fay: User, as_user: Any) -> None:
    for user in (maya, fay):
        assert as_user(user).get(LIMITS).status_code == 403
        assert send(as_user(user), LIMITS, defaults(Practice.get()) | {"urgent_open": 1}).status_code == 403
    assert Practice.get().referral_limits == {}
