"""How long what is kept: floors, holds, the purge, and deleting for good."""

from collections.abc import Callable
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.conf import settings
from django.test import Client as Browser
from django.urls import reverse
from django.utils import timezone

from intake import actions as asking
from intake import drafts
from intake.models import Answer, Intake, Invitation
from practice import actions, emergencies, erasure, exports, jobs, retention
from practice.access import Permission
from practice.actions import NotNow
from practice.models import (
    Alert,
    AuditEvent,
    Client,
    ClientRecord,
    Enquiry,
    Erased,
    ErasureRequest,
    Export,
    LegalHold,
    Merge,
    NameStart,
    Note,
    Notice,
    Practice,
    User,
)
from tests import factories
from tests.conftest import send
from tests.factories import NOW
from tests.meta import matrix

AsUser = Callable[[User], Browser]


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "DATA_DIR", tmp_path)


def noted(client: Client, by: User, at: datetime = NOW) -> Client:
    note = Note(client=client, by=by, at=at)
    note.body = "Zyxwords"
    note.save()
    return client


def left(client: Client, status: str = Client.Status.DISCHARGED) -> Client:
    Client.objects.filter(pk=client.pk).update(status=status)
    client.refresh_from_db()
    return client


def years(n: float) -> datetime:
    return NOW + timedelta(days=365.25 * n + 2)


def rows_of(client: Client) -> dict[str, int]:
    """How many rows of each kind there are of this client, by every path that the models name."""
    found = {}
    for model in apps.get_models():
        path = (
            model.client_path if issubclass(model, ClientRecord) else "client" if model in (NameStart, Notice) else ""
        )
        if path and (n := model._base_manager.filter(**{path: client.pk}).count()):
            found[model._meta.label] = n
    return found


# --- Deleting --------------------------------------------------------------------------------------------------------


def test_erased_client_leaves_no_row_and_nobody_else_loses_one(
    maya: User, omar: User, rosa: User, pax: User, sam: Client, kit: Client, tmp_path: Path
) -> None:
    """Security check 57: no floor, so every row goes; the ledger and the audit trail keep the id and no name."""
    matrix.build({"own": maya, "admin": rosa, "prescriber": pax}, sam)
    noted(kit, omar)
    before, trail = rows_of(kit), AuditEvent.objects.count()
    held, merged = rows_of(sam), Merge.objects.get(client=sam).former
    assert merged is not None
    assert len(held) > 30
    row = erasure.erase(by=rosa, client=sam, what="client", why="request", at=NOW)
    assert (rows_of(sam), Client.objects.filter(pk=sam.pk).exists()) == ({}, False)
    assert rows_of(kit) == before
    assert (row.ref, row.by, row.rows) == (sam.pk, rosa, sum(held.values()) + 1)
    said = AuditEvent.objects.filter(seq__gt=trail).order_by("seq").values_list("action", "client_id")
    assert list(said) == [("client.erased", sam.pk), ("client.erased", merged.pk)]
    assert erasure.write_journal() == 2
    assert erasure.write_journal() == 0
    written = (tmp_path / erasure.JOURNAL).read_text()
    assert (str(sam.pk) in written, "Whitehorse" in written) == (True, False)
    lines = set(erasure.read_journal(tmp_path / erasure.JOURNAL))
    assert lines == {(sam.pk, NOW, "client"), (merged.pk, NOW, "client")}


def test_erasing_throws_away_the_copies_that_hold_the_client(
    maya: User, rosa: User, sam: Client, django_capture_on_commit_callbacks: Any
) -> None:
    noted(sam, maya)
    exports.begin(by=maya, client=sam, at=timezone.now())
    exports.begin(by=rosa, client=None, at=timezone.now())
    jobs.run_due()
    folders = [exports.folder(each) for each in Export.objects.all()]
    assert [each.is_dir() for each in folders] == [True, True]
    with django_capture_on_commit_callbacks(execute=True):
        erasure.erase(by=rosa, client=sam, what="client", why="request", at=NOW)
    assert [each.exists() for each in folders] == [False, False]
    assert [each.state for each in Export.objects.all()] == [Export.State.GONE]


def test_changed_journal_is_refused(rosa: User, sam: Client, tmp_path: Path) -> None:
    erasure.erase(by=rosa, client=sam, what="client", why="request", at=NOW)
    erasure.write_journal()
    path = tmp_path / erasure.JOURNAL
    path.write_text(path.read_text().replace("client", "lead", 1))
    with pytest.raises(erasure.ForeignJournal, match=r"Line 1 of erasures\.log was not written by this practice"):
        list(erasure.read_journal(path))


# --- Floors ----------------------------------------------------------------------------------------------------------


