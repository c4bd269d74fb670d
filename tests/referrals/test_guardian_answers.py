"""A guardian answers a client's forms and signs for them from their own page (K7)."""

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from intake import actions, flow, guardians, packet, trusted
from intake.models import Answer, Intake, Invitation, Look, Part, Signature, TrustedPerson
from practice.actions import NotNow
from practice.models import Alert, AlertEvent, AlertNotice, AuditEvent, Client, Notice, Practice, User
from tests.conftest import send
from tests.factories import NOW
from tests.homes import at_home, code_sent
from tests.intake.conftest import text_of
from tests.referrals.test_trusted import As, Post, given, guardian, minor, opened

pytestmark = pytest.mark.usefixtures("clock")
ACTS = (Part.PLAN, Part.ACT)
WHO = "Ana Whitehorse, mother, guardian"


@pytest.fixture
def clock() -> Any:
    with time_machine.travel(NOW, tick=False) as now:
        yield now


@pytest.fixture
def ana(sam: Client, maya: User, on_call: User) -> TrustedPerson:
    return guardian(minor(sam), maya, *ACTS)


@pytest.fixture
def asked(ana: TrustedPerson, sam: Client, maya: User) -> Invitation:
    return actions.invite(by=maya, client=sam, key="check-in", at=NOW)


def form_url(row: Invitation) -> str:
    return reverse("person_form", args=[row.pk])


def begun(person: TrustedPerson, row: Invitation) -> Browser:
    """Their browser, with the forms in hand."""
    theirs = opened(person)
    answer = send(theirs, form_url(row))
    assert (answer.status_code, answer["Location"]) == (303, "/my/")
    assert send(theirs, "/my/")["Location"].startswith("/my/q/")
    return theirs


def say(browser: Browser, page: str, value: str) -> Any:
    return send(browser, f"/my/q/{page}/", {"answer": value})


def through(browser: Browser, row: Invitation, **said: str) -> Intake:
    """Answer every page that is asked, with 0 where nothing else is said, and send."""
    sitting = Intake.objects.get(invitation=row)
    for _step in range(60):
        wanted, replies = actions.packet_of(sitting), actions.replies_of(sitting)
        world = actions.world(Practice.get(), actions.alert_of(sitting), wanted, NOW)
        page = flow.next_open(flow.asked_of_guardian(flow.pages(wanted, replies, world)), replies)
        if page is None:
            break
        say(browser, page.slug, said.get(page.slug.replace("-", "_"), "0"))
    answer = send(browser, "/my/send/")
    assert answer["Location"] == "/my/done/"
    sitting.refresh_from_db()
    return sitting


# --- The whole way ---------------------------------------------------------------------------------------------------


def test_guardian_answers_what_waits_and_staff_read_who_said_it(
    ana: TrustedPerson, asked: Invitation, sam: Client, maya: User, as_user: As
) -> None:
    """Feature K7: the same pages, from their own page; the chart, the score and the client read who answered."""
    theirs = begun(ana, asked)
    question = text_of(theirs.get("/my/q/phq-9--1/"))
    assert "You answer for Sam: where it says you, it means Sam." in question
    sitting = through(theirs, asked, phq_9__1="2")
    assert (sitting.answered_by_id, sitting.completed_by) == (ana.pk, "guardian")
    assert set(sitting.answers.values_list("answered_by", flat=True)) == {ana.pk}
    phq9 = sitting.assessments.get(instrument="phq-9")
    assert (phq9.total, phq9.details["guardian"]) == (2, True)
    staff = as_user(maya)
    read = text_of(staff.get(reverse("intake_read", args=[sam.pk, sitting.pk])))
    assert f"Answered by {WHO}, not by the client" in read
    assert "Filled in with or by somebody else" not in read
    assert f"Answered by {WHO}, not by the client" in text_of(staff.get(reverse("assessment", args=[sam.pk, phq9.pk])))
    mine = at_home(sam)
    assert "Ana Whitehorse answered it for you, and sent it" in text_of(mine.get("/my/answers/"))
    sent = text_of(mine.get(reverse("my_answers_sent", args=[sitting.pk])))
    assert "Ana Whitehorse answered this for you, and sent it" in sent
    acts = AuditEvent.objects.filter(action__in=("intake.started", "answer.saved", "intake.submitted"))
    assert set(acts.values_list("actor_kind", "actor_id")) == {("trusted", ana.pk)}
    assert [row.part for row in Look.objects.filter(person=ana)] == [Part.ACT]
    assert "No form waits for you now." in text_of(theirs.get("/with/"))
    assert send(theirs, form_url(asked))["Location"] == "/with/"


