"""Feature A18: a medication list from a phone, page by page; kept sealed, given out as a file, typed by a person."""

import io
import secrets
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import IntegrityError, connection, transaction
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from PIL import Image

from intake import actions, medicines
from intake.models import Answer, MedicinePage
from practice import erasure, record, uploads
from practice.actions import NotNow
from practice.models import AuditEvent, Client, Task, User
from tests.conftest import send
from tests.factories import NOW
from tests.homes import at_home
from tests.intake.conftest import Phone
from tests.practice.test_pictures import bomb, photo

PDF = b"%PDF-1.7\n1 0 obj <</Type /Catalog>> endobj\n%%EOF\n"


def picture(shade: int) -> bytes:
    """A photo unlike those of other shades."""
    kept = io.BytesIO()
    Image.new("RGB", (60, 40), (shade, 0, 0)).save(kept, "JPEG")
    return kept.getvalue()


def upload(browser: Any, body: bytes, name: str = "my_medicines", key: str | None = None, called: str = "x.jpg") -> Any:
    return send(browser, reverse(name), {"file": SimpleUploadedFile(called, body)}, key=key)


def text_of(answer: Any) -> str:
    return " ".join(answer.content.decode().split())


def page_of(client: Client, body: bytes = PDF, at: Any = NOW) -> MedicinePage:
    return medicines.send(by=client, body=body, at=at)


# --- The client's own page -------------------------------------------------------------------------------------------


def test_client_sends_pages_one_by_one_and_sees_what_is_here(sam: Client, maya: User) -> None:
    browser = at_home(sam)
    assert "Send a photo of my list" in text_of(browser.get(reverse("my_home")))
    for body in (photo(where=True), PDF):
        assert upload(browser, body)["Location"] == reverse("my_medicines")
    here = text_of(browser.get(reverse("my_medicines")))
    assert (here.count("Waits to be read."), "Add another page" in here) == (2, True)
    assert "Pages that wait to be read: 2." in text_of(browser.get(reverse("my_home")))
    rows = list(MedicinePage.objects.values_list("client", "kind"))
    assert rows == [(sam.pk, "image/jpeg"), (sam.pk, "application/pdf")]
    task = Task.objects.get(kind="medicines")
    assert (task.client, task.owner, task.done_at) == (sam, maya, None)
    sam.refresh_from_db()
    assert sam.last_heard_at is not None
    sent = AuditEvent.objects.filter(action="medicines.sent")
    assert [(event.actor_kind, event.client_id) for event in sent] == [("client", sam.pk)] * 2


def take_back(browser: Any, page: object, name: str = "my_medicines", key: str | None = None) -> Any:
    return send(browser, reverse(name), {"back": str(page)}, key=key)


def test_client_takes_a_page_back_until_it_is_typed(sam: Client, maya: User) -> None:
    browser = at_home(sam)
    first, second = page_of(sam), page_of(sam, photo())
    assert text_of(browser.get(reverse("my_medicines"))).count("Take it back") == 2
    for _tap in range(2):
        assert take_back(browser, first.pk)["Location"] == reverse("my_medicines")
    assert [row.pk for row in MedicinePage.objects.all()] == [second.pk]
    assert Task.objects.get(kind="medicines").done_at is None
    medicines.typed(by=maya, client=sam, pages=[second.pk], at=NOW)
    page = text_of(browser.get(take_back(browser, second.pk)["Location"]))
    assert ("This page stands in your record already." in page, "Take it back" in page) == (True, False)
    assert MedicinePage.objects.count() == 1
    trail = AuditEvent.objects.filter(action="medicines.taken_back")
    assert [(event.actor_kind, event.client_id) for event in trail] == [("client", sam.pk)]


def test_last_page_taken_back_leaves_no_task(sam: Client) -> None:
    take_back(at_home(sam), page_of(sam).pk)
    assert (MedicinePage.objects.count(), Task.objects.filter(kind="medicines", done_at=None).count()) == (0, 0)


@pytest.mark.parametrize("page", ["", "x", "\x00", "1"])
def test_taking_back_nothing_there_is_a_page_that_is_not(sam: Client, page: str) -> None:
    assert take_back(at_home(sam), page).status_code == 404


def test_page_of_somebody_else_is_not_taken_back(sam: Client, kit: Client) -> None:
    theirs = page_of(kit)
    take_back(at_home(sam), theirs.pk)
    assert MedicinePage.objects.filter(pk=theirs.pk).exists()


