"""The directory of clinics: filters in the address, own numbers, editing with two at once, who may (F2, F3)."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from practice.models import AuditEvent, Client, User
from referrals import track
from referrals.actions import directory, events
from referrals.models import DeskKey, Destination, Letter, Referral, StatusChange
from referrals.states import Actor, Event
from referrals.track import Track
from referrals.views.directory import speed_words
from tests import factories
from tests.factories import NOW
from tests.referrals.sent import clinic, sent

As = Callable[[User], Any]
Post = Callable[..., Any]
DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def _clock() -> Any:
    with time_machine.travel(NOW + timedelta(days=40), tick=False):
        yield


def listed(browser: Any, query: str = "") -> list[str]:
    response = browser.get(reverse("destinations") + query)
    assert response.status_code == 200
    return [card["clinic"].name for card in response.context["cards"]]


@pytest.fixture
def three(house: Any) -> None:
    clinic("Northlake Infusion", price_usd=450, miles="4.5", insurance="Aetna, Optum", gives=["iv", "im"])
    clinic("Harbor Pain", paths=["hospital_pain_infusion"], price_usd=900, miles="12", accepts_suicidal=False)
    clinic("Better U", paths=["at_home_supervised"], gives=["troche"], accepts_suicidal=None)


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", ["Better U", "Harbor Pain", "Northlake Infusion"]),
        ("?path=infusion_clinic", ["Northlake Infusion"]),
        ("?given=im", ["Northlake Infusion"]),
        ("?given=troche", ["Better U"]),
        ("?price=500", ["Better U", "Northlake Infusion"]),
        ("?miles=5", ["Better U", "Northlake Infusion"]),
        ("?insurance=optum", ["Northlake Infusion"]),
        ("?suicidal=yes", ["Northlake Infusion"]),
        ("?days=3", ["Better U", "Harbor Pain", "Northlake Infusion"]),
        ("?gone=yes", []),
        ("?path=infusion_clinic&price=100", []),
    ],
)
def test_filters_live_in_the_address(as_user: As, three: None, fay: User, query: str, names: list[str]) -> None:
    assert listed(as_user(fay), query) == names


@pytest.mark.parametrize(
    "query", ["?path=x", "?given=x", "?miles=x", "?price=-1", "?days=NaN", "?miles=1e99", "?price=Infinity"]
)
def test_filter_that_is_none_is_refused(as_user: As, three: None, maya: User, query: str) -> None:
    assert as_user(maya).get(reverse("destinations") + query).status_code == 400


def test_directory_has_a_first_step_when_it_is_empty(as_user: As, maya: User, pax: User) -> None:
    assert "Add the first clinic" in as_user(maya).get(reverse("destinations")).content.decode()
    assert "Add the first clinic" not in as_user(pax).get(reverse("destinations")).content.decode()


# --- Own numbers -----------------------------------------------------------------------------------------------------


def course(
    by: User, client: Client, to: Destination, *, opened: float, accepted: float, first: float, letter: bool
) -> Referral:
    """A referral that was opened, accepted and begun so many days after it was sent."""
    row = sent(by, client, to)
    start = row.sent_at
    Referral.objects.filter(pk=row.pk).update(opened_at=start + opened * DAY)
    told: dict[str, Any] = {"channel": "phone", "by": by}
    events.record(row, Event.ACCEPT, Actor.RECIPIENT, at=start + accepted * DAY, **told)
    events.record(row, Event.VISIT, Actor.RECIPIENT, at=start + first * DAY, **told)
    if letter:
        came = Letter(referral=row, at=start + first * DAY, by=by)
        came.words = "Done"
        came.save()
        events.record(row, Event.OUTCOME, Actor.RECIPIENT, at=start + 9 * DAY, letter=came, **told)
    return row


def test_medians_come_from_our_own_referrals_and_are_hidden_under_three(maya: User, sam: Client, house: Any) -> None:
    to = clinic()
    course(maya, sam, to, opened=0.2, accepted=1, first=2, letter=True)
    course(maya, sam, to, opened=0.4, accepted=2, first=3, letter=False)
    at = NOW + 40 * DAY
    assert track.of([to.pk], at)[to.pk] == Track(sent=2)
    assert speed_words(track.of([to.pk], at)[to.pk]) == "2 referrals in a year: too few to say"
    last = course(maya, sam, to, opened=3, accepted=5, first=8, letter=True)
    found = track.of([to.pk], at)[to.pk]
    assert found == Track(sent=3, to_open=0.4, to_accept=2.0, to_first=3.0, letters=2, letters_of=3)
    assert speed_words(found) == "Opens in 10 hours, answers in 2 days, first session in 3 days, letters 2 of 3"
    assert track.of([to.pk], NOW + 400 * DAY)[to.pk] == Track()  # a year later they say nothing any more
    visit = StatusChange.objects.get(referral=last, event=Event.OUTCOME)
    events.correct(visit, by=maya, reason="Another client's letter", at=at)
    visit = StatusChange.objects.get(referral=last, event=Event.VISIT)
    events.correct(visit, by=maya, reason="Another client", at=at)
    assert track.of([to.pk], at)[to.pk].to_first is None  # what was taken back does not count


def test_known_wait_filters(as_user: As, maya: User, sam: Client) -> None:
    to = clinic()
    for _ in range(3):
        course(maya, sam, to, opened=0.2, accepted=1, first=6, letter=False)
    browser = as_user(maya)
    assert (listed(browser, "?days=5"), listed(browser, "?days=6")) == ([], ["Northlake Infusion"])
    page = browser.get(to.get_absolute_url()).content.decode()
    assert "0 of 3" in page and "6 days" in page


def test_directory_asks_the_database_the_same_for_any_number_of_clinics(as_user: As, maya: User, sam: Client) -> None:
    browser, asked = as_user(maya), []
    for n in range(3):
        to = clinic(f"Clinic{n} Infusion")
        sent(maya, sam, to)
        if n != 1:
            browser.get(reverse("destinations"))
            with CaptureQueriesContext(connection) as caught:
                browser.get(reverse("destinations"))
            asked.append(len(caught))
    assert asked[0] == asked[1]


# --- Editing ---------------------------------------------------------------------------------------------------------


def form(**fields: Any) -> dict[str, Any]:
    return {"name": "Lakefront Ketamine", "paths": ["infusion_clinic"], "is_active": "on"} | fields


def test_adding_a_clinic_writes_it_and_its_address(as_user: As, post: Post, fay: User) -> None:
    told = form(
        gives=["iv"], accepts_suicidal="yes", email="Desk@lakefront.example", phone="555 0177", miles="3.2",
        price_usd="400", quick_consult="on", insurance="None",
    )  # fmt: skip
    done = post(as_user(fay), reverse("destination_new"), told)
    row = Destination.objects.get()
    assert done["Location"] == row.get_absolute_url()
    assert (row.name, row.accepts_suicidal, float(row.miles), float(row.price_usd), row.quick_consult) == (
        "Lakefront Ketamine", True, 3.2, 400.0, True,
    )  # fmt: skip
    assert list(DeskKey.objects.values_list("email", "is_main")) == [("desk@lakefront.example", True)]
    assert AuditEvent.objects.filter(action="destination.added", actor_id=fay.pk).count() == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": " "}, {"paths": []}, {"paths": ["kap"]}, {"gives": ["x"]}, {"email": "x"}, {"miles": "-1"},
        {"miles": "NaN"}, {"price_usd": "9999999999"}, {"phone": "call me"}, {"accepts_suicidal": "maybe"},
        {"name": "x" * 81}, {"notes": "x" * 2001},
    ],
)  # fmt: skip
def test_wrong_entry_of_a_clinic_is_refused_in_words(
    as_user: As, post: Post, maya: User, wrong: dict[str, Any]
) -> None:
    response = post(as_user(maya), reverse("destination_new"), form(**wrong))
    assert (response.status_code, Destination.objects.count()) == (400, 0)
    assert "There is a problem" in response.content.decode()


def test_two_who_edit_one_clinic_see_each_other(as_user: As, post: Post, maya: User, fay: User) -> None:
    row = clinic()
    url = reverse("destination_edit", args=[row.pk])
    assert post(as_user(maya), url, form(name="Northlake", version=1)).status_code == 302
    second = post(as_user(fay), url, form(name="North Lake", version=1))
    row.refresh_from_db()
    assert (second.status_code, row.name, row.version) == (409, "Northlake", 2)
    assert post(as_user(fay), url, form(name="North Lake", version=2)).status_code == 302


def test_deactivated_clinic_is_not_offered_any_more(as_user: As, post: Post, maya: User, sam: Client) -> None:
    row, browser = clinic(), as_user(maya)
    told = form(name=row.name, version=1)
    del told["is_active"]
    post(browser, reverse("destination_edit", args=[row.pk]), told)
    assert (listed(browser), listed(browser, "?gone=yes")) == ([], ["Northlake Infusion"])
    assert "Northlake" not in browser.get(reverse("referral_new", args=[sam.pk])).content.decode()


def test_new_address_shuts_out_the_old_one(maya: User, sam: Client) -> None:
    row = sent(maya, sam, to := clinic())
    old = to.keys.get()
    assert Referral.objects.at_desk(old).get() == row
    directory.revise(by=maya, clinic=to, fields={"email": "new@northlake.example"}, at=NOW)
    old.refresh_from_db()
    assert list(Referral.objects.at_desk(old)) == []
    assert Referral.objects.at_desk(to.keys.get(email="new@northlake.example")).get() == row


def test_address_elsewhere_is_approved_once(as_user: As, post: Post, maya: User, fay: User, pax: User) -> None:
    to = clinic()
    key = DeskKey.objects.create(destination=to, email="colleague@elsewhere.example", created_at=NOW)
    url = reverse("desk_key_approve", args=[key.pk])
    assert post(as_user(pax), url).status_code == 403
    assert "colleague@elsewhere.example" in as_user(maya).get(to.get_absolute_url()).content.decode()
    assert "colleague@elsewhere.example" not in as_user(pax).get(to.get_absolute_url()).content.decode()
    for user in (maya, fay):
        assert post(as_user(user), url)["Location"] == to.get_absolute_url()
    key.refresh_from_db()
    assert key.approved_by == maya


@pytest.mark.parametrize("who", ["maya", "sol", "pax", "fay", "rosa"])
def test_everybody_reads_the_directory_and_prescribers_do_not_edit_it(
    as_user: As, post: Post, request: pytest.FixtureRequest, house: Any, who: str
) -> None:
    row, browser = clinic(), as_user(request.getfixturevalue(who))
    assert browser.get(row.get_absolute_url()).status_code == 200
    allowed = who != "pax"
    edit = reverse("destination_edit", args=[row.pk])
    assert browser.get(edit).status_code == (200 if allowed else 403)
    assert post(browser, edit, form(version=1)).status_code == (302 if allowed else 403)
    assert post(browser, reverse("destination_new"), form()).status_code == (302 if allowed else 403)


def test_clinic_that_is_not_there_is_not_found(as_user: As, maya: User) -> None:
    nowhere = factories.client(maya).pk
    for name in ("destination", "destination_edit"):
        assert as_user(maya).get(reverse(name, args=[nowhere])).status_code == 404
    assert as_user(maya).get(reverse("desk_key_approve", args=[nowhere])).status_code == 404
