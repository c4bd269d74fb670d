"""Somebody begins the forms by themselves from the public page, and becomes somebody's client (A2, Z7, A16)."""

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from intake import actions, arrivals
from intake.enquiries import TooMany
from intake.models import Arrival, Intake, Invitation
from practice import handover
from practice.access import Permission
from practice.actions import NotNow
from practice.models import (
    Alert,
    AuditEvent,
    Client,
    CoverageShift,
    Enquiry,
    Handover,
    Notice,
    Practice,
    PublicPages,
    Site,
    Task,
    User,
)
from tests import factories
from tests.conftest import send
from tests.factories import NOW
from tests.intake.conftest import text_of
from tests.intake.test_words import HARDEST, NEVER, grade, main_of

As = Callable[[User], Browser]
SAID = {
    "name": "Noor Vale",
    "birth_date_0": "3",
    "birth_date_1": "8",
    "birth_date_2": "1991",
    "channel": "email",
    "email": "noor@example.net",
    "agree": "on",
}
WRONG = "000000"


@pytest.fixture
def pages(north: Site, on_call: User) -> PublicPages:
    """Switched on, with somebody on call."""
    return PublicPages.objects.create(pk=1, starts_open=True, starts_site=north)


def begin(browser: Browser, **said: Any) -> Any:
    return send(browser, reverse("begin"), SAID | said)


def code_of(address: str) -> str:
    """The newest code that went to this address."""
    notes = [n for n in Notice.objects.filter(template="code").order_by("created_at") if n.address == address]
    return str((notes[-1].words or {})["code"])


def arrive(browser: Browser | None = None, **said: Any) -> Client:
    """Begin and type the code. The client it made."""
    browser = browser or Browser()
    assert begin(browser, **said)["Location"] == "/begin/code/"
    row = Arrival.objects.order_by("-at").first()
    assert row is not None
    assert send(browser, reverse("begin_code"), {"code": code_of(row.address)})["Location"] == "/my/"
    row.refresh_from_db()
    assert row.client is not None
    return row.client


def begun(at: datetime, origin: str = "192.0.2.7", **said: Any) -> Arrival:
    kept = {"name": "Noor Vale", "birth_date": "1991-03-08", "channel": "email", "address": "noor@example.net"}
    return arrivals.begin(said=kept | said, language="en", origin=origin, at=at)


# --- From the page to the first question -----------------------------------------------------------------------------


@time_machine.travel(NOW, tick=False)
def test_stranger_begins_and_is_nobodys_yet(pages: PublicPages, fay: User, sol: User, north: Site) -> None:
    """Feature A2, Z7."""
    browser = Browser()
    assert 'href="/begin/"' in browser.get("/options/").content.decode()
    client = arrive(browser)
    assert (client.name, client.birth_date, client.email, client.phone, client.therapist, client.site) == (
        "Noor Vale", "1991-03-08", "noor@example.net", "", None, north,
    )  # fmt: skip
    assert client.reach == {"email": True, "sms": False, "voice": False, "voicemail": False, "private": ["email"]}
    invitation = Invitation.objects.get()
    assert (invitation.client, invitation.packet, invitation.created_by) == (client, "intake", None)
    task = Task.objects.get()
    assert (task.kind, task.due_at) == ("assign", arrivals.answer_by(NOW, Practice.get()))
    told = {(n.template, n.user_id) for n in Notice.objects.exclude(user=None)}
    assert told == {("arrival", fay.pk)}
    assert [n.template for n in Notice.objects.filter(client=client)] == ["invitation"]
    send(browser, "/my/")
    assert Intake.objects.get().client == client
    assert [e.action for e in AuditEvent.objects.filter(action__startswith="arrival").order_by("pk")] == [
        "arrival.begun", "arrival.code_sent", "arrival.confirmed",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("year", "majority", "said"),
    [
        ("2008", 18, False),  # 18 on that day
        ("2009", 18, True),
        ("2008", 19, True),  # as in Alabama
        ("2007", 19, False),
    ],
)
@time_machine.travel(NOW, tick=False)
def test_minor_is_told_who_is_asked_and_staff_see_it(
    year: str, majority: int, said: bool, pages: PublicPages, fay: User, as_user: As, house: Practice
) -> None:
    """Source: MAJORITY. By the age that the practice set; the forms open for them all the same."""
    Practice.objects.update(majority_age=majority)
    browser = Browser()
    assert begin(browser, birth_date_0="11", birth_date_1="19", birth_date_2=year)["Location"] == "/begin/code/"
    page = text_of(browser.get("/begin/code/"))
    note = (
        f"You wrote that you are under {majority}. You can go on. Before treatment begins, a parent or guardian is "
        "asked to agree. Cedar House writes or calls you about this by Fri Nov 20, 12:00 pm, the way you gave us. "
        "If this worries you, tell us then, or call us: 555 0110 ."
    )
    assert (note in page, "a parent or guardian" in page) == (said, said)
    assert send(browser, reverse("begin_code"), {"code": code_of("noor@example.net")})["Location"] == "/my/"
    client = Client.objects.get(arrivals__isnull=False)
    desk = as_user(fay)
    assert [row["minor"] for row in desk.get(reverse("arrivals")).context["rows"]] == [said]
    assert (f"Under {majority}" in text_of(desk.get(reverse("arrivals")))) is said
    assert (f"they are under {majority}." in text_of(desk.get(reverse("arrival", args=[client.pk])))) is said


