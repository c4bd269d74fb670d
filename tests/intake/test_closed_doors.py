"""Every way in which a page can close while somebody has a safety question, or a call for help, open on it (law 1)."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client as Browser

from intake import actions, doors, measures, pauses, thread
from intake.models import Invitation, Message
from practice import actions as practice_actions
from practice import merging
from practice.models import Alert, AuditEvent, Client, Practice, Task, User
from tests import factories
from tests.conftest import send
from tests.factories import NOW
from tests.homes import at_home
from tests.intake.conftest import Phone, text_of

DAY = timedelta(days=1)
ITEM9, CSSRS6 = "phq-9--9", "cssrs-screener-recent--6"
HEARD, LOST = "/my/locked/?heard=1", "/my/locked/?lost=1"


class Scene:
    """The people, and one check-in that is open on a phone."""

    def __init__(self, phone: Phone, clock: Any, **people: Any) -> None:
        self.phone, self.clock = phone, clock
        self.sitting = str(phone.sitting.pk)
        self.sam, self.maya, self.rosa, self.omar = (people[name] for name in ("sam", "maya", "rosa", "omar"))

    def say(self, page: str, value: str, script: bool = False) -> Any:
        """What stands on a question that was shown before the door closed, by its button or by its script."""
        fields = {"answer": value, "sitting": self.sitting}
        if script:
            return self.phone.browser.post(f"/my/save/{page}/", fields)
        return self.phone.post(f"/my/q/{page}/", fields)


@pytest.fixture
def scene(check_in: Phone, clock: Any, sam: Client, maya: User, rosa: User, omar: User) -> Scene:
    Practice.objects.update(screen_everyone=True)
    return Scene(check_in, clock, sam=sam, maya=maya, rosa=rosa, omar=omar)


# --- Ways in which a form closes --------------------------------------------------------------------------------------


def taken_back(scene: Scene) -> None:
    actions.withdraw(by=scene.maya, invitation=scene.phone.invitation, at=NOW)


def newer_check_in(scene: Scene) -> None:
    """Half filled in, and left alone for hours; the next goes out, and takes this one back."""
    scene.phone.say("phq-9--1", "1")
    at = NOW + timedelta(hours=3)
    measures.plan(scene.sam, "check-in", measures.Why.AFTER_COURSE, at, at=NOW)
    scene.clock.move_to(at)
    assert measures.send_due(at=at) == 1
    scene.phone.invitation.refresh_from_db()
    assert scene.phone.invitation.state == Invitation.State.WITHDRAWN


def discharged(scene: Scene) -> None:
    practice_actions.discharge(by=scene.maya, client=scene.sam, status="discharged", words="Moved away", at=NOW)


def died(scene: Scene) -> None:
    practice_actions.discharge(by=scene.maya, client=scene.sam, status="died", words="Their sister called", at=NOW)


def merged(scene: Scene) -> None:
    kept = factories.client(scene.omar, "Sam Whitehorse", email="sam.w@example.net", phone="+1 202 555 0190")
    merging.merge(by=scene.rosa, kept=kept, former=scene.sam, take=(), words="Same birth date", at=NOW)


def paused(scene: Scene) -> None:
    pauses.pause(by=scene.sam, weeks=2, words="", checks_too=True, at=NOW)


def ran_out(scene: Scene) -> None:
    Invitation.objects.update(expires_at=NOW - DAY)
    actions.chase(at=NOW)


def sent_anew(scene: Scene) -> None:
    actions.resend(by=scene.maya, invitation=scene.phone.invitation, at=NOW)


def locked(scene: Scene) -> None:
    scene.clock.shift(timedelta(minutes=16))


def other_link_opened(scene: Scene) -> None:
    other = actions.invite(by=scene.maya, client=scene.sam, key="short-check-in", at=NOW)
    send(scene.phone.browser, other.path)
    send(scene.phone.browser, "/my/")


def begun_anew(scene: Scene) -> None:
    Phone(scene.phone.invitation).start()


def sent_elsewhere(scene: Scene) -> None:
    for n in range(1, 10):
        scene.phone.say(f"phq-9--{n}", "0")
    actions.submit(by=scene.sam, sitting=scene.phone.sitting, at=NOW)


# The way, and what the pages of a form that is open in the browser do afterwards: whether the answer joins the others.
JOINS = (taken_back, newer_check_in, discharged, died, merged, paused, ran_out, sent_anew, locked, other_link_opened)
STAYS_APART = (begun_anew, sent_elsewhere)  # what is there stays; the flag keeps the answer
WAYS = JOINS + STAYS_APART


def flag_of(scene: Scene) -> Alert:
    return Alert.objects.get(source_id=scene.phone.sitting.pk)


@pytest.mark.parametrize("close", WAYS, ids=lambda way: way.__name__)
@pytest.mark.parametrize(
    ("page", "value", "severity", "rule", "said"),
    [(ITEM9, "2", "urgent", "SR-06", "More than half the days"), (CSSRS6, "1", "priority", "SR-03", "Yes")],
    ids=["item 9", "C-SSRS"],
)
def test_safety_answer_on_a_page_that_closed_raises_its_flag(
    scene: Scene, close: Callable[[Scene], None], page: str, value: str, severity: str, rule: str, said: str
) -> None:
    """Law 1: the answer, the flag and who is told, in one act, whoever closed the door and why."""
    close(scene)
    answer = scene.say(page, value)
    flag = flag_of(scene)
    assert (answer.status_code, flag.severity) == (303, severity)
    assert (rule in flag.rule_ids, flag.is_open) == (True, True)
    assert (said, True) in [(row["answer"], row["positive"]) for row in flag.answers]
    assert flag.notices.count() > 0
    scene.phone.sitting.refresh_from_db()
    assert flag.client == scene.phone.sitting.client
    if close in JOINS:
        assert scene.phone.saved(page) == int(value)
    else:
        assert scene.phone.saved(page) in (0, None)
    assert LOST not in answer["Location"]


@pytest.mark.parametrize("close", WAYS, ids=lambda way: way.__name__)
def test_script_that_saves_while_they_answer_is_heard_too(scene: Scene, close: Callable[[Scene], None]) -> None:
    close(scene)
    scene.say(ITEM9, "3", script=True)
    assert (flag_of(scene).severity, "SR-06" in flag_of(scene).rule_ids) == ("urgent", True)


@pytest.mark.parametrize("close", JOINS, ids=lambda way: way.__name__)
def test_safety_question_passed_over_is_heard_too(scene: Scene, close: Callable[[Scene], None]) -> None:
    close(scene)
    scene.phone.skip(ITEM9)
    assert (flag_of(scene).severity, flag_of(scene).rule_ids) == ("priority", ["SR-07"])


CLOSED = (taken_back, newer_check_in, discharged, died)


@pytest.mark.parametrize("close", CLOSED, ids=lambda way: way.__name__)
def test_page_says_what_reached_us_and_shows_nothing(scene: Scene, close: Callable[[Scene], None]) -> None:
    close(scene)
    answer = scene.phone.say(ITEM9, "2")
    assert answer["Location"] == HEARD
    words = text_of(scene.phone.get(HEARD))
    for said in ("What you just sent reached us.", "Call 988", "please use 988 or 911 first"):
        assert said in words
    for url in ("/my/", f"/my/q/{ITEM9}/", "/my/support/", "/my/check/", "/my/later/"):
        assert scene.phone.browser.get(url)["Location"] == "/my/locked/"


@pytest.mark.parametrize("close", CLOSED, ids=lambda way: way.__name__)
def test_nothing_else_is_taken_on_such_a_page_and_none_of_it_called_saved(
    scene: Scene, close: Callable[[Scene], None]
) -> None:
    close(scene)
    before = scene.phone.said()
    answers = [scene.phone.say("phq-9--2", "3"), scene.phone.say(ITEM9, "9"), scene.phone.post("/my/send/")]
    assert [answer["Location"] for answer in answers] == [LOST] * 3
    assert scene.phone.browser.post("/my/save/phq-9--2/", {"answer": "3"}).status_code == 423
    assert (scene.phone.said(), Alert.objects.count()) == (before, 0)
    words = text_of(scene.phone.get(LOST))
    assert ("What you just sent did not reach us." in words, "Call 988" in words) == (True, True)


def test_no_sign_from_a_page_that_was_begun_anew_elsewhere_changes_nothing(scene: Scene) -> None:
    other = Phone(scene.phone.invitation).start()
    assert other.say(ITEM9, "2")["Location"] == "/my/support/"
    assert scene.phone.say(ITEM9, "0")["Location"] == LOST
    assert (other.saved(ITEM9), AuditEvent.objects.filter(action="answer.late").count()) == (2, 0)


def test_device_that_was_given_back_knows_nobody_and_says_so(scene: Scene) -> None:
    """Refused, with 988: nothing of a client stays on a device of the practice, so nobody knows whose answer it is."""
    session = scene.phone.browser.session
    session[doors.HERE] = True
    session.save()
    assert scene.phone.post("/my/finished/").status_code == 303
    answer = scene.phone.say(ITEM9, "2")
    assert answer["Location"] == LOST
    words = text_of(scene.phone.get(LOST))
    assert ("What you just sent did not reach us." in words, "Call 988" in words) == (True, True)
    assert Alert.objects.count() == 0


def test_browser_that_never_got_in_raises_no_flag_when_the_door_closes(scene: Scene) -> None:
    scene.phone.say("phq-9--1", "0")
    stranger = Phone(scene.phone.invitation)
    assert stranger.open()["Location"] == "/my/code/"
    taken_back(scene)
    assert stranger.say(ITEM9, "2")["Location"] == LOST
    assert Alert.objects.count() == 0


def test_call_and_place_asked_for_on_a_page_that_was_taken_back_reach_the_flag(scene: Scene) -> None:
    scene.phone.say(ITEM9, "2")
    taken_back(scene)
    assert scene.phone.post("/my/support/", {"where": "Bus station, Troy"})["Location"] == HEARD
    assert scene.phone.post("/my/call-me/", {"wanted": "1"})["Location"] == HEARD
    flag = flag_of(scene)
    assert (flag.answers[-1]["answer"], flag.call_wanted_at) == ("Bus station, Troy", NOW)


def test_call_that_no_list_would_show_is_refused_in_words(scene: Scene) -> None:
    discharged(scene)
    assert scene.phone.post("/my/call-me/", {"wanted": "1"})["Location"] == LOST
    assert "Nobody reads this any more" in text_of(scene.phone.get(LOST))
    assert not Task.objects.filter(kind="call_me").exists()


def test_place_given_after_the_flag_was_closed_is_not_called_added(scene: Scene) -> None:
    scene.phone.say(ITEM9, "2")
    Alert.objects.update(closed_at=NOW, closed_by=scene.maya, action="no_change")
    scene.phone.post("/my/support/", {"where": "Bus station, Troy"})
    words = text_of(scene.phone.get("/my/support/"))
    assert ("Nobody reads this any more" in words, "We added where you are" in words) == (True, False)


# --- Ways in which the client's own page closes -----------------------------------------------------------------------


def home_ran_out(scene: Scene) -> None:
    Invitation.objects.filter(packet="home").update(expires_at=NOW - DAY)


def home_made_anew(scene: Scene) -> None:
    home_ran_out(scene)
    actions.home_invitation(client=scene.sam, at=NOW)


def knocked_again(scene: Scene) -> None:
    """The page locked, and they pressed the link once more in a second window."""
    locked(scene)
    send(scene.phone.browser, Invitation.objects.get(packet="home").path)


HOME_WAYS = (locked, discharged, died, merged, home_ran_out, home_made_anew, knocked_again)


def cry(browser: Browser, words: str = "I cannot do this") -> Any:
    return send(browser, "/my/messages/", {"words": words, "now": "1"})


@pytest.mark.parametrize("close", HOME_WAYS, ids=lambda way: way.__name__)
def test_help_now_is_heard_however_the_page_closed(scene: Scene, close: Callable[[Scene], None]) -> None:
    """Law 1: words that ask for help page people, also from a page that has closed; nothing is shown to it."""
    scene.phone.browser = at_home(scene.sam)
    close(scene)
    assert cry(scene.phone.browser)["Location"] == HEARD
    flag, row = Alert.objects.get(), Message.objects.get()
    scene.sam.refresh_from_db()
    client = Client.objects.exclude(pk=scene.sam.pk).get() if close is merged else scene.sam
    assert (flag.client, row.client, flag.source_id) == (client, client, row.pk)
    assert (flag.severity, [each["answer"] for each in flag.answers]) == ("urgent", ["I cannot do this"])
    assert flag.notices.count() > 0
    assert scene.phone.browser.get("/my/messages/")["Location"] == "/my/locked/"
    assert "What you just sent reached us." in text_of(scene.phone.get(HEARD))


def test_words_without_that_button_wait_until_they_show_who_they_are(scene: Scene) -> None:
    browser = at_home(scene.sam)
    locked(scene)
    assert "I cannot" in send(browser, "/my/messages/", {"words": "I cannot", "send": "1"}).content.decode()
    assert (Message.objects.count(), Alert.objects.count()) == (0, 0)


def test_somebody_who_only_pressed_the_link_pages_nobody(scene: Scene) -> None:
    stranger = Browser()
    send(stranger, actions.home_invitation(client=scene.sam, at=NOW).path)
    cry(stranger)
    assert (Message.objects.count(), Alert.objects.count()) == (0, 0)


def test_second_press_of_help_now_on_a_closed_page_is_one_flag(scene: Scene) -> None:
    browser = at_home(scene.sam)
    discharged(scene)
    page = {"words": "Help", "now": "1", "form_key": "k" * 32}
    assert [browser.post("/my/messages/", page)["Location"] for _ in range(2)] == [HEARD, HEARD]
    assert (Message.objects.count(), Alert.objects.count()) == (1, 1)
    assert thread.help_flag(scene.sam) == Alert.objects.get()


def test_answer_of_an_older_window_goes_to_its_own_sitting_or_nowhere(scene: Scene, kit: Client, omar: User) -> None:
    """Two people, one phone: what stands on the first one's page is never written into the other's record."""
    other = actions.invite(by=omar, client=kit, key="check-in", at=NOW)
    send(scene.phone.browser, other.path)
    send(scene.phone.browser, "/my/")
    assert scene.say("phq-9--1", "3")["Location"] == LOST
    assert scene.say(ITEM9, "2")["Location"] == HEARD
    assert (flag_of(scene).client, scene.phone.said()) == (scene.sam, {ITEM9: 2})
    assert (other.intake.answers.count(), Alert.objects.filter(client=kit).count()) == (0, 0)
    assert 'name="sitting"' in scene.phone.browser.get("/my/q/phq-9--1/").content.decode()