def test_photo_lies_sealed_without_where_it_was_taken(sam: Client) -> None:
    page = page_of(sam, photo(where=True))
    page.refresh_from_db()
    assert b"Phone of Sam" not in bytes(page.body)
    assert (len(page.body), page.size) == (page.size, len(page.body))
    with connection.cursor() as cursor:
        cursor.execute("SELECT body FROM intake_medicinepage")
        stored = bytes(cursor.fetchone()[0])
    assert (stored[:1], b"JFIF" in stored) == (b"\x01", False)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "That file is empty."),
        (b"<html><script>alert(1)</script>", "We take photos (JPEG or PNG) and PDF."),
        (b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>", "We take photos (JPEG or PNG)"),
        (bomb(60_000, 60_000), "This photo is too large to open."),
        (photo()[:400], "This photo is broken"),
        (b"%PDF-1.7\n<</OpenAction 2 0 R>>\n%%EOF", "This PDF does more than show pages"),
    ],
)
def test_what_is_not_taken_comes_back_with_a_sentence_and_the_next_try_works(
    sam: Client, body: bytes, said: str
) -> None:
    browser, key = at_home(sam), secrets.token_urlsafe(24)
    answer = upload(browser, body, key=key)
    assert (answer.status_code, said in text_of(answer), MedicinePage.objects.count()) == (400, True, 0)
    assert not Task.objects.filter(kind="medicines").exists()
    assert upload(browser, photo(), key=key).status_code == 303
    assert MedicinePage.objects.count() == 1


def test_nothing_chosen_is_said(sam: Client) -> None:
    answer = send(at_home(sam), reverse("my_medicines"))
    assert (answer.status_code, "Choose a photo or a PDF first." in text_of(answer)) == (400, True)


@pytest.mark.parametrize(("more", "status", "kept"), [(0, 303, 1), (1, 400, 0)])
def test_largest_file_is_taken_and_one_byte_more_is_not(sam: Client, more: int, status: int, kept: int) -> None:
    head, end = b"%PDF-1.7\n", b"\n%%EOF\n"
    body = head + b"x" * (uploads.LARGEST + more - len(head) - len(end)) + end
    answer = upload(at_home(sam), body)
    assert (answer.status_code, MedicinePage.objects.count()) == (status, kept)
    assert ("larger than 20 MB" in text_of(answer)) is bool(more)


def test_what_is_a_photo_and_something_else_is_kept_as_the_photo_alone(sam: Client) -> None:
    page = page_of(sam, photo() + b"<script>alert(1)</script>%PDF-1.7 /OpenAction PK\x03\x04")
    assert (page.kind, b"script" in page.body, b"PK\x03\x04" in page.body) == ("image/jpeg", False, False)


def test_name_of_the_file_is_not_kept_and_decides_nothing(sam: Client) -> None:
    upload(at_home(sam), PDF, called="Sam Whitehorse.exe")
    page = MedicinePage.objects.get()
    assert (page.kind, "Whitehorse" in repr(vars(page))) == ("application/pdf", False)


def test_pages_are_taken_up_to_the_limit_and_again_when_they_are_typed(sam: Client, maya: User) -> None:
    browser = at_home(sam)
    for shade in range(medicines.MOST):
        assert upload(browser, picture(shade * 40)).status_code == 303
    assert "Send this page" not in text_of(browser.get(reverse("my_medicines")))
    answer = upload(browser, PDF)
    assert (answer.status_code, MedicinePage.objects.count()) == (400, medicines.MOST)
    assert "There are 6 pages here already." in text_of(answer)
    pages = [page.pk for page in medicines.waiting(sam)]
    medicines.typed(by=maya, client=sam, pages=pages, at=timezone.now())
    here = text_of(browser.get(reverse("my_medicines")))
    assert (here.count("Maya typed it into your record."), "Send this page" in here) == (6, True)
    assert upload(browser, PDF).status_code == 303


def test_second_press_and_the_same_page_again_are_taken_once(sam: Client) -> None:
    browser, key = at_home(sam), secrets.token_urlsafe(24)
    answers = [upload(browser, photo(), key=key) for _ in range(2)]
    answers.append(upload(browser, photo()))
    assert [answer.status_code for answer in answers][2] == 303
    assert (MedicinePage.objects.count(), Task.objects.filter(kind="medicines").count()) == (1, 1)
    assert AuditEvent.objects.filter(action="medicines.sent").count() == 1


@pytest.mark.parametrize("status", sorted(Client.LEFT))
def test_nothing_is_taken_after_care_has_ended(sam: Client, status: str) -> None:
    browser = at_home(sam)
    Client.objects.filter(pk=sam.pk).update(status=status)
    assert reverse("my_locked") in upload(browser, PDF)["Location"]
    with pytest.raises(NotNow, match="Nothing can be sent here any more"):
        page_of(sam)
    assert MedicinePage.objects.count() == 0


