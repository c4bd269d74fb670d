"""Handing clients over, one or many; how many a therapist takes; and leaving as one act (features I2, I5, O5)."""

import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import TOTP
from allauth.usersessions.models import UserSession
from django.db import connection
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from practice import actions, handover
from practice.access import Permission, Role
from practice.adapters import password_link
from practice.kap.actions import feeds
from practice.kap.models import Feed, Plan, Session
from practice.models import (
    Alert,
    AlertNotice,
    AuditEvent,
    Client,
    CoverageShift,
    Handover,
    KeptForm,
    Notice,
    SafetyContact,
    Site,
    Task,
    User,
)
from referrals.actions import decisions
from referrals.models import CaseQuestion, Letter, Referral
from referrals.states import State
from tests import factories
from tests.factories import NOW
from tests.referrals import cases

As = Callable[[User], Browser]
Post = Callable[..., Any]
pytestmark = pytest.mark.django_db
MOVE = "/practice/move/"


@pytest.fixture(autouse=True)
def _thursday_at_ten() -> Iterator[None]:
    with time_machine.travel(NOW, tick=False):
        yield


def words(response: Any) -> str:
    return " ".join(re.sub(r"<[^>]*>", " ", response.content.decode()).split())


def flagged(client: Client, by: User) -> Alert:
    return actions.raise_manual_flag(by=by, client=client, severity="urgent", reason="Said goodbye", at=NOW)


def kept(user: User, path: str, text: str = "Typed words about Sam") -> KeptForm:
    row = KeptForm(user=user, path=path, at=NOW)
    row.fields = [["words", text]]
    row.save()
    return row


@pytest.fixture
def letter(sam: Client, maya: User) -> Letter:
    referral = cases.referral(sam, maya, cases.clinic(), state=State.SENT, sent_at=NOW, sent_by=maya)
    row = Letter(referral=referral, kind="application/pdf", size=5, at=NOW, by_name="Marta Lopez")
    row.name, row.body = "Outcome.pdf", b"%PDF-"
    row.save()
    return row


@pytest.fixture
def session(sam: Client, maya: User) -> Session:
    plan = Plan.objects.create(client=sam, shape="weekly", started_on=NOW.date(), therapist=maya)
    return Session.objects.create(plan=plan, kind="dosing", number=1, starts_at=NOW + timedelta(days=2), therapist=maya)


def to_omar(rosa: User, omar: User, *clients: Client, words: str = "") -> int:
    return handover.transfer(by=rosa, clients=clients, to=omar, at=NOW, words=words)


# --- One client ------------------------------------------------------------------------------------------------------


def test_new_therapist_is_told_without_a_word_about_the_client_and_the_history_is_kept(
    as_user: As, post: Post, rosa: User, maya: User, omar: User, sam: Client
) -> None:
    note = actions.write_note(by=maya, client=sam, words="First visit", at=NOW)
    task = Task.open(sam, "todo", at=NOW, owner=maya)
    response = post(as_user(rosa), f"{MOVE}?client={sam.pk}", {"client": str(sam.pk), "to": str(omar.pk)})
    assert response["Location"] == f"{MOVE}?client={sam.pk}"
    sam.refresh_from_db()
    task.refresh_from_db()
    assert (sam.therapist, task.owner) == (omar, omar)
    row = Handover.objects.get()
    assert (row.client, row.role, row.former, row.to, row.by, row.at) == (sam, "therapist", maya, omar, rosa, NOW)
    notice = Notice.objects.get(user=omar)
    assert (notice.template, notice.words) == ("handed_over", {"n": 1, "link": "http://testserver/caseload/"})
    event = AuditEvent.objects.get(action="client.transferred")
    assert (event.client_id, event.actor_id, event.facts) == (
        sam.pk, rosa.pk, {"to": str(omar.pk), "role": "therapist"},
    )  # fmt: skip
    browser = as_user(omar)
    assert "First visit" in words(browser.get(f"/clients/{sam.pk}/notes/"))
    note.refresh_from_db()
    assert (note.by, note.body) == (maya, "First visit")
    page = words(as_user(rosa).get(f"{MOVE}?client={sam.pk}"))
    assert "Handed over before Nov 19, 2026: Therapist, Maya Torres to Omar Haddad" in page


