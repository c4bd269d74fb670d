"""A page for somebody whom a client trusts, or a guardian (K7): given, opened by a code, looked at, taken back."""

from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.db import IntegrityError, connection, transaction
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from intake import trusted
from intake.models import Look, Part, TrustedPerson
from intake.models.packets import PERSON
from intake.models.trusted import FOR_GUARDIANS
from practice import jobs, safety_plan
from practice.actions import NotNow
from practice.kap.actions import rides
from practice.kap.models import Plan, Session
from practice.models import AuditEvent, Client, Job, Notice, Practice, User
from referrals.models import Disclosure
from referrals.views import trusted_page
from tests.conftest import send
from tests.factories import NOW
from tests.homes import at_home, newest_code
from tests.intake.conftest import text_of
from tests.sittings import answered, sitting

As = Callable[[User], Browser]
Post = Callable[..., Any]
pytestmark = pytest.mark.usefixtures("clock")
ALL = [str(part) for part in Part if part not in FOR_GUARDIANS]
UNTIL = date(2027, 1, 31)


@pytest.fixture
def clock() -> Any:
    with time_machine.travel(NOW, tick=False) as now:
        yield now


def given(client: Client, *parts: str, at: datetime = NOW, **more: Any) -> TrustedPerson:
    said: dict[str, Any] = {
        "name": "Lee Park", "relation": "partner", "phone": "202 555 0177", "email": "lee@example.net",
        "until": UNTIL, "signed_name": "Sam Whitehorse",
    }  # fmt: skip
    return trusted.give(by=client, may=parts or ALL, at=at, **(said | more))


def guardian(client: Client, by: User, *parts: str, at: datetime = NOW, **more: Any) -> TrustedPerson:
    said: dict[str, Any] = {
        "name": "Ana Whitehorse", "relation": "mother", "phone": "202 555 0178", "email": "",
        "document": "parent", "document_reference": "Birth certificate, scanned 3 Nov", "document_on": date(2010, 3, 8),
        "until": UNTIL,
    }  # fmt: skip
    may = parts or [Part.PLAN, Part.RIDES]
    return trusted.give_guardian(by=by, client=client, may=may, at=at, **(said | more))


def minor(client: Client, born: str = "2010-03-08") -> Client:
    client.set_identity(birth_date=born)
    client.save()
    return client


def code_of(person: TrustedPerson) -> str:
    return newest_code("person_code", client=person.client)


def opened(person: TrustedPerson, browser: Browser | None = None, way: str = "sms") -> Browser:
    browser = browser or Browser()
    person.invitation.refresh_from_db()
    answer = send(browser, person.invitation.path)
    assert (answer.status_code, answer["Location"]) == (303, "/with/check/")
    send(browser, "/with/check/", {"send": way})
    answer = send(browser, "/with/check/", {"code": code_of(person)})
    assert (answer.status_code, answer["Location"]) == (303, "/with/")
    return browser


def part_url(part: str) -> str:
    return reverse("person_part", args=[part])


def filled(client: Client, by: User) -> None:
    """A plan, a safety plan and a sitting of this client."""
    plan = Plan.objects.create(client=client, shape="weekly", started_on=NOW.date(), created_by=by, planned=4)
    Session.objects.create(plan=plan, kind="dosing", number=1, starts_at=NOW + timedelta(days=1), therapist=by)
    safe = safety_plan.begin(by=by, client=client, at=NOW)
    safety_plan.save(by=by, plan=safe, steps=safe.steps | {"reasons": [{"text": "My dog Bo"}]}, means="done",
                     means_words="Lee keeps them.", review_on=date(2026, 12, 3), seen=safe.version, writer="",
                     at=NOW)  # fmt: skip
    safety_plan.finish(by=by, plan=safe, at=NOW, give=True)
    answered(sitting(client, NOW, packet="check-in"), NOW, **{"phq-9--1": 1})


# --- The way in ------------------------------------------------------------------------------------------------------


