"""Letters as files: what is taken, by what the bytes are and not by what they are called, and how they go out again.

A file is stored as it came, opened by nothing here, and given out only as an attachment under a name of ours.
"""

import io
import re
import unicodedata
import zipfile
from collections.abc import Mapping

from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext

from practice import uploads
from practice.actions import NotNow
from practice.uploads import as_attachment
from referrals.models import Letter

PDF, JPEG, PNG, TIFF, HEIC = "application/pdf", "image/jpeg", "image/png", "image/tiff", "image/heic"
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
TEXT = "text/plain"
ENDINGS: Mapping[str, str] = {PDF: "pdf", JPEG: "jpg", PNG: "png", TIFF: "tif", HEIC: "heic", DOCX: "docx", TEXT: "txt"}
ACCEPT = ",".join(f".{ending}" for ending in (*ENDINGS.values(), "jpeg", "tiff"))  # for the file control of a form
LONGEST_NAME = 120

_BEGINNINGS = (
    (b"%PDF-", PDF),
    (b"\xff\xd8\xff", JPEG),
    (b"\x89PNG\r\n\x1a\n", PNG),
    (b"II*\x00", TIFF),
    (b"MM\x00*", TIFF),
)
_HEIC_BRANDS = (b"heic", b"heix", b"heif", b"mif1", b"msf1")
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f]")

File = tuple[str, str, bytes]


def chosen(request: HttpRequest, field: str = "file") -> File | None:
    """Return name, kind and bytes of the file sent in this field; None when none was. Raises NotNow with a sentence."""
    if uploads.was_too_large(request):
        raise NotNow(_too_large())
    file = request.FILES.get(field)
    if file is None:
        return None
    body, kind = take(file)
    return shown_name(file.name or ""), kind, body


def take(file: UploadedFile) -> tuple[bytes, str]:
    """Return the bytes and the kind they are. Raises NotNow with a sentence for what is not taken."""
    if (file.size or 0) > uploads.LARGEST:
        raise NotNow(_too_large())
    body = bytearray()
    for chunk in file.chunks():
        body += chunk
        if len(body) > uploads.LARGEST:
            raise NotNow(_too_large())
    if not body:
        raise NotNow(gettext("That file is empty. Choose another, or write the letter in the box."))
    kind = kind_of(bytes(body))
    if not kind:
        raise NotNow(
            gettext(
                "We take letters as PDF, Word (docx), plain text, or a picture (JPEG, PNG, TIFF, HEIC). "
                "Save yours as PDF and send it again, or write the letter in the box."
            )
        )
    return bytes(body), kind


def _too_large() -> str:
    return gettext("That file is larger than {n} MB. Save it smaller and send it again.").format(
        n=uploads.LARGEST // 1024 // 1024
    )


def kind_of(body: bytes) -> str:
    """What these bytes are, "" when it is nothing we take."""
    for beginning, kind in _BEGINNINGS:
        if body.startswith(beginning):
            return kind
    if body[4:8] == b"ftyp" and body[8:12] in _HEIC_BRANDS:
        return HEIC
    if body.startswith(b"PK\x03\x04"):
        return DOCX if _is_docx(body) else ""
    return TEXT if _is_text(body) else ""


def _is_docx(body: bytes) -> bool:
    """Whether this is a Word file without macros, by the list of its parts. Nothing in it is unpacked."""
    try:
        with zipfile.ZipFile(io.BytesIO(body)) as parts:
            names = {name.lower() for name in parts.namelist()}
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError):
        return False
    return {"[content_types].xml", "word/document.xml"} <= names and not any("vbaproject" in name for name in names)


def _is_text(body: bytes) -> bool:
    """Whether these are words: UTF-8 without control characters, and no markup or script that a program would run."""
    try:
        words = body.decode("utf-8-sig")
    except UnicodeDecodeError:
        return False
    start = words.lstrip()
    return bool(start) and not _CONTROLS.search(words) and not start.startswith(("<", "#!", "{\\rtf", "@echo", "%!PS"))


def shown_name(name: str) -> str:
    """The name of a file as people may see it: its last part, without marks that turn or hide letters."""
    last = re.split(r"[\\/]", name)[-1]
    clean = "".join(mark for mark in last if unicodedata.category(mark) not in ("Cc", "Cf", "Cs", "Co", "Cn"))
    clean = " ".join(clean.split()).strip(". ")
    if len(clean) > LONGEST_NAME:
        stem, dot, ending = clean.rpartition(".")
        ending = f"{dot}{ending}"[:12] if stem else ""
        clean = clean[: LONGEST_NAME - len(ending) - 1] + "…" + ending
    return clean or gettext("letter")


def attach(letter: Letter) -> HttpResponse:
    """Return the file to be kept, never to be shown or run by the browser. Its name says nothing of the client."""
    known = letter.kind in ENDINGS
    number = letter.referral.letters.filter(at__lt=letter.at).count() + 1
    return as_attachment(
        bytes(letter.body),
        letter.kind if known else "application/octet-stream",
        f"letter-{letter.referral.reference}-{number}.{ENDINGS[letter.kind] if known else 'bin'}",
    )
