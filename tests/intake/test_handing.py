"""Filling in at the practice: the device handed over, the code at the kiosk, what staff enter for a client (A11)."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client as Browser
from django.urls import reverse
from django.utils import timezone

from intake import actions, behalf, doors, flow, handing
from intake.enquiries import TooMany
from intake.models import Answer, Assessment, Intake, Invitation, KioskTry, Signature
from intake.views import reading
from practice import record
from practice.actions import NotNow
from practice.models import Alert, AuditEvent, Client, CoverageShift, Notice, User
from tests import factories
from tests.conftest import send
from tests.factories import NOW
from tests.intake.conftest import text_of

As = Callable[[User], Browser]
Page = dict[str, Any]
WANTED = {"packet": "intake"}


def hand(browser: Browser, client: Client, **said: Any) -> Any:
    return send(browser, reverse("hand_over", args=[client.pk]), WANTED | said)


def code_for(browser: Browser, client: Client) -> str:
    """The code as staff read it off their page."""
    answer = send(browser, reverse("kiosk_code", args=[client.pk]), WANTED)
    page = text_of(browser.get(answer["Location"]))
    found = re.search(r"is ([2-9A-Z]{3}-[2-9A-Z]{3})\. Type it at testserver/kiosk/ by", page)
    assert found, page
    return found[1]


def wrong_for(code: str) -> str:
    return "222-222" if code != "222-222" else "333-333"


# --- This device, now ------------------------------------------------------------------------------------------------


def test_staff_are_signed_out_before_the_clients_page_opens(
    sam: Client, maya: User, on_call: User, as_user: As
) -> None:
    """Feature A11."""
    browser = as_user(maya)
    answer = hand(browser, sam)
    assert (answer.status_code, answer["Location"]) == (303, "/my/")
    assert "Clear-Site-Data" in answer
    assert "_auth_user_id" not in browser.session
    assert browser.get(f"/clients/{sam.pk}/")["Location"].startswith("/account/login/")
    assert "Before you start" in text_of(browser.get("/my/"))
    assert Notice.objects.filter(client=sam).count() == 0  # no message goes out
    row = Invitation.objects.get()
    assert (row.client, row.created_by, row.sent_at) == (sam, maya, None)
    assert [e.action for e in AuditEvent.objects.filter(action__startswith="invitation").order_by("pk")] == [
        "invitation.made", "invitation.handed_over", "invitation.opened",
    ]  # fmt: skip


def test_nothing_of_the_client_stays_when_they_are_finished(
    sam: Client, maya: User, on_call: User, as_user: As
) -> None:
    browser = as_user(maya)
    hand(browser, sam)
    send(browser, "/my/")
    page = browser.get("/my/q/names/")
    assert 'data-idle="300"' in page.content.decode()
    answer = send(browser, "/my/finished/")
    assert (answer.status_code, answer["Location"]) == (303, "/kiosk/?ended=1")
    assert "Clear-Site-Data" in answer
    seen = browser.get(answer["Location"])
    assert "nothing of them is on this device" in text_of(seen)
    assert [word for word in ("Sam", "Maya", sam.code) if word in seen.content.decode()] == []
    for path in ("/my/", "/my/q/names/", "/my/check/", "/my/done/", "/my/support/"):
        assert browser.get(path)["Location"].startswith("/my/locked/")
    assert "Open the link that we sent you" in text_of(browser.get("/my/locked/"))


def test_stopping_half_way_empties_the_device_too(sam: Client, maya: User, on_call: User, as_user: As) -> None:
    browser = as_user(maya)
    hand(browser, sam)
    send(browser, "/my/")
    send(browser, "/my/q/names/", {"used": "Sam", "legal": "Samuel Whitehorse"})
    answer = send(browser, "/my/later/")
    assert browser.get(answer["Location"])["Location"] == "/kiosk/?ended=1"
    assert dict(browser.session) == {}
    assert Answer.objects.get().question == "names"


def test_device_locks_after_five_minutes_and_what_is_sent_then_is_saved(
    sam: Client, maya: User, on_call: User, as_user: As
) -> None:
    with time_machine.travel(NOW, tick=False) as clock:
        browser = as_user(maya)
        hand(browser, sam)
        send(browser, "/my/")
        clock.shift(doors.HERE_IDLE_S)
        assert browser.get("/my/q/names/").status_code == 200
        clock.shift(doors.HERE_IDLE_S + 1)
        answer = send(browser, "/my/q/names/", {"used": "Sam", "legal": "Samuel Whitehorse"})
        assert Answer.objects.get().question == "names"
        assert browser.get(answer["Location"])["Location"] == "/kiosk/?ended=1"
        assert dict(browser.session) == {}


def test_answers_given_elsewhere_need_the_clients_own_code(sam: Client, fay: User, on_call: User, as_user: As) -> None:
    """Staff who may not read answers do not get at them by handing a device to themselves."""
    invitation = actions.invite(by=fay, client=sam, key="intake", at=timezone.now())
    sitting = actions.start(invitation=invitation, at=timezone.now())
    page = actions.packet_of(sitting).by_slug["names"]
    actions.save_answer(by=sam, sitting=sitting, page=page, value={"used": "Sam"}, at=timezone.now())
    browser = as_user(fay)
    answer = hand(browser, sam)
    assert answer["Location"] == "/my/code/"
    assert browser.get("/my/q/names/")["Location"].startswith("/my/locked/")
    fresh = as_user(fay)
    hand(fresh, sam)
    assert send(fresh, "/my/code/", {"code": actions.return_code(sitting)})["Location"].startswith("/my/")


def test_copies_are_not_taken_down_to_a_shared_device(sam: Client, maya: User, on_call: User, as_user: As) -> None:
    browser = as_user(maya)
    hand(browser, sam)
    send(browser, "/my/")
    sitting = Intake.objects.get()
    signature = Signature(client=sam, intake=sitting, document="treatment", version="1", text_sha256="x",
                          acknowledged=[], relation="self", signed_at=NOW)  # fmt: skip
    signature.typed_name, signature.device = "Sam", "x"
    signature.save()
    assert browser.get(reverse("my_copy", args=[signature.pk])).status_code == 404


def test_nobody_hands_over_what_cannot_be_asked(sam: Client, maya: User, as_user: As) -> None:
    browser = as_user(maya)
    answer = hand(browser, sam)
    assert "_auth_user_id" in browser.session
    assert "Nobody is on call. Fill the coverage roster first" in text_of(browser.get(answer["Location"]))
    Client.objects.filter(pk=sam.pk).update(status=Client.Status.DISCHARGED)
    factories.always_on_call(maya)
    sam.refresh_from_db()
    with pytest.raises(NotNow):
        handing.prepare(by=maya, client=sam, key="intake", at=NOW)


@pytest.mark.parametrize("name", ["hand_over", "kiosk_code", "fill_in"])
def test_nobody_elses_client_is_handed_over(
    name: str, kit: Client, maya: User, fay: User, on_call: User, as_user: As
) -> None:
    assert send(as_user(maya), reverse(name, args=[kit.pk]), WANTED).status_code == 404
    assert Invitation.objects.count() == 0
    assert send(as_user(maya), reverse(name, args=[kit.pk]), {"packet": "home"}).status_code == 404
    if name == "fill_in":
        assert send(as_user(fay), reverse(name, args=[kit.pk]), WANTED).status_code == 403


@pytest.mark.parametrize("name", ["hand_over", "kiosk_code", "fill_in"])
def test_only_packets_that_are_offered_are_taken(
    name: str, sam: Client, maya: User, on_call: User, as_user: As
) -> None:
    browser = as_user(maya)
    for packet in ("home", "", "../intake", "x" * 500):
        answer = send(browser, reverse(name, args=[sam.pk]), {"packet": packet})
        assert answer["Location"] == reverse("client_invite", args=[sam.pk])
    assert Invitation.objects.count() == 0
    assert browser.get(reverse(name, args=[sam.pk]))["Location"] == reverse("client_invite", args=[sam.pk])


def test_forms_that_are_out_are_used_and_no_second_ones_made(sam: Client, maya: User, on_call: User) -> None:
    sent = actions.invite(by=maya, client=sam, key="intake", at=NOW)
    assert handing.prepare(by=maya, client=sam, key="intake", at=NOW) == sent
    late = NOW + timedelta(days=15)
    assert handing.prepare(by=maya, client=sam, key="intake", at=late) != sent


# --- The code --------------------------------------------------------------------------------------------------------


def test_code_opens_the_forms_once_on_a_device_where_nobody_is_signed_in(
    sam: Client, maya: User, on_call: User, as_user: As
) -> None:
    """Feature A11."""
    code = code_for(as_user(maya), sam)
    tablet = Browser()
    answer = send(tablet, "/kiosk/", {"code": code.lower().replace("-", " ")})
    assert (answer.status_code, answer["Location"]) == (303, "/my/")
    assert "Before you start" in text_of(tablet.get("/my/"))
    again = send(Browser(), "/kiosk/", {"code": code})
    assert again.status_code == 400
    assert "That code does not fit. Check it, or ask for a new one." in text_of(again)


def test_code_closes_whatever_was_open_on_the_device(
    sam: Client, kit: Client, maya: User, omar: User, on_call: User, as_user: As
) -> None:
    code, other = code_for(as_user(maya), sam), code_for(as_user(omar), kit)
    device = as_user(omar)
    send(device, "/kiosk/", {"code": code})
    assert "_auth_user_id" not in device.session
    send(device, "/my/")
    send(device, "/kiosk/", {"code": other})
    assert device.session[doors.KEY]["invitation"] == str(Invitation.objects.get(client=kit).pk)


def test_code_works_for_a_quarter_of_an_hour_and_a_new_one_ends_it(sam: Client, maya: User, on_call: User) -> None:
    row = handing.prepare(by=maya, client=sam, key="intake", at=NOW)
    first = handing.make_code(by=maya, invitation=row, at=NOW)
    second = handing.make_code(by=maya, invitation=row, at=NOW)
    assert handing.take_code(code=first, origin="192.0.2.1", at=NOW) is None
    assert handing.take_code(code=second, origin="192.0.2.1", at=NOW + timedelta(minutes=15)) is None
    in_time = NOW + timedelta(minutes=14, seconds=59)
    assert handing.take_code(code=second, origin="192.0.2.1", at=in_time) == row
    assert handing.take_code(code=second, origin="192.0.2.1", at=in_time) is None


def test_code_of_forms_that_were_taken_back_opens_nothing(sam: Client, maya: User, on_call: User) -> None:
    row = handing.prepare(by=maya, client=sam, key="intake", at=NOW)
    code = handing.make_code(by=maya, invitation=row, at=NOW)
    actions.withdraw(by=maya, invitation=row, at=NOW)
    assert handing.take_code(code=code, origin="192.0.2.1", at=NOW) is None


def test_five_wrong_codes_shut_this_address_for_a_quarter_of_an_hour(
    sam: Client, maya: User, on_call: User, as_user: As
) -> None:
    """Security check: guesses at a short code are few, whoever makes them."""
    with time_machine.travel(NOW, tick=False) as clock:
        code = code_for(as_user(maya), sam)
        tablet = Browser()
        assert [send(tablet, "/kiosk/", {"code": wrong_for(code)}).status_code for _ in range(5)] == [400] * 5
        shut = send(tablet, "/kiosk/", {"code": code})
        assert shut.status_code == 429
        assert "no code works until 10:15 am" in text_of(shut)
        assert 'name="code"' not in tablet.get("/kiosk/").content.decode()
        assert send(Browser(HTTP_X_FORWARDED_FOR="203.0.113.9"), "/kiosk/", {"code": code}).status_code == 429
        assert send(Browser(REMOTE_ADDR="198.51.100.4"), "/kiosk/", {"code": code})["Location"] == "/my/"
        clock.shift(15 * 60)
        assert send(tablet, "/kiosk/", {"code": code}).status_code == 400  # open again; the code has ended


def test_guesses_from_many_addresses_shut_it_for_all(sam: Client, maya: User, on_call: User, as_user: As) -> None:
    row = handing.prepare(by=maya, client=sam, key="intake", at=NOW)
    code = handing.make_code(by=maya, invitation=row, at=NOW)
    for n in range(handing.MOST_OF_PRACTICE):
        assert handing.take_code(code=wrong_for(code), origin=f"192.0.2.{n}", at=NOW) is None
    with pytest.raises(TooMany):
        handing.take_code(code=code, origin="198.51.100.4", at=NOW)
    with time_machine.travel(NOW, tick=False):
        page = text_of(Browser().get("/kiosk/"))
        assert "You need not wait. Tell somebody who works here" in page
        staff = as_user(maya)
        refused = send(staff, reverse("kiosk_code", args=[sam.pk]), WANTED)
        assert "no code works until" in text_of(staff.get(refused["Location"]))
    row.refresh_from_db()
    assert row.kiosk_digest == handing._digest(code)  # not replaced by one that fits nothing
    handing.forget(at=NOW + timedelta(days=1, seconds=1))
    assert KioskTry.objects.count() == 0


@pytest.mark.parametrize("typed", ["", " ", "\x00", "' OR 1=1 --", "x" * 5000, "نور🌱", "{{ 7 }}"])
def test_hostile_code_is_a_wrong_code(typed: str, house: object) -> None:
    """Security check 37, 73."""
    answer = send(Browser(), "/kiosk/", {"code": typed})
    assert answer.status_code == 400
    assert "That code does not fit" in text_of(answer)


def test_stored_code_is_not_the_code(sam: Client, maya: User, on_call: User) -> None:
    row = handing.prepare(by=maya, client=sam, key="intake", at=NOW)
    code = handing.make_code(by=maya, invitation=row, at=NOW)
    assert code.replace("-", "") not in row.kiosk_digest


def test_invite_page_offers_what_this_person_may_do(sam: Client, maya: User, fay: User, as_user: As) -> None:
    offered = {
        user.first_name: re.findall(
            r'formaction="/clients/[^/]+/([^/]+)/"', as_user(user).get(f"/clients/{sam.pk}/invite/").content.decode()
        )
        for user in (maya, fay)
    }
    assert offered == {"Maya": ["hand-over", "kiosk-code", "fill-in"], "Fay": ["hand-over", "kiosk-code"]}


def test_kiosk_speaks_spanish(house: object) -> None:
    page = text_of(Browser(HTTP_ACCEPT_LANGUAGE="es").get("/kiosk/"))
    assert "Escriba el código que le dieron" in page


# --- What staff enter for a client -----------------------------------------------------------------------------------


def fill(browser: Browser, client: Client, how: str = "phone", packet: str = "intake") -> Intake:
    send(browser, reverse("fill_in", args=[client.pk]), {"packet": packet, "how": how})
    return Intake.objects.get(client=client)


def say(browser: Browser, sitting: Intake, page: str, data: Page) -> Any:
    return send(browser, reverse("fill_in_page", args=[sitting.client_id, sitting.pk, page]), data)


NEEDED: dict[str, Page] = {
    "contact": {"phone": "555 0142", "email": "sam@example.net"},
    "place": {"state": "NY", "address": "12 Elm Street, Troy"},
    "names": {"used": "Sam", "legal": "Samuel Whitehorse"},
    "birth-date": {"answer_0": "3", "answer_1": "8", "answer_2": "1993"},
}


@time_machine.travel(NOW, tick=False)
def test_every_answer_says_who_entered_it_how_and_when(sam: Client, maya: User, on_call: User, as_user: As) -> None:
    """Feature A11."""
    browser = as_user(maya)
    sitting = fill(browser, sam)
    assert Notice.objects.filter(client=sam).count() == 0
    for page, data in NEEDED.items():
        assert say(browser, sitting, page, data).status_code == 302, page
    assert {(row.entered_by, row.entered_how, row.at) for row in Answer.objects.all()} == {(maya, "phone", NOW)}
    page = text_of(browser.get(reverse("fill_in_check", args=[sam.pk, sitting.pk])))
    assert page.count("Said by phone, entered by Maya Torres, ") == len(NEEDED)
    assert {e.actor_id for e in AuditEvent.objects.filter(action="answer.saved")} == {maya.pk}
    done = send(browser, reverse("fill_in_check", args=[sam.pk, sitting.pk]))
    assert done["Location"] == reverse("intake_read", args=[sam.pk, sitting.pk])
    sitting.refresh_from_db()
    assert (sitting.submitted_at, sitting.completed_by) == (NOW, "staff")
    seen = text_of(browser.get(done["Location"]))
    assert "Said by phone, entered by Maya Torres" in seen
    assert seen.count("Said by phone, entered by Maya Torres, Thu Nov 19") >= len(NEEDED)


@time_machine.travel(NOW, tick=False)
def test_agreements_are_not_signed_for_a_client(sam: Client, maya: User, on_call: User, as_user: As) -> None:
    browser = as_user(maya)
    sitting = fill(browser, sam)
    page = reverse("fill_in_page", args=[sam.pk, sitting.pk, "agreement--treatment"])
    signs = {"typed_name": "Sam", "relation": "self"}
    assert send(browser, page, signs)["Location"] == reverse("fill_in_check", args=[sam.pk, sitting.pk])
    assert browser.get(page)["Location"] == reverse("fill_in_check", args=[sam.pk, sitting.pk])
    assert Signature.objects.count() == 0
    for slug, data in NEEDED.items():
        say(browser, sitting, slug, data)
    send(browser, reverse("fill_in_check", args=[sam.pk, sitting.pk]))
    left = Invitation.objects.get(state=Invitation.State.SENT)
    assert "agreement--treatment" in left.only
    assert {slug.split("--")[0] for slug in left.only} == {"agreement"}
    assert left.sent_at == NOW
    assert Signature.objects.count() == 0


def test_agreements_wait_here_when_there_is_no_safe_way(sam: Client, maya: User, on_call: User, as_user: As) -> None:
    browser = as_user(maya)
    sitting = fill(browser, sam)
    for slug, data in NEEDED.items():
        say(browser, sitting, slug, data)
    sam.refresh_from_db()
    sam.set_identity(reach={"email": False, "sms": False, "voice": True, "voicemail": False, "private": []})
    sam.save_identity()
    done = send(browser, reverse("fill_in_check", args=[sam.pk, sitting.pk]))
    assert "There is no safe way to send the agreements" in text_of(browser.get(done["Location"]))
    assert Invitation.objects.get(state=Invitation.State.SENT).sent_at is None


def test_handing_in_needs_what_the_client_would_need(sam: Client, maya: User, on_call: User, as_user: As) -> None:
    browser = as_user(maya)
    sitting = fill(browser, sam)
    url = reverse("fill_in_check", args=[sam.pk, sitting.pk])
    send(browser, url)
    sitting.refresh_from_db()
    assert sitting.submitted_at is None
    assert "Before you hand it in, we need these" in text_of(browser.get(url))


def test_safety_answer_entered_by_staff_fires_the_same_flag_at_once(
    sam: Client, maya: User, on_call: User, as_user: As
) -> None:
    """Law 1: who typed it changes nothing."""
    browser = as_user(maya)
    sitting = fill(browser, sam, packet="check-in")
    answer = say(browser, sitting, "phq-9--9", {"answer": "2"})
    alert = Alert.objects.get()
    assert (alert.client, alert.source_id, alert.severity) == (sam, sitting.pk, "urgent")
    assert on_call in {notice.user for notice in alert.notices.all()}
    page = text_of(browser.get(answer["Location"]))
    assert "A safety flag is open, and who is on call is told. Stay with them." in page
    assert "A safety flag of this form is open." in page
    say(browser, sitting, "phq-9--9", {"answer": "0"})
    alert.refresh_from_db()
    assert (alert.is_open, alert.severity) == (True, "urgent")


def test_skipping_for_a_client_is_kept_as_skipped(sam: Client, maya: User, on_call: User, as_user: As) -> None:
    browser = as_user(maya)
    sitting = fill(browser, sam, packet="check-in")
    say(browser, sitting, "phq-9--1", {"skip": "1"})
    row = Answer.objects.get()
    assert (row.skipped, row.value, row.entered_by) == (True, None, maya)


def test_wrong_answer_is_said_and_nothing_is_kept(sam: Client, maya: User, on_call: User, as_user: As) -> None:
    browser = as_user(maya)
    sitting = fill(browser, sam, packet="check-in")
    for value in ("9", "-1", "", "<script>"):
        assert say(browser, sitting, "phq-9--1", {"answer": value}).status_code == 400
    assert Answer.objects.count() == 0


def test_fill_in_here_proposes_what_waits_for_this_client(sam: Client, maya: User, on_call: User, as_user: As) -> None:
    page = reverse("client_invite", args=[sam.pk])

    def proposed() -> tuple[Any, Any]:
        found = as_user(maya).get(page).context
        return found["form"]["packet"].value(), found["here"]["packet"].value()

    assert proposed() == ("intake", "intake")
    first = actions.invite(by=maya, client=sam, key="intake", at=NOW - timedelta(days=2))
    actions.invite(by=maya, client=sam, key="check-in", at=NOW - timedelta(days=1))
    assert proposed() == ("check-in", "intake")  # an intake goes out once; what waits longest is filled in
    actions.withdraw(by=maya, invitation=first, at=NOW)
    assert proposed() == ("check-in", "check-in")
    Invitation.objects.update(expires_at=NOW - timedelta(hours=1))
    assert proposed() == ("check-in", "check-in")
    Invitation.objects.filter(pk=first.pk).update(state="sent", expires_at=NOW + timedelta(days=1), only=["names"])
    assert proposed() == ("check-in", "check-in")  # a part of it is asked for by its own link


def test_what_a_client_typed_themselves_is_not_opened_by_it(
    sam: Client, maya: User, on_call: User, as_user: As
) -> None:
    invitation = actions.invite(by=maya, client=sam, key="intake", at=timezone.now())
    sitting = actions.start(invitation=invitation, at=timezone.now())
    page = actions.packet_of(sitting).by_slug["names"]
    actions.save_answer(by=sam, sitting=sitting, page=page, value={"used": "Sam"}, at=timezone.now())
    browser = as_user(maya)
    answer = send(browser, reverse("fill_in", args=[sam.pk]), WANTED | {"how": "room"})
    assert "They have begun these forms themselves." in text_of(browser.get(answer["Location"]))
    for url in (reverse("fill_in_check", args=[sam.pk, sitting.pk]),
                reverse("fill_in_page", args=[sam.pk, sitting.pk, "names"])):  # fmt: skip
        assert browser.get(url).status_code == 404


def test_client_who_changes_an_answer_makes_it_their_own(sam: Client, maya: User, on_call: User) -> None:
    sitting = behalf.begin(by=maya, client=sam, key="check-in", how="room", at=NOW)
    page = actions.packet_of(sitting).by_slug["phq-9--1"]
    actions.save_answer(by=sam, sitting=sitting, page=page, value=1, at=NOW, entered_by=maya)
    actions.save_answer(by=sam, sitting=sitting, page=page, value=1, at=NOW)
    assert Answer.objects.get().entered_by == maya
    actions.save_answer(by=sam, sitting=sitting, page=page, value=2, at=NOW)
    row = Answer.objects.get()
    assert (row.entered_by, row.entered_how) == (None, "")


def test_second_press_goes_on_with_the_same_sitting(sam: Client, maya: User, on_call: User) -> None:
    first, second = (behalf.begin(by=maya, client=sam, key="intake", how="room", at=NOW) for _ in range(2))
    assert first == second
    assert (Intake.objects.count(), Invitation.objects.count()) == (1, 1)


def test_handing_in_twice_is_once(sam: Client, maya: User, on_call: User, as_user: As) -> None:
    browser = as_user(maya)
    sitting = fill(browser, sam)
    for slug, data in NEEDED.items():
        say(browser, sitting, slug, data)
    url = reverse("fill_in_check", args=[sam.pk, sitting.pk])
    assert {send(browser, url)["Location"] for _ in range(2)} == {reverse("intake_read", args=[sam.pk, sitting.pk])}
    assert Invitation.objects.count() == 2
    late = say(browser, sitting, "names", {"used": "X", "legal": "Y"})
    assert late["Location"] == reverse("intake_read", args=[sam.pk, sitting.pk])
    assert flow.value_of(actions.replies_of(sitting), "names") == {"used": "Sam", "legal": "Samuel Whitehorse"}


def test_colleague_and_front_desk_do_not_get_in(
    sam: Client, maya: User, omar: User, fay: User, on_call: User, as_user: As
) -> None:
    sitting = fill(as_user(maya), sam)
    urls = (reverse("fill_in_check", args=[sam.pk, sitting.pk]),
            reverse("fill_in_page", args=[sam.pk, sitting.pk, "names"]))  # fmt: skip
    assert [as_user(omar).get(url).status_code for url in urls] == [404, 404]
    assert [as_user(fay).get(url).status_code for url in urls] == [403, 403]


def test_scores_and_export_say_that_staff_entered_it(sam: Client, maya: User, on_call: User, as_user: As) -> None:
    browser = as_user(maya)
    sitting = fill(browser, sam, packet="check-in")
    while True:
        shown = flow.pages(actions.packet_of(sitting), actions.replies_of(sitting), flow.World())
        page = flow.next_open(shown, actions.replies_of(sitting))
        if page is None or not page.instrument:
            break
        say(browser, sitting, page.slug, {"answer": "0"})
    send(browser, reverse("fill_in_check", args=[sam.pk, sitting.pk]))
    row = Assessment.objects.filter(instrument="phq-9").get()
    assert row.details["entered"] == "phone"
    seen = text_of(browser.get(reverse("assessment", args=[sam.pk, row.pk])))
    assert "Said by phone, entered by Maya Torres." in seen
    assert reading.entered_words(row) == "Said by phone, entered by staff"
    kind = next(each for each in record.kinds(of_client=True) if each.label == "intake.Answer")
    cells = record.cells(kind, Answer.objects.filter(question="phq-9--1").get(), names=True)
    assert (cells["entered_by"], cells["entered_by_name"], cells["entered_how"]) == (
        str(maya.pk), "Maya Torres", "phone",
    )  # fmt: skip


def test_nothing_is_asked_for_a_client_while_nobody_is_on_call(sam: Client, maya: User, on_call: User) -> None:
    CoverageShift.objects.all().delete()
    with pytest.raises(NotNow):
        behalf.begin(by=maya, client=sam, key="intake", how="room", at=NOW)


# --- Who said what, when both did ------------------------------------------------------------------------------------


def begun_by_phone(sam: Client, maya: User) -> Intake:
    """Staff wrote down the first eight of the PHQ-9, by phone."""
    sitting = behalf.begin(by=maya, client=sam, key="check-in", how="phone", at=NOW)
    pages = actions.packet_of(sitting).by_slug
    for n in range(1, 9):
        page = pages[f"phq-9--{n}"]
        actions.save_answer(by=sam, sitting=sitting, page=page, value=0, at=NOW, entered_by=maya)
    return sitting


def goes_on(sam: Client, sitting: Intake, value: int = 1, **how: Any) -> None:
    page = actions.packet_of(sitting).by_slug["phq-9--9"]
    actions.save_answer(by=sam, sitting=sitting, page=page, value=value, at=NOW, **how)


@time_machine.travel(NOW, tick=False)
def test_flag_says_which_answers_staff_entered(sam: Client, maya: User, on_call: User, as_user: As) -> None:
    """Law 1: who reads the flag knows whose hand it was."""
    sitting = begun_by_phone(sam, maya)
    goes_on(sam, sitting, 2, entered_by=maya)
    flag = Alert.objects.get()
    browser = as_user(maya)
    for url in (reverse("alert", args=[sam.pk, flag.pk]), sam.get_absolute_url()):
        assert "Said by phone, entered by Maya Torres, Thu Nov 19, 10:00 am" in text_of(browser.get(url))
    page = actions.packet_of(sitting).by_slug["phq-9--9"]
    actions.save_answer(by=sam, sitting=sitting, page=page, value=1, at=NOW)
    flag.refresh_from_db()
    assert [("how" in row, row["answer"]) for row in flag.answers] == [
        (True, "More than half the days"),
        (False, "Several days"),
    ]


def test_flag_of_what_the_client_typed_names_nobody_on_staff(
    sam: Client, maya: User, on_call: User, as_user: As
) -> None:
    goes_on(sam, begun_by_phone(sam, maya))
    page = text_of(as_user(maya).get(reverse("alert", args=[sam.pk, Alert.objects.get().pk])))
    assert ("Several days" in page, "entered by" in page) == (True, False)


def test_late_answer_that_staff_enter_is_marked_too(sam: Client, maya: User, on_call: User) -> None:
    sitting = begun_by_phone(sam, maya)
    goes_on(sam, sitting, 0, entered_by=maya)
    actions.submit(by=sam, sitting=sitting, at=NOW, entered_by=maya)
    goes_on(sam, sitting, 3, entered_by=maya)
    row = Alert.objects.get().answers[-1]
    assert (row["answer"], row["how"], row["who"]) == ("Nearly every day", "phone", "Maya Torres")
    assert AuditEvent.objects.get(action="answer.late").actor_id == maya.pk


def test_client_who_goes_on_has_handed_it_in_themselves(sam: Client, maya: User, on_call: User, as_user: As) -> None:
    """The record says of each answer, of the score and of the sitting who gave it, and who sent it."""
    sitting = begun_by_phone(sam, maya)
    goes_on(sam, sitting, 0)
    sent = actions.submit(by=sam, sitting=sitting, at=NOW)
    row = Assessment.objects.get(instrument="phq-9")
    assert (sent.completed_by, sent.entered_how) == ("client", "phone")
    assert (row.details["entered"], row.details["entered_part"]) == ("phone", True)
    assert reading.entered_words(row) == "In part: Said by phone, entered by staff"
    assert reading.heard(sent) == "8 of 9 answers: Said by phone, entered by Maya Torres"
    assert reading.heard(sent, "phq-9") == "8 of 9 answers: Said by phone, entered by Maya Torres"
    seen = text_of(as_user(maya).get(reverse("intake_read", args=[sam.pk, sent.pk])))
    assert "8 of 9 answers: Said by phone, entered by Maya Torres" in seen


def test_client_who_says_all_of_it_anew_entered_it_alone(sam: Client, maya: User, on_call: User) -> None:
    sitting = begun_by_phone(sam, maya)
    for n in range(1, 10):
        page = actions.packet_of(sitting).by_slug[f"phq-9--{n}"]
        actions.save_answer(by=sam, sitting=sitting, page=page, value=int(n < 9), at=NOW)
    sent = actions.submit(by=sam, sitting=sitting, at=NOW)
    assert (sent.completed_by, sent.entered_how, reading.heard(sent)) == ("client", "", "")
    assert "entered" not in Assessment.objects.get(instrument="phq-9").details


def test_what_the_client_goes_on_to_type_is_not_opened_by_staff(
    sam: Client, maya: User, on_call: User, as_user: As
) -> None:
    sitting = begun_by_phone(sam, maya)
    browser = as_user(maya)
    check = reverse("fill_in_check", args=[sam.pk, sitting.pk])
    page = reverse("fill_in_page", args=[sam.pk, sitting.pk, "phq-9--9"])
    assert [browser.get(url).status_code for url in (check, page)] == [200, 200]
    goes_on(sam, sitting, 0)
    for answer in (
        browser.get(check),
        browser.get(page),
        send(browser, check),
        say(browser, sitting, "phq-9--1", {"answer": "3"}),
    ):
        assert answer["Location"] == reverse("client_invite", args=[sam.pk])
    assert "They went on with these forms themselves." in text_of(browser.get(reverse("client_invite", args=[sam.pk])))
    with pytest.raises(NotNow, match="begun these forms themselves"):
        behalf.begin(by=maya, client=sam, key="check-in", how="phone", at=NOW)
    say(browser, sitting, "phq-9--9", {"answer": "3"})  # what they say on the phone is heard all the same
    assert (Alert.objects.get().severity, Alert.objects.get().answers[-1]["who"]) == ("urgent", "Maya Torres")
    assert flow.value_of(actions.replies_of(sitting), "phq-9--9") == 0


@pytest.mark.parametrize(("alone", "left"), [(False, 0), (True, 1)])
def test_client_who_goes_on_and_leaves_after_a_sign_is_shown_as_gone(
    sam: Client, maya: User, on_call: User, alone: bool, left: int
) -> None:
    sitting = begun_by_phone(sam, maya)
    goes_on(sam, sitting, 2, **({} if alone else {"entered_by": maya}))
    assert actions.watch_leaving(at=NOW + actions.IDLE) == left
