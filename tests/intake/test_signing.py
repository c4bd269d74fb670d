"""Feature B3: clients are asked to sign again: who is due, when they are asked, how many a day, and what came of it."""

from collections.abc import Callable
from datetime import datetime, time, timedelta
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from intake import actions, editions, resigning, wording
from intake.models import Invitation, Signature, SigningPace, SigningRequest
from practice.access import Role
from practice.actions import raise_manual_flag
from practice.models import Alert, AuditEvent, Client, Notice, Practice, RoleGrant, Task, User
from practice.schedule import tick
from referrals import picture
from referrals.models import Course, CourseSession
from tests import factories
from tests.conftest import send
from tests.factories import NOW
from tests.homes import at_home
from tests.intake.conftest import Phone, text_of
from tests.intake.test_agreements import published, signed

As = Callable[[User], Any]
pytestmark = pytest.mark.usefixtures("clock", "on_call")
SIGNING, PACE = "/practice/agreements/signing/", "/practice/agreements/pace/"
DAY = timedelta(days=1)


@pytest.fixture
def started(rosa: User) -> SigningPace:
    resigning.turn(by=rosa, on=True, at=NOW)
    return SigningPace.objects.get()


@pytest.fixture
def due(sam: Client, rosa: User, started: SigningPace) -> Client:
    """Sam signed version 1, and a version that must be signed came."""
    signed(sam, at=NOW - 30 * DAY)
    published(rosa)
    return sam


def reached_by(client: Client, *private: str) -> None:
    client.reach = {"sms": True, "email": True, "private": list(private)}
    client.save(update_fields=["reach"])


def asked() -> list[tuple[str, str, str]]:
    rows = SigningRequest.objects.select_related("client").order_by("asked_at", "document")
    return [(row.client.name, row.document, row.outcome) for row in rows]


# --- Asking ----------------------------------------------------------------------------------------------------------


def test_nobody_is_asked_until_somebody_starts_it(sam: Client, rosa: User) -> None:
    signed(sam)
    published(rosa)
    assert (resigning.ask_some(at=NOW), Notice.objects.count()) == (0, 0)
    assert resigning.turn(by=rosa, on=True, at=NOW)
    assert resigning.ask_some(at=NOW) == 1


def test_invitation_holds_only_what_is_to_be_signed_and_goes_by_private_ways(due: Client) -> None:
    reached_by(due, "sms")
    assert resigning.ask_some(at=NOW) == 1
    (notice,) = Notice.objects.all()
    assert (notice.template, notice.channel, notice.client) == ("agreement", "sms", due)
    invitation = Invitation.objects.get()
    assert [page.slug for page in actions.packet_for(invitation).pages] == ["agreement--communications"]
    assert asked() == [("Sam Whitehorse", "communications", "asked")]
    assert AuditEvent.objects.filter(action="agreement.asked", client_id=due.pk).count() == 1


def test_client_is_asked_once(due: Client) -> None:
    assert [resigning.ask_some(at=NOW + n * DAY) for n in range(3)] == [1, 0, 0]


def test_only_a_few_are_asked_on_a_day(due: Client, maya: User) -> None:
    SigningPace.objects.update(per_day=2)
    for n in range(4):
        signed(factories.client(maya, f"Person {n}"), at=NOW - DAY)
    assert [resigning.ask_some(at=NOW), resigning.ask_some(at=NOW + timedelta(hours=1))] == [2, 0]
    assert [resigning.ask_some(at=NOW + n * DAY) for n in (1, 2, 3)] == [2, 1, 0]


def test_who_comes_soonest_is_asked_first(due: Client, kit: Client) -> None:
    SigningPace.objects.update(per_day=1)
    signed(kit, at=NOW - DAY)
    Client.objects.filter(pk=kit.pk).update(next_session_at=NOW + 3 * DAY)
    resigning.ask_some(at=NOW)
    assert asked() == [("Kit Larkspur", "communications", "asked")]


def test_client_with_an_open_flag_is_not_asked_until_it_is_closed(due: Client, maya: User) -> None:
    alert = raise_manual_flag(by=maya, client=due, severity="priority", reason="Said goodbye", at=NOW)
    assert resigning.ask_some(at=NOW) == 0
    Alert.objects.filter(pk=alert.pk).update(closed_at=NOW, closed_by=maya, action=Alert.Action.values[0])
    assert resigning.ask_some(at=NOW + DAY) == 1


