"""Days away, of staff and of clients: who keeps them, what is booked then, and who is told."""

import re
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from practice.kap.actions import absences
from practice.kap.models import Absence, ClientAbsence, Plan, Session
from practice.models import AuditEvent, Client, Task, User
from practice.words import why
from tests.conftest import send
from tests.factories import NOW
from tests.homes import at_home

As = Callable[[User], Browser]
Post = Callable[..., Any]
State = Session.State
DEC_1, DEC_3 = date(2026, 12, 1), date(2026, 12, 3)
DAYS = {"first_on": "2026-12-01", "last_on": "2026-12-03"}


@pytest.fixture(autouse=True)
def _now() -> Iterator[None]:
    with time_machine.travel(NOW, tick=False):
        yield


def booked(client: Client, therapist: User, *days: int, state: str = State.PLANNED) -> list[Session]:
    """Dosing sessions at 10:00 in New York on these days of December."""
    plan = Plan.objects.create(client=client, shape="weekly", planned=9, started_on=NOW.date(), therapist=therapist)
    return [
        Session.objects.create(
            plan=plan, kind="dosing", number=n, starts_at=NOW.replace(month=12, day=day), state=state, minutes=180,
            therapist=therapist,
        )
        for n, day in enumerate(days, 1)
    ]  # fmt: skip


def text(response: Any) -> str:
    return " ".join(re.sub(r"<[^>]*>", " ", response.content.decode()).replace("&#x27;", "'").split())


# --- Staff -----------------------------------------------------------------------------------------------------------


def test_own_days_away_name_what_is_booked_then_with_the_way_to_move_it(
    maya: User, sam: Client, as_user: As, post: Post
) -> None:
    first, last, after = booked(sam, maya, 1, 3, 4)
    browser = as_user(maya)
    answer = post(browser, reverse("absences"), DAYS | {"user": str(maya.pk)})
    row = Absence.objects.get()
    assert answer["Location"] == reverse("absences") + f"#a-{row.pk}"
    assert (row.user, row.first_on, row.last_on, row.by) == (maya, DEC_1, DEC_3, maya)
    page = browser.get(reverse("absences"))
    said = text(page)
    assert "Saved. 2 sessions are booked then. They stay where they are until you move them." in said
    assert "Maya Torres: Dec 1, 2026 to Dec 3, 2026" in said
    moves = [f'href="{s.plan.get_absolute_url()}?session={s.pk}#move"' for s in (first, last, after)]
    assert [move in page.content.decode() for move in moves] == [True, True, False]
    assert {s.state for s in Session.objects.all()} == {State.PLANNED}
    assert AuditEvent.objects.filter(action="absence.added", actor_id=maya.pk).count() == 1


def test_same_days_said_twice_are_one_absence(maya: User, as_user: As, post: Post) -> None:
    browser = as_user(maya)
    for _ in range(2):
        post(browser, reverse("absences"), DAYS | {"user": str(maya.pk)})
    assert Absence.objects.count() == 1


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ({"first_on": "", "last_on": ""}, "Choose the first day."),
        ({"first_on": "soon"}, "Give a day, such as 2026-11-20."),
        ({"first_on": "2026-12-03", "last_on": "2026-12-01"}, "The last day comes before the first."),
        ({"first_on": "2026-11-01", "last_on": "2026-11-18"}, "These days have passed."),
        ({"first_on": "2026-12-01", "last_on": "2031-12-01"}, "Choose days within two years."),
        ({"user": "x"}, "Choose one of the names."),
    ],
)
def test_days_that_cannot_be_are_refused_in_words(
    maya: User, as_user: As, post: Post, said: dict[str, str], sentence: str
) -> None:
    answer = post(as_user(maya), reverse("absences"), DAYS | {"user": str(maya.pk)} | said)
    assert (answer.status_code, Absence.objects.count()) == (400, 0)
    assert sentence in text(answer)


def test_one_day_needs_no_last_day_and_today_counts(maya: User, as_user: As, post: Post) -> None:
    post(as_user(maya), reverse("absences"), {"user": str(maya.pk), "first_on": "2026-11-19", "last_on": ""})
    row = Absence.objects.get()
    assert (row.first_on, row.last_on) == (date(2026, 11, 19), date(2026, 11, 19))


def test_who_keeps_whose_days(
    maya: User, omar: User, ines: User, sol: User, rosa: User, fay: User, pax: User, gone: User
) -> None:
    """A therapist keeps their own, a supervisor those of the people they supervise, an admin everybody's."""
    everybody = {maya, omar, ines, sol, rosa, fay, pax}
    assert {user: set(absences.people_of(user)) for user in everybody} == {
        maya: {maya},
        omar: {omar},
        ines: {ines},
        sol: {sol, maya},
        fay: {fay},
        pax: {pax},
        rosa: everybody,
    }