def test_client_who_answers_reads_of_no_guardian(asked: Invitation, sam: Client, maya: User, as_user: As) -> None:
    phone = Browser()
    send(phone, asked.path)
    send(phone, "/my/")
    say(phone, "phq-9--1", "1")
    sitting = Intake.objects.get(invitation=asked)
    through(phone, asked)
    read = text_of(as_user(maya).get(reverse("intake_read", args=[sam.pk, sitting.pk])))
    assert "not by the client" not in read
    assert "answered it for you" not in text_of(at_home(sam).get("/my/answers/"))
    assert "guardian" not in sitting.assessments.get(instrument="phq-9").details


def test_guardian_signs_as_their_document_says(ana: TrustedPerson, sam: Client, maya: User, as_user: As) -> None:
    row = actions.invite(by=maya, client=sam, key="intake", at=NOW, only=["agreement--treatment"])
    theirs = begun(ana, row)
    page = theirs.get("/my/q/agreement--treatment/")
    assert 'name="relation"' not in page.content.decode()
    send(theirs, "/my/q/agreement--treatment/", {"typed_name": " ", "relation": "self"})
    assert Signature.objects.count() == 0
    for _press in range(2):
        send(theirs, "/my/q/agreement--treatment/", {"typed_name": "Ana Whitehorse", "relation": "self"})
    [signed] = Signature.objects.all()
    assert (signed.typed_name, signed.relation, signed.signed_by_id) == ("Ana Whitehorse", "guardian", ana.pk)
    assert send(theirs, "/my/send/")["Location"] == "/my/done/"
    copy = reverse("my_copy", args=[signed.pk])
    assert theirs.get(copy)["Content-Type"] == "application/pdf"
    chart = text_of(as_user(maya).get(sam.get_absolute_url()))
    assert f"As parent or guardian: {WHO}" in chart


def test_health_care_proxy_signs_as_proxy(sam: Client, maya: User, on_call: User) -> None:
    person = guardian(sam, maya, *ACTS, document="proxy")
    assert trusted.signs_as(person) == "proxy"


# --- Safety ----------------------------------------------------------------------------------------------------------


def test_safety_answer_of_a_guardian_raises_the_flag_and_says_who_gave_it(
    ana: TrustedPerson, asked: Invitation, sam: Client, maya: User, as_user: As
) -> None:
    """Law 1: the same flag in the same press; the page that follows has no number of the client's people."""
    sam.contacts = [{"role": "support", "name": "Bo Stone", "relation": "friend", "phone": "202 555 0133"}]
    sam.save_identity()
    theirs = begun(ana, asked)
    answer = say(theirs, "phq-9--9", "2")
    assert answer["Location"] == "/my/support/"
    [flag] = Alert.objects.all()
    assert (flag.severity, flag.is_open, AlertNotice.objects.filter(alert=flag).exists()) == ("urgent", True, True)
    assert [row["who"] for row in flag.answers] == [WHO]
    page = text_of(theirs.get("/my/support/"))
    assert ("While you are with Sam" in page, "Call 988" in page, "Call 911" in page) == (True, True, True)
    assert [word for word in ("Bo Stone", "0133", "call me", "555 0142") if word in page] == []
    staff = text_of(as_user(maya).get(reverse("alert", args=[sam.pk, flag.pk])))
    assert f"Answered by {WHO}, not by the client" in staff
    assert "Their guardian was shown 988 and the support page" in staff
    shown = AlertEvent.objects.get(kind=AlertEvent.Kind.SHOWN)
    assert shown.facts["guardian"] is True
    assert AuditEvent.objects.get(action="client.shown").actor_kind == "trusted"
    assert theirs.get("/my/call-me/").status_code == 404
    assert send(theirs, "/my/call-me/", {"wanted": "1"}).status_code == 404
    assert sam.tasks.filter(kind="call_me").count() == 0