def test_client_gives_a_page_and_the_person_opens_it_by_a_code(sam: Client, maya: User) -> None:
    """Feature K7: a page of their own, by a link and a one-time code to their own phone."""
    filled(sam, maya)
    browser = at_home(sam)
    said: dict[str, Any] = {
        "name": "Lee Park", "relation": "partner", "phone": "202 555 0177", "email": "", "until": "2027-01-31",
        "may": ["see_plan", "read_safety_plan"], "signed_name": "Sam Whitehorse",
    }  # fmt: skip
    answer = send(browser, "/my/people/new/", said)
    assert (answer.status_code, answer["Location"]) == (303, "/my/people/")
    [person] = TrustedPerson.objects.all()
    sent = Notice.objects.filter(template="person_link")
    assert [(row.channel, row.address, row.words["link"].endswith(person.invitation.path)) for row in sent] == [
        ("sms", "202 555 0177", True)
    ]
    theirs = opened(person)
    page = theirs.get("/with/")
    words = text_of(page)
    assert "What Sam shares with you" in words
    assert [str(trusted_page.TITLES[part]) in words for part in trusted_page.TITLES] == [
        True, False, True, False, False, False,
    ]  # fmt: skip
    plan, safe = (text_of(theirs.get(part_url(part))) for part in (Part.PLAN, Part.SAFETY_PLAN))
    assert ("0 of 4 ketamine sessions done." in plan, "My dog Bo" in safe, "Lee keeps them" in safe) == (
        True, True, False,
    )  # fmt: skip
    closed = [theirs.get(part_url(part)).status_code for part in ("see_referral", "read_answers", "see_scores", "x")]
    assert closed == [404, 404, 404, 404]
    looks = text_of(browser.get("/my/people/"))
    assert "Lee Park: Read the safety plan" in looks and "Lee Park: See appointments" in looks


def test_nothing_says_whose_page_it_is_before_the_code(sam: Client) -> None:
    person = given(sam)
    browser = Browser()
    shown = [browser.get(person.invitation.path), send(browser, person.invitation.path)]
    shown.append(browser.get("/with/check/"))
    for page in shown:
        said = page.content.decode() + page.get("Location", "")
        assert [word for word in ("Sam", "Whitehorse", "Lee", str(sam.pk)) if word in said] == []
    theirs = opened(person)
    assert "<title>Your page - Cedar House</title>" in theirs.get("/with/").content.decode()
    assert "<title>Your page - Cedar House</title>" in theirs.get(part_url(Part.PLAN)).content.decode()


def test_looking_at_the_link_opens_nothing(sam: Client) -> None:
    person = given(sam)
    browser = Browser()
    browser.get(person.invitation.path)
    assert [browser.get(url)["Location"] for url in ("/with/", "/with/check/", part_url(Part.PLAN))] == [
        "/my/locked/"
    ] * 3  # fmt: skip
    send(browser, person.invitation.path)
    assert [browser.get(url)["Location"] for url in ("/with/", part_url(Part.PLAN))] == ["/with/check/"] * 2


def test_five_wrong_codes_shut_the_page_and_tell_staff(sam: Client, maya: User) -> None:
    person = given(sam)
    browser = Browser()
    send(browser, person.invitation.path)
    send(browser, "/with/check/", {"send": "sms"})
    right = code_of(person)
    pages = [send(browser, "/with/check/", {"code": wrong}) for wrong in ("1", "", "x" * 400, "000000", "۱۲۳")]
    assert ["too many tries" in text_of(page) for page in pages] == [False, False, False, False, True]
    assert "too many tries" in text_of(send(browser, "/with/check/", {"code": right}))
    assert browser.get("/with/").status_code == 303
    assert Notice.objects.filter(template="locked", user=maya).count() == 1
    refused = AuditEvent.objects.filter(action="intake.wrong_code").values_list("actor_kind", "client_id")
    assert set(refused) == {("trusted", sam.pk)}