def test_days_of_somebody_else_are_neither_seen_nor_written_nor_removed(
    maya: User, omar: User, as_user: As, post: Post
) -> None:
    row = absences.add(by=omar, user=omar, first_on=DEC_1, last_on=DEC_3, at=NOW)
    browser = as_user(maya)
    assert "Omar" not in text(browser.get(reverse("absences")))
    assert post(browser, reverse("absences"), DAYS | {"user": str(omar.pk)}).status_code == 400
    post(browser, reverse("absence_remove", args=[row.pk]))
    assert list(Absence.objects.all()) == [row]


def test_session_with_a_client_of_somebody_else_is_counted_and_not_named(maya: User, kit: Client, as_user: As) -> None:
    booked(kit, maya, 2)  # maya leads a session with a client of Omar's
    absences.add(by=maya, user=maya, first_on=DEC_1, last_on=DEC_3, at=NOW)
    said = text(as_user(maya).get(reverse("absences")))
    assert "1 session with somebody who is not your client." in said
    assert "Kit" not in said


def test_removed_days_are_gone(maya: User, as_user: As, post: Post) -> None:
    row = absences.add(by=maya, user=maya, first_on=DEC_1, last_on=DEC_3, at=NOW)
    browser = as_user(maya)
    url = reverse("absence_remove", args=[row.pk])
    assert browser.get(url).status_code == 404
    assert post(browser, url).status_code == 302
    assert Absence.objects.count() == 0
    assert "None ahead." in text(browser.get(reverse("absences")))


def test_twenty_stretches_are_enough(maya: User, as_user: As, post: Post) -> None:
    for n in range(20):
        day = DEC_1 + timedelta(days=n)
        absences.add(by=maya, user=maya, first_on=day, last_on=day, at=NOW)
    answer = post(as_user(maya), reverse("absences"), {"user": str(maya.pk), "first_on": "2027-02-01"})
    assert "There are 20 stretches of days already. Remove one first." in text(answer)
    assert Absence.objects.count() == 20


def test_list_costs_the_same_however_many_there_are(rosa: User, maya: User, sam: Client, as_user: As) -> None:
    browser = as_user(rosa)
    browser.get(reverse("absences"))
    costs = []
    for n in (1, 3):
        for day in range(n):
            on = DEC_1 + timedelta(days=5 * n + day)
            absences.add(by=rosa, user=maya, first_on=on, last_on=on, at=NOW)
        booked(sam, maya, *range(5 * n + 1, 5 * n + 1 + n))
        with CaptureQueriesContext(connection) as asked:
            assert browser.get(reverse("absences")).status_code == 200
        costs.append(len(asked))
    assert costs[0] == costs[1]


# --- A client, as staff write it -------------------------------------------------------------------------------------


def test_clients_days_name_what_is_booked_and_stand_on_the_plan(
    maya: User, sam: Client, as_user: As, post: Post
) -> None:
    hit, _later = booked(sam, maya, 2, 9)
    browser = as_user(maya)
    url = reverse("client_absences", args=[sam.pk])
    post(browser, url, DAYS)
    row = ClientAbsence.objects.get()
    assert (row.client, row.first_on, row.last_on, row.by) == (sam, DEC_1, DEC_3, maya)
    page = browser.get(url).content.decode()
    assert page.count("#move") == 1 and f"?session={hit.pk}#move" in page
    said = text(browser.get(hit.plan.get_absolute_url()))
    assert "Sam Whitehorse: Dec 1, 2026 to Dec 3, 2026" in said
    assert "the client is away" in said
    assert Task.objects.filter(client=sam, kind="todo").count() == 0  # staff wrote it themselves


@pytest.mark.parametrize(("who", "status"), [("fay", 200), ("rosa", 200), ("pax", 403), ("omar", 404), ("ines", 404)])
def test_clients_days_open_for_those_who_may_change_their_details(
    request: pytest.FixtureRequest, sam: Client, as_user: As, who: str, status: int
) -> None:
    answer = as_user(request.getfixturevalue(who)).get(reverse("client_absences", args=[sam.pk]))
    assert answer.status_code == status
    if status != 200:
        assert "Sam Whitehorse" not in text(answer)


def test_days_of_another_client_are_not_removed_by_this_ones_address(
    maya: User, omar: User, sam: Client, kit: Client, as_user: As, post: Post
) -> None:
    row = absences.add_for(by=omar, client=kit, first_on=DEC_1, last_on=DEC_3, at=NOW)
    answer = post(as_user(maya), reverse("client_absence_remove", args=[sam.pk, row.pk]))
    assert (answer.status_code, ClientAbsence.objects.count()) == (404, 1)
    post(as_user(omar), reverse("client_absence_remove", args=[kit.pk, row.pk]))
    assert ClientAbsence.objects.count() == 0


