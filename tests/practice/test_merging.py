"""Two records of one person become one, and are taken apart again (feature O4)."""

import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.apps import apps
from django.db import connection
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from intake.models import Assessment, Intake, Invitation, SharedScores
from intake.thread import write
from practice import actions, alike, audit, merging, moves, retention
from practice.actions import NotNow
from practice.kap.actions import clearance
from practice.models import (
    Alert,
    AlertNotice,
    AuditEvent,
    Client,
    ClientRecord,
    Erased,
    LegalHold,
    Merge,
    Moved,
    Note,
    PsychotherapyNote,
    SafetyPlan,
    Task,
    User,
)
from referrals.actions import releases
from referrals.models import Destination, Referral, Release
from tests import factories
from tests.factories import NOW
from tests.homes import at_home

As = Callable[[User], Browser]
Post = Callable[..., Any]
pytestmark = pytest.mark.django_db
LATER = NOW + timedelta(minutes=5)
WORDS = "Same birth date, and she told us so."


@pytest.fixture(autouse=True)
def _thursday_at_ten() -> Iterator[None]:
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def double(omar: User) -> Client:
    """Sam once more, taken in by Omar, with another phone."""
    return factories.client(omar, "Sam Whitehorse", email="sam.w@example.net", phone="+1 202 555 0190")


def merge(kept: Client, former: Client, by: User, take: tuple[str, ...] = (), at: Any = LATER) -> Merge:
    found = merging.merge(by=by, kept=kept, former=former, take=take, words=WORDS, at=at)
    kept.refresh_from_db()
    former.refresh_from_db()
    return found


def test_merge_moves_everything_and_undo_moves_it_back(
    rosa: User, maya: User, omar: User, sam: Client, double: Client
) -> None:
    theirs = actions.write_note(by=omar, client=double, words="Came by.", at=NOW)
    ours = actions.write_note(by=maya, client=sam, words="Called.", at=NOW)
    row = merge(sam, double, rosa, take=("phone",))
    assert set(Note.objects.filter(client=sam)) == {theirs, ours}
    assert (double.status, sam.phone, sam.email) == (Client.Status.MERGED, "+1 202 555 0190", "sam@example.net")
    merging.undo(by=rosa, merge=row, words="A cousin.", at=LATER)
    sam.refresh_from_db()
    double.refresh_from_db()
    assert [list(Note.objects.filter(client=client)) for client in (sam, double)] == [[ours], [theirs]]
    assert (double.status, double.therapist, sam.phone) == (Client.Status.ACTIVE, omar, "+1 202 555 0142")


# --- Nothing is forgotten --------------------------------------------------------------------------------------------


def test_every_column_that_names_a_client_moves_or_is_named_as_staying() -> None:
    """A new model cannot be forgotten: it moves, or says here that it stays."""
    named = {
        (model._meta.label, field.name)
        for model in apps.get_models(include_auto_created=True)
        for field in model._meta.concrete_fields
        if field.is_relation and field.related_model is Client
    }
    assert {(model._meta.label, column) for model, column in moves.columns()} == named - moves.STAYS
    assert named >= moves.STAYS
    records = [model for model in apps.get_models() if issubclass(model, ClientRecord)]
    assert {model._meta.label for model in records if model.client_path == "client"} <= {label for label, _ in named}


def test_every_rule_of_one_for_each_client_says_what_a_merge_does() -> None:
    found = {name for model, column in moves.columns() for name, _others, _when in moves.rules(model, column)}
    assert found == set(moves.ONE_EACH) | set(moves.NUMBERED)


def test_ledger_is_written_once(rosa: User, sam: Client, double: Client) -> None:
    actions.write_note(by=rosa, client=double, words="One", at=NOW)
    step = merge(sam, double, rosa).moves.get(table="practice.Note")
    with pytest.raises(ValueError, match="anew"):
        step.save()


# --- Safety ----------------------------------------------------------------------------------------------------------


