"""The pages of a plan: making it with its calendar, changing it, and the list of all (H1, H2, H5, H18, H19)."""

import re
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils.html import strip_tags

from practice.clinical import kap
from practice.clinical.planning import templates
from practice.kap import lists
from practice.kap.actions import clearance, plans
from practice.kap.models import Plan, Session
from practice.models import AuditEvent, Client, Task, User
from referrals.models import Decision
from tests import factories
from tests.factories import NOW

As = Callable[[User], Browser]
Post = Callable[..., Any]
State = Session.State
WEEKLY = {"template": "weekly", "first": "2026-12-02", "clock": "10:00", "count": "8", "room": "Blue room"}


@pytest.fixture(autouse=True)
def _now() -> Iterator[None]:
    with time_machine.travel(NOW, tick=False):
        yield


def cleared(pax: User, sam: Client, doses: int = 8) -> None:
    clearance.grant(
        by=pax, client=sam, doses=doses, until=date(2027, 6, 1), most_mg=Decimal(137), route="sublingual", words="",
        at=NOW,
    )  # fmt: skip


def made(maya: User, sam: Client, template: str = "weekly", first: date = date(2026, 12, 2), **said: Any) -> Plan:
    count = 3 if template == "weekly" else None
    told = {"clock": time(10), "therapist": maya, "room": "", "count": count} | said
    return plans.make(by=maya, client=sam, template=templates()[template], first=first, at=NOW, **told)


def dosed(sam: Client, *days: datetime, shape: str = "weekly", planned: int = 8, state: str = "under_way") -> Plan:
    """A plan with these doses given, and one still to come when it is under way."""
    plan = Plan.objects.create(client=sam, shape=shape, planned=planned, started_on=days[0].date(), state=state)
    for number, starts in enumerate(days, 1):
        Session.objects.create(plan=plan, kind="dosing", number=number, starts_at=starts, state=State.DONE)
    if state == "under_way":
        Session.objects.create(
            plan=plan, kind="dosing", number=len(days) + 1, starts_at=NOW + timedelta(days=2), state=State.PLANNED
        )
    return plan


def text(response: Any) -> str:
    return " ".join(strip_tags(response.content.decode()).split())


def new(sam: Client) -> str:
    return reverse("plan_new", args=[sam.pk])


# --- Making (ux check 30)


def test_weekly_of_eight_is_shown_as_a_calendar_before_anything_is_saved(
    maya: User, pax: User, sam: Client, as_user: As
) -> None:
    cleared(pax, sam)
    said = text(as_user(maya).get(new(sam), WEEKLY | {"therapist": str(maya.pk)}))
    doses = [date(2026, 12, 2) + timedelta(days=7 * n) for n in range(8)]
    assert [f"Dosing {n} 10:00 am" in said for n in range(1, 10)] == [*[True] * 8, False]
    assert said.count("Integration") == 8 and "Preparation 1 10:00 am" in said
    assert f"Wed Jan 20, {doses[-1].year}" in said
    assert ("Has to change first" in said, "Waits for the prescriber" in said) == (False, False)
    assert Plan.objects.count() == 0


def test_plan_is_made_from_what_the_calendar_showed(
    maya: User, pax: User, sam: Client, as_user: As, post: Post
) -> None:
    cleared(pax, sam)
    response = post(as_user(maya), new(sam), WEEKLY | {"therapist": str(maya.pk)})
    plan = Plan.objects.get()
    assert response["Location"] == reverse("plan", args=[plan.pk])
    assert (plan.planned, plan.room, plan.therapist, plan.created_by) == (8, "Blue room", maya, maya)
    assert plan.sessions.filter(state=State.PLANNED).count() == 17


def test_page_opens_with_a_whole_proposal_so_that_three_presses_do(maya: User, sam: Client, as_user: As) -> None:
    browser = as_user(maya)
    page = browser.get(new(sam)).content.decode()
    assert 'value="2026-11-26"' in page and f'<option value="{maya.pk}" selected>' in page
    assert "Make the plan" in page
    weekend = browser.get(new(sam), {"template": "intensive-weekend"}).content.decode()
    assert 'value="2026-11-28"' in weekend and "Make the plan" in weekend  # a Saturday


