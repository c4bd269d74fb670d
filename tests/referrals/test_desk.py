"""What a clinic does on its page without an account (journeys.md, script 4)."""

from typing import Any

import pytest

from practice.models import Client, User
from referrals.models import Destination, Referral
from referrals.states import State
from tests.referrals import cases
from tests.referrals.desks import Coordinator, went_out, words


@pytest.fixture
def northlake(house: Any) -> Destination:
    return cases.clinic()


@pytest.fixture
def sent(sam: Client, maya: User, northlake: Destination) -> Referral:
    cases.released(sam, northlake)
    return went_out(sam, maya, northlake)


@pytest.fixture
def cleo(sent: Referral) -> Coordinator:
    return Coordinator(sent).come_in()


def test_first_look_shows_the_question_and_the_client(cleo: Coordinator) -> None:
    page = cleo.get()
    text = words(page)
    assert page.status_code == 200
    assert ("Can you take this client?" in text, "Sam Whitehorse" in text) == (True, True)
    cleo.referral.refresh_from_db()
    assert (cleo.referral.state, cleo.referral.opened_at is None) == (State.SENT, False)


def test_accepting_with_a_date_books_the_first_infusion(cleo: Coordinator) -> None:
    text = cleo.say("answer/", answer="accept", first="2026-12-01T09:30", who="Maria Lopez")
    assert "Sam Whitehorse (he/him): 0 of 6 infusions done" in text


def test_letter_page_opens(cleo: Coordinator) -> None:
    assert cleo.get("letter/").status_code == 200
    page = cleo.post("letter/", {"words": "She did well.", "last": "no"})
    assert page.status_code == 303