def test_record_is_kept_seven_years_after_its_last_entry(maya: User, rosa: User, sam: Client) -> None:
    noted(sam, maya)
    practice = Practice.get()
    found = retention.look_at(sam, practice, NOW)
    assert (found.has_record, found.until) == (True, date(2033, 11, 19))
    assert (found.is_free(date(2033, 11, 18)), found.is_free(date(2033, 11, 19))) == (False, True)
    practice.record_years = 10
    assert retention.look_at(sam, practice, NOW).until == date(2036, 11, 19)


def test_record_of_a_minor_is_kept_until_they_are_21(maya: User, sam: Client) -> None:
    noted(sam, maya)
    sam.birth_date = "2013-03-08"
    sam.save()
    assert retention.look_at(sam, Practice.get(), NOW).until == date(2034, 3, 8)


def test_asking_to_be_deleted_does_not_make_the_record_younger(maya: User, rosa: User, sam: Client) -> None:
    noted(sam, maya)
    retention.ask(by=rosa, client=sam, words="Please", at=years(5))
    retention.place_hold(by=rosa, client=sam, words="Court", at=years(5))
    assert retention.look_at(sam, Practice.get(), years(6)).until == date(2033, 11, 19)


def test_who_was_only_invited_has_no_record(sam: Client, maya: User, on_call: User) -> None:
    asking.invite(by=maya, client=sam, key="intake", at=NOW)
    found = retention.look_at(sam, Practice.get(), NOW)
    assert (found.has_record, found.until, found.is_free(NOW.date())) == (False, None, True)


def test_practice_cannot_keep_records_shorter_than_the_law(rosa: User, house: Practice, as_user: AsUser) -> None:
    from practice.views.settings import PracticeForm

    told = {name: "" if value is None else value for name, value in PracticeForm.initial_of(house).items()}
    page = send(as_user(rosa), reverse("practice_edit"), told | {"record_years": 5})
    assert page.status_code == 400
    assert Practice.get().record_years == 7
    send(as_user(rosa), reverse("practice_edit"), told | {"record_years": 10})
    assert Practice.get().record_years == 10


def test_floor_and_hold_and_flag_each_stop_a_deletion(maya: User, rosa: User, sam: Client) -> None:
    noted(left(sam), maya)
    retention.ask(by=rosa, client=sam, words="Please", at=NOW)
    with pytest.raises(NotNow, match="The law wants this record to be kept"):
        retention.delete(by=rosa, client=sam, at=NOW)
    hold = retention.place_hold(by=rosa, client=sam, words="Court", at=NOW)
    with pytest.raises(NotNow, match="A legal hold stands"):
        retention.delete(by=rosa, client=sam, at=years(8))
    retention.lift_hold(by=rosa, hold=hold, words="Case closed", at=NOW)
    Alert.objects.create(client=sam, source="manual", severity="urgent", opened_at=NOW, raised_at=NOW)
    with pytest.raises(NotNow, match="A safety flag of theirs is open"):
        retention.delete(by=rosa, client=sam, at=years(8))
    Alert.objects.all().delete()
    assert retention.delete(by=rosa, client=sam, at=years(8)).why == Erased.Why.REQUEST
    with pytest.raises(NotNow, match="deleted already"):
        retention.delete(by=rosa, client=sam, at=years(8))


def test_nobody_is_deleted_who_did_not_ask_and_is_in_care(maya: User, rosa: User, sam: Client) -> None:
    noted(sam, maya)
    with pytest.raises(NotNow, match="did not ask for it"):
        retention.delete(by=rosa, client=sam, at=years(8))
    assert retention.delete(by=rosa, client=left(sam), at=years(8)).why == Erased.Why.AGE


# --- Restricted ------------------------------------------------------------------------------------------------------


def test_restricted_client_is_hidden_from_all_but_admins(
    maya: User, sol: User, pax: User, fay: User, rosa: User, omar: User, sam: Client, as_user: AsUser
) -> None:
    """Security check 57: a floor is present, so the record is restricted and the reason is told."""
    noted(left(sam), maya)
    request = retention.ask(by=rosa, client=sam, words="Please", at=NOW)
    retention.restrict(by=rosa, request=request, told="By letter: kept until 2033", at=NOW)
    sam.refresh_from_db()
    assert sam.status == Client.Status.RESTRICTED
    seen = [user.name for user in (maya, sol, pax, fay, rosa) if Client.objects.visible_to(user).filter(pk=sam.pk)]
    assert seen == ["Rosa Bell"]
    assert emergencies.find(sam.number, "", None) is None
    assert emergencies.find(None, "Sam Whitehorse", date(1993, 3, 8)) is None
    page = as_user(rosa).get(reverse("client_keeping", args=[sam.pk])).content.decode()
    assert "The law wants it kept until" in page and "By letter: kept until 2033" in page
    with pytest.raises(NotNow):
        actions.take_back(by=maya, client=sam, words="Back", at=NOW)
    retention.withdraw(by=rosa, request=request, words="Changed their mind", at=NOW)
    sam.refresh_from_db()
    assert sam.status == Client.Status.DISCHARGED
    assert Client.objects.visible_to(maya).filter(pk=sam.pk).exists()


