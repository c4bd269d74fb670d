"""The adult in the home of a session by video: link, code said aloud, checks, and what is wrong (H9)."""

import json
import re
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
import time_machine
from django.test import Client as Browser
from django.urls import reverse

from practice.actions import NotNow
from practice.kap import logbook
from practice.kap.actions import chaperone, room
from practice.kap.models import ChaperoneLink, Entry, Plan, Session
from practice.models import Alert, AuditEvent, Client, Notice, Task, User
from tests.conftest import send
from tests.factories import NOW

As = Callable[[User], Browser]
PAGE = "/chaperone/"
FINE = {"kind": "check", "state": "as_expected"}
HOME = {"name": "Kim Lee", "phone": "+1 202 555 0177", "email": "kim@example.net"}
MINUTE = timedelta(minutes=1)


@pytest.fixture(autouse=True)
def _now() -> Iterator[None]:
    with time_machine.travel(NOW, tick=False):
        yield


def session_of(sam: Client, maya: User, setting: str = "remote", **fields: Any) -> Session:
    plan = Plan.objects.create(client=sam, shape="weekly", planned=3, started_on=NOW.date(), therapist=maya)
    row: Session = Session.objects.create(
        plan=plan,
        kind="dosing",
        number=1,
        starts_at=NOW + timedelta(hours=1),
        therapist=maya,
        setting=setting,
        **fields,
    )
    return row


@pytest.fixture
def row(sam: Client, maya: User) -> Session:
    return session_of(sam, maya)


@pytest.fixture
def link(row: Session, maya: User) -> ChaperoneLink:
    return chaperone.ask(by=maya, session=row, at=NOW, **HOME)


def code_page(link: ChaperoneLink) -> str:
    return f"/c/{link.token}/"


def inside(link: ChaperoneLink) -> Browser:
    browser = Browser()
    assert send(browser, code_page(link), {"code": link.code})["Location"] == PAGE
    return browser


def say(browser: Browser, **facts: str) -> Any:
    return send(browser, PAGE, {"key": str(uuid4()), "kind": "check"} | facts)


def wrong_code(link: ChaperoneLink) -> str:
    return f"{(int(link.code) + 1) % 10**6:06d}"


def text(answer: Any) -> str:
    main = answer.content.decode().partition("<main")[2].partition("</main")[0]
    return " ".join(re.sub(r"<[^>]*>", " ", main).split())


def address(row: Session, name: str = "session") -> str:
    return reverse(name, args=[row.plan_id, row.pk])


# --- The link --------------------------------------------------------------------------------------------------------


def test_staff_make_the_link_and_it_goes_where_they_said_yes(row: Session, maya: User, as_user: As) -> None:
    browser = as_user(maya)
    assert send(browser, address(row, "session_chaperone"), HOME | {"may_send": ["sms"]})["Location"].endswith("#home")
    link = ChaperoneLink.objects.get()
    notice = Notice.objects.get(template="chaperone_link")
    assert (notice.channel, notice.address, list(notice.words)) == ("sms", HOME["phone"], ["link"])
    assert notice.words["link"].endswith(code_page(link))
    assert (link.may_send, link.made_by, link.name, link.email) == (["sms"], maya, "Kim Lee", "kim@example.net")
    said = text(browser.get(address(row)))
    assert link.code in said and code_page(link) in said
    event = AuditEvent.objects.get(action="session.chaperone_asked")
    assert event.facts == {"sent_by": ["sms"]}


def test_without_their_yes_nothing_is_sent(link: ChaperoneLink) -> None:
    assert (link.may_send, Notice.objects.filter(template="chaperone_link").count()) == ([], 0)


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ({"name": ""}, "Write the name of the adult in the home."),
        ({"phone": "x"}, "phone"),
        ({"email": "", "may_send": ["email"]}, "Write the e-mail address that the link goes to."),
        ({"email": "kim"}, "Write the e-mail address in full."),
    ],
)
def test_wrong_details_are_a_sentence_and_keep_what_was_typed(
    row: Session, maya: User, as_user: As, said: dict[str, Any], sentence: str
) -> None:
    answer = send(as_user(maya), address(row, "session_chaperone"), HOME | {"name": "Kept Name"} | said)
    html = answer.content.decode()
    assert (answer.status_code, sentence in html, ChaperoneLink.objects.count()) == (400, True, 0)
    assert ("Kept Name" in html) == (said.get("name") != "")


@pytest.mark.parametrize(
    ("fields", "setting"),
    [
        ({}, "in_person"),
        ({"state": "waiting"}, "remote"),
        ({"state": "done"}, "remote"),
        ({"state": "skipped"}, "remote"),
    ],
)
def test_session_in_the_room_or_over_has_no_link(sam: Client, maya: User, fields: dict[str, str], setting: str) -> None:
    with pytest.raises(NotNow):
        chaperone.ask(by=maya, session=session_of(sam, maya, setting, **fields), at=NOW, **HOME)
    assert ChaperoneLink.objects.count() == 0


