"""Before a booster everything is asked anew (H14): what is due, when it goes out, and what it holds."""

from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client as Browser
from django.urls import reverse

from intake.models import Invitation, Measure
from practice.clinical import kap
from practice.clinical.instrument import load
from practice.kap.actions import plans, rescreen, room
from practice.kap.models import Plan, Session
from practice.models import Client, User
from tests.factories import NOW
from tests.sittings import CSSRS, CSSRS_NONE, assessed, phq9_of, sitting

As = Callable[[User], Browser]
Post = Callable[..., Any]
ALL = ("phq-9", "gad-7", CSSRS, "pc-ptsd-5", "meds", "pregnancy", "cystitis")
DOSE_ON = date(2026, 12, 10)


@pytest.fixture(autouse=True)
def _now() -> Iterator[None]:
    with time_machine.travel(NOW, tick=False):
        yield


def booster(sam: Client, maya: User, days: int = 21, state: str = Session.State.PLANNED) -> Plan:
    """A booster whose dose is so many days ahead, made a week ago."""
    plan = Plan.objects.create(
        client=sam, shape="booster", planned=1, started_on=NOW.date(), therapist=maya, zone="America/New_York",
        created_at=NOW - timedelta(days=7),
    )  # fmt: skip
    Session.objects.create(
        plan=plan,
        kind="dosing",
        number=1,
        starts_at=NOW + timedelta(days=days),
        minutes=180,
        therapist=maya,
        state=state,
    )
    return plan


def answer_all(sam: Client, at: datetime, trauma: int = 0) -> None:
    row = sitting(sam, at, packet=rescreen.PACKET, meds=[], pregnancy="no", cystitis="none")
    assessed(row, "phq-9", phq9_of(6))
    assessed(row, "gad-7", {f"gad7-{n}": 1 for n in range(1, 8)})
    assessed(row, CSSRS, CSSRS_NONE)
    assessed(row, "pc-ptsd-5", {item.link_id: trauma for item in load("pc-ptsd-5").items})


def due(sam: Client, dose_on: date = DOSE_ON) -> list[str]:
    return [row.code for row in rescreen.standing(sam, dose_on, NOW.date()) if row.is_due]


@pytest.mark.parametrize(("days", "is_due"), [(31, True), (30, False), (0, False)])
def test_answer_of_thirty_days_still_counts(days: int, is_due: bool) -> None:
    answered = dict.fromkeys(ALL, DOSE_ON - timedelta(days=days))
    assert kap.rescreen(answered, DOSE_ON, trauma=False) == (ALL if is_due else ())


def test_trauma_measure_is_asked_when_the_screen_is_positive() -> None:
    answered = dict.fromkeys(ALL, DOSE_ON)
    assert kap.rescreen(answered, DOSE_ON, trauma=True) == ("pcl-5",)
    assert kap.rescreen(answered | {"pcl-5": DOSE_ON}, DOSE_ON, trauma=True) == ()


def test_everything_is_due_until_it_is_answered(sam: Client) -> None:
    assert due(sam) == list(ALL)
    answer_all(sam, NOW - timedelta(days=2))
    assert due(sam) == []


def test_answers_from_before_the_window_do_not_count(sam: Client) -> None:
    answer_all(sam, NOW - timedelta(days=12))  # Nov 7; the dose is on Dec 10
    assert due(sam) == list(ALL)


def test_positive_trauma_screen_asks_for_its_measure(sam: Client) -> None:
    answer_all(sam, NOW - timedelta(days=2), trauma=1)
    assert due(sam) == ["pcl-5"]


def test_what_a_clinician_asked_counts(sam: Client, maya: User) -> None:
    from referrals.actions import facts

    answer_all(sam, NOW - timedelta(days=40))
    said = {"pregnancy": ("no", NOW.date()), "med_list_confirmed": (True, NOW.date())}
    facts.record(by=maya, client=sam, said=said, at=NOW)
    assert due(sam) == ["phq-9", "gad-7", CSSRS, "pc-ptsd-5", "cystitis"]


def test_packet_asks_all_of_it_and_the_suicide_screen_whatever_was_said_before() -> None:
    from intake import packet

    wanted = packet.seed(rescreen.PACKET)
    asked = {each.key for each in wanted.instruments()} | {page.fact for page in wanted.pages} - {""}
    assert set(ALL) | {"pcl-5"} <= asked
    first = next(page for page in wanted.pages if page.instrument == CSSRS)
    assert first.show_when == {}


# --- When the questions go out


def measured(plan: Plan) -> list[datetime]:
    rows = Measure.objects.filter(subject_id=plan.pk, packet=rescreen.PACKET, stopped_at=None)
    return [row.due_at for row in rows]