def test_restricted_client_of_an_admin_who_is_their_therapist_stays_hidden_in_the_chart(north: Any, rosa: User) -> None:
    from practice.access import Role

    both = factories.staff("Bo Ray", Role.ADMIN, Role.THERAPIST, sites=(north,))
    client = left(factories.client(both, "Ana Reed"), Client.Status.RESTRICTED)
    assert Client.objects.visible_to(both, Permission.KEEP_RECORDS).filter(pk=client.pk).exists()
    assert not Client.objects.visible_to(both, Permission.READ_CHART).filter(pk=client.pk).exists()


def test_nobody_is_restricted_while_in_care_or_flagged(maya: User, rosa: User, sam: Client) -> None:
    noted(sam, maya)
    request = retention.ask(by=rosa, client=sam, words="Please", at=NOW)
    with pytest.raises(NotNow, match="They are in care here"):
        retention.restrict(by=rosa, request=request, told="By phone", at=NOW)
    left(sam, Client.Status.DIED)
    Alert.objects.create(client=sam, source="manual", severity="urgent", opened_at=NOW, raised_at=NOW)
    with pytest.raises(NotNow, match="A safety flag of theirs is open"):
        retention.restrict(by=rosa, request=request, told="By phone", at=NOW)
    Alert.objects.all().delete()
    with pytest.raises(NotNow, match="may be deleted"):
        retention.restrict(by=rosa, request=request, told="By phone", at=years(8))
    retention.restrict(by=rosa, request=request, told="By phone", at=NOW)
    with pytest.raises(NotNow):
        retention.restrict(by=rosa, request=request, told="By phone", at=NOW)
    assert ErasureRequest.objects.get().told == "By phone"


# --- The purge -------------------------------------------------------------------------------------------------------


def test_purge_deletes_who_never_became_a_client(maya: User, omar: User, sam: Client, kit: Client) -> None:
    for client in (sam, kit):
        left(client, Client.Status.INVITED)
    noted(kit, omar)
    assert retention.purge(at=NOW + timedelta(days=89)) == 0
    assert retention.purge(at=NOW + timedelta(days=91)) == 1
    assert [client.pk for client in Client.objects.all()] == [kit.pk]
    assert [(row.what, row.ref, row.why, row.by) for row in Erased.objects.all()] == [("lead", sam.pk, "age", None)]


@pytest.mark.parametrize("what", ["hold", "link", "active"])
def test_purge_leaves_alone_whom_somebody_waits_for(
    what: str, maya: User, rosa: User, sam: Client, on_call: User
) -> None:
    at = NOW + timedelta(days=100)
    left(sam, Client.Status.ACTIVE if what == "active" else Client.Status.INVITED)
    if what == "hold":
        retention.place_hold(by=rosa, client=sam, words="Court", at=NOW)
    if what == "link":
        asking.invite(by=maya, client=sam, key="intake", at=at - timedelta(days=10))
    assert retention.purge(at=at) == 0
    assert Client.objects.filter(pk=sam.pk).exists()


def test_purge_deletes_questions_of_those_who_were_declined(rosa: User) -> None:
    said = {"at": NOW, "answer_by": NOW, "answered_at": NOW, "answered_by": rosa}
    declined = Enquiry.objects.create(state=Enquiry.State.DECLINED, **said)
    waiting = Enquiry.objects.create(at=NOW, answer_by=NOW)
    retention.purge(at=NOW + timedelta(days=90))
    assert Enquiry.objects.count() == 2
    retention.purge(at=NOW + timedelta(days=90, seconds=1))
    assert [row.pk for row in Enquiry.objects.all()] == [waiting.pk]
    assert [(row.what, row.ref) for row in Erased.objects.all()] == [("lead", declined.pk)]


@pytest.fixture
def draft(maya: User, sam: Client, on_call: User) -> Intake:
    invitation = asking.invite(by=maya, client=sam, key="intake", at=NOW)
    intake = Intake.objects.create(client=sam, invitation=invitation, started_at=NOW, saved_at=NOW)
    Answer(intake=intake, question="hopes", skipped=True, at=NOW).save()
    return intake