def test_session_is_put_by_video_and_back_before_it_starts(sam: Client, maya: User, as_user: As) -> None:
    row, browser = session_of(sam, maya, "in_person"), as_user(maya)
    assert "Make their link" not in text(browser.get(address(row)))
    send(browser, address(row, "session_place"), {"setting": "remote"})
    assert "Make their link" in text(browser.get(address(row)))
    made = chaperone.ask(by=maya, session=row, at=NOW, **HOME)
    send(browser, address(row, "session_place"), {"setting": "in_person"})
    made.refresh_from_db()
    row.refresh_from_db()
    assert (row.setting, row.sequence, made.ended_at) == ("in_person", 2, NOW)
    assert send(browser, address(row, "session_place"), {"setting": "moon"}).status_code == 400
    Session.objects.update(state="started")
    assert send(browser, address(row, "session_place"), {"setting": "remote"}).status_code == 400


def test_remote_session_asks_for_the_adult_before_it_starts(row: Session) -> None:
    asks = [asked.item.code for asked in room.state(row, NOW).ready]
    assert "chaperone" in asks


@pytest.mark.parametrize("name", ["session_place", "session_chaperone", "session_chaperone_end"])
def test_somebody_elses_session_is_not_there(
    link: ChaperoneLink, row: Session, omar: User, fay: User, as_user: As, name: str
) -> None:
    answers = [send(as_user(who), address(row, name), HOME | {"setting": "in_person"}) for who in (omar, fay)]
    link.refresh_from_db()
    assert [answer.status_code for answer in answers] == [404, 403]
    assert (link.ended_at, ChaperoneLink.objects.count()) == (None, 1)


# --- The code --------------------------------------------------------------------------------------------------------


def test_looking_spends_nothing_and_names_nobody(link: ChaperoneLink, sam: Client) -> None:
    browser = Browser()
    before = AuditEvent.objects.count()
    said = browser.get(code_page(link)).content.decode()
    assert browser.head(code_page(link)).status_code == 200
    assert [word for word in (*sam.name.split(), "Kim", link.code, "ketamin", "therapy") if word in said] == []
    assert "tel:911" in said and "tel:988" in said
    assert (AuditEvent.objects.count(), browser.get(PAGE).status_code) == (before, 404)


def test_code_opens_the_page_and_says_that_they_are_there(link: ChaperoneLink, sam: Client) -> None:
    said = inside(link).get(PAGE)
    link.refresh_from_db()
    assert (link.opened_at, link.agreed_at, link.tries) == (NOW, NOW, 0)
    first, *rest = sam.name.split()
    html = said.content.decode()
    assert (f"With {first}" in html, [word for word in rest if word in html]) == (True, [])
    assert f"<title>Being there - {sam.name.split()[0]}" not in html


def test_five_wrong_codes_end_the_link_and_staff_are_told(
    link: ChaperoneLink, row: Session, maya: User, as_user: As
) -> None:
    browser, codes = Browser(), [wrong_code(link)] * 5
    answers = [send(browser, code_page(link), {"code": code}).status_code for code in codes]
    assert answers == [400, 400, 400, 400, 404]
    assert send(browser, code_page(link), {"code": link.code}).status_code == 404
    assert [notice.user for notice in Notice.objects.filter(template="locked")] == [maya]
    assert "Wrong codes were typed, so this link was ended." in text(as_user(maya).get(address(row)))
    assert browser.get(PAGE).status_code == 404


@pytest.mark.parametrize("code", ["", "12345", "x" * 500, "１２３４５６", "\x00", "--"])
def test_code_that_is_none_is_a_sentence(link: ChaperoneLink, code: str) -> None:
    answer = send(Browser(), code_page(link), {"code": code})
    assert (answer.status_code, "That code does not fit." in text(answer)) == (400, True)


def test_code_with_spaces_opens(link: ChaperoneLink) -> None:
    assert send(Browser(), code_page(link), {"code": f" {link.code[:3]} {link.code[3:]}"})["Location"] == PAGE


# --- Which link works ------------------------------------------------------------------------------------------------


def close(what: str, link: ChaperoneLink, maya: User) -> datetime:
    row = link.session
    if what == "signed":
        Session.objects.update(state="done", signed_at=NOW)
    elif what == "skipped":
        Session.objects.update(state="skipped")
    elif what == "in the room":
        chaperone.place(by=maya, session=row, setting="in_person", at=NOW)
    elif what == "replaced":
        chaperone.ask(by=maya, session=row, at=NOW, **HOME)
    elif what == "ended":
        chaperone.end(by=maya, session=row, at=NOW)
    elif what == "client left":
        Client.objects.update(status="discharged")
    return NOW + timedelta(hours={"early": -2, "expired": 13}.get(what, 0))


