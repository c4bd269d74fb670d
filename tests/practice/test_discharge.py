"""The end of care: everything that would still be sent or asked stops, and no safety flag is cleared by it."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client as Browser
from django.urls import reverse

from intake import actions as forms
from intake import measures
from intake.models import Invitation, Measure
from practice import actions, jobs, notices
from practice.actions import NotNow
from practice.models import Alert, AuditEvent, Client, Note, Notice, Task, User
from tests.conftest import send
from tests.factories import NOW
from tests.homes import at_home
from tests.intake.conftest import Phone, text_of

Browse = Callable[[User], Browser]
WORDS = "Moved to another town; records sent."


@pytest.fixture(autouse=True)
def clock() -> Any:
    with time_machine.travel(NOW, tick=False) as now:
        yield now


def url(client: Client) -> str:
    return reverse("client_discharge", args=[client.pk])


def ended(client: Client, by: User, status: str = "discharged") -> None:
    actions.discharge(by=by, client=client, status=status, words=WORDS, at=NOW)


def flagged(client: Client, by: User) -> Alert:
    return actions.raise_manual_flag(by=by, client=client, severity="urgent", reason="x", at=NOW)


@pytest.mark.parametrize("status", Client.ENDED)
def test_everything_that_waits_for_them_stops(
    sam: Client, maya: User, on_call: User, status: str, mailoutbox: list[Any]
) -> None:
    phone = Phone(forms.invite(by=maya, client=sam, key="check-in", at=NOW)).start()
    measures.plan(sam, "check-in", Measure.Why.PLAN, NOW + timedelta(days=3), at=NOW)
    Task.open(sam, "booster", at=NOW)
    home = at_home(sam)
    Notice.objects.filter(client=sam, template="code").update(state=Notice.State.WAITING)  # read, and on its way still
    assert Notice.objects.filter(client=sam, state=Notice.State.WAITING).count() == 3
    ended(sam, maya, status)
    jobs.run_due()
    assert [m for m in mailoutbox if sam.email in m.to] == []
    assert set(Notice.objects.filter(client=sam).values_list("state", flat=True)) == {"stopped"}
    assert set(Invitation.objects.values_list("state", flat=True)) == {"withdrawn"}
    assert Measure.objects.filter(stopped_at=None).count() == 0
    assert list(sam.tasks.values_list("done_at", "done_by")) == [(NOW, maya.pk)]
    assert (sam.status, sam.rank) == (status, Client.Rank.STEADY)
    assert [browser.get("/my/home/")["Location"] for browser in (home, phone.browser)] == ["/my/locked/"] * 2
    assert phone.browser.get("/my/q/phq-9--1/")["Location"] == "/my/locked/"
    assert (Note.objects.get().body, notices.tell_news(sam, NOW)) == (WORDS, [])
    last = AuditEvent.objects.filter(action="client.discharged").get()
    assert last.facts == {"status": status, "messages_stopped": 3}


def test_nobody_is_discharged_over_an_open_flag(sam: Client, maya: User, on_call: User, as_user: Browse) -> None:
    """Law 1: a safety flag is not cleared by ending the care."""
    flag = flagged(sam, maya)
    page = send(as_user(maya), url(sam), {"status": "discharged", "words": WORDS})
    assert (page.status_code, "Something for their safety is still open." in text_of(page)) == (400, True)
    assert WORDS in page.content.decode()
    flag.refresh_from_db()
    sam.refresh_from_db()
    assert (flag.is_open, flag.acknowledged_at, sam.status, Note.objects.count()) == (True, None, "active", 0)


@pytest.mark.parametrize("kind", actions.BEFORE_LEAVING)
def test_nobody_is_discharged_over_an_agreed_check_or_a_call_they_asked_for(sam: Client, maya: User, kind: str) -> None:
    Task.open(sam, kind, at=NOW, subject_id=sam.pk)
    with pytest.raises(NotNow, match="Something for their safety is still open"):
        ended(sam, maya)
    assert sam.tasks.filter(done_at=None).count() == 1


def test_flag_of_somebody_who_died_stays_until_a_person_closes_it_in_words(
    sam: Client, maya: User, on_call: User, clock: Any
) -> None:
    flag = flagged(sam, maya)
    ended(sam, maya, "died")
    flag.refresh_from_db()
    assert (flag.is_open, flag.acknowledged_by, flag.climbs_at) == (True, maya, None)
    assert [event.words for event in flag.events.filter(kind="added")] == [WORDS]
    assert actions.climb_alerts(at=NOW + timedelta(days=1)) == 0
    with pytest.raises(NotNow, match="Write a line on why"):
        actions.close_alert(by=maya, alert=flag, action="no_change", note=" ", at=NOW)
    actions.close_alert(by=maya, alert=flag, action="no_change", note="He died on Nov 18.", at=NOW)
    assert (flag.closed_by, sam.tasks.filter(done_at=None).count()) == (maya, 0)


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ({"status": "discharged", "words": ""}, "Write a line on how their care ended."),
        ({"status": "discharged", "words": "   "}, "Write a line on how their care ended."),
        ({"words": WORDS}, "Choose what happened."),
        ({"status": "active", "words": WORDS}, "Select a valid choice."),
    ],
)
def test_end_needs_words_and_one_of_two_reasons(
    sam: Client, maya: User, as_user: Browse, said: dict[str, str], sentence: str
) -> None:
    page = send(as_user(maya), url(sam), said)
    sam.refresh_from_db()
    assert (page.status_code, sentence in text_of(page), sam.status) == (400, True, "active")


def test_page_says_what_stops_and_the_second_press_changes_nothing(sam: Client, maya: User, as_user: Browse) -> None:
    Task.open(sam, "booster", at=NOW)
    desk = as_user(maya)
    words = text_of(desk.get(url(sam)))
    assert ("Booster window : The booster window is open." in words, "their own page closes" in words) == (True, True)
    said = {"status": "discharged", "words": WORDS}
    assert send(desk, url(sam), said)["Location"] == reverse("chart", args=[sam.pk])
    late = send(desk, url(sam), {"status": "died", "words": "x"})
    sam.refresh_from_db()
    assert (late.status_code, sam.status, Note.objects.count()) == (200, "discharged", 1)
    with pytest.raises(NotNow, match="Their care has ended already"):
        ended(sam, maya, "died")


def test_somebody_is_taken_back_in_words_and_their_old_link_stays_dead(
    sam: Client, maya: User, on_call: User, as_user: Browse
) -> None:
    old = forms.home_link(sam, NOW)
    ended(sam, maya)
    desk = as_user(maya)
    assert "Take them back into care" in text_of(desk.get(url(sam)))
    assert send(desk, url(sam), {"back": "1", "words": ""}).status_code == 400
    assert send(desk, url(sam), {"back": "1", "words": "Moved back."}).status_code == 302
    sam.refresh_from_db()
    assert (sam.status, Note.objects.latest("pk").client) == ("active", sam)
    assert Browser().get(old.removeprefix("http://testserver")).status_code == 404
    assert forms.home_link(sam, NOW) != old
    assert forms.invite(by=maya, client=sam, key="intake", at=NOW).state == "sent"
    with pytest.raises(NotNow, match="They are in care already"):
        actions.take_back(by=maya, client=sam, words="x", at=NOW)


def test_apps_above_stop_what_is_theirs_in_the_same_act(sam: Client, maya: User, monkeypatch: Any) -> None:
    told: list[tuple[Any, ...]] = []
    hooks = [*actions.LEAVING, lambda *, by, client, at: told.append((by, client.pk, at, client.status))]
    monkeypatch.setattr(actions, "LEAVING", hooks)
    ended(sam, maya)
    assert told == [(maya, sam.pk, NOW, "discharged")]


def test_only_those_who_decide_on_care_may_end_it(
    sam: Client, omar: User, fay: User, rosa: User, pax: User, sol: User, as_user: Browse
) -> None:
    said = {"status": "discharged", "words": WORDS}
    refused = {user.name: send(as_user(user), url(sam), said).status_code for user in (omar, fay, rosa, pax)}
    assert refused == {"Omar Haddad": 404, "Fay Moss": 403, "Rosa Bell": 403, "Pax Lind": 403}
    sam.refresh_from_db()
    assert sam.status == "active"
    assert send(as_user(sol), url(sam), said).status_code == 302
