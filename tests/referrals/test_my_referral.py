"""The client sees where their referral stands, in plain words, and says how it went."""

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client as Browser

from practice.models import AuditEvent, Client, Notice, User
from referrals.actions import clocks, events
from referrals.models import ClientWord, Referral, StatusChange
from referrals.states import Actor, Event, State
from tests.conftest import send
from tests.factories import NOW
from tests.homes import at_home
from tests.referrals.referring import clinic, happens, referral_in

PAGE = "/my/referral/"
DAY = timedelta(days=1)
# Words of care, scores and reasons that a client does not read about themselves here.
CLINICAL = re.compile(
    r"ketamin|infusion|depress|suicid|phq|score|severe|risk|diagnos|declin|urgent|routine", re.IGNORECASE
)


@pytest.fixture(autouse=True)
def clock() -> Iterator[Any]:
    with time_machine.travel(NOW, tick=False) as now:
        yield now


@pytest.fixture
def quiet(maya: User) -> Any:
    """A clinic whose own name says nothing."""
    return clinic("Cedar House East", phone="555 0100")


def read(browser: Browser) -> str:
    html = browser.get(PAGE).content.decode()
    main = html[html.index("<main") : html.index("</main>")]
    return " ".join(re.sub(r"<[^>]+>", " ", main).split())


def say(browser: Browser, referral: Referral, said: str, **more: Any) -> Any:
    return send(browser, PAGE, {"referral": str(referral.pk), "said": said, **more})


def items(client: Client) -> list[tuple[str, str]]:
    return [(task.kind, task.facts["said"]) for task in client.tasks.filter(done_at=None, kind="client_says")]


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (State.SENT, "We sent it. They have not opened it yet; we keep asking."),
        (State.ACCEPTED, "They said yes. They will give you a day for your first visit."),
        (State.DECLINED, "They cannot take you. Maya will talk with you about another way."),
        (State.ACTIVE, "You are being looked after there."),
        (State.SCHEDULED, "Your next visit is on Sat Nov 21, 10:00 am."),
        (State.NO_SHOW, "They say that you were not there. That happens. Maya will talk with you about it."),
        (State.VISIT_CANCELLED, "There is no day for your next visit yet."),
        (State.VISITED, "Your last visit is done. There is no day for the next one yet."),
        (State.CANCEL_ASKED, "We asked them to take this back. They have not confirmed it yet."),
        (State.CANCELLED, "This was taken back. Nothing is open there."),
        (State.COMPLETED, "They have finished and written to Maya. Maya will talk with you about it."),
    ],
)
def test_every_state_in_plain_words(sam: Client, maya: User, quiet: Any, state: State, words: str) -> None:
    referral_in(state, sam, maya, quiet, urgency="urgent", has_safety_sign=True)
    page = read(at_home(sam))
    assert words in page
    assert CLINICAL.findall(page) == []


def test_draft_is_nobodys_business(sam: Client, maya: User) -> None:
    referral_in(State.DRAFT, sam, maya)
    browser = at_home(sam)
    assert "No referral now." in read(browser)
    assert "Your referral" not in browser.get("/my/home/").content.decode()


def test_yes_that_was_taken_back_is_not_told(sam: Client, maya: User, quiet: Any) -> None:
    """Only what stands: not an entry that somebody corrected, and the day of the one that came after it."""
    row = referral_in(State.ACCEPTED, sam, maya, quiet)
    assert "They said yes on" in read(at_home(sam))
    yes = StatusChange.objects.get(referral=row, event=Event.ACCEPT)
    events.correct(yes, by=maya, reason="It was about another client.", at=NOW)
    assert "They said yes on" not in read(at_home(sam))
    row.refresh_from_db()
    events.record(row, Event.ACCEPT, Actor.RECIPIENT, at=NOW, by=maya, channel="phone")
    page = read(at_home(sam))
    assert (page.count("They said yes on"), "They said yes on Thu Nov 19" in page) == (1, True)