def test_two_days_in_a_row_ask_for_the_prescribers_reason(maya: User, pax: User, sam: Client, as_user: As) -> None:
    cleared(pax, sam)
    asked = {"template": "intensive-weekend", "first": "2026-12-05", "clock": "10:00", "therapist": str(maya.pk)}
    said = text(as_user(maya).get(new(sam), asked))
    assert (
        "Dosing 2, Sun Dec 6, 10:00 am: less than 48 hours after another dose. "
        "A prescriber's recorded reason clears it."
    ) in said.replace("&#x27;", "'")
    assert "On the plan's page the prescriber writes the reason" in said.replace("&#x27;", "'")


def test_doses_that_nobody_cleared_are_named_together(maya: User, sam: Client, as_user: As) -> None:
    said = text(as_user(maya).get(new(sam), WEEKLY | {"therapist": str(maya.pk), "count": "3"}))
    assert (
        "Dosing 1, 2, 3: no prescriber has cleared a dose. A prescriber's clearance of more doses clears it."
    ) in said.replace("&#x27;", "'")


def test_conflict_that_another_time_clears_takes_the_button_away(
    maya: User, pax: User, sam: Client, kit: Client, as_user: As, post: Post
) -> None:
    for client in (sam, kit):
        cleared(pax, client)
    made(maya, kit, room="Blue room")
    browser = as_user(maya)
    asked = WEEKLY | {"therapist": str(maya.pk), "count": "3"}
    said = text(browser.get(new(sam), asked))
    assert "the therapist has another session then. Choose another time." in said
    assert "Make the plan" not in said
    response = post(browser, new(sam), asked)
    assert (response.status_code, Plan.objects.filter(client=sam).count()) == (400, 0)
    assert "the therapist has another session then" in text(response)


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("first", "2026-11-01", "Choose a day from today on"),
        ("first", "9999-12-31", "within two years"),
        ("first", "soon", "Give a day, such as"),
        ("first", "2026-11-20", "The plan would begin in the past"),
        ("clock", "25:99", "Give a time, such as"),
        ("count", "99", "A series has 1 to 26 doses"),
        ("count", "-1", "A series has 1 to 26 doses"),
        ("count", "eight", "number of doses in digits"),
        ("therapist", "x", "Choose one of the therapists"),
    ],
)
def test_wrong_input_is_answered_in_a_sentence(
    maya: User, sam: Client, as_user: As, post: Post, field: str, value: str, sentence: str
) -> None:
    asked = WEEKLY | {"therapist": str(maya.pk), field: value}
    for response in (as_user(maya).get(new(sam), asked), post(as_user(maya), new(sam), asked)):
        assert (response.status_code, sentence in text(response)) == (400, True)
    assert Plan.objects.count() == 0


def test_decision_for_kap_leads_to_the_plan(maya: User, sam: Client, as_user: As) -> None:
    decision = Decision(client=sam, choice=Decision.Choice.KAP, rules_version="x", by=maya, at=NOW)
    decision.reasoning = "Long talk"
    decision.save()
    page = as_user(maya).get(reverse("decision", args=[sam.pk, decision.pk])).content.decode()
    assert f'<a class="btn" href="{new(sam)}">Plan KAP here</a>' in page


# --- One plan


def test_plan_page_tells_what_waits_for_whom_and_what_is_left(maya: User, pax: User, sam: Client, as_user: As) -> None:
    cleared(pax, sam, doses=2)
    plan = made(maya, sam)
    said = text(as_user(maya).get(plan.get_absolute_url()))
    assert "0 of 3 doses done" in said
    assert "more doses than the prescriber cleared" in said
    assert "2 of 2 left until Jun 1, 2027" in said
    assert "Plan made, 3 doses" in said
    assert AuditEvent.objects.filter(action="read.plan", client_id=sam.pk).count() == 1