def test_what_is_stored_says_nothing_without_the_key(pages: PublicPages) -> None:
    begin(Browser())
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM intake_arrival")
        stored = repr([bytes(c) if isinstance(c, memoryview) else c for c in cursor.fetchone()])
    code = code_of("noor@example.net")
    assert [word for word in ("Noor", "noor@", "1991", "127.0.0.1", code) if word in stored] == []


def test_code_goes_by_text_message_too(pages: PublicPages) -> None:
    client = arrive(channel="sms", phone="202 555 0188", email="")
    assert (client.phone, client.email, client.reach["private"]) == ("202 555 0188", "", ["sms"])
    assert Notice.objects.get(template="code").channel == Notice.Channel.SMS


def test_safety_answer_pages_who_is_on_call_at_once(pages: PublicPages, omar: User) -> None:
    """Law 1: nobody's client yet, and somebody is told in the same second."""
    browser = Browser()
    client = arrive(browser)
    send(browser, "/my/")
    sitting = Intake.objects.get()
    page = actions.packet_of(sitting).by_slug["phq-9--9"]
    actions.save_answer(by=client, sitting=sitting, page=page, value=2, at=timezone.now())
    alert = Alert.objects.get()
    assert (alert.client, alert.notices.get().user, alert.is_open) == (client, omar, True)
    assert client.pk in set(Client.objects.visible_to(omar, Permission.READ_CHART).values_list("pk", flat=True))


# --- Switched off, or not ready --------------------------------------------------------------------------------------


def test_beginning_is_off_until_the_practice_switches_it_on(north: Site, on_call: User) -> None:
    assert Browser().get("/begin/").status_code == 404
    assert begin(Browser()).status_code == 404
    assert 'href="/begin/"' not in Browser().get("/options/").content.decode()


def test_nobody_begins_while_nobody_is_on_call(pages: PublicPages) -> None:
    CoverageShift.objects.all().delete()
    answer = Browser().get("/begin/")
    assert (answer.status_code, begin(Browser()).status_code) == (409, 409)
    assert "we only ask when somebody is there to answer" in text_of(answer)
    assert 'href="/begin/"' not in Browser().get("/options/").content.decode()
    assert Arrival.objects.count() == 0