def test_code_goes_only_where_the_client_said(sam: Client) -> None:
    person = given(sam, phone="")
    browser = Browser()
    send(browser, person.invitation.path)
    for way in ("sms", "voice", "x"):
        send(browser, "/with/check/", {"send": way})
    assert Notice.objects.filter(template="person_code").count() == 0
    send(browser, "/with/check/", {"send": "email"})
    assert [row.address for row in Notice.objects.filter(template="person_code")] == ["lee@example.net"]


def test_page_of_one_client_opens_nothing_of_another(sam: Client, kit: Client, maya: User, omar: User) -> None:
    filled(kit, omar)
    theirs = opened(given(sam, Part.PLAN))
    assert text_of(theirs.get(part_url(Part.PLAN))).count("Nothing is booked right now.") == 1
    assert [theirs.get(url)["Location"] for url in ("/my/home/", "/my/answers/", "/my/people/")] == ["/my/locked/"] * 3
    home = at_home(sam)
    mine = home.get(reverse("my_person", args=[given(kit).pk]))
    assert mine.status_code == 404


# --- What ends it ----------------------------------------------------------------------------------------------------


def test_client_takes_it_back_and_the_next_request_is_refused(sam: Client) -> None:
    person = given(sam)
    theirs, mine = opened(person), at_home(sam)
    assert theirs.get("/with/").status_code == 200
    for _press in range(2):
        answer = send(mine, reverse("my_person", args=[person.pk]), {"stop": "1"})
        assert answer["Location"] == "/my/people/"
    assert [theirs.get(url)["Location"] for url in ("/with/", part_url(Part.PLAN))] == ["/my/locked/"] * 2
    assert theirs.get(person.invitation.path).status_code == 404
    assert AuditEvent.objects.filter(action="trusted.ended", actor_kind="client").count() == 1
    with pytest.raises(NotNow, match="This access has ended"):
        trusted.change(by=sam, person=person, may=[Part.PLAN], at=NOW)


def test_staff_hold_it_back_with_a_reason_and_give_it_free(sam: Client, maya: User, as_user: As, post: Post) -> None:
    person = given(sam)
    theirs, staff, url = opened(person), as_user(maya), reverse("client_people", args=[sam.pk])
    assert "Write why it is held back." in text_of(
        staff.get(post(staff, url, {"act": "hold", "person": person.pk})["Location"])
    )
    assert theirs.get("/with/").status_code == 200
    post(staff, url, {"act": "hold", "person": person.pk, "words": "They argued about it on Monday."})
    assert theirs.get("/with/")["Location"] == "/my/locked/"
    assert "They argued about it on Monday." in text_of(staff.get(url))
    mine = text_of(at_home(sam).get("/my/people/"))
    assert ("The practice holds it back for now. Ask them why." in mine, "argued" in mine) == (True, False)
    again = post(staff, url, {"act": "hold", "person": person.pk, "words": "Twice"})
    assert "It is held back already." in text_of(staff.get(again["Location"]))
    post(staff, url, {"act": "let_go", "person": person.pk})
    assert theirs.get("/with/").status_code == 200
    post(staff, url, {"act": "end", "person": person.pk})
    assert theirs.get("/with/")["Location"] == "/my/locked/"


@pytest.mark.parametrize(("days", "works"), [(0, True), (1, False)])
def test_last_day_is_the_last(sam: Client, clock: Any, days: int, works: bool) -> None:
    person = given(sam, until=NOW.date())
    clock.move_to(NOW + timedelta(days=days))
    assert (trusted.state_of(person, NOW + timedelta(days=days), Practice.get()) == trusted.OPEN) is works
    assert Browser().get(person.invitation.path).status_code == (200 if works else 404)