def test_former_therapist_is_refused_within_one_request(
    as_user: As, post: Post, rosa: User, maya: User, omar: User, sam: Client, letter: Letter, session: Session
) -> None:
    """Security check 9: open tab save, download link, feed and draft of the previous therapist."""
    flag = flagged(sam, maya)
    draft = cases.referral(sam, maya, None, number=3)
    theirs = as_user(maya)
    path = feeds.make(by=maya, at=NOW)
    kept(maya, f"/clients/{sam.pk}/notes/")
    kept(maya, reverse("plan", args=[session.plan_id]))
    kept(maya, "/account/", "Words about nobody")
    note, file = f"/clients/{sam.pk}/notes/", reverse("letter_file", args=[letter.referral_id, letter.pk])
    before = [theirs.get(url).status_code for url in (note, file, reverse("referral_edit", args=[draft.pk]))]
    assert before == [200, 200, 200]
    assert "Typed words about Sam" in words(theirs.get("/kept/"))
    assert "BEGIN:VEVENT" in Browser().get(reverse("feed", args=[path.token])).content.decode()
    to_omar(rosa, omar, sam)
    assert post(theirs, note, {"words": "Typed in the open tab"}).status_code == 404
    assert not sam.notes.exists()
    urls = [
        file,
        reverse("referral", args=[draft.pk]),
        reverse("referral_edit", args=[draft.pk]),
        f"/clients/{sam.pk}/",
        f"/clients/{sam.pk}/safety-plan/",
        reverse("plan", args=[session.plan_id]),
        reverse("alert", args=[sam.pk, flag.pk]),
    ]
    assert {url: theirs.get(url).status_code for url in urls} == dict.fromkeys(urls, 404)
    assert post(theirs, reverse("alert_acknowledge", args=[sam.pk, flag.pk])).status_code == 404
    assert "BEGIN:VEVENT" not in Browser().get(reverse("feed", args=[path.token])).content.decode()
    page = words(theirs.get("/kept/"))
    assert "Words about nobody" in page
    assert "2 texts are about clients who are with a colleague now." in page
    assert "Sam" not in page
    assert "Whitehorse" not in words(theirs.get("/caseload/"))
    assert as_user(omar).get(file).status_code == 200


def test_sessions_ahead_and_plans_go_along_and_those_behind_stay(
    rosa: User, maya: User, omar: User, sam: Client, session: Session
) -> None:
    behind = Session.objects.create(
        plan=session.plan, kind="preparation", number=1, starts_at=NOW - timedelta(days=2), therapist=maya, state="done"
    )
    to_omar(rosa, omar, sam)
    rows = {row.pk: (row.therapist, row.sequence) for row in Session.objects.select_related("therapist")}
    assert rows == {session.pk: (omar, 1), behind.pk: (maya, 0)}
    assert Plan.objects.get().therapist == omar


def test_question_to_the_former_therapist_goes_to_the_new_one(
    rosa: User, maya: User, omar: User, pax: User, sam: Client
) -> None:
    asked = decisions.ask_colleague(by=pax, client=sam, to=maya, question="May I raise the dose?", at=NOW)
    to_omar(rosa, omar, sam)
    asked.refresh_from_db()
    assert (asked.to, Task.objects.get(kind="case_question").owner) == (omar, omar)
    assert Notice.objects.filter(user=omar, template="question").count() == 1


# --- Flags are never lost on the way ---------------------------------------------------------------------------------


def test_open_flag_is_told_to_the_new_therapist_at_once(rosa: User, maya: User, omar: User, sam: Client) -> None:
    flag = flagged(sam, maya)
    to_omar(rosa, omar, sam)
    assert list(AlertNotice.objects.values_list("user", "why", "rung")) == [(omar.pk, "therapist", 0)]
    assert Notice.objects.filter(user=omar, template="urgent").count() == 1
    flag.refresh_from_db()
    assert (flag.acknowledged_at, flag.climbs_at) == (None, NOW + timedelta(minutes=15))


def test_flag_that_was_picked_up_and_not_followed_climbs_again(
    rosa: User, maya: User, omar: User, sol: User, sam: Client
) -> None:
    User.objects.filter(pk=omar.pk).update(backup=sol)
    flag = flagged(sam, maya)
    actions.acknowledge(by=maya, alert=flag, at=NOW)
    later = NOW + timedelta(hours=2)
    with time_machine.travel(later, tick=False):
        handover.transfer(by=rosa, clients=[sam], to=omar, at=later)
        flag.refresh_from_db()
        assert (flag.acknowledged_by, flag.climbs_at) == (None, later + timedelta(minutes=15))
        assert actions.climb_alerts(at=later + timedelta(minutes=14)) == 0
        assert actions.climb_alerts(at=later + timedelta(minutes=15)) == 1
    assert Notice.objects.filter(user=sol, template="climbed").exists()


