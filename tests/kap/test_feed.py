"""Security check 71: 26 weekly sessions and five boosters, two changes of the clock, three zones. The checked-in table,
the product and an independent calendar reader agree; and a feed says nothing about anybody."""

import csv
import itertools
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import vobject

from practice.clinical import planning
from practice.kap import feed
from practice.kap.models import Plan, Session
from practice.models import Client, User
from tests.factories import NOW

TABLE = list(csv.DictReader(Path("tests/data/kap/dates.csv").read_text(encoding="utf-8").splitlines()))
ZONES = sorted({row["zone"] for row in TABLE})
FOUR = time(16)
State = Session.State


def rows(zone: str, what: str) -> list[dict[str, str]]:
    return [row for row in TABLE if (row["zone"], row["what"]) == (zone, what)]


def shown(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M")


def dates(zone: str) -> list[datetime]:
    """What the product plans: 26 weekly doses from 7 October 2026, boosters from 31 August 2026."""
    there = ZoneInfo(zone)
    template = planning.templates()["weekly"]
    weekly = [
        s for s in planning.slots(template, date(2026, 10, 7), FOUR, there, count=26) if s.kind == planning.DOSING
    ]
    boosters = [planning.moment(day, FOUR, there) for day in planning.boosters(date(2026, 8, 31), 5)]
    return [*(slot.starts for slot in weekly), *boosters]


@pytest.mark.parametrize("zone", ZONES)
def test_check_71_product_plans_what_the_table_says(zone: str) -> None:
    wanted = [*rows(zone, "weekly"), *rows(zone, "booster")]
    assert [shown(moment) for moment in dates(zone)] == [row["utc"] for row in wanted]
    assert [shown(moment.astimezone(ZoneInfo(zone))) for moment in dates(zone)] == [row["local"] for row in wanted]


@pytest.mark.parametrize("zone", ZONES)
def test_check_71_independent_reader_sees_the_same_wall_clock(zone: str, maya: User, sam: Client) -> None:
    plan = Plan.objects.create(client=sam, shape="weekly", started_on=date(2026, 10, 7), therapist=maya)
    made = [
        Session(plan=plan, kind="dosing", number=n, starts_at=moment, minutes=180, therapist=maya, state=State.PLANNED)
        for n, moment in enumerate(dates(zone), 1)
    ]
    read = vobject.readOne(feed.calendar(made, name="Sessions", host="example.org").decode())
    found = [event.dtstart.value.astimezone(ZoneInfo(zone)) for event in read.vevent_list]
    assert [shown(moment) for moment in found] == [
        row["local"] for row in (*rows(zone, "weekly"), *rows(zone, "booster"))
    ]
    assert {event.dtend.value - event.dtstart.value for event in read.vevent_list} == {timedelta(minutes=180)}


def test_table_crosses_two_changes_of_the_clock_in_each_zone() -> None:
    for zone in ZONES:
        offsets = [
            datetime.fromisoformat(row["local"]) - datetime.fromisoformat(row["utc"]) for row in rows(zone, "weekly")
        ]
        assert sum(a != b for a, b in itertools.pairwise(offsets)) == 2
    assert [row["local"][:10] for row in rows(ZONES[0], "booster")] == [
        "2027-02-28", "2027-08-31", "2028-02-29", "2028-08-31", "2029-02-28",
    ]  # fmt: skip


def session(plan: Plan, number: int, **said: object) -> Session:
    known = {"starts_at": NOW + timedelta(days=number), "therapist": plan.therapist}
    return Session.objects.create(plan=plan, kind="dosing", number=number, **(known | said))


@pytest.fixture
def plan(sam: Client, maya: User) -> Plan:
    return Plan.objects.create(client=sam, shape="weekly", started_on=NOW.date(), therapist=maya)


def test_feed_holds_own_sessions_and_no_word_of_a_client(plan: Plan, maya: User, omar: User) -> None:
    mine = session(plan, 1, room="Blue room")
    session(plan, 2, therapist=omar)
    text = feed.calendar(feed.sessions_of(maya, NOW), name="Sessions", host="example.org").decode()
    event = vobject.readOne(text).vevent
    assert (event.summary.value, event.uid.value, event.location.value) == (
        "Session",
        f"{mine.pk}@example.org",
        "Blue room",
    )
    for word in ("Sam", "Whitehorse", "CH-", "dosing", "KAP", "ketamine", "RRULE", "VTIMEZONE", "TZID"):
        assert word not in text
    assert text.count("BEGIN:VEVENT") == 1


def test_moved_session_keeps_its_id_and_counts_up(plan: Plan, maya: User) -> None:
    row = session(plan, 1, sequence=2, changed_at=NOW)
    event = vobject.readOne(feed.calendar([row], name="Sessions", host="h").decode()).vevent
    assert (event.sequence.value, event.status.value) == ("2", "CONFIRMED")


def test_cancelled_session_says_so_for_thirty_days(plan: Plan, maya: User) -> None:
    skipped = session(plan, 1, state=State.SKIPPED, sequence=1, changed_at=NOW)
    session(plan, 2, state=State.WAITING)  # never booked, so never told
    assert feed.sessions_of(maya, NOW + timedelta(days=30)) == [skipped]
    assert feed.sessions_of(maya, NOW + timedelta(days=30, seconds=1)) == []
    event = vobject.readOne(feed.calendar([skipped], name="Sessions", host="h").decode()).vevent
    assert event.status.value == "CANCELLED"


def test_name_with_a_line_break_stays_one_calendar(plan: Plan) -> None:
    """Security check 39: an ICS with CR/LF is one event, and its summary is neutral."""
    row = session(plan, 1, room="Blue\r\nBEGIN:VEVENT\r\nSUMMARY:Sam")
    read = vobject.readOne(feed.calendar([row], name="Cedar\r\nEND:VCALENDAR", host="h").decode())
    assert len(read.vevent_list) == 1
    assert read.vevent.summary.value == "Session"


def test_moments_are_written_in_utc(plan: Plan) -> None:
    row = session(plan, 1, starts_at=datetime(2026, 11, 1, 5, 30, tzinfo=UTC))
    assert b"DTSTART:20261101T053000Z" in feed.calendar([row], name="Sessions", host="h")