@pytest.mark.parametrize(
    ("majority", "today", "state"),
    [
        (18, date(2028, 3, 7), "open"),
        (18, date(2028, 3, 8), "of_age"),
        (19, date(2028, 3, 8), "open"),
        (19, date(2029, 3, 8), "of_age"),
    ],
)
def test_guardian_of_a_minor_ends_when_they_come_of_age(
    sam: Client, maya: User, majority: int, today: date, state: str
) -> None:
    """Source: MAJORITY. The practice sets the age; a document of an adult's guardian is not touched by it."""
    practice = Practice.get()
    practice.majority_age = majority
    at = datetime(today.year, today.month, today.day, 17, tzinfo=NOW.tzinfo)
    person = guardian(minor(sam), maya, at=NOW)
    person.until = date(2030, 1, 1)
    assert trusted.state_of(person, at, practice) == state
    person.document = "adult"
    assert trusted.state_of(person, at, practice) == "open"
    person.document, person.client.birth_date = "parent", ""
    assert trusted.state_of(person, at, practice) == "of_age"  # a blank birth date makes nobody a guardian


@pytest.mark.parametrize("status", ["discharged", "died", "restricted"])
def test_end_of_care_ends_it(sam: Client, status: str) -> None:
    person = given(sam)
    theirs = opened(person)
    Client.objects.filter(pk=sam.pk).update(status=status)
    assert theirs.get("/with/")["Location"] == "/my/locked/"
    with pytest.raises(NotNow):
        given(Client.objects.get(pk=sam.pk), phone="202 555 0199")


# --- Who may give what -----------------------------------------------------------------------------------------------


def test_birth_date_gives_nobody_a_page_but_stops_one(sam: Client) -> None:
    person = given(sam)
    sam.reach = {"email": True, "sms": True, "private": []}
    sam.save()
    mine = at_home(sam)
    said = {"name": "X", "phone": "202 555 0190", "until": "2027-01-31", "may": ["see_plan"], "signed_name": "Sam"}
    assert "To add one, call 555 0110" in text_of(send(mine, "/my/people/new/", said))
    send(mine, reverse("my_person", args=[person.pk]), {"may": ["see_plan", "read_answers"]})
    assert TrustedPerson.objects.get().may == ALL
    send(mine, reverse("my_person", args=[person.pk]), {"stop": "1"})
    assert TrustedPerson.objects.get().ended_at == NOW


def test_answers_and_scores_are_the_clients_alone_to_give(sam: Client, maya: User, as_user: As) -> None:
    for part in (Part.ANSWERS, Part.SCORES):
        with pytest.raises(NotNow, match="for the client alone to give"):
            guardian(minor(sam), maya, Part.PLAN, part)
    person = guardian(sam, maya, Part.PLAN)
    form = text_of(as_user(maya).get(reverse("client_people", args=[sam.pk])))
    assert "Read past answers" not in form
    theirs = opened(person)
    assert theirs.get(part_url(Part.ANSWERS)).status_code == 404
    mine = at_home(sam)
    assert "See appointments" not in mine.get(reverse("my_person", args=[person.pk])).content.decode().split("<form")[2]
    send(mine, reverse("my_person", args=[person.pk]), {"may": ["read_answers"]})
    person.refresh_from_db()
    assert person.may == ["see_plan", "read_answers"]  # what the document gave stays
    assert theirs.get(part_url(Part.ANSWERS)).status_code == 200