def test_stopping_after_a_safety_answer_says_that_the_guardian_left(ana: TrustedPerson, asked: Invitation) -> None:
    theirs = begun(ana, asked)
    say(theirs, "phq-9--9", "1")
    assert send(theirs, "/my/later/")["Location"] == "/my/locked/"
    left = AlertEvent.objects.get(kind=AlertEvent.Kind.LEFT)
    assert left.facts == {"guardian": True}
    page = text_of(theirs.get("/my/locked/"))
    assert ("Open what is shared with me" in page, "code" in page.lower()) == (True, True)


@pytest.mark.parametrize(("ends", "where"), [("distrust", "/with/"), ("hold", "/my/locked/"), ("end", "/my/locked/")])
def test_sign_on_its_way_when_the_right_ends_still_raises_its_flag(
    ana: TrustedPerson, asked: Invitation, sam: Client, maya: User, as_user: As, post: Post, ends: str, where: str
) -> None:
    """Law 1 before Law 3: what was typed stays, nothing more is taken or shown, and a sign of danger is heard."""
    theirs = begun(ana, asked)
    say(theirs, "phq-9--1", "2")
    url = reverse("client_people", args=[sam.pk])
    post(as_user(maya), url, {"act": ends, "person": ana.pk, "words": "For now."})
    late = say(theirs, "phq-9--2", "1")
    assert (late.status_code, late["Location"]) == (303, "/my/locked/?lost=1")
    assert Alert.objects.count() == 0
    assert say(theirs, "phq-9--9", "3")["Location"] == "/my/locked/?heard=1"
    [flag] = Alert.objects.all()
    assert ([row["who"] for row in flag.answers], flag.severity) == ([WHO], "urgent")
    kept = actions.replies_of(Intake.objects.get())
    assert {slug: row.value for slug, row in kept.items()} == {"phq-9--1": 2}
    assert [theirs.get(url).status_code for url in ("/my/support/", "/my/check/", "/my/q/phq-9--1/")] == [303] * 3
    assert theirs.get("/my/support/")["Location"] == where


# --- What shuts the door ---------------------------------------------------------------------------------------------


def test_staff_take_the_permission_and_the_next_request_is_refused(
    ana: TrustedPerson, asked: Invitation, sam: Client, maya: User, as_user: As, post: Post
) -> None:
    theirs, staff, url = begun(ana, asked), as_user(maya), reverse("client_people", args=[sam.pk])
    assert "Stop letting them answer and sign" in text_of(staff.get(url))
    post(staff, url, {"act": "distrust", "person": ana.pk})
    assert theirs.get("/my/q/phq-9--1/")["Location"] == "/with/"
    assert "You cannot go on with these forms now." in text_of(theirs.get("/with/"))
    assert send(theirs, form_url(asked)).status_code == 404
    assert theirs.get("/with/").status_code == 200  # what else they may see stays
    assert "Forms to answer" not in text_of(theirs.get("/with/"))
    ana.refresh_from_db()
    assert ana.may == [Part.PLAN]
    post(staff, url, {"act": "entrust", "person": ana.pk})
    assert send(theirs, form_url(asked))["Location"] == "/my/"


def test_client_takes_it_over_with_a_code_and_the_guardian_is_out(
    ana: TrustedPerson, asked: Invitation, sam: Client, maya: User, as_user: As
) -> None:
    """Not both at once; the guardian sees nothing of what the client types, and each answer keeps who gave it."""
    theirs = begun(ana, asked)
    say(theirs, "phq-9--1", "2")
    say(theirs, "phq-9--2", "2")
    phone = Browser()
    assert send(phone, asked.path)["Location"] == "/my/code/"
    assert theirs.get("/my/q/phq-9--3/").status_code == 200  # a link alone takes nothing over
    send(phone, "/my/code/", {"send": "sms"})
    assert send(phone, "/my/code/", {"code": code_sent(sam)})["Location"] == "/my/q/phq-9--3/"
    say(phone, "phq-9--2", "2")
    say(phone, "phq-9--3", "1")
    assert theirs.get("/my/check/")["Location"] == "/with/"
    assert say(theirs, "phq-9--4", "3")["Location"] == "/my/locked/?lost=1"
    assert send(theirs, form_url(asked))["Location"] == "/with/"
    who = {row.question: row.answered_by_id for row in Answer.objects.all()}
    assert who == {"phq-9--1": ana.pk, "phq-9--2": None, "phq-9--3": None}
    sitting = through(phone, asked)
    assert (sitting.answered_by, sitting.completed_by) == (None, "client")
    read = text_of(as_user(maya).get(reverse("intake_read", args=[sam.pk, sitting.pk])))
    assert f"Answered by {WHO}, not by the client" in read
    sent = text_of(at_home(sam).get(reverse("my_answers_sent", args=[sitting.pk])))
    assert "Ana Whitehorse answered a part of it for you." in sent