def test_nothing_is_written_for_a_client_who_left(maya: User, sam: Client, as_user: As, post: Post) -> None:
    Client.objects.filter(pk=sam.pk).update(status=Client.Status.DISCHARGED)
    answer = post(as_user(maya), reverse("client_absences", args=[sam.pk]), DAYS)
    assert "This client was discharged." in text(answer) and ClientAbsence.objects.count() == 0


# --- A client, as they say it themselves -----------------------------------------------------------------------------


def test_client_tells_days_and_the_therapist_is_told_while_nothing_moves(maya: User, sam: Client) -> None:
    hit, _later = booked(sam, maya, 2, 9)
    browser = at_home(sam)
    answer = send(browser, "/my/plan/away/", DAYS)
    assert (answer.status_code, answer["Location"]) == (303, "/my/plan/away/")
    said = text(browser.get("/my/plan/away/"))
    assert "Saved. Maya sees it." in said
    assert "Dec 1, 2026 to Dec 3, 2026 Booked then: Ketamine session, Wed Dec 2, 10:00 am" in said
    assert "You cannot come: Dec 1, 2026 to Dec 3, 2026." in text(browser.get("/my/plan/"))
    row = ClientAbsence.objects.get()
    (task,) = Task.objects.filter(client=sam, kind="todo", done_at=None)
    assert (task.subject_id, task.owner, task.due_at) == (row.pk, maya, hit.starts_at)
    assert why(task) == "The client cannot come on a day that is booked. Find another day with them."
    hit.refresh_from_db()
    assert (hit.state, hit.starts_at) == (State.PLANNED, NOW.replace(month=12, day=2))
    event = AuditEvent.objects.get(action="client_absence.added")
    assert (event.actor_kind, event.client_id, event.facts) == ("client", sam.pk, {})


def test_days_without_a_session_are_told_too(sam: Client) -> None:
    send(at_home(sam), "/my/plan/away/", {"first_on": "2026-12-01"})
    (task,) = Task.objects.filter(client=sam, kind="todo")
    assert why(task) == "The client told of days on which they cannot come. Plan around them."


def test_what_waits_for_the_prescriber_has_no_day_on_the_clients_page(maya: User, sam: Client) -> None:
    booked(sam, maya, 2, state=State.WAITING)
    browser = at_home(sam)
    send(browser, "/my/plan/away/", DAYS)
    assert "Booked then" not in text(browser.get("/my/plan/away/"))


def test_client_takes_days_back_and_the_item_goes(sam: Client, kit: Client, omar: User) -> None:
    browser = at_home(sam)
    send(browser, "/my/plan/away/", DAYS)
    foreign = absences.add_for(by=omar, client=kit, first_on=DEC_1, last_on=DEC_3, at=NOW)
    mine = ClientAbsence.objects.get(client=sam)
    for row in (mine, foreign, mine):
        answer = send(browser, f"/my/plan/away/{row.pk}/remove/")
        assert (answer.status_code, answer["Location"]) == (303, "/my/plan/away/")
    assert list(ClientAbsence.objects.all()) == [foreign]
    assert Task.objects.filter(client=sam, kind="todo", done_at=None).count() == 0


def test_client_is_told_what_to_change(sam: Client) -> None:
    browser = at_home(sam)
    answer = send(browser, "/my/plan/away/", {"first_on": "2026-12-03", "last_on": "2026-12-01"})
    assert answer.status_code == 400
    assert "The last day comes before the first. Change one of them." in text(answer)
    assert 'value="2026-12-03"' in answer.content.decode()


def test_days_are_those_of_the_clients_own_calendar(maya: User, sam: Client) -> None:
    """A session at 8 pm in New York is the next day in Tokyo."""
    Client.objects.filter(pk=sam.pk).update(zone="Asia/Tokyo")
    (row,) = booked(sam, maya, 1)
    Session.objects.filter(pk=row.pk).update(
        starts_at=NOW.replace(month=12, day=2, hour=1)
    )  # Dec 1, 8 pm; Dec 2, 10 am
    sam.refresh_from_db()
    one = absences.add_for(by=maya, client=sam, first_on=DEC_1, last_on=DEC_1, at=NOW)
    two = absences.add_for(by=maya, client=sam, first_on=date(2026, 12, 2), last_on=date(2026, 12, 2), at=NOW)
    found = absences.booked(sam, [one, two], NOW)
    assert [[s.pk for s in found[each.pk]] for each in (one, two)] == [[], [row.pk]]
