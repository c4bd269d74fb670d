"""What goes out by itself when a client joins a group: off until an admin says so (feature A7)."""

from collections.abc import Callable
from datetime import date, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client as Browser

from intake import actions, measures, starting
from intake.models import Invitation, Measure, PacketStart
from practice.clinical.planning import templates
from practice.kap.actions import chaperone, clearance, plans
from practice.kap.models import Plan
from practice.models import AuditEvent, Client, Notice, Task, User
from tests.conftest import send
from tests.factories import NOW

pytestmark = pytest.mark.usefixtures("clock", "house")
Group = PacketStart.Group


@pytest.fixture
def plan(maya: User, pax: User, sam: Client) -> Callable[[], Plan]:
    def make() -> Plan:
        clearance.grant(
            by=pax, client=sam, doses=6, until=date(2027, 6, 1), most_mg=Decimal(100), route="sublingual", words="",
            at=NOW,
        )  # fmt: skip
        return plans.make(
            by=maya, client=sam, template=templates()["weekly"], at=NOW, first=date(2026, 12, 2), clock=time(9),
            therapist=maya, room="Blue room", count=2,
        )  # fmt: skip

    return make


def start(by: User, group: str = Group.KAP, key: str = "check-in", **more: Any) -> PacketStart:
    return starting.add(by=by, group=group, key=key, site=more.get("site"), at=NOW)


def test_nothing_goes_out_by_itself_until_somebody_says_so(sam: Client) -> None:
    for group in Group.values:
        assert starting.joined(sam, group, subject_id=uuid4(), at=NOW) == 0
    assert Measure.objects.count() == 0


def test_client_who_joins_gets_the_packet_once(sam: Client, rosa: User, on_call: User) -> None:
    """Feature A7: a named packet starts by itself when a client joins a group."""
    start(rosa)
    plan = uuid4()
    assert [starting.joined(sam, Group.KAP, subject_id=plan, at=NOW) for _ in range(2)] == [1, 0]
    assert [measures.send_due(at=NOW), measures.send_due(at=NOW)] == [1, 0]
    sent = Invitation.objects.get(client=sam)
    assert (sent.packet, sent.packet_version, sent.created_by) == ("check-in", "1", None)
    assert {row.template for row in Notice.objects.filter(client=sam)} == {"invitation"}
    assert starting.joined(sam, Group.KAP, subject_id=uuid4(), at=NOW + timedelta(days=90)) == 1


def test_other_groups_and_other_sites_get_nothing(sam: Client, rosa: User, south: Any, north: Any) -> None:
    start(rosa, Group.REFERRED)
    start(rosa, Group.NEW, site=south)
    assert starting.joined(sam, Group.KAP, subject_id=uuid4(), at=NOW) == 0
    assert starting.joined(sam, Group.NEW, subject_id=sam.pk, at=NOW) == 0
    start(rosa, Group.NEW, site=north)
    assert starting.joined(sam, Group.NEW, subject_id=sam.pk, at=NOW) == 1


def test_packet_that_the_client_has_already_is_not_sent_a_second_time(
    sam: Client, maya: User, rosa: User, on_call: User
) -> None:
    start(rosa)
    actions.invite(by=maya, client=sam, key="check-in", at=NOW)
    starting.joined(sam, Group.KAP, subject_id=uuid4(), at=NOW)
    assert measures.send_due(at=NOW) == 0
    assert (Invitation.objects.filter(state=Invitation.State.SENT).count(), measures.planned(sam).count()) == (1, 0)


def test_packet_that_cannot_be_sent_becomes_a_task(sam: Client, rosa: User) -> None:
    """Nobody is on call, and the packet asks about suicide."""
    start(rosa)
    starting.joined(sam, Group.KAP, subject_id=uuid4(), at=NOW)
    assert measures.send_due(at=NOW) == 0
    assert [task.facts for task in Task.objects.filter(client=sam, kind="todo")] == [{"reason": "not_sent"}]


def test_discharged_client_gets_nothing(sam: Client, rosa: User, on_call: User) -> None:
    start(rosa)
    starting.joined(sam, Group.KAP, subject_id=uuid4(), at=NOW)
    Client.objects.filter(pk=sam.pk).update(status=Client.Status.DISCHARGED)
    assert (measures.send_due(at=NOW), Invitation.objects.count()) == (0, 0)


def test_same_line_twice_and_a_packet_that_is_not_there_are_refused(rosa: User) -> None:
    from practice.actions import NotNow

    start(rosa)
    with pytest.raises(NotNow, match="goes out already"):
        start(rosa)
    with pytest.raises(NotNow, match="no such packet"):
        start(rosa, key="nothing")


def test_admin_adds_and_stops_a_line_and_both_are_in_the_trail(
    rosa: User, maya: User, as_user: Callable[[User], Browser]
) -> None:
    browser = as_user(rosa)
    form = {"group": "referred", "packet": "intake", "site": ""}
    assert send(browser, "/practice/forms/by-itself/", form).status_code == 302
    row = PacketStart.objects.get()
    url = f"/practice/forms/by-itself/{row.pk}/remove/"
    assert send(as_user(maya), url).status_code == 403
    assert [send(browser, url).status_code for _ in range(2)] == [302, 302]
    assert PacketStart.objects.count() == 0
    found = AuditEvent.objects.filter(action__startswith="packet_start").order_by("seq")
    assert [(event.action, event.facts) for event in found] == [
        ("packet_start.added", {"group": "referred", "packet": "intake"}),
        ("packet_start.removed", {"group": "referred", "packet": "intake"}),
    ]
    for wrong in ({"group": "x"}, {"packet": "x"}, {"site": "x"}):
        assert send(browser, "/practice/forms/by-itself/", form | wrong).status_code == 400


def test_client_who_is_new_at_a_site_gets_it_too(
    rosa: User, maya: User, on_call: User, north: Any, as_user: Callable[[User], Browser]
) -> None:
    start(rosa, Group.NEW, "check-in", site=north)
    form = {
        "name_used": "Ada", "email": "ada@example.net", "channels": ["email"], "therapist": maya.pk, "site": north.pk,
        "packet": "intake", "language": "en",
    }  # fmt: skip
    answer = send(as_user(maya), "/clients/new/", form)
    assert answer.status_code == 302, answer.content.decode()
    row = Measure.objects.get()
    assert (row.packet, row.why, row.client.name_used) == ("check-in", Measure.Why.JOINED, "Ada")


def test_plan_of_sessions_and_a_session_at_home_are_groups(
    sam: Client, maya: User, rosa: User, plan: Callable[[], Plan]
) -> None:
    start(rosa, Group.KAP, "after-infusion")
    start(rosa, Group.REMOTE, "after-course")
    made = plan()
    joined = Measure.objects.filter(client=sam, why=Measure.Why.JOINED).order_by("packet")
    assert [row.packet for row in joined] == ["after-infusion"]
    for session in made.sessions.filter(kind="dosing"):
        chaperone.place(by=maya, session=session, setting="remote", at=NOW)
    assert [row.packet for row in joined.all()] == ["after-course", "after-infusion"]
    plans.follow(made, NOW)
    assert {row.stopped_at for row in joined.all()} == {None}