def test_draft_is_deleted_after_thirty_days(draft: Intake, sam: Client) -> None:
    assert drafts.forget(at=NOW + timedelta(days=30)) == 0
    assert drafts.forget(at=NOW + timedelta(days=30, seconds=1)) == 1
    assert (Intake.objects.count(), Answer.objects.count(), Invitation.objects.count()) == (0, 0, 1)
    assert [(row.what, row.ref, row.rows) for row in Erased.objects.all()] == [("draft", draft.pk, 2)]
    assert Client.objects.filter(pk=sam.pk).exists()


@pytest.mark.parametrize("why", ["flag", "hold", "sent", "link"])
def test_draft_that_somebody_needs_is_kept(why: str, draft: Intake, rosa: User, sam: Client) -> None:
    at = NOW + timedelta(days=40)
    if why == "flag":
        Alert.objects.create(
            client=sam, source="intake", source_id=draft.pk, severity="urgent", opened_at=NOW, raised_at=NOW
        )
    if why == "hold":
        retention.place_hold(by=rosa, client=sam, words="Court", at=NOW)
    if why == "sent":
        Intake.objects.update(submitted_at=NOW)
    if why == "link":
        Invitation.objects.update(expires_at=at + timedelta(days=1))
    assert drafts.forget(at=at) == 0
    assert Answer.objects.count() == 1


def test_records_past_their_time_are_listed(maya: User, omar: User, sam: Client, kit: Client, house: Practice) -> None:
    for client, by in ((sam, maya), (kit, omar)):
        noted(left(client), by)
    retention.place_hold(by=omar, client=kit, words="Court", at=NOW)
    assert retention.past_floor(house, years(6)) == []
    assert [client.pk for client, _finding in retention.past_floor(house, years(8))] == [sam.pk]


# --- Pages -----------------------------------------------------------------------------------------------------------


def test_admin_goes_from_the_number_to_deleting_for_good(
    rosa: User, maya: User, sam: Client, as_user: AsUser, django_capture_on_commit_callbacks: Any
) -> None:
    """Security check 57: the whole way by the pages."""
    browser = as_user(rosa)
    home, page = reverse("practice_data"), reverse("client_keeping", args=[sam.pk])
    wrong = send(browser, home, {"code": "somebody"})
    assert wrong.status_code == 400 and "Write it as it stands on the chart" in wrong.content.decode()
    assert "Nobody has this number." in send(browser, home, {"code": "CH-9999"}).content.decode()
    assert send(browser, home, {"code": sam.code.lower()}).url == page
    send(browser, page, {"act": "ask", "words": "Please delete me"})
    asked = browser.get(page).content.decode()
    assert "Please delete me" in asked and "There is no record of care yet" in asked
    refused = send(browser, page, {"act": "delete", "words": "CH-1"})
    assert refused.status_code == 400 and "That is not the number of this client" in refused.content.decode()
    assert send(browser, page, {"act": "delete", "words": sam.code}).url == home
    assert not Client.objects.filter(pk=sam.pk).exists()
    ledger = browser.get(home).content.decode()
    assert (str(sam.pk) in ledger, "Whitehorse" in ledger) == (True, False)
    assert browser.get(page).status_code == 404


def test_hold_is_placed_and_lifted_in_words(rosa: User, sam: Client, as_user: AsUser) -> None:
    browser, page = as_user(rosa), reverse("client_keeping", args=[sam.pk])
    assert send(browser, page, {"act": "hold", "words": " "}).status_code == 400
    send(browser, page, {"act": "hold", "words": "Letter of the board"})
    assert "Letter of the board" in browser.get(page).content.decode()
    assert send(browser, page, {"act": "hold", "words": "Again"}).status_code == 400
    send(browser, page, {"act": "lift", "words": "Board is done"})
    assert send(browser, page, {"act": "lift", "words": "Again"}).status_code == 400
    assert send(browser, page, {"act": "burn", "words": "x"}).status_code == 404
    hold = LegalHold.objects.get()
    assert (hold.words, hold.lifted_words, hold.lifted_by) == ("Letter of the board", "Board is done", rosa)


@pytest.mark.parametrize("n", [1, 3])
def test_page_of_keeping_asks_as_often_for_many_as_for_one(
    n: int, rosa: User, maya: User, as_user: AsUser, django_assert_num_queries: Any
) -> None:
    for number in range(n):
        client = factories.client(maya, f"Kim Vale {number}")
        retention.ask(by=rosa, client=client, words="Please", at=NOW)
        retention.place_hold(by=rosa, client=client, words="Court", at=NOW)
        erased = factories.client(maya, f"Lee Moor {number}")
        erasure.erase(by=rosa, client=erased, what="client", why="request", at=NOW)
    browser = as_user(rosa)
    browser.get(reverse("practice_data"))
    with django_assert_num_queries(18):
        browser.get(reverse("practice_data"))
