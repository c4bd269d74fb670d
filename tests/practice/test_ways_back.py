"""The way back: a page that the practice's own page leads to says so, and the menu shows in which part one is."""

import re
from collections.abc import Callable

import pytest
from django.test import Client as Browser

from practice.models import User
from practice.views.rooms import rooms

As = Callable[[User], Browser]
pytestmark = pytest.mark.django_db
BACK = re.compile(r'<a class="back" href="([^"]*)">.*?</svg>([^<]*)</a>')
LIT = re.compile(r'href="([^"]*)"[^>]* aria-current="(page|true)"')


def test_each_room_of_the_practice_has_one_way_back(as_user: As, rosa: User) -> None:
    browser = as_user(rosa)
    shown = {room.url: browser.get(room.url).content.decode() for room in rooms(rosa)}
    assert {url: BACK.findall(page) for url, page in shown.items()} == {
        url: [("/practice/", "Practice")] for url in shown
    }


def test_person_who_has_no_practice_page_is_not_sent_to_it(as_user: As, sol: User) -> None:
    page = as_user(sol).get("/practice/break-glass/").content.decode()
    assert (BACK.findall(page), LIT.findall(page.split("</nav>")[0])) == ([], [])


def test_menu_lights_the_page_itself_and_what_is_further_in(as_user: As, rosa: User) -> None:
    browser = as_user(rosa)
    lit = {url: LIT.findall(browser.get(url).content.decode().split("</nav>")[0]) for url in PLACES}
    assert lit == PLACES


PLACES = {
    "/caseload/": [("/caseload/", "page")],
    "/reports/": [("/reports/", "page")],
    "/reports/safety/": [("/reports/", "true")],
    "/practice/forms/new/": [("/practice/", "true")],
    "/account/": [],
}


def test_new_people_lead_back_to_enquiries_for_those_who_answer_them(as_user: As, rosa: User, sol: User) -> None:
    found = {user: BACK.findall(as_user(user).get("/newcomers/").content.decode()) for user in (rosa, sol)}
    assert found == {rosa: [("/enquiries/", "Enquiries")], sol: []}