def test_page_costs_the_same_with_one_page_and_with_five(sam: Client) -> None:
    browser, counts = at_home(sam), []
    for shades in (range(1), range(1, 5)):
        for shade in shades:
            page_of(sam, picture(shade * 40))
        with CaptureQueriesContext(connection) as asked:
            browser.get(reverse("my_medicines"))
        assert not any('"body"' in query["sql"] for query in asked)
        counts.append(len(asked))
    assert counts[0] == counts[1]


# --- Beside the question of a form -----------------------------------------------------------------------------------


@pytest.fixture
def phone(sam: Client, maya: User, on_call: User) -> Phone:
    return Phone(actions.invite(by=maya, client=sam, key="intake", at=timezone.now())).start()


def question() -> str:
    return reverse("my_page", args=[medicines.QUESTION])


def test_photo_from_the_form_loses_nothing_of_the_page(phone: Phone, sam: Client) -> None:
    rows = {"rows-TOTAL_FORMS": "2", "rows-INITIAL_FORMS": "0", "rows-0-name": "Sertraline", "rows-1-dose": "10 mg"}
    assert 'name="photo"' in text_of(phone.get(question()))
    answer = phone.post(question(), {**rows, "photo": "1"})
    assert answer["Location"] == reverse("my_form_medicines")
    page = text_of(phone.get(answer["Location"]))
    assert (f'href="{question()}"' in page, "Add a page" in page) == (True, True)
    assert upload(phone.browser, photo(), "my_form_medicines")["Location"] == reverse("my_form_medicines")
    back = text_of(phone.get(question()))
    assert ("Sertraline" in back, "10 mg" in back, "The photos of your list are here" in back) == (True, True, True)
    assert MedicinePage.objects.get().client == sam


def test_photo_from_an_empty_page_answers_nothing_and_the_form_goes_on(phone: Phone) -> None:
    rows = {"rows-TOTAL_FORMS": "1", "rows-INITIAL_FORMS": "0", "rows-0-name": ""}
    assert phone.post(question(), {**rows, "photo": "1"})["Location"] == reverse("my_form_medicines")
    assert not Answer.objects.filter(question=medicines.QUESTION).exists()
    upload(phone.browser, photo(), "my_form_medicines")
    assert phone.post(question(), rows)["Location"] == reverse("my_page", args=["medicine-kinds"])


def test_other_questions_offer_no_photo(phone: Phone) -> None:
    other = reverse("my_page", args=["medicine-kinds"])
    assert 'name="photo"' not in text_of(phone.get(other))
    phone.post(other, {"photo": "1"})
    assert MedicinePage.objects.count() == 0


def test_device_of_the_practice_takes_no_photo(phone: Phone) -> None:
    session = phone.browser.session
    session["here"] = True
    session.save()
    assert 'name="photo"' not in text_of(phone.get(question()))
    assert upload(phone.browser, PDF, "my_form_medicines")["Location"] == reverse("my_start")
    assert MedicinePage.objects.count() == 0


def test_form_that_was_sent_takes_no_more(phone: Phone) -> None:
    sitting = phone.sitting
    sitting.submitted_at = timezone.now()
    sitting.save()
    assert upload(phone.browser, PDF, "my_form_medicines")["Location"] == reverse("my_done")
    assert MedicinePage.objects.count() == 0


def test_browser_without_a_link_sends_nothing(sam: Client) -> None:
    for name in ("my_medicines", "my_form_medicines"):
        assert reverse("my_locked") in upload(Browser(), PDF, name)["Location"]
    assert MedicinePage.objects.count() == 0


# --- The chart -------------------------------------------------------------------------------------------------------


