"""Emergency access: who may, what it opens and for how long, who is told, and who answers for it.

Security checks 47, 48, 49 and 30.
"""

import html
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from practice import emergencies, notices
from practice.access import COVER, Permission, Role
from practice.actions import NotNow
from practice.models import AuditEvent, Client, EmergencyAccess, Notice, Practice, Site, User
from tests import factories
from tests.factories import NOW
from tests.meta import matrix
from tests.meta.test_doors import patterns

As = Callable[[User], Browser]
Post = Callable[..., Any]
pytestmark = pytest.mark.django_db
URL = "/break-glass/"
QUEUE = "/practice/break-glass/"
REASON = "They called the desk and said goodbye"
BAR = "Emergency access until"


@pytest.fixture(autouse=True)
def _thursday() -> Any:
    with time_machine.travel(NOW, tick=False):
        yield


def words(response: Any) -> str:
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", response.content.decode())).split())


def chart(client: Client) -> str:
    return reverse("chart", args=[client.pk])


def opened(by: User, client: Client, **more: Any) -> EmergencyAccess:
    return emergencies.open_chart(by=by, client=client, reason=REASON, at=more.pop("at", NOW))


# --- Opening ---------------------------------------------------------------------------------------------------------


def test_chart_is_open_for_sixty_minutes(as_user: As, post: Post, omar: User, rosa: User, sam: Client) -> None:
    """Security check 47: with a reason and a fresh sign-in, sixty minutes of access and a banner."""
    browser = as_user(omar)
    assert browser.get(chart(sam)).status_code == 404
    answer = post(browser, URL, {"number": sam.code, "reason": REASON})
    assert answer["Location"] == chart(sam)
    page = words(browser.get(chart(sam)))
    assert "You see this chart until 11:00 am. 3 people were told." in page
    assert f"{BAR} 11:00 am, 60 minutes left." in page
    assert "Sam Whitehorse" in page
    row = EmergencyAccess.objects.get()
    assert (row.by, row.client, row.reason, row.until) == (omar, sam, REASON, NOW + timedelta(minutes=60))
    event = AuditEvent.objects.get(action="emergency.opened")
    assert (event.actor_id, event.client_id, event.facts) == (omar.pk, sam.pk, {"told": 3})


@pytest.mark.parametrize(("minutes", "status"), [(59, 200), (59.9, 200), (60, 404), (61, 404)])
def test_sixty_first_minute_is_not_found(
    as_user: As, omar: User, rosa: User, sam: Client, minutes: float, status: int
) -> None:
    """Security check 48."""
    opened(omar, sam)
    with time_machine.travel(NOW + timedelta(minutes=minutes), tick=False):
        page = as_user(omar).get(chart(sam))
    assert page.status_code == status
    assert ("1 minute left." in words(page)) == (status == 200)


def test_it_opens_one_chart_for_what_cover_may_do(omar: User, rosa: User, maya: User, sam: Client) -> None:
    other = factories.client(maya, "Robin Bell", email="robin@example.net")
    opened(omar, sam)
    may = {p for p in Permission if Client.objects.visible_to(omar, p).filter(pk=sam.pk).exists()}
    assert may == {p for p in COVER if omar.may(p)}
    assert not Client.objects.visible_to(omar).filter(pk=other.pk).exists()
    assert not Client.objects.visible_to(rosa, Permission.READ_CHART).exists()


def test_bar_stands_on_every_page_that_it_opens(
    as_user: As, maya: User, omar: User, ines: User, rosa: User, pax: User, sam: Client
) -> None:
    """Security check 47: the banner, on whatever page of the client answers now and did not before."""
    people: dict[str, User | None] = {"own": maya, "colleague": omar, "other_site": ines, "admin": rosa}
    world = matrix.build(people | {"prescriber": pax}, sam)
    browser, urls = as_user(omar), []
    for pattern in patterns():
        name, wanted = matrix.name_and_arguments(pattern)
        if name not in ("leave", "account_logout", "demo_sign_in"):
            urls.append(reverse(name, kwargs=world.arguments(name, wanted)))
    before = {url for url in urls if browser.get(url).status_code == 200}
    opened(omar, sam)
    gained = {url: page for url in urls if url not in before and (page := browser.get(url)).status_code == 200}
    pages = {url: page for url, page in gained.items() if page["Content-Type"].startswith("text/html")}
    assert chart(sam) in pages and reverse("notes", args=[sam.pk]) in pages
    assert [url for url, page in pages.items() if BAR not in words(page)] == []
    assert reverse("psychotherapy_notes", args=[sam.pk]) not in gained