def test_client_who_begins_first_is_left_alone(ana: TrustedPerson, asked: Invitation) -> None:
    phone, theirs = Browser(), opened(ana)
    send(phone, asked.path)
    send(phone, "/my/")
    say(phone, "phq-9--1", "3")
    assert "No form waits for you now." in text_of(theirs.get("/with/"))
    assert send(theirs, form_url(asked))["Location"] == "/with/"
    with pytest.raises(NotNow):
        guardians.begin(person=ana, invitation=asked, at=NOW)
    assert Intake.objects.get().answered_by is None


def test_sign_of_a_guardian_is_heard_though_the_client_began_meanwhile(ana: TrustedPerson, asked: Invitation) -> None:
    """Law 1: the guardian's first press finds its sitting, which the client began in the same minute."""
    theirs, phone = begun(ana, asked), Browser()
    send(phone, asked.path)
    send(phone, "/my/")
    assert say(theirs, "phq-9--9", "1")["Location"] == "/my/locked/?heard=1"
    assert [row["who"] for row in Alert.objects.get().answers] == [WHO]
    assert (Alert.objects.count(), Answer.objects.count(), Intake.objects.get().answered_by) == (1, 0, None)
    say(phone, "phq-9--1", "1")
    assert Answer.objects.get().answered_by is None


def test_idle_page_locks_what_was_sent_is_saved_and_their_own_code_opens_it_again(
    ana: TrustedPerson, asked: Invitation, clock: Any
) -> None:
    theirs = begun(ana, asked)
    clock.shift(timedelta(minutes=16))
    assert say(theirs, "phq-9--1", "3")["Location"] == "/my/locked/"
    assert Answer.objects.get().value == 3
    assert theirs.get("/my/code/")["Location"] == "/my/locked/"
    send(theirs, "/my/code/", {"send": "sms"})
    assert (Notice.objects.filter(template="code").count(), theirs.get("/my/check/")["Location"]) == (
        0, "/my/locked/",
    )  # fmt: skip
    theirs = opened(ana, theirs)
    assert "You have begun it. Your answers are saved." in text_of(theirs.get("/with/"))
    assert send(theirs, form_url(asked))["Location"] == "/my/q/phq-9--2/"


@pytest.mark.parametrize("how", ["withdrawn", "another form"])
def test_page_of_theirs_that_stayed_open_still_speaks_as_the_guardian(
    ana: TrustedPerson, asked: Invitation, sam: Client, maya: User, how: str
) -> None:
    """Laws 1 and 3: heard though the forms were taken back or others opened since, never as the client's own words."""
    theirs = begun(ana, asked)
    sitting = Intake.objects.get()
    if how == "withdrawn":
        actions.withdraw(by=maya, invitation=asked, at=NOW)
    else:
        other = actions.invite(by=maya, client=sam, key="short-check-in", at=NOW)
        send(theirs, form_url(other))
    answer = send(theirs, "/my/q/phq-9--9/", {"answer": "2", "sitting": str(sitting.pk)})
    assert answer["Location"] == "/my/locked/?heard=1"
    assert [row["who"] for row in Alert.objects.get(source_id=sitting.pk).answers] == [WHO]
    assert set(Answer.objects.values_list("answered_by", flat=True)) == {ana.pk}
    assert set(AuditEvent.objects.filter(action="alert.opened").values_list("actor_kind", flat=True)) == {"trusted"}