def test_steps_and_sessions_are_told(sam: Client, maya: User, quiet: Any) -> None:
    row = referral_in(State.ACCEPTED, sam, maya, quiet)
    for number in (1, 2):
        events.done(row, number, by=maya, channel="phone", at=NOW)
    events.book(row, 3, (NOW + 2 * DAY).date(), by=maya, channel="phone", at=NOW)
    page = read(at_home(sam))
    assert "Your next visit is on Sat Nov 21." in page  # no time was given: none is made up
    assert "They said yes on" in page
    assert "2 of 6 sessions are done." in page
    assert "You need a ride home" in page
    assert "To move a visit, call them: 555 0100" in page


def test_home_names_the_next_thing(sam: Client, maya: User, quiet: Any) -> None:
    referral_in(State.SCHEDULED, sam, maya, quiet)
    browser = at_home(sam)
    home = browser.get("/my/home/").content.decode()
    assert "One thing for you" in home
    assert "Your next visit is on Sat Nov 21, 10:00 am." in home
    assert 'href="/my/referral/"' in home


def test_client_confirms_the_visit(sam: Client, maya: User, quiet: Any) -> None:
    row = referral_in(State.SCHEDULED, sam, maya, quiet)
    browser = at_home(sam)
    assert "Will you be there on Sat Nov 21, 10:00 am?" in read(browser)
    assert say(browser, row, "confirmed")["Location"] == PAGE
    page = read(browser)
    assert "Thank you. You said that you will be there." in page
    assert "Will you be there" not in page
    assert Referral.objects.get(pk=row.pk).visit_confirmed_at == NOW
    assert items(sam) == []
    say(browser, row, "confirmed")
    assert ClientWord.objects.count() == 1


def test_visit_that_is_over_is_not_confirmed(sam: Client, maya: User, quiet: Any, clock: Any) -> None:
    row = referral_in(State.SCHEDULED, sam, maya, quiet)
    clock.move_to(NOW + 3 * DAY)
    browser = at_home(sam)
    say(browser, row, "confirmed")
    assert "The day of your visit has changed. Please look again." in read(browser)
    assert ClientWord.objects.count() == 0


@pytest.mark.parametrize("said", ["went", "not_yet", "told_no", "changed"])
def test_word_of_the_client_reaches_the_therapist_and_changes_nothing(
    sam: Client, maya: User, quiet: Any, said: str
) -> None:
    row = referral_in(State.ACCEPTED, sam, maya, quiet)
    say(at_home(sam), row, said, words="I moved to Ohio.")
    word = ClientWord.objects.get()
    assert (word.kind, word.words, word.at) == (said, "I moved to Ohio.", NOW)
    assert items(sam) == [("client_says", said)]
    now = Referral.objects.get(pk=row.pk)
    assert (now.state, now.version, now.client_said) == (State.ACCEPTED, row.version, said)
    assert AuditEvent.objects.filter(action="referral.client_said", actor_kind="client").count() == 1


def test_after_ten_days_of_silence_the_client_is_asked(sam: Client, maya: User, quiet: Any, clock: Any) -> None:
    row = referral_in(State.ACCEPTED, sam, maya, quiet)
    assert "Did you go?" not in read(at_home(sam))
    clock.move_to(NOW + 10 * DAY)
    clocks.ask_clients(at=NOW + 10 * DAY)
    browser = at_home(sam)
    assert "Did you go?" in browser.get("/my/home/").content.decode()
    assert "Did you go?" in read(browser)
    say(browser, row, "not_yet")
    assert "Did you go?" not in read(browser)
    assert items(sam) == [("client_says", "not_yet")]


def test_day_after_a_visit_the_page_asks_by_itself(sam: Client, maya: User, quiet: Any, clock: Any) -> None:
    row = referral_in(State.SCHEDULED, sam, maya, quiet)
    clock.move_to(NOW + 3 * DAY)
    browser = at_home(sam)
    assert "Did you go?" in read(browser)
    say(browser, row, "went")
    assert "Did you go?" not in read(browser)