def test_person_of_the_client_sees_no_bar(as_user: As, maya: User, omar: User, rosa: User, sam: Client) -> None:
    opened(omar, sam)
    assert BAR not in words(as_user(maya).get(chart(sam)))


BAD: dict[str, tuple[dict[str, str], str]] = {
    "no reason": ({"number": "CH-0401"}, "Write why you need this chart now."),
    "one word": ({"number": "CH-0401", "reason": "emergency"}, "Write it in a few words"),
    "spaces": ({"number": "CH-0401", "reason": " \r\n "}, "Write why you need this chart now."),
    "nobody named": ({"reason": REASON}, "Write the client's number, or the whole name and the birth date."),
    "name alone": ({"name": "Sam Whitehorse", "reason": REASON}, "or the whole name and the birth date."),
    "unknown number": ({"number": "CH-9999", "reason": REASON}, "We cannot tell who is meant."),
    "not a number": ({"number": "sam", "reason": REASON}, "Write the number as CH-0412."),
    "half a name": ({"name": "Sam", "born": "1993-03-08", "reason": REASON}, "We cannot tell who is meant."),
    "another day": ({"name": "Sam Whitehorse", "born": "1993-03-09", "reason": REASON}, "We cannot tell who is meant."),
    "null": ({"number": "CH-0401", "reason": "a\x00 b c"}, "Null characters"),
}


@pytest.mark.parametrize("case", BAD)
def test_refusal_tells_nothing_and_is_written_down(
    as_user: As, post: Post, omar: User, rosa: User, sam: Client, case: str
) -> None:
    """Security check 47: refused without a reason; who is meant is neither confirmed nor denied."""
    data, said = BAD[case]
    answer = post(as_user(omar), URL, data)
    assert answer.status_code == 400
    assert said in words(answer)
    assert "Maya" not in words(answer)
    assert (EmergencyAccess.objects.count(), Notice.objects.count()) == (0, 0)
    event = AuditEvent.objects.get(action="emergency.refused")
    assert (event.actor_id, event.client_id, event.outcome) == (omar.pk, None, "refused")


def test_old_sign_in_is_asked_for_the_password_first(
    as_user: As, post: Post, omar: User, rosa: User, sam: Client
) -> None:
    """Security checks 30 and 47: no emergency access on a sign-in that is older than five minutes."""
    browser = as_user(omar)
    browser.get("/caseload/")
    with time_machine.travel(NOW + timedelta(minutes=5, seconds=1), tick=False):
        assert browser.get(URL)["Location"].startswith("/account/reauthenticate/")
        answer = post(browser, URL, {"number": sam.code, "reason": REASON})
    assert answer["Location"].startswith("/account/reauthenticate/")
    assert EmergencyAccess.objects.count() == 0
    asked = AuditEvent.objects.filter(action="session.asked_again", actor_id=omar.pk)
    assert asked.count() == 2


def test_exact_name_and_birth_date_find_the_client(
    as_user: As, post: Post, omar: User, rosa: User, sam: Client
) -> None:
    answer = post(as_user(omar), URL, {"name": "sam  WHITEHORSE", "born": "1993-03-08", "reason": REASON})
    assert answer["Location"] == chart(sam)


def test_two_of_the_same_name_and_day_are_not_told_apart(
    as_user: As, post: Post, omar: User, maya: User, rosa: User, sam: Client
) -> None:
    factories.client(maya, "Sam Whitehorse", email="other@example.net")
    answer = post(as_user(omar), URL, {"name": "Sam Whitehorse", "born": "1993-03-08", "reason": REASON})
    assert "We cannot tell who is meant." in words(answer)
    assert EmergencyAccess.objects.count() == 0


def test_own_client_needs_no_emergency(as_user: As, post: Post, maya: User, rosa: User, sam: Client) -> None:
    browser = as_user(maya)
    assert post(browser, URL, {"number": sam.code, "reason": REASON})["Location"] == chart(sam)
    assert "You may see this chart already." in words(browser.get(chart(sam)))
    assert EmergencyAccess.objects.count() == 0


@pytest.mark.parametrize("who", ["fay", "rosa"])
def test_only_clinicians_break_glass(
    as_user: As, post: Post, request: pytest.FixtureRequest, sam: Client, who: str
) -> None:
    browser = as_user(request.getfixturevalue(who))
    assert browser.get(URL).status_code == 403
    assert post(browser, URL, {"number": sam.code, "reason": REASON}).status_code == 403
    assert EmergencyAccess.objects.count() == 0