def test_code_stays_good_while_the_roster_is_mended(pages: PublicPages, omar: User) -> None:
    browser = Browser()
    begin(browser)
    CoverageShift.objects.all().delete()
    code = code_of("noor@example.net")
    answer = send(browser, reverse("begin_code"), {"code": code})
    assert (answer.status_code, Client.objects.count()) == (400, 0)
    assert "Nobody can begin here right now." in text_of(answer)
    factories.always_on_call(omar)
    assert send(browser, reverse("begin_code"), {"code": code})["Location"] == "/my/"


def test_setting_asks_for_what_is_missing(rosa: User, north: Site, maya: User, as_user: As) -> None:
    browser = as_user(rosa)

    def save(**said: Any) -> Any:
        version = PublicPages.get().version
        return send(browser, reverse("public_pages"), {"version": version, "is_open": "on", "starts_open": "on"} | said)

    assert "Nobody is on call. Fill the coverage roster first" in text_of(save())
    factories.always_on_call(maya)
    south = factories.site("Cedar House South")
    assert "Choose the site at which new people begin." in text_of(save())
    assert save(starts_site=south.pk)["Location"] == reverse("public_pages")
    assert (PublicPages.get().starts_open, PublicPages.get().starts_site) == (True, south)
    factories.practice(answer_calls_nobody=False)
    page = text_of(browser.get(reverse("public_pages")))
    assert "Nobody can begin by themselves right now: Confirm in the practice" in page


# --- The code --------------------------------------------------------------------------------------------------------


def test_code_ends_with_the_fifth_wrong_one(pages: PublicPages) -> None:
    browser = Browser()
    begin(browser)
    right = code_of("noor@example.net")
    wrong = WRONG if right != WRONG else "111111"
    answers = [send(browser, reverse("begin_code"), {"code": wrong}) for _ in range(4)]
    assert {answer.status_code for answer in answers} == {400}
    assert "That code does not fit. Check it and try again." in text_of(answers[-1])
    fifth = send(browser, reverse("begin_code"), {"code": wrong})
    assert "There were too many tries" in text_of(fifth)
    send(browser, reverse("begin_code"), {"code": right})
    send(browser, reverse("begin_code"), {"send": "1"})
    assert (Client.objects.count(), Notice.objects.filter(template="code").count()) == (0, 1)


def test_fourth_wrong_code_still_leaves_one(pages: PublicPages) -> None:
    browser = Browser()
    begin(browser)
    right = code_of("noor@example.net")
    for _ in range(4):
        send(browser, reverse("begin_code"), {"code": "x"})
    assert send(browser, reverse("begin_code"), {"code": right})["Location"] == "/my/"


def test_code_works_for_ten_minutes(pages: PublicPages) -> None:
    row = begun(NOW)
    code = code_of("noor@example.net")
    assert arrivals.confirm(arrival=row, code=code, at=NOW + timedelta(minutes=10)) is None
    assert arrivals.confirm(arrival=row, code=code, at=NOW + timedelta(minutes=9, seconds=59)) is not None


def test_right_code_twice_makes_one_record(pages: PublicPages) -> None:
    row = begun(NOW)
    code = code_of("noor@example.net")
    first, second = (arrivals.confirm(arrival=row, code=code, at=NOW) for _ in range(2))
    assert first is not None and first == second
    assert (Client.objects.count(), Task.objects.count(), Invitation.objects.count()) == (1, 1, 1)


def test_second_tab_and_back_lead_to_the_forms_that_are_open(pages: PublicPages) -> None:
    browser, stranger = Browser(), Browser()
    client = arrive(browser)
    assert browser.get("/begin/code/")["Location"] == "/my/"
    code = code_of(client.email)
    assert send(browser, reverse("begin_code"), {"code": code}, key="k" * 36)["Location"] == "/my/"
    assert stranger.get("/begin/code/")["Location"] == "/begin/"
    Invitation.objects.update(state=Invitation.State.WITHDRAWN)
    assert (browser.get("/begin/code/")["Location"], Client.objects.count()) == ("/begin/", 1)