# --- Hostile ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("page", "said"),
    [
        ("contact", {"phone": "202 555 0178", "email": "ana@example.net"}),
        ("private", {"answer": ["sms", "email"]}),
        ("reach", {"answer": ["sms"]}),
        ("names", {"used": "Ana", "legal": "Ana Whitehorse"}),
        ("birth-date", {"answer_0": "1", "answer_1": "1", "answer_2": "1950"}),
        ("place", {"state": "NY", "address": "9 Other Street"}),
        ("support-person", {"name": "Ana", "phone": "202 555 0178", "may_talk": "yes"}),
        ("emergency-contact", {"name": "Ana", "phone": "202 555 0178", "may_talk": "yes"}),
    ],
)
def test_nothing_that_only_the_client_says_is_taken_from_a_guardian(
    ana: TrustedPerson, sam: Client, maya: User, page: str, said: dict[str, Any]
) -> None:
    """Law 3: a third person must not turn the client's codes, calls and letters to themselves."""
    row = actions.invite(by=maya, client=sam, key="intake", at=NOW)
    theirs = begun(ana, row)
    fields = ("phone", "email", "reach", "contacts", "legal_name", "birth_date", "address")
    before = {name: getattr(Client.objects.get(pk=sam.pk), name) for name in fields}
    assert theirs.get(f"/my/q/{page}/").status_code == 303
    send(theirs, f"/my/q/{page}/", said)
    send(theirs, f"/my/save/{page}/", said)
    sitting = Intake.objects.get()
    with pytest.raises(NotNow):
        actions.save_answer(
            by=sam, sitting=sitting, page=packet.load("intake").by_slug[page], value="x", at=NOW, person=ana
        )
    assert (Answer.objects.count(), {name: getattr(Client.objects.get(pk=sam.pk), name) for name in fields}) == (
        0, before,
    )  # fmt: skip


def test_every_answer_that_changes_the_clients_details_is_asked_of_the_client_alone(house: Practice) -> None:
    """Whatever is read as a detail of the client is in the closed list; only allergies are told by both."""
    applied = {page.slug for page in packet.load("intake").pages if page.applies and page.applies != "allergies"}
    theirs = {page.slug for page in flow.asked_of_guardian(packet.load("intake").pages)}
    assert theirs & (applied | {"names", "pronouns", "birth-date", "place", "language", "filled-by"}) == set()
    assert {"safe-now", "allergies", "agreement--treatment"} <= theirs
    safety = {page.slug for page in packet.load("intake").pages if page.safety}
    assert safety <= theirs


def test_whole_intake_of_a_guardian_leaves_who_the_client_is(ana: TrustedPerson, sam: Client, maya: User) -> None:
    row = actions.invite(by=maya, client=sam, key="intake", at=NOW)
    theirs = begun(ana, row)
    send(theirs, "/my/q/agreement--treatment/", {"typed_name": "Ana Whitehorse"})
    assert "Before you send, we need these" not in text_of(theirs.get("/my/check/"))
    assert send(theirs, "/my/send/")["Location"] == "/my/done/"
    after = Client.objects.get(pk=sam.pk)
    assert (after.phone, after.birth_date, after.legal_name) == (sam.phone, "2010-03-08", sam.legal_name)


def test_nobody_else_opens_the_forms(
    ana: TrustedPerson, asked: Invitation, sam: Client, kit: Client, maya: User, omar: User
) -> None:
    """Law 3: another client's guardian, a support person, a guardian who may only look: each gets 404."""
    support = given(sam)
    TrustedPerson.objects.filter(pk=support.pk).update(may=[Part.PLAN, Part.ACT])  # as if somebody wrote it in
    looks = guardian(sam, maya, Part.PLAN, phone="202 555 0181")
    kits = guardian(minor(kit), omar, *ACTS, phone="202 555 0182")
    support.refresh_from_db()
    for person in (support, looks, kits):
        theirs = opened(person)
        assert [theirs.get(form_url(asked)).status_code, send(theirs, form_url(asked)).status_code] == [
            303 if person == kits else 404, 404,
        ]  # fmt: skip
        assert "Your check-in" not in text_of(theirs.get("/with/"))
    assert send(Browser(), form_url(asked))["Location"] == "/my/locked/"
    home = actions.home_invitation(client=sam, at=NOW)
    theirs = opened(ana)
    assert [send(theirs, form_url(row)).status_code for row in (home, ana.invitation, looks.invitation)] == [404] * 3
    assert Intake.objects.count() == 0


def test_two_guardians_do_not_share_a_sitting(ana: TrustedPerson, asked: Invitation, sam: Client, maya: User) -> None:
    other = guardian(sam, maya, *ACTS, phone="202 555 0181", name="Tom Whitehorse")
    theirs = begun(ana, asked)
    say(theirs, "phq-9--1", "2")
    toms = opened(other)
    assert "No form waits for you now." in text_of(toms.get("/with/"))
    assert send(toms, form_url(asked))["Location"] == "/with/"
    assert toms.get("/my/q/phq-9--1/").status_code == 303


