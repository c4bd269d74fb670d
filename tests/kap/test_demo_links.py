"""The demo prints a link for each kind of person; each opens their first page, also when the demo is months old."""

import re
from collections.abc import Iterator
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
import time_machine
from django.core.management import CommandError, call_command
from django.db import transaction
from django.test import Client as Browser

from intake.models import Invitation
from intake.models.packets import HOME
from practice.kap.actions import requests
from practice.kap.demo import story
from practice.kap.models import ClearanceRequest
from practice.models import Client
from referrals.models import Referral
from tests.factories import NOW

pytestmark = pytest.mark.django_db

ROLES = ["therapist", "supervisor", "prescriber", "front desk", "admin"]
OTHERS = [
    "client, forms", "client, page", "trusted person", "guardian", "clinic", "outside prescriber", "adult at home",
]  # fmt: skip


@pytest.fixture(scope="module")
def cedar(django_db_setup: None, django_db_blocker: Any) -> Iterator[int]:
    with django_db_blocker.unblock(), transaction.atomic():
        yield story.tell(NOW)
        transaction.set_rollback(True)


@pytest.fixture
def at_home(settings: Any) -> None:
    settings.DEMO, settings.LOOPBACK = True, True


def printed() -> dict[str, str]:
    """What the command says, by whom it is for: the address without the host."""
    out = StringIO()
    call_command("demo_links", stdout=out)
    rows = re.findall(r"^  (\S.*?) +https?://[^/]+(/\S+)", out.getvalue(), re.MULTILINE)
    return dict(rows)


def opens(path: str) -> int:
    return Browser(REMOTE_ADDR="127.0.0.1").get(path).status_code


@pytest.mark.parametrize("days", [0, 7, 80])
def test_demo_links_open_for_every_kind_of_person(cedar: int, at_home: None, days: int) -> None:
    with time_machine.travel(NOW + timedelta(days=days), tick=False), transaction.atomic():
        links = printed()
        assert list(links) == ROLES + OTHERS
        assert {who: opens(path) for who, path in links.items()} == dict.fromkeys(links, 200)
        transaction.set_rollback(True)


def test_demo_links_stay_the_same_while_they_work(cedar: int, at_home: None) -> None:
    with time_machine.travel(NOW, tick=False), transaction.atomic():
        assert printed() == printed()
        transaction.set_rollback(True)


def test_demo_links_say_the_code_of_the_home_and_where_other_codes_are(
    cedar: int, at_home: None, settings: Any, tmp_path: Any
) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
    settings.DATA_DIR = tmp_path
    out = StringIO()
    with time_machine.travel(NOW, tick=False), transaction.atomic():
        call_command("demo_links", stdout=out)
        transaction.set_rollback(True)
    *_, adult, last = out.getvalue().splitlines()
    assert re.search(r"/c/\w+/ \(code \d{6}\)$", adult)
    assert last == f"  Where a page sends a code: it is in the newest file in {tmp_path}/mail (or sms)"


def test_demo_links_lead_to_invented_people_only(cedar: int, at_home: None) -> None:
    with time_machine.travel(NOW, tick=False), transaction.atomic():
        Client.objects.update(is_demo=False)
        assert list(printed()) == ROLES
        transaction.set_rollback(True)


def test_demo_links_leave_out_who_left_and_what_was_taken_back(cedar: int, at_home: None) -> None:
    with time_machine.travel(NOW, tick=False), transaction.atomic():
        Client.objects.update(status=Client.Status.DISCHARGED)
        assert list(printed()) == ROLES
        transaction.set_rollback(True)


def test_demo_links_show_an_answered_question_when_none_waits(cedar: int, at_home: None) -> None:
    with time_machine.travel(NOW, tick=False), transaction.atomic():
        before = printed()["outside prescriber"]
        requests.claim(request=ClearanceRequest.objects.get(), at=NOW, answer="Not this month.")
        assert printed()["outside prescriber"] == before
        ClearanceRequest.objects.update(taken_back_at=NOW)
        assert "outside prescriber" not in printed()
        transaction.set_rollback(True)


def test_demo_links_make_good_only_what_has_run_out(cedar: int, at_home: None) -> None:
    """A page that is open with an old link stays open: no link is made anew."""
    with time_machine.travel(NOW, tick=False), transaction.atomic():
        lives = [Invitation.objects.exclude(packet=HOME).order_by("pk").values_list("pk", "generation")]
        lives += [Referral.objects.order_by("pk").values_list("pk", "generation")]
        before = [list(rows) for rows in lives]
        printed()
        assert [list(rows.all()) for rows in lives] == before
        transaction.set_rollback(True)


@pytest.mark.parametrize(("demo", "loopback"), [(False, True), (True, False)])
def test_demo_links_refuse_away_from_this_machine(settings: Any, demo: bool, loopback: bool) -> None:
    settings.DEMO, settings.LOOPBACK = demo, loopback
    with pytest.raises(CommandError, match="loopback ORIGIN only"):
        call_command("demo_links")