def test_new_code_at_most_once_a_minute_and_four_times_a_day_to_one_address(pages: PublicPages) -> None:
    row = begun(NOW)
    sent = [arrivals.send_code(arrival=row, at=NOW + timedelta(seconds=s)) for s in (59, 60)]
    assert sent == [False, True]
    others = [begun(NOW + timedelta(hours=n), origin=f"198.51.100.{n}") for n in range(1, 5)]
    assert [bool(other.code_digest or Arrival.objects.get(pk=other.pk).code_digest) for other in others] == [
        True, True, False, False,
    ]  # fmt: skip
    assert Arrival.objects.get(pk=begun(NOW + timedelta(days=1, hours=3, minutes=1)).pk).code_digest


def test_code_of_another_browser_opens_nothing(pages: PublicPages) -> None:
    mine, theirs = Browser(), Browser()
    begin(mine)
    begin(theirs, name="Ada Moor", email="ada@example.net")
    send(theirs, reverse("begin_code"), {"code": code_of("noor@example.net")})
    assert Client.objects.count() == 0
    assert send(Browser(), reverse("begin_code"), {"code": code_of("noor@example.net")})["Location"] == "/begin/"


# --- Limits and hostile input ----------------------------------------------------------------------------------------


def test_sixth_of_one_address_in_an_hour_waits_and_loses_nothing(pages: PublicPages) -> None:
    for n in range(arrivals.MOST_OF_ADDRESS):
        assert begin(Browser(), email=f"n{n}@example.net").status_code == 303
    answer = begin(Browser(), name="Still Here")
    assert (answer.status_code, Arrival.objects.count()) == (429, arrivals.MOST_OF_ADDRESS)
    assert "Nothing was sent. What you wrote is still here" in text_of(answer)
    assert "Still Here" in answer.content.decode()
    assert begin(Browser(REMOTE_ADDR="198.51.100.4")).status_code == 303
    assert begin(Browser(HTTP_X_FORWARDED_FOR="203.0.113.9")).status_code == 429  # what is claimed is no address


def test_limit_of_the_practices_day_ends_at_its_midnight(pages: PublicPages, monkeypatch: Any) -> None:
    monkeypatch.setattr(arrivals, "MOST_OF_DAY", 2)
    begun(NOW, origin="192.0.2.1", address="a@example.net")
    begun(NOW, origin="192.0.2.2", address="b@example.net")
    with pytest.raises(TooMany):
        begun(NOW.replace(hour=23), origin="192.0.2.3")
    assert begun(NOW + timedelta(hours=14), origin="192.0.2.3").pk  # 5 am UTC is midnight in New York


def test_field_that_nobody_sees_stops_a_machine_and_loses_no_person(pages: PublicPages) -> None:
    page = Browser().get("/begin/").content.decode()
    assert re.search(r'<div hidden><label for="website">.*tabindex="-1" autocomplete="off"', page)
    answer = begin(Browser(), website="https://spam.example")
    assert (answer.status_code, Arrival.objects.count()) == (400, 0)
    assert "Press the button once more." in text_of(answer)
    assert 'value="Noor Vale"' in answer.content.decode() and "spam.example" not in answer.content.decode()


def test_form_without_its_key_is_not_taken_and_one_sent_twice_is_one(pages: PublicPages) -> None:
    assert Browser().post(reverse("begin"), SAID).status_code == 400
    browser = Browser()
    assert {send(browser, reverse("begin"), SAID, key="k" * 32)["Location"] for _ in range(2)} == {"/begin/code/"}
    assert Arrival.objects.count() == 1


