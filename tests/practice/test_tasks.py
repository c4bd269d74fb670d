"""The list of what is open: whose, by when, done and given away several at once (feature I6)."""

import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext

from practice import actions
from practice.models import AuditEvent, Client, Note, Task, User
from practice.models.tasks import KINDS
from practice.views.tasks import IN_BULK
from tests import factories
from tests.factories import NOW

As = Callable[[User], Browser]
Post = Callable[..., Any]
pytestmark = pytest.mark.django_db
TASKS = "/tasks/"


@pytest.fixture(autouse=True)
def _thursday_at_ten() -> Iterator[None]:
    with time_machine.travel(NOW, tick=False):
        yield


def words(response: Any) -> str:
    return " ".join(re.sub(r"<[^>]*>", " ", response.content.decode()).split())


def shown(response: Any) -> list[str]:
    return re.findall(r'<td role="cell" class="who"><a href="[^"]*">([^<]*)</a>', response.content.decode())


def act(post: Post, browser: Browser, tasks: list[Any], **said: str) -> Any:
    return post(browser, TASKS, {"task": [str(getattr(task, "pk", task)) for task in tasks], "act": "done", **said})


def test_list_names_client_owner_day_and_the_next_step_soonest_first(as_user: As, maya: User, sam: Client) -> None:
    ada = factories.client(maya, "Ada First")
    Task.open(sam, "todo", at=NOW, due_at=NOW + timedelta(days=2))
    Task.open(ada, "missed", at=NOW, due_at=NOW - timedelta(hours=5))
    Task.open(ada, "unfinished", at=NOW)
    response = as_user(maya).get(TASKS)
    assert shown(response) == ["Ada First", "Sam Whitehorse", "Ada First"]
    page = words(response)
    assert "Missed session A session did not take place. Maya Torres" in page
    assert "Follow-up 5 h late" in page
    assert "Form not back" in page.split("No day")[0]


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", ["Cyd Late", "Ben Today", "Sam Whitehorse", "Ada Never"]),
        ("when=late", ["Cyd Late"]),
        ("when=today", ["Cyd Late", "Ben Today"]),
        ("when=week", ["Cyd Late", "Ben Today", "Sam Whitehorse"]),
        ("whose=mine", ["Cyd Late", "Ben Today", "Ada Never"]),
        ("whose=nobody", ["Sam Whitehorse"]),
        ("whose=mine&when=late", ["Cyd Late"]),
    ],
)
def test_filters_stand_in_the_address(
    as_user: As, maya: User, gone: User, sam: Client, query: str, names: list[str]
) -> None:
    days = {"Ada Never": None, "Ben Today": timedelta(hours=3), "Cyd Late": -timedelta(hours=1)}
    for name, until in days.items():
        due_at = None if until is None else NOW + until
        Task.open(factories.client(maya, name), "todo", at=NOW, due_at=due_at)
    Task.open(sam, "todo", at=NOW, due_at=NOW + timedelta(days=3), owner=gone)
    assert shown(as_user(maya).get(f"{TASKS}?{query}")) == names


def test_each_sees_the_items_of_their_own_clients(
    as_user: As, maya: User, omar: User, sol: User, fay: User, rosa: User, sam: Client, kit: Client
) -> None:
    for client in (sam, kit):
        Task.open(client, "missed", at=NOW)
        Task.open(client, "new_intake", at=NOW, subject_id=client.pk)
    seen = {user.first_name: sorted(set(shown(as_user(user).get(TASKS)))) for user in (maya, omar, sol)}
    assert seen == {"Maya": ["Sam Whitehorse"], "Omar": ["Kit Larkspur"], "Sol": ["Sam Whitehorse"]}
    for user in (fay, rosa):
        response = as_user(user).get(TASKS)
        assert sorted(shown(response)) == ["Kit Larkspur", "Sam Whitehorse"]
        assert "Missed session" not in words(response)
        assert 'name="task"' not in response.content.decode()


@pytest.mark.parametrize("query", ["who=all", "whose=omar", "when=%00", "who=team"])
def test_unknown_filter_is_a_bad_request(as_user: As, maya: User, query: str) -> None:
    assert as_user(maya).get(f"{TASKS}?{query}").status_code == 400


