"""Letters as files: what is taken and refused, that nothing of it runs, and who reads it."""

import io
import re
import zipfile
from collections.abc import Callable
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from django.core.exceptions import TooManyFilesSent
from django.core.files.uploadedfile import SimpleUploadedFile, UploadedFile
from django.http import HttpRequest
from django.test import Client as Browser
from django.test import RequestFactory
from django.urls import reverse

from practice import uploads
from practice.actions import NotNow
from practice.models import AuditEvent, Client, Task, User
from referrals import attachments
from referrals.models import Letter, Referral
from tests.conftest import send
from tests.factories import NOW
from tests.referrals import cases

JS_PDF = b"%PDF-1.7\n1 0 obj<</OpenAction<</S/JavaScript/JS(app.alert(1))>>>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF"
PNG = b"\x89PNG\r\n\x1a\n" + b"\x00" * 40
SENTENCE = "We take letters as PDF, Word (docx), plain text, or a picture (JPEG, PNG, TIFF, HEIC)."


def archive(*names: str) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as parts:
        for name in names:
            parts.writestr(name, "<x/>")
    return made.getvalue()


def word_file(*extra: str) -> bytes:
    return archive("[Content_Types].xml", "word/document.xml", *extra)


@pytest.fixture
def sent(sam: Client, maya: User) -> Referral:
    return cases.referral(sam, maya, cases.clinic())


def letter_of(referral: Referral, kind: str = "", body: bytes = b"", **fields: Any) -> Letter:
    row = Letter(referral=referral, kind=kind, size=len(body), at=fields.pop("at", NOW), by_name="Marta Lopez")
    for name, value in ({"name": "letter.pdf", "words": "", "body": body} | fields).items():
        setattr(row, name, value)
    row.save(force_insert=True)
    return row


# --- What is taken ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (JS_PDF, attachments.PDF),
        (b"\xff\xd8\xff\xe0" + b"\x00" * 20, attachments.JPEG),
        (PNG, attachments.PNG),
        (b"II*\x00" + b"\x00" * 20, attachments.TIFF),
        (b"MM\x00*" + b"\x00" * 20, attachments.TIFF),
        (b"\x00\x00\x00\x18ftypheic" + b"\x00" * 20, attachments.HEIC),
        (word_file(), attachments.DOCX),
        ("Dear Maya,\r\n\tshe did well — PHQ-9 21 to 9.\f".encode(), attachments.TEXT),
        (b"\xef\xbb\xbfDear Maya", attachments.TEXT),
    ],
)
@pytest.mark.parametrize("said", ["text/html", "application/pdf", ""])
def test_file_is_taken_by_its_bytes_whatever_it_says_it_is(body: bytes, kind: str, said: str) -> None:
    assert attachments.take(SimpleUploadedFile("x.exe", body, content_type=said)) == (body, kind)


@pytest.mark.parametrize(
    "body",
    [
        b"<!doctype html><script>alert(1)</script>",
        b"  \n<html><body>Dear Maya</body></html>",
        b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>',
        b'\xef\xbb\xbf<?xml version="1.0"?><svg/>',
        b"MZ\x90\x00\x03" + b"\x00" * 60,
        b"\x7fELF" + b"\x00" * 60,
        b"#!/bin/sh\nrm -rf /",
        b"{\\rtf1 Dear Maya}",
        b"PK\x03\x04 not a zip at all",
        word_file("word/vbaProject.bin"),
        archive("a.txt"),
        "Dear Maya".encode("utf-16"),
        b"Dear\x00Maya",
        b"GIF89a" + b"\xff" * 20,
        b"   \n ",
    ],
)
def test_file_of_another_kind_is_refused_with_a_sentence(body: bytes) -> None:
    with pytest.raises(NotNow) as refusal:
        attachments.take(SimpleUploadedFile("letter.pdf", body, content_type="application/pdf"))
    assert str(refusal.value).startswith(SENTENCE)


def test_file_of_no_bytes_is_refused_with_a_sentence() -> None:
    with pytest.raises(NotNow, match="That file is empty"):
        attachments.take(SimpleUploadedFile("letter.pdf", b""))


