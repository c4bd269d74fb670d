"""Inviting a client and following what was sent (A9): for whom one may, what goes out, and what is refused."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext

from intake import actions
from intake.models import Invitation
from practice.models import AuditEvent, Client, Handover, Notice, Practice, Site, User
from tests import factories
from tests.factories import NOW

As = Callable[[User], Browser]
Post = Callable[..., Any]
pytestmark = pytest.mark.django_db
NEW = "/clients/new/"


@pytest.fixture(autouse=True)
def _thursday() -> Any:
    with time_machine.travel(NOW, tick=False):
        yield


def form(therapist: User, **changed: Any) -> dict[str, Any]:
    site = therapist.sites.first()
    return {
        "name_used": "Noor",
        "email": "noor@example.net",
        "phone": "202 555 0190",
        "channels": ["email", "sms"],
        "reach_note": "",
        "language": "en",
        "therapist": str(therapist.pk),
        "site": str(site.pk) if site else "",
        "packet": "intake",
        **changed,
    }


def words(response: Any) -> str:
    return " ".join(re.sub(r"<[^>]*>", " ", response.content.decode()).split())


def test_invitation_admits_sends_and_shows_what_was_sent(as_user: As, post: Post, maya: User, on_call: User) -> None:
    browser = as_user(maya)
    response = post(browser, NEW, form(maya))
    client = Client.objects.get()
    assert response["Location"] == f"/clients/{client.pk}/invite/"
    assert (client.name, client.therapist, client.status) == ("Noor", maya, Client.Status.INVITED)
    assert client.reach == {"email": True, "sms": True, "voice": False, "voicemail": False, "note": ""}
    assert sorted(Notice.objects.values_list("template", "channel")) == [("invitation", "email"), ("invitation", "sms")]
    page = words(browser.get(response["Location"]))
    assert "Your first forms Sent Sent Thu Nov 19." in page
    assert "Goes out by e-mail and text message, as they said is safe." in page


@pytest.mark.parametrize(("most", "others"), [(None, 3), (2, 1)])
def test_therapist_with_room_takes_another_client_without_a_word(
    as_user: As, post: Post, maya: User, on_call: User, most: int | None, others: int
) -> None:
    User.objects.filter(pk=maya.pk).update(most_clients=most)
    for n in range(others):
        factories.client(maya, f"Ada {n}", email=f"a{n}@example.net", phone="")
    assert post(as_user(maya), NEW, form(maya)).status_code == 302
    assert Handover.objects.count() == 0


def test_therapist_with_as_many_as_they_take_gets_another_only_with_a_reason(
    as_user: As, post: Post, maya: User, on_call: User
) -> None:
    User.objects.filter(pk=maya.pk).update(most_clients=1)
    factories.client(maya, "Ada One", email="a@example.net", phone="")
    browser = as_user(maya)
    assert "Maya Torres, 1 of 1 client" in words(browser.get(NEW))
    refused = post(browser, NEW, form(maya))
    assert refused.status_code == 400
    assert "Maya Torres takes 1 client and would have more then." in words(refused)
    assert Client.objects.count() == 1
    assert post(browser, NEW, form(maya, over="Her sister is here too")).status_code == 302
    row = Handover.objects.get()
    assert (row.client.name, row.former, row.to, row.words) == ("Noor", None, maya, "Her sister is here too")


def test_second_press_invites_once(as_user: As, post: Post, maya: User, on_call: User) -> None:
    browser = as_user(maya)
    landed = [post(browser, NEW, form(maya), key="k" * 32)["Location"] for _ in range(2)]
    assert (landed[0], Client.objects.count(), Invitation.objects.count()) == (landed[1], 1, 1)


def test_nothing_is_kept_when_it_cannot_be_sent(as_user: As, post: Post, maya: User) -> None:
    """Nobody is on call: the packet asks about suicide, so neither client nor invitation comes to be."""
    response = post(as_user(maya), NEW, form(maya))
    assert response.status_code == 400
    assert "Nobody is on call" in words(response)
    assert 'value="noor@example.net"' in response.content.decode()
    assert (Client.objects.count(), Invitation.objects.count(), Notice.objects.count()) == (0, 0, 0)


def test_page_shows_what_the_client_will_read(as_user: As, maya: User, house: Practice) -> None:
    page = words(as_user(maya).get(NEW))
    assert "Cedar House: your forms are ready" in page
    assert "http://testserver/p/…/" in page


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"name_used": ""}, "Write the name they use."),
        ({"email": "", "phone": ""}, "Write an e-mail or a mobile phone"),
        ({"email": "x@"}, "valid email"),
        ({"packet": "nonsense"}, "valid choice"),
        ({"packet": "../../etc/passwd"}, "valid choice"),
        ({"language": "xx"}, "valid choice"),
        ({"name_used": "x" * 10_000}, "80"),
    ],
)
def test_bad_input_is_said(
    as_user: As, post: Post, maya: User, on_call: User, changed: dict[str, Any], said: str
) -> None:
    response = post(as_user(maya), NEW, form(maya, **changed))
    assert response.status_code == 400
    assert said in words(response)
    assert Client.objects.count() == 0


# --- For whom --------------------------------------------------------------------------------------------------------


def test_people_invite_for_whom_they_may(
    as_user: As,
    post: Post,
    maya: User,
    omar: User,
    ines: User,
    sol: User,
    fay: User,
    rosa: User,
    pax: User,
    on_call: User,
) -> None:
    got = {}
    for inviter in (maya, sol, fay, rosa, pax, ines):
        for therapist in (maya, omar, ines):
            response = post(as_user(inviter), NEW, form(therapist, email=f"n{len(got)}@example.net", phone=""))
            got[inviter.name[:4], therapist.name[:4]] = response.status_code
    assert {pair for pair, status in got.items() if status == 302} == {
        ("Maya", "Maya"), ("Sol ", "Maya"), ("Fay ", "Maya"), ("Fay ", "Omar"),
        ("Rosa", "Maya"), ("Rosa", "Omar"), ("Rosa", "Ines"), ("Ines", "Ines"),
    }  # fmt: skip
    assert {status for (who, _whom), status in got.items() if who == "Pax "} == {403}
    assert Client.objects.count() == 8


def test_site_must_be_one_where_the_therapist_works(
    as_user: As, post: Post, rosa: User, maya: User, south: Site, on_call: User
) -> None:
    response = post(as_user(rosa), NEW, form(maya, site=str(south.pk)))
    assert "Maya Torres does not work at this site." in words(response)


def test_ex_staff_is_no_therapist(as_user: As, post: Post, rosa: User, gone: User, maya: User, on_call: User) -> None:
    assert post(as_user(rosa), NEW, form(gone)).status_code == 400
    assert "Gone Kerr" not in words(as_user(rosa).get(NEW))


# --- Twice the same person -------------------------------------------------------------------------------------------


def test_own_client_with_the_same_mail_or_phone_is_shown_first(
    as_user: As, post: Post, maya: User, sam: Client, on_call: User
) -> None:
    same = form(maya, email="SAM@example.net", phone="")
    response = post(as_user(maya), NEW, same)
    assert response.status_code == 400
    assert "Same e-mail or phone Sam Whitehorse CH-0401" in words(response)
    assert "This is another person. Invite them too." in words(response)
    assert post(as_user(maya), NEW, same | {"another": "on"}).status_code == 302


def test_colleagues_client_with_the_same_mail_is_not_revealed(
    as_user: As, post: Post, maya: User, omar: User, kit: Client, on_call: User
) -> None:
    known = post(as_user(maya), NEW, form(maya, email=kit.email, phone=""))
    other = post(as_user(maya), NEW, form(maya, email="nobody@example.net", phone=""))
    assert (known.status_code, other.status_code) == (302, 302)
    page = words(as_user(maya).get(known["Location"]))
    assert "Kit" not in page
    event = AuditEvent.objects.get(action="client.possible_duplicate")
    assert event.facts == {"others": 1}


# --- What was sent ---------------------------------------------------------------------------------------------------


@pytest.fixture
def sent(maya: User, sam: Client, on_call: User) -> Invitation:
    return actions.invite(by=maya, client=sam, key="intake", at=NOW - timedelta(days=6))


def test_resend_is_one_click_and_kills_the_old_link(as_user: As, post: Post, maya: User, sent: Invitation) -> None:
    old = sent.token_digest
    response = post(as_user(maya), f"/clients/{sent.client_id}/invitations/{sent.pk}/resend/")
    sent.refresh_from_db()
    assert response["Location"] == f"/clients/{sent.client_id}/invite/"
    assert (sent.token_digest != old, sent.sent_at, sent.expires_at) == (True, NOW, NOW + timedelta(days=14))


def test_second_tab_sends_no_second_link_unless_asked_again(
    as_user: As, post: Post, maya: User, sent: Invitation
) -> None:
    browser, url = as_user(maya), f"/clients/{sent.client_id}/invitations/{sent.pk}/resend/"
    page = f"/clients/{sent.client_id}/invite/"
    seen = {"seen": sent.sending}
    assert f'name="seen" value="{sent.sending}"' in browser.get(page).content.decode()
    assert "Sent again with a new link." in words(browser.get(post(browser, url, seen)["Location"]))
    sent.refresh_from_db()
    first = sent.token_digest
    said = words(browser.get(post(browser, url, seen)["Location"]))  # the other tab, still as it was
    assert "The link was sent Thu Nov 19, 10:00 am, after you opened this page, and works." in said
    sent.refresh_from_db()
    assert (sent.token_digest, sent.generation) == (first, 2)
    assert Notice.objects.filter(template="invitation").count() == 4  # twice, by two ways
    post(browser, url, {"seen": sent.sending})  # asked for on the page that says so
    sent.refresh_from_db()
    assert sent.generation == 3


def test_withdraw_twice_says_so(as_user: As, post: Post, maya: User, sent: Invitation) -> None:
    browser, url = as_user(maya), f"/clients/{sent.client_id}/invitations/{sent.pk}/withdraw/"
    page = words(browser.get(post(browser, url)["Location"]))
    assert "Taken back." in page
    assert "Your first forms Withdrawn" in page
    assert "This packet is finished or was taken back already." in words(browser.get(post(browser, url)["Location"]))


@pytest.mark.parametrize("act", ["resend", "withdraw"])
def test_only_the_right_people_touch_an_invitation(
    as_user: As, post: Post, omar: User, ines: User, pax: User, sent: Invitation, kit: Client, act: str
) -> None:
    url = f"/clients/{sent.client_id}/invitations/{sent.pk}/{act}/"
    got = {user.name[:4]: post(as_user(user), url).status_code for user in (ines, pax)}
    assert got == {"Ines": 404, "Pax ": 403}
    through_own = f"/clients/{kit.pk}/invitations/{sent.pk}/{act}/"  # omar's own client, sam's invitation
    assert post(as_user(omar), through_own).status_code == 404
    before = sent.generation, sent.state
    sent.refresh_from_db()
    assert (sent.generation, sent.state) == before


def test_get_changes_nothing(as_user: As, maya: User, sent: Invitation) -> None:
    for act in ("resend", "withdraw"):
        as_user(maya).get(f"/clients/{sent.client_id}/invitations/{sent.pk}/{act}/")
    before = sent.generation
    sent.refresh_from_db()
    assert (sent.state, sent.generation) == ("sent", before)


def test_page_says_opened_last_answer_reminded_and_run_out(
    as_user: As, maya: User, sam: Client, sent: Invitation
) -> None:
    actions.open_link(invitation=sent, at=NOW - timedelta(days=5))
    sitting = actions.start(invitation=sent, at=NOW - timedelta(days=5))
    type(sitting).objects.filter(pk=sitting.pk).update(saved_at=NOW - timedelta(days=4))
    Invitation.objects.filter(pk=sent.pk).update(reminders=2, expires_at=NOW - timedelta(hours=1))
    page = words(as_user(maya).get(f"/clients/{sam.pk}/invite/"))
    assert "Sent Fri Nov 13, opened Sat Nov 14, last answer Sun Nov 15, 10:00 am. 2 reminders sent." in page
    assert "The link ran out Thu Nov 19." in page


def test_lost_message_is_said_with_what_to_do(as_user: As, maya: User, sam: Client, sent: Invitation) -> None:
    Invitation.objects.filter(pk=sent.pk).update(sent_at=NOW - timedelta(days=6))
    Notice.objects.filter(client=sam).update(state=Notice.State.FAILED)
    assert "The message did not go out." in words(as_user(maya).get(f"/clients/{sam.pk}/invite/"))


def test_client_without_a_safe_way_is_said(as_user: As, post: Post, maya: User, on_call: User) -> None:
    una = factories.client(maya, "Una Un", reach={"email": False, "sms": False})
    url = f"/clients/{una.pk}/invite/"
    assert "There is no safe way to reach them yet." in words(as_user(maya).get(url))
    assert "There is no safe way to send this" in words(post(as_user(maya), url, {"packet": "intake"}))
    assert Invitation.objects.count() == 0


def test_list_asks_the_database_the_same_for_any_number_of_rows(
    as_user: As, maya: User, sam: Client, on_call: User
) -> None:
    browser, asked = as_user(maya), []
    for n, more in enumerate((1, 2)):
        for k in range(more):
            row = actions.invite(by=maya, client=sam, key="intake", at=NOW - timedelta(days=1 + n + k))
            Invitation.objects.filter(pk=row.pk).update(state="withdrawn")
        browser.get(f"/clients/{sam.pk}/invite/")
        with CaptureQueriesContext(connection) as caught:
            browser.get(f"/clients/{sam.pk}/invite/")
        asked.append(len(caught))
    assert asked == [asked[0]] * 2