ERRORS = {
    "no name": ({"name": " "}, "Write a name we can use."),
    "no birth date": ({"birth_date_0": "", "birth_date_1": "", "birth_date_2": ""}, "Write the month, day and year."),
    "born tomorrow": ({"birth_date_2": "2999"}, "This day has not come yet. Check the year."),
    "no such day": ({"birth_date_0": "2", "birth_date_1": "30"}, "This day is not in the calendar."),
    "no way": ({"channel": ""}, "Choose one of the two."),
    "a way that is none": ({"channel": "pigeon"}, "Choose from the answers on this page."),
    "mail chosen, none given": ({"email": ""}, "Write your e-mail, or choose text message."),
    "text chosen, no phone": ({"channel": "sms"}, "Write your phone number, or choose e-mail."),
    "no mail": ({"email": "noor at home"}, "Write an e-mail address, such as name@example.com."),
    "not safe": ({"agree": ""}, "Tick the box if it is safe. If it is not, ask us to contact you instead."),
    "a bell": ({"name": "Noor \x07"}, "There is a character here that we cannot keep."),
    "a long name": ({"name": "x" * 201}, "This is too long. Keep it under 200 letters."),
}


@pytest.mark.parametrize("case", ERRORS)
def test_form_says_what_to_do(case: str, pages: PublicPages) -> None:
    said, sentence = ERRORS[case]
    answer = begin(Browser(), **said)
    assert answer.status_code == 400
    assert sentence in text_of(answer)
    assert Arrival.objects.count() == 0


@pytest.mark.parametrize("name", ["<img src=x onerror=alert(1)>", "{{ 7|add:7 }}{% debug %}", "=cmd()", "نور 🌱"])
def test_hostile_name_is_shown_as_text(name: str, pages: PublicPages, fay: User, as_user: As) -> None:
    """Security check 37, 73."""
    client = arrive(name=name)
    browser = as_user(fay)
    for url in (reverse("arrivals"), reverse("arrival", args=[client.pk])):
        answer = browser.get(url)
        assert (answer.status_code, "<img src=x" in answer.content.decode()) == (200, False)
    assert client.name == name


def test_what_nobody_asked_for_is_not_taken(pages: PublicPages, maya: User, sam: Client) -> None:
    client = arrive(therapist=maya.pk, client=sam.pk, status="active", site=99, reach="{}")
    assert (client.therapist, client.status, client == sam) == (None, Client.Status.INVITED, False)


# --- Nobody is revealed ----------------------------------------------------------------------------------------------


def test_visitor_sees_the_same_whether_they_are_known_or_not(pages: PublicPages, sam: Client) -> None:
    """Feature A16, security check 40: the same pages by the same queries, up to the first question."""

    def tried(**said: Any) -> list[Any]:
        browser = Browser()
        seen: list[Any] = []
        with CaptureQueriesContext(connection) as asked:
            answer = begin(browser, **said)
            seen += [answer.status_code, answer["Location"], text_of(browser.get(answer["Location"]))]
            row = Arrival.objects.order_by("-at").first()
            assert row is not None
            done = send(browser, reverse("begin_code"), {"code": code_of(row.address)})
            seen += [done.status_code, done["Location"], text_of(browser.get(done["Location"]))]
        return [*seen, [re.sub(r"'[^']*'|x?'[0-9a-f]*'|\d+", "?", q["sql"])[:60] for q in asked.captured_queries]]

    tried(name="First Act", email="first@example.net")  # the first act of a test writes the head of the trail
    stranger = tried(name="Sem Whitehorsa", email="nob@example.net", birth_date_2="1992")
    Notice.objects.all().delete()
    known = tried(name="Sam Whitehorse", email=sam.email, birth_date_2="1993")
    assert known[:6] == stranger[:6]
    assert abs(len(known[6]) - len(stranger[6])) <= 4  # how often a name begins anew is indexed, and nothing else
    assert Client.objects.filter(email_index=sam.email_index).count() == 2


def test_staff_see_who_may_be_the_same_only_within_their_reach(
    pages: PublicPages, sam: Client, fay: User, ines: User, south: Site, as_user: As
) -> None:
    """Feature A16."""
    hidden = factories.client(ines, "Noor Vale", email="noor@example.net", birth_date="1991-03-08")
    by_mail = arrive(email=sam.email)
    page = text_of(as_user(fay).get(reverse("arrival", args=[by_mail.pk])))
    assert sam.code in page and hidden.code not in page
    assert "Same e-mail or phone as a client" in text_of(as_user(fay).get(reverse("arrivals")))
    by_birth = arrive(name="Sam Whitehorse", birth_date_2="1993", email="other@example.net")
    assert arrivals.alike(fay, by_birth) == [sam]
    not_born = arrive(name="Sam Whitehorse", birth_date_2="1994", email="third@example.net")
    assert arrivals.alike(fay, not_born) == [by_birth][:0]


