"""The public pages of the demo and the people who asked through them: waiting, late, alike, answered."""

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from dateutil.relativedelta import relativedelta

from intake import arrivals, enquiries
from practice import audit
from practice.models import Client, Enquiry, Notice, PublicPages

if TYPE_CHECKING:
    from practice.kap.demo.story import Story

WAYS = ("email", "sms", "voice", "voicemail")


def plan(story: "Story") -> None:
    pages = PublicPages.objects.create(pk=1, starts_site=next(iter(story.sites.values())), **story.data["public"])
    fields = sorted(story.data["public"])
    audit.record("public_pages.edited", by=None, target=pages, at=story.when("560d 9:00"), fields=fields)
    for number, row in enumerate(story.data["enquiries"]):
        _ask(story, row, f"203.0.113.{number}")
    for number, row in enumerate(story.data["arrivals"]):
        at = story.when(row["at"])
        story.do(at, _begin, row, f"198.51.100.{number}", at)


def _begin(row: Mapping[str, Any], origin: str, at: datetime) -> None:
    """Somebody begins by themselves, and types the code that they were sent."""
    born = row.get("birth_date") or (at.date() - relativedelta(years=row["years"], months=3)).isoformat()
    came = arrivals.begin(said={**row, "birth_date": born}, language="en", origin=origin, at=at)
    code = next((note.words or {})["code"] for note in Notice.objects.filter(template="code").order_by("-pk")
                if note.address == row["address"])  # fmt: skip
    arrivals.confirm(arrival=came, code=code, at=at)
    Client.objects.filter(arrivals=came).update(is_demo=True)


def _ask(story: "Story", row: Mapping[str, Any], origin: str) -> None:
    at = story.when(row["at"])
    said = {
        "name": row["name"],
        "phone": row.get("phone", ""),
        "email": row.get("email", ""),
        "reach": {way: way in row["ways"] for way in WAYS} | {"note": row.get("note", "")},
        "about": row["about"],
    }
    language = row.get("language", "en")
    kept: list[Enquiry] = []
    story.do(at, lambda: kept.append(enquiries.receive(by=None, said=said, language=language, origin=origin, at=at)))
    if "closed" in row:
        when, words = row["closed"]
        story.do(story.when(when), lambda: _close(story, kept[0], words, story.when(when)))


def _close(story: "Story", row: Enquiry, words: str, at: datetime) -> None:
    by = next(user for key, user in story.staff.items() if "front_desk" in user.roles)
    enquiries.settle(by=by, enquiry=row, state=Enquiry.State.DECLINED, words=words, at=at)