def test_open_flag_goes_on_climbing(rosa: User, maya: User, omar: User, sam: Client, double: Client) -> None:
    """Law 1: a flag in the middle of its ladder keeps rung, clock and whom it told; its new therapist is told."""
    flag = actions.raise_manual_flag(by=omar, client=double, severity="urgent", reason="He said goodbye.", at=NOW)
    told = set(AlertNotice.objects.filter(alert=flag).values_list("user", flat=True))
    climbs = Alert.objects.get(pk=flag.pk).climbs_at
    merge(sam, double, rosa)
    flag.refresh_from_db()
    assert (flag.client, flag.is_open, flag.rung, flag.climbs_at) == (sam, True, 0, climbs)
    assert told - {omar.pk} <= set(flag.notices.values_list("user", flat=True))
    assert maya.pk in set(flag.notices.values_list("user", flat=True))
    assert [task.client for task in Task.objects.filter(kind="safety", done_at=None)] == [sam]
    sam.refresh_from_db()
    assert sam.rank == Client.Rank.NOW
    later = NOW + timedelta(hours=2)
    actions.climb_alerts(at=later)
    flag.refresh_from_db()
    assert flag.rung > 0


def test_flag_goes_back_with_what_was_opened_for_it(rosa: User, omar: User, sam: Client, double: Client) -> None:
    flag = actions.raise_manual_flag(by=omar, client=double, severity="priority", reason="Low.", at=NOW)
    row = merge(sam, double, rosa)
    Task.open(sam, "next_check", at=LATER, subject_id=flag.pk, due_at=LATER)  # opened since, for the flag that goes
    note = actions.write_note(by=rosa, client=sam, words="Since.", at=LATER)
    assert merging.since(row) == {"practice.Note": 1, "practice.Task": 1}
    merging.undo(by=rosa, merge=row, words="A cousin.", at=LATER)
    flag.refresh_from_db()
    note.refresh_from_db()
    assert (flag.client, note.client) == (double, sam)
    assert {(task.kind, task.client) for task in Task.objects.filter(done_at=None)} == {
        ("safety", double),
        ("next_check", double),
    }


def test_item_that_both_have_is_due_when_the_first_was(rosa: User, sam: Client, double: Client) -> None:
    soon, late = NOW + timedelta(hours=1), NOW + timedelta(days=1)
    Task.open(sam, "call_me", at=NOW, due_at=late)
    theirs = Task.open(double, "call_me", at=NOW - timedelta(hours=1), due_at=soon)
    row = merge(sam, double, rosa)
    mine = Task.objects.get(client=sam, kind="call_me", done_at=None)
    assert (mine.due_at, mine.opened_at) == (soon, NOW - timedelta(hours=1))
    merging.undo(by=rosa, merge=row, words="A cousin.", at=LATER)
    theirs.refresh_from_db()
    assert (theirs.client, theirs.done_at) == (double, None)


# --- The more careful ------------------------------------------------------------------------------------------------


def test_careful_reach_is_what_neither_calls_unsafe() -> None:
    one = {"email": True, "sms": True, "voicemail": True, "private": ["sms", "email"], "note": "After six"}
    other = {"email": False, "sms": True, "private": ["sms"], "note": "Not at work"}
    assert merging.careful_reach(one, other) == {
        "email": False,
        "sms": True,
        "voicemail": True,
        "private": ["sms"],
        "note": "After six\nNot at work",
    }
    assert merging.careful_reach({}, other) == other


def test_contact_who_may_not_be_told_stays_so(rosa: User, sam: Client, double: Client) -> None:
    person = {"role": "emergency", "name": "Ada", "relation": "Sister", "phone": "555 0101"}
    for client, may_talk in ((sam, "yes"), (double, "no")):
        client.set_identity(contacts=[person | {"may_talk": may_talk}])
        client.save_identity()
    merge(sam, double, rosa)
    assert sam.contacts == [person | {"may_talk": "no"}]


@pytest.mark.parametrize(
    ("kept", "former", "becomes"),
    [
        ("discharged", "restricted", "restricted"),
        ("restricted", "discharged", "restricted"),
        ("discharged", "died", "died"),
        ("discharged", "active", "active"),
        ("invited", "active", "active"),
        ("active", "discharged", "active"),
    ],
)
def test_status_of_both_is_the_more_careful(
    rosa: User, maya: User, kept: str, former: str, becomes: str, sam: Client
) -> None:
    other = factories.client(maya, "Sam Whitehorse")
    for client, status in ((sam, kept), (other, former)):
        Client.objects.filter(pk=client.pk).update(status=status)
    row = merge(sam, other, rosa)
    assert (sam.status, other.status) == (becomes, "merged")
    merging.undo(by=rosa, merge=row, words="A cousin.", at=LATER)
    assert list(Client.objects.order_by("number").values_list("status", flat=True)) == [kept, former]


