"""Who works here: inviting, roles that cannot lock everybody out, and leaving without leaving a client alone."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import TOTP
from allauth.usersessions.models import UserSession
from django.db import connection
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext

from practice import actions, notices
from practice.access import Role
from practice.models import Alert, AuditEvent, Client, CoverageShift, Notice, Practice, RoleGrant, Site, Task, User
from tests import factories
from tests.factories import NOW

As = Callable[[User], Browser]
Post = Callable[..., Any]
pytestmark = pytest.mark.django_db
PEOPLE = "/practice/people/"


def words(response: Any) -> str:
    return " ".join(re.sub(r"<[^>]*>", " ", response.content.decode()).split())


def form(person: User | None = None, **changed: Any) -> dict[str, Any]:
    given: dict[str, Any] = {
        "name": "Nia New",
        "email": "nia@example.org",
        "licence": "",
        "supervisor": "",
        "backup": "",
        "most_clients": "",
    }
    given |= {"roles": ["therapist"], "sites": [str(site.pk) for site in Site.objects.all()[:1]]}
    if person is not None:
        given |= {"name": person.name, "email": person.email, "roles": sorted(person.roles)}
        given |= {"supervisor": str(person.supervisor_id or ""), "backup": str(person.backup_id or "")}
        given["sites"] = [str(site.pk) for site in person.sites.all()]
    return given | changed


@pytest.fixture
def device(as_user: As) -> As:
    """A browser that signed in through the pages, which keep a list of devices."""

    def signed_in(user: User) -> Browser:
        browser = as_user(user)
        key = browser.session.session_key
        UserSession.objects.create(user=user, ip="127.0.0.1", user_agent="Firefox", session_key=key)
        return browser

    return signed_in


def edit(person: User) -> str:
    return f"{PEOPLE}{person.pk}/"


# --- Inviting --------------------------------------------------------------------------------------------------------


def test_new_person_gets_a_link_sets_a_password_and_then_a_second_factor(
    as_user: As, post: Post, rosa: User, sol: User
) -> None:
    assert post(as_user(rosa), f"{PEOPLE}new/", form(supervisor=str(sol.pk)))["Location"] == PEOPLE
    nia = User.objects.get(email="nia@example.org")
    assert (nia.roles, nia.supervisor, nia.has_usable_password()) == ({"therapist"}, sol, False)
    notice = Notice.objects.get(template="staff_invitation")
    subject, text = notices.render(notice.template, notice.channel, notice.words, Practice.get())
    assert subject == "Cedar House: set your password"
    link = re.search(r"http://testserver(\S+)", text)
    assert link
    browser = Browser()
    page = browser.get(link[1], follow=True)
    browser.post(page.redirect_chain[-1][0], {"password1": "four quiet horses", "password2": "four quiet horses"})
    browser.post("/account/login/", {"login": "nia@example.org", "password": "four quiet horses"})
    assert browser.get("/caseload/")["Location"] == "/account/2fa/totp/activate/"
    assert "Invited, not signed in yet" not in words(as_user(rosa).get(PEOPLE)).split("Nia New")[1][:80]


def test_second_press_invites_once(as_user: As, post: Post, rosa: User, north: Site) -> None:
    for _ in range(2):
        post(as_user(rosa), f"{PEOPLE}new/", form(), key="k" * 32)
    assert (User.objects.filter(email="nia@example.org").count(), Notice.objects.count()) == (1, 1)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"name": ""}, "Write their name."),
        ({"email": "nobody"}, "valid email"),
        ({"email": "ROSA@EXAMPLE.ORG"}, "Somebody here has this e-mail already."),
        ({"roles": []}, "Choose one role or more."),
        ({"roles": ["owner"]}, "valid choice"),
        ({"sites": ["999"]}, "valid"),
        ({"sites": []}, "Choose one site or more."),
        ({"supervisor": "x"}, "not a valid"),
        ({"email": "a\x00@example.org"}, "Null characters"),
    ],
)
def test_bad_input_is_said(as_user: As, post: Post, rosa: User, changed: dict[str, Any], said: str) -> None:
    User.objects.filter(pk=rosa.pk).update(email="rosa@example.org")
    response = post(as_user(rosa), f"{PEOPLE}new/", form(**changed))
    assert response.status_code == 400
    assert said in words(response)
    assert Notice.objects.count() == 0


def test_invitation_can_be_sent_again_until_a_password_is_set(as_user: As, post: Post, rosa: User, maya: User) -> None:
    browser = as_user(rosa)
    post(browser, f"{PEOPLE}new/", form())
    nia = User.objects.get(email="nia@example.org")
    assert "Send the link again" in words(browser.get(edit(nia)))
    post(browser, f"{edit(nia)}invite/")
    assert Notice.objects.filter(template="staff_invitation").count() == 2
    page = browser.get(post(browser, f"{edit(maya)}invite/")["Location"])
    assert "They have set a password already." in words(page)
    assert Notice.objects.filter(user=maya).count() == 0


# --- Changing --------------------------------------------------------------------------------------------------------


def test_change_of_roles_is_saved_audited_and_ends_sessions(
    as_user: As, device: As, post: Post, rosa: User, maya: User
) -> None:
    theirs = device(maya)
    response = post(as_user(rosa), edit(maya), form(maya, roles=["therapist", "supervisor"], licence="LCSW 1"))
    assert response.status_code == 302
    now = User.objects.get(pk=maya.pk)
    assert (now.roles, now.licence) == ({"therapist", "supervisor"}, "LCSW 1")
    event = AuditEvent.objects.get(action="person.edited")
    assert event.facts == {"fields": ["licence", "roles"], "roles": ["supervisor", "therapist"]}
    assert theirs.get("/caseload/").status_code == 302


def test_saving_without_a_change_of_roles_leaves_sessions_alone(
    as_user: As, device: As, post: Post, rosa: User, maya: User
) -> None:
    theirs = device(maya)
    post(as_user(rosa), edit(maya), form(maya, name="Maya T."))
    assert theirs.get("/caseload/").status_code == 200


def test_last_admin_cannot_be_removed(as_user: As, post: Post, rosa: User) -> None:
    response = post(as_user(rosa), edit(rosa), form(rosa, roles=["therapist"]))
    assert response.status_code == 400
    assert "They are the last admin." in words(response)
    assert User.objects.get(pk=rosa.pk).roles == {"admin"}


def test_limit_of_clients_is_set_and_taken_away(as_user: As, post: Post, rosa: User, maya: User, sam: Client) -> None:
    browser = as_user(rosa)
    assert post(browser, edit(maya), form(maya, most_clients="20")).status_code == 302
    assert User.objects.get(pk=maya.pk).most_clients == 20
    assert AuditEvent.objects.get(action="person.edited").facts["fields"] == ["most_clients"]
    assert "1 of 20 clients" in words(browser.get(PEOPLE))
    for wrong in ("0", "-3", "501", "many"):
        assert post(browser, edit(maya), form(maya, most_clients=wrong)).status_code == 400
    assert post(browser, edit(maya), form(maya, most_clients="")).status_code == 302
    assert User.objects.get(pk=maya.pk).most_clients is None


def test_second_admin_may_step_down(as_user: As, post: Post, rosa: User, north: Site) -> None:
    factories.staff("Bo Second", Role.ADMIN, sites=(north,))
    assert post(as_user(rosa), edit(rosa), form(rosa, roles=["front_desk"])).status_code == 302


def test_ex_admin_does_not_count_as_an_admin(as_user: As, post: Post, rosa: User, north: Site) -> None:
    factories.staff("Old Admin", Role.ADMIN, sites=(north,), is_active=False)
    assert post(as_user(rosa), edit(rosa), form(rosa, roles=["therapist"])).status_code == 400


def test_therapist_with_clients_keeps_the_role(as_user: As, post: Post, rosa: User, maya: User, sam: Client) -> None:
    response = post(as_user(rosa), edit(maya), form(maya, roles=["supervisor"]))
    assert "They are the therapist of 1 client. Hand that one over" in words(response)
    assert User.objects.get(pk=maya.pk).roles == {"therapist"}


def test_person_on_call_keeps_a_role_that_can_act(as_user: As, post: Post, rosa: User, on_call: User) -> None:
    response = post(as_user(rosa), edit(on_call), form(on_call, roles=["front_desk"]))
    assert "They are on call for safety flags." in words(response)


def test_lost_second_factor_is_taken_away_by_another_admin(
    as_user: As, device: As, post: Post, rosa: User, maya: User
) -> None:
    for user in (maya, rosa):
        TOTP.activate(user, "JBSWY3DPEHPK3PXP")
    browser, theirs = as_user(rosa), device(maya)
    post(browser, f"{edit(maya)}factor/")
    assert Authenticator.objects.filter(user=maya).count() == 0
    assert theirs.get("/caseload/").status_code == 302
    page = browser.get(post(browser, f"{edit(rosa)}factor/")["Location"])
    assert "You cannot take away your own second factor." in words(page)
    assert Authenticator.objects.filter(user=rosa).count() == 1
    assert AuditEvent.objects.filter(action="person.factor_reset").count() == 1


# --- Leaving ---------------------------------------------------------------------------------------------------------


def test_leaving_is_refused_while_a_client_would_be_alone(
    as_user: As, post: Post, rosa: User, maya: User, sam: Client
) -> None:
    response = post(as_user(rosa), f"{edit(maya)}leave/", {"therapist": ""})
    assert response.status_code == 400
    assert "Choose who takes their clients as therapist." in words(response)
    assert "Sam Whitehorse CH-0401" in words(response)
    assert (User.objects.get(pk=maya.pk).is_active, Client.objects.get().therapist) == (True, maya)


def test_leaving_hands_everything_over(
    as_user: As, post: Post, rosa: User, maya: User, omar: User, sol: User, sam: Client
) -> None:
    old = factories.client(maya, "Old Client", status=Client.Status.DISCHARGED)
    Task.open(sam, "todo", at=NOW, owner=maya)
    CoverageShift.objects.create(user=maya, weekday=0, starts="08:00", ends="20:00")
    User.objects.filter(pk=omar.pk).update(backup=maya)
    junior = factories.staff("Jun Ior", Role.THERAPIST, supervisor=maya)
    theirs = as_user(maya)
    page = words(as_user(rosa).get(f"{edit(maya)}leave/"))
    for said in (
        "1 client to hand over",
        "Jun Ior is in their team. Choose below who supervises them.",
        "Omar Haddad has no backup then.",
        "Their hours on call end.",
    ):
        assert said in page
    response = post(as_user(rosa), f"{edit(maya)}leave/", {"therapist": str(omar.pk), "supervisor": str(sol.pk)})
    assert response["Location"] == "/practice/coverage/"  # the roster has gaps now
    now = User.objects.get(pk=maya.pk)
    assert (now.is_active, now.left_at is not None, now.has_usable_password()) == (False, True, False)
    assert Client.objects.get(pk=sam.pk).therapist == omar
    assert Client.objects.get(pk=old.pk).therapist == maya  # the past stays as it was
    assert Task.objects.get().owner == omar
    assert (User.objects.get(pk=omar.pk).backup, User.objects.get(pk=junior.pk).supervisor) == (None, sol)
    assert CoverageShift.objects.count() == 0
    assert theirs.get("/caseload/").status_code == 302
    assert theirs.get(f"/clients/{sam.pk}/").status_code == 302
    event = AuditEvent.objects.get(action="client.transferred")
    assert (event.client_id, event.facts) == (sam.pk, {"to": str(omar.pk), "role": "therapist"})


def test_open_flag_of_a_handed_over_client_is_the_new_therapists(
    as_user: As, post: Post, rosa: User, maya: User, omar: User, sam: Client
) -> None:
    flag = actions.raise_manual_flag(by=maya, client=sam, severity="urgent", reason="Said goodbye", at=NOW)
    post(as_user(rosa), f"{edit(maya)}leave/", {"therapist": str(omar.pk)})
    assert list(Alert.objects.visible_to(User.objects.get(pk=omar.pk))) == [flag]
    assert list(Alert.objects.visible_to(User.objects.get(pk=maya.pk))) == []


def test_prescriber_is_handed_over_too(
    as_user: As, post: Post, rosa: User, pax: User, sam: Client, north: Site
) -> None:
    assert post(as_user(rosa), f"{edit(pax)}leave/", {}).status_code == 400
    other = factories.staff("Rx Other", Role.PRESCRIBER, sites=(north,))
    assert post(as_user(rosa), f"{edit(pax)}leave/", {"prescriber": str(other.pk)}).status_code == 302
    assert Client.objects.get(pk=sam.pk).prescriber == other


@pytest.mark.parametrize("successor", ["fay", "gone", "maya"])
def test_clients_go_only_to_a_therapist_who_works_here(
    as_user: As, post: Post, rosa: User, maya: User, fay: User, gone: User, sam: Client, successor: str
) -> None:
    chosen = {"fay": fay, "gone": gone, "maya": maya}[successor]
    assert post(as_user(rosa), f"{edit(maya)}leave/", {"therapist": str(chosen.pk)}).status_code == 400
    assert Client.objects.get(pk=sam.pk).therapist == maya


def test_last_admin_and_oneself_cannot_leave(as_user: As, post: Post, rosa: User, north: Site) -> None:
    assert "You cannot let yourself go." in words(post(as_user(rosa), f"{edit(rosa)}leave/", {}))
    other = factories.staff("Bo Second", Role.ADMIN, sites=(north,))
    assert post(as_user(rosa), f"{edit(other)}leave/", {}).status_code == 302
    browser = as_user(rosa)
    for once_more in (lambda: post(browser, f"{edit(other)}leave/", {}), lambda: browser.get(f"{edit(other)}leave/")):
        assert "They have left already." in words(browser.get(once_more()["Location"]))
    assert User.objects.get(pk=rosa.pk).is_active


# --- Who may ---------------------------------------------------------------------------------------------------------


def test_only_admins_manage_people(
    as_user: As, post: Post, maya: User, sol: User, pax: User, fay: User, omar: User, sam: Client
) -> None:
    paths = [PEOPLE, f"{PEOPLE}new/", *(edit(omar) + end for end in ("", "invite/", "factor/", "leave/"))]
    for user in (maya, sol, pax, fay):
        browser = as_user(user)
        assert {browser.get(path).status_code for path in paths} == {403}
        assert {post(browser, path, form()).status_code for path in paths} == {403}
    assert User.objects.get(pk=omar.pk).is_active
    assert User.objects.filter(email="nia@example.org").count() == 0


def test_unknown_person_is_not_found(as_user: As, rosa: User, sam: Client) -> None:
    assert as_user(rosa).get(f"{PEOPLE}{sam.pk}/").status_code == 404


def test_list_asks_the_database_the_same_for_any_number_of_people(as_user: As, rosa: User, north: Site) -> None:
    browser, asked = as_user(rosa), []
    browser.get(PEOPLE)
    for more in (1, 2):
        for n in range(more):
            factories.client(factories.staff(f"Th Erapist{more}{n}", Role.THERAPIST, Role.SUPERVISOR, sites=(north,)))
        with CaptureQueriesContext(connection) as caught:
            browser.get(PEOPLE)
        asked.append(len(caught))
    assert asked == [asked[0]] * 2


# --- Two windows -----------------------------------------------------------------------------------------------------


def version(page: Any) -> str:
    found = re.search(r'name="version" value="(\d+)"', page.content.decode())
    assert found
    return found[1]


def test_a_page_that_stood_open_gives_nobody_their_role_back(
    as_user: As, post: Post, rosa: User, sol: User, maya: User
) -> None:
    """What another admin took away meanwhile is not undone unseen: both stand side by side."""
    RoleGrant.objects.create(user=sol, role=Role.ADMIN)
    browser = as_user(rosa)
    first, stale = (version(browser.get(edit(sol))) for _ in range(2))
    said = form(sol, roles=["supervisor"])
    assert post(browser, edit(sol), said | {"version": first})["Location"] == PEOPLE
    old = form(sol, roles=["supervisor", "admin"], licence="LCSW 1")
    answer = post(browser, edit(sol), old | {"version": stale})
    page = words(answer)
    assert (answer.status_code, "Somebody changed this first" in page) == (409, True)
    assert "Roles Yours Supervisor, Admin Theirs Supervisor" in page
    assert "Licence Yours LCSW 1 Theirs Empty" in page
    assert ("Sites Yours" in page, "E-mail Yours" in page) == (False, False)
    sol = User.objects.get(pk=sol.pk)
    assert (sol.roles, sol.licence) == ({"supervisor"}, "")
    assert post(browser, edit(sol), old | {"version": version(answer)})["Location"] == PEOPLE
    sol = User.objects.get(pk=sol.pk)
    assert (sol.roles, sol.licence) == ({"supervisor", "admin"}, "LCSW 1")


@pytest.mark.parametrize("sent", ["", "x", "-1", str(2**70)])
def test_version_made_up_by_somebody_is_no_trouble(as_user: As, post: Post, rosa: User, sol: User, sent: str) -> None:
    answer = post(as_user(rosa), edit(sol), form(sol, licence="LCSW 2") | {"version": sent})
    assert answer.status_code == (302 if sent == "" else 400)
