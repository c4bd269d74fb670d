"""The client's own page: who gets in, what stands there, and when its link is dead."""

import json
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client as Browser
from django.urls import reverse

from intake import actions
from intake.models import Invitation
from practice import notices
from practice.models import AuditEvent, Client, Notice, SentForm, Task, User
from practice.schedule import tick
from tests import factories
from tests.conftest import send
from tests.factories import NOW
from tests.homes import at_home, code_sent
from tests.intake.conftest import Phone, text_of
from tests.journeys.walking import sent as answered

pytestmark = pytest.mark.usefixtures("clock", "on_call")
CHECK, HOME = "/my/home/check/", "/my/home/"
NO_FIT = "That does not fit. Check it and try again."


@pytest.fixture
def shared(maya: User) -> Client:
    """A client whose phone and mailbox others read: the birth date is the check."""
    return factories.client(maya, "Ada Finch", reach={"sms": True, "email": True, "private": []})


def knocked(client: Client) -> Browser:
    browser = Browser()
    assert send(browser, actions.home_invitation(client=client, at=NOW).path)["Location"] == CHECK
    return browser


def born(browser: Browser, text: str) -> Any:
    month, day, year = text.split()
    return send(browser, CHECK, {"month": month, "day": day, "year": year})


# --- The link --------------------------------------------------------------------------------------------------------


def test_link_is_one_per_client_and_lasts_longer_with_each_message(sam: Client, clock: Any) -> None:
    first = actions.home_link(sam, NOW)
    clock.shift(timedelta(days=10))
    later = NOW + timedelta(days=10)
    assert (actions.home_link(sam, later), Invitation.objects.count()) == (first, 1)
    assert Invitation.objects.get().expires_at == later + timedelta(days=14)


def test_link_that_ended_comes_back_as_another_one(sam: Client, clock: Any) -> None:
    first = actions.home_link(sam, NOW)
    clock.shift(timedelta(days=15))
    second = actions.home_link(sam, NOW + timedelta(days=15))
    path = first.removeprefix("http://testserver")
    assert (first == second, Browser().get(path).status_code) == (False, 404)


def test_scanner_spends_nothing_and_sees_nobody(sam: Client) -> None:
    path = actions.home_invitation(client=sam, at=NOW).path
    before = (AuditEvent.objects.count(), Notice.objects.count(), SentForm.objects.count())
    seen = [Browser().head(path), Browser().get(path), Browser().get(path)]
    assert [answer.status_code for answer in seen] == [200, 200, 200]
    assert [word for answer in seen for word in ("Sam", "Maya", "CH-") if word in answer.content.decode()] == []
    assert (AuditEvent.objects.count(), Notice.objects.count(), SentForm.objects.count()) == before
    assert Invitation.objects.get().state == "sent"


def test_robot_that_presses_the_button_stands_before_the_check(sam: Client) -> None:
    robot = knocked(sam)
    assert robot.get(HOME)["Location"] == "/my/locked/"
    words = text_of(robot.get(CHECK))
    assert ("First, show that it is you" in words, "Sam" in words) == (True, False)


# --- The check -------------------------------------------------------------------------------------------------------


def test_code_to_a_private_phone_opens_the_page(sam: Client) -> None:
    browser = knocked(sam)
    send(browser, CHECK, {"send": "sms"})
    (notice,) = Notice.objects.filter(template="code")
    assert (notice.channel, notice.address) == ("sms", sam.phone)
    assert send(browser, CHECK, {"code": code_sent(sam)})["Location"] == HOME
    assert "Nothing to do today" in text_of(browser.get(HOME))
    assert list(AuditEvent.objects.order_by("seq").values_list("action", flat=True))[-2:] == [
        "invitation.code_sent",
        "home.unlocked",
    ]


def test_birth_date_is_asked_only_where_no_way_is_private(sam: Client, shared: Client) -> None:
    private, read_by_others = knocked(sam), knocked(shared)
    assert ("Your birth date" in text_of(private.get(CHECK)), "Your code" in text_of(private.get(CHECK))) == (
        False,
        True,
    )
    assert "Your birth date" in text_of(read_by_others.get(CHECK))
    assert send(private, CHECK, {"month": "3", "day": "8", "year": "1993"}).status_code == 200
    assert born(read_by_others, "3 8 1993")["Location"] == HOME


def test_wrong_date_reads_the_same_however_near_it_is(shared: Client) -> None:
    """Security check 34."""
    browser = knocked(shared)
    said = [text_of(born(browser, typed)) for typed in ("3 9 1993", "8 3 1993", "12 24 1950", "2 31 1993")]
    assert [NO_FIT in words for words in said] == [True] * 4
    assert len(set(said)) == 1