def test_zip_bomb_is_told_by_its_list_and_not_unpacked() -> None:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as parts:
        parts.writestr("word/document.xml", b"0" * 50_000_000)
    with pytest.raises(NotNow):
        attachments.take(SimpleUploadedFile("bomb.docx", made.getvalue()))


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Outcome letter.pdf", "Outcome letter.pdf"),
        ("letter.pdf.exe", "letter.pdf.exe"),
        ("", "letter"),
        ("...", "letter"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\clinic\\letter.pdf", "letter.pdf"),
        ("letter\u202efdp.exe", "letterfdp.exe"),
        ("a\x00b\r\nc.pdf", "abc.pdf"),
        ("رسالة.pdf", "رسالة.pdf"),
        ("x" * 300 + ".pdf", "x" * 115 + "….pdf"),
        ("y" * 300, "y" * 119 + "…"),
    ],
)
def test_name_is_shown_without_what_deceives(name: str, shown: str) -> None:
    assert attachments.shown_name(name) == shown


# --- How it arrives --------------------------------------------------------------------------------------------------


class Endless(io.RawIOBase):
    """A body that goes on for as long as anybody reads."""

    def __init__(self, start: bytes) -> None:
        self.start, self.given = start, 0

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        piece, self.start = self.start[:size], self.start[size:]
        piece += b"A" * (size - len(piece))
        self.given += len(piece)
        return piece


def posted(stream: Any, length: int, *, takes: bool = True) -> HttpRequest:
    request = RequestFactory().generic(
        "POST",
        "/desk/",
        **{
            "wsgi.input": stream,
            "CONTENT_LENGTH": str(length),
            "CONTENT_TYPE": "multipart/form-data; boundary=edge",
        },
    )

    def view() -> None: ...

    request.resolver_match = SimpleNamespace(func=uploads.takes_file(view) if takes else view)  # type: ignore[assignment]
    return request


def form(body: bytes, name: str = "letter.pdf") -> bytes:
    words = b'--edge\r\nContent-Disposition: form-data; name="words"\r\n\r\nShe did well\r\n'
    head = (
        f'--edge\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\nContent-Type: text/html\r\n\r\n'
    )
    return words + head.encode() + body


@pytest.mark.parametrize(
    ("length", "most"), [(1024**3, 200_000), (uploads.LARGEST + 900_000, uploads.LARGEST + 200_000)]
)
def test_file_that_is_too_large_is_refused_before_it_is_read_whole(length: int, most: int) -> None:
    stream = Endless(form(b"%PDF-"))
    request = posted(stream, length)
    with pytest.raises(NotNow, match="That file is larger than 20 MB"):
        attachments.chosen(request)
    assert stream.given <= most
    assert request.POST["words"] == "She did well"
    assert dict(request.FILES) == {}


def test_file_that_fits_arrives_whole_and_stays_off_the_disk() -> None:
    body = form(JS_PDF + b"\r\n--edge--\r\n", "Outcome.pdf")
    request = posted(io.BytesIO(body), len(body))
    assert attachments.chosen(request) == ("Outcome.pdf", attachments.PDF, JS_PDF)
    file = request.FILES["file"]
    assert isinstance(file, UploadedFile) and isinstance(file.file, io.BytesIO)
    assert attachments.chosen(request, "another") is None


def test_empty_file_control_is_no_file() -> None:
    body = form(b"\r\n--edge--\r\n", "")
    assert attachments.chosen(posted(io.BytesIO(body), len(body))) is None


def test_page_that_takes_no_file_refuses_one_unread() -> None:
    stream = Endless(form(b"%PDF-"))
    with pytest.raises(TooManyFilesSent):
        _ = posted(stream, 1024**3, takes=False).POST
    assert stream.given < 200_000


def test_second_file_of_one_form_is_refused() -> None:
    part = form(JS_PDF + b"\r\n")
    body = part + part + b"--edge--\r\n"
    with pytest.raises(TooManyFilesSent):
        _ = posted(io.BytesIO(body), len(body)).POST


