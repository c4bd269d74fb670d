"""Who gets in at the clinic's door, by which link, code and PIN; and what a link never gives away."""

import json
import secrets
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.sessions.models import Session
from django.test import Client as Browser
from django.urls import reverse

from intake import actions as intake_actions
from practice.models import AuditEvent, Client, Notice, Practice, SentForm, Task, User
from referrals import desk_doors
from referrals.actions import desk as actions
from referrals.actions import events, releases
from referrals.models import DeskKey, Destination, Referral
from referrals.states import Actor, Event
from tests import factories
from tests.conftest import send
from tests.referrals import cases
from tests.referrals.desks import Coordinator, desk_code, went_out, words


@pytest.fixture
def northlake(house: Any) -> Destination:
    return cases.clinic()


@pytest.fixture
def sent(sam: Client, maya: User, northlake: Destination, clock: Any) -> Referral:
    cases.released(sam, northlake)
    return went_out(sam, maya, northlake)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Shift the clock that views read: clock.shift(timedelta(...))."""
    from django.utils import timezone

    class Clock:
        moved = timedelta()

        def shift(self, by: timedelta) -> None:
            self.moved += by

    found, real = Clock(), timezone.now
    monkeypatch.setattr(timezone, "now", lambda: real() + found.moved)
    return found


def rows() -> tuple[int, ...]:
    """What a scanner could have changed."""
    return (
        DeskKey.objects.count(),
        AuditEvent.objects.count(),
        Notice.objects.count(),
        SentForm.objects.count(),
        Session.objects.count(),
        Referral.objects.filter(opened_at=None).count(),
    )


# --- The link --------------------------------------------------------------------------------------------------------


def test_a_mail_scanner_spends_nothing_opens_nothing_and_sees_nothing(sent: Referral) -> None:
    """Security check 32 and ux check 37: HEAD x5, GET x5, empty POST x3."""
    before = rows()
    scanner = Browser(HTTP_USER_AGENT="LinkScanner/1.0", enforce_csrf_checks=True)
    link = Coordinator(sent).link
    seen = [scanner.head(link) for _ in range(5)] + [scanner.get(link) for _ in range(5)]
    seen += [scanner.post(link) for _ in range(3)]
    assert [answer.status_code for answer in seen] == [200] * 10 + [403] * 3
    assert [
        w for answer in seen for w in ("Sam", "Whitehorse", "1993", "ketamine") if w in answer.content.decode()
    ] == []
    assert rows() == before
    assert Coordinator(sent).come_in().get().status_code == 200


def test_the_first_page_says_who_sent_it_and_until_when(sent: Referral) -> None:
    text = words(Browser().get(Coordinator(sent).link))
    for said in ("A referral from Cedar House", sent.reference, "Maya Torres", "Northlake Infusion", "Send me a code"):
        assert said in text
    assert ("m•••@northlake.example" in text, "m.lopez" in text, "the phone ending in 60" in text) == (
        True,
        False,
        True,
    )


def test_every_bad_link_gives_the_same_page(sent: Referral, sam: Client, maya: User, on_call: User, clock: Any) -> None:
    """Security checks 33 and 34: truncated, one letter more, upper case, of another purpose, of an id, expired."""
    token = sent.token
    invitation = intake_actions.invite(by=maya, client=sam, key="check-in", at=factories.NOW)
    bad = [
        token[:-1],
        token + "0",
        token.upper(),
        secrets.token_hex(32),
        "x" * 200,
        str(sent.pk),
        "%00",
        "%F0%9F%92%A9",
    ]
    pages = {said_at(f"/r/{each}/") for each in [*bad, invitation.token]}
    clock.shift(timedelta(days=31))
    pages.add(said_at(f"/r/{token}/"))
    assert len(pages) == 1
    status, text = pages.pop()
    assert (status, "This link does not work any more" in text, "Send me a new link" in text) == (404, True, True)


def said_at(path: str) -> tuple[int, str]:
    answer = Browser().get(path)
    return answer.status_code, words(answer).replace(path, "")


def test_a_clinics_token_opens_no_door_of_a_client(sent: Referral) -> None:
    """Security check 33, the other way round."""
    answer = Browser().get(f"/p/{sent.token}/")
    assert (answer.status_code, "Sam" in answer.content.decode()) == (404, False)


def test_a_draft_has_no_door(sam: Client, maya: User, northlake: Destination) -> None:
    draft = cases.referral(sam, maya, northlake)
    draft.renew(factories.NOW)
    draft.save()
    assert Browser().get(f"/r/{draft.token}/").status_code == 404


def test_expired_link_sends_a_new_one_in_one_press_and_names_nobody(sent: Referral, clock: Any) -> None:
    """Ux check 39."""
    old, browser = sent.token, Browser()
    clock.shift(timedelta(days=31))
    page = browser.get(f"/r/{old}/")
    assert ("Sam" in page.content.decode(), "Send me a new link" in words(page)) == (False, True)
    said = [words(browser.get(send(browser, "/desk/new-link/", {"token": t})["Location"])) for t in (old, "x" * 64)]
    assert said[0] == said[1]
    sent.refresh_from_db()
    assert sent.generation == 3  # made anew when it was sent, and now
    notice = Notice.objects.get(template="desk_link")
    assert (notice.address, notice.words["link"]) == ("m.lopez@northlake.example", f"http://testserver/r/{sent.token}/")
    send(browser, "/desk/new-link/", {"token": old})
    assert Notice.objects.filter(template="desk_link").count() == 1
    assert (Browser().get(f"/r/{old}/").status_code, Browser().get(f"/r/{sent.token}/").status_code) == (404, 200)


@pytest.mark.parametrize("how", ["declined", "taken back", "revoked"])
def test_a_link_of_what_is_over_sends_none_and_says_to_call(
    sent: Referral, sam: Client, maya: User, clock: Any, how: str
) -> None:
    """The page cannot tell which link it is without telling it to anybody: it says when one comes, and whom to call."""
    at = sent.sent_at + timedelta(minutes=1)
    if how == "revoked":
        releases.revoke(by=sam, release=sent.release, at=at)
    elif how == "declined":
        events.record(sent, Event.DECLINE, Actor.RECIPIENT, by=maya, channel="phone", at=at, reason="full")
    else:
        events.record(sent, Event.ASK_CANCEL, Actor.INITIATOR, by=maya, channel="here", at=at, words="Moved away")
        events.record(sent, Event.CONFIRM_CANCEL, Actor.RECIPIENT, by=maya, channel="phone", at=at)
    clock.shift(timedelta(days=31))
    browser = Browser()
    old = browser.get(f"/r/{sent.token}/")
    new = browser.get(send(browser, "/desk/new-link/", {"token": sent.token})["Location"])
    said = "taken back, declined or completed"
    assert [(said in words(each), "please call us" in words(each)) for each in (old, new)] == [(True, True)] * 2
    assert [f"Call {Practice.get().phone}" in words(each) for each in (old, new)] == [True, True]
    assert words(old) == words(browser.get(f"/r/{'x' * 64}/"))
    assert Notice.objects.filter(template="desk_link").count() == 0


def test_a_live_link_is_not_renewed_by_a_stranger(sent: Referral) -> None:
    send(Browser(), "/desk/new-link/", {"token": sent.token})
    assert Notice.objects.filter(template="desk_link").count() == 0


def test_token_leaves_the_address_and_is_kept_nowhere(sent: Referral) -> None:
    """Security check 35."""
    cleo = Coordinator(sent)
    answer = cleo.ask()
    assert (answer.status_code, answer["Location"], answer["Referrer-Policy"]) == (303, "/desk/code/", "strict-origin")
    code = desk_code()
    send(cleo.browser, "/desk/code/", {"code": code})
    page = cleo.get()
    assert sent.token not in page.content.decode()
    kept = repr(list(Referral.objects.values())) + repr(list(DeskKey.objects.values()))
    kept += repr([row.get_decoded() for row in Session.objects.all()]) + repr(list(AuditEvent.objects.values()))
    kept += repr(list(SentForm.objects.values()))
    assert (sent.token in kept, code in kept) == (False, False)


# --- The code --------------------------------------------------------------------------------------------------------


def test_nothing_is_read_without_the_code(sent: Referral) -> None:
    cleo = Coordinator(sent)
    cleo.ask()
    names = ("", "answer/", "session/", "undo/", "message/", "safety/", "letter/", "pass/", "packet/", "packet.pdf")
    for browser in (cleo.browser, Browser()):
        answers = [browser.get(cleo.path(name)) for name in names] + [browser.get("/desk/"), browser.get("/desk/pin/")]
        assert {(a.status_code, a["Location"]) for a in answers} == {(303, "/desk/code/")}
    assert Referral.objects.get(opened_at=None) == sent


def test_session_id_changes_with_the_code(sent: Referral) -> None:
    cleo = Coordinator(sent)
    cleo.ask()
    before = cleo.browser.cookies["session"].value
    send(cleo.browser, "/desk/code/", {"code": desk_code()})
    assert cleo.browser.cookies["session"].value != before


def test_code_works_once_and_for_ten_minutes(sent: Referral, clock: Any) -> None:
    first, second = Coordinator(sent), Coordinator(sent)
    first.ask()
    code = desk_code()
    assert send(first.browser, "/desk/code/", {"code": f" {code[:3]} {code[3:]} "})["Location"] == first.path()
    clock.shift(timedelta(minutes=2))
    second.ask()
    assert send(second.browser, "/desk/code/", {"code": code}).status_code == 200
    later = desk_code()
    clock.shift(timedelta(minutes=11))
    assert send(second.browser, "/desk/code/", {"code": later}).status_code == 200


def test_a_code_goes_out_at_most_once_a_minute(sent: Referral) -> None:
    cleo = Coordinator(sent)
    for _ in range(3):
        cleo.ask()
    assert Notice.objects.filter(template="desk_code").count() == 1


def test_code_by_text_message_goes_to_the_phone_on_file(sent: Referral) -> None:
    cleo = Coordinator(sent, way="phone").come_in()
    notice = Notice.objects.get(template="desk_code")
    assert (notice.channel, notice.address, cleo.get().status_code) == ("sms", "555 0160", 200)


def test_a_way_that_is_not_on_file_sends_nothing(sent: Referral) -> None:
    answer = Coordinator(sent).ask("evil@example.org")
    assert (answer.status_code, Notice.objects.filter(template="desk_code").count()) == (200, 0)


def test_five_wrong_codes_lock_for_a_quarter_of_an_hour_and_the_practice_is_told(
    sent: Referral, sam: Client, maya: User, clock: Any
) -> None:
    cleo = Coordinator(sent)
    cleo.ask()
    code = desk_code()
    wrong = "000000" if code != "000000" else "111111"
    said = [words(send(cleo.browser, "/desk/code/", {"code": wrong})) for _ in range(5)]
    assert ["too many tries" in text for text in said] == [False] * 4 + [True]
    assert send(cleo.browser, "/desk/code/", {"code": code}).status_code == 200
    assert list(Notice.objects.filter(template="locked").values_list("user", flat=True)) == [maya.pk]
    assert Task.objects.get(client=sam, kind="call_clinic").facts["reason"] == "locked"
    clock.shift(timedelta(minutes=16))
    assert cleo.come_in().get().status_code == 200


def test_a_clinics_key_follows_the_address_in_the_directory(sent: Referral, northlake: Destination) -> None:
    cleo = Coordinator(sent).come_in()
    northlake.email = "New.Desk@northlake.example"
    northlake.save()
    sent.refresh_from_db()
    other = Coordinator(sent).come_in()
    assert (other.get().status_code, cleo.get().status_code) == (200, 404)
    assert list(DeskKey.objects.order_by("is_main").values_list("email", "is_main")) == [
        ("m.lopez@northlake.example", False),
        ("new.desk@northlake.example", True),
    ]


# --- Locks and the PIN -----------------------------------------------------------------------------------------------


def test_fifteen_quiet_minutes_lock_the_page(sent: Referral, clock: Any) -> None:
    cleo = Coordinator(sent).come_in()
    clock.shift(timedelta(minutes=14))
    assert cleo.get().status_code == 200
    clock.shift(timedelta(minutes=15, seconds=1))
    assert cleo.get()["Location"] == "/desk/code/"
    clock.shift(timedelta(seconds=1))
    assert cleo.get()["Location"] == "/desk/code/"  # and it stays locked
    assert cleo.come_in().get().status_code == 200


def test_twelve_hours_end_a_session(sent: Referral, clock: Any) -> None:
    cleo = Coordinator(sent).come_in()
    for _ in range(52):
        clock.shift(timedelta(minutes=14))
        answer = cleo.get()
    assert answer["Location"] == "/desk/code/"


def test_words_typed_before_the_lock_come_back_after_the_code(sent: Referral, clock: Any) -> None:
    cleo = Coordinator(sent).come_in()
    clock.shift(timedelta(minutes=20))
    page = cleo.post("message/", {"words": 'Is the "ECG" <b>recent</b>?', "who": "Cleo"})
    assert ("What you typed is kept on this page" in words(page), sent.messages.count()) == (True, 0)
    stored = repr([row.get_decoded() for row in Session.objects.all()])
    assert "ECG" not in stored
    kept = page.context["kept"]
    send(cleo.browser, "/desk/code/", {"send": "1", "kept": kept})
    back = send(cleo.browser, "/desk/code/", {"code": desk_code(), "kept": kept})
    fields = dict(back.context["fields"])
    assert (back.context["path"], fields["words"]) == (cleo.path("message/"), 'Is the "ECG" <b>recent</b>?')
    cleo.post("message/", fields)
    assert [m.words for m in sent.messages.all()] == ['Is the "ECG" <b>recent</b>?']


def test_page_that_locks_itself_sends_nobody_what_stood_on_it(sent: Referral) -> None:
    cleo = Coordinator(sent).come_in()
    for where in ("message/", "safety/"):
        page = cleo.post(where, {"words": "Half a sent", "who": "Cleo", "locking": "1"})
        assert "What you typed is kept on this page" in words(page)
        assert json.loads(page.context["kept"])["fields"] == [["words", "Half a sent"], ["who", "Cleo"]]
    assert (sent.messages.count(), cleo.get()["Location"]) == (0, "/desk/code/")


@pytest.mark.parametrize(
    "kept", ["", "null", "[]", "{", '{"path": 1}', '{"path": "//evil.example/desk/", "fields": []}',
             '{"path": "/account/", "fields": []}', '{"path": "/desk/", "fields": [[1]]}', "[" * 9000]
)  # fmt: skip
def test_kept_words_of_somebody_elses_making_are_not_offered(sent: Referral, kept: str) -> None:
    cleo = Coordinator(sent)
    cleo.ask()
    answer = send(cleo.browser, "/desk/code/", {"code": desk_code(), "kept": kept})
    assert (answer.status_code, answer["Location"]) == (303, cleo.path())


def pinned(referral: Referral, pin: str = "271828") -> Coordinator:
    cleo = Coordinator(referral).come_in()
    assert send(cleo.browser, "/desk/pin/", {"pin": pin})["Location"] == "/desk/pin/?set=1"
    return cleo


def test_pin_opens_the_link_on_that_device_for_twelve_hours(sent: Referral, clock: Any) -> None:
    cleo = pinned(sent)
    clock.shift(timedelta(hours=2))
    assert "Your PIN for this device" in words(cleo.browser.get(cleo.link))
    assert send(cleo.browser, cleo.link, {"pin": "271828"})["Location"] == cleo.path()
    assert cleo.get().status_code == 200
    assert "Your PIN" not in words(Browser().get(cleo.link))
    clock.shift(timedelta(hours=10, minutes=1))
    assert "Your PIN" not in words(cleo.browser.get(cleo.link))


def test_pin_unlocks_after_a_quiet_while(sent: Referral, clock: Any) -> None:
    cleo = pinned(sent)
    clock.shift(timedelta(minutes=20))
    assert cleo.get()["Location"] == "/desk/code/"
    assert send(cleo.browser, "/desk/code/", {"pin": "271828"})["Location"] == cleo.path()


def test_five_wrong_pins_need_a_code(sent: Referral, clock: Any) -> None:
    cleo = pinned(sent)
    clock.shift(timedelta(minutes=20))
    cleo.get()
    said = [words(send(cleo.browser, "/desk/code/", {"pin": "999999"})) for _ in range(5)]
    assert ["Use a code now" in text for text in said] == [False] * 4 + [True]
    assert send(cleo.browser, "/desk/code/", {"pin": "271828"}).status_code == 200
    assert "Your PIN" not in words(cleo.browser.get("/desk/code/"))


@pytest.mark.parametrize("pin", ["", "12345", "123456", "987654", "111111", "abcdef", "1" * 13])
def test_pin_that_is_short_or_easy_is_refused(sent: Referral, pin: str) -> None:
    cleo = Coordinator(sent).come_in()
    assert send(cleo.browser, "/desk/pin/", {"pin": pin}).status_code == 400


def test_pin_is_kept_as_a_hash_and_forgotten_on_leaving(sent: Referral) -> None:
    cleo = pinned(sent)
    assert "271828" not in repr([row.get_decoded() for row in Session.objects.all()])
    send(cleo.browser, "/desk/leave/")
    assert "Your PIN" not in words(cleo.browser.get(cleo.link))
    assert cleo.get()["Location"] == "/desk/code/"


# --- What may be read ------------------------------------------------------------------------------------------------


def test_reachable_clients_are_those_whose_packets_were_shared(
    sent: Referral, sam: Client, kit: Client, omar: User, maya: User, northlake: Destination
) -> None:
    """Security checks 14 and 18: what a clinic reaches is what was sent to it, and nothing else answers."""
    elsewhere = cases.clinic(name="Southlake", email="desk@southlake.example")
    cases.released(kit, elsewhere)
    other = went_out(kit, omar, elsewhere)
    draft = cases.referral(sam, maya, northlake, number=3)
    cleo = Coordinator(sent).come_in()
    reached = [
        r for r in Referral.objects.all() if cleo.browser.get(reverse("desk_referral", args=[r.pk])).status_code == 200
    ]
    assert reached == [sent]
    names = ("referral", "answer", "session", "undo", "message", "safety", "letter", "pass", "packet", "pdf")
    for foreign in (other, draft):
        urls = [reverse(f"desk_{name}", args=[foreign.pk]) for name in names]
        assert {cleo.browser.get(url).status_code for url in urls} == {404}
        assert {send(cleo.browser, url).status_code for url in urls} == {404}
    pages = "".join(cleo.browser.get(url).content.decode() for url in ("/desk/", cleo.path(), cleo.path("packet/")))
    assert [w for w in ("Kit", "Larkspur", other.reference) if w in pages] == []
    staff = ("caseload", "alerts", "referrals", "destinations")
    assert {cleo.browser.get(reverse(name)).status_code for name in staff} == {302}


def test_only_released_sections_are_on_the_page(sam: Client, maya: User, northlake: Destination) -> None:
    """Security check 14: only picked fields in the HTML."""
    cases.whole_record(sam, maya)
    cases.released(sam, northlake, [s for s in cases.ALL if s not in ("substances", "medicines")])
    row = cases.referral(sam, maya, northlake, withheld=["substances", "medicines"])
    from referrals.actions import sending

    sending.send(by=maya, referral=row, channels=["link"], at=factories.NOW)
    row.refresh_from_db()
    cleo = Coordinator(row).come_in()
    pages = cleo.get().content.decode() + cleo.get("packet/").content.decode()
    assert ("F33.2" in pages, "Sertraline" in pages, "AUDIT" in pages) == (True, False, False)


def test_revoking_stops_the_next_request_on_every_page(
    sent: Referral, sam: Client, maya: User, northlake: Destination
) -> None:
    """Ux check 19; security check 51: the release is taken back while the page is open."""
    cleo = Coordinator(sent).come_in()
    assert cleo.get().status_code == 200
    releases.revoke(by=sam, release=sent.release, at=sent.sent_at + timedelta(minutes=1))
    names = ("", "packet/", "packet.pdf", "letter/", "pass/", "message/")
    answers = [cleo.get(name) for name in names]
    answers += [cleo.post(name, {"answer": "accept", "words": "x"}) for name in ("answer/", "message/", "letter/")]
    answers.append(Browser().get(cleo.link))
    assert {a.status_code for a in answers} == {410}
    assert {"Cedar House has taken this back" in words(a) for a in answers} == {True}
    assert [a for a in answers if "Sam" in a.content.decode()] == []
    sent.refresh_from_db()
    assert (sent.state, sent.messages.count()) == ("2", 0)
    assert "Sam" not in cleo.browser.get("/desk/").content.decode()


def test_withdrawn_referral_says_so_and_takes_nothing(sent: Referral, maya: User) -> None:
    cleo = Coordinator(sent).come_in()
    at = sent.sent_at + timedelta(minutes=1)
    events.record(sent, Event.ASK_CANCEL, Actor.INITIATOR, by=maya, channel="here", at=at, words="Moved away")
    assert "Cedar House takes this back" in words(cleo.get())
    assert "Cedar House has taken this back" in cleo.say("answer/", confirm="1", seen=str(sent.version))
    assert "Cedar House has taken this back" in words(cleo.post("answer/", {"answer": "accept"}))
    sent.refresh_from_db()
    assert sent.state == "6"


def test_client_who_left_is_not_shown_any_more(sent: Referral, sam: Client) -> None:
    cleo = Coordinator(sent).come_in()
    Client.objects.filter(pk=sam.pk).update(status=Client.Status.DIED)
    page = cleo.get()
    assert (page.status_code, "Cedar House has closed this" in words(page)) == (410, True)


def test_a_key_that_is_not_approved_opens_nothing(sent: Referral, northlake: Destination) -> None:
    cleo = Coordinator(sent).come_in()
    DeskKey.objects.update(approved_at=None)
    assert cleo.get()["Location"] == "/desk/code/"


def test_every_page_past_the_code_is_behind_the_desks_door() -> None:
    from tests.meta.test_doors import patterns

    kinds = {p.name: p.callback.door.kind for p in patterns() if (p.name or "").split("_")[0] == "desk"}
    staff = {name for name, kind in kinds.items() if kind == "staff"}
    assert {kind for name, kind in kinds.items() if name not in staff} == {"desk"}
    assert staff <= {"desk_key_approve"}
    assert desk_doors.KEY == "desk"


def test_passing_on_lets_a_colleague_of_the_same_domain_in(sent: Referral, northlake: Destination) -> None:
    cleo = Coordinator(sent).come_in()
    assert "Passed on." in cleo.say("pass/", email="J.Doe@northlake.example", name="Jo")
    sent.refresh_from_db()
    jo = Coordinator(sent, way="colleague").come_in()
    assert (jo.get().status_code, cleo.get().status_code) == (200, 200)
    notice = Notice.objects.get(template="desk_link")
    assert (notice.address, sent.reference in notice.words["reference"]) == ("j.doe@northlake.example", True)


PASS = "Pass this to a colleague"


def test_what_is_over_is_not_offered_to_be_passed_on(sent: Referral) -> None:
    """A declined or completed referral leads a colleague nowhere; neither does a page that stood open meanwhile."""
    cleo = Coordinator(sent).come_in()
    assert PASS in words(cleo.get())
    declined = cleo.say("answer/", answer="decline", reason="full")
    assert ("You declined" in declined, PASS in declined) == (True, False)
    assert "there is nothing to pass on" in words(cleo.browser.get(cleo.get("pass/")["Location"]))
    assert "there is nothing to pass on" in cleo.say("pass/", email="j.doe@northlake.example", name="Jo")
    sent.refresh_from_db()
    assert (sent.contact, DeskKey.objects.count(), Notice.objects.filter(template="desk_link").count()) == (None, 1, 0)
    change = sent.changes.get(event=Event.DECLINE)
    assert PASS in cleo.say("undo/", change=str(change.number))
    cleo.say("answer/", answer="accept")
    assert PASS in words(cleo.get())
    completed = cleo.say("letter/", words="Six done.", last="yes", who="Cleo")
    assert ("This referral is complete" in completed, PASS in completed) == (True, False)


def test_a_colleague_sees_only_what_was_passed_to_them(
    sent: Referral, kit: Client, omar: User, northlake: Destination
) -> None:
    cases.released(kit, northlake)
    other = went_out(kit, omar, northlake)
    cleo = Coordinator(sent).come_in()
    cleo.say("pass/", email="j.doe@northlake.example", name="Jo")
    sent.refresh_from_db()
    jo = Coordinator(sent, way="colleague").come_in()
    lists = [words(each.browser.get("/desk/")) for each in (cleo, jo)]
    assert [other.reference in text for text in lists] == [True, False]
    assert jo.browser.get(reverse("desk_referral", args=[other.pk])).status_code == 404


def test_passing_on_elsewhere_waits_for_the_practice(sent: Referral, sam: Client, maya: User) -> None:
    cleo = Coordinator(sent).come_in()
    assert "has been asked to approve this address" in cleo.say("pass/", email="j@other.example", name="Jo")
    assert Notice.objects.filter(template="desk_link").count() == 0
    sent.refresh_from_db()
    assert "colleague" not in {way.code for way in actions.ways(sent)}
    key = DeskKey.objects.get(email="j@other.example")
    assert Task.objects.get(client=sam, kind="call_clinic").facts["reason"] == "address"
    assert [actions.approve_key(by=maya, key=key, at=sent.sent_at) for _ in range(2)] == [True, False]
    sent.refresh_from_db()
    assert Coordinator(sent, way="colleague").come_in().get().status_code == 200
    assert Task.objects.get(client=sam, kind="call_clinic").done_by == maya


def test_stopping_mail_tells_the_practice_once(sent: Referral, sam: Client, northlake: Destination) -> None:
    cleo = Coordinator(sent).come_in()
    for _ in range(2):
        send(cleo.browser, "/desk/mail/")
    northlake.refresh_from_db()
    assert northlake.mail_stopped_at is not None
    assert Task.objects.get(client=sam, kind="call_clinic").facts["reason"] == "stopped"
    assert "We call you instead" in words(cleo.browser.get("/desk/mail/"))


def test_link_of_a_digest_leads_to_the_list(sent: Referral) -> None:
    browser = Browser()
    link = Coordinator(sent).link + "?all=1"
    send(browser, link, {"way": "clinic"})
    assert send(browser, "/desk/code/", {"code": desk_code()})["Location"] == "/desk/"
    assert browser.get(link)["Location"] == "/desk/"


def test_page_of_the_code_does_not_lock_who_comes_back_to_it(sent: Referral) -> None:
    cleo = Coordinator(sent).come_in()
    assert cleo.browser.get("/desk/code/")["Location"] == cleo.path()
    assert cleo.browser.get("/desk/code/?locked=1").status_code == 200
    assert cleo.get()["Location"] == "/desk/code/"


def test_page_closes_a_month_after_the_end(sent: Referral, clock: Any) -> None:
    cleo = Coordinator(sent).come_in()
    cleo.say("answer/", answer="decline", reason="full")
    assert cleo.get().status_code == 200
    Referral.objects.update(state_at=sent.sent_at - timedelta(days=31))
    assert (cleo.get().status_code, "has closed this" in words(cleo.get())) == (410, True)