# --- Somebody's ------------------------------------------------------------------------------------------------------


def test_new_people_are_seen_by_who_hands_them_out(
    pages: PublicPages, fay: User, rosa: User, sol: User, maya: User, pax: User, as_user: As
) -> None:
    client = arrive()
    urls = (reverse("arrivals"), reverse("arrival", args=[client.pk]))
    seen = {
        user.first_name: [as_user(user).get(url).status_code for url in urls] for user in (fay, rosa, sol, maya, pax)
    }
    assert seen == {"Fay": [200, 200], "Rosa": [200, 200], "Sol": [200, 200], "Maya": [403, 403], "Pax": [403, 403]}
    elsewhere = factories.staff("Tia South", "front_desk", sites=(factories.site("Cedar House South"),))
    assert [as_user(elsewhere).get(url).status_code for url in urls] == [200, 404]
    assert client.name not in text_of(as_user(elsewhere).get(urls[0]))


def test_supervisor_reads_what_a_new_person_said_until_they_are_somebodys(
    pages: PublicPages, sol: User, omar: User
) -> None:
    client = arrive()
    reads = Client.objects.visible_to(sol, Permission.READ_CHART)
    assert list(reads) == [client]
    other = factories.staff("Far Off", "supervisor", sites=(factories.site("Cedar House South"),))
    assert list(Client.objects.visible_to(other, Permission.READ_CHART)) == []
    handover.transfer(by=sol, clients=[client], to=omar, at=NOW)  # omar is not of Sol's team
    assert list(Client.objects.visible_to(sol, Permission.READ_CHART)) == []


def test_front_desk_gives_them_to_a_therapist_once(pages: PublicPages, fay: User, maya: User, as_user: As) -> None:
    client = arrive()
    url = reverse("arrival", args=[client.pk])
    answer = send(as_user(fay), url, {"act": "assign", "to": maya.pk})
    assert answer["Location"] == reverse("arrivals")
    client.refresh_from_db()
    assert (client.therapist, Task.objects.get(kind="assign").done_by) == (maya, fay)
    assert Handover.objects.get().to == maya
    late = send(as_user(fay), url, {"act": "assign", "to": maya.pk})
    assert late.status_code == 400
    assert "Somebody gave them to a therapist already. Nothing was changed." in text_of(late)
    assert "Nobody waits for a therapist" in text_of(as_user(fay).get(reverse("arrivals")))


def test_full_therapist_needs_words(pages: PublicPages, fay: User, maya: User, as_user: As) -> None:
    User.objects.filter(pk=maya.pk).update(most_clients=0)
    client = arrive()
    url = reverse("arrival", args=[client.pk])
    assert send(as_user(fay), url, {"act": "assign", "to": maya.pk}).status_code == 400
    assert send(as_user(fay), url, {"act": "assign", "to": maya.pk, "words": "She asked for them."}).status_code == 302


def test_no_therapist_of_another_site_is_offered(pages: PublicPages, fay: User, ines: User, as_user: As) -> None:
    client = arrive()
    answer = send(as_user(fay), reverse("arrival", args=[client.pk]), {"act": "assign", "to": ines.pk})
    assert (answer.status_code, Client.objects.get().therapist) == (400, None)


def test_same_person_goes_to_the_same_therapist_who_is_told(
    pages: PublicPages, sam: Client, maya: User, fay: User, as_user: As
) -> None:
    client = arrive(email=sam.email)
    answer = send(as_user(fay), reverse("arrival", args=[client.pk]), {"act": "same", "other": sam.pk})
    assert answer["Location"] == reverse("arrivals")
    client.refresh_from_db()
    assert (client.therapist, client.arrivals.get().same_as) == (maya, sam)
    said = {task.client: task.facts["code"] for task in Task.objects.filter(kind="todo", done_at=None)}
    assert said == {client: sam.code, sam: client.code}