def test_guardians_browser_opens_nothing_of_the_clients_own(ana: TrustedPerson, asked: Invitation, sam: Client) -> None:
    """Law 3: no code of the client's, no language of theirs, none of their own pages, no photos into their record."""
    theirs = begun(ana, asked)
    say(theirs, "phq-9--1", "2")
    start = text_of(theirs.get("/my/"))
    later = text_of(theirs.get("/my/later/"))
    code = actions.return_code(Intake.objects.get())
    assert (code in start, code in later, Invitation.objects.get(pk=asked.pk).return_digest) == (False, False, "")
    urls = ("/my/home/", "/my/answers/", "/my/people/", "/my/messages/", "/my/record/", "/my/code/")
    assert {theirs.get(url)["Location"] for url in urls} == {"/my/locked/"}
    assert theirs.get("/my/list/")["Location"] == "/my/"
    send(theirs, "/lang/", {"speak": "es", "back": "/my/later/"})
    send(theirs, "/my/q/phq-9--2/", {"answer": "1", "speak": "es"})
    assert Client.objects.get(pk=sam.pk).language == "en"
    again = send(theirs, asked.path)  # the client's own link, in the guardian's browser
    assert again["Location"] == "/my/code/"


def test_support_person_is_never_given_it(sam: Client, maya: User) -> None:
    with pytest.raises(NotNow, match="Tick at least one thing"):
        given(sam, Part.ACT)
    person = given(sam, Part.PLAN, Part.ACT)
    assert person.may == [Part.PLAN]
    with pytest.raises(NotNow, match="Only a guardian"):
        trusted.entrust(by=maya, person=person, may=True, at=NOW)
    trusted.change(by=sam, person=person, may=[Part.PLAN, Part.ACT], at=NOW)
    person.refresh_from_db()
    assert person.may == [Part.PLAN]


def test_only_who_decides_on_the_care_lets_a_guardian_answer(
    sam: Client, maya: User, pax: User, as_user: As, post: Post
) -> None:
    person, url = guardian(minor(sam), maya, Part.PLAN), reverse("client_people", args=[sam.pk])
    assert post(as_user(pax), url, {"act": "entrust", "person": person.pk}).status_code == 403
    post(as_user(maya), url, {"act": "entrust", "person": person.pk})
    post(as_user(pax), url, {"act": "distrust", "person": person.pk})
    person.refresh_from_db()
    assert person.may == [Part.PLAN]
    changed = AuditEvent.objects.filter(action="trusted.changed").order_by("seq")
    assert [row.facts["may"] for row in changed] == [["see_plan", "act_for"], ["see_plan"]]


def test_guardian_whose_client_came_of_age_is_out(ana: TrustedPerson, asked: Invitation, clock: Any) -> None:
    theirs = begun(ana, asked)
    practice = Practice.get()
    practice.majority_age = 16
    practice.save()
    assert theirs.get("/my/q/phq-9--1/")["Location"] == "/my/locked/"
    assert guardians.waiting(ana, NOW) == []


def test_list_of_forms_takes_the_same_queries_for_one_and_for_three(
    ana: TrustedPerson, asked: Invitation, sam: Client, maya: User
) -> None:
    theirs = opened(ana)
    theirs.get("/with/")
    with CaptureQueriesContext(connection) as one:
        assert text_of(theirs.get("/with/")).count("Nobody has begun it yet.") == 1
    for key in ("after-infusion", "short-check-in"):
        actions.invite(by=maya, client=sam, key=key, at=NOW)
    with CaptureQueriesContext(connection) as three:
        assert text_of(theirs.get("/with/")).count("Nobody has begun it yet.") == 3
    assert len(three) == len(one)


def test_guardian_who_goes_quiet_after_a_safety_answer_is_told_as_such(ana: TrustedPerson, asked: Invitation) -> None:
    theirs = begun(ana, asked)
    say(theirs, "phq-9--9", "1")
    assert actions.watch_leaving(at=NOW + timedelta(hours=1)) == 1
    assert AlertEvent.objects.get(kind=AlertEvent.Kind.LEFT).facts == {"guardian": True}