def test_part_2_practice_offers_neither_answers_nor_scores(sam: Client, maya: User) -> None:
    person = given(sam)
    theirs = opened(person)
    assert theirs.get(part_url(Part.ANSWERS)).status_code == 200
    Practice.objects.update(is_part2=True)
    assert [theirs.get(part_url(part)).status_code for part in (Part.ANSWERS, Part.SCORES, Part.PLAN)] == [
        404,
        404,
        200,
    ]
    with pytest.raises(NotNow, match="Tick at least one thing"):
        given(sam, Part.ANSWERS, phone="202 555 0190")


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ({"name": " "}, "Write their name."),
        ({"phone": "", "email": ""}, "Give a phone or an e-mail that only they read"),
        ({"phone": "+1 (202) 555-0142"}, "is in this record already"),
        ({"email": "SAM@example.net"}, "is in this record already"),
        ({"until": date(2026, 11, 18)}, "Choose a last day between today and"),
        ({"until": date(2028, 11, 20)}, "Choose a last day between today and"),
        ({"signed_name": " "}, "Type your full name to sign."),
    ],
)
def test_what_is_missing_is_said(sam: Client, more: dict[str, Any], sentence: str) -> None:
    with pytest.raises(NotNow, match=sentence):
        given(sam, **more)
    assert TrustedPerson.objects.count() == 0
    given(sam, until=date(2028, 11, 19))


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ({"document": "x"}, "Write which document says so"),
        ({"document_reference": " "}, "Write which document says so"),
        ({"document_on": date(2026, 11, 20)}, "cannot lie ahead"),
    ],
)
def test_guardian_needs_a_document(sam: Client, maya: User, more: dict[str, Any], sentence: str) -> None:
    with pytest.raises(NotNow, match=sentence):
        guardian(minor(sam), maya, **more)
    with pytest.raises(NotNow, match="The client is of age"):
        guardian(minor(sam, "2008-11-19"), maya)
    with pytest.raises(NotNow, match="birth date first"):
        guardian(minor(sam, ""), maya)
    guardian(minor(sam, "2008-11-20"), maya)
    with pytest.raises(IntegrityError), transaction.atomic():
        TrustedPerson.objects.update(document="")


def test_form_says_what_is_wrong_and_keeps_what_was_typed(sam: Client) -> None:
    mine = at_home(sam)
    said = {"name": "Lee <b>", "phone": "call me", "email": "lee@", "until": "soon", "may": ["all"], "signed_name": ""}
    answer = send(mine, "/my/people/new/", said)
    page = text_of(answer)
    assert answer.status_code == 400
    for sentence in (
        "Write the phone number in digits", "Write the e-mail address in full.", "Give a day, such as",
        "Choose among the things in the list.", "Type your full name to sign.",
    ):  # fmt: skip
        assert sentence in page
    assert "Lee &lt;b&gt;" in answer.content.decode()
    assert "may" not in [name for name, value in mine.get("/my/people/new/").context["form"].initial.items() if value]


def test_only_so_many_at_a_time(sam: Client) -> None:
    for n in range(trusted.MOST):
        last = given(sam, phone=f"202 555 02{n:02d}")
    with pytest.raises(NotNow, match="as many people as can have a page"):
        given(sam, phone="202 555 0300")
    trusted.end(by=sam, person=last, at=NOW)
    given(sam, phone="202 555 0300")


def test_staff_without_the_chart_see_and_do_nothing(
    sam: Client, kit: Client, maya: User, omar: User, pax: User, rosa: User, fay: User, as_user: As, post: Post
) -> None:
    person, url = given(sam), reverse("client_people", args=[sam.pk])
    seen = [as_user(user).get(url).status_code for user in (maya, pax, omar, rosa, fay)]
    assert seen == [200, 200, 404, 403, 403]
    assert post(as_user(omar), url, {"act": "end", "person": person.pk}).status_code == 404
    theirs = given(kit)
    assert post(as_user(maya), url, {"act": "end", "person": theirs.pk}).status_code == 404
    for wrong in ({"act": "end", "person": "x"}, {"act": "burn", "person": person.pk}):
        assert post(as_user(maya), url, wrong).status_code == 404
    assert post(as_user(pax), url, {"act": "give"}).status_code == 403
    assert list(TrustedPerson.objects.values_list("ended_at", flat=True)) == [None, None]


# --- What is written down --------------------------------------------------------------------------------------------