def test_front_desk_sees_days_but_no_clearance_and_no_words(
    maya: User, pax: User, fay: User, sam: Client, as_user: As
) -> None:
    cleared(pax, sam)
    plan = made(maya, sam)
    dose = plan.sessions.get(kind="dosing", number=2)
    plans.move(by=maya, session=dose, starts_at=dose.starts_at + timedelta(days=1), said="Her court date", at=NOW)
    page = as_user(fay).get(plan.get_absolute_url())
    said = text(page)
    assert ("Dosing 2" in said, "0 of 3 doses done" in said) == (True, True)
    assert [word in said for word in ("court", "137", "cleared and left", "What was changed")] == [False] * 4
    assert "<form" not in page.content.decode().split("<main")[1]


def test_session_is_moved_with_words_that_stand_in_the_log(
    maya: User, pax: User, sam: Client, as_user: As, post: Post
) -> None:
    cleared(pax, sam)
    plan = made(maya, sam)
    dose = plan.sessions.get(kind="dosing", number=2)
    browser = as_user(maya)
    shown = browser.get(plan.get_absolute_url(), {"session": str(dose.pk)}).content.decode()
    assert 'value="2026-12-09T10:00"' in shown
    move = {"session": str(dose.pk), "starts_at": "2026-12-11T11:00", "said": "Her shift", "seen": str(plan.version)}
    response = post(browser, reverse("plan_move", args=[plan.pk]), move)
    dose.refresh_from_db()
    assert (response["Location"], dose.starts_at) == (
        plan.get_absolute_url(),
        datetime(2026, 12, 11, 16, tzinfo=UTC),
    )
    said = text(browser.get(plan.get_absolute_url()))
    assert "Session moved: Dosing 2, from Wed Dec 9, 10:00 am to Fri Dec 11, 11:00 am" in said
    assert "Her shift" in said and "by Maya" not in said


def test_second_of_two_editors_is_told_and_keeps_what_was_written(
    maya: User, sol: User, pax: User, sam: Client, as_user: As, post: Post
) -> None:
    cleared(pax, sam)
    plan = made(maya, sam)
    dose = plan.sessions.get(kind="dosing", number=3)
    seen = str(plan.version)
    plans.move(by=maya, session=dose, starts_at=dose.starts_at + timedelta(days=1), said="", at=NOW)
    skip = {"session": str(dose.pk), "missed": "no", "said": "Not needed any more", "seen": seen}
    url = reverse("plan_skip", args=[plan.pk])
    response = post(as_user(sol), url, skip)
    page = response.content.decode()
    assert (response.status_code, "Somebody changed this plan" in page, "Not needed any more" in page) == (
        400, True, True,
    )  # fmt: skip
    dose.refresh_from_db()
    assert dose.state == State.PLANNED
    plan.refresh_from_db()
    assert f'name="seen" value="{plan.version}"' in page  # read again, then the same press goes through
    assert post(as_user(sol), url, skip | {"seen": str(plan.version)}).status_code == 302
    dose.refresh_from_db()
    assert dose.state == State.SKIPPED


def test_session_is_added_missed_and_the_plan_is_ended_with_words(
    maya: User, pax: User, sam: Client, as_user: As, post: Post
) -> None:
    cleared(pax, sam)
    plan = made(maya, sam)
    browser = as_user(maya)
    add = {"kind": "integration", "starts_at": "2026-12-30T09:00", "said": "She asked"}
    assert post(browser, reverse("plan_add", args=[plan.pk]), add).status_code == 302
    assert plan.sessions.filter(kind="integration").count() == 4
    last = plan.sessions.get(kind="dosing", number=3)
    with time_machine.travel(last.starts_at + timedelta(hours=2), tick=False):
        page = as_user(maya).get(plan.get_absolute_url()).content.decode()
        assert "Not recorded yet" in page and f"?session={last.pk}#skip" in page
        skip = {"session": str(last.pk), "missed": "yes", "said": "Ill"}
        assert post(as_user(maya), reverse("plan_skip", args=[plan.pk]), skip).status_code == 302
        end = reverse("plan_end", args=[plan.pk])
        assert post(as_user(maya), end, {"state": "stopped", "said": ""}).status_code == 400
        assert post(as_user(maya), end, {"state": "stopped", "said": "Moves away"}).status_code == 302
        last.refresh_from_db()
        plan.refresh_from_db()
        assert (last.state, plan.state, plan.end_words) == (State.MISSED, Plan.State.STOPPED, "Moves away")
        page = as_user(maya).get(plan.get_absolute_url()).content.decode()
        assert ("Moves away" in page, 'id="move"' in page) == (True, False)


