"""Feature A18: a photo or PDF is known by its bytes, made anew without where it was taken, and refused in words."""

import io
import zlib

import pytest
from PIL import Image

from practice import pictures
from practice.actions import NotNow

GPS = 0x8825


def photo(kind: str = "JPEG", size: tuple[int, int] = (300, 200), mode: str = "RGB", *, where: bool = False) -> bytes:
    kept, exif = io.BytesIO(), Image.Exif()
    if where:
        exif[0x010F], exif[0x0112] = "Phone of Sam", 6
        exif.get_ifd(GPS)[1] = "N"
    Image.new(mode, size, "red").save(kept, kind, **({"exif": exif} if where else {}))
    return kept.getvalue()


def opened(body: bytes) -> Image.Image:
    return Image.open(io.BytesIO(body))


@pytest.mark.parametrize(
    ("kind", "mode"), [("JPEG", "RGB"), ("JPEG", "L"), ("JPEG", "CMYK"), ("PNG", "RGBA"), ("PNG", "P")]
)
def test_photo_is_written_anew_as_a_jpeg(kind: str, mode: str) -> None:
    body, found = pictures.made_anew(photo(kind, mode=mode))
    assert (found, opened(body).format, opened(body).mode, opened(body).size) == (
        "image/jpeg",
        "JPEG",
        "RGB",
        (300, 200),
    )


def test_where_and_with_what_it_was_taken_stays_behind_and_it_stands_upright() -> None:
    came = photo(where=True)
    assert b"Phone of Sam" in came
    body, _kind = pictures.made_anew(came)
    assert (b"Phone of Sam" in body, dict(opened(body).getexif()), opened(body).size) == (False, {}, (200, 300))


def test_what_hangs_behind_a_photo_stays_behind() -> None:
    body, _kind = pictures.made_anew(photo() + b"<script>alert(1)</script>PK\x03\x04")
    assert (b"script" in body, b"PK\x03\x04" in body) == (False, False)


@pytest.mark.parametrize(("side", "kept"), [(2400, 2400), (2401, 2400), (5000, 2400)])
def test_photo_is_made_smaller_at_its_limit(side: int, kept: int) -> None:
    assert max(opened(pictures.made_anew(photo(size=(side, 10)))[0]).size) == kept


def bomb(width: int, height: int) -> bytes:
    """The head of a PNG that would be so large, with almost nothing behind it."""
    head = width.to_bytes(4, "big") + height.to_bytes(4, "big") + b"\x08\x02\x00\x00\x00"
    parts = ((b"IHDR", head), (b"IDAT", zlib.compress(b"\x00" * 64)), (b"IEND", b""))
    chunks = [
        len(data).to_bytes(4, "big") + name + data + zlib.crc32(name + data).to_bytes(4, "big") for name, data in parts
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


@pytest.mark.parametrize(
    ("body", "begins"),
    [
        (b"", "That file is empty."),
        (photo()[:400], "This photo is broken"),
        (photo("PNG")[:60], "This photo is broken"),
        (bomb(60_000, 60_000), "This photo is too large to open."),
        (bomb(5001, 5000), "This photo is too large to open."),
        (bomb(5000, 5000), "This photo is broken"),
        (b"\xff\xd8\xff<html><script>alert(1)</script>", "This photo is broken"),
        (b"<html><script>alert(1)</script>", "We take photos"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>", "We take photos"),
        (b"GIF89a" + b"\x00" * 50, "We take photos"),
        (b"\x00\x00\x00\x18ftypheic" + b"\x00" * 50, "This photo is in a format of newer phones (HEIC)"),
        (b"%PDF-1.7\n1 0 obj", "This PDF did not arrive whole."),
        (b"%PDF-1.7\n<</OpenAction 2 0 R>>\n%%EOF", "This PDF does more than show pages"),
        (b"%PDF-1.7\n<</J#61vaScript (app.alert(1))>>\n%%EOF", "This PDF does more than show pages"),
        (b"%PDF-1.7\n<</EmbeddedFiles 2 0 R>>\n%%EOF", "This PDF does more than show pages"),
        (b"%PDF-1.7\n<</S /Rendition /JS (app.alert(1))>>\n%%EOF", "This PDF does more than show pages"),
        (b"%PDF-1.7\n<</AA <</O 2 0 R>>>>\n%%EOF", "This PDF does more than show pages"),
        (b"%PDF-1.7\n<</AA 12 0 R>>\n%%EOF", "This PDF does more than show pages"),
    ],
)
def test_what_is_not_taken_is_refused_in_a_sentence(body: bytes, begins: str) -> None:
    with pytest.raises(NotNow) as said:
        pictures.made_anew(body)
    assert str(said.value).startswith(begins)


def test_plain_pdf_is_kept_as_it_came() -> None:
    body = b"%PDF-1.7\n1 0 obj <</Type /Catalog>> endobj\n%%EOF\n"
    assert pictures.made_anew(body) == (body, "application/pdf")


def test_bytes_of_a_scan_that_look_like_a_short_name_are_no_reason_to_refuse_it() -> None:
    body = b"%PDF-1.7\n1 0 obj <<>> stream\n\x00/AA\xff/JS\x00\x01/AA 9\nendstream endobj\n%%EOF\n"
    assert pictures.made_anew(body) == (body, "application/pdf")


@pytest.mark.parametrize("mode", ["1", "L", "LA", "I;16"])
def test_rare_kinds_of_png_are_taken(mode: str) -> None:
    kept = io.BytesIO()
    Image.new(mode, (30, 20)).save(kept, "PNG")
    assert opened(pictures.made_anew(kept.getvalue())[0]).size == (30, 20)