CLOSED = ["signed", "skipped", "in the room", "replaced", "ended", "client left"]


@pytest.mark.parametrize("what", [*CLOSED, "early", "expired", "wrong"])
def test_link_that_does_not_work_shows_one_page(what: str, link: ChaperoneLink, maya: User) -> None:
    unknown = Browser().get(f"/c/{'0' * 64}/").content
    with time_machine.travel(close(what, link, maya), tick=False):
        answer = Browser().get("/c/cut/" if what == "wrong" else code_page(link))
        posted = send(Browser(), code_page(link), {"code": link.code}) if what != "wrong" else answer
    assert (answer.status_code, answer.content, posted.status_code) == (404, unknown, 404)
    assert "tel:911" in answer.content.decode()


@pytest.mark.parametrize("what", CLOSED)
def test_closed_page_names_nobody_and_a_worry_still_comes(
    what: str, link: ChaperoneLink, maya: User, sam: Client
) -> None:
    """What is wrong in the home is never lost, whatever became of the session or the link."""
    browser = inside(link)
    at = close(what, link, maya) + MINUTE
    with time_machine.travel(at, tick=False):
        said = browser.get(PAGE)
        assert (said.status_code, sam.name.split()[0] in said.content.decode()) == (200, False)
        assert "This is over" in text(said)
        assert say(browser, state="attention", help="now", words="She fell")["Location"] == f"{PAGE}?kept=1"
    entry = Entry.objects.get()
    assert (entry.facts["words"], entry.session_id, entry.by_chaperone_id) == ("She fell", link.session_id, link.pk)
    assert Notice.objects.filter(template="session_event").count() > 0


@pytest.mark.parametrize("what", ["signed", "ended"])
def test_ordinary_check_after_the_end_is_given_back(what: str, link: ChaperoneLink, maya: User) -> None:
    browser = inside(link)
    with time_machine.travel(close(what, link, maya) + MINUTE, tick=False):
        answer = say(browser, state="as_expected")
    assert (answer.status_code, "The session is over." in text(answer), Entry.objects.count()) == (400, True, 0)


def test_nothing_is_taken_after_half_a_day_or_without_the_code(link: ChaperoneLink) -> None:
    browser = inside(link)
    assert say(Browser(), state="attention").status_code == 404
    with time_machine.travel(NOW + timedelta(hours=13), tick=False):
        answer = say(browser, state="attention")
        assert (answer.status_code, "was not sent, and nobody was told" in text(answer)) == (404, True)
        assert "nobody was told" not in text(browser.get(PAGE))
    assert Entry.objects.count() == 0


# --- What is said ----------------------------------------------------------------------------------------------------


def test_check_pressed_twice_is_one_line_of_its_own_session(link: ChaperoneLink, maya: User, kit: Client) -> None:
    session_of(kit, maya)
    browser, key = inside(link), str(uuid4())
    for _time in range(2):
        assert say(browser, key=key, state="as_expected")["Location"] == f"{PAGE}?kept=1"
    entry = Entry.objects.get()
    assert (entry.kind, entry.session_id, entry.by_chaperone_id, entry.by) == ("check", link.session_id, link.pk, None)
    assert Notice.objects.filter(template="session_event").count() == 0
    assert AuditEvent.objects.get(action="session.logged").actor_kind == "home"


@pytest.mark.parametrize(
    ("facts", "reason", "said"),
    [
        ({"help": "now", "sees": "unresponsive"}, "chaperone_now", "Help is needed now. I cannot wake them."),
        ({"sees": "vomiting", "words": "Twice"}, "chaperone", "Needs attention. They are vomiting. Twice"),
        ({"sees": "no such", "help": "later"}, "chaperone", "Needs attention."),
        ({}, "chaperone", "Needs attention."),
    ],
)
def test_something_wrong_is_told_at_once_and_not_graded(
    facts: dict[str, str], reason: str, said: str, link: ChaperoneLink, row: Session, maya: User, pax: User, as_user: As
) -> None:
    say(inside(link), state="attention", **facts)
    entry = Entry.objects.get()
    assert (entry.kind, said in logbook.said(entry), "grade" in entry.facts) == ("check", True, False)
    assert {n.user for n in Notice.objects.filter(template="session_event", urgent=True)} == {maya, pax}
    assert Task.objects.get(kind="todo").facts == {"reason": reason}
    page = text(as_user(maya).get(address(row)))
    assert "From the home: something is wrong" in page and said in page and "Kim Lee, in the home" in page