def test_prescriber_and_supervisor_of_others_may(
    as_user: As, post: Post, pax: User, sol: User, rosa: User, kit: Client
) -> None:
    for user in (pax, sol):
        browser = as_user(user)
        assert browser.get(chart(kit)).status_code == 404
        post(browser, URL, {"number": kit.code, "reason": REASON})
        assert browser.get(chart(kit)).status_code == 200


def test_search_leads_there(as_user: As, omar: User, fay: User) -> None:
    assert "Open a chart in an emergency" in words(as_user(omar).get("/search/?q=sam"))
    assert "Open a chart in an emergency" not in words(as_user(fay).get("/search/?q=sam"))


# --- Ending ----------------------------------------------------------------------------------------------------------


def test_it_ends_at_once_when_they_say_so(as_user: As, post: Post, omar: User, rosa: User, sam: Client) -> None:
    row, browser = opened(omar, sam), as_user(omar)
    with time_machine.travel(NOW + timedelta(minutes=4), tick=False):
        assert post(browser, f"{URL}{row.pk}/end/")["Location"] == "/caseload/"
        assert browser.get(chart(sam)).status_code == 404
    row.refresh_from_db()
    assert row.until == NOW + timedelta(minutes=4)
    assert AuditEvent.objects.filter(action="emergency.ended", client_id=sam.pk).count() == 1


def test_nobody_ends_anothers_and_a_link_ends_nothing(
    as_user: As, post: Post, omar: User, ines: User, rosa: User, sam: Client
) -> None:
    row = opened(omar, sam)
    assert post(as_user(ines), f"{URL}{row.pk}/end/").status_code == 404
    assert as_user(omar).get(f"{URL}{row.pk}/end/").status_code == 404
    assert as_user(omar).get(chart(sam)).status_code == 200


def test_whoever_leaves_the_practice_sees_nothing_more(omar: User, rosa: User, sam: Client) -> None:
    opened(omar, sam)
    User.objects.filter(pk=omar.pk).update(is_active=False)
    assert not Client.objects.visible_to(User.objects.get(pk=omar.pk)).exists()


# --- Who is told -----------------------------------------------------------------------------------------------------


def test_admins_therapist_and_supervisor_are_told_at_once(
    as_user: As, maya: User, omar: User, sol: User, rosa: User, sam: Client
) -> None:
    """Security check 47: two notices or more, which name no client, each with a link that its reader may open."""
    opened(omar, sam)
    told = {notice.user: notice for notice in Notice.objects.filter(template="emergency") if notice.user}
    assert set(told) == {rosa, maya, sol}
    assert {notice.urgent for notice in told.values()} == {True}
    for user, notice in told.items():
        subject, text = notices.render(notice.template, notice.channel, notice.words or {}, Practice.get())
        assert subject == "Emergency access was used"
        assert not re.search("Sam|Whitehorse|CH-0|Omar|goodbye", subject + text)
        link = re.search(r"http://testserver(\S+)", text)
        assert link and as_user(user).get(link[1]).status_code == 200


def test_two_are_told_where_there_are_two(omar: User, rosa: User) -> None:
    alone = factories.client(None, "Nobodys Client", email="nobody@example.net")
    assert emergencies.to_tell(opened(omar, alone)) == [rosa, omar]


def test_solo_practice_can_use_it_and_it_is_still_logged(as_user: As, post: Post, north: Site) -> None:
    """Security check 49."""
    solo = factories.staff("Solo Finch", Role.THERAPIST, Role.ADMIN, sites=(north,))
    client = factories.client(None, "Una Signed", email="una@example.net")
    browser = as_user(solo)
    assert browser.get(chart(client)).status_code == 403
    assert post(browser, URL, {"number": client.code, "reason": REASON})["Location"] == chart(client)
    assert BAR in words(browser.get(chart(client)))
    assert [notice.user for notice in Notice.objects.filter(template="emergency")] == [solo]
    assert AuditEvent.objects.filter(action="emergency.opened", client_id=client.pk).count() == 1
    row = EmergencyAccess.objects.get()
    assert post(browser, f"{QUEUE}{row.pk}/", {"words": "Needed, they were in danger"})["Location"] == QUEUE
    row.refresh_from_db()
    assert (row.reviewed_by, row.review) == (solo, "Needed, they were in danger")


# --- The review ------------------------------------------------------------------------------------------------------


