"""The client's right to a copy of their record: the clock, the acts, the file. And the button for everything."""

import io
import zipfile
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.conf import settings
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from practice import access_requests, actions, exports, jobs
from practice.actions import NotNow
from practice.models import AccessRequest, AuditEvent, Client, Export, Task, User
from tests import factories
from tests.factories import NOW

ASKED_ON = date(2026, 11, 19)


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "DATA_DIR", tmp_path)


def asked(client: Client, by: Any = None) -> AccessRequest:
    return access_requests.ask(by=by or client, client=client, words="On paper, please", at=NOW)


def page(browser: Any, client: Client) -> str:
    return " ".join(browser.get(reverse("record_copy", args=[client.pk])).content.decode().split())


# --- The clock -------------------------------------------------------------------------------------------------------


def test_copy_is_due_in_thirty_days_and_stands_in_the_caseload(sam: Client, maya: User) -> None:
    """45 CFR 164.524(b)(2)(i); security check 52."""
    request = asked(sam)
    assert (request.due_on, request.state, request.asked_by, request.words) == (
        ASKED_ON + timedelta(days=30), "asked", None, "On paper, please",
    )  # fmt: skip
    task = Task.objects.get(client=sam, kind="record_copy")
    assert (task.owner, task.due_at.astimezone().date() - request.due_on <= timedelta(days=1)) == (maya, True)
    assert AuditEvent.objects.get(action="access_request.asked").actor_kind == "client"


def test_asked_again_the_first_clock_runs_on(sam: Client, maya: User) -> None:
    first = asked(sam)
    again = access_requests.ask(by=maya, client=sam, words="Again", at=NOW + timedelta(days=9))
    assert (again.pk, AccessRequest.objects.count(), Task.objects.filter(kind="record_copy").count()) == (
        first.pk,
        1,
        1,
    )


def test_it_is_put_off_once_with_a_reason_and_by_thirty_days(sam: Client, maya: User) -> None:
    """45 CFR 164.524(b)(2)(ii)."""
    request = asked(sam)
    access_requests.extend(by=maya, request=request, words="Letters are in storage", at=NOW + timedelta(days=3))
    request.refresh_from_db()
    assert (request.state, request.due_on, request.extended_words, request.extended_by) == (
        "extended", ASKED_ON + timedelta(days=60), "Letters are in storage", maya,
    )  # fmt: skip
    with pytest.raises(NotNow, match="once already"):
        access_requests.extend(by=maya, request=request, words="More", at=NOW + timedelta(days=4))


def test_it_is_not_put_off_after_the_thirty_days(sam: Client, maya: User) -> None:
    request = asked(sam)
    with pytest.raises(NotNow, match="30 days are over"):
        access_requests.extend(by=maya, request=request, words="Late", at=NOW + timedelta(days=31))


def test_given_needs_a_copy_made_since_and_names_who_gave_it(sam: Client, maya: User) -> None:
    request = asked(sam)
    with pytest.raises(NotNow, match="No copy has been made"):
        access_requests.give(by=maya, request=request, how="in_person", words="", at=NOW)
    exports.begin(by=maya, client=sam, at=NOW)
    jobs.run_due()
    access_requests.give(by=maya, request=request, how="in_person", words="With a cover letter", at=NOW)
    request.refresh_from_db()
    assert (request.state, request.closed_by, request.how, request.export) == (
        "given", maya, "in_person", Export.objects.get(),
    )  # fmt: skip
    assert not Task.objects.filter(kind="record_copy", done_at=None).exists()
    with pytest.raises(NotNow, match="closed on"):
        access_requests.withdraw(by=maya, request=request, words="", at=NOW)


def test_one_request_is_open_and_given_is_by_somebody(sam: Client, maya: User) -> None:
    asked(sam)
    with pytest.raises(IntegrityError), transaction.atomic():
        AccessRequest.objects.create(client=sam, asked_at=NOW, due_on=ASKED_ON)


# --- The pages -------------------------------------------------------------------------------------------------------


def test_staff_note_make_fetch_and_give(sam: Client, maya: User, as_user: Any, post: Any) -> None:
    browser, here = as_user(maya), reverse("record_copy", args=[sam.pk])
    today = factories.today()
    post(browser, here, {"act": "ask", "asked_on": str(today - timedelta(days=4)), "words": "By post"})
    assert "26 days left" in page(browser, sam)
    post(browser, reverse("record_copy_make", args=[sam.pk]))
    assert "being made, 0 % done" in page(browser, sam)
    jobs.run_due()
    export = Export.objects.get()
    answer = browser.get(reverse("export_file", args=[export.pk]))
    with zipfile.ZipFile(io.BytesIO(b"".join(answer.streaming_content))) as bundle:
        assert "manifest.json" in bundle.namelist()
    assert answer["Content-Disposition"] == (f'attachment; filename="waymark-{sam.code}-{today}.zip"')
    post(browser, here, {"act": "give", "how": "mailed", "words": ""})
    assert AccessRequest.objects.get().state == "given"
    assert "sent by post or courier" in page(browser, sam)
    told = AuditEvent.objects.filter(action__startswith="export.").order_by("seq").values_list("action", flat=True)
    assert list(told) == ["export.asked", "export.made", "export.fetched"]