def test_prescriber_lifts_the_limit_and_nobody_else_may(
    maya: User, pax: User, sam: Client, as_user: As, post: Post
) -> None:
    cleared(pax, sam)
    plan = made(maya, sam, "intensive-weekend", first=date(2026, 12, 5))
    url = reverse("plan_override", args=[plan.pk])
    said = {"codes": [kap.UNDER_48_HOURS], "said": "Stays overnight with her sister"}
    assert "Lift a limit" not in text(as_user(maya).get(plan.get_absolute_url()))
    assert post(as_user(maya), url, said).status_code == 403
    assert "Lift a limit" in text(as_user(pax).get(plan.get_absolute_url()))
    assert post(as_user(pax), url, said | {"said": " "}).status_code == 400
    assert plan.overrides.count() == 0
    assert post(as_user(pax), url, said).status_code == 302
    assert set(plan.sessions.values_list("state", flat=True)) == {State.PLANNED}
    shown = text(as_user(maya).get(plan.get_absolute_url()))
    assert "Stays overnight with her sister" in shown and "less than 48 hours after another dose" in shown


def test_what_was_cleared_since_is_booked_with_one_press(
    maya: User, pax: User, sam: Client, as_user: As, post: Post
) -> None:
    cleared(pax, sam, doses=2)
    plan = made(maya, sam)
    browser, url = as_user(maya), reverse("plan_book_more", args=[plan.pk])
    assert "Book what is cleared" not in text(browser.get(plan.get_absolute_url()))
    refused = post(browser, url, {})
    assert (refused.status_code, "more doses than the prescriber cleared" in text(refused)) == (400, True)
    cleared(pax, sam, doses=4)
    assert "Book what is cleared" in text(browser.get(plan.get_absolute_url()))
    assert post(browser, url, {}).status_code == 302
    assert set(plan.sessions.values_list("state", flat=True)) == {State.PLANNED}


def test_another_plans_session_cannot_be_moved_from_here(
    maya: User, pax: User, sam: Client, kit: Client, as_user: As, post: Post
) -> None:
    cleared(pax, sam)
    plan, other = made(maya, sam), made(maya, kit, first=date(2027, 2, 3))
    theirs = other.sessions.first()
    assert theirs is not None
    move = {"session": str(theirs.pk), "starts_at": "2027-02-11T11:00"}
    response = post(as_user(maya), reverse("plan_move", args=[plan.pk]), move)
    assert (response.status_code, "That session is not ahead any more" in text(response)) == (400, True)
    assert as_user(maya).get(other.get_absolute_url()).status_code == 404


def test_sessions_that_are_booked_lead_to_their_page_for_those_who_run_them(
    maya: User, pax: User, fay: User, sam: Client, as_user: As
) -> None:
    cleared(pax, sam, doses=2)
    plan = made(maya, sam)
    urls = {str(row): reverse("session", args=[plan.pk, row.pk]) for row in plan.sessions.all()}
    linked = {
        who.name: [name for name, url in urls.items() if f'href="{url}"' in page]
        for who in (maya, pax, fay)
        if (page := as_user(who).get(plan.get_absolute_url()).content.decode())
    }
    booked = ["Preparation 1", "Dosing 1", "Integration 1", "Dosing 2", "Integration 2"]
    assert linked == {"Maya Torres": booked, "Pax Lind": booked, "Fay Moss": []}