def test_questions_go_out_fourteen_days_before_and_move_with_the_dose(sam: Client, maya: User) -> None:
    plan = booster(sam, maya)
    plans.follow(plan, NOW)
    assert measured(plan) == [NOW + timedelta(days=7)]
    plan.sessions.update(starts_at=NOW + timedelta(days=28))
    plans.follow(plan, NOW)
    assert measured(plan) == [NOW + timedelta(days=14)]


@pytest.mark.parametrize(("shape", "state"), [("weekly", Session.State.PLANNED), ("booster", Session.State.WAITING)])
def test_nothing_goes_out_for_another_plan_or_a_dose_that_waits(
    sam: Client, maya: User, shape: str, state: str
) -> None:
    plan = booster(sam, maya, state=state)
    Plan.objects.filter(pk=plan.pk).update(shape=shape)
    plan.refresh_from_db()
    plans.follow(plan, NOW)
    assert measured(plan) == []


def test_booster_planned_late_sends_them_at_once(sam: Client, maya: User) -> None:
    plan = booster(sam, maya, days=5)
    Plan.objects.filter(pk=plan.pk).update(created_at=NOW)
    plan.refresh_from_db()
    plans.follow(plan, NOW)
    assert measured(plan) == [NOW]


def test_answers_that_still_count_are_not_asked_for_again(sam: Client, maya: User) -> None:
    plan = booster(sam, maya)
    answer_all(sam, NOW - timedelta(days=2))
    plans.follow(plan, NOW)
    assert measured(plan) == []


# --- What it holds


def test_start_is_held_until_it_is_answered(sam: Client, maya: User) -> None:
    plan = booster(sam, maya, days=0)
    session = plan.sessions.get()
    names = "PHQ-9, GAD-7, C-SSRS, PC-PTSD-5, Medicines, Pregnancy question, Urinary question"
    assert f"Re-screening due: {names}." in room.against_start(session, NOW)
    answer_all(sam, NOW - timedelta(days=2))
    assert [said for said in room.against_start(session, NOW) if "Re-screening" in said] == []


def test_weekly_dose_is_not_held(sam: Client, maya: User) -> None:
    plan = booster(sam, maya, days=0)
    Plan.objects.filter(pk=plan.pk).update(shape="weekly")
    session = Session.objects.get(plan=plan)
    assert [said for said in room.against_start(session, NOW) if "Re-screening" in said] == []


# --- On the plan's page


def test_plan_says_what_is_due_and_sends_it_with_one_press(
    sam: Client, maya: User, on_call: User, as_user: As, post: Post
) -> None:
    plan, browser = booster(sam, maya), as_user(maya)
    page = browser.get(plan.get_absolute_url()).content.decode()
    assert "Re-screening due</h2>" in page and "Send the questions now" in page
    assert page.count('<dd class="due">Due</dd>') == 7
    post(browser, reverse("plan_rescreen", args=[plan.pk]))
    sent = Invitation.objects.get(client=sam, packet=rescreen.PACKET)
    assert (sent.state, sent.created_by) == (Invitation.State.SENT, maya)
    page = browser.get(plan.get_absolute_url()).content.decode()
    assert "Questions sent Thu Nov 19, 10:00 am, not back." in page and "Send the questions now" not in page
    post(browser, reverse("plan_rescreen", args=[plan.pk]))
    assert Invitation.objects.filter(client=sam, packet=rescreen.PACKET).count() == 1


def test_plan_says_from_when_answers_count(sam: Client, maya: User, as_user: As, post: Post) -> None:
    plan, browser = booster(sam, maya, days=60), as_user(maya)
    page = browser.get(plan.get_absolute_url()).content.decode()
    assert "Re-screening before the booster</h2>" in page and "Send the questions now" not in page
    assert "Answers count from Dec 19, 2026 on. The questions go out by themselves 14 days before the dose." in page
    post(browser, reverse("plan_rescreen", args=[plan.pk]))
    assert Invitation.objects.filter(packet=rescreen.PACKET).count() == 0


def test_what_was_answered_stands_with_its_day(sam: Client, maya: User, as_user: As) -> None:
    plan = booster(sam, maya)
    answer_all(sam, NOW - timedelta(days=2))
    page = as_user(maya).get(plan.get_absolute_url()).content.decode()
    start = page.index('id="rescreen"')
    assert page[start : page.index("</section>", start)].count("Nov 17, 2026</dd>") == 7
    assert "Re-screening due" not in page


@pytest.mark.parametrize("who", ["fay", "rosa"])
def test_who_does_not_read_the_chart_does_not_see_what_was_asked(
    request: pytest.FixtureRequest, sam: Client, maya: User, as_user: As, who: str
) -> None:
    plan = booster(sam, maya)
    page = as_user(request.getfixturevalue(who)).get(plan.get_absolute_url()).content.decode()
    assert "Re-screening" not in page and "PHQ-9" not in page
