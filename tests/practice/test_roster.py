"""The page of the coverage roster: adding and taking away hours, and the gaps in words."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client as Browser

from practice import coverage
from practice.access import Role
from practice.models import AuditEvent, CoverageShift, Site, User
from tests import factories

As = Callable[[User], Browser]
Post = Callable[..., Any]
pytestmark = pytest.mark.django_db
URL = "/practice/coverage/"


def words(response: Any) -> str:
    return " ".join(re.sub(r"<[^>]*>", " ", response.content.decode()).split())


def form(person: User, **changed: Any) -> dict[str, Any]:
    return {"user": str(person.pk), "weekdays": [0, 1], "starts": "08:00", "ends": "20:00", **changed}


def shifts() -> list[tuple[int, str, str]]:
    return [(s.weekday, f"{s.starts:%H:%M}", f"{s.ends:%H:%M}") for s in CoverageShift.objects.all()]


def test_hours_are_added_for_several_days_and_taken_away(as_user: As, post: Post, rosa: User, omar: User) -> None:
    browser = as_user(rosa)
    assert "Nobody is on call, at no time of the week." in words(browser.get(URL))
    assert post(browser, URL, form(omar))["Location"] == URL
    assert shifts() == [(0, "08:00", "20:00"), (1, "08:00", "20:00")]
    page = words(browser.get(URL))
    assert "Nobody is on call Mon 8 pm to Tue 8 am. Nobody is on call Tue 8 pm to Mon 8 am." in page
    assert "Omar Haddad has no phone for urgent text messages." in page
    first = CoverageShift.objects.order_by("weekday")[0]
    assert post(browser, f"{URL}{first.pk}/remove/")["Location"] == URL
    assert post(browser, f"{URL}{first.pk}/remove/")["Location"] == URL  # in a second window
    assert "That was taken off the roster already." in words(browser.get(URL))
    assert shifts() == [(1, "08:00", "20:00")]
    actions = AuditEvent.objects.filter(action__startswith="coverage.").values_list("action", flat=True)
    assert sorted(actions) == ["coverage.added", "coverage.added", "coverage.removed"]


def test_same_hours_twice_are_one_row(as_user: As, post: Post, rosa: User, omar: User) -> None:
    for _ in range(2):
        post(as_user(rosa), URL, form(omar))
    assert CoverageShift.objects.count() == 2


def test_night_is_said_as_the_next_morning(as_user: As, post: Post, rosa: User, omar: User) -> None:
    post(as_user(rosa), URL, form(omar, starts="20:00", ends="08:00"))
    post(as_user(rosa), URL, form(omar, starts="12:00", ends="00:00"))
    page = words(as_user(rosa).get(URL))
    assert "8:00 pm to 8:00 am next morning Omar Haddad" in page
    assert "12:00 pm to midnight Omar Haddad" in page


@pytest.mark.parametrize(
    "changed",
    [
        {"weekdays": []},
        {"weekdays": [9]},
        {"starts": ""},
        {"ends": "8 o'clock"},
        {"ends": "08:00"},
        {"user": ""},
        {"user": "x"},
    ],
)
def test_bad_hours_are_said(as_user: As, post: Post, rosa: User, omar: User, changed: dict[str, Any]) -> None:
    response = post(as_user(rosa), URL, form(omar, **changed))
    assert (response.status_code, shifts()) == (400, [])
    assert "There is a problem" in words(response)


def test_only_people_who_can_act_on_a_flag_are_offered(
    as_user: As, post: Post, rosa: User, fay: User, gone: User, maya: User, north: Site
) -> None:
    offered = re.findall(r"<option value=\"[^\"]*\">([^<]*)</option>", as_user(rosa).get(URL).content.decode())
    assert offered == ["Maya Torres", "Sol Amari"] * 2  # for the whole week, and for some hours
    both = factories.staff("Bo Both", Role.ADMIN, Role.SUPERVISOR, sites=(north,))
    for user in (rosa, fay, gone):
        assert post(as_user(rosa), URL, form(user)).status_code == 400
    assert post(as_user(rosa), URL, form(both)).status_code == 302


def test_only_admins_plan_the_roster(as_user: As, post: Post, maya: User, sol: User, fay: User, omar: User) -> None:
    CoverageShift.objects.create(user=omar, weekday=0, starts="08:00", ends="20:00")
    row = CoverageShift.objects.get()
    for user in (maya, sol, fay):
        browser = as_user(user)
        got = [browser.get(URL), post(browser, URL, form(maya)), post(browser, f"{URL}{row.pk}/remove/")]
        assert [response.status_code for response in got] == [403] * 3
    assert shifts() == [(0, "08:00", "20:00")]
    assert as_user(maya).get(f"{URL}{row.pk}/remove/").status_code == 403


def test_whole_week_is_one_act_and_taken_back_in_one(as_user: As, post: Post, rosa: User, omar: User) -> None:
    """Feature O7: one press covers every hour; a second press and hours that were there already change nothing."""
    browser = as_user(rosa)
    assert "Put on call the whole week" in words(browser.get(URL))
    post(browser, URL, form(omar, weekdays=[3], starts="00:00", ends="12:00"))
    for _ in range(2):
        assert post(browser, URL, {"user": str(omar.pk), "week": "1"})["Location"] == URL
    assert coverage.gaps(coverage.shifts()) == []
    assert CoverageShift.objects.count() == AuditEvent.objects.filter(action="coverage.added").count() == 14
    page = words(browser.get(URL))
    assert "Somebody is on call at every hour of the week." in page
    assert "Put on call the whole week" not in page
    first = CoverageShift.objects.first()
    assert first is not None
    post(browser, f"{URL}{first.pk}/remove/", {"all": "1"})
    assert CoverageShift.objects.count() == 0
    assert AuditEvent.objects.filter(action="coverage.removed").count() == 14


def test_whole_week_needs_somebody_who_may_act(as_user: As, post: Post, rosa: User, fay: User, omar: User) -> None:
    for user in (str(fay.pk), str(rosa.pk), "", "x"):
        assert post(as_user(rosa), URL, {"user": user, "week": "1"}).status_code == 400
    assert shifts() == []


def test_taking_one_person_off_leaves_the_others(as_user: As, post: Post, rosa: User, omar: User, sol: User) -> None:
    for person in (omar, sol):
        post(as_user(rosa), URL, form(person))
    post(as_user(rosa), f"{URL}{sol.shifts.all()[0].pk}/remove/", {"all": "1"})
    assert {shift.user for shift in CoverageShift.objects.all()} == {omar}


def test_nobody_who_can_be_on_call_is_said_with_the_way_out(as_user: As, rosa: User) -> None:
    page = words(as_user(rosa).get(URL))
    assert "Nobody can be on call yet" in page
    assert "Add hours" not in page