@pytest.mark.parametrize("status", ["died", "restricted"])
def test_somebody_in_care_is_not_merged_with_who_died_or_is_hidden(
    rosa: User, sam: Client, double: Client, status: str
) -> None:
    Client.objects.filter(pk=double.pk).update(status=status)
    for kept, former in ((sam, double), (double, sam)):
        with pytest.raises(NotNow, match="Both cannot be true of one person"):
            merge(kept, former, rosa)
    assert not Merge.objects.exists()


def test_hold_moves_and_two_holds_stand_in_the_way(rosa: User, sam: Client, double: Client) -> None:
    hold = retention.place_hold(by=rosa, client=double, words="A court asks.", at=NOW)
    second = retention.place_hold(by=rosa, client=sam, words="A board asks.", at=NOW)
    with pytest.raises(NotNow, match="legal hold stands on both"):
        merge(sam, double, rosa)
    retention.lift_hold(by=rosa, hold=second, words="The board is done.", at=NOW)
    merge(sam, double, rosa)
    assert LegalHold.objects.get(lifted_at=None) == hold
    assert hold.client_id != sam.pk
    hold.refresh_from_db()
    assert hold.client == sam


def test_psychotherapy_note_stays_its_authors(
    rosa: User, maya: User, omar: User, sam: Client, double: Client, as_user: As
) -> None:
    note = actions.write_psychotherapy_note(by=omar, client=double, words="Only mine", at=NOW)
    merge(sam, double, rosa)
    note.refresh_from_db()
    assert (note.by, note.client) == (omar, sam)
    page = as_user(maya).get(reverse("psychotherapy_notes", args=[sam.pk]))
    assert b"Only mine" not in page.content
    assert PsychotherapyNote.objects.count() == 1


def test_newer_safety_plan_is_the_current_one_whichever_record_it_was_in(
    rosa: User, omar: User, sam: Client, double: Client
) -> None:
    days = (NOW - timedelta(days=20), NOW - timedelta(days=10), NOW - timedelta(days=2))
    for client, number, at in ((double, 1, days[1]), (sam, 1, days[0]), (sam, 2, days[2])):
        SafetyPlan.objects.create(
            client=client, number=number, started_at=at, started_by=omar, finished_at=at, finished_by=omar,
            review_on=(at + timedelta(days=90)).date(), means="declined",
        )  # fmt: skip
    row = merge(sam, double, rosa)
    plans = SafetyPlan.objects.filter(client=sam).order_by("number")
    assert list(plans.values_list("number", "started_at")) == [(1, days[0]), (2, days[1]), (3, days[2])]
    merging.undo(by=rosa, merge=row, words="A cousin.", at=LATER)
    assert list(plans.values_list("number", "started_at")) == [(1, days[0]), (2, days[2])]
    assert SafetyPlan.objects.get(client=double).number == 1


# --- Many at once ----------------------------------------------------------------------------------------------------


def test_merging_back_and_forth_is_refused(rosa: User, sam: Client, double: Client) -> None:
    merge(sam, double, rosa)
    for kept, former in ((double, sam), (sam, double)):
        with pytest.raises(NotNow, match="merged one of these records first"):
            merge(kept, former, rosa)
    assert Merge.objects.count() == 1
    with pytest.raises(NotNow, match="two different"):
        merge(sam, sam, rosa)