def test_flag_with_a_recorded_contact_stays_picked_up(rosa: User, maya: User, omar: User, sam: Client) -> None:
    flag = flagged(sam, maya)
    actions.record_contact(
        by=maya, alert=flag, recorded_at=NOW, reached=SafetyContact.Reached.YES, at=NOW, level="low",
        action="Called", plan="Again tomorrow", next_check_at=NOW + timedelta(days=1),
    )  # fmt: skip
    to_omar(rosa, omar, sam)
    flag.refresh_from_db()
    assert (flag.acknowledged_by, flag.climbs_at, flag.contacts.count()) == (maya, None, 1)
    assert Notice.objects.filter(user=omar, template="urgent").count() == 1


# --- Many ------------------------------------------------------------------------------------------------------------


def test_bulk_moves_own_clients_and_speaks_of_no_other(
    as_user: As, post: Post, sol: User, maya: User, omar: User, north: Site
) -> None:
    """Security check 12: three own and two foreign."""
    User.objects.filter(pk=omar.pk).update(supervisor=None)
    junior = factories.staff("Jun Ior", Role.THERAPIST, sites=(north,), supervisor=sol)
    own = [factories.client(maya, name) for name in ("Ada One", "Ben Two", "Cyd Three")]
    foreign = [factories.client(omar, name) for name in ("Dot Foreign", "Eve Foreign")]
    ids = [str(client.pk) for client in [*own, *foreign]] + ["not-a-key", "\x00"]
    response = post(as_user(sol), MOVE, {"client": ids, "to": str(junior.pk)})
    assert response.status_code == 302
    page = words(as_user(sol).get(MOVE)) + words(response)
    moved = {client.name: client.therapist for client in Client.objects.select_related("therapist")}
    assert moved == {
        "Ada One": junior, "Ben Two": junior, "Cyd Three": junior, "Dot Foreign": omar, "Eve Foreign": omar,
    }  # fmt: skip
    assert "Foreign" not in page
    events = AuditEvent.objects.filter(action="client.transferred").values_list("client_id", flat=True)
    assert set(events) == {client.pk for client in own}


def test_only_foreign_clients_are_like_nobody_ticked(
    as_user: As, post: Post, sol: User, maya: User, kit: Client
) -> None:
    response = post(as_user(sol), MOVE, {"client": [str(kit.pk)], "to": str(maya.pk)})
    assert response.status_code == 400
    assert "Tick whom you hand over." in words(response)
    assert "Kit" not in words(response)
    assert as_user(sol).get(f"{MOVE}?client={kit.pk}").status_code == 404


def test_supervisor_moves_within_the_team(as_user: As, post: Post, sol: User, omar: User, sam: Client) -> None:
    response = post(as_user(sol), MOVE, {"client": [str(sam.pk)], "to": str(omar.pk)})
    assert response.status_code == 400
    assert "Choose one of the therapists." in words(response)
    assert "Omar" not in words(response)


def test_who_may_not_move_clients_is_refused(
    as_user: As, post: Post, maya: User, omar: User, pax: User, fay: User, sam: Client
) -> None:
    for user in (maya, pax, fay):
        assert post(as_user(user), MOVE, {"client": [str(sam.pk)], "to": str(omar.pk)}).status_code == 403
    assert Client.objects.get().therapist == maya


@pytest.mark.parametrize("query", ["from=none", "from=x", "from=%00", "from=00000000-0000-4000-8000-000000000000"])
def test_any_filter_gives_a_page(as_user: As, rosa: User, sam: Client, query: str) -> None:
    response = as_user(rosa).get(f"{MOVE}?{query}")
    assert response.status_code == 200
    assert "Whitehorse" not in words(response)


def test_list_asks_the_database_the_same_for_any_number(as_user: As, rosa: User, maya: User) -> None:
    browser, asked = as_user(rosa), []
    browser.get(MOVE)
    for more in (1, 2):
        for n in range(more):
            factories.client(maya, f"Ada {more}{n}")
        with CaptureQueriesContext(connection) as caught:
            browser.get(MOVE)
        asked.append(len(caught))
    assert asked == [asked[0]] * 2


# --- How many a therapist takes --------------------------------------------------------------------------------------


def test_more_than_a_therapist_takes_needs_a_reason(
    as_user: As, post: Post, rosa: User, omar: User, sam: Client, kit: Client
) -> None:
    User.objects.filter(pk=omar.pk).update(most_clients=1)
    browser, said = as_user(rosa), {"client": str(sam.pk), "to": str(omar.pk)}
    assert "Omar Haddad, 1 of 1 client" in words(browser.get(MOVE))
    refused = post(browser, MOVE, said)
    assert refused.status_code == 400
    assert "Omar Haddad takes 1 client and would have more then. Write why" in words(refused)
    assert Client.objects.get(pk=sam.pk).therapist != omar
    assert post(browser, MOVE, said | {"words": "They know each other"}).status_code == 302
    assert (Client.objects.get(pk=sam.pk).therapist, Handover.objects.get().words) == (omar, "They know each other")
    assert "2 of 1 client" in words(browser.get("/practice/people/"))