def test_review_shows_reason_and_what_was_opened_and_closes_in_words(
    as_user: As, post: Post, omar: User, rosa: User, sam: Client
) -> None:
    """Security check 47: the review item."""
    row, theirs, browser = opened(omar, sam), as_user(omar), as_user(rosa)
    theirs.get(reverse("notes", args=[sam.pk]))
    queue = words(browser.get(QUEUE))
    assert "Omar Haddad CH-0401 Thu Nov 19, 10:00 am, open until 11:00 am Review due Sun Nov 22, 10:00 am" in queue
    page = browser.get(f"{QUEUE}{row.pk}/")
    assert REASON in words(page)
    assert [act["what"] for act in page.context["acts"]] == [
        "Opened the chart in an emergency, though the client is not theirs", "Opened the notes",
    ]  # fmt: skip
    assert post(browser, f"{QUEUE}{row.pk}/", {"words": " "}).status_code == 400
    assert post(browser, f"{QUEUE}{row.pk}/", {"words": "Was needed"})["Location"] == QUEUE
    row.refresh_from_db()
    assert (row.reviewed_by, row.reviewed_at, row.review) == (rosa, NOW, "Was needed")
    assert "Nothing to review" in words(browser.get(QUEUE))
    event = AuditEvent.objects.get(action="emergency.reviewed")
    assert (event.actor_id, event.client_id) == (rosa.pk, sam.pk)


def test_review_is_late_after_three_days(as_user: As, omar: User, rosa: User, sam: Client) -> None:
    opened(omar, sam)
    with time_machine.travel(NOW + timedelta(hours=75), tick=False):
        assert "Review 3 h late" in words(as_user(rosa).get(QUEUE))


def test_second_reviewer_hears_who_was_first(
    as_user: As, post: Post, omar: User, rosa: User, sol: User, sam: Client
) -> None:
    row = opened(omar, sam)
    emergencies.review(by=sol, access=row, words="Was needed", at=NOW)
    answer = post(as_user(rosa), f"{QUEUE}{row.pk}/", {"words": "Mine"})
    assert "Sol Amari reviewed this first." in words(answer)
    row.refresh_from_db()
    assert (row.reviewed_by, row.review) == (sol, "Was needed")


def test_nobody_reviews_their_own(as_user: As, post: Post, sol: User, rosa: User, omar: User, kit: Client) -> None:
    User.objects.filter(pk=omar.pk).update(supervisor=sol)
    omar.refresh_from_db()
    row = EmergencyAccess(client=kit, by=sol, at=NOW, until=NOW + timedelta(minutes=60))
    row.reason = REASON
    row.save()
    page = words(as_user(sol).get(f"{QUEUE}{row.pk}/"))
    assert "You opened this chart yourself, so somebody else reviews it." in page
    assert post(as_user(sol), f"{QUEUE}{row.pk}/", {"words": "I was right"}).status_code == 400
    with pytest.raises(NotNow):
        emergencies.review(by=sol, access=row, words="I was right", at=NOW)
    row.refresh_from_db()
    assert row.reviewed_at is None


@pytest.mark.parametrize(("who", "listed", "one"), [
    ("rosa", 200, 200), ("sol", 200, 200), ("maya", 403, 403), ("omar", 403, 403), ("pax", 403, 403), ("fay", 403, 403),
    ("stranger", 200, 404),
])  # fmt: skip
def test_review_is_for_admins_and_the_therapists_supervisor(
    as_user: As, request: pytest.FixtureRequest, omar: User, north: Site, sam: Client, who: str, listed: int, one: int
) -> None:
    row = opened(omar, sam)
    supervisor = factories.staff("Far Supervisor", Role.SUPERVISOR, sites=(north,))
    browser = as_user(supervisor if who == "stranger" else request.getfixturevalue(who))
    page = browser.get(QUEUE)
    assert (page.status_code, browser.get(f"{QUEUE}{row.pk}/").status_code) == (listed, one)
    assert ("CH-0401" in words(page)) == (one == 200)


def test_practice_page_says_that_one_waits(as_user: As, omar: User, rosa: User, sam: Client) -> None:
    assert "Emergency access Charts opened" in words(as_user(rosa).get("/practice/"))
    opened(omar, sam)
    assert "Emergency access 1 waits for a review" in words(as_user(rosa).get("/practice/"))


def test_queue_asks_the_database_the_same_for_any_number(
    as_user: As, omar: User, rosa: User, maya: User, sam: Client
) -> None:
    browser, asked = as_user(rosa), []
    browser.get(QUEUE)
    for n in (1, 2):
        for i in range(n):
            row = opened(omar, factories.client(maya, f"Robin{n}{i} Bell", email=f"r{n}{i}@example.net"))
            emergencies.review(by=rosa, access=row, words="Fine", at=NOW)
            opened(omar, factories.client(maya, f"Lark{n}{i} Bell", email=f"l{n}{i}@example.net"))
        with CaptureQueriesContext(connection) as caught:
            browser.get(QUEUE)
        asked.append(len(caught))
    assert asked == [asked[0]] * 2