@pytest.mark.django_db(transaction=True)
def test_two_people_merging_at_once_leave_one_merge(rosa: User, sam: Client, double: Client) -> None:
    """A into B and B into A at the same moment: one wins, the other reads a sentence."""
    said: list[str] = []
    gate = threading.Barrier(2)

    def act(kept: Client, former: Client) -> None:
        gate.wait()
        try:
            merging.merge(by=rosa, kept=kept, former=former, take=(), words=WORDS, at=LATER)
        except NotNow as sentence:
            said.append(str(sentence))
        finally:
            connection.close()

    threads = [threading.Thread(target=act, args=pair) for pair in ((sam, double), (double, sam))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert said == ["Somebody merged one of these records first. Nothing was changed."]
    assert Merge.objects.count() == 1
    assert Client.objects.filter(status=Client.Status.MERGED).count() == 1


def test_somebody_who_changed_it_meanwhile_is_noticed(rosa: User, sam: Client, double: Client) -> None:
    seen = merging.versions(sam, double)
    Client.objects.filter(pk=double.pk).update(version=9)
    with pytest.raises(NotNow, match="changed one of the two"):
        merging.merge(by=rosa, kept=sam, former=double, take=(), words=WORDS, at=LATER, seen=seen)


@pytest.mark.parametrize("first", [0, 1])
def test_third_record_merged_in_is_taken_apart_in_any_order(
    rosa: User, omar: User, sam: Client, double: Client, first: int
) -> None:
    """The third went into the double, and the double into Sam; whichever is undone first, each has its own again."""
    third = factories.client(omar, "Sam Whitehorse")
    notes = {
        client: actions.write_note(by=omar, client=client, words="Mine", at=NOW) for client in (sam, double, third)
    }
    rows = [merge(double, third, rosa), merge(sam, double, rosa)]
    assert set(Note.objects.values_list("client", flat=True)) == {sam.pk}
    assert alike.whole({"x": [third.pk, double.pk]}) == {"x": [sam.pk]}
    assert set(merging.ids_of(sam)) == {sam.pk, double.pk, third.pk}
    for row in (rows[first], rows[1 - first]):
        merging.undo(by=rosa, merge=Merge.objects.get(pk=row.pk), words="Three people.", at=LATER)
    for client, note in notes.items():
        note.refresh_from_db()
        assert note.client == client
    assert not Client.objects.filter(status=Client.Status.MERGED).exists()
    with pytest.raises(NotNow, match="took these two apart first"):
        merging.undo(by=rosa, merge=rows[0], words="Again", at=LATER)


def test_request_under_way_when_they_were_merged_is_swept_after(rosa: User, sam: Client, double: Client) -> None:
    row = merge(sam, double, rosa)
    late = actions.write_note(by=rosa, client=double, words="Written in the same second", at=LATER)
    assert merging.sweep(row, at=LATER) == 1
    assert merging.sweep(row, at=LATER) == 0
    late.refresh_from_db()
    assert late.client == sam
    merging.undo(by=rosa, merge=row, words="A cousin.", at=LATER)
    late.refresh_from_db()
    assert late.client == double


# --- What knows of it ------------------------------------------------------------------------------------------------


def test_trail_stays_as_it_was_and_its_report_shows_both(
    rosa: User, omar: User, sam: Client, double: Client, as_user: As
) -> None:
    actions.write_note(by=omar, client=double, words="Before", at=NOW)
    before = list(AuditEvent.objects.values_list("seq", "client_id", "action", "hash"))
    merge(sam, double, rosa)
    assert list(AuditEvent.objects.values_list("seq", "client_id", "action", "hash"))[: len(before)] == before
    assert list(audit.faults()) == []
    page = as_user(rosa).get(reverse("client_access", args=[sam.pk])).content.decode()
    assert "Omar Haddad" in page
    assert "Put this record into another one of the same person" in page


def test_merged_record_is_not_opened_and_not_found(
    rosa: User, maya: User, omar: User, sam: Client, double: Client, as_user: As
) -> None:
    merge(sam, double, rosa)
    for user in (rosa, omar, maya):
        assert double not in Client.objects.visible_to(user)
        assert as_user(user).get(reverse("client_edit", args=[double.pk])).status_code == 404
        found = as_user(user).get(reverse("search"), {"q": double.code})
        assert f"/clients/{double.pk}/" not in found.content.decode()


def test_erasing_one_erases_both_and_writes_a_line_for_each(rosa: User, sam: Client, double: Client) -> None:
    actions.write_note(by=rosa, client=double, words="Before", at=NOW)
    merge(sam, double, rosa)
    retention.ask(by=rosa, client=sam, words="Please delete me.", at=NOW)
    far = NOW.replace(year=2060)
    with time_machine.travel(far, tick=False):
        retention.delete(by=rosa, client=sam, at=far)
    assert set(Erased.objects.values_list("ref", flat=True)) == {sam.pk, double.pk}
    assert (Client.objects.count(), Note.objects.count(), Merge.objects.count(), Moved.objects.count()) == (0, 0, 0, 0)


def test_matching_leads_to_the_record_that_stays(rosa: User, sam: Client, double: Client) -> None:
    merge(sam, double, rosa)
    assert alike.known([{"email": "sam.w@example.net"}]) == {
        next(alike.keys_of({"email": "sam.w@example.net"})): [sam.pk]
    }
    assert list(Client.objects.visible_to(rosa).filter(alike.by_contact(double.email_index, ""))) == [sam]


# --- Pages -----------------------------------------------------------------------------------------------------------


def pair_url(kept: Client, former: Client) -> str:
    return reverse("merge", args=[kept.pk, former.pk])


def test_list_shows_pairs_within_reach_with_what_is_alike(
    rosa: User, sol: User, maya: User, sam: Client, double: Client, kit: Client
) -> None:
    cousin = factories.client(maya, "Ana Whitehorse", email="sam@example.net", phone="", birth_date="1990-01-01")
    found = [(pair.one, pair.other, pair.why) for pair in alike.likely(rosa)]
    assert found == [
        (sam, cousin, ("email_index",)),
        (sam, double, ("person",)),
    ]
    assert [(pair.one, pair.other) for pair in alike.likely(sol)] == [(sam, cousin)]


def test_list_of_pairs_takes_the_same_queries_for_one_and_three(
    rosa: User, maya: User, sam: Client, as_user: As
) -> None:
    browser, counts = as_user(rosa), []
    browser.get(reverse("merges"))
    for _round in range(2):
        for n in range(1 + 2 * _round):
            factories.client(maya, "Sam Whitehorse", phone=f"+1 202 555 01{_round}{n}")
        with CaptureQueriesContext(
            connection,
        ) as queries:
            browser.get(reverse("merges"))
        counts.append(len(queries))
    assert counts[0] == counts[1]


def test_admin_merges_on_the_page_and_takes_apart(
    rosa: User, sam: Client, double: Client, as_user: As, post: Post
) -> None:
    browser = as_user(rosa)
    page = browser.get(pair_url(sam, double)).content.decode()
    assert "sam.w@example.net" in page
    said = {"seen": merging.versions(sam, double), "words": WORDS, "email": "kept", "phone": "former"}
    done = post(browser, pair_url(sam, double), said, key="k" * 24)
    again = post(browser, pair_url(sam, double), said, key="k" * 24)
    assert (done.status_code, done["Location"], again["Location"]) == (
        302,
        "/practice/duplicates/",
        "/practice/duplicates/",
    )
    sam.refresh_from_db()
    row = Merge.objects.get()
    assert (sam.email, sam.phone) == ("sam@example.net", "+1 202 555 0190")
    assert browser.get(pair_url(double, sam))["Location"] == f"/practice/duplicates/#merge-{row.pk}"
    listed = browser.get(reverse("merges")).content.decode()
    assert f"{double.code} into {sam.code}" in listed
    empty = post(browser, reverse("merge_undo", args=[row.pk]), {"words": " "})
    assert empty.status_code == 400
    post(browser, reverse("merge_undo", args=[row.pk]), {"words": "A cousin."})
    double.refresh_from_db()
    assert double.status == Client.Status.ACTIVE


def test_nobody_merges_beyond_their_reach(
    sol: User, maya: User, omar: User, fay: User, pax: User, sam: Client, double: Client, as_user: As, post: Post
) -> None:
    """A supervisor reaches one of the two: the other is unknown to them. Therapists and the desk have no such page."""
    said = {"seen": merging.versions(sam, double), "words": WORDS}
    assert post(as_user(sol), pair_url(sam, double), said).status_code == 404
    for user in (maya, omar, fay, pax):
        assert post(as_user(user), pair_url(sam, double), said).status_code == 403
        assert as_user(user).get(reverse("merges")).status_code == 403
    assert not Merge.objects.exists()


def test_birth_dates_are_told_as_everywhere_else(rosa: User, sam: Client, double: Client, as_user: As) -> None:
    sam.birth_date, double.birth_date = "1993-03-08", "1993-08-03"
    sam.save()
    double.save()
    page = as_user(rosa).get(pair_url(sam, double)).content.decode()
    assert ("Mar 8, 1993" in page, "Aug 3, 1993" in page, "1993-0" in page) == (True, True, False)


def test_page_asks_for_the_password_when_the_sign_in_is_old(
    rosa: User, sam: Client, double: Client, as_user: As, post: Post
) -> None:
    """Security check 30: merging needs a sign-in of the last five minutes."""
    browser = as_user(rosa)
    browser.get(reverse("merges"))
    with time_machine.travel(NOW + timedelta(minutes=5, seconds=1), tick=False):
        answer = post(browser, pair_url(sam, double), {"seen": merging.versions(sam, double), "words": WORDS})
    assert answer["Location"].startswith("/account/reauthenticate/")
    assert not Merge.objects.exists()


def test_two_numbers_lead_to_the_pair(rosa: User, sam: Client, double: Client, as_user: As, post: Post) -> None:
    browser = as_user(rosa)
    found = post(browser, reverse("merges"), {"one": sam.code, "other": double.code})
    assert found["Location"] == pair_url(sam, double)
    for other in ("CH-9999", sam.code, "<b>", "9" * 12):
        wrong = post(browser, reverse("merges"), {"one": sam.code, "other": other})
        assert wrong.status_code == 400


# --- What the packages above say -------------------------------------------------------------------------------------


def signed(client: Client, destination: Destination, sections: list[str], at: Any, **fields: Any) -> Release:
    return Release.objects.create(
        client=client, destination=destination, sections=sections, document_version="1", text_sha256="0" * 64,
        expires_on=(NOW + timedelta(days=90)).date(), asked_at=at, signed_at=at, method="paper", **fields,
    )  # fmt: skip


def test_release_that_says_less_or_was_taken_back_is_not_widened(
    rosa: User, omar: User, sam: Client, double: Client
) -> None:
    clinic = Destination.objects.create(name="Harbor Infusion", created_at=NOW)
    wide = signed(sam, clinic, ["identity", "substances"], NOW)
    narrow = signed(double, clinic, ["identity"], NOW)
    said = "Their releases for Harbor Infusion do not agree. Take them back, and ask the client for a new one."
    assert merging.obstacles(sam, double, LATER) == merging.obstacles(double, sam, LATER) == [said]
    releases.revoke(by=omar, release=narrow, at=LATER, words="He said so.")
    assert merging.obstacles(sam, double, LATER) == [said]
    releases.revoke(by=omar, release=wide, at=LATER, words="He said so.")
    assert merging.obstacles(sam, double, LATER) == []
    signed(sam, clinic, ["identity"], LATER + timedelta(minutes=1))
    assert merging.obstacles(sam, double, LATER) == []


def test_clinic_keeps_the_reference_it_knows(rosa: User, maya: User, omar: User, sam: Client, double: Client) -> None:
    """Running referrals: each counts once, keeps its state and its reference, and its number is its own."""
    ours, theirs = (
        Referral.objects.create(client=client, number=1, path="iv_racemic", created_at=NOW, created_by=by, state_at=NOW)
        for client, by in ((sam, maya), (double, omar))
    )
    before = {ours.pk: ours.reference, theirs.pk: theirs.reference}
    row = merge(sam, double, rosa)
    rows = list(Referral.objects.filter(client=sam).order_by("number"))
    assert [(each.pk, each.number, each.reference) for each in rows] == [
        (ours.pk, 1, before[ours.pk]),
        (theirs.pk, 2, before[theirs.pk]),
    ]
    merging.undo(by=rosa, merge=row, words="A cousin.", at=LATER)
    theirs.refresh_from_db()
    assert (theirs.client, theirs.number, theirs.known_as, theirs.reference) == (double, 1, "", before[theirs.pk])


def test_two_plans_and_two_clearances_of_doses_stand_in_the_way(
    rosa: User, maya: User, pax: User, sam: Client, double: Client
) -> None:
    for client in (sam, double):
        clearance.grant(
            by=pax, client=client, doses=2, until=(NOW + timedelta(days=30)).date(), every_days=None,
            most_mg=Decimal(200), route="sublingual", words="", at=NOW,
        )  # fmt: skip
    assert merging.obstacles(sam, double, LATER) == [
        "Both have doses that a prescriber cleared. The prescriber takes one clearance back first."
    ]


def test_shared_scores_show_nothing_that_nobody_chose_to_show(
    rosa: User, maya: User, sam: Client, double: Client
) -> None:
    day = NOW.date()
    SharedScores.objects.create(
        client=sam, instrument="phq-9", first_on=day, last_on=day, shared_at=NOW, shared_by=maya
    )
    assert merging.obstacles(sam, double, LATER) == []
    given = Invitation(client=double, packet="check-in", packet_version="1", created_at=NOW, expires_at=LATER)
    given.renew(NOW)
    given.save()
    Assessment.objects.create(
        client=double, intake=Intake.objects.create(client=double, invitation=given, started_at=NOW),
        instrument="phq-9", instrument_version="1", wording_sha256="0" * 64, taken_at=NOW, taken_on=day, total=12,
    )  # fmt: skip
    assert merging.obstacles(sam, double, LATER) == [
        "CH-0401 is shown a measure that CH-0402 has answers of, too. Their therapist ends that first."
    ]


def test_form_goes_on_and_the_own_page_stops(rosa: User, omar: User, sam: Client, double: Client, post: Post) -> None:
    """A link to a form leads to that form alone, so it goes on; the page that would show the whole record stops."""
    browser = at_home(double)
    assert browser.get(reverse("my_home")).status_code == 200
    form = Invitation(client=double, packet="check-in", packet_version="1", created_at=NOW, expires_at=NOW)
    form.renew(NOW)
    form.save()
    merge(sam, double, rosa)
    shut = browser.get(reverse("my_home"))
    assert shut.status_code == 303
    assert "Whitehorse" not in browser.get(shut["Location"]).content.decode()
    form.refresh_from_db()
    assert (form.client, Browser().get(form.path).status_code) == (sam, 200)


def test_help_asked_for_while_they_were_merged_reaches_who_looks_after_them_at_once(
    rosa: User, maya: User, sam: Client, double: Client
) -> None:
    """Law 1: a request that had the former record before it pages people for the one that stands; it goes back too."""
    held = Client.objects.get(pk=double.pk)  # as a request under way has it
    row = merge(sam, double, rosa)
    said = write(by=held, words="I cannot do this", wants_help=True, at=LATER)
    flag = Alert.objects.get()
    assert (said.client, flag.client, flag.severity) == (sam, sam, "urgent")
    assert maya in {notice.user for notice in flag.notices.all()}
    assert set(sam.tasks.filter(done_at=None).values_list("kind", flat=True)) == {"message", "safety"}
    assert not double.tasks.exists()
    assert merging.sweep(row, at=LATER) == 0
    merging.undo(by=rosa, merge=row, words="A cousin.", at=LATER)
    flag.refresh_from_db()
    said.refresh_from_db()
    assert (said.client, flag.client, flag.is_open) == (double, double, True)
    assert set(double.tasks.filter(done_at=None).values_list("kind", flat=True)) == {"safety"}


def test_flag_raised_by_hand_while_they_were_merged_is_the_kept_records(
    rosa: User, omar: User, maya: User, sam: Client, double: Client
) -> None:
    held = Client.objects.get(pk=double.pk)
    row = merge(sam, double, rosa)
    flag = actions.raise_manual_flag(by=omar, client=held, severity="urgent", reason="Sounded desperate", at=LATER)
    assert (flag.client, maya in {notice.user for notice in flag.notices.all()}) == (sam, True)
    merging.undo(by=rosa, merge=row, words="A cousin.", at=LATER)
    flag.refresh_from_db()
    assert flag.client == double


def test_flag_of_a_record_that_was_taken_apart_stays_its_own(rosa: User, sam: Client, double: Client) -> None:
    merging.undo(by=rosa, merge=merge(sam, double, rosa), words="A cousin.", at=LATER)
    double.refresh_from_db()
    flag = actions.raise_manual_flag(by=rosa, client=double, severity="urgent", reason="Sounded desperate", at=LATER)
    assert (flag.client, Moved.objects.filter(table="practice.Alert").count()) == (double, 0)
