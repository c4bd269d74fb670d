"""The caseload: who is on it, in what order, why, and what somebody who may not read charts is told instead."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext

from practice import actions, caseload
from practice.access import Role
from practice.models import Client, SafetyContact, Site, Task, User
from practice.models.clients import LAST
from practice.models.tasks import KINDS
from practice.words import why
from tests import factories
from tests.factories import NOW

As = Callable[[User], Browser]
pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _thursday_at_ten() -> Any:
    with time_machine.travel(NOW, tick=False):
        yield


def shown(response: Any) -> list[str]:
    """The names on the page, in order."""
    return re.findall(r'<td role="cell" class="who"><a href="[^"]*">([^<]*)</a>', response.content.decode())


def words(response: Any) -> str:
    return " ".join(re.sub(r"<[^>]*>", " ", response.content.decode()).split())


def flag(client: Client, rule: str, severity: str, at: datetime) -> Any:
    return actions.raise_alert(
        by=client, client=client, source="intake", severity=severity, rules=[{"id": rule, "version": "1"}], at=at
    )


# --- Order and words -------------------------------------------------------------------------------------------------


def test_caseload_shows_what_needs_a_person_first(as_user: As, maya: User, on_call: User) -> None:
    steady, week, old_card, low, urgent = (
        factories.client(maya, name) for name in ("Ada Steady", "Ben Week", "Cyd Card", "Dot Low", "Eve Urgent")
    )
    Task.open(week, "new_intake", at=NOW - timedelta(days=1), subject_id=week.pk)
    Task.open(old_card, "suggestion", at=NOW - timedelta(days=9), subject_id=old_card.pk)
    flag(low, "SR-04", "routine", NOW - timedelta(days=2))
    flag(urgent, "SR-01", "urgent", NOW - timedelta(minutes=5))
    response = as_user(maya).get("/caseload/")
    assert shown(response) == ["Eve Urgent", "Dot Low", "Cyd Card", "Ben Week", "Ada Steady"]
    page = words(response)
    assert "Good morning, Maya Thursday, November 19. 5 clients, 0 sessions today. 3 need you now." in page
    assert "Needs you now 3 · safety first, then oldest" in page
    assert "This week 1" in page
    assert "Steady 1" in page
    assert steady.turn == LAST


def test_kinds_stand_in_the_order_of_their_group() -> None:
    assert [kind.rank for kind in KINDS.values()] == sorted(kind.rank for kind in KINDS.values())
    assert 10 * len(KINDS) < LAST


def test_row_says_why_in_words_with_the_time_that_is_due(as_user: As, maya: User, on_call: User) -> None:
    sam = factories.client(maya)
    alert = flag(sam, "SR-05", "priority", NOW - timedelta(minutes=20))
    flag_more = actions.raise_alert(
        by=sam, client=sam, source="intake", severity="urgent", rules=[{"id": "SR-01", "version": "1"}], at=NOW,
        source_id=alert.source_id,
    )  # fmt: skip
    assert flag_more.pk != alert.pk  # no sitting was named: two flags, both shown
    actions.client_did(client=sam, alert=alert, kind="left", at=NOW)
    actions.client_did(client=sam, alert=alert, kind="call_wanted", at=NOW)
    page = words(as_user(maya).get("/caseload/"))
    assert "Safety C-SSRS high. Item 9 positive. Left after a safety answer. Also: asked for a call." in page
    assert "Contact due 10:15 am" in page
    assert "Record contact Sam Whitehorse" in page


def test_row_says_how_far_the_contact_came(as_user: As, maya: User, on_call: User) -> None:
    sam = factories.client(maya)
    alert = flag(sam, "SR-03", "priority", NOW - timedelta(hours=2))
    actions.acknowledge(by=maya, alert=alert, at=NOW - timedelta(hours=1))
    assert "C-SSRS moderate. Picked up, no contact yet." in words(as_user(maya).get("/caseload/"))
    actions.record_contact(
        by=maya, alert=alert, recorded_at=NOW, reached=SafetyContact.Reached.NO, at=NOW, level="unknown",
        action="Called", plan="Again at noon", next_check_at=NOW + timedelta(hours=2),
    )  # fmt: skip
    page = words(as_user(maya).get("/caseload/"))
    assert "C-SSRS moderate. No answer, no contact yet." in page
    assert "Contact due 12:00 pm" in page


def test_late_items_say_by_how_much(as_user: As, maya: User) -> None:
    late = {"Ada A": timedelta(minutes=40), "Ben B": timedelta(hours=5), "Cyd C": timedelta(days=9)}
    for name, by in late.items():
        client = factories.client(maya, name)
        Task.open(client, "suggestion", at=NOW - by, subject_id=client.pk, due_at=NOW - by)
    page = words(as_user(maya).get("/caseload/"))
    for said in ("Decision 40 min late", "Decision 5 h late", "Decision 9 days late"):
        assert said in page


def test_suggestion_says_its_reasons_and_that_it_is_on_hold(as_user: As, maya: User) -> None:
    sam = factories.client(maya)
    Task.open(
        sam,
        "suggestion",
        at=NOW,
        subject_id=sam.pk,
        suggested="infusion_clinic",
        status="hold",
        rules=["SR-03", "IN-01"],
    )
    page = words(as_user(maya).get("/caseload/"))
    assert (
        "Consider infusion referral Depression is at least moderately severe and there are suicidal thoughts." in page
    )
    assert "On hold: see what has to be cleared first." in page


def test_row_shows_score_band_change_and_chart(as_user: As, maya: User) -> None:
    sam = factories.client(maya)
    for day, total, safety in (("2026-09-01", 14, False), ("2026-10-01", None, True), ("2026-11-03", 19, True)):
        sam.note_phq9(datetime.fromisoformat(day).date(), total, safety, NOW)
    response = as_user(maya).get("/caseload/")
    assert "19 Moderately severe up 5 since Sep 1" in words(response)
    assert (
        'aria-label="PHQ-9, oldest to newest: 14, no total, 19, safety question positive"' in response.content.decode()
    )


@pytest.mark.parametrize(
    ("before", "now", "said", "tone"),
    [(10, 15, "up 5", "up"), (10, 14, "up 4", "same"), (15, 10, "down 5", "down"), (15, 11, "down 4", "same"),
     (9, 9, "no change", "same")],
)  # fmt: skip
def test_change_is_coloured_from_five_points_on(
    as_user: As, maya: User, before: int, now: int, said: str, tone: str
) -> None:
    sam = factories.client(maya)
    sam.note_phq9(NOW.date() - timedelta(days=14), before, False, NOW)
    sam.note_phq9(NOW.date(), now, False, NOW)
    html = as_user(maya).get("/caseload/").content.decode()
    assert re.findall(r'<span class="delta (\w+) sub">.*?</svg>([^<]*)</span>', html) == [
        (tone, said if said == "no change" else f"{said} since Nov 5")
    ]


def test_times_stand_in_the_zone_of_the_practice(as_user: As, maya: User, house: Any) -> None:
    sam = factories.client(maya)
    Client.objects.filter(pk=sam.pk).update(next_session_at=datetime(2026, 11, 25, 1, 30, tzinfo=UTC))
    assert "Tue Nov 24 8:30 pm" in words(as_user(maya).get("/caseload/"))
    house.zone = "America/Los_Angeles"
    house.save()
    page = words(as_user(maya).get("/caseload/"))
    assert "Tue Nov 24 5:30 pm" in page
    assert "Good morning, Maya" in page


# --- Empty, calm, filters --------------------------------------------------------------------------------------------


def test_empty_caseload_offers_the_first_invitation(as_user: As, maya: User) -> None:
    page = words(as_user(maya).get("/caseload/"))
    assert "Invite your first client" in page
    assert "0 clients" in page


def test_calm_caseload_says_so(as_user: As, maya: User) -> None:
    for name in ("Ada A", "Ben B"):
        factories.client(maya, name)
    assert "Nothing needs you now. 2 clients are steady." in words(as_user(maya).get("/caseload/"))


def test_filters_show_what_they_count(as_user: As, maya: User) -> None:
    people = {
        name: factories.client(maya, name) for name in ("Flag F", "Intake I", "Plan P", "Infusion N", "Late L", "Out O")
    }
    Task.open(people["Flag F"], "call_me", at=NOW)
    Task.open(people["Intake I"], "new_intake", at=NOW, subject_id=people["Intake I"].pk)
    Task.open(people["Late L"], "todo", at=NOW, due_at=NOW - timedelta(days=1))
    Task.open(people["Out O"], "unfinished", at=NOW)
    Client.objects.filter(pk=people["Plan P"].pk).update(plan_name="KAP weekly")
    Client.objects.filter(pk=people["Infusion N"].pk).update(plan_name="Infusions")
    browser = as_user(maya)
    tabs = dict(
        re.findall(
            r'<a href="\?show=(\w+)"[^>]*>[^<]* <span class="n num">(\d+)', browser.get("/caseload/").content.decode()
        )
    )
    assert tabs == dict.fromkeys(("flags", "infusions", "plans", "overdue", "intakes", "waiting"), "1")
    found = {show: shown(browser.get(f"/caseload/?show={show}")) for show in tabs}
    assert found == {
        "flags": ["Flag F"],
        "intakes": ["Intake I"],
        "plans": ["Plan P"],
        "infusions": ["Infusion N"],
        "overdue": ["Late L"],
        "waiting": ["Out O"],
    }


def test_filter_without_clients_offers_the_way_back(as_user: As, maya: User, sam: Client) -> None:
    page = as_user(maya).get("/caseload/?show=flags")
    assert "Nobody in this list" in words(page)
    assert 'href="?"' in page.content.decode()


def test_orders_other_than_need_have_no_groups(as_user: As, maya: User) -> None:
    soon, later = factories.client(maya, "Soon S"), factories.client(maya, "Later L")
    factories.client(maya, "Never N")
    heard = {soon.pk: NOW, later.pk: NOW - timedelta(days=40)}
    for client, days in ((soon, 1), (later, 9)):
        Client.objects.filter(pk=client.pk).update(
            next_session_at=NOW + timedelta(days=days), last_heard_at=heard[client.pk]
        )
    browser = as_user(maya)
    assert shown(browser.get("/caseload/?sort=session")) == ["Soon S", "Later L", "Never N"]
    assert shown(browser.get("/caseload/?sort=quiet"))[0] == "Later L"


@pytest.mark.parametrize("query", ["show=zzz", "who=team", "who=all", "sort=turn", "show=%00", "who=me'--"])
def test_unknown_choices_are_refused(as_user: As, maya: User, sam: Client, query: str) -> None:
    response = as_user(maya).get(f"/caseload/?{query}")
    assert response.status_code == 400
    assert "Sam Whitehorse" not in response.content.decode()


# --- Whose clients ---------------------------------------------------------------------------------------------------


def test_caseload_holds_own_clients_only(
    as_user: As, maya: User, omar: User, ines: User, sam: Client, kit: Client
) -> None:
    factories.client(ines, "Ira South")
    gone = factories.client(maya, "Old Client")
    Client.objects.filter(pk=gone.pk).update(status=Client.Status.DISCHARGED)
    assert {u.name: shown(as_user(u).get("/caseload/")) for u in (maya, omar, ines)} == {
        "Maya Torres": ["Sam Whitehorse"],
        "Omar Haddad": ["Kit Larkspur"],
        "Ines Duarte": ["Ira South"],
    }


def test_person_told_of_a_flag_sees_that_client_until_it_is_closed(
    as_user: As, maya: User, on_call: User, sam: Client
) -> None:
    alert = flag(sam, "SR-01", "urgent", NOW)
    assert shown(as_user(on_call).get("/caseload/")) == ["Sam Whitehorse"]
    actions.record_contact(
        by=maya, alert=alert, recorded_at=NOW, reached="yes", at=NOW, level="low", action="Talked", plan="Call",
        next_check_at=NOW + timedelta(days=1),
    )  # fmt: skip
    actions.close_alert(by=maya, alert=alert, action="safety_plan", note="Safe now", at=NOW)
    assert shown(as_user(on_call).get("/caseload/")) == []


def test_supervisor_who_treats_switches_between_own_clients_and_the_team(
    as_user: As, north: Site, maya: User, sam: Client
) -> None:
    """Feature I4: one switch, the same number of queries however many clients each side has."""
    both = factories.staff("Bo Both", Role.THERAPIST, Role.SUPERVISOR, sites=(north,))
    User.objects.filter(pk=maya.pk).update(supervisor=both)
    factories.client(both, "Own Client")
    browser, asked = as_user(both), {}
    assert shown(browser.get("/caseload/")) == ["Own Client"]
    assert sorted(shown(browser.get("/caseload/?who=team"))) == ["Own Client", "Sam Whitehorse"]
    page = words(browser.get("/caseload/"))
    assert "My clients My team" in page
    for count in (1, 3):
        for n in range(count - 1):
            factories.client(maya, f"Ada {n}")
            factories.client(both, f"Ben {n}")
        for who in ("me", "team"):
            with CaptureQueriesContext(connection) as caught:
                browser.get(f"/caseload/?who={who}")
            asked.setdefault(who, set()).add(len(caught))
    assert {who: len(counts) for who, counts in asked.items()} == {"me": 1, "team": 1}


def test_supervisor_sees_the_team_and_no_other_team(as_user: As, sol: User, sam: Client, kit: Client) -> None:
    factories.client(sol, "Own Client")
    assert shown(as_user(sol).get("/caseload/?who=team")) == shown(as_user(sol).get("/caseload/"))
    assert set(shown(as_user(sol).get("/caseload/"))) == {"Sam Whitehorse", "Own Client"}
    assert "he/him, 33 · Maya Torres" in words(as_user(sol).get("/caseload/"))


def test_prescriber_sees_those_they_prescribe_for(as_user: As, pax: User, sam: Client, kit: Client) -> None:
    assert shown(as_user(pax).get("/caseload/")) == ["Sam Whitehorse"]


@pytest.mark.parametrize("who", ["fay", "rosa"])
def test_people_without_charts_see_states_only(
    as_user: As, fay: User, rosa: User, maya: User, on_call: User, sam: Client, kit: Client, who: str
) -> None:
    flag(sam, "SR-01", "urgent", NOW)
    sam.note_phq9(NOW.date(), 27, True, NOW)
    Client.objects.filter(pk=sam.pk).update(plan_name="Sealed-plan", next_session_at=NOW)
    Task.open(kit, "new_intake", at=NOW, subject_id=kit.pk)
    Task.open(kit, "reconcile", at=NOW)
    response = as_user({"fay": fay, "rosa": rosa}[who]).get("/caseload/")
    assert shown(response) == ["Kit Larkspur", "Sam Whitehorse"]  # newest first: the order tells nothing
    main = re.search(r"<main.*</main>", response.content.decode(), re.DOTALL)
    assert main
    text = " ".join(re.sub(r"<[^>]*>", " ", main[0]).split())
    for secret in ("C-SSRS", "Safety", "27", "Severe", "Sealed-plan", "need", "PHQ", "differ"):
        assert secret not in text, secret
    assert "spark" not in main[0]
    assert f'/clients/{sam.pk}/"' not in main[0]
    assert "New intake" in main[0]
    assert f"/clients/{sam.pk}/edit/" in main[0]


@pytest.mark.parametrize("query", ["show=flags", "show=overdue", "show=plans", "who=me", "who=team"])
def test_people_without_charts_cannot_ask_by_what_they_may_not_read(
    as_user: As, fay: User, sam: Client, query: str
) -> None:
    assert as_user(fay).get(f"/caseload/?{query}").status_code == 400


def test_front_desk_sees_its_sites_only(as_user: As, fay: User, sam: Client, ines: User) -> None:
    factories.client(ines, "Ira South")
    assert shown(as_user(fay).get("/caseload/")) == ["Sam Whitehorse"]


def test_somebody_with_two_roles_can_choose_the_list(as_user: As, north: Site, sam: Client) -> None:
    both = factories.staff("Bo Both", Role.THERAPIST, Role.ADMIN, sites=(north,))
    factories.client(both, "Own Client")
    browser = as_user(both)
    assert shown(browser.get("/caseload/")) == ["Own Client"]
    assert shown(browser.get("/caseload/?who=all")) == ["Own Client", "Sam Whitehorse"]


def test_ex_staff_and_strangers_are_sent_to_sign_in(as_user: As, gone: User, sam: Client) -> None:
    for browser in (as_user(gone), Browser()):
        response = browser.get("/caseload/")
        assert (response.status_code, response["Location"].split("?")[0]) == (302, "/account/login/")


# --- Pages, size, cost -----------------------------------------------------------------------------------------------


def many(maya: User, n: int) -> list[Client]:
    made = []
    for i in range(n):
        client = factories.client(maya, f"Client{i:03} Test")
        client.note_phq9(NOW.date(), i % 28, i % 7 == 0, NOW)
        if i % 3 == 0:
            Task.open(client, "todo", at=NOW - timedelta(minutes=i))
        if i % 5 == 0:
            Task.open(client, "suggestion", at=NOW - timedelta(minutes=i), subject_id=client.pk)
        made.append(client)
    return made


def test_pages_follow_each_other_without_gap_or_repeat(
    as_user: As, maya: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    clients = many(maya, 23)
    monkeypatch.setattr(caseload, "PAGE", 5)
    for sort in caseload.SORT:
        browser, seen, url = as_user(maya), [], f"/caseload/?sort={sort}"
        for _ in range(9):
            response = browser.get(url)
            seen += shown(response)
            more = re.search(r'rel="next" href="([^"]*)"', response.content.decode())
            if not more:
                break
            url = "/caseload/" + more[1].replace("&amp;", "&")
        assert sorted(seen) == sorted(c.name for c in clients)


def test_a_place_changed_by_hand_is_the_beginning(as_user: As, maya: User, monkeypatch: pytest.MonkeyPatch) -> None:
    many(maya, 6)
    monkeypatch.setattr(caseload, "PAGE", 3)
    browser = as_user(maya)
    first = browser.get("/caseload/")
    place = re.search(r"after=([^\"&]*)", first.content.decode())
    assert place
    start = shown(first)
    for bad in ("x", place[1][:-9], "A" * 5000, "%00", "é", "AQ%3D%3D"):
        assert shown(browser.get(f"/caseload/?after={bad}")) == start
    assert shown(browser.get(f"/caseload/?sort=quiet&after={place[1]}")) == shown(browser.get("/caseload/?sort=quiet"))
    assert shown(browser.get(f"/caseload/?after={place[1]}")) != start


def test_a_place_says_nothing_of_a_client(maya: User, monkeypatch: pytest.MonkeyPatch) -> None:
    import base64

    clients = many(maya, 2)
    monkeypatch.setattr(caseload, "PAGE", 1)
    page = caseload.page(caseload.scope(maya, "me"), "me", "", "", None)
    assert str(clients[0].pk).encode() not in base64.urlsafe_b64decode(page.next)


def queries_of(browser: Browser, url: str) -> int:
    browser.get(url)  # the first request of a session writes its clock
    with CaptureQueriesContext(connection) as caught:
        assert browser.get(url).status_code == 200
    return len(caught)


@pytest.mark.parametrize("query", ["", "?show=flags", "?sort=quiet"])
def test_caseload_asks_the_database_the_same_for_any_number_of_rows(as_user: As, maya: User, query: str) -> None:
    browser, asked = as_user(maya), []
    for more in (1, 2, 47):
        many(maya, more)
        asked.append(queries_of(browser, f"/caseload/{query}"))
    assert asked == [asked[0]] * 3
    assert maya.permissions
    with CaptureQueriesContext(connection) as caught:
        clients = caseload.scope(maya, "me")
        counted = caseload.counts(clients, list(caseload.SHOW), NOW)
        page = caseload.page(clients, "me", "", "", None)
    assert (len(caught), counted["all"], len(page.rows)) == (3, 50, 50)


def test_a_page_of_fifty_stays_small(as_user: As, maya: User) -> None:
    import gzip

    many(maya, 50)
    html = as_user(maya).get("/caseload/").content
    assert len(gzip.compress(html)) < 20_000  # the budget of a staff page
    assert len(html) < 120_000


def test_hostile_names_are_shown_as_text(as_user: As, maya: User) -> None:
    name = "<img src=x onerror=alert(1)>{{7|add:7}}‮\u2028"
    factories.client(maya, name)
    html = as_user(maya).get("/caseload/").content.decode()
    assert "<img src=x" not in html
    assert "{{7|add:7}}" in html


def test_rules_that_say_the_same_are_said_once(maya: User) -> None:
    sam = factories.client(maya)

    def said(*rules: str) -> str:
        task = Task(client=sam, kind="safety", facts={"rules": list(rules)}, opened_at=NOW)
        return why(task)

    assert said("SR-05", "SR-06") == "Item 9 more than half the days."
    assert said("SR-05", "SR-08") == "Item 9 positive, C-SSRS all no."
    assert said("SR-05", "SR-03") == "C-SSRS moderate, item 9 positive."
    assert said("safe-now", "SR-07") == "Not safe right now, or not sure, a safety question was not answered."
    assert said("SR-07") == "A safety question was not answered."
    assert said("a-rule-of-tomorrow") == "Safety flag open."


def test_items_behind_a_flag_are_named_only(as_user: As, maya: User, on_call: User) -> None:
    sam = factories.client(maya)
    flag(sam, "SR-03", "priority", NOW)
    Task.open(sam, "suggestion", at=NOW, subject_id=sam.pk, suggested="infusion_clinic", rules=["IN-01"])
    Task.open(sam, "new_intake", at=NOW, subject_id=sam.pk)
    browser = as_user(maya)
    assert "C-SSRS moderate. Also: consider infusion referral, new intake." in words(browser.get("/caseload/"))
    for kind in ("unfinished", "booster", "todo"):
        Task.open(sam, kind, at=NOW)
    assert "Also: consider infusion referral, new intake, form not back, 2 more." in words(browser.get("/caseload/"))