def test_sign_in_page_answers_a_file_with_400(client: Browser, db: None) -> None:
    answer = client.post(
        reverse("account_login"), {"login": "a@example.org", "file": SimpleUploadedFile("a.pdf", JS_PDF)}
    )
    assert answer.status_code == 400
    assert "We could not read that" in answer.content.decode()


# --- How it goes out -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "served", "ending"),
    [
        (attachments.PDF, "application/pdf", "pdf"),
        (attachments.TEXT, "text/plain; charset=utf-8", "txt"),
        ("text/html", "application/octet-stream", "bin"),
    ],
)
def test_file_goes_out_as_an_attachment_that_nothing_runs(
    sent: Referral, maya: User, as_user: Callable[[User], Browser], kind: str, served: str, ending: str
) -> None:
    row = letter_of(sent, kind, JS_PDF, name='Sam Whitehorse";\r\nX-Evil: 1.pdf')
    answer = as_user(maya).get(f"/referrals/{sent.pk}/letters/{row.pk}/file/")
    assert answer.content == JS_PDF
    assert {
        name: answer[name]
        for name in (
            "Content-Type",
            "Content-Disposition",
            "X-Content-Type-Options",
            "Content-Security-Policy",
            "Cache-Control",
        )
    } == {
        "Content-Type": served,
        "Content-Disposition": f'attachment; filename="letter-{sent.reference}-1.{ending}"',
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; sandbox",
        "Cache-Control": "no-store",
    }


def test_letter_page_shows_words_and_name_as_text(
    sent: Referral, maya: User, as_user: Callable[[User], Browser]
) -> None:
    row = letter_of(sent, attachments.PDF, JS_PDF, name="<script>alert(1)</script>.pdf", words="<b>PHQ-9</b> 21 to 9")
    page = as_user(maya).get(f"/referrals/{sent.pk}/letters/{row.pk}/").content.decode()
    assert "&lt;b&gt;PHQ-9&lt;/b&gt; 21 to 9" in page and "&lt;script&gt;alert(1)" in page
    assert "<script>alert" not in page
    assert "Sam" not in re.search(r"<title>(.*?)</title>", page, re.S)[1]  # type: ignore[index]


def test_letter_is_read_once_and_its_item_is_done(
    sent: Referral, maya: User, sol: User, as_user: Callable[[User], Browser]
) -> None:
    first, second = letter_of(sent, words="One"), letter_of(sent, words="Two", at=NOW + timedelta(hours=1))
    Task.open(sent.client, "letter", at=NOW, subject_id=sent.pk)
    opened = Task.objects.filter(kind="letter", done_at=None)
    browser = as_user(maya)
    send(browser, f"/referrals/{sent.pk}/letters/{first.pk}/read/")
    assert opened.exists()
    send(browser, f"/referrals/{sent.pk}/letters/{second.pk}/read/")
    assert not opened.exists()
    answer = send(as_user(sol), f"/referrals/{sent.pk}/letters/{first.pk}/read/", follow=True)
    assert "Read already, by Maya Torres" in answer.content.decode()
    assert Letter.objects.get(pk=first.pk).read_by == maya
    said = AuditEvent.objects.filter(action="letter.read").order_by("seq").values_list("actor_id", "facts")
    assert list(said) == [
        (maya.pk, {"first": True}), (maya.pk, {"first": True}), (sol.pk, {"first": False})
    ]  # fmt: skip


def test_letter_of_another_client_is_not_found(
    sent: Referral, kit: Client, omar: User, maya: User, as_user: Callable[[User], Browser]
) -> None:
    theirs = cases.referral(kit, omar, sent.destination)
    row = letter_of(theirs, attachments.PDF, JS_PDF, words="CANARY")
    browser = as_user(maya)
    for path in ("", "file/", "read/"):
        for referral in (theirs, sent):
            answer = browser.get(f"/referrals/{referral.pk}/letters/{row.pk}/{path}")
            assert answer.status_code == 404 and "CANARY" not in answer.content.decode()