def test_page_says_where_it_was_pressed_that_it_was_kept(link: ChaperoneLink) -> None:
    browser = inside(link)
    kept = "Kept at 10:00 am. The therapist sees it."
    assert kept not in text(browser.get(PAGE))
    say(browser, state="frightened")
    looked, _sign, wrong = text(browser.get(PAGE)).partition("Something is wrong")
    assert (kept in looked, kept in wrong) == (True, False)
    with time_machine.travel(NOW + MINUTE, tick=False):
        kept = kept.replace("10:00", "10:01")
        say(browser, state="attention", help="now")
        looked, _sign, wrong = text(browser.get(PAGE)).partition("Something is wrong")
        assert (kept in looked, kept in wrong) == (False, True)
        assert kept not in text(browser.get(PAGE + "?kept=1"))  # without script it stands at the top


def test_talk_of_dying_opens_a_safety_flag(link: ChaperoneLink, sam: Client) -> None:
    say(inside(link), state="attention", sees="suicidal")
    assert list(Alert.objects.filter(client=sam, closed_at=None).values_list("severity", flat=True)) == ["urgent"]


def test_alarm_stays_until_a_clinician_answers_it_in_the_log(link: ChaperoneLink, row: Session, maya: User) -> None:
    say(inside(link), state="attention", sees="fall")
    assert len(logbook.unanswered(list(row.entries.all()))) == 1
    for kind, facts, left in (
        ("present", {"names": "Maya"}, 1),
        ("event", {"what": "fall", "grade": "2"}, 0),
    ):
        line = {"key": str(uuid4()), "kind": kind, "facts": facts}
        room.record(session=row, sent=[line], by=maya, at=NOW + MINUTE)
        assert len(logbook.unanswered(list(row.entries.all()))) == left


@pytest.mark.parametrize("kind", [kind for kind in Entry.Kind.values if kind != "check"])
def test_other_lines_of_the_home_are_refused(kind: str, link: ChaperoneLink) -> None:
    browser = inside(link)
    facts = {"words": "x", "what": "fall", "grade": "3", "mg": "100", "route": "im", "state": "attention", "names": "x"}
    lines = json.dumps([{"key": str(uuid4()), "kind": kind, "facts": facts}])
    (taken,) = send(browser, PAGE, {"lines": lines}).json()["taken"]
    assert (bool(taken["sentence"]), Entry.objects.count()) == (True, 0)


def test_lines_kept_without_a_network_come_in_their_true_order_and_once(link: ChaperoneLink) -> None:
    browser = inside(link)
    lines = [
        {"key": str(uuid4()), "kind": "check", "facts": {"state": "as_expected"},
         "device_at": (NOW + n * MINUTE).isoformat()}
        for n in (15, 30)
    ]  # fmt: skip
    sent = {"lines": json.dumps(lines), "sent_at": (NOW + 60 * MINUTE).isoformat()}
    with time_machine.travel(NOW + 60 * MINUTE, tick=False):
        for _time in range(2):
            taken = send(browser, PAGE, sent).json()["taken"]
            assert [each["sentence"] for each in taken] == ["", ""]
    assert [entry.happened_at for entry in Entry.objects.all()] == [NOW + 15 * MINUTE, NOW + 30 * MINUTE]


@pytest.mark.parametrize("lines", ["", "{", "{}", "[1]", json.dumps([{}] * 201), "[" * 5000])
def test_list_that_is_no_list_changes_nothing(link: ChaperoneLink, lines: str) -> None:
    answer = send(inside(link), PAGE, {"lines": lines})
    assert (answer.status_code, answer.json(), Entry.objects.count()) == (400, {"taken": []}, 0)


def test_page_has_no_dose_no_score_no_vitals(link: ChaperoneLink, row: Session, maya: User) -> None:
    lines = [
        {"key": str(uuid4()), "kind": "vitals", "facts": {"when": "before", "sbp": 127, "dbp": 83}},
        {"key": str(uuid4()), "kind": "present", "facts": {"names": "Zed Present"}},
    ]
    room.record(session=row, sent=lines, by=maya, at=NOW)
    said = inside(link).get(PAGE).content.decode()
    assert [word for word in ("127", "83", "Zed", "mg", "ketamin") if word in text(inside(link).get(PAGE))] == []
    assert "Look at them every 15 minutes" in said


def test_news_is_a_number_alone(link: ChaperoneLink, row: Session, maya: User) -> None:
    url = f"{code_page(link)}news/"
    browser = inside(link)
    before = Browser().get(url).content
    say(browser, state="as_expected")
    assert (before, Browser().get(url).content, Browser().get(f"/c/{'0' * 64}/news/").content) == (b"0", b"1", b"")
    chaperone.end(by=maya, session=row, at=NOW)
    assert Browser().get(url).content == b""