def test_list_asks_the_database_the_same_for_any_number(as_user: As, maya: User, sol: User) -> None:
    browser, asked = as_user(sol), []
    browser.get(TASKS)
    for more in (1, 2):
        for n in range(more):
            Task.open(factories.client(maya, f"Ada {more}{n}"), "todo", at=NOW)
        with CaptureQueriesContext(connection) as caught:
            assert browser.get(TASKS).status_code == 200
        asked.append(len(caught))
    assert asked == [asked[0]] * 2


# --- Several at once -------------------------------------------------------------------------------------------------


def test_bulk_finishes_own_items_and_speaks_of_no_other(
    as_user: As, post: Post, maya: User, omar: User, sam: Client
) -> None:
    """Security check 12: three own and two foreign."""
    own = [Task.open(factories.client(maya, name), "todo", at=NOW) for name in ("Ada One", "Ben Two", "Cyd Three")]
    foreign = [Task.open(factories.client(omar, name), "todo", at=NOW) for name in ("Dot Foreign", "Eve Foreign")]
    browser = as_user(maya)
    response = act(post, browser, [*own, *foreign, "no-key"], words="Called, all well")
    page = words(browser.get(response["Location"]))
    assert "3 items are done, and kept as notes." in page
    assert "Foreign" not in page
    done = set(Task.objects.filter(done_by=maya).values_list("pk", flat=True))
    assert done == {task.pk for task in own}
    assert [(note.by, note.body) for note in Note.objects.all()] == [(maya, "Called, all well")] * 3
    events = AuditEvent.objects.filter(action="task.done").values_list("client_id", flat=True)
    assert set(events) == {task.client_id for task in own}


def test_items_about_safety_are_never_finished_in_bulk(as_user: As, post: Post, maya: User, sam: Client) -> None:
    actions.raise_manual_flag(by=maya, client=sam, severity="urgent", reason="Said goodbye", at=NOW)
    call = Task.open(sam, "call_me", at=NOW)
    missed = Task.open(sam, "missed", at=NOW)
    flag = Task.objects.get(kind="safety")
    browser = as_user(maya)
    refused = act(post, browser, [flag, call], words="Fine")
    assert refused.status_code == 400
    assert "What you ticked has a page of its own, where it is done." in words(refused)
    page = words(browser.get(act(post, browser, [flag, call, missed], words="Fine")["Location"]))
    assert "2 items have a page of their own, where they are done. They stay open." in page
    assert set(Task.objects.filter(done_at=None).values_list("kind", flat=True)) == {"safety", "call_me"}
    assert {KINDS[kind].tone for kind in IN_BULK} & {"safety"} == set()


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"words": ""}, "Write what was done."),
        ({"words": "x" * 5000}, "at most"),
        ({"act": "give", "to": ""}, "Choose a colleague."),
        ({"act": "give", "to": "x"}, "valid"),
    ],
)
def test_what_is_missing_is_said_and_what_was_ticked_stays(
    as_user: As, post: Post, maya: User, sam: Client, said: dict[str, str], why: str
) -> None:
    task = Task.open(sam, "todo", at=NOW)
    response = act(post, as_user(maya), [task], **{"words": "Done", **said})
    assert response.status_code == 400
    assert why in words(response)
    assert f'value="{task.pk}" checked' in response.content.decode()
    assert Task.objects.get().done_at is None


def test_nothing_ticked_is_said(as_user: As, post: Post, maya: User, sam: Client) -> None:
    Task.open(sam, "todo", at=NOW)
    assert "Tick one item or more." in words(act(post, as_user(maya), [], words="Done"))


def test_item_that_a_colleague_finished_first_is_left_as_it_is(
    as_user: As, post: Post, maya: User, sol: User, sam: Client
) -> None:
    task = Task.open(sam, "todo", at=NOW)
    actions.finish_task(by=sol, task=task, words="Done by Sol", at=NOW)
    assert "Tick one item or more." in words(act(post, as_user(maya), [task], words="Done"))
    assert Note.objects.get().body == "Done by Sol"