def test_page_goes_out_as_a_file_and_never_inline(as_user: Any, maya: User, sam: Client) -> None:
    first, second = page_of(sam), page_of(sam, photo(), NOW + timedelta(minutes=1))
    chart = text_of(as_user(maya).get(reverse("chart", args=[sam.pk])))
    assert ("Medication list sent" in chart, "I typed these medicines" in chart) == (True, True)
    for page, name, kind in ((first, "medicines-1.pdf", "application/pdf"), (second, "medicines-2.jpg", "image/jpeg")):
        url = reverse("medicine_page", args=[sam.pk, page.pk])
        assert url in chart
        answer = as_user(maya).get(url)
        assert {header: answer[header] for header in ("Content-Type", "Content-Disposition", "Cache-Control")} == {
            "Content-Type": kind, "Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store",
        }  # fmt: skip
        assert answer["X-Content-Type-Options"] == "nosniff"
        assert answer["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'; sandbox"
        assert answer.content == bytes(MedicinePage.objects.get(pk=page.pk).body)
    read = AuditEvent.objects.filter(action="read.medicine_page").values_list("actor_id", "client_id")
    assert list(read) == [(maya.pk, sam.pk)] * 2


def test_chart_without_a_list_has_no_panel(as_user: Any, maya: User, sam: Client) -> None:
    assert "medicines-h" not in text_of(as_user(maya).get(reverse("chart", args=[sam.pk])))


def test_typing_is_noted_once_and_finishes_the_item(as_user: Any, maya: User, sam: Client) -> None:
    page, browser, url = page_of(sam), as_user(maya), reverse("medicines_typed", args=[sam.pk])
    assert browser.get(url).status_code == 302  # a look changes nothing
    assert Task.objects.get(kind="medicines").done_at is None
    answers = [send(browser, url, {"page": [str(page.pk), "x"]}, key=None) for _ in range(2)]
    assert [answer["Location"] for answer in answers] == [reverse("chart", args=[sam.pk])] * 2
    page.refresh_from_db()
    task = Task.objects.get(kind="medicines")
    assert (page.typed_by, task.done_by, task.done_at) == (maya, maya, page.typed_at)
    assert AuditEvent.objects.filter(action="medicines.typed").count() == 1
    chart = text_of(browser.get(reverse("chart", args=[sam.pk])))
    assert ("Nothing of this list was waiting any more." in chart, "Typed by Maya" in chart) == (True, True)


def test_page_that_came_while_somebody_typed_goes_on_waiting(maya: User, sam: Client) -> None:
    first, second = page_of(sam), page_of(sam, photo())
    assert medicines.typed(by=maya, client=sam, pages=[first.pk], at=NOW) == 1
    assert [page.pk for page in medicines.waiting(sam)] == [second.pk]
    assert Task.objects.get(kind="medicines").done_at is None


def test_pages_of_somebody_else_are_unknown(as_user: Any, omar: User, maya: User, sam: Client, kit: Client) -> None:
    """The wrong person, and the right person by the wrong client's address."""
    page = page_of(sam)
    browser = as_user(omar)
    assert browser.get(reverse("medicine_page", args=[sam.pk, page.pk])).status_code == 404
    assert browser.get(reverse("medicine_page", args=[kit.pk, page.pk])).status_code == 404
    assert send(browser, reverse("medicines_typed", args=[sam.pk]), {"page": str(page.pk)}).status_code == 404
    assert send(browser, reverse("medicines_typed", args=[kit.pk]), {"page": str(page.pk)}).status_code == 302
    page.refresh_from_db()
    assert page.typed_at is None


def test_staff_who_do_not_read_charts_get_no_page(as_user: Any, rosa: User, fay: User, sam: Client) -> None:
    page = page_of(sam)
    for user in (rosa, fay):
        browser = as_user(user)
        assert browser.get(reverse("medicine_page", args=[sam.pk, page.pk])).status_code == 403
        assert send(browser, reverse("medicines_typed", args=[sam.pk]), {"page": str(page.pk)}).status_code == 403


def test_page_of_a_discharged_client_is_still_on_the_chart(as_user: Any, maya: User, sam: Client) -> None:
    page = page_of(sam)
    Client.objects.filter(pk=sam.pk).update(status=Client.Status.DISCHARGED)
    assert as_user(maya).get(reverse("medicine_page", args=[sam.pk, page.pk])).status_code == 200


# --- The row ---------------------------------------------------------------------------------------------------------


def test_page_is_never_changed_and_typed_by_somebody(maya: User, sam: Client) -> None:
    page = page_of(sam)
    with pytest.raises(TypeError):
        page.save()
    with pytest.raises(IntegrityError), transaction.atomic():
        MedicinePage.objects.filter(pk=page.pk).update(typed_at=NOW)


def test_page_is_in_the_copy_of_the_record(sam: Client) -> None:
    page = page_of(sam)
    kind = next(kind for kind in record.kinds(of_client=True) if kind.label == "intake.MedicinePage")
    assert [pair for row in kind.rows(sam.pk) for pair in record.files(kind, row)] == [
        (f"files/intake-medicinepage/{page.pk}-body.pdf", PDF)
    ]


def test_page_goes_when_the_client_is_erased(
    maya: User, rosa: User, sam: Client, kit: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "DATA_DIR", tmp_path)
    typed, other = page_of(sam), page_of(kit)
    medicines.typed(by=maya, client=sam, pages=[typed.pk], at=NOW)
    erasure.erase(by=rosa, client=sam, what="client", why="request", at=NOW)
    assert list(MedicinePage.objects.all()) == [other]