def test_five_wrong_dates_lock_the_page_for_a_while_and_staff_are_told(shared: Client, maya: User, clock: Any) -> None:
    """Security check 34: the right date does not open it either until the time is over."""
    browser = knocked(shared)
    for _ in range(5):
        answer = born(browser, "1 1 1990")
    assert "this page opens again" not in text_of(answer)
    assert "it opens again at 10:15 am" in text_of(answer)
    assert "it opens again at 10:15 am" in text_of(born(browser, "3 8 1993"))
    assert list(Notice.objects.filter(template="locked").values_list("user", flat=True)) == [maya.pk]
    assert Task.objects.get().facts == {"reason": "wrong_codes"}
    clock.shift(timedelta(minutes=15, seconds=1))
    assert born(browser, "3 8 1993")["Location"] == HOME


def test_code_of_a_form_does_not_open_the_page(sam: Client, maya: User) -> None:
    """Security check 33: a secret of one purpose is refused at another."""
    phone = Phone(actions.invite(by=maya, client=sam, key="check-in", at=NOW)).start()
    browser = knocked(sam)
    send(browser, CHECK, {"send": "sms"})
    assert send(browser, CHECK, {"code": actions.return_code(phone.sitting)}).status_code == 200
    assert browser.get(HOME)["Location"] == "/my/locked/"


def test_client_without_birth_date_and_private_way_is_told_to_call(maya: User) -> None:
    bare = factories.client(maya, "Bo Reed", birth_date="", reach={"sms": True, "private": []})
    words = text_of(knocked(bare).get(CHECK))
    assert ("Call us: 555 0110" in words, "Open my page" in words) == (True, False)


# --- The page --------------------------------------------------------------------------------------------------------


def test_page_locks_after_fifteen_quiet_minutes(sam: Client, clock: Any) -> None:
    browser = at_home(sam)
    clock.shift(timedelta(minutes=14))
    assert browser.get(HOME).status_code == 200
    clock.shift(timedelta(minutes=15, seconds=1))
    assert browser.get(HOME)["Location"] == "/my/locked/"
    assert "Open my page again" in text_of(browser.get("/my/locked/"))
    assert "First, show that it is you" in text_of(browser.get(CHECK))


def test_page_is_locked_by_its_own_button_and_by_leaving(sam: Client) -> None:
    for way in (lambda b: send(b, "/my/home/lock/"), lambda b: b.get("/leave/")):
        browser = at_home(sam)
        way(browser)
        assert browser.get(HOME)["Location"] == "/my/locked/"


def test_forms_that_wait_are_the_one_next_thing_and_open_without_another_code(sam: Client, maya: User) -> None:
    waiting = actions.invite(by=maya, client=sam, key="check-in", at=NOW)
    other = Phone(waiting).start()
    other.say("phq-9--1", "2")
    browser = at_home(sam)
    page = browser.get(HOME)
    assert ("One thing for you" in text_of(page), waiting.path in page.content.decode()) == (True, True)
    assert send(browser, waiting.path)["Location"] == "/my/q/phq-9--2/"


def test_promise_of_a_call_stands_only_when_it_is_true(sam: Client, clock: Any) -> None:
    browser = at_home(sam)
    assert "will call you" not in text_of(browser.get(HOME))
    Task.open(sam, "call_me", at=NOW)
    assert "Maya will call you by Thu Nov 19, 12:00 pm." in text_of(browser.get(HOME))
    clock.shift(timedelta(hours=2, minutes=1))
    browser = at_home(sam)
    assert "will call you" not in text_of(browser.get(HOME))


def test_copies_are_the_clients_own(sam: Client, kit: Client) -> None:
    answered(sam, at=NOW)
    answered(kit, at=NOW)
    browser = at_home(sam)
    assert "What you signed" in text_of(browser.get(HOME))
    mine, theirs = sam.signatures.earliest("signed_at"), kit.signatures.earliest("signed_at")
    page = browser.get("/my/copies/").content.decode()
    assert (str(mine.pk) in page, str(theirs.pk) in page) == (True, False)
    assert browser.get(f"/my/home/copies/{mine.pk}/")["Content-Type"] == "application/pdf"
    assert browser.get(f"/my/home/copies/{theirs.pk}/").status_code == 404


@pytest.mark.parametrize("status", Client.LEFT)
def test_link_of_somebody_who_left_is_dead(sam: Client, status: str) -> None:
    browser = at_home(sam)
    path = actions.home_invitation(client=sam, at=NOW).path
    Client.objects.filter(pk=sam.pk).update(status=status)
    assert [browser.get(url)["Location"] for url in (HOME, CHECK, "/my/copies/")] == ["/my/locked/"] * 3
    assert (Browser().get(path).status_code, send(Browser(), path).status_code) == (404, 404)
    sam.refresh_from_db()
    assert notices.tell_news(sam, NOW) == []


# --- Staff -----------------------------------------------------------------------------------------------------------


def test_news_says_nothing_and_leads_home(sam: Client) -> None:
    assert notices.tell_news(sam, NOW) == ["email", "sms"]
    link = actions.home_link(sam, NOW)
    words = [notice.words for notice in Notice.objects.filter(template="news")]
    assert words == [{"link": link}, {"link": link}]