# --- The list (ux check 31)


def rows(page: str) -> list[str]:
    return [part.split("</a>")[0].rpartition(">")[2] for part in page.split('class="who">')[1:]]


def test_list_shows_overdue_intensives_boosters_and_what_waits(maya: User, pax: User, sam: Client, as_user: As) -> None:
    late = factories.client(maya, "Late Bloom", email="late@example.net", phone="")
    fresh = factories.client(maya, "Fresh Start", email="fresh@example.net", phone="")
    done = factories.client(maya, "Done Well", email="done@example.net", phone="")
    dosed(late, NOW - timedelta(days=15))
    dosed(fresh, NOW - timedelta(days=9))
    dosed(done, datetime(2026, 6, 3, 14, tzinfo=UTC), shape="intensive", state="done")  # due Dec 3
    made(maya, sam, "intensive-weekend", first=date(2026, 12, 5))
    browser, url = as_user(maya), reverse("plans")
    found = {tab: sorted(rows(browser.get(url, {"tab": tab}).content.decode())) for tab in lists.TABS}
    assert found == {
        "": ["Fresh Start", "Late Bloom", "Sam Whitehorse"],
        "overdue": ["Late Bloom"],
        "intensives": ["Sam Whitehorse"],
        "boosters": ["Done Well"],
        "waits": ["Sam Whitehorse"],
        "notes": [],
    }
    said = text(browser.get(url, {"tab": "boosters"}))
    assert "Booster due Dec 3, 2026, window Nov 3, 2026 to Jan 2, 2027. Not planned yet." in said
    assert "Overdue: last dose Wed Nov 4" in text(browser.get(url, {"tab": "overdue"}))


@pytest.mark.parametrize(("today", "is_listed"), [(date(2026, 12, 4), False), (date(2026, 12, 5), True)])
def test_intensive_of_july_is_listed_45_days_before_its_booster(
    maya: User, sam: Client, as_user: As, today: date, is_listed: bool
) -> None:
    dosed(sam, *(datetime(2026, 7, d, 14, tzinfo=UTC) for d in (18, 19)), shape="intensive", planned=2, state="done")
    with time_machine.travel(datetime(today.year, today.month, today.day, 17, tzinfo=UTC), tick=False):
        said = text(as_user(maya).get(reverse("plans"), {"tab": "boosters"}))
    assert ("Booster due Jan 19, 2027, window Dec 20, 2026 to Feb 18, 2027." in said) is is_listed


def test_booster_that_is_planned_stands_once_and_with_its_day(maya: User, pax: User, sam: Client, as_user: As) -> None:
    cleared(pax, sam)
    past = dosed(sam, datetime(2026, 6, 3, 14, tzinfo=UTC), shape="intensive", state="done")
    plan = made(maya, sam, "booster", first=date(2026, 12, 3), follows=past)
    page = as_user(maya).get(reverse("plans"), {"tab": "boosters"}).content.decode()
    assert rows(page) == ["Sam Whitehorse"]
    assert plan.get_absolute_url() in page and past.get_absolute_url() not in page


def test_list_holds_nobody_elses_plans_and_nobody_who_left(
    maya: User, omar: User, fay: User, sam: Client, kit: Client, as_user: As
) -> None:
    dosed(sam, NOW - timedelta(days=3))
    dosed(kit, NOW - timedelta(days=3))
    url = reverse("plans")
    assert [rows(as_user(who).get(url).content.decode()) for who in (maya, omar)] == [
        ["Sam Whitehorse"],
        ["Kit Larkspur"],
    ]
    assert sorted(rows(as_user(fay).get(url).content.decode())) == ["Kit Larkspur", "Sam Whitehorse"]
    Client.objects.filter(pk=sam.pk).update(status=Client.Status.DISCHARGED)
    assert rows(as_user(maya).get(url).content.decode()) == []
    assert as_user(maya).get(url, {"tab": "x"}).status_code == 400