@pytest.mark.parametrize(("offset", "count"), [(-1, 1), (0, 0), (1, 1)])
def test_client_is_not_asked_on_the_day_of_an_infusion(due: Client, offset: int, count: int) -> None:
    course = Course.objects.create(client=due, clinic="Northlake", started_on=NOW.date())
    CourseSession.objects.create(course=course, number=1, on=NOW.date() + offset * DAY)
    assert resigning.ask_some(at=NOW) == count


@pytest.mark.parametrize(
    ("starts_at", "kind", "state", "count"),
    [
        (NOW + timedelta(hours=2), "dosing", "planned", 0),
        (datetime.fromisoformat("2026-11-19T00:00-05:00"), "dosing", "planned", 0),
        (datetime.fromisoformat("2026-11-18T23:59-05:00"), "dosing", "done", 1),
        (datetime.fromisoformat("2026-11-19T23:59-05:00"), "dosing", "planned", 0),
        (datetime.fromisoformat("2026-11-20T00:00-05:00"), "dosing", "planned", 1),
        (NOW + timedelta(hours=2), "dosing", "skipped", 1),
        (NOW + timedelta(hours=2), "preparation", "planned", 1),
    ],
)
def test_client_is_not_asked_on_the_day_of_a_dosing_session(
    due: Client, maya: User, starts_at: datetime, kind: str, state: str, count: int
) -> None:
    from practice.kap.models import Plan, Session

    plan = Plan.objects.create(client=due, shape="weekly", started_on=NOW.date(), created_by=maya)
    Session.objects.create(plan=plan, kind=kind, number=1, starts_at=starts_at, therapist=maya, state=state)
    assert resigning.ask_some(at=NOW) == count


@pytest.mark.parametrize(("hour", "count"), [("12:59", 0), ("13:00", 1), ("01:59", 1), ("02:00", 0)])
def test_client_is_asked_in_the_daytime_of_where_they_are(due: Client, hour: str, count: int) -> None:
    """8 am to 9 pm in New York is 13:00 to 02:00 UTC."""
    Practice.objects.update(messages_from=time(8), messages_until=time(21))
    at = datetime.fromisoformat(f"2026-11-19T{hour}+00:00")
    with time_machine.travel(at, tick=False):
        assert resigning.ask_some(at=at) == count


def test_client_without_a_private_way_is_not_written_to_and_their_therapist_is_told(due: Client) -> None:
    reached_by(due)
    assert (resigning.ask_some(at=NOW), Notice.objects.count()) == (0, 0)
    assert asked() == [("Sam Whitehorse", "communications", "not_reached")]
    assert Task.objects.get().facts == {"reason": "signing_not_reached"}
    assert resigning.ask_some(at=NOW + DAY) == 0


@pytest.mark.parametrize("status", [Client.Status.DISCHARGED, Client.Status.RESTRICTED, Client.Status.INVITED])
def test_client_who_is_not_in_care_is_not_asked(due: Client, status: str) -> None:
    Client.objects.filter(pk=due.pk).update(status=status)
    assert (resigning.ask_some(at=NOW), asked()) == (0, [])


def test_client_who_has_the_intake_open_signs_it_there(due: Client, maya: User) -> None:
    actions.invite(by=maya, client=due, key="intake", at=NOW)
    assert resigning.ask_some(at=NOW) == 0


def test_stopped_asks_nobody_and_going_on_asks_the_rest(due: Client, rosa: User) -> None:
    resigning.turn(by=rosa, on=False, at=NOW)
    assert resigning.ask_some(at=NOW) == 0
    resigning.turn(by=rosa, on=True, at=NOW)
    assert resigning.ask_some(at=NOW) == 1


@pytest.mark.parametrize(("days", "count"), [(363, 0), (364, 0), (366, 1)])
def test_signature_is_asked_for_each_year_only_where_that_is_set(
    sam: Client, started: SigningPace, days: int, count: int
) -> None:
    signed(sam, at=NOW - days * DAY)
    assert resigning.ask_some(at=NOW) == 0
    SigningPace.objects.update(months={"communications": 12})
    assert resigning.ask_some(at=NOW) == count
    assert resigning.is_current(sam, "communications", NOW) is not bool(count)