def test_staff_send_the_link_and_close_the_page(sam: Client, maya: User, as_user: Any) -> None:
    desk = as_user(maya)
    page = reverse("client_invite", args=[sam.pk])
    assert "No link to it works now." in text_of(desk.get(page))
    send(desk, reverse("home_send", args=[sam.pk]))
    row = Invitation.objects.get()
    assert [notice.template for notice in Notice.objects.all()] == ["home", "home"]
    words = text_of(desk.get(page))
    assert ("The link works until Thu Dec 3." in words, "Nothing was sent yet." in words) == (True, True)
    browser = at_home(sam)
    send(desk, reverse("invitation_withdraw", args=[sam.pk, row.pk]))
    assert browser.get(HOME)["Location"] == "/my/locked/"
    assert Browser().get(row.path).status_code == 404
    assert actions.home_link(sam, NOW) != notices.link(row.path)


def test_second_tab_sends_their_page_once(sam: Client, maya: User, as_user: Any) -> None:
    desk = as_user(maya)
    url, page = reverse("home_send", args=[sam.pk]), reverse("client_invite", args=[sam.pk])
    assert desk.get(page).context["home"]["seen"] == ""
    for _tab in range(2):
        said = text_of(send(desk, url, {"seen": ""}, follow=True))
    assert "The link was sent Thu Nov 19, 10:00 am, after you opened this page, and works." in said
    assert Notice.objects.filter(template="home").count() == 2  # by two ways
    send(desk, url, {"seen": desk.get(page).context["home"]["seen"]})
    assert Notice.objects.filter(template="home").count() == 4


def test_staff_are_told_when_nothing_could_show_who_opens_it(maya: User, as_user: Any) -> None:
    bare = factories.client(maya, "Bo Reed", birth_date="", reach={"sms": True, "private": []})
    answer = send(as_user(maya), reverse("home_send", args=[bare.pk]), follow=True)
    assert "add their birth date first" in text_of(answer)
    assert Notice.objects.count() == 0


def test_home_is_no_form_and_nobody_is_reminded_of_it(sam: Client, maya: User, as_user: Any, clock: Any) -> None:
    send(as_user(maya), reverse("home_send", args=[sam.pk]))
    clock.shift(timedelta(days=8))
    tick(NOW + timedelta(days=8))
    assert actions.chase(at=NOW + timedelta(days=8)) == 0
    chart = text_of(as_user(maya).get(reverse("chart", args=[sam.pk])))
    assert ("Nothing was sent yet." in chart, Task.objects.count()) == (True, 0)


def test_old_link_can_be_asked_for_anew(sam: Client, clock: Any) -> None:
    row = actions.home_invitation(client=sam, at=NOW)
    token = row.token
    clock.shift(timedelta(days=15))
    send(Browser(), "/my/new-link/", {"token": token})
    row.refresh_from_db()
    assert [n.template for n in Notice.objects.all()] == ["home", "home"]
    assert (Browser().get(f"/p/{token}/").status_code, Browser().get(row.path).status_code) == (404, 200)


def test_words_on_a_page_that_locks_come_back_after_the_check(sam: Client) -> None:
    """Security check 72: what stood on the client's own page when it locked is neither lost nor sent."""
    browser = at_home(sam)
    page = send(browser, "/my/referral/", {"words": "I moved <b>away</b>", "said": "changed", "locking": "1"})
    assert (page.status_code, page.templates[0].name) == (200, "intake/home_check.html")
    kept = page.context["kept"]
    fields = [["words", "I moved <b>away</b>"], ["said", "changed"]]
    assert json.loads(kept) == {"path": "/my/referral/", "fields": fields}
    assert browser.get("/my/home/")["Location"].startswith("/my/locked/")
    again = send(browser, "/my/home/check/", {"send": actions.private_ways(sam)[0], "kept": kept})
    assert again.context["kept"] == kept
    back = send(browser, "/my/home/check/", {"code": code_sent(sam), "kept": kept})
    assert (back.templates[0].name, back.context["path"]) == ("intake/home_kept.html", "/my/referral/")
    assert "I moved &lt;b&gt;away&lt;/b&gt;" in back.content.decode()
    assert browser.get("/my/home/").status_code == 200


@pytest.mark.parametrize(
    "kept",
    ["{", "null", '{"path": "//evil.example/my/", "fields": []}', '{"path": "/desk/", "fields": []}'],
)
def test_kept_words_of_somebody_elses_making_open_no_page(sam: Client, kept: str) -> None:
    browser = at_home(sam)
    send(browser, "/my/home/", {"locking": "1"})
    send(browser, "/my/home/check/", {"send": actions.private_ways(sam)[0]})
    answer = send(browser, "/my/home/check/", {"code": code_sent(sam), "kept": kept})
    assert (answer.status_code, answer["Location"]) == (303, "/my/home/")