@pytest.mark.parametrize("state", [State.DECLINED, State.CANCELLED, State.COMPLETED])
def test_what_has_ended_takes_no_word(sam: Client, maya: User, quiet: Any, state: State) -> None:
    row = referral_in(state, sam, maya, quiet)
    browser = at_home(sam)
    say(browser, row, "went")
    assert "This has ended. If something is open for you, ask us to call you." in read(browser)
    assert ClientWord.objects.count() == 0


def test_messages_are_turned_off_and_on(sam: Client, maya: User, quiet: Any) -> None:
    row = referral_in(State.SENT, sam, maya, quiet)
    browser = at_home(sam)
    Notice.objects.all().delete()
    send(browser, PAGE, {"referral": str(row.pk), "messages": "off"})
    assert "You get no more messages about this." in read(browser)
    row.refresh_from_db()
    happens(row, Event.ACCEPT, maya)
    assert Notice.objects.filter(client=sam).count() == 0
    send(browser, PAGE, {"referral": str(row.pk), "messages": "on"})
    assert Referral.objects.get(pk=row.pk).client_told


def test_other_clients_referral_is_not_found(sam: Client, kit: Client, maya: User, omar: User, quiet: Any) -> None:
    """Wrong person: another client's id in the form, and a browser without a way in."""
    theirs = referral_in(State.SCHEDULED, kit, omar, quiet)
    browser = at_home(sam)
    assert "Cedar House East" not in read(browser)
    for said in ({"said": "changed"}, {"messages": "off"}, {"said": "confirmed"}):
        assert send(browser, PAGE, {"referral": str(theirs.pk), **said}).status_code == 404
    now = Referral.objects.get(pk=theirs.pk)
    assert (now.client_told, now.visit_confirmed_at, ClientWord.objects.count()) == (True, None, 0)
    assert Browser().get(PAGE)["Location"] == "/my/locked/"


@pytest.mark.parametrize(
    "data",
    [{"said": "launch"}, {"said": ""}, {}, {"said": "went", "words": "x" * 1001}],
    ids=["unknown", "empty", "none", "too long"],
)
def test_form_that_is_not_ours_gets_a_sentence(sam: Client, maya: User, quiet: Any, data: dict[str, str]) -> None:
    row = referral_in(State.SENT, sam, maya, quiet)
    browser = at_home(sam)
    send(browser, PAGE, {"referral": str(row.pk), **data})
    assert "We did not understand that. Please press one of the buttons." in read(browser)
    assert ClientWord.objects.count() == 0


@pytest.mark.parametrize("pk", ["", "x", "0" * 32])
def test_id_that_is_none_is_not_found(sam: Client, maya: User, quiet: Any, pk: str) -> None:
    referral_in(State.SENT, sam, maya, quiet)
    assert send(at_home(sam), PAGE, {"referral": pk, "said": "went"}).status_code == 404


def test_next_clinic_stands_above_the_one_that_said_no(sam: Client, maya: User, quiet: Any) -> None:
    referral_in(State.DECLINED, sam, maya, quiet)
    referral_in(State.SENT, sam, maya, clinic("Birch House"))
    page = read(at_home(sam))
    assert page.index("Birch House") < page.index("Before that") < page.index("Cedar House East: They cannot take you.")


def test_reading_is_recorded(sam: Client, maya: User, quiet: Any) -> None:
    referral_in(State.SENT, sam, maya, quiet)
    browser = at_home(sam)
    browser.get(PAGE)
    assert AuditEvent.objects.filter(action="read.my_referral", client_id=sam.pk, actor_kind="client").count() == 1


def test_markup_of_the_client_stays_text(sam: Client, maya: User, quiet: Any) -> None:
    row = referral_in(State.SENT, sam, maya, quiet)
    browser = at_home(sam)
    say(browser, row, "changed", words="<script>alert(1)</script>")
    assert "<script>alert(1)" not in browser.get(PAGE).content.decode()