def test_each_look_is_listed_and_the_first_of_a_part_is_a_disclosure(sam: Client, rosa: User, as_user: As) -> None:
    """One gate (ADR 0011): the list of disclosures says to whom what went, the looks say each time."""
    person = given(sam, Part.PLAN, Part.REFERRAL)
    theirs = opened(person)
    for part in (Part.PLAN, Part.PLAN, Part.REFERRAL):
        theirs.get(part_url(part))
    theirs.get("/with/")
    assert Look.objects.count() == 3
    rows = [
        (row.recipient, row.sections, row.channel, row.person_id) for row in Disclosure.objects.order_by("at", "id")
    ]
    assert sorted(rows, key=str) == [
        ("Support person", ["see_plan"], "page", person.pk),
        ("Support person", ["see_referral"], "page", person.pk),
    ]
    audited = AuditEvent.objects.filter(action="read.shared").values_list("actor_kind", "actor_id", "client_id")
    assert list(audited) == [("trusted", person.pk, sam.pk)] * 3
    mine = text_of(at_home(sam).get(reverse("my_shared")))
    assert "Lee Park" in mine and "They saw it on a page of their own." in mine
    report = text_of(as_user(rosa).get(reverse("disclosures")))
    assert ("Support person" in report, "Lee Park" in report) == (True, False)


def test_the_same_person_is_given_one_page(sam: Client) -> None:
    """The form again, from the browser's Back: nothing is done twice. Another way to reach them is another page."""
    first = given(sam, Part.PLAN)
    with pytest.raises(NotNow, match="Lee Park has a page already"):
        given(sam, Part.PLAN, name=" Lee Park ", signed_name="Sam W")
    given(sam, Part.RIDES, phone="202 555 0190")
    page = at_home(sam).get("/my/people/").content.decode()
    assert (TrustedPerson.objects.count(), page.count("<article")) == (2, 2)
    assert page.count('<section class="c-card stack"') == 1  # two regions of one name would not be told apart
    trusted.end(by=sam, person=first, at=NOW)
    assert given(sam, Part.PLAN).pk != first.pk


def test_people_and_looks_ask_the_same_number_of_questions(sam: Client) -> None:
    mine = at_home(sam)
    counts = []
    for n in (1, 3):
        while TrustedPerson.objects.count() < n:
            person = given(sam, phone=f"202 555 03{TrustedPerson.objects.count():02d}")
            opened(person).get(part_url(Part.PLAN))
        mine.get("/my/people/")
        with CaptureQueriesContext(connection) as asked:
            mine.get("/my/people/")
        counts.append(sum("SELECT" in query["sql"] for query in asked.captured_queries))
    assert counts[0] == counts[1] <= 9


# --- Messages --------------------------------------------------------------------------------------------------------


def test_ride_is_told_the_day_before_once_and_anew_when_moved(sam: Client, maya: User, clock: Any) -> None:
    filled(sam, maya)
    person = given(sam, Part.RIDES, phone="")
    given(sam, Part.PLAN, phone="202 555 0190", email="")
    session = Session.objects.get()
    assert [rides.remind(at=at) for at in (NOW - timedelta(days=1), NOW, NOW + timedelta(hours=1))] == [0, 1, 0]
    [told] = Notice.objects.filter(template="person_ride")
    assert told.address == "lee@example.net"
    Session.objects.filter(pk=session.pk).update(starts_at=session.starts_at + timedelta(hours=2))
    assert rides.remind(at=NOW + timedelta(hours=2)) == 1
    trusted.end(by=sam, person=person, at=NOW)
    Session.objects.filter(pk=session.pk).update(starts_at=session.starts_at + timedelta(hours=4))
    assert rides.remind(at=NOW + timedelta(hours=3)) == 0
    page = text_of(opened(given(sam, Part.RIDES, phone="202 555 0191")).get(part_url(Part.RIDES)))
    assert "They do not drive from a ketamine session until the next day" in page