def test_item_is_given_to_a_colleague_who_may_see_the_client(
    as_user: As, post: Post, maya: User, omar: User, pax: User, sam: Client
) -> None:
    task, browser = Task.open(sam, "todo", at=NOW, owner=maya), as_user(maya)
    refused = act(post, browser, [task], act="give", to=str(omar.pk))
    assert "Omar Haddad does not look after these clients." in words(refused)
    other = Task.open(factories.client(maya, "Ada Other"), "todo", at=NOW)
    page = words(browser.get(act(post, browser, [task, other], act="give", to=str(pax.pk))["Location"]))
    assert "1 item is with Pax Lind now." in page
    assert "1 item stays where it was: Pax Lind does not look after the client." in page
    assert {row.client_id: row.owner for row in Task.objects.all()} == {sam.pk: pax, other.client_id: None}
    event = AuditEvent.objects.get(action="task.given")
    assert (event.client_id, event.facts) == (sam.pk, {"to": str(pax.pk)})


def test_who_may_not_write_in_records_changes_nothing(
    as_user: As, post: Post, fay: User, rosa: User, sam: Client
) -> None:
    task = Task.open(sam, "todo", at=NOW)
    for user in (fay, rosa):
        assert act(post, as_user(user), [task], words="Done").status_code == 403
    assert Task.objects.get().done_at is None


# --- Where the button leads ------------------------------------------------------------------------------------------


def ways(response: Any) -> list[tuple[str, str]]:
    found = re.findall(r'class="go"><a class="btn[^"]*" href="([^"]*)">([^<]*)<', response.content.decode())
    return sorted(found)


def test_item_whose_page_is_not_theirs_leads_to_the_chart(as_user: As, maya: User, pax: User, sam: Client) -> None:
    """A prescriber sees that a release is asked for; the page of permissions is not theirs."""
    Client.objects.filter(pk=sam.pk).update(prescriber=pax)
    chart = f"/clients/{sam.pk}/"
    Task.open(sam, "release", at=NOW)
    assert ways(as_user(pax).get("/caseload/")) == [(chart, "Open")]
    assert ways(as_user(maya).get("/caseload/")) == [(f"{chart}permissions/", "Open")]
    Task.open(sam, "record_copy", at=NOW)
    Task.open(sam, "plan_review", at=NOW)
    theirs = [(chart, "Open"), (chart, "Open"), (f"{chart}safety-plan/", "Review")]
    ours = [(f"{chart}copy/", "Open"), (f"{chart}permissions/", "Open"), (f"{chart}safety-plan/", "Review")]
    assert (ways(as_user(pax).get(TASKS)), ways(as_user(maya).get(TASKS))) == (theirs, ours)
    for user, listed in ((pax, theirs), (maya, ours)):
        browser = as_user(user)
        assert [browser.get(url).status_code for url, _label in listed] == [200, 200, 200]
        panel = browser.get(chart).content.decode().partition('id="todo"')[2].partition("</section>")[0]
        links = re.findall(r'href="([^"]*)"', panel)
        assert sorted(links) == [url for url, _label in listed if url != chart]


def test_item_of_a_client_one_stands_in_for_leads_to_what_one_may_open(
    as_user: As, maya: User, omar: User, sam: Client
) -> None:
    """Who was told of a flag reads the chart while it is open, and nothing that the cover does not give."""
    flag = actions.raise_manual_flag(by=maya, client=sam, severity="urgent", reason="x", at=NOW)
    flag.notices.create(user=omar, why="asked", rung=0, told_at=NOW)
    Task.open(sam, "release", at=NOW)
    chart = f"/clients/{sam.pk}/"
    theirs = ways(as_user(omar).get(TASKS))
    assert theirs == [(chart, "Open"), (f"{chart}alerts/{flag.pk}/", "Record contact")]
    assert [as_user(omar).get(url).status_code for url, _label in theirs] == [200, 200]


def test_where_the_buttons_lead_is_asked_once(as_user: As, pax: User, maya: User) -> None:
    browser, asked = as_user(pax), []
    browser.get(TASKS)
    for n in range(3):
        client = factories.client(maya, f"Robin{n} Bell", prescriber=pax)
        for kind in ("release", "record_copy", "plan_review"):
            Task.open(client, kind, at=NOW)
        with CaptureQueriesContext(connection) as caught:
            browser.get(TASKS)
        asked.append(len(caught))
    assert asked[0] == asked[2]