def test_schedule_asks(due: Client) -> None:
    from practice.jobs import run
    from practice.models import Job

    tick(NOW)
    job = Job.objects.get(kind="ask_to_sign")
    run(job.pk)
    assert asked() == [("Sam Whitehorse", "communications", "asked")]


# --- What came of it -------------------------------------------------------------------------------------------------


def opened(client: Client) -> Phone:
    assert resigning.ask_some(at=NOW) == 1
    return Phone(client.invitations.get(packet="agreements")).start()


def test_signing_again_keeps_the_old_signature_and_settles_it(due: Client) -> None:
    phone = opened(due)
    words = text_of(phone.browser.get("/my/q/agreement--communications/"))
    assert "This is version 1.1 of the text." in words
    phone.post("/my/q/agreement--communications/", {"typed_name": "Sam", "relation": "self", "ack_p1": "on"})
    assert sorted(Signature.objects.values_list("version", flat=True)) == ["1", "1.1"]
    assert asked() == [("Sam Whitehorse", "communications", "signed")]
    assert phone.post("/my/send/")["Location"] == "/my/done/"
    assert list(Task.objects.values_list("kind", flat=True)) == []
    assert asked() == [("Sam Whitehorse", "communications", "signed")]
    assert resigning.is_current(due, "communications", NOW)
    assert resigning.due(NOW) == []


def test_declining_is_told_to_the_therapist_and_not_asked_again(due: Client, maya: User) -> None:
    phone = opened(due)
    phone.skip("agreement--communications")
    phone.post("/my/send/")
    assert asked() == [("Sam Whitehorse", "communications", "declined")]
    task = Task.objects.get()
    assert (task.kind, task.facts) == ("todo", {"reason": "signing_declined"})
    assert resigning.ask_some(at=NOW + 20 * DAY) == 0
    assert not resigning.is_current(due, "communications", NOW)


def test_link_that_ended_unanswered_was_not_reached(due: Client) -> None:
    resigning.ask_some(at=NOW)
    assert resigning.watch(at=NOW + 14 * DAY - timedelta(seconds=1)) == 0
    assert [resigning.watch(at=NOW + 14 * DAY), resigning.watch(at=NOW + 14 * DAY)] == [1, 0]
    assert asked() == [("Sam Whitehorse", "communications", "not_reached")]
    assert Task.objects.get().facts == {"reason": "signing_not_reached"}


def test_nobody_is_reminded_of_agreements(due: Client) -> None:
    resigning.ask_some(at=NOW)
    assert (actions.chase(at=NOW + 6 * DAY), Notice.objects.filter(template="reminder").count()) == (0, 0)


def test_home_says_what_waits(due: Client) -> None:
    resigning.ask_some(at=NOW)
    words = text_of(at_home(due).get("/my/home/"))
    assert "Something to read and sign" in words


# --- The pages of the practice ---------------------------------------------------------------------------------------


def test_admin_starts_and_stops_and_a_second_press_changes_nothing(as_user: As, rosa: User) -> None:
    browser = as_user(rosa)
    assert "Started: up to 5 clients a day" in text_of(send(browser, SIGNING, {"start": "1"}, follow=True))
    assert "That was so already." in text_of(send(browser, SIGNING, {"start": "1"}, follow=True))
    assert "Stopped. Nobody is asked any more" in text_of(send(browser, SIGNING, {"stop": "1"}, follow=True))
    actions_ = AuditEvent.objects.filter(action__startswith="agreement.asking").order_by("seq")
    assert list(actions_.values_list("action", flat=True)) == ["agreement.asking_started", "agreement.asking_stopped"]


def test_progress_says_who_and_what_came_of_it(as_user: As, rosa: User, due: Client) -> None:
    resigning.ask_some(at=NOW)
    page = as_user(rosa).get(SIGNING)
    words = text_of(page)
    assert ("Sam Whitehorse" in words, due.get_absolute_url() in page.content.decode()) == (True, False)
    assert "Version 1.1 Asked" in words
    assert "Ask again" not in words
    assert "Sam Whitehorse" not in text_of(as_user(rosa).get(f"{SIGNING}?outcome=declined"))