def test_what_is_missing_is_said_and_nothing_is_written(sam: Client, maya: User, as_user: Any, post: Any) -> None:
    browser, here = as_user(maya), reverse("record_copy", args=[sam.pk])
    tomorrow = factories.today() + timedelta(days=1)
    for sent, said in (
        ({"act": "ask", "asked_on": str(tomorrow)}, "This day is still to come."),
        ({"act": "ask", "asked_on": "2020-01-01"}, "more than 60 days ago"),
        ({"act": "give", "how": "mailed"}, "There is no open request any more."),
        ({"act": "give"}, "Choose how they got it."),
        ({"act": "extend"}, "Write why it takes longer."),
    ):
        answer = post(browser, here, sent)
        assert (answer.status_code, said in answer.content.decode()) == (400, True), said
    assert post(browser, here, {"act": "nothing"}).status_code == 404
    assert AccessRequest.objects.count() == 0


def test_file_is_for_who_asked_and_while_they_may(
    sam: Client, maya: User, sol: User, omar: User, rosa: User, as_user: Any
) -> None:
    """Security checks 9 and 10: reassigned or deactivated, the download is refused on the next request."""
    exports.begin(by=maya, client=sam, at=NOW)
    jobs.run_due()
    url = reverse("export_file", args=[Export.objects.get().pk])
    browser = as_user(maya)
    assert [as_user(user).get(url).status_code for user in (sol, omar, rosa)] == [404, 404, 404]
    assert browser.get(url).status_code == 200
    Client.objects.filter(pk=sam.pk).update(therapist=omar)
    assert browser.get(url).status_code == 404
    assert as_user(omar).get(url).status_code == 404


def test_chart_and_list_show_the_clock(
    sam: Client, kit: Client, maya: User, omar: User, rosa: User, as_user: Any
) -> None:
    with time_machine.travel(NOW + timedelta(days=31), tick=False):
        asked(sam)
        asked(kit)
        assert "1 day late" in as_user(maya).get(reverse("chart", args=[sam.pk])).content.decode()
        seen = {u.first_name: as_user(u).get(reverse("record_copies")).content.decode() for u in (maya, omar, rosa)}
        assert {name: (sam.name in html, kit.name in html) for name, html in seen.items()} == {
            "Maya": (True, False), "Omar": (False, True), "Rosa": (True, True),
        }  # fmt: skip


def test_list_asks_the_database_the_same_for_one_and_three(rosa: User, maya: User, as_user: Any) -> None:
    browser = as_user(rosa)
    browser.get(reverse("record_copies"))
    counts = []
    for wave in (("Ann One",), ("Ben Two", "Cas Three")):
        for name in wave:
            asked(factories.client(maya, name))
        with CaptureQueriesContext(connection) as caught:
            browser.get(reverse("record_copies"))
        counts.append(len(caught))
    assert counts[0] == counts[1]


def test_admin_has_everything_copied(sam: Client, rosa: User, as_user: Any, post: Any) -> None:
    browser = as_user(rosa)
    post(browser, reverse("practice_export"))
    jobs.run_due()
    html = " ".join(browser.get(reverse("practice_export")).content.decode().split())
    assert "ready, kept until" in html
    assert browser.get(reverse("export_file", args=[Export.objects.get().pk])).status_code == 200


def test_discharged_client_still_has_the_right(sam: Client, maya: User, as_user: Any, post: Any) -> None:
    actions.discharge(by=maya, client=sam, status="discharged", words="Moved away", at=NOW)
    post(as_user(maya), reverse("record_copy", args=[sam.pk]), {"act": "ask", "asked_on": str(factories.today())})
    assert AccessRequest.objects.get().client == sam


@pytest.mark.parametrize("name", ["record_copy_make", "export_file", "practice_export"])
def test_copies_ask_for_the_password_again(name: str, sam: Client, rosa: User, as_user: Any) -> None:
    """Security check 30: an export with a sign-in older than five minutes."""
    export = Export.objects.create(client=sam, asked_by=rosa, asked_at=NOW)
    args = {"record_copy_make": [sam.pk], "export_file": [export.pk], "practice_export": []}[name]
    browser = as_user(rosa)
    browser.get(reverse("caseload"))
    with time_machine.travel(timezone.now() + timedelta(minutes=6)):
        answer = browser.get(reverse(name, args=args))
    assert (answer.status_code, answer["Location"].startswith(reverse("account_reauthenticate"))) == (302, True)