@pytest.mark.parametrize(("most", "over"), [(None, False), (2, False), (1, True)])
def test_limit_is_reached_past_it_only(
    rosa: User, omar: User, sam: Client, kit: Client, most: int | None, over: bool
) -> None:
    User.objects.filter(pk=omar.pk).update(most_clients=most)
    factories.client(omar, "Old One", status=Client.Status.DISCHARGED)
    assert handover.is_over(User.objects.get(pk=omar.pk), 1) is over


# --- What nobody looks after -----------------------------------------------------------------------------------------


def test_client_without_a_therapist_is_an_alarm_on_the_admins_pages(
    as_user: As, rosa: User, maya: User, sol: User, sam: Client
) -> None:
    """Security check 10: a caseload that was left behind shows, however that came about."""
    factories.client(None, "Una Alone", status=Client.Status.ACTIVE)
    Task.open(sam, "todo", at=NOW, owner=sol)
    assert handover.alarms() == ["1 client has no therapist."]
    User.objects.filter(pk__in=[maya.pk, sol.pk]).update(is_active=False)
    said = ["2 clients have no therapist.", "1 open task stands with somebody who has left."]
    assert handover.alarms() == said
    for url in ("/practice/", "/practice/people/", MOVE):
        page = words(as_user(rosa).get(url))
        assert [sentence for sentence in said if sentence not in page] == []
    page = words(as_user(rosa).get(f"{MOVE}?from=none"))
    assert ("Una Alone" in page, "Sam Whitehorse" in page) == (True, True)


# --- Leaving is one act ----------------------------------------------------------------------------------------------


def leave(post: Post, browser: Browser, person: User, **said: User) -> Any:
    given = {name: str(user.pk) for name, user in said.items()}
    return post(browser, f"/practice/people/{person.pk}/leave/", given)


def test_everything_of_somebody_who_leaves_is_dead_on_the_next_request(
    as_user: As, post: Post, rosa: User, maya: User, omar: User, sam: Client, letter: Letter, session: Session
) -> None:
    """Security check 10: session, remembered device, calendar feed, download link, password link, kept text."""
    theirs = as_user(maya)
    UserSession.objects.create(user=maya, ip="127.0.0.1", user_agent="Firefox", session_key=theirs.session.session_key)
    TOTP.activate(maya, "JBSWY3DPEHPK3PXP")
    feed = reverse("feed", args=[feeds.make(by=maya, at=NOW).token])
    file = reverse("letter_file", args=[letter.referral_id, letter.pk])
    kept(maya, f"/clients/{sam.pk}/notes/")
    link = password_link(maya).removeprefix("http://testserver")
    actions.notices.tell_staff(maya, "system", link="http://testserver/", minutes=0, unsent=False)
    assert (theirs.get(file).status_code, Browser().get(feed).status_code) == (200, 200)
    assert leave(post, as_user(rosa), maya, therapist=omar).status_code == 302
    for url in ("/caseload/", file, f"/clients/{sam.pk}/", "/kept/", "/account/"):
        assert theirs.get(url)["Location"].startswith("/account/login/"), url
    assert post(theirs, f"/clients/{sam.pk}/notes/", {"words": "Late"})["Location"].startswith("/account/login/")
    assert Browser().get(feed).status_code == 404
    form = Browser()
    page = form.get(link, follow=True)
    where = page.redirect_chain[-1][0] if page.redirect_chain else link
    form.post(where, {"password1": "four quiet horses", "password2": "four quiet horses"})
    assert not User.objects.get(pk=maya.pk).has_usable_password()
    rows = (UserSession, Authenticator, Feed, KeptForm)
    assert {model.__name__: model.objects.filter(user=maya).count() for model in rows} == dict.fromkeys(
        ("UserSession", "Authenticator", "Feed", "KeptForm"), 0
    )
    waiting = Notice.objects.filter(user=maya).values_list("state", flat=True)
    assert set(waiting) == {"stopped"}