def test_only_who_reads_a_chart_gets_its_link(as_user: As, rosa: User, due: Client, maya: User) -> None:
    """An admin who is a therapist, too, opens the charts of their own clients and of no other."""
    RoleGrant.objects.create(user=rosa, role=Role.THERAPIST)
    own = factories.client(rosa, "Ada Finch", site=due.site)
    signed(own, at=NOW - 30 * DAY)
    assert resigning.ask_some(at=NOW) == 2
    html = as_user(rosa).get(SIGNING).content.decode()
    linked = [client.get_absolute_url() in html for client in (own, due)]
    assert (linked, "Sam Whitehorse" in html) == ([True, False], True)


def test_somebody_who_declined_is_asked_again_once(as_user: As, rosa: User, due: Client) -> None:
    phone = opened(due)
    phone.skip("agreement--communications")
    phone.post("/my/send/")
    row, browser = SigningRequest.objects.get(), as_user(rosa)
    url = reverse("signing_request", args=[row.pk])
    assert "They are asked again when it is their turn." in text_of(send(browser, url, follow=True))
    assert "They are among those who are asked already." in text_of(send(browser, url, follow=True))
    assert Task.objects.get().done_by == rosa
    assert resigning.ask_some(at=NOW + DAY) == 1
    assert sorted(SigningRequest.objects.values_list("outcome", flat=True)) == ["asked", "declined"]


def test_open_request_cannot_be_put_back(as_user: As, rosa: User, due: Client) -> None:
    resigning.ask_some(at=NOW)
    row = SigningRequest.objects.get()
    send(as_user(rosa), reverse("signing_request", args=[row.pk]))
    assert SigningRequest.objects.get().again_at is None


def test_pace_has_its_limits_and_two_admins_are_told(as_user: As, rosa: User) -> None:
    browser = as_user(rosa)
    months = {f"months_{key}": "0" for key in ("npp_ack", "treatment", "telehealth", "communications", "ketamine")}
    for wrong in ("0", "51", "", "many"):
        assert send(browser, PACE, months | {"per_day": wrong, "version": "1"}).status_code == 400
    for right, version in (("1", "1"), ("50", "2")):
        said = months | {"per_day": right, "version": version, "months_ketamine": "12"}
        assert send(browser, PACE, said)["Location"] == "/practice/agreements/"
    assert send(browser, PACE, months | {"per_day": "3", "version": "1"}).status_code == 409
    pace = SigningPace.objects.get()
    assert (pace.per_day, pace.months) == (50, {"ketamine": 12})


def test_progress_costs_the_same_with_one_and_with_three(as_user: As, rosa: User, due: Client, maya: User) -> None:
    resigning.ask_some(at=NOW)
    browser = as_user(rosa)
    browser.get(SIGNING)
    with CaptureQueriesContext(connection) as one:
        browser.get(SIGNING)
    for name in ("Ada Finch", "Bo Reed"):
        signed(factories.client(maya, name), at=NOW - DAY)
    assert resigning.ask_some(at=NOW) == 2
    with CaptureQueriesContext(connection) as three:
        browser.get(SIGNING)
    assert len(one) == len(three)


def test_therapist_does_not_get_there(as_user: As, maya: User, due: Client) -> None:
    resigning.ask_some(at=NOW)
    row = SigningRequest.objects.get()
    for url in (SIGNING, PACE, "/practice/agreements/", reverse("signing_request", args=[row.pk])):
        assert as_user(maya).get(url).status_code == 403


# --- What depends on it ----------------------------------------------------------------------------------------------


def test_fit_reads_a_signature_that_no_longer_counts_as_not_signed(sam: Client, maya: User, rosa: User) -> None:
    phone = Phone(actions.invite(by=maya, client=sam, key="intake", at=NOW, only=["agreement--ketamine"])).start()
    text = editions.running("ketamine")
    said = {"typed_name": "Sam", "relation": "self"} | {f"ack_{point.key}": "on" for point in text.acknowledgements}
    phone.post("/my/q/agreement--ketamine/", said)
    phone.post("/my/send/")
    assert picture_of(sam)["ketamine_consent_signed"] is True
    body = wording.body_of(text).replace(
        "Plan a ride and someone to be with you.", "Plan a ride, and somebody with you."
    )
    kept = {"title": text.title, "summary": text.summary, "sign": text.sign, "body": body}
    published(rosa, must_sign=True, document="ketamine", **kept)
    assert picture_of(sam)["ketamine_consent_signed"] is False


def picture_of(client: Client) -> dict[str, Any]:
    return picture.known(client, NOW.date()).inputs