def test_next_page_begins_where_the_first_ended(
    maya: User, sam: Client, as_user: As, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lists, "PAGE", 2)
    for n in range(5):
        client = factories.client(maya, f"Robin{n} Bell", email=f"robin{n}@example.net")
        dosed(client, NOW - timedelta(days=20 + n))
    browser = as_user(maya)
    for tab in ("", "overdue"):
        url, seen = f"{reverse('plans')}?tab={tab}", []
        while url:
            page = browser.get(url).content.decode()
            seen += rows(page)
            found = re.search(r'rel="next" href="([^"]+)"', page)
            url = reverse("plans") + found[1].replace("&amp;", "&") if found else ""
        assert seen == [f"Robin{n} Bell" for n in (4, 3, 2, 1, 0)]


def test_list_asks_the_database_as_often_for_three_rows_as_for_one(maya: User, as_user: As) -> None:
    browser = as_user(maya)

    def asked(tab: str) -> tuple[int, int]:
        with CaptureQueriesContext(connection) as found:
            page = browser.get(reverse("plans"), {"tab": tab})
        return len(rows(page.content.decode())), len(found)

    def fill(*numbers: int) -> None:
        for n in numbers:
            going = factories.client(maya, f"Going{n} Bell", email=f"going{n}@example.net")
            dosed(going, NOW - timedelta(days=15))
            made(maya, going, "intensive-weekend", first=date(2026, 12, 5 + 7 * n))
            done = factories.client(maya, f"Done{n} Bell", email=f"done{n}@example.net")
            dosed(done, datetime(2026, 6, 3, 14, tzinfo=UTC), shape="intensive", state="done")

    fill(0)
    asked("")
    one = {tab: asked(tab) for tab in lists.TABS}
    fill(1, 2)
    three = {tab: asked(tab) for tab in lists.TABS}
    assert three == {tab: (3 * n, queries) for tab, (n, queries) in one.items()}


def test_plan_asks_the_database_as_often_for_three_doses_as_for_one(
    maya: User, pax: User, sam: Client, kit: Client, as_user: As
) -> None:
    cleared(pax, sam, doses=1)
    plan = made(maya, sam, count=1)
    browser = as_user(maya)

    def asked() -> int:
        with CaptureQueriesContext(connection) as found:
            assert browser.get(plan.get_absolute_url()).status_code == 200
        return len(found)

    asked()
    one = asked()
    cleared(pax, sam, doses=1)
    for days in (22, 24):
        for n, kind in enumerate(("dosing", "integration")):
            at = NOW + timedelta(days=days, hours=5 * n)
            plans.add(by=maya, plan=plan, kind=kind, starts_at=at, said="x", at=NOW)
    assert (asked(), plan.sessions.count()) == (one, 7)


# --- The chart


def test_chart_shows_the_phases_the_offer_and_the_ways_on(maya: User, pax: User, sam: Client, as_user: As) -> None:
    browser, chart = as_user(maya), reverse("chart", args=[sam.pk])
    assert "No plan yet." in text(browser.get(chart))
    dosed(sam, *(datetime(2026, 7, d, 14, tzinfo=UTC) for d in (18, 19)), shape="intensive", planned=2, state="done")
    cleared(pax, sam)
    said = text(browser.get(chart))
    assert "Due Jan 19, 2027, window Dec 20, 2026 to Feb 18, 2027" in said
    assert "Doses cleared: 8 of 8 left until Jun 1, 2027. At most 137 mg" in said
    page = browser.get(chart).content.decode()
    assert f'href="{new(sam)}?template=booster"' in page
    Task.open(sam, "booster", at=NOW)
    plan = made(maya, sam, "booster", first=date(2027, 1, 19))
    page = browser.get(chart).content.decode()
    assert f'href="{plan.get_absolute_url()}">Change plan' in page and "?template=booster" not in page
    assert not Task.objects.filter(client=sam, kind="booster", done_at=None).exists()