def test_nothing_of_somebody_who_leaves_is_orphaned(
    as_user: As, post: Post, rosa: User, maya: User, omar: User, sol: User, sam: Client, kit: Client, session: Session
) -> None:
    """Security check 10; journeys, script 3, step 7: clients, tasks, links, plans and the team have somebody."""
    other = factories.staff("Ota Super", Role.SUPERVISOR)
    kits = Plan.objects.create(client=kit, shape="weekly", started_on=NOW.date(), therapist=omar)
    led = Session.objects.create(plan=kits, kind="dosing", number=1, starts_at=NOW + timedelta(days=3), therapist=maya)
    Task.open(sam, "todo", at=NOW, owner=maya)
    Task.open(kit, "todo", at=NOW, owner=maya)
    referral = cases.referral(sam, maya, cases.clinic(), state=State.SENT, sent_at=NOW, sent_by=maya)
    died = factories.client(maya, "Dee Parted", status=Client.Status.DIED)
    flag = flagged(died, maya)
    CoverageShift.objects.create(user=maya, weekday=0, starts="08:00", ends="20:00")
    User.objects.filter(pk=maya.pk).update(supervisor=other)
    junior = factories.staff("Jun Ior", Role.THERAPIST, supervisor=maya)
    browser = as_user(rosa)
    page = words(browser.get(f"/practice/people/{maya.pk}/leave/"))
    for said in (
        "2 clients to hand over",
        "2 open tasks go to the therapists of the clients they are about.",
        "2 sessions ahead are led by the therapists of their clients from then on.",
        "1 referral link of theirs is open. What the clinic answers goes to the therapist of the client.",
        "Jun Ior is in their team. Choose below who supervises them.",
    ):
        assert said in page
    assert leave(post, browser, maya, therapist=omar, supervisor=sol).status_code == 302
    assert {client.name: client.therapist for client in Client.objects.all()} == {
        "Sam Whitehorse": omar, "Kit Larkspur": omar, "Dee Parted": omar,
    }  # fmt: skip
    assert set(Task.objects.filter(kind="todo").values_list("owner", flat=True)) == {omar.pk}
    assert {row.pk: row.therapist for row in Session.objects.all()} == {session.pk: omar, led.pk: omar}
    assert Alert.objects.visible_to(omar).get() == flag
    assert User.objects.get(pk=junior.pk).supervisor == sol
    assert Referral.objects.get() == referral
    assert handover.alarms() == []


def test_answer_of_a_clinic_reaches_whoever_took_over(
    as_user: As, post: Post, rosa: User, maya: User, omar: User, sam: Client
) -> None:
    """Security check 10: a live link answers to the successor."""
    from referrals.actions import news

    referral = cases.referral(sam, maya, cases.clinic(), state=State.SENT, sent_at=NOW, sent_by=maya)
    leave(post, as_user(rosa), maya, therapist=omar)
    referral = Referral.objects.get(pk=referral.pk)
    assert news.tellable(referral) == [omar]


def test_question_to_somebody_who_leaves_goes_on(
    as_user: As, post: Post, rosa: User, maya: User, sol: User, pax: User, sam: Client
) -> None:
    decisions.ask_colleague(by=maya, client=sam, to=sol, question="Do you agree?", at=NOW)
    leave(post, as_user(rosa), sol)
    asked = CaseQuestion.objects.get()
    assert (asked.to, Task.objects.get(kind="case_question").owner) == (pax, pax)


def test_flag_that_somebody_on_call_picked_up_goes_back_when_they_leave(
    as_user: As, post: Post, rosa: User, maya: User, on_call: User, sam: Client
) -> None:
    flag = flagged(sam, maya)
    actions.acknowledge(by=on_call, alert=flag, at=NOW)
    leave(post, as_user(rosa), on_call)
    flag.refresh_from_db()
    assert (flag.acknowledged_by, flag.climbs_at) == (None, NOW + timedelta(minutes=15))
    assert Notice.objects.filter(user=maya, template="urgent").count() == 2


def test_leaving_past_the_limit_of_the_successor_needs_a_reason(
    as_user: As, post: Post, rosa: User, maya: User, omar: User, sam: Client, kit: Client
) -> None:
    User.objects.filter(pk=omar.pk).update(most_clients=1)
    browser, url = as_user(rosa), f"/practice/people/{maya.pk}/leave/"
    refused = post(browser, url, {"therapist": str(omar.pk)})
    assert (refused.status_code, User.objects.get(pk=maya.pk).is_active) == (400, True)
    assert "Omar Haddad takes 1 client" in words(refused)
    assert post(browser, url, {"therapist": str(omar.pk), "words": "Until January"}).status_code == 302
    assert Handover.objects.get().words == "Until January"


def test_moving_clients_is_for_supervisors_and_admins(sol: User, rosa: User, maya: User, fay: User) -> None:
    assert [user.may(Permission.MOVE_CLIENTS) for user in (sol, rosa, maya, fay)] == [True, True, False, False]
