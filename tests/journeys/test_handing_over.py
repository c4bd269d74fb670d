"""Handing clients over, the list of tasks, and somebody who leaves, as staff see them (journeys, script 3, step 7)."""

from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from practice.kap.models import Absence, Plan, Session
from practice.models import Client, Note, Task, User
from tests import factories
from tests.homes import at_home
from tests.journeys.conftest import Look, Window

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.story]


@pytest.fixture
def caseload_of_three(maya: User, sam: Client) -> list[Client]:
    now = timezone.now()
    found = [sam, factories.client(maya, "Ada Birch"), factories.client(maya, "Ben Alder")]
    for client, kind, days in zip(found, ("missed", "quiet", "todo"), (-1, 1, 3), strict=True):
        Task.open(client, kind, at=now, due_at=now + timedelta(days=days), owner=maya, days=14)
    return found


def test_supervisor_hands_two_clients_over_and_a_full_therapist_needs_a_reason(
    staff_window: Window, both: Look, sol: User, maya: User, omar: User, caseload_of_three: list[Client]
) -> None:
    User.objects.filter(pk=omar.pk).update(supervisor=sol, most_clients=1)
    factories.client(omar, "Kit Larkspur")
    page = staff_window(sol)
    page.goto("/practice/move/")
    both(page, "move")
    page.get_by_label("Ada Birch").check()
    page.get_by_label("Ben Alder").check()
    page.get_by_label("New therapist").select_option(label="Omar Haddad, 1 of 1 client")
    page.get_by_role("button", name="Hand over").click()
    expect(page.locator("main")).to_contain_text("Omar Haddad takes 1 client and would have more then.")
    both(page, "move-full")
    expect(page.get_by_label("Ada Birch")).to_be_checked()
    page.get_by_label("Why").fill("Maya is away until March")
    page.get_by_role("button", name="Hand over").click()
    expect(page.locator("main")).to_contain_text("2 clients are with Omar Haddad now.")
    assert Client.objects.filter(therapist=omar).count() == 3
    page.goto(f"/practice/move/?client={caseload_of_three[1].pk}")
    expect(page.locator("main")).to_contain_text("Maya Torres to Omar Haddad")
    both(page, "move-one")


def test_therapist_finishes_several_tasks_with_one_line(
    staff_window: Window, both: Look, maya: User, caseload_of_three: list[Client]
) -> None:
    page = staff_window(maya)
    page.goto("/caseload/")
    page.get_by_role("link", name="Tasks").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Tasks")
    both(page, "tasks")
    page.get_by_role("button", name="Done").click()
    expect(page.locator("main")).to_contain_text("Tick one item or more.")
    both(page, "tasks-error")
    page.get_by_label("Tick Quiet client, Ada Birch").check()
    page.get_by_label("Tick To do, Ben Alder").check()
    page.get_by_label("What was done").fill("Called, both are well")
    page.get_by_role("button", name="Done").click()
    expect(page.locator("main")).to_contain_text("2 items are done, and kept as notes.")
    assert sorted(Note.objects.values_list("client__number", flat=True)) == [
        client.number for client in caseload_of_three[1:]
    ]
    page.get_by_role("link", name="Late").click()
    expect(page.locator("main tbody tr")).to_have_count(1)


def test_admin_lets_somebody_go_and_nothing_is_left_behind(
    staff_window: Window, both: Look, rosa: User, maya: User, omar: User, sol: User, caseload_of_three: list[Client]
) -> None:
    now = timezone.now()
    plan = Plan.objects.create(client=caseload_of_three[0], shape="weekly", started_on=now.date(), therapist=maya)
    Session.objects.create(plan=plan, kind="dosing", number=1, starts_at=now + timedelta(days=2), therapist=maya)
    factories.client(None, "Una Alone")
    page, theirs = staff_window(rosa), staff_window(maya)
    theirs.goto("/caseload/")
    page.goto("/practice/people/")
    expect(page.locator("main")).to_contain_text("1 client has no therapist.")
    both(page, "people-alarm")
    page.goto(f"/practice/people/{maya.pk}/leave/")
    expect(page.locator("main")).to_contain_text("3 clients to hand over")
    expect(page.locator("main")).to_contain_text("3 open tasks go to the therapists of the clients they are about.")
    both(page, "leave")
    page.get_by_label("Who becomes the therapist of their clients").select_option(label="Omar Haddad, 0 clients")
    page.get_by_role("button", name="Close the account of Maya").click()
    expect(page.locator("main")).to_contain_text("Maya Torres has left. 3 clients were handed over.")
    theirs.goto("/caseload/")
    assert "/account/login/" in theirs.url
    assert set(Task.objects.values_list("owner", flat=True)) == {omar.pk}


def test_client_reads_who_is_away(window: Window, both: Look, maya: User, omar: User, sam: Client, up: str) -> None:
    User.objects.filter(pk=maya.pk).update(backup=omar)
    today = factories.today()
    Absence.objects.create(user=maya, first_on=today - timedelta(days=1), last_on=today + timedelta(days=6), by=maya)
    page, browser = window(), at_home(sam)
    page.context.add_cookies(
        [{"name": name, "value": cookie.value, "url": up} for name, cookie in browser.cookies.items()]
    )
    page.goto("/my/home/")
    expect(page.locator("main")).to_contain_text("Omar Haddad covers.")
    both(page, "home-away")
