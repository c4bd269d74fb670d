"""The messages of the demo practice: written, opened and answered by the product's own actions."""

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from intake import texts, thread
from practice.sms import Incoming

if TYPE_CHECKING:
    from practice.kap.demo.story import Story


def plan(story: "Story") -> None:
    """Each of `messages` is [moment, who of the staff wrote it ("" is the client), words]; one's own reading first.

    Each of `texts` is [moment, words], texted to the practice's number.
    """
    for person in story.data["people"]:
        for said, by, words in person.get("messages", ()):
            at = story.when(said)
            story.do(at, _write, story, person, by, words, at)
        for said, words in person.get("texts", ()):
            at = story.when(said)
            story.do(at, _text, story, person, words, at)


def _write(story: "Story", person: Mapping[str, Any], by: str, words: str, at: datetime) -> None:
    client = story.clients[person["name"]]
    writer = story.staff[by] if by else client
    thread.opened(by=writer, client=client, rows=thread.thread_of(client), at=at)
    if by:
        thread.answer(by=story.staff[by], client=client, words=words, at=at)
    else:
        thread.write(by=client, words=words, wants_help=False, at=at)


def _text(story: "Story", person: Mapping[str, Any], words: str, at: datetime) -> None:
    number = story.clients[person["name"]].phone
    texts.take(Incoming(id=f"{person['name']} {at.isoformat()}", number=number, words=words), at=at)