def went_out(template: str) -> tuple[str, str, Any]:
    """Deliver the one message of this kind that waits; what became of it."""
    notice = Notice.objects.get(template=template, state=Notice.State.WAITING)
    jobs.run(Job.objects.get(kind="deliver_notice", ref=str(notice.pk)).pk)
    notice.refresh_from_db()
    return notice.state, notice.trouble, notice.words


def end_it(person: TrustedPerson, sam: Client, maya: User) -> None:
    trusted.end(by=sam, person=person, at=NOW)


def hold_it(person: TrustedPerson, sam: Client, maya: User) -> None:
    trusted.hold(by=maya, person=person, words="We ask first", at=NOW)


def untick_it(person: TrustedPerson, sam: Client, maya: User) -> None:
    trusted.change(by=sam, person=person, may=[Part.PLAN], at=NOW)


def run_out(person: TrustedPerson, sam: Client, maya: User) -> None:
    TrustedPerson.objects.update(until=NOW.date() - timedelta(days=1))


@pytest.mark.parametrize("how", [end_it, hold_it, untick_it, run_out], ids=lambda how: how.__name__)
def test_ride_that_waits_when_the_access_ends_does_not_go_out(
    sam: Client, maya: User, fay: User, as_user: Any, mailoutbox: list[Any], how: Any
) -> None:
    filled(sam, maya)
    person = given(sam, Part.RIDES, phone="")
    assert rides.remind(at=NOW) == 1
    how(person, sam, maya)
    assert (*went_out("person_ride"), mailoutbox) == ("stopped", "access_ended", None, [])
    log = reverse("notices_sent", args=[sam.pk])
    assert "Their access ended, or was held back, before it went out." in text_of(as_user(maya).get(log))
    assert "somebody they trust" not in text_of(as_user(fay).get(log))


def test_ride_goes_out_while_the_access_holds(sam: Client, maya: User, mailoutbox: list[Any]) -> None:
    filled(sam, maya)
    given(sam, Part.RIDES, phone="")
    rides.remind(at=NOW)
    assert (*went_out("person_ride"), len(mailoutbox)) == ("sent", "", None, 1)


def test_link_to_the_page_does_not_go_out_after_it_ended(sam: Client, mailoutbox: list[Any]) -> None:
    trusted.end(by=sam, person=given(sam, phone=""), at=NOW)
    assert (*went_out("person_link"), mailoutbox) == ("stopped", "access_ended", None, [])


def test_ride_waits_for_the_daytime(sam: Client, maya: User) -> None:
    filled(sam, maya)
    given(sam, Part.RIDES)
    Practice.objects.update(messages_from="11:00", messages_until="20:00")
    assert [rides.remind(at=NOW), rides.remind(at=NOW + timedelta(hours=1))] == [0, 1]


def test_new_link_kills_the_old_one(sam: Client) -> None:
    person = given(sam)
    old, theirs = person.invitation.path, opened(person)
    mine = at_home(sam)
    send(mine, reverse("my_person", args=[person.pk]), {"send": "1", "may": person.may})
    assert Browser().get(old).status_code == 404
    assert theirs.get("/with/")["Location"] == "/my/locked/"
    person.invitation.refresh_from_db()
    assert Browser().get(person.invitation.path).status_code == 200
    assert person.invitation.packet == PERSON


def test_switching_the_language_does_not_change_the_clients(sam: Client) -> None:
    person = given(sam)
    browser = Browser()
    send(browser, person.invitation.path, {"speak": "es"})
    theirs = opened(person, browser)
    send(theirs, "/lang/", {"speak": "es", "back": "/with/"})
    sam.refresh_from_db()
    assert sam.language == "en"
    assert 'lang="es"' in theirs.get("/with/").content.decode()


def test_page_locks_by_its_button(sam: Client) -> None:
    theirs = opened(given(sam))
    assert send(theirs, "/with/lock/")["Location"] == "/my/locked/"
    assert "Open what is shared with me" in text_of(theirs.get("/my/locked/"))
    assert theirs.get("/with/")["Location"] == "/with/check/"
