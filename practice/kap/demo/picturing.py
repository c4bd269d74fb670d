"""Medication lists of the demo: photos of a list, sent by the client and typed by their therapist."""

import io
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from PIL import Image, ImageDraw, ImageFont

from intake import medicines

if TYPE_CHECKING:
    from practice.kap.demo.story import Story

PAPER, INK = "#f4efe2", "#2b3550"


def plan(story: "Story") -> None:
    """Each of `lists` has when it was sent (`at`), its pages as lines, and when the therapist had typed it."""
    for person in story.data["people"]:
        for row in person.get("lists", ()):
            at = story.when(row["at"])
            for n, lines in enumerate(row["pages"]):
                then = at + timedelta(minutes=n)
                story.do(then, _send, story, person, lines, then)
            if "typed" in row:
                story.do(story.when(row["typed"]), _type, story, person, story.when(row["typed"]))


def photo(lines: Sequence[str]) -> bytes:
    """A sheet of paper with these lines, as a phone would send it."""
    sheet = Image.new("RGB", (1200, 200 + 90 * len(lines)), PAPER)
    pen = ImageDraw.Draw(sheet)
    for n, words in enumerate(lines):
        pen.text((90, 100 + 90 * n), words, fill=INK, font=ImageFont.load_default(44))
    kept = io.BytesIO()
    sheet.save(kept, "JPEG", quality=85)
    return kept.getvalue()


def _send(story: "Story", person: Mapping[str, Any], lines: Sequence[str], at: datetime) -> None:
    medicines.send(by=story.clients[person["name"]], body=photo(lines), at=at)


def _type(story: "Story", person: Mapping[str, Any], at: datetime) -> None:
    client = story.clients[person["name"]]
    client.refresh_from_db()
    assert client.therapist is not None
    pages = list(medicines.waiting(client).values_list("pk", flat=True))
    medicines.typed(by=client.therapist, client=client, pages=pages, at=at)
