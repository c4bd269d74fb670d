"""A photo or a PDF that a client sends: known by its bytes, made anew, and never what it came as.

A photo is decoded and written again as a JPEG of a known greatest size: where it was taken, with what, and what else
hung on it stays behind. A PDF cannot be made anew here; one that could run, open or carry something is refused, and
the rest is only ever given out as an attachment (docs/adr/0013).
"""

import io
import re
import warnings

from django.utils.translation import gettext
from PIL import Image, ImageOps, UnidentifiedImageError

from practice.actions import NotNow

JPEG, PNG, PDF = "image/jpeg", "image/png", "application/pdf"
LONGEST_SIDE = 2400  # pixels: the small print of a label is still read
# Of what came: more than a phone takes by itself, less than a picture made to fill the memory. A JPEG is decoded
# smaller from the start, a PNG cannot be.
MOST_PIXELS = {"JPEG": 60_000_000, "PNG": 25_000_000}
QUALITY = 82
_BEGINNINGS = ((b"\xff\xd8\xff", "JPEG"), (b"\x89PNG\r\n\x1a\n", "PNG"))
_HEIC = (b"heic", b"heix", b"heif", b"mif1", b"msf1", b"hevc")
# Names by which a PDF runs, opens, sends or carries something (ISO 32000-1, 12.6 and 7.11); #xx hides a letter of one.
# The two short ones count with a value behind them: among the bytes of a scan they come up by chance.
_ACTS = re.compile(
    rb"/(?:(?:JavaScript|Launch|OpenAction|EmbeddedFiles?|RichMedia|SubmitForm|ImportData|XFA|GoToR|GoToE|Encrypt)\b"
    rb"|(?:JS|AA)\s*(?:\(|<|\d+\s+\d+\s+R\b))"
)


def made_anew(body: bytes) -> tuple[bytes, str]:
    """Return the bytes to keep and their kind. Raises NotNow with a sentence that says what to do."""
    if not body:
        raise NotNow(gettext("That file is empty. Take the photo again, or choose another file."))
    for beginning, name in _BEGINNINGS:
        if body.startswith(beginning):
            return _photo(body, name), JPEG
    if body.startswith(b"%PDF-"):
        return _pdf(body), PDF
    if body[4:8] == b"ftyp" and body[8:12] in _HEIC:
        raise NotNow(
            gettext(
                "This photo is in a format of newer phones (HEIC) that we cannot open. Take a picture of the screen "
                "with it, or choose “Most Compatible” in the camera settings, and send that."
            )
        )
    raise NotNow(gettext("We take photos (JPEG or PNG) and PDF. Take a photo of the list and send that."))


def _photo(body: bytes, name: str) -> bytes:
    too_large = gettext("This photo is too large to open. Take it again with the camera of your phone.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # the limit is ours, below
            with Image.open(io.BytesIO(body), formats=(name,)) as came:
                if came.width * came.height > MOST_PIXELS[name]:
                    raise NotNow(too_large)
                came.draft("RGB", (LONGEST_SIDE, LONGEST_SIDE))  # a JPEG is decoded smaller from the start
                small = came.convert("RGBA") if came.mode in ("1", "P", "LA", "PA") else came  # can be made smaller
                small.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
                flat = _on_white(ImageOps.exif_transpose(small))
    except Image.DecompressionBombError:
        raise NotNow(too_large) from None
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError):
        raise NotNow(
            gettext("This photo is broken or did not arrive whole. Take it again, or choose another file.")
        ) from None
    kept = io.BytesIO()
    flat.save(kept, "JPEG", quality=QUALITY, optimize=True)
    return kept.getvalue()


def _on_white(picture: Image.Image) -> Image.Image:
    """The pixels alone, without what is see-through and without the notes of the file."""
    picture = picture.convert("RGBA") if picture.mode in ("P", "LA", "PA", "RGBA") else picture.convert("RGB")
    page = Image.new("RGB", picture.size, "white")
    page.paste(picture, mask=picture if picture.mode == "RGBA" else None)
    return page


def _pdf(body: bytes) -> bytes:
    if b"%%EOF" not in body[-2048:]:
        raise NotNow(gettext("This PDF did not arrive whole. Send it again, or take a photo of the list."))
    named = re.sub(rb"#([0-9A-Fa-f]{2})", lambda found: bytes([int(found[1], 16)]), body)
    if _ACTS.search(named):
        raise NotNow(
            gettext("This PDF does more than show pages, so we cannot take it. Take a photo of the list instead.")
        )
    return body
