"""What a client is told of who reads and when, while their therapist is away (feature L2)."""

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import pytest
import time_machine
from django.test import Client as Browser

from intake import actions as intake
from practice import coverage
from practice.kap.models import Absence
from practice.models import Client, Practice, User
from tests.conftest import send
from tests.factories import NOW
from tests.homes import at_home

pytestmark = pytest.mark.django_db
THURSDAY = NOW.date()


@pytest.fixture(autouse=True)
def _thursday_at_ten() -> Iterator[None]:
    with time_machine.travel(NOW, tick=False):
        yield


def away(user: User, first: date, last: date) -> Absence:
    return Absence.objects.create(user=user, first_on=first, last_on=last, by=user)


def noon(day: str) -> datetime:
    return datetime.fromisoformat(f"{day} 17:00").replace(tzinfo=UTC)  # noon in New York, in winter


@pytest.mark.parametrize(
    ("absences", "read"),
    [
        ([], "2026-11-19"),
        ([(0, 0)], "2026-11-20"),  # today
        ([(1, 5)], "2026-11-19"),  # from tomorrow
        ([(0, 1)], "2026-11-23"),  # until Friday: Monday
        ([(0, 1), (4, 4)], "2026-11-24"),  # one after another
        ([(-9, -1)], "2026-11-19"),  # over
    ],
)
def test_nobody_is_promised_a_reader_who_is_away(
    house: Practice, maya: User, absences: list[tuple[int, int]], read: str
) -> None:
    for first, last in absences:
        away(maya, THURSDAY + timedelta(days=first), THURSDAY + timedelta(days=last))
    assert coverage.read_by(NOW, house, maya) == noon(read)


def test_absence_of_somebody_else_changes_no_promise(house: Practice, maya: User, omar: User) -> None:
    away(omar, THURSDAY, THURSDAY + timedelta(days=9))
    assert coverage.read_by(NOW, house, maya) == noon("2026-11-19")
    assert coverage.read_by(NOW, house) == noon("2026-11-19")


def home(client: Client) -> str:
    browser = Browser()
    at_home(client, browser)
    return " ".join(re.sub(r"<[^>]*>", " ", browser.get("/my/home/").content.decode()).split())


def test_home_says_who_is_away_until_when_and_who_covers(maya: User, omar: User, sam: Client) -> None:
    User.objects.filter(pk=maya.pk).update(backup=omar)
    assert "is away" not in home(sam)
    away(maya, THURSDAY - timedelta(days=2), THURSDAY + timedelta(days=8))
    page = home(sam)
    assert (
        "Maya is away until Nov 27, 2026 and reads what you send after that. Omar Haddad covers. "
        "To speak with somebody sooner, call 555 0110." in page
    )


@pytest.mark.parametrize("cover", ["away", "left", "nobody"])
def test_nobody_is_named_as_cover_who_does_not_cover(maya: User, omar: User, sam: Client, cover: str) -> None:
    if cover != "nobody":
        User.objects.filter(pk=maya.pk).update(backup=omar)
    if cover == "left":
        User.objects.filter(pk=omar.pk).update(is_active=False)
    for user in (maya, omar) if cover == "away" else (maya,):
        away(user, THURSDAY, THURSDAY + timedelta(days=8))
    page = home(sam)
    assert ("Maya is away until Nov 27, 2026" in page, "covers" in page) == (True, False)


def test_page_before_the_questions_promises_the_day_after_the_absence(
    maya: User, on_call: User, sam: Client, house: Practice
) -> None:
    invitation = intake.invite(by=maya, client=sam, key="check-in", at=NOW)
    browser = Browser()
    send(browser, invitation.path)
    before = " ".join(browser.get("/my/").content.decode().split())
    away(maya, THURSDAY, THURSDAY + timedelta(days=8))
    after = " ".join(browser.get("/my/").content.decode().split())
    assert "If you send them now, that is by Thu Nov 19, 12:00 pm." in before
    assert "If you send them now, that is by Mon Nov 30, 12:00 pm." in after