def test_supervisor_may_make_one_record_of_both_and_the_front_desk_may_not(
    pages: PublicPages, sam: Client, fay: User, sol: User, as_user: As
) -> None:
    client = arrive(email=sam.email)
    link = reverse("merge", args=[sam.pk, client.pk])
    url = reverse("arrival", args=[client.pk])
    assert link in as_user(sol).get(url).content.decode()
    assert link not in as_user(fay).get(url).content.decode()


def test_same_person_takes_only_one_of_those_offered(pages: PublicPages, sam: Client, kit: Client, fay: User,
                                                     as_user: As) -> None:  # fmt: skip
    client = arrive(email=sam.email)
    answer = send(as_user(fay), reverse("arrival", args=[client.pk]), {"act": "same", "other": kit.pk})
    assert (answer.status_code, Client.objects.get(pk=client.pk).therapist) == (400, None)


def test_client_who_came_otherwise_has_no_such_page(sam: Client, fay: User, as_user: As) -> None:
    assert as_user(fay).get(reverse("arrival", args=[sam.pk])).status_code == 404


def test_same_person_without_a_therapist_is_refused(pages: PublicPages, fay: User) -> None:
    one, two = arrive(), arrive(name="Noor V")
    with pytest.raises(NotNow):
        arrivals.same_person(by=fay, client=two, other=one, at=NOW)


def test_list_asks_no_more_for_four_than_for_one(pages: PublicPages, fay: User, as_user: As) -> None:
    browser = as_user(fay)

    def queries() -> int:
        with CaptureQueriesContext(connection) as found:
            assert browser.get(reverse("arrivals")).status_code == 200
        return len(found)

    arrive()
    browser.get(reverse("arrivals"))
    one = queries()
    for n in range(3):
        arrive(email=f"n{n}@example.net")
    assert queries() == one


# --- Forgotten -------------------------------------------------------------------------------------------------------


def test_what_nobody_confirmed_is_deleted_after_a_day(pages: PublicPages) -> None:
    old = begun(NOW - timedelta(days=1, seconds=1), origin="192.0.2.1")
    young = begun(NOW - timedelta(hours=23), origin="192.0.2.2", address="b@example.net")
    kept = begun(NOW - timedelta(days=2), origin="192.0.2.3", address="c@example.net")
    code = code_of("c@example.net")
    assert arrivals.confirm(arrival=kept, code=code, at=NOW - timedelta(days=2))
    assert arrivals.forget(at=NOW) == 1
    assert {row.pk for row in Arrival.objects.all()} == {young.pk, kept.pk}
    assert AuditEvent.objects.get(action="arrival.purged").target_id == str(old.pk)
    assert Enquiry.objects.count() == 0


# --- Words -----------------------------------------------------------------------------------------------------------


def test_pages_read_at_grade_eight_and_their_titles_tell_nothing(pages: PublicPages) -> None:
    browser = Browser()
    first = browser.get("/begin/").content.decode()
    begin(browser)
    second = browser.get("/begin/code/").content.decode()
    assert [re.findall(r"<title>(.*?)</title>", page)[0] for page in (first, second)] == [
        "Begin by yourself - Cedar House", "Your code - Cedar House",
    ]  # fmt: skip
    for page in (first, second):
        text = main_of(page)
        assert [word for word in NEVER if word.lower() in text.lower()] == []
        assert grade(text) <= HARDEST


def test_pages_and_code_speak_spanish(pages: PublicPages) -> None:
    browser = Browser(HTTP_ACCEPT_LANGUAGE="es")
    assert "Empezar por su cuenta" in text_of(browser.get("/begin/"))
    client = arrive(browser)
    assert client.language == "es"
    note = Notice.objects.get(template="code")
    assert (note.words or {})["language"] == "es"
